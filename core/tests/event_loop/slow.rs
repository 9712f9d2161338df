//! What a peer loses that takes messages more slowly than they are sent, by policy.

use crossbeam_channel::bounded;
use sockline::{ErrorCode, MessageType, SendOptions, SendOutcome, Sent, SlowConsumer, WebSocket};

use crate::support::{
    PATIENCE, Peer, Served, What, barrier, local, masked, port, reacting, serve, served_with, settings,
    started,
};

const LIMIT: usize = 100_000;
const PART: usize = 10_000;
/// More than the kernel's buffers between two local sockets hold.
const PLENTY: usize = 16 << 20;

fn policy(slow_consumer: SlowConsumer) -> sockline::Settings {
    settings(|it| {
        (it.high_water_mark, it.hard_limit) = (LIMIT / 2, LIMIT);
        it.slow_consumer = slow_consumer;
    })
}

/// A connection with one message that has begun to leave and goes no further until the peer reads.
fn stuffed(slow_consumer: SlowConsumer) -> Served {
    let served = served_with(policy(slow_consumer));
    assert_eq!(served.ws.send_binary(&vec![0; PLENTY]), Ok(Sent::OverMark));
    barrier(served.server);
    served
}

fn send(ws: WebSocket, n: u64) -> sockline::Result<Sent> {
    let options = SendOptions {
        token: Some(n),
        ..SendOptions::default()
    };
    ws.send_with(MessageType::Binary, &[n as u8; PART], &options)
}

#[track_caller]
fn read_part(peer: &mut Peer, n: u64) {
    let (first, payload) = peer.read_frame();
    assert_eq!((first, payload.len(), payload[0]), (0x82, PART, n as u8));
}

#[test]
fn drop_newest_drops_the_message_that_finds_no_room() {
    let mut served = stuffed(SlowConsumer::DropNewest);
    let waiting = served.ws.buffered_amount();
    assert_eq!(send(served.ws, 1), Ok(Sent::Dropped));
    assert_eq!(served.ws.send_text("without a token"), Ok(Sent::Dropped));
    assert_eq!(served.events.next(), What::Sent(1, SendOutcome::Dropped));
    assert_eq!(
        served.ws.buffered_amount(),
        waiting,
        "what is dropped doesn't wait"
    );
    assert_eq!(served.peer.read_frame().1.len(), PLENTY);
    assert_eq!(served.events.next(), What::Drain);
    assert_eq!(send(served.ws, 2), Ok(Sent::Queued));
    read_part(&mut served.peer, 2);
    assert_eq!(served.events.next(), What::Sent(2, SendOutcome::Taken));
}

#[test]
fn drop_oldest_keeps_the_latest_and_what_has_begun_to_leave() {
    let mut served = stuffed(SlowConsumer::DropOldest);
    for n in 1..=20 {
        assert_eq!(send(served.ws, n), Ok(Sent::OverMark));
        barrier(served.server);
    }
    // The message that has begun is over the limit by itself, so only one may wait behind it.
    for n in 1..20 {
        assert_eq!(served.events.next(), What::Sent(n, SendOutcome::Dropped));
    }
    assert_eq!(served.peer.read_frame().1.len(), PLENTY);
    read_part(&mut served.peer, 20);
    assert_eq!(served.events.next(), What::Sent(20, SendOutcome::Taken));
    assert_eq!(served.events.next(), What::Drain);
    assert_eq!(served.ws.buffered_amount(), 0);
}

#[test]
fn drop_oldest_keeps_control_frames() {
    let mut served = stuffed(SlowConsumer::DropOldest);
    for n in 1..=3 {
        assert_eq!(send(served.ws, n), Ok(Sent::OverMark));
        served.ws.ping(&[n as u8]).unwrap();
        served.peer.send(&masked(0x89, &[n as u8]));
        let heard = if n > 1 {
            vec![served.events.next(), served.events.next()]
        } else {
            vec![served.events.next()]
        };
        assert!(heard.contains(&What::Ping(vec![n as u8])));
        assert!(n == 1 || heard.contains(&What::Sent(n - 1, SendOutcome::Dropped)));
    }
    assert_eq!(served.peer.read_frame().1.len(), PLENTY);
    let frames: Vec<(u8, Vec<u8>)> = (0..6).map(|_| served.peer.read_frame()).collect();
    let controls = |first: u8| -> Vec<&[u8]> {
        let these = frames.iter().filter(|(byte, _)| *byte == first);
        these.map(|(_, payload)| payload.as_slice()).collect()
    };
    assert_eq!(controls(0x89), [[1], [2], [3]], "our pings");
    assert_eq!(
        controls(0x8a),
        [[1], [3]],
        "while one pong waits, only the latest ping is answered"
    );
    assert_eq!(controls(0x82), [[3; PART]]);
}

/// Sends so many in one callback; the peer gets them once it reads.
fn sending_in_a_callback(slow_consumer: SlowConsumer, count: u64) -> Vec<(u64, SendOutcome)> {
    let (sender, done) = bounded(1);
    let (handler, events) = reacting(move |ws, what| {
        if let What::Text(_) = what {
            let all: Vec<_> = (0..count).map(|n| send(ws, n)).collect();
            sender.send(all).unwrap();
        }
    });
    let on_loop = started();
    let options = sockline::ServerOptions {
        settings: policy(slow_consumer),
        ..local()
    };
    let server = serve(&on_loop, options, handler);
    let mut peer = Peer::upgraded(port(server));
    events.open();
    peer.send(&masked(0x81, b"go"));
    events.text("go");
    let said = done.recv_timeout(PATIENCE).unwrap();
    assert!(said.iter().all(|it| it.is_ok()), "{said:?}");
    barrier(server);
    let mut outcomes = Vec::new();
    while outcomes.len() < count as usize {
        match events.next_but_drain() {
            What::Sent(token, outcome) => outcomes.push((token, outcome)),
            other => panic!("{other:?}"),
        }
        let last = outcomes.last().copied();
        if let Some((n, SendOutcome::Taken)) = last {
            read_part(&mut peer, n);
        }
    }
    outcomes
}

#[test]
fn inside_a_callback_drop_oldest_loses_no_bounds_between_the_messages() {
    // Far more than sockets and limits hold together.
    let mut outcomes = sending_in_a_callback(SlowConsumer::DropOldest, 2_000);
    let dropped = outcomes
        .iter()
        .filter(|(_, outcome)| *outcome == SendOutcome::Dropped)
        .count();
    assert!(dropped > 0 && dropped < 2_000, "{dropped} dropped");
    let last = outcomes.last().copied();
    assert_eq!(last, Some((1_999, SendOutcome::Taken)), "the latest gets there");
    for outcome in [SendOutcome::Taken, SendOutcome::Dropped] {
        let of: Vec<u64> = outcomes
            .iter()
            .filter(|it| it.1 == outcome)
            .map(|it| it.0)
            .collect();
        assert!(of.is_sorted(), "{outcome:?} in order");
    }
    outcomes.sort_by_key(|(token, _)| *token);
    assert!(outcomes.iter().map(|it| it.0).eq(0..2_000), "each token once");
}

#[test]
fn close_tells_the_peer_and_the_application_why() {
    let mut served = served_with(policy(SlowConsumer::Close));
    assert_eq!(served.ws.send_binary(&vec![0; PLENTY]), Ok(Sent::OverMark));
    barrier(served.server);
    assert_eq!(send(served.ws, 1), Ok(Sent::Dropped));
    assert_eq!(served.events.next(), What::Sent(1, SendOutcome::Dropped));
    assert_eq!(
        send(served.ws, 2).unwrap_err().code(),
        ErrorCode::NotOpen,
        "it is closing now"
    );
    assert_eq!(
        served.peer.read_frame().1.len(),
        PLENTY,
        "what has begun is finished"
    );
    let (first, payload) = served.peer.read_frame();
    assert_eq!((first, &payload[..2]), (0x88, &1008_u16.to_be_bytes()[..]));
    assert_eq!(&payload[2..], b"slow consumer");
    served.peer.send(&masked(0x88, &payload));
    match served.events.next_but_drain() {
        What::Error(error) => assert_eq!(error.code(), ErrorCode::OutboxFull),
        other => panic!("{other:?}"),
    }
    served.events.clean(1008, "slow consumer");
}

#[test]
fn close_drops_what_has_not_begun() {
    let mut served = served_with(settings(|it| {
        (it.high_water_mark, it.hard_limit) = (LIMIT, PLENTY + LIMIT);
        it.slow_consumer = SlowConsumer::Close;
    }));
    assert!(served.ws.send_binary(&vec![0; PLENTY]).is_ok());
    let mut n = 0;
    while send(served.ws, n).unwrap() != Sent::Dropped {
        barrier(served.server);
        n += 1;
    }
    for token in (0..n).chain([n]) {
        let outcome = match served.events.next() {
            What::Sent(found, outcome) => (found, outcome),
            other => panic!("{other:?}"),
        };
        assert_eq!(outcome, (token, SendOutcome::Dropped));
    }
    assert_eq!(served.peer.read_frame().1.len(), PLENTY);
    assert_eq!(served.peer.read_frame().0, 0x88);
}

#[test]
fn a_broadcast_obeys_the_policy() {
    let mut served = stuffed(SlowConsumer::DropOldest);
    for text in ["one", "two", "three"] {
        served
            .server
            .broadcast(MessageType::Text, text.as_bytes())
            .unwrap();
    }
    assert_eq!(served.peer.read_frame().1.len(), PLENTY);
    assert_eq!(served.peer.read_frame(), (0x81, b"three".to_vec()));
    let mut served = stuffed(SlowConsumer::Close);
    served.server.broadcast(MessageType::Text, b"news").unwrap();
    assert_eq!(served.peer.read_frame().1.len(), PLENTY);
    assert_eq!(served.peer.read_frame().0, 0x88);
}

#[test]
fn while_the_loop_is_held_up_other_threads_are_bounded_too() {
    for slow_consumer in [
        SlowConsumer::DropNewest,
        SlowConsumer::DropOldest,
        SlowConsumer::Close,
    ] {
        let (go_on, wait) = bounded::<()>(0);
        let (handler, events) = reacting(move |_, what| {
            if let What::Text(_) = what {
                wait.recv().unwrap();
            }
        });
        let on_loop = started();
        let options = sockline::ServerOptions {
            settings: policy(slow_consumer),
            ..local()
        };
        let server = serve(&on_loop, options, handler);
        let mut peer = Peer::upgraded(port(server));
        let ws = events.open();
        peer.send(&masked(0x81, b"hold"));
        events.text("hold");
        let room = (LIMIT / PART + 1) as u64;
        for n in 0..3 * room {
            let dropped = send(ws, n) == Ok(Sent::Dropped);
            assert_eq!(dropped, n >= room, "{slow_consumer:?}, message {n}");
        }
        assert_eq!(ws.buffered_amount(), room * PART as u64);
        go_on.send(()).unwrap();
        (0..room).for_each(|n| read_part(&mut peer, n));
        if slow_consumer == SlowConsumer::Close {
            assert_eq!(peer.read_frame().0, 0x88);
        }
        let told = (0..3 * room).map(|_| events.next_but_drain());
        let dropped = told.filter(|it| matches!(it, What::Sent(_, SendOutcome::Dropped)));
        assert_eq!(dropped.count() as u64, 2 * room, "{slow_consumer:?}");
    }
}
