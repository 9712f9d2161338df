//! The bus' thread: makes sessions, serves its callers, waits and tries again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use redis::Msg;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

use crate::adapter::AdapterError;
use crate::adapter::redis::Subscription;
use crate::event_loop::Burst;
use crate::reconnect::Reconnect;

use super::command::Command;
use super::dial::{Dialer, PIPELINED};
use super::errors;
use super::events::Teller;
use super::hearing::Push;
use super::session::{After, Session};
use super::shared::Shared;
use super::wanted::Wanted;

/// How often it is tried again.
const BASE_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(5);

/// So many messages are handed on before loops are woken, at most.
const TOGETHER: usize = 64;

pub(super) struct Worker {
    pub(super) dialer: Arc<Dialer>,
    pub(super) commands: UnboundedReceiver<Command>,
    pub(super) shared: Arc<Shared>,
    pub(super) teller: Arc<Teller>,
    pub(super) wanted: Wanted,
    pub(super) ping_interval: Duration,
    pub(super) read_count: usize,
    /// It was told that messages are dropped, in this outage.
    pub(super) told_dropped: bool,
}

/// The bus is to end.
struct Closed;

/// How a session ends.
enum End {
    Closed,
    Lost(AdapterError),
}

impl Worker {
    pub(super) async fn run(mut self) {
        self.keep_connected().await;
        self.shared
            .set_down(AdapterError("the connection to Redis was closed".into()));
        self.commands.close();
        // What still waits is answered by being dropped.
        while self.commands.try_recv().is_ok() {}
        self.wanted = Wanted::default();
        self.teller.closed();
    }

    async fn keep_connected(&mut self) {
        let (mut is_down, mut failures) = (false, 0);
        loop {
            match self.connect(is_down).await {
                Err(Closed) => return,
                Ok(Err(why)) if is_down => {
                    self.shared.set_down(why.clone());
                    self.teller.error(&why);
                }
                Ok(Err(why)) => self.go_down(why),
                Ok(Ok(mut session)) => {
                    self.shared.set_up();
                    self.told_dropped = false;
                    self.teller.connected();
                    let End::Lost(why) = self.serve(&mut session).await else {
                        return;
                    };
                    if session.is_proven() {
                        failures = 0;
                    }
                    self.shared.set_down(why.clone());
                    // What was under way is answered now, with that reason.
                    drop(session);
                    self.go_down(why);
                }
            }
            is_down = true;
            failures += 1;
            if self.pause(delay(failures)).await.is_err() {
                return;
            }
        }
    }

    fn go_down(&mut self, why: AdapterError) {
        self.shared.set_down(why.clone());
        self.teller.disconnected(&why);
    }

    /// Makes a session in which all is heard that is wanted. Until the first one has failed the callers wait for it, then
    /// they are refused.
    async fn connect(&mut self, is_down: bool) -> Result<Result<Session, AdapterError>, Closed> {
        let opening = Session::open(Arc::clone(&self.dialer), self.ping_interval);
        let mut opening = Box::pin(opening);
        let opened = loop {
            tokio::select! {
                opened = &mut opening => break opened,
                command = self.commands.recv(), if is_down => self.refuse(command)?,
            }
        };
        let mut session = match opened {
            Ok(session) => session,
            Err(why) => return Ok(Err(why)),
        };
        let restoring = session.restore(&self.wanted, &self.teller);
        match timeout(self.dialer.timeout, restoring).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return Ok(Err(why)),
            Err(_) => return Ok(Err(errors::no_answer(&session.place))),
        }
        for (stream, following) in self.wanted.streams() {
            session.follow(&stream, &following, self.read_count, &self.teller);
        }
        Ok(Ok(session))
    }

    /// Lets time pass, in which callers are refused.
    async fn pause(&mut self, delay: Duration) -> Result<(), Closed> {
        let mut pause = Box::pin(sleep(delay));
        loop {
            tokio::select! {
                () = &mut pause => return Ok(()),
                command = self.commands.recv() => self.refuse(command)?,
            }
        }
    }

    /// Keeps what is wanted for later; everything else is answered by being dropped.
    fn refuse(&mut self, command: Option<Command>) -> Result<(), Closed> {
        match command {
            None | Some(Command::Close) => return Err(Closed),
            Some(Command::Publish { .. } | Command::Set { .. }) => {
                self.shared.drop_message();
                if !self.told_dropped {
                    self.told_dropped = true;
                    let text = "messages to other nodes are dropped until Redis can be reached again";
                    self.teller.error(&AdapterError(text.into()));
                }
            }
            Some(Command::Subscribe(subscription, listener, owed)) => {
                self.wanted.add(&subscription, listener);
                drop(owed);
            }
            Some(Command::Unsubscribe(subscription)) => {
                self.wanted.remove(&subscription);
            }
            Some(Command::Follow(stream, follower)) => self.wanted.follow(&stream, follower),
            Some(Command::Unfollow(stream)) => self.wanted.unfollow(&stream),
            Some(Command::Overflow) => self.teller.error_again(&self.shared.too_much()),
            Some(Command::Report(error)) => self.teller.error(&error),
            Some(Command::Ask(..)) => {}
        }
        Ok(())
    }

    async fn serve(&mut self, session: &mut Session) -> End {
        loop {
            tokio::select! {
                command = self.commands.recv(), if session.works.len() < PIPELINED => match command {
                    None | Some(Command::Close) => {
                        self.finish(session).await;
                        return End::Closed;
                    }
                    Some(command) => {
                        if let Err(why) = self.perform(command, session).await {
                            return End::Lost(why);
                        }
                    }
                },
                Some(after) = session.works.next(), if !session.works.is_empty() => {
                    if let Err(why) = self.go_on(after, session) {
                        return End::Lost(why);
                    }
                }
                message = session.messages.next() => match message {
                    Some(message) => self.tell(message, session),
                    None => return End::Lost(errors::closed(&session.place)),
                },
                Some(push) = session.pushes.recv() => {
                    if let Err(why) = self.hear(push.into(), session).await {
                        return End::Lost(why);
                    }
                }
                Some(Ok(why)) = session.followers.join_next(), if !session.followers.is_empty() => {
                    return End::Lost(why);
                }
                why = &mut session.health => return End::Lost(why),
            }
        }
    }

    /// Lets all that was begun come to its end.
    async fn finish(&self, session: &mut Session) {
        let end = async {
            while let Some(after) = session.works.next().await {
                self.go_on(after, session)?;
            }
            Ok::<_, AdapterError>(())
        };
        if !matches!(timeout(self.dialer.timeout, end).await, Ok(Ok(()))) {
            log::warn!("Redis has not taken all that was sent to it before the end");
        }
    }

    fn go_on(&self, after: After, session: &mut Session) -> Result<(), AdapterError> {
        match after {
            After::Nothing => {}
            After::Lost(why) => return Err(why),
            After::Follow(stream) => self.follow(&stream, session),
            After::Next(key) => session.next_batch(key),
            After::All(afters) => {
                for after in afters {
                    self.go_on(after, session)?;
                }
            }
        }
        Ok(())
    }

    async fn perform(&mut self, command: Command, session: &mut Session) -> Result<(), AdapterError> {
        match command {
            Command::Publish {
                channel,
                payload,
                sharded,
                weight,
            } => session.publish(&channel, &payload, sharded, weight, &self.teller),
            Command::Set {
                key,
                value,
                ttl,
                weight,
            } => session.set(&key, &value, ttl, weight, &self.teller),
            Command::Ask(question, weight) => session.ask(question, weight),
            Command::Subscribe(subscription, listener, owed) => {
                self.wanted.add(&subscription, listener);
                session.subscribe(subscription, owed, &self.teller).await?;
            }
            Command::Unsubscribe(subscription) => {
                if self.wanted.remove(&subscription) {
                    session.unsubscribe(subscription);
                }
            }
            Command::Follow(stream, follower) => {
                self.wanted.follow(&stream, follower);
                self.follow(&stream, session);
            }
            Command::Unfollow(stream) => {
                self.wanted.unfollow(&stream);
                session.unfollow(&stream);
            }
            Command::Overflow => self.teller.error_again(&self.shared.too_much()),
            Command::Report(error) => self.teller.error(&error),
            // Has ended the session before.
            Command::Close => {}
        }
        Ok(())
    }

    fn follow(&self, stream: &str, session: &mut Session) {
        if let Some(following) = self.wanted.stream(stream) {
            session.follow(stream, &following, self.read_count, &self.teller);
        }
    }

    /// Hands on a message, and those that have come with it, before the loops that they concern are woken.
    fn tell(&self, first: Msg, session: &mut Session) {
        let _burst = Burst::begin();
        let tell = |message: &Msg| {
            let pattern = message.get_pattern::<Option<String>>().unwrap_or_default();
            self.wanted.tell(
                pattern.as_deref(),
                message.get_channel_name(),
                message.get_payload_bytes(),
            );
        };
        let mut message = first;
        for _ in 1..TOGETHER {
            tell(&message);
            match session.messages.next().now_or_never().flatten() {
                Some(next) => message = next,
                None => return,
            }
        }
        tell(&message);
    }

    /// The same for sharded channels; gives what has come behind them and is no message.
    fn tell_sharded(&self, first: (Vec<u8>, Vec<u8>), session: &mut Session) -> Option<Push> {
        let _burst = Burst::begin();
        let tell = |(channel, payload): &(Vec<u8>, Vec<u8>)| {
            self.wanted
                .tell_sharded(&String::from_utf8_lossy(channel), payload);
        };
        let mut message = first;
        for _ in 1..TOGETHER {
            tell(&message);
            match session.pushes.try_recv().ok()?.into() {
                Push::Message(channel, payload) => message = (channel, payload),
                other => return Some(other),
            }
        }
        tell(&message);
        None
    }

    async fn hear(&self, push: Push, session: &mut Session) -> Result<(), AdapterError> {
        let push = match push {
            Push::Message(channel, payload) => self.tell_sharded((channel, payload), session),
            other => Some(other),
        };
        match push {
            // Its slot has moved to another node of the cluster.
            Some(Push::GivenUp(channel)) => {
                let channel = String::from_utf8_lossy(&channel).into_owned();
                if self.wanted.wants_sharded(&channel) {
                    let subscription = Subscription::Sharded(channel);
                    session.subscribe(subscription, None, &self.teller).await?;
                }
            }
            Some(Push::Closed) => return Err(errors::closed(&session.place)),
            _ => {}
        }
        Ok(())
    }
}

/// The wait before the next attempt after so many failures: anywhere below what doubles each time.
fn delay(failures: u32) -> Duration {
    let mut random = [0; 8];
    if let Err(error) = getrandom::fill(&mut random) {
        log::warn!("there is no randomness, so nodes come back in step: {error}");
        random = [128; 8];
    }
    let reconnect = Reconnect {
        base_delay: BASE_DELAY,
        max_delay: MAX_DELAY,
        ..Reconnect::default()
    };
    reconnect.delay(failures, u64::from_ne_bytes(random))
}
