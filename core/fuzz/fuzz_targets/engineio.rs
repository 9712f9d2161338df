//! `cargo +nightly fuzz run engineio` in `core`: any bytes as packets, payloads, and the acts around a session.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../engineio.rs"]
mod engineio;

fuzz_target!(|input: &[u8]| {
    engineio::judge_input(input);
});
