//! WebSockets that another server has: how its frames become a session's packets, and packets its frames.

use std::fmt;
use std::sync::Arc;

use super::Data;
use super::engine::Foreign;
use crate::server::Refusal;
use crate::ws::MessageType;

/// The way out to a WebSocket that another server has ([`Server::foreign_websocket`](super::Server::foreign_websocket)).
///
/// It is called by any thread, and while locks of the library's are held: so it only notes what there is to do, calls nothing
/// of the library and waits for nothing. First it is accepted or refused, once; what is sent follows in order; closing is
/// last. Of one that [`ForeignWebSocket::closed`] was said of it hears nothing more, but for a call on its way.
pub trait ForeignOutlet: Send + Sync {
    /// The client gets its WebSocket, with these header fields in the answer.
    fn accept(&self, headers: Vec<(String, String)>);

    /// The client gets no WebSocket, but this answer.
    fn refuse(&self, refusal: Refusal);

    /// A message for the client; text is UTF-8.
    fn send(&self, kind: MessageType, data: &[u8]);

    /// The WebSocket is to be closed, behind what was sent before, with a code (RFC 6455 §7.4) or none.
    fn close(&self, code: Option<u16>);

    /// How many bytes it was given and has not handed on; when that falls, [`ForeignWebSocket::drained`] is to be called.
    fn buffered_amount(&self) -> u64;

    /// Whether the client takes less than it is sent: volatile events are dropped then. Default: while anything waits.
    fn is_behind(&self) -> bool {
        self.buffered_amount() > 0
    }
}

/// The way in from a WebSocket that another server has. Its events are heard on the thread of its session's loop: at once where
/// that is this thread, which may then call handlers before it returns, else later. One thread at a time uses it, and
/// never from inside a handler or its own [`ForeignOutlet`]. Dropped, it has gone.
#[must_use = "dropped, the WebSocket counts as closed"]
pub struct ForeignWebSocket(Arc<Foreign>);

impl ForeignWebSocket {
    pub(super) fn new(foreign: Arc<Foreign>) -> ForeignWebSocket {
        ForeignWebSocket(foreign)
    }

    /// The client has sent a message. What comes before the WebSocket was accepted is dropped. One that is longer than
    /// [`ServerOptions::max_http_buffer_size`](super::ServerOptions::max_http_buffer_size) closes it with code 1009.
    pub fn received(&self, message: Data<'_>) {
        self.0.received(message);
    }

    /// What waited in the outlet has become less.
    pub fn drained(&self) {
        self.0.drained();
    }

    /// The WebSocket has gone, for whatever reason; also if the outlet has refused or closed it. Its session ends.
    pub fn closed(&self) {
        self.0.closed();
    }
}

impl Drop for ForeignWebSocket {
    fn drop(&mut self) {
        self.0.closed();
    }
}

impl fmt::Debug for ForeignWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignWebSocket").finish_non_exhaustive()
    }
}
