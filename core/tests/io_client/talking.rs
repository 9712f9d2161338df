//! Namespaces, auth, acknowledgements, and calls from all threads.

use std::thread;
use std::time::Duration;

use sockline::io::{Auth, ClientAck, ClientSocket, EmitOptions, SocketOptions};
use sockline::{ErrorCode, Sent};

use crate::scene::{Scene, hear, say, token};

#[test]
fn namespaces_are_sockets_of_their_own() {
    let scene = Scene::websocket();
    let (_socket, mut peer) = scene.on_websocket();
    let options = SocketOptions {
        auth: Auth::Json(r#"{"a":1}"#.to_owned()),
        user_data: 77,
        ..SocketOptions::default()
    };
    let admin = scene.socket_with("admin", options);
    assert_eq!((admin.namespace(), admin.user_data()), ("/admin", 77));
    assert_eq!(hear(&mut peer), r#"40/admin,{"a":1}"#);
    say(&mut peer, r#"40/admin,{"sid":"other"}"#);
    scene.hears(&["connect other"]);
    assert_eq!(admin.io(), scene.manager);
    let _ = admin.emit("x", "", &[], &EmitOptions::default()).unwrap();
    assert_eq!(hear(&mut peer), r#"42/admin,["x"]"#);
    let again = scene
        .manager
        .socket("/admin", SocketOptions::default(), scene.ear.clone());
    assert_eq!(again.unwrap(), admin);
    let refused = scene.socket("/refused");
    assert_eq!(hear(&mut peer), "40/refused,");
    say(&mut peer, r#"44/refused,{"message":"not you","data":{"code":7}}"#);
    scene.hears(&[r#"connect_error not you {"code":7}"#]);
    assert!(!refused.active());
    assert!(admin.active() && admin.connected());
}

#[test]
fn auth_can_be_answered_later_by_any_thread() {
    let scene = Scene::websocket();
    let _socket = scene.socket_with("/", Scene::asking());
    let (_, mut peer) = scene.server.websocket();
    say(&mut peer, crate::scene::HANDSHAKE);
    scene.hears(&["open", "who"]);
    let question = scene.ear.questions.lock().unwrap().pop().unwrap();
    let number = question.into_raw();
    assert!(number > 0 && number < 1 << 53);
    assert_eq!(
        ClientAck::from_raw(number).unwrap_err().code(),
        ErrorCode::WrongHandle
    );
    let question = sockline::io::AuthQuestion::from_raw(number).unwrap();
    let again = sockline::io::AuthQuestion::from_raw(number);
    assert_eq!(again.unwrap_err().code(), ErrorCode::AlreadyAnswered);
    thread::spawn(move || question.answer(r#"{"token":"fresh"}"#).unwrap());
    assert_eq!(hear(&mut peer), r#"40{"token":"fresh"}"#);
}

#[test]
fn a_question_that_is_dropped_or_answered_wrongly_sends_no_payload() {
    for answer in [None, Some(""), Some("[1]"), Some("{")] {
        let scene = Scene::websocket();
        let _socket = scene.socket_with("/", Scene::asking());
        let (_, mut peer) = scene.server.websocket();
        say(&mut peer, crate::scene::HANDSHAKE);
        scene.hears(&["open", "who"]);
        let question = scene.ear.questions.lock().unwrap().pop().unwrap();
        let is_fine = answer.map(|answer| question.answer(answer).is_ok());
        assert_eq!(is_fine, answer.map(str::is_empty));
        assert_eq!(hear(&mut peer), "40");
    }
}

#[test]
fn answers_can_be_given_later_by_number_and_once() {
    let scene = Scene::websocket();
    let (_socket, mut peer) = scene.on_websocket();
    for text in [r#"423["ask"]"#, r#"424["ask"]"#, r#"425["ask"]"#] {
        say(&mut peer, text);
        scene.hears(&["ask  ?"]);
    }
    let mut acks = std::mem::take(&mut *scene.ear.acks.lock().unwrap());
    let (third, second, first) = (acks.pop().unwrap(), acks.pop().unwrap(), acks.pop().unwrap());
    let number = second.into_raw();
    let error = first.send("not json", &[]).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    thread::spawn(move || {
        let ack = ClientAck::from_raw(number).unwrap();
        ack.send("1,{\"_placeholder\":true,\"num\":0}", &[b"x"]).unwrap()
    });
    assert_eq!(hear(&mut peer), r#"461-4[1,{"_placeholder":true,"num":0}]"#);
    assert_eq!(peer.read_frame(), (0x82, b"x".to_vec()));
    assert_eq!(
        ClientAck::from_raw(number).unwrap_err().code(),
        ErrorCode::AlreadyAnswered
    );
    // The connection ends: its answers are nobody's.
    let number = third.into_raw();
    drop(peer);
    scene.hears(&["close transport close", "disconnect transport close"]);
    assert_eq!(
        ClientAck::from_raw(number).unwrap_err().code(),
        ErrorCode::AlreadyAnswered
    );
}

#[test]
fn an_answer_never_goes_over_another_connection() {
    let scene = Scene::websocket();
    let (_socket, mut peer) = scene.on_websocket();
    say(&mut peer, r#"423["ask"]"#);
    scene.hears(&["ask  ?"]);
    drop(peer);
    scene.hears(&["close transport close", "disconnect transport close", "attempt 1"]);
    let _peer = scene.accept();
    scene.hears(&["open", "reconnect 1", "connect id"]);
    let ack = scene.ear.acks.lock().unwrap().pop().unwrap();
    assert_eq!(ack.send("1", &[]).unwrap_err().code(), ErrorCode::Closed);
}

#[test]
fn what_can_not_be_sent_is_refused() {
    let scene = Scene::websocket();
    let socket = scene
        .manager
        .socket("/", SocketOptions::default(), scene.ear.clone())
        .unwrap();
    let code = |result: sockline::Result<Sent>| result.unwrap_err().code();
    let options = EmitOptions::default();
    for name in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ] {
        assert_eq!(
            code(socket.emit(name, "", &[], &options)),
            ErrorCode::InvalidArgument
        );
        let array = format!("[\"{name}\"]");
        assert_eq!(
            code(socket.emit_array(&array, &[], &options)),
            ErrorCode::InvalidArgument
        );
    }
    for args in ["x", "1,", "]", "1],[2", "\"", "{"] {
        assert_eq!(
            code(socket.emit("a", args, &[], &options)),
            ErrorCode::InvalidArgument,
            "{args}"
        );
    }
    for array in ["", "[]", "{}", "[null]", "[\"a\"", "[\"a\"] x"] {
        assert_eq!(
            code(socket.emit_array(array, &[], &options)),
            ErrorCode::InvalidArgument,
            "{array}"
        );
    }
    let bad = scene
        .manager
        .socket("/a,b", SocketOptions::default(), scene.ear.clone());
    assert_eq!(bad.unwrap_err().code(), ErrorCode::InvalidArgument);
    assert_eq!(
        socket.set_auth(Auth::Json("[]".to_owned())).unwrap_err().code(),
        ErrorCode::InvalidArgument
    );
}

#[test]
fn threads_send_at_the_same_time_and_every_ack_comes_once() {
    const THREADS: u64 = 4;
    const EACH: u64 = 200;
    let scene = Scene::websocket();
    let (socket, mut peer) = scene.on_websocket();
    let echo = thread::spawn(move || {
        for _ in 0..THREADS * EACH {
            let text = hear(&mut peer);
            let (id, array) = text.strip_prefix("42").unwrap().split_once('[').unwrap();
            let args = array.strip_prefix("\"n\",").unwrap();
            say(&mut peer, &format!("43{id}[{args}"));
        }
        peer
    });
    thread::scope(|scope| {
        for worker in 0..THREADS {
            let socket = &socket;
            scope.spawn(move || {
                for number in worker * EACH..(worker + 1) * EACH {
                    let _ = socket
                        .emit("n", &number.to_string(), &[], &token(number))
                        .unwrap();
                }
            });
        }
    });
    let mut heard: Vec<String> = (0..THREADS * EACH).map(|_| scene.next()).collect();
    heard.sort_unstable();
    let mut expected: Vec<String> = (0..THREADS * EACH).map(|n| format!("ack {n} {n}")).collect();
    expected.sort_unstable();
    assert_eq!(heard, expected);
    let _peer = echo.join().unwrap();
}

#[test]
fn a_handler_may_call_anything() {
    let scene = Scene::with(
        |options| options.transports = vec![sockline::io::Transport::WebSocket],
        |socket: &ClientSocket, word: &str| match word {
            "connect id" => {
                assert!(socket.connected() && socket.active());
                let _ = socket.emit("from connect", "", &[], &token(1)).unwrap();
            }
            "ack 1 " => {
                let _ = socket.emit("from ack", "", &[], &EmitOptions::default()).unwrap();
                socket.disconnect();
                assert!(!socket.connected());
            }
            "disconnect io client disconnect" => socket.connect().unwrap(),
            _ => {}
        },
    );
    let (_socket, mut peer) = scene.on_websocket();
    assert_eq!(hear(&mut peer), r#"420["from connect"]"#);
    say(&mut peer, "430[]");
    assert_eq!(hear(&mut peer), r#"42["from ack"]"#);
    assert_eq!(hear(&mut peer), "41");
    scene.hears(&["ack 1 ", "close forced close", "disconnect io client disconnect"]);
    let _peer = scene.accept();
    scene.hears(&["open", "connect id"]);
}

#[test]
fn acknowledgements_time_out() {
    let scene = Scene::websocket();
    let (socket, _peer) = scene.on_websocket();
    let options = EmitOptions {
        timeout: Some(Duration::from_millis(5)),
        ..token(3)
    };
    let _ = socket.emit("a", "", &[], &options).unwrap();
    scene.hears(&["ack 3 timeout"]);
}
