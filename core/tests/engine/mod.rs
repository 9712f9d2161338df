//! The Engine.IO server against clients that speak bytes. Part of the library's own tests, since it isn't public.

#[path = "../support/peer.rs"]
#[allow(dead_code)]
mod peer;

mod beginning;
mod files;
mod polling;
mod sending;
mod threads;
mod usual;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use sockline::engineio::Data;
use sockline::engineio::server::Reason;
use sockline::{Address, Home, Loop, LoopOptions, Server, ServerOptions, listen};

use self::peer::{Peer, masked};
use super::*;

pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the shared peers want to know.
fn url(port: u16) -> String {
    format!("ws://127.0.0.1:{port}/")
}

type React = Box<dyn Fn(&Arc<Session>, &Data<'_>) + Send + Sync>;
type Ask = Box<dyn Fn(Question) + Send + Sync>;

/// A server that answers each message with the same, and tells what it hears.
struct Scene {
    engine: Arc<Engine>,
    server: Server,
    events: Receiver<String>,
    sessions: Receiver<Arc<Session>>,
    _loop: Loop,
}

struct Hearing {
    events: Sender<String>,
    sessions: Sender<Arc<Session>>,
    react: Arc<React>,
    ask: Option<Ask>,
}

struct Hearer {
    session: Arc<Session>,
    events: Sender<String>,
    react: Arc<React>,
}

impl EngineHandler for Hearing {
    fn on_request(&self, question: Question) {
        match &self.ask {
            Some(ask) => ask(question),
            None => question.allow(),
        }
    }

    fn on_headers(&self, initial: bool, request: &crate::http::Request, headers: &mut Vec<(String, String)>) {
        let mut value = format!("{initial} {}", request.method);
        if request.note > 0 {
            value.push_str(&format!(" by {}", request.note));
        }
        headers.push(("X-Hook".to_owned(), value));
    }

    fn on_session(&self, session: &Arc<Session>) -> Arc<dyn SessionHandler> {
        assert!(session.home().is_here());
        let _ = self.events.send("open".to_owned());
        let _ = self.sessions.send(session.clone());
        Arc::new(Hearer {
            session: session.clone(),
            events: self.events.clone(),
            react: self.react.clone(),
        })
    }

    fn on_connection_error(&self, error: &ConnectionError) {
        let context = error
            .context
            .iter()
            .map(|(name, value)| format!(" {name}={value}"));
        let text = format!(
            "error {} {}{}",
            error.code,
            error.message,
            context.collect::<String>()
        );
        let _ = self.events.send(text);
    }

    fn on_server_closed(&self) {
        let _ = self.events.send("server closed".to_owned());
    }
}

impl Hearer {
    fn tell(&self, text: &str) {
        let home = self.session.home();
        assert!(
            home.is_here() || !home.run(Box::new(|| ())),
            "{text} on another thread"
        );
        let _ = self.events.send(text.to_owned());
    }
}

impl SessionHandler for Hearer {
    fn on_message(&self, data: Data<'_>) {
        self.tell(&format!("{data:?}"));
        (self.react)(&self.session, &data);
    }

    fn on_drain(&self) {
        self.tell("drain");
    }

    fn on_upgrade(&self) {
        self.tell("upgrade");
    }

    fn on_close(&self, reason: Reason, detail: &str) {
        self.tell(format!("close {} {detail}", reason.as_str()).trim_end());
    }
}

#[track_caller]
fn send(session: &Session, text: &str) {
    let sent = session.send(Data::Text(text), SendFlags::default());
    assert!(sent.is_ok(), "{sent:?}");
}

/// Waits until a GET waits, of which the client hears nothing.
fn wait_for_get(session: &Session) {
    while !session.state.lock().machine.is_parked() {
        std::thread::yield_now();
    }
}

fn echo(session: &Arc<Session>, data: &Data<'_>) {
    let sent = session.send(*data, SendFlags::default());
    assert!(sent.is_ok(), "{sent:?}");
}

/// What a scene is made of.
struct Plan {
    options: EngineOptions,
    threads: usize,
    react: React,
    ask: Option<Ask>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            options: EngineOptions::default(),
            threads: 1,
            react: Box::new(echo),
            ask: None,
        }
    }
}

impl Scene {
    fn new() -> Scene {
        Plan::default().play()
    }

    fn with(change: impl FnOnce(&mut EngineOptions)) -> Scene {
        let mut plan = Plan::default();
        change(&mut plan.options);
        plan.play()
    }

    fn port(&self) -> u16 {
        self.server.local_address().unwrap().port()
    }

    fn http(&self) -> Http {
        Http {
            peer: Peer::connect(self.port()),
        }
    }

    /// A session on polling, and a connection for it.
    fn polling(&self) -> (Http, String) {
        let mut http = self.http();
        let answer = http.get("/engine.io/?EIO=4&transport=polling");
        assert_eq!(answer.status, 200, "{answer:?}");
        self.expect(&["open"]);
        let sid = sid_in(&answer.body);
        (http, format!("/engine.io/?EIO=4&transport=polling&sid={sid}"))
    }

    /// A session on a WebSocket, after its `open` packet.
    fn websocket(&self) -> Ws {
        let mut ws = Ws::connect(self.port(), "/engine.io/?EIO=4&transport=websocket");
        assert!(ws.text().starts_with("0{\"sid\":"));
        self.expect(&["open"]);
        ws
    }

    #[track_caller]
    fn expect(&self, events: &[&str]) {
        for expected in events {
            let event = self.events.recv_timeout(PATIENCE).expect("an event comes");
            assert_eq!(event, *expected);
        }
    }

    fn session(&self) -> Arc<Session> {
        self.sessions.recv_timeout(PATIENCE).expect("a session begins")
    }
}

impl Plan {
    fn play(self) -> Scene {
        let on_loop = Loop::new(LoopOptions::default()).unwrap();
        on_loop.start().unwrap();
        let (events, heard) = unbounded();
        let (sessions, begun) = unbounded();
        let handler: Arc<dyn EngineHandler> = Arc::new(Hearing {
            events,
            sessions,
            react: Arc::new(self.react),
            ask: self.ask,
        });
        let weak = Arc::downgrade(&handler);
        let engine = Engine::new(self.options, Home::of_loop(&on_loop), weak).unwrap();
        let mut options = ServerOptions::new(Address::Tcp("127.0.0.1".to_owned(), 0));
        options.routes = vec![engine.route(handler)];
        options.threads = self.threads;
        let server = listen(Some(&on_loop), options, None).unwrap();
        Scene {
            engine,
            server,
            events: heard,
            sessions: begun,
            _loop: on_loop,
        }
    }
}

fn sid_in(open: &str) -> String {
    let data = open.strip_prefix("0{\"sid\":\"").expect("an open packet");
    data.split('"').next().unwrap().to_owned()
}

/// A connection that sends requests.
struct Http {
    peer: Peer,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
    bytes: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Http {
    fn get(&mut self, target: &str) -> Answer {
        self.request("GET", target, "", b"")
    }

    fn post(&mut self, target: &str, body: &str) -> Answer {
        self.request("POST", target, "", body.as_bytes())
    }

    fn request(&mut self, method: &str, target: &str, lines: &str, body: &[u8]) -> Answer {
        self.ask(method, target, lines, body);
        self.answer()
    }

    fn ask(&mut self, method: &str, target: &str, lines: &str, body: &[u8]) {
        let length = body.len();
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n{lines}\r\n");
        self.peer.send(&[head.as_bytes(), body].concat());
    }

    #[track_caller]
    fn answer(&mut self) -> Answer {
        let head = self.peer.read_head();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer {
            status,
            head,
            body: String::new(),
            bytes: Vec::new(),
        };
        let length = answer
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        answer.bytes = self.peer.read_exactly(length);
        answer.body = String::from_utf8_lossy(&answer.bytes).into_owned();
        answer
    }
}

/// A WebSocket.
struct Ws {
    peer: Peer,
    head: String,
}

impl Ws {
    fn connect(port: u16, target: &str) -> Ws {
        let mut ws = Ws::ask(port, target, "");
        ws.head = ws.peer.read_head();
        assert!(ws.head.starts_with("HTTP/1.1 101 "), "{}", ws.head);
        ws
    }

    fn ask(port: u16, target: &str, lines: &str) -> Ws {
        let mut peer = Peer::connect(port);
        let request = peer::REQUEST.replace("GET /", &format!("GET {target}"));
        let request = request.strip_suffix("\r\n").unwrap();
        peer.send(format!("{request}{lines}\r\n").as_bytes());
        Ws {
            peer,
            head: String::new(),
        }
    }

    fn send(&mut self, text: &str) {
        self.peer.send(&masked(0x81, text.as_bytes()));
    }

    fn send_binary(&mut self, bytes: &[u8]) {
        self.peer.send(&masked(0x82, bytes));
    }

    #[track_caller]
    fn text(&mut self) -> String {
        let (first, payload) = self.peer.read_frame();
        assert_eq!(first, 0x81, "{payload:?}");
        String::from_utf8(payload).unwrap()
    }

    #[track_caller]
    fn closed(&mut self) {
        let (first, payload) = self.peer.read_frame();
        assert_eq!(first, 0x88, "{}", String::from_utf8_lossy(&payload));
    }
}
