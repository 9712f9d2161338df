//! Reading what C hands in: sized structs, pairs of pointer and length, arrays.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use sockline::{Error, ErrorCode, GivenSocket, Result};

use crate::types::{sockline_header, sockline_string};

/// A public struct of the header.
///
/// # Safety
/// The type is `repr(C)`, its first field is `size: usize`, and all bits zero is a valid value of it.
pub(crate) unsafe trait Versioned: Copy {
    /// The struct's name in C.
    const NAME: &'static str;
}

/// Copies a struct that the caller may have compiled against an older header (then it is shorter, and the rest is
/// zero, which means the default) or a newer one (then it is longer, and its tail has to be zero).
///
/// # Safety
/// `given` is NULL, or points to as many readable bytes as its first field says.
pub(crate) unsafe fn read_struct<T: Versioned>(given: *const T) -> Result<Option<T>> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise covers the first field, and `read_unaligned` asks for no alignment.
    let size = unsafe { given.cast::<usize>().read_unaligned() };
    if size < size_of::<usize>() {
        let text = format!("{}.size is {size}; start from the struct's INIT macro", T::NAME);
        return Err(Error::new(ErrorCode::InvalidArgument, text));
    }
    let known = size.min(size_of::<T>());
    // SAFETY: `size` bytes are readable, and `known` is no more than that.
    let tail = unsafe { std::slice::from_raw_parts(given.cast::<u8>().add(known), size - known) };
    if tail.iter().any(|byte| *byte != 0) {
        let text = format!(
            "{} has a field set that this version of the library does not know",
            T::NAME
        );
        return Err(Error::new(ErrorCode::InvalidArgument, text));
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both regions hold `known` bytes and don't overlap; `Versioned` promises that zeroes are valid.
    unsafe {
        std::ptr::copy_nonoverlapping(given.cast::<u8>(), value.as_mut_ptr().cast::<u8>(), known);
        Ok(Some(value.assume_init()))
    }
}

/// The bytes of a pair; NULL is allowed where the length is 0.
///
/// # Safety
/// `data` points to `len` readable bytes that don't change while the result is in use.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, len: usize) -> Result<&'a [u8]> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() || len > isize::MAX as usize {
        return Err(invalid(format!("{len} bytes can't be at {data:p}")));
    }
    // SAFETY: not NULL, no longer than a slice can be, and readable by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

/// The text of a pair, such as a close reason.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn text<'a>(data: *const c_void, len: usize) -> Result<&'a str> {
    // SAFETY: the caller's promise is the same.
    let bytes = unsafe { bytes(data, len) }?;
    if bytes.is_ascii() {
        // SAFETY: ASCII is UTF-8; for short texts this is found out sooner than that.
        return Ok(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).map_err(|_| ErrorCode::InvalidUtf8.into())
}

/// The text of a `sockline_string`.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn string<'a>(string: sockline_string) -> Result<&'a str> {
    // SAFETY: the caller's promise is the same.
    unsafe { text(string.data.cast(), string.len) }
}

/// The text of a `sockline_string`, `None` if it is empty.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn optional_string(given: sockline_string) -> Result<Option<String>> {
    // SAFETY: the caller's promise is the same.
    let text = unsafe { string(given) }?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// A list of strings.
///
/// # Safety
/// `strings` points to `count` readable strings.
pub(crate) unsafe fn strings(strings: *const sockline_string, count: usize) -> Result<Vec<String>> {
    // SAFETY: the caller's promise covers the array and each string.
    unsafe {
        array(strings, count)?
            .iter()
            .map(|item| string(*item).map(str::to_owned))
            .collect()
    }
}

/// A list of headers.
///
/// # Safety
/// `headers` points to `count` readable headers.
pub(crate) unsafe fn headers(headers: *const sockline_header, count: usize) -> Result<Vec<(String, String)>> {
    let one = |header: &sockline_header| -> Result<(String, String)> {
        // SAFETY: the caller's promise covers the strings.
        unsafe { Ok((string(header.name)?.to_owned(), string(header.value)?.to_owned())) }
    };
    // SAFETY: the caller's promise covers the array.
    unsafe { array(headers, count) }?.iter().map(one).collect()
}

/// # Safety
/// `items` points to `count` readable items.
pub(crate) unsafe fn array<'a, T>(items: *const T, count: usize) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if items.is_null() || !items.is_aligned() || count > isize::MAX as usize / size_of::<T>() {
        return Err(invalid(format!("{count} items can't be at {items:p}")));
    }
    // SAFETY: not NULL, aligned, no longer than a slice can be, and readable by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(items, count) })
}

/// Takes over a socket by its descriptor.
///
/// # Safety
/// The descriptor is the library's from now on.
pub(crate) unsafe fn take_over(descriptor: i64) -> Result<GivenSocket> {
    let refuse = |why: String| invalid(format!("descriptor {descriptor} can't be taken over: {why}"));
    let number = descriptor.try_into();
    let number = number.map_err(|_| refuse("there is none of this number".to_owned()))?;
    // SAFETY: the caller's promise.
    unsafe { GivenSocket::take(number) }.map_err(|error| refuse(error.to_string()))
}

/// Writes text as `snprintf` does: as much as fits, always ended by a NUL; returns the whole length.
///
/// # Safety
/// `buffer` is NULL or points to `capacity` writable bytes.
pub(crate) unsafe fn copy_out(text: &str, buffer: *mut std::ffi::c_char, capacity: usize) -> usize {
    if !buffer.is_null() && capacity > 0 {
        let count = text.len().min(capacity - 1);
        // SAFETY: `count + 1` bytes are writable by the caller's promise.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast(), count);
            buffer.add(count).write(0);
        }
    }
    text.len()
}

/// Writes a result through the caller's pointer.
///
/// # Safety
/// `out` is NULL or writable.
pub(crate) unsafe fn write_out<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: the caller's promise.
        unsafe { out.write_unaligned(value) }
    }
}

/// Fills the caller's struct: as much of `value` as fits into what its size says. A newer caller's further fields stay
/// as they are.
///
/// # Safety
/// `out` is NULL, or points to as many writable bytes as its first field says.
pub(crate) unsafe fn fill_struct<T: Versioned>(out: *mut T, value: T) -> Result<()> {
    if out.is_null() {
        return Err(invalid(format!("the place for {} is NULL", T::NAME)));
    }
    // SAFETY: the caller's promise covers the first field, and `read_unaligned` asks for no alignment.
    let size = unsafe { out.cast::<usize>().read_unaligned() };
    if size < size_of::<usize>() {
        let text = format!("{}.size is {size}; start from the struct's INIT macro", T::NAME);
        return Err(invalid(text));
    }
    let known = size.min(size_of::<T>());
    let head = size_of::<usize>();
    // SAFETY: both hold `known` bytes; the size itself, which is the caller's, stays.
    unsafe {
        let from = (&raw const value).cast::<u8>().add(head);
        std::ptr::copy_nonoverlapping(from, out.cast::<u8>().add(head), known - head);
    }
    Ok(())
}

pub(crate) fn invalid(text: String) -> Error {
    Error::new(ErrorCode::InvalidArgument, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::sockline_settings;

    #[repr(C)]
    struct Newer {
        known: sockline_settings,
        added: u64,
    }

    fn newer(added: u64) -> Newer {
        // SAFETY: all bits zero is valid, as `Versioned` says.
        let mut known: sockline_settings = unsafe { std::mem::zeroed() };
        known.size = size_of::<Newer>();
        known.max_message = 7;
        Newer { known, added }
    }

    #[test]
    fn a_longer_struct_passes_while_its_tail_is_zero() {
        let read = |given: &Newer| {
            // SAFETY: the struct is as long as its size says.
            unsafe { read_struct(std::ptr::from_ref(given).cast::<sockline_settings>()) }
        };
        assert_eq!(read(&newer(0)).unwrap().unwrap().max_message, 7);
        assert_eq!(read(&newer(1)).unwrap_err().code(), ErrorCode::InvalidArgument);
    }

    #[test]
    fn a_shorter_struct_takes_zeroes_for_the_rest() {
        let short: [usize; 1] = [size_of::<usize>()];
        // SAFETY: as many bytes as it says.
        let read = unsafe { read_struct(short.as_ptr().cast::<sockline_settings>()) };
        assert_eq!(read.unwrap().unwrap().max_message, 0);
        let none: [usize; 1] = [0];
        // SAFETY: the size is read, and refused.
        let refused = unsafe { read_struct(none.as_ptr().cast::<sockline_settings>()) };
        assert!(refused.is_err());
    }

    #[test]
    fn text_goes_out_cut_and_ended() {
        let mut buffer = [1_u8; 8];
        // SAFETY: eight bytes are writable.
        let whole = unsafe { copy_out("/chat?room=1", buffer.as_mut_ptr().cast(), buffer.len()) };
        assert_eq!((whole, &buffer), (12, b"/chat?r\0"));
        // SAFETY: nothing is written.
        assert_eq!(unsafe { copy_out("abc", std::ptr::null_mut(), 0) }, 3);
    }
}
