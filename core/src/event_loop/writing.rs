//! From the cork and the outbox to the socket.

use std::io;

use super::connection::{Conn, Flag, Stage};
use super::core::LoopCore;
use super::slot::Slot;
use crate::error::{Error, ErrorCode};
use crate::handle::Id;
use crate::websocket::SendOutcome;
use crate::ws::ReadyState;

/// The cork is flushed in the middle of a turn when it holds more.
pub(crate) const CORK: usize = 64 << 10;
/// A cork that grew larger than this for one big message is given back.
const KEPT_CORK: usize = 1 << 20;

impl LoopCore {
    /// Lets a machine append control frames to what the connection sends next.
    pub(crate) fn write_control<T>(
        &self,
        conn: &mut Conn,
        slot: &Slot,
        write: impl FnOnce(&mut Stage, &mut Vec<u8>) -> T,
    ) -> T {
        let is_frame = matches!(conn.stage, Stage::Open(_));
        if self.corked.get() == conn.id.slot() {
            let mut cork = self.cork.borrow_mut();
            let before = cork.len();
            let result = write(&mut conn.stage, &mut cork);
            let written = is_frame && cork.len() > before;
            slot.counters.further_frames_out.add(u64::from(written));
            return result;
        }
        let before = conn.outbox.len();
        let stage = &mut conn.stage;
        let result = conn.outbox.append(|out| write(stage, out));
        let written = conn.outbox.len() - before;
        slot.add_buffered(written);
        slot.counters
            .further_frames_out
            .add(u64::from(is_frame && written > 0));
        self.mark_dirty(conn);
        result
    }

    /// Puts the socket on the list of those to flush; [`LoopCore::ask_for_flush`] follows when nothing is borrowed.
    pub(crate) fn mark_dirty(&self, conn: &mut Conn) {
        if !conn.flags.raise(Flag::Dirty) {
            self.dirty.borrow_mut().push(conn.id.slot());
        }
    }

    /// Sends what the socket whose turn it is has in the cork.
    pub(crate) fn flush_cork(&self, id: Id) {
        let (closing, has_deadline) = {
            let mut cork = self.cork.borrow_mut();
            let mut conns = self.conns.borrow_mut();
            let Some(conn) = conns.find(id) else {
                cork.clear();
                return self.marks.borrow_mut().clear();
            };
            if !cork.is_empty() {
                self.flush_into(conn, &mut cork);
                if conn.flags.has(Flag::Broken) {
                    self.mark_dirty(conn);
                }
            }
            cork.clear();
            (
                conn.known_ending().is_some(),
                conn.outbox.earliest_deadline() < conn.armed,
            )
        };
        if has_deadline {
            self.arm(id);
        }
        if closing {
            self.check_closing(id);
        }
    }

    pub(crate) fn flush_dirty(&self) {
        let mut list = self.dirty.take();
        self.send_together(&mut list);
        for slot in list.drain(..) {
            let id = self.with_slot(slot, |conn| {
                conn.flags.set(Flag::Dirty, false);
                (!conn.is_at_rest()).then_some(conn.id)
            });
            if let Some(id) = id.flatten() {
                self.write_on(id);
            }
        }
        let mut current = self.dirty.borrow_mut();
        if current.is_empty() {
            *current = list;
        }
    }

    /// Sends what waits for a socket, then does what waited for that.
    pub(crate) fn write_on(&self, id: Id) {
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        let result = self.with_conn(id, |conn| {
            self.expire(conn);
            let taken = if conn.flags.take(Flag::Offered) || conn.flags.has(Flag::Broken) {
                Ok(0)
            } else {
                self.flush_outbox(conn)
            };
            if let Ok(count) = taken {
                slot.sub_buffered(count);
            }
            (taken, conn.is_at_rest())
        });
        match result {
            None => return,
            Some((Ok(_), true)) if !self.has_reports() => return,
            Some((Ok(_), _)) => {}
            Some((Err(error), _)) => self.write_failed(id, slot, &error),
        }
        if self.with_conn(id, |conn| conn.flags.has(Flag::Broken)) == Some(true) {
            return self.read_what_is_left(id);
        }
        self.answer_latest(id);
        if self.has_reports() {
            self.deliver_reports();
        }
        if slot.ready_state() == ReadyState::Open && slot.is_over_mark() {
            self.deliver_drain(id);
        }
        self.serve_on(id);
        self.check_closing(id);
    }

    /// The peer takes nothing more. What it sent before, maybe a close frame, is still to be read.
    fn write_failed(&self, id: Id, slot: &Slot, error: &io::Error) {
        self.with_conn(id, |conn| {
            slot.sub_buffered(conn.outbox.len());
            self.break_off(conn, error);
        });
    }

    /// Hands what waits to the system, as much as it takes; returns how much that was.
    pub(crate) fn flush_outbox(&self, conn: &mut Conn) -> io::Result<usize> {
        let id = conn.id;
        let Some(stream) = &mut conn.stream else {
            return Ok(0);
        };
        stream.flush()?;
        let mut spare = self.spare_outbox.borrow_mut();
        let taken = conn.outbox.flush(stream, &mut spare, |token| {
            self.report(id, [token], SendOutcome::Taken);
        });
        drop(spare);
        self.note_flush(conn, taken.as_ref().map_or(0, |count| *count));
        taken
    }

    /// The system was given what waits, and has taken so much.
    pub(super) fn note_flush(&self, conn: &mut Conn, count: usize) {
        let is_blocked = !conn.outbox.is_empty();
        conn.flags.set(Flag::Blocked, is_blocked);
        if is_blocked {
            self.watch_writing(conn);
        }
        conn.slot.counters.bytes_out.add(count as u64);
        if conn.has_answer_due() {
            self.mark_dirty(conn);
        }
    }

    /// The same where nothing waits for its outcome but the counters.
    pub(crate) fn flush_now(&self, conn: &mut Conn) {
        let taken = self.flush_outbox(conn);
        self.flushed(conn, taken);
    }

    pub(super) fn flushed(&self, conn: &mut Conn, taken: io::Result<usize>) {
        match taken {
            Ok(count) => conn.slot.sub_buffered(count),
            Err(error) => {
                conn.slot.sub_buffered(conn.outbox.len());
                self.break_off(conn, &error);
            }
        }
    }

    pub(super) fn break_off(&self, conn: &mut Conn, error: &io::Error) {
        let id = conn.id;
        conn.outbox
            .clear(|token| self.report(id, [token], SendOutcome::Failed));
        conn.flags.set(Flag::Broken, true);
        let failure = Error::new(ErrorCode::Io, format!("sending failed: {error}"));
        conn.ending().error.get_or_insert(failure);
    }

    fn read_what_is_left(&self, id: Id) {
        if self.with_conn(id, |conn| conn.takes_input()) == Some(true) {
            self.unread.borrow_mut().push(id);
            return self.ask_for_flush();
        }
        let error = self.with_conn(id, |conn| conn.ending().error.take()).flatten();
        self.lost(id, error, false);
    }

    fn deliver_drain(&self, id: Id) {
        let handler = self.with_conn(id, |conn| {
            let is_due = conn.is_open() && conn.slot.take_drained(conn.profile.high_water_mark);
            conn.handler
                .clone()
                .filter(|_| is_due)
                .map(|handler| (handler, conn.websocket()))
        });
        if let Some(Some((handler, ws))) = handler {
            handler.on_drain(ws);
        }
    }

    /// Sends the cork, or puts it behind what waits already.
    pub(crate) fn flush_into(&self, conn: &mut Conn, cork: &mut Vec<u8>) {
        let mut taken = 0;
        if conn.flags.has(Flag::Broken) {
            self.fail_marks(conn.id);
            taken = cork.len();
        } else if conn.outbox.is_empty()
            && let Some(stream) = &mut conn.stream
        {
            match stream.send(cork) {
                Ok(count) => {
                    taken = count;
                    conn.slot.counters.bytes_out.add(count as u64);
                }
                Err(error) if is_temporary(&error) => {}
                Err(error) => {
                    self.fail_marks(conn.id);
                    self.break_off(conn, &error);
                    taken = cork.len();
                }
            }
        }
        if taken < cork.len() || !self.marks.borrow().is_empty() {
            self.keep_rest(conn, cork, taken);
        }
        cork.clear();
        if cork.capacity() > KEPT_CORK {
            cork.shrink_to(KEPT_CORK);
        }
    }
}

impl Conn {
    /// Whether nothing is left to be done when what waited has left, as it is with nearly all.
    pub(super) fn is_at_rest(&self) -> bool {
        self.outbox.is_empty()
            && self.rare().is_none()
            && self.is_open()
            && !self.flags.has(Flag::Broken)
            && !self.slot.is_over_mark()
            && !self.has_tail()
    }
}

pub(super) fn is_temporary(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock // its event follows
}
