//! How long managers and sockets live, and their numbers.

use std::sync::Arc;
use std::time::Duration;

use sockline::io::{ClientSocket, EmitOptions, Manager, ManagerState};
use sockline::{ClientOptions, ErrorCode, Loop, connect};

use crate::scene::{Scene, hear, say, token};
use crate::support::{Host, frame, recorder};

#[test]
fn a_connection_keeps_its_manager_and_its_end_lets_it_go() {
    let scene = Scene::websocket();
    let (socket, mut peer) = scene.on_websocket();
    let (manager_number, number) = (scene.manager.raw(), socket.raw());
    let Scene { manager, ear, .. } = &scene;
    let (weak, count) = (Arc::downgrade(ear), Arc::strong_count(ear));
    assert!(count > 1);
    assert_eq!(manager.state(), ManagerState::Open);
    drop(socket);
    let scene = scene.without_manager();
    say(&mut peer, r#"42["still there"]"#);
    scene.hears(&["still there "]);
    let socket = ClientSocket::from_raw(number).unwrap();
    assert_eq!(socket.io().raw(), manager_number);
    socket.disconnect();
    scene.hears(&["close forced close", "disconnect io client disconnect"]);
    drop(socket);
    assert_eq!(hear(&mut peer), "41");
    // The closing handshake, then nothing keeps it.
    assert_eq!(peer.read_frame().0, 0x88);
    drop(peer);
    scene.forgets(&weak);
    assert_eq!(
        ClientSocket::from_raw(number).unwrap_err().code(),
        ErrorCode::Closed
    );
    assert_eq!(
        Manager::from_raw(manager_number).unwrap_err().code(),
        ErrorCode::Closed
    );
}

#[test]
fn numbers_stand_for_one_thing_only() {
    let scene = Scene::websocket();
    let socket = scene.socket("/");
    for number in [socket.raw(), scene.manager.raw()] {
        assert!(number > 0 && number < 1 << 53);
    }
    assert_eq!(ClientSocket::from_raw(socket.raw()).unwrap(), socket);
    assert_eq!(Manager::from_raw(scene.manager.raw()).unwrap(), scene.manager);
    assert!(ClientSocket::from_raw(scene.manager.raw()).is_err());
    assert!(Manager::from_raw(socket.raw()).is_err());
    for never in [0, u64::MAX, 1 << 53] {
        assert_eq!(
            Manager::from_raw(never).unwrap_err().code(),
            ErrorCode::WrongHandle
        );
        assert_eq!(
            ClientSocket::from_raw(never).unwrap_err().code(),
            ErrorCode::WrongHandle
        );
    }
}

#[test]
fn who_keeps_a_number_keeps_the_object() {
    let scene = Scene::websocket();
    let socket = scene
        .manager
        .socket("/", Default::default(), scene.ear.clone())
        .unwrap();
    let number = socket.raw();
    socket.keep();
    socket.keep();
    drop(socket);
    ClientSocket::from_raw(number).unwrap().release();
    let socket = ClientSocket::from_raw(number).unwrap();
    socket.release();
    socket.release();
    drop(socket);
    assert!(ClientSocket::from_raw(number).is_ok(), "the manager has it");
    let weak = Arc::downgrade(&scene.ear);
    scene.without_manager().forgets(&weak);
    assert_eq!(
        ClientSocket::from_raw(number).unwrap_err().code(),
        ErrorCode::Closed
    );
}

#[test]
fn the_end_of_the_loop_settles_everything() {
    for connects in [false, true] {
        let scene = Scene::websocket();
        let (socket, mut peer) = scene.on_websocket();
        let _ = socket.emit("sent", "", &[], &token(1)).unwrap();
        hear(&mut peer);
        let other = scene
            .manager
            .socket("/other", Default::default(), scene.ear.clone())
            .unwrap();
        if connects {
            other.connect().unwrap();
            assert_eq!(hear(&mut peer), "40/other,");
        }
        let _ = other.emit("waits", "", &[], &token(2)).unwrap();
        let weak = Arc::downgrade(&scene.ear);
        let scene = scene.without_loop();
        let words = scene.all_words();
        for word in [
            "ack 1 disconnected",
            "ack 2 disconnected",
            "disconnect transport close",
        ] {
            assert!(words.contains(&word.to_owned()), "{words:?}");
        }
        assert_eq!(socket.connect().unwrap_err().code(), ErrorCode::Closed);
        let sent = socket.emit("a", "", &[], &EmitOptions::default());
        assert_eq!(sent.unwrap_err().code(), ErrorCode::Closed);
        drop((socket, other));
        scene.without_manager().forgets(&weak);
    }
}

/// A client that waits for long before it comes back.
fn patient() -> Scene {
    Scene::with(
        |options| {
            options.transports = vec![sockline::io::Transport::WebSocket];
            options.reconnection.delay = Duration::from_secs(1000);
            options.reconnection.delay_max = Duration::from_secs(1000);
        },
        |_, _| {},
    )
}

#[test]
fn a_loop_that_ends_while_a_client_waits_lets_it_go() {
    let scene = patient();
    let (socket, peer) = scene.on_websocket();
    drop(peer);
    scene.hears(&["close transport close", "disconnect transport close"]);
    let weak = Arc::downgrade(&scene.ear);
    drop(socket);
    let scene = scene.without_manager();
    assert!(weak.strong_count() > 1, "it means to come back");
    scene.without_loop().forgets(&weak);
}

#[test]
fn a_loop_that_shuts_down_is_not_come_back_on() {
    let scene = patient();
    let (socket, mut peer) = scene.on_websocket();
    // Somebody else's connection, which holds the loop's end up.
    let host = Host::new();
    let (handler, others) = recorder();
    let mut options = ClientOptions::default();
    options.settings.close_timeout = Duration::from_secs(100);
    connect(Some(&scene.on_loop), &host.url(), options, Some(handler)).unwrap();
    let mut other = host.accept_websocket(b"");
    others.open();
    let weak = Arc::downgrade(&scene.ear);
    drop(socket);
    let on_loop = Arc::new(std::sync::Mutex::new(None::<Loop>));
    let scene = scene.give_loop(&on_loop).without_manager();
    let ending = on_loop.lock().unwrap().take().unwrap();
    let ending = std::thread::spawn(move || ending.shutdown(Duration::from_secs(100)));
    assert_eq!(peer.read_frame().0, 0x88);
    peer.send(&frame(0x88, &[]));
    drop(peer);
    // It would be kept for as long as the loop lives, if it meant to come back.
    scene.forgets(&weak);
    assert_eq!(other.read_frame().0, 0x88);
    other.send(&frame(0x88, &[]));
    drop(other);
    ending.join().unwrap();
}

#[test]
fn without_its_loop_nothing_is_taken() {
    let scene = Scene::websocket();
    let socket = scene
        .manager
        .socket("/", Default::default(), scene.ear.clone())
        .unwrap();
    let rest = scene.without_loop();
    let sent = socket.emit("a", "", &[], &token(1));
    assert_eq!(sent.unwrap_err().code(), ErrorCode::Closed);
    assert_eq!(socket.connect().unwrap_err().code(), ErrorCode::Closed);
    assert_eq!(rest.all_words(), [""; 0]);
}

#[test]
fn a_handler_may_end_its_own_loop() {
    let on_loop = Arc::new(std::sync::Mutex::new(None::<Loop>));
    let inner = on_loop.clone();
    let scene = Scene::with(
        |options| options.transports = vec![sockline::io::Transport::WebSocket],
        move |_, word| {
            if word == "stop " {
                drop(inner.lock().unwrap().take());
            }
        },
    );
    let (_socket, mut peer) = scene.on_websocket();
    let scene = scene.give_loop(&on_loop);
    say(&mut peer, r#"42["stop"]"#);
    scene.hears(&["stop ", "close transport close", "disconnect transport close"]);
}
