//! The Socket.IO server over a real loop, against clients that speak bytes.

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "redis")]
#[path = "../support/courier.rs"]
mod courier;
#[cfg(feature = "redis")]
#[path = "../support/redis.rs"]
mod redis;

mod acks;
mod admin;
mod broadcasts;
mod closing;
#[cfg(feature = "redis")]
mod cluster;
#[cfg(feature = "redis")]
mod cluster_python;
#[cfg(feature = "redis")]
mod cluster_recovery;
#[cfg(feature = "redis")]
mod cluster_redis;
mod connecting;
mod events;
mod fixture;
mod foreign;
#[cfg(feature = "redis")]
mod forwarding;
#[cfg(feature = "redis")]
mod inquiries;
mod leaving;
mod namespaces;
mod old_clients;
mod parsers;
mod pressure;
mod recovery;
mod rooms;
mod sessions;
mod threads;
