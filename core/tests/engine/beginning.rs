use super::*;
use crate::engineio::{Cookie, Cors};

#[test]
fn the_handshake_on_polling() {
    let scene = Scene::new();
    let answer = scene.http().get("/engine.io/?EIO=4&transport=polling");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-xss-protection"), None);
    assert_eq!(answer.header("set-cookie"), None);
    let sid = sid_in(&answer.body);
    assert_eq!(
        answer.body,
        format!(
            "0{{\"sid\":\"{sid}\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}}"
        )
    );
    scene.expect(&["open"]);
    let session = scene.session();
    assert_eq!((session.sid(), session.version()), (sid.as_str(), 4));
    assert_eq!(session.request().url(), "/engine.io/?EIO=4&transport=polling");
    assert!(session.request().address().is_some());
    assert_eq!((scene.engine.clients(), scene.engine.sessions().len()), (1, 1));
    assert!(scene.engine.session(&sid).is_some());
}

#[test]
fn the_handshake_on_a_websocket() {
    let scene = Scene::with(|options| options.ping_interval = Duration::from_secs(7));
    let mut ws = Ws::connect(scene.port(), "/engine.io/?EIO=4&transport=websocket");
    let open = ws.text();
    let sid = sid_in(&open);
    assert_eq!(
        open,
        format!(
            "0{{\"sid\":\"{sid}\",\"upgrades\":[],\"pingInterval\":7000,\"pingTimeout\":20000,\"maxPayload\":1000000}}"
        )
    );
    scene.expect(&["open"]);
    ws.send("4hello");
    assert_eq!(ws.text(), "4hello");
    ws.send_binary(&[1, 2, 3]);
    assert_eq!(ws.peer.read_frame(), (0x82, vec![1, 2, 3]));
    scene.expect(&["Text(\"hello\")", "Binary([1, 2, 3])"]);
}

#[test]
fn clients_of_revision_3() {
    let scene = Scene::with(|options| options.allow_eio3 = true);
    let mut ws = Ws::connect(scene.port(), "/engine.io/?EIO=3&transport=websocket");
    assert!(ws.text().starts_with("0{"));
    ws.send("2");
    assert_eq!(ws.text(), "3");
    ws.send_binary(&[4, 1, 2]);
    assert_eq!(ws.peer.read_frame(), (0x82, vec![4, 1, 2]));
    // One that reads text only.
    let mut ws = Ws::connect(scene.port(), "/engine.io/?EIO=3&transport=websocket&b64=1");
    assert!(ws.text().starts_with("0{"));
    ws.send("b4AQI=");
    assert_eq!(ws.text(), "b4AQI=");
    let mut http = scene.http();
    let open = http.get("/engine.io/?transport=polling").body;
    let (length, data) = open.split_once(":0{").unwrap();
    assert_eq!(length.parse(), Ok(data.len() + 2));
    let sid = data.split('"').nth(3).unwrap();
    let target = format!("/engine.io/?transport=polling&sid={sid}");
    assert_eq!(http.post(&target, "2:4a10:b4AQIDBA==").body, "ok");
    let answer = http.get(&target);
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.bytes, b"\x00\x02\xff4a\x01\x05\xff\x04\x01\x02\x03\x04");
    let octets = "Content-Type: application/octet-stream\r\n";
    let answer = http.request("POST", &target, octets, b"\x00\x02\xff4b\x01\x02\xff\x04\x09");
    assert_eq!(answer.body, "ok");
    assert_eq!(http.get(&target).bytes, b"\x00\x02\xff4b\x01\x02\xff\x04\x09");
}

#[test]
fn pages_of_revision_3_poll_by_scripts_and_forms() {
    let scene = Scene::with(|options| options.allow_eio3 = true);
    let mut http = scene.http();
    let answer = http.get("/engine.io/?EIO=3&transport=polling&j=7");
    assert_eq!(
        answer.header("content-type"),
        Some("text/javascript; charset=UTF-8")
    );
    let script = answer.body;
    let payload = script
        .strip_prefix("___eio[7](\"")
        .unwrap()
        .strip_suffix("\");")
        .unwrap();
    let sid = payload.split("\\\"").nth(3).unwrap();
    let target = format!("/engine.io/?EIO=3&transport=polling&sid={sid}&j=7");
    // What the text has of ends of lines is told from those that the form makes.
    let form = "x=1&d=7%3A4a%5Cnb%5C%5Cn%E2%80%A810%3Ab4AQIDBA%3D%3D";
    let answer = http.post(&target, form);
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    scene.expect(&["open", "Text(\"a\\nb\\\\n\\u{2028}\")", "Binary([1, 2, 3, 4])"]);
    let answer = http.get(&target);
    assert_eq!(answer.body, "___eio[7](\"7:4a\\nb\\\\n\\u202810:b4AQIDBA==\");");
    for form in ["2:4x", "d=2%3A4x&d=2%3A4y"] {
        assert_eq!(
            http.post(&target, form).body,
            "ok",
            "nothing, as in the official server"
        );
    }
    assert_eq!(http.post(&target, "d=nonsense").status, 400);
    scene.expect(&["close parse error"]);
    let later = http.get("/engine.io/?EIO=4&transport=polling&j=7").body;
    assert!(later.starts_with("0{"), "{later}");
}

#[test]
fn refusals() {
    let scene = Scene::new();
    let mut http = scene.http();
    for (method, query, body, event) in [
        (
            "GET",
            "EIO=4&transport=tcp",
            r#"{"code":0,"message":"Transport unknown"}"#,
            "error 0 Transport unknown transport=tcp",
        ),
        (
            "GET",
            "EIO=4&transport=polling&sid=x",
            r#"{"code":1,"message":"Session ID unknown"}"#,
            "error 1 Session ID unknown sid=x",
        ),
        (
            "POST",
            "EIO=4&transport=polling",
            r#"{"code":2,"message":"Bad handshake method"}"#,
            "error 2 Bad handshake method method=POST",
        ),
        (
            "GET",
            "EIO=4&transport=websocket",
            r#"{"code":3,"message":"Bad request"}"#,
            "error 3 Bad request name=TRANSPORT_HANDSHAKE_ERROR",
        ),
        (
            "GET",
            "EIO=3&transport=polling",
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
            "error 5 Unsupported protocol version protocol=3",
        ),
    ] {
        let answer = http.request(method, &format!("/engine.io/?{query}"), "", b"");
        assert_eq!((answer.status, answer.body.as_str()), (400, body));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        scene.expect(&[event]);
    }
    // A WebSocket is refused in words, and the connection closes.
    let mut ws = Ws::ask(scene.port(), "/engine.io/?EIO=4&transport=tcp", "");
    let answer = String::from_utf8(ws.peer.read_to_end()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("Content-type: text/html\r\n") && answer.contains("Connection: close\r\n"));
    assert!(answer.ends_with("\r\n\r\nTransport unknown"), "{answer}");
    scene.expect(&["error 0 Transport unknown transport=tcp"]);
}

#[test]
fn paths() {
    let scene = Scene::new();
    for path in ["/engine.io", "/engine.iox/", "/other/"] {
        let target = format!("{path}?EIO=4&transport=polling");
        assert_ne!(scene.http().get(&target).status, 200, "{path}");
    }
    let scene = Scene::with(|options| {
        options.path = "/io/".to_owned();
        options.add_trailing_slash = false;
    });
    for path in ["/io", "/io/", "/io/x"] {
        let target = format!("{path}?EIO=4&transport=polling");
        assert_eq!(scene.http().get(&target).status, 200, "{path}");
    }
}

#[test]
fn the_application_is_asked() {
    let (questions, asked) = unbounded();
    let plan = || Plan {
        options: EngineOptions {
            ask_request: true,
            ..EngineOptions::default()
        },
        ..Plan::default()
    };
    let scene = Plan {
        ask: Some(Box::new(move |question| questions.send(question).unwrap())),
        ..plan()
    }
    .play();
    // It answers later, on another thread.
    let mut http = scene.http();
    http.ask("GET", "/engine.io/?EIO=4&transport=polling&token=a", "", b"");
    let question: Question = asked.recv_timeout(PATIENCE).unwrap();
    assert!(
        question
            .request()
            .query()
            .contains(&("token".to_owned(), "a".to_owned()))
    );
    question.allow();
    assert!(http.answer().body.starts_with("0{"));
    scene.expect(&["open"]);
    for (message, body) in [(Some("no \"bots\""), r#"no \"bots\""#), (None, "Forbidden")] {
        http.ask("GET", "/engine.io/?EIO=4&transport=polling", "", b"");
        asked.recv_timeout(PATIENCE).unwrap().deny(message);
        let answer = http.answer();
        assert_eq!(answer.status, 403);
        assert_eq!(answer.body, format!("{{\"code\":4,\"message\":\"{body}\"}}"));
        let event = scene.events.recv_timeout(PATIENCE).unwrap();
        assert!(event.starts_with("error 4 Forbidden"), "{event}");
    }
    // Dropped, it is denied; a WebSocket always gets 400.
    let mut ws = Ws::ask(scene.port(), "/engine.io/?EIO=4&transport=websocket", "");
    drop(asked.recv_timeout(PATIENCE).unwrap());
    let answer = String::from_utf8(ws.peer.read_to_end()).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("Forbidden"),
        "{answer}"
    );
    scene.expect(&["error 4 Forbidden"]);
    let mut ws = Ws::ask(scene.port(), "/engine.io/?EIO=4&transport=websocket", "");
    asked.recv_timeout(PATIENCE).unwrap().allow();
    assert!(ws.peer.read_head().starts_with("HTTP/1.1 101 "));
    assert!(ws.text().starts_with("0{"));
    scene.expect(&["open"]);
    // It allows inside its handler, which must have returned before anything comes of it.
    let scene = Plan {
        ask: Some(Box::new(Question::allow)),
        ..plan()
    }
    .play();
    scene.polling();
}

#[test]
fn a_client_that_goes_before_the_answer_gets_no_session() {
    let (questions, asked) = unbounded();
    let mut plan = Plan {
        ask: Some(Box::new(move |question| questions.send(question).unwrap())),
        ..Plan::default()
    };
    plan.options.ask_request = true;
    let scene = plan.play();
    let mut http = scene.http();
    http.ask("GET", "/engine.io/?EIO=4&transport=polling", "", b"");
    let question: Question = asked.recv_timeout(PATIENCE).unwrap();
    drop(http);
    while scene.engine.asked.len() > 0 {
        std::thread::yield_now(); // the loop learns of it when the system says so
    }
    question.allow();
    // The loop does one after the other.
    http = scene.http();
    http.ask("GET", "/engine.io/?EIO=4&transport=polling", "", b"");
    asked.recv_timeout(PATIENCE).unwrap().allow();
    assert_eq!(http.answer().status, 200);
    scene.expect(&["open"]);
    assert_eq!(scene.engine.clients(), 1);
    assert!(scene.events.is_empty());
}

#[test]
fn cors_and_cookies() {
    let scene = Scene::with(|options| {
        options.cors = Some(Cors {
            credentials: true,
            ..Cors::for_origins(&["https://a.example", "https://b.example"])
        });
        options.cookie = Some(Cookie::default());
        options.ask_headers = true;
    });
    let mut http = scene.http();
    let lines = "Origin: https://a.example\r\nAccess-Control-Request-Headers: x-a\r\n";
    let answer = http.request("OPTIONS", "/engine.io/?EIO=4&transport=polling", lines, b"");
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(answer.header("access-control-allow-headers"), Some("x-a"));
    assert_eq!(
        answer.header("vary"),
        Some("Origin, Access-Control-Request-Headers")
    );
    let answer = http.request("GET", "/engine.io/?EIO=4&transport=polling", lines, b"");
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://a.example")
    );
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    let sid = sid_in(&answer.body);
    let cookie = format!("io={sid}; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(answer.header("set-cookie"), Some(cookie.as_str()));
    assert_eq!(answer.header("x-hook"), Some("true GET"));
    // Only the first answer has a cookie, all have the others.
    let target = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
    let answer = http.request("POST", &target, lines, b"4a");
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("x-hook"), Some("false POST"));
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://a.example")
    );
    let evil = "Origin: https://evil.example\r\nUser-Agent: x;MSIE 10\r\n";
    let answer = http.request("GET", &target, evil, b"");
    assert_eq!(answer.body, "4a");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("x-xss-protection"), Some("0"));
    let answer = http.request("GET", "/engine.io/?EIO=4", lines, b"");
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://a.example")
    );
    let mut ws = Ws::ask(
        scene.port(),
        "/engine.io/?EIO=4&transport=websocket",
        "Origin: https://b.example\r\n",
    );
    let head = ws.peer.read_head();
    assert!(
        head.contains("Access-Control-Allow-Origin: https://b.example\r\n"),
        "{head}"
    );
    assert!(head.contains("X-Hook: true GET\r\n"), "{head}");
}

#[test]
fn without_cors_a_preflight_is_refused() {
    let scene = Scene::new();
    let answer = scene
        .http()
        .request("OPTIONS", "/engine.io/?EIO=4&transport=polling", "", b"");
    assert_eq!(answer.body, r#"{"code":2,"message":"Bad handshake method"}"#);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    let nobody: Weak<dyn EngineHandler> = Weak::<Hearing>::new();
    type Change = fn(&mut EngineOptions);
    let changes: [Change; 6] = [
        |options| options.path = "x".to_owned(),
        |options| options.transports.clear(),
        |options| options.max_http_buffer_size = 0,
        |options| options.ping_timeout = Duration::ZERO,
        |options| {
            options.cookie = Some(Cookie {
                name: "a;b".to_owned(),
                ..Cookie::default()
            });
        },
        |options| options.cors = Some(Cors::for_origins(&["a\r\nb"])),
    ];
    for change in changes {
        let mut options = EngineOptions::default();
        change(&mut options);
        let made = Engine::new(options, Home::of_loop(&on_loop), nobody.clone());
        assert_eq!(made.map(drop).unwrap_err().code(), ErrorCode::InvalidArgument);
    }
}

#[test]
fn the_end_of_a_listener_is_heard() {
    let scene = Scene::new();
    scene.server.close(Some(1001), "").unwrap();
    scene.expect(&["server closed"]);
}
