//! Requests that another server of the process has read, and whose answers it sends; WebSockets whose sockets it hands over
//! behind its 101.

use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use sockline::{
    Accept, Address, ErrorCode, Exchange, Home, HttpAnswer, HttpRequest, Refusal, Route, Server,
    ServerOptions, UpgradeRequest,
};

use crate::adopting::{ends, nowhere, request};
use crate::support::peer::REQUEST;
use crate::support::routes::{get, ok, post, routed};
use crate::support::{PATIENCE, Peer, closed_server, hook, local, masked, settings};

/// Where the answer to a request comes, once; closed without it if there is none.
struct Answer(Receiver<HttpAnswer>);

impl Answer {
    #[track_caller]
    fn get(&self) -> HttpAnswer {
        self.0.recv_timeout(PATIENCE).expect("an answer")
    }

    #[track_caller]
    fn none(&self) {
        assert_eq!(self.0.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    }
}

fn remote() -> SocketAddr {
    "192.0.2.7:4711".parse().unwrap()
}

/// Gives a server a request, with all of its body.
fn give(server: Server, whole: &[u8]) -> (u64, Answer) {
    let end = whole.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = whole.split_at(end);
    let (sender, receiver) = unbounded();
    let exchange = Exchange::foreign(Box::new(move |answer| drop(sender.send(answer))));
    let id = exchange.id();
    server.handle_request(HttpRequest {
        head: request(head),
        body: body.to_vec(),
        remote: Some(remote()),
        secure: true,
        exchange,
    });
    (id, Answer(receiver))
}

fn upgrade(server: Server) -> (u64, Answer) {
    give(server, REQUEST.as_bytes())
}

fn header<'a>(answer: &'a HttpAnswer, name: &str) -> Option<&'a str> {
    let mut headers = answer.headers.iter();
    headers
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// Returns when the server's loop has done what was asked of it before.
fn settled(server: Server) {
    let (sender, done) = unbounded();
    let home = Home::of_server(server).unwrap();
    home.run(Box::new(move || sender.send(()).unwrap()));
    done.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_websocket_opens_with_the_socket_that_is_handed_over() {
    let (sender, asked) = unbounded();
    let server_handler = hook(move |upgrade| {
        let told = (upgrade.remote_address(), upgrade.is_secure());
        sender.send(told).unwrap();
        upgrade
            .websocket()
            .accept(Accept {
                headers: vec![("X-Own".to_owned(), "yes".to_owned())],
                ..Accept::default()
            })
            .unwrap();
    });
    let (_loop, server, events) = nowhere(ServerOptions {
        server_handler,
        ..local()
    });
    let (exchange, answer) = upgrade(server);
    assert_eq!(asked.recv_timeout(PATIENCE), Ok((Some(remote()), true)));
    let answer = answer.get();
    assert_eq!((answer.status, answer.body.len()), (101, 0));
    assert_eq!(header(&answer, "Upgrade"), Some("websocket"));
    assert_eq!(header(&answer, "X-Own"), Some("yes"));
    let accept = header(&answer, "Sec-WebSocket-Accept");
    assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")); // RFC 6455 §1.3
    assert!(!events.has_heard(), "it is not open yet");

    // One frame was read by the other server already, the next is still in the system.
    let (mut peer, socket) = ends();
    peer.send(&masked(0x81, b"second"));
    Exchange::upgraded(exchange, socket, &masked(0x81, b"first")).unwrap();
    let ws = events.open();
    events.text("first");
    events.text("second");
    assert_eq!(ws.remote_address(), Some(peer.stream.local_addr().unwrap()));
    let _ = ws.send_text("and back").unwrap();
    assert_eq!(
        peer.read_frame(),
        (0x81, b"and back".to_vec()),
        "and no head before it"
    );
    assert_eq!(server.metrics().unwrap().accepted, 1);

    let (_other, socket) = ends();
    let again = Exchange::upgraded(exchange, socket, b"");
    assert_eq!(again.unwrap_err().code(), ErrorCode::Closed);
    assert_eq!(
        Exchange::cut(exchange).unwrap_err().code(),
        ErrorCode::AlreadyAnswered
    );
    drop(peer);
    events.cut();
}

#[test]
fn what_is_refused_is_answered_elsewhere_too() {
    let server_handler = hook(|upgrade| {
        let refusal = Refusal::new(418, "not here");
        upgrade.websocket().refuse(refusal).unwrap();
    });
    let (_loop, server, events) = nowhere(ServerOptions {
        server_handler,
        path: Some("/ws".to_owned()),
        ..local()
    });
    let at = |path: &str| REQUEST.replacen("GET / ", &format!("GET {path} "), 1);
    let refused = give(server, at("/ws").as_bytes()).1.get();
    assert_eq!((refused.status, refused.body), (418, b"not here".to_vec()));
    assert_eq!(give(server, at("/").as_bytes()).1.get().status, 404);
    assert_eq!(give(server, &get("/")).1.get().status, 404);
    let plain = give(server, &get("/ws")).1.get();
    assert_eq!(
        (plain.status, header(&plain, "Upgrade")),
        (426, Some("websocket"))
    );
    let old = at("/ws").replace("Version: 13", "Version: 8");
    assert_eq!(give(server, old.as_bytes()).1.get().status, 426);
    settled(server);
    assert!(!events.has_heard());
    assert_eq!(server.metrics().unwrap().connections, 0);
}

#[test]
fn routes_have_their_requests() {
    let (options, heard) = routed(|route| route.max_body = 8);
    let (_loop, server, events) = nowhere(options);
    let (exchange, answer) = give(server, &post("/r", b"the body"));
    let it = heard.request();
    assert_eq!(
        (it.exchange.id(), it.body, it.remote, it.secure),
        (exchange, b"the body".to_vec(), Some(remote()), true)
    );
    it.exchange.respond(ok(b"fine"));
    assert_eq!(answer.get(), ok(b"fine"));
    assert_eq!(
        Exchange::cut(exchange).unwrap_err().code(),
        ErrorCode::AlreadyAnswered
    );

    assert_eq!(give(server, &post("/r", b"too long!")).1.get().status, 413);
    let (_, answer) = give(server, &get("/r"));
    drop(heard.request());
    assert_eq!(answer.get().status, 500);
    let (_, answer) = give(server, &get("/r"));
    let it = heard.request();
    it.exchange.pass(it.head);
    assert_eq!(answer.get().status, 404);

    let (exchange, answer) = give(server, REQUEST.replacen("GET / ", "GET /r/ws ", 1).as_bytes());
    assert_eq!(answer.get().status, 101);
    let (client, theirs) = UnixStream::pair().unwrap();
    Exchange::upgraded(exchange, theirs.into(), b"").unwrap();
    let ws = events.open();
    let _ = ws.send_text("hello").unwrap();
    assert_eq!(Peer { stream: client }.read_frame(), (0x81, b"hello".to_vec()));
}

/// A route that keeps each second request's exchange until the next, and then answers the kept one first.
#[derive(Default)]
struct Crossing(Mutex<Option<Exchange>>);

impl Route for Crossing {
    fn matches(&self, _: &str) -> bool {
        true
    }

    fn max_body(&self) -> u64 {
        0
    }

    fn on_request(&self, request: HttpRequest) {
        let mut kept = self.0.lock().unwrap();
        match kept.take() {
            None => *kept = Some(request.exchange),
            Some(before) => {
                before.respond(ok(b"the event"));
                request.exchange.respond(ok(b"ok"));
            }
        }
    }

    fn on_upgrade(&self, _: &UpgradeRequest<'_>) {}
}

#[test]
fn a_request_is_answered_before_what_it_brings_about() {
    let (_loop, server, _) = nowhere(ServerOptions {
        routes: vec![Arc::new(Crossing::default())],
        ..local()
    });
    let (sender, answers) = unbounded();
    for _ in 0..2 {
        let sender = sender.clone();
        server.handle_request(HttpRequest {
            head: request(&get("/")),
            body: Vec::new(),
            remote: None,
            secure: false,
            exchange: Exchange::foreign(Box::new(move |answer| sender.send(answer.body).unwrap())),
        });
    }
    assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), b"ok");
    assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), b"the event");
}

#[test]
fn a_client_that_has_gone_is_answered_no_more() {
    let (options, heard) = routed(|_| {});
    let (_loop, server, _) = nowhere(options);
    let (exchange, answer) = give(server, &get("/r"));
    let it = heard.request();
    Exchange::cut(exchange).unwrap();
    heard.cut(exchange);
    it.exchange.respond(ok(b"too late"));
    answer.none();

    // Before the loop comes to it: the job that tells is done before the request is looked at.
    let (sender, told) = unbounded();
    let home = Home::of_server(server).unwrap();
    home.run(Box::new(move || {
        let (exchange, answer) = give(server, &get("/r"));
        Exchange::cut(exchange).unwrap();
        sender.send(answer).unwrap();
    }));
    told.recv_timeout(PATIENCE).unwrap().none();
    assert!(heard.is_silent());
}

#[test]
fn a_websocket_may_be_cut_at_each_stage() {
    let (sender, asked) = unbounded();
    let server_handler = hook(move |upgrade| sender.send(upgrade.websocket()).unwrap());
    let (_loop, server, events) = nowhere(ServerOptions {
        server_handler,
        ..local()
    });
    let (exchange, answer) = upgrade(server);
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    let early = Exchange::upgraded(exchange, ends().1, b"");
    assert_eq!(early.unwrap_err().code(), ErrorCode::InvalidArgument);
    Exchange::cut(exchange).unwrap();
    answer.none();
    assert_eq!(
        ws.accept(Accept::default()).unwrap_err().code(),
        ErrorCode::Closed
    );

    let (exchange, answer) = upgrade(server);
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    ws.accept(Accept::default()).unwrap();
    assert_eq!(answer.get().status, 101);
    Exchange::cut(exchange).unwrap();
    assert_eq!(events.close().code, 1006); // who has accepted it hears of its end
    let late = Exchange::upgraded(exchange, ends().1, b"");
    assert_eq!(late.unwrap_err().code(), ErrorCode::Closed);
    settled(server);
    assert_eq!(server.metrics().unwrap().connections, 0);
}

#[test]
fn a_socket_that_never_comes_is_not_waited_for() {
    let (_loop, server, events) = nowhere(ServerOptions {
        handshake_timeout: Duration::from_millis(50),
        ..local()
    });
    let (exchange, answer) = upgrade(server);
    assert_eq!(answer.get().status, 101);
    assert_eq!(events.error().code(), ErrorCode::HandshakeTimeout);
    assert_eq!(events.close().code, 1006);
    let late = Exchange::upgraded(exchange, ends().1, b"");
    assert_eq!(late.unwrap_err().code(), ErrorCode::Closed);
}

#[test]
fn what_is_no_connection_is_refused_and_may_be_tried_again() {
    let (_loop, server, events) = nowhere(local());
    let (exchange, answer) = upgrade(server);
    assert_eq!(answer.get().status, 101);
    let wrong = OwnedFd::from(File::open("/dev/null").unwrap());
    let error = Exchange::upgraded(exchange, wrong, b"").unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    let (_peer, socket) = ends();
    Exchange::upgraded(exchange, socket, b"").unwrap();
    events.open();
}

#[test]
fn limits_and_the_end_of_the_server_are_the_same() {
    let (server_handler, closed) = closed_server();
    let (_loop, server, events) = nowhere(ServerOptions {
        server_handler,
        max_connections_per_address: 1,
        settings: settings(|_| {}),
        ..local()
    });
    let (exchange, answer) = upgrade(server);
    assert_eq!(answer.get().status, 101);
    let excess = upgrade(server).1.get();
    assert_eq!((excess.status, header(&excess, "Retry-After")), (503, Some("5")));
    server.close(Some(1001), "").unwrap();
    assert_eq!(events.close().code, 1006);
    closed.recv_timeout(PATIENCE).unwrap();
    assert_eq!(upgrade(server).1.get().status, 503);
    let late = Exchange::upgraded(exchange, ends().1, b"");
    assert_eq!(late.unwrap_err().code(), ErrorCode::Closed);
    assert!(Home::of_server(server).is_none());
}

#[test]
fn with_the_loop_all_requests_end() {
    let (options, heard) = routed(|_| {});
    let (on_loop, server, _) = nowhere(ServerOptions {
        address: Address::Nowhere,
        server_handler: hook(|_| {}),
        ..options
    });
    let (_, owed) = give(server, &get("/r"));
    let it = heard.request();
    let (_, asked) = upgrade(server);
    settled(server);
    drop(on_loop);
    assert_eq!(asked.get().status, 503);
    owed.none();
    heard.cut(it.exchange.id());
    it.exchange.respond(ok(b"too late"));
}
