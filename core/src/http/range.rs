//! Conditional and range requests (RFC 9110 §13 and §14), for one file with one validator of each kind.

use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use ::http::Method;

use super::Request;

/// What a resource is compared by.
pub(super) struct Validators {
    /// A strong entity tag, with its quotes.
    pub(super) etag: String,
    /// Whole seconds since 1970.
    pub(super) modified: u64,
}

/// What the conditions of a request lead to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 200: all of it.
    Whole,
    /// 206: this part of it.
    Part(Range<u64>),
    /// 304: the client has it already.
    NotModified,
    /// 412: the client wants another version of it.
    PreconditionFailed,
    /// 416: the part does not exist.
    Unsatisfiable,
}

/// RFC 9110 §13.2.2: the order in which the conditions count, for GET and HEAD.
pub(super) fn evaluate(request: &Request, validators: &Validators, length: u64) -> Outcome {
    let changed_since = |name| date(request, name).map(|date| validators.modified > date);
    // RFC 9110 §13.1.1: weak tags never match here.
    let failed = match request.header("if-match") {
        Some(_) => !lists_tag(request, "if-match", &validators.etag, false),
        None => changed_since("if-unmodified-since").unwrap_or(false),
    };
    if failed {
        return Outcome::PreconditionFailed;
    }
    // RFC 9110 §13.1.2: weak tags match too.
    let unmodified = match request.header("if-none-match") {
        Some(_) => lists_tag(request, "if-none-match", &validators.etag, true),
        None => changed_since("if-modified-since").is_some_and(|changed| !changed),
    };
    if unmodified {
        return Outcome::NotModified;
    }
    // RFC 9110 §14.2: a range is defined for GET only.
    if request.method != Method::GET || !if_range_holds(request, validators) {
        return Outcome::Whole;
    }
    request
        .header("range")
        .map_or(Outcome::Whole, |range| select(range, length))
}

/// A time as HTTP writes it. Times after the year 9999 cannot be written, and count as its end.
pub(super) fn http_date(since_1970: Duration) -> String {
    const LAST_SECOND: u64 = 253_402_300_799;
    let seconds = since_1970.as_secs().min(LAST_SECOND);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// One `bytes=` range. RFC 9110 §14.2 lets a server ignore what it does not understand, and several ranges at once,
/// which have been used to multiply the work of servers.
fn select(range: &str, length: u64) -> Outcome {
    let spec = range
        .split_once('=')
        .filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = spec.and_then(|(_, spec)| spec.trim().split_once('-')) else {
        return Outcome::Whole;
    };
    match (position(first), position(last)) {
        (Some(first), Some(last)) if first > last => Outcome::Whole,
        (Some(first), _) if first >= length && (last.is_empty() || position(last).is_some()) => {
            Outcome::Unsatisfiable
        }
        (Some(first), Some(last)) => Outcome::Part(first..last.saturating_add(1).min(length)),
        (Some(first), None) if last.is_empty() => Outcome::Part(first..length),
        (None, Some(0)) if first.is_empty() => Outcome::Unsatisfiable,
        // An empty part cannot be written as Content-Range.
        (None, Some(suffix)) if first.is_empty() && length > 0 => {
            Outcome::Part(length.saturating_sub(suffix)..length)
        }
        _ => Outcome::Whole,
    }
}

/// Digits only. A number that no u64 can hold is beyond the end of every file.
fn position(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Our tags have no comma in them, so a list can be split at each.
fn lists_tag(request: &Request, name: &str, etag: &str, weakly: bool) -> bool {
    super::tokens(&request.headers, name).any(|tag| {
        let tag = if weakly {
            tag.strip_prefix(b"W/").unwrap_or(tag)
        } else {
            tag
        };
        tag == b"*" || tag == etag.as_bytes()
    })
}

/// RFC 9110 §13.1.5: the tag, strongly, or the very date that was sent as Last-Modified.
fn if_range_holds(request: &Request, validators: &Validators) -> bool {
    match request.header("if-range") {
        None => true,
        Some(tag) if tag.starts_with('"') || tag.starts_with("W/") => tag == validators.etag,
        Some(_) => date(request, "if-range") == Some(validators.modified),
    }
}

/// A date in one of the three forms of RFC 9110 §5.6.7, as seconds since 1970; invalid dates are ignored.
fn date(request: &Request, name: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(request.header(name)?).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}
