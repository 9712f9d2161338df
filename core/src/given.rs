//! Sockets that the application has made.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// "Bad file descriptor", on every Unix.
const EBADF: i32 = 9;

/// A socket that the application has made, or whoever started it, such as systemd. It is handed over: the engine makes it
/// non-blocking, and closes it when it is of no more use, or nothing comes of what it was given for. Where the caller has
/// another descriptor of it, that stays open, and with it a listening socket's queue.
#[derive(Debug, Clone)]
pub struct GivenSocket(Arc<OwnedFd>);

impl GivenSocket {
    /// From a listener or a stream of `std::net` or `std::os::unix::net`, or from a descriptor.
    pub fn new(socket: impl Into<OwnedFd>) -> GivenSocket {
        GivenSocket(Arc::new(socket.into()))
    }

    /// The socket with this descriptor, as systemd names it: it is the engine's from here on, whatever comes of it.
    ///
    /// # Errors
    /// EBADF if no file is open by this number.
    ///
    /// # Safety
    /// Nobody else closes it.
    pub unsafe fn take(descriptor: RawFd) -> io::Result<GivenSocket> {
        if descriptor < 0 {
            return Err(io::Error::from_raw_os_error(EBADF));
        }
        // SAFETY: it is not -1, and only asked whether it is there.
        unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()?;
        // SAFETY: it is open, and the caller promises that nobody else closes it.
        Ok(GivenSocket::new(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }
}

impl AsFd for GivenSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The same descriptor.
impl PartialEq for GivenSocket {
    fn eq(&self, other: &GivenSocket) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for GivenSocket {}
