//! The loop as an object, and the three ways to turn it.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::command::Command;
use super::shared::Shared;
use super::{fork, spinning, thread};
use crate::error::{Error, ErrorCode, Result};
use crate::metrics::LoopMetrics;

/// How a loop works. The default suits a loop of one's own.
#[derive(Clone, Default)]
pub struct LoopOptions {
    /// How many events the system may announce at once; 0 for the default, 1024.
    pub max_events: usize,
    /// From how many sockets on the output of a turn leaves by one system call, where the system has io_uring (Linux 5.17 and
    /// later) and lets it be used; elsewhere each socket sends by itself, always. `usize::MAX` for never, 0 for the default:
    /// what the environment's `SOCKLINE_SEND_BATCH` says, `off` or a number, else 8. [`LoopMetrics::batched_sends`] tells
    /// whether it is used.
    pub send_batch: usize,
    /// For hosts that turn the loop by [`Loop::poll`]: called, once until it is done, when calls between turns have
    /// left something to send. The host then calls [`Loop::flush`] soon, which spares the loop waking itself through
    /// the system. It runs inside such calls, so it must not call the library.
    pub flush_hook: Option<Arc<dyn Fn() + Send + Sync>>,
    /// For how long a turn that has to wait looks again and again before its thread sleeps; zero, the default, for not at
    /// all. What comes in that time is answered without the system having to wake the thread, which is most of the round
    /// trip of a connection that has one message on its way; the price is up to a whole core. 50 to 100 µs are usual.
    /// Without connections nothing is looked for. In [`Loop::run`], [`Loop::start`] and [`Loop::poll`]; hosts that wait
    /// by themselves call [`Loop::spin`] before. The further loops of a server with threads have it from its first.
    pub busy_poll: Duration,
}

impl fmt::Debug for LoopOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopOptions")
            .field("max_events", &self.max_events)
            .field("send_batch", &self.send_batch)
            .field("flush_hook", &self.flush_hook.is_some())
            .field("busy_poll", &self.busy_poll)
            .finish()
    }
}

/// Whether a loop goes on after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Turn it again when its descriptor is readable or its next timeout is due.
    Continue,
    /// It was stopped, or shut down and done.
    Stopped,
}

/// One thread's worth of connections. It is turned in one of three ways: [`Loop::run`] on the caller's thread,
/// [`Loop::start`] on a thread of the library's own, or by a host's loop through [`Loop::fd`],
/// [`Loop::next_timeout`] and [`Loop::poll`].
///
/// Any thread may use it, but only one at a time may turn it. Dropping it gives every connection its `on_close`
/// (1006) without waiting; inside one of its own callbacks, that happens when the turn ends.
pub struct Loop {
    shared: &'static Shared,
    fd: i32,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loop")
            .field("index", &self.shared.index)
            .field("fd", &self.fd)
            .finish()
    }
}

/// The library's own loop. It is never freed: a process that ends doesn't wait for it.
static DEFAULT: Mutex<Option<Loop>> = Mutex::new(None);

impl Loop {
    /// A loop that nobody turns yet.
    ///
    /// # Errors
    /// [`ErrorCode::OutOfResources`] if there are 1024 loops or the system has no descriptor left,
    /// [`ErrorCode::Forked`] in a child of a process that had loops.
    pub fn new(options: LoopOptions) -> Result<Loop> {
        fork::watch();
        let shared = Shared::claim()?;
        // Whoever has turned the loop before may still be looking whether it is to free it; that doesn't last.
        let begun = shared.wait_for_core().begin(shared, options);
        match begun {
            Ok(fd) => Ok(Loop {
                shared,
                fd,
                thread: Mutex::new(None),
            }),
            Err(error) => {
                shared.give_back();
                Err(Error::new(
                    ErrorCode::OutOfResources,
                    format!("can't make a loop: {error}"),
                ))
            }
        }
    }

    pub(crate) fn shared(&self) -> &'static Shared {
        self.shared
    }

    pub(crate) fn shared_or_default(on_loop: Option<&Loop>) -> Result<&'static Shared> {
        if let Some(on_loop) = on_loop {
            fork::check()?;
            return Ok(on_loop.shared);
        }
        fork::check()?;
        let mut default = DEFAULT.lock();
        if let Some(started) = &*default {
            return Ok(started.shared);
        }
        let fresh = Loop::new(LoopOptions::default())?;
        fresh.start()?;
        Ok(default.insert(fresh).shared)
    }

    /// Turns the loop on this thread until [`Loop::stop`], or until a [`Loop::shutdown`] is done.
    ///
    /// # Errors
    /// [`ErrorCode::LoopBusy`] if it is being turned already.
    pub fn run(&self) -> Result<()> {
        run(self.shared)
    }

    /// Turns the loop on a thread of the library's own, which takes no signals; handlers are called there.
    ///
    /// # Errors
    /// [`ErrorCode::LoopBusy`] if it was started before, [`ErrorCode::OutOfResources`] if there is no thread to be had.
    pub fn start(&self) -> Result<()> {
        let mut running = self.thread.lock();
        if running.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Err(Error::new(ErrorCode::LoopBusy, "the loop was started already"));
        }
        let shared = self.shared;
        let started = thread::spawn("sockline", move || {
            if let Err(error) = run(shared) {
                log::error!("the loop's thread has ended: {error}");
            }
        });
        let started = started.map_err(|error| {
            Error::new(
                ErrorCode::OutOfResources,
                format!("can't start a thread: {error}"),
            )
        })?;
        *running = Some(started);
        Ok(())
    }

    /// The descriptor for a host's loop to watch: it is readable when [`Loop::poll`] has something to do. -1 on Windows, where
    /// a host has to turn the loop on a thread.
    pub fn fd(&self) -> i32 {
        self.fd
    }

    /// How long the host may wait before it calls [`Loop::poll`] though the descriptor is not readable; `None` for as
    /// long as it likes. To be asked again after each poll. Only on the thread that polls.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.shared.try_core()?.next_timeout()
    }

    /// The same as a time, which may have passed: for hosts that have set a timer already, and compare. It asks no clock.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.shared.try_core()?.next_deadline()
    }

    /// How many sockets had something for the latest turn. A host whose own turn costs much can poll again, without waiting,
    /// while there are several: meanwhile others have got something. Only on the thread that polls.
    pub fn announced(&self) -> usize {
        self.shared.try_core().map_or(0, |core| core.announced())
    }

    /// One turn on this thread: waits at most `timeout` (`None`: until something happens) and calls handlers.
    ///
    /// # Errors
    /// [`ErrorCode::LoopBusy`] if another thread turns it, or if a handler calls this.
    pub fn poll(&self, timeout: Option<Duration>) -> Result<Turn> {
        fork::check()?;
        let turned = {
            let core = self.shared.try_core().ok_or_else(busy)?;
            self.shared.set_affinity(); // what this thread asked for before is done first in the turn
            core.turn(timeout)
        };
        free_if_wanted(self.shared);
        turned
    }

    /// Waits at most `timeout` (`None`: without end) until there is something to do, for as long as a timer lets it, and keeps
    /// what the system has said: the next [`Loop::poll`] does not ask again. It calls no handlers, so a host's thread can wait
    /// without a lock that its handlers need, and take it for the turn; that is one call of the system's less than to wait for
    /// [`Loop::fd`]. It looks for the time of [`LoopOptions::busy_poll`] before.
    ///
    /// # Errors
    /// [`ErrorCode::LoopBusy`] if another thread turns it, or if a handler calls this.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        fork::check()?;
        let waited = self.shared.try_core().ok_or_else(busy)?.wait(timeout);
        free_if_wanted(self.shared);
        waited
    }

    /// Looks again and again whether [`Loop::fd`] is readable, for the time of [`LoopOptions::busy_poll`] and at most for
    /// `timeout`; for hosts' threads that would wait for the descriptor otherwise. Returns whether it is readable: then
    /// poll, else wait. It calls no handlers, holds no lock while it looks, and returns at once without `busy_poll` or
    /// without connections. Only on the thread that polls.
    pub fn spin(&self, timeout: Option<Duration>) -> bool {
        spinning::until_readable(self.shared, self.fd, timeout)
    }

    /// Sends what calls between turns have left, and delivers what they have brought about; for hosts with a
    /// [`LoopOptions::flush_hook`]. It may call handlers. Does nothing on other threads than the one that polls.
    ///
    /// # Errors
    /// [`ErrorCode::Forked`] in a child of the process whose loop it is.
    pub fn flush(&self) -> Result<()> {
        fork::check()?;
        match self.shared.enter() {
            Some(core) => core.flush(),
            None => Ok(()),
        }
    }

    /// What it has done so far. It looks at every connection, so ask now and then, not for each message. Any thread.
    pub fn metrics(&self) -> LoopMetrics {
        let (connections, totals) = self.shared.slots.totals(None);
        LoopMetrics {
            connections,
            turns: self.shared.turns.get(),
            empty_polls: self.shared.empty_polls.get(),
            batches: self.shared.batches.get(),
            batched_sends: self.shared.batched_sends.get(),
            totals,
        }
    }

    /// Makes the thread that waits in [`Loop::run`] or [`Loop::poll`] look around once. Any thread.
    pub fn wake(&self) {
        self.shared.ring();
    }

    /// The same as a value to hand on: it keeps no loop alive.
    pub fn waker(&self) -> LoopWaker {
        LoopWaker { shared: self.shared }
    }

    /// Ends [`Loop::run`], or the thread of [`Loop::start`], after the present turn. Connections stay as they are. Any
    /// thread.
    pub fn stop(&self) {
        match self.shared.enter() {
            Some(core) => core.stopping.set(true),
            None => self.shared.push(Command::Stop),
        }
        self.shared.ring();
    }

    /// Ends in good order: no new connections, close code 1001 for the open ones; what has not ended after `within`
    /// is cut. Waits for the loop's own thread, if it has one and this is another. Any thread.
    pub fn shutdown(&self, within: Duration) {
        match self.shared.enter() {
            Some(core) => core.begin_shutdown(crate::settings::millis(within)),
            None => self.shared.push(Command::Shutdown(within)),
        }
        let started = self.thread.lock().take();
        match started {
            Some(thread) if thread.thread().id() == std::thread::current().id() => {
                *self.thread.lock() = Some(thread);
            }
            Some(thread) => join(thread),
            None => {}
        }
    }

    /// Drops the loop without waiting for its thread, which frees it.
    pub(crate) fn retire(self) {
        drop(self.thread.lock().take());
    }
}

/// Does what [`Loop::wake`] does, for whoever must not own the loop. Once that is freed, it does nothing, or makes the
/// next loop in its place look around in vain.
#[derive(Clone, Copy)]
pub struct LoopWaker {
    shared: &'static Shared,
}

impl LoopWaker {
    /// Makes the thread that waits in [`Loop::run`] or [`Loop::poll`] look around once. Any thread.
    pub fn wake(self) {
        self.shared.ring();
    }
}

impl fmt::Debug for LoopWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopWaker")
            .field("index", &self.shared.index)
            .finish()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        if fork::check().is_err() {
            return; // its descriptors and its thread are the parent's
        }
        let thread = self.thread.get_mut().take();
        let own = thread
            .as_ref()
            .is_some_and(|thread| thread.thread().id() == std::thread::current().id());
        // In this order: once it is wanted, the loop's own thread may free its place, and the next loop in it would be
        // stopped.
        self.shared.push(Command::Stop);
        self.shared.want_freed();
        if let Some(thread) = thread.filter(|_| !own) {
            join(thread);
        }
        free_if_wanted(self.shared);
    }
}

/// Frees a loop whose owner has dropped it, unless it is being turned: then that turn's end does it.
fn free_if_wanted(shared: &'static Shared) {
    loop {
        let Some(core) = shared.try_core().filter(|core| !core.in_turn.get()) else {
            return;
        };
        let wanted = shared.take_want_freed();
        if wanted {
            core.end();
        }
        drop(core);
        if wanted {
            return shared.give_back();
        }
        // An owner who came while the core was held here could not have it, and relies on this second look.
        if !shared.wants_freed() {
            return;
        }
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        log::error!("a handler panicked on the loop's thread");
    }
}

fn busy() -> Error {
    Error::new(ErrorCode::LoopBusy, "the loop is being turned by another thread")
}

fn run(shared: &'static Shared) -> Result<()> {
    fork::check()?;
    let result = {
        let core = shared.try_core().ok_or_else(busy)?;
        if core.in_turn.get() {
            return Err(Error::new(
                ErrorCode::LoopBusy,
                "the loop can't be run from one of its own callbacks",
            ));
        }
        shared.set_affinity();
        let result = loop {
            match core.turn_and_go_on() {
                Ok(Turn::Continue) => {}
                Ok(Turn::Stopped) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        core.stopping.set(false);
        shared.clear_affinity();
        result
    };
    free_if_wanted(shared);
    result
}
