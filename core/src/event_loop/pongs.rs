//! Answers to the pings of a peer that doesn't read them.
//!
//! RFC 6455 §5.5.3: an endpoint that has not answered earlier pings "MAY elect to send a Pong frame for only the most
//! recently processed Ping frame". So one pong at a time waits in the outbox, and the latest ping beside it: whoever pings
//! and doesn't read makes nothing grow, and whoever reads slowly still gets an answer to its latest ping.

use super::connection::Conn;
use super::core::LoopCore;
use crate::handle::Id;

/// A pong that waits in the outbox.
#[derive(Debug)]
pub(crate) struct WaitingPong {
    /// It has left once the system has taken so many bytes in all.
    leaves_at: u64,
    /// The payload of the latest ping that came since.
    latest: Option<Box<[u8]>>,
}

impl Conn {
    fn waiting_pong(&self) -> Option<&WaitingPong> {
        self.rare()?.waiting_pong.as_ref()
    }

    fn is_pong_waiting(&self) -> bool {
        let taken = self.slot.counters.bytes_out.get();
        self.waiting_pong().is_some_and(|pong| pong.leaves_at > taken)
    }

    /// A pong is to be the last thing that waits.
    fn note_pong(&mut self, waiting: usize) {
        let leaves_at = self.slot.counters.bytes_out.get() + waiting as u64;
        self.rare_mut().waiting_pong = Some(WaitingPong {
            leaves_at,
            latest: None,
        });
    }

    /// Whether to take the pong that was just written to the end of the cork back: another one waits.
    pub(super) fn postpones_pong(&mut self, payload: &[u8], corked: usize) -> bool {
        if self.outbox.is_empty() {
            return false; // it leaves at the end of the turn
        }
        if !self.is_pong_waiting() {
            self.note_pong(self.outbox.len() + corked);
            return false;
        }
        if let Some(pong) = &mut self.rare_mut().waiting_pong {
            pong.latest = Some(payload.into());
        }
        true
    }

    /// Whether [`LoopCore::answer_latest`] has something to do.
    pub(super) fn has_answer_due(&self) -> bool {
        self.waiting_pong().is_some() && !self.is_pong_waiting()
    }
}

impl LoopCore {
    /// The pong that waited has left: the latest ping that came meanwhile gets its own.
    pub(super) fn answer_latest(&self, id: Id) {
        let latest = self.with_conn(id, |conn| {
            if !conn.has_answer_due() {
                return None;
            }
            let pong = conn.rare_mut().waiting_pong.take();
            conn.tidy();
            pong?.latest
        });
        let Some(payload) = latest.flatten() else { return };
        let written = self.control_frame(id, |machine, scratch, out, _| {
            machine.pong(&payload, scratch, out)
        });
        match written {
            Ok(()) => {
                self.with_conn(id, |conn| {
                    if !conn.outbox.is_empty() {
                        conn.note_pong(conn.outbox.len());
                    }
                });
            }
            Err(error) => log::debug!("a ping was not answered: {error}"), // we have begun to close
        }
    }
}
