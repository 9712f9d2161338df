//! What this node wants of the cluster.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::super::{
    Adapter, AdapterError, Answer, Answered, BroadcastAcks, BroadcastOptions, BroadcastPacket, ClusterReply,
    Host, Progress, Reply, Restored, Session, SocketDetails,
};
use super::pending::{Done, Gathering, Question};
use super::{Cluster, Message, Wire, ids};
use crate::ws::Millis;

impl<H: Host + 'static, W: Wire<H>> Cluster<H, W> {
    /// Asks all other nodes, when they have been counted. `known` is this node's own answer.
    fn ask<T: Send + 'static>(
        &self,
        timeout: Millis,
        known: Vec<T>,
        reply: ClusterReply<Vec<T>>,
        question: fn(Gathering<T>) -> Question,
        message: impl FnOnce(String) -> Message + Send + 'static,
    ) {
        let done: Done<T> = Box::new(move |value, missing| reply(Ok(Answered { value, missing })));
        let me = self.me();
        let counted = move |count: Result<usize, AdapterError>| {
            let Some(cluster) = me.upgrade() else {
                return done(known, 0);
            };
            let others = match cluster.others(count) {
                Ok(0) => return done(known, 0),
                Ok(others) => others,
                Err(missing) => return done(known, missing),
            };
            let request = ids::fresh();
            let question = question(Gathering::new(others, known, done));
            if let Err(question) = cluster.pending.ask(&request, question) {
                log::error!("other nodes are not asked: too many questions are open");
                return question.finish();
            }
            let late = request.clone();
            cluster.after(timeout, move |cluster| cluster.pending.give_up(&late));
            W::publish(&cluster, message(request));
        };
        W::count(self, Box::new(counted));
    }

    /// How many other nodes there are; if that can't be said, how many there were, one at least.
    fn others(&self, count: Result<usize, AdapterError>) -> Result<usize, usize> {
        match count {
            Ok(count) => {
                self.nodes.store(count, Ordering::Relaxed);
                Ok(count.saturating_sub(1))
            }
            Err(error) => {
                log::debug!("nodes can't be counted: {error}");
                let others = self.nodes.load(Ordering::Relaxed).saturating_sub(1);
                Err(others.max(1))
            }
        }
    }

    /// What is wanted to know of all sockets.
    fn fetch(
        &self,
        options: &BroadcastOptions,
        reply: ClusterReply<Vec<String>>,
        names: fn(Vec<SocketDetails>) -> Vec<String>,
    ) {
        let found = move |found: Result<Answered<Vec<SocketDetails>>, AdapterError>| {
            reply(found.map(|found| Answered {
                value: names(found.value),
                missing: found.missing,
            }));
        };
        self.fetch_sockets(options, Box::new(found));
    }

    fn act(&self, message: Message, options: &BroadcastOptions) {
        match options.flags.local {
            true => self.apply(message),
            false => W::act(self, message),
        }
    }
}

impl<H: Host + 'static, W: Wire<H>> Adapter for Cluster<H, W> {
    fn broadcast(&self, packet: &BroadcastPacket, options: &BroadcastOptions) {
        if options.flags.local {
            return self.local.broadcast(packet, options);
        }
        let message = Message::Broadcast {
            packet: packet.clone(),
            options: options.clone(),
            request: None,
        };
        W::act(self, message);
    }

    fn broadcast_with_ack(
        &self,
        packet: &BroadcastPacket,
        options: &BroadcastOptions,
        acks: Arc<dyn BroadcastAcks>,
    ) {
        if !options.flags.local {
            let request = ids::fresh();
            self.pending.expect_acks(&request, &acks);
            let timeout = options.flags.timeout.unwrap_or(self.requests_timeout);
            let late = request.clone();
            self.after(timeout, move |cluster| cluster.pending.forget_acks(&late));
            // The others need to know, too, how long answers are of use.
            let mut options = options.clone();
            options.flags.timeout = Some(timeout);
            let message = Message::Broadcast {
                packet: packet.clone(),
                options,
                request: Some(request),
            };
            W::publish(self, message);
        }
        self.local.broadcast_with_ack(packet, options, acks);
    }

    fn add_all(&self, id: &str, rooms: &[&str]) {
        self.local.add_all(id, rooms);
    }

    fn del(&self, id: &str, room: &str) {
        self.local.del(id, room);
    }

    fn del_all(&self, id: &str) {
        self.local.del_all(id);
    }

    fn socket_rooms(&self, id: &str) -> Vec<Arc<str>> {
        self.local.socket_rooms(id)
    }

    fn sockets(&self, rooms: &[Arc<str>], reply: ClusterReply<Vec<String>>) {
        let options = BroadcastOptions {
            rooms: rooms.to_vec(),
            ..BroadcastOptions::default()
        };
        self.fetch(&options, reply, |sockets| {
            sockets.into_iter().map(|socket| socket.id).collect()
        });
    }

    fn all_rooms(&self, reply: ClusterReply<Vec<String>>) {
        self.fetch(&BroadcastOptions::default(), reply, |sockets| {
            let names: BTreeSet<String> = sockets.into_iter().flat_map(|socket| socket.rooms).collect();
            names.into_iter().collect()
        });
    }

    fn fetch_sockets(&self, options: &BroadcastOptions, reply: ClusterReply<Vec<SocketDetails>>) {
        if options.flags.local {
            return self.local.fetch_sockets(options, reply);
        }
        let timeout = options.flags.timeout.unwrap_or(self.requests_timeout);
        let asked = options.clone();
        let message = move |request| Message::Fetch {
            options: asked,
            request,
        };
        self.ask(
            timeout,
            self.own_sockets(options),
            reply,
            Question::Sockets,
            message,
        );
    }

    fn add_sockets(&self, options: &BroadcastOptions, rooms: &[&str]) {
        let message = Message::Join {
            options: options.clone(),
            rooms: rooms.iter().map(ToString::to_string).collect(),
        };
        self.act(message, options);
    }

    fn del_sockets(&self, options: &BroadcastOptions, rooms: &[&str]) {
        let message = Message::Leave {
            options: options.clone(),
            rooms: rooms.iter().map(ToString::to_string).collect(),
        };
        self.act(message, options);
    }

    fn disconnect_sockets(&self, options: &BroadcastOptions, close: bool) {
        let message = Message::Disconnect {
            options: options.clone(),
            close,
        };
        self.act(message, options);
    }

    fn server_side_emit(&self, packet: &BroadcastPacket, reply: Option<ClusterReply<Vec<Answer>>>) {
        let packet = packet.clone();
        let message = |request| Message::ServerSideEmit { packet, request };
        match reply {
            None => W::publish(self, message(None)),
            Some(reply) => self.ask(
                self.requests_timeout,
                Vec::new(),
                reply,
                Question::Answers,
                move |request| message(Some(request)),
            ),
        }
    }

    fn server_count(&self, reply: Reply<Result<usize, AdapterError>>) {
        W::count(self, reply);
    }

    fn ack_timeout(&self) -> Option<Millis> {
        Some(self.requests_timeout)
    }

    fn recovers_elsewhere(&self) -> bool {
        W::recovers_elsewhere(self)
    }

    fn progress(&self) -> Progress {
        W::progress(self)
    }

    fn persist_session(&self, session: Session) {
        W::persist(self, session);
    }

    fn restore_session(&self, pid: &str, offset: Option<&str>, reply: Reply<Option<Restored>>) {
        W::restore(self, pid, offset, reply);
    }

    fn close(&self) {
        W::close(self);
        self.pending.give_up_all();
    }
}
