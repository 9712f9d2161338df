//! The order of commands on a Redis Cluster.
//!
//! The connection to a cluster may let commands overtake each other. So those of one key wait for each other there: one
//! batch is under way, what comes meanwhile is the next one.

use std::collections::HashMap;
use std::mem;

use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, SingleNodeRoutingInfo, SlotAddr};
use redis::{Cmd, RedisResult, Value};

use super::session::After;

/// Commands of a batch, at most.
const BATCH: usize = 512;

/// What is done with a command's answer.
pub(super) type Done = Box<dyn FnOnce(RedisResult<Value>) -> After + Send>;

pub(super) struct Queued {
    pub(super) command: Cmd,
    pub(super) done: Done,
}

/// What waits behind the batches that are under way, by keys.
#[derive(Default)]
pub(super) struct Lanes(HashMap<String, Vec<Queued>>);

impl Lanes {
    /// Queues a command, or gives it back if it need not wait.
    pub(super) fn enter(&mut self, key: &str, queued: Queued) -> Option<Queued> {
        if let Some(lane) = self.0.get_mut(key) {
            lane.push(queued);
            return None;
        }
        self.0.insert(key.to_owned(), Vec::new());
        Some(queued)
    }

    /// The next batch, if there is one.
    pub(super) fn next(&mut self, key: &str) -> Option<Vec<Queued>> {
        let lane = self.0.get_mut(key)?;
        if lane.is_empty() {
            self.0.remove(key);
            return None;
        }
        let rest = lane.split_off(lane.len().min(BATCH));
        Some(mem::replace(lane, rest))
    }

    pub(super) fn busy(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

/// Sends a batch and deals with its answers.
pub(super) async fn send(mut connection: ClusterConnection, key: String, batch: Vec<Queued>) -> After {
    let mut pipeline = redis::pipe();
    let mut waiting = Vec::with_capacity(batch.len());
    for queued in batch {
        pipeline.add_command(queued.command);
        waiting.push(queued.done);
    }
    let route = SingleNodeRoutingInfo::SpecificNode(Route::with_key(&key, SlotAddr::Master));
    let answers = connection.route_pipeline(pipeline, 0, waiting.len(), route).await;
    let mut afters = vec![After::Next(key)];
    match answers {
        Ok(answers) => {
            for (done, answer) in waiting.into_iter().zip(answers) {
                afters.push(done(answer.extract_error()));
            }
        }
        Err(error) => afters.extend(waiting.into_iter().map(|done| done(Err(error.clone())))),
    }
    After::All(afters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(number: u32) -> Queued {
        Queued {
            command: redis::cmd(&number.to_string()),
            done: Box::new(|_| After::Nothing),
        }
    }

    #[test]
    fn commands_of_a_key_wait_for_each_other() {
        let mut lanes = Lanes::default();
        assert!(lanes.enter("a", queued(0)).is_some());
        assert!(lanes.enter("b", queued(0)).is_some(), "other keys don't wait");
        for number in 0..600 {
            assert!(lanes.enter("a", queued(number)).is_none());
        }
        let names = |batch: Vec<Queued>| -> Vec<Vec<u8>> {
            let commands = batch.iter().map(|queued| queued.command.get_packed_command());
            commands.collect()
        };
        let expected: Vec<Queued> = (0..600).map(queued).collect();
        let mut batches = names(lanes.next("a").unwrap());
        assert_eq!(batches.len(), BATCH);
        batches.extend(names(lanes.next("a").unwrap()));
        assert_eq!(batches, names(expected));
        assert!(lanes.next("a").is_none());
        assert_eq!(lanes.busy(), ["b"]);
        assert!(lanes.enter("a", queued(0)).is_some(), "free again");
    }
}
