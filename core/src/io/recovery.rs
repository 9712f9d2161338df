//! Connection state recovery, where it meets sockets. What is kept, the adapter knows.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::engine::SendFlags;
use super::ids::{self, SocketId};
use super::namespace::NamespaceInner;
use super::sending::Payload;
use super::{Namespace, Recovery, Socket};
use crate::adapter::{BroadcastFlags, BroadcastPacket, Progress, RecoveryLimits, Restored, Session};
use crate::event_loop::Timed;
use crate::json;
use crate::settings::millis;
use crate::socketio::{self, PacketType};
use crate::ws::Millis;

/// Events that a client that comes back misses while the application thinks about it. Past that it isn't let in.
const MAX_HELD: usize = 10_000;

/// What a client that came back has missed, and what comes for it before it is connected again.
pub(super) struct Coming {
    pub(super) pid: String,
    /// As if all that it has missed had been sent.
    progress: Progress,
    missed: Vec<BroadcastPacket>,
}

pub(super) fn store(recovery: &Recovery, unnoticed: Millis) -> crate::adapter::Recovery {
    let limits = RecoveryLimits {
        max_disconnection: millis(recovery.max_disconnection),
        detection: unnoticed,
        max_bytes: recovery.max_bytes,
    };
    let prefix: String = ids::fresh().chars().take(6).collect();
    crate::adapter::Recovery::new(limits, &format!("{prefix}."))
}

/// Whether a client's state was found: its socket, if so.
pub(super) enum Found {
    Now(Entered),
    /// `later` will be called.
    Later,
}

/// What `Found::Later` depends on: who comes first, the one who asks or the answer.
enum Answer<F> {
    Awaited,
    Came(Entered),
    Later(F),
}

/// A client that has entered a namespace, and its socket if its state was found. It is counted there, until it is
/// connected or this is dropped.
pub(super) struct Entered {
    namespace: Namespace,
    socket: Option<Socket>,
    is_done: bool,
}

impl Entered {
    /// The client is on its way to be connected.
    pub(super) fn go_on(mut self) -> (Namespace, Option<Socket>) {
        self.is_done = true;
        (self.namespace.clone(), self.socket.take())
    }
}

impl Drop for Entered {
    /// It has gone before anybody heard of it; it may come again.
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        if let Some(socket) = self.socket.take() {
            self.namespace.remove(&socket, true);
            socket.set_gone();
        }
        if let Some(core) = self.namespace.core() {
            core.left(&self.namespace);
        }
    }
}

impl Namespace {
    /// Finds the state of a client that sent this to identify itself. `begin` makes the socket, with its former id, while
    /// nothing can be broadcast. If that takes time, `later` is called on another thread.
    pub(super) fn restore<F: FnOnce(Entered) + Send + 'static>(
        &self,
        auth: Option<&str>,
        begin: impl FnOnce(SocketId) -> Socket + Send + 'static,
        later: F,
    ) -> Found {
        let entered = |socket| Entered {
            namespace: self.clone(),
            socket,
            is_done: false,
        };
        let member = |name| json::member(auth?, name).and_then(json::string);
        let pid = member("pid").filter(|_| self.keeps_events());
        let (Some(pid), offset) = (pid, member("offset")) else {
            return Found::Now(entered(None));
        };
        // Held where the adapter answers at once; and by the answer.
        let _order = self.0.order.lock();
        let answer = Arc::new(Mutex::new(Answer::<F>::Awaited));
        let (namespace, came) = (self.clone(), Arc::clone(&answer));
        let reply = move |state: Option<Restored>| {
            let entered = {
                let _order = namespace.0.order.lock();
                Entered {
                    socket: state.map(|state| namespace.come_back(state, begin)),
                    namespace: namespace.clone(),
                    is_done: false,
                }
            };
            let mut came = came.lock();
            match std::mem::replace(&mut *came, Answer::Awaited) {
                Answer::Later(later) => {
                    drop(came);
                    later(entered);
                }
                _ => *came = Answer::Came(entered),
            }
        };
        self.adapter()
            .restore_session(&pid, offset.as_deref(), Box::new(reply));
        let mut answer = answer.lock();
        match std::mem::replace(&mut *answer, Answer::Awaited) {
            Answer::Came(entered) => Found::Now(entered),
            _ => {
                *answer = Answer::Later(later);
                Found::Later
            }
        }
    }

    fn come_back(&self, state: Restored, begin: impl FnOnce(SocketId) -> Socket) -> Socket {
        let Restored { session, missed } = state;
        let socket = begin(session.sid.as_str().into());
        let coming = Coming {
            pid: session.pid,
            progress: session.progress,
            missed,
        };
        socket.more(|more| {
            more.data = Some(session.data.into());
            more.coming = Some(Box::new(coming));
        });
        self.local().host().insert(&socket);
        let rooms: Vec<&str> = session.rooms.iter().map(|room| &**room).collect();
        self.adapter().add_all(socket.id(), &rooms);
        socket
    }

    /// A socket goes, or doesn't come back after all; its client may try again.
    pub(super) fn keep_for_later(&self, socket: &Socket) {
        if let Some(session) = socket.kept() {
            self.adapter().persist_session(Session {
                rooms: self.adapter().socket_rooms(socket.id()),
                ..session
            });
            self.forget_in_time();
        }
    }

    /// Sees to it that nothing is kept for ever.
    pub(super) fn forget_in_time(&self) {
        if self.0.is_timed.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(core) = self.core()
            && let Some(recovery) = &core.common.recovery
        {
            let age = millis(recovery.max_disconnection).saturating_add(core.common.unnoticed);
            let timed: std::sync::Weak<NamespaceInner> = Arc::downgrade(&self.0);
            core.home
                .at(core.home.now().saturating_add(age).saturating_add(1), timed);
        }
    }
}

impl Timed for NamespaceInner {
    fn due(self: Arc<Self>, _now: Millis) {
        self.is_timed.store(false, Ordering::Release);
        let namespace = Namespace(self);
        if namespace.local().expire() {
            namespace.forget_in_time();
        }
    }
}

impl Socket {
    /// What is kept of it, without its rooms; the adapter asks for its progress.
    pub(super) fn kept(&self) -> Option<Session> {
        let (pid, data) = self.more(|more| {
            let coming = more.coming.as_ref().map(|coming| Box::from(&*coming.pid));
            (more.pid.clone().or(coming), more.data.clone())
        });
        Some(Session {
            sid: self.id().to_owned(),
            pid: pid?.into(),
            rooms: Vec::new(),
            data: data.map_or_else(|| "{}".to_owned(), String::from),
            progress: Progress::default(),
        })
    }

    /// It becomes connected: its client gets what it has missed, then it is told (Socket.IO protocol, "Connection state
    /// recovery"); what is broadcast from here on reaches it. Whether it could.
    pub(super) fn set_connected(&self) -> bool {
        if !self.namespace().keeps_events() {
            self.tell_connected(None);
            return self.move_to_connected();
        }
        let _order = self.namespace().0.order.lock();
        let now = self.namespace().adapter().progress();
        // Held packets are added under this lock, until the socket is connected.
        self.more(|more| {
            let (pid, progress) = match more.coming.take() {
                Some(coming) if coming.missed.len() > MAX_HELD => return false,
                Some(coming) => {
                    self.send_missed(&coming.missed);
                    (coming.pid.into_boxed_str(), coming.progress)
                }
                None => (ids::fresh().as_ref().into(), now),
            };
            self.tell_connected(Some(&pid));
            more.pid = Some(pid);
            more.since = progress.since;
            more.sent = progress.sent;
            self.move_to_connected()
        })
    }

    /// A packet comes for a socket that is not connected: one that comes back misses nothing. Whether it is connected after
    /// all.
    pub(super) fn hold(&self, packet: &BroadcastPacket, number: Option<u128>, flags: BroadcastFlags) -> bool {
        if !self.namespace().keeps_events() || flags.volatile {
            return false;
        }
        self.with_more(|more| {
            if self.connected() {
                return true;
            }
            if let Some(coming) = more.as_mut().and_then(|more| more.coming.as_mut())
                && coming.missed.len() <= MAX_HELD
            {
                coming.missed.push(packet.clone());
                coming.progress.sent = number.unwrap_or(coming.progress.sent);
            }
            false
        })
    }

    /// What was sent to it, for the adapter.
    pub(super) fn progress(&self) -> Progress {
        self.with_more(|more| match more.as_ref().and_then(|more| more.coming.as_ref()) {
            // Nothing of what it had missed was sent.
            Some(coming) => Progress {
                since: coming.progress.since,
                sent: u128::MAX,
            },
            None => more.as_ref().map_or_else(Progress::default, |more| Progress {
                since: more.since,
                sent: more.sent,
            }),
        })
    }

    pub(super) fn has_been_sent(&self, number: u128) {
        self.more(|more| more.sent = more.sent.max(number));
    }

    fn send_missed(&self, missed: &[BroadcastPacket]) {
        for packet in missed {
            let attachments: Vec<&[u8]> = packet.attachments.iter().map(|data| &**data).collect();
            let payload = Payload::Whole(&packet.array);
            if let Err(error) = self.send(
                PacketType::Event,
                None,
                payload,
                &attachments,
                SendFlags::default(),
            ) {
                log::debug!("a client that came back did not get what it had missed: {error}");
            }
        }
    }

    /// What answers CONNECT.
    fn tell_connected(&self, pid: Option<&str>) {
        let mut payload = String::new();
        if self.protocol() == 4 {
            socketio::connect_reply(self.id(), pid, &mut payload);
        }
        let payload = Payload::Whole(&payload);
        if let Err(error) = self.send(PacketType::Connect, None, payload, &[], SendFlags::default()) {
            log::debug!("a client was not told that it is connected: {error}");
            if let Some(connection) = self.0.connection.upgrade() {
                connection.not_told(&error);
            }
        }
    }
}
