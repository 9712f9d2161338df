//! The server's side of one session, as a machine: packets and requests in, effects out.
//!
//! A [`Session`] owns no request, no socket and no clock. Whoever drives it calls it for what has come (a GET that now
//! waits, a packet, a WebSocket that wants to take over) and at the time that [`Session::deadline`] names, and carries out
//! the [`Effect`]s that it appends, in their order. What the application sends goes out by the driver itself while a
//! WebSocket carries the session; on polling the machine keeps it until there is a GET to answer.

mod heartbeat;
mod outbox;
mod polling;
mod prepared;
mod sending;
mod session;
mod upgrade;

pub use outbox::{Entry, Unit};
pub use prepared::Prepared;
pub use sending::Outcome;
pub use session::{Received, Session};
pub use upgrade::Probe;

use super::{PacketType, PayloadType, Sid, Transport};
use crate::settings::SlowConsumer;
use crate::ws::Millis;

/// No time at all.
pub const NEVER: Millis = Millis::MAX;

/// What all sessions of a server have in common. Times are in milliseconds.
#[derive(Debug, Clone)]
pub struct Config {
    /// From the last pong to the next ping.
    pub ping_interval: Millis,
    /// How long the client may take to answer it.
    pub ping_timeout: Millis,
    /// How long the upgrade to a WebSocket may take.
    pub upgrade_timeout: Millis,
    /// The longest body and WebSocket message that is accepted; clients are told.
    pub max_payload: u64,
    /// Clients on polling are told that they may go over to a WebSocket.
    pub upgrades: bool,
    /// When more bytes than this wait, the sender is asked to stop.
    pub high_water_mark: usize,
    /// When more bytes than this wait already, a message meets the policy; 0 for no limit.
    pub hard_limit: usize,
    /// What becomes of it then.
    pub slow_consumer: SlowConsumer,
}

impl Config {
    /// The data of the `open` packet.
    pub fn open_data(&self, sid: &Sid, transport: Transport) -> String {
        let upgrades = if self.upgrades && transport == Transport::Polling {
            "[\"websocket\"]"
        } else {
            "[]"
        };
        format!(
            "{{\"sid\":\"{}\",\"upgrades\":{upgrades},\"pingInterval\":{},\"pingTimeout\":{},\"maxPayload\":{}}}",
            sid.as_str(),
            self.ping_interval,
            self.ping_timeout,
            self.max_payload
        )
    }
}

/// What has to be done.
#[derive(Debug)]
pub enum Effect {
    /// The GET that waits is answered.
    Answer(PollAnswer),
    /// A packet without data goes out on the WebSocket that carries the session.
    Frame(PacketType),
    /// One waits for the next answer to a GET, or is in one: there is nothing to do for it.
    Waits(PacketType),
    /// The WebSocket that is being tried gets `3probe`.
    AnswerProbe,
    /// The WebSocket that is being tried is closed.
    CloseProbe,
    /// The WebSocket that is being tried carries the session from now on.
    Upgraded,
    /// These go out on it before anything else.
    Flush(Vec<Entry>),
    /// The WebSocket that carries the session is closed.
    CloseCarrier,
    /// So little waits that the application may go on sending, after an [`Outcome::OverMark`].
    Drained,
    /// The session has ended; nothing comes after this.
    Closed(Reason, &'static str),
}

/// The answer to a GET.
#[derive(Debug, PartialEq, Eq)]
pub struct PollAnswer {
    /// A payload.
    pub body: Vec<u8>,
    /// What it is.
    pub kind: PayloadType,
    /// It may be compressed.
    pub compress: bool,
}

/// Why a session has ended, in the official words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The client has closed it, or its WebSocket has gone.
    TransportClose,
    /// The client has broken the rules of its transport, or went away in the middle of a request.
    TransportError,
    /// No pong, or in revision 3 no ping, has come in time.
    PingTimeout,
    /// Something that isn't a packet has come.
    ParseError,
    /// The application has closed it.
    ForcedClose,
}

impl Reason {
    /// The official words.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::TransportClose => "transport close",
            Reason::TransportError => "transport error",
            Reason::PingTimeout => "ping timeout",
            Reason::ParseError => "parse error",
            Reason::ForcedClose => "forced close",
        }
    }
}
