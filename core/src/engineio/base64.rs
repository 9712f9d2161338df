//! Base64 as the peers write it, and as leniently read as it can be without guessing.

use std::sync::LazyLock;

use data_encoding::{BASE64, Encoding, Specification};

/// Standard and URL-safe alphabets, padding taken off before: some clients leave it out. JavaScript's own reader skips
/// whatever it doesn't know; that would make two different texts the same message, so it isn't copied.
static LENIENT: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    specification.translate.from.push_str("-_");
    specification.translate.to.push_str("+/");
    specification.check_trailing_bits = false;
    specification.encoding().ok()
});

/// Appends the standard form, padded.
pub(super) fn encode(data: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + BASE64.encode_len(data.len()), 0);
    if let Some(room) = out.get_mut(start..) {
        BASE64.encode_mut(data, room);
    }
}

/// The bytes; `None` if it isn't base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    LENIENT.as_ref()?.decode(text.as_bytes()).ok()
}
