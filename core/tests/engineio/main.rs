//! The server's side of an Engine.IO session on a virtual clock. What it wants done reads as short words: `200 2` answers the GET that waits with `2`.

mod closing;
mod heartbeat;
mod polling;
mod sending;
mod upgrade;

use sockline::SlowConsumer;
use sockline::engineio::server::{Config, Effect, NEVER, Outcome, Prepared, Probe, Received, Session, Unit};
use sockline::engineio::{Data, Packet, ParseError, PayloadType, Sid, Transport, Version};
use sockline::ws::Millis;

const INTERVAL: Millis = 25_000;
const TIMEOUT: Millis = 20_000;
const UPGRADE: Millis = 10_000;

fn config() -> Config {
    Config {
        ping_interval: INTERVAL,
        ping_timeout: TIMEOUT,
        upgrade_timeout: UPGRADE,
        max_payload: 1_000_000,
        upgrades: true,
        high_water_mark: 200,
        hard_limit: 0,
        slow_consumer: SlowConsumer::Error,
    }
}

/// A session with its clock, and what it has said since it was asked last.
struct Scene {
    session: Session,
    config: Config,
    now: Millis,
    effects: Vec<Effect>,
}

impl Scene {
    fn on_polling(version: Version) -> Scene {
        let sid = Sid::parse("AAAAAAAAAAAAAAAAAAAA").unwrap();
        let session = Session::on_polling(version, false, &sid, 1000, &config());
        let mut scene = Scene::with(session);
        assert!(scene.poll());
        let open = r#"{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        let said = scene.said();
        assert!(said[0].starts_with("200 ") && said[0].ends_with(open), "{said:?}");
        assert_eq!(said.len(), 1);
        scene
    }

    fn on_websocket(version: Version) -> Scene {
        Scene::with(Session::on_websocket(version, false, 1000, &config()))
    }

    /// On a WebSocket, after an upgrade.
    fn upgraded() -> Scene {
        let mut scene = Scene::on_polling(Version::V4);
        scene.begin_upgrade();
        assert_eq!(scene.probe("2probe"), Probe::Nothing);
        assert_eq!(scene.probe("5"), Probe::Moved);
        assert!(scene.upgrade());
        assert_eq!(scene.said(), ["probe 3probe", "upgraded"]);
        scene
    }

    fn with(session: Session) -> Scene {
        Scene {
            session,
            config: config(),
            now: 1000,
            effects: Vec::new(),
        }
    }

    fn poll(&mut self) -> bool {
        self.session.poll(self.now, &mut self.effects)
    }

    /// A packet comes, on whatever carries the session.
    fn receive(&mut self, text: &str) -> Received {
        let packet = Packet::decode_text(self.session.version(), text);
        self.session.receive(
            packet.map(|packet| packet.kind),
            self.now,
            &self.config,
            &mut self.effects,
        )
    }

    /// A packet without data for the application comes.
    fn hear(&mut self, text: &str) {
        assert_eq!(self.receive(text), Received::Nothing);
    }

    fn begin_upgrade(&mut self) {
        assert!(self.session.begin_upgrade(self.now, &self.config));
    }

    fn probe(&mut self, text: &str) -> Probe {
        let packet = Packet::decode_text(self.session.version(), text);
        let packet = packet.as_ref().map_err(|_| ParseError);
        self.session.probe(packet, &mut self.effects)
    }

    fn upgrade(&mut self) -> bool {
        self.session.upgrade(self.now, &self.config, &mut self.effects)
    }

    fn send(&mut self, text: &str) -> Outcome {
        self.send_with(text, false)
    }

    fn send_with(&mut self, text: &str, volatile: bool) -> Outcome {
        let unit = || Unit::copy(&Data::Text(text));
        self.session
            .send(volatile, true, unit, &self.config, &mut self.effects)
    }

    fn close(&mut self, discard: bool) {
        self.session.close(discard, self.now, &mut self.effects);
    }

    /// Time passes, and the machine is called exactly when it wants to.
    fn pass(&mut self, time: Millis) {
        let end = self.now + time;
        while self.session.deadline() <= end {
            let deadline = self.session.deadline();
            assert!(deadline >= self.now, "a deadline in the past would never end");
            self.now = deadline;
            self.session.tick(deadline, &self.config, &mut self.effects);
            assert!(self.session.deadline() > deadline, "it did nothing in its time");
        }
        self.now = end;
    }

    /// What there was to do since this was asked last.
    fn said(&mut self) -> Vec<String> {
        let mut said = self.all_said();
        said.retain(|word| !word.starts_with("waits"));
        said
    }

    /// The same with what is only for those who watch.
    fn all_said(&mut self) -> Vec<String> {
        self.effects.drain(..).map(|effect| word(&effect)).collect()
    }

    fn with_effects<R>(&mut self, act: impl FnOnce(&mut Session, &mut Vec<Effect>) -> R) -> R {
        act(&mut self.session, &mut self.effects)
    }
}

fn word(effect: &Effect) -> String {
    match effect {
        Effect::Answer(answer) => format!("200 {}", String::from_utf8_lossy(&answer.body)),
        Effect::Waits(kind) => format!("waits {}", char::from(kind.digit())),
        Effect::Frame(kind) => format!("frame {}", char::from(kind.digit())),
        Effect::AnswerProbe => "probe 3probe".to_owned(),
        Effect::CloseProbe => "close probe".to_owned(),
        Effect::Upgraded => "upgraded".to_owned(),
        Effect::Flush(entries) => {
            let mut text = "flush".to_owned();
            for entry in entries {
                entry.packets(&mut |kind, data| text.push_str(&format!(" {}{data:?}", kind as u8)));
            }
            text
        }
        Effect::CloseCarrier => "close carrier".to_owned(),
        Effect::Drained => "drained".to_owned(),
        Effect::Closed(reason, detail) => format!("closed {} {detail}", reason.as_str())
            .trim_end()
            .to_owned(),
    }
}
