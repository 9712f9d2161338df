//! Answers to HTTP requests, and the headers that they all have.

use super::Engine;
use super::EngineOptions;
use crate::engineio::Denial;
use crate::engineio::coding::{self, Coding};
use crate::engineio::jsonp;
use crate::engineio::query::Query;
use crate::engineio::server::PollAnswer;
use crate::http::Request;
use crate::route::{Exchange, HttpAnswer};

pub(super) type Headers = Vec<(String, String)>;

/// A GET that waits, with what its answer needs of it.
pub(super) struct Waiting {
    exchange: Exchange,
    headers: Headers,
    coding: Option<Coding>,
    /// The answer is a script.
    jsonp: Option<String>,
}

impl Waiting {
    pub(super) fn new(exchange: Exchange, head: &Request, headers: Headers) -> Waiting {
        Waiting {
            exchange,
            headers,
            coding: coding::negotiate(&head.headers, &[Coding::Gzip, Coding::Deflate]),
            jsonp: jsonp_of(head),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.exchange.id()
    }

    pub(super) fn answer(self, answer: PollAnswer, options: &EngineOptions) {
        let mut headers = self.headers;
        let (mut content_type, mut body) = (answer.kind.content_type(), answer.body);
        if let Some(number) = &self.jsonp
            && let Ok(payload) = std::str::from_utf8(&body)
        {
            body = jsonp::script(number, payload).into_bytes();
            content_type = jsonp::CONTENT_TYPE;
        }
        set(&mut headers, "Content-Type", content_type);
        let threshold = options.http_compression.filter(|_| answer.compress);
        let is_long = threshold.is_some_and(|threshold| body.len() >= threshold);
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
        let mut headers = self.headers;
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
        set(&mut headers, "Content-Type", content_type);
        // As the official server does for these browsers, which take a payload for an attack.
        let agent = head.header("user-agent").unwrap_or_default();
        if agent.contains(";MSIE") || agent.contains("Trident/") {
            set(&mut headers, "X-XSS-Protection", "0");
        }
        set(&mut headers, "cache-control", "no-store");
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
