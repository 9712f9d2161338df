//! Messages that are not just bytes: their sender wants to know what becomes of them, or they may be dropped.
//!
//! Such a message keeps its boundaries on the way: in the cork by a [`Mark`], in the outbox by a chunk of its own or a
//! note where it ends. All others pay nothing for that.

use super::connection::{Conn, Flag, NEVER};
use super::core::LoopCore;
use super::memory;
use super::messages::outbox_full;
use super::outbox::Dropped;
use super::slot::Slot;
use crate::error::{Error, Result};
use crate::handle::Id;
use crate::settings::SlowConsumer;
use crate::websocket::SendOutcome;
use crate::ws::Millis;

/// What is to be known of one message while it waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tracking {
    /// Its sender's name for it: `on_sent` follows.
    pub(crate) token: Option<u64>,
    /// When it is dropped, unless it has begun to leave; [`NEVER`] for no such time.
    pub(crate) deadline: Millis,
    /// The policy for slow consumers may drop it.
    pub(crate) may_drop: bool,
}

impl Tracking {
    pub(crate) const NONE: Tracking = Tracking {
        token: None,
        deadline: NEVER,
        may_drop: false,
    };

    pub(crate) fn is_none(&self) -> bool {
        self.token.is_none() && !self.is_droppable()
    }

    pub(crate) fn is_droppable(&self) -> bool {
        self.may_drop || self.deadline != NEVER
    }
}

/// A tracked message in the cork.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) tracking: Tracking,
}

/// What the limits of a connection say to one more message.
#[derive(Debug)]
pub(crate) enum Verdict {
    Welcome,
    Dropped,
    /// The connection is to be closed, with this error.
    TooSlow(Error),
}

/// What has become of a message, on its way to `on_sent`.
#[derive(Debug)]
pub(crate) struct Report {
    id: Id,
    token: u64,
    outcome: SendOutcome,
}

impl LoopCore {
    /// Remembers what `on_sent` is to say.
    pub(crate) fn report(&self, id: Id, token: impl IntoIterator<Item = u64>, outcome: SendOutcome) {
        let reports = token.into_iter().map(|token| Report { id, token, outcome });
        self.reports.borrow_mut().extend(reports);
    }

    pub(crate) fn has_reports(&self) -> bool {
        !self.reports.borrow().is_empty()
    }

    /// Calls `on_sent` for all messages whose outcome is known.
    pub(crate) fn deliver_reports(&self) {
        let mut list = self.reports.take();
        for Report { id, token, outcome } in list.drain(..) {
            let told = self.with_conn(id, |conn| match &conn.handler {
                Some(handler) => Some((handler.clone(), conn.websocket())),
                None => {
                    conn.held().sent.push((token, outcome));
                    None
                }
            });
            if let Some(Some((handler, ws))) = told {
                handler.on_sent(ws, token, outcome);
            }
        }
        let mut current = self.reports.borrow_mut();
        if current.is_empty() {
            *current = list; // for its room
        }
    }

    /// A message has been taken out of the outbox.
    fn dropped(&self, id: Id, slot: &Slot, lost: &Dropped, why: SendOutcome) {
        slot.sub_buffered(lost.bytes);
        slot.counters.messages_out.take_back_one();
        slot.count_dropped();
        self.report(id, lost.token, why);
    }

    /// Drops the messages whose time is up.
    pub(crate) fn expire(&self, conn: &mut Conn) {
        if conn.outbox.earliest_deadline() == NEVER {
            return;
        }
        let (now, id, slot, pledged) = (self.now(), conn.id, conn.slot, conn.pledged());
        conn.outbox.drop_expired(now, pledged, |lost| {
            self.dropped(id, slot, &lost, SendOutcome::Expired)
        });
    }

    /// Remembers where a message is in the cork.
    pub(crate) fn mark(&self, start: usize, end: usize, tracking: Tracking) {
        if !tracking.is_none() {
            self.marks.borrow_mut().push(Mark { start, end, tracking });
        }
    }

    /// The messages in the cork will never leave.
    pub(crate) fn fail_marks(&self, id: Id) {
        for mark in self.marks.borrow_mut().drain(..) {
            self.report(id, mark.tracking.token, SendOutcome::Failed);
        }
    }

    /// Moves what the system has not `taken` of the cork into the outbox, message by message.
    pub(crate) fn keep_rest(&self, conn: &mut Conn, cork: &[u8], taken: usize) {
        let part = |from: usize, to: usize| cork.get(from.max(taken)..to).unwrap_or_default();
        let outbox = &mut conn.outbox;
        let mut at = 0;
        for Mark { start, end, tracking } in self.marks.borrow_mut().drain(..) {
            outbox.push(part(at, start));
            at = end;
            if end <= taken {
                self.report(conn.id, tracking.token, SendOutcome::Taken);
            } else if start >= taken {
                outbox.append_message(tracking, |out| out.extend_from_slice(part(start, end)));
            } else {
                outbox.push(part(start, end));
                outbox.note_end(tracking.token);
            }
        }
        outbox.push(part(at, cork.len()));
        conn.slot.add_buffered(cork.len() - taken);
        self.watch_writing(conn);
    }

    /// What the application has sent and the system has not taken.
    pub(crate) fn waiting(&self, conn: &Conn, cork: &[u8]) -> usize {
        let corked = self.corked.get() == conn.id.slot();
        conn.outbox.len() + if corked { cork.len() } else { 0 }
    }

    /// Whether a message may join what waits, by the policy for slow consumers.
    ///
    /// # Errors
    /// [`ErrorCode::OutboxFull`](crate::ErrorCode::OutboxFull) and
    /// [`ErrorCode::MemoryBudget`](crate::ErrorCode::MemoryBudget), if that is the policy.
    pub(crate) fn judge(&self, conn: &mut Conn, cork: &mut Vec<u8>) -> Result<Verdict> {
        if self.waiting(conn, cork) <= conn.profile.hard_limit && !memory::is_over() {
            return Ok(Verdict::Welcome);
        }
        self.judge_by_policy(conn, cork)
    }

    #[cold]
    fn judge_by_policy(&self, conn: &mut Conn, cork: &mut Vec<u8>) -> Result<Verdict> {
        let (limit, policy) = (conn.profile.hard_limit, conn.profile.slow_consumer);
        if policy != SlowConsumer::Error {
            self.offer_all(conn, cork);
        }
        let waiting = self.waiting(conn, cork);
        if waiting <= limit && !memory::is_over() {
            return Ok(Verdict::Welcome);
        }
        let full = why_full(waiting, limit);
        match policy {
            SlowConsumer::Error => Err(full),
            SlowConsumer::DropNewest => Ok(Verdict::Dropped),
            SlowConsumer::Close if waiting == 0 => Err(full), // others have used the budget up
            SlowConsumer::Close => Ok(Verdict::TooSlow(full)),
            SlowConsumer::DropOldest => {
                self.make_room(conn, limit);
                Ok(match memory::is_over() {
                    true => Verdict::Dropped,
                    false => Verdict::Welcome,
                })
            }
        }
    }

    /// Hands what waits to the system, if it hasn't refused it.
    fn offer(&self, conn: &mut Conn) {
        if !conn.flags.has(Flag::Blocked) && !conn.flags.has(Flag::Broken) {
            self.flush_now(conn);
        }
        if conn.flags.has(Flag::Broken) {
            self.mark_dirty(conn);
        }
    }

    /// Has the system take what it can: only then is it the consumer that is slow.
    fn offer_all(&self, conn: &mut Conn, cork: &mut Vec<u8>) {
        if self.corked.get() == conn.id.slot() {
            self.flush_into(conn, cork);
        }
        self.offer(conn);
    }

    /// Drops the oldest messages until no more than `limit` waits here, and no more than the budget in all, or none is
    /// left that may be dropped.
    fn make_room(&self, conn: &mut Conn, limit: usize) {
        while (conn.outbox.len() > limit || memory::is_over())
            && let Some(lost) = conn.outbox.drop_oldest(conn.pledged())
        {
            self.dropped(conn.id, conn.slot, &lost, SendOutcome::Dropped);
        }
    }

    /// Gives a consumer up that was too slow: what it has not begun to get is dropped, and it is told why.
    pub(crate) fn close_slow(&self, id: Id, error: Error) {
        self.with_conn(id, |conn| {
            self.offer(conn);
            let (slot, pledged) = (conn.slot, conn.pledged());
            conn.outbox.drop_all(pledged, |lost| {
                self.dropped(id, slot, &lost, SendOutcome::Dropped)
            });
            conn.ending().verdict = Some(error);
        });
        // RFC 6455 §7.4.1: 1008 is for a policy where no other code fits.
        self.begin_close(id, Some(1008), "slow consumer");
    }
}

/// Why no message more may wait. Other threads count meanwhile: what was too much may be less by now.
pub(super) fn why_full(waiting: usize, limit: usize) -> Error {
    if waiting > limit || !memory::has_budget() {
        outbox_full(waiting, limit)
    } else {
        memory::over_budget()
    }
}

impl Conn {
    /// How much of what waits can't be taken back.
    fn pledged(&self) -> usize {
        self.stream.as_ref().map_or(0, |stream| stream.pledged())
    }
}

#[cfg(test)]
mod tests {
    use super::why_full;
    use crate::error::ErrorCode;

    #[test]
    fn without_a_budget_nothing_is_said_of_one() {
        for waiting in [0, 10, 11] {
            assert_eq!(why_full(waiting, 10).code(), ErrorCode::OutboxFull);
        }
    }
}
