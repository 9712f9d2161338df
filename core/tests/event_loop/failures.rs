//! Connections that are never made, and peers that fall silent.

use std::time::Duration;

use sockline::{ClientOptions, ErrorCode, ReadyState, Settings, WebSocket, connect};

use crate::support::peer::switching;
use crate::support::{
    Events, Host, Nobody, Peer, What, connected_with, local, masked, port, recorder, serve, served_with,
    settings, started,
};

const SHORT: Duration = Duration::from_millis(50);
/// Longer than any test waits: what comes in time does not come because this is over.
const LONG: Duration = Duration::from_secs(3600);

fn impatient() -> ClientOptions {
    ClientOptions {
        handshake_timeout: SHORT,
        ..ClientOptions::default()
    }
}

/// Connects to where `host` answers with `response`, which must not do.
fn answered(response: &str) -> sockline::Error {
    let (on_loop, host) = (started(), Host::new());
    let (handler, events) = recorder();
    connect(
        Some(&on_loop),
        &host.url(),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    let _peer = host.answer(response);
    let error = events.error();
    events.cut();
    drop(on_loop);
    assert_eq!(events.so_far(), [], "on_close is the last event");
    error
}

fn attempt(url: &str, options: ClientOptions) -> (sockline::Loop, WebSocket, Events) {
    let on_loop = started();
    let (handler, events) = recorder();
    let ws = connect(Some(&on_loop), url, options, Some(handler)).unwrap();
    (on_loop, ws, events)
}

#[test]
fn nobody_listens() {
    let nobody = Nobody::new();
    let port = nobody.port();
    let (_loop, ws, events) = attempt(&format!("ws://127.0.0.1:{port}/"), ClientOptions::default());
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::ConnectFailed);
    assert!(error.text().contains(&port.to_string()), "{error}");
    events.cut();
    assert_eq!(ws.ready_state(), ReadyState::Closed);
}

#[test]
fn a_name_without_an_address() {
    // Longer than a label can be, so that the system's resolver refuses it without asking anybody.
    let (_loop, _, events) = attempt(&format!("ws://{}/", "x".repeat(64)), ClientOptions::default());
    assert_eq!(events.error().code(), ErrorCode::NameNotResolved);
    events.cut();
}

#[test]
fn a_name_is_looked_up_and_each_of_its_addresses_is_tried() {
    // localhost may mean ::1 first, where nobody listens.
    let host = Host::new();
    let (_loop, ws, events) = attempt(
        &format!("ws://localhost:{}/", host.port()),
        ClientOptions::default(),
    );
    let _peer = host.accept_websocket(b"");
    assert_eq!(events.open(), ws);
}

#[test]
fn no_unix_socket() {
    let (_loop, _, events) = attempt("ws+unix:///no/such/socket:/", ClientOptions::default());
    assert_eq!(events.error().code(), ErrorCode::ConnectFailed);
    events.cut();
}

#[test]
fn what_is_wrong_with_the_arguments_is_said_at_once() {
    let (handler, events) = recorder();
    let on_loop = started();
    let bad_header = vec![("X".to_owned(), "a\r\nb: c".to_owned())];
    let cases = [
        ("no url", ClientOptions::default(), ErrorCode::InvalidUrl),
        (
            "ws://h/#fragment",
            ClientOptions::default(),
            ErrorCode::InvalidUrl,
        ),
        #[cfg(not(feature = "tls"))]
        ("wss://h/", ClientOptions::default(), ErrorCode::Unsupported),
        (
            "ws://h/",
            ClientOptions {
                headers: bad_header,
                ..Default::default()
            },
            ErrorCode::InvalidArgument,
        ),
        (
            "ws://h/",
            ClientOptions {
                subprotocols: vec!["a b".into()],
                ..Default::default()
            },
            ErrorCode::InvalidArgument,
        ),
    ];
    for (url, options, code) in cases {
        let error = connect(Some(&on_loop), url, options, Some(handler.clone())).unwrap_err();
        assert_eq!(error.code(), code, "{url}: {error}");
    }
    drop(on_loop);
    assert_eq!(events.so_far(), []);
}

#[test]
fn a_refused_upgrade_tells_its_status() {
    let error = answered("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(
        (error.code(), error.http_status()),
        (ErrorCode::Refused, Some(401))
    );
}

#[test]
fn a_wrong_accept_key_is_refused() {
    let error = answered(&switching("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"));
    assert_eq!(
        (error.code(), error.http_status()),
        (ErrorCode::HandshakeFailed, None)
    );
}

#[test]
fn what_is_not_http_is_refused() {
    assert_eq!(
        answered("SSH-2.0-OpenSSH_9.2\r\n\r\n").code(),
        ErrorCode::HandshakeFailed
    );
}

#[test]
fn an_endless_response_head_is_refused() {
    let endless = format!("HTTP/1.1 101 Switching Protocols\r\nX: {}", "y".repeat(17 << 10));
    assert_eq!(answered(&endless).code(), ErrorCode::HandshakeFailed);
}

#[test]
fn a_subprotocol_that_was_not_offered_is_refused() {
    let (on_loop, host) = (started(), Host::new());
    let (handler, events) = recorder();
    let options = ClientOptions {
        subprotocols: vec!["chat".into()],
        ..ClientOptions::default()
    };
    connect(Some(&on_loop), &host.url(), options, Some(handler)).unwrap();
    let mut peer = host.accept();
    let response = switching(&peer.read_head());
    peer.send(
        response
            .replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: other\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!(events.error().code(), ErrorCode::HandshakeFailed);
    events.cut();
}

#[test]
fn a_server_that_ends_before_its_answer() {
    let host = Host::new();
    let (_loop, _, events) = attempt(&host.url(), ClientOptions::default());
    let mut peer = host.accept();
    peer.read_head();
    peer.send(b"HTTP/1.1 101 Switching");
    drop(peer);
    assert_eq!(events.error().code(), ErrorCode::HandshakeFailed);
    events.cut();
}

#[test]
fn a_server_that_never_answers() {
    let host = Host::new();
    let (_loop, _, events) = attempt(&host.url(), impatient());
    let _peer = host.accept();
    assert_eq!(events.error().code(), ErrorCode::HandshakeTimeout);
    events.cut();
}

#[test]
fn a_server_that_answers_too_slowly() {
    let host = Host::new();
    let (_loop, _, events) = attempt(&host.url(), impatient());
    let mut peer = host.accept();
    peer.send(b"HTTP/1.1 101 Switching");
    assert_eq!(events.error().code(), ErrorCode::HandshakeTimeout);
    events.cut();
}

#[test]
fn giving_up_while_connecting_is_no_error() {
    let host = Host::new();
    let (_loop, ws, events) = attempt(&host.url(), ClientOptions::default());
    let mut peer = host.accept();
    peer.read_head();
    ws.close(None, "").unwrap();
    events.cut();
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn a_closing_handshake_that_hangs_is_cut() {
    let mut served = served_with(settings(|it| it.close_timeout = SHORT));
    served.ws.close(Some(1000), "").unwrap();
    assert_eq!(served.peer.read_frame().0, 0x88);
    assert_eq!(served.events.error().code(), ErrorCode::CloseTimeout);
    served.events.cut();
    assert_eq!(served.peer.read_to_end(), b"");
}

#[test]
fn a_server_that_does_not_end_the_transport_does_not_hold_the_client() {
    let mut connected = connected_with(Settings {
        close_timeout: SHORT,
        ..Settings::client()
    });
    connected.ws.close(Some(1000), "").unwrap();
    let (_, payload) = connected.peer.read_frame();
    connected.peer.send(&crate::support::frame(0x88, &payload));
    connected.events.clean(1000, "");
}

fn short_pings() -> Settings {
    settings(|it| (it.ping_interval, it.ping_timeout) = (SHORT, SHORT))
}

#[test]
fn a_silent_peer_is_noticed_though_the_application_does_nothing() {
    let mut served = served_with(short_pings());
    assert_eq!(served.peer.read_frame().0, 0x89);
    assert_eq!(served.events.error().code(), ErrorCode::PeerDead);
    served.events.cut();
}

#[test]
fn any_data_proves_that_the_peer_lives() {
    let mut served = served_with(settings(|it| {
        it.ping_interval = SHORT;
        it.ping_timeout = LONG;
    }));
    for n in 0..5 {
        assert_eq!(served.peer.read_frame().0, 0x89);
        served.peer.send(&masked(0x81, format!("{n}").as_bytes()));
        served.events.text(&format!("{n}"));
    }
    assert_eq!(served.ws.ready_state(), ReadyState::Open);
}

#[test]
fn two_idle_ends_keep_each_other_alive() {
    let mut connected = connected_with(Settings {
        ping_interval: SHORT,
        ping_timeout: LONG,
        ..Settings::client()
    });
    for _ in 0..4 {
        let (first, payload) = connected.peer.read_frame();
        assert_eq!(first, 0x89);
        connected.peer.send(&crate::support::frame(0x8a, &payload));
        assert_eq!(connected.events.next(), What::Pong(payload));
    }
    assert!(connected.ws.latency().is_some());
}

#[test]
fn a_slow_request_dies_on_time() {
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(
        &on_loop,
        sockline::ServerOptions {
            handshake_timeout: SHORT,
            ..local()
        },
        handler,
    );
    let mut slow = Peer::connect(port(server));
    slow.send(b"GET / HTTP/1.1\r\nHost: ");
    assert!(slow.read_to_end().starts_with(b"HTTP/1.1 408 "));
    let mut silent = Peer::connect(port(server));
    assert_eq!(
        silent.read_to_end(),
        b"",
        "nothing was asked, so nothing is answered"
    );
    drop(on_loop);
    assert_eq!(events.so_far(), []);
}
