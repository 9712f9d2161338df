use super::*;

/// The server's pings, on each transport.
#[test]
fn a_ping_goes_out_after_the_interval() {
    let mut scene = Scene::on_websocket(Version::V4);
    scene.pass(INTERVAL - 1);
    assert_eq!(scene.said(), [""; 0]);
    scene.pass(1);
    assert_eq!(scene.said(), ["frame 2"]);
    let mut scene = Scene::on_polling(Version::V4);
    assert!(scene.poll());
    scene.pass(INTERVAL);
    assert_eq!(scene.said(), ["200 2"]);
}

#[test]
fn a_ping_waits_for_the_next_get() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.pass(INTERVAL + 5);
    assert_eq!(scene.all_said(), ["waits 2"]);
    assert!(scene.poll());
    assert_eq!(scene.said(), ["200 2"]);
}

#[test]
fn without_a_pong_the_session_ends_on_the_millisecond() {
    let mut scene = Scene::on_websocket(Version::V4);
    scene.pass(INTERVAL + TIMEOUT - 1);
    assert_eq!(scene.said(), ["frame 2"]);
    scene.pass(1);
    assert_eq!(scene.said(), ["close carrier", "closed ping timeout"]);
    assert_eq!(scene.session.deadline(), NEVER);
    let mut scene = Scene::on_polling(Version::V4);
    assert!(scene.poll());
    scene.pass(INTERVAL);
    assert!(scene.poll());
    scene.pass(TIMEOUT);
    assert_eq!(scene.said(), ["200 2", "200 1", "closed ping timeout"]);
}

#[test]
fn the_interval_begins_with_the_pong() {
    let mut scene = Scene::on_websocket(Version::V4);
    scene.pass(INTERVAL + TIMEOUT - 1);
    scene.hear("3");
    assert_eq!(scene.said(), ["frame 2"]);
    scene.pass(INTERVAL - 1);
    assert_eq!(scene.said(), [""; 0]);
    scene.pass(1);
    assert_eq!(scene.said(), ["frame 2"]);
    // Also with one that nobody has asked for.
    scene.hear("3");
    scene.pass(1000);
    scene.hear("3");
    scene.pass(INTERVAL - 1);
    assert_eq!(scene.said(), [""; 0]);
    scene.pass(1);
    assert_eq!(scene.said(), ["frame 2"]);
}

#[test]
fn another_packet_extends_the_time_once() {
    for packet in ["4hello", "6"] {
        let mut scene = Scene::on_websocket(Version::V4);
        scene.pass(INTERVAL + 15_000);
        let _ = scene.receive(packet);
        scene.pass(15_000);
        let _ = scene.receive(packet); // not again
        assert_eq!(scene.said(), ["frame 2"]);
        scene.pass(TIMEOUT - 15_000 - 1);
        assert_eq!(scene.said(), [""; 0]);
        scene.pass(1);
        assert_eq!(scene.said(), ["close carrier", "closed ping timeout"]);
    }
    // With the next ping it can be extended again.
    let mut scene = Scene::on_websocket(Version::V4);
    scene.pass(INTERVAL);
    let _ = scene.receive("4");
    scene.hear("3");
    scene.pass(INTERVAL + TIMEOUT - 1);
    let _ = scene.receive("4");
    scene.pass(TIMEOUT - 1);
    assert_eq!(scene.said(), ["frame 2", "frame 2"]);
    // Before a ping, packets change nothing.
    let mut scene = Scene::on_websocket(Version::V4);
    let _ = scene.receive("4");
    scene.pass(INTERVAL - 1);
    let _ = scene.receive("4");
    scene.pass(1 + TIMEOUT);
    assert_eq!(scene.said(), ["frame 2", "close carrier", "closed ping timeout"]);
}

#[test]
fn a_client_of_revision_4_does_not_ping() {
    for ping in ["2", "2probe"] {
        let mut scene = Scene::on_websocket(Version::V4);
        scene.hear(ping);
        assert_eq!(
            scene.said(),
            [
                "close carrier",
                "closed transport error invalid heartbeat direction"
            ]
        );
    }
}

#[test]
fn a_client_of_revision_3_does() {
    let mut scene = Scene::on_websocket(Version::V3);
    for _ in 0..3 {
        scene.pass(INTERVAL + TIMEOUT - 1);
        scene.hear("2");
        assert_eq!(scene.said(), ["frame 3"]);
    }
    // Nothing else counts.
    scene.pass(INTERVAL + TIMEOUT - 1);
    let _ = scene.receive("4");
    scene.pass(1);
    assert_eq!(scene.said(), ["close carrier", "closed ping timeout"]);
    let mut scene = Scene::on_polling(Version::V3);
    assert!(scene.poll());
    scene.hear("2");
    assert_eq!(scene.said(), ["200 1:3"]);
    scene.hear("3");
    assert_eq!(
        scene.said(),
        ["closed transport error invalid heartbeat direction"]
    );
}

#[test]
fn one_pong_waits_for_a_client_that_pings_and_does_not_poll() {
    let mut scene = Scene::on_polling(Version::V3);
    let _ = scene.send("a");
    scene.hear("2");
    let waiting = scene.session.buffered();
    for _ in 0..1000 {
        scene.hear("2");
    }
    assert_eq!(scene.session.buffered(), waiting);
    let _ = scene.send("b");
    assert!(scene.poll());
    assert_eq!(scene.said(), ["200 2:4a1:32:4b"]);
    scene.hear("2");
    assert!(scene.poll());
    assert_eq!(
        scene.said(),
        ["200 1:3"],
        "each that is asked for anew is answered"
    );
}

#[test]
fn one_ping_waits_for_a_client_that_sends_pongs_and_does_not_poll() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.pass(INTERVAL);
    let waiting = scene.session.buffered();
    assert_ne!(waiting, 0);
    for _ in 0..100 {
        scene.hear("3");
        scene.pass(INTERVAL);
    }
    assert_eq!(scene.session.buffered(), waiting);
    assert!(scene.poll());
    assert_eq!(scene.said(), ["200 2"]);
    scene.hear("3");
    assert!(scene.poll());
    scene.pass(INTERVAL);
    assert_eq!(scene.said(), ["200 2"], "each is asked again");
}

#[test]
fn another_clock_goes_on_where_the_old_one_was() {
    let mut scene = Scene::on_websocket(Version::V4);
    scene.pass(INTERVAL - 10);
    scene.session.rebase(scene.now, 7);
    scene.now = 7;
    scene.pass(9);
    assert_eq!(scene.said(), [""; 0]);
    scene.pass(1);
    assert_eq!(scene.said(), ["frame 2"]);
    scene.session.rebase(scene.now, 1_000_000);
    scene.now = 1_000_000;
    scene.pass(TIMEOUT - 1);
    assert_eq!(scene.said(), [""; 0]);
    scene.pass(1);
    assert_eq!(scene.said(), ["close carrier", "closed ping timeout"]);
}
