//! Nodes, and what they hear.

use std::fmt::Debug;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sockline::adapter::redis::{Bus, Follower, Listener, Redis, RedisEvents, RedisOptions, Subscription};
use sockline::adapter::{AdapterError, Reply};

/// How long a broken build may hang.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a node is told, in words.
pub struct Ears {
    sender: Sender<String>,
    receiver: Receiver<String>,
}

impl Ears {
    pub fn new() -> Ears {
        let (sender, receiver) = channel();
        Ears { sender, receiver }
    }

    /// Says what it hears after a word.
    pub fn mouth(&self, word: &str) -> Arc<Mouth> {
        Arc::new(Mouth(word.to_owned(), Mutex::new(self.sender.clone())))
    }

    #[track_caller]
    pub fn hear(&self) -> String {
        let heard = self.receiver.recv_timeout(PATIENCE);
        heard.expect("something had to be heard")
    }

    /// What comes in this time.
    pub fn hear_within(&self, time: Duration) -> Option<String> {
        self.receiver.recv_timeout(time).ok()
    }

    /// What comes first that begins so; everything before it is forgotten.
    #[track_caller]
    pub fn hear_of(&self, beginning: &str) -> String {
        loop {
            let heard = self.hear();
            if heard.starts_with(beginning) {
                return heard;
            }
        }
    }

    /// What was heard until now.
    pub fn rest(&self) -> Vec<String> {
        self.receiver.try_iter().collect()
    }
}

pub struct Mouth(String, Mutex<Sender<String>>);

impl Mouth {
    pub fn say(&self, text: impl AsRef<str>) {
        let line = format!("{} {}", self.0, text.as_ref());
        let _ = self.1.lock().unwrap().send(line);
    }
}

impl Listener for Mouth {
    fn on_message(&self, channel: &str, payload: &[u8]) {
        self.say(format!("{channel} {}", String::from_utf8_lossy(payload)));
    }
}

impl Follower for Mouth {
    fn on_begin(&self, id: &str) {
        self.say(format!("from {id}"));
    }

    fn on_entry(&self, id: &str, fields: &[(Vec<u8>, Vec<u8>)]) {
        assert!(id.contains('-'), "{id}");
        let fields = fields.iter().map(|(name, value)| {
            let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
            text(name) + "=" + &text(value)
        });
        self.say(fields.collect::<Vec<_>>().join(" "));
    }
}

impl RedisEvents for Mouth {
    fn on_error(&self, error: &AdapterError) {
        self.say(format!("error: {error}"));
    }

    fn on_connected(&self) {
        self.say("connected");
    }

    fn on_disconnected(&self, why: &AdapterError) {
        self.say(format!("disconnected: {why}"));
    }

    fn on_closed(&self) {
        self.say("closed");
    }
}

/// A node, with the events of its connection.
pub struct Node {
    pub redis: Redis,
    pub events: Ears,
    pub ears: Ears,
}

impl Node {
    pub fn new(url: &str) -> Node {
        Node::with(url, |_| {})
    }

    pub fn with(url: &str, change: impl FnOnce(&mut RedisOptions)) -> Node {
        let events = Ears::new();
        let mut options = RedisOptions::new(url);
        change(&mut options);
        let redis = Redis::new(options, Some(events.mouth("redis"))).unwrap();
        Node {
            redis,
            events,
            ears: Ears::new(),
        }
    }

    /// A node that is connected.
    #[track_caller]
    pub fn connected(url: &str) -> Node {
        let node = Node::new(url);
        assert_eq!(node.events.hear(), "redis connected");
        node
    }

    pub fn bus(&self) -> &Arc<dyn Bus> {
        self.redis.bus()
    }

    /// Subscribes, and waits until Redis has confirmed.
    #[track_caller]
    pub fn subscribe(&self, word: &str, subscription: Subscription) {
        let done = answer(|reply| {
            self.bus()
                .subscribe(subscription, self.ears.mouth(word), Some(reply));
        });
        done.unwrap();
    }

    pub fn publish(&self, channel: &str, text: impl Into<String>) {
        self.bus().publish(channel, text.into().into_bytes(), false);
    }

    pub fn spublish(&self, channel: &str, text: impl Into<String>) {
        self.bus().publish(channel, text.into().into_bytes(), true);
    }

    #[track_caller]
    pub fn subscribers(&self, channel: &str, sharded: bool) -> usize {
        answer(|reply| self.bus().subscribers(channel, sharded, reply)).unwrap()
    }

    #[track_caller]
    pub fn append(&self, stream: &str, text: &str) -> Result<String, AdapterError> {
        let fields = vec![("text", text.as_bytes().to_vec())];
        answer(|reply| self.bus().append(stream, 1000, fields, reply))
    }

    #[track_caller]
    pub fn take(&self, key: &str) -> Result<Option<Vec<u8>>, AdapterError> {
        answer(|reply| self.bus().take(key, reply))
    }

    #[track_caller]
    pub fn flush(&self) -> Result<(), AdapterError> {
        answer(|reply| self.redis.flush(reply))
    }
}

/// What a reply says.
#[track_caller]
pub fn answer<T: Send + Debug + 'static>(ask: impl FnOnce(Reply<T>)) -> T {
    let (sender, receiver) = channel();
    ask(Box::new(move |answer| {
        let _ = sender.send(answer);
    }));
    let answer = receiver.recv_timeout(PATIENCE);
    answer.expect("replies always come")
}

pub fn channel_of(name: &str) -> Subscription {
    Subscription::Channel(name.into())
}

pub fn pattern(name: &str) -> Subscription {
    Subscription::Pattern(name.into())
}

pub fn sharded(name: &str) -> Subscription {
    Subscription::Sharded(name.into())
}
