//! A parser that is written in JavaScript: each packet is asked about, as JSON; bytes are in it as characters up to U+00FF.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::Deserialize;
use sockline::socketio::{
    Content, Data, Encoded, Limits, Outgoing, Packet, PacketType, ParseError, Parser, ParserDecoder,
};

use super::heard::json;
use crate::batch::Kind;
use crate::host::HostPointer;
use crate::info::latin1;

const FAILED: ParseError = ParseError::Custom("the parser of the application has failed");

/// What precedes a message, to tell what it is.
const TEXT: char = 't';
const BINARY: char = 'b';

pub(super) struct Codec {
    pub(super) host: HostPointer,
    /// What JavaScript knows the parser by.
    pub(super) key: u32,
}

struct Decoder {
    host: HostPointer,
    key: u32,
    /// What JavaScript knows this decoder by.
    number: u32,
}

/// A packet as JavaScript has read it.
#[derive(Deserialize)]
struct Decoded {
    r#type: u8,
    nsp: String,
    id: Option<u64>,
    payload: Option<String>,
}

impl Parser for Codec {
    fn encode(&self, packet: &Outgoing<'_>, out: &mut Encoded) -> Result<(), ParseError> {
        let attachments: Vec<String> = packet.attachments.iter().map(|bytes| latin1(bytes)).collect();
        let packet_type = packet.packet_type as u8;
        let question = json(&(
            packet_type,
            packet.namespace,
            packet.id,
            packet.payload,
            attachments,
        ));
        let answer = self.host.get().ask(self.key, Kind::IoEncode, &question);
        let messages: Vec<String> = parse(answer)?;
        for message in &messages {
            let mut content = message.chars();
            match content.next() {
                Some(TEXT) => out.push_text(content.as_str()),
                Some(BINARY) => out.push_binary(&content.map(|char| char as u8).collect::<Vec<_>>()),
                _ => return Err(FAILED),
            }
        }
        Ok(())
    }

    fn decoder(&self) -> Box<dyn ParserDecoder> {
        static LAST: AtomicU32 = AtomicU32::new(0);
        Box::new(Decoder {
            host: self.host,
            key: self.key,
            number: LAST.fetch_add(1, Ordering::Relaxed),
        })
    }
}

impl ParserDecoder for Decoder {
    fn decode<'a>(&mut self, message: Data<'a>, limits: &Limits) -> Result<Option<Packet<'a>>, ParseError> {
        let message = match message {
            Data::Text(text) => format!("{TEXT}{text}"),
            Data::Binary(bytes) => format!("{BINARY}{}", latin1(bytes)),
        };
        if message.len() > limits.max_bytes.saturating_mul(2) {
            return Err(ParseError::TooLarge);
        }
        let question = json(&(self.number, message));
        let answer = self.host.get().ask(self.key, Kind::IoDecode, &question);
        let Some(decoded) = parse::<Option<Decoded>>(answer)? else {
            return Ok(None);
        };
        let packet_type = match decoded.r#type {
            0 => PacketType::Connect,
            1 => PacketType::Disconnect,
            2 => PacketType::Event,
            3 => PacketType::Ack,
            4 => PacketType::ConnectError,
            _ => return Err(ParseError::UnknownType),
        };
        Ok(Some(Packet {
            namespace: decoded.nsp.into(),
            id: decoded.id,
            content: Content::parse(packet_type, decoded.payload.map(Into::into))?,
            attachments: Vec::new(),
        }))
    }
}

impl Drop for Decoder {
    /// JavaScript forgets its decoder; it is told later, since anything may be going on now.
    fn drop(&mut self) {
        let payload = self.number.to_le_bytes();
        let host = self.host.get();
        host.batch.push(self.key, Kind::IoDecoderGone, 0, &payload);
        host.deliver_soon();
    }
}

fn parse<T: for<'a> Deserialize<'a>>(answer: Option<String>) -> Result<T, ParseError> {
    serde_json::from_str(&answer.ok_or(FAILED)?).map_err(|_| FAILED)
}
