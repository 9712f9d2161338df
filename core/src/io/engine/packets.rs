//! Telling of each packet, for those who want to watch (`packet` and `packetCreate` of the official engine's sockets).

use super::SessionHandler;
use super::session::{Session, State};
use crate::engineio::server::Unit;
use crate::engineio::{Packet, PacketType};

impl Session {
    /// A packet has come; on the home's thread, without the lock.
    pub(super) fn tell_received(&self, hearer: &dyn SessionHandler, packet: &Packet<'_>) {
        if self.engine.tells_packets() {
            hearer.on_packet(false, packet.kind, packet.data(), true);
        }
    }

    /// Packets of this kind are on their way, `unit` makes their data. It is told later: who sends may be a handler.
    pub(super) fn tell_created(
        &self,
        state: &State,
        unit: impl FnOnce() -> Unit,
        kind: PacketType,
        compress: bool,
    ) {
        if !self.engine.tells_packets() {
            return;
        }
        let Some(me) = self.me.upgrade() else { return };
        let unit = unit();
        state
            .home
            .run(Box::new(move || me.tell_created_at_home(unit, kind, compress)));
    }

    fn tell_created_at_home(&self, unit: Unit, kind: PacketType, compress: bool) {
        let state = self.state.lock();
        if !state.home.is_here() {
            // It has moved since.
            return self.tell_created(&state, || unit, kind, compress);
        }
        let hearer = state.hearer.clone();
        drop(state);
        if let Some(hearer) = hearer {
            unit.messages(&mut |data| hearer.on_packet(true, kind, data, compress));
        }
    }
}
