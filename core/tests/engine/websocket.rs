use super::*;

/// A session on polling, and a WebSocket for it that has not said anything.
fn upgrading(scene: &Scene) -> (Http, String, Ws) {
    let (http, target) = scene.polling();
    let ws = Ws::connect(scene.port(), &target.replace("polling", "websocket"));
    (http, target, ws)
}

#[test]
fn an_upgrade() {
    let scene = Scene::new();
    let (mut http, target, mut ws) = upgrading(&scene);
    http.ask("GET", &target, "", b"");
    ws.send("2probe");
    assert_eq!(ws.text(), "3probe");
    assert_eq!(http.answer().body, "6");
    assert_eq!(
        http.get(&target).body,
        "6",
        "every GET ends while the upgrade lasts"
    );
    let session = scene.session();
    send(&session, "a");
    ws.send("5");
    ws.send("4b");
    assert_eq!(ws.text(), "4a");
    assert_eq!(ws.text(), "4b");
    scene.expect(&["upgrade", "Text(\"b\")"]);
    assert_eq!(session.transport(), Transport::WebSocket);
    // Polling is over, and so are upgrades.
    assert_eq!(http.get(&target).body, r#"{"code":3,"message":"Bad request"}"#);
    scene.expect(&[
        "error 3 Bad request name=TRANSPORT_MISMATCH transport=polling previousTransport=websocket",
    ]);
    let mut second = Ws::connect(scene.port(), &target.replace("polling", "websocket"));
    second.closed();
    ws.send("4c");
    assert_eq!(ws.text(), "4c");
    assert!(session.state.lock().polling().is_none());
}

#[test]
fn upgrades_are_asked_about_and_headers_say_by_which_question() {
    let mut plan = Plan::default();
    plan.options.ask_request = true;
    plan.options.ask_upgrades = true;
    plan.options.ask_headers = true;
    plan.ask = Some(Box::new(|mut question| {
        let is_upgrade = question.is_upgrade();
        question.set_note(if is_upgrade { 2 } else { 1 });
        match question.request().header("x-bad") {
            Some(_) => question.deny_bad_request("BECAUSE"),
            // Answered elsewhere, and later.
            None => drop(std::thread::spawn(move || question.allow())),
        }
    }));
    let scene = plan.play();
    let answer = scene.http().get("/engine.io/?EIO=4&transport=polling");
    assert_eq!(answer.header("x-hook"), Some("true GET by 1"));
    let target = format!(
        "/engine.io/?EIO=4&transport=websocket&sid={}",
        sid_in(&answer.body)
    );
    let ws = Ws::connect(scene.port(), "/engine.io/?EIO=4&transport=websocket");
    assert!(ws.head.contains("\r\nX-Hook: true GET by 1\r\n"), "{}", ws.head);
    scene.expect(&["open", "open"]);
    let mut bad = Ws::ask(scene.port(), &target, "X-Bad: yes\r\n");
    let head = bad.peer.read_head();
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    scene.expect(&["error 3 Bad request name=BECAUSE"]);
    let mut ws = Ws::connect(scene.port(), &target);
    assert!(ws.head.contains("\r\nX-Hook: false GET by 2\r\n"), "{}", ws.head);
    ws.send("2probe");
    assert_eq!(ws.text(), "3probe");
    // Its session has gone when the answer comes.
    let (sender, waiting) = unbounded();
    let mut plan = Plan::default();
    plan.options.ask_request = true;
    plan.options.ask_upgrades = true;
    plan.ask = Some(Box::new(move |question| match question.is_upgrade() {
        true => sender.send(question).unwrap(),
        false => question.allow(),
    }));
    let scene = plan.play();
    let (_http, target) = scene.polling();
    let mut late = Ws::ask(scene.port(), &target.replace("polling", "websocket"), "");
    let question = waiting.recv_timeout(PATIENCE).unwrap();
    scene.session().close(true);
    scene.expect(&["close forced close"]);
    question.allow();
    let head = late.peer.read_head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    late.closed();
}

#[test]
fn a_websocket_too_many_is_opened_and_closed() {
    let scene = Scene::new();
    let (mut http, target, mut ws) = upgrading(&scene);
    let mut second = Ws::connect(scene.port(), &target.replace("polling", "websocket"));
    second.closed();
    // One that asks for polling, too.
    let mut odd = Ws::connect(scene.port(), &target);
    odd.closed();
    let mut odd = Ws::connect(scene.port(), "/engine.io/?EIO=4&transport=polling");
    odd.closed();
    ws.send("2probe");
    assert_eq!(ws.text(), "3probe");
    assert_eq!(http.post(&target, "4a").body, "ok");
    scene.expect(&["Text(\"a\")"]);
}

#[test]
fn a_wrong_word_closes_the_websocket_only() {
    let scene = Scene::new();
    let (mut http, target, mut ws) = upgrading(&scene);
    ws.send("4hello");
    ws.closed();
    assert_eq!(http.post(&target, "4a").body, "ok");
    scene.expect(&["Text(\"a\")"]);
    // It may be tried again, also after one has gone by itself.
    let ws = Ws::connect(scene.port(), &target.replace("polling", "websocket"));
    ws.peer.reset();
    let session = scene.session();
    while session.state.lock().polling().unwrap().probe.is_some() {
        std::thread::yield_now();
    }
    let mut ws = Ws::connect(scene.port(), &target.replace("polling", "websocket"));
    ws.send("2probe");
    assert_eq!(ws.text(), "3probe");
}

#[test]
fn an_upgrade_that_takes_too_long() {
    let scene = Scene::with(|options| options.upgrade_timeout = Duration::from_millis(20));
    let (mut http, target, mut ws) = upgrading(&scene);
    ws.closed();
    assert_eq!(http.post(&target, "4a").body, "ok");
    scene.expect(&["Text(\"a\")"]);
}

#[test]
fn the_session_ends_with_its_websocket() {
    let scene = Scene::with(|options| options.max_http_buffer_size = 100);
    let mut ws = scene.websocket();
    ws.peer.send(&masked(0x88, &[]));
    ws.closed();
    scene.expect(&["close transport close"]);
    scene.websocket().peer.reset();
    scene.expect(&["close transport close"]);
    let mut ws = scene.websocket();
    ws.send(&"4".repeat(101));
    let (first, payload) = ws.peer.read_frame();
    assert_eq!((first, &payload[..2]), (0x88, &1009_u16.to_be_bytes()[..]));
    scene.expect(&["close transport error"]);
    let mut ws = scene.websocket();
    ws.send("x");
    ws.closed();
    scene.expect(&["close parse error"]);
    let mut ws = scene.websocket();
    ws.send("1");
    ws.closed();
    scene.expect(&["close transport close"]);
    assert_eq!(scene.engine.clients(), 0);
}

#[test]
fn pings_and_timeouts() {
    let scene = Scene::with(|options| {
        options.ping_interval = Duration::from_millis(50);
        options.ping_timeout = Duration::from_secs(1);
    });
    let mut ws = scene.websocket();
    for _ in 0..3 {
        assert_eq!(ws.text(), "2");
        ws.send("3");
    }
    assert_eq!(ws.text(), "2");
    ws.closed();
    scene.expect(&["close ping timeout"]);
}

#[test]
fn the_application_closes() {
    let scene = Scene::new();
    let mut ws = scene.websocket();
    let session = scene.session();
    send(&session, "bye");
    session.close(false);
    assert_eq!(ws.text(), "4bye");
    ws.closed();
    scene.expect(&["close forced close"]);
    assert!(
        session.state.lock().hearer.is_none(),
        "nobody is kept by an ended session"
    );
}

#[test]
fn an_ended_session_is_freed() {
    let scene = Scene::new();
    let (mut http, target, mut ws) = upgrading(&scene);
    ws.send("2probe");
    assert_eq!(ws.text(), "3probe");
    ws.send("5");
    scene.expect(&["upgrade"]);
    let session = Arc::downgrade(&scene.session());
    drop(ws);
    scene.expect(&["close transport close"]);
    assert_eq!(http.get(&target).status, 400);
    while session.upgrade().is_some() {
        std::thread::yield_now(); // the loop lets go of the connection after the handler has returned
    }
}

/// The loop, and with it the listener, ends before its clients do.
#[test]
fn sessions_end_with_their_loop() {
    let scene = Scene::new();
    let _ws = scene.websocket();
    let on_websocket = Arc::downgrade(&scene.session());
    let (_http, _) = scene.polling();
    let on_polling = Arc::downgrade(&scene.session());
    let Scene {
        engine,
        events,
        sessions: _,
        server: _,
        _loop: on_loop,
    } = scene;
    drop(on_loop);
    let mut closed = 0;
    while closed < 2 {
        let event = events.recv_timeout(PATIENCE).expect("both end");
        closed += usize::from(event.starts_with("close "));
    }
    assert_eq!(engine.clients(), 0);
    while on_websocket.upgrade().is_some() || on_polling.upgrade().is_some() {
        std::thread::yield_now();
    }
}
