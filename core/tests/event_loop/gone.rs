//! Clients of routes that go, or that are slow, and servers that close while answers are owed.

use std::thread;
use std::time::Duration;

use sockline::ServerOptions;

use crate::support::routes::{Told, get, ok, post, response, routed};
use crate::support::{PATIENCE, Peer, barrier, closed_server, port, recorder, serve, started};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_client_that_goes_before_its_answer_is_told_of() {
    type Go = fn(Peer);
    let ways: [Go; 3] = [drop, Peer::reset, |peer| {
        peer.end_writing();
        assert!(peer_end(peer).is_empty());
    }];
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    for go in ways {
        let mut peer = Peer::connect(port(server));
        peer.send(&get("/r"));
        let exchange = heard.request().exchange;
        go(peer);
        heard.cut(exchange.id());
        exchange.respond(ok(b"too late, and harmless"));
        barrier(server);
        assert!(heard.is_silent());
    }
    assert_eq!(server.metrics().unwrap().totals.buffered, 0);
}

fn peer_end(mut peer: Peer) -> Vec<u8> {
    peer.read_to_end()
}

#[test]
fn the_end_may_come_with_the_request_or_behind_much_more() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    // The last is more than is read ahead, and little enough for its end to reach the system.
    for more in [0, 100, 150 << 10] {
        let mut peer = Peer::connect(port(server));
        let mut bytes = get("/r");
        bytes.extend(vec![b'x'; more]);
        peer.send(&bytes);
        peer.end_writing();
        let exchange = heard.request().exchange;
        heard.cut(exchange.id());
    }
}

#[test]
fn an_exchange_that_is_dropped_after_its_client_has_gone_is_harmless() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    peer.send(&get("/r"));
    let exchange = heard.request().exchange;
    peer.reset();
    heard.cut(exchange.id());
    drop(exchange);
    let mut next = Peer::connect(port(server));
    next.send(&get("/r/next"));
    heard.request().exchange.respond(ok(b"next"));
    assert_eq!(response(&mut next).1, b"next");
}

#[test]
fn an_answer_is_given_once_and_to_its_own_request() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    // The client goes, and its slot is used again by one that waits too.
    let mut gone = Peer::connect(port(server));
    gone.send(&get("/r/gone"));
    let stale = heard.request().exchange;
    gone.reset();
    heard.cut(stale.id());
    let mut peer = Peer::connect(port(server));
    peer.send(&get("/r/here"));
    let exchange = heard.request().exchange;
    stale.respond(ok(b"for somebody else"));
    exchange.respond(ok(b"for you"));
    assert_eq!(response(&mut peer).1, b"for you");
}

#[test]
fn no_timeout_runs_while_an_answer_is_owed() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let options = ServerOptions {
        handshake_timeout: SHORT,
        ..options
    };
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    peer.send(&get("/r"));
    let exchange = heard.request().exchange;
    // Others that came later are given up for their silence.
    for _ in 0..2 {
        assert!(Peer::connect(port(server)).read_to_end().is_empty());
    }
    exchange.respond(ok(b"at last"));
    assert_eq!(response(&mut peer).1, b"at last");
    // Afterwards it is as any other that asks for nothing.
    assert!(peer.read_to_end().is_empty());
    assert!(heard.is_silent());
}

#[test]
fn a_body_that_trickles_is_given_up() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let options = ServerOptions {
        handshake_timeout: SHORT,
        ..options
    };
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    peer.send(b"POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    let mut writer = peer.stream.try_clone().unwrap();
    let trickle = thread::spawn(move || {
        use std::io::Write;
        while writer.write_all(b"x").is_ok() {
            thread::sleep(SHORT / 10);
        }
    });
    let head = peer.read_head();
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    drop(peer);
    trickle.join().unwrap();
    assert!(heard.is_silent());
}

#[test]
fn a_body_that_comes_steadily_has_its_time() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let options = ServerOptions {
        handshake_timeout: 4 * SHORT,
        ..options
    };
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    let request = post("/r", &[b'x'; 12 * (8 << 10)]);
    for part in request.chunks(8 << 10) {
        peer.send(part);
        thread::sleep(SHORT / 2); // in all longer than the timeout
    }
    assert_eq!(heard.request().body.len(), 12 * (8 << 10));
}

#[test]
fn a_closing_server_lets_nobody_wait() {
    for code in [None, Some(1001)] {
        let (options, heard) = routed(|_| {});
        let (server_handler, closed) = closed_server();
        let on_loop = started();
        let options = ServerOptions {
            server_handler,
            ..options
        };
        let server = serve(&on_loop, options, recorder().0);
        let mut peer = Peer::connect(port(server));
        peer.send(&get("/r"));
        let exchange = heard.request().exchange;
        let mut body = Peer::connect(port(server));
        body.send(b"POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
        barrier(server);
        server.close(code, "").unwrap();
        heard.cut(exchange.id());
        let answer = String::from_utf8(peer.read_to_end()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(matches!(heard.next(), Told::Closed));
        closed.recv_timeout(PATIENCE).unwrap();
        exchange.respond(ok(b"too late, and harmless"));
    }
}

#[test]
fn a_draining_server_gives_the_answers_that_it_owes() {
    let (options, heard) = routed(|_| {});
    let (server_handler, closed) = closed_server();
    let on_loop = started();
    let options = ServerOptions {
        server_handler,
        ..options
    };
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    peer.send(&get("/r"));
    let exchange = heard.request().exchange;
    let mut body = Peer::connect(port(server));
    body.send(b"POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf ");
    barrier(server);
    server.drain(LONG).unwrap();
    body.send(b"and half");
    let request = heard.request();
    assert_eq!(request.body, b"half and h");
    exchange.respond(ok(b"the answer"));
    request.exchange.respond(ok(b"the other"));
    for (mut peer, expected) in [(peer, "the answer"), (body, "the other")] {
        let answer = String::from_utf8(peer.read_to_end()).unwrap();
        assert!(
            answer.contains("Connection: close\r\n") && answer.ends_with(expected),
            "{answer}"
        );
    }
    heard.closed();
    closed.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn who_still_waits_when_the_time_to_drain_is_over_is_cut() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    peer.send(&get("/r"));
    let exchange = heard.request().exchange;
    server.drain(SHORT).unwrap();
    heard.cut(exchange.id());
    heard.closed();
    assert!(peer.read_to_end().is_empty());
}

#[test]
fn a_loop_that_ends_cuts_what_is_owed() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    peer.send(&get("/r"));
    let exchange = heard.request().exchange;
    drop(on_loop);
    heard.cut(exchange.id());
    heard.closed();
    exchange.respond(ok(b"too late, and harmless"));
}

#[test]
fn a_place_is_taken_while_an_answer_is_owed() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let options = ServerOptions {
        max_connections: 1,
        ..options
    };
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    peer.send(&get("/r"));
    let exchange = heard.request().exchange;
    let refused = Peer::connect(port(server)).read_head();
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    drop(peer);
    heard.cut(exchange.id());
    let mut next = Peer::connect(port(server));
    next.send(&get("/r"));
    heard.request().exchange.respond(ok(b"room again"));
    assert_eq!(response(&mut next).1, b"room again");
}
