use sockline::ErrorCode;
use sockline::io::EmitOptions;

use crate::fixture::{Got, sent, serve, set};

#[test]
fn events_come_with_their_name_arguments_and_attachments() {
    let fixture = serve();
    let (mut client, _) = fixture.joined();
    fixture.skip();
    client.say("42[\"hi\"]");
    client.say("42[\"h\\u00e9\",1, [2 ,{\"a\":null}]]");
    client.say("42[7,\"seven\"]");
    client.say("452-[\"bin\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]");
    client.say_binary(b"one");
    client.say_binary(b"");
    fixture.hears(&[
        "event hi []",
        "event hé [1, [2 ,{\"a\":null}]]",
        "event 7 [\"seven\"]",
    ]);
    let placeholders = r#"{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}"#;
    fixture.hears(&[&format!("event bin [{placeholders}] [[111, 110, 101], []]")]);
    assert_eq!(fixture.io.metrics().events_in, 4);
}

#[test]
fn a_handler_sends_while_it_is_called() {
    let fixture = serve();
    set(
        &fixture.handler.on_event,
        Box::new(|socket, event| {
            assert_eq!(event.array, "[\"in\",1]");
            sent(socket.emit("out", event.args, &[], &EmitOptions::default()));
            socket.namespace().emit("all", "", &[]).unwrap();
        }),
    );
    let (mut client, _) = fixture.joined();
    client.say("42[\"in\",1]");
    client.gets(&["42[\"out\",1]", "42[\"all\"]"]);
}

#[test]
fn events_go_out_with_attachments_right_behind() {
    let fixture = serve();
    let (mut client, socket) = fixture.joined_to("/n");
    let args = r#"{"_placeholder":true,"num":0}"#;
    sent(socket.emit("b\"", args, &[b"\x01\x02"], &EmitOptions::default()));
    sent(socket.emit_array("[\"c\",1]", &[], &EmitOptions::default()));
    assert_eq!(client.text(), format!("451-/n,[\"b\\\"\",{args}]"));
    assert_eq!(client.got(), Got::Binary(vec![1, 2]));
    client.gets(&["42/n,[\"c\",1]"]);
    assert_eq!(fixture.io.metrics().events_out, 2);
}

#[test]
fn reserved_names_and_other_arrays_are_refused() {
    let fixture = serve();
    let (mut client, socket) = fixture.joined();
    let options = EmitOptions::default();
    for name in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ] {
        let errors = [
            socket.emit(name, "", &[], &options).unwrap_err(),
            socket
                .emit_array(&format!("[\"{name}\"]"), &[], &options)
                .unwrap_err(),
            fixture.io.of("/").emit(name, "", &[]).unwrap_err(),
            fixture
                .io
                .of("/")
                .all()
                .emit_with_ack(name, "", &[], 1)
                .unwrap_err(),
        ];
        assert!(
            errors
                .iter()
                .all(|error| error.code() == ErrorCode::InvalidArgument)
        );
    }
    for array in ["", "{}", "[]", "[1]", "\"a\""] {
        assert!(socket.emit_array(array, &[], &options).is_err());
        assert!(fixture.io.of("/").all().emit_array(array, &[]).is_err());
    }
    client.gets_nothing_more(&fixture, &socket);
}

#[test]
fn numbers_stand_for_sockets_namespaces_and_servers() {
    use sockline::io::{Namespace, Server, Socket};
    let fixture = serve();
    let (client, socket) = fixture.joined();
    let namespace = socket.namespace().clone();
    let numbers = [socket.raw(), namespace.raw(), fixture.io.raw()];
    assert!(numbers.iter().all(|number| *number > 0 && *number < 1 << 53));
    assert_eq!(Socket::from_raw(numbers[0]).unwrap(), socket);
    assert_eq!(Namespace::from_raw(numbers[1]).unwrap(), namespace);
    assert_eq!(Server::from_raw(numbers[2]).unwrap(), fixture.io);
    assert_eq!(namespace.server().unwrap(), fixture.io);
    assert_eq!(
        Socket::from_raw(numbers[1]).unwrap_err().code(),
        ErrorCode::Closed
    );
    assert_eq!(
        Socket::from_raw(1 << 60).unwrap_err().code(),
        ErrorCode::WrongHandle
    );
    drop(client);
    fixture.hears(&["connecting / {}", "connection /"]);
    fixture.next();
    fixture.hears(&["disconnect / transport close"]);
    fixture.settle();
    assert!(Socket::from_raw(numbers[0]).is_ok(), "somebody holds it");
    drop(socket);
    assert_eq!(
        Socket::from_raw(numbers[0]).unwrap_err().code(),
        ErrorCode::Closed
    );
}

#[test]
fn who_asked_to_hears_what_broadcasts_send_it() {
    let fixture = serve();
    let (mut client, socket) = fixture.joined();
    fixture.skip();
    fixture.io.of("/").emit("a", "1", &[]).unwrap();
    socket.hear_outgoing(true);
    fixture.io.of("/").emit("b", "2", &[]).unwrap();
    fixture.hears(&["outgoing [\"b\",2]"]);
    socket.hear_outgoing(false);
    fixture.io.of("/").emit("c", "3", &[]).unwrap();
    fixture.hears_nothing_more();
    client.gets(&["42[\"a\",1]", "42[\"b\",2]", "42[\"c\",3]"]);
}
