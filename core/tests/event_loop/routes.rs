//! Routes: requests with bodies, answers that come later, upgrades with settings of their own.

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Sender, unbounded};
use parking_lot::Mutex;
use sockline::{
    Address, Compression, ErrorCode, Exchange, HttpAnswer, HttpRequest, Loop, LoopOptions, MessageType,
    Route, ServerOptions, Settings, UpgradeRequest, listen,
};

use crate::support::peer::REQUEST;
use crate::support::routes::{Told, get, ok, post, recorded, response, routed};
use crate::support::{
    PATIENCE, Peer, TempDir, What, barrier, closed_server, give, local, masked, port, recorder, serve,
    settings, settle, started,
};

#[test]
fn a_request_is_answered_later_and_the_connection_goes_on() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    for round in ["one", "two"] {
        peer.send(&get(&format!("/r/{round}?a=b")));
        let request = heard.request();
        assert_eq!(request.head.path(), format!("/r/{round}"));
        assert_eq!(request.head.query(), Some("a=b"));
        assert_eq!(request.remote, Some(peer.stream.local_addr().unwrap()));
        assert!(request.body.is_empty() && !request.secure);
        let mut answer = ok(round.as_bytes());
        answer.headers.push(("X-Round".into(), round.into()));
        request.exchange.respond(answer);
        let (head, body) = response(&mut peer);
        let expected = format!(
            "HTTP/1.1 200 OK\r\nX-Round: {round}\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n"
        );
        assert_eq!((head, body), (expected, round.as_bytes().to_vec()));
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_one_at_a_time() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    peer.send(&[get("/r/1"), post("/r/2", b"two"), get("/r/3")].concat());
    let first = heard.request();
    barrier(server);
    assert!(heard.is_silent(), "the next is read after the answer");
    first.exchange.respond(ok(b"a"));
    let second = heard.request();
    assert_eq!((second.head.path(), second.body), ("/r/2", b"two".to_vec()));
    second.exchange.respond(ok(b"b"));
    heard.request().exchange.respond(ok(b"c"));
    let bodies = [(); 3].map(|()| response(&mut peer).1);
    assert_eq!(bodies, [b"a", b"b", b"c"]);
}

#[test]
fn many_pipelined_requests_answered_at_once_come_back_in_order() {
    const COUNT: usize = 5000;
    let (options, _heard) = routed(|route| route.echoes = true);
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    let mut writer = peer.stream.try_clone().unwrap();
    let sending = thread::spawn(move || {
        for number in 0..COUNT {
            let request = match number % 3 {
                0 => post(&format!("/r/{number}"), format!("/r/{number}").as_bytes()),
                _ => get(&format!("/r/{number}")),
            };
            writer.write_all(&request).unwrap();
        }
    });
    for number in 0..COUNT {
        assert_eq!(response(&mut peer).1, format!("/r/{number}").as_bytes());
    }
    sending.join().unwrap();
}

#[test]
fn a_client_that_reads_no_answers_is_not_read_from_either() {
    for length in [40 << 10, 1000] {
        reads_no_answers(length);
    }
}

fn reads_no_answers(length: usize) {
    let (options, _heard) = routed(|route| route.echoes = true);
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    let body = vec![b'x'; length];
    peer.stream.set_nonblocking(true).unwrap();
    let request = post("/r", &body);
    let mut sent = 0;
    let mut refusals = 0;
    // What the systems of both ends take for it is bounded; once nothing goes any more over several turns, it is full.
    while refusals < 20 && sent < 256 << 20 {
        match peer.stream.write(&request[sent % request.len()..]) {
            Ok(count) => (sent, refusals) = (sent + count, 0),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                refusals += 1;
                barrier(server);
            }
        }
    }
    assert_eq!(
        refusals, 20,
        "{sent} bytes were taken of a client that reads nothing"
    );
    let waiting = server.metrics().unwrap().totals.buffered;
    assert!(waiting < 128 << 10, "{waiting} bytes wait");
    // It goes on where it was.
    peer.stream.set_nonblocking(false).unwrap();
    for _ in 0..sent / request.len() {
        assert!(response(&mut peer).1 == body);
    }
    peer.send(&request[sent % request.len()..]);
    assert!(response(&mut peer).1 == body);
}

#[test]
fn a_body_comes_whole_however_it_is_cut() {
    let (options, heard) = routed(|route| route.max_body = 11);
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let plain = post("/r", b"hello world");
    let chunked = b"POST /r HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: b\r\n\r\n"
        .to_vec();
    let mut peer = Peer::connect(port(server));
    for request in [plain, chunked] {
        let head = request.len() - 20;
        for cut in [1, head, request.len() - 12, request.len() - 1, request.len()] {
            peer.send(&request[..cut]);
            barrier(server);
            peer.send(&request[cut..]);
            let it = heard.request();
            assert_eq!(it.body, b"hello world");
            it.exchange.respond(ok(b""));
            assert!(response(&mut peer).0.contains("keep-alive"));
        }
    }
    peer.send(&get("/r/after"));
    assert_eq!(heard.request().head.target, "/r/after");
}

#[test]
fn a_body_over_the_limit_is_an_empty_413_and_the_connection_closes() {
    let (options, heard) = routed(|route| route.max_body = 10);
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let chunked = "POST /r HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsixsix\r\n6\r\nsix";
    let expecting = "POST /r HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n";
    let requests = [post("/r", b"eleven byte"), chunked.into(), expecting.into()];
    for request in requests {
        let mut peer = Peer::connect(port(server));
        peer.send(&request);
        let answer = String::from_utf8(peer.read_to_end()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("Connection: close\r\n"), "{answer}");
        assert!(answer.contains("Content-Length: 0\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
    assert!(heard.is_silent());
}

#[test]
fn a_framing_in_doubt_is_400() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let head = "POST /r HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n";
    for rest in ["\r\nx\r\n", "Content-Length: 3\r\n\r\nabc"] {
        let mut peer = Peer::connect(port(server));
        peer.send(format!("{head}{rest}").as_bytes());
        let answer = String::from_utf8(peer.read_to_end()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert!(heard.is_silent());
}

#[test]
fn who_waits_for_leave_to_send_its_body_gets_it() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    peer.send(b"POST /r HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(peer.read_head(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send(b"body");
    let request = heard.request();
    assert_eq!(request.body, b"body");
    request.exchange.respond(ok(b"thanks"));
    assert_eq!(response(&mut peer).1, b"thanks");
}

#[test]
fn what_has_no_body_says_none() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    let cases = [
        ("HEAD", 200, "Content-Length: 4\r\n\r\n"),
        ("GET", 204, "keep-alive\r\n\r\n"),
        ("GET", 304, "keep-alive\r\n\r\n"),
    ];
    for (method, status, end) in cases {
        peer.send(format!("{method} /r HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let answer = HttpAnswer {
            status,
            ..ok(b"body")
        };
        heard.request().exchange.respond(answer);
        let head = peer.read_head();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")) && head.ends_with(end),
            "{head}"
        );
    }
    peer.send(&get("/r"));
    heard.request().exchange.respond(ok(b"body"));
    assert_eq!(response(&mut peer).1, b"body", "nothing was left in between");
}

#[test]
fn an_answer_that_is_none_is_500() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    let with = |name: &str, value: &str| HttpAnswer {
        headers: vec![(name.into(), value.into())],
        ..ok(b"secret")
    };
    let broken = [
        HttpAnswer::new(199),
        with("X-Split", "a\r\nSet-Cookie: b"),
        with("Content-Length", "7"),
    ];
    for answer in broken.map(Some).into_iter().chain([None]) {
        peer.send(&get("/r"));
        let exchange = heard.request().exchange;
        match answer {
            Some(answer) => exchange.respond(answer),
            None => drop(exchange),
        }
        let (head, body) = response(&mut peer);
        assert!(
            head.starts_with("HTTP/1.1 500 ") && head.contains("keep-alive"),
            "{head}"
        );
        assert!(body.is_empty());
    }
}

#[test]
fn the_connection_closes_after_the_answer_where_one_side_says_so() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(
        &on_loop,
        ServerOptions {
            max_requests: 2,
            ..options
        },
        recorder().0,
    );
    let close = ("Connection".to_owned(), "close".to_owned());
    let requests = [
        "GET /r HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /r HTTP/1.0\r\n\r\n",
    ];
    for request in requests {
        let mut peer = Peer::connect(port(server));
        peer.send(request.as_bytes());
        heard.request().exchange.respond(ok(b"last"));
        let answer = String::from_utf8(peer.read_to_end()).unwrap();
        assert!(
            answer.contains("Connection: close\r\n") && answer.ends_with("\r\n\r\nlast"),
            "{answer}"
        );
    }
    let mut peer = Peer::connect(port(server));
    peer.send(&get("/r"));
    let mut answer = ok(b"last");
    answer.headers.push(close);
    heard.request().exchange.respond(answer);
    let answer = String::from_utf8(peer.read_to_end()).unwrap();
    assert_eq!(answer.matches("Connection:").count(), 1, "{answer}");
    assert!(answer.contains("Connection: close\r\n"), "{answer}");
    let mut peer = Peer::connect(port(server));
    for expected in ["keep-alive", "close"] {
        peer.send(&get("/r"));
        heard.request().exchange.respond(ok(b""));
        assert!(
            response(&mut peer)
                .0
                .contains(&format!("Connection: {expected}\r\n"))
        );
    }
    assert!(peer.read_to_end().is_empty());
}

#[test]
fn a_long_answer_arrives_whole_from_this_thread_and_from_others() {
    const LENGTH: usize = 8 << 20;
    let big: Vec<u8> = (0..LENGTH).map(|at| (at % 251) as u8).collect();
    let (options, heard) = routed(|route| {
        route.echoes = true;
        route.max_body = LENGTH as u64;
    });
    let (other, parked) = recorded(|_| {});
    let on_loop = started();
    let options = ServerOptions {
        routes: vec![options.routes[0].clone(), Arc::new(Moved(other))],
        ..options
    };
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    let mut writer = peer.stream.try_clone().unwrap();
    let request = post("/r", &big);
    let sending = thread::spawn(move || writer.write_all(&request).unwrap());
    assert!(response(&mut peer).1 == big);
    sending.join().unwrap();
    // Two in a row, the second one behind the first in the same read.
    peer.send(&[get("/moved"), get("/r/behind")].concat());
    parked.request().exchange.respond(ok(&big));
    assert!(response(&mut peer).1 == big);
    assert_eq!(response(&mut peer).1, b"/r/behind");
    assert!(heard.is_silent());
    barrier(server);
    assert_eq!(server.metrics().unwrap().totals.buffered, 0);
}

/// The same route at another path.
struct Moved(Arc<dyn Route>);

impl Route for Moved {
    fn matches(&self, path: &str) -> bool {
        path == "/moved"
    }

    fn max_body(&self) -> u64 {
        self.0.max_body()
    }

    fn on_request(&self, request: HttpRequest) {
        self.0.on_request(request);
    }

    fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
        self.0.on_upgrade(request);
    }
}

#[test]
fn one_request_may_answer_another_connections() {
    struct Relay(Mutex<Vec<Exchange>>);
    impl Route for Relay {
        fn matches(&self, _: &str) -> bool {
            true
        }
        fn max_body(&self) -> u64 {
            100
        }
        fn on_request(&self, request: HttpRequest) {
            if request.body.is_empty() {
                return self.0.lock().push(request.exchange);
            }
            let parked = std::mem::take(&mut *self.0.lock());
            for exchange in parked {
                exchange.respond(ok(&request.body));
            }
            request.exchange.respond(ok(b"ok"));
        }
        fn on_upgrade(&self, _: &UpgradeRequest<'_>) {}
    }
    let relay = Arc::new(Relay(Mutex::default()));
    let on_loop = started();
    let options = ServerOptions {
        routes: vec![relay.clone()],
        ..local()
    };
    let server = serve(&on_loop, options, recorder().0);
    let mut pollers = [(); 3].map(|()| Peer::connect(port(server)));
    for round in 0..3 {
        for poller in &mut pollers {
            poller.send(&get("/poll"));
        }
        while relay.0.lock().len() < 3 {
            thread::yield_now();
        }
        let mut poster = Peer::connect(port(server));
        let body = format!("round {round}");
        poster.send(&post("/post", body.as_bytes()));
        assert_eq!(response(&mut poster).1, b"ok");
        for poller in &mut pollers {
            assert_eq!(response(poller).1, body.as_bytes());
        }
    }
}

#[test]
fn routes_work_on_all_threads_of_a_server_and_beside_what_else_it_serves() {
    let folder = TempDir::new();
    folder.file("file.txt", b"a file");
    let (options, heard) = routed(|route| route.echoes = true);
    let on_loop = started();
    let (handler, events) = recorder();
    let options = ServerOptions {
        threads: 3,
        path: Some("/ws".to_owned()),
        static_folder: Some(folder.0.clone()),
        metrics_path: Some("/r-no".to_owned()),
        ..options
    };
    let (server_handler, closed) = closed_server();
    let server = serve(
        &on_loop,
        ServerOptions {
            server_handler,
            ..options
        },
        handler,
    );
    let mut peers: Vec<Peer> = (0..12).map(|_| Peer::connect(port(server))).collect();
    for peer in &mut peers {
        peer.send(&[post("/r", b"echo"), get("/file.txt"), get("/r-no")].concat());
        assert_eq!(response(peer).1, b"echo");
        assert_eq!(response(peer).1, b"a file");
        assert_eq!(response(peer).1, b"/r-no", "routes come before all else");
    }
    let mut peer = Peer::connect(port(server));
    peer.send(REQUEST.replacen("GET / ", "GET /ws ", 1).as_bytes());
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    events.open();
    server.close(Some(1001), "").unwrap();
    drop((peer, peers));
    heard.closed();
    closed.recv_timeout(PATIENCE).unwrap();
    assert!(heard.is_silent(), "once, however many threads there are");
}

#[test]
fn routes_work_on_a_unix_socket() {
    let folder = TempDir::new();
    let path = folder.0.join("socket");
    let (options, heard) = routed(|_| {});
    let options = ServerOptions {
        address: Address::Unix(path.clone()),
        ..options
    };
    let on_loop = started();
    let _server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer {
        stream: UnixStream::connect(path).unwrap(),
    };
    peer.send(&post("/r", b"body"));
    let request = heard.request();
    assert_eq!((request.remote, request.body), (None, b"body".to_vec()));
    request.exchange.respond(ok(b"fine"));
    assert_eq!(response(&mut peer).1, b"fine");
    peer.send(&get("/r"));
    let exchange = heard.request().exchange;
    drop(peer);
    heard.cut(exchange.id());
}

#[test]
fn an_upgrade_has_the_routes_settings() {
    let compression = Compression {
        threshold: 0,
        ..Compression::server()
    };
    let (options, heard) = routed(|route| {
        route.settings = Some(Settings {
            max_message: 10,
            compression: Some(compression),
            ..settings(|_| {})
        });
    });
    let on_loop = started();
    let (handler, events) = recorder();
    let options = ServerOptions {
        origins: vec!["https://example.com".to_owned()],
        ..options
    };
    let server = serve(&on_loop, options, handler);
    let request = REQUEST.replacen("GET / ", "GET /r/ws?x=y ", 1);
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let mut peer = Peer::connect(port(server));
    peer.send(request.strip_suffix("\r\n").unwrap().as_bytes());
    peer.send(offer.as_bytes());
    assert!(peer.read_head().contains("permessage-deflate"));
    assert!(matches!(heard.next(), Told::Upgrade(target) if target == "/r/ws?x=y"));
    let ws = events.open();
    let mut plain = Peer::upgraded_with(port(server), offer.strip_suffix("\r\n").unwrap());
    assert!(
        !plain.1.contains("permessage-deflate"),
        "the server's own settings have none"
    );
    let other = events.open();
    // A broadcast is for those that the server has accepted itself.
    server.broadcast(MessageType::Text, b"to all").unwrap();
    assert_eq!(plain.0.read_frame(), (0x81, b"to all".to_vec()));
    let _ = ws.send_binary(&[]).unwrap();
    assert_eq!(peer.read_frame().0 & 0x0f, 2);
    plain.0.send(&masked(0x82, &[0; 11]));
    assert_eq!(events.next_of(), (other, What::Binary(vec![0; 11])));
    peer.send(&masked(0x82, &[0; 11]));
    assert_eq!(peer.read_frame().1[..2], 1009_u16.to_be_bytes());
    let mut stranger = Peer::connect(port(server));
    stranger.send(request.strip_suffix("\r\n").unwrap().as_bytes());
    stranger.send(b"Origin: https://example.org\r\n\r\n");
    assert!(stranger.read_head().starts_with("HTTP/1.1 403 "));
    assert!(heard.is_silent());
}

#[test]
fn settings_of_a_route_are_checked() {
    let (options, _heard) = routed(|route| {
        route.settings = Some(settings(|settings| settings.max_message = 0));
    });
    let error = listen(None, options, None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}

#[test]
fn what_routes_take_and_send_counts_and_a_call_between_turns_answers() {
    let (options, heard) = routed(|_| {});
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    let server = serve(&on_loop, options, recorder().0);
    settle(&on_loop);
    let mut peer = Peer::connect(port(server));
    let request = post("/r", b"body");
    give(&on_loop, &mut peer, &request);
    heard.request().exchange.respond(ok(b"answer"));
    settle(&on_loop);
    let (head, body) = response(&mut peer);
    let totals = server.metrics().unwrap().totals;
    assert_eq!(totals.bytes_in, request.len() as u64);
    assert_eq!(totals.bytes_out, (head.len() + body.len()) as u64);
    assert_eq!((totals.frames_in, totals.frames_out, totals.buffered), (0, 0, 0));
}

#[test]
fn a_foreign_request_is_answered_through_what_its_server_gave() {
    let (sender, answers) = unbounded();
    let foreign = |sender: &Sender<HttpAnswer>| {
        let sender = sender.clone();
        Exchange::foreign(Box::new(move |answer| sender.send(answer).unwrap()))
    };
    let (one, two) = (foreign(&sender), foreign(&sender));
    assert_ne!(one.id(), two.id());
    one.respond(ok(b"fine"));
    drop(two);
    assert_eq!(
        answers.try_iter().collect::<Vec<_>>(),
        [ok(b"fine"), HttpAnswer::new(500)]
    );
}

#[test]
fn where_nobody_hears_other_websockets_than_a_routes_they_are_refused() {
    let on_loop = started();
    let status = |change: &dyn Fn(&mut ServerOptions), handler: Option<Arc<dyn sockline::Handler>>| {
        let (mut options, _heard) = routed(|_| {});
        change(&mut options);
        let server = listen(Some(&on_loop), options, handler).unwrap();
        let mut peer = Peer::connect(port(server));
        peer.send(REQUEST.replacen("GET / ", "GET /ws ", 1).as_bytes());
        peer.read_head()[..12].to_owned()
    };
    assert_eq!(status(&|_| {}, None), "HTTP/1.1 404");
    assert_eq!(status(&|_| {}, Some(recorder().0)), "HTTP/1.1 101");
    let at_path = |options: &mut ServerOptions| options.path = Some("/ws".to_owned());
    assert_eq!(status(&at_path, None), "HTTP/1.1 101");
    let alone = |options: &mut ServerOptions| options.routes.clear();
    assert_eq!(status(&alone, None), "HTTP/1.1 101");
}
