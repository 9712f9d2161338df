//! What the application hears.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;

use super::{AuthQuestion, ClientAck, ClientReason, ClientSocket, Manager};
use crate::error::Error;
use crate::io::{AckResult, EnginePacket};

/// The events of a socket, which is one namespace of a connection. All methods have an empty default.
///
/// They are called by the thread that turns the manager's loop, one after the other. A handler may call anything on any
/// handle; nothing calls back into a handler before the present one has returned.
#[allow(unused_variables)]
pub trait ClientHandler: Send + Sync {
    /// The socket is about to connect, and its options say [`Auth::Ask`](super::Auth::Ask): with what payload? It may be
    /// answered here or later, by any thread; the socket waits. The default sends none.
    fn on_auth(&self, socket: &ClientSocket, question: AuthQuestion) {}
    /// The server has taken the socket in. [`ClientSocket::recovered`] says whether it has kept its session. Events that
    /// waited are on their way; those that a recovered session has missed came before this.
    fn on_connect(&self, socket: &ClientSocket) {}
    /// The server has refused the socket, or could not be reached. Whether it will be tried again says
    /// [`ClientSocket::active`].
    fn on_connect_error(&self, socket: &ClientSocket, error: ConnectError<'_>) {}
    /// An event came.
    fn on_event(&self, socket: &ClientSocket, event: ClientEvent<'_>) {}
    /// What has become of an event that was sent with this token: exactly once for each that was accepted.
    fn on_ack(&self, socket: &ClientSocket, token: u64, result: AckResult<'_>) {}
    /// The socket is connected no longer, or the connection has ended before the server had taken it in. Whether it will
    /// come back says [`ClientSocket::active`]. `detail` says more of the reason, for people; it may be empty.
    /// Acknowledgements that will not come any more are settled after this.
    fn on_disconnect(&self, socket: &ClientSocket, reason: ClientReason, detail: &str) {}
}

/// The events of a manager, which is one connection for several sockets, made again and again. All methods have an empty
/// default; threads as for [`ClientHandler`].
#[allow(unused_variables)]
pub trait ManagerHandler: Send + Sync {
    /// There is a connection; the sockets connect to their namespaces over it.
    fn on_open(&self, manager: &Manager) {}
    /// A connection could not be made, or failed.
    fn on_error(&self, manager: &Manager, error: &Error) {}
    /// The connection has ended, or was given up.
    fn on_close(&self, manager: &Manager, reason: ClientReason, detail: &str) {}
    /// A ping of the server's came, and was answered.
    fn on_ping(&self, manager: &Manager) {}
    /// A packet of the connection came, or is on its way out: a message, a ping or a pong. For watching; only with
    /// [`Manager::set_packet_events`].
    fn on_packet(&self, manager: &Manager, packet: &EnginePacket<'_>) {}
    /// It has gone over to WebSocket.
    fn on_upgrade(&self, manager: &Manager) {}
    /// It could not go over to WebSocket and stays on polling.
    fn on_upgrade_error(&self, manager: &Manager, error: &Error) {}
    /// The next attempt begins in `delay`; the attempts are numbered from 1.
    fn on_reconnect_scheduled(&self, manager: &Manager, attempt: u32, delay: Duration) {}
    /// Another attempt to connect begins.
    fn on_reconnect_attempt(&self, manager: &Manager, attempt: u32) {}
    /// It has succeeded, this many attempts after the loss.
    fn on_reconnect(&self, manager: &Manager, attempt: u32) {}
    /// It has failed.
    fn on_reconnect_error(&self, manager: &Manager, error: &Error) {}
    /// It was the last one that the options allow.
    fn on_reconnect_failed(&self, manager: &Manager) {}
    /// What waits to be sent fell to half of the high-water mark, after an emit had said
    /// [`Sent::OverMark`](crate::Sent::OverMark).
    fn on_drain(&self, manager: &Manager) {}
}

/// An event, borrowed until the callback returns.
#[derive(Debug)]
pub struct ClientEvent<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// The whole event as a JSON array: the name and the arguments. Where there is an attachment, it has
    /// `{"_placeholder":true,"num":0}` with the attachment's number.
    pub array: &'a str,
    /// The arguments only: JSON values with commas between them, or nothing.
    pub args: &'a str,
    /// The binary values.
    pub attachments: &'a [Bytes],
    /// The answer that the server asks for. Dropped unanswered, it is never sent.
    pub ack: Option<ClientAck>,
}

/// Why a socket could not connect; borrowed until the callback returns.
#[derive(Debug, Clone, Copy)]
pub struct ConnectError<'a> {
    /// What the server said (`message`), or what went wrong on the way to it.
    pub message: &'a str,
    /// The server's further data as JSON, if there is any.
    pub data: Option<&'a str>,
    /// What went wrong on the way; `None` if the server has refused.
    pub error: Option<&'a Error>,
}
