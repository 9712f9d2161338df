//! Requests: which are served, and by whom.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::answers::respond;
use super::beginning::{Beginning, First, refuse_websocket};
use super::link::Link;
use super::question::Question;
use super::session::Session;
use super::{Engine, EngineHandler, Handshake};
use crate::engineio::{Denial, Known, Transport, Verified, verify};
use crate::event_loop::{Home, look_at};
use crate::http::Request;
use crate::route::{HttpRequest, Regular, Route};
use crate::server::UpgradeRequest;
use crate::settings::Settings;

/// The engine as a part of a server's URL space; keeps who hears it.
struct EngineRoute {
    engine: Arc<Engine>,
    handler: Arc<dyn EngineHandler>,
}

impl Route for EngineRoute {
    fn matches(&self, path: &str) -> bool {
        self.engine.matches(path)
    }

    fn max_body(&self) -> u64 {
        self.engine.options.max_http_buffer_size
    }

    fn settings(&self) -> Option<Settings> {
        Some(self.engine.settings())
    }

    fn on_request(&self, request: HttpRequest) {
        if let Some(here) = Home::current() {
            self.engine.serve(request, here);
        }
    }

    fn regular(&self, target: &[u8]) -> Option<Arc<dyn Regular>> {
        let session = self.engine.regular(target)?;
        Some(session)
    }

    fn has_regulars(&self) -> bool {
        true
    }

    fn on_cut(&self, exchange: u64) {
        self.engine.was_cut(exchange);
    }

    fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
        let ws = request.websocket();
        let Some(home) = Home::of(ws) else { return };
        let (remote, secure) = (request.remote_address(), request.is_secure());
        self.engine
            .upgrade(ws.into(), request.head(), remote, secure, home);
    }

    fn on_server_closed(&self) {
        self.handler.on_server_closed();
    }
}

/// Without a listener nobody can come back to a session, and without a loop nobody would notice.
impl Drop for EngineRoute {
    fn drop(&mut self) {
        if self.engine.routes.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.engine.close();
        }
    }
}

impl Engine {
    /// The engine as a part of a server's URL space. It keeps `handler`, who hears the engine. When the last route goes, with
    /// its listener, all sessions are closed.
    pub(crate) fn route(self: &Arc<Self>, handler: Arc<dyn EngineHandler>) -> Arc<dyn Route> {
        self.routes.fetch_add(1, Ordering::AcqRel);
        Arc::new(EngineRoute {
            engine: self.clone(),
            handler,
        })
    }

    /// Whether a path, without its query, is served here.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path.as_str());
        rest.is_some_and(|rest| !self.options.add_trailing_slash || rest.starts_with('/'))
    }

    /// Serves a request that another HTTP server has read, and that is no upgrade: soon, on the loop of this thread if it
    /// has one, else on the engine's own home. What it brings about for other requests is answered after it.
    pub(crate) fn handle(self: &Arc<Self>, request: HttpRequest) {
        let home = Home::current().unwrap_or(self.home);
        let engine = self.clone();
        home.run(Box::new(move || {
            look_at(request.exchange.id(), || engine.serve(request, home));
        }));
    }

    /// The client that waits for the answer to such a request has gone.
    pub(crate) fn cut(self: &Arc<Self>, exchange: u64) {
        let home = Home::current().unwrap_or(self.home);
        let engine = self.clone();
        home.run(Box::new(move || engine.was_cut(exchange)));
    }

    /// Serves a request on the thread of this loop.
    pub(super) fn serve(self: &Arc<Self>, request: HttpRequest, here: Home) {
        if let Some(bundle) = &self.bundle
            && let Some(file) = bundle.find(&self.path, request.head.path())
        {
            let headers = self.cors_headers(&request.head);
            return bundle.serve(file, request, headers);
        }
        if let Some(cors) = &self.options.cors
            && cors.answers(&request.head.method)
        {
            let headers = self.cors_headers(&request.head);
            return respond(request.exchange, cors.options_success_status, headers, "");
        }
        match self.verify(&request.head, false) {
            Ok((Verified::Session { .. }, Some(session))) => session.request_came(request),
            Ok((Verified::Handshake { version, b64, .. }, _)) => {
                let kept = Handshake::new(&request.head, request.remote, request.secure);
                let first = First::Polling(Box::new(request));
                self.ask(
                    Beginning {
                        version,
                        b64,
                        home: here,
                        first,
                        note: 0,
                    },
                    kept,
                );
            }
            // A session is found or the request is denied.
            Ok((Verified::Session { .. }, None)) => respond(request.exchange, 400, Vec::new(), ""),
            Err(denial) => {
                #[cfg(feature = "redis")]
                let Some(request) = self.forward(request, &denial, here) else {
                    return;
                };
                self.deny_request(request, &denial);
            }
        }
    }

    /// Tells the client and the layer above that a request is not served.
    pub(super) fn deny_request(&self, request: HttpRequest, denial: &Denial) {
        self.report(denial, || {
            Handshake::new(&request.head, request.remote, request.secure)
        });
        let headers = self.cors_headers(&request.head);
        self.deny(request.exchange, headers, denial);
    }

    pub(super) fn was_cut(&self, exchange: u64) {
        self.asked.remove(&exchange);
        #[cfg(feature = "redis")]
        self.cut_elsewhere(exchange);
        let parked = self.parked.remove(&exchange);
        if let Some(session) = parked.and_then(|parked| parked.session.upgrade()) {
            session.cut(exchange);
        }
    }

    /// Serves a request for a WebSocket, on the thread of this loop.
    pub(super) fn upgrade(
        self: &Arc<Self>,
        link: Link,
        head: &Request,
        remote: Option<SocketAddr>,
        secure: bool,
        home: Home,
    ) {
        let kept = || Handshake::new(head, remote, secure);
        match self.verify(head, true) {
            Ok((Verified::Session { transport, .. }, session)) => {
                match session.filter(|_| transport == Transport::WebSocket) {
                    Some(session) if self.options.ask_upgrades => {
                        let version = session.state.lock().machine.version();
                        let beginning = Beginning {
                            version,
                            b64: false,
                            home,
                            first: First::Upgrade {
                                link,
                                session,
                                head: Box::new(head.clone()),
                            },
                            note: 0,
                        };
                        self.ask(beginning, kept());
                    }
                    session => self.upgrade_session(session, link, head),
                }
            }
            Ok((
                Verified::Handshake {
                    transport: Transport::Polling,
                    ..
                },
                _,
            )) => {
                self.upgrade_session(None, link, head);
            }
            Ok((Verified::Handshake { version, b64, .. }, _)) => {
                let first = First::WebSocket {
                    link,
                    headers: self.cors_headers(head),
                    head: self.options.ask_headers.then(|| Box::new(head.clone())),
                };
                self.ask(
                    Beginning {
                        version,
                        b64,
                        home,
                        first,
                        note: 0,
                    },
                    kept(),
                );
            }
            Err(denial) => {
                self.report(&denial, kept);
                refuse_websocket(link, denial.text());
            }
        }
    }

    /// A WebSocket for a session, or for none: that one is opened and closed.
    pub(super) fn upgrade_session(&self, session: Option<Arc<Session>>, link: Link, head: &Request) {
        let mut headers = self.cors_headers(head);
        self.ask_for_headers(false, head, &mut headers);
        let session = session.filter(|session| session.try_websocket(link));
        if let Err(error) = link.accept(headers, session.as_ref()) {
            log::debug!("a WebSocket could not be accepted: {error}");
            refuse_websocket(link, "Bad request");
            if let Some(session) = session {
                session.not_accepted(link);
            }
        }
    }

    fn verify(&self, head: &Request, is_upgrade: bool) -> Result<(Verified, Option<Arc<Session>>), Denial> {
        let mut found = None;
        let verified = verify(head, is_upgrade, &self.rules, |sid| {
            let session = self.sessions.get(sid)?;
            let state = session.state.lock();
            let known = Known {
                transport: state.machine.transport(),
                version: state.machine.version(),
            };
            drop(state);
            found = Some(session);
            Some(known)
        })?;
        Ok((verified, found))
    }

    /// Asks the layer above, if it wants that.
    fn ask(self: &Arc<Self>, beginning: Beginning, request: Handshake) {
        match self.handler.upgrade() {
            Some(handler) if self.options.ask_request => {
                handler.on_request(Question::new(self, request, beginning));
            }
            _ => self.begin(beginning, request, None),
        }
    }
}
