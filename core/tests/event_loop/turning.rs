//! The three ways to turn a loop, and how loops begin and end.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::libc;
use sockline::{ClientOptions, ErrorCode, Handler, Loop, LoopOptions, Turn, WebSocket, connect};

use crate::support::child::in_child;
use crate::support::{
    Events, Host, PATIENCE, Peer, What, closed_server, hook, local, masked, pair, port, reacting, recorder,
    serve, served, started, url,
};

/// What a foreign loop does: poll(2) on the descriptor.
pub(crate) fn is_readable(fd: RawFd, timeout: Duration) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let millis = timeout.as_nanos().div_ceil(1_000_000) as i32; // not early, or it would turn in vain
    // SAFETY: one valid entry, for the time of the call.
    let count = unsafe { libc::poll(&mut poll, 1, millis) };
    assert!(count >= 0, "{}", std::io::Error::last_os_error());
    count == 1
}

pub(crate) fn is_ringing(on_loop: &Loop) -> bool {
    is_readable(on_loop.fd(), Duration::ZERO)
}

/// A host's loop that does nothing but wait for the descriptor and the next timeout.
pub(crate) fn host_until(on_loop: &Loop, done: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < give_up, "the loop has missed something");
        let timeout = on_loop.next_timeout().unwrap_or(PATIENCE).min(PATIENCE);
        is_readable(on_loop.fd(), timeout);
        assert_eq!(on_loop.poll(Some(Duration::ZERO)).unwrap(), Turn::Continue);
    }
}

/// Turns until there is nothing left to do.
pub(crate) fn quiet(on_loop: &Loop) {
    while is_ringing(on_loop) {
        on_loop.poll(Some(Duration::ZERO)).unwrap();
    }
}

/// A client and a server of ours on a loop that the test turns as a host does.
fn hosted(options: LoopOptions) -> (Loop, WebSocket, Events, Events) {
    let on_loop = Loop::new(options).unwrap();
    let opened = Arc::new(AtomicUsize::new(0));
    let count = |opened: Arc<AtomicUsize>| {
        reacting(move |_, what| {
            if *what == What::Open {
                opened.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let (server_handler, server_events) = count(opened.clone());
    let (handler, events) = count(opened.clone());
    let server = serve(&on_loop, local(), server_handler);
    let ws = connect(
        Some(&on_loop),
        &url(port(server)),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    host_until(&on_loop, || opened.load(Ordering::SeqCst) == 2);
    events.open();
    server_events.open();
    quiet(&on_loop);
    (on_loop, ws, events, server_events)
}

#[test]
fn run_turns_the_loop_on_the_callers_thread_until_stop() {
    let on_loop = Arc::new(Loop::new(LoopOptions::default()).unwrap());
    let inner = on_loop.clone();
    let (handler, events) = reacting(move |_, what| {
        if *what == What::Text("stop".into()) {
            inner.stop();
        }
    });
    let server = serve(&on_loop, local(), handler);
    let (client, _events) = reacting(|ws, what| {
        if *what == What::Open {
            let _ = ws.send_text("stop").unwrap();
        }
    });
    connect(
        Some(&on_loop),
        &url(port(server)),
        ClientOptions::default(),
        Some(client),
    )
    .unwrap();
    on_loop.run().unwrap();
    events.open();
    events.text("stop");
}

#[test]
fn a_foreign_loop_misses_nothing() {
    let (on_loop, ws, events, server_events) = hosted(LoopOptions::default());
    for n in 0..100 {
        let _ = ws.send_text(&n.to_string()).unwrap();
    }
    ws.close(Some(1000), "").unwrap();
    let seen = std::cell::RefCell::new(Vec::new());
    host_until(&on_loop, || {
        seen.borrow_mut().extend(server_events.so_far());
        matches!(seen.borrow().last(), Some(What::Close(_)))
    });
    assert_eq!(seen.borrow().len(), 101);
    host_until(&on_loop, || !events.so_far().is_empty());
}

#[test]
fn what_is_sent_between_turns_rings_the_descriptor() {
    let (on_loop, ws, _events, server_events) = hosted(LoopOptions::default());
    assert!(!is_ringing(&on_loop));
    let _ = ws.send_text("hello").unwrap();
    assert!(is_ringing(&on_loop));
    host_until(&on_loop, || {
        server_events.so_far() == [What::Text("hello".into())]
    });
    quiet(&on_loop);
    ws.terminate().unwrap();
    assert!(is_ringing(&on_loop), "so does an end");
}

#[test]
fn what_other_threads_send_rings_the_descriptor() {
    let (on_loop, ws, _events, server_events) = hosted(LoopOptions::default());
    let _ = std::thread::spawn(move || ws.send_text("from afar").unwrap())
        .join()
        .unwrap();
    assert!(is_readable(on_loop.fd(), PATIENCE));
    host_until(&on_loop, || {
        server_events.so_far() == [What::Text("from afar".into())]
    });
}

#[test]
fn a_flush_hook_is_called_once_for_many_sends_and_flush_sends_them() {
    let called = Arc::new(AtomicUsize::new(0));
    let counter = called.clone();
    let options = LoopOptions {
        flush_hook: Some(Arc::new(move || _ = counter.fetch_add(1, Ordering::SeqCst))),
        ..LoopOptions::default()
    };
    let (on_loop, ws, _events, server_events) = hosted(options);
    called.store(0, Ordering::SeqCst);
    for round in 1..=3 {
        for _ in 0..10 {
            let _ = ws.send_text("x").unwrap();
        }
        assert_eq!(called.load(Ordering::SeqCst), round, "once until it is done");
        assert!(!is_ringing(&on_loop), "the hook spares the loop waking itself");
        on_loop.flush().unwrap();
        assert!(is_ringing(&on_loop), "the bytes are in the server's socket");
        on_loop.poll(Some(Duration::ZERO)).unwrap();
        assert_eq!(server_events.so_far().len(), 10);
        quiet(&on_loop);
    }
}

#[test]
fn a_timer_that_is_set_between_turns_is_heard_of() {
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    on_loop.poll(Some(Duration::ZERO)).unwrap();
    quiet(&on_loop);
    assert_eq!((on_loop.next_timeout(), on_loop.next_deadline()), (None, None));
    let host = Host::new();
    let (handler, events) = recorder();
    let handshake_timeout = Duration::from_millis(80);
    let options = ClientOptions {
        handshake_timeout,
        ..ClientOptions::default()
    };
    connect(Some(&on_loop), &host.url(), options, Some(handler)).unwrap();
    assert!(is_ringing(&on_loop));
    assert!(
        on_loop
            .next_timeout()
            .is_some_and(|next| next <= handshake_timeout)
    );
    let deadline = on_loop.next_deadline().unwrap();
    assert!(deadline <= Instant::now() + handshake_timeout);
    host_until(&on_loop, || {
        matches!(events.so_far().last(), Some(What::Close(_)))
    });
}

#[test]
fn poll_waits_no_longer_than_it_is_told_and_wake_ends_it() {
    let on_loop = Arc::new(Loop::new(LoopOptions::default()).unwrap());
    on_loop.poll(Some(Duration::from_millis(1))).unwrap();
    on_loop.wake();
    on_loop.poll(None).unwrap();
    let other = on_loop.clone();
    let waker = std::thread::spawn(move || other.wake());
    on_loop.poll(None).unwrap();
    waker.join().unwrap();
}

#[test]
fn a_waker_wakes_a_loop_and_may_outlive_it() {
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    quiet(&on_loop);
    let waker = on_loop.waker();
    std::thread::spawn(move || waker.wake()).join().unwrap();
    assert!(is_ringing(&on_loop));
    drop(on_loop);
    waker.wake();
    let next_in_its_place = Loop::new(LoopOptions::default()).unwrap();
    next_in_its_place.wake();
    assert!(is_ringing(&next_in_its_place), "an old ring silences the bell");
}

#[test]
fn a_loop_hears_its_bell_though_somebody_rang_while_its_place_was_free() {
    in_child(
        "turning::a_loop_hears_its_bell_though_somebody_rang_while_its_place_was_free",
        || {
            let waker = Loop::new(LoopOptions::default()).unwrap().waker();
            waker.wake();
            let on_loop = Loop::new(LoopOptions::default()).unwrap(); // nobody else is here to take the place
            on_loop.wake();
            assert!(is_ringing(&on_loop));
        },
    );
}

#[test]
fn a_loop_that_is_turned_elsewhere_is_busy() {
    let served = served();
    let busy = [
        served.on_loop.run(),
        served.on_loop.start(),
        served.on_loop.poll(None).map(drop),
        served.on_loop.wait(None),
    ];
    assert_eq!(
        busy.map(|result| result.unwrap_err().code()),
        [ErrorCode::LoopBusy; 4]
    );
    served.on_loop.flush().unwrap();
    assert_eq!(served.on_loop.next_timeout(), None);
}

#[test]
fn a_stopped_loop_keeps_its_connections_and_goes_on_when_it_is_started_again() {
    let on_loop = Arc::new(Loop::new(LoopOptions::default()).unwrap());
    let (handler, events) = recorder();
    let server_port = port(serve(&on_loop, local(), handler));
    let turn = || {
        let runner = on_loop.clone();
        std::thread::spawn(move || runner.run().unwrap())
    };
    let first = turn();
    let mut peer = Peer::upgraded(server_port);
    events.open();
    on_loop.stop();
    first.join().unwrap();
    peer.send(&masked(0x81, b"while it stands"));
    let second = turn();
    events.text("while it stands");
    on_loop.stop();
    second.join().unwrap();
}

#[test]
fn shutdown_closes_with_1001_and_joins() {
    let on_loop = started();
    let (server_handler, closed) = closed_server();
    let (handler, events) = recorder();
    let server = serve(
        &on_loop,
        sockline::ServerOptions {
            server_handler,
            ..local()
        },
        handler,
    );
    let clients = started();
    let (client, client_events) = recorder();
    connect(
        Some(&clients),
        &url(port(server)),
        ClientOptions::default(),
        Some(client),
    )
    .unwrap();
    client_events.open();
    on_loop.shutdown(PATIENCE);
    client_events.clean(1001, "going away");
    events.open();
    events.answered(1001);
    assert_eq!(
        closed.try_recv(),
        Ok(server),
        "all has ended when shutdown returns"
    );
}

#[test]
fn shutdown_closes_clients_too() {
    let crate::support::Connected {
        mut peer,
        events,
        on_loop,
        ..
    } = crate::support::connected_with(sockline::Settings::client());
    let down = std::thread::spawn(move || on_loop.shutdown(PATIENCE));
    let (first, payload) = peer.read_frame();
    assert_eq!((first, &payload[..2]), (0x88, &1001_u16.to_be_bytes()[..]));
    peer.send(&crate::support::frame(0x88, &payload));
    drop(peer);
    events.answered(1001);
    down.join().unwrap();
}

#[test]
fn shutdown_cuts_what_has_not_ended_in_time() {
    let mut served = served();
    served.on_loop.shutdown(Duration::from_millis(50));
    assert_eq!(served.peer.read_frame().0, 0x88); // and no answer to it
    served.events.cut();
    assert_eq!(served.peer.read_to_end(), b"");
    assert_eq!(served.events.so_far(), []);
}

#[test]
fn dropping_a_loop_gives_every_connection_its_end_without_waiting() {
    let pair = pair();
    let (sender, upgrades) = crossbeam_channel::unbounded();
    let server_handler = hook(move |request| _ = sender.send(request.websocket()));
    let undecided = serve(
        &pair.on_loop,
        sockline::ServerOptions {
            server_handler,
            ..local()
        },
        recorder().0,
    );
    let host = Host::new();
    let (handler, connecting_events) = recorder();
    connect(
        Some(&pair.on_loop),
        &host.url(),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    let (handler, asking_events) = recorder();
    connect(
        Some(&pair.on_loop),
        &url(port(undecided)),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    upgrades.recv_timeout(PATIENCE).unwrap();
    drop(pair.on_loop);
    for events in [
        &pair.client_events,
        &pair.peer_events,
        &connecting_events,
        &asking_events,
    ] {
        events.cut();
        assert_eq!(events.so_far(), []);
    }
}

#[test]
fn handlers_are_freed_with_their_connection_or_their_loop() {
    struct Counted(Arc<AtomicUsize>);
    impl Handler for Counted {}
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let freed = Arc::new(AtomicUsize::new(0));
    let on_loop = started();
    let server = serve(&on_loop, local(), Arc::new(Counted(freed.clone())));
    for _ in 0..3 {
        let handler = Arc::new(Counted(freed.clone()));
        connect(
            Some(&on_loop),
            &url(port(server)),
            ClientOptions::default(),
            Some(handler),
        )
        .unwrap();
    }
    drop(on_loop);
    assert_eq!(freed.load(Ordering::SeqCst), 4);
}

#[test]
fn threads_of_the_library_take_no_signals() {
    let (sender, masks) = crossbeam_channel::bounded(1);
    let (handler, _events) = reacting(move |_, _| {
        let _ = sender.try_send(nix::sys::signal::SigSet::thread_get_mask().unwrap());
    });
    let on_loop = started();
    let _peer = Peer::upgraded(port(serve(&on_loop, local(), handler)));
    let mask = masks.recv_timeout(PATIENCE).unwrap();
    use nix::sys::signal::Signal::*;
    assert!(
        [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM, SIGPIPE]
            .iter()
            .all(|it| mask.contains(*it))
    );
    let own = nix::sys::signal::SigSet::thread_get_mask().unwrap();
    assert!(
        !own.contains(SIGINT),
        "the thread that starts a loop keeps its own mask"
    );
}
