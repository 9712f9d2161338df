//! The queue of a socket with retries: one event at a time, until it is acknowledged or given up.

use sockline::socketio::client::{Emitted, NewEvent, Reason, SocketSettings};

use crate::scene::{EVENT, Scene, event};

const RETRYING: SocketSettings = SocketSettings {
    retries: 2,
    ack_timeout: Some(100),
};

#[test]
fn events_leave_one_after_the_other() {
    let mut scene = Scene::connected_with(RETRYING);
    assert_eq!(scene.emit(0, &event("[\"a\"]", Some(1))), Emitted::Kept);
    scene.emit(0, &event("[\"b\"]", None));
    scene.emit(0, &event("[\"c\"]", Some(3)));
    assert_eq!(scene.said(), [r#"send 0 event #0 ["a"]"#]);
    assert_eq!(scene.receive("30[1]"), "answer 0 1 [1]");
    assert_eq!(scene.said(), [r#"send 0 event #1 ["b"]"#]);
    assert_eq!(scene.receive("31[]"), "", "nobody wanted to know");
    assert_eq!(scene.said(), [r#"send 0 event #2 ["c"]"#]);
    assert_eq!(scene.receive("32[]"), "answer 0 3 []");
    assert_eq!(scene.said(), [""; 0]);
    assert_eq!((scene.client.buffered(0), scene.client.waiting()), (0, 0));
}

#[test]
fn without_an_answer_an_event_is_sent_again_and_given_up() {
    let mut scene = Scene::connected_with(RETRYING);
    scene.emit(0, &event("[\"a\"]", Some(1)));
    scene.emit(0, &event("[\"b\"]", Some(2)));
    assert_eq!(scene.said(), [r#"send 0 event #0 ["a"]"#]);
    for id in [1, 2] {
        scene.pass(99);
        assert_eq!(scene.said(), [""; 0]);
        scene.pass(1);
        assert_eq!(scene.said(), [format!(r#"send 0 event #{id} ["a"]"#)]);
    }
    scene.pass(100);
    assert_eq!(scene.said(), [r#"send 0 event #3 ["b"]"#, "ack 0 1 TimedOut"]);
    assert_eq!(scene.receive("32[\"late\"]"), "");
    assert_eq!(scene.receive("33[]"), "answer 0 2 []");
}

#[test]
fn after_a_loss_the_first_one_is_sent_again() {
    let mut scene = Scene::connected_with(SocketSettings {
        ack_timeout: None,
        ..RETRYING
    });
    scene.emit(0, &event("[\"a\"]", Some(1)));
    scene.emit(0, &event("[\"b\"]", Some(2)));
    scene.said();
    for _ in 0..2 {
        scene.client.closed(Reason::TransportClose, "", scene.now);
        let words = scene.said();
        assert!(words.iter().all(|word| !word.starts_with("ack")), "{words:?}");
        scene.pass(1000);
        scene.client.attempt(scene.now);
        scene.client.opened();
        scene.authenticate(0);
        scene.said();
        scene.receive(r#"0{"sid":"id"}"#);
        let words = scene.said();
        assert_eq!(words.len(), 2, "{words:?}");
        assert!(words[0].ends_with(r#"["a"]"#), "{words:?}");
    }
    scene.client.closed(Reason::TransportClose, "", scene.now);
    assert!(
        scene.said().contains(&"ack 0 1 Disconnected".to_owned()),
        "three tries are all"
    );
    assert_eq!(scene.client.buffered(0), 1);
}

#[test]
fn volatile_events_pass_the_queue() {
    let mut scene = Scene::connected_with(RETRYING);
    scene.emit(0, &EVENT);
    let volatile = NewEvent {
        volatile: true,
        ..EVENT
    };
    assert_eq!(scene.emit(0, &volatile), Emitted::Send(None));
}

#[test]
fn before_there_is_a_connection_the_queue_waits() {
    let mut scene = Scene::new();
    scene.socket_with("/", RETRYING);
    scene.emit(0, &event("[\"a\"]", Some(1)));
    scene.emit(0, &event("[\"b\"]", Some(2)));
    scene.pass(10_000);
    assert_eq!(scene.said(), [""; 0], "its time begins when it is sent");
    scene.client.connect(0, scene.now);
    scene.client.opened();
    scene.authenticate(0);
    scene.said();
    scene.receive(r#"0{"sid":"id"}"#);
    assert_eq!(scene.said(), [r#"send 0 event #0 ["a"]"#, "connected 0"]);
    scene.client.abandon(scene.now);
    let words = scene.said();
    for token in [1, 2] {
        assert!(
            words.contains(&format!("ack 0 {token} Disconnected")),
            "{words:?}"
        );
    }
    assert_eq!(scene.client.waiting(), 0);
}
