//! The closing handshake, RFC 6455 §7.

use sockline::ws::{MessageType, ProtocolError, ReadyState, Role, SendError, Timeout};

use crate::machine::{Machine, Seen, frames, hex};
use crate::pair::Pair;

fn close(code: u16, reason: &str) -> Seen {
    Seen::Close(Some(code), reason.into())
}

#[test]
fn both_ends_know_when_it_is_done() {
    for piece in [1, 4, 1000] {
        let mut pair = Pair::new(piece);
        pair.client.close(Some(4001), "done");
        let connection = &pair.client.connection;
        assert_eq!(connection.ready_state(), ReadyState::Closing);
        assert!(connection.close_sent() && !connection.close_received());
        pair.drive();
        assert_eq!(pair.server.seen, [close(4001, "done")]);
        assert_eq!(pair.client.seen, [close(4001, "done")]);
        for machine in [&mut pair.client, &mut pair.server] {
            let connection = &mut machine.connection;
            assert!(connection.close_sent() && connection.close_received());
            assert_eq!(connection.ready_state(), ReadyState::Closing);
            connection.eof();
            assert_eq!(connection.ready_state(), ReadyState::Closed);
            assert_eq!(connection.next_timeout(&machine.config), None);
        }
    }
}

#[test]
fn both_may_begin_at_once() {
    let mut pair = Pair::new(1);
    pair.client.close(Some(4001), "client");
    pair.server.close(Some(4002), "server");
    pair.drive();
    assert_eq!(pair.client.seen, [close(4002, "server")]);
    assert_eq!(pair.server.seen, [close(4001, "client")]);
}

#[test]
fn once_is_enough() {
    let mut server = Machine::server();
    server.close(Some(1000), "");
    assert_eq!(server.take_out(), hex("88 02 03e8"));
    server.close(Some(1001), "again");
    server.connection.eof();
    server.close(None, "");
    assert!(server.out.is_empty());
}

#[test]
fn without_a_code() {
    let mut server = Machine::server();
    server.close(None, "");
    assert_eq!(server.out, hex("88 00"));
    let mut server = Machine::server();
    server.close(None, "why");
    assert_eq!(server.out, hex("88 05 03e8 776879"), "a reason needs a code");
}

#[test]
fn refuses_what_must_not_be_on_the_wire_whatever_the_state() {
    let mut m = Machine::server();
    for _ in 0..2 {
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            let closed = m
                .connection
                .close(Some(code), "", 0, &m.config, &mut m.scratch, &mut m.out);
            assert_eq!(closed, Err(SendError::InvalidCloseCode(code)));
        }
        let long = "x".repeat(124);
        let closed = m
            .connection
            .close(Some(1000), &long, 0, &m.config, &mut m.scratch, &mut m.out);
        assert_eq!(closed, Err(SendError::ControlTooLong(124)));
        assert!(m.out.is_empty());
        m.connection.eof();
    }
}

#[test]
fn nothing_is_sent_after_our_close_frame() {
    let mut m = Machine::client();
    m.close(Some(1000), "");
    m.take_out();
    let sent = [
        m.connection
            .send(MessageType::Text, b"x", &mut m.scratch, &mut m.out),
        m.connection.ping(b"", 0, &mut m.scratch, &mut m.out),
        m.connection.pong(b"", &mut m.scratch, &mut m.out),
    ];
    assert_eq!(sent, [Err(SendError::NotOpen); 3]);
    m.feed(&frames(Role::Client, "89 01 | 61"));
    assert_eq!(
        m.seen,
        [Seen::Ping(b"a".to_vec())],
        "the ping is an event, without a pong"
    );
    assert!(m.out.is_empty());
}

#[test]
fn messages_still_arrive_after_our_close_frame() {
    let mut pair = Pair::new(1);
    pair.server.send(MessageType::Text, b"crossing");
    pair.client.close(Some(1000), "");
    pair.drive();
    assert_eq!(pair.client.seen, [Seen::Text("crossing".into()), close(1000, "")]);
}

#[test]
fn a_message_half_sent_does_not_delay_the_echo() {
    let mut m = Machine::server();
    m.feed(&frames(Role::Server, "01 02 | 6869; 88 05 | 0fa1 627965"));
    assert_eq!(m.seen, [close(4001, "bye")]);
    assert_eq!(m.out, hex("88 05 0fa1 627965"));
}

#[test]
fn the_peer_has_so_long_to_answer() {
    let mut m = Machine::client();
    m.now = 1000;
    m.close(Some(1000), "");
    assert_eq!(m.connection.next_timeout(&m.config), Some(6000));
    m.now = 5999;
    assert_eq!(
        m.connection
            .handle_timeout(5999, &m.config, &mut m.scratch, &mut m.out),
        None
    );
    m.feed(&frames(Role::Client, "81 01 | 61"));
    assert_eq!(
        m.connection.next_timeout(&m.config),
        Some(6000),
        "data does not extend it"
    );
    assert_eq!(m.sleep(), Some(Timeout::Close));
    assert_eq!(m.connection.ready_state(), ReadyState::Closed);
    assert_eq!(
        m.connection
            .handle_timeout(u64::MAX, &m.config, &mut m.scratch, &mut m.out),
        None
    );
}

#[test]
fn a_client_waits_as_long_for_the_server_to_end_the_transport() {
    let mut m = Machine::client();
    m.feed(&frames(Role::Client, "88 02 | 03e8"));
    assert_eq!(m.sleep(), Some(Timeout::Close));
    assert_eq!(m.now, 5000);
}

#[test]
fn a_failure_tells_the_peer_why_and_ends() {
    let mut m = Machine::server();
    m.feed(&frames(Role::Server, "c1 01 | 61; 81 01 | 61"));
    assert_eq!(
        m.seen,
        [Seen::Failed(ProtocolError::ReservedBits(4))],
        "what follows is ignored"
    );
    assert_eq!(m.connection.ready_state(), ReadyState::Closed);
    assert!(m.connection.close_sent());
    let told = crate::machine::read_by_peer(Role::Server, &m.take_out());
    assert_eq!(told, [close(1002, "reserved bits 100 set without an extension")]);
    m.feed(&frames(Role::Server, "81 01 | 61"));
    assert_eq!(m.seen.len(), 1);
    assert_eq!(m.connection.next_timeout(&m.config), None);
}

#[test]
fn a_failure_after_our_close_frame_sends_nothing() {
    let mut m = Machine::server();
    m.close(Some(1000), "");
    m.take_out();
    m.feed(&frames(Role::Server, "83 00"));
    assert_eq!(m.seen, [Seen::Failed(ProtocolError::ReservedOpcode(3))]);
    assert!(m.out.is_empty());
}
