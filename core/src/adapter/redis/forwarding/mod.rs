//! Requests that reach another node than the one that has their session: nodes send them to each other, and the answers back.
//!
//! A node has a name of its own ([`Tag`]), with which the ids of its sessions begin, and hears the channel `<key>-forward#<tag>`.
//! What is said there is [`message`]'s. A request goes out once and is never repeated, because it may have been taken; an answer
//! is, for a moment, because the node that waits for it knows it by its number.
//!
//! What a client waits for is bounded: by the time that a session may take to answer, and by whether anybody hears the
//! other node's channel.

mod held;
mod message;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use self::message::{Forwarded, Message};
use super::super::{AdapterError, Reply};
use super::{Bus, Listener, Redis, RedisMode, Subscription};
use crate::engineio::{Sid, Tag, query::Query};
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::Home;
use crate::route::{Exchange, HttpAnswer, HttpRequest};
use crate::ws::Millis;

pub(crate) use self::held::Held;

/// After how long an answer that nobody has got is sent again; twice as long each time.
const FIRST_DELAY: Millis = 100;
/// How often a node must have been missed to be gone: one that has lost Redis for a moment comes back.
const MISSES: u32 = 2;

/// A server whose clients' requests may reach other nodes. Called on the bus' thread, or on one that asks something of
/// [`Forwarding`]; must not wait.
pub(crate) trait Front: Send + Sync {
    /// A request for a session of this node, if it is still there, which another node has read.
    fn serve_forwarded(self: Arc<Self>, sid: &Sid, request: HttpRequest);

    /// The client of such a request has gone before it was answered.
    fn cut_forwarded(self: Arc<Self>, sid: &Sid, exchange: u64);

    /// The answer to such a request did not get there, so this session has missed something.
    fn answer_lost(self: Arc<Self>, sid: &Sid);

    /// There is no node that has the session of this request, or it does not answer.
    fn refuse(self: Arc<Self>, request: Held);
}

/// A node's end of it. When it is dropped, the others can't find this node any more.
pub(crate) struct Forwarding {
    me: Weak<Forwarding>,
    tag: Tag,
    bus: Arc<dyn Bus>,
    front: Weak<dyn Front>,
    /// What the names of all channels begin with.
    prefix: String,
    sharded: bool,
    /// The longest that a session lets a request wait.
    longest: Millis,
    /// How long a node may be missing.
    patience: Millis,
    asked: Mutex<Asked>,
    /// The requests that others have sent here and that are not answered: by who has sent them and their numbers there, their
    /// numbers here and whose they are.
    taken: Mutex<HashMap<(Tag, u64), (u64, Sid)>>,
}

/// What was sent to others.
#[derive(Default)]
struct Asked {
    /// By their exchanges' numbers.
    waiting: HashMap<u64, Waiting>,
    /// Somebody looks after them every now and then.
    is_watched: bool,
    is_closed: bool,
}

/// A request that another node is to answer; without its body.
struct Waiting {
    to: Tag,
    request: Held,
    /// For how long it has been looked after.
    age: Millis,
    /// How often its node was not there then.
    misses: u32,
}

impl Forwarding {
    /// A node that others find from now on. `front` serves what they send.
    ///
    /// # Errors
    /// [`ErrorCode::Io`] if the system gives no random numbers.
    pub(crate) fn new(redis: &Redis, longest: Millis, front: Weak<dyn Front>) -> Result<Arc<Forwarding>> {
        let tag = Tag::generate()
            .map_err(|error| Error::new(ErrorCode::Io, format!("a node can't have a name: {error}")))?;
        let options = redis.options();
        let forwarding = Arc::new_cyclic(|me| Forwarding {
            me: Weak::clone(me),
            tag,
            bus: Arc::clone(redis.bus()),
            front,
            prefix: format!("{}-forward#", options.key),
            sharded: options.mode == RedisMode::Sharded,
            longest,
            patience: options.requests_timeout.max(1),
            asked: Mutex::default(),
            taken: Mutex::default(),
        });
        let ear = Arc::new(Ear(Arc::downgrade(&forwarding)));
        forwarding.bus.subscribe(forwarding.subscription(), ear, None);
        Ok(forwarding)
    }

    /// The name of this node, with which the ids of its sessions begin.
    pub(crate) fn tag(&self) -> Tag {
        self.tag
    }

    /// Sends a request to the node of its session; its exchange is answered sooner or later, on the thread of its home. Gives it
    /// back if that is no other node.
    pub(crate) fn forward(&self, sid: &Sid, mut request: HttpRequest, home: Home) -> Option<HttpRequest> {
        let Some(to) = sid.node().filter(|to| *to != self.tag) else {
            return Some(request);
        };
        let id = request.exchange.id();
        let payload = message::request(self.tag, &request);
        request.body = Vec::new();
        let mut asked = self.asked.lock();
        if asked.is_closed {
            return Some(request);
        }
        let waiting = Waiting {
            to,
            request: Held::new(request, home),
            age: 0,
            misses: 0,
        };
        asked.waiting.insert(id, waiting);
        let is_watched = std::mem::replace(&mut asked.is_watched, true);
        drop(asked);
        if !is_watched {
            self.watch_soon();
        }
        let me = Weak::clone(&self.me);
        let sent = move |reached: Result<usize, AdapterError>| {
            if !matches!(reached, Ok(1..))
                && let Some(me) = me.upgrade()
            {
                log::debug!("a request for {} was not forwarded: {reached:?}", me.channel(to));
                me.refuse_if(reached.is_err(), |waits, _| waits == id);
            }
        };
        self.deliver(to, payload, Box::new(sent));
        None
    }

    /// The client of a request has gone, if it was one that was forwarded.
    pub(crate) fn cut(&self, exchange: u64) {
        let gone = self.asked.lock().waiting.remove(&exchange);
        if let Some(waiting) = gone {
            self.tell_cut(waiting.to, exchange);
        }
    }

    fn tell_cut(&self, to: Tag, id: u64) {
        self.bus
            .publish(&self.channel(to), message::cut(self.tag, id), self.sharded);
    }

    /// Others find this node no longer, and nothing is forwarded any more.
    pub(crate) fn close(&self) {
        self.give_up();
        self.bus.unsubscribe(&self.subscription());
    }

    /// Nothing will be heard any more.
    fn give_up(&self) {
        self.asked.lock().is_closed = true;
        self.refuse_if(true, |_, _| true);
    }

    // ---- what comes

    fn heard(&self, payload: &[u8]) {
        match Message::read(payload) {
            Ok(Message::Request(request)) => self.take(*request),
            Ok(Message::Answer { id, answer }) => {
                let waiting = self.asked.lock().waiting.remove(&id);
                match waiting {
                    Some(waiting) => waiting.request.run(|request| request.exchange.respond(answer)),
                    None => log::debug!("an answer came too late, or twice"),
                }
            }
            Ok(Message::Cut { from, id }) => {
                let taken = self.taken.lock().remove(&(from, id));
                if let (Some((exchange, sid)), Some(front)) = (taken, self.front.upgrade()) {
                    front.cut_forwarded(&sid, exchange);
                }
            }
            Err(error) => log::warn!("what came by {} is no message: {error}", self.channel(self.tag)),
        }
    }

    /// Has a request served that another node has read.
    fn take(&self, forwarded: Forwarded) {
        let Forwarded { from, id, .. } = forwarded;
        let query = Query::parse(forwarded.head.query().unwrap_or_default());
        let named = query.sid.as_deref().and_then(Sid::parse);
        // Whatever is forwarded again could go round for ever, and sessions begin where their clients are.
        let (Some(sid), Some(front)) = (
            named.filter(|sid| sid.node() == Some(self.tag)),
            self.front.upgrade(),
        ) else {
            return log::warn!(
                "a request came by {} that is not for here",
                self.channel(self.tag)
            );
        };
        let (me, whose) = (Weak::clone(&self.me), sid.clone());
        let exchange = Exchange::foreign(Box::new(move |answer| {
            if let Some(me) = me.upgrade() {
                me.answered(from, id, &whose, &answer);
            }
        }));
        self.taken.lock().insert((from, id), (exchange.id(), sid.clone()));
        let request = HttpRequest {
            head: forwarded.head,
            body: forwarded.body,
            remote: forwarded.remote,
            secure: forwarded.secure,
            exchange,
        };
        front.serve_forwarded(&sid, request);
    }

    fn answered(&self, to: Tag, id: u64, sid: &Sid, answer: &HttpAnswer) {
        // Otherwise the client has gone.
        if self.taken.lock().remove(&(to, id)).is_some() {
            self.answer(to, message::answer(id, answer), sid.clone(), FIRST_DELAY);
        }
    }

    /// Sends an answer, and again if it did not get there, in so many milliseconds.
    fn answer(&self, to: Tag, payload: Vec<u8>, sid: Sid, delay: Millis) {
        let (me, again) = (Weak::clone(&self.me), payload.clone());
        let sent = move |reached: Result<usize, AdapterError>| {
            let Some(me) = me.upgrade().filter(|_| !matches!(reached, Ok(1..))) else {
                return;
            };
            if delay > me.patience {
                log::debug!("an answer by {} was lost: {reached:?}", me.channel(to));
                if let Some(front) = me.front.upgrade() {
                    front.answer_lost(&sid);
                }
                return;
            }
            let bus = Arc::clone(&me.bus);
            let me = Weak::clone(&me.me);
            let try_again = move || {
                if let Some(me) = me.upgrade() {
                    me.answer(to, again, sid, 2 * delay);
                }
            };
            bus.run_at(delay, Box::new(try_again));
        };
        self.deliver(to, payload, Box::new(sent));
    }

    // ---- who waits in vain

    /// How often who waits is looked after.
    fn interval(&self) -> Millis {
        (self.patience / Millis::from(MISSES)).max(1)
    }

    fn watch_soon(&self) {
        let me = Weak::clone(&self.me);
        let look = move || {
            if let Some(me) = me.upgrade() {
                me.watch();
            }
        };
        self.bus.run_at(self.interval(), Box::new(look));
    }

    /// Refuses who has waited for too long, and asks whether those nodes are there for which others wait.
    fn watch(&self) {
        let longest = self.longest.saturating_add(self.patience);
        let mut nodes = Vec::new();
        let mut asked = self.asked.lock();
        for waiting in asked.waiting.values_mut() {
            waiting.age = waiting.age.saturating_add(self.interval());
            nodes.push(waiting.to);
        }
        asked.is_watched = !asked.waiting.is_empty();
        let is_watched = asked.is_watched;
        drop(asked);
        self.refuse_if(true, |_, waiting| waiting.age > longest);
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            let me = Weak::clone(&self.me);
            let found = move |found: Result<usize, AdapterError>| {
                if let Some(me) = me.upgrade() {
                    me.looked_for(node, matches!(found, Ok(1..)));
                }
            };
            let channel = self.channel(node);
            self.bus.subscribers(&channel, self.sharded, Box::new(found));
        }
        if is_watched {
            self.watch_soon();
        }
    }

    /// A node is there, or isn't.
    fn looked_for(&self, node: Tag, is_there: bool) {
        let mut asked = self.asked.lock();
        // Who has come since it was asked is not concerned.
        let concerned = |waiting: &&mut Waiting| waiting.to == node && waiting.age > 0;
        for waiting in asked.waiting.values_mut().filter(concerned) {
            waiting.misses = if is_there { 0 } else { waiting.misses + 1 };
        }
        drop(asked);
        self.refuse_if(true, |_, waiting| waiting.misses >= MISSES);
    }

    /// `may_be_there`: their nodes may have taken these requests, and have no client to answer any more.
    fn refuse_if(&self, may_be_there: bool, is_meant: impl Fn(u64, &Waiting) -> bool) {
        let mut asked = self.asked.lock();
        let gone: Vec<(u64, Waiting)> = asked
            .waiting
            .extract_if(|id, waiting| is_meant(*id, waiting))
            .collect();
        drop(asked);
        let Some(front) = self.front.upgrade() else { return }; // there are no clients any more
        for (id, waiting) in gone {
            if may_be_there {
                self.tell_cut(waiting.to, id);
            }
            Arc::clone(&front).refuse(waiting.request);
        }
    }

    // ---- channels

    fn deliver(&self, to: Tag, payload: Vec<u8>, sent: Reply<Result<usize, AdapterError>>) {
        self.bus.deliver(&self.channel(to), payload, self.sharded, sent);
    }

    fn channel(&self, of: Tag) -> String {
        format!("{}{}", self.prefix, of.as_str())
    }

    fn subscription(&self) -> Subscription {
        let channel = self.channel(self.tag);
        match self.sharded {
            true => Subscription::Sharded(channel),
            false => Subscription::Channel(channel),
        }
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.bus.unsubscribe(&self.subscription());
    }
}

/// Hears the others.
struct Ear(Weak<Forwarding>);

impl Listener for Ear {
    fn on_message(&self, _channel: &str, payload: &[u8]) {
        if let Some(forwarding) = self.0.upgrade() {
            forwarding.heard(payload);
        }
    }
}

/// The bus has ended, or all is closed.
impl Drop for Ear {
    fn drop(&mut self) {
        if let Some(forwarding) = self.0.upgrade() {
            forwarding.give_up();
        }
    }
}

#[cfg(test)]
mod tests;
