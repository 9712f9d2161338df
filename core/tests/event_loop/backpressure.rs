//! What waits to be sent: marks, limits, `on_drain`, and what is exempt from them.

use crossbeam_channel::{Receiver, bounded};
use sockline::{ErrorCode, Sent, ServerOptions, Settings, WebSocket};

use crate::support::{
    Events, PATIENCE, Peer, Served, What, barrier, local, masked, port, reacting, recorder, serve,
    served_with, settings, started,
};

const MARK: usize = 64 << 10;
const HARD: usize = 256 << 10;
/// More than the kernel's buffers between two local sockets hold.
const PLENTY: usize = 32 << 20;

fn low() -> Settings {
    settings(|it| (it.high_water_mark, it.hard_limit) = (MARK, HARD))
}

/// A connection whose kernel buffers are full: what is sent now waits in the outbox. Returns how much is before it.
fn stuffed() -> Served {
    let served = served_with(low());
    assert_eq!(
        served.ws.send_binary(&vec![0; PLENTY]),
        Ok(Sent::OverMark),
        "one message never fails on an empty outbox"
    );
    barrier(served.server);
    served
}

fn read_plenty(peer: &mut Peer) {
    assert_eq!(peer.read_frame().1.len(), PLENTY);
}

#[test]
fn one_big_message_never_fails_on_an_empty_outbox_and_the_next_one_does() {
    let mut served = stuffed();
    assert!(served.ws.buffered_amount() > HARD as u64);
    let error = served.ws.send_text("x").unwrap_err();
    assert_eq!(error.code(), ErrorCode::OutboxFull);
    assert!(error.text().contains(&HARD.to_string()), "{error}");
    read_plenty(&mut served.peer);
    assert_eq!(served.events.next(), What::Drain);
    assert_eq!(served.ws.send_text("again"), Ok(Sent::Queued));
    assert_eq!(served.peer.read_frame(), (0x81, b"again".to_vec()));
}

#[test]
fn on_drain_comes_once_per_crossing() {
    let mut served = stuffed();
    for _ in 0..3 {
        read_plenty(&mut served.peer);
        assert_eq!(served.events.next(), What::Drain);
        assert_eq!(served.ws.send_text("small"), Ok(Sent::Queued));
        assert_eq!(served.peer.read_frame(), (0x81, b"small".to_vec()));
        barrier(served.server);
        assert_eq!(served.events.so_far(), [], "one crossing, one on_drain");
        assert_eq!(served.ws.buffered_amount(), 0);
        assert_eq!(served.ws.send_binary(&vec![0; PLENTY]), Ok(Sent::OverMark));
    }
}

#[test]
fn below_the_mark_there_is_no_on_drain() {
    let mut served = served_with(low());
    assert_eq!(served.ws.send_binary(&vec![1; MARK / 2]), Ok(Sent::Queued));
    assert_eq!(served.peer.read_frame().1.len(), MARK / 2);
    barrier(served.server);
    assert_eq!(served.events.so_far(), []);
}

#[test]
fn pongs_pings_and_close_are_exempt() {
    let mut served = stuffed();
    assert_eq!(
        served.ws.send_text("x").unwrap_err().code(),
        ErrorCode::OutboxFull
    );
    served.peer.send(&masked(0x89, b"alive?"));
    assert_eq!(served.events.next(), What::Ping(b"alive?".to_vec()));
    served.ws.ping(b"and you?").unwrap();
    served.ws.close(Some(1000), "").unwrap();
    read_plenty(&mut served.peer);
    assert_eq!(served.peer.read_frame(), (0x8a, b"alive?".to_vec()));
    assert_eq!(served.peer.read_frame(), (0x89, b"and you?".to_vec()));
    assert_eq!(served.peer.read_frame().0, 0x88);
}

/// What one `send` said, and what waited before and after it.
type Said = (u64, sockline::Result<Sent>, u64);

/// Sends in a callback until the outbox is full; returns what each send said and what waited before and after it.
fn fill(ws: WebSocket) -> Vec<Said> {
    let mut said = Vec::new();
    loop {
        let before = ws.buffered_amount();
        let result = ws.send_binary(&[said.len() as u8; 10_000]);
        let full = result.is_err();
        assert!(said.len() < 100_000, "send never says that it is too much");
        said.push((before, result, ws.buffered_amount()));
        if full {
            return said;
        }
    }
}

fn check(said: &[Said]) {
    for (before, result, after) in said {
        match result {
            Ok(Sent::Queued) => assert!(*after <= MARK as u64, "{before} → {after}"),
            Ok(Sent::OverMark) => assert!(
                *after > MARK as u64 && *before <= HARD as u64,
                "{before} → {after}"
            ),
            Ok(Sent::Dropped) => panic!("nothing is dropped without a policy that drops"),
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::OutboxFull);
                assert!(*before > HARD as u64 && before == after, "{before} → {after}");
            }
        }
    }
}

fn filling() -> (sockline::Loop, Events, Peer, Receiver<Vec<Said>>) {
    let (sender, filled) = bounded(1);
    let (handler, events) = reacting(move |ws, what| {
        if let What::Text(_) = what {
            sender.send(fill(ws)).unwrap();
        }
    });
    let on_loop = started();
    let server = serve(
        &on_loop,
        ServerOptions {
            settings: low(),
            ..local()
        },
        handler,
    );
    let mut peer = Peer::upgraded(port(server));
    events.open();
    peer.send(&masked(0x81, b"go"));
    events.text("go");
    (on_loop, events, peer, filled)
}

#[test]
fn inside_a_callback_what_send_says_is_exact() {
    let (_loop, events, mut peer, filled) = filling();
    let said = filled.recv_timeout(PATIENCE).unwrap();
    check(&said);
    assert!(said.len() > 20);
    for n in 0..said.len() - 1 {
        assert_eq!(
            peer.read_frame(),
            (0x82, vec![n as u8; 10_000]),
            "what was accepted arrives, in order"
        );
    }
    assert_eq!(events.next(), What::Drain);
    peer.send(&masked(0x81, b"again"));
    events.text("again");
    check(&filled.recv_timeout(PATIENCE).unwrap());
}

#[test]
fn from_another_thread_queued_bytes_count() {
    // The handler holds the loop, so what another thread sends stays queued.
    let (go_on, wait) = bounded::<()>(0);
    let (handler, events) = reacting(move |_, what| {
        if let What::Text(_) = what {
            wait.recv().unwrap();
        }
    });
    let on_loop = started();
    let server = serve(
        &on_loop,
        ServerOptions {
            settings: low(),
            ..local()
        },
        handler,
    );
    let mut peer = Peer::upgraded(port(server));
    let ws = events.open();
    peer.send(&masked(0x81, b"hold"));
    events.text("hold");
    let said = fill(ws);
    check(&said);
    let accepted = said.len() - 1;
    assert_eq!(
        accepted,
        HARD / 10_000 + 1,
        "only what waited before a message is compared with the limit"
    );
    assert_eq!(ws.buffered_amount(), accepted as u64 * 10_000);
    go_on.send(()).unwrap();
    for n in 0..accepted {
        assert_eq!(peer.read_frame(), (0x82, vec![n as u8; 10_000]));
    }
    assert_eq!(events.next(), What::Drain);
    barrier(server);
    assert_eq!((events.so_far(), ws.buffered_amount()), (vec![], 0));
}

#[test]
fn who_was_told_to_wait_by_another_thread_hears_of_what_the_kernel_took_at_once() {
    // Small enough for the kernel, by each of the ways: the cork's, beside its header, masked into the outbox.
    for size in [MARK - 100, 2 * MARK] {
        let mut served = served_with(settings(|it| {
            it.high_water_mark = 1000;
            it.ping_interval = std::time::Duration::ZERO; // a ping would look after it, too
        }));
        assert_eq!(served.ws.send_binary(&vec![3; size]), Ok(Sent::OverMark));
        assert_eq!(served.peer.read_frame().1.len(), size);
        assert_eq!(served.events.next(), What::Drain);
    }
}

#[test]
fn without_a_hard_limit_nothing_is_refused() {
    let mut served = served_with(settings(|it| it.hard_limit = 0));
    let payload = vec![3; 4 << 20];
    for _ in 0..10 {
        let _ = served.ws.send_binary(&payload).unwrap();
    }
    for _ in 0..10 {
        assert_eq!(served.peer.read_frame(), (0x82, payload.clone()));
    }
    assert_eq!(served.events.next(), What::Drain);
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let on_loop = started();
    let wrong = settings(|it| (it.high_water_mark, it.hard_limit) = (2, 1));
    let options = ServerOptions {
        settings: wrong,
        ..local()
    };
    let error = sockline::listen(Some(&on_loop), options, Some(recorder().0)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}

#[test]
fn what_waits_is_dropped_with_the_connection() {
    let served = stuffed();
    served.ws.terminate().unwrap();
    served.events.cut();
    barrier(served.server);
    assert_eq!(served.ws.buffered_amount(), 0);
    drop(served.on_loop);
    assert_eq!(served.events.so_far(), [], "no on_drain for what never left");
}

#[test]
fn a_handler_that_sends_until_it_is_told_to_wait_is_told_when_the_peer_has_gone() {
    let (gone, wait) = bounded::<()>(1);
    let (sender, result) = bounded(1);
    let (handler, events) = reacting(move |ws, what| {
        if let What::Text(_) = what {
            wait.recv().unwrap();
            sender.send(fill(ws).pop()).unwrap();
        }
    });
    let on_loop = started();
    let mut peer = Peer::upgraded(port(serve(&on_loop, local(), handler)));
    events.open();
    peer.send(&masked(0x81, b"go"));
    events.text("go");
    peer.reset();
    gone.send(()).unwrap();
    let (_, last, _) = result.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!(last.unwrap_err().code(), ErrorCode::Closed);
    assert_eq!(events.error().code(), ErrorCode::Io);
    events.cut();
}
