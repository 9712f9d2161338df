//! Name lookup, off the loop: a few threads that end when they are idle.
//!
//! The system's resolver can't be told to stop. A lookup that hangs keeps its thread; so that it doesn't keep others
//! waiting too, another thread takes its place, up to a bound. Who has given up on a lookup that has not begun is
//! forgotten.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::thread;
use crate::client::Lookup;

/// How many lookups run at once, those that hang not counted.
const MAX_THREADS: usize = 8;
/// How many may hang at once before the others have to wait for them.
const MAX_HANGING: usize = 56;
/// A lookup that has taken so long is hanging.
pub(super) const HANGING: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(10);

pub(super) type Found = io::Result<Vec<SocketAddr>>;

struct Job {
    host: String,
    port: u16,
    lookup: Option<Lookup>,
    wanted: Arc<AtomicBool>,
    done: Box<dyn FnOnce(Found) + Send>,
}

/// A lookup under way; to drop it is to give up on it.
pub(super) struct Pending(Arc<AtomicBool>);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

struct Resolver {
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    waiting: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// When the lookups that run now have begun, each with a number of its own.
    running: Vec<(u64, Instant)>,
    last_number: u64,
}

static RESOLVER: Resolver = Resolver {
    state: Mutex::new(State {
        waiting: VecDeque::new(),
        threads: 0,
        idle: 0,
        running: Vec::new(),
        last_number: 0,
    }),
    arrived: Condvar::new(),
};

/// Looks a name up, with the system's resolver unless there is a `lookup`, and calls `done` on a thread of this module.
pub(super) fn resolve(
    host: String,
    port: u16,
    lookup: Option<Lookup>,
    done: impl FnOnce(Found) + Send + 'static,
) -> Pending {
    let wanted = Arc::new(AtomicBool::new(true));
    let job = Job {
        host,
        port,
        lookup,
        wanted: wanted.clone(),
        done: Box::new(done),
    };
    RESOLVER.state.lock().waiting.push_back(job);
    RESOLVER.arrived.notify_one();
    RESOLVER.ensure_thread();
    Pending(wanted)
}

/// A number that no other lookup has.
pub(super) fn fresh_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// To be called now and then by whoever waits: finds out that the running lookups hang, and does something about it.
pub(super) fn nudge() {
    RESOLVER.ensure_thread();
}

impl Resolver {
    fn ensure_thread(&'static self) {
        {
            let mut state = self.state.lock();
            if !state.lacks_thread(Instant::now()) {
                return;
            }
            state.threads += 1;
        }
        if let Err(error) = thread::spawn("sockline-dns", || self.work()) {
            let stranded = {
                let mut state = self.state.lock();
                state.threads -= 1;
                // Another thread takes the lookup when it is free; if there is none, it fails here and now.
                if state.threads == 0 {
                    state.waiting.pop_front()
                } else {
                    None
                }
            };
            if let Some(job) = stranded {
                (job.done)(Err(error));
            }
        }
    }

    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                let number = state.begin(Instant::now());
                drop(state);
                job.run();
                state = self.state.lock();
                state.running.retain(|(running, _)| *running != number);
                // One that took the place of a thread that hung is not needed any more.
                if state.threads > MAX_THREADS + state.hanging(Instant::now()) {
                    break;
                }
                continue;
            }
            state.idle += 1;
            let timed_out = self.arrived.wait_for(&mut state, IDLE).timed_out();
            state.idle -= 1;
            if timed_out && state.waiting.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

impl State {
    fn lacks_thread(&self, now: Instant) -> bool {
        self.waiting.len() > self.idle && self.threads < MAX_THREADS + self.hanging(now).min(MAX_HANGING)
    }

    fn hanging(&self, now: Instant) -> usize {
        let hangs = |since: Instant| now.saturating_duration_since(since) >= HANGING;
        self.running.iter().filter(|(_, since)| hangs(*since)).count()
    }

    fn begin(&mut self, now: Instant) -> u64 {
        self.last_number += 1;
        self.running.push((self.last_number, now));
        self.last_number
    }
}

impl Job {
    fn run(self) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        let found = match &self.lookup {
            None => (self.host.as_str(), self.port)
                .to_socket_addrs()
                .map(Iterator::collect),
            Some(lookup) => {
                // The application's code must not take this thread with it.
                let called = catch_unwind(AssertUnwindSafe(|| lookup.call(&self.host)));
                let addresses = called.unwrap_or_else(|_| Err(io::Error::other("the lookup panicked")));
                addresses.map(|all: Vec<IpAddr>| {
                    all.into_iter().map(|ip| SocketAddr::new(ip, self.port)).collect()
                })
            }
        };
        (self.done)(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lookups_all_answer() {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let mut pending = Vec::new();
        for port in 0..100 {
            let sender = sender.clone();
            pending.push(resolve("localhost".to_owned(), port, None, move |result| {
                let _ = sender.send(result.map(|addresses| addresses.first().map(SocketAddr::port)));
            }));
        }
        let mut ports: Vec<u16> = (0..100)
            .map(|_| {
                receiver
                    .recv()
                    .unwrap()
                    .unwrap()
                    .expect("localhost has an address")
            })
            .collect();
        ports.sort_unstable();
        assert_eq!(ports, (0..100).collect::<Vec<u16>>());
    }

    #[test]
    fn lookups_that_hang_get_others_in_their_place_up_to_a_bound() {
        let now = Instant::now();
        let mut state = State {
            waiting: VecDeque::new(),
            threads: 0,
            idle: 0,
            running: Vec::new(),
            last_number: 0,
        };
        assert!(!state.lacks_thread(now), "nothing waits");
        let job = || Job {
            host: String::new(),
            port: 0,
            lookup: None,
            wanted: Arc::default(),
            done: Box::new(drop),
        };
        state.waiting.push_back(job());
        for _ in 0..MAX_THREADS {
            assert!(state.lacks_thread(now));
            state.threads += 1;
            state.begin(now);
        }
        assert!(!state.lacks_thread(now), "all are busy, and none hangs yet");
        for _ in 0..MAX_HANGING {
            assert!(state.lacks_thread(now + HANGING));
            state.threads += 1;
            state.begin(now);
        }
        assert!(!state.lacks_thread(now + HANGING), "so many and no more");
        state.idle = 1;
        state.threads = 1;
        assert!(!state.lacks_thread(now + HANGING), "an idle one takes it");
    }

    #[test]
    fn a_lookup_that_nobody_wants_any_more_is_not_begun() {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let job = Job {
            host: "localhost".to_owned(),
            port: 1,
            lookup: None,
            wanted: Arc::new(AtomicBool::new(true)),
            done: Box::new(move |_| _ = sender.send(())),
        };
        drop(Pending(job.wanted.clone()));
        job.run();
        assert!(receiver.try_recv().is_err());
    }
}
