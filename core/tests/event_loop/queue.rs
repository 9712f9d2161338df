//! Events that are pulled instead of called back.

use std::sync::Arc;

use crossbeam_channel::{Receiver, unbounded};
use sockline::{EventQueue, MessageType, QueuedEvent, WebSocket};

use crate::support::{PATIENCE, Peer, local, masked, port, serve, started};

const MAX_EVENTS: usize = 64;

fn queue(max_events: usize, max_bytes: usize) -> (Arc<EventQueue>, Receiver<()>) {
    let (ring, bell) = unbounded();
    let queue = EventQueue::new(max_events, max_bytes, move || {
        let _ = ring.send(());
    });
    (queue, bell)
}

/// The next event; the bell says when there is one.
#[track_caller]
fn pull(queue: &EventQueue, bell: &Receiver<()>) -> (WebSocket, QueuedEvent) {
    loop {
        if let Some(event) = queue.pop() {
            return event;
        }
        bell.recv_timeout(PATIENCE)
            .expect("the bell rings when an event comes");
    }
}

#[test]
fn events_come_in_order_and_the_bell_rings_once_for_a_burst() {
    let on_loop = started();
    let (queue, bell) = queue(MAX_EVENTS, 1 << 20);
    let server = serve(&on_loop, local(), queue.clone());
    let mut peer = Peer::upgraded(port(server));
    let (ws, event) = pull(&queue, &bell);
    assert_eq!(event, QueuedEvent::Open);
    assert!(queue.pop().is_none());
    while bell.try_recv().is_ok() {}

    let burst: Vec<u8> = (0..10_u8).flat_map(|number| masked(0x82, &[number])).collect();
    peer.send(&burst);
    bell.recv_timeout(PATIENCE).unwrap();
    for number in 0..10 {
        let expected = QueuedEvent::Message(MessageType::Binary, [number].into());
        assert_eq!(pull(&queue, &bell), (ws, expected));
    }
    assert!(
        bell.len() < 10,
        "one ring for what is read at once, not one for each"
    );

    peer.send(&masked(0x88, &[0x03, 0xe8]));
    let (_, event) = pull(&queue, &bell);
    assert!(matches!(event, QueuedEvent::Close(close) if close.code == 1000 && close.was_clean));
}

#[test]
fn a_full_queue_stops_reading_and_loses_nothing() {
    let on_loop = started();
    let (queue, bell) = queue(MAX_EVENTS, usize::MAX);
    let server = serve(&on_loop, local(), queue.clone());
    let mut peer = Peer::upgraded(port(server));
    assert_eq!(pull(&queue, &bell).1, QueuedEvent::Open);

    let many = 100 * MAX_EVENTS as u32;
    let burst: Vec<u8> = (0..many)
        .flat_map(|number| masked(0x82, &number.to_be_bytes()))
        .collect();
    peer.send(&burst);
    for number in 0..many {
        let (_, event) = pull(&queue, &bell);
        assert_eq!(
            event,
            QueuedEvent::Message(MessageType::Binary, number.to_be_bytes().into())
        );
        assert!(queue.len() <= MAX_EVENTS, "the queue is bounded");
    }
}

#[test]
fn bytes_are_bounded_too() {
    let on_loop = started();
    let (queue, bell) = queue(usize::MAX, 100_000);
    let server = serve(&on_loop, local(), queue.clone());
    let mut peer = Peer::upgraded(port(server));
    assert_eq!(pull(&queue, &bell).1, QueuedEvent::Open);
    let burst: Vec<u8> = (0..40).flat_map(|_| masked(0x82, &[7; 30_000])).collect();
    let sender = std::thread::spawn(move || {
        peer.send(&burst);
        peer
    });
    for _ in 0..40 {
        let (_, event) = pull(&queue, &bell);
        assert!(matches!(event, QueuedEvent::Message(_, payload) if payload.len() == 30_000));
        assert!(
            queue.len() <= 4,
            "100,000 bytes are at most four messages of 30,000"
        );
    }
    drop(sender.join());
}

#[test]
fn a_closed_queue_is_silent_and_lets_its_connections_read_on() {
    let on_loop = started();
    let (queue, bell) = queue(1, usize::MAX);
    let server = serve(&on_loop, local(), queue.clone());
    let mut peer = Peer::upgraded(port(server));
    bell.recv_timeout(PATIENCE).unwrap(); // for the opening, which fills the queue: the connection is paused
    queue.close();
    assert!(queue.pop().is_none());
    peer.send(&masked(0x89, b"still there?"));
    assert_eq!(peer.read_frame(), (0x8a, b"still there?".to_vec()));
    assert!(queue.is_empty() && bell.is_empty());
}
