//! A connection's handle, and all that can be done with it from any thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::client::Timings;
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::{self, Call};
use crate::handle::{Id, Kind};
use crate::handler::Handler;
use crate::metrics::ConnectionMetrics;
use crate::server::{Accept, Publication, Refusal};
use crate::tls::TlsInfo;
use crate::topics;
use crate::ws::{MessageType, ReadyState, SharedMessage, handshake};

/// A connection: a number, not a pointer. Copy it freely, keep it as long as you like, use it on any thread.
///
/// Calls on a connection that has ended return [`ErrorCode::Closed`] and touch nothing. On the loop's own thread a
/// call acts at once; from another thread it is queued and the loop is woken. No call blocks, and none calls back.
#[derive(Debug, Clone, Copy)]
pub struct WebSocket {
    id: Id,
    user_data: usize,
}

impl PartialEq for WebSocket {
    fn eq(&self, other: &WebSocket) -> bool {
        self.id == other.id
    }
}
impl Eq for WebSocket {}
impl std::hash::Hash for WebSocket {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// What became of a message that was accepted for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "OverMark asks the sender to wait for on_drain"]
pub enum Sent {
    /// It is on its way, or waits in the outbox.
    Queued,
    /// It was queued too, but more than the high-water mark waits now: wait for `on_drain` before sending more.
    OverMark,
    /// The call was right, but the policy for slow consumers dropped the message
    /// ([`SlowConsumer`](crate::SlowConsumer)).
    Dropped,
}

/// How to send one message. `SendOptions::default()` sends as [`WebSocket::send`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendOptions {
    /// Whether to compress the message where compression was agreed on; `None`: by its length.
    pub compress: Option<bool>,
    /// The message is dropped if it has not begun to leave after so long; a timer drops it, too, so that it frees its
    /// memory and `on_sent` comes. `None` and zero: it waits as long as the connection lives.
    pub deadline: Option<Duration>,
    /// The application's number for the message: [`Handler::on_sent`] brings it back, exactly once.
    pub token: Option<u64>,
}

/// What has become of a message that was sent with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// The system has taken its last byte. Whether the peer gets it is not known.
    Taken,
    /// The policy for slow consumers has dropped it.
    Dropped,
    /// Its deadline has passed before it began to leave.
    Expired,
    /// The connection has ended before all of it had left.
    Failed,
}

/// Sends a message to many connections of servers, encoded once, as far as they are open; on which loops they are is all
/// the same. Those over their hard limit miss it, which their counters and the log say. Connections of the loop that this
/// thread turns have it in their outboxes when this returns; what one thread sends to a connection arrives in that order.
pub fn send_shared_many(ids: &mut dyn Iterator<Item = WebSocket>, message: &Arc<SharedMessage>) {
    event_loop::send_shared_many(&mut ids.map(|ws| ws.id), message);
}

impl WebSocket {
    pub(crate) fn new(id: Id, user_data: usize) -> WebSocket {
        WebSocket { id, user_data }
    }

    pub(crate) fn id(self) -> Id {
        self.id
    }

    /// The connection with this number, as [`WebSocket::raw`] gave it. Its user data reads as 0.
    ///
    /// # Errors
    /// [`ErrorCode::WrongHandle`] if the number was never a connection's.
    pub fn from_raw(raw: u64) -> Result<WebSocket> {
        Id::from_raw(raw, Kind::Connection).map(|id| WebSocket { id, user_data: 0 })
    }

    /// The handle as a number below 2^53, never 0.
    pub fn raw(self) -> u64 {
        self.id.raw()
    }

    /// The application's word for this connection, as it was when the event that brought this value was made:
    /// set by [`ClientOptions`](crate::ClientOptions), [`Accept`] or [`WebSocket::set_handler`].
    pub fn user_data(self) -> usize {
        self.user_data
    }

    /// The application's word for this connection as it is now. Only on the thread that turns the loop; 0 elsewhere,
    /// where it could be freed by `on_close` before it is used.
    pub fn current_user_data(self) -> usize {
        event_loop::user_data(self.id)
    }

    /// Sends a message that others get too: it is encoded, and compressed, once for all of them. For connections of servers.
    ///
    /// # Errors
    /// As for [`WebSocket::send_text`]; on a client's connection, whose frames are masked each for itself,
    /// [`ErrorCode::Internal`] on its loop's thread and nothing but a log line on others.
    pub fn send_shared(self, message: &Arc<SharedMessage>) -> Result<Sent> {
        event_loop::send_shared(self.id, message)
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// [`ErrorCode::NotOpen`] before it is open or once it is closing, [`ErrorCode::OutboxFull`] over the hard limit,
    /// if that is the policy ([`SlowConsumer`](crate::SlowConsumer)).
    pub fn send_text(self, text: &str) -> Result<Sent> {
        event_loop::send(self.id, MessageType::Text, text.as_bytes())
    }

    /// Sends a binary message. Errors as for [`WebSocket::send_text`].
    pub fn send_binary(self, data: &[u8]) -> Result<Sent> {
        event_loop::send(self.id, MessageType::Binary, data)
    }

    /// Sends a message of either type. Errors as for [`WebSocket::send_text`], and [`ErrorCode::InvalidUtf8`] for a
    /// text that isn't UTF-8 (RFC 6455 §5.6).
    pub fn send(self, kind: MessageType, data: &[u8]) -> Result<Sent> {
        if kind == MessageType::Text && simdutf8::basic::from_utf8(data).is_err() {
            return Err(ErrorCode::InvalidUtf8.into());
        }
        event_loop::send(self.id, kind, data)
    }

    /// Sends a message that the caller has checked to be UTF-8 where it is text, for instance because it comes from
    /// [`Message::as_bytes`](crate::Message::as_bytes) or a language's own string.
    pub fn send_checked(self, kind: MessageType, data: &[u8]) -> Result<Sent> {
        debug_assert!(kind == MessageType::Binary || std::str::from_utf8(data).is_ok());
        event_loop::send(self.id, kind, data)
    }

    /// Sends a message with options: a token, to hear in [`Handler::on_sent`] what becomes of it, and a deadline. An
    /// accepted message with a token, one that says [`Sent::Dropped`] included, gets its `on_sent`, exactly once and
    /// before `on_close`; never inside this call. Errors as for [`WebSocket::send`]; then no `on_sent` follows.
    pub fn send_with(self, kind: MessageType, data: &[u8], options: &SendOptions) -> Result<Sent> {
        if kind == MessageType::Text && simdutf8::basic::from_utf8(data).is_err() {
            return Err(ErrorCode::InvalidUtf8.into());
        }
        event_loop::send_with(self.id, kind, data, options)
    }

    /// Sends a part of a message whose length need not be known: the first part begins it and says by `kind` what it is,
    /// the one with `fin` ends it, and may be empty. The peer can read each part when it comes; to the peer's application
    /// it is one message, unless that reads in parts too. A text is cut between characters. Where compression was agreed
    /// on, the message is compressed.
    ///
    /// Until the last part is sent, pings, pongs and closing go between the parts; broadcasts and publications wait for
    /// the end; other messages are errors. One thread at a time sends the parts.
    ///
    /// # Errors
    /// As for [`WebSocket::send`], and [`ErrorCode::OutboxFull`] whatever the policy for slow consumers is, for a message
    /// can't lack a part: send the same part again after `on_drain`. While a message is unfinished, the other ways to
    /// send fail with [`ErrorCode::MessageUnfinished`].
    pub fn send_part(self, kind: MessageType, data: &[u8], fin: bool) -> Result<Sent> {
        event_loop::send_part(self.id, kind, data, fin)
    }

    /// Sends a ping of at most 125 bytes (RFC 6455 §5.5.2); `on_pong` follows when the peer answers.
    pub fn ping(self, payload: &[u8]) -> Result<()> {
        control_payload(payload)?;
        event_loop::call(self.id, Call::Ping(payload.into()))
    }

    /// Sends an unasked-for pong of at most 125 bytes (RFC 6455 §5.5.3). Pings are answered without it.
    pub fn pong(self, payload: &[u8]) -> Result<()> {
        control_payload(payload)?;
        event_loop::call(self.id, Call::Pong(payload.into()))
    }

    /// Starts the closing handshake (RFC 6455 §7.1.2); while connecting, gives the attempt up. Doing it again is
    /// harmless.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidCloseCode`] for codes that may not be sent, [`ErrorCode::ControlTooLong`] for a reason
    /// over 123 bytes, [`ErrorCode::InvalidArgument`] for a reason without a code.
    pub fn close(self, code: Option<u16>, reason: &str) -> Result<()> {
        crate::server::check_close(code, reason)?;
        event_loop::call(self.id, Call::Close(code, reason.into()))
    }

    /// Cuts the connection without a closing handshake; `on_close` follows with 1006.
    pub fn terminate(self) -> Result<()> {
        event_loop::call(self.id, Call::Terminate)
    }

    /// Stops reading from the socket until [`WebSocket::resume`]. Pings still go out; the dead-peer timer stands still.
    pub fn pause(self) -> Result<()> {
        event_loop::call(self.id, Call::Pause)
    }

    /// Reads on after [`WebSocket::pause`].
    pub fn resume(self) -> Result<()> {
        event_loop::call(self.id, Call::Resume)
    }

    /// Gives the connection another handler and user data. Events that waited for a handler come now.
    pub fn set_handler(self, handler: Arc<dyn Handler>, user_data: usize) -> Result<()> {
        event_loop::call(self.id, Call::SetHandler(handler, user_data))
    }

    /// Accepts an upgrade request: answers 101 and opens the connection (RFC 6455 §4.2.2).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a header or subprotocol that can't be sent,
    /// [`ErrorCode::AlreadyAnswered`] if it was answered before. From another thread the answer is queued, and these
    /// are found later: then a handler that `accept` names hears `on_error` and `on_close`, and nothing else.
    pub fn accept(self, accept: Accept) -> Result<()> {
        accept.check()?;
        event_loop::call(self.id, Call::Accept(Box::new(accept)))
    }

    /// Refuses an upgrade request with an HTTP status, headers and a body. Errors as for [`WebSocket::accept`].
    pub fn refuse(self, refusal: Refusal) -> Result<()> {
        refusal.check()?;
        event_loop::call(self.id, Call::Refuse(Box::new(refusal)))
    }

    /// Subscribes a server's connection to all topics of its server that match the filter, until it ends or
    /// [`WebSocket::unsubscribe`] is given the same filter. Twice is the same as once. It may be done from the upgrade
    /// hook on; what is published before the connection is open passes it by.
    ///
    /// Topics and filters are those of MQTT 3.1.1 §4.7: levels with `/` between them; in a filter `+` stands for one
    /// level and `#`, at the end, for any number of them.
    ///
    /// # Errors
    /// [`ErrorCode::Topic`] for a filter that isn't one, [`ErrorCode::InvalidArgument`] on a client's connection.
    pub fn subscribe(self, filter: &str) -> Result<()> {
        topics::check_filter(filter)?;
        event_loop::call(self.id, Call::Subscribe(filter.into()))
    }

    /// Takes one [`WebSocket::subscribe`] back; without effect if there was none. Errors as there.
    pub fn unsubscribe(self, filter: &str) -> Result<()> {
        topics::check_filter(filter)?;
        event_loop::call(self.id, Call::Unsubscribe(filter.into()))
    }

    /// Publishes a message to all subscribers of a topic at this connection's server; `include_self`: to this
    /// connection too, if it is one of them. Otherwise as [`Server::publish`](crate::Server::publish), but from another
    /// thread it takes the way through this connection's loop, so that what is sent later can come earlier.
    ///
    /// # Errors
    /// [`ErrorCode::Topic`] for a topic that isn't one, [`ErrorCode::InvalidUtf8`] for a text that isn't UTF-8,
    /// [`ErrorCode::InvalidArgument`] on a client's connection.
    pub fn publish(self, topic: &str, kind: MessageType, data: &[u8], include_self: bool) -> Result<()> {
        let except = (!include_self).then_some(self.id);
        let publication = Publication::new(topic, kind, data, except)?;
        event_loop::call(self.id, Call::Publish(Box::new(publication)))
    }

    /// The connection's state; closed for a handle whose connection has ended.
    pub fn ready_state(self) -> ReadyState {
        event_loop::ready_state(self.id)
    }

    /// The bytes that were accepted for sending and not yet taken by the system, framing included.
    pub fn buffered_amount(self) -> u64 {
        event_loop::buffered_amount(self.id)
    }

    /// The subprotocol in use; empty if none was agreed on, or before it is open.
    pub fn protocol(self) -> String {
        event_loop::info(self.id)
            .map(|info| info.protocol.to_string())
            .unwrap_or_default()
    }

    /// The extensions in use, as in the response's header; empty if none.
    pub fn extensions(self) -> String {
        event_loop::info(self.id)
            .map(|info| info.extensions.to_string())
            .unwrap_or_default()
    }

    /// The URL that was connected to; on a server, the request's target (path and query).
    pub fn url(self) -> String {
        event_loop::info(self.id)
            .map(|info| info.url.to_string())
            .unwrap_or_default()
    }

    /// What was agreed on in the TLS handshake; `None` for a connection without TLS, and before it is done.
    pub fn tls(self) -> Option<TlsInfo> {
        event_loop::tls_info(self.id)
    }

    /// The peer's address; `None` for Unix sockets and before there is a connection.
    pub fn remote_address(self) -> Option<SocketAddr> {
        event_loop::addresses(self.id).and_then(|addresses| addresses.remote)
    }

    /// This side's address; `None` as for [`WebSocket::remote_address`].
    pub fn local_address(self) -> Option<SocketAddr> {
        event_loop::addresses(self.id).and_then(|addresses| addresses.local)
    }

    /// How long each step to the open connection took, of the latest one that succeeded; readable from `on_open` on.
    /// Empty on a server's connection.
    pub fn timings(self) -> Timings {
        event_loop::info(self.id)
            .and_then(|info| Some(info.answered.as_ref()?.timings))
            .unwrap_or_default()
    }

    /// The header fields of the request as it was sent, with [`ClientOptions::keep_request`](crate::ClientOptions::keep_request),
    /// the latest one if there were several; empty without that, before it was sent, and on a server's connection.
    pub fn request_headers(self) -> Vec<(String, Vec<u8>)> {
        event_loop::info(self.id)
            .and_then(|info| Some(handshake::fields_of(&info.answered.as_ref()?.request)))
            .unwrap_or_default()
    }

    /// The header fields of the server's 101 response, names in lower case; empty on a server's connection, and
    /// before it is open.
    pub fn response_headers(self) -> Vec<(String, Vec<u8>)> {
        event_loop::info(self.id)
            .and_then(|info| Some(info.answered.as_ref()?.headers.clone()))
            .unwrap_or_default()
    }

    /// What was counted of this connection; `None` for a handle of which nothing is left. In `on_close` the last counts
    /// can still be read.
    /// Any thread; each count is exact, if not all of the same moment.
    pub fn metrics(self) -> Option<ConnectionMetrics> {
        event_loop::metrics(self.id)
    }

    /// The round trip of the last answered ping, in milliseconds.
    pub fn latency(self) -> Option<u64> {
        event_loop::latency(self.id).map(|latency| latency.as_millis() as u64)
    }

    /// The same in microseconds.
    pub fn latency_micros(self) -> Option<u64> {
        event_loop::latency(self.id).map(|latency| latency.as_micros() as u64)
    }
}

/// RFC 6455 §5.5: control frames hold at most 125 bytes.
fn control_payload(payload: &[u8]) -> Result<()> {
    match payload.len() {
        0..=125 => Ok(()),
        length => Err(Error::new(
            ErrorCode::ControlTooLong,
            format!("a ping or pong holds at most 125 bytes, not {length}"),
        )),
    }
}
