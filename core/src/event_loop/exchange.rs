//! A route's requests: their bodies on the way in, the answers that are owed, and the answers on the way out.

use std::sync::Arc;

use ::http::HeaderValue;
use ::http::header::CONNECTION;
use bytes::Bytes;

use super::command::Command;
use super::connection::{Conn, Flag, Stage};
use super::core::LoopCore;
use super::serving::Phase;
use super::shared::Shared;
use super::site::Site;
use super::tracking::Tracking;
use super::writing::CORK;
use crate::handle::Id;
use crate::http::{self, BodyDecoder, CONTINUE, Framing, Limits, Request, encode_response};
use crate::route::{Exchange, HttpAnswer, HttpRequest, Route};
use crate::server::Refusal;
use crate::ws::Millis;

/// A slow body is given up when less than this comes within the server's handshake timeout.
const LEAST_BODY: usize = 8 << 10;
/// What is reserved at once for a body, however long it says that it will be.
const FIRST_BODY: u64 = 64 << 10;
/// What a client may send behind a request before that is answered is read up to here: its end comes behind it.
const READ_AHEAD: usize = 64 << 10;
/// From here on the body of an answer waits as it lies, uncopied.
pub(super) const DIRECT: usize = 16 << 10;

/// A request whose body is under way.
pub(super) struct Arriving {
    head: Request,
    body: Vec<u8>,
    decoder: BodyDecoder,
    /// How long the body was when its deadline was moved last.
    paid: usize,
    branch: usize,
    keep_alive: bool,
}

/// A request that waits for its answer.
pub(super) struct Owed {
    pub(super) exchange: u64,
    pub(super) branch: usize,
    /// The answer to HEAD has no body.
    pub(super) is_head: bool,
    pub(super) keep_alive: bool,
}

/// An exchange that ended without its answer.
pub(crate) struct Cut {
    route: Arc<dyn Route>,
    exchange: u64,
}

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cut").field("exchange", &self.exchange).finish()
    }
}

impl Cut {
    pub(super) fn new(route: Arc<dyn Route>, exchange: u64) -> Cut {
        Cut { route, exchange }
    }

    pub(crate) fn tell(&self) {
        Exchange::forget(self.exchange);
        self.route.on_cut(self.exchange);
    }
}

/// Answers a request of a connection: at once on its loop's thread, queued from another.
pub(crate) fn answer(connection: Id, exchange: u64, answer: HttpAnswer) {
    let Ok(shared) = Shared::at(connection) else {
        return;
    };
    match shared.enter() {
        Some(core) => {
            core.answer(connection, exchange, answer);
            core.ask_for_flush();
        }
        None => shared.push(Command::Answer(connection, exchange, Box::new(answer))),
    }
}

/// Has the server answer a request that a route leaves to it: as [`answer`] does.
pub(crate) fn pass(connection: Id, exchange: u64, head: Request) {
    let Ok(shared) = Shared::at(connection) else {
        return;
    };
    match shared.enter() {
        Some(core) => {
            core.pass(connection, exchange, head);
            core.ask_for_flush();
        }
        None => shared.push(Command::Pass(connection, exchange, Box::new(head))),
    }
}

impl LoopCore {
    /// A request for a route, by its index, that is no upgrade.
    pub(super) fn route_request(&self, id: Id, site: &Site, branch: usize, request: Request) {
        let Some(Branched { route, limits }) = site.branched(branch) else {
            return;
        };
        let decoder = match BodyDecoder::for_request(&request, &limits) {
            Ok(decoder) => decoder,
            Err(error) => return self.body_refused(id, route, &request, &error),
        };
        let keep_alive = request.keep_alive() && !self.is_last_request(id);
        let expects = !decoder.is_done() && request.expects_continue();
        let room = decoder.remaining().unwrap_or(0).min(FIRST_BODY);
        let arriving = Arriving {
            head: request,
            body: Vec::with_capacity(room as usize),
            decoder,
            paid: 0,
            branch,
            keep_alive,
        };
        if arriving.decoder.is_done() {
            return self.request_arrived(id, site, arriving);
        }
        let arriving = Box::new(arriving);
        let deadline = site.deadline(self.now());
        self.with_conn(id, |conn| {
            if expects {
                let slot = conn.slot;
                self.write_control(conn, slot, |_, out| out.extend_from_slice(CONTINUE));
            }
            if let Some(serving) = conn.serving() {
                serving.phase = Phase::Body(arriving);
                serving.deadline = deadline;
            }
        });
        self.arm(id);
    }

    /// Takes bytes of a request's body; returns how many belong to it.
    pub(crate) fn body_bytes(&self, id: Id, data: &[u8]) -> usize {
        let now = self.now();
        let taken = self.with_conn(id, |conn| {
            let serving = conn.serving()?;
            let Phase::Body(arriving) = &mut serving.phase else {
                return None;
            };
            let taken = arriving.take(data);
            if arriving.is_worth_waiting() {
                serving.deadline = serving.site.deadline(now);
            }
            let ended = match &taken {
                Ok(_) => arriving.decoder.is_done(),
                Err(_) => true,
            };
            let site = serving.site.clone();
            let ended = ended.then(|| std::mem::replace(&mut serving.phase, Phase::Reading));
            conn.recount();
            Some((taken, ended, site))
        });
        match taken.flatten() {
            Some((Ok(count), Some(Phase::Body(arriving)), site)) => {
                self.request_arrived(id, &site, *arriving);
                count
            }
            Some((Err(error), Some(Phase::Body(arriving)), site)) => {
                if let Some(Branched { route, .. }) = site.branched(arriving.branch) {
                    self.body_refused(id, route, &arriving.head, &error);
                }
                data.len()
            }
            Some((Ok(count), ..)) => count,
            _ => data.len(),
        }
    }

    /// Where the next request would begin is not known, so the connection closes.
    fn body_refused(&self, id: Id, route: &Arc<dyn Route>, head: &Request, error: &http::Error) {
        if error.status != 413 {
            return self.answer_and_close(id, &Refusal::new(error.status, &error.text));
        }
        let HttpAnswer {
            status,
            headers,
            body,
        } = route.too_large(head);
        let refusal = Refusal {
            status,
            headers,
            body,
        };
        self.answer_and_close(id, &refusal);
    }

    /// A request is whole: from now on its answer is owed.
    fn request_arrived(&self, id: Id, site: &Site, arriving: Arriving) {
        let Some(Branched { route, .. }) = site.branched(arriving.branch) else {
            return;
        };
        let exchange = Exchange::ours(id);
        let whence = self.with_conn(id, |conn| {
            let serving = conn.serving()?;
            serving.phase = Phase::Owed(Owed {
                exchange: exchange.id(),
                branch: arriving.branch,
                is_head: arriving.head.method == ::http::Method::HEAD,
                keep_alive: arriving.keep_alive,
            });
            serving.deadline = Millis::MAX;
            Some((serving.remote, conn.is_tls()))
        });
        let Some(Some((remote, secure))) = whence else {
            return;
        };
        route.on_request(HttpRequest {
            head: arriving.head,
            body: arriving.body,
            remote,
            secure,
            exchange,
        });
    }

    /// Gives an answer, if it is still owed.
    pub(crate) fn answer(&self, id: Id, exchange: u64, answer: HttpAnswer) {
        let owed = self.with_conn(id, |conn| conn.take_owed(exchange));
        let Some(Some(owed)) = owed else { return };
        let keep_alive = owed.keep_alive && !closes(&answer);
        let (head, body) = encode(answer, owed.is_head, keep_alive);
        let deadline = self.with_conn(id, |conn| conn.serving().map(|serving| serving.site.clone()));
        let deadline = deadline
            .flatten()
            .map_or(Millis::MAX, |site| site.deadline(self.now()));
        if self.corked.get() == id.slot() && body.len() >= DIRECT {
            self.flush_cork(id);
        }
        let corked = self.corked.get() == id.slot() && body.len() < DIRECT;
        self.with_conn(id, |conn| {
            let slot = conn.slot;
            if corked {
                self.write_control(conn, slot, |_, out| {
                    out.extend_from_slice(&head);
                    out.extend_from_slice(&body);
                });
            } else {
                self.put_in_outbox(conn, &head, body);
            }
            if let Some(serving) = conn.serving() {
                serving.deadline = deadline;
                serving.phase = Phase::Leaving {
                    keep_alive,
                    left: usize::MAX,
                };
            }
        });
        self.arm(id);
        if corked {
            self.answer_corked(id, keep_alive);
        }
    }

    /// Has the server answer, if the answer is still owed.
    pub(crate) fn pass(&self, id: Id, exchange: u64, mut head: Request) {
        let owed = self.with_conn(id, |conn| conn.take_owed(exchange));
        let Some(Some(owed)) = owed else { return };
        let site = self.with_conn(id, |conn| {
            let serving = conn.serving()?;
            serving.requests = serving.requests.saturating_sub(1); // it is counted again
            Some(serving.site.clone())
        });
        let Some(Some(site)) = site else { return };
        if !owed.keep_alive {
            head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.own_request(id, &site, &head);
        if self.corked.get() != id.slot() {
            self.with_conn(id, Conn::leave_later);
        }
        self.arm(id);
    }

    /// An answer is in the cork, which is flushed if it is full, or the answer the last: unless something waits then, the
    /// next request can come. What the client has sent already is behind this one in the same input.
    pub(super) fn answer_corked(&self, id: Id, keep_alive: bool) {
        if !keep_alive || self.cork.borrow().len() >= CORK {
            self.flush_cork(id);
        }
        let has_left = self.with_conn(id, |conn| {
            let has_left = conn.outbox.is_empty() && !conn.flags.has(Flag::Broken);
            if let Some(serving) = conn.serving().filter(|_| has_left) {
                serving.phase = Phase::Reading;
            }
            has_left // else the outbox's progress goes on with it
        });
        if has_left == Some(true) && !keep_alive {
            self.finish(id, None, true);
        }
    }

    fn put_in_outbox(&self, conn: &mut Conn, head: &[u8], body: Vec<u8>) {
        conn.slot.add_buffered(head.len() + body.len());
        conn.outbox.push(head);
        if body.len() < DIRECT {
            conn.outbox.push(&body);
        } else {
            conn.outbox
                .share_message(Arc::new(Bytes::from(body)), Tracking::NONE);
        }
        self.mark_dirty(conn);
    }

    /// The client has ended its direction, or all of it, while it waits for an answer.
    pub(crate) fn cut_if_owed(&self, id: Id) {
        if self.with_conn(id, |conn| conn.owes()) == Some(true) {
            self.finish(id, None, false);
        }
    }

    /// A server closes: who waits for an answer is told so, and an answer on its way has a moment to arrive. Says whether
    /// it was one of these.
    pub(super) fn close_exchange(&self, id: Id) -> bool {
        let owed = self.with_conn(id, |conn| match &conn.serving()?.phase {
            Phase::Owed(_) => Some(true),
            Phase::Leaving { .. } => Some(false),
            _ => None,
        });
        match owed.flatten() {
            Some(true) => self.answer_and_close(id, &Refusal::new(503, "the server is going away")),
            Some(false) => self.finish(id, None, true),
            None => return false,
        }
        true
    }
}

impl Conn {
    /// Whether a client waits for its answer.
    pub(crate) fn owes(&self) -> bool {
        matches!(&self.stage, Stage::Serving(serving) if matches!(serving.phase, Phase::Owed(_)))
    }

    /// Whether what the client sends is read though it has to wait, because its end may come behind it.
    pub(crate) fn reads_ahead(&self) -> bool {
        let waiting = self.rare().and_then(|rare| rare.stash.as_ref());
        self.owes() && waiting.is_none_or(|stash| stash.0.len() < READ_AHEAD)
    }

    /// What a connection that ends now still owes.
    pub(super) fn take_cut(&mut self) -> Option<Cut> {
        let serving = self.serving()?;
        let Phase::Owed(owed) = &serving.phase else {
            return None;
        };
        let (exchange, branch) = (owed.exchange, owed.branch);
        let route = serving.site.branched(branch)?.route.clone();
        serving.phase = Phase::Reading;
        Some(Cut { route, exchange })
    }

    /// An answer lies in the outbox, out of the connection's turn: what the client has sent meanwhile comes behind it.
    fn leave_later(&mut self) {
        if let Some(serving) = self.serving()
            && matches!(serving.phase, Phase::Reading)
        {
            serving.phase = Phase::Leaving {
                keep_alive: true,
                left: usize::MAX,
            };
        }
    }

    pub(super) fn take_owed(&mut self, exchange: u64) -> Option<Owed> {
        let phase = &mut self.serving()?.phase;
        match phase {
            Phase::Owed(owed) if owed.exchange == exchange => {}
            _ => return None,
        }
        match std::mem::replace(phase, Phase::Reading) {
            Phase::Owed(owed) => Some(owed),
            _ => None,
        }
    }
}

impl Arriving {
    /// Takes what belongs to the body, and says how much that was.
    fn take(&mut self, data: &[u8]) -> Result<usize, http::Error> {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            let decoded = self.decoder.decode(rest)?;
            self.body.extend_from_slice(decoded.data);
            at += decoded.consumed;
            if decoded.done {
                break;
            }
        }
        Ok(at)
    }

    /// Whether enough has come since this was asked last.
    fn is_worth_waiting(&mut self) -> bool {
        let enough = self.body.len() - self.paid >= LEAST_BODY;
        if enough {
            self.paid = self.body.len();
        }
        enough
    }

    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    pub(super) fn close_after(&mut self) {
        self.keep_alive = false;
    }
}

/// A route, and what a request for it may have.
struct Branched<'a> {
    route: &'a Arc<dyn Route>,
    limits: Limits,
}

impl Site {
    /// The index of the route that a request belongs to.
    pub(super) fn branch_of(&self, path: &str, is_upgrade: bool) -> Option<usize> {
        let takes = |route: &dyn Route| (!is_upgrade || route.takes_upgrades()) && route.matches(path);
        self.branches.iter().position(|branch| takes(&*branch.route))
    }

    fn branched(&self, branch: usize) -> Option<Branched<'_>> {
        let route = &self.branches.get(branch)?.route;
        Some(Branched {
            route,
            limits: Limits {
                max_body: route.max_body(),
                ..self.limits.clone()
            },
        })
    }
}

fn closes(answer: &HttpAnswer) -> bool {
    let mut fields = answer.headers.iter().filter(|(name, _)| is_connection(name));
    fields.any(|(_, value)| value.split(',').any(|it| it.trim().eq_ignore_ascii_case("close")))
}

fn is_connection(name: &str) -> bool {
    name.eq_ignore_ascii_case("connection")
}

/// Head and body as they are to be sent.
fn encode(answer: HttpAnswer, is_head: bool, keep_alive: bool) -> (Vec<u8>, Vec<u8>) {
    let mut fields: Vec<(&str, &str)> = answer
        .headers
        .iter()
        .filter(|(name, _)| !is_connection(name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    fields.push(("Connection", if keep_alive { "keep-alive" } else { "close" }));
    let mut head = Vec::with_capacity(256);
    let length = Framing::Length(answer.body.len() as u64);
    let encoded = match answer.status {
        ..200 => Err(http::Error::new(
            500,
            format!("status {} is no answer", answer.status),
        )),
        status => encode_response(status, &fields, length, &mut head),
    };
    if let Err(error) = encoded {
        log::error!("an answer could not be encoded: {error}");
        let failed = HttpAnswer::new(500);
        return encode(failed, is_head, keep_alive);
    }
    // RFC 9110 §9.3.2 and §6.4.1.
    let has_body = !is_head && !matches!(answer.status, 204 | 304);
    (head, if has_body { answer.body } else { Vec::new() })
}
