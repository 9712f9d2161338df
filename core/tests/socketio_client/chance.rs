//! Whatever happens, each acknowledgement is settled once, and what waits is counted right.

use std::collections::HashMap;

use sockline::socketio::client::{NewEvent, Reason, SocketSettings, State};

use crate::scene::{Scene, event};

/// Numbers that look like chance, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % end
    }
}

#[test]
fn every_token_is_settled_once() {
    for seed in 0..2000 {
        let mut chance = Chance(seed);
        let mut scene = Scene::new();
        for (namespace, retries) in [("/", 0), ("/retrying", 2)] {
            let ack_timeout = (chance.below(2) == 0).then_some(700);
            scene.socket_with(namespace, SocketSettings { retries, ack_timeout });
        }
        let (mut tokens, mut settled) = (0, HashMap::<String, u32>::new());
        let mut note = |words: Vec<String>| {
            for word in words {
                let mut parts = word.split(' ');
                if matches!(parts.next(), Some("ack" | "answer")) {
                    let token = parts.nth(1).unwrap().to_owned();
                    *settled.entry(token).or_default() += 1;
                }
            }
        };
        for _ in 0..80 {
            let key = chance.below(2) as usize;
            let name = ["", "/retrying,"][key];
            match chance.below(12) {
                0 => scene.client.connect(key, scene.now),
                1 if chance.below(4) == 0 => scene.client.disconnect(key, scene.now),
                2 => scene.client.opened(),
                3 | 4 => {
                    let last = 1 + chance.below(20);
                    (1..=last).for_each(|question| scene.client.authenticate(key, question, None));
                    let answer = if chance.below(8) == 0 { "4" } else { "0" };
                    note(vec![scene.receive(&format!(
                        "{answer}{name}{{\"sid\":\"x\",\"message\":\"no\"}}"
                    ))]);
                }
                5 if chance.below(3) == 0 => {
                    scene.client.closed(Reason::TransportClose, "", scene.now);
                }
                6 => scene.client.failed("refused", scene.now),
                7 => note(vec![scene.receive(&format!("3{name}{}[]", chance.below(20)))]),
                8 => {
                    let millis = chance.below(1500);
                    scene.pass(millis);
                    scene.client.attempt(scene.now);
                }
                _ => {
                    scene.carrier.is_writable = scene.client.state() == State::Open && chance.below(2) == 0;
                    let new = NewEvent {
                        volatile: chance.below(4) == 0,
                        timeout: (chance.below(3) == 0).then(|| chance.below(900)),
                        ..event("[\"a\"]", Some(tokens))
                    };
                    tokens += u64::from(scene.client.emit(key, &new, scene.carrier, scene.now).is_ok());
                }
            }
            note(scene.said());
        }
        scene.client.abandon(scene.now);
        note(scene.said());
        assert_eq!(scene.client.waiting(), 0, "seed {seed}");
        assert_eq!(scene.client.deadline(), None, "seed {seed}");
        for token in 0..tokens {
            assert_eq!(
                settled.get(&token.to_string()),
                Some(&1),
                "seed {seed}, token {token}"
            );
        }
    }
}
