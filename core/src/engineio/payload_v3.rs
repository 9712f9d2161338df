//! Payloads of revision 3: each packet behind its length.
//!
//! As text, `<length>:<packet>`, with the length in UTF-16 units, as JavaScript counts. As bytes, 0 for text and 1 for
//! binary, the length's decimal digits as the bytes 0 to 9, 255, and the packet.

use super::packet::{self, Data, Packet, PacketType, ParseError, Version};
use super::payload::PayloadType;

/// More digits than any body has bytes.
const MAX_DIGITS: usize = 15;
const END_OF_LENGTH: u8 = 255;

#[derive(Debug, Clone)]
pub(super) struct TextPackets<'a> {
    rest: &'a str,
    is_new: bool,
}

impl<'a> TextPackets<'a> {
    pub(super) fn new(text: &'a str) -> TextPackets<'a> {
        TextPackets {
            rest: text,
            is_new: true,
        }
    }

    fn take(&mut self) -> Result<Packet<'a>, ParseError> {
        let (length, after) = self.rest.split_once(':').ok_or(ParseError)?;
        let is_number = length.len() <= MAX_DIGITS && length.bytes().all(|byte| byte.is_ascii_digit());
        let units: usize = length.parse().ok().filter(|_| is_number).ok_or(ParseError)?;
        let (packet, rest) = split_utf16(after, units).ok_or(ParseError)?;
        self.rest = rest;
        Packet::decode_text(Version::V3, packet)
    }
}

impl<'a> Iterator for TextPackets<'a> {
    type Item = Result<Packet<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        // An empty body is an error, but not what follows the last packet.
        let is_empty_body = std::mem::take(&mut self.is_new) && self.rest.is_empty();
        // How the official server writes a payload without packets.
        self.rest = self.rest.trim_start_matches("0:");
        if self.rest.is_empty() && !is_empty_body {
            return None;
        }
        let packet = self.take();
        if packet.is_err() {
            self.rest = "";
        }
        Some(packet)
    }
}

/// Cuts so many UTF-16 units off; `None` if there are fewer, or where a character would be cut.
fn split_utf16(text: &str, units: usize) -> Option<(&str, &str)> {
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return text.split_at_checked(at);
        }
        left = left.checked_sub(character.len_utf16())?;
    }
    (left == 0).then_some((text, ""))
}

#[derive(Debug, Clone)]
pub(super) struct BinaryPackets<'a> {
    rest: &'a [u8],
}

impl<'a> BinaryPackets<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> BinaryPackets<'a> {
        BinaryPackets { rest: bytes }
    }

    fn take(&mut self) -> Result<Packet<'a>, ParseError> {
        let (is_binary, after) = match self.rest.split_first() {
            Some((0, after)) => (false, after),
            Some((1, after)) => (true, after),
            _ => return Err(ParseError),
        };
        let digits = after
            .iter()
            .take(MAX_DIGITS + 1)
            .position(|byte| *byte == END_OF_LENGTH)
            .filter(|digits| *digits > 0)
            .ok_or(ParseError)?;
        let (number, after) = after.split_at_checked(digits).ok_or(ParseError)?;
        let length = number.iter().try_fold(0_usize, |length, digit| {
            (*digit < 10).then(|| length * 10 + usize::from(*digit))
        });
        let after = after.get(1..).ok_or(ParseError)?;
        let (packet, rest) = after
            .split_at_checked(length.ok_or(ParseError)?)
            .ok_or(ParseError)?;
        self.rest = rest;
        if is_binary {
            return Packet::decode_binary(Version::V3, packet);
        }
        let text = simdutf8::basic::from_utf8(packet).map_err(|_| ParseError)?;
        Packet::decode_text(Version::V3, text)
    }
}

impl<'a> Iterator for BinaryPackets<'a> {
    type Item = Result<Packet<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let packet = self.take();
        if packet.is_err() {
            self.rest = &[];
        }
        Some(packet)
    }
}

/// Appends a payload: as text unless there is something binary and the peer takes that.
pub(super) fn encode<'a>(
    takes_binary: bool,
    packets: impl Iterator<Item = (PacketType, Data<'a>)> + Clone,
    out: &mut Vec<u8>,
) -> PayloadType {
    let as_bytes = takes_binary && packets.clone().any(|(_, data)| matches!(data, Data::Binary(_)));
    let mut packet = Vec::new();
    for (kind, data) in packets {
        packet.clear();
        match data {
            Data::Text(text) => packet::encode_text(kind, text, &mut packet),
            Data::Binary(bytes) if as_bytes => packet::encode_binary(Version::V3, bytes, &mut packet),
            Data::Binary(bytes) => packet::encode_base64(Version::V3, bytes, &mut packet),
        }
        if as_bytes {
            out.push(u8::from(matches!(data, Data::Binary(_))));
            let digits = packet.len().to_string();
            out.extend(digits.bytes().map(|digit| digit - b'0'));
            out.push(END_OF_LENGTH);
        } else {
            let units: usize = match data {
                Data::Text(text) => 1 + text.chars().map(char::len_utf16).sum::<usize>(),
                Data::Binary(_) => packet.len(),
            };
            out.extend_from_slice(units.to_string().as_bytes());
            out.push(b':');
        }
        out.extend_from_slice(&packet);
    }
    if as_bytes {
        PayloadType::Binary
    } else {
        PayloadType::Text
    }
}
