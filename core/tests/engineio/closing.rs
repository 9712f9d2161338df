use super::*;

#[test]
fn the_client_closes() {
    let mut scene = Scene::on_polling(Version::V4);
    assert!(scene.poll());
    scene.hear("1");
    assert_eq!(scene.said(), ["200 6", "closed transport close"]);
    // Nothing else of the same payload counts.
    assert_eq!(scene.receive("4a"), Received::Nothing);
    assert_eq!(scene.send("a"), Outcome::Closed);
    scene.pass(100_000);
    assert_eq!(scene.said(), [""; 0]);
    let mut scene = Scene::on_websocket(Version::V4);
    scene.hear("1");
    assert_eq!(scene.said(), ["close carrier", "closed transport close"]);
}

#[test]
fn the_websocket_goes() {
    for (error, reason) in [
        (false, "closed transport close"),
        (true, "closed transport error"),
    ] {
        let mut scene = Scene::upgraded();
        scene.with_effects(|session, effects| session.carrier_gone(error, effects));
        assert_eq!(scene.said(), ["close carrier", reason]);
        scene.with_effects(|session, effects| session.carrier_gone(error, effects));
        assert_eq!(scene.said(), [""; 0], "once");
    }
}

#[test]
fn the_application_closes_while_a_get_waits() {
    for discard in [false, true] {
        let mut scene = Scene::on_polling(Version::V4);
        assert!(scene.poll());
        scene.close(discard);
        assert_eq!(scene.said(), ["200 1", "closed forced close"]);
    }
}

#[test]
fn what_was_sent_before_goes_out_first() {
    let mut scene = Scene::on_polling(Version::V4);
    assert_eq!(scene.send("a"), Outcome::Queued);
    scene.close(false);
    assert_eq!(scene.said(), [""; 0]);
    assert_eq!(scene.send("b"), Outcome::Closed);
    assert_eq!(scene.receive("4a"), Received::Nothing);
    scene.pass(1000);
    assert!(scene.poll());
    // By itself: the official client would look at the end first.
    assert_eq!(scene.said(), ["200 4a"]);
    assert!(scene.poll());
    assert_eq!(scene.said(), ["200 1", "closed forced close"]);
}

#[test]
fn a_client_that_does_not_come_again_is_given_up() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.close(false);
    scene.pass(29_999);
    assert_eq!(scene.said(), [""; 0]);
    scene.pass(1);
    assert_eq!(scene.said(), ["closed forced close"]);
    // A second close that discards ends it at once.
    let mut scene = Scene::on_polling(Version::V4);
    scene.close(false);
    scene.close(false);
    assert_eq!(scene.said(), [""; 0]);
    scene.close(true);
    assert_eq!(scene.said(), ["closed forced close"]);
}

#[test]
fn discarding_loses_what_waits() {
    let mut scene = Scene::on_polling(Version::V4);
    assert_eq!(scene.send("a"), Outcome::Queued);
    scene.close(true);
    assert_eq!(scene.said(), ["closed forced close"]);
    assert_eq!(scene.session.buffered(), 0);
}

#[test]
fn closing_on_a_websocket_is_at_once() {
    for discard in [false, true] {
        let mut scene = Scene::upgraded();
        scene.close(discard);
        assert_eq!(scene.said(), ["close carrier", "closed forced close"]);
        scene.close(discard);
        assert_eq!(scene.said(), [""; 0]);
    }
}

#[test]
fn a_closing_session_may_still_move() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.begin_upgrade();
    assert_eq!(scene.probe("2probe"), Probe::Nothing);
    assert_eq!(scene.send("a"), Outcome::Queued);
    scene.close(false);
    assert_eq!(scene.probe("5"), Probe::Moved);
    assert!(scene.upgrade());
    assert_eq!(
        scene.said(),
        [
            "probe 3probe",
            "upgraded",
            "flush 4Text(\"a\")",
            "close carrier",
            "closed forced close"
        ]
    );
}

#[test]
fn a_closing_session_hears_that_the_client_closes() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.close(false);
    scene.hear("1");
    assert_eq!(scene.said(), ["closed transport close"]);
}
