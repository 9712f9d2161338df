//! For processes without a server.

use std::ffi::{c_char, c_void};

use sockline::Result;
use sockline::adapter::redis::{Emitter, EmitterOperator, Redis, RedisOptions};

use super::attachments;
use super::redis::{flush, shared, sockline_redis, sockline_redis_flushed};
use crate::abi::{Versioned, bytes, invalid, optional_string, read_struct, string, strings, text};
use crate::guard::{guard, guard_value};
use crate::settings::switch;
use crate::status::{OK, sockline_status};
use crate::types::{sockline_bytes, sockline_string};
use crate::websocket::message_type;

/// Sends events to the clients of a cluster from a process that needs no server, as npm's @socket.io/redis-emitter. The servers
/// have to be in mode SOCKLINE_REDIS_CLASSIC, with the same key. If its sockline_redis is in mode SOCKLINE_REDIS_PYTHON_SOCKETIO it
/// speaks as a write-only manager of python-socketio, to servers in that mode with the same channel. Nobody tells whether a server was
/// there. It publishes to topics, too.
///
/// It is a pointer and has to be freed.
pub struct sockline_emitter {
    redis: Redis,
    inner: Emitter,
}

/// Which sockets of the cluster a call is for: those in any of the rooms, or all of the namespace if there are none, but not those
/// in any of the rooms in except. Start from SOCKLINE_EMITTER_TARGET_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_emitter_target {
    /// sizeof(sockline_emitter_target), as the INIT macro sets it.
    pub size: usize,
    /// The namespace's name. Default: /.
    pub nsp: sockline_string,
    /// The rooms, room_count of them. A socket in several of them is reached once. A socket's id is a room with only it.
    pub rooms: *const sockline_string,
    /// How many those are.
    pub room_count: usize,
    /// The rooms that are left out, except_count of them.
    pub except: *const sockline_string,
    /// How many those are.
    pub except_count: usize,
    /// 1 drops the event for clients that can't be written to right now. Default: it waits.
    pub is_volatile: i64,
    /// Whether it may be compressed, where compression was agreed on: 1, or -1 for not. Default: it may.
    pub compress: i64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_emitter_target {
    const NAME: &'static str = "sockline_emitter_target";
}

/// Makes an emitter, and writes it to *emitter: owned, until sockline_emitter_free.
///
/// redis: what it sends over, of whose options only the connection, the key, and that mode with its channel matter here; or NULL for a connection of its own, to
/// url, with the defaults of sockline_redis_options. url: empty with redis. emitter: not NULL; left alone after an error.
/// Errors: as for sockline_redis_new. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_emitter_new(
    redis: *mut sockline_redis,
    url: sockline_string,
    emitter: *mut *mut sockline_emitter,
) -> sockline_status {
    guard(|| {
        if emitter.is_null() {
            return Err(invalid("emitter is NULL".to_owned()));
        }
        // SAFETY: the header asks for readable text.
        let url = unsafe { optional_string(url) }?;
        let redis = match (redis.is_null(), url) {
            (true, Some(url)) => Redis::new(RedisOptions::new(url), None)?,
            // SAFETY: the header asks for an object that is not freed yet.
            (false, None) => unsafe { shared(redis) }?.clone(),
            _ => {
                return Err(invalid(
                    "an emitter needs a sockline_redis or an url, not both".to_owned(),
                ));
            }
        };
        let inner = redis.emitter();
        let made = Box::new(sockline_emitter { redis, inner });
        // SAFETY: the header asks for a writable pointer.
        unsafe { emitter.write_unaligned(Box::into_raw(made)) };
        Ok(OK)
    })
}

/// Sends an event to each socket of the target; name, args and attachments as for sockline_io_emit. All is copied.
///
/// target: NULL for all sockets of "/". Errors: SOCKLINE_ERR_INVALID_ARGUMENT for a reserved name and for what is not JSON,
/// SOCKLINE_ERR_INVALID_UTF8. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_emitter_emit(
    emitter: *mut sockline_emitter,
    target: *const sockline_emitter_target,
    name: sockline_string,
    args: sockline_string,
    attachments: *const sockline_bytes,
    attachment_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for an object that is not freed yet, for a struct as long as its size says, and for readable
        // text and attachments.
        unsafe {
            let binary = attachments::read(attachments, attachment_count)?;
            operator(emitter, target)?.emit(string(name)?, string(args)?, &binary)?;
        }
        Ok(OK)
    })
}

/// Puts each socket of the target into rooms (socketsJoin). Errors: as for sockline_emitter_emit. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_emitter_join(
    emitter: *mut sockline_emitter,
    target: *const sockline_emitter_target,
    rooms: *const sockline_string,
    room_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: as above.
        let (operator, rooms) = unsafe { (operator(emitter, target)?, strings(rooms, room_count)?) };
        operator.sockets_join(&borrowed(&rooms));
        Ok(OK)
    })
}

/// Takes each socket of the target out of rooms (socketsLeave). Errors: as for sockline_emitter_emit. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_emitter_leave(
    emitter: *mut sockline_emitter,
    target: *const sockline_emitter_target,
    rooms: *const sockline_string,
    room_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: as above.
        let (operator, rooms) = unsafe { (operator(emitter, target)?, strings(rooms, room_count)?) };
        operator.sockets_leave(&borrowed(&rooms));
        Ok(OK)
    })
}

/// Disconnects each socket of the target (disconnectSockets); close as for sockline_io_socket_disconnect. Errors: as for
/// sockline_emitter_emit. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_emitter_disconnect(
    emitter: *mut sockline_emitter,
    target: *const sockline_emitter_target,
    close: i32,
) -> sockline_status {
    guard(|| {
        // SAFETY: as above.
        unsafe { operator(emitter, target) }?.disconnect_sockets(close != 0);
        Ok(OK)
    })
}

/// Has all servers hear an event, in their namespaces of this name, empty for "/": on_server_side_emit. The rest as for
/// sockline_io_server_side_emit; SOCKLINE_ERR_UNSUPPORTED with SOCKLINE_REDIS_PYTHON_SOCKETIO. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_emitter_server_side_emit(
    emitter: *mut sockline_emitter,
    nsp: sockline_string,
    name: sockline_string,
    args: sockline_string,
    attachments: *const sockline_bytes,
    attachment_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: as above.
        unsafe {
            let binary = attachments::read(attachments, attachment_count)?;
            let of = read(emitter)?.of(string(nsp)?);
            of.server_side_emit(string(name)?, string(args)?, &binary)?;
        }
        Ok(OK)
    })
}

/// Publishes a message to the subscribers of a topic at all listeners of the cluster (sockline_server_options.redis), which may be in
/// any mode: in SOCKLINE_REDIS_SHARDED, the emitter's sockline_redis has to be in it, too. The rest as for sockline_server_publish.
///
/// Errors: SOCKLINE_ERR_TOPIC, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_emitter_publish(
    emitter: *mut sockline_emitter,
    topic: *const c_char,
    topic_len: usize,
    r#type: i32,
    data: *const c_void,
    len: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for an object that is not freed yet, and for as many readable bytes as it is told.
        let (emitter, topic, data) =
            unsafe { (read(emitter)?, text(topic.cast(), topic_len)?, bytes(data, len)?) };
        emitter.publish(topic, message_type(r#type)?, data).map(|()| OK)
    })
}

/// Calls flushed exactly once, when all that was sent before has arrived at Redis, or it is clear that it has not; as
/// sockline_redis_flush. A process that ends earlier may lose it. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_emitter_flush(
    emitter: *mut sockline_emitter,
    flushed: sockline_redis_flushed,
    context: *mut c_void,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for an object that is not freed yet, and for a function of this type.
        unsafe { flush(&read_whole(emitter)?.redis, flushed, context) }
    })
}

/// Frees it: consumed. What was sent still leaves, and then a connection of its own ends. NULL does nothing. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_emitter_free(emitter: *mut sockline_emitter) {
    guard_value((), || {
        if !emitter.is_null() {
            // SAFETY: the pointer came from `sockline_emitter_new` and was not freed before, as the header asks.
            drop(unsafe { Box::from_raw(emitter) });
        }
    });
}

/// # Safety
/// `emitter` is NULL or not freed yet.
unsafe fn read_whole<'a>(emitter: *const sockline_emitter) -> Result<&'a sockline_emitter> {
    // SAFETY: the caller's promise.
    unsafe { emitter.as_ref() }.ok_or_else(|| invalid("emitter is NULL".to_owned()))
}

/// # Safety
/// As for [`read_whole`].
unsafe fn read<'a>(emitter: *const sockline_emitter) -> Result<&'a Emitter> {
    // SAFETY: the caller's promise.
    unsafe { read_whole(emitter) }.map(|whole| &whole.inner)
}

/// # Safety
/// As for [`read_whole`]; `given` is NULL or a struct as long as its size says, and what it points to is readable.
unsafe fn operator(
    emitter: *const sockline_emitter,
    given: *const sockline_emitter_target,
) -> Result<EmitterOperator> {
    // SAFETY: the caller's promise covers the object, the struct and all that it points to.
    unsafe {
        let emitter = read(emitter)?;
        let Some(given) = read_struct(given)? else {
            return Ok(emitter.all());
        };
        let rooms = strings(given.rooms, given.room_count)?;
        let except = strings(given.except, given.except_count)?;
        Ok(emitter
            .of(string(given.nsp)?)
            .all()
            .to_all(&borrowed(&rooms))
            .except_all(&borrowed(&except))
            .volatile(given.is_volatile != 0)
            .compress(switch("compress", given.compress, true)?))
    }
}

fn borrowed(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}
