//! The contract of the callbacks: what comes, how often, in which order.

use sockline::{ClientOptions, ErrorCode, ReadyState, ServerOptions, connect};

use crate::support::peer::close_payload;
use crate::support::{
    Peer, What, connected_with, frame, local, masked, pair, port, recorder, serve, served, started, url,
};

#[test]
fn open_messages_and_close_come_in_order_on_both_sides() {
    let pair = pair();
    for text in ["one", "two", "three"] {
        let _ = pair.client.send_text(text).unwrap();
        let _ = pair.peer.send_text(text).unwrap();
    }
    pair.client.close(Some(3001), "done").unwrap();
    for events in [&pair.peer_events, &pair.client_events] {
        events.text("one");
        events.text("two");
        events.text("three");
    }
    pair.peer_events.clean(3001, "done");
    pair.client_events.answered(3001);
    drop(pair.on_loop);
    assert_eq!(pair.client_events.so_far(), []);
    assert_eq!(pair.peer_events.so_far(), []);
}

#[test]
fn the_server_may_close_too() {
    let pair = pair();
    pair.peer.close(Some(1000), "that's all").unwrap();
    pair.client_events.clean(1000, "that's all");
    pair.peer_events.answered(1000);
}

#[test]
fn a_close_without_a_code_is_1005() {
    let pair = pair();
    pair.client.close(None, "").unwrap();
    pair.client_events.clean(1005, "");
    pair.peer_events.clean(1005, "");
}

#[test]
fn closing_twice_keeps_the_first_code() {
    let pair = pair();
    pair.client.close(Some(3000), "first").unwrap();
    let _ = pair.client.close(Some(3001), "second");
    pair.peer_events.clean(3000, "first");
    pair.client_events.answered(3000);
}

#[test]
fn several_messages_in_one_segment_keep_their_order() {
    let mut served = served();
    let all: Vec<u8> = (0..100)
        .flat_map(|n| masked(0x81, format!("{n}").as_bytes()))
        .collect();
    served.peer.send(&all);
    for n in 0..100 {
        served.events.text(&format!("{n}"));
    }
}

#[test]
fn data_and_the_end_of_the_stream_in_one_segment_are_both_seen() {
    let mut served = served();
    served.peer.send(
        &[
            masked(0x81, b"last words"),
            masked(0x88, &close_payload(1000, "bye")),
        ]
        .concat(),
    );
    served.peer.end_writing();
    served.events.text("last words");
    served.events.clean(1000, "bye");
    let (first, payload) = served.peer.read_frame();
    assert_eq!((first, &payload[..2]), (0x88, &1000_u16.to_be_bytes()[..]));
}

#[test]
fn a_half_closed_socket_is_an_end_without_a_close_frame() {
    let mut served = served();
    served.peer.send(&masked(0x81, b"before"));
    served.peer.end_writing();
    served.events.text("before");
    served.events.cut();
    assert_eq!(served.peer.read_to_end(), b"");
}

#[test]
fn a_peer_killed_in_the_middle_of_a_message_delivers_no_part_of_it() {
    let mut served = served();
    let whole = masked(0x82, &[7; 100_000]);
    served.peer.send(&whole[..60_000]);
    served.peer.end_writing();
    served.events.cut();
    drop(served.on_loop);
    assert_eq!(served.events.so_far(), []);
}

#[test]
fn a_server_killed_in_the_middle_of_a_message_delivers_no_part_of_it() {
    let mut connected = connected_with(sockline::Settings::client());
    connected.peer.send(&frame(0x01, b"the first fragment"));
    drop(connected.peer);
    connected.events.cut();
    drop(connected.on_loop);
    assert_eq!(connected.events.so_far(), []);
}

#[test]
fn a_reset_is_an_error_and_then_an_end() {
    let served = served();
    served.peer.reset();
    assert_eq!(served.events.error().code(), ErrorCode::Io);
    served.events.cut();
}

#[test]
fn terminate_cuts_without_a_closing_handshake() {
    let pair = pair();
    pair.client.terminate().unwrap();
    pair.client_events.cut();
    pair.peer_events.cut();
}

#[test]
fn a_broken_protocol_is_an_error_right_before_the_end() {
    let mut served = served();
    served.peer.send(
        &[
            masked(0x81, b"fine"),
            frame(0x81, b"unmasked"),
            masked(0x81, b"too late"),
        ]
        .concat(),
    );
    served.events.text("fine");
    assert_eq!(served.events.error().code(), ErrorCode::Protocol);
    served.events.cut();
    let (first, payload) = served.peer.read_frame();
    assert_eq!((first, &payload[..2]), (0x88, &1002_u16.to_be_bytes()[..]));
    drop(served.on_loop);
    assert_eq!(served.events.so_far(), []);
}

#[test]
fn a_message_over_the_limit_fails_with_1009() {
    let mut served = crate::support::served_with(crate::support::settings(|it| it.max_message = 1000));
    served.peer.send(&masked(0x82, &[0; 1000]));
    assert_eq!(served.events.next(), What::Binary(vec![0; 1000]));
    served.peer.send(&masked(0x82, &[0; 1001]));
    assert_eq!(served.events.error().code(), ErrorCode::Protocol);
    served.events.cut();
    assert_eq!(served.peer.read_frame().1[..2], 1009_u16.to_be_bytes());
}

#[test]
fn pings_and_pongs_are_heard_and_answered() {
    let pair = pair();
    pair.client.ping(b"hello").unwrap();
    assert_eq!(pair.peer_events.next(), What::Ping(b"hello".to_vec()));
    assert_eq!(pair.client_events.next(), What::Pong(b"hello".to_vec()));
    assert!(pair.client.latency().is_some());
    pair.peer.pong(b"unasked").unwrap();
    assert_eq!(pair.client_events.next(), What::Pong(b"unasked".to_vec()));
}

#[test]
fn states_and_what_was_agreed_on_can_be_read() {
    let pair = pair();
    let port = port(pair.server);
    assert_eq!(pair.client.ready_state(), ReadyState::Open);
    assert_eq!(pair.client.url(), format!("ws://127.0.0.1:{port}/"));
    assert_eq!(pair.peer.url(), "/");
    assert_eq!(
        (pair.client.protocol(), pair.client.extensions()),
        (String::new(), String::new())
    );
    assert_eq!(pair.client.remote_address().unwrap().port(), port);
    assert_eq!(pair.peer.remote_address(), pair.client.local_address());
    assert_eq!(pair.client.latency(), None);
}

#[test]
fn each_event_carries_the_word_of_the_application() {
    let on_loop = started();
    let (server_handler, server_events) = recorder();
    let server = serve(
        &on_loop,
        ServerOptions {
            user_data: 17,
            ..local()
        },
        server_handler,
    );
    let (handler, events) = recorder();
    let options = ClientOptions {
        user_data: 42,
        ..ClientOptions::default()
    };
    let ws = connect(Some(&on_loop), &url(port(server)), options, Some(handler)).unwrap();
    assert_eq!(ws.user_data(), 42);
    assert_eq!(events.open().user_data(), 42);
    assert_eq!(server_events.open().user_data(), 17);
    ws.terminate().unwrap();
    assert_eq!(events.next_of().0.user_data(), 42);
    assert_eq!(server_events.next_of().0.user_data(), 17);
}

#[test]
fn a_close_frame_is_answered_and_the_server_ends_the_transport() {
    let mut served = served();
    served.peer.send(&masked(0x88, &close_payload(4000, "bye")));
    let (first, payload) = served.peer.read_frame();
    assert_eq!((first, &payload[..2]), (0x88, &4000_u16.to_be_bytes()[..]));
    assert_eq!(served.peer.read_to_end(), b"");
    served.events.clean(4000, "bye");
}

#[test]
fn what_was_sent_before_a_close_arrives_before_it() {
    let served = served();
    let mut peer: Peer = served.peer;
    for _ in 0..50 {
        let _ = served.ws.send_binary(&[1; 40_000]).unwrap();
    }
    served.ws.close(Some(1000), "").unwrap();
    for _ in 0..50 {
        assert_eq!(peer.read_frame(), (0x82, vec![1; 40_000]));
    }
    assert_eq!(peer.read_frame(), (0x88, close_payload(1000, "")));
    peer.send(&masked(0x88, &close_payload(1000, "")));
    let last = served.events.next_but_drain();
    assert!(
        matches!(&last, What::Close(event) if event.code == 1000 && event.was_clean),
        "{last:?}"
    );
}
