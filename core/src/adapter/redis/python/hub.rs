//! The one channel, which all namespaces share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::super::super::{AdapterError, Answered, BroadcastAcks, ClusterReply};
use super::super::cluster::ids;
use super::super::{Bus, Listener, Subscription};
use super::message::{Asker, Envelope, Message, is_pickled};
use crate::socketio::ParseError;
use crate::ws::Millis;

/// How a node behaves. All nodes need the same `channel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonOptions {
    /// The channel's name. Default: "socketio".
    pub channel: String,
    /// How long answers of other nodes' clients are waited for. Default: 5 seconds.
    pub requests_timeout: Millis,
}

impl Default for PythonOptions {
    fn default() -> PythonOptions {
        PythonOptions {
            channel: "socketio".to_owned(),
            requests_timeout: 5_000,
        }
    }
}

/// What a server calls itself: 32 hexadecimal digits.
pub(crate) fn fresh_host_id() -> String {
    ids::fresh() + &ids::fresh()
}

/// A namespace of this node.
pub(super) trait Member: Send + Sync {
    /// Another node has said this.
    fn on_message(&self, message: Message);
}

/// A node on a channel: its namespaces, and the answers that it waits for. It hears the channel as long as it has a namespace.
pub struct Hub {
    me: Weak<Hub>,
    host_id: String,
    options: PythonOptions,
    bus: Arc<dyn Bus>,
    members: Mutex<HashMap<String, Weak<dyn Member>>>,
    /// By the numbers of their questions. None is called under the lock.
    waiting: Mutex<HashMap<u64, Arc<dyn BroadcastAcks>>>,
    questions: AtomicU64,
    /// How many other nodes there were when that was last asked.
    others: AtomicUsize,
}

impl Hub {
    /// One without namespaces.
    pub fn new(bus: Arc<dyn Bus>, options: PythonOptions) -> Arc<Hub> {
        Arc::new_cyclic(|me| Hub {
            me: me.clone(),
            host_id: fresh_host_id(),
            options,
            bus,
            members: Mutex::default(),
            waiting: Mutex::default(),
            questions: AtomicU64::new(0),
            others: AtomicUsize::new(0),
        })
    }

    /// What this node calls itself.
    pub fn host_id(&self) -> &str {
        &self.host_id
    }

    pub(super) fn requests_timeout(&self) -> Millis {
        self.options.requests_timeout
    }

    fn subscription(&self) -> Subscription {
        Subscription::Channel(self.options.channel.clone())
    }

    /// A namespace hears the others from now on; of two with the same name the later one.
    pub(super) fn add(&self, namespace: &str, member: Weak<dyn Member>) {
        let mut members = self.members.lock();
        if members.is_empty() {
            let ear = Arc::new(Ear(self.me.clone()));
            self.bus.subscribe(self.subscription(), ear, None);
        }
        members.insert(namespace.to_owned(), member);
    }

    pub(super) fn remove(&self, namespace: &str, member: &Weak<dyn Member>) {
        let mut members = self.members.lock();
        if !members.get(namespace).is_some_and(|known| known.ptr_eq(member)) {
            return;
        }
        members.remove(namespace);
        if members.is_empty() {
            self.bus.unsubscribe(&self.subscription());
        }
    }

    pub(super) fn publish(&self, message: &Message, namespace: &str) {
        match message.write(&self.host_id, namespace) {
            Ok(message) => self.bus.publish(&self.options.channel, message, false),
            Err(error) => log::error!("other servers are not told, because the data is no JSON: {error}"),
        }
    }

    /// Something can't be said.
    pub(super) fn complain(&self, error: AdapterError) {
        self.bus.report(error);
    }

    /// Has `acks` hear the first answer that another node's client gives in time.
    pub(super) fn ask(&self, timeout: Millis, acks: &Arc<dyn BroadcastAcks>) -> u64 {
        let number = self.questions.fetch_add(1, Ordering::Relaxed) + 1;
        self.waiting.lock().insert(number, Arc::clone(acks));
        let me = self.me.clone();
        let too_late = move || {
            if let Some(hub) = me.upgrade() {
                drop(hub.take(number));
            }
        };
        self.bus.run_at(timeout, Box::new(too_late));
        number
    }

    fn take(&self, number: u64) -> Option<Arc<dyn BroadcastAcks>> {
        self.waiting.lock().remove(&number)
    }

    /// How many other nodes there are: who hears the channel is one.
    pub(super) fn count_others(&self, reply: impl FnOnce(Result<usize, AdapterError>) + Send + 'static) {
        let me = self.me.clone();
        let reply = move |count: Result<usize, AdapterError>| {
            let others = count.map(|nodes| nodes.saturating_sub(1));
            if let (Some(hub), Ok(others)) = (me.upgrade(), &others) {
                hub.others.store(*others, Ordering::Relaxed);
            }
            reply(others);
        };
        self.bus
            .subscribers(&self.options.channel, false, Box::new(reply));
    }

    /// Adds to what is known here that the others can't be asked.
    pub(super) fn without_others<T: Send + 'static>(&self, reply: ClusterReply<T>) -> ClusterReply<T> {
        let me = self.me.clone();
        Box::new(move |known: Result<Answered<T>, AdapterError>| {
            let (Some(hub), Ok(known)) = (me.upgrade(), known) else {
                return reply(Err(AdapterError("the server has gone".to_owned())));
            };
            let was = hub.others.load(Ordering::Relaxed);
            hub.count_others(move |others| {
                reply(Ok(Answered {
                    value: known.value,
                    missing: others.unwrap_or(was.max(1)),
                }));
            });
        })
    }

    fn hear(&self, payload: &[u8]) -> Result<(), ParseError> {
        if is_pickled(payload) {
            let channel = &self.options.channel;
            self.complain(AdapterError(format!(
                "messages on {channel:?} are pickled, and not read, because that could run anything: their sender needs python-socketio 5.14 or newer"
            )));
            return Ok(());
        }
        let envelope = Envelope::read(payload)?;
        if envelope.is_from(&self.host_id) {
            return Ok(());
        }
        if envelope.is_answer() {
            if let Message::Answer(asker, array) = envelope.open()? {
                self.hear_answer(&asker, &array);
            }
            return Ok(());
        }
        let member = self.members.lock().get(envelope.namespace()).cloned();
        if let Some(member) = member.and_then(|member| member.upgrade()) {
            member.on_message(envelope.open()?);
        }
        Ok(())
    }

    /// The others are as one client to who waits: how many there are they don't say, and the first answer ends the wait, as
    /// in python-socketio.
    fn hear_answer(&self, asker: &Asker, array: &str) {
        let acks = asker.number(&self.host_id).and_then(|number| self.take(number));
        if let Some(acks) = acks {
            acks.on_clients(1);
            acks.on_ack(array, &[]);
        }
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("host_id", &self.host_id)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What the bus keeps of a node; it doesn't keep the node.
struct Ear(Weak<Hub>);

impl Listener for Ear {
    fn on_message(&self, channel: &str, payload: &[u8]) {
        if let Some(hub) = self.0.upgrade()
            && let Err(error) = hub.hear(payload)
        {
            log::debug!("a message on {channel} is ignored: {error}");
        }
    }
}
