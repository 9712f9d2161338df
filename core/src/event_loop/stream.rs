//! A connected socket, TCP or Unix.

use std::io::{self, IoSlice, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::SockRef;

/// A program that closes the reading end must not kill ours with SIGPIPE, whatever the host made of that signal.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: i32 = nix::libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: i32 = 0; // mio sets SO_NOSIGPIPE on Apple's systems

#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Reading and writing are watched from the start, edge-triggered: back-pressure then needs no system call.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Stream::Tcp(stream) => registry.register(stream, token, interest),
            Stream::Unix(stream) => registry.register(stream, token, interest),
        }
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => registry.deregister(stream),
            Stream::Unix(stream) => registry.deregister(stream),
        }
    }

    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        uninterrupted(|| self.socket().send_with_flags(bytes, NO_SIGNAL))
    }

    pub(crate) fn send_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        uninterrupted(|| self.socket().send_vectored_with_flags(slices, NO_SIGNAL))
    }

    /// Tells the peer that nothing more will come; an error means that it has gone, which the next read says too.
    pub(crate) fn shutdown_write(&self) {
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// The outcome of connecting, once the socket is writable.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }

    /// Whether connecting has finished.
    pub(crate) fn is_connected(&self) -> bool {
        self.socket().peer_addr().is_ok()
    }

    pub(crate) fn fd(&self) -> RawFd {
        match self {
            Stream::Tcp(stream) => stream.as_raw_fd(),
            Stream::Unix(stream) => stream.as_raw_fd(),
        }
    }

    pub(crate) fn socket(&self) -> SockRef<'_> {
        match self {
            Stream::Tcp(stream) => SockRef::from(stream),
            Stream::Unix(stream) => SockRef::from(stream),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

/// A host's signals interrupt system calls; no event would say when to try again.
fn uninterrupted<T>(call: impl Fn() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
