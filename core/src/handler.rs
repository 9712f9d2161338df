//! What the application hears: the events of a connection and of a server.

use crate::error::Error;
use crate::kept::Kept;
use crate::reconnect::{Attempt, Reconnecting};
use crate::server::{Refusal, Server, UpgradeRequest};
use crate::websocket::{SendOutcome, WebSocket};
use crate::ws::MessageType;

/// A whole message, borrowed until the callback returns.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    kind: MessageType,
    data: &'a [u8],
    kept: Option<&'a Kept>,
}

impl<'a> Message<'a> {
    /// `data` must be valid UTF-8 where `kind` is text: the protocol machine has checked it.
    pub(crate) fn new(kind: MessageType, data: &'a [u8]) -> Message<'a> {
        Message {
            kind,
            data,
            kept: None,
        }
    }

    /// The same payload, to be kept.
    pub(crate) fn or_kept(self, kept: Option<&'a Kept>) -> Message<'a> {
        Message { kept, ..self }
    }

    /// A text message of the caller's own, for instance to call a handler in a test.
    pub fn text(text: &'a str) -> Message<'a> {
        Message::new(MessageType::Text, text.as_bytes())
    }

    /// A binary message of the caller's own.
    pub fn binary(data: &'a [u8]) -> Message<'a> {
        Message::new(MessageType::Binary, data)
    }

    /// Whether it is text or binary.
    pub fn kind(&self) -> MessageType {
        self.kind
    }

    /// The payload; UTF-8 when the message is text.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.data
    }

    /// The payload of a text message; `None` for a binary one.
    pub fn as_text(&self) -> Option<&'a str> {
        match self.kind {
            // SAFETY: both ways to make a text message start from checked UTF-8 (RFC 6455 §8.1): `text` from
            // a str, `new` from a payload that the protocol machine validated before it yielded the event.
            MessageType::Text => Some(unsafe { std::str::from_utf8_unchecked(self.data) }),
            MessageType::Binary => None,
        }
    }

    /// The payload for longer than the callback, without a copy, if it is to be had so: from 16 KiB on, where it has memory
    /// of its own. That has all that did not lie whole in what was read at once, so all that is longer than 72 KiB, what was
    /// inflated, and what [`QueuedEvent::hand_over`](crate::QueuedEvent::hand_over) brings. What is read at once
    /// is the loop's: copy it.
    pub fn keep(&self) -> Option<Kept> {
        self.kept.cloned()
    }
}

impl PartialEq for Message<'_> {
    fn eq(&self, other: &Message<'_>) -> bool {
        (self.kind, self.data) == (other.kind, other.data)
    }
}

impl Eq for Message<'_> {}

/// A part of a message, borrowed until the callback returns; for connections whose
/// [`Settings::message_parts`](crate::Settings::message_parts) ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagePart<'a> {
    data: Message<'a>,
    edges: Edges,
}

/// Where in its message a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edges {
    pub(crate) is_first: bool,
    pub(crate) is_last: bool,
}

impl Edges {
    /// Of the only part of a message.
    pub(crate) const WHOLE: Edges = Edges {
        is_first: true,
        is_last: true,
    };
}

impl<'a> MessagePart<'a> {
    /// `data` as for [`Message::new`].
    pub(crate) fn new(kind: MessageType, data: &'a [u8], edges: Edges) -> MessagePart<'a> {
        MessagePart {
            data: Message::new(kind, data),
            edges,
        }
    }

    /// Whether its message is text or binary.
    pub fn kind(&self) -> MessageType {
        self.data.kind()
    }

    /// The bytes of the part: of a text message whole characters. Empty only where the last part has nothing more to say.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.data.as_bytes()
    }

    /// The text of a part of a text message; `None` for a binary one.
    pub fn as_text(&self) -> Option<&'a str> {
        self.data.as_text()
    }

    /// Whether it begins a message.
    pub fn is_first(&self) -> bool {
        self.edges.is_first
    }

    /// Whether it ends its message. A connection can end before that comes.
    pub fn is_last(&self) -> bool {
        self.edges.is_last
    }
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseEvent {
    /// The peer's close code; 1005 if its close frame had none, 1006 if no close frame came (RFC 6455 §7.1.5).
    pub code: u16,
    /// The peer's reason; empty if there was none.
    pub reason: String,
    /// Whether both close frames were exchanged (WHATWG `wasClean`).
    pub was_clean: bool,
}

/// The events of a connection. All methods have an empty default, so implement those that you need.
///
/// They are called by the thread that turns the loop, one after the other, in this order: `on_open` once, messages
/// in the order of their arrival, `on_error` at most once and right before `on_close`, `on_close` exactly once, last.
/// A handler may call anything on any handle, close its own connection and drop the loop; none of these calls back
/// into a handler before the present one has returned.
#[allow(unused_variables)]
pub trait Handler: Send + Sync {
    /// The opening handshake is done; messages can be sent.
    fn on_open(&self, ws: WebSocket) {}
    /// A whole message came; it is borrowed until this returns. See [`Message::keep`].
    fn on_message(&self, ws: WebSocket, message: Message<'_>) {}
    /// A part of a message came, as soon as it was there; it is borrowed until this returns. Instead of `on_message`, if
    /// [`Settings::message_parts`](crate::Settings::message_parts) says so; a short message is one part that is first and
    /// last. [`WebSocket::pause`] holds between two parts, too.
    fn on_message_part(&self, ws: WebSocket, part: MessagePart<'_>) {}
    /// What one read of the socket has brought is delivered, and the socket still has its turn: what is sent now leaves with
    /// what was sent meanwhile, in one write, and costs as little as what is sent from [`Handler::on_message`]. For hosts that
    /// collect messages. Not after events that come another way, as from an [`EventQueue`](crate::EventQueue).
    fn on_read_end(&self, ws: WebSocket) {}
    /// A ping came; its pong is already on its way (RFC 6455 §5.5.2).
    fn on_ping(&self, ws: WebSocket, payload: &[u8]) {}
    /// A pong came (RFC 6455 §5.5.3).
    fn on_pong(&self, ws: WebSocket, payload: &[u8]) {}
    /// What comes next ends the connection: the peer's close frame is here, or a breach of the protocol. Nothing has been
    /// answered yet, so a host that collects messages, instead of answering them from [`Handler::on_message`], can still
    /// have them answered; when this returns, the close frame that answers follows. At most once for each connection,
    /// and not if we have begun to close.
    fn on_ending(&self, ws: WebSocket) {}
    /// What waits to be sent fell to half of the high-water mark, after a send had said
    /// [`Sent::OverMark`](crate::Sent): go on sending. Once per crossing.
    fn on_drain(&self, ws: WebSocket) {}
    /// The connection is lost, or could not be made, and another attempt follows; for clients with
    /// [`ClientOptions::reconnect`](crate::ClientOptions::reconnect). The state is `Connecting` from here on.
    fn on_reconnecting(&self, ws: WebSocket, event: &Reconnecting) {}
    /// Another attempt begins when this returns, with what is in `attempt` then: a fresh token, another server. What is
    /// not valid there ends the handle with that error. Not called before the first attempt of all.
    fn on_attempt(&self, ws: WebSocket, attempt: &mut Attempt) {}
    /// There is a connection again; messages can be sent.
    fn on_reconnected(&self, ws: WebSocket) {}
    /// What has become of a message that was sent with this token
    /// ([`WebSocket::send_with`]): exactly once for each that was accepted, and before `on_close`. Messages with the
    /// same outcome come in the order in which they were sent.
    fn on_sent(&self, ws: WebSocket, token: u64, outcome: SendOutcome) {}
    /// The connection failed, or could not be made; `on_close` follows at once.
    fn on_error(&self, ws: WebSocket, error: &Error) {}
    /// The connection has ended, or was never made: the last event of this handle. Its user data may be freed here.
    fn on_close(&self, ws: WebSocket, event: &CloseEvent) {}
}

/// The events of a server.
#[allow(unused_variables)]
pub trait ServerHandler: Send + Sync {
    /// A client asks for an upgrade. Answer through [`UpgradeRequest::websocket`]'s `accept` or `refuse`, here or
    /// later from any thread; after the handshake timeout the client gets status 503. The default accepts.
    fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
        let accepted = request.websocket().accept(Default::default());
        if let Err(error) = accepted {
            log::debug!("an upgrade that was accepted had ended already: {error}");
        }
    }
    /// The listener is closed and the last of its connections has ended: the last event of this handle.
    fn on_server_closed(&self, server: Server) {}
    /// Nobody else is asked: see [`AcceptAll`].
    #[doc(hidden)]
    fn accepts_all(&self) -> bool {
        false
    }
}

/// Accepts every upgrade with the server's own handler. If there is none, nobody hears those connections: then a server with
/// routes that take upgrades, and without a [`path`](crate::ServerOptions::path), refuses all others, with status 404.
#[derive(Debug, Default, Clone, Copy)]
pub struct AcceptAll;

impl ServerHandler for AcceptAll {
    fn accepts_all(&self) -> bool {
        true
    }
}

/// Of a server whose routes alone take upgrades.
pub(crate) struct RefuseAll;

impl ServerHandler for RefuseAll {
    fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
        let text = format!("there is no WebSocket endpoint at {}", request.path());
        if let Err(error) = request.websocket().refuse(Refusal::new(404, &text)) {
            log::debug!("an upgrade that was refused had ended already: {error}");
        }
    }
}
