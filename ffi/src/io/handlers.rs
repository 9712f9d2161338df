//! Callbacks of a Socket.IO server.

use std::ffi::c_void;

use sockline::io::{
    AckResult, BroadcastAcks, ConnectQuestion, ConnectionError, DisconnectReason, EnginePacket, Event,
    Handler, Namespace, NamespaceQuestion, Outgoing, RequestQuestion, RoomEvent, Server, ServerAck,
    ServerEvent, Socket,
};

use sockline::http::Request;

use super::attachments;
use super::cluster::with_responses;
use super::packets::{sockline_io_engine_packet, with_packet};
use super::request::{RequestLists, sockline_io_connection_error, sockline_io_request, with_refused};
use super::types::{
    outcome_number, sockline_io_ack, sockline_io_namespace, sockline_io_question, sockline_io_room_event,
    sockline_io_server, sockline_io_socket,
};
use crate::abi::{Versioned, string};
use crate::guard::guard;
use crate::routes::{RequestParts, sockline_http_request};
use crate::status::{OK, sockline_status};
use crate::types::{sockline_bytes, sockline_string};

/// An event that came; borrowed until the callback returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_event {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// Its name.
    pub name: sockline_string,
    /// The arguments: JSON values with commas between them, or empty; as sockline_io_emit takes them. A binary value is
    /// {"_placeholder":true,"num":0} with the number of its attachment.
    pub args: sockline_string,
    /// The whole event as one JSON array: the name, then the arguments.
    pub array: sockline_string,
    /// The binary values, attachment_count of them.
    pub attachments: *const sockline_bytes,
    /// How many those are.
    pub attachment_count: usize,
    /// The answer that the other side waits for, to be sent by sockline_io_ack_send; 0 if it doesn't.
    pub ack: sockline_io_ack,
}

/// What has become of an event that asked for an answer; borrowed until the callback returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_ack_event {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// What it is, as one of enum sockline_io_outcome; the rest is empty unless it is SOCKLINE_IO_ANSWERED.
    pub outcome: i32,
    /// 0.
    pub reserved: i32,
    /// The token of the event.
    pub token: *mut c_void,
    /// The answer, as in sockline_io_event.args.
    pub args: sockline_string,
    /// The binary values, attachment_count of them.
    pub attachments: *const sockline_bytes,
    /// How many those are.
    pub attachment_count: usize,
}

/// One client's answer to a broadcast.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_response {
    /// The answer, as in sockline_io_event.args.
    pub args: sockline_string,
    /// The binary values, attachment_count of them.
    pub attachments: *const sockline_bytes,
    /// How many those are.
    pub attachment_count: usize,
}

/// The answers to a broadcast; borrowed until the callback returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_broadcast_ack_event {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// The token of the broadcast.
    pub token: *mut c_void,
    /// The answers that came, response_count of them.
    pub responses: *const sockline_io_response,
    /// How many those are.
    pub response_count: usize,
    /// How many sockets had been asked.
    pub expected: usize,
    /// 1 if the time was up before all had answered.
    pub timed_out: i64,
}

/// Response headers that are about to be sent, for sockline_io_add_header; borrowed until on_headers returns.
pub struct sockline_io_headers(Vec<(String, String)>);

/// Adds a header to the response; both are copied. Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Only within
/// on_headers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_add_header(
    headers: *mut sockline_io_headers,
    name: sockline_string,
    value: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for what on_headers was given, and for readable text.
        unsafe {
            let headers = headers
                .as_mut()
                .ok_or_else(|| crate::abi::invalid("headers is NULL".to_owned()))?;
            headers
                .0
                .push((string(name)?.to_owned(), string(value)?.to_owned()));
        }
        Ok(OK)
    })
}

/// The callbacks of a Socket.IO server. Start from SOCKLINE_IO_HANDLERS_INIT and set those that you need; NULL ignores the
/// event, allows what is asked, and denies namespaces that are not there. The struct is copied by the call that takes it.
///
/// What concerns one socket comes on one thread, the one that turns the loop on which its session began, one after the other:
/// on_connecting, on_connection, events and acks in the order of their arrival, on_disconnecting, what is left of its acks,
/// on_disconnect, last. A callback may call anything; no call runs another callback before the present one has returned. No C++
/// exception and no longjmp may leave a callback.
///
/// user_data is what was given with the handlers. It stays yours: free it in on_server_closed.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_handlers {
    /// sizeof(sockline_io_handlers), as the INIT macro sets it.
    pub size: usize,
    /// A socket is connected; its client has been told.
    pub on_connection: Option<unsafe extern "C" fn(socket: sockline_io_socket, user_data: *mut c_void)>,
    /// An event came. event is borrowed until the callback returns.
    pub on_event: Option<
        unsafe extern "C" fn(
            socket: sockline_io_socket,
            event: *const sockline_io_event,
            user_data: *mut c_void,
        ),
    >,
    /// What has become of an event that was emitted with wants_ack: exactly once for each that was accepted.
    pub on_ack: Option<
        unsafe extern "C" fn(
            socket: sockline_io_socket,
            event: *const sockline_io_ack_event,
            user_data: *mut c_void,
        ),
    >,
    /// What waits to be sent to the socket's client fell to half of the high-water mark, after an emit had said
    /// SOCKLINE_OVER_MARK. Each socket of the client hears it.
    pub on_drain: Option<unsafe extern "C" fn(socket: sockline_io_socket, user_data: *mut c_void)>,
    /// A socket is about to go: it is still in its rooms, but no longer connected. reason: one of enum sockline_io_reason.
    pub on_disconnecting:
        Option<unsafe extern "C" fn(socket: sockline_io_socket, reason: i32, user_data: *mut c_void)>,
    /// A socket has gone. The last event of this handle. detail says more of the cause, for people, or is empty; borrowed.
    pub on_disconnect: Option<
        unsafe extern "C" fn(
            socket: sockline_io_socket,
            reason: i32,
            detail: sockline_string,
            user_data: *mut c_void,
        ),
    >,
    /// A client wants to be connected to a namespace (use): its socket is there, not connected yet. Answer with
    /// sockline_io_allow_connection or sockline_io_deny_connection, here or later from any thread. NULL allows.
    pub on_connecting: Option<
        unsafe extern "C" fn(
            question: sockline_io_question,
            socket: sockline_io_socket,
            user_data: *mut c_void,
        ),
    >,
    /// A socket that was asked about in on_connecting will never be connected. The last event of this handle.
    pub on_connect_abandoned:
        Option<unsafe extern "C" fn(socket: sockline_io_socket, user_data: *mut c_void)>,
    /// A client asks for a namespace that is not there; auth is what it says of itself, as JSON. Answer with
    /// sockline_io_answer_namespace, here or later from any thread. name, auth and request are borrowed. NULL denies, and the
    /// client hears "Invalid namespace".
    pub on_namespace: Option<
        unsafe extern "C" fn(
            question: sockline_io_question,
            name: sockline_string,
            auth: sockline_string,
            request: *const sockline_io_request,
            user_data: *mut c_void,
        ),
    >,
    /// A namespace was made, by sockline_io_of or for a client. Not told of "/".
    pub on_new_namespace: Option<unsafe extern "C" fn(nsp: sockline_io_namespace, user_data: *mut c_void)>,
    /// A new session is asked for (allowRequest), or, with ask_upgrades, the WebSocket that one goes over to. Answer with
    /// sockline_io_answer_request, sockline_io_allow_request_as, sockline_io_deny_bad_request or sockline_io_respond, here or later
    /// from any thread. request is borrowed. NULL allows.
    pub on_request: Option<
        unsafe extern "C" fn(
            question: sockline_io_question,
            request: *const sockline_io_request,
            user_data: *mut c_void,
        ),
    >,
    /// The HTTP response to a request is about to be sent: sockline_io_add_header can add to it. is_initial: 1 for the one that
    /// begins the session (initial_headers), otherwise 0 (headers). Of request, remote_address, body and is_secure are not set.
    pub on_headers: Option<
        unsafe extern "C" fn(
            request: *const sockline_http_request,
            is_initial: i32,
            headers: *mut sockline_io_headers,
            user_data: *mut c_void,
        ),
    >,
    /// A request was refused (connection_error).
    pub on_connection_error:
        Option<unsafe extern "C" fn(error: *const sockline_io_connection_error, user_data: *mut c_void)>,
    /// The answers to a broadcast that was emitted with sockline_io_broadcast_emit_with_ack: exactly once.
    pub on_broadcast_ack: Option<
        unsafe extern "C" fn(
            nsp: sockline_io_namespace,
            event: *const sockline_io_broadcast_ack_event,
            user_data: *mut c_void,
        ),
    >,
    /// A broadcast has sent an event to this socket, which sockline_io_socket_hear_outgoing was called for (onAnyOutgoing).
    /// Only event.array and event.attachments are set.
    pub on_outgoing: Option<
        unsafe extern "C" fn(
            socket: sockline_io_socket,
            event: *const sockline_io_event,
            user_data: *mut c_void,
        ),
    >,
    /// The socket's client has moved from HTTP requests to a WebSocket. Each socket of the client hears it.
    pub on_upgrade: Option<unsafe extern "C" fn(socket: sockline_io_socket, user_data: *mut c_void)>,
    /// Something happened to a room: event is one of enum sockline_io_room_event; id is the socket's that joined or left, or
    /// empty. The rooms that sockets have to themselves count too. Borrowed.
    pub on_room: Option<
        unsafe extern "C" fn(
            nsp: sockline_io_namespace,
            event: i32,
            room: sockline_string,
            id: sockline_string,
            user_data: *mut c_void,
        ),
    >,
    /// sockline_io_server_close is done: all sockets and sessions have gone. The last event of this server. If its loop has ended
    /// before, it comes on the thread that finds it out.
    pub on_server_closed: Option<unsafe extern "C" fn(server: sockline_io_server, user_data: *mut c_void)>,
    /// Another server of the cluster, or an emitter, has emitted an event (serverSideEmit): sockline_io_server_side_emit. If
    /// event.ack is not 0, answer with sockline_io_server_ack_send, here or later from any thread. event is borrowed. NULL answers
    /// nothing, and who waits for an answer counts this server as missing.
    pub on_server_side_emit: Option<
        unsafe extern "C" fn(
            nsp: sockline_io_namespace,
            event: *const sockline_io_event,
            user_data: *mut c_void,
        ),
    >,
    /// An Engine.IO packet of a client's session: one that came (packet), or one that is on its way out (packetCreate), which is
    /// a message, a ping or a pong. For watching, on the thread of the session's sockets; it costs a copy of each packet that is
    /// sent. session_id: as sockline_io_socket_session_id writes it. Borrowed.
    pub on_packet: Option<
        unsafe extern "C" fn(
            session_id: sockline_string,
            packet: *const sockline_io_engine_packet,
            user_data: *mut c_void,
        ),
    >,
}

// SAFETY: `repr(C)`, `size` first; zeroes are a number and no functions.
unsafe impl Versioned for sockline_io_handlers {
    const NAME: &'static str = "sockline_io_handlers";
}

/// Tells C what happens to a server.
pub(super) struct Hearing {
    pub(super) handlers: sockline_io_handlers,
    pub(super) user_data: usize,
}

impl Hearing {
    fn user_data(&self) -> *mut c_void {
        self.user_data as *mut c_void
    }

    /// `from` is the number of a socket or a namespace.
    fn event(
        &self,
        call: unsafe extern "C" fn(u64, *const sockline_io_event, *mut c_void),
        from: u64,
        shown: Shown<'_>,
    ) {
        let event = sockline_io_event {
            size: size_of::<sockline_io_event>(),
            name: sockline_string::borrow(shown.name.as_bytes()),
            args: sockline_string::borrow(shown.args.as_bytes()),
            array: sockline_string::borrow(shown.array.as_bytes()),
            attachments: shown.attachments.as_ptr(),
            attachment_count: shown.attachments.len(),
            ack: shown.ack,
        };
        // SAFETY: as said below.
        unsafe { call(from, &raw const event, self.user_data()) }
    }
}

/// An event on its way to C.
struct Shown<'a> {
    name: &'a str,
    args: &'a str,
    array: &'a str,
    attachments: Vec<sockline_bytes>,
    ack: sockline_io_ack,
}

// The SAFETY of every call below: the header asks for functions of these types, which take their arguments as
// described; pointers that they get are good until they return.
impl Handler for Hearing {
    fn on_request(&self, question: RequestQuestion) {
        let Some(call) = self.handlers.on_request else {
            return question.allow();
        };
        let request = question.request().clone();
        let lists = RequestLists::of(&request);
        let shown = sockline_io_request {
            is_upgrade: question.is_upgrade().into(),
            ..lists.request(&request)
        };
        // SAFETY: as said above.
        unsafe { call(question.into_raw(), &raw const shown, self.user_data()) }
    }

    fn on_headers(&self, initial: bool, request: &Request, headers: &mut Vec<(String, String)>) {
        let Some(call) = self.handlers.on_headers else {
            return;
        };
        let parts = RequestParts::of(request, None);
        let shown = parts.request(request, &[], false);
        let mut lent = sockline_io_headers(std::mem::take(headers));
        // SAFETY: as said above.
        unsafe {
            call(
                &raw const shown,
                i32::from(initial),
                &raw mut lent,
                self.user_data(),
            )
        }
        *headers = lent.0;
    }

    fn on_packet(&self, session_id: &str, packet: &EnginePacket<'_>) {
        if let Some(call) = self.handlers.on_packet {
            let id = sockline_string::borrow(session_id.as_bytes());
            // SAFETY: as said above.
            with_packet(packet, |packet| unsafe { call(id, packet, self.user_data()) });
        }
    }

    fn on_connection_error(&self, error: &ConnectionError) {
        if let Some(call) = self.handlers.on_connection_error {
            // SAFETY: as said above.
            with_refused(error, |error| unsafe { call(error, self.user_data()) });
        }
    }

    fn on_namespace(&self, question: NamespaceQuestion) {
        let Some(call) = self.handlers.on_namespace else {
            return question.deny();
        };
        let (name, auth) = (question.name().to_owned(), question.auth().to_owned());
        let request = question.request().clone();
        let lists = RequestLists::of(&request);
        let shown = lists.request(&request);
        let (name, auth) = (
            sockline_string::borrow(name.as_bytes()),
            sockline_string::borrow(auth.as_bytes()),
        );
        // SAFETY: as said above.
        unsafe {
            call(
                question.into_raw(),
                name,
                auth,
                &raw const shown,
                self.user_data(),
            )
        }
    }

    fn on_new_namespace(&self, namespace: &Namespace) {
        if let Some(call) = self.handlers.on_new_namespace {
            // SAFETY: as said above.
            unsafe { call(namespace.raw(), self.user_data()) }
        }
    }

    fn on_connecting(&self, question: ConnectQuestion) {
        let Some(call) = self.handlers.on_connecting else {
            return question.allow();
        };
        let socket = question.socket().raw();
        // SAFETY: as said above.
        unsafe { call(question.into_raw(), socket, self.user_data()) }
    }

    fn on_connect_abandoned(&self, socket: &Socket) {
        if let Some(call) = self.handlers.on_connect_abandoned {
            // SAFETY: as said above.
            unsafe { call(socket.raw(), self.user_data()) }
        }
    }

    fn on_connection(&self, socket: &Socket) {
        if let Some(call) = self.handlers.on_connection {
            // SAFETY: as said above.
            unsafe { call(socket.raw(), self.user_data()) }
        }
    }

    fn on_event(&self, socket: &Socket, event: Event<'_>) {
        let Some(call) = self.handlers.on_event else {
            return;
        };
        let show = |ack| {
            let shown = Shown {
                name: &event.name,
                args: event.args,
                array: event.array,
                attachments: attachments::borrow(event.attachments),
                ack,
            };
            self.event(call, socket.raw(), shown);
        };
        match event.ack {
            Some(ack) => ack.lend(show),
            None => show(0),
        }
    }

    fn on_outgoing(&self, socket: &Socket, event: Outgoing<'_>) {
        let Some(call) = self.handlers.on_outgoing else {
            return;
        };
        let shown = Shown {
            name: "",
            args: "",
            array: event.array,
            attachments: attachments::borrow(event.attachments),
            ack: 0,
        };
        self.event(call, socket.raw(), shown);
    }

    fn on_ack(&self, socket: &Socket, token: u64, result: AckResult<'_>) {
        let Some(call) = self.handlers.on_ack else { return };
        with_ack(token, &result, |event| {
            // SAFETY: as said above.
            unsafe { call(socket.raw(), event, self.user_data()) }
        });
    }

    fn on_broadcast_ack(&self, namespace: &Namespace, token: u64, acks: BroadcastAcks<'_>) {
        let Some(call) = self.handlers.on_broadcast_ack else {
            return;
        };
        with_responses(acks.responses, |responses| {
            let event = sockline_io_broadcast_ack_event {
                size: size_of::<sockline_io_broadcast_ack_event>(),
                token: token as *mut c_void,
                responses: responses.as_ptr(),
                response_count: responses.len(),
                expected: acks.expected,
                timed_out: i64::from(acks.timed_out),
            };
            // SAFETY: as said above.
            unsafe { call(namespace.raw(), &raw const event, self.user_data()) }
        });
    }

    fn on_drain(&self, socket: &Socket) {
        if let Some(call) = self.handlers.on_drain {
            // SAFETY: as said above.
            unsafe { call(socket.raw(), self.user_data()) }
        }
    }

    fn on_upgrade(&self, socket: &Socket) {
        if let Some(call) = self.handlers.on_upgrade {
            // SAFETY: as said above.
            unsafe { call(socket.raw(), self.user_data()) }
        }
    }

    fn on_disconnecting(&self, socket: &Socket, reason: DisconnectReason) {
        if let Some(call) = self.handlers.on_disconnecting {
            // SAFETY: as said above.
            unsafe { call(socket.raw(), reason as i32, self.user_data()) }
        }
    }

    fn on_disconnect(&self, socket: &Socket, reason: DisconnectReason, detail: &str) {
        if let Some(call) = self.handlers.on_disconnect {
            let detail = sockline_string::borrow(detail.as_bytes());
            // SAFETY: as said above.
            unsafe { call(socket.raw(), reason as i32, detail, self.user_data()) }
        }
    }

    fn on_room(&self, namespace: &Namespace, event: RoomEvent<'_>) {
        use sockline_io_room_event as number;
        let Some(call) = self.handlers.on_room else { return };
        let (number, room, id) = match event {
            RoomEvent::Created { room } => (number::SOCKLINE_IO_ROOM_CREATED, room, ""),
            RoomEvent::Joined { room, id } => (number::SOCKLINE_IO_ROOM_JOINED, room, id),
            RoomEvent::Left { room, id } => (number::SOCKLINE_IO_ROOM_LEFT, room, id),
            RoomEvent::Deleted { room } => (number::SOCKLINE_IO_ROOM_DELETED, room, ""),
        };
        let (room, id) = (
            sockline_string::borrow(room.as_bytes()),
            sockline_string::borrow(id.as_bytes()),
        );
        // SAFETY: as said above.
        unsafe { call(namespace.raw(), number as i32, room, id, self.user_data()) }
    }

    fn on_server_side_emit(&self, namespace: &Namespace, event: ServerEvent<'_>) {
        let Some(call) = self.handlers.on_server_side_emit else {
            return;
        };
        let shown = Shown {
            name: &event.name,
            args: event.args,
            array: event.array,
            attachments: attachments::borrow(event.attachments),
            ack: event.ack.map_or(0, ServerAck::into_raw),
        };
        self.event(call, namespace.raw(), shown);
    }

    fn on_server_closed(&self, server: &Server) {
        super::server::let_go(server);
        if let Some(call) = self.handlers.on_server_closed {
            // SAFETY: as said above.
            unsafe { call(server.raw(), self.user_data()) }
        }
    }
}

/// An answer as C sees it.
pub(super) fn with_ack<T>(
    token: u64,
    result: &AckResult<'_>,
    act: impl FnOnce(*const sockline_io_ack_event) -> T,
) -> T {
    let (args, binary) = match *result {
        AckResult::Answered { args, attachments } => (args, attachments::borrow(attachments)),
        AckResult::Timeout | AckResult::Disconnected => ("", Vec::new()),
    };
    let event = sockline_io_ack_event {
        size: size_of::<sockline_io_ack_event>(),
        outcome: outcome_number(result),
        reserved: 0,
        token: token as *mut c_void,
        args: sockline_string::borrow(args.as_bytes()),
        attachments: binary.as_ptr(),
        attachment_count: binary.len(),
    };
    act(&raw const event)
}
