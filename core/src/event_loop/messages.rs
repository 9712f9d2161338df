//! Messages on their way: into the cork, straight to the system, or into the outbox.

use std::io::IoSlice;

use super::connection::{Conn, Flag, NEVER, Stage};
use super::core::LoopCore;
use super::slot::Slot;
use super::tracking::{Tracking, Verdict, why_full};
use super::writing::{CORK, is_temporary};
use crate::error::{Error, ErrorCode, Result};
use crate::handle::Id;
use crate::handler::Edges;
use crate::settings::millis;
use crate::websocket::{SendOptions, SendOutcome, Sent};
use crate::ws::{Connection, MessageType, ReadyState, Role, Scratch, SendError};

/// From here on a payload leaves beside its header, uncopied, where nothing waits before it and no more is to follow in the
/// same write.
const DIRECT: usize = 16 << 10;

/// What a payload is to become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) kind: MessageType,
    /// `None` leaves it to the threshold.
    pub(crate) compress: Option<bool>,
    /// Of a part of a message.
    pub(crate) part: Option<Edges>,
}

impl Form {
    /// The usual: a whole message.
    pub(crate) fn of(kind: MessageType) -> Form {
        Form {
            kind,
            compress: None,
            part: None,
        }
    }

    /// Whether it is the last part of a message.
    pub(crate) fn ends_parts(self) -> bool {
        self.part.is_some_and(|edges| edges.is_last)
    }

    fn write(
        self,
        machine: &mut Connection,
        payload: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        match self.part {
            // Its message was lost with the connection on which it began.
            Some(edges) if !edges.is_first && !machine.is_unfinished() => Err(SendError::NotOpen),
            Some(edges) => machine.send_part(self.kind, payload, edges.is_last, self.compress, scratch, out),
            None if self.compress.is_some() => {
                machine.send_with(self.kind, payload, self.compress, scratch, out)
            }
            None => machine.send(self.kind, payload, scratch, out),
        }
    }
}

impl LoopCore {
    /// Sends a message of this thread's.
    #[inline]
    pub(crate) fn send(&self, id: Id, kind: MessageType, payload: &[u8]) -> Result<Sent> {
        match self.cork_up(id, kind, payload) {
            Some(sent) => Ok(sent),
            None => self.send_within(id, Form::of(kind), payload, Tracking::NONE, false),
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
        let form = Form {
            compress: options.compress,
            ..Form::of(kind)
        };
        self.send_within(id, form, payload, tracking, false)
    }

    /// The usual case, and nothing else: the socket whose turn it is has nothing waiting, and the message fits the cork
    /// below every mark. What leaves uncopied is the other way's affair.
    #[inline(always)]
    fn cork_up(&self, id: Id, kind: MessageType, payload: &[u8]) -> Option<Sent> {
        if self.shortcut.get() != id.slot() || (payload.len() >= DIRECT && !self.followed.get()) {
            return None;
        }
        let mut conns = self.conns.borrow_mut();
        let conn = conns.find(id)?;
        let Stage::Open(machine) = &mut conn.stage else {
            return None;
        };
        let mut cork = self.cork.borrow_mut();
        if cork.len() + payload.len() >= conn.profile.cork_room || !conn.outbox.is_empty() {
            return None;
        }
        if !machine.send_plain(kind, payload, &mut self.scratch.borrow_mut(), &mut cork) {
            return None;
        }
        conn.slot.counters.messages_out.add(1);
        Some(Sent::Queued)
    }

    /// Sends a message that was accepted when another thread queued it: it is not refused any more.
    pub(crate) fn send_accepted(
        &self,
        id: Id,
        form: Form,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<Sent> {
        self.send_within(id, form, payload, tracking, true)
    }

    #[inline(never)]
    pub(super) fn send_within(
        &self,
        id: Id,
        form: Form,
        payload: &[u8],
        tracking: Tracking,
        is_accepted: bool,
    ) -> Result<Sent> {
        let mut conns = self.conns.borrow_mut();
        let conn = conns.find(id).ok_or(ErrorCode::Closed)?;
        if let Some(kept) = conn.keep(form, payload, tracking, is_accepted) {
            drop(conns);
            self.arm(id);
            return kept;
        }
        conn.check_open()?;
        let mut cork = self.cork.borrow_mut();
        let verdict = match self.judge(conn, &mut cork) {
            Ok(Verdict::Dropped | Verdict::TooSlow(_)) | Err(_) if is_accepted => Verdict::Welcome,
            // A message can't lack a part.
            Ok(Verdict::Dropped) if form.part.is_some() => return Err(self.has_no_room(conn, &cork)),
            verdict => verdict?,
        };
        let (slot, mut sent) = (conn.slot, Sent::Dropped);
        if let Verdict::Welcome = verdict {
            sent = self.write_message(conn, &mut cork, form, payload, tracking)?;
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

    fn has_no_room(&self, conn: &Conn, cork: &[u8]) -> Error {
        why_full(self.waiting(conn, cork), conn.profile.hard_limit)
    }

    fn write_message(
        &self,
        conn: &mut Conn,
        cork: &mut Vec<u8>,
        form: Form,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<Sent> {
        let tracking = match form.part {
            None => conn.profile.tracking(tracking),
            Some(_) => Tracking::NONE,
        };
        let corked = self.corked.get() == conn.id.slot();
        let slot = conn.slot;
        let big = payload.len() >= DIRECT
            && conn.sends_plain(form, payload.len())
            && !(corked && self.joins(conn, cork, payload.len()));
        if big && corked && !(tracking.is_none() && self.marks.borrow().is_empty()) {
            self.flush_into(conn, cork); // what leaves beside the cork has no boundaries there
            conn.check_open()?;
        }
        let sent = if big && conn.outbox.is_empty() {
            self.send_directly(conn, cork, form, payload, tracking)
        } else if corked {
            self.send_corked(conn, cork, form, payload, tracking)
        } else {
            self.send_later(conn, form, payload, tracking)
        };
        sent.map_err(|error| send_failed(error, slot))?;
        // The last of a message's frames is the one that the message counts for.
        match form.part {
            Some(edges) if !edges.is_last => slot.counters.further_frames_out.add(1),
            _ => slot.counters.messages_out.add(1),
        }
        if let Some(ratio) = self.scratch.borrow_mut().take_ratio() {
            slot.count_ratio(&ratio);
        }
        if corked && cork.len() >= CORK {
            self.flush_into(conn, cork);
        }
        if conn.flags.has(Flag::Broken) || (!corked && !conn.outbox.is_empty()) {
            self.mark_dirty(conn);
        }
        let over = self.waiting(conn, cork) > conn.profile.high_water_mark;
        if over {
            slot.set_over_mark();
            self.mark_dirty(conn); // the next flush looks whether on_drain is due, even if the cork took it all
        }
        Ok(if over { Sent::OverMark } else { Sent::Queued })
    }

    /// Whether what is sent next may leave in the same write: to copy 16 KiB costs less than a system call does.
    fn joins(&self, conn: &Conn, cork: &[u8], len: usize) -> bool {
        self.followed.get() && cork.len() + len < conn.profile.cork_room
    }

    fn send_corked(
        &self,
        conn: &mut Conn,
        cork: &mut Vec<u8>,
        form: Form,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<(), SendError> {
        let Stage::Open(machine) = &mut conn.stage else {
            return Err(SendError::NotOpen);
        };
        let start = cork.len();
        form.write(machine, payload, &mut self.scratch.borrow_mut(), cork)?;
        self.mark(start, cork.len(), tracking);
        Ok(())
    }

    fn send_later(
        &self,
        conn: &mut Conn,
        form: Form,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<(), SendError> {
        let Stage::Open(machine) = &mut conn.stage else {
            return Err(SendError::NotOpen);
        };
        let before = conn.outbox.len();
        conn.outbox.take_from(&mut self.spare_outbox.borrow_mut());
        let mut scratch = self.scratch.borrow_mut();
        let sent = conn
            .outbox
            .append_message(tracking, |out| form.write(machine, payload, &mut scratch, out));
        conn.slot.add_buffered(conn.outbox.len() - before);
        sent
    }

    /// Sends a big message at once, behind what the cork holds of this socket's.
    fn send_directly(
        &self,
        conn: &mut Conn,
        cork: &mut Vec<u8>,
        form: Form,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<(), SendError> {
        let corked = self.corked.get() == conn.id.slot();
        let before = if corked { 0 } else { cork.len() };
        let Stage::Open(machine) = &conn.stage else {
            return Err(SendError::NotOpen);
        };
        match machine.role() {
            Role::Server => self.send_beside(conn, cork, before, form, payload, tracking),
            Role::Client => self.send_masked(conn, cork, before, form, payload, tracking),
        }
    }

    /// Sends what is in the cork from `before` on, a header and the payload in one system call, the payload uncopied;
    /// keeps what the system does not take.
    fn send_beside(
        &self,
        conn: &mut Conn,
        cork: &mut Vec<u8>,
        before: usize,
        form: Form,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<(), SendError> {
        let (Stage::Open(machine), Some(stream)) = (&mut conn.stage, &mut conn.stream) else {
            return Err(SendError::NotOpen);
        };
        machine.send_header(form.kind, payload.len(), cork)?;
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
        self.watch_writing(conn);
    }

    /// Masks a big payload straight into the outbox, behind what the cork holds from `before` on, and sends at once.
    fn send_masked(
        &self,
        conn: &mut Conn,
        cork: &mut Vec<u8>,
        before: usize,
        form: Form,
        payload: &[u8],
        tracking: Tracking,
    ) -> Result<(), SendError> {
        conn.outbox.push(&cork[before..]);
        conn.slot.add_buffered(cork.len() - before);
        cork.truncate(before);
        let sent = self.send_later(conn, form, payload, tracking);
        self.flush_now(conn);
        sent
    }
}

impl Conn {
    /// Open in the sense of the application: neither side has begun to close.
    pub(crate) fn is_open(&self) -> bool {
        matches!(&self.stage, Stage::Open(machine) if machine.ready_state() == ReadyState::Open)
    }

    /// Whether the payload lies in its frame as it lies in memory.
    fn sends_plain(&self, form: Form, len: usize) -> bool {
        let Stage::Open(machine) = &self.stage else {
            return false;
        };
        match form {
            Form { part: Some(_), .. }
            | Form {
                compress: Some(true), ..
            } => false,
            Form {
                compress: Some(false),
                ..
            } => true,
            _ => machine.sends_plain(len),
        }
    }

    /// Whether a message can be sent at all.
    pub(super) fn check_open(&self) -> Result<()> {
        if !self.is_open() {
            return Err(not_open(self.slot));
        }
        if self.flags.has(Flag::Broken) {
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
