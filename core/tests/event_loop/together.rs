//! The output of many sockets by one system call, and each by itself where the system does not allow that.

use sockline::{Loop, LoopOptions, MessageType, Server};

use crate::support::child::in_child;
use crate::support::{
    Events, Peer, What, barrier, joined, local, masked, port, reacting, recorder, serve, settings, settle,
};

/// From one socket on, so that nothing depends on how many a turn has to do with.
fn together() -> LoopOptions {
    LoopOptions {
        send_batch: 1,
        ..LoopOptions::default()
    }
}

fn started(options: LoopOptions) -> Loop {
    let on_loop = Loop::new(options).unwrap();
    on_loop.start().unwrap();
    on_loop
}

/// A server with this many peers, all open.
fn many(on_loop: &Loop, count: usize) -> (Server, Vec<Peer>, Events) {
    let (handler, events) = recorder();
    let server = serve(on_loop, local(), handler);
    let peers = (0..count).map(|_| Peer::upgraded(port(server))).collect();
    (0..count).for_each(|_| _ = events.open());
    (server, peers, events)
}

/// Sends this to all peers, and has them read it.
fn tell(server: Server, peers: &mut [Peer], text: &str) {
    server.broadcast(MessageType::Text, text.as_bytes()).unwrap();
    for peer in peers {
        assert_eq!(peer.read_frame(), (0x81, text.as_bytes().to_vec()));
    }
}

/// How many sends have left together, on a loop that this thread turns, or else behind a [`barrier`].
fn sent_together(on_loop: &Loop) -> u64 {
    on_loop.metrics().batched_sends
}

/// Whether this system has what is needed, asked of it directly.
#[cfg(target_os = "linux")]
fn has_io_uring() -> bool {
    use std::os::fd::{FromRawFd, OwnedFd};
    const FEATURES: usize = 5;
    const SKIPS_COMPLETIONS: u32 = 1 << 11;
    let mut parameters = [0_u32; 30];
    // SAFETY: the parameters are as long as the system asks for; it returns a fresh descriptor or -1.
    let fd = unsafe { nix::libc::syscall(nix::libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    if fd < 0 {
        return false;
    }
    // SAFETY: it is ours, and open.
    drop(unsafe { OwnedFd::from_raw_fd(fd as i32) });
    parameters[FEATURES] & SKIPS_COMPLETIONS != 0
}

#[cfg(not(target_os = "linux"))]
fn has_io_uring() -> bool {
    false
}

#[test]
fn a_broadcast_leaves_by_few_calls_where_there_is_io_uring() {
    let options = LoopOptions {
        send_batch: 8,
        ..LoopOptions::default()
    };
    let on_loop = Loop::new(options).unwrap();
    let server = serve(&on_loop, local(), recorder().0);
    let mut peers: Vec<Peer> = (0..300).map(|_| joined(&on_loop, server)).collect();
    let before = on_loop.metrics();
    assert_eq!(before.batched_sends, 0, "nothing was for many yet");
    server.broadcast(MessageType::Text, b"to all").unwrap();
    on_loop.flush().unwrap();
    for peer in &mut peers {
        assert_eq!(peer.read_frame(), (0x81, b"to all".to_vec()));
    }
    let metrics = on_loop.metrics();
    // In calls of 256.
    let expected = if has_io_uring() { (2, 300) } else { (0, 0) };
    assert_eq!((metrics.batches, metrics.batched_sends), expected);
    assert_eq!(server.metrics().unwrap().batched_sends, expected.1);
    assert_eq!(metrics.totals.bytes_out - before.totals.bytes_out, 300 * 8);
    assert_eq!(metrics.totals.buffered, 0);
}

#[test]
fn few_sockets_send_by_themselves_and_all_do_if_the_loop_is_told_so() {
    let on_loop = started(LoopOptions {
        send_batch: 8,
        ..LoopOptions::default()
    });
    let (server, mut peers, _events) = many(&on_loop, 7);
    tell(server, &mut peers, "to few");
    let never = started(LoopOptions {
        send_batch: usize::MAX,
        ..LoopOptions::default()
    });
    let (other, mut others, _other_events) = many(&never, 50);
    tell(other, &mut others, "to many");
    barrier(server);
    barrier(other);
    assert_eq!((sent_together(&on_loop), sent_together(&never)), (0, 0));
}

/// Of messages so big that the system takes a part of one now and then.
#[test]
fn who_reads_late_gets_every_byte_in_order_and_the_others_do_not_wait() {
    const MESSAGES: u8 = 200;
    let on_loop = started(together());
    let (server, mut quick, _events) = many(&on_loop, 10);
    let mut late: Vec<Peer> = (0..10).map(|_| Peer::upgraded(port(server))).collect();
    let message = |number: u8| vec![number; 15_000 + usize::from(number)];
    for number in 0..MESSAGES {
        // Two make two pieces.
        for number in [number, !number] {
            server.broadcast(MessageType::Binary, &message(number)).unwrap();
        }
        for peer in &mut quick {
            for number in [number, !number] {
                assert_eq!(peer.read_frame(), (0x82, message(number)));
            }
        }
    }
    for peer in &mut late {
        for number in 0..MESSAGES {
            for number in [number, !number] {
                assert!(peer.read_frame() == (0x82, message(number)), "message {number}");
            }
        }
    }
    barrier(server);
    assert_eq!(has_io_uring(), sent_together(&on_loop) > 0);
}

/// The system says so at the send, since the loop does not look at its sockets before.
#[test]
fn a_peer_that_has_gone_is_noticed_among_the_others() {
    let on_loop = Loop::new(together()).unwrap();
    let (handler, events) = recorder();
    let server = serve(&on_loop, local(), handler);
    let mut peers: Vec<Peer> = (0..12).map(|_| joined(&on_loop, server)).collect();
    (0..12).for_each(|_| _ = events.open());
    for gone in peers.drain(3..6) {
        gone.reset();
    }
    server.broadcast(MessageType::Text, b"who is there?").unwrap();
    on_loop.flush().unwrap();
    let tried = if has_io_uring() { 12 } else { 0 };
    assert_eq!(sent_together(&on_loop), tried);
    for peer in &mut peers {
        assert_eq!(peer.read_frame(), (0x81, b"who is there?".to_vec()));
    }
    settle(&on_loop);
    for _ in 0..3 {
        assert!(events.error().to_string().contains("sending failed"));
        events.cut();
    }
    assert_eq!((events.so_far(), on_loop.metrics().connections), (vec![], 9));
}

#[test]
fn a_consumer_at_its_limit_hears_that_there_is_room_again() {
    let on_loop = started(together());
    let (handler, events) = recorder();
    let mut options = local();
    options.settings = settings(|it| (it.high_water_mark, it.hard_limit) = (100_000, 1 << 30));
    let server = serve(&on_loop, options, handler);
    let mut peer = Peer::upgraded(port(server));
    let ws = events.open();
    let count = (0..)
        .take_while(|number: &u64| {
            server
                .broadcast(MessageType::Binary, &number.to_be_bytes().repeat(2_000))
                .unwrap();
            ws.buffered_amount() < 1 << 20
        })
        .count() as u64;
    for number in 0..=count {
        assert_eq!(peer.read_frame(), (0x82, number.to_be_bytes().repeat(2_000)));
    }
    assert_eq!(events.next(), What::Drain);
    assert_eq!(ws.buffered_amount(), 0);
}

/// The answers of a turn's handlers to other sockets, and the close frame behind them, keep their order.
#[test]
fn what_a_turn_sends_to_others_keeps_its_order_up_to_the_close() {
    let on_loop = started(together());
    let everybody = std::sync::Arc::new(parking_lot::Mutex::new(Vec::<sockline::WebSocket>::new()));
    let all = everybody.clone();
    let (handler, events) = reacting(move |ws, what| match what {
        What::Open => all.lock().push(ws),
        What::Text(_) => {
            for other in all.lock().iter() {
                let _ = other.send_text("first").unwrap();
                let _ = other.send_binary(&[7; 40_000]).unwrap();
                let _ = other.send_text("last").unwrap();
                other.close(Some(1000), "").unwrap();
            }
        }
        _ => {}
    });
    let server = serve(&on_loop, local(), handler);
    let mut peers: Vec<Peer> = (0..20).map(|_| Peer::upgraded(port(server))).collect();
    (0..20).for_each(|_| _ = events.open());
    peers[4].send(&masked(0x81, b"go"));
    for peer in &mut peers {
        assert_eq!(peer.read_frame(), (0x81, b"first".to_vec()));
        assert_eq!(peer.read_frame(), (0x82, vec![7; 40_000]));
        assert_eq!(peer.read_frame(), (0x81, b"last".to_vec()));
        assert_eq!(peer.read_frame().0, 0x88);
        peer.send(&masked(0x88, &1000_u16.to_be_bytes()));
        assert_eq!(peer.read_to_end(), b"");
    }
}

#[test]
fn loops_that_send_together_leave_no_descriptor_behind() {
    in_child(
        "together::loops_that_send_together_leave_no_descriptor_behind",
        || {
            let live_and_die = || {
                let on_loop = started(together());
                let (server, mut peers, _events) = many(&on_loop, 3);
                tell(server, &mut peers, "hello");
                barrier(server);
                assert_eq!(has_io_uring(), sent_together(&on_loop) > 0);
            };
            let open_descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
            live_and_die();
            let before = open_descriptors();
            (0..20).for_each(|_| live_and_die());
            assert_eq!(open_descriptors(), before);
        },
    );
}

/// A loop that this thread turns, whose server has told two peers something together.
#[cfg(target_os = "linux")]
fn hosted() -> (Loop, Server, Vec<Peer>) {
    let on_loop = Loop::new(together()).unwrap();
    let server = serve(&on_loop, local(), recorder().0);
    let mut peers: Vec<Peer> = (0..2).map(|_| joined(&on_loop, server)).collect();
    server.broadcast(MessageType::Text, b"before").unwrap();
    settle(&on_loop);
    for peer in &mut peers {
        assert_eq!(peer.read_frame(), (0x81, b"before".to_vec()));
    }
    (on_loop, server, peers)
}

#[cfg(target_os = "linux")]
#[test]
fn a_forked_child_does_not_touch_what_its_parent_sends_with() {
    in_child(
        "together::a_forked_child_does_not_touch_what_its_parent_sends_with",
        || {
            let (on_loop, server, mut peers) = hosted();
            server.broadcast(MessageType::Text, b"once").unwrap(); // waits for the next turn
            // SAFETY: the child only calls the library, which refuses, and leaves by _exit.
            let child = unsafe { nix::libc::fork() };
            if child == 0 {
                let refused = on_loop.flush().is_err() && on_loop.poll(None).is_err();
                drop(on_loop);
                // SAFETY: ends the child without its inherited destructors.
                unsafe { nix::libc::_exit(i32::from(!refused)) };
            }
            let mut status = -1;
            // SAFETY: a child of this process, and a valid place for its status.
            assert_eq!(unsafe { nix::libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0);
            server.broadcast(MessageType::Text, b"after").unwrap();
            settle(&on_loop);
            for peer in &mut peers {
                assert_eq!(peer.read_frame(), (0x81, b"once".to_vec()));
                assert_eq!(peer.read_frame(), (0x81, b"after".to_vec()));
            }
        },
    );
}

/// From now on the system answers EPERM to this call of this process.
#[cfg(target_os = "linux")]
fn forbid(call: nix::libc::c_long) {
    use nix::libc;
    // Load the call's number; if it is this one, the answer is EPERM, else go on.
    let code = |code: u32, jf: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf,
        k,
    };
    let mut filter = [
        code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, call as u32),
        code(
            libc::BPF_RET | libc::BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        ),
        code(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: numbers only.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the program and its filter live until the call returns, which copies them.
    let status = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_TSYNC,
            &program,
        )
    };
    assert_eq!(status, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn where_io_uring_is_forbidden_each_socket_sends_by_itself() {
    in_child(
        "together::where_io_uring_is_forbidden_each_socket_sends_by_itself",
        || {
            forbid(nix::libc::SYS_io_uring_setup);
            assert!(!has_io_uring());
            let on_loop = started(together());
            let (server, mut peers, _events) = many(&on_loop, 20);
            tell(server, &mut peers, "one");
            tell(server, &mut peers, "two");
            barrier(server);
            let metrics = on_loop.metrics();
            assert_eq!((metrics.batches, metrics.batched_sends), (0, 0));
        },
    );
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_forbidden_later_is_given_up_and_nothing_is_lost_or_sent_twice() {
    in_child(
        "together::what_is_forbidden_later_is_given_up_and_nothing_is_lost_or_sent_twice",
        || {
            let had_io_uring = has_io_uring();
            let (on_loop, server, mut peers) = hosted();
            let before = sent_together(&on_loop);
            assert_eq!(had_io_uring, before > 0);
            forbid(nix::libc::SYS_io_uring_enter);
            let open_descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
            let descriptors = open_descriptors();
            for text in ["one", "two", "three"] {
                server.broadcast(MessageType::Text, text.as_bytes()).unwrap();
                settle(&on_loop);
            }
            for peer in &mut peers {
                for text in ["one", "two", "three"] {
                    assert_eq!(peer.read_frame(), (0x81, text.as_bytes().to_vec()));
                }
            }
            assert_eq!(sent_together(&on_loop), before);
            assert_eq!(
                descriptors - open_descriptors(),
                usize::from(had_io_uring),
                "the ring is closed"
            );
            drop(on_loop);
            for peer in &mut peers {
                assert_eq!(peer.read_to_end(), b"");
            }
        },
    );
}
