//! HTTP on any bytes: bodies that are the same however they arrive, files that stay in their folder, heads that nothing
//! can be injected into. Included by the fuzz target and by the tests of the crate.

use std::time::Duration;

use sockline::http::files::{FileMeta, relative_path, respond};
use sockline::http::{BodyDecoder, Framing, Limits, encode_response, parse_request, parse_response};
use tungstenite::http::Method;

/// Judges what a file of the corpus says: its first byte is `0` for a request with a body, `1` for a response with one,
/// `2` for the request of a file, `3` for header lines to write.
pub fn judge_input(input: &[u8]) {
    match input.split_first() {
        Some((first, bytes)) if first % 4 == 0 => request(bytes),
        Some((first, bytes)) if first % 4 == 1 => response(bytes),
        Some((first, bytes)) if first % 4 == 2 => file(bytes),
        Some((_, bytes)) => write(bytes),
        None => {}
    }
}

/// Small, so that they are met.
fn limits() -> Limits {
    Limits {
        max_head: 1024,
        max_headers: 20,
        max_body: 600,
    }
}

fn request(bytes: &[u8]) {
    let Ok(Some((request, length))) = parse_request(bytes, &limits()) else {
        return;
    };
    body(&bytes[length..], || {
        BodyDecoder::for_request(&request, &limits()).ok()
    });
}

fn response(bytes: &[u8]) {
    let Ok(Some((response, length))) = parse_response(bytes, &limits()) else {
        return;
    };
    for method in [Method::GET, Method::HEAD] {
        body(&bytes[length..], || {
            BodyDecoder::for_response(&response, &method, &limits()).ok()
        });
    }
}

/// What became of a body: its bytes, how much of the input belongs to it, and whether it is complete.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Body(Vec<u8>, usize, bool),
    Refused,
}

fn body(bytes: &[u8], decoder: impl Fn() -> Option<BodyDecoder>) {
    let whole = decoder().map(|decoder| read(decoder, bytes, usize::MAX));
    for piece in [1, 2, 7] {
        let pieces = decoder().map(|decoder| read(decoder, bytes, piece));
        assert_eq!(pieces, whole, "in pieces of {piece}");
    }
    if let Some(Outcome::Body(body, consumed, _)) = whole {
        assert!(body.len() as u64 <= limits().max_body && body.len() <= consumed);
    }
}

fn read(mut decoder: BodyDecoder, bytes: &[u8], piece: usize) -> Outcome {
    let (mut body, mut at) = (Vec::new(), 0);
    while at < bytes.len() && !decoder.is_done() {
        let end = at.saturating_add(piece).min(bytes.len());
        let Ok(decoded) = decoder.decode(&bytes[at..end]) else {
            return Outcome::Refused;
        };
        assert!(decoded.consumed > 0 || decoded.done, "no progress");
        assert_eq!(decoded.done, decoder.is_done());
        at += decoded.consumed;
        body.extend_from_slice(decoded.data);
    }
    let complete = decoder.is_done() || decoder.finish().is_ok();
    Outcome::Body(body, at, complete)
}

fn file(bytes: &[u8]) {
    let Some((length, head)) = bytes.split_first() else {
        return;
    };
    let Ok(Some((request, _))) = parse_request(head, &limits()) else {
        return;
    };
    if let Ok(path) = relative_path(request.path()) {
        let names: Vec<&str> = path.split('/').collect();
        let stays = names
            .iter()
            .all(|name| !name.is_empty() && !name.starts_with('.'));
        assert!(stays && !path.contains(['\0', '\\']), "{path:?}");
    }
    let meta = FileMeta {
        len: u64::from(*length) * 3,
        modified: Duration::from_secs(784_111_777), // the example of RFC 9110 §5.6.7
    };
    let answer = respond(
        &request,
        "page.html",
        &meta,
        Some(Duration::from_secs(800_000_000)),
        request.keep_alive(),
    );
    let range = answer.range;
    assert!(
        range.start <= range.end && range.end <= meta.len,
        "{range:?} of {}",
        meta.len
    );
    let (response, end) = parse_response(&answer.head, &Limits::default())
        .expect("our response is valid")
        .expect("our response is whole");
    assert_eq!(response.status, answer.status);
    assert!(
        [200, 206, 304, 405, 412, 416].contains(&answer.status),
        "{}",
        answer.status
    );
    let announced: Option<u64> = response
        .header("content-length")
        .map(|length| length.parse().unwrap());
    let following = (range.end - range.start) + (answer.head.len() - end) as u64;
    match request.method {
        Method::HEAD => assert_eq!(following, 0, "HEAD has no body"),
        _ if answer.status == 304 => assert_eq!((following, announced), (0, None)),
        _ => assert_eq!(announced, Some(following)),
    }
}

/// Lines of `name:value` as the headers of a response. What is not refused is read back as it was meant.
fn write(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let headers: Vec<(&str, &str)> = text
        .split('\u{1f}')
        .filter_map(|line| line.split_once(':'))
        .collect();
    let mut out = Vec::new();
    if encode_response(200, &headers, Framing::Length(0), &mut out).is_err() {
        assert_eq!(out, b"", "after an error nothing has been appended");
        return;
    }
    let big = Limits {
        max_head: usize::MAX,
        max_headers: 100,
        ..Limits::default()
    };
    if headers.len() >= big.max_headers {
        return;
    }
    let (response, length) = parse_response(&out, &big)
        .expect("what can be written can be read")
        .expect("it is whole");
    assert_eq!(length, out.len(), "nothing was injected behind it");
    let mut expected: Vec<(String, Vec<u8>)> = headers
        .iter()
        // White space around a value is not part of it (RFC 9112 §5.1).
        .map(|(name, value)| {
            (
                name.to_ascii_lowercase(),
                value.trim_matches([' ', '\t']).as_bytes().to_vec(),
            )
        })
        .chain([("content-length".to_owned(), b"0".to_vec())])
        .collect();
    let mut found = response.fields();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}
