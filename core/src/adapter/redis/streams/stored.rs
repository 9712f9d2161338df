//! A namespace in its stream: what is appended and read, and what goes beside it.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::super::super::{
    AdapterError, BroadcastOptions, BroadcastPacket, Host, Progress, Reply, Restored, Session,
};
use super::super::cluster::{Cluster, Envelope, Message, Wire};
use super::super::{Listener, Subscription};
use super::entry::{self, Entry};
use super::live::{Live, Watcher};
use super::own::{Found, OwnEntries};
use super::reader::{Hears, Reader};
use super::returning::Returning;
use super::{Shared, id};
use crate::ws::Millis;

/// So long after it was appended an entry is done for this node's sockets even if it can't be read, in milliseconds.
pub(super) const PATIENCE: Millis = 1_000;

/// A namespace's stream and channels.
pub(super) struct Stored {
    pub(super) shared: Arc<Shared>,
    pub(super) stream: String,
    reader: Arc<Reader>,
    channel: String,
    pub(super) state: Mutex<State>,
    pub(super) live: Live,
}

/// Locked while an event is sent to sockets, so that what is sent to one and what is known of that change together.
#[derive(Default)]
pub(super) struct State {
    /// The last entry of this namespace that was done.
    passed: Option<u128>,
    pub(super) own: OwnEntries,
    pub(super) returning: Vec<Returning>,
    /// How many sessions have been looked up.
    pub(super) returns: u64,
}

/// Hears channels.
struct Ear<H: Host + 'static>(Weak<Cluster<H, Stored>>);

impl Stored {
    pub(super) fn new(shared: &Arc<Shared>, stream: String, reader: Arc<Reader>, namespace: &str) -> Stored {
        Stored {
            channel: format!("{}#{namespace}#", shared.options.key),
            shared: Arc::clone(shared),
            stream,
            reader,
            state: Mutex::default(),
            live: Live::default(),
        }
    }

    /// Where a session is kept.
    pub(super) fn key(&self, pid: &str) -> String {
        format!("{}{pid}", self.shared.options.session_key_prefix)
    }

    fn channel_of(&self, node: &str) -> String {
        format!("{}{node}#", self.channel)
    }

    fn subscription(&self, channel: String) -> Subscription {
        match self.shared.options.sharded {
            true => Subscription::Sharded(channel),
            false => Subscription::Channel(channel),
        }
    }

    /// The entry up to which all have been done; `None` while that isn't known.
    pub(super) fn position(&self, state: &State) -> Option<u128> {
        self.reader.position().max(state.passed)
    }

    fn recovers(&self) -> bool {
        self.shared.options.max_disconnection.is_some()
    }
}

impl<H: Host + 'static> Cluster<H, Stored> {
    /// Begins to hear what the others publish.
    pub(super) fn listen(&self) {
        let wire = &self.wire;
        for channel in [wire.channel.clone(), wire.channel_of(&self.uid)] {
            let ear = Arc::new(Ear(self.me()));
            self.bus.subscribe(wire.subscription(channel), ear, None);
        }
        if wire.recovers() && wire.shared.options.keep_live {
            self.local.watch_rooms(Arc::new(Watcher(self.me())));
        }
    }

    /// Appends a message, and sees to it that it is done here whatever becomes of that.
    fn append(&self, message: Message) {
        let wire = &self.wire;
        let (kind, data) = match entry::write(&message) {
            Ok(written) => written,
            Err(error) => return log::error!("other nodes were not told: {error}"),
        };
        let number = wire.state.lock().own.add(&kind, &data, message.clone());
        let fields = entry::fields(self.envelope(message), kind, data);
        let me = self.me();
        let reply = move |appended| {
            let Some(cluster) = me.upgrade() else { return };
            match appended {
                Ok(_) if cluster.wire.state.lock().own.appended(number) => {
                    cluster.after(PATIENCE, move |cluster| cluster.do_early(number));
                }
                Ok(_) => {}
                Err(error) => {
                    log::debug!("other nodes were not told: {error}");
                    cluster.do_early(number);
                }
            }
        };
        self.bus
            .append(&wire.stream, wire.shared.options.max_len, fields, Box::new(reply));
    }

    /// Does what was not read, if it wasn't. Events have no offset then.
    fn do_early(&self, number: u64) {
        let mut state = self.wire.state.lock();
        match state.own.take(number) {
            None => {}
            Some(Message::Broadcast { packet, options, .. }) => {
                self.send(&mut state, &packet, None, &options);
            }
            Some(message) => {
                drop(state);
                self.apply(message);
            }
        }
    }

    /// Does what was read. On the bus' thread.
    fn do_entry(&self, id: u128, message: Message) {
        match message {
            Message::Broadcast {
                packet,
                options,
                request: None,
            } => {
                let is_kept = self.wire.recovers() && !options.flags.volatile;
                let mut state = self.wire.state.lock();
                match is_kept {
                    true => self.send(&mut state, &with_offset(&packet, id), Some(id), &options),
                    false => self.send(&mut state, &packet, None, &options),
                }
                state.passed = Some(id);
            }
            Message::Join { .. } | Message::Leave { .. } | Message::Disconnect { .. } => {
                self.apply(message);
                self.wire.state.lock().passed = Some(id);
            }
            _ => log::debug!("an entry is none of those that belong in a stream"),
        }
    }

    fn send(
        &self,
        state: &mut State,
        packet: &BroadcastPacket,
        id: Option<u128>,
        options: &BroadcastOptions,
    ) {
        self.local.send(packet, id, options, None);
        if !options.flags.volatile {
            for returning in &mut state.returning {
                returning.hear(packet, id, options);
            }
        }
    }
}

pub(super) fn with_offset(packet: &BroadcastPacket, id: u128) -> BroadcastPacket {
    let mut array = String::with_capacity(packet.array.len() + 24);
    array.push_str(&packet.array);
    crate::socketio::push_element(&mut array, &format!("\"{}\"", id::text(id)));
    BroadcastPacket {
        array: array.into(),
        attachments: Arc::clone(&packet.attachments),
    }
}

impl<H: Host + 'static> Hears for Cluster<H, Stored> {
    fn on_entry(&self, id: u128, entry: &Entry<'_>) {
        if entry.uid == self.uid {
            let found = self.wire.state.lock().own.read(entry.kind, entry.data.as_bytes());
            if let Found::Waiting(message) = found {
                self.do_entry(id, message);
            }
            return;
        }
        match entry.message() {
            Ok(message) => {
                let broadcast = match &message {
                    Message::Broadcast { packet, options, .. } => Some((packet.clone(), options.clone())),
                    _ => None,
                };
                self.do_entry(id, message);
                if let Some((packet, options)) = broadcast {
                    self.local.host().on_foreign_broadcast(&packet, &options);
                }
            }
            Err(error) => log::debug!("the entry {} is no message: {error}", id::text(id)),
        }
    }
}

impl<H: Host + 'static> Listener for Ear<H> {
    fn on_message(&self, channel: &str, payload: &[u8]) {
        let Some(cluster) = self.0.upgrade() else { return };
        match Envelope::read(payload) {
            Ok(envelope) => {
                if let Message::Disconnect { options, .. } = &envelope.message
                    && envelope.uid != cluster.uid
                {
                    // Their clients have come back elsewhere, where their sessions are kept from now on.
                    options
                        .rooms
                        .iter()
                        .for_each(|id| _ = cluster.wire.live.remove(id));
                }
                cluster.on_message(envelope);
            }
            Err(error) => log::debug!("what came by {channel} is no message: {error}"),
        }
    }
}

impl<H: Host + 'static> Wire<H> for Stored {
    fn publish(cluster: &Cluster<H, Self>, message: Message) {
        let wire = &cluster.wire;
        let payload = cluster.envelope(message).to_msgpack();
        cluster.publish(&wire.channel, payload, wire.shared.options.sharded);
    }

    fn respond(cluster: &Cluster<H, Self>, node: &str, message: Message) {
        let wire = &cluster.wire;
        let payload = cluster.envelope(message).to_msgpack();
        cluster.publish(&wire.channel_of(node), payload, wire.shared.options.sharded);
    }

    fn count(cluster: &Cluster<H, Self>, reply: Reply<Result<usize, AdapterError>>) {
        let wire = &cluster.wire;
        cluster
            .bus
            .subscribers(&wire.channel, wire.shared.options.sharded, reply);
    }

    fn act(cluster: &Cluster<H, Self>, message: Message) {
        cluster.append(message);
    }

    fn recovers_elsewhere(cluster: &Cluster<H, Self>) -> bool {
        cluster.wire.recovers()
    }

    fn progress(cluster: &Cluster<H, Self>) -> Progress {
        let position = cluster.wire.position(&cluster.wire.state.lock());
        Progress {
            since: position.map_or(0, |position| position.saturating_add(1)),
            sent: 0,
        }
    }

    fn persist(cluster: &Cluster<H, Self>, session: Session) {
        cluster.keep(session);
    }

    fn restore(cluster: &Cluster<H, Self>, pid: &str, offset: Option<&str>, reply: Reply<Option<Restored>>) {
        cluster.bring_back(pid, offset, reply);
    }

    fn close(cluster: &Cluster<H, Self>) {
        let wire = &cluster.wire;
        let hears: Weak<dyn Hears> = cluster.me();
        let unfollow = || cluster.bus.unfollow(&wire.stream);
        wire.shared
            .readers
            .leave(&wire.stream, &cluster.namespace, &hears, unfollow);
        for channel in [wire.channel.clone(), wire.channel_of(&cluster.uid)] {
            cluster.bus.unsubscribe(&wire.subscription(channel));
        }
        let (own, returning) = {
            let mut state = wire.state.lock();
            (state.own.take_all(), std::mem::take(&mut state.returning))
        };
        own.into_iter().for_each(|message| cluster.apply(message));
        returning.into_iter().for_each(Returning::fail);
    }
}
