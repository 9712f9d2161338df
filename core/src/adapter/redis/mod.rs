//! A cluster over Redis: nodes tell each other by what they publish and append there.
//!
//! What the nodes say is one thing, how it gets there another: between the two is the [`Bus`]. [`Redis`] has one, with the
//! options.

mod bus;
pub mod classic;
mod cluster;
mod connection;
mod emitter;
pub(crate) mod forwarding;
mod handle;
mod making;
pub mod memory;
mod options;
pub mod python;
pub mod sharded;
pub mod streams;
mod topics;
pub mod values;

pub use bus::{Bus, Entry, Fields, Follower, Listener, RedisEvents, Subscription};
pub use emitter::{Emitter, EmitterOperator};
pub use handle::Redis;
pub use making::Adapters;
pub use options::{RedisMode, RedisOptions, RedisTls};
pub use sharded::SubscriptionMode;
pub(crate) use topics::Member;
