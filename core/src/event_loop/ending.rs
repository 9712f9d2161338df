//! How connections end: closing handshakes, failures, timeouts, and the last events.

use std::io;

use super::connection::{Conn, Flag, NO_SERVER, Stage};
use super::core::LoopCore;
use super::securing::failure_in;
use super::timers::Entry;
use crate::error::{Error, ErrorCode};
use crate::handle::{Id, Kind};
use crate::websocket::SendOutcome;
use crate::ws::{Millis, Role, Timeout};

/// How long a socket may linger for its last bytes to arrive.
const LINGER: Millis = 2_000;

impl LoopCore {
    /// The peer's end of the stream is reached.
    pub(crate) fn end_of_stream(&self, id: Id) {
        enum Then {
            LetGo,
            Nothing,
            EndReply,
            Finish(Option<Error>),
        }
        let securing = self.with_conn(id, |conn| conn.is_securing()) == Some(true);
        let then = self.with_conn(id, |conn| match &mut conn.stage {
            Stage::Lingering(_) | Stage::Over => Then::LetGo,
            Stage::Away(_) => Then::Nothing,
            Stage::Requesting(_) => Then::EndReply,
            Stage::Serving(serving) => {
                if securing {
                    let site = serving.site.clone();
                    site.handshake_failed(conn, "the client has closed the connection");
                }
                Then::Finish(None)
            }
            Stage::Connecting(connecting) => Then::Finish(Some(connecting.stream_ended())),
            Stage::Open(machine) => {
                let done = machine.close_sent() && machine.close_received();
                machine.eof();
                let ending = conn.ending();
                ending.was_clean = done;
                Then::Finish(if done { None } else { ending.error.take() })
            }
        });
        match then {
            Some(Then::LetGo) => self.let_go(id),
            Some(Then::Finish(error)) => self.lost(id, error, false),
            Some(Then::EndReply) => self.requesting_ended(id),
            Some(Then::Nothing) | None => {}
        }
    }

    /// Reading failed: the peer has reset the connection, or the network has.
    pub(crate) fn transport_failed(&self, id: Id, error: &io::Error) {
        if let Some(failure) = failure_in(error) {
            return self.tls_failed(id, failure);
        }
        let text = format!("the connection was lost: {error}");
        let on_the_way = self.with_conn(id, |conn| match &mut conn.stage {
            Stage::Connecting(connecting) => Some(connecting.transport_failed(error)),
            _ => None,
        });
        if let Some(error) = on_the_way.flatten() {
            return self.lost(id, Some(error), false);
        }
        let clean = self.with_conn(id, |conn| match &conn.stage {
            Stage::Lingering(_) | Stage::Over => None,
            Stage::Open(machine) => Some(machine.close_sent() && machine.close_received()),
            _ => Some(false),
        });
        match clean {
            Some(None) => self.let_go(id),
            Some(Some(true)) => self.end_of_stream(id),
            Some(Some(false)) => self.lost(id, Some(Error::new(ErrorCode::Io, text)), false),
            None => {}
        }
    }

    /// Ends a connection whose closing handshake is done: a server closes at once, a client waits for the server to
    /// do so (RFC 6455 §7.1.1).
    pub(crate) fn check_closing(&self, id: Id) {
        let done = self.with_conn(id, |conn| match &conn.stage {
            Stage::Open(machine) => conn.has_shaken_hands() && machine.role() == Role::Server,
            Stage::Lingering(_) => {
                if conn.outbox.is_empty()
                    && let Some(stream) = &mut conn.stream
                {
                    stream.shutdown_write();
                }
                false
            }
            _ => false,
        });
        if done == Some(true) {
            self.with_conn(id, |conn| conn.ending().was_clean = true);
            self.finish(id, None, true);
        }
    }

    /// A connection's deadline has come.
    pub(crate) fn timed_out(&self, id: Id) {
        let now = self.now();
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        let timeout = self.with_conn(id, |conn| {
            let profile = conn.profile.clone();
            if !matches!(conn.stage, Stage::Open(_)) {
                return Some(None);
            }
            self.expire(conn);
            conn.look_at_progress(now);
            conn.look_at_closing(now);
            let mut scratch = self.scratch.borrow_mut();
            self.write_control(conn, slot, |stage, out| match stage {
                Stage::Open(machine) => {
                    let before = out.len();
                    let timeout = machine.handle_timeout(now, &profile.protocol, &mut scratch, out);
                    if out.len() > before {
                        machine.pinged_at(self.micros());
                    }
                    timeout.map(Some)
                }
                _ => None,
            })
        });
        match timeout.flatten() {
            None => self.arm(id), // a ping went out, or nothing was due
            Some(None) => self.stage_timed_out(id),
            Some(Some(timeout)) => self.machine_timed_out(id, timeout),
        }
    }

    fn machine_timed_out(&self, id: Id, timeout: Timeout) {
        match timeout {
            Timeout::Dead => {
                let text = "nothing came from the peer within the ping timeout";
                self.lost(id, Some(Error::new(ErrorCode::PeerDead, text)), false);
            }
            Timeout::Close => {
                let clean = self.with_conn(id, |conn| conn.has_shaken_hands()) == Some(true);
                self.with_conn(id, |conn| conn.ending().was_clean = clean);
                let text = "the closing handshake was not finished within its timeout";
                let error = (!clean).then(|| Error::new(ErrorCode::CloseTimeout, text));
                self.lost(id, error, false);
            }
        }
    }

    fn stage_timed_out(&self, id: Id) {
        enum Then {
            LetGo,
            Connect,
            ComeBack,
            Wait,
            Answer,
            Request,
        }
        self.expire_kept(id);
        let now = self.now();
        let then = self.with_conn(id, |conn| match &conn.stage {
            Stage::Connecting(_) => Then::Connect,
            Stage::Away(away) if away.until <= now => Then::ComeBack,
            Stage::Away(_) => Then::Wait,
            Stage::Serving(_) => Then::Answer,
            Stage::Requesting(_) => Then::Request,
            _ => Then::LetGo,
        });
        match then {
            Some(Then::LetGo) => self.let_go(id),
            Some(Then::Connect) => self.connecting_due(id),
            Some(Then::ComeBack) => self.come_back(id),
            Some(Then::Wait) => self.arm(id),
            Some(Then::Answer) => self.serving_timed_out(id),
            Some(Then::Request) => self.requesting_due(id),
            None => {}
        }
    }

    /// Ends a handle: nothing more is delivered but `on_error`, if there is one, and `on_close`. With `linger` the
    /// socket stays until the peer has what was sent last.
    pub(crate) fn finish(&self, id: Id, error: Option<Error>, linger: bool) {
        let now = self.now();
        let mut runners = Vec::new();
        let mut elsewhere = None; // dropped when nothing is borrowed
        let first = self.with_conn(id, |conn| {
            if conn.flags.raise(Flag::Ended) {
                return false;
            }
            conn.flags.set(
                Flag::Silent,
                matches!(conn.stage, Stage::Serving(_)) && !conn.flags.has(Flag::FailedAnswer),
            );
            conn.flags.set(
                Flag::Answering,
                conn.flags.has(Flag::Silent) && conn.is_asked() && !conn.slot.take_question(),
            );
            let cut = conn.take_cut();
            elsewhere = conn.take_elsewhere();
            conn.ending().error = error;
            conn.ending().cut = cut;
            runners = conn.take_runners();
            self.fail_kept(conn);
            let lingers = linger && !conn.flags.has(Flag::Broken) && conn.stream.is_some();
            conn.stage = if lingers {
                Stage::Lingering(now + LINGER)
            } else {
                Stage::Over
            };
            conn.take_stash();
            conn.recount();
            true
        });
        if first != Some(true) {
            return;
        }
        runners.into_iter().for_each(|stream| self.close_stream(stream));
        if let Some(slot) = self.shared().slots.get(id) {
            slot.close();
        }
        self.arm(id);
        self.ended.borrow_mut().push(id.slot());
        self.ask_for_flush();
    }

    /// Calls `on_error` and `on_close` for all that have ended, and frees what is not lingering.
    pub(crate) fn deliver_ends(&self) {
        let mut list = self.ended.take();
        if !list.is_empty() && !self.shared().commands.is_empty() {
            self.run_commands(); // what was accepted from other threads, while these were open, has its on_sent first
        }
        for slot in list.drain(..) {
            let Some(id) = self.with_slot(slot, |conn| conn.id) else {
                continue;
            };
            self.announce(id);
            if !self.tell_away(id) && self.with_conn(id, |conn| conn.flags.has(Flag::Ended)) == Some(true) {
                self.deliver_end(id);
            }
        }
        if self.ended.borrow().is_empty() {
            self.ended.replace(list); // for its room
        }
        self.deliver_server_ends();
    }

    fn deliver_end(&self, id: Id) {
        let due = self.with_conn(id, |conn| {
            if self.closed.get() {
                // Nothing can come any more that its last events could wait for.
            } else if conn.flags.has(Flag::Answering) {
                return None;
            } else if conn.handler.is_none() && !conn.flags.has(Flag::Silent) {
                conn.flags.set(Flag::Orphaned, true); // its last events, too, wait for a handler
                return None;
            }
            conn.outbox
                .forget_tokens(|token| self.report(id, [token], SendOutcome::Failed));
            Some(())
        });
        if let Some(Some(())) = due {
            self.release_held(id); // its handler may have come just now
            self.drop_deferred(id);
            self.deliver_reports();
            self.deliver_last(id);
        }
    }

    fn deliver_last(&self, id: Id) {
        let last = self.with_conn(id, |conn| {
            let ending = conn.take_ending().unwrap_or_default();
            let handler = conn.handler.take().filter(|_| !conn.flags.has(Flag::Silent));
            let lingers = matches!(conn.stage, Stage::Lingering(_));
            let counted = !conn.flags.has(Flag::Excess);
            (handler, conn.websocket(), ending, conn.server, lingers, counted)
        });
        let Some((handler, ws, ending, server, lingers, counted)) = last else {
            return;
        };
        if let Some(cut) = &ending.cut {
            cut.tell();
        }
        if let Some(handler) = handler {
            if let Some(error) = ending.verdict.as_ref().or(ending.error.as_ref()) {
                handler.on_error(ws, error);
            }
            handler.on_close(ws, &ending.event());
        }
        self.with_conn(id, |conn| conn.flags.set(Flag::Told, true));
        if lingers {
            self.linger(id)
        } else {
            self.remove(id)
        }
        if server != NO_SERVER {
            self.connection_of_server_ended(server, id, counted);
        }
    }

    fn linger(&self, id: Id) {
        self.with_conn(id, |conn| {
            if conn.outbox.is_empty()
                && let Some(stream) = &mut conn.stream
            {
                stream.shutdown_write();
            }
        });
        self.arm(id);
    }

    /// The socket of an ended connection is of no more use; the connection goes once its last events are delivered.
    fn let_go(&self, id: Id) {
        let told = self.with_conn(id, |conn| {
            conn.stage = Stage::Over;
            conn.flags.has(Flag::Told)
        });
        if told == Some(true) {
            self.remove(id);
        }
    }

    /// Closes the socket and frees the slot.
    pub(crate) fn remove(&self, id: Id) {
        let conn = self.conns.borrow_mut().take(id);
        let Some(mut conn) = conn else { return };
        conn.uncount();
        self.alive.set(self.alive.get() - 1);
        self.refused
            .set(self.refused.get() - usize::from(conn.flags.has(Flag::Excess)));
        self.close_socket(conn);
        self.shared().slots.release(id);
    }

    fn close_socket(&self, mut conn: Conn) {
        if let Some(slot) = self.shared().slots.get(conn.id) {
            slot.clear_socket();
        }
        if let Some(mut stream) = conn.stream.take() {
            stream.answer_goodbye();
            self.close_stream(stream);
        }
    }

    /// Begins an orderly end: no new connections, 1001 for the open ones; at the deadline all is cut.
    pub(crate) fn begin_shutdown(&self, within: Millis) {
        self.read_clock(); // the time begins now, however long the turn has lasted
        let deadline = self.now().saturating_add(within);
        self.cut_at.set(deadline.min(self.cut_at.get()));
        let servers: Vec<Id> = self
            .servers
            .borrow()
            .values()
            .map(|listener| listener.id)
            .collect();
        for server in servers {
            self.close_server(server, Some((1001, "going away")));
        }
        for id in self.all_connections() {
            self.begin_close(id, Some(1001), "going away");
        }
        self.warn_residents();
        self.set_timer(Entry { deadline, key: 0 });
    }

    pub(crate) fn cut_when_late(&self) {
        if self.now() >= self.cut_at.get() {
            self.cut_everything();
        }
    }

    pub(crate) fn end_shutdown_when_done(&self) {
        let shutting_down = self.cut_at.get() != super::connection::NEVER;
        let servers_left = !self.servers.borrow().is_empty() || !self.ended_servers.borrow().is_empty();
        if shutting_down && self.alive.get() == 0 && !servers_left {
            self.stopping.set(true);
        }
    }

    /// Ends every connection and server on the spot.
    pub(crate) fn cut_everything(&self) {
        let servers: Vec<Id> = self
            .servers
            .borrow()
            .values()
            .map(|listener| listener.id)
            .collect();
        for server in servers {
            self.close_server(server, None);
        }
        for id in self.all_connections() {
            self.finish(id, None, false);
            self.with_conn(id, |conn| conn.stage = Stage::Over);
        }
        self.deliver_ends();
        for id in self.all_connections() {
            self.remove(id);
        }
    }

    pub(crate) fn all_connections(&self) -> Vec<Id> {
        let conns = self.conns.borrow();
        conns
            .iter()
            .map(|conn| conn.id)
            .filter(|id| Id::from_raw(id.raw(), Kind::Connection).is_ok())
            .collect()
    }
}
