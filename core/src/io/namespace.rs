//! A namespace: sockets, rooms and who hears them.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::ReentrantMutex;

use super::common::Common;
use super::core::Core;
use super::host::Sockets;
use super::registry::{self, Registry};
use super::{BroadcastOperator, Handler, Server, Socket, recovery};
use crate::adapter::{Adapter, BroadcastOptions, Directory, LocalAdapter};
use crate::error::{ErrorCode, Result};

static NAMESPACES: Registry<Weak<NamespaceInner>> = Registry::new();

/// A namespace of a server. Its operators ([`Namespace::to`] and the like) reach its sockets.
#[derive(Clone)]
pub struct Namespace(pub(super) Arc<NamespaceInner>);

pub(super) struct NamespaceInner {
    number: u64,
    name: Box<str>,
    core: Weak<Core>,
    common: Arc<Common>,
    /// The rooms of this process.
    local: Arc<LocalAdapter<Sockets>>,
    /// The rooms of all servers, if this is one of a cluster.
    cluster: OnceLock<Arc<dyn Adapter>>,
    /// Of the library's own namespaces.
    own_handler: Option<Arc<dyn Handler>>,
    is_child: bool,
    user_data: AtomicUsize,
    /// Ids of answers that clients owe; unique in the namespace, so that a broadcast needs one only.
    ack_ids: AtomicU64,
    /// Connected and connecting sockets; changed under the lock of the server's list.
    users: AtomicUsize,
    /// Held while what is kept of a client passes from one socket to the next, which has the same id. Reentrant, because
    /// adapters answer at once or later.
    pub(super) order: ReentrantMutex<()>,
    /// Somebody will come to forget what is too old.
    pub(super) is_timed: AtomicBool,
}

impl Drop for NamespaceInner {
    fn drop(&mut self) {
        NAMESPACES.take(self.number);
    }
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Namespace) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Namespace {}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}

impl Namespace {
    pub(super) fn new(
        core: Weak<Core>,
        common: Arc<Common>,
        name: &str,
        is_child: bool,
        own_handler: Option<Arc<dyn Handler>>,
    ) -> Namespace {
        let number = registry::fresh();
        let recovery = common.recovery_here().filter(|_| own_handler.is_none());
        let recovery = recovery.map(|recovery| recovery::store(recovery, common.unnoticed));
        let namespace = Namespace(Arc::new_cyclic(|me| {
            let sockets = Sockets::new(name, core.clone(), common.clone(), me.clone());
            let local = Arc::new(LocalAdapter::new(sockets, recovery));
            let cluster = common
                .adapter(name, &local)
                .map_or_else(OnceLock::new, Into::into);
            NamespaceInner {
                number,
                name: name.into(),
                core,
                local,
                cluster,
                common,
                own_handler,
                is_child,
                user_data: AtomicUsize::new(0),
                ack_ids: AtomicU64::new(0),
                users: AtomicUsize::new(0),
                order: ReentrantMutex::new(()),
                is_timed: AtomicBool::new(false),
            }
        }));
        NAMESPACES.insert(number, Arc::downgrade(&namespace.0));
        if namespace.0.common.room_events() || namespace.0.common.shows_rooms() {
            namespace.local().tell_of_rooms();
        }
        namespace
    }

    /// The namespace with this number.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`] if it has gone; [`ErrorCode::WrongHandle`] if the number was never a handle.
    pub fn from_raw(raw: u64) -> Result<Namespace> {
        let namespace = NAMESPACES.with(raw, Weak::upgrade).flatten();
        namespace
            .map(Namespace)
            .ok_or_else(|| registry::stale(raw, ErrorCode::Closed))
    }

    /// A number below 2^53, never 0 and never given out twice.
    pub fn raw(&self) -> u64 {
        self.0.number
    }

    /// Its name, which begins with "/".
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The server that it is of; `None` when neither a handle nor a listener keeps that any more.
    pub fn server(&self) -> Option<Server> {
        self.core()?.server()
    }

    /// The application's word for it; 0 at first.
    pub fn user_data(&self) -> usize {
        self.0.user_data.load(Ordering::Acquire)
    }

    /// Gives it the application's word.
    pub fn set_user_data(&self, user_data: usize) {
        self.0.user_data.store(user_data, Ordering::Release);
    }

    /// All its sockets.
    pub fn all(&self) -> BroadcastOperator {
        BroadcastOperator::new(self.clone())
    }

    /// Its sockets in this room.
    pub fn to(&self, room: &str) -> BroadcastOperator {
        self.all().to(room)
    }

    /// Its sockets but those in this room.
    pub fn except(&self, room: &str) -> BroadcastOperator {
        self.all().except(room)
    }

    /// Sends an event to all its sockets; as [`BroadcastOperator::emit`].
    ///
    /// # Errors
    /// As there.
    pub fn emit(&self, name: &str, args: &str, attachments: &[&[u8]]) -> Result<()> {
        self.all().emit(name, args, attachments)
    }

    /// Its connected sockets in this process.
    pub fn sockets(&self) -> Vec<Socket> {
        self.select(&BroadcastOptions::default())
    }

    /// How many sockets are connected to it in this process.
    pub fn socket_count(&self) -> usize {
        self.local().host().connected()
    }

    /// The connected socket with this id.
    pub fn socket(&self, id: &str) -> Option<Socket> {
        self.local().host().find(id).filter(Socket::connected)
    }

    /// The names of its rooms, those that sockets have to themselves included.
    pub fn rooms(&self) -> Vec<String> {
        let own = self.sockets();
        let named = self.local().rooms();
        let mut names: Vec<String> = named.iter().map(|(name, _)| name.to_string()).collect();
        let is_named = |id: &str| named.iter().any(|(name, _)| **name == *id);
        names.extend(
            own.iter()
                .map(Socket::id)
                .filter(|id| !is_named(id))
                .map(str::to_owned),
        );
        names
    }

    /// The ids of the sockets in a room.
    pub fn room(&self, room: &str) -> Vec<String> {
        let options = BroadcastOptions {
            rooms: vec![room.into()],
            ..BroadcastOptions::default()
        };
        let sockets = self.select(&options);
        sockets.iter().map(|socket| socket.id().to_owned()).collect()
    }

    pub(super) fn core(&self) -> Option<Arc<Core>> {
        self.0.core.upgrade()
    }

    pub(super) fn common(&self) -> &Common {
        &self.0.common
    }

    pub(super) fn own_handler(&self) -> Option<&Arc<dyn Handler>> {
        self.0.own_handler.as_ref()
    }

    pub(super) fn is_child(&self) -> bool {
        self.0.is_child
    }

    pub(super) fn next_ack_id(&self) -> u64 {
        self.0.ack_ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn add_users(&self, users: usize) {
        self.0.users.fetch_add(users, Ordering::Relaxed);
    }

    /// Whether that was the last one.
    pub(super) fn one_user_less(&self) -> bool {
        self.0.users.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// Who reaches all sockets, of other servers too.
    pub(super) fn adapter(&self) -> &dyn Adapter {
        match self.0.cluster.get() {
            Some(adapter) => &**adapter,
            None => &*self.0.local,
        }
    }

    /// The server has become one of a cluster.
    #[cfg(feature = "redis")]
    pub(super) fn join_cluster(&self) {
        if let Some(adapter) = self.common().adapter(self.name(), &self.0.local) {
            let _ = self.0.cluster.set(adapter); // it has none: servers join once
        }
    }

    /// Who reaches the sockets of this process.
    pub(super) fn local(&self) -> &LocalAdapter<Sockets> {
        &self.0.local
    }

    /// Whether events get offsets and are kept.
    #[inline]
    pub(super) fn keeps_events(&self) -> bool {
        self.0.common.recovery.is_some() && self.0.own_handler.is_none()
    }

    /// The connected sockets that are meant.
    pub(super) fn select(&self, options: &BroadcastOptions) -> Vec<Socket> {
        let mut sockets = self.local().members(options);
        sockets.retain(Socket::connected);
        sockets
    }

    /// A socket is connected.
    pub(super) fn has_connected(&self, socket: &Socket) {
        self.local().host().has_one_more();
        self.local().on_connected(socket.id());
    }

    /// A socket goes, or will not be connected; `keep`: its client may come back.
    pub(super) fn remove(&self, socket: &Socket, keep: bool) {
        let _order = self.keeps_events().then(|| self.0.order.lock());
        if keep && self.keeps_events() {
            self.keep_for_later(socket);
        }
        if socket.is_connecting() {
            // Nobody was told of its own room.
            for room in self.adapter().socket_rooms(socket.id()) {
                self.adapter().del(socket.id(), &room);
            }
        } else {
            self.adapter().del_all(socket.id());
        }
        self.local().host().remove(socket);
    }
}
