//! Several nodes on one server in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::super::super::*;
use super::super::memory::{MemoryBus, MemoryServer};
use super::super::{Bus, Listener, Subscription};
use super::*;
use crate::ws::Millis;

/// A node's sockets, which are their ids, and all that they and their application have heard.
#[derive(Default)]
struct People {
    sockets: Mutex<BTreeMap<Arc<str>, ()>>,
    log: Mutex<Vec<String>>,
    /// What the sockets answer, if they answer.
    ack: Option<&'static str>,
    /// What the application answers, if it answers.
    answer: Option<&'static str>,
    owed: Mutex<Vec<Arc<dyn BroadcastAcks>>>,
}

impl Directory<Arc<str>> for Arc<People> {
    fn find(&self, id: &str) -> Option<Arc<str>> {
        let sockets = self.sockets.lock();
        sockets.get_key_value(id).map(|(id, ())| Arc::clone(id))
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Arc<str>)) {
        self.sockets.lock().keys().for_each(visit);
    }
}

impl Host for Arc<People> {
    type Member = Arc<str>;

    fn id<'a>(&self, member: &'a Arc<str>) -> &'a str {
        member
    }

    fn send(
        &self,
        packet: &BroadcastPacket,
        _: Option<u128>,
        recipients: &Recipients<'_, Self>,
        acks: Option<&Arc<dyn BroadcastAcks>>,
    ) -> usize {
        let flags = recipients.options().flags;
        let how = match (flags.volatile, flags.compress) {
            (false, true) => "",
            (true, true) => " volatile",
            (false, false) => " plain",
            (true, false) => " volatile plain",
        };
        let mut count = 0;
        recipients.for_each(|id| {
            count += 1;
            let line = format!("{id} {}{how} {:?}", packet.array, packet.attachments);
            self.log.lock().push(line.replace(" []", ""));
            match (acks, self.ack) {
                (Some(acks), Some(ack)) => acks.on_ack(ack, &[Bytes::from_static(b"!")]),
                (Some(acks), None) => self.owed.lock().push(Arc::clone(acks)),
                (None, _) => {}
            }
        });
        count
    }

    fn details(&self, member: &Arc<str>) -> SocketDetails {
        SocketDetails {
            id: member.to_string(),
            handshake: r#"{"url":"/"}"#.into(),
            rooms: Vec::new(),
            data: r#"{"of":"it"}"#.into(),
        }
    }

    fn disconnect(&self, member: &Arc<str>, close: bool) {
        self.log.lock().push(format!("{member} disconnects {close}"));
    }

    fn on_server_side_emit(&self, packet: BroadcastPacket, reply: Option<Reply<Answer>>) {
        let how = if reply.is_some() { "asks" } else { "says" };
        self.log.lock().push(format!("server {how} {}", packet.array));
        if let (Some(reply), Some(answer)) = (reply, self.answer) {
            reply(Answer {
                value: answer.to_owned(),
                attachments: vec![Bytes::from_static(b"!")],
            });
        }
    }

    fn now(&self) -> Millis {
        1
    }
}

struct Node {
    bus: Arc<MemoryBus>,
    people: Arc<People>,
    adapter: ClassicAdapter<Arc<People>>,
}

impl Node {
    fn new(server: &MemoryServer, ids: &[&str], people: People, options: ClassicOptions) -> Node {
        let bus = server.node();
        let people = Arc::new(people);
        people
            .sockets
            .lock()
            .extend(ids.iter().map(|id| (Arc::from(*id), ())));
        let local = Arc::new(LocalAdapter::new(Arc::clone(&people), None));
        let node: Arc<dyn Bus> = Arc::<MemoryBus>::clone(&bus);
        let adapter = ClassicAdapter::new("/", local, node, options);
        Node { bus, people, adapter }
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.people.log.lock())
    }
}

/// Two nodes, with the sockets a1 and a2, b1 and b2; a1 and b1 are in the room.
fn two() -> (MemoryServer, Node, Node) {
    let server = MemoryServer::new();
    let [a, b] = [["a1", "a2"], ["b1", "b2"]]
        .map(|ids| Node::new(&server, &ids, People::default(), ClassicOptions::default()));
    a.adapter.add_all("a1", &["room"]);
    b.adapter.add_all("b1", &["room"]);
    (server, a, b)
}

fn packet(array: &str) -> BroadcastPacket {
    BroadcastPacket {
        array: array.into(),
        attachments: Arc::default(),
    }
}

fn to(rooms: &[&str], except: &[&str]) -> BroadcastOptions {
    let shared = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    BroadcastOptions {
        rooms: shared(rooms),
        except: shared(except),
        ..BroadcastOptions::default()
    }
}

fn local(mut options: BroadcastOptions) -> BroadcastOptions {
    options.flags.local = true;
    options
}

/// A reply, and where it will be.
fn reply<T: Send + 'static>() -> (Reply<T>, impl Fn() -> Option<T>) {
    let place = Arc::new(Mutex::new(None));
    let put = Arc::clone(&place);
    (Box::new(move |value| *put.lock() = Some(value)), move || {
        place.lock().take()
    })
}

/// What was published last, as text.
fn last(server: &MemoryServer) -> (String, String) {
    let (channel, message, _) = server.published().pop().unwrap();
    (channel, String::from_utf8_lossy(&message).into_owned())
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
    assert_eq!(last(&server).0, "socket.io#/#");

    let mut options = to(&["room"], &[]);
    options.flags = BroadcastFlags {
        volatile: true,
        compress: false,
        ..BroadcastFlags::default()
    };
    let with_data = BroadcastPacket {
        attachments: [Bytes::from_static(b"x")].into(),
        ..packet(r#"["bin",{"_placeholder":true,"num":0}]"#)
    };
    b.adapter.broadcast(&with_data, &options);
    server.deliver();
    let expected = r#"["bin",{"_placeholder":true,"num":0}] volatile plain [b"x"]"#;
    assert_eq!(a.log(), [format!("a1 {expected}")]);
    assert_eq!(b.log(), [format!("b1 {expected}")]);
    assert_eq!(last(&server).0, "socket.io#/#room#");

    a.adapter.broadcast(&packet(r#"["one"]"#), &to(&["b2"], &[]));
    a.adapter
        .broadcast(&packet(r#"["two"]"#), &to(&["b2", "room"], &[]));
    server.deliver();
    assert_eq!(b.log(), [r#"b2 ["one"]"#, r#"b2 ["two"]"#, r#"b1 ["two"]"#]);
    assert_eq!(a.log(), [r#"a1 ["two"]"#]);
}

/// The official adapter can recover nobody.
#[test]
fn what_is_for_the_room_of_a_lost_client_is_kept_for_it() {
    let (server, a, _) = two();
    let people = Arc::new(People::default());
    people.sockets.lock().insert("c1".into(), ());
    let recovery = Recovery::new(RecoveryLimits::default(), "o.");
    let local = Arc::new(LocalAdapter::new(Arc::clone(&people), Some(recovery)));
    let adapter = ClassicAdapter::new("/", local, server.node(), ClassicOptions::default());
    adapter.add_all("c1", &["lonely"]);
    adapter.persist_session(Session {
        sid: "c1".into(),
        pid: "p".into(),
        rooms: vec!["c1".into(), "lonely".into()],
        data: "{}".into(),
        progress: adapter.progress(),
    });
    adapter.del_all("c1");
    people.sockets.lock().clear();
    for room in ["lonely", "others", "c1"] {
        let array = format!("[\"to {room}\"]");
        a.adapter.broadcast(&packet(&array), &to(&[room], &[]));
    }
    server.deliver();
    let (reply, restored) = reply();
    adapter.restore_session("p", None, reply);
    let missed = restored().unwrap().unwrap().missed;
    let missed: Vec<&str> = missed.iter().map(|packet| &*packet.array).collect();
    assert_eq!(missed, [r#"["to lonely","o.1"]"#, r#"["to c1","o.2"]"#]);
    // Nobody is awaited any more.
    a.adapter.broadcast(&packet("[\"e\"]"), &to(&["lonely"], &[]));
    server.deliver();
    assert_eq!(adapter.progress().since, 3);
}

#[test]
fn what_is_local_is_told_nobody() {
    let (server, a, b) = two();
    let before = server.published().len();
    let everybody = local(to(&[], &[]));
    a.adapter.broadcast(&packet(r#"["here"]"#), &everybody);
    a.adapter.add_sockets(&everybody, &["r"]);
    a.adapter.del_sockets(&everybody, &["r"]);
    a.adapter.disconnect_sockets(&everybody, false);
    let (done, found) = reply();
    a.adapter.fetch_sockets(&everybody, done);
    assert_eq!(found().unwrap().unwrap().value.len(), 2);
    server.deliver();
    assert_eq!(server.published().len(), before);
    assert_eq!(a.log().len(), 4);
    assert_eq!(b.log(), [""; 0]);
}

#[test]
fn orders_are_carried_out_everywhere_exactly_once() {
    let (server, a, b) = two();
    let rooms = |node: &Node, id: &str| {
        let rooms = node.adapter.socket_rooms(id);
        rooms.iter().map(|room| room.to_string()).collect::<Vec<_>>()
    };
    a.adapter.add_sockets(&to(&["room"], &[]), &["r1", "r2"]);
    assert_eq!(rooms(&a, "a1"), ["a1", "room", "r1", "r2"], "at once");
    a.adapter.del("a1", "r1");
    server.deliver();
    assert_eq!(rooms(&a, "a1"), ["a1", "room", "r2"], "not again");
    assert_eq!(rooms(&b, "b1"), ["b1", "room", "r1", "r2"]);
    assert_eq!(rooms(&b, "b2"), ["b2"]);
    b.adapter.del_sockets(&to(&["r2"], &["b1"]), &["r2", "room"]);
    server.deliver();
    assert_eq!(rooms(&a, "a1"), ["a1"]);
    assert_eq!(rooms(&b, "b1"), ["b1", "room", "r1", "r2"]);
    b.adapter.disconnect_sockets(&to(&[], &["a2"]), true);
    server.deliver();
    assert_eq!(a.log(), ["a1 disconnects true"]);
    assert_eq!(b.log(), ["b1 disconnects true", "b2 disconnects true"]);
}

#[test]
fn questions_are_answered_by_all() {
    let (server, a, b) = two();
    let (ids, rooms, sockets, count) = (reply(), reply(), reply(), reply());
    a.adapter.sockets(&[Arc::from("room"), Arc::from("b2")], ids.0);
    a.adapter.all_rooms(rooms.0);
    b.adapter.fetch_sockets(&to(&["room", "b2"], &["b1"]), sockets.0);
    b.adapter.server_count(count.0);
    server.deliver();
    let whole = |value: &[&str]| Answered::whole(value.iter().map(|id| (*id).to_owned()).collect());
    assert_eq!(ids.1().unwrap(), Ok(whole(&["a1", "b1", "b2"])));
    assert_eq!(rooms.1().unwrap(), Ok(whole(&["a1", "a2", "b1", "b2", "room"])));
    assert_eq!(count.1().unwrap(), Ok(2));
    let found = sockets.1().unwrap().unwrap();
    assert_eq!(found.missing, 0);
    let found: Vec<_> = found
        .value
        .iter()
        .map(|one| (&*one.id, one.rooms.clone()))
        .collect();
    assert_eq!(
        found,
        [
            ("b2", vec!["b2".to_owned()]),
            ("a1", vec!["a1".to_owned(), "room".to_owned()])
        ]
    );
}

#[test]
fn details_of_others_are_what_they_were() {
    let (server, a, _b) = two();
    let (done, found) = reply();
    a.adapter.fetch_sockets(&to(&["b1"], &[]), done);
    server.deliver();
    let expected = SocketDetails {
        id: "b1".into(),
        handshake: r#"{"url":"/"}"#.into(),
        rooms: vec!["b1".into(), "room".into()],
        data: r#"{"of":"it"}"#.into(),
    };
    assert_eq!(found().unwrap(), Ok(Answered::whole(vec![expected])));
}

/// Subscribed as a node is, and silent.
struct Silent;

impl Listener for Silent {
    fn on_message(&self, _: &str, _: &[u8]) {}
}

#[test]
fn a_silent_node_is_missed_and_not_waited_for_longer() {
    let (server, a, _b) = two();
    let third = server.node();
    third.subscribe(
        Subscription::Channel("socket.io-request#/#".into()),
        Arc::new(Silent),
        None,
    );
    let (ids, answers) = (reply(), reply());
    a.adapter.sockets(&[], ids.0);
    a.adapter.server_side_emit(&packet(r#"["who"]"#), Some(answers.0));
    server.deliver();
    server.advance(4_999);
    assert!(ids.1().is_none() && answers.1().is_none());
    server.advance(1);
    let found = ids.1().unwrap().unwrap();
    assert_eq!((found.value.len(), found.missing), (4, 1));
    let found = answers.1().unwrap().unwrap();
    assert_eq!(
        (found.value.len(), found.missing),
        (0, 2),
        "nobody has an answer here"
    );
}

#[test]
fn without_redis_this_node_goes_on() {
    let (server, a, b) = two();
    let (first, again) = (reply(), reply());
    a.adapter.server_count(first.0);
    server.deliver();
    assert_eq!(first.1().unwrap(), Ok(2));
    a.bus.cut();
    a.adapter.broadcast(&packet(r#"["x"]"#), &to(&[], &[]));
    a.adapter.add_sockets(&to(&["a1"], &[]), &["r"]);
    assert_eq!(a.log().len(), 2);
    assert_eq!(a.adapter.socket_rooms("a1").len(), 3);
    let (answers, sockets) = (reply(), reply());
    a.adapter.fetch_sockets(&to(&[], &[]), sockets.0);
    a.adapter.server_side_emit(&packet(r#"["who"]"#), Some(answers.0));
    a.adapter.server_count(again.0);
    server.deliver();
    let found = sockets.1().unwrap().unwrap();
    assert_eq!((found.value.len(), found.missing), (2, 1));
    assert!(answers.1().unwrap().is_err());
    assert!(again.1().unwrap().is_err());
    a.bus.restore();
    a.adapter.broadcast(&packet(r#"["y"]"#), &to(&["b1"], &[]));
    server.deliver();
    assert_eq!(b.log(), [r#"b1 ["y"]"#]);
}

#[test]
fn a_node_alone_asks_nobody() {
    let server = MemoryServer::new();
    let a = Node::new(&server, &["a1"], People::default(), ClassicOptions::default());
    let (ids, answers) = (reply(), reply());
    a.adapter.sockets(&[], ids.0);
    a.adapter.server_side_emit(&packet(r#"["who"]"#), Some(answers.0));
    server.deliver();
    assert_eq!(ids.1().unwrap(), Ok(Answered::whole(vec!["a1".to_owned()])));
    assert_eq!(answers.1().unwrap(), Ok(Answered::whole(Vec::new())));
    assert!(server.published().is_empty());
}

#[derive(Default)]
struct Acks(Mutex<Vec<String>>);

impl BroadcastAcks for Acks {
    fn on_clients(&self, count: usize) {
        self.0.lock().push(format!("{count} clients"));
    }

    fn on_ack(&self, array: &str, attachments: &[Bytes]) {
        self.0.lock().push(format!("{array} {attachments:?}"));
    }
}

#[test]
fn answers_of_clients_come_back_to_who_asked() {
    let server = MemoryServer::new();
    let answering = |ack| People {
        ack: Some(ack),
        ..People::default()
    };
    let options = ClassicOptions {
        publish_on_specific_response_channel: true,
        ..ClassicOptions::default()
    };
    let a = Node::new(
        &server,
        &["a1"],
        answering(r#"["from a",2]"#),
        ClassicOptions::default(),
    );
    let b = Node::new(
        &server,
        &["b1"],
        answering(r#"[{"b":{"_placeholder":true,"num":0}},2]"#),
        options,
    );
    let c = Node::new(&server, &["c1"], answering("[]"), ClassicOptions::default());
    let silent = Node::new(&server, &["d1"], People::default(), ClassicOptions::default());
    let acks = Arc::new(Acks::default());
    let sink: Arc<dyn BroadcastAcks> = Arc::<Acks>::clone(&acks);
    let mut options = to(&[], &[]);
    options.flags.timeout = Some(1_000);
    a.adapter.broadcast_with_ack(&packet(r#"["q"]"#), &options, sink);
    server.deliver();
    let mut heard = std::mem::take(&mut *acks.0.lock());
    heard.sort();
    assert_eq!(
        heard,
        [
            "1 clients",
            "1 clients",
            "1 clients",
            "1 clients",
            r#"["from a",2] [b"!"]"#,
            "[] []",
            r#"[{"b":{"_placeholder":true,"num":0}}] [b"!"]"#,
        ],
        "others tell the first argument only"
    );
    for node in [&a, &b, &c, &silent] {
        assert_eq!(node.log().len(), 1);
    }
    let channels: Vec<String> = server
        .published()
        .into_iter()
        .map(|(channel, ..)| channel)
        .collect();
    let specific = format!("socket.io-response#/#{}#", a.adapter.uid());
    assert_eq!(channels.iter().filter(|channel| **channel == specific).count(), 2);
    // An answer in time counts, a late one doesn't.
    silent.people.owed.lock()[0].on_ack("[1]", &[]);
    server.deliver();
    assert_eq!(acks.0.lock().len(), 1);
    server.advance(1_000);
    silent.people.owed.lock()[0].on_ack("[2]", &[]);
    server.deliver();
    assert_eq!(acks.0.lock().len(), 1);
}

#[test]
fn applications_talk_to_each_other() {
    let server = MemoryServer::new();
    let answering = |answer| People {
        answer,
        ..People::default()
    };
    let nodes = [None, Some("1"), Some(r#"{"b":{"_placeholder":true,"num":0}}"#)]
        .map(|answer| Node::new(&server, &[], answering(answer), ClassicOptions::default()));
    let [a, b, c] = &nodes;
    let with_data = BroadcastPacket {
        attachments: [Bytes::from_static(b"x")].into(),
        ..packet(r#"["hi",{"_placeholder":true,"num":0}]"#)
    };
    a.adapter.server_side_emit(&with_data, None);
    server.deliver();
    let said = r#"server says ["hi",{"type":"Buffer","data":[120]}]"#;
    assert_eq!(
        (a.log().len(), b.log(), c.log()),
        (0, vec![said.to_owned()], vec![said.to_owned()])
    );
    let answers = reply();
    a.adapter.server_side_emit(&packet(r#"["q",1]"#), Some(answers.0));
    server.deliver();
    let found = answers.1().unwrap().unwrap();
    let values: Vec<&str> = found.value.iter().map(|answer| &*answer.value).collect();
    assert_eq!(values, ["1", r#"{"b":{"type":"Buffer","data":[33]}}"#]);
    assert_eq!(found.missing, 0);
    assert_eq!(b.log(), [r#"server asks ["q",1]"#]);
    assert_eq!(a.log(), [""; 0]);
}

#[test]
fn orders_of_old_adapters_are_carried_out_and_confirmed() {
    let (server, a, _b) = two();
    let stranger = server.node();
    let request = |text: &str| {
        stranger.publish("socket.io-request#/#", text.as_bytes().to_vec(), false);
        server.deliver();
        last(&server)
    };
    let done = (
        "socket.io-response#/#".to_owned(),
        r#"{"requestId":"x"}"#.to_owned(),
    );
    assert_eq!(
        request(r#"{"requestId":"x","type":2,"sid":"a2","room":"r"}"#),
        done
    );
    assert_eq!(a.adapter.socket_rooms("a2").len(), 2);
    assert_eq!(
        request(r#"{"requestId":"x","type":3,"sid":"a2","room":"r"}"#),
        done
    );
    assert_eq!(a.adapter.socket_rooms("a2").len(), 1);
    assert_eq!(
        request(r#"{"requestId":"x","type":4,"sid":"a2","close":true}"#),
        done
    );
    assert_eq!(a.log(), ["a2 disconnects true"]);
    let unknown = r#"{"requestId":"x","type":4,"sid":"nobody","close":true}"#;
    assert_eq!(request(unknown).1, unknown, "nobody answers");
}

#[test]
fn what_cant_be_read_is_ignored() {
    let (server, a, _b) = two();
    let stranger = server.node();
    let before = server.published().len();
    let mut count = 0;
    for message in [
        &b""[..],
        b"{",
        b"{}",
        b"[]",
        b"\x93",
        b"\x80",
        b"{\"type\":99}",
        b"{\"type\":5}",
        b"{\"type\":6,\"data\":[]}",
        b"{\"type\":6,\"data\":[{}]}",
        b"{\"type\":6,\"data\":[\"x\",{\"_placeholder\":true,\"num\":0}]}",
        b"{\"type\":7,\"requestId\":\"x\",\"packet\":{},\"opts\":{}}",
        b"{\"requestId\":7,\"sockets\":7}",
        b"\x93\xa1x\x83\xa4type\x02\xa4data\x90\xa3nsp\xa1/\x80",
        b"\x93\xa1x\x83\xa4type\x00\xa4data\x91\xa1x\xa3nsp\xa1/\x80",
    ] {
        for channel in [
            "socket.io#/#",
            "socket.io#/#room#",
            "socket.io#/#nobody#",
            "socket.io-request#/#",
            "socket.io-response#/#",
        ] {
            stranger.publish(channel, message.to_vec(), false);
            count += 1;
        }
    }
    server.deliver();
    assert_eq!(a.log(), [""; 0]);
    assert_eq!(server.published().len(), before + count, "nobody answers");
}

#[test]
fn a_closed_node_is_gone_and_goes_on_alone() {
    let (server, a, b) = two();
    assert_eq!(b.bus.subscriptions().len(), 4);
    let ids = reply();
    b.adapter.sockets(&[], ids.0);
    while server.published().is_empty() {
        assert!(server.deliver_one());
    }
    b.adapter.close();
    let found = ids.1().unwrap().unwrap();
    assert_eq!(
        (found.value.len(), found.missing),
        (2, 1),
        "what is known when it closes"
    );
    assert!(b.bus.subscriptions().is_empty());
    server.deliver();
    let count = reply();
    a.adapter.server_count(count.0);
    a.adapter.broadcast(&packet(r#"["a"]"#), &to(&[], &[]));
    b.adapter.broadcast(&packet(r#"["b"]"#), &to(&[], &[]));
    server.deliver();
    assert_eq!(count.1().unwrap(), Ok(1));
    assert_eq!(a.log(), [r#"a1 ["a"]"#, r#"a2 ["a"]"#]);
    assert_eq!(b.log(), [r#"b1 ["b"]"#, r#"b2 ["b"]"#]);
    drop(a.adapter);
    assert!(a.bus.subscriptions().is_empty(), "a dropped one is gone, too");
}
