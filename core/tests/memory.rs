//! What connections cost, counted by the allocator. One test after the other, because all share its count.

use parking_lot::Mutex;
use sockline::{Compression, Loop, LoopOptions, ServerOptions, Settings};

#[path = "support/heap.rs"]
mod heap;
mod support;

use heap::{allow_descriptors, heap, peak_above};
use support::routes::{get, ok, response, routed};
use support::{Peer, barrier, local, masked, port, recorder, serve, started};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// `count` connections that have exchanged a message, and a handler that records nothing.
fn connections(server_port: u16, count: usize) -> Vec<Peer> {
    let upgrade = |_| {
        let mut peer = Peer::upgraded(server_port);
        peer.send(&masked(0x81, b"hello"));
        assert_eq!(peer.read_frame(), (0x81, b"hello".to_vec()));
        peer
    };
    (0..count).map(upgrade).collect()
}

struct Echo;

impl sockline::Handler for Echo {
    fn on_message(&self, ws: sockline::WebSocket, message: sockline::Message<'_>) {
        let _ = ws.send(message.kind(), message.as_bytes()).unwrap();
    }
}

#[test]
fn an_idle_connection_costs_less_than_304_bytes() {
    const COUNT: usize = 2000;
    let _turn = ONE_AT_A_TIME.lock();
    allow_descriptors(2 * COUNT as u64 + 200);
    let on_loop = started();
    let server = serve(&on_loop, local(), std::sync::Arc::new(Echo));
    let warm = connections(port(server), 10);
    barrier(server);
    let before = heap();
    let mut all = Vec::with_capacity(COUNT);
    let own = heap() - before;
    all.extend(connections(port(server), COUNT));
    barrier(server);
    let each = (heap() - before - own) / COUNT as isize;
    assert!(each < 304, "{each} bytes for each connection");
    drop((all, warm));
}

#[test]
fn a_request_that_waits_for_its_answer_costs_little() {
    const COUNT: usize = 4000;
    let _turn = ONE_AT_A_TIME.lock();
    allow_descriptors(2 * COUNT as u64 + 200);
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, std::sync::Arc::new(Echo));
    let park = || {
        let mut peer = Peer::connect(port(server));
        peer.send(&get("/r"));
        let exchange = heard.request().exchange;
        (peer, exchange)
    };
    let warm = (0..10).map(|_| park()).collect::<Vec<_>>();
    barrier(server);
    let before = heap();
    let mut all = Vec::with_capacity(COUNT);
    let own = heap() - before;
    all.extend((0..COUNT).map(|_| park()));
    barrier(server);
    let each = (heap() - before - own) / COUNT as isize;
    assert!(each < 1024, "{each} bytes for each request that waits");
    for (mut peer, exchange) in all.into_iter().chain(warm) {
        exchange.respond(ok(b"at last"));
        assert_eq!(response(&mut peer).1, b"at last");
    }
}

#[test]
fn a_declared_huge_body_reserves_little() {
    let _turn = ONE_AT_A_TIME.lock();
    let (options, _heard) = routed(|route| route.max_body = u64::MAX);
    let on_loop = started();
    let server = serve(&on_loop, options, std::sync::Arc::new(Echo));
    barrier(server);
    let before = heap();
    let mut peer = Peer::connect(port(server));
    let cost = peak_above(before, || {
        peer.send(
            format!(
                "POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\nx",
                u64::MAX
            )
            .as_bytes(),
        );
        barrier(server);
    });
    assert!(
        cost < 128 << 10,
        "{cost} bytes for a length that was only declared"
    );
}

/// What each of many idle connections costs that agreed on compression and have compressed and inflated a message.
fn each_idle_with(compression: Option<Compression>) -> isize {
    const COUNT: usize = 4000;
    const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    /// 1,000 zeros as zlib compresses them.
    const ZEROS: [u8; 11] = [0x62, 0x60, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x0c, 0x77, 0, 0];
    allow_descriptors(2 * COUNT as u64 + 200);
    let on_loop = started();
    let settings = Settings {
        compression,
        ..Settings::server()
    };
    let server = serve(
        &on_loop,
        ServerOptions { settings, ..local() },
        std::sync::Arc::new(Echo),
    );
    let upgrade = |_| {
        let (mut peer, _) = Peer::upgraded_with(port(server), OFFER);
        let (first, payload) = match compression {
            None => (0x82, vec![0; 1000]),
            Some(_) => (0xc2, ZEROS.to_vec()),
        };
        peer.send(&masked(first, &payload));
        let echoed = peer.read_frame();
        assert!(
            echoed.0 == first && echoed.1.len() < payload.len() + 9,
            "{echoed:?}"
        );
        peer
    };
    // As many have been there before: so the loop's own lists have grown, and what is counted is one connection's.
    drop((0..COUNT + 10).map(upgrade).collect::<Vec<_>>());
    while server.metrics().unwrap().connections > 0 {
        barrier(server);
    }
    let warm = upgrade(0);
    barrier(server);
    let before = heap();
    let mut all = Vec::with_capacity(COUNT);
    let own = heap() - before;
    all.extend((0..COUNT).map(upgrade));
    barrier(server);
    let each = (heap() - before - own) / COUNT as isize;
    drop((all, warm));
    each
}

#[test]
fn compression_without_contexts_costs_an_idle_connection_nothing() {
    let _turn = ONE_AT_A_TIME.lock();
    let compression = Compression {
        threshold: 0,
        ..Compression::server()
    };
    let (without, with) = (each_idle_with(None), each_idle_with(Some(compression)));
    // What was agreed on; what few connections have, what is counted of compression among it; and the loop's own buffers
    // come and go, which is a few bytes each.
    assert!(
        with <= without + 24 + 56 + 24,
        "{with} bytes for each connection, {without} without"
    );
}

/// What each of many connections costs that keep the context in both directions, after so many messages of a kilobyte.
fn each_that_keeps_contexts(level: u32, messages: usize) -> isize {
    const COUNT: usize = 60;
    allow_descriptors(2 * COUNT as u64 + 200);
    let on_loop = started();
    let compression = Compression {
        threshold: 0,
        level,
        ..Compression::client()
    };
    let settings = Settings {
        compression: Some(compression),
        ..Settings::server()
    };
    let server = serve(
        &on_loop,
        ServerOptions { settings, ..local() },
        std::sync::Arc::new(Echo),
    );
    // Random hexadecimal digits, in a stored block: as long inflated as it is compressed.
    let message = |nth: usize| -> Vec<u8> {
        let digits = (0..64).map(|i| {
            format!(
                "{:016x}",
                ((nth << 8 | i) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            )
        });
        let text = digits.collect::<String>();
        let len = text.len() as u16;
        [
            &[0][..],
            &len.to_le_bytes(),
            &(!len).to_le_bytes(),
            text.as_bytes(),
            &[0],
        ]
        .concat()
    };
    let talk = |_| {
        let (mut peer, accepted) =
            Peer::upgraded_with(port(server), "Sec-WebSocket-Extensions: permessage-deflate\r\n");
        assert!(!accepted.contains("takeover"), "{accepted}");
        for nth in 0..messages {
            peer.send(&masked(0xc2, &message(nth)));
            assert_eq!(peer.read_frame().0, 0xc2);
        }
        peer
    };
    // What a loop has of its own: ten connections use all of its compressors.
    let warm: Vec<_> = (0..10).map(talk).collect();
    barrier(server);
    let before = heap();
    let mut all = Vec::with_capacity(COUNT);
    let own = heap() - before;
    all.extend((0..COUNT).map(talk));
    barrier(server);
    let each = (heap() - before - own) / COUNT as isize;
    drop((all, warm));
    each
}

#[test]
fn a_kept_context_costs_what_may_be_referred_to() {
    const KIB: isize = 1 << 10;
    let _turn = ONE_AT_A_TIME.lock();
    let once = each_that_keeps_contexts(2, 1);
    assert!(once < 3 * KIB, "{once} bytes after a message of 1 KiB each way");
    let long = each_that_keeps_contexts(2, 50);
    assert!(
        long < 41 * KIB,
        "{long} bytes after many: 8 KiB and a window of 32"
    );
    let thorough = each_that_keeps_contexts(6, 50);
    assert!(
        thorough < 65 * KIB,
        "{thorough} bytes after many: two windows of 32 KiB"
    );
    assert!(
        long > 36 * KIB && thorough > 60 * KIB,
        "nothing was measured: {long}, {thorough}"
    );
}

#[test]
fn a_declared_huge_length_reserves_little() {
    let _turn = ONE_AT_A_TIME.lock();
    let on_loop = started();
    let (handler, events) = recorder();
    let settings = Settings {
        max_message: 1 << 30,
        ..Settings::server()
    };
    let server = serve(&on_loop, ServerOptions { settings, ..local() }, handler);
    let mut peer = Peer::upgraded(port(server));
    events.open();
    barrier(server);
    let declared = [
        &[0x82, 0x80 | 127][..],
        &(1_u64 << 29).to_be_bytes(),
        &[0; 4],
        b"little",
    ]
    .concat();
    let before = heap();
    let cost = peak_above(before, || {
        peer.send(&declared);
        barrier(server);
    });
    assert!(
        cost < 128 << 10,
        "{cost} bytes for a length that was only declared"
    );
    drop(peer);
    events.cut();
}

#[test]
fn a_loop_is_small_whatever_the_limit_of_descriptors_is() {
    let _turn = ONE_AT_A_TIME.lock();
    allow_descriptors(1000);
    drop(Loop::new(LoopOptions::default()).unwrap());
    let before = heap();
    let cost = peak_above(before, || {
        let on_loop = Loop::new(LoopOptions::default()).unwrap();
        on_loop.poll(Some(std::time::Duration::ZERO)).unwrap();
    });
    assert!(cost < 256 << 10, "{cost} bytes for a loop");
    let left = heap() - before;
    assert!(left < 8192, "{left} bytes are left of it");
}

#[test]
fn what_ended_leaves_nothing() {
    let _turn = ONE_AT_A_TIME.lock();
    let round = || {
        let on_loop = started();
        let server = serve(&on_loop, local(), std::sync::Arc::new(Echo));
        drop(connections(port(server), 20));
        drop(on_loop);
    };
    round();
    round();
    let before = heap();
    (0..10).for_each(|_| round());
    let left = heap() - before;
    assert!(
        left < 4096,
        "{left} bytes are left of ten loops with twenty connections each"
    );
}

/// Acknowledges what comes; each socket is in a room.
struct IoEcho;

impl sockline::io::Handler for IoEcho {
    fn on_connection(&self, socket: &sockline::io::Socket) {
        socket.join(&["room"]);
    }

    fn on_event(&self, _socket: &sockline::io::Socket, event: sockline::io::Event<'_>) {
        let _ = event.ack.unwrap().send(event.args, &[]).unwrap();
    }
}

/// A Socket.IO client over a WebSocket that has joined the main namespace and got an answer.
fn io_client(server_port: u16) -> Peer {
    let mut peer = Peer::connect(server_port);
    peer.send(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
          Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    peer.read_frame();
    peer.send(&masked(0x81, b"40"));
    peer.read_frame();
    acknowledged(&mut peer);
    peer
}

fn acknowledged(peer: &mut Peer) {
    peer.send(&masked(0x81, b"420[\"msg\",\"hello\"]"));
    assert_eq!(peer.read_frame(), (0x81, b"430[\"hello\"]".to_vec()));
}

fn io_server(on_loop: &Loop) -> sockline::Server {
    let io_options = sockline::io::ServerOptions {
        ask_connecting: false,
        ..sockline::io::ServerOptions::default()
    };
    let io = sockline::io::Server::new(Some(on_loop), io_options, std::sync::Arc::new(IoEcho)).unwrap();
    let options = ServerOptions {
        routes: vec![io.route()],
        ..local()
    };
    sockline::listen(Some(on_loop), options, None).unwrap()
}

#[test]
fn an_idle_socket_io_client_costs_at_most_a_kibibyte() {
    // So many fill the tables less than 10,000 do, because these have just grown.
    const COUNT: usize = 4000;
    let _turn = ONE_AT_A_TIME.lock();
    allow_descriptors(2 * COUNT as u64 + 200);
    let on_loop = started();
    let server = io_server(&on_loop);
    let warm: Vec<Peer> = (0..10).map(|_| io_client(port(server))).collect();
    barrier(server);
    let before = heap();
    let mut all = Vec::with_capacity(COUNT);
    let own = heap() - before;
    all.extend((0..COUNT).map(|_| io_client(port(server))));
    barrier(server);
    let each = (heap() - before - own) / COUNT as isize;
    // Of 10,000 clients the resident memory is to grow by 1,024 bytes each: tables that have grown are half empty, and the
    // system's allocator has its own share of four blocks.
    assert!(each <= 744, "{each} bytes for each client");
    drop((all, warm));
}

#[test]
fn timers_that_another_thread_sets_and_takes_back_leave_nothing() {
    const COUNT: u64 = 100_000;
    struct Nobody;
    impl sockline::Timed for Nobody {
        fn due(self: std::sync::Arc<Self>, _: u64) {}
    }
    let _turn = ONE_AT_A_TIME.lock();
    let on_loop = started();
    let home = sockline::Home::of_loop(&on_loop);
    let settle = || {
        let (done, is_done) = std::sync::mpsc::channel();
        assert!(home.run(Box::new(move || done.send(()).unwrap())));
        is_done.recv().unwrap();
    };
    let somebody: std::sync::Arc<dyn sockline::Timed> = std::sync::Arc::new(Nobody);
    let weak = std::sync::Arc::downgrade(&somebody);
    let set_and_take_back = |count: u64| {
        let hour = home.now() + 3_600_000;
        let mut keys = Vec::with_capacity(count as usize);
        // A thousand for each time, which come nearer.
        keys.extend((0..count).map(|number| {
            let at = hour - number / 1000;
            (at, home.at(at, weak.clone()))
        }));
        settle();
        let most = heap();
        for (at, key) in keys {
            home.forget(at, key, &weak);
        }
        settle();
        most
    };
    set_and_take_back(1000);
    let before = heap();
    let most = set_and_take_back(COUNT);
    let left = heap() - before;
    assert!(
        most - before > 1_000_000 && left < 20_000,
        "{left} bytes of {}",
        most - before
    );
    assert_eq!(std::sync::Arc::weak_count(&somebody), 1);
}
