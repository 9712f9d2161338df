//! The connection: attempts, loss, reconnection.

use super::{Action, Client, Event, Reason, State};
use crate::ws::Millis;

impl Client {
    /// Connects, unless there is a connection or an attempt to make one.
    pub fn open(&mut self, now: Millis) {
        if self.state != State::Closed {
            return;
        }
        self.state = State::Opening;
        self.skip_reconnect = false;
        self.open_deadline = self.settings.timeout.map(|timeout| now.saturating_add(timeout));
        self.actions.push_back(Action::Open);
    }

    /// The application has heard of [`Event::ReconnectAttempt`]: makes it.
    pub fn attempt(&mut self, now: Millis) {
        if self.is_reconnecting && !self.skip_reconnect && self.reconnect_at.is_none() {
            self.open(now);
        }
    }

    /// Closes the connection, and gives up coming back to one.
    pub fn close(&mut self, now: Millis) {
        self.skip_reconnect = true;
        self.is_reconnecting = false;
        self.reconnect_at = None;
        if self.state != State::Closed {
            self.closed(Reason::ForcedClose, "", now);
        }
    }

    /// Turns reconnection on, or off.
    pub fn set_reconnection(&mut self, enabled: bool) {
        self.settings.reconnection = enabled;
        if !enabled {
            self.skip_reconnect = true;
            self.is_reconnecting &= self.reconnect_at.take().is_none();
        }
    }

    /// There is a connection.
    pub fn opened(&mut self) {
        if self.state != State::Opening {
            return;
        }
        self.open_deadline = None;
        self.state = State::Open;
        self.connection += 1;
        self.events.push_back(Event::Opened);
        for key in 0..self.sockets.len() {
            self.ask_to_connect(key);
        }
        if std::mem::take(&mut self.is_reconnecting) {
            self.events.push_back(Event::Reconnected(self.backoff.attempts()));
            self.backoff.reset();
        }
    }

    /// The connection has failed, or could not be made. The end of an open one is told apart: [`Client::closed`].
    pub fn failed(&mut self, what: &str, now: Millis) {
        match self.state {
            State::Closed => {}
            State::Opening => self.not_opened(what, now),
            State::Open => {
                self.events.push_back(Event::Failed(what.to_owned()));
                self.tell_unreachable(what);
            }
        }
    }

    /// The connection has ended.
    pub fn closed(&mut self, reason: Reason, detail: &str, now: Millis) {
        match self.state {
            State::Closed => return,
            State::Opening if reason != Reason::ForcedClose => return self.not_opened(detail, now),
            State::Opening | State::Open => {}
        }
        self.leave();
        self.backoff.reset();
        self.events.push_back(Event::Closed(reason, detail.to_owned()));
        for key in 0..self.sockets.len() {
            if self.is_socket_active(key) {
                self.socket_closed(key, reason, detail, now);
            }
        }
        if self.settings.reconnection && !self.skip_reconnect {
            self.reconnect(now);
        }
    }

    pub(super) fn open_timed_out(&mut self, now: Millis) {
        self.not_opened("timeout", now);
    }

    fn not_opened(&mut self, what: &str, now: Millis) {
        self.leave();
        self.events.push_back(Event::Failed(what.to_owned()));
        self.tell_unreachable(what);
        if std::mem::take(&mut self.is_reconnecting) {
            self.reconnect(now);
            self.events.push_back(Event::ReconnectError(what.to_owned()));
        } else if self.settings.reconnection && self.backoff.attempts() == 0 {
            self.reconnect(now);
        }
    }

    /// There is no connection any more, as far as the machine is concerned.
    fn leave(&mut self) {
        self.state = State::Closed;
        self.open_deadline = None;
        self.actions.push_back(Action::Close);
    }

    fn reconnect(&mut self, now: Millis) {
        if self.is_reconnecting || self.skip_reconnect {
            return;
        }
        let attempts = self.backoff.attempts();
        if self.settings.attempts.is_some_and(|most| attempts >= most) {
            self.backoff.reset();
            self.events.push_back(Event::ReconnectFailed);
            return;
        }
        let delay = self.backoff.next_delay((self.random)());
        self.is_reconnecting = true;
        self.reconnect_at = Some(now.saturating_add(delay));
        self.events
            .push_back(Event::ReconnectScheduled(self.backoff.attempts(), delay));
    }

    fn tell_unreachable(&mut self, what: &str) {
        for key in 0..self.sockets.len() {
            if self.is_socket_active(key) && !self.is_connected(key) {
                self.events.push_back(Event::Unreachable(key, what.to_owned()));
            }
        }
    }

    /// A socket is not active any more: without one that is, nobody needs the connection.
    pub(super) fn leave_if_unused(&mut self, now: Millis) {
        if !(0..self.sockets.len()).any(|key| self.is_socket_active(key)) {
            self.close(now);
        }
    }
}
