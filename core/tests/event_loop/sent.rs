//! Tokens and deadlines of messages: what `on_sent` says, once for each.

use std::collections::HashMap;
use std::time::Duration;

use crossbeam_channel::bounded;
use sockline::{MessageType, SendOptions, SendOutcome, Sent, WebSocket};

use crate::support::{
    Events, PATIENCE, Peer, What, barrier, connected_with, local, masked, pair, port, reacting, serve,
    served, settings, started,
};

/// More than the kernel's buffers between two local sockets hold.
const PLENTY: usize = 15 << 20;
const SOON: Duration = Duration::from_millis(50);

fn token(token: u64) -> SendOptions {
    SendOptions {
        token: Some(token),
        ..SendOptions::default()
    }
}

fn within(deadline: Duration, token: u64) -> SendOptions {
    SendOptions {
        token: Some(token),
        deadline: Some(deadline),
        ..SendOptions::default()
    }
}

fn send(ws: WebSocket, data: &[u8], options: SendOptions) {
    let _ = ws.send_with(MessageType::Binary, data, &options).unwrap();
}

#[track_caller]
fn taken(events: &Events, tokens: impl IntoIterator<Item = u64>) {
    for token in tokens {
        assert_eq!(events.next_but_drain(), What::Sent(token, SendOutcome::Taken));
    }
}

#[test]
fn what_the_kernel_takes_is_told_in_order_from_both_roles_and_any_thread() {
    let pair = pair();
    for (n, length) in [(1, 10), (2, 100_000), (3, 20_000), (4, 0), (5, 70_000)] {
        send(pair.client, &vec![n as u8; length], token(n));
        send(pair.peer, &vec![n as u8; length], token(10 * n));
        assert_eq!(
            pair.client_events.next(),
            What::Sent(n, SendOutcome::Taken),
            "of the client"
        );
        assert_eq!(pair.client_events.next(), What::Binary(vec![n as u8; length]));
        let mut other = [pair.peer_events.next(), pair.peer_events.next()];
        other.sort_by_key(|what| matches!(what, What::Binary(_)));
        assert_eq!(other[0], What::Sent(10 * n, SendOutcome::Taken));
    }
}

#[test]
fn inside_a_callback_it_comes_after_the_callback() {
    let (sender, said) = bounded(1);
    let (handler, events) = reacting(move |ws, what| {
        if let What::Text(_) = what {
            for (n, length) in [(1, 5), (2, 40_000), (3, 5), (4, 30_000), (5, 5)] {
                send(ws, &vec![n as u8; length], token(n));
            }
            let _ = ws.send_text("no token").unwrap();
            sender.send(()).unwrap();
        }
    });
    let on_loop = started();
    let mut peer = Peer::upgraded(port(serve(&on_loop, local(), handler)));
    events.open();
    peer.send(&masked(0x81, b"go"));
    events.text("go");
    said.recv_timeout(PATIENCE).unwrap();
    taken(&events, 1..=5);
    for (n, length) in [(1, 5), (2, 40_000), (3, 5), (4, 30_000), (5, 5)] {
        assert_eq!(peer.read_frame(), (0x82, vec![n; length]));
    }
    assert_eq!(peer.read_frame(), (0x81, b"no token".to_vec()));
}

#[test]
fn nothing_is_told_before_the_last_byte_has_left() {
    let mut served = served();
    send(served.ws, &vec![0; PLENTY], token(1));
    send(served.ws, b"small", token(2));
    let _ = served.ws.send_text("untold").unwrap();
    send(served.ws, b"last", token(3));
    barrier(served.server);
    assert_eq!(served.events.so_far(), []);
    served.peer.read_exactly(PLENTY / 2);
    barrier(served.server);
    assert_eq!(served.events.so_far(), [], "only a half has left");
    served.peer.read_exactly(PLENTY - PLENTY / 2 + 10);
    taken(&served.events, 1..=3);
    assert_eq!(served.peer.read_frame(), (0x82, b"small".to_vec()));
}

#[test]
fn a_message_whose_deadline_passes_is_dropped_by_a_timer() {
    let mut served = served();
    send(served.ws, &vec![0; PLENTY], within(SOON, 1));
    barrier(served.server);
    send(served.ws, b"late", within(SOON, 2));
    send(served.ws, b"patient", within(Duration::from_secs(3600), 3));
    send(served.ws, b"forever", within(Duration::ZERO, 4));
    send(served.ws, b"later", within(2 * SOON, 5));
    assert_eq!(served.events.next(), What::Sent(2, SendOutcome::Expired));
    assert_eq!(served.events.next(), What::Sent(5, SendOutcome::Expired));
    assert_eq!(
        served.peer.read_frame().1.len(),
        PLENTY,
        "what has begun is finished"
    );
    taken(&served.events, [1, 3, 4]);
    assert_eq!(served.peer.read_frame(), (0x82, b"patient".to_vec()));
    assert_eq!(served.peer.read_frame(), (0x82, b"forever".to_vec()));
    assert_eq!(served.ws.buffered_amount(), 0);
}

#[test]
fn deadlines_of_a_clients_messages_and_of_big_ones_hold_too() {
    let mut connected = connected_with(settings(|it| it.hard_limit = 0));
    send(connected.ws, &vec![0; PLENTY], token(1));
    send(connected.ws, &vec![1; PLENTY], within(SOON, 2));
    send(connected.ws, b"behind", token(3));
    assert_eq!(connected.events.next(), What::Sent(2, SendOutcome::Expired));
    assert_eq!(connected.peer.read_frame().1.len(), PLENTY);
    taken(&connected.events, [1, 3]);
    assert_eq!(connected.peer.read_frame().1, b"behind");
}

#[test]
fn what_the_end_of_the_connection_loses_has_failed_before_on_close() {
    let served = served();
    send(served.ws, &vec![0; PLENTY], token(1));
    send(served.ws, b"x", within(Duration::from_secs(3600), 2));
    send(served.ws, b"y", token(3));
    served.ws.terminate().unwrap();
    for token in 1..=3 {
        assert_eq!(served.events.next(), What::Sent(token, SendOutcome::Failed));
    }
    served.events.cut();
}

#[test]
fn a_reset_fails_what_waits() {
    let served = served();
    send(served.ws, &vec![0; PLENTY], token(1));
    send(served.ws, b"x", token(2));
    barrier(served.server);
    served.peer.reset();
    for token in 1..=2 {
        assert_eq!(served.events.next(), What::Sent(token, SendOutcome::Failed));
    }
    while !matches!(served.events.next(), What::Close(_)) {}
}

#[test]
fn messages_accepted_before_a_close_are_sent_before_it() {
    let mut served = served();
    send(served.ws, &vec![0; PLENTY], token(1));
    send(served.ws, b"last", token(2));
    served.ws.close(Some(1000), "").unwrap();
    assert_eq!(served.peer.read_frame().1.len(), PLENTY);
    taken(&served.events, 1..=2);
    assert_eq!(served.peer.read_frame().1, b"last");
    assert_eq!(served.peer.read_frame().0, 0x88);
}

#[test]
fn every_accepted_token_is_told_once_and_before_on_close_whatever_the_threads_do() {
    for round in 0..20 {
        let pair = pair();
        let ws = pair.client;
        let accepted: Vec<u64> = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..4_u64)
                .map(|thread| {
                    scope.spawn(move || {
                        let tokens = (0..3_000).map(|n| thread << 32 | n);
                        let send = |n: &u64| ws.send_with(MessageType::Binary, b"x", &token(*n)).is_ok();
                        tokens.take_while(send).collect::<Vec<u64>>()
                    })
                })
                .collect();
            pair.peer_events.next();
            let _ = if round % 2 == 0 {
                ws.terminate()
            } else {
                pair.peer.terminate()
            };
            senders.into_iter().flat_map(|it| it.join().unwrap()).collect()
        });
        let mut told: HashMap<u64, SendOutcome> = HashMap::new();
        loop {
            match pair.client_events.next() {
                What::Sent(token, outcome) => assert_eq!(told.insert(token, outcome), None),
                What::Close(_) => break,
                _ => {}
            }
        }
        drop(pair.on_loop);
        assert_eq!(pair.client_events.so_far(), [], "on_close is the last event");
        assert_eq!(told.len(), accepted.len());
        assert!(accepted.iter().all(|token| told.contains_key(token)));
    }
}

#[test]
fn a_refused_message_has_no_on_sent() {
    let served = served();
    served.ws.close(Some(1000), "").unwrap();
    barrier(served.server);
    let error = served.ws.send_with(MessageType::Text, b"x", &token(1));
    assert!(error.is_err());
    let error = served.ws.send_with(MessageType::Text, b"\xff", &token(1));
    assert_eq!(error.unwrap_err().code(), sockline::ErrorCode::InvalidUtf8);
    served.ws.terminate().unwrap();
    served.events.cut();
}

#[test]
fn without_a_handler_it_waits_for_one() {
    let on_loop = started();
    let (handler, server_events) = crate::support::recorder();
    let server = serve(&on_loop, local(), handler);
    let url = crate::support::url(port(server));
    let ws = sockline::connect(Some(&on_loop), &url, sockline::ClientOptions::default(), None).unwrap();
    server_events.open();
    while ws.ready_state() != sockline::ReadyState::Open {
        barrier(server);
    }
    assert_eq!(ws.send_with(MessageType::Text, b"x", &token(7)), Ok(Sent::Queued));
    server_events.text("x");
    barrier(server);
    let (handler, events) = crate::support::recorder();
    ws.set_handler(handler, 0).unwrap();
    events.open();
    assert_eq!(events.next(), What::Sent(7, SendOutcome::Taken));
}
