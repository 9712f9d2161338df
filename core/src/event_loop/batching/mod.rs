//! Many sockets' output by one system call: what a message to many leaves behind, and what hosts send between turns.
//!
//! [`LoopCore::flush_dirty`] comes here first. What the system takes here is counted as if each socket had sent by itself;
//! then [`LoopCore::write_on`] does for each, in order, what is left to do, and that may be to send: where there is no
//! io_uring, that is all. A child of a fork never gets here.

#[cfg_attr(
    not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
    )),
    path = "none.rs"
)]
mod uring;

use std::io::{self, IoSlice};
use std::ops::Range;

use self::uring::Ring;
use super::connection::{Conn, Flag, NEVER};
use super::core::LoopCore;
use super::stream::Stream;
use super::sys::RawSocket;
use crate::websocket::SendOutcome;

/// How many sends go to the system at a time.
const ROOM: usize = 256;
/// From so many sockets on a batch is cheaper than what it replaces.
const DEFAULT_LEAST: usize = 8;
/// More than this of one socket is sent by itself: the call is a small part of that, and nobody else should wait for it.
const LARGEST: usize = 64 << 10;
/// No connection has this slot.
const NOBODY: u32 = u32::MAX;
/// Sets it for loops that leave it open.
const VARIABLE: &str = "SOCKLINE_SEND_BATCH";

/// What one socket has to send, as a range of the slices that all have.
#[cfg_attr(
    not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
    )),
    expect(dead_code, reason = "for io_uring")
)]
struct Offer {
    socket: RawSocket,
    slices: Range<usize>,
}

/// What became of an offer.
#[cfg_attr(
    not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
    )),
    expect(dead_code, reason = "for io_uring")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Untried,
    Whole,
    Part(usize),
    /// With this number of the system's.
    Failed(i32),
}

/// A loop's way to send much at once.
pub(crate) struct Batching {
    /// From so many sockets on; `usize::MAX` for never.
    least: usize,
    /// Made when it is first of use.
    ring: Option<Ring>,
}

impl Default for Batching {
    fn default() -> Batching {
        Batching::new(usize::MAX)
    }
}

impl Batching {
    /// `least` is what the options say: 0 for the default.
    pub(crate) fn new(least: usize) -> Batching {
        let least = match least {
            0 => std::env::var(VARIABLE).ok().and_then(|text| parse(&text)),
            least => Some(least),
        };
        Batching {
            least: least.unwrap_or(DEFAULT_LEAST),
            ring: None,
        }
    }

    fn ring(&mut self) -> Option<&mut Ring> {
        if self.ring.is_none() {
            match Ring::new() {
                Ok(ring) => self.ring = Some(ring),
                Err(error) => self.give_up(&error),
            }
        }
        self.ring.as_mut()
    }

    fn give_up(&mut self, why: &io::Error) {
        log::debug!("each socket sends by itself, because io_uring is not to be had: {why}");
        self.ring = None;
        self.least = usize::MAX;
    }
}

fn parse(text: &str) -> Option<usize> {
    match text {
        "off" => Some(usize::MAX),
        number => number.parse().ok().filter(|least| *least > 0),
    }
}

impl LoopCore {
    /// Sends what waits for these sockets, where they are many enough, and as far as it can be sent so. Those that are done with
    /// are nobody's then.
    pub(crate) fn send_together(&self, slots: &mut [u32]) {
        let mut batching = self.batching.borrow_mut();
        if slots.len() < batching.least {
            return;
        }
        for slots in slots.chunks_mut(ROOM) {
            let least = batching.least;
            let Some(ring) = batching.ring() else { return };
            if let Err(error) = self.send_batch(ring, slots, least) {
                return batching.give_up(&error);
            }
        }
    }

    fn send_batch(&self, ring: &mut Ring, slots: &mut [u32], least: usize) -> io::Result<()> {
        let (mut who, mut outcomes) = (Vec::with_capacity(slots.len()), Vec::new());
        let mut conns = self.conns.borrow_mut();
        // A slot that was used again may be listed twice, so each is marked.
        who.extend(
            slots
                .iter_mut()
                .filter(|slot| conns.at(**slot).is_some_and(Conn::join_batch)),
        );
        if who.len() < least {
            // Those that have to send by themselves leave too few others.
            for slot in who {
                if let Some(conn) = conns.at(*slot) {
                    conn.flags.set(Flag::Offered, false);
                }
            }
            return Ok(());
        }
        let sent = {
            let (mut offers, mut slices) = (Vec::with_capacity(who.len()), Vec::with_capacity(who.len()));
            let members = who.iter().filter_map(|slot| conns.see(**slot));
            offers.extend(members.filter_map(|conn| conn.offer(&mut slices)));
            ring.send_batch(&offers, &slices, &mut outcomes)
        };
        let mut tried = 0;
        for (slot, outcome) in who.into_iter().zip(outcomes) {
            if let Some(conn) = conns.at(*slot) {
                tried += u64::from(outcome != Outcome::Untried);
                self.take_outcome(conn, outcome);
                if conn.is_at_rest() {
                    conn.flags.set(Flag::Dirty, false);
                    *slot = NOBODY;
                }
            }
        }
        self.shared().batches.add(1);
        self.shared().batched_sends.add(tried);
        sent
    }

    /// Does what follows when a socket has sent by itself.
    fn take_outcome(&self, conn: &mut Conn, outcome: Outcome) {
        let id = conn.id;
        conn.flags.set(Flag::Offered, false);
        let count = match outcome {
            Outcome::Whole => conn.outbox.len(),
            Outcome::Part(count) => count,
            Outcome::Untried => return,
            Outcome::Failed(number) => {
                let error = io::Error::from_raw_os_error(number);
                match error.kind() {
                    io::ErrorKind::WouldBlock => 0,
                    io::ErrorKind::Interrupted => return, // it sends by itself then
                    _ => return self.flushed(conn, Err(error)),
                }
            }
        };
        conn.outbox
            .leave(count, |token| self.report(id, [token], SendOutcome::Taken));
        self.note_flush(conn, count);
        self.flushed(conn, Ok(count));
        conn.flags.set(Flag::Offered, conn.flags.has(Flag::Blocked));
    }
}

impl Conn {
    /// Marks it as one of many if what it has to send can be sent so: all of it, nothing that may be too late, and not over TLS,
    /// where bytes are made for one socket at a time.
    fn join_batch(&mut self) -> bool {
        let is_fit = matches!(self.stream, Some(Stream::Tcp(_) | Stream::Unix(_)))
            && self.outbox.has_few_pieces()
            && (1..=LARGEST).contains(&self.outbox.len())
            && self.outbox.earliest_deadline() == NEVER
            && !self.flags.has(Flag::Broken);
        is_fit && !self.flags.raise(Flag::Offered)
    }

    /// What it has to send.
    fn offer<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>) -> Option<Offer> {
        let socket = self.stream.as_ref()?.raw();
        let first = slices.len();
        self.outbox.show(slices);
        Some(Offer {
            socket,
            slices: first..slices.len(),
        })
    }
}
