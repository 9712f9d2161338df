use super::*;

#[test]
fn a_get_waits_until_there_is_something() {
    let mut scene = Scene::on_polling(Version::V4);
    assert!(scene.poll());
    scene.pass(1000);
    assert_eq!(scene.said(), [""; 0]);
    assert_eq!(scene.send("hello"), Outcome::Queued);
    assert_eq!(scene.said(), ["200 4hello"]);
}

#[test]
fn what_waits_goes_out_as_one_payload() {
    let mut scene = Scene::on_polling(Version::V4);
    assert_eq!(scene.send("a"), Outcome::Queued);
    let batch = || Unit::copy_many(&[Data::Text("b"), Data::Binary(&[1, 2, 3])]);
    let config = config();
    let sent = scene.with_effects(|session, effects| session.send(false, true, batch, &config, effects));
    assert_eq!(sent, Outcome::Queued);
    let prepared = std::sync::Arc::new(Prepared::new(&[Data::Text("c"), Data::Binary(&[4])], true));
    let shared = || Unit::Shared(prepared.clone());
    let sent = scene.with_effects(|session, effects| session.send(false, true, shared, &config, effects));
    assert_eq!(sent, Outcome::Queued);
    assert_eq!(scene.said(), [""; 0]);
    assert!(scene.poll());
    assert_eq!(scene.said(), ["200 4a\u{1e}4b\u{1e}bAQID\u{1e}4c\u{1e}bBA=="]);
    assert_eq!(scene.session.buffered(), 0);
}

#[test]
fn an_answer_can_be_limited_in_packets() {
    let mut scene = Scene::on_polling(Version::V4);
    scene.session.limit_answers(3);
    let config = config();
    let mut send = |messages: &[Data<'_>]| {
        let unit = || Unit::copy_many(messages);
        let sent = scene.with_effects(|session, effects| session.send(false, true, unit, &config, effects));
        assert_eq!(sent, Outcome::Queued);
    };
    for text in ["a", "b"] {
        send(&[Data::Text(text)]);
    }
    send(&[Data::Text("c"), Data::Binary(&[0])]);
    send(&[
        Data::Text("d"),
        Data::Binary(&[1]),
        Data::Binary(&[2]),
        Data::Binary(&[3]),
    ]);
    send(&[Data::Text("e")]);
    for answer in [
        "4a\u{1e}4b",
        "4c\u{1e}bAA==",
        "4d\u{1e}bAQ==\u{1e}bAg==\u{1e}bAw==",
        "4e",
    ] {
        assert!(scene.poll());
        assert_eq!(scene.said(), [format!("200 {answer}")]);
    }
    assert_eq!(scene.session.buffered(), 0);
    assert!(scene.poll());
    assert_eq!(scene.said(), [""; 0]);
}

#[test]
fn payloads_of_revision_3() {
    let binary = || Unit::copy(&Data::Binary(&[1]));
    let config = config();
    let sid = Sid::parse("AAAAAAAAAAAAAAAAAAAA").unwrap();
    for (b64, expected) in [
        (true, &b"2:4a6:b4AQ=="[..]),
        (false, b"\x00\x02\xff4a\x01\x02\xff\x04\x01"),
    ] {
        let mut scene = Scene::with(Session::on_polling(Version::V3, b64, &sid, 0, &config));
        assert!(scene.poll());
        scene.said();
        assert_eq!(scene.send("a"), Outcome::Queued);
        let sent = scene.with_effects(|session, effects| session.send(false, true, binary, &config, effects));
        assert_eq!(sent, Outcome::Queued);
        assert!(scene.poll());
        let answer = scene.with_effects(|_, effects| effects.pop());
        let Some(Effect::Answer(answer)) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(answer.body, expected);
        assert_eq!(answer.kind == PayloadType::Text, b64);
    }
}

#[test]
fn two_gets_at_once_end_the_session() {
    let mut scene = Scene::on_polling(Version::V4);
    assert!(scene.poll());
    assert!(!scene.poll());
    assert_eq!(
        scene.said(),
        ["200 1", "closed transport error overlap from client"]
    );
    assert!(!scene.poll());
    assert_eq!(scene.said(), [""; 0]);
}

#[test]
fn a_get_that_is_cut_ends_the_session() {
    let mut scene = Scene::on_polling(Version::V4);
    assert!(scene.poll());
    scene.with_effects(|session, effects| session.poll_cut(effects));
    assert_eq!(
        scene.said(),
        ["closed transport error poll connection closed prematurely"]
    );
    // One that was answered before may be cut.
    let mut scene = Scene::on_polling(Version::V4);
    scene.with_effects(|session, effects| session.poll_cut(effects));
    assert_eq!(scene.said(), [""; 0]);
}

#[test]
fn a_bad_post_ends_the_session() {
    let mut scene = Scene::on_polling(Version::V4);
    assert!(scene.poll());
    scene.with_effects(|session, effects| session.bad_post("invalid content", effects));
    assert_eq!(scene.said(), ["200 1", "closed transport error invalid content"]);
}

#[test]
fn what_is_no_packet_ends_the_session() {
    for bad in ["", "x", "9", "b*"] {
        let mut scene = Scene::on_polling(Version::V4);
        assert!(scene.poll());
        scene.hear(bad);
        assert_eq!(scene.said(), ["200 1", "closed parse error"], "{bad:?}");
    }
}

#[test]
fn messages_are_handed_on_and_other_packets_ignored() {
    let mut scene = Scene::on_polling(Version::V4);
    assert_eq!(scene.receive("4hello"), Received::Message);
    assert_eq!(scene.receive("bAQID"), Received::Message);
    for packet in ["0", "5", "6", "3"] {
        assert_eq!(scene.receive(packet), Received::Nothing);
    }
    assert_eq!(scene.said(), [""; 0]);
    assert!(!scene.session.is_closed());
}

#[test]
fn only_what_asks_for_it_is_compressed() {
    let config = config();
    for (compress, shared) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut scene = Scene::on_polling(Version::V4);
        let unit = || match shared {
            true => Unit::Shared(Prepared::new(&[Data::Text("a")], compress).into()),
            false => Unit::copy(&Data::Text("a")),
        };
        let wants = compress || shared;
        let sent = scene.with_effects(|session, effects| session.send(false, wants, unit, &config, effects));
        assert_eq!(sent, Outcome::Queued);
        assert!(scene.poll());
        let answer = scene.with_effects(|_, effects| effects.pop());
        let Some(Effect::Answer(answer)) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(answer.compress, compress);
    }
}
