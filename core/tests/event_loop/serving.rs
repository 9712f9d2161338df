//! A server: upgrades, refusals, where it listens, how it ends.

use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use crossbeam_channel::{bounded, unbounded};
use sockline::{
    Accept, Address, ClientOptions, CloseEvent, ErrorCode, MessageType, Refusal, ServerOptions, WebSocket,
    connect, listen,
};

use crate::support::peer::REQUEST;
use crate::support::{
    PATIENCE, Peer, TempDir, What, barrier, closed_server, hook, local, masked, port, reacting, recorder,
    serve, started, url,
};

const SHORT: Duration = Duration::from_millis(50);

/// A server that hands the connections that ask for an upgrade to the test.
fn asked(
    options: ServerOptions,
) -> (
    sockline::Loop,
    sockline::Server,
    crate::support::Events,
    crossbeam_channel::Receiver<WebSocket>,
) {
    let (sender, asked) = unbounded();
    let server_handler = hook(move |request| _ = sender.send(request.websocket()));
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(
        &on_loop,
        ServerOptions {
            server_handler,
            ..options
        },
        handler,
    );
    (on_loop, server, events, asked)
}

#[test]
fn the_hook_sees_the_request_and_decides() {
    let (sender, seen) = unbounded();
    let server_handler = hook(move |request| {
        let fields: Vec<String> = request.headers().map(|(name, _)| name.to_owned()).collect();
        let remote = request.remote_address().map(|address| address.ip().to_string());
        sender
            .send((
                (
                    request.path().to_owned(),
                    request.query().map(str::to_owned),
                    request.target().to_owned(),
                ),
                (
                    request.header("x-token").map(str::to_owned),
                    request.subprotocols().join(","),
                ),
                (fields.contains(&"x-token".to_owned()), remote),
            ))
            .unwrap();
        let headers = vec![("X-Seen".to_owned(), "yes".to_owned())];
        let accept = Accept {
            subprotocol: Some("chat".into()),
            headers,
            user_data: Some(5),
            handler: None,
        };
        request.websocket().accept(accept).unwrap();
    });
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(
        &on_loop,
        ServerOptions {
            server_handler,
            ..local()
        },
        handler,
    );
    let (client, client_events) = recorder();
    let options = ClientOptions {
        subprotocols: vec!["superchat".into(), "chat".into()],
        headers: vec![("X-Token".into(), "secret".into())],
        ..ClientOptions::default()
    };
    let ws = connect(
        Some(&on_loop),
        &format!("{}a/b?c=d", url(port(server))),
        options,
        Some(client),
    )
    .unwrap();
    let (target, fields, rest) = seen.recv_timeout(PATIENCE).unwrap();
    assert_eq!(target, ("/a/b".into(), Some("c=d".into()), "/a/b?c=d".into()));
    assert_eq!(fields, (Some("secret".into()), "superchat,chat".into()));
    assert_eq!(rest, (true, Some("127.0.0.1".into())));
    client_events.open();
    assert_eq!(ws.protocol(), "chat");
    let peer = events.open();
    assert_eq!(
        (peer.user_data(), peer.protocol(), peer.url()),
        (5, "chat".into(), "/a/b?c=d".into())
    );
}

#[test]
fn a_refusal_carries_status_headers_and_body() {
    let server_handler = hook(|request| {
        let mut refusal = Refusal::new(403, "not you");
        refusal.headers.push(("X-Why".into(), "because".into()));
        request.websocket().refuse(refusal).unwrap();
    });
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(
        &on_loop,
        ServerOptions {
            server_handler,
            ..local()
        },
        handler,
    );
    let mut peer = Peer::connect(port(server));
    peer.send(REQUEST.as_bytes());
    let answer = String::from_utf8(peer.read_to_end()).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("\r\n\r\nnot you"),
        "{answer}"
    );
    assert!(
        answer.to_lowercase().contains("\r\nx-why: because\r\n"),
        "{answer}"
    );
    let (client, client_events) = recorder();
    connect(
        Some(&on_loop),
        &url(port(server)),
        ClientOptions::default(),
        Some(client),
    )
    .unwrap();
    let error = client_events.error();
    assert_eq!(
        (error.code(), error.http_status()),
        (ErrorCode::Refused, Some(403))
    );
    client_events.cut();
    drop(on_loop);
    assert_eq!(
        events.so_far(),
        [],
        "a handler hears nothing of what was never opened"
    );
}

#[test]
fn an_upgrade_can_be_accepted_later_by_another_thread() {
    let (_loop, server, events, asked) = asked(local());
    let mut peer = Peer::connect(port(server));
    // The frames that come with the request wait for the answer.
    peer.send(&[REQUEST.as_bytes(), &masked(0x81, b"early"), &masked(0x81, b"too")].concat());
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    peer.send(&masked(0x81, b"later"));
    barrier(server);
    assert_eq!(events.so_far(), []);
    ws.accept(Accept::default()).unwrap();
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    assert_eq!(events.open(), ws);
    events.text("early");
    events.text("too");
    events.text("later");
}

#[test]
fn only_the_first_answer_counts() {
    let (_loop, server, events, asked) = asked(local());
    let mut peer = Peer::connect(port(server));
    peer.send(REQUEST.as_bytes());
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    ws.accept(Accept::default()).unwrap();
    let late = [ws.accept(Accept::default()), ws.refuse(Refusal::new(410, "gone"))];
    assert!(late.iter().all(|answer| {
        answer
            .as_ref()
            .is_err_and(|it| it.code() == ErrorCode::AlreadyAnswered)
    }));
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    assert_eq!(events.open(), ws);
}

#[test]
fn an_answer_that_was_queued_and_cannot_be_given_gets_its_on_close() {
    let (_loop, server, events, asked) = asked(local());
    let mut peer = Peer::connect(port(server));
    peer.send(REQUEST.as_bytes());
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    let subprotocol = Some("never-offered".to_owned());
    ws.accept(Accept {
        subprotocol,
        ..Accept::default()
    })
    .unwrap();
    assert!(peer.read_to_end().starts_with(b"HTTP/1.1 500 "));
    assert_eq!(events.error().code(), ErrorCode::InvalidArgument);
    assert_eq!(events.close().code, 1006);
}

#[test]
fn an_answer_to_a_client_that_has_gone_gets_its_on_close() {
    let (_loop, server, events, asked) = asked(local());
    // Dropping the one end lets go of the other.
    let (held, let_go) = bounded::<()>(0);
    let (blocker, _blocked) = reacting(move |_, what| {
        if matches!(what, What::Text(_)) {
            let _ = let_go.recv(); // until the answer is queued and the client has gone
        }
    });
    let mut peer = Peer::connect(port(server));
    peer.send(REQUEST.as_bytes());
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    // Blocks the loop, so that the answer and the client's end wait side by side.
    let mut other = Peer::connect(port(server));
    other.send(REQUEST.as_bytes());
    let block = asked.recv_timeout(PATIENCE).unwrap();
    block
        .accept(Accept {
            handler: Some(blocker),
            ..Accept::default()
        })
        .unwrap();
    other.read_head();
    other.send(&masked(0x81, b"block"));
    peer.reset();
    ws.accept(Accept::default()).unwrap();
    drop(held);
    while events.next()
        != What::Close(CloseEvent {
            code: 1006,
            reason: String::new(),
            was_clean: false,
        })
    {}
    assert_eq!(events.so_far(), []);
}

#[test]
fn an_upgrade_can_be_refused_later_by_another_thread() {
    let (_loop, server, _events, asked) = asked(local());
    let mut peer = Peer::connect(port(server));
    peer.send(REQUEST.as_bytes());
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    ws.refuse(Refusal::new(410, "gone")).unwrap();
    assert!(peer.read_to_end().starts_with(b"HTTP/1.1 410 "));
    barrier(server);
    assert_eq!(
        ws.accept(Accept::default()).unwrap_err().code(),
        ErrorCode::Closed
    );
}

#[test]
fn an_upgrade_that_nobody_answers_gets_503_at_the_timeout() {
    let (on_loop, server, events, asked) = asked(ServerOptions {
        handshake_timeout: SHORT,
        ..local()
    });
    let mut peer = Peer::connect(port(server));
    peer.send(REQUEST.as_bytes());
    assert!(peer.read_to_end().starts_with(b"HTTP/1.1 503 "));
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        ws.accept(Accept::default()).unwrap_err().code(),
        ErrorCode::Closed
    );
    drop(on_loop);
    assert_eq!(events.so_far(), []);
}

#[test]
fn a_client_that_goes_while_its_upgrade_waits_is_noticed_when_it_is_answered() {
    let (on_loop, server, events, asked) = asked(local());
    let mut peer = Peer::connect(port(server));
    peer.send(REQUEST.as_bytes());
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    peer.reset();
    barrier(server);
    let accepted = ws.accept(Accept::default()).is_ok();
    barrier(server);
    drop(on_loop);
    let closes = events
        .so_far()
        .iter()
        .filter(|what| matches!(what, What::Close(_)))
        .count();
    assert_eq!(
        closes,
        usize::from(accepted),
        "on_close follows every accept that was taken"
    );
}

#[test]
fn early_frames_are_bounded() {
    let (_loop, server, events, asked) = asked(local());
    let mut peer = Peer::connect(port(server));
    peer.send(REQUEST.as_bytes());
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    // Far more than all buffers: the kernel's take some, the loop's are bounded, so writing must come to a stop.
    peer.stream.set_nonblocking(true).unwrap();
    let message = masked(0x82, &[1; 60_000]);
    let mut sent = 0;
    loop {
        match std::io::Write::write(&mut peer.stream, &message[sent % message.len()..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let before = sent;
                barrier(server);
                match std::io::Write::write(&mut peer.stream, &message[sent % message.len()..]) {
                    Ok(count) => sent += count,
                    Err(_) if sent == before => break,
                    Err(error) => panic!("{error}"),
                }
            }
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 64 << 20, "early frames are taken without end");
    }
    ws.accept(Accept::default()).unwrap();
    events.open();
    for _ in 0..sent / message.len() {
        assert_eq!(events.next(), What::Binary(vec![1; 60_000]));
    }
}

#[test]
fn accept_takes_only_what_was_offered_and_can_be_sent() {
    let (sender, codes) = unbounded();
    let server_handler = hook(move |request| {
        let ws = request.websocket();
        let choose = |name: &str| {
            ws.accept(Accept {
                subprotocol: Some(name.into()),
                ..Accept::default()
            })
        };
        let header = ("X".to_owned(), "a\r\nb: c".to_owned());
        let results = [
            choose("never-offered"),
            ws.accept(Accept {
                headers: vec![header.clone()],
                ..Accept::default()
            }),
            ws.refuse(Refusal {
                headers: vec![header],
                ..Refusal::new(404, "")
            }),
            ws.refuse(Refusal::new(101, "")),
            ws.accept(Accept::default()),
            ws.accept(Accept::default()),
            ws.refuse(Refusal::new(404, "")),
        ];
        sender
            .send(results.map(|result| result.err().map(|error| error.code())))
            .unwrap();
    });
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(
        &on_loop,
        ServerOptions {
            server_handler,
            ..local()
        },
        handler,
    );
    let _peer = Peer::upgraded(port(server));
    let bad = Some(ErrorCode::InvalidArgument);
    let answered = Some(ErrorCode::AlreadyAnswered);
    assert_eq!(
        codes.recv_timeout(PATIENCE).unwrap(),
        [bad, bad, bad, bad, None, answered, answered]
    );
    events.open();
}

#[test]
fn v4_v6_and_both_at_once() {
    let on_loop = started();
    let (handler, events) = recorder();
    let cases: [(&str, &[&str]); 3] = [
        ("127.0.0.1", &["127.0.0.1"]),
        ("::1", &["[::1]"]),
        ("", &["127.0.0.1", "[::1]"]),
    ];
    for (address, hosts) in cases {
        let options = ServerOptions::new(Address::Tcp(address.to_owned(), 0));
        let server = serve(&on_loop, options, handler.clone());
        for host in hosts {
            let (client, client_events) = recorder();
            let target = format!("ws://{host}:{}/", port(server));
            let ws = connect(Some(&on_loop), &target, ClientOptions::default(), Some(client)).unwrap();
            client_events.open();
            let peer = events.open();
            assert_eq!(
                peer.remote_address().map(|it| it.port()),
                ws.local_address().map(|it| it.port())
            );
        }
    }
}

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    let on_loop = started();
    let server = serve(&on_loop, local(), recorder().0);
    let taken = Address::Tcp("127.0.0.1".into(), port(server));
    let error = listen(Some(&on_loop), ServerOptions::new(taken), None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ListenFailed);
    assert!(error.text().contains(&port(server).to_string()), "{error}");
}

fn unix(path: &std::path::Path) -> ServerOptions {
    ServerOptions::new(Address::Unix(path.to_owned()))
}

#[test]
fn a_unix_socket_carries_messages_and_is_removed_in_the_end() {
    let (folder, on_loop) = (TempDir::new(), started());
    let path = folder.0.join("s");
    let (handler, events) = recorder();
    let (server_handler, closed) = closed_server();
    let server = serve(
        &on_loop,
        ServerOptions {
            server_handler,
            ..unix(&path)
        },
        handler,
    );
    assert_eq!(server.local_address(), None);
    let (client, client_events) = recorder();
    let target = format!("ws+unix://{}:/here", path.display());
    let ws = connect(Some(&on_loop), &target, ClientOptions::default(), Some(client)).unwrap();
    client_events.open();
    let peer = events.open();
    assert_eq!((peer.url(), peer.remote_address()), ("/here".to_owned(), None));
    let _ = ws.send_text("hello").unwrap();
    events.text("hello");
    server.close(Some(1001), "bye").unwrap();
    client_events.clean(1001, "bye");
    assert_eq!(closed.recv_timeout(PATIENCE), Ok(server));
    assert!(!path.exists());
}

#[test]
fn an_abandoned_unix_socket_is_replaced_a_live_one_and_other_files_are_not() {
    let (folder, on_loop) = (TempDir::new(), started());
    let path = folder.0.join("s");
    drop(UnixListener::bind(&path).unwrap()); // leaves its file behind
    serve(&on_loop, unix(&path), recorder().0);
    UnixStream::connect(&path).unwrap();
    assert_eq!(
        listen(Some(&on_loop), unix(&path), None).unwrap_err().code(),
        ErrorCode::ListenFailed
    );
    UnixStream::connect(&path).unwrap();
    let file = folder.file("precious", b"content");
    assert_eq!(
        listen(Some(&on_loop), unix(&file), None).unwrap_err().code(),
        ErrorCode::ListenFailed
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"content");
}

#[test]
fn closing_a_server_without_a_code_lets_its_connections_live() {
    let on_loop = started();
    let (server_handler, closed) = closed_server();
    let (handler, events) = recorder();
    let server = serve(
        &on_loop,
        ServerOptions {
            server_handler,
            ..local()
        },
        handler,
    );
    let server_port = port(server);
    let mut peer = Peer::upgraded(server_port);
    events.open();
    let mut idle = Peer::connect(server_port);
    barrier(server); // it is accepted now
    server.close(None, "").unwrap();
    assert_eq!(
        idle.read_to_end(),
        b"",
        "a connection without a request does not hold the server"
    );
    assert!(std::net::TcpStream::connect(("127.0.0.1", server_port)).is_err());
    peer.send(&masked(0x81, b"still here"));
    events.text("still here");
    assert!(closed.try_recv().is_err());
    drop(peer);
    events.cut();
    assert_eq!(closed.recv_timeout(PATIENCE), Ok(server));
}

#[test]
fn closing_a_server_with_a_code_closes_its_connections() {
    let on_loop = started();
    let (server_handler, closed) = closed_server();
    let (handler, events) = recorder();
    let server = serve(
        &on_loop,
        ServerOptions {
            server_handler,
            ..local()
        },
        handler,
    );
    let mut peer = Peer::upgraded(port(server));
    server.close(Some(1012), "restart").unwrap();
    let (first, payload) = peer.read_frame();
    assert_eq!(
        (first, &payload[..]),
        (0x88, &[&1012_u16.to_be_bytes()[..], b"restart"].concat()[..])
    );
    peer.send(&masked(0x88, &payload));
    events.open();
    events.clean(1012, "restart");
    assert_eq!(closed.recv_timeout(PATIENCE), Ok(server));
    assert_eq!(
        server.broadcast(MessageType::Text, b"x").unwrap_err().code(),
        ErrorCode::Closed
    );
}
