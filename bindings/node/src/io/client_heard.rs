//! What the core tells of managers and their sockets becomes records of the batch.

use std::time::Duration;

use sockline::Error;
use sockline::io::{
    AckResult, AuthQuestion, ClientEvent, ClientHandler, ClientReason, ClientSocket, ConnectError,
    EnginePacket, Manager, ManagerHandler,
};

use super::clients::transport_name;
use super::heard::json;
use super::records;
use crate::batch::{Batch, Kind};
use crate::errors;
use crate::host::HostPointer;

/// Hears one manager, or one socket.
pub(super) struct Heard {
    pub(super) host: HostPointer,
    /// What JavaScript knows it by.
    pub(super) key: u32,
}

impl ClientHandler for Heard {
    fn on_auth(&self, _: &ClientSocket, question: AuthQuestion) {
        let number = question.into_raw() as f64;
        self.tell(Kind::IoAuth, 0, &number.to_le_bytes());
    }

    fn on_connect(&self, socket: &ClientSocket) {
        let id = socket.id().unwrap_or_default();
        self.tell(Kind::IoConnect, u16::from(socket.recovered()), id.as_bytes());
    }

    fn on_connect_error(&self, _: &ClientSocket, error: ConnectError<'_>) {
        if let Some(error) = error.error {
            return self.tell(Kind::IoConnectError, 0, errors::record(error).as_bytes());
        }
        let data = match error.data {
            Some(data) => format!(",\"data\":{data}"),
            None => String::new(),
        };
        let record = format!("{{\"message\":{}{data}}}", json(error.message));
        self.tell(Kind::IoConnectError, 1, record.as_bytes());
    }

    fn on_event(&self, _: &ClientSocket, event: ClientEvent<'_>) {
        let ack = event.ack.map(|ack| ack.into_raw());
        records::push_event(self.batch(), self.key, event.array, event.attachments, ack);
    }

    fn on_ack(&self, _: &ClientSocket, token: u64, result: AckResult<'_>) {
        records::push_result(self.batch(), self.key, token, result);
    }

    fn on_disconnect(&self, _: &ClientSocket, reason: ClientReason, detail: &str) {
        self.tell(Kind::IoClientDisconnect, reason as u16, detail.as_bytes());
    }
}

impl ManagerHandler for Heard {
    fn on_open(&self, manager: &Manager) {
        let transport = manager.transport().map_or("", transport_name);
        let record = format!("{}\0{transport}", manager.engine_id().unwrap_or_default());
        self.tell(Kind::IoOpen, 0, record.as_bytes());
    }

    fn on_error(&self, _: &Manager, error: &Error) {
        self.tell(Kind::IoError, 0, errors::record(error).as_bytes());
    }

    fn on_close(&self, _: &Manager, reason: ClientReason, detail: &str) {
        self.tell(Kind::IoClose, reason as u16, detail.as_bytes());
    }

    fn on_ping(&self, _: &Manager) {
        self.tell(Kind::IoPing, 0, &[]);
    }

    fn on_packet(&self, _: &Manager, packet: &EnginePacket<'_>) {
        records::push_packet(self.batch(), self.key, &[], packet);
    }

    fn on_upgrade(&self, _: &Manager) {
        self.tell(Kind::IoUpgraded, 0, &[]);
    }

    fn on_upgrade_error(&self, _: &Manager, error: &Error) {
        self.tell(Kind::IoUpgradeError, 0, errors::record(error).as_bytes());
    }

    fn on_reconnect_scheduled(&self, _: &Manager, attempt: u32, _: Duration) {
        self.tell_number(Kind::IoScheduled, attempt);
    }

    fn on_reconnect_attempt(&self, _: &Manager, attempt: u32) {
        self.tell_number(Kind::IoAttempt, attempt);
    }

    fn on_reconnect(&self, _: &Manager, attempt: u32) {
        self.tell_number(Kind::IoReconnect, attempt);
    }

    fn on_reconnect_error(&self, _: &Manager, error: &Error) {
        self.tell(Kind::IoReconnectError, 0, errors::record(error).as_bytes());
    }

    fn on_reconnect_failed(&self, _: &Manager) {
        self.tell(Kind::IoReconnectFailed, 0, &[]);
    }

    fn on_drain(&self, _: &Manager) {
        self.tell(Kind::Drain, 0, &[]);
    }
}

impl Heard {
    fn batch(&self) -> &Batch {
        &self.host.get().batch
    }

    fn tell(&self, kind: Kind, extra: u16, payload: &[u8]) {
        self.batch().push(self.key, kind, extra, payload);
    }

    fn tell_number(&self, kind: Kind, number: u32) {
        self.tell(kind, 0, number.to_string().as_bytes());
    }
}
