//! Any bytes as packets and payloads of Engine.IO, and as what a session hears. What was read reads the same when it is
//! written and read again; a session says only what makes sense, and ends once. Included by the fuzz targets and by the
//! tests of the crate.

use sockline::SlowConsumer;
use sockline::engineio::server::{Config, Effect, NEVER, Outcome, Received, Session, Unit};
use sockline::engineio::{
    Data, Packet, PacketType, Payloads, Sid, Version, decode_binary_payload, decode_payload, encode_payload,
};

/// Judges a file of the corpus: its first byte is `0` for a payload of revision 4, `1` for one of revision 3, `2` for a
/// binary one, `3` for a WebSocket message, and anything else for the acts of a session.
pub fn judge_input(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else {
        return;
    };
    let text = std::str::from_utf8(bytes);
    match (first, text) {
        (b'0', Ok(text)) => payload(Version::V4, false, decode_payload(Version::V4, text), bytes.len()),
        (b'1', Ok(text)) => payload(Version::V3, false, decode_payload(Version::V3, text), bytes.len()),
        (b'2', _) => payload(Version::V3, true, decode_binary_payload(bytes), bytes.len()),
        (b'3', _) => frame(bytes),
        (b'0' | b'1', Err(_)) => {}
        _ => play(bytes),
    }
}

type Kept = (PacketType, Result<String, Vec<u8>>);

fn keep(packet: &Packet<'_>) -> Kept {
    let data = match packet.data() {
        Data::Text(text) => Ok(text.to_owned()),
        Data::Binary(bytes) => Err(bytes.to_owned()),
    };
    (packet.kind, data)
}

fn payload(version: Version, takes_binary: bool, packets: Payloads<'_>, length: usize) {
    let mut read: Vec<Kept> = Vec::new();
    for packet in packets {
        let Ok(packet) = packet else { break };
        read.push(keep(&packet));
    }
    let size: usize = read
        .iter()
        .map(|(_, data)| data.as_ref().map_or_else(Vec::len, String::len))
        .sum();
    assert!(
        size <= length && read.len() <= length,
        "there is no more than came"
    );
    // Binary data of other packets than messages can't be written.
    read.retain(|(kind, data)| *kind == PacketType::Message || data.is_ok());
    if read.is_empty() {
        return;
    }
    let borrowed = read.iter().map(|(kind, data)| match data {
        Ok(text) => (*kind, Data::Text(text)),
        Err(bytes) => (*kind, Data::Binary(bytes)),
    });
    let mut written = Vec::new();
    let kind = encode_payload(version, takes_binary, borrowed, &mut written);
    let again: Vec<Kept> = match kind.content_type() {
        "application/octet-stream" => decode_binary_payload(&written)
            .map(|packet| keep(&packet.expect("it was written here")))
            .collect(),
        _ => decode_payload(
            version,
            std::str::from_utf8(&written).expect("it was written as text"),
        )
        .map(|packet| keep(&packet.expect("it was written here")))
        .collect(),
    };
    assert_eq!(again, read);
}

fn frame(bytes: &[u8]) {
    for version in [Version::V3, Version::V4] {
        if let Ok(packet) = Packet::decode_binary(version, bytes) {
            assert!(packet.data().len() <= bytes.len());
        }
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Ok(packet) = Packet::decode_text(version, text)
        {
            assert!(packet.data().len() < bytes.len());
        }
    }
}

/// A driver that keeps count of what a session must keep right.
struct Driver {
    session: Session,
    config: Config,
    now: u64,
    waiting: bool,
    tried: bool,
    on_websocket: bool,
    closed: bool,
}

/// Small, so that limits and deadlines are met.
fn config(first: u8) -> Config {
    let policies = [
        SlowConsumer::Error,
        SlowConsumer::DropNewest,
        SlowConsumer::DropOldest,
        SlowConsumer::Close,
    ];
    Config {
        ping_interval: 25,
        ping_timeout: 20,
        upgrade_timeout: 10,
        max_payload: 1000,
        upgrades: true,
        high_water_mark: 100,
        hard_limit: usize::from(first & 4) * 50,
        slow_consumer: policies[usize::from(first >> 3) % policies.len()],
    }
}

fn play(bytes: &[u8]) {
    let Some((first, acts)) = bytes.split_first() else {
        return;
    };
    let config = config(*first);
    let version = if first & 1 == 0 { Version::V4 } else { Version::V3 };
    let sid = Sid::parse("AAAAAAAAAAAAAAAAAAAA").expect("it has 20 characters");
    let on_websocket = first & 2 != 0;
    let session = match on_websocket {
        true => Session::on_websocket(version, false, 0, &config),
        false => Session::on_polling(version, false, &sid, 0, &config),
    };
    let mut driver = Driver {
        session,
        config,
        now: 0,
        waiting: false,
        tried: false,
        on_websocket,
        closed: false,
    };
    for act in acts {
        driver.act(*act);
    }
    driver.pass(u64::MAX / 2);
    assert!(driver.closed, "nobody has answered its pings");
}

impl Driver {
    fn act(&mut self, act: u8) {
        const PACKETS: [&str; 10] = ["0", "1", "2", "3", "4a", "5", "6", "2probe", "x", "bAQI="];
        let mut effects = Vec::new();
        let packet = |at: u8| Packet::decode_text(Version::V4, PACKETS[usize::from(at) % PACKETS.len()]);
        match act >> 5 {
            0 => return self.pass(u64::from(act & 31)),
            1 => {
                let kind = packet(act & 31).map(|packet| packet.kind);
                let received = self.session.receive(kind, self.now, &self.config, &mut effects);
                assert!(received == Received::Nothing || !self.closed);
            }
            2 => {
                let welcome = self.session.poll(self.now, &mut effects);
                assert!(!welcome || (!self.waiting && !self.on_websocket && !self.closed));
                self.waiting |= welcome;
            }
            3 => self.send(act, &mut effects),
            4 => {
                if self.session.begin_upgrade(self.now, &self.config) {
                    assert!(!self.tried && !self.on_websocket && !self.closed);
                    self.tried = true;
                }
            }
            5 => {
                let packet = packet(act & 31);
                let packet = packet.as_ref().map_err(|error| *error);
                let moved = self.session.probe(packet, &mut effects);
                if moved == sockline::engineio::server::Probe::Moved && act & 16 == 0 {
                    self.carry_out(std::mem::take(&mut effects));
                    assert!(self.session.upgrade(self.now, &self.config, &mut effects));
                }
            }
            6 if act & 1 == 0 => {
                self.session.probe_gone();
                self.tried = false;
            }
            6 if self.on_websocket => self.session.carrier_gone(act & 2 != 0, &mut effects),
            6 => {
                self.session.poll_cut(&mut effects);
                self.waiting = false;
            }
            _ => self.session.close(act & 1 != 0, self.now, &mut effects),
        }
        self.carry_out(effects);
    }

    fn send(&mut self, act: u8, effects: &mut Vec<Effect>) {
        let text = "x".repeat(usize::from(act & 31));
        let unit = || Unit::copy(&Data::Text(&text));
        let sent = self.session.send(act & 1 != 0, true, unit, &self.config, effects);
        match sent {
            Outcome::OnWebSocket => assert!(self.on_websocket && !self.closed),
            Outcome::Closed => {}
            _ => assert!(!self.on_websocket && !self.closed),
        }
        let limit = self.config.hard_limit;
        assert!(limit == 0 || self.session.buffered() <= limit + 31 + 4 * 40);
    }

    fn pass(&mut self, time: u64) {
        let end = self.now.saturating_add(time);
        while self.session.deadline() <= end && self.session.deadline() != NEVER {
            let deadline = self.session.deadline();
            assert!(deadline >= self.now);
            self.now = deadline;
            let mut effects = Vec::new();
            self.session.tick(deadline, &self.config, &mut effects);
            assert!(self.session.deadline() > deadline, "it stands still");
            self.carry_out(effects);
        }
        self.now = end;
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            assert!(!self.closed, "{effect:?} comes after the end");
            match effect {
                Effect::Answer(answer) => {
                    assert!(std::mem::take(&mut self.waiting), "nobody waits for an answer");
                    assert!(!answer.body.is_empty());
                }
                Effect::Frame(_) | Effect::Flush(_) | Effect::CloseCarrier => assert!(self.on_websocket),
                Effect::AnswerProbe => assert!(self.tried),
                Effect::CloseProbe => assert!(std::mem::take(&mut self.tried)),
                Effect::Upgraded => {
                    assert!(std::mem::take(&mut self.tried) && !self.waiting);
                    self.on_websocket = true;
                }
                Effect::Waits(_) => assert!(!self.on_websocket),
                Effect::Drained => {}
                Effect::Closed(..) => {
                    assert!(!self.waiting && !self.tried && self.session.is_closed());
                    assert_eq!(self.session.buffered(), 0);
                    self.closed = true;
                }
            }
        }
    }
}
