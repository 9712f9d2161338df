//! The server's side of the opening handshake: who is let in, who is refused with which status, and what goes out.

use std::io::{self, Read, Write};

use sockline::http::{Limits, Request, parse_request, parse_response};
use sockline::ws::handshake::{Refusal, accept_response, check_request, is_upgrade, offered_subprotocols};
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server;

/// The example of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const GOOD: [(&str, &str); 5] = [
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
];

fn text(start: &str, fields: &[(&str, &str)]) -> String {
    let lines: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("{start}\r\n{lines}\r\n")
}

fn parse(text: &str) -> Request {
    parse_request(text.as_bytes(), &Limits::default())
        .expect(text)
        .expect("complete")
        .0
}

/// The good handshake with one field replaced (`None` takes it away), and more fields behind it.
fn changed(name: &str, value: Option<&str>, more: &[(&str, &str)]) -> Request {
    let kept = GOOD.iter().filter(|(known, _)| *known != name).copied();
    let fields: Vec<_> = kept
        .chain(value.map(|value| (name, value)))
        .chain(more.iter().copied())
        .collect();
    parse(&text("GET /chat HTTP/1.1", &fields))
}

fn with(more: &[(&str, &str)]) -> Request {
    changed("", None, more)
}

#[track_caller]
fn refused(request: &Request, status: u16, words: &str) -> Refusal {
    let refusal = check_request(request).expect_err("a refusal");
    assert_eq!(refusal.status, status, "{refusal:?}");
    assert!(refusal.text.contains(words), "{refusal:?}");
    refusal
}

fn header<'a>(refusal: &'a Refusal, name: &str) -> Option<&'a str> {
    refusal
        .headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn the_example_of_the_rfc_is_accepted() {
    let request = with(&[]);
    assert!(is_upgrade(&request));
    assert_eq!(check_request(&request).as_deref(), Ok(ACCEPT));
}

#[test]
fn token_lists_are_understood() {
    for (upgrade, connection) in [
        ("WebSocket", "keep-alive, Upgrade"),
        ("h2c, websocket", "UPGRADE"),
        ("websocket", "a,,upgrade ,b"),
    ] {
        let fields = [
            GOOD[0],
            ("upgrade", upgrade),
            ("connection", connection),
            GOOD[3],
            GOOD[4],
        ];
        assert!(
            check_request(&parse(&text("GET / HTTP/1.1", &fields))).is_ok(),
            "{upgrade} {connection}"
        );
    }
    let fields = [
        GOOD[0],
        GOOD[1],
        ("Connection", "keep-alive"),
        ("Connection", "Upgrade"),
        GOOD[3],
        GOOD[4],
    ];
    assert!(check_request(&parse(&text("GET / HTTP/1.1", &fields))).is_ok());
}

#[test]
fn only_get_opens_a_websocket() {
    for method in ["POST", "HEAD", "OPTIONS", "CONNECT"] {
        let refusal = refused(&parse(&text(&format!("{method} / HTTP/1.1"), &GOOD)), 405, method);
        assert_eq!(header(&refusal, "Allow"), Some("GET"));
    }
}

#[test]
fn only_http_1_1_opens_a_websocket() {
    refused(&parse(&text("GET / HTTP/1.0", &GOOD)), 400, "HTTP/1.1");
}

#[test]
fn what_asks_for_no_websocket_is_told_to_upgrade() {
    for upgrade in [None, Some("h2c"), Some("websocket2"), Some("")] {
        let request = changed("Upgrade", upgrade, &[]);
        assert!(!is_upgrade(&request));
        assert_eq!(
            header(&refused(&request, 426, "Upgrade"), "Upgrade"),
            Some("websocket")
        );
    }
}

#[test]
fn connection_must_contain_upgrade() {
    for connection in [
        None,
        Some("keep-alive"),
        Some("close"),
        Some("not-upgrade"),
        Some(""),
    ] {
        refused(&changed("Connection", connection, &[]), 400, "Connection");
    }
}

#[test]
fn another_version_is_told_the_right_one() {
    for version in ["8", "12", "14", "013", "13, 8", "x"] {
        let refusal = refused(
            &changed("Sec-WebSocket-Version", Some(version), &[]),
            426,
            version,
        );
        assert_eq!(header(&refusal, "Sec-WebSocket-Version"), Some("13"));
        assert_eq!(header(&refusal, "Upgrade"), Some("websocket"));
    }
    refused(&changed("Sec-WebSocket-Version", None, &[]), 400, "missing");
    refused(&with(&[("Sec-WebSocket-Version", "13")]), 426, "13, 13");
}

#[test]
fn the_key_is_sixteen_bytes_once() {
    for key in [
        "",
        "x",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZTE=",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZQ==, x",
        "dGhlIHNhbXBsZSBub25jZ!==",
        "dGhlIHNhbXBsZSB=b25jZQ==",
    ] {
        refused(&changed("Sec-WebSocket-Key", Some(key), &[]), 400, "base64");
    }
    refused(
        &changed("Sec-WebSocket-Key", None, &[]),
        400,
        "one Sec-WebSocket-Key",
    );
    refused(&with(&[("Sec-WebSocket-Key", KEY)]), 400, "one Sec-WebSocket-Key");
}

#[test]
fn a_body_before_the_upgrade_is_refused() {
    for field in [
        ("Content-Length", "5"),
        ("Content-Length", "5, 5"),
        ("Transfer-Encoding", "chunked"),
    ] {
        refused(&with(&[field]), 400, "no body");
    }
    assert!(check_request(&with(&[("Content-Length", "0")])).is_ok());
}

#[test]
fn subprotocols_keep_their_order_over_lines() {
    let request = with(&[
        ("Sec-WebSocket-Protocol", "chat, superchat"),
        ("sec-websocket-protocol", "v1.json"),
    ]);
    assert!(check_request(&request).is_ok());
    assert_eq!(offered_subprotocols(&request), ["chat", "superchat", "v1.json"]);
    assert!(offered_subprotocols(&with(&[])).is_empty());
}

#[test]
fn bad_subprotocols_are_refused() {
    refused(
        &with(&[("Sec-WebSocket-Protocol", "a b")]),
        400,
        "invalid subprotocol",
    );
    refused(
        &with(&[("Sec-WebSocket-Protocol", "a, b;c")]),
        400,
        "invalid subprotocol",
    );
    refused(
        &with(&[("Sec-WebSocket-Protocol", "é")]),
        400,
        "invalid subprotocol",
    );
    refused(&with(&[("Sec-WebSocket-Protocol", "a, b, a")]), 400, "twice");
    refused(
        &with(&[("Sec-WebSocket-Protocol", "a"), ("Sec-WebSocket-Protocol", "a")]),
        400,
        "twice",
    );
    refused(&with(&[("Sec-WebSocket-Protocol", "")]), 400, "empty");
    // Names are compared with their case.
    assert!(check_request(&with(&[("Sec-WebSocket-Protocol", "a, A")])).is_ok());
}

#[test]
fn the_response_is_written() {
    let mut out = Vec::new();
    let extra = [("Set-Cookie".to_owned(), "a=b".to_owned())];
    accept_response(ACCEPT, Some("chat"), "", &extra, &mut out).unwrap();
    let expected = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: chat\r\nSet-Cookie: a=b\r\n\r\n"
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn the_application_cannot_break_the_response() {
    for (name, value) in [
        ("Connection", "close"),
        ("upgrade", "h2c"),
        ("SEC-WEBSOCKET-ACCEPT", "x"),
        ("Sec-WebSocket-Extensions", "permessage-deflate"),
        ("Sec-WebSocket-Protocol", "x"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("X", "a\r\nY: b"),
        ("X\n", "a"),
        ("X", "\0"),
    ] {
        let mut out = Vec::new();
        let extra = [(name.to_owned(), value.to_owned())];
        assert!(
            accept_response(ACCEPT, None, "", &extra, &mut out).is_err(),
            "{name:?}: {value:?}"
        );
        assert!(out.is_empty());
    }
    for subprotocol in ["", "a, b", "a\r\nX: y"] {
        assert!(
            accept_response(ACCEPT, Some(subprotocol), "", &[], &mut Vec::new()).is_err(),
            "{subprotocol:?}"
        );
    }
}

#[test]
fn a_refusal_is_a_whole_response() {
    let refusal = refused(&changed("Sec-WebSocket-Version", Some("8"), &[]), 426, "8");
    let mut out = Vec::new();
    refusal.encode(&mut out).unwrap();
    let (response, length) = parse_response(&out, &Limits::default()).unwrap().unwrap();
    assert_eq!(response.status, 426);
    assert_eq!(response.header("sec-websocket-version"), Some("13"));
    assert!(response.has_token("connection", "upgrade") && !response.keep_alive());
    assert_eq!(&out[length..], refusal.text.as_bytes());

    let mut changed = refusal;
    changed.headers.push(("X".to_owned(), "a\r\nb".to_owned()));
    out.clear();
    assert!(changed.encode(&mut out).is_err() && out.is_empty());
}

#[test]
fn tungstenite_judges_the_same_requests_alike() {
    for (name, value) in GOOD {
        for value in [Some(value), None, Some("x")] {
            if name == "Host" || (name == "Sec-WebSocket-Version" && value == Some("x")) {
                continue;
            }
            let ours = changed(name, value, &[]);
            let kept = GOOD.iter().filter(|(known, _)| *known != name).copied();
            let fields: Vec<_> = kept.chain(value.map(|value| (name, value))).collect();
            let head = text("GET /chat HTTP/1.1", &fields);
            let (_, theirs) = server::Request::try_parse(head.as_bytes()).unwrap().unwrap();
            let response = server::create_response(&theirs);
            assert_eq!(
                check_request(&ours).is_ok(),
                response.is_ok(),
                "{name}: {value:?}"
            );
        }
    }
}

/// A transport at whose other end our server sits.
#[derive(Default)]
struct OurServer {
    input: Vec<u8>,
    output: io::Cursor<Vec<u8>>,
}

impl Write for OurServer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.input.extend_from_slice(bytes);
        if let Some((request, length)) = parse_request(&self.input, &Limits::default()).expect("a good head")
        {
            assert_eq!(length, self.input.len());
            assert_eq!(offered_subprotocols(&request), ["chat", "other"]);
            let accept = check_request(&request).expect("a good handshake");
            accept_response(&accept, Some("other"), "", &[], self.output.get_mut()).expect("a good response");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for OurServer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.output.read(buffer)
    }
}

#[test]
fn tungstenites_client_takes_our_response() {
    let request = http::Request::builder()
        .uri("ws://server.example.com/chat")
        .header("Host", "server.example.com")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
        .header("Sec-WebSocket-Protocol", "chat, other")
        .body(())
        .unwrap();
    let (_, response) = tungstenite::client(request, OurServer::default()).expect("tungstenite agrees");
    assert_eq!(response.headers()["sec-websocket-protocol"], "other");
}
