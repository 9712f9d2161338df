//! A cluster over Redis: nodes tell each other by what they publish and append there.
//!
//! What the nodes say is one thing, how it gets there another: between the two is the [`Bus`].

mod bus;
pub mod classic;
mod cluster;
mod emitter;
pub mod memory;
pub mod sharded;
pub mod streams;
pub mod values;

pub use bus::{Bus, Entry, Fields, Follower, Listener, RedisEvents, Subscription};
pub use emitter::{Emitter, EmitterOperator};
