use std::collections::BTreeSet;

use crate::fixture::{Client, serve, serve_with};

fn names(rooms: Vec<String>) -> BTreeSet<String> {
    rooms.into_iter().collect()
}

#[test]
fn sockets_join_and_leave_rooms() {
    let fixture = serve();
    let (mut client, socket) = fixture.joined();
    socket.join(&["a", "b", "a"]);
    socket.join(&["b"]);
    assert_eq!(socket.rooms().len(), 3);
    assert_eq!(socket.rooms()[0], socket.id());
    let all = ["a", "b", socket.id()].map(str::to_owned);
    assert_eq!(names(fixture.io.of("/").rooms()), all.into_iter().collect());
    assert_eq!(fixture.io.of("/").room("a"), [socket.id()]);
    assert_eq!(fixture.io.of("/").room(socket.id()), [socket.id()]);
    socket.leave("a");
    socket.leave("unknown");
    assert_eq!(socket.rooms(), [socket.id(), "b"]);
    client.say("41");
    fixture.hears(&[
        "connecting / {}",
        "connection /",
        "disconnecting client namespace disconnect 2",
    ]);
    fixture.next();
    fixture.settle();
    assert!(fixture.io.of("/").rooms().is_empty());
    socket.join(&["late"]);
    assert!(socket.rooms().is_empty() && fixture.io.of("/").rooms().is_empty());
}

#[test]
fn a_broadcast_reaches_each_once_and_only_those_who_are_meant() {
    let fixture = serve();
    let mut clients = Vec::new();
    for rooms in [&["a"][..], &["a", "b"], &["b"], &[]] {
        let (client, socket) = fixture.joined();
        socket.join(rooms);
        clients.push((client, socket));
    }
    let namespace = fixture.io.of("/");
    let first = clients[0].1.clone();
    namespace.emit("all", "", &[]).unwrap();
    namespace.to("a").to("b").emit("a or b", "", &[]).unwrap();
    namespace.to("a").except("b").emit("only a", "", &[]).unwrap();
    namespace
        .except_all_of(&["a", "b"])
        .emit("neither", "", &[])
        .unwrap();
    first.broadcast().emit("not me", "", &[]).unwrap();
    first.to("a").emit("others in a", "", &[]).unwrap();
    first.except("b").emit("others not in b", "", &[]).unwrap();
    namespace.to(clients[3].1.id()).emit("you", "", &[]).unwrap();
    namespace.to("nobody").emit("nobody", "", &[]).unwrap();
    let expected: [&[&str]; 4] = [
        &["all", "a or b", "only a"],
        &["all", "a or b", "not me", "others in a"],
        &["all", "a or b", "not me"],
        &["all", "neither", "not me", "others not in b", "you"],
    ];
    for ((mut client, socket), expected) in clients.into_iter().zip(expected) {
        for name in expected {
            client.gets(&[&format!("42[\"{name}\"]")]);
        }
        client.gets_nothing_more(&fixture, &socket);
    }
}

trait ExceptAll {
    fn except_all_of(&self, rooms: &[&str]) -> sockline::io::BroadcastOperator;
}

impl ExceptAll for sockline::io::Namespace {
    fn except_all_of(&self, rooms: &[&str]) -> sockline::io::BroadcastOperator {
        self.all().except_all(rooms)
    }
}

#[test]
fn many_are_moved_and_disconnected_at_once() {
    let fixture = serve();
    let (mut one, first) = fixture.joined();
    let (_two, second) = fixture.joined();
    let namespace = fixture.io.of("/");
    first.join(&["x"]);
    namespace.to("x").sockets_join(&["y", "z"]);
    assert_eq!(namespace.to("z").sockets(), std::slice::from_ref(&first));
    namespace.all().sockets_join(&["w"]);
    namespace.to("x").sockets_leave(&["y", "w"]);
    assert_eq!(
        names(first.rooms()),
        [first.id(), "x", "z"].map(str::to_owned).into_iter().collect()
    );
    assert_eq!(namespace.to("w").sockets(), [second]);
    fixture.skip();
    namespace.to("x").disconnect_sockets(false);
    one.gets(&["41"]);
    fixture.hears(&[
        "disconnecting server namespace disconnect 3",
        "disconnect / server namespace disconnect",
    ]);
    namespace.all().disconnect_sockets(true);
    fixture.hears(&[
        "disconnecting server namespace disconnect 2",
        "disconnect / server namespace disconnect",
    ]);
}

#[test]
fn sockets_are_fetched_with_all_that_is_known_of_them() {
    let fixture = serve();
    let (_client, socket) = fixture.joined();
    let mut other: Client = fixture.client();
    other.join_with("/", "{\"t\":1}");
    let second = fixture.socket();
    socket.join(&["r"]);
    second.set_data_json("{\"name\":\"x\"}");
    let (sender, found) = crossbeam_channel::unbounded();
    let fetch = |operator: sockline::io::BroadcastOperator| {
        let sender = sender.clone();
        operator
            .fetch_sockets(move |found| drop(sender.send(found.unwrap().value)))
            .unwrap();
        found.recv_timeout(crate::support::PATIENCE).unwrap()
    };
    let in_room = fetch(fixture.io.of("/").to("r"));
    assert_eq!(in_room.len(), 1);
    assert_eq!(in_room[0].rooms, [socket.id(), "r"]);
    assert_eq!(in_room[0].data_json, "{}");
    assert_eq!(in_room[0].socket.as_ref(), Some(&socket));
    let rest = fetch(fixture.io.of("/").except("r"));
    assert_eq!((rest.len(), rest[0].id.as_str()), (1, second.id()));
    assert_eq!(rest[0].data_json, "{\"name\":\"x\"}");
    let handshake: serde_json::Value = serde_json::from_str(&rest[0].handshake_json).unwrap();
    assert_eq!(handshake["auth"]["t"], 1);
    assert_eq!(handshake["query"]["transport"], "websocket");
    assert_eq!(handshake["headers"]["host"], "localhost");
    assert_eq!(
        (&handshake["xdomain"], &handshake["secure"]),
        (&false.into(), &false.into())
    );
    let keys = [
        "address", "auth", "headers", "issued", "query", "secure", "time", "url", "xdomain",
    ];
    assert_eq!(
        handshake.as_object().unwrap().keys().collect::<BTreeSet<_>>(),
        keys.iter()
            .map(|key| key.to_string())
            .collect::<BTreeSet<_>>()
            .iter()
            .collect()
    );
}

#[test]
fn what_happens_to_rooms_is_told_to_who_asked() {
    let fixture = serve_with(|options| {
        options.room_events = true;
        options.ask_connecting = false;
    });
    let (mut client, socket) = fixture.joined();
    fixture.hears(&["connection /", "join / own"]);
    socket.join(&["a", "b"]);
    fixture.hears(&["create / a", "join / a", "create / b", "join / b"]);
    let (_other, second) = fixture.joined();
    fixture.hears(&["connection /", "join / own"]);
    second.join(&["a"]);
    fixture.hears(&["join / a"]);
    socket.leave("a");
    fixture.hears(&["leave / a"]);
    client.say("41");
    fixture.hears(&[
        "disconnecting client namespace disconnect 2",
        "disconnect / client namespace disconnect",
    ]);
    fixture.hears(&["leave / b", "delete / b", "leave / own"]);
    fixture.hears_nothing_more();
}

#[test]
fn what_happens_to_rooms_is_told_from_when_it_is_wanted() {
    let fixture = serve_with(|options| options.ask_connecting = false);
    let (_client, socket) = fixture.joined();
    socket.join(&["a"]);
    fixture.skip();
    fixture.io.set_room_events(true);
    socket.join(&["b"]);
    fixture.hears(&["create / b", "join / b"]);
    fixture.io.set_room_events(false);
    socket.leave("b");
    fixture.hears_nothing_more();
}
