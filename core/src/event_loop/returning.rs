//! Clients that come back: from the loss of a connection, by a wait, to another attempt.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::connecting::{Connecting, Purpose};
use super::connection::{Conn, Flag, NEVER, Stage};
use super::core::LoopCore;
use super::keeping::Kept;
use crate::client::{self, ClientOptions};
use crate::destination::Destination;
use crate::error::Error;
use crate::handle::Id;
use crate::reconnect::{Attempt, Reconnect, Reconnecting, retry_after};
use crate::settings::millis;
use crate::ws::url::Url;
use crate::ws::{Millis, ReadyState};

/// What is kept of a client that comes back.
pub(crate) struct Returning {
    options: Arc<ClientOptions>,
    policy: Reconnect,
    url: Url,
    /// Since the connection was last stable.
    attempts: u32,
    /// Since when there is a connection.
    open_since: Option<Millis>,
    /// The application has been told, or will be, that it is open.
    was_open: bool,
    pub(super) kept: Kept,
}

/// Without a connection, until the next attempt.
pub(crate) struct Away {
    pub(crate) until: Millis,
    /// What the application is still to be told; only then the wait begins.
    event: Option<Reconnecting>,
}

impl Returning {
    /// `None` unless that is asked for.
    pub(crate) fn new(options: &Arc<ClientOptions>, url: &Url) -> Option<Box<Returning>> {
        let policy = options.reconnect.clone()?;
        Some(Box::new(Returning {
            options: options.clone(),
            policy,
            url: url.clone(),
            attempts: 0,
            open_since: None,
            was_open: false,
            kept: Kept::default(),
        }))
    }

    /// How many bytes of messages are kept while there is no connection.
    pub(super) fn outbox(&self) -> usize {
        self.policy.outbox
    }

    /// Says whether that is another time.
    pub(crate) fn opened(&mut self, now: Millis) -> bool {
        self.open_since = Some(now);
        std::mem::replace(&mut self.was_open, true)
    }

    /// How long until another attempt; `None` if there is none.
    fn lost(&mut self, code: u16, error: Option<&Error>, now: Millis) -> Option<Duration> {
        if let Some(since) = self.open_since.take()
            && now.saturating_sub(since) >= millis(self.policy.stable_after)
        {
            self.attempts = 0;
        }
        let is_last = self.policy.max_attempts.is_some_and(|most| self.attempts >= most);
        if is_last || self.policy.is_final(code, error) {
            return None;
        }
        self.attempts = self.attempts.saturating_add(1);
        // Without randomness all clients wait the longest: that is late, and together, but not at once.
        let random = getrandom::u64().unwrap_or(u64::MAX);
        let delay = self.policy.delay(self.attempts, random);
        let asked = error.and_then(|error| retry_after(error, SystemTime::now()));
        Some(delay.max(asked.unwrap_or_default()))
    }
}

impl LoopCore {
    /// A connection, or an attempt to make one, has ended, and nobody here has asked for that. With `linger`, what was
    /// sent last should still arrive, where the handle ends too.
    pub(crate) fn lost(&self, id: Id, error: Option<Error>, linger: bool) {
        let now = self.now();
        let is_ending = self.closed.get() || self.cut_at.get() != NEVER;
        let event = self.with_conn(id, |conn| {
            if is_ending || conn.flags.has(Flag::Leaving) || conn.flags.has(Flag::Ended) {
                return None;
            }
            conn.reconnecting(error.as_ref(), now)
        });
        match event.flatten() {
            Some(event) => self.go_away(id, event),
            None => self.finish(id, error, linger),
        }
    }

    fn go_away(&self, id: Id, event: Reconnecting) {
        if self.corked.get() == id.slot() {
            self.flush_cork(id); // it holds the close frame that says what was wrong
        }
        self.leave_transport(id);
        self.drop_deferred(id);
        self.with_conn(id, |conn| {
            // What was half sent or half received will never be whole.
            conn.slot.set_part_kind(None);
            conn.flags.set(Flag::Skipping, false);
            conn.stage = Stage::Away(Box::new(Away {
                until: NEVER,
                event: Some(event),
            }));
            conn.recount();
            conn.slot.set_ready_state(ReadyState::Connecting);
        });
        self.ended.borrow_mut().push(id.slot());
        self.ask_for_flush();
    }

    /// Tells the application that its connection is lost, and begins the wait. Says whether that was to be told.
    pub(super) fn tell_away(&self, id: Id) -> bool {
        let told = self.with_conn(id, |conn| {
            let Stage::Away(away) = &mut conn.stage else {
                return None;
            };
            let event = away.event.take()?;
            Some((event, conn.handler.clone(), conn.websocket()))
        });
        let Some(Some((event, handler, ws))) = told else {
            return false;
        };
        if let Some(handler) = handler {
            handler.on_reconnecting(ws, &event);
        }
        self.read_clock();
        let until = self.now().saturating_add(millis(event.delay));
        self.with_conn(id, |conn| {
            if let Stage::Away(away) = &mut conn.stage {
                away.until = until;
            }
        });
        self.arm(id);
        true
    }

    /// The wait is over.
    pub(super) fn come_back(&self, id: Id) {
        let asked = self.with_conn(id, |conn| {
            let (handler, ws) = (conn.handler.clone(), conn.websocket());
            let returning = conn.returning()?;
            Some((returning.attempt(), returning.options.clone(), handler, ws))
        });
        let Some(Some((mut attempt, options, handler, ws))) = asked else {
            return;
        };
        if let Some(handler) = handler {
            handler.on_attempt(ws, &mut attempt);
        }
        let Attempt { url, headers, .. } = attempt;
        let destination = client::parse(&url).and_then(|url| Destination::again(url, headers, &options));
        match destination {
            Ok(destination) => {
                let is_away = self.with_conn(id, |conn| {
                    let is_away = matches!(conn.stage, Stage::Away(_));
                    if is_away {
                        conn.stage = Stage::Connecting(Box::new(Connecting::new(
                            options,
                            destination,
                            Purpose::WebSocket,
                        )));
                    }
                    is_away
                });
                if is_away == Some(true) {
                    self.start_attempt(id);
                }
            }
            Err(error) => self.finish(id, Some(error), false),
        }
    }
}

impl Returning {
    fn attempt(&self) -> Attempt {
        Attempt {
            url: self.url.href.clone(),
            headers: self.options.headers.clone(),
            number: self.attempts,
        }
    }
}

impl Conn {
    /// Who has paused reading has paused it for the next connection, too.
    pub(super) fn stay_paused(&mut self) {
        if self.flags.has(Flag::Paused)
            && let Stage::Open(machine) = &mut self.stage
        {
            machine.suspend_liveness();
            self.set_user_timeout(true);
        }
    }

    /// What to tell the application, if it comes back from this.
    fn reconnecting(&mut self, error: Option<&Error>, now: Millis) -> Option<Reconnecting> {
        let received = self.known_ending().and_then(|ending| ending.received.clone());
        let returning = self.returning_mut()?;
        // RFC 6455 §7.1.5: 1006 where no close frame came.
        let (code, reason) = received.unwrap_or((1006, String::new()));
        let delay = returning.lost(code, error, now)?;
        Some(Reconnecting {
            attempt: returning.attempts,
            delay,
            error: error.cloned(),
            code,
            reason,
        })
    }
}
