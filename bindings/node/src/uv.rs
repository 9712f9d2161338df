//! libuv of the process that loaded the addon, found by name at run time: no headers, no version to match.
//!
//! Only functions that libuv 1.x has exported unchanged since 1.19 are used, and handles are memory of the size that
//! libuv itself names.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ffi::{CStr, c_int, c_void};
use std::os::fd::RawFd;

/// Any handle, and the loop: never looked into.
pub(crate) type Handle = *mut c_void;
pub(crate) type PollCallback = extern "C" fn(Handle, c_int, c_int);
pub(crate) type Callback = extern "C" fn(Handle);

const READABLE: c_int = 1;

/// Numbers of `uv_handle_type`; part of libuv's ABI.
#[derive(Clone, Copy)]
enum Type {
    Poll = 8,
    Prepare = 9,
    Timer = 13,
}

/// The functions of libuv that are used.
#[derive(Clone, Copy)]
struct Functions {
    handle_size: extern "C" fn(c_int) -> usize,
    close: extern "C" fn(Handle, Option<Callback>),
    retain: extern "C" fn(Handle),
    release: extern "C" fn(Handle),
    poll_init: extern "C" fn(Handle, Handle, c_int) -> c_int,
    poll_start: extern "C" fn(Handle, c_int, PollCallback) -> c_int,
    prepare_init: extern "C" fn(Handle, Handle) -> c_int,
    prepare_start: extern "C" fn(Handle, Callback) -> c_int,
    prepare_stop: extern "C" fn(Handle) -> c_int,
    timer_init: extern "C" fn(Handle, Handle) -> c_int,
    timer_start: extern "C" fn(Handle, Callback, u64, u64) -> c_int,
}

/// What libuv watches for one host: the descriptor of its loop, a timer, and the moment before libuv waits.
///
/// All calls belong to the thread of the libuv loop. Only the descriptor can keep the process alive, and only while
/// [`Watcher::retain`] says so. It must be dropped only after [`Watcher::close`] has called back for all handles.
pub(crate) struct Watcher {
    functions: Functions,
    poll: Handle,
    timer: Handle,
    prepare: Handle,
}

impl Watcher {
    /// How many handles [`Watcher::close`] closes.
    pub(crate) const HANDLES: usize = 3;

    /// Starts to watch a descriptor on this libuv loop. All callbacks get a handle that [`owner_of`] knows.
    ///
    /// # Errors
    /// What is missing: the process has no libuv, or its libuv refuses the descriptor.
    pub(crate) fn start(
        uv_loop: Handle,
        fd: RawFd,
        owner: *mut c_void,
        readable: PollCallback,
    ) -> Result<Watcher, String> {
        let functions = Functions::find()?;
        let watcher = Watcher {
            poll: functions.allocate(Type::Poll),
            timer: functions.allocate(Type::Timer),
            prepare: functions.allocate(Type::Prepare),
            functions,
        };
        let status = (functions.poll_init)(uv_loop, watcher.poll, fd);
        if status != 0 {
            return Err(format!(
                "libuv refuses to watch the loop's descriptor (status {status})"
            ));
        }
        (functions.timer_init)(uv_loop, watcher.timer);
        (functions.prepare_init)(uv_loop, watcher.prepare);
        for handle in watcher.handles() {
            // SAFETY: `void* data` is the first field of every handle, for its user to set (uv_handle_t).
            unsafe { handle.cast::<*mut c_void>().write(owner) };
            (functions.release)(handle);
        }
        (functions.poll_start)(watcher.poll, READABLE, readable);
        Ok(watcher)
    }

    /// Keeps the process alive.
    pub(crate) fn retain(&self) {
        (self.functions.retain)(self.poll);
    }

    /// Lets the process end.
    pub(crate) fn release(&self) {
        (self.functions.release)(self.poll);
    }

    /// Has `call` called after so many milliseconds; takes the place of an earlier wish.
    pub(crate) fn call_in(&self, millis: u64, call: Callback) {
        (self.functions.timer_start)(self.timer, call, millis, 0);
    }

    /// Has `call` called each time before libuv waits: after all that runs now, and before the next I/O.
    pub(crate) fn call_before_wait(&self, call: Callback) {
        (self.functions.prepare_start)(self.prepare, call);
    }

    /// Takes [`Watcher::call_before_wait`] back.
    pub(crate) fn no_call_before_wait(&self) {
        (self.functions.prepare_stop)(self.prepare);
    }

    /// Stops watching; `closed` is called once for each of [`Watcher::HANDLES`], later.
    pub(crate) fn close(&self, closed: Callback) {
        for handle in self.handles() {
            (self.functions.close)(handle, Some(closed));
        }
    }

    fn handles(&self) -> [Handle; Self::HANDLES] {
        [self.poll, self.timer, self.prepare]
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        for (handle, kind) in self
            .handles()
            .into_iter()
            .zip([Type::Poll, Type::Timer, Type::Prepare])
        {
            // SAFETY: allocated in `start` with this layout; libuv has let go of it, or never had it.
            unsafe { dealloc(handle.cast(), self.functions.layout(kind)) };
        }
    }
}

/// The owner that the handle of a callback was started for.
pub(crate) fn owner_of(handle: Handle) -> *mut c_void {
    // SAFETY: only called with handles of a `Watcher`, whose first field `start` has set.
    unsafe { handle.cast::<*mut c_void>().read() }
}

impl Functions {
    fn find() -> Result<Functions, String> {
        // SAFETY: each type is that of the function of this name in uv.h of libuv 1.x.
        unsafe {
            Ok(Functions {
                handle_size: find(c"uv_handle_size")?,
                close: find(c"uv_close")?,
                retain: find(c"uv_ref")?,
                release: find(c"uv_unref")?,
                poll_init: find(c"uv_poll_init")?,
                poll_start: find(c"uv_poll_start")?,
                prepare_init: find(c"uv_prepare_init")?,
                prepare_start: find(c"uv_prepare_start")?,
                prepare_stop: find(c"uv_prepare_stop")?,
                timer_init: find(c"uv_timer_init")?,
                timer_start: find(c"uv_timer_start")?,
            })
        }
    }

    fn layout(&self, kind: Type) -> Layout {
        let size = (self.handle_size)(kind as c_int).max(1);
        // 16 is a power of two, and no handle comes near isize::MAX bytes.
        Layout::from_size_align(size, 16).unwrap_or(Layout::new::<u128>())
    }

    fn allocate(&self, kind: Type) -> Handle {
        let layout = self.layout(kind);
        // SAFETY: the layout's size is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        memory.cast()
    }
}

/// The function of this name in the process.
///
/// # Safety
/// `F` must be the function pointer type of what has this name.
unsafe fn find<F: Copy>(name: &CStr) -> Result<F, String> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: the name ends with NUL, and looking up has no side effects.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if found.is_null() {
        return Err(format!(
            "this process has no {}: sockline needs Node.js or Electron",
            name.to_string_lossy()
        ));
    }
    // SAFETY: of the same size (checked above), and of this type by the caller's promise.
    Ok(unsafe { std::mem::transmute_copy(&found) })
}
