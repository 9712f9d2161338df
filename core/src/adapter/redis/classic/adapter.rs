//! A namespace's adapter.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::super::super::{
    Adapter, AdapterError, Answer, Answered, BroadcastAcks, BroadcastOptions, BroadcastPacket, ClusterReply,
    Host, LocalAdapter, Progress, Reply, Restored, Session, SocketDetails,
};
use super::super::values::distinct;
use super::super::{Bus, Listener, Subscription};
use super::asking::{Asked, Question};
use super::broadcasts::{Broadcast, Sender};
use super::channels::Channels;
use super::requests::{Request, Whom};
use crate::socketio::ParseError;
use crate::ws::Millis;

/// How a node behaves. All nodes need the same `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicOptions {
    /// What the names of all channels begin with. Default: "socket.io".
    pub key: String,
    /// How long other nodes' answers are waited for (`requestsTimeout`). Default: 5 seconds.
    pub requests_timeout: Millis,
    /// Answers go to the node that asked alone, not to all (`publishOnSpecificResponseChannel`). Default: false.
    pub publish_on_specific_response_channel: bool,
}

impl Default for ClassicOptions {
    fn default() -> ClassicOptions {
        ClassicOptions {
            key: "socket.io".to_owned(),
            requests_timeout: 5_000,
            publish_on_specific_response_channel: false,
        }
    }
}

/// The adapter of one namespace on one node, which speaks what `@socket.io/redis-adapter` 8 speaks.
///
/// What concerns this node's own sockets is done at once, whether Redis can be reached or not. What this node itself has
/// published is ignored when it comes back; so an order to all is carried out here once, and before what is broadcast
/// next. (The official adapter waits for its own order to come back.)
pub struct ClassicAdapter<H: Host + 'static>(Arc<Node<H>>);

pub(super) struct Node<H: Host + 'static> {
    pub(super) me: Weak<Node<H>>,
    /// What this node is for the others; a new one for each adapter.
    pub(super) uid: String,
    pub(super) namespace: String,
    pub(super) channels: Channels,
    pub(super) options: ClassicOptions,
    pub(super) local: Arc<LocalAdapter<H>>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) asked: Asked,
    /// How many questions there have been.
    questions: AtomicU64,
    /// How many nodes there were when that was last asked.
    pub(super) nodes: AtomicUsize,
    is_closed: AtomicBool,
}

impl<H: Host + 'static> ClassicAdapter<H> {
    /// Begins to hear the other nodes. A bus carries one adapter of a namespace, not two.
    pub fn new(
        namespace: &str,
        local: Arc<LocalAdapter<H>>,
        bus: Arc<dyn Bus>,
        options: ClassicOptions,
    ) -> ClassicAdapter<H> {
        let node = Arc::new_cyclic(|me| Node {
            me: me.clone(),
            uid: fresh_uid(),
            namespace: namespace.to_owned(),
            channels: Channels::new(&options.key, namespace),
            options,
            local,
            bus,
            asked: Asked::default(),
            questions: AtomicU64::new(0),
            nodes: AtomicUsize::new(1),
            is_closed: AtomicBool::new(false),
        });
        let ear: Arc<dyn Listener> = Arc::new(Ear(node.me.clone()));
        for name in node.subscriptions() {
            node.bus.subscribe(name, Arc::clone(&ear), None);
        }
        ClassicAdapter(node)
    }

    /// What this node calls itself.
    pub fn uid(&self) -> &str {
        &self.0.uid
    }
}

/// What the bus keeps of a node; it doesn't keep the node.
struct Ear<H: Host + 'static>(Weak<Node<H>>);

impl<H: Host + 'static> Listener for Ear<H> {
    fn on_message(&self, channel: &str, payload: &[u8]) {
        if let Some(node) = self.0.upgrade()
            && !node.is_closed()
            && let Err(error) = node.on_message(channel, payload)
        {
            log::debug!("a message on {channel} is ignored: {error}");
        }
    }
}

impl<H: Host + 'static> Node<H> {
    fn subscriptions(&self) -> [Subscription; 4] {
        [
            Subscription::Pattern(self.channels.pattern()),
            Subscription::Channel(self.channels.request.clone()),
            Subscription::Channel(self.channels.response.clone()),
            Subscription::Channel(self.channels.response_of(&self.uid)),
        ]
    }

    fn on_message(&self, channel: &str, payload: &[u8]) -> Result<(), ParseError> {
        if channel.starts_with(&self.channels.response) {
            return self.on_response(payload);
        }
        if channel == self.channels.request {
            return self.on_request(payload);
        }
        let Some(room) = self.channels.room(channel) else {
            return Ok(());
        };
        // Most of what is for a single room concerns few nodes: the others don't look at it.
        let is_awaited = || self.local.with_awaited(room, |time| time > 0);
        if !room.is_empty() && !self.local.has_room(room) && !is_awaited() {
            return Ok(());
        }
        if let Some(broadcast) = Broadcast::read(payload, &self.uid, &self.namespace)? {
            self.local.receive(&broadcast.packet, &broadcast.options);
        }
        Ok(())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Whether nobody else is to know.
    fn is_alone(&self, options: &BroadcastOptions) -> bool {
        options.flags.local || self.is_closed()
    }

    pub(super) fn sender(&self) -> Sender<'_> {
        Sender::Server(&self.uid)
    }

    /// What no other question of any node is called.
    pub(super) fn fresh_id(&self) -> String {
        let number = self.questions.fetch_add(1, Ordering::Relaxed);
        format!("{}{number}", self.uid)
    }

    /// Publishes what could be written.
    pub(super) fn publish(&self, channel: &str, message: Result<Vec<u8>, ParseError>) {
        match message {
            Ok(message) => self.bus.publish(channel, message, false),
            Err(error) => log::error!("other servers are not told, because the data is no JSON: {error}"),
        }
    }

    fn request(&self, request: &Request) {
        let message = request.write(self.sender(), None, &self.namespace);
        self.publish(&self.channels.request, message);
    }

    fn close(&self) {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return;
        }
        for name in &self.subscriptions() {
            self.bus.unsubscribe(name);
        }
        self.asked.give_up();
    }
}

impl<H: Host + 'static> Drop for Node<H> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<H: Host + 'static> Adapter for ClassicAdapter<H> {
    fn broadcast(&self, packet: &BroadcastPacket, options: &BroadcastOptions) {
        let node = &self.0;
        if !node.is_alone(options) {
            let channel = node.channels.for_rooms(&distinct(&options.rooms));
            let message = Broadcast::write(node.sender(), &node.namespace, packet, options);
            node.publish(&channel, message);
        }
        node.local.broadcast(packet, options);
    }

    fn broadcast_with_ack(
        &self,
        packet: &BroadcastPacket,
        options: &BroadcastOptions,
        acks: Arc<dyn BroadcastAcks>,
    ) {
        let node = &self.0;
        if !node.is_alone(options) {
            node.ask_clients(packet, options, &acks);
        }
        node.local.broadcast_with_ack(packet, options, acks);
    }

    fn add_all(&self, id: &str, rooms: &[&str]) {
        self.0.local.add_all(id, rooms);
    }

    fn del(&self, id: &str, room: &str) {
        self.0.local.del(id, room);
    }

    fn del_all(&self, id: &str) {
        self.0.local.del_all(id);
    }

    fn socket_rooms(&self, id: &str) -> Vec<Arc<str>> {
        self.0.local.socket_rooms(id)
    }

    fn sockets(&self, rooms: &[Arc<str>], reply: ClusterReply<Vec<String>>) {
        let (node, asked) = (self.0.me.clone(), rooms.to_vec());
        self.0.local.sockets(
            rooms,
            then(reply, move |ids, reply| {
                let question = Question::Ids(ids.into_iter().collect(), reply);
                Node::ask(&node, question, Request::Sockets(asked));
            }),
        );
    }

    fn all_rooms(&self, reply: ClusterReply<Vec<String>>) {
        let node = self.0.me.clone();
        self.0.local.all_rooms(then(reply, move |rooms, reply| {
            let question = Question::Rooms(rooms.into_iter().collect(), reply);
            Node::ask(&node, question, Request::AllRooms);
        }));
    }

    fn fetch_sockets(&self, options: &BroadcastOptions, reply: ClusterReply<Vec<SocketDetails>>) {
        if self.0.is_alone(options) {
            return self.0.local.fetch_sockets(options, reply);
        }
        let (node, request) = (self.0.me.clone(), Request::Fetch(options.clone()));
        self.0.local.fetch_sockets(
            options,
            then(reply, move |sockets, reply| {
                Node::ask(&node, Question::Sockets(sockets, reply), request);
            }),
        );
    }

    fn add_sockets(&self, options: &BroadcastOptions, rooms: &[&str]) {
        self.0.local.add_sockets(options, rooms);
        if !self.0.is_alone(options) {
            let whom = Whom::All(options.clone());
            self.0.request(&Request::Join(whom, shared(rooms)));
        }
    }

    fn del_sockets(&self, options: &BroadcastOptions, rooms: &[&str]) {
        self.0.local.del_sockets(options, rooms);
        if !self.0.is_alone(options) {
            let whom = Whom::All(options.clone());
            self.0.request(&Request::Leave(whom, shared(rooms)));
        }
    }

    fn disconnect_sockets(&self, options: &BroadcastOptions, close: bool) {
        self.0.local.disconnect_sockets(options, close);
        if !self.0.is_alone(options) {
            let whom = Whom::All(options.clone());
            self.0.request(&Request::Disconnect(whom, close));
        }
    }

    fn server_side_emit(&self, packet: &BroadcastPacket, reply: Option<ClusterReply<Vec<Answer>>>) {
        let request = Request::ServerSideEmit(packet.clone());
        match reply {
            Some(reply) => Node::ask(&self.0.me, Question::Answers(Vec::new(), reply), request),
            None if self.0.is_closed() => {}
            None => self.0.request(&request),
        }
    }

    fn server_count(&self, reply: Reply<Result<usize, AdapterError>>) {
        if self.0.is_closed() {
            return reply(Ok(1));
        }
        self.0.count(move |count| reply(count.map(|nodes| nodes.max(1))));
    }

    fn ack_timeout(&self) -> Option<Millis> {
        Some(self.0.options.requests_timeout)
    }

    fn progress(&self) -> Progress {
        self.0.local.progress()
    }

    fn persist_session(&self, session: Session) {
        self.0.local.persist_session(session);
    }

    fn restore_session(&self, pid: &str, offset: Option<&str>, reply: Reply<Option<Restored>>) {
        self.0.local.restore_session(pid, offset, reply);
    }

    fn close(&self) {
        self.0.close();
    }
}

/// Goes on with what this node knows.
fn then<T: Send + 'static>(
    reply: ClusterReply<T>,
    go_on: impl FnOnce(T, ClusterReply<T>) + Send + 'static,
) -> ClusterReply<T> {
    Box::new(move |known: Result<Answered<T>, AdapterError>| match known {
        Ok(known) => go_on(known.value, reply),
        Err(error) => reply(Err(error)),
    })
}

fn shared(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

/// Six letters and digits, as of the official adapter.
fn fresh_uid() -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static LAST: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; 8];
    if let Err(error) = getrandom::fill(&mut bytes) {
        // Only where the system has no source of randomness at all; then at least no two of this process are the same.
        log::error!("the system gives no random bytes: {error}");
        bytes = LAST.fetch_add(1, Ordering::Relaxed).to_le_bytes();
    }
    let mut number = u64::from_le_bytes(bytes);
    let mut letter = || {
        let letter = LETTERS.get((number % 62) as usize);
        number /= 62;
        letter.map_or('A', |letter| char::from(*letter))
    };
    (0..6).map(|_| letter()).collect()
}
