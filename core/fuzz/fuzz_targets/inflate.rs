//! `cargo +nightly fuzz run inflate` in `core`: any bytes as compressed messages.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../inflate.rs"]
mod inflate;

fuzz_target!(|input: &[u8]| {
    inflate::inflate_input(input);
});
