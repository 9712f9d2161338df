//! Who says when the loop has to turn: libuv, or where that is not to be had a thread with a bell.

use std::ffi::{c_int, c_void};
use std::os::fd::RawFd;
use std::ptr::null_mut;

use napi::sys;

use crate::bell::{Bell, Ring};
use crate::host::HostPointer;
use crate::uv;

/// The watcher of one host, which it calls on the environment's thread.
pub(crate) enum Watcher {
    Libuv(uv::Watcher),
    Thread(Bell),
}

impl Watcher {
    /// Starts to watch a loop's descriptor. `has_libuv` is what JavaScript knows of its runtime: Bun and Deno export
    /// functions under libuv's names that end the process.
    ///
    /// # Errors
    /// Why it can't be watched in this runtime.
    pub(crate) fn start(
        env: sys::napi_env,
        has_libuv: bool,
        fd: RawFd,
        host: HostPointer,
    ) -> Result<Watcher, String> {
        if !has_libuv {
            return Bell::start(env, fd, host.into_raw(), rung).map(Watcher::Thread);
        }
        let mut uv_loop = null_mut();
        // SAFETY: the environment is alive on this thread.
        unsafe { sys::napi_get_uv_event_loop(env, &mut uv_loop) };
        if uv_loop.is_null() {
            return Err(
                "this runtime has no libuv: sockline needs Node.js, Electron, Bun or Deno".to_owned(),
            );
        }
        uv::Watcher::start(uv_loop.cast(), fd, host.into_raw(), readable).map(Watcher::Libuv)
    }

    /// Keeps the process alive.
    pub(crate) fn retain(&self) {
        match self {
            Watcher::Libuv(watcher) => watcher.retain(),
            Watcher::Thread(bell) => bell.retain(),
        }
    }

    /// Lets the process end.
    pub(crate) fn release(&self) {
        match self {
            Watcher::Libuv(watcher) => watcher.release(),
            Watcher::Thread(bell) => bell.release(),
        }
    }

    /// Calls [`Host::due`](crate::host::Host::due) after so many milliseconds, in place of an earlier wish.
    pub(crate) fn call_in(&self, millis: u64) {
        match self {
            Watcher::Libuv(watcher) => watcher.call_in(millis, due),
            Watcher::Thread(bell) => bell.call_in(millis),
        }
    }

    /// Calls [`Host::flush_now`](crate::host::Host::flush_now) after what runs now, and before the next waiting.
    pub(crate) fn call_before_wait(&self) {
        match self {
            Watcher::Libuv(watcher) => watcher.call_before_wait(before_wait),
            Watcher::Thread(bell) => bell.call_soon(),
        }
    }

    /// It was called.
    pub(crate) fn no_call_before_wait(&self) {
        if let Watcher::Libuv(watcher) = self {
            watcher.no_call_before_wait();
        }
    }

    /// How many times [`HostPointer::watcher_closed`] is called after `close`.
    pub(crate) fn handles(&self) -> usize {
        match self {
            Watcher::Libuv(_) => uv::Watcher::HANDLES,
            Watcher::Thread(_) => 0,
        }
    }

    /// Stops watching.
    pub(crate) fn close(&self) {
        match self {
            Watcher::Libuv(watcher) => watcher.close(closed),
            Watcher::Thread(bell) => bell.silence(),
        }
    }
}

fn host_of(handle: uv::Handle) -> HostPointer {
    HostPointer::from_raw(uv::owner_of(handle))
}

extern "C" fn readable(handle: uv::Handle, _status: c_int, _events: c_int) {
    host_of(handle).get().turn();
}

extern "C" fn due(handle: uv::Handle) {
    host_of(handle).get().due();
}

extern "C" fn before_wait(handle: uv::Handle) {
    host_of(handle).get().flush_now();
}

extern "C" fn closed(handle: uv::Handle) {
    host_of(handle).watcher_closed();
}

fn rung(host: *mut c_void, why: Ring) {
    let host = HostPointer::from_raw(host);
    match why {
        Ring::Readable => host.get().turn(),
        Ring::Due => host.get().due(),
        Ring::Soon => host.get().flush_now(),
    }
}
