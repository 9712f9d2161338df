use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};

use super::super::RedisOptions;
use super::super::memory::{MemoryBus, MemoryServer};
use super::*;
use crate::event_loop::{Loop, LoopOptions};
use crate::http::{Limits, parse_request};

const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST: Millis = 45_000;

/// Writes down what it is told, and keeps what it is to answer.
#[derive(Default)]
struct Fake {
    lines: Mutex<Vec<String>>,
    requests: Mutex<Vec<HttpRequest>>,
}

impl Fake {
    fn say(&self, line: String) {
        self.lines.lock().push(line);
    }
}

impl Front for Fake {
    fn serve_forwarded(self: Arc<Self>, sid: &Sid, request: HttpRequest) {
        self.say(format!("serve {sid:?}"));
        self.requests.lock().push(request);
    }

    fn cut_forwarded(self: Arc<Self>, sid: &Sid, exchange: u64) {
        self.say(format!("cut {sid:?}"));
        let gone = |request: &HttpRequest| request.exchange.id() == exchange;
        let mut requests = self.requests.lock();
        let place = requests
            .iter()
            .position(gone)
            .expect("it is of one that was served");
        let request = requests.remove(place);
        drop(requests);
        request.exchange.respond(HttpAnswer::new(400));
    }

    fn answer_lost(self: Arc<Self>, sid: &Sid) {
        self.say(format!("lost {sid:?}"));
    }

    fn refuse(self: Arc<Self>, request: Held) {
        request.run(|request| request.exchange.respond(HttpAnswer::new(400)));
    }
}

struct Node {
    bus: Arc<MemoryBus>,
    forwarding: Arc<Forwarding>,
    front: Arc<Fake>,
}

impl Node {
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.front.lines.lock())
    }

    /// The request that was served first and is not answered yet.
    fn request(&self) -> HttpRequest {
        self.front.requests.lock().remove(0)
    }

    fn sid(&self) -> Sid {
        Sid::generate_at(self.forwarding.tag()).unwrap()
    }

    fn waiting(&self) -> usize {
        self.forwarding.asked.lock().waiting.len() + self.forwarding.taken.lock().len()
    }
}

/// Nodes of one server, and the loop of their clients.
struct Scene {
    server: MemoryServer,
    on_loop: Loop,
    mode: RedisMode,
}

impl Scene {
    fn new() -> Scene {
        let on_loop = Loop::new(LoopOptions::default()).unwrap();
        on_loop.start().unwrap();
        Scene {
            server: MemoryServer::new(),
            on_loop,
            mode: RedisMode::Classic,
        }
    }

    fn node(&self) -> Node {
        let (bus, front) = (self.server.node(), Arc::<Fake>::default());
        let options = RedisOptions {
            mode: self.mode,
            ..RedisOptions::default()
        };
        let redis = Redis::over(Arc::<MemoryBus>::clone(&bus), options);
        let weak: Weak<Fake> = Arc::downgrade(&front);
        Node {
            forwarding: Forwarding::new(&redis, LONGEST, weak).unwrap(),
            bus,
            front,
        }
    }

    fn two(&self) -> (Node, Node) {
        (self.node(), self.node())
    }

    /// A client's request at a node.
    fn ask(&self, at: &Node, sid: &Sid) -> Client {
        let (sender, answer) = unbounded();
        let text = format!(
            "GET /socket.io/?EIO=4&sid={} HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\r\n",
            sid.as_str()
        );
        let (head, _) = parse_request(text.as_bytes(), &Limits::default())
            .unwrap()
            .unwrap();
        let request = HttpRequest {
            head,
            body: b"body".to_vec(),
            remote: "1.2.3.4:5".parse().ok(),
            secure: true,
            exchange: Exchange::foreign(Box::new(move |answer| drop(sender.send(answer)))),
        };
        let exchange = request.exchange.id();
        let home = Home::of_loop(&self.on_loop);
        assert!(at.forwarding.forward(sid, request, home).is_none());
        Client { exchange, answer }
    }
}

struct Client {
    exchange: u64,
    answer: Receiver<HttpAnswer>,
}

impl Client {
    #[track_caller]
    fn gets(&self, status: u16) -> HttpAnswer {
        let answer = self.answer.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(answer.status, status);
        answer
    }

    fn waits(&self) -> bool {
        self.answer.is_empty()
    }
}

fn answer(body: &str) -> HttpAnswer {
    HttpAnswer {
        headers: vec![("X-B".to_owned(), "c".to_owned())],
        body: body.into(),
        ..HttpAnswer::new(200)
    }
}

#[test]
fn a_request_reaches_the_sessions_node_and_the_answer_the_client() {
    for mode in [RedisMode::Classic, RedisMode::Sharded, RedisMode::Streams] {
        let scene = Scene { mode, ..Scene::new() };
        let (a, b) = scene.two();
        let sid = b.sid();
        let client = scene.ask(&a, &sid);
        scene.server.deliver();
        assert_eq!(b.heard(), [format!("serve {sid:?}")]);
        let request = b.request();
        assert_eq!(
            request.head.target,
            format!("/socket.io/?EIO=4&sid={}", sid.as_str())
        );
        assert_eq!(
            (request.head.header("x-a"), &request.body[..]),
            (Some("b"), &b"body"[..])
        );
        assert_eq!((request.remote, request.secure), ("1.2.3.4:5".parse().ok(), true));
        assert!(client.waits());
        request.exchange.respond(answer("yes"));
        scene.server.deliver();
        assert_eq!(client.gets(200), answer("yes"));
        assert_eq!((a.waiting(), b.waiting()), (0, 0));
        let channels: Vec<(String, bool)> = scene
            .server
            .published()
            .into_iter()
            .map(|(channel, _, sharded)| (channel, sharded))
            .collect();
        let of = |node: &Node| format!("socket.io-forward#{}", node.forwarding.tag().as_str());
        let sharded = mode == RedisMode::Sharded;
        assert_eq!(channels, [(of(&b), sharded), (of(&a), sharded)]);
    }
}

#[test]
fn what_is_for_no_other_node_comes_back() {
    let scene = Scene::new();
    let a = scene.node();
    let own = a.sid();
    let foreign = Sid::parse("no base64url, twenty").unwrap();
    for sid in [own, foreign, Sid::parse("short").unwrap()] {
        let text = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        let (head, _) = parse_request(text, &Limits::default()).unwrap().unwrap();
        let request = HttpRequest {
            head,
            body: Vec::new(),
            remote: None,
            secure: false,
            exchange: Exchange::foreign(Box::new(drop)),
        };
        assert!(
            a.forwarding
                .forward(&sid, request, Home::of_loop(&scene.on_loop))
                .is_some()
        );
    }
    assert!(scene.server.published().is_empty());
}

#[test]
fn who_asks_for_a_node_that_is_not_there_is_refused_at_once() {
    let scene = Scene::new();
    let (a, b) = scene.two();
    let sid = b.sid();
    drop(b);
    let client = scene.ask(&a, &sid);
    scene.server.deliver();
    client.gets(400);
    // Nor can it be forwarded without Redis.
    let b = scene.node();
    a.bus.cut();
    let client = scene.ask(&a, &b.sid());
    scene.server.deliver();
    client.gets(400);
    assert_eq!(a.waiting(), 0);
    assert_eq!(b.heard(), [""; 0]);
}

#[test]
fn a_client_that_goes_is_told_to_the_node() {
    let scene = Scene::new();
    let (a, b) = scene.two();
    let sid = b.sid();
    let client = scene.ask(&a, &sid);
    a.forwarding.cut(client.exchange);
    scene.server.deliver();
    assert_eq!(b.heard(), [format!("serve {sid:?}"), format!("cut {sid:?}")]);
    assert_eq!((a.waiting(), b.waiting()), (0, 0));
    assert_eq!(scene.server.published().len(), 2, "nobody is answered");
    // Too late, and for nobody.
    let client = scene.ask(&a, &sid);
    scene.server.deliver();
    b.request().exchange.respond(answer("yes"));
    scene.server.deliver();
    client.gets(200);
    a.forwarding.cut(client.exchange);
    a.forwarding.cut(client.exchange + 1_000);
    scene.server.deliver();
    assert_eq!(scene.server.published().len(), 4);
}

#[test]
fn who_waits_for_a_node_that_dies_is_refused() {
    let scene = Scene::new();
    let (a, b) = scene.two();
    let client = scene.ask(&a, &b.sid());
    scene.server.deliver();
    scene.server.advance(LONGEST - 10_000);
    b.bus.cut();
    scene.server.advance(2_500);
    // It was away for a moment only.
    b.bus.restore();
    scene.server.advance(2_500);
    b.bus.cut();
    scene.server.advance(2_500);
    let late = scene.ask(&a, &b.sid());
    scene.server.deliver();
    late.gets(400);
    assert!(client.waits());
    scene.server.advance(2_500);
    client.gets(400);
    assert_eq!(a.waiting(), 0);
    // Nothing is looked after any more.
    scene.server.advance(10_000);
    assert!(!a.forwarding.asked.lock().is_watched);
}

#[test]
fn nobody_waits_for_longer_than_a_session_may_take() {
    let scene = Scene::new();
    let (a, b) = scene.two();
    let client = scene.ask(&a, &b.sid());
    scene.server.deliver();
    scene.server.advance(LONGEST);
    assert!(client.waits());
    scene.server.advance(10_000);
    client.gets(400);
    // Nor does the other node keep it.
    assert_eq!((a.waiting(), b.waiting()), (0, 0));
    assert!(b.heard()[1].starts_with("cut "));
}

#[test]
fn who_waits_without_redis_is_refused_after_a_moment() {
    let scene = Scene::new();
    let (a, b) = scene.two();
    let client = scene.ask(&a, &b.sid());
    scene.server.deliver();
    a.bus.cut();
    scene.server.advance(2_500);
    assert!(client.waits());
    scene.server.advance(2_500);
    client.gets(400);
}

#[test]
fn an_answer_is_sent_until_it_arrives() {
    let scene = Scene::new();
    let (a, b) = scene.two();
    let client = scene.ask(&a, &b.sid());
    scene.server.deliver();
    b.bus.cut();
    b.request().exchange.respond(answer("yes"));
    scene.server.deliver();
    scene.server.advance(1_000);
    assert!(client.waits());
    b.bus.restore();
    a.bus.cut();
    scene.server.advance(1_000);
    a.bus.restore();
    scene.server.advance(2_000);
    assert_eq!(client.gets(200), answer("yes"));
    assert_eq!(b.heard().len(), 1);
}

#[test]
fn an_answer_that_never_arrives_is_told() {
    let scene = Scene::new();
    let (a, b) = scene.two();
    let sid = b.sid();
    let _client = scene.ask(&a, &sid);
    scene.server.deliver();
    a.bus.cut();
    b.heard();
    b.request().exchange.respond(answer("yes"));
    scene.server.deliver();
    scene.server.advance(6_000);
    assert_eq!(b.heard(), [""; 0]);
    scene.server.advance(1_000);
    assert_eq!(b.heard(), [format!("lost {sid:?}")]);
}

#[test]
fn what_makes_no_sense_is_left_alone() {
    let scene = Scene::new();
    let (a, b) = scene.two();
    let channel = b.forwarding.channel(b.forwarding.tag());
    let (mine, theirs) = (b.forwarding.tag(), a.forwarding.tag());
    let asking = |target: &str| {
        let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let (head, _) = parse_request(text.as_bytes(), &Limits::default())
            .unwrap()
            .unwrap();
        let request = HttpRequest {
            head,
            body: Vec::new(),
            remote: None,
            secure: false,
            exchange: Exchange::foreign(Box::new(drop)),
        };
        message::request(theirs, &request)
    };
    let elsewhere = format!("/?sid={}", scene.node().sid().as_str());
    for payload in [
        Vec::new(),
        b"{}".to_vec(),
        vec![0xdd, 0xff, 0xff, 0xff, 0xff],
        message::answer(1 << 50, &HttpAnswer::new(200)),
        message::cut(mine, 1),
        asking("/"),
        asking("/?sid=short"),
        asking(&elsewhere),
    ] {
        a.bus.publish(&channel, payload, false);
    }
    let before = scene.server.published().len();
    scene.server.deliver();
    assert_eq!(b.heard(), [""; 0]);
    assert_eq!(
        (b.waiting(), scene.server.published().len()),
        (0, before),
        "nothing goes on to others"
    );
}

#[test]
fn an_answer_without_sense_reaches_the_client_as_an_error_or_as_it_is() {
    let scene = Scene::new();
    let (a, b) = scene.two();
    let client = scene.ask(&a, &b.sid());
    scene.server.deliver();
    // The one who writes answers looks at them.
    let strange = HttpAnswer {
        headers: vec![("a b".to_owned(), "c\r\nd: e".to_owned())],
        ..HttpAnswer::new(7)
    };
    b.request().exchange.respond(strange.clone());
    scene.server.deliver();
    assert_eq!(client.gets(7), strange);
}

#[test]
fn who_closes_refuses_its_clients_and_is_found_no_more() {
    let scene = Scene::new();
    let (a, b) = scene.two();
    let client = scene.ask(&a, &b.sid());
    scene.server.deliver();
    assert_eq!(a.bus.subscriptions().len(), 1);
    a.forwarding.close();
    client.gets(400);
    scene.server.deliver();
    assert_eq!((b.heard().len(), b.waiting()), (2, 0), "served and cut");
    assert_eq!(a.bus.subscriptions().len(), 0);
    let back = scene.ask(&b, &a.sid());
    scene.server.deliver();
    back.gets(400);
    let b_channel = b.bus.subscriptions().len();
    drop(b.forwarding);
    assert_eq!((b_channel, b.bus.subscriptions().len()), (1, 0));
}

#[test]
fn answers_come_on_the_thread_of_the_clients_loop_or_never() {
    let scene = Scene::new();
    let (a, b) = scene.two();
    let sid = b.sid();
    let count = Arc::new(AtomicUsize::new(0));
    let (sender, is_there) = unbounded();
    let (own, counted) = (Loop::new(LoopOptions::default()).unwrap(), Arc::clone(&count));
    own.start().unwrap();
    let home = Home::of_loop(&own);
    for _ in 0..2 {
        let (counted, sender) = (Arc::clone(&counted), sender.clone());
        let text = format!("GET /?sid={} HTTP/1.1\r\nHost: h\r\n\r\n", sid.as_str());
        let (head, _) = parse_request(text.as_bytes(), &Limits::default())
            .unwrap()
            .unwrap();
        let answered = move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = sender.send(home.is_here());
        };
        let request = HttpRequest {
            head,
            body: Vec::new(),
            remote: None,
            secure: false,
            exchange: Exchange::foreign(Box::new(answered)),
        };
        assert!(a.forwarding.forward(&sid, request, home).is_none());
    }
    scene.server.deliver();
    b.request().exchange.respond(answer("first"));
    scene.server.deliver();
    assert!(is_there.recv_timeout(PATIENCE).unwrap());
    drop(own);
    b.request().exchange.respond(answer("second"));
    scene.server.deliver();
    assert_eq!((a.waiting(), b.waiting()), (0, 0));
    drop((a, b));
    assert_eq!(count.load(Ordering::Relaxed), 1);
}
