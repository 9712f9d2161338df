//! From a connected socket to one that has gone.

use super::connection::Connection;
use super::engine::SendFlags;
use super::sending::Payload;
use super::{AckResult, DisconnectReason, Socket};
use crate::socketio::PacketType;

impl Connection {
    /// This side disconnects one socket; any thread. What its handler hears of it comes later.
    pub(super) fn disconnect(&self, socket: &Socket, reason: DisconnectReason) {
        if self.begin_to_leave(socket, reason) {
            let socket = socket.clone();
            self.run(move |connection| connection.leave(&socket, reason, ""));
        }
    }

    /// This side disconnects all sockets, then closes the session; any thread.
    pub(super) fn disconnect_all(&self, reason: DisconnectReason) {
        let mut was_one_connected = false;
        for socket in self.sockets() {
            was_one_connected |= self.begin_to_leave(&socket, reason);
        }
        if was_one_connected {
            self.run(move |connection| connection.break_off(reason, ""));
        }
    }

    fn begin_to_leave(&self, socket: &Socket, reason: DisconnectReason) -> bool {
        let begins = socket.begin_to_leave(reason);
        if begins && reason == DisconnectReason::ServerNamespaceDisconnect {
            let sent = socket.send(
                PacketType::Disconnect,
                None,
                Payload::Nothing,
                &[],
                SendFlags::default(),
            );
            if let Err(error) = sent {
                log::debug!("a client was not told that it is disconnected: {error}");
            }
        }
        begins
    }

    /// A socket leaves its namespace, but its session goes on. On the home thread.
    pub(super) fn leave(&self, socket: &Socket, reason: DisconnectReason, detail: &str) {
        let is_here = self.state.lock().sockets.remove(socket);
        if is_here {
            self.finish(socket, reason, detail);
        }
    }

    /// The last that is heard of a socket that was connected. On the home thread, once.
    pub(super) fn finish(&self, socket: &Socket, reason: DisconnectReason, detail: &str) {
        socket.begin_to_leave(reason);
        // If this side began to disconnect it, that was before what ended it now.
        let reason = socket.leaving_reason().unwrap_or(reason);
        let handler = self.handler(socket.namespace());
        handler.on_disconnecting(socket, reason);
        socket.namespace().remove(socket, reason.is_recoverable());
        socket.namespace().local().host().has_one_less();
        let waiting = socket.set_gone();
        self.not_answered(socket, waiting, AckResult::Disconnected);
        handler.on_disconnect(socket, reason, detail);
        self.core.admin(|admin| admin.disconnected(socket, reason));
        self.core.socket_left();
        self.core.left(socket.namespace());
    }
}
