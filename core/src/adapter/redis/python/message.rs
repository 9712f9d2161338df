//! Messages as they are read.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use data_encoding::BASE64;

use super::super::super::{BroadcastFlags, BroadcastOptions, BroadcastPacket};
use super::super::values::Value;
use crate::json;
use crate::socketio::{ParseError, check_placeholders};

/// What is said to all servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Send an event. With an asker, the answers are for that.
    Emit(BroadcastPacket, BroadcastOptions, Option<Asker>),
    /// A client's answer, a JSON array.
    Answer(Asker, String),
    /// Disconnect the client with this id.
    Disconnect(Arc<str>),
    /// Have a client enter a room.
    Enter(Arc<str>, Arc<str>),
    /// Have a client leave a room.
    Leave(Arc<str>, Arc<str>),
    /// Have all leave a room.
    CloseRoom(Arc<str>),
}

/// Who waits for answers, as it wants to be told of them: JSON values, which are said back as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The server.
    pub host_id: String,
    /// The room that was asked.
    pub room: String,
    /// Its namespace.
    pub namespace: String,
    /// What the server knows the question by.
    pub id: String,
}

impl Asker {
    /// The question's number, if this server has asked it.
    pub fn number(&self, own_id: &str) -> Option<u64> {
        let host_id = json::string(&self.host_id)?;
        (host_id == own_id).then(|| self.id.parse().ok()).flatten()
    }
}

/// A message in which nobody has looked yet for more than whom it is for.
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    method: Cow<'a, str>,
    namespace: Cow<'a, str>,
    host_id: &'a str,
    whole: Value<'a>,
}

/// Whether this is a pickled object. Those of python-socketio, which are dictionaries, begin with the number of the protocol.
pub(super) fn is_pickled(message: &[u8]) -> bool {
    matches!(message, [0x80, 2..=5, ..])
}

impl<'a> Envelope<'a> {
    /// # Errors
    /// It is no object with a method.
    pub fn read(message: &'a [u8]) -> Result<Envelope<'a>, ParseError> {
        let text = std::str::from_utf8(message).map_err(|_| ParseError::Json)?;
        let whole = Value::from_json(text)?;
        let [method, namespace, host_id] = whole.members(["method", "namespace", "host_id"])?;
        Ok(Envelope {
            method: method.and_then(Value::string).ok_or(ParseError::UnknownType)?,
            namespace: namespace.and_then(Value::string).unwrap_or("/".into()),
            host_id: host_id.map_or(Ok("null"), text_of)?,
            whole,
        })
    }

    /// The namespace that it is for.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether the server with this id has sent it.
    pub fn is_from(&self, host_id: &str) -> bool {
        !self.is_answer() && json::string(self.host_id).is_some_and(|id| id == host_id)
    }

    /// Whether it is a client's answer. These are for a server, not for a namespace.
    pub fn is_answer(&self) -> bool {
        self.method == "callback"
    }

    /// What it says.
    ///
    /// # Errors
    /// That is nothing that is known.
    pub fn open(&self) -> Result<Message, ParseError> {
        let name = |value: Option<Value<'_>>| {
            let name = value.and_then(Value::name).ok_or(ParseError::Payload)?;
            Ok::<Arc<str>, ParseError>(Arc::from(&*name))
        };
        let [sid, room] = self.whole.members(["sid", "room"])?;
        Ok(match &*self.method {
            "emit" => self.emit()?,
            "callback" => self.answer()?,
            "disconnect" => Message::Disconnect(name(sid)?),
            "enter_room" => Message::Enter(name(sid)?, name(room)?),
            "leave_room" => Message::Leave(name(sid)?, name(room)?),
            "close_room" => Message::CloseRoom(name(room)?),
            _ => return Err(ParseError::UnknownType),
        })
    }

    fn emit(&self) -> Result<Message, ParseError> {
        let names = ["event", "data", "binary", "room", "skip_sid", "callback"];
        let [event, data, binary, room, skip, callback] = self.whole.members(names)?;
        let data = data.ok_or(ParseError::Payload)?;
        let (args, attachments) = match binary.and_then(Value::bool) {
            Some(true) => with_attachments(data)?,
            _ => (args_of(data)?, Vec::new()),
        };
        let event = text_of(event.ok_or(ParseError::Payload)?)?;
        let comma = if args.is_empty() { "" } else { "," };
        let array = format!("[{event}{comma}{args}]");
        json::check_event(&array)?;
        check_placeholders(&array, attachments.len())?;
        let packet = BroadcastPacket {
            array: array.into(),
            attachments: attachments.into(),
        };
        let options = BroadcastOptions {
            rooms: rooms(room)?.ok_or(ParseError::Payload)?,
            except: rooms(skip)?.unwrap_or_default(),
            flags: BroadcastFlags::default(),
        };
        Ok(Message::Emit(packet, options, self.asker(callback)?))
    }

    /// Three values; anything else asks for nothing.
    fn asker(&self, callback: Option<Value<'_>>) -> Result<Option<Asker>, ParseError> {
        let Some(Ok(items)) = callback.map(Value::items) else {
            return Ok(None);
        };
        let items: Vec<Value<'_>> = items.collect::<Result<_, _>>()?;
        let [room, namespace, id] = items.as_slice() else {
            return Ok(None);
        };
        Ok(Some(Asker {
            host_id: self.host_id.to_owned(),
            room: text_of(*room)?.to_owned(),
            namespace: text_of(*namespace)?.to_owned(),
            id: text_of(*id)?.to_owned(),
        }))
    }

    fn answer(&self) -> Result<Message, ParseError> {
        let [sid, namespace, id, args] = self.whole.members(["sid", "namespace", "id", "args"])?;
        let text = |value: Option<Value<'a>>| value.map_or(Ok("null"), text_of).map(str::to_owned);
        let args = args.ok_or(ParseError::Payload)?;
        args.items()?;
        let args = text_of(args)?;
        check_placeholders(args, 0)?;
        let asker = Asker {
            host_id: self.host_id.to_owned(),
            room: text(sid)?,
            namespace: text(namespace)?,
            id: text(id)?,
        };
        Ok(Message::Answer(asker, args.to_owned()))
    }
}

fn text_of(value: Value<'_>) -> Result<&str, ParseError> {
    match value {
        Value::Json(text) => Ok(text),
        Value::Msgpack(_) => Err(ParseError::Json),
    }
}

fn is_null(value: Value<'_>) -> bool {
    matches!(value, Value::Json("null"))
}

/// The arguments of an event, with commas between them. A list has one each, but `None` alone is no argument; what is no
/// list is a single one.
fn args_of(data: Value<'_>) -> Result<&str, ParseError> {
    let text = text_of(data)?;
    let Ok(mut items) = data.items() else {
        return Ok(if is_null(data) { "" } else { text });
    };
    match (items.next().transpose()?, items.next().transpose()?) {
        (Some(only), None) if is_null(only) => Ok(""),
        _ => Ok(json::within_brackets(text)),
    }
}

/// The same where there is binary data: the list begins with the arguments, and goes on with the attachments in Base64.
fn with_attachments(data: Value<'_>) -> Result<(&str, Vec<Bytes>), ParseError> {
    let mut items = data.items()?;
    let args = items.next().ok_or(ParseError::Payload)??;
    let mut attachments = Vec::new();
    for item in items {
        let text = item?.string().ok_or(ParseError::Payload)?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| ParseError::Payload)?;
        attachments.push(Bytes::from(bytes));
    }
    Ok((args_of(args)?, attachments))
}

/// None, one, or a list of them; `None` if that is an empty list, or something else: then nobody is meant.
fn rooms(value: Option<Value<'_>>) -> Result<Option<Vec<Arc<str>>>, ParseError> {
    let Some(value) = value.filter(|value| !is_null(*value)) else {
        return Ok(Some(Vec::new()));
    };
    let names = match value.name() {
        Some(name) => vec![Arc::from(&*name)],
        None => value.names()?,
    };
    Ok((!names.is_empty()).then_some(names))
}
