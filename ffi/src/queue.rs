//! Queues: events that wait to be pulled.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use sockline::{Error, EventQueue};

use crate::abi::{invalid, write_out};
use crate::guard::{guard, guard_value};
use crate::handlers::sockline_error_event;
use crate::pulled::Pulled;
use crate::reconnect::sockline_reconnecting_event;
use crate::settings::limit;
use crate::status::{EMPTY, OK, sockline_status};
use crate::types::{sockline_server, sockline_string, sockline_ws};
use crate::upgrade::sockline_request;

/// A queue: the events of any number of connections, to be pulled by a thread of yours, for programs whose code should
/// not run on the loop's thread. Give it to sockline_connect or sockline_listen in their options, instead of handlers.
///
/// It is a pointer and has to be freed. When it is full, a connection that brings an event is paused, and resumed once
/// half of the queue has been pulled: nothing is lost, and the peer feels it. Leave sockline_pause and sockline_resume
/// of these connections to the queue.
pub struct sockline_queue {
    events: Arc<EventQueue>,
    pulled: Mutex<Pulled>,
}

/// What a queued event tells: the callback of sockline_handlers that would have told it.
#[repr(C)]
pub enum sockline_event_kind {
    /// on_open.
    SOCKLINE_EVENT_OPEN = 1,
    /// on_message; see type, data and len.
    SOCKLINE_EVENT_MESSAGE = 2,
    /// on_ping; see data and len.
    SOCKLINE_EVENT_PING = 3,
    /// on_pong; see data and len.
    SOCKLINE_EVENT_PONG = 4,
    /// on_drain.
    SOCKLINE_EVENT_DRAIN = 5,
    /// on_error; see status, http_status and text.
    SOCKLINE_EVENT_ERROR = 6,
    /// on_close; see code, was_clean and reason. The last event of its connection.
    SOCKLINE_EVENT_CLOSE = 7,
    /// on_upgrade, for servers with queue_upgrades; see request. Answer with sockline_accept or sockline_refuse.
    SOCKLINE_EVENT_UPGRADE = 8,
    /// on_server_closed; see server. The last event of its server, after those of its connections.
    SOCKLINE_EVENT_SERVER_CLOSED = 9,
    /// on_sent; see token and outcome.
    SOCKLINE_EVENT_SENT = 10,
    /// on_reconnecting; see reconnecting. (on_attempt has to be answered at once, so it is not queued.)
    SOCKLINE_EVENT_RECONNECTING = 11,
    /// on_reconnected.
    SOCKLINE_EVENT_RECONNECTED = 12,
    /// on_message_part; see type, data, len and edges.
    SOCKLINE_EVENT_MESSAGE_PART = 13,
}

/// An event that was pulled, and all that it points to: borrowed until the next sockline_queue_pop on that queue, or
/// until it is freed. Fields that its kind does not name are 0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_queued_event {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// The connection that it happened to; 0 for what happened to a server.
    pub ws: sockline_ws,
    /// What was given with the queue, or by sockline_accept. It stays yours: free it after SOCKLINE_EVENT_CLOSE.
    pub user_data: *mut c_void,
    /// What happened, as one of enum sockline_event_kind. Ignore those that you don't know.
    pub kind: i32,
    /// The message's type: SOCKLINE_TEXT, then data is valid UTF-8, or SOCKLINE_BINARY.
    pub r#type: i32,
    /// The payload of a message, a ping or a pong; not ended by a NUL.
    pub data: *const c_void,
    /// The payload's length in bytes.
    pub len: usize,
    /// What went wrong, as one of enum sockline_status_code; below 0.
    pub status: i32,
    /// The HTTP status that a server answered instead of 101, for SOCKLINE_ERR_REFUSED; otherwise 0.
    pub http_status: i32,
    /// The peer's close code, as in sockline_close_event.
    pub code: i32,
    /// 1 if both close frames were exchanged, otherwise 0.
    pub was_clean: i32,
    /// What failed, with what value, and what to do. Ended by a NUL too.
    pub text: sockline_string,
    /// The peer's reason to close; empty if there was none. Ended by a NUL too.
    pub reason: sockline_string,
    /// The server that has closed, or that was asked for an upgrade.
    pub server: sockline_server,
    /// All that is known of an error.
    pub error: *const sockline_error_event,
    /// What a client asks for.
    pub request: *const sockline_request,
    /// What was lost, and when another attempt follows.
    pub reconnecting: *const sockline_reconnecting_event,
    /// That of sockline_send_options.
    pub token: *mut c_void,
    /// What has become of the message, as one of enum sockline_send_outcome.
    pub outcome: i32,
    /// Where in its message a part is, as in on_message_part.
    pub edges: i32,
}

/// Makes a queue, and writes it to *queue: owned, until sockline_queue_free.
///
/// max_events, max_bytes: how many events, and how many bytes of their payloads, make it full; 0 for 1,024 and 16 MiB,
/// SOCKLINE_UNLIMITED for no limit. Each of its connections can go beyond by an event or two.
/// doorbell: called on the thread that turns a loop, never twice at once, each time that an event comes into the empty
/// queue: have sockline_queue_pop called until it says SOCKLINE_EMPTY. It must not block; it may call anything. NULL
/// for none, where a program looks by itself, such as once a frame. user_data: yours, given to doorbell; it is not
/// touched any more after sockline_queue_free. queue: not NULL; left alone after a failure.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_queue_new(
    max_events: u64,
    max_bytes: u64,
    doorbell: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    user_data: *mut c_void,
    queue: *mut *mut sockline_queue,
) -> sockline_status {
    const EVENTS: usize = 1024;
    const BYTES: usize = 16 << 20;
    guard(|| {
        if queue.is_null() {
            return Err(invalid("queue is NULL".to_owned()));
        }
        let bell = Doorbell { doorbell, user_data };
        let fresh = Box::new(sockline_queue {
            events: EventQueue::new(
                limit(max_events, EVENTS, usize::MAX),
                limit(max_bytes, BYTES, usize::MAX),
                move || bell.ring(),
            ),
            pulled: Mutex::default(),
        });
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { write_out(queue, Box::into_raw(fresh)) };
        Ok(OK)
    })
}

/// Pulls the oldest event, and has *event point to it. Returns SOCKLINE_OK, or SOCKLINE_EMPTY if nothing waits: then
/// *event is NULL, and the doorbell rings for the next.
///
/// Each call ends the life of the event before it, so use one thread for each queue, or copy what you need under a
/// lock. event: not NULL.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT. Any thread, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_queue_pop(
    queue: *mut sockline_queue,
    event: *mut *const sockline_queued_event,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a queue that is not freed yet.
        let Some(queue) = (unsafe { queue.as_ref() }) else {
            return Err(invalid("the queue is NULL".to_owned()));
        };
        if event.is_null() {
            return Err(invalid("event is NULL".to_owned()));
        }
        let mut pulled = queue.pulled.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = pulled.replace(queue.events.pop());
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { write_out(event, shown) };
        Ok(if shown.is_null() { EMPTY } else { OK })
    })
}

/// Frees a queue: consumed, with the events that wait. Its connections and servers go on as they are; what else
/// happens to them is told to nobody. When this returns, the doorbell is not running any more and will not be called
/// again, unless this is called by the doorbell: so hold no lock here that it takes. NULL does nothing. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_queue_free(queue: *mut sockline_queue) {
    guard_value((), || {
        if queue.is_null() {
            return;
        }
        // SAFETY: the pointer came from `sockline_queue_new` and was not freed before, as the header asks.
        let owned = unsafe { Box::from_raw(queue) };
        owned.events.close(); // its connections keep the rest of it
    });
}

/// The handler that fills a queue; `None` if no queue is given.
///
/// # Safety
/// `queue` is NULL, or came from `sockline_queue_new` and is not freed yet.
pub(crate) unsafe fn read_queue(queue: *mut sockline_queue) -> Option<Arc<EventQueue>> {
    // SAFETY: the caller's promise.
    let queue = unsafe { queue.as_ref() }?;
    Some(queue.events.clone())
}

/// What is to be said where both are given.
pub(crate) fn both_given() -> Error {
    invalid("handlers are given beside a queue; events go to the one or to the other".to_owned())
}

struct Doorbell {
    doorbell: Option<unsafe extern "C" fn(*mut c_void)>,
    user_data: *mut c_void,
}

// SAFETY: the header tells on which threads it is called, with its own data.
unsafe impl Send for Doorbell {}
// SAFETY: as above, and never two at once.
unsafe impl Sync for Doorbell {}

impl Doorbell {
    fn ring(&self) {
        if let Some(call) = self.doorbell {
            // SAFETY: the function and its data are good until the queue is freed, as the header asks.
            unsafe { call(self.user_data) }
        }
    }
}
