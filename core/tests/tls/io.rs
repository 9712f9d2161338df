//! The Socket.IO client over TLS: its requests, and the WebSocket that it goes over to.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use parking_lot::Mutex;
use sockline::io::{
    ClientEvent, ClientHandler, ClientSocket, ConnectError, Manager, ManagerOptions, SocketOptions, Transport,
};
use sockline::{ClientOptions, ClientTls, ErrorCode, HttpRequest, ServerOptions};

use crate::certificates::Authority;
use crate::support::routes::{Told, ok, recorded};
use crate::support::{PATIENCE, port, recorder, serve, started};
use crate::with_tls;

const HANDSHAKE: &[u8] =
    br#"0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}"#;

struct Ear(Mutex<Sender<String>>);

impl Ear {
    fn say(&self, word: String) {
        let _ = self.0.lock().send(word);
    }
}

impl ClientHandler for Ear {
    fn on_connect(&self, socket: &ClientSocket) {
        self.say(format!("connect {}", socket.id().unwrap()));
    }

    fn on_connect_error(&self, _: &ClientSocket, error: ConnectError<'_>) {
        self.say(format!("{:?}", error.error.map(sockline::Error::code)));
    }

    fn on_event(&self, _: &ClientSocket, event: ClientEvent<'_>) {
        self.say(event.array.to_owned());
    }
}

fn options(tls: ClientTls) -> ManagerOptions {
    let mut options = ManagerOptions {
        path: "/r/io".to_owned(),
        client: ClientOptions {
            tls: Some(tls),
            ..ClientOptions::default()
        },
        ..ManagerOptions::default()
    };
    options.reconnection.enabled = false;
    options
}

#[test]
fn polling_and_the_upgrade_are_secured() {
    let authority = Authority::new("test authority");
    let (route, heard) = recorded(|_| {});
    let server_options = ServerOptions {
        routes: vec![route],
        ..with_tls(authority.server())
    };
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, server_options, handler);
    let url = format!("https://localhost:{}", port(server));
    let (told, hears) = channel();
    let manager = Manager::new(Some(&on_loop), &url, options(authority.client()), None).unwrap();
    let ear = Arc::new(Ear(Mutex::new(told)));
    let _socket = manager.socket("/", SocketOptions::default(), ear).unwrap();

    let first = heard.request();
    assert!(first.secure && first.body.is_empty());
    first.exchange.respond(ok(HANDSHAKE));
    let (mut requests, mut upgrades): (Vec<HttpRequest>, Vec<String>) = Default::default();
    while requests.len() < 2 || upgrades.is_empty() {
        match heard.next() {
            Told::Request(request) => requests.push(*request),
            Told::Upgrade(target) => upgrades.push(target),
            other => panic!("{other:?}"),
        }
    }
    assert!(
        upgrades[0].starts_with("/r/io/?EIO=4&transport=websocket&sid=abc"),
        "{upgrades:?}"
    );
    let ws = events.open();
    assert!(ws.tls().is_some());
    events.text("2probe");
    for request in requests {
        assert!(request.secure);
        let answer: &[u8] = if request.body.is_empty() {
            br#"40{"sid":"id"}"#
        } else {
            assert_eq!(request.body, b"40");
            b"ok"
        };
        request.exchange.respond(ok(answer));
    }
    assert_eq!(hears.recv_timeout(PATIENCE).unwrap(), "connect id");
    let parked = heard.request();
    let _ = ws.send_text("3probe").unwrap();
    parked.exchange.respond(ok(b"6"));
    events.text("5");
    let _ = ws.send_text(r#"42["secured"]"#).unwrap();
    assert_eq!(hears.recv_timeout(PATIENCE).unwrap(), r#"["secured"]"#);
    assert_eq!(manager.transport(), Some(Transport::WebSocket));
}

#[test]
fn a_stranger_is_not_trusted_over_either_transport() {
    let (authority, stranger) = (Authority::new("test authority"), Authority::new("stranger"));
    let on_loop = started();
    let server = serve(&on_loop, with_tls(stranger.server()), recorder().0);
    let url = format!("https://localhost:{}", port(server));
    for transport in [Transport::Polling, Transport::WebSocket] {
        let (told, hears) = channel();
        let mut options = options(authority.client());
        options.transports = vec![transport];
        let manager = Manager::new(Some(&on_loop), &url, options, None).unwrap();
        let ear = Arc::new(Ear(Mutex::new(told)));
        let _socket = manager.socket("/", SocketOptions::default(), ear).unwrap();
        let expected = format!("{:?}", Some(ErrorCode::Tls));
        assert_eq!(hears.recv_timeout(PATIENCE).unwrap(), expected);
    }
}
