use super::*;

#[test]
fn volatile_messages_need_a_get_that_waits() {
    let mut scene = Scene::on_polling(Version::V4);
    assert_eq!(scene.send_with("a", true), Outcome::Dropped);
    assert!(scene.poll());
    assert_eq!(scene.send_with("b", true), Outcome::Queued);
    assert_eq!(scene.send_with("c", true), Outcome::Dropped);
    assert_eq!(scene.said(), ["200 4b"]);
}

#[test]
fn over_the_mark_the_sender_is_told_and_told_again_when_it_is_over() {
    let mut scene = Scene::on_polling(Version::V4);
    let text = "x".repeat(100);
    assert_eq!(scene.send(&text), Outcome::Queued);
    assert_eq!(scene.send(&text), Outcome::OverMark);
    assert_eq!(scene.send(&text), Outcome::OverMark);
    assert!(scene.session.buffered() > 300);
    assert!(scene.poll());
    let said = scene.said();
    assert_eq!((said.len(), said[1].as_str()), (2, "drained"));
    assert!(scene.poll());
    assert_eq!(scene.send("a"), Outcome::Queued);
    assert_eq!(scene.said(), ["200 4a"], "once for each crossing");
    // An upgrade drains too.
    let mut scene = Scene::on_polling(Version::V4);
    scene.begin_upgrade();
    assert_eq!(scene.probe("2probe"), Probe::Nothing);
    assert_eq!(scene.send(&"x".repeat(300)), Outcome::OverMark);
    assert_eq!(scene.probe("5"), Probe::Moved);
    assert!(scene.upgrade());
    assert_eq!(scene.said().last().map(String::as_str), Some("drained"));
}

#[test]
fn a_slow_consumer_meets_the_policy() {
    let fill = |policy| {
        let mut scene = Scene::on_polling(Version::V4);
        scene.config.hard_limit = 250;
        scene.config.slow_consumer = policy;
        for text in ["a", "b", "c"] {
            // The third finds 2 * 132 bytes.
            let sent = scene.send(&text.repeat(100));
            assert!(
                text == "c" || matches!(sent, Outcome::Queued | Outcome::OverMark),
                "{sent:?}"
            );
            if text == "c" {
                return (scene, sent);
            }
        }
        unreachable!("the third is the last one")
    };
    let waiting = |mut scene: Scene| {
        assert!(scene.poll());
        let said = scene.said().remove(0);
        said.split('\u{1e}')
            .map(|packet| packet.chars().last().unwrap())
            .collect::<String>()
    };
    let (scene, sent) = fill(SlowConsumer::Error);
    assert_eq!((sent, waiting(scene).as_str()), (Outcome::Full, "ab"));
    let (scene, sent) = fill(SlowConsumer::DropNewest);
    assert_eq!((sent, waiting(scene).as_str()), (Outcome::Dropped, "ab"));
    let (scene, sent) = fill(SlowConsumer::DropOldest);
    assert_eq!((sent, waiting(scene).as_str()), (Outcome::OverMark, "bc"));
    let (mut scene, sent) = fill(SlowConsumer::Close);
    assert_eq!(sent, Outcome::Dropped);
    assert_eq!(scene.said(), ["closed transport error slow consumer"]);
}

#[test]
fn packets_of_the_protocol_are_never_dropped() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.config.hard_limit = 40;
    scene.config.slow_consumer = SlowConsumer::DropOldest;
    scene.pass(INTERVAL);
    for text in ["a", "b", "c"] {
        let _ = scene.send(&text.repeat(30));
    }
    assert!(scene.poll());
    let said = scene.said().remove(0);
    assert_eq!(said, format!("200 2\u{1e}4{}", "c".repeat(30)));
}

#[test]
fn empty_messages_are_not_free() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.config.hard_limit = 1000;
    let taken = (0..1000).take_while(|_| scene.send("") != Outcome::Full).count();
    assert!(taken < 50, "{taken}");
}
