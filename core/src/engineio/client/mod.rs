//! The client's machine: one connection, from its handshake over its upgrade to its end.
//!
//! Whoever drives it gives it what comes (answers to requests, events of WebSockets, the time) and does what
//! [`Client::output`] says: requests, WebSockets, and what there is to tell. Carriers have numbers, so that what comes
//! late from one that is no longer in use is told apart.
//!
//! | file | what is there |
//! |---|---|
//! | `mod` | the states, packets, the heartbeat, the end |
//! | `carrying` | polling and WebSockets, and the way from one to the other |
//! | `buffer` | what waits to be sent |
//! | `handshake` | what the server says at the beginning |

mod buffer;
mod carrying;
mod handshake;

use std::collections::VecDeque;

use self::buffer::Buffer;
use self::carrying::{Carrier, Probe};
use super::{Body, Packet, PacketType, Transport, Version};
use crate::ws::Millis;

pub use self::handshake::Handshake;

/// How a client connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// In this order; none twice.
    pub transports: Vec<Transport>,
    /// Whether to go over to a better transport that the server offers.
    pub upgrade: bool,
    /// Begins with WebSocket, if that is among the transports: it has worked before (`rememberUpgrade`).
    pub websocket_first: bool,
    /// Tries the next transport where one can't connect.
    pub try_all_transports: bool,
    /// Binary data goes as base64 over WebSocket, too.
    pub force_base64: bool,
}

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The handshake is under way.
    Opening,
    /// Packets go both ways.
    Open,
    /// It was closed here; what was to be sent before is still on its way.
    Closing,
    /// It has ended.
    Closed,
}

/// Why a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The carrier was closed, or the server has said that it closes.
    TransportClose,
    /// The carrier has failed.
    TransportError,
    /// No ping has come within its interval and timeout together.
    PingTimeout,
    /// It was closed here.
    ForcedClose,
}

/// Data of a message that is the machine's no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedData {
    /// Text.
    Text(String),
    /// Any bytes.
    Binary(Vec<u8>),
}

/// What is to be done or told next. The numbers are those of carriers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a GET; what becomes of it goes to [`Client::polled`].
    Get(u32),
    /// Send a POST of this payload; what becomes of it goes to [`Client::posted`].
    Post(u32, String),
    /// Requests that are under way are of no use any more. If there is a payload, it is the last thing to be sent.
    Leave(Option<String>),
    /// Open a WebSocket.
    Connect(u32),
    /// Send a text message over it; where compression was agreed on, maybe compressed.
    SendText(u32, String, Option<bool>),
    /// Send a binary message over it.
    SendBinary(u32, Vec<u8>, Option<bool>),
    /// Close it; nothing of it is of interest any more.
    Disconnect(u32),
    /// The handshake is done.
    Opened,
    /// A message came.
    Message(OwnedData),
    /// A ping came, and was answered.
    Ping,
    /// It has gone over to another transport.
    Upgraded,
    /// It could not.
    UpgradeFailed(String),
    /// All that had waited has been sent.
    Drained,
    /// Whether WebSocket works here, as far as is known now; for the next connection's `websocket_first`.
    WebSocketWorks(bool),
    /// What went wrong, in the official client's words, and more of it; the end follows.
    Failed(&'static str, String),
    /// The end, with what there is to say of it.
    Closed(Reason, String),
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    /// Transports that are still to be tried.
    left: VecDeque<Transport>,
    state: State,
    last_number: u32,
    carrier: Carrier,
    probe: Option<Probe>,
    handshake: Option<Handshake>,
    ping_deadline: Option<Millis>,
    buffer: Buffer,
    /// What is sent waits, so that more goes into one payload.
    is_corked: bool,
    outputs: VecDeque<Output>,
}

impl Client {
    /// Begins to connect.
    pub fn open(settings: Settings) -> Client {
        let mut left: VecDeque<Transport> = settings.transports.iter().copied().collect();
        let websocket = left
            .iter()
            .position(|transport| *transport == Transport::WebSocket);
        if let (true, Some(at)) = (settings.websocket_first, websocket) {
            left.remove(at);
            left.push_front(Transport::WebSocket);
        }
        let mut client = Client {
            settings,
            left,
            state: State::Opening,
            last_number: 0,
            carrier: Carrier::None,
            probe: None,
            handshake: None,
            ping_deadline: None,
            buffer: Buffer::default(),
            is_corked: false,
            outputs: VecDeque::new(),
        };
        client.try_next_transport();
        client
    }

    /// What is to be done or told next, in order.
    pub fn output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What it is at.
    pub fn state(&self) -> State {
        self.state
    }

    /// What the server said at the beginning; `None` before that.
    pub fn handshake(&self) -> Option<&Handshake> {
        self.handshake.as_ref()
    }

    /// The transport in use.
    pub fn transport(&self) -> Option<Transport> {
        match self.carrier {
            Carrier::None => None,
            Carrier::Polling(_) => Some(Transport::Polling),
            Carrier::WebSocket(_) => Some(Transport::WebSocket),
        }
    }

    /// The query's part that is the protocol's, for a request or a WebSocket that is to be made now.
    pub fn query(&self, transport: Transport) -> Vec<(&'static str, String)> {
        let mut query = vec![
            ("EIO", "4".to_owned()),
            ("transport", transport.name().to_owned()),
        ];
        let sid = self.handshake.as_ref().map(|handshake| handshake.sid.clone());
        let is_known = sid.is_some();
        query.extend(sid.map(|sid| ("sid", sid)));
        if self.settings.force_base64 && (transport == Transport::WebSocket || !is_known) {
            query.push(("b64", "1".to_owned()));
        }
        query
    }

    /// When [`Client::handle_timeout`] has something to do.
    pub fn deadline(&self) -> Option<Millis> {
        self.ping_deadline
    }

    /// Ends the connection if the server has been silent for too long.
    pub fn handle_timeout(&mut self, now: Millis) {
        if self.has_expired(now) {
            self.end(Reason::PingTimeout, "");
        }
    }

    /// Whether the server has been silent for too long, which no timer may have said yet.
    pub fn has_expired(&self, now: Millis) -> bool {
        self.ping_deadline.is_some_and(|deadline| deadline <= now)
    }

    /// The WebSocket over which a message can be sent at once, in place of [`Client::send`], if there is one: text with `4`
    /// before it, binary data as it is (as text behind `b`, where base64 is asked for).
    #[inline]
    pub fn direct(&self) -> Option<u32> {
        match self.carrier {
            Carrier::WebSocket(number)
                if self.state == State::Open && !self.is_upgrading() && self.buffer.is_empty() =>
            {
                Some(number)
            }
            _ => None,
        }
    }

    /// Whether binary data goes as base64 over WebSocket.
    pub fn forces_base64(&self) -> bool {
        self.settings.force_base64
    }

    /// Whether a message would be sent at once, as far as the machine knows.
    pub fn is_writable(&self) -> bool {
        match &self.carrier {
            Carrier::None => false,
            Carrier::Polling(polling) => {
                self.state == State::Open && !polling.is_posting && !self.is_upgrading()
            }
            Carrier::WebSocket(_) => self.direct().is_some(),
        }
    }

    /// How many bytes of messages wait.
    pub fn waiting(&self) -> usize {
        self.buffer.bytes()
    }

    /// Sends a message, or keeps it until that can be done. Where the connection isn't open, it is dropped.
    pub fn send(&mut self, data: OwnedData, compress: Option<bool>) {
        if self.state == State::Open {
            self.buffer.push(PacketType::Message, data, compress);
            self.flush();
        }
    }

    /// Has messages wait for [`Client::uncork`] where each request costs: on polling.
    pub fn cork(&mut self) {
        self.is_corked = true;
    }

    /// Sends what has waited.
    pub fn uncork(&mut self) {
        if std::mem::take(&mut self.is_corked) {
            self.flush();
        }
    }

    /// Closes the connection, once what waits has been sent; before its handshake is done, at once.
    pub fn close(&mut self) {
        match self.state {
            State::Opening => self.end(Reason::ForcedClose, ""),
            State::Open => {
                self.uncork();
                self.state = State::Closing;
                self.close_when_sent();
            }
            State::Closing | State::Closed => {}
        }
    }

    fn close_when_sent(&mut self) {
        let is_posting = matches!(&self.carrier, Carrier::Polling(polling) if polling.is_posting);
        if self.state == State::Closing && self.buffer.is_empty() && !is_posting && !self.is_upgrading() {
            self.end(Reason::ForcedClose, "");
        }
    }

    /// A packet came over the carrier in use; a message is given back.
    fn packet<'a>(&mut self, packet: Packet<'a>, now: Millis) -> Option<Body<'a>> {
        match (packet.kind, self.state) {
            (_, State::Closed) => None,
            (PacketType::Open, State::Opening) => {
                self.take_handshake(&packet, now);
                None
            }
            (PacketType::Close, _) => {
                self.end(Reason::TransportClose, "transport closed by the server");
                None
            }
            (_, State::Opening) => None,
            (PacketType::Message, _) => Some(packet.body),
            (PacketType::Ping, _) => {
                self.note_ping(now);
                self.outputs.push_back(Output::Ping);
                self.buffer.push_pong();
                self.flush();
                None
            }
            _ => None,
        }
    }

    fn take_handshake(&mut self, packet: &Packet<'_>, now: Millis) {
        let Some(handshake) = Handshake::read(packet) else {
            return self.fail(SERVER_ERROR, "its handshake can't be read");
        };
        let offers_websocket = handshake.upgrades.contains(&Transport::WebSocket);
        self.handshake = Some(handshake);
        self.state = State::Open;
        self.note_ping(now);
        let is_websocket = matches!(self.carrier, Carrier::WebSocket(_));
        self.outputs.push_back(Output::WebSocketWorks(is_websocket));
        self.outputs.push_back(Output::Opened);
        self.flush();
        let is_wanted = self.settings.upgrade && self.settings.transports.contains(&Transport::WebSocket);
        if offers_websocket && is_wanted && !is_websocket {
            self.begin_probe();
        }
    }

    /// The heartbeat begins anew.
    fn note_ping(&mut self, now: Millis) {
        let patience = self
            .handshake
            .as_ref()
            .map(|handshake| handshake.ping_interval.saturating_add(handshake.ping_timeout));
        self.ping_deadline = patience.map(|patience| now.saturating_add(patience));
    }

    /// The carrier in use has failed.
    fn fail(&mut self, what: &'static str, detail: &str) {
        if self.state == State::Closed {
            return;
        }
        self.outputs.push_back(Output::WebSocketWorks(false));
        if self.settings.try_all_transports && self.state == State::Opening && !self.left.is_empty() {
            self.leave_carrier(None);
            return self.try_next_transport();
        }
        self.outputs.push_back(Output::Failed(what, detail.to_owned()));
        self.end(Reason::TransportError, detail);
    }

    fn end(&mut self, reason: Reason, detail: &str) {
        if self.state == State::Closed {
            return;
        }
        let was_open = self.handshake.is_some();
        self.state = State::Closed;
        self.ping_deadline = None;
        self.buffer = Buffer::default();
        if let Some(probe) = self.probe.take() {
            self.outputs.push_back(Output::Disconnect(probe.number));
            self.outputs
                .push_back(Output::UpgradeFailed("socket closed".to_owned()));
        }
        // The server need not wait for its own timeout to know.
        let says_so = was_open && matches!(reason, Reason::ForcedClose | Reason::PingTimeout);
        self.leave_carrier(says_so.then(|| char::from(PacketType::Close.digit()).to_string()));
        self.outputs.push_back(Output::Closed(reason, detail.to_owned()));
    }
}

/// The server has said what can't be understood.
const SERVER_ERROR: &str = "server error";
/// How packets are read and written here.
const VERSION: Version = Version::V4;
