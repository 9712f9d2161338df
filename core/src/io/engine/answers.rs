//! Answers to HTTP requests, and the headers that they all have.

use std::sync::Arc;

use http::{HeaderMap, Method};

use super::Engine;
use super::EngineOptions;
use crate::engineio::coding::{self, Coding};
use crate::engineio::jsonp;
use crate::engineio::query::Query;
use crate::engineio::server::PollAnswer;
use crate::engineio::{Denial, PayloadType};
use crate::http::{Request, UsualRequest};
use crate::route::{Exchange, HttpAnswer};
use crate::shared_head::SharedHead;

pub(super) type Headers = Vec<(String, String)>;

const CODINGS: &[Coding] = &[Coding::Gzip, Coding::Deflate];

/// A GET that waits, with what its answer needs of it.
pub(super) struct Waiting {
    exchange: Exchange,
    form: Form,
    coding: Option<Coding>,
    /// It is among those of which a cut is told.
    pub(super) is_listed: bool,
}

/// What the answer looks like.
enum Form {
    /// As all usual ones do.
    Shared(Arc<SharedHead>),
    /// Of its own; with a number, it is a script.
    Own(Headers, Option<String>),
}

impl Waiting {
    pub(super) fn new(exchange: Exchange, head: &Request, headers: Headers) -> Waiting {
        Waiting {
            exchange,
            form: Form::Own(headers, jsonp_of(head)),
            coding: coding::negotiate(&head.headers, CODINGS),
            is_listed: false,
        }
    }

    /// One of the usual kind.
    pub(super) fn usual(exchange: Exchange, request: &UsualRequest<'_>, heads: &Heads) -> Waiting {
        Waiting {
            exchange,
            form: Form::Shared(heads.got.clone()),
            coding: match std::str::from_utf8(request.accept_encoding) {
                Ok("") | Err(_) => None,
                Ok(line) => coding::negotiate_lines(std::iter::once(line), CODINGS),
            },
            is_listed: false,
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.exchange.id()
    }

    pub(super) fn answer(self, answer: PollAnswer, options: &EngineOptions) {
        let is_long = options.compresses(answer.compress, answer.body.len());
        let (mut headers, jsonp) = match self.form {
            Form::Shared(head) if !(is_long && self.coding.is_some()) => {
                return self.exchange.respond_shared(&head, answer.body.into());
            }
            Form::Shared(head) => (head.with(Vec::new()).headers, None),
            Form::Own(headers, jsonp) => (headers, jsonp),
        };
        let (mut content_type, mut body) = (answer.kind.content_type(), answer.body);
        if let Some(number) = &jsonp
            && let Ok(payload) = std::str::from_utf8(&body)
        {
            body = jsonp::script(number, payload).into_bytes();
            content_type = jsonp::CONTENT_TYPE;
        }
        set(&mut headers, "Content-Type", content_type);
        let is_long = options.compresses(answer.compress, body.len());
        let coding = self.coding.filter(|_| is_long);
        if let Some(coding) = coding
            && let Some(compressed) = coding::compress(&body, coding)
        {
            set(&mut headers, "Content-Encoding", coding.name());
            body = compressed;
        }
        self.exchange.respond(HttpAnswer {
            status: 200,
            headers,
            body,
        });
    }

    /// A GET that must not be.
    pub(super) fn refuse(self) {
        let mut headers = match self.form {
            Form::Shared(head) => head.with(Vec::new()).headers,
            Form::Own(headers, _) => headers,
        };
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        respond(self.exchange, 400, headers, "");
    }
}

/// The number of the page's function, if a request is of polling by scripts and forms.
pub(super) fn jsonp_of(head: &Request) -> Option<String> {
    let query = head.query().filter(|query| Query::may_have_jsonp(query))?;
    Query::parse(query).jsonp()
}

/// Gives a header another value, or adds it.
pub(super) fn set(headers: &mut Headers, name: &str, value: &str) {
    match headers
        .iter_mut()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
    {
        Some((_, before)) => value.clone_into(before),
        None => headers.push((name.to_owned(), value.to_owned())),
    }
}

pub(super) fn respond(exchange: Exchange, status: u16, headers: Headers, body: &str) {
    exchange.respond(HttpAnswer {
        status,
        headers,
        body: body.as_bytes().to_vec(),
    });
}

/// The heads of answers to polling that are the same for nearly all requests.
pub(super) struct Heads {
    /// For a GET.
    pub(super) got: Arc<SharedHead>,
    /// For a POST.
    pub(super) posted: Arc<SharedHead>,
    /// What CORS says.
    pub(super) cors: Headers,
}

impl Heads {
    /// None where each answer's headers depend on its request.
    pub(super) fn of(options: &EngineOptions) -> Option<Heads> {
        let cors = options.cors.as_ref();
        if options.ask_headers || cors.is_some_and(|cors| !cors.is_same_for_all()) {
            return None;
        }
        let cors = cors.map(|cors| cors.headers(&Method::GET, &HeaderMap::new()));
        let cors = cors.unwrap_or_default();
        let head = |content_type: &str| {
            let mut headers = cors.clone();
            set_polling(&mut headers, content_type, false);
            SharedHead::ok(headers).ok().map(Arc::new)
        };
        Some(Heads {
            got: head(PayloadType::Text.content_type())?,
            posted: head(POSTED)?,
            cors,
        })
    }
}

/// What the answer to a POST is.
pub(super) const POSTED: &str = "text/html";

fn set_polling(headers: &mut Headers, content_type: &str, is_explorer: bool) {
    set(headers, "Content-Type", content_type);
    // As the official server does for these browsers, which take a payload for an attack.
    if is_explorer {
        set(headers, "X-XSS-Protection", "0");
    }
    set(headers, "cache-control", "no-store");
}

/// Whether this browser says that it is one of Microsoft's old ones.
pub(super) fn is_explorer(agent: &[u8]) -> bool {
    let begins = |at: usize, word: &[u8]| agent.get(at..).is_some_and(|rest| rest.starts_with(word));
    memchr::memchr_iter(b';', agent).any(|at| begins(at, b";MSIE"))
        || memchr::memchr_iter(b'T', agent).any(|at| begins(at, b"Trident/"))
}

impl EngineOptions {
    /// Whether an answer of this length is compressed, if its packets `may` be and the client takes it.
    pub(super) fn compresses(&self, may: bool, length: usize) -> bool {
        may && self.http_compression.is_some_and(|threshold| length >= threshold)
    }
}

impl Engine {
    /// What CORS says about a request; nothing without.
    pub(super) fn cors_headers(&self, head: &Request) -> Headers {
        let cors = self.options.cors.as_ref();
        cors.map(|cors| cors.headers(&head.method, &head.headers))
            .unwrap_or_default()
    }

    /// The headers of an answer to polling: the hook sees them, and its answer may still be compressed.
    pub(super) fn polling_headers(
        &self,
        head: &Request,
        content_type: &str,
        cookie: Option<String>,
    ) -> Headers {
        let mut headers = self.cors_headers(head);
        let agent = head.header("user-agent").unwrap_or_default();
        set_polling(&mut headers, content_type, is_explorer(agent.as_bytes()));
        let initial = cookie.is_some();
        headers.extend(
            cookie
                .filter(|cookie| !cookie.is_empty())
                .map(|cookie| ("Set-Cookie".to_owned(), cookie)),
        );
        self.ask_for_headers(initial, head, &mut headers);
        headers
    }

    pub(super) fn ask_for_headers(&self, initial: bool, head: &Request, headers: &mut Headers) {
        if self.options.ask_headers
            && let Some(handler) = self.handler.upgrade()
        {
            handler.on_headers(initial, head, headers);
        }
    }

    pub(super) fn deny(&self, exchange: Exchange, mut headers: Headers, denial: &Denial) {
        set(&mut headers, "Content-Type", "application/json");
        respond(exchange, denial.status(), headers, &denial.to_json());
    }
}
