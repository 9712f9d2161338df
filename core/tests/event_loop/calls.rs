//! Calls with wrong arguments, in the wrong state, on dead handles, on handles of another kind.

use sockline::{
    Accept, ClientOptions, ErrorCode, MessageType, ReadyState, Refusal, Result, Server, WebSocket, connect,
};

use crate::support::{Host, barrier, pair, recorder, served, started};

#[track_caller]
fn fails<T: std::fmt::Debug>(result: Result<T>, code: ErrorCode) {
    assert_eq!(result.unwrap_err().code(), code);
}

#[track_caller]
fn is_dead(ws: WebSocket) {
    let (handler, _) = recorder();
    fails(ws.send_text("x"), ErrorCode::Closed);
    fails(ws.send_binary(b"x"), ErrorCode::Closed);
    fails(ws.ping(b""), ErrorCode::Closed);
    fails(ws.pong(b""), ErrorCode::Closed);
    fails(ws.close(Some(1000), ""), ErrorCode::Closed);
    fails(ws.terminate(), ErrorCode::Closed);
    fails(ws.pause(), ErrorCode::Closed);
    fails(ws.resume(), ErrorCode::Closed);
    fails(ws.set_handler(handler, 0), ErrorCode::Closed);
    fails(ws.accept(Accept::default()), ErrorCode::Closed);
    fails(ws.refuse(Refusal::new(404, "")), ErrorCode::Closed);
    assert_eq!(ws.ready_state(), ReadyState::Closed);
    assert_eq!(ws.buffered_amount(), 0);
    assert_eq!((ws.url(), ws.protocol(), ws.extensions()), Default::default());
    assert_eq!(
        (ws.remote_address(), ws.local_address(), ws.latency()),
        (None, None, None)
    );
}

#[test]
fn a_dead_handle_is_closed_and_never_more() {
    let pair = pair();
    pair.client.terminate().unwrap();
    pair.client_events.cut();
    pair.peer_events.cut();
    barrier(pair.server);
    is_dead(pair.client);
    is_dead(pair.peer);
    drop(pair.on_loop);
    is_dead(pair.client);
    fails(pair.server.broadcast(MessageType::Text, b""), ErrorCode::Closed);
    fails(pair.server.close(None, ""), ErrorCode::Closed);
    assert_eq!(pair.server.local_address(), None);
}

#[test]
fn a_stale_handle_does_not_reach_the_next_connection_in_its_place() {
    let (pair, host) = (pair(), Host::new());
    let mut all = vec![pair.client];
    for _ in 0..20 {
        let (handler, events) = recorder();
        let options = ClientOptions::default();
        let fresh = connect(Some(&pair.on_loop), &host.url(), options, Some(handler)).unwrap();
        let _peer = host.accept_websocket(b"");
        events.open();
        all[1..]
            .iter()
            .for_each(|old| fails(old.terminate(), ErrorCode::Closed));
        assert_eq!(fresh.ready_state(), ReadyState::Open);
        fresh.terminate().unwrap();
        events.cut();
        barrier(pair.server); // its slot is free now
        all.push(fresh);
    }
    let mut numbers: Vec<u64> = all.iter().map(|ws| ws.raw()).collect();
    assert!(numbers.iter().all(|raw| (1..1 << 53).contains(raw)));
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), all.len(), "a number is never given out twice");
    let slot = |ws: &WebSocket| ws.raw() >> 19;
    assert!(
        all[1..]
            .iter()
            .any(|ws| *ws != all[1] && slot(ws) == slot(&all[1])),
        "no slot was used again"
    );
}

#[test]
fn a_handle_of_another_kind_is_refused() {
    let pair = pair();
    fails(WebSocket::from_raw(pair.server.raw()), ErrorCode::WrongHandle);
    fails(Server::from_raw(pair.client.raw()), ErrorCode::WrongHandle);
    for nothing in [0, 1, u64::MAX] {
        fails(WebSocket::from_raw(nothing), ErrorCode::WrongHandle);
        fails(Server::from_raw(nothing), ErrorCode::WrongHandle);
    }
    assert_eq!(WebSocket::from_raw(pair.client.raw()), Ok(pair.client));
    assert_eq!(Server::from_raw(pair.server.raw()), Ok(pair.server));
}

#[test]
fn a_number_that_was_never_given_out_is_closed() {
    // Of the right kind, on the last of all loops, in its last slot.
    is_dead(WebSocket::from_raw((1 << 52) - 1).unwrap());
}

#[test]
fn nothing_can_be_sent_before_it_is_open_or_after_close() {
    let (on_loop, host) = (started(), Host::new());
    let (handler, events) = recorder();
    let ws = connect(
        Some(&on_loop),
        &host.url(),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    assert_eq!(ws.ready_state(), ReadyState::Connecting);
    fails(ws.send_text("early"), ErrorCode::NotOpen);
    let mut peer = host.accept_websocket(b"");
    events.open();
    ws.close(Some(1000), "").unwrap();
    assert_eq!(peer.read_frame().0, 0x88);
    assert_eq!(ws.ready_state(), ReadyState::Closing);
    fails(ws.send_text("late"), ErrorCode::NotOpen);
}

#[test]
fn arguments_are_checked_before_anything_is_queued() {
    let mut served = served();
    let ws = served.ws;
    fails(ws.send(MessageType::Text, b"\xff"), ErrorCode::InvalidUtf8);
    fails(
        served.server.broadcast(MessageType::Text, b"\xff"),
        ErrorCode::InvalidUtf8,
    );
    fails(ws.ping(&[0; 126]), ErrorCode::ControlTooLong);
    fails(ws.pong(&[0; 126]), ErrorCode::ControlTooLong);
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
        fails(ws.close(Some(code), ""), ErrorCode::InvalidCloseCode);
        fails(served.server.close(Some(code), ""), ErrorCode::InvalidCloseCode);
    }
    fails(ws.close(Some(1000), &"x".repeat(124)), ErrorCode::ControlTooLong);
    fails(ws.close(None, "a reason"), ErrorCode::InvalidArgument);
    let _ = ws.send_text("the first").unwrap();
    assert_eq!(served.peer.read_frame(), (0x81, b"the first".to_vec()));
}
