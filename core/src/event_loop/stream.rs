//! A connected socket, TCP or Unix, and TLS over it.

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::sys::{self, NO_SIGNAL, RawSocket, UnixStream};
use super::tls_stream::TlsStream;
use crate::tls::{Session, TlsInfo};

pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream>),
}

/// What a read has brought.
pub(crate) enum Input {
    /// So many bytes, maybe none: TLS has messages of its own, and what is long is read to elsewhere. There may be `more` if the buffer was filled.
    Bytes { count: usize, more: bool },
    /// The same, and the TLS handshake is done as of now.
    Secured { count: usize, more: bool },
    /// The peer sends nothing more.
    End,
}

impl Stream {
    /// Begins a client's TLS handshake over this stream.
    pub(crate) fn secure_client(self, session: Session) -> io::Result<Stream> {
        TlsStream::client(self, session).map(|stream| Stream::Tls(Box::new(stream)))
    }

    /// Has a client begin a TLS handshake over this stream.
    pub(crate) fn secure_server(self, session: Session) -> Stream {
        Stream::Tls(Box::new(TlsStream::server(self, session)))
    }

    /// Reading and writing are watched from the start, edge-triggered: back-pressure then needs no system call.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Stream::Tcp(stream) => registry.register(stream, token, interest),
            Stream::Unix(stream) => registry.register(stream, token, interest),
            Stream::Tls(stream) => stream.transport_mut().register(registry, token),
        }
    }

    /// Has other things announced than those that [`Stream::register`] has; and what holds now, again.
    pub(crate) fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => registry.reregister(stream, token, interest),
            Stream::Unix(stream) => registry.reregister(stream, token, interest),
            Stream::Tls(stream) => stream.transport_mut().reregister(registry, token, interest),
        }
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => registry.deregister(stream),
            Stream::Unix(stream) => registry.deregister(stream),
            Stream::Tls(stream) => stream.transport_mut().deregister(registry),
        }
    }

    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Input> {
        let count = match self {
            Stream::Tcp(stream) => stream.read(buffer)?,
            Stream::Unix(stream) => stream.read(buffer)?,
            Stream::Tls(stream) => return stream.receive(buffer),
        };
        let more = count == buffer.len();
        if count == 0 {
            return Ok(Input::End);
        }
        if !more {
            self.watch_on()?;
        }
        Ok(Input::Bytes { count, more })
    }

    /// Reads behind what is in `buffer`, to the room that it has, at most so much; returns how much that was, 0 at the end.
    /// TLS reads nowhere but to its own memory.
    pub(crate) fn receive_onto(&mut self, buffer: &mut Vec<u8>, at_most: usize) -> io::Result<usize> {
        let room = buffer.spare_capacity_mut();
        let room = room.get_mut(..at_most).ok_or(io::ErrorKind::InvalidInput)?;
        let received = uninterrupted(|| self.socket().recv(room));
        let count = self.watched(received, at_most)?;
        // SAFETY: the system has written so many bytes there, and says so.
        unsafe { buffer.set_len(buffer.len() + count) };
        Ok(count)
    }

    /// Returns how much the system took. Of a TLS stream, what is not reported as taken may be encrypted already: it has
    /// to be at the front of what is sent next.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tls(stream) => stream.send(&[IoSlice::new(bytes)]),
            socket => {
                let sent = uninterrupted(|| socket.socket().send_with_flags(bytes, NO_SIGNAL));
                socket.watched(sent, bytes.len())
            }
        }
    }

    /// The same with several slices.
    pub(crate) fn send_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Tls(stream) => stream.send(slices),
            socket => {
                let sent = uninterrupted(|| socket.socket().send_vectored_with_flags(slices, NO_SIGNAL));
                socket.watched(sent, slices.iter().map(|slice| slice.len()).sum())
            }
        }
    }

    /// What a call past mio did of what it was asked for.
    fn watched(&self, sent: io::Result<usize>, asked: usize) -> io::Result<usize> {
        let is_short = match &sent {
            Ok(count) => *count < asked,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        if is_short {
            self.watch_on()?;
        }
        sent
    }

    /// Has the poll announce the socket again when it has or takes more, where it does not do so by itself.
    fn watch_on(&self) -> io::Result<()> {
        if sys::WATCHES_ON {
            return Ok(());
        }
        let blocked = || Err(io::ErrorKind::WouldBlock.into());
        let told = match self {
            Stream::Tcp(stream) => stream.try_io(blocked),
            Stream::Unix(stream) => stream.try_io(blocked),
            Stream::Tls(stream) => stream.transport().watch_on(),
        };
        match told {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result,
        }
    }

    /// Sends what the stream itself has left to send.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tls(stream) => stream.flush(),
            _ => Ok(()),
        }
    }

    /// Whether the stream itself has something left to send, and waits for the socket to take it.
    pub(crate) fn has_tail(&self) -> bool {
        matches!(self, Stream::Tls(stream) if stream.has_tail())
    }

    /// How much at the front of what is sent next can't be changed any more: it is encrypted already.
    pub(crate) fn pledged(&self) -> usize {
        match self {
            Stream::Tls(stream) => stream.pledged(),
            _ => 0,
        }
    }

    /// Whether a TLS handshake is still to be done before anything can be sent.
    pub(crate) fn is_securing(&self) -> bool {
        matches!(self, Stream::Tls(stream) if !stream.is_secured())
    }

    /// What was agreed on in the TLS handshake, if there was one.
    pub(crate) fn tls_info(&self) -> Option<TlsInfo> {
        match self {
            Stream::Tls(stream) if stream.is_secured() => Some(stream.info()),
            _ => None,
        }
    }

    /// Tells the peer that nothing more will come; an error means that it has gone, which the next read says too.
    pub(crate) fn shutdown_write(&mut self) {
        match self {
            Stream::Tls(stream) => stream.shutdown_write(),
            socket => {
                let _ = socket.socket().shutdown(Shutdown::Write);
            }
        }
    }

    /// To be called before it is closed: TLS peers that have said goodbye are answered.
    pub(crate) fn answer_goodbye(&mut self) {
        if let Stream::Tls(stream) = self {
            stream.answer_goodbye();
        }
    }

    /// The outcome of connecting, once the socket is writable.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }

    /// Whether connecting has finished.
    pub(crate) fn is_connected(&self) -> bool {
        self.socket().peer_addr().is_ok()
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn is_tcp(&self) -> bool {
        match self {
            Stream::Tcp(_) => true,
            Stream::Unix(_) => false,
            Stream::Tls(stream) => stream.transport().is_tcp(),
        }
    }

    pub(crate) fn raw(&self) -> RawSocket {
        match self {
            Stream::Tcp(stream) => sys::raw(stream),
            Stream::Unix(stream) => sys::raw(stream),
            Stream::Tls(stream) => stream.transport().raw(),
        }
    }

    /// The peer's address, if it has one and is still there.
    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.socket().peer_addr().ok()?.as_socket()
    }

    /// Bytes that the system has taken and the peer has not acknowledged, or, on a Unix socket, not read.
    #[cfg(target_os = "linux")]
    pub(crate) fn unacknowledged(&self) -> Option<u32> {
        let mut count: nix::libc::c_int = 0;
        // SAFETY: this request writes one int, and the descriptor is ours while `self` is borrowed.
        let status = unsafe { nix::libc::ioctl(self.raw(), nix::libc::TIOCOUTQ, &mut count) };
        u32::try_from(count).ok().filter(|_| status == 0)
    }

    /// Bytes that the peer has acknowledged so far; `None` on a Unix socket, or if the system is too old to say.
    #[cfg(target_os = "linux")]
    pub(crate) fn acknowledged(&self) -> Option<u64> {
        use nix::libc;
        // SAFETY: integers only, for which zero is a value.
        let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
        let mut length = size_of_val(&info) as libc::socklen_t;
        // SAFETY: a place of that length, which the system fills in part or whole.
        let status = unsafe {
            libc::getsockopt(
                self.raw(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                (&raw mut info).cast(),
                &mut length,
            )
        };
        let told = std::mem::offset_of!(libc::tcp_info, tcpi_bytes_acked) + size_of::<u64>();
        (status == 0 && length as usize >= told).then_some(info.tcpi_bytes_acked)
    }

    pub(crate) fn socket(&self) -> SockRef<'_> {
        match self {
            Stream::Tcp(stream) => SockRef::from(stream),
            Stream::Unix(stream) => SockRef::from(stream),
            Stream::Tls(stream) => stream.transport().socket(),
        }
    }
}

/// A host's signals interrupt system calls; no event would say when to try again.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
