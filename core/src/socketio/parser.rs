//! Which encoding a server or client uses: one of those built in, or an application's.

use std::fmt;
use std::sync::Arc;

use crate::engineio::Data;

use super::{JsonDecoder, Outgoing, Packet, ParseError, msgpack, text};

/// What one packet may cost whoever receives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Attachments of one packet, in the encoding that has them as messages of their own. 10, as in the official parser.
    pub max_attachments: usize,
    /// Bytes of one packet, its attachments included, once it is decoded. 11,000,000: a text and ten attachments, each
    /// of the longest message that Engine.IO takes unless told otherwise.
    pub max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_attachments: 10,
            max_bytes: 11_000_000,
        }
    }
}

/// An encoding of an application's own. Both ends have to use the same one; nothing is negotiated.
///
/// It is called on any thread, on several at once, and with no lock held but on a server with connection state recovery, where
/// it must not call the library.
pub trait Parser: Send + Sync {
    /// Turns a packet into messages, which are sent with nothing in between.
    ///
    /// # Errors
    ///
    /// The packet can't be encoded; it is not sent.
    fn encode(&self, packet: &Outgoing<'_>, out: &mut Encoded) -> Result<(), ParseError>;

    /// A decoder for one connection.
    fn decoder(&self) -> Box<dyn ParserDecoder>;
}

/// Reads what the peer's [`Parser`] has made of packets. What it keeps in between has to be bounded by the limits.
pub trait ParserDecoder: Send {
    /// Takes a message; the packet, if that was the last of it.
    ///
    /// # Errors
    ///
    /// The message can't be part of a packet; the connection is closed.
    fn decode<'a>(&mut self, message: Data<'a>, limits: &Limits) -> Result<Option<Packet<'a>>, ParseError>;
}

/// Which encoding is used.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum ParserKind {
    /// The default: JSON as text, and attachments as messages of their own.
    #[default]
    Json,
    /// That of socket.io-msgpack-parser: one binary message for each packet.
    Msgpack,
    /// An application's own.
    Custom(Arc<dyn Parser>),
}

/// Decodes what one connection receives.
#[derive(Default)]
pub struct Decoder(Kind);

enum Kind {
    Json(JsonDecoder),
    Msgpack,
    /// One pointer, because each connection has a decoder.
    Custom(Box<Box<dyn ParserDecoder>>),
}

impl Default for Kind {
    fn default() -> Kind {
        Kind::Json(JsonDecoder::default())
    }
}

/// Room for what a packet is encoded to; used again and again, it allocates rarely.
#[derive(Debug, Default)]
pub struct Encoded {
    text: String,
    binary: Vec<u8>,
    /// Of a custom parser: the messages' ends in either buffer.
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Text { start: usize, end: usize },
    Binary { start: usize, end: usize },
}

/// The messages of one packet, in their order.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    encoded: &'a Encoded,
    /// How many parts were handed out.
    next: usize,
    attachments: std::slice::Iter<'a, &'a [u8]>,
}

impl ParserKind {
    /// A decoder for one connection.
    pub fn decoder(&self) -> Decoder {
        Decoder(match self {
            ParserKind::Json => Kind::Json(JsonDecoder::default()),
            ParserKind::Msgpack => Kind::Msgpack,
            ParserKind::Custom(parser) => Kind::Custom(Box::new(parser.decoder())),
        })
    }

    /// Encodes a packet into `out`, whose former content is lost. Attachments are not copied where the encoding sends
    /// them as they are.
    ///
    /// # Errors
    ///
    /// The payload is no well-formed JSON, where the encoding isn't JSON; or a custom parser's reason.
    #[inline]
    pub fn encode<'a>(
        &self,
        packet: &Outgoing<'a>,
        out: &'a mut Encoded,
    ) -> Result<Messages<'a>, ParseError> {
        out.clear();
        let mut attachments: &[&[u8]] = &[];
        match self {
            ParserKind::Json => {
                text::encode(packet, &mut out.text);
                out.end_text(0);
                attachments = packet.attachments;
            }
            ParserKind::Msgpack => {
                msgpack::encode(packet, &mut out.binary)?;
                out.end_binary(0);
            }
            ParserKind::Custom(parser) => parser.encode(packet, out)?,
        }
        Ok(Messages {
            encoded: out,
            next: 0,
            attachments: attachments.iter(),
        })
    }
}

impl fmt::Debug for ParserKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParserKind::Json => "Json",
            ParserKind::Msgpack => "Msgpack",
            ParserKind::Custom(_) => "Custom",
        })
    }
}

impl Decoder {
    /// Takes a message; the packet, or `None` if more messages belong to it.
    ///
    /// # Errors
    ///
    /// The message is not what packets are made of. The connection is to be closed with "parse error".
    #[inline]
    pub fn decode<'a>(
        &mut self,
        message: Data<'a>,
        limits: &Limits,
    ) -> Result<Option<Packet<'a>>, ParseError> {
        match (&mut self.0, message) {
            (Kind::Json(decoder), Data::Text(text)) => decoder.text(text, limits),
            (Kind::Json(decoder), Data::Binary(data)) => decoder.binary(data, limits),
            (Kind::Msgpack, Data::Binary(data)) => msgpack::decode(data, limits).map(Some),
            (Kind::Msgpack, Data::Text(_)) => Err(ParseError::UnexpectedText),
            (Kind::Custom(decoder), message) => decoder.decode(message, limits),
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Json(decoder) => decoder.fmt(f),
            Kind::Msgpack => f.write_str("Msgpack"),
            Kind::Custom(_) => f.write_str("Custom"),
        }
    }
}

impl Encoded {
    /// Adds a text message.
    pub fn push_text(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.end_text(start);
    }

    /// Adds a binary message.
    pub fn push_binary(&mut self, data: &[u8]) {
        let start = self.binary.len();
        self.binary.extend_from_slice(data);
        self.end_binary(start);
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    fn clear(&mut self) {
        self.text.clear();
        self.binary.clear();
        self.parts.clear();
    }

    fn end_text(&mut self, start: usize) {
        let end = self.text.len();
        self.parts.push(Part::Text { start, end });
    }

    fn end_binary(&mut self, start: usize) {
        let end = self.binary.len();
        self.parts.push(Part::Binary { start, end });
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Data<'a>;

    #[inline]
    fn next(&mut self) -> Option<Data<'a>> {
        let encoded = self.encoded;
        let Some(part) = encoded.parts.get(self.next) else {
            return self.attachments.next().map(|data| Data::Binary(data));
        };
        self.next += 1;
        match *part {
            Part::Text { start, end } => encoded.text.get(start..end).map(Data::Text),
            Part::Binary { start, end } => encoded.binary.get(start..end).map(Data::Binary),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.encoded.parts.len() - self.next + self.attachments.len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Messages<'_> {}

#[cfg(test)]
mod tests {
    use super::super::{Content, PacketType};
    use super::*;

    #[test]
    fn packets_are_messages_and_messages_packets() {
        let mut encoded = Encoded::default();
        let attachments: &[&[u8]] = &[b"one", b"two"];
        let array = r#"["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
        let packet = Outgoing::event("/n", array).with_attachments(attachments);
        for (parser, count) in [
            (ParserKind::Json, 3),
            (ParserKind::Msgpack, 1),
            (ParserKind::Json, 3),
        ] {
            let messages = parser.encode(&packet, &mut encoded).unwrap();
            assert_eq!(messages.len(), count);
            let (mut decoder, mut found) = (parser.decoder(), None);
            for message in messages {
                assert_eq!(found, None);
                found = decoder.decode(message, &Limits::default()).unwrap();
            }
            let found = found.unwrap();
            assert_eq!(found.namespace, "/n");
            assert_eq!(found.attachments, attachments);
            assert!(matches!(found.content, Content::Event(event) if event.array() == array));
        }
    }

    /// A parser that says each packet's type in one message, and its payload's length in the next.
    struct Odd;
    struct OddDecoder(Option<u8>);

    impl Parser for Odd {
        fn encode(&self, packet: &Outgoing<'_>, out: &mut Encoded) -> Result<(), ParseError> {
            if packet.packet_type == PacketType::Ack {
                return Err(ParseError::Custom("no answers here"));
            }
            out.push_binary(&[packet.packet_type as u8]);
            out.push_text(packet.payload.unwrap_or("{}"));
            Ok(())
        }

        fn decoder(&self) -> Box<dyn ParserDecoder> {
            Box::new(OddDecoder(None))
        }
    }

    impl ParserDecoder for OddDecoder {
        fn decode<'a>(&mut self, message: Data<'a>, _: &Limits) -> Result<Option<Packet<'a>>, ParseError> {
            match (message, self.0.take()) {
                (Data::Binary([2]), None) => {
                    self.0 = Some(2);
                    Ok(None)
                }
                (Data::Text(text), Some(_)) => Ok(Some(Packet {
                    namespace: "/".into(),
                    id: None,
                    content: Content::parse(PacketType::Event, Some(text.into()))?,
                    attachments: Vec::new(),
                })),
                _ => Err(ParseError::Custom("odd")),
            }
        }
    }

    #[test]
    fn an_application_can_have_a_parser_of_its_own() {
        let (parser, mut encoded) = (ParserKind::Custom(Arc::new(Odd)), Encoded::default());
        let mut decoder = parser.decoder();
        let mut messages = parser
            .encode(&Outgoing::event("/", "[\"a\"]"), &mut encoded)
            .unwrap();
        assert_eq!(messages.len(), 2);
        let limits = Limits::default();
        assert_eq!(decoder.decode(messages.next().unwrap(), &limits), Ok(None));
        let packet = decoder
            .decode(messages.next().unwrap(), &limits)
            .unwrap()
            .unwrap();
        assert_eq!(packet.packet_type(), PacketType::Event);
        assert_eq!(messages.next(), None);
        let refused = parser.encode(&Outgoing::ack("/", 1, "[]"), &mut encoded);
        assert!(matches!(refused, Err(ParseError::Custom("no answers here"))));
    }

    #[test]
    fn msgpack_takes_no_text() {
        let mut decoder = ParserKind::Msgpack.decoder();
        let text = decoder.decode(Data::Text("2[\"a\"]"), &Limits::default());
        assert_eq!(text, Err(ParseError::UnexpectedText));
    }

    #[test]
    fn an_idle_decoder_is_small() {
        assert!(size_of::<Decoder>() <= 24);
    }
}
