//! Who hears an Engine.IO server and its sessions.

use std::sync::Arc;

use super::{Handshake, Question, Session};
use crate::engineio::server::Reason;
use crate::engineio::{Data, Denial, PacketType};
use crate::http::Request;

/// Hears a server: the layer above. No lock of this one is held meanwhile.
#[allow(unused_variables)]
pub(crate) trait EngineHandler: Send + Sync {
    /// May this client begin a session (or, with `EngineOptions::ask_upgrades`, go over to WebSocket)? Only asked with
    /// `EngineOptions::ask_request`. Answer now or later, on any thread; the
    /// default allows it.
    fn on_request(&self, question: Question) {
        question.allow();
    }

    /// The headers of an answer to a request for a session: of each answer to polling, and of the 101 that opens a
    /// WebSocket. Only called with `EngineOptions::ask_headers`. `initial`: the request begins a session. On the thread that has
    /// the request.
    fn on_headers(&self, initial: bool, request: &Request, headers: &mut Vec<(String, String)>) {}

    /// A session has begun: who hears it? On its home thread, before anything of it is heard. It may be sent to already.
    fn on_session(&self, session: &Arc<Session>) -> Arc<dyn SessionHandler>;

    /// A request was refused.
    fn on_connection_error(&self, error: &ConnectionError) {}

    /// A listener that has the route is closed, and so are its connections.
    fn on_server_closed(&self) {}
}

/// Hears one session: on its home thread, in order, never two at once. A call from in here brings about later what it
/// brings about.
///
/// The home changes at most once, when the session moves to a WebSocket on another loop: between two calls, and everything
/// that the old thread did for the session happens before what the new one does.
#[allow(unused_variables)]
pub(crate) trait SessionHandler: Send + Sync {
    /// A message has come; borrowed until this returns.
    fn on_message(&self, data: Data<'_>);

    /// A packet has come, or (`created`) one is on its way to the client, and may be compressed or not: a message of the application's, or a ping or pong. Only
    /// with [`Engine::set_packet_events`](super::Engine::set_packet_events).
    fn on_packet(&self, created: bool, kind: PacketType, data: Data<'_>, compress: bool) {}

    /// What waits fell to half of the high-water mark, or on polling has left, after a send had said
    /// [`OverMark`](crate::Sent::OverMark).
    fn on_drain(&self) {}

    /// A WebSocket carries the session now.
    fn on_upgrade(&self) {}

    /// The session has ended. Exactly once, last; the handler is dropped after it.
    fn on_close(&self, reason: Reason, detail: &str);
}

/// A request that was refused (the official event `connection_error`).
#[derive(Debug, Clone)]
pub struct ConnectionError {
    /// 0 to 5, as in the protocol.
    pub code: u8,
    /// The official words for the code.
    pub message: &'static str,
    /// Why: names and values, with the official names; a `name` such as `TRANSPORT_MISMATCH` comes first, if there is one.
    pub context: Vec<(&'static str, String)>,
    /// The request.
    pub request: Handshake,
}

impl ConnectionError {
    pub(super) fn new(denial: &Denial, request: Handshake) -> ConnectionError {
        ConnectionError {
            code: denial.code as u8,
            message: denial.code.message(),
            context: denial.context.clone(),
            request,
        }
    }
}

/// How to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SendFlags {
    /// Whether to compress, where compression was agreed on; `None`: by length.
    pub(crate) compress: Option<bool>,
    /// Dropped if it can't leave at once: on polling without a GET that waits, on a WebSocket behind what the system has
    /// not taken yet.
    pub(crate) volatile: bool,
}
