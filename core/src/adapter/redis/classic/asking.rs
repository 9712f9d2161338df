//! What this node has asked the others, until they have answered.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::super::super::{
    AdapterError, Answer, Answered, BroadcastAcks, BroadcastOptions, BroadcastPacket, ClusterReply, Host,
    SocketDetails,
};
use super::adapter::Node;
use super::requests::Request;
use super::responses::Response;
use crate::socketio::ParseError;

/// What nodes were asked, what they have said, and who waits for it.
pub(super) enum Question {
    Ids(BTreeSet<String>, ClusterReply<Vec<String>>),
    Rooms(BTreeSet<String>, ClusterReply<Vec<String>>),
    Sockets(Vec<SocketDetails>, ClusterReply<Vec<SocketDetails>>),
    Answers(Vec<Answer>, ClusterReply<Vec<Answer>>),
}

impl Question {
    /// A node's answer.
    fn add(&mut self, response: &Response<'_>) -> Result<(), ParseError> {
        match self {
            Question::Ids(known, _) => known.extend(response.ids()?),
            Question::Rooms(known, _) => known.extend(response.rooms()?),
            Question::Sockets(known, _) => known.extend(response.sockets()?),
            Question::Answers(known, _) => known.push(response.answer()?),
        }
        Ok(())
    }

    /// No more will come.
    fn finish(self, missing: usize) {
        match self {
            Question::Ids(known, reply) | Question::Rooms(known, reply) => reply(Ok(Answered {
                value: known.into_iter().collect(),
                missing,
            })),
            Question::Sockets(value, reply) => reply(Ok(Answered { value, missing })),
            Question::Answers(value, reply) => reply(Ok(Answered { value, missing })),
        }
    }

    /// Nobody could be asked; at least so many would have been.
    fn fail(self, error: AdapterError, missing: usize) {
        match self {
            // Of this node alone nothing can be said.
            Question::Answers(_, reply) => reply(Err(error)),
            other => {
                log::debug!("other servers could not be asked: {error}");
                other.finish(missing);
            }
        }
    }
}

struct Pending {
    question: Question,
    /// So many nodes have yet to answer.
    missing: usize,
}

/// Open questions, by their ids. No reply is called under a lock.
#[derive(Default)]
pub(super) struct Asked {
    questions: Mutex<HashMap<String, Pending>>,
    acks: Mutex<HashMap<String, Arc<dyn BroadcastAcks>>>,
}

impl Asked {
    /// A node's answer; who is done by it.
    fn add(&self, id: &str, response: &Response<'_>) -> Result<Option<Pending>, ParseError> {
        let mut questions = self.questions.lock();
        let Some(pending) = questions.get_mut(id) else {
            return Ok(None); // another node has asked, or too long ago
        };
        pending.question.add(response)?;
        pending.missing = pending.missing.saturating_sub(1);
        let is_done = pending.missing == 0;
        Ok(is_done.then(|| questions.remove(id)).flatten())
    }

    /// No answer counts any more.
    pub(super) fn give_up(&self) {
        let questions = std::mem::take(&mut *self.questions.lock());
        self.acks.lock().clear();
        for pending in questions.into_values() {
            pending.question.finish(pending.missing);
        }
    }

    fn too_late(&self, id: &str) {
        let pending = self.questions.lock().remove(id);
        if let Some(pending) = pending {
            log::debug!("{} servers did not answer in time", pending.missing);
            pending.question.finish(pending.missing);
        }
    }
}

impl<H: Host + 'static> Node<H> {
    /// How many nodes there are; 0 if this one isn't heard yet.
    pub(super) fn count(&self, reply: impl FnOnce(Result<usize, AdapterError>) + Send + 'static) {
        let me = self.me.clone();
        let reply = move |count: Result<usize, AdapterError>| {
            if let (Some(node), Ok(count)) = (me.upgrade(), &count) {
                node.nodes.store(*count, Ordering::Relaxed);
            }
            reply(count);
        };
        self.bus
            .subscribers(&self.channels.request, false, Box::new(reply));
    }

    /// Asks all other nodes.
    pub(super) fn ask(me: &Weak<Node<H>>, question: Question, request: Request) {
        let Some(node) = me.upgrade().filter(|node| !node.is_closed()) else {
            return question.finish(0);
        };
        let me = me.clone();
        node.count(move |count| match me.upgrade() {
            Some(node) => node.ask_others(count, question, &request),
            None => question.finish(1),
        });
    }

    fn ask_others(&self, count: Result<usize, AdapterError>, question: Question, request: &Request) {
        let known = self.nodes.load(Ordering::Relaxed).saturating_sub(1);
        let missing = match count {
            Ok(count) => count.saturating_sub(1),
            Err(error) => return question.fail(error, known.max(1)),
        };
        if missing == 0 || self.is_closed() {
            return question.finish(missing);
        }
        let id = self.fresh_id();
        let message = match request.write(self.sender(), Some(&id), &self.namespace) {
            Ok(message) => message,
            Err(error) => return question.fail(AdapterError(format!("not asked: {error}")), missing),
        };
        let pending = Pending { question, missing };
        self.asked.questions.lock().insert(id.clone(), pending);
        self.bus.publish(&self.channels.request, message, false);
        let me = self.me.clone();
        let too_late = move || {
            if let Some(node) = me.upgrade() {
                node.asked.too_late(&id);
            }
        };
        self.bus.run_at(self.options.requests_timeout, Box::new(too_late));
    }

    /// Has the other nodes' clients asked; their answers come to `acks` as long as the options say.
    pub(super) fn ask_clients(
        &self,
        packet: &BroadcastPacket,
        options: &BroadcastOptions,
        acks: &Arc<dyn BroadcastAcks>,
    ) {
        let id = self.fresh_id();
        let request = Request::Broadcast(packet.clone(), options.clone());
        let message = request.write(self.sender(), Some(&id), &self.namespace);
        self.asked.acks.lock().insert(id.clone(), Arc::clone(acks));
        self.publish(&self.channels.request, message);
        let timeout = options.flags.timeout.unwrap_or(self.options.requests_timeout);
        let me = self.me.clone();
        let too_late = move || {
            if let Some(node) = me.upgrade() {
                node.asked.acks.lock().remove(&id);
            }
        };
        self.bus.run_at(timeout, Box::new(too_late));
    }

    pub(super) fn on_response(&self, payload: &[u8]) -> Result<(), ParseError> {
        let response = Response::read(payload)?;
        let id = response.id().ok_or(ParseError::Payload)?;
        let acks = self.asked.acks.lock().get(&id).cloned();
        let Some(acks) = acks else {
            if let Some(done) = self.asked.add(&id, &response)? {
                done.question.finish(0);
            }
            return Ok(());
        };
        if let Some(count) = response.client_count() {
            acks.on_clients(count);
        } else if let Some(answer) = response.client_ack() {
            let (array, attachments) = answer?;
            acks.on_ack(&array, &attachments);
        }
        Ok(())
    }
}
