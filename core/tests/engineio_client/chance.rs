//! Whatever comes, in any order.

use sockline::engineio::client::{Client, Output, Settings, State};

use crate::{HANDSHAKE, NO_UPGRADES, settings, text};

/// Numbers that look like chance, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// What is under way, as whoever drives the machine sees it.
#[derive(Default)]
struct Wire {
    gets: u32,
    posts: u32,
    sent: Vec<u32>,
    has_ended: bool,
}

impl Wire {
    fn take(&mut self, client: &mut Client) {
        while let Some(output) = client.output() {
            assert!(!self.has_ended, "{output:?} comes after the end");
            match output {
                Output::Get(_) => self.gets += 1,
                Output::Post(_, payload) => {
                    self.posts += 1;
                    self.note(&payload);
                }
                Output::SendText(_, text, _) => self.note(&text),
                Output::Leave(_) => (self.gets, self.posts) = (0, 0),
                Output::Closed(..) => self.has_ended = true,
                _ => {}
            }
            assert!(self.gets <= 1 && self.posts <= 1);
        }
    }

    /// Our messages are numbers.
    fn note(&mut self, payload: &str) {
        let messages = payload
            .split('\x1e')
            .filter_map(|packet| packet.strip_prefix('4'));
        self.sent
            .extend(messages.map(|number| number.parse::<u32>().unwrap()));
    }
}

#[test]
fn whatever_comes_one_request_of_each_kind_is_under_way_and_messages_keep_their_order() {
    let bodies = [
        HANDSHAKE,
        NO_UPGRADES,
        "2",
        "4a\x1e6",
        "1",
        "x",
        "6",
        "6",
        "6",
        "3probe",
        "",
        "4é",
    ];
    let texts = [HANDSHAKE, "3probe", "3probe", "2", "4a", "1", "6", "x", ""];
    for seed in 0..3000 {
        let mut chance = Chance(seed);
        let mut client = Client::open(Settings {
            websocket_first: chance.below(3) == 0,
            try_all_transports: chance.below(2) == 0,
            ..settings()
        });
        let (mut wire, mut next, mut now) = (Wire::default(), 0, 0);
        for _ in 0..60 {
            wire.take(&mut client);
            let number = 1 + chance.below(3) as u32;
            now += chance.below(40);
            match chance.below(10) {
                0 | 1 if wire.gets > 0 => {
                    wire.gets = 0;
                    let body = chance.one_of(&bodies);
                    // Only the carrier in use has a request; the machine tells the others by their number.
                    (1..=3).for_each(|number| client.polled(number, Ok(body), now));
                }
                2 if wire.posts > 0 => {
                    wire.posts = 0;
                    (1..=3).for_each(|number| client.posted(number, Ok(())));
                }
                3 | 4 => _ = client.websocket_text(number, chance.one_of(&texts), now),
                5 => client.websocket_opened(number),
                6 if chance.below(8) == 0 => client.websocket_closed(number, None),
                7 | 8 => {
                    if client.state() == State::Open && client.direct().is_none() {
                        client.send(text(&next.to_string()), None);
                        next += 1;
                    }
                }
                9 if chance.below(20) == 0 => client.close(),
                _ => client.handle_timeout(now),
            }
        }
        wire.take(&mut client);
        let expected: Vec<u32> = (0..wire.sent.len() as u32).collect();
        assert_eq!(wire.sent, expected, "seed {seed}");
    }
}
