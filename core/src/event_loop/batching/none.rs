//! Systems without io_uring.

use std::io::{self, IoSlice};

use super::{Offer, Outcome};

/// There is none.
pub(super) enum Ring {}

impl Ring {
    pub(super) fn new() -> io::Result<Ring> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn send_batch(
        &mut self,
        _: &[Offer],
        _: &[IoSlice<'_>],
        _: &mut Vec<Outcome>,
    ) -> io::Result<()> {
        match *self {}
    }
}
