//! Messages, JSON, certificates and quantities as people read them.
//!
//! | file | what is there |
//! |---|---|
//! | `mod` | messages, and text that must not command the terminal |
//! | `json` | JSON over several lines |
//! | `quantity` | durations, sizes and numbers |
//! | `close` | close codes |
//! | `tls` | what was agreed on in a TLS handshake |
//! | `certificate` | what is in a certificate |

#[cfg(feature = "tls")]
mod certificate;
mod close;
pub(crate) mod json;
mod quantity;
mod tls;

use std::borrow::Cow;
use std::fmt::Write as _;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use sockline::MessageType;

pub(crate) use self::close::ending;
pub(crate) use self::quantity::{count, duration, number, rate, size};
pub(crate) use self::tls::tls;

use crate::arguments::{Coding, Format};
use crate::paint::Paint;

/// So many bytes of a binary message are shown on a terminal.
const SHOWN: usize = 4096;
const PER_LINE: usize = 16;

/// Text whose control characters are seen in place of obeyed, but for newlines and tabs: a peer must not move the cursor.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_control() || c == '\n' || c == '\t';
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if is_plain(c) => shown.push(c),
            '\x00'..='\x1f' => shown.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
            '\x7f' => shown.push('\u{2421}'),
            _ => {
                let _ = write!(shown, "\\x{:02x}", c as u32);
            }
        }
    }
    Cow::Owned(shown)
}

/// A message that has come. On a terminal it is made to be looked at, else to be read by a program: a binary one as one
/// line of hex (or base64), a text as it is.
pub(crate) fn message(
    kind: MessageType,
    data: &[u8],
    format: &Format,
    is_terminal: bool,
    paint: Paint,
) -> String {
    if kind == MessageType::Binary {
        return binary(data, format.binary.unwrap_or(Coding::Hex), is_terminal, paint);
    }
    let message = String::from_utf8_lossy(data);
    if let Some(pretty) = format.json.then(|| json::pretty(&message, paint)).flatten() {
        return pretty;
    }
    match is_terminal {
        true => text(&message).into_owned(),
        false => message.into_owned(),
    }
}

fn binary(data: &[u8], coding: Coding, is_terminal: bool, paint: Paint) -> String {
    let shown = &data[..data.len().min(if is_terminal { SHOWN } else { usize::MAX })];
    let mut out = match coding {
        Coding::Base64 => BASE64.encode(shown),
        Coding::Hex if !is_terminal => HEXLOWER.encode(shown),
        Coding::Hex if data.is_empty() => paint.dim("(binary, empty)").to_string(),
        Coding::Hex => dump(shown, paint),
    };
    if shown.len() < data.len() {
        let left = size((data.len() - shown.len()) as u64);
        let _ = write!(out, "\n{}", paint.dim(format!("and {left} more")));
    }
    out
}

/// Hex, and beside it what can be read of it; with offsets where it takes more than a line.
fn dump(data: &[u8], paint: Paint) -> String {
    let mut out = String::new();
    for (row, bytes) in data.chunks(PER_LINE).enumerate() {
        if data.len() > PER_LINE {
            if row > 0 {
                out.push('\n');
            }
            let _ = write!(out, "{} ", paint.dim(format!("{:06x} ", row * PER_LINE)));
        }
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let readable: String = bytes
            .iter()
            .map(|byte| match byte {
                b' '..=b'~' => char::from(*byte),
                _ => '.',
            })
            .collect();
        let width = if data.len() > PER_LINE { 3 * PER_LINE } else { 0 };
        let _ = write!(
            out,
            "{:width$} {}",
            hex.join(" "),
            paint.dim(format!("|{readable}|"))
        );
    }
    out
}

/// The bytes that were typed.
pub(crate) fn bytes(typed: &str, coding: Coding) -> Result<Vec<u8>, String> {
    let dense: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .collect();
    match coding {
        Coding::Hex => HEXLOWER_PERMISSIVE
            .decode(dense.strip_prefix("0x").unwrap_or(&dense).as_bytes())
            .map_err(|_| {
                "not hex; with --binary, bytes are typed as in \"01 ff\", two digits each".to_owned()
            }),
        Coding::Base64 => BASE64
            .decode(dense.as_bytes())
            .map_err(|_| "not base64; with --binary=base64, bytes are typed as in \"Af8=\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format {
        binary: None,
        json: false,
        quiet: false,
    };

    #[test]
    fn a_peer_can_not_command_the_terminal() {
        assert_eq!(text("a\x1b[2Jb\r\x07\n\tc"), "a␛[2Jb␍␇\n\tc");
        assert_eq!(text("\u{9b}31m\x7f"), "\\x9b31m␡");
        assert_eq!(text("plain ☃"), "plain ☃");
    }

    #[test]
    fn programs_get_texts_as_they_are_and_bytes_as_hex() {
        let shown = |kind, data: &[u8]| message(kind, data, &FORMAT, false, Paint::OFF);
        assert_eq!(shown(MessageType::Text, b"a\x1b[2J"), "a\x1b[2J");
        assert_eq!(shown(MessageType::Binary, &[0, 171, 255]), "00abff");
    }

    #[test]
    fn short_bytes_take_one_line() {
        let shown = message(MessageType::Binary, b"\x00abc", &FORMAT, true, Paint::OFF);
        assert_eq!(shown, "00 61 62 63 |.abc|");
    }

    #[test]
    fn long_bytes_are_dumped_with_offsets() {
        let shown = message(MessageType::Binary, &[65; 20], &FORMAT, true, Paint::OFF);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("000000  41 41"), "{shown}");
        assert_eq!(lines[1], format!("000010  {:48} |AAAA|", "41 41 41 41"));
    }

    #[test]
    fn very_long_bytes_are_cut_on_a_terminal_only() {
        let data = vec![0; 10_000];
        let shown = message(MessageType::Binary, &data, &FORMAT, true, Paint::OFF);
        assert!(
            shown.ends_with("and 5.77 KiB more"),
            "{}",
            &shown[shown.len() - 40..]
        );
        let piped = message(MessageType::Binary, &data, &FORMAT, false, Paint::OFF);
        assert_eq!(piped.len(), 20_000);
    }

    #[test]
    fn bytes_can_be_typed_in_both_codings() {
        assert_eq!(bytes("00 aB:ff", Coding::Hex), Ok(vec![0, 171, 255]));
        assert_eq!(bytes("0xff", Coding::Hex), Ok(vec![255]));
        assert_eq!(bytes("AKv/", Coding::Base64), Ok(vec![0, 171, 255]));
        assert!(bytes("f", Coding::Hex).is_err());
        assert!(bytes("zz", Coding::Hex).is_err());
        assert!(bytes("A", Coding::Base64).is_err());
    }
}
