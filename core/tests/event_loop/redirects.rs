//! Answers that are no upgrade: refusals with their bodies, redirects, and the cookies on the way.

use std::time::Duration;

use sockline::{ClientOptions, Error, ErrorCode, connect};

use crate::support::peer::switching;
use crate::support::{Events, Host, Peer, recorder, started};

fn attempt(url: &str, options: ClientOptions) -> (sockline::Loop, Events) {
    let on_loop = started();
    let (handler, events) = recorder();
    connect(Some(&on_loop), url, options, Some(handler)).unwrap();
    (on_loop, events)
}

fn following(max_redirects: u32) -> ClientOptions {
    ClientOptions {
        max_redirects,
        ..ClientOptions::default()
    }
}

/// The error of a client that is refused like this; the peer ends afterwards if `ends`.
#[track_caller]
fn refused(response: &[u8], ends: bool) -> Error {
    let host = Host::new();
    let (_loop, events) = attempt(&host.url(), ClientOptions::default());
    let mut peer = host.accept();
    peer.read_head();
    peer.send(response);
    let _peer = (!ends).then_some(peer);
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Refused, "{error}");
    events.cut();
    error
}

#[test]
fn a_refusal_brings_its_headers_and_its_body() {
    let error = refused(
        b"HTTP/1.1 401 Who are you\r\nWWW-Authenticate: Basic\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello",
        false,
    );
    let response = error.response().unwrap();
    assert_eq!((response.status, response.reason.as_str()), (401, "Who are you"));
    assert_eq!(error.http_status(), Some(401));
    let values = |name| {
        let fields = response.headers.iter().filter(move |(given, _)| given == name);
        fields.map(|(_, value)| value.as_slice()).collect::<Vec<_>>()
    };
    assert_eq!(values("www-authenticate"), [b"Basic"]);
    assert_eq!(values("x-a"), [b"1", b"2"]);
    assert_eq!(response.body, b"hello");
}

#[test]
fn a_body_ends_as_its_framing_says() {
    let chunked = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(refused(chunked, false).response().unwrap().body, b"abcde");
    let until_the_end = b"HTTP/1.1 503 No\r\n\r\nall of it";
    assert_eq!(
        refused(until_the_end, true).response().unwrap().body,
        b"all of it"
    );
    let cut_off = b"HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\nonly this";
    assert_eq!(refused(cut_off, true).response().unwrap().body, b"only this");
    let none = b"HTTP/1.1 204 No Content\r\n\r\n";
    assert_eq!(refused(none, false).response().unwrap().body, b"");
    let in_doubt = b"HTTP/1.1 503 No\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab";
    assert_eq!(refused(in_doubt, false).response().unwrap().body, b"");
    let broken = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz";
    assert_eq!(refused(broken, false).response().unwrap().body, b"abc");
}

#[test]
fn a_body_is_kept_up_to_64_kib_and_not_waited_for_beyond() {
    let mut response = b"HTTP/1.1 503 No\r\nContent-Length: 10000000\r\n\r\n".to_vec();
    response.extend([b'x'; 100_000]);
    assert_eq!(
        refused(&response, false).response().unwrap().body,
        [b'x'; 64 << 10]
    );
}

#[test]
fn a_body_that_never_ends_is_given_up_at_the_handshake_timeout() {
    let host = Host::new();
    let options = ClientOptions {
        handshake_timeout: Duration::from_millis(50),
        ..ClientOptions::default()
    };
    let (_loop, events) = attempt(&host.url(), options);
    let _peer = host.answer("HTTP/1.1 403 No\r\nContent-Length: 10\r\n\r\nhalf");
    let error = events.error();
    assert_eq!(
        (error.code(), error.response().unwrap().body.as_slice()),
        (ErrorCode::Refused, &b"half"[..])
    );
}

#[test]
fn a_redirect_is_a_refusal_unless_asked_for() {
    let error = refused(
        b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
        false,
    );
    assert_eq!(error.http_status(), Some(302));
    let host = Host::new();
    let (_loop, events) = attempt(&host.url(), following(5));
    let _peer = host.answer("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(events.error().code(), ErrorCode::Refused, "without a location");
}

fn redirect(status: u16, location: &str, more: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\n{more}Content-Length: 5\r\n\r\nignore")
}

/// Accepts the upgrade, and returns the request.
#[track_caller]
fn upgraded(host: &Host) -> (String, Peer) {
    let mut peer = host.accept();
    let request = peer.read_head();
    peer.send(switching(&request).as_bytes());
    (request, peer)
}

#[test]
fn each_kind_of_redirect_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let host = Host::new();
        let (_loop, events) = attempt(&format!("{}here?old", host.url()), following(1));
        let mut peer = host.answer(&redirect(status, "there?new", ""));
        let (request, _peer) = upgraded(&host);
        assert!(request.starts_with("GET /there?new HTTP/1.1\r\n"), "{request}");
        let ws = events.open();
        assert_eq!(ws.url(), format!("{}there?new", host.url()));
        assert_eq!(peer.read_to_end(), b"", "the first connection is closed");
    }
}

#[test]
fn bytes_behind_a_redirect_are_not_of_the_next_response() {
    let host = Host::new();
    let (_loop, events) = attempt(&host.url(), following(1));
    let tail = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".repeat(10);
    let mut peer = host.answer(&format!("{}{tail}", redirect(302, "/next", "")));
    let (_, _second) = upgraded(&host);
    events.open();
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn to_another_host_credentials_and_cookies_do_not_go_along() {
    let (first, second) = (Host::new(), Host::new());
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = ClientOptions {
        headers: vec![
            header("Authorization", "Bearer secret"),
            header("cookie", "given=secret"),
            header("Proxy-Authorization", "secret"),
            header("Host", "secret.test"),
            header("Origin", "https://example.test"),
        ],
        cookies: vec![header("option", "secret")],
        ..following(3)
    };
    let (_loop, events) = attempt(&first.url(), options);
    let mut peer = first.accept();
    let request = peer.read_head();
    assert_eq!(request.matches("secret").count(), 5, "{request}");
    assert!(
        request.contains("\r\nCookie: given=secret; option=secret\r\n"),
        "{request}"
    );
    peer.send(redirect(307, &second.url(), "Set-Cookie: jar=secret\r\n").as_bytes());
    let mut peer = second.accept();
    let request = peer.read_head();
    assert!(
        request.contains("\r\nOrigin: https://example.test\r\n"),
        "{request}"
    );
    assert!(
        request.contains(&format!("\r\nHost: 127.0.0.1:{}\r\n", second.port())),
        "{request}"
    );
    // The hosts are one by name, and cookies know no ports (RFC 6265 §8.5).
    assert!(request.contains("\r\nCookie: jar=secret\r\n"), "{request}");
    assert_eq!(request.matches("secret").count(), 1, "{request}");
    // What was dropped stays dropped, also on the way back.
    peer.send(redirect(307, &first.url(), "").as_bytes());
    let (request, _peer) = upgraded(&first);
    assert!(
        !request.contains("Authorization") && !request.contains("option"),
        "{request}"
    );
    events.open();
}

#[test]
fn the_urls_password_goes_along_to_the_same_origin_only() {
    let (first, second) = (Host::new(), Host::new());
    let url = format!("ws://me:pass@127.0.0.1:{}/", first.port());
    let (_loop, events) = attempt(&url, following(3));
    let mut peer = first.accept();
    assert!(peer.read_head().contains("Authorization: Basic "));
    peer.send(redirect(302, &format!("{}again", first.url()), "").as_bytes());
    let mut peer = first.accept();
    assert!(peer.read_head().contains("Authorization: Basic "));
    peer.send(redirect(302, &second.url(), "").as_bytes());
    let (request, _peer) = upgraded(&second);
    assert!(!request.contains("Authorization"), "{request}");
    events.open();
}

#[test]
fn a_cookie_that_a_redirect_sets_goes_along_and_replaces_the_options() {
    let host = Host::new();
    let options = ClientOptions {
        cookies: vec![
            ("a".to_owned(), "old".to_owned()),
            ("b".to_owned(), "kept".to_owned()),
        ],
        ..following(1)
    };
    let (_loop, events) = attempt(&host.url(), options);
    let set = "Set-Cookie: a=new; Path=/; HttpOnly\r\nSet-Cookie: c=other-host; Domain=x; Secure\r\n";
    let _first = host.answer(&redirect(302, "/in", set));
    let (request, _peer) = upgraded(&host);
    assert!(request.contains("\r\nCookie: b=kept; a=new\r\n"), "{request}");
    events.open();
}

#[test]
fn a_cookie_that_would_smuggle_is_refused() {
    for (name, value) in [("a", "b; c=d"), ("a=b", "c"), ("", "x"), ("a", "b\r\nX: y")] {
        let options = ClientOptions {
            cookies: vec![(name.to_owned(), value.to_owned())],
            ..ClientOptions::default()
        };
        let error = connect(None, "ws://h/", options, None).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{name}={value}");
    }
}

#[test]
fn too_many_redirects_name_their_chain() {
    let host = Host::new();
    let url = format!("ws://me:secret@127.0.0.1:{}/", host.port());
    let (_loop, events) = attempt(&url, following(2));
    let _peers: Vec<Peer> = (0..3)
        .map(|n| host.answer(&redirect(302, &format!("/{n}"), "")))
        .collect();
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Redirect);
    let shown = format!("ws://***@127.0.0.1:{}", host.port());
    let chain = format!("more than 2 redirects: {shown}/ → {shown}/0 → {shown}/1 → {shown}/2");
    assert_eq!(error.text(), chain);
    events.cut();
}

#[test]
fn a_location_that_leads_nowhere_is_an_error() {
    for location in ["ws+unix:/tmp/s:/", "mailto:a@b", "ws://a b/"] {
        let host = Host::new();
        let (_loop, events) = attempt(&host.url(), following(2));
        let _peer = host.answer(&redirect(302, location, ""));
        let error = events.error();
        assert_eq!(error.code(), ErrorCode::Redirect, "{location}");
        assert!(error.text().contains(&host.url()), "{error}");
    }
}

#[test]
fn a_redirect_to_where_nobody_answers_times_out_there() {
    let (first, second) = (Host::new(), Host::new());
    let options = ClientOptions {
        handshake_timeout: Duration::from_millis(100),
        ..following(1)
    };
    let (_loop, events) = attempt(&first.url(), options);
    let _first = first.answer(&redirect(302, &second.url(), ""));
    let _second = second.accept();
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::HandshakeTimeout);
    assert!(error.text().contains(&second.port().to_string()), "{error}");
}

#[test]
fn another_host_to_connect_to_is_for_one_origin() {
    let host = Host::new();
    let options = ClientOptions {
        connect_to: Some(("127.0.0.1".to_owned(), host.port())),
        ..following(2)
    };
    let (_loop, events) = attempt("ws://name.test:81/one", options.clone());
    let _peer = host.answer(&redirect(302, "/two", ""));
    let (request, _second) = upgraded(&host);
    assert!(request.starts_with("GET /two HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nHost: name.test:81\r\n"), "{request}");
    events.open();

    let (_loop, events) = attempt("ws://name.test:81/one", options);
    let _peer = host.answer(&redirect(302, "ws://other.test/", ""));
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Redirect);
    assert!(error.text().contains("connect_to"), "{error}");
}

#[test]
fn what_is_not_said_of_where_to_connect_to_is_the_url_s() {
    let check = |to: fn(u16) -> (String, &'static str, u16)| {
        let host = Host::new();
        let (url, name, port) = to(host.port());
        let _peer = std::thread::spawn(move || upgraded(&host));
        let options = ClientOptions {
            connect_to: Some((name.to_owned(), port)),
            ..ClientOptions::default()
        };
        let (_loop, events) = attempt(&url, options);
        events.open();
    };
    check(|port| ("ws://127.0.0.1:1/".to_owned(), "", port));
    check(|port| (format!("ws://no.such.host.invalid:{port}/"), "127.0.0.1", 0));
}
