//! What nodes say to each other, as it is read. Who can write to Redis is trusted, and still nothing that is there does
//! harm: what can't be understood is left out.

use std::sync::Arc;

use super::super::super::{Answer, BroadcastOptions, BroadcastPacket, SocketDetails};
use super::super::values::Value;
use super::message::{Envelope, Message, kind};
use crate::json;
use crate::socketio::ParseError;

/// The packets that a broadcast may be: EVENT, and BINARY_EVENT, which official nodes don't write here.
const EVENTS: [u64; 2] = [2, 5];

impl Envelope {
    /// Reads a message of pub/sub: `{type, data, uid, nsp}`, in JSON or MessagePack.
    ///
    /// # Errors
    /// It is no message, or none that is known.
    pub(crate) fn read(payload: &[u8]) -> Result<Envelope, ParseError> {
        let [kind, data, uid, namespace] = Value::read(payload)?.members(["type", "data", "uid", "nsp"])?;
        let text = |value: Option<Value<'_>>| {
            let text = value.and_then(Value::string).ok_or(ParseError::Payload)?;
            Ok::<_, ParseError>(text.into_owned())
        };
        Ok(Envelope {
            uid: text(uid)?,
            namespace: text(namespace)?,
            message: Message::read(
                kind.and_then(Value::number).ok_or(ParseError::UnknownType)?,
                data.ok_or(ParseError::Payload)?,
            )?,
        })
    }
}

impl Message {
    /// Reads a message of this number.
    ///
    /// # Errors
    /// It is none, or the number is not known.
    pub(crate) fn read(kind: u64, data: Value<'_>) -> Result<Message, ParseError> {
        let names = ["opts", "packet", "requestId", "rooms", "sockets"];
        let [options, packet, request, rooms, sockets] = data.members(names)?;
        let options = || options.map_or_else(|| Ok(BroadcastOptions::default()), Value::options);
        let may_request = request.and_then(Value::string).map(String::from);
        let request = || may_request.clone().ok_or(ParseError::Payload);
        let rooms = || -> Result<Vec<String>, ParseError> {
            let names = rooms.ok_or(ParseError::Payload)?.names()?;
            Ok(names.iter().map(ToString::to_string).collect())
        };
        Ok(match kind {
            kind::BROADCAST => Message::Broadcast {
                packet: event_packet(packet)?,
                options: options()?,
                request: may_request,
            },
            kind::SOCKETS_JOIN => Message::Join {
                options: options()?,
                rooms: rooms()?,
            },
            kind::SOCKETS_LEAVE => Message::Leave {
                options: options()?,
                rooms: rooms()?,
            },
            kind::DISCONNECT_SOCKETS => {
                let [close] = data.members(["close"])?;
                Message::Disconnect {
                    options: options()?,
                    close: close.and_then(Value::bool) == Some(true),
                }
            }
            kind::FETCH_SOCKETS => Message::Fetch {
                options: options()?,
                request: request()?,
            },
            kind::FETCH_SOCKETS_RESPONSE => Message::Fetched {
                request: request()?,
                sockets: read_sockets(sockets)?,
            },
            kind::SERVER_SIDE_EMIT => Message::ServerSideEmit {
                packet: array(packet)?,
                request: may_request,
            },
            kind::SERVER_SIDE_EMIT_RESPONSE => Message::ServerSideAnswer {
                request: request()?,
                answer: read_answer(packet)?,
            },
            kind::BROADCAST_CLIENT_COUNT => {
                let [count] = data.members(["clientCount"])?;
                let count = count.and_then(Value::number).ok_or(ParseError::Payload)?;
                Message::ClientCount {
                    request: request()?,
                    count: usize::try_from(count).unwrap_or(usize::MAX),
                }
            }
            kind::BROADCAST_ACK => Message::ClientAnswer {
                request: request()?,
                answer: read_answer(packet)?,
            },
            _ => return Err(ParseError::UnknownType),
        })
    }
}

fn read_answer(value: Option<Value<'_>>) -> Result<Option<Answer>, ParseError> {
    let content = value.map(Value::content).transpose()?;
    Ok(content.map(|(value, attachments)| Answer { value, attachments }))
}

/// `{type: 2, data: [name, …]}`
fn event_packet(packet: Option<Value<'_>>) -> Result<BroadcastPacket, ParseError> {
    let [packet_type, data] = packet.ok_or(ParseError::Payload)?.members(["type", "data"])?;
    match packet_type.and_then(Value::number) {
        Some(number) if EVENTS.contains(&number) => array(data),
        _ => Err(ParseError::UnknownType),
    }
}

/// `[name, …]`
fn array(value: Option<Value<'_>>) -> Result<BroadcastPacket, ParseError> {
    let (array, attachments) = value.ok_or(ParseError::Payload)?.content()?;
    json::check_event(&array)?;
    Ok(BroadcastPacket {
        array: array.into(),
        attachments: attachments.into(),
    })
}

fn read_sockets(sockets: Option<Value<'_>>) -> Result<Vec<SocketDetails>, ParseError> {
    let mut found = Vec::new();
    for socket in sockets.ok_or(ParseError::Payload)?.items()? {
        let [id, handshake, rooms, data] = socket?.members(["id", "handshake", "rooms", "data"])?;
        let rooms = rooms.map_or(Ok(Vec::new()), Value::names)?;
        let json = |value: Option<Value<'_>>| value.map_or(Ok("{}".to_owned()), Value::text);
        found.push(SocketDetails {
            id: id
                .and_then(Value::string)
                .ok_or(ParseError::Payload)?
                .into_owned(),
            handshake: json(handshake)?,
            rooms: rooms.iter().map(|room: &Arc<str>| room.to_string()).collect(),
            data: json(data)?,
        });
    }
    Ok(found)
}
