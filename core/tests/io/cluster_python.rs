//! Two servers that speak python-socketio's format. Between them is a server in memory in the place of Redis.

use sockline::adapter::redis::Bus;
use sockline::adapter::redis::RedisMode;

use crate::cluster::result;
use crate::courier::{Courier, until};
use crate::fixture::{Fixture, Got};
use crate::support::PATIENCE;

fn two() -> (Courier, Fixture, Fixture) {
    let courier = Courier::new();
    let (a, _) = courier.node_in(RedisMode::PythonSocketio, |_| {});
    let (b, _) = courier.node_in(RedisMode::PythonSocketio, |_| {});
    (courier, a, b)
}

#[test]
fn broadcasts_reach_the_clients_of_both() {
    let (_courier, a, b) = two();
    let (mut first, socket) = a.joined();
    let (mut second, other) = b.joined();
    let (mut third, _elsewhere) = b.joined_to("/n");
    socket.join(&["room"]);
    a.io.of("/").to(other.id()).sockets_join(&["room"]);
    until(|| b.io.of("/").room("room").len() == 1);
    a.io.of("/").emit("all", "1", &[]).unwrap();
    socket.to("room").emit("room", "", &[]).unwrap();
    b.io.of("/").except(other.id()).emit("rest", "", &[]).unwrap();
    first.gets(&["42[\"all\",1]", "42[\"rest\"]"]);
    second.gets(&["42[\"all\",1]", "42[\"room\"]"]);
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    a.io.of("/n").emit("bin", placeholder, &[b"\x01\x02"]).unwrap();
    third.gets(&[&*format!("451-/n,[\"bin\",{placeholder}]")]);
    assert_eq!(third.got(), Got::Binary(vec![1, 2]));
    b.io.of("/").to(socket.id()).disconnect_sockets(false);
    first.gets(&["41"]);
}

#[test]
fn the_first_answer_from_elsewhere_is_the_last() {
    let (_courier, a, b) = two();
    let (mut first, _) = a.joined();
    let (mut second, other) = b.joined();
    a.skip();
    let to = |room: &str| a.io.of("/").to(room).timeout(PATIENCE);
    to(other.id()).emit_with_ack("q", "", &[], 7).unwrap();
    assert_eq!(second.text(), "420[\"q\"]");
    second.say("430[\"two\",2]");
    a.hears(&["acks / 7 1/1 [\"\\\"two\\\",2\"]"]);
    let everybody = a.io.of("/").all().timeout(PATIENCE);
    everybody.emit_with_ack("q", "", &[], 8).unwrap();
    assert_eq!(first.text(), "421[\"q\"]");
    assert_eq!(second.text(), "421[\"q\"]");
    second.say("431[\"two\"]");
    first.say("431[\"one\"]");
    let heard = a.next();
    assert!(
        heard.starts_with("acks / 8 2/2 ") && heard.contains("one") && heard.contains("two"),
        "{heard}"
    );
    everybody.local().emit_with_ack("q", "", &[], 9).unwrap();
    assert_eq!(first.text(), "422[\"q\"]");
    first.say("432[]");
    a.hears(&["acks / 9 1/1 [\"\"]"]);
}

#[test]
fn python_waits_for_answers_of_clients_here() {
    let (courier, a, _b) = two();
    let (mut client, socket) = a.joined();
    let bus = courier.server.node();
    let ask = format!(
        r#"{{"method": "emit", "event": "q", "data": [1], "binary": false, "namespace": "/", "room": "{0}", "skip_sid": null, "callback": ["{0}", "/", 5], "host_id": "python"}}"#,
        socket.id()
    );
    bus.publish("socketio", ask.into_bytes(), false);
    assert_eq!(client.text(), "420[\"q\",1]");
    client.say("430[\"one\", {\"a\":1}]");
    let expected = format!(
        r#"{{"method": "callback", "host_id": "python", "sid": "{}", "namespace": "/", "id": 5, "args": ["one", {{"a":1}}]}}"#,
        socket.id()
    );
    until(|| {
        courier
            .server
            .published()
            .last()
            .is_some_and(|(_, said, _)| *said == expected.as_bytes())
    });
}

#[test]
fn nobody_tells_who_is_elsewhere() {
    let (_courier, a, b) = two();
    let (_first, socket) = a.joined();
    let (_second, _) = b.joined();
    let (found, answers, count) = (result(), result(), result());
    a.io.of("/").all().fetch_sockets(found.0).unwrap();
    let found = found.1.recv_timeout(PATIENCE).unwrap().unwrap();
    let ids: Vec<&str> = found.value.iter().map(|one| &*one.id).collect();
    assert_eq!((ids.as_slice(), found.missing), (&[socket.id()][..], 1));
    a.io.of("/")
        .server_side_emit_with_ack("x", "", &[], answers.0)
        .unwrap();
    let error = answers.1.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert!(error.text().contains("from server to server"), "{error}");
    a.io.of("/").server_count(count.0).unwrap();
    assert_eq!(count.1.recv_timeout(PATIENCE).unwrap().unwrap(), 2);
}
