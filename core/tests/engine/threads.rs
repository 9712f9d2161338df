//! A server on several loops: clients' connections land on any of them.

use super::*;

fn on_loops() -> Scene {
    Plan {
        threads: 4,
        ..Plan::default()
    }
    .play()
}

/// Each request comes on a connection of its own, so that most are read by another loop than the session's.
#[test]
fn polling_needs_no_sticky_sessions() {
    let scene = on_loops();
    for _ in 0..10 {
        let (_, target) = scene.polling();
        for number in 0..10 {
            let text = format!("4{number}");
            let mut poll = scene.http();
            poll.ask("GET", &target, "", b"");
            assert_eq!(scene.http().post(&target, &text).body, "ok");
            scene.expect(&[&format!("Text(\"{number}\")")]);
            assert_eq!(poll.answer().body, text);
        }
        scene.session().close(true);
        scene.expect(&["close forced close"]);
    }
}

/// The WebSocket lands on any loop; the session goes there, with all that waits, in order.
#[test]
fn a_session_moves_to_its_websocket_s_loop() {
    let scene = on_loops();
    let mut moved = 0;
    for _ in 0..24 {
        let (mut http, target) = scene.polling();
        let session = scene.session();
        let before = session.home();
        let mut ws = Ws::connect(scene.port(), &target.replace("polling", "websocket"));
        ws.send("2probe");
        assert_eq!(ws.text(), "3probe");
        let sender = {
            let session = session.clone();
            std::thread::spawn(move || {
                for number in 0..100 {
                    send(&session, &number.to_string());
                }
            })
        };
        ws.send("5");
        ws.send("4hello");
        let mut next = 0;
        let mut greeted = false;
        while next < 100 || !greeted {
            match ws.text().as_str() {
                "4hello" => greeted = true,
                text => {
                    assert_eq!(text, format!("4{next}"));
                    next += 1;
                }
            }
        }
        sender.join().unwrap();
        scene.expect(&["upgrade", "Text(\"hello\")"]);
        moved += usize::from(session.home() != before);
        assert_eq!(http.get(&target).status, 400);
        scene.events.recv_timeout(PATIENCE).unwrap();
        drop(ws);
        scene.expect(&["close transport close"]);
    }
    assert!(moved > 0, "with four loops, some land on another one");
    assert_eq!(scene.engine.clients(), 0);
}

#[test]
fn pings_go_on_after_a_move() {
    let mut plan = Plan {
        threads: 4,
        ..Plan::default()
    };
    plan.options.ping_interval = Duration::from_millis(100);
    plan.options.ping_timeout = Duration::from_secs(1);
    let scene = plan.play();
    for _ in 0..4 {
        let (_, target) = scene.polling();
        let mut ws = Ws::connect(scene.port(), &target.replace("polling", "websocket"));
        ws.send("2probe");
        assert_eq!(ws.text(), "3probe");
        ws.send("5");
        scene.expect(&["upgrade"]);
        for _ in 0..3 {
            assert_eq!(ws.text(), "2");
            ws.send("3");
        }
        assert_eq!(ws.text(), "2");
        ws.closed();
        scene.expect(&["close ping timeout"]);
    }
}
