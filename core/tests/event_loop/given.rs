//! Sockets that the application has made: a server's, which it listens on, and a client's, which is connected.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

use socket2::{Domain, Socket, Type};
use sockline::{Address, ClientOptions, ErrorCode, GivenSocket, Reconnect, ServerOptions, connect, listen};

use crate::support::{
    Host, PATIENCE, Peer, closed_server, local, port, recorder, serve, settings, started, url,
};

fn on(sockets: Vec<GivenSocket>) -> ServerOptions {
    ServerOptions {
        address: Address::Sockets(sockets),
        ..local()
    }
}

fn refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err()
}

/// A client's end of a connection.
fn connected() -> TcpStream {
    let host = Host::new();
    TcpStream::connect(("127.0.0.1", host.port())).unwrap()
}

/// What listening on this socket is told.
fn why_not(socket: impl Into<OwnedFd>) -> String {
    let error = listen(Some(&started()), on(vec![GivenSocket::new(socket)]), None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ListenFailed);
    error.to_string()
}

#[test]
fn a_server_listens_on_sockets_until_it_is_closed() {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = listeners.each_ref().map(|it| it.local_addr().unwrap());
    let on_loop = started();
    let (handler, events) = recorder();
    let given = listeners.map(GivenSocket::new);
    let (server_handler, closed) = closed_server();
    let options = ServerOptions {
        server_handler,
        ..on(given.to_vec())
    };
    drop(given);
    let server = serve(&on_loop, options, handler);
    assert_eq!(server.local_address(), Some(addresses[0]));
    for address in addresses {
        let mut peer = Peer::upgraded(address.port());
        let ws = events.open();
        let _ = ws.send_text("here").unwrap();
        assert_eq!(peer.read_frame(), (0x81, b"here".to_vec()));
        drop(peer);
        events.cut();
    }
    let mut peer = Peer::upgraded(addresses[0].port());
    let ws = events.open();
    server.close(None, "").unwrap(); // and its connection lives on
    let _ = ws.send_text("behind that").unwrap(); // on the same loop
    assert_eq!(peer.read_frame(), (0x81, b"behind that".to_vec()));
    assert!(addresses.into_iter().all(refused), "somebody has a socket still");
    drop(peer);
    events.cut();
    assert_eq!(closed.recv_timeout(PATIENCE), Ok(server));
}

#[test]
fn threads_share_a_given_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (handler, events) = recorder();
    let (server_handler, closed) = closed_server();
    let options = ServerOptions {
        threads: 3,
        server_handler,
        ..on(vec![GivenSocket::new(listener)])
    };
    let on_loop = started();
    let server = serve(&on_loop, options, handler);
    for _ in 0..20 {
        let peer = Peer::upgraded(address.port());
        events.open();
        drop(peer);
        events.cut();
    }
    server.close(None, "").unwrap();
    assert_eq!(closed.recv_timeout(PATIENCE), Ok(server));
}

#[test]
fn the_path_of_a_given_unix_socket_is_left_alone() {
    let folder = std::env::temp_dir().join(format!("sockline-given-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let on_loop = started();
    let (handler, events) = recorder();
    let (server_handler, closed) = closed_server();
    let options = ServerOptions {
        server_handler,
        ..on(vec![GivenSocket::new(listener)])
    };
    let server = serve(&on_loop, options, handler);
    let (client_handler, client_events) = recorder();
    let url = format!("ws+unix:{}:/", path.display());
    connect(
        Some(&on_loop),
        &url,
        ClientOptions::default(),
        Some(client_handler),
    )
    .unwrap();
    client_events.open();
    events.open();
    server.close(Some(1001), "").unwrap();
    events.answered(1001);
    client_events.clean(1001, "");
    assert_eq!(closed.recv_timeout(PATIENCE), Ok(server));
    assert!(path.exists());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_no_listening_socket_is_refused() {
    assert!(why_not(UdpSocket::bind("127.0.0.1:0").unwrap()).contains("it is not a stream socket"));
    assert!(why_not(Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).contains("it is not bound"));
    assert!(why_not(connected()).contains("Invalid argument"));
    let error = listen(Some(&started()), on(Vec::new()), None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}

#[test]
fn a_descriptor_is_taken_over_by_its_number() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let descriptor = listener.into_raw_fd();
    // SAFETY: nobody else closes it.
    let given = unsafe { GivenSocket::take(descriptor) }.unwrap();
    drop(given);
    assert!(refused(address), "it was closed");
    // SAFETY: there is no such descriptor.
    let error = unsafe { GivenSocket::take(-1) }.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(9), "EBADF");
}

#[test]
fn two_servers_share_a_port_if_both_say_so() {
    let (one, other) = (started(), started());
    let sharing = |port: u16, reuse_port: bool| ServerOptions {
        address: Address::Tcp("127.0.0.1".to_owned(), port),
        reuse_port,
        ..local()
    };
    let (handler, _events) = recorder();
    let first = serve(&one, sharing(0, true), handler);
    let error = listen(Some(&other), sharing(port(first), false), None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ListenFailed);
    let (handler, _events) = recorder();
    let second = serve(&other, sharing(port(first), true), handler);
    assert_eq!(second.local_address(), first.local_address());
}

#[test]
fn ipv4_is_left_to_others_if_asked_for() {
    for (ipv6_only, takes_ipv4) in [(false, true), (true, false)] {
        let options = ServerOptions {
            address: Address::Tcp(String::new(), 0),
            ipv6_only,
            ..local()
        };
        let (handler, _events) = recorder();
        let on_loop = started();
        let server = serve(&on_loop, options, handler);
        let at = |host| SocketAddr::new(host, port(server));
        assert_eq!(!refused(at([127, 0, 0, 1].into())), takes_ipv4);
        assert!(!refused(at(Ipv6Addr::LOCALHOST.into())));
    }
}

#[test]
fn a_client_goes_on_over_a_socket_that_is_connected() {
    let (server_loop, client_loop) = (started(), started());
    let (handler, events) = recorder();
    let server = serve(&server_loop, local(), handler);
    let socket = TcpStream::connect(("127.0.0.1", port(server))).unwrap();
    let address = socket.local_addr().unwrap();
    let options = ClientOptions {
        socket: Some(GivenSocket::new(socket)),
        settings: settings(|_| {}),
        ..ClientOptions::default()
    };
    let (handler, client_events) = recorder();
    // Nobody looks this name up.
    connect(
        Some(&client_loop),
        "ws://no.such.host.invalid/",
        options,
        Some(handler),
    )
    .unwrap();
    let ws = client_events.open();
    assert_eq!(events.open().remote_address(), Some(address));
    ws.close(Some(1000), "").unwrap();
    events.clean(1000, "");
    client_events.clean(1000, "");
}

#[test]
fn a_socket_that_is_not_connected_is_an_error() {
    let options = ClientOptions {
        socket: Some(GivenSocket::new(
            Socket::new(Domain::IPV4, Type::STREAM, None).unwrap(),
        )),
        ..ClientOptions::default()
    };
    let (handler, events) = recorder();
    connect(Some(&started()), "ws://localhost/", options, Some(handler)).unwrap();
    assert!(events.error().to_string().contains("the socket that was given"));
}

#[test]
fn a_connected_socket_comes_alone() {
    let connected = || Some(GivenSocket::new(connected()));
    for options in [
        ClientOptions {
            reconnect: Some(Reconnect::default()),
            socket: connected(),
            ..ClientOptions::default()
        },
        ClientOptions {
            connect_to: Some(("localhost".to_owned(), 1)),
            socket: connected(),
            ..ClientOptions::default()
        },
    ] {
        let error = connect(Some(&started()), &url(1), options, None).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
    }
}
