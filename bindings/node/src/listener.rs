//! What the core calls: its events become records of the batch.

use std::net::SocketAddr;

use sockline::{
    Attempt, CloseEvent, Error, Handler, HttpResponse, Message, MessagePart, MessageType, Reconnecting,
    SendOutcome, Server, ServerHandler, UpgradeRequest, WebSocket,
};

use crate::batch::Kind;
use crate::errors;
use crate::host::HostPointer;

/// Hears all connections of a host; their user data are the keys that JavaScript knows them by.
pub(crate) struct Connections(pub(crate) HostPointer);

impl Handler for Connections {
    fn on_open(&self, ws: WebSocket) {
        self.push(ws, Kind::Open, 0, &[]);
    }

    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        let kind = match message.kind() {
            MessageType::Text => Kind::Text,
            MessageType::Binary => Kind::Binary,
        };
        self.push(ws, kind, 0, message.as_bytes());
    }

    fn on_message_part(&self, ws: WebSocket, part: MessagePart<'_>) {
        let binary = part.kind() == MessageType::Binary;
        let extra = u16::from(binary) | u16::from(part.is_first()) << 1 | u16::from(part.is_last()) << 2;
        self.push(ws, Kind::Part, extra, part.as_bytes());
    }

    fn on_ping(&self, ws: WebSocket, payload: &[u8]) {
        self.push(ws, Kind::Ping, 0, payload);
    }

    fn on_pong(&self, ws: WebSocket, payload: &[u8]) {
        self.push(ws, Kind::Pong, 0, payload);
    }

    fn on_ending(&self, _: WebSocket) {
        self.0.get().batch.deliver_early();
    }

    fn on_drain(&self, ws: WebSocket) {
        self.push(ws, Kind::Drain, 0, &[]);
    }

    fn on_sent(&self, ws: WebSocket, token: u64, outcome: SendOutcome) {
        self.push(ws, Kind::Sent, outcome as u16, &(token as u32).to_le_bytes());
    }

    fn on_reconnecting(&self, ws: WebSocket, event: &Reconnecting) {
        self.push(ws, Kind::Reconnecting, event.code, reconnecting(event).as_bytes());
    }

    fn on_attempt(&self, ws: WebSocket, attempt: &mut Attempt) {
        let host = self.0.get();
        host.answer.take();
        self.push(ws, Kind::Attempt, 0, asked(attempt).as_bytes());
        host.batch.deliver_early();
        if let Some((url, headers)) = host.answer.take() {
            attempt.url = url;
            attempt.headers = headers;
        }
    }

    fn on_reconnected(&self, ws: WebSocket) {
        self.push(ws, Kind::Reconnected, 0, &[]);
    }

    fn on_error(&self, ws: WebSocket, error: &Error) {
        if let Some(response) = error.response() {
            let record = answered(response, &ws.request_headers());
            self.push(ws, Kind::Response, response.status, &record);
        }
        self.push(ws, Kind::Error, 0, errors::record(error).as_bytes());
    }

    fn on_close(&self, ws: WebSocket, event: &CloseEvent) {
        let clean = if event.was_clean { "1" } else { "0" };
        self.push(
            ws,
            Kind::Close,
            event.code,
            format!("{clean}{}", event.reason).as_bytes(),
        );
        self.0.get().release();
    }
}

impl Connections {
    fn push(&self, ws: WebSocket, kind: Kind, extra: u16, payload: &[u8]) {
        self.0
            .get()
            .batch
            .push(ws.user_data() as u32, kind, extra, payload);
    }
}

fn reconnecting(event: &Reconnecting) -> String {
    let millis = event.delay.as_millis();
    let mut record = format!("{}\0{millis}\0{}", event.attempt, event.reason);
    if let Some(error) = &event.error {
        record.push('\0');
        record.push_str(&errors::record(error));
    }
    record
}

fn asked(attempt: &Attempt) -> String {
    let mut record = format!("{}\0{}", attempt.number, attempt.url);
    for (name, value) in &attempt.headers {
        record.extend(["\0", name, "\0", value]);
    }
    record
}

/// The length of the head, the head, the body. The head: what the server says, a line feed, what it was asked with.
fn answered(response: &HttpResponse, sent: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut head = response.reason.clone().into_bytes();
    let push = |head: &mut Vec<u8>, fields: &[(String, Vec<u8>)]| {
        for (name, value) in fields {
            head.push(0);
            head.extend_from_slice(name.as_bytes());
            head.push(0);
            head.extend_from_slice(value);
        }
    };
    push(&mut head, &response.headers);
    head.push(b'\n');
    push(&mut head, sent);
    let mut payload = (head.len() as u32).to_le_bytes().to_vec();
    payload.append(&mut head);
    payload.extend_from_slice(&response.body);
    payload
}

/// Hears one server.
pub(crate) struct Listener {
    pub(crate) host: HostPointer,
    pub(crate) key: u32,
    /// Whether it keeps the process from ending.
    pub(crate) retains: bool,
}

impl ServerHandler for Listener {
    fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
        let host = self.host.get();
        if host.asked.get().is_some() {
            host.asked.set(Some(Some(request.websocket()))); // JavaScript knows the request
            return;
        }
        let remote = request.remote_address();
        let record = upgrade_record(request.websocket(), request.target(), remote, request.headers());
        host.batch.push(self.key, Kind::Upgrade, 0, &record);
    }

    fn on_server_closed(&self, _: Server) {
        self.host.get().batch.push(self.key, Kind::ServerClosed, 0, &[]);
        if self.retains {
            self.host.get().release();
        }
    }
}

/// What JavaScript is told of a request: handle, method, target, address, port, then names and values of headers.
pub(crate) fn upgrade_record<'a>(
    websocket: WebSocket,
    target: &str,
    remote: Option<SocketAddr>,
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Vec<u8> {
    let mut payload = Vec::with_capacity(1024);
    let (address, port) = match remote {
        Some(remote) => (remote.ip().to_string(), remote.port().to_string()),
        None => Default::default(),
    };
    let handle = websocket.raw().to_string();
    let fixed: [&str; 5] = [&handle, "GET", target, &address, &port];
    payload.extend_from_slice(fixed.join("\0").as_bytes());
    // Neither names nor values of headers can hold NUL (RFC 9110 §5.5), so it can separate them.
    for (name, value) in headers {
        payload.push(0);
        payload.extend_from_slice(name.as_bytes());
        payload.push(0);
        payload.extend_from_slice(value);
    }
    payload
}
