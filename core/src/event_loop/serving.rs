//! A server's connection while it speaks HTTP: requests, upgrades, files.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;

use super::connection::{Conn, Flag, Stage};
use super::core::LoopCore;
use super::elsewhere::Elsewhere;
use super::exchange::{Arriving, Owed};
use super::site::Site;
use super::stream::Stream;
use crate::error::{Error, ErrorCode, Result};
use crate::handle::Id;
use crate::handler::Handler;
use crate::http::{self, Request, encode_whole_response, parse_request};
use crate::origins;
use crate::route::{Exchange, HttpAnswer};
use crate::server::{Accept, Refusal, UpgradeRequest};
use crate::ws::{Agreement, Millis, ReadyState, Role, handshake};

/// Before, or without, an upgrade.
pub(crate) struct Serving {
    pub(crate) site: Arc<Site>,
    pub(crate) deadline: Millis,
    /// The client's address; `None` on a Unix socket.
    pub(super) remote: Option<SocketAddr>,
    /// How many requests were answered, where that has a limit.
    pub(super) requests: u32,
    /// The request head, as far as it has come.
    head: Vec<u8>,
    pub(super) phase: Phase,
    /// Where another server has the socket still.
    pub(super) elsewhere: Option<Box<Elsewhere>>,
}

pub(super) enum Phase {
    Reading,
    /// An upgrade waits for its answer.
    Asked(Asked),
    /// The client gets its WebSocket; another server has the socket still.
    Promised(Box<Agreed>),
    /// A request for a route, whose body is under way.
    Body(Box<Arriving>),
    /// A route owes an answer.
    Owed(Owed),
    /// A route's answer is on its way; `left` is what the outbox held of it when that was looked at last.
    Leaving {
        keep_alive: bool,
        left: usize,
    },
    /// A file is on its way.
    Sending {
        file: File,
        left: u64,
        keep_alive: bool,
    },
}

pub(super) struct Asked {
    accept: String,
    subprotocols: Vec<String>,
    compression: Option<Agreement>,
    target: Box<str>,
}

/// What was agreed on with a client.
pub(super) struct Agreed {
    asked: Asked,
    subprotocol: String,
    extensions: String,
}

/// What becomes of an upgrade that is accepted.
enum Accepted {
    /// It is open.
    Open,
    /// There is nobody any more to open it for.
    Ended,
    /// Another server answers so.
    Elsewhere(Exchange, HttpAnswer),
}

impl Serving {
    pub(crate) fn new(site: Arc<Site>, remote: Option<SocketAddr>, now: Millis) -> Serving {
        let deadline = site.deadline(now);
        Serving {
            site,
            deadline,
            remote,
            requests: 0,
            head: Vec::new(),
            phase: Phase::Reading,
            elsewhere: None,
        }
    }

    pub(crate) fn takes_input(&self) -> bool {
        matches!(self.phase, Phase::Reading | Phase::Body(_))
    }

    /// Whether what comes next belongs to a request's body.
    pub(super) fn takes_body(&self) -> bool {
        matches!(self.phase, Phase::Body(_))
    }

    /// Whether nothing of the next request's head has come before.
    pub(super) fn has_no_head(&self) -> bool {
        self.head.is_empty()
    }

    /// How much is kept of a request's body that is not complete.
    pub(super) fn arriving(&self) -> usize {
        match &self.phase {
            Phase::Body(arriving) => arriving.len(),
            _ => 0,
        }
    }
}

impl Conn {
    /// Whether the socket's readiness to write is waited for, besides the outbox.
    pub(crate) fn has_more_to_serve(&self) -> bool {
        matches!(&self.stage, Stage::Serving(serving) if matches!(serving.phase, Phase::Sending { .. } | Phase::Leaving { .. }))
    }

    /// Whether an upgrade of it waits for its answer.
    pub(super) fn is_asked(&self) -> bool {
        matches!(&self.stage, Stage::Serving(serving) if matches!(serving.phase, Phase::Asked(_)))
    }

    /// Whether it is accepted, and waits for its socket.
    pub(super) fn is_promised(&self) -> bool {
        matches!(&self.stage, Stage::Serving(serving) if matches!(serving.phase, Phase::Promised(_)))
    }

    /// Has an answer name another handler and user data; what it doesn't name stays the server's.
    pub(super) fn change_hearer(&mut self, handler: Option<Arc<dyn Handler>>, user_data: Option<usize>) {
        if handler.is_some() {
            self.handler = handler;
        }
        self.user_data = user_data.unwrap_or(self.user_data);
    }

    pub(super) fn serving(&mut self) -> Option<&mut Serving> {
        match &mut self.stage {
            Stage::Serving(serving) => Some(serving),
            _ => None,
        }
    }
}

impl LoopCore {
    /// Takes bytes of a request's head; returns how many belong to it.
    pub(crate) fn request_bytes(&self, id: Id, data: &[u8]) -> usize {
        if let Some(length) = self.usual_request(id, data) {
            return length;
        }
        let parsed = self.with_conn(id, |conn| {
            let serving = conn.serving()?;
            let before = serving.head.len();
            let parsed = if before == 0 {
                parse_request(data, &serving.site.limits)
            } else {
                serving.head.extend_from_slice(data);
                parse_request(&serving.head, &serving.site.limits)
            };
            match &parsed {
                Ok(None) if before == 0 => serving.head.extend_from_slice(data),
                Ok(None) => {}
                _ => serving.head = Vec::new(),
            }
            Some((
                parsed.map(|found| found.map(|(request, length)| (request, length - before))),
                serving.site.clone(),
            ))
        });
        match parsed.flatten() {
            None | Some((Ok(None), _)) => data.len(),
            Some((Ok(Some((request, length))), site)) => {
                self.request(id, &site, request);
                length
            }
            Some((Err(error), _)) => {
                self.answer_and_close(id, &Refusal::new(error.status, &error.text));
                data.len()
            }
        }
    }

    /// A request's head is complete.
    pub(super) fn request(&self, id: Id, site: &Site, request: Request) {
        let is_upgrade = handshake::is_upgrade(&request);
        match site.branch_of(request.path(), is_upgrade) {
            Some(branch) if is_upgrade => self.upgrade(id, site, &request, Some(branch)),
            Some(branch) => self.route_request(id, site, branch, request),
            None => self.own_request(id, site, &request),
        }
    }

    /// A request that is no route's.
    pub(super) fn own_request(&self, id: Id, site: &Site, request: &Request) {
        let at_endpoint = site
            .options
            .path
            .as_deref()
            .is_none_or(|path| path == request.path());
        if handshake::is_upgrade(request) {
            if !at_endpoint {
                let text = format!("there is no WebSocket endpoint at {}", request.path());
                return self.answer_and_close(id, &Refusal::new(404, &text));
            }
            return self.upgrade(id, site, request, None);
        }
        if site.options.metrics_path.as_deref() == Some(request.path()) {
            return self.serve_metrics(id, site, request);
        }
        match &site.folder {
            Some(folder) if !at_endpoint || site.options.path.is_none() => {
                self.serve_file(id, site, folder, request)
            }
            _ if !at_endpoint => {
                let text = format!("there is nothing at {}", request.path());
                self.answer_and_close(id, &Refusal::new(404, &text))
            }
            // Says which header is missing, and names the protocol as RFC 9110 §15.5.22 asks for.
            _ => self.refuse_handshake(id, handshake::check_request(request)),
        }
    }

    fn refuse_handshake(&self, id: Id, verdict: Result<String, handshake::Refusal>) {
        let refusal = match verdict {
            Err(refusal) => Refusal {
                status: refusal.status,
                headers: refusal.headers,
                body: refusal.text.into(),
            },
            Ok(_) => Refusal::new(400, "not a WebSocket handshake"),
        };
        self.answer_and_close(id, &refusal);
    }

    pub(super) fn upgrade(&self, id: Id, site: &Site, request: &Request, branch: Option<usize>) {
        let branch = branch.and_then(|branch| site.branches.get(branch));
        let own = branch.and_then(|branch| branch.own.as_ref());
        let profile = own.unwrap_or(&site.profile);
        if !origins::allows(&site.options.origins, &request.headers) {
            let origin = request.header("origin").unwrap_or_default();
            let text = format!("pages of this origin may not connect (header Origin: {origin})");
            return self.answer_and_close(id, &Refusal::new(403, &text));
        }
        let agreed = match &profile.compression {
            Some(own) => handshake::agree_on_compression(request, own),
            None => Ok(None),
        };
        let (accept, compression) = match (handshake::check_request(request), agreed) {
            (Ok(accept), Ok(compression)) => (accept, compression),
            (Err(refusal), _) | (_, Err(refusal)) => return self.refuse_handshake(id, Err(refusal)),
        };
        let subprotocols: Vec<String> = handshake::offered_subprotocols(request)
            .into_iter()
            .map(str::to_owned)
            .collect();
        let asked = Asked {
            accept,
            subprotocols,
            compression,
            target: request.target.as_str().into(),
        };
        let deadline = site.deadline(self.now());
        let ws = self.with_conn(id, |conn| {
            let serving = conn.serving()?;
            serving.phase = Phase::Asked(asked);
            serving.deadline = deadline;
            conn.flags.set(Flag::Routed, branch.is_some());
            if let Some(profile) = own {
                conn.profile = profile.clone();
            }
            conn.handler = site.handler.clone();
            conn.user_data = site.options.user_data;
            conn.slot.ask();
            let remote = conn.serving()?.remote;
            let secure = match conn.elsewhere() {
                Some(elsewhere) => elsewhere.secure,
                None => conn.is_tls(),
            };
            Some((conn.websocket(), (remote, secure)))
        });
        self.arm(id);
        let Some(Some((websocket, (remote, secure)))) = ws else {
            return;
        };
        let request = UpgradeRequest {
            server: site.server,
            websocket,
            request,
            remote,
            secure,
        };
        match branch {
            Some(branch) => branch.route.on_upgrade(&request),
            None => site.options.server_handler.on_upgrade(&request),
        }
    }

    /// The application accepts an upgrade.
    pub(crate) fn accept(&self, id: Id, accept: Accept) -> Result<()> {
        let opened = self.with_conn(id, |conn| self.open_server(conn, accept));
        match opened.unwrap_or_else(|| Err(ErrorCode::Closed.into()))? {
            Accepted::Open => {}
            Accepted::Ended => {
                self.ended.borrow_mut().push(id.slot());
                return Ok(());
            }
            Accepted::Elsewhere(exchange, answer) => {
                self.arm(id);
                exchange.respond(answer);
                return Ok(());
            }
        }
        self.arm(id);
        if self.corked.get() != id.slot() {
            self.reconsider(id);
        }
        Ok(())
    }

    fn open_server(&self, conn: &mut Conn, accept: Accept) -> Result<Accepted> {
        if conn.flags.take(Flag::Answering) {
            conn.flags.set(Flag::Silent, false);
            conn.change_hearer(accept.handler, accept.user_data);
            return Ok(Accepted::Ended);
        }
        let asked = conn.take_asked(|asked| asked.check_choice(&accept))?;
        let Some(site) = conn.serving().map(|serving| serving.site.clone()) else {
            return Err(ErrorCode::AlreadyAnswered.into());
        };
        let extensions = asked
            .compression
            .as_ref()
            .map(Agreement::to_string)
            .unwrap_or_default();
        let protocol = accept.subprotocol.as_deref();
        let respond = |out: &mut Vec<u8>| {
            handshake::accept_response(&asked.accept, protocol, &extensions, &accept.headers, out)
                .map_err(|error| Error::new(ErrorCode::InvalidArgument, error.text))
        };
        let answer = match conn.elsewhere() {
            Some(_) => Some(answer_of(respond)?),
            None => self
                .write_control(conn, conn.slot, |_, out| respond(out))
                .map(|()| None)?,
        };
        let agreed = Agreed {
            subprotocol: accept.subprotocol.unwrap_or_default(),
            extensions,
            asked,
        };
        conn.change_hearer(accept.handler, accept.user_data);
        match answer {
            None => {
                self.opened(conn, &site, &agreed);
                Ok(Accepted::Open)
            }
            Some(answer) => self.promise(conn, &site, agreed, answer),
        }
    }

    fn opened(&self, conn: &mut Conn, site: &Site, agreed: &Agreed) {
        let Agreed {
            asked,
            subprotocol,
            extensions,
        } = agreed;
        let limits = conn.profile.limits;
        let info = site.info(&asked.target, subprotocol, extensions, limits);
        conn.slot.set_info(info);
        conn.slot.set_ready_state(ReadyState::Open);
        conn.open(Role::Server, self.now(), asked.compression.as_ref());
    }

    /// Its handler hears of the end, too, if the socket never comes.
    fn promise(&self, conn: &mut Conn, site: &Site, agreed: Agreed, answer: HttpAnswer) -> Result<Accepted> {
        let connection = conn.id;
        let promised = conn
            .elsewhere()
            .and_then(|elsewhere| elsewhere.promise(connection));
        let (Some(exchange), Some(serving)) = (promised, conn.serving()) else {
            return Err(ErrorCode::Closed.into()); // the client has gone, and the connection's end is on the way
        };
        serving.phase = Phase::Promised(Box::new(agreed));
        serving.deadline = site.deadline(self.now());
        conn.flags.set(Flag::FailedAnswer, true);
        Ok(Accepted::Elsewhere(exchange, answer))
    }

    /// The socket of a connection that was promised one.
    pub(super) fn open_promised(&self, conn: &mut Conn, stream: Stream) {
        let Some(serving) = conn.serving() else { return };
        let site = serving.site.clone();
        let Phase::Promised(agreed) = std::mem::replace(&mut serving.phase, Phase::Reading) else {
            return;
        };
        conn.slot.set_socket(stream.raw());
        conn.stream = Some(stream);
        conn.flags.set(Flag::FailedAnswer, false);
        self.opened(conn, &site, &agreed);
    }

    /// The application refuses an upgrade.
    pub(crate) fn refuse(&self, id: Id, refusal: &Refusal) -> Result<()> {
        let ended = self.with_conn(id, |conn| {
            if conn.flags.take(Flag::Answering) {
                return Ok(true);
            }
            conn.take_asked(|_| Ok(())).map(|_| false)
        });
        if ended.unwrap_or_else(|| Err(ErrorCode::Closed.into()))? {
            self.ended.borrow_mut().push(id.slot());
        } else {
            self.answer_and_close(id, refusal);
        }
        Ok(())
    }

    /// A response that ends the connection: what follows in the stream can't be trusted to be a request.
    pub(super) fn answer_and_close(&self, id: Id, refusal: &Refusal) {
        self.answer_and_fail(id, refusal, None);
    }

    pub(super) fn answer_and_fail(&self, id: Id, refusal: &Refusal, error: Option<Error>) {
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        let exchange = self.with_conn(id, |conn| {
            if let Some(elsewhere) = conn.elsewhere() {
                return elsewhere.take_exchange();
            }
            let written = self.write_control(conn, slot, |_, out| refusal.encode(out));
            if let Err(error) = written {
                log::error!("a refusal could not be encoded: {error}");
            }
            None
        });
        if let Some(exchange) = exchange.flatten() {
            exchange.respond(refusal.clone().into());
        }
        self.finish(id, error, true);
    }

    pub(crate) fn serving_timed_out(&self, id: Id) {
        if self.with_conn(id, |conn| conn.is_promised()) == Some(true) {
            let text = "the other server did not hand the connection over in time";
            let error = Error::new(ErrorCode::HandshakeTimeout, text);
            return self.finish(id, Some(error), false);
        }
        let refusal = self.with_conn(id, |conn| {
            let securing = conn.is_securing();
            let serving = conn.serving()?;
            match serving.phase {
                Phase::Reading if securing => {
                    let site = serving.site.clone();
                    site.handshake_failed(conn, "the handshake took too long");
                    None
                }
                Phase::Reading if serving.head.is_empty() => None,
                Phase::Reading => Some(Refusal::new(408, "the request head took too long")),
                Phase::Asked(_) => Some(Refusal::new(503, "the upgrade was not answered in time")),
                Phase::Body(_) => Some(Refusal::new(408, "the request body took too long")),
                Phase::Promised(_) | Phase::Owed(_) | Phase::Leaving { .. } | Phase::Sending { .. } => None,
            }
        });
        match refusal.flatten() {
            Some(refusal) => self.answer_and_close(id, &refusal),
            None => self.finish(id, None, false),
        }
    }
}

/// The 101 as another server sends it.
fn answer_of(respond: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<HttpAnswer> {
    let mut head = Vec::new();
    respond(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    Ok(HttpAnswer {
        headers: fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        ..HttpAnswer::new(101)
    })
}

impl Conn {
    /// The upgrade that waits for an answer, if `check` agrees with the answer.
    fn take_asked(&mut self, check: impl FnOnce(&Asked) -> Result<()>) -> Result<Asked> {
        if self.flags.has(Flag::Ended) {
            return Err(ErrorCode::Closed.into());
        }
        let slot = self.slot;
        let Some(serving) = self.serving() else {
            return Err(ErrorCode::AlreadyAnswered.into());
        };
        match &serving.phase {
            // An answer that is no answer leaves the question open.
            Phase::Asked(asked) => check(asked).inspect_err(|_| slot.ask())?,
            _ => return Err(ErrorCode::AlreadyAnswered.into()),
        }
        match std::mem::replace(&mut serving.phase, Phase::Reading) {
            Phase::Asked(asked) => Ok(asked),
            _ => Err(ErrorCode::AlreadyAnswered.into()),
        }
    }
}

impl Asked {
    /// RFC 6455 §4.2.2: the server chooses one of the offered subprotocols, or none.
    fn check_choice(&self, accept: &Accept) -> Result<()> {
        match &accept.subprotocol {
            Some(chosen) if !self.subprotocols.contains(chosen) => {
                let offered = self.subprotocols.join(", ");
                let text = format!("subprotocol {chosen:?} was not offered; the client offers: {offered}");
                Err(Error::new(ErrorCode::InvalidArgument, text))
            }
            _ => Ok(()),
        }
    }
}

impl Refusal {
    /// Appends the response, which says that the connection closes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<(), http::Error> {
        let mut headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        // RFC 9110 §7.8: who sends Upgrade lists it in Connection.
        headers.push((
            "Connection",
            if self.status == 426 {
                "Upgrade, close"
            } else {
                "close"
            },
        ));
        encode_whole_response(self.status, &headers, &self.body, out)
    }
}
