//! The streams adapter: @socket.io/redis-streams-adapter 0.3, over one or more streams of Redis.
//!
//! What is for all nodes' sockets is appended to a stream, which all nodes read: after an outage they go on where they
//! were. Questions and their answers, which nobody wants later, are published. An entry's id is the offset of the event
//! in it; so a client may come back to any node, which finds in the stream what it has missed
//! ([connection state recovery](https://socket.io/docs/v4/connection-state-recovery)).
//!
//! All that is appended is done for this node's own sockets when it is read, so that all clients get all events in the
//! stream's order, and an offset says which ones a client has.

mod entry;
mod id;
mod live;
mod own;
mod reader;
mod returning;
mod session;
mod stored;

use std::sync::{Arc, Weak};

use super::super::{Adapter, Host, LocalAdapter};
use super::Bus;
use super::cluster::Cluster;
use crate::ws::Millis;
use reader::{Hears, Readers};
use stored::Stored;

/// How streams adapters are to be. The names are those of the official adapter's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamsOptions {
    /// What the names of channels begin with (`channelPrefix`). `socket.io`.
    pub key: String,
    /// The stream, or what the names of streams begin with. `socket.io`.
    pub stream_name: String,
    /// How many streams there are; each namespace is in one. 1.
    pub stream_count: usize,
    /// How many entries Redis keeps, about. 10,000.
    pub max_len: usize,
    /// Questions go by sharded pub/sub (`useShardedPubSub`). No.
    pub sharded: bool,
    /// What the keys of sessions begin with. `sio:session:`.
    pub session_key_prefix: String,
    /// How long a session is kept after its connection was lost, in milliseconds; `None`: clients don't come back.
    pub max_disconnection: Option<Millis>,
    /// Sessions are kept while their clients are connected, too: so soon as they have changed, and four times in
    /// `max_disconnection`. Then clients come back also when their node has died, or doesn't know yet that they have gone.
    /// The official adapter can't do that. Yes.
    pub keep_live: bool,
    /// How long other nodes' answers are waited for, in milliseconds. 5,000.
    pub requests_timeout: Millis,
}

impl Default for StreamsOptions {
    fn default() -> StreamsOptions {
        StreamsOptions {
            key: "socket.io".to_owned(),
            stream_name: "socket.io".to_owned(),
            stream_count: 1,
            max_len: 10_000,
            sharded: false,
            session_key_prefix: "sio:session:".to_owned(),
            max_disconnection: None,
            keep_live: true,
            requests_timeout: 5_000,
        }
    }
}

/// Makes the streams adapters of one node; a copy is the same.
#[derive(Clone)]
pub struct Streams(Arc<Shared>);

struct Shared {
    bus: Arc<dyn Bus>,
    options: StreamsOptions,
    readers: Readers,
}

impl Streams {
    /// For all namespaces of a node. Each stream is followed once, whatever the number of namespaces in it.
    pub fn new(bus: Arc<dyn Bus>, options: StreamsOptions) -> Streams {
        let readers = Readers::default();
        Streams(Arc::new(Shared {
            bus,
            options,
            readers,
        }))
    }

    /// Makes the adapter of a namespace. It hears the others at once, and until it is [closed](Adapter::close). `local` must
    /// not have a recovery store of its own.
    pub fn adapter<H: Host + 'static>(
        &self,
        local: Arc<LocalAdapter<H>>,
        namespace: &str,
    ) -> Arc<dyn Adapter> {
        let shared = Arc::clone(&self.0);
        let options = &shared.options;
        let stream = id::stream(&options.stream_name, options.stream_count, namespace);
        let cluster = Cluster::new(
            local,
            Arc::clone(&shared.bus),
            namespace,
            options.requests_timeout,
            |me: &Weak<Cluster<H, Stored>>| {
                let follow = |reader| shared.bus.follow(&stream, reader);
                let hears: Weak<dyn Hears> = Weak::<Cluster<H, Stored>>::clone(me);
                let reader = shared.readers.enter(&stream, namespace, hears, follow);
                Stored::new(&shared, stream.clone(), reader, namespace)
            },
        );
        cluster.listen();
        cluster
    }
}

#[cfg(test)]
mod tests;
