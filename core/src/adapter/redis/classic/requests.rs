//! Requests to all nodes.

use std::sync::Arc;

use super::super::super::{BroadcastOptions, BroadcastPacket};
use super::super::values::{Pack, Value, push_names, with_buffers};
use super::broadcasts::{EMITTER, Sender, event, push_packet, room_for};
use crate::json::push_string;
use crate::socketio::ParseError;

pub(super) const SOCKETS: u64 = 0;
pub(super) const ALL_ROOMS: u64 = 1;
pub(super) const REMOTE_JOIN: u64 = 2;
pub(super) const REMOTE_LEAVE: u64 = 3;
pub(super) const REMOTE_DISCONNECT: u64 = 4;
pub(super) const REMOTE_FETCH: u64 = 5;
pub(super) const SERVER_SIDE_EMIT: u64 = 6;
pub(super) const BROADCAST: u64 = 7;

/// What is asked of all nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The ids of the sockets in these rooms.
    Sockets(Vec<Arc<str>>),
    /// The names of all rooms.
    AllRooms,
    /// Join rooms.
    Join(Whom, Vec<Arc<str>>),
    /// Leave rooms.
    Leave(Whom, Vec<Arc<str>>),
    /// Disconnect; `true`: close the connection.
    Disconnect(Whom, bool),
    /// What is known of sockets.
    Fetch(BroadcastOptions),
    /// Have the application hear an event.
    ServerSideEmit(BroadcastPacket),
    /// Send an event, and tell of the answers.
    Broadcast(BroadcastPacket, BroadcastOptions),
}

/// Which sockets are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Those that the options mean.
    All(BroadcastOptions),
    /// The one with this id, of which adapters up to version 5 tell; it is answered.
    One(Arc<str>),
}

/// A request from another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Who asks.
    pub uid: Option<String>,
    /// What the answer has to refer to.
    pub id: Option<String>,
    /// What is asked.
    pub request: Request,
}

impl Received {
    /// Reads a message; `None` if it is this node's own.
    ///
    /// # Errors
    /// It is no request that is known.
    pub fn read(message: &[u8], own_uid: &str) -> Result<Option<Received>, ParseError> {
        let [uid, id, kind] = Value::read(message)?.members(["uid", "requestId", "type"])?;
        let uid = uid.and_then(Value::string).map(String::from);
        if uid.as_deref() == Some(own_uid) {
            return Ok(None);
        }
        let id = id.and_then(Value::name).map(String::from);
        let kind = kind.and_then(Value::number).ok_or(ParseError::UnknownType)?;
        let request = Request::read(kind, message)?;
        Ok(Some(Received { uid, id, request }))
    }
}

impl Request {
    fn read(kind: u64, message: &[u8]) -> Result<Request, ParseError> {
        let [rooms, opts, data, packet, close] =
            Value::read(message)?.members(["rooms", "opts", "data", "packet", "close"])?;
        let names = |rooms: Option<Value<'_>>| rooms.map_or(Ok(Vec::new()), Value::names);
        let options = |opts: Option<Value<'_>>| opts.ok_or(ParseError::Payload)?.options();
        Ok(match kind {
            SOCKETS => Request::Sockets(names(rooms)?),
            ALL_ROOMS => Request::AllRooms,
            REMOTE_JOIN | REMOTE_LEAVE => {
                let (whom, rooms) = match whom(opts, message)? {
                    Whom::All(options) => (Whom::All(options), names(rooms)?),
                    one @ Whom::One(_) => (one, room(message)?),
                };
                match kind {
                    REMOTE_JOIN => Request::Join(whom, rooms),
                    _ => Request::Leave(whom, rooms),
                }
            }
            REMOTE_DISCONNECT => {
                let close = close.and_then(Value::bool) == Some(true);
                Request::Disconnect(whom(opts, message)?, close)
            }
            REMOTE_FETCH => Request::Fetch(options(opts)?),
            SERVER_SIDE_EMIT => Request::ServerSideEmit(event(data)?),
            BROADCAST => {
                let [data] = packet.ok_or(ParseError::Payload)?.members(["data"])?;
                Request::Broadcast(event(data)?, options(opts)?)
            }
            _ => return Err(ParseError::UnknownType),
        })
    }

    /// Writes it, with what the answer has to refer to if one is wanted.
    ///
    /// # Errors
    /// The users' data in it is not well-formed.
    pub fn write(
        &self,
        sender: Sender<'_>,
        id: Option<&str>,
        namespace: &str,
    ) -> Result<Vec<u8>, ParseError> {
        if let (Request::Broadcast(packet, options), Sender::Server(uid)) = (self, sender) {
            return write_broadcast(uid, id.unwrap_or_default(), namespace, packet, options);
        }
        let mut out = String::from("{");
        match (sender, self) {
            (Sender::Server(uid), _) => push_member("uid", uid, &mut out),
            (Sender::Emitter, Request::ServerSideEmit(_)) => push_member("uid", EMITTER, &mut out),
            (Sender::Emitter, _) => {}
        }
        if let Some(id) = id {
            push_member("requestId", id, &mut out);
        }
        self.push(&mut out)?;
        out.push('}');
        Ok(out.into_bytes())
    }

    /// The type, and what follows it.
    fn push(&self, out: &mut String) -> Result<(), ParseError> {
        let kind = |kind: u64, out: &mut String| {
            out.push_str("\"type\":");
            out.push_str(itoa::Buffer::new().format(kind));
        };
        match self {
            Request::Sockets(rooms) => {
                kind(SOCKETS, out);
                out.push_str(",\"rooms\":");
                push_names(rooms, out);
            }
            Request::AllRooms => kind(ALL_ROOMS, out),
            Request::Join(whom, rooms) | Request::Leave(whom, rooms) => {
                let is_join = matches!(self, Request::Join(..));
                kind(if is_join { REMOTE_JOIN } else { REMOTE_LEAVE }, out);
                push_whom(whom, out);
                out.push_str(",\"rooms\":");
                push_names(rooms, out);
            }
            Request::Disconnect(whom, close) => {
                kind(REMOTE_DISCONNECT, out);
                push_whom(whom, out);
                out.push_str(if *close {
                    ",\"close\":true"
                } else {
                    ",\"close\":false"
                });
            }
            Request::Fetch(options) => {
                kind(REMOTE_FETCH, out);
                push_opts(options, out);
            }
            Request::ServerSideEmit(packet) => {
                kind(SERVER_SIDE_EMIT, out);
                out.push_str(",\"data\":");
                out.push_str(&with_buffers(&packet.array, &packet.attachments)?);
            }
            // Emitters can't: there would be nobody to answer.
            Request::Broadcast(..) => return Err(ParseError::UnknownType),
        }
        Ok(())
    }
}

fn write_broadcast(
    uid: &str,
    id: &str,
    namespace: &str,
    packet: &BroadcastPacket,
    options: &BroadcastOptions,
) -> Result<Vec<u8>, ParseError> {
    let mut pack = Pack::with_capacity(room_for(packet));
    pack.map(5).str("uid").str(uid);
    pack.str("requestId").str(id);
    pack.str("type").number(BROADCAST);
    push_packet(pack.str("packet"), namespace, packet)?;
    pack.str("opts").options(options);
    Ok(pack.finish())
}

/// Whoever has options is of today.
fn whom(opts: Option<Value<'_>>, message: &[u8]) -> Result<Whom, ParseError> {
    if let Some(options) = opts
        && let Ok(options) = options.options()
    {
        return Ok(Whom::All(options));
    }
    let [sid] = Value::read(message)?.members(["sid"])?;
    let sid = sid.and_then(Value::string).ok_or(ParseError::Payload)?;
    Ok(Whom::One(Arc::from(&*sid)))
}

fn room(message: &[u8]) -> Result<Vec<Arc<str>>, ParseError> {
    let [room] = Value::read(message)?.members(["room"])?;
    let room = room.and_then(Value::name).ok_or(ParseError::Payload)?;
    Ok(vec![Arc::from(&*room)])
}

fn push_whom(whom: &Whom, out: &mut String) {
    match whom {
        Whom::All(options) => push_opts(options, out),
        Whom::One(id) => {
            out.push(',');
            out.push_str("\"sid\":");
            push_string(id, out);
        }
    }
}

/// `{rooms, except}`: how something is sent doesn't matter here.
fn push_opts(options: &BroadcastOptions, out: &mut String) {
    out.push_str(",\"opts\":{\"rooms\":");
    push_names(&options.rooms, out);
    out.push_str(",\"except\":");
    push_names(&options.except, out);
    out.push('}');
}

/// A member and the comma behind it.
pub(super) fn push_member(name: &str, value: &str, out: &mut String) {
    push_string(name, out);
    out.push(':');
    push_string(value, out);
    out.push(',');
}
