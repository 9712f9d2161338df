//! A host's thread that waits in the loop, and then turns it.

use std::thread;
use std::time::{Duration, Instant};

use sockline::{ClientOptions, Loop, LoopOptions, Settings, Turn, connect};

use crate::support::{
    Events, Host, PATIENCE, Peer, give, joined, local, masked, recorder, serve, settings, turn,
};

/// Who waits so long was not woken.
const LONG: Option<Duration> = Some(PATIENCE);

/// A server on a loop that this thread turns, and a client that is connected.
fn served(change: impl FnOnce(&mut Settings)) -> (Loop, Peer, Events) {
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    let (handler, events) = recorder();
    let mut options = local();
    options.settings = settings(change);
    let server = serve(&on_loop, options, handler);
    let peer = joined(&on_loop, server);
    events.open();
    (on_loop, peer, events)
}

#[test]
fn who_waits_is_told_nothing_before_the_turn() {
    let (on_loop, mut peer, events) = served(|_| {});
    for n in 0..3 {
        peer.send(&masked(0x81, n.to_string().as_bytes()));
        on_loop.wait(LONG).unwrap();
        on_loop.wait(LONG).unwrap(); // it is known already
        assert!(!events.has_heard());
        assert_eq!(on_loop.poll(LONG), Ok(Turn::Continue)); // and not asked again
        events.text(&n.to_string());
    }
    peer.end_writing();
    on_loop.wait(LONG).unwrap();
    turn(&on_loop, Duration::ZERO);
    events.cut();
}

#[test]
fn waiting_ends_when_its_time_is_up() {
    let (on_loop, _peer, events) = served(|_| {});
    let begun = Instant::now();
    on_loop.wait(Some(Duration::from_millis(20))).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(20));
    assert_eq!(on_loop.poll(LONG), Ok(Turn::Continue)); // at once: it has waited already
    assert!(!events.has_heard());
}

#[test]
fn waiting_ends_with_a_timer() {
    let (on_loop, mut peer, _events) = served(|settings| settings.ping_interval = Duration::from_millis(20));
    for _ in 0..2 {
        let before = on_loop.metrics().totals.frames_out;
        on_loop.wait(LONG).unwrap();
        while on_loop.metrics().totals.frames_out == before {
            turn(&on_loop, Duration::ZERO);
            on_loop.wait(LONG).unwrap();
        }
        let (first, payload) = peer.read_frame();
        assert_eq!(first, 0x89);
        give(&on_loop, &mut peer, &masked(0x8a, &payload));
    }
}

#[test]
fn other_threads_end_the_waiting() {
    let (on_loop, mut peer, events) = served(|_| {});
    let (ws, _) = {
        peer.send(&masked(0x81, b"hello"));
        turn(&on_loop, PATIENCE);
        events.next_of()
    };
    let waker = on_loop.waker();
    for act in [true, false] {
        let other = thread::spawn(move || match act {
            true => drop(ws.send_text("from elsewhere").unwrap()),
            false => waker.wake(),
        });
        on_loop.wait(LONG).unwrap();
        turn(&on_loop, Duration::ZERO);
        other.join().unwrap();
    }
    assert_eq!(peer.read_frame(), (0x81, b"from elsewhere".to_vec()));
}

#[test]
fn what_this_thread_has_asked_for_is_not_waited_with() {
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    let host = Host::new();
    let (handler, events) = recorder();
    let ws = connect(
        Some(&on_loop),
        &host.url(),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    let accepted = thread::spawn(move || host.accept_websocket(b""));
    while !events.has_heard() {
        on_loop.wait(LONG).unwrap();
        turn(&on_loop, Duration::ZERO);
    }
    events.open();
    let mut peer = accepted.join().unwrap();
    for n in 0..2 {
        let _ = ws.send_text(&n.to_string()).unwrap();
        on_loop.wait(LONG).unwrap();
        turn(&on_loop, Duration::ZERO);
        assert_eq!(peer.read_frame().1, n.to_string().as_bytes());
    }
}

#[test]
fn it_looks_before_it_sleeps_if_it_is_to() {
    let options = LoopOptions {
        busy_poll: Duration::from_millis(1),
        ..LoopOptions::default()
    };
    let on_loop = Loop::new(options).unwrap();
    let (handler, _events) = recorder();
    let server = serve(&on_loop, local(), handler);
    let _peer = joined(&on_loop, server);
    let before = on_loop.metrics().empty_polls;
    on_loop.wait(Some(Duration::from_millis(20))).unwrap();
    assert!(on_loop.metrics().empty_polls > before);
}

#[test]
fn a_loop_that_is_dropped_while_a_thread_waits_is_freed_by_that() {
    let on_loop = std::sync::Arc::new(Loop::new(LoopOptions::default()).unwrap());
    let waker = on_loop.waker();
    let waiting = {
        let on_loop = on_loop.clone();
        thread::spawn(move || on_loop.wait(LONG))
    };
    drop(on_loop);
    waker.wake();
    waiting.join().unwrap().unwrap();
}
