//! The answers to one broadcast.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

use super::core::Core;
use super::inquiries::Inquiry;
use super::{AckResponse, BroadcastAcks, Namespace};
use crate::adapter;
use crate::error::Result;
use crate::event_loop::{Home, Timed, TimerKey};
use crate::json::within_brackets;
use crate::ws::Millis;

/// Answers that come together under one token. The sockets that owe them hold it, and itself until it is done.
pub(super) struct Gathering {
    me: Weak<Gathering>,
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
    /// No more answers count.
    is_done: bool,
    /// The application waits; it has this told.
    inquiry: Option<Inquiry<()>>,
    timer: Option<(Millis, TimerKey)>,
}

impl State {
    fn is_complete(&self) -> bool {
        self.servers == Some(self.servers_heard) && self.settled >= self.clients
    }
}

impl Gathering {
    /// [`ErrorCode::Closed`](crate::ErrorCode::Closed) if the server is closed.
    pub(super) fn new(core: &Arc<Core>, namespace: Namespace, token: u64) -> Result<Arc<Gathering>> {
        let gathering = Arc::new_cyclic(|me| Gathering {
            me: me.clone(),
            namespace,
            home: core.home,
            token,
            state: Mutex::default(),
        });
        let (told, teller) = (gathering.clone(), core.clone());
        let inquiry = core.inquiries.open(move |_| told.tell(&teller))?;
        gathering.state.lock().inquiry = Some(inquiry);
        Ok(gathering)
    }

    /// So many servers have been asked, this one included.
    pub(super) fn expect_servers(&self, count: usize) {
        self.change(|state| state.servers = Some(count));
    }

    pub(super) fn set_timer(&self, timeout: Option<Millis>) {
        let Some(timeout) = timeout else { return };
        let deadline = self.home.now().saturating_add(timeout);
        let timed: Weak<Gathering> = self.me.clone();
        let mut state = self.state.lock();
        if !state.is_done {
            state.timer = Some((deadline, self.home.at(deadline, timed)));
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let is_complete = {
            let mut state = self.state.lock();
            if state.is_done {
                return;
            }
            change(&mut state);
            state.is_complete()
        };
        if is_complete {
            self.done();
        }
    }

    /// Has the application told of it.
    fn done(&self) {
        let (inquiry, timer) = {
            let mut state = self.state.lock();
            state.is_done = true;
            (state.inquiry.take(), state.timer.take())
        };
        if let Some((deadline, key)) = timer {
            let me: Weak<dyn Timed> = self.me.clone();
            self.home.forget(deadline, key, &me);
        }
        if let Some(inquiry) = inquiry {
            inquiry.answer(Ok(()));
        }
    }

    /// The application hears of it, once, on the thread of the server's loop; or the server has closed before all have answered.
    fn tell(&self, core: &Core) {
        let (responses, expected, timed_out) = {
            let mut state = self.state.lock();
            state.is_done = true;
            let responses = std::mem::take(&mut state.responses);
            (responses, state.clients, !state.is_complete())
        };
        let acks = BroadcastAcks {
            responses: &responses,
            expected,
            timed_out,
        };
        core.handler(&self.namespace)
            .on_broadcast_ack(&self.namespace, self.token, acks);
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
            state.responses.push(response);
        });
    }

    fn on_gone(&self) {
        self.change(|state| state.settled += 1);
    }
}

impl Timed for Gathering {
    fn due(self: Arc<Self>, _now: Millis) {
        self.done();
    }
}
