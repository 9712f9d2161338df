//! What is counted of loops and servers, and how Prometheus reads it.

use std::time::Instant;

use sockline::{ErrorCode, Server, ServerMetrics, ServerOptions, Totals, listen};

use crate::support::{PATIENCE, Peer, What, local, masked, port, reacting, recorder, serve, started};

/// The server's metrics, once they are as expected: what a connection leaves behind is counted when it has gone.
#[track_caller]
fn metrics(server: Server, expected: impl Fn(&ServerMetrics) -> bool) -> ServerMetrics {
    let since = Instant::now();
    loop {
        let metrics = server.metrics().unwrap();
        if expected(&metrics) {
            return metrics;
        }
        assert!(since.elapsed() < PATIENCE, "{metrics:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_server_sums_over_its_threads_and_over_those_that_have_gone() {
    const PEERS: u64 = 8;
    let on_loop = started();
    let (handler, events) = reacting(|ws, what| {
        if let What::Text(text) = what {
            let _ = ws.send_text(text).unwrap();
        }
    });
    let server = serve(
        &on_loop,
        ServerOptions {
            threads: 2,
            ..local()
        },
        handler,
    );
    let mut peers: Vec<Peer> = (0..PEERS).map(|_| Peer::upgraded(port(server))).collect();
    for peer in &mut peers {
        peer.send(&masked(0x81, b"hello").repeat(3));
        for _ in 0..3 {
            assert_eq!(peer.read_frame(), (0x81, b"hello".to_vec()));
        }
    }
    let full = metrics(server, |it| it.totals.messages_out == 3 * PEERS);
    assert_eq!((full.connections, full.accepted, full.refused), (PEERS, PEERS, 0));
    assert_eq!(
        (full.totals.messages_in, full.totals.frames_in),
        (3 * PEERS, 3 * PEERS)
    );
    // Three frames of 11 bytes, and the request; of 7, and the response.
    assert!(
        full.totals.bytes_in > 33 * PEERS && full.totals.bytes_out > 21 * PEERS,
        "{full:?}"
    );
    assert_eq!(full.totals.buffered, 0);

    peers.truncate(3);
    let left = metrics(server, |it| it.connections == 3);
    // What was sent last may have been counted after the first look.
    let bytes_out = left.totals.bytes_out;
    assert!(bytes_out >= full.totals.bytes_out, "what has gone still counts");
    assert_eq!(
        left.totals,
        Totals {
            bytes_out,
            ..full.totals
        }
    );
    let own = on_loop.metrics();
    assert!(
        own.turns > 0 && own.connections <= 3 && own.totals.messages_in <= 3 * PEERS,
        "{own:?}"
    );
    drop((peers, events));
}

#[test]
fn a_new_server_and_a_new_loop_begin_at_zero() {
    let (handler, _events) = recorder();
    let on_loop = started();
    let first = serve(&on_loop, local(), handler.clone());
    drop(Peer::upgraded(port(first)));
    metrics(first, |it| {
        it.accepted == 1 && it.connections == 0 && it.totals.bytes_in > 0
    });
    first.close(None, "").unwrap();
    while first.metrics().is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(first.metrics().unwrap_err().code(), ErrorCode::Closed);
    let second = serve(&on_loop, local(), handler);
    assert_eq!(second.metrics().unwrap(), ServerMetrics::default());
    assert!(on_loop.metrics().totals.bytes_in > 0);
}

#[test]
fn prometheus_reads_them_at_their_path() {
    let on_loop = started();
    let (handler, _events) = recorder();
    let options = ServerOptions {
        metrics_path: Some("/metrics".into()),
        ..local()
    };
    let server = serve(&on_loop, options, handler.clone());
    let mut peer = Peer::connect(port(server));
    for _ in 0..2 {
        peer.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = peer.read_head().to_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        let length = head
            .split("content-length: ")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap();
        let text = String::from_utf8(peer.read_exactly(length.parse().unwrap())).unwrap();
        assert!(text.contains("\nsockline_accepted_total 1\n"), "{text}");
        assert!(text.contains("\nsockline_connections 1\n"), "{text}");
        for sample in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = sample.split_once(' ').unwrap();
            assert!(value.parse::<u64>().is_ok(), "{sample}");
            let is_counter = text.contains(&format!("# TYPE {name} counter\n"));
            assert_eq!(is_counter, name.ends_with("_total"), "{sample}");
            assert!(text.contains(&format!("# HELP {name} ")), "{sample}");
        }
    }
    peer.send(b"POST /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(peer.read_head().starts_with("HTTP/1.1 405 "));
    let bad = ServerOptions {
        metrics_path: Some("metrics".into()),
        ..local()
    };
    let error = listen(Some(&on_loop), bad, Some(handler)).unwrap_err();
    assert!(error.text().contains("metrics_path"), "{error}");
}
