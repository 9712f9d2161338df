//! One socket with what it is at: connecting, speaking HTTP, open as a WebSocket, or lingering after its end.

use std::sync::Arc;

use super::connecting::Connecting;
use super::exchange::Cut;
use super::outbox::Outbox;
use super::parts::Waiting;
use super::pongs::WaitingPong;
use super::progress::InFlight;
use super::requesting::Requesting;
use super::returning::{Away, Returning};
use super::serving::Serving;
use super::slot::{OutboxLimits, Slot};
use super::stream::Stream;
use super::tracking::Tracking;
use super::writing::CORK;
use crate::error::Error;
use crate::handle::Id;
use crate::handler::{CloseEvent, Edges, Handler};
use crate::settings::{Settings, SlowConsumer};
use crate::websocket::{SendOutcome, WebSocket};
use crate::ws::{self, Agreement, Compression, Connection, MessageType, Millis, Role};

/// The longest header of a frame.
const MAX_HEADER: usize = 14;
/// No deadline is set.
pub(crate) const NEVER: Millis = Millis::MAX;
/// No server: a client's connection.
pub(crate) const NO_SERVER: u32 = u32::MAX;

/// What connections of one server, or one client, have in common.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) protocol: ws::Config,
    pub(crate) high_water_mark: usize,
    /// `usize::MAX` where there is no limit.
    pub(crate) hard_limit: usize,
    /// What the cork may hold of one connection without anything to be looked at.
    pub(crate) cork_room: usize,
    /// TCP_USER_TIMEOUT, where the application has chosen one.
    #[cfg(target_os = "linux")]
    pub(crate) user_timeout: Option<std::time::Duration>,
    pub(crate) compression: Option<Compression>,
    pub(crate) slow_consumer: SlowConsumer,
    /// The same for other threads.
    pub(crate) limits: OutboxLimits,
}

impl Profile {
    pub(crate) fn new(settings: &Settings) -> Profile {
        let hard_limit = if settings.hard_limit == 0 {
            usize::MAX
        } else {
            settings.hard_limit
        };
        // A frame's header is part of what counts.
        let cork_room = settings.high_water_mark.min(CORK).saturating_sub(MAX_HEADER);
        Profile {
            protocol: settings.protocol(),
            high_water_mark: settings.high_water_mark,
            hard_limit,
            // Messages that the policy may drop keep their boundaries, so none of them goes the shortest way.
            cork_room: if settings.slow_consumer.drops_waiting() {
                0
            } else {
                cork_room
            },
            #[cfg(target_os = "linux")]
            user_timeout: settings.tcp.user_timeout,
            compression: settings.compression,
            slow_consumer: settings.slow_consumer,
            limits: OutboxLimits::of(settings),
        }
    }

    /// What is to be known of a message of such a connection.
    pub(crate) fn tracking(&self, asked: Tracking) -> Tracking {
        Tracking {
            may_drop: self.slow_consumer.drops_waiting(),
            ..asked
        }
    }
}

pub(crate) enum Stage {
    /// A client's way to an open connection.
    Connecting(Box<Connecting>),
    /// A client that waits for its next attempt.
    Away(Box<Away>),
    /// A server's connection before, or without, an upgrade.
    Serving(Box<Serving>),
    Open(Connection),
    /// A client's connection for HTTP requests.
    Requesting(Box<Requesting>),
    /// The handle has ended; what was sent may still arrive, if the socket isn't reset by closing it with bytes
    /// unread. Ends when the peer closes too, or at this time.
    Lingering(Millis),
    /// Nothing is left to do with the socket.
    Over,
}

pub(crate) struct Conn {
    pub(crate) id: Id,
    /// What other threads see of it.
    pub(crate) slot: &'static Slot,
    /// Which server it came to: its slot.
    pub(crate) server: u32,
    pub(crate) stream: Option<Stream>,
    pub(crate) stage: Stage,
    pub(crate) outbox: Outbox,
    pub(crate) profile: Arc<Profile>,
    pub(crate) handler: Option<Arc<dyn Handler>>,
    pub(crate) user_data: usize,
    /// The earliest entry in the wheel that is this connection's.
    pub(crate) armed: Millis,
    pub(crate) flags: Flags,
    /// What few connections have.
    rare: Option<Box<Rare>>,
}

/// What few connections have, so that the others pay one pointer for it.
#[derive(Default)]
pub(crate) struct Rare {
    /// What was on its way when the latest idle ping went out behind it.
    pub(crate) in_flight: Option<InFlight>,
    /// A pong that waits in the outbox.
    pub(crate) waiting_pong: Option<WaitingPong>,
    /// Messages that wait until another one that is sent in parts is complete.
    pub(crate) deferred: Option<Waiting>,
    /// Bytes that came while the connection could not take them: it is paused, or an answer is under way.
    pub(crate) stash: Option<Stash>,
    /// What is counted as kept besides what waits to be sent.
    aside: usize,
    pub(crate) ending: Option<Box<Ending>>,
    pub(crate) held: Option<Box<Held>>,
    /// Of a client that comes back when its connection is lost.
    pub(crate) returning: Option<Box<Returning>>,
}

/// What is true of a connection or not.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Flag {
    /// The application asked not to read.
    Paused,
    /// Whole messages don't take their short way: it is paused, or has them in parts.
    Detour,
    /// A part of the message that arrives was dropped, so the others are no use.
    Skipping,
    /// The system has said that there is something to read, and it was not read yet.
    Unread,
    /// On the loop's list of sockets to flush.
    Dirty,
    /// The system has not taken all that it was last given of what waits.
    Blocked,
    /// The system announces what is to be read, and not that there is room to write: nothing waits.
    ReadingOnly,
    /// What waits was given to the system together with others' output: its turn among those to flush is not to try again.
    Offered,
    /// Writing failed: what is left to read, maybe the peer's close frame, comes first.
    Broken,
    /// `on_open` is still to be called.
    Unannounced,
    /// `on_reconnected` is to be called instead.
    Reopened,
    /// We have begun to close: a client doesn't come back from that.
    Leaving,
    /// `on_close` has been called or is about to be: nothing more is delivered.
    Ended,
    /// The application has never heard of it: it ended before an upgrade.
    Silent,
    /// An answer to its upgrade was accepted for delivery and could not be given: its handler hears of that.
    FailedAnswer,
    /// It ended while an answer to its upgrade was on the way from another thread, who thinks that it counts.
    Answering,
    /// The server had no room for it: it is told so, and counts nowhere.
    Excess,
    /// Its last events are delivered.
    Told,
    /// It ended before a handler was there.
    Orphaned,
    /// It was upgraded by a route: it hears no broadcast of the server's.
    Routed,
    /// The latest ping was not an idle one.
    AskedByApplication,
}

/// A bit for each, as there are many connections.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Flags(u32);

impl Flags {
    #[inline(always)]
    pub(crate) fn has(self, flag: Flag) -> bool {
        self.0 & 1 << flag as u32 != 0
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, flag: Flag, is_so: bool) {
        let bit = 1 << flag as u32;
        self.0 = if is_so { self.0 | bit } else { self.0 & !bit };
    }

    /// Takes it back; whether it was so.
    #[inline(always)]
    pub(crate) fn take(&mut self, flag: Flag) -> bool {
        let was = self.has(flag);
        self.set(flag, false);
        was
    }

    /// Makes it so; whether it was before.
    #[inline(always)]
    pub(crate) fn raise(&mut self, flag: Flag) -> bool {
        let was = self.has(flag);
        self.set(flag, true);
        was
    }
}

/// Input for later.
#[derive(Debug, Default)]
pub(crate) struct Stash(pub(crate) Vec<u8>);

/// How the connection ends, as far as it is known yet.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// Of the peer's close frame.
    pub(crate) received: Option<(u16, String)>,
    pub(crate) error: Option<Error>,
    /// Why we gave it up, whatever comes then.
    pub(crate) verdict: Option<Error>,
    pub(crate) was_clean: bool,
    /// Of a request whose answer nobody gave.
    pub(crate) cut: Option<Cut>,
    /// When our close frame was sent.
    pub(crate) closing_since: Option<Millis>,
}

impl Ending {
    pub(crate) fn event(&self) -> CloseEvent {
        // RFC 6455 §7.1.5: 1006 where no close frame came.
        let (code, reason) = self.received.clone().unwrap_or((1006, String::new()));
        CloseEvent {
            code,
            reason,
            was_clean: self.was_clean,
        }
    }
}

/// Events that wait for a handler.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) open: bool,
    pub(crate) messages: Vec<HeldMessage>,
    pub(crate) sent: Vec<(u64, SendOutcome)>,
    pub(crate) bytes: usize,
    pub(crate) dropped: u64,
}

#[derive(Debug)]
pub(crate) struct HeldMessage {
    pub(crate) kind: MessageType,
    pub(crate) payload: Box<[u8]>,
    /// Of a part of a message.
    pub(crate) edges: Option<Edges>,
}

/// What may wait for a handler, with a share for each message's own cost.
pub(crate) const MAX_HELD: usize = 1 << 20;
const MESSAGE_COST: usize = 64;

impl Held {
    /// Says whether there was room for it.
    pub(crate) fn hold(&mut self, kind: MessageType, payload: &[u8], edges: Option<Edges>) -> bool {
        let cost = payload.len() + MESSAGE_COST;
        if self.bytes + cost > MAX_HELD {
            self.dropped += 1;
            return false;
        }
        self.bytes += cost;
        let payload = payload.into();
        self.messages.push(HeldMessage { kind, payload, edges });
        true
    }

    /// Drops the parts of a message that lacks one.
    fn drop_unfinished(&mut self) {
        let is_unfinished = |held: &mut HeldMessage| held.edges.is_some_and(|edges| !edges.is_last);
        while let Some(part) = self.messages.pop_if(is_unfinished) {
            self.bytes -= part.payload.len() + MESSAGE_COST;
        }
    }
}

impl Conn {
    pub(crate) fn new(id: Id, slot: &'static Slot, server: u32, stage: Stage, profile: Arc<Profile>) -> Conn {
        Conn {
            id,
            slot,
            server,
            stream: None,
            stage,
            outbox: Outbox::default(),
            profile,
            handler: None,
            user_data: 0,
            armed: NEVER,
            flags: Flags::default(),
            rare: None,
        }
    }

    /// The handle as events carry it.
    pub(crate) fn websocket(&self) -> WebSocket {
        WebSocket::new(self.id, self.user_data)
    }

    /// Whether bytes from the socket can be taken now.
    pub(crate) fn takes_input(&self) -> bool {
        match &self.stage {
            Stage::Serving(serving) => serving.takes_input(),
            Stage::Open(_) => !self.flags.has(Flag::Paused),
            Stage::Connecting(_) | Stage::Requesting(_) | Stage::Lingering(_) => true,
            Stage::Away(_) | Stage::Over => false,
        }
    }

    /// Whether earlier input waits to be let in, at the end of the turn in which a call has made way for it: what the
    /// socket has comes after that.
    pub(crate) fn has_waiting(&self) -> bool {
        self.rare()
            .is_some_and(|rare| rare.stash.is_some() || (rare.held.is_some() && self.handler.is_some()))
    }

    /// When something has to happen if nothing else does.
    pub(crate) fn deadline(&self) -> Millis {
        match &self.stage {
            Stage::Connecting(connecting) => connecting.deadline().min(self.kept_deadline()),
            Stage::Serving(serving) => serving.deadline,
            Stage::Open(machine) => {
                let protocol = machine.next_timeout(&self.profile.protocol).unwrap_or(NEVER);
                protocol.min(self.outbox.earliest_deadline())
            }
            Stage::Requesting(requesting) => requesting.deadline(),
            Stage::Lingering(deadline) => *deadline,
            Stage::Away(away) => away.until.min(self.kept_deadline()),
            Stage::Over => NEVER,
        }
    }

    /// When the timer has to look at the connection. An answer makes the next ping due before the unanswered peer
    /// would have been given up, and data sets no timer: so it looks at least once in a ping interval.
    pub(crate) fn look_at(&self, now: Millis) -> Millis {
        let deadline = self.deadline();
        match (&self.stage, self.profile.protocol.ping_interval) {
            (Stage::Open(_), 1..) => deadline.min(now.saturating_add(self.profile.protocol.ping_interval)),
            _ => deadline,
        }
    }

    /// The opening handshake is done: frames follow.
    pub(crate) fn open(&mut self, role: Role, now: Millis, agreed: Option<&Agreement>) {
        let machine = match (agreed, &self.profile.compression) {
            (Some(agreed), Some(wanted)) => Connection::with_deflate(role, now, agreed, wanted),
            _ => Connection::new(role, now),
        };
        self.stage = Stage::Open(machine);
        if let Some(rare) = &mut self.rare {
            rare.waiting_pong = None;
        }
        self.flags.set(Flag::Unannounced, true);
        self.flags.set(
            Flag::Detour,
            self.profile.protocol.message_parts || self.flags.has(Flag::Paused),
        );
    }

    /// Keeps a part of a message for a handler that isn't there yet; without room, drops the message.
    pub(crate) fn hold_part(&mut self, kind: MessageType, payload: &[u8], edges: Edges) {
        let held = self.held();
        if !held.hold(kind, payload, Some(edges)) {
            held.drop_unfinished();
            self.flags.set(Flag::Skipping, !edges.is_last);
        }
        self.recount();
    }

    /// Counts what is kept for a handler, for reading to go on, and of a message that is not complete.
    pub(crate) fn recount(&mut self) {
        let held = self.rare().and_then(|rare| rare.held.as_ref());
        let held = held.map_or(0, |held| held.bytes);
        let stash = self.rare().and_then(|rare| rare.stash.as_ref());
        let stashed = stash.map_or(0, |stash| stash.0.len());
        let arriving = match &self.stage {
            Stage::Open(machine) => machine.arriving(),
            Stage::Serving(serving) => serving.arriving(),
            Stage::Requesting(requesting) => requesting.arriving(),
            _ => 0,
        };
        let now = held + stashed + arriving;
        let before = self.rare.as_ref().map_or(0, |rare| rare.aside);
        if now != before {
            self.slot.keeps_aside(before, now);
            self.rare_mut().aside = now;
            self.tidy();
        }
    }

    /// Takes what was stashed.
    pub(crate) fn take_stash(&mut self) -> Option<Stash> {
        let stash = self.rare.as_mut()?.stash.take();
        self.recount();
        self.tidy();
        stash
    }

    /// Takes what waits for the end of a message.
    pub(crate) fn take_deferred(&mut self) -> Option<Waiting> {
        let waiting = self.rare.as_mut()?.deferred.take();
        self.tidy();
        waiting
    }

    pub(crate) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Gives memory back that nothing is in.
    pub(crate) fn tidy(&mut self) {
        self.rare.take_if(|rare| {
            rare.aside == 0
                && rare.in_flight.is_none()
                && rare.waiting_pong.is_none()
                && rare.deferred.is_none()
                && rare.stash.is_none()
                && rare.ending.is_none()
                && rare.held.is_none()
                && rare.returning.is_none()
        });
    }

    /// Nothing is kept any more.
    pub(crate) fn uncount(&mut self) {
        let Some(rare) = &mut self.rare else { return };
        // How it ends, and whether it comes back, is not what is kept of its input.
        let kept = Rare {
            ending: rare.ending.take(),
            held: rare.held.take(),
            returning: rare.returning.take(),
            ..Rare::default()
        };
        let aside = std::mem::replace(&mut **rare, kept).aside;
        self.slot.keeps_aside(aside, 0);
        self.tidy();
    }

    /// Of a client that comes back.
    pub(crate) fn returning(&self) -> Option<&Returning> {
        self.rare()?.returning.as_deref()
    }

    pub(crate) fn returning_mut(&mut self) -> Option<&mut Returning> {
        self.rare.as_mut()?.returning.as_deref_mut()
    }

    pub(crate) fn held(&mut self) -> &mut Held {
        self.rare_mut().held.get_or_insert_default()
    }

    pub(crate) fn take_held(&mut self) -> Option<Box<Held>> {
        let held = self.rare.as_mut()?.held.take();
        self.recount();
        self.tidy();
        held
    }

    /// What is known of the end so far.
    pub(crate) fn known_ending(&self) -> Option<&Ending> {
        self.rare()?.ending.as_deref()
    }

    pub(crate) fn take_ending(&mut self) -> Option<Box<Ending>> {
        let ending = self.rare.as_mut()?.ending.take();
        self.tidy();
        ending
    }

    pub(crate) fn ending(&mut self) -> &mut Ending {
        self.rare_mut().ending.get_or_insert_default()
    }

    /// Keeps input for later.
    pub(crate) fn stash(&mut self, input: &[u8]) {
        self.rare_mut()
            .stash
            .get_or_insert_default()
            .0
            .extend_from_slice(input);
        self.recount();
    }

    /// Whether both close frames were exchanged and ours has left (RFC 6455 §7.1.4).
    pub(crate) fn has_shaken_hands(&self) -> bool {
        match &self.stage {
            Stage::Open(machine) => {
                machine.close_sent() && machine.close_received() && self.outbox.is_empty()
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_connection_is_small() {
        // mio keeps eight bytes more of a socket in debug builds.
        assert!(size_of::<Conn>() <= 160, "{}", size_of::<Conn>());
    }
}
