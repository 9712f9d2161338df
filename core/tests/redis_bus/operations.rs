//! What a bus does, while all is well.

use std::sync::Arc;

use sockline::adapter::redis::{Bus, Listener};

use crate::redis::RedisServer;
use crate::scene::{Ears, Node, answer, channel_of, pattern, sharded};

#[test]
fn messages_come_in_their_order() {
    let server = RedisServer::start();
    let (one, two) = (Node::connected(&server.url()), Node::connected(&server.url()));
    one.subscribe("c", channel_of("a"));
    const COUNT: usize = 10_000;
    for number in 0..COUNT {
        two.publish("a", number.to_string());
    }
    for number in 0..COUNT {
        assert_eq!(one.ears.hear(), format!("c a {number}"));
    }
}

#[test]
fn channels_patterns_and_sharded_channels_are_heard_apart() {
    let server = RedisServer::start();
    let (one, two) = (Node::connected(&server.url()), Node::connected(&server.url()));
    one.subscribe("c", channel_of("a#1"));
    one.subscribe("p", pattern("a#*"));
    one.subscribe("s", sharded("a#1"));
    two.publish("a#1", "x");
    let mut heard = [one.ears.hear(), one.ears.hear()];
    heard.sort();
    assert_eq!(heard, ["c a#1 x", "p a#1 x"]);
    two.spublish("a#1", "y");
    assert_eq!(one.ears.hear(), "s a#1 y");
    two.publish("a#2", "z");
    assert_eq!(one.ears.hear(), "p a#2 z");
    assert!(one.ears.rest().is_empty());
}

#[test]
fn a_message_is_any_bytes_and_as_big_as_it_likes() {
    let server = RedisServer::start();
    let node = Node::connected(&server.url());
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    struct Whole(std::sync::mpsc::SyncSender<Vec<u8>>);
    impl Listener for Whole {
        fn on_message(&self, _: &str, payload: &[u8]) {
            self.0.send(payload.to_vec()).unwrap();
        }
    }
    let done = answer(|reply| {
        let listener = Arc::new(Whole(sender));
        node.bus().subscribe(channel_of("a"), listener, Some(reply));
    });
    done.unwrap();
    let payload: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    node.bus().publish("a", payload.clone(), false);
    assert_eq!(receiver.recv_timeout(crate::scene::PATIENCE).unwrap(), payload);
}

#[test]
fn who_unsubscribes_hears_no_more() {
    let server = RedisServer::start();
    let node = Node::connected(&server.url());
    for (subscription, is_sharded) in [
        (channel_of("a"), false),
        (pattern("a*"), false),
        (sharded("a"), true),
    ] {
        node.subscribe("x", subscription.clone());
        node.bus().publish("a", b"1".to_vec(), is_sharded);
        assert_eq!(node.ears.hear(), "x a 1");
        node.bus().unsubscribe(&subscription);
        // Redis does not know of it any more.
        let command = match is_sharded {
            true => "PUBSUB SHARDCHANNELS\nPUBSUB NUMPAT",
            false => "PUBSUB CHANNELS\nPUBSUB NUMPAT",
        };
        while server.cli(command) != "0" {}
        node.bus().publish("a", b"2".to_vec(), is_sharded);
        node.flush().unwrap();
        // Comes behind it, over the same connection.
        node.subscribe("y", subscription.clone());
        node.bus().publish("a", b"3".to_vec(), is_sharded);
        assert_eq!(node.ears.hear(), "y a 3");
        node.bus().unsubscribe(&subscription);
        while server.cli(command) != "0" {}
    }
}

#[test]
fn a_name_has_one_listener() {
    let server = RedisServer::start();
    let node = Node::connected(&server.url());
    node.subscribe("old", channel_of("a"));
    node.subscribe("new", channel_of("a"));
    assert_eq!(node.subscribers("a", false), 1);
    node.publish("a", "1");
    node.publish("a", "2");
    assert_eq!([node.ears.hear(), node.ears.hear()], ["new a 1", "new a 2"]);
}

#[test]
fn subscribers_are_counted() {
    let server = RedisServer::start();
    let (one, two) = (Node::connected(&server.url()), Node::connected(&server.url()));
    assert_eq!((one.subscribers("a", false), one.subscribers("a", true)), (0, 0));
    one.subscribe("c", channel_of("a"));
    two.subscribe("c", channel_of("a"));
    two.subscribe("s", sharded("a"));
    two.subscribe("p", pattern("*"));
    assert_eq!((one.subscribers("a", false), one.subscribers("a", true)), (2, 1));
    assert_eq!((two.subscribers("a", false), two.subscribers("a", true)), (2, 1));
}

#[test]
fn it_is_told_how_many_have_got_a_message() {
    let server = RedisServer::start();
    let (one, two) = (Node::connected(&server.url()), Node::connected(&server.url()));
    let deliver = |sharded| {
        let told = answer(|reply| one.bus().deliver("a", b"x".to_vec(), sharded, reply));
        told.unwrap()
    };
    assert_eq!((deliver(false), deliver(true)), (0, 0));
    two.subscribe("c", channel_of("a"));
    one.subscribe("c", channel_of("a"));
    two.subscribe("s", sharded("a"));
    assert_eq!((deliver(false), deliver(true)), (2, 1));
    assert_eq!(two.ears.hear(), "c a x");
    assert_eq!(two.ears.hear(), "s a x");
    // In the order of all that is said.
    for number in 0..1000 {
        one.publish("a", format!("{number}"));
        one.bus()
            .deliver("a", format!("{number}!").into_bytes(), false, Box::new(drop));
    }
    for number in 0..1000 {
        assert_eq!(two.ears.hear(), format!("c a {number}"));
        assert_eq!(two.ears.hear(), format!("c a {number}!"));
    }
}

#[test]
fn streams_are_followed_from_now_on() {
    let server = RedisServer::start();
    let (one, two) = (Node::connected(&server.url()), Node::connected(&server.url()));
    let before = two.append("s", "before").unwrap();
    // What follows comes behind the beginning, although nothing was confirmed.
    one.bus().follow("s", one.ears.mouth("f"));
    let ids: Vec<String> = (0..250)
        .map(|number| one.append("s", &number.to_string()).unwrap())
        .collect();
    assert_eq!(one.ears.hear(), format!("f from {before}"));
    for number in 0..250 {
        assert_eq!(one.ears.hear(), format!("f text={number}"));
    }
    let range = |start: &str, end: &str, count| {
        let entries = answer(|reply| two.bus().range("s", start, end, count, reply)).unwrap();
        entries.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(range(&ids[3], &ids[5], 10), ids[3..6]);
    assert_eq!(range(&format!("({}", ids[3]), "+", 2), ids[4..6]);
    assert_eq!(range("-", "+", 1000).len(), 251);
    let entries = answer(|reply| two.bus().range("s", &ids[7], &ids[7], 1, reply)).unwrap();
    assert_eq!(entries[0].1, [(b"text".to_vec(), b"7".to_vec())]);
    one.bus().unfollow("s");
    // Its connection is gone, and so is the reader.
    while server.cli("CLIENT LIST").contains("cmd=xread") {}
    two.append("s", "unheard").unwrap();
    assert!(one.ears.rest().is_empty());
}

#[test]
fn a_stream_that_is_not_there_yet_is_followed_from_its_first_entry() {
    let server = RedisServer::start();
    let node = Node::connected(&server.url());
    node.bus().follow("one", node.ears.mouth("1"));
    node.bus().follow("two", node.ears.mouth("2"));
    let last = node.append("one", "a").unwrap();
    assert_eq!(
        [node.ears.hear(), node.ears.hear(), node.ears.hear()],
        ["1 from 0-0", "2 from 0-0", "1 text=a"]
    );
    node.append("two", "b").unwrap();
    assert_eq!(node.ears.hear(), "2 text=b");
    node.bus().follow("one", node.ears.mouth("new"));
    assert_eq!(node.ears.hear(), format!("new from {last}"));
    node.append("one", "c").unwrap();
    assert_eq!(node.ears.hear(), "new text=c");
}

#[test]
fn streams_are_kept_short() {
    let server = RedisServer::start();
    let node = Node::connected(&server.url());
    for number in 0..500 {
        let fields = vec![("n", number.to_string().into_bytes())];
        answer(|reply| node.bus().append("s", 100, fields, reply)).unwrap();
    }
    let length: usize = server.cli("XLEN s").parse().unwrap();
    assert!((100..=300).contains(&length), "{length}");
}

#[test]
fn values_are_taken_once() {
    let server = RedisServer::start();
    let (one, two) = (Node::connected(&server.url()), Node::connected(&server.url()));
    one.bus().set("k", b"\0v".to_vec(), 60_000);
    one.flush().unwrap();
    let left: u64 = server.cli("PTTL k").parse().unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
    assert_eq!(two.take("k"), Ok(Some(b"\0v".to_vec())));
    assert_eq!(one.take("k"), Ok(None));
    assert_eq!(server.cli("EXISTS k"), "0");
}

#[test]
fn timers_run_in_the_order_of_their_times() {
    let server = RedisServer::start();
    let node = Node::connected(&server.url());
    for after in [60, 1, 30] {
        let mouth = node.ears.mouth("after");
        node.bus()
            .run_at(after, Box::new(move || mouth.say(after.to_string())));
    }
    assert_eq!(
        [node.ears.hear(), node.ears.hear(), node.ears.hear()],
        ["after 1", "after 30", "after 60"]
    );
}

#[test]
fn what_redis_refuses_is_told_and_nothing_else_suffers() {
    let server = RedisServer::start();
    let node = Node::connected(&server.url());
    server.cli("SET s text");
    let error = node.append("s", "x").unwrap_err();
    assert!(error.0.contains("WRONGTYPE"), "{error}");
    server.cli("ACL SETUSER default resetchannels &allowed");
    let error = answer(|reply| {
        node.bus()
            .subscribe(channel_of("b"), node.ears.mouth("b"), Some(reply));
    });
    let error = error.unwrap_err();
    assert!(error.0.contains("does not permit"), "{error}");
    node.publish("b", "x");
    let told = node.events.hear();
    assert!(
        told.starts_with("redis error: ") && told.contains("does not permit"),
        "{told}"
    );
    node.publish("b", "once");
    node.subscribe("a", channel_of("allowed"));
    node.publish("allowed", "y");
    assert_eq!(node.ears.hear(), "a allowed y");
    assert!(node.events.rest().is_empty(), "told once, and still connected");
}

#[test]
fn a_server_without_sharded_channels_is_named_as_too_old() {
    for renamed in ["HELLO", "SSUBSCRIBE"] {
        let server = RedisServer::with(&["--rename-command", renamed, ""]);
        let node = Node::connected(&server.url());
        let refused = answer(|reply| {
            node.bus()
                .subscribe(sharded("a"), node.ears.mouth("s"), Some(reply));
        });
        let error = refused.unwrap_err();
        assert!(error.0.contains("need Redis 7 or later"), "{renamed}: {error}");
        node.subscribe("c", channel_of("a"));
        node.publish("a", "x");
        assert_eq!(node.ears.hear(), "c a x", "{renamed}");
        assert!(node.redis.is_connected() && node.events.rest().is_empty());
    }
}

#[test]
fn what_was_published_leaves_before_the_bus_ends() {
    let server = RedisServer::start();
    let one = Node::connected(&server.url());
    one.subscribe("c", channel_of("a"));
    // A process that says something and goes: it is not even connected yet.
    let two = Node::new(&server.url());
    for number in 0..1000 {
        two.publish("a", number.to_string());
    }
    let bus: Arc<dyn Bus> = Arc::clone(two.bus());
    drop(two.redis);
    assert_eq!(two.events.hear_of("redis closed"), "redis closed");
    for number in 0..1000 {
        assert_eq!(one.ears.hear(), format!("c a {number}"));
    }
    let error = answer(|reply| bus.subscribers("a", false, reply)).unwrap_err();
    assert!(error.0.contains("closed"), "{error}");
    let ears = Ears::new();
    bus.subscribe(channel_of("a"), ears.mouth("c"), None);
    bus.publish("a", b"late".to_vec(), false);
    bus.run_at(0, Box::new(|| panic!("the bus has ended")));
    assert!(ears.rest().is_empty());
}
