//! Connecting.

use std::ffi::{CStr, c_char, c_void};
use std::time::Duration;

use sockline::{ClientOptions, ErrorCode, Result, Settings};

use crate::abi::{Versioned, headers, invalid, read_struct, strings, write_out};
use crate::event_loop::{share, sockline_loop};
use crate::guard::guard;
use crate::handlers::{read_handlers, sockline_handlers};
use crate::queue::{both_given, read_queue, sockline_queue};
use crate::settings::{read_settings, sockline_settings, timeout};
use crate::status::{OK, sockline_status};
use crate::types::{sockline_header, sockline_string, sockline_ws};

/// How to connect. Start from SOCKLINE_OPTIONS_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_options {
    /// sizeof(sockline_options), as the INIT macro sets it.
    pub size: usize,
    /// The subprotocols to offer, the preferred one first (RFC 6455 section 4.1).
    pub subprotocols: *const sockline_string,
    /// How many those are.
    pub subprotocol_count: usize,
    /// Further request headers, such as Origin, Authorization or Cookie.
    pub headers: *const sockline_header,
    /// How many those are.
    pub header_count: usize,
    /// Milliseconds for name lookup, connecting and the opening handshake together. Default: 10,000.
    pub handshake_timeout_ms: u64,
    /// What the connection may take and keep; NULL for the defaults.
    pub settings: *const sockline_settings,
    /// Where the connection's events wait to be pulled, instead of handlers. Default: none.
    pub queue: *mut sockline_queue,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_options {
    const NAME: &'static str = "sockline_options";
}

/// Starts to connect, and writes the handle to *ws at once; on_open follows, or on_error and on_close.
///
/// loop: NULL for the default loop. url: "ws://host:port/path?query", ended by a NUL. options: NULL for the
/// defaults. handlers: NULL if options has a queue; otherwise NULL has events wait for sockline_set_handlers, and
/// messages beyond 1 MiB are dropped then. user_data: yours, given to every callback. ws: may be NULL; callbacks get
/// the handle too, and may run before this has returned. Everything is copied but user_data and the queue.
///
/// Errors: SOCKLINE_ERR_INVALID_URL, SOCKLINE_ERR_INVALID_ARGUMENT for a subprotocol, header or setting that can't be
/// and for handlers beside a queue, SOCKLINE_ERR_UNSUPPORTED for wss:// in a build without TLS,
/// SOCKLINE_ERR_OUT_OF_RESOURCES, SOCKLINE_ERR_FORKED. After an error no callback ever comes, and *ws is 0. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_connect(
    r#loop: *mut sockline_loop,
    url: *const c_char,
    options: *const sockline_options,
    handlers: *const sockline_handlers,
    user_data: *mut c_void,
    ws: *mut sockline_ws,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a writable pointer, a URL that is ended, and structs as long as their
        // sizes say, with what they point to.
        unsafe {
            write_out(ws, 0);
            let url = read_url(url)?;
            let given = read_struct(options)?;
            let queue = given.and_then(|given| read_queue(given.queue));
            let handler = match (read_handlers(handlers)?, queue) {
                (Some(_), Some(_)) => return Err(both_given()),
                (handlers, queue) => handlers.or(queue),
            };
            let mut options = match given {
                Some(given) => client_options(&given)?,
                None => ClientOptions::default(),
            };
            options.user_data = user_data as usize;
            let on_loop = share(r#loop);
            let connection = sockline::connect(
                on_loop.as_ref().map(|on_loop| on_loop.inner()),
                url,
                options,
                handler,
            )?;
            write_out(ws, connection.raw());
        }
        Ok(OK)
    })
}

/// # Safety
/// `url` is NULL or ended by a NUL.
unsafe fn read_url<'a>(url: *const c_char) -> Result<&'a str> {
    if url.is_null() {
        return Err(invalid("the URL is NULL".to_owned()));
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(url) }
        .to_str()
        .map_err(|_| ErrorCode::InvalidUtf8.into())
}

/// # Safety
/// What it points to is readable.
unsafe fn client_options(given: &sockline_options) -> Result<ClientOptions> {
    let defaults = ClientOptions::default();
    // SAFETY: the caller's promise.
    unsafe {
        Ok(ClientOptions {
            subprotocols: strings(given.subprotocols, given.subprotocol_count)?,
            headers: headers(given.headers, given.header_count)?,
            handshake_timeout: timeout(
                given.handshake_timeout_ms,
                defaults.handshake_timeout,
                Duration::ZERO,
            ),
            settings: read_settings(given.settings, Settings::client())?,
            ..defaults
        })
    }
}
