//! Messages from other threads than the loop's: copied, counted and queued there, sent by the loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::command::{Command, Outgoing};
use super::core::LoopCore;
use super::memory;
use super::messages::{Form, not_open, outbox_full};
use super::parts::Deferred;
use super::shared::Shared;
use super::slot::{Held, OutboxLimits, Slot};
use super::tracking::{self, Tracking};
use crate::error::{Error, ErrorCode, Result};
use crate::handle::Id;
use crate::settings::SlowConsumer;
use crate::websocket::{SendOptions, SendOutcome, Sent};
use crate::ws::{ReadyState, SharedMessage};

/// Queues a message, if the counters say that it may be sent.
pub(super) fn send(
    shared: &Shared,
    id: Id,
    form: Form,
    payload: &[u8],
    options: &SendOptions,
) -> Result<Sent> {
    let slot = shared.slots.get(id).ok_or(ErrorCode::Closed)?;
    // Held, the connection can't be closed before the message is queued: its on_sent comes before on_close, and what is
    // counted here is counted back.
    let mut held = slot.hold();
    if shared.slots.get(id).is_none() {
        return Err(ErrorCode::Closed.into());
    }
    if form.part.is_none() && slot.part_kind().is_some() {
        return Err(ErrorCode::MessageUnfinished.into());
    }
    match slot.ready_state() {
        ReadyState::Open if !has_room(slot, held.limits(), payload.len())? => {
            if form.part.is_some() {
                return Err(why_full(slot, held.limits())); // it can't lack a part
            }
            return Ok(drop_newest(shared, &mut held, id, options.token));
        }
        ReadyState::Open => {}
        ReadyState::Connecting if form.part.is_none() => may_be_kept(slot, &held, payload.len())?,
        _ => return Err(not_open(slot)),
    }
    let over = count_queued(slot, held.limits(), payload.len());
    let outgoing = Outgoing {
        form,
        payload: payload.into(),
        token: options.token,
        deadline: options.deadline.and_then(deadline_after),
    };
    shared.push(Command::Send(id, outgoing));
    Ok(if over { Sent::OverMark } else { Sent::Queued })
}

/// Whether the policy for slow consumers lets another message in.
///
/// # Errors
/// [`ErrorCode::OutboxFull`] and [`ErrorCode::MemoryBudget`], if that is the policy.
fn has_room(slot: &Slot, limits: OutboxLimits, length: usize) -> Result<bool> {
    let (waiting, limit) = (slot.buffered(), limits.hard_limit);
    let is_over_budget = memory::is_over();
    if waiting <= limit && !is_over_budget {
        return Ok(true);
    }
    match limits.slow_consumer {
        SlowConsumer::Error => Err(tracking::why_full(waiting as usize, limit as usize)),
        // Older messages give way once the loop takes this one; what it hasn't taken is bounded, too.
        SlowConsumer::DropOldest if is_over_budget => {
            Ok(waiting.saturating_sub(slot.queued()) >= length as u64 && slot.queued() <= limit)
        }
        SlowConsumer::DropOldest => Ok(slot.queued() <= limit),
        // Others have used the budget up.
        SlowConsumer::Close if waiting == 0 => Err(why_full(slot, limits)),
        SlowConsumer::DropNewest | SlowConsumer::Close => Ok(false),
    }
}

/// The same for a message that others get too.
pub(super) fn send_shared(shared: &Shared, id: Id, message: &Arc<SharedMessage>) -> Result<Sent> {
    let slot = shared.slots.get(id).ok_or(ErrorCode::Closed)?;
    let mut held = slot.hold(); // see `send`
    if shared.slots.get(id).is_none() || slot.ready_state() != ReadyState::Open {
        return Err(not_open(slot));
    }
    let length = message.frame().len();
    if !has_room(slot, held.limits(), length)? {
        return Ok(drop_newest(shared, &mut held, id, None));
    }
    let over = count_queued(slot, held.limits(), length);
    shared.push(Command::SendShared(id, message.clone()));
    Ok(if over { Sent::OverMark } else { Sent::Queued })
}

/// Counts what is queued, and says whether that makes more than the high-water mark.
fn count_queued(slot: &Slot, limits: OutboxLimits, length: usize) -> bool {
    slot.add_queued(length);
    let over = slot.buffered() > limits.high_water_mark;
    if over {
        slot.set_over_mark();
    }
    over
}

fn why_full(slot: &Slot, limits: OutboxLimits) -> Error {
    tracking::why_full(slot.buffered() as usize, limits.hard_limit as usize)
}

/// Whether a message of this length may wait for a connection.
fn may_be_kept(slot: &Slot, held: &Held<'_>, length: usize) -> Result<()> {
    let (waiting, limit) = (slot.buffered(), held.kept_limit());
    match waiting.saturating_add(length as u64) {
        _ if limit == 0 => Err(not_open(slot)),
        _ if memory::is_over() => Err(memory::over_budget()),
        total if total > limit as u64 => Err(outbox_full(waiting as usize, limit)),
        _ => Ok(()),
    }
}

fn drop_newest(shared: &Shared, held: &mut Held<'_>, id: Id, token: Option<u64>) -> Sent {
    if token.is_some() || held.limits().slow_consumer == SlowConsumer::Close {
        shared.push(Command::Overflow(id, token));
    } else {
        held.count_dropped();
    }
    Sent::Dropped
}

/// `None` for zero, which means none, and for what is too far away to come.
fn deadline_after(within: Duration) -> Option<Instant> {
    Instant::now().checked_add(within).filter(|_| !within.is_zero())
}

impl LoopCore {
    /// Sends what another thread has queued.
    pub(super) fn queued_send(&self, id: Id, outgoing: Outgoing) {
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        let length = outgoing.payload.len();
        slot.take_queued(length);
        if outgoing.form.part.is_none() && self.is_unfinished(id) {
            return self.defer(id, Deferred::Queued(outgoing));
        }
        if !self.keep_queued(id, &outgoing) {
            slot.sub_buffered(length);
            self.send_queued(id, slot, &outgoing);
        }
        if outgoing.form.ends_parts() {
            self.send_deferred(id);
        }
    }

    pub(super) fn send_queued(&self, id: Id, slot: &Slot, outgoing: &Outgoing) {
        let tracking = self.tracking_of(outgoing);
        if let Err(error) = self.send_accepted(id, outgoing.form, &outgoing.payload, tracking) {
            log::debug!("a message from another thread was dropped: {error}");
            self.report(id, outgoing.token, SendOutcome::Failed);
        }
        // Its sender may have been told to wait for what the system has taken at once: the next flush looks.
        if slot.is_over_mark() {
            self.with_conn(id, |conn| self.mark_dirty(conn));
        }
    }

    pub(super) fn tracking_of(&self, outgoing: &Outgoing) -> Tracking {
        Tracking {
            token: outgoing.token,
            deadline: self.millis_at(outgoing.deadline),
            ..Tracking::NONE
        }
    }

    /// A message of another thread's found no room.
    pub(super) fn queued_overflow(&self, id: Id, token: Option<u64>) {
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        let limits = slot.hold().limits();
        let open = self.with_conn(id, |conn| conn.is_open());
        if open == Some(true) && limits.slow_consumer == SlowConsumer::Close {
            self.close_slow(id, why_full(slot, limits));
        }
        slot.count_dropped();
        self.report(id, token, SendOutcome::Dropped);
    }
}
