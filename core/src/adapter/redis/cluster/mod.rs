//! What the sharded and the streams adapter have in common: the behaviour of the official `ClusterAdapter`.
//!
//! Each node has a name (`uid`) in each namespace. A message goes to all nodes, who do it for their own sockets; the
//! sender does so too, without its message. Answers go to the node that asked. How messages travel is the [`Wire`]'s.

mod answering;
mod asking;
pub(super) mod ids;
mod message;
mod pending;
mod reading;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};

use super::super::{AdapterError, Host, LocalAdapter, Progress, Reply, Restored, Session};
use super::Bus;
use crate::socketio::ParseError;
use crate::ws::Millis;
use pending::Pending;

pub(super) use ids::fresh as fresh_uid;
pub(super) use message::{Envelope, Message, to_msgpack};

/// One namespace on this node, and how it tells the others.
pub(super) struct Cluster<H: Host, W> {
    me: Weak<Cluster<H, W>>,
    pub(super) local: Arc<LocalAdapter<H>>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) uid: String,
    pub(super) namespace: String,
    requests_timeout: Millis,
    pending: Pending,
    /// How many nodes there were when they were counted last.
    nodes: AtomicUsize,
    pub(super) wire: W,
}

/// How messages travel. Called on any thread; none waits.
pub(super) trait Wire<H: Host + 'static>: Send + Sync + Sized + 'static {
    /// Tells all other nodes: a question, or an event for applications.
    fn publish(cluster: &Cluster<H, Self>, message: Message);

    /// Tells one node.
    fn respond(cluster: &Cluster<H, Self>, node: &str, message: Message);

    /// Counts the nodes, this one included.
    fn count(cluster: &Cluster<H, Self>, reply: Reply<Result<usize, AdapterError>>);

    /// Does something for the sockets of all nodes: tells the others, and has it [done](Cluster::apply) here.
    fn act(cluster: &Cluster<H, Self>, message: Message);

    /// As [`Adapter::recovers_elsewhere`](super::super::Adapter::recovers_elsewhere).
    fn recovers_elsewhere(_cluster: &Cluster<H, Self>) -> bool {
        false
    }

    /// As [`Adapter::progress`](super::super::Adapter::progress).
    fn progress(cluster: &Cluster<H, Self>) -> Progress;

    /// As [`Adapter::persist_session`](super::super::Adapter::persist_session).
    fn persist(cluster: &Cluster<H, Self>, session: Session);

    /// As [`Adapter::restore_session`](super::super::Adapter::restore_session).
    fn restore(cluster: &Cluster<H, Self>, pid: &str, offset: Option<&str>, reply: Reply<Option<Restored>>);

    /// Hears and says nothing any more.
    fn close(cluster: &Cluster<H, Self>);
}

impl<H: Host + 'static, W: Wire<H>> Cluster<H, W> {
    pub(super) fn new(
        local: Arc<LocalAdapter<H>>,
        bus: Arc<dyn Bus>,
        namespace: &str,
        requests_timeout: Millis,
        wire: impl FnOnce(&Weak<Cluster<H, W>>) -> W,
    ) -> Arc<Cluster<H, W>> {
        Arc::new_cyclic(|me| Cluster {
            me: me.clone(),
            local,
            bus,
            uid: ids::fresh(),
            namespace: namespace.to_owned(),
            requests_timeout,
            pending: Pending::default(),
            nodes: AtomicUsize::new(1),
            wire: wire(me),
        })
    }

    pub(super) fn me(&self) -> Weak<Cluster<H, W>> {
        self.me.clone()
    }

    /// The message, with this node as its sender.
    pub(super) fn envelope(&self, message: Message) -> Envelope {
        Envelope {
            uid: self.uid.clone(),
            namespace: self.namespace.clone(),
            message,
        }
    }

    /// Does something later on the bus' thread, if this is still there.
    pub(super) fn after(&self, time: Millis, act: impl FnOnce(&Cluster<H, W>) + Send + 'static) {
        let me = self.me();
        let job = move || {
            if let Some(cluster) = me.upgrade() {
                act(&cluster);
            }
        };
        self.bus.run_at(time, Box::new(job));
    }

    /// Publishes what could be written.
    pub(super) fn publish(&self, channel: &str, payload: Result<Vec<u8>, ParseError>, sharded: bool) {
        match payload {
            Ok(payload) => self.bus.publish(channel, payload, sharded),
            Err(error) => log::error!("other nodes were not told: {error}"),
        }
    }
}

#[cfg(test)]
mod captures;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
