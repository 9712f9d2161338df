//! `cargo +nightly fuzz run socketio` in `core`: any messages as Socket.IO's packets, with attachments.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../socketio.rs"]
mod socketio;

fuzz_target!(|input: &[u8]| {
    socketio::decode_input(input);
});
