//! What the core tells of a Socket.IO server becomes records of the batch. All of a server's loops are the host's own, so
//! everything here happens on the environment's thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sockline::http::Request;
use sockline::io::{
    AckResult, BroadcastAcks, ConnectQuestion, ConnectionError, DisconnectReason, EnginePacket, Event,
    Handler, Namespace, NamespaceQuestion, Outgoing, RequestQuestion, RoomEvent, Server, ServerEvent,
    SessionInfo, Socket,
};

use super::records;
use super::slots::SLOTS;
use crate::batch::{Batch, Kind};
use crate::host::HostPointer;
use crate::options::pairs;

/// What JavaScript wants to hear of a server besides the usual.
#[derive(Default)]
pub(crate) struct Wants(AtomicU32);

impl Wants {
    /// It wants to be asked whether sessions may begin.
    const REQUESTS: u32 = 1;
    /// It wants to add to the headers of answers.
    const HEADERS: u32 = 2;
    /// It wants to hear what happens to rooms.
    pub(super) const ROOMS: u32 = 4;
    /// It wants to hear of sessions.
    const SESSIONS: u32 = 8;
    /// It wants to hear of each packet of Engine.IO.
    pub(super) const PACKETS: u32 = 16;
    /// It wants to be asked about WebSockets for sessions, too.
    const UPGRADES: u32 = 32;

    pub(super) fn set(&self, bits: u32) {
        self.0.store(bits, Ordering::Relaxed);
    }

    pub(super) fn has(&self, bit: u32) -> bool {
        self.0.load(Ordering::Relaxed) & bit != 0
    }
}

/// Hears one server.
pub(super) struct Heard {
    pub(super) host: HostPointer,
    /// What JavaScript knows the server by.
    pub(super) key: u32,
    pub(super) wants: Arc<Wants>,
}

impl Handler for Heard {
    fn on_request(&self, question: RequestQuestion) {
        let wanted = match question.is_upgrade() {
            true => Wants::UPGRADES,
            false => Wants::REQUESTS,
        };
        if !self.wants.has(wanted) {
            return question.allow();
        }
        let mut request = String::new();
        records::request(question.request(), &mut request);
        let is_upgrade = u16::from(question.is_upgrade());
        let record = format!("{}\0{request}", question.into_raw());
        self.tell(Kind::IoRequest, is_upgrade, record.as_bytes());
    }

    fn on_headers(&self, initial: bool, request: &Request, headers: &mut Vec<(String, String)>) {
        if !self.wants.has(Wants::HEADERS) {
            return;
        }
        let mut record = headers.len().to_string();
        for (name, value) in headers.iter() {
            record.extend(["\0", name, "\0", value]);
        }
        record.push('\0');
        records::unknown_request(request, &mut record);
        let kind = if initial {
            Kind::IoInitialHeaders
        } else {
            Kind::IoHeaders
        };
        if let Some(answer) = self.host.get().ask(self.key, kind, &record) {
            let lines = answer.split('\0').map(str::to_owned);
            *headers = pairs(lines.filter(|_| !answer.is_empty()).collect());
        }
    }

    fn on_session(&self, session: &SessionInfo<'_>) {
        if self.wants.has(Wants::SESSIONS) {
            let record = records::session(session, "");
            self.tell(Kind::IoSession, 0, record.as_bytes());
        }
    }

    fn on_session_upgraded(&self, session_id: &str) {
        if self.wants.has(Wants::SESSIONS) {
            self.tell(Kind::IoSessionUpgraded, 0, session_id.as_bytes());
        }
    }

    fn on_packet(&self, session_id: &str, packet: &EnginePacket<'_>) {
        let id = [&[session_id.len() as u8], session_id.as_bytes()].concat();
        records::push_packet(self.batch(), self.key, &id, packet);
    }

    fn on_session_closed(&self, session_id: &str, reason: DisconnectReason, _: &str) {
        if self.wants.has(Wants::SESSIONS) {
            self.tell(Kind::IoSessionClosed, reason as u16, session_id.as_bytes());
        }
    }

    fn on_connection_error(&self, error: &ConnectionError) {
        let context: BTreeMap<_, _> = error.context.iter().map(|(name, value)| (name, value)).collect();
        let mut record = format!("{}\0{}\0", error.message, json(&context));
        records::request(&error.request, &mut record);
        self.tell(Kind::IoRefused, u16::from(error.code), record.as_bytes());
    }

    fn on_namespace(&self, question: NamespaceQuestion) {
        let (name, auth) = (question.name().to_owned(), question.auth().to_owned());
        let record = json(&(question.into_raw(), name, auth));
        self.tell(Kind::IoNamespace, 0, record.as_bytes());
    }

    fn on_new_namespace(&self, namespace: &Namespace) {
        let Some(key) = self.host.get().io.awaited(self.key, namespace.name()) else {
            return;
        };
        namespace.set_user_data(key as usize);
        let handle = (namespace.raw() as f64).to_le_bytes();
        self.batch().push(key, Kind::IoNamespaceMade, 0, &handle);
    }

    fn on_connecting(&self, question: ConnectQuestion) {
        let socket = question.socket().clone();
        let namespace = socket.namespace().user_data() as u32;
        if namespace == 0 {
            return question.deny("Invalid namespace", None); // JavaScript has just given it up
        }
        let head = new_socket(&socket, self.host.get().io.add(&socket));
        let number = (question.into_raw() as f64).to_le_bytes();
        let parts = [&number[..], &head, socket.id().as_bytes()];
        self.batch().push_parts(namespace, Kind::IoConnecting, 0, parts);
    }

    fn on_connect_abandoned(&self, socket: &Socket) {
        self.tell_of(socket, Kind::IoAbandoned, 0, &[]);
    }

    fn on_connection(&self, socket: &Socket) {
        if socket.user_data() != 0 {
            return self.tell_of(socket, Kind::IoConnected, 0, &[]);
        }
        let namespace = socket.namespace().user_data() as u32;
        if namespace == 0 {
            return socket.disconnect(false); // JavaScript has just given it up
        }
        let head = new_socket(socket, self.host.get().io.add(socket));
        let parts = [&head[..], socket.id().as_bytes()];
        self.batch().push_parts(namespace, Kind::IoConnection, 0, parts);
    }

    fn on_event(&self, socket: &Socket, event: Event<'_>) {
        let Some(key) = key_of(socket) else { return };
        let ack = event.ack.map(|ack| ack.into_raw());
        records::push_event(self.batch(), key, event.array, event.attachments, ack);
    }

    fn on_ack(&self, socket: &Socket, token: u64, result: AckResult<'_>) {
        let Some(key) = key_of(socket) else { return };
        records::push_result(self.batch(), key, token, result);
    }

    fn on_broadcast_ack(&self, namespace: &Namespace, token: u64, acks: BroadcastAcks<'_>) {
        let key = namespace.user_data() as u32;
        if key == 0 {
            return;
        }
        let timed_out = u16::from(acks.timed_out);
        records::push_responses(
            self.batch(),
            key,
            Kind::IoBroadcastAck,
            timed_out,
            token as u32,
            acks.responses,
        );
    }

    fn on_outgoing(&self, socket: &Socket, event: Outgoing<'_>) {
        let Some(key) = key_of(socket) else { return };
        records::push_outgoing(self.batch(), key, event.array, event.attachments);
    }

    fn on_drain(&self, socket: &Socket) {
        self.tell_of(socket, Kind::Drain, 0, &[]);
    }

    fn on_disconnecting(&self, socket: &Socket, reason: DisconnectReason) {
        let rooms = json(&socket.rooms());
        self.tell_of(socket, Kind::IoDisconnecting, reason as u16, rooms.as_bytes());
    }

    fn on_disconnect(&self, socket: &Socket, reason: DisconnectReason, detail: &str) {
        self.tell_of(socket, Kind::IoDisconnect, reason as u16, detail.as_bytes());
    }

    fn on_room(&self, namespace: &Namespace, event: RoomEvent<'_>) {
        let (number, names): (u16, &[&str]) = match &event {
            RoomEvent::Created { room } => (0, &[room]),
            RoomEvent::Joined { room, id } => (1, &[room, id]),
            RoomEvent::Left { room, id } => (2, &[room, id]),
            RoomEvent::Deleted { room } => (3, &[room]),
        };
        let key = namespace.user_data() as u32;
        if key != 0 {
            self.batch()
                .push(key, Kind::IoRoom, number, json(names).as_bytes());
        }
    }

    fn on_server_side_emit(&self, namespace: &Namespace, event: ServerEvent<'_>) {
        let key = namespace.user_data() as u32;
        if key != 0 && event.attachments.len() <= records::MOST_ATTACHMENTS {
            let ack = event.ack.map(|ack| ack.into_raw());
            records::push_event(self.batch(), key, event.array, event.attachments, ack);
        }
    }

    fn on_server_closed(&self, _: &Server) {
        self.tell(Kind::IoClosed, 0, &[]);
    }
}

impl Heard {
    fn batch(&self) -> &Batch {
        &self.host.get().batch
    }

    fn tell(&self, kind: Kind, extra: u16, payload: &[u8]) {
        self.batch().push(self.key, kind, extra, payload);
    }

    fn tell_of(&self, socket: &Socket, kind: Kind, extra: u16, payload: &[u8]) {
        if let Some(key) = key_of(socket) {
            self.batch().push(key, kind, extra, payload);
        }
    }
}

/// None for a socket that JavaScript was not told of.
fn key_of(socket: &Socket) -> Option<u32> {
    let slot = socket.user_data() as u32;
    (slot != 0).then(|| SLOTS + slot)
}

/// Strings and numbers always have a form in JSON.
pub(super) fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Slot (4 bytes), and whether it was recovered; the id follows.
fn new_socket(socket: &Socket, slot: u32) -> [u8; 5] {
    let [a, b, c, d] = slot.to_le_bytes();
    [a, b, c, d, u8::from(socket.recovered())]
}
