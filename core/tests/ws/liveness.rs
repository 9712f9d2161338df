//! Idle pings, dead peers and latency, on a virtual clock. The defaults are 20 s and 20 s.

use std::time::Duration;

use sockline::ws::{MessageType, ReadyState, Role, Timeout};

use crate::machine::{Machine, Seen, frames, read_by_peer};
use crate::pair::Pair;

const SECOND: u64 = 1000;

/// The payload of the only frame in `out`, a ping.
fn ping_payload(machine: &mut Machine, role: Role) -> Vec<u8> {
    match read_by_peer(role, &machine.take_out()).as_slice() {
        [Seen::Ping(payload)] => payload.clone(),
        seen => panic!("expected a ping, not {seen:?}"),
    }
}

#[test]
fn a_ping_goes_out_into_silence() {
    let mut server = Machine::server();
    assert_eq!(server.connection.next_timeout(&server.config), Some(20 * SECOND));
    assert_eq!(server.sleep(), None);
    assert_eq!(server.now, 20 * SECOND);
    ping_payload(&mut server, Role::Server);
}

#[test]
fn two_idle_ends_keep_each_other_alive() {
    let mut pair = Pair::new(3);
    for _ in 0..100 {
        pair.pass(20 * SECOND);
        assert_eq!(pair.handle_timeouts(), [None, None]);
        pair.drive();
    }
    let pings = |seen: &[Seen]| seen.iter().filter(|seen| matches!(seen, Seen::Ping(_))).count();
    assert_eq!((pings(&pair.client.seen), pings(&pair.server.seen)), (100, 100));
}

#[test]
fn early_and_repeated_calls_do_nothing() {
    let mut m = Machine::server();
    for now in [0, 1, 19_999] {
        assert_eq!(
            m.connection
                .handle_timeout(now, &m.config, &mut m.scratch, &mut m.out),
            None
        );
        assert!(m.out.is_empty());
    }
    m.sleep();
    m.take_out();
    assert_eq!(
        m.connection
            .handle_timeout(m.now, &m.config, &mut m.scratch, &mut m.out),
        None
    );
    assert!(m.out.is_empty());
}

#[test]
fn any_data_puts_the_ping_off() {
    let mut server = Machine::server();
    for byte in frames(Role::Server, "82 0a | 61*10") {
        server.now += 19 * SECOND;
        server.feed(&[byte]);
        assert_eq!(
            server.connection.next_timeout(&server.config),
            Some(server.now + 20 * SECOND)
        );
    }
    assert_eq!(server.seen.len(), 1);
    assert!(server.out.is_empty());
}

#[test]
fn sending_does_not_put_it_off() {
    let mut server = Machine::server();
    server.now = 10 * SECOND;
    server.send(MessageType::Text, b"x");
    assert_eq!(server.connection.next_timeout(&server.config), Some(20 * SECOND));
}

#[test]
fn silence_after_the_ping_means_dead() {
    let mut server = Machine::server();
    assert_eq!(server.sleep(), None);
    server.take_out();
    assert_eq!(server.sleep(), Some(Timeout::Dead));
    assert_eq!(server.now, 40 * SECOND);
    assert_eq!(server.connection.ready_state(), ReadyState::Closed);
    assert!(server.out.is_empty());
    assert_eq!(server.connection.next_timeout(&server.config), None);
}

#[test]
fn any_data_after_the_ping_proves_life() {
    let mut server = Machine::server();
    server.sleep();
    server.now += 20 * SECOND - 1;
    server.feed(&frames(Role::Server, "82 01 | 61")[..1]);
    assert_eq!(
        server.connection.next_timeout(&server.config),
        Some(server.now + 20 * SECOND)
    );
    server.take_out();
    assert_eq!(server.sleep(), None);
    ping_payload(&mut server, Role::Server);
}

#[test]
fn what_the_caller_knows_proves_life_too_and_the_wait_begins_anew() {
    let mut server = Machine::server();
    server.connection.prolong_wait(server.now); // there is none yet
    server.sleep();
    server.take_out();
    server.now += 20 * SECOND - 1;
    assert!(!server.connection.is_overdue(server.now, &server.config));
    server.now += 1;
    assert!(server.connection.is_overdue(server.now, &server.config));
    server.connection.prolong_wait(server.now);
    assert!(!server.connection.is_overdue(server.now, &server.config));
    let asked_again = server.now;
    assert_eq!(server.sleep(), Some(Timeout::Dead));
    assert_eq!(server.now, asked_again + 20 * SECOND);
}

#[test]
fn data_in_the_same_millisecond_counts() {
    let mut server = Machine::server();
    server.sleep();
    server.feed(&frames(Role::Server, "82 01 | 61"));
    assert_eq!(
        server.connection.next_timeout(&server.config),
        Some(server.now + 20 * SECOND)
    );
}

#[test]
fn pinging_often_does_not_keep_a_dead_peer_alive() {
    let mut server = Machine::server();
    for _ in 0..19 {
        server.ping(b"");
        server.now += SECOND;
    }
    assert_eq!(server.sleep(), Some(Timeout::Dead));
    assert_eq!(server.now, 20 * SECOND);
}

#[test]
fn each_can_be_off() {
    let mut server = Machine::server();
    server.config.ping_interval = 0;
    assert_eq!(server.connection.next_timeout(&server.config), None);

    let mut server = Machine::server();
    server.config.ping_timeout = 0;
    for nth in 1..10 {
        assert_eq!(server.sleep(), None);
        assert_eq!(server.now, nth * 20 * SECOND);
        ping_payload(&mut server, Role::Server);
    }
}

#[test]
fn while_suspended_pings_go_out_and_nobody_is_dead() {
    let mut server = Machine::server();
    server.connection.suspend_liveness();
    for nth in 1..10 {
        assert_eq!(server.sleep(), None);
        assert_eq!(server.now, nth * 20 * SECOND);
        ping_payload(&mut server, Role::Server);
    }
    server.now += SECOND;
    server.connection.resume_liveness(server.now);
    let resumed = server.now;
    assert_eq!(server.sleep(), Some(Timeout::Dead), "the wait begins again");
    assert_eq!(server.now, resumed + 20 * SECOND);
}

#[test]
fn suspended_between_ping_and_answer() {
    let mut server = Machine::server();
    server.sleep();
    server.connection.suspend_liveness();
    server.now += 500 * SECOND;
    server.connection.resume_liveness(server.now);
    assert_eq!(
        server.connection.next_timeout(&server.config),
        Some(server.now + 20 * SECOND)
    );
    server.feed(&frames(Role::Server, "8a 00"));
    assert_eq!(server.take_out().len(), 6, "one ping went out");
    assert_eq!(server.sleep(), None);
}

#[test]
fn resuming_what_was_not_suspended_changes_nothing() {
    let mut server = Machine::server();
    server.sleep();
    server.now += 10 * SECOND;
    server.connection.resume_liveness(server.now);
    assert_eq!(server.sleep(), Some(Timeout::Dead));
    assert_eq!(server.now, 40 * SECOND);
}

#[test]
fn latency_is_that_of_the_answered_ping() {
    let mut pair = Pair::new(1);
    assert_eq!(pair.client.connection.latency(), None);
    pair.client.ping(b"hello");
    pair.pass(7);
    pair.drive();
    assert_eq!(pair.client.connection.latency(), Some(Duration::from_millis(7)));
    assert_eq!(pair.client.seen, [Seen::Pong(b"hello".to_vec())]);
}

#[test]
fn idle_pings_measure_it_too() {
    let mut pair = Pair::new(1000);
    pair.pass(20 * SECOND);
    pair.handle_timeouts();
    pair.pass(3);
    pair.drive();
    assert_eq!(pair.client.connection.latency(), Some(Duration::from_millis(3)));
    assert_eq!(pair.server.connection.latency(), Some(Duration::from_millis(3)));
}

#[test]
fn only_the_latest_ping_waits_for_its_pong() {
    let mut server = Machine::server();
    server.ping(b"one");
    server.now = 10;
    server.ping(b"two");
    server.now = 15;
    server.feed(&frames(Role::Server, "8a 03 | 6f6e65"));
    assert_eq!(server.connection.latency(), None, "an earlier ping's pong");
    server.feed(&frames(Role::Server, "8a 00"));
    assert_eq!(server.connection.latency(), None, "nobody's pong");
    server.feed(&frames(Role::Server, "8a 03 | 74776f"));
    assert_eq!(server.connection.latency(), Some(Duration::from_millis(5)));
    server.now = 500;
    server.feed(&frames(Role::Server, "8a 03 | 74776f"));
    assert_eq!(
        server.connection.latency(),
        Some(Duration::from_millis(5)),
        "it was answered already"
    );
    assert_eq!(server.seen.len(), 4, "each pong is an event");
}

#[test]
fn idle_pings_differ() {
    let mut server = Machine::server();
    server.config.ping_timeout = 0;
    let payloads: Vec<Vec<u8>> = (0..3)
        .map(|_| {
            server.sleep();
            ping_payload(&mut server, Role::Server)
        })
        .collect();
    assert!(
        payloads[0] != payloads[1] && payloads[1] != payloads[2],
        "{payloads:?}"
    );
}

#[test]
fn nothing_is_pinged_after_our_close_frame() {
    let mut server = Machine::server();
    server.config.close_timeout = 100 * SECOND;
    server.close(Some(1000), "");
    server.take_out();
    assert_eq!(server.sleep(), Some(Timeout::Close));
    assert_eq!(server.now, 100 * SECOND);
    assert!(server.out.is_empty());
}

#[test]
fn pings_may_be_left_to_the_application() {
    let mut machine = Machine::server();
    machine.config.answer_pings = false;
    machine.feed(&frames(Role::Server, "89 01 | 61"));
    assert_eq!(machine.seen, [Seen::Ping(vec![0x61])]);
    assert!(machine.out.is_empty());
    machine.config.answer_pings = true;
    machine.feed(&frames(Role::Server, "89 01 | 61"));
    assert_eq!(machine.out, [0x8a, 0x01, 0x61]);
}
