//! The connections to Redis while they last: one for commands, one for channels and patterns, one for sharded channels if
//! there are any, one for each stream that is followed. If one fails, all are made anew.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{PushInfo, RedisResult, Value};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::coop::unconstrained;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::adapter::AdapterError;

use super::dial::{Dialer, Use};
use super::errors;
use super::lanes::Lanes;
use super::target::Place;
use super::wire::Wire;

/// What something that was under way comes to.
pub(super) enum After {
    Nothing,
    /// It is known where to begin with a stream.
    Follow(String),
    /// A batch of this key's commands is done.
    Next(String),
    All(Vec<After>),
    /// The connection can't be used any more.
    Lost(AdapterError),
}

pub(super) struct Session {
    pub(super) place: Arc<Place>,
    /// For commands.
    pub(super) wire: Wire,
    /// The same; of a Redis Cluster one node, for what can be asked of any.
    pub(super) direct: Wire,
    pub(super) lanes: Lanes,
    pub(super) sink: PubSubSink,
    pub(super) messages: PubSubStream,
    pub(super) sharded: Option<Wire>,
    pub(super) pushes_to: UnboundedSender<PushInfo>,
    pub(super) pushes: UnboundedReceiver<PushInfo>,
    /// What is under way. Everything was begun in the order in which it was asked for.
    pub(super) works: FuturesUnordered<BoxFuture<'static, After>>,
    pub(super) health: BoxFuture<'static, AdapterError>,
    pub(super) followers: JoinSet<AdapterError>,
    pub(super) follower_of: HashMap<String, AbortHandle>,
    proven: Arc<AtomicBool>,
    pub(super) dialer: Arc<Dialer>,
    ping_interval: Duration,
}

impl Session {
    pub(super) async fn open(dialer: Arc<Dialer>, ping_interval: Duration) -> Result<Session, AdapterError> {
        let place = Arc::new(dialer.find().await?);
        let purpose = Use {
            patience: dialer.timeout,
            pushes: None,
        };
        let wire = dialer.wire(&place, purpose).await?;
        let direct = match &wire {
            Wire::One(_) => wire.clone(),
            Wire::Cluster(_) => dialer.one(&place).await?,
        };
        let (sink, messages) = dialer.pubsub(&place).await?.split();
        let (pushes_to, pushes) = unbounded_channel();
        let mut session = Session {
            place,
            wire,
            direct,
            lanes: Lanes::default(),
            sink,
            messages,
            sharded: None,
            pushes_to,
            pushes,
            works: FuturesUnordered::new(),
            health: Box::pin(std::future::pending()),
            followers: JoinSet::new(),
            follower_of: HashMap::new(),
            proven: Arc::new(AtomicBool::new(false)),
            dialer,
            ping_interval,
        };
        session.watch();
        Ok(session)
    }

    /// It has lasted for a while.
    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// Begins something at once, so that its commands leave in order, and goes on with it later.
    pub(super) fn begin(&self, work: impl Future<Output = After> + Send + 'static) {
        // Without the runtime's budget, of which many commands at once would use up all, and the next ones overtake.
        let mut work = Box::pin(unconstrained(work));
        match (&mut work).now_or_never() {
            Some(After::Nothing) => {}
            Some(after) => self.works.push(Box::pin(ready(after))),
            None => self.works.push(work),
        }
    }

    /// Tries all connections every now and then.
    pub(super) fn watch(&mut self) {
        let (mut wire, mut direct) = (self.wire.clone(), self.direct.clone());
        let (mut sink, mut sharded) = (self.sink.clone(), self.sharded.clone());
        let (interval, place) = (self.ping_interval, Arc::clone(&self.place));
        let proven = Arc::clone(&self.proven);
        self.health = Box::pin(async move {
            loop {
                sleep(interval).await;
                let mut pings = Box::pin(async {
                    wire.ping().await?;
                    direct.ping().await?;
                    sink.ping::<Value>().await?;
                    if let Some(sharded) = &mut sharded {
                        sharded.ping().await?;
                    }
                    RedisResult::Ok(())
                });
                let mut answer = timeout(interval, &mut pings).await;
                if answer.is_err() {
                    // It may be there and not have been read, if this thread itself was held up.
                    answer = timeout(interval / 4, &mut pings).await;
                }
                match answer {
                    Ok(Ok(())) => proven.store(true, Ordering::Relaxed),
                    Ok(Err(error)) => return errors::explain(&error, &place),
                    Err(_) => return errors::no_answer(&place),
                }
            }
        });
    }
}
