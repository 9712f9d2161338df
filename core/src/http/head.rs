//! What request heads and response heads share: finding the end, reading the fields, writing the fields.

use ::http::header::AsHeaderName;
use ::http::{HeaderMap, HeaderName, HeaderValue};

use super::{Error, Framing, Limits};

/// How many header lines a head usually has at most.
const FEW: usize = 24;

/// A head that httparse takes, and what we think of it; `None` while it is incomplete.
pub(super) type Parsed<T> = Result<Option<Result<T, Error>>, httparse::Error>;

/// Reads one head. `parse` gets the bytes that may belong to it and room for the fields, and does the rest by
/// httparse. Returns `None` until the head is complete, and otherwise what `parse` made of it, and its length.
///
/// A head that is fed in pieces gives the same result as one that comes whole: errors are found in the order of
/// the bytes, and bytes behind the end or the cap are never looked at.
pub(super) fn read<T>(
    input: &[u8],
    limits: &Limits,
    status: u16,
    parse: impl for<'b> Fn(&'b [u8], &mut [httparse::Header<'b>]) -> Parsed<T>,
) -> Result<Option<(T, usize)>, Error> {
    let window = input.get(..limits.max_head).unwrap_or(input);
    let extent = extent(window);
    let judged = match extent {
        Extent::Complete(end) | Extent::BareLf(end) => window.get(..end).unwrap_or(window),
        Extent::Partial => window,
    };
    let parsed = parse_with_room(judged, limits.max_headers, parse);
    match (parsed.map_err(|e| refusal(e, status, limits))?, extent) {
        (Some(value), Extent::Complete(end)) => Ok(Some((value?, end))),
        (None, Extent::Partial) if window.len() < limits.max_head => Ok(None),
        (None, Extent::Partial) => Err(too_long(window, status, limits)),
        // RFC 9112 §2.2 lets a recipient take a single LF as a line end. Two recipients that differ here can be
        // played against each other, so it is refused.
        _ => Err(Error::new(
            status,
            "a line of the head ends with LF alone instead of CR LF",
        )),
    }
}

/// Most heads have few fields, for which no memory is taken.
fn parse_with_room<'b, T>(
    bytes: &'b [u8],
    max_headers: usize,
    parse: impl Fn(&'b [u8], &mut [httparse::Header<'b>]) -> Parsed<T>,
) -> Parsed<T> {
    let mut few = [httparse::EMPTY_HEADER; FEW];
    let room = few.get_mut(..max_headers.min(FEW)).unwrap_or_default();
    match parse(bytes, room) {
        Err(httparse::Error::TooManyHeaders) if max_headers > FEW => {
            parse(bytes, &mut vec![httparse::EMPTY_HEADER; max_headers])
        }
        parsed => parsed,
    }
}

/// Copies the fields that httparse found; their number is limited already.
pub(super) fn header_map(fields: &[httparse::Header<'_>], status: u16) -> Result<HeaderMap, Error> {
    let mut map = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let entry = HeaderName::from_bytes(field.name.as_bytes())
            .ok()
            .zip(HeaderValue::from_bytes(field.value).ok());
        let (name, value) =
            entry.ok_or_else(|| Error::new(status, format!("invalid header line {:?}", field.name)))?;
        map.try_append(name, value)
            .map_err(|_| Error::new(431, "too many header lines"))?;
    }
    Ok(map)
}

/// The elements of a comma-separated field, over all its lines, without white space and without empty elements
/// (RFC 9110 §5.6.1). As bytes, so that a line that is not text counts as a strange element instead of being skipped.
pub(crate) fn tokens<'a, N: AsHeaderName>(
    headers: &'a HeaderMap,
    name: N,
) -> impl Iterator<Item = &'a [u8]> + use<'a, N> {
    let lines = headers.get_all(name).into_iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// Whether a comma-separated field has this element, whatever the case of its letters.
pub(crate) fn has_token(headers: &HeaderMap, name: impl AsHeaderName, token: &str) -> bool {
    tokens(headers, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// The first line of a field as text; `None` if it is absent or not UTF-8.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
}

/// Whether `text` is a token (RFC 9110 §5.6.2): a field name, a method, a subprotocol.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| TCHAR[usize::from(*byte)])
}

pub(super) const TCHAR: [bool; 256] = alphanumeric_or(b"!#$%&'*+-.^_`|~");

/// A table of ASCII's letters and digits and these characters.
pub(super) const fn alphanumeric_or(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

/// Refuses what would end a header line early and start another one (CR, LF), or is not allowed in one (NUL and
/// other control characters; RFC 9110 §5.5).
pub(crate) fn check_header(name: &str, value: &str) -> Result<(), Error> {
    if !is_token(name.as_bytes()) {
        return Err(Error::new(500, format!("invalid header name {name:?}")));
    }
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(Error::new(
            500,
            format!("header {name} has a control character in its value {value:?}"),
        ));
    }
    Ok(())
}

/// Checks all fields, also that none of them states a framing of its own.
pub(super) fn check_headers<N: AsRef<str>, V: AsRef<str>>(headers: &[(N, V)]) -> Result<(), Error> {
    for (name, value) in headers {
        let name = name.as_ref();
        check_header(name, value.as_ref())?;
        if ["content-length", "transfer-encoding"]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own))
        {
            return Err(Error::new(
                500,
                format!("header {name} is written by the library and cannot be given"),
            ));
        }
    }
    Ok(())
}

/// Writes checked fields, the framing, and the empty line that ends the head.
pub(super) fn write_fields<N: AsRef<str>, V: AsRef<str>>(
    headers: &[(N, V)],
    framing: Framing,
    out: &mut Vec<u8>,
) {
    for (name, value) in headers {
        write_field(name.as_ref(), value.as_ref(), out);
    }
    match framing {
        Framing::None => {}
        Framing::Length(length) => write_field("Content-Length", itoa::Buffer::new().format(length), out),
        Framing::Chunked => write_field("Transfer-Encoding", "chunked", out),
    }
    out.extend_from_slice(b"\r\n");
}

pub(super) fn write_field(name: &str, value: &str, out: &mut Vec<u8>) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

enum Extent {
    /// The length of the head, its empty line included.
    Complete(usize),
    /// The offset of the first LF that has no CR before it.
    BareLf(usize),
    Partial,
}

fn extent(window: &[u8]) -> Extent {
    // RFC 9112 §2.2: empty lines before the start line are ignored.
    let mut line = 0;
    while window.get(line..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
        line += 2;
    }
    while let Some(rest) = window.get(line..) {
        let Some(length) = memchr::memchr(b'\n', rest) else {
            break;
        };
        match rest.get(..length) {
            Some(b"\r") => return Extent::Complete(line + length + 1),
            Some([.., b'\r']) => line += length + 1,
            _ => return Extent::BareLf(line + length),
        }
    }
    Extent::Partial
}

/// RFC 9110 §15.5.15 and RFC 6585 §5 tell a target that is too long from header lines that are too much.
fn too_long(window: &[u8], status: u16, limits: &Limits) -> Error {
    let start_line_ended = window.trim_ascii_start().contains(&b'\n');
    let (server_status, what) = if start_line_ended {
        (431, "head")
    } else {
        (414, "start line")
    };
    let status = if status == 400 { server_status } else { status };
    Error::new(
        status,
        format!("the {what} is longer than {} bytes", limits.max_head),
    )
}

fn refusal(error: httparse::Error, status: u16, limits: &Limits) -> Error {
    match (error, status) {
        (httparse::Error::TooManyHeaders, 400) => {
            Error::new(431, format!("more than {} header lines", limits.max_headers))
        }
        (httparse::Error::Version, 400) => Error::new(505, "only HTTP/1.1 and HTTP/1.0 are spoken here"),
        _ => Error::new(status, format!("malformed head: {error}")),
    }
}
