//! Questions that the application answers now or later: once each, on any thread.

use std::fmt;
use std::sync::Weak;

use super::connecting::{Denial, Verdict};
use super::connection::Connection;
use super::registry::{self, Registry};
use super::{Handshake, Namespace, Socket, engine};
use crate::error::{ErrorCode, Result};
use crate::route::HttpAnswer;

static REQUESTS: Registry<RequestQuestion> = Registry::new();
static NAMESPACES: Registry<NamespaceQuestion> = Registry::new();
static CONNECTS: Registry<ConnectQuestion> = Registry::new();

/// The client of a question has gone, or it was answered: nobody can answer by its number any more.
pub(super) fn forget(number: u64) {
    // Dropped without a lock: dropping answers.
    drop(NAMESPACES.take(number));
    drop(CONNECTS.take(number));
}

/// Whether a client may begin a session (`allowRequest`), or go over to WebSocket
/// ([`ServerOptions::ask_upgrades`](super::ServerOptions::ask_upgrades)). Dropped without an answer, it is denied.
pub struct RequestQuestion {
    question: engine::Question,
}

impl RequestQuestion {
    pub(super) fn new(question: engine::Question) -> RequestQuestion {
        RequestQuestion { question }
    }

    /// The request.
    pub fn request(&self) -> &Handshake {
        self.question.request()
    }

    /// Whether the session has begun, and is to go over to WebSocket.
    pub fn is_upgrade(&self) -> bool {
        self.question.is_upgrade()
    }

    /// Begins the session, or lets it go over.
    pub fn allow(self) {
        self.question.allow();
    }

    /// Begins the session under this id (`generateId`): 1 to 255 visible ASCII characters other than `"` and `\`, which no other
    /// session has and nobody can guess. The request is refused with code 3 for another one, with the context
    /// `ID_GENERATION_ERROR`. A client that goes over to WebSocket keeps it. With
    /// [`forward_requests`](super::ServerOptions::forward_requests) none can be used, for ids say whose sessions they are.
    pub fn allow_as(self, id: &str) {
        self.question.allow_as(id);
    }

    /// Refuses: status 403, code 4, with this message or "Forbidden".
    pub fn deny(self, message: Option<&str>) {
        self.question.deny(message);
    }

    /// Refuses: status 400, code 3, "Bad request", with this name in the context, such as `MIDDLEWARE_FAILURE`.
    pub fn deny_bad_request(self, name: &str) {
        self.question.deny_bad_request(name);
    }

    /// Answers in place of the engine, as a middleware that shows a page of its own: nothing begins, and nothing is reported. CORS'
    /// headers are added. A WebSocket is refused with this answer, if its status is one of a refusal, and else with 400.
    pub fn respond(self, answer: HttpAnswer) {
        self.question.respond(answer);
    }

    /// Turns the question into a number below 2^53, never 0, for hosts that have no objects. It has to be answered, else it is
    /// kept for ever. [`Handler::on_headers`](super::Handler::on_headers) sees it as the note of the request, if that has none.
    pub fn into_raw(mut self) -> u64 {
        let number = registry::fresh();
        self.question.set_note(number);
        REQUESTS.insert(number, self);
        number
    }

    /// Takes the question back that has become this number.
    ///
    /// # Errors
    /// [`ErrorCode::AlreadyAnswered`] if it was taken before; [`ErrorCode::WrongHandle`] if the number was never a handle.
    pub fn from_raw(raw: u64) -> Result<RequestQuestion> {
        REQUESTS
            .take(raw)
            .ok_or_else(|| registry::stale(raw, ErrorCode::AlreadyAnswered))
    }
}

impl fmt::Debug for RequestQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestQuestion").finish_non_exhaustive()
    }
}

/// The answer to one of a connection's questions.
struct Answer {
    connection: Weak<Connection>,
    number: u64,
    is_given: bool,
}

impl Answer {
    fn give(&mut self, verdict: Verdict) {
        if !std::mem::replace(&mut self.is_given, true)
            && let Some(connection) = self.connection.upgrade()
        {
            connection.settle(self.number, verdict);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.give(denial("Not answered", None));
    }
}

fn denial(message: &str, data: Option<&str>) -> Verdict {
    Verdict::Deny(Box::new(Denial {
        message: message.into(),
        data: data.map(Into::into),
    }))
}

/// Whether a namespace is to be made for a client that asks for it. Dropped without an answer, it is denied.
pub struct NamespaceQuestion {
    answer: Answer,
    name: Box<str>,
    auth: Option<Box<str>>,
    request: Handshake,
}

impl NamespaceQuestion {
    pub(super) fn new(
        connection: Weak<Connection>,
        number: u64,
        name: &str,
        auth: Option<&str>,
        request: Handshake,
    ) -> NamespaceQuestion {
        NamespaceQuestion {
            answer: Answer {
                connection,
                number,
                is_given: false,
            },
            name: name.into(),
            auth: auth.map(Into::into),
            request,
        }
    }

    /// The namespace's name; it begins with "/".
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the client sent to identify itself: a JSON object, `{}` if it sent nothing.
    pub fn auth(&self) -> &str {
        self.auth.as_deref().unwrap_or("{}")
    }

    /// The request that began the client's session.
    pub fn request(&self) -> &Handshake {
        &self.request
    }

    /// Makes the namespace, if it isn't there meanwhile, and goes on connecting the client to it.
    /// With [`ServerOptions::cleanup_empty_child_namespaces`](super::ServerOptions::cleanup_empty_child_namespaces) it goes
    /// again when its last socket has left.
    pub fn allow(mut self) {
        self.answer.give(Verdict::Allow);
    }

    /// Tells the client "Invalid namespace".
    pub fn deny(self) {}

    /// Turns the question into a number below 2^53, never 0, for hosts that have no objects. The number ends when it is
    /// answered, and when the client goes; nothing has to be freed.
    pub fn into_raw(self) -> u64 {
        let number = self.answer.number;
        let connection = self.answer.connection.clone();
        NAMESPACES.insert(number, self);
        unless_asked(&connection, number);
        number
    }

    /// Takes the question back that has become this number.
    ///
    /// # Errors
    /// [`ErrorCode::AlreadyAnswered`] if it was taken before, or the client has gone; [`ErrorCode::WrongHandle`] if the number
    /// was never a handle.
    pub fn from_raw(raw: u64) -> Result<NamespaceQuestion> {
        NAMESPACES
            .take(raw)
            .ok_or_else(|| registry::stale(raw, ErrorCode::AlreadyAnswered))
    }
}

impl fmt::Debug for NamespaceQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamespaceQuestion")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Whether a client may be connected to a namespace (`use`). Dropped without an answer, it is denied with the message
/// "Not answered".
///
/// Meanwhile the client can't do anything in that namespace: as in the official server, an event that comes before the
/// answer is a breach of the protocol and closes its connection.
pub struct ConnectQuestion {
    answer: Answer,
    socket: Socket,
}

impl ConnectQuestion {
    pub(super) fn new(connection: Weak<Connection>, number: u64, socket: Socket) -> ConnectQuestion {
        ConnectQuestion {
            answer: Answer {
                connection,
                number,
                is_given: false,
            },
            socket,
        }
    }

    /// The socket that is to be connected. It may be given user data and [`Socket::set_data_json`] already, and join rooms;
    /// emitting fails with [`ErrorCode::NotOpen`] until it is connected.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The namespace that it is to be connected to.
    pub fn namespace(&self) -> &Namespace {
        self.socket.namespace()
    }

    /// Connects it: the client is told, then `on_connection` comes.
    pub fn allow(mut self) {
        self.answer.give(Verdict::Allow);
    }

    /// Refuses: the client hears `connect_error` with this message, and with `data`, a JSON value, if there is some. Its
    /// other namespaces go on.
    pub fn deny(mut self, message: &str, data: Option<&str>) {
        self.answer.give(denial(message, data));
    }

    /// As [`NamespaceQuestion::into_raw`].
    pub fn into_raw(self) -> u64 {
        let number = self.answer.number;
        let connection = self.answer.connection.clone();
        CONNECTS.insert(number, self);
        unless_asked(&connection, number);
        number
    }

    /// As [`NamespaceQuestion::from_raw`].
    ///
    /// # Errors
    /// As there.
    pub fn from_raw(raw: u64) -> Result<ConnectQuestion> {
        CONNECTS
            .take(raw)
            .ok_or_else(|| registry::stale(raw, ErrorCode::AlreadyAnswered))
    }
}

impl fmt::Debug for ConnectQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectQuestion")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// The client may have gone before the number was there to be forgotten.
fn unless_asked(connection: &Weak<Connection>, number: u64) {
    let is_asked = connection
        .upgrade()
        .is_some_and(|connection| connection.asks(number));
    if !is_asked {
        forget(number);
    }
}
