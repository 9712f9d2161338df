//! A route that hands what it hears to the test, or answers at once.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use sockline::{
    Accept, Exchange, HttpAnswer, HttpRequest, Route, Server, ServerHandler, ServerOptions, Settings,
    UpgradeRequest,
};

use super::{PATIENCE, Peer, local};

/// Paths that begin with `/r`.
pub struct Recorded {
    sender: Sender<Told>,
    pub max_body: u64,
    pub settings: Option<Settings>,
    /// Answers each request at once: with its body, or its target if it has none.
    pub echoes: bool,
    /// Matches all paths, and takes no upgrades.
    pub is_hook: bool,
    /// Passes each request at once.
    pub passes: bool,
}

/// What a route has heard.
#[derive(Debug)]
pub enum Told {
    Request(Box<HttpRequest>),
    Upgrade(String),
    Cut(u64),
    Closed,
}

pub struct Heard(Receiver<Told>);

pub fn recorded(change: impl FnOnce(&mut Recorded)) -> (Arc<dyn Route>, Heard) {
    let (sender, receiver) = unbounded();
    let mut route = Recorded {
        sender,
        max_body: 1 << 20,
        settings: None,
        echoes: false,
        is_hook: false,
        passes: false,
    };
    change(&mut route);
    (Arc::new(route), Heard(receiver))
}

/// A server with one route.
pub fn routed(change: impl FnOnce(&mut Recorded)) -> (ServerOptions, Heard) {
    let (route, heard) = recorded(change);
    let options = ServerOptions {
        routes: vec![route],
        ..local()
    };
    (options, heard)
}

impl Route for Recorded {
    fn matches(&self, path: &str) -> bool {
        self.is_hook || path.starts_with("/r")
    }

    fn takes_upgrades(&self) -> bool {
        !self.is_hook
    }

    fn max_body(&self) -> u64 {
        self.max_body
    }

    fn settings(&self) -> Option<Settings> {
        self.settings.clone()
    }

    fn on_request(&self, request: HttpRequest) {
        if self.passes {
            return request.exchange.pass(request.head);
        }
        if self.echoes {
            let body = match request.body.len() {
                0 => request.head.target.clone().into_bytes(),
                _ => request.body,
            };
            return request.exchange.respond(ok(&body));
        }
        // The test may have seen enough and be gone.
        let _ = self.sender.send(Told::Request(Box::new(request)));
    }

    fn on_cut(&self, exchange: u64) {
        let _ = self.sender.send(Told::Cut(exchange));
    }

    fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
        let _ = self.sender.send(Told::Upgrade(request.target().to_owned()));
        request.websocket().accept(Accept::default()).unwrap();
    }

    fn on_server_closed(&self) {
        let _ = self.sender.send(Told::Closed);
    }
}

impl Heard {
    #[track_caller]
    pub fn next(&self) -> Told {
        self.0.recv_timeout(PATIENCE).expect("something to be heard")
    }

    #[track_caller]
    pub fn request(&self) -> HttpRequest {
        match self.next() {
            Told::Request(request) => *request,
            other => panic!("a request was expected, not {other:?}"),
        }
    }

    #[track_caller]
    pub fn cut(&self, exchange: u64) {
        match self.next() {
            Told::Cut(cut) => assert_eq!(cut, exchange),
            other => panic!("a cut was expected, not {other:?}"),
        }
    }

    #[track_caller]
    pub fn closed(&self) {
        match self.next() {
            Told::Closed => {}
            other => panic!("the server's end was expected, not {other:?}"),
        }
    }

    pub fn is_silent(&self) -> bool {
        self.0.is_empty()
    }
}

pub fn ok(body: &[u8]) -> HttpAnswer {
    HttpAnswer {
        body: body.to_vec(),
        ..HttpAnswer::new(200)
    }
}

/// A response: its head, and the body that Content-Length says it has.
#[track_caller]
pub fn response<S: std::io::Read + std::io::Write>(peer: &mut Peer<S>) -> (String, Vec<u8>) {
    let head = peer.read_head();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.parse().unwrap());
    let body = peer.read_exactly(length);
    (head, body)
}

pub fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

pub fn post(target: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
