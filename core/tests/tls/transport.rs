//! What happens on the wire: records of every shape, sockets that take nothing, ends of every kind.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use sockline::{
    Address, ClientOptions, Error, ErrorCode, Loop, LoopOptions, MessageType, SendOptions, SendOutcome,
    ServerOptions, Settings, SlowConsumer, connect, listen,
};

use crate::certificates::Authority;
use crate::peer::{accept_websocket, client_config, upgraded};
use crate::support::child::in_child;
use crate::support::peer::close_payload;
use crate::support::{Host, Peer, TempDir, What, frame, masked, port, reacting, recorder, serve, started};
use crate::{attempt, secured, with_tls};

#[test]
fn tiny_records_key_updates_and_both_versions_are_understood() {
    let authority = Authority::new("test authority");
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut config = client_config(&authority, &[version]);
        config.max_fragment_size = Some(32);
        let mut peer = upgraded(config, port(server));
        let ws = events.open();
        assert_eq!(
            ws.tls().unwrap().version.to_string(),
            format!("{:?}", version.version).replace('_', ".")
        );
        for round in 0..4_u8 {
            let data = vec![round; 5_000];
            peer.send(&masked(0x82, &data));
            assert_eq!(events.next(), What::Binary(data.clone()));
            let _ = ws.send_binary(&data).unwrap();
            assert_eq!(peer.read_frame(), (0x82, data));
            if version.version == rustls::ProtocolVersion::TLSv1_3 {
                peer.stream.conn.refresh_traffic_keys().unwrap();
            }
        }
        drop(peer);
        events.cut();
    }
}

#[test]
fn what_a_slow_peer_does_not_take_waits_and_arrives_whole() {
    let authority = Authority::new("test authority");
    let on_loop = started();
    let (handler, events) = recorder();
    let settings = Settings {
        hard_limit: 0,
        ..Settings::server()
    };
    let options = ServerOptions {
        settings,
        ..with_tls(authority.server())
    };
    let server = serve(&on_loop, options, handler);
    let mut peer = upgraded(client_config(&authority, rustls::ALL_VERSIONS), port(server));
    let ws = events.open();
    let messages: Vec<Vec<u8>> = (0..400).map(|n| vec![n as u8; n * 131 % 50_000]).collect();
    for message in &messages {
        let _ = ws.send_binary(message).unwrap();
    }
    let all: usize = messages.iter().map(|message| frame(0x82, message).len()).sum();
    // The kernel takes a few MiB at most.
    assert!(
        ws.buffered_amount() > (all / 4) as u64,
        "{} of {all}",
        ws.buffered_amount()
    );
    for message in &messages {
        assert!(peer.read_frame() == (0x82, message.clone()));
    }
    peer.send(&masked(0x81, b"all is here"));
    assert_eq!(events.next(), What::Drain);
    assert_eq!(events.next_but_drain(), What::Text("all is here".to_owned()));
    assert_eq!(ws.buffered_amount(), 0);
}

#[test]
fn a_broadcast_reaches_secured_connections_too() {
    let authority = Authority::new("test authority");
    let on_loop = started();
    let (handler, _events) = recorder();
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    let mut peers: Vec<_> = (0..3)
        .map(|_| upgraded(client_config(&authority, rustls::ALL_VERSIONS), port(server)))
        .collect();
    for length in [5, 100_000] {
        server.broadcast(MessageType::Binary, &vec![9; length]).unwrap();
        for peer in &mut peers {
            assert_eq!(peer.read_frame(), (0x82, vec![9; length]));
        }
    }
}

#[test]
fn closing_says_goodbye_in_tls_too() {
    let authority = Authority::new("test authority");
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    let mut peer = upgraded(client_config(&authority, rustls::ALL_VERSIONS), port(server));
    events.open();
    peer.send(&masked(0x88, &close_payload(4000, "bye")));
    assert_eq!(peer.read_frame().0, 0x88);
    // Without close_notify this would be an error: the buffered interface tells a truncated stream.
    assert_eq!(peer.read_to_end(), b"");
    events.clean(4000, "bye");
}

#[test]
fn a_client_answers_the_goodbye_of_its_server() {
    let authority = Authority::new("test authority");
    let (on_loop, host) = (started(), Host::new());
    let url = format!("wss://localhost:{}/", host.port());
    let events = attempt(&on_loop, &url, authority.client(), Settings::client());
    let mut peer = accept_websocket(&host, &authority);
    events.open();
    peer.send(&frame(0x88, &close_payload(1000, "")));
    assert_eq!(peer.read_frame().0, 0x88);
    peer.stream.conn.send_close_notify();
    peer.stream.flush().unwrap();
    assert_eq!(peer.read_to_end(), b"");
    events.clean(1000, "");
}

#[test]
fn a_stream_that_is_cut_is_no_clean_end() {
    let authority = Authority::new("test authority");
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    let peer = upgraded(client_config(&authority, rustls::ALL_VERSIONS), port(server));
    events.open();
    peer.stream.sock.shutdown(Shutdown::Both).unwrap();
    events.cut();
}

#[test]
fn a_forged_record_is_an_error_of_tls_after_what_came_before_it() {
    let authority = Authority::new("test authority");
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    let mut peer = upgraded(client_config(&authority, rustls::ALL_VERSIONS), port(server));
    events.open();
    peer.stream
        .conn
        .writer()
        .write_all(&masked(0x81, b"good"))
        .unwrap();
    let mut wire = Vec::new();
    peer.stream.conn.write_tls(&mut wire).unwrap();
    wire.extend_from_slice(&[23, 3, 3, 0, 20]);
    wire.extend_from_slice(&[0; 20]);
    peer.stream.sock.write_all(&wire).unwrap();
    events.text("good");
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Tls);
    assert_eq!(
        error.text(),
        "a TLS record of the client was damaged or forged on its way"
    );
    events.cut();
    let told = peer.stream.read(&mut [0; 10]).unwrap_err();
    assert_eq!(told.to_string(), "received fatal alert: BadRecordMac");
}

#[test]
fn plain_http_on_a_port_of_tls_is_told_so() {
    let authority = Authority::new("test authority");
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    let mut peer = Peer::connect(port(server));
    peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = String::from_utf8(peer.read_to_end()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.ends_with("this port speaks TLS: use https:// or wss:// instead"),
        "{answer}"
    );
    drop(on_loop);
    assert_eq!(events.so_far(), []);
}

/// What a client of TLS says of a server that answers with these bytes.
#[track_caller]
fn answered_with(bytes: &[u8]) -> Error {
    let authority = Authority::new("test authority");
    let (on_loop, host) = (started(), Host::new());
    let url = format!("wss://localhost:{}/", host.port());
    let events = attempt(&on_loop, &url, authority.client(), Settings::client());
    let mut peer = host.accept();
    let hello = peer.read_exactly(5);
    assert_eq!(hello[0], 22);
    peer.send(bytes);
    peer.end_writing();
    let error = events.error();
    events.cut();
    error
}

#[test]
fn tls_on_a_plain_port_is_told_so() {
    for (bytes, text) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "does not speak TLS on this port",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak TLS on this port"),
        (b"", "closed the connection during the TLS handshake"),
        (b"\x16\x03", "closed the connection during the TLS handshake"),
    ] {
        let error = answered_with(bytes);
        assert_eq!(error.code(), ErrorCode::Tls, "{error}");
        assert!(
            error.text().starts_with("localhost") && error.text().contains(text),
            "{error}"
        );
    }
}

#[test]
fn a_server_that_never_answers_is_given_up_in_time() {
    let authority = Authority::new("test authority");
    let (on_loop, host) = (started(), Host::new());
    let (handler, events) = recorder();
    let options = ClientOptions {
        tls: Some(authority.client()),
        handshake_timeout: Duration::from_millis(100),
        ..ClientOptions::default()
    };
    let url = format!("wss://localhost:{}/", host.port());
    connect(Some(&on_loop), &url, options, Some(handler)).unwrap();
    let _peer = host.accept();
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::HandshakeTimeout);
    assert!(
        error
            .text()
            .starts_with("waiting for the TLS handshake of localhost:"),
        "{error}"
    );
    events.cut();
}

#[test]
fn slow_handshakes_die_on_time_and_hold_nobody_up() {
    let authority = Authority::new("test authority");
    let on_loop = started();
    let (handler, events) = recorder();
    let options = ServerOptions {
        handshake_timeout: Duration::from_millis(200),
        ..with_tls(authority.server())
    };
    let server = serve(&on_loop, options, handler);
    let mut slow: Vec<Peer> = (0..100).map(|_| Peer::connect(port(server))).collect();
    for peer in slow.iter_mut().skip(50) {
        peer.send(&[22, 3, 1, 2, 0, 1, 0, 1, 252]); // as a ClientHello begins
    }
    let mut peer = upgraded(client_config(&authority, rustls::ALL_VERSIONS), port(server));
    events.open();
    for peer in &mut slow {
        assert_eq!(peer.read_to_end(), b"");
    }
    peer.send(&masked(0x81, b"still here"));
    events.text("still here");
}

#[test]
fn a_unix_socket_can_speak_tls() {
    let authority = Authority::new("test authority");
    let (on_loop, folder) = (started(), TempDir::new());
    let path = folder.0.join("socket");
    let (handler, events) = recorder();
    let options = ServerOptions {
        address: Address::Unix(path.clone()),
        ..with_tls(authority.server())
    };
    listen(Some(&on_loop), options, Some(handler)).unwrap();
    let config = Arc::new(client_config(&authority, rustls::ALL_VERSIONS));
    let connection = rustls::ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    let socket = std::os::unix::net::UnixStream::connect(path).unwrap();
    let mut peer = Peer {
        stream: rustls::StreamOwned::new(connection, socket),
    };
    peer.send(crate::support::peer::REQUEST.as_bytes());
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    let ws = events.open();
    let _ = ws.send_text("over a Unix socket").unwrap();
    assert_eq!(peer.read_frame(), (0x81, b"over a Unix socket".to_vec()));
}

#[test]
fn a_shutdown_closes_secured_connections_in_order() {
    let authority = Authority::new("test authority");
    let ends = secured(authority.server(), authority.client());
    ends.on_loop.shutdown(Duration::from_secs(20));
    ends.client_events.answered(1001);
    ends.peer_events.answered(1001);
}

#[test]
fn messages_that_are_encrypted_already_are_not_dropped() {
    const COUNT: u64 = 30_000;
    let authority = Authority::new("test authority");
    let on_loop = started();
    let content = |n: u64| [&n.to_be_bytes()[..], &vec![n as u8; n as usize % 997]].concat();
    let (all_sent, sent) = crossbeam_channel::bounded(1);
    let (handler, events) = reacting(move |ws, what| {
        let What::Text(_) = what else { return };
        for n in 0..COUNT {
            let options = SendOptions {
                token: Some(n),
                ..SendOptions::default()
            };
            let _ = ws.send_with(MessageType::Binary, &content(n), &options).unwrap();
        }
        all_sent.send(()).unwrap();
    });
    let settings = Settings {
        high_water_mark: 50_000,
        hard_limit: 100_000,
        slow_consumer: SlowConsumer::DropOldest,
        ..Settings::server()
    };
    let options = ServerOptions {
        settings,
        ..with_tls(authority.server())
    };
    let server = serve(&on_loop, options, handler);
    let mut peer = upgraded(client_config(&authority, rustls::ALL_VERSIONS), port(server));
    let ws = events.open();
    peer.send(&masked(0x81, b"go"));
    events.text("go");
    sent.recv_timeout(crate::support::PATIENCE).unwrap(); // who read meanwhile might keep up
    let mut heard = Vec::new();
    while heard.last() != Some(&(COUNT - 1)) {
        let (first, payload) = peer.read_frame();
        let n = u64::from_be_bytes(payload[..8].try_into().unwrap());
        assert!(first == 0x82 && payload == content(n), "{n}");
        heard.push(n);
    }
    let (mut taken, mut dropped) = (Vec::new(), 0);
    while taken.len() + dropped < COUNT as usize {
        match events.next_but_drain() {
            What::Sent(n, SendOutcome::Taken) => taken.push(n),
            What::Sent(_, SendOutcome::Dropped) => dropped += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(dropped > 1_000, "{dropped} were dropped");
    assert!(taken == heard, "{} taken, {} heard", taken.len(), heard.len());
    assert_eq!(ws.buffered_amount(), 0);
}

#[test]
fn sigpipe_at_its_default_does_not_kill() {
    in_child("transport::sigpipe_at_its_default_does_not_kill", || {
        // SAFETY: no other thread of this process changes signals.
        unsafe { nix::libc::signal(nix::libc::SIGPIPE, nix::libc::SIG_DFL) };
        let authority = Authority::new("test authority");
        // On the caller's thread, for the library's own threads block all signals.
        let on_loop = Arc::new(Loop::new(LoopOptions::default()).unwrap());
        let (gone, wait) = crossbeam_channel::bounded::<()>(0);
        let inner = on_loop.clone();
        let (handler, events) = reacting(move |ws, what| match what {
            What::Text(_) => {
                wait.recv().unwrap();
                assert!((0..1_000_000).any(|_| ws.send_binary(&[0; 20_000]).is_err()));
            }
            What::Close(_) => inner.stop(),
            _ => {}
        });
        let server = port(serve(&on_loop, with_tls(authority.server()), handler));
        let killed = std::thread::spawn(move || {
            let mut peer = upgraded(client_config(&authority, rustls::ALL_VERSIONS), server);
            peer.send(&masked(0x81, b"go"));
            // A reset after the end of the stream is EPIPE; alone it would be ECONNRESET, which comes without a signal.
            peer.stream.sock.shutdown(Shutdown::Write).unwrap();
            Peer::new(peer.stream.sock).reset();
            gone.send(()).unwrap();
        });
        on_loop.run().unwrap();
        killed.join().unwrap();
        assert!(matches!(events.so_far().last(), Some(What::Close(_))));
    });
}
