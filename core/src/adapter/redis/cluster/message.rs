//! What nodes say to each other: the messages of the official `ClusterAdapter` (socket.io-adapter 2.5), as they are
//! written. Members stand in the order in which the official one writes them.

use bytes::Bytes;

use super::super::super::{Answer, BroadcastOptions, BroadcastPacket, SocketDetails};
use super::super::values::{Pack, push_names, push_options};
use crate::json::push_string;
use crate::socketio::ParseError;

/// The numbers of the messages (`MessageType`). 1, 2 and 13 are heartbeats, which neither of the two adapters here sends.
pub(super) mod kind {
    pub(crate) const BROADCAST: u64 = 3;
    pub(crate) const SOCKETS_JOIN: u64 = 4;
    pub(crate) const SOCKETS_LEAVE: u64 = 5;
    pub(crate) const DISCONNECT_SOCKETS: u64 = 6;
    pub(crate) const FETCH_SOCKETS: u64 = 7;
    pub(crate) const FETCH_SOCKETS_RESPONSE: u64 = 8;
    pub(crate) const SERVER_SIDE_EMIT: u64 = 9;
    pub(crate) const SERVER_SIDE_EMIT_RESPONSE: u64 = 10;
    pub(crate) const BROADCAST_CLIENT_COUNT: u64 = 11;
    pub(crate) const BROADCAST_ACK: u64 = 12;
}

/// A message without its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// An event for clients; with a request, they are to answer.
    Broadcast {
        packet: BroadcastPacket,
        options: BroadcastOptions,
        request: Option<String>,
    },
    Join {
        options: BroadcastOptions,
        rooms: Vec<String>,
    },
    Leave {
        options: BroadcastOptions,
        rooms: Vec<String>,
    },
    Disconnect {
        options: BroadcastOptions,
        close: bool,
    },
    Fetch {
        options: BroadcastOptions,
        request: String,
    },
    Fetched {
        request: String,
        sockets: Vec<SocketDetails>,
    },
    /// An event for the other nodes' applications; with a request, they are to answer.
    ServerSideEmit {
        packet: BroadcastPacket,
        request: Option<String>,
    },
    /// What was answered first of all. JavaScript has nothing where nothing was given.
    ServerSideAnswer {
        request: String,
        answer: Option<Answer>,
    },
    ClientCount {
        request: String,
        count: usize,
    },
    /// As above.
    ClientAnswer {
        request: String,
        answer: Option<Answer>,
    },
}

/// A message, and whom it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The sender.
    pub(crate) uid: String,
    pub(crate) namespace: String,
    pub(crate) message: Message,
}

impl Message {
    /// Its number.
    pub(crate) fn kind(&self) -> u64 {
        match self {
            Message::Broadcast { .. } => kind::BROADCAST,
            Message::Join { .. } => kind::SOCKETS_JOIN,
            Message::Leave { .. } => kind::SOCKETS_LEAVE,
            Message::Disconnect { .. } => kind::DISCONNECT_SOCKETS,
            Message::Fetch { .. } => kind::FETCH_SOCKETS,
            Message::Fetched { .. } => kind::FETCH_SOCKETS_RESPONSE,
            Message::ServerSideEmit { .. } => kind::SERVER_SIDE_EMIT,
            Message::ServerSideAnswer { .. } => kind::SERVER_SIDE_EMIT_RESPONSE,
            Message::ClientCount { .. } => kind::BROADCAST_CLIENT_COUNT,
            Message::ClientAnswer { .. } => kind::BROADCAST_ACK,
        }
    }

    /// What the placeholders in [`Message::data`] stand for.
    pub(crate) fn attachments(&self) -> &[Bytes] {
        match self {
            Message::Broadcast { packet, .. } | Message::ServerSideEmit { packet, .. } => &packet.attachments,
            Message::ServerSideAnswer { answer, .. } | Message::ClientAnswer { answer, .. } => {
                answer.as_ref().map_or(&[], |answer| &answer.attachments)
            }
            _ => &[],
        }
    }

    /// Writes all but its number: a JSON object.
    pub(crate) fn data(&self, out: &mut String) {
        match self {
            Message::Broadcast {
                packet,
                options,
                request,
            } => {
                out.push_str("{\"packet\":{\"type\":2,\"data\":");
                out.push_str(&packet.array);
                out.push('}');
                if let Some(request) = request {
                    out.push_str(",\"requestId\":");
                    push_string(request, out);
                }
                out.push_str(",\"opts\":");
                push_options(options, out);
            }
            Message::Join { options, rooms } | Message::Leave { options, rooms } => {
                push_opts(options, out);
                out.push_str(",\"rooms\":");
                push_names(rooms, out);
            }
            Message::Disconnect { options, close } => {
                push_opts(options, out);
                out.push_str(if *close {
                    ",\"close\":true"
                } else {
                    ",\"close\":false"
                });
            }
            Message::Fetch { options, request } => {
                push_opts(options, out);
                out.push_str(",\"requestId\":");
                push_string(request, out);
            }
            Message::Fetched { request, sockets } => {
                push_request(request, out);
                out.push_str(",\"sockets\":[");
                for (place, socket) in sockets.iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    push_socket(socket, out);
                }
                out.push(']');
            }
            Message::ServerSideEmit { packet, request } => {
                match request {
                    Some(request) => {
                        push_request(request, out);
                        out.push(',');
                    }
                    None => out.push('{'),
                }
                out.push_str("\"packet\":");
                out.push_str(&packet.array);
            }
            Message::ServerSideAnswer { request, answer } | Message::ClientAnswer { request, answer } => {
                push_request(request, out);
                if let Some(answer) = answer {
                    out.push_str(",\"packet\":");
                    out.push_str(&answer.value);
                }
            }
            Message::ClientCount { request, count } => {
                push_request(request, out);
                out.push_str(",\"clientCount\":");
                out.push_str(itoa::Buffer::new().format(*count));
            }
        }
        out.push('}');
    }
}

impl Envelope {
    /// As a JSON object, whose binary data is in [`Message::attachments`].
    fn text(&self) -> String {
        let mut out = String::from("{\"type\":");
        out.push_str(itoa::Buffer::new().format(self.message.kind()));
        out.push_str(",\"data\":");
        self.message.data(&mut out);
        out.push_str(",\"uid\":");
        push_string(&self.uid, &mut out);
        out.push_str(",\"nsp\":");
        push_string(&self.namespace, &mut out);
        out.push('}');
        out
    }

    /// As the sharded adapter writes it: JSON, or MessagePack if there is binary data.
    ///
    /// # Errors
    /// Users' data is not well-formed.
    pub(crate) fn to_json_or_msgpack(&self) -> Result<Vec<u8>, ParseError> {
        match self.message.attachments().is_empty() {
            true => Ok(self.text().into_bytes()),
            false => self.to_msgpack(),
        }
    }

    /// As the streams adapter publishes it.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn to_msgpack(&self) -> Result<Vec<u8>, ParseError> {
        to_msgpack(&self.text(), self.message.attachments())
    }
}

/// A JSON text in MessagePack.
///
/// # Errors
/// The text is not well-formed.
pub(crate) fn to_msgpack(text: &str, attachments: &[Bytes]) -> Result<Vec<u8>, ParseError> {
    let mut pack = Pack::new();
    pack.content(text, attachments)?;
    Ok(pack.finish())
}

fn push_opts(options: &BroadcastOptions, out: &mut String) {
    out.push_str("{\"opts\":");
    push_options(options, out);
}

fn push_request(request: &str, out: &mut String) {
    out.push_str("{\"requestId\":");
    push_string(request, out);
}

fn push_socket(socket: &SocketDetails, out: &mut String) {
    out.push_str("{\"id\":");
    push_string(&socket.id, out);
    out.push_str(",\"handshake\":");
    out.push_str(&socket.handshake);
    out.push_str(",\"rooms\":");
    push_names(&socket.rooms, out);
    out.push_str(",\"data\":");
    out.push_str(&socket.data);
    out.push('}');
}
