//! `cargo +nightly fuzz run handshake` in `core`: any bytes as the heads of an opening handshake, and as URLs.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../handshake.rs"]
mod handshake;

fuzz_target!(|input: &[u8]| {
    handshake::judge_input(input);
});
