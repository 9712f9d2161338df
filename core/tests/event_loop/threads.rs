//! Calls from other threads: nothing is lost, the order of each thread is kept, nothing crashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crossbeam_channel::{Sender, bounded};
use sockline::{ClientOptions, ErrorCode, Handler, Message, ServerOptions, Settings, WebSocket, connect};

use crate::support::{PATIENCE, What, local, pair, port, recorder, serve, settings, started, url};

const THREADS: usize = 8;
const EACH: u32 = 100_000;

/// Counts messages of eight bytes, a thread's number and its count, and tells when all have come.
struct Counter {
    next: [AtomicU32; THREADS],
    total: AtomicU64,
    done: Sender<()>,
}

impl Handler for Counter {
    fn on_message(&self, _: WebSocket, message: Message<'_>) {
        let word = u64::from_be_bytes(message.as_bytes().try_into().unwrap());
        let thread = (word >> 32) as usize;
        // One loop calls, so loading and storing apart is enough.
        assert_eq!(
            self.next[thread].load(Ordering::Relaxed),
            word as u32,
            "thread {thread} is out of order"
        );
        self.next[thread].store(word as u32 + 1, Ordering::Relaxed);
        if self.total.fetch_add(1, Ordering::Relaxed) + 1 == THREADS as u64 * u64::from(EACH) {
            self.done.send(()).unwrap();
        }
    }
}

#[test]
fn eight_threads_send_100_000_messages_each_on_one_connection() {
    let (server_loop, client_loop) = (started(), started());
    let (done, finished) = bounded(1);
    let counter = Arc::new(Counter {
        next: Default::default(),
        total: AtomicU64::new(0),
        done,
    });
    let server = serve(&server_loop, local(), counter.clone());
    let (handler, events) = recorder();
    let settings = Settings {
        hard_limit: 0,
        ..Settings::client()
    };
    let options = ClientOptions {
        settings,
        ..ClientOptions::default()
    };
    connect(Some(&client_loop), &url(port(server)), options, Some(handler)).unwrap();
    let ws = events.open();
    std::thread::scope(|scope| {
        for thread in 0..THREADS as u64 {
            scope.spawn(move || {
                for count in 0..u64::from(EACH) {
                    let _ = ws.send_binary(&(thread << 32 | count).to_be_bytes()).unwrap();
                }
            });
        }
    });
    finished.recv_timeout(PATIENCE).expect("all messages arrive");
    assert!(
        counter
            .next
            .iter()
            .all(|next| next.load(Ordering::Relaxed) == EACH)
    );
}

#[test]
fn what_a_thread_sent_before_it_closed_arrives_before_the_close() {
    let pair = pair();
    std::thread::spawn(move || {
        for n in 0..1000 {
            let _ = pair.client.send_text(&n.to_string()).unwrap();
        }
        pair.client.close(Some(1000), "").unwrap();
    });
    (0..1000).for_each(|n| pair.peer_events.text(&n.to_string()));
    pair.peer_events.clean(1000, "");
}

/// Sends numbered messages until the connection does not take them any more; returns how many it took.
fn send_until_closed(ws: WebSocket, thread: u8) -> u32 {
    let mut count = 0_u32;
    loop {
        let message = [&[thread][..], &count.to_be_bytes()].concat();
        match ws.send_binary(&message) {
            Ok(_) => count += 1,
            Err(error) if error.code() == ErrorCode::OutboxFull => std::thread::yield_now(),
            Err(error) => {
                assert!(
                    matches!(error.code(), ErrorCode::NotOpen | ErrorCode::Closed),
                    "{error}"
                );
                return count;
            }
        }
    }
}

#[test]
fn a_close_among_the_sends_of_other_threads_is_an_end_and_nothing_else() {
    let low = settings(|it| (it.high_water_mark, it.hard_limit) = (10_000, 10_000));
    let pair = crate::support::pair_with(Settings::server(), low);
    let senders: Vec<_> = (0..4)
        .map(|thread| std::thread::spawn(move || send_until_closed(pair.client, thread)))
        .collect();
    let mut next = [0_u32; 4];
    for _ in 0..2000 {
        take(&pair.peer_events.next(), &mut next);
    }
    pair.client.close(Some(1000), "now").unwrap();
    let taken: Vec<u32> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
    let last = loop {
        match pair.peer_events.next() {
            What::Close(event) => break event,
            message => take(&message, &mut next),
        }
    };
    assert_eq!((last.code, last.was_clean), (1000, true));
    assert!(
        next.iter().zip(&taken).all(|(arrived, taken)| arrived <= taken),
        "{next:?} {taken:?}"
    );
    let end = pair.client_events.next_but_drain();
    assert!(
        matches!(&end, What::Close(event) if event.code == 1000 && event.was_clean),
        "{end:?}"
    );
}

fn take(what: &What, next: &mut [u32; 4]) {
    let What::Binary(message) = what else {
        panic!("{what:?}")
    };
    let count = u32::from_be_bytes(message[1..].try_into().unwrap());
    assert_eq!(count, next[message[0] as usize], "no gap within a thread");
    next[message[0] as usize] += 1;
}

#[test]
fn all_calls_from_all_threads_while_connections_come_and_go() {
    let on_loop = started();
    let (handler, _events) = recorder();
    let options = ServerOptions {
        settings: settings(|it| it.hard_limit = 0),
        ..local()
    };
    let server = serve(&on_loop, options, handler);
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (on_loop, url) = (&on_loop, url(port(server)));
            scope.spawn(move || (0..30).for_each(|round| meddle(on_loop, &url, thread + round)));
        }
    });
}

/// A short life, ended in one of several ways, with every call on the way.
fn meddle(on_loop: &sockline::Loop, url: &str, way: usize) {
    let (handler, events) = recorder();
    let ws = connect(
        Some(on_loop),
        url,
        ClientOptions::default(),
        Some(handler.clone()),
    )
    .unwrap();
    if !way.is_multiple_of(3) {
        events.open();
    }
    let twin = WebSocket::from_raw(ws.raw()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = twin.send_text("x");
            let _ = (
                twin.ping(b""),
                twin.pause(),
                twin.resume(),
                twin.set_handler(handler, 1),
            );
            let _ = (
                twin.ready_state(),
                twin.buffered_amount(),
                twin.url(),
                twin.protocol(),
            );
            let _ = (twin.remote_address(), twin.local_address(), twin.latency());
        });
        let _ = match way % 2 {
            0 => ws.terminate(),
            _ => ws.close(Some(1000), ""),
        };
    });
    while !matches!(events.next(), What::Close(_)) {}
    assert_eq!(events.so_far(), []);
}
