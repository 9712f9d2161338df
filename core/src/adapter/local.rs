//! The adapter of a single node; and each node's own part of a cluster's.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{ReentrantMutex, RwLock};

use crate::ws::Millis;

use super::host::Everybody;
use super::{
    Adapter, AdapterError, Answer, Answered, BroadcastAcks, BroadcastOptions, BroadcastPacket, ClusterReply,
    Host, Progress, Recipients, Recovery, Reply, Restored, RoomEvent, Rooms, Session, SocketDetails,
};

/// The rooms of one namespace on this node, and its recovery store if it has one.
pub struct LocalAdapter<H: Host> {
    host: H,
    rooms: RwLock<Rooms<H::Member>>,
    /// Locked while packets are sent or a session is restored, so that each session gets packets in the order of their
    /// numbers; reentrant, because who is called may broadcast. Borrowed while nobody is called.
    recovery: Option<ReentrantMutex<RefCell<Recovery>>>,
    tells_host: AtomicBool,
    watcher: OnceLock<Arc<dyn RoomWatcher>>,
}

/// Hears how a node's rooms change, beside its [`Host`]. Called with no lock held, on the thread that changed them; changes
/// by several threads may be told in another order than they were made.
pub trait RoomWatcher: Send + Sync {
    /// These things have happened.
    fn on_room_events(&self, events: &[RoomEvent]);
}

impl<H: Host> LocalAdapter<H> {
    /// An adapter whose rooms are empty.
    pub fn new(host: H, recovery: Option<Recovery>) -> LocalAdapter<H> {
        LocalAdapter {
            host,
            rooms: RwLock::default(),
            recovery: recovery.map(|recovery| ReentrantMutex::new(RefCell::new(recovery))),
            tells_host: AtomicBool::new(false),
            watcher: OnceLock::new(),
        }
    }

    /// From now on [`Host::on_room_events`] is called.
    pub fn tell_of_rooms(&self) {
        self.tells_host.store(true, Ordering::Relaxed);
    }

    /// From now on this watcher is told, too; the first one stays.
    pub fn watch_rooms(&self, watcher: Arc<dyn RoomWatcher>) {
        if self.watcher.set(watcher).is_err() {
            log::error!("a namespace's rooms are watched already");
        }
    }

    /// Whether anybody wants to know of rooms.
    fn tells(&self) -> bool {
        self.tells_host.load(Ordering::Relaxed) || self.watcher.get().is_some()
    }

    fn tell(&self, events: Vec<RoomEvent>) {
        if events.is_empty() {
            return;
        }
        if let Some(watcher) = self.watcher.get() {
            watcher.on_room_events(&events);
        }
        if self.tells_host.load(Ordering::Relaxed) {
            self.host.on_room_events(events);
        }
    }

    /// The namespace.
    pub fn host(&self) -> &H {
        &self.host
    }

    /// The rooms that somebody has joined, with how many have; those of sockets' own ids are not told.
    pub fn rooms(&self) -> Vec<(Arc<str>, usize)> {
        let rooms = self.rooms.read();
        rooms
            .iter()
            .map(|(name, count)| (Arc::clone(name), count))
            .collect()
    }

    /// Whether some socket of this node is in a room.
    pub fn has_room(&self, room: &str) -> bool {
        self.rooms.read().has(room) || self.host.find(room).is_some()
    }

    /// For how many milliseconds at most what goes to this room has to be kept, because somebody who was in it has lost the
    /// connection and may come back; 0 if there is nobody. That stays so while `act` is told.
    pub fn with_awaited<T>(&self, room: &str, act: impl FnOnce(Millis) -> T) -> T {
        let Some(recovery) = &self.recovery else {
            return act(0);
        };
        let recovery = recovery.lock();
        recovery.borrow_mut().expire(self.host.now());
        let awaited = match &*recovery.borrow() {
            known if known.awaits(room) => known.max_disconnection(),
            _ => 0,
        };
        act(awaited)
    }

    /// Whether somebody has joined a room, which its own socket need not do.
    pub fn is_joined(&self, room: &str) -> bool {
        self.rooms.read().has(room)
    }

    /// Whether a socket is in a room.
    pub fn is_in(&self, id: &str, room: &str) -> bool {
        match self.host.find(id) {
            Some(member) => id == room || self.rooms.read().contains(&member, room),
            None => false,
        }
    }

    /// A socket has connected: tells of the room of its own id, if rooms are told of. Costs nothing else.
    pub fn on_connected(&self, id: &str) {
        if self.tells() {
            let name: Arc<str> = id.into();
            let events = vec![
                RoomEvent::Create(Arc::clone(&name)),
                RoomEvent::Join(Arc::clone(&name), name),
            ];
            self.tell(events);
        }
    }

    /// What another node has broadcast: as [`Adapter::broadcast`], and the host hears where it came from.
    pub fn receive(&self, packet: &BroadcastPacket, options: &BroadcastOptions) {
        self.broadcast(packet, options);
        self.host.on_foreign_broadcast(packet, options);
    }

    /// The same for [`Adapter::broadcast_with_ack`].
    pub fn receive_with_ack(
        &self,
        packet: &BroadcastPacket,
        options: &BroadcastOptions,
        acks: Arc<dyn BroadcastAcks>,
    ) {
        self.broadcast_with_ack(packet, options, acks);
        self.host.on_foreign_broadcast(packet, options);
    }

    /// Sends what has been recorded already, or is not to be recorded. Who has it from another node tells the host, see
    /// [`Host::on_foreign_broadcast`].
    pub fn send(
        &self,
        packet: &BroadcastPacket,
        number: Option<u128>,
        options: &BroadcastOptions,
        acks: Option<&Arc<dyn BroadcastAcks>>,
    ) -> usize {
        let rooms = self.rooms.read();
        let recipients = Recipients {
            host: &self.host,
            rooms: &rooms,
            options,
        };
        self.host.send(packet, number, &recipients, acks)
    }

    /// The sockets of this node that the options mean.
    pub fn members(&self, options: &BroadcastOptions) -> Vec<H::Member> {
        let mut found = Vec::new();
        let visit = &mut |member: &H::Member| found.push(member.clone());
        self.rooms.read().for_each(&Everybody(&self.host), options, visit);
        found
    }

    /// Forgets what sessions that may come back don't need any more; whether anything is left. For times when nothing is
    /// broadcast, which does the same.
    pub fn expire(&self) -> bool {
        let Some(recovery) = &self.recovery else {
            return false;
        };
        let recovery = recovery.lock();
        recovery.borrow_mut().expire(self.host.now());
        let bytes = recovery.borrow().bytes();
        bytes > 0
    }

    fn change(&self, change: impl FnOnce(&mut Rooms<H::Member>, Option<&mut Vec<RoomEvent>>)) {
        if !self.tells() {
            return change(&mut self.rooms.write(), None);
        }
        let mut events = Vec::new();
        change(&mut self.rooms.write(), Some(&mut events));
        self.tell(events);
    }

    fn join(&self, member: &H::Member, id: &str, names: &[&str]) {
        self.change(|rooms, mut events| {
            for name in names {
                rooms.join(member, id, name, events.as_deref_mut());
            }
        });
    }

    fn rooms_of(&self, member: &H::Member, id: &str) -> Vec<Arc<str>> {
        let joined = self.rooms.read().of(member);
        [id.into()].into_iter().chain(joined).collect()
    }
}

impl<H: Host> Adapter for LocalAdapter<H> {
    fn broadcast(&self, packet: &BroadcastPacket, options: &BroadcastOptions) {
        match &self.recovery {
            Some(recovery) if !options.flags.volatile => {
                let recovery = recovery.lock();
                let (packet, number) = recovery.borrow_mut().record(packet, options, self.host.now());
                self.send(&packet, Some(number), options, None);
            }
            _ => drop(self.send(packet, None, options, None)),
        }
    }

    fn broadcast_with_ack(
        &self,
        packet: &BroadcastPacket,
        options: &BroadcastOptions,
        acks: Arc<dyn BroadcastAcks>,
    ) {
        let count = self.send(packet, None, options, Some(&acks));
        acks.on_clients(count);
    }

    fn add_all(&self, id: &str, rooms: &[&str]) {
        if let Some(member) = self.host.find(id) {
            self.join(&member, id, rooms);
        }
    }

    fn del(&self, id: &str, room: &str) {
        if let Some(member) = self.host.find(id) {
            self.change(|rooms, events| {
                rooms.leave(&member, id, room, events);
            });
        }
    }

    fn del_all(&self, id: &str) {
        let Some(member) = self.host.find(id) else { return };
        self.change(|rooms, mut events| {
            rooms.leave_all(&member, id, events.as_deref_mut());
            if let Some(events) = events {
                let name: Arc<str> = id.into();
                events.push(RoomEvent::Leave(Arc::clone(&name), Arc::clone(&name)));
                events.push(RoomEvent::Delete(name));
            }
        });
    }

    fn socket_rooms(&self, id: &str) -> Vec<Arc<str>> {
        match self.host.find(id) {
            Some(member) => self.rooms_of(&member, id),
            None => Vec::new(),
        }
    }

    fn sockets(&self, rooms: &[Arc<str>], reply: ClusterReply<Vec<String>>) {
        let options = BroadcastOptions {
            rooms: rooms.to_vec(),
            ..BroadcastOptions::default()
        };
        let members = self.members(&options);
        let ids = members.iter().map(|member| self.host.id(member).to_string());
        reply(Ok(Answered::whole(ids.collect())));
    }

    fn all_rooms(&self, reply: ClusterReply<Vec<String>>) {
        let joined = self.rooms();
        let mut names: BTreeSet<String> = joined.iter().map(|(name, _)| name.to_string()).collect();
        let own = self.members(&BroadcastOptions::default());
        names.extend(own.iter().map(|member| self.host.id(member).to_string()));
        reply(Ok(Answered::whole(names.into_iter().collect())));
    }

    fn fetch_sockets(&self, options: &BroadcastOptions, reply: ClusterReply<Vec<SocketDetails>>) {
        let members = self.members(options);
        let details = members.iter().map(|member| {
            let rooms = self.rooms_of(member, self.host.id(member));
            SocketDetails {
                rooms: rooms.iter().map(ToString::to_string).collect(),
                ..self.host.details(member)
            }
        });
        reply(Ok(Answered::whole(details.collect())));
    }

    fn add_sockets(&self, options: &BroadcastOptions, rooms: &[&str]) {
        for member in self.members(options) {
            self.join(&member, self.host.id(&member), rooms);
        }
    }

    fn del_sockets(&self, options: &BroadcastOptions, rooms: &[&str]) {
        for member in self.members(options) {
            let id = self.host.id(&member);
            self.change(|tables, mut events| {
                for room in rooms {
                    tables.leave(&member, id, room, events.as_deref_mut());
                }
            });
        }
    }

    fn disconnect_sockets(&self, options: &BroadcastOptions, close: bool) {
        for member in self.members(options) {
            self.host.disconnect(&member, close);
        }
    }

    /// There are no others.
    fn server_side_emit(&self, _packet: &BroadcastPacket, reply: Option<ClusterReply<Vec<Answer>>>) {
        if let Some(reply) = reply {
            reply(Ok(Answered::whole(Vec::new())));
        }
    }

    fn server_count(&self, reply: Reply<Result<usize, AdapterError>>) {
        reply(Ok(1));
    }

    fn progress(&self) -> Progress {
        let recovery = self.recovery.as_ref();
        recovery.map_or_else(Progress::default, |recovery| recovery.lock().borrow().progress())
    }

    fn persist_session(&self, mut session: Session) {
        let Some(recovery) = &self.recovery else { return };
        let recovery = recovery.lock();
        if let Some(member) = self.host.find(&session.sid) {
            // Read now, when nothing can be sent.
            session.progress = self.host.progress(&member);
        }
        recovery.borrow_mut().persist(session, self.host.now());
    }

    fn restore_session(&self, pid: &str, offset: Option<&str>, reply: Reply<Option<Restored>>) {
        let Some(recovery) = &self.recovery else {
            return reply(None);
        };
        let recovery = recovery.lock();
        let found = recovery.borrow_mut().restore(pid, offset, self.host.now());
        reply(found.map(|(session, missed)| Restored { session, missed }));
    }
}

#[cfg(test)]
mod tests;
