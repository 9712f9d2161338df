use super::super::cluster::testing::*;
use super::super::memory::{MemoryBus, MemoryServer};
use super::*;
use crate::adapter::{BroadcastFlags, BroadcastPacket};

const DYNAMIC: Kind = Kind::Sharded(SubscriptionMode::Dynamic);
const PRIVATE: Kind = Kind::Sharded(SubscriptionMode::DynamicPrivate);
const STATIC: Kind = Kind::Sharded(SubscriptionMode::Static);
/// As long as ids are, in code units of UTF-16.
const TWENTY: &str = "twenty characters 😀";

/// The channels of what has been published, all of them sharded.
fn channels(server: &MemoryServer) -> Vec<String> {
    let published = server.published();
    assert!(published.iter().all(|(_, _, sharded)| *sharded));
    published.into_iter().map(|(channel, ..)| channel).collect()
}

fn channel_of(kind: Kind, options: &BroadcastOptions) -> String {
    let world = World::new(kind, 1);
    world.adapter(0).broadcast(&packet("[\"e\"]"), options);
    channels(&world.server).pop().unwrap()
}

#[test]
fn broadcasts_to_one_room_go_to_its_channel() {
    assert_eq!(TWENTY.encode_utf16().count(), 20);
    let twenty = format!("socket.io#/#{TWENTY}#");
    for (kind, room, expected) in [
        (DYNAMIC, "room", "socket.io#/#room#"),
        (DYNAMIC, "", "socket.io#/##"),
        (DYNAMIC, TWENTY, "socket.io#/#"),
        (PRIVATE, TWENTY, twenty.as_str()),
        (STATIC, "room", "socket.io#/#"),
    ] {
        assert_eq!(
            channel_of(kind, &to(&[room], &["x"])),
            expected,
            "{kind:?} {room}"
        );
    }
    for kind in [DYNAMIC, PRIVATE, STATIC] {
        assert_eq!(channel_of(kind, &to(&[], &[])), "socket.io#/#");
        assert_eq!(channel_of(kind, &to(&["a", "b"], &[])), "socket.io#/#");
    }
}

#[test]
fn all_else_goes_to_the_main_channel_and_to_whom_it_answers() {
    let world = World::new(DYNAMIC, 2);
    let room = to(&["room"], &[]);
    world.connect(1, "b1", &["room"]);
    world
        .adapter(0)
        .broadcast_with_ack(&packet("[\"e\"]"), &room, Arc::new(Gathered::default()));
    world.adapter(0).add_sockets(&room, &["x"]);
    world.adapter(0).del_sockets(&room, &["x"]);
    world.adapter(0).disconnect_sockets(&room, false);
    world.adapter(0).fetch_sockets(&room, hold().0);
    world.adapter(0).server_side_emit(&packet("[\"e\"]"), None);
    world.server.deliver();
    let subscriptions = world.nodes[0].bus.subscriptions();
    let mut own = subscriptions.iter().map(Subscription::name);
    let own = own.find(|name| *name != "socket.io#/#").unwrap();
    let all = channels(&world.server);
    let (main, answers): (Vec<&String>, Vec<&String>) =
        all.iter().partition(|channel| *channel == "socket.io#/#");
    assert_eq!(main.len(), 6);
    // How many clients, what one answered, and who they are.
    assert_eq!(answers, [own; 3]);
}

fn rooms(world: &World) -> Vec<String> {
    let subscriptions = world.nodes[0].bus.subscriptions();
    let names = subscriptions.iter().map(|subscription| match subscription {
        Subscription::Sharded(name) => name.strip_prefix("socket.io#/#").unwrap(),
        other => panic!("{other:?}"),
    });
    let is_room = |name: &&str| !name.is_empty() && name.len() != 17;
    names
        .filter(is_room)
        .map(|name| name.trim_end_matches('#').to_owned())
        .collect()
}

#[test]
fn subscriptions_follow_the_rooms() {
    let world = World::new(DYNAMIC, 1);
    assert_eq!(world.nodes[0].bus.subscriptions().len(), 2);
    world.connect(0, "abcdefghijklmnopqrst", &["one", TWENTY]);
    assert_eq!(
        rooms(&world),
        ["one"],
        "neither the socket's own nor what looks like that"
    );
    world.connect(0, "/old#abcdefghijklmnopqrst", &["one"]);
    assert_eq!(
        rooms(&world),
        ["/old#abcdefghijklmnopqrst", "one"],
        "an old client's"
    );
    world.adapter(0).add_sockets(&to(&["one"], &[]), &["two"]);
    world.adapter(0).del("abcdefghijklmnopqrst", "one");
    assert_eq!(rooms(&world), ["/old#abcdefghijklmnopqrst", "one", "two"]);
    world.adapter(0).del_all("/old#abcdefghijklmnopqrst");
    assert_eq!(rooms(&world), ["two"]);
    world.adapter(0).del_all("abcdefghijklmnopqrst");
    assert!(rooms(&world).is_empty());

    let world = World::new(PRIVATE, 1);
    world.connect(0, "abcdefghijklmnopqrst", &["one", TWENTY]);
    assert_eq!(rooms(&world), ["abcdefghijklmnopqrst", "one", TWENTY]);
    world.adapter(0).del_all("abcdefghijklmnopqrst");
    assert!(rooms(&world).is_empty());

    let world = World::new(STATIC, 1);
    world.connect(0, "abcdefghijklmnopqrst", &["one"]);
    assert_eq!(world.nodes[0].bus.subscriptions().len(), 2);
}

/// Two threads may tell of what they did in another order than they did it.
#[test]
fn what_is_told_late_changes_nothing() {
    let bus = MemoryServer::new().node();
    let node = node(DYNAMIC, Arc::clone(&bus), "/");
    node.local
        .host()
        .sockets
        .lock()
        .insert("x".into(), Progress::default());
    let cluster = Cluster::new(Arc::clone(&node.local), bus.clone(), "/", 1, |me| Sharded {
        mode: SubscriptionMode::Dynamic,
        ear: Arc::new(Ear(me.clone())),
        channel: "socket.io#/#".into(),
        rooms: Mutex::default(),
    });
    let subscribed = || {
        let is_it = |one: &Subscription| one.name() == "socket.io#/#room#";
        bus.subscriptions().iter().any(is_it)
    };
    let room: Arc<str> = "room".into();
    node.adapter.add_all("x", &["room"]);
    let watcher = &cluster.wire.ear;
    watcher.on_room_events(&[
        RoomEvent::Delete(Arc::clone(&room)),
        RoomEvent::Create(Arc::clone(&room)),
    ]);
    assert!(subscribed());
    watcher.on_room_events(&[RoomEvent::Delete(Arc::clone(&room))]);
    assert!(subscribed(), "somebody is in it");
    node.adapter.del("x", "room");
    watcher.on_room_events(&[RoomEvent::Create(room)]);
    assert!(!subscribed(), "nobody is in it");
}

#[test]
fn only_nodes_with_somebody_in_it_hear_of_a_room() {
    let world = World::of_three(DYNAMIC);
    world.connect(1, "b3", &["few"]);
    world.server.deliver();
    world.adapter(0).broadcast(&packet("[\"e\"]"), &to(&["few"], &[]));
    assert_eq!(world.server.waiting(), 1);
    assert_eq!(world.happened(), ["b3 [\"e\"]"]);
    world
        .adapter(0)
        .broadcast(&packet("[\"e\"]"), &to(&["few", "none"], &[]));
    assert_eq!(world.server.waiting(), 3);
}

/// Other nodes have nothing of a client that was on this one; this one has.
#[test]
fn clients_come_back_to_the_node_that_they_were_on() {
    let recovery = crate::adapter::Recovery::new(crate::adapter::RecoveryLimits::default(), "o.");
    let local = Arc::new(LocalAdapter::new(Arc::new(Crowd::default()), Some(recovery)));
    let server = MemoryServer::new();
    let options = ShardedOptions::default();
    let bus = server.node();
    let adapter = sharded_adapter(Arc::clone(&local), Arc::<MemoryBus>::clone(&bus), "/", &options);
    let hears_room = || {
        let subscriptions = bus.subscriptions();
        subscriptions.contains(&Subscription::Sharded("socket.io#/#room#".into()))
    };
    let other = node(DYNAMIC, server.node(), "/");
    let progress = adapter.progress();
    local.host().sockets.lock().insert("x".into(), progress);
    adapter.add_all("x", &["room"]);
    adapter.persist_session(Session {
        sid: "x".into(),
        pid: "p".into(),
        rooms: vec!["x".into(), "room".into()],
        data: "{}".into(),
        progress,
    });
    adapter.del_all("x");
    local.host().sockets.lock().clear();
    let flags = BroadcastFlags::default();
    let options = BroadcastOptions {
        flags,
        ..BroadcastOptions::default()
    };
    let missed: BroadcastPacket = packet("[\"missed\"]");
    other.adapter.broadcast(&missed, &options);
    other
        .adapter
        .broadcast(&packet("[\"to the room\"]"), &to(&["room"], &[]));
    server.deliver();
    let (reply, restored) = hold();
    adapter.restore_session("p", None, reply);
    let restored: Restored = restored.lock().take().unwrap().unwrap();
    let missed: Vec<&str> = restored.missed.iter().map(|packet| &*packet.array).collect();
    assert_eq!(missed, [r#"["missed","o.1"]"#, r#"["to the room","o.2"]"#]);
    assert!(hears_room(), "until it is seen that nobody is awaited");
    server.advance(120_001);
    assert!(!hears_room());
}
