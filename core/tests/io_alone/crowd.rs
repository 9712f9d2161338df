//! Thousands of clients at once, and then none.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sockline::io::{Handler, Metrics, Server, ServerOptions, Socket};

use crate::ONE_AT_A_TIME;
use crate::heap::{allow_descriptors, heap};
use crate::support::child::{is_child, start, wait_for_parent};
use crate::support::routes::{get, post, response};
use crate::support::{PATIENCE, Peer, barrier, local, masked, port, started};

const POLLING: usize = 4000;
const WEBSOCKETS: usize = 8000;
/// What the loops keep, in bytes for each client at the most: a place for a connection, which the next one takes.
const KEPT: isize = 256;
/// What the process has open besides.
const OTHERS: u64 = 200;

/// Each socket is in a room with all others, and in one of some thousand smaller ones.
struct Rooms;

impl Handler for Rooms {
    fn on_connection(&self, socket: &Socket) {
        socket.join(&["all", &socket.id()[..2]]);
    }
}

#[test]
fn a_crowd_that_has_gone_leaves_nothing() {
    const TEST: &str = "crowd::a_crowd_that_has_gone_leaves_nothing";
    if is_child(TEST) {
        return clients();
    }
    let _turn = ONE_AT_A_TIME.lock();
    allow_descriptors((POLLING + WEBSOCKETS) as u64 + OTHERS);
    let on_loop = started();
    let handler = Arc::new(Rooms);
    let io_options = ServerOptions {
        ask_connecting: false,
        ping_interval: Duration::from_secs(600), // nobody answers pings, and a busy machine takes its time
        ..ServerOptions::default()
    };
    let io = Server::new(Some(&on_loop), io_options, handler.clone()).unwrap();
    let options = sockline::ServerOptions {
        routes: vec![io.route()],
        threads: 2,
        ..local()
    };
    let server = sockline::listen(Some(&on_loop), options, None).unwrap();
    // Some have come and gone before: what is made once is there.
    crowd(TEST, &io, server, 1, 1);
    let before = heap();
    let all = (POLLING + WEBSOCKETS) as isize;
    let there = (crowd(TEST, &io, server, POLLING, WEBSOCKETS) - before) / all;
    let left = (heap() - before) / all;
    println!("{there} bytes for each client, {left} when it has gone");
    assert_eq!(Arc::strong_count(&handler), 2, "this one and the server's");
    assert!(
        left < KEPT,
        "{left} of {there} bytes are left of each client that has gone"
    );
}

/// So many come, are told something, and go. Returns how much is allocated while they are there.
fn crowd(test: &str, io: &Server, server: sockline::Server, polling: usize, websockets: usize) -> isize {
    let mut child = start(test);
    child.say(&format!("{} {polling} {websockets}", port(server)));
    child.hear("there");
    let all = polling + websockets;
    let there = io.metrics();
    assert_eq!(
        (there.clients, there.polling_clients, there.sockets),
        (all as u64, polling as u64, all as u64)
    );
    assert_eq!(io.engine_clients(), all);
    assert_eq!(server.metrics().unwrap().connections, all as u64);
    let main = io.of("/");
    assert_eq!(main.to("all").sockets().len(), all);
    main.to("all").emit("news", "1", &[]).unwrap();
    child.hear("told");
    let crowded = heap();

    child.end();
    let since = Instant::now();
    while !nobody(&io.metrics()) || server.metrics().unwrap().connections > 0 {
        assert!(since.elapsed() < PATIENCE, "{:?}", io.metrics());
        barrier(server);
    }
    barrier(server);
    assert_eq!(
        (io.engine_clients(), main.sockets().len(), main.rooms().len()),
        (0, 0, 0)
    );
    crowded
}

fn nobody(metrics: &Metrics) -> bool {
    (metrics.clients, metrics.polling_clients, metrics.sockets) == (0, 0, 0)
}

// ---- the clients, in a process of their own

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

/// A stream that is read in pieces of more than a byte.
struct Buffered(BufReader<TcpStream>);

impl Read for Buffered {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.get_mut().flush()
    }
}

const NEWS: &[u8] = b"42[\"news\",1]";

type Client = Peer<Buffered>;

fn clients() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let numbers: Vec<usize> = line
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    let [port, polling, websockets] = numbers[..] else {
        panic!("{line}");
    };
    allow_descriptors((polling + websockets) as u64 + OTHERS);
    let port = port as u16;
    let mut polling = in_batches(polling, |count| open_polling(port, count));
    let mut websockets = in_batches(websockets, |count| open_websockets(port, count));
    println!("there ");
    polling.iter_mut().for_each(Polling::hears_the_news);
    for peer in &mut websockets {
        assert_eq!(peer.read_frame(), (0x81, NEWS.to_vec()));
    }
    println!("told ");
    wait_for_parent();
}

fn connect(port: u16) -> Client {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Peer {
        stream: Buffered(BufReader::with_capacity(1024, stream)),
    }
}

/// A client whose GET waits for news.
struct Polling {
    peer: Client,
    target: String,
}

impl Polling {
    /// Its session has begun, but it has not read of that yet.
    fn opened(mut peer: Client) -> Polling {
        let opened = String::from_utf8(response(&mut peer).1).unwrap();
        let sid = opened.split('"').nth(3).expect("a session's id");
        let target = format!("{OPEN}&sid={sid}");
        Polling { peer, target }
    }

    fn hears_the_news(&mut self) {
        assert_eq!(response(&mut self.peer).1, NEWS);
        self.park(); // so it is heard that it goes
    }

    fn park(&mut self) {
        self.peer.send(&get(&self.target));
    }
}

/// Each step for all of a batch, so that nobody waits for one answer alone.
fn in_batches<C>(count: usize, open: impl Fn(usize) -> Vec<C>) -> Vec<C> {
    const BATCH: usize = 100;
    (0..count)
        .step_by(BATCH)
        .flat_map(|done| open(BATCH.min(count - done)))
        .collect()
}

fn open_polling(port: u16, count: usize) -> Vec<Polling> {
    let mut peers: Vec<Client> = (0..count).map(|_| connect(port)).collect();
    peers.iter_mut().for_each(|peer| peer.send(&get(OPEN)));
    let mut clients: Vec<Polling> = peers.into_iter().map(Polling::opened).collect();
    for client in &mut clients {
        client.peer.send(&post(&client.target, b"40"));
    }
    for client in &mut clients {
        assert_eq!(response(&mut client.peer).1, b"ok");
        client.park();
    }
    for client in &mut clients {
        assert!(response(&mut client.peer).1.starts_with(b"40{"));
        client.park();
    }
    clients
}

fn open_websockets(port: u16, count: usize) -> Vec<Client> {
    const REQUEST: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
        Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut peers: Vec<Client> = (0..count).map(|_| connect(port)).collect();
    peers.iter_mut().for_each(|peer| peer.send(REQUEST));
    for peer in &mut peers {
        assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
        assert!(peer.read_frame().1.starts_with(b"0{"));
        peer.send(&masked(0x81, b"40"));
    }
    for peer in &mut peers {
        assert!(peer.read_frame().1.starts_with(b"40{"));
    }
    peers
}
