//! What a server in memory knows, and what waits to be delivered.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::adapter::AdapterError;
use crate::adapter::redis::{Entry, Fields, Follower, Listener, Subscription};
use crate::ws::Millis;

use super::glob::fits;

/// The two numbers of an entry's id.
type Id = (u64, u64);

type Job = Box<dyn FnOnce() + Send>;

/// What waits.
pub(super) enum Event {
    Call(Job),
    Message {
        node: usize,
        subscription: Subscription,
        channel: Arc<str>,
        payload: Arc<[u8]>,
    },
    Entry {
        node: usize,
        stream: Arc<str>,
        id: Id,
    },
}

#[derive(Default)]
pub(super) struct State {
    now: Millis,
    nodes: Vec<Node>,
    events: VecDeque<Event>,
    streams: HashMap<Arc<str>, Stream>,
    keys: HashMap<String, (Vec<u8>, Millis)>,
    /// By when they are due; of one time, the first first.
    timers: BTreeMap<(Millis, u64), Job>,
    timers_made: u64,
    pub(super) published: Vec<(String, Vec<u8>, bool)>,
    pub(super) reported: Vec<AdapterError>,
}

#[derive(Default)]
struct Node {
    cut: bool,
    listeners: BTreeMap<Subscription, Arc<dyn Listener>>,
    followers: HashMap<Arc<str>, Following>,
}

struct Following {
    follower: Arc<dyn Follower>,
    last: Id,
}

#[derive(Default)]
struct Stream {
    last: Id,
    entries: BTreeMap<Id, Fields>,
}

impl State {
    pub(super) fn add_node(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    pub(super) fn now(&self) -> Millis {
        self.now
    }

    pub(super) fn push(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn waiting(&self) -> usize {
        self.events.len()
    }

    /// What is to be called, without a lock. None if nobody hears it any more.
    pub(super) fn prepare(&mut self, event: Event) -> Option<Job> {
        match event {
            Event::Call(job) => Some(job),
            Event::Message {
                node,
                subscription,
                channel,
                payload,
            } => {
                let node = self.nodes.get(node).filter(|node| !node.cut)?;
                let listener = Arc::clone(node.listeners.get(&subscription)?);
                Some(Box::new(move || listener.on_message(&channel, &payload)))
            }
            Event::Entry { node, stream, id } => {
                let fields = self.streams.get(&stream)?.entries.get(&id)?.clone();
                let node = self.nodes.get_mut(node).filter(|node| !node.cut)?;
                let following = node.followers.get_mut(&stream)?;
                if following.last >= id {
                    return None;
                }
                following.last = id;
                let follower = Arc::clone(&following.follower);
                Some(Box::new(move || follower.on_entry(&id_text(id), &fields)))
            }
        }
    }

    pub(super) fn check(&self, node: usize) -> Result<(), AdapterError> {
        match self.nodes.get(node) {
            Some(node) if !node.cut => Ok(()),
            _ => Err(AdapterError("the server in memory can't be reached".into())),
        }
    }

    pub(super) fn set_reachable(&mut self, node: usize, reachable: bool) {
        self.nodes[node].cut = !reachable;
        if reachable {
            let streams: Vec<Arc<str>> = self.nodes[node].followers.keys().cloned().collect();
            for stream in streams {
                self.catch_up(node, &stream);
            }
        }
    }

    fn catch_up(&mut self, node: usize, stream: &Arc<str>) {
        let (Some(following), Some(kept)) =
            (self.nodes[node].followers.get(stream), self.streams.get(stream))
        else {
            return;
        };
        for (id, _) in kept.entries.iter().filter(|(id, _)| **id > following.last) {
            self.events.push_back(Event::Entry {
                node,
                stream: Arc::clone(stream),
                id: *id,
            });
        }
    }

    pub(super) fn publish(&mut self, from: usize, channel: &str, payload: Vec<u8>, sharded: bool) {
        if self.check(from).is_err() {
            return;
        }
        let (name, bytes): (Arc<str>, Arc<[u8]>) = (channel.into(), payload.as_slice().into());
        for (node, state) in self.nodes.iter().enumerate().filter(|(_, node)| !node.cut) {
            let hears = |subscription: &&Subscription| match subscription {
                Subscription::Channel(own) => !sharded && own == channel,
                Subscription::Pattern(own) => !sharded && fits(own.as_bytes(), channel.as_bytes()),
                Subscription::Sharded(own) => sharded && own == channel,
            };
            for subscription in state.listeners.keys().filter(hears) {
                self.events.push_back(Event::Message {
                    node,
                    subscription: subscription.clone(),
                    channel: Arc::clone(&name),
                    payload: Arc::clone(&bytes),
                });
            }
        }
        self.published.push((channel.to_owned(), payload, sharded));
    }

    pub(super) fn subscribe(&mut self, node: usize, to: Subscription, listener: Arc<dyn Listener>) {
        self.nodes[node].listeners.insert(to, listener);
    }

    pub(super) fn unsubscribe(&mut self, node: usize, from: &Subscription) -> Option<Arc<dyn Listener>> {
        self.nodes[node].listeners.remove(from)
    }

    pub(super) fn subscriptions(&self, node: usize) -> Vec<Subscription> {
        self.nodes[node].listeners.keys().cloned().collect()
    }

    pub(super) fn subscribers(&self, channel: &str, sharded: bool) -> usize {
        let subscription = match sharded {
            true => Subscription::Sharded(channel.to_owned()),
            false => Subscription::Channel(channel.to_owned()),
        };
        let hears = |node: &&Node| !node.cut && node.listeners.contains_key(&subscription);
        self.nodes.iter().filter(hears).count()
    }

    pub(super) fn append(
        &mut self,
        name: &str,
        max_len: usize,
        fields: Vec<(&'static str, Vec<u8>)>,
    ) -> String {
        let name: Arc<str> = name.into();
        let stream = self.streams.entry(Arc::clone(&name)).or_default();
        let (at, number) = stream.last;
        let id = match at >= self.now {
            true => (at, number + 1),
            false => (self.now, 0),
        };
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value));
        stream.last = id;
        stream.entries.insert(id, fields.collect());
        while stream.entries.len() > max_len {
            stream.entries.pop_first();
        }
        let follows = |(_, node): &(usize, &Node)| !node.cut && node.followers.contains_key(&name);
        for (node, _) in self.nodes.iter().enumerate().filter(follows) {
            self.events.push_back(Event::Entry {
                node,
                stream: Arc::clone(&name),
                id,
            });
        }
        id_text(id)
    }

    pub(super) fn follow(&mut self, node: usize, stream: &str, follower: Arc<dyn Follower>) {
        let stream: Arc<str> = stream.into();
        let last = self.streams.get(&stream).map(|stream| stream.last);
        let following = Following {
            follower: Arc::clone(&follower),
            last: last.unwrap_or_default(),
        };
        let id = id_text(following.last);
        self.push(Event::Call(Box::new(move || follower.on_begin(&id))));
        self.nodes[node].followers.insert(stream, following);
    }

    pub(super) fn unfollow(&mut self, node: usize, stream: &str) {
        self.nodes[node].followers.remove(stream);
    }

    pub(super) fn range(&self, stream: &str, start: &str, end: &str, count: usize) -> Vec<Entry> {
        let Some(stream) = self.streams.get(stream) else {
            return Vec::new();
        };
        let (start_open, start) = bound(start, 0);
        let (end_open, end) = bound(end, u64::MAX);
        let inside =
            |id: &Id| (*id > start || *id == start && !start_open) && (*id < end || *id == end && !end_open);
        stream
            .entries
            .iter()
            .filter(|(id, _)| inside(id))
            .take(count)
            .map(|(id, fields)| (id_text(*id), fields.clone()))
            .collect()
    }

    pub(super) fn set(&mut self, from: usize, key: &str, value: Vec<u8>, ttl: Millis) {
        if self.check(from).is_ok() {
            self.keys.insert(key.to_owned(), (value, self.now + ttl));
        }
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Vec<u8>> {
        let (value, until) = self.keys.remove(key)?;
        (self.now < until).then_some(value)
    }

    pub(super) fn run_at(&mut self, after: Millis, job: Job) {
        self.timers_made += 1;
        self.timers.insert((self.now + after, self.timers_made), job);
    }

    /// The next timer that is due by then; the time is its time afterwards, or `until` if there is none.
    pub(super) fn next_timer(&mut self, until: Millis) -> Option<Job> {
        let due = self.timers.first_key_value().map(|((due, _), _)| *due);
        self.now = self.now.max(due.unwrap_or(until).min(until));
        due.filter(|due| *due <= until)?;
        self.timers.pop_first().map(|(_, job)| job)
    }
}

fn id_text((at, number): Id) -> String {
    format!("{at}-{number}")
}

/// An end of a range: whether it is outside (`(1-2`), and the id; without a number it is `number`. What is no id at all
/// is the lowest one.
fn bound(text: &str, number: u64) -> (bool, Id) {
    let (open, text) = match text.strip_prefix('(') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let id = match text {
        "-" => (0, 0),
        "+" => (u64::MAX, u64::MAX),
        _ => {
            let (at, own) = text.split_once('-').unwrap_or((text, ""));
            (at.parse().unwrap_or(0), own.parse().unwrap_or(number))
        }
    };
    (open, id)
}
