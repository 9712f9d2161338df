use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sockline::ErrorCode;
use sockline::io::{Ack, EmitOptions};

use crate::fixture::{Got, sent, serve, set};

fn asking(token: u64) -> EmitOptions {
    EmitOptions {
        ack: Some(token),
        ..EmitOptions::default()
    }
}

#[test]
fn an_event_is_acknowledged_with_arguments_and_attachments() {
    let fixture = serve();
    set(
        &fixture.handler.on_event,
        Box::new(|_, event| {
            let attachments: Vec<&[u8]> = event.attachments.iter().map(|data| &**data).collect();
            sent(event.ack.unwrap().send(event.args, &attachments));
        }),
    );
    let (mut client, _) = fixture.joined_to("/n");
    client.say("42/n,0[\"a\",1,\"x\"]");
    client.say("42/n,17[\"a\"]");
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    client.say(&format!("451-/n,18[\"a\",{placeholder}]"));
    client.say_binary(b"data");
    client.gets(&[
        "43/n,0[1,\"x\"]",
        "43/n,17[]",
        &format!("461-/n,18[{placeholder}]"),
    ]);
    assert_eq!(client.got(), Got::Binary(b"data".to_vec()));
    assert_eq!(fixture.io.metrics().acks_out, 3);
}

#[test]
fn an_answer_can_wait_on_any_thread_as_an_object_or_a_number() {
    let fixture = serve();
    let (acks, numbers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (objects, raw) = (acks.clone(), numbers.clone());
    set(
        &fixture.handler.on_event,
        Box::new(move |_, event| match (&*event.name, event.ack) {
            ("object", Some(ack)) => objects.lock().push(ack),
            (_, Some(ack)) => raw.lock().push(ack.into_raw()),
            _ => panic!("no ack"),
        }),
    );
    let (mut client, socket) = fixture.joined();
    client.say("425[\"object\"]");
    client.say("426[\"number\"]");
    client.say("427[\"number\"]");
    fixture.hears(&["connecting / {}", "connection /"]);
    fixture.hears(&[
        "event object [] ack",
        "event number [] ack",
        "event number [] ack",
    ]);
    fixture.settle();
    let second = numbers.lock().pop().unwrap();
    let first = numbers.lock().pop().unwrap();
    assert!(first > 0 && first < 1 << 53);
    sent(Ack::from_raw(first).unwrap().send("1", &[]));
    let again = Ack::from_raw(first).unwrap_err();
    assert_eq!(again.code(), ErrorCode::AlreadyAnswered);
    sent(acks.lock().pop().unwrap().send("2", &[]));
    client.gets(&["436[1]", "435[2]"]);
    // With the client, its numbers end.
    socket.disconnect(false);
    fixture.next();
    fixture.hears(&["disconnect / server namespace disconnect"]);
    assert_eq!(
        Ack::from_raw(second).unwrap_err().code(),
        ErrorCode::AlreadyAnswered
    );
}

#[test]
fn a_number_that_is_lent_is_a_number_like_others() {
    let fixture = serve();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let numbers = kept.clone();
    set(
        &fixture.handler.on_event,
        Box::new(move |socket, event| {
            let elsewhere =
                |raw| std::thread::spawn(move || sent(Ack::from_raw(raw).unwrap().send("2", &[])));
            event.ack.unwrap().lend(|raw| {
                match &*event.name {
                    "here" => sent(Ack::from_raw(raw).unwrap().send("1", &[])),
                    "elsewhere" => elsewhere(raw).join().unwrap(),
                    "gone" => socket.disconnect(false),
                    _ => return numbers.lock().push(raw),
                }
                let again = Ack::from_raw(raw).map(|_| ()).map_err(|error| error.code());
                let expected = match &*event.name {
                    "gone" => Ok(()), // its client has gone, but it was not told yet
                    _ => Err(ErrorCode::AlreadyAnswered),
                };
                assert_eq!(again, expected, "{}", event.name);
            });
        }),
    );
    let (mut client, _) = fixture.joined();
    for (id, name) in ["here", "later", "elsewhere", "later"].iter().enumerate() {
        client.say(&format!("42{id}[\"{name}\"]"));
    }
    client.gets(&["430[1]", "432[2]"]);
    client.say("424[\"gone\"]");
    client.gets(&["41"]);
    fixture.skip();
    fixture.settle();
    for raw in kept.lock().drain(..) {
        let ended = Ack::from_raw(raw).unwrap_err();
        assert_eq!(ended.code(), ErrorCode::AlreadyAnswered, "with its socket");
    }
    let (mut client, _) = fixture.joined();
    client.say("427[\"later\"]");
    client.say("428[\"here\"]");
    client.gets(&["438[1]"]);
    let raw = kept.lock().pop().unwrap();
    sent(Ack::from_raw(raw).unwrap().send("3", &[]));
    client.gets(&["437[3]"]);
    assert_eq!(Ack::from_raw(raw).unwrap_err().code(), ErrorCode::AlreadyAnswered);
}

#[test]
fn an_answer_to_who_has_gone_is_an_error() {
    let fixture = serve();
    let acks = Arc::new(Mutex::new(Vec::new()));
    let kept = acks.clone();
    set(
        &fixture.handler.on_event,
        Box::new(move |_, event| kept.lock().push(event.ack.unwrap())),
    );
    let (mut client, _) = fixture.joined();
    client.say("421[\"a\"]");
    client.say("41");
    fixture.hears(&["connecting / {}", "connection /", "event a [] ack"]);
    fixture.next();
    fixture.hears(&["disconnect / client namespace disconnect"]);
    let ack = acks.lock().pop().unwrap();
    assert_eq!(ack.send("", &[]).unwrap_err().code(), ErrorCode::Closed);
}

#[test]
fn the_client_answers_once() {
    let fixture = serve();
    let (mut client, socket) = fixture.joined();
    fixture.skip();
    for token in [100, 101, 102] {
        sent(socket.emit("q", "", &[], &asking(token)));
    }
    client.gets(&["420[\"q\"]", "421[\"q\"]", "422[\"q\"]"]);
    client.say("431[\"b\", 2]");
    client.say("431[\"again\"]");
    client.say("4399[\"unknown\"]");
    client.say("43[\"no id\"]");
    client.say("430[]");
    client.say("461-2[{\"_placeholder\":true,\"num\":0}]");
    client.say_binary(b"\x07");
    fixture.hears(&["ack 101 [\"b\", 2]", "ack 100 []"]);
    fixture.hears(&["ack 102 [{\"_placeholder\":true,\"num\":0}] [b\"\\x07\"]"]);
    fixture.hears_nothing_more();
}

#[test]
fn an_answer_that_does_not_come_in_time_is_late_once() {
    let fixture = serve();
    let (mut client, socket) = fixture.joined();
    fixture.skip();
    let timeout = |token, millis| EmitOptions {
        timeout: Some(Duration::from_millis(millis)),
        ..asking(token)
    };
    sent(socket.emit("q", "", &[], &timeout(2, 60)));
    sent(socket.emit("q", "", &[], &timeout(1, 20)));
    sent(socket.emit("q", "", &[], &asking(3)));
    sent(socket.emit("q", "", &[], &timeout(4, 10_000)));
    fixture.hears(&["ack 1 timeout", "ack 2 timeout"]);
    for packet in ["431[]", "430[]", "433[4]"] {
        client.say(packet);
    }
    fixture.hears(&["ack 4 [4]"]);
    fixture.hears_nothing_more();
    client.say("41");
    fixture.hears(&[
        "disconnecting client namespace disconnect 1",
        "ack 3 disconnected",
    ]);
    fixture.hears(&["disconnect / client namespace disconnect"]);
}

#[test]
fn whoever_goes_settles_what_it_owes() {
    let fixture = serve();
    let (client, socket) = fixture.joined();
    fixture.skip();
    sent(socket.emit("q", "", &[], &asking(1)));
    sent(socket.emit("q", "", &[], &asking(2)));
    drop(client);
    fixture.hears(&[
        "disconnecting transport close 1",
        "ack 1 disconnected",
        "ack 2 disconnected",
    ]);
    fixture.hears(&["disconnect / transport close"]);
    let error = socket.emit("q", "", &[], &asking(3)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Closed);
    fixture.hears_nothing_more();
}
