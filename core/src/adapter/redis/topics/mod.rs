//! Topics of plain WebSocket servers: what is published at one of them is heard by the subscribers of all.
//!
//! All servers with the same key share one channel, whatever their mode; each hears all that is published, and finds the
//! subscribers among its own connections. A server's own come first and don't wait for Redis, and it leaves out what comes back
//! of its own. What others publish is delivered once, or not at all while Redis can't be reached.

mod message;

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::cluster::fresh_uid;
use super::{Bus, Listener, Redis, RedisMode, RedisOptions, Subscription};
use crate::error::{Error, ErrorCode, Result};
use crate::server::{Publication, Server};
use crate::topics::check_topic;
use crate::ws::MessageType;

/// What emitters call themselves.
const EMITTER: &str = "emitter";

/// The servers of one handle that share their topics. The channel is subscribed to as long as there are any.
pub(super) struct Hub {
    me: Weak<Hub>,
    bus: Arc<dyn Bus>,
    channel: Subscription,
    /// A longer message is not taken from others. Ours would not leave.
    max_message: usize,
    members: Mutex<Vec<(Arc<str>, Server)>>,
}

impl Hub {
    pub(super) fn new(bus: Arc<dyn Bus>, options: &RedisOptions) -> Arc<Hub> {
        // Other channels of a key have a # behind it, or behind the next word.
        let channel = format!("{}-topics", options.key);
        Arc::new_cyclic(|me| Hub {
            me: me.clone(),
            bus,
            channel: match options.mode {
                RedisMode::Sharded => Subscription::Sharded(channel),
                RedisMode::Classic | RedisMode::Streams | RedisMode::PythonSocketio => {
                    Subscription::Channel(channel)
                }
            },
            max_message: options.max_queued,
            members: Mutex::default(),
        })
    }

    fn add(&self, uid: Arc<str>, server: Server) {
        let mut members = self.members.lock();
        members.push((uid, server));
        if members.len() == 1 {
            let ear = Arc::new(Ear(self.me.clone()));
            self.bus.subscribe(self.channel.clone(), ear, None);
        }
    }

    fn remove(&self, uid: &Arc<str>) {
        let mut members = self.members.lock();
        let before = members.len();
        members.retain(|(other, _)| !Arc::ptr_eq(other, uid));
        if members.is_empty() && before > 0 {
            self.bus.unsubscribe(&self.channel);
        }
    }

    fn publish(&self, uid: &str, topic: &str, kind: MessageType, data: &[u8]) -> Result<()> {
        let payload = message::write(uid, topic, kind, data)?;
        let is_sharded = matches!(self.channel, Subscription::Sharded(_));
        self.bus.publish(self.channel.name(), payload, is_sharded);
        Ok(())
    }

    /// Somebody has published something, perhaps one of ours: it is for all but that one.
    fn on_message(&self, payload: &[u8]) -> Result<()> {
        if payload.len() > self.max_message {
            return Err(not_taken(format!(
                "{} bytes are more than max_queued",
                payload.len()
            )));
        }
        let published =
            message::read(payload).map_err(|error| not_taken(format!("it is no publication: {error}")))?;
        let topic = utf8(published.topic)?;
        for server in self.others(published.uid) {
            match server.publish_from_others(topic, published.kind, published.data) {
                Err(error) if error.code() == ErrorCode::Closed => {} // it is leaving
                heard => heard?,
            }
        }
        Ok(())
    }

    /// A copy, because no lock may be held while something is published.
    fn others(&self, uid: &[u8]) -> Vec<Server> {
        let members = self.members.lock();
        let others = members.iter().filter(|(own, _)| own.as_bytes() != uid);
        others.map(|(_, server)| *server).collect()
    }
}

/// What the bus keeps of a hub; it doesn't keep the hub.
struct Ear(Weak<Hub>);

impl Listener for Ear {
    fn on_message(&self, channel: &str, payload: &[u8]) {
        if let Some(hub) = self.0.upgrade()
            && let Err(error) = hub.on_message(payload)
        {
            log::debug!("a message on {channel} is ignored: {error}");
        }
    }
}

/// A server's place among those that share their topics, until it leaves or this is dropped.
pub(crate) struct Member {
    redis: Redis,
    uid: Arc<str>,
}

impl Member {
    pub(crate) fn new(redis: &Redis, server: Server) -> Member {
        let member = Member {
            redis: redis.clone(),
            uid: fresh_uid().into(),
        };
        redis.hub().add(member.uid.clone(), server);
        member
    }

    /// Has the subscribers of all other servers get what was published at this one.
    pub(crate) fn publish(&self, publication: &Publication) {
        let Publication { topic, message, .. } = publication;
        let (kind, data) = (message.kind(), message.payload());
        if let Err(error) = self.redis.hub().publish(&self.uid, topic, kind, data) {
            log::error!("a publication stays on this server: {error}"); // it was looked at before
        }
    }

    /// Hears no others from here on; doing it again is harmless.
    pub(crate) fn leave(&self) {
        self.redis.hub().remove(&self.uid);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Redis {
    /// Publishes for a process that has no server.
    ///
    /// # Errors
    /// [`ErrorCode::Topic`], [`ErrorCode::InvalidUtf8`]
    pub(super) fn publish_as_emitter(&self, topic: &str, kind: MessageType, data: &[u8]) -> Result<()> {
        check_topic(topic)?;
        self.hub().publish(EMITTER, topic, kind, data)
    }
}

fn not_taken(text: String) -> Error {
    Error::new(ErrorCode::InvalidArgument, text)
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| ErrorCode::InvalidUtf8.into())
}
