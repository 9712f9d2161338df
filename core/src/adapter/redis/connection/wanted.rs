//! What the callers want to hear, over all connections.

use std::collections::HashMap;
use std::sync::Arc;

use crate::adapter::redis::{Follower, Listener, Subscription};

use super::following::Following;

type Listeners = HashMap<String, Arc<dyn Listener>>;

#[derive(Default)]
pub(super) struct Wanted {
    channels: Listeners,
    patterns: Listeners,
    sharded: Listeners,
    streams: HashMap<String, Arc<Following>>,
}

impl Wanted {
    pub(super) fn add(&mut self, subscription: &Subscription, listener: Arc<dyn Listener>) {
        let name = subscription.name().to_owned();
        self.kind_mut(subscription).insert(name, listener);
    }

    /// False if it was not wanted.
    pub(super) fn remove(&mut self, subscription: &Subscription) -> bool {
        self.kind_mut(subscription).remove(subscription.name()).is_some()
    }

    fn kind_mut(&mut self, subscription: &Subscription) -> &mut Listeners {
        match subscription {
            Subscription::Channel(_) => &mut self.channels,
            Subscription::Pattern(_) => &mut self.patterns,
            Subscription::Sharded(_) => &mut self.sharded,
        }
    }

    /// All of them; sharded ones last.
    pub(super) fn subscriptions(&self) -> Vec<Subscription> {
        let channels = self.channels.keys().cloned().map(Subscription::Channel);
        let patterns = self.patterns.keys().cloned().map(Subscription::Pattern);
        let sharded = self.sharded.keys().cloned().map(Subscription::Sharded);
        channels.chain(patterns).chain(sharded).collect()
    }

    pub(super) fn wants_sharded(&self, channel: &str) -> bool {
        self.sharded.contains_key(channel)
    }

    pub(super) fn tell(&self, pattern: Option<&str>, channel: &str, payload: &[u8]) {
        let listener = match pattern {
            Some(pattern) => self.patterns.get(pattern),
            None => self.channels.get(channel),
        };
        if let Some(listener) = listener {
            listener.on_message(channel, payload);
        }
    }

    pub(super) fn tell_sharded(&self, channel: &str, payload: &[u8]) {
        if let Some(listener) = self.sharded.get(channel) {
            listener.on_message(channel, payload);
        }
    }

    pub(super) fn follow(&mut self, stream: &str, follower: Arc<dyn Follower>) {
        match self.streams.get(stream) {
            Some(following) => following.replace(follower),
            None => {
                let following = Arc::new(Following::new(follower));
                self.streams.insert(stream.to_owned(), following);
            }
        }
    }

    pub(super) fn unfollow(&mut self, stream: &str) {
        self.streams.remove(stream);
    }

    pub(super) fn streams(&self) -> Vec<(String, Arc<Following>)> {
        let streams = self.streams.iter();
        streams
            .map(|(name, following)| (name.clone(), Arc::clone(following)))
            .collect()
    }

    pub(super) fn stream(&self, name: &str) -> Option<Arc<Following>> {
        self.streams.get(name).cloned()
    }
}
