//! Reads streams, each over a connection of its own, since reading waits.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::sleep;

use crate::adapter::AdapterError;
use crate::adapter::redis::{Entry, Follower};
use crate::event_loop::Burst;

use super::dial::{Dialer, Use};
use super::errors;
use super::events::Teller;
use super::replies;
use super::target::Place;
use super::wire::To;

/// How long Redis keeps a question for news, in milliseconds.
const BLOCK: u64 = 5_000;

/// How long it waits after Redis has refused to answer.
const PAUSE: Duration = Duration::from_secs(1);

/// A stream that is followed, over all connections.
pub(super) struct Following {
    follower: Mutex<Arc<dyn Follower>>,
    /// The last entry that was told; none as long as it is not known where to begin.
    last: Mutex<Option<String>>,
}

impl Following {
    pub(super) fn new(follower: Arc<dyn Follower>) -> Following {
        Following {
            follower: Mutex::new(follower),
            last: Mutex::new(None),
        }
    }

    /// Another one goes on; on the bus' thread.
    pub(super) fn replace(&self, follower: Arc<dyn Follower>) {
        *self.follower.lock() = Arc::clone(&follower);
        let last = self.last.lock().clone();
        if let Some(last) = last {
            follower.on_begin(&last);
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.last.lock().is_some()
    }

    /// From behind this entry on, if it has not begun; on the bus' thread.
    pub(super) fn begin(&self, id: String) {
        if !self.has_begun() {
            *self.last.lock() = Some(id.clone());
            let follower = Arc::clone(&self.follower.lock());
            follower.on_begin(&id);
        }
    }

    /// Entries have come. The loops that they concern are woken at the end.
    fn tell(&self, news: &[Entry]) {
        let _burst = Burst::begin();
        for (id, fields) in news {
            *self.last.lock() = Some(id.clone());
            let follower = Arc::clone(&self.follower.lock());
            follower.on_entry(id, fields);
        }
    }

    fn last(&self) -> String {
        self.last.lock().clone().unwrap_or_else(|| "0-0".into())
    }
}

/// Reads until that fails.
pub(super) async fn follow(
    dialer: Arc<Dialer>,
    place: Arc<Place>,
    stream: String,
    count: usize,
    following: Arc<Following>,
    teller: Arc<Teller>,
) -> AdapterError {
    let purpose = Use {
        patience: dialer.timeout + Duration::from_millis(BLOCK),
        pushes: None,
    };
    let mut wire = match dialer.wire(&place, purpose).await {
        Ok(wire) => wire,
        Err(trouble) => return trouble.into(),
    };
    loop {
        let mut command = redis::cmd("XREAD");
        command.arg("BLOCK").arg(BLOCK).arg("COUNT").arg(count);
        command.arg("STREAMS").arg(&stream).arg(following.last());
        let answer = match wire.ask(command, To::Key(&stream)).await {
            Ok(answer) => answer,
            Err(error) if errors::ends_connection(&error) => return errors::explain(&error, &place),
            // The key is no stream, or reading it is not permitted: perhaps later.
            Err(error) => {
                teller.error(&errors::explain(&error, &place));
                sleep(PAUSE).await;
                continue;
            }
        };
        let Some(news) = replies::news(answer) else {
            return errors::unexpected(&place, "XREAD");
        };
        following.tell(&news);
    }
}
