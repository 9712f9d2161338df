//! The seam between what nodes say to each other and how it gets there.

use std::sync::Arc;

use crate::ws::Millis;

use super::super::{AdapterError, Reply};

/// What can be subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subscription {
    /// One channel (`SUBSCRIBE`).
    Channel(String),
    /// All channels whose names fit a pattern (`PSUBSCRIBE`).
    Pattern(String),
    /// One sharded channel (`SSUBSCRIBE`, Redis 7).
    Sharded(String),
}

impl Subscription {
    /// The channel or the pattern.
    pub fn name(&self) -> &str {
        match self {
            Subscription::Channel(name) | Subscription::Pattern(name) | Subscription::Sharded(name) => name,
        }
    }
}

/// Hears what is published.
pub trait Listener: Send + Sync {
    /// A message has come. On the bus' thread, in the order in which they come; must not wait.
    fn on_message(&self, channel: &str, payload: &[u8]);
}

/// The names and values of a stream's entry, in their order.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// An entry of a stream: its id and its fields.
pub type Entry = (String, Fields);

/// Hears what is appended to a stream.
pub trait Follower: Send + Sync {
    /// It begins: all entries behind the one with this id will be told, none before. `0-0` if there was none. On the bus'
    /// thread, once, before the first entry.
    fn on_begin(&self, id: &str);

    /// An entry has come. On the bus' thread, in the order of the ids, each once; must not wait.
    fn on_entry(&self, id: &str, fields: &[(Vec<u8>, Vec<u8>)]);
}

/// One node's connection to Redis. All may be called on any thread, none blocks and none calls back before it returns.
///
/// What is subscribed to or followed stays so over reconnects, until it is taken back. Every [`Reply`] comes, with an
/// error if Redis can't be reached: at once if that is known, else after the command timeout. A reply comes on the bus'
/// thread, as messages do; if the bus has ended, on the caller's.
pub trait Bus: Send + Sync {
    /// `PUBLISH`, or `SPUBLISH`. In the order of the calls. While Redis can't be reached messages are dropped, which is
    /// told as an error once per outage.
    fn publish(&self, channel: &str, payload: Vec<u8>, sharded: bool);

    /// The same, in the same order, and says how many connections have got it, on all nodes of a Redis Cluster; patterns don't
    /// count. After an error some may have got it, too.
    fn deliver(
        &self,
        channel: &str,
        payload: Vec<u8>,
        sharded: bool,
        reply: Reply<Result<usize, AdapterError>>,
    );

    /// Begins to hear a channel. A bus has at most one subscription and one listener per name: another listener
    /// replaces the one before. `done` comes when Redis has confirmed, or with an error; the subscription stays wanted
    /// then, and is made when Redis can be reached again.
    fn subscribe(
        &self,
        subscription: Subscription,
        listener: Arc<dyn Listener>,
        done: Option<Reply<Result<(), AdapterError>>>,
    );

    /// Hears a channel no longer. A message that is on its way may still be told.
    fn unsubscribe(&self, subscription: &Subscription);

    /// How many connections are subscribed to a channel (`PUBSUB NUMSUB`, `PUBSUB SHARDNUMSUB`), on all nodes of a Redis
    /// Cluster. Patterns don't count.
    fn subscribers(&self, channel: &str, sharded: bool, reply: Reply<Result<usize, AdapterError>>);

    /// Appends an entry to a stream (`XADD`), of which Redis keeps about the last `max_len`. The answer is its id.
    fn append(
        &self,
        stream: &str,
        max_len: usize,
        fields: Vec<(&'static str, Vec<u8>)>,
        reply: Reply<Result<String, AdapterError>>,
    );

    /// Hears what is appended to a stream from now on (`XREAD`), or, if Redis can't be reached, from when it can. After an outage it goes on behind the last entry that
    /// was told. A bus has at most one follower per stream: another one replaces the one before.
    fn follow(&self, stream: &str, follower: Arc<dyn Follower>);

    /// Hears of a stream no longer. Entries that are on their way may still be told.
    fn unfollow(&self, stream: &str);

    /// The entries of a stream from one id to another (`XRANGE`), `count` at most.
    fn range(
        &self,
        stream: &str,
        start: &str,
        end: &str,
        count: usize,
        reply: Reply<Result<Vec<Entry>, AdapterError>>,
    );

    /// Keeps a value for a while (`SET PX`). While Redis can't be reached it is dropped, as messages are.
    fn set(&self, key: &str, value: Vec<u8>, ttl: Millis);

    /// Gets a value and deletes it, so that only one node gets it (`MULTI`, `GET`, `DEL`, `EXEC`).
    fn take(&self, key: &str, reply: Reply<Result<Option<Vec<u8>>, AdapterError>>);

    /// Calls `job` on the bus' thread in so many milliseconds; never, if the bus has ended by then.
    fn run_at(&self, after: Millis, job: Box<dyn FnOnce() + Send>);

    /// Has [`RedisEvents::on_error`] hear what went wrong between nodes; what is said again before anything else happens is
    /// told once.
    fn report(&self, error: AdapterError);
}

/// Hears how a bus is, on its thread.
pub trait RedisEvents: Send + Sync {
    /// Something went wrong that no reply tells of.
    fn on_error(&self, error: &AdapterError);

    /// All connections are up and all that was subscribed to is heard, for the first time or again.
    fn on_connected(&self) {}

    /// Redis can't be reached any more; it is tried again until the bus ends.
    fn on_disconnected(&self, why: &AdapterError) {
        let _ = why;
    }

    /// The bus has ended; the last event.
    fn on_closed(&self) {}
}
