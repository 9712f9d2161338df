//! Loops.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use sockline::{Loop, LoopOptions, Result, Turn};

use crate::abi::{Versioned, invalid, read_struct, write_out};
use crate::guard::{guard, guard_value};
use crate::status::{OK, STOPPED, sockline_status};

/// A loop: one thread's worth of connections and servers. It is a pointer and has to be freed.
///
/// There are three ways to turn it: sockline_loop_run on a thread of yours, sockline_loop_start on a thread of the
/// library's own, or sockline_loop_fd, _next_timeout and _poll from another event loop. Callbacks run on the thread
/// that turns the loop. Where a loop is asked for, NULL means the library's default loop, which is started at first
/// use, never freed, and does not keep the process from ending.
pub struct sockline_loop(Loop);

/// How a loop works. Start from SOCKLINE_LOOP_OPTIONS_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_loop_options {
    /// sizeof(sockline_loop_options), as the INIT macro sets it.
    pub size: usize,
    /// How many events the system may announce at once. Default: 1024.
    pub max_events: usize,
    /// For loops that sockline_loop_poll turns: called, once until it is done, when calls between turns have left
    /// something to send. Have sockline_loop_flush called soon then; this spares the loop waking itself through the
    /// system. It runs inside such calls, so it must not call the library. NULL: the loop wakes itself.
    pub flush_hook: Option<unsafe extern "C" fn(flush_hook_data: *mut c_void)>,
    /// Given back to flush_hook. Borrowed until the loop is freed.
    pub flush_hook_data: *mut c_void,
    /// For how many microseconds a turn that has to wait looks again and again before its thread sleeps. What comes in
    /// that time is answered without the system having to wake the thread, which is most of the round trip of a
    /// connection that has one message on its way; the price is up to a whole core. 50 to 100 are usual. Without
    /// connections nothing is looked for. For sockline_loop_run, _start and _poll; those who wait for the descriptor
    /// themselves call sockline_loop_spin before. The further threads of a server have it from its loop. Default: 0,
    /// not at all.
    pub busy_poll_us: u64,
    /// From how many sockets on the output of a turn leaves by one system call, where the system has io_uring (Linux 5.17 and
    /// later) and lets it be used; elsewhere each socket sends by itself, always. SIZE_MAX: never. Default: what the
    /// environment's SOCKLINE_SEND_BATCH says, "off" or a number, else 8. sockline_loop_metrics.batched_sends tells whether it
    /// is used.
    pub send_batch: usize,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers, no function and NULL.
unsafe impl Versioned for sockline_loop_options {
    const NAME: &'static str = "sockline_loop_options";
}

/// Makes a loop that nobody turns yet, and writes it to *made: owned, until sockline_loop_free.
///
/// options: copied; NULL for the defaults. made: not NULL; left alone after a failure.
/// Errors: SOCKLINE_ERR_OUT_OF_RESOURCES if there are 1024 loops or the system has no descriptor left,
/// SOCKLINE_ERR_FORKED in a child of a process that had loops. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_new(
    options: *const sockline_loop_options,
    made: *mut *mut sockline_loop,
) -> sockline_status {
    guard(|| {
        if made.is_null() {
            return Err(invalid("made is NULL".to_owned()));
        }
        // SAFETY: the header asks for NULL or a struct as long as its size says.
        let options = unsafe { read_struct(options) }?;
        let fresh = Loop::new(options.map(loop_options).unwrap_or_default())?;
        let owned = Arc::into_raw(Arc::new(sockline_loop(fresh)));
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { write_out(made, owned.cast_mut()) };
        Ok(OK)
    })
}

/// Turns the loop on this thread until sockline_loop_stop, or until a sockline_loop_shutdown is done.
///
/// Errors: SOCKLINE_ERR_LOOP_BUSY if it is being turned already. Loop thread: this makes the caller's thread the one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_run(r#loop: *mut sockline_loop) -> sockline_status {
    with_loop(r#loop, |on_loop| on_loop.run().map(|()| OK))
}

/// Turns the loop on a thread of the library's own, which takes no signals; callbacks run there.
///
/// Errors: SOCKLINE_ERR_LOOP_BUSY if it was started before, SOCKLINE_ERR_OUT_OF_RESOURCES if there is no thread to be
/// had. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_start(r#loop: *mut sockline_loop) -> sockline_status {
    with_loop(r#loop, |on_loop| on_loop.start().map(|()| OK))
}

/// The descriptor for another event loop to watch for reading: call sockline_loop_poll when it is readable. It belongs
/// to the loop; don't close it. -1 if loop is NULL, and on Windows, where another loop has nothing to watch. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_fd(r#loop: *mut sockline_loop) -> c_int {
    guard_value(-1, || {
        // SAFETY: the header asks for NULL or a loop that is not freed yet.
        let shared = unsafe { share(r#loop) };
        shared.map_or(-1, |on_loop| on_loop.0.fd())
    })
}

/// In how many milliseconds sockline_loop_poll has to be called though the descriptor is not readable; -1 for never.
/// Ask again after each poll. Loop thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_next_timeout(r#loop: *mut sockline_loop) -> i64 {
    guard_value(-1, || {
        // SAFETY: the header asks for NULL or a loop that is not freed yet.
        let timeout = unsafe { share(r#loop) }.and_then(|on_loop| on_loop.0.next_timeout());
        // Rounded up: a poll that comes too early finds nothing due.
        timeout.map_or(-1, |timeout| {
            i64::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i64::MAX)
        })
    })
}

/// Turns the loop once: waits at most timeout_ms (-1: until something happens; 0: not at all) and runs callbacks.
/// Returns SOCKLINE_OK, or SOCKLINE_STOPPED if the loop was stopped or is shut down.
///
/// Errors: SOCKLINE_ERR_LOOP_BUSY if another thread turns it, or if one of its callbacks calls this. Loop thread: this
/// makes the caller's thread the one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_poll(r#loop: *mut sockline_loop, timeout_ms: i64) -> sockline_status {
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    with_loop(r#loop, |on_loop| {
        Ok(match on_loop.poll(timeout)? {
            Turn::Continue => OK,
            Turn::Stopped => STOPPED,
        })
    })
}

/// Waits at most timeout_ms (-1: without end) until there is something to do, for as long as a timer lets it, and keeps what
/// the system has said: the next sockline_loop_poll does not ask again. It runs no callbacks, so a host's thread can wait
/// without a lock that its callbacks need, such as an interpreter's, and take it for the turn. It looks for the loop's
/// busy_poll_us before.
///
/// Errors: SOCKLINE_ERR_LOOP_BUSY if another thread turns it, or if one of its callbacks calls this. Loop thread: this
/// makes the caller's thread the one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_wait(r#loop: *mut sockline_loop, timeout_ms: i64) -> sockline_status {
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    with_loop(r#loop, |on_loop| on_loop.wait(timeout).map(|()| OK))
}

/// Looks again and again whether the descriptor is readable, for the loop's busy_poll_us and at most for timeout_ms (-1: no
/// other limit); for hosts that would wait for the descriptor otherwise. Returns 1 if it is readable: then poll, else 0: then
/// wait. It runs no callbacks, and returns at once without busy_poll_us or without connections. Loop thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_spin(r#loop: *mut sockline_loop, timeout_ms: i64) -> sockline_status {
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    with_loop(r#loop, |on_loop| Ok(i32::from(on_loop.spin(timeout))))
}

/// Sends what calls between turns have left, and delivers what they have brought about: it may run callbacks. For
/// loops with a flush_hook. Does nothing on other threads than the one that polls. Loop thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_flush(r#loop: *mut sockline_loop) -> sockline_status {
    with_loop(r#loop, |on_loop| on_loop.flush().map(|()| OK))
}

/// Makes the thread that waits in sockline_loop_run or sockline_loop_poll look around once. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_wake(r#loop: *mut sockline_loop) -> sockline_status {
    with_loop(r#loop, |on_loop| {
        on_loop.wake();
        Ok(OK)
    })
}

/// Ends sockline_loop_run, or the thread of sockline_loop_start, after the present turn. Connections stay as they are.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_stop(r#loop: *mut sockline_loop) -> sockline_status {
    with_loop(r#loop, |on_loop| {
        on_loop.stop();
        Ok(OK)
    })
}

/// Ends the loop in good order: no new connections, close code 1001 for the open ones; what has not ended after
/// within_ms is cut. Waits for the thread of sockline_loop_start, unless called on it; sockline_loop_run and _poll
/// return when it is done. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_shutdown(
    r#loop: *mut sockline_loop,
    within_ms: u64,
) -> sockline_status {
    with_loop(r#loop, |on_loop| {
        on_loop.shutdown(Duration::from_millis(within_ms));
        Ok(OK)
    })
}

/// Frees a loop: consumed. Every connection gets its on_close (1006) and every server its on_server_closed, without
/// waiting for peers, before this returns. In a callback of the loop, or while another thread turns it, this comes at
/// the end of the turn instead. Then the loop stops. NULL does nothing. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_free(r#loop: *mut sockline_loop) {
    guard_value((), || {
        if r#loop.is_null() {
            return;
        }
        // SAFETY: the pointer came from `sockline_loop_new` and was not freed before, as the header asks.
        let owned = unsafe { Arc::from_raw(r#loop.cast_const()) };
        owned.0.stop(); // a thread that turns it holds a share, and lets go of it then
    });
}

/// A share in a loop for as long as a call takes: a callback may free the loop meanwhile.
///
/// # Safety
/// `loop` is NULL, or came from `sockline_loop_new` and is not freed yet.
pub(crate) unsafe fn share(r#loop: *mut sockline_loop) -> Option<Arc<sockline_loop>> {
    if r#loop.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; one more share is counted before it is taken.
    unsafe {
        Arc::increment_strong_count(r#loop.cast_const());
        Some(Arc::from_raw(r#loop.cast_const()))
    }
}

impl sockline_loop {
    pub(crate) fn inner(&self) -> &Loop {
        &self.0
    }
}

fn with_loop(
    r#loop: *mut sockline_loop,
    act: impl FnOnce(&Loop) -> Result<sockline_status>,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a loop that is not freed yet.
        let Some(shared) = (unsafe { share(r#loop) }) else {
            return Err(invalid("the loop is NULL".to_owned()));
        };
        act(&shared.0)
    })
}

fn loop_options(given: sockline_loop_options) -> LoopOptions {
    let hook = given.flush_hook.map(|hook| FlushHook {
        hook,
        data: given.flush_hook_data,
    });
    LoopOptions {
        max_events: given.max_events,
        send_batch: given.send_batch,
        flush_hook: hook.map(|hook| Arc::new(move || hook.call()) as Arc<dyn Fn() + Send + Sync>),
        busy_poll: Duration::from_micros(given.busy_poll_us),
    }
}

struct FlushHook {
    hook: unsafe extern "C" fn(*mut c_void),
    data: *mut c_void,
}

// SAFETY: the header tells that the hook is called on the thread of the call that made work, with its own data.
unsafe impl Send for FlushHook {}
// SAFETY: as above.
unsafe impl Sync for FlushHook {}

impl FlushHook {
    fn call(&self) {
        // SAFETY: the function and its data are good until the loop is freed, as the header asks.
        unsafe { (self.hook)(self.data) }
    }
}
