//! The bus over Redis.
//!
//! Whoever calls it leaves a command in a channel and goes on; one thread of its own does the rest, with asynchronous
//! connections.
//!
//! | file | what is there |
//! |---|---|
//! | `target` | URLs |
//! | `dial`, `wire` | connecting; a connection for commands |
//! | `command`, `shared` | what callers leave; what both sides see |
//! | `worker` | the thread: sessions, outages |
//! | `session`, `asking`, `hearing`, `following` | connections while they last, and what is done over them |
//! | `lanes` | the order of commands on a Redis Cluster |
//! | `wanted` | what is to be heard, over all sessions |
//! | `replies`, `errors`, `events` | what Redis says, what went wrong, who is told |

mod asking;
mod command;
mod dial;
mod errors;
mod events;
mod following;
mod hearing;
mod lanes;
mod replies;
mod session;
mod shared;
mod target;
mod wanted;
mod wire;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::error::{Error, ErrorCode, Result};
use crate::event_loop;
use crate::ws::Millis;

use super::super::{AdapterError, Reply};
use super::{Bus, Entry, Follower, Listener, RedisEvents, RedisOptions, Subscription};

use command::{Command, Question};
use dial::Dialer;
use events::Teller;
use shared::{Owed, Shared, Weight};
use wanted::Wanted;
use worker::Worker;

/// What a command costs beside its texts, in bytes, about.
const OVERHEAD: usize = 512;

/// What is to be done in how many milliseconds.
type Timer = (Millis, Box<dyn FnOnce() + Send>);

/// The callers' end. When the last one is dropped, what was published leaves, and the thread ends.
pub(super) struct Connection {
    commands: UnboundedSender<Command>,
    shared: Arc<Shared>,
    timers: UnboundedSender<Timer>,
}

impl Connection {
    /// Begins to connect.
    ///
    /// # Errors
    /// What [`Dialer::new`] finds wrong with the options, [`ErrorCode::Forked`], and [`ErrorCode::OutOfResources`] if
    /// there can't be another thread.
    pub(super) fn open(options: &RedisOptions, events: Option<Arc<dyn RedisEvents>>) -> Result<Connection> {
        event_loop::watch_forks();
        event_loop::check_fork()?;
        let dialer = Dialer::new(options)?;
        let resources = |error: std::io::Error| {
            let text = format!("there can't be another thread for Redis: {error}");
            Error::new(ErrorCode::OutOfResources, text)
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2)
            .thread_name("sockline-redis-names")
            .build()
            .map_err(resources)?;
        let (commands, receiver) = unbounded_channel();
        let (timers, timers_receiver) = unbounded_channel();
        let connection = Connection {
            commands,
            shared: Arc::new(Shared::new(options.max_queued)),
            timers,
        };
        let worker = Worker {
            dialer: Arc::new(dialer),
            commands: receiver,
            shared: Arc::clone(&connection.shared),
            teller: Arc::new(Teller::new(events)),
            wanted: Wanted::default(),
            ping_interval: Duration::from_millis(options.ping_interval.max(1)),
            read_count: options.read_count.max(1),
            told_dropped: false,
        };
        let body = move || {
            runtime.spawn(run_timers(timers_receiver));
            runtime.block_on(worker.run());
            // Does not wait for a name that is looked up.
            runtime.shutdown_background();
        };
        event_loop::spawn("sockline-redis", body).map_err(resources)?;
        Ok(connection)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.shared.is_up()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.shared.dropped()
    }

    pub(super) fn close(&self) {
        self.send(Command::Close);
    }

    pub(super) fn flush(&self, reply: Reply<Result<(), AdapterError>>) {
        self.ask(0, reply, Question::Flush);
    }

    /// Leaves a command. If the bus has ended, or this process is a child of its own, the command is dropped, and so
    /// answered.
    fn send(&self, command: Command) {
        if event_loop::check_fork().is_ok() {
            let _ = self.commands.send(command);
        }
    }

    /// None if too much waits, which is told once.
    fn weigh(&self, bytes: usize) -> Option<Weight> {
        let weight = Weight::new(&self.shared, bytes + OVERHEAD);
        if weight.is_none() && self.shared.overflows() {
            self.send(Command::Overflow);
        }
        weight
    }

    fn ask<T>(
        &self,
        bytes: usize,
        reply: Reply<Result<T, AdapterError>>,
        question: impl FnOnce(Owed<T>) -> Question,
    ) where
        T: Send + 'static,
    {
        let owed = Owed::new(reply, &self.shared);
        match self.weigh(bytes) {
            Some(weight) => self.send(Command::Ask(question(owed), weight)),
            None => {
                let error = self.shared.too_much();
                self.run_at(0, Box::new(move || owed.settle(Err(error))));
            }
        }
    }
}

impl Bus for Connection {
    fn publish(&self, channel: &str, payload: Vec<u8>, sharded: bool) {
        match self.weigh(channel.len() + payload.len()) {
            Some(weight) => self.send(Command::Publish {
                channel: channel.to_owned(),
                payload,
                sharded,
                weight,
            }),
            None => self.shared.drop_message(),
        }
    }

    fn deliver(
        &self,
        channel: &str,
        payload: Vec<u8>,
        sharded: bool,
        reply: Reply<Result<usize, AdapterError>>,
    ) {
        let name = channel.to_owned();
        self.ask(channel.len() + payload.len(), reply, |owed| Question::Deliver {
            channel: name,
            payload,
            sharded,
            owed,
        });
    }

    fn subscribe(
        &self,
        subscription: Subscription,
        listener: Arc<dyn Listener>,
        done: Option<Reply<Result<(), AdapterError>>>,
    ) {
        let owed = done.map(|done| Owed::new(done, &self.shared));
        self.send(Command::Subscribe(subscription, listener, owed));
    }

    fn unsubscribe(&self, subscription: &Subscription) {
        self.send(Command::Unsubscribe(subscription.clone()));
    }

    fn subscribers(&self, channel: &str, sharded: bool, reply: Reply<Result<usize, AdapterError>>) {
        let name = channel.to_owned();
        self.ask(channel.len(), reply, |owed| Question::Subscribers {
            channel: name,
            sharded,
            owed,
        });
    }

    fn append(
        &self,
        stream: &str,
        max_len: usize,
        fields: Vec<(&'static str, Vec<u8>)>,
        reply: Reply<Result<String, AdapterError>>,
    ) {
        let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let stream = stream.to_owned();
        self.ask(bytes, reply, |owed| Question::Append {
            stream,
            max_len,
            fields,
            owed,
        });
    }

    fn follow(&self, stream: &str, follower: Arc<dyn Follower>) {
        self.send(Command::Follow(stream.to_owned(), follower));
    }

    fn unfollow(&self, stream: &str) {
        self.send(Command::Unfollow(stream.to_owned()));
    }

    fn range(
        &self,
        stream: &str,
        start: &str,
        end: &str,
        count: usize,
        reply: Reply<Result<Vec<Entry>, AdapterError>>,
    ) {
        let (stream, start, end) = (stream.to_owned(), start.to_owned(), end.to_owned());
        self.ask(0, reply, |owed| Question::Range {
            stream,
            start,
            end,
            count,
            owed,
        });
    }

    fn set(&self, key: &str, value: Vec<u8>, ttl: Millis) {
        match self.weigh(key.len() + value.len()) {
            Some(weight) => self.send(Command::Set {
                key: key.to_owned(),
                value,
                ttl,
                weight,
            }),
            None => self.shared.drop_message(),
        }
    }

    fn take(&self, key: &str, reply: Reply<Result<Option<Vec<u8>>, AdapterError>>) {
        let key = key.to_owned();
        self.ask(key.len(), reply, |owed| Question::Take { key, owed });
    }

    fn run_at(&self, after: Millis, job: Box<dyn FnOnce() + Send>) {
        if event_loop::check_fork().is_ok() {
            let _ = self.timers.send((after, job));
        }
    }

    fn report(&self, error: AdapterError) {
        self.send(Command::Report(error));
    }
}

async fn run_timers(mut timers: UnboundedReceiver<Timer>) {
    while let Some((after, job)) = timers.recv().await {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            job();
        });
    }
}
