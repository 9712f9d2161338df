//! Draining: a server goes in good order, and its clients not all at once.

use std::time::Duration;

use super::command::Command;
use super::connection::Stage;
use super::core::LoopCore;
use super::exchange::Owed;
use super::serving::Phase;
use super::shared::Shared;
use super::timers::Entry;
use crate::error::{Error, ErrorCode, Result};
use crate::handle::Id;
use crate::server::Refusal;
use crate::settings::millis;
use crate::ws::Millis;

/// Clients come back at once, to another server: no more than one in so much time is sent there by each loop, unless
/// that would take longer than half the time that there is.
const APART: Millis = 2;

pub(super) struct Drain {
    cut_at: Millis,
    /// When each connection begins to close; the next one is the last.
    due: Vec<(Millis, Id)>,
}

/// Asks a server to drain.
pub(crate) fn drain(server: Id, within: Duration) -> Result<()> {
    let (shared, _) = Shared::of(server)?;
    match shared.enter() {
        Some(core) => core.drain(server, millis(within)),
        None => shared.push(Command::Drain(server, millis(within))),
    }
    Ok(())
}

impl LoopCore {
    pub(crate) fn drain(&self, server: Id, within: Millis) {
        self.read_clock(); // the time to drain begins now, however long the turn has lasted
        let now = self.now();
        // Of the clock's present millisecond a part is over already: nothing is cut before its time.
        let cut_at = now.saturating_add(within + Millis::from(within > 0));
        if !self.stop_listening(server, |worker| Command::Drain(worker, within)) {
            return;
        }
        let connections = self.connections_of(server.slot());
        let (http, open): (Vec<Id>, Vec<Id>) = connections
            .into_iter()
            .partition(|id| self.with_conn(*id, |conn| conn.serving().is_some()) == Some(true));
        if let Some(listener) = self.servers.borrow_mut().get_mut(&server.slot()) {
            match &mut listener.drain {
                Some(drain) => drain.cut_at = drain.cut_at.min(cut_at),
                None => {
                    let due = spread(open, now, within / 2);
                    listener.drain = Some(Drain { cut_at, due });
                }
            }
        }
        for id in http {
            self.drain_http(id);
        }
        self.drain_on(server);
        self.server_may_be_done(server);
    }

    /// A file on its way goes there whole, and who waits for an answer still gets it; nothing is asked for after it, and nobody is upgraded any more.
    fn drain_http(&self, id: Id) {
        let asked = self.with_conn(id, |conn| {
            let asked = conn.is_asked();
            match conn.serving().map(|serving| &mut serving.phase) {
                Some(Phase::Body(arriving)) => {
                    arriving.close_after();
                    None
                }
                Some(
                    Phase::Owed(Owed { keep_alive, .. })
                    | Phase::Leaving { keep_alive, .. }
                    | Phase::Sending { keep_alive, .. },
                ) => {
                    *keep_alive = false;
                    None
                }
                _ => Some(asked),
            }
        });
        match asked.flatten() {
            Some(true) => self.answer_and_close(id, &Refusal::new(503, "the server is going away")),
            Some(false) => self.finish(id, None, true),
            None => {}
        }
    }

    /// A server's timer: accepting is to be tried again, or its draining goes on.
    pub(crate) fn server_due(&self, server: Id) {
        let draining = match self.servers.borrow().get(&server.slot()) {
            Some(listener) if listener.id == server => listener.drain.is_some(),
            _ => return,
        };
        match draining {
            true => self.drain_on(server),
            false => self.accept_all(server.slot()),
        }
    }

    /// Has those begin to close whose time has come, or cuts what is left at the deadline.
    fn drain_on(&self, server: Id) {
        let now = self.now();
        let (due, left, next) = {
            let mut servers = self.servers.borrow_mut();
            let Some(drain) = servers
                .get_mut(&server.slot())
                .and_then(|listener| listener.drain.as_mut())
            else {
                return;
            };
            let later = drain.due.partition_point(|(at, _)| *at > now);
            let due = drain.due.split_off(later);
            let next = drain.due.last().map_or(drain.cut_at, |(at, _)| *at);
            (due, drain.cut_at.saturating_sub(now), next.min(drain.cut_at))
        };
        if left == 0 {
            return self.cut_server(server);
        }
        for (_, id) in due.into_iter().rev() {
            self.begin_close_within(id, Some(1001), "going away", Some(left));
        }
        self.set_timer(Entry {
            deadline: next,
            key: server.raw(),
        });
    }

    fn cut_server(&self, server: Id) {
        let left = self.connections_of(server.slot());
        for id in &left {
            let waiting = self.with_conn(*id, |conn| {
                conn.ending().was_clean = false;
                let is_http = matches!(conn.stage, Stage::Serving(_));
                (!is_http).then(|| conn.outbox.len())
            });
            let error = waiting.flatten().map(|waiting| {
                let text = format!("the server's time to drain is over; {waiting} bytes were not sent");
                Error::new(ErrorCode::CloseTimeout, text)
            });
            self.finish(*id, error, false);
        }
        if !left.is_empty() {
            log::warn!("{} connections were cut at the end of draining", left.len());
        }
    }
}

/// Gives each connection a time of its own, at random, so that those who come back don't come in step.
fn spread(connections: Vec<Id>, now: Millis, limit: Millis) -> Vec<(Millis, Id)> {
    let span = limit.min(connections.len() as Millis * APART);
    let mut random = vec![0; connections.len() * 4];
    if let Err(error) = getrandom::fill(&mut random) {
        log::warn!("there is no randomness, so connections drain all at once: {error}");
    }
    let shares = random.as_chunks::<4>().0.iter();
    let mut due: Vec<(Millis, Id)> = connections
        .into_iter()
        .zip(shares)
        .map(|(id, share)| {
            let after = (u128::from(span) * u128::from(u32::from_ne_bytes(*share))) >> 32;
            (now + after as Millis, id)
        })
        .collect();
    due.sort_unstable_by_key(|(at, _)| std::cmp::Reverse(*at));
    due
}
