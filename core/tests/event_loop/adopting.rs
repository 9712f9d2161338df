//! Connections that another server has accepted, and whose first request it has read.

use std::fs::File;
use std::net::{TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use sockline::http::{Limits, Request, parse_request};
use sockline::{Address, ErrorCode, Loop, LoopOptions, Server, ServerOptions};

use crate::support::peer::REQUEST;
use crate::support::routes::{Told, get, ok, post, response, routed};
use crate::support::{
    Events, Host, PATIENCE, Peer, barrier, closed_server, local, masked, port, recorder, serve, settings,
    started,
};

pub(crate) fn nowhere(options: ServerOptions) -> (Loop, Server, Events) {
    let on_loop = started();
    let (handler, events) = recorder();
    let options = ServerOptions {
        address: Address::Nowhere,
        ..options
    };
    let server = serve(&on_loop, options, handler);
    (on_loop, server, events)
}

/// Both ends of a TCP connection: a client, and what a foreign server has of it.
pub(crate) fn ends() -> (Peer, OwnedFd) {
    let host = Host::new();
    let client = Peer::connect(host.port());
    (client, host.accept().stream.into())
}

pub(crate) fn request(head: &[u8]) -> Request {
    parse_request(head, &Limits::default()).unwrap().unwrap().0
}

#[test]
fn an_upgrade_goes_on_with_what_came_behind_it() {
    let (_loop, server, events) = nowhere(local());
    let (mut peer, socket) = ends();
    let address = peer.stream.local_addr().unwrap();
    // One frame was read by the foreign server already, the other is still in the system.
    peer.send(&masked(0x81, b"second"));
    let first = masked(0x81, b"first");
    server.adopt(socket, request(REQUEST.as_bytes()), &first).unwrap();
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    let ws = events.open();
    events.text("first");
    events.text("second");
    assert_eq!(ws.remote_address(), Some(address));
    let _ = ws.send_text("and back").unwrap();
    assert_eq!(peer.read_frame(), (0x81, b"and back".to_vec()));
    let metrics = server.metrics().unwrap();
    assert_eq!((metrics.accepted, metrics.connections), (1, 1));
    drop(peer);
    events.cut();
}

#[test]
fn routes_have_adopted_connections_too_and_all_their_requests() {
    let (options, heard) = routed(|_| {});
    let (_loop, server, events) = nowhere(options);
    let (client, theirs) = UnixStream::pair().unwrap();
    let mut peer = Peer { stream: client };
    let whole = post("/r", b"the body");
    let (head, body) = whole.split_at(whole.len() - 8);
    server.adopt(theirs.into(), request(head), &body[..3]).unwrap();
    peer.send(&body[3..]);
    let it = heard.request();
    assert_eq!(
        (it.body, it.remote, it.secure),
        (b"the body".to_vec(), None, false)
    );
    it.exchange.respond(ok(b"fine"));
    assert_eq!(response(&mut peer).1, b"fine");
    peer.send(&get("/r/next"));
    heard.request().exchange.respond(ok(b"next"));
    assert_eq!(response(&mut peer).1, b"next");
    peer.send(REQUEST.replacen("GET / ", "GET /r/ws ", 1).as_bytes());
    assert!(matches!(heard.next(), Told::Upgrade(target) if target == "/r/ws"));
    events.open();
}

#[test]
fn limits_and_the_end_of_the_server_are_the_same_for_them() {
    let (server_handler, closed) = closed_server();
    let (_loop, server, events) = nowhere(ServerOptions {
        server_handler,
        max_connections: 1,
        settings: settings(|_| {}),
        ..local()
    });
    let (mut peer, socket) = ends();
    server.adopt(socket, request(REQUEST.as_bytes()), b"").unwrap();
    events.open();
    let (mut excess, socket) = ends();
    server.adopt(socket, request(REQUEST.as_bytes()), b"").unwrap();
    assert!(excess.read_head().starts_with("HTTP/1.1 503 "));
    peer.read_head();
    drop(excess);
    // Who is there may stay, but nobody comes any more.
    server.close(None, "").unwrap();
    let (mut late, socket) = ends();
    server.adopt(socket, request(REQUEST.as_bytes()), b"").unwrap();
    assert!(late.read_to_end().is_empty(), "it is closed");
    drop(peer);
    closed.recv_timeout(PATIENCE).unwrap();
    let (mut late, socket) = ends();
    let error = server.adopt(socket, request(REQUEST.as_bytes()), b"");
    assert_eq!(error.unwrap_err().code(), ErrorCode::Closed);
    assert!(late.read_to_end().is_empty(), "it is closed");
}

#[test]
fn a_server_that_listens_may_be_given_connections_too() {
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(
        &on_loop,
        ServerOptions {
            threads: 2,
            ..local()
        },
        handler,
    );
    let (mut peer, socket) = ends();
    server.adopt(socket, request(REQUEST.as_bytes()), b"").unwrap();
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    events.open();
    barrier(server);
    assert_ne!(port(server), 0);
}

#[test]
fn what_is_no_connection_is_refused() {
    let (_loop, server, _events) = nowhere(local());
    let host = Host::new();
    let wrong: [OwnedFd; 3] = [
        File::open("/dev/null").unwrap().into(),
        UdpSocket::bind("127.0.0.1:0").unwrap().into(),
        host.listener.try_clone().unwrap().into(),
    ];
    for socket in wrong {
        let error = server.adopt(socket, request(REQUEST.as_bytes()), b"");
        assert_eq!(error.unwrap_err().code(), ErrorCode::InvalidArgument);
    }
    assert!(
        TcpStream::connect(("127.0.0.1", host.port())).is_ok(),
        "theirs is left alone"
    );
}

#[test]
fn nowhere_is_one_thread() {
    let options = ServerOptions {
        address: Address::Nowhere,
        threads: 2,
        ..local()
    };
    let error = sockline::listen(None, options, None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}

#[test]
fn on_the_loops_own_thread_it_may_be_done_at_once() {
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    let (handler, events) = recorder();
    let options = ServerOptions {
        address: Address::Nowhere,
        ..local()
    };
    let server = sockline::listen(Some(&on_loop), options, Some(handler)).unwrap();
    let turn = || on_loop.poll(Some(Duration::ZERO)).unwrap();
    turn(); // from here on it knows its thread
    let (mut peer, socket) = ends();
    let rest = masked(0x81, b"behind the head");
    server
        .adopt_now(socket, request(REQUEST.as_bytes()), &rest)
        .unwrap();
    assert_eq!(server.metrics().unwrap().accepted, 1, "it is there already");
    let started = Instant::now();
    while server.metrics().unwrap().totals.messages_in == 0 {
        assert!(started.elapsed() < PATIENCE);
        turn();
    }
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    events.open();
    events.text("behind the head");
    let (mut other, socket) = ends();
    let elsewhere = std::thread::spawn(move || server.adopt_now(socket, request(REQUEST.as_bytes()), b""));
    let error = elsewhere.join().unwrap().unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unsupported);
    assert!(other.read_to_end().is_empty(), "it is closed");
}
