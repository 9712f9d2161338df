//! What needs a process of its own: descriptors, signals, forks, exits.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::libc;
use sockline::{ClientOptions, ErrorCode, Loop, LoopOptions, MessageType, connect, listen};

use crate::support::child::{in_child, start, wait_for_parent};
use crate::support::peer::REQUEST;
use crate::support::{
    Host, Peer, What, child, local, masked, pair, port, reacting, recorder, serve, started, url,
};

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn live_and_die() {
    let mut pair = pair();
    let _ = pair.client.send_text("hello").unwrap();
    pair.peer_events.text("hello");
    let (handler, events) = recorder();
    let url = url(port(pair.server));
    connect(Some(&pair.on_loop), &url, ClientOptions::default(), Some(handler)).unwrap();
    events.open();
    let _never_started = Loop::new(LoopOptions::default()).unwrap();
    listen(Some(&_never_started), local(), None).unwrap();
    pair.on_loop = started();
}

#[test]
fn many_loops_leave_no_descriptor_behind() {
    in_child("processes::many_loops_leave_no_descriptor_behind", || {
        live_and_die();
        let before = open_descriptors();
        (0..50).for_each(|_| live_and_die());
        assert_eq!(open_descriptors(), before);
        let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
        assert!(threads <= 2, "{threads} threads are left");
    });
}

#[test]
fn many_connections_leave_no_descriptor_behind() {
    in_child("processes::many_connections_leave_no_descriptor_behind", || {
        let (on_loop, (handler, events)) = (started(), recorder());
        let server_port = port(serve(&on_loop, local(), handler));
        let once = |polite: bool| {
            let mut peer = Peer::upgraded(server_port);
            events.open();
            if polite {
                peer.send(&masked(0x88, b""));
                assert_eq!(peer.read_frame().0, 0x88);
                assert_eq!(peer.read_to_end(), b"");
            }
            drop(peer);
            events.close();
        };
        once(true);
        Peer::upgraded(server_port); // what lingered before is gone when this is open
        events.open();
        events.close();
        let before = open_descriptors();
        (0..100).for_each(|n| once(n % 2 == 0));
        drop(on_loop);
        assert!(
            open_descriptors() < before,
            "the loop and the listener are gone too"
        );
    });
}

#[test]
fn a_forked_child_is_refused_and_the_parent_goes_on() {
    in_child(
        "processes::a_forked_child_is_refused_and_the_parent_goes_on",
        || {
            let pair = pair();
            // SAFETY: the child only calls the library, which refuses, and leaves by _exit.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: a child that hangs where it should be refused is ended, which its status tells.
                unsafe { libc::alarm(20) };
                let forked = |error: sockline::Error| error.code() == ErrorCode::Forked;
                let refused = [
                    Loop::new(LoopOptions::default()).is_err_and(forked),
                    connect(None, "ws://127.0.0.1:1/", ClientOptions::default(), None).is_err_and(forked),
                    listen(Some(&pair.on_loop), local(), None).is_err_and(forked),
                    pair.client.send_text("x").is_err_and(forked),
                    pair.client.close(None, "").is_err_and(forked),
                    pair.on_loop.poll(None).is_err_and(forked),
                    pair.on_loop.run().is_err_and(forked),
                    pair.server.broadcast(MessageType::Text, b"x").is_err_and(forked),
                ];
                pair.on_loop.wake();
                pair.on_loop.stop();
                drop(pair.on_loop);
                // SAFETY: ends the child without its inherited destructors.
                unsafe { libc::_exit(i32::from(refused.contains(&false))) };
            }
            let mut status = -1;
            // SAFETY: a child of this process, and a valid place for its status.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0, "something was not refused");
            let _ = pair.client.send_text("still here").unwrap();
            pair.peer_events.text("still here");
        },
    );
}

#[test]
fn sigpipe_at_its_default_does_not_kill() {
    in_child("processes::sigpipe_at_its_default_does_not_kill", || {
        // SAFETY: no other thread of this process changes signals.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        // Small ones go by the cork, big ones beside their header.
        for size in [10, 20_000] {
            send_into_a_broken_pipe(size);
        }
    });
}

/// On the caller's thread, for the library's own threads block all signals.
fn send_into_a_broken_pipe(size: usize) {
    let on_loop = Arc::new(Loop::new(LoopOptions::default()).unwrap());
    let (gone, wait) = crossbeam_channel::bounded::<()>(0);
    let (inner, payload) = (on_loop.clone(), vec![0; size]);
    let (handler, events) = reacting(move |ws, what| match what {
        What::Text(_) => {
            wait.recv().unwrap();
            assert!((0..1_000_000).any(|_| ws.send_binary(&payload).is_err()));
        }
        What::Close(_) => inner.stop(),
        _ => {}
    });
    let server_port = port(serve(&on_loop, local(), handler));
    let killed = std::thread::spawn(move || {
        let mut peer = Peer::upgraded(server_port);
        peer.send(&masked(0x81, b"go"));
        // A reset after the end of the stream is EPIPE; alone it would be ECONNRESET, which comes without a signal.
        peer.end_writing();
        peer.reset();
        gone.send(()).unwrap();
    });
    on_loop.run().unwrap();
    killed.join().unwrap();
    assert!(matches!(events.so_far().last(), Some(What::Close(_))));
}

#[test]
fn the_default_loop_does_not_hold_the_end_of_the_process() {
    let test = "processes::the_default_loop_does_not_hold_the_end_of_the_process";
    if child::is_child(test) {
        let (server_handler, client_handler) = (recorder(), recorder());
        let server = listen(None, local(), Some(server_handler.0)).unwrap();
        connect(
            None,
            &url(port(server)),
            ClientOptions::default(),
            Some(client_handler.0),
        )
        .unwrap();
        client_handler.1.open();
        server_handler.1.open();
        return; // with an open connection, a listener and a running thread
    }
    let mut talk = start(test);
    let output = talk.hear("test result:");
    assert!(output.starts_with("ok"), "{output}");
    talk.end();
}

/// Logs of level error, counted and printed by the child.
struct Errors(AtomicUsize);

static ERRORS: Errors = Errors(AtomicUsize::new(0));

impl log::Log for Errors {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() == log::Level::Error
    }
    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.fetch_add(1, Ordering::SeqCst);
            println!("\nERROR {}", record.args());
        }
    }
    fn flush(&self) {}
}

/// A server in a process that may open only a few more descriptors.
fn crowded_server() {
    log::set_logger(&ERRORS).unwrap();
    log::set_max_level(log::LevelFilter::Error);
    let on_loop = started();
    let server = serve(&on_loop, local(), recorder().0);
    let limit = libc::rlimit {
        rlim_cur: open_descriptors() as u64 + 4,
        rlim_max: 4096,
    };
    // SAFETY: a valid limit; it holds for this process only.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    println!("\nPORT {}", port(server));
    std::io::stdout().flush().unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    println!("\nERRORS {}", ERRORS.0.load(Ordering::SeqCst));
    wait_for_parent();
}

#[test]
fn accepting_recovers_when_there_are_descriptors_again_and_says_once_that_there_were_none() {
    let test =
        "processes::accepting_recovers_when_there_are_descriptors_again_and_says_once_that_there_were_none";
    if child::is_child(test) {
        return crowded_server();
    }
    let mut talk = start(test);
    let server_port = talk.hear("PORT").parse().unwrap();
    let ask = |_| {
        let mut peer = Peer::connect(server_port); // by the kernel's backlog
        peer.send(REQUEST.as_bytes());
        peer
    };
    let mut first = ask(());
    assert!(first.read_head().starts_with("HTTP/1.1 101 "));
    let mut peers: Vec<Peer> = (0..20).map(|_| ()).map(ask).collect();
    assert!(talk.hear("ERROR").contains("accepted"));
    // Each further one makes the server try, and the answer to a ping tells that it has.
    for _ in 0..5 {
        peers.push(ask(()));
        first.send(&masked(0x89, b""));
        assert_eq!(first.read_frame().0, 0x8a);
    }
    talk.say("COUNT");
    assert_eq!(talk.hear("ERRORS"), "1", "it is said once");
    for mut peer in peers {
        // As these end in turn, the next ones find room, though no new connection rings.
        assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    }
    talk.end();
}

#[test]
fn a_loop_without_a_descriptor_is_an_error() {
    in_child("processes::a_loop_without_a_descriptor_is_an_error", || {
        let host = Host::new();
        let first = started();
        let limit = libc::rlimit {
            rlim_cur: open_descriptors() as u64,
            rlim_max: 4096,
        };
        // SAFETY: a valid limit; it holds for this process only.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
        let _taken: Vec<_> = std::iter::from_fn(|| std::net::UdpSocket::bind("127.0.0.1:0").ok()).collect();
        assert_eq!(
            Loop::new(LoopOptions::default()).unwrap_err().code(),
            ErrorCode::OutOfResources
        );
        assert_eq!(
            listen(Some(&first), local(), None).unwrap_err().code(),
            ErrorCode::ListenFailed
        );
        let (handler, events) = recorder();
        connect(Some(&first), &host.url(), ClientOptions::default(), Some(handler)).unwrap();
        assert_eq!(events.error().code(), ErrorCode::ConnectFailed);
        events.cut();
    });
}
