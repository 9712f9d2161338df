//! Packets, independent of how they are encoded.

use std::borrow::Cow;

use bytes::Bytes;

use super::{ParseError, is_reserved};
use crate::json;
use crate::json::{Token, Tokens, check_event, is_space};

/// What a packet is for; the number is that of the protocol. An event or an acknowledgement with attachments is a type
/// of its own (5 and 6) only on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// To join a namespace, and the answer that it has been joined.
    Connect = 0,
    /// To leave a namespace.
    Disconnect = 1,
    /// An event.
    Event = 2,
    /// The answer to an event with an id.
    Ack = 3,
    /// A namespace can't be joined. In revision 4 of the protocol it is named ERROR.
    ConnectError = 4,
}

/// A packet that was received. What it says is borrowed from the message where possible; [`Packet::into_owned`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The namespace, with its `/`; in revision 4 a query may follow: [`Packet::namespace_and_query`].
    pub namespace: Cow<'a, str>,
    /// The acknowledgement id.
    pub id: Option<u64>,
    /// What the packet is for, with its payload.
    pub content: Content<'a>,
    /// What the payload's placeholders stand for. All numbers in placeholders are below its length.
    pub attachments: Vec<Bytes>,
}

/// Payloads, as well-formed JSON text with the shape that their type asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content<'a> {
    /// CONNECT, with an object or nothing.
    Connect(Option<Cow<'a, str>>),
    /// DISCONNECT.
    Disconnect,
    /// EVENT, or BINARY_EVENT with its attachments.
    Event(EventData<'a>),
    /// ACK, or BINARY_ACK with its attachments: an array.
    Ack(Cow<'a, str>),
    /// CONNECT_ERROR, with an object or a string.
    ConnectError(Cow<'a, str>),
}

/// The payload of an event: an array that begins with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventData<'a> {
    /// The name, without escapes; a number, which the protocol allows too, as it is written.
    pub name: Cow<'a, str>,
    array: Cow<'a, str>,
    args: (usize, usize),
}

impl<'a> EventData<'a> {
    /// Reads an event's payload.
    ///
    /// # Errors
    ///
    /// It is no well-formed array that begins with a string or a number, or the name is reserved.
    pub fn parse(array: Cow<'a, str>) -> Result<EventData<'a>, ParseError> {
        let (name, args) = match &array {
            Cow::Borrowed(text) => scan_event(text)?,
            Cow::Owned(text) => {
                let (name, args) = scan_event(text)?;
                (Cow::Owned(name.into_owned()), args)
            }
        };
        Ok(EventData { name, array, args })
    }

    /// The whole array, the name included.
    pub fn array(&self) -> &str {
        &self.array
    }

    /// What is behind the name: JSON values with commas between them, without brackets; may be empty.
    pub fn args(&self) -> &str {
        self.array.get(self.args.0..self.args.1).unwrap_or_default()
    }

    /// The same, which borrows nothing any more.
    pub fn into_owned(self) -> EventData<'static> {
        EventData {
            name: Cow::Owned(self.name.into_owned()),
            array: Cow::Owned(self.array.into_owned()),
            args: self.args,
        }
    }
}

/// The name, and where the arguments are.
#[inline]
fn scan_event(array: &str) -> Result<(Cow<'_, str>, (usize, usize)), ParseError> {
    let (name, start) = check_event(array)?;
    let name = name.decode();
    if is_reserved(&name) {
        return Err(ParseError::ReservedName);
    }
    Ok((name, args_within(array, start)))
}

/// What is between the place behind the name and the last bracket, without the comma and the white space around it.
fn args_within(array: &str, start: usize) -> (usize, usize) {
    let behind = array.get(start..).unwrap_or_default();
    let inner = behind.trim_end_matches(is_space);
    let inner = inner
        .strip_suffix(']')
        .unwrap_or(inner)
        .trim_end_matches(is_space);
    let from = inner.trim_start_matches(is_space);
    let from = from
        .strip_prefix(',')
        .unwrap_or(from)
        .trim_start_matches(is_space);
    let end = start + inner.len();
    (end - from.len(), end)
}

impl<'a> Packet<'a> {
    /// The packet's type.
    pub fn packet_type(&self) -> PacketType {
        match self.content {
            Content::Connect(_) => PacketType::Connect,
            Content::Disconnect => PacketType::Disconnect,
            Content::Event(_) => PacketType::Event,
            Content::Ack(_) => PacketType::Ack,
            Content::ConnectError(_) => PacketType::ConnectError,
        }
    }

    /// The namespace, and what is behind the `?`. In revision 4 of the protocol, a CONNECT has its query there instead
    /// of a payload, and other packets may repeat it. In revision 5 the whole string is the name.
    pub fn namespace_and_query(&self) -> (&str, Option<&str>) {
        match self.namespace.split_once('?') {
            Some((name, query)) => (name, Some(query)),
            None => (&self.namespace, None),
        }
    }

    /// The same packet, which borrows nothing any more.
    pub fn into_owned(self) -> Packet<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Packet {
            namespace: owned(self.namespace),
            id: self.id,
            content: match self.content {
                Content::Connect(payload) => Content::Connect(payload.map(owned)),
                Content::Disconnect => Content::Disconnect,
                Content::Event(event) => Content::Event(event.into_owned()),
                Content::Ack(array) => Content::Ack(owned(array)),
                Content::ConnectError(payload) => Content::ConnectError(owned(payload)),
            },
            attachments: self.attachments,
        }
    }
}

impl<'a> Content<'a> {
    /// Reads a payload by its type, checking its shape (Socket.IO protocol, "Packet types").
    ///
    /// # Errors
    ///
    /// The text is not well-formed, or has not the shape of this type's payloads.
    #[inline]
    pub fn parse(packet_type: PacketType, payload: Option<Cow<'a, str>>) -> Result<Content<'a>, ParseError> {
        match (packet_type, payload) {
            (PacketType::Event, Some(payload)) => EventData::parse(payload).map(Content::Event),
            (PacketType::Ack, Some(payload)) => match first_token(&payload)? {
                Some(Token::ArrayStart) => Ok(Content::Ack(payload)),
                _ => Err(ParseError::Payload),
            },
            (PacketType::Connect, None) => Ok(Content::Connect(None)),
            (PacketType::Connect, Some(payload)) => match first_token(&payload)? {
                Some(Token::ObjectStart) => Ok(Content::Connect(Some(payload))),
                _ => Err(ParseError::Payload),
            },
            (PacketType::Disconnect, None) => Ok(Content::Disconnect),
            (PacketType::ConnectError, Some(payload)) => match first_token(&payload)? {
                Some(Token::ObjectStart | Token::String(_)) => Ok(Content::ConnectError(payload)),
                _ => Err(ParseError::Payload),
            },
            (PacketType::Disconnect, Some(_)) | (_, None) => Err(ParseError::Payload),
        }
    }
}

/// What a text begins with, after it has been checked to its end.
fn first_token(text: &str) -> Result<Option<Token<'_>>, ParseError> {
    json::check(text)?;
    Ok(Tokens::new(text).next()?)
}

/// A packet that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// What it is for.
    pub packet_type: PacketType,
    /// The namespace, with its `/`.
    pub namespace: &'a str,
    /// The acknowledgement id: of an event that asks for an answer, or of an answer.
    pub id: Option<u64>,
    /// The payload, well-formed JSON: as [`Content`] says. It isn't checked again.
    pub payload: Option<&'a str>,
    /// What the payload's placeholders stand for, by their numbers.
    pub attachments: &'a [&'a [u8]],
}

impl<'a> Outgoing<'a> {
    /// CONNECT; `payload` is an object.
    pub fn connect(namespace: &'a str, payload: Option<&'a str>) -> Outgoing<'a> {
        Outgoing::new(PacketType::Connect, namespace, payload)
    }

    /// DISCONNECT.
    pub fn disconnect(namespace: &'a str) -> Outgoing<'a> {
        Outgoing::new(PacketType::Disconnect, namespace, None)
    }

    /// EVENT, whose array begins with the name: [`event_array`](super::event_array).
    pub fn event(namespace: &'a str, array: &'a str) -> Outgoing<'a> {
        Outgoing::new(PacketType::Event, namespace, Some(array))
    }

    /// ACK of the event with this id.
    pub fn ack(namespace: &'a str, id: u64, array: &'a str) -> Outgoing<'a> {
        Outgoing::new(PacketType::Ack, namespace, Some(array)).with_id(Some(id))
    }

    /// CONNECT_ERROR; `payload` is an object or a string: [`connect_error`](super::connect_error).
    pub fn connect_error(namespace: &'a str, payload: &'a str) -> Outgoing<'a> {
        Outgoing::new(PacketType::ConnectError, namespace, Some(payload))
    }

    /// The same with an acknowledgement id.
    pub fn with_id(self, id: Option<u64>) -> Outgoing<'a> {
        Outgoing { id, ..self }
    }

    /// The same with attachments.
    pub fn with_attachments(self, attachments: &'a [&'a [u8]]) -> Outgoing<'a> {
        Outgoing { attachments, ..self }
    }

    fn new(packet_type: PacketType, namespace: &'a str, payload: Option<&'a str>) -> Outgoing<'a> {
        Outgoing {
            packet_type,
            namespace,
            id: None,
            payload,
            attachments: &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(array: &str) -> Result<(String, String), ParseError> {
        let event = EventData::parse(Cow::Borrowed(array))?;
        assert_eq!(event.array(), array);
        let owned = EventData::parse(Cow::Owned(array.to_owned()))?;
        assert_eq!(event, owned);
        Ok((event.name.clone().into_owned(), event.args().to_owned()))
    }

    #[test]
    fn an_event_is_its_name_and_the_text_behind_it() {
        let is = |array, name: &str, args: &str| {
            assert_eq!(event(array), Ok((name.to_owned(), args.to_owned())), "{array}");
        };
        is(r#"["a"]"#, "a", "");
        is(r#"["a",1]"#, "a", "1");
        is(r#" [ "a" , 1 , [ ] ] "#, "a", "1 , [ ]");
        is(r#"["a\"b\u00e9","]"]"#, "a\"bé", r#""]""#);
        is(r#"["",{"a":[1]},null]"#, "", r#"{"a":[1]},null"#);
        is("[12,3]", "12", "3");
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for array in ["[]", "{}", "[null]", "[[\"a\"]]", "[true,1]", "\"a\"", "1"] {
            assert_eq!(event(array), Err(ParseError::Payload), "{array}");
        }
        for array in [
            "",
            "[\"a\"",
            "[\"a\",]",
            "[\"a\"]]",
            "[\"a\"] 1",
            "[\"a\" 1]",
            "[\"a\":1]",
        ] {
            assert_eq!(event(array), Err(ParseError::Json), "{array}");
        }
        for array in [r#"["connect"]"#, r#"["disc\u006fnnect",1]"#, r#"["newListener"]"#] {
            assert_eq!(event(array), Err(ParseError::ReservedName), "{array}");
        }
    }

    #[test]
    fn a_query_is_told_from_the_namespace() {
        let packet = |namespace: &'static str| Packet {
            namespace: namespace.into(),
            id: None,
            content: Content::Disconnect,
            attachments: Vec::new(),
        };
        assert_eq!(packet("/a?b=c?d").namespace_and_query(), ("/a", Some("b=c?d")));
        assert_eq!(packet("/a").namespace_and_query(), ("/a", None));
    }
}
