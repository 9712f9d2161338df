//! What a handle makes: adapters for namespaces, and emitters.

use std::sync::Arc;

use super::classic::{ClassicAdapter, ClassicOptions};
use super::python::{Hub, PythonAdapter, PythonOptions};
use super::sharded::{ShardedOptions, sharded_adapter};
use super::streams::{Streams, StreamsOptions};
use super::{Emitter, Redis, RedisMode};
use crate::adapter::{Adapter, Host, LocalAdapter};
use crate::ws::Millis;

impl Redis {
    /// What makes adapters for the namespaces of one server, in the mode of the options. Sessions can be recovered on other
    /// nodes, if the mode can do that, for `max_disconnection` milliseconds. A handle carries one adapter of each namespace:
    /// two servers in one process need a handle each, or one of them would hear nothing.
    pub fn adapters(&self, max_disconnection: Option<Millis>) -> Adapters {
        let (bus, options) = (Arc::clone(self.bus()), self.options());
        let key = options.key.clone();
        let make = match options.mode {
            RedisMode::Classic => Make::Classic(ClassicOptions {
                key,
                requests_timeout: options.requests_timeout,
                publish_on_specific_response_channel: options.publish_on_specific_response_channel,
            }),
            RedisMode::Sharded => Make::Sharded(ShardedOptions {
                key,
                subscription_mode: options.subscription_mode,
                requests_timeout: options.requests_timeout,
            }),
            RedisMode::Streams => {
                let options = StreamsOptions {
                    key,
                    stream_name: options.stream_name.clone(),
                    stream_count: options.stream_count,
                    max_len: options.max_len,
                    session_key_prefix: options.session_key_prefix.clone(),
                    max_disconnection,
                    requests_timeout: options.requests_timeout,
                    ..StreamsOptions::default()
                };
                Make::Streams(Streams::new(bus, options))
            }
            RedisMode::PythonSocketio => {
                let options = PythonOptions {
                    channel: options.channel.clone(),
                    requests_timeout: options.requests_timeout,
                };
                Make::Python(Hub::new(bus, options))
            }
        };
        let redis = self.clone();
        Adapters { redis, make }
    }

    /// An emitter for the namespace "/", which keeps this handle.
    pub fn emitter(&self) -> Emitter {
        Emitter::new(self)
    }
}

/// Makes adapters for the namespaces of one server, and keeps their connection to Redis.
pub struct Adapters {
    redis: Redis,
    make: Make,
}

enum Make {
    Classic(ClassicOptions),
    Sharded(ShardedOptions),
    Streams(Streams),
    Python(Arc<Hub>),
}

impl Adapters {
    /// An adapter for a namespace, which hears the others from now on. Where [`Adapters::keep_sessions`] is true, `local`
    /// must have no recovery store.
    pub fn adapter<H: Host + 'static>(
        &self,
        namespace: &str,
        local: Arc<LocalAdapter<H>>,
    ) -> Arc<dyn Adapter> {
        let bus = Arc::clone(self.redis.bus());
        match &self.make {
            Make::Classic(options) => Arc::new(ClassicAdapter::new(namespace, local, bus, options.clone())),
            Make::Sharded(options) => sharded_adapter(local, bus, namespace, options),
            Make::Streams(streams) => streams.adapter(local, namespace),
            Make::Python(hub) => Arc::new(PythonAdapter::new(namespace, local, Arc::clone(hub))),
        }
    }

    /// Whether the adapters keep what sessions need to come back, so that the nodes don't.
    pub fn keep_sessions(&self) -> bool {
        matches!(self.make, Make::Streams(_))
    }
}
