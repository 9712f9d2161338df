//! The client's side of the opening handshake: what it asks, and which answers it takes.

use std::io::{self, Read, Write};

use sockline::http::{Limits, Response, parse_request, parse_response};
use sockline::ws::handshake::{
    Chosen, ClientRequest, HandshakeError, check_request, check_response, client_request,
};
use tungstenite::handshake::server::{self, ErrorResponse};

/// The example of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The request on the wire and its key.
fn ask(subprotocols: &[&str], headers: &[(&str, &str)]) -> Result<(String, String), sockline::http::Error> {
    let (subprotocols, headers) = (strings(subprotocols), pairs(headers));
    let request = ClientRequest {
        host: "example.com:8080",
        target: "/chat?x=1",
        subprotocols: &subprotocols,
        compression: None,
        headers: &headers,
    };
    let mut out = b"kept".to_vec();
    let result = client_request(&request, &mut out);
    let written = String::from_utf8(out)
        .expect("text")
        .strip_prefix("kept")
        .expect("appended")
        .to_owned();
    assert_eq!(result.is_err(), written.is_empty());
    result.map(|key| (written, key))
}

fn response(fields: &[(&str, &str)]) -> Response {
    raw_response("HTTP/1.1 101 Switching Protocols", fields)
}

fn raw_response(start: &str, fields: &[(&str, &str)]) -> Response {
    let lines: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!("{start}\r\n{lines}\r\n");
    parse_response(head.as_bytes(), &Limits::default())
        .expect(&head)
        .expect("complete")
        .0
}

const GOOD: [(&str, &str); 3] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", ACCEPT),
];

/// The good response with one field replaced (`None` takes it away).
fn changed(name: &str, value: Option<&str>) -> Response {
    let kept = GOOD.iter().filter(|(known, _)| *known != name).copied();
    response(&kept.chain(value.map(|value| (name, value))).collect::<Vec<_>>())
}

fn with(more: &[(&str, &str)]) -> Response {
    response(&[&GOOD, more].concat())
}

fn check(response: &Response, offered: &[&str]) -> Result<Option<String>, HandshakeError> {
    check_response(response, KEY, &strings(offered), None).map(|chosen| chosen.subprotocol)
}

#[track_caller]
fn refused(response: &Response, offered: &[&str], words: &str) {
    let error = check(response, offered).expect_err("a failure");
    assert_eq!(error.status, None);
    assert!(error.text.contains(words), "{error}");
}

#[test]
fn the_request_is_written() {
    let (written, key) = ask(
        &["chat", "v2"],
        &[("Origin", "http://example.com"), ("Cookie", "a=b")],
    )
    .unwrap();
    let expected = format!(
        "GET /chat?x=1 HTTP/1.1\r\nHost: example.com:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, v2\r\n\
         Origin: http://example.com\r\nCookie: a=b\r\n\r\n"
    );
    assert_eq!(written, expected);
}

#[test]
fn our_server_takes_it() {
    let (written, key) = ask(&["chat"], &[]).unwrap();
    let (request, length) = parse_request(written.as_bytes(), &Limits::default())
        .unwrap()
        .unwrap();
    assert_eq!(length, written.len());
    let accept = check_request(&request).unwrap();
    let answer = response(&[GOOD[0], GOOD[1], ("Sec-WebSocket-Accept", &accept)]);
    assert_eq!(check_response(&answer, &key, &[], None), Ok(Chosen::default()));
}

#[test]
fn each_key_is_fresh() {
    let keys: std::collections::HashSet<String> = (0..100).map(|_| ask(&[], &[]).unwrap().1).collect();
    assert_eq!(keys.len(), 100);
}

#[test]
fn the_application_may_replace_host_and_add_headers() {
    let (written, _) = ask(
        &[],
        &[
            ("host", "other"),
            ("User-Agent", "me"),
            ("Authorization", "Basic eA=="),
        ],
    )
    .unwrap();
    assert!(
        written.contains("Host: other\r\n") && !written.contains("example.com"),
        "{written}"
    );
    assert!(
        written.contains("User-Agent: me\r\nAuthorization: Basic eA==\r\n"),
        "{written}"
    );
}

#[test]
fn the_application_cannot_break_the_request() {
    for header in [
        ("Connection", "close"),
        ("UPGRADE", "h2c"),
        ("Sec-WebSocket-Key", KEY),
        ("sec-websocket-version", "8"),
        ("Sec-WebSocket-Accept", "x"),
        ("Sec-WebSocket-Protocol", "x"),
        ("Sec-WebSocket-Extensions", "x"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("X", "a\r\nY: b"),
        ("X", "a\nb"),
        ("X\r\nY", "a"),
        ("Host", "a\r\nb"),
        ("", "a"),
    ] {
        assert!(ask(&[], &[header]).is_err(), "{header:?}");
    }
    assert!(ask(&[], &[("Host", "a"), ("host", "b")]).is_err());
}

#[test]
fn subprotocols_are_tokens_and_unique() {
    for subprotocols in [
        &[""][..],
        &["a b"],
        &["a,b"],
        &["a\r\nX: y"],
        &["é"],
        &["a", "b", "a"],
    ] {
        assert!(ask(subprotocols, &[]).is_err(), "{subprotocols:?}");
    }
}

#[test]
fn host_and_target_cannot_carry_header_lines() {
    for (host, target) in [
        ("a\r\nX: y", "/"),
        ("a", "/\r\nX: y"),
        ("a", "/ HTTP/1.0"),
        ("a", ""),
    ] {
        let request = ClientRequest {
            host,
            target,
            subprotocols: &[],
            compression: None,
            headers: &[],
        };
        assert!(
            client_request(&request, &mut Vec::new()).is_err(),
            "{host:?} {target:?}"
        );
    }
}

#[test]
fn the_example_of_the_rfc_is_taken() {
    assert_eq!(check(&with(&[]), &[]), Ok(None));
    assert_eq!(check(&changed("Upgrade", Some("WebSocket")), &[]), Ok(None));
    assert_eq!(
        check(&changed("Connection", Some("keep-alive, upgrade")), &[]),
        Ok(None)
    );
}

#[test]
fn another_status_is_told() {
    for (start, status) in [
        ("HTTP/1.1 200 OK", 200),
        ("HTTP/1.1 401 Unauthorized", 401),
        ("HTTP/1.1 302 Found", 302),
        ("HTTP/1.1 100 Continue", 100),
        ("HTTP/1.0 503 Busy", 503),
    ] {
        let error = check(&raw_response(start, &GOOD), &[]).unwrap_err();
        assert_eq!(error.status, Some(status));
        assert!(error.text.contains(&start[9..]), "{error}");
    }
    refused(&raw_response("HTTP/1.0 101 X", &GOOD), &[], "HTTP/1.0");
}

#[test]
fn upgrade_is_websocket_and_nothing_else() {
    for upgrade in [
        None,
        Some(""),
        Some("h2c"),
        Some("websocket, h2c"),
        Some("websockets"),
    ] {
        refused(&changed("Upgrade", upgrade), &[], "Upgrade header");
    }
    refused(&with(&[("Upgrade", "websocket")]), &[], "Upgrade header");
}

#[test]
fn connection_contains_upgrade() {
    for connection in [
        None,
        Some(""),
        Some("close"),
        Some("keep-alive"),
        Some("no-upgrade"),
    ] {
        refused(&changed("Connection", connection), &[], "Connection header");
    }
}

#[test]
fn accept_answers_our_key() {
    for accept in [
        None,
        Some(""),
        Some("x"),
        Some(KEY),
        Some("S3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ] {
        refused(
            &changed("Sec-WebSocket-Accept", accept),
            &[],
            "Sec-WebSocket-Accept",
        );
    }
    refused(
        &with(&[("Sec-WebSocket-Accept", ACCEPT)]),
        &[],
        "Sec-WebSocket-Accept",
    );
}

#[test]
fn the_subprotocol_was_offered() {
    let chosen = |name| with(&[("Sec-WebSocket-Protocol", name)]);
    assert_eq!(check(&chosen("b"), &["a", "b"]), Ok(Some("b".to_owned())));
    assert_eq!(check(&with(&[]), &["a"]), Ok(None));
    refused(&chosen("c"), &["a", "b"], "\"c\"");
    refused(&chosen("B"), &["a", "b"], "\"B\"");
    refused(&chosen("a"), &[], "not one of those offered");
    refused(&chosen(""), &["a"], "not one of those offered");
}

#[test]
fn only_one_subprotocol_is_chosen() {
    refused(
        &with(&[("Sec-WebSocket-Protocol", "a, b")]),
        &["a", "b"],
        "\"a, b\"",
    );
    let two_lines = with(&[("Sec-WebSocket-Protocol", "a"), ("Sec-WebSocket-Protocol", "b")]);
    refused(&two_lines, &["a", "b"], "\"a, b\"");
    let same_twice = with(&[("Sec-WebSocket-Protocol", "a"), ("Sec-WebSocket-Protocol", "a")]);
    refused(&same_twice, &["a"], "\"a, a\"");
}

#[test]
fn no_extension_was_offered() {
    for extension in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits=15",
        "x",
    ] {
        refused(
            &with(&[("Sec-WebSocket-Extensions", extension)]),
            &[],
            "extension",
        );
    }
    assert_eq!(check(&with(&[("Sec-WebSocket-Extensions", "")]), &[]), Ok(None));
}

/// A transport that has one request to read, and keeps what is written.
struct OurClient {
    output: io::Cursor<Vec<u8>>,
    input: Vec<u8>,
}

impl Read for OurClient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.output.read(buffer)
    }
}

impl Write for OurClient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.input.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
#[expect(clippy::result_large_err, reason = "the signature of tungstenite's callback")]
fn tungstenites_server_takes_our_request_and_we_its_response() {
    let (written, key) = ask(&["a", "b"], &[("Origin", "http://example.com")]).unwrap();
    let client = OurClient {
        output: io::Cursor::new(written.into_bytes()),
        input: Vec::new(),
    };
    let choose = |request: &server::Request, mut response: server::Response| -> Result<_, ErrorResponse> {
        assert_eq!(request.uri(), "/chat?x=1");
        assert_eq!(request.headers()["sec-websocket-protocol"], "a, b");
        response
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", "b".parse().expect("a value"));
        Ok(response)
    };
    let socket = tungstenite::accept_hdr(client, choose).expect("tungstenite agrees");
    let (response, length) = parse_response(&socket.get_ref().input, &Limits::default())
        .unwrap()
        .unwrap();
    assert_eq!(length, socket.get_ref().input.len());
    assert_eq!(
        check_response(&response, &key, &strings(&["a", "b"]), None).map(|chosen| chosen.subprotocol),
        Ok(Some("b".to_owned()))
    );
}
