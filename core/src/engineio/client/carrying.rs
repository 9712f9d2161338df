//! Polling and WebSockets, and the way from one to the other (Engine.IO protocol, "Upgrade").

use super::super::{Body, Data, Packet, PacketType, ParseError, Transport, decode_payload, packet};
use super::{Client, Output, OwnedData, Reason, SERVER_ERROR, State, VERSION};
use crate::ws::Millis;

/// What packets go over.
#[derive(Debug)]
pub(super) enum Carrier {
    None,
    Polling(Polling),
    WebSocket(u32),
}

#[derive(Debug)]
pub(super) struct Polling {
    number: u32,
    /// A GET is under way.
    is_polling: bool,
    /// A POST is under way.
    pub(super) is_posting: bool,
}

/// A WebSocket that is tried out while polling goes on.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) number: u32,
    /// The server has answered: polling comes to its end.
    is_pausing: bool,
}

const PROBE: &str = "probe";
const POLL_ERROR: &str = "xhr poll error";
const POST_ERROR: &str = "xhr post error";
const WEBSOCKET_ERROR: &str = "websocket error";

impl Client {
    /// What has become of a GET: the body of a response with status 200, or what went wrong.
    pub fn polled(&mut self, number: u32, result: Result<&str, &str>, now: Millis) {
        match &mut self.carrier {
            Carrier::Polling(polling) if polling.number == number => polling.is_polling = false,
            _ => return,
        }
        match result {
            Ok(body) => self.payload(body, now),
            Err(error) => return self.fail(POLL_ERROR, error),
        }
        match self.state {
            State::Opening => self.fail(POLL_ERROR, "the server's answer is no handshake"),
            State::Open | State::Closing if self.is_upgrading() => self.upgrade_when_paused(),
            State::Open | State::Closing => self.poll(),
            State::Closed => {}
        }
    }

    fn payload(&mut self, body: &str, now: Millis) {
        for packet in decode_payload(VERSION, body) {
            let Ok(packet) = packet else {
                return self.fail(SERVER_ERROR, "parser error");
            };
            if let Some(message) = self.packet(packet, now) {
                self.outputs.push_back(Output::Message(message.into()));
            }
        }
    }

    /// What has become of a POST: nothing for status 200, or what went wrong.
    pub fn posted(&mut self, number: u32, result: Result<(), &str>) {
        match &mut self.carrier {
            Carrier::Polling(polling) if polling.number == number => polling.is_posting = false,
            _ => return,
        }
        if let Err(error) = result {
            return self.fail(POST_ERROR, error);
        }
        if self.is_upgrading() {
            return self.upgrade_when_paused();
        }
        self.flush();
        let is_posting = matches!(&self.carrier, Carrier::Polling(polling) if polling.is_posting);
        if self.buffer.is_empty() && !is_posting {
            self.outputs.push_back(Output::Drained);
        }
        self.close_when_sent();
    }

    /// A WebSocket is open.
    pub fn websocket_opened(&mut self, number: u32) {
        if self.is_probe(number) {
            let mut text = String::from(char::from(PacketType::Ping.digit()));
            text.push_str(PROBE);
            self.outputs
                .push_back(Output::SendText(number, text, Some(false)));
        }
    }

    /// A text message came over a WebSocket; the message of the application in it, if it is one.
    #[inline]
    pub fn websocket_text<'a>(&mut self, number: u32, text: &'a str, now: Millis) -> Option<Body<'a>> {
        self.websocket_packet(number, Packet::decode_text(VERSION, text), now)
    }

    /// A binary message came over a WebSocket.
    pub fn websocket_binary<'a>(&mut self, number: u32, data: &'a [u8], now: Millis) -> Option<Body<'a>> {
        self.websocket_packet(number, Packet::decode_binary(VERSION, data), now)
    }

    fn websocket_packet<'a>(
        &mut self,
        number: u32,
        packet: Result<Packet<'a>, ParseError>,
        now: Millis,
    ) -> Option<Body<'a>> {
        if self.is_carrier(number) {
            let Ok(packet) = packet else {
                self.fail(SERVER_ERROR, "parser error");
                return None;
            };
            return self.packet(packet, now);
        }
        if self.is_probe(number) && !self.is_upgrading() {
            self.probe_answered(packet.ok());
        }
        None
    }

    /// A WebSocket has ended, or was never opened: why, where something went wrong.
    pub fn websocket_closed(&mut self, number: u32, error: Option<&str>) {
        if self.is_probe(number) {
            return self.probe_failed(error.unwrap_or("transport closed"));
        }
        if self.is_carrier(number) {
            self.carrier = Carrier::None;
            match error {
                Some(error) => self.fail(WEBSOCKET_ERROR, error),
                None if self.state == State::Opening => {
                    self.fail(WEBSOCKET_ERROR, "it was closed before the handshake");
                }
                None => self.end(Reason::TransportClose, "websocket connection closed"),
            }
        }
    }

    pub(super) fn try_next_transport(&mut self) {
        let number = self.next_number();
        match self.left.pop_front() {
            Some(Transport::Polling) => {
                self.carrier = Carrier::Polling(Polling {
                    number,
                    is_polling: false,
                    is_posting: false,
                });
                self.poll();
            }
            Some(Transport::WebSocket) => {
                self.carrier = Carrier::WebSocket(number);
                self.outputs.push_back(Output::Connect(number));
            }
            None => self.fail("No transports available", ""),
        }
    }

    fn next_number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    fn is_carrier(&self, number: u32) -> bool {
        matches!(self.carrier, Carrier::WebSocket(carrier) if carrier == number)
    }

    fn is_probe(&self, number: u32) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.number == number)
    }

    pub(super) fn is_upgrading(&self) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.is_pausing)
    }

    fn poll(&mut self) {
        if let Carrier::Polling(polling) = &mut self.carrier
            && !polling.is_polling
        {
            polling.is_polling = true;
            self.outputs.push_back(Output::Get(polling.number));
        }
    }

    /// Sends what waits, if it can be sent now.
    pub(super) fn flush(&mut self) {
        if self.is_upgrading() || self.handshake.is_none() {
            return;
        }
        match &mut self.carrier {
            Carrier::None => {}
            Carrier::Polling(polling) if polling.is_posting || self.is_corked => {}
            Carrier::Polling(polling) => {
                let max = self
                    .handshake
                    .as_ref()
                    .and_then(|handshake| handshake.max_payload);
                if let Some(payload) = self.buffer.pop_payload(max) {
                    polling.is_posting = true;
                    self.outputs.push_back(Output::Post(polling.number, payload));
                }
            }
            Carrier::WebSocket(number) => {
                let number = *number;
                self.flush_over(number);
            }
        }
    }

    fn flush_over(&mut self, number: u32) {
        while let Some(waiting) = self.buffer.pop() {
            let compress = waiting.compress;
            let output = match waiting.data {
                OwnedData::Binary(data) if !self.settings.force_base64 => {
                    Output::SendBinary(number, data, compress)
                }
                data => Output::SendText(number, write(waiting.kind, data.borrow()), compress),
            };
            self.outputs.push_back(output);
        }
    }

    pub(super) fn begin_probe(&mut self) {
        let number = self.next_number();
        self.probe = Some(Probe {
            number,
            is_pausing: false,
        });
        self.outputs.push_back(Output::WebSocketWorks(false));
        self.outputs.push_back(Output::Connect(number));
    }

    fn probe_answered(&mut self, packet: Option<Packet<'_>>) {
        let is_answer = packet
            .is_some_and(|packet| packet.kind == PacketType::Pong && packet.data() == Data::Text(PROBE));
        if !is_answer {
            return self.probe_failed("the server's answer is another one");
        }
        if let Some(probe) = &mut self.probe {
            probe.is_pausing = true;
        }
        self.outputs.push_back(Output::WebSocketWorks(true));
        self.upgrade_when_paused();
    }

    /// Goes over, once no request is under way.
    fn upgrade_when_paused(&mut self) {
        let is_busy =
            matches!(&self.carrier, Carrier::Polling(polling) if polling.is_polling || polling.is_posting);
        let Some(probe) = self.probe.take_if(|_| !is_busy) else {
            return;
        };
        let upgrade = write(PacketType::Upgrade, Data::Text(""));
        self.outputs
            .push_back(Output::SendText(probe.number, upgrade, Some(false)));
        self.outputs.push_back(Output::Leave(None));
        self.carrier = Carrier::WebSocket(probe.number);
        self.outputs.push_back(Output::Upgraded);
        self.flush();
        self.close_when_sent();
    }

    fn probe_failed(&mut self, why: &str) {
        let Some(probe) = self.probe.take() else { return };
        self.outputs.push_back(Output::WebSocketWorks(false));
        self.outputs.push_back(Output::Disconnect(probe.number));
        self.outputs
            .push_back(Output::UpgradeFailed(format!("probe error: {why}")));
        if probe.is_pausing {
            // Polling goes on where it was.
            self.poll();
            self.flush();
        }
        self.close_when_sent();
    }

    /// Gives the carrier in use up; a `farewell` is said to the server where that has to be told by a request.
    pub(super) fn leave_carrier(&mut self, farewell: Option<String>) {
        match std::mem::replace(&mut self.carrier, Carrier::None) {
            Carrier::None => {}
            Carrier::Polling(_) => self.outputs.push_back(Output::Leave(farewell)),
            Carrier::WebSocket(number) => self.outputs.push_back(Output::Disconnect(number)),
        }
    }
}

fn write(kind: PacketType, data: Data<'_>) -> String {
    let mut out = Vec::new();
    match data {
        Data::Text(text) => packet::encode_text(kind, text, &mut out),
        Data::Binary(bytes) => packet::encode_base64(VERSION, bytes, &mut out),
    }
    // Both write UTF-8 only.
    String::from_utf8(out).unwrap_or_default()
}

impl From<Body<'_>> for OwnedData {
    fn from(body: Body<'_>) -> OwnedData {
        match body {
            Body::Text(text) => OwnedData::Text(text.to_owned()),
            Body::Binary(bytes) => OwnedData::Binary(bytes.into_owned()),
        }
    }
}
