//! The encoding of socket.io-msgpack-parser: a packet is one binary message, a map in
//! [MessagePack](https://github.com/msgpack/msgpack/blob/master/spec.md) with `type`, `nsp`, and `data` and `id` where it has them.
//! Binary data is in its place, so that there are no attachments on the way, and no types for packets that have some.
//!
//! Payloads are turned into JSON text and attachments, and back, so that whoever uses packets need not know which
//! encoding brought them. What MessagePack can say and JSON can't becomes:
//!
//! | MessagePack | JSON |
//! |---|---|
//! | binary, and ext of type 0 with 8, 16 or 32 bits of length (an ArrayBuffer) | a placeholder and an attachment |
//! | fixext 1 of type 0 (`undefined`) | `null` in an array; in a map the member is left out |
//! | fixext 8 of type 0 (a `Date`) | a string as of `Date.toJSON`; `null` if there is no such date |
//! | other ext | `[type, placeholder]`, as the official parser's array |
//! | nil as the `data` of a DISCONNECT | no payload: python-socketio writes it so, though the official parser takes it for an error |
//! | integers of up to 64 bits | all their digits, which JavaScript rounds beyond 2^53 as the official parser does |
//! | NaN and infinity | `null`, as of `JSON.stringify` |
//! | a key that is a number, a boolean or nil | that, as a string |
//! | a key that is anything else | an error |
//! | a string that is no UTF-8 | U+FFFD where it isn't |
//! | a map that looks like a placeholder | an error: it could not be told from one |
//!
//! In the other direction a number without a fraction is an integer where it fits, as JavaScript has no other notion, and
//! placeholders of attachments that there are become binary.

mod date;
mod from_json;
mod read;
mod to_json;

use std::borrow::Cow;

use bytes::Bytes;

use super::{Content, Limits, Outgoing, Packet, PacketType, ParseError};
#[cfg(feature = "redis")]
pub(crate) use from_json::push_bin;
pub(crate) use from_json::{push_json, push_str};
pub(crate) use read::{Head, Reader};
pub(crate) use to_json::Transcoder;

/// Bytes that an attachment costs beside its own.
const ATTACHMENT: usize = 64;

/// What has been found of a packet.
#[derive(Default)]
struct Fields<'a> {
    packet_type: Option<u64>,
    namespace: Option<Cow<'a, str>>,
    id: Option<u64>,
    payload: Option<(String, Vec<Bytes>)>,
}

/// Reads a packet.
///
/// # Errors
///
/// It is no packet, or the text and the attachments that it becomes are longer than allowed; how many they are doesn't
/// matter here.
pub fn decode<'a>(data: &'a [u8], limits: &Limits) -> Result<Packet<'a>, ParseError> {
    let mut reader = Reader::new(data);
    let Head::Map(members) = reader.head()? else {
        return Err(ParseError::Json);
    };
    let mut fields = Fields::default();
    for _ in 0..members {
        field(&mut reader, &mut fields, limits)?;
    }
    if !reader.is_at_end() {
        return Err(ParseError::Json);
    }
    let packet_type = match fields.packet_type {
        Some(0) => PacketType::Connect,
        Some(1) => PacketType::Disconnect,
        Some(2) => PacketType::Event,
        Some(3) => PacketType::Ack,
        Some(4) => PacketType::ConnectError,
        _ => return Err(ParseError::UnknownType),
    };
    let (mut payload, attachments) = fields.payload.unzip();
    if packet_type == PacketType::Disconnect && payload.as_deref() == Some("null") {
        payload = None;
    }
    Ok(Packet {
        namespace: fields.namespace.ok_or(ParseError::Namespace)?,
        id: fields.id,
        content: Content::parse(packet_type, payload.map(Cow::Owned))?,
        attachments: attachments.unwrap_or_default(),
    })
}

/// One member of a packet's map. Members that aren't known are skipped: the official client sends its `options` along.
fn field<'a>(reader: &mut Reader<'a>, fields: &mut Fields<'a>, limits: &Limits) -> Result<(), ParseError> {
    match reader.head()? {
        Head::Str(b"type") => fields.packet_type = integer(reader).map_err(|_| ParseError::UnknownType)?,
        Head::Str(b"id") => fields.id = integer(reader)?,
        Head::Str(b"nsp") => match reader.head()? {
            Head::Str(text) => fields.namespace = Some(String::from_utf8_lossy(text)),
            _ => return Err(ParseError::Namespace),
        },
        Head::Str(b"data") => {
            let mut transcoder = Transcoder::new(limits.max_bytes);
            fields.payload = match transcoder.value(reader)? {
                true => Some(transcoder.finish()),
                false => None,
            };
        }
        Head::Str(_) => {
            Transcoder::new(limits.max_bytes).value(reader)?;
        }
        _ => return Err(ParseError::Json),
    }
    Ok(())
}

/// A number that is not negative; `None` for `undefined`.
fn integer(reader: &mut Reader<'_>) -> Result<Option<u64>, ParseError> {
    match reader.head()? {
        Head::Uint(number) => Ok(Some(number)),
        Head::Float(number) if number >= 0.0 && number.fract() == 0.0 && number < 9e15 => {
            Ok(Some(number as u64))
        }
        Head::Undefined => Ok(None),
        _ => Err(ParseError::AckId),
    }
}

/// Appends a packet.
///
/// # Errors
///
/// The payload is no well-formed JSON, or something in it is longer than 4 GiB.
pub fn encode(packet: &Outgoing<'_>, out: &mut Vec<u8>) -> Result<(), ParseError> {
    let members = 2 + u32::from(packet.payload.is_some()) + u32::from(packet.id.is_some());
    let attachments: usize = packet.attachments.iter().map(|data| data.len()).sum();
    out.reserve(packet.payload.map_or(0, str::len) + packet.namespace.len() + attachments + 32);
    // Writing to memory does not fail.
    let _ = rmp::encode::write_map_len(out, members);
    push_str("type", out)?;
    let _ = rmp::encode::write_uint(out, packet.packet_type as u64);
    push_str("nsp", out)?;
    push_str(packet.namespace, out)?;
    if let Some(payload) = packet.payload {
        push_str("data", out)?;
        push_json(payload, packet.attachments, out)?;
    }
    if let Some(id) = packet.id {
        push_str("id", out)?;
        let _ = rmp::encode::write_uint(out, id);
    }
    Ok(())
}
