//! What namespaces and sockets need of their server, without keeping it.

use std::sync::Arc;
#[cfg(feature = "redis")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::counters::{Counted, Counters};
use super::host::Sockets;
use super::{Recovery, ServerOptions};
#[cfg(feature = "redis")]
use crate::adapter::redis::Adapters;
use crate::adapter::{Adapter, LocalAdapter};
use crate::settings::millis;
use crate::socketio::ParserKind;
use crate::websocket::Sent;
use crate::ws::Millis;

/// What namespaces and sockets need of their server, without keeping it.
pub(super) struct Common {
    pub(super) parser: ParserKind,
    pub(super) counters: Counters,
    pub(super) recovery: Option<Recovery>,
    /// What makes this server one of a cluster.
    #[cfg(feature = "redis")]
    pub(super) adapters: OnceLock<Adapters>,
    /// The application wants to hear what happens to rooms.
    pub(super) room_events: AtomicBool,
    /// Somebody looks at the admin namespace: bytes are counted, and what is emitted is told.
    counts_bytes: AtomicBool,
    shows_events: AtomicBool,
    /// There is an admin namespace that shows what happens to rooms.
    pub(super) shows_rooms: AtomicBool,
    /// Some socket wants to hear of broadcasts that are sent to it.
    tells_outgoing: AtomicBool,
    /// How long a lost connection may go unnoticed.
    pub(super) unnoticed: Millis,
}

impl Common {
    pub(super) fn new(options: &ServerOptions) -> Common {
        Common {
            parser: options.parser.clone(),
            counters: Counters::default(),
            recovery: options.connection_state_recovery.clone(),
            #[cfg(feature = "redis")]
            adapters: options.adapter.as_ref().map_or_else(OnceLock::new, |redis| {
                redis
                    .adapters(max_disconnection(options.connection_state_recovery.as_ref()))
                    .into()
            }),
            room_events: AtomicBool::new(options.room_events),
            counts_bytes: AtomicBool::new(false),
            shows_events: AtomicBool::new(false),
            shows_rooms: AtomicBool::new(false),
            tells_outgoing: AtomicBool::new(false),
            unnoticed: millis(options.ping_interval).saturating_add(millis(options.ping_timeout)),
        }
    }

    /// Who reaches a namespace's sockets, those of other servers too, if this is one of a cluster.
    pub(super) fn adapter(
        &self,
        namespace: &str,
        local: &Arc<LocalAdapter<Sockets>>,
    ) -> Option<Arc<dyn Adapter>> {
        #[cfg(feature = "redis")]
        return Some(self.adapters.get()?.adapter(namespace, Arc::clone(local)));
        #[cfg(not(feature = "redis"))]
        {
            let _ = (namespace, local);
            None
        }
    }

    /// How sessions are kept in this process, if they are kept there.
    pub(super) fn recovery_here(&self) -> Option<&Recovery> {
        #[cfg(feature = "redis")]
        if self.adapters.get().is_some_and(Adapters::keep_sessions) {
            return None;
        }
        self.recovery.as_ref()
    }

    /// Whether there may be other servers.
    pub(super) fn has_cluster(&self) -> bool {
        #[cfg(feature = "redis")]
        return self.adapters.get().is_some();
        #[cfg(not(feature = "redis"))]
        false
    }

    #[inline]
    pub(super) fn counts_bytes(&self) -> bool {
        self.counts_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn room_events(&self) -> bool {
        self.room_events.load(Ordering::Relaxed)
    }

    pub(super) fn shows_rooms(&self) -> bool {
        self.shows_rooms.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn shows_events(&self) -> bool {
        self.shows_events.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn tells_outgoing(&self) -> bool {
        self.tells_outgoing.load(Ordering::Relaxed)
    }

    pub(super) fn tell_outgoing(&self) {
        self.tells_outgoing.store(true, Ordering::Relaxed);
    }

    pub(super) fn set_watched(&self, shows_events: bool, counts_bytes: bool) {
        self.shows_events.store(shows_events, Ordering::Relaxed);
        self.counts_bytes.store(counts_bytes, Ordering::Relaxed);
    }

    pub(super) fn count_sent(&self, sent: Sent, what: Counted) {
        let what = if sent == Sent::Dropped {
            Counted::Dropped
        } else {
            what
        };
        self.counters.add(what, 1);
    }
}

/// How long a client may be away, if it may.
#[cfg(feature = "redis")]
pub(super) fn max_disconnection(recovery: Option<&Recovery>) -> Option<Millis> {
    recovery.map(|recovery| millis(recovery.max_disconnection))
}
