//! The answers to one broadcast.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

use super::events::within_brackets;
use super::{AckResponse, BroadcastAcks, Namespace};
use crate::adapter;
use crate::event_loop::{Home, Timed};
use crate::ws::Millis;

/// Answers that come together under one token. The sockets that owe them hold it, and itself until it is done.
pub(super) struct Gathering {
    namespace: Namespace,
    /// The loop of the server, where the result is heard.
    home: Home,
    token: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// So many servers have to say to how many clients they have sent it.
    servers: Option<usize>,
    servers_heard: usize,
    clients: usize,
    /// Of these so many have answered or gone.
    settled: usize,
    responses: Vec<AckResponse>,
    is_done: bool,
    /// The timer doesn't hold this, nor may any socket.
    until_done: Option<Arc<Gathering>>,
}

impl State {
    fn is_complete(&self) -> bool {
        self.servers == Some(self.servers_heard) && self.settled >= self.clients
    }
}

impl Gathering {
    pub(super) fn new(namespace: Namespace, home: Home, token: u64) -> Arc<Gathering> {
        Arc::new(Gathering {
            namespace,
            home,
            token,
            state: Mutex::default(),
        })
    }

    /// So many servers have been asked, this one included.
    pub(super) fn expect_servers(&self, count: usize) {
        self.change(|state| state.servers = Some(count));
    }

    pub(super) fn set_timer(self: &Arc<Self>, timeout: Option<Millis>) {
        {
            let mut state = self.state.lock();
            if !state.is_done {
                state.until_done = Some(self.clone());
            }
        }
        if let Some(timeout) = timeout {
            let timed: Weak<Gathering> = Arc::downgrade(self);
            self.home.at(self.home.now().saturating_add(timeout), timed);
        }
    }

    /// No more answers are waited for.
    pub(super) fn give_up(&self) {
        self.done(true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let is_complete = {
            let mut state = self.state.lock();
            change(&mut state);
            state.is_complete()
        };
        if is_complete {
            self.done(false);
        }
    }

    /// Has the application hear of it, once, on the thread of the server's loop.
    fn done(&self, timed_out: bool) {
        let (responses, expected, _until_done) = {
            let mut state = self.state.lock();
            if std::mem::replace(&mut state.is_done, true) {
                return;
            }
            (
                std::mem::take(&mut state.responses),
                state.clients,
                state.until_done.take(),
            )
        };
        let (namespace, token) = (self.namespace.clone(), self.token);
        let job = move || {
            let acks = BroadcastAcks {
                responses: &responses,
                expected,
                timed_out,
            };
            if let Some(core) = namespace.core().filter(|core| !core.has_taken_leave()) {
                core.handler(&namespace).on_broadcast_ack(&namespace, token, acks);
            }
        };
        if !self.home.run(Box::new(job)) {
            log::warn!("the loop of a Socket.IO server has ended: the answers to a broadcast are lost");
        }
    }
}

impl adapter::BroadcastAcks for Gathering {
    fn on_clients(&self, count: usize) {
        self.change(|state| {
            state.servers_heard += 1;
            state.clients += count;
        });
    }

    fn on_ack(&self, array: &str, attachments: &[Bytes]) {
        let response = AckResponse {
            args: within_brackets(array).into(),
            attachments: attachments.to_vec(),
        };
        self.change(|state| {
            state.settled += 1;
            if !state.is_done {
                state.responses.push(response);
            }
        });
    }

    fn on_gone(&self) {
        self.change(|state| state.settled += 1);
    }
}

impl Timed for Gathering {
    fn due(self: Arc<Self>, _now: Millis) {
        self.give_up();
    }
}
