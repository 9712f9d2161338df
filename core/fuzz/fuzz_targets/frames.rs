//! `cargo +nightly fuzz run frames` in `core`: any bytes as a stream of frames, for our decoder and tungstenite's.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../differential.rs"]
mod differential;

fuzz_target!(|input: &[u8]| {
    differential::compare_input(input);
});
