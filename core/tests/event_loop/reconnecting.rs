//! Clients that come back: which losses they come back from, what they tell meanwhile, and how they stop.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::unbounded;
use sockline::{
    Attempt, ClientOptions, ErrorCode, Handler, Loop, MessageType, ReadyState, Reconnect, Sent, Settings,
    WebSocket, connect,
};

use crate::support::peer::{close_payload, switching};
use crate::support::{
    Events, Host, Nobody, PATIENCE, What, frame, local, port, reacting, recorder, serve, started, url,
};

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(3600);

fn quick() -> Reconnect {
    Reconnect {
        base_delay: Duration::from_millis(2),
        stable_after: LONG,
        ..Reconnect::default()
    }
}

/// A wait that is not over before the test is.
fn slow() -> Reconnect {
    Reconnect {
        base_delay: LONG * 1_000_000,
        max_delay: LONG * 1_000_000,
        ..quick()
    }
}

fn with(reconnect: Reconnect) -> ClientOptions {
    ClientOptions {
        reconnect: Some(reconnect),
        ..ClientOptions::default()
    }
}

fn attempt(url: &str, options: ClientOptions) -> (Loop, WebSocket, Events) {
    let on_loop = started();
    let (handler, events) = recorder();
    let ws = connect(Some(&on_loop), url, options, Some(handler)).unwrap();
    (on_loop, ws, events)
}

/// A client that has been open and has lost its connection; it comes back to the host.
struct Lost {
    on_loop: Loop,
    ws: WebSocket,
    events: Events,
    host: Host,
}

fn lost(reconnect: Reconnect) -> Lost {
    let host = Host::new();
    let (on_loop, ws, events) = attempt(&host.url(), with(reconnect));
    let peer = host.accept_websocket(b"");
    assert_eq!(events.open(), ws);
    drop(peer);
    Lost {
        on_loop,
        ws,
        events,
        host,
    }
}

#[test]
fn a_lost_connection_comes_back_under_the_same_handle() {
    let lost = lost(quick());
    for round in 1..=3 {
        let event = lost.events.reconnecting();
        assert_eq!(
            (event.attempt, event.code, event.reason.as_str()),
            (round, 1006, "")
        );
        assert!(
            event.delay <= Duration::from_millis(2 << (round - 1)),
            "{event:?}"
        );
        let mut peer = lost.host.accept_websocket(b"");
        let (ws, what) = lost.events.next_of();
        assert_eq!((ws, what), (lost.ws, What::Reconnected));
        assert_eq!(ws.ready_state(), ReadyState::Open);
        assert_eq!(ws.send_text("hello").unwrap(), Sent::Queued);
        assert_eq!(peer.read_frame(), (0x81, b"hello".to_vec()));
        peer.send(&frame(0x81, b"welcome back"));
        lost.events.text("welcome back");
    }
    lost.events.reconnecting();
    lost.ws.close(None, "").unwrap();
    lost.events.cut();
}

#[test]
fn half_a_message_is_lost_with_its_connection() {
    let host = Host::new();
    let (_loop, ws, events) = attempt(&host.url(), with(quick()));
    let mut peer = host.accept_websocket(b"");
    assert_eq!(events.open(), ws);
    for round in 0..3 {
        let _ = ws.send_part(MessageType::Text, b"half sent", false).unwrap();
        assert_eq!(peer.read_frame(), (0x01, b"half sent".to_vec()));
        assert_eq!(
            ws.send_text("x").unwrap_err().code(),
            ErrorCode::MessageUnfinished
        );
        peer.send(&[frame(0x01, b"half received"), frame(0x89, b"read")].concat());
        assert_eq!(events.next(), What::Ping(b"read".to_vec()));
        drop(peer);
        events.reconnecting();
        peer = host.accept_websocket(b"");
        assert_eq!(events.next(), What::Reconnected);
        // Nothing of it is in the way of another, of either kind.
        let kind = [MessageType::Text, MessageType::Binary][round % 2];
        let _ = ws.send_part(kind, b"whole", true).unwrap();
        assert_eq!(peer.read_frame(), (0x81 + round as u8 % 2, b"whole".to_vec()));
        peer.send(&frame(0x81, b"whole"));
        events.text("whole");
    }
}

#[test]
fn between_the_connections_the_state_is_connecting() {
    let lost = lost(slow());
    lost.events.reconnecting();
    assert_eq!(lost.ws.ready_state(), ReadyState::Connecting);
    assert_eq!(lost.ws.remote_address(), None);
    assert_eq!(lost.ws.send_text("x").unwrap_err().code(), ErrorCode::NotOpen);
    assert_eq!(lost.ws.url(), lost.host.url());
}

#[test]
fn the_first_connection_is_waited_for_too_and_opens_once() {
    let host = Host::new();
    let (_loop, ws, events) = attempt(&host.url(), with(quick()));
    let mut peer = host.accept();
    peer.read_head();
    drop(peer);
    let event = events.reconnecting();
    assert_eq!(event.error.unwrap().code(), ErrorCode::HandshakeFailed);
    let _peer = host.answer("HTTP/1.1 503 Later\r\nContent-Length: 4\r\n\r\nbusy");
    let error = events.reconnecting().error.unwrap();
    assert_eq!(error.response().unwrap().body, b"busy");
    let _peer = host.accept_websocket(b"");
    assert_eq!(events.open(), ws);
}

#[test]
fn it_is_given_up_after_so_many_attempts() {
    let nobody = Nobody::new();
    let reconnect = Reconnect {
        max_attempts: Some(3),
        ..quick()
    };
    let (on_loop, ws, events) = attempt(&url(nobody.port()), with(reconnect));
    for number in 1..=3 {
        let event = events.reconnecting();
        assert_eq!(event.attempt, number);
        assert_eq!(event.error.unwrap().code(), ErrorCode::ConnectFailed);
    }
    assert_eq!(events.error().code(), ErrorCode::ConnectFailed);
    events.cut();
    assert_eq!(ws.ready_state(), ReadyState::Closed);
    drop(on_loop);
    assert_eq!(events.so_far(), []);
}

#[test]
fn only_a_stable_connection_makes_the_next_loss_the_first() {
    let stable = Reconnect {
        stable_after: Duration::ZERO,
        ..quick()
    };
    let lost = lost(stable);
    for _ in 0..3 {
        assert_eq!(lost.events.reconnecting().attempt, 1);
        drop(lost.host.accept_websocket(b""));
        assert_eq!(lost.events.next(), What::Reconnected);
    }
    // That they count on where none was stable, the test above shows.
}

#[test]
fn a_status_of_the_client_s_own_fault_ends_it() {
    for status in [401, 403, 404, 410] {
        let host = Host::new();
        let (_loop, _, events) = attempt(&host.url(), with(quick()));
        let _peer = host.answer(&format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"));
        let error = events.error();
        assert_eq!(
            (error.code(), error.http_status()),
            (ErrorCode::Refused, Some(status))
        );
        events.cut();
    }
}

#[test]
fn a_server_that_says_when_to_come_back_is_not_asked_before() {
    let host = Host::new();
    let (_loop, ws, events) = attempt(&host.url(), with(quick()));
    let _peer = host.answer("HTTP/1.1 429 Slowly\r\nRetry-After: 3000\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(events.reconnecting().delay, Duration::from_secs(3000));
    ws.terminate().unwrap();
    events.cut();
}

/// A client whose peer sends this close frame and ends.
fn closed_with(code: u16, reason: &str, reconnect: Reconnect) -> (Loop, Events) {
    let host = Host::new();
    let (on_loop, _, events) = attempt(&host.url(), with(reconnect));
    let mut peer = host.accept_websocket(b"");
    events.open();
    peer.send(&frame(0x88, &close_payload(code, reason)));
    assert_eq!(peer.read_frame().0, 0x88);
    (on_loop, events)
}

#[test]
fn the_peer_s_close_code_decides() {
    for code in [1000, 1003, 1008, 1010] {
        let (_loop, events) = closed_with(code, "go", quick());
        events.clean(code, "go");
    }
    for code in [1001, 1011, 1012, 1013, 4000] {
        let (_loop, events) = closed_with(code, "come back", slow());
        let event = events.reconnecting();
        assert_eq!(
            (event.code, event.reason.as_str(), event.error),
            (code, "come back", None)
        );
    }
    let reconnect = Reconnect {
        no_retry: vec![4000],
        ..slow()
    };
    let (_loop, events) = closed_with(1000, "", reconnect.clone());
    assert_eq!(events.reconnecting().code, 1000);
    let (_loop, events) = closed_with(4000, "", reconnect);
    events.clean(4000, "");
}

#[test]
fn a_breach_of_the_protocol_ends_it_unless_told_otherwise() {
    let breach = [
        frame(0x81, b"fine"),
        frame(0x83, b"no such opcode"),
        frame(0x81, b"too late"),
    ]
    .concat();
    let (_loop, _, events) = {
        let host = Host::new();
        let (on_loop, ws, events) = attempt(&host.url(), with(quick()));
        let _peer = host.accept_websocket(&breach);
        events.open();
        (on_loop, ws, events)
    };
    events.text("fine");
    assert_eq!(events.error().code(), ErrorCode::Protocol);
    events.cut();
    let stubborn = Reconnect {
        no_retry: Vec::new(),
        ..quick()
    };
    let host = Host::new();
    let (_loop, _, events) = attempt(&host.url(), with(stubborn));
    let mut peer = host.accept_websocket(&breach);
    events.open();
    events.text("fine");
    assert_eq!(events.reconnecting().error.unwrap().code(), ErrorCode::Protocol);
    assert_eq!(
        peer.read_frame().1[..2],
        1002_u16.to_be_bytes(),
        "the peer is told all the same"
    );
    let mut peer = host.accept_websocket(&frame(0x81, b"again"));
    assert_eq!(events.next(), What::Reconnected);
    events.text("again");
    peer.send(&frame(0x89, b""));
    assert_eq!(peer.read_frame().0, 0x8a);
}

#[test]
fn closing_and_terminating_end_it_at_once_while_it_waits() {
    for end in [
        (|ws: WebSocket| ws.close(Some(1000), "").unwrap()) as fn(WebSocket),
        |ws| ws.terminate().unwrap(),
    ] {
        let waiting = lost(slow());
        waiting.events.reconnecting();
        end(waiting.ws); // from another thread
        waiting.events.cut();
        assert_eq!(waiting.ws.ready_state(), ReadyState::Closed);

        let host = Host::new();
        let on_loop = started();
        let (handler, events) = reacting(move |ws, what| {
            if let What::Reconnecting(_) = what {
                end(ws); // inside its own callback
            }
        });
        connect(Some(&on_loop), &host.url(), with(slow()), Some(handler)).unwrap();
        drop(host.accept_websocket(b""));
        events.open();
        events.reconnecting();
        events.cut();
        drop(on_loop);
        assert_eq!(events.so_far(), []);
    }
}

#[test]
fn closing_an_open_one_ends_it_whatever_the_peer_does_then() {
    let host = Host::new();
    let (_loop, ws, events) = attempt(&host.url(), with(quick()));
    let mut peer = host.accept_websocket(b"");
    events.open();
    ws.close(Some(4001), "").unwrap();
    assert_eq!(peer.read_frame().0, 0x88);
    drop(peer);
    events.cut();
}

#[test]
fn the_loop_s_end_is_its_end_too() {
    let waiting = lost(slow());
    waiting.events.reconnecting();
    drop(waiting.on_loop);
    waiting.events.cut();
    let waiting = lost(slow());
    waiting.events.reconnecting();
    waiting.on_loop.shutdown(PATIENCE);
    waiting.events.cut();
    // Open, and the peer answers nothing: it is cut at the deadline, not connected again.
    let host = Host::new();
    let (on_loop, _, events) = attempt(&host.url(), with(quick()));
    let _peer = host.accept_websocket(b"");
    events.open();
    on_loop.shutdown(Duration::from_millis(20));
    events.cut();
}

#[test]
fn a_server_of_ours_that_shuts_down_is_found_again_on_its_port() {
    let (first, second) = (started(), started());
    let (handler, _first_events) = recorder();
    let server_port = port(serve(&first, local(), handler));
    let (_loop, ws, events) = attempt(&url(server_port), with(quick()));
    events.open();
    first.shutdown(PATIENCE);
    let event = events.reconnecting();
    assert_eq!((event.code, event.reason.as_str()), (1001, "going away"));
    let mut options = local();
    options.address = sockline::Address::Tcp("127.0.0.1".to_owned(), server_port);
    let (handler, second_events) = reacting(|ws, what| {
        if let What::Text(text) = what {
            let _ = ws.send_text(text).unwrap();
        }
    });
    serve(&second, options, handler);
    while let What::Reconnecting(_) = events.next() {} // until on_reconnected
    second_events.open();
    let _ = ws.send_text("there and back").unwrap();
    events.text("there and back");
}

/// Changes attempts, and passes the other events on.
struct Changing<F> {
    change: F,
    inner: Arc<dyn Handler>,
}

impl<F: Fn(&mut Attempt) + Send + Sync> Handler for Changing<F> {
    fn on_open(&self, ws: WebSocket) {
        self.inner.on_open(ws);
    }
    fn on_reconnecting(&self, ws: WebSocket, event: &sockline::Reconnecting) {
        self.inner.on_reconnecting(ws, event);
    }
    fn on_attempt(&self, _: WebSocket, attempt: &mut Attempt) {
        (self.change)(attempt);
    }
    fn on_reconnected(&self, ws: WebSocket) {
        self.inner.on_reconnected(ws);
    }
    fn on_error(&self, ws: WebSocket, error: &sockline::Error) {
        self.inner.on_error(ws, error);
    }
    fn on_close(&self, ws: WebSocket, event: &sockline::CloseEvent) {
        self.inner.on_close(ws, event);
    }
}

fn changing(change: impl Fn(&mut Attempt) + Send + Sync + 'static) -> (Arc<dyn Handler>, Events) {
    let (inner, events) = recorder();
    (Arc::new(Changing { change, inner }), events)
}

#[test]
fn an_attempt_can_be_sent_elsewhere_with_other_headers() {
    let (first, second) = (Host::new(), Host::new());
    let elsewhere = format!("{}other", second.url());
    let (sender, seen) = unbounded();
    let (handler, events) = changing(move |attempt| {
        sender.send(attempt.clone()).unwrap();
        attempt.url.clone_from(&elsewhere);
        attempt
            .headers
            .push(("X-Token".to_owned(), attempt.number.to_string()));
    });
    let on_loop = started();
    let options = ClientOptions {
        headers: vec![("X-Own".to_owned(), "1".to_owned())],
        ..with(quick())
    };
    let ws = connect(Some(&on_loop), &first.url(), options, Some(handler)).unwrap();
    drop(first.accept_websocket(b""));
    events.open();
    for number in 1..=2 {
        events.reconnecting();
        let mut peer = second.accept();
        let request = peer.read_head();
        assert!(request.starts_with("GET /other "), "{request}");
        assert!(request.contains("\r\nX-Own: 1\r\n"), "{request}");
        assert_eq!(request.matches("X-Token").count(), 1, "{request}");
        assert!(request.contains(&format!("X-Token: {number}\r\n")), "{request}");
        let given = seen.recv_timeout(PATIENCE).unwrap();
        assert_eq!(
            (given.url, given.number),
            (first.url(), number),
            "each begins anew"
        );
        peer.send(crate::support::peer::switching(&request).as_bytes());
        assert_eq!(events.next(), What::Reconnected);
        assert_eq!(ws.url(), format!("{}other", second.url()));
    }
}

#[test]
fn a_bad_change_ends_the_handle_with_its_error() {
    for (change, code) in [
        (
            (|attempt: &mut Attempt| attempt.url = "no url".to_owned()) as fn(&mut Attempt),
            ErrorCode::InvalidUrl,
        ),
        (
            |attempt| attempt.headers.push(("a b".to_owned(), String::new())),
            ErrorCode::InvalidArgument,
        ),
    ] {
        let host = Host::new();
        let on_loop = started();
        let (handler, events) = changing(change);
        connect(Some(&on_loop), &host.url(), with(quick()), Some(handler)).unwrap();
        drop(host.accept_websocket(b""));
        events.open();
        events.reconnecting();
        assert_eq!(events.error().code(), code);
        events.cut();
    }
}

#[test]
fn a_bad_policy_is_refused_at_once() {
    let bad = Reconnect {
        factor: 0.5,
        ..Reconnect::default()
    };
    let error = connect(None, "ws://h/", with(bad), None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}

#[test]
fn who_was_told_to_wait_hears_of_room_on_the_next_connection() {
    let host = Host::new();
    let options = ClientOptions {
        settings: Settings {
            high_water_mark: 1000,
            ..Settings::client()
        },
        ..with(quick())
    };
    let (_loop, ws, events) = attempt(&host.url(), options);
    let peer = host.accept_websocket(b"");
    events.open();
    // More than the system takes while nobody reads.
    while ws.send_binary(&vec![1; 4 << 20]).unwrap() != Sent::OverMark || ws.buffered_amount() < 1 << 20 {}
    drop(peer);
    events.reconnecting();
    assert_eq!(ws.buffered_amount(), 0, "what was lost doesn't wait");
    let _peer = host.accept_websocket(b"");
    assert_eq!(events.next(), What::Reconnected);
    assert_eq!(events.next(), What::Drain);
}

#[test]
fn who_has_paused_stays_paused() {
    let lost = lost(quick());
    lost.events.reconnecting(); // one that has paused before would not see the end
    lost.ws.pause().unwrap();
    let _peer = lost.host.accept_websocket(&frame(0x81, b"early"));
    assert_eq!(lost.events.next(), What::Reconnected);
    // A ping of ours would be answered by an event, were it read.
    assert_eq!(lost.events.so_far(), []);
    lost.ws.resume().unwrap();
    lost.events.text("early");
}

#[test]
fn an_attempt_s_lookup_is_not_answered_by_an_earlier_one_s() {
    let host = Host::new();
    let (sender, gate) = unbounded::<&str>();
    let options = ClientOptions {
        handshake_timeout: Duration::from_millis(50),
        lookup: Some(sockline::Lookup::new(move |_| {
            let address = gate.recv().map_err(std::io::Error::other)?;
            Ok(vec![address.parse().map_err(std::io::Error::other)?])
        })),
        ..with(quick())
    };
    let (_loop, _, events) = attempt(&format!("ws://example.test:{}/", host.port()), options);
    assert_eq!(
        events.reconnecting().error.unwrap().code(),
        ErrorCode::HandshakeTimeout
    );
    // The first, which nobody waits for any more, and one after the other of those that are waited for.
    sender.send("192.0.2.1").unwrap();
    for _ in 0..1000 {
        let _ = sender.send("127.0.0.1");
    }
    // Some attempts may be over before this thread gets to them.
    std::thread::spawn(move || {
        let accept = |stream: std::io::Result<_>| {
            let mut stream: std::net::TcpStream = stream?;
            let mut request = [0; 4096];
            let length = stream.read(&mut request)?;
            stream.write_all(switching(&String::from_utf8_lossy(&request[..length])).as_bytes())?;
            Ok(stream)
        };
        let _attempts: Vec<std::io::Result<_>> = host.listener.incoming().map(accept).collect();
    });
    while let What::Reconnecting(_) = events.next() {} // until on_open
}
