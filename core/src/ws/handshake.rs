//! The opening handshake (RFC 6455 §4), both sides: heads in, verdicts and bytes out.
//!
//! The server calls [`check_request`], and [`agree_on_compression`] if it can compress, and answers with
//! [`accept_response`] or [`Refusal::encode`]; the client sends what [`client_request`] writes and judges the answer with
//! [`check_response`]. The one extension that is known is permessage-deflate (RFC 7692).

use std::fmt;

use ::http::{HeaderMap, Method, Version, header};
use data_encoding::BASE64;
use tungstenite::handshake::{client::generate_key, derive_accept_key};

use super::{Agreement, Compression, deflate};
use crate::http::{
    Error, Framing, Request, Response, check_header, encode_request, encode_response, encode_whole_response,
    is_token, tokens,
};

/// Why a server does not upgrade a connection, as the HTTP response that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 400, 405 or 426.
    pub status: u16,
    /// What this status demands, such as Allow or Sec-WebSocket-Version.
    pub headers: Vec<(String, String)>,
    /// What was wrong with the request, for the body of the response.
    pub text: String,
}

impl Refusal {
    /// Appends the whole response to `out`, with `Connection: close`: what follows a failed upgrade in the byte
    /// stream may be frames. Fails, with nothing appended, only if `headers` were changed to something invalid.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let close = (
            "Connection",
            if self.status == 426 {
                "Upgrade, close"
            } else {
                "close"
            },
        );
        let given = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<(&str, &str)> = given.chain([close]).collect();
        encode_whole_response(self.status, &headers, self.text.as_bytes(), out)
    }

    fn new(status: u16, text: impl Into<String>) -> Refusal {
        Refusal {
            status,
            headers: Vec::new(),
            text: text.into(),
        }
    }

    fn with(mut self, name: &str, value: &str) -> Refusal {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Why a client does not take a response as the end of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeError {
    /// The status of the response where it was not 101.
    pub status: Option<u16>,
    /// What was wrong, with the value that was wrong.
    pub text: String,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for HandshakeError {}

/// What a client asks for.
#[derive(Debug, Clone, Copy)]
pub struct ClientRequest<'a> {
    /// For the Host header: [`Url::authority`](super::url::Url::authority).
    pub host: &'a str,
    /// Path and query: [`Url::target`](super::url::Url::target).
    pub target: &'a str,
    /// In order of preference; may be empty.
    pub subprotocols: &'a [String],
    /// To offer permessage-deflate.
    pub compression: Option<&'a Compression>,
    /// More header lines, such as Origin, User-Agent, Cookie and Authorization; a Host among them replaces `host`.
    pub headers: &'a [(String, String)],
}

/// Whether the request asks for a WebSocket at all: one that does not is for the plain HTTP side. What asks for it
/// may still be refused by [`check_request`].
pub fn is_upgrade(request: &Request) -> bool {
    request.has_token("upgrade", "websocket")
}

/// Judges a client's handshake (RFC 6455 §4.2.1) and returns the value of Sec-WebSocket-Accept for the response.
pub fn check_request(request: &Request) -> Result<String, Refusal> {
    if request.method != Method::GET {
        let text = format!("a WebSocket is opened with GET, not with {}", request.method);
        return Err(Refusal::new(405, text).with("Allow", "GET"));
    }
    if !is_upgrade(request) {
        // RFC 9110 §15.5.22: 426 has to name the protocol in Upgrade.
        let text = "this is a WebSocket endpoint: the Upgrade header must be websocket";
        return Err(Refusal::new(426, text).with("Upgrade", "websocket"));
    }
    if request.version != Version::HTTP_11 {
        return Err(Refusal::new(400, "a WebSocket is opened with HTTP/1.1"));
    }
    // RFC 6455 §4.2.1 item 4; Firefox sends "keep-alive, Upgrade".
    if !request.has_token("connection", "upgrade") {
        return Err(Refusal::new(400, "the Connection header must contain Upgrade"));
    }
    check_version(&request.headers)?;
    let key = check_key(&request.headers)?;
    check_no_body(&request.headers)?;
    check_offer(request)?;
    Ok(derive_accept_key(key))
}

/// The subprotocols that the client offers, in its order of preference. The server chooses one of these or none.
pub fn offered_subprotocols(request: &Request) -> Vec<&str> {
    let offered = tokens(&request.headers, "sec-websocket-protocol");
    offered
        .filter(|name| is_token(name))
        .filter_map(|name| std::str::from_utf8(name).ok())
        .collect()
}

/// What a server that compresses in this way agrees on with the client: its first offer that can be taken, if there is
/// one (RFC 7692 §5.1). A header that breaks its grammar fails the handshake (RFC 6455 §9.1).
pub fn agree_on_compression(request: &Request, own: &Compression) -> Result<Option<Agreement>, Refusal> {
    deflate::choose(&request.headers, own).map_err(|why| {
        let value = deflate::display(&request.headers);
        Refusal::new(400, format!("invalid Sec-WebSocket-Extensions {value:?}: {why}"))
    })
}

/// Appends the 101 response to `out`. `accept` comes from [`check_request`]; `subprotocol` has to be one of
/// [`offered_subprotocols`], or the client will fail the connection, and `extensions` the text of what
/// [`agree_on_compression`] has found, or empty. `extra` are header lines of the application;
/// those of the handshake itself and of the framing are refused there. After an error nothing has been appended.
pub fn accept_response(
    accept: &str,
    subprotocol: Option<&str>,
    extensions: &str,
    extra: &[(String, String)],
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut headers = vec![
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept),
    ];
    if let Some(name) = subprotocol {
        check_subprotocol(name)?;
        headers.push(("Sec-WebSocket-Protocol", name));
    }
    if !extensions.is_empty() {
        headers.push(("Sec-WebSocket-Extensions", extensions));
    }
    push_application_headers(extra, &mut headers)?;
    encode_response(101, &headers, Framing::None, out)
}

/// Appends the client's handshake to `out` (RFC 6455 §4.1) and returns its fresh key for [`check_response`].
/// Subprotocols have to be tokens and unique; header lines of the handshake itself, except Host, cannot be given.
/// After an error nothing has been appended.
pub fn client_request(request: &ClientRequest<'_>, out: &mut Vec<u8>) -> Result<String, Error> {
    let key = generate_key();
    let subprotocols = join_subprotocols(request.subprotocols)?;
    let extensions = request.compression.map(deflate::offer);
    let (hosts, others): (Vec<_>, Vec<_>) = request
        .headers
        .iter()
        .cloned()
        .partition(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host = match hosts.as_slice() {
        [] => request.host,
        [(_, host)] => host,
        _ => return Err(Error::new(500, "more than one Host header")),
    };
    let mut headers = vec![
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", &key),
        ("Sec-WebSocket-Version", "13"),
    ];
    if !subprotocols.is_empty() {
        headers.push(("Sec-WebSocket-Protocol", &subprotocols));
    }
    if let Some(offer) = &extensions {
        headers.push(("Sec-WebSocket-Extensions", offer));
    }
    push_application_headers(&others, &mut headers)?;
    encode_request("GET", request.target, &headers, Framing::None, out)?;
    Ok(key)
}

/// The header fields of a head that [`client_request`] has written, in its order.
pub(crate) fn fields_of(head: &[u8]) -> Vec<(String, Vec<u8>)> {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    lines
        .filter_map(|line| {
            let line = line.strip_suffix(b"\r")?;
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
            Some((
                String::from_utf8_lossy(name).into_owned(),
                value.trim_ascii().to_vec(),
            ))
        })
        .collect()
}

/// What a server chose of what a client offered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// `None` if it chose none, which RFC 6455 allows and a browser does not where some were offered.
    pub subprotocol: Option<String>,
    /// What was agreed on, if messages may be compressed.
    pub compression: Option<Agreement>,
    /// The value of Sec-WebSocket-Extensions; empty if there is none.
    pub extensions: String,
}

/// Judges a server's answer (RFC 6455 §4.1, the list at its end) to the handshake with this `key`, these subprotocols
/// and this offer of compression, and returns what it chose.
pub fn check_response(
    response: &Response,
    key: &str,
    subprotocols: &[String],
    compression: Option<&Compression>,
) -> Result<Chosen, HandshakeError> {
    check_switch(response, key)?;
    let fail = |text| HandshakeError { status: None, text };
    Ok(Chosen {
        compression: deflate::judge(&response.headers, compression).map_err(fail)?,
        subprotocol: chosen_subprotocol(&response.headers, subprotocols).map_err(fail)?,
        extensions: deflate::display(&response.headers),
    })
}

/// Whether it says that the protocol is WebSocket from now on, and to this request.
fn check_switch(response: &Response, key: &str) -> Result<(), HandshakeError> {
    if response.status != 101 {
        let text = format!(
            "the server answered {} {} instead of 101",
            response.status, response.reason
        );
        return Err(HandshakeError {
            status: Some(response.status),
            text,
        });
    }
    let fail = |text: String| Err(HandshakeError { status: None, text });
    if response.version != Version::HTTP_11 {
        return fail("the server answered 101 with HTTP/1.0".to_owned());
    }
    let upgrade = list(&response.headers, header::UPGRADE.as_str());
    if !upgrade.eq_ignore_ascii_case("websocket") {
        return fail(format!(
            "the server's Upgrade header is {upgrade:?}, not websocket"
        ));
    }
    if !response.has_token("connection", "upgrade") {
        let connection = list(&response.headers, header::CONNECTION.as_str());
        return fail(format!(
            "the server's Connection header is {connection:?}, without Upgrade"
        ));
    }
    let accept = list(&response.headers, header::SEC_WEBSOCKET_ACCEPT.as_str());
    let expected = derive_accept_key(key.as_bytes());
    if accept != expected {
        return fail(format!(
            "the server's Sec-WebSocket-Accept is {accept:?}, not {expected:?}"
        ));
    }
    Ok(())
}

/// RFC 6455 §4.2.1 item 6, and §4.4: a version that is not spoken is answered with the one that is.
fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    let version = list(headers, header::SEC_WEBSOCKET_VERSION.as_str());
    match version.as_str() {
        "13" => Ok(()),
        "" => Err(Refusal::new(400, "the Sec-WebSocket-Version header is missing")),
        _ => Err(Refusal::new(
            426,
            format!("Sec-WebSocket-Version is {version:?}; only 13 is spoken here"),
        )
        .with("Upgrade", "websocket")
        .with("Sec-WebSocket-Version", "13")),
    }
}

/// RFC 6455 §4.2.1 item 5: base64 of 16 bytes; §11.3.1: once in a request.
fn check_key(headers: &HeaderMap) -> Result<&[u8], Refusal> {
    let mut lines = headers.get_all(header::SEC_WEBSOCKET_KEY).into_iter();
    let (Some(key), None) = (lines.next(), lines.next()) else {
        return Err(Refusal::new(400, "there must be one Sec-WebSocket-Key header"));
    };
    match BASE64.decode(key.as_bytes()) {
        Ok(nonce) if nonce.len() == 16 => Ok(key.as_bytes()),
        _ => Err(Refusal::new(
            400,
            format!("Sec-WebSocket-Key {key:?} is not the base64 form of 16 bytes"),
        )),
    }
}

/// A body would lie in the stream where the first frame is expected, and be read as frames.
fn check_no_body(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).into_iter();
    if headers.contains_key(header::TRANSFER_ENCODING) || lengths.any(|length| length != "0") {
        return Err(Refusal::new(400, "a request for a WebSocket has no body"));
    }
    Ok(())
}

/// RFC 6455 §4.1 item 10: names are tokens, and each is offered once.
fn check_offer(request: &Request) -> Result<(), Refusal> {
    let offered: Vec<&[u8]> = tokens(&request.headers, "sec-websocket-protocol").collect();
    if offered.is_empty() && request.headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        return Err(Refusal::new(400, "the Sec-WebSocket-Protocol header is empty"));
    }
    for (position, name) in offered.iter().enumerate() {
        if !is_token(name) {
            return Err(Refusal::new(
                400,
                format!("invalid subprotocol {:?}", name.escape_ascii().to_string()),
            ));
        }
        if offered.iter().take(position).any(|earlier| earlier == name) {
            return Err(Refusal::new(
                400,
                format!("the subprotocol {} is offered twice", name.escape_ascii()),
            ));
        }
    }
    Ok(())
}

/// RFC 6455 §4.1, the last two items about the response: one that was offered, and not more than one.
fn chosen_subprotocol(headers: &HeaderMap, offered: &[String]) -> Result<Option<String>, String> {
    if !headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        return Ok(None);
    }
    let chosen = list(headers, header::SEC_WEBSOCKET_PROTOCOL.as_str());
    if offered.contains(&chosen) {
        return Ok(Some(chosen));
    }
    let offered = offered.join(", ");
    Err(format!(
        "the server chose the subprotocol {chosen:?}, which is not one of those offered ({offered})"
    ))
}

fn join_subprotocols(names: &[String]) -> Result<String, Error> {
    for (position, name) in names.iter().enumerate() {
        check_subprotocol(name)?;
        if names.iter().take(position).any(|earlier| earlier == name) {
            return Err(Error::new(500, format!("the subprotocol {name} is given twice")));
        }
    }
    Ok(names.join(", "))
}

fn check_subprotocol(name: &str) -> Result<(), Error> {
    if is_token(name.as_bytes()) {
        Ok(())
    } else {
        Err(Error::new(500, format!("invalid subprotocol {name:?}")))
    }
}

fn push_application_headers<'a>(
    given: &'a [(String, String)],
    headers: &mut Vec<(&'a str, &'a str)>,
) -> Result<(), Error> {
    for (name, value) in given {
        check_header(name, value)?;
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("sec-websocket-") || matches!(lower.as_str(), "connection" | "upgrade" | "host")
        {
            return Err(Error::new(
                500,
                format!("header {name} belongs to the handshake and cannot be given"),
            ));
        }
        headers.push((name, value));
    }
    Ok(())
}

/// A field over all its lines, joined: as one value where it has to be one.
fn list(headers: &HeaderMap, name: &str) -> String {
    let elements: Vec<_> = tokens(headers, name).map(String::from_utf8_lossy).collect();
    elements.join(", ")
}
