//! What the tests of the event loop share: handlers that record, peers that speak bytes.
//!
//! Tests wait for events, never for time to pass: [`PATIENCE`] is only how long a broken build may hang.

#![allow(dead_code, unused_imports)] // each test program uses a part of it

pub mod child;
pub mod peer;
pub mod proxies;
pub mod record;
pub mod routes;

use std::sync::Arc;
use std::time::Duration;

use sockline::{
    Address, ClientOptions, Handler, Loop, LoopOptions, Server, ServerHandler, ServerOptions, Settings, Turn,
    UpgradeRequest, WebSocket, connect, listen,
};

pub use self::peer::{Host, Nobody, Peer, frame, masked};
pub use self::record::{Events, What, reacting, recorder};

pub const PATIENCE: Duration = Duration::from_secs(30);

/// A loop on a thread of its own.
pub fn started() -> Loop {
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    on_loop.start().unwrap();
    on_loop
}

/// On a port of 127.0.0.1 that the system chooses.
pub fn local() -> ServerOptions {
    ServerOptions {
        settings: settings(|_| {}),
        ..ServerOptions::new(Address::Tcp("127.0.0.1".to_owned(), 0))
    }
}

pub fn serve(on_loop: &Loop, options: ServerOptions, handler: Arc<dyn Handler>) -> Server {
    listen(Some(on_loop), options, Some(handler)).unwrap()
}

pub fn port(server: Server) -> u16 {
    server.local_address().unwrap().port()
}

pub fn url(port: u16) -> String {
    format!("ws://127.0.0.1:{port}/")
}

/// Our client and our server, open, on one loop.
pub struct Pair {
    pub client: WebSocket,
    pub client_events: Events,
    pub peer: WebSocket,
    pub peer_events: Events,
    pub server: Server,
    pub on_loop: Loop,
}

pub fn pair() -> Pair {
    let client = Settings {
        max_message: Settings::client().max_message,
        ..settings(|_| {})
    };
    pair_with(settings(|_| {}), client)
}

pub fn pair_with(server_settings: Settings, client_settings: Settings) -> Pair {
    let on_loop = started();
    let (server_handler, peer_events) = recorder();
    let server = serve(
        &on_loop,
        ServerOptions {
            settings: server_settings,
            ..local()
        },
        server_handler,
    );
    let (handler, client_events) = recorder();
    let options = ClientOptions {
        settings: client_settings,
        ..ClientOptions::default()
    };
    connect(Some(&on_loop), &url(port(server)), options, Some(handler)).unwrap();
    let (client, peer) = (client_events.open(), peer_events.open());
    Pair {
        client,
        client_events,
        peer,
        peer_events,
        server,
        on_loop,
    }
}

/// A server of ours and a peer that speaks bytes, upgraded.
pub struct Served {
    pub ws: WebSocket,
    pub events: Events,
    pub peer: Peer,
    pub server: Server,
    pub on_loop: Loop,
}

pub fn served() -> Served {
    served_with(settings(|_| {}))
}

pub fn served_with(settings: Settings) -> Served {
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, ServerOptions { settings, ..local() }, handler);
    let peer = Peer::upgraded(port(server));
    let ws = events.open();
    Served {
        ws,
        events,
        peer,
        server,
        on_loop,
    }
}

/// A client of ours and a server that speaks bytes, upgraded.
pub struct Connected {
    pub ws: WebSocket,
    pub events: Events,
    pub peer: Peer,
    pub on_loop: Loop,
}

pub fn connected_with(settings: Settings) -> Connected {
    let (on_loop, host) = (started(), Host::new());
    let (handler, events) = recorder();
    let options = ClientOptions {
        settings,
        ..ClientOptions::default()
    };
    connect(Some(&on_loop), &host.url(), options, Some(handler)).unwrap();
    let peer = host.accept_websocket(b"");
    let ws = events.open();
    Connected {
        ws,
        events,
        peer,
        on_loop,
    }
}

/// Has a loop that this thread turns take these bytes from a peer, and do all that comes of them.
pub fn give<S: std::io::Read + std::io::Write>(on_loop: &Loop, peer: &mut Peer<S>, bytes: &[u8]) {
    let expected = on_loop.metrics().totals.bytes_in + bytes.len() as u64;
    peer.send(bytes);
    while on_loop.metrics().totals.bytes_in < expected {
        turn(on_loop, Duration::from_millis(10));
    }
    settle(on_loop);
}

/// Turns a loop until it has done what it was asked to, without waiting for more.
pub fn settle(on_loop: &Loop) {
    for _ in 0..3 {
        turn(on_loop, Duration::ZERO);
    }
}

#[track_caller]
pub fn turn(on_loop: &Loop, wait: Duration) {
    assert_eq!(on_loop.poll(Some(wait)), Ok(Turn::Continue));
}

/// A peer of a server whose loop this thread turns, after the opening handshake.
pub fn joined(on_loop: &Loop, server: Server) -> Peer {
    settle(on_loop);
    let mut peer = Peer::connect(port(server));
    give(on_loop, &mut peer, peer::REQUEST.as_bytes());
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    peer
}

/// Returns when the loop of a server has turned after all that its sockets had received before.
pub fn barrier(server: Server) {
    let mut peer = Peer::connect(port(server));
    peer.send(b"GET / HTTP/1.1\r\nHost: barrier\r\n\r\n");
    assert!(!peer.read_to_end().is_empty());
}

/// An upgrade hook from a closure.
pub fn hook(on_upgrade: impl Fn(&UpgradeRequest<'_>) + Send + Sync + 'static) -> Arc<dyn ServerHandler> {
    struct Hook<F>(F);
    impl<F: Fn(&UpgradeRequest<'_>) + Send + Sync> ServerHandler for Hook<F> {
        fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
            (self.0)(request);
        }
    }
    Arc::new(Hook(on_upgrade))
}

/// Tells when a server is closed.
pub fn closed_server() -> (Arc<dyn ServerHandler>, crossbeam_channel::Receiver<Server>) {
    struct Closed(crossbeam_channel::Sender<Server>);
    impl ServerHandler for Closed {
        fn on_server_closed(&self, server: Server) {
            self.0.send(server).unwrap();
        }
    }
    let (sender, receiver) = crossbeam_channel::unbounded();
    (Arc::new(Closed(sender)), receiver)
}

/// Settings of a server with one of them changed. Nothing pings, nor gives up on a close, because a machine with much
/// else to do was slow.
pub fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings {
        ping_interval: Duration::ZERO,
        close_timeout: PATIENCE,
        ..Settings::server()
    };
    change(&mut settings);
    settings
}

/// A fresh folder; it goes when this is dropped.
pub struct TempDir(pub std::path::PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "sockline-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        TempDir(path)
    }

    pub fn file(&self, name: &str, content: &[u8]) -> std::path::PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
