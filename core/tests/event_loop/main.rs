//! The event loop, the client and the server, against each other and against foreign peers, on real sockets.
//!
//! One program, because it shares its helpers; what needs a process of its own starts it again.

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "redis")]
#[path = "../support/courier.rs"]
mod courier;

mod adopting;
mod backpressure;
mod broadcast;
mod buffered;
mod calls;
mod compression;
mod connecting;
mod contract;
mod dialing;
mod draining;
mod elsewhere;
mod ending;
mod failures;
mod files;
mod foreign;
mod given;
mod gone;
mod homes;
mod inside;
mod keeping;
mod limits;
mod liveness;
mod lone;
mod metrics;
mod parts;
mod passing;
mod processes;
mod proxies;
mod queue;
mod reading;
mod reconnecting;
mod redirects;
mod routes;
mod sent;
mod server_metrics;
mod serving;
mod shared;
mod slow;
mod spinning;
mod threads;
mod together;
mod topics;
#[cfg(feature = "redis")]
mod topics_of_clusters;
mod turning;
mod waiting;
