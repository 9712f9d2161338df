//! The adapter of a single node; and each node's own part of a cluster's.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{ReentrantMutex, RwLock};

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
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Weak;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use parking_lot::Mutex;

    use super::super::{Directory, RecoveryLimits};
    use super::*;
    use crate::ws::Millis;

    /// Sockets that are their ids, and what they got.
    #[derive(Default)]
    struct People {
        sockets: Mutex<BTreeMap<Arc<str>, Progress>>,
        log: Mutex<Vec<String>>,
        adapter: Mutex<Weak<LocalAdapter<Arc<People>>>>,
    }

    impl Directory<Arc<str>> for Arc<People> {
        fn find(&self, id: &str) -> Option<Arc<str>> {
            self.sockets
                .lock()
                .get_key_value(id)
                .map(|(id, _)| Arc::clone(id))
        }

        fn for_each(&self, visit: &mut dyn FnMut(&Arc<str>)) {
            let all: Vec<_> = self.sockets.lock().keys().cloned().collect();
            all.iter().for_each(visit);
        }
    }

    impl Host for Arc<People> {
        type Member = Arc<str>;

        fn id<'a>(&self, member: &'a Arc<str>) -> &'a str {
            member
        }

        fn send(
            &self,
            packet: &BroadcastPacket,
            number: Option<u128>,
            recipients: &Recipients<'_, Self>,
            acks: Option<&Arc<dyn BroadcastAcks>>,
        ) -> usize {
            let mut count = 0;
            recipients.for_each(|id| {
                count += 1;
                self.log.lock().push(format!("{id} {}", packet.array));
                if let (Some(number), Some(progress)) = (number, self.sockets.lock().get_mut(id)) {
                    progress.sent = number;
                }
                if let Some(acks) = acks {
                    acks.on_ack("[]", &[]);
                }
            });
            count
        }

        fn details(&self, member: &Arc<str>) -> SocketDetails {
            SocketDetails {
                id: member.to_string(),
                handshake: "{}".into(),
                rooms: Vec::new(),
                data: "null".into(),
            }
        }

        fn progress(&self, member: &Arc<str>) -> Progress {
            self.sockets.lock().get(member).copied().unwrap_or_default()
        }

        fn disconnect(&self, member: &Arc<str>, close: bool) {
            self.log.lock().push(format!("{member} disconnects {close}"));
        }

        /// As an application might: says it to all.
        fn on_room_events(&self, events: Vec<RoomEvent>) {
            self.log.lock().push(format!("{events:?}"));
            if let Some(adapter) = self.adapter.lock().upgrade() {
                adapter.broadcast(&packet("rooms"), &BroadcastOptions::default());
            }
        }

        fn now(&self) -> Millis {
            1
        }
    }

    fn packet(name: &str) -> BroadcastPacket {
        BroadcastPacket {
            array: format!("[\"{name}\"]").into(),
            attachments: Arc::default(),
        }
    }

    fn to(rooms: &[&str]) -> BroadcastOptions {
        BroadcastOptions {
            rooms: rooms.iter().map(|room| Arc::from(*room)).collect(),
            ..BroadcastOptions::default()
        }
    }

    fn adapter(ids: &[&str], recovers: bool) -> Arc<LocalAdapter<Arc<People>>> {
        let people = Arc::new(People::default());
        let recovery = recovers.then(|| Recovery::new(RecoveryLimits::default(), "-"));
        let adapter = Arc::new(LocalAdapter::new(people, recovery));
        for id in ids {
            let progress = adapter.progress();
            adapter.host().sockets.lock().insert(Arc::from(*id), progress);
        }
        adapter
    }

    fn log(adapter: &LocalAdapter<Arc<People>>) -> Vec<String> {
        std::mem::take(&mut *adapter.host().log.lock())
    }

    #[test]
    fn many_sockets_are_reached_and_moved_at_once() {
        let adapter = adapter(&["x", "y", "z"], false);
        adapter.add_all("x", &["a", "b"]);
        adapter.add_sockets(&to(&["y", "z"]), &["b"]);
        assert_eq!(adapter.socket_rooms("x"), ["x", "a", "b"].map(Arc::from));
        adapter.broadcast(&packet("hi"), &to(&["b"]));
        let mut heard = log(&adapter);
        heard.sort();
        assert_eq!(heard, [r#"x ["hi"]"#, r#"y ["hi"]"#, r#"z ["hi"]"#]);
        adapter.del_sockets(&to(&["x", "y"]), &["b", "none"]);
        assert!(!adapter.is_in("x", "b") && adapter.is_in("z", "b") && adapter.is_in("x", "x"));
        adapter.disconnect_sockets(&to(&["a"]), true);
        assert_eq!(log(&adapter), ["x disconnects true"]);
        adapter.del_all("x");
        adapter.del("z", "b");
        assert!(adapter.rooms().is_empty());
        adapter.add_all("unknown", &["a"]);
        assert!(adapter.rooms().is_empty());
    }

    #[test]
    fn questions_are_answered() {
        let adapter = adapter(&["x", "y"], false);
        adapter.add_all("y", &["a"]);
        let (told, asked) = (Arc::new(Mutex::new(Vec::new())), 5);
        let tell = || {
            let told = Arc::clone(&told);
            move |answer: String| told.lock().push(answer)
        };
        let say = tell();
        adapter.sockets(
            &[Arc::from("a")],
            Box::new(move |ids| say(format!("{:?}", ids.unwrap().value))),
        );
        let say = tell();
        adapter.all_rooms(Box::new(move |names| say(format!("{:?}", names.unwrap().value))));
        let say = tell();
        let rooms =
            |sockets: Vec<SocketDetails>| format!("{:?}", sockets.first().map(|one| one.rooms.clone()));
        adapter.fetch_sockets(
            &to(&["a"]),
            Box::new(move |found| say(rooms(found.unwrap().value))),
        );
        let say = tell();
        adapter.server_count(Box::new(move |count| say(format!("{count:?}"))));
        let say = tell();
        adapter.server_side_emit(
            &packet("x"),
            Some(Box::new(move |answers| say(format!("{:?}", answers.unwrap())))),
        );
        let told = told.lock();
        assert_eq!(told.len(), asked);
        assert_eq!(
            *told,
            [
                r#"["y"]"#,
                r#"["a", "x", "y"]"#,
                r#"Some(["y", "a"])"#,
                "Ok(1)",
                "Answered { value: [], missing: 0 }"
            ]
        );
        assert!(adapter.has_room("a") && adapter.has_room("x") && !adapter.has_room("b"));
    }

    #[derive(Default)]
    struct Acks(AtomicUsize, AtomicUsize);

    impl BroadcastAcks for Acks {
        fn on_clients(&self, count: usize) {
            self.0.fetch_add(count, Ordering::Relaxed);
        }

        fn on_ack(&self, array: &str, _: &[bytes::Bytes]) {
            assert_eq!(array, "[]");
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn acknowledgements_are_counted_and_such_packets_not_kept() {
        let adapter = adapter(&["x", "y"], true);
        let acks = Arc::new(Acks::default());
        let sink: Arc<dyn BroadcastAcks> = Arc::<Acks>::clone(&acks);
        adapter.broadcast_with_ack(&packet("hi"), &BroadcastOptions::default(), sink);
        assert_eq!(
            (acks.0.load(Ordering::Relaxed), acks.1.load(Ordering::Relaxed)),
            (2, 2)
        );
        assert_eq!(log(&adapter), [r#"x ["hi"]"#, r#"y ["hi"]"#], "without an offset");
    }

    fn saved(sid: &str) -> Session {
        Session {
            sid: sid.into(),
            pid: "pid".into(),
            rooms: vec![sid.into()],
            data: String::new(),
            progress: Progress::default(),
        }
    }

    #[test]
    fn a_session_is_saved_with_what_was_sent_until_then() {
        let adapter = adapter(&["x"], true);
        let mut volatile = BroadcastOptions::default();
        adapter.broadcast(&packet("one"), &volatile);
        volatile.flags.volatile = true;
        adapter.broadcast(&packet("now"), &volatile);
        adapter.persist_session(saved("x"));
        adapter.host().sockets.lock().clear();
        adapter.broadcast(&packet("two"), &to(&["x"]));
        assert_eq!(log(&adapter), [r#"x ["one","-1"]"#, r#"x ["now"]"#]);
        let found = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&found);
        adapter.restore_session(
            "pid",
            Some("-1"),
            Box::new(move |restored| *keep.lock() = restored),
        );
        let restored = found.lock().take().unwrap();
        assert_eq!(restored.session.progress, Progress { since: 2, sent: 2 });
        let missed: Vec<&str> = restored.missed.iter().map(|packet| &*packet.array).collect();
        assert_eq!(missed, [r#"["two","-2"]"#]);
    }

    #[test]
    fn who_hears_of_rooms_may_broadcast() {
        let people = Arc::new(People::default());
        let recovery = Recovery::new(RecoveryLimits::default(), "-");
        let adapter = Arc::new(LocalAdapter::new(people, Some(recovery)));
        adapter.tell_of_rooms();
        *adapter.host().adapter.lock() = Arc::downgrade(&adapter);
        adapter
            .host()
            .sockets
            .lock()
            .insert("x".into(), Progress::default());
        adapter.on_connected("x");
        adapter.persist_session(saved("x"));
        let again = Arc::clone(&adapter);
        adapter.restore_session("pid", None, Box::new(move |_| again.add_all("x", &["a"])));
        adapter.del_all("x");
        assert_eq!(
            log(&adapter),
            [
                r#"[Create("x"), Join("x", "x")]"#,
                r#"x ["rooms","-1"]"#,
                r#"[Create("a"), Join("a", "x")]"#,
                r#"x ["rooms","-2"]"#,
                r#"[Leave("a", "x"), Delete("a"), Leave("x", "x"), Delete("x")]"#,
                r#"x ["rooms","-3"]"#,
            ]
        );
    }
}
