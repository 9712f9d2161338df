//! Servers whose connections are turned by the core's own threads: events wait in a queue, and the host's thread pulls
//! them when it turns its driver. Nothing over there calls Python.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use sockline::{
    EventQueue, Handler, HttpRequest, Loop, LoopOptions, LoopWaker, Queued, QueuedEvent, QueuedUpgrade,
    WebSocket,
};

use crate::guarded::Guarded;

/// What may wait before connections are paused.
const MAX_EVENTS: usize = 4096;
const MAX_BYTES: usize = 16 << 20;

/// How many events a turn takes from a queue, before the host's other work gets its turn.
const A_TURN: usize = 1024;

/// The other end of a server on threads.
pub(crate) struct Threads {
    on_loop: Loop,
    queue: Arc<EventQueue>,
    /// Who hears the events of a connection, by its handle.
    handlers: Guarded<HashMap<u64, Arc<dyn Handler>>>,
    answerer: Guarded<Option<Arc<dyn Answerer>>>,
    /// Requests to ask about; at most one of each connection.
    asked: Mutex<Vec<HttpRequest>>,
    driver: LoopWaker,
}

/// A server's own events.
pub(crate) trait Answerer: Send + Sync {
    fn upgrade(&self, py: Python<'_>, ws: WebSocket, upgrade: &QueuedUpgrade);
    fn request(&self, py: Python<'_>, request: HttpRequest);
    fn closed(&self, py: Python<'_>, server: sockline::Server);
}

impl Threads {
    /// Starts the first of the threads; `driver` is woken when there is something to pull.
    pub(crate) fn start(driver: LoopWaker, busy_poll: Duration) -> sockline::Result<Threads> {
        let on_loop = Loop::new(LoopOptions {
            busy_poll,
            ..LoopOptions::default()
        })?;
        on_loop.start()?;
        Ok(Threads {
            on_loop,
            queue: EventQueue::new(MAX_EVENTS, MAX_BYTES, move || driver.wake()),
            handlers: Guarded::new(HashMap::new()),
            answerer: Guarded::new(None),
            asked: Mutex::default(),
            driver,
        })
    }

    pub(crate) fn on_loop(&self) -> &Loop {
        &self.on_loop
    }

    pub(crate) fn queue(&self) -> Arc<EventQueue> {
        self.queue.clone()
    }

    pub(crate) fn set_answerer(&self, py: Python<'_>, answerer: Arc<dyn Answerer>) {
        drop(self.answerer.replace(py, Some(answerer)));
    }

    /// From now on the connection's events are for this handler.
    pub(crate) fn set_handler(&self, py: Python<'_>, raw: u64, handler: Arc<dyn Handler>) {
        drop(self.handlers.with(py, |handlers| handlers.insert(raw, handler)));
    }

    pub(crate) fn remove_handler(&self, py: Python<'_>, raw: u64) {
        drop(self.handlers.with(py, |handlers| handlers.remove(&raw)));
    }

    /// Has Python asked about a request, when its turn comes. Any thread.
    pub(crate) fn ask(&self, request: HttpRequest) {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        self.driver.wake();
    }

    fn take_asked(&self) -> Vec<HttpRequest> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hands on what waits; says whether that was all, and whether the server has ended.
    pub(crate) fn pull(&self, py: Python<'_>) -> Pulled {
        for request in self.take_asked() {
            let answerer = self.answerer.with(py, |answerer| answerer.clone());
            if let Some(answerer) = answerer {
                answerer.request(py, request);
            }
        }
        for _ in 0..A_TURN {
            match self.queue.pop() {
                None => return Pulled::All,
                Some(Queued::Connection(ws, event)) => self.hand_on(py, ws, event),
                Some(Queued::ServerClosed(server)) => {
                    if let Some(answerer) = self.answerer.take(py) {
                        answerer.closed(py, server);
                    }
                    return Pulled::Ended;
                }
            }
        }
        Pulled::Some
    }

    fn hand_on(&self, py: Python<'_>, ws: WebSocket, event: QueuedEvent) {
        if let QueuedEvent::Upgrade(upgrade) = &event {
            let answerer = self.answerer.with(py, |answerer| answerer.clone());
            if let Some(answerer) = answerer {
                answerer.upgrade(py, ws, upgrade);
            }
            return;
        }
        let is_last = matches!(event, QueuedEvent::Close(_));
        let handler = self.handlers.with(py, |handlers| {
            if is_last {
                handlers.remove(&ws.raw())
            } else {
                handlers.get(&ws.raw()).cloned()
            }
        });
        if let Some(handler) = handler {
            event.hand_over(ws, &*handler);
        }
    }

    /// Pulls no more.
    pub(crate) fn end(&self, py: Python<'_>) {
        self.queue.close();
        let left = (self.handlers.take(py), self.answerer.take(py), self.take_asked());
        drop(left);
    }
}

/// What a pull has come to.
#[derive(PartialEq)]
pub(crate) enum Pulled {
    All,
    Some,
    Ended,
}
