//! Who hears a broadcast: a namespace's rooms on this node, and how nodes tell each other.
//!
//! An [`Adapter`] belongs to one namespace. [`LocalAdapter`] is the one for a single node; one for a cluster does its
//! part by a `LocalAdapter` of its own, and tells the other nodes. What an adapter wants of the namespace's sockets on
//! this node it asks of its [`Host`].

#![forbid(unsafe_code)]

mod host;
mod local;
mod memberships;
mod recovery;
#[cfg(feature = "redis")]
pub mod redis;
mod rooms;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::ws::Millis;

pub use host::{Host, Recipients};
pub use local::{LocalAdapter, RoomWatcher};
pub use recovery::{Missed, Progress, Recovery, RecoveryLimits, Session};
pub use rooms::{Directory, Rooms};

/// An event that is to go to many sockets; a copy costs little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroadcastPacket {
    /// The whole array, which begins with the event's name; well-formed JSON.
    pub array: Arc<str>,
    /// What its placeholders stand for.
    pub attachments: Arc<[Bytes]>,
}

/// Whom a broadcast is for, and how it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BroadcastOptions {
    /// The rooms it is for; none: all sockets of the namespace. A socket's id is a room with that socket in it.
    pub rooms: Vec<Arc<str>>,
    /// Rooms whose members don't get it.
    pub except: Vec<Arc<str>>,
    /// How it is sent.
    pub flags: BroadcastFlags,
}

/// How a broadcast is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BroadcastFlags {
    /// Sockets that can't take it at once don't get it.
    pub volatile: bool,
    /// May be compressed. Default: yes.
    pub compress: bool,
    /// For sockets of this node only.
    pub local: bool,
    /// How long answers are waited for, with acknowledgements; and other nodes' answers.
    pub timeout: Option<Millis>,
}

impl Default for BroadcastFlags {
    fn default() -> BroadcastFlags {
        BroadcastFlags {
            volatile: false,
            compress: true,
            local: false,
            timeout: None,
        }
    }
}

/// What happens to rooms, with the room's name and the socket's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomEvent {
    /// Somebody is about to join a room in which nobody was.
    Create(Arc<str>),
    /// A socket has joined.
    Join(Arc<str>, Arc<str>),
    /// A socket has left.
    Leave(Arc<str>, Arc<str>),
    /// The last one has left.
    Delete(Arc<str>),
}

/// A socket of this or another node, as `fetch_sockets` tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketDetails {
    /// Its id.
    pub id: String,
    /// Its handshake, a JSON object.
    pub handshake: String,
    /// The rooms it is in, that of its id included.
    pub rooms: Vec<String>,
    /// The application's data for it, JSON.
    pub data: String,
}

/// Hears what comes of a broadcast with acknowledgements. Any thread.
pub trait BroadcastAcks: Send + Sync {
    /// A node has sent the packet to so many clients; that many answers may come. Once for each node.
    fn on_clients(&self, count: usize);

    /// A client's answer: an array, and what its placeholders stand for.
    fn on_ack(&self, array: &str, attachments: &[Bytes]);

    /// One of the clients has gone without an answer. Told of clients of this node only.
    fn on_gone(&self) {}
}

/// Is told of an answer later, on any thread, at most once.
pub type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// Why other nodes' answers are missing: a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterError(pub String);

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AdapterError {}

/// An answer that is put together from those of several nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answered<T> {
    /// What has come.
    pub value: T,
    /// So many nodes, of those that were asked, have not answered in time. If it isn't known how many there are, at
    /// least one.
    pub missing: usize,
}

impl<T> Answered<T> {
    /// Nobody is missing.
    pub fn whole(value: T) -> Answered<T> {
        Answered { value, missing: 0 }
    }
}

/// A [`Reply`] with the answers of several nodes; an error if nothing at all can be said.
pub type ClusterReply<T> = Reply<Result<Answered<T>, AdapterError>>;

/// What another node's application has answered to [`Adapter::server_side_emit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// A JSON value, well-formed.
    pub value: String,
    /// What its placeholders stand for.
    pub attachments: Vec<Bytes>,
}

/// What a session needs to go on after a short loss, and what its client has missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The session as it was saved.
    pub session: Session,
    /// What was broadcast to it since, oldest first; arrays have their offsets at the end.
    pub missed: Vec<BroadcastPacket>,
}

/// The rooms of one namespace, on all nodes. The methods are those of the official adapters; all may be called on any
/// thread, none blocks. Answers come by [`Reply`], from a cluster later and on another thread.
pub trait Adapter: Send + Sync {
    /// Sends a packet to all sockets that the options mean.
    fn broadcast(&self, packet: &BroadcastPacket, options: &BroadcastOptions);

    /// The same, with an acknowledgement id, and answers to `acks`. Such packets are not recovered.
    fn broadcast_with_ack(
        &self,
        packet: &BroadcastPacket,
        options: &BroadcastOptions,
        acks: Arc<dyn BroadcastAcks>,
    );

    /// Adds a socket of this node to rooms.
    fn add_all(&self, id: &str, rooms: &[&str]);

    /// Takes a socket of this node out of a room.
    fn del(&self, id: &str, room: &str);

    /// Takes a socket of this node out of all rooms. To be called while the [`Host`] still finds it.
    fn del_all(&self, id: &str);

    /// The rooms of a socket of this node, that of its id first.
    fn socket_rooms(&self, id: &str) -> Vec<Arc<str>>;

    /// The ids of all sockets in these rooms, on all nodes.
    fn sockets(&self, rooms: &[Arc<str>], reply: ClusterReply<Vec<String>>);

    /// The names of all rooms on all nodes, those of sockets' own ids included. Not every adapter can ask that of other
    /// nodes.
    fn all_rooms(&self, reply: ClusterReply<Vec<String>>) {
        reply(Err(AdapterError(
            "this adapter doesn't tell other nodes' rooms".to_owned(),
        )));
    }

    /// All sockets that the options mean.
    fn fetch_sockets(&self, options: &BroadcastOptions, reply: ClusterReply<Vec<SocketDetails>>);

    /// Adds all sockets that the options mean to rooms.
    fn add_sockets(&self, options: &BroadcastOptions, rooms: &[&str]);

    /// Takes all sockets that the options mean out of rooms.
    fn del_sockets(&self, options: &BroadcastOptions, rooms: &[&str]);

    /// Disconnects all sockets that the options mean; with `close` their connections, too.
    fn disconnect_sockets(&self, options: &BroadcastOptions, close: bool);

    /// Sends an event to the other nodes' applications ([`Host::on_server_side_emit`]); with `reply`, for their answers.
    fn server_side_emit(&self, packet: &BroadcastPacket, reply: Option<ClusterReply<Vec<Answer>>>);

    /// How many nodes there are, this one included.
    fn server_count(&self, reply: Reply<Result<usize, AdapterError>>);

    /// How many nodes tell [`BroadcastAcks::on_clients`] of a broadcast, this one included.
    fn answering_nodes(&self, reply: Reply<Result<usize, AdapterError>>) {
        self.server_count(reply);
    }

    /// How long answers of other nodes' clients are waited for if [`BroadcastFlags::timeout`] doesn't say; `None`: there
    /// are no other nodes.
    fn ack_timeout(&self) -> Option<Millis> {
        None
    }

    /// Whether a session may be recovered on another node, so that an event for a single socket of this node has to be
    /// broadcast as those for many are.
    fn recovers_elsewhere(&self) -> bool {
        false
    }

    /// What a socket that connects now begins its [`Progress`] with.
    fn progress(&self) -> Progress {
        Progress::default()
    }

    /// Keeps a session whose connection was lost, if sessions can be recovered. To be called while the [`Host`] still
    /// finds the socket, so that a packet which is broadcast meanwhile is either sent to it or missed by it.
    fn persist_session(&self, session: Session) {
        drop(session);
    }

    /// Finds a session and what its client has missed since `offset`, the last one it has seen; at most once.
    ///
    /// Where packets are kept on this node, nothing is broadcast by other threads until `reply` returns: it is to send
    /// what was missed and to let the [`Host`] find the socket, so that the session misses nothing in between.
    fn restore_session(&self, pid: &str, offset: Option<&str>, reply: Reply<Option<Restored>>) {
        let _ = (pid, offset);
        reply(None);
    }

    /// The namespace, or the server, is done.
    fn close(&self) {}
}
