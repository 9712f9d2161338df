//! `cargo +nightly fuzz run redis` in `core`: any bytes as what nodes of a cluster publish.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../redis.rs"]
mod redis;

fuzz_target!(|input: &[u8]| {
    redis::read_input(input);
});
