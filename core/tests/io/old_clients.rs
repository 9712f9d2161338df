//! Clients of Socket.IO 1 and 2: Engine.IO 3, and revision 4 of the protocol on it.

use sockline::io::ConnectQuestion;

use crate::fixture::{Client, Fixture, Got, sent, serve_with, set};

fn old() -> Fixture {
    serve_with(|options| options.allow_eio3 = true)
}

fn client(fixture: &Fixture) -> Client {
    Client::open(fixture.port, "EIO=3&transport=websocket")
}

fn session(client: &Client) -> String {
    client.opened.split('"').nth(3).unwrap().to_owned()
}

#[test]
fn an_old_client_is_connected_without_asking() {
    let fixture = old();
    let mut client = client(&fixture);
    client.gets(&["40"]);
    fixture.hears(&["connecting / {}", "connection /"]);
    let socket = fixture.socket();
    assert_eq!(socket.id(), session(&client));
    assert_eq!(socket.protocol(), 3);
    client.say("420[\"a\",1]");
    fixture.hears(&["event a [1] ack"]);
    sent(socket.emit(
        "b",
        "{\"_placeholder\":true,\"num\":0}",
        &[b"x"],
        &Default::default(),
    ));
    client.gets(&["451-[\"b\",{\"_placeholder\":true,\"num\":0}]"]);
    assert_eq!(client.got(), Got::Binary(b"\x04x".to_vec()));
    client.say("2");
    client.gets(&["3"]);
    client.say("41");
    fixture.hears(&[
        "disconnecting client namespace disconnect 1",
        "disconnect / client namespace disconnect",
    ]);
}

#[test]
fn the_query_of_a_namespace_is_its_auth() {
    let fixture = old();
    fixture.io.of("/admin");
    fixture.hears(&["new namespace /admin"]);
    let mut client = client(&fixture);
    client.gets(&["40"]);
    fixture.hears(&["connecting / {}", "connection /"]);
    client.say("40/admin?token=a+b&x=%22,");
    client.gets(&["40/admin,"]);
    fixture.hears(&[
        "connecting /admin {\"token\":\"a b\",\"x\":\"\\\"\"}",
        "connection /admin",
    ]);
    fixture.socket();
    let socket = fixture.socket();
    assert_eq!(socket.id(), format!("/admin#{}", session(&client)));
    client.say("42/admin?token=a,[\"e\"]");
    fixture.hears(&["event e []"]);
    fixture.io.of("/admin").emit("f", "", &[]).unwrap();
    client.gets(&["42/admin,[\"f\"]"]);
    client.say("40/nope");
    client.gets(&["44/nope,{\"message\":\"Invalid namespace\"}"]);
}

#[test]
fn an_old_client_hears_an_error_as_text_or_as_its_data() {
    let fixture = old();
    set(
        &fixture.handler.on_connecting,
        Box::new(|question: ConnectQuestion| match question.namespace().name() {
            "/" => question.deny("no", None),
            _ => question.deny("no", Some("{\"code\":1}")),
        }),
    );
    fixture.io.of("/n");
    let mut client = client(&fixture);
    client.gets(&["44\"no\""]);
    client.say("40/n");
    client.gets(&["44/n,{\"code\":1}"]);
}

#[test]
fn new_clients_are_served_beside_them() {
    let fixture = old();
    let mut old = client(&fixture);
    old.gets(&["40"]);
    let mut new = fixture.client();
    new.join("/");
    fixture
        .io
        .of("/")
        .emit("all", "{\"_placeholder\":true,\"num\":0}", &[b"x"])
        .unwrap();
    for client in [&mut old, &mut new] {
        client.gets(&["451-[\"all\",{\"_placeholder\":true,\"num\":0}]"]);
    }
    assert_eq!(
        (old.got(), new.got()),
        (Got::Binary(b"\x04x".to_vec()), Got::Binary(b"x".to_vec()))
    );
}

#[test]
fn pongs_do_not_pile_up_for_a_client_that_reads_nothing() {
    let fixture = serve_with(|options| {
        options.allow_eio3 = true;
        options.settings.high_water_mark = 10_000;
    });
    let mut client = client(&fixture);
    client.gets(&["40"]);
    let socket = fixture.socket();
    let text = format!("\"{}\"", "x".repeat(1 << 20));
    while socket.buffered_amount() < 10_000_000 {
        let _ = socket.emit("e", &text, &[], &Default::default()).unwrap();
    }
    fixture.skip();
    for _ in 0..1000 {
        client.say("2");
    }
    client.say("42[\"behind\"]");
    fixture.hears(&["event behind []"]);
    while client.text() != "3" {}
    client.gets_nothing_more(&fixture, &socket);
    client.say("2");
    client.gets(&["3"]);
}
