//! `cargo +nightly fuzz run msgpack` in `core`: any bytes as Socket.IO's packets in MessagePack.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../msgpack.rs"]
mod msgpack;

fuzz_target!(|input: &[u8]| {
    msgpack::decode_input(input);
});
