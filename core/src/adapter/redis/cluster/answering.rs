//! What other nodes want of this one, and what they answer.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

use super::super::super::{
    Adapter, Answer, Answered, BroadcastAcks, BroadcastOptions, BroadcastPacket, Host, Reply, SocketDetails,
};
use super::{Cluster, Envelope, Message, Wire};
use crate::adapter::redis::values::Value;

impl<H: Host + 'static, W: Wire<H>> Cluster<H, W> {
    /// A message has come. On the bus' thread.
    pub(in super::super) fn on_message(&self, envelope: Envelope) {
        if envelope.uid == self.uid || envelope.namespace != self.namespace {
            return; // own ones come back; others are none of this namespace's business
        }
        let Envelope { uid, message, .. } = envelope;
        match message {
            Message::Broadcast {
                packet,
                options,
                request: Some(request),
            } => {
                let acks = Arc::new(Answers {
                    cluster: self.me(),
                    node: uid,
                    request,
                });
                self.local.receive_with_ack(&packet, &options, acks);
            }
            Message::Fetch { options, request } => {
                let sockets = self.own_sockets(&options);
                W::respond(self, &uid, Message::Fetched { request, sockets });
            }
            Message::ServerSideEmit { packet, request } => self.serve(&uid, packet, request),
            Message::Broadcast { packet, options, .. } => self.local.receive(&packet, &options),
            Message::Join { .. } | Message::Leave { .. } | Message::Disconnect { .. } => self.apply(message),
            Message::Fetched { .. }
            | Message::ServerSideAnswer { .. }
            | Message::ClientCount { .. }
            | Message::ClientAnswer { .. } => self.on_response(&uid, message),
        }
    }

    /// An answer has come. On the bus' thread.
    pub(in super::super) fn on_response(&self, uid: &str, message: Message) {
        match message {
            Message::Fetched { request, sockets } => self.pending.sockets(uid, &request, sockets),
            Message::ServerSideAnswer { request, answer } => {
                self.pending.value(uid, &request, answer.unwrap_or_else(nothing));
            }
            Message::ClientCount { request, count } => {
                if let Some(acks) = self.pending.acks(&request) {
                    acks.on_clients(count);
                }
            }
            Message::ClientAnswer { request, answer } => {
                if let Some(acks) = self.pending.acks(&request) {
                    match answer {
                        Some(answer) => acks.on_ack(&format!("[{}]", answer.value), &answer.attachments),
                        None => acks.on_ack("[]", &[]),
                    }
                }
            }
            _ => log::debug!("a node asks where answers belong"),
        }
    }

    /// Does for this node's sockets what was asked of all.
    pub(in super::super) fn apply(&self, message: Message) {
        let texts = |rooms: &[String], act: &dyn Fn(&[&str])| {
            let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
            act(&rooms);
        };
        match message {
            Message::Broadcast { packet, options, .. } => self.local.broadcast(&packet, &options),
            Message::Join { options, rooms } => {
                texts(&rooms, &|rooms| self.local.add_sockets(&options, rooms));
            }
            Message::Leave { options, rooms } => {
                texts(&rooms, &|rooms| self.local.del_sockets(&options, rooms));
            }
            Message::Disconnect { options, close } => self.local.disconnect_sockets(&options, close),
            _ => {}
        }
    }

    /// This node's application hears an event, and may answer.
    fn serve(&self, node: &str, packet: BroadcastPacket, request: Option<String>) {
        let reply = request.map(|request| {
            let (me, node) = (self.me(), node.to_owned());
            let answer = move |answer: Answer| {
                if let Some(cluster) = me.upgrade() {
                    let answer = Some(answer);
                    W::respond(&cluster, &node, Message::ServerSideAnswer { request, answer });
                }
            };
            Box::new(answer) as Reply<Answer>
        });
        self.local.host().on_server_side_emit(packet, reply);
    }

    /// This node's sockets that are meant.
    pub(super) fn own_sockets(&self, options: &BroadcastOptions) -> Vec<SocketDetails> {
        let found = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&found);
        // The answer comes at once.
        let reply = move |sockets: Result<Answered<_>, _>| *told.lock() = sockets.unwrap_or_default().value;
        self.local.fetch_sockets(options, Box::new(reply));
        std::mem::take(&mut *found.lock())
    }
}

/// The first of the values in an array.
fn first(array: &str, attachments: &[Bytes]) -> Option<Answer> {
    match Value::Json(array).items().ok()?.next()? {
        Ok(Value::Json(value)) => Some(Answer {
            value: value.to_owned(),
            attachments: attachments.to_vec(),
        }),
        _ => None,
    }
}

/// What JavaScript's `undefined` is here.
fn nothing() -> Answer {
    Answer {
        value: "null".to_owned(),
        attachments: Vec::new(),
    }
}

/// Clients' answers, for the node that wants them.
struct Answers<H: Host, W> {
    cluster: Weak<Cluster<H, W>>,
    node: String,
    request: String,
}

impl<H: Host + 'static, W: Wire<H>> Answers<H, W> {
    fn respond(&self, message: impl FnOnce(String) -> Message) {
        if let Some(cluster) = self.cluster.upgrade() {
            W::respond(&cluster, &self.node, message(self.request.clone()));
        }
    }
}

impl<H: Host + 'static, W: Wire<H>> BroadcastAcks for Answers<H, W> {
    fn on_clients(&self, count: usize) {
        self.respond(|request| Message::ClientCount { request, count });
    }

    fn on_ack(&self, array: &str, attachments: &[Bytes]) {
        let answer = first(array, attachments);
        self.respond(|request| Message::ClientAnswer { request, answer });
    }
}
