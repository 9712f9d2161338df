//! The border that no panic crosses, and the text of a thread's last failure.

use std::cell::RefCell;
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sockline::{Error, ErrorCode, LogLevel, Result};

use crate::status::sockline_status;

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// Runs the body of a C function that returns a status.
#[inline]
pub(crate) fn guard(body: impl FnOnce() -> Result<sockline_status>) -> sockline_status {
    // What the body leaves half done is the core's, whose state a panic does not reach without being poisoned.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => failed(&error),
        Err(_) => panicked(),
    }
}

/// Runs the body of a C function that returns a value; `otherwise` if there is none.
#[inline]
pub(crate) fn guard_value<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        panicked();
        otherwise
    })
}

/// Gives the text of this thread's last failure to `read`.
pub(crate) fn with_last_error<T>(read: impl FnOnce(&CString) -> T) -> Option<T> {
    LAST_ERROR
        .try_with(|last| last.try_borrow().ok().map(|text| read(&text)))
        .ok()
        .flatten()
}

#[cold]
fn failed(error: &Error) -> sockline_status {
    let text = c_text(error.text());
    // At the end of a thread there is no text to keep any more, but still a status to return.
    let _ = LAST_ERROR.try_with(|last| *last.borrow_mut() = text);
    error.code() as sockline_status
}

#[cold]
fn panicked() -> sockline_status {
    let error = Error::from(ErrorCode::Internal);
    sockline::write_log(LogLevel::Error, error.text());
    failed(&error)
}

/// For C, a text ends at its first NUL.
pub(crate) fn c_text(text: &str) -> CString {
    let head = text.split('\0').next().unwrap_or_default();
    CString::new(head).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status_and_a_text() {
        let status = guard(|| panic!("a bug, made for this test"));
        assert_eq!(status, ErrorCode::Internal as i32);
        let text = with_last_error(|text| text.to_string_lossy().into_owned());
        assert_eq!(text.as_deref(), Some(ErrorCode::Internal.text()));
        assert_eq!(guard_value(7, || panic!("another one")), 7);
    }

    #[test]
    fn a_text_ends_at_its_first_nul() {
        assert_eq!(c_text("a\0b").as_bytes(), b"a");
    }
}
