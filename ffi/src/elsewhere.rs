//! Requests that another HTTP server of the process has read: libmicrohttpd, libevent, or whatever a program has.

use std::ffi::c_void;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sockline::http::Request;
use sockline::{ErrorCode, Exchange, Home, HttpAnswer, HttpRequest, Result, Server};

use crate::abi::{array, bytes, invalid, read_struct, string, take_over, write_out};
use crate::guard::guard;
use crate::routes::{sockline_exchange, sockline_http_request};
use crate::status::{OK, sockline_status};
use crate::types::{sockline_bytes, sockline_header, sockline_server, sockline_string};

/// The answer to a request that another HTTP server has read, and all that it points to: borrowed until sockline_answered
/// returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_http_answer {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// The HTTP status. 101 answers an upgrade to WebSocket: send it, and call sockline_upgraded.
    pub status: i32,
    /// The headers to send, header_count of them. Content-Length, Transfer-Encoding and, but for 101, Connection are yours.
    pub headers: *const sockline_header,
    /// How many those are.
    pub header_count: usize,
    /// The body; empty if there is none. To HEAD only its length is said.
    pub body: sockline_bytes,
}

/// Called with the answer to a request that sockline_server_handle_request has taken: exactly once, so what belongs to the
/// request can be freed here, unless the answer is 101. answer: NULL if there is none, because of sockline_cut or because the
/// loop has ended. user_data: as it was given. On the thread that turns the server's loop, in a turn, and never from inside a
/// call of yours; if that loop ends before, on the thread that ends it.
pub type sockline_answered = Option<
    unsafe extern "C" fn(
        exchange: sockline_exchange,
        answer: *const sockline_http_answer,
        user_data: *mut c_void,
    ),
>;

type Answered = unsafe extern "C" fn(sockline_exchange, *const sockline_http_answer, *mut c_void);

/// Serves a request that another HTTP server of this process has read, and whose answer that sends, as if it had come to this
/// server: Socket.IO's (sockline_server_options.io), a route's, or one for a WebSocket. What is none of these is answered
/// with 404: files and metrics are the other server's. A server that is there only for this has
/// sockline_server_options.nowhere.
///
/// request: all is copied. Set method and path; the path may have "?" and the query in it, then leave query out. Headers that
/// can't be are left out, as if the client had not sent them. The body has to be whole; one that is longer than its route
/// takes is answered with 413. answered: not NULL. user_data: yours, given to it. exchange: written before answered can be
/// called; may be NULL.
///
/// An answer may take long: a polling client of Socket.IO waits for its next event, no thread does. A request for a WebSocket
/// is decided on by on_upgrade and its like, with the timeout and limits of this server; then see sockline_upgraded.
///
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT with what is wrong, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_CLOSED,
/// SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_FORKED. After an error answered is never called, and *exchange is 0. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_server_handle_request(
    server: sockline_server,
    request: *const sockline_http_request,
    answered: sockline_answered,
    user_data: *mut c_void,
    exchange: *mut sockline_exchange,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a writable pointer, and for a struct as long as its size says, with what it
        // points to.
        let given = unsafe {
            write_out(exchange, 0);
            read_request(request)?
        };
        let answered = answered.ok_or_else(|| invalid("answered is NULL".to_owned()))?;
        let server = Server::from_raw(server)?;
        let home = Home::of_server(server).ok_or(ErrorCode::Closed)?;
        let number = Arc::new(AtomicU64::new(0));
        let telling = Telling {
            answered,
            user_data: user_data as usize,
            exchange: number.clone(),
            is_told: false,
        };
        let mut hearing = Hearing {
            home,
            telling: Some(telling),
        };
        let owed = Exchange::foreign(Box::new(move |answer| hearing.tell_soon(Some(answer))));
        number.store(owed.id(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { write_out(exchange, owed.id()) };
        server.handle_request(HttpRequest {
            head: given.head,
            body: given.body,
            remote: given.remote,
            secure: given.is_secure,
            exchange: owed,
        });
        Ok(OK)
    })
}

/// Hands over the connection of a client that the other HTTP server has sent an answer with status 101 to: the WebSocket is
/// open from now on. If that does not come within the server's handshake timeout, its handlers hear on_close without on_open.
///
/// descriptor: a connected TCP or Unix socket; on Windows a SOCKET. It is taken over, also by an error: the library closes
/// it. Of one that the other server closes itself give a dup(2), and have it close without shutdown(2). Where TLS is the
/// other server's, give one end of a socketpair(2), and copy what is decrypted to and from the other. rest: the rest_len
/// bytes that were read behind the request, copied.
///
/// Errors: SOCKLINE_ERR_CLOSED if it was cut, or its time is over, or it has its connection; SOCKLINE_ERR_INVALID_ARGUMENT if
/// it was not answered with 101, and for a descriptor that is none of these. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_upgraded(
    exchange: sockline_exchange,
    descriptor: i64,
    rest: *const c_void,
    rest_len: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header gives the descriptor away, and asks for readable bytes.
        let (socket, rest) = unsafe { (take_over(descriptor)?, bytes(rest, rest_len)?) };
        Exchange::upgraded(exchange, socket.into_socket()?, rest).map(|()| OK)
    })
}

/// The client of a request that sockline_server_handle_request has taken has gone, before its answer or its WebSocket's
/// connection. answered is called with NULL, if it was not called yet. Other servers say so of every connection that ends:
/// doing it afterwards is harmless. Errors: SOCKLINE_ERR_ALREADY_ANSWERED, also once it has ended. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_cut(exchange: sockline_exchange) -> sockline_status {
    guard(|| Exchange::cut(exchange).map(|()| OK))
}

/// Takes over a connection that another HTTP server of this process has accepted, whose first request it has read, and to
/// which it has sent nothing: it goes on, soon, as if this server had accepted it, with all that comes on it. For servers
/// that give a connection away before an answer; those that send the 101 themselves need sockline_server_handle_request.
///
/// descriptor, rest, rest_len: as for sockline_upgraded; rest has the request's body, too, as it was sent. request: as for
/// sockline_server_handle_request, but for body, remote_address and is_secure, which are not looked at. All but the
/// descriptor is copied.
///
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT with what is wrong, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_CLOSED,
/// SOCKLINE_ERR_WRONG_HANDLE. Where there is no room for it, the client is told so. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_server_adopt(
    server: sockline_server,
    descriptor: i64,
    request: *const sockline_http_request,
    rest: *const c_void,
    rest_len: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header gives the descriptor away, and asks for readable bytes and a struct as long as its size says, with
        // what it points to.
        let (socket, rest, given) = unsafe {
            (
                take_over(descriptor)?,
                bytes(rest, rest_len)?,
                read_request(request)?,
            )
        };
        let server = Server::from_raw(server)?;
        server.adopt(socket.into_socket()?, given.head, rest).map(|()| OK)
    })
}

/// Who hears the answer.
struct Hearing {
    home: Home,
    telling: Option<Telling>,
}

impl Hearing {
    /// In a turn of the loop's: an answer may be given, and the exchange dropped, from inside a call.
    fn tell_soon(&mut self, answer: Option<HttpAnswer>) {
        if let Some(telling) = self.telling.take() {
            self.home.run(Box::new(move || telling.tell(answer.as_ref())));
        }
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.tell_soon(None);
    }
}

/// A call that is owed to the application.
struct Telling {
    answered: Answered,
    user_data: usize,
    exchange: Arc<AtomicU64>,
    is_told: bool,
}

impl Telling {
    fn tell(mut self, answer: Option<&HttpAnswer>) {
        let Some(answer) = answer else { return }; // which is told when this is dropped
        self.is_told = true;
        let headers: Vec<sockline_header> = answer.headers.iter().map(header).collect();
        let shown = sockline_http_answer {
            size: size_of::<sockline_http_answer>(),
            status: answer.status.into(),
            headers: headers.as_ptr(),
            header_count: headers.len(),
            body: sockline_bytes::borrow(&answer.body),
        };
        self.call(&raw const shown);
    }

    fn call(&self, answer: *const sockline_http_answer) {
        let exchange = self.exchange.load(Ordering::Relaxed);
        // SAFETY: the header asks for a function of this type; what it gets is good until it returns.
        unsafe { (self.answered)(exchange, answer, self.user_data as *mut c_void) }
    }
}

/// Also where its loop has ended before it came to it.
impl Drop for Telling {
    fn drop(&mut self) {
        if !self.is_told {
            self.call(std::ptr::null());
        }
    }
}

fn header((name, value): &(String, String)) -> sockline_header {
    sockline_header {
        name: sockline_string::borrow(name.as_bytes()),
        value: sockline_string::borrow(value.as_bytes()),
    }
}

/// A request as the core has them.
struct Given {
    head: Request,
    remote: Option<SocketAddr>,
    is_secure: bool,
    body: Vec<u8>,
}

/// # Safety
/// `request` is NULL or a struct as long as its size says, and what it points to is readable.
unsafe fn read_request(request: *const sockline_http_request) -> Result<Given> {
    // SAFETY: the caller's promise covers the struct and all that it points to.
    unsafe {
        let given = read_struct(request)?.ok_or_else(|| invalid("request is NULL".to_owned()))?;
        let method = string(given.method)?;
        let target = read_target(&given)?;
        let mut fields: Vec<(&[u8], &[u8])> = Vec::with_capacity(given.header_count.min(100));
        for header in array(given.headers, given.header_count)? {
            let (name, value) = (header.name, header.value);
            fields.push((
                bytes(name.data.cast(), name.len)?,
                bytes(value.data.cast(), value.len)?,
            ));
        }
        let head = Request::of(method, &target, fields);
        Ok(Given {
            head: head.ok_or_else(|| invalid(format!("{method:?} is not a method of HTTP")))?,
            remote: read_address(string(given.remote_address)?)?,
            is_secure: given.is_secure != 0,
            body: bytes(given.body.data, given.body.len)?.to_vec(),
        })
    }
}

/// # Safety
/// The strings are readable.
unsafe fn read_target(given: &sockline_http_request) -> Result<String> {
    // SAFETY: the caller's promise.
    let (path, query) = unsafe { (string(given.path)?, string(given.query)?) };
    let target = match given.query.data.is_null() {
        true => path.to_owned(),
        false if path.contains('?') => {
            return Err(invalid(format!(
                "query is given beside the path {path:?}, which has one"
            )));
        }
        false => format!("{path}?{query}"),
    };
    let is_target = target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic());
    match is_target {
        true => Ok(target),
        false => Err(invalid(format!(
            "{target:?} is no path as HTTP has them: with a \"/\" first and percent-encoded"
        ))),
    }
}

/// With a port or without.
fn read_address(text: &str) -> Result<Option<SocketAddr>> {
    if text.is_empty() {
        return Ok(None);
    }
    let with_port = text.parse::<SocketAddr>().ok();
    let without = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 0));
    match with_port.or_else(without) {
        Some(address) => Ok(Some(address)),
        None => Err(invalid(format!("remote_address {text:?} is no IP address"))),
    }
}
