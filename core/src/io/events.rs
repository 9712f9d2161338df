//! Events and answers that come from clients.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::connection::Connection;
use super::counters::Counted;
use super::socket::SocketInner;
use super::waiting::Who;
use super::{Ack, AckResult, Event, Socket};
use crate::event_loop::Timed;
use crate::json;
use crate::socketio::EventData;
use crate::ws::Millis;

impl Connection {
    pub(super) fn event(
        &self,
        socket: &Socket,
        event: &EventData<'_>,
        id: Option<u64>,
        attachments: &[Bytes],
    ) {
        self.core.common.counters.add(Counted::EventsIn, 1);
        if !socket.connected() {
            return; // it is about to go, which the client doesn't know yet
        }
        self.core.admin(|admin| admin.received(socket, event.array()));
        let event = Event {
            name: Cow::Borrowed(&event.name),
            array: event.array(),
            args: event.args(),
            attachments,
            ack: id.map(|id| Ack {
                socket: socket.clone(),
                id,
            }),
        };
        self.handler(socket.namespace()).on_event(socket, event);
    }

    /// An answer that nobody waits for is ignored, as in the official server.
    pub(super) fn ack(&self, socket: &Socket, array: &str, id: Option<u64>, attachments: &[Bytes]) {
        self.core.common.counters.add(Counted::AcksIn, 1);
        let Some(who) = id.and_then(|id| socket.taken(id)) else {
            return;
        };
        match who {
            Who::Token(token) => {
                let args = json::within_brackets(array);
                let result = AckResult::Answered { args, attachments };
                self.handler(socket.namespace()).on_ack(socket, token, result);
            }
            Who::Broadcast(acks) => acks.on_ack(array, attachments),
        }
    }

    /// What waits for answers of this socket hears that there will be none.
    pub(super) fn not_answered(&self, socket: &Socket, waiting: Vec<Who>, result: AckResult<'_>) {
        for who in waiting {
            match who {
                Who::Token(token) => self.handler(socket.namespace()).on_ack(socket, token, result),
                Who::Broadcast(acks) => acks.on_gone(),
            }
        }
    }
}

impl Socket {
    fn taken(&self, id: u64) -> Option<Who> {
        self.with_more(|more| more.as_mut()?.take(id))
    }
}

impl Timed for SocketInner {
    /// The time of an answer may be up.
    fn due(self: Arc<Self>, now: Millis) {
        Socket(self).expire_acks(now);
    }
}

impl Socket {
    fn expire_acks(self, now: Millis) {
        let Some(connection) = self.0.connection.upgrade() else {
            return;
        };
        if !connection.is_at_home() {
            // The session has moved to another loop, whose clock is another one.
            let home = self.0.session.home();
            return connection.run(move |_| self.expire_acks(home.now()));
        }
        let socket = self;
        let expired = socket.with_more(|more| {
            let more = more.as_mut()?;
            let (expired, next) = more.expire(now);
            if more.timer.is_some_and(|timer| timer <= now) {
                more.timer = None;
            }
            Some((expired, super::socket::earlier(more, next)))
        });
        let Some((expired, next)) = expired else { return };
        socket.set_timer(next);
        connection.not_answered(&socket, expired, AckResult::Timeout);
    }
}
