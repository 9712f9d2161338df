//! Sockets connect to their namespaces over one connection, and leave them.

use sockline::socketio::client::{Reason, State};

use crate::scene::{Scene, settings};

#[test]
fn a_socket_opens_the_connection_and_is_taken_in() {
    let mut scene = Scene::new();
    let key = scene.socket("/");
    assert_eq!(scene.said(), [""; 0]);
    scene.client.connect(key, 0);
    assert_eq!(scene.said(), ["open"]);
    assert!(scene.client.is_socket_active(key) && !scene.client.is_connected(key));
    scene.client.opened();
    assert_eq!(scene.said(), ["opened", "who is 0"]);
    scene.client.authenticate(key, 1, Some(r#"{"token":"x"}"#));
    assert_eq!(scene.said(), [r#"send 0 connect {"token":"x"}"#]);
    scene.receive(r#"0{"sid":"id"}"#);
    assert_eq!(scene.said(), ["connected 0"]);
    assert_eq!(scene.client.id(key), Some("id"));
    assert!(!scene.client.has_recovered(key));
    scene.client.connect(key, 0);
    assert_eq!(scene.said(), [""; 0]);
}

#[test]
fn namespaces_share_the_connection() {
    let mut scene = Scene::connected();
    let other = scene.socket("/other");
    scene.client.connect(other, 0);
    assert_eq!(scene.said(), ["who is 1"]);
    scene.client.connect(other, 0);
    assert_eq!(scene.said(), [""; 0], "asked once for each connection");
    scene.client.authenticate(other, 2, None);
    assert_eq!(scene.said(), ["send 1 connect"]);
    assert_eq!(
        scene.receive(r#"2["to the first"]"#),
        r#"event 0 ["to the first"]"#
    );
    scene.receive(r#"0/other,{"sid":"other"}"#);
    assert_eq!(scene.receive(r#"2/other,1["a"]"#), r#"event 1 ["a"] #1 of 1"#);
    assert_eq!(scene.receive(r#"2/nobody,["a"]"#), "");
    assert_eq!(scene.said(), ["connected 1"]);

    scene.client.disconnect(0, 0);
    assert_eq!(
        scene.said(),
        ["send 0 disconnect", "disconnected 0 io client disconnect"]
    );
    assert_eq!(scene.receive(r#"2["late"]"#), "");
    scene.client.disconnect(other, 0);
    assert_eq!(
        scene.said(),
        [
            "send 1 disconnect",
            "close",
            "closed forced close",
            "disconnected 1 io client disconnect"
        ],
        "the last one takes the connection along"
    );
    assert!(!scene.client.is_active());
}

#[test]
fn an_answer_to_an_old_question_is_of_no_use() {
    let mut scene = Scene::new();
    let key = scene.socket("/");
    scene.client.connect(key, 0);
    scene.client.opened();
    scene.client.closed(Reason::TransportClose, "", 0);
    scene.said();
    scene.client.authenticate(key, 1, None);
    assert_eq!(scene.said(), [""; 0]);
    scene.pass(1000);
    scene.client.attempt(scene.now);
    scene.client.opened();
    scene.said();
    scene.client.authenticate(key, 1, None);
    assert_eq!(scene.said(), [""; 0]);
    scene.client.authenticate(key, 2, None);
    scene.client.authenticate(key, 2, None);
    assert_eq!(scene.said(), ["send 0 connect"]);
}

#[test]
fn what_came_early_is_dropped_with_the_session() {
    let mut scene = Scene::connected();
    let other = scene.socket("/other");
    for (question, leaves) in [(2, true), (3, false)] {
        scene.client.connect(other, 0);
        scene.client.authenticate(other, question, None);
        scene.receive(r#"2/other,["early"]"#);
        assert_eq!(scene.client.waiting(), r#"["early"]"#.len());
        match leaves {
            true => scene.client.disconnect(other, 0),
            false => _ = scene.receive(r#"4/other,{"message":"no"}"#),
        }
        assert_eq!(scene.client.waiting(), 0);
    }
    scene.client.connect(other, 0);
    scene.client.authenticate(other, 4, None);
    scene.said();
    scene.receive(r#"0/other,{"sid":"id"}"#);
    assert_eq!(scene.said(), ["connected 1"]);
}

#[test]
fn a_refused_socket_stays_away_until_it_is_connected_again() {
    let mut scene = Scene::connected();
    let other = scene.socket("/other");
    scene.client.connect(other, 0);
    scene.client.authenticate(other, 2, None);
    scene.said();
    scene.receive(r#"4/other,{"message":"not you","data":{"code":7}}"#);
    assert_eq!(scene.said(), [r#"refused 1 not you {"code":7}"#]);
    assert!(!scene.client.is_socket_active(other));
    scene.client.connect(other, 0);
    scene.client.authenticate(other, 3, None);
    assert_eq!(
        scene.said(),
        ["who is 1", "send 1 connect"]
            .map(str::to_owned)
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );
    scene.receive(r#"4/other,"in words""#);
    assert_eq!(scene.said(), ["refused 1 in words "]);
}

#[test]
fn one_that_leaves_while_it_is_connecting_takes_its_wish_back() {
    let mut scene = Scene::connected();
    let other = scene.socket("/other");
    scene.client.connect(other, 0);
    scene.client.authenticate(other, 2, None);
    scene.client.disconnect(other, 0);
    assert_eq!(scene.said(), ["send 1 connect", "send 1 disconnect", "who is 1"]);
    scene.receive(r#"0/other,{"sid":"x"}"#);
    assert_eq!(scene.said(), [""; 0]);
    assert!(!scene.client.is_connected(other));
}

#[test]
fn the_server_disconnects_one() {
    let mut scene = Scene::connected();
    scene.receive("1");
    assert_eq!(
        scene.said(),
        [
            "close",
            "closed forced close",
            "disconnected 0 io server disconnect"
        ]
    );
    scene.pass(100_000);
    assert_eq!(scene.said(), [""; 0], "it does not come back by itself");
    assert!(!scene.client.is_socket_active(0));
}

#[test]
fn a_server_of_another_revision_is_told() {
    let mut scene = Scene::new();
    scene.socket("/");
    scene.client.connect(0, 0);
    scene.client.opened();
    scene.authenticate(0);
    scene.said();
    scene.receive("0");
    assert!(scene.said()[0].contains("v2.x"));
}

#[test]
fn an_attempt_takes_no_longer_than_it_may() {
    let mut scene = Scene::new();
    scene.socket("/");
    scene.client.connect(0, 0);
    scene.said();
    scene.pass(19_999);
    assert_eq!(scene.said(), [""; 0]);
    scene.pass(1);
    assert_eq!(
        scene.said(),
        [
            "close",
            "failed timeout",
            "unreachable 0 timeout",
            "next 1 in 1000"
        ]
    );
    assert_eq!(scene.client.state(), State::Closed);
    scene.client.opened();
    assert_eq!(scene.said(), [""; 0], "it comes too late");

    let mut scene = Scene::with(sockline::socketio::client::Settings {
        timeout: None,
        ..settings()
    });
    scene.client.open(0);
    assert_eq!(scene.client.deadline(), None);
}

#[test]
fn closing_the_manager_disconnects_all() {
    let mut scene = Scene::connected();
    scene.client.close(0);
    assert_eq!(
        scene.said(),
        ["close", "closed forced close", "disconnected 0 forced close"]
    );
    scene.pass(100_000);
    assert_eq!(scene.said(), [""; 0]);
    scene.client.close(scene.now);
    assert_eq!(scene.said(), [""; 0]);
    scene.client.open(scene.now);
    scene.client.opened();
    assert_eq!(scene.said(), ["open", "opened", "who is 0"]);
}
