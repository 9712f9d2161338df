//! Listening sockets: binding them, and accepting from them.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::stream::Stream;
use super::tcp;
use crate::error::{Error, ErrorCode, Result};
use crate::server::{Address, ServerOptions};
use crate::settings::TcpOptions;

/// A listening socket of a loop.
pub(super) enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Accepting {
    pub(super) fn new(socket: Socket) -> Accepting {
        let path = socket
            .local_addr()
            .ok()
            .and_then(|address| address.as_pathname().map(Path::to_owned));
        match path {
            Some(path) => Accepting::Unix(UnixListener::from_std(socket.into()), path),
            None => Accepting::Tcp(TcpListener::from_std(socket.into())),
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Accepting::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            Accepting::Unix(listener, _) => registry.register(listener, token, Interest::READABLE),
        }
    }

    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Accepting::Tcp(listener) => registry.deregister(listener),
            Accepting::Unix(listener, _) => registry.deregister(listener),
        }
    }

    pub(super) fn accept(&self) -> io::Result<Stream> {
        match self {
            Accepting::Tcp(listener) => listener.accept().map(|(stream, _)| Stream::Tcp(stream)),
            Accepting::Unix(listener, _) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
        }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        if let Accepting::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// All sockets that an address asks for; `same` repeats what another thread has bound.
pub(super) fn bind_all(options: &ServerOptions, same: Option<SocketAddr>) -> Result<Vec<Socket>> {
    let fail = |what: &str, error: &io::Error| {
        Error::new(
            ErrorCode::ListenFailed,
            format!("can't listen on {what}: {error}"),
        )
        .with_os_error(error.raw_os_error())
    };
    let shared_port = options.threads > 1;
    let tcp = |address: SocketAddr| {
        bind_tcp(address, options.backlog, shared_port, &options.settings.tcp)
            .map_err(|error| fail(&address.to_string(), &error))
    };
    match (&options.address, same) {
        (_, Some(address)) => Ok(vec![tcp(address)?]),
        (Address::Unix(path), _) => {
            let bound = bind_unix(path, options.backlog);
            Ok(vec![
                bound.map_err(|error| fail(&path.display().to_string(), &error))?,
            ])
        }
        (Address::Nowhere, _) => Ok(Vec::new()),
        (Address::Tcp(host, port), _) if host.is_empty() => {
            // One IPv6 socket takes IPv4 too; where there is no IPv6, IPv4 alone has to do.
            let all = SocketAddr::from(([0_u16; 8], *port));
            tcp(all)
                .or_else(|_| tcp(SocketAddr::from(([0_u8; 4], *port))))
                .map(|socket| vec![socket])
        }
        (Address::Tcp(host, port), _) => {
            let found = (host.as_str(), *port)
                .to_socket_addrs()
                .map_err(|error| fail(host, &error))?;
            bind_each(found.collect(), shared_port, tcp).and_then(|sockets| match sockets.is_empty() {
                true => Err(fail(host, &io::Error::other("the name has no address"))),
                false => Ok(sockets),
            })
        }
    }
}

/// A name like localhost has several addresses: all of them, on the same port, but threads share only one.
fn bind_each(
    mut addresses: Vec<SocketAddr>,
    only_first: bool,
    bind: impl Fn(SocketAddr) -> Result<Socket>,
) -> Result<Vec<Socket>> {
    addresses.dedup();
    addresses.truncate(if only_first { 1 } else { usize::MAX });
    let mut sockets: Vec<Socket> = Vec::new();
    for mut address in addresses {
        if let Some(port) = sockets
            .first()
            .and_then(|first| first.local_addr().ok()?.as_socket())
            .map(|it| it.port())
        {
            address.set_port(port);
        }
        match bind(address) {
            Ok(socket) => sockets.push(socket),
            Err(error) if sockets.is_empty() => return Err(error),
            Err(error) => log::warn!("{error}; listening on the name's first address only"),
        }
    }
    Ok(sockets)
}

fn bind_tcp(
    address: SocketAddr,
    backlog: u32,
    shared_port: bool,
    options: &TcpOptions,
) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared_port {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    tcp::apply(&socket, options)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog.clamp(1, i32::MAX as u32) as i32)?;
    Ok(socket)
}

fn bind_unix(path: &Path, backlog: u32) -> io::Result<Socket> {
    let address = socket2::SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            std::fs::remove_file(path)?;
            socket.bind(&address)?;
        }
        result => result?,
    }
    socket.listen(backlog.clamp(1, i32::MAX as u32) as i32)?;
    Ok(socket)
}

/// Whether the path is a socket that nobody listens on any more.
fn is_abandoned(path: &Path) -> bool {
    let refused = std::os::unix::net::UnixStream::connect(path)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    use std::os::unix::fs::FileTypeExt;
    refused
        && path
            .symlink_metadata()
            .is_ok_and(|found| found.file_type().is_socket())
}

/// Errors of accept that belong to the one connection that was to be accepted (accept(2), "Error handling").
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionReset
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | HostUnreachable
    )
}
