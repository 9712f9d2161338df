//! `cargo +nightly fuzz run socketio_client` in `core`: any packets and acts from a server for Socket.IO's client.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../socketio_client.rs"]
mod socketio_client;

fuzz_target!(|input: &[u8]| {
    socketio_client::play_input(input);
});
