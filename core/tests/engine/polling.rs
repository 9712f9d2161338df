use std::io::Read;

use super::*;

#[test]
fn messages_go_both_ways() {
    let scene = Scene::new();
    let (mut http, target) = scene.polling();
    let mut poll = scene.http();
    poll.ask("GET", &target, "", b"");
    wait_for_get(&scene.session());
    let answer = http.post(&target, "4a\u{1e}4b\u{1e}bAQI=");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    scene.expect(&["Text(\"a\")", "Text(\"b\")", "Binary([1, 2])"]);
    assert_eq!(poll.answer().body, "4a");
    let answer = poll.get(&target);
    assert_eq!(answer.body, "4b\u{1e}bAQI=");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
}

#[test]
fn clients_of_python_get_answers_that_they_take() {
    for (agent, most) in [
        ("python-requests/2.34.2", 16),
        ("Python/3.11 aiohttp/3.14.5", 16),
        ("node-XMLHttpRequest", 40),
    ] {
        let scene = Scene::new();
        let mut http = scene.http();
        let lines = format!("User-Agent: {agent}\r\n");
        let answer = http.request("GET", "/engine.io/?EIO=4&transport=polling", &lines, b"");
        let target = format!("/engine.io/?EIO=4&transport=polling&sid={}", sid_in(&answer.body));
        let session = scene.session();
        for number in 0..40 {
            let text = number.to_string();
            let sent = session.send(Data::Text(&text), SendFlags::default());
            assert_eq!(sent.unwrap(), crate::Sent::Queued);
        }
        let mut packets = Vec::new();
        while packets.len() < 40 {
            let body = http.get(&target).body;
            let before = packets.len();
            packets.extend(body.split('\u{1e}').map(str::to_owned));
            assert_eq!(packets.len() - before, most.min(40 - before), "{agent}");
        }
        let expected: Vec<_> = (0..40).map(|number| format!("4{number}")).collect();
        assert_eq!(packets, expected);
    }
}

#[test]
fn two_gets_at_once() {
    let scene = Scene::new();
    let (mut http, target) = scene.polling();
    let session = scene.session();
    http.ask("GET", &target, "", b"");
    wait_for_get(&session);
    let answer = scene.http().get(&target);
    assert_eq!((answer.status, answer.body.as_str()), (400, ""));
    assert_eq!(http.answer().body, "1");
    scene.expect(&["close transport error overlap from client"]);
    assert_eq!(
        http.get(&target).body,
        r#"{"code":1,"message":"Session ID unknown"}"#
    );
    assert_eq!(scene.engine.clients(), 0);
}

#[test]
fn two_posts_at_once_are_taken_in_the_order_of_their_ends() {
    let scene = Scene::new();
    let (mut http, target) = scene.polling();
    let mut slow = scene.http();
    let body = b"4slow";
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    slow.peer.send(head.as_bytes());
    slow.peer.send(&body[..2]);
    assert_eq!(http.post(&target, "4quick").body, "ok");
    slow.peer.send(&body[2..]);
    assert_eq!(slow.answer().body, "ok");
    scene.expect(&["Text(\"quick\")", "Text(\"slow\")"]);
}

#[test]
fn a_get_that_is_cancelled_ends_the_session() {
    let scene = Scene::new();
    let (mut http, target) = scene.polling();
    let session = scene.session();
    http.ask("GET", &target, "", b"");
    wait_for_get(&session);
    drop(http);
    scene.expect(&["close transport error poll connection closed prematurely"]);
    assert_eq!((scene.engine.clients(), scene.engine.parked.len()), (0, 0));
    assert!(session.is_closed());
}

#[test]
fn the_client_closes() {
    let scene = Scene::new();
    let (mut http, target) = scene.polling();
    let session = scene.session();
    let mut poll = scene.http();
    poll.ask("GET", &target, "", b"");
    wait_for_get(&session);
    assert_eq!(http.post(&target, "1").body, "ok");
    assert_eq!(poll.answer().body, "6");
    scene.expect(&["close transport close"]);
}

#[test]
fn bad_bodies() {
    let scene = Scene::with(|options| options.max_http_buffer_size = 100);
    let (mut http, target) = scene.polling();
    let answer = http.post(&target, "4a\u{1e}x");
    assert_eq!((answer.status, answer.body.as_str()), (400, ""));
    scene.expect(&["Text(\"a\")", "close parse error"]);
    let (mut http, target) = scene.polling();
    assert_eq!(http.request("POST", &target, "", b"4\xff").status, 400);
    scene.expect(&["close parse error"]);
    let (mut http, target) = scene.polling();
    let octets = "Content-Type: application/octet-stream\r\n";
    let answer = http.request("POST", &target, octets, b"4a");
    assert_eq!((answer.status, answer.body.as_str()), (400, ""));
    scene.expect(&["close transport error invalid content"]);
    // A body that is too long doesn't end the session.
    let (mut http, target) = scene.polling();
    let answer = http.post(&target, &"4".repeat(101));
    assert_eq!((answer.status, answer.body.as_str()), (413, ""));
    let mut http = scene.http();
    assert_eq!(http.post(&target, &"4".repeat(100)).status, 200);
    let answer = http.request("PUT", &target, "", b"4a");
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
}

#[test]
fn pings_and_timeouts() {
    let scene = Scene::with(|options| {
        options.ping_interval = Duration::from_millis(50);
        options.ping_timeout = Duration::from_secs(1);
    });
    let (mut http, target) = scene.polling();
    assert_eq!(http.get(&target).body, "2");
    assert_eq!(http.post(&target, "3").body, "ok");
    assert_eq!(http.get(&target).body, "2");
    assert_eq!(http.get(&target).body, "1");
    scene.expect(&["close ping timeout"]);
}

#[test]
fn long_answers_are_compressed() {
    let scene = Scene::new();
    let (mut http, target) = scene.polling();
    let text = format!("4{}", "hello ".repeat(1000));
    for (accept, coding) in [
        ("gzip, deflate", Some("gzip")),
        ("deflate", Some("deflate")),
        ("br", None),
    ] {
        assert_eq!(http.post(&target, &text).body, "ok");
        let lines = format!("Accept-Encoding: {accept}\r\n");
        let answer = http.request("GET", &target, &lines, b"");
        assert_eq!(answer.header("content-encoding"), coding);
        let mut body = String::new();
        match coding {
            Some("gzip") => flate2::read::GzDecoder::new(&answer.bytes[..]).read_to_string(&mut body),
            Some(_) => flate2::read::ZlibDecoder::new(&answer.bytes[..]).read_to_string(&mut body),
            None => answer.bytes.as_slice().read_to_string(&mut body),
        }
        .unwrap();
        assert_eq!(body, text);
    }
    // Short ones are not, nor what is sent so.
    let lines = "Accept-Encoding: gzip\r\n";
    assert_eq!(http.post(&target, "4short").body, "ok");
    assert_eq!(http.request("GET", &target, lines, b"").body, "4short");
    let flags = SendFlags {
        compress: Some(false),
        ..SendFlags::default()
    };
    assert!(scene.session().send(Data::Text(&text[1..]), flags).is_ok());
    assert_eq!(http.request("GET", &target, lines, b"").body, text);
}

#[test]
fn the_application_closes() {
    let scene = Scene::new();
    let (mut http, target) = scene.polling();
    let session = scene.session();
    send(&session, "bye");
    session.close(false);
    assert!(session.send(Data::Text("late"), SendFlags::default()).is_err());
    assert_eq!(http.get(&target).body, "4bye");
    assert_eq!(http.get(&target).body, "1");
    scene.expect(&["close forced close"]);
    let (mut http, target) = scene.polling();
    scene.engine.close();
    scene.expect(&["close forced close"]);
    assert_eq!(http.get(&target).status, 400);
}

#[test]
fn closing_inside_a_handler_is_heard_after_it() {
    let scene = Plan {
        react: Box::new(|session, _| {
            session.close(true);
            assert!(session.is_closed());
        }),
        ..Plan::default()
    }
    .play();
    let (mut http, target) = scene.polling();
    assert_eq!(http.post(&target, "4a\u{1e}4b").body, "ok");
    scene.expect(&["Text(\"a\")", "close forced close"]);
    assert!(scene.events.is_empty());
}

#[test]
fn a_foreign_server_passes_requests_on() {
    let scene = Scene::new();
    let (answers, given) = unbounded();
    let text = b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n";
    let limits = crate::http::Limits::default();
    let (head, _) = crate::http::parse_request(text, &limits).unwrap().unwrap();
    let answer = move |answer| answers.send(answer).unwrap();
    scene.engine.handle(crate::HttpRequest {
        head,
        body: Vec::new(),
        remote: None,
        secure: false,
        exchange: crate::Exchange::foreign(Box::new(answer)),
    });
    let answer: crate::HttpAnswer = given.recv_timeout(PATIENCE).unwrap();
    let sid = sid_in(std::str::from_utf8(&answer.body).unwrap());
    scene.expect(&["open"]);
    // The session is there for our own listener, too.
    let target = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
    assert_eq!(scene.http().post(&target, "4").body, "ok");
    scene.expect(&["Text(\"\")"]);
    assert_eq!(scene.http().get(&target).body, "4");
    // Its client goes while it waits.
    let (answers, given) = unbounded();
    let exchange = crate::Exchange::foreign(Box::new(move |answer| answers.send(answer).unwrap()));
    let id = exchange.id();
    let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
    let (head, _) = crate::http::parse_request(text.as_bytes(), &limits)
        .unwrap()
        .unwrap();
    scene.engine.handle(crate::HttpRequest {
        head,
        body: Vec::new(),
        remote: None,
        secure: false,
        exchange,
    });
    wait_for_get(&scene.session());
    scene.engine.cut(id);
    scene.expect(&["close transport error poll connection closed prematurely"]);
    let answer: crate::HttpAnswer = given.recv_timeout(PATIENCE).unwrap();
    assert_eq!(answer.status, 400, "it was owed");
}
