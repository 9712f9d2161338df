//! Clients whose requests reach one server of a cluster or another, with a server in memory in the place of Redis.

use std::sync::Arc;

use sockline::ErrorCode;
use sockline::adapter::redis::memory::MemoryBus;
use sockline::adapter::redis::{Redis, RedisMode, RedisOptions};
use sockline::io::{self, Cors};

use crate::courier::{Courier, until};
use crate::fixture::poller::whole_answer;
use crate::fixture::{Fixture, Poller, serve_on, set, upgrade_request};
use crate::support::Peer;

const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

fn forwards(options: &mut io::ServerOptions) {
    options.forward_requests = true;
}

fn two() -> (Courier, Fixture, Fixture) {
    let courier = Courier::new();
    let (a, _) = courier.node(forwards);
    let (b, _) = courier.node(forwards);
    (courier, a, b)
}

/// A client of the first server whose requests go to the other from now on, and what its first GET there says.
#[track_caller]
fn joined(at: &Fixture, elsewhere: &Fixture) -> (Poller, io::Socket) {
    let mut poller = Poller::open(at.port, "EIO=4");
    poller.port = elsewhere.port;
    poller.post("40");
    assert!(poller.get().starts_with("40{\"sid\":\""));
    let socket = at.socket();
    at.skip();
    (poller, socket)
}

/// A request that is no GET or POST of its client's.
fn request(poller: &Poller, method: &str, lines: &str, body: &str) -> String {
    let (target, length) = (poller.target(), body.len());
    format!(
        "{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n{lines}\r\n{body}"
    )
}

/// A GET that waits, on a connection of its own.
fn waiting(poller: &Poller) -> Peer {
    let mut peer = Peer::connect(poller.port);
    let request = request(poller, "GET", "", "");
    peer.send(request.as_bytes());
    peer
}

/// What a GET that waited was answered.
#[track_caller]
fn body(mut peer: Peer) -> String {
    let answer = String::from_utf8(peer.read_to_end()).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn a_client_may_poll_any_server() {
    for mode in [RedisMode::Classic, RedisMode::Sharded, RedisMode::Streams] {
        let courier = Courier::new();
        let nodes: Vec<Fixture> = (0..3).map(|_| courier.node_in(mode, forwards).0).collect();
        let [a, b, c] = &nodes[..] else { unreachable!() };
        let (mut poller, socket) = joined(a, b);
        assert_eq!(
            socket.handshake().address().unwrap().ip().to_string(),
            "127.0.0.1"
        );
        set(
            &a.handler.on_event,
            Box::new(|_, event| {
                if let Some(ack) = event.ack {
                    let attachments: Vec<&[u8]> = event.attachments.iter().map(|data| &data[..]).collect();
                    crate::fixture::sent(ack.send(event.args, &attachments));
                }
            }),
        );
        socket.join(&["room"]);
        for (turn, node) in [b, c, a, c].into_iter().enumerate() {
            poller.port = node.port;
            poller.post(&format!(
                "42{turn}[\"e\",{turn}]\u{1e}451-9[\"e\",{{\"_placeholder\":true,\"num\":0}}]\u{1e}bAQI="
            ));
            a.hears(&[
                &format!("event e [{turn}] ack"),
                "event e [{\"_placeholder\":true,\"num\":0}] [[1, 2]] ack",
            ]);
            let answers =
                format!("43{turn}[{turn}]\u{1e}461-9[{{\"_placeholder\":true,\"num\":0}}]\u{1e}bAQI=");
            assert_eq!(poller.get(), answers);
            // What comes later finds a GET that waits.
            let peer = waiting(&poller);
            b.io.of("/").to("room").emit("all", "1", &[]).unwrap();
            assert_eq!(body(peer), "42[\"all\",1]");
        }
        for node in [b, c] {
            assert_eq!(node.io.engine_clients(), 0);
            node.hears_nothing_more();
        }
        // The ids say whose they are.
        let again = Poller::open(a.port, "EIO=4");
        assert!(again.sid.len() == 20 && again.sid[..6] == poller.sid[..6] && again.sid != poller.sid);
        assert_ne!(Poller::open(b.port, "EIO=4").sid[..6], poller.sid[..6]);
        poller.port = c.port;
        poller.post("1");
        a.hears(&["disconnecting transport close 2", "disconnect / transport close"]);
    }
}

#[test]
fn answers_are_those_of_the_sessions_server() {
    let courier = Courier::new();
    let shared = |options: &mut io::ServerOptions| {
        forwards(options);
        options.cors = Some(Cors::for_origins(&["https://a"]));
        options.ask_request = true;
        options.http_compression = None;
    };
    let nodes = [(); 2].map(|()| courier.node(shared).0);
    let mut poller = Poller::open(nodes[0].port, "EIO=4");
    nodes[0].skip();
    let origin = "Origin: https://a\r\n";
    let unknown = format!("{}x", &poller.sid[..19]);
    let ask = |poller: &Poller, method: &str, body: &str| {
        whole_answer(poller.port, &request(poller, method, origin, body))
    };
    let mut told = Vec::new();
    for node in &nodes {
        poller.port = node.port;
        let mut answers = vec![ask(&poller, "POST", "40/n"), ask(&poller, "GET", "")];
        answers.extend(["PUT", "OPTIONS"].map(|method| ask(&poller, method, "")));
        let known = std::mem::replace(&mut poller.sid, unknown.clone());
        answers.push(ask(&poller, "GET", ""));
        assert!(answers[4].ends_with(UNKNOWN));
        poller.sid = known;
        told.push(answers.map_dates());
    }
    assert!(
        told[0][0].contains("Access-Control-Allow-Origin: https://a"),
        "{}",
        told[0][0]
    );
    assert!(told[0][1].contains("44/n,"), "{}", told[0][1]);
    assert_eq!(told[0], told[1]);
    // Whose session it would be finds out that it isn't.
    nodes[0].hears(&[
        "connection error 1 Session ID unknown",
        "connection error 1 Session ID unknown",
    ]);
    nodes[1].hears_nothing_more();
}

trait MapDates {
    fn map_dates(self) -> Self;
}

impl MapDates for Vec<String> {
    /// Without what differs from one second to the next.
    fn map_dates(self) -> Vec<String> {
        let undated = |answer: String| {
            let lines: Vec<&str> = answer.lines().filter(|line| !line.starts_with("Date:")).collect();
            lines.join("\n")
        };
        self.into_iter().map(undated).collect()
    }
}

#[test]
fn a_cancelled_get_ends_the_session_at_its_server() {
    let (_courier, a, b) = two();
    let (poller, _socket) = joined(&a, &b);
    let peer = waiting(&poller);
    // It waits when an event finds it.
    a.io.of("/").emit("x", "", &[]).unwrap();
    assert_eq!(body(peer), "42[\"x\"]");
    drop(waiting(&poller));
    a.hears(&["disconnecting transport error 1", "disconnect / transport error"]);
    assert_eq!(poller.get(), UNKNOWN);
    until(|| a.io.engine_clients() == 0);
}

#[test]
fn two_gets_at_different_servers_end_the_session() {
    let (_courier, a, b) = two();
    let (mut poller, _socket) = joined(&a, &b);
    let first = waiting(&poller);
    poller.port = a.port;
    let second = waiting(&poller);
    let mut bodies = [body(first), body(second)];
    bodies.sort();
    assert_eq!(bodies, ["", "1"]);
    a.hears(&["disconnecting transport error 1", "disconnect / transport error"]);
}

#[test]
fn who_asks_for_a_server_that_is_gone_gets_the_official_error() {
    let courier = Courier::new();
    let (a, _) = courier.node(forwards);
    let (b, bus) = courier.node(forwards);
    let (poller, socket) = joined(&a, &b);
    bus.cut();
    assert_eq!(poller.get(), UNKNOWN);
    b.hears(&["connection error 1 Session ID unknown"]);
    bus.restore();
    socket.disconnect(true);
    assert_eq!((poller.get(), poller.get()), ("41".to_owned(), "1".to_owned()));
    a.hears(&[
        "disconnecting server namespace disconnect 1",
        "disconnect / server namespace disconnect",
    ]);
    assert_eq!(poller.get(), UNKNOWN);
    a.hears(&["connection error 1 Session ID unknown"]);
    a.io.close();
    a.hears(&["server closed"]);
    assert_eq!(poller.get(), UNKNOWN);
    b.hears(&["connection error 1 Session ID unknown"]);
    a.hears_nothing_more();
}

#[test]
fn a_server_that_closes_lets_no_client_wait() {
    let (courier, a, b) = two();
    let (poller, socket) = joined(&a, &b);
    let peer = waiting(&poller);
    until(|| courier.server.published().len() == 5);
    b.io.close();
    assert_eq!(body(peer), UNKNOWN);
    b.hears(&["connection error 1 Session ID unknown", "server closed"]);
    a.hears(&["disconnecting transport error 1", "disconnect / transport error"]);
    assert!(!socket.connected());
}

#[test]
fn an_answer_that_reaches_nobody_ends_the_session() {
    let courier = Courier::new();
    let (a, _) = courier.node(forwards);
    let (b, bus) = courier.node(forwards);
    let (poller, socket) = joined(&a, &b);
    let peer = waiting(&poller);
    // Before it there were two requests and their answers.
    until(|| courier.server.published().len() == 5);
    bus.cut();
    crate::fixture::sent(socket.emit("x", "", &[], &io::EmitOptions::default()));
    // Each time that it is sent again is a while later.
    while a.io.engine_clients() > 0 {
        courier.server.advance(100);
    }
    a.hears(&["disconnecting transport error 1", "disconnect / transport error"]);
    assert_eq!(body(peer), UNKNOWN);
}

#[test]
fn a_websocket_at_another_server_is_refused_and_polling_goes_on() {
    let (_courier, a, b) = two();
    let (poller, _socket) = joined(&a, &b);
    let upgrade = upgrade_request(&format!("EIO=4&transport=websocket&sid={}", poller.sid), "");
    let answer = whole_answer(b.port, &upgrade);
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("Session ID unknown"),
        "{answer}"
    );
    b.hears(&["connection error 1 Session ID unknown"]);
    poller.post("42[\"still\"]");
    a.hears(&["event still []"]);
    // At its own one it is taken, and polls elsewhere are over.
    let mut peer = Peer::connect(a.port);
    peer.send(upgrade.as_bytes());
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    let waits = waiting(&poller);
    peer.send(&crate::support::masked(0x81, b"2probe"));
    assert_eq!(peer.read_frame(), (0x81, b"3probe".to_vec()));
    assert_eq!(body(waits), "6");
    peer.send(&crate::support::masked(0x81, b"5"));
    a.hears(&["upgrade websocket"]);
    assert_eq!(poller.get(), r#"{"code":3,"message":"Bad request"}"#);
}

#[test]
fn bodies_are_limited_at_either_server() {
    let courier = Courier::new();
    let limited = |bytes| {
        move |options: &mut io::ServerOptions| {
            forwards(options);
            options.max_http_buffer_size = bytes;
        }
    };
    let (a, _) = courier.node(limited(10));
    let (b, _) = courier.node(limited(100));
    let mut poller = Poller::open(a.port, "EIO=4");
    poller.port = b.port;
    for (length, status) in [(10, "200"), (11, "413"), (100, "413"), (101, "413")] {
        let before = courier.server.published().len();
        let body = format!("42{}", " ".repeat(length - 2));
        let answer = whole_answer(b.port, &request(&poller, "POST", "", &body));
        // The first is no packet of a socket that has joined, so it ends the session, after it was taken.
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{length}: {answer}"
        );
        let forwarded = courier.server.published().len() > before;
        assert_eq!(forwarded, length <= 100, "{length}");
    }
}

#[test]
fn it_needs_a_cluster_and_ids_of_its_own() {
    let mut options = io::ServerOptions::default();
    forwards(&mut options);
    struct Nothing;
    impl io::Handler for Nothing {}
    let refused = io::Server::new(None, options, Arc::new(Nothing)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidArgument);
    assert!(
        refused.to_string().contains("forward_requests needs an adapter"),
        "{refused}"
    );
    let courier = Courier::new();
    let (a, _) = courier.node(|options| {
        forwards(options);
        options.ask_request = true;
    });
    set(
        &a.handler.on_request,
        Box::new(|question: io::RequestQuestion| question.allow_as("mine")),
    );
    let handshake =
        "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answer = whole_answer(a.port, handshake);
    assert!(
        answer.ends_with(r#"{"code":3,"message":"Bad request"}"#),
        "{answer}"
    );
}

#[test]
fn many_clients_at_servers_with_several_threads() {
    let courier = Courier::new();
    let nodes: Vec<Fixture> = (0..2)
        .map(|_| {
            let redis = Redis::over(
                Arc::<MemoryBus>::clone(&courier.server.node()),
                RedisOptions::default(),
            );
            serve_on(3, |options| {
                options.adapter = Some(redis);
                forwards(options);
            })
        })
        .collect();
    for node in &nodes {
        set(
            &node.handler.on_event,
            Box::new(|socket, event| {
                let sent = socket.emit("back", event.args, &[], &io::EmitOptions::default());
                crate::fixture::sent(sent);
            }),
        );
    }
    const CLIENTS: usize = 8;
    const EVENTS: usize = 30;
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let nodes = &nodes;
            scope.spawn(move || {
                let mut poller = Poller::open(nodes[client % 2].port, "EIO=4");
                poller.post("40");
                assert!(poller.get().starts_with("40{"));
                let mut got = String::new();
                for number in 0..EVENTS {
                    poller.port = nodes[number % 2].port;
                    poller.post(&format!("42[\"e\",{number}]"));
                    poller.port = nodes[number / 2 % 2].port;
                    got = got + &poller.get() + "\u{1e}";
                }
                let expected: String = (0..EVENTS)
                    .map(|number| format!("42[\"back\",{number}]\u{1e}"))
                    .collect();
                assert_eq!(got, expected);
                poller.post("1");
            });
        }
    });
    until(|| nodes.iter().all(|node| node.io.engine_clients() == 0));
}
