//! A server as all its loops and every thread see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::admission::Admission;
use super::command::Command;
use super::connection::Profile;
use super::core::LoopCore;
use super::files::Folder;
use super::shared::Shared;
use super::slot::{Info, OutboxLimits};
#[cfg(feature = "redis")]
use crate::adapter::redis::Member;
use crate::handle::Id;
use crate::handler::Handler;
use crate::http::Limits;
use crate::metrics::ServerMetrics;
use crate::route::Route;
use crate::server::{Publication, Server, ServerOptions};
use crate::settings::millis;
use crate::ws::Millis;

/// What all connections of a server share.
pub(crate) struct Site {
    /// The handle that the application has, also where this loop is one of several.
    pub(crate) server: Server,
    pub(crate) options: ServerOptions,
    pub(crate) handler: Option<Arc<dyn Handler>>,
    pub(crate) limits: Limits,
    pub(crate) folder: Option<Folder>,
    pub(crate) profile: Arc<Profile>,
    pub(crate) branches: Box<[Branch]>,
    /// Some of them take requests as they lie in the input.
    pub(super) has_regulars: bool,
    /// Its place in a cluster.
    #[cfg(feature = "redis")]
    member: Option<Member>,
    /// The loops that listen, each with its own number for the server; first the one that the application chose.
    pub(super) parts: Box<[Part]>,
    last_info: Mutex<Option<Arc<Info>>>,
    pub(crate) admission: Admission,
    /// TLS handshakes that came to nothing.
    pub(crate) failed_handshakes: AtomicU64,
}

/// A route, and what its WebSockets have in common; `None` for what the server's own have.
pub(crate) struct Branch {
    pub(crate) route: Arc<dyn Route>,
    pub(crate) own: Option<Arc<Profile>>,
}

impl Branch {
    fn new(route: &Arc<dyn Route>) -> Branch {
        let settings = route.settings();
        Branch {
            route: route.clone(),
            own: settings.map(|settings| Arc::new(Profile::new(&settings))),
        }
    }
}

/// One loop's part of a server.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) shared: &'static Shared,
    pub(crate) id: Id,
}

impl Site {
    pub(crate) fn new(
        server: Server,
        options: ServerOptions,
        handler: Option<Arc<dyn Handler>>,
        folder: Option<Folder>,
        parts: Box<[Part]>,
    ) -> Site {
        Site {
            server,
            limits: Limits {
                max_head: options.max_head,
                ..Limits::default()
            },
            profile: Arc::new(Profile::new(&options.settings)),
            branches: options.routes.iter().map(Branch::new).collect(),
            has_regulars: options.routes.iter().any(|route| route.has_regulars()),
            #[cfg(feature = "redis")]
            member: options.adapter.as_ref().map(|redis| Member::new(redis, server)),
            options,
            handler,
            folder,
            parts,
            last_info: Mutex::default(),
            admission: Admission::default(),
            failed_handshakes: AtomicU64::new(0),
        }
    }

    /// Has every loop of the server do the same: this thread's own at once, the others when they come to it. What one
    /// thread asks for so reaches each connection in the order in which it was asked for.
    pub(crate) fn on_each_loop(&self, act: impl Fn(&LoopCore, Id), command: impl Fn(Id) -> Command) {
        for Part { shared, id } in &self.parts {
            if shared.slots.get(*id).is_none() {
                continue; // its part has ended; nobody might look at its commands any more
            }
            match shared.enter() {
                Some(core) => act(&core, *id),
                None => shared.push(command(*id)),
            }
        }
    }

    /// Has the subscribers at the other servers of its cluster get what was published here.
    #[inline]
    pub(crate) fn tell_others(&self, publication: &Publication) {
        #[cfg(feature = "redis")]
        if let Some(member) = &self.member {
            member.publish(publication);
        }
        #[cfg(not(feature = "redis"))]
        let _ = publication;
    }

    /// Hears no more of the other servers.
    pub(crate) fn leave_others(&self) {
        #[cfg(feature = "redis")]
        if let Some(member) = &self.member {
            member.leave();
        }
    }

    /// The part of this thread's loop, or else the first.
    pub(crate) fn nearest_part(&self) -> Option<Part> {
        let here = |part: &&Part| part.shared.enter().is_some();
        self.parts.iter().find(here).or(self.parts.first()).copied()
    }

    /// What the server has done, over all its loops; any thread.
    pub(crate) fn metrics(&self) -> ServerMetrics {
        let mut metrics = ServerMetrics {
            accepted: self.admission.accepted.load(Ordering::Relaxed),
            refused: self.admission.refused.load(Ordering::Relaxed),
            failed_handshakes: self.failed_handshakes.load(Ordering::Relaxed),
            ..ServerMetrics::default()
        };
        for Part { shared, id } in &self.parts {
            if shared.slots.get(*id).is_some() {
                let (connections, totals) = shared.slots.totals(Some(id.slot()));
                metrics.connections += connections;
                metrics.totals.add(&totals);
                metrics.batched_sends += shared.batched_sends.get();
            }
        }
        metrics
    }

    pub(crate) fn deadline(&self, now: Millis) -> Millis {
        match millis(self.options.handshake_timeout) {
            0 => Millis::MAX,
            limit => now.saturating_add(limit),
        }
    }

    /// What was agreed on; connections that agreed on the same share it.
    pub(crate) fn info(
        &self,
        target: &str,
        protocol: &str,
        extensions: &str,
        limits: OutboxLimits,
    ) -> Arc<Info> {
        let mut last = self.last_info.lock();
        let same = |info: &&Arc<Info>| {
            *info.url == *target
                && *info.protocol == *protocol
                && *info.extensions == *extensions
                && info.limits == limits
        };
        if let Some(info) = last.as_ref().filter(same) {
            return info.clone();
        }
        let info = Arc::new(Info {
            url: target.into(),
            protocol: protocol.into(),
            extensions: extensions.into(),
            limits,
            answered: None,
        });
        last.insert(info).clone()
    }
}
