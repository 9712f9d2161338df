//! What both adapters do, in each of their modes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::testing::*;
use crate::adapter::redis::Bus;
use crate::adapter::{BroadcastAcks, BroadcastFlags, BroadcastOptions, SocketDetails};

fn each(test: impl Fn(World)) {
    for kind in KINDS {
        println!("{kind:?}");
        test(World::of_three(kind));
    }
}

fn flags(options: BroadcastOptions, flags: BroadcastFlags) -> BroadcastOptions {
    BroadcastOptions { flags, ..options }
}

#[test]
fn broadcasts_reach_whom_they_are_for_once() {
    each(|world| {
        for node in 0..3 {
            let send = |array: &str, options: BroadcastOptions| {
                world.adapter(node).broadcast(&packet(array), &options);
                world.happened()
            };
            let got = |ids: &[&str], array: &str| -> Vec<String> {
                ids.iter().map(|id| format!("{id} {array}")).collect()
            };
            let all = ["a1", "a2", "b1", "b2", "c1", "c2"];
            assert_eq!(send("[\"e\",1.5]", to(&[], &[])), got(&all, "[\"e\",1.5]"));
            assert_eq!(
                send("[\"e\"]", to(&["first"], &[])),
                got(&["a1", "b1", "c1"], "[\"e\"]")
            );
            assert_eq!(
                send("[\"e\"]", to(&["first", "b2"], &["c1"])),
                got(&["a1", "b1", "b2"], "[\"e\"]")
            );
            assert_eq!(send("[\"e\"]", to(&["b2"], &[])), got(&["b2"], "[\"e\"]"));
            assert_eq!(
                send("[\"e\"]", to(&[], &["first", "b2"])),
                got(&["a2", "c2"], "[\"e\"]")
            );
            assert_eq!(send("[\"e\"]", to(&["nobody"], &[])), got(&[], ""));
            let only_here = BroadcastFlags {
                local: true,
                ..BroadcastFlags::default()
            };
            assert_eq!(send("[\"e\"]", flags(to(&[], &[]), only_here)).len(), 2);
            let volatile = BroadcastFlags {
                volatile: true,
                compress: false,
                ..BroadcastFlags::default()
            };
            assert_eq!(
                send("[\"v\"]", flags(to(&[], &[]), volatile)),
                got(&all, "[\"v\"]")
            );
            let array = "[\"b\",{\"_placeholder\":true,\"num\":0},\"ü\"]";
            world
                .adapter(node)
                .broadcast(&binary(array, b"data"), &to(&["first"], &[]));
            let expected = format!("{array} data");
            assert_eq!(world.happened(), got(&["a1", "b1", "c1"], &expected));
        }
    });
}

#[test]
fn clients_answer_the_node_that_asked() {
    each(|world| {
        world.connect(1, "b3", &["first"]);
        world.server.deliver();
        let gathered = Arc::new(Gathered::default());
        let acks: Arc<dyn BroadcastAcks> = Arc::<Gathered>::clone(&gathered);
        world
            .adapter(0)
            .broadcast_with_ack(&packet("[\"q\"]"), &to(&["first"], &[]), Arc::clone(&acks));
        assert_eq!(
            world.happened(),
            ["a1 [\"q\"]", "b1 [\"q\"]", "b3 [\"q\"]", "c1 [\"q\"]"]
        );
        let mut counts = gathered.counts.lock().clone();
        counts.sort_unstable();
        assert_eq!(counts, [1, 1, 2]);
        let mut answers = std::mem::take(&mut *gathered.answers.lock());
        answers.sort();
        let remote =
            |id: &str| format!("[{{\"from\":\"{id}\",\"b\":{{\"_placeholder\":true,\"num\":0}}}}] ack");
        // Of another node's clients' answers the first value comes.
        assert!(
            answers.contains(&remote("b1")) && answers.contains(&remote("b3")),
            "{answers:?}"
        );
        assert_eq!(answers.len(), 4);
        // Too late.
        world.server.advance(5_000);
        world.crowd(1).is_silent.store(true, Ordering::Relaxed);
        let asked = flags(
            to(&["b1"], &[]),
            BroadcastFlags {
                timeout: Some(10),
                ..BroadcastFlags::default()
            },
        );
        world
            .adapter(0)
            .broadcast_with_ack(&packet("[\"q\"]"), &asked, acks);
        world.server.advance(10);
        world.server.deliver();
        assert_eq!(gathered.answers.lock().len(), 0);
    });
}

#[test]
fn sockets_are_moved_and_disconnected_everywhere() {
    each(|world| {
        world.adapter(0).add_sockets(&to(&["first"], &[]), &["n1", "n2"]);
        world.server.deliver();
        for (node, id) in [(0, "a1"), (1, "b1"), (2, "c1")] {
            assert_eq!(world.adapter(node).socket_rooms(id).len(), 4, "{id}");
        }
        world.adapter(1).broadcast(&packet("[\"e\"]"), &to(&["n2"], &[]));
        assert_eq!(world.happened().len(), 3);
        world
            .adapter(2)
            .del_sockets(&to(&["n1"], &["c1"]), &["n1", "none"]);
        world.server.deliver();
        assert_eq!(world.adapter(0).socket_rooms("a1").len(), 3);
        assert_eq!(world.adapter(2).socket_rooms("c1").len(), 4);
        let here = flags(
            to(&[], &[]),
            BroadcastFlags {
                local: true,
                ..BroadcastFlags::default()
            },
        );
        world.adapter(1).add_sockets(&here, &["here"]);
        world.server.deliver();
        assert!(world.nodes[1].local.has_room("here") && !world.nodes[0].local.has_room("here"));
        world.adapter(1).disconnect_sockets(&to(&["n1"], &[]), true);
        world
            .adapter(1)
            .disconnect_sockets(&to(&["b2", "a2"], &[]), false);
        assert_eq!(
            world.happened(),
            ["a2 goes false", "b2 goes false", "c1 goes true"]
        );
    });
}

fn ids(sockets: &[SocketDetails]) -> Vec<&str> {
    let mut ids: Vec<&str> = sockets.iter().map(|socket| socket.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn sockets_of_all_nodes_are_fetched() {
    each(|world| {
        let (reply, found) = hold();
        world.adapter(1).fetch_sockets(&to(&["first"], &[]), reply);
        world.server.deliver();
        let found = found.lock().take().unwrap().unwrap();
        assert_eq!((ids(&found.value), found.missing), (vec!["a1", "b1", "c1"], 0));
        for socket in &found.value {
            assert_eq!(socket.rooms, [socket.id.as_str(), "first"]);
            assert_eq!(
                (socket.data.as_str(), socket.handshake.as_str()),
                ("{\"n\":[1]}", "{\"address\":\"::1\"}")
            );
        }
        let (reply, found) = hold();
        world.adapter(0).sockets(&[Arc::from("b2")], reply);
        let (reply, rooms) = hold();
        world.adapter(0).all_rooms(reply);
        let (reply, count) = hold();
        world.adapter(0).server_count(reply);
        world.server.deliver();
        assert_eq!(found.lock().take().unwrap().unwrap().value, ["b2"]);
        let rooms = rooms.lock().take().unwrap().unwrap().value;
        assert_eq!(rooms, ["a1", "a2", "b1", "b2", "c1", "c2", "first"]);
        assert_eq!(*count.lock(), Some(Ok(3)));
        let here = flags(
            to(&[], &[]),
            BroadcastFlags {
                local: true,
                ..BroadcastFlags::default()
            },
        );
        let (reply, found) = hold();
        world.adapter(0).fetch_sockets(&here, reply);
        assert_eq!(ids(&found.lock().take().unwrap().unwrap().value), ["a1", "a2"]);
    });
}

#[test]
fn applications_hear_and_answer() {
    each(|world| {
        world
            .adapter(0)
            .server_side_emit(&binary("[\"s\",{\"_placeholder\":true,\"num\":0}]", b"x"), None);
        let heard = "application [\"s\",{\"_placeholder\":true,\"num\":0}] x";
        assert_eq!(world.happened(), [heard, heard]);
        let (reply, answers) = hold();
        world.adapter(0).server_side_emit(&packet("[\"s\"]"), Some(reply));
        assert_eq!(world.happened().len(), 2);
        let answers = answers.lock().take().unwrap().unwrap();
        assert_eq!((answers.value.len(), answers.missing), (2, 0));
        assert_eq!(
            answers.value[0].value,
            "{\"ok\":{\"_placeholder\":true,\"num\":0}}"
        );
        assert_eq!(answers.value[0].attachments[0], "yes");
    });
}

#[test]
fn a_silent_node_is_missing_and_the_others_are_heard() {
    each(|world| {
        world.crowd(1).is_silent.store(true, Ordering::Relaxed);
        let (reply, answers) = hold();
        world.adapter(0).server_side_emit(&packet("[\"s\"]"), Some(reply));
        world.server.deliver();
        assert!(answers.lock().is_none());
        world.server.advance(5_000);
        let answers = answers.lock().take().unwrap().unwrap();
        assert_eq!((answers.value.len(), answers.missing), (1, 1));
        // A node that is cut off after it was counted.
        let quick = flags(
            to(&[], &[]),
            BroadcastFlags {
                timeout: Some(100),
                ..BroadcastFlags::default()
            },
        );
        let (reply, found) = hold();
        world.adapter(0).fetch_sockets(&quick, reply);
        world.nodes[2].bus.cut();
        world.server.deliver();
        world.server.advance(99);
        assert!(found.lock().is_none() || found.lock().as_ref().unwrap().as_ref().unwrap().missing == 0);
        world.server.advance(1);
        let found = found.lock().take().unwrap().unwrap();
        assert_eq!(ids(&found.value), ["a1", "a2", "b1", "b2"]);
        // One that asks and is cut off itself knows its own, and that somebody is missing.
        let (reply, alone) = hold();
        world.adapter(2).fetch_sockets(&to(&[], &[]), reply);
        world.server.deliver();
        let alone = alone.lock().take().unwrap().unwrap();
        assert_eq!(ids(&alone.value), ["c1", "c2"]);
        assert!(alone.missing >= 1);
    });
}

#[test]
fn what_is_cut_off_still_serves_its_own_sockets() {
    each(|world| {
        world.nodes[0].bus.cut();
        world.adapter(0).broadcast(&packet("[\"e\"]"), &to(&[], &[]));
        world.adapter(0).add_sockets(&to(&["a2"], &[]), &["new"]);
        let gathered = Arc::new(Gathered::default());
        world.adapter(0).broadcast_with_ack(
            &packet("[\"q\"]"),
            &to(&["a2"], &[]),
            Arc::<Gathered>::clone(&gathered),
        );
        assert_eq!(world.happened(), ["a1 [\"e\"]", "a2 [\"e\"]", "a2 [\"q\"]"]);
        assert!(world.nodes[0].local.is_in("a2", "new"));
        assert_eq!(
            (gathered.counts.lock().as_slice(), gathered.answers.lock().len()),
            (&[1][..], 1)
        );
        world.nodes[0].bus.restore();
        world.adapter(0).broadcast(&packet("[\"again\"]"), &to(&[], &[]));
        assert_eq!(world.happened().len(), 6);
    });
}

#[test]
fn namespaces_and_closed_adapters_keep_to_themselves() {
    for kind in KINDS {
        let mut world = World::of_three(kind);
        world.add_node("/other");
        world.connect(3, "d1", &["first"]);
        world.server.deliver();
        world
            .adapter(3)
            .broadcast(&packet("[\"e\"]"), &to(&["first"], &[]));
        assert_eq!(world.happened(), ["d1 [\"e\"]"]);
        world
            .adapter(0)
            .broadcast(&packet("[\"e\"]"), &to(&["first"], &[]));
        assert_eq!(world.happened().len(), 3);
        let (reply, answers) = hold();
        world.adapter(1).server_side_emit(&packet("[\"s\"]"), Some(reply));
        world.adapter(1).close();
        world.server.deliver();
        world.take_log(0);
        assert!(world.nodes[1].bus.subscriptions().is_empty(), "{kind:?}");
        world
            .adapter(0)
            .broadcast(&packet("[\"e\"]"), &to(&["first"], &[]));
        world.nodes[1].adapter.add_all("b2", &["first"]);
        assert_eq!(
            world
                .happened()
                .iter()
                .filter(|line| line.starts_with('b'))
                .count(),
            0
        );
        assert!(world.nodes[1].bus.subscriptions().is_empty(), "{kind:?}");
        drop(answers);
    }
}

#[test]
fn what_is_no_message_is_left_out() {
    each(|world| {
        let own_uid = "0123456789abcdef";
        let junk = [
            String::new(),
            "{}".into(),
            "{\"type\":3}".into(),
            "\u{81}".into(),
            "[1]".into(),
            format!("{{\"type\":99,\"data\":{{}},\"uid\":\"{own_uid}\",\"nsp\":\"/\"}}"),
            format!(
                "{{\"type\":3,\"data\":{{\"packet\":{{\"type\":2,\"data\":[]}}}},\"uid\":\"{own_uid}\",\"nsp\":\"/\"}}"
            ),
            format!(
                "{{\"type\":3,\"data\":{{\"packet\":{{\"type\":0,\"data\":[\"e\"]}}}},\"uid\":\"{own_uid}\",\"nsp\":\"/\"}}"
            ),
            format!(
                "{{\"type\":3,\"data\":{{\"packet\":{{\"type\":2,\"data\":[\"e\",{{\"_placeholder\":true,\"num\":7}}]}}}},\"uid\":\"{own_uid}\",\"nsp\":\"/\"}}"
            ),
            format!(
                "{{\"type\":3,\"data\":{{\"packet\":{{\"type\":2,\"data\":[\"e\"]}}}},\"uid\":\"{own_uid}\",\"nsp\":\"/x\"}}"
            ),
            format!(
                "{{\"type\":8,\"data\":{{\"requestId\":\"none\",\"sockets\":[{{}}]}},\"uid\":\"{own_uid}\",\"nsp\":\"/\"}}"
            ),
            format!(
                "{{\"type\":11,\"data\":{{\"requestId\":\"none\",\"clientCount\":-1}},\"uid\":\"{own_uid}\",\"nsp\":\"/\"}}"
            ),
        ];
        for text in &junk {
            for sharded in [true, false] {
                world.nodes[0]
                    .bus
                    .publish("socket.io#/#", text.clone().into_bytes(), sharded);
            }
            let fields = vec![
                ("uid", own_uid.into()),
                ("nsp", b"/".to_vec()),
                ("type", b"3".to_vec()),
                ("data", text.clone().into_bytes()),
            ];
            world.nodes[0]
                .bus
                .append("socket.io", 10, fields, Box::new(|_| {}));
        }
        world.nodes[0]
            .bus
            .append("socket.io", 10, vec![("x", vec![0xff])], Box::new(|_| {}));
        assert!(world.happened().is_empty());
        world.adapter(0).broadcast(&packet("[\"e\"]"), &to(&[], &[]));
        assert_eq!(world.happened().len(), 6);
    });
}
