//! Binary values on their way in and out.

use sockline::Result;

use crate::abi::{array, bytes};
use crate::types::sockline_bytes;

/// What C hands in.
///
/// # Safety
/// `items` points to `count` readable pairs, and they to readable bytes, as long as the result is in use.
pub(crate) unsafe fn read<'a>(items: *const sockline_bytes, count: usize) -> Result<Vec<&'a [u8]>> {
    // SAFETY: the caller's promise covers the array and each item.
    unsafe {
        array(items, count)?
            .iter()
            .map(|item| bytes(item.data, item.len))
            .collect()
    }
}

/// What C is shown.
pub(crate) fn borrow(attachments: &[impl AsRef<[u8]>]) -> Vec<sockline_bytes> {
    attachments
        .iter()
        .map(|one| sockline_bytes::borrow(one.as_ref()))
        .collect()
}
