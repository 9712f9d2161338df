//! The request that begins a session, and one that was refused.

use std::ffi::CString;

use sockline::io::{ConnectionError, Handshake};

use crate::guard::c_text;
use crate::types::{sockline_header, sockline_string};

/// The request that begins a session (socket.handshake), and all that it points to: borrowed until the callback that brings
/// it returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_request {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// Path and query as they were sent.
    pub url: sockline_string,
    /// The client's address, such as "127.0.0.1" or "::1"; empty on a Unix socket.
    pub address: sockline_string,
    /// The pairs of the query, decoded, in their order.
    pub query: *const sockline_header,
    /// How many those are.
    pub query_count: usize,
    /// All headers in order, names in lower case; a name occurs as often as it was sent.
    pub headers: *const sockline_header,
    /// How many those are.
    pub header_count: usize,
    /// When it came, in milliseconds since 1970.
    pub issued_ms: u64,
    /// 1 if it came over TLS.
    pub is_secure: i32,
    /// 1 if it comes from a page of another origin, as its headers say.
    pub is_cross_domain: i32,
    /// 1 if its session has begun, and is to go over to the WebSocket that it asks for: on_request alone is asked about these, with
    /// sockline_io_server_options.ask_upgrades.
    pub is_upgrade: i32,
}

/// A request that was refused; borrowed until the callback returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_connection_error {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// The number of the error in the protocol of Engine.IO, 0 to 5.
    pub code: i64,
    /// Its message, such as "Session ID unknown".
    pub message: sockline_string,
    /// What exactly was wrong: names and values, with the official names, context_count of them. One called name, such as
    /// TRANSPORT_MISMATCH, comes first if there is one.
    pub context: *const sockline_header,
    /// How many those are.
    pub context_count: usize,
    /// The request.
    pub request: *const sockline_io_request,
}

/// What a request needs memory for while C looks at it.
pub(crate) struct RequestLists {
    /// Names and values, decoded, which the lists point to.
    _pairs: Vec<(String, String)>,
    query: Vec<sockline_header>,
    headers: Vec<sockline_header>,
    address: CString,
}

impl RequestLists {
    pub(crate) fn of(request: &Handshake) -> RequestLists {
        let pairs = request.query();
        RequestLists {
            query: pairs.iter().map(|(name, value)| pair(name, value)).collect(),
            headers: request.headers().map(|(name, value)| pair(name, value)).collect(),
            address: c_text(
                &request
                    .address()
                    .map(|address| address.ip().to_string())
                    .unwrap_or_default(),
            ),
            _pairs: pairs,
        }
    }

    pub(crate) fn request(&self, request: &Handshake) -> sockline_io_request {
        sockline_io_request {
            size: size_of::<sockline_io_request>(),
            url: sockline_string::borrow(request.url().as_bytes()),
            address: sockline_string::borrow(self.address.as_bytes()),
            query: self.query.as_ptr(),
            query_count: self.query.len(),
            headers: self.headers.as_ptr(),
            header_count: self.headers.len(),
            issued_ms: request.issued(),
            is_secure: i32::from(request.secure()),
            is_cross_domain: i32::from(request.xdomain()),
            is_upgrade: 0,
        }
    }
}

/// Shows C what was refused.
pub(super) fn with_refused(error: &ConnectionError, show: impl FnOnce(*const sockline_io_connection_error)) {
    let lists = RequestLists::of(&error.request);
    let request = lists.request(&error.request);
    let context: Vec<_> = error
        .context
        .iter()
        .map(|(name, value)| pair(name, value))
        .collect();
    let shown = sockline_io_connection_error {
        size: size_of::<sockline_io_connection_error>(),
        code: i64::from(error.code),
        message: sockline_string::borrow(error.message.as_bytes()),
        context: context.as_ptr(),
        context_count: context.len(),
        request: &raw const request,
    };
    show(&raw const shown);
}

fn pair(name: &str, value: &str) -> sockline_header {
    sockline_header {
        name: sockline_string::borrow(name.as_bytes()),
        value: sockline_string::borrow(value.as_bytes()),
    }
}
