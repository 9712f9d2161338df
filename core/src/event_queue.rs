//! Events to be pulled: for hosts whose code can't be called from the loop's thread.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Mutex, ReentrantMutex};

use crate::error::Error;
use crate::handler::{CloseEvent, Handler, Message};
use crate::websocket::WebSocket;
use crate::ws::MessageType;

/// An event that waits to be pulled; it owns its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueuedEvent {
    /// [`Handler::on_open`]
    Open,
    /// [`Handler::on_message`]
    Message(MessageType, Box<[u8]>),
    /// [`Handler::on_ping`]
    Ping(Box<[u8]>),
    /// [`Handler::on_pong`]
    Pong(Box<[u8]>),
    /// [`Handler::on_drain`]
    Drain,
    /// [`Handler::on_error`]
    Error(Error),
    /// [`Handler::on_close`]
    Close(CloseEvent),
}

impl QueuedEvent {
    fn size(&self) -> usize {
        match self {
            QueuedEvent::Message(_, payload) | QueuedEvent::Ping(payload) | QueuedEvent::Pong(payload) => {
                payload.len()
            }
            _ => 0,
        }
    }
}

/// A bounded queue of the events of any number of connections, with a doorbell that rings once each time that it
/// turns from empty to not empty.
///
/// Give it to [`connect`](crate::connect) or [`listen`](crate::listen) as the handler. When it holds more than its
/// limits, a connection that brings a message is paused, and resumed once half of it has been pulled: nothing is
/// lost, and the peer feels it. Any thread may pull; one at a time keeps the order.
pub struct EventQueue {
    max_events: usize,
    max_bytes: usize,
    doorbell: Box<dyn Fn() + Send + Sync>,
    /// Held while the bell rings, so that `close` can wait for that; reentrant, so that the doorbell may call it.
    ringing: ReentrantMutex<()>,
    /// `None` once it is closed.
    waiting: Mutex<Option<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<(WebSocket, QueuedEvent)>,
    bytes: usize,
    paused: Vec<WebSocket>,
}

impl EventQueue {
    /// A queue for so many events and so many bytes of their payloads, whichever comes first. `doorbell` is called on
    /// the loop's thread, never twice at once, and must not block; it may call the library.
    pub fn new(
        max_events: usize,
        max_bytes: usize,
        doorbell: impl Fn() + Send + Sync + 'static,
    ) -> Arc<EventQueue> {
        Arc::new(EventQueue {
            max_events: max_events.max(1),
            max_bytes: max_bytes.max(1),
            doorbell: Box::new(doorbell),
            ringing: ReentrantMutex::new(()),
            waiting: Mutex::new(Some(Waiting::default())),
        })
    }

    /// The oldest event and its connection; `None` when there is none, and then the doorbell rings for the next.
    pub fn pop(&self) -> Option<(WebSocket, QueuedEvent)> {
        let (event, resumed) = {
            let mut guard = self.waiting.lock();
            let waiting = guard.as_mut()?;
            let (ws, event) = waiting.events.pop_front()?;
            waiting.bytes -= event.size();
            let is_low = waiting.events.len() <= self.max_events / 2 && waiting.bytes <= self.max_bytes / 2;
            let resumed = if is_low {
                std::mem::take(&mut waiting.paused)
            } else {
                Vec::new()
            };
            ((ws, event), resumed)
        };
        resume(resumed);
        Some(event)
    }

    /// Drops what waits and what is still to come, and lets its connections read on: for a host that pulls no more.
    /// When this returns, the doorbell is not ringing and never will again, unless this is called by it.
    pub fn close(&self) {
        let closed = self.waiting.lock().take();
        if let Some(waiting) = closed {
            resume(waiting.paused);
        }
        drop(self.ringing.lock());
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.waiting
            .lock()
            .as_ref()
            .map_or(0, |waiting| waiting.events.len())
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&self, ws: WebSocket, event: QueuedEvent) {
        let (was_empty, is_full) = {
            let mut guard = self.waiting.lock();
            let Some(waiting) = guard.as_mut() else { return };
            let was_empty = waiting.events.is_empty();
            waiting.bytes += event.size();
            waiting.events.push_back((ws, event));
            let is_full = waiting.events.len() >= self.max_events || waiting.bytes >= self.max_bytes;
            if is_full && !waiting.paused.contains(&ws) {
                waiting.paused.push(ws);
            }
            (was_empty, is_full)
        };
        if is_full {
            let _ = ws.pause(); // it may have ended meanwhile
        }
        if was_empty {
            self.ring();
        }
    }

    fn ring(&self) {
        let _ringing = self.ringing.lock();
        let is_closed = self.waiting.lock().is_none();
        if !is_closed {
            (self.doorbell)();
        }
    }
}

fn resume(paused: Vec<WebSocket>) {
    for ws in paused {
        let _ = ws.resume(); // it may have ended meanwhile
    }
}

impl Handler for EventQueue {
    fn on_open(&self, ws: WebSocket) {
        self.push(ws, QueuedEvent::Open);
    }

    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        self.push(
            ws,
            QueuedEvent::Message(message.kind(), message.as_bytes().into()),
        );
    }

    fn on_ping(&self, ws: WebSocket, payload: &[u8]) {
        self.push(ws, QueuedEvent::Ping(payload.into()));
    }

    fn on_pong(&self, ws: WebSocket, payload: &[u8]) {
        self.push(ws, QueuedEvent::Pong(payload.into()));
    }

    fn on_drain(&self, ws: WebSocket) {
        self.push(ws, QueuedEvent::Drain);
    }

    fn on_error(&self, ws: WebSocket, error: &Error) {
        self.push(ws, QueuedEvent::Error(error.clone()));
    }

    fn on_close(&self, ws: WebSocket, event: &CloseEvent) {
        self.push(ws, QueuedEvent::Close(event.clone()));
    }
}

impl std::fmt::Debug for EventQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let guard = self.waiting.lock();
        let Some(waiting) = guard.as_ref() else {
            return f.write_str("EventQueue(closed)");
        };
        f.debug_struct("EventQueue")
            .field("events", &waiting.events.len())
            .field("bytes", &waiting.bytes)
            .field("paused", &waiting.paused.len())
            .finish()
    }
}
