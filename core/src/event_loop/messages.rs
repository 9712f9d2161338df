//! Messages on their way: into the cork, straight to the system, or into the outbox.

use std::io::IoSlice;

use super::connection::{Conn, NEVER, Stage};
use super::core::LoopCore;
use super::slots::Slot;
use super::tracking::{Tracking, Verdict};
use super::writing::{CORK, find, is_temporary};
use crate::error::{Error, ErrorCode, Result};
use crate::handle::Id;
use crate::settings::millis;
use crate::websocket::{SendOptions, SendOutcome, Sent};
use crate::ws::{MessageType, ReadyState, Role, SendError};

/// From here on a payload leaves beside its header, uncopied, where nothing waits before it.
const DIRECT: usize = 16 << 10;

impl LoopCore {
    /// Sends a message of this thread's.
    #[inline]
    pub(crate) fn send(&self, id: Id, kind: MessageType, payload: &[u8]) -> Result<Sent> {
        match self.cork_up(id, kind, payload) {
            Some(sent) => Ok(sent),
            None => self.send_within(id, kind, payload, Tracking::NONE, false),
        }
    }

    /// The same with options.
    pub(crate) fn send_with(
        &self,
        id: Id,
        kind: MessageType,
        payload: &[u8],
        options: &SendOptions,
    ) -> Result<Sent> {
        let deadline = options
            .deadline
            .filter(|within| !within.is_zero())
            .map_or(NEVER, |within| self.now().saturating_add(millis(within)));
        let tracking = Tracking {
            token: options.token,
            deadline,
            ..Tracking::NONE
        };
        self.send_within(id, kind, payload, tracking, false)
    }

    /// The usual case, and nothing else: the socket whose turn it is has nothing waiting, and the message fits the cork
    /// below every mark.
    #[inline(always)]
    fn cork_up(&self, id: Id, kind: MessageType, payload: &[u8]) -> Option<Sent> {
        if self.corked.get() != id.slot() {
            return None;
        }
        let mut conns = self.conns.borrow_mut();
        let conn = find(&mut conns, id)?;
        let Stage::Open(machine) = &mut conn.stage else {
            return None;
        };
        let mut cork = self.cork.borrow_mut();
        if cork.len() + payload.len() >= conn.profile.cork_room || !conn.outbox.is_empty() {
            return None;
        }
        machine
            .send(kind, payload, &mut self.scratch.borrow_mut(), &mut cork)
            .ok()?;
        conn.slot.counters.messages_out.add(1);
        Some(Sent::Queued)
    }

    /// Sends a message that was accepted when another thread queued it: it is not refused any more.
    pub(crate) fn send_accepted(
        &self,
        id: Id,
        kind: MessageType,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<Sent> {
        self.send_within(id, kind, payload, tracking, true)
    }

    #[inline(never)]
    fn send_within(
        &self,
        id: Id,
        kind: MessageType,
        payload: &[u8],
        tracking: Tracking,
        is_accepted: bool,
    ) -> Result<Sent> {
        let mut conns = self.conns.borrow_mut();
        let conn = find(&mut conns, id).ok_or(ErrorCode::Closed)?;
        if let Some(kept) = conn.keep(kind, payload, tracking, is_accepted) {
            drop(conns);
            self.arm(id);
            return kept;
        }
        conn.check_open()?;
        let mut cork = self.cork.borrow_mut();
        let verdict = match self.judge(conn, &mut cork) {
            Ok(Verdict::Dropped | Verdict::TooSlow(_)) | Err(_) if is_accepted => Verdict::Welcome,
            verdict => verdict?,
        };
        let (slot, mut sent) = (conn.slot, Sent::Dropped);
        if let Verdict::Welcome = verdict {
            sent = self.write_message(conn, &mut cork, kind, payload, tracking)?;
        }
        drop((conns, cork));
        if let Verdict::TooSlow(error) = verdict {
            self.close_slow(id, error);
        }
        if sent == Sent::Dropped {
            slot.count_dropped();
            self.report(id, tracking.token, SendOutcome::Dropped);
        }
        if tracking.deadline != NEVER {
            self.arm(id);
        }
        self.ask_for_flush();
        Ok(sent)
    }

    fn write_message(
        &self,
        conn: &mut Conn,
        cork: &mut Vec<u8>,
        kind: MessageType,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<Sent> {
        let tracking = conn.profile.tracking(tracking);
        let corked = self.corked.get() == conn.id.slot();
        let slot = conn.slot;
        let big = payload.len() >= DIRECT && conn.sends_plain(payload.len());
        if big && corked && !(tracking.is_none() && self.marks.borrow().is_empty()) {
            self.flush_into(conn, cork); // what leaves beside the cork has no boundaries there
            conn.check_open()?;
        }
        let sent = if big && conn.outbox.is_empty() {
            self.send_directly(conn, cork, kind, payload, tracking)
        } else if corked {
            self.send_corked(conn, cork, kind, payload, tracking)
        } else {
            self.send_later(conn, kind, payload, tracking)
        };
        sent.map_err(|error| send_failed(error, slot))?;
        slot.counters.messages_out.add(1);
        if corked && cork.len() >= CORK {
            self.flush_into(conn, cork);
        }
        if conn.flags.broken || (!corked && !conn.outbox.is_empty()) {
            self.mark_dirty(conn);
        }
        let over = self.waiting(conn, cork) > conn.profile.high_water_mark;
        if over {
            slot.set_over_mark();
            self.mark_dirty(conn); // the next flush looks whether on_drain is due, even if the cork took it all
        }
        Ok(if over { Sent::OverMark } else { Sent::Queued })
    }

    fn send_corked(
        &self,
        conn: &mut Conn,
        cork: &mut Vec<u8>,
        kind: MessageType,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<(), SendError> {
        let Stage::Open(machine) = &mut conn.stage else {
            return Err(SendError::NotOpen);
        };
        let start = cork.len();
        machine.send(kind, payload, &mut self.scratch.borrow_mut(), cork)?;
        self.mark(start, cork.len(), tracking);
        Ok(())
    }

    fn send_later(
        &self,
        conn: &mut Conn,
        kind: MessageType,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<(), SendError> {
        let Stage::Open(machine) = &mut conn.stage else {
            return Err(SendError::NotOpen);
        };
        let before = conn.outbox.len();
        let mut scratch = self.scratch.borrow_mut();
        let sent = conn
            .outbox
            .append_message(tracking, |out| machine.send(kind, payload, &mut scratch, out));
        conn.slot.add_buffered(conn.outbox.len() - before);
        sent
    }

    /// Sends a big message at once, behind what the cork holds of this socket's.
    fn send_directly(
        &self,
        conn: &mut Conn,
        cork: &mut Vec<u8>,
        kind: MessageType,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<(), SendError> {
        let corked = self.corked.get() == conn.id.slot();
        let before = if corked { 0 } else { cork.len() };
        let Stage::Open(machine) = &conn.stage else {
            return Err(SendError::NotOpen);
        };
        match machine.role() {
            Role::Server => self.send_beside(conn, cork, before, kind, payload, tracking),
            Role::Client => self.send_masked(conn, cork, before, kind, payload, tracking),
        }
    }

    /// Sends what is in the cork from `before` on, a header and the payload in one system call, the payload uncopied;
    /// keeps what the system does not take.
    fn send_beside(
        &self,
        conn: &mut Conn,
        cork: &mut Vec<u8>,
        before: usize,
        kind: MessageType,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<(), SendError> {
        let (Stage::Open(machine), Some(stream)) = (&mut conn.stage, &mut conn.stream) else {
            return Err(SendError::NotOpen);
        };
        machine.send_header(kind, payload.len(), cork)?;
        let head = &cork[before..];
        let taken = match stream.send_vectored(&[IoSlice::new(head), IoSlice::new(payload)]) {
            Ok(count) => count,
            Err(error) if is_temporary(&error) => 0,
            Err(error) => {
                self.report(conn.id, tracking.token, SendOutcome::Failed);
                self.break_off(conn, &error);
                cork.truncate(before);
                return Ok(());
            }
        };
        conn.slot.counters.bytes_out.add(taken as u64);
        self.keep_beside(conn, head, payload, taken, tracking);
        cork.truncate(before);
        Ok(())
    }

    fn keep_beside(&self, conn: &mut Conn, head: &[u8], payload: &[u8], taken: usize, tracking: Tracking) {
        let rest_of_head = head.get(taken..).unwrap_or_default();
        let rest_of_payload = &payload[taken.saturating_sub(head.len())..];
        if taken == 0 && tracking.is_droppable() {
            conn.outbox.append_message(tracking, |out| {
                out.extend_from_slice(head);
                out.extend_from_slice(payload);
            });
        } else {
            conn.outbox.push(rest_of_head);
            conn.outbox.push(rest_of_payload);
            conn.outbox.note_end(tracking.token);
        }
        if conn.outbox.is_empty() {
            self.report(conn.id, tracking.token, SendOutcome::Taken);
        }
        conn.slot.add_buffered(rest_of_head.len() + rest_of_payload.len());
    }

    /// Masks a big payload straight into the outbox, behind what the cork holds from `before` on, and sends at once.
    fn send_masked(
        &self,
        conn: &mut Conn,
        cork: &mut Vec<u8>,
        before: usize,
        kind: MessageType,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<(), SendError> {
        conn.outbox.push(&cork[before..]);
        conn.slot.add_buffered(cork.len() - before);
        cork.truncate(before);
        let sent = self.send_later(conn, kind, payload, tracking);
        self.flush_now(conn);
        sent
    }
}

impl Conn {
    /// Open in the sense of the application: neither side has begun to close.
    pub(crate) fn is_open(&self) -> bool {
        matches!(&self.stage, Stage::Open(machine) if machine.ready_state() == ReadyState::Open)
    }

    fn sends_plain(&self, len: usize) -> bool {
        matches!(&self.stage, Stage::Open(machine) if machine.sends_plain(len))
    }

    /// Whether a message can be sent at all.
    fn check_open(&self) -> Result<()> {
        if !self.is_open() {
            return Err(not_open(self.slot));
        }
        if self.flags.broken {
            // A handler that sends until it is told to wait would never be told, for nothing waits any more.
            let text = "the peer takes nothing more; on_close follows";
            return Err(Error::new(ErrorCode::Closed, text));
        }
        Ok(())
    }
}

pub(super) fn not_open(slot: &Slot) -> Error {
    let state = match slot.ready_state() {
        ReadyState::Connecting => "still connecting",
        ReadyState::Open => "open",
        ReadyState::Closing => "closing",
        ReadyState::Closed => return ErrorCode::Closed.into(),
    };
    Error::new(
        ErrorCode::NotOpen,
        format!("the connection is {state}, so nothing can be sent"),
    )
}

/// What the machine says, as an error of the application's.
pub(super) fn send_failed(error: SendError, slot: &Slot) -> Error {
    let code = match error {
        SendError::NotOpen => return not_open(slot),
        SendError::ControlTooLong(_) => ErrorCode::ControlTooLong,
        SendError::InvalidCloseCode(_) => ErrorCode::InvalidCloseCode,
        SendError::MaskRequired | SendError::Compression => ErrorCode::Internal,
        SendError::Unfinished => ErrorCode::MessageUnfinished,
        SendError::NoRandomness => ErrorCode::Io,
    };
    Error::new(code, error.to_string())
}

pub(super) fn outbox_full(waiting: usize, limit: usize) -> Error {
    let text = format!("{waiting} bytes wait to be sent, over the hard limit of {limit}; wait for on_drain");
    Error::new(ErrorCode::OutboxFull, text)
}
