//! Packets: a type and data.
//!
//! Over a WebSocket each message is one packet: text begins with the digit of its type; a binary message is a `message`
//! packet by itself in revision 4, and begins with the byte 4 in revision 3. Where only text can go (polling, clients
//! that ask for `b64`), binary data is base64 behind a `b` (`b4` in revision 3).

use std::borrow::Cow;
use std::fmt;

use super::base64;

/// The revision of the protocol, as in the query parameter `EIO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// Clients of Socket.IO 1 and 2: the client sends the pings.
    V3 = 3,
    /// Clients of Socket.IO 3 and 4: the server sends the pings.
    V4 = 4,
}

/// What a packet is; the numbers are the digits on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// The server's first packet: the session's id and timings, as JSON.
    Open = 0,
    /// The session ends.
    Close = 1,
    /// Asks for a `pong`; `probe` as data tries a transport out.
    Ping = 2,
    /// Answers a `ping`, with the same data.
    Pong = 3,
    /// Data of the application.
    Message = 4,
    /// The client is now on the other transport.
    Upgrade = 5,
    /// Nothing; ends a poll.
    Noop = 6,
}

impl PacketType {
    /// The type with this ASCII digit.
    pub fn from_digit(digit: u8) -> Option<PacketType> {
        Some(match digit {
            b'0' => PacketType::Open,
            b'1' => PacketType::Close,
            b'2' => PacketType::Ping,
            b'3' => PacketType::Pong,
            b'4' => PacketType::Message,
            b'5' => PacketType::Upgrade,
            b'6' => PacketType::Noop,
            _ => return None,
        })
    }

    /// The ASCII digit on the wire.
    pub fn digit(self) -> u8 {
        b'0' + self as u8
    }
}

/// Data of a packet, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// Text.
    Text(&'a str),
    /// Any bytes.
    Binary(&'a [u8]),
}

impl Data<'_> {
    /// Bytes of the data itself, as UTF-8 where it is text.
    pub fn len(&self) -> usize {
        match self {
            Data::Text(text) => text.len(),
            Data::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Data of a packet that was read: its own only where it had to be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// Text; empty for a packet without data.
    Text(&'a str),
    /// Any bytes.
    Binary(Cow<'a, [u8]>),
}

/// A packet that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: PacketType,
    /// What it carries.
    pub body: Body<'a>,
}

/// Not a packet, or not a payload: the session ends with "parse error".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseError;

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parser error")
    }
}

impl std::error::Error for ParseError {}

impl<'a> Packet<'a> {
    /// A packet with text, or without data.
    pub fn text(kind: PacketType, text: &'a str) -> Packet<'a> {
        Packet {
            kind,
            body: Body::Text(text),
        }
    }

    /// Reads a packet from a WebSocket's text message, or from the piece of a payload.
    ///
    /// # Errors
    /// An empty text, an unknown type, and `b` without base64 behind it.
    pub fn decode_text(version: Version, text: &'a str) -> Result<Packet<'a>, ParseError> {
        let first = *text.as_bytes().first().ok_or(ParseError)?;
        let rest = text.get(1..).ok_or(ParseError)?;
        if first == b'b' {
            return Packet::decode_base64(version, rest);
        }
        let kind = PacketType::from_digit(first).ok_or(ParseError)?;
        Ok(Packet::text(kind, rest))
    }

    /// Reads a packet from a WebSocket's binary message.
    ///
    /// # Errors
    /// In revision 3 an empty message, and an unknown type.
    pub fn decode_binary(version: Version, bytes: &'a [u8]) -> Result<Packet<'a>, ParseError> {
        let (kind, data) = match version {
            Version::V4 => (PacketType::Message, bytes),
            Version::V3 => {
                let (first, rest) = bytes.split_first().ok_or(ParseError)?;
                let kind = first.checked_add(b'0').and_then(PacketType::from_digit);
                (kind.ok_or(ParseError)?, rest)
            }
        };
        Ok(Packet {
            kind,
            body: Body::Binary(Cow::Borrowed(data)),
        })
    }

    /// What it carries.
    pub fn data(&self) -> Data<'_> {
        match &self.body {
            Body::Text(text) => Data::Text(text),
            Body::Binary(bytes) => Data::Binary(bytes),
        }
    }

    fn decode_base64(version: Version, rest: &str) -> Result<Packet<'a>, ParseError> {
        let (kind, encoded) = match version {
            Version::V4 => (PacketType::Message, rest),
            Version::V3 => {
                let digit = *rest.as_bytes().first().ok_or(ParseError)?;
                let kind = PacketType::from_digit(digit).ok_or(ParseError)?;
                (kind, rest.get(1..).ok_or(ParseError)?)
            }
        };
        let bytes = base64::decode(encoded).ok_or(ParseError)?;
        Ok(Packet {
            kind,
            body: Body::Binary(Cow::Owned(bytes)),
        })
    }
}

/// Appends a packet with text, as it goes over a WebSocket and into a payload.
pub fn encode_text(kind: PacketType, text: &str, out: &mut Vec<u8>) {
    out.reserve(1 + text.len());
    out.push(kind.digit());
    out.extend_from_slice(text.as_bytes());
}

/// Appends a `message` packet with binary data, as it goes into a binary message of a WebSocket.
pub fn encode_binary(version: Version, data: &[u8], out: &mut Vec<u8>) {
    if version == Version::V3 {
        out.push(PacketType::Message as u8);
    }
    out.extend_from_slice(data);
}

/// Appends a `message` packet with binary data as text.
pub fn encode_base64(version: Version, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(match version {
        Version::V4 => b"b",
        Version::V3 => b"b4",
    });
    base64::encode(data, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(version: Version, text: &str) -> Result<(PacketType, Data<'_>), ParseError> {
        match Packet::decode_text(version, text)?.body {
            Body::Text(data) => Ok((Packet::decode_text(version, text)?.kind, Data::Text(data))),
            Body::Binary(data) => Ok((
                Packet::decode_text(version, text)?.kind,
                Data::Binary(data.into_owned().leak()),
            )),
        }
    }

    #[test]
    fn text_packets() {
        for version in [Version::V3, Version::V4] {
            for (digit, kind) in [
                ("0", PacketType::Open),
                ("1", PacketType::Close),
                ("2", PacketType::Ping),
                ("3", PacketType::Pong),
                ("4", PacketType::Message),
                ("5", PacketType::Upgrade),
                ("6", PacketType::Noop),
            ] {
                assert_eq!(text(version, digit), Ok((kind, Data::Text(""))));
                let mut out = Vec::new();
                encode_text(kind, "probé", &mut out);
                let sent = String::from_utf8(out).unwrap();
                assert_eq!(text(version, &sent), Ok((kind, Data::Text("probé"))));
            }
            for bad in ["", "7", "a", "é", "/", ":", "\u{1e}", "b", "4"] {
                let is_fine = bad == "4" || (bad == "b" && version == Version::V4);
                assert_eq!(text(version, bad).is_ok(), is_fine, "{version:?} {bad:?}");
            }
        }
    }

    #[test]
    fn binary_packets() {
        for (version, frame, base64) in [
            (Version::V4, &[1, 2, 3, 255][..], "bAQID/w=="),
            (Version::V3, &[4, 1, 2, 3, 255][..], "b4AQID/w=="),
        ] {
            let mut out = Vec::new();
            encode_binary(version, &[1, 2, 3, 255], &mut out);
            assert_eq!(out, frame);
            let packet = Packet::decode_binary(version, frame).unwrap();
            assert_eq!(
                (packet.kind, packet.data()),
                (PacketType::Message, Data::Binary(&[1, 2, 3, 255]))
            );
            out.clear();
            encode_base64(version, &[1, 2, 3, 255], &mut out);
            assert_eq!(out, base64.as_bytes());
            for lenient in [base64, base64.trim_end_matches('='), &base64.replace('/', "_")] {
                assert_eq!(
                    text(version, lenient),
                    Ok((PacketType::Message, Data::Binary(&[1, 2, 3, 255])))
                );
            }
        }
        for bad in ["bA", "b*AAA", "bAA AA", "bAAA=A", "bé"] {
            assert_eq!(text(Version::V4, bad), Err(ParseError), "{bad:?}");
        }
        assert_eq!(Packet::decode_binary(Version::V3, &[]), Err(ParseError));
        assert_eq!(Packet::decode_binary(Version::V3, &[7, 1]), Err(ParseError));
        assert_eq!(Packet::decode_binary(Version::V3, &[255]), Err(ParseError));
        assert!(Packet::decode_binary(Version::V4, &[]).is_ok());
    }
}
