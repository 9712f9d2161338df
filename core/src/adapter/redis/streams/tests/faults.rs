//! Redis fails in part.

use std::sync::Arc;

use parking_lot::Mutex;

use super::super::super::cluster::testing::*;
use super::super::super::memory::{MemoryBus, MemoryServer};
use super::super::super::{Bus, Entry, Fields, Follower, Listener, Subscription};
use super::super::stored::PATIENCE;
use super::super::*;
use crate::adapter::{AdapterError, Reply};

/// A bus whose entries and answers to appends can be held back, and come twice.
struct Unsteady {
    bus: Arc<MemoryBus>,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    /// Entries wait.
    is_deaf: bool,
    entries: Vec<(String, Fields)>,
    /// What is appended is said not to have been.
    lies: bool,
    follower: Option<Arc<dyn Follower>>,
}

struct Gate(Arc<Mutex<Held>>);

impl Follower for Gate {
    fn on_begin(&self, id: &str) {
        let follower = self.0.lock().follower.clone().unwrap();
        follower.on_begin(id);
    }

    fn on_entry(&self, id: &str, fields: &[(Vec<u8>, Vec<u8>)]) {
        let mut held = self.0.lock();
        if held.is_deaf {
            return held.entries.push((id.to_owned(), fields.to_vec()));
        }
        let follower = held.follower.clone().unwrap();
        drop(held);
        follower.on_entry(id, fields);
        follower.on_entry(id, fields); // once more
    }
}

impl Unsteady {
    fn hear_again(&self) {
        let (entries, follower) = {
            let mut held = self.held.lock();
            held.is_deaf = false;
            (std::mem::take(&mut held.entries), held.follower.clone().unwrap())
        };
        for (id, fields) in entries {
            follower.on_entry(&id, &fields);
        }
    }
}

impl Bus for Unsteady {
    fn publish(&self, channel: &str, payload: Vec<u8>, sharded: bool) {
        self.bus.publish(channel, payload, sharded);
    }
    fn deliver(
        &self,
        channel: &str,
        payload: Vec<u8>,
        sharded: bool,
        reply: Reply<Result<usize, AdapterError>>,
    ) {
        self.bus.deliver(channel, payload, sharded, reply);
    }
    fn subscribe(
        &self,
        subscription: Subscription,
        listener: Arc<dyn Listener>,
        done: Option<Reply<Result<(), AdapterError>>>,
    ) {
        self.bus.subscribe(subscription, listener, done);
    }
    fn unsubscribe(&self, subscription: &Subscription) {
        self.bus.unsubscribe(subscription);
    }
    fn subscribers(&self, channel: &str, sharded: bool, reply: Reply<Result<usize, AdapterError>>) {
        self.bus.subscribers(channel, sharded, reply);
    }
    fn append(
        &self,
        stream: &str,
        max_len: usize,
        fields: Vec<(&'static str, Vec<u8>)>,
        reply: Reply<Result<String, AdapterError>>,
    ) {
        let reply = match self.held.lock().lies {
            true => Box::new(move |_| reply(Err(AdapterError("timed out".into())))),
            false => reply,
        };
        self.bus.append(stream, max_len, fields, reply);
    }
    fn follow(&self, stream: &str, follower: Arc<dyn Follower>) {
        self.held.lock().follower = Some(follower);
        self.bus.follow(stream, Arc::new(Gate(Arc::clone(&self.held))));
    }
    fn unfollow(&self, stream: &str) {
        self.bus.unfollow(stream);
    }
    fn range(
        &self,
        stream: &str,
        start: &str,
        end: &str,
        count: usize,
        reply: Reply<Result<Vec<Entry>, AdapterError>>,
    ) {
        self.bus.range(stream, start, end, count, reply);
    }
    fn set(&self, key: &str, value: Vec<u8>, ttl: Millis) {
        self.bus.set(key, value, ttl);
    }
    fn take(&self, key: &str, reply: Reply<Result<Option<Vec<u8>>, AdapterError>>) {
        self.bus.take(key, reply);
    }
    fn run_at(&self, after: Millis, job: Box<dyn FnOnce() + Send>) {
        self.bus.run_at(after, job);
    }
    fn report(&self, error: AdapterError) {
        self.bus.report(error);
    }
}

/// A node on an unsteady bus with a socket x, and one on a good one with a socket y.
fn world() -> (World, Arc<Unsteady>) {
    let server = MemoryServer::new();
    let bus = server.node();
    let unsteady = Arc::new(Unsteady {
        bus: Arc::clone(&bus),
        held: Arc::default(),
    });
    let options = StreamsOptions {
        max_disconnection: Some(120_000),
        ..StreamsOptions::default()
    };
    let local = Arc::new(LocalAdapter::new(Arc::new(Crowd::default()), None));
    let streams = Streams::new(Arc::<Unsteady>::clone(&unsteady), options);
    let adapter = streams.adapter(Arc::clone(&local), "/");
    let nodes = vec![Node { bus, local, adapter }, node(STREAMS, server.node(), "/")];
    server.deliver();
    let world = World {
        server,
        nodes,
        kind: STREAMS,
    };
    world.connect(0, "x", &[]);
    world.connect(1, "y", &[]);
    (world, unsteady)
}

fn emit(world: &World, node: usize, name: &str) {
    world
        .adapter(node)
        .broadcast(&packet(&format!("[\"{name}\"]")), &to(&[], &[]));
}

#[test]
fn what_could_not_be_appended_has_no_offset() {
    let (world, _) = world();
    world.nodes[0].bus.cut();
    emit(&world, 0, "one");
    world.server.deliver();
    assert_eq!(world.take_log(0), ["x [\"one\"]"]);
    assert!(world.take_log(1).is_empty());
    world.nodes[0].bus.restore();
    emit(&world, 0, "one");
    world.server.deliver();
    assert!(offset_in(&world.take_log(0)[0]).is_some());
    assert_eq!(world.happened(), ["y [\"one\"]"]);
}

#[test]
fn what_was_appended_after_all_comes_once() {
    let (world, unsteady) = world();
    unsteady.held.lock().lies = true;
    unsteady.held.lock().is_deaf = true;
    emit(&world, 0, "one");
    world.server.deliver();
    assert_eq!(world.take_log(0), ["x [\"one\"]"]);
    unsteady.held.lock().lies = false;
    emit(&world, 0, "one");
    emit(&world, 1, "two");
    world.server.deliver();
    assert_eq!(world.take_log(0), Vec::<String>::new());
    unsteady.hear_again();
    let got: Vec<String> = world
        .take_log(0)
        .iter()
        .map(|line| without_offset(line))
        .collect();
    assert_eq!(got, ["x [\"one\"]", "x [\"two\"]"]);
}

#[test]
fn entries_that_come_twice_are_done_once() {
    let (world, _) = world();
    emit(&world, 0, "one");
    emit(&world, 1, "two");
    assert_eq!(
        world.happened(),
        ["x [\"one\"]", "x [\"two\"]", "y [\"one\"]", "y [\"two\"]"]
    );
}

#[test]
fn a_node_that_reads_nothing_serves_its_own_sockets_late_and_once() {
    let (world, unsteady) = world();
    unsteady.held.lock().is_deaf = true;
    emit(&world, 0, "one");
    world.adapter(0).add_sockets(&to(&["x"], &[]), &["r"]);
    emit(&world, 1, "two");
    world.server.deliver();
    world.server.advance(PATIENCE - 1);
    assert!(world.take_log(0).is_empty() && !world.nodes[0].local.has_room("r"));
    world.server.advance(1);
    assert_eq!(world.take_log(0), ["x [\"one\"]"]);
    assert!(world.nodes[0].local.has_room("r"));
    // Who comes now would get it again; so it waits until the node has read it.
    world.lose(1, "y");
    let restored = world.come_back(0, "y", None);
    world.server.deliver();
    world.server.advance(100);
    assert!(restored.lock().is_none());
    unsteady.hear_again();
    let got: Vec<String> = world
        .take_log(0)
        .iter()
        .map(|line| without_offset(line))
        .collect();
    assert_eq!(got, ["x [\"two\"]"]);
    world.server.advance(100);
    let missed = restored.lock().take().unwrap();
    assert_eq!(missed.len(), 2, "nothing that y got arrived: {missed:?}");
    emit(&world, 1, "three");
    assert_eq!(
        world
            .happened()
            .iter()
            .filter(|line| line.contains("three"))
            .count(),
        2
    );
}

#[test]
fn streams_are_followed_once_and_as_long_as_somebody_is_there() {
    let server = MemoryServer::new();
    let bus = server.node();
    let unsteady = Arc::new(Unsteady {
        bus,
        held: Arc::default(),
    });
    let streams = Streams::new(Arc::<Unsteady>::clone(&unsteady), StreamsOptions::default());
    let local = || Arc::new(LocalAdapter::new(Arc::new(Crowd::default()), None));
    let (one, two) = (
        streams.adapter(local(), "/"),
        streams.clone().adapter(local(), "/two"),
    );
    server.deliver();
    let readers = || streams.0.readers.len();
    assert_eq!(readers(), 1);
    // A namespace that is made again before the former one has gone stays.
    let again = streams.adapter(local(), "/two");
    two.close();
    one.close();
    assert_eq!(readers(), 1);
    again.close();
    assert_eq!(readers(), 0);
}
