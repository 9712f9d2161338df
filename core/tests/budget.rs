//! The memory budget of the process. One test after the other: they share it.

use parking_lot::{Mutex, MutexGuard};
use sockline::{
    ClientOptions, ErrorCode, Loop, LoopOptions, Result, Sent, Server, Settings, SlowConsumer, WebSocket,
    connect, memory_in_use, set_memory_budget,
};

mod support;

use support::routes::{ok, post, routed};
use support::{Events, Host, Peer, What, give, joined, local, masked, recorder, serve, settings, settle};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
const MIB: usize = 1 << 20;
/// More than the kernel's buffers between two local sockets hold.
const PLENTY: usize = 16 * MIB;

/// A server that this thread turns.
struct Scene {
    on_loop: Loop,
    server: Server,
    events: Events,
    _turn: MutexGuard<'static, ()>,
}

impl Scene {
    fn new(policy: SlowConsumer) -> Scene {
        let turn = ONE_AT_A_TIME.lock();
        set_memory_budget(0);
        assert_eq!(memory_in_use(), 0, "earlier tests have left nothing");
        let on_loop = Loop::new(LoopOptions::default()).unwrap();
        let (handler, events) = recorder();
        let settings = settings(|it| (it.hard_limit, it.slow_consumer) = (0, policy));
        let options = sockline::ServerOptions { settings, ..local() };
        let server = serve(&on_loop, options, handler);
        let scene = Scene {
            on_loop,
            server,
            events,
            _turn: turn,
        };
        scene.turn();
        scene
    }

    fn turn(&self) {
        settle(&self.on_loop);
    }

    fn give(&self, peer: &mut Peer, bytes: &[u8]) {
        give(&self.on_loop, peer, bytes);
    }

    fn join(&self) -> (WebSocket, Peer) {
        let peer = joined(&self.on_loop, self.server);
        (self.events.open(), peer)
    }

    /// Reads all that waits for this peer.
    fn drain(&self, ws: WebSocket, peer: &mut Peer) {
        use std::io::Read;
        peer.stream.set_nonblocking(true).unwrap();
        let mut buffer = vec![0; MIB];
        while ws.buffered_amount() > 0 {
            let _ = peer.stream.read(&mut buffer);
            self.turn();
        }
        peer.stream.set_nonblocking(false).unwrap();
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        set_memory_budget(0);
    }
}

fn elsewhere(send: impl FnOnce() -> Result<Sent> + Send + 'static) -> Result<Sent> {
    std::thread::spawn(send).join().unwrap()
}

fn code(sent: Result<Sent>) -> Option<ErrorCode> {
    sent.err().map(|error| error.code())
}

#[test]
fn over_the_budget_sends_fail_on_all_connections_and_control_frames_do_not() {
    let scene = Scene::new(SlowConsumer::Error);
    let (slow, mut slow_peer) = scene.join();
    let (other, mut other_peer) = scene.join();
    set_memory_budget(MIB);
    assert_eq!(
        slow.send_binary(&vec![0; PLENTY]),
        Ok(Sent::OverMark),
        "one message goes, whatever its length"
    );
    assert!(memory_in_use() > MIB);
    assert_eq!(memory_in_use() as u64, slow.buffered_amount());
    for ws in [slow, other] {
        assert_eq!(code(ws.send_text("no")), Some(ErrorCode::MemoryBudget));
        let sent = elsewhere(move || ws.send_text("no"));
        assert_eq!(code(sent), Some(ErrorCode::MemoryBudget));
        ws.ping(b"yes").unwrap();
    }
    scene.turn();
    assert_eq!(other_peer.read_frame(), (0x89, b"yes".to_vec()));
    scene.give(&mut other_peer, &masked(0x89, b"and"));
    assert_eq!(other_peer.read_frame(), (0x8a, b"and".to_vec()));

    scene.drain(slow, &mut slow_peer);
    assert_eq!(memory_in_use(), 0);
    assert_eq!(other.send_text("again"), Ok(Sent::Queued));
    assert_eq!(elsewhere(move || other.send_text("elsewhere")), Ok(Sent::Queued));
    scene.turn();
    assert_eq!(other_peer.read_frame(), (0x81, b"again".to_vec()));
    assert_eq!(other_peer.read_frame(), (0x81, b"elsewhere".to_vec()));
}

#[test]
fn what_a_handler_sends_is_judged_too() {
    let turn = ONE_AT_A_TIME.lock();
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    let (handler, events) = support::reacting(|ws, what| {
        if let What::Text(text) = what {
            assert_eq!(code(ws.send_text(text)), Some(ErrorCode::MemoryBudget));
        }
    });
    let server = serve(&on_loop, local(), handler);
    let scene = Scene {
        on_loop,
        server,
        events,
        _turn: turn,
    };
    scene.turn();
    let (slow, _slow_peer) = scene.join();
    let (_other, mut other_peer) = scene.join();
    let _ = slow.send_binary(&vec![0; PLENTY]).unwrap();
    set_memory_budget(MIB);
    scene.give(&mut other_peer, &masked(0x81, b"echo"));
    let heard = scene.events.so_far();
    assert!(heard.contains(&What::Text("echo".into())), "{heard:?}");
}

#[test]
fn under_the_policies_messages_go_as_over_the_hard_limit() {
    let scene = Scene::new(SlowConsumer::DropNewest);
    let (slow, _peer) = scene.join();
    set_memory_budget(MIB);
    let _ = slow.send_binary(&vec![0; PLENTY]).unwrap();
    assert_eq!(slow.send_text("newest"), Ok(Sent::Dropped));
    assert_eq!(elsewhere(move || slow.send_text("newest")), Ok(Sent::Dropped));
    drop(scene);

    let scene = Scene::new(SlowConsumer::DropOldest);
    let (slow, mut peer) = scene.join();
    let (other, _other_peer) = scene.join();
    let _ = slow.send_binary(&vec![0; PLENTY]).unwrap(); // this has begun to leave
    let stuck = memory_in_use();
    let part = vec![1; MIB];
    let _ = slow.send_binary(&part).unwrap();
    set_memory_budget(stuck + MIB / 2);
    assert_eq!(
        other.send_text("newest"),
        Ok(Sent::Dropped),
        "it has nothing older to give way"
    );
    assert_eq!(slow.send_text("latest"), Ok(Sent::OverMark), "which it has");
    assert_eq!(slow.metrics().unwrap().dropped, 1);
    assert_eq!(peer_reads(&scene, &mut peer), [PLENTY, 6]);
    drop(scene);

    let scene = Scene::new(SlowConsumer::Close);
    let (slow, _peer) = scene.join();
    let (other, _other_peer) = scene.join();
    set_memory_budget(MIB);
    let _ = slow.send_binary(&vec![0; PLENTY]).unwrap();
    assert_eq!(code(other.send_text("no")), Some(ErrorCode::MemoryBudget));
    assert_eq!(slow.send_text("no"), Ok(Sent::Dropped));
    assert_eq!(slow.ready_state(), sockline::ReadyState::Closing);
    assert_eq!(other.ready_state(), sockline::ReadyState::Open);
}

/// The lengths of the next two messages.
fn peer_reads(scene: &Scene, peer: &mut Peer) -> [usize; 2] {
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| [(); 2].map(|()| peer.read_frame().1.len()));
        while !reader.is_finished() {
            scene.turn();
        }
        reader.join().unwrap()
    })
}

#[test]
fn it_counts_all_that_is_kept_and_counts_it_back() {
    let scene = Scene::new(SlowConsumer::Error);
    let (ws, mut peer) = scene.join();
    // Queued by another thread.
    assert_eq!(elsewhere(move || ws.send_binary(&[1; 1000])), Ok(Sent::Queued));
    assert_eq!(memory_in_use(), 1000);
    scene.turn();
    assert_eq!(memory_in_use(), 0);
    assert_eq!(peer.read_frame().1.len(), 1000);
    // A message that is not complete.
    let message = masked(0x82, &[2; 100_000]);
    scene.give(&mut peer, &message[..60_000]);
    let arriving = memory_in_use();
    assert!((59_000..200_000).contains(&arriving), "{arriving}");
    scene.give(&mut peer, &message[60_000..]);
    assert_eq!(memory_in_use(), 0);
    // All of it, of connections that end.
    let _ = ws.send_binary(&vec![0; PLENTY]).unwrap();
    scene.give(&mut peer, &message[..60_000]);
    assert!(memory_in_use() > 59_000);
    ws.terminate().unwrap();
    scene.turn();
    assert_eq!(memory_in_use(), 0);
}

#[test]
fn messages_that_wait_for_a_handler_count() {
    let scene = Scene::new(SlowConsumer::Error);
    let host = Host::new();
    let ws = connect(
        Some(&scene.on_loop),
        &host.url(),
        ClientOptions {
            settings: Settings::client(),
            ..ClientOptions::default()
        },
        None,
    )
    .unwrap();
    scene.turn();
    let mut peer = host.accept();
    let head = std::thread::spawn(move || {
        let head = peer.read_head();
        (peer, head)
    });
    while !head.is_finished() {
        scene.turn();
    }
    let (mut peer, request) = head.join().unwrap();
    peer.send(support::peer::switching(&request).as_bytes());
    scene.turn();
    scene.give(&mut peer, &support::frame(0x82, &[7; 5000]));
    assert!(
        (5000..6000).contains(&memory_in_use()),
        "{} bytes",
        memory_in_use()
    );
    let (handler, events) = recorder();
    ws.set_handler(handler, 0).unwrap();
    scene.turn();
    assert_eq!(memory_in_use(), 0);
    events.open();
    assert_eq!(events.next(), What::Binary(vec![7; 5000]));
}

#[test]
fn a_requests_body_counts_while_it_comes() {
    let _turn = ONE_AT_A_TIME.lock();
    let (options, heard) = routed(|_| {});
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    let server = serve(&on_loop, options, recorder().0);
    settle(&on_loop);
    let mut peer = Peer::connect(support::port(server));
    let request = post("/r", &[b'x'; 30_000]);
    give(&on_loop, &mut peer, &request[..20_000]);
    assert_eq!(memory_in_use(), 20_000 - (request.len() - 30_000));
    give(&on_loop, &mut peer, &request[20_000..]);
    assert_eq!(memory_in_use(), 0, "it is the route's now");
    let exchange = heard.request().exchange;
    give(&on_loop, &mut peer, &request[..20_000]);
    assert_eq!(memory_in_use(), 20_000, "what is read ahead");
    exchange.respond(ok(&[]));
    settle(&on_loop);
    assert_eq!(memory_in_use(), 20_000 - (request.len() - 30_000));
    drop(peer);
    while server.metrics().unwrap().connections > 0 {
        support::turn(&on_loop, support::PATIENCE);
    }
    assert_eq!(memory_in_use(), 0);
}
