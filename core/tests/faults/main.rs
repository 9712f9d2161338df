//! What bad networks, full disks and dead peers do to connections: each fault has its clear error, in its time, on
//! both sides, and the other connections of the loop go on meanwhile.

#[path = "../support/mod.rs"]
mod support;

mod proxy;
mod scene;

mod disk;
mod halves;
mod resets;
mod slow;
mod stalls;
