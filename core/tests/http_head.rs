//! Request and response heads: read whole and in pieces, smuggling refused, caps kept, nothing injected on the way out.

use http::{Method, Version};
use sockline::http::{
    Error, Framing, Limits, Request, Response, encode_request, encode_response, encode_whole_response,
    parse_request, parse_response,
};

const NO_HEADERS: &[(&str, &str)] = &[];

/// Feeds all prefixes, as a connection would that gets one byte at a time, and checks that the verdict is the one
/// that the whole input gets, and that it does not change with what follows.
fn split_everywhere<T>(
    input: &[u8],
    parse: impl Fn(&[u8]) -> Result<Option<(T, usize)>, Error>,
) -> Verdict<T> {
    let whole = parse(input);
    let first = (0..=input.len())
        .map(|end| parse(&input[..end]))
        .find(|result| !matches!(result, Ok(None)));
    match (&whole, first) {
        (Ok(None), None) => {}
        (Ok(Some((_, length))), Some(Ok(Some((_, first_length))))) => assert_eq!(first_length, *length),
        (Err(error), Some(Err(first_error))) => assert_eq!(first_error, *error),
        _ => panic!(
            "pieces and whole differ for {:?}",
            input.escape_ascii().to_string()
        ),
    }
    whole
}

type Verdict<T> = Result<Option<(T, usize)>, Error>;

fn request(head: &str) -> Verdict<Request> {
    split_everywhere(head.as_bytes(), |bytes| parse_request(bytes, &Limits::default()))
}

fn response(head: &str) -> Verdict<Response> {
    split_everywhere(head.as_bytes(), |bytes| parse_response(bytes, &Limits::default()))
}

fn good(head: &str) -> Request {
    request(head).expect(head).expect("complete").0
}

#[track_caller]
fn refused(head: &str, status: u16, words: &str) {
    let error = request(head).expect_err(head);
    assert_eq!(error.status, status, "{error}");
    assert!(error.text.contains(words), "{error}");
}

#[test]
fn a_request_is_read_with_its_length() {
    let head = "GET /chat?room=1&x=%20 HTTP/1.1\r\nHost: example.com\r\nX-A:  one \r\nx-a: two\r\n\r\nrest";
    let (request, length) = request(head).unwrap().unwrap();
    assert_eq!(&head[length..], "rest");
    assert_eq!(request.method, Method::GET);
    assert_eq!(request.target, "/chat?room=1&x=%20");
    assert_eq!((request.path(), request.query()), ("/chat", Some("room=1&x=%20")));
    assert_eq!(request.version, Version::HTTP_11);
    assert_eq!(request.header("X-a"), Some("one"));
    assert_eq!(request.headers.get_all("x-a").iter().count(), 2);
    assert_eq!(request.header("absent"), None);
}

#[test]
fn empty_lines_before_the_request_line_are_ignored() {
    assert_eq!(good("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").path(), "/");
}

#[test]
fn an_incomplete_head_asks_for_more() {
    for head in [
        "",
        "\r",
        "\r\n",
        "GET",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r",
    ] {
        assert!(request(head).unwrap().is_none(), "{head:?}");
    }
}

#[test]
fn a_whole_url_as_target_has_a_path() {
    let target = |target: &str| good(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(target("http://a:80/x?y=/z").path(), "/x");
    assert_eq!(target("http://a:80/x?y=/z").query(), Some("y=/z"));
    assert_eq!(
        (target("HTTP://a?q").path(), target("HTTP://a?q").query()),
        ("/", Some("q"))
    );
    assert_eq!(
        (target("http://a").path(), target("http://a").query()),
        ("/", None)
    );
    assert_eq!(good("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").path(), "*");
}

#[test]
fn bad_targets_are_refused() {
    for target in ["x", "*", "/a#b", "ftp://a/", "?q"] {
        refused(
            &format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"),
            400,
            "request target",
        );
    }
}

#[test]
fn token_lists_span_lines_and_ignore_case() {
    let one = good("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\r\n");
    assert!(one.has_token("connection", "upgrade") && one.has_token("Connection", "Keep-Alive"));
    let two = good("GET / HTTP/1.1\r\nHost: a\r\nConnection: ,keep-alive ,\r\nCONNECTION:\tuPGRADE\r\n\r\n");
    assert!(two.has_token("connection", "upgrade"));
    let none = good("GET / HTTP/1.1\r\nHost: a\r\nConnection: not-upgrade, upgrades\r\n\r\n");
    assert!(!none.has_token("connection", "upgrade") && !none.has_token("connection", ""));
}

#[test]
fn keep_alive_follows_version_and_connection() {
    assert!(good("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive());
    assert!(!good("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n").keep_alive());
    assert!(!good("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive());
}

#[test]
fn expect_continue_is_for_http_1_1() {
    assert!(good("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n").expects_continue());
    assert!(!good("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue());
}

#[test]
fn exactly_one_valid_host() {
    refused("GET / HTTP/1.1\r\n\r\n", 400, "Host header is missing");
    refused(
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        400,
        "more than one Host",
    );
    refused(
        "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        400,
        "more than one Host",
    );
    refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "invalid Host");
    refused("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "invalid Host");
    refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "invalid Host");
    for host in ["", "a.b:80", "[::1]:80", "xn--bcher-kva.example"] {
        good(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    }
    good("GET / HTTP/1.0\r\n\r\n");
}

#[test]
fn lines_end_with_cr_lf_only() {
    refused("GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "LF alone");
    refused("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, "LF alone");
    refused("GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "LF alone");
    refused("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "LF alone");
    refused("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400, "malformed head");
    refused(
        "GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n",
        400,
        "malformed head",
    );
}

#[test]
fn folded_lines_and_spaces_around_names_are_refused() {
    refused(
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        400,
        "malformed head",
    );
    refused(
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n",
        400,
        "malformed head",
    );
    refused("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "malformed head");
    refused(
        "GET / HTTP/1.1\r\nContent-Length\t: 5\r\nHost: a\r\n\r\n",
        400,
        "malformed head",
    );
    refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "malformed head");
    refused("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400, "malformed head");
    refused(
        "GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n",
        400,
        "malformed head",
    );
}

#[test]
fn control_bytes_are_refused() {
    refused(
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
        400,
        "malformed head",
    );
    refused(
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\x7fc\r\n\r\n",
        400,
        "malformed head",
    );
    refused("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed head");
    refused("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed head");
    refused("GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed head");
    refused("\x16\x03\x01\x02\x00\x01\x00\x01", 400, "malformed head");
}

#[test]
fn other_versions_are_refused() {
    refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP/1.1");
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1.1");
    refused("GET /\r\n\r\n", 400, "malformed head");
}

#[test]
fn the_head_is_capped_in_bytes_exactly() {
    let head = |padding: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "p".repeat(padding));
    let fixed = head(0).len();
    let limits = Limits {
        max_head: 300,
        ..Limits::default()
    };
    let parse = |text: &str| split_everywhere(text.as_bytes(), |bytes| parse_request(bytes, &limits));
    assert_eq!(parse(&head(300 - fixed)).unwrap().unwrap().1, 300);
    assert_eq!(parse(&head(301 - fixed)).unwrap_err().status, 431);
    assert_eq!(parse(&head(5000)).unwrap_err().status, 431);
    assert_eq!(
        parse(&format!("GET /{} HTTP/1.1\r\n", "p".repeat(300)))
            .unwrap_err()
            .status,
        414
    );
    assert_eq!(parse(&"\r\n".repeat(200)).unwrap_err().status, 414);
    // A body behind the head does not count.
    assert!(
        parse(&format!("{}{}", head(10), "b".repeat(1000)))
            .unwrap()
            .is_some()
    );
}

#[test]
fn the_head_is_capped_in_lines() {
    let head = |lines: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: b\r\n".repeat(lines - 1)
        )
    };
    assert_eq!(good(&head(100)).headers.len(), 100);
    refused(&head(101), 431, "more than 100 header lines");
}

#[test]
fn bytes_that_are_not_ascii_are_kept() {
    let request = good("GET /ä HTTP/1.1\r\nHost: a\r\nX: ö\r\n\r\n");
    assert_eq!((request.path(), request.header("x")), ("/ä", Some("ö")));
    let latin1 = parse_request(
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n",
        &Limits::default(),
    )
    .unwrap()
    .unwrap()
    .0;
    assert_eq!(latin1.header("x"), None);
    assert_eq!(latin1.headers["x"].as_bytes(), b"\xe9");
}

#[test]
fn a_response_is_read_with_its_length() {
    let head = "HTTP/1.1 404 Not Found here\r\nA: b\r\nConnection: x, close\r\n\r\nrest";
    let (response, length) = response(head).unwrap().unwrap();
    assert_eq!(&head[length..], "rest");
    assert_eq!(
        (response.status, response.reason.as_str()),
        (404, "Not Found here")
    );
    assert_eq!(response.header("a"), Some("b"));
    assert!(response.has_token("connection", "close") && !response.keep_alive());
}

#[test]
fn a_reason_may_be_missing() {
    assert_eq!(response("HTTP/1.1 200\r\n\r\n").unwrap().unwrap().0.reason, "");
    assert_eq!(
        response("HTTP/1.0 200 \r\n\r\n").unwrap().unwrap().0.version,
        Version::HTTP_10
    );
}

#[test]
fn interim_responses_are_told_from_101() {
    let interim = |status| {
        response(&format!("HTTP/1.1 {status} X\r\n\r\n"))
            .unwrap()
            .unwrap()
            .0
            .is_interim()
    };
    assert!(interim(100) && interim(103));
    assert!(!interim(101) && !interim(200));
}

#[test]
fn bad_responses_are_a_bad_gateway() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: b\r\n".repeat(101));
    for head in [
        "HTTP/1.1 200 OK\nX: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        &many,
    ] {
        assert_eq!(response(head).expect_err(head).status, 502);
    }
}

#[test]
fn a_response_head_is_capped() {
    let limits = Limits {
        max_head: 100,
        ..Limits::default()
    };
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "p".repeat(100));
    let error = split_everywhere(long.as_bytes(), |bytes| parse_response(bytes, &limits)).unwrap_err();
    assert_eq!(
        (error.status, error.text.as_str()),
        (502, "the head is longer than 100 bytes")
    );
}

/// Damages a good head in one to three places, the same ones in every run, with the bytes that heads are made of.
fn damaged(head: &str, seed: u32) -> Vec<u8> {
    let mut random = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random as usize % below
    };
    let mut bytes = head.as_bytes().to_vec();
    for _ in 0..=next(3) {
        let (place, byte) = (next(bytes.len()), b"\r\n\r\n :\t\0,/#1\xff"[next(13)]);
        match next(3) {
            0 => bytes[place] = byte,
            1 => bytes.insert(place, byte),
            _ => _ = bytes.remove(place),
        }
    }
    bytes
}

#[test]
fn damaged_heads_get_one_verdict_however_they_arrive() {
    let request =
        "\r\nPOST http://a:80/x?y HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nA:\r\nB:  c d \r\n\r\nbody";
    let response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: a, b\r\n\r\nframes";
    let limits = Limits {
        max_head: 95,
        max_headers: 4,
        ..Limits::default()
    };
    for seed in 0..2000 {
        _ = split_everywhere(&damaged(request, seed), |bytes| parse_request(bytes, &limits));
        _ = split_everywhere(&damaged(response, seed), |bytes| parse_response(bytes, &limits));
    }
}

#[test]
fn what_is_written_can_be_read() {
    let mut out = Vec::new();
    encode_request(
        "POST",
        "/a?b",
        &[("Host", "h"), ("X", "y z")],
        Framing::Length(3),
        &mut out,
    )
    .unwrap();
    let (request, length) = parse_request(&out, &Limits::default()).unwrap().unwrap();
    assert_eq!(length, out.len());
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/a?b")
    );
    assert_eq!(
        (request.header("x"), request.header("content-length")),
        (Some("y z"), Some("3"))
    );

    out.clear();
    encode_response(200, &[("X", "y")], Framing::Chunked, &mut out).unwrap();
    assert_eq!(
        out,
        b"HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
}

#[test]
fn a_whole_response_has_its_length_and_type() {
    let mut out = Vec::new();
    encode_whole_response(403, NO_HEADERS, b"no", &mut out).unwrap();
    let text =
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nno";
    assert_eq!(String::from_utf8(out).unwrap(), text);

    let mut out = Vec::new();
    encode_whole_response(400, &[("content-type", "application/json")], b"{}", &mut out).unwrap();
    let text = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(String::from_utf8(out).unwrap(), text);
}

#[test]
fn a_response_without_body_states_no_framing() {
    for status in [100, 101, 204, 304] {
        let mut out = Vec::new();
        encode_whole_response(status, NO_HEADERS, b"body", &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            !text.contains("Content-Length") && text.ends_with("\r\n\r\n"),
            "{text}"
        );
    }
}

#[test]
fn nothing_can_be_injected_into_a_head() {
    let bad: &[(&str, &str)] = &[
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\nb"),
        ("X", "a\rb"),
        ("X", "a\0b"),
        ("X", "a\x1bb"),
        ("X\r\nY", "a"),
        ("X Y", "a"),
        ("X:", "a"),
        ("", "a"),
        ("é", "a"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
    ];
    for header in bad {
        let mut out = b"before".to_vec();
        assert!(
            encode_request("GET", "/", &[("Host", "h"), *header], Framing::None, &mut out).is_err(),
            "{header:?}"
        );
        assert!(
            encode_response(200, &[*header], Framing::None, &mut out).is_err(),
            "{header:?}"
        );
        assert!(
            encode_whole_response(200, &[*header], b"x", &mut out).is_err(),
            "{header:?}"
        );
        assert_eq!(out, b"before");
    }
}

#[test]
fn a_start_line_cannot_be_split() {
    let mut out = Vec::new();
    for (method, target) in [
        ("GET\r\n", "/"),
        ("", "/"),
        ("GET", "/ HTTP/1.1\r\nX: y"),
        ("GET", "/a b"),
        ("GET", ""),
        ("GET", "/é"),
    ] {
        assert!(
            encode_request(method, target, NO_HEADERS, Framing::None, &mut out).is_err(),
            "{method:?} {target:?}"
        );
    }
    for status in [0, 99, 1000] {
        assert!(encode_response(status, NO_HEADERS, Framing::None, &mut out).is_err());
    }
    assert!(out.is_empty());
}
