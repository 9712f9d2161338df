//! Statuses: what calls return, and what errors of connections are called.

use std::ffi::{CStr, CString, c_char};
use std::sync::LazyLock;

use sockline::ErrorCode;

use crate::guard::{c_text, guard_value, with_last_error};

/// What a call returns: one of enum sockline_status_code. 0 and above: done. Below 0: refused, nothing has happened.
pub type sockline_status = i32;

/// The statuses. A number is never reused and never removed; later versions may add some.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub enum sockline_status_code {
    /// Done, or on its way.
    SOCKLINE_OK = 0,
    /// The message was accepted, but more than the high-water mark waits to be sent: wait for on_drain.
    SOCKLINE_OVER_MARK = 1,
    /// The loop was stopped, or shut down and done: don't turn it again.
    SOCKLINE_STOPPED = 2,
    /// Nothing waits in the queue: its doorbell rings for the next event.
    SOCKLINE_EMPTY = 3,
    /// The call was right, but the policy for slow consumers dropped the message.
    SOCKLINE_DROPPED = 4,
    /// An argument is out of range, malformed, NULL where it may not be, or contradicts another one.
    SOCKLINE_ERR_INVALID_ARGUMENT = -1,
    /// The URL can't be parsed, or asks for what WebSocket URLs don't have (RFC 6455 section 3).
    SOCKLINE_ERR_INVALID_URL = -2,
    /// The connection is not open (it is still connecting, or closing), so the call can't be done now.
    SOCKLINE_ERR_NOT_OPEN = -3,
    /// The handle's connection or server has ended.
    SOCKLINE_ERR_CLOSED = -4,
    /// The handle is of another kind: a server's where a connection's is needed, or none at all.
    SOCKLINE_ERR_WRONG_HANDLE = -5,
    /// A text message, a close reason or another text is not valid UTF-8.
    SOCKLINE_ERR_INVALID_UTF8 = -6,
    /// The close code may not be sent (RFC 6455 section 7.4).
    SOCKLINE_ERR_INVALID_CLOSE_CODE = -7,
    /// A ping, a pong or a close reason is longer than a control frame can be (RFC 6455 section 5.5).
    SOCKLINE_ERR_CONTROL_TOO_LONG = -8,
    /// More than the hard limit already waits to be sent; the message was not queued.
    SOCKLINE_ERR_OUTBOX_FULL = -9,
    /// The loop is being turned by another thread, or by this call's own caller.
    SOCKLINE_ERR_LOOP_BUSY = -10,
    /// The system or the handle table has no room for another loop, connection or server.
    SOCKLINE_ERR_OUT_OF_RESOURCES = -11,
    /// The address can't be listened on.
    SOCKLINE_ERR_LISTEN_FAILED = -12,
    /// The system refused an operation on a socket or a file.
    SOCKLINE_ERR_IO = -13,
    /// The host name has no address. Comes in on_error.
    SOCKLINE_ERR_NAME_NOT_RESOLVED = -14,
    /// No connection could be made to any of the host's addresses. Comes in on_error.
    SOCKLINE_ERR_CONNECT_FAILED = -15,
    /// Connecting, or the opening handshake, took longer than its timeout. Comes in on_error.
    SOCKLINE_ERR_HANDSHAKE_TIMEOUT = -16,
    /// The peer's part of the opening handshake breaks RFC 6455 section 4. Comes in on_error.
    SOCKLINE_ERR_HANDSHAKE_FAILED = -17,
    /// The server answered the opening handshake with another status than 101. Comes in on_error.
    SOCKLINE_ERR_REFUSED = -18,
    /// The peer broke the protocol after the opening handshake (RFC 6455 section 7.1.7). Comes in on_error.
    SOCKLINE_ERR_PROTOCOL = -19,
    /// Nothing came from the peer within the ping timeout. Comes in on_error.
    SOCKLINE_ERR_PEER_DEAD = -20,
    /// The closing handshake took longer than its timeout. Comes in on_error.
    SOCKLINE_ERR_CLOSE_TIMEOUT = -21,
    /// The process was forked after a loop had been made; loops don't survive a fork.
    SOCKLINE_ERR_FORKED = -22,
    /// This build or platform doesn't have the feature.
    SOCKLINE_ERR_UNSUPPORTED = -23,
    /// The upgrade request was already answered.
    SOCKLINE_ERR_ALREADY_ANSWERED = -24,
    /// The TLS handshake failed, or the peer's certificate could not be trusted. Comes in on_error.
    SOCKLINE_ERR_TLS = -25,
    /// The proxy could not be reached, or refused to connect to the host. Comes in on_error.
    SOCKLINE_ERR_PROXY = -26,
    /// A redirect was not followed: there were too many, or it led where it must not. Comes in on_error.
    SOCKLINE_ERR_REDIRECT = -27,
    /// A message is being sent in parts: its last part has to come before another message.
    SOCKLINE_ERR_MESSAGE_UNFINISHED = -28,
    /// The process's memory budget for waiting messages is used up; the message was not queued.
    SOCKLINE_ERR_MEMORY_BUDGET = -29,
    /// A topic or topic filter is not valid (MQTT 3.1.1 section 4.7).
    SOCKLINE_ERR_TOPIC = -30,
    /// A bug of the library was caught at its border; the connection or call that met it is lost, nothing else.
    SOCKLINE_ERR_INTERNAL = -99,
}

pub(crate) const OK: sockline_status = sockline_status_code::SOCKLINE_OK as i32;
pub(crate) const OVER_MARK: sockline_status = sockline_status_code::SOCKLINE_OVER_MARK as i32;
pub(crate) const STOPPED: sockline_status = sockline_status_code::SOCKLINE_STOPPED as i32;
pub(crate) const EMPTY: sockline_status = sockline_status_code::SOCKLINE_EMPTY as i32;
pub(crate) const DROPPED: sockline_status = sockline_status_code::SOCKLINE_DROPPED as i32;

/// The library's version, such as "0.1.0". Borrowed for ever. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}

/// The library's version as one number, to be compared with SOCKLINE_MAKE_VERSION(0, 1, 0). Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_version_number() -> u32 {
    const fn part(digits: &str) -> u32 {
        match u32::from_str_radix(digits, 10) {
            Ok(part) => part & 0xff,
            Err(_) => 0,
        }
    }
    const NUMBER: u32 = part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | part(env!("CARGO_PKG_VERSION_PATCH"));
    NUMBER
}

/// A status as one sentence for people, in general terms. Borrowed for ever; never NULL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_status_text(status: sockline_status) -> *const c_char {
    guard_value(c"".as_ptr(), || entry(status).text.as_ptr())
}

/// A status as the name that it has in this header, such as "SOCKLINE_ERR_CLOSED". Borrowed for ever; never NULL.
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_status_name(status: sockline_status) -> *const c_char {
    guard_value(c"".as_ptr(), || entry(status).name.as_ptr())
}

/// Why the last call of this thread that returned an error did so: what failed, with what value, and what to do.
/// Borrowed until the next failing call of this thread; never NULL, and empty before the first failure. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_last_error_text() -> *const c_char {
    guard_value(c"".as_ptr(), || {
        with_last_error(|text| text.as_ptr()).unwrap_or(c"".as_ptr())
    })
}

struct Entry {
    status: sockline_status,
    name: CString,
    text: CString,
}

fn entry(status: sockline_status) -> &'static Entry {
    static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(entries);
    // The last entry stands for what no other one does.
    ENTRIES
        .iter()
        .find(|entry| entry.status == status)
        .unwrap_or(&ENTRIES[ENTRIES.len() - 1])
}

fn entries() -> Vec<Entry> {
    let entry = |status, name, text| Entry {
        status,
        name: c_text(name),
        text: c_text(text),
    };
    let mut all = vec![
        entry(OK, "SOCKLINE_OK", "done"),
        entry(
            OVER_MARK,
            "SOCKLINE_OVER_MARK",
            "accepted, but wait for on_drain before sending more",
        ),
        entry(STOPPED, "SOCKLINE_STOPPED", "the loop was stopped"),
        entry(EMPTY, "SOCKLINE_EMPTY", "nothing waits in the queue"),
        entry(
            DROPPED,
            "SOCKLINE_DROPPED",
            "the policy for slow consumers dropped the message",
        ),
    ];
    all.extend(
        ErrorCode::ALL
            .iter()
            .map(|code| entry(*code as i32, code.name(), code.text())),
    );
    all.push(entry(
        i32::MIN,
        "SOCKLINE_ERR_UNKNOWN",
        "a status that this version of the library does not know",
    ));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header's numbers are the core's, by name.
    #[test]
    fn the_enumeration_is_the_cores() {
        let source = include_str!("status.rs");
        for code in ErrorCode::ALL {
            let line = format!("    {} = {},\n", code.name(), *code as i32);
            assert!(source.contains(&line), "status.rs lacks{line}");
        }
        let listed = source.matches(concat!("    ", "SOCKLINE_ERR_")).count();
        assert_eq!(listed, ErrorCode::ALL.len());
    }

    #[test]
    fn every_status_has_a_text_and_a_name() {
        for status in [0, 1, 2, 3, -1, -24, -99, 77] {
            assert!(!entry(status).text.is_empty());
        }
        assert_eq!(entry(-4).name.to_str(), Ok("SOCKLINE_ERR_CLOSED"));
        assert_eq!(entry(12345).name.to_str(), Ok("SOCKLINE_ERR_UNKNOWN"));
    }
}
