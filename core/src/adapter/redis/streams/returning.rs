//! Sessions whose connections were lost are kept in Redis. When a client comes back to a node, what it has missed is looked
//! up in the stream, up to where that node has read it; what it reads from then on is kept for the client until that is
//! done.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::super::{
    Adapter, BroadcastOptions, BroadcastPacket, Host, Progress, Reply, Restored, Session,
};
use super::super::Fields;
use super::super::cluster::{Cluster, Message, Wire};
use super::entry::Entry;
use super::session::Marks;
use super::stored::{Stored, with_offset};
use super::{id, session};
use crate::adapter::AdapterError;
use crate::ws::Millis;

/// So many entries are asked for at once.
const PAGE: usize = 500;
/// Who has missed more than so many events, or bytes of them, begins anew.
const MAX_MISSED: usize = 10_000;
const MAX_MISSED_BYTES: usize = 64 << 20;
/// So many clients may come back to a namespace at once; who comes then begins anew.
const MAX_RETURNING: usize = 10_000;
/// A private id that is longer is none.
const MAX_PID: usize = 128;
/// How often it is looked whether this node has read the stream far enough, in milliseconds.
const LOOK_EVERY: Millis = 20;

/// A session that is being restored.
pub(super) struct Returning {
    number: u64,
    /// The node that it was on may not know that it has gone.
    is_live: bool,
    session: Session,
    rooms: HashSet<Arc<str>>,
    missed: Missed,
    /// What this node has read meanwhile; it comes behind what is looked up.
    heard: Missed,
    reply: Reply<Option<Restored>>,
}

/// Events, oldest first.
#[derive(Default)]
struct Missed {
    packets: Vec<BroadcastPacket>,
    bytes: usize,
    /// The last one that has an offset.
    last: u128,
}

impl Missed {
    fn push(&mut self, packet: BroadcastPacket, id: Option<u128>) {
        if self.is_too_much() {
            return;
        }
        let attachments = packet.attachments.iter().map(|data| data.len());
        self.bytes += packet.array.len() + attachments.sum::<usize>();
        self.packets.push(packet);
        self.last = id.unwrap_or(self.last);
    }

    fn is_too_much(&self) -> bool {
        self.packets.len() > MAX_MISSED || self.bytes > MAX_MISSED_BYTES
    }
}

impl Returning {
    /// This node has sent something to its sockets.
    pub(super) fn hear(&mut self, packet: &BroadcastPacket, id: Option<u128>, options: &BroadcastOptions) {
        if self.is_for(options) {
            self.heard.push(packet.clone(), id);
        }
    }

    /// It can't be restored.
    pub(super) fn fail(self) {
        (self.reply)(None);
    }

    /// Whether the session would have got it.
    fn is_for(&self, options: &BroadcastOptions) -> bool {
        let any = |names: &[Arc<str>]| names.iter().any(|name| self.rooms.contains(name));
        (options.rooms.is_empty() || any(&options.rooms)) && !any(&options.except)
    }

    /// An entry that was looked up.
    fn look_at(&mut self, namespace: &str, number: u128, fields: &Fields) {
        let entry = Entry::new(fields);
        if entry.namespace != namespace || entry.kind != "3" {
            return;
        }
        if let Ok(Message::Broadcast {
            packet,
            options,
            request: None,
        }) = entry.message()
            && !options.flags.volatile
            && self.is_for(&options)
        {
            self.missed.push(with_offset(&packet, number), Some(number));
        }
    }

    /// What is known of it in the end.
    fn finish(mut self) {
        for packet in std::mem::take(&mut self.heard.packets) {
            self.missed.push(packet, None);
        }
        if self.missed.is_too_much() || self.heard.is_too_much() {
            return self.fail();
        }
        let mut session = self.session;
        session.progress.sent = self.missed.last.max(self.heard.last);
        let missed = self.missed.packets;
        (self.reply)(Some(Restored { session, missed }));
    }
}

/// The entries that have to be looked at: those behind one, up to another.
#[derive(Clone, Copy)]
struct Gap {
    after: u128,
    until: u128,
    /// The entry from which the next ones are asked for.
    next: u128,
    seen: usize,
}

impl<H: Host + 'static> Cluster<H, Stored> {
    /// Keeps a session for the node to which its client comes back.
    pub(super) fn keep(&self, session: Session) {
        self.wire.live.remove(&session.sid);
        if let Some(ttl) = self.wire.shared.options.max_disconnection {
            self.keep_for(ttl, session, false);
        }
    }

    /// Keeps the session of a client that is connected, if it is still.
    pub(super) fn keep_live(&self, id: &Arc<str>) {
        let host = self.local.host();
        let is_live = |_: &H::Member| self.wire.live.has(id);
        let session = host
            .find(id)
            .filter(is_live)
            .and_then(|member| host.session(&member));
        if let (Some(mut session), Some(ttl)) = (session, self.wire.shared.options.max_disconnection) {
            session.rooms = self.local.socket_rooms(id);
            self.keep_for(ttl.saturating_add(self.wire.turn()), session, true);
        }
    }

    fn keep_for(&self, ttl: Millis, mut session: Session, is_live: bool) {
        let at = {
            let state = self.wire.state.lock();
            // Read now, when nothing can be sent.
            if let Some(member) = self.local.host().find(&session.sid) {
                session.progress = self.local.host().progress(&member);
            }
            self.wire.position(&state)
        };
        let marks = at.map(|at| Marks {
            progress: session.progress,
            at: match session.progress.sent {
                // It may have been sent just before the reader took note of it.
                sent if sent != u128::MAX => at.max(sent),
                _ => at,
            },
            is_live,
        });
        match session::write(&session, marks) {
            Ok(value) => self.bus.set(&self.wire.key(&session.pid), value, ttl),
            Err(error) => log::error!("a session was not kept: {error}"),
        }
    }

    /// Finds a session, and what its client has missed.
    pub(super) fn bring_back(&self, pid: &str, offset: Option<&str>, reply: Reply<Option<Restored>>) {
        let options = &self.wire.shared.options;
        let is_full = self.wire.state.lock().returning.len() >= MAX_RETURNING;
        if options.max_disconnection.is_none() || pid.len() > MAX_PID || is_full {
            return reply(None);
        }
        let (me, offset) = (self.me(), offset.and_then(id::parse));
        let taken = move |value: Result<Option<Vec<u8>>, AdapterError>| {
            let session = value.ok().flatten().and_then(|value| session::read(&value));
            match (me.upgrade(), session) {
                (Some(cluster), Some((session, marks))) => cluster.look_up(session, marks, offset, reply),
                _ => reply(None),
            }
        };
        self.bus.take(&self.wire.key(pid), Box::new(taken));
    }

    /// On the bus' thread, as all that follows.
    fn look_up(
        &self,
        mut session: Session,
        marks: Option<Marks>,
        offset: Option<u128>,
        reply: Reply<Option<Restored>>,
    ) {
        let after = match (marks, offset) {
            // It has all that was sent to it; if it was still connected, maybe more.
            (Some(marks), seen) if seen.unwrap_or(0) >= marks.progress.sent => match marks.is_live {
                true => marks.at.max(seen.unwrap_or(0)),
                false => marks.at,
            },
            (Some(marks), seen) => seen.unwrap_or(0).max(marks.progress.since.saturating_sub(1)),
            (None, Some(seen)) => seen,
            // An official node has kept it, which knows less.
            (None, None) => return reply(None),
        };
        session.progress = Progress {
            since: after.saturating_add(1),
            sent: 0,
        };
        let is_live = marks.is_some_and(|marks| marks.is_live);
        if is_live {
            self.end_former(&session.sid);
        }
        let returning = Returning {
            number: 0,
            is_live,
            rooms: session.rooms.iter().cloned().collect(),
            session,
            missed: Missed::default(),
            heard: Missed::default(),
            reply,
        };
        self.begin(
            returning,
            after,
            self.wire.shared.options.requests_timeout / LOOK_EVERY,
        );
    }

    /// Whoever still has the client's former socket disconnects it: it will not hear of it any more. Others' orders to do so
    /// come by the stream; that one came beside it says that the client is elsewhere.
    fn end_former(&self, id: &str) {
        let options = BroadcastOptions {
            rooms: vec![id.into()],
            ..BroadcastOptions::default()
        };
        Stored::publish(self, Message::Disconnect { options, close: true });
        if let Some(member) = self.local.host().find(id) {
            self.wire.live.remove(id);
            self.local.host().disconnect(&member, true);
        }
    }

    /// Whether a client's former socket is still on this node.
    fn is_still_here(&self, returning: &Returning) -> bool {
        returning.is_live && self.local.host().find(&returning.session.sid).is_some()
    }

    /// Begins when this node has read so far that it can't send again what was sent already.
    fn begin(&self, mut returning: Returning, after: u128, patience: Millis) {
        let mut state = self.wire.state.lock();
        match self.wire.position(&state) {
            Some(position)
                if position >= after && !state.own.is_ahead() && !self.is_still_here(&returning) =>
            {
                state.returns += 1;
                returning.number = state.returns;
                let number = returning.number;
                state.returning.push(returning);
                drop(state);
                let gap = Gap {
                    after,
                    until: position,
                    next: after,
                    seen: 0,
                };
                match position == after {
                    true => self.end(number, true),
                    false => self.ask_for_page(number, gap),
                }
            }
            _ if patience == 0 => {
                drop(state);
                log::debug!("this node has not read the stream far enough for a session");
                returning.fail();
            }
            _ => {
                drop(state);
                self.after(LOOK_EVERY, move |cluster| {
                    cluster.begin(returning, after, patience - 1);
                });
            }
        }
    }

    fn ask_for_page(&self, number: u64, gap: Gap) {
        let me = self.me();
        let reply = move |entries: Result<Vec<super::super::Entry>, AdapterError>| {
            let Some(cluster) = me.upgrade() else { return };
            match entries {
                Ok(entries) => cluster.look_at_page(number, gap, &entries),
                Err(error) => {
                    log::debug!("what a session has missed can't be looked up: {error}");
                    cluster.end(number, false);
                }
            }
        };
        self.bus.range(
            &self.wire.stream,
            &id::text(gap.next),
            &id::text(gap.until),
            PAGE,
            Box::new(reply),
        );
    }

    fn look_at_page(&self, number: u64, mut gap: Gap, entries: &[super::super::Entry]) {
        // The last one that is known must still be there; then so are those behind it.
        let first = entries.first().and_then(|(id, _)| id::parse(id));
        if gap.seen == 0 && gap.after != 0 && first != Some(gap.after) {
            return self.end(number, false);
        }
        let is_last = entries.len() < PAGE;
        {
            let mut state = self.wire.state.lock();
            let Some(returning) = state.returning.iter_mut().find(|one| one.number == number) else {
                return;
            };
            for (id, fields) in entries {
                let Some(id) = id::parse(id) else { continue };
                if id > gap.after {
                    returning.look_at(&self.namespace, id, fields);
                }
                gap.next = id.saturating_add(1);
            }
        }
        gap.seen += entries.len();
        // Of a stream that was empty it is only known that it is whole if nothing can have been cut off.
        if gap.after == 0 && gap.seen >= self.wire.shared.options.max_len {
            return self.end(number, false);
        }
        match is_last || gap.next > gap.until {
            true => self.end(number, true),
            false => self.ask_for_page(number, gap),
        }
    }

    /// Lets the session go on, with nothing sent to others in between: that happens on this thread.
    fn end(&self, number: u64, is_whole: bool) {
        let returning = {
            let mut state = self.wire.state.lock();
            let place = state.returning.iter().position(|one| one.number == number);
            place.map(|place| state.returning.swap_remove(place))
        };
        match returning {
            Some(returning) if is_whole => returning.finish(),
            Some(returning) => returning.fail(),
            None => {}
        }
    }
}
