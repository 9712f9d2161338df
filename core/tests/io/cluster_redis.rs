//! Servers of one cluster over a server of Redis, in each mode.

use crossbeam_channel::Receiver;
use sockline::adapter::redis::{Redis, RedisMode, RedisOptions};
use sockline::io::Recovery;

use crate::fixture::{Client, Fixture, serve_with};
use crate::redis::RedisServer;
use crate::support::PATIENCE;

struct Node {
    fixture: Fixture,
    redis: Redis,
}

fn node(server: &RedisServer, mode: RedisMode) -> Node {
    let options = RedisOptions {
        mode,
        ..RedisOptions::new(format!("redis://127.0.0.1:{}", server.port))
    };
    let redis = Redis::new(options, None).unwrap();
    let given = redis.clone();
    let fixture = serve_with(|options| {
        options.adapter = Some(given);
        options.connection_state_recovery = Some(Recovery::default());
    });
    Node { fixture, redis }
}

/// Waits until the nodes hear each other, and answers.
fn ready(nodes: &[&Node]) {
    for node in nodes {
        let namespace = node.fixture.io.of("/");
        loop {
            let (count, found) = (once(), once());
            namespace.server_count(count.0).unwrap();
            namespace.all().fetch_sockets(found.0).unwrap();
            let counted = count.1.recv_timeout(PATIENCE).unwrap().ok();
            let found = found.1.recv_timeout(PATIENCE).unwrap();
            if counted == Some(nodes.len()) && found.is_ok_and(|found| found.missing == 0) {
                break;
            }
        }
    }
}

/// Where something will be told.
fn once<T: Send + 'static>() -> (impl FnOnce(T) + Send + 'static, Receiver<T>) {
    let (told, value) = crossbeam_channel::bounded(1);
    (move |value| drop(told.send(value)), value)
}

/// Waits until all that a node was to do by then is done.
fn later(node: &Node, millis: u64) {
    let (time, flushed) = (once(), once());
    node.redis.bus().run_at(millis, Box::new(move || (time.0)(())));
    time.1.recv_timeout(PATIENCE).unwrap();
    node.redis.flush(Box::new(flushed.0));
    flushed.1.recv_timeout(PATIENCE).unwrap().unwrap();
}

/// Waits until all nodes hear a room.
fn is_heard(node: &Node, room: &str) {
    loop {
        let (count, heard) = once();
        let channel = format!("socket.io#/#{room}#");
        node.redis.bus().subscribers(&channel, true, Box::new(count));
        if heard.recv_timeout(PATIENCE).unwrap() == Ok(2) {
            break;
        }
    }
}

fn two(mode: RedisMode) -> (RedisServer, Node, Node) {
    let server = RedisServer::start();
    let (a, b) = (node(&server, mode), node(&server, mode));
    ready(&[&a, &b]);
    (server, a, b)
}

/// An event's array, without the offset that may be there.
fn event(client: &mut Client) -> Vec<serde_json::Value> {
    let text = client.text();
    let mut array: Vec<serde_json::Value> =
        serde_json::from_str(text.strip_prefix("42").expect(&text)).unwrap();
    array.pop();
    array
}

#[test]
fn servers_reach_each_others_clients_in_each_mode() {
    for mode in [RedisMode::Classic, RedisMode::Sharded, RedisMode::Streams] {
        let (_server, a, b) = two(mode);
        let (mut first, socket) = a.fixture.joined();
        let (mut second, other) = b.fixture.joined();
        socket.join(&["room"]);
        other.join(&["room"]);
        if mode == RedisMode::Sharded {
            is_heard(&a, "room");
        }
        let namespace = a.fixture.io.of("/");
        namespace.emit("all", "1", &[]).unwrap();
        namespace.to("room").emit("room", "", &[]).unwrap();
        namespace.to(other.id()).emit("you", "", &[]).unwrap();
        assert_eq!(
            event(&mut first),
            ["all".into(), serde_json::json!(1)],
            "{mode:?}"
        );
        assert_eq!(event(&mut first), ["room"]);
        assert_eq!(event(&mut second)[0], "all");
        assert_eq!(event(&mut second), ["room"]);
        assert_eq!(event(&mut second), ["you"]);
        let (told, found) = once();
        b.fixture.io.of("/").to("room").fetch_sockets(told).unwrap();
        let found = found.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!((found.value.len(), found.missing), (2, 0), "{mode:?}");
        a.fixture.skip();
        let everybody = namespace.all().timeout(PATIENCE);
        everybody.emit_with_ack("q", "", &[], 7).unwrap();
        assert_eq!(second.text(), "420[\"q\"]");
        assert_eq!(first.text(), "420[\"q\"]");
        second.say("430[2]");
        first.say("430[2]");
        a.fixture.hears(&["acks / 7 2/2 [\"2\", \"2\"]"]);
        b.fixture.io.of("/").all().disconnect_sockets(false);
        first.gets(&["41"]);
        second.gets(&["41"]);
    }
}

#[test]
fn a_client_survives_the_loss_and_the_death_of_its_server() {
    let (_server, a, b) = two(RedisMode::Streams);
    let (client, socket) = a.fixture.joined();
    let (id, pid) = (client.id.clone(), client.pid.clone().unwrap());
    socket.join(&["room"]);
    drop(client);
    while !a.fixture.next().starts_with("disconnect ") {}
    b.fixture.io.of("/").to("room").emit("missed", "", &[]).unwrap();
    let come_back = |node: &Node, offset: &str| {
        let mut client = node.fixture.client();
        client.say(&format!("40{{\"pid\":\"{pid}\"{offset}}}"));
        let text = client.text();
        assert!(text.starts_with("42[\"missed\",\""), "{text}");
        client.joined("/");
        assert_eq!(client.id, id);
        let offset = text.split('"').nth(3).unwrap().to_owned();
        (client, format!(",\"offset\":\"{offset}\""))
    };
    let (_client, offset) = come_back(&b, "");
    while b.fixture.next() != "connection / again" {}
    later(&b, 100); // its session is kept by then
    b.redis.close();
    a.fixture.io.of("/").to("room").emit("missed", "", &[]).unwrap();
    let (mut client, _) = come_back(&a, &offset);
    a.fixture.io.of("/").to("room").emit("new", "", &[]).unwrap();
    assert_eq!(event(&mut client), ["new"]);
}

#[test]
fn many_events_come_in_order_and_once() {
    let (_server, a, b) = two(RedisMode::Streams);
    let (mut client, _) = b.fixture.joined();
    let namespace = a.fixture.io.of("/");
    (0..500).for_each(|number| namespace.emit("e", &number.to_string(), &[]).unwrap());
    for number in 0..500 {
        assert_eq!(event(&mut client)[1], number);
    }
}
