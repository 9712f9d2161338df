//! A handler that sends what it hears into a channel, and may react to it inside the callback.

use std::fmt;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use sockline::{CloseEvent, Error, Handler, Message, Reconnecting, SendOutcome, WebSocket};

use super::PATIENCE;

#[derive(Clone, PartialEq)]
pub enum What {
    Open,
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Drain,
    Reconnecting(Reconnecting),
    Reconnected,
    Sent(u64, SendOutcome),
    Error(Error),
    Close(CloseEvent),
}

/// Payloads by their beginning and length: a test that fails with 16 MiB must still be readable.
impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Open => f.write_str("Open"),
            What::Drain => f.write_str("Drain"),
            What::Reconnecting(event) => write!(f, "{event:?}"),
            What::Reconnected => f.write_str("Reconnected"),
            What::Sent(token, outcome) => write!(f, "Sent({token}, {outcome:?})"),
            What::Text(text) => write!(f, "Text({text:.40?}, {} bytes)", text.len()),
            What::Binary(data) => write!(
                f,
                "Binary({:?}…, {} bytes)",
                &data[..data.len().min(8)],
                data.len()
            ),
            What::Ping(data) => write!(f, "Ping({data:?})"),
            What::Pong(data) => write!(f, "Pong({data:?})"),
            What::Error(error) => write!(f, "Error({error:?})"),
            What::Close(event) => write!(f, "Close({event:?})"),
        }
    }
}

struct Recorder<F> {
    sender: Sender<(WebSocket, What)>,
    react: F,
}

/// What a recorder has heard, in order.
pub struct Events {
    receiver: Receiver<(WebSocket, What)>,
}

pub fn recorder() -> (Arc<dyn Handler>, Events) {
    reacting(|_, _| {})
}

/// Calls `react` inside each callback, after the event was recorded.
pub fn reacting(react: impl Fn(WebSocket, &What) + Send + Sync + 'static) -> (Arc<dyn Handler>, Events) {
    let (sender, receiver) = unbounded();
    (Arc::new(Recorder { sender, react }), Events { receiver })
}

impl Events {
    #[track_caller]
    pub fn next_of(&self) -> (WebSocket, What) {
        self.receiver.recv_timeout(PATIENCE).expect("another event")
    }

    #[track_caller]
    pub fn next(&self) -> What {
        self.next_of().1
    }

    #[track_caller]
    pub fn open(&self) -> WebSocket {
        let (ws, what) = self.next_of();
        assert_eq!(what, What::Open);
        ws
    }

    #[track_caller]
    pub fn text(&self, expected: &str) {
        assert_eq!(self.next(), What::Text(expected.to_owned()));
    }

    /// The next event that is not `on_drain`, which may come between any two.
    #[track_caller]
    pub fn next_but_drain(&self) -> What {
        loop {
            match self.next() {
                What::Drain => {}
                other => return other,
            }
        }
    }

    #[track_caller]
    pub fn error(&self) -> Error {
        match self.next() {
            What::Error(error) => error,
            other => panic!("an error was expected, not {other:?}"),
        }
    }

    #[track_caller]
    pub fn close(&self) -> CloseEvent {
        match self.next() {
            What::Close(event) => event,
            other => panic!("a close was expected, not {other:?}"),
        }
    }

    #[track_caller]
    pub fn reconnecting(&self) -> Reconnecting {
        match self.next() {
            What::Reconnecting(event) => event,
            other => panic!("a loss was expected, not {other:?}"),
        }
    }

    /// An end without a close frame.
    #[track_caller]
    pub fn cut(&self) {
        assert_eq!(
            self.close(),
            CloseEvent {
                code: 1006,
                reason: String::new(),
                was_clean: false
            }
        );
    }

    /// A closing handshake with this code and reason.
    #[track_caller]
    pub fn clean(&self, code: u16, reason: &str) {
        assert_eq!(
            self.close(),
            CloseEvent {
                code,
                reason: reason.to_owned(),
                was_clean: true
            }
        );
    }

    /// The same at the end that began it: what reason comes back is the peer's affair (RFC 6455 §5.5.1).
    #[track_caller]
    pub fn answered(&self, code: u16) {
        let event = self.close();
        assert_eq!((event.code, event.was_clean), (code, true), "{event:?}");
    }

    pub fn has_heard(&self) -> bool {
        !self.receiver.is_empty()
    }

    /// What has come until now; once the loop is dropped, everything.
    pub fn so_far(&self) -> Vec<What> {
        self.receiver.try_iter().map(|(_, what)| what).collect()
    }
}

impl<F: Fn(WebSocket, &What) + Send + Sync> Recorder<F> {
    fn heard(&self, ws: WebSocket, what: What) {
        // The test may have seen enough and be gone.
        let _ = self.sender.send((ws, what.clone()));
        (self.react)(ws, &what);
    }
}

impl<F: Fn(WebSocket, &What) + Send + Sync> Handler for Recorder<F> {
    fn on_open(&self, ws: WebSocket) {
        self.heard(ws, What::Open);
    }

    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        self.heard(
            ws,
            match message.as_text() {
                Some(text) => What::Text(text.to_owned()),
                None => What::Binary(message.as_bytes().to_vec()),
            },
        );
    }

    fn on_ping(&self, ws: WebSocket, payload: &[u8]) {
        self.heard(ws, What::Ping(payload.to_vec()));
    }

    fn on_pong(&self, ws: WebSocket, payload: &[u8]) {
        self.heard(ws, What::Pong(payload.to_vec()));
    }

    fn on_drain(&self, ws: WebSocket) {
        self.heard(ws, What::Drain);
    }

    fn on_reconnecting(&self, ws: WebSocket, event: &Reconnecting) {
        self.heard(ws, What::Reconnecting(event.clone()));
    }

    fn on_reconnected(&self, ws: WebSocket) {
        self.heard(ws, What::Reconnected);
    }

    fn on_sent(&self, ws: WebSocket, token: u64, outcome: SendOutcome) {
        self.heard(ws, What::Sent(token, outcome));
    }

    fn on_error(&self, ws: WebSocket, error: &Error) {
        self.heard(ws, What::Error(error.clone()));
    }

    fn on_close(&self, ws: WebSocket, event: &CloseEvent) {
        self.heard(ws, What::Close(event.clone()));
    }
}
