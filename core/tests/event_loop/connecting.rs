//! From a URL to a connected socket: name lookup, Happy Eyeballs, options of the socket, and how long each took.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use sockline::{ClientOptions, ErrorCode, Lookup, Settings, TcpOptions, Timings, connect};

use crate::support::{Events, Host, Nobody, PATIENCE, local, port, recorder, serve, started, url};

const SHORT: Duration = Duration::from_millis(50);
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn resolving_to(addresses: &[IpAddr]) -> ClientOptions {
    let addresses = addresses.to_vec();
    ClientOptions {
        lookup: Some(Lookup::new(move |_| Ok(addresses.clone()))),
        ..ClientOptions::default()
    }
}

fn attempt(url: &str, options: ClientOptions) -> (sockline::Loop, Events) {
    let on_loop = started();
    let (handler, events) = recorder();
    connect(Some(&on_loop), url, options, Some(handler)).unwrap();
    (on_loop, events)
}

/// A port of ::1 that takes nobody in: its queue is full, so who connects hears nothing.
struct Hanging {
    _listener: socket2::Socket,
    queue: Vec<socket2::Socket>,
}

impl Hanging {
    fn new(port: u16) -> Hanging {
        let address = SocketAddr::new(V6, port).into();
        let tcp = || socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).unwrap();
        let listener = tcp();
        listener.bind(&address).unwrap();
        listener.listen(0).unwrap();
        let fill = || {
            let socket = tcp();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address);
            socket
        };
        Hanging {
            queue: (0..4).map(|_| fill()).collect(),
            _listener: listener,
        }
    }
}

#[test]
fn an_address_that_says_nothing_gets_a_head_start_and_no_more() {
    let host = Host::new();
    let _hanging = Hanging::new(host.port());
    let (_loop, events) = attempt(
        &format!("ws://example.test:{}/", host.port()),
        resolving_to(&[V6, V4]),
    );
    let _peer = host.accept_websocket(b"");
    let ws = events.open();
    assert_eq!(ws.remote_address().unwrap().ip(), V4);
    let tcp = ws.timings().tcp.unwrap();
    assert!(tcp >= Duration::from_millis(200), "{tcp:?} for the head start");
}

#[test]
fn who_loses_the_race_is_closed() {
    let host = Host::new();
    let hanging = Hanging::new(host.port());
    let url = format!("ws://example.test:{}/", host.port());
    let (_loop, events) = attempt(&url, resolving_to(&[V6, V4]));
    let _peer = host.accept_websocket(b"");
    events.open();
    let table = std::fs::read_to_string("/proc/self/net/tcp6").unwrap();
    let port = format!(":{:04X}", host.port());
    let towards_it = |line: &&str| {
        line.split_whitespace()
            .nth(2)
            .is_some_and(|remote| remote.ends_with(&port))
    };
    let left = table.lines().filter(towards_it).count();
    assert_eq!(
        left,
        hanging.queue.len(),
        "only the queue's own are left:\n{table}"
    );
}

#[test]
fn an_address_that_refuses_makes_room_for_the_next_at_once() {
    let host = Host::new();
    let mut options = resolving_to(&[V6, V4]);
    options.handshake_timeout = Duration::from_secs(3600);
    let (_loop, events) = attempt(&format!("ws://example.test:{}/", host.port()), options);
    let _peer = host.accept_websocket(b"");
    let tcp = events.open().timings().tcp.unwrap();
    assert!(tcp < Duration::from_millis(200), "{tcp:?} is a head start");
}

#[test]
fn each_address_that_failed_is_named() {
    let nobody = Nobody::new();
    let port = nobody.port();
    let (_loop, events) = attempt(&format!("ws://example.test:{port}/"), resolving_to(&[V6, V4]));
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::ConnectFailed);
    for what in [
        &format!("example.test:{port}"),
        &format!("[::1]:{port}: "),
        &format!("127.0.0.1:{port}: "),
    ] {
        assert!(error.text().contains(what.as_str()), "{error} without {what}");
    }
    assert_eq!(error.os_error(), Some(nix::libc::ECONNREFUSED));
    events.cut();
}

#[test]
fn a_lookup_that_fails_says_why() {
    let options = ClientOptions {
        lookup: Some(Lookup::new(|host| {
            Err(std::io::Error::other(format!("{host} is unknown to the test")))
        })),
        ..ClientOptions::default()
    };
    let (_loop, events) = attempt("ws://example.test/", options);
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::NameNotResolved);
    assert!(
        error.text().contains("example.test is unknown to the test"),
        "{error}"
    );
    events.cut();
    let (_loop, events) = attempt("ws://example.test/", resolving_to(&[]));
    assert_eq!(events.error().code(), ErrorCode::NameNotResolved);
}

#[test]
fn a_lookup_that_panics_is_one_that_fails() {
    let options = ClientOptions {
        lookup: Some(Lookup::new(|_| panic!("as the test wants it"))),
        ..ClientOptions::default()
    };
    let (_loop, events) = attempt("ws://example.test/", options);
    assert_eq!(events.error().code(), ErrorCode::NameNotResolved);
}

/// A lookup that answers when the sender is dropped.
fn silent() -> (Lookup, Sender<()>) {
    let (sender, receiver) = bounded::<()>(0);
    let lookup = Lookup::new(move |_| {
        let _ = receiver.recv();
        Err(std::io::Error::other("too late"))
    });
    (lookup, sender)
}

#[test]
fn a_lookup_that_never_answers_times_out_and_holds_nobody_up() {
    let (lookup, _silence) = silent();
    let options = ClientOptions {
        lookup: Some(lookup),
        handshake_timeout: SHORT,
        ..ClientOptions::default()
    };
    let on_loop = started();
    // More than there are threads for lookups that answer.
    let all: Vec<Events> = (0..12)
        .map(|_| {
            let (handler, events) = recorder();
            connect(
                Some(&on_loop),
                "ws://example.test/",
                options.clone(),
                Some(handler),
            )
            .unwrap();
            events
        })
        .collect();
    for events in &all {
        let error = events.error();
        assert_eq!(error.code(), ErrorCode::HandshakeTimeout);
        assert!(error.text().contains("looking up example.test"), "{error}");
        events.cut();
    }
    let host = Host::new();
    let (handler, events) = recorder();
    let good = format!("ws://example.test:{}/", host.port());
    connect(Some(&on_loop), &good, resolving_to(&[V4]), Some(handler)).unwrap();
    let _peer = host.accept_websocket(b"");
    events.open();
}

#[test]
fn an_answer_after_giving_up_is_ignored() {
    let (lookup, silence) = silent();
    let on_loop = started();
    let (handler, events) = recorder();
    let options = ClientOptions {
        lookup: Some(lookup),
        ..ClientOptions::default()
    };
    let ws = connect(Some(&on_loop), "ws://example.test/", options, Some(handler)).unwrap();
    ws.close(None, "").unwrap();
    events.cut();
    drop(silence);
    drop(on_loop);
    assert_eq!(events.so_far(), []);
}

#[test]
fn each_step_is_timed() {
    let host = Host::new();
    let (_loop, events) = attempt(
        &format!("ws://example.test:{}/", host.port()),
        resolving_to(&[V4]),
    );
    let _peer = host.accept_websocket(b"");
    let timings = events.open().timings();
    assert!(
        timings.dns.is_some() && timings.tcp.is_some() && timings.upgrade.is_some(),
        "{timings:?}"
    );
    assert_eq!((timings.proxy, timings.tls), (None, None));
}

#[test]
fn an_address_is_not_looked_up_and_a_server_times_nothing() {
    let on_loop = started();
    let (server_handler, server_events) = recorder();
    let server = serve(&on_loop, local(), server_handler);
    let (handler, events) = recorder();
    let mut options = resolving_to(&[]);
    options.settings = Settings::client();
    connect(Some(&on_loop), &url(port(server)), options, Some(handler)).unwrap();
    let ws = events.open();
    assert_eq!(ws.timings().dns, None);
    let peer = server_events.open();
    assert_eq!(
        (peer.timings(), peer.response_headers()),
        (Timings::default(), Vec::new())
    );
    ws.close(None, "").unwrap();
    assert_eq!(events.close().code, 1005);
    drop(on_loop);
    assert_eq!(ws.timings(), Timings::default(), "the handle is dead");
}

#[test]
fn the_headers_of_the_response_can_be_read() {
    let host = Host::new();
    let (_loop, events) = attempt(&host.url(), ClientOptions::default());
    let mut peer = host.accept();
    let response = crate::support::peer::switching(&peer.read_head());
    let more = "\r\nX-One: first\r\nX-One: second\r\n\r\n";
    peer.send(response.replace("\r\n\r\n", more).as_bytes());
    let headers = events.open().response_headers();
    let ones: Vec<&[u8]> = headers
        .iter()
        .filter(|(name, _)| name == "x-one")
        .map(|(_, value)| value.as_slice())
        .collect();
    assert_eq!(ones, [b"first".as_slice(), b"second"]);
}

#[test]
fn the_request_can_be_read_as_it_was_sent() {
    let host = Host::new();
    let asking = |keep_request| ClientOptions {
        subprotocols: vec!["chat".to_owned()],
        headers: vec![("X-Mine".to_owned(), "one: two".to_owned())],
        keep_request,
        ..ClientOptions::default()
    };
    let (_loop, events) = attempt(&host.url(), asking(true));
    let mut peer = host.accept();
    let request = peer.read_head();
    peer.send(crate::support::peer::switching(&request).as_bytes());
    let text = |ws: sockline::WebSocket| {
        let headers = ws.request_headers().into_iter();
        headers
            .map(|(name, value)| format!("{name}: {}\r\n", String::from_utf8(value).unwrap()))
            .collect::<String>()
    };
    let sent = text(events.open());
    assert!(sent.contains("\r\nSec-WebSocket-Key: ") && sent.contains("\r\nX-Mine: one: two\r\n"));
    assert_eq!(request, format!("GET / HTTP/1.1\r\n{sent}\r\n"));

    let (_loop, events) = attempt(&host.url(), asking(false));
    let _peer = host.accept_websocket(b"");
    assert_eq!(text(events.open()), "", "nobody wanted it");
}

#[test]
fn the_request_can_be_read_when_it_is_refused() {
    struct Reads(crossbeam_channel::Sender<Vec<(String, Vec<u8>)>>);
    impl sockline::Handler for Reads {
        fn on_error(&self, ws: sockline::WebSocket, _: &sockline::Error) {
            self.0.send(ws.request_headers()).unwrap();
        }
    }
    let host = Host::new();
    let (sender, read) = crossbeam_channel::unbounded();
    let on_loop = started();
    let options = ClientOptions {
        keep_request: true,
        max_redirects: 1,
        ..ClientOptions::default()
    };
    connect(
        Some(&on_loop),
        &host.url(),
        options,
        Some(Arc::new(Reads(sender))),
    )
    .unwrap();
    let elsewhere = Host::new();
    host.answer(&format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\n\r\n",
        elsewhere.url()
    ));
    let refusing = elsewhere.answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let authority = format!("127.0.0.1:{}", elsewhere.port()).into_bytes();
    assert_eq!(
        read.recv_timeout(PATIENCE).unwrap().first(),
        Some(&("Host".to_owned(), authority)),
        "of the latest request"
    );
    drop(refusing);
}

#[test]
fn the_local_address_is_the_one_that_was_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let options = ClientOptions {
        local_address: Some("127.0.0.2:0".parse().unwrap()),
        ..ClientOptions::default()
    };
    let (_loop, _events) = attempt(&format!("ws://{address}/"), options);
    let (_stream, from): (TcpStream, SocketAddr) = listener.accept().unwrap();
    assert_eq!(from.ip().to_string(), "127.0.0.2");
}

#[cfg(unix)]
#[test]
fn a_unix_socket_has_no_address_and_is_nowhere_else() {
    let refused = |options| {
        let error = sockline::connect(None, "ws+unix:///tmp/none:/", options, None).unwrap_err();
        (error.code(), error.text().to_owned())
    };
    let with_address = ClientOptions {
        local_address: Some("127.0.0.2:0".parse().unwrap()),
        ..ClientOptions::default()
    };
    let elsewhere = ClientOptions {
        connect_to: Some((String::new(), 80)),
        ..ClientOptions::default()
    };
    for (options, name) in [(with_address, "local_address"), (elsewhere, "connect_to")] {
        let why = format!("a Unix socket's URL can't be combined with {name}");
        assert_eq!(refused(options), (ErrorCode::InvalidArgument, why));
    }
}

#[test]
fn a_local_address_that_is_not_ours_is_an_error_with_its_name() {
    let options = ClientOptions {
        local_address: Some("192.0.2.7:0".parse().unwrap()),
        ..ClientOptions::default()
    };
    let (_loop, events) = attempt(&Host::new().url(), options);
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::ConnectFailed);
    assert_eq!(error.os_error(), Some(nix::libc::EADDRNOTAVAIL));
}

#[test]
fn options_of_the_socket_hold_at_both_ends() {
    // What they are on the sockets is for the unit tests; here, that connections with them work.
    let settings = Settings {
        tcp: TcpOptions {
            keep_alive: Some(Duration::from_millis(1)),
            user_timeout: Some(Duration::from_secs(9)),
            send_buffer: 8192,
            receive_buffer: 8192,
            no_delay: false,
        },
        ..Settings::client()
    };
    let pair = crate::support::pair_with(settings.clone(), settings);
    let _ = pair.client.send_binary(&[7; 300_000]).unwrap();
    assert_eq!(
        pair.peer_events.next_but_drain(),
        crate::support::What::Binary(vec![7; 300_000])
    );
}
