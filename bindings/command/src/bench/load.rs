//! The load: what each connection does, and what all of them share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use sockline::{CloseEvent, Error, Handler, Home, Message, MessageType, WebSocket};

use super::payload::Payload;
use crate::arguments::Bench;
use crate::show;

/// The longest latency that is told from others, in nanoseconds: ten minutes.
const LONGEST: u64 = 600_000_000_000;

/// What ends a measurement early.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    NotConnected(Error),
    Lost(Error),
    Closed(CloseEvent),
    NoEcho(String),
}

/// What all connections share.
pub(super) struct Course {
    bell: Box<dyn Fn() + Send + Sync>,
    open: AtomicUsize,
    /// How many messages may still be sent.
    left: AtomicU64,
    sent: AtomicU64,
    echoed: AtomicU64,
    is_stopped: AtomicBool,
    /// Connections may end now.
    is_closing: AtomicBool,
    trouble: Mutex<Option<Trouble>>,
    last_echo: Mutex<Option<Instant>>,
}

impl Course {
    pub(super) fn new(arguments: &Bench, bell: Box<dyn Fn() + Send + Sync>) -> Course {
        Course {
            bell,
            open: AtomicUsize::new(0),
            left: AtomicU64::new(arguments.count.unwrap_or(u64::MAX)),
            sent: AtomicU64::new(0),
            echoed: AtomicU64::new(0),
            is_stopped: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            trouble: Mutex::new(None),
            last_echo: Mutex::new(None),
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// How many messages came back.
    pub(super) fn messages(&self) -> u64 {
        self.echoed.load(Ordering::SeqCst)
    }

    /// Nothing more is sent.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
    }

    pub(super) fn close(&self) {
        self.stop();
        self.is_closing.store(true, Ordering::SeqCst);
    }

    /// Nothing more is sent, and all of it is back.
    pub(super) fn is_done(&self) -> bool {
        self.is_over() && self.echoed.load(Ordering::SeqCst) == self.sent.load(Ordering::SeqCst)
    }

    /// Nothing more is sent.
    fn is_over(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst) || self.left.load(Ordering::SeqCst) == 0
    }

    /// From the beginning to the last echo.
    pub(super) fn ended_after(&self, begin: Instant) -> Duration {
        let last = *lock(&self.last_echo);
        last.unwrap_or_else(Instant::now).saturating_duration_since(begin)
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        lock(&self.trouble).clone()
    }

    /// Only the first counts: others follow from it.
    fn fail(&self, trouble: Trouble) {
        self.stop();
        lock(&self.trouble).get_or_insert(trouble);
        (self.bell)();
    }

    /// Whether another message may be sent; then it counts as sent.
    fn take_one(&self) -> bool {
        if self.is_stopped.load(Ordering::Relaxed) {
            return false;
        }
        let one_less = |left: u64| left.checked_sub(1);
        // Counted as sent first, so that there is no moment in which all seems to be back.
        self.sent.fetch_add(1, Ordering::SeqCst);
        let taken = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        if taken.is_err() {
            self.sent.fetch_sub(1, Ordering::SeqCst);
        }
        taken.is_ok()
    }

    fn echo_came(&self, at: Instant) {
        self.echoed.fetch_add(1, Ordering::SeqCst);
        if self.is_over() {
            *lock(&self.last_echo) = Some(at);
            if self.is_done() {
                (self.bell)();
            }
        }
    }
}

/// What the connections of one thread share.
pub(super) struct Lane {
    latencies: Mutex<Histogram<u64>>,
}

impl Lane {
    pub(super) fn new() -> Lane {
        Lane {
            latencies: Mutex::new(empty()),
        }
    }

    /// The latencies of all threads, in nanoseconds.
    pub(super) fn together<'a>(lanes: impl Iterator<Item = &'a Lane>) -> Histogram<u64> {
        let mut all = empty();
        for lane in lanes {
            let _ = all.add(&*lock(&lane.latencies)); // they have the same bounds
        }
        all
    }
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are those that the crate allows")
}

/// One connection.
pub(super) struct Peer {
    course: Arc<Course>,
    lane: Arc<Lane>,
    kind: MessageType,
    pipeline: u32,
    state: Mutex<State>,
}

struct State {
    is_open: bool,
    outgoing: Payload,
    expected: Payload,
    /// When those messages were sent that are under way.
    sent: VecDeque<Instant>,
    error: Option<Error>,
}

impl Peer {
    pub(super) fn new(course: Arc<Course>, lane: Arc<Lane>, arguments: &Bench) -> Peer {
        let payload = || Payload::new(arguments.size, arguments.binary);
        Peer {
            course,
            lane,
            kind: match arguments.binary {
                true => MessageType::Binary,
                false => MessageType::Text,
            },
            pipeline: arguments.pipeline,
            state: Mutex::new(State {
                is_open: false,
                outgoing: payload(),
                expected: payload(),
                sent: VecDeque::new(),
                error: None,
            }),
        }
    }

    /// Has the loop send the first messages. Sent from here, they could be overtaken by those that the first echoes have it
    /// send.
    pub(super) fn start(self: &Arc<Self>, ws: WebSocket) {
        let peer = self.clone();
        let begin = move || {
            let mut state = lock(&peer.state);
            for _ in 0..peer.pipeline {
                if !peer.send(ws, &mut state) {
                    return;
                }
            }
        };
        // Without a loop the connection has ended, which is heard of.
        if let Some(home) = Home::of(ws) {
            home.run(Box::new(begin));
        }
    }

    fn send(&self, ws: WebSocket, state: &mut State) -> bool {
        if !self.course.take_one() {
            return false;
        }
        state.sent.push_back(Instant::now());
        // What can't be sent is a connection that ends, which is heard of.
        ws.send_checked(self.kind, state.outgoing.next()).is_ok()
    }
}

impl Handler for Peer {
    fn on_open(&self, _ws: WebSocket) {
        lock(&self.state).is_open = true;
        self.course.open.fetch_add(1, Ordering::SeqCst);
        (self.course.bell)();
    }

    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let Some(since) = state.sent.pop_front() else {
            let text = format!("{} came that was not asked for", described(message));
            return self.course.fail(Trouble::NoEcho(text));
        };
        let expected = state.expected.next();
        if message.kind() != self.kind || message.as_bytes() != expected {
            let text = format!("{} came in place of what was sent", described(message));
            return self.course.fail(Trouble::NoEcho(text));
        }
        let latency = now.saturating_duration_since(since).as_nanos() as u64;
        lock(&self.lane.latencies).saturating_record(latency.max(1));
        self.send(ws, &mut state);
        self.course.echo_came(now);
    }

    fn on_error(&self, _ws: WebSocket, error: &Error) {
        lock(&self.state).error = Some(error.clone());
    }

    fn on_close(&self, _ws: WebSocket, event: &CloseEvent) {
        if self.course.is_closing.load(Ordering::SeqCst) {
            return;
        }
        let mut state = lock(&self.state);
        self.course.fail(match (state.error.take(), state.is_open) {
            (Some(error), true) => Trouble::Lost(error),
            (Some(error), false) => Trouble::NotConnected(error),
            (None, _) => Trouble::Closed(event.clone()),
        });
    }
}

/// A message that should not have come.
fn described(message: Message<'_>) -> String {
    let length = show::size(message.as_bytes().len() as u64);
    match message.as_text() {
        Some(text) => {
            let begin: String = text.chars().take(40).collect();
            format!("a text of {length} ({:?})", show::text(&begin))
        }
        None => format!("a binary message of {length}"),
    }
}

/// What is behind these locks is whole also after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
