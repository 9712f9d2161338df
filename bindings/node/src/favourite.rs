//! The async context of the target that turn after turn is about, as that of the only client is.
//!
//! `AsyncResource.runInAsyncScope` inside the callback costs as much as to read the message from its frame. Node-API enters a
//! context together with the callback, which it has to do with some context anyway.

use std::ptr::null_mut;

use napi::sys;

/// A context whose resource is the target's own, so what `AsyncLocalStorage` keeps there is the same in both ways.
pub(crate) struct Favourite {
    env: sys::napi_env,
    key: u32,
    context: sys::napi_async_context,
}

impl Favourite {
    /// `resource` is what the target's events run in. To be called in it, so that the context is what it is there.
    pub(crate) fn new(env: sys::napi_env, key: u32, resource: sys::napi_value) -> Option<Favourite> {
        let (mut name, mut context) = (null_mut(), null_mut());
        let text = "Sockline";
        // SAFETY: `env` is alive on this thread, a handle scope is open, and the text has as many bytes.
        let status = unsafe {
            sys::napi_create_string_utf8(env, text.as_ptr().cast(), text.len() as isize, &mut name);
            sys::napi_async_init(env, resource, name, &mut context)
        };
        (status == sys::Status::napi_ok).then_some(Favourite { env, key, context })
    }

    pub(crate) fn key(&self) -> u32 {
        self.key
    }

    pub(crate) fn context(&self) -> sys::napi_async_context {
        self.context
    }
}

impl Drop for Favourite {
    fn drop(&mut self) {
        // SAFETY: made in `new`, destroyed this once, on the thread of its environment, which waits for its host to go.
        unsafe { sys::napi_async_destroy(self.env, self.context) };
    }
}
