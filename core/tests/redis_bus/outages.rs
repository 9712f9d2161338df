//! What a bus does when Redis goes, hangs, or comes late.

use std::time::{Duration, Instant};

use crate::redis::{RedisServer, free_port};
use crate::scene::{Node, channel_of, pattern, sharded};

/// Hears all three kinds, and is heard.
#[track_caller]
fn is_well(node: &Node) {
    node.publish("a", "x");
    let mut heard = [node.ears.hear(), node.ears.hear()];
    heard.sort();
    assert_eq!(heard, ["c a x", "p a x"]);
    node.spublish("a", "y");
    assert_eq!(node.ears.hear(), "s a y");
    assert_eq!(
        (node.subscribers("a", false), node.subscribers("a", true)),
        (1, 1)
    );
}

fn hears_all(node: &Node) {
    node.subscribe("c", channel_of("a"));
    node.subscribe("p", pattern("*"));
    node.subscribe("s", sharded("a"));
}

#[test]
fn a_server_that_comes_late_is_found() {
    let port = free_port();
    let mut server = RedisServer::absent(port);
    let node = Node::new(&server.url());
    let told = node.events.hear();
    let expected = format!("redis disconnected: Redis at 127.0.0.1:{port} can't be connected to: ");
    assert!(told.starts_with(&expected) && told.contains("refused"), "{told}");
    let begun = Instant::now();
    let error = node.take("k").unwrap_err();
    assert!(error.0.contains("can't be connected to"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1), "told at once");
    for number in 0..3 {
        node.publish("a", number.to_string());
    }
    let dropped = "redis error: messages to other nodes are dropped until Redis can be reached again";
    assert_eq!(node.events.hear(), dropped);
    let refused = crate::scene::answer(|reply| {
        let listener = node.ears.mouth("c");
        node.bus().subscribe(channel_of("a"), listener, Some(reply));
    });
    assert!(refused.is_err());
    assert_eq!(node.redis.dropped(), 3);
    node.bus().subscribe(pattern("*"), node.ears.mouth("p"), None);
    node.bus().subscribe(sharded("a"), node.ears.mouth("s"), None);
    node.bus().follow("f", node.ears.mouth("f"));
    server.restart();
    assert_eq!(node.events.hear(), "redis connected");
    assert_eq!(node.ears.hear(), "f from 0-0");
    is_well(&node);
    node.append("f", "z").unwrap();
    assert_eq!(node.ears.hear(), "f text=z");
}

#[test]
fn a_server_that_restarts_is_found_again_with_all_subscriptions() {
    let mut server = RedisServer::start();
    let node = Node::connected(&server.url());
    hears_all(&node);
    for _ in 0..3 {
        server.kill();
        let told = node.events.hear();
        assert!(told.starts_with("redis disconnected: "), "{told}");
        assert!(!node.redis.is_connected());
        assert!(node.take("k").is_err());
        server.restart();
        assert_eq!(node.events.hear_of("redis connected"), "redis connected");
        is_well(&node);
    }
}

#[test]
fn a_server_that_hangs_is_noticed_and_all_replies_come() {
    let server = RedisServer::start();
    let node = Node::connected(&server.url());
    hears_all(&node);
    server.stop();
    let begun = Instant::now();
    let error = node.take("k").unwrap_err();
    assert!(error.0.ends_with("does not answer"), "{error}");
    let told = node.events.hear();
    assert!(told.ends_with("does not answer"), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    server.go_on();
    assert_eq!(node.events.hear_of("redis connected"), "redis connected");
    is_well(&node);
}

#[test]
fn a_server_that_hangs_is_noticed_also_while_nothing_is_asked() {
    let server = RedisServer::start();
    let node = Node::connected(&server.url());
    server.stop();
    let told = node.events.hear();
    assert!(told.ends_with("does not answer"), "{told}");
    // It accepts connections still.
    node.publish("a", "lost");
    assert!(node.events.hear().contains("are dropped"));
    server.go_on();
    assert_eq!(node.events.hear_of("redis connected"), "redis connected");
}

#[test]
fn a_connection_that_is_cut_off_is_made_again() {
    let server = RedisServer::start();
    let node = Node::connected(&server.url());
    hears_all(&node);
    node.bus().follow("f", node.ears.mouth("f"));
    assert_eq!(node.ears.hear(), "f from 0-0");
    for kind in ["pubsub", "normal"] {
        server.cli(&format!("CLIENT KILL TYPE {kind}"));
        let told = node.events.hear();
        assert!(told.starts_with("redis disconnected: "), "{kind}: {told}");
        assert_eq!(node.events.hear_of("redis connected"), "redis connected");
        is_well(&node);
        node.append("f", kind).unwrap();
        assert_eq!(node.ears.hear(), format!("f text={kind}"));
    }
}

#[test]
fn a_stream_misses_nothing_while_the_node_is_cut_off() {
    let server = RedisServer::start();
    let node = Node::connected(&server.url());
    node.bus().follow("s", node.ears.mouth("f"));
    assert_eq!(node.ears.hear(), "f from 0-0");
    node.append("s", "first").unwrap();
    assert_eq!(node.ears.hear(), "f text=first");
    // In one go, so that nothing of it can be read before the connections have ended. More than are read at once.
    let mut commands = String::from("MULTI\n");
    for kind in ["normal", "pubsub"] {
        commands += &format!("CLIENT KILL TYPE {kind} SKIPME yes\n");
    }
    for number in 0..250 {
        commands += &format!("XADD s * text {number}\n");
    }
    server.cli(&(commands + "EXEC\n"));
    for number in 0..250 {
        assert_eq!(node.ears.hear(), format!("f text={number}"));
    }
    node.events.hear_of("redis connected");
    node.append("s", "last").unwrap();
    assert_eq!(node.ears.hear(), "f text=last", "each was told once");
}

#[test]
fn too_much_is_not_kept() {
    let server = RedisServer::start();
    let node = Node::with(&server.url(), |options| {
        options.max_queued = 100_000;
        options.ping_interval = 60_000;
        options.command_timeout = 60_000;
    });
    assert_eq!(node.events.hear(), "redis connected");
    server.stop();
    for _ in 0..20 {
        node.bus().publish("a", vec![b'x'; 10_000], false);
    }
    assert_eq!(
        node.events.hear(),
        "redis error: more than 100000 bytes wait for Redis"
    );
    let kept = 20 - node.redis.dropped();
    assert!((5..10).contains(&kept), "{kept}");
    let error = node.append("s", &"x".repeat(100_000)).unwrap_err();
    assert_eq!(error.0, "more than 100000 bytes wait for Redis");
    server.go_on();
    node.flush().unwrap();
    let before = node.redis.dropped();
    node.bus().publish("a", vec![b'x'; 10_000], false);
    node.flush().unwrap();
    assert_eq!(node.redis.dropped(), before, "there is room again");
}

#[test]
fn a_bus_that_never_reached_redis_ends_all_the_same() {
    let node = Node::new(&format!("redis://127.0.0.1:{}", free_port()));
    node.bus().subscribe(channel_of("a"), node.ears.mouth("c"), None);
    node.redis.close();
    assert_eq!(node.events.hear_of("redis closed"), "redis closed");
    assert!(node.flush().is_err());
}

#[test]
fn a_bus_ends_while_redis_hangs() {
    let server = RedisServer::start();
    let node = Node::with(&server.url(), |options| options.command_timeout = 500);
    assert_eq!(node.events.hear(), "redis connected");
    server.stop();
    node.publish("a", "x");
    node.redis.close();
    assert_eq!(node.events.hear_of("redis closed"), "redis closed");
}
