//! `cargo +nightly fuzz run machine` in `core`: any bytes as calls, deliveries and times of two machines back to back.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../machine.rs"]
mod machine;

fuzz_target!(|input: &[u8]| {
    machine::play_input(input);
});
