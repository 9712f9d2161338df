//! Losses, coming back, and what is kept meanwhile.

use std::time::Duration;

use sockline::Sent;
use sockline::io::{EmitOptions, Transport};

use crate::scene::{HANDSHAKE, Scene, hear, say, token};

#[test]
fn a_lost_websocket_is_made_again_and_auth_is_asked_anew() {
    let scene = Scene::websocket();
    let socket = scene.socket_with("/", Scene::asking());
    for round in 0..3 {
        let (_, mut peer) = scene.server.websocket();
        say(&mut peer, HANDSHAKE);
        assert_eq!(scene.next(), "open");
        assert_eq!(scene.next(), "who");
        if round > 0 {
            assert_eq!(scene.next(), "reconnect 1");
        }
        let question = scene.ear.questions.lock().unwrap().pop().unwrap();
        question.answer(&format!("{{\"round\":{round}}}")).unwrap();
        assert_eq!(hear(&mut peer), format!("40{{\"round\":{round}}}"));
        say(&mut peer, r#"40{"sid":"id"}"#);
        scene.hears(&["connect id"]);
        drop(peer);
        scene.hears(&["close transport close", "disconnect transport close", "attempt 1"]);
        assert!(socket.active() && !socket.connected());
    }
}

#[test]
fn a_socket_that_was_never_taken_in_hears_of_the_connections_end() {
    let scene = Scene::with(
        |options| {
            options.transports = vec![Transport::WebSocket];
            options.reconnection.enabled = false;
        },
        |_, _| {},
    );
    let socket = scene.socket("/");
    let (_, mut peer) = scene.server.websocket();
    say(&mut peer, HANDSHAKE);
    assert_eq!(hear(&mut peer), "40");
    drop(peer);
    scene.hears(&["open", "close transport close", "disconnect transport close"]);
    assert!(socket.active() && !socket.connected());
}

#[test]
fn events_wait_for_the_next_connection_and_sent_ones_are_settled() {
    let scene = Scene::websocket();
    let (socket, mut peer) = scene.on_websocket();
    let _ = socket.emit("sent", "", &[], &token(1)).unwrap();
    hear(&mut peer);
    drop(peer);
    scene.hears(&[
        "close transport close",
        "disconnect transport close",
        "ack 1 disconnected",
        "attempt 1",
    ]);
    let (_, mut peer) = scene.server.websocket();
    let sent = socket.emit("kept", "2", &[], &token(2)).unwrap();
    assert_eq!((sent, socket.send_buffer_len()), (Sent::Queued, 1));
    let volatile = EmitOptions {
        volatile: true,
        ..EmitOptions::default()
    };
    assert_eq!(socket.emit("dropped", "", &[], &volatile).unwrap(), Sent::Dropped);
    say(&mut peer, HANDSHAKE);
    assert_eq!(hear(&mut peer), "40");
    say(&mut peer, r#"40{"sid":"id2"}"#);
    assert_eq!(hear(&mut peer), r#"421["kept",2]"#);
    say(&mut peer, "431[3]");
    scene.hears(&["open", "reconnect 1", "connect id2", "ack 2 3"]);
}

#[test]
fn a_connection_that_is_closed_as_if_lost_is_made_again() {
    let scene = Scene::websocket();
    let (socket, _peer) = scene.on_websocket();
    socket.io().close_connection();
    scene.hears(&["close forced close", "disconnect forced close", "attempt 1"]);
    assert!(socket.active() && !socket.connected());
    let (_, mut peer) = scene.server.websocket();
    say(&mut peer, HANDSHAKE);
    assert_eq!(hear(&mut peer), "40");
    say(&mut peer, r#"40{"sid":"id2"}"#);
    scene.hears(&["open", "reconnect 1", "connect id2"]);
}

#[test]
fn a_recovered_session_says_so() {
    let scene = Scene::websocket();
    let socket = scene.socket("/");
    let (_, mut peer) = scene.server.websocket();
    say(&mut peer, HANDSHAKE);
    assert_eq!(hear(&mut peer), "40");
    say(&mut peer, r#"40{"sid":"id","pid":"secret"}"#);
    say(&mut peer, r#"42["e","offset"]"#);
    scene.hears(&["open", "connect id", r#"e "offset""#]);
    assert!(!socket.recovered());
    drop(peer);
    scene.hears(&["close transport close", "disconnect transport close", "attempt 1"]);
    let (_, mut peer) = scene.server.websocket();
    say(&mut peer, HANDSHAKE);
    assert_eq!(hear(&mut peer), r#"40{"pid":"secret","offset":"offset"}"#);
    say(&mut peer, r#"42["missed","later"]"#);
    say(&mut peer, r#"40{"sid":"id","pid":"secret"}"#);
    scene.hears(&["open", "reconnect 1", r#"missed "later""#, "connect id"]);
    assert!(socket.recovered());
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let scene = Scene::websocket();
    let _socket = scene.socket("/");
    let (_, mut peer) = scene.server.websocket();
    say(
        &mut peer,
        r#"0{"sid":"abc","upgrades":[],"pingInterval":20,"pingTimeout":20}"#,
    );
    assert_eq!(hear(&mut peer), "40");
    say(&mut peer, r#"40{"sid":"id"}"#);
    scene.hears(&[
        "open",
        "connect id",
        "close ping timeout",
        "disconnect ping timeout",
        "attempt 1",
    ]);
    assert_eq!(peer.read_frame().0, 0x88);
}

#[test]
fn what_is_no_packet_ends_the_connection() {
    for text in ["4x", r#"42["connect"]"#, "42{}", "451-[\"a\"]4", "x"] {
        let scene = Scene::websocket();
        let (_socket, mut peer) = scene.on_websocket();
        say(&mut peer, text);
        if text == "x" {
            scene.hears(&[
                "error Protocol",
                "close transport error",
                "disconnect transport error",
                "attempt 1",
            ]);
        } else {
            scene.hears(&["close parse error", "disconnect parse error", "attempt 1"]);
        }
        let _peer = scene.accept();
        scene.hears(&["open", "reconnect 1", "connect id"]);
    }
}

#[test]
fn a_refusal_says_what_the_server_said() {
    let scene = Scene::with(|options| options.reconnection.enabled = false, |_, _| {});
    let _socket = scene.socket("/");
    let get = scene.server.get();
    get.answer_with(
        "400 Bad Request",
        "",
        r#"{"code":5,"message":"Unsupported protocol version"}"#,
    );
    scene.hears(&["error Refused", "connect_error xhr poll error"]);
    let error = scene.ear.errors.lock().unwrap().pop().unwrap();
    assert_eq!(error.http_status(), Some(400));
    assert!(error.text().contains("Unsupported protocol version"), "{error}");
    assert!(scene.server.is_quiet());
}

#[test]
fn a_session_that_the_server_has_forgotten_begins_anew() {
    let scene = Scene::new();
    let (_socket, get) = scene.polling();
    get.answer_with(
        "400 Bad Request",
        "",
        r#"{"code":1,"message":"Session ID unknown"}"#,
    );
    scene.hears(&[
        "error Refused",
        "close transport error",
        "disconnect transport error",
        "attempt 1",
    ]);
    let get = scene.server.get();
    assert_eq!(get.query("sid"), None);
    get.answer(HANDSHAKE);
    scene.hears(&["open", "reconnect 1"]);
}

#[test]
fn a_server_that_is_not_there_is_tried_again_and_given_up() {
    let nobody = crate::support::Nobody::new();
    let on_loop = crate::support::started();
    let scene = Scene::new();
    let options = sockline::io::ManagerOptions {
        reconnection: sockline::io::Reconnection {
            attempts: Some(1),
            delay: Duration::from_millis(1),
            ..Default::default()
        },
        transports: vec![Transport::WebSocket],
        ..Default::default()
    };
    let url = format!("http://127.0.0.1:{}/", nobody.port());
    let manager = sockline::io::Manager::new(Some(&on_loop), &url, options, Some(scene.ear.clone())).unwrap();
    let socket = manager
        .socket("/", Default::default(), scene.ear.clone())
        .unwrap();
    let failed = ["error ConnectFailed", "connect_error websocket error"];
    scene.hears(&failed);
    scene.hears(&["attempt 1"]);
    scene.hears(&failed);
    scene.hears(&["reconnect_failed", "reconnect_error"]);
    assert!(socket.active());
}

#[test]
fn an_attempt_takes_no_longer_than_it_may() {
    let scene = Scene::with(
        |options| {
            options.timeout = Some(Duration::from_millis(20));
            options.reconnection.enabled = false;
        },
        |_, _| {},
    );
    let _socket = scene.socket("/");
    // Nobody answers; whether the request has come by then is not said.
    scene.hears(&["error HandshakeTimeout", "connect_error timeout"]);
}
