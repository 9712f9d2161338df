//! Answers that are owed: to the server's events, and to the question what a socket says of itself.

use std::fmt;
use std::sync::LazyLock;

use super::ClientSocket;
use crate::error::{Error, ErrorCode, Result};
use crate::io::registry::{self, Registry};
use crate::json::{Token, Tokens, are_valid_args};
use crate::socketio::client::{AckId, State};
use crate::socketio::{Outgoing, ack_array};
use crate::websocket::Sent;

/// Answers and questions that have become numbers; the manager takes them back when their connection ends.
static OWED: LazyLock<Registry<Owed>> = LazyLock::new(Registry::new);

enum Owed {
    Ack(ClientAck),
    Question(AuthQuestion),
}

/// The connection has ended over which this could be answered.
pub(super) fn forget(number: u64) {
    if let Some(Owed::Question(mut question)) = OWED.take(number) {
        question.is_answered = true;
    }
}

/// The answer that the server asks for with an event: to be sent once, by any thread. Dropped, nothing is sent.
pub struct ClientAck {
    socket: ClientSocket,
    id: AckId,
}

impl fmt::Debug for ClientAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAck").field("id", &self.id.id).finish()
    }
}

impl ClientAck {
    pub(super) fn new(socket: ClientSocket, id: AckId) -> ClientAck {
        ClientAck { socket, id }
    }

    /// The socket whose event is answered.
    pub fn socket(&self) -> &ClientSocket {
        &self.socket
    }

    /// Sends the answer; arguments as for [`ClientSocket::emit`].
    ///
    /// # Errors
    /// `InvalidArgument` for what is not JSON, `Closed` if the connection over which the event came has ended, `OutboxFull`
    /// over the hard limit.
    pub fn send(self, args: &str, attachments: &[&[u8]]) -> Result<Sent> {
        check_args(args)?;
        let ClientSocket { core, inner } = &self.socket;
        core.call_sending(|state, _| {
            if state.machine.state() != State::Open || state.machine.connection() != self.id.connection {
                return Err(ErrorCode::Closed.into());
            }
            core.check_room(state)?;
            let mut array = String::new();
            ack_array(args, &mut array);
            let packet = Outgoing::ack(&inner.namespace, self.id.id, &array).with_attachments(attachments);
            core.send(state, &packet, None)
        })
    }

    /// A number to keep instead of this, below 2^53 and never given out again. It is forgotten when the connection ends.
    pub fn into_raw(self) -> u64 {
        let core = self.socket.core.clone();
        let number = registry::fresh();
        core.look(|state| {
            if state.machine.state() == State::Open && state.machine.connection() == self.id.connection {
                state.numbers.insert(number);
                OWED.insert(number, Owed::Ack(self));
            }
        });
        number
    }

    /// The answer with this number.
    ///
    /// # Errors
    /// `AlreadyAnswered` if it was taken before, or its connection has ended; `WrongHandle` if there never was one.
    pub fn from_raw(raw: u64) -> Result<ClientAck> {
        match take(raw) {
            Some(Owed::Ack(ack)) => {
                ack.socket.core.look(|state| state.numbers.remove(&raw));
                Ok(ack)
            }
            other => Err(not_it(raw, other)),
        }
    }
}

/// What a socket that is about to connect says of itself: to be answered once, by any thread. Dropped unanswered, no
/// payload is sent.
pub struct AuthQuestion {
    socket: ClientSocket,
    number: u64,
    is_answered: bool,
}

impl fmt::Debug for AuthQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthQuestion").finish_non_exhaustive()
    }
}

impl AuthQuestion {
    pub(super) fn new(socket: ClientSocket, number: u64) -> AuthQuestion {
        AuthQuestion {
            socket,
            number,
            is_answered: false,
        }
    }

    /// The socket that asks.
    pub fn socket(&self) -> &ClientSocket {
        &self.socket
    }

    /// Answers with a JSON object; the empty text for no payload. Too late, it is without effect.
    ///
    /// # Errors
    /// `InvalidArgument` if it is not a JSON object; no payload is sent then.
    pub fn answer(mut self, json: &str) -> Result<()> {
        if json.is_empty() {
            return Ok(()); // by dropping it
        }
        check_object(json)?;
        self.is_answered = true;
        self.give(Some(json));
        Ok(())
    }

    fn give(&self, payload: Option<&str>) {
        let (key, number) = (self.socket.inner.key, self.number);
        self.socket
            .core
            .call(|state, _| state.machine.authenticate(key, number, payload));
    }

    /// A number to keep instead of this, below 2^53 and never given out again. It is forgotten when the connection ends.
    pub fn into_raw(self) -> u64 {
        let core = self.socket.core.clone();
        let number = registry::fresh();
        core.look(|state| {
            state.numbers.insert(number);
            OWED.insert(number, Owed::Question(self));
        });
        number
    }

    /// The question with this number.
    ///
    /// # Errors
    /// `AlreadyAnswered` if it was taken before, or its connection has ended; `WrongHandle` if there never was one.
    pub fn from_raw(raw: u64) -> Result<AuthQuestion> {
        match take(raw) {
            Some(Owed::Question(question)) => {
                question.socket.core.look(|state| state.numbers.remove(&raw));
                Ok(question)
            }
            other => Err(not_it(raw, other)),
        }
    }
}

impl Drop for AuthQuestion {
    fn drop(&mut self) {
        if !std::mem::replace(&mut self.is_answered, true) {
            self.give(None);
        }
    }
}

fn take(raw: u64) -> Option<Owed> {
    OWED.take(raw)
}

/// A number of the other kind stays what it is.
fn not_it(raw: u64, other: Option<Owed>) -> Error {
    match other {
        Some(owed) => {
            OWED.insert(raw, owed);
            Error::new(ErrorCode::WrongHandle, format!("{raw} is of another kind"))
        }
        None => registry::stale(raw, ErrorCode::AlreadyAnswered),
    }
}

/// So that arguments can't break out of the array that they are put in.
pub(super) fn check_args(args: &str) -> Result<()> {
    if are_valid_args(args) {
        return Ok(());
    }
    let text = "the arguments are not JSON values with commas between them";
    Err(Error::new(ErrorCode::InvalidArgument, text))
}

pub(super) fn check_object(json: &str) -> Result<()> {
    let mut tokens = Tokens::new(json);
    let begins = tokens.next();
    if begins == Ok(Some(Token::ObjectStart)) && tokens.finish().is_ok() {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::InvalidArgument,
        "auth is not a JSON object",
    ))
}
