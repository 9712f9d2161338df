//! HTTP requests that are no upgrades: Python is asked about each, and answers or leaves it to the server.

use std::sync::Arc;

use pyo3::prelude::*;
use sockline::http::Request;
use sockline::{Exchange, HttpAnswer, HttpRequest, Route, UpgradeRequest};

use crate::guarded::Guarded;
use crate::server::ServerEvents;
use crate::threads::Threads;

/// Only GET and HEAD are asked about, whose bodies mean nothing (RFC 9110 §9.3.1).
const MAX_BODY: u64 = 64 << 10;

/// What a server's `process_request` hears beside upgrades.
pub(crate) struct Requests {
    events: Arc<ServerEvents>,
    /// Where its connections are turned, if not on the host's thread.
    threads: Option<Arc<Threads>>,
}

impl Requests {
    pub(crate) fn new(events: Arc<ServerEvents>, threads: Option<Arc<Threads>>) -> Requests {
        Requests { events, threads }
    }
}

impl Route for Requests {
    fn matches(&self, _: &str) -> bool {
        true
    }

    fn takes_upgrades(&self) -> bool {
        false
    }

    fn max_body(&self) -> u64 {
        MAX_BODY
    }

    fn on_request(&self, request: HttpRequest) {
        match (request.head.method.as_str(), &self.threads) {
            ("GET" | "HEAD", Some(threads)) => threads.ask(request),
            ("GET" | "HEAD", None) => Python::attach(|py| self.events.request(py, request)),
            _ => request.exchange.pass(request.head),
        }
    }

    fn on_upgrade(&self, _: &UpgradeRequest<'_>) {}
}

/// A request that waits for its answer. Let go of, it is answered with 500.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct HttpExchange(Guarded<Option<(Exchange, Request)>>);

impl HttpExchange {
    pub(crate) fn new(exchange: Exchange, head: Request) -> HttpExchange {
        HttpExchange(Guarded::new(Some((exchange, head))))
    }
}

#[pymethods]
impl HttpExchange {
    /// Answers; nothing happens if that was done before, or the client has gone.
    fn respond(&self, py: Python<'_>, status: u16, headers: Vec<(String, String)>, body: Vec<u8>) {
        let answer = HttpAnswer {
            status,
            headers,
            body,
        };
        if let Some((exchange, _)) = self.0.take(py) {
            exchange.respond(answer);
        }
    }

    /// Has the server answer as it does where nobody is asked.
    fn pass_on(&self, py: Python<'_>) {
        if let Some((exchange, head)) = self.0.take(py) {
            exchange.pass(head);
        }
    }
}
