//! What the application sends.

use super::session::{Session, State};
use super::{Config, Effect, Entry, Reason, Unit};
use crate::settings::SlowConsumer;

/// What has become of what the application sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "on a WebSocket the driver has to send it"]
pub enum Outcome {
    /// A WebSocket carries the session: send it there.
    OnWebSocket,
    /// It is on its way, or waits.
    Queued,
    /// The same, but more than the high-water mark waits now: [`Effect::Drained`] follows.
    OverMark,
    /// It was dropped: a volatile one that would have had to wait, or by the policy for slow consumers.
    Dropped,
    /// More than the hard limit waits already.
    Full,
    /// The session has ended, or is about to.
    Closed,
}

impl Session {
    /// The application sends something. `unit` makes it, where it has to be kept; `volatile`: only if it can go at once.
    pub fn send(
        &mut self,
        volatile: bool,
        compress: bool,
        unit: impl FnOnce() -> Unit,
        config: &Config,
        effects: &mut Vec<Effect>,
    ) -> Outcome {
        if self.state != State::Open {
            return Outcome::Closed;
        }
        let Some(polling) = &mut self.polling else {
            return Outcome::OnWebSocket;
        };
        if volatile && !polling.parked {
            return Outcome::Dropped;
        }
        if config.hard_limit != 0 && polling.outbox.bytes() > config.hard_limit {
            match config.slow_consumer {
                SlowConsumer::Error => return Outcome::Full,
                SlowConsumer::DropNewest => return Outcome::Dropped,
                SlowConsumer::DropOldest => polling.outbox.drop_oldest(config.hard_limit),
                SlowConsumer::Close => {
                    self.too_slow(effects);
                    return Outcome::Dropped;
                }
            }
        }
        polling.outbox.push(Entry::Message {
            unit: unit(),
            compress,
        });
        if polling.parked {
            self.flush(effects);
            return Outcome::Queued;
        }
        if polling.outbox.bytes() <= config.high_water_mark {
            return Outcome::Queued;
        }
        polling.over_mark = true;
        Outcome::OverMark
    }

    /// More than the hard limit waits, and the policy is to close.
    pub fn too_slow(&mut self, effects: &mut Vec<Effect>) {
        self.end(Reason::TransportError, "slow consumer", effects);
    }

    /// The bytes that wait here; what waits on a WebSocket is not known here.
    pub fn buffered(&self) -> usize {
        self.polling.as_ref().map_or(0, |polling| polling.outbox.bytes())
    }

    /// Whether a GET waits: what is sent now leaves at once.
    pub fn is_parked(&self) -> bool {
        self.polling.as_ref().is_some_and(|polling| polling.parked)
    }
}
