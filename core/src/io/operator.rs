//! Which sockets a call is for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::broadcast_acks::Gathering;
use super::sending::Payload;
use super::{Namespace, Outgoing, Socket};
use crate::adapter::{self, Answered, BroadcastOptions, BroadcastPacket, Directory};
use crate::error::{ErrorCode, Result};
use crate::settings::millis;

/// Which sockets of a namespace a call is for: those in any of its rooms, or all if it has none, but not those in any of the
/// rooms that are excepted. It is built step by step; each step takes the operator and gives it back.
#[derive(Debug, Clone)]
pub struct BroadcastOperator {
    namespace: Namespace,
    options: BroadcastOptions,
}

impl BroadcastOperator {
    pub(super) fn with(namespace: Namespace, options: BroadcastOptions) -> BroadcastOperator {
        BroadcastOperator { namespace, options }
    }

    pub(super) fn new(namespace: Namespace) -> BroadcastOperator {
        BroadcastOperator {
            namespace,
            options: BroadcastOptions::default(),
        }
    }

    /// Adds a room, to be reached. A socket in several of them is reached once.
    pub fn to(self, room: &str) -> BroadcastOperator {
        self.to_all(&[room])
    }

    /// Adds several rooms.
    pub fn to_all(mut self, rooms: &[&str]) -> BroadcastOperator {
        self.options
            .rooms
            .extend(rooms.iter().map(|room| Arc::from(*room)));
        self
    }

    /// The same as [`BroadcastOperator::to`], where that reads better.
    pub fn within(self, room: &str) -> BroadcastOperator {
        self.to(room)
    }

    /// Adds a room, to be left out.
    pub fn except(self, room: &str) -> BroadcastOperator {
        self.except_all(&[room])
    }

    /// Adds several rooms, to be left out.
    pub fn except_all(mut self, rooms: &[&str]) -> BroadcastOperator {
        self.options
            .except
            .extend(rooms.iter().map(|room| Arc::from(*room)));
        self
    }

    /// Clients that can't be written to right now miss the event.
    pub fn volatile(mut self, volatile: bool) -> BroadcastOperator {
        self.options.flags.volatile = volatile;
        self
    }

    /// Whether it may be compressed, where compression was agreed on and the length suggests it. Default: yes.
    pub fn compress(mut self, compress: bool) -> BroadcastOperator {
        self.options.flags.compress = compress;
        self
    }

    /// Only the sockets in this process.
    pub fn local(mut self) -> BroadcastOperator {
        self.options.flags.local = true;
        self
    }

    /// How long to wait for answers.
    pub fn timeout(mut self, timeout: Duration) -> BroadcastOperator {
        self.options.flags.timeout = Some(millis(timeout));
        self
    }

    /// Sends an event with these arguments (JSON values with commas between them). It is encoded once. Clients over their
    /// hard limit miss it.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a reserved name, as for [`Socket::emit`].
    pub fn emit(&self, name: &str, args: &str, attachments: &[&[u8]]) -> Result<()> {
        self.broadcast(Payload::Event(name, args), attachments)
    }

    /// The same with the whole JSON array, which begins with the name.
    pub fn emit_array(&self, array: &str, attachments: &[&[u8]]) -> Result<()> {
        self.broadcast(Payload::Whole(array), attachments)
    }

    /// The same, and waits for the answers: [`Handler::on_broadcast_ack`](super::Handler::on_broadcast_ack) follows with this
    /// token, when all have answered or been disconnected, or when the time of [`BroadcastOperator::timeout`] is up, if there
    /// is one. In a cluster there always is: unless it is said here, the adapter's time for requests. Of other servers'
    /// clients only the first argument is told. If the server or its loop ends before, that is as if the time were up.
    ///
    /// # Errors
    /// As for [`BroadcastOperator::emit`], and [`ErrorCode::Closed`] if the server is closed; then nothing follows.
    pub fn emit_with_ack(&self, name: &str, args: &str, attachments: &[&[u8]], token: u64) -> Result<()> {
        self.broadcast_with_ack(Payload::Event(name, args), attachments, token)
    }

    /// The same with the whole JSON array.
    pub fn emit_array_with_ack(&self, array: &str, attachments: &[&[u8]], token: u64) -> Result<()> {
        self.broadcast_with_ack(Payload::Whole(array), attachments, token)
    }

    /// The sockets themselves, as far as they are in this process.
    pub fn sockets(&self) -> Vec<Socket> {
        self.namespace.select(&self.options)
    }

    /// Looks for the sockets, in other processes too. `done` is called exactly once, later, on the thread of the server's
    /// loop, and never after [`Handler::on_server_closed`](super::Handler::on_server_closed): with what was found, of which
    /// [`Answered::missing`] says how many servers didn't answer in time; with an error if nobody could be asked
    /// ([`ErrorCode::PeerDead`]), and if the server or its loop has ended before the answer ([`ErrorCode::Closed`]).
    ///
    /// # Errors
    /// [`ErrorCode::Closed`] if the server is closed, or its loop has ended; then `done` isn't called.
    pub fn fetch_sockets(
        &self,
        done: impl FnOnce(Result<Answered<Vec<SocketDetails>>>) + Send + 'static,
    ) -> Result<()> {
        let namespace = self.namespace.clone();
        let reply = self
            .namespace
            .at_home(move |found: Result<Answered<Vec<adapter::SocketDetails>>>| {
                done(found.map(|found| Answered {
                    value: namespace.details(found.value),
                    missing: found.missing,
                }));
            })?;
        self.namespace.adapter().fetch_sockets(&self.options, reply);
        Ok(())
    }

    /// Has them join rooms.
    pub fn sockets_join(&self, rooms: &[&str]) {
        self.namespace.adapter().add_sockets(&self.options, rooms);
    }

    /// Has them leave rooms.
    pub fn sockets_leave(&self, rooms: &[&str]) {
        self.namespace.adapter().del_sockets(&self.options, rooms);
    }

    /// Disconnects them, as [`Socket::disconnect`].
    pub fn disconnect_sockets(&self, close: bool) {
        self.namespace.adapter().disconnect_sockets(&self.options, close);
    }

    fn broadcast(&self, payload: Payload<'_>, attachments: &[&[u8]]) -> Result<()> {
        payload.check()?;
        let packet = self.broadcast_checked(payload, attachments);
        self.tell_outgoing(&packet);
        Ok(())
    }

    pub(super) fn broadcast_checked(&self, payload: Payload<'_>, attachments: &[&[u8]]) -> BroadcastPacket {
        let packet = packet(payload, attachments);
        self.namespace.adapter().broadcast(&packet, &self.options);
        if self.namespace.keeps_events() {
            self.namespace.forget_in_time();
        }
        packet
    }

    fn broadcast_with_ack(&self, payload: Payload<'_>, attachments: &[&[u8]], token: u64) -> Result<()> {
        payload.check()?;
        let core = self.namespace.core().ok_or(ErrorCode::Closed)?;
        let packet = packet(payload, attachments);
        let gathering = Gathering::new(&core, self.namespace.clone(), token)?;
        let adapter = self.namespace.adapter();
        let mut options = self.options.clone();
        if !options.flags.local && options.flags.timeout.is_none() {
            // Of other servers nobody hears that a client has gone.
            options.flags.timeout = adapter.ack_timeout();
        }
        adapter.broadcast_with_ack(&packet, &options, gathering.clone());
        let counted = gathering.clone();
        match options.flags.local {
            true => counted.expect_servers(1),
            false => {
                adapter.answering_nodes(Box::new(move |count| counted.expect_servers(count.unwrap_or(1))));
            }
        }
        gathering.set_timer(options.flags.timeout);
        self.tell_outgoing(&packet);
        Ok(())
    }

    /// Tells those of what was sent who want to hear of it.
    pub(super) fn tell_outgoing(&self, packet: &BroadcastPacket) {
        let common = self.namespace.common();
        if !common.shows_events() && !common.tells_outgoing() {
            return;
        }
        let Some(core) = self.namespace.core() else { return };
        let has_admin = core.shows_events(&self.namespace);
        for socket in self.sockets() {
            if has_admin {
                core.admin(|admin| admin.sent(&socket, &packet.array));
            }
            if socket.hears_outgoing()
                && let Some(connection) = socket.0.connection.upgrade()
            {
                let packet = packet.clone();
                connection.run(move |connection| {
                    let event = Outgoing {
                        array: &packet.array,
                        attachments: &packet.attachments,
                    };
                    connection.handler(socket.namespace()).on_outgoing(&socket, event);
                });
            }
        }
    }
}

pub(super) fn packet(payload: Payload<'_>, attachments: &[&[u8]]) -> BroadcastPacket {
    let mut array = String::new();
    payload.write(&mut array);
    BroadcastPacket {
        array: array.into(),
        attachments: attachments
            .iter()
            .map(|data| Bytes::copy_from_slice(data))
            .collect(),
    }
}

impl Namespace {
    fn details(&self, found: Vec<adapter::SocketDetails>) -> Vec<SocketDetails> {
        let details = found.into_iter().map(|found| {
            let socket = self.local().host().find(&found.id);
            SocketDetails {
                data_json: socket.as_ref().map_or(found.data, Socket::data_json),
                socket,
                id: found.id,
                handshake_json: found.handshake,
                rooms: found.rooms,
            }
        });
        details.collect()
    }
}

/// What is known of a socket, which may be another process's.
#[derive(Debug, Clone)]
pub struct SocketDetails {
    /// Its id; [`Namespace::to`] with it reaches the socket, wherever it is.
    pub id: String,
    /// The handshake as the official server shows it: a JSON object with `headers`, `time`, `address`, `xdomain`, `secure`,
    /// `issued`, `url`, `query` and `auth`.
    pub handshake_json: String,
    /// Its rooms.
    pub rooms: Vec<String>,
    /// Its data, as [`Socket::data_json`]. Of another server's socket with `_admin`, if that server has an admin namespace which
    /// shows each socket.
    pub data_json: String,
    /// The socket itself, if it is in this process.
    pub socket: Option<Socket>,
}
