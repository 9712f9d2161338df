//! `cargo +nightly fuzz run engineio_client` in `core`: any bytes and acts from a server for Engine.IO's client.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../engineio_client.rs"]
mod engineio_client;

fuzz_target!(|input: &[u8]| {
    engineio_client::play_input(input);
});
