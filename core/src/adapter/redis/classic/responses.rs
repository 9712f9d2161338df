//! Answers to requests.

use bytes::Bytes;

use super::super::super::{Answer, SocketDetails};
use super::super::values::{Pack, Value, push_names, with_buffers};
use super::requests::{SERVER_SIDE_EMIT, push_member};
use crate::json::{self, push_string};
use crate::socketio::ParseError;

const BROADCAST_CLIENT_COUNT: u64 = 8;
const BROADCAST_ACK: u64 = 9;

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseContent {
    /// Ids of sockets.
    Ids(Vec<String>),
    /// Names of rooms.
    Rooms(Vec<String>),
    /// What is known of sockets.
    Sockets(Vec<SocketDetails>),
    /// What the application says to an event.
    Emitted(Answer),
    /// To so many clients an event has been sent.
    ClientCount(usize),
    /// What a client says to an event; `None`: nothing.
    ClientAck(Option<Answer>),
    /// An order for one socket was carried out.
    Done,
}

/// An answer that has come, in which nobody has looked for its content yet.
#[derive(Debug, Clone, Copy)]
pub struct Response<'a> {
    id: Option<Value<'a>>,
    kind: Option<Value<'a>>,
    sockets: Option<Value<'a>>,
    rooms: Option<Value<'a>>,
    data: Option<Value<'a>>,
    count: Option<Value<'a>>,
    packet: Option<Value<'a>>,
}

impl<'a> Response<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// It is no object.
    pub fn read(message: &'a [u8]) -> Result<Response<'a>, ParseError> {
        let names = [
            "requestId",
            "type",
            "sockets",
            "rooms",
            "data",
            "clientCount",
            "packet",
        ];
        let [id, kind, sockets, rooms, data, count, packet] = Value::read(message)?.members(names)?;
        Ok(Response {
            id,
            kind,
            sockets,
            rooms,
            data,
            count,
            packet,
        })
    }

    /// Which request it refers to.
    pub fn id(&self) -> Option<String> {
        self.id.and_then(Value::name).map(String::from)
    }

    /// Ids of sockets.
    pub fn ids(&self) -> Result<Vec<String>, ParseError> {
        names(self.sockets)
    }

    /// Names of rooms.
    pub fn rooms(&self) -> Result<Vec<String>, ParseError> {
        names(self.rooms)
    }

    /// What is known of sockets. One that can't be read is left out.
    pub fn sockets(&self) -> Result<Vec<SocketDetails>, ParseError> {
        let mut found = Vec::new();
        for item in self.sockets.ok_or(ParseError::Payload)?.items()? {
            match details(item?) {
                Ok(socket) => found.push(socket),
                Err(error) => log::debug!("a socket of another server can't be read: {error}"),
            }
        }
        Ok(found)
    }

    /// What an application says to an event.
    pub fn answer(&self) -> Result<Answer, ParseError> {
        match self.data {
            Some(data) => answer(data),
            None => Ok(Answer {
                value: "null".to_owned(),
                attachments: Vec::new(),
            }),
        }
    }

    /// To how many clients an event has been sent.
    pub fn client_count(&self) -> Option<usize> {
        self.has_kind(BROADCAST_CLIENT_COUNT)
            .then_some(self.count)?
            .and_then(Value::number)
            .and_then(|count| usize::try_from(count).ok())
    }

    /// What a client says to an event: the first of its arguments, as an array, because others aren't told.
    pub fn client_ack(&self) -> Option<Result<(String, Vec<Bytes>), ParseError>> {
        if !self.has_kind(BROADCAST_ACK) {
            return None;
        }
        let array = |answer: Answer| (format!("[{}]", answer.value), answer.attachments);
        Some(match self.packet {
            Some(packet) => answer(packet).map(array),
            None => Ok(("[]".to_owned(), Vec::new())),
        })
    }

    fn has_kind(&self, kind: u64) -> bool {
        self.kind.and_then(Value::number) == Some(kind)
    }
}

impl ResponseContent {
    /// Writes an answer to the request with this id.
    ///
    /// # Errors
    /// The users' data in it is not well-formed.
    pub fn write(&self, id: &str) -> Result<Vec<u8>, ParseError> {
        if let ResponseContent::ClientAck(answer) = self {
            return write_client_ack(id, answer.as_ref());
        }
        let mut out = String::from("{");
        let kind = match self {
            ResponseContent::Emitted(_) => Some(SERVER_SIDE_EMIT),
            ResponseContent::ClientCount(_) => Some(BROADCAST_CLIENT_COUNT),
            _ => None,
        };
        if let Some(kind) = kind {
            out.push_str(&format!("\"type\":{kind},"));
        }
        push_member("requestId", id, &mut out);
        match self {
            ResponseContent::Ids(ids) => {
                out.push_str("\"sockets\":");
                push_names(ids, &mut out);
            }
            ResponseContent::Rooms(rooms) => {
                out.push_str("\"rooms\":");
                push_names(rooms, &mut out);
            }
            ResponseContent::Sockets(sockets) => push_sockets(sockets, &mut out)?,
            ResponseContent::Emitted(answer) => {
                out.push_str("\"data\":");
                out.push_str(&with_buffers(&answer.value, &answer.attachments)?);
            }
            ResponseContent::ClientCount(count) => out.push_str(&format!("\"clientCount\":{count}")),
            ResponseContent::ClientAck(_) | ResponseContent::Done => {
                out.pop(); // the comma
            }
        }
        out.push('}');
        Ok(out.into_bytes())
    }
}

fn write_client_ack(id: &str, answer: Option<&Answer>) -> Result<Vec<u8>, ParseError> {
    let mut pack = Pack::new();
    pack.map(2 + usize::from(answer.is_some()));
    pack.str("type").number(BROADCAST_ACK);
    pack.str("requestId").str(id);
    if let Some(answer) = answer {
        pack.str("packet").content(&answer.value, &answer.attachments)?;
    }
    Ok(pack.finish())
}

/// Members as the official server shows them. The application's data has to be JSON, or all would be lost.
fn push_sockets(sockets: &[SocketDetails], out: &mut String) -> Result<(), ParseError> {
    out.push_str("\"sockets\":[");
    for (place, socket) in sockets.iter().enumerate() {
        json::check(&socket.data)?;
        json::check(&socket.handshake)?;
        out.push_str(if place > 0 { ",{\"id\":" } else { "{\"id\":" });
        push_string(&socket.id, out);
        out.push_str(",\"handshake\":");
        out.push_str(&socket.handshake);
        out.push_str(",\"rooms\":");
        push_names(&socket.rooms, out);
        out.push_str(",\"data\":");
        out.push_str(&socket.data);
        out.push('}');
    }
    out.push(']');
    Ok(())
}

fn details(socket: Value<'_>) -> Result<SocketDetails, ParseError> {
    let [id, handshake, rooms, data] = socket.members(["id", "handshake", "rooms", "data"])?;
    let text = |value: Option<Value<'_>>| value.map_or(Ok("{}".to_owned()), Value::text);
    Ok(SocketDetails {
        id: id
            .and_then(Value::string)
            .ok_or(ParseError::Payload)?
            .into_owned(),
        handshake: text(handshake)?,
        rooms: names(rooms).unwrap_or_default(),
        data: text(data)?,
    })
}

fn names(value: Option<Value<'_>>) -> Result<Vec<String>, ParseError> {
    let mut names = Vec::new();
    for item in value.ok_or(ParseError::Payload)?.items()? {
        names.extend(item?.name().map(String::from));
    }
    Ok(names)
}

fn answer(value: Value<'_>) -> Result<Answer, ParseError> {
    let (value, attachments) = value.content()?;
    Ok(Answer { value, attachments })
}
