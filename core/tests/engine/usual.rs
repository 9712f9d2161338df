//! The short way for requests of polling says what the longer one says.

use super::*;
use crate::engineio::{Cors, CorsOrigin};

/// A field that has a request go the longer way.
const ODD: &str = "X-Odd: \u{e9}\r\n";

/// A client that sends all its requests with these lines, and what it got.
struct Client {
    http: Http,
    target: String,
    lines: String,
    got: Vec<(String, Vec<u8>)>,
}

impl Client {
    fn new(scene: &Scene, lines: &str) -> Client {
        while scene.events.try_recv().is_ok() {} // what was told before the answers that have come
        let (http, target) = scene.polling();
        Client {
            http,
            target,
            lines: lines.to_owned(),
            got: Vec::new(),
        }
    }

    fn ask(&mut self, method: &str, lines: &str, body: &[u8]) {
        let lines = format!("{lines}{}", self.lines);
        self.http.ask(method, &self.target, &lines, body);
    }

    #[track_caller]
    fn hears(&mut self) {
        let answer = self.http.answer();
        self.got.push((answer.head, answer.bytes));
    }

    fn request(&mut self, method: &str, lines: &str, body: &[u8]) {
        self.ask(method, lines, body);
        self.hears();
    }
}

/// What both ways answer to the same.
#[track_caller]
fn same(scene: &Scene, play: impl Fn(&mut Client)) -> Vec<(String, Vec<u8>)> {
    let [usual, odd] = ["", ODD].map(|lines| {
        let mut client = Client::new(scene, lines);
        play(&mut client);
        client.got
    });
    assert_eq!(usual, odd);
    usual
}

fn scenes() -> impl Iterator<Item = Scene> {
    let cors = |origin| Cors {
        origin,
        credentials: true,
        exposed_headers: Some("x-c".to_owned()),
        ..Cors::default()
    };
    let choices = [
        None,
        Some(Cors::default()),
        Some(cors(CorsOrigin::One("https://a.example".to_owned()))),
        Some(cors(CorsOrigin::Reflect)),
    ];
    choices
        .into_iter()
        .map(|cors| Scene::with(|options| options.cors = cors))
}

#[test]
fn answers_are_the_same() {
    for scene in scenes() {
        let got = same(&scene, |client| {
            let long = "x".repeat(1500);
            let longer = format!("4{}", "y".repeat(40_000));
            for body in [
                "4a",
                "4a\u{1e}4b\u{1e}bAQI=",
                "4\u{e9}",
                &format!("4{long}"),
                &longer,
                "3",
                "6",
            ] {
                client.request(
                    "POST",
                    "Content-Type: text/plain;charset=UTF-8\r\n",
                    body.as_bytes(),
                );
                if body.len() > 1 {
                    client.request("GET", "", b"");
                }
            }
            for accept in ["gzip, deflate, br", "deflate", "br", "*;q=0", ""] {
                client.request(
                    "POST",
                    "Origin: https://b.example\r\n",
                    format!("4{long}").as_bytes(),
                );
                client.request("GET", &format!("Accept-Encoding: {accept}\r\n"), b"");
            }
            for agent in [
                "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0)",
                "a;MSIE 6",
                "T;M",
            ] {
                let lines = format!("User-Agent: {agent}\r\nOrigin: https://a.example\r\n");
                client.request("POST", &lines, b"4a");
                client.request("GET", &lines, b"");
            }
            // The last of what a session takes.
            client.request("POST", "", b"4a\x1e7");
            client.request("GET", "", b"");
        });
        assert_eq!(got.len(), 30);
        assert!(
            got[0].0.starts_with("HTTP/1.1 200 OK\r\n") && got[0].1 == b"ok",
            "{got:?}"
        );
        let compressed = got
            .iter()
            .filter(|(head, _)| head.contains("Content-Encoding: "))
            .count();
        assert_eq!(compressed, 2);
        let protected = got
            .iter()
            .filter(|(head, _)| head.contains("X-XSS-Protection: 0"))
            .count();
        assert_eq!(protected, 4);
    }
}

#[test]
fn refusals_are_the_same() {
    let scene = Scene::with(|options| {
        options.max_http_buffer_size = 100;
        options.cors = Some(Cors::default());
    });
    for (method, lines, body) in [
        ("POST", "", &b""[..]),
        ("POST", "", b"4\xff"),
        ("POST", "", b"x"),
        ("POST", "", b"2"),
        ("POST", "", b"1"),
        ("POST", "", &[b'4'; 101]),
        ("POST", "Content-Type: application/octet-stream\r\n", b"4a"),
        ("PUT", "", b"4a"),
        ("OPTIONS", "Origin: a\r\n", b""),
    ] {
        let got = same(&scene, |client| client.request(method, lines, body));
        assert_eq!(got.len(), 1);
    }
}

#[test]
fn gets_wait_and_are_answered_the_same() {
    let scene = Scene::new();
    for (other, expected) in [("4a", "4a"), ("1", "6"), ("x", "1")] {
        let got = same(&scene, |client| {
            client.ask("GET", "", b"");
            wait_for_get(&scene.session());
            scene.http().post(&client.target, other);
            client.hears();
        });
        assert_eq!(got[0].1, expected.as_bytes());
    }
    let got = same(&scene, |client| {
        client.ask("GET", "", b"");
        wait_for_get(&scene.session());
        let lines = client.lines.clone();
        let second = scene.http().request("GET", &client.target, &lines, b"");
        client.got.push((second.head, second.bytes));
        client.hears();
    });
    assert!(
        got[0].0.starts_with("HTTP/1.1 400 ") && got[1].1 == b"1",
        "{got:?}"
    );
    assert_eq!(scene.engine.parked.len(), 0);
}

/// What stands behind a request in the same read is the next one, and waits for the first one's answer.
#[test]
fn requests_in_one_piece() {
    let scene = Scene::new();
    let (mut http, target) = scene.polling();
    let session = scene.session();
    let post = |body: &str| {
        let length = body.len();
        format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let get = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
    let pieces = [
        post("4a"),
        get.clone(),
        post("4b"),
        post("4c"),
        get.clone(),
        get.clone(),
    ]
    .concat();
    http.peer.send(pieces.as_bytes());
    for expected in ["ok", "4a", "ok", "ok", "4b\u{1e}4c"] {
        assert_eq!(http.answer().body, expected);
    }
    wait_for_get(&session);
    http.peer.send(post("4d").as_bytes());
    send(&session, "e");
    assert_eq!(http.answer().body, "4e");
    assert_eq!(http.answer().body, "ok");
    // Cut anywhere, it is the same.
    for at in [1, 4, 20, get.len() - 1] {
        http.peer.send(&get.as_bytes()[..at]);
        http.peer.send(&get.as_bytes()[at..]);
        if at > 1 {
            send(&session, "f");
        }
        assert_eq!(http.answer().body, if at > 1 { "4f" } else { "4d" });
    }
}

/// While a handler runs, the answer is owed; what the handler does to its own connection's server counts.
#[test]
fn the_server_closes_inside_a_handler() {
    let server: Arc<parking_lot::Mutex<Option<Server>>> = Arc::default();
    let closing = server.clone();
    let scene = Plan {
        react: Box::new(move |_, _| closing.lock().take().unwrap().close(None, "").unwrap()),
        ..Plan::default()
    }
    .play();
    let (mut http, target) = scene.polling();
    *server.lock() = Some(scene.server);
    let answer = http.post(&target, "4a");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(http.peer.read_to_end().is_empty());
}

#[test]
fn only_what_is_usual_goes_the_short_way() {
    let scene = Scene::with(|options| options.cors = Some(Cors::default()));
    let (_, target) = scene.polling();
    let engine = &scene.engine;
    let home = scene.session().home();
    let (asked, found) = unbounded();
    let targets = [
        target.clone(),
        target.replace("EIO=4", "EIO=3"),
        target.replace("polling", "websocket"),
        target.replace("/?", "/socket.io.js?"),
        target.replace("/?", "?"),
        target.replace("engine", "other"),
        format!("{target}x"),
        format!("{target}&t=%20"),
    ];
    let there = engine.clone();
    home.run(Box::new(move || {
        asked
            .send(targets.map(|target| there.regular(target.as_bytes()).is_some()))
            .unwrap();
    }));
    let found = found.recv_timeout(PATIENCE).unwrap();
    assert_eq!(found, [true, false, false, false, false, false, false, false]);
    assert!(
        engine.regular(target.as_bytes()).is_none(),
        "this is not its thread"
    );
    for change in [
        |options: &mut EngineOptions| options.ask_headers = true,
        |options: &mut EngineOptions| options.cors = Some(Cors::for_origins(&["a", "b"])),
    ] {
        let scene = Scene::with(change);
        assert!(scene.engine.heads.is_none());
    }
}
