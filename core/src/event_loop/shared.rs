//! What threads share of a loop: its slots, its command queue, its doorbell, and the lock around its core.
//!
//! The shared parts of all loops live in one table and are never freed, only used again, so that a handle finds its
//! loop without a lock, and a stale one can't reach freed memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use parking_lot::{Mutex, ReentrantMutex, ReentrantMutexGuard};

#[cfg(feature = "redis")]
use super::burst;
use super::command::Command;
use super::core::LoopCore;
use super::counters::Count;
use super::fork;
use super::memory;
use super::site::Site;
use super::slot::Slot;
use super::slots::Slots;
use super::waiting::TimerKey;
use crate::error::{Error, ErrorCode, Result};
use crate::handle::{Id, MAX_LOOPS};
use crate::ws::Millis;

/// Boxed, since a `OnceLock` that waits is not all zeros: the places themselves would be 14 MB of the library's file.
static LOOPS: [OnceLock<Box<Shared>>; MAX_LOOPS] = [const { OnceLock::new() }; MAX_LOOPS];
static FREE: Mutex<FreeLoops> = Mutex::new(FreeLoops {
    indices: Vec::new(),
    fresh: 0,
});

struct FreeLoops {
    indices: Vec<usize>,
    fresh: usize,
}

pub(crate) struct Shared {
    pub(crate) index: usize,
    pub(crate) slots: Slots,
    pub(crate) commands: Receiver<Command>,
    sender: Sender<Command>,
    bell: Doorbell,
    /// The servers whose handles are this loop's. Held for a look-up only.
    sites: Mutex<HashMap<Id, Arc<Site>>>,
    pub(crate) turns: Count,
    /// Looks that were in vain, where the loop looks before it waits, and for how long it does, in nanoseconds.
    pub(crate) empty_polls: Count,
    busy_poll: AtomicU64,
    /// As the loop's options have it.
    pub(crate) send_batch: AtomicUsize,
    /// Of the output of many sockets: system calls, and sends in them.
    pub(crate) batches: Count,
    pub(crate) batched_sends: Count,
    /// How many timers other threads have set.
    timers: AtomicU32,
    /// Which of the loops that have had this place has it now.
    life: AtomicU32,
    /// The beginning of the clock of all of them.
    pub(crate) epoch: Instant,
    core: ReentrantMutex<LoopCore>,
    /// The thread that turns the loop, where calls act at once; 0 while there is none.
    affinity: AtomicUsize,
    /// The owner has dropped the loop: whoever has the core next, and does not turn it, frees it.
    want_freed: AtomicBool,
}

/// Wakes the loop, once for all that rings before it listens again.
#[derive(Default)]
struct Doorbell {
    rung: AtomicBool,
    waker: Mutex<Option<mio::Waker>>,
}

impl Shared {
    /// Takes a loop's place in the table.
    pub(crate) fn claim() -> Result<&'static Shared> {
        fork::check()?;
        let index = {
            let mut free = FREE.lock();
            match free.indices.pop() {
                Some(index) => index,
                None if free.fresh < MAX_LOOPS => {
                    free.fresh += 1;
                    free.fresh - 1
                }
                None => {
                    let text = format!("a process has at most {MAX_LOOPS} loops at once");
                    return Err(Error::new(ErrorCode::OutOfResources, text));
                }
            }
        };
        let shared = LOOPS[index].get_or_init(|| Box::new(Shared::new(index)));
        shared.slots.forget_ended();
        shared.turns.reset();
        shared.empty_polls.reset();
        shared.batches.reset();
        shared.batched_sends.reset();
        Ok(shared)
    }

    /// Gives the place back, once the core is at rest.
    pub(crate) fn give_back(&self) {
        self.life.fetch_add(1, Ordering::Release);
        self.affinity.store(0, Ordering::Release);
        *self.bell.waker.lock() = None;
        // What came too late is for nobody; the next loop in this place may be far away.
        while self.commands.try_recv().is_ok() {}
        FREE.lock().indices.push(self.index);
    }

    fn new(index: usize) -> Shared {
        memory::has_loop(index);
        let (sender, commands) = crossbeam_channel::unbounded();
        let epoch = Instant::now();
        Shared {
            index,
            slots: Slots::new(index),
            commands,
            sender,
            bell: Doorbell::default(),
            sites: Mutex::default(),
            turns: Count::default(),
            empty_polls: Count::default(),
            busy_poll: AtomicU64::new(0),
            send_batch: AtomicUsize::new(0),
            batches: Count::default(),
            batched_sends: Count::default(),
            timers: AtomicU32::new(0),
            life: AtomicU32::new(0),
            epoch,
            core: ReentrantMutex::new(LoopCore::new(epoch)),
            affinity: AtomicUsize::new(0),
            want_freed: AtomicBool::new(false),
        }
    }

    /// The loop and the slot of a handle that is alive.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`], and [`ErrorCode::Forked`] in a forked child.
    pub(crate) fn of(id: Id) -> Result<(&'static Shared, &'static Slot)> {
        let shared = Shared::at(id)?;
        let slot = shared.slots.get(id).ok_or(ErrorCode::Closed)?;
        Ok((shared, slot))
    }

    /// The loop of a handle, alive or not. Errors as for [`Shared::of`].
    #[inline]
    pub(crate) fn at(id: Id) -> Result<&'static Shared> {
        fork::check()?;
        LOOPS[id.loop_index()]
            .get()
            .map(|shared| &**shared)
            .ok_or_else(|| ErrorCode::Closed.into())
    }

    /// The loops that have had this place, if there was one.
    #[inline]
    pub(crate) fn of_index(index: u32) -> Option<&'static Shared> {
        LOOPS.get(index as usize)?.get().map(|shared| &**shared)
    }

    /// The server with this handle. Errors as for [`Shared::of`].
    pub(crate) fn site(id: Id) -> Result<Arc<Site>> {
        let site = Shared::at(id)?.sites.lock().get(&id).cloned();
        site.ok_or_else(|| ErrorCode::Closed.into())
    }

    pub(crate) fn add_site(&self, id: Id, site: Arc<Site>) {
        self.sites.lock().insert(id, site);
    }

    /// Ends the life of a server's handle.
    pub(crate) fn release_server(&self, id: Id) {
        let site = self.sites.lock().remove(&id);
        drop(site); // unlocked: what an application's handlers do when they go is not ours to know
        self.slots.release(id);
    }

    /// The core, if this is the thread that turns the loop: calls then act at once.
    #[inline]
    pub(crate) fn enter(&self) -> Option<ReentrantMutexGuard<'_, LoopCore>> {
        if self.affinity.load(Ordering::Relaxed) == this_thread() {
            self.core.try_lock()
        } else {
            None
        }
    }

    /// The core, for whoever is about to turn or to free the loop; `None` while another thread has it.
    pub(crate) fn try_core(&self) -> Option<ReentrantMutexGuard<'_, LoopCore>> {
        self.core.try_lock()
    }

    /// The core of a place that was just claimed, which nobody turns.
    pub(crate) fn wait_for_core(&self) -> ReentrantMutexGuard<'_, LoopCore> {
        self.core.lock()
    }

    /// What is asked of this life's homes from now on is told that it has ended.
    pub(crate) fn end_life(&self) {
        self.life.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn life(&self) -> u32 {
        self.life.load(Ordering::Acquire)
    }

    /// For a timer that another thread sets. When all were used once, the first comes again: long after its timer.
    pub(crate) fn next_timer_key(&self) -> TimerKey {
        loop {
            let key = TimerKey::from_elsewhere(self.timers.fetch_add(1, Ordering::Relaxed));
            if key != TimerKey::NONE {
                return key;
            }
        }
    }

    /// The clock itself, from any thread.
    pub(crate) fn now(&self) -> Millis {
        self.epoch.elapsed().as_millis() as Millis
    }

    /// From now on calls of this thread act at once. Commands that it queued before must be drained first.
    pub(crate) fn set_affinity(&self) {
        self.affinity.store(this_thread(), Ordering::Relaxed);
    }

    pub(crate) fn clear_affinity(&self) {
        self.affinity.store(0, Ordering::Relaxed);
    }

    pub(crate) fn set_busy_poll(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.busy_poll.store(nanos, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn busy_poll(&self) -> Duration {
        Duration::from_nanos(self.busy_poll.load(Ordering::Relaxed))
    }

    pub(crate) fn want_freed(&self) {
        self.want_freed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn wants_freed(&self) -> bool {
        self.want_freed.load(Ordering::SeqCst)
    }

    /// Whether the loop is to be freed; only one asker is told so.
    pub(crate) fn take_want_freed(&self) -> bool {
        self.want_freed.swap(false, Ordering::SeqCst)
    }

    /// Queues a command and wakes the loop, at the end of a burst if there is one.
    pub(crate) fn push(&self, command: Command) {
        // The receiver lives as long as the sender, so sending can't fail.
        let _ = self.sender.send(command);
        #[cfg(feature = "redis")]
        if burst::will_wake(self.index) {
            return;
        }
        self.ring();
    }

    /// Wakes the loop; one system call for all rings until it listens again.
    pub(crate) fn ring(&self) {
        if self.bell.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(waker) = &*self.bell.waker.lock()
            && let Err(error) = waker.wake()
        {
            log::error!("the loop could not be woken: {error}");
        }
    }

    /// Gives a loop's life its waker. Who has rung since the last one has woken nobody, and must not keep others from
    /// it: a stale handle or a waker may ring at any time.
    pub(crate) fn hang_bell(&self, waker: mio::Waker) {
        *self.bell.waker.lock() = Some(waker);
        self.bell.rung.store(false, Ordering::Release);
    }

    /// To be called before the commands are drained: what comes after rings anew. Where nobody has rung, nothing is written:
    /// who rings afterwards wakes the loop.
    #[inline]
    pub(crate) fn listen_to_bell(&self) -> bool {
        self.bell.rung.load(Ordering::Acquire) && self.bell.rung.swap(false, Ordering::AcqRel)
    }
}

/// A number that no other living thread has.
fn this_thread() -> usize {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.with(|mark| std::ptr::from_ref(mark) as usize)
}
