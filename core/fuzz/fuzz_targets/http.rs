//! `cargo +nightly fuzz run http` in `core`: any bytes as requests, responses, bodies, file requests and headers.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../http.rs"]
mod http;

fuzz_target!(|input: &[u8]| {
    http::judge_input(input);
});
