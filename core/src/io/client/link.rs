//! One connection: its machine, its decoder, and what the machine says.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use super::carrying::Carried;
use super::core::{Core, State};
use super::telling::{Direction, Tell};
use crate::engineio::Data;
use crate::engineio::client::{self as engine, Output, OwnedData};
use crate::engineio::{Body, PacketType, Transport};
use crate::error::{Error, ErrorCode};
use crate::event_loop;
use crate::requests::HttpClient;
use crate::socketio::client::{Carrier, Delivery, Event, OwnedEvent, Reason};
use crate::socketio::{Decoder, Limits, Outgoing, Packet, ParseError, encode};
use crate::websocket::{SendOptions, Sent, WebSocket};
use crate::ws::{MessageType, Millis};

/// Whether the last connection of this process came to a WebSocket (`rememberUpgrade`).
static WEBSOCKET_WORKS: AtomicBool = AtomicBool::new(false);

pub(super) struct Link {
    pub(super) number: u64,
    pub(super) engine: engine::Client,
    pub(super) decoder: Decoder,
    pub(super) http: Option<HttpClient>,
    pub(super) websockets: Vec<Carried>,
    /// The latest pong over a WebSocket has left once the system has taken more bytes than these.
    pong_leaves_at: Option<u64>,
}

/// A pong over a WebSocket.
const PONG: &str = "3";

impl Link {
    /// Whether a pong waits over there already: it answers all pings that come before it leaves, so that whoever pings and reads
    /// nothing makes nothing grow. Otherwise one is about to.
    fn has_pong_waiting(&mut self, number: u32) -> bool {
        let Some(ws) = self.websocket(number) else {
            return false;
        };
        let Some(metrics) = ws.metrics() else {
            return false;
        };
        let queued = event_loop::queued_amount(ws.id()); // it will come behind the pong
        let is_waiting = |leaves_at: u64| leaves_at >= metrics.bytes_out;
        if metrics.buffered > 0 && self.pong_leaves_at.is_some_and(is_waiting) {
            return true;
        }
        self.pong_leaves_at = Some(metrics.bytes_out + metrics.buffered.saturating_sub(queued));
        false
    }

    pub(super) fn websocket(&self, number: u32) -> Option<WebSocket> {
        let carried = self.websockets.iter().find(|carried| carried.number == number);
        carried.map(|carried| carried.ws)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for carried in &self.websockets {
            // An error means that it has ended by itself.
            let _ = carried.ws.close(None, "");
        }
        if let Some(http) = &self.http {
            http.close();
        }
    }
}

impl Core {
    pub(super) fn open_link(&self, state: &mut State) {
        let options = &self.options;
        let engine = engine::Client::open(engine::Settings {
            transports: options.transports.clone(),
            upgrade: options.upgrade,
            websocket_first: options.remember_upgrade && WEBSOCKET_WORKS.load(Ordering::Relaxed),
            try_all_transports: options.try_all_transports,
            force_base64: options.force_base64,
        });
        state.last_link += 1;
        state.current = Some(state.last_link);
        state.failure = None;
        state.links.push(Link {
            number: state.last_link,
            engine,
            decoder: options.parser.decoder(),
            http: None,
            websockets: Vec::new(),
            pong_leaves_at: None,
        });
    }

    /// Does what a connection's machine says.
    pub(super) fn link_says(&self, state: &mut State, at: usize, output: Output, now: Millis) {
        let Some(link) = state.links.get_mut(at) else {
            return;
        };
        let is_current = Some(link.number) == state.current;
        match output {
            Output::Get(carrier) => self.get(link, carrier),
            Output::Post(carrier, payload) => self.post_payload(link, carrier, payload),
            Output::Leave(farewell) => self.leave(link, farewell),
            Output::Connect(carrier) => self.connect_websocket(link, carrier),
            Output::SendText(carrier, text, _) if text == PONG && link.has_pong_waiting(carrier) => {}
            Output::SendText(carrier, text, compress) => {
                let text = text.into_bytes();
                state.over_mark |= send(link, carrier, MessageType::Text, &text, compress);
            }
            Output::SendBinary(carrier, data, compress) => {
                state.over_mark |= send(link, carrier, MessageType::Binary, &data, compress);
            }
            Output::Disconnect(carrier) => {
                link.websockets.retain(|carried| {
                    let is_it = carried.number == carrier;
                    if is_it {
                        let _ = carried.ws.close(None, ""); // an error means that it has ended by itself
                    }
                    !is_it
                });
            }
            Output::WebSocketWorks(works) => WEBSOCKET_WORKS.store(works, Ordering::Relaxed),
            _ if !is_current => {}
            Output::Drained => {} // what waits is looked at in any case
            Output::Opened => state.machine.opened(),
            Output::Message(data) => state.keep_message(data, &self.limits, now),
            Output::Ping => {
                state.tell_packet(Direction::In, PacketType::Ping, Data::Text(""));
                state.tell_packet(Direction::Out, PacketType::Pong, Data::Text(""));
                state.tells.push_back(Tell::Ping);
            }
            Output::Upgraded => state.tells.push_back(Tell::Upgraded),
            Output::UpgradeFailed(what) => {
                let error = Error::new(ErrorCode::ConnectFailed, what);
                state.tells.push_back(Tell::UpgradeFailed(error));
            }
            Output::Failed(what, detail) => state.failed(what, &detail, now),
            Output::Closed(reason, detail) => {
                state.current = None;
                state.machine.closed(reason_of(reason), &detail, now);
                state.collect();
                state.failure = None;
            }
        }
    }
}

impl State {
    pub(super) fn link(&mut self, number: u64) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.number == number)
    }

    pub(super) fn current_link(&self) -> Option<&Link> {
        let current = self.current?;
        self.links.iter().find(|link| link.number == current)
    }

    /// What handlers send leaves together, where each request costs.
    pub(super) fn cork(&mut self) {
        if let Some(link) = self.current.and_then(|number| self.link(number)) {
            link.engine.cork();
        }
    }

    /// What was corked leaves, whichever connection it is for.
    pub(super) fn uncork(&mut self) {
        self.links.iter_mut().for_each(|link| link.engine.uncork());
    }

    /// Lets connections go that have ended.
    pub(super) fn drop_links(&mut self) {
        self.links
            .retain(|link| link.engine.state() != engine::State::Closed);
    }

    /// A message came over a WebSocket: what it brings the application.
    #[inline]
    pub(super) fn take_message<'a>(
        &mut self,
        link_number: u64,
        carrier: u32,
        message: crate::handler::Message<'a>,
        limits: &Limits,
        now: Millis,
    ) -> Option<Delivery<'a>> {
        let link = self.links.iter_mut().find(|link| link.number == link_number)?;
        let body = match message.as_text() {
            Some(text) => link.engine.websocket_text(carrier, text, now),
            None => link.engine.websocket_binary(carrier, message.as_bytes(), now),
        }?;
        if self.current != Some(link_number) {
            return None;
        }
        if self.tells_packets {
            self.tells
                .push_back(Tell::Packet(Direction::In, PacketType::Message, body_of(&body)));
        }
        if let Some(foreign) = &mut self.foreign {
            foreign.came(link_number, body_of(&body));
            return None;
        }
        let packet = match body {
            Body::Text(text) => link.decoder.decode(Data::Text(text), limits),
            Body::Binary(Cow::Borrowed(data)) => link.decoder.decode(Data::Binary(data), limits),
            Body::Binary(Cow::Owned(data)) => {
                let packet = link.decoder.decode(Data::Binary(&data), limits);
                packet.map(|packet| packet.map(Packet::into_owned))
            }
        };
        match packet {
            Ok(packet) => self.machine.receive(packet?, now),
            Err(error) => {
                self.machine.closed(Reason::ParseError, &error.to_string(), now);
                None
            }
        }
    }

    /// A message came by polling: what it brings is told with the rest.
    fn keep_message(&mut self, data: OwnedData, limits: &Limits, now: Millis) {
        self.tell_packet(Direction::In, PacketType::Message, borrowed(&data));
        if let (Some(foreign), Some(number)) = (&mut self.foreign, self.current) {
            return foreign.came(number, data);
        }
        let Some(link) = self.current.and_then(|number| self.link(number)) else {
            return;
        };
        let packet = link.decoder.decode(borrowed(&data), limits);
        let packet = packet.map(|packet| packet.map(Packet::into_owned));
        self.keep_packet(packet, now);
    }

    /// What a packet brings is told with the rest.
    pub(super) fn keep_packet(&mut self, packet: Result<Option<Packet<'static>>, ParseError>, now: Millis) {
        let delivery = match packet {
            Ok(Some(packet)) => self.machine.receive(packet, now),
            Ok(None) => None,
            Err(error) => {
                self.machine.closed(Reason::ParseError, &error.to_string(), now);
                None
            }
        };
        self.collect();
        if let Some(delivery) = delivery {
            self.tells.push_back(Tell::Machine(kept(delivery), None));
        }
    }

    fn tell_packet(&mut self, direction: Direction, kind: PacketType, data: Data<'_>) {
        if self.tells_packets {
            self.tells.push_back(Tell::Packet(direction, kind, owned(data)));
        }
    }

    /// Sends a message over the present connection; says whether more than the high-water mark waits now.
    pub(super) fn send_message(&mut self, message: Data<'_>, compress: Option<bool>) -> bool {
        self.current
            .is_some_and(|current| self.send_message_over(current, message, compress))
    }

    /// The same over this one.
    pub(super) fn send_message_over(
        &mut self,
        number: u64,
        message: Data<'_>,
        compress: Option<bool>,
    ) -> bool {
        let direction = match compress {
            Some(false) => Direction::OutPlain,
            _ => Direction::Out,
        };
        self.tell_packet(direction, PacketType::Message, message);
        let Some(link) = self.links.iter_mut().find(|link| link.number == number) else {
            return false;
        };
        let Some(carrier) = link.engine.direct() else {
            link.engine.send(owned(message), compress);
            return link.engine.waiting() as u64 > self.high_water_mark;
        };
        let frame = &mut self.frame;
        frame.clear();
        match message {
            Data::Text(text) => {
                frame.reserve(text.len() + 1);
                frame.push('4');
                frame.push_str(text);
            }
            Data::Binary(data) if link.engine.forces_base64() => {
                frame.push('b');
                data_encoding::BASE64.encode_append(data, frame);
            }
            Data::Binary(data) => return send(link, carrier, MessageType::Binary, data, compress),
        }
        let is_over = send(link, carrier, MessageType::Text, frame.as_bytes(), compress);
        if frame.capacity() > KEPT_FRAME {
            *frame = String::new();
        }
        is_over
    }

    /// How the present connection takes what is sent.
    pub(super) fn carrier(&self, now: Millis) -> Carrier {
        let Some(link) = self.current_link() else {
            return Carrier {
                is_writable: false,
                has_expired: false,
            };
        };
        let is_blocked = |number| {
            let ws = link.websocket(number);
            ws.is_some_and(|ws| event_loop::has_unsent(ws.id()))
        };
        Carrier {
            is_writable: link.engine.is_writable() && !link.engine.direct().is_some_and(is_blocked),
            has_expired: link.engine.has_expired(now),
        }
    }

    /// Bytes that wait in the present connection.
    pub(super) fn carried(&self) -> u64 {
        let Some(link) = self.current_link() else { return 0 };
        let in_websocket = link.engine.direct().and_then(|number| link.websocket(number));
        link.engine.waiting() as u64 + in_websocket.map_or(0, WebSocket::buffered_amount)
    }

    /// A sender who was told to wait may go on once half of the mark is free.
    pub(super) fn look_at_mark(&mut self) {
        if self.current.is_some() && self.carried() <= self.high_water_mark / 2 {
            self.over_mark = false;
            self.tells.push_back(Tell::Drain);
        }
    }

    /// Sends a packet that is one text, where it can leave at once: the usual one. Says whether more than the high-water
    /// mark waits now; `None` if it can't.
    #[inline]
    pub(super) fn send_text(&mut self, packet: &Outgoing<'_>, compress: Option<bool>) -> Option<bool> {
        let current = self.current?;
        let link = self.links.iter().find(|link| link.number == current)?;
        let carrier = link.engine.direct()?;
        let frame = &mut self.frame;
        frame.clear();
        frame.push('4');
        encode(packet, frame);
        let is_over = send(link, carrier, MessageType::Text, frame.as_bytes(), compress);
        if frame.capacity() > KEPT_FRAME {
            *frame = String::new();
        }
        Some(is_over)
    }

    fn failed(&mut self, what: &str, detail: &str, now: Millis) {
        if self.failure.is_none() {
            let text = if detail.is_empty() {
                what.to_owned()
            } else {
                format!("{what}: {detail}")
            };
            self.failure = Some(Error::new(ErrorCode::Protocol, text));
        }
        self.machine.failed(what, now);
        self.collect();
    }

    pub(super) fn transport(&self) -> Option<Transport> {
        let link = self.current_link()?;
        link.engine.handshake()?;
        link.engine.transport()
    }
}

/// A frame that was longer is given back.
const KEPT_FRAME: usize = 64 << 10;

/// Says whether more than the high-water mark waits now.
fn send(link: &Link, carrier: u32, kind: MessageType, data: &[u8], compress: Option<bool>) -> bool {
    let Some(ws) = link.websocket(carrier) else {
        return false;
    };
    let sent = match compress {
        None => event_loop::send(ws.id(), kind, data),
        Some(_) => {
            let options = SendOptions {
                compress,
                ..SendOptions::default()
            };
            event_loop::send_with(ws.id(), kind, data, &options)
        }
    };
    match sent {
        Ok(sent) => sent == Sent::OverMark,
        Err(error) => {
            // It has ended, which its event says, or the process's memory is used up: then the rest is of no use either.
            log::debug!("a message could not be sent: {error}");
            if error.code() == ErrorCode::MemoryBudget {
                let _ = ws.terminate();
            }
            false
        }
    }
}

pub(super) fn borrowed(data: &OwnedData) -> Data<'_> {
    match data {
        OwnedData::Text(text) => Data::Text(text),
        OwnedData::Binary(data) => Data::Binary(data),
    }
}

fn kept(delivery: Delivery<'_>) -> Event {
    match delivery {
        Delivery::Event(key, data, attachments, ack) => {
            let data = data.into_owned();
            let event = OwnedEvent {
                data,
                attachments,
                ack,
            };
            Event::Event(key, event)
        }
        Delivery::Answer(key, token, array, attachments) => {
            let outcome = crate::socketio::client::AckOutcome::Answered(array.into_owned(), attachments);
            Event::Ack(key, token, outcome)
        }
    }
}

fn reason_of(reason: engine::Reason) -> Reason {
    match reason {
        engine::Reason::TransportClose => Reason::TransportClose,
        engine::Reason::TransportError => Reason::TransportError,
        engine::Reason::PingTimeout => Reason::PingTimeout,
        engine::Reason::ForcedClose => Reason::ForcedClose,
    }
}

fn body_of(body: &Body<'_>) -> OwnedData {
    match body {
        Body::Text(text) => OwnedData::Text((*text).to_owned()),
        Body::Binary(data) => OwnedData::Binary(data.to_vec()),
    }
}

pub(super) fn owned(data: Data<'_>) -> OwnedData {
    match data {
        Data::Text(text) => OwnedData::Text(text.to_owned()),
        Data::Binary(data) => OwnedData::Binary(data.to_owned()),
    }
}
