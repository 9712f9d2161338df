//! Connections to Redis, which make servers those of one cluster.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sockline::adapter::AdapterError;
use sockline::adapter::redis::{Redis, RedisEvents, RedisMode, RedisOptions, RedisTls, SubscriptionMode};
use sockline::{ErrorCode, Result};

use crate::abi::{Versioned, invalid, optional_string, read_struct};
use crate::guard::{guard, guard_value};
use crate::kept::UserData;
use crate::settings::{limit, switch};
use crate::status::{OK, sockline_status};
use crate::types::sockline_string;

/// A connection to Redis, over which servers of one cluster reach each other's clients. It is for one Socket.IO server, by
/// sockline_io_server_options.redis, and any number of listeners, by sockline_server_options.redis, and emitters.
///
/// It is a pointer and has to be freed; servers and emitters keep what they need, so that may be done at once.
pub struct sockline_redis {
    inner: Redis,
    has_server: AtomicBool,
}

/// How the servers of a cluster tell each other. All need the same.
#[repr(C)]
pub enum sockline_redis_mode {
    /// Channels and patterns: createAdapter of npm's @socket.io/redis-adapter. Emitters need it.
    SOCKLINE_REDIS_CLASSIC = 0,
    /// Sharded channels: createShardedAdapter of @socket.io/redis-adapter. Needs Redis 7.
    SOCKLINE_REDIS_SHARDED = 1,
    /// A stream: createAdapter of @socket.io/redis-streams-adapter. Outlasts a short loss of Redis, and with
    /// sockline_io_server_options.recovery clients come back on other servers, too.
    SOCKLINE_REDIS_STREAMS = 2,
    /// What the servers of python-socketio (5.14 and newer) say to each other: a bridge to them. Less can be said so: of other
    /// servers' clients the first that answers is the only one heard, questions who is there are answered by this server alone
    /// (the others are missing), and sockline_io_server_side_emit tells nobody, which is an error. Messages of older
    /// ones are pickled and not read, which is told.
    SOCKLINE_REDIS_PYTHON_SOCKETIO = 3,
}

/// Which rooms have a channel of their own, with SOCKLINE_REDIS_SHARDED. All servers need the same.
#[repr(C)]
pub enum sockline_redis_subscription {
    /// Those whose names can't be a socket's id: with other than 20 characters.
    SOCKLINE_REDIS_DYNAMIC = 0,
    /// None: each broadcast goes to all servers.
    SOCKLINE_REDIS_STATIC = 1,
    /// All, those that sockets have to themselves included: for many events to single sockets of other servers.
    SOCKLINE_REDIS_DYNAMIC_PRIVATE = 2,
}

/// A cluster over Redis. Start from SOCKLINE_REDIS_OPTIONS_INIT; a field of 0 means its default, which is that of the official
/// packages.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_redis_options {
    /// sizeof(sockline_redis_options), as the INIT macro sets it.
    pub size: usize,
    /// Where Redis is. Default: redis://127.0.0.1:6379.
    ///
    /// redis://user:password@host:6379/0, all but the host optional; rediss: is the same over TLS.
    /// unix:///run/redis.sock, with ?db=0&user=…&password=… if needed.
    /// redis+cluster://host:6379,host:6380: nodes of a Redis Cluster, of which one has to be up; also rediss+cluster:.
    /// redis+sentinel://host:26379,host:26380/master/0: sentinels, the name of what they watch, and the database.
    /// rediss+sentinel: is TLS to the master, not to the sentinels; user and password are the master's. The sentinels' are in
    /// ?sentinel_user=…&sentinel_password=…&sentinel_tls=1, or in the fields of these names.
    pub url: sockline_string,
    /// How the servers tell each other, as one of enum sockline_redis_mode. Default: SOCKLINE_REDIS_CLASSIC.
    pub mode: i64,
    /// What the names of all channels begin with. Default: socket.io.
    pub key: sockline_string,
    /// How long other servers' answers are waited for, in milliseconds. Default: 5,000.
    pub requests_timeout_ms: u64,
    /// 1 has answers go to who asked only, with SOCKLINE_REDIS_CLASSIC. Default: to all.
    pub publish_on_specific_response_channel: i64,
    /// Which rooms have a channel of their own, as one of enum sockline_redis_subscription. Default: SOCKLINE_REDIS_DYNAMIC.
    pub subscription_mode: i64,
    /// The stream's name, with SOCKLINE_REDIS_STREAMS. Default: socket.io.
    pub stream_name: sockline_string,
    /// How many streams the namespaces are spread over. Default: 1.
    pub stream_count: u64,
    /// How many entries a stream keeps, about. Default: 10,000.
    pub max_len: u64,
    /// How many entries are read at once, at most. Default: 100.
    pub read_count: u64,
    /// What the keys of saved sessions begin with. Default: sio:session:
    pub session_key_prefix: sockline_string,
    /// A PEM file with the authorities to trust, for TLS. Default: the system's.
    pub ca_file: sockline_string,
    /// A PEM file with a certificate and the chain to its authority, if Redis asks for one; with key_file. Default: none.
    pub certificate_file: sockline_string,
    /// A PEM file with the certificate's key.
    pub key_file: sockline_string,
    /// 1 trusts any server; for tests. Default: certificates are verified.
    pub insecure: i64,
    /// How long Redis has to answer a command, and connecting may take, in milliseconds. Default: 5,000.
    pub command_timeout_ms: u64,
    /// How often each connection is tried while nothing else happens, in milliseconds; one that doesn't answer within that time
    /// again is replaced. Default: 2,000.
    pub ping_interval_ms: u64,
    /// Bytes that may wait for Redis; what would be more is dropped. Default: 64 MiB.
    pub max_queued: u64,
    /// The channel's name, with SOCKLINE_REDIS_PYTHON_SOCKETIO. Default: socketio; Flask-SocketIO's is flask-socketio.
    pub channel: sockline_string,
    /// As whom sentinels are asked, with sentinel_password. Default: as the default user.
    pub sentinel_user: sockline_string,
    /// What sentinels want to know. What the URL says of both goes first. Default: nothing.
    pub sentinel_password: sockline_string,
    /// 1 asks sentinels over TLS, with ca_file and the others. Default: without.
    pub sentinel_tls: i64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_redis_options {
    const NAME: &'static str = "sockline_redis_options";
}

/// The callbacks of a connection to Redis. Start from SOCKLINE_REDIS_HANDLERS_INIT and set those that you need; NULL ignores the
/// event. They come on a thread of the connection's own, one after the other, and must not wait; they may call anything. No C++
/// exception and no longjmp may leave them.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_redis_handlers {
    /// sizeof(sockline_redis_handlers), as the INIT macro sets it.
    pub size: usize,
    /// Something went wrong; text is for people, and borrowed.
    pub on_error: Option<unsafe extern "C" fn(text: sockline_string, user_data: *mut c_void)>,
    /// Redis is connected, and all that other servers say is heard, for the first time or again.
    pub on_connected: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Redis can't be reached any more; it is tried again until the connection is closed. Meanwhile servers go on with their own
    /// clients. why is for people, and borrowed.
    pub on_disconnected: Option<unsafe extern "C" fn(why: sockline_string, user_data: *mut c_void)>,
    /// The connection has ended.
    pub on_closed: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// No other callback follows; user_data may be freed. On any thread.
    pub on_freed: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
}

// SAFETY: `repr(C)`, `size` first; zeroes are a number and no functions.
unsafe impl Versioned for sockline_redis_handlers {
    const NAME: &'static str = "sockline_redis_handlers";
}

/// Begins to connect to Redis, and writes the connection to *redis: owned, until sockline_redis_free. Redis needn't be there yet:
/// it is tried until the connection ends, with growing pauses of at most 5 seconds.
///
/// options: NULL for the defaults. handlers: NULL for none. user_data: yours, given to every callback. All is copied but
/// user_data. redis: not NULL; left alone after an error, and then no callback ever comes, but while this call runs some may.
/// Errors: SOCKLINE_ERR_INVALID_URL, SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_TLS for files that can't be used,
/// SOCKLINE_ERR_UNSUPPORTED in a build without TLS, SOCKLINE_ERR_OUT_OF_RESOURCES, SOCKLINE_ERR_FORKED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_redis_new(
    options: *const sockline_redis_options,
    handlers: *const sockline_redis_handlers,
    user_data: *mut c_void,
    redis: *mut *mut sockline_redis,
) -> sockline_status {
    guard(|| {
        if redis.is_null() {
            return Err(invalid("redis is NULL".to_owned()));
        }
        // SAFETY: the header asks for structs as long as their sizes say, with what they point to.
        let (options, handlers) = unsafe { (read_options(options)?, read_struct(handlers)?) };
        let hearing = handlers.map(|handlers| {
            Arc::new(Hearing {
                handlers,
                user_data: UserData::new(user_data, handlers.on_freed),
            })
        });
        let events = hearing.clone().map(|hearing| hearing as Arc<dyn RedisEvents>);
        let inner = Redis::new(options, events)?;
        if let Some(hearing) = hearing {
            hearing.user_data.taken();
        }
        let made = Box::new(sockline_redis {
            inner,
            has_server: AtomicBool::new(false),
        });
        // SAFETY: the header asks for a writable pointer.
        unsafe { redis.write_unaligned(Box::into_raw(made)) };
        Ok(OK)
    })
}

/// Whether Redis can be reached, as far as is known: 1 or 0; 0 for NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_redis_connected(redis: *const sockline_redis) -> i32 {
    guard_value(0, || {
        // SAFETY: the header asks for NULL or an object that is not freed yet.
        unsafe { redis.as_ref() }.map_or(0, |redis| i32::from(redis.inner.is_connected()))
    })
}

/// How many messages were dropped, because Redis could not be reached or too much waited for it; 0 for NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_redis_dropped(redis: *const sockline_redis) -> u64 {
    guard_value(0, || {
        // SAFETY: the header asks for NULL or an object that is not freed yet.
        unsafe { redis.as_ref() }.map_or(0, |redis| redis.inner.dropped())
    })
}

/// What has become of what was sent before, and the context of the call. status: SOCKLINE_OK if all has arrived at Redis,
/// SOCKLINE_ERR_PEER_DEAD if not.
pub type sockline_redis_flushed = Option<unsafe extern "C" fn(status: sockline_status, context: *mut c_void)>;

/// Calls flushed exactly once, when all that was sent before has arrived at Redis, or it is clear that it has not. On the
/// connection's thread; if that has ended, within this call. Errors: SOCKLINE_ERR_INVALID_ARGUMENT; then it is not called.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_redis_flush(
    redis: *mut sockline_redis,
    flushed: sockline_redis_flushed,
    context: *mut c_void,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for an object that is not freed yet, and for a function of this type.
        unsafe { flush(shared(redis)?, flushed, context) }
    })
}

/// Ends the connection when what was sent before has left: a server that has it goes on with its own clients alone. on_closed
/// follows. Doing it again is harmless. Errors: SOCKLINE_ERR_INVALID_ARGUMENT for NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_redis_close(redis: *mut sockline_redis) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for an object that is not freed yet.
        unsafe { shared(redis) }?.close();
        Ok(OK)
    })
}

/// Frees it: consumed. The connection ends as by sockline_redis_close, but not before the server and the emitters that have it are
/// gone. NULL does nothing. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_redis_free(redis: *mut sockline_redis) {
    guard_value((), || {
        if !redis.is_null() {
            // SAFETY: the pointer came from `sockline_redis_new` and was not freed before, as the header asks.
            drop(unsafe { Box::from_raw(redis) });
        }
    });
}

/// # Safety
/// `redis` is NULL or not freed yet.
pub(super) unsafe fn shared<'a>(redis: *const sockline_redis) -> Result<&'a Redis> {
    // SAFETY: the caller's promise.
    let redis = unsafe { redis.as_ref() }.ok_or_else(|| invalid("redis is NULL".to_owned()))?;
    Ok(&redis.inner)
}

/// # Safety
/// `flushed` is NULL or a function of its type.
pub(super) unsafe fn flush(
    redis: &Redis,
    flushed: sockline_redis_flushed,
    context: *mut c_void,
) -> Result<sockline_status> {
    let flushed = flushed.ok_or_else(|| invalid("flushed is NULL".to_owned()))?;
    let context = context as usize;
    redis.flush(Box::new(move |done| {
        let status = done.map_or(ErrorCode::PeerDead as sockline_status, |()| OK);
        // SAFETY: the caller's promise.
        unsafe { flushed(status, context as *mut c_void) }
    }));
    Ok(OK)
}

/// What a server that is being made was given of Redis.
pub(super) struct Clustered<'a> {
    /// For its options.
    pub(super) redis: Option<Redis>,
    handle: Option<&'a sockline_redis>,
}

impl Clustered<'_> {
    pub(super) const NONE: Clustered<'static> = Clustered {
        redis: None,
        handle: None,
    };

    /// The server is made: the handle can't be another one's.
    pub(super) fn taken(self) {
        if let Some(handle) = self.handle {
            handle.has_server.store(true, Ordering::Relaxed);
        }
    }

    /// # Safety
    /// `url` is readable, `handle` is NULL or not freed yet.
    pub(super) unsafe fn read<'a>(
        url: sockline_string,
        handle: *const sockline_redis,
    ) -> Result<Clustered<'a>> {
        // SAFETY: the caller's promise.
        let (redis, handle) = unsafe { (read_adapter(url, handle)?, handle.as_ref()) };
        if handle.is_some_and(|handle| handle.has_server.load(Ordering::Relaxed)) {
            return Err(invalid(
                "redis is another Socket.IO server's; each needs a sockline_redis of its own".to_owned(),
            ));
        }
        Ok(Clustered { redis, handle })
    }
}

/// What makes a server one of a cluster, if it is given.
///
/// # Safety
/// `url` is readable, `handle` is NULL or not freed yet.
pub(crate) unsafe fn read_adapter(
    url: sockline_string,
    handle: *const sockline_redis,
) -> Result<Option<Redis>> {
    // SAFETY: the caller's promise.
    let (url, handle) = unsafe { (optional_string(url)?, handle.as_ref()) };
    match (url, handle) {
        (Some(_), Some(_)) => Err(invalid("adapter and redis can't both be set".to_owned())),
        (None, handle) => Ok(handle.map(|handle| handle.inner.clone())),
        (Some(url), None) => Redis::new(RedisOptions::new(url), None).map(Some),
    }
}

/// # Safety
/// `given` is NULL or a struct as long as its size says, and what it points to is readable.
unsafe fn read_options(given: *const sockline_redis_options) -> Result<RedisOptions> {
    let defaults = RedisOptions::default();
    // SAFETY: the caller's promise covers the struct and all that it points to.
    unsafe {
        let Some(given) = read_struct(given)? else {
            return Ok(defaults);
        };
        Ok(RedisOptions {
            url: optional_string(given.url)?.unwrap_or(defaults.url),
            mode: mode(given.mode)?,
            key: optional_string(given.key)?.unwrap_or(defaults.key),
            requests_timeout: number(given.requests_timeout_ms, defaults.requests_timeout),
            publish_on_specific_response_channel: switch(
                "publish_on_specific_response_channel",
                given.publish_on_specific_response_channel,
                false,
            )?,
            subscription_mode: subscription_mode(given.subscription_mode)?,
            stream_name: optional_string(given.stream_name)?.unwrap_or(defaults.stream_name),
            stream_count: limit(given.stream_count, defaults.stream_count, usize::MAX),
            max_len: limit(given.max_len, defaults.max_len, usize::MAX),
            read_count: limit(given.read_count, defaults.read_count, usize::MAX),
            session_key_prefix: optional_string(given.session_key_prefix)?
                .unwrap_or(defaults.session_key_prefix),
            tls: RedisTls {
                ca_file: optional_string(given.ca_file)?.map(Into::into),
                certificate_file: optional_string(given.certificate_file)?.map(Into::into),
                key_file: optional_string(given.key_file)?.map(Into::into),
                insecure: switch("insecure", given.insecure, false)?,
            },
            command_timeout: number(given.command_timeout_ms, defaults.command_timeout),
            ping_interval: number(given.ping_interval_ms, defaults.ping_interval),
            max_queued: limit(given.max_queued, defaults.max_queued, usize::MAX),
            channel: optional_string(given.channel)?.unwrap_or(defaults.channel),
            sentinel_user: optional_string(given.sentinel_user)?,
            sentinel_password: optional_string(given.sentinel_password)?,
            sentinel_tls: switch("sentinel_tls", given.sentinel_tls, false)?,
        })
    }
}

fn mode(number: i64) -> Result<RedisMode> {
    const CLASSIC: i64 = sockline_redis_mode::SOCKLINE_REDIS_CLASSIC as i64;
    const SHARDED: i64 = sockline_redis_mode::SOCKLINE_REDIS_SHARDED as i64;
    const STREAMS: i64 = sockline_redis_mode::SOCKLINE_REDIS_STREAMS as i64;
    const PYTHON_SOCKETIO: i64 = sockline_redis_mode::SOCKLINE_REDIS_PYTHON_SOCKETIO as i64;
    match number {
        CLASSIC => Ok(RedisMode::Classic),
        SHARDED => Ok(RedisMode::Sharded),
        STREAMS => Ok(RedisMode::Streams),
        PYTHON_SOCKETIO => Ok(RedisMode::PythonSocketio),
        other => Err(invalid(format!("{other} is not one of enum sockline_redis_mode"))),
    }
}

fn subscription_mode(number: i64) -> Result<SubscriptionMode> {
    use sockline_redis_subscription as kind;
    const DYNAMIC: i64 = kind::SOCKLINE_REDIS_DYNAMIC as i64;
    const STATIC: i64 = kind::SOCKLINE_REDIS_STATIC as i64;
    const DYNAMIC_PRIVATE: i64 = kind::SOCKLINE_REDIS_DYNAMIC_PRIVATE as i64;
    match number {
        DYNAMIC => Ok(SubscriptionMode::Dynamic),
        STATIC => Ok(SubscriptionMode::Static),
        DYNAMIC_PRIVATE => Ok(SubscriptionMode::DynamicPrivate),
        other => Err(invalid(format!(
            "{other} is not one of enum sockline_redis_subscription"
        ))),
    }
}

fn number(given: u64, default: u64) -> u64 {
    if given == 0 { default } else { given }
}

/// Tells C how a connection is, which keeps it as long as it has something to tell.
struct Hearing {
    handlers: sockline_redis_handlers,
    user_data: Arc<UserData>,
}

// The SAFETY of every call below: the header asks for functions of these types, which take their arguments as
// described; pointers that they get are good until they return.
impl RedisEvents for Hearing {
    fn on_error(&self, error: &AdapterError) {
        if let Some(call) = self.handlers.on_error {
            // SAFETY: as said above.
            unsafe { call(sockline_string::borrow(error.0.as_bytes()), self.user_data.get()) }
        }
    }

    fn on_connected(&self) {
        if let Some(call) = self.handlers.on_connected {
            // SAFETY: as said above.
            unsafe { call(self.user_data.get()) }
        }
    }

    fn on_disconnected(&self, why: &AdapterError) {
        if let Some(call) = self.handlers.on_disconnected {
            // SAFETY: as said above.
            unsafe { call(sockline_string::borrow(why.0.as_bytes()), self.user_data.get()) }
        }
    }

    fn on_closed(&self) {
        if let Some(call) = self.handlers.on_closed {
            // SAFETY: as said above.
            unsafe { call(self.user_data.get()) }
        }
    }
}
