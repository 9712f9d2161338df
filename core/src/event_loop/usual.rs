//! A short way for requests that come again and again, and for their answers: read where they lie, written where they are
//! sent from.

use std::borrow::Cow;
use std::sync::Arc;

use super::command::Command;
use super::connection::Flag;
use super::core::LoopCore;
use super::exchange::{DIRECT, Owed};
use super::serving::Phase;
use super::shared::Shared;
use super::site::Site;
use super::writing::CORK;
use crate::handle::Id;
use crate::http::{Limits, Line};
use crate::route::Exchange;
use crate::shared_head::SharedHead;
use crate::ws::Millis;

/// Answers a request of a connection: at once on its loop's thread, queued from another.
pub(crate) fn answer_shared(connection: Id, exchange: u64, head: &Arc<SharedHead>, body: Cow<'_, [u8]>) {
    let Ok(shared) = Shared::at(connection) else {
        return;
    };
    match shared.enter() {
        Some(core) => {
            core.answer_shared(connection, exchange, head, body);
            core.ask_for_flush();
        }
        None => shared.push(Command::AnswerShared(
            connection,
            exchange,
            head.clone(),
            body.into_owned(),
        )),
    }
}

impl LoopCore {
    /// Takes a request that somebody wants as it lies in the input; returns how many bytes belong to it, or `None`, with
    /// nothing done, for what goes the longer way.
    pub(super) fn usual_request(&self, id: Id, data: &[u8]) -> Option<usize> {
        let site = self.with_conn(id, |conn| {
            let serving = conn.serving()?;
            let may_be_usual = serving.site.has_regulars && serving.has_no_head();
            may_be_usual.then(|| serving.site.clone())
        })??;
        self.usual_request_of(id, &site, data)
    }

    fn usual_request_of(&self, id: Id, site: &Site, data: &[u8]) -> Option<usize> {
        let line = Line::of(data, &site.limits)?;
        let branch = site.branch_of(line.path(), false)?;
        let route = &site.branches.get(branch)?.route;
        let regular = route.regular(line.target())?;
        let limits = Limits {
            max_body: route.max_body(),
            ..site.limits
        };
        let (request, length) = line.read(data, &limits)?;
        if !regular.takes(&request) {
            return None;
        }
        let exchange = Exchange::ours(id);
        let keep_alive = !self.is_last_request(id);
        self.with_conn(id, |conn| {
            if let Some(serving) = conn.serving() {
                serving.phase = Phase::Owed(Owed {
                    exchange: exchange.id(),
                    branch,
                    is_head: false,
                    keep_alive,
                });
                serving.deadline = Millis::MAX;
            }
        });
        regular.on_usual(request, exchange);
        Some(length)
    }

    /// Gives an answer with a head that others get too, if it is still owed.
    pub(crate) fn answer_shared(&self, id: Id, exchange: u64, head: &SharedHead, body: Cow<'_, [u8]>) {
        if body.len() >= DIRECT {
            return self.answer(id, exchange, head.with(body.into_owned()));
        }
        let now = self.now();
        let is_corked = self.corked.get() == id.slot();
        let answered = self.with_conn(id, |conn| {
            let owed = conn.take_owed(exchange)?;
            let slot = conn.slot;
            self.write_control(conn, slot, |_, out| head.write(owed.keep_alive, &body, out));
            let is_clear = conn.outbox.is_empty() && !conn.flags.has(Flag::Broken);
            let goes_on = is_corked && is_clear && owed.keep_alive && self.cork.borrow().len() < CORK;
            let serving = conn.serving()?;
            serving.deadline = serving.site.deadline(now);
            serving.phase = match goes_on {
                true => Phase::Reading,
                false => Phase::Leaving {
                    keep_alive: owed.keep_alive,
                    left: usize::MAX,
                },
            };
            Some((owed.keep_alive, goes_on))
        });
        let Some(Some((keep_alive, goes_on))) = answered else {
            return;
        };
        self.arm(id);
        if is_corked && !goes_on {
            self.answer_corked(id, keep_alive);
        }
    }
}
