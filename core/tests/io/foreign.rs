//! WebSockets that another server has: the tests play that server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use sockline::http::Request;
use sockline::io::{Data, EmitOptions, ForeignOutlet, ForeignWebSocket};
use sockline::{Exchange, HttpRequest, MessageType, Refusal, Sent};

use crate::fixture::{Fixture, Poller, serve, serve_with, set};
use crate::support::PATIENCE;

/// Says what it is told to do in a line each, and keeps the bytes until they are let go.
struct Outlet {
    lines: Sender<String>,
    buffered: AtomicU64,
    keeps: AtomicBool,
}

impl Outlet {
    fn say(&self, line: String) {
        let _ = self.lines.send(line);
    }
}

impl ForeignOutlet for Outlet {
    fn accept(&self, headers: Vec<(String, String)>) {
        self.say(format!("accept {headers:?}"));
    }

    fn refuse(&self, refusal: Refusal) {
        let body = String::from_utf8_lossy(&refusal.body).into_owned();
        self.say(format!("refuse {} {body}", refusal.status));
    }

    fn send(&self, kind: MessageType, data: &[u8]) {
        if self.keeps.load(Ordering::Relaxed) {
            self.buffered.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        match kind {
            MessageType::Text => self.say(String::from_utf8(data.to_vec()).unwrap()),
            MessageType::Binary => self.say(format!("{data:?}")),
        }
    }

    fn close(&self, code: Option<u16>) {
        self.say(format!("close {code:?}"));
    }

    fn buffered_amount(&self) -> u64 {
        self.buffered.load(Ordering::Relaxed)
    }
}

struct Client {
    outlet: Arc<Outlet>,
    ws: ForeignWebSocket,
    lines: Receiver<String>,
}

impl Client {
    fn ask(fixture: &Fixture, query: &str) -> Client {
        let (lines_in, lines) = unbounded();
        let outlet = Arc::new(Outlet {
            lines: lines_in,
            buffered: AtomicU64::new(0),
            keeps: AtomicBool::new(false),
        });
        let target = format!("/anywhere/?{query}");
        let mut head = Request::of("GET", &target, [(&b"host"[..], &b"h"[..])]).unwrap();
        head.note = 77;
        let ws = fixture.io.foreign_websocket(head, None, true, outlet.clone());
        Client { outlet, ws, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    #[track_caller]
    fn gets(&self, expected: &str) {
        assert_eq!(self.next(), expected);
    }

    fn says(&self, text: &str) {
        self.ws.received(Data::Text(text));
    }

    /// One that has joined `/`.
    fn joined(fixture: &Fixture) -> Client {
        let client = Client::ask(fixture, "EIO=4&transport=websocket");
        client.gets("accept []");
        assert!(client.next().starts_with(r#"0{"sid":""#));
        client.says("40");
        assert!(client.next().starts_with(r#"40{"sid":""#));
        fixture.hears(&["connecting / {}"]);
        fixture.hears(&["connection /"]);
        client
    }
}

#[test]
fn a_session_begins_speaks_and_ends() {
    let fixture = serve();
    set(
        &fixture.handler.on_event,
        Box::new(|_, event| {
            let attached: Vec<&[u8]> = event.attachments.iter().map(AsRef::as_ref).collect();
            let _ = event.ack.unwrap().send(event.args, &attached).unwrap();
        }),
    );
    let client = Client::joined(&fixture);
    let socket = fixture.socket();
    assert_eq!(
        (socket.handshake().note(), socket.handshake().secure()),
        (77, true)
    );
    client.says(r#"421["a",1]"#);
    fixture.hears(&["event a [1] ack"]);
    client.gets("431[1]");
    client.says(r#"451-2["b",{"_placeholder":true,"num":0}]"#);
    client.ws.received(Data::Binary(&[5, 6]));
    fixture.hears(&[r#"event b [{"_placeholder":true,"num":0}] [[5, 6]] ack"#]);
    client.gets(r#"461-2[{"_placeholder":true,"num":0}]"#);
    client.gets("[5, 6]");
    fixture.io.of("/").all().emit("to all", "", &[]).unwrap();
    client.gets(r#"42["to all"]"#);
    client.ws.closed();
    fixture.hears(&["disconnecting transport close 1"]);
    fixture.hears(&["disconnect / transport close"]);
    // Nothing is told any more.
    client.says(r#"42["late"]"#);
    fixture.io.of("/").all().emit("to nobody", "", &[]).unwrap();
    assert!(socket.emit("x", "", &[], &EmitOptions::default()).is_err());
    assert!(client.lines.try_recv().is_err());
    assert_eq!(fixture.io.metrics().clients, 0);
}

#[test]
fn a_session_moves_from_polling_to_another_servers_websocket() {
    let fixture = serve();
    let poller = Poller::open(fixture.port, "EIO=4");
    poller.post("40");
    fixture.hears(&["connecting / {}"]);
    fixture.hears(&["connection /"]);
    let query = format!("EIO=4&transport=websocket&sid={}", poller.sid);
    let client = Client::ask(&fixture, &query);
    client.gets("accept []");
    client.says("2probe");
    client.gets("3probe");
    fixture.io.of("/").all().emit("waits", "", &[]).unwrap();
    client.says("5");
    fixture.hears(&["upgrade websocket"]);
    // Nothing was asked for by polling meanwhile.
    assert!(client.next().starts_with(r#"40{"sid":""#));
    client.gets(r#"42["waits"]"#);
    client.says(r#"42["after"]"#);
    fixture.hears(&["event after []"]);
    drop(client.ws);
    fixture.hears(&["disconnecting transport close 1"]);
}

#[test]
fn who_has_no_session_is_let_in_only_to_be_told() {
    let fixture = serve_with(|options| options.ask_request = true);
    let client = Client::ask(&fixture, "EIO=4&transport=websocket&sid=nobody00000000000000");
    client.gets("refuse 400 Session ID unknown");
    fixture.hears(&["connection error 1 Session ID unknown"]);
    set(
        &fixture.handler.on_request,
        Box::new(|question| question.deny(Some("not you"))),
    );
    let client = Client::ask(&fixture, "EIO=4&transport=websocket");
    client.gets("refuse 400 not you");
    fixture.hears(&["connection error 4 Forbidden"]);
    // What another one has in mind goes before its answer.
    let (asked_in, asked) = unbounded();
    set(
        &fixture.handler.on_request,
        Box::new(move |question| asked_in.send(question).unwrap()),
    );
    let client = Client::ask(&fixture, "EIO=4&transport=websocket");
    let question = asked.recv_timeout(PATIENCE).unwrap();
    client.ws.closed();
    question.allow();
    let poller = Client::ask(&fixture, "EIO=4&transport=websocket"); // behind it, on the same loop
    asked.recv_timeout(PATIENCE).unwrap().allow();
    poller.gets("accept []");
    fixture.settles(|| fixture.io.engine_clients() == 1);
    assert!(client.lines.try_recv().is_err());
}

#[test]
fn it_is_closed_from_here_and_for_what_is_too_long() {
    let fixture = serve_with(|options| options.max_http_buffer_size = 1000);
    let client = Client::joined(&fixture);
    fixture.socket().disconnect(true);
    client.gets("41");
    client.gets("close None");
    fixture.skip();
    let client = Client::joined(&fixture);
    client.says(&format!("42[\"{}\"]", "x".repeat(1000)));
    client.gets("close Some(1009)");
    fixture.hears(&["disconnecting transport error 1"]);
}

#[test]
fn what_waits_is_counted_and_volatile_events_are_dropped_meanwhile() {
    let fixture = serve_with(|options| options.settings.high_water_mark = 1000);
    let client = Client::joined(&fixture);
    let socket = fixture.socket();
    client.outlet.keeps.store(true, Ordering::Relaxed);
    let long = format!("\"{}\"", "x".repeat(600));
    let emit = |volatile| {
        let options = EmitOptions {
            volatile,
            ..EmitOptions::default()
        };
        socket.emit("long", &long, &[], &options).unwrap()
    };
    assert_eq!(emit(false), Sent::Queued);
    assert_eq!(emit(true), Sent::Dropped);
    assert_eq!(emit(false), Sent::OverMark);
    assert_eq!(
        socket.buffered_amount(),
        client.outlet.buffered.load(Ordering::Relaxed)
    );
    client.outlet.buffered.store(501, Ordering::Relaxed);
    client.ws.drained(); // not enough
    client.outlet.buffered.store(500, Ordering::Relaxed);
    client.ws.drained();
    fixture.hears(&["drain"]);
    client.outlet.buffered.store(0, Ordering::Relaxed);
    assert_eq!(emit(true), Sent::Queued);
}

#[test]
fn who_answers_no_ping_is_closed() {
    let fixture = serve_with(|options| {
        options.ping_interval = Duration::from_millis(30);
        options.ping_timeout = Duration::from_millis(30);
    });
    let client = Client::joined(&fixture);
    client.gets("2");
    client.says("3");
    client.gets("2");
    client.gets("close None");
    fixture.hears(&["disconnecting ping timeout 1"]);
}

#[test]
fn closing_the_server_closes_it() {
    let fixture = serve();
    let client = Client::joined(&fixture);
    fixture.io.close();
    client.gets("close None");
    fixture.hears(&["disconnecting server shutting down 1"]);
    fixture.hears(&["disconnect / server shutting down"]);
    fixture.hears(&["server closed"]);
}

/// A request that another server has read; its answer's body comes behind what it is called.
fn request(
    fixture: &Fixture,
    name: &'static str,
    method: &str,
    query: &str,
    body: &str,
    answers: &Sender<(&'static str, String)>,
) {
    let answers = answers.clone();
    let target = format!("/socket.io/?EIO=4&transport=polling{query}");
    fixture.io.handle_request(HttpRequest {
        head: Request::of(method, &target, [(&b"host"[..], &b"h"[..])]).unwrap(),
        body: body.as_bytes().to_vec(),
        remote: None,
        secure: false,
        exchange: Exchange::foreign(Box::new(move |answer| {
            let _ = answers.send((name, String::from_utf8(answer.body).unwrap()));
        })),
    });
}

#[test]
fn a_post_is_answered_before_what_it_brings_about() {
    let fixture = serve();
    set(
        &fixture.handler.on_event,
        Box::new(|_, event| drop(event.ack.unwrap().send(event.args, &[]))),
    );
    let (sender, answers) = unbounded();
    let next = || answers.recv_timeout(PATIENCE).unwrap();
    request(&fixture, "open", "GET", "", "", &sender);
    let (_, opened) = next();
    let opened: serde_json::Value = serde_json::from_str(&opened[1..]).unwrap();
    let session = format!("&sid={}", opened["sid"].as_str().unwrap());
    request(&fixture, "get", "GET", &session, "", &sender);
    request(&fixture, "post", "POST", &session, "40", &sender);
    assert_eq!(next(), ("post", "ok".to_owned()));
    assert_eq!(next().0, "get");
    request(&fixture, "get", "GET", &session, "", &sender);
    request(&fixture, "post", "POST", &session, r#"421["a",1]"#, &sender);
    assert_eq!(next(), ("post", "ok".to_owned()));
    assert_eq!(next(), ("get", "431[1]".to_owned()));
}
