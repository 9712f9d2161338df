//! What is told of sessions, whether or not they have sockets.

use sockline::ErrorCode;
use sockline::io::{Data, EmitOptions};

use crate::fixture::{Poller, serve, serve_with, upgrade_request};
use crate::support::{Peer, masked};

#[test]
fn a_session_is_told_from_its_beginning_to_its_end() {
    let fixture = serve();
    let (client, socket) = fixture.joined();
    let id = socket.session_id().to_owned();
    fixture.hears_of_session(&format!(
        "{id} begins: websocket 4 /socket.io/?EIO=4&transport=websocket"
    ));
    drop(client);
    fixture.hears_of_session(&format!("{id} closed: transport close"));
}

#[test]
fn a_session_without_sockets_is_told_of_when_it_moves_and_ends() {
    let fixture = serve();
    let poller = Poller::open(fixture.port, "EIO=4");
    let id = &poller.sid;
    fixture.hears_of_session(&format!(
        "{id} begins: polling 4 /socket.io/?EIO=4&transport=polling"
    ));
    let mut peer = Peer::connect(fixture.port);
    peer.send(upgrade_request(&format!("EIO=4&transport=websocket&sid={id}"), "").as_bytes());
    peer.read_head();
    peer.send(&masked(0x81, b"2probe"));
    assert_eq!(peer.read_frame(), (0x81, b"3probe".to_vec()));
    peer.send(&masked(0x81, b"5"));
    fixture.hears_of_session(&format!("{id} upgraded"));
    drop(peer);
    fixture.hears_of_session(&format!("{id} closed: transport close"));
}

#[test]
fn packets_are_told_while_somebody_wants_to_hear_of_them() {
    let fixture = serve_with(|options| options.ping_interval = std::time::Duration::from_millis(20));
    fixture.io.set_packet_events(true);
    let (mut client, socket) = fixture.joined();
    let id = socket.session_id().to_owned();
    // Pings may come between.
    let hears = |expected: String| {
        let is_beat = |line: &str| line.contains("Ping") || line.contains("Pong");
        let line = std::iter::repeat_with(|| fixture.next_of_session()).find(|line| !is_beat(line));
        assert_eq!(line, Some(expected));
    };
    hears(format!(
        "{id} begins: websocket 4 /socket.io/?EIO=4&transport=websocket"
    ));
    hears(format!("from {id}: Message Text(\"0\")"));
    hears(format!(
        "to {id}: Message Text(\"0{{\\\"sid\\\":\\\"{}\\\"}}\")",
        client.id
    ));
    client.say(r#"451-["a",{"_placeholder":true,"num":0}]"#);
    client.say_binary(&[7]);
    hears(format!(
        "from {id}: Message Text({:?})",
        r#"51-["a",{"_placeholder":true,"num":0}]"#
    ));
    hears(format!("from {id}: Message Binary([7])"));
    fixture.io.of("/").all().emit("b", "1", &[]).unwrap();
    hears(format!("to {id}: Message Text({:?})", r#"2["b",1]"#));
    let event = r#""c",{"_placeholder":true,"num":0}"#;
    let array = format!("[{event}]");
    let _ = socket
        .emit_array(&array, &[&[8]], &EmitOptions::default())
        .unwrap();
    hears(format!("to {id}: Message Text({:?})", format!("51-{array}")));
    hears(format!("to {id}: Message Binary([8])"));
    client.gets(&[r#"42["b",1]"#, &format!("451-{array}")]);
    client.got();
    client.say("3"); // nobody has asked
    while fixture.next_of_session() != format!("from {id}: Pong Text(\"\")") {}
    // The next ping of its own.
    while fixture.next_of_session() != format!("to {id}: Ping Text(\"\")") {
        client.say("3");
    }
    fixture.io.set_packet_events(false);
    drop(client);
    while fixture.next_of_session() != format!("{id} closed: transport close") {}
}

#[test]
fn packets_on_polling_are_told_too() {
    let fixture = serve_with(|options| options.ping_interval = std::time::Duration::from_millis(20));
    fixture.io.set_packet_events(true);
    fixture.io.of("/");
    let poller = Poller::open(fixture.port, "EIO=4");
    let id = &poller.sid;
    fixture.hears_of_session(&format!(
        "{id} begins: polling 4 /socket.io/?EIO=4&transport=polling"
    ));
    fixture.hears_of_session(&format!("to {id}: Ping Text(\"\")"));
    poller.post("40");
    fixture.hears_of_session(&format!("from {id}: Message Text(\"0\")"));
    assert!(
        fixture
            .next_of_session()
            .starts_with(&format!("to {id}: Message Text(\"0{{"))
    );
}

#[test]
fn messages_of_the_applications_pass_between_packets() {
    let fixture = serve();
    let (mut client, socket) = fixture.joined();
    let id = socket.session_id();
    let send = |message| fixture.io.send_to_session(id, message, None).unwrap();
    let _ = send(Data::Text("2[\"own\"]"));
    let _ = socket.emit("a", "1", &[], &EmitOptions::default()).unwrap();
    let _ = send(Data::Text("51-[\"b\",{\"_placeholder\":true,\"num\":0}]"));
    let _ = send(Data::Binary(&[7]));
    client.gets(&[
        "42[\"own\"]",
        "42[\"a\",1]",
        "451-[\"b\",{\"_placeholder\":true,\"num\":0}]",
    ]);
    client.got();
    assert!(fixture.io.close_session(id, true));
    for gone in [id, "nobody"] {
        let error = fixture
            .io
            .send_to_session(gone, Data::Text("late"), None)
            .unwrap_err();
        assert_eq!(error.code(), ErrorCode::Closed);
    }
}
