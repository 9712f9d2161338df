//! What bad networks, full disks and dead peers do to connections: each fault has its clear error, in its time, on
//! both sides, and the other connections of the loop go on meanwhile.

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "tls")]
#[allow(dead_code)]
#[path = "../support/certificates.rs"]
mod certificates;

mod proxy;
mod scene;

mod consumers;
mod disk;
mod halves;
mod resets;
mod returning;
#[cfg(feature = "tls")]
mod secured;
mod slow;
mod stalls;
