use sockline::ErrorCode;

use crate::fixture::{Poller, serve, serve_with, set};
use std::time::Duration;

#[test]
fn the_server_disconnects_one_namespace_or_the_client() {
    let fixture = serve();
    fixture.io.of("/n");
    let (mut client, main) = fixture.joined();
    client.join("/n");
    let second = fixture.socket();
    fixture.skip();
    second.disconnect(false);
    assert!(!second.connected());
    let closed = second.emit("a", "", &[], &Default::default()).unwrap_err();
    assert_eq!(closed.code(), ErrorCode::Closed);
    client.gets(&["41/n,"]);
    fixture.hears(&[
        "disconnecting server namespace disconnect 1",
        "disconnect /n server namespace disconnect",
    ]);
    client.join("/n");
    fixture.hears(&["connecting /n {}", "connection /n"]);
    main.disconnect(true);
    main.disconnect(true);
    client.gets(&["41", "41/n,"]);
    client.is_closed();
    for namespace in ["/", "/n"] {
        fixture.hears(&["disconnecting server namespace disconnect 1"]);
        fixture.hears(&[&format!("disconnect {namespace} server namespace disconnect")]);
    }
    fixture.hears_nothing_more();
}

#[test]
fn a_handler_disconnects_and_hears_of_it_afterwards() {
    let fixture = serve();
    set(
        &fixture.handler.on_event,
        Box::new(|socket, event| {
            socket.disconnect(&*event.name == "close");
            assert!(!socket.connected());
            assert_eq!(socket.rooms().len(), 1, "it leaves them later");
        }),
    );
    for (packet, closes) in [("42[\"leave\"]", false), ("42[\"close\"]", true)] {
        let (mut client, _) = fixture.joined();
        client.say(packet);
        client.say("42[\"too late\"]");
        client.gets(&["41"]);
        fixture.hears(&["connecting / {}", "connection /"]);
        let name = if closes { "close" } else { "leave" };
        fixture.hears(&[
            &format!("event {name} []"),
            "disconnecting server namespace disconnect 1",
        ]);
        fixture.hears(&["disconnect / server namespace disconnect"]);
        if closes {
            client.is_closed();
        }
    }
}

#[test]
fn each_end_of_a_connection_has_its_official_word() {
    let fixture = serve();
    let (client, _) = fixture.joined();
    fixture.skip();
    drop(client);
    fixture.hears(&["disconnecting transport close 1", "disconnect / transport close"]);
    let (mut client, _) = fixture.joined();
    fixture.skip();
    client.peer.send(&crate::support::masked(0x81, b"x")); // no packet of Engine.IO
    fixture.hears(&["disconnecting parse error 1", "disconnect / parse error"]);
    let poller = Poller::open(fixture.port, "EIO=4");
    poller.post("40");
    poller.get();
    fixture.skip();
    poller.post("1");
    fixture.hears(&["disconnecting transport close 1", "disconnect / transport close"]);
    let silent = serve_with(|options| {
        options.ping_interval = Duration::from_millis(30);
        options.ping_timeout = Duration::from_millis(30);
    });
    let (_client, _) = silent.joined();
    silent.hears(&["connecting / {}", "connection /"]);
    silent.hears(&["disconnecting ping timeout 1", "disconnect / ping timeout"]);
}

#[test]
fn what_is_done_while_it_leaves_still_counts() {
    let fixture = serve();
    set(
        &fixture.handler.on_disconnecting,
        Box::new(|socket| {
            for room in socket.rooms().iter().filter(|room| *room != socket.id()) {
                socket.to(room).emit("bye", "", &[]).unwrap();
            }
        }),
    );
    let (client, socket) = fixture.joined();
    let (mut other, second) = fixture.joined();
    socket.join(&["r"]);
    second.join(&["r"]);
    drop(client);
    other.gets(&["42[\"bye\"]"]);
}
