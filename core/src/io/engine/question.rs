//! Whether a client may begin a session (`allowRequest`).

use std::sync::Arc;

use super::beginning::{Beginning, First};
use super::{Engine, Handshake};
use crate::engineio::{Denial, Sid};
use crate::route::HttpAnswer;

/// Answer it once, now or later, on any thread. Dropped, it is denied. What an answer brings about is heard later, never
/// inside the call.
#[must_use = "a client waits for the answer; dropping this denies the request"]
pub(crate) struct Question {
    engine: Arc<Engine>,
    request: Handshake,
    beginning: Option<Beginning>,
}

impl Question {
    pub(super) fn new(engine: &Arc<Engine>, request: Handshake, beginning: Beginning) -> Question {
        if let Some(exchange) = beginning.exchange() {
            engine.asked.insert(exchange);
        }
        Question {
            engine: engine.clone(),
            request,
            beginning: Some(beginning),
        }
    }

    /// The request.
    pub(crate) fn request(&self) -> &Handshake {
        &self.request
    }

    /// Whether the session has begun.
    pub(crate) fn is_upgrade(&self) -> bool {
        let beginning = self.beginning.as_ref();
        beginning.is_some_and(|beginning| matches!(beginning.first, First::Upgrade { .. }))
    }

    /// What the layer above knows it by, for the headers of the answer.
    pub(crate) fn set_note(&mut self, note: u64) {
        if let Some(beginning) = &mut self.beginning {
            beginning.note = note;
        }
    }

    /// The session begins.
    pub(crate) fn allow(mut self) {
        self.settle(Ok(None));
    }

    /// The same under an id of the application's. One that can't be used refuses with code 3, "Bad request".
    pub(crate) fn allow_as(mut self, id: &str) {
        let text = "an id is 1 to 255 visible ASCII characters, none of them '\"' or '\\'";
        let id = Sid::own(id).ok_or_else(|| Engine::no_id(text.to_owned()));
        self.settle(id.map(Some));
    }

    /// Status 403 and code 4 with this message, or "Forbidden" without; a WebSocket is refused with status 400.
    pub(crate) fn deny(mut self, message: Option<&str>) {
        self.settle(Err(Denial::forbidden(message)));
    }

    /// Status 400 and code 3, "Bad request", with this name in the context.
    pub(crate) fn deny_bad_request(mut self, name: &str) {
        self.settle(Err(Denial::bad_request(name, Vec::new())));
    }

    /// The application's own answer; nothing is reported. A WebSocket is refused with it, if its status is one of a refusal, and with
    /// 400 otherwise.
    pub(crate) fn respond(mut self, answer: HttpAnswer) {
        let Some(beginning) = self.beginning.take() else {
            return;
        };
        if let Some(exchange) = beginning.exchange() {
            self.engine.asked.remove(&exchange);
        }
        let engine = self.engine.clone();
        beginning
            .home()
            .run(Box::new(move || engine.respond(beginning, answer)));
    }

    fn settle(&mut self, verdict: Result<Option<Sid>, Denial>) {
        let Some(beginning) = self.beginning.take() else {
            return;
        };
        // A client that has gone meanwhile gets no session.
        let is_there = beginning
            .exchange()
            .is_none_or(|exchange| self.engine.asked.remove(&exchange).is_some());
        let (engine, request) = (self.engine.clone(), self.request.clone());
        let home = beginning.home();
        home.run(Box::new(move || match verdict {
            Err(denial) => engine.refuse(beginning, request, &denial),
            Ok(id) if is_there => engine.begin(beginning, request, id),
            Ok(_) => beginning.drop_gone(),
        }));
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.settle(Err(Denial::forbidden(None)));
    }
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
