//! Servers whose loops have threads of their own: sockets, TLS and frames are dealt with there, handlers stay here.
//!
//! All of a server's loops fill one queue of the core's; its doorbell wakes the host's own loop, whose turn takes events
//! out of the queue, into the same batch as its own.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sockline::{
    EventQueue, Loop, LoopOptions, LoopWaker, MessageType, Queued, QueuedEvent, Server, ServerOptions,
    WebSocket,
};

use crate::batch::{Batch, Kind};
use crate::errors::{Result, failure};
use crate::host::HostPointer;
use crate::listener::{Connections, upgrade_record};
use crate::requests::{Happened, Requests, Waiting, forget, tell as tell_of_request};

/// How much waits for JavaScript before connections are paused.
const MAX_EVENTS: usize = 16 << 10;
const MAX_BYTES: usize = 16 << 20;
/// How many events one turn takes, before Node's other work.
const EVENTS_A_TURN: usize = 4096;

/// The loops of one server, and what they have to tell.
pub(crate) struct Crew {
    /// What JavaScript knows the server by.
    pub(crate) key: u32,
    pub(crate) queue: Arc<EventQueue>,
    /// Requests to ask about.
    requests: Arc<Waiting>,
    /// The first of the loops; the core starts and ends the others with the server.
    _first: Loop,
}

impl Crew {
    /// Listens on so many threads, each of which looks for so long before it waits.
    pub(crate) fn listen(
        key: u32,
        mut options: ServerOptions,
        waker: LoopWaker,
        asks: bool,
        busy_poll: Duration,
    ) -> Result<(Crew, Server)> {
        let first = Loop::new(LoopOptions {
            busy_poll,
            ..LoopOptions::default()
        })
        .map_err(failure)?;
        first.start().map_err(failure)?;
        let queue = EventQueue::new(MAX_EVENTS, MAX_BYTES, move || waker.wake());
        options.server_handler = queue.clone();
        let requests = Waiting::new(waker);
        if asks {
            options.routes.push(Arc::new(Requests(requests.clone())));
        }
        let server = sockline::listen(Some(&first), options, Some(queue.clone())).map_err(failure)?;
        let crew = Crew {
            key,
            queue,
            requests,
            _first: first,
        };
        Ok((crew, server))
    }

    /// Takes what there is, up to a turn's share; true if there may be more.
    fn take(&self, host: HostPointer) -> bool {
        for happened in self.requests.take() {
            match happened {
                Happened::Asked(request) => tell_of_request(host, self.key, *request),
                Happened::Cut(exchange) => forget(host, exchange),
            }
        }
        for _ in 0..EVENTS_A_TURN {
            match self.queue.pop() {
                Some(Queued::Connection(ws, event)) => tell(host, self.key, ws, &event),
                Some(Queued::ServerClosed(_)) => self.over(host),
                None => return false,
            }
        }
        true
    }

    fn over(&self, host: HostPointer) {
        let host = host.get();
        host.batch.push(self.key, Kind::ServerClosed, 0, &[]);
        host.crews.borrow_mut().retain(|crew| crew.key != self.key);
        host.release();
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.queue.close(); // the loop's thread ends after this, and must not wait for anybody to pull
    }
}

/// Takes the events of all crews; true if there may be more.
pub(crate) fn collect(host: HostPointer) -> bool {
    // JavaScript may listen and close while it is told of the events: no borrow is held then.
    let crews: Vec<Rc<Crew>> = host.get().crews.borrow().clone();
    crews.iter().fold(false, |more, crew| crew.take(host) | more)
}

fn tell(host: HostPointer, server: u32, ws: WebSocket, event: &QueuedEvent) {
    let batch: &Batch = &host.get().batch;
    match event {
        QueuedEvent::Message(kind, payload) => {
            let kind = match kind {
                MessageType::Text => Kind::Text,
                MessageType::Binary => Kind::Binary,
            };
            batch.push(ws.user_data() as u32, kind, 0, payload);
        }
        QueuedEvent::Upgrade(upgrade) => {
            let remote = upgrade.remote_address();
            let record = upgrade_record(ws, upgrade.target(), remote, upgrade.headers());
            batch.push(server, Kind::Upgrade, 0, &record);
        }
        event => event.deliver(ws, &Connections(host)),
    }
}
