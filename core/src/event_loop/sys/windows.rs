//! Windows: what it has not is refused, or nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawSocket, AsSocket, FromRawSocket};
use std::path::Path;
use std::sync::atomic::AtomicU64;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::{SockAddr, Socket};

pub(crate) use std::os::windows::io::{BorrowedSocket, OwnedSocket, RawSocket};

pub(crate) type AtomicSocket = AtomicU64;
pub(crate) const NO_SOCKET: RawSocket = RawSocket::MAX;

pub(crate) const HAS_UNIX_SOCKETS: bool = false;
pub(crate) const HAS_SHARED_PORTS: bool = false;
pub(crate) const WATCHES_ON: bool = false;
pub(crate) const LOOKS_AGAIN: bool = false;

/// There is no SIGPIPE.
pub(crate) const NO_SIGNAL: i32 = 0;

pub(crate) fn raw(socket: &impl AsRawSocket) -> RawSocket {
    socket.as_raw_socket()
}

/// The socket with this number.
///
/// # Errors
/// WSAENOTSOCK if there is none.
///
/// # Safety
/// Nobody else closes it.
pub(crate) unsafe fn take(socket: RawSocket) -> io::Result<OwnedSocket> {
    const WSAENOTSOCK: i32 = 10038;
    if socket == NO_SOCKET {
        return Err(io::Error::from_raw_os_error(WSAENOTSOCK));
    }
    // SAFETY: it has a value that can be borrowed, and is only asked whether it is there.
    unsafe { BorrowedSocket::borrow_raw(socket) }.try_clone_to_owned()?;
    // SAFETY: it is open, and the caller promises that nobody else closes it.
    Ok(unsafe { OwnedSocket::from_raw_socket(socket) })
}

/// A completion port is nothing that hosts could watch.
pub(crate) fn descriptor_of(_: &mio::Poll) -> i32 {
    -1
}

/// # Safety
/// None is needed: nobody has a descriptor.
pub(crate) unsafe fn is_readable(_: i32) -> io::Result<bool> {
    Ok(false)
}

pub(crate) fn is_connecting(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Nothing: TIME_WAIT is no obstacle, and SO_REUSEADDR would take a port that somebody listens on.
pub(crate) fn reuse_address(_: &Socket) -> io::Result<()> {
    Ok(())
}

pub(crate) fn share_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// There is none.
pub(crate) enum UnixStream {}

/// There is none.
pub(crate) enum UnixListener {}

pub(crate) fn listen_unix(_: &Path, _: i32) -> io::Result<UnixListener> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn is_unnamed(_: &SockAddr) -> bool {
    true
}

pub(crate) fn unix_listener(_: Socket) -> io::Result<UnixListener> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn unix_stream(_: OwnedSocket) -> io::Result<UnixStream> {
    Err(io::ErrorKind::Unsupported.into())
}

impl UnixStream {
    pub(crate) fn connect(_: &Path) -> io::Result<UnixStream> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn try_io<T>(&self, _: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match *self {}
    }
}

impl UnixListener {
    pub(crate) fn accept(&self) -> io::Result<(UnixStream, ())> {
        match *self {}
    }
}

impl Read for UnixStream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

/// What both would have in common.
macro_rules! socket_without_values {
    ($name:ty) => {
        impl AsSocket for $name {
            fn as_socket(&self) -> BorrowedSocket<'_> {
                match *self {}
            }
        }

        impl AsRawSocket for $name {
            fn as_raw_socket(&self) -> RawSocket {
                match *self {}
            }
        }

        impl Source for $name {
            fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
                match *self {}
            }

            fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
                match *self {}
            }

            fn deregister(&mut self, _: &Registry) -> io::Result<()> {
                match *self {}
            }
        }
    };
}

socket_without_values!(UnixStream);
socket_without_values!(UnixListener);

/// For reading; not following a link that was put there in the meantime. A folder can be opened, too, to see that it is one.
pub(crate) fn open_itself(path: &Path) -> io::Result<File> {
    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    const ERROR_TOO_MANY_OPEN_FILES: i32 = 4;
    const ERROR_NOT_ENOUGH_MEMORY: i32 = 8;
    const ERROR_IO_DEVICE: i32 = 1117;
    const ERROR_NO_SYSTEM_RESOURCES: i32 = 1450;
    matches!(
        error.raw_os_error(),
        Some(
            ERROR_TOO_MANY_OPEN_FILES | ERROR_NOT_ENOUGH_MEMORY | ERROR_IO_DEVICE | ERROR_NO_SYSTEM_RESOURCES
        )
    )
}

/// There are none.
///
/// # Safety
/// None is needed here.
pub(crate) unsafe fn call_in_children(_: extern "C" fn()) -> io::Result<()> {
    Ok(())
}

/// There are none.
pub(crate) fn without_signals<T>(make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    make()
}
