//! Sockets that the application has made.

use std::io;
use std::sync::Arc;

use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::sys::{self, OwnedSocket, RawSocket};

/// A socket that the application has made, or whoever started it, such as systemd. It is handed over: the engine makes it
/// non-blocking, and closes it when it is of no more use, or nothing comes of what it was given for. Where the caller has
/// another descriptor of it, that stays open, and with it a listening socket's queue.
#[derive(Debug, Clone)]
pub struct GivenSocket(Arc<OwnedSocket>);

impl GivenSocket {
    /// From a listener or a stream of `std::net` or `std::os::unix::net`, or from a descriptor.
    pub fn new(socket: impl Into<OwnedSocket>) -> GivenSocket {
        GivenSocket(Arc::new(socket.into()))
    }

    /// The socket with this descriptor, as systemd names it: it is the engine's from here on, whatever comes of it.
    ///
    /// # Errors
    /// EBADF if no file is open by this number.
    ///
    /// # Safety
    /// Nobody else closes it.
    pub unsafe fn take(descriptor: RawSocket) -> io::Result<GivenSocket> {
        // SAFETY: the caller promises that nobody else closes it.
        unsafe { sys::take(descriptor) }.map(GivenSocket::new)
    }

    /// The socket itself, for what takes one over.
    ///
    /// # Errors
    /// The system's if this is a clone, which it has to duplicate, and can't.
    pub fn into_socket(self) -> Result<OwnedSocket> {
        let socket = Arc::try_unwrap(self.0).or_else(|shared| shared.try_clone());
        socket.map_err(|error| Error::new(ErrorCode::OutOfResources, error.to_string()))
    }

    /// Another descriptor of it.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedSocket> {
        self.0.try_clone()
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for GivenSocket {
    fn as_fd(&self) -> sys::BorrowedSocket<'_> {
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
