//! WebSockets that another server has, as sessions have them.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Engine;
use super::effects::ignore;
use super::link::Link;
use super::session::Session;
use crate::engineio::Data;
use crate::error::{ErrorCode, Result};
use crate::event_loop::Home;
use crate::http::Request;
use crate::io::ForeignOutlet;
use crate::io::registry::{self, Registry};
use crate::server::Refusal;
use crate::websocket::Sent;
use crate::ws::MessageType;

/// Those that have not gone.
static ALL: Registry<Arc<Foreign>> = Registry::new();

pub(super) fn find(number: u64) -> Option<Arc<Foreign>> {
    ALL.with(number, Arc::clone)
}

pub(super) fn there(found: Option<Arc<Foreign>>) -> Result<Arc<Foreign>> {
    found.ok_or_else(|| ErrorCode::Closed.into())
}

/// One of them.
pub(crate) struct Foreign {
    number: u64,
    outlet: Arc<dyn ForeignOutlet>,
    max_message: usize,
    high_water_mark: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    is_over_mark: bool,
    /// The outlet was told to close, or to refuse.
    is_ending: bool,
}

impl Foreign {
    pub(super) fn accept(
        &self,
        headers: Vec<(String, String)>,
        session: Option<&Arc<Session>>,
    ) -> Result<()> {
        self.outlet.accept(headers);
        let Some(session) = session else {
            return self.close(None);
        };
        self.state.lock().session = Some(session.clone());
        if find(self.number).is_none() {
            self.state.lock().session = None; // it has gone meanwhile
            return Err(ErrorCode::Closed.into());
        }
        session.opened(self.link());
        Ok(())
    }

    pub(super) fn refuse(&self, refusal: Refusal) -> Result<()> {
        refusal.check()?;
        if !std::mem::replace(&mut self.state.lock().is_ending, true) {
            self.outlet.refuse(refusal);
        }
        Ok(())
    }

    pub(super) fn send(&self, kind: MessageType, data: &[u8]) -> Result<Sent> {
        let mut state = self.state.lock();
        if state.is_ending {
            return Err(ErrorCode::NotOpen.into());
        }
        self.outlet.send(kind, data);
        if self.outlet.buffered_amount() <= self.high_water_mark {
            return Ok(Sent::Queued);
        }
        state.is_over_mark = true;
        Ok(Sent::OverMark)
    }

    pub(super) fn close(&self, code: Option<u16>) -> Result<()> {
        if !std::mem::replace(&mut self.state.lock().is_ending, true) {
            self.outlet.close(code);
        }
        Ok(())
    }

    pub(super) fn buffered_amount(&self) -> u64 {
        self.outlet.buffered_amount()
    }

    pub(super) fn is_behind(&self) -> bool {
        self.outlet.is_behind()
    }

    pub(crate) fn received(&self, message: Data<'_>) {
        let Some(session) = self.session() else { return };
        let link = self.link();
        if message.len() > self.max_message {
            ignore(self.close(Some(1009)));
            return at_home(session, move |session| session.gone(link, true));
        }
        if session.home().is_here() {
            return session.heard(link, message);
        }
        match message {
            Data::Text(text) => {
                let text = text.to_owned();
                at_home(session, move |session| session.heard(link, Data::Text(&text)));
            }
            Data::Binary(bytes) => {
                let bytes = bytes.to_vec();
                at_home(session, move |session| session.heard(link, Data::Binary(&bytes)));
            }
        }
    }

    pub(crate) fn drained(&self) {
        let session = {
            let mut state = self.state.lock();
            if !state.is_over_mark || self.outlet.buffered_amount() > self.high_water_mark / 2 {
                return;
            }
            state.is_over_mark = false;
            state.session.clone()
        };
        let link = self.link();
        if let Some(session) = session {
            at_home(session, move |session| session.drained(link));
        }
    }

    pub(crate) fn closed(&self) {
        if ALL.take(self.number).is_none() {
            return;
        }
        let session = {
            let mut state = self.state.lock();
            state.is_ending = true;
            state.session.take()
        };
        let link = self.link();
        if let Some(session) = session {
            at_home(session, move |session| session.gone(link, false));
        }
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.state.lock().session.clone()
    }

    fn link(&self) -> Link {
        Link::foreign(self.number)
    }
}

/// On the thread of the session's loop, at once where this is it.
fn at_home(session: Arc<Session>, act: impl FnOnce(&Session) + Send + 'static) {
    let home = session.home();
    if home.is_here() {
        return act(&session);
    }
    home.run(Box::new(move || act(&session)));
}

impl Engine {
    /// Serves a request for a WebSocket that another HTTP server has read: soon, as [`handle`](Engine::handle) does.
    pub(crate) fn foreign_websocket(
        self: &Arc<Self>,
        head: Request,
        remote: Option<SocketAddr>,
        secure: bool,
        outlet: Arc<dyn ForeignOutlet>,
    ) -> Arc<Foreign> {
        let settings = self.settings();
        let foreign = Arc::new(Foreign {
            number: registry::fresh(),
            outlet,
            max_message: settings.max_message,
            high_water_mark: settings.high_water_mark as u64,
            state: Mutex::default(),
        });
        ALL.insert(foreign.number, foreign.clone());
        let home = Home::current().unwrap_or(self.home);
        let (engine, link) = (self.clone(), foreign.link());
        home.run(Box::new(move || {
            engine.upgrade(link, &head, remote, secure, home);
        }));
        foreign
    }
}
