//! Broadcasts: `[uid, packet, options]`, in MessagePack.

use bytes::Bytes;

use super::super::super::{BroadcastOptions, BroadcastPacket};
use super::super::values::{Pack, Value};
use crate::json;
use crate::socketio::{PacketType, ParseError};

/// Emitters of old say that an event has binary data.
const BINARY_EVENT: u64 = 5;

/// Who writes a broadcast. Servers and the official emitter don't write options in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender<'a> {
    /// A node with this uid.
    Server(&'a str),
    /// A process without a server.
    Emitter,
}

/// The uid of all emitters.
pub(crate) const EMITTER: &str = "emitter";

/// A broadcast from another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broadcast {
    /// The event.
    pub packet: BroadcastPacket,
    /// Whom it is for.
    pub options: BroadcastOptions,
}

impl Broadcast {
    /// Reads a message; `None` if it is this node's own, or another namespace's.
    ///
    /// # Errors
    /// It is no broadcast.
    pub fn read(message: &[u8], own_uid: &str, namespace: &str) -> Result<Option<Broadcast>, ParseError> {
        let mut items = Value::Msgpack(message).items()?;
        let mut next = || items.next().ok_or(ParseError::Payload)?;
        if next()?.string().is_some_and(|uid| uid == own_uid) {
            return Ok(None);
        }
        let (packet, options) = (next()?, next()?);
        let [nsp, kind, data] = packet.members(["nsp", "type", "data"])?;
        let nsp = nsp.and_then(Value::string).unwrap_or("/".into());
        if nsp != namespace {
            return Ok(None);
        }
        let kind = kind.and_then(Value::number);
        if kind != Some(PacketType::Event as u64) && kind != Some(BINARY_EVENT) {
            return Err(ParseError::UnknownType);
        }
        Ok(Some(Broadcast {
            packet: event(data)?,
            options: options.options()?,
        }))
    }

    /// Writes a message.
    ///
    /// # Errors
    /// The packet's array is not well-formed.
    pub fn write(
        sender: Sender<'_>,
        namespace: &str,
        packet: &BroadcastPacket,
        options: &BroadcastOptions,
    ) -> Result<Vec<u8>, ParseError> {
        let mut pack = Pack::with_capacity(room_for(packet));
        pack.array(3);
        match sender {
            Sender::Server(uid) => push_packet(pack.str(uid), namespace, packet)?.options(options),
            Sender::Emitter => {
                push_packet(pack.str(EMITTER), namespace, packet)?.map(3);
                pack.str("rooms").names(&options.rooms);
                pack.str("flags").flags(&options.flags);
                pack.str("except").names(&options.except)
            }
        };
        Ok(pack.finish())
    }
}

/// About as long as a message with this packet is.
pub(super) fn room_for(packet: &BroadcastPacket) -> usize {
    let attachments: usize = packet.attachments.iter().map(Bytes::len).sum();
    packet.array.len() + attachments + 128
}

/// Writes `{type, data, nsp}`.
pub(super) fn push_packet<'a>(
    pack: &'a mut Pack,
    namespace: &str,
    packet: &BroadcastPacket,
) -> Result<&'a mut Pack, ParseError> {
    pack.map(3).str("type").number(PacketType::Event as u64);
    pack.str("data").content(&packet.array, &packet.attachments)?;
    pack.str("nsp").str(namespace);
    Ok(pack)
}

/// What an event is made of: an array that begins with its name.
pub(super) fn event(data: Option<Value<'_>>) -> Result<BroadcastPacket, ParseError> {
    let (array, attachments) = data.ok_or(ParseError::Payload)?.content()?;
    json::check_event(&array)?;
    Ok(BroadcastPacket {
        array: array.into(),
        attachments: attachments.into(),
    })
}
