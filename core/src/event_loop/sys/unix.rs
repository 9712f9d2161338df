//! Linux, macOS, and the like.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net;
use std::path::Path;
use std::sync::atomic::AtomicI32;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow};
use socket2::{Domain, SockAddr, Socket, Type};

pub(crate) use mio::net::{UnixListener, UnixStream};
pub(crate) use std::os::fd::{BorrowedFd as BorrowedSocket, OwnedFd as OwnedSocket, RawFd as RawSocket};

pub(crate) type AtomicSocket = AtomicI32;
pub(crate) const NO_SOCKET: RawSocket = -1;

pub(crate) const HAS_UNIX_SOCKETS: bool = true;
pub(crate) const HAS_SHARED_PORTS: bool = true;
/// Whether the poll goes on watching a socket that it has announced, though mio has seen no call that would have blocked.
pub(crate) const WATCHES_ON: bool = true;
/// Whether the poll's own descriptor is readable no more when what it has to announce was read without asking it.
pub(crate) const LOOKS_AGAIN: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A program that closes the reading end must not kill ours with SIGPIPE, whatever the host made of that signal.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(crate) const NO_SIGNAL: i32 = 0; // mio sets SO_NOSIGPIPE on Apple's systems

pub(crate) fn raw(socket: &impl AsRawFd) -> RawSocket {
    socket.as_raw_fd()
}

/// The socket with this number.
///
/// # Errors
/// EBADF if there is none.
///
/// # Safety
/// Nobody else closes it.
pub(crate) unsafe fn take(socket: RawSocket) -> io::Result<OwnedSocket> {
    if socket == NO_SOCKET {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: it has a value that can be borrowed, and is only asked whether it is there.
    unsafe { BorrowedSocket::borrow_raw(socket) }.try_clone_to_owned()?;
    // SAFETY: it is open, and the caller promises that nobody else closes it.
    Ok(unsafe { OwnedSocket::from_raw_fd(socket) })
}

/// What hosts watch; -1 if there is no such thing.
pub(crate) fn descriptor_of(poll: &mio::Poll) -> i32 {
    poll.as_raw_fd()
}

/// Whether there is something to be read, without waiting.
///
/// # Safety
/// The descriptor is open.
pub(crate) unsafe fn is_readable(fd: i32) -> io::Result<bool> {
    // SAFETY: the caller's promise.
    let fd = unsafe { BorrowedSocket::borrow_raw(fd) };
    match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], PollTimeout::ZERO) {
        Ok(count) => Ok(count > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether connecting goes on, and an event will say how that went.
pub(crate) fn is_connecting(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// Lets a port be bound of which connections are still in TIME_WAIT.
pub(crate) fn reuse_address(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Lets several sockets listen on one port.
pub(crate) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// A listening Unix socket. One that nobody listens on any more is replaced.
pub(crate) fn listen_unix(path: &Path, backlog: i32) -> io::Result<UnixListener> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            std::fs::remove_file(path)?;
            socket.bind(&address)?;
        }
        result => result?,
    }
    socket.listen(backlog)?;
    unix_listener(socket)
}

/// Whether the path is a socket that nobody listens on any more.
fn is_abandoned(path: &Path) -> bool {
    let refused =
        net::UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    refused
        && path
            .symlink_metadata()
            .is_ok_and(|found| found.file_type().is_socket())
}

/// Whether it is that of a Unix socket without a name.
pub(crate) fn is_unnamed(address: &SockAddr) -> bool {
    address.is_unnamed()
}

pub(crate) fn unix_listener(socket: Socket) -> io::Result<UnixListener> {
    Ok(UnixListener::from_std(socket.into()))
}

pub(crate) fn unix_stream(socket: OwnedSocket) -> io::Result<UnixStream> {
    Ok(UnixStream::from_std(net::UnixStream::from(socket)))
}

/// For reading; not blocking on a pipe or a device, and not following a link that was put there in the meantime.
pub(crate) fn open_itself(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Whether the machine is at its limits.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    use libc::{EIO, EMFILE, ENFILE, ENOMEM};
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOMEM | EIO))
}

/// Has this called in every forked child.
///
/// # Safety
/// It does what may be done between fork and exec: little more than store an atomic.
pub(crate) unsafe fn call_in_children(mark: extern "C" fn()) -> io::Result<()> {
    // SAFETY: the caller's promise.
    match unsafe { libc::pthread_atfork(None, None, Some(mark)) } {
        0 => Ok(()),
        status => Err(io::Error::from_raw_os_error(status)),
    }
}

/// Makes a thread that no signal is delivered to.
pub(crate) fn without_signals<T>(make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    // A thread inherits its maker's mask, so that there is no moment in which it takes signals.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let made = make();
    before.thread_set_mask()?;
    made
}
