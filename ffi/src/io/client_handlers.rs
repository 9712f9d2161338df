//! Callbacks of a Socket.IO client.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sockline::io::{
    AckResult, AuthQuestion, ClientAck, ClientEvent, ClientHandler, ClientReason, ClientSocket, ConnectError,
    EnginePacket, Manager, ManagerHandler,
};
use sockline::{Error, Result};

use super::attachments;
use super::handlers::{sockline_io_ack_event, sockline_io_event, with_ack};
use super::packets::{sockline_io_engine_packet, with_packet};
use super::types::{sockline_io_client, sockline_io_manager, sockline_io_question};
use crate::abi::{Versioned, read_struct};
use crate::handlers::{ErrorParts, sockline_error_event};
use crate::types::sockline_string;

/// Why a socket could not connect; borrowed until the callback returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_connect_error {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// What the server said, or what went wrong on the way to it.
    pub message: sockline_string,
    /// The server's further data, as JSON; empty if there is none.
    pub data: sockline_string,
    /// What went wrong on the way; NULL if the server has refused.
    pub error: *const sockline_error_event,
}

/// The callbacks of a client's socket, and of its manager. Start from SOCKLINE_IO_CLIENT_HANDLERS_INIT and set those that you
/// need; NULL ignores the event. The struct is copied by the call that takes it.
///
/// All run on the thread that turns the manager's loop, one after the other. A callback may call anything; no call runs another
/// callback before the present one has returned. No C++ exception and no longjmp may leave a callback.
///
/// user_data is what was given with the handlers. It stays yours; free it in on_freed.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_client_handlers {
    /// sizeof(sockline_io_client_handlers), as the INIT macro sets it.
    pub size: usize,
    /// The server has taken the socket in, at first or again. What was emitted meanwhile is on its way.
    pub on_connect: Option<unsafe extern "C" fn(socket: sockline_io_client, user_data: *mut c_void)>,
    /// The server has refused the socket, or could not be reached. Whether it will be tried again says
    /// sockline_io_client_active.
    pub on_connect_error: Option<
        unsafe extern "C" fn(
            socket: sockline_io_client,
            error: *const sockline_io_connect_error,
            user_data: *mut c_void,
        ),
    >,
    /// An event came. event is borrowed until the callback returns.
    pub on_event: Option<
        unsafe extern "C" fn(
            socket: sockline_io_client,
            event: *const sockline_io_event,
            user_data: *mut c_void,
        ),
    >,
    /// What has become of an event that was emitted with wants_ack: exactly once for each that was accepted.
    pub on_ack: Option<
        unsafe extern "C" fn(
            socket: sockline_io_client,
            event: *const sockline_io_ack_event,
            user_data: *mut c_void,
        ),
    >,
    /// The socket is connected no longer, or the connection has ended before the server had taken it in. reason: one of
    /// enum sockline_io_client_reason. Whether it will come back says sockline_io_client_active. detail says more, for
    /// people, or is empty; borrowed.
    pub on_disconnect: Option<
        unsafe extern "C" fn(
            socket: sockline_io_client,
            reason: i32,
            detail: sockline_string,
            user_data: *mut c_void,
        ),
    >,
    /// The socket is about to connect, and ask_auth is set. Answer with sockline_io_answer_auth, here or later from any thread;
    /// the socket waits. NULL sends nothing.
    pub on_auth: Option<
        unsafe extern "C" fn(
            socket: sockline_io_client,
            question: sockline_io_question,
            user_data: *mut c_void,
        ),
    >,
    /// The socket and its manager were freed, and their connection has ended: no other callback of this socket follows.
    /// It comes on any thread; user_data may be freed.
    pub on_freed: Option<unsafe extern "C" fn(socket: sockline_io_client, user_data: *mut c_void)>,
}

// SAFETY: `repr(C)`, `size` first; zeroes are a number and no functions.
unsafe impl Versioned for sockline_io_client_handlers {
    const NAME: &'static str = "sockline_io_client_handlers";
}

/// The callbacks of a manager. Start from SOCKLINE_IO_MANAGER_HANDLERS_INIT and set those that you need; NULL ignores the event.
/// The struct is copied by the call that takes it. Threads as for sockline_io_client_handlers.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_manager_handlers {
    /// sizeof(sockline_io_manager_handlers), as the INIT macro sets it.
    pub size: usize,
    /// There is a connection.
    pub on_open: Option<unsafe extern "C" fn(manager: sockline_io_manager, user_data: *mut c_void)>,
    /// A connection could not be made, or failed. error is borrowed.
    pub on_error: Option<
        unsafe extern "C" fn(
            manager: sockline_io_manager,
            error: *const sockline_error_event,
            user_data: *mut c_void,
        ),
    >,
    /// The connection has ended. reason: one of enum sockline_io_client_reason. detail is borrowed.
    pub on_close: Option<
        unsafe extern "C" fn(
            manager: sockline_io_manager,
            reason: i32,
            detail: sockline_string,
            user_data: *mut c_void,
        ),
    >,
    /// A ping of the server's came, and was answered.
    pub on_ping: Option<unsafe extern "C" fn(manager: sockline_io_manager, user_data: *mut c_void)>,
    /// The connection has gone over to a WebSocket.
    pub on_upgrade: Option<unsafe extern "C" fn(manager: sockline_io_manager, user_data: *mut c_void)>,
    /// It could not, and stays on polling. error is borrowed.
    pub on_upgrade_error: Option<
        unsafe extern "C" fn(
            manager: sockline_io_manager,
            error: *const sockline_error_event,
            user_data: *mut c_void,
        ),
    >,
    /// The next attempt begins in delay_ms milliseconds. Attempts are numbered from 1.
    pub on_reconnect_scheduled: Option<
        unsafe extern "C" fn(
            manager: sockline_io_manager,
            attempt: u32,
            delay_ms: u64,
            user_data: *mut c_void,
        ),
    >,
    /// Another attempt to connect begins.
    pub on_reconnect_attempt:
        Option<unsafe extern "C" fn(manager: sockline_io_manager, attempt: u32, user_data: *mut c_void)>,
    /// It has succeeded, this many attempts after the loss.
    pub on_reconnect:
        Option<unsafe extern "C" fn(manager: sockline_io_manager, attempt: u32, user_data: *mut c_void)>,
    /// It has failed. error is borrowed.
    pub on_reconnect_error: Option<
        unsafe extern "C" fn(
            manager: sockline_io_manager,
            error: *const sockline_error_event,
            user_data: *mut c_void,
        ),
    >,
    /// It was the last one that the options allow.
    pub on_reconnect_failed:
        Option<unsafe extern "C" fn(manager: sockline_io_manager, user_data: *mut c_void)>,
    /// What waits to be sent fell to half of the high-water mark, after an emit had said SOCKLINE_OVER_MARK.
    pub on_drain: Option<unsafe extern "C" fn(manager: sockline_io_manager, user_data: *mut c_void)>,
    /// The manager and all its sockets were freed, and their connection has ended: no other callback of this manager follows.
    /// It comes on any thread; user_data may be freed.
    pub on_freed: Option<unsafe extern "C" fn(manager: sockline_io_manager, user_data: *mut c_void)>,
    /// An Engine.IO packet of the connection came (packet), or is on its way out (packetCreate): a message, a ping or a pong. For
    /// watching; it costs a copy of each. Borrowed.
    pub on_packet: Option<
        unsafe extern "C" fn(
            manager: sockline_io_manager,
            packet: *const sockline_io_engine_packet,
            user_data: *mut c_void,
        ),
    >,
}

// SAFETY: `repr(C)`, `size` first; zeroes are a number and no functions.
unsafe impl Versioned for sockline_io_manager_handlers {
    const NAME: &'static str = "sockline_io_manager_handlers";
}

/// # Safety
/// `given` is NULL or a struct as long as its size says.
pub(super) unsafe fn read_manager_handlers(
    given: *const sockline_io_manager_handlers,
    user_data: *mut c_void,
) -> Result<Option<Arc<Managing>>> {
    // SAFETY: the caller's promise is the same.
    let handlers = unsafe { read_struct(given) }?;
    let user_data = user_data as usize;
    Ok(handlers.map(|handlers| {
        Arc::new(Managing {
            handlers,
            user_data,
            manager: AtomicU64::new(0),
        })
    }))
}

/// Tells C what happens to a socket.
pub(super) struct Connected {
    handlers: sockline_io_client_handlers,
    user_data: usize,
    /// The socket's number, once it is known that this is its handler.
    socket: AtomicU64,
}

impl Connected {
    pub(super) fn new(handlers: sockline_io_client_handlers, user_data: *mut c_void) -> Connected {
        Connected {
            handlers,
            user_data: user_data as usize,
            socket: AtomicU64::new(0),
        }
    }

    /// Says whose handler this is: of nobody's, there is nothing to be told when it goes.
    pub(super) fn belongs_to(&self, socket: &ClientSocket) {
        self.socket.store(socket.raw(), Ordering::Relaxed);
    }

    fn user_data(&self) -> *mut c_void {
        self.user_data as *mut c_void
    }
}

/// A socket keeps its handler as long as it can have events.
impl Drop for Connected {
    fn drop(&mut self) {
        let socket = self.socket.load(Ordering::Relaxed);
        if let (Some(call), 1..) = (self.handlers.on_freed, socket) {
            // SAFETY: as said below.
            unsafe { call(socket, self.user_data()) }
        }
    }
}

// The SAFETY of every call below: the header asks for functions of these types, which take their arguments as
// described; pointers that they get are good until they return.
impl ClientHandler for Connected {
    fn on_auth(&self, socket: &ClientSocket, question: AuthQuestion) {
        if let Some(call) = self.handlers.on_auth {
            // SAFETY: as said above.
            unsafe { call(socket.raw(), question.into_raw(), self.user_data()) }
        }
    }

    fn on_connect(&self, socket: &ClientSocket) {
        if let Some(call) = self.handlers.on_connect {
            // SAFETY: as said above.
            unsafe { call(socket.raw(), self.user_data()) }
        }
    }

    fn on_connect_error(&self, socket: &ClientSocket, error: ConnectError<'_>) {
        let Some(call) = self.handlers.on_connect_error else {
            return;
        };
        with_error(error.error, |cause| {
            let shown = sockline_io_connect_error {
                size: size_of::<sockline_io_connect_error>(),
                message: sockline_string::borrow(error.message.as_bytes()),
                data: sockline_string::borrow(error.data.unwrap_or_default().as_bytes()),
                error: cause,
            };
            // SAFETY: as said above.
            unsafe { call(socket.raw(), &raw const shown, self.user_data()) }
        });
    }

    fn on_event(&self, socket: &ClientSocket, event: ClientEvent<'_>) {
        let Some(call) = self.handlers.on_event else {
            return;
        };
        let binary = attachments::borrow(event.attachments);
        let shown = sockline_io_event {
            size: size_of::<sockline_io_event>(),
            name: sockline_string::borrow(event.name.as_bytes()),
            args: sockline_string::borrow(event.args.as_bytes()),
            array: sockline_string::borrow(event.array.as_bytes()),
            attachments: binary.as_ptr(),
            attachment_count: binary.len(),
            ack: event.ack.map_or(0, ClientAck::into_raw),
        };
        // SAFETY: as said above.
        unsafe { call(socket.raw(), &raw const shown, self.user_data()) }
    }

    fn on_ack(&self, socket: &ClientSocket, token: u64, result: AckResult<'_>) {
        let Some(call) = self.handlers.on_ack else { return };
        with_ack(token, &result, |event| {
            // SAFETY: as said above.
            unsafe { call(socket.raw(), event, self.user_data()) }
        });
    }

    fn on_disconnect(&self, socket: &ClientSocket, reason: ClientReason, detail: &str) {
        if let Some(call) = self.handlers.on_disconnect {
            let detail = sockline_string::borrow(detail.as_bytes());
            // SAFETY: as said above.
            unsafe { call(socket.raw(), reason as i32, detail, self.user_data()) }
        }
    }
}

/// Tells C what happens to a manager.
pub(super) struct Managing {
    handlers: sockline_io_manager_handlers,
    user_data: usize,
    /// The manager's number, once it is made.
    manager: AtomicU64,
}

type Plain = Option<unsafe extern "C" fn(sockline_io_manager, *mut c_void)>;
type Numbered = Option<unsafe extern "C" fn(sockline_io_manager, u32, *mut c_void)>;
type Failing = Option<unsafe extern "C" fn(sockline_io_manager, *const sockline_error_event, *mut c_void)>;

/// A manager keeps its handler as long as it can have events.
impl Drop for Managing {
    fn drop(&mut self) {
        let manager = self.manager.load(Ordering::Relaxed);
        if let (Some(call), 1..) = (self.handlers.on_freed, manager) {
            // SAFETY: as said above.
            unsafe { call(manager, self.user_data as *mut c_void) }
        }
    }
}

impl Managing {
    /// Says whose handler this is: of a manager that could not be made, there is nothing to be told.
    pub(super) fn belongs_to(&self, manager: &Manager) {
        self.manager.store(manager.raw(), Ordering::Relaxed);
        manager.set_packet_events(self.handlers.on_packet.is_some());
    }

    fn tell(&self, call: Plain, manager: &Manager) {
        if let Some(call) = call {
            // SAFETY: as said above.
            unsafe { call(manager.raw(), self.user_data as *mut c_void) }
        }
    }

    fn tell_number(&self, call: Numbered, manager: &Manager, number: u32) {
        if let Some(call) = call {
            // SAFETY: as said above.
            unsafe { call(manager.raw(), number, self.user_data as *mut c_void) }
        }
    }

    fn tell_error(&self, call: Failing, manager: &Manager, error: &Error) {
        if let Some(call) = call {
            with_error(Some(error), |error| {
                // SAFETY: as said above.
                unsafe { call(manager.raw(), error, self.user_data as *mut c_void) }
            });
        }
    }
}

impl ManagerHandler for Managing {
    fn on_open(&self, manager: &Manager) {
        self.tell(self.handlers.on_open, manager);
    }

    fn on_error(&self, manager: &Manager, error: &Error) {
        self.tell_error(self.handlers.on_error, manager, error);
    }

    fn on_close(&self, manager: &Manager, reason: ClientReason, detail: &str) {
        if let Some(call) = self.handlers.on_close {
            let detail = sockline_string::borrow(detail.as_bytes());
            // SAFETY: as said above.
            unsafe {
                call(
                    manager.raw(),
                    reason as i32,
                    detail,
                    self.user_data as *mut c_void,
                )
            }
        }
    }

    fn on_ping(&self, manager: &Manager) {
        self.tell(self.handlers.on_ping, manager);
    }

    fn on_packet(&self, manager: &Manager, packet: &EnginePacket<'_>) {
        if let Some(call) = self.handlers.on_packet {
            // SAFETY: as said above.
            with_packet(packet, |packet| unsafe {
                call(manager.raw(), packet, self.user_data as *mut c_void)
            });
        }
    }

    fn on_upgrade(&self, manager: &Manager) {
        self.tell(self.handlers.on_upgrade, manager);
    }

    fn on_upgrade_error(&self, manager: &Manager, error: &Error) {
        self.tell_error(self.handlers.on_upgrade_error, manager, error);
    }

    fn on_reconnect_scheduled(&self, manager: &Manager, attempt: u32, delay: std::time::Duration) {
        if let Some(call) = self.handlers.on_reconnect_scheduled {
            let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            // SAFETY: as said above.
            unsafe { call(manager.raw(), attempt, delay, self.user_data as *mut c_void) }
        }
    }

    fn on_reconnect_attempt(&self, manager: &Manager, attempt: u32) {
        self.tell_number(self.handlers.on_reconnect_attempt, manager, attempt);
    }

    fn on_reconnect(&self, manager: &Manager, attempt: u32) {
        self.tell_number(self.handlers.on_reconnect, manager, attempt);
    }

    fn on_reconnect_error(&self, manager: &Manager, error: &Error) {
        self.tell_error(self.handlers.on_reconnect_error, manager, error);
    }

    fn on_reconnect_failed(&self, manager: &Manager) {
        self.tell(self.handlers.on_reconnect_failed, manager);
    }

    fn on_drain(&self, manager: &Manager) {
        self.tell(self.handlers.on_drain, manager);
    }
}

/// An error as C sees it; NULL for none.
fn with_error<T>(error: Option<&Error>, act: impl FnOnce(*const sockline_error_event) -> T) -> T {
    let Some(error) = error else {
        return act(std::ptr::null());
    };
    let parts = ErrorParts::of(error);
    let event = parts.event(error);
    act(&raw const event)
}
