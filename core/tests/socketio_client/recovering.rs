//! Losses: coming back, and what is kept of a session.

use sockline::socketio::client::{Reason, Settings};

use crate::scene::{Scene, settings};

#[test]
fn a_lost_connection_is_made_again_with_growing_delays() {
    let mut scene = Scene::connected();
    scene.client.closed(Reason::TransportClose, "gone", 0);
    assert_eq!(
        scene.said(),
        [
            "close",
            "closed transport close: gone",
            "disconnected 0 transport close",
            "next 1 in 1000"
        ]
    );
    for (attempt, delay) in [(1, 1000), (2, 2000), (3, 4000), (4, 5000), (5, 5000)] {
        scene.pass(delay - 1);
        assert_eq!(scene.said(), [""; 0]);
        scene.pass(1);
        assert_eq!(scene.said(), [format!("attempt {attempt}")]);
        scene.client.attempt(scene.now);
        assert_eq!(scene.said(), ["open"]);
        scene.client.failed("refused", scene.now);
        let next = [2000, 4000, 5000, 5000, 5000][attempt as usize - 1];
        assert_eq!(
            scene.said(),
            [
                "close".to_owned(),
                "failed refused".to_owned(),
                "unreachable 0 refused".to_owned(),
                format!("next {} in {next}", attempt + 1),
                "not back: refused".to_owned()
            ]
        );
    }
    scene.pass(5000);
    scene.client.attempt(scene.now);
    scene.said();
    scene.client.opened();
    assert_eq!(scene.said(), ["opened", "who is 0", "back after 6"]);
    scene.client.closed(Reason::PingTimeout, "", scene.now);
    assert!(
        scene.said().contains(&"next 1 in 1000".to_owned()),
        "success begins anew"
    );
}

#[test]
fn sockets_on_their_way_hear_of_the_end_too_and_those_that_were_refused_do_not() {
    let mut scene = Scene::connected();
    for (key, name) in [(1, "/asked"), (2, "/sent"), (3, "/refused"), (4, "/never")] {
        assert_eq!(scene.socket(name), key);
    }
    for key in [2, 3, 1] {
        scene.client.connect(key, 0);
    }
    scene.client.authenticate(2, 2, None);
    scene.client.authenticate(3, 3, None);
    scene.receive(r#"4/refused,{"message":"no"}"#);
    scene.said();
    scene.client.closed(Reason::TransportClose, "", 0);
    assert_eq!(
        scene.said(),
        [
            "close",
            "closed transport close",
            "disconnected 0 transport close",
            "disconnected 1 transport close",
            "disconnected 2 transport close",
            "next 1 in 1000"
        ]
    );
}

#[test]
fn the_number_of_attempts_can_be_limited() {
    let mut scene = Scene::with(Settings {
        attempts: Some(2),
        ..settings()
    });
    scene.socket("/");
    scene.client.connect(0, 0);
    scene.client.failed("refused", 0);
    assert_eq!(scene.said().last().unwrap(), "next 1 in 1000");
    for last in ["next 2 in 2000", "given up"] {
        scene.pass(2000);
        scene.client.attempt(scene.now);
        scene.said();
        scene.client.failed("refused", scene.now);
        let words = scene.said();
        assert_eq!(words[words.len() - 2..], [last, "not back: refused"]);
    }
    scene.pass(100_000);
    assert_eq!(scene.said(), [""; 0]);
    assert!(!scene.client.is_active());
    scene.client.connect(0, scene.now);
    assert_eq!(scene.said(), ["open"]);
}

#[test]
fn without_reconnection_a_loss_is_the_end() {
    let mut scene = Scene::with(Settings {
        reconnection: false,
        ..settings()
    });
    scene.socket("/");
    scene.client.connect(0, 0);
    scene.client.failed("refused", 0);
    assert_eq!(
        scene.said(),
        ["open", "close", "failed refused", "unreachable 0 refused"]
    );
    scene.client.connect(0, 0);
    scene.open_and_connect();
    scene.client.closed(Reason::TransportError, "", 0);
    assert_eq!(
        scene.said(),
        [
            "close",
            "closed transport error",
            "disconnected 0 transport error"
        ]
    );
}

#[test]
fn who_leaves_while_away_is_not_brought_back() {
    let mut scene = Scene::connected();
    scene.client.closed(Reason::TransportClose, "", 0);
    scene.said();
    scene.client.disconnect(0, 0);
    scene.pass(100_000);
    assert_eq!(scene.said(), [""; 0]);

    // Between hearing of an attempt and its beginning.
    let mut scene = Scene::connected();
    scene.client.closed(Reason::TransportClose, "", 0);
    scene.pass(1000);
    scene.said();
    scene.client.disconnect(0, scene.now);
    scene.client.attempt(scene.now);
    assert_eq!(scene.said(), [""; 0]);
}

#[test]
fn reconnection_can_be_turned_off_meanwhile() {
    let mut scene = Scene::connected();
    scene.client.closed(Reason::TransportClose, "", 0);
    scene.said();
    scene.client.set_reconnection(false);
    scene.pass(100_000);
    assert_eq!(scene.said(), [""; 0]);
    assert!(!scene.client.is_active());
}

#[test]
fn an_error_of_an_open_connection_is_told_to_those_on_their_way() {
    let mut scene = Scene::connected();
    let other = scene.socket("/other");
    scene.client.connect(other, 0);
    scene.said();
    scene.client.failed("xhr poll error", 0);
    assert_eq!(
        scene.said(),
        ["failed xhr poll error", "unreachable 1 xhr poll error"]
    );
}

/// A scene whose server recovers sessions, after two events.
fn with_recovery() -> Scene {
    let mut scene = Scene::new();
    scene.socket("/");
    scene.client.connect(0, 0);
    scene.client.opened();
    scene.authenticate(0);
    scene.receive(r#"0{"sid":"id","pid":"secret"}"#);
    scene.receive(r#"2["a",{"b":["not this"]},"offset-1"]"#);
    scene.receive(r#"2["a",1]"#);
    scene.said();
    scene
}

fn come_back(scene: &mut Scene, auth: Option<&str>) {
    scene.client.closed(Reason::TransportClose, "", scene.now);
    scene.pass(1000);
    scene.client.attempt(scene.now);
    scene.client.opened();
    scene.said();
    scene.client.authenticate(0, 2, auth);
}

#[test]
fn a_session_is_asked_for_by_its_id_and_offset() {
    let mut scene = with_recovery();
    come_back(&mut scene, Some(r#" {"token":"x"} "#));
    let payload = r#"{"pid":"secret","offset":"offset-1","token":"x"}"#;
    assert_eq!(scene.said(), [format!("send 0 connect {payload}")]);
    // What was missed comes first, and waits for the server's word.
    assert_eq!(scene.receive(r#"2["missed","offset-2"]"#), "");
    assert_eq!(scene.said(), [""; 0]);
    scene.receive(r#"0{"sid":"id","pid":"secret"}"#);
    assert_eq!(scene.said(), [r#"event 0 ["missed","offset-2"]"#, "connected 0"]);
    assert!(scene.client.has_recovered(0));
    assert_eq!(scene.client.waiting(), 0);

    scene.client.closed(Reason::TransportClose, "", scene.now);
    scene.pass(1000);
    scene.client.attempt(scene.now);
    scene.client.opened();
    scene.said();
    scene.client.authenticate(0, 3, Some("{}"));
    assert_eq!(
        scene.said(),
        [r#"send 0 connect {"pid":"secret","offset":"offset-2"}"#]
    );
}

#[test]
fn a_session_that_is_not_recovered_is_a_new_one() {
    let mut scene = with_recovery();
    come_back(&mut scene, None);
    assert_eq!(
        scene.said(),
        [r#"send 0 connect {"pid":"secret","offset":"offset-1"}"#]
    );
    scene.receive(r#"0{"sid":"id2","pid":"other"}"#);
    assert!(!scene.client.has_recovered(0));
    assert_eq!(scene.client.id(0), Some("id2"));
    come_back(&mut scene, None);
    scene.client.authenticate(0, 3, None);
    assert_eq!(
        scene.said(),
        [r#"send 0 connect {"pid":"other"}"#],
        "its offset was the old session's"
    );
}

#[test]
fn the_name_of_an_event_counts_as_an_offset_and_escapes_are_read() {
    let mut scene = with_recovery();
    scene.receive(r#"2["o\u0066f\"set"]"#);
    come_back(&mut scene, None);
    let payload = r#"{"pid":"secret","offset":"off\"set"}"#;
    assert_eq!(scene.said(), [format!("send 0 connect {payload}")]);
}

#[test]
fn what_comes_early_is_bounded() {
    let mut scene = with_recovery();
    come_back(&mut scene, None);
    scene.said();
    let event = format!(r#"2["{}"]"#, "x".repeat(400));
    scene.receive(&event);
    scene.receive(&event);
    assert_eq!(scene.said(), [""; 0]);
    scene.receive(&event);
    let words = scene.said();
    assert!(
        words[1].starts_with("closed parse error: too many events"),
        "{words:?}"
    );
    assert_eq!(scene.client.waiting(), 0);
}
