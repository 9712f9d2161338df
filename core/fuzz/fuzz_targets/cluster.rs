//! `cargo +nightly fuzz run cluster` in `core`: any bytes as what comes over Redis to a node of a cluster.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../cluster.rs"]
mod cluster;

fuzz_target!(|input: &[u8]| {
    cluster::play_input(input);
});
