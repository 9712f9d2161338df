//! The log.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use sockline::{LogLevel, LogSink, Result};

use crate::abi::{bytes, invalid};
use crate::guard::{c_text, guard};
use crate::status::{OK, sockline_status};

/// How important a log line is.
#[repr(C)]
pub enum sockline_log_level {
    /// No lines at all.
    SOCKLINE_LOG_OFF = 0,
    /// Something failed that nobody is told otherwise.
    SOCKLINE_LOG_ERROR = 1,
    /// Something was lost or refused, such as messages that nobody took.
    SOCKLINE_LOG_WARN = 2,
    /// What an operator may want to know.
    SOCKLINE_LOG_INFO = 3,
    /// What a developer may want to know.
    SOCKLINE_LOG_DEBUG = 4,
}

/// Takes a log line: a level, and a text that is ended by a NUL and borrowed until this returns.
pub type sockline_log_function =
    Option<unsafe extern "C" fn(level: i32, text: *const c_char, user_data: *mut c_void)>;

/// Has log lines up to this level given to log_function; NULL for none, as it is at first.
///
/// It runs on whatever thread has something to say, but never twice at once, and it is not given what it brings about
/// itself. When this returns, the function before it is not running any more, so its user_data may be freed, unless
/// this is called by that function.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT for a level that is none. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_set_log(
    level: i32,
    log_function: sockline_log_function,
    user_data: *mut c_void,
) -> sockline_status {
    guard(|| {
        let level = if level == sockline_log_level::SOCKLINE_LOG_OFF as i32 {
            None
        } else {
            Some(log_level(level)?)
        };
        let sink = log_function.map(|call| {
            let sink = Sink { call, user_data };
            Arc::new(move |level: LogLevel, text: &str| sink.write(level, text)) as Arc<LogSink>
        });
        sockline::set_log(level, sink).map(|()| OK)
    })
}

/// Writes len bytes of text where the library's own lines go; for wrappers in other languages that have something to
/// report. level: one of enum sockline_log_level but SOCKLINE_LOG_OFF.
///
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_log(level: i32, text: *const c_char, len: usize) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for `len` readable bytes.
        let text = unsafe { bytes(text.cast(), len) }?;
        sockline::write_log(log_level(level)?, &String::from_utf8_lossy(text));
        Ok(OK)
    })
}

struct Sink {
    call: unsafe extern "C" fn(i32, *const c_char, *mut c_void),
    user_data: *mut c_void,
}

// SAFETY: the header tells that any thread may call it.
unsafe impl Send for Sink {}
// SAFETY: as above, and never two at once.
unsafe impl Sync for Sink {}

impl Sink {
    fn write(&self, level: LogLevel, text: &str) {
        let text = c_text(text);
        // SAFETY: the header asks for a function of this type, and the text lives until it returns.
        unsafe { (self.call)(level as i32, text.as_ptr(), self.user_data) }
    }
}

fn log_level(level: i32) -> Result<LogLevel> {
    match level {
        1 => Ok(LogLevel::Error),
        2 => Ok(LogLevel::Warn),
        3 => Ok(LogLevel::Info),
        4 => Ok(LogLevel::Debug),
        _ => Err(invalid(format!("{level} is not a log level"))),
    }
}
