//! Events: at once, later, not at all; and what becomes of their acknowledgements.

use sockline::socketio::client::{Carrier, Emitted, Full, NewEvent, Reason, SocketSettings};

use crate::scene::{EVENT, Scene, event};

#[test]
fn a_connected_socket_sends_at_once() {
    let mut scene = Scene::connected();
    assert_eq!(scene.emit(0, &EVENT), Emitted::Send(None));
    assert_eq!(scene.emit(0, &event("[\"a\"]", Some(70))), Emitted::Send(Some(0)));
    assert_eq!(scene.emit(0, &event("[\"a\"]", Some(71))), Emitted::Send(Some(1)));
    assert_eq!(scene.receive("31[\"second\"]"), r#"answer 0 71 ["second"]"#);
    assert_eq!(scene.receive("30[]"), "answer 0 70 []");
    assert_eq!(scene.receive("30[]"), "", "an answer counts once");
    assert_eq!(scene.receive("39[]"), "");
    assert_eq!(scene.said(), [""; 0]);
}

#[test]
fn without_a_connection_events_wait_in_order() {
    let mut scene = Scene::new();
    scene.socket("/");
    assert_eq!(scene.emit(0, &event("[\"early\"]", None)), Emitted::Kept);
    scene.client.connect(0, 0);
    assert_eq!(scene.emit(0, &event("[\"acked\"]", Some(7))), Emitted::Kept);
    assert_eq!(scene.client.buffered(0), 2);
    scene.client.opened();
    scene.authenticate(0);
    scene.said();
    scene.receive(r#"0{"sid":"id"}"#);
    assert_eq!(
        scene.said(),
        [
            r#"send 0 event ["early"]"#,
            r#"send 0 event #0 ["acked"]"#,
            "connected 0"
        ]
    );
    assert_eq!((scene.client.buffered(0), scene.client.waiting()), (0, 0));
    assert_eq!(scene.receive("30[1]"), "answer 0 7 [1]");
}

#[test]
fn what_waits_is_bounded() {
    let mut scene = Scene::new();
    scene.socket("/");
    scene.socket("/other");
    let long = format!("[\"{}\"]", "x".repeat(596));
    let attached: &[&[u8]] = &[&[0; 300]];
    assert_eq!(scene.emit(0, &event(&long, None)), Emitted::Kept);
    let with_data = NewEvent {
        attachments: attached,
        ..event("[\"0123456\"]", None)
    };
    assert_eq!(scene.emit(1, &with_data), Emitted::Kept);
    assert_eq!(scene.client.waiting(), 600 + 11 + 300);
    let result = scene.client.emit(0, &event(&long, Some(1)), scene.carrier, 0);
    assert_eq!(result, Err(Full));
    scene.client.clear_buffer(0);
    assert_eq!(scene.emit(0, &event(&long, None)), Emitted::Kept);
    assert_eq!(scene.said(), [""; 0], "what was refused is not told of");
}

#[test]
fn clearing_the_buffer_settles_acknowledgements() {
    let mut scene = Scene::new();
    scene.socket("/");
    let timed = NewEvent {
        timeout: Some(10),
        ..event("[\"a\"]", Some(1))
    };
    scene.emit(0, &timed);
    scene.emit(0, &event("[\"b\"]", Some(2)));
    scene.client.clear_buffer(0);
    assert_eq!(scene.said(), ["ack 0 1 Disconnected", "ack 0 2 Disconnected"]);
    scene.pass(100);
    assert_eq!(scene.said(), [""; 0]);
    assert_eq!(scene.client.waiting(), 0);
}

#[test]
fn volatile_events_never_wait() {
    let volatile = |token| NewEvent {
        volatile: true,
        ..event("[\"v\"]", token)
    };
    let mut scene = Scene::new();
    scene.socket("/");
    scene.carrier.is_writable = false;
    assert_eq!(scene.emit(0, &volatile(None)), Emitted::Dropped);
    assert_eq!(scene.emit(0, &volatile(Some(1))), Emitted::Dropped);
    assert_eq!(scene.said(), ["ack 0 1 Disconnected"]);
    let timed = NewEvent {
        timeout: Some(10),
        ..volatile(Some(2))
    };
    assert_eq!(scene.emit(0, &timed), Emitted::Dropped);
    scene.pass(10);
    assert_eq!(scene.said(), ["ack 0 2 TimedOut"]);

    let mut scene = Scene::connected();
    assert_eq!(scene.emit(0, &volatile(None)), Emitted::Send(None));
    scene.carrier.is_writable = false;
    assert_eq!(scene.emit(0, &volatile(Some(3))), Emitted::Dropped);
    assert_eq!(scene.emit(0, &EVENT), Emitted::Send(None), "others go on");
    scene.client.closed(Reason::TransportClose, "", 0);
    assert!(scene.said().contains(&"ack 0 3 Disconnected".to_owned()));
    assert_eq!(scene.client.buffered(0), 0);
}

#[test]
fn acknowledgements_time_out() {
    let mut scene = Scene::connected_with(SocketSettings {
        ack_timeout: Some(500),
        ..SocketSettings::default()
    });
    scene.emit(0, &event("[\"a\"]", Some(1)));
    let sooner = NewEvent {
        timeout: Some(100),
        ..event("[\"b\"]", Some(2))
    };
    scene.emit(0, &sooner);
    scene.emit(0, &EVENT);
    scene.pass(99);
    assert_eq!(scene.said(), [""; 0]);
    scene.pass(1);
    assert_eq!(scene.said(), ["ack 0 2 TimedOut"]);
    assert_eq!(scene.receive("31[\"late\"]"), "");
    scene.pass(399);
    assert_eq!(scene.receive("30[\"in time\"]"), r#"answer 0 1 ["in time"]"#);
    scene.pass(1000);
    assert_eq!(scene.said(), [""; 0]);
    assert_eq!(scene.client.deadline(), None);
}

#[test]
fn an_event_that_times_out_while_it_waits_is_never_sent() {
    let mut scene = Scene::new();
    scene.socket("/");
    let timed = NewEvent {
        timeout: Some(100),
        ..event("[\"never\"]", Some(1))
    };
    scene.emit(0, &timed);
    scene.emit(0, &event("[\"sent\"]", None));
    scene.pass(100);
    assert_eq!(scene.said(), ["ack 0 1 TimedOut"]);
    scene.client.connect(0, scene.now);
    scene.client.opened();
    scene.authenticate(0);
    scene.said();
    scene.receive(r#"0{"sid":"id"}"#);
    assert_eq!(scene.said(), [r#"send 0 event ["sent"]"#, "connected 0"]);
}

#[test]
fn a_loss_settles_what_was_sent_and_keeps_what_was_not() {
    let mut scene = Scene::connected();
    scene.emit(0, &event("[\"sent\"]", Some(1)));
    scene.client.closed(Reason::TransportClose, "", 0);
    assert_eq!(
        scene.said(),
        [
            "close",
            "closed transport close",
            "disconnected 0 transport close",
            "ack 0 1 Disconnected",
            "next 1 in 1000"
        ]
    );
    scene.emit(0, &event("[\"kept\"]", Some(2)));
    scene.pass(1000);
    scene.client.attempt(scene.now);
    scene.client.failed("refused", scene.now);
    scene.pass(2000);
    scene.client.attempt(scene.now);
    scene.client.opened();
    scene.authenticate(0);
    scene.said();
    scene.receive(r#"0{"sid":"id"}"#);
    assert_eq!(scene.said(), [r#"send 0 event #1 ["kept"]"#, "connected 0"]);
    assert_eq!(scene.receive("31[]"), "answer 0 2 []");
}

#[test]
fn a_connection_that_is_dead_already_is_not_sent_to() {
    let mut scene = Scene::connected();
    scene.carrier = Carrier {
        is_writable: true,
        has_expired: true,
    };
    assert_eq!(scene.emit(0, &EVENT), Emitted::Kept);
}

#[test]
fn an_end_for_good_settles_everything() {
    let mut scene = Scene::connected();
    scene.emit(0, &event("[\"sent\"]", Some(1)));
    scene.socket("/other");
    scene.emit(1, &event("[\"waits\"]", Some(2)));
    scene.client.abandon(0);
    let words = scene.said();
    for token in [1, 2] {
        let settled = words.iter().filter(|word| word.starts_with("ack"));
        assert_eq!(
            settled
                .filter(|word| word.ends_with(&format!("{token} Disconnected")))
                .count(),
            1
        );
    }
    scene.pass(100_000);
    assert_eq!(scene.said(), [""; 0]);
}
