//! A cluster's server in memory, in the place of Redis.

#![allow(dead_code)] // each test program uses a part of it

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sockline::adapter::redis::memory::MemoryServer;

use super::support::PATIENCE;

/// Delivers what the nodes publish, on a thread of its own, as a bus does.
pub struct Courier {
    pub server: MemoryServer,
    is_done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Courier {
    pub fn new() -> Courier {
        let (server, is_done) = (MemoryServer::new(), Arc::new(AtomicBool::new(false)));
        let (carried, done) = (server.clone(), is_done.clone());
        let carry = move || {
            while !done.load(Ordering::Acquire) {
                if carried.deliver() == 0 {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
            }
        };
        Courier {
            server,
            is_done,
            thread: Some(std::thread::spawn(carry)),
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Returns when that is so.
#[track_caller]
pub fn until(is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "it is not so");
        std::thread::yield_now();
    }
}
