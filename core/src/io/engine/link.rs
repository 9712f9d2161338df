//! The WebSocket of a session, whoever has it: one of our loops, or another server of the process.

use std::sync::Arc;

use super::foreign::{self, Foreign};
use super::session::Session;
use crate::error::Result;
use crate::event_loop::{self, Home};
use crate::handle::{Id, Kind};
use crate::server::{Accept, Refusal};
use crate::websocket::{SendOptions, Sent, WebSocket};
use crate::ws::{MessageType, SharedMessage};

/// A number, as a [`WebSocket`] is one; those of other servers' WebSockets are of no kind of handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(Id);

enum Side {
    Ours(WebSocket),
    /// `None`: it has gone.
    Foreign(Option<Arc<Foreign>>),
}

impl From<WebSocket> for Link {
    fn from(ws: WebSocket) -> Link {
        Link(ws.id())
    }
}

impl Link {
    /// That of another server's, by its number.
    pub(super) fn foreign(number: u64) -> Link {
        Link(Id::of_no_kind(number))
    }

    fn side(self) -> Side {
        match Id::from_token(self.0.raw()) {
            Some((Kind::Connection, id)) => Side::Ours(WebSocket::new(id, 0)),
            _ => Side::Foreign(foreign::find(self.0.raw())),
        }
    }

    /// One of our loops', for what only those can do.
    pub(super) fn ours(self) -> Option<WebSocket> {
        match self.side() {
            Side::Ours(ws) => Some(ws),
            Side::Foreign(_) => None,
        }
    }

    /// Opens it for a session, or without one only to close it: a client that is refused takes the server for broken.
    pub(super) fn accept(self, headers: Vec<(String, String)>, session: Option<&Arc<Session>>) -> Result<()> {
        match self.side() {
            Side::Ours(ws) => ws.accept(Accept {
                headers,
                handler: Some(super::carrier::as_handler(session)),
                ..Accept::default()
            }),
            Side::Foreign(foreign) => foreign::there(foreign)?.accept(headers, session),
        }
    }

    pub(super) fn refuse(self, refusal: Refusal) -> Result<()> {
        match self.side() {
            Side::Ours(ws) => ws.refuse(refusal),
            Side::Foreign(foreign) => foreign::there(foreign)?.refuse(refusal),
        }
    }

    /// Text has to be UTF-8.
    pub(super) fn send(self, kind: MessageType, data: &[u8], compress: Option<bool>) -> Result<Sent> {
        match self.side() {
            Side::Ours(ws) if compress.is_none() => ws.send_checked(kind, data),
            Side::Ours(ws) => {
                let options = SendOptions {
                    compress,
                    ..SendOptions::default()
                };
                event_loop::send_with(ws.id(), kind, data, &options)
            }
            Side::Foreign(foreign) => foreign::there(foreign)?.send(kind, data),
        }
    }

    pub(super) fn send_shared(self, message: &Arc<SharedMessage>) -> Result<Sent> {
        match self.side() {
            Side::Ours(ws) => ws.send_shared(message),
            Side::Foreign(foreign) => foreign::there(foreign)?.send(message.kind(), message.payload()),
        }
    }

    pub(super) fn close(self) -> Result<()> {
        match self.side() {
            Side::Ours(ws) => ws.close(None, ""),
            Side::Foreign(foreign) => foreign::there(foreign)?.close(None),
        }
    }

    /// Another server's is read on: its session's home does not change.
    pub(super) fn pause(self) -> Result<()> {
        self.ours().map_or(Ok(()), WebSocket::pause)
    }

    pub(super) fn resume(self) -> Result<()> {
        self.ours().map_or(Ok(()), WebSocket::resume)
    }

    pub(super) fn buffered_amount(self) -> u64 {
        match self.side() {
            Side::Ours(ws) => ws.buffered_amount(),
            Side::Foreign(foreign) => foreign.map_or(0, |foreign| foreign.buffered_amount()),
        }
    }

    /// Whether something waits that the client has not taken.
    pub(super) fn has_unsent(self) -> bool {
        match self.side() {
            Side::Ours(ws) => event_loop::has_unsent(ws.id()),
            Side::Foreign(foreign) => foreign.is_some_and(|foreign| foreign.is_behind()),
        }
    }

    /// The loop that has it; another server's is where its session is.
    pub(super) fn home(self) -> Option<Home> {
        self.ours().and_then(Home::of)
    }
}
