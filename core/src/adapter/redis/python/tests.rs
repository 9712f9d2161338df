//! Several nodes on one server in memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::cluster::testing::{Crowd, Gathered, binary, hold, packet, to};
use super::super::memory::{MemoryBus, MemoryServer};
use super::super::{Bus, Redis, RedisMode, RedisOptions};
use super::*;
use crate::adapter::{Adapter, Answered, BroadcastAcks, LocalAdapter};

struct Node {
    bus: Arc<MemoryBus>,
    hub: Arc<Hub>,
    local: Arc<LocalAdapter<Arc<Crowd>>>,
    adapter: PythonAdapter<Arc<Crowd>>,
}

impl Node {
    fn new(server: &MemoryServer, ids: &[&str]) -> Node {
        let bus = server.node();
        let hub = Hub::new(
            Arc::<MemoryBus>::clone(&bus) as Arc<dyn Bus>,
            PythonOptions::default(),
        );
        let local = Arc::new(LocalAdapter::new(Arc::new(Crowd::default()), None));
        local.host().is_plain.store(true, Ordering::Relaxed);
        for id in ids {
            local
                .host()
                .sockets
                .lock()
                .insert(Arc::from(*id), Default::default());
        }
        let adapter = PythonAdapter::new("/", Arc::clone(&local), Arc::clone(&hub));
        Node {
            bus,
            hub,
            local,
            adapter,
        }
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.local.host().log.lock())
    }

    fn rooms(&self, id: &str) -> Vec<String> {
        let rooms = self.adapter.socket_rooms(id);
        rooms.iter().map(|room| room.to_string()).collect()
    }
}

/// Two nodes, with the sockets a1 and a2, b1 and b2; a1 and b1 are in the room.
fn two() -> (MemoryServer, Node, Node) {
    let server = MemoryServer::new();
    let [a, b] = [["a1", "a2"], ["b1", "b2"]].map(|ids| Node::new(&server, &ids));
    a.adapter.add_all("a1", &["room"]);
    b.adapter.add_all("b1", &["room"]);
    server.deliver();
    (server, a, b)
}

/// What was published since, as text.
fn published(server: &MemoryServer, since: usize) -> Vec<String> {
    let published = server.published().into_iter().skip(since);
    published
        .map(|(channel, message, sharded)| {
            assert!(channel == "socketio" && !sharded);
            String::from_utf8(message).unwrap()
        })
        .collect()
}

/// As a server of python-socketio says it.
fn say(server: &MemoryServer, text: &str) {
    server.node().publish("socketio", text.into(), false);
    server.deliver();
}

#[test]
fn broadcasts_reach_both_nodes_once() {
    let (server, a, b) = two();
    a.adapter
        .broadcast(&packet(r#"["all"]"#), &to(&[], &["a2", "b2"]));
    assert_eq!(a.log(), [r#"a1 ["all"]"#], "at once");
    assert_eq!(b.log(), [""; 0]);
    server.deliver();
    assert_eq!(a.log(), [""; 0], "not again");
    assert_eq!(b.log(), [r#"b1 ["all"]"#]);
    let bin = binary(r#"["bin",{"_placeholder":true,"num":0}]"#, b"x");
    b.adapter.broadcast(&bin, &to(&["room"], &[]));
    b.adapter
        .broadcast(&packet(r#"["two",1]"#), &to(&["a2", "room", "a2"], &[]));
    server.deliver();
    let bin = r#"["bin",{"_placeholder":true,"num":0}] x"#;
    assert_eq!(
        a.log(),
        [&*format!("a1 {bin}"), r#"a2 ["two",1]"#, r#"a1 ["two",1]"#]
    );
    assert_eq!(b.log(), [&*format!("b1 {bin}"), r#"b1 ["two",1]"#]);
    let rest = format!(r#""callback": null, "host_id": "{}"}}"#, b.hub.host_id());
    assert_eq!(
        published(&server, 1),
        [
            format!(
                r#"{{"method": "emit", "event": "bin", "data": [[{{"_placeholder":true,"num":0}}], "eA=="], "binary": true, "namespace": "/", "room": "room", "skip_sid": null, {rest}"#
            ),
            format!(
                r#"{{"method": "emit", "event": "two", "data": [1], "binary": false, "namespace": "/", "room": ["a2", "room"], "skip_sid": null, {rest}"#
            ),
        ]
    );
}

#[test]
fn other_emitters_may_say_less() {
    let (server, a, _b) = two();
    for text in [
        r#"{"method":"emit","event":"e","data":{"a":1}}"#,
        r#"{"method":"emit","event":"e","data":null,"room":["a1",7],"skip_sid":[null]}"#,
        r#"{"method":"emit","event":7,"data":[],"room":"a2","callback":[1,2]}"#,
        r#"{"method":"emit","event":"e","data":[[],"t"],"binary":true,"room":"a1"}"#,
    ] {
        say(&server, text);
    }
    // The last one has a letter that is no Base64.
    assert_eq!(
        a.log(),
        [
            r#"a1 ["e",{"a":1}]"#,
            r#"a2 ["e",{"a":1}]"#,
            r#"a1 ["e"]"#,
            "a2 [7]"
        ]
    );
    for wrong in [
        r#"{"method":"emit","event":"e"}"#,
        r#"{"method":"emit","data":[]}"#,
        r#"{"method":"emit","event":["e"],"data":[]}"#,
        r#"{"method":"emit","event":"e","data":[],"room":[]}"#,
        r#"{"method":"emit","event":"e","data":[],"room":true}"#,
        r#"{"method":"emit","event":"e","data":[],"namespace":"/other"}"#,
        r#"{"method":"emit","event":"e","data":[{"_placeholder":true,"num":0}]}"#,
        r#"{"method":"emit","event":"e","data":[[{"_placeholder":true,"num":1}],"AA=="],"binary":true}"#,
        r#"{"method":"enter_room","sid":"a1"}"#,
        r#"{"method":"close_room","room":null}"#,
        r#"{"method":"another"}"#,
        r#"{"event":"e"}"#,
        "[]",
        "{",
        "",
        "\u{1}",
    ] {
        say(&server, wrong);
    }
    say(
        &server,
        &format!(
            r#"{{"method":"emit","event":"e","data":[],"host_id":"{}"}}"#,
            a.hub.host_id()
        ),
    );
    assert_eq!(a.log(), [""; 0]);
    assert_eq!(server.take_reports(), []);
}

#[test]
fn what_is_pickled_is_told_of_and_not_read() {
    let (server, a, _b) = two();
    // pickle.dumps({"method": "close_room", "room": "room", "namespace": "/"})
    let pickled = b"\x80\x04\x959\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x06method\x94\x8c\nclose_room\x94\x8c\x04room\x94\x8c\x04room\x94\x8c\tnamespace\x94\x8c\x01/\x94u.";
    server.node().publish("socketio", pickled.to_vec(), false);
    server.deliver();
    let reports = server.take_reports();
    assert!(reports[0].0.contains("5.14 or newer"), "{reports:?}");
    assert_eq!(a.rooms("a1"), ["a1", "room"]);
}

#[test]
fn orders_are_for_clients_wherever_they_are() {
    let (server, a, b) = two();
    a.adapter.add_sockets(&to(&["b2", "a2"], &[]), &["r1", "r2"]);
    server.deliver();
    assert_eq!(a.rooms("a2"), ["a2", "r1", "r2"]);
    assert_eq!(b.rooms("b2"), ["b2", "r1", "r2"]);
    b.adapter.del_sockets(&to(&["a2"], &[]), &["r1"]);
    server.deliver();
    assert_eq!(a.rooms("a2"), ["a2", "r2"]);
    assert_eq!(b.rooms("b2"), ["b2", "r1", "r2"]);
    a.adapter.del_sockets(&to(&["r2"], &[]), &["r2", "r1"]);
    server.deliver();
    assert_eq!(
        (a.rooms("a2"), b.rooms("b2")),
        (vec!["a2".to_owned()], vec!["b2".to_owned()])
    );
    b.adapter.disconnect_sockets(&to(&["a1"], &[]), true);
    server.deliver();
    assert_eq!(a.log(), ["a1 goes false"]);
    let own = format!(r#""namespace": "/", "host_id": "{}"}}"#, b.hub.host_id());
    let all = published(&server, 0);
    assert_eq!(
        all[4],
        format!(r#"{{"method": "leave_room", "sid": "a2", "room": "r1", {own}"#)
    );
    assert_eq!(all[7], format!(r#"{{"method": "disconnect", "sid": "a1", {own}"#));
    let own = format!(r#""namespace": "/", "host_id": "{}"}}"#, a.hub.host_id());
    assert_eq!(
        all[0],
        format!(r#"{{"method": "enter_room", "sid": "b2", "room": "r1", {own}"#)
    );
    assert_eq!(
        all[6],
        format!(r#"{{"method": "close_room", "room": "r2", {own}"#)
    );
    assert_eq!(all.len(), 8);
}

#[test]
fn what_can_not_be_said_is_told() {
    let (server, a, b) = two();
    a.adapter.add_sockets(&to(&[], &[]), &["r"]);
    a.adapter.disconnect_sockets(&to(&["room"], &["b1"]), false);
    a.adapter.server_side_emit(&packet(r#"["x"]"#), None);
    server.deliver();
    assert_eq!(server.published().len(), 0);
    let reports: Vec<String> = server.take_reports().into_iter().map(|error| error.0).collect();
    assert!(
        reports[0].contains("orders")
            && reports[1].contains("orders")
            && reports[2].contains("events from server")
    );
    assert_eq!(reports.len(), 3);
    assert_eq!((a.log(), b.log()), (vec!["a1 goes false".to_owned()], vec![]));
    assert_eq!(a.rooms("a2"), ["a2", "r"]);
    let (done, answers) = hold();
    a.adapter.server_side_emit(&packet(r#"["x"]"#), Some(done));
    server.deliver();
    let error = answers.lock().take().unwrap().unwrap_err();
    assert_eq!(error, no_events_of_servers());
}

#[test]
fn other_nodes_are_missing_in_answers() {
    let (server, a, b) = two();
    let (ids, rooms, sockets, count) = (hold(), hold(), hold(), hold());
    a.adapter.sockets(&[Arc::from("room")], ids.0);
    a.adapter.all_rooms(rooms.0);
    a.adapter.fetch_sockets(&to(&["room", "b1"], &[]), sockets.0);
    a.adapter.server_count(count.0);
    server.deliver();
    let known = |value: &[&str]| Answered {
        value: value.iter().map(|id| (*id).to_owned()).collect(),
        missing: 1,
    };
    assert_eq!(ids.1.lock().take().unwrap(), Ok(known(&["a1"])));
    assert_eq!(rooms.1.lock().take().unwrap(), Ok(known(&["a1", "a2", "room"])));
    let found = sockets.1.lock().take().unwrap().unwrap();
    assert_eq!((found.value.len(), found.missing), (1, 1));
    assert_eq!(count.1.lock().take().unwrap(), Ok(2));
    a.bus.cut();
    let (ids, found) = hold();
    a.adapter.sockets(&[Arc::from("room")], ids);
    server.deliver();
    assert_eq!(found.lock().take().unwrap(), Ok(known(&["a1"])));
    a.bus.restore();
    b.adapter.close();
    let (answers, local, rooms) = (hold(), hold(), hold());
    a.adapter.server_side_emit(&packet(r#"["x"]"#), Some(answers.0));
    a.adapter.all_rooms(rooms.0);
    b.adapter.fetch_sockets(&to(&[], &[]), local.0);
    server.deliver();
    assert_eq!(answers.1.lock().take().unwrap(), Ok(Answered::whole(Vec::new())));
    assert_eq!(rooms.1.lock().take().unwrap().unwrap().missing, 0);
    assert_eq!(local.1.lock().take().unwrap().unwrap().missing, 0);
}

fn ask(node: &Node, rooms: &[&str]) -> Arc<Gathered> {
    let gathered = Arc::new(Gathered::default());
    let acks: Arc<dyn BroadcastAcks> = Arc::<Gathered>::clone(&gathered);
    node.adapter
        .broadcast_with_ack(&packet(r#"["q",1]"#), &to(rooms, &[]), acks);
    gathered
}

#[test]
fn the_first_client_elsewhere_answers() {
    let (server, a, b) = two();
    let gathered = ask(&a, &["b1"]);
    server.deliver();
    assert_eq!(*gathered.answers.lock(), [r#"["b1",2]"#]);
    assert_eq!(*gathered.counts.lock(), [0, 1]);
    let texts = published(&server, 0);
    assert_eq!(
        texts,
        [
            format!(
                r#"{{"method": "emit", "event": "q", "data": [1], "binary": false, "namespace": "/", "room": "b1", "skip_sid": null, "callback": ["b1", "/", 1], "host_id": "{}"}}"#,
                a.hub.host_id()
            ),
            format!(
                r#"{{"method": "callback", "host_id": "{}", "sid": "b1", "namespace": "/", "id": 1, "args": ["b1",2]}}"#,
                a.hub.host_id()
            ),
        ]
    );
    let gathered = ask(&b, &[]);
    server.deliver();
    assert_eq!(
        *gathered.answers.lock(),
        [r#"["b1",2]"#, r#"["b2",2]"#, r#"["a1",2]"#]
    );
    assert_eq!(*gathered.counts.lock(), [2, 1]);
    let count = |node: &Node| {
        let (done, count) = hold();
        node.adapter.answering_nodes(done);
        server.deliver();
        count.lock().take().unwrap()
    };
    let _third = Node::new(&server, &[]);
    assert_eq!(count(&a), Ok(2), "all others are as one");
    a.adapter.close();
    assert_eq!(count(&a), Ok(1));
}

#[test]
fn late_and_foreign_answers_are_nobodys() {
    let (server, a, b) = two();
    b.local.host().is_silent.store(true, Ordering::Relaxed);
    let (late, other) = (ask(&a, &["b1"]), ask(&a, &["b2"]));
    let answer = |host_id: &str, id: &str| {
        say(
            &server,
            &format!(
                r#"{{"method":"callback","host_id":"{host_id}","sid":"b1","namespace":"/","id":{id},"args":[1]}}"#
            ),
        );
    };
    answer("another", "1");
    answer(a.hub.host_id(), "3");
    answer(a.hub.host_id(), "\"1\"");
    answer(a.hub.host_id(), "null");
    answer(a.hub.host_id(), "2");
    answer(a.hub.host_id(), "2");
    server.advance(5_000);
    answer(a.hub.host_id(), "1");
    assert_eq!(*late.answers.lock(), [""; 0]);
    assert_eq!(*other.answers.lock(), ["[1]"]);
    assert_eq!(*late.counts.lock(), [0]);
}

#[test]
fn answers_with_binary_data_are_told_of() {
    let (server, a, b) = two();
    b.local.host().is_plain.store(false, Ordering::Relaxed);
    let gathered = ask(&a, &["b1"]);
    server.deliver();
    assert_eq!(*gathered.answers.lock(), [""; 0]);
    let reports = server.take_reports();
    assert!(
        reports.len() == 1 && reports[0].0.contains("binary"),
        "{reports:?}"
    );
}

#[test]
fn answers_go_back_as_they_were_asked_for() {
    let (server, a, _b) = two();
    say(
        &server,
        r#"{"method":"emit","event":"q","data":[],"namespace":"/","room":"a2","callback":[["a", "b"],"/",{"n":1}],"host_id":"them"}"#,
    );
    assert_eq!(a.log(), [r#"a2 ["q"]"#]);
    let expected = r#"{"method": "callback", "host_id": "them", "sid": ["a", "b"], "namespace": "/", "id": {"n":1}, "args": ["a2",2]}"#;
    assert_eq!(published(&server, 1), [expected]);
}

#[test]
fn the_channel_is_heard_as_long_as_there_is_a_namespace() {
    let server = MemoryServer::new();
    let one = Node::new(&server, &["a1"]);
    let other = PythonAdapter::new("/other", Arc::clone(&one.local), Arc::clone(&one.hub));
    assert_eq!(server.subscribers("socketio", false), 1);
    say(
        &server,
        r#"{"method":"emit","event":"e","data":[],"namespace":"/other"}"#,
    );
    assert_eq!(one.log(), [r#"a1 ["e"]"#]);
    other.close();
    say(
        &server,
        r#"{"method":"emit","event":"e","data":[],"namespace":"/other"}"#,
    );
    assert_eq!(one.log(), [""; 0]);
    assert_eq!(server.subscribers("socketio", false), 1);
    let Node { adapter, .. } = one;
    drop(adapter);
    assert_eq!(server.subscribers("socketio", false), 0);
    drop(other);
    assert_eq!(server.subscribers("socketio", false), 0);
}

#[test]
fn a_program_without_a_server_says_what_a_manager_says() {
    let (server, a, _b) = two();
    let options = RedisOptions {
        mode: RedisMode::PythonSocketio,
        ..RedisOptions::default()
    };
    let emitter = Redis::over(server.node(), options).emitter();
    emitter
        .to("room")
        .to("a2")
        .except("a1")
        .emit("e", "1", &[b""])
        .unwrap();
    emitter.of("chat").emit("none", "", &[]).unwrap();
    emitter.to("a2").sockets_join(&["r"]);
    server.deliver();
    assert_eq!(a.rooms("a2"), ["a2", "r"]);
    emitter.to("r").sockets_leave(&["r"]);
    emitter.to("a2").disconnect_sockets(true);
    server.deliver();
    assert_eq!(a.log(), [r#"a2 ["e",1] "#, "a2 goes false"]);
    assert_eq!(a.rooms("a2"), ["a2"]);
    let texts = published(&server, 0);
    let host_id = texts[0].rsplit_once(": ").unwrap().1;
    assert_eq!(host_id.len(), 35);
    assert!(texts.iter().all(|text| text.ends_with(host_id)), "{texts:?}");
    assert_eq!(server.take_reports(), []);
    emitter.all().disconnect_sockets(false);
    assert_eq!(server.take_reports().len(), 1);
    let error = emitter.server_side_emit("x", "", &[]).unwrap_err();
    assert_eq!(error.code(), crate::ErrorCode::Unsupported);
    assert!(emitter.emit("connect", "", &[]).is_err() && emitter.emit("a", "{", &[]).is_err());
}
