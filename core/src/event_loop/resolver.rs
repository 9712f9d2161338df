//! Name lookup, off the loop: a few threads that end when they are idle.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::thread;

/// A lookup that never answers holds one of these until the system gives up on it.
const MAX_THREADS: usize = 8;
const IDLE: Duration = Duration::from_secs(10);

type Done = Box<dyn FnOnce(io::Result<Vec<SocketAddr>>) + Send>;

struct Lookup {
    host: String,
    port: u16,
    done: Done,
}

struct Resolver {
    sender: Sender<Lookup>,
    receiver: Receiver<Lookup>,
    threads: AtomicUsize,
    idle: AtomicUsize,
}

static RESOLVER: LazyLock<Resolver> = LazyLock::new(|| {
    let (sender, receiver) = crossbeam_channel::unbounded();
    Resolver {
        sender,
        receiver,
        threads: AtomicUsize::new(0),
        idle: AtomicUsize::new(0),
    }
});

/// Looks a name up with the system's resolver and calls `done` on a thread of this module.
pub(crate) fn resolve(
    host: String,
    port: u16,
    done: impl FnOnce(io::Result<Vec<SocketAddr>>) + Send + 'static,
) {
    let _ = RESOLVER.sender.send(Lookup {
        host,
        port,
        done: Box::new(done),
    });
    RESOLVER.ensure_thread();
}

impl Resolver {
    fn ensure_thread(&'static self) {
        if self.idle.load(Ordering::Acquire) >= self.receiver.len() {
            return;
        }
        let counted = self
            .threads
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
                (count < MAX_THREADS).then_some(count + 1)
            });
        if counted.is_err() {
            return;
        }
        if let Err(error) = thread::spawn("sockline-dns", || self.work()) {
            // Another thread takes the lookup when it is free; if there is none, it fails here and now.
            if self.threads.fetch_sub(1, Ordering::AcqRel) == 1
                && let Ok(lookup) = self.receiver.try_recv()
            {
                (lookup.done)(Err(error));
            }
        }
    }

    fn work(&self) {
        loop {
            self.idle.fetch_add(1, Ordering::AcqRel);
            let lookup = self.receiver.recv_timeout(IDLE);
            self.idle.fetch_sub(1, Ordering::AcqRel);
            let Ok(lookup) = lookup else { break };
            (lookup.done)(look_up(&lookup.host, lookup.port));
        }
        self.threads.fetch_sub(1, Ordering::AcqRel);
        // A lookup may have come between the timeout and the count; whoever brought it saw this thread alive.
        while let Ok(lookup) = self.receiver.try_recv() {
            (lookup.done)(look_up(&lookup.host, lookup.port));
        }
    }
}

fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((host, port).to_socket_addrs()?.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lookups_all_answer() {
        let (sender, receiver) = crossbeam_channel::unbounded();
        for port in 0..100 {
            let sender = sender.clone();
            resolve("localhost".to_owned(), port, move |result| {
                let _ = sender.send(result.map(|addresses| addresses.first().map(SocketAddr::port)));
            });
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
}
