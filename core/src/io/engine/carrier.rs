//! A session's WebSockets: the one that carries it, and one that is being tried.

use std::sync::Arc;

use super::effects::ignore;
use super::session::{Session, State};
use crate::engineio::server::{Probe, Received};
use crate::engineio::{Packet, PacketType, ParseError, Transport, packet};
use crate::error::{Error, ErrorCode};
use crate::event_loop::Home;
use crate::handler::{CloseEvent, Handler, Message};
use crate::websocket::WebSocket;
use crate::ws::MessageType;

/// For a WebSocket that comes too late or too often: it is opened, because a client that is refused takes the server for
/// broken, and closed.
pub(super) struct CloseAtOnce;

impl Handler for CloseAtOnce {
    fn on_open(&self, ws: WebSocket) {
        ignore(ws.close(None, ""));
    }
}

impl Handler for Session {
    fn on_open(&self, ws: WebSocket) {
        let state = self.state.lock();
        // Otherwise it is one that is tried, or was when it was accepted.
        let begins = state.machine.transport() == Transport::WebSocket
            && state.carrier().is_none()
            && !state.machine.is_closed();
        drop(state);
        if begins {
            self.begin_on_websocket(ws);
        }
    }

    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        let version = state.machine.version();
        let packet = match message.as_text() {
            Some(text) => Packet::decode_text(version, text),
            None => Packet::decode_binary(version, message.as_bytes()),
        };
        let packet = packet.as_ref().map_err(|error| *error);
        if state.carrier() != Some(ws) {
            drop(state);
            return self.probed(ws, packet);
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

    fn on_drain(&self, ws: WebSocket) {
        let mut state = self.state.lock();
        if state.carrier() != Some(ws) {
            return;
        }
        state.set_over_mark(false);
        let hearer = state.hearer.clone();
        drop(state);
        if let Some(hearer) = hearer {
            hearer.on_drain();
        }
    }

    fn on_error(&self, ws: WebSocket, error: &Error) {
        // A reset and the like come without a close frame, and are "transport close" in the official server, too.
        if error.code() == ErrorCode::Protocol {
            self.gone(ws, true);
        }
    }

    fn on_close(&self, ws: WebSocket, _event: &CloseEvent) {
        self.gone(ws, false);
    }
}

impl Session {
    /// A WebSocket has gone; `error`: the client broke the protocol.
    fn gone(&self, ws: WebSocket, error: bool) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        if state.is_probe(ws) {
            state.machine.probe_gone();
            if let Some(polling) = state.polling_mut() {
                polling.probe = None;
            }
        } else if state.carrier() == Some(ws) {
            state.machine.carrier_gone(error, &mut effects);
        }
        let after = self.apply(&mut state, effects);
        drop(state);
        // There is news of the carrier only, whose loop is the home, also while that loop is being freed.
        self.finish(after, true);
    }

    /// The session has begun on this WebSocket.
    fn begin_on_websocket(&self, ws: WebSocket) {
        let Some(me) = self.me.upgrade() else { return };
        let mut state = self.state.lock();
        state.set_carrier(Some(ws));
        let mut open = Vec::new();
        let data = self.engine.config.open_data(&self.sid, Transport::WebSocket);
        packet::encode_text(PacketType::Open, &data, &mut open);
        ignore(ws.send_checked(MessageType::Text, &open));
        self.arm(&mut state);
        drop(state);
        self.engine.sessions.insert(me.clone());
        self.engine.announce(&me);
    }

    /// Has a WebSocket tried. It is accepted by whoever calls; false: it is to be closed.
    pub(super) fn try_websocket(&self, ws: WebSocket) -> bool {
        let mut state = self.state.lock();
        let now = state.home.now();
        if !state.machine.begin_upgrade(now, &self.engine.config) {
            return false;
        }
        if let Some(polling) = state.polling_mut() {
            polling.probe = Some(ws);
        }
        self.arm(&mut state);
        true
    }

    /// It could not be accepted.
    pub(super) fn not_accepted(&self, ws: WebSocket) {
        self.gone(ws, false);
    }

    /// A packet on a WebSocket that is being tried, on that WebSocket's thread.
    fn probed(&self, ws: WebSocket, packet: Result<&Packet<'_>, ParseError>) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        if !state.is_probe(ws) {
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
            return self.take_over(ws);
        }
        // Nothing more is read until the session has moved here.
        ignore(ws.pause());
        let Some(me) = self.me.upgrade() else { return };
        home.run(Box::new(move || me.take_over(ws)));
    }

    /// The client has moved to this WebSocket; on the home's thread.
    fn take_over(&self, ws: WebSocket) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        let here = state.home;
        let is_tried = state.is_probe(ws);
        if !is_tried
            || !state
                .machine
                .upgrade(here.now(), &self.engine.config, &mut effects)
        {
            drop(state);
            ignore(ws.close(None, ""));
            ignore(ws.resume());
            return;
        }
        let there = Home::of(ws).filter(|there| *there != here);
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
            ignore(ws.resume());
        }));
    }

    /// The home changes: from here on the session's time is the other loop's.
    fn move_to(&self, state: &mut State, there: Home) {
        self.disarm(state);
        state.machine.rebase(state.home.now(), there.now());
        state.home = there;
    }
}

/// The session as the one who hears its WebSockets.
pub(super) fn as_handler(session: &Arc<Session>) -> Arc<dyn Handler> {
    session.clone()
}
