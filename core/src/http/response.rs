//! Responses: read by a client, written by a server.

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

use super::{Error, Framing, Limits, head};

/// What a server writes when a request waits for leave to send its body (RFC 9110 §15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The head of a response.
#[derive(Debug, Clone)]
pub struct Response {
    /// 100 to 999.
    pub status: u16,
    /// The words behind the status; may be empty.
    pub reason: String,
    /// HTTP/1.1 or HTTP/1.0.
    pub version: Version,
    /// All fields; names in lower case.
    pub headers: HeaderMap,
}

impl Response {
    /// The first line of this field; `None` if it is absent or not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        head::text(&self.headers, name)
    }

    /// All fields as names in lower case and values as received.
    pub fn fields(&self) -> Vec<(String, Vec<u8>)> {
        let field = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), value.as_bytes().to_owned())
        };
        self.headers.iter().map(field).collect()
    }

    /// Whether a comma-separated field has this element, in any of its lines and in any case.
    pub fn has_token(&self, header: &str, token: &str) -> bool {
        head::has_token(&self.headers, header, token)
    }

    /// Whether the connection stays open for another request, if the body's end is known (RFC 9112 §9.3).
    pub fn keep_alive(&self) -> bool {
        self.version == Version::HTTP_11 && !self.has_token("connection", "close")
    }

    /// Whether the actual response is still to come (RFC 9110 §15.2). 101 is not such a one: it is the last.
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }
}

/// Reads a response head from the front of `input`. Returns it with its length in bytes, or `None` as long as it is
/// incomplete; call again with the same bytes and more. The status of every error is 502.
pub fn parse_response(input: &[u8], limits: &Limits) -> Result<Option<(Response, usize)>, Error> {
    head::read(input, limits, 502, |bytes, fields| {
        let mut raw = httparse::Response::new(fields);
        Ok(raw.parse(bytes)?.is_complete().then(|| build(&raw)))
    })
}

/// Appends a response head to `out`; the body follows as `framing` says, except for HEAD, where the framing is
/// stated and no body follows. Content-Length and Transfer-Encoding come from `framing`; whoever closes the
/// connection afterwards says so in `headers` with `Connection: close`. After an error nothing has been appended.
pub fn encode_response<N: AsRef<str>, V: AsRef<str>>(
    status: u16,
    headers: &[(N, V)],
    framing: Framing,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let code =
        StatusCode::from_u16(status).map_err(|_| Error::new(500, format!("invalid status {status}")))?;
    head::check_headers(headers)?;
    // RFC 9110 §8.6 and RFC 9112 §6.1: a response that cannot have a body states no framing.
    let framing = if is_bodiless(status) {
        Framing::None
    } else {
        framing
    };
    let reason = code.canonical_reason().unwrap_or_default();
    for part in ["HTTP/1.1 ", code.as_str(), " ", reason, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    head::write_fields(headers, framing, out);
    Ok(())
}

/// Appends a whole response, its body included: what a refusal looks like. The content type is plain text unless
/// `headers` has another one. After an error nothing has been appended.
pub fn encode_whole_response<N: AsRef<str>, V: AsRef<str>>(
    status: u16,
    headers: &[(N, V)],
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut all: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()))
        .collect();
    if !all
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        all.push(("Content-Type", "text/plain; charset=utf-8"));
    }
    encode_response(status, &all, Framing::Length(body.len() as u64), out)?;
    if !is_bodiless(status) {
        out.extend_from_slice(body);
    }
    Ok(())
}

/// RFC 9112 §6.3: whatever its header lines say, such a response ends with its head.
pub(super) fn is_bodiless(status: u16) -> bool {
    matches!(status, 100..200 | 204 | 304)
}

fn build(raw: &httparse::Response<'_, '_>) -> Result<Response, Error> {
    let status = raw.code.unwrap_or_default();
    if status < 100 {
        return Err(Error::new(502, format!("invalid status {status:03}")));
    }
    Ok(Response {
        status,
        reason: raw.reason.unwrap_or_default().to_owned(),
        version: if raw.version == Some(1) {
            Version::HTTP_11
        } else {
            Version::HTTP_10
        },
        headers: head::header_map(raw.headers, 502)?,
    })
}
