//! Clients lose one node and come back to another.

use std::sync::Arc;

use super::super::super::Bus;
use super::super::super::cluster::testing::*;
use super::super::super::memory::{MemoryBus, MemoryServer};
use super::super::session::{self, Marks};
use super::super::*;
use crate::adapter::{BroadcastFlags, BroadcastOptions, Progress, Session};

fn world() -> World {
    let world = World::new(STREAMS, 3);
    world.connect(0, "x", &["room"]);
    world
}

fn emit(world: &World, node: usize, name: &str, rooms: &[&str]) {
    let array = format!("[\"{name}\"]");
    world.adapter(node).broadcast(&packet(&array), &to(rooms, &[]));
    world.server.deliver();
}

/// The offset of the last event that the socket has got.
fn offset(world: &World, node: usize) -> String {
    offset_in(world.take_log(node).last().unwrap()).unwrap()
}

/// What it has missed, without offsets.
fn missed(world: &World, node: usize, offset: Option<&str>) -> Vec<String> {
    let restored = world.come_back(node, "x", offset);
    world.server.deliver();
    world.server.advance(10_000);
    let missed = restored.lock().take().unwrap();
    missed.iter().map(|line| without_offset(line)).collect()
}

#[test]
fn what_was_missed_comes_in_order_and_once() {
    let world = world();
    emit(&world, 1, "seen", &[]);
    let offset = offset(&world, 0);
    world.lose(0, "x");
    emit(&world, 0, "all", &[]);
    emit(&world, 1, "room", &["room"]);
    emit(&world, 2, "other", &["other"]);
    world
        .adapter(2)
        .broadcast(&packet("[\"not\"]"), &to(&[], &["room"]));
    let volatile = BroadcastOptions {
        flags: BroadcastFlags {
            volatile: true,
            ..BroadcastFlags::default()
        },
        ..to(&[], &[])
    };
    world.adapter(0).broadcast(&packet("[\"volatile\"]"), &volatile);
    world.adapter(1).broadcast(
        &binary("[\"own\",{\"_placeholder\":true,\"num\":0}]", b"x"),
        &to(&["x", "y"], &[]),
    );
    world.server.deliver();
    let own = "[\"own\",{\"_placeholder\":true,\"num\":0}] x";
    let restored = world.come_back(1, "x", Some(&offset));
    let too_late = world.come_back(2, "x", Some(&offset));
    world.server.deliver();
    let missed = restored.lock().take().unwrap();
    let missed: Vec<String> = missed.iter().map(|line| without_offset(line)).collect();
    assert_eq!(missed, ["[\"all\"]", "[\"room\"]", own]);
    assert_eq!(
        *too_late.lock(),
        Some(vec!["begins anew".to_owned()]),
        "only once"
    );
    assert_eq!(world.adapter(1).socket_rooms("x"), ["x", "room"].map(Arc::from));
    world.take_log(1);
    emit(&world, 0, "new", &["room"]);
    assert_eq!(world.happened(), ["x [\"new\"]"]);
}

/// The official adapter needs an offset.
#[test]
fn who_never_got_anything_comes_back() {
    let world = world();
    world.lose(0, "x");
    assert_eq!(missed(&world, 1, None), Vec::<String>::new());
    world.lose(1, "x");
    emit(&world, 0, "first", &["room"]);
    assert_eq!(missed(&world, 2, None), ["[\"first\"]"]);
}

#[test]
fn who_came_back_comes_back_again() {
    let world = world();
    emit(&world, 1, "seen", &[]);
    let offset = offset(&world, 0);
    for round in 0..3 {
        world.lose(round, "x");
        emit(&world, 0, "others", &["others"]);
        assert_eq!(
            missed(&world, (round + 1) % 3, Some(&offset)),
            Vec::<String>::new()
        );
        emit(&world, 0, "others", &["others"]);
    }
    world.lose(0, "x");
    emit(&world, 2, "news", &[]);
    assert_eq!(missed(&world, 1, Some(&offset)), ["[\"news\"]"]);
    // That didn't arrive.
    world.lose(1, "x");
    assert_eq!(missed(&world, 2, Some(&offset)), ["[\"news\"]"]);
}

/// A stream that keeps little, on which others talk much.
fn small() -> (MemoryServer, Vec<Node>) {
    let server = MemoryServer::new();
    let make = || {
        let bus = server.node();
        let local = Arc::new(LocalAdapter::new(Arc::new(Crowd::default()), None));
        let options = StreamsOptions {
            max_len: 10,
            max_disconnection: Some(1_000),
            ..StreamsOptions::default()
        };
        let streams = Streams::new(Arc::<MemoryBus>::clone(&bus), options);
        let adapter = streams.adapter(Arc::clone(&local), "/");
        Node { bus, local, adapter }
    };
    let nodes = vec![make(), make()];
    server.deliver();
    (server, nodes)
}

#[test]
fn who_was_idle_for_long_comes_back_and_who_missed_too_much_does_not() {
    let (server, nodes) = small();
    let world = World {
        server,
        nodes,
        kind: STREAMS,
    };
    world.connect(0, "x", &[]);
    emit(&world, 0, "seen", &[]);
    let seen = offset(&world, 0);
    (0..100).for_each(|_| emit(&world, 1, "others", &["others"]));
    world.lose(0, "x");
    (0..5).for_each(|_| emit(&world, 1, "others", &["others"]));
    emit(&world, 1, "new", &[]);
    assert_eq!(missed(&world, 1, Some(&seen)), ["[\"new\"]"]);
    world.lose(1, "x");
    (0..11).for_each(|_| emit(&world, 1, "others", &["others"]));
    assert_eq!(missed(&world, 0, Some(&seen)), ["begins anew"]);
    // In time it would have come back.
    world.connect(0, "x", &[]);
    world.lose(0, "x");
    world.server.advance(1_000);
    assert_eq!(missed(&world, 0, None), ["begins anew"]);
}

#[test]
fn of_a_stream_that_was_empty_it_is_known_whether_it_is_whole() {
    for (events, expected) in [(9, 9), (10, 1)] {
        let (server, nodes) = small();
        let world = World {
            server,
            nodes,
            kind: STREAMS,
        };
        world.connect(0, "x", &[]);
        world.lose(0, "x");
        (0..events).for_each(|_| emit(&world, 1, "e", &[]));
        assert_eq!(missed(&world, 1, None).len(), expected);
    }
}

#[test]
fn a_node_that_lags_lets_nobody_in_before_it_has_caught_up() {
    let world = world();
    world.nodes[1].bus.cut();
    emit(&world, 2, "seen", &[]);
    emit(&world, 2, "seen too", &[]);
    let offset = offset(&world, 0);
    world.lose(0, "x");
    emit(&world, 2, "missed", &[]);
    // It reaches the server again, but has not read yet.
    world.nodes[1].bus.restore();
    let restored = world.come_back(1, "x", Some(&offset));
    while restored.lock().is_none() {
        if !world.server.deliver_one() {
            world.server.advance(1);
        }
    }
    world.server.deliver();
    let missed = restored.lock().take().unwrap();
    let missed: Vec<String> = missed.iter().map(|line| without_offset(line)).collect();
    let live = world.happened();
    let all = [missed, live].concat();
    assert_eq!(all, ["[\"missed\"]"]);
    // If it never catches up, the client begins anew.
    world.lose(1, "x");
    let ahead = session::write(
        &Session {
            sid: "x".into(),
            pid: "pid of x".into(),
            rooms: vec!["x".into()],
            data: "{}".into(),
            progress: Progress::default(),
        },
        Some(Marks {
            progress: Progress::default(),
            at: u128::MAX >> 1,
            is_live: false,
        }),
    );
    world.nodes[0]
        .bus
        .set("sio:session:pid of x", ahead.unwrap(), 100_000);
    assert_eq!(self::missed(&world, 1, None), ["begins anew"]);
}

#[test]
fn sessions_that_official_nodes_keep_need_an_offset_that_is_there() {
    let world = world();
    emit(&world, 0, "seen", &[]);
    let offset = offset(&world, 0);
    emit(&world, 0, "missed", &[]);
    let session = Session {
        sid: "o".into(),
        pid: "pid of x".into(),
        rooms: vec!["o".into()],
        data: "{\"kept\":1}".into(),
        progress: Progress::default(),
    };
    let keep = || {
        let value = session::write(&session, None).unwrap();
        world.nodes[0].bus.set("sio:session:pid of x", value, 1_000_000);
    };
    keep();
    assert_eq!(missed(&world, 1, Some(&offset)), ["[\"missed\"]"]);
    for none in [None, Some("1-1"), Some(""), Some("x"), Some("99999999999999-0")] {
        keep();
        assert_eq!(missed(&world, 1, none), ["begins anew"], "{none:?}");
    }
    let bus = &world.nodes[0].bus;
    for junk in [&b""[..], b"junk!", b"gA==", b"hKNzaWS0"] {
        bus.set("sio:session:pid of x", junk.to_vec(), 1000);
        assert_eq!(missed(&world, 1, Some(&offset)), ["begins anew"]);
    }
    let long = "p".repeat(1000);
    let (reply, restored) = hold();
    world.adapter(0).restore_session(&long, None, reply);
    assert!(restored.lock().take().unwrap().is_none());
}

/// An official node adds the offset itself, and so do we; where nobody comes back there is none.
#[test]
fn events_have_their_entry_for_an_offset() {
    let world = world();
    world.connect(1, "y", &[]);
    emit(&world, 0, "e", &[]);
    let (one, two) = (offset(&world, 0), offset(&world, 1));
    assert_eq!(one, two);
    let (reply, entries) = hold();
    world.nodes[0].bus.range("socket.io", "-", "+", 10, reply);
    world.server.deliver();
    assert_eq!(entries.lock().take().unwrap().unwrap()[0].0, one);
    let volatile = BroadcastOptions {
        flags: BroadcastFlags {
            volatile: true,
            ..BroadcastFlags::default()
        },
        ..to(&[], &[])
    };
    world.adapter(0).broadcast(&packet("[\"v\"]"), &volatile);
    world
        .adapter(0)
        .broadcast_with_ack(&packet("[\"q\"]"), &to(&[], &[]), Arc::new(Gathered::default()));
    world.server.deliver();
    assert_eq!(world.take_log(1), ["y [\"v\"]", "y [\"q\"]"]);
    let plain = World::new(
        Kind::Streams {
            recovers: false,
            sharded: false,
        },
        1,
    );
    plain.connect(0, "x", &[]);
    emit(&plain, 0, "e", &[]);
    assert_eq!(plain.take_log(0), ["x [\"e\"]"]);
    plain.lose(0, "x");
    assert_eq!(missed(&plain, 0, None), ["begins anew"]);
    assert!(!plain.adapter(0).recovers_elsewhere() && world.adapter(0).recovers_elsewhere());
}

#[test]
fn messages_are_for_sockets_as_they_are_then() {
    // What a node says to all is done in one order, also on itself.
    let world = World::of_three(STREAMS);
    world
        .adapter(0)
        .broadcast(&packet("[\"bye\"]"), &to(&["first"], &[]));
    world.adapter(0).del_sockets(&to(&["first"], &[]), &["first"]);
    world
        .adapter(0)
        .broadcast(&packet("[\"nobody\"]"), &to(&["first"], &[]));
    world.adapter(0).disconnect_sockets(&to(&[], &[]), false);
    let happened = world.happened();
    assert_eq!(happened.iter().filter(|line| line.contains("bye")).count(), 3);
    assert_eq!(happened.iter().filter(|line| line.contains("goes")).count(), 6);
    assert_eq!(happened.len(), 9);
}
