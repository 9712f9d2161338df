//! A namespace's adapter.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::super::super::{
    Adapter, AdapterError, Answer, Answered, BroadcastAcks, BroadcastOptions, BroadcastPacket, ClusterReply,
    Host, LocalAdapter, Progress, Reply, Restored, Session, SocketDetails,
};
use super::hub::{Hub, Member};
use super::message::{Asker, Message};
use super::no_events_of_servers;
use super::orders::{Order, orders};
use super::write::quoted;
use crate::ws::Millis;

/// The adapter of one namespace on one node, which speaks what python-socketio's managers speak.
///
/// What concerns this node's own sockets is done at once, whether Redis can be reached or not.
pub struct PythonAdapter<H: Host + 'static>(Arc<Node<H>>);

struct Node<H: Host + 'static> {
    me: Weak<Node<H>>,
    namespace: String,
    local: Arc<LocalAdapter<H>>,
    hub: Arc<Hub>,
    is_closed: AtomicBool,
}

impl<H: Host + 'static> PythonAdapter<H> {
    /// Begins to hear the other nodes.
    pub fn new(namespace: &str, local: Arc<LocalAdapter<H>>, hub: Arc<Hub>) -> PythonAdapter<H> {
        let node = Arc::new_cyclic(|me| Node {
            me: me.clone(),
            namespace: namespace.to_owned(),
            local,
            hub,
            is_closed: AtomicBool::new(false),
        });
        node.hub.add(namespace, node.member());
        PythonAdapter(node)
    }
}

impl<H: Host + 'static> Node<H> {
    fn member(&self) -> Weak<dyn Member> {
        self.me.clone()
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Whether nobody else is to know.
    fn is_alone(&self, options: &BroadcastOptions) -> bool {
        options.flags.local || self.is_closed()
    }

    fn say(&self, message: &Message) {
        self.hub.publish(message, &self.namespace);
    }

    fn order(&self, whom: &BroadcastOptions, order: Order<'_>) {
        if self.is_alone(whom) {
            return;
        }
        match orders(whom, order) {
            Ok(messages) => messages.iter().for_each(|message| self.say(message)),
            Err(error) => self.hub.complain(error),
        }
    }

    fn close(&self) {
        if !self.is_closed.swap(true, Ordering::AcqRel) {
            self.hub.remove(&self.namespace, &self.member());
        }
    }
}

impl<H: Host + 'static> Drop for Node<H> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<H: Host + 'static> Member for Node<H> {
    fn on_message(&self, message: Message) {
        if self.is_closed() {
            return;
        }
        match message {
            Message::Emit(packet, options, None) => self.local.receive(&packet, &options),
            Message::Emit(packet, options, Some(asker)) => {
                let passing = Arc::new(Passing {
                    node: self.me.clone(),
                    asker,
                });
                self.local.receive_with_ack(&packet, &options, passing);
            }
            Message::Disconnect(id) => self.local.disconnect_sockets(&whom(id), false),
            Message::Enter(id, room) => self.local.add_sockets(&whom(id), &[&room]),
            Message::Leave(id, room) => self.local.del_sockets(&whom(id), &[&room]),
            Message::CloseRoom(room) => self.local.del_sockets(&whom(Arc::clone(&room)), &[&room]),
            Message::Answer(..) => {}
        }
    }
}

fn whom(room: Arc<str>) -> BroadcastOptions {
    BroadcastOptions {
        rooms: vec![room],
        ..BroadcastOptions::default()
    }
}

/// Passes clients' answers on to the node that has asked them.
struct Passing<H: Host + 'static> {
    node: Weak<Node<H>>,
    asker: Asker,
}

impl<H: Host + 'static> BroadcastAcks for Passing<H> {
    fn on_clients(&self, _count: usize) {}

    fn on_ack(&self, array: &str, attachments: &[Bytes]) {
        let Some(node) = self.node.upgrade().filter(|node| !node.is_closed()) else {
            return;
        };
        if attachments.is_empty() {
            node.say(&Message::Answer(self.asker.clone(), array.to_owned()));
        } else {
            let text = "a client's answer has binary data, with which python-socketio's format can't take it to the server that has asked";
            node.hub.complain(AdapterError(text.to_owned()));
        }
    }
}

impl<H: Host + 'static> Adapter for PythonAdapter<H> {
    fn broadcast(&self, packet: &BroadcastPacket, options: &BroadcastOptions) {
        if !self.0.is_alone(options) {
            self.0.say(&Message::Emit(packet.clone(), options.clone(), None));
        }
        self.0.local.broadcast(packet, options);
    }

    fn broadcast_with_ack(
        &self,
        packet: &BroadcastPacket,
        options: &BroadcastOptions,
        acks: Arc<dyn BroadcastAcks>,
    ) {
        let (node, hub) = (&self.0, &self.0.hub);
        if !node.is_alone(options) {
            let timeout = options.flags.timeout.unwrap_or(hub.requests_timeout());
            let asker = Asker {
                host_id: quoted(hub.host_id()),
                room: options.rooms.first().map_or("null".into(), |room| quoted(room)),
                namespace: quoted(&node.namespace),
                id: hub.ask(timeout, &acks).to_string(),
            };
            node.say(&Message::Emit(packet.clone(), options.clone(), Some(asker)));
        }
        node.local.broadcast_with_ack(packet, options, acks);
    }

    /// The others are as one.
    fn answering_nodes(&self, reply: Reply<Result<usize, AdapterError>>) {
        if self.0.is_closed() {
            return reply(Ok(1));
        }
        let count = move |others: Result<usize, _>| reply(others.map(|others| 1 + others.min(1)));
        self.0.hub.count_others(count);
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
        self.0.local.sockets(rooms, self.0.hub.without_others(reply));
    }

    fn all_rooms(&self, reply: ClusterReply<Vec<String>>) {
        self.0.local.all_rooms(self.0.hub.without_others(reply));
    }

    fn fetch_sockets(&self, options: &BroadcastOptions, reply: ClusterReply<Vec<SocketDetails>>) {
        let reply = match self.0.is_alone(options) {
            true => reply,
            false => self.0.hub.without_others(reply),
        };
        self.0.local.fetch_sockets(options, reply);
    }

    fn add_sockets(&self, options: &BroadcastOptions, rooms: &[&str]) {
        self.0.local.add_sockets(options, rooms);
        self.0.order(options, Order::Join(rooms));
    }

    fn del_sockets(&self, options: &BroadcastOptions, rooms: &[&str]) {
        self.0.local.del_sockets(options, rooms);
        self.0.order(options, Order::Leave(rooms));
    }

    fn disconnect_sockets(&self, options: &BroadcastOptions, close: bool) {
        self.0.local.disconnect_sockets(options, close);
        self.0.order(options, Order::Disconnect);
    }

    fn server_side_emit(&self, _packet: &BroadcastPacket, reply: Option<ClusterReply<Vec<Answer>>>) {
        let Some(reply) = reply else {
            return self.0.hub.complain(no_events_of_servers());
        };
        self.0.hub.count_others(move |others| match others {
            Ok(0) => reply(Ok(Answered::whole(Vec::new()))),
            Ok(_) => reply(Err(no_events_of_servers())),
            Err(error) => reply(Err(error)),
        });
    }

    fn server_count(&self, reply: Reply<Result<usize, AdapterError>>) {
        if self.0.is_closed() {
            return reply(Ok(1));
        }
        let count = move |others: Result<usize, _>| reply(others.map(|others| 1 + others));
        self.0.hub.count_others(count);
    }

    fn ack_timeout(&self) -> Option<Millis> {
        Some(self.0.hub.requests_timeout())
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
