//! What a server lets in: how many connections, how many requests, which pages, and how slowly.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use sockline::{
    Address, ClientOptions, ErrorCode, MessageType, Server, ServerOptions, Settings, WebSocket, connect,
    listen,
};

use crate::support::peer::REQUEST;
use crate::support::{
    Events, PATIENCE, Peer, TempDir, closed_server, local, masked, port, reacting, recorder, serve, started,
    url,
};

/// The answer to a connection that there is no room for.
#[track_caller]
fn refused(server: Server) {
    let mut peer = Peer::connect(port(server));
    let answer = String::from_utf8(peer.read_to_end()).unwrap().to_lowercase();
    assert!(answer.starts_with("http/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

fn limited(change: impl FnOnce(&mut ServerOptions)) -> (sockline::Loop, Server, Events) {
    let on_loop = started();
    let (handler, events) = recorder();
    let mut options = local();
    change(&mut options);
    let server = serve(&on_loop, options, handler);
    (on_loop, server, events)
}

#[test]
fn the_total_is_limited_and_who_leaves_makes_room() {
    let (on_loop, server, events) = limited(|it| it.max_connections = 3);
    let mut peers: Vec<Peer> = (0..2).map(|_| Peer::upgraded(port(server))).collect();
    peers.iter().for_each(|_| _ = events.open());
    let waiting = Peer::connect(port(server)); // one that asks for nothing counts too
    for _ in 0..3 {
        refused(server);
    }
    drop(waiting);
    drop(peers.pop());
    events.cut();
    let room = (0..2).map(|_| until_upgraded(server)).collect::<Vec<_>>();
    room.iter().for_each(|_| _ = events.open());
    refused(server);
    server.broadcast(MessageType::Text, b"in").unwrap();
    for mut peer in peers.into_iter().chain(room) {
        assert_eq!(peer.read_frame(), (0x81, b"in".to_vec()));
    }
    drop(on_loop);
    let ends = events.so_far().len();
    assert_eq!(ends, 3, "a handler hears nothing of those that were refused");
}

/// The server finds out in its own time that a connection has gone.
fn until_upgraded(server: Server) -> Peer {
    let since = Instant::now();
    loop {
        let mut peer = Peer::connect(port(server));
        peer.send(REQUEST.as_bytes());
        if peer.read_head().starts_with("HTTP/1.1 101 ") {
            return peer;
        }
        assert!(since.elapsed() < PATIENCE, "there is room, and nobody is let in");
    }
}

#[test]
fn the_total_is_that_of_all_threads() {
    let (_loop, server, events) = limited(|it| (it.max_connections, it.threads) = (8, 4));
    let peers: Vec<Peer> = (0..8).map(|_| Peer::upgraded(port(server))).collect();
    peers.iter().for_each(|_| _ = events.open());
    for _ in 0..8 {
        refused(server);
    }
}

#[test]
fn each_address_is_limited_by_itself() {
    let (_loop, server, events) = limited(|it| it.max_connections_per_address = 1);
    let _one = Peer::upgraded(port(server));
    events.open();
    refused(server);
    // All of 127.0.0.0/8 is this machine.
    let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    other
        .bind(&"127.0.0.2:0".parse::<std::net::SocketAddr>().unwrap().into())
        .unwrap();
    other.connect(&server.local_address().unwrap().into()).unwrap();
    let mut other = Peer::new(other.into());
    other.send(REQUEST.as_bytes());
    assert!(other.read_head().starts_with("HTTP/1.1 101 "));
    events.open();
}

#[test]
fn a_flood_is_refused_kindly_up_to_a_point_and_disturbs_nobody() {
    let (_loop, server, events) = limited(|it| it.max_connections = 1);
    let mut peer = Peer::upgraded(port(server));
    let ws = events.open();
    // They all stay, and send nothing: the server has to get rid of them by itself.
    let flood: Vec<Peer> = (0..300).map(|_| Peer::connect(port(server))).collect();
    let _ = ws.send_text("undisturbed").unwrap();
    assert_eq!(peer.read_frame(), (0x81, b"undisturbed".to_vec()));
    let told = flood
        .into_iter()
        .filter_map(|mut peer| {
            let mut answer = Vec::new();
            match peer.stream.read_to_end(&mut answer) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            }
            answer.starts_with(b"HTTP/1.1 503 ").then_some(())
        })
        .count();
    assert!((1..300).contains(&told), "{told} of 300 were told");
}

#[test]
fn a_server_with_refused_connections_closes_like_any_other() {
    let (server_handler, closed) = closed_server();
    let (_loop, server, events) = limited(|it| (it.max_connections, it.server_handler) = (1, server_handler));
    let _peer = Peer::upgraded(port(server));
    let ws = events.open();
    refused(server);
    let _stays = Peer::connect(port(server));
    refused(server);
    server.close(None, "").unwrap();
    ws.terminate().unwrap();
    assert_eq!(closed.recv_timeout(PATIENCE), Ok(server));
}

#[test]
fn a_connection_is_closed_after_its_last_request() {
    let folder = TempDir::new();
    folder.file("a.txt", b"a");
    let path = folder.0.clone();
    let (_loop, server, _events) = limited(|it| {
        it.static_folder = Some(path);
        it.max_requests = 3;
    });
    let mut peer = Peer::connect(port(server));
    peer.send(&b"GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4));
    for is_last in [false, false, true] {
        let head = peer.read_head().to_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert_eq!(head.contains("\r\nconnection: close\r\n"), is_last, "{head}");
        assert_eq!(peer.read_exactly(1), b"a");
    }
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn only_listed_origins_are_upgraded() {
    let (on_loop, server, events) = limited(|it| it.origins = vec!["https://example.com".into()]);
    let asked = |origin: &str| {
        let mut peer = Peer::connect(port(server));
        peer.send(
            REQUEST
                .replace("Host:", &format!("Origin: {origin}\r\nHost:"))
                .as_bytes(),
        );
        peer
    };
    let answer = String::from_utf8(asked("https://evil.test").read_to_end()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.ends_with("(header Origin: https://evil.test)"), "{answer}");
    assert!(
        asked("https://Example.com")
            .read_head()
            .starts_with("HTTP/1.1 101 ")
    );
    events.open();
    let (client, client_events) = recorder();
    connect(
        Some(&on_loop),
        &url(port(server)),
        ClientOptions::default(),
        Some(client),
    )
    .unwrap();
    client_events.open(); // which sends no Origin
    let bad = ServerOptions {
        origins: vec!["example.com".into()],
        ..local()
    };
    let error = listen(Some(&on_loop), bad, None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}

/// Slowloris: hundreds of clients that begin a request and never end it.
#[test]
fn slow_handshakes_die_on_time_and_cost_the_others_nothing() {
    const SLOW: usize = 400;
    const LIMIT: Duration = Duration::from_secs(2);
    let (handler, events) = reacting(|ws: WebSocket, what| {
        if let crate::support::What::Text(text) = what {
            let _ = ws.send_text(text).unwrap();
        }
    });
    let on_loop = started();
    let options = ServerOptions {
        handshake_timeout: LIMIT,
        settings: Settings::server(),
        ..ServerOptions::new(Address::Tcp("127.0.0.1".into(), 0))
    };
    let server = serve(&on_loop, options, handler);
    let mut good = Peer::upgraded(port(server));
    events.open();
    let begun = Instant::now();
    let mut slow: Vec<Peer> = (0..SLOW)
        .map(|_| {
            let mut peer = Peer::connect(port(server));
            peer.send(b"GET / HTTP/1.1\r\nHost: slow\r\n");
            peer
        })
        .collect();
    let (all_sent, mut longest) = (begun.elapsed(), Duration::ZERO);
    // Until all are gone the good client talks on, and the slow ones add a line now and then, which wins them no time.
    let mut rounds = 0_usize;
    while begun.elapsed() < LIMIT + all_sent {
        let asked = Instant::now();
        good.send(&masked(0x81, b"echo"));
        assert_eq!(good.read_frame(), (0x81, b"echo".to_vec()));
        longest = longest.max(asked.elapsed());
        let peer = &mut slow[rounds % SLOW];
        let _ = std::io::Write::write(&mut peer.stream, b"X-More: slow\r\n"); // it may be gone already
        rounds += 1;
    }
    for peer in &mut slow {
        let mut answer = Vec::new();
        let ended = peer.stream.read_to_end(&mut answer);
        assert!(ended.is_ok() || ended.is_err_and(|it| it.kind() == ErrorKind::ConnectionReset));
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408 "));
    }
    let over = begun.elapsed();
    assert!(over >= LIMIT && over < LIMIT + all_sent + LIMIT, "{over:?}");
    assert!(longest < LIMIT / 2, "an echo took {longest:?} meanwhile");
    good.send(&masked(0x81, b"still here"));
    assert_eq!(good.read_frame(), (0x81, b"still here".to_vec()));
}
