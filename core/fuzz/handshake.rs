//! The opening handshake on any bytes: whatever one side accepts, the other side and tungstenite accept too, and nothing
//! that a peer sends ends up where it could be read as something else. Included by the fuzz target and by the tests.

use sockline::http::{Limits, Request, Response, parse_request, parse_response};
use sockline::ws::Compression;
use sockline::ws::handshake::{
    ClientRequest, accept_response, agree_on_compression, check_request, check_response, client_request,
    offered_subprotocols,
};
use sockline::ws::url::Url;
use tungstenite::handshake::{derive_accept_key, server::create_response};
use tungstenite::http as theirs;

/// The key of the client whose handshake the responses answer; that of the RFC's example.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Judges what a file of the corpus says: its first byte is `0` for a request, `1` for a response, `2` for a URL.
pub fn judge_input(input: &[u8]) {
    match input.split_first() {
        Some((first, bytes)) if first % 3 == 0 => request(bytes),
        Some((first, bytes)) if first % 3 == 1 => response(bytes),
        Some((_, bytes)) => url(bytes),
        None => {}
    }
}

fn request(bytes: &[u8]) {
    let parse =
        |bytes: &[u8]| parse_request(bytes, &Limits::default()).map(|found| found.map(|(_, length)| length));
    one_verdict(bytes, parse);
    let Ok(Some((request, length))) = parse_request(bytes, &Limits::default()) else {
        return;
    };
    assert!(bytes[..length].ends_with(b"\r\n\r\n"));
    match check_request(&request) {
        Ok(accept) => accepted(&request, &accept),
        Err(refusal) => {
            let mut out = Vec::new();
            refusal.encode(&mut out).expect("a refusal of ours");
            let (answer, length) = whole_response(&out);
            assert_eq!(answer.status, refusal.status);
            let body = (out.len() - length).to_string();
            assert_eq!(answer.header("content-length"), Some(body.as_str()), "injected");
        }
    }
}

/// tungstenite accepts it as well, with the same key, and our client takes our response.
fn accepted(request: &Request, accept: &str) {
    if let Some(request) = as_theirs(request).filter(is_plain) {
        let response = create_response(&request);
        let response = response.unwrap_or_else(|error| panic!("{error}, but we accept {request:?}"));
        assert_eq!(response.headers()["sec-websocket-accept"], accept);
    }
    let offered: Vec<String> = offered_subprotocols(request)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let chosen = offered.last().cloned();
    let extensions = match agree_on_compression(request, &Compression::server()) {
        Ok(agreement) => agreement
            .map(|agreement| agreement.to_string())
            .unwrap_or_default(),
        Err(refusal) => return assert_eq!(refusal.status, 400),
    };
    let mut out = Vec::new();
    accept_response(accept, chosen.as_deref(), &extensions, &[], &mut out)
        .expect("what was offered can be chosen");
    let (response, length) = whole_response(&out);
    assert_eq!(length, out.len(), "injected");
    let key = request.header("sec-websocket-key").expect("an accepted key");
    // Our own client offers more than some, so it takes whatever our server answers to any offer.
    let verdict = check_response(&response, key, &offered, Some(&Compression::client()));
    assert!(verdict.is_ok(), "our client refuses our server: {verdict:?}");
}

fn as_theirs(request: &Request) -> Option<theirs::Request<()>> {
    let mut builder = theirs::Request::builder()
        .method(request.method.as_str())
        .uri(&request.target)
        .version(theirs::Version::HTTP_11);
    for (name, value) in &request.headers {
        builder = builder.header(name.as_str(), value.as_bytes());
    }
    builder.body(()).ok() // a target that is no URI to them
}

/// tungstenite reads the first line of a field only, no lists in Upgrade, and ASCII alone.
fn is_plain(request: &theirs::Request<()>) -> bool {
    let once = |name| {
        let mut lines = request.headers().get_all(name).iter();
        lines
            .next()
            .filter(|_| lines.next().is_none())
            .map(|line| line.as_bytes())
    };
    once("upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
        && once("connection").is_some_and(|value| value.is_ascii() && !value.contains(&b'\t'))
        && once("sec-websocket-version") == Some(b"13")
}

fn response(bytes: &[u8]) {
    let parse =
        |bytes: &[u8]| parse_response(bytes, &Limits::default()).map(|found| found.map(|(_, length)| length));
    one_verdict(bytes, parse);
    let offered = ["chat".to_owned(), "other".to_owned()];
    let Ok(Some((response, length))) = parse_response(bytes, &Limits::default()) else {
        return;
    };
    let compression = Compression::client();
    let Ok(chosen) = check_response(&response, KEY, &offered, Some(&compression)) else {
        return;
    };
    let head = String::from_utf8_lossy(&bytes[..length]).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert_eq!(value_of(&head, "upgrade").as_deref(), Some("websocket"), "{head}");
    let accept = derive_accept_key(KEY.as_bytes()).to_ascii_lowercase();
    assert_eq!(value_of(&head, "sec-websocket-accept"), Some(accept), "{head}");
    if let Some(chosen) = value_of(&head, "sec-websocket-protocol") {
        assert!(offered.contains(&chosen), "{head}");
    }
    let extensions = value_of(&head, "sec-websocket-extensions").unwrap_or_default();
    let named = extensions.starts_with("permessage-deflate");
    assert_eq!(chosen.compression.is_some(), named, "{head}");
    if named {
        let not_offered = check_response(&response, KEY, &offered, None);
        assert!(not_offered.is_err(), "taken though not offered: {head}");
    }
}

/// The elements of a header over all its lines, as a reader finds them who knows nothing of the parser.
fn value_of(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let elements: Vec<&str> = lines
        .filter(|(found, _)| *found == name)
        .flat_map(|(_, value)| value.split(','))
        .map(|element| element.trim_matches([' ', '\t']))
        .filter(|element| !element.is_empty())
        .collect();
    (!elements.is_empty()).then(|| elements.join(", "))
}

/// A URL that is understood leads to a request that our server takes, and to nothing else in it.
fn url(bytes: &[u8]) {
    let Some(url) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| Url::parse(text).ok())
    else {
        return;
    };
    let again = Url::parse(&url.href).expect("its normal form is a URL");
    assert_eq!((&again.href, &again.unix_path), (&url.href, &url.unix_path));
    assert_eq!(
        (&again.host, again.port, &again.target),
        (&url.host, url.port, &url.target)
    );
    let headers: Vec<(String, String)> = url
        .authorization()
        .map(|value| ("Authorization".to_owned(), value))
        .into_iter()
        .collect();
    let wanted = ClientRequest {
        host: &url.authority,
        target: &url.target,
        subprotocols: &[],
        compression: Some(&Compression::client()),
        headers: &headers,
    };
    let mut out = Vec::new();
    let key = client_request(&wanted, &mut out).expect("a URL can be asked for");
    let (request, length) = parse_request(
        &out,
        &Limits {
            max_head: usize::MAX,
            ..Limits::default()
        },
    )
    .expect("our request is valid")
    .expect("our request is whole");
    assert_eq!((length, &request.target), (out.len(), &url.target));
    assert_eq!(request.header("host"), Some(url.authority.as_str()));
    assert_eq!(check_request(&request), Ok(derive_accept_key(key.as_bytes())));
}

fn whole_response(bytes: &[u8]) -> (Response, usize) {
    parse_response(bytes, &Limits::default())
        .expect("our response is valid")
        .expect("our response is whole")
}

/// However a head arrives, it gets one verdict: a beginning is asked for more of, or judged as the whole is.
pub fn one_verdict<E: std::fmt::Debug>(bytes: &[u8], parse: impl Fn(&[u8]) -> Result<Option<usize>, E>) {
    let whole = parse(bytes);
    for sixteenth in 1..16 {
        let cut = bytes.len() * sixteenth / 16;
        match (parse(&bytes[..cut]), &whole) {
            (Ok(None), _) | (Err(_), Err(_)) => {}
            (Ok(Some(length)), Ok(Some(expected))) => assert_eq!(length, *expected),
            (beginning, whole) => panic!("{beginning:?} at {cut}, but {whole:?} in the end"),
        }
    }
}
