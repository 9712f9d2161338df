//! A [`Bus`] without Redis: several nodes in one process, in which nothing happens before it is asked for.
//!
//! For tests. Commands act at once, in the order in which they are given; what they bring about (messages, entries,
//! replies) waits until [`MemoryServer::deliver`]. Timers run when [`MemoryServer::advance`] says how late it is.

mod glob;
mod state;

use std::sync::Arc;

use parking_lot::Mutex;

use crate::ws::Millis;

use super::super::{AdapterError, Reply};
use super::{Bus, Entry, Follower, Listener, Subscription};

use state::{Event, State};

/// What the nodes share; a copy is the same server.
#[derive(Clone, Default)]
pub struct MemoryServer(Arc<Mutex<State>>);

/// One node of a [`MemoryServer`].
pub struct MemoryBus {
    server: MemoryServer,
    node: usize,
}

impl MemoryServer {
    /// An empty server, at time 0.
    pub fn new() -> MemoryServer {
        MemoryServer::default()
    }

    /// Another node.
    pub fn node(&self) -> Arc<MemoryBus> {
        let node = self.0.lock().add_node();
        Arc::new(MemoryBus {
            server: self.clone(),
            node,
        })
    }

    /// Delivers what waits and what that brings about; how much it was. Never returns if nodes answer each other
    /// without end.
    pub fn deliver(&self) -> usize {
        let mut count = 0;
        while self.deliver_one() {
            count += 1;
        }
        count
    }

    /// Delivers what has waited longest: one message, entry or reply. False if nothing waits.
    pub fn deliver_one(&self) -> bool {
        let Some(event) = self.0.lock().next_event() else {
            return false;
        };
        let call = self.0.lock().prepare(event);
        if let Some(call) = call {
            call();
        }
        true
    }

    /// How much waits to be delivered.
    pub fn waiting(&self) -> usize {
        self.0.lock().waiting()
    }

    /// Lets time pass: timers run in their order, and what they bring about is delivered before the next one.
    pub fn advance(&self, by: Millis) {
        let until = self.0.lock().now() + by;
        loop {
            let Some(job) = self.0.lock().next_timer(until) else {
                break;
            };
            job();
            self.deliver();
        }
    }

    /// How many nodes hear a channel, not counting patterns.
    pub fn subscribers(&self, channel: &str, sharded: bool) -> usize {
        self.0.lock().subscribers(channel, sharded)
    }

    /// All that was ever published, oldest first: channel, payload, sharded or not.
    pub fn published(&self) -> Vec<(String, Vec<u8>, bool)> {
        self.0.lock().published.clone()
    }

    /// All that has gone wrong between nodes since this was last asked, oldest first.
    pub fn take_reports(&self) -> Vec<AdapterError> {
        std::mem::take(&mut self.0.lock().reported)
    }

    fn act(&self, act: impl FnOnce(&mut State)) {
        act(&mut self.0.lock());
    }
}

impl MemoryBus {
    /// The node can reach Redis no longer: it hears nothing, what it publishes is lost, and replies are errors.
    pub fn cut(&self) {
        self.server.act(|state| state.set_reachable(self.node, false));
    }

    /// The node can reach Redis again, and hears what was appended to its streams meanwhile.
    pub fn restore(&self) {
        self.server.act(|state| state.set_reachable(self.node, true));
    }

    /// What the node is subscribed to, sorted.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.server.0.lock().subscriptions(self.node)
    }

    /// Gives an answer later, or an error if the server can't be reached.
    fn answer<T: Send + 'static>(
        &self,
        reply: Reply<Result<T, AdapterError>>,
        act: impl FnOnce(&mut State) -> T,
    ) {
        self.server.act(|state| {
            let answer = match state.check(self.node) {
                Ok(()) => Ok(act(state)),
                Err(error) => Err(error),
            };
            state.push(Event::Call(Box::new(move || reply(answer))));
        });
    }
}

impl Bus for MemoryBus {
    fn publish(&self, channel: &str, payload: Vec<u8>, sharded: bool) {
        self.server
            .act(|state| state.publish(self.node, channel, payload, sharded));
    }

    fn deliver(
        &self,
        channel: &str,
        payload: Vec<u8>,
        sharded: bool,
        reply: Reply<Result<usize, AdapterError>>,
    ) {
        self.answer(reply, |state| {
            state.publish(self.node, channel, payload, sharded);
            state.subscribers(channel, sharded)
        });
    }

    fn subscribe(
        &self,
        subscription: Subscription,
        listener: Arc<dyn Listener>,
        done: Option<Reply<Result<(), AdapterError>>>,
    ) {
        self.server
            .act(|state| state.subscribe(self.node, subscription, listener));
        if let Some(done) = done {
            self.answer(done, |_| ());
        }
    }

    fn unsubscribe(&self, subscription: &Subscription) {
        let gone = self.server.0.lock().unsubscribe(self.node, subscription);
        drop(gone); // without the lock
    }

    fn subscribers(&self, channel: &str, sharded: bool, reply: Reply<Result<usize, AdapterError>>) {
        self.answer(reply, |state| state.subscribers(channel, sharded));
    }

    fn append(
        &self,
        stream: &str,
        max_len: usize,
        fields: Vec<(&'static str, Vec<u8>)>,
        reply: Reply<Result<String, AdapterError>>,
    ) {
        self.answer(reply, |state| state.append(stream, max_len, fields));
    }

    fn follow(&self, stream: &str, follower: Arc<dyn Follower>) {
        self.server.act(|state| state.follow(self.node, stream, follower));
    }

    fn unfollow(&self, stream: &str) {
        self.server.act(|state| state.unfollow(self.node, stream));
    }

    fn range(
        &self,
        stream: &str,
        start: &str,
        end: &str,
        count: usize,
        reply: Reply<Result<Vec<Entry>, AdapterError>>,
    ) {
        self.answer(reply, |state| state.range(stream, start, end, count));
    }

    fn set(&self, key: &str, value: Vec<u8>, ttl: Millis) {
        self.server.act(|state| state.set(self.node, key, value, ttl));
    }

    fn take(&self, key: &str, reply: Reply<Result<Option<Vec<u8>>, AdapterError>>) {
        self.answer(reply, |state| state.take(key));
    }

    fn run_at(&self, after: Millis, job: Box<dyn FnOnce() + Send>) {
        self.server.act(|state| state.run_at(after, job));
    }

    fn report(&self, error: AdapterError) {
        self.server.act(|state| state.reported.push(error));
    }
}

#[cfg(test)]
mod tests;
