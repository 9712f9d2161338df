//! Clients that come back.

use std::ffi::c_char;
use std::time::Duration;

use sockline::{Attempt, Reconnect, Reconnecting, Result};

use crate::abi::{Versioned, array, invalid, read_struct, string};
use crate::client::read_url;
use crate::guard::{guard, guard_value};
use crate::handlers::{ErrorParts, sockline_error_event};
use crate::settings::{limit, timeout};
use crate::status::{OK, sockline_status};
use crate::types::sockline_string;

/// Connect again when the connection is lost, or can't be made. Start from SOCKLINE_RECONNECT_INIT; a field of 0 means
/// its default.
///
/// The handle stays: on_open comes once, then on_reconnecting and on_reconnected with SOCKLINE_CONNECTING between them,
/// and on_close only when it is given up or closed here. What was accepted for sending, and not yet taken by the system,
/// is lost with its connection.
///
/// The wait before an attempt is a random time up to base_delay_ms * factor^n, at most max_delay_ms, where n counts the
/// attempts since the connection was last open for stable_after_ms. A server that answers 429 or 503 with Retry-After
/// is not asked before that. It is given up after max_attempts, after a close code of no_retry, and when the next attempt
/// could not end otherwise: after status 4xx (but 408, 425 and 429) and a redirect that can't be followed.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_reconnect {
    /// sizeof(sockline_reconnect), as the INIT macro sets it.
    pub size: usize,
    /// The longest wait before the first attempt, in milliseconds. Default: 1,000.
    pub base_delay_ms: u64,
    /// By how much it grows with each attempt; at least 1. Default: 2.
    pub factor: f64,
    /// The longest wait of all, in milliseconds. Default: 30,000.
    pub max_delay_ms: u64,
    /// So many milliseconds a connection has to last before the next loss counts as the first. Default: 10,000.
    pub stable_after_ms: u64,
    /// How many attempts to make in a row. Default: without end.
    pub max_attempts: u64,
    /// Close codes, no_retry_count of them, of the peer or of its breach of the protocol, after which coming back is of
    /// no use. Default, if this is NULL: 1000 and 1005 (it has finished), 1002, 1003, 1007, 1008, 1009, 1010 (it, or we,
    /// would fail the same way again).
    pub no_retry: *const u16,
    /// How many those are.
    pub no_retry_count: usize,
    /// How many bytes of messages are kept while there is no connection, also before the first one; they are sent before
    /// all others once there is. Default: none, sockline_send says SOCKLINE_ERR_NOT_OPEN then.
    pub outbox: u64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_reconnect {
    const NAME: &'static str = "sockline_reconnect";
}

/// A connection is lost, and another attempt follows; borrowed until the callback returns, or as long as the
/// sockline_queued_event that brings it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_reconnecting_event {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// Which attempt that will be: 1 for the first since the connection was last stable.
    pub attempt: u32,
    /// The peer's close code; 1005 and 1006 as in sockline_close_event.
    pub code: i32,
    /// How many milliseconds until then.
    pub delay_ms: u64,
    /// What went wrong; NULL if the peer closed in good order.
    pub error: *const sockline_error_event,
    /// The peer's reason; empty if there was none.
    pub reason: sockline_string,
}

/// What is about to be asked for again, in on_attempt alone; it begins with what sockline_connect was given.
pub struct sockline_attempt(Attempt);

/// Which attempt it is, as in sockline_reconnecting_event; 0 if attempt is NULL. Loop thread, in on_attempt.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_attempt_number(attempt: *const sockline_attempt) -> u32 {
    guard_value(0, || {
        // SAFETY: the header asks for NULL or what on_attempt was given.
        unsafe { attempt.as_ref() }.map_or(0, |attempt| attempt.0.number)
    })
}

/// Has the attempt go elsewhere. url: ended by a NUL, copied. One that is not valid ends the handle with that error.
///
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Loop thread, in on_attempt.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_attempt_set_url(
    attempt: *mut sockline_attempt,
    url: *const c_char,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or what on_attempt was given, and for a URL that is ended.
        let (attempt, url) = unsafe { (given(attempt)?, read_url(url)?) };
        url.clone_into(&mut attempt.url);
        Ok(OK)
    })
}

/// Gives the attempt another value for a request header, such as a fresh token in Authorization: in place of all of that
/// name, in whatever case. An empty value leaves the header out. Both are copied; what is not valid ends the handle with
/// that error.
///
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Loop thread, in on_attempt.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_attempt_set_header(
    attempt: *mut sockline_attempt,
    name: sockline_string,
    value: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or what on_attempt was given, and for readable strings.
        let (attempt, name, value) = unsafe { (given(attempt)?, string(name)?, string(value)?) };
        attempt
            .headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            attempt.headers.push((name.to_owned(), value.to_owned()));
        }
        Ok(OK)
    })
}

/// # Safety
/// `attempt` is NULL or what `on_attempt` was given.
unsafe fn given<'a>(attempt: *mut sockline_attempt) -> Result<&'a mut Attempt> {
    // SAFETY: the caller's promise; nobody else looks at it while the callback runs.
    let attempt = unsafe { attempt.as_mut() };
    attempt
        .map(|attempt| &mut attempt.0)
        .ok_or_else(|| invalid("attempt is NULL".to_owned()))
}

/// Shows C the attempt, and takes over what it has changed.
pub(crate) fn with_attempt(attempt: &mut Attempt, show: impl FnOnce(*mut sockline_attempt)) {
    let mut shown = sockline_attempt(attempt.clone());
    show(&raw mut shown);
    *attempt = shown.0;
}

/// Shows C what was lost.
pub(crate) fn with_event(event: &Reconnecting, show: impl FnOnce(*const sockline_reconnecting_event)) {
    let parts = event.error.as_ref().map(|error| (error, ErrorParts::of(error)));
    let error = parts.as_ref().map(|(error, parts)| parts.event(error));
    let error = error.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let shown = describe(event, error);
    show(&raw const shown);
}

/// What was lost, as C sees it.
pub(crate) fn describe(
    event: &Reconnecting,
    error: *const sockline_error_event,
) -> sockline_reconnecting_event {
    sockline_reconnecting_event {
        size: size_of::<sockline_reconnecting_event>(),
        attempt: event.attempt,
        code: i32::from(event.code),
        delay_ms: u64::try_from(event.delay.as_millis()).unwrap_or(u64::MAX),
        error,
        reason: sockline_string::borrow(event.reason.as_bytes()),
    }
}

/// # Safety
/// `given` is NULL or a struct as long as its size says, with what it points to.
pub(crate) unsafe fn read_reconnect(given: *const sockline_reconnect) -> Result<Option<Reconnect>> {
    // SAFETY: the caller's promise is the same.
    let Some(given) = (unsafe { read_struct(given) })? else {
        return Ok(None);
    };
    let defaults = Reconnect::default();
    Ok(Some(Reconnect {
        base_delay: timeout(given.base_delay_ms, defaults.base_delay, Duration::ZERO),
        factor: if given.factor == 0.0 {
            defaults.factor
        } else {
            given.factor
        },
        max_delay: timeout(given.max_delay_ms, defaults.max_delay, Duration::MAX),
        stable_after: timeout(given.stable_after_ms, defaults.stable_after, Duration::MAX),
        max_attempts: u32::try_from(given.max_attempts)
            .ok()
            .filter(|attempts| *attempts > 0),
        no_retry: if given.no_retry.is_null() {
            defaults.no_retry
        } else {
            // SAFETY: the caller's promise covers the codes.
            unsafe { array(given.no_retry, given.no_retry_count) }?.to_vec()
        },
        outbox: limit(given.outbox, defaults.outbox, usize::MAX),
    }))
}
