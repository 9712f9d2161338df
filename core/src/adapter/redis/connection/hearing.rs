//! Subscriptions and streams of a session.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use redis::{RedisResult, Value};
use tokio::time::timeout;

use crate::adapter::AdapterError;
use crate::adapter::redis::Subscription;

use super::dial::Use;
use super::errors::{self, Trouble};
use super::events::Teller;
use super::following::{self, Following};
use super::replies;
use super::session::{After, Session};
use super::shared::Owed;
use super::target::Place;
use super::wanted::Wanted;

/// Why something is not heard.
struct Refusal {
    error: AdapterError,
    ends_connection: bool,
}

impl Session {
    /// Makes all that is wanted heard here, too.
    pub(super) async fn restore(&mut self, wanted: &Wanted, teller: &Teller) -> Result<(), AdapterError> {
        let mut waiting = FuturesUnordered::new();
        for subscription in wanted.subscriptions() {
            match self.subscribing(subscription).await {
                Ok(work) => waiting.push(work),
                Err(trouble) if trouble.too_old => teller.error(&trouble.error),
                Err(trouble) => return Err(trouble.error),
            }
        }
        while let Some(result) = waiting.next().await {
            match result {
                Err(refusal) if refusal.ends_connection => return Err(refusal.error),
                Err(refusal) => teller.error(&refusal.error),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Begins to hear something. What is not permitted, or not known to this server, is told and the session goes on.
    pub(super) async fn subscribe(
        &mut self,
        subscription: Subscription,
        owed: Option<Owed<()>>,
        teller: &Arc<Teller>,
    ) -> Result<(), AdapterError> {
        let teller = Arc::clone(teller);
        let refuse = move |owed: Option<Owed<()>>, error: &AdapterError| match owed {
            Some(owed) => owed.settle(Err(error.clone())),
            None => teller.error(error),
        };
        match self.subscribing(subscription).await {
            Ok(work) => self.begin(async move {
                match work.await {
                    Ok(()) => {
                        if let Some(owed) = owed {
                            owed.settle(Ok(()));
                        }
                        After::Nothing
                    }
                    Err(refusal) => {
                        refuse(owed, &refusal.error);
                        match refusal.ends_connection {
                            true => After::Lost(refusal.error),
                            false => After::Nothing,
                        }
                    }
                }
            }),
            Err(trouble) => {
                refuse(owed, &trouble.error);
                if !trouble.too_old {
                    return Err(trouble.error);
                }
            }
        }
        Ok(())
    }

    /// What subscribes, once it is polled; with another connection for sharded channels, if this is the first one.
    async fn subscribing(
        &mut self,
        subscription: Subscription,
    ) -> Result<BoxFuture<'static, Result<(), Refusal>>, Trouble> {
        let (place, patience) = (Arc::clone(&self.place), self.dialer.timeout);
        let mut sink = self.sink.clone();
        Ok(match subscription {
            Subscription::Channel(name) => {
                Box::pin(async move { in_time(patience, &place, sink.subscribe(&name)).await })
            }
            Subscription::Pattern(name) => {
                Box::pin(async move { in_time(patience, &place, sink.psubscribe(&name)).await })
            }
            Subscription::Sharded(name) => {
                self.open_sharded().await?;
                let wire = self.sharded.clone();
                Box::pin(async move {
                    match wire {
                        Some(mut wire) => in_time(patience, &place, wire.subscribe_sharded(&name)).await,
                        None => Ok(()),
                    }
                })
            }
        })
    }

    async fn open_sharded(&mut self) -> Result<(), Trouble> {
        if self.sharded.is_none() {
            let purpose = Use {
                patience: self.dialer.timeout,
                pushes: Some(self.pushes_to.clone()),
            };
            self.sharded = Some(self.dialer.wire(&self.place, purpose).await?);
            self.watch();
        }
        Ok(())
    }

    pub(super) fn unsubscribe(&self, subscription: Subscription) {
        let (place, patience) = (Arc::clone(&self.place), self.dialer.timeout);
        let (mut sink, sharded) = (self.sink.clone(), self.sharded.clone());
        self.begin(async move {
            let result = match (subscription, sharded) {
                (Subscription::Channel(name), _) => in_time(patience, &place, sink.unsubscribe(&name)).await,
                (Subscription::Pattern(name), _) => in_time(patience, &place, sink.punsubscribe(&name)).await,
                (Subscription::Sharded(name), Some(mut wire)) => {
                    in_time(patience, &place, wire.unsubscribe_sharded(&name)).await
                }
                (Subscription::Sharded(_), None) => Ok(()),
            };
            match result {
                Err(refusal) if refusal.ends_connection => After::Lost(refusal.error),
                _ => After::Nothing,
            }
        });
    }

    /// Begins to read a stream, or finds out first what its last entry is: nothing behind that one is missed later.
    pub(super) fn follow(
        &mut self,
        stream: &str,
        following: &Arc<Following>,
        count: usize,
        teller: &Arc<Teller>,
    ) {
        let teller = Arc::clone(teller);
        if following.has_begun() {
            return self.read(stream, following, count, teller);
        }
        let (place, name, following) = (Arc::clone(&self.place), stream.to_owned(), Arc::clone(following));
        let mut command = redis::cmd("XREVRANGE");
        command.arg(stream).arg("+").arg("-").arg("COUNT").arg(1);
        let done = Box::new(move |answer: RedisResult<Value>| match answer {
            Ok(answer) => {
                let last = replies::entries(answer).and_then(|entries| entries.into_iter().next());
                following.begin(last.map_or_else(|| "0-0".into(), |(id, _)| id));
                After::Follow(name)
            }
            Err(error) if errors::ends_connection(&error) => After::Lost(errors::explain(&error, &place)),
            // The key is no stream, or reading it is not permitted; it is tried again with the next connection.
            Err(error) => {
                teller.error(&errors::explain(&error, &place));
                After::Nothing
            }
        });
        self.ordered(stream, command, done);
    }

    fn read(&mut self, stream: &str, following: &Arc<Following>, count: usize, teller: Arc<Teller>) {
        if !self.follower_of.contains_key(stream) {
            let (dialer, place) = (Arc::clone(&self.dialer), Arc::clone(&self.place));
            let reading = following::follow(
                dialer,
                place,
                stream.to_owned(),
                count,
                Arc::clone(following),
                teller,
            );
            let task = self.followers.spawn(reading);
            self.follower_of.insert(stream.to_owned(), task);
        }
    }

    pub(super) fn unfollow(&mut self, stream: &str) {
        if let Some(task) = self.follower_of.remove(stream) {
            task.abort();
        }
    }
}

async fn in_time(
    patience: Duration,
    place: &Place,
    asking: impl Future<Output = RedisResult<()>>,
) -> Result<(), Refusal> {
    match timeout(patience, asking).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Refusal {
            error: errors::explain(&error, place),
            ends_connection: errors::ends_connection(&error),
        }),
        Err(_) => Err(Refusal {
            error: errors::no_answer(place),
            ends_connection: true,
        }),
    }
}

/// The channel and the payload of a message to a sharded channel, or the channel that the server has given up.
pub(super) enum Push {
    Message(Vec<u8>, Vec<u8>),
    GivenUp(Vec<u8>),
    Closed,
    Other,
}

impl From<redis::PushInfo> for Push {
    fn from(push: redis::PushInfo) -> Push {
        let mut data = push.data.into_iter();
        match (push.kind, data.next(), data.next()) {
            (
                redis::PushKind::SMessage,
                Some(Value::BulkString(channel)),
                Some(Value::BulkString(payload)),
            ) => Push::Message(channel, payload),
            (redis::PushKind::SUnsubscribe, Some(Value::BulkString(channel)), _) => Push::GivenUp(channel),
            (redis::PushKind::Disconnection, ..) => Push::Closed,
            _ => Push::Other,
        }
    }
}
