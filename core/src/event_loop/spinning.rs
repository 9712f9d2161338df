//! Looking again and again before the thread waits: a core is spent, and the system need not wake the thread.

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use super::core::LoopCore;
use super::shared::Shared;
use super::sys;

/// What comes of looking.
pub(super) enum Spun {
    /// There are events, or a timer is due.
    Done,
    /// Nothing; so long the thread may wait.
    Wait(Option<Duration>),
}

/// Looks for events, or waits for them.
pub(super) fn look(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
    match poll.poll(events, timeout) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        result => result,
    }
}

impl LoopCore {
    /// Looks for events without waiting, as long as the loop's options say, where it would wait otherwise.
    #[inline]
    pub(super) fn spin(
        &self,
        poll: &mut Poll,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<Spun> {
        let limit = self.shared().busy_poll();
        if limit.is_zero() || self.alive.get() == 0 || timeout == Some(Duration::ZERO) {
            return Ok(Spun::Wait(timeout));
        }
        let limit = timeout.map_or(limit, |timeout| timeout.min(limit));
        let found = for_so_long(self.shared(), limit, || {
            look(poll, events, Some(Duration::ZERO))?;
            Ok(!events.is_empty())
        })?;
        let left = timeout.map(|timeout| timeout.saturating_sub(limit));
        Ok(if found || left == Some(Duration::ZERO) {
            Spun::Done
        } else {
            Spun::Wait(left)
        })
    }
}

/// See [`Loop::spin`](super::Loop::spin).
pub(super) fn until_readable(shared: &Shared, fd: i32, timeout: Option<Duration>) -> bool {
    let limit = shared.busy_poll();
    let limit = timeout.map_or(limit, |timeout| timeout.min(limit));
    let has_connections = || shared.try_core().is_some_and(|core| core.alive.get() > 0);
    if limit.is_zero() || fd < 0 || !has_connections() {
        return false;
    }
    // SAFETY: the caller's loop has the descriptor open.
    let look = || unsafe { sys::is_readable(fd) };
    for_so_long(shared, limit, look).unwrap_or(false) // whoever waits is told of the same error
}

/// Looks until there is something, at least once, and until the time is up.
fn for_so_long(
    shared: &Shared,
    limit: Duration,
    mut look: impl FnMut() -> io::Result<bool>,
) -> io::Result<bool> {
    let begun = Instant::now();
    loop {
        if look()? {
            return Ok(true);
        }
        shared.empty_polls.add(1);
        if begun.elapsed() >= limit {
            return Ok(false);
        }
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Shared;
    use crate::event_loop::{Loop, LoopOptions};
    use crate::server::{Address, ServerOptions, listen};

    #[test]
    fn all_threads_of_a_server_spin_as_its_loop_does() {
        let time = Duration::from_micros(70);
        let options = LoopOptions {
            busy_poll: time,
            ..LoopOptions::default()
        };
        let on_loop = Loop::new(options).unwrap();
        let mut options = ServerOptions::new(Address::Tcp("127.0.0.1".into(), 0));
        options.threads = 3;
        let server = listen(Some(&on_loop), options, None).unwrap();
        let site = Shared::site(server.id()).unwrap();
        let times: Vec<_> = site.parts.iter().map(|part| part.shared.busy_poll()).collect();
        assert_eq!(times, [time; 3]);
    }
}
