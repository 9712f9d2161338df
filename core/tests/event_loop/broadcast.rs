//! One message to all connections of a server, from inside a turn, from other threads, over several loops.

use std::collections::HashSet;
use std::sync::Arc;

use crossbeam_channel::unbounded;
use parking_lot::Mutex;
use sockline::{ClientOptions, MessageType, ServerOptions, connect};

use crate::support::{
    Events, PATIENCE, Peer, What, closed_server, local, masked, pair, port, reacting, recorder, serve,
    settings, started, url,
};

#[test]
fn from_another_thread_it_reaches_every_open_connection() {
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, local(), handler);
    let mut peers: Vec<Peer> = (0..20).map(|_| Peer::upgraded(port(server))).collect();
    let _not_upgraded = Peer::connect(port(server));
    peers.iter().for_each(|_| _ = events.open());
    server.broadcast(MessageType::Text, b"to all").unwrap();
    server.broadcast(MessageType::Binary, &[9; 100_000]).unwrap();
    for peer in &mut peers {
        assert_eq!(peer.read_frame(), (0x81, b"to all".to_vec()));
        assert_eq!(peer.read_frame(), (0x82, vec![9; 100_000]));
    }
}

#[test]
fn inside_a_turn_it_keeps_its_place_among_what_is_sent() {
    let server = Arc::new(Mutex::new(None::<sockline::Server>));
    let own = server.clone();
    let on_loop = started();
    let (handler, events) = reacting(move |ws, what| {
        if let (What::Text(_), Some(server)) = (what, *own.lock()) {
            let _ = ws.send_text("before").unwrap();
            server.broadcast(MessageType::Text, b"all").unwrap();
            let _ = ws.send_text("after").unwrap();
        }
    });
    *server.lock() = Some(serve(&on_loop, local(), handler));
    let server_port = port(server.lock().unwrap());
    let (mut sender, mut other) = (Peer::upgraded(server_port), Peer::upgraded(server_port));
    events.open();
    events.open();
    sender.send(&masked(0x81, b"go"));
    for expected in ["before", "all", "after"] {
        assert_eq!(sender.read_frame(), (0x81, expected.as_bytes().to_vec()));
    }
    assert_eq!(other.read_frame(), (0x81, b"all".to_vec()));
}

#[test]
fn a_connection_over_its_hard_limit_misses_it_and_the_others_do_not() {
    let on_loop = started();
    let (handler, events) = recorder();
    let limits = settings(|it| (it.high_water_mark, it.hard_limit) = (100_000, 100_000));
    let server = serve(
        &on_loop,
        ServerOptions {
            settings: limits,
            ..local()
        },
        handler,
    );
    let mut slow = Peer::upgraded(port(server));
    let slow_ws = events.open();
    let _ = slow_ws.send_binary(&vec![0; 16 << 20]).unwrap();
    let mut quick = Peer::upgraded(port(server));
    events.open();
    server.broadcast(MessageType::Text, b"news").unwrap();
    assert_eq!(quick.read_frame(), (0x81, b"news".to_vec()));
    assert_eq!(slow.read_frame().1.len(), 16 << 20);
    assert_eq!(events.next(), What::Drain);
    server.broadcast(MessageType::Text, b"more").unwrap();
    assert_eq!(slow.read_frame(), (0x81, b"more".to_vec()));
}

#[test]
fn four_loops_share_a_port_and_a_broadcast() {
    let (on_loop, client_loop) = (started(), started());
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let seen = threads.clone();
    let (handler, server_events) = reacting(move |_, _| _ = seen.lock().insert(std::thread::current().id()));
    let (server_handler, closed) = closed_server();
    let server = serve(
        &on_loop,
        ServerOptions {
            server_handler,
            threads: 4,
            ..local()
        },
        handler,
    );
    let clients: Vec<Events> = (0..40)
        .map(|_| {
            let (handler, events) = recorder();
            let options = ClientOptions::default();
            connect(Some(&client_loop), &url(port(server)), options, Some(handler)).unwrap();
            events
        })
        .collect();
    clients.iter().for_each(|events| _ = events.open());
    clients.iter().for_each(|_| _ = server_events.open());
    assert!(threads.lock().len() > 1, "all connections on one loop of four");
    server.broadcast(MessageType::Text, b"hello").unwrap();
    clients.iter().for_each(|events| events.text("hello"));
    server.close(Some(1001), "").unwrap();
    clients.iter().for_each(|events| events.clean(1001, ""));
    assert_eq!(closed.recv_timeout(PATIENCE), Ok(server));
    drop((on_loop, client_loop));
    assert!(closed.try_recv().is_err(), "a server is closed once");
    assert!(clients.iter().all(|events| events.so_far().is_empty()));
}

#[test]
fn many_threads_may_broadcast() {
    let pair = pair();
    let (done, finished) = unbounded();
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let done = done.clone();
            scope.spawn(move || {
                (0..100_u8).for_each(|n| pair.server.broadcast(MessageType::Binary, &[thread, n]).unwrap());
                done.send(()).unwrap();
            });
        }
    });
    assert_eq!(finished.try_iter().count(), 8);
    let mut next = [0; 8];
    for _ in 0..800 {
        let What::Binary(message) = pair.client_events.next() else {
            panic!("only broadcasts are sent")
        };
        assert_eq!(
            message[1], next[message[0] as usize],
            "the order of each thread is kept"
        );
        next[message[0] as usize] += 1;
    }
}
