//! How sessions begin, once they may.

use std::sync::Arc;

use super::answers::{Headers, Waiting, respond};
use super::handler::ConnectionError;
use super::link::Link;
use super::session::Session;
use super::{Engine, Handshake};
use crate::engineio::server::Session as Machine;
use crate::engineio::{Cookie, Denial, DenialCode, PayloadType, Sid, Version};
use crate::event_loop::Home;
use crate::http::Request;
use crate::route::{HttpAnswer, HttpRequest};
use crate::server::Refusal;

/// A request that is to begin a session.
pub(super) struct Beginning {
    pub(super) version: Version,
    pub(super) b64: bool,
    pub(super) home: Home,
    pub(super) first: First,
    /// What the layer above knows the question by that let it in; 0 without.
    pub(super) note: u64,
}

/// With which transport.
pub(super) enum First {
    Polling(Box<HttpRequest>),
    WebSocket {
        link: Link,
        headers: Headers,
        /// For [`EngineHandler::on_headers`](super::EngineHandler::on_headers), if that is called.
        head: Option<Box<Request>>,
    },
    /// It has begun, and goes over to this WebSocket.
    Upgrade {
        link: Link,
        session: Arc<Session>,
        head: Box<Request>,
    },
}

impl Beginning {
    /// The exchange that waits, on polling.
    pub(super) fn exchange(&self) -> Option<u64> {
        match &self.first {
            First::Polling(request) => Some(request.exchange.id()),
            First::WebSocket { .. } | First::Upgrade { .. } => None,
        }
    }

    pub(super) fn home(&self) -> Home {
        self.home
    }

    /// The client has gone.
    pub(super) fn drop_gone(self) {
        if let First::Polling(request) = self.first {
            respond(request.exchange, 400, Vec::new(), "");
        }
    }
}

/// The clients of python-engineio take an answer with more packets for none, and the connection for lost
/// (`Payload.max_decode_packets`).
const PYTHONS_PACKETS: usize = 16;

/// Whether that may be one of these: `python-requests/2.34.2`, `Python/3.11 aiohttp/3.14.5`.
fn is_python(request: &Handshake) -> bool {
    let agent = request.header("user-agent").and_then(|agent| agent.get(..6));
    agent.is_some_and(|agent| agent.eq_ignore_ascii_case("python"))
}

/// Another server's own note is the better one.
fn set_note(head: &mut Request, note: u64) {
    if head.note == 0 {
        head.note = note;
    }
}

impl Engine {
    /// Begins a session, on the thread of its home; `id` is an application's own for it.
    pub(super) fn begin(self: &Arc<Self>, beginning: Beginning, request: Handshake, id: Option<Sid>) {
        if let First::Upgrade {
            link,
            session,
            mut head,
        } = beginning.first
        {
            set_note(&mut head, beginning.note);
            return self.upgrade_session(Some(session), link, &head);
        }
        let sid = match self.id_for(id) {
            Ok(sid) => sid,
            Err(denial) => return self.refuse(beginning, request, &denial),
        };
        let Beginning {
            version,
            b64,
            home,
            note,
            ..
        } = beginning;
        let now = home.now();
        match beginning.first {
            First::Upgrade { .. } => {}
            First::Polling(mut http) => {
                set_note(&mut http.head, note);
                let mut machine = Machine::on_polling(version, b64, &sid, now, &self.config);
                if is_python(&request) {
                    machine.limit_answers(PYTHONS_PACKETS);
                }
                let session = Session::new(self, sid, request, machine, home);
                self.begin_polling(&session, *http);
            }
            First::WebSocket {
                link,
                mut headers,
                head,
            } => {
                if let Some(mut head) = head {
                    set_note(&mut head, note);
                    self.ask_for_headers(true, &head, &mut headers);
                }
                let machine = Machine::on_websocket(version, b64, now, &self.config);
                let session = Session::new(self, sid, request, machine, home);
                if let Err(error) = link.accept(headers, Some(&session)) {
                    log::debug!("a WebSocket could not be accepted: {error}");
                    refuse_websocket(link, DenialCode::BadRequest.message());
                }
            }
        }
    }

    fn id_for(&self, own: Option<Sid>) -> Result<Sid, Denial> {
        #[cfg(feature = "redis")]
        if let Some(forwarding) = self.forwarding.get() {
            return match own {
                Some(_) => Err(Engine::no_id(
                    "requests are forwarded, by ids of the server's own".to_owned(),
                )),
                None => Sid::generate_at(forwarding.tag()).map_err(|error| Engine::no_id(error.to_string())),
            };
        }
        match own {
            Some(own) if self.sessions.get(&own).is_some() => {
                Err(Engine::no_id("the id is another session's".to_owned()))
            }
            Some(own) => Ok(own),
            None => Sid::generate().map_err(|error| Engine::no_id(error.to_string())),
        }
    }

    /// There is no id that a session could have.
    pub(super) fn no_id(error: String) -> Denial {
        Denial::bad_request("ID_GENERATION_ERROR", vec![("error", error)])
    }

    fn begin_polling(self: &Arc<Self>, session: &Arc<Session>, request: HttpRequest) {
        let cookie = self.options.cookie.as_ref();
        let cookie = cookie.map(|cookie: &Cookie| cookie.serialize(session.sid()));
        let kind = PayloadType::Text.content_type();
        let headers = self.polling_headers(&request.head, kind, Some(cookie.unwrap_or_default()));
        self.sessions.insert(session.clone());
        session.park(Waiting::new(request.exchange, &request.head, headers));
        self.announce(session);
    }

    /// Tells the layer above of a session, on its home's thread.
    pub(super) fn announce(&self, session: &Arc<Session>) {
        let Some(handler) = self.handler.upgrade() else {
            return session.close(true);
        };
        let hearer = handler.on_session(session);
        let mut state = session.state.lock();
        state.hearer = Some(hearer);
    }

    /// Tells the client and the layer above that there will be no session.
    pub(super) fn refuse(&self, beginning: Beginning, request: Handshake, denial: &Denial) {
        self.report(denial, || request);
        match beginning.first {
            First::Polling(http) => {
                let headers = self.cors_headers(&http.head);
                self.deny(http.exchange, headers, denial);
            }
            First::WebSocket { link, .. } | First::Upgrade { link, .. } => {
                refuse_websocket(link, denial.text());
            }
        }
    }

    /// Gives the application's own answer to who wanted a session.
    pub(super) fn respond(&self, beginning: Beginning, mut answer: HttpAnswer) {
        match beginning.first {
            First::Polling(http) => {
                for (name, value) in self.cors_headers(&http.head) {
                    if !answer
                        .headers
                        .iter()
                        .any(|(known, _)| known.eq_ignore_ascii_case(&name))
                    {
                        answer.headers.push((name, value));
                    }
                }
                http.exchange.respond(answer);
            }
            First::WebSocket { link, .. } | First::Upgrade { link, .. } => {
                let refusal = Refusal {
                    status: answer.status,
                    headers: answer.headers,
                    body: answer.body,
                };
                match refusal.check() {
                    Ok(()) => refuse(link, refusal),
                    Err(_) => refuse_websocket(link, DenialCode::BadRequest.message()),
                }
            }
        }
    }

    pub(super) fn report(&self, denial: &Denial, request: impl FnOnce() -> Handshake) {
        if let Some(handler) = self.handler.upgrade() {
            handler.on_connection_error(&ConnectionError::new(denial, request()));
        }
    }
}

/// The official server's words and headers. Whether they reach anybody, a page can't see.
pub(super) fn refuse_websocket(link: Link, text: &str) {
    let refusal = Refusal {
        status: 400,
        headers: vec![("Content-type".to_owned(), "text/html".to_owned())],
        body: text.as_bytes().to_vec(),
    };
    refuse(link, refusal);
}

fn refuse(link: Link, refusal: Refusal) {
    if let Err(error) = link.refuse(refusal) {
        log::trace!("an upgrade's connection has gone: {error}");
    }
}
