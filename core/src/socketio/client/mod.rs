//! The client's machine: a manager with its sockets, which are namespaces over one connection that is made again when it is
//! lost. The semantics are those of the official client's `Manager` and `Socket`.
//!
//! Whoever drives it has the connection (Engine.IO) and the encoding of packets. It tells the machine what comes, does what
//! [`Client::action`] says at once, and tells the application what [`Client::event`] says, in order, when it likes. Events that
//! come are not copied: [`Client::receive`] gives them back.
//!
//! | file | what is there |
//! |---|---|
//! | `mod` | what goes in and out |
//! | `manager` | the connection: attempts, loss, reconnection |
//! | `socket` | a socket's state, and what comes for it |
//! | `sending` | events on their way: buffers, acknowledgements, the queue of retries |

mod manager;
mod sending;
mod socket;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::Bytes;

use self::socket::Socket;
use super::{Backoff, EventData, PacketType};
use crate::ws::Millis;

/// How a manager connects and comes back.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether to come back after a loss, and after a first attempt that failed.
    pub reconnection: bool,
    /// How many attempts are made; `None` for any number.
    pub attempts: Option<u32>,
    /// Before the first one.
    pub delay: Millis,
    /// Before any.
    pub delay_max: Millis,
    /// Of a delay, from 0 to 1: how much it may be shorter or longer.
    pub randomization_factor: f64,
    /// How long an attempt may take.
    pub timeout: Option<Millis>,
    /// Bytes of events that may wait in all sockets together, of those that are sent and of those that have come early.
    pub max_waiting: usize,
}

/// How a socket sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SocketSettings {
    /// More than 0: events leave one after the other, and are sent so often again if they are not acknowledged.
    pub retries: u32,
    /// How long an acknowledgement is waited for, where the event does not say.
    pub ack_timeout: Option<Millis>,
}

/// A socket's number; sockets are never forgotten.
pub type SocketKey = usize;

/// What the connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is none.
    Closed,
    /// One is being made.
    Opening,
    /// There is one.
    Open,
}

/// Why a connection, or a socket's part in it, has ended: the official client's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// "io server disconnect": the server has disconnected the socket; it does not come back by itself.
    IoServerDisconnect = 0,
    /// "io client disconnect": the application has disconnected it.
    IoClientDisconnect = 1,
    /// "ping timeout": no ping of the server's came within its interval and timeout together.
    PingTimeout = 2,
    /// "transport close": the connection was closed, by the server or on the way.
    TransportClose = 3,
    /// "transport error": the connection has failed.
    TransportError = 4,
    /// "parse error": the server sent what is not a packet.
    ParseError = 5,
    /// "forced close": the application has closed the manager, or disconnected its last socket.
    ForcedClose = 6,
}

impl Reason {
    /// The reason as the official client writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::IoServerDisconnect => "io server disconnect",
            Reason::IoClientDisconnect => "io client disconnect",
            Reason::PingTimeout => "ping timeout",
            Reason::TransportClose => "transport close",
            Reason::TransportError => "transport error",
            Reason::ParseError => "parse error",
            Reason::ForcedClose => "forced close",
        }
    }
}

/// A packet to be sent that had to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPacket {
    /// What it is for.
    pub packet_type: PacketType,
    /// Whose it is.
    pub socket: SocketKey,
    /// The acknowledgement id.
    pub id: Option<u64>,
    /// The payload.
    pub payload: Option<String>,
    /// What its placeholders stand for.
    pub attachments: Vec<Bytes>,
    /// Whether to compress it.
    pub compress: Option<bool>,
}

/// What is to be done, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a connection. There is none.
    Open,
    /// Close it; nothing of it is of interest any more.
    Close,
    /// Send a packet over it.
    Send(OwnedPacket),
}

/// What has become of an event with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AckOutcome {
    /// The server's answer: the arguments' array, and what its placeholders stand for.
    Answered(String, Vec<Bytes>),
    /// None came in time.
    TimedOut,
    /// The socket was disconnected before one came.
    Disconnected,
}

/// An event of the server's that had to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedEvent {
    /// The name and the arguments.
    pub data: EventData<'static>,
    /// What its placeholders stand for.
    pub attachments: Vec<Bytes>,
    /// The answer that the server asks for.
    pub ack: Option<AckId>,
}

/// An answer that is owed, over one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckId {
    /// The server's number.
    pub id: u64,
    /// Which of the machine's connections it came over.
    pub connection: u64,
}

/// What there is to tell. Of sockets:
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A socket is about to connect: [`Client::authenticate`] says with which payload. With the question's number.
    Authenticate(SocketKey, u64),
    /// The server has taken it in.
    Connected(SocketKey),
    /// The server has refused it, with a message, and with data as JSON.
    Refused(SocketKey, String, Option<String>),
    /// There is no connection for it: why.
    Unreachable(SocketKey, String),
    /// An event has come for it.
    Event(SocketKey, OwnedEvent),
    /// What has become of the event with this token.
    Ack(SocketKey, u64, AckOutcome),
    /// It is connected no more, or the connection has ended on its way there.
    Disconnected(SocketKey, Reason, String),
    /// There is a connection.
    Opened,
    /// A connection could not be made, or has failed.
    Failed(String),
    /// It has ended.
    Closed(Reason, String),
    /// The next attempt begins after this time; it has this number, from 1.
    ReconnectScheduled(u32, Millis),
    /// Another attempt begins as soon as the application has heard of it: [`Client::attempt`].
    ReconnectAttempt(u32),
    /// It has succeeded.
    Reconnected(u32),
    /// It has failed.
    ReconnectError(String),
    /// There will be none any more.
    ReconnectFailed,
}

/// An event that is to be sent.
#[derive(Debug, Clone, Copy)]
pub struct NewEvent<'a> {
    /// A JSON array that begins with the name.
    pub array: &'a str,
    /// What its placeholders stand for.
    pub attachments: &'a [&'a [u8]],
    /// It is not kept.
    pub volatile: bool,
    /// Whether to compress it.
    pub compress: Option<bool>,
    /// The application's number, if it wants to hear of the acknowledgement.
    pub token: Option<u64>,
    /// How long the acknowledgement is waited for.
    pub timeout: Option<Millis>,
}

/// What the connection is like at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carrier {
    /// What is sent would leave at once.
    pub is_writable: bool,
    /// The server has been silent for too long, which no timer has said yet.
    pub has_expired: bool,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emitted {
    /// It is to be sent now, with this acknowledgement id.
    Send(Option<u64>),
    /// It waits.
    Kept,
    /// It was dropped: it is volatile.
    Dropped,
}

/// Too much waits already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// What a packet brings the application, borrowed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery<'a> {
    /// An event.
    Event(SocketKey, EventData<'a>, Vec<Bytes>, Option<AckId>),
    /// The answer to the event with this token: an array, and what its placeholders stand for.
    Answer(SocketKey, u64, Cow<'a, str>, Vec<Bytes>),
}

impl Delivery<'_> {
    /// Whose it is.
    pub fn socket(&self) -> SocketKey {
        match self {
            Delivery::Event(key, ..) | Delivery::Answer(key, ..) => *key,
        }
    }
}

/// A manager and its sockets.
pub struct Client {
    settings: Settings,
    random: Box<dyn FnMut() -> f64 + Send>,
    state: State,
    backoff: Backoff,
    /// An attempt is waited for, or under way.
    is_reconnecting: bool,
    skip_reconnect: bool,
    /// When the attempt that is under way has taken too long.
    open_deadline: Option<Millis>,
    reconnect_at: Option<Millis>,
    connection: u64,
    questions: u64,
    sockets: Vec<Socket>,
    by_name: HashMap<Box<str>, SocketKey>,
    /// When acknowledgements have to be here: time, socket, id.
    ack_deadlines: BTreeSet<(Millis, SocketKey, u64)>,
    /// Bytes of events that wait.
    waiting: usize,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
}

impl Client {
    /// A manager without a connection; `random` gives numbers from 0 to 1, without 1.
    pub fn new(settings: Settings, random: Box<dyn FnMut() -> f64 + Send>) -> Client {
        let backoff = Backoff::new(settings.delay, settings.delay_max, settings.randomization_factor);
        Client {
            settings,
            random,
            state: State::Closed,
            backoff,
            is_reconnecting: false,
            skip_reconnect: false,
            open_deadline: None,
            reconnect_at: None,
            connection: 0,
            questions: 0,
            sockets: Vec::new(),
            by_name: HashMap::new(),
            ack_deadlines: BTreeSet::new(),
            waiting: 0,
            actions: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// What is to be done next, in order.
    pub fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What there is to tell next, in order.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Client::handle_timeout`] has something to do.
    pub fn deadline(&self) -> Option<Millis> {
        let ack = self.ack_deadlines.first().map(|(deadline, ..)| *deadline);
        [self.open_deadline, self.reconnect_at, ack]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Millis) {
        if self.open_deadline.is_some_and(|deadline| deadline <= now) {
            self.open_timed_out(now);
        }
        if self.reconnect_at.is_some_and(|at| at <= now) {
            self.reconnect_at = None;
            if !self.skip_reconnect {
                self.events
                    .push_back(Event::ReconnectAttempt(self.backoff.attempts()));
            }
        }
        while let Some((deadline, socket, id)) = self.ack_deadlines.first().copied()
            && deadline <= now
        {
            self.ack_deadlines.pop_first();
            self.ack_timed_out(socket, id, now);
        }
    }

    /// What the connection is at.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether it has a connection, makes one, or comes back to one.
    pub fn is_active(&self) -> bool {
        self.state != State::Closed || self.is_reconnecting
    }

    /// The connection's number, which answers to events have to have.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// Bytes of events that wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}
