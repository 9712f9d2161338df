//! What may wait, and who is told to.

use sockline::io::EmitOptions;
use sockline::{ErrorCode, Sent};

use crate::scene::{Scene, hear, say};
use crate::support::frame;

#[test]
fn what_waits_for_a_connection_is_bounded() {
    let scene = Scene::with(|options| options.send_buffer = 100, |_, _| {});
    let socket = scene
        .manager
        .socket("/", Default::default(), scene.ear.clone())
        .unwrap();
    let text = format!("\"{}\"", "x".repeat(50));
    let _ = socket.emit("a", &text, &[], &EmitOptions::default()).unwrap();
    assert_eq!(scene.manager.buffered_amount(), 58);
    let error = socket.emit("a", &text, &[], &EmitOptions::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::OutboxFull);
    socket.clear_send_buffer();
    let _ = socket.emit("a", &text, &[], &EmitOptions::default()).unwrap();
}

#[test]
fn a_slow_server_has_the_sender_wait_and_says_when_to_go_on() {
    let scene = Scene::with(
        |options| {
            options.transports = vec![sockline::io::Transport::WebSocket];
            options.client.settings.high_water_mark = 1 << 20;
            options.client.settings.hard_limit = 4 << 20;
        },
        |_, _| {},
    );
    let (socket, mut peer) = scene.on_websocket();
    let text = format!("\"{}\"", "x".repeat(100_000));
    let volatile = EmitOptions {
        volatile: true,
        ..EmitOptions::default()
    };
    let (mut sent, mut has_waited) = (Vec::new(), false);
    let mut emit = |name: &str, options: &EmitOptions| {
        let how = socket.emit(name, &text, &[], options)?;
        has_waited |= how == Sent::OverMark;
        if how != Sent::Dropped {
            sent.push(format!(r#"42["{name}",{text}]"#));
        }
        Ok::<_, sockline::Error>(())
    };
    let error = loop {
        let error = loop {
            if let Err(error) = emit("a", &EmitOptions::default()) {
                break error;
            }
        };
        assert_eq!(error.code(), ErrorCode::OutboxFull);
        // There is room again if the system takes more just now: not for ever, as nobody reads.
        if let Err(error) = emit("v", &volatile) {
            break error;
        }
    };
    assert_eq!(error.code(), ErrorCode::OutboxFull);
    assert!(has_waited);
    for event in sent {
        assert!(hear(&mut peer) == event);
    }
    scene.hears(&["drain"]);
    assert_eq!(
        socket.emit("a", "1", &[], &EmitOptions::default()).unwrap(),
        Sent::Queued
    );
    assert_eq!(hear(&mut peer), r#"42["a",1]"#);
}

#[test]
fn pongs_do_not_pile_up_for_a_server_that_reads_nothing() {
    const PINGS: usize = 10_000;
    let scene = Scene::with(
        |options| {
            options.transports = vec![sockline::io::Transport::WebSocket];
            options.client.settings.hard_limit = 64 << 20;
        },
        |_, _| {},
    );
    let (socket, mut peer) = scene.on_websocket();
    let text = format!("\"{}\"", "x".repeat(1 << 20));
    while scene.manager.buffered_amount() < 32 << 20 {
        let _ = socket.emit("a", &text, &[], &EmitOptions::default()).unwrap();
    }
    let pinged = |times: usize| {
        let mut left = times;
        while left > 0 {
            left -= usize::from(scene.next() == "ping"); // there may be drains before
        }
    };
    for _ in 0..2 {
        // All events are counted by the turn of the loop after the one in which the first ping may have come.
        say(&mut peer, "2");
        pinged(1);
    }
    // More than the system takes for a peer that doesn't read.
    let before = scene.manager.buffered_amount();
    peer.send(&frame(0x81, b"2").repeat(PINGS));
    pinged(PINGS);
    let after = scene.manager.buffered_amount();
    assert!(after < before + 100, "{before} and then {after}");
    while hear(&mut peer) != "3" {}
    // Answered again, by one each; the last event may have come behind the pong before.
    say(&mut peer, "2");
    while hear(&mut peer) != "3" {}
    for _ in 0..3 {
        say(&mut peer, "2");
        assert_eq!(hear(&mut peer), "3");
    }
}

#[test]
fn polling_has_the_sender_wait_too() {
    let scene = Scene::with(
        |options| {
            options.client.settings.high_water_mark = 100;
            options.client.settings.hard_limit = 200;
        },
        |_, _| {},
    );
    let (socket, _get) = scene.polling();
    let emit = || {
        socket.emit(
            "a",
            &format!("\"{}\"", "x".repeat(60)),
            &[],
            &EmitOptions::default(),
        )
    };
    assert_eq!(emit().unwrap(), Sent::Queued);
    let post = scene.server.post();
    assert_eq!(emit().unwrap(), Sent::Queued);
    assert_eq!(emit().unwrap(), Sent::OverMark);
    assert_eq!(emit().unwrap(), Sent::OverMark);
    assert_eq!(emit().unwrap_err().code(), ErrorCode::OutboxFull);
    post.answer("ok");
    scene.hears(&["drain"]);
    scene.server.post().answer("ok");
    assert_eq!(emit().unwrap(), Sent::Queued);
}

#[test]
fn more_attachments_than_allowed_end_the_connection() {
    let scene = Scene::with(
        |options| {
            options.transports = vec![sockline::io::Transport::WebSocket];
            options.max_attachments = 1;
        },
        |_, _| {},
    );
    let (_socket, mut peer) = scene.on_websocket();
    say(&mut peer, r#"451-["a",{"_placeholder":true,"num":0}]"#);
    peer.send(&frame(0x82, b"x"));
    scene.hears(&[r#"a {"_placeholder":true,"num":0} [b"x"]"#]);
    say(&mut peer, r#"452-["a",{"_placeholder":true,"num":0}]"#);
    scene.hears(&["close parse error", "disconnect parse error"]);
}

#[test]
fn a_message_over_the_limit_ends_the_connection() {
    let scene = Scene::with(
        |options| {
            options.transports = vec![sockline::io::Transport::WebSocket];
            options.client.settings.max_message = 1000;
        },
        |_, _| {},
    );
    let (_socket, mut peer) = scene.on_websocket();
    say(&mut peer, &format!("42[\"{}\"]", "x".repeat(1000)));
    scene.hears(&[
        "error Protocol",
        "close transport error",
        "disconnect transport error",
    ]);
}
