//! Any bytes as what comes over Redis to a node of a cluster, in the sharded and the streams mode: it does no harm, what the node's
//! sockets and its application get is well-formed, what the node says can be read, and each of its questions is answered once.
//! Included by the fuzz target and by the tests.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use data_encoding::BASE64;
use sockline::adapter::redis::memory::{MemoryBus, MemoryServer};
use sockline::adapter::redis::sharded::{ShardedOptions, sharded_adapter};
use sockline::adapter::redis::streams::{Streams, StreamsOptions};
use sockline::adapter::redis::values::Value;
use sockline::adapter::redis::{Bus, Listener, Subscription};
use sockline::adapter::{
    Adapter, Answer, BroadcastAcks, BroadcastOptions, BroadcastPacket, Directory, Host, LocalAdapter,
    Recipients, Reply, Session, SocketDetails,
};
use sockline::json;
use sockline::socketio::check_placeholders;

/// What stands for the ids of the node's questions, which are at random.
const QUESTIONS: [&[u8; 16]; 3] = [b"id of the first.", b"id of the second", b"id of the third."];
/// After which nobody waits any more.
const LONG: u64 = 20_000;

/// By the first byte: how the rest comes.
pub fn play_input(input: &[u8]) {
    let Some((way, rest)) = input.split_first() else {
        return;
    };
    let way = way % 8;
    let mut node = Node::new(
        &MemoryServer::new(),
        [Mode::Sharded, Mode::Streams, Mode::Recovering][match way {
            0 | 1 => 0,
            2..=4 => 1,
            _ => 2,
        }],
    );
    let questions = node.ask();
    let message = node.with_ids(rest);
    let said = node.server.published().len();
    match way {
        0 | 2 => node.hears(&message, false),
        1 | 3 => node.hears(&message, true),
        4 | 5 => node.reads(&message, false),
        6 => node.reads(&message, true),
        _ => node.restores(&message),
    }
    node.server.advance(LONG);
    assert_eq!(
        questions.answers.load(Ordering::Relaxed),
        2,
        "each question is answered once"
    );
    let published = node.server.published().into_iter().skip(said);
    for (_, payload, _) in published.filter(|(_, payload, _)| *payload != message) {
        let content = Value::read(&payload).and_then(Value::content);
        let (text, attachments) = content.expect("what the node says can be read");
        well_formed(&text, attachments.len());
    }
    if node.mode != Mode::Recovering {
        let heard = std::mem::take(&mut *node.local.host().heard.lock().unwrap());
        heard.into_iter().for_each(|heard| says_again(node.mode, heard));
    }
}

/// One node tells another the same, which stays as it is.
fn says_again(mode: Mode, heard: Heard) {
    let server = MemoryServer::new();
    let (from, to) = (Node::new(&server, mode), Node::new(&server, mode));
    let again = |heard: &Heard| {
        match heard {
            Heard::Event(packet) => from.adapter.broadcast(packet, &BroadcastOptions::default()),
            Heard::ServerEvent(packet) => from.adapter.server_side_emit(packet, None),
        }
        server.deliver();
        let mut all = std::mem::take(&mut *to.local.host().heard.lock().unwrap());
        assert_eq!(all.len(), 1);
        all.remove(0)
    };
    // 1.0 becomes 1.
    let second = again(&heard);
    assert_eq!(again(&second), second);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Sharded,
    Streams,
    Recovering,
}

/// A node, and another of which nothing is heard but what the input says.
struct Node {
    server: MemoryServer,
    mode: Mode,
    bus: Arc<MemoryBus>,
    other: Arc<MemoryBus>,
    local: Arc<LocalAdapter<Crowd>>,
    adapter: Arc<dyn Adapter>,
}

impl Node {
    fn new(server: &MemoryServer, mode: Mode) -> Node {
        let local = Arc::new(LocalAdapter::new(Crowd::default(), None));
        let (bus, other) = (server.node(), server.node());
        let dynamic: Arc<dyn Bus> = bus.clone();
        let adapter = match mode {
            Mode::Sharded => sharded_adapter(local.clone(), dynamic, "/", &ShardedOptions::default()),
            _ => {
                let options = StreamsOptions {
                    max_disconnection: (mode == Mode::Recovering).then_some(120_000),
                    ..StreamsOptions::default()
                };
                Streams::new(dynamic, options).adapter(local.clone(), "/")
            }
        };
        let node = Node {
            server: server.clone(),
            mode,
            bus,
            other,
            local,
            adapter,
        };
        for (id, rooms) in [("a", &["room"][..]), ("b", &[])] {
            node.adapter.add_all(id, rooms);
        }
        node.server.deliver();
        node
    }

    /// The channel to all, and that to this node alone.
    fn channels(&self) -> [Subscription; 2] {
        let mut all = self.bus.subscriptions();
        all.retain(|one| !one.name().ends_with("#room#"));
        all.sort_by_key(|one| one.name().len());
        all.try_into().expect("two channels")
    }

    /// Asks the other, which is there, whatever can be asked.
    fn ask(&mut self) -> Arc<Questions> {
        let [all, _] = self.channels();
        self.other.subscribe(all, Arc::new(Deaf), None);
        self.server.deliver();
        let questions = Arc::new(Questions::default());
        let (first, second, third) = (questions.clone(), questions.clone(), questions.clone());
        let everybody = BroadcastOptions::default();
        let sockets = move |found: Result<sockline::adapter::Answered<Vec<SocketDetails>>, _>| {
            first.answered();
            for socket in found.expect("at least its own").value {
                well_formed(&socket.handshake, 0);
                well_formed(&socket.data, 0);
            }
        };
        self.adapter.fetch_sockets(&everybody, Box::new(sockets));
        let servers = move |found: Result<sockline::adapter::Answered<Vec<Answer>>, _>| {
            second.answered();
            for answer in found.map(|found| found.value).unwrap_or_default() {
                well_formed(&answer.value, answer.attachments.len());
            }
        };
        let packet = event("[\"who\"]");
        self.adapter.server_side_emit(&packet, Some(Box::new(servers)));
        self.adapter.broadcast_with_ack(&packet, &everybody, third);
        self.server.deliver();
        questions
    }

    /// The input with the ids of what was asked in the place of what stands for them.
    fn with_ids(&self, input: &[u8]) -> Vec<u8> {
        let published = self.server.published();
        let ids: Vec<&[u8]> = published
            .iter()
            .filter_map(|(_, payload, _)| id_in(payload))
            .collect();
        assert_eq!(ids.len(), QUESTIONS.len(), "each question has an id");
        let mut message = input.to_vec();
        for at in 0..message.len().saturating_sub(15) {
            let place = &mut message[at..at + 16];
            let question = QUESTIONS.iter().position(|question| **question == *place);
            if let Some(number) = question {
                place.copy_from_slice(ids[number]);
            }
        }
        message
    }

    /// Published, to all or to the node alone.
    fn hears(&self, message: &[u8], is_answer: bool) {
        let channel = &self.channels()[usize::from(is_answer)];
        let is_sharded = matches!(channel, Subscription::Sharded(_));
        self.other.publish(channel.name(), message.to_vec(), is_sharded);
        self.server.deliver();
    }

    /// Appended: a line with the type, then the data.
    fn reads(&self, message: &[u8], is_packed: bool) {
        let end = message.iter().position(|&byte| byte == b'\n').unwrap_or(0);
        let (kind, data) = message.split_at(end);
        let data = data.get(1..).unwrap_or_default();
        let data = match is_packed {
            true => BASE64.encode(data).into_bytes(),
            false => data.to_vec(),
        };
        let fields = vec![
            ("uid", b"nobody".to_vec()),
            ("nsp", b"/".to_vec()),
            ("type", kind.to_vec()),
            ("data", data),
        ];
        self.other.append("socket.io", 100, fields, Box::new(drop));
        self.server.deliver();
    }

    /// A session that was kept.
    fn restores(&self, message: &[u8]) {
        let value = BASE64.encode(message).into_bytes();
        self.other.set("sio:session:pid", value, LONG);
        let reply = |restored: Option<sockline::adapter::Restored>| {
            if let Some(restored) = restored {
                well_formed(&restored.session.data, 0);
                restored.missed.iter().for_each(is_event);
            }
        };
        self.adapter.restore_session("pid", Some("0-1"), Box::new(reply));
        self.server.deliver();
    }
}

/// The id in a question, in JSON or in MessagePack.
fn id_in(payload: &[u8]) -> Option<&[u8]> {
    let name = b"requestId";
    let at = payload.windows(name.len()).position(|part| part == name)? + name.len();
    let at = at + if payload.get(at) == Some(&b'"') { 3 } else { 1 };
    payload.get(at..at + 16)
}

/// Who waits for the answers of clients hears each, and counts the others.
#[derive(Default)]
struct Questions {
    answers: AtomicUsize,
}

impl Questions {
    fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }
}

impl BroadcastAcks for Questions {
    fn on_clients(&self, _: usize) {}

    fn on_ack(&self, array: &str, attachments: &[Bytes]) {
        well_formed(array, attachments.len());
        assert!(array.starts_with('['));
    }
}

struct Deaf;

impl Listener for Deaf {
    fn on_message(&self, _: &str, _: &[u8]) {}
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Heard {
    Event(BroadcastPacket),
    ServerEvent(BroadcastPacket),
}

/// Two sockets, who answer, and an application that does.
#[derive(Default)]
struct Crowd {
    heard: Mutex<Vec<Heard>>,
}

impl Directory<Arc<str>> for Crowd {
    fn find(&self, id: &str) -> Option<Arc<str>> {
        matches!(id, "a" | "b").then(|| id.into())
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Arc<str>)) {
        ["a", "b"].into_iter().for_each(|id| visit(&id.into()));
    }
}

impl Host for Crowd {
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
        is_event(packet);
        let mut count = 0;
        recipients.for_each(|_| {
            count += 1;
            if let Some(acks) = acks {
                acks.on_ack(r#"[{"_placeholder":true,"num":0}]"#, &[Bytes::from_static(b"x")]);
            }
        });
        if *packet.array != *"[\"who\"]" && acks.is_none() {
            self.heard.lock().unwrap().push(Heard::Event(packet.clone()));
        }
        count
    }

    fn details(&self, member: &Arc<str>) -> SocketDetails {
        SocketDetails {
            id: member.to_string(),
            handshake: "{}".to_owned(),
            rooms: Vec::new(),
            data: "{}".to_owned(),
        }
    }

    fn session(&self, member: &Arc<str>) -> Option<Session> {
        Some(Session {
            sid: member.to_string(),
            pid: member.to_string(),
            rooms: Vec::new(),
            data: "{}".to_owned(),
            progress: self.progress(member),
        })
    }

    fn disconnect(&self, _: &Arc<str>, _: bool) {}

    fn on_server_side_emit(&self, packet: BroadcastPacket, reply: Option<Reply<Answer>>) {
        is_event(&packet);
        self.heard.lock().unwrap().push(Heard::ServerEvent(packet));
        if let Some(reply) = reply {
            reply(Answer {
                value: "1".to_owned(),
                attachments: Vec::new(),
            });
        }
    }

    fn now(&self) -> u64 {
        0
    }
}

fn event(array: &str) -> BroadcastPacket {
    BroadcastPacket {
        array: array.into(),
        attachments: Arc::default(),
    }
}

fn is_event(packet: &BroadcastPacket) {
    well_formed(&packet.array, packet.attachments.len());
    let name = Value::Json(&packet.array).items().expect("an array").next();
    let name = name.expect("a name").expect("well-formed");
    assert!(
        name.string().is_some() || matches!(name, Value::Json(text) if text.trim().parse::<f64>().is_ok())
    );
}

fn well_formed(text: &str, attachments: usize) {
    assert!(json::is_valid(text), "{text}");
    assert_eq!(check_placeholders(text, attachments), Ok(()), "{text}");
}
