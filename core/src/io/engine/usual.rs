//! A short way for the requests of which polling has nearly all: a GET or a POST of revision 4 for a session that lives on
//! the loop which has read it. They are looked at where they lie, and their answers are written where they are sent from.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use super::Engine;
use super::answers::{Heads, Waiting, is_explorer, respond};
use super::session::Session;
use crate::engineio::query::Query;
use crate::engineio::server::PollAnswer;
use crate::engineio::{ParseError, PayloadType, Sid, Transport, Version, decode_payload};
use crate::http::UsualRequest;
use crate::route::{Exchange, Regular};

/// From here on a body goes to the system as it lies, and is none of the thread's any more.
const LONG: usize = 16 << 10;

thread_local!(static BODY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) });

impl Engine {
    /// The session that such a request is for.
    pub(super) fn regular(&self, target: &[u8]) -> Option<Arc<Session>> {
        let rest = target.strip_prefix(self.path.as_bytes())?;
        let query = rest.strip_prefix(b"/?").or_else(|| {
            rest.strip_prefix(b"?")
                .filter(|_| !self.options.add_trailing_slash)
        })?;
        let sid = Query::polling_sid(query).filter(|_| self.rules.polling && self.heads.is_some())?;
        let sid = Sid::parse(std::str::from_utf8(sid).ok()?)?;
        let session = self.sessions.get(&sid)?;
        let state = session.state.lock();
        let is_usual = state.machine.transport() == Transport::Polling
            && state.machine.version() == Version::V4
            && state.home.is_here();
        drop(state);
        is_usual.then_some(session)
    }
}

impl Regular for Session {
    fn takes(&self, request: &UsualRequest<'_>) -> bool {
        request.content_type != b"application/octet-stream" && !is_explorer(request.user_agent)
    }

    fn on_usual(&self, request: UsualRequest<'_>, exchange: Exchange) {
        let Some(heads) = &self.engine.heads else {
            return; // then nothing comes here
        };
        match request.is_post {
            true => self.post_usual(request.body, exchange, heads),
            false => self.get_usual(&request, exchange, heads),
        }
    }
}

impl Session {
    fn post_usual(&self, body: &[u8], exchange: Exchange, heads: &Heads) {
        let is_good = match simdutf8::basic::from_utf8(body) {
            Ok(text) => self.take_packets(decode_payload(Version::V4, text)),
            Err(_) => {
                self.take_packet(Err(ParseError));
                false
            }
        };
        if is_good {
            exchange.respond_shared(&heads.posted, Cow::Borrowed(b"ok"));
        } else {
            respond(exchange, 400, heads.cors.clone(), "");
        }
    }

    fn get_usual(&self, request: &UsualRequest<'_>, exchange: Exchange, heads: &Heads) {
        let mut body = BODY.try_with(Cell::take).unwrap_or_default();
        let polled = self.state.lock().machine.poll_at_once(&mut body);
        match polled {
            None => self.park(Waiting::usual(exchange, request, heads)),
            Some(compress) if body.len() >= LONG || self.engine.options.compresses(compress, body.len()) => {
                let answer = PollAnswer {
                    body: std::mem::take(&mut body),
                    kind: PayloadType::Text,
                    compress,
                };
                Waiting::usual(exchange, request, heads).answer(answer, &self.engine.options);
            }
            Some(_) => exchange.respond_shared(&heads.got, Cow::Borrowed(&body)),
        }
        body.clear();
        let _ = BODY.try_with(|kept| kept.set(body)); // at the end of a thread nothing is kept
    }
}
