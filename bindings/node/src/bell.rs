//! What watches the loop where there is no libuv to be had (Bun, Deno): a thread of our own that waits for the loop's
//! descriptor and for the time, and rings a thread-safe function of Node-API; the runtime calls that on its own thread.
//!
//! The thread never touches the loop. When it has rung for the descriptor it waits for the turn to be over before it
//! looks again, since the descriptor stays readable until then.

use std::cell::Cell;
use std::ffi::c_void;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use napi::sys;

/// Why the bell rings.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Ring {
    /// The descriptor is readable.
    Readable = 1,
    /// The time has come.
    Due = 2,
    /// Somebody on the environment's thread has asked to be called after what runs now.
    Soon = 3,
}

/// Is called on the environment's thread, with a handle scope open.
pub(crate) type Callback = fn(owner: *mut c_void, why: Ring);

/// The bell of one host. It belongs to the environment's thread, and rings there only.
pub(crate) struct Bell {
    env: sys::napi_env,
    shared: Arc<Shared>,
    thread: Cell<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    /// Interrupts the thread's waiting.
    waker: UnixStream,
    function: AtomicPtr<c_void>,
    /// Null once there is nobody to call.
    owner: AtomicPtr<c_void>,
    callback: Callback,
}

#[derive(Default)]
struct State {
    due: Option<Instant>,
    /// It has rung for the descriptor, and the turn is not over.
    is_answering: bool,
    /// `Soon` is on its way.
    is_soon: bool,
    has_ended: bool,
}

impl Bell {
    /// Starts to watch a descriptor, which has to stay open until [`Bell::silence`].
    ///
    /// # Errors
    /// What the runtime or the system refuses.
    pub(crate) fn start(
        env: sys::napi_env,
        fd: RawFd,
        owner: *mut c_void,
        callback: Callback,
    ) -> Result<Bell, String> {
        let (waker, woken) = UnixStream::pair().map_err(|error| error.to_string())?;
        for end in [&waker, &woken] {
            end.set_nonblocking(true).map_err(|error| error.to_string())?;
        }
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            waker,
            function: AtomicPtr::default(),
            owner: AtomicPtr::new(owner),
            callback,
        });
        let function = threadsafe_function(env, &shared)?;
        shared.function.store(function.cast(), Ordering::Release);
        let watching = shared.clone();
        let thread = thread::Builder::new()
            .name("sockline-bell".to_owned())
            .spawn(move || watching.watch(fd, woken))
            .map_err(|error| error.to_string())?;
        let bell = Bell {
            env,
            shared,
            thread: Cell::new(Some(thread)),
        };
        bell.release();
        Ok(bell)
    }

    /// Keeps the process alive.
    pub(crate) fn retain(&self) {
        // SAFETY: on the environment's thread, and the function is released in `silence` only.
        unsafe { sys::napi_ref_threadsafe_function(self.env, self.shared.function()) };
    }

    /// Lets the process end.
    pub(crate) fn release(&self) {
        // SAFETY: as above.
        unsafe { sys::napi_unref_threadsafe_function(self.env, self.shared.function()) };
    }

    /// Rings after so many milliseconds; takes the place of an earlier wish.
    pub(crate) fn call_in(&self, millis: u64) {
        self.shared.lock().due = Some(Instant::now() + Duration::from_millis(millis));
        self.shared.wake();
    }

    /// Rings once after what runs now.
    pub(crate) fn call_soon(&self) {
        let mut state = self.shared.lock();
        if !state.is_soon {
            state.is_soon = self.shared.ring(&state, Ring::Soon);
        }
    }

    /// Ends the thread; nothing is called any more.
    pub(crate) fn silence(&self) {
        if self.shared.end() {
            // SAFETY: created with one owner, this one; the thread calls nothing after `end`.
            unsafe {
                sys::napi_release_threadsafe_function(
                    self.shared.function(),
                    sys::ThreadsafeFunctionReleaseMode::abort,
                );
            }
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it waits for nobody on this thread, and doesn't panic
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.silence();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn function(&self) -> sys::napi_threadsafe_function {
        self.function.load(Ordering::Acquire).cast()
    }

    fn wake(&self) {
        let _ = (&self.waker).write(&[0]); // a full pipe wakes as well
    }

    /// The lock is held, so the function is not released meanwhile. False if nobody will be called.
    fn ring(&self, state: &State, why: Ring) -> bool {
        if state.has_ended {
            return false;
        }
        let why = why as usize as *mut c_void;
        let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
        // SAFETY: the function is alive, as `has_ended` is set before it is released.
        unsafe { sys::napi_call_threadsafe_function(self.function(), why, mode) == sys::Status::napi_ok }
    }

    /// True for the first time.
    fn end(&self) -> bool {
        self.owner.store(null_mut(), Ordering::Release);
        let was_running = !std::mem::replace(&mut self.lock().has_ended, true);
        self.wake();
        was_running
    }

    /// The thread: waits, rings, waits for the answer.
    fn watch(&self, fd: RawFd, mut woken: UnixStream) {
        loop {
            let (events, timeout) = {
                let state = self.lock();
                if state.has_ended {
                    return;
                }
                (if state.is_answering { 0 } else { libc::POLLIN }, wait(state.due))
            };
            let mut polled = [poll_of(woken.as_raw_fd(), libc::POLLIN), poll_of(fd, events)];
            if events == 0 {
                polled[1].fd = -1; // an error there would be told all the same
            }
            // SAFETY: the list has two elements. The loop's descriptor stays open, as `silence` awaits this thread.
            unsafe { libc::poll(polled.as_mut_ptr(), 2, timeout) };
            if polled[0].revents != 0 {
                let _ = woken.read(&mut [0; 64]);
            }
            let mut state = self.lock();
            if state.due.is_some_and(|due| due <= Instant::now()) {
                state.due = None;
                self.ring(&state, Ring::Due);
            }
            if polled[1].revents != 0 {
                state.is_answering = self.ring(&state, Ring::Readable);
            }
        }
    }

    /// On the environment's thread.
    fn answer(&self, why: Ring) {
        if why == Ring::Soon {
            self.lock().is_soon = false;
        }
        let owner = self.owner.load(Ordering::Acquire);
        if !owner.is_null() {
            (self.callback)(owner, why);
        }
        if why == Ring::Readable {
            self.lock().is_answering = false;
            self.wake();
        }
    }
}

/// Milliseconds for `poll`, rounded up; -1 for no end.
fn wait(due: Option<Instant>) -> i32 {
    let Some(due) = due else { return -1 };
    let left = due.saturating_duration_since(Instant::now());
    i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
}

fn poll_of(fd: RawFd, events: i16) -> libc::pollfd {
    libc::pollfd {
        fd,
        events,
        revents: 0,
    }
}

fn threadsafe_function(
    env: sys::napi_env,
    shared: &Arc<Shared>,
) -> Result<sys::napi_threadsafe_function, String> {
    const NAME: &str = "sockline";
    let context = Arc::into_raw(shared.clone()).cast_mut().cast::<c_void>();
    let (mut name, mut function) = (null_mut(), null_mut());
    // SAFETY: the environment is alive on this thread; the context is given back in `finalize`, which is called once.
    let status = unsafe {
        sys::napi_create_string_utf8(env, NAME.as_ptr().cast(), NAME.len() as isize, &mut name);
        sys::napi_create_threadsafe_function(
            env,
            null_mut(),
            null_mut(),
            name,
            0, // no limit: at most three rings are on their way
            1,
            context,
            Some(finalize),
            context,
            Some(rung),
            &mut function,
        )
    };
    if status == sys::Status::napi_ok {
        return Ok(function);
    }
    // SAFETY: made by `Arc::into_raw` above, and nobody has taken it.
    drop(unsafe { Arc::from_raw(context.cast::<Shared>()) });
    Err(format!(
        "this runtime has no thread-safe functions (status {status})"
    ))
}

unsafe extern "C" fn rung(
    env: sys::napi_env,
    _function: sys::napi_value,
    context: *mut c_void,
    why: *mut c_void,
) {
    if env.is_null() {
        return; // the environment is going down
    }
    // SAFETY: the context is the `Shared` that `finalize` has not given back yet; this call keeps a share of its own,
    // as the turn may end the environment.
    let shared = unsafe {
        Arc::increment_strong_count(context.cast::<Shared>());
        Arc::from_raw(context.cast::<Shared>())
    };
    let why = match why as usize {
        1 => Ring::Readable,
        2 => Ring::Due,
        _ => Ring::Soon,
    };
    shared.answer(why);
}

/// The runtime has let go of the function, be it that it was released or that its environment ends.
unsafe extern "C" fn finalize(_env: sys::napi_env, context: *mut c_void, _hint: *mut c_void) {
    // SAFETY: made by `Arc::into_raw`, and given to this call only.
    let shared = unsafe { Arc::from_raw(context.cast::<Shared>()) };
    shared.end();
}
