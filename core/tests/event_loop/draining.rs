//! `Server::drain`: in good order, not all at once, and to an end.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use sockline::{ClientOptions, ErrorCode, Loop, Server, ServerOptions, WebSocket, connect};

use crate::support::peer::{REQUEST, close_payload};
use crate::support::{
    Events, PATIENCE, Peer, TempDir, What, closed_server, hook, local, masked, port, reacting, recorder,
    serve, settings, started, url,
};

const LONG: Duration = Duration::from_secs(60);

struct Drained {
    _loop: Loop,
    server: Server,
    events: Events,
    closed: Receiver<Server>,
}

fn server(options: ServerOptions) -> Drained {
    let on_loop = started();
    let (handler, events) = recorder();
    let (server_handler, closed) = closed_server();
    let options = ServerOptions {
        server_handler,
        ..options
    };
    let server = serve(&on_loop, options, handler);
    Drained {
        _loop: on_loop,
        server,
        events,
        closed,
    }
}

fn answer_close(peer: &mut Peer) {
    assert_eq!(peer.read_frame(), (0x88, close_payload(1001, "going away")));
    peer.send(&masked(0x88, &close_payload(1001, "")));
}

#[test]
fn clients_leave_one_after_the_other_and_find_the_door_closed() {
    const COUNT: usize = 300;
    let it = server(ServerOptions {
        threads: 2,
        ..local()
    });
    let (sender, left) = unbounded();
    let address = it.server.local_address().unwrap();
    let client_loop = started();
    let clients: Vec<Events> = (0..COUNT)
        .map(|number| {
            let sender = sender.clone();
            let (handler, events) = reacting(move |_, what| {
                if let What::Close(_) = what {
                    let again = (number == 0).then(|| TcpStream::connect(address));
                    let _ = sender.send((Instant::now(), again));
                }
            });
            let options = ClientOptions::default();
            connect(Some(&client_loop), &url(address.port()), options, Some(handler)).unwrap();
            events
        })
        .collect();
    clients.iter().for_each(|events| _ = events.open());
    clients.iter().for_each(|_| _ = it.events.open());
    it.server.drain(LONG).unwrap();
    clients.iter().for_each(|events| events.clean(1001, "going away"));
    assert_eq!(it.closed.recv_timeout(PATIENCE), Ok(it.server));
    let (times, again): (Vec<Instant>, Vec<_>) =
        (0..COUNT).map(|_| left.recv_timeout(PATIENCE).unwrap()).unzip();
    let again = again
        .into_iter()
        .flatten()
        .next()
        .expect("the first of them has tried");
    assert_eq!(again.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    // About 150 on each of two threads, 2 ms apart on the average.
    let span = times[COUNT - 1] - times[0];
    assert!(span > Duration::from_millis(200), "all left within {span:?}");
    assert!(
        span < LONG / 4,
        "few connections don't need half the time, but took {span:?}"
    );
}

#[test]
fn a_slow_reader_gets_all_that_was_accepted_for_it() {
    const LENGTH: usize = 24 << 20;
    let it = server(ServerOptions {
        settings: settings(|it| {
            it.hard_limit = 0;
            it.close_timeout = Duration::from_millis(1);
        }),
        ..local()
    });
    let mut peer = Peer::upgraded(port(it.server));
    let ws = it.events.open();
    let _ = ws.send_binary(&vec![7; LENGTH]).unwrap();
    let _ = ws.send_text("the last words").unwrap();
    it.server.drain(LONG).unwrap();
    // Long after the close frame is behind the message, the peer begins to read.
    wait_until_closing(ws);
    let (first, payload) = peer.read_frame();
    assert_eq!((first, payload.len()), (0x82, LENGTH));
    assert_eq!(peer.read_frame(), (0x81, b"the last words".to_vec()));
    answer_close(&mut peer);
    it.events.answered(1001);
    assert_eq!(it.closed.recv_timeout(PATIENCE), Ok(it.server));
}

/// Its close frame waits to be sent; and since then much more than its close timeout has gone by.
fn wait_until_closing(ws: WebSocket) {
    let since = Instant::now();
    let mut closing = None;
    while closing.is_none_or(|at: Instant| at.elapsed() < Duration::from_millis(300)) {
        assert!(since.elapsed() < PATIENCE);
        if ws.ready_state() == sockline::ReadyState::Closing {
            closing.get_or_insert_with(Instant::now);
        }
        assert_ne!(ws.ready_state(), sockline::ReadyState::Closed, "it was cut");
        std::thread::yield_now();
    }
}

#[test]
fn what_has_not_ended_at_the_deadline_is_cut() {
    let it = server(ServerOptions {
        settings: settings(|it| it.hard_limit = 0),
        ..local()
    });
    let deaf = Peer::upgraded(port(it.server));
    let ws = it.events.open();
    let _ = ws.send_binary(&vec![0; 24 << 20]).unwrap();
    let begun = Instant::now();
    let deadline = Duration::from_millis(300);
    it.server.drain(LONG).unwrap();
    it.server.drain(deadline).unwrap(); // which brings it forward
    let error = it.events.error();
    assert_eq!(error.code(), ErrorCode::CloseTimeout);
    assert!(error.text().contains("bytes were not sent"), "{error}");
    it.events.cut();
    assert_eq!(it.closed.recv_timeout(PATIENCE), Ok(it.server));
    assert!(begun.elapsed() >= deadline && begun.elapsed() < PATIENCE);
    drop(deaf);
}

#[test]
fn the_time_to_drain_begins_with_the_call_however_long_a_callback_has_lasted() {
    let deadline = Duration::from_millis(200);
    let (told, begun) = unbounded();
    let server = std::sync::Arc::new(std::sync::OnceLock::<sockline::Server>::new());
    let draining = server.clone();
    let (handler, events) = reacting(move |_, what| {
        if let What::Text(_) = what {
            std::thread::sleep(deadline); // the turn lasts
            told.send(Instant::now()).unwrap();
            draining.get().unwrap().drain(deadline).unwrap();
        }
    });
    let on_loop = started();
    let of_loop = *server.get_or_init(|| serve(&on_loop, local(), handler));
    let mut peer = Peer::upgraded(port(of_loop));
    events.open();
    peer.send(&masked(0x81, b"drain"));
    events.text("drain");
    assert_eq!(events.error().code(), ErrorCode::CloseTimeout); // the peer does not answer
    assert!(begun.recv().unwrap().elapsed() >= deadline);
}

#[test]
fn files_arrive_whole_and_idle_connections_go() {
    const LENGTH: usize = 24 << 20;
    let folder = TempDir::new();
    folder.file("big", &vec![5; LENGTH]);
    let it = server(ServerOptions {
        static_folder: Some(folder.0.clone()),
        ..local()
    });
    let request = b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut idle = Peer::connect(port(it.server));
    let mut loading = Peer::connect(port(it.server));
    loading.send(&request.repeat(2));
    let head = loading.read_head();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    it.server.drain(LONG).unwrap();
    assert_eq!(idle.read_to_end(), b"");
    let body = loading.read_to_end();
    assert!(
        body.len() == LENGTH && body.iter().all(|byte| *byte == 5),
        "{} bytes",
        body.len()
    );
    assert_eq!(it.closed.recv_timeout(PATIENCE), Ok(it.server));
}

#[test]
fn an_upgrade_that_waits_for_its_answer_is_refused() {
    let (sender, asked) = unbounded();
    let on_loop = started();
    let server_handler = hook(move |request| _ = sender.send(request.websocket()));
    let options = ServerOptions {
        server_handler,
        ..local()
    };
    let (handler, _events) = recorder();
    let server = serve(&on_loop, options, handler);
    let mut peer = Peer::connect(port(server));
    peer.send(REQUEST.as_bytes());
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    server.drain(LONG).unwrap();
    assert!(peer.read_head().starts_with("HTTP/1.1 503 "));
    let late = ws.accept(sockline::Accept::default()).unwrap_err();
    assert!(
        [ErrorCode::Closed, ErrorCode::AlreadyAnswered].contains(&late.code()),
        "{late}"
    );
}

#[test]
fn without_connections_it_is_over_at_once() {
    let it = server(ServerOptions {
        threads: 3,
        ..local()
    });
    it.server.drain(LONG).unwrap();
    assert_eq!(it.closed.recv_timeout(PATIENCE), Ok(it.server));
    let gone = it.server.drain(LONG).unwrap_err();
    assert_eq!(gone.code(), ErrorCode::Closed);
}
