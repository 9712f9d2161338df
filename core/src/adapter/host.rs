//! What an adapter wants of its namespace.

use std::hash::Hash;
use std::sync::Arc;

use crate::ws::Millis;

use super::{
    Answer, BroadcastAcks, BroadcastOptions, BroadcastPacket, Directory, Progress, Reply, RoomEvent, Rooms,
    Session, SocketDetails,
};

/// A namespace on this node, as its adapter sees it.
///
/// Calls come on whatever thread called the adapter. While [`Host::send`], [`Host::progress`],
/// [`Directory::find`] and [`Directory::for_each`] are called the adapter's locks are held: they must not call it back.
pub trait Host: Directory<Self::Member> + Send + Sync {
    /// A socket; a copy has to be cheap.
    type Member: Clone + Eq + Hash + Send + Sync;

    /// A socket's id.
    fn id<'a>(&self, member: &'a Self::Member) -> &'a str;

    /// Encodes a packet once and sends it to all recipients; how many there were. With `acks`, under an id whose
    /// answers go there. One that has been recorded has a number: it is to be kept as the [`Progress::sent`] of each
    /// recipient, and no recipient may get packets in another order than they come here.
    fn send(
        &self,
        packet: &BroadcastPacket,
        number: Option<u128>,
        recipients: &Recipients<'_, Self>,
        acks: Option<&Arc<dyn BroadcastAcks>>,
    ) -> usize;

    /// What another node has broadcast has been sent to sockets of this one. Called with no lock held.
    fn on_foreign_broadcast(&self, packet: &BroadcastPacket, options: &BroadcastOptions) {
        let _ = (packet, options);
    }

    /// What is told of a socket; the adapter adds its rooms.
    fn details(&self, member: &Self::Member) -> SocketDetails;

    /// What was sent to a socket, if sessions can be recovered.
    fn progress(&self, member: &Self::Member) -> Progress {
        let _ = member;
        Progress::default()
    }

    /// What is to be kept of a socket whose client may come back; rooms and progress are added. `None` if it may not.
    fn session(&self, member: &Self::Member) -> Option<Session> {
        let _ = member;
        None
    }

    /// Disconnects a socket from the namespace; with `close`, its connection.
    fn disconnect(&self, member: &Self::Member, close: bool);

    /// Rooms have changed. Called with no lock held, and only if [`LocalAdapter::tell_of_rooms`](super::LocalAdapter::tell_of_rooms) was called.
    fn on_room_events(&self, events: Vec<RoomEvent>) {
        drop(events);
    }

    /// Another node's application has emitted this event, whose array is well-formed and begins with a string or a
    /// number. With `reply` it waits for an answer, which may be given later or never.
    fn on_server_side_emit(&self, packet: BroadcastPacket, reply: Option<Reply<Answer>>) {
        drop((packet, reply));
    }

    /// Milliseconds since any fixed time.
    fn now(&self) -> Millis;
}

/// The sockets that a broadcast is for.
pub struct Recipients<'a, H: Host + ?Sized> {
    pub(super) host: &'a H,
    pub(super) rooms: &'a Rooms<H::Member>,
    pub(super) options: &'a BroadcastOptions,
}

impl<H: Host + ?Sized> Recipients<'_, H> {
    /// Calls with each of them, exactly once.
    pub fn for_each(&self, mut visit: impl FnMut(&H::Member)) {
        self.rooms
            .for_each(&Everybody(self.host), self.options, &mut visit);
    }

    /// How the packet is to be sent.
    pub fn options(&self) -> &BroadcastOptions {
        self.options
    }
}

/// A host, as a directory with a size.
pub(super) struct Everybody<'a, H: ?Sized>(pub(super) &'a H);

impl<H: Host + ?Sized> Directory<H::Member> for Everybody<'_, H> {
    fn find(&self, id: &str) -> Option<H::Member> {
        self.0.find(id)
    }

    fn for_each(&self, visit: &mut dyn FnMut(&H::Member)) {
        self.0.for_each(visit);
    }
}
