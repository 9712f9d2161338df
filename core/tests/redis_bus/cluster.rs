//! A Redis Cluster.

use std::time::{Duration, Instant};

use crate::redis::RedisCluster;
use crate::scene::{Node, PATIENCE, answer, channel_of, pattern, sharded};

#[test]
fn a_cluster_is_one_for_its_nodes() {
    let mut cluster = RedisCluster::start();
    let nodes: Vec<Node> = (0..3).map(|node| Node::connected(&cluster.url(node))).collect();
    let (one, two) = (&nodes[0], &nodes[1]);
    channels_reach_all(&nodes);
    sharded_channels_are_where_their_slots_are(one, two);
    streams_and_values_are_where_their_keys_are(one, two);
    a_master_that_restarts_is_found_again(&mut cluster, one, two);
}

fn channels_reach_all(nodes: &[Node]) {
    for node in nodes {
        node.subscribe("c", channel_of("a"));
        node.subscribe("p", pattern("b*"));
    }
    // Each is connected to another master, which knows of its own subscribers only.
    for node in nodes {
        assert_eq!(node.subscribers("a", false), 3);
    }
    let deliver = |channel: &str, is_sharded| {
        let payload = b"x".to_vec();
        answer(|reply| nodes[0].bus().deliver(channel, payload, is_sharded, reply)).unwrap()
    };
    for channel in channels() {
        assert_eq!((deliver(&channel, false), deliver(&channel, true)), (0, 0));
    }
    // Somebody who is connected to another master.
    nodes[1].subscribe("d", channel_of("d"));
    nodes[2].subscribe("d", sharded("d"));
    assert!(deliver("d", false) > 0);
    assert_eq!(deliver("d", true), 1);
    assert_eq!(nodes[1].ears.hear(), "d d x");
    assert_eq!(nodes[2].ears.hear(), "d d x");
    for number in 0..1000 {
        nodes[2].publish("a", number.to_string());
        nodes[2].publish("b", number.to_string());
    }
    for node in nodes {
        let mut heard = Vec::new();
        let mut patterns = Vec::new();
        for _ in 0..2000 {
            let text = node.ears.hear();
            match text.strip_prefix("c a ") {
                Some(number) => heard.push(number.to_owned()),
                None => patterns.push(text.strip_prefix("p b ").unwrap().to_owned()),
            }
        }
        let expected: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        assert!(heard == expected && patterns == expected, "all, in their order");
    }
}

/// Channels of all masters.
fn channels() -> Vec<String> {
    (0..30).map(|number| format!("room{number}")).collect()
}

fn sharded_channels_are_where_their_slots_are(one: &Node, two: &Node) {
    for channel in channels() {
        one.subscribe("s", sharded(&channel));
        assert_eq!(two.subscribers(&channel, true), 1);
        two.spublish(&channel, "x");
        assert_eq!(one.ears.hear(), format!("s {channel} x"));
    }
    two.subscribe("s", sharded("room0"));
    assert_eq!(one.subscribers("room0", true), 2);
    for number in 0..1000 {
        one.spublish("room0", number.to_string());
    }
    for node in [one, two] {
        for number in 0..1000 {
            assert_eq!(node.ears.hear(), format!("s room0 {number}"));
        }
    }
    one.bus().unsubscribe(&sharded("room0"));
    while two.subscribers("room0", true) != 1 {}
    one.spublish("room0", "y");
    assert_eq!(two.ears.hear(), "s room0 y");
    one.subscribe("s", sharded("room0"));
}

fn streams_and_values_are_where_their_keys_are(one: &Node, two: &Node) {
    for number in 0..6 {
        let name = format!("stream{number}");
        one.bus().follow(&name, one.ears.mouth("f"));
        assert_eq!(one.ears.hear(), "f from 0-0");
        one.append(&name, &name).unwrap();
        assert_eq!(one.ears.hear(), format!("f text={name}"));
        for number in 0..300 {
            let fields = vec![("text", number.to_string().into_bytes())];
            one.bus().append(&name, 1000, fields, Box::new(drop));
        }
        one.flush().unwrap();
        for number in 0..300 {
            assert_eq!(one.ears.hear(), format!("f text={number}"));
        }
        let entries = answer(|reply| two.bus().range(&name, "-", "+", 10, reply)).unwrap();
        assert_eq!(entries[0].1, [(b"text".to_vec(), name.into_bytes())]);
        let key = format!("key{number}");
        one.bus().set(&key, key.clone().into_bytes(), 60_000);
        one.flush().unwrap();
        assert_eq!(two.take(&key), Ok(Some(key.into_bytes())));
    }
}

fn a_master_that_restarts_is_found_again(cluster: &mut RedisCluster, one: &Node, two: &Node) {
    cluster.nodes[2].kill();
    for node in [one, two] {
        let told = node.events.hear();
        assert!(told.starts_with("redis disconnected: "), "{told}");
    }
    cluster.nodes[2].restart();
    for node in [one, two] {
        assert_eq!(node.events.hear_of("redis connected"), "redis connected");
    }
    one.ears.rest();
    for channel in channels() {
        hears_again(one, two, &channel);
    }
}

/// While the masters still find out about each other, one may refuse what is published, and a connection may be made anew.
fn hears_again(one: &Node, two: &Node, channel: &str) {
    let expected = format!("s {channel} again");
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        two.spublish(channel, "again");
        while let Some(heard) = one.ears.hear_within(Duration::from_millis(200)) {
            if heard == expected {
                return;
            }
        }
    }
    panic!("{channel} is not heard any more");
}
