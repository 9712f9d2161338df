//! What is counted of a connection, frame by frame.

use sockline::{ConnectionMetrics, MessageType, Sent, SlowConsumer};

use crate::support::peer::{REQUEST, close_payload};
use crate::support::{What, barrier, frame, masked, pair, served, served_with, settings};

/// The counts after the opening handshake, which this peer has sent in one piece.
fn at_first(metrics: ConnectionMetrics) -> ConnectionMetrics {
    assert_eq!(metrics.bytes_in, REQUEST.len() as u64);
    assert_eq!((metrics.frames_in, metrics.frames_out), (0, 0));
    metrics
}

#[test]
fn every_frame_message_and_byte_is_counted_once() {
    let mut served = served();
    barrier(served.server); // the answer has left
    let first = at_first(served.ws.metrics().unwrap());
    let input = [
        masked(0x81, b"whole"),
        masked(0x01, b"in "),
        masked(0x89, b"ping"),
        masked(0x00, b"three "),
        masked(0x80, b"parts"),
        masked(0x8a, b"unasked"),
        masked(0x82, &[7; 70_000]),
    ]
    .concat();
    served.peer.send(&input);
    served.events.text("whole");
    assert_eq!(served.events.next(), What::Ping(b"ping".to_vec()));
    served.events.text("in three parts");
    assert_eq!(served.events.next(), What::Pong(b"unasked".to_vec()));
    assert_eq!(served.events.next(), What::Binary(vec![7; 70_000]));
    let mut output = frame(0x8a, b"ping");
    for payload in [&b"small"[..], &[3; 40_000]] {
        assert_eq!(served.ws.send_binary(payload), Ok(Sent::Queued));
        output.extend(frame(0x82, payload));
    }
    served.ws.ping(b"out").unwrap();
    output.extend(frame(0x89, b"out"));
    served.server.broadcast(MessageType::Text, b"to all").unwrap();
    output.extend(frame(0x81, b"to all"));
    assert_eq!(served.peer.read_exactly(output.len()), output);
    barrier(served.server);
    let expected = ConnectionMetrics {
        bytes_in: first.bytes_in + input.len() as u64,
        bytes_out: first.bytes_out + output.len() as u64,
        frames_in: 7,
        frames_out: 5,
        messages_in: 3,
        messages_out: 3,
        ..ConnectionMetrics::default()
    };
    assert_eq!(served.ws.metrics(), Some(expected));
    served.peer.send(&masked(0x88, &close_payload(1000, "")));
    assert_eq!(served.peer.read_frame().0, 0x88);
    served.events.clean(1000, "");
    drop(served.on_loop);
    assert_eq!(served.ws.metrics(), None, "nothing is left of it");
}

#[test]
fn inside_callbacks_the_counts_are_those_of_the_moment() {
    let (handler, events) = crate::support::reacting(|ws, what| {
        let metrics = ws.metrics().unwrap();
        match what {
            What::Text(text) => {
                let n: u64 = text.parse().unwrap();
                assert_eq!((metrics.messages_in, metrics.messages_out), (n, n - 1));
                let _ = ws.send_text(text).unwrap();
                assert_eq!(ws.metrics().unwrap().frames_out, n);
            }
            What::Close(_) => assert_eq!((metrics.messages_in, metrics.frames_in), (3, 4)),
            _ => {}
        }
    });
    let on_loop = crate::support::started();
    let server = crate::support::serve(&on_loop, crate::support::local(), handler);
    let mut peer = crate::support::Peer::upgraded(crate::support::port(server));
    events.open();
    let frames: Vec<u8> = (1..=3)
        .flat_map(|n| masked(0x81, format!("{n}").as_bytes()))
        .collect();
    peer.send(&frames);
    (1..=3).for_each(|n| events.text(&format!("{n}")));
    peer.send(&masked(0x88, b""));
    events.clean(1005, "");
    drop(on_loop); // a panic in a callback shows here
    for n in 1..=3 {
        assert_eq!(peer.read_frame(), (0x81, format!("{n}").into_bytes()));
    }
}

#[test]
fn both_ends_count_the_same() {
    let pair = pair();
    let sizes = [0, 100, 20_000, 100_000];
    for size in sizes {
        assert_eq!(pair.client.send_binary(&vec![1; size]), Ok(Sent::Queued));
        assert_eq!(pair.peer_events.next(), What::Binary(vec![1; size]));
    }
    barrier(pair.server);
    let (out, come) = (pair.client.metrics().unwrap(), pair.peer.metrics().unwrap());
    assert_eq!((out.messages_out, out.frames_out), (4, 4));
    assert_eq!((come.messages_in, come.frames_in), (4, 4));
    assert_eq!((out.bytes_out, out.bytes_in), (come.bytes_in, come.bytes_out));
}

#[test]
fn what_is_dropped_counts_as_that_and_not_as_sent() {
    let mut served = served_with(settings(|it| {
        (it.high_water_mark, it.hard_limit) = (1, 1000);
        it.slow_consumer = SlowConsumer::DropOldest;
    }));
    assert_eq!(served.ws.send_binary(&vec![0; 16 << 20]), Ok(Sent::OverMark));
    for _ in 0..4 {
        barrier(served.server);
        assert_eq!(served.ws.send_binary(&[1; 1000]), Ok(Sent::OverMark));
    }
    barrier(served.server);
    let metrics = served.ws.metrics().unwrap();
    assert_eq!(
        (metrics.messages_out, metrics.frames_out, metrics.dropped),
        (2, 2, 3)
    );
    assert_eq!(metrics.buffered, served.ws.buffered_amount());
    assert_eq!(served.peer.read_frame().1.len(), 16 << 20);
    assert_eq!(served.peer.read_frame().1.len(), 1000);
    let mut served = served_with(settings(|it| (it.high_water_mark, it.hard_limit) = (1, 1000)));
    assert_eq!(served.ws.send_binary(&vec![0; 16 << 20]), Ok(Sent::OverMark));
    served.server.broadcast(MessageType::Text, b"passes by").unwrap();
    barrier(served.server);
    let metrics = served.ws.metrics().unwrap();
    assert_eq!((metrics.messages_out, metrics.dropped), (1, 1));
    assert_eq!(served.peer.read_frame().1.len(), 16 << 20);
}
