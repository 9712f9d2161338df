//! Listening sockets: binding them, and accepting from them.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::stream::Stream;
use super::sys::{self, RawSocket, UnixListener};
use super::tcp;
use crate::error::{Error, ErrorCode, Result};
use crate::given::GivenSocket;
use crate::server::{Address, ServerOptions};

/// A listening socket of a loop.
pub(super) enum Accepting {
    Tcp(TcpListener),
    /// The path, if it is to be removed at the end.
    Unix(UnixListener, Option<PathBuf>),
}

impl Accepting {
    fn tcp(socket: Socket) -> Accepting {
        Accepting::Tcp(TcpListener::from_std(socket.into()))
    }

    /// `None` for a Unix socket.
    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Accepting::Tcp(listener) => listener.local_addr().ok(),
            Accepting::Unix(..) => None,
        }
    }

    pub(super) fn raw(&self) -> RawSocket {
        match self {
            Accepting::Tcp(listener) => sys::raw(listener),
            Accepting::Unix(listener, _) => sys::raw(listener),
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

    /// A connection, and the client's address, if it has one: the system tells it now, later it would have to be asked.
    pub(super) fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Accepting::Tcp(listener) => {
                let (stream, remote) = listener.accept()?;
                Ok((Stream::Tcp(stream), Some(remote)))
            }
            Accepting::Unix(listener, _) => listener.accept().map(|(stream, _)| (Stream::Unix(stream), None)),
        }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        if let Accepting::Unix(_, Some(path)) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// All sockets that an address asks for; `same` repeats what another thread has bound.
pub(super) fn bind_all(options: &ServerOptions, same: Option<SocketAddr>) -> Result<Vec<Accepting>> {
    let fail = |what: &str, error: &io::Error| {
        Error::new(
            ErrorCode::ListenFailed,
            format!("can't listen on {what}: {error}"),
        )
        .with_os_error(error.raw_os_error())
    };
    let shared_port = options.threads > 1;
    let tcp = |address: SocketAddr| {
        bind_tcp(address, options, shared_port).map_err(|error| fail(&address.to_string(), &error))
    };
    match (&options.address, same) {
        (Address::Sockets(given), _) => given
            .iter()
            .map(|socket| take_over(socket, options).map_err(|error| fail("a socket that was given", &error)))
            .collect(),
        (_, Some(address)) => Ok(vec![Accepting::tcp(tcp(address)?)]),
        (Address::Unix(path), _) => {
            let bound = sys::listen_unix(path, length(options.backlog));
            let listener = bound.map_err(|error| fail(&path.display().to_string(), &error))?;
            Ok(vec![Accepting::Unix(listener, Some(path.clone()))])
        }
        (Address::Nowhere, _) => Ok(Vec::new()),
        (Address::Tcp(host, port), _) if host.is_empty() => {
            // One IPv6 socket takes IPv4 too; where there is no IPv6, IPv4 alone has to do.
            let all = SocketAddr::from(([0_u16; 8], *port));
            tcp(all)
                .or_else(|error| match options.ipv6_only {
                    true => Err(error),
                    false => tcp(SocketAddr::from(([0_u8; 4], *port))),
                })
                .map(|socket| vec![Accepting::tcp(socket)])
        }
        (Address::Tcp(host, port), _) => {
            let found = (host.as_str(), *port)
                .to_socket_addrs()
                .map_err(|error| fail(host, &error))?;
            bind_each(found.collect(), shared_port, tcp).and_then(|sockets| match sockets.is_empty() {
                true => Err(fail(host, &io::Error::other("the name has no address"))),
                false => Ok(sockets.into_iter().map(Accepting::tcp).collect()),
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

fn bind_tcp(address: SocketAddr, options: &ServerOptions, shared_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    sys::reuse_address(&socket)?;
    if shared_port || options.reuse_port {
        sys::share_port(&socket)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(options.ipv6_only || !address.ip().is_unspecified())?;
    }
    tcp::apply(&socket, &options.settings.tcp)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(length(options.backlog))?;
    Ok(socket)
}

fn length(backlog: u32) -> i32 {
    backlog.clamp(1, i32::MAX as u32) as i32
}

/// Listens on a socket that the application has bound; it may listen already.
fn take_over(given: &GivenSocket, options: &ServerOptions) -> io::Result<Accepting> {
    let wrong = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    let socket = Socket::from(given.duplicate()?);
    if socket.r#type()? != Type::STREAM {
        return wrong("it is not a stream socket");
    }
    let address = socket.local_addr()?;
    let is_bound = match address.as_socket() {
        Some(address) => address.port() != 0,
        None => !sys::is_unnamed(&address),
    };
    if !is_bound {
        return wrong("it is not bound to an address");
    }
    socket.set_nonblocking(true)?;
    match address.domain() {
        Domain::UNIX => {
            socket.listen(length(options.backlog))?;
            sys::unix_listener(socket).map(|listener| Accepting::Unix(listener, None))
        }
        Domain::IPV4 | Domain::IPV6 => {
            tcp::apply(&socket, &options.settings.tcp)?;
            socket.listen(length(options.backlog))?;
            Ok(Accepting::tcp(socket))
        }
        _ => wrong("its address is neither of the Internet nor of Unix"),
    }
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
