//! Messages that are sent while a client has no connection: kept, bounded, and sent before all others once it has one.

use std::collections::VecDeque;

use super::command::Outgoing;
use super::connection::{Conn, Flag, NEVER};
use super::core::LoopCore;
use super::memory;
use super::messages::{Form, outbox_full};
use super::tracking::Tracking;
use crate::error::Result;
use crate::handle::Id;
use crate::websocket::{SendOutcome, Sent};
use crate::ws::{Millis, ReadyState};

/// Empty, it owns no heap.
pub(crate) struct Kept {
    messages: VecDeque<Message>,
    /// Of their payloads.
    bytes: usize,
    /// The first of their deadlines.
    earliest: Millis,
}

impl Default for Kept {
    fn default() -> Kept {
        Kept {
            messages: VecDeque::new(),
            bytes: 0,
            earliest: NEVER,
        }
    }
}

struct Message {
    form: Form,
    payload: Box<[u8]>,
    tracking: Tracking,
}

impl Kept {
    fn push(&mut self, message: Message) {
        self.bytes += message.payload.len();
        self.earliest = self.earliest.min(message.tracking.deadline);
        self.messages.push_back(message);
    }
}

impl Conn {
    /// When the first of the kept messages is to be dropped.
    pub(super) fn kept_deadline(&self) -> Millis {
        self.returning()
            .map_or(NEVER, |returning| returning.kept.earliest)
    }

    /// Takes a message into keeping, if it is one of a time without a connection and such are kept.
    ///
    /// # Errors
    /// [`ErrorCode::OutboxFull`](crate::ErrorCode::OutboxFull) and
    /// [`ErrorCode::MemoryBudget`](crate::ErrorCode::MemoryBudget), unless it `is_accepted` already.
    pub(super) fn keep(
        &mut self,
        form: Form,
        payload: &[u8],
        tracking: Tracking,
        is_accepted: bool,
    ) -> Option<Result<Sent>> {
        let kept = self.keep_counted(form, payload, tracking, is_accepted);
        if let Some(Ok(_)) = &kept {
            self.slot.add_buffered(payload.len());
        }
        kept
    }

    /// The same with what is counted as buffered already.
    fn keep_counted(
        &mut self,
        form: Form,
        payload: &[u8],
        tracking: Tracking,
        is_accepted: bool,
    ) -> Option<Result<Sent>> {
        let is_between = self.slot.ready_state() == ReadyState::Connecting && !self.flags.has(Flag::Ended);
        // The next connection knows nothing of a message's earlier parts.
        let high_water_mark = self.profile.high_water_mark;
        let slot = self.slot;
        let returning = self
            .returning_mut()
            .filter(|_| is_between && form.part.is_none())?;
        let limit = returning.outbox();
        if limit == 0 {
            return None;
        }
        let waiting = returning.kept.bytes;
        if !is_accepted && waiting.saturating_add(payload.len()) > limit {
            return Some(Err(outbox_full(waiting, limit)));
        }
        if !is_accepted && memory::is_over() {
            return Some(Err(memory::over_budget()));
        }
        returning.kept.push(Message {
            form,
            payload: payload.into(),
            tracking,
        });
        Some(Ok(if returning.kept.bytes > high_water_mark {
            slot.set_over_mark();
            Sent::OverMark
        } else {
            Sent::Queued
        }))
    }

    fn take_kept(&mut self) -> Kept {
        let kept = self.take_counted();
        self.slot.sub_buffered(kept.bytes);
        kept
    }

    /// The same, and it is counted as buffered still.
    fn take_counted(&mut self) -> Kept {
        let kept = self
            .returning_mut()
            .map(|returning| std::mem::take(&mut returning.kept));
        kept.unwrap_or_default()
    }
}

impl LoopCore {
    /// Keeps what another thread has queued, if it is to be kept. It stays counted all the time: who sends on yet another
    /// thread must not find room that there isn't.
    pub(super) fn keep_queued(&self, id: Id, outgoing: &Outgoing) -> bool {
        let tracking = self.tracking_of(outgoing);
        let kept = self.with_conn(id, |conn| {
            conn.keep_counted(outgoing.form, &outgoing.payload, tracking, true)
        });
        let is_kept = matches!(kept, Some(Some(_)));
        if is_kept {
            self.arm(id);
        }
        is_kept
    }

    /// There is a connection: sends what was kept for it, before the application hears of that and sends more.
    pub(super) fn send_kept(&self, id: Id) {
        let kept = self.with_conn(id, Conn::take_kept).unwrap_or_default();
        for message in kept.messages {
            let Message {
                form,
                payload,
                tracking,
            } = message;
            if let Err(error) = self.send_accepted(id, form, &payload, tracking) {
                log::debug!("a message that was kept could not be sent: {error}");
                self.report(id, tracking.token, SendOutcome::Failed);
            }
        }
        let keeps = self
            .shared()
            .slots
            .get(id)
            .is_some_and(|slot| slot.hold().kept_limit() > 0);
        if keeps && !self.shared().commands.is_empty() {
            self.run_commands(); // what other threads have sent meanwhile comes before that, too
        }
    }

    /// There will be no connection any more.
    pub(super) fn fail_kept(&self, conn: &mut Conn) {
        for message in conn.take_kept().messages {
            self.report(conn.id, message.tracking.token, SendOutcome::Failed);
        }
    }

    /// Drops the kept messages whose time is up.
    pub(super) fn expire_kept(&self, id: Id) {
        let now = self.now();
        self.with_conn(id, |conn| {
            if conn.kept_deadline() > now {
                return;
            }
            let kept = conn.take_counted();
            for message in kept.messages {
                let Message {
                    form,
                    payload,
                    tracking,
                } = message;
                if tracking.deadline > now {
                    let _ = conn.keep_counted(form, &payload, tracking, true);
                } else {
                    conn.slot.sub_buffered(payload.len());
                    conn.slot.count_dropped();
                    self.report(id, tracking.token, SendOutcome::Expired);
                }
            }
        });
    }
}
