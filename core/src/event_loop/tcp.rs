//! TCP sockets with the application's options.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::sys;
use crate::settings::TcpOptions;

/// A socket that is on its way to `address`; its event says how that went.
pub(super) fn connect(
    address: SocketAddr,
    local: Option<SocketAddr>,
    options: &TcpOptions,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    apply(&socket, options)?;
    socket.set_nonblocking(true)?;
    if let Some(local) = local {
        bind(&socket, local, address)?;
    }
    match socket.connect(&address.into()) {
        Err(error) if !sys::is_connecting(&error) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Sets what the application chose, before the socket listens or connects: its buffers decide on the window that is
/// offered then. What a listener accepts inherits all of it.
pub(super) fn apply(socket: &Socket, options: &TcpOptions) -> io::Result<()> {
    socket.set_tcp_nodelay(options.no_delay)?;
    if options.send_buffer > 0 {
        socket.set_send_buffer_size(options.send_buffer)?;
    }
    if options.receive_buffer > 0 {
        socket.set_recv_buffer_size(options.receive_buffer)?;
    }
    if let Some(idle) = options.keep_alive {
        // The system counts in seconds, and takes no zero.
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle.max(Duration::from_secs(1))))?;
    }
    #[cfg(target_os = "linux")]
    if options.user_timeout.is_some() {
        socket.set_tcp_user_timeout(options.user_timeout)?;
    }
    Ok(())
}

fn bind(socket: &Socket, local: SocketAddr, remote: SocketAddr) -> io::Result<()> {
    if local.is_ipv4() != remote.is_ipv4() {
        let text = format!("can't be reached from the local address {}", local.ip());
        return Err(io::Error::other(text));
    }
    if local.port() != 0 {
        sys::reuse_address(socket)?; // the connection before may still be in TIME_WAIT
    }
    socket.bind(&local.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;

    fn chosen() -> TcpOptions {
        TcpOptions {
            no_delay: false,
            keep_alive: Some(Duration::from_secs(77)),
            user_timeout: Some(Duration::from_millis(4321)),
            send_buffer: 50_000,
            receive_buffer: 60_000,
        }
    }

    #[track_caller]
    fn check(socket: &SockRef<'_>) {
        assert!(!socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(77));
        #[cfg(target_os = "linux")]
        {
            assert_eq!(
                socket.tcp_user_timeout().unwrap(),
                Some(Duration::from_millis(4321))
            );
            // Linux doubles what it is asked for.
            assert_eq!(socket.send_buffer_size().unwrap(), 100_000);
            assert_eq!(socket.recv_buffer_size().unwrap(), 120_000);
        }
    }

    #[test]
    fn a_client_and_what_a_listener_accepts_have_the_options() {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        apply(&listener, &chosen()).unwrap();
        listener
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        listener.listen(5).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let client = connect(address, None, &chosen()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        check(&SockRef::from(&client));
        check(&SockRef::from(&accepted));
    }

    #[test]
    fn a_local_address_of_the_other_family_is_refused() {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let remote = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1_u16], 9));
        let error = connect(remote, Some(local), &TcpOptions::default()).unwrap_err();
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }
}
