//! The bus over Redis, with servers of Redis.

#![cfg(feature = "redis")]

mod alone;
mod cluster;
mod operations;
mod outages;
mod places;
mod scene;
mod sentinel;

#[path = "../support/certificates.rs"]
#[allow(dead_code)]
mod certificates;
#[path = "../support/child.rs"]
#[allow(dead_code)]
mod child;
#[path = "../support/redis.rs"]
mod redis;
