//! A client's request for an upgrade, and the two answers to it.

use std::ffi::c_void;
use std::net::SocketAddr;

use sockline::{Accept, QueuedUpgrade, Refusal, Result, Server, UpgradeRequest, WebSocket};

use crate::abi::{Versioned, bytes, headers, invalid, optional_string, read_struct};
use crate::guard::{guard, guard_value};
use crate::handlers::{read_handlers, sockline_handlers};
use crate::status::{OK, sockline_status};
use crate::types::{sockline_header, sockline_server, sockline_string, sockline_ws};

/// A client's request for an upgrade, and all that it points to: borrowed until on_upgrade returns, or as long as the
/// sockline_queued_event that brings it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_request {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// The server that it came to.
    pub server: sockline_server,
    /// The path as it was sent, still percent-encoded.
    pub path: sockline_string,
    /// What follows "?" in the target, still percent-encoded. Its data is NULL if there is no "?".
    pub query: sockline_string,
    /// The client's address and port, such as "127.0.0.1:50000" or "[::1]:50000"; empty on a Unix socket.
    pub remote_address: sockline_string,
    /// The subprotocols that the client offers, its preferred one first.
    pub subprotocols: *const sockline_string,
    /// How many those are.
    pub subprotocol_count: usize,
    /// All headers in order; a name occurs as often as it was sent. See sockline_request_header.
    pub headers: *const sockline_header,
    /// How many those are.
    pub header_count: usize,
}

/// How to accept an upgrade. Start from SOCKLINE_ACCEPT_OPTIONS_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_accept_options {
    /// sizeof(sockline_accept_options), as the INIT macro sets it.
    pub size: usize,
    /// One of the offered subprotocols; empty for none.
    pub subprotocol: sockline_string,
    /// Further response headers, header_count of them.
    pub headers: *const sockline_header,
    /// How many those are.
    pub header_count: usize,
    /// The callbacks of this connection; NULL keeps the server's.
    pub handlers: *const sockline_handlers,
    /// What these callbacks get as user_data; NULL keeps the server's.
    pub user_data: *mut c_void,
}

/// How to refuse an upgrade. Start from SOCKLINE_REFUSAL_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_refusal {
    /// sizeof(sockline_refusal), as the INIT macro sets it.
    pub size: usize,
    /// The HTTP status, 200 to 599. Default: 403.
    pub status: u64,
    /// Response headers, header_count of them. Content-Length and Connection are added.
    pub headers: *const sockline_header,
    /// How many those are.
    pub header_count: usize,
    /// The response's body, body_len bytes; NULL for none.
    pub body: *const c_void,
    /// The body's length in bytes.
    pub body_len: usize,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_accept_options {
    const NAME: &'static str = "sockline_accept_options";
}
// SAFETY: as above.
unsafe impl Versioned for sockline_refusal {
    const NAME: &'static str = "sockline_refusal";
}

/// The value of the first header of this name, in whatever case; its data is NULL if there is none. Borrowed until
/// on_upgrade returns. Loop thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_request_header(
    request: *const sockline_request,
    name: sockline_string,
) -> sockline_string {
    guard_value(sockline_string::ABSENT, || {
        // SAFETY: the header asks for NULL or the request that on_upgrade was given.
        unsafe { find_header(request, name) }.unwrap_or(sockline_string::ABSENT)
    })
}

/// Accepts an upgrade request: answers 101 and opens the connection; on_open follows (RFC 6455 section 4.2.2).
///
/// options: copied; NULL for none.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT for a header or subprotocol that can't be sent,
/// SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_CLOSED if the client has left or the handshake timeout has passed.
/// From another thread the answer is queued. If it can't be given then, because the client has left or was not offered
/// the subprotocol, on_close follows without on_open: after SOCKLINE_OK, on_close always comes. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_accept(
    ws: sockline_ws,
    options: *const sockline_accept_options,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a struct as long as its size says, with what it points to.
        let accept = unsafe { read_accept(options) }?;
        WebSocket::from_raw(ws)?.accept(accept).map(|()| OK)
    })
}

/// Refuses an upgrade request: answers an HTTP status, headers and a body. No event follows, and the handle is dead.
///
/// refusal: copied; NULL for status 403 without a body.
/// Errors: as for sockline_accept; SOCKLINE_ERR_INVALID_ARGUMENT for a status that is none. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_refuse(
    ws: sockline_ws,
    refusal: *const sockline_refusal,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a struct as long as its size says, with what it points to.
        let refusal = unsafe { read_refusal(refusal) }?;
        WebSocket::from_raw(ws)?.refuse(refusal).map(|()| OK)
    })
}

/// A request as it is told at once, or pulled later.
pub(crate) struct Asked<'a> {
    server: Server,
    path: &'a str,
    query: Option<&'a str>,
    remote_address: Option<SocketAddr>,
    subprotocols: Vec<&'a str>,
    headers: Vec<(&'a str, &'a [u8])>,
}

impl<'a> From<&UpgradeRequest<'a>> for Asked<'a> {
    fn from(request: &UpgradeRequest<'a>) -> Asked<'a> {
        Asked {
            server: request.server(),
            path: request.path(),
            query: request.query(),
            remote_address: request.remote_address(),
            subprotocols: request.subprotocols(),
            headers: request.headers().collect(),
        }
    }
}

impl<'a> From<&'a QueuedUpgrade> for Asked<'a> {
    fn from(request: &'a QueuedUpgrade) -> Asked<'a> {
        Asked {
            server: request.server(),
            path: request.path(),
            query: request.query(),
            remote_address: request.remote_address(),
            subprotocols: request.subprotocols(),
            headers: request.headers().collect(),
        }
    }
}

/// What a request needs memory of its own for while C looks at it.
pub(crate) struct Lists {
    headers: Vec<sockline_header>,
    subprotocols: Vec<sockline_string>,
    remote_address: String,
}

impl Lists {
    pub(crate) fn of(asked: &Asked<'_>) -> Lists {
        let header = |(name, value): &(&str, &[u8])| sockline_header {
            name: sockline_string::borrow(name.as_bytes()),
            value: sockline_string::borrow(value),
        };
        let name = |name: &&str| sockline_string::borrow(name.as_bytes());
        let address = asked.remote_address.map(|address| address.to_string());
        Lists {
            headers: asked.headers.iter().map(header).collect(),
            subprotocols: asked.subprotocols.iter().map(name).collect(),
            remote_address: address.unwrap_or_default(),
        }
    }

    pub(crate) fn event(&self, asked: &Asked<'_>) -> sockline_request {
        let query = asked.query.map(|query| sockline_string::borrow(query.as_bytes()));
        sockline_request {
            size: size_of::<sockline_request>(),
            server: asked.server.raw(),
            path: sockline_string::borrow(asked.path.as_bytes()),
            query: query.unwrap_or(sockline_string::ABSENT),
            remote_address: sockline_string::borrow(self.remote_address.as_bytes()),
            subprotocols: self.subprotocols.as_ptr(),
            subprotocol_count: self.subprotocols.len(),
            headers: self.headers.as_ptr(),
            header_count: self.headers.len(),
        }
    }
}

/// # Safety
/// `request` is NULL or what `on_upgrade` was given, and `name` is readable.
unsafe fn find_header(request: *const sockline_request, name: sockline_string) -> Option<sockline_string> {
    // SAFETY: the caller's promise: it is ours, and its lists are as long as they say.
    unsafe {
        let request = request.as_ref()?;
        let wanted = bytes(name.data.cast(), name.len).ok()?;
        let headers = std::slice::from_raw_parts(request.headers, request.header_count);
        let is_wanted = |header: &&sockline_header| {
            bytes(header.name.data.cast(), header.name.len)
                .is_ok_and(|name| name.eq_ignore_ascii_case(wanted))
        };
        headers.iter().find(is_wanted).map(|header| header.value)
    }
}

/// # Safety
/// `given` is NULL or a struct as long as its size says, and what it points to is readable.
unsafe fn read_accept(given: *const sockline_accept_options) -> Result<Accept> {
    // SAFETY: the caller's promise covers the struct and all that it points to.
    unsafe {
        let Some(given) = read_struct(given)? else {
            return Ok(Accept::default());
        };
        Ok(Accept {
            subprotocol: optional_string(given.subprotocol)?,
            headers: headers(given.headers, given.header_count)?,
            user_data: (!given.user_data.is_null()).then_some(given.user_data as usize),
            handler: read_handlers(given.handlers)?,
        })
    }
}

/// # Safety
/// As for [`read_accept`].
unsafe fn read_refusal(given: *const sockline_refusal) -> Result<Refusal> {
    const FORBIDDEN: u16 = 403;
    // SAFETY: the caller's promise covers the struct and all that it points to.
    unsafe {
        let Some(given) = read_struct(given)? else {
            return Ok(Refusal {
                status: FORBIDDEN,
                headers: Vec::new(),
                body: Vec::new(),
            });
        };
        let status = match given.status {
            0 => FORBIDDEN,
            status => {
                u16::try_from(status).map_err(|_| invalid(format!("{status} is not an HTTP status")))?
            }
        };
        Ok(Refusal {
            status,
            headers: headers(given.headers, given.header_count)?,
            body: bytes(given.body, given.body_len)?.to_vec(),
        })
    }
}
