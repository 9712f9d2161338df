//! Callbacks: what C is told, and the objects of the core that tell it.

use std::ffi::{CString, c_int, c_void};
use std::sync::Arc;

use sockline::{
    Attempt, CloseEvent, Error, Handler, Message, MessagePart, Reconnecting, Result, SendOutcome, Server,
    ServerHandler, UpgradeRequest, WebSocket,
};

use crate::abi::{Versioned, read_struct};
use crate::guard::c_text;
use crate::reconnect::{sockline_attempt, sockline_reconnecting_event, with_attempt, with_event};
use crate::tls::tls_error;
use crate::types::{
    sockline_bytes, sockline_header, sockline_part_edges, sockline_server, sockline_string, sockline_ws,
};
use crate::upgrade::{Asked, Lists, sockline_request};
use crate::websocket::sockline_send_outcome;

/// Why a connection failed, or could not be made; borrowed until the callback returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_error_event {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// What went wrong, as one of enum sockline_status_code; below 0.
    pub status: i32,
    /// The HTTP status that a server answered instead of 101, for SOCKLINE_ERR_REFUSED; otherwise 0.
    pub http_status: i32,
    /// What failed, with what value, and what to do. Ended by a NUL too.
    pub text: sockline_string,
    /// The system's number for it (errno), for SOCKLINE_ERR_CONNECT_FAILED (that of the last address tried) and
    /// SOCKLINE_ERR_IO, where the system gave one; otherwise 0.
    pub os_error: i32,
    /// What was wrong, for SOCKLINE_ERR_TLS, as one of enum sockline_tls_error; otherwise 0.
    pub tls_error: i32,
    /// What a server answered instead of 101, for SOCKLINE_ERR_REFUSED: its headers in their order, names in lower case.
    pub response_headers: *const sockline_header,
    /// How many those are.
    pub response_header_count: usize,
    /// The answer's body: its first 64 KiB, as far as they came in time.
    pub response_body: sockline_bytes,
}

/// How a connection ended; borrowed until the callback returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_close_event {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// The peer's close code; 1005 if its close frame had none, 1006 if no close frame came (RFC 6455 section 7.1.5).
    pub code: i32,
    /// 1 if both close frames were exchanged, otherwise 0.
    pub was_clean: i32,
    /// The peer's reason; empty if there was none. Ended by a NUL too.
    pub reason: sockline_string,
}

/// The callbacks of a connection, and those of a server. Start from SOCKLINE_HANDLERS_INIT and set those that you
/// need; NULL ignores the event. The struct is copied by the call that takes it, so one can serve many.
///
/// All run on the loop's thread, one after the other, and each connection's in this order: on_open once, messages in
/// the order of their arrival, on_error at most once and right before on_close, on_close exactly once, last. A
/// callback may call anything on any handle, and free its loop; none of these calls another callback before the
/// present one has returned. No C++ exception and no longjmp may leave a callback.
///
/// user_data is what was given with the handlers. It stays yours: free it in on_close, and a server's in
/// on_server_closed, after which the library does not touch it any more.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_handlers {
    /// sizeof(sockline_handlers), as the INIT macro sets it.
    pub size: usize,
    /// The opening handshake is done; messages can be sent.
    pub on_open: Option<unsafe extern "C" fn(ws: sockline_ws, user_data: *mut c_void)>,
    /// A whole message came. type: SOCKLINE_TEXT, then data is valid UTF-8, or SOCKLINE_BINARY. data is borrowed until
    /// the callback returns, and not ended by a NUL.
    pub on_message: Option<
        unsafe extern "C" fn(
            ws: sockline_ws,
            r#type: i32,
            data: *const c_void,
            len: usize,
            user_data: *mut c_void,
        ),
    >,
    /// A ping came; its pong is already on its way (RFC 6455 section 5.5.2). data is borrowed as in on_message.
    pub on_ping: Option<
        unsafe extern "C" fn(ws: sockline_ws, data: *const c_void, len: usize, user_data: *mut c_void),
    >,
    /// A pong came (RFC 6455 section 5.5.3). data is borrowed as in on_message.
    pub on_pong: Option<
        unsafe extern "C" fn(ws: sockline_ws, data: *const c_void, len: usize, user_data: *mut c_void),
    >,
    /// What waits to be sent fell to half of the high-water mark, after a send had said SOCKLINE_OVER_MARK: go on
    /// sending. Once per crossing.
    pub on_drain: Option<unsafe extern "C" fn(ws: sockline_ws, user_data: *mut c_void)>,
    /// The connection failed, or could not be made; on_close follows at once.
    pub on_error: Option<
        unsafe extern "C" fn(ws: sockline_ws, event: *const sockline_error_event, user_data: *mut c_void),
    >,
    /// The connection has ended, or was never made. The last event of this handle.
    pub on_close: Option<
        unsafe extern "C" fn(ws: sockline_ws, event: *const sockline_close_event, user_data: *mut c_void),
    >,
    /// Servers only: a client asks for an upgrade. Answer with sockline_accept or sockline_refuse, here or later from
    /// any thread; after the handshake timeout the client gets status 503. request is borrowed until the callback
    /// returns. user_data is the server's. NULL accepts every request. If the client leaves before it was accepted,
    /// no event follows, and the answer gets SOCKLINE_ERR_CLOSED.
    pub on_upgrade: Option<
        unsafe extern "C" fn(ws: sockline_ws, request: *const sockline_request, user_data: *mut c_void),
    >,
    /// Servers only: the listener is closed and the last of its connections has ended. The last event of this handle.
    pub on_server_closed: Option<unsafe extern "C" fn(server: sockline_server, user_data: *mut c_void)>,
    /// Clients with sockline_options.reconnect only: the connection is lost, or could not be made, and another attempt
    /// follows. The state is SOCKLINE_CONNECTING from here on.
    pub on_reconnecting: Option<
        unsafe extern "C" fn(
            ws: sockline_ws,
            event: *const sockline_reconnecting_event,
            user_data: *mut c_void,
        ),
    >,
    /// The same: another attempt begins when this returns, with what sockline_attempt_set_url and
    /// sockline_attempt_set_header have changed of it. Not called before the first attempt of all.
    pub on_attempt:
        Option<unsafe extern "C" fn(ws: sockline_ws, attempt: *mut sockline_attempt, user_data: *mut c_void)>,
    /// The same: there is a connection again; messages can be sent.
    pub on_reconnected: Option<unsafe extern "C" fn(ws: sockline_ws, user_data: *mut c_void)>,
    /// What has become of a message that was sent with sockline_send_options.wants_result: exactly once for each that was
    /// accepted, and before on_close. outcome: one of enum sockline_send_outcome. Messages with the same outcome come in
    /// the order in which they were sent.
    pub on_sent: Option<
        unsafe extern "C" fn(ws: sockline_ws, token: *mut c_void, outcome: i32, user_data: *mut c_void),
    >,
    /// A part of a message came, as soon as it was there; instead of on_message, if sockline_settings.message_parts says
    /// so. edges: SOCKLINE_PART_FIRST and SOCKLINE_PART_LAST, or both, or 0. data is borrowed as in on_message; of a text
    /// it is whole characters. sockline_pause holds between two parts, too. A connection can end before the last part.
    pub on_message_part: Option<
        unsafe extern "C" fn(
            ws: sockline_ws,
            r#type: i32,
            data: *const c_void,
            len: usize,
            edges: i32,
            user_data: *mut c_void,
        ),
    >,
}

// SAFETY: `repr(C)`, `size` first; zeroes are a number and no functions.
unsafe impl Versioned for sockline_handlers {
    const NAME: &'static str = "sockline_handlers";
}

/// # Safety
/// `given` is NULL or a struct as long as its size says.
pub(crate) unsafe fn read_handlers(given: *const sockline_handlers) -> Result<Option<Arc<dyn Handler>>> {
    // SAFETY: the caller's promise is the same.
    let handlers = unsafe { read_struct(given) }?;
    Ok(handlers.map(|handlers| Arc::new(Connected(handlers)) as Arc<dyn Handler>))
}

/// The server's side of handlers; `None` if it has none, so that the core's default accepts.
pub(crate) fn server_handler(handlers: sockline_handlers, user_data: *mut c_void) -> Arc<dyn ServerHandler> {
    Arc::new(Serving {
        handlers,
        user_data: user_data as usize,
    })
}

/// Tells C what happens to a connection. Its word of user data travels in the handle.
pub(crate) struct Connected(pub(crate) sockline_handlers);

// The SAFETY of every call below: the header asks for functions of these types, which take their arguments as
// described; pointers that they get are good until they return.
impl Handler for Connected {
    fn on_open(&self, ws: WebSocket) {
        if let Some(call) = self.0.on_open {
            // SAFETY: as said above.
            unsafe { call(ws.raw(), user_data(ws)) }
        }
    }

    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        if let Some(call) = self.0.on_message {
            let data = message.as_bytes();
            // SAFETY: as said above.
            unsafe {
                call(
                    ws.raw(),
                    message.kind() as i32,
                    data.as_ptr().cast(),
                    data.len(),
                    user_data(ws),
                )
            }
        }
    }

    fn on_message_part(&self, ws: WebSocket, part: MessagePart<'_>) {
        if let Some(call) = self.0.on_message_part {
            let (data, edges) = (part.as_bytes(), edges(part.is_first(), part.is_last()));
            // SAFETY: as said above.
            unsafe {
                call(
                    ws.raw(),
                    part.kind() as i32,
                    data.as_ptr().cast(),
                    data.len(),
                    edges,
                    user_data(ws),
                )
            }
        }
    }

    fn on_ping(&self, ws: WebSocket, payload: &[u8]) {
        if let Some(call) = self.0.on_ping {
            // SAFETY: as said above.
            unsafe { call(ws.raw(), payload.as_ptr().cast(), payload.len(), user_data(ws)) }
        }
    }

    fn on_pong(&self, ws: WebSocket, payload: &[u8]) {
        if let Some(call) = self.0.on_pong {
            // SAFETY: as said above.
            unsafe { call(ws.raw(), payload.as_ptr().cast(), payload.len(), user_data(ws)) }
        }
    }

    fn on_drain(&self, ws: WebSocket) {
        if let Some(call) = self.0.on_drain {
            // SAFETY: as said above.
            unsafe { call(ws.raw(), user_data(ws)) }
        }
    }

    fn on_reconnecting(&self, ws: WebSocket, event: &Reconnecting) {
        if let Some(call) = self.0.on_reconnecting {
            // SAFETY: as said above.
            with_event(event, |event| unsafe { call(ws.raw(), event, user_data(ws)) });
        }
    }

    fn on_attempt(&self, ws: WebSocket, attempt: &mut Attempt) {
        if let Some(call) = self.0.on_attempt {
            // SAFETY: as said above.
            with_attempt(attempt, |attempt| unsafe {
                call(ws.raw(), attempt, user_data(ws))
            });
        }
    }

    fn on_reconnected(&self, ws: WebSocket) {
        if let Some(call) = self.0.on_reconnected {
            // SAFETY: as said above.
            unsafe { call(ws.raw(), user_data(ws)) }
        }
    }

    fn on_sent(&self, ws: WebSocket, token: u64, outcome: SendOutcome) {
        if let Some(call) = self.0.on_sent {
            // SAFETY: as said above.
            unsafe {
                call(
                    ws.raw(),
                    token as *mut c_void,
                    outcome_number(outcome),
                    user_data(ws),
                )
            }
        }
    }

    fn on_error(&self, ws: WebSocket, error: &Error) {
        let Some(call) = self.0.on_error else { return };
        let parts = ErrorParts::of(error);
        let event = parts.event(error);
        // SAFETY: as said above.
        unsafe { call(ws.raw(), &raw const event, user_data(ws)) }
    }

    fn on_close(&self, ws: WebSocket, close: &CloseEvent) {
        let Some(call) = self.0.on_close else { return };
        let mut reason = close.reason.clone().into_bytes();
        reason.push(0);
        let event = sockline_close_event {
            size: size_of::<sockline_close_event>(),
            code: i32::from(close.code),
            was_clean: c_int::from(close.was_clean),
            reason: sockline_string {
                data: reason.as_ptr().cast(),
                len: reason.len() - 1,
            },
        };
        // SAFETY: as said above.
        unsafe { call(ws.raw(), &raw const event, user_data(ws)) }
    }
}

/// The bits that say where in its message a part is.
pub(crate) fn edges(is_first: bool, is_last: bool) -> i32 {
    let first = sockline_part_edges::SOCKLINE_PART_FIRST as i32;
    let last = sockline_part_edges::SOCKLINE_PART_LAST as i32;
    (i32::from(is_first) * first) | (i32::from(is_last) * last)
}

pub(crate) fn outcome_number(outcome: SendOutcome) -> i32 {
    use sockline_send_outcome as number;
    let number = match outcome {
        SendOutcome::Taken => number::SOCKLINE_SENT_TAKEN,
        SendOutcome::Dropped => number::SOCKLINE_SENT_DROPPED,
        SendOutcome::Expired => number::SOCKLINE_SENT_EXPIRED,
        SendOutcome::Failed => number::SOCKLINE_SENT_FAILED,
    };
    number as i32
}

/// The parts of an error that need memory of their own while C looks at it.
pub(crate) struct ErrorParts {
    text: CString,
    headers: Vec<sockline_header>,
}

impl ErrorParts {
    pub(crate) fn of(error: &Error) -> ErrorParts {
        let headers = error.response().map(|response| borrow_headers(&response.headers));
        ErrorParts {
            text: c_text(error.text()),
            headers: headers.unwrap_or_default(),
        }
    }

    /// What failed; ended by a NUL, and good as long as these parts are.
    pub(crate) fn text(&self) -> sockline_string {
        sockline_string::borrow(self.text.as_bytes())
    }

    pub(crate) fn event(&self, error: &Error) -> sockline_error_event {
        let body = error.response().map_or(&[][..], |response| &response.body);
        sockline_error_event {
            size: size_of::<sockline_error_event>(),
            status: error.code() as i32,
            http_status: error.http_status().map_or(0, i32::from),
            text: self.text(),
            os_error: error.os_error().unwrap_or(0),
            tls_error: error.tls_error().map_or(0, tls_error),
            response_headers: self.headers.as_ptr(),
            response_header_count: self.headers.len(),
            response_body: sockline_bytes::borrow(body),
        }
    }
}

/// Headers as C sees them.
pub(crate) fn borrow_headers(headers: &[(String, Vec<u8>)]) -> Vec<sockline_header> {
    let one = |(name, value): &(String, Vec<u8>)| sockline_header {
        name: sockline_string::borrow(name.as_bytes()),
        value: sockline_string::borrow(value),
    };
    headers.iter().map(one).collect()
}

/// Tells C what happens to a server.
struct Serving {
    handlers: sockline_handlers,
    user_data: usize,
}

impl ServerHandler for Serving {
    fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
        let Some(call) = self.handlers.on_upgrade else {
            return sockline::AcceptAll.on_upgrade(request);
        };
        let asked = Asked::from(request);
        let lists = Lists::of(&asked);
        let event = lists.event(&asked);
        // SAFETY: as said above.
        unsafe {
            call(
                request.websocket().raw(),
                &raw const event,
                self.user_data as *mut c_void,
            )
        }
    }

    fn on_server_closed(&self, server: Server) {
        if let Some(call) = self.handlers.on_server_closed {
            // SAFETY: as said above.
            unsafe { call(server.raw(), self.user_data as *mut c_void) }
        }
    }
}

fn user_data(ws: WebSocket) -> *mut c_void {
    ws.user_data() as *mut c_void
}
