//! Nodes of a cluster for tests: each with its sockets, on one server in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::adapter::redis::Bus;
use crate::adapter::redis::memory::{MemoryBus, MemoryServer};
use crate::adapter::redis::sharded::{ShardedOptions, SubscriptionMode, sharded_adapter};
use crate::adapter::redis::streams::{Streams, StreamsOptions};
use crate::adapter::{
    Adapter, Answer, BroadcastAcks, BroadcastFlags, BroadcastOptions, BroadcastPacket, Directory, Host,
    LocalAdapter, Progress, Recipients, Reply, Restored, Session, SocketDetails,
};
use crate::ws::Millis;

/// Sockets that are their ids, and all that happened to them.
#[derive(Default)]
pub(crate) struct Crowd {
    pub(crate) sockets: Mutex<BTreeMap<Arc<str>, Progress>>,
    pub(crate) log: Mutex<Vec<String>>,
    /// Its application answers nothing.
    pub(crate) is_silent: AtomicBool,
    /// Its sockets' answers have no binary data.
    pub(crate) is_plain: AtomicBool,
}

impl Directory<Arc<str>> for Arc<Crowd> {
    fn find(&self, id: &str) -> Option<Arc<str>> {
        let sockets = self.sockets.lock();
        sockets.get_key_value(id).map(|(id, _)| Arc::clone(id))
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Arc<str>)) {
        let all: Vec<_> = self.sockets.lock().keys().cloned().collect();
        all.iter().for_each(visit);
    }
}

impl Host for Arc<Crowd> {
    type Member = Arc<str>;

    fn id<'a>(&self, member: &'a Arc<str>) -> &'a str {
        member
    }

    fn send(
        &self,
        packet: &BroadcastPacket,
        number: Option<u128>,
        recipients: &Recipients<'_, Self>,
        acks: Option<&Arc<dyn BroadcastAcks>>,
    ) -> usize {
        let mut count = 0;
        recipients.for_each(|id| {
            count += 1;
            self.log.lock().push(format!("{id} {}", shown(packet)));
            if let (Some(number), Some(progress)) = (number, self.sockets.lock().get_mut(id)) {
                assert!(number > progress.sent, "{id} gets {} out of order", packet.array);
                progress.sent = number;
            }
            let Some(acks) = acks.filter(|_| !self.is_silent.load(Ordering::Relaxed)) else {
                return;
            };
            if self.is_plain.load(Ordering::Relaxed) {
                acks.on_ack(&format!("[\"{id}\",2]"), &[]);
            } else {
                acks.on_ack(
                    &format!("[{{\"from\":\"{id}\",\"b\":{{\"_placeholder\":true,\"num\":0}}}},2]"),
                    &[Bytes::from_static(b"ack")],
                );
            }
        });
        count
    }

    fn details(&self, member: &Arc<str>) -> SocketDetails {
        SocketDetails {
            id: member.to_string(),
            handshake: "{\"address\":\"::1\"}".into(),
            rooms: Vec::new(),
            data: "{\"n\":[1]}".into(),
        }
    }

    fn progress(&self, member: &Arc<str>) -> Progress {
        self.sockets.lock().get(member).copied().unwrap_or_default()
    }

    fn session(&self, member: &Arc<str>) -> Option<Session> {
        Some(Session {
            sid: member.to_string(),
            pid: format!("pid of {member}"),
            rooms: Vec::new(),
            data: "{\"kept\":1}".into(),
            progress: Progress::default(),
        })
    }

    fn disconnect(&self, member: &Arc<str>, close: bool) {
        self.log.lock().push(format!("{member} goes {close}"));
    }

    fn on_server_side_emit(&self, packet: BroadcastPacket, reply: Option<Reply<Answer>>) {
        self.log.lock().push(format!("application {}", shown(&packet)));
        if let Some(reply) = reply
            && !self.is_silent.load(Ordering::Relaxed)
        {
            reply(Answer {
                value: "{\"ok\":{\"_placeholder\":true,\"num\":0}}".into(),
                attachments: vec![Bytes::from_static(b"yes")],
            });
        }
    }

    fn now(&self) -> Millis {
        0
    }
}

/// An event and its attachments as text.
fn shown(packet: &BroadcastPacket) -> String {
    let attachments = packet
        .attachments
        .iter()
        .map(|data| String::from_utf8_lossy(data));
    let attachments: Vec<_> = attachments.collect();
    match attachments.as_slice() {
        [] => packet.array.to_string(),
        some => format!("{} {}", packet.array, some.join(" ")),
    }
}

pub(crate) fn packet(array: &str) -> BroadcastPacket {
    BroadcastPacket {
        array: array.into(),
        attachments: Arc::default(),
    }
}

pub(crate) fn binary(array: &str, data: &'static [u8]) -> BroadcastPacket {
    BroadcastPacket {
        array: array.into(),
        attachments: [Bytes::from_static(data)].into(),
    }
}

pub(crate) fn to(rooms: &[&str], except: &[&str]) -> BroadcastOptions {
    BroadcastOptions {
        rooms: rooms.iter().map(|room| Arc::from(*room)).collect(),
        except: except.iter().map(|room| Arc::from(*room)).collect(),
        flags: BroadcastFlags::default(),
    }
}

/// What a cluster is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sharded(SubscriptionMode),
    /// With recovery or without, and its questions by sharded pub/sub or not.
    Streams {
        recovers: bool,
        sharded: bool,
    },
}

pub(crate) const KINDS: [Kind; 6] = [
    Kind::Sharded(SubscriptionMode::Dynamic),
    Kind::Sharded(SubscriptionMode::Static),
    Kind::Sharded(SubscriptionMode::DynamicPrivate),
    Kind::Streams {
        recovers: false,
        sharded: false,
    },
    Kind::Streams {
        recovers: true,
        sharded: false,
    },
    Kind::Streams {
        recovers: true,
        sharded: true,
    },
];

pub(crate) const STREAMS: Kind = Kind::Streams {
    recovers: true,
    sharded: false,
};

pub(crate) struct Node {
    pub(crate) bus: Arc<MemoryBus>,
    pub(crate) local: Arc<LocalAdapter<Arc<Crowd>>>,
    pub(crate) adapter: Arc<dyn Adapter>,
}

pub(crate) struct World {
    pub(crate) server: MemoryServer,
    pub(crate) nodes: Vec<Node>,
    pub(crate) kind: Kind,
}

impl World {
    /// So many nodes without sockets.
    pub(crate) fn new(kind: Kind, nodes: usize) -> World {
        let mut world = World {
            server: MemoryServer::new(),
            nodes: Vec::new(),
            kind,
        };
        (0..nodes).for_each(|_| world.add_node("/"));
        world
    }

    /// Two sockets on each of three nodes: a1 and a2, b1 and b2, c1 and c2; the first of each is in the room `first`.
    pub(crate) fn of_three(kind: Kind) -> World {
        let world = World::new(kind, 3);
        for (node, letter) in ["a", "b", "c"].iter().enumerate() {
            world.connect(node, &format!("{letter}1"), &["first"]);
            world.connect(node, &format!("{letter}2"), &[]);
        }
        world.server.deliver();
        world
    }

    pub(crate) fn add_node(&mut self, namespace: &str) {
        let bus = self.server.node();
        let node = node(self.kind, bus, namespace);
        self.nodes.push(node);
        self.server.deliver();
    }

    pub(crate) fn adapter(&self, node: usize) -> &dyn Adapter {
        &*self.nodes[node].adapter
    }

    pub(crate) fn crowd(&self, node: usize) -> &Crowd {
        self.nodes[node].local.host()
    }

    pub(crate) fn connect(&self, node: usize, id: &str, rooms: &[&str]) {
        let node = &self.nodes[node];
        let progress = node.adapter.progress();
        node.local.host().sockets.lock().insert(id.into(), progress);
        node.local.on_connected(id);
        node.adapter.add_all(id, rooms);
    }

    /// A connection is lost; what the client's session is, is kept under its id.
    pub(crate) fn lose(&self, node: usize, id: &str) {
        let node = &self.nodes[node];
        node.adapter.persist_session(Session {
            sid: id.to_owned(),
            pid: format!("pid of {id}"),
            rooms: node.adapter.socket_rooms(id),
            data: "{\"kept\":1}".into(),
            progress: Progress::default(),
        });
        node.adapter.del_all(id);
        node.local.host().sockets.lock().remove(id);
    }

    /// A client comes back to a node, where it is again if it is recovered. What it has missed, by name.
    pub(crate) fn come_back(
        &self,
        node: usize,
        id: &str,
        offset: Option<&str>,
    ) -> Arc<Mutex<Option<Vec<String>>>> {
        let result = Arc::new(Mutex::new(None));
        let told = Arc::clone(&result);
        let local = Arc::clone(&self.nodes[node].local);
        let adapter = Arc::clone(&self.nodes[node].adapter);
        let reply = move |restored: Option<Restored>| {
            let Some(Restored { session, missed }) = restored else {
                *told.lock() = Some(vec!["begins anew".to_owned()]);
                return;
            };
            assert_eq!(session.data, "{\"kept\":1}");
            let id: Arc<str> = session.sid.into();
            local
                .host()
                .sockets
                .lock()
                .insert(Arc::clone(&id), session.progress);
            let rooms: Vec<&str> = session.rooms.iter().map(|room| &**room).collect();
            adapter.add_all(&id, &rooms);
            local.on_connected(&id);
            *told.lock() = Some(missed.iter().map(shown).collect());
        };
        let adapter = &self.nodes[node].adapter;
        adapter.restore_session(&format!("pid of {id}"), offset, Box::new(reply));
        result
    }

    /// What has happened to the sockets of all nodes since this was asked last, sorted, without offsets.
    pub(crate) fn happened(&self) -> Vec<String> {
        self.server.deliver();
        let mut all: Vec<String> = (0..self.nodes.len())
            .flat_map(|node| self.take_log(node))
            .map(|line| without_offset(&line))
            .collect();
        all.sort();
        all
    }

    pub(crate) fn take_log(&self, node: usize) -> Vec<String> {
        std::mem::take(&mut *self.crowd(node).log.lock())
    }
}

pub(crate) fn node(kind: Kind, bus: Arc<MemoryBus>, namespace: &str) -> Node {
    let local = Arc::new(LocalAdapter::new(Arc::new(Crowd::default()), None));
    let dynamic = Arc::<MemoryBus>::clone(&bus) as Arc<dyn Bus>;
    let adapter = match kind {
        Kind::Sharded(subscription_mode) => {
            let options = ShardedOptions {
                subscription_mode,
                ..ShardedOptions::default()
            };
            sharded_adapter(Arc::clone(&local), dynamic, namespace, &options)
        }
        Kind::Streams { recovers, sharded } => {
            let options = StreamsOptions {
                max_disconnection: recovers.then_some(120_000),
                sharded,
                ..StreamsOptions::default()
            };
            Streams::new(dynamic, options).adapter(Arc::clone(&local), namespace)
        }
    };
    Node { bus, local, adapter }
}

/// Takes the offset off the array in a line.
pub(crate) fn without_offset(line: &str) -> String {
    match offset_in(line) {
        Some(offset) => line.replace(&format!(",\"{offset}\"]"), "]"),
        None => line.to_owned(),
    }
}

/// The offset of the event in a line.
pub(crate) fn offset_in(line: &str) -> Option<String> {
    let (before, _) = line.rsplit_once("\"]")?;
    let (_, offset) = before.rsplit_once(",\"")?;
    let is_offset = |text: &str| {
        let digits = |half: &str| !half.is_empty() && half.bytes().all(|byte| byte.is_ascii_digit());
        text.split_once('-')
            .is_some_and(|(one, two)| digits(one) && digits(two))
    };
    is_offset(offset).then(|| offset.to_owned())
}

/// A reply whose value can be looked at.
pub(crate) fn hold<T: Send + 'static>() -> (Reply<T>, Arc<Mutex<Option<T>>>) {
    let value = Arc::new(Mutex::new(None));
    let held = Arc::clone(&value);
    (Box::new(move |given| *held.lock() = Some(given)), value)
}

/// Counts clients and gathers answers.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) counts: Mutex<Vec<usize>>,
    pub(crate) answers: Mutex<Vec<String>>,
}

impl BroadcastAcks for Gathered {
    fn on_clients(&self, count: usize) {
        self.counts.lock().push(count);
    }

    fn on_ack(&self, array: &str, attachments: &[Bytes]) {
        let attachments = attachments.to_vec().into();
        let array = array.into();
        self.answers
            .lock()
            .push(shown(&BroadcastPacket { array, attachments }));
    }
}
