//! What the core tells of a Socket.IO connection, on its way to the command's thread.
//!
//! The way has room for some events only; then the loop's thread waits, and the server feels it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use sockline::Error;
use sockline::io::{
    AckResult, ClientAck, ClientEvent, ClientHandler, ClientReason, ClientSocket, ConnectError, Manager,
    ManagerHandler,
};

use crate::show;

/// How many events may wait to be shown.
const WAITING: usize = 256;

pub(super) enum Heard {
    Connected,
    /// What the server said, and its data.
    Refused(String, Option<String>),
    Unreachable(Error),
    Event(HeardEvent),
    Answer(u64, Answer),
    Disconnected(ClientReason, String),
    /// What only the curious want to know.
    Notice(String),
}

pub(super) struct HeardEvent {
    pub(super) name: String,
    pub(super) array: String,
    pub(super) args: String,
    pub(super) attachments: Vec<Vec<u8>>,
    pub(super) ack: Option<ClientAck>,
}

/// What has become of a question.
pub(super) enum Answer {
    Came { args: String, binary: Vec<Vec<u8>> },
    Late,
    Lost,
}

pub(super) struct Hearer {
    sender: SyncSender<Heard>,
    bell: Box<dyn Fn() + Send + Sync>,
}

impl Hearer {
    /// The bell rings once for each thing that was heard.
    pub(super) fn new(bell: impl Fn() + Send + Sync + 'static) -> (Arc<Hearer>, Receiver<Heard>) {
        let (sender, heard) = sync_channel(WAITING);
        let bell = Box::new(bell);
        (Arc::new(Hearer { sender, bell }), heard)
    }

    fn tell(&self, heard: Heard) {
        if self.sender.send(heard).is_ok() {
            (self.bell)();
        }
    }

    fn note(&self, text: impl Into<String>) {
        self.tell(Heard::Notice(text.into()));
    }
}

fn owned(attachments: &[Bytes]) -> Vec<Vec<u8>> {
    attachments.iter().map(|data| data.to_vec()).collect()
}

impl ClientHandler for Hearer {
    fn on_connect(&self, _socket: &ClientSocket) {
        self.tell(Heard::Connected);
    }

    fn on_connect_error(&self, _socket: &ClientSocket, error: ConnectError<'_>) {
        self.tell(match error.error {
            Some(error) => Heard::Unreachable(error.clone()),
            None => Heard::Refused(error.message.to_owned(), error.data.map(str::to_owned)),
        });
    }

    fn on_event(&self, _socket: &ClientSocket, event: ClientEvent<'_>) {
        self.tell(Heard::Event(HeardEvent {
            name: event.name.into_owned(),
            array: event.array.to_owned(),
            args: event.args.to_owned(),
            attachments: owned(event.attachments),
            ack: event.ack,
        }));
    }

    fn on_ack(&self, _socket: &ClientSocket, token: u64, result: AckResult<'_>) {
        let answer = match result {
            AckResult::Answered { args, attachments } => Answer::Came {
                args: args.to_owned(),
                binary: owned(attachments),
            },
            AckResult::Timeout => Answer::Late,
            AckResult::Disconnected => Answer::Lost,
        };
        self.tell(Heard::Answer(token, answer));
    }

    fn on_disconnect(&self, _socket: &ClientSocket, reason: ClientReason, detail: &str) {
        self.tell(Heard::Disconnected(reason, detail.to_owned()));
    }
}

impl ManagerHandler for Hearer {
    fn on_open(&self, manager: &Manager) {
        let transport = manager.transport().map_or("", |transport| transport.name());
        let session = manager.engine_id().unwrap_or_default();
        let text = format!("  session {session} over {transport}");
        self.note(show::text(&text));
    }

    fn on_upgrade(&self, _manager: &Manager) {
        self.note("  now over websocket");
    }

    fn on_upgrade_error(&self, _manager: &Manager, error: &Error) {
        self.note(format!("  stays on polling: {error}"));
    }

    fn on_reconnect_scheduled(&self, _manager: &Manager, attempt: u32, delay: Duration) {
        self.note(format!("  attempt {attempt} in {}", show::duration(delay)));
    }
}
