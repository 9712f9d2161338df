//! What a session publishes and asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use redis::{Cmd, RedisResult, Value};

use crate::ws::Millis;

use super::command::Question;
use super::errors;
use super::events::Teller;
use super::lanes::{self, Done, Queued};
use super::replies;
use super::session::{After, Session};
use super::shared::{Owed, Weight};
use super::target::Place;
use super::wire::{To, Wire};

impl Session {
    /// All messages to channels that are not sharded go through one node of a Redis Cluster, so that their order is kept.
    pub(super) fn publish(
        &mut self,
        channel: &str,
        payload: &[u8],
        sharded: bool,
        weight: Weight,
        teller: &Arc<Teller>,
    ) {
        let command = publishing(channel, payload, sharded);
        let done = self.order(weight, teller);
        match sharded {
            true => self.ordered(channel, command, done),
            false => self.directly(command, done),
        }
    }

    /// The same with an answer.
    fn deliver(&mut self, channel: String, payload: &[u8], sharded: bool, weight: Weight, owed: Owed<usize>) {
        let command = publishing(&channel, payload, sharded);
        let place = Arc::clone(&self.place);
        if sharded {
            let done = Box::new(move |answer: RedisResult<Value>| {
                drop(weight);
                settle(answer.map(replies::count), owed, &place, "SPUBLISH")
            });
            return self.ordered(&channel, command, done);
        }
        let (wire, mut direct) = (self.wire.clone(), self.direct.clone());
        self.begin(async move {
            let answer = direct.ask(command, To::Masters).await.map(replies::count);
            drop(weight);
            match (answer, &wire) {
                // A node of a Redis Cluster counts its own connections only.
                (Ok(Some(0)), Wire::Cluster(_)) => {
                    let question = Question::Subscribers {
                        channel,
                        sharded,
                        owed,
                    };
                    self::answer(wire, &place, question).await
                }
                (answer, _) => settle(answer, owed, &place, "PUBLISH"),
            }
        });
    }

    pub(super) fn set(&mut self, key: &str, value: &[u8], ttl: Millis, weight: Weight, teller: &Arc<Teller>) {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value).arg("PX").arg(ttl.max(1));
        let done = self.order(weight, teller);
        self.ordered(key, command, done);
    }

    /// For a command whose answer nobody waits for.
    fn order(&self, weight: Weight, teller: &Arc<Teller>) -> Done {
        let (place, teller) = (Arc::clone(&self.place), Arc::clone(teller));
        Box::new(move |answer| {
            drop(weight);
            match answer {
                Ok(_) => After::Nothing,
                Err(error) if errors::ends_connection(&error) => After::Lost(errors::explain(&error, &place)),
                Err(error) => {
                    teller.error(&errors::explain(&error, &place));
                    After::Nothing
                }
            }
        })
    }

    /// A command that arrives behind all before that have the same key; on one server, behind all before.
    pub(super) fn ordered(&mut self, key: &str, command: Cmd, done: Done) {
        match &self.wire {
            Wire::One(_) => self.directly(command, done),
            Wire::Cluster(connection) => {
                if let Some(queued) = self.lanes.enter(key, Queued { command, done }) {
                    let sending = lanes::send(connection.clone(), key.to_owned(), vec![queued]);
                    self.begin(sending);
                }
            }
        }
    }

    /// Lets the next batch go that waits for this key.
    pub(super) fn next_batch(&mut self, key: String) {
        if let (Wire::Cluster(connection), Some(batch)) = (&self.wire, self.lanes.next(&key)) {
            self.begin(lanes::send(connection.clone(), key, batch));
        }
    }

    fn directly(&self, command: Cmd, done: Done) {
        let mut wire = self.direct.clone();
        self.begin(async move { done(wire.ask(command, To::Masters).await) });
    }

    pub(super) fn ask(&mut self, question: Question, weight: Weight) {
        let place = Arc::clone(&self.place);
        match question {
            Question::Append {
                stream,
                max_len,
                fields,
                owed,
            } => {
                let mut command = redis::cmd("XADD");
                command.arg(&stream).arg("MAXLEN").arg("~").arg(max_len).arg("*");
                for (name, value) in &fields {
                    command.arg(name).arg(value);
                }
                let done = Box::new(move |answer: RedisResult<Value>| {
                    drop(weight);
                    settle(answer.map(replies::id), owed, &place, "XADD")
                });
                self.ordered(&stream, command, done);
            }
            Question::Flush(owed) => self.flush(owed),
            Question::Deliver {
                channel,
                payload,
                sharded,
                owed,
            } => self.deliver(channel, &payload, sharded, weight, owed),
            question => {
                let wire = self.wire.clone();
                self.begin(async move {
                    let after = answer(wire, &place, question).await;
                    drop(weight);
                    after
                });
            }
        }
    }

    /// Asks all who have something to do yet whether they have done it.
    fn flush(&mut self, owed: Owed<()>) {
        let lanes = self.lanes.busy();
        let flush = Arc::new(Flush {
            unanswered: AtomicUsize::new(lanes.len() + 1),
            owed: Mutex::new(Some(owed)),
        });
        let place = Arc::clone(&self.place);
        let done = move || -> Done {
            let (flush, place) = (Arc::clone(&flush), Arc::clone(&place));
            Box::new(move |answer| match answer {
                Ok(_) => {
                    flush.answered();
                    After::Nothing
                }
                Err(error) => After::Lost(errors::explain(&error, &place)),
            })
        };
        for key in lanes {
            self.ordered(&key, redis::cmd("PING"), done());
        }
        self.directly(redis::cmd("PING"), done());
    }
}

/// Who is to be told once all have answered; if one does not, by being dropped.
struct Flush {
    unanswered: AtomicUsize,
    owed: Mutex<Option<Owed<()>>>,
}

impl Flush {
    fn answered(&self) {
        if self.unanswered.fetch_sub(1, Ordering::Relaxed) == 1
            && let Some(owed) = self.owed.lock().take()
        {
            owed.settle(Ok(()));
        }
    }
}

async fn answer(mut wire: Wire, place: &Place, question: Question) -> After {
    match question {
        Question::Subscribers {
            channel,
            sharded,
            owed,
        } => {
            let mut command = redis::cmd("PUBSUB");
            command.arg(if sharded { "SHARDNUMSUB" } else { "NUMSUB" });
            command.arg(&channel);
            let answer = wire.ask(command, To::Masters).await;
            settle(answer.map(replies::subscribers), owed, place, "PUBSUB")
        }
        Question::Range {
            stream,
            start,
            end,
            count,
            owed,
        } => {
            let mut command = redis::cmd("XRANGE");
            command.arg(&stream).arg(start).arg(end).arg("COUNT").arg(count);
            let answer = wire.ask(command, To::Key(&stream)).await;
            settle(answer.map(replies::entries), owed, place, "XRANGE")
        }
        Question::Take { key, owed } => {
            let answer = wire.take(&key).await;
            settle(answer.map(Some), owed, place, "GET")
        }
        // Have ways of their own.
        Question::Append { .. } | Question::Deliver { .. } | Question::Flush(_) => After::Nothing,
    }
}

fn publishing(channel: &str, payload: &[u8], sharded: bool) -> Cmd {
    let mut command = redis::cmd(if sharded { "SPUBLISH" } else { "PUBLISH" });
    command.arg(channel).arg(payload);
    command
}

fn settle<T>(answer: RedisResult<Option<T>>, owed: Owed<T>, place: &Place, what: &str) -> After {
    match answer {
        Ok(Some(answer)) => owed.settle(Ok(answer)),
        Ok(None) => owed.settle(Err(errors::unexpected(place, what))),
        Err(error) => {
            let explained = errors::explain(&error, place);
            owed.settle(Err(explained.clone()));
            if errors::ends_connection(&error) {
                return After::Lost(explained);
            }
        }
    }
    After::Nothing
}
