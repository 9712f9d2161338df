//! Topics that several servers share. Between them is a server in memory in the place of Redis.

use std::sync::Arc;

use sockline::adapter::redis::memory::{MemoryBus, MemoryServer};
use sockline::adapter::redis::{Bus, Redis, RedisMode, RedisOptions, Subscription};
use sockline::{ErrorCode, Loop, MessageType, Server, ServerOptions, WebSocket};

use crate::courier::{Courier, until};
use crate::support::{Events, Peer, closed_server, local, masked, port, reacting, recorder, serve, started};
use crate::support::{PATIENCE, What};

const CHANNEL: &str = "socket.io-topics";

/// A server of a cluster.
struct Node {
    server: Server,
    events: Events,
    bus: Arc<MemoryBus>,
    _on_loop: Loop,
}

fn redis(bus: &Arc<MemoryBus>, mode: RedisMode) -> Redis {
    let options = RedisOptions {
        mode,
        max_queued: 100_000,
        ..RedisOptions::default()
    };
    Redis::over(bus.clone(), options)
}

fn with(adapter: Redis) -> ServerOptions {
    ServerOptions {
        adapter: Some(adapter),
        ..local()
    }
}

impl Node {
    fn new(memory: &MemoryServer) -> Node {
        Node::in_mode(memory, RedisMode::Classic)
    }

    fn in_mode(memory: &MemoryServer, mode: RedisMode) -> Node {
        let bus = memory.node();
        let on_loop = started();
        let (handler, events) = recorder();
        let server = serve(&on_loop, with(redis(&bus, mode)), handler);
        Node {
            server,
            events,
            bus,
            _on_loop: on_loop,
        }
    }

    /// The next client, who subscribes.
    fn subscriber(&self, filter: &str) -> (Peer, WebSocket) {
        let peer = Peer::upgraded(port(self.server));
        let ws = self.events.open();
        ws.subscribe(filter).unwrap();
        (peer, ws)
    }

    fn publish(&self, topic: &str, text: &str) {
        self.server
            .publish(topic, MessageType::Text, text.as_bytes())
            .unwrap();
    }
}

/// Fails unless this is all that a peer has got since the last time.
#[track_caller]
fn got(node: &Node, peer: &mut Peer, texts: &[&str]) {
    node.server.broadcast(MessageType::Text, b"end").unwrap();
    for text in texts.iter().chain(&["end"]) {
        assert_eq!(peer.read_frame(), (0x81, text.as_bytes().to_vec()));
    }
}

#[test]
fn subscribers_of_all_servers_get_it_once() {
    for mode in [RedisMode::Classic, RedisMode::Sharded, RedisMode::Streams] {
        let memory = MemoryServer::new();
        let [a, b, c] = [0; 3].map(|_| Node::in_mode(&memory, mode));
        let (mut first, _) = a.subscriber("news/+");
        let (mut second, second_ws) = b.subscriber("news/#");
        second_ws.subscribe("news/sport").unwrap();
        let (mut third, _) = c.subscriber("weather");
        a.publish("news/sport", "goal");
        a.server.broadcast(MessageType::Text, b"for a alone").unwrap();
        assert_eq!(memory.deliver(), 3, "{mode:?}: one message for each server");
        got(&a, &mut first, &["goal", "for a alone"]);
        got(&b, &mut second, &["goal"]);
        got(&c, &mut third, &[]);
        let [(channel, _, sharded)] = memory.published().try_into().unwrap();
        assert_eq!((channel.as_str(), sharded), (CHANNEL, mode == RedisMode::Sharded));

        c.server
            .publish("weather", MessageType::Binary, &[0, 0xff])
            .unwrap();
        c.server
            .publish("news/x", MessageType::Binary, &[1; 70_000])
            .unwrap();
        memory.deliver();
        assert_eq!(third.read_frame(), (0x82, vec![0, 0xff]));
        for peer in [&mut first, &mut second] {
            let head = peer.read_exactly(10);
            assert_eq!(head, [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
            assert_eq!(peer.read_exactly(70_000), [1; 70_000]);
        }
        got(&c, &mut third, &[]);
    }
}

#[test]
fn a_connection_publishes_to_other_servers_too_and_leaves_out_itself_only() {
    let courier = Courier::new();
    let (on_loop, bus) = (started(), courier.server.node());
    let (handler, events) = reacting(|ws, what| match what {
        What::Open => ws.subscribe("room").unwrap(),
        What::Text(text) => ws
            .publish("room", MessageType::Text, text.as_bytes(), text == "all")
            .unwrap(),
        _ => {}
    });
    let server = serve(&on_loop, with(redis(&bus, RedisMode::Classic)), handler);
    let (mut one, mut two) = (Peer::upgraded(port(server)), Peer::upgraded(port(server)));
    let _ = [events.open(), events.open()];
    let other = Node::new(&courier.server);
    let (mut third, _) = other.subscriber("room");
    one.send(&[masked(0x81, b"others"), masked(0x81, b"all")].concat());
    assert_eq!(one.read_frame(), (0x81, b"all".to_vec()));
    for peer in [&mut two, &mut third] {
        for text in ["others", "all"] {
            assert_eq!(peer.read_frame(), (0x81, text.as_bytes().to_vec()));
        }
    }
    // What has come back to where it was from has come before this.
    other.publish("room", "end");
    for peer in [&mut one, &mut two, &mut third] {
        assert_eq!(peer.read_frame(), (0x81, b"end".to_vec()));
    }
}

#[test]
fn all_loops_of_another_server_hear_it_in_order() {
    const EACH: usize = 500;
    let courier = Courier::new();
    let (on_loop, bus) = (started(), courier.server.node());
    let (handler, events) = recorder();
    let options = ServerOptions {
        threads: 4,
        ..with(redis(&bus, RedisMode::Classic))
    };
    let server = serve(&on_loop, options, handler);
    let mut peers: Vec<Peer> = (0..16).map(|_| Peer::upgraded(port(server))).collect();
    for _ in &peers {
        events.open().subscribe("count/#").unwrap();
    }
    let other = Node::new(&courier.server);
    let (_peer, publisher) = other.subscriber("nothing");
    // What is asked of a connection takes the way through its loop; what is asked of the server from here does not.
    for number in 0..EACH {
        let text = number.to_string();
        let topic = ["count/even", "count/odd"][number % 2];
        match number < EACH / 2 {
            true => other.publish(topic, &text),
            false => publisher
                .publish(topic, MessageType::Text, text.as_bytes(), false)
                .unwrap(),
        }
    }
    for peer in &mut peers {
        for number in 0..EACH {
            assert_eq!(peer.read_frame(), (0x81, number.to_string().into_bytes()));
        }
    }
}

#[test]
fn two_servers_share_a_handle_and_leave_it_one_after_the_other() {
    let memory = MemoryServer::new();
    let (bus, on_loop) = (memory.node(), started());
    let shared = redis(&bus, RedisMode::Classic);
    let outside = Node::new(&memory);
    let (mut third, _) = outside.subscriber("t");
    let here = || {
        let (server_handler, closed) = closed_server();
        let (handler, events) = recorder();
        let options = ServerOptions {
            server_handler,
            ..with(shared.clone())
        };
        let server = serve(&on_loop, options, handler);
        let peer = Peer::upgraded(port(server));
        events.open().subscribe("t").unwrap();
        (server, peer, closed)
    };
    let ((a, mut first, a_closed), (b, mut second, b_closed)) = (here(), here());
    assert_eq!(memory.subscribers(CHANNEL, false), 2, "one for each handle");
    let publish = |server: Server, text: &str| {
        server.publish("t", MessageType::Text, text.as_bytes()).unwrap();
        memory.deliver();
    };
    publish(a, "of a");
    publish(outside.server, "of outside");
    for peer in [&mut first, &mut second, &mut third] {
        for text in ["of a", "of outside"] {
            assert_eq!(peer.read_frame(), (0x81, text.as_bytes().to_vec()));
        }
    }

    a.close(Some(1001), "").unwrap();
    assert_eq!(first.read_frame().0, 0x88);
    drop(first);
    a_closed.recv_timeout(PATIENCE).unwrap();
    assert_eq!(memory.subscribers(CHANNEL, false), 2);
    publish(outside.server, "for b");
    assert_eq!(second.read_frame(), (0x81, b"for b".to_vec()));
    assert_eq!(third.read_frame(), (0x81, b"for b".to_vec()));

    // Its connections live on, and go on hearing.
    b.close(None, "").unwrap();
    publish(outside.server, "still here");
    assert_eq!(second.read_frame(), (0x81, b"still here".to_vec()));
    drop(second);
    b_closed.recv_timeout(PATIENCE).unwrap();
    assert!(bus.subscriptions().is_empty());
    let error = b.publish("t", MessageType::Text, b"gone").unwrap_err();
    assert_eq!(error.code(), ErrorCode::Closed);
    drop(shared);
    until(|| Arc::strong_count(&bus) == 1);
    got(&outside, &mut third, &["still here"]);
}

#[test]
fn a_server_without_connections_takes_its_handle_along() {
    let memory = MemoryServer::new();
    let (bus, on_loop) = (memory.node(), started());
    let (server_handler, closed) = closed_server();
    let options = ServerOptions {
        server_handler,
        threads: 3,
        ..with(redis(&bus, RedisMode::Sharded))
    };
    let server = serve(&on_loop, options, recorder().0);
    assert_eq!(bus.subscriptions(), [Subscription::Sharded(CHANNEL.to_owned())]);
    server.close(None, "").unwrap();
    closed.recv_timeout(PATIENCE).unwrap();
    assert!(bus.subscriptions().is_empty());
    until(|| Arc::strong_count(&bus) == 1);

    // So does one that never came to listen.
    let busy = serve(&on_loop, local(), recorder().0).local_address().unwrap();
    let options = ServerOptions {
        address: sockline::Address::Tcp(busy.ip().to_string(), busy.port()),
        ..with(redis(&bus, RedisMode::Classic))
    };
    let error = sockline::listen(Some(&on_loop), options, None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ListenFailed);
    assert_eq!(Arc::strong_count(&bus), 1);
}

#[test]
fn own_subscribers_get_it_while_redis_is_away() {
    let memory = MemoryServer::new();
    let (a, b) = (Node::new(&memory), Node::new(&memory));
    let (mut first, _) = a.subscriber("t");
    let (mut second, _) = b.subscriber("t");
    a.bus.cut();
    a.publish("t", "alone");
    b.publish("t", "not for a");
    memory.deliver();
    got(&a, &mut first, &["alone"]);
    got(&b, &mut second, &["not for a"]);
    a.bus.restore();
    a.publish("t", "again");
    memory.deliver();
    got(&a, &mut first, &["again"]);
    got(&b, &mut second, &["again"]);
}

/// MessagePack's string of at most 65,535 bytes.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0xda][..], &length, bytes].concat()
}

#[test]
fn what_is_no_publication_does_no_harm() {
    let memory = MemoryServer::new();
    let node = Node::new(&memory);
    let (mut peer, _) = node.subscriber("#");
    let stranger = memory.node();
    let published = |topic: &[u8], data: &[u8]| [&b"\x93\xa1u"[..], &string(topic), data].concat();
    for message in [
        Vec::new(),
        b"{}".to_vec(),
        b"hello".to_vec(),
        vec![0xc1; 100],
        b"\xdd\xff\xff\xff\xff".to_vec(),
        b"\x92\xa1u\xa1t".to_vec(),
        published(b"t", b"\xa2\xff\xfe"),
        published(b"t", b"\xc0"),
        published(b"t", b"\xc6\xff\xff\xff\xffx"),
        published(b"", b"\xa1x"),
        published(b"a/+", b"\xa1x"),
        published(b"#", b"\xa1x"),
        published(b"a\0b", b"\xa1x"),
        published(b"\xff", b"\xa1x"),
        published(b"t", &[&b"\xc6\0\x01\x86\xa0"[..], &[0; 100_000]].concat()), // more than max_queued
    ] {
        stranger.publish(CHANNEL, message, false);
    }
    stranger.publish(CHANNEL, published(&[b'a'; 65_535], b"\xa4long"), false);
    stranger.publish(CHANNEL, published(b"t", b"\xc4\x01\x07"), false);
    memory.deliver();
    assert_eq!(peer.read_frame(), (0x81, b"long".to_vec()));
    assert_eq!(peer.read_frame(), (0x82, vec![7]));
    got(&node, &mut peer, &[]);
}

#[test]
fn a_process_without_a_server_publishes() {
    for mode in [RedisMode::Classic, RedisMode::Sharded] {
        let memory = MemoryServer::new();
        let (a, b) = (Node::in_mode(&memory, mode), Node::in_mode(&memory, mode));
        let (mut first, _) = a.subscriber("a/+");
        let (mut second, _) = b.subscriber("a/b");
        let emitter = redis(&memory.node(), mode).emitter();
        emitter.publish("a/b", MessageType::Text, b"hi").unwrap();
        let elsewhere = emitter.of("/any");
        elsewhere.publish("a/b", MessageType::Binary, &[1]).unwrap();
        for (topic, data, code) in [
            ("a/+", &b"x"[..], ErrorCode::Topic),
            ("", b"x", ErrorCode::Topic),
            ("a", b"\xff", ErrorCode::InvalidUtf8),
        ] {
            let error = emitter.publish(topic, MessageType::Text, data).unwrap_err();
            assert_eq!(error.code(), code);
        }
        memory.deliver();
        for (node, peer) in [(&a, &mut first), (&b, &mut second)] {
            assert_eq!(peer.read_frame(), (0x81, b"hi".to_vec()));
            assert_eq!(peer.read_frame(), (0x82, vec![1]));
            got(node, peer, &[]);
        }
    }
}

#[test]
fn other_keys_are_other_clusters() {
    let memory = MemoryServer::new();
    let node = Node::new(&memory);
    let (mut peer, _) = node.subscriber("t");
    let options = RedisOptions {
        key: "other".to_owned(),
        ..RedisOptions::default()
    };
    let emitter = Redis::over(memory.node(), options).emitter();
    emitter.publish("t", MessageType::Text, b"not here").unwrap();
    memory.deliver();
    got(&node, &mut peer, &[]);
    assert_eq!(memory.published()[0].0, "other-topics");
}
