//! Entries of a stream: `uid`, `nsp`, `type` and `data`. The last is JSON text, or base64 of MessagePack where there is
//! binary data.

use data_encoding::BASE64;

use super::super::cluster::{Envelope, Message, to_msgpack};
use super::super::values::Value;
use crate::socketio::ParseError;

/// The fields of an entry that matter.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry<'a> {
    pub(super) uid: &'a str,
    pub(super) namespace: &'a str,
    pub(super) kind: &'a str,
    pub(super) data: &'a str,
}

impl<'a> Entry<'a> {
    /// Looks for them. What is missing or no text is empty.
    pub(super) fn new(fields: &'a [(Vec<u8>, Vec<u8>)]) -> Entry<'a> {
        let mut entry = Entry::default();
        for (name, value) in fields {
            let place = match name.as_slice() {
                b"uid" => &mut entry.uid,
                b"nsp" => &mut entry.namespace,
                b"type" => &mut entry.kind,
                b"data" => &mut entry.data,
                _ => continue,
            };
            *place = std::str::from_utf8(value).unwrap_or_default();
        }
        entry
    }

    /// The message in it.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn message(&self) -> Result<Message, ParseError> {
        let kind = self.kind.parse().map_err(|_| ParseError::UnknownType)?;
        if self.data.starts_with('{') {
            return Message::read(kind, Value::from_json(self.data)?);
        }
        let data = BASE64.decode(self.data.as_bytes());
        Message::read(kind, Value::Msgpack(&data.map_err(|_| ParseError::Payload)?))
    }
}

/// Type and data of a message.
///
/// # Errors
/// Users' data is not well-formed.
pub(super) fn write(message: &Message) -> Result<(String, Vec<u8>), ParseError> {
    let mut text = String::new();
    message.data(&mut text);
    let data = match message.attachments() {
        [] => text,
        attachments => BASE64.encode(&to_msgpack(&text, attachments)?),
    };
    Ok((message.kind().to_string(), data.into_bytes()))
}

/// The fields of an entry, in the official order.
pub(super) fn fields(envelope: Envelope, kind: String, data: Vec<u8>) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("uid", envelope.uid.into_bytes()),
        ("nsp", envelope.namespace.into_bytes()),
        ("type", kind.into_bytes()),
        ("data", data),
    ]
}
