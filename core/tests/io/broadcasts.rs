use std::time::Duration;

use crate::fixture::{Got, Poller, sent, serve, serve_on};

#[test]
fn answers_to_a_broadcast_come_together() {
    let fixture = serve();
    let (mut one, first) = fixture.joined();
    let (mut two, _second) = fixture.joined();
    first.join(&["r"]);
    fixture.skip();
    let namespace = fixture.io.of("/");
    namespace.all().emit_with_ack("q", "1", &[], 7).unwrap();
    one.gets(&["420[\"q\",1]"]);
    two.gets(&["420[\"q\",1]"]);
    one.say("430[\"x\"]");
    one.say("430[\"again\"]");
    fixture.hears_nothing_more();
    two.say("430[2,3]");
    fixture.hears(&["acks / 7 2/2 [\"\\\"x\\\"\", \"2,3\"]"]);
    namespace.to("r").emit_array_with_ack("[\"q\"]", &[], 8).unwrap();
    one.gets(&["421[\"q\"]"]);
    one.say("431[]");
    fixture.hears(&["acks / 8 1/1 [\"\"]"]);
    namespace.to("nobody").emit_with_ack("q", "", &[], 9).unwrap();
    fixture.hears(&["acks / 9 0/0 []"]);
}

#[test]
fn late_answers_and_those_who_go_are_missing() {
    let fixture = serve();
    let (mut one, _) = fixture.joined();
    let (two, _) = fixture.joined();
    let (_three, third) = fixture.joined();
    fixture.skip();
    let everybody = fixture.io.of("/").all();
    everybody
        .clone()
        .timeout(Duration::from_millis(50))
        .emit_with_ack("q", "", &[], 1)
        .unwrap();
    one.gets(&["420[\"q\"]"]);
    one.say("430[1]");
    fixture.hears(&["acks / 1 1/3 late [\"1\"]"]);
    everybody.emit_with_ack("q", "", &[], 2).unwrap();
    one.gets(&["421[\"q\"]"]);
    one.say("431[2]");
    drop(two);
    fixture.hears(&["disconnecting transport close 1", "disconnect / transport close"]);
    third.disconnect(true);
    fixture.hears(&["disconnecting server namespace disconnect 1"]);
    fixture.hears(&["disconnect / server namespace disconnect", "acks / 2 1/3 [\"2\"]"]);
    fixture.hears_nothing_more();
}

#[test]
fn attachments_reach_everybody_on_each_transport() {
    let fixture = serve();
    let (mut client, _) = fixture.joined();
    let poller = Poller::open(fixture.port, "EIO=4");
    poller.post("40");
    assert!(poller.get().starts_with("40{"));
    fixture.skip();
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    fixture.io.of("/").emit("b", placeholder, &[b"\x00\xff"]).unwrap();
    let text = format!("451-[\"b\",{placeholder}]");
    client.gets(&[&text]);
    assert_eq!(client.got(), Got::Binary(vec![0, 255]));
    assert_eq!(poller.get(), format!("{text}\u{1e}bAP8="));
    assert_eq!(fixture.io.metrics().events_out, 2);
}

#[test]
fn volatile_events_pass_by_who_does_not_wait_for_them() {
    let fixture = serve();
    let poller = Poller::open(fixture.port, "EIO=4");
    poller.post("40");
    assert!(poller.get().starts_with("40{"));
    let socket = fixture.socket();
    let volatile = sockline::io::EmitOptions {
        volatile: true,
        ..Default::default()
    };
    assert_eq!(
        socket.emit("lost", "", &[], &volatile),
        Ok(sockline::Sent::Dropped)
    );
    fixture
        .io
        .of("/")
        .all()
        .volatile(true)
        .emit("lost", "", &[])
        .unwrap();
    sent(socket.emit("kept", "", &[], &Default::default()));
    assert_eq!(poller.get(), "42[\"kept\"]");
    assert_eq!(fixture.io.metrics().dropped, 2);
}

#[test]
fn clients_on_several_loops_are_reached() {
    let fixture = serve_on(3, |_| {});
    let mut clients: Vec<_> = (0..12).map(|_| fixture.joined()).collect();
    fixture.skip();
    for round in 0..20 {
        fixture.io.of("/").emit("r", &round.to_string(), &[]).unwrap();
    }
    fixture.io.of("/").all().emit_with_ack("q", "", &[], 1).unwrap();
    for (client, _) in &mut clients {
        for round in 0..20 {
            client.gets(&[&format!("42[\"r\",{round}]")]);
        }
        client.gets(&["420[\"q\"]"]);
        client.say("430[1]");
    }
    fixture.hears(&[&format!("acks / 1 12/12 {:?}", vec!["1"; 12])]);
}
