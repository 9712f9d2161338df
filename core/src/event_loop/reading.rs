//! From the socket to the handler.

use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::connection::{Conn, Flag, Held, HeldMessage, Stage};
use super::core::{LoopCore, NOBODY, RECEIVE_BUFFER};
use super::memory;
use super::stream::Input;
use super::writing::CORK;
use crate::error::Error;
use crate::handle::Id;
use crate::handler::{Edges, Handler, Message, MessagePart};
use crate::kept::Kept;
use crate::websocket::WebSocket;
use crate::ws::{End, Event, MessageType, Millis, Payload, ReadyState, Received};

/// How often one socket fills the receive buffer before the others get their turn.
const FULL_READS: usize = 8;

impl LoopCore {
    /// A socket's turn: one read, or more while the buffer comes back full; then one write.
    ///
    /// After a short read the socket is empty, and asking again would cost a system call, unless the peer has
    /// closed: data and end can share one edge-triggered event, and no other follows.
    ///
    /// Says whether there was something: data, the end, or an error.
    pub(crate) fn read(&self, id: Id, to_the_end: bool) -> bool {
        let mut is_any = true;
        let mut buffer = self.receive_buffer.take();
        buffer.resize(RECEIVE_BUFFER, 0);
        self.set_turn(id.slot());
        for round in 1.. {
            match self.receive(id, &mut buffer) {
                Some(Ok(Input::End)) => {
                    self.end_of_stream(id);
                    break;
                }
                Some(Ok(Input::Bytes { count, more })) => {
                    self.input(id, &mut buffer[..count]);
                    if !more && !to_the_end {
                        break;
                    }
                    if round >= FULL_READS {
                        self.unread.borrow_mut().push(id);
                        break;
                    }
                }
                Some(Ok(Input::Secured { count, more })) => {
                    self.secured(id);
                    self.input(id, &mut buffer[..count]);
                    if !more && !to_the_end {
                        break;
                    }
                }
                Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    is_any = round > 1;
                    break;
                }
                Some(Err(error)) => {
                    self.transport_failed(id, &error);
                    break;
                }
                None => {
                    is_any = round > 1;
                    break;
                }
            }
        }
        self.uncork(id);
        self.receive_buffer.replace(buffer);
        is_any
    }

    /// Says whose turn it is. A memory budget has each message judged, so there is no short way then.
    pub(crate) fn set_turn(&self, slot: u32) {
        self.corked.set(slot);
        self.followed.set(false);
        self.shortcut
            .set(if memory::has_budget() { NOBODY } else { slot });
    }

    /// Ends the socket's turn: what it wants to send leaves.
    pub(crate) fn uncork(&self, id: Id) {
        self.flush_cork(id);
        self.set_turn(NOBODY);
    }

    /// One read; `None` if the connection takes nothing now.
    fn receive(&self, id: Id, buffer: &mut [u8]) -> Option<io::Result<Input>> {
        self.with_conn(id, |conn| {
            if (!conn.takes_input() || conn.has_waiting()) && !conn.reads_ahead() {
                conn.flags.set(Flag::Unread, true);
                return None;
            }
            if matches!(&conn.stage, Stage::Open(machine) if machine.arriving() > 0)
                && let Some(placed) = self.receive_to_its_place(conn)
            {
                return Some(placed);
            }
            let received = conn.stream.as_mut()?.receive(buffer);
            if let Ok(Input::Bytes { count, .. } | Input::Secured { count, .. }) = &received {
                conn.slot.counters.bytes_in.add(*count as u64);
            }
            Some(received)
        })?
    }

    /// One read of what belongs to a long message, to where it is put together; `None` where that can't be.
    #[cold]
    fn receive_to_its_place(&self, conn: &mut Conn) -> Option<io::Result<Input>> {
        if conn.is_tls() {
            return None;
        }
        let (Stage::Open(machine), Some(stream)) = (&mut conn.stage, &mut conn.stream) else {
            return None;
        };
        let place = machine.place(&conn.profile.protocol)?;
        let at_most = place.at_most;
        let count = match stream.receive_onto(place.buffer, at_most) {
            Ok(0) => return Some(Ok(Input::End)),
            Ok(count) => count,
            Err(error) => return Some(Err(error)),
        };
        machine.placed(count, self.now());
        conn.recount();
        conn.slot.counters.bytes_in.add(count as u64);
        let more = count == at_most;
        Some(Ok(Input::Bytes { count: 0, more }))
    }

    /// Gives a connection its input, through as many stages as it passes.
    pub(crate) fn input(&self, id: Id, data: &mut [u8]) {
        let mut at = 0;
        while at < data.len() {
            at += match self.with_conn(id, |conn| conn.next_step()) {
                Some(Step::Frames) => self.frames(id, &mut data[at..]),
                Some(Step::Request) => self.request_bytes(id, &data[at..]),
                Some(Step::Body) => self.body_bytes(id, &data[at..]),
                Some(Step::Reply) => self.reply_bytes(id, &data[at..]),
                Some(Step::Response) => self.connecting_bytes(id, &data[at..]),
                Some(Step::Announce) => {
                    self.announce(id);
                    0
                }
                Some(Step::Wait) => {
                    self.with_conn(id, |conn| conn.stash(&data[at..]));
                    return;
                }
                Some(Step::Discard) | None => return,
            };
        }
        if self.with_conn(id, |conn| conn.flags.has(Flag::Unannounced)) == Some(true) {
            self.announce(id);
        }
    }

    /// Feeds an open connection until the input or the stage ends; returns how much was taken.
    fn frames(&self, id: Id, data: &mut [u8]) -> usize {
        let now = self.now();
        let mut handler: Option<Arc<dyn Handler>> = None;
        let mut heard: Option<WebSocket> = None;
        let (mut at, end) = (0, data.len());
        while let Some(rest) = data.get_mut(at..).filter(|rest| !rest.is_empty()) {
            if let Some((ws, kind, range)) = self.whole_message(id, rest, now, &mut handler) {
                heard = Some(ws);
                at += range.end;
                self.followed.set(at < end);
                // The machine has found the range in `rest`.
                let payload = rest.get(range).unwrap_or_default();
                match &handler {
                    Some(handler) => handler.on_message(ws, Message::new(kind, payload)),
                    None => self.hold(ws, kind, payload),
                }
            } else if let Some((ws, kind, range)) = self.whole_part(id, rest, now, &mut handler) {
                heard = Some(ws);
                at += range.end;
                self.followed.set(at < end);
                let payload = rest.get(range).unwrap_or_default();
                self.deliver_part(ws, handler.as_deref(), kind, payload, Edges::WHOLE);
            } else {
                let Some((ws, read)) = self.any_event(id, rest, now, &mut handler) else {
                    break;
                };
                heard = Some(ws);
                let received = match read {
                    ControlFlow::Continue(received) => received,
                    ControlFlow::Break(end) => {
                        let Some(received) = self.conclude(ws, end, now, handler.as_deref()) else {
                            break; // the handler has cut it
                        };
                        received
                    }
                };
                at += received.consumed;
                self.followed.set(at < end);
                self.deliver(ws, handler.as_deref(), received.event);
            }
            if self.cork.borrow().len() >= CORK {
                self.flush_cork(id);
            }
        }
        if let (Some(handler), Some(ws)) = (handler, heard) {
            handler.on_read_end(ws);
        }
        at
    }

    /// The end that has come: hosts that collect messages can have them answered before it is.
    #[cold]
    fn conclude<'a>(
        &self,
        ws: WebSocket,
        end: End<'a>,
        now: Millis,
        handler: Option<&dyn Handler>,
    ) -> Option<Received<'a>> {
        let open = self.with_conn(ws.id(), |conn| conn.is_open());
        if let (Some(true), Some(handler)) = (open, handler) {
            handler.on_ending(ws);
        }
        self.with_conn(ws.id(), |conn| {
            let Stage::Open(machine) = &mut conn.stage else {
                return None;
            };
            let (mut scratch, mut cork) = (self.scratch.borrow_mut(), self.cork.borrow_mut());
            let before = cork.len();
            let received = machine.conclude(end, now, &conn.profile.protocol, &mut scratch, &mut cork);
            let has_answered = cork.len() > before;
            conn.slot.counters.further_frames_out.add(u64::from(has_answered));
            Some(received)
        })?
    }

    /// The usual next message, if it is that.
    #[inline(always)]
    fn whole_message(
        &self,
        id: Id,
        data: &mut [u8],
        now: Millis,
        handler: &mut Option<Arc<dyn Handler>>,
    ) -> Option<(WebSocket, MessageType, Range<usize>)> {
        let mut conns = self.conns.borrow_mut();
        let conn = conns.at(id.slot())?;
        let Stage::Open(machine) = &mut conn.stage else {
            return None;
        };
        if conn.flags.has(Flag::Detour) {
            return None;
        }
        let (kind, range) = machine.whole_message(data, now, &conn.profile.protocol)?;
        conn.slot.counters.messages_in.add(1);
        keep_current(handler, &conn.handler);
        Some((conn.websocket(), kind, range))
    }

    /// The same for who wants messages in parts: this one has a single part.
    #[inline(never)]
    fn whole_part(
        &self,
        id: Id,
        data: &mut [u8],
        now: Millis,
        handler: &mut Option<Arc<dyn Handler>>,
    ) -> Option<(WebSocket, MessageType, Range<usize>)> {
        let mut conns = self.conns.borrow_mut();
        let conn = conns.at(id.slot())?;
        let Stage::Open(machine) = &mut conn.stage else {
            return None;
        };
        if !conn.profile.protocol.message_parts || conn.flags.has(Flag::Paused) {
            return None;
        }
        let (kind, range) = machine.whole_message(data, now, &conn.profile.protocol)?;
        conn.slot.counters.messages_in.add(1);
        keep_current(handler, &conn.handler);
        Some((conn.websocket(), kind, range))
    }

    /// The next event of any kind; `None` if the connection takes no frames any more.
    fn any_event<'a>(
        &self,
        id: Id,
        data: &'a mut [u8],
        now: Millis,
        handler: &mut Option<Arc<dyn Handler>>,
    ) -> Option<(WebSocket, ControlFlow<End<'a>, Received<'a>>)> {
        self.with_conn(id, |conn| {
            let Stage::Open(machine) = &mut conn.stage else {
                return None;
            };
            if conn.flags.has(Flag::Paused) {
                return None;
            }
            let (mut scratch, mut cork) = (self.scratch.borrow_mut(), self.cork.borrow_mut());
            let before = cork.len();
            let read = machine.advance(data, now, &conn.profile.protocol, &mut scratch, &mut cork);
            let mut has_answered = cork.len() > before;
            if let ControlFlow::Continue(Received {
                event: Some(Event::Ping(payload)),
                ..
            }) = &read
                && has_answered
                && conn.postpones_pong(payload, cork.len())
            {
                cork.truncate(before);
                has_answered = false;
            }
            conn.recount();
            conn.slot
                .counters
                .count_event(&read, scratch.take_frames(), has_answered);
            if let Some(ratio) = scratch.take_ratio() {
                conn.slot.count_ratio(&ratio);
            }
            keep_current(handler, &conn.handler);
            Some((conn.websocket(), read))
        })?
    }

    fn deliver(&self, ws: WebSocket, handler: Option<&dyn Handler>, event: Option<Event<'_>>) {
        match event {
            Some(Event::Message { kind, payload }) => {
                let show = |payload: &[u8], kept: Option<&Kept>| match handler {
                    Some(handler) => handler.on_message(ws, Message::new(kind, payload).or_kept(kept)),
                    None => self.hold(ws, kind, payload),
                };
                match payload {
                    Payload::Borrowed(payload) => show(payload, None),
                    Payload::Owned(payload) => {
                        if let Some(spent) = Kept::show(payload, show) {
                            self.scratch.borrow_mut().recycle(spent);
                        }
                    }
                }
            }
            Some(Event::Part {
                kind,
                payload,
                is_first,
                is_last,
            }) => {
                self.deliver_part(ws, handler, kind, &payload, Edges { is_first, is_last });
                if let Payload::Owned(spent) = payload {
                    self.scratch.borrow_mut().recycle(spent);
                }
            }
            Some(other) => self.control(ws, handler, other),
            None => {}
        }
    }

    fn deliver_part(
        &self,
        ws: WebSocket,
        handler: Option<&dyn Handler>,
        kind: MessageType,
        payload: &[u8],
        edges: Edges,
    ) {
        let skipped = self.with_conn(ws.id(), |conn| {
            let skipped = conn.flags.has(Flag::Skipping);
            conn.flags.set(Flag::Skipping, skipped && !edges.is_last);
            if !skipped && handler.is_none() {
                conn.hold_part(kind, payload, edges);
            }
            skipped
        });
        if let (Some(false), Some(handler)) = (skipped, handler) {
            handler.on_message_part(ws, MessagePart::new(kind, payload, edges));
        }
    }

    fn control(&self, ws: WebSocket, handler: Option<&dyn Handler>, event: Event<'_>) {
        match event {
            Event::Ping(payload) => {
                if let Some(handler) = handler {
                    handler.on_ping(ws, &payload);
                }
            }
            Event::Pong { payload, is_answer } => {
                if is_answer {
                    self.note_latency(ws.id());
                }
                if let Some(handler) = handler {
                    handler.on_pong(ws, &payload);
                }
            }
            Event::Close { code, reason } => self.close_received(ws.id(), code, &reason),
            Event::Failed(error) => self.lost(ws.id(), Some(Error::protocol(error)), true),
            Event::Message { .. } | Event::Part { .. } => {} // delivered by the caller
        }
    }

    fn note_latency(&self, id: Id) {
        let micros = self.micros();
        self.with_conn(id, |conn| {
            if let Stage::Open(machine) = &mut conn.stage {
                machine.answered_at(micros);
                conn.slot.set_latency(machine.latency());
            }
        });
    }

    fn close_received(&self, id: Id, code: Option<u16>, reason: &[u8]) {
        // RFC 6455 §7.1.5: 1005 stands for a close frame without a code.
        let received = (code.unwrap_or(1005), String::from_utf8_lossy(reason).into_owned());
        let now = self.now();
        self.with_conn(id, |conn| {
            conn.ending().received = Some(received);
            conn.note_closing(now);
        });
        if let Some(slot) = self.shared().slots.get(id) {
            slot.set_ready_state(ReadyState::Closing);
        }
        self.arm(id);
    }

    /// Keeps a message for a handler that isn't there yet.
    fn hold(&self, ws: WebSocket, kind: MessageType, payload: &[u8]) {
        self.with_conn(ws.id(), |conn| {
            conn.held().hold(kind, payload, None);
            conn.recount();
        });
    }

    /// Calls `on_open`, or remembers it for a handler that isn't there yet.
    pub(crate) fn announce(&self, id: Id) {
        let handler = self.with_conn(id, |conn| {
            if !conn.flags.take(Flag::Unannounced) || conn.flags.has(Flag::Ended) {
                return None;
            }
            if conn.handler.is_none() && !conn.flags.has(Flag::Reopened) {
                conn.held().open = true;
            }
            let reopened = conn.flags.take(Flag::Reopened);
            let handler = conn.handler.clone()?;
            Some((handler, conn.websocket(), reopened))
        });
        match handler.flatten() {
            Some((handler, ws, false)) => handler.on_open(ws),
            Some((handler, ws, true)) => handler.on_reconnected(ws),
            None => {}
        }
    }

    /// Announces connections that opened outside their socket's turn, and lets their early bytes in.
    pub(crate) fn announce_opened(&self) {
        let list = self.opened.take();
        for id in list {
            self.with_turn(id, || {
                self.announce(id);
                self.release_held(id);
                self.feed_stash(id);
            });
        }
    }

    /// Does something as part of a socket's turn, so that what it sends leaves in one write.
    pub(crate) fn with_turn(&self, id: Id, act: impl FnOnce()) {
        debug_assert_eq!(self.corked.get(), NOBODY, "turns of sockets don't nest");
        self.set_turn(id.slot());
        act();
        self.uncork(id);
    }

    /// Lets in what was stashed, then reads on if the system had announced more.
    pub(crate) fn feed_stash(&self, id: Id) {
        let stash = self.with_conn(id, |conn| {
            let ready = conn.takes_input();
            ready.then(|| {
                let stash = conn.take_stash();
                (stash, conn.flags.take(Flag::Unread))
            })
        });
        let Some(Some((stash, unread))) = stash else {
            return;
        };
        if let Some(mut stash) = stash {
            self.input(id, &mut stash.0);
        }
        if unread {
            self.unread.borrow_mut().push(id);
        }
    }

    /// Delivers what waited for a handler.
    pub(crate) fn release_held(&self, id: Id) {
        let held = self.with_conn(id, |conn| {
            let handler = conn.handler.clone()?;
            let held = conn.take_held()?;
            Some((handler, conn.websocket(), held))
        });
        let Some(Some((handler, ws, held))) = held else {
            return;
        };
        let Held {
            open,
            messages,
            sent,
            dropped,
            ..
        } = *held;
        if dropped > 0 {
            log::warn!("{dropped} messages were dropped: no handler was set before 1 MiB had come");
        }
        if open {
            handler.on_open(ws);
        }
        for (token, outcome) in sent {
            handler.on_sent(ws, token, outcome);
        }
        for HeldMessage { kind, payload, edges } in messages {
            match edges {
                None => handler.on_message(ws, Message::new(kind, &payload)),
                Some(edges) => handler.on_message_part(ws, MessagePart::new(kind, &payload, edges)),
            }
        }
    }
}

/// What a connection does with its next byte.
enum Step {
    Frames,
    Request,
    Body,
    Response,
    Reply,
    Announce,
    Wait,
    Discard,
}

impl Conn {
    fn next_step(&self) -> Step {
        match &self.stage {
            Stage::Open(_) if self.flags.has(Flag::Unannounced) => Step::Announce,
            Stage::Open(_) if self.flags.has(Flag::Paused) => Step::Wait,
            Stage::Open(_) => Step::Frames,
            Stage::Serving(serving) if serving.takes_body() => Step::Body,
            Stage::Serving(serving) if serving.takes_input() => Step::Request,
            Stage::Serving(_) => Step::Wait,
            Stage::Connecting(_) => Step::Response,
            Stage::Requesting(_) => Step::Reply,
            Stage::Away(_) | Stage::Lingering(_) | Stage::Over => Step::Discard,
        }
    }
}

/// A handler may be exchanged between two messages of one read; mostly it is not, and no count is touched.
#[inline(always)]
fn keep_current(handler: &mut Option<Arc<dyn Handler>>, current: &Option<Arc<dyn Handler>>) {
    let same = match (&*handler, current) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    };
    if !same {
        handler.clone_from(current);
    }
}
