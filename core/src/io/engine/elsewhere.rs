//! Sessions of other nodes: requests for them are forwarded there, and what others have read for ours is served.

use std::sync::Arc;

use super::Engine;
use super::answers::respond;
use super::session::Session;
use crate::adapter::redis::Redis;
use crate::adapter::redis::forwarding::{Forwarding, Front, Held};
use crate::engineio::query::Query;
use crate::engineio::{Denial, DenialCode, Sid};
use crate::error::Result;
use crate::event_loop::Home;
use crate::route::HttpRequest;

impl Engine {
    /// Forwards requests for sessions of other nodes to these, from now on, and takes theirs. To be called once, before the
    /// first session, for the ids say whose the sessions are.
    ///
    /// # Errors
    /// Those of [`Forwarding::new`].
    pub(crate) fn forward_over(self: &Arc<Self>, redis: &Redis) -> Result<()> {
        let longest = self.config.ping_interval.saturating_add(self.config.ping_timeout);
        let front = Arc::downgrade(self);
        let forwarding = Forwarding::new(redis, longest, front)?;
        let _ = self.forwarding.set(forwarding); // once
        Ok(())
    }

    /// Others find this node no longer.
    pub(crate) fn stop_forwarding(&self) {
        if let Some(forwarding) = self.forwarding.get() {
            forwarding.close();
        }
    }

    /// The node of a session that isn't here is to answer; gives the request back if there is none.
    pub(super) fn forward(&self, request: HttpRequest, denial: &Denial, here: Home) -> Option<HttpRequest> {
        let forwarding = self
            .forwarding
            .get()
            .filter(|_| denial.code == DenialCode::UnknownSid);
        match (forwarding, sid_of(&request)) {
            (Some(forwarding), Some(sid)) => forwarding.forward(&sid, request, here),
            _ => Some(request),
        }
    }

    /// The client of a request has gone, which another node was to answer.
    pub(super) fn cut_elsewhere(&self, exchange: u64) {
        if let Some(forwarding) = self.forwarding.get() {
            forwarding.cut(exchange);
        }
    }

    /// Where what concerns a session is done.
    fn home_of(&self, sid: &Sid) -> Home {
        let session = self.sessions.get(sid);
        session.map_or(self.home, |session| session.home())
    }
}

fn sid_of(request: &HttpRequest) -> Option<Sid> {
    let query = Query::parse(request.head.query().unwrap_or_default());
    Sid::parse(query.sid.as_deref()?)
}

impl Front for Engine {
    fn serve_forwarded(self: Arc<Self>, sid: &Sid, request: HttpRequest) {
        let home = self.home_of(sid);
        home.run(Box::new(move || {
            match request.body.len() as u64 > self.options.max_http_buffer_size {
                true => respond(request.exchange, 413, Vec::new(), ""),
                false => self.serve(request, home),
            }
        }));
    }

    /// Behind the request, if that is still on its way to the session's home.
    fn cut_forwarded(self: Arc<Self>, sid: &Sid, exchange: u64) {
        self.home_of(sid).run(Box::new(move || self.was_cut(exchange)));
    }

    fn answer_lost(self: Arc<Self>, sid: &Sid) {
        if let Some(session) = self.sessions.get(sid) {
            session.home().run(Box::new(move || session.answer_lost()));
        }
    }

    fn refuse(self: Arc<Self>, request: Held) {
        request.run(move |request| {
            let sid = sid_of(&request).map(|sid| ("sid", sid.as_str().to_owned()));
            let denial = Denial::new(DenialCode::UnknownSid, sid.into_iter().collect());
            self.deny_request(request, &denial);
        });
    }
}

impl Session {
    /// What was sent with the last answer did not get to the client.
    fn answer_lost(&self) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        state.machine.answer_lost(&mut effects);
        let here = state.home.is_here();
        let after = self.apply(&mut state, effects);
        drop(state);
        self.finish(after, here);
    }
}
