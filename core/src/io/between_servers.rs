//! What the applications of a cluster's servers say to each other (`serverSideEmit`).

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::operator::packet;
use super::registry::{self, Registry};
use super::sending::Payload;
use super::{AckResponse, Namespace};
use crate::adapter::{self, Answer, Answered, BroadcastPacket, Reply};
use crate::error::{Error, ErrorCode, Result};
use crate::json;

/// Names that mean something to namespaces themselves.
const RESERVED: [&str; 3] = ["connect", "connection", "new_namespace"];

/// Answers that have become numbers, and these in their order. Who asked doesn't wait for long, and nobody has to give an
/// answer: of more than this the oldest are forgotten.
static OWED: Registry<ServerAck> = Registry::new();
static NUMBERS: Mutex<VecDeque<u64>> = Mutex::new(VecDeque::new());
const MAX_OWED: usize = 10_000;

/// An event from another server's application. What it borrows is there until
/// [`Handler::on_server_side_emit`](super::Handler::on_server_side_emit) returns.
#[derive(Debug)]
pub struct ServerEvent<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// The whole JSON array: the name, then the arguments.
    pub array: &'a str,
    /// The arguments alone, as JSON values with commas between them, without brackets; empty if there are none.
    pub args: &'a str,
    /// The binary values, to which `{"_placeholder":true,"num":N}` in the arguments points. Some adapters have none on
    /// the way: then binary values are `{"type":"Buffer","data":[…]}`.
    pub attachments: &'a [Bytes],
    /// The answer that the other server waits for, if it does.
    pub ack: Option<ServerAck>,
}

/// The answer that another server waits for. It can be given once, on any thread; if it is dropped, the other waits until its
/// time is up.
pub struct ServerAck(Reply<Answer>);

impl ServerAck {
    /// Answers with one JSON value, and the attachments to which its placeholders point.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for what is no JSON.
    pub fn send(self, value: &str, attachments: &[&[u8]]) -> Result<()> {
        json::check(value)
            .map_err(|error| Error::new(ErrorCode::InvalidArgument, format!("an answer: {error}")))?;
        let attachments = attachments.iter().map(|data| Bytes::copy_from_slice(data));
        (self.0)(Answer {
            value: value.to_owned(),
            attachments: attachments.collect(),
        });
        Ok(())
    }

    /// Turns the answer into a number below 2^53, never 0, for hosts that have no objects. Nothing has to be freed.
    pub fn into_raw(self) -> u64 {
        let number = registry::fresh();
        OWED.insert(number, self);
        let oldest = {
            let mut numbers = NUMBERS.lock();
            numbers.push_back(number);
            (numbers.len() > MAX_OWED).then(|| numbers.pop_front()).flatten()
        };
        drop(oldest.and_then(|oldest| OWED.take(oldest)));
        number
    }

    /// Takes the answer back that has become this number.
    ///
    /// # Errors
    /// [`ErrorCode::AlreadyAnswered`] if it was taken before, or was owed for too long; [`ErrorCode::WrongHandle`] if the
    /// number was never a handle.
    pub fn from_raw(raw: u64) -> Result<ServerAck> {
        OWED.take(raw)
            .ok_or_else(|| registry::stale(raw, ErrorCode::AlreadyAnswered))
    }
}

impl fmt::Debug for ServerAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerAck").finish_non_exhaustive()
    }
}

impl Namespace {
    /// Sends an event with these arguments (JSON values with commas between them) to the applications of the cluster's
    /// other servers, in their namespaces of this name:
    /// [`Handler::on_server_side_emit`](super::Handler::on_server_side_emit). Without a cluster it goes nowhere.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a name that means something to namespaces (`connect`, `connection`,
    /// `new_namespace`), and for arguments that are no JSON.
    pub fn server_side_emit(&self, name: &str, args: &str, attachments: &[&[u8]]) -> Result<()> {
        let packet = checked(name, args, attachments)?;
        self.adapter().server_side_emit(&packet, None);
        Ok(())
    }

    /// The same, and waits for one answer of each server. `done` is called as for
    /// [`BroadcastOperator::fetch_sockets`](super::BroadcastOperator::fetch_sockets), with the answers that came in time in
    /// the order of their arrival.
    ///
    /// # Errors
    /// As for [`Namespace::server_side_emit`], and [`ErrorCode::Closed`] if the server is closed; then nothing follows.
    pub fn server_side_emit_with_ack(
        &self,
        name: &str,
        args: &str,
        attachments: &[&[u8]],
        done: impl FnOnce(Result<Answered<Vec<AckResponse>>>) + Send + 'static,
    ) -> Result<()> {
        let packet = checked(name, args, attachments)?;
        let reply = self.at_home(move |answers: Result<_>| done(answers.map(responses)))?;
        self.adapter().server_side_emit(&packet, Some(reply));
        Ok(())
    }

    /// The ids of its sockets in any of these rooms (all, if there is none), on all servers. `done` is called as for
    /// [`BroadcastOperator::fetch_sockets`](super::BroadcastOperator::fetch_sockets).
    ///
    /// # Errors
    /// As there.
    pub fn all_sockets(
        &self,
        rooms: &[&str],
        done: impl FnOnce(Result<Answered<Vec<String>>>) + Send + 'static,
    ) -> Result<()> {
        let rooms: Vec<Arc<str>> = rooms.iter().map(|room| Arc::from(*room)).collect();
        self.adapter().sockets(&rooms, self.at_home(done)?);
        Ok(())
    }

    /// The names of its rooms on all servers, those that sockets have to themselves included. `done` is called as for
    /// [`BroadcastOperator::fetch_sockets`](super::BroadcastOperator::fetch_sockets); with an error if the adapter can't
    /// ask that of other servers.
    ///
    /// # Errors
    /// As there.
    pub fn all_rooms(&self, done: impl FnOnce(Result<Answered<Vec<String>>>) + Send + 'static) -> Result<()> {
        self.adapter().all_rooms(self.at_home(done)?);
        Ok(())
    }

    /// How many servers there are in the cluster that have this namespace, this one included. `done` is called as for
    /// [`BroadcastOperator::fetch_sockets`](super::BroadcastOperator::fetch_sockets).
    ///
    /// # Errors
    /// As there.
    pub fn server_count(&self, done: impl FnOnce(Result<usize>) + Send + 'static) -> Result<()> {
        self.adapter().server_count(self.at_home(done)?);
        Ok(())
    }

    /// A reply that is heard on the thread of the server's loop, exactly once: also if it is dropped, and when the server
    /// closes.
    pub(super) fn at_home<T: Send + 'static>(
        &self,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Result<Reply<std::result::Result<T, adapter::AdapterError>>> {
        let core = self.core().ok_or(ErrorCode::Closed)?;
        let inquiry = core.inquiries.open(done)?;
        Ok(Box::new(move |answer| {
            inquiry.answer(answer.map_err(|error| Error::new(ErrorCode::PeerDead, error.to_string())));
        }))
    }

    /// Another server's application says something; the application hears it on the thread of the server's loop.
    pub(super) fn hear_server(&self, packet: BroadcastPacket, reply: Option<Reply<Answer>>) {
        let Some(core) = self.core() else { return };
        let (home, namespace) = (core.home, self.clone());
        let tell = move || {
            if core.has_taken_leave() {
                return;
            }
            let BroadcastPacket { array, attachments } = &packet;
            let Ok((name, behind)) = json::check_event(array) else {
                return log::debug!("what another server emits is no event");
            };
            let name = name.decode();
            if RESERVED.contains(&&*name) {
                return log::debug!("another server emits {name:?}, which is reserved");
            }
            let event = ServerEvent {
                name,
                array,
                args: json::args_behind(array, behind),
                attachments,
                ack: reply.map(ServerAck),
            };
            core.handler(&namespace).on_server_side_emit(&namespace, event);
        };
        if !home.run(Box::new(tell)) {
            log::warn!("the loop of a Socket.IO server has ended: it hears nothing of other servers");
        }
    }
}

fn checked(name: &str, args: &str, attachments: &[&[u8]]) -> Result<BroadcastPacket> {
    let wrong = |text: String| Err(Error::new(ErrorCode::InvalidArgument, text));
    if RESERVED.contains(&name) {
        return wrong(format!("{name:?} is a reserved event name"));
    }
    if !json::are_valid_args(args) {
        return wrong("an event's arguments are JSON values with commas between them".to_owned());
    }
    Ok(packet(Payload::Event(name, args), attachments))
}

fn responses(answers: Answered<Vec<Answer>>) -> Answered<Vec<AckResponse>> {
    let response = |answer: Answer| AckResponse {
        args: answer.value.into(),
        attachments: answer.attachments,
    };
    Answered {
        value: answers.value.into_iter().map(response).collect(),
        missing: answers.missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_nobody_gives_are_forgotten() {
        let owed = || ServerAck(Box::new(|_| {}));
        let first = owed().into_raw();
        let second = owed().into_raw();
        ServerAck::from_raw(second).unwrap();
        let code = ServerAck::from_raw(second).unwrap_err().code();
        assert_eq!(code, ErrorCode::AlreadyAnswered);
        for _ in 0..MAX_OWED {
            owed().into_raw();
        }
        assert!(ServerAck::from_raw(first).is_err());
        assert!(NUMBERS.lock().len() <= MAX_OWED);
        assert!(owed().send("nonsense", &[]).is_err());
    }
}
