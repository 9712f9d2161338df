//! Events to be pulled: for hosts whose code can't be called from the loop's thread.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::{Mutex, ReentrantMutex};

use crate::error::Error;
use crate::handler::{CloseEvent, Edges, Handler, Message, MessagePart, ServerHandler};
use crate::http::Request;
use crate::kept::Kept;
use crate::reconnect::Reconnecting;
use crate::server::{Refusal, Server, UpgradeRequest};
use crate::websocket::{SendOutcome, WebSocket};
use crate::ws::{MessageType, handshake};

/// What [`EventQueue::pop`] brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queued {
    /// Something happened to this connection.
    Connection(WebSocket, QueuedEvent),
    /// [`ServerHandler::on_server_closed`]: the last event of this server, after those of its connections.
    ServerClosed(Server),
}

/// An event of a connection that waits to be pulled; it owns its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueuedEvent {
    /// [`ServerHandler::on_upgrade`]: a client asks for this connection. Answer by its
    /// [`accept`](WebSocket::accept) or [`refuse`](WebSocket::refuse) within the handshake timeout.
    Upgrade(Box<QueuedUpgrade>),
    /// [`Handler::on_open`]
    Open,
    /// [`Handler::on_message`]
    Message(MessageType, Box<[u8]>),
    /// [`Handler::on_message_part`]
    MessagePart(QueuedPart),
    /// [`Handler::on_ping`]
    Ping(Box<[u8]>),
    /// [`Handler::on_pong`]
    Pong(Box<[u8]>),
    /// [`Handler::on_drain`]
    Drain,
    /// [`Handler::on_sent`]
    Sent(u64, SendOutcome),
    /// [`Handler::on_reconnecting`]
    Reconnecting(Box<Reconnecting>),
    /// [`Handler::on_reconnected`]
    Reconnected,
    /// [`Handler::on_error`]
    Error(Error),
    /// [`Handler::on_close`]
    Close(CloseEvent),
}

impl QueuedEvent {
    /// Calls the handler as the loop would have done: for whoever pulls and has handlers of the usual kind. An upgrade is
    /// for none of them.
    pub fn deliver(&self, ws: WebSocket, handler: &dyn Handler) {
        match self {
            QueuedEvent::Upgrade(_) => {}
            QueuedEvent::Open => handler.on_open(ws),
            QueuedEvent::Message(kind, payload) => handler.on_message(ws, message(*kind, payload)),
            QueuedEvent::MessagePart(part) => handler.on_message_part(ws, part.as_part()),
            QueuedEvent::Ping(payload) => handler.on_ping(ws, payload),
            QueuedEvent::Pong(payload) => handler.on_pong(ws, payload),
            QueuedEvent::Drain => handler.on_drain(ws),
            QueuedEvent::Sent(token, outcome) => handler.on_sent(ws, *token, *outcome),
            QueuedEvent::Reconnecting(event) => handler.on_reconnecting(ws, event),
            QueuedEvent::Reconnected => handler.on_reconnected(ws),
            QueuedEvent::Error(error) => handler.on_error(ws, error),
            QueuedEvent::Close(event) => handler.on_close(ws, event),
        }
    }

    /// The same, and lets the handler [keep](Message::keep) a message's payload.
    pub fn hand_over(self, ws: WebSocket, handler: &dyn Handler) {
        match self {
            QueuedEvent::Message(kind, payload) => {
                Kept::show(payload.into_vec().into(), |payload, kept| {
                    handler.on_message(ws, message(kind, payload).or_kept(kept));
                });
            }
            other => other.deliver(ws, handler),
        }
    }

    fn size(&self) -> usize {
        match self {
            QueuedEvent::Message(_, payload) | QueuedEvent::Ping(payload) | QueuedEvent::Pong(payload) => {
                payload.len()
            }
            QueuedEvent::MessagePart(part) => part.data.len(),
            QueuedEvent::Upgrade(upgrade) => upgrade.size(),
            _ => 0,
        }
    }
}

/// Anybody can make an event, so that a text is UTF-8 is not known here.
fn message(kind: MessageType, payload: &[u8]) -> Message<'_> {
    match kind {
        MessageType::Text => {
            simdutf8::basic::from_utf8(payload).map_or(Message::binary(payload), Message::text)
        }
        MessageType::Binary => Message::binary(payload),
    }
}

impl Queued {
    fn size(&self) -> usize {
        match self {
            Queued::Connection(_, event) => event.size(),
            Queued::ServerClosed(_) => 0,
        }
    }
}

/// A part of a message that waits to be pulled: a [`MessagePart`] that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedPart {
    /// Whether its message is text or binary.
    pub kind: MessageType,
    /// The bytes of the part: of a text message whole characters.
    pub data: Box<[u8]>,
    /// Whether it begins a message.
    pub is_first: bool,
    /// Whether it ends its message.
    pub is_last: bool,
}

impl QueuedPart {
    fn as_part(&self) -> MessagePart<'_> {
        let edges = Edges {
            is_first: self.is_first,
            is_last: self.is_last,
        };
        MessagePart::new(message(self.kind, &self.data).kind(), &self.data, edges)
    }
}

/// A client's request for an upgrade that waits to be pulled: an [`UpgradeRequest`] that owns what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedUpgrade {
    server: Server,
    request: Request,
    remote: Option<SocketAddr>,
}

impl QueuedUpgrade {
    /// The server that it came to.
    pub fn server(&self) -> Server {
        self.server
    }

    /// The path, as it was sent (not percent-decoded).
    pub fn path(&self) -> &str {
        self.request.path()
    }

    /// What follows `?` in the target, if it has one.
    pub fn query(&self) -> Option<&str> {
        self.request.query()
    }

    /// The target as it was sent: path and query.
    pub fn target(&self) -> &str {
        &self.request.target
    }

    /// The first header of this name, if it is there and readable as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }

    /// All headers; a name occurs as often as it was sent, its values in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let headers = self.request.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    /// The subprotocols that the client offers, its preferred one first.
    pub fn subprotocols(&self) -> Vec<&str> {
        handshake::offered_subprotocols(&self.request)
    }

    /// The client's address; `None` on a Unix socket.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        self.remote
    }

    fn size(&self) -> usize {
        let headers: usize = self.headers().map(|(name, value)| name.len() + value.len()).sum();
        self.target().len() + headers
    }
}

/// A bounded queue of the events of any number of connections, with a doorbell that rings once each time that it
/// turns from empty to not empty.
///
/// Give it to [`connect`](crate::connect) or [`listen`](crate::listen) as the handler, and to
/// [`ServerOptions::server_handler`](crate::ServerOptions::server_handler) where upgrades shall be answered by who
/// pulls; all loops of a server with several threads fill the one queue. When it is full, a connection that brings a
/// message is paused, and resumed once half of the queue has been pulled: nothing is lost, and the peer feels it. So
/// each connection goes beyond the limits by one message at most, and by events that no peer can make more of
/// (opening, closing, being sent). Any thread may pull; one at a time keeps the order.
///
/// [`Handler::on_attempt`] has to be answered at once, so it can't be queued: attempts are made as `connect` was told.
pub struct EventQueue {
    max_events: usize,
    max_bytes: usize,
    doorbell: Box<dyn Fn() + Send + Sync>,
    /// Held while the bell rings, so that `close` can wait for that; reentrant, so that the doorbell may call it.
    ringing: ReentrantMutex<()>,
    /// `None` once it is closed.
    waiting: Mutex<Option<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Queued>,
    bytes: usize,
    paused: HashSet<WebSocket>,
}

impl EventQueue {
    /// A queue for so many events and so many bytes of their payloads, whichever comes first. `doorbell` is called on
    /// the loop's thread, never twice at once, and must not block; it may call the library.
    pub fn new(
        max_events: usize,
        max_bytes: usize,
        doorbell: impl Fn() + Send + Sync + 'static,
    ) -> Arc<EventQueue> {
        Arc::new(EventQueue {
            max_events: max_events.max(1),
            max_bytes: max_bytes.max(1),
            doorbell: Box::new(doorbell),
            ringing: ReentrantMutex::new(()),
            waiting: Mutex::new(Some(Waiting::default())),
        })
    }

    /// The oldest event; `None` when there is none, and then the doorbell rings for the next.
    pub fn pop(&self) -> Option<Queued> {
        let (event, resumed) = {
            let mut guard = self.waiting.lock();
            let waiting = guard.as_mut()?;
            let event = waiting.events.pop_front()?;
            waiting.bytes -= event.size();
            let is_low = waiting.events.len() <= self.max_events / 2 && waiting.bytes <= self.max_bytes / 2;
            let resumed = if is_low {
                std::mem::take(&mut waiting.paused)
            } else {
                HashSet::new()
            };
            (event, resumed)
        };
        resume(resumed);
        Some(event)
    }

    /// Drops what waits and what is still to come, and lets its connections read on: for a host that pulls no more.
    /// When this returns, the doorbell is not ringing and never will again, unless this is called by it.
    pub fn close(&self) {
        let closed = self.waiting.lock().take();
        if let Some(waiting) = closed {
            resume(waiting.paused);
        }
        drop(self.ringing.lock());
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.waiting
            .lock()
            .as_ref()
            .map_or(0, |waiting| waiting.events.len())
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&self, ws: WebSocket, event: QueuedEvent) {
        // One that isn't open yet brings nothing more until it was answered.
        let pausable = !matches!(event, QueuedEvent::Upgrade(_));
        self.add(Queued::Connection(ws, event), pausable.then_some(ws));
    }

    /// Adds an event; if that fills the queue, pauses the connection that may bring more.
    fn add(&self, queued: Queued, source: Option<WebSocket>) {
        let (was_empty, paused) = {
            let mut guard = self.waiting.lock();
            let Some(waiting) = guard.as_mut() else { return };
            let was_empty = waiting.events.is_empty();
            waiting.bytes += queued.size();
            waiting.events.push_back(queued);
            let is_full = waiting.events.len() >= self.max_events || waiting.bytes >= self.max_bytes;
            let paused = source.filter(|_| is_full);
            waiting.paused.extend(paused);
            (was_empty, paused)
        };
        if let Some(ws) = paused {
            let _ = ws.pause(); // it may have ended meanwhile
        }
        if was_empty {
            self.ring();
        }
    }

    fn ring(&self) {
        let _ringing = self.ringing.lock();
        let is_closed = self.waiting.lock().is_none();
        if !is_closed {
            (self.doorbell)();
        }
    }
}

fn resume(paused: HashSet<WebSocket>) {
    for ws in paused {
        let _ = ws.resume(); // it may have ended meanwhile
    }
}

impl Handler for EventQueue {
    fn on_open(&self, ws: WebSocket) {
        self.push(ws, QueuedEvent::Open);
    }

    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        self.push(
            ws,
            QueuedEvent::Message(message.kind(), message.as_bytes().into()),
        );
    }

    fn on_message_part(&self, ws: WebSocket, part: MessagePart<'_>) {
        let part = QueuedPart {
            kind: part.kind(),
            data: part.as_bytes().into(),
            is_first: part.is_first(),
            is_last: part.is_last(),
        };
        self.push(ws, QueuedEvent::MessagePart(part));
    }

    fn on_ping(&self, ws: WebSocket, payload: &[u8]) {
        self.push(ws, QueuedEvent::Ping(payload.into()));
    }

    fn on_pong(&self, ws: WebSocket, payload: &[u8]) {
        self.push(ws, QueuedEvent::Pong(payload.into()));
    }

    fn on_drain(&self, ws: WebSocket) {
        self.push(ws, QueuedEvent::Drain);
    }

    fn on_sent(&self, ws: WebSocket, token: u64, outcome: SendOutcome) {
        self.push(ws, QueuedEvent::Sent(token, outcome));
    }

    fn on_reconnecting(&self, ws: WebSocket, event: &Reconnecting) {
        self.push(ws, QueuedEvent::Reconnecting(Box::new(event.clone())));
    }

    fn on_reconnected(&self, ws: WebSocket) {
        self.push(ws, QueuedEvent::Reconnected);
    }

    fn on_error(&self, ws: WebSocket, error: &Error) {
        self.push(ws, QueuedEvent::Error(error.clone()));
    }

    fn on_close(&self, ws: WebSocket, event: &CloseEvent) {
        self.push(ws, QueuedEvent::Close(event.clone()));
    }
}

impl ServerHandler for EventQueue {
    fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
        if self.waiting.lock().is_none() {
            // Nobody will ever answer: the client need not wait for that.
            let gone = Refusal::new(503, "the server is going away");
            let _ = request.websocket().refuse(gone); // it may have ended meanwhile
            return;
        }
        let upgrade = QueuedUpgrade {
            server: request.server(),
            request: request.request.clone(),
            remote: request.remote_address(),
        };
        self.push(request.websocket(), QueuedEvent::Upgrade(Box::new(upgrade)));
    }

    fn on_server_closed(&self, server: Server) {
        self.add(Queued::ServerClosed(server), None);
    }
}

impl std::fmt::Debug for EventQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let guard = self.waiting.lock();
        let Some(waiting) = guard.as_ref() else {
            return f.write_str("EventQueue(closed)");
        };
        f.debug_struct("EventQueue")
            .field("events", &waiting.events.len())
            .field("bytes", &waiting.bytes)
            .field("paused", &waiting.paused.len())
            .finish()
    }
}
