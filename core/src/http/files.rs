//! Files over HTTP, without touching one: which file a request means, and what to answer once its length and its
//! modification time are known.
//!
//! The names that [`relative_path`] returns cannot lead out of a folder by themselves. Symbolic links can; whoever
//! opens the file decides about those.

use std::ops::Range;
use std::time::Duration;

use ::http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::range::{Outcome, Validators, evaluate, http_date};
use super::{Error, Framing, Request, encode_response};

/// What a response says about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMeta {
    /// Bytes.
    pub len: u64,
    /// Last modification, since the beginning of 1970 (UTC); zero for a time before.
    pub modified: Duration,
}

/// What to write for a file.
#[derive(Debug, PartialEq, Eq)]
pub struct FileResponse {
    /// 200, 206, 304, 405, 412 or 416.
    pub status: u16,
    /// To be written first: the head, and the body too where it does not come from the file.
    pub head: Vec<u8>,
    /// Which bytes of the file follow; empty for HEAD, 304 and refusals.
    pub range: Range<u64>,
}

/// The file that a request path means: relative, `/` between its parts, and `index.html` where a folder is named.
///
/// Decoded once. 400 for what is not UTF-8 or has a NUL; 404 for all that could leave the folder or that is hidden:
/// `.` and `..`, other names that begin with a dot, empty parts (`//`), backslashes, and on Windows a colon.
pub fn relative_path(request_path: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(request_path)
        .decode_utf8()
        .map_err(|_| Error::new(400, format!("the path {request_path:?} is not UTF-8")))?;
    if decoded.contains('\0') {
        return Err(Error::new(
            400,
            format!("the path {request_path:?} contains a NUL"),
        ));
    }
    let not_found = || Error::new(404, format!("there is no {request_path}"));
    let path = decoded.strip_prefix('/').ok_or_else(not_found)?;
    let index = if path.is_empty() || path.ends_with('/') {
        "index.html"
    } else {
        ""
    };
    let path = format!("{path}{index}");
    if path.split('/').any(is_unsafe) {
        return Err(not_found());
    }
    Ok(path)
}

/// The answer for a file that exists. `path` is what [`relative_path`] returned; `date` is the present time since
/// 1970 (UTC), for the Date header. Without `keep_alive` the answer says that the connection closes after it.
/// Conditions and single ranges are obeyed (RFC 9110 §13 and §14).
pub fn respond(
    request: &Request,
    path: &str,
    meta: &FileMeta,
    date: Option<Duration>,
    keep_alive: bool,
) -> FileResponse {
    let common = common_headers(date, keep_alive);
    if request.method != Method::GET && request.method != Method::HEAD {
        return refuse(request, 405, common, ("Allow", "GET, HEAD".to_owned()));
    }
    let etag = format!("\"{:x}-{:x}\"", meta.modified.as_nanos(), meta.len);
    let validators = Validators {
        etag,
        modified: meta.modified.as_secs(),
    };
    match evaluate(request, &validators, meta.len) {
        Outcome::Whole => send(
            request,
            200,
            file_headers(common, path, validators, meta),
            0..meta.len,
        ),
        Outcome::Part(part) => {
            let mut headers = file_headers(common, path, validators, meta);
            headers.push((
                "Content-Range",
                format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), meta.len),
            ));
            send(request, 206, headers, part)
        }
        Outcome::NotModified => send(request, 304, file_headers(common, path, validators, meta), 0..0),
        Outcome::PreconditionFailed => refuse(request, 412, common, ("ETag", validators.etag)),
        Outcome::Unsatisfiable => refuse(
            request,
            416,
            common,
            ("Content-Range", format!("bytes */{}", meta.len)),
        ),
    }
}

/// The media type by the ending of the name; text is declared as UTF-8.
pub fn content_type(path: &str) -> String {
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    let is_text = guess.type_() == "text" || guess.subtype() == "json" || guess.subtype() == "javascript";
    if is_text {
        format!("{}; charset=utf-8", guess.essence_str())
    } else {
        guess.essence_str().to_owned()
    }
}

type Headers = Vec<(&'static str, String)>;

fn common_headers(date: Option<Duration>, keep_alive: bool) -> Headers {
    let date = date.map(|now| ("Date", http_date(now)));
    let close = (!keep_alive).then(|| ("Connection", "close".to_owned()));
    date.into_iter().chain(close).collect()
}

fn file_headers(mut headers: Headers, path: &str, validators: Validators, meta: &FileMeta) -> Headers {
    headers.extend([
        ("Content-Type", content_type(path)),
        ("Last-Modified", http_date(meta.modified)),
        ("ETag", validators.etag),
        ("Accept-Ranges", "bytes".to_owned()),
        // A browser asks again each time, and gets a 304 for its ETag: a file that has changed is never shown old.
        ("Cache-Control", "no-cache".to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
    ]);
    headers
}

fn send(request: &Request, status: u16, headers: Headers, range: Range<u64>) -> FileResponse {
    let framing = Framing::Length(range.end - range.start);
    // RFC 9110 §9.3.2: HEAD gets the same head as GET.
    let range = if request.method == Method::HEAD {
        0..0
    } else {
        range
    };
    FileResponse {
        status,
        head: encode(status, &headers, framing, &[]),
        range,
    }
}

fn refuse(
    request: &Request,
    status: u16,
    mut headers: Headers,
    detail: (&'static str, String),
) -> FileResponse {
    headers.extend([detail, ("Content-Type", "text/plain; charset=utf-8".to_owned())]);
    let text = StatusCode::from_u16(status)
        .ok()
        .and_then(|code| code.canonical_reason())
        .unwrap_or_default();
    let body = if request.method == Method::HEAD { "" } else { text };
    FileResponse {
        status,
        head: encode(
            status,
            &headers,
            Framing::Length(text.len() as u64),
            body.as_bytes(),
        ),
        range: 0..0,
    }
}

/// The headers are all our own and valid, the content type included, so that encoding them cannot fail.
fn encode(status: u16, headers: &Headers, framing: Framing, body: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    let encoded = encode_response(status, headers, framing, &mut head);
    debug_assert!(encoded.is_ok(), "{encoded:?}");
    head.extend_from_slice(body);
    head
}

fn is_unsafe(part: &str) -> bool {
    part.is_empty() || part.starts_with('.') || part.contains('\\') || (cfg!(windows) && part.contains(':'))
}
