//! Clients whose requests reach the other server.

use std::time::{Duration, Instant};

use sockline::adapter::redis::{RedisMode, RedisOptions};
use sockline::io::{EmitOptions, Socket};

use crate::fixture::{Fixture, Poller, sent};
use crate::redis::RedisServer;
use crate::support::{PATIENCE, Peer};
use crate::{MODES, Node, know_each_other};

const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

/// Two that hear each other, and wait for each other for so long, in milliseconds.
fn two(server: &RedisServer, mode: RedisMode, requests_timeout: u64) -> [Node; 2] {
    let node = || {
        let options = RedisOptions {
            mode,
            requests_timeout,
            ..RedisOptions::new(server.url())
        };
        Node::with(options, |io| io.forward_requests = true)
    };
    let nodes = know_each_other([node(), node()]);
    // Adapters know each other, and these are other channels.
    let ways = match mode {
        RedisMode::Sharded => "PUBSUB SHARDCHANNELS socket.io-forward#*",
        _ => "PUBSUB CHANNELS socket.io-forward#*",
    };
    while server.cli(ways).lines().count() != 2 {}
    nodes
}

/// A client of the first server that polls the other.
fn joined(at: &Fixture, elsewhere: &Fixture) -> (Poller, Socket) {
    let mut poller = Poller::open(at.port, "EIO=4");
    poller.port = elsewhere.port;
    poller.post("40");
    assert!(poller.get().starts_with("40{\"sid\":\""));
    let socket = at.socket();
    at.skip();
    (poller, socket)
}

/// A GET that waits.
fn waiting(poller: &Poller) -> Peer {
    let mut peer = Peer::connect(poller.port);
    let target = poller.target();
    peer.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").as_bytes());
    peer
}

#[track_caller]
fn body(mut peer: Peer) -> String {
    let answer = String::from_utf8(peer.read_to_end()).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn emit(socket: &Socket, name: &str) {
    sent(socket.emit(name, "", &[], &EmitOptions::default()));
}

/// A GET waits at the session's server: who is volatile is dropped before.
#[track_caller]
fn emit_when_it_waits(socket: &Socket, name: &str) {
    let options = EmitOptions {
        volatile: true,
        ..EmitOptions::default()
    };
    let begin = Instant::now();
    while socket.emit(name, "", &[], &options) == Ok(sockline::Sent::Dropped) {
        assert!(begin.elapsed() < PATIENCE, "it never waits");
        std::thread::yield_now();
    }
}

#[test]
fn a_client_polls_another_server() {
    let server = RedisServer::start();
    for mode in MODES {
        let [a, b] = two(&server, mode, 5_000);
        let (mut poller, socket) = joined(&a.fixture, &b.fixture);
        for (number, node) in [&b, &a, &b].into_iter().enumerate() {
            poller.port = node.fixture.port;
            poller.post(&format!("42[\"e\",{number}]"));
            a.fixture.hears(&[&format!("event e [{number}]")]);
            let peer = waiting(&poller);
            emit_when_it_waits(&socket, "x");
            assert_eq!(body(peer), "42[\"x\"]");
        }
        drop(waiting(&poller));
        a.fixture
            .hears(&["disconnecting transport error 1", "disconnect / transport error"]);
        assert_eq!(poller.get(), UNKNOWN);
    }
}

#[test]
fn redis_may_be_away_for_a_moment_while_a_client_waits() {
    for mode in MODES {
        let mut server = RedisServer::start();
        let [a, b] = two(&server, mode, 20_000);
        let (poller, socket) = joined(&a.fixture, &b.fixture);
        let peer = waiting(&poller);
        emit_when_it_waits(&socket, "x");
        assert_eq!(body(peer), "42[\"x\"]");
        let peer = waiting(&poller);
        // It has come to the session's server when what follows it has.
        let (other, _) = joined(&a.fixture, &b.fixture);
        server.kill();
        for node in [&a, &b] {
            node.hears_that_redis_is(false);
        }
        emit(&socket, "missed by nobody");
        let begin = Instant::now();
        assert_eq!(other.get(), UNKNOWN);
        assert!(begin.elapsed() < Duration::from_secs(1), "it is told at once");
        server.restart();
        assert_eq!(body(peer), "42[\"missed by nobody\"]");
        // And it goes on.
        let peer = waiting(&poller);
        emit_when_it_waits(&socket, "y");
        assert_eq!(body(peer), "42[\"y\"]");
    }
}

#[test]
fn nobody_waits_for_long_for_a_server_that_redis_does_not_know_any_more() {
    let server = RedisServer::start();
    for mode in MODES {
        let [a, b] = two(&server, mode, 300);
        let (poller, socket) = joined(&a.fixture, &b.fixture);
        let peer = waiting(&poller);
        emit_when_it_waits(&socket, "x");
        assert_eq!(body(peer), "42[\"x\"]");
        let peer = waiting(&poller);
        let (late, _) = joined(&a.fixture, &b.fixture);
        a.redis.close();
        assert_eq!(body(peer), UNKNOWN);
        assert_eq!(late.get(), UNKNOWN);
        // Without Redis nothing is forwarded, nor waited for.
        b.redis.close();
        while server.cli("CLIENT LIST TYPE pubsub").contains("id=") {}
        assert_eq!(late.get(), UNKNOWN);
    }
}

#[test]
fn who_waits_when_its_own_server_leaves_the_cluster_is_told() {
    let server = RedisServer::start();
    let [a, b] = two(&server, RedisMode::Classic, 300);
    let (poller, socket) = joined(&a.fixture, &b.fixture);
    let peer = waiting(&poller);
    emit_when_it_waits(&socket, "x");
    assert_eq!(body(peer), "42[\"x\"]");
    let peer = waiting(&poller);
    let (_late, _) = joined(&a.fixture, &b.fixture);
    b.redis.close();
    assert_eq!(body(peer), UNKNOWN);
    // The session's server finds out by what it sends, once Redis has noticed, too.
    while server.cli("PUBSUB CHANNELS socket.io-forward#*").lines().count() != 1 {}
    emit(&socket, "lost");
    while !a.fixture.next().starts_with("disconnect / transport error") {}
}
