//! A client's connection for HTTP requests: one at a time, one after the other (RFC 9112 §9.3).

use std::sync::Arc;

use ::http::Method;

use super::connection::{Conn, Flag, NEVER, Stage};
use super::core::LoopCore;
use crate::error::{Error, ErrorCode, Result};
use crate::handle::Id;
use crate::http::{BodyDecoder, Limits, Response, parse_response};
use crate::websocket::WebSocket;
use crate::ws::Millis;

/// How long a connection may be idle where the server does not say: shorter than what servers in use allow, because a
/// request that crosses the server's closing is lost.
const IDLE: Millis = 4_000;
/// So much earlier than the server would, a connection is closed here.
const BEFORE_SERVER: Millis = 1_000;
/// Whatever the server allows.
const MAX_IDLE: Millis = 60_000;

/// Who hears what comes over the connection; of its beginning and its end its [`Handler`](crate::Handler) hears.
pub(crate) trait HearsReplies: Send + Sync {
    /// The first bytes of a response are here.
    fn on_begun(&self);
    /// All of it is here; the next request can be sent if it `stays`.
    fn on_reply(&self, ws: WebSocket, reply: Reply);
}

/// A request, written, and what is to be known of its response.
pub(crate) struct Asking {
    pub(crate) method: Method,
    pub(crate) bytes: Vec<u8>,
    /// 0 for none.
    pub(crate) timeout: Millis,
    pub(crate) max_body: u64,
}

pub(crate) struct Reply {
    pub(crate) response: Response,
    pub(crate) body: Vec<u8>,
    pub(crate) stays: bool,
}

pub(crate) struct Requesting {
    hearer: Arc<dyn HearsReplies>,
    under_way: Option<Box<UnderWay>>,
    deadline: Millis,
}

/// A request whose response is not complete.
struct UnderWay {
    asking: Asking,
    /// The response's head, as far as it has come.
    head: Vec<u8>,
    response: Option<(Response, BodyDecoder)>,
    body: Vec<u8>,
}

/// How far a response has come.
enum Progress {
    More,
    Begun,
    Done(Reply),
}

impl Requesting {
    pub(super) fn new(hearer: Arc<dyn HearsReplies>, now: Millis) -> Requesting {
        Requesting {
            hearer,
            under_way: None,
            deadline: now + IDLE,
        }
    }

    pub(super) fn deadline(&self) -> Millis {
        self.deadline
    }

    /// What is kept of a response.
    pub(super) fn arriving(&self) -> usize {
        let length = |under_way: &UnderWay| under_way.head.len() + under_way.body.len();
        self.under_way.as_deref().map_or(0, length)
    }

    /// Begins to wait for the response.
    fn ask(&mut self, mut asking: Asking, now: Millis) -> Result<Vec<u8>> {
        if self.under_way.is_some() {
            let text = "the response to the request before is still to come";
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        self.deadline = match asking.timeout {
            0 => NEVER,
            limit => now.saturating_add(limit),
        };
        let bytes = std::mem::take(&mut asking.bytes);
        self.under_way = Some(Box::new(UnderWay {
            asking,
            head: Vec::new(),
            response: None,
            body: Vec::new(),
        }));
        Ok(bytes)
    }

    fn take(&mut self, data: &[u8], now: Millis) -> Result<Progress, String> {
        let Some(under_way) = &mut self.under_way else {
            return Err("bytes came that nobody has asked for".to_owned());
        };
        let is_first = under_way.response.is_none() && under_way.head.is_empty();
        let Some((stays, consumed)) = under_way.take(data)? else {
            return Ok(if is_first { Progress::Begun } else { Progress::More });
        };
        // What follows a response before the next request is no answer to that.
        let stays = stays && consumed == data.len();
        let Some((response, body)) = self.complete() else {
            return Ok(Progress::More);
        };
        self.deadline = now.saturating_add(idle_limit(&response));
        let reply = Reply {
            response,
            body,
            stays,
        };
        Ok(Progress::Done(reply))
    }

    fn complete(&mut self) -> Option<(Response, Vec<u8>)> {
        let under_way = self.under_way.take()?;
        Some((under_way.response?.0, under_way.body))
    }

    /// The server has ended the connection: with that, a response that had no other end is complete.
    fn end(&mut self) -> Option<Result<Reply, Error>> {
        let under_way = self.under_way.as_mut()?;
        let error = |text: &str| Some(Err(Error::new(ErrorCode::Closed, text.to_owned())));
        if under_way.response.is_none() && under_way.head.is_empty() {
            return error("the server closed the connection without an answer");
        }
        let is_whole = |(_, decoder): &mut (Response, BodyDecoder)| decoder.finish().is_ok();
        if !under_way.response.as_mut().is_some_and(is_whole) {
            return error("the server closed the connection within its answer");
        }
        let (response, body) = self.complete()?;
        let stays = false;
        Some(Ok(Reply {
            response,
            body,
            stays,
        }))
    }
}

impl UnderWay {
    /// Whether the connection stays and how much was taken, once the response is complete.
    fn take(&mut self, data: &[u8]) -> Result<Option<(bool, usize)>, String> {
        let mut at = 0;
        while self.response.is_none() {
            match self.take_head(data.get(at..).unwrap_or_default())? {
                Some(taken) => at += taken,
                None => return Ok(None),
            }
        }
        let Some((response, decoder)) = &mut self.response else {
            return Ok(None);
        };
        while !decoder.is_done() && at < data.len() {
            let rest = data.get(at..).unwrap_or_default();
            let decoded = decoder.decode(rest).map_err(|error| error.text)?;
            self.body.extend_from_slice(decoded.data);
            at += decoded.consumed;
        }
        Ok(decoder.is_done().then(|| (response.keep_alive(), at)))
    }

    /// How much of the data was the head's, once it is complete.
    fn take_head(&mut self, data: &[u8]) -> Result<Option<usize>, String> {
        let before = self.head.len();
        self.head.extend_from_slice(data);
        let limits = Limits {
            max_body: self.asking.max_body,
            ..Limits::default()
        };
        let parsed = parse_response(&self.head, &limits).map_err(|error| error.text)?;
        let Some((response, length)) = parsed else {
            return Ok(None);
        };
        self.head = Vec::new();
        if response.status == 101 {
            return Err("it switches to another protocol, unasked".to_owned());
        }
        if !response.is_interim() {
            let decoder = BodyDecoder::for_response(&response, &self.asking.method, &limits)
                .map_err(|error| error.text)?;
            self.response = Some((response, decoder));
        }
        Ok(Some(length - before))
    }
}

/// How long the connection may be idle after this response (`Keep-Alive: timeout=5`).
fn idle_limit(response: &Response) -> Millis {
    let said = response.header("keep-alive").and_then(|value| {
        let parameters = value.split(',').map(str::trim);
        parameters
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case("timeout"))
            .and_then(|(_, seconds)| seconds.trim().parse::<Millis>().ok())
    });
    said.map_or(IDLE, |seconds| {
        seconds
            .saturating_mul(1000)
            .saturating_sub(BEFORE_SERVER)
            .min(MAX_IDLE)
    })
}

impl Conn {
    fn requesting(&mut self) -> Option<&mut Requesting> {
        match &mut self.stage {
            Stage::Requesting(requesting) => Some(requesting),
            _ => None,
        }
    }
}

impl LoopCore {
    /// The way to the host is free: requests can be sent.
    pub(super) fn begin_requests(&self, id: Id, hearer: Arc<dyn HearsReplies>) {
        let now = self.now();
        self.with_conn(id, |conn| {
            conn.stage = Stage::Requesting(Box::new(Requesting::new(hearer, now)));
            conn.flags.set(Flag::Unannounced, true);
        });
        self.reconsider(id); // which calls `on_open`
        self.arm(id);
    }

    pub(super) fn ask(&self, id: Id, asking: Asking) -> Result<()> {
        let now = self.now();
        let asked = self.with_conn(id, |conn| {
            let Some(requesting) = conn.requesting() else {
                return Err(ErrorCode::NotOpen.into());
            };
            let bytes = requesting.ask(asking, now)?;
            conn.slot.add_buffered(bytes.len());
            conn.outbox.push(&bytes);
            self.mark_dirty(conn);
            Ok(())
        });
        self.arm(id);
        asked.unwrap_or_else(|| Err(ErrorCode::Closed.into()))
    }

    /// Takes bytes of a response; returns how many.
    pub(super) fn reply_bytes(&self, id: Id, data: &[u8]) -> usize {
        let now = self.now();
        let progress = self.with_conn(id, |conn| {
            let ws = conn.websocket();
            let requesting = conn.requesting()?;
            let hearer = requesting.hearer.clone();
            let progress = requesting.take(data, now);
            conn.recount();
            Some((progress, hearer, ws))
        });
        match progress.flatten() {
            None | Some((Ok(Progress::More), ..)) => {}
            Some((Ok(Progress::Begun), hearer, _)) => hearer.on_begun(),
            Some((Ok(Progress::Done(reply)), hearer, ws)) => {
                hearer.on_begun();
                self.deliver_reply(id, &*hearer, ws, reply);
            }
            Some((Err(what), ..)) => {
                let text = format!("the server's answer is not valid HTTP: {what}");
                self.lost(id, Some(Error::new(ErrorCode::Protocol, text)), false);
            }
        }
        data.len()
    }

    fn deliver_reply(&self, id: Id, hearer: &dyn HearsReplies, ws: WebSocket, reply: Reply) {
        let stays = reply.stays;
        if !stays {
            // Before it is told of, so that nobody sends another request.
            self.finish(id, None, false);
        }
        hearer.on_reply(ws, reply);
        self.arm(id);
    }

    /// The server has ended the connection.
    pub(super) fn requesting_ended(&self, id: Id) {
        let ended = self.with_conn(id, |conn| {
            let ws = conn.websocket();
            let requesting = conn.requesting()?;
            Some((requesting.end(), requesting.hearer.clone(), ws))
        });
        match ended.flatten() {
            Some((Some(Ok(reply)), hearer, ws)) => self.deliver_reply(id, &*hearer, ws, reply),
            Some((Some(Err(error)), ..)) => self.lost(id, Some(error), false),
            Some((None, ..)) => self.lost(id, None, false),
            None => {}
        }
    }

    /// A deadline has come: the response's, or that of an idle connection.
    pub(super) fn requesting_due(&self, id: Id) {
        let now = self.now();
        let due = self.with_conn(id, |conn| {
            let requesting = conn.requesting()?;
            (requesting.deadline <= now).then(|| requesting.under_way.is_some())
        });
        match due.flatten() {
            Some(true) => {
                let text = "the server has not answered the request in time";
                self.lost(id, Some(Error::new(ErrorCode::HandshakeTimeout, text)), false);
            }
            Some(false) => self.lost(id, None, false),
            None => self.arm(id),
        }
    }
}
