//! Pings, pongs and dead peers where the application, or the peer, doesn't read.

use std::sync::Arc;
use std::time::Duration;

use sockline::{ErrorCode, EventQueue, Queued, QueuedEvent, ReadyState, Sent, Settings};

use crate::support::{
    PATIENCE, Peer, What, barrier, local, masked, port, serve, served, served_with, settings, started,
};

const SHORT: Duration = Duration::from_millis(50);
/// More than the kernel's buffers between two local sockets hold.
const PLENTY: usize = 16 << 20;

#[test]
fn a_peer_that_pings_and_never_reads_makes_nothing_grow() {
    const PINGS: u32 = 20_000;
    let mut served = served();
    assert_eq!(served.ws.send_binary(&vec![7; PLENTY]), Ok(Sent::OverMark));
    barrier(served.server);
    let before = served.ws.buffered_amount();
    let payload = |n: u32| [&n.to_be_bytes()[..], &[0; 96]].concat();
    for n in 0..PINGS {
        served.peer.send(&masked(0x89, &payload(n)));
    }
    for n in 0..PINGS {
        assert_eq!(served.events.next(), What::Ping(payload(n)));
    }
    assert_eq!(
        served.ws.buffered_amount(),
        before + 102,
        "one pong waits, whatever number of pings"
    );
    assert_eq!(served.peer.read_frame().1.len(), PLENTY);
    assert_eq!(served.peer.read_frame(), (0x8a, payload(0)));
    assert_eq!(
        served.peer.read_frame(),
        (0x8a, payload(PINGS - 1)),
        "the latest ping has its answer"
    );
    assert_eq!(served.events.next(), What::Drain);
    served.peer.send(&masked(0x89, b"again"));
    assert_eq!(
        served.peer.read_frame(),
        (0x8a, b"again".to_vec()),
        "who reads has each ping answered"
    );
}

#[test]
fn a_slow_reader_gets_answers_between_messages_that_never_end() {
    let mut served = served_with(settings(|it| it.hard_limit = 0));
    let _ = served.ws.send_binary(&vec![7; PLENTY]).unwrap();
    barrier(served.server);
    for n in 0..3_u8 {
        served.peer.send(&masked(0x89, &[n]));
        assert_eq!(served.events.next(), What::Ping(vec![n]));
        let _ = served.ws.send_binary(&vec![n; PLENTY]).unwrap();
    }
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let (first, payload) = served.peer.read_frame();
        if first == 0x8a {
            heard.push(payload[0]);
        }
    }
    assert_eq!(heard, [0, 2]);
}

/// An application that pulls and has stopped: its queue is full, so its connection is paused.
fn stalled(settings: Settings) -> (sockline::Loop, Arc<EventQueue>, Peer) {
    let on_loop = started();
    let queue = EventQueue::new(2, usize::MAX, || {});
    let options = sockline::ServerOptions { settings, ..local() };
    let server = serve(&on_loop, options, queue.clone());
    let mut peer = Peer::upgraded(port(server));
    for _ in 0..10 {
        peer.send(&masked(0x81, b"more"));
    }
    barrier(server);
    (on_loop, queue, peer)
}

#[test]
fn while_the_queue_is_full_pings_go_out_and_nobody_is_dead() {
    let short = settings(|it| (it.ping_interval, it.ping_timeout) = (SHORT, SHORT));
    let (_loop, queue, mut peer) = stalled(short);
    for _ in 0..5 {
        assert_eq!(peer.read_frame().0, 0x89); // and no answer: five times as long as the dead-peer timer
    }
    peer.send(&masked(0x89, b"alive?"));
    let mut texts = 0;
    let mut heard_ping = false;
    let start = std::time::Instant::now();
    while texts < 10 || !heard_ping {
        assert!(start.elapsed() < PATIENCE);
        match queue.pop() {
            Some(Queued::Connection(_, QueuedEvent::Message(..))) => texts += 1,
            Some(Queued::Connection(_, QueuedEvent::Ping(_))) => heard_ping = true,
            Some(Queued::Connection(_, QueuedEvent::Error(error))) => panic!("{error:?}"),
            _ => std::thread::yield_now(),
        }
    }
    // The ping that came while nobody read is answered once somebody does.
    loop {
        match peer.read_frame() {
            (0x8a, payload) => break assert_eq!(payload, b"alive?"),
            (first, _) => assert_eq!(first, 0x89),
        }
    }
}

#[test]
fn while_paused_pings_are_answered_once_reading_goes_on() {
    let mut served = served();
    served.ws.pause().unwrap();
    barrier(served.server);
    served.peer.send(&masked(0x89, b"alive?"));
    barrier(served.server);
    assert_eq!(served.events.so_far(), []);
    served.ws.resume().unwrap();
    assert_eq!(served.peer.read_frame(), (0x8a, b"alive?".to_vec()));
    assert_eq!(served.events.next(), What::Ping(b"alive?".to_vec()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_peer_that_takes_nothing_is_found_though_the_application_has_paused() {
    let served = served_with(settings(|it| {
        it.ping_interval = Duration::from_secs(3600);
        it.ping_timeout = Duration::from_millis(500);
    }));
    served.ws.pause().unwrap();
    // The system gives it up, which TCP_USER_TIMEOUT asks for: our own timer stands still.
    let _ = served.ws.send_binary(&vec![7; PLENTY]).unwrap();
    let last = served.events.next_but_drain();
    assert!(
        matches!(&last, What::Error(error) if error.code() == ErrorCode::Io && error.text().contains("timed out")),
        "{last:?}"
    );
    served.events.cut();
    assert_eq!(served.ws.ready_state(), ReadyState::Closed);
    drop(served.peer);
}
