//! What is published to a topic, as servers tell each other: a MessagePack array of who says it, the topic, and the message,
//! which is a string if it is a text, else binary data. What more there may be one day is skipped.

use crate::error::Result;
use crate::socketio::ParseError;
use crate::socketio::msgpack::{Head, Reader};
use crate::ws::MessageType;

use super::super::values::Pack;

/// How many elements there are.
const ELEMENTS: u32 = 3;

/// What was published, and by whom. Neither the topic nor a text is known to be one when it has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Published<'a> {
    /// The server.
    pub(super) uid: &'a [u8],
    pub(super) topic: &'a [u8],
    pub(super) kind: MessageType,
    pub(super) data: &'a [u8],
}

/// Writes it. The data of a text has to be UTF-8.
pub(super) fn write(uid: &str, topic: &str, kind: MessageType, data: &[u8]) -> Result<Vec<u8>> {
    const HEADS: usize = 16;
    let mut pack = Pack::with_capacity(HEADS + uid.len() + topic.len() + data.len());
    pack.array(ELEMENTS as usize).str(uid).str(topic);
    match kind {
        MessageType::Text => pack.str(super::utf8(data)?),
        MessageType::Binary => pack.bin(data),
    };
    Ok(pack.finish())
}

/// Reads it, without a copy.
///
/// # Errors
/// It is something else.
pub(super) fn read(payload: &[u8]) -> std::result::Result<Published<'_>, ParseError> {
    let mut reader = Reader::new(payload);
    let elements = match reader.head()? {
        Head::Array(elements) if elements >= ELEMENTS => elements,
        _ => return Err(ParseError::Payload),
    };
    let (Head::Str(uid), Head::Str(topic)) = (reader.head()?, reader.head()?) else {
        return Err(ParseError::Payload);
    };
    let (kind, data) = match reader.head()? {
        Head::Str(text) => (MessageType::Text, text),
        Head::Bin(data) => (MessageType::Binary, data),
        _ => return Err(ParseError::Payload),
    };
    for _ in ELEMENTS..elements {
        reader.value()?;
    }
    match reader.is_at_end() {
        true => Ok(Published {
            uid,
            topic,
            kind,
            data,
        }),
        false => Err(ParseError::Payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn what_is_written_is_read() {
        for (kind, data) in [
            (MessageType::Text, &b"caf\xc3\xa9"[..]),
            (MessageType::Binary, &[0xff, 0]),
            (MessageType::Binary, &[7; 70_000]),
            (MessageType::Text, b""),
        ] {
            let message = write("me", "a/b", kind, data).unwrap();
            let published = Published {
                uid: b"me",
                topic: b"a/b",
                kind,
                data,
            };
            assert_eq!(read(&message), Ok(published));
            for end in 0..message.len() {
                assert!(read(&message[..end]).is_err());
            }
            assert!(read(&[&message[..], &[0xc0]].concat()).is_err());
        }
        let error = write("me", "a", MessageType::Text, b"\xff").unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidUtf8);
    }

    #[test]
    fn it_is_what_other_encoders_write() {
        let other = rmpv::Value::from(vec![
            rmpv::Value::from("me"),
            rmpv::Value::from("news"),
            rmpv::Value::from(&[1_u8, 2][..]),
        ]);
        let mut written = Vec::new();
        rmpv::encode::write_value(&mut written, &other).unwrap();
        let ours = write("me", "news", MessageType::Binary, &[1, 2]).unwrap();
        assert_eq!(ours, written);
    }

    #[test]
    fn further_elements_are_skipped_and_other_values_refused() {
        let longer = b"\x95\xa1u\xa1t\xa1d\x82\xa1a\x01\xa1b\x92\x01\x02\xc3";
        let published = read(longer).unwrap();
        assert_eq!((published.topic, published.data), (&b"t"[..], &b"d"[..]));
        for other in [
            &b""[..],
            b"{}",
            b"\x92\xa1u\xa1t",
            b"\x93\xa1u\xa1t\x01",
            b"\x93\xa1u\xc4\x01t\xa1d",
            b"\x93\x01\xa1t\xa1d",
            b"\x83\xa1u\xa1t\xa1d\xa1u\xa1t\xa1d",
            b"\x94\xa1u\xa1t\xa1d",
        ] {
            assert!(read(other).is_err(), "{other:?}");
        }
    }
}
