//! Node-API calls that napi-rs has no cheap form of.
//!
//! All functions here belong to the thread of their environment. They return `None` where Node-API refuses, which it
//! does while the environment is going down or an exception is pending.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use napi::sys;

/// What a call into JavaScript returns: `None` if Node-API refused it or it threw.
pub(crate) type Value = Option<sys::napi_value>;

/// The values made in here are let go of at the end.
pub(crate) struct Scope {
    env: sys::napi_env,
    scope: sys::napi_handle_scope,
}

impl Scope {
    pub(crate) fn open(env: sys::napi_env) -> Option<Scope> {
        let mut scope = null_mut();
        // SAFETY: `env` is alive on this thread, and the result is valid for writes.
        let status = unsafe { sys::napi_open_handle_scope(env, &mut scope) };
        (status == sys::Status::napi_ok).then_some(Scope { env, scope })
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // SAFETY: opened in `open`; scopes are dropped in the reverse order, as they live on the stack.
        unsafe { sys::napi_close_handle_scope(self.env, self.scope) };
    }
}

/// A value that lives until the environment ends.
#[derive(Clone, Copy)]
pub(crate) struct Kept(sys::napi_ref);

impl Kept {
    pub(crate) fn new(env: sys::napi_env, value: sys::napi_value) -> Option<Kept> {
        let mut reference = null_mut();
        // SAFETY: `value` is an object or function of the current scope.
        let status = unsafe { sys::napi_create_reference(env, value, 1, &mut reference) };
        (status == sys::Status::napi_ok).then_some(Kept(reference))
    }

    pub(crate) fn get(self, env: sys::napi_env) -> Value {
        let mut value = null_mut();
        // SAFETY: the reference is never deleted before its environment ends.
        let status = unsafe { sys::napi_get_reference_value(env, self.0, &mut value) };
        (status == sys::Status::napi_ok && !value.is_null()).then_some(value)
    }
}

/// Calls a function with one number from a callback of libuv, in an async context or, if that is null, in none; then come
/// the next ticks and the microtasks.
pub(crate) fn make_callback(
    env: sys::napi_env,
    context: sys::napi_async_context,
    function: sys::napi_value,
    number: u32,
) -> Value {
    let (mut argument, mut result) = (null_mut(), null_mut());
    // SAFETY: a handle scope is open, the context is none or alive, and the list has the one element that its length says.
    let status = unsafe {
        sys::napi_create_uint32(env, number, &mut argument);
        // Its `this` is nothing that it looks at; to ask for the global object would cost more than that.
        sys::napi_make_callback(env, context, function, function, 1, &argument, &mut result)
    };
    (status == sys::Status::napi_ok).then_some(result)
}

/// The same with two numbers and a string, for a string; `None`, too, if it returns something else.
pub(crate) fn ask(
    env: sys::napi_env,
    function: sys::napi_value,
    numbers: [u32; 2],
    text: &str,
) -> Option<String> {
    let (mut global, mut result) = (null_mut(), null_mut());
    let mut arguments = [null_mut(); 3];
    // SAFETY: a handle scope is open; the list has as many elements as are said, and the text as many bytes.
    let status = unsafe {
        sys::napi_get_global(env, &mut global);
        sys::napi_create_uint32(env, numbers[0], &mut arguments[0]);
        sys::napi_create_uint32(env, numbers[1], &mut arguments[1]);
        sys::napi_create_string_utf8(env, text.as_ptr().cast(), text.len() as isize, &mut arguments[2]);
        let list = arguments.as_ptr();
        sys::napi_make_callback(
            env,
            null_mut(),
            global,
            function,
            arguments.len(),
            list,
            &mut result,
        )
    };
    if status != sys::Status::napi_ok {
        report_exception(env);
        return None;
    }
    let mut bytes = Vec::new();
    append_string(env, result, &mut bytes)?;
    String::from_utf8(bytes).ok()
}

/// Calls a function with one number; what it leaves for later waits for the next callback.
pub(crate) fn call(env: sys::napi_env, function: sys::napi_value, number: u32) -> Value {
    let (mut global, mut argument, mut result) = (null_mut(), null_mut(), null_mut());
    // SAFETY: a handle scope is open, and the list has the one element that its length says.
    let status = unsafe {
        sys::napi_get_global(env, &mut global);
        sys::napi_create_uint32(env, number, &mut argument);
        sys::napi_call_function(env, global, function, 1, &argument, &mut result)
    };
    (status == sys::Status::napi_ok).then_some(result)
}

/// Makes an error an uncaught exception.
pub(crate) fn report(env: sys::napi_env, error: sys::napi_value) {
    // SAFETY: the value is of the current scope.
    unsafe { sys::napi_fatal_exception(env, error) };
}

/// Makes the pending exception an uncaught one, as if thrown from a callback of its own.
pub(crate) fn report_exception(env: sys::napi_env) {
    let (mut pending, mut exception) = (false, null_mut());
    // SAFETY: both results are valid for writes; the exception is of the current scope.
    unsafe {
        sys::napi_is_exception_pending(env, &mut pending);
        if pending && sys::napi_get_and_clear_last_exception(env, &mut exception) == sys::Status::napi_ok {
            sys::napi_fatal_exception(env, exception);
        }
    }
}

/// The memory of an ArrayBuffer.
pub(crate) fn array_buffer(env: sys::napi_env, value: sys::napi_value) -> Option<(*mut u8, usize)> {
    let (mut data, mut length) = (null_mut(), 0);
    // SAFETY: Node-API checks the type of the value.
    let status = unsafe { sys::napi_get_arraybuffer_info(env, value, &mut data, &mut length) };
    (status == sys::Status::napi_ok).then_some((data.cast(), length))
}

/// A function whose callback gets `data`, which must live as long as the environment.
pub(crate) fn function(env: sys::napi_env, callback: sys::napi_callback, data: *mut c_void) -> Value {
    let mut function = null_mut();
    // SAFETY: without a name the length counts nothing.
    let status = unsafe { sys::napi_create_function(env, null(), 0, callback, data, &mut function) };
    (status == sys::Status::napi_ok).then_some(function)
}

/// The arguments of a call, up to N of them, and the data of its function.
pub(crate) fn arguments<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> Option<([sys::napi_value; N], *mut c_void)> {
    let (mut count, mut values, mut data) = (N, [null_mut(); N], null_mut());
    // SAFETY: the list has room for `count` values; Node-API fills it up with undefined.
    let status =
        unsafe { sys::napi_get_cb_info(env, info, &mut count, values.as_mut_ptr(), null_mut(), &mut data) };
    (status == sys::Status::napi_ok).then_some((values, data))
}

/// An integer as a value; undefined cannot be had where this fails, so null stands for it.
pub(crate) fn integer(env: sys::napi_env, number: i32) -> sys::napi_value {
    let mut value = null_mut();
    // SAFETY: the result is valid for writes.
    unsafe { sys::napi_create_int32(env, number, &mut value) };
    value
}

/// A number as a value; 0 if it is none.
pub(crate) fn number(env: sys::napi_env, value: sys::napi_value) -> f64 {
    let mut number = 0.0;
    // SAFETY: Node-API checks the type of the value.
    unsafe { sys::napi_get_value_double(env, value, &mut number) };
    number
}

/// The bytes of an ArrayBuffer's view, which JavaScript must not run while they are used.
///
/// # Safety
/// `value` must be a view of an ArrayBuffer: Node-API aborts the process on anything else.
pub(crate) unsafe fn view<'a>(env: sys::napi_env, value: sys::napi_value) -> Option<&'a [u8]> {
    let (mut data, mut length) = (null_mut(), 0);
    // SAFETY: by the caller's promise.
    let mut status = unsafe { sys::napi_get_buffer_info(env, value, &mut data, &mut length) };
    if status != sys::Status::napi_ok {
        // Deno takes typed arrays only, and no DataView.
        let (mut buffer, mut offset) = (null_mut(), 0);
        // SAFETY: Node-API checks the type of the value.
        status = unsafe {
            sys::napi_get_dataview_info(env, value, &mut length, &mut data, &mut buffer, &mut offset)
        };
    }
    if status != sys::Status::napi_ok {
        return None;
    }
    if data.is_null() || length == 0 {
        return Some(&[]);
    }
    // SAFETY: Node-API says that so many bytes are there; nothing changes them before the caller returns.
    Some(unsafe { std::slice::from_raw_parts(data.cast(), length) })
}

/// Appends a string as UTF-8 to `out`; unpaired surrogates become U+FFFD.
pub(crate) fn append_string(env: sys::napi_env, value: sys::napi_value, out: &mut Vec<u8>) -> Option<()> {
    /// Node-API writes a NUL behind the string, and whole characters only, of at most 4 bytes.
    const SLACK: usize = 5;
    loop {
        let room = out.spare_capacity_mut();
        let (start, size) = (room.as_mut_ptr(), room.len());
        let mut written = 0;
        // SAFETY: `size` bytes may be written at `start`.
        let status = unsafe { sys::napi_get_value_string_utf8(env, value, start.cast(), size, &mut written) };
        if status != sys::Status::napi_ok {
            return None;
        }
        if written + SLACK <= size {
            // SAFETY: so many bytes were written behind the present length.
            unsafe { out.set_len(out.len() + written) };
            return Some(());
        }
        let mut needed = 0;
        // SAFETY: without a buffer only the length is asked for.
        unsafe { sys::napi_get_value_string_utf8(env, value, null_mut(), 0, &mut needed) };
        out.reserve(needed + SLACK);
    }
}

/// How many elements an array has; 0 if it is none.
fn array_length(env: sys::napi_env, value: sys::napi_value) -> u32 {
    let (mut is_array, mut length) = (false, 0);
    // SAFETY: both results are valid for writes, and the length is asked of arrays only.
    unsafe {
        if sys::napi_is_array(env, value, &mut is_array) == sys::Status::napi_ok && is_array {
            sys::napi_get_array_length(env, value, &mut length);
        }
    }
    length
}

fn element(env: sys::napi_env, array: sys::napi_value, index: u32) -> Value {
    let mut value = null_mut();
    // SAFETY: the result is valid for writes; Node-API checks that it is an array.
    let status = unsafe { sys::napi_get_element(env, array, index, &mut value) };
    (status == sys::Status::napi_ok).then_some(value)
}

/// The strings of an array; none if it is no array.
pub(crate) fn strings(env: sys::napi_env, array: sys::napi_value) -> Vec<String> {
    let string = |index| {
        let mut bytes = Vec::new();
        append_string(env, element(env, array, index)?, &mut bytes)?;
        String::from_utf8(bytes).ok()
    };
    (0..array_length(env, array)).filter_map(string).collect()
}

/// The bytes of an array's views; none if it is no array. JavaScript must not run while they are used.
///
/// # Safety
/// The elements must be views of ArrayBuffers: Node-API aborts the process on anything else.
pub(crate) unsafe fn views<'a>(env: sys::napi_env, array: sys::napi_value) -> Vec<&'a [u8]> {
    (0..array_length(env, array))
        // SAFETY: by the caller's promise.
        .filter_map(|index| unsafe { view(env, element(env, array, index)?) })
        .collect()
}
