//! A socket's state, and what comes for it.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::super::{Content, EventData, Packet, PacketType};
use super::sending::{Pending, Queued};
use super::{
    AckId, Action, Client, Delivery, Event, OwnedEvent, OwnedPacket, Reason, SocketKey, SocketSettings, State,
};
use crate::json::{member, push_string, string};
use crate::ws::Millis;

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) namespace: Box<str>,
    pub(super) settings: SocketSettings,
    /// It is connected, or will be.
    is_active: bool,
    pub(super) phase: Phase,
    pub(super) id: Option<Box<str>>,
    recovered: bool,
    /// Of connection state recovery: the session's private id, and the offset of the last event.
    pid: Option<Box<str>>,
    offset: Option<Box<str>>,
    /// Events that came before the server had said that it is connected.
    early: Vec<OwnedEvent>,
    pub(super) next_ack: u64,
    pub(super) acks: BTreeMap<u64, Pending>,
    /// Events that wait for a connection.
    pub(super) buffer: VecDeque<OwnedPacket>,
    /// Events that are sent one after the other.
    pub(super) queue: VecDeque<Queued>,
    pub(super) next_queued: u64,
}

/// How far a socket has come on the present connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Apart,
    /// What to say of itself is being asked for, with this question's number.
    Asking(u64),
    /// CONNECT was sent.
    Connecting,
    Connected,
}

impl Client {
    /// The socket of a namespace, and whether it is a new one. It does not connect by itself.
    pub fn socket(&mut self, namespace: &str, settings: SocketSettings) -> (SocketKey, bool) {
        if let Some(key) = self.by_name.get(namespace) {
            return (*key, false);
        }
        let key = self.sockets.len();
        self.sockets.push(Socket {
            namespace: namespace.into(),
            settings,
            is_active: false,
            phase: Phase::Apart,
            id: None,
            recovered: false,
            pid: None,
            offset: None,
            early: Vec::new(),
            next_ack: 0,
            acks: BTreeMap::new(),
            buffer: VecDeque::new(),
            queue: VecDeque::new(),
            next_queued: 0,
        });
        self.by_name.insert(namespace.into(), key);
        (key, true)
    }

    /// Connects a socket, and opens the connection where there is none.
    pub fn connect(&mut self, key: SocketKey, now: Millis) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.phase == Phase::Connected {
            return;
        }
        socket.is_active = true;
        if !self.is_reconnecting {
            self.open(now);
        }
        if self.state == State::Open {
            self.ask_to_connect(key);
        }
    }

    /// Disconnects a socket.
    pub fn disconnect(&mut self, key: SocketKey, now: Millis) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let was_connected = socket.phase == Phase::Connected;
        // One whose CONNECT is on its way is taken in by the server, too.
        if was_connected || socket.phase == Phase::Connecting {
            self.actions.push_back(Action::Send(OwnedPacket {
                packet_type: PacketType::Disconnect,
                socket: key,
                id: None,
                payload: None,
                attachments: Vec::new(),
                compress: None,
            }));
        }
        self.deactivate(key, now);
        if was_connected {
            self.socket_closed(key, Reason::IoClientDisconnect, "", now);
        }
    }

    /// The answer to [`Event::Authenticate`]: the payload of CONNECT, a JSON object or nothing.
    pub fn authenticate(&mut self, key: SocketKey, question: u64, payload: Option<&str>) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.phase != Phase::Asking(question) || self.state != State::Open {
            return;
        }
        socket.phase = Phase::Connecting;
        let payload = socket.connect_payload(payload);
        self.actions.push_back(Action::Send(OwnedPacket {
            packet_type: PacketType::Connect,
            socket: key,
            id: None,
            payload,
            attachments: Vec::new(),
            compress: None,
        }));
    }

    /// Takes a packet; what it brings the application. Other things that it brings about are in [`Client::action`] and
    /// [`Client::event`], and come before that.
    pub fn receive<'a>(&mut self, packet: Packet<'a>, now: Millis) -> Option<Delivery<'a>> {
        let key = *self.by_name.get(&*packet.namespace)?;
        let socket = self.sockets.get_mut(key).filter(|socket| socket.is_active)?;
        if self.state != State::Open {
            return None;
        }
        match packet.content {
            Content::Event(data) => {
                let connection = self.connection;
                let ack = packet.id.map(|id| AckId { id, connection });
                if socket.phase == Phase::Connected {
                    socket.note_offset(&data);
                    return Some(Delivery::Event(key, data, packet.attachments, ack));
                }
                let packet = Packet {
                    content: Content::Event(data),
                    ..packet
                };
                self.keep_early(key, packet.into_owned(), ack, now);
                None
            }
            Content::Ack(array) => self.answered(key, packet.id?, array, packet.attachments, now),
            Content::Connect(payload) => {
                self.taken_in(key, payload.as_deref().unwrap_or_default(), now);
                None
            }
            Content::Disconnect => {
                self.deactivate(key, now);
                self.socket_closed(key, Reason::IoServerDisconnect, "", now);
                None
            }
            // It is an answer to CONNECT only.
            Content::ConnectError(payload) if socket.phase == Phase::Connecting => {
                self.refused(key, &payload, now);
                None
            }
            Content::ConnectError(_) => None,
        }
    }

    /// The socket's namespace.
    pub fn namespace(&self, key: SocketKey) -> &str {
        self.sockets.get(key).map_or("", |socket| &socket.namespace)
    }

    /// The id that the server gave it, while it is connected.
    pub fn id(&self, key: SocketKey) -> Option<&str> {
        self.sockets.get(key)?.id.as_deref()
    }

    /// Whether the server has taken it in.
    pub fn is_connected(&self, key: SocketKey) -> bool {
        self.sockets
            .get(key)
            .is_some_and(|socket| socket.phase == Phase::Connected)
    }

    /// Whether it is connected, or will be.
    pub fn is_socket_active(&self, key: SocketKey) -> bool {
        self.sockets.get(key).is_some_and(|socket| socket.is_active)
    }

    /// Whether its session was recovered when it was connected last.
    pub fn has_recovered(&self, key: SocketKey) -> bool {
        self.sockets.get(key).is_some_and(|socket| socket.recovered)
    }

    /// Has an active socket that is not on its way say who it is.
    pub(super) fn ask_to_connect(&mut self, key: SocketKey) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.is_active && socket.phase == Phase::Apart {
            self.questions += 1;
            socket.phase = Phase::Asking(self.questions);
            self.events.push_back(Event::Authenticate(key, self.questions));
        }
    }

    fn keep_early(&mut self, key: SocketKey, packet: Packet<'static>, ack: Option<AckId>, now: Millis) {
        let Content::Event(data) = packet.content else {
            return;
        };
        let event = OwnedEvent {
            data,
            attachments: packet.attachments,
            ack,
        };
        let total = self.waiting.saturating_add(event.len());
        if total > self.settings.max_waiting {
            let text = "too many events came before the socket was connected";
            return self.closed(Reason::ParseError, text, now);
        }
        if let Some(socket) = self.sockets.get_mut(key) {
            socket.early.push(event);
            self.waiting = total;
        }
    }

    /// The server's CONNECT.
    fn taken_in(&mut self, key: SocketKey, payload: &str, now: Millis) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.phase != Phase::Connecting {
            return;
        }
        let text_of = |name| {
            member(payload, name)
                .and_then(string)
                .filter(|text| !text.is_empty())
        };
        let Some(id) = text_of("sid") else {
            let text = "It seems you are trying to reach a Socket.IO server in v2.x with a v3.x client, but they are not compatible (more information here: https://socket.io/docs/v3/migrating-from-2-x-to-3-0/)";
            self.events.push_back(Event::Refused(key, text.to_owned(), None));
            return;
        };
        let pid = text_of("pid").map(|pid| Box::from(&*pid));
        socket.recovered = pid.is_some() && socket.pid == pid;
        if !socket.recovered {
            socket.offset = None;
        }
        socket.pid = pid;
        socket.id = Some(Box::from(&*id));
        socket.phase = Phase::Connected;
        self.deliver_early(key);
        self.send_buffered(key);
        self.drain_queue(key, true, now);
        self.events.push_back(Event::Connected(key));
    }

    fn deliver_early(&mut self, key: SocketKey) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        for event in std::mem::take(&mut socket.early) {
            self.waiting = self.waiting.saturating_sub(event.len());
            socket.note_offset(&event.data);
            self.events.push_back(Event::Event(key, event));
        }
    }

    /// The server's CONNECT_ERROR.
    fn refused(&mut self, key: SocketKey, payload: &str, now: Millis) {
        self.deactivate(key, now);
        let message = member(payload, "message").and_then(string);
        let message = message.or_else(|| string(payload));
        let message = message.map_or_else(|| payload.to_owned(), Cow::into_owned);
        let data = member(payload, "data").map(str::to_owned);
        self.events.push_back(Event::Refused(key, message, data));
    }

    /// It will not come back by itself.
    fn deactivate(&mut self, key: SocketKey, now: Millis) {
        if let Some(socket) = self.sockets.get_mut(key) {
            socket.is_active = false;
            if socket.phase != Phase::Connected {
                socket.phase = Phase::Apart;
                self.drop_early(key);
            }
        }
        self.leave_if_unused(now);
    }

    /// It is connected no more, or not any more on its way.
    pub(super) fn socket_closed(&mut self, key: SocketKey, reason: Reason, detail: &str, now: Millis) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        socket.phase = Phase::Apart;
        socket.id = None;
        self.drop_early(key);
        self.events
            .push_back(Event::Disconnected(key, reason, detail.to_owned()));
        self.clear_acks(key, now);
    }

    /// What has come early is of a session that will not be taken in any more.
    fn drop_early(&mut self, key: SocketKey) {
        if let Some(socket) = self.sockets.get_mut(key) {
            let early: usize = socket.early.drain(..).map(|event| event.len()).sum();
            self.waiting = self.waiting.saturating_sub(early);
        }
    }
}

impl OwnedEvent {
    fn len(&self) -> usize {
        let attached: usize = self.attachments.iter().map(Bytes::len).sum();
        self.data.array().len() + attached
    }
}

impl Socket {
    /// The last argument is the offset, where the server can recover sessions and the argument is a string.
    fn note_offset(&mut self, data: &EventData<'_>) {
        if self.pid.is_some()
            && let Some(offset) = last_string(data)
        {
            self.offset = Some(offset);
        }
    }

    /// What the application says of the socket, and before it what is to be recovered: of two members with one name the
    /// last counts.
    fn connect_payload(&self, given: Option<&str>) -> Option<String> {
        let Some(pid) = &self.pid else {
            return given.map(str::to_owned);
        };
        let mut payload = "{\"pid\":".to_owned();
        push_string(pid, &mut payload);
        if let Some(offset) = &self.offset {
            payload.push_str(",\"offset\":");
            push_string(offset, &mut payload);
        }
        let inner = given
            .map(str::trim)
            .and_then(|given| given.strip_prefix('{')?.strip_suffix('}'));
        if let Some(inner) = inner.filter(|inner| !inner.trim().is_empty()) {
            payload.push(',');
            payload.push_str(inner);
        }
        payload.push('}');
        Some(payload)
    }
}

/// The last value of the array, if that is a string; the name counts, too.
fn last_string(data: &EventData<'_>) -> Option<Box<str>> {
    use crate::json::{Token, Tokens};
    let array = data.array().trim_end();
    if !array.strip_suffix(']')?.trim_end().ends_with('"') {
        return None; // the usual case without recovery's offset costs nothing
    }
    let mut tokens = Tokens::new(array);
    let mut last = None;
    tokens.next().ok()?;
    while tokens.depth() > 0 {
        match tokens.next().ok()?? {
            Token::String(text) if tokens.depth() == 1 => last = Some(text),
            _ => {}
        }
    }
    last.map(|text| Box::from(&*text.decode()))
}
