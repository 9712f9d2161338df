//! A session's WebSockets: the one that carries it, and one that is being tried.

use std::sync::Arc;

use super::effects::ignore;
use super::link::Link;
use super::session::{Session, State};
use crate::engineio::server::{Probe, Received};
use crate::engineio::{Data, Packet, PacketType, ParseError, Transport, packet};
use crate::error::{Error, ErrorCode};
use crate::event_loop::Home;
use crate::handler::{CloseEvent, Handler, Message};
use crate::websocket::WebSocket;
use crate::ws::MessageType;

/// For a WebSocket that comes too late or too often: it is opened, because a client that is refused takes the server for
/// broken, and closed.
struct CloseAtOnce;

impl Handler for CloseAtOnce {
    fn on_open(&self, ws: WebSocket) {
        ignore(ws.close(None, ""));
    }
}

impl Handler for Session {
    fn on_open(&self, ws: WebSocket) {
        self.opened(ws.into());
    }

    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        let data = match message.as_text() {
            Some(text) => Data::Text(text),
            None => Data::Binary(message.as_bytes()),
        };
        self.heard(ws.into(), data);
    }

    fn on_drain(&self, ws: WebSocket) {
        self.drained(ws.into());
    }

    fn on_error(&self, ws: WebSocket, error: &Error) {
        // A reset and the like come without a close frame, and are "transport close" in the official server, too.
        if error.code() == ErrorCode::Protocol {
            self.gone(ws.into(), true);
        }
    }

    fn on_close(&self, ws: WebSocket, _event: &CloseEvent) {
        self.gone(ws.into(), false);
    }
}

impl Session {
    /// A WebSocket that was accepted for it is open.
    pub(super) fn opened(&self, link: Link) {
        let state = self.state.lock();
        // Otherwise it is one that is tried, or was when it was accepted.
        let begins = state.machine.transport() == Transport::WebSocket
            && state.carrier().is_none()
            && !state.machine.is_closed();
        drop(state);
        if begins {
            self.begin_on_websocket(link);
        }
    }

    /// A message has come on one of its WebSockets.
    pub(super) fn heard(&self, link: Link, data: Data<'_>) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        let version = state.machine.version();
        let packet = match data {
            Data::Text(text) => Packet::decode_text(version, text),
            Data::Binary(bytes) => Packet::decode_binary(version, bytes),
        };
        let packet = packet.as_ref().map_err(|error| *error);
        if state.carrier() != Some(link) {
            drop(state);
            return self.probed(link, packet);
        }
        let now = state.home.now();
        let kind = packet.map(|packet| packet.kind);
        let received = state
            .machine
            .receive(kind, now, &self.engine.config, &mut effects);
        if let (Received::Message, Ok(packet)) = (received, packet) {
            let hearer = state.hearer.clone();
            drop(state);
            if let Some(hearer) = hearer {
                self.tell_received(&*hearer, packet);
                hearer.on_message(packet.data());
            }
            return;
        }
        let hearer = self
            .engine
            .tells_packets()
            .then(|| state.hearer.clone())
            .flatten();
        self.arm(&mut state);
        let after = self.apply(&mut state, effects);
        drop(state);
        if let (Ok(packet), Some(hearer)) = (packet, hearer) {
            self.tell_received(&*hearer, packet);
        }
        self.finish(after, true);
    }

    /// Less waits for the client.
    pub(super) fn drained(&self, link: Link) {
        let mut state = self.state.lock();
        if state.carrier() != Some(link) {
            return;
        }
        state.set_over_mark(false);
        let hearer = state.hearer.clone();
        drop(state);
        if let Some(hearer) = hearer {
            hearer.on_drain();
        }
    }

    /// A WebSocket has gone; `error`: the client broke the protocol.
    pub(super) fn gone(&self, link: Link, error: bool) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        if state.is_probe(link) {
            state.machine.probe_gone();
            if let Some(polling) = state.polling_mut() {
                polling.probe = None;
            }
        } else if state.carrier() == Some(link) {
            state.machine.carrier_gone(error, &mut effects);
        }
        let after = self.apply(&mut state, effects);
        drop(state);
        // There is news of the carrier only, whose loop is the home, also while that loop is being freed.
        self.finish(after, true);
    }

    /// The session has begun on this WebSocket.
    fn begin_on_websocket(&self, link: Link) {
        let Some(me) = self.me.upgrade() else { return };
        let mut state = self.state.lock();
        state.set_carrier(Some(link));
        let mut open = Vec::new();
        let data = self.engine.config.open_data(&self.sid, Transport::WebSocket);
        packet::encode_text(PacketType::Open, &data, &mut open);
        ignore(link.send(MessageType::Text, &open, None));
        self.arm(&mut state);
        drop(state);
        self.engine.sessions.insert(me.clone());
        self.engine.announce(&me);
    }

    /// Has a WebSocket tried. It is accepted by whoever calls; false: it is to be closed.
    pub(super) fn try_websocket(&self, link: Link) -> bool {
        let mut state = self.state.lock();
        let now = state.home.now();
        if !state.machine.begin_upgrade(now, &self.engine.config) {
            return false;
        }
        if let Some(polling) = state.polling_mut() {
            polling.probe = Some(link);
        }
        self.arm(&mut state);
        true
    }

    /// It could not be accepted.
    pub(super) fn not_accepted(&self, link: Link) {
        self.gone(link, false);
    }

    /// A packet on a WebSocket that is being tried, on that WebSocket's thread.
    fn probed(&self, link: Link, packet: Result<&Packet<'_>, ParseError>) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        if !state.is_probe(link) {
            return;
        }
        let probe = state.machine.probe(packet, &mut effects);
        let home = state.home;
        let here = home.is_here();
        let after = self.apply(&mut state, effects);
        drop(state);
        self.finish(after, here);
        if probe == Probe::Nothing {
            return;
        }
        if here {
            return self.take_over(link);
        }
        // Nothing more is read until the session has moved here.
        ignore(link.pause());
        let Some(me) = self.me.upgrade() else { return };
        home.run(Box::new(move || me.take_over(link)));
    }

    /// The client has moved to this WebSocket; on the home's thread.
    fn take_over(&self, link: Link) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        let here = state.home;
        let is_tried = state.is_probe(link);
        if !is_tried
            || !state
                .machine
                .upgrade(here.now(), &self.engine.config, &mut effects)
        {
            drop(state);
            ignore(link.close());
            ignore(link.resume());
            return;
        }
        let there = link.home().filter(|there| *there != here);
        if let Some(there) = there {
            self.move_to(&mut state, there);
        }
        let after = self.apply(&mut state, effects);
        self.arm(&mut state);
        drop(state);
        let Some(there) = there else {
            return self.finish(after, true);
        };
        let Some(me) = self.me.upgrade() else { return };
        there.run(Box::new(move || {
            me.finish(after, true);
            ignore(link.resume());
        }));
    }

    /// The home changes: from here on the session's time is the other loop's.
    fn move_to(&self, state: &mut State, there: Home) {
        self.disarm(state);
        state.machine.rebase(state.home.now(), there.now());
        state.home = there;
    }
}

/// Who hears a WebSocket that is accepted for a session, or for none.
pub(super) fn as_handler(session: Option<&Arc<Session>>) -> Arc<dyn Handler> {
    match session {
        Some(session) => session.clone(),
        None => Arc::new(CloseAtOnce),
    }
}
