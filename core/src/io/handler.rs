//! What the application hears.

use std::borrow::Cow;

use bytes::Bytes;

use super::{
    Ack, AckResult, BroadcastAcks, ConnectQuestion, ConnectionError, Handshake, Namespace, NamespaceQuestion,
    RequestQuestion, Server, ServerEvent, Socket, Transport,
};
use crate::engineio::{Data, PacketType};
use crate::http::Request;

/// The events of a server, of all its namespaces and sockets. All methods have a default, so implement those that you need.
///
/// What concerns one socket comes on its session's home thread, the thread that turns the loop on which the session began,
/// one after the other: `on_connecting` if it is not left out, `on_connection`, events and acks in the order of their arrival,
/// `on_disconnecting`, what is left of its acks as [`AckResult::Disconnected`], `on_disconnect`, last. With several loops
/// ([`sockline::ServerOptions::threads`](crate::ServerOptions::threads)) those of different sockets come on different threads
/// at the same time. A handler may call anything; nothing calls back into it before it has returned.
///
/// The server keeps its handler, so a handler that keeps a [`Server`], [`Namespace`] or [`Socket`] keeps it for ever: let it
/// keep the [`raw`](Server::raw) number instead.
#[allow(unused_variables)]
pub trait Handler: Send + Sync {
    /// A new session is asked for (`allowRequest`); only with [`ServerOptions::ask_request`](super::ServerOptions::ask_request).
    /// With [`ServerOptions::ask_upgrades`](super::ServerOptions::ask_upgrades) also a WebSocket for one that has begun.
    /// Answer here or later, on any thread. The default allows.
    fn on_request(&self, question: RequestQuestion) {
        question.allow();
    }
    /// The HTTP response to one of the session's requests is about to be sent: `headers` may be added to. `initial`: it is
    /// the one that begins the session (`initial_headers`), else `headers`. Only with
    /// [`ServerOptions::ask_headers`](super::ServerOptions::ask_headers).
    fn on_headers(&self, initial: bool, request: &Request, headers: &mut Vec<(String, String)>) {}
    /// A session has begun (`connection` of the official engine), on what will be its home thread. Its sockets come later.
    fn on_session(&self, session: &SessionInfo<'_>) {}
    /// A session has moved from HTTP requests to a WebSocket; before [`Handler::on_upgrade`].
    fn on_session_upgraded(&self, session_id: &str) {}
    /// An Engine.IO packet of a session: one that came (`packet`), or one that is on its way to the client (`packetCreate`): a
    /// message, or a ping or pong. For watching. Only with [`Server::set_packet_events`].
    fn on_packet(&self, session_id: &str, packet: &EnginePacket<'_>) {}
    /// A session has ended, after the last of its sockets. `detail` as for [`Handler::on_disconnect`].
    fn on_session_closed(&self, session_id: &str, reason: DisconnectReason, detail: &str) {}
    /// A request was refused (`connection_error`).
    fn on_connection_error(&self, error: &ConnectionError) {}
    /// A client asks for a namespace that is not there; only with [`Server::set_dynamic_namespaces`]. Answer here or later, on
    /// any thread: [`NamespaceQuestion::allow`] makes it. The default denies, and the client hears "Invalid namespace".
    fn on_namespace(&self, question: NamespaceQuestion) {
        question.deny();
    }
    /// A namespace was made (`new_namespace`), by [`Server::of`] or for a client. Not told of "/".
    fn on_new_namespace(&self, namespace: &Namespace) {}
    /// A client wants to be connected to a namespace (`use`): its socket is there, not connected yet. Answer here or later, on
    /// any thread. Left out for sockets that were recovered, if
    /// [`Recovery::skip_middlewares`](super::Recovery::skip_middlewares) says so. The default allows.
    fn on_connecting(&self, question: ConnectQuestion) {
        question.allow();
    }
    /// A socket that was asked about in `on_connecting` will never be connected: it was denied, or its client has gone. The
    /// last event of this socket; its user data may be freed here.
    fn on_connect_abandoned(&self, socket: &Socket) {}
    /// A socket is connected; the client has been told.
    fn on_connection(&self, socket: &Socket) {}
    /// An event came; what it borrows is there until this returns.
    fn on_event(&self, socket: &Socket, event: Event<'_>) {}
    /// What became of an event that was emitted with this token ([`EmitOptions::ack`](super::EmitOptions::ack)): exactly once.
    fn on_ack(&self, socket: &Socket, token: u64, result: AckResult<'_>) {}
    /// What became of a broadcast that was emitted with this token
    /// ([`BroadcastOperator::emit_with_ack`](super::BroadcastOperator::emit_with_ack)): exactly once, on the thread of the
    /// server's loop.
    fn on_broadcast_ack(&self, namespace: &Namespace, token: u64, acks: BroadcastAcks<'_>) {}
    /// An event of a [`BroadcastOperator`](super::BroadcastOperator) has been sent to this socket, one that asked to hear of
    /// that by [`Socket::hear_outgoing`] (`onAnyOutgoing`). What [`Socket::emit`] sends is known to the caller and not told.
    fn on_outgoing(&self, socket: &Socket, event: Outgoing<'_>) {}
    /// What waits to be sent to this socket's client fell to half of the high-water mark, after a send had said
    /// [`Sent::OverMark`](crate::Sent::OverMark). Each socket of the session hears it.
    fn on_drain(&self, socket: &Socket) {}
    /// The session of this socket has moved from HTTP requests to a WebSocket. Each socket of the session hears it.
    fn on_upgrade(&self, socket: &Socket) {}
    /// A socket is about to go (`disconnecting`): it is still in its rooms, but no longer connected.
    fn on_disconnecting(&self, socket: &Socket, reason: DisconnectReason) {}
    /// A socket has gone; the last event of this socket. `detail` says more of the cause, in English, or is empty. Its user
    /// data may be freed here.
    fn on_disconnect(&self, socket: &Socket, reason: DisconnectReason, detail: &str) {}
    /// Something happened to a room; only with [`ServerOptions::room_events`](super::ServerOptions::room_events). The rooms
    /// that sockets have to themselves, of the same name as their id, count too. On the thread of the server's loop.
    fn on_room(&self, namespace: &Namespace, event: RoomEvent<'_>) {}
    /// The application of another server of the cluster has emitted an event ([`Namespace::server_side_emit`]) and waits for
    /// an answer if the event has an ack. Each server hears it, but not the one that has emitted it. On the thread of the
    /// server's loop.
    fn on_server_side_emit(&self, namespace: &Namespace, event: ServerEvent<'_>) {}
    /// [`Server::close`] is done: all sockets and sessions have gone. The last event of this server. If its loop has ended before, it
    /// is heard on the thread that finds it out.
    fn on_server_closed(&self, server: &Server) {}
}

/// A session as it begins.
#[derive(Debug, Clone, Copy)]
pub struct SessionInfo<'a> {
    /// Its id (Engine.IO's `sid`). Who knows it can act for the client: don't show it to others.
    pub id: &'a str,
    /// The request that began it.
    pub request: &'a Handshake,
    /// What carries it.
    pub transport: Transport,
    /// Which revision of Engine.IO its client speaks: 4, or 3.
    pub protocol: u8,
}

/// A packet of Engine.IO.
#[derive(Debug, Clone, Copy)]
pub struct EnginePacket<'a> {
    /// Whether it is on its way out; else it came.
    pub outgoing: bool,
    /// What it is.
    pub kind: PacketType,
    /// Its data, without base64; empty text if it has none.
    pub data: Data<'a>,
    /// Whether it may be compressed on its way out; of one that came it is true.
    pub compress: bool,
}

/// An event that came from a client. What it borrows is there until [`Handler::on_event`] returns.
#[derive(Debug)]
pub struct Event<'a> {
    /// Its name; a number (which some clients send) as its digits.
    pub name: Cow<'a, str>,
    /// The whole JSON array: the name, then the arguments.
    pub array: &'a str,
    /// The arguments alone, as JSON values with commas between them, without brackets; empty if there are none.
    pub args: &'a str,
    /// The binary values, to which `{"_placeholder":true,"num":N}` in the arguments points. Each place is within the list.
    pub attachments: &'a [Bytes],
    /// The answer that the client waits for, if it does.
    pub ack: Option<Ack>,
}

/// An event that a broadcast has sent to a socket.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The whole JSON array: the name, then the arguments, as it was given.
    pub array: &'a str,
    /// The binary values, as in [`Event::attachments`].
    pub attachments: &'a [Bytes],
}

/// Why a socket was disconnected, in the words of the official server ([`DisconnectReason::as_str`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// "transport error": the connection failed, or a request of the session broke the protocol.
    TransportError = 0,
    /// "transport close": the client closed the connection.
    TransportClose = 1,
    /// "ping timeout": the client didn't answer a ping in time.
    PingTimeout = 2,
    /// "parse error": the client sent what can't be read.
    ParseError = 3,
    /// "server namespace disconnect": [`Socket::disconnect`] or
    /// [`BroadcastOperator::disconnect_sockets`](super::BroadcastOperator::disconnect_sockets).
    ServerNamespaceDisconnect = 4,
    /// "client namespace disconnect": the client left the namespace.
    ClientNamespaceDisconnect = 5,
    /// "server shutting down": [`Server::close`].
    ServerShuttingDown = 6,
    /// "forced close": the session was closed by this side, for a reason of its own.
    ForcedClose = 7,
    /// "forced server close": the client broke the protocol, or had joined no namespace in time.
    ForcedServerClose = 8,
}

impl DisconnectReason {
    /// All of them, in the order of their numbers.
    pub const ALL: &'static [DisconnectReason] = &[
        DisconnectReason::TransportError,
        DisconnectReason::TransportClose,
        DisconnectReason::PingTimeout,
        DisconnectReason::ParseError,
        DisconnectReason::ServerNamespaceDisconnect,
        DisconnectReason::ClientNamespaceDisconnect,
        DisconnectReason::ServerShuttingDown,
        DisconnectReason::ForcedClose,
        DisconnectReason::ForcedServerClose,
    ];

    /// The official word.
    pub const fn as_str(self) -> &'static str {
        match self {
            DisconnectReason::TransportError => "transport error",
            DisconnectReason::TransportClose => "transport close",
            DisconnectReason::PingTimeout => "ping timeout",
            DisconnectReason::ParseError => "parse error",
            DisconnectReason::ServerNamespaceDisconnect => "server namespace disconnect",
            DisconnectReason::ClientNamespaceDisconnect => "client namespace disconnect",
            DisconnectReason::ServerShuttingDown => "server shutting down",
            DisconnectReason::ForcedClose => "forced close",
            DisconnectReason::ForcedServerClose => "forced server close",
        }
    }

    /// Whether connection state recovery keeps the state of a socket that goes for this reason.
    pub const fn is_recoverable(self) -> bool {
        !matches!(
            self,
            DisconnectReason::ParseError
                | DisconnectReason::ServerNamespaceDisconnect
                | DisconnectReason::ClientNamespaceDisconnect
        )
    }
}

/// What happened to a room, in the order in which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomEvent<'a> {
    /// `create-room`: the first socket is about to join.
    Created {
        /// The room.
        room: &'a str,
    },
    /// `join-room`
    Joined {
        /// The room.
        room: &'a str,
        /// The socket's id.
        id: &'a str,
    },
    /// `leave-room`
    Left {
        /// The room.
        room: &'a str,
        /// The socket's id.
        id: &'a str,
    },
    /// `delete-room`: the last socket has left.
    Deleted {
        /// The room.
        room: &'a str,
    },
}
