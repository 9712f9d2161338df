//! Requests: read by a server, written by a client.

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

use super::body::check_framing;
use super::{Error, Framing, Limits, head};

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// GET, POST, …
    pub method: Method,
    /// As received: path and query, still percent-encoded; rarely a whole URL, or `*`.
    pub target: String,
    /// HTTP/1.1 or HTTP/1.0.
    pub version: Version,
    /// All fields; names in lower case.
    pub headers: HeaderMap,
    /// What another server of the process, which has read it, knows it by ([`io::Handshake::note`](crate::io::Handshake::note)), or
    /// the number of the question that let it in ([`RequestQuestion::into_raw`](crate::io::RequestQuestion::into_raw)); 0 without.
    pub note: u64,
}

impl Request {
    /// A request that another server has read. Header fields that can't be are left out, as if the client had not sent them;
    /// `None` for what is no method.
    pub fn of<'a>(
        method: &str,
        target: &str,
        fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Option<Request> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        Some(Request {
            method: Method::from_bytes(method.as_bytes()).ok()?,
            target: target.to_owned(),
            version: Version::HTTP_11,
            headers,
            note: 0,
        })
    }

    /// The path, still percent-encoded: what stands before the `?`.
    pub fn path(&self) -> &str {
        let path = self.path_and_query().split('?').next().unwrap_or_default();
        if path.is_empty() { "/" } else { path }
    }

    /// What stands behind the first `?`, still percent-encoded.
    pub fn query(&self) -> Option<&str> {
        self.path_and_query().split_once('?').map(|(_, query)| query)
    }

    /// The first line of this field; `None` if it is absent or not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        head::text(&self.headers, name)
    }

    /// Whether a comma-separated field has this element, in any of its lines and in any case.
    pub fn has_token(&self, header: &str, token: &str) -> bool {
        head::has_token(&self.headers, header, token)
    }

    /// Whether the connection stays open for another request (RFC 9112 §9.3). HTTP/1.0 is closed, always.
    pub fn keep_alive(&self) -> bool {
        self.version == Version::HTTP_11 && !head::has_token(&self.headers, header::CONNECTION, "close")
    }

    /// Whether the client waits for [`CONTINUE`](super::CONTINUE) before it sends its body (RFC 9110 §10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.version == Version::HTTP_11 && head::has_token(&self.headers, header::EXPECT, "100-continue")
    }

    /// RFC 9112 §3.2.2: a server takes a whole URL as target too, as proxies send it.
    fn path_and_query(&self) -> &str {
        if self.target.starts_with('/') {
            return &self.target;
        }
        match absolute_form(&self.target) {
            Some(rest) => rest
                .find(['/', '?'])
                .and_then(|start| rest.get(start..))
                .unwrap_or_default(),
            None => &self.target,
        }
    }
}

/// Reads a request head from the front of `input`. Returns it with its length in bytes, or `None` as long as it is
/// incomplete; call again with the same bytes and more. It is refused as soon as it is known to be bad or too long,
/// and so is one whose framing is in doubt, whether or not anybody wants to read its body.
pub fn parse_request(input: &[u8], limits: &Limits) -> Result<Option<(Request, usize)>, Error> {
    head::read(input, limits, 400, |bytes, fields| {
        let mut raw = httparse::Request::new(fields);
        Ok(raw.parse(bytes)?.is_complete().then(|| build(&raw)))
    })
}

/// Appends a request head to `out`; the body follows as `framing` says. `headers` has to contain Host; Content-Length
/// and Transfer-Encoding come from `framing`. After an error nothing has been appended.
pub fn encode_request<N: AsRef<str>, V: AsRef<str>>(
    method: &str,
    target: &str,
    headers: &[(N, V)],
    framing: Framing,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    if !head::is_token(method.as_bytes()) {
        return Err(Error::new(500, format!("invalid method {method:?}")));
    }
    if target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::new(
            500,
            format!("the request target {target:?} must be percent-encoded"),
        ));
    }
    head::check_headers(headers)?;
    for part in [method, " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    head::write_fields(headers, framing, out);
    Ok(())
}

fn build(raw: &httparse::Request<'_, '_>) -> Result<Request, Error> {
    let method = Method::from_bytes(raw.method.unwrap_or_default().as_bytes())
        .map_err(|_| Error::new(400, "invalid method"))?;
    let request = Request {
        method,
        target: raw.path.unwrap_or_default().to_owned(),
        version: if raw.version == Some(1) {
            Version::HTTP_11
        } else {
            Version::HTTP_10
        },
        headers: head::header_map(raw.headers, 400)?,
        note: 0,
    };
    check_target(&request)?;
    check_host(&request)?;
    check_framing(&request.headers, request.version)?;
    Ok(request)
}

/// RFC 9112 §3.2: the four forms of a target.
fn check_target(request: &Request) -> Result<(), Error> {
    let target = request.target.as_str();
    let known = match request.method {
        Method::CONNECT => true,
        Method::OPTIONS if target == "*" => true,
        _ => target.starts_with('/') || absolute_form(target).is_some(),
    };
    if !known || target.contains('#') {
        return Err(Error::new(400, format!("invalid request target {target:?}")));
    }
    Ok(())
}

/// RFC 9112 §3.2: a request without Host, with two, or with an invalid one is answered with 400.
fn check_host(request: &Request) -> Result<(), Error> {
    let mut lines = request.headers.get_all(header::HOST).into_iter();
    match (lines.next(), lines.next()) {
        (None, _) if request.version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(Error::new(400, "the Host header is missing")),
        (Some(_), Some(_)) => Err(Error::new(400, "more than one Host header")),
        (Some(host), None) if is_authority(host.as_bytes()) => Ok(()),
        (Some(host), None) => Err(Error::new(400, format!("invalid Host header {host:?}"))),
    }
}

/// The characters of uri-host and port (RFC 3986 §3.2), without user information. It may be empty (RFC 9110 §7.2).
fn is_authority(host: &[u8]) -> bool {
    host.iter().all(|byte| AUTHORITY[usize::from(*byte)])
}

pub(super) const AUTHORITY: [bool; 256] = head::alphanumeric_or(b"-._~:[]%!$&'()*+;=");

/// What follows the scheme, if the target is a whole URL.
fn absolute_form(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    ["http", "https", "ws", "wss"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
        .then_some(rest)
}
