//! Polling, WebSockets, and the way from one to the other, as they look on the wire.

use std::time::Duration;

use sockline::ErrorCode;
use sockline::io::{Data, EmitOptions, Transport};

use crate::scene::{HANDSHAKE, Scene, UPGRADABLE, hear, say, token};
use crate::support::frame;

#[test]
fn polling_on_the_wire() {
    let scene = Scene::with(
        |options| {
            options.query = vec![("na me".to_owned(), "a&b=c".to_owned())];
            options.client.headers = vec![("X-Mine".to_owned(), "1".to_owned())];
        },
        |_, _| {},
    );
    let socket = scene.socket("/");
    let get = scene.server.get();
    assert!(
        get.target()
            .starts_with("/socket.io/?na%20me=a%26b%3Dc&EIO=4&transport=polling&t=")
    );
    assert_eq!(get.header("X-Mine"), Some("1"));
    assert_eq!(get.header("Accept"), Some("*/*"));
    assert_eq!(get.query("sid"), None);
    get.answer_with("200 OK", "Set-Cookie: sticky=7\r\n", HANDSHAKE);

    let (get, post) = scene.server.get_and_post();
    for request in [&get, &post] {
        assert_eq!(request.query("sid"), Some("abc"));
        assert_eq!(request.header("Cookie"), Some("sticky=7"));
    }
    assert_ne!(get.query("t"), post.query("t"));
    assert_eq!(post.header("Content-Type"), Some("text/plain;charset=UTF-8"));
    assert_eq!(post.body, "40");
    get.answer("40{\"sid\":\"id\"}\x1e42[\"hello\",1]\x1e2");
    scene.hears(&["open", "connect id", "hello 1", "ping"]);
    assert_eq!(scene.manager.transport(), Some(Transport::Polling));
    assert_eq!(scene.manager.engine_id().as_deref(), Some("abc"));

    // What is sent while a POST is under way goes together in the next.
    let _ = socket.emit("a", "1", &[], &EmitOptions::default()).unwrap();
    let _ = socket
        .emit("b", r#"{"_placeholder":true,"num":0}"#, &[&[1, 2, 3]], &token(5))
        .unwrap();
    let get = scene.server.get();
    post.answer("ok");
    let post = scene.server.post();
    assert_eq!(
        post.body,
        "3\x1e42[\"a\",1]\x1e451-0[\"b\",{\"_placeholder\":true,\"num\":0}]\x1ebAQID"
    );
    post.answer("ok");
    get.answer("430[true]");
    scene.hears(&["ack 5 true"]);

    socket.disconnect();
    scene.hears(&["close forced close", "disconnect io client disconnect"]);
    let (_get, post) = scene.server.get_and_post();
    assert_eq!(post.body, "41");
    post.answer("ok");
    let last = scene.server.post();
    assert_eq!(last.body, "1");
    last.answer("ok");
}

#[test]
fn what_the_handlers_of_one_payload_send_leaves_in_one_request() {
    let scene = Scene::with(
        |_| {},
        |socket, word| {
            if word == "ask " {
                let _ = socket.emit("tell", "", &[], &EmitOptions::default()).unwrap();
            }
        },
    );
    let (socket, get) = scene.polling();
    get.answer("42[\"ask\"]\x1e42[\"ask\"]\x1e42[\"ask\"]");
    let (get, post) = scene.server.get_and_post();
    assert_eq!(post.body, "42[\"tell\"]\x1e42[\"tell\"]\x1e42[\"tell\"]");
    post.answer("ok");
    scene.hears(&["ask ", "ask ", "ask "]);
    // Outside of handlers nothing waits.
    let _ = socket.emit("now", "", &[], &EmitOptions::default()).unwrap();
    assert_eq!(scene.server.post().body, "42[\"now\"]");
    drop(get);
}

#[test]
fn a_websocket_on_the_wire() {
    let scene = Scene::websocket();
    let (socket, mut peer) = scene.on_websocket();
    assert_eq!(scene.manager.transport(), Some(Transport::WebSocket));
    say(&mut peer, r#"42["text","é"]"#);
    say(&mut peer, "2");
    assert_eq!(hear(&mut peer), "3");
    say(&mut peer, r#"451-["data",{"_placeholder":true,"num":0}]"#);
    peer.send(&frame(0x82, &[7, 8]));
    scene.hears(&[
        r#"text "é""#,
        "ping",
        r#"data {"_placeholder":true,"num":0} [b"\x07\x08"]"#,
    ]);
    let _ = socket
        .emit(
            "up",
            r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#,
            &[b"x", b""],
            &token(9),
        )
        .unwrap();
    assert_eq!(
        hear(&mut peer),
        r#"452-0["up",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#
    );
    assert_eq!(peer.read_frame(), (0x82, b"x".to_vec()));
    assert_eq!(peer.read_frame(), (0x82, Vec::new()));
    say(&mut peer, r#"430["ok",2]"#);
    scene.hears(&[r#"ack 9 "ok",2"#]);
    socket.disconnect();
    assert_eq!(hear(&mut peer), "41");
    assert_eq!(peer.read_frame().0, 0x88);
    scene.hears(&["close forced close", "disconnect io client disconnect"]);
}

#[test]
fn the_request_for_a_websocket_says_what_polling_says() {
    let scene = Scene::with(
        |options| {
            options.transports = vec![Transport::WebSocket];
            options.path = "/a/b/".to_owned();
            options.add_trailing_slash = false;
            options.force_base64 = true;
            options.timestamp_requests = Some(true);
            options.timestamp_param = "stamp".to_owned();
            options.client.cookies = vec![("mine".to_owned(), "1".to_owned())];
            options.client.subprotocols = vec!["chat".to_owned()];
        },
        |_, _| {},
    );
    let socket = scene.socket("/");
    let (head, mut peer) = scene.server.websocket();
    assert!(
        head.starts_with("GET /a/b?EIO=4&transport=websocket&b64=1&stamp="),
        "{head}"
    );
    assert!(head.contains("\r\nCookie: mine=1\r\n"), "{head}");
    assert!(head.contains("\r\nSec-WebSocket-Protocol: chat\r\n"), "{head}");
    say(&mut peer, HANDSHAKE);
    assert_eq!(hear(&mut peer), "40");
    say(&mut peer, r#"40{"sid":"id"}"#);
    scene.hears(&["open", "connect id"]);
    let _ = socket
        .emit(
            "a",
            r#"{"_placeholder":true,"num":0}"#,
            &[&[1, 2, 3]],
            &EmitOptions::default(),
        )
        .unwrap();
    hear(&mut peer);
    assert_eq!(hear(&mut peer), "bAQID");
}

#[test]
fn the_upgrade_loses_nothing_and_keeps_the_order() {
    let scene = Scene::new();
    let socket = scene.socket("/");
    scene
        .server
        .get()
        .answer_with("200 OK", "Set-Cookie: sticky=7\r\n", UPGRADABLE);
    // The probe, the next poll and CONNECT come in any order.
    let (mut get, mut post, mut probe) = (None, None, None);
    while get.is_none() || post.is_none() || probe.is_none() {
        match scene.server.either() {
            Ok(request) if request.head.starts_with("GET") => get = Some(request),
            Ok(request) => post = Some(request),
            Err(websocket) => probe = Some(websocket),
        }
    }
    let (get, post, (head, mut peer)) = (get.unwrap(), post.unwrap(), probe.unwrap());
    assert!(head.contains("transport=websocket&sid=abc"), "{head}");
    assert!(head.contains("\r\nCookie: sticky=7\r\n"), "{head}");
    assert_eq!(hear(&mut peer), "2probe");
    post.answer("ok");
    get.answer(r#"40{"sid":"id"}"#);
    scene.hears(&["open", "connect id"]);
    let get = scene.server.get();
    let _ = socket.emit("first", "", &[], &EmitOptions::default()).unwrap();
    let post = scene.server.post();
    assert_eq!(post.body, "42[\"first\"]");
    say(&mut peer, "3probe");
    // Both requests are under way: what comes now waits for the WebSocket.
    get.answer(r#"42["last by polling"]"#);
    scene.hears(&["last by polling "]);
    let _ = socket.emit("second", "", &[], &EmitOptions::default()).unwrap();
    post.answer("ok");
    assert_eq!(hear(&mut peer), "5");
    assert_eq!(hear(&mut peer), "42[\"second\"]");
    scene.hears(&["upgrade"]);
    say(&mut peer, r#"42["by websocket"]"#);
    scene.hears(&["by websocket "]);
    assert_eq!(scene.manager.transport(), Some(Transport::WebSocket));
    assert!(scene.server.is_quiet());
}

#[test]
fn an_upgrade_that_is_refused_leaves_polling() {
    let scene = Scene::new();
    let _socket = scene.socket("/");
    scene.server.get().answer(UPGRADABLE);
    let (mut others, mut peer) = (Vec::new(), None);
    while others.len() < 2 || peer.is_none() {
        match scene.server.either() {
            Ok(request) => others.push(request),
            Err((_, websocket)) => peer = Some(websocket),
        }
    }
    drop(peer);
    scene.hears(&["open", "no upgrade"]);
    for request in others {
        let is_get = request.head.starts_with("GET");
        request.answer(if is_get { r#"40{"sid":"id"}"# } else { "ok" });
    }
    scene.hears(&["connect id"]);
    scene.server.get().answer(r#"42["still"]"#);
    scene.hears(&["still "]);
}

#[test]
fn a_request_of_polling_can_time_out() {
    let scene = Scene::with(
        |options| {
            options.request_timeout = Some(Duration::from_millis(20));
            options.reconnection.enabled = false;
        },
        |_, _| {},
    );
    let _socket = scene.socket("/");
    let _get = scene.server.get();
    scene.hears(&["error HandshakeTimeout", "connect_error xhr poll error"]);
}

#[test]
fn packets_are_told_while_somebody_wants_to_hear_of_them() {
    let scene = Scene::websocket();
    let (socket, mut peer) = scene.on_websocket();
    scene.manager.set_packet_events(true);
    say(&mut peer, r#"42["a",1]"#);
    scene.hears(&[r#"gets Message Text("2[\"a\",1]")"#, "a 1"]);
    say(&mut peer, "2");
    scene.hears(&[r#"gets Ping Text("")"#, r#"sends Pong Text("")"#, "ping"]);
    let array = r#"["b",{"_placeholder":true,"num":0}]"#;
    let _ = socket
        .emit_array(array, &[&[7]], &EmitOptions::default())
        .unwrap();
    scene.hears(&[
        &format!("sends Message Text({:?})", format!("51-{array}")),
        "sends Message Binary([7])",
    ]);
    let _ = socket.emit("c", "3", &[], &EmitOptions::default()).unwrap();
    scene.hears(&[r#"sends Message Text("2[\"c\",3]")"#]);
    scene.manager.set_packet_events(false);
    say(&mut peer, r#"42["a",1]"#);
    scene.hears(&["a 1"]);
}

#[test]
fn packets_on_polling_are_told_too() {
    let scene = Scene::new();
    scene.manager.set_packet_events(true);
    let _socket = scene.socket("/");
    scene.server.get().answer(HANDSHAKE);
    let (get, _post) = scene.server.get_and_post();
    scene.hears(&["open", r#"sends Message Text("0")"#]);
    get.answer("40{\"sid\":\"id\"}\x1e2");
    scene.hears(&[
        r#"gets Message Text("0{\"sid\":\"id\"}")"#,
        "connect id",
        r#"gets Ping Text("")"#,
    ]);
}

#[test]
fn messages_of_the_applications_pass_between_packets() {
    let scene = Scene::websocket();
    let error = scene.manager.send_message(Data::Text("early"), None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotOpen);
    let (socket, mut peer) = scene.on_websocket();
    let _ = scene.manager.send_message(Data::Text("own"), None).unwrap();
    let _ = socket.emit("c", "3", &[], &EmitOptions::default()).unwrap();
    let _ = scene
        .manager
        .send_message(Data::Binary(&[7]), Some(false))
        .unwrap();
    assert_eq!(hear(&mut peer), "4own");
    assert_eq!(hear(&mut peer), "42[\"c\",3]");
    assert_eq!(peer.read_frame(), (0x82, vec![7]));
}

#[test]
fn messages_of_the_applications_go_by_polling_too() {
    let scene = Scene::new();
    let (_socket, _get) = scene.polling();
    let _ = scene.manager.send_message(Data::Text("own"), None).unwrap();
    assert_eq!(scene.server.post().body, "4own");
}
