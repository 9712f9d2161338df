//! Asking the system what the next turn is about, and waiting until there is something.

use std::io;
use std::time::{Duration, Instant};

use super::core::{LoopCore, busy_in_turn};
use super::spinning::{Spun, look};
use crate::error::{Error, ErrorCode, Result};

impl LoopCore {
    /// Waits for what the next turn is about, which doesn't ask again then.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        if self.in_turn.get() {
            return Err(busy_in_turn());
        }
        if !self.has_waited.get() {
            self.await_events(timeout, self.has_work())?;
            self.has_waited.set(true);
        }
        Ok(())
    }

    /// The same in a turn; `has_work` that no descriptor announces is not waited with.
    #[inline]
    pub(super) fn await_events(&self, timeout: Option<Duration>, has_work: bool) -> Result<()> {
        let timeout = match timeout {
            _ if has_work || self.stopping.get() => Some(Duration::ZERO),
            Some(Duration::ZERO) => timeout, // then no clock has to be asked
            Some(first) => Some(self.next_timeout().map_or(first, |second| first.min(second))),
            None => self.next_timeout(),
        };
        match self.spin_or_wait(timeout) {
            Ok(()) => Ok(()),
            Err(error) => Err(waiting_failed(&error)),
        }
    }

    #[inline]
    fn spin_or_wait(&self, timeout: Option<Duration>) -> io::Result<()> {
        let (mut poll, mut events) = (self.poll.borrow_mut(), self.events.borrow_mut());
        let (Some(poll), Some(events)) = (poll.as_mut(), events.as_mut()) else {
            return Err(io::Error::other("the loop was freed"));
        };
        match self.spin(poll, events, timeout)? {
            Spun::Done => Ok(()),
            Spun::Wait(timeout) => look(poll, events, timeout),
        }
    }

    /// How long until a timer is due.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        let next = self.wheel.borrow().next()?;
        Some(Duration::from_millis(next).saturating_sub(self.epoch.elapsed()))
    }

    /// When a timer is due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let next = self.wheel.borrow().next()?;
        self.epoch.checked_add(Duration::from_millis(next))
    }
}

#[cold]
fn waiting_failed(error: &io::Error) -> Error {
    Error::new(ErrorCode::Io, format!("waiting for events failed: {error}"))
}
