//! From the application to the socket.

use std::io::{self, IoSlice};

use super::connection::{Conn, Stage};
use super::core::LoopCore;
use super::slots::Slot;
use crate::error::{Error, ErrorCode, Result};
use crate::handle::Id;
use crate::websocket::Sent;
use crate::ws::{MessageType, ReadyState, Role, Scratch, SendError};

/// From here on a payload leaves beside its header, uncopied, where nothing waits before it.
const DIRECT: usize = 16 << 10;
/// The cork is flushed in the middle of a turn when it holds more.
pub(crate) const CORK: usize = 64 << 10;
/// A cork that grew larger than this for one big message is given back.
const KEPT_CORK: usize = 1 << 20;

impl LoopCore {
    /// Sends a message of this thread's.
    #[inline]
    pub(crate) fn send(&self, id: Id, kind: MessageType, payload: &[u8]) -> Result<Sent> {
        match self.cork_up(id, kind, payload) {
            Some(sent) => Ok(sent),
            None => self.send_within(id, kind, payload, None),
        }
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
        Some(Sent::Queued)
    }

    /// Sends a message that was accepted when another thread queued it: no limit applies any more.
    pub(crate) fn send_accepted(&self, id: Id, kind: MessageType, payload: &[u8]) -> Result<Sent> {
        self.send_within(id, kind, payload, Some(usize::MAX))
    }

    #[inline(never)]
    fn send_within(&self, id: Id, kind: MessageType, payload: &[u8], limit: Option<usize>) -> Result<Sent> {
        let corked = self.corked.get() == id.slot();
        let mut conns = self.conns.borrow_mut();
        let conn = find(&mut conns, id).ok_or(ErrorCode::Closed)?;
        let slot = conn.slot;
        let Stage::Open(machine) = &mut conn.stage else {
            return Err(not_open(slot));
        };
        if conn.flags.broken {
            // A handler that sends until it is told to wait would never be told, for nothing waits any more.
            return Err(Error::new(
                ErrorCode::Closed,
                "the peer takes nothing more; on_close follows",
            ));
        }
        let mut cork = self.cork.borrow_mut();
        let waiting = conn.outbox.len() + if corked { cork.len() } else { 0 };
        let limit = limit.unwrap_or(conn.profile.hard_limit);
        if waiting > limit {
            return Err(outbox_full(waiting, limit));
        }
        let mut scratch = self.scratch.borrow_mut();
        let big = payload.len() >= DIRECT && machine.sends_plain(payload.len());
        let sent = if big && conn.outbox.is_empty() && !conn.flags.broken {
            let before = if corked { 0 } else { cork.len() };
            match machine.role() {
                Role::Server => send_beside(conn, slot, &mut cork, before, kind, payload),
                Role::Client => send_masked(conn, slot, &mut cork, before, kind, payload, &mut scratch),
            }
        } else if corked {
            machine.send(kind, payload, &mut scratch, &mut cork)
        } else {
            let before = conn.outbox.len();
            let sent = conn
                .outbox
                .append(|out| machine.send(kind, payload, &mut scratch, out));
            slot.add_buffered(conn.outbox.len() - before);
            sent
        };
        sent.map_err(|error| send_failed(error, slot))?;
        if corked && cork.len() >= CORK {
            flush_into(conn, slot, &mut cork);
        }
        if conn.flags.broken || (!corked && !conn.outbox.is_empty()) {
            self.mark_dirty(conn);
        }
        let waiting = conn.outbox.len() + if corked { cork.len() } else { 0 };
        let over = waiting > conn.profile.high_water_mark;
        if over {
            slot.set_over_mark();
            self.mark_dirty(conn); // the next flush looks whether on_drain is due, even if the cork took it all
        }
        drop((conns, cork, scratch));
        self.ask_for_flush();
        Ok(if over { Sent::OverMark } else { Sent::Queued })
    }

    /// Lets a machine append control frames to what the connection sends next.
    pub(crate) fn write_control<T>(
        &self,
        conn: &mut Conn,
        slot: &Slot,
        write: impl FnOnce(&mut Stage, &mut Vec<u8>) -> T,
    ) -> T {
        if self.corked.get() == conn.id.slot() {
            return write(&mut conn.stage, &mut self.cork.borrow_mut());
        }
        let before = conn.outbox.len();
        let stage = &mut conn.stage;
        let result = conn.outbox.append(|out| write(stage, out));
        slot.add_buffered(conn.outbox.len() - before);
        self.mark_dirty(conn);
        result
    }

    /// Puts the socket on the list of those to flush; [`LoopCore::ask_for_flush`] follows when nothing is borrowed.
    pub(crate) fn mark_dirty(&self, conn: &mut Conn) {
        if !std::mem::replace(&mut conn.flags.dirty, true) {
            self.dirty.borrow_mut().push(conn.id.slot());
        }
    }

    /// Sends what the socket whose turn it is has in the cork.
    pub(crate) fn flush_cork(&self, id: Id) {
        let closing = {
            let mut cork = self.cork.borrow_mut();
            let mut conns = self.conns.borrow_mut();
            let Some(conn) = find(&mut conns, id) else {
                cork.clear();
                return;
            };
            if !cork.is_empty() {
                flush_into(conn, conn.slot, &mut cork);
                if conn.flags.broken {
                    self.mark_dirty(conn);
                }
            }
            cork.clear();
            conn.ending.is_some()
        };
        if closing {
            self.check_closing(id);
        }
    }

    pub(crate) fn flush_dirty(&self) {
        let mut list = self.dirty.take();
        for slot in list.drain(..) {
            let id = self.with_slot(slot, |conn| {
                conn.flags.dirty = false;
                conn.id
            });
            if let Some(id) = id {
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
            let Conn {
                stream: Some(stream),
                outbox,
                flags,
                ..
            } = conn
            else {
                return Ok(0);
            };
            if flags.broken {
                return Ok(0);
            }
            stream.flush()?;
            outbox.flush(stream)
        });
        match result {
            None => return,
            Some(Ok(count)) => slot.sub_buffered(count),
            Some(Err(error)) => self.write_failed(id, slot, &error),
        }
        if self.with_conn(id, |conn| conn.flags.broken) == Some(true) {
            return self.read_what_is_left(id);
        }
        if slot.ready_state() == ReadyState::Open && slot.take_drained() {
            self.deliver_drain(id);
        }
        self.serve_on(id);
        self.check_closing(id);
    }

    /// The peer takes nothing more. What it sent before, maybe a close frame, is still to be read.
    fn write_failed(&self, id: Id, slot: &Slot, error: &io::Error) {
        self.with_conn(id, |conn| {
            slot.sub_buffered(conn.outbox.len());
            conn.break_off(error);
        });
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
            let open = conn.is_open();
            conn.handler
                .clone()
                .filter(|_| open)
                .map(|handler| (handler, conn.websocket()))
        });
        if let Some(Some((handler, ws))) = handler {
            handler.on_drain(ws);
        }
    }
}

impl Conn {
    /// Open in the sense of the application: neither side has begun to close.
    pub(crate) fn is_open(&self) -> bool {
        matches!(&self.stage, Stage::Open(machine) if machine.ready_state() == ReadyState::Open)
    }

    fn break_off(&mut self, error: &io::Error) {
        self.outbox.clear();
        self.flags.broken = true;
        let failure = Error::new(ErrorCode::Io, format!("sending failed: {error}"));
        self.ending().error.get_or_insert(failure);
    }
}

#[inline(always)]
fn find(conns: &mut [Option<Box<Conn>>], id: Id) -> Option<&mut Conn> {
    let conn = conns.get_mut(id.slot() as usize)?.as_mut()?;
    (conn.id == id).then_some(conn)
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

/// Sends what is in the cork from `before` on, a header and the payload in one system call, the payload uncopied; keeps
/// what the system does not take.
fn send_beside(
    conn: &mut Conn,
    slot: &Slot,
    cork: &mut Vec<u8>,
    before: usize,
    kind: MessageType,
    payload: &[u8],
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
            conn.break_off(&error);
            head.len() + payload.len()
        }
    };
    let rest_of_head = head.get(taken..).unwrap_or_default();
    let rest_of_payload = &payload[taken.saturating_sub(head.len())..];
    conn.outbox.push(rest_of_head);
    conn.outbox.push(rest_of_payload);
    slot.add_buffered(rest_of_head.len() + rest_of_payload.len());
    cork.truncate(before);
    Ok(())
}

/// Masks a big payload straight into the outbox, behind what the cork holds from `before` on, and sends at once.
fn send_masked(
    conn: &mut Conn,
    slot: &Slot,
    cork: &mut Vec<u8>,
    before: usize,
    kind: MessageType,
    payload: &[u8],
    scratch: &mut Scratch,
) -> Result<(), SendError> {
    let Conn {
        stage: Stage::Open(machine),
        outbox,
        ..
    } = conn
    else {
        return Err(SendError::NotOpen);
    };
    outbox.push(&cork[before..]);
    cork.truncate(before);
    let sent = outbox.append(|out| machine.send(kind, payload, scratch, out));
    slot.add_buffered(outbox.len());
    if let Some(stream) = &mut conn.stream {
        match conn.outbox.flush(stream) {
            Ok(count) => slot.sub_buffered(count),
            Err(error) => {
                slot.sub_buffered(conn.outbox.len());
                conn.break_off(&error);
            }
        }
    }
    sent
}

/// Sends the cork, or puts it behind what waits already.
fn flush_into(conn: &mut Conn, slot: &Slot, cork: &mut Vec<u8>) {
    let mut taken = 0;
    if conn.flags.broken {
        taken = cork.len();
    } else if conn.outbox.is_empty()
        && let Some(stream) = &mut conn.stream
    {
        match stream.send(cork) {
            Ok(count) => taken = count,
            Err(error) if is_temporary(&error) => {}
            Err(error) => {
                conn.break_off(&error);
                taken = cork.len();
            }
        }
    }
    if taken < cork.len() {
        conn.outbox.push(&cork[taken..]);
        slot.add_buffered(cork.len() - taken);
    }
    cork.clear();
    if cork.capacity() > KEPT_CORK {
        cork.shrink_to(KEPT_CORK);
    }
}

fn is_temporary(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock // its event follows
}
