//! Answers to events, in both directions.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::Socket;
use super::counters::Counted;
use super::engine::SendFlags;
use super::registry::{self, Registry};
use super::sending::Payload;
use super::socket::SocketInner;
use crate::error::{ErrorCode, Result};
use crate::socketio::PacketType;
use crate::websocket::Sent;

/// Answers that have become numbers. Their sockets know the numbers, and take them back when they go.
static OWED: Registry<Owed> = Registry::new();

struct Owed {
    socket: Weak<SocketInner>,
    id: u64,
}

/// A socket has gone, and with it whoever waits for these.
pub(super) fn forget(numbers: &[u64]) {
    for number in numbers {
        OWED.take(*number);
    }
}

/// The answer that a client waits for. It can be given once, on any thread; dropped, it is never given, which the protocol
/// allows.
#[derive(Debug)]
pub struct Ack {
    pub(super) socket: Socket,
    pub(super) id: u64,
}

impl Ack {
    /// Answers with these arguments (JSON values with commas between them) and the attachments to which they point.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`] if the socket is no longer connected, [`ErrorCode::OutboxFull`] over the hard limit, if that is
    /// the policy; with parsers other than JSON's, [`ErrorCode::InvalidArgument`] for what can't be encoded.
    pub fn send(self, args: &str, attachments: &[&[u8]]) -> Result<Sent> {
        self.socket.check_connected()?;
        let (payload, flags) = (Payload::Args(args), SendFlags::default());
        let sent = self
            .socket
            .send(PacketType::Ack, Some(self.id), payload, attachments, flags)?;
        self.socket
            .namespace()
            .common()
            .count_sent(sent, Counted::AcksOut);
        Ok(sent)
    }

    /// The socket that is answered.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Turns the answer into a number below 2^53, never 0, for hosts that have no objects. The number ends when it is
    /// answered, and when the socket is disconnected; nothing has to be freed.
    pub fn into_raw(self) -> u64 {
        let number = registry::fresh();
        self.become_number(number);
        number
    }

    pub(super) fn become_number(self, number: u64) {
        self.socket.with_more(|more| {
            if !self.socket.is_gone() {
                let socket = Arc::downgrade(&self.socket.0);
                OWED.insert(number, Owed { socket, id: self.id });
                more.get_or_insert_default().owed.push(number);
            }
        });
    }

    /// Takes the answer back that has become this number.
    ///
    /// # Errors
    /// [`ErrorCode::AlreadyAnswered`] if it was taken before, or its socket has gone; [`ErrorCode::WrongHandle`] if the number
    /// was never a handle.
    pub fn from_raw(raw: u64) -> Result<Ack> {
        let stale = || registry::stale(raw, ErrorCode::AlreadyAnswered);
        if let Some(ack) = Ack::lent_here(raw) {
            return if ack.socket.is_gone() {
                Err(stale())
            } else {
                Ok(ack)
            };
        }
        let Owed { socket, id } = match OWED.take(raw) {
            Some(owed) => owed,
            // Another thread's handler may have it still, or may just have let it go.
            None => match Ack::lent_anywhere(raw).filter(|ack| !ack.socket.is_gone()) {
                Some(ack) => return Ok(ack),
                None => OWED.take(raw).ok_or_else(stale)?,
            },
        };
        let socket = Socket(socket.upgrade().ok_or_else(stale)?);
        socket.more(|more| {
            if let Some(place) = more.owed.iter().position(|number| *number == raw) {
                more.owed.swap_remove(place);
            }
        });
        Ok(Ack { socket, id })
    }
}

/// What became of a broadcast that was emitted with a token.
#[derive(Debug, Clone, Copy)]
pub struct BroadcastAcks<'a> {
    /// The answers, in the order of their arrival.
    pub responses: &'a [AckResponse],
    /// How many sockets the broadcast went to.
    pub expected: usize,
    /// Whether the time was up before all had answered; those that were disconnected don't answer any more.
    pub timed_out: bool,
}

/// One client's answer to a broadcast.
#[derive(Debug, Clone)]
pub struct AckResponse {
    /// As in [`AckResult::Answered`](super::AckResult::Answered).
    pub args: Box<str>,
    /// As in [`AckResult::Answered`](super::AckResult::Answered).
    pub attachments: Vec<Bytes>,
}
