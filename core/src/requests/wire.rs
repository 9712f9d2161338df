//! One connection, and the request that is under way on it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::pool::{Job, Pool};
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::{self, Asking, Call, HearsReplies, Reply};
use crate::handler::{CloseEvent, Handler};
use crate::websocket::WebSocket;

pub(super) struct Wire {
    pool: Weak<Pool>,
    state: Mutex<State>,
    /// Something of the response under way has come.
    has_begun: AtomicBool,
    /// For whom `on_close` has to find this.
    myself: Weak<Wire>,
}

#[derive(Default)]
struct State {
    ws: Option<WebSocket>,
    is_open: bool,
    /// It has a job, or is about to have one.
    is_taken: bool,
    job: Option<Job>,
    /// A request was answered on it.
    was_used: bool,
    was_cut: bool,
    error: Option<Error>,
}

/// What is left of a connection.
pub(super) struct Ended {
    pub(super) job: Option<Job>,
    pub(super) error: Option<Error>,
    /// The server may have closed it before it saw the request.
    pub(super) may_repeat: bool,
}

impl Wire {
    pub(super) fn new(pool: &Arc<Pool>) -> Arc<Wire> {
        Arc::new_cyclic(|myself| Wire {
            pool: Arc::downgrade(pool),
            state: Mutex::new(State {
                is_taken: true,
                ..State::default()
            }),
            has_begun: AtomicBool::new(false),
            myself: myself.clone(),
        })
    }

    /// Takes it for a job, if it is open and has none.
    pub(super) fn reserve(&self) -> bool {
        let mut state = self.state.lock();
        let is_free = state.is_open && !state.is_taken && !state.was_cut;
        state.is_taken |= is_free;
        is_free
    }

    pub(super) fn let_go(&self) {
        self.state.lock().is_taken = false;
    }

    /// The job that begins when there is a connection.
    pub(super) fn take_on(&self, job: Job) {
        self.state.lock().job = Some(job);
    }

    pub(super) fn has_connection(&self, ws: WebSocket) {
        let was_cut = {
            let mut state = self.state.lock();
            state.ws = Some(ws);
            state.was_cut
        };
        if was_cut {
            self.cut();
        }
    }

    pub(super) fn has_job(&self, number: u64) -> bool {
        let state = self.state.lock();
        state.job.as_ref().is_some_and(|job| job.number == number)
    }

    pub(super) fn ask(&self, job: Job, asking: Result<Asking>) {
        self.has_begun.store(false, Ordering::Relaxed);
        let ws = {
            let mut state = self.state.lock();
            state.job = Some(job);
            state.ws
        };
        let asked = match (asking, ws) {
            (Ok(asking), Some(ws)) => event_loop::call(ws.id(), Call::Request(Box::new(asking))),
            (Ok(_), None) => Err(ErrorCode::Closed.into()),
            (Err(error), _) => Err(error),
        };
        match asked {
            Ok(()) => {}
            Err(error) if error.code() == ErrorCode::Closed => self.give_back(),
            Err(error) => self.fail(error),
        }
    }

    /// The connection has ended before the request was given to it.
    fn give_back(&self) {
        let job = {
            let mut state = self.state.lock();
            state.is_open = false;
            state.job.take()
        };
        if let (Some(pool), Some(job)) = (self.pool.upgrade(), job) {
            pool.submit_again(job);
        }
    }

    fn fail(&self, error: Error) {
        self.state.lock().error = Some(error);
        self.terminate();
    }

    /// Ends the connection, and forgets its request.
    pub(super) fn cut(&self) {
        let job = {
            let mut state = self.state.lock();
            state.was_cut = true;
            state.job.take()
        };
        drop(job); // unlocked, as what it holds is not ours
        self.terminate();
    }

    fn terminate(&self) {
        let ws = self.state.lock().ws;
        if let Some(ws) = ws {
            // An error means that it has ended by itself.
            let _ = ws.terminate();
        }
    }

    /// There is no connection, or there is none any more.
    pub(super) fn end(&self, error: Option<Error>) {
        let ended = {
            let mut state = self.state.lock();
            state.is_open = false;
            Ended {
                job: state.job.take(),
                error: error.or(state.error.take()),
                may_repeat: state.was_used && !self.has_begun.load(Ordering::Relaxed),
            }
        };
        match (self.pool.upgrade(), self.myself.upgrade()) {
            (Some(pool), Some(myself)) => pool.ended(&myself, ended),
            _ => drop(ended),
        }
    }
}

impl Handler for Wire {
    fn on_open(&self, ws: WebSocket) {
        let job = {
            let mut state = self.state.lock();
            state.ws = Some(ws);
            state.is_open = true;
            if state.was_cut { None } else { state.job.take() }
        };
        if let (Some(pool), Some(job)) = (self.pool.upgrade(), job) {
            pool.send(self, job);
        } else {
            self.terminate();
        }
    }

    fn on_error(&self, _: WebSocket, error: &Error) {
        self.state.lock().error.get_or_insert_with(|| error.clone());
    }

    fn on_close(&self, _: WebSocket, _: &CloseEvent) {
        self.end(None);
    }
}

impl HearsReplies for Wire {
    fn on_begun(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    fn on_reply(&self, _: WebSocket, reply: Reply) {
        let job = {
            let mut state = self.state.lock();
            state.was_used = true;
            state.is_open &= reply.stays;
            state.job.take()
        };
        let Some(pool) = self.pool.upgrade() else { return };
        self.let_go();
        if let Some(job) = job {
            let answer = pool.answer(job.target(), reply);
            job.done(answer);
        }
        pool.is_idle(self);
    }
}
