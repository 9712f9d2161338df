//! Payloads: several packets in the body of one HTTP request or response.
//!
//! Revision 4 puts the byte 0x1E between them, and has text only. A message that contains 0x1E itself would be cut there;
//! JSON never does.

use super::packet::{self, Data, Packet, PacketType, ParseError, Version};
use super::payload_v3::{self, BinaryPackets, TextPackets};

pub(super) const SEPARATOR: u8 = 0x1e;

/// What a payload is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadType {
    /// `text/plain; charset=UTF-8`
    Text,
    /// `application/octet-stream`; only in revision 3.
    Binary,
}

impl PayloadType {
    /// The media type that says so.
    pub fn content_type(self) -> &'static str {
        match self {
            PayloadType::Text => "text/plain; charset=UTF-8",
            PayloadType::Binary => "application/octet-stream",
        }
    }
}

/// The packets of a payload, up to the first that isn't one.
#[derive(Debug, Clone)]
pub struct Payloads<'a>(Kind<'a>);

#[derive(Debug, Clone)]
enum Kind<'a> {
    Separated(Option<&'a str>),
    Text(TextPackets<'a>),
    Binary(BinaryPackets<'a>),
}

/// Reads a payload of text. An empty one has one packet, which is an error.
pub fn decode_payload(version: Version, text: &str) -> Payloads<'_> {
    Payloads(match version {
        Version::V4 => Kind::Separated(Some(text)),
        Version::V3 => Kind::Text(TextPackets::new(text)),
    })
}

/// Reads a binary payload, of revision 3.
pub fn decode_binary_payload(bytes: &[u8]) -> Payloads<'_> {
    Payloads(Kind::Binary(BinaryPackets::new(bytes)))
}

impl<'a> Iterator for Payloads<'a> {
    type Item = Result<Packet<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Kind::Separated(rest) => {
                let text = (*rest)?;
                let end = memchr::memchr(SEPARATOR, text.as_bytes());
                let packet = end.and_then(|end| text.get(..end)).unwrap_or(text);
                let after = end.and_then(|end| text.get(end + 1..));
                let packet = Packet::decode_text(Version::V4, packet);
                *rest = after.filter(|_| packet.is_ok());
                Some(packet)
            }
            Kind::Text(packets) => packets.next(),
            Kind::Binary(packets) => packets.next(),
        }
    }
}

/// Appends a payload of these packets, of which only messages may be binary. `takes_binary`: the peer reads binary
/// payloads of revision 3.
pub fn encode_payload<'a>(
    version: Version,
    takes_binary: bool,
    packets: impl Iterator<Item = (PacketType, Data<'a>)> + Clone,
    out: &mut Vec<u8>,
) -> PayloadType {
    if version == Version::V3 {
        return payload_v3::encode(takes_binary, packets, out);
    }
    for (index, (kind, data)) in packets.enumerate() {
        if index > 0 {
            out.push(SEPARATOR);
        }
        encode_packet(kind, data, out);
    }
    PayloadType::Text
}

/// Appends a packet as it stands in a payload of revision 4.
pub(super) fn encode_packet(kind: PacketType, data: Data<'_>, out: &mut Vec<u8>) {
    match data {
        Data::Text(text) => packet::encode_text(kind, text, out),
        Data::Binary(bytes) => packet::encode_base64(Version::V4, bytes, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: PacketType = PacketType::Message;

    /// How the packets read, and whether an error ended them.
    fn read(payload: Payloads<'_>) -> (Vec<String>, bool) {
        let mut failed = false;
        let packets = payload
            .filter_map(|packet| {
                assert!(!failed, "nothing comes after an error");
                failed = packet.is_err();
                packet
                    .ok()
                    .map(|packet| format!("{:?} {:?}", packet.kind, packet.data()))
            })
            .collect();
        (packets, failed)
    }

    fn encoded(version: Version, takes_binary: bool, packets: &[(PacketType, Data<'_>)]) -> Vec<u8> {
        let mut out = Vec::new();
        encode_payload(version, takes_binary, packets.iter().copied(), &mut out);
        out
    }

    #[test]
    fn revision_4() {
        let packets = [
            (MESSAGE, Data::Text("hello")),
            (PacketType::Ping, Data::Text("")),
            (MESSAGE, Data::Binary(&[1, 2, 3, 4])),
        ];
        let payload = encoded(Version::V4, false, &packets);
        assert_eq!(payload, b"4hello\x1e2\x1ebAQIDBA==");
        let (read_back, failed) = read(decode_payload(
            Version::V4,
            std::str::from_utf8(&payload).unwrap(),
        ));
        assert_eq!(
            read_back,
            [
                "Message Text(\"hello\")",
                "Ping Text(\"\")",
                "Message Binary([1, 2, 3, 4])"
            ]
        );
        assert!(!failed);
    }

    #[test]
    fn an_error_ends_the_payload() {
        for bad in [
            "",
            "4a\x1e",
            "4a\x1e\x1e4b",
            "4a\x1ex\x1e4b",
            "\x1e4a",
            "4a\x1eb*\x1e4b",
        ] {
            let (packets, failed) = read(decode_payload(Version::V4, bad));
            assert!(failed, "{bad:?}");
            assert!(packets.len() < 2, "{bad:?}: {packets:?}");
        }
    }

    #[test]
    fn revision_3_as_text_counts_utf16() {
        let packets = [
            (MESSAGE, Data::Text("a€😀")),
            (MESSAGE, Data::Binary(&[1, 2, 3, 4])),
        ];
        let payload = encoded(Version::V3, false, &packets);
        assert_eq!(std::str::from_utf8(&payload).unwrap(), "5:4a€😀10:b4AQIDBA==");
        let (read_back, failed) = read(decode_payload(
            Version::V3,
            std::str::from_utf8(&payload).unwrap(),
        ));
        assert_eq!(
            read_back,
            ["Message Text(\"a€😀\")", "Message Binary([1, 2, 3, 4])"]
        );
        assert!(!failed);
    }

    #[test]
    fn revision_3_as_bytes() {
        let packets = [(MESSAGE, Data::Text("€")), (MESSAGE, Data::Binary(&[1, 2, 3, 4]))];
        let payload = encoded(Version::V3, true, &packets);
        // As the official server sends it.
        assert_eq!(
            payload,
            b"\x00\x04\xff4\xe2\x82\xac\x01\x05\xff\x04\x01\x02\x03\x04"
        );
        let (read_back, failed) = read(decode_binary_payload(&payload));
        assert_eq!(read_back, ["Message Text(\"€\")", "Message Binary([1, 2, 3, 4])"]);
        assert!(!failed);
        // "0:" is how the official server writes a payload without packets.
        assert_eq!(
            read(decode_payload(Version::V3, "0:2:4a")).0,
            ["Message Text(\"a\")"]
        );
        // Without anything binary it stays text.
        assert_eq!(encoded(Version::V3, true, &packets[..1]), "2:4€".as_bytes());
    }

    #[test]
    fn bad_payloads_of_revision_3() {
        for bad in [
            "",
            "4",
            "1",
            ":",
            ":4",
            "2:4",
            "x:4a",
            "1:4x",
            "2:4😀",
            "2:4a7",
            "99999999999999999999:4",
            "-1:4",
            "1:7",
            "1:b",
            "+1:4",
            " 1:4",
        ] {
            assert!(read(decode_payload(Version::V3, bad)).1, "{bad:?}");
        }
        for bad in [
            &b"\x00"[..],
            b"\x00\xff",
            b"\x00\x02\xff4",
            b"\x02\x01\xff4",
            b"\x00\x01",
            b"\x00\x0a\xff4",
            b"\x01\x01\xff\x09",
            b"\x00\x02\xff4\xff",
            b"\x00\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff4",
        ] {
            assert!(read(decode_binary_payload(bad)).1, "{bad:?}");
        }
    }

    #[test]
    fn every_cut_of_a_payload_is_read_without_surprise() {
        let text = "5:4a€😀10:b4AQIDBA==2:4é";
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let (packets, _) = read(decode_payload(Version::V3, &text[..end]));
            assert!(packets.len() <= 2);
        }
        let bytes = b"\x00\x04\xff4\xe2\x82\xac\x01\x05\xff\x04\x01\x02\x03\x04";
        for end in 1..bytes.len() {
            let (packets, failed) = read(decode_binary_payload(&bytes[..end]));
            assert_eq!(
                (packets.len(), failed),
                (usize::from(end >= 7), end != 7),
                "{end}"
            );
        }
    }
}
