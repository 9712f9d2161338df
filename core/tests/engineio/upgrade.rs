use super::*;

#[test]
fn the_whole_way() {
    let mut scene = Scene::on_polling(Version::V4);
    assert!(scene.poll());
    scene.begin_upgrade();
    assert_eq!(scene.said(), [""; 0]);
    assert_eq!(scene.probe("2probe"), Probe::Nothing);
    assert_eq!(scene.said(), ["probe 3probe", "200 6"]);
    assert_eq!(scene.session.transport(), Transport::Polling);
    assert_eq!(scene.probe("5"), Probe::Moved);
    assert!(scene.upgrade());
    assert_eq!(scene.said(), ["upgraded"]);
    assert_eq!(scene.session.transport(), Transport::WebSocket);
    assert_eq!(scene.send("a"), Outcome::OnWebSocket);
    assert_eq!(scene.receive("4a"), Received::Message);
    assert!(!scene.poll(), "polling is over");
    assert!(!scene.session.begin_upgrade(scene.now, &scene.config));
    assert_eq!(scene.said(), [""; 0]);
}

#[test]
fn every_get_ends_while_the_upgrade_lasts() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.begin_upgrade();
    // Before the probe a GET may wait.
    assert!(scene.poll());
    scene.pass(1000);
    assert_eq!(scene.said(), [""; 0]);
    assert_eq!(scene.probe("2probe"), Probe::Nothing);
    assert_eq!(scene.said(), ["probe 3probe", "200 6"]);
    for _ in 0..5 {
        assert!(scene.poll());
        scene.pass(99);
        assert_eq!(scene.said(), [""; 0]);
        scene.pass(1);
        assert_eq!(scene.said(), ["200 6"]);
    }
    // What is sent meanwhile still goes that way.
    assert!(scene.poll());
    assert_eq!(scene.send("a"), Outcome::Queued);
    assert_eq!(scene.said(), ["200 4a"]);
}

#[test]
fn what_waits_goes_over_in_order() {
    let binary = || Unit::copy(&Data::Binary(&[1]));
    let config = config();
    let mut scene = Scene::on_polling(Version::V4);
    scene.begin_upgrade();
    assert_eq!(scene.probe("2probe"), Probe::Nothing);
    assert_eq!(scene.send("a"), Outcome::Queued);
    let sent = scene.with_effects(|session, effects| session.send(false, true, binary, &config, effects));
    assert_eq!(sent, Outcome::Queued);
    assert_eq!(scene.probe("5"), Probe::Moved);
    // Between the two a send still waits with the others.
    assert_eq!(scene.send("b"), Outcome::Queued);
    assert!(scene.upgrade());
    assert_eq!(
        scene.said(),
        [
            "probe 3probe",
            "upgraded",
            "flush 4Text(\"a\") 4Binary([1]) 4Text(\"b\")"
        ]
    );
}

#[test]
fn a_get_that_waits_at_the_end_is_answered() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.begin_upgrade();
    assert_eq!(scene.probe("2probe"), Probe::Nothing);
    assert!(scene.poll());
    assert_eq!(scene.probe("5"), Probe::Moved);
    assert!(scene.upgrade());
    assert_eq!(scene.said(), ["probe 3probe", "200 6", "upgraded"]);
}

#[test]
fn a_websocket_that_says_anything_else_is_closed_and_the_session_lives() {
    for wrong in ["2", "5", "4hello", "2probes", "3probe", "", "x", "1"] {
        let mut scene = Scene::on_polling(Version::V4);
        scene.begin_upgrade();
        assert_eq!(scene.probe(wrong), Probe::Nothing);
        assert_eq!(scene.said(), ["close probe"], "{wrong:?}");
        assert_eq!(scene.probe("2probe"), Probe::Nothing);
        assert_eq!(scene.said(), [""; 0], "nobody listens to it any more");
        assert!(scene.poll());
        assert_eq!(scene.send("a"), Outcome::Queued);
        assert_eq!(scene.said(), ["200 4a"]);
        scene.begin_upgrade();
    }
    for wrong in ["2", "4hello", "x"] {
        let mut scene = Scene::on_polling(Version::V4);
        scene.begin_upgrade();
        assert_eq!(scene.probe("2probe"), Probe::Nothing);
        assert_eq!(scene.probe(wrong), Probe::Nothing);
        assert_eq!(scene.said(), ["probe 3probe", "close probe"], "{wrong:?}");
    }
}

#[test]
fn only_one_is_tried_at_a_time() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.begin_upgrade();
    assert!(!scene.session.begin_upgrade(scene.now, &scene.config));
    scene.session.probe_gone();
    scene.begin_upgrade();
}

#[test]
fn an_upgrade_that_takes_too_long_is_given_up() {
    for probed in [false, true] {
        let mut scene = Scene::on_polling(Version::V4);
        scene.begin_upgrade();
        if probed {
            assert_eq!(scene.probe("2probe"), Probe::Nothing);
        }
        scene.said();
        scene.pass(UPGRADE - 1);
        assert_eq!(scene.said(), [""; 0]);
        scene.pass(1);
        assert_eq!(scene.said(), ["close probe"]);
        // The client's word comes too late, and a GET waits again as long as it likes.
        assert!(!scene.upgrade());
        assert!(scene.poll());
        scene.pass(1000);
        assert_eq!(scene.said(), [""; 0]);
    }
}

#[test]
fn a_session_that_ends_takes_the_websocket_along() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.begin_upgrade();
    scene.hear("1");
    assert_eq!(scene.said(), ["close probe", "closed transport close"]);
    assert!(!scene.upgrade());
    assert!(!scene.session.begin_upgrade(scene.now, &scene.config));
}

#[test]
fn the_heartbeat_goes_on_over_an_upgrade() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.pass(INTERVAL - 1000);
    scene.begin_upgrade();
    assert_eq!(scene.probe("2probe"), Probe::Nothing);
    scene.pass(2000);
    assert!(scene.poll());
    assert_eq!(scene.said(), ["probe 3probe", "200 2"]);
    // The ping is unanswered when the client moves: it has all of its time again.
    scene.pass(5000);
    assert_eq!(scene.probe("5"), Probe::Moved);
    assert!(scene.upgrade());
    assert_eq!(scene.said(), ["upgraded"]);
    scene.pass(TIMEOUT - 1);
    assert_eq!(scene.said(), [""; 0]);
    scene.hear("3");
    scene.pass(INTERVAL);
    assert_eq!(scene.said(), ["frame 2"]);
    // Revision 3: the client's time isn't cut short.
    let mut scene = Scene::on_polling(Version::V3);
    scene.begin_upgrade();
    assert_eq!(scene.probe("2probe"), Probe::Nothing);
    assert_eq!(scene.probe("5"), Probe::Moved);
    assert!(scene.upgrade());
    scene.said();
    scene.pass(INTERVAL + TIMEOUT - 1);
    assert_eq!(scene.said(), [""; 0]);
}
