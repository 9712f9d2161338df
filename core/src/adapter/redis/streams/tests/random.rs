//! Clients that lose their connections, or leave nodes that don't notice, and come back to any node at any time, while all
//! nodes broadcast: each client gets all that is for it, in the order of the stream, once.

use std::sync::Arc;

use parking_lot::Mutex;

use super::super::super::Bus;
use super::super::super::cluster::{Message, testing::*};
use super::super::entry::Entry;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

enum Whereabouts {
    On(usize),
    Away,
    Coming(usize, Arc<Mutex<Option<Vec<String>>>>),
}

struct Client {
    id: String,
    at: Whereabouts,
    /// The events that have arrived.
    has: Vec<String>,
    offset: Option<String>,
    /// What comes on the present connection and did not arrive yet.
    on_the_way: Vec<String>,
    /// The node that still has its former socket.
    former: Option<usize>,
}

impl Client {
    fn is_at(&self, node: usize) -> bool {
        match &self.at {
            Whereabouts::On(at) | Whereabouts::Coming(at, _) => *at == node,
            Whereabouts::Away => false,
        }
    }

    fn arrives(&mut self, count: usize) {
        for line in self.on_the_way.drain(..count) {
            let offset = offset_in(&line).unwrap();
            self.offset = Some(offset);
            self.has.push(without_offset(&line));
        }
    }
}

struct Play {
    world: World,
    random: Random,
    clients: Vec<Client>,
    said: usize,
    lost: usize,
    left: usize,
}

impl Play {
    fn new(seed: u64) -> Play {
        let world = World::new(STREAMS, 3);
        let clients = (0..3).map(|number| {
            let id = format!("x{number}");
            world.connect(number, &id, &["all", if number == 0 { "even" } else { "odd" }]);
            Client {
                id,
                at: Whereabouts::On(number),
                has: Vec::new(),
                offset: None,
                on_the_way: Vec::new(),
                former: None,
            }
        });
        let clients = clients.collect();
        Play {
            world,
            random: Random(seed),
            clients,
            said: 0,
            lost: 0,
            left: 0,
        }
    }

    /// What nodes have sent to their sockets is on its way to the clients.
    fn gather(&mut self) {
        for node in 0..3 {
            let mut gone = Vec::new();
            for line in self.world.take_log(node) {
                let (id, what) = line.split_once(' ').unwrap();
                let client = self.clients.iter_mut().find(|client| client.id == id).unwrap();
                if what == "goes true" {
                    assert_eq!(client.former.take(), Some(node));
                    gone.push(id.to_owned()); // what it still got was for the former socket
                    self.world.adapter(node).del_all(id);
                    self.world.crowd(node).sockets.lock().remove(id);
                } else if client.former != Some(node)
                    && client.is_at(node)
                    && !gone.iter().any(|one| one == id)
                {
                    client.on_the_way.push(what.to_owned());
                }
            }
        }
    }

    fn say_something(&mut self) {
        self.said += 1;
        let rooms = [&["all"][..], &["even"], &["odd"], &[], &["x1"]][self.random.below(5)];
        let node = self.random.below(3);
        let array = format!("[\"{}\"]", self.said);
        self.world
            .adapter(node)
            .broadcast(&packet(&array), &to(rooms, &[]));
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0..3 => {
                self.said += 1;
                let rooms = [&["all"][..], &["even"], &["odd"], &[], &["x1"]][self.random.below(5)];
                let node = self.random.below(3);
                let array = format!("[\"{}\"]", self.said);
                self.world
                    .adapter(node)
                    .broadcast(&packet(&array), &to(rooms, &[]));
            }
            3..8 => {
                self.world.server.deliver_one();
            }
            8 => self.world.server.advance(1),
            _ => {
                let number = self.random.below(3);
                self.move_client(number);
            }
        }
        self.gather();
    }

    fn move_client(&mut self, number: usize) {
        self.gather();
        let node = self.random.below(3);
        let client = &mut self.clients[number];
        match &client.at {
            Whereabouts::On(at) => {
                let (at, arrived) = (*at, self.random.below(client.on_the_way.len() + 1));
                client.arrives(arrived);
                match self.random.below(6) {
                    0 | 1 => {
                        client.on_the_way.clear();
                        client.at = Whereabouts::Away;
                        self.lost += 1;
                        self.world.lose(at, &client.id);
                    }
                    2 => self.leave_unnoticed(number, at, node),
                    _ => {}
                }
            }
            Whereabouts::Away => {
                let restored = self.world.come_back(node, &client.id, client.offset.as_deref());
                client.at = Whereabouts::Coming(node, restored);
            }
            Whereabouts::Coming(..) => self.look_who_came(number),
        }
    }

    /// A client comes to a node, and the one that it was on doesn't know yet.
    fn leave_unnoticed(&mut self, number: usize, at: usize, node: usize) {
        // Its session is kept by then.
        for _ in 0..2 {
            self.world.server.deliver();
            self.gather();
            self.world.server.advance(60);
        }
        self.gather();
        let arrived = self.random.below(self.clients[number].on_the_way.len() + 1);
        self.clients[number].arrives(arrived);
        (0..self.random.below(4)).for_each(|_| self.say_something());
        let client = &mut self.clients[number];
        client.on_the_way.clear();
        client.former = Some(at);
        self.left += 1;
        let restored = self.world.come_back(node, &client.id, client.offset.as_deref());
        client.at = Whereabouts::Coming(node, restored);
    }

    fn look_who_came(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let Whereabouts::Coming(node, restored) = &client.at else {
            return;
        };
        let Some(missed) = restored.lock().take() else {
            return;
        };
        client.at = Whereabouts::On(*node);
        client.on_the_way.splice(..0, missed);
    }

    fn end(mut self) {
        for _ in 0..3 {
            self.world.server.deliver();
            self.world.server.advance(1000);
            self.gather();
            for number in 0..3 {
                self.look_who_came(number);
                if matches!(self.clients[number].at, Whereabouts::Away) {
                    self.move_client(number);
                }
            }
        }
        let (reply, entries) = hold();
        self.world.nodes[0]
            .bus
            .range("socket.io", "-", "+", 100_000, reply);
        self.world.server.deliver();
        let entries = entries.lock().take().unwrap().unwrap();
        assert_eq!(entries.len(), self.said);
        for (number, mut client) in self.clients.into_iter().enumerate() {
            let all = client.on_the_way.len();
            client.arrives(all);
            let own = [
                if number == 0 { "even" } else { "odd" },
                "all",
                client.id.as_str(),
            ];
            let mut expected = Vec::new();
            for (_, fields) in &entries {
                let entry = Entry::new(fields);
                let Message::Broadcast { packet, options, .. } = entry.message().unwrap() else {
                    panic!();
                };
                if options.rooms.is_empty() || options.rooms.iter().any(|room| own.contains(&&**room)) {
                    expected.push(packet.array.to_string());
                }
            }
            assert_eq!(client.has, expected, "{}", client.id);
        }
    }
}

#[test]
fn all_comes_once_and_in_order() {
    let (mut lost, mut left) = (0, 0);
    for seed in 0..300 {
        println!("seed {seed}");
        let mut play = Play::new(seed);
        (0..400).for_each(|_| play.step());
        lost += play.lost;
        left += play.left;
        play.end();
    }
    assert!(lost > 1000 && left > 500, "{lost} {left}");
}
