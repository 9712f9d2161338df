//! The Socket.IO server as a whole: what all of a crowd leaves behind, and how exact its clock is. One test after the other,
//! because one counts all memory and the other needs the processor.

#[path = "../support/heap.rs"]
#[allow(dead_code)] // other tests use the rest
mod heap;
#[path = "../support/mod.rs"]
mod support;

mod crowd;
mod heartbeat;

static ONE_AT_A_TIME: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
