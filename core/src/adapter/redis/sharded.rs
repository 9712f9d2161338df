//! The sharded adapter: `createShardedAdapter` of @socket.io/redis-adapter 8.3, over Redis' sharded pub/sub (Redis 7).
//!
//! Each namespace has a channel, each node one for answers to it, and rooms have one of their own, by
//! [`SubscriptionMode`]: then a broadcast to one room goes only to the nodes that have somebody in it.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::super::{
    Adapter, AdapterError, BroadcastOptions, Host, LocalAdapter, Progress, Reply, Restored, RoomEvent,
    RoomWatcher, Session,
};
use super::cluster::{Cluster, Envelope, Message, Wire};
use super::{Bus, Listener, Subscription};
use crate::ws::Millis;

/// How long sockets' ids are, in UTF-16 code units. Rooms with such names are taken for a socket's own.
const ID_LENGTH: usize = 20;

/// Which rooms have a channel of their own. All nodes of a cluster need the same mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SubscriptionMode {
    /// Those with names that no socket has for an id: with other than 20 characters.
    #[default]
    Dynamic,
    /// None: two subscriptions per namespace and node, and each broadcast goes to all nodes.
    Static,
    /// All, also those that sockets have to themselves: for many events to single sockets of other nodes.
    DynamicPrivate,
}

/// How a sharded adapter is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardedOptions {
    /// What all channels begin with (`channelPrefix`). `socket.io`.
    pub key: String,
    /// Which rooms have a channel.
    pub subscription_mode: SubscriptionMode,
    /// How long other nodes' answers are waited for, in milliseconds. 5,000.
    pub requests_timeout: Millis,
}

impl Default for ShardedOptions {
    fn default() -> ShardedOptions {
        ShardedOptions {
            key: "socket.io".to_owned(),
            subscription_mode: SubscriptionMode::default(),
            requests_timeout: 5_000,
        }
    }
}

/// Makes the adapter of a namespace. It hears the others at once, and until it is [closed](Adapter::close). Recovery is
/// that of `local`: a client that comes back to the same node is recovered, as on a single node.
pub fn sharded_adapter<H: Host + 'static>(
    local: Arc<LocalAdapter<H>>,
    bus: Arc<dyn Bus>,
    namespace: &str,
    options: &ShardedOptions,
) -> Arc<dyn Adapter> {
    let channel = format!("{}#{namespace}#", options.key);
    let cluster = Cluster::new(local, bus, namespace, options.requests_timeout, |me| Sharded {
        mode: options.subscription_mode,
        ear: Arc::new(Ear(me.clone())),
        channel,
        rooms: Mutex::default(),
    });
    let wire = &cluster.wire;
    for channel in [wire.channel.clone(), wire.sub_channel(&cluster.uid)] {
        let ear = Arc::<Ear<H>>::clone(&wire.ear);
        cluster.bus.subscribe(Subscription::Sharded(channel), ear, None);
    }
    if wire.mode != SubscriptionMode::Static {
        let watcher: Arc<Ear<H>> = Arc::clone(&wire.ear);
        cluster.local.watch_rooms(watcher);
    }
    cluster
}

struct Sharded<H: Host + 'static> {
    mode: SubscriptionMode,
    /// That of the namespace; all others begin with it.
    channel: String,
    ear: Arc<Ear<H>>,
    rooms: Mutex<RoomChannels>,
}

/// Hears channels and rooms.
struct Ear<H: Host + 'static>(Weak<Cluster<H, Sharded<H>>>);

#[derive(Default)]
struct RoomChannels {
    /// Ids of this node's sockets whose rooms have channels.
    own: HashSet<Arc<str>>,
    subscribed: HashSet<Arc<str>>,
    is_closed: bool,
}

impl<H: Host + 'static> Sharded<H> {
    /// That of a room, or of a node's answers.
    fn sub_channel(&self, name: &str) -> String {
        format!("{}{name}#", self.channel)
    }

    /// Whether a broadcast to this room alone goes to a channel of its own.
    fn has_channel(&self, room: &str) -> bool {
        match self.mode {
            SubscriptionMode::Static => false,
            SubscriptionMode::Dynamic => room.encode_utf16().count() != ID_LENGTH,
            SubscriptionMode::DynamicPrivate => true,
        }
    }

    fn channel_of(&self, message: &Message) -> String {
        match message {
            // Who is to answer is counted by the main channel.
            Message::Broadcast {
                options: BroadcastOptions { rooms, .. },
                request: None,
                ..
            } => match rooms.as_slice() {
                [room] if self.has_channel(room) => self.sub_channel(room),
                _ => self.channel.clone(),
            },
            _ => self.channel.clone(),
        }
    }
}

impl<H: Host + 'static> Cluster<H, Sharded<H>> {
    /// Subscribes to the room's channel if somebody is in it, or may come back to it, else no longer. Who asks last sees how
    /// it is, in whatever order threads come here.
    fn look_at_room(&self, room: &Arc<str>, own: Option<bool>) {
        if self.wire.has_channel(room) {
            self.local
                .with_awaited(room, |awaited| self.look_at(room, own, awaited));
        }
    }

    fn look_at(&self, room: &Arc<str>, own: Option<bool>, awaited: Millis) {
        let wire = &self.wire;
        let mut rooms = wire.rooms.lock();
        if rooms.is_closed {
            return;
        }
        match own {
            Some(true) => drop(rooms.own.insert(Arc::clone(room))),
            Some(false) => drop(rooms.own.remove(room)),
            None => {}
        }
        let is_there = rooms.own.contains(room) || self.local.is_joined(room);
        if awaited > 0 && !is_there {
            let room = Arc::clone(room);
            self.after(awaited + 1, move |cluster| cluster.look_at_room(&room, None));
        }
        let is_wanted = is_there || awaited > 0;
        let subscription = || Subscription::Sharded(wire.sub_channel(room));
        if is_wanted && rooms.subscribed.insert(Arc::clone(room)) {
            let ear = Arc::<Ear<H>>::clone(&wire.ear);
            self.bus.subscribe(subscription(), ear, None);
        } else if !is_wanted && rooms.subscribed.remove(room) {
            self.bus.unsubscribe(&subscription());
        }
    }
}

impl<H: Host + 'static> Wire<H> for Sharded<H> {
    fn publish(cluster: &Cluster<H, Self>, message: Message) {
        let channel = cluster.wire.channel_of(&message);
        let payload = cluster.envelope(message).to_json_or_msgpack();
        cluster.publish(&channel, payload, true);
    }

    fn respond(cluster: &Cluster<H, Self>, node: &str, message: Message) {
        let payload = cluster.envelope(message).to_json_or_msgpack();
        cluster.publish(&cluster.wire.sub_channel(node), payload, true);
    }

    fn count(cluster: &Cluster<H, Self>, reply: Reply<Result<usize, AdapterError>>) {
        cluster.bus.subscribers(&cluster.wire.channel, true, reply);
    }

    fn act(cluster: &Cluster<H, Self>, message: Message) {
        Self::publish(cluster, message.clone());
        cluster.apply(message);
    }

    fn progress(cluster: &Cluster<H, Self>) -> Progress {
        cluster.local.progress()
    }

    fn persist(cluster: &Cluster<H, Self>, session: Session) {
        cluster.local.persist_session(session);
    }

    fn restore(cluster: &Cluster<H, Self>, pid: &str, offset: Option<&str>, reply: Reply<Option<Restored>>) {
        cluster.local.restore_session(pid, offset, reply);
    }

    fn close(cluster: &Cluster<H, Self>) {
        let wire = &cluster.wire;
        let rooms = {
            let mut rooms = wire.rooms.lock();
            rooms.is_closed = true;
            rooms.own = HashSet::new();
            std::mem::take(&mut rooms.subscribed)
        };
        let rooms = rooms.iter().map(|room| wire.sub_channel(room));
        for channel in rooms.chain([wire.channel.clone(), wire.sub_channel(&cluster.uid)]) {
            cluster.bus.unsubscribe(&Subscription::Sharded(channel));
        }
    }
}

impl<H: Host + 'static> Listener for Ear<H> {
    fn on_message(&self, channel: &str, payload: &[u8]) {
        let Some(cluster) = self.0.upgrade() else { return };
        match Envelope::read(payload) {
            Ok(envelope) if channel == cluster.wire.sub_channel(&cluster.uid) => {
                cluster.on_response(&envelope.uid, envelope.message);
            }
            Ok(envelope) => cluster.on_message(envelope),
            Err(error) => log::debug!("what came by {channel} is no message: {error}"),
        }
    }
}

impl<H: Host + 'static> RoomWatcher for Ear<H> {
    fn on_room_events(&self, events: &[RoomEvent]) {
        let Some(cluster) = self.0.upgrade() else { return };
        for event in events {
            match event {
                RoomEvent::Create(room) | RoomEvent::Delete(room) => cluster.look_at_room(room, None),
                RoomEvent::Join(room, id) if room == id => cluster.look_at_room(room, Some(true)),
                RoomEvent::Leave(room, id) if room == id => cluster.look_at_room(room, Some(false)),
                RoomEvent::Join(..) | RoomEvent::Leave(..) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
