//! HTTP requests that are no upgrades, on their way to a server's option `request`, and the answers on theirs back.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use sockline::http::Request;
use sockline::{Exchange, HttpAnswer, HttpRequest, LoopWaker, Route, UpgradeRequest};

use crate::batch::Kind;
use crate::engine::Engine;
use crate::host::HostPointer;
use crate::options::pairs;

const MAX_BODY: u64 = 1 << 20;

/// The answers that JavaScript owes, by the numbers of their exchanges.
#[derive(Default)]
pub(crate) struct Owed(RefCell<HashMap<u64, (Exchange, Request)>>);

impl Owed {
    fn take(&self, exchange: u64) -> Option<(Exchange, Request)> {
        self.0.borrow_mut().remove(&exchange)
    }
}

#[napi]
impl Engine {
    /// Answers a request; `headers` are names and values in turn. Nothing happens if its client has gone.
    #[napi]
    pub fn respond(&self, exchange: f64, status: u16, headers: Vec<String>, body: Buffer) {
        if let Some((exchange, _)) = self.host.get().owed.take(exchange as u64) {
            exchange.respond(HttpAnswer {
                status,
                headers: pairs(headers),
                body: body.into(),
            });
        }
    }

    /// Has the server answer a request as it does where nobody is asked.
    #[napi]
    pub fn pass_request(&self, exchange: f64) {
        if let Some((exchange, head)) = self.host.get().owed.take(exchange as u64) {
            exchange.pass(head);
        }
    }
}

/// Tells JavaScript of a request to the server that it knows by this key.
///
/// The record: the length of the head (4 bytes, little-endian); the head, which is exchange, "1" if it came over TLS,
/// method, target, address, port, names and values of headers, separated by NUL; the body.
pub(crate) fn tell(host: HostPointer, key: u32, request: HttpRequest) {
    let HttpRequest {
        head,
        body,
        remote,
        secure,
        exchange,
    } = request;
    let number = exchange.id();
    let (address, port) = match remote {
        Some(remote) => (remote.ip().to_string(), remote.port().to_string()),
        None => Default::default(),
    };
    let secure = if secure { "1" } else { "" };
    let fixed = [
        &number.to_string(),
        secure,
        head.method.as_str(),
        &head.target,
        &address,
        &port,
    ];
    let mut record = fixed.join("\0").into_bytes();
    for (name, value) in &head.headers {
        record.push(0);
        record.extend_from_slice(name.as_str().as_bytes());
        record.push(0);
        record.extend_from_slice(value.as_bytes());
    }
    let length = (record.len() as u32).to_le_bytes();
    let host = host.get();
    host.owed.0.borrow_mut().insert(number, (exchange, head));
    host.batch
        .push_parts(key, Kind::Request, 0, [&length, &record, &body]);
}

/// The client of a request has gone.
pub(crate) fn forget(host: HostPointer, exchange: u64) {
    drop(host.get().owed.take(exchange));
}

/// The requests of a server on the host's own loop.
pub(crate) struct Hook {
    pub(crate) host: HostPointer,
    pub(crate) key: u32,
}

/// Those of a server with threads: they wait until the host's turn takes them.
pub(crate) struct Waiting {
    happened: Mutex<Vec<Happened>>,
    waker: LoopWaker,
}

pub(crate) enum Happened {
    Asked(Box<HttpRequest>),
    Cut(u64),
}

impl Waiting {
    pub(crate) fn new(waker: LoopWaker) -> Arc<Waiting> {
        Arc::new(Waiting {
            happened: Mutex::default(),
            waker,
        })
    }

    pub(crate) fn take(&self) -> Vec<Happened> {
        std::mem::take(&mut self.happened.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, happened: Happened) {
        self.happened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(happened);
        self.waker.wake();
    }
}

/// What both do.
pub(crate) trait Hears: Send + Sync {
    fn request(&self, request: HttpRequest);
    fn cut(&self, exchange: u64);
}

impl Hears for Hook {
    fn request(&self, request: HttpRequest) {
        tell(self.host, self.key, request);
    }

    fn cut(&self, exchange: u64) {
        forget(self.host, exchange);
    }
}

impl Hears for Waiting {
    fn request(&self, request: HttpRequest) {
        self.push(Happened::Asked(Box::new(request)));
    }

    fn cut(&self, exchange: u64) {
        self.push(Happened::Cut(exchange));
    }
}

/// All requests of a server that no Socket.IO server takes.
pub(crate) struct Requests(pub(crate) Arc<dyn Hears>);

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
        self.0.request(request);
    }

    fn on_cut(&self, exchange: u64) {
        self.0.cut(exchange);
    }

    fn on_upgrade(&self, _: &UpgradeRequest<'_>) {}
}
