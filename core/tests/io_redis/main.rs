//! Servers of one cluster over a server of Redis, with clients on each, while Redis comes and goes.

#![cfg(feature = "redis")]

#[path = "../io/fixture.rs"]
#[allow(dead_code)]
mod fixture;
mod forwarding;
#[path = "../support/redis.rs"]
mod redis;
#[path = "../support/mod.rs"]
mod support;
mod topics;

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use sockline::adapter::AdapterError;
use sockline::adapter::redis::{Redis, RedisEvents, RedisMode, RedisOptions};
use sockline::io::{self, Answered};

use crate::fixture::{Fixture, serve_with};
use crate::redis::RedisServer;
use crate::support::PATIENCE;

const MODES: [RedisMode; 3] = [RedisMode::Classic, RedisMode::Sharded, RedisMode::Streams];

/// Says when Redis is there.
struct Told(Sender<bool>);

impl RedisEvents for Told {
    fn on_error(&self, _: &AdapterError) {}

    fn on_connected(&self) {
        let _ = self.0.send(true);
    }

    fn on_disconnected(&self, _: &AdapterError) {
        let _ = self.0.send(false);
    }
}

/// A server, and whether it has Redis.
struct Node {
    fixture: Fixture,
    redis: Redis,
    told: Receiver<bool>,
}

impl Node {
    fn new(server: &RedisServer, mode: RedisMode) -> Node {
        let options = RedisOptions {
            mode,
            ..RedisOptions::new(server.url())
        };
        Node::with(options, |_| {})
    }

    fn with(options: RedisOptions, change: impl FnOnce(&mut io::ServerOptions)) -> Node {
        let (sender, told) = unbounded();
        let redis = Redis::new(options, Some(Arc::new(Told(sender)))).unwrap();
        let fixture = serve_with(|io| {
            io.adapter = Some(redis.clone());
            change(io);
        });
        Node { fixture, redis, told }
    }

    #[track_caller]
    fn hears_that_redis_is(&self, there: bool) {
        while self.told.recv_timeout(PATIENCE).expect("Redis comes or goes") != there {}
    }

    /// How many servers it knows, which it asks until it is so many: a subscription takes its time.
    #[track_caller]
    fn knows(&self, servers: usize) {
        let ask = || {
            let (done, count) = unbounded();
            let namespace = self.fixture.io.of("/");
            namespace
                .server_count(move |count| drop(done.send(count)))
                .unwrap();
            count.recv_timeout(PATIENCE).unwrap()
        };
        while ask().ok() != Some(servers) {}
    }
}

fn two(server: &RedisServer, mode: RedisMode) -> [Node; 2] {
    know_each_other([Node::new(server, mode), Node::new(server, mode)])
}

fn know_each_other(nodes: [Node; 2]) -> [Node; 2] {
    for node in &nodes {
        node.hears_that_redis_is(true);
        node.knows(2);
    }
    nodes
}

#[test]
fn clients_of_both_servers_are_reached_and_found() {
    let server = RedisServer::start();
    for mode in MODES {
        let [a, b] = two(&server, mode);
        let (mut first, _) = a.fixture.joined();
        let (mut second, socket) = b.fixture.joined();
        socket.join(&["room"]);
        a.fixture.io.of("/").emit("all", "1", &[]).unwrap();
        first.gets(&["42[\"all\",1]"]);
        second.gets(&["42[\"all\",1]"]);
        let (done, found) = unbounded();
        let everybody = a.fixture.io.of("/").all();
        everybody
            .fetch_sockets(move |found| drop(done.send(found)))
            .unwrap();
        let Answered { value, missing } = found.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!((value.len(), missing), (2, 0), "{mode:?}");
        a.fixture.skip();
        everybody
            .timeout(PATIENCE)
            .emit_with_ack("q", "", &[], 7)
            .unwrap();
        assert_eq!(
            (first.text(), second.text()),
            ("420[\"q\"]".into(), "420[\"q\"]".into())
        );
        first.say("430[1]");
        second.say("430[2]");
        a.fixture.hears(&["acks / 7 2/2 [\"1\", \"2\"]"]);
        let namespace = b.fixture.io.of("/");
        namespace.server_side_emit("hi", "{}", &[]).unwrap();
        a.fixture.hears(&["server / hi [{}] 0"]);
        // Who is done is counted no longer.
        b.fixture.io.close();
        a.knows(1);
    }
}

#[test]
fn a_server_goes_on_while_redis_is_away_and_is_of_the_cluster_again() {
    for mode in MODES {
        let mut server = RedisServer::start();
        let [a, b] = two(&server, mode);
        let (mut first, _) = a.fixture.joined();
        let (mut second, _) = b.fixture.joined();
        server.kill();
        for node in [&a, &b] {
            node.hears_that_redis_is(false);
        }
        a.fixture.io.of("/").emit("alone", "", &[]).unwrap();
        first.gets(&["42[\"alone\"]"]);
        let (done, found) = unbounded();
        let everybody = a.fixture.io.of("/").all();
        everybody
            .fetch_sockets(move |found| drop(done.send(found)))
            .unwrap();
        let found = found.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!((found.value.len(), found.missing), (1, 1), "{mode:?}");
        server.restart();
        for node in [&a, &b] {
            node.hears_that_redis_is(true);
            node.knows(2);
        }
        a.fixture.io.of("/").emit("again", "", &[]).unwrap();
        first.gets(&["42[\"again\"]"]);
        second.gets(&["42[\"again\"]"]);
    }
}
