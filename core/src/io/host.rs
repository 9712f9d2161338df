//! A namespace as its adapter sees it: who is there, and how to reach them.

use std::borrow::Borrow;
use std::cell::Cell;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use super::common::Common;
use super::core::Core;
use super::counters::Counted;
use super::engine::{SendFlags, ToMany};
use super::namespace::NamespaceInner;
use super::sending::{self, Head, Payload};
use super::waiting::Who;
use super::{BroadcastOperator, Namespace, RoomEvent, Socket, admin, details};
use crate::adapter::{
    self, Answer, BroadcastAcks, BroadcastFlags, BroadcastOptions, BroadcastPacket, Directory, Host,
    Progress, Recipients, Reply, Session, SocketDetails,
};
use crate::engineio::server::Prepared;
use crate::error::{ErrorCode, Result};
use crate::socketio::PacketType;
use crate::websocket::Sent;
use crate::ws::Millis;

/// A namespace's sockets. Its lock is held for a look, and while a broadcast is handed to the sessions; never while a
/// handler runs.
pub(super) struct Sockets {
    name: Box<str>,
    core: Weak<Core>,
    common: Arc<Common>,
    namespace: Weak<NamespaceInner>,
    /// Connected ones, those on their way to it, and those about to go.
    sockets: RwLock<HashSet<ById>>,
    connected: AtomicUsize,
}

/// A socket that is found by its id.
struct ById(Socket);

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        self.0.id()
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &ById) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

impl Sockets {
    pub(super) fn new(
        name: &str,
        core: Weak<Core>,
        common: Arc<Common>,
        namespace: Weak<NamespaceInner>,
    ) -> Sockets {
        Sockets {
            name: name.into(),
            core,
            common,
            namespace,
            sockets: RwLock::default(),
            connected: AtomicUsize::new(0),
        }
    }

    /// Takes the socket in; `false` if its id is taken.
    pub(super) fn insert(&self, socket: &Socket) -> bool {
        self.sockets.write().insert(ById(socket.clone()))
    }

    /// Lets the socket go. Somebody else may have its id.
    pub(super) fn remove(&self, socket: &Socket) {
        let gone = {
            let mut sockets = self.sockets.write();
            let is_known = sockets.get(socket.id()).is_some_and(|known| known.0 == *socket);
            let gone = is_known.then(|| sockets.take(socket.id())).flatten();
            if sockets.len() * 4 < sockets.capacity() && sockets.capacity() > 64 {
                sockets.shrink_to_fit(); // what a flood of clients took comes back
            }
            gone
        };
        drop(gone);
    }

    pub(super) fn has_one_more(&self) {
        self.connected.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn has_one_less(&self) {
        self.connected.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many are connected.
    pub(super) fn connected(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    fn prepare(
        &self,
        packet: &BroadcastPacket,
        flags: BroadcastFlags,
        id: Option<u64>,
    ) -> Result<Arc<Prepared>> {
        let head = Head {
            packet_type: PacketType::Event,
            namespace: &self.name,
            id,
        };
        let attachments: Vec<&[u8]> = packet.attachments.iter().map(|data| &**data).collect();
        let payload = Payload::Whole(&packet.array);
        sending::prepare(&self.common, head, payload, &attachments, flags.compress)
    }
}

impl Sockets {
    /// What other servers see of a socket's data.
    fn data_of(&self, socket: &Socket) -> String {
        let core = self.core.upgrade();
        match core.is_some_and(|core| core.shows_sockets()) {
            true => admin::marked_data(socket),
            false => socket.data_json(),
        }
    }
}

/// An event on its way to sockets.
struct Giving<'a> {
    prepared: &'a Arc<Prepared>,
    flags: SendFlags,
    count: usize,
    /// The first one, as long as it is the only one.
    only: Option<Socket>,
    many: ToMany<'a>,
}

impl<'a> Giving<'a> {
    fn new(prepared: &'a Arc<Prepared>, flags: SendFlags) -> Giving<'a> {
        Giving {
            prepared,
            flags,
            count: 0,
            only: None,
            many: ToMany::new(prepared, flags),
        }
    }

    fn give(&mut self, socket: &Socket) {
        self.count += 1;
        if self.count == 1 {
            self.only = Some(socket.clone());
            return;
        }
        if let Some(first) = self.only.take() {
            self.many.give(&first.0.session);
        }
        self.many.give(&socket.0.session);
    }

    /// How many sockets it was for, and how many of them miss it.
    fn finish(self) -> (usize, usize) {
        let Some(socket) = self.only else {
            return (self.count, self.many.finish());
        };
        let sent = socket.0.session.send_prepared(self.prepared, self.flags);
        let is_dropped = matches!(sent, Ok(Sent::Dropped) | Err(_));
        LAST.set(Some(sent.map_err(|error| error.code())));
        (1, usize::from(is_dropped))
    }
}

thread_local! {
    /// What became of the last packet that went to a single socket by way of an adapter, which doesn't hand that on.
    static LAST: Cell<Option<Result<Sent, ErrorCode>>> = const { Cell::new(None) };
}

/// What became of the packet that this thread sent last, if that went to a single socket.
pub(super) fn take_last() -> Option<Result<Sent, ErrorCode>> {
    LAST.take()
}

impl Directory<Socket> for Sockets {
    fn find(&self, id: &str) -> Option<Socket> {
        self.sockets.read().get(id).map(|socket| socket.0.clone())
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Socket)) {
        self.sockets.read().iter().for_each(|socket| visit(&socket.0));
    }
}

impl Host for Sockets {
    type Member = Socket;

    fn id<'a>(&self, member: &'a Socket) -> &'a str {
        member.id()
    }

    fn send(
        &self,
        packet: &BroadcastPacket,
        number: Option<u128>,
        recipients: &Recipients<'_, Self>,
        acks: Option<&Arc<dyn BroadcastAcks>>,
    ) -> usize {
        LAST.set(None);
        let flags = recipients.options().flags;
        let ack_id = acks.and_then(|_| Some(Namespace(self.namespace.upgrade()?).next_ack_id()));
        let prepared = match self.prepare(packet, flags, ack_id) {
            Ok(prepared) => prepared,
            Err(error) => {
                log::error!("an event was not sent: {error}");
                return 0;
            }
        };
        let send = SendFlags {
            compress: (!flags.compress).then_some(false),
            volatile: flags.volatile,
        };
        let mut giving = Giving::new(&prepared, send);
        recipients.for_each(|socket| {
            if !socket.connected() && !socket.hold(packet, number, flags) {
                return;
            }
            if let (Some(acks), Some(id)) = (acks, ack_id)
                && !socket.wait_for_broadcast(id, Who::Broadcast(acks.clone()), flags.timeout)
            {
                return;
            }
            if let Some(number) = number {
                socket.has_been_sent(number);
            }
            giving.give(socket);
        });
        let (count, dropped) = giving.finish();
        self.common
            .counters
            .add(Counted::EventsOut, (count - dropped) as u64);
        self.common.counters.add(Counted::Dropped, dropped as u64);
        count
    }

    fn details(&self, member: &Socket) -> SocketDetails {
        SocketDetails {
            id: member.id().to_owned(),
            handshake: details::handshake_json(member, true),
            rooms: Vec::new(),
            data: self.data_of(member),
        }
    }

    fn progress(&self, member: &Socket) -> Progress {
        member.progress()
    }

    fn session(&self, member: &Socket) -> Option<Session> {
        member.kept()
    }

    fn disconnect(&self, member: &Socket, close: bool) {
        member.disconnect(close);
    }

    fn on_room_events(&self, events: Vec<adapter::RoomEvent>) {
        let (Some(core), Some(namespace)) = (self.core.upgrade(), self.namespace.upgrade()) else {
            return;
        };
        let namespace = Namespace(namespace);
        core.admin(|admin| admin.rooms_changed(&namespace, &events));
        if !self.common.room_events() || namespace.own_handler().is_some() {
            return;
        }
        // In the order in which they were made for whoever is on one thread.
        let home = core.home;
        home.run(Box::new(move || {
            for event in &events {
                let event = match event {
                    adapter::RoomEvent::Create(room) => RoomEvent::Created { room },
                    adapter::RoomEvent::Join(room, id) => RoomEvent::Joined { room, id },
                    adapter::RoomEvent::Leave(room, id) => RoomEvent::Left { room, id },
                    adapter::RoomEvent::Delete(room) => RoomEvent::Deleted { room },
                };
                core.handler.on_room(&namespace, event);
            }
        }));
    }

    fn on_foreign_broadcast(&self, packet: &BroadcastPacket, options: &BroadcastOptions) {
        let is_told = self.common.shows_events() || self.common.tells_outgoing();
        if is_told && let Some(namespace) = self.namespace.upgrade() {
            BroadcastOperator::with(Namespace(namespace), options.clone()).tell_outgoing(packet);
        }
    }

    fn on_server_side_emit(&self, packet: BroadcastPacket, reply: Option<Reply<Answer>>) {
        if let Some(namespace) = self.namespace.upgrade() {
            Namespace(namespace).hear_server(packet, reply);
        }
    }

    fn now(&self) -> Millis {
        self.core.upgrade().map_or(0, |core| core.home.now())
    }
}
