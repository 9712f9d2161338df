//! What the protocol machine costs per message, without any I/O: `cargo bench --bench ws_machine`.
//!
//! Nanoseconds per message, the best of several runs: what the code costs when nothing disturbs it. `receive` reads
//! masked frames as a server does, many to a buffer that stays in the nearest cache. Their mask is zero, so that the
//! payload is the same after each round, at the same cost.

use std::hint::black_box;
use std::time::Instant;

use sockline::ws::{Agreement, Compression, Config, Connection, Event, MessageType, Payload, Role, Scratch};

const RUNS: usize = 15;
const INPUT: usize = 16 << 10;
const READ: usize = 64 << 10;

fn main() {
    println!(
        "{:<8} {:>8} {:>12} {:>12} {:>12}",
        "kind", "bytes", "receive", "send masked", "send plain"
    );
    for kind in [MessageType::Binary, MessageType::Text] {
        for len in [0, 16, 64, 125, 126, 1 << 10, 16 << 10, 60 << 10] {
            let payload = vec![b'a'; len];
            println!(
                "{:<8} {len:>8} {:>12.1} {:>12.1} {:>12.1}",
                format!("{kind:?}"),
                receive(kind, &payload),
                send(Role::Client, kind, &payload),
                send(Role::Server, kind, &payload),
            );
        }
    }
    println!(
        "text of 1 MiB in reads of 64 KiB, put together: {:.0} ns",
        receive_large()
    );
    compressed();
    compressed_in_turns();
}

/// Microseconds to compress and to inflate a JSON message, and the bytes of its frame, by zlib's level.
fn compressed() {
    println!(
        "\n{:<8} {:>8} {:>6} {:>8} {:>9} {:>9}",
        "context", "bytes", "level", "frame", "deflate", "inflate"
    );
    for (context, len) in [("none", 1 << 10), ("none", 16 << 10), ("kept", 1 << 10)] {
        for level in [1, 2, 3, 4, 6, 9] {
            let wanted = Compression {
                level,
                threshold: 0,
                ..Compression::server()
            };
            let agreed = Agreement {
                server_no_context_takeover: context == "none",
                client_no_context_takeover: context == "none",
                server_max_window_bits: None,
                client_max_window_bits: None,
            };
            let (frame, deflate, inflate) = deflate_and_inflate(&agreed, &wanted, &json(len));
            println!(
                "{context:<8} {len:>8} {level:>6} {frame:>8} {:>9.1} {:>9.1}",
                deflate / 1000.0,
                inflate / 1000.0
            );
        }
    }
}

/// The same for connections that take turns, and each of which keeps its context.
fn compressed_in_turns() {
    println!(
        "\n{:<12} {:>6} {:>8} {:>9}",
        "connections", "level", "frame", "deflate"
    );
    let agreed = Agreement {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: None,
        client_max_window_bits: None,
    };
    let messages: Vec<_> = json(1 << 20).chunks_exact(1 << 10).map(<[u8]>::to_vec).collect();
    for (count, level) in [1, 8, 9, 64, 512]
        .into_iter()
        .flat_map(|count| [(count, 2), (count, 6)])
    {
        let wanted = Compression {
            level,
            threshold: 0,
            ..Compression::client()
        };
        let mut all: Vec<_> = (0..count)
            .map(|_| Connection::with_deflate(Role::Server, 0, &agreed, &wanted))
            .collect();
        let (mut scratch, mut out, mut nth, mut bytes) = (Scratch::new(), Vec::new(), 0, 0);
        let mut next = || {
            out.clear();
            let message = &messages[nth / count % messages.len()];
            all[nth % count]
                .send(MessageType::Text, message, &mut scratch, &mut out)
                .unwrap();
            (nth, bytes) = (nth + 1, bytes + out.len());
        };
        // Until there is a context.
        (0..40 * count).for_each(|_| next());
        let deflate = best(1, &mut next) / 1000.0;
        println!("{count:<12} {level:>6} {:>8} {deflate:>9.1}", bytes / nth);
    }
}

fn deflate_and_inflate(agreed: &Agreement, wanted: &Compression, payload: &[u8]) -> (usize, f64, f64) {
    let mut server = Connection::with_deflate(Role::Server, 0, agreed, wanted);
    let mut client = Connection::with_deflate(Role::Client, 0, agreed, wanted);
    let (config, mut scratch, mut out) = (Config::client(), Scratch::new(), Vec::new());
    let mut send = |out: &mut Vec<u8>, scratch: &mut Scratch| {
        out.clear();
        server
            .send(MessageType::Text, black_box(payload), scratch, out)
            .unwrap();
    };
    let deflate = best(1, || send(&mut out, &mut scratch));
    let frame = out.len();
    // A context has to see every message, so both ends take part, and the one's share is known.
    let both = best(1, || {
        send(&mut out, &mut scratch);
        let mut at = 0;
        while at < out.len() {
            let received = client.receive(&mut out[at..], 1, &config, &mut scratch, &mut Vec::new());
            at += received.consumed;
            if let Some(Event::Message {
                payload: Payload::Owned(spent),
                ..
            }) = received.event
            {
                scratch.recycle(spent);
            }
        }
    });
    (frame, deflate, both - deflate)
}

/// What a service would send: some names again and again, and values that differ.
fn json(len: usize) -> Vec<u8> {
    let mut text = String::from("[");
    let mut random = 1_u32;
    while text.len() < len {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (id, price) = (random >> 12, f64::from(random >> 20) / 100.0);
        text += &format!(
            r#"{{"id":{id},"symbol":"S{}","price":{price},"bid":true}},"#,
            random >> 24
        );
    }
    text.truncate(len);
    text.into_bytes()
}

/// Nanoseconds for one message that lies whole in the input.
fn receive(kind: MessageType, payload: &[u8]) -> f64 {
    let mut server = Connection::new(Role::Server, 0);
    let (config, mut scratch, mut out) = (Config::server(), Scratch::new(), Vec::new());
    let frame = zero_masked(kind, payload);
    let messages = (INPUT / frame.len()).max(1);
    let mut input = frame.repeat(messages);
    best(messages, || {
        let mut at = 0;
        while at < input.len() {
            let received = server.receive(&mut input[at..], 1, &config, &mut scratch, &mut out);
            at += received.consumed;
            match received.event {
                Some(Event::Message { payload, .. }) => black_box(payload.len()),
                event => panic!("{event:?}"),
            };
        }
    })
}

/// Nanoseconds to encode one message, many into one buffer.
fn send(role: Role, kind: MessageType, payload: &[u8]) -> f64 {
    let mut connection = Connection::new(role, 0);
    let (mut scratch, mut out) = (Scratch::new(), Vec::with_capacity(2 * READ));
    let messages = (INPUT / (payload.len() + 14)).max(1);
    best(messages, || {
        out.clear();
        for _ in 0..messages {
            connection
                .send(kind, black_box(payload), &mut scratch, &mut out)
                .unwrap();
        }
        black_box(&out);
    })
}

/// Nanoseconds for a message that arrives in reads of 64 KiB, without the reads.
fn receive_large() -> f64 {
    let mut server = Connection::new(Role::Server, 0);
    let (config, mut scratch, mut out) = (Config::server(), Scratch::new(), Vec::new());
    let mut input = zero_masked(MessageType::Text, &vec![b'a'; 1 << 20]);
    best(1, || {
        for part in input.chunks_mut(READ) {
            let received = server.receive(part, 1, &config, &mut scratch, &mut out);
            black_box(received.event.is_some());
        }
    })
}

/// A client's frame with the mask zero.
fn zero_masked(kind: MessageType, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    Connection::new(Role::Server, 0)
        .send_header(kind, payload.len(), &mut frame)
        .unwrap();
    frame[1] |= 0x80;
    [frame.as_slice(), &[0; 4], payload].concat()
}

/// Nanoseconds of one of the `messages` in `round`: the best of some runs of about 10 ms.
fn best(messages: usize, mut round: impl FnMut()) -> f64 {
    let start = Instant::now();
    round();
    let rounds = (10_000_000 / start.elapsed().as_nanos().max(1)).clamp(1, 100_000);
    let times = (0..RUNS).map(|_| {
        let start = Instant::now();
        (0..rounds).for_each(|_| round());
        start.elapsed().as_nanos() as f64 / (rounds as usize * messages) as f64
    });
    times.fold(f64::INFINITY, f64::min)
}
