use std::sync::Arc;

use sockline::{Loop, LoopOptions};

use crate::fixture::{Poller, serve};

#[test]
fn a_server_closes_and_says_so_everywhere() {
    let fixture = serve();
    fixture.io.of("/n");
    let (mut client, _) = fixture.joined();
    client.join("/n");
    let mut idle = fixture.client();
    let poller = Poller::open(fixture.port, "EIO=4");
    fixture.skip();
    fixture.io.close();
    fixture.io.close();
    client.is_closed();
    idle.is_closed();
    let mut lines: Vec<String> = (0..4).map(|_| fixture.next()).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "disconnect / server shutting down",
            "disconnect /n server shutting down",
            "disconnecting server shutting down 1",
            "disconnecting server shutting down 1"
        ]
    );
    fixture.hears(&["server closed"]);
    fixture.hears_nothing_more();
    assert_eq!(fixture.io.engine_clients(), 0);
    // The listener goes on, and tells nobody: who has heard the farewell may be gone.
    assert!(poller.get().contains("Session ID unknown"));
    fixture.hears_nothing_more();
    let mut late = fixture.client();
    late.is_closed();
    fixture.hears_nothing_more();
}

#[test]
fn a_server_without_clients_closes_too() {
    let fixture = serve();
    fixture.io.close();
    fixture.hears(&["server closed"]);
}

#[test]
fn a_server_whose_loop_has_ended_says_that_it_is_closed() {
    for closes_before in [true, false] {
        let mut fixture = serve();
        let (_client, _) = fixture.joined();
        let _poller = Poller::open(fixture.port, "EIO=4");
        fixture.skip();
        if closes_before {
            fixture.io.close();
        }
        fixture.on_loop = Loop::new(LoopOptions::default()).unwrap(); // the other ends
        fixture.io.close();
        while fixture.next() != "server closed" {}
    }
}

#[test]
fn nothing_is_left_of_clients_and_servers() {
    let fixture = serve();
    fixture.io.of("/n");
    let mut clients = Vec::new();
    for _ in 0..50 {
        let (mut client, socket) = fixture.joined();
        client.join("/n");
        socket.join(&["a", "b"]);
        clients.push((client, socket, fixture.socket()));
    }
    let metrics = fixture.io.metrics();
    assert_eq!(
        (metrics.clients, metrics.sockets, metrics.sessions),
        (50, 100, 50)
    );
    let weak: Vec<_> = clients.iter().map(|(_, socket, _)| socket.raw()).collect();
    clients.truncate(0);
    fixture.settles(|| fixture.io.metrics().clients == 0);
    fixture.settle();
    assert_eq!(fixture.io.metrics().sockets, 0);
    assert!(
        weak.iter()
            .all(|raw| sockline::io::Socket::from_raw(*raw).is_err())
    );
    assert_eq!(fixture.io.of("/").rooms().len(), 0);
    let handler = Arc::downgrade(&fixture.handler);
    let number = fixture.io.raw();
    drop(fixture);
    // The listener keeps the server as long as the loop does the listener.
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    while handler.strong_count() > 0 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(handler.strong_count(), 0);
    assert!(sockline::io::Server::from_raw(number).is_err());
}
