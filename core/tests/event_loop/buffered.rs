//! `buffered_amount` against a model of it, over random sends of all kinds, small writes, and a peer that reads now and
//! then.

use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;

use crossbeam_channel::unbounded;
use sockline::{
    Handler, Loop, LoopOptions, MessageType, Result, SendOptions, SendOutcome, Sent, ServerOptions, Settings,
    SlowConsumer, WebSocket,
};

use crate::support::peer::REQUEST;
use crate::support::{Peer, What, give, local, masked, port, reacting, serve, settings, settle};

const ROUNDS: usize = 150;

/// Numbers that look random and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// How long the frame of a server is.
fn frame_len(payload: usize) -> u64 {
    let header = match payload {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    header + payload as u64
}

struct Scene {
    on_loop: Loop,
    ws: WebSocket,
    server: sockline::Server,
    peer: Peer,
    events: crate::support::Events,
    dice: Dice,
    /// Then each message has a token, which tells what became of it, and each third a deadline.
    may_drop: bool,
    /// What was accepted, with the opening handshake's answer, less what was dropped.
    accepted: u64,
    /// By token.
    lengths: HashMap<u64, u64>,
    /// What the peer has read.
    read: u64,
}

impl Scene {
    fn new(policy: SlowConsumer, seed: u64) -> Scene {
        let on_loop = Loop::new(LoopOptions::default()).unwrap();
        // What a handler sends waits in the cork: it is counted from the start.
        let (handler, events) = reacting(|ws, what| {
            if let What::Binary(payload) = what {
                let before = ws.buffered_amount();
                let Ok(sent) = ws.send_binary(payload) else { return };
                if sent == Sent::Queued {
                    let grown = ws.buffered_amount().wrapping_sub(before);
                    assert!(grown == frame_len(payload.len()) || payload.len() >= 16 << 10);
                }
            }
        });
        let small = Settings {
            slow_consumer: policy,
            high_water_mark: 50_000,
            hard_limit: 200_000,
            ..settings(|it| it.tcp.send_buffer = 4096)
        };
        let options = ServerOptions {
            settings: small,
            ..local()
        };
        let server = serve(&on_loop, options, handler);
        let mut peer = Peer::connect(port(server));
        socket2::SockRef::from(&peer.stream)
            .set_recv_buffer_size(4096)
            .unwrap();
        give(&on_loop, &mut peer, REQUEST.as_bytes());
        let ws = events.open();
        let accepted = ws.metrics().unwrap().bytes_out;
        let read = peer.read_head().len() as u64;
        assert_eq!(read, accepted);
        let mut scene = Scene {
            on_loop,
            ws,
            server,
            peer,
            events,
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            may_drop: policy != SlowConsumer::Error,
            accepted,
            lengths: HashMap::new(),
            read,
        };
        scene.check("at first");
        scene
    }

    /// What the model says against what the connection says.
    fn check(&mut self, after: &str) {
        if self.may_drop {
            settle(&self.on_loop); // for on_sent
        }
        for what in self.events.so_far() {
            if let What::Sent(token, outcome) = what {
                let length = self.lengths.remove(&token).expect("on_sent comes once");
                if matches!(outcome, SendOutcome::Dropped | SendOutcome::Expired) {
                    self.accepted -= length;
                }
            }
        }
        let metrics = self.ws.metrics().unwrap();
        assert_eq!(
            self.ws.buffered_amount(),
            self.accepted - metrics.bytes_out,
            "after {after}"
        );
        assert_eq!(metrics.buffered, self.ws.buffered_amount());
        assert!(self.read <= metrics.bytes_out);
    }

    fn send(&mut self) {
        let length = match self.dice.roll(4) {
            0 => self.dice.roll(200),
            1 => self.dice.roll(5_000),
            2 => self.dice.roll(70_000),
            _ => 0,
        } as usize;
        let options = self.options();
        let sent = self.ws.send_with(MessageType::Binary, &vec![1; length], &options);
        self.note(sent, length, &options);
    }

    fn options(&mut self) -> SendOptions {
        let deadline = self.may_drop && self.dice.roll(3) == 0;
        SendOptions {
            token: Some(self.dice.roll(u64::MAX)),
            deadline: deadline.then_some(Duration::from_millis(1)),
            ..SendOptions::default()
        }
    }

    /// One that is dropped at once has its on_sent, too, and is taken back there.
    fn note(&mut self, sent: Result<Sent>, length: usize, options: &SendOptions) {
        if sent.is_ok() {
            self.accepted += frame_len(length);
            self.lengths
                .extend(options.token.map(|token| (token, frame_len(length))));
        }
    }

    fn step(&mut self) {
        match self.dice.roll(9) {
            0..3 => self.send(),
            3 => {
                let payload = vec![2; self.dice.roll(126) as usize];
                self.ws.ping(&payload).unwrap();
                self.accepted += frame_len(payload.len());
            }
            4 | 5 if self.may_drop => self.send(),
            4 => self.broadcast(),
            5 => self.echo(),
            6 => self.send_elsewhere(),
            7 => {
                let most = self.dice.roll(100_000) as usize;
                self.read_some(most);
            }
            _ => settle(&self.on_loop),
        }
    }

    fn broadcast(&mut self) {
        let payload = vec![3; self.dice.roll(3000) as usize];
        let before = self.ws.metrics().unwrap().messages_out;
        self.server.broadcast(MessageType::Binary, &payload).unwrap();
        if self.ws.metrics().unwrap().messages_out > before {
            self.accepted += frame_len(payload.len());
        }
    }

    /// Has the handler answer a message, if there is room.
    fn echo(&mut self) {
        let payload = vec![4; self.dice.roll(20_000) as usize];
        let before = self.ws.metrics().unwrap().messages_out;
        give(&self.on_loop, &mut self.peer, &masked(0x82, &payload));
        if self.ws.metrics().unwrap().messages_out > before {
            self.accepted += frame_len(payload.len());
        }
    }

    /// Another thread's messages count by their payload until the loop has taken them.
    fn send_elsewhere(&mut self) {
        let (ws, length, options) = (self.ws, self.dice.roll(3000) as usize, self.options());
        let before = ws.buffered_amount();
        let sent = std::thread::spawn(move || ws.send_with(MessageType::Binary, &vec![5; length], &options))
            .join()
            .unwrap();
        let waits = matches!(sent, Ok(Sent::Queued | Sent::OverMark));
        let grown = if waits { length as u64 } else { 0 };
        assert_eq!(ws.buffered_amount(), before + grown);
        settle(&self.on_loop);
        self.note(sent, length, &options);
    }

    fn read_some(&mut self, most: usize) {
        let mut buffer = vec![0; most + 1];
        self.peer.stream.set_nonblocking(true).unwrap();
        if let Ok(count) = self.peer.stream.read(&mut buffer) {
            self.read += count as u64;
        }
        self.peer.stream.set_nonblocking(false).unwrap();
    }

    /// The peer reads all there is: then nothing waits, and what was counted as taken is what has arrived.
    fn drain(&mut self) {
        while self.ws.buffered_amount() > 0 || self.read < self.ws.metrics().unwrap().bytes_out {
            self.read_some(1 << 20);
            settle(&self.on_loop);
        }
        self.check("draining");
        assert_eq!(self.read, self.accepted);
        assert_eq!(self.lengths.len(), 0, "each token has come");
    }
}

fn matches_the_model(policy: SlowConsumer) {
    for seed in 1..=3 {
        let mut scene = Scene::new(policy, seed);
        for round in 0..ROUNDS {
            scene.step();
            scene.check(&format!("round {round} of seed {seed}"));
            if round % 50 == 49 {
                scene.drain();
            }
        }
    }
}

#[test]
fn it_is_exact_where_sends_fail_beyond_the_limit() {
    matches_the_model(SlowConsumer::Error);
}

#[test]
fn it_is_exact_where_the_newest_are_dropped() {
    matches_the_model(SlowConsumer::DropNewest);
}

#[test]
fn it_is_exact_where_the_oldest_are_dropped() {
    matches_the_model(SlowConsumer::DropOldest);
}

/// The last of it, when a connection ends.
#[test]
fn nothing_waits_on_a_connection_that_has_ended() {
    struct AtTheEnd(crossbeam_channel::Sender<u64>);
    impl Handler for AtTheEnd {
        fn on_close(&self, ws: WebSocket, _: &sockline::CloseEvent) {
            self.0.send(ws.buffered_amount()).unwrap();
        }
    }
    let (sender, amounts) = unbounded();
    let on_loop = crate::support::started();
    let server = serve(&on_loop, local(), std::sync::Arc::new(AtTheEnd(sender)));
    drop(Peer::upgraded(port(server)));
    assert_eq!(amounts.recv_timeout(crate::support::PATIENCE), Ok(0));
}
