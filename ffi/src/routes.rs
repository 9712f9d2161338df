//! HTTP requests of a server that the application answers itself.

use std::ffi::{CString, c_void};
use std::net::SocketAddr;
use std::sync::Arc;

use sockline::http::Request;
use sockline::{Exchange, HttpAnswer, HttpRequest, Refusal, Result, Route, UpgradeRequest};

use crate::abi::{Versioned, bytes, invalid, read_struct, string};
use crate::guard::{c_text, guard};
use crate::settings::SOCKLINE_UNLIMITED;
use crate::status::{OK, sockline_status};
use crate::types::{sockline_bytes, sockline_header, sockline_string};

/// The answer to an HTTP request that is owed: a number, to be used once, by sockline_respond or sockline_pass. It ends by
/// that, and with on_cut.
pub type sockline_exchange = u64;

/// An HTTP request, and all that it points to: borrowed until on_request returns. For sockline_server_handle_request you make
/// one: start from SOCKLINE_HTTP_REQUEST_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_http_request {
    /// The size of this struct in the library that is running; sizeof(sockline_http_request) in one that you make.
    pub size: usize,
    /// GET, POST and so on.
    pub method: sockline_string,
    /// The path as it was sent, still percent-encoded.
    pub path: sockline_string,
    /// What follows "?" in the target, still percent-encoded. Its data is NULL if there is no "?".
    pub query: sockline_string,
    /// The client's address and port, such as "127.0.0.1:50000" or "[::1]:50000"; empty on a Unix socket.
    pub remote_address: sockline_string,
    /// All headers in order, names in lower case; a name occurs as often as it was sent.
    pub headers: *const sockline_header,
    /// How many those are.
    pub header_count: usize,
    /// The body; empty if there was none.
    pub body: sockline_bytes,
    /// 1 if it came over TLS.
    pub is_secure: i64,
}

/// Paths of a server that the application answers itself, in sockline_server_options.routes. Start from SOCKLINE_ROUTE_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_route {
    /// sizeof(sockline_route), as the INIT macro sets it.
    pub size: usize,
    /// The path, which begins with "/".
    pub path: sockline_string,
    /// 1 takes all paths that begin with it. Default: that path only.
    pub is_prefix: i64,
    /// The longest body to accept, in bytes; a longer one is answered with 413. Default: 1 MiB.
    pub max_body: u64,
    /// A request has come, whole. Answer with sockline_respond, or leave it to the server with sockline_pass, here or
    /// later from any thread; no timeout runs meanwhile. Not NULL.
    pub on_request: Option<
        unsafe extern "C" fn(
            exchange: sockline_exchange,
            request: *const sockline_http_request,
            user_data: *mut c_void,
        ),
    >,
    /// The client went away before the answer, or the server has closed: the exchange ends.
    pub on_cut: Option<unsafe extern "C" fn(exchange: sockline_exchange, user_data: *mut c_void)>,
    /// Yours, given to both; free it in on_server_closed.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_http_request {
    const NAME: &'static str = "sockline_http_request";
}
// SAFETY: `repr(C)`, `size` first; zeroes are numbers, NULL and no functions.
unsafe impl Versioned for sockline_route {
    const NAME: &'static str = "sockline_route";
}

/// Answers an HTTP request: status 200 to 999, headers (but Content-Length and Transfer-Encoding, which are written by the
/// library), and a body. All is copied. A client that has gone meanwhile is no error. Errors: SOCKLINE_ERR_ALREADY_ANSWERED
/// also once it was cut, SOCKLINE_ERR_INVALID_ARGUMENT, after which the answer is still owed. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_respond(
    exchange: sockline_exchange,
    status: i32,
    headers: *const sockline_header,
    header_count: usize,
    body: *const c_void,
    body_len: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable headers and a readable body.
        let answer = unsafe { read_answer(status, headers, header_count, body, body_len) }?;
        Exchange::from_raw(exchange)?.respond(answer);
        Ok(OK)
    })
}

/// Leaves an HTTP request to the server, which answers as if it had no routes: with its metrics, a file of static_folder, or a
/// refusal. Errors: SOCKLINE_ERR_ALREADY_ANSWERED also once it was cut. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_pass(exchange: sockline_exchange) -> sockline_status {
    guard(|| {
        Exchange::from_raw(exchange)?.pass_kept();
        Ok(OK)
    })
}

/// # Safety
/// `headers` points to `header_count` readable headers, and `body` to `body_len` readable bytes.
pub(crate) unsafe fn read_answer(
    status: i32,
    headers: *const sockline_header,
    header_count: usize,
    body: *const c_void,
    body_len: usize,
) -> Result<HttpAnswer> {
    let in_range = u16::try_from(status)
        .ok()
        .filter(|status| (200..1000).contains(status));
    Ok(HttpAnswer {
        status: in_range.ok_or_else(|| invalid(format!("{status} is not an HTTP status from 200 to 999")))?,
        // SAFETY: the caller's promise.
        headers: unsafe { crate::abi::headers(headers, header_count) }?,
        // SAFETY: as above.
        body: unsafe { bytes(body, body_len) }?.to_vec(),
    })
}

/// # Safety
/// `items` points to `count` readable structs, each as long as its size says.
pub(crate) unsafe fn read_routes(items: *const sockline_route, count: usize) -> Result<Vec<Arc<dyn Route>>> {
    if count > 0 && items.is_null() {
        return Err(invalid(format!("{count} routes can't be at NULL")));
    }
    let mut next = items.cast::<u8>();
    let mut routes: Vec<Arc<dyn Route>> = Vec::new();
    for _ in 0..count {
        // SAFETY: the caller's promise. They lie one behind the other at the size that the program was compiled with.
        unsafe {
            let route = read_struct(next.cast::<sockline_route>())?
                .ok_or_else(|| invalid("a route is NULL".to_owned()))?;
            routes.push(Arc::new(Answering::read(&route)?));
            next = next.add(route.size);
        }
    }
    Ok(routes)
}

/// A route that tells C.
struct Answering {
    path: String,
    is_prefix: bool,
    max_body: u64,
    route: Called,
}

/// Its functions.
struct Called {
    on_request: unsafe extern "C" fn(sockline_exchange, *const sockline_http_request, *mut c_void),
    on_cut: Option<unsafe extern "C" fn(sockline_exchange, *mut c_void)>,
    user_data: usize,
}

impl Answering {
    /// # Safety
    /// What it points to is readable.
    unsafe fn read(given: &sockline_route) -> Result<Answering> {
        // SAFETY: the caller's promise.
        let path = unsafe { string(given.path) }?;
        if !path.starts_with('/') {
            return Err(invalid(format!(
                "a route's path must start with '/', not {path:?}"
            )));
        }
        Ok(Answering {
            path: path.to_owned(),
            is_prefix: given.is_prefix != 0,
            max_body: match given.max_body {
                0 => 1 << 20,
                SOCKLINE_UNLIMITED => u64::MAX,
                bytes => bytes,
            },
            route: Called {
                on_request: given
                    .on_request
                    .ok_or_else(|| invalid(format!("the route {path} has no on_request")))?,
                on_cut: given.on_cut,
                user_data: given.user_data as usize,
            },
        })
    }
}

impl Route for Answering {
    fn matches(&self, path: &str) -> bool {
        if self.is_prefix {
            path.starts_with(&self.path)
        } else {
            path == self.path
        }
    }

    fn max_body(&self) -> u64 {
        self.max_body
    }

    fn on_request(&self, mut request: HttpRequest) {
        let head = Arc::new(request.head);
        let parts = RequestParts::of(&head, request.remote);
        let shown = parts.request(&head, &request.body, request.secure);
        request.exchange.keep(head.clone());
        let exchange = request.exchange.into_raw();
        // SAFETY: the header asks for a function of this type; what it gets is good until it returns.
        unsafe { (self.route.on_request)(exchange, &raw const shown, self.route.user_data as *mut c_void) }
    }

    fn on_cut(&self, exchange: u64) {
        if let Some(call) = self.route.on_cut {
            // SAFETY: as above.
            unsafe { call(exchange, self.route.user_data as *mut c_void) }
        }
    }

    fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
        let refusal = Refusal::new(404, "there is no WebSocket endpoint here");
        // It fails only if the client has gone.
        let _ = request.websocket().refuse(refusal);
    }
}

/// What a request needs memory for while C looks at it.
pub(crate) struct RequestParts {
    headers: Vec<sockline_header>,
    remote: CString,
}

impl RequestParts {
    pub(crate) fn of(head: &Request, remote: Option<SocketAddr>) -> RequestParts {
        let headers = head.headers.iter().map(|(name, value)| sockline_header {
            name: sockline_string::borrow(name.as_str().as_bytes()),
            value: sockline_string::borrow(value.as_bytes()),
        });
        RequestParts {
            headers: headers.collect(),
            remote: c_text(&remote.map(|address| address.to_string()).unwrap_or_default()),
        }
    }

    pub(crate) fn request(&self, head: &Request, body: &[u8], is_secure: bool) -> sockline_http_request {
        let query = head
            .query()
            .map(|query| sockline_string::borrow(query.as_bytes()));
        sockline_http_request {
            size: size_of::<sockline_http_request>(),
            method: sockline_string::borrow(head.method.as_str().as_bytes()),
            path: sockline_string::borrow(head.path().as_bytes()),
            query: query.unwrap_or(sockline_string::ABSENT),
            remote_address: sockline_string::borrow(self.remote.as_bytes()),
            headers: self.headers.as_ptr(),
            header_count: self.headers.len(),
            body: sockline_bytes::borrow(body),
            is_secure: i64::from(is_secure),
        }
    }
}
