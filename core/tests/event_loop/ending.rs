//! What hosts that collect messages hear of the end of a read and of the connection in time, and how long a closing handshake may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;
use sockline::{
    CloseEvent, ErrorCode, Handler, Loop, LoopOptions, Message, MessagePart, ServerOptions, WebSocket,
};

use crate::support::peer::close_payload;
use crate::support::{What, give, joined, local, masked, serve, served, served_with, settings, settle, turn};

/// Answers nothing from `on_message`, all of it from `on_ending`.
struct Collector {
    collected: Mutex<Vec<String>>,
    endings: AtomicUsize,
    closed: Sender<(usize, CloseEvent)>,
}

impl Handler for Collector {
    fn on_message(&self, _: WebSocket, message: Message<'_>) {
        let text = message.as_text().unwrap().to_owned();
        self.collected.lock().push(text);
    }

    fn on_ending(&self, ws: WebSocket) {
        self.endings.fetch_add(1, Ordering::Relaxed);
        for text in self.collected.lock().drain(..) {
            let _ = ws.send_text(&text).unwrap();
        }
    }

    fn on_close(&self, _: WebSocket, event: &CloseEvent) {
        let endings = self.endings.swap(0, Ordering::Relaxed);
        self.closed.send((endings, event.clone())).unwrap();
    }
}

/// Two messages, one of them in fragments with a ping between, then this end, cut at every byte: both are answered
/// before the end is, by `code`, and `on_ending` comes once.
fn answered_before(end: &[u8], code: u16) {
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    let (closed, ends) = unbounded();
    let handler = Arc::new(Collector {
        collected: Mutex::default(),
        endings: AtomicUsize::new(0),
        closed,
    });
    let server = serve(&on_loop, local(), handler);
    let messages = [
        masked(0x81, b"one"),
        masked(0x01, b"t"),
        masked(0x89, b"?"),
        masked(0x80, b"wo"),
    ]
    .concat();
    let input = [&messages, end].concat();
    for at in 1..=input.len() {
        let mut peer = joined(&on_loop, server);
        give(&on_loop, &mut peer, &input[..at]);
        give(&on_loop, &mut peer, &input[at..]);
        assert_eq!(peer.read_frame(), (0x8a, b"?".to_vec()), "cut at {at}");
        assert_eq!(peer.read_frame(), (0x81, b"one".to_vec()), "cut at {at}");
        assert_eq!(peer.read_frame(), (0x81, b"two".to_vec()), "cut at {at}");
        let (first, payload) = peer.read_frame();
        assert_eq!(
            (first, payload.get(..2)),
            (0x88, Some(&code.to_be_bytes()[..])),
            "cut at {at}"
        );
        drop(peer);
        let (endings, _) = ended(&on_loop, &ends);
        assert_eq!(endings, 1, "cut at {at}");
    }
}

#[test]
fn messages_are_answered_before_the_close_frame_is() {
    answered_before(&masked(0x88, &close_payload(4000, "bye")), 4000);
}

#[test]
fn messages_are_answered_before_a_breach_of_the_protocol_is() {
    let reserved_bits = masked(0xf1, b"x");
    let unmasked = [0x81, 1, b'x'];
    let not_text = masked(0x81, b"broken \xff");
    let bad_code = masked(0x88, &close_payload(1005, ""));
    let continuation = masked(0x80, b"of nothing");
    answered_before(&reserved_bits, 1002);
    answered_before(&unmasked, 1002);
    answered_before(&not_text, 1007);
    answered_before(&bad_code, 1002);
    answered_before(&continuation, 1002);
}

#[test]
fn on_ending_does_not_come_once_we_have_begun_to_close() {
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    let (closed, ends) = unbounded();
    let handler = Arc::new(Collector {
        collected: Mutex::default(),
        endings: AtomicUsize::new(0),
        closed,
    });
    let server = serve(&on_loop, local(), handler);
    let mut peer = joined(&on_loop, server);
    server.close(Some(1001), "enough").unwrap();
    settle(&on_loop);
    let (first, payload) = peer.read_frame();
    assert_eq!(first, 0x88);
    give(
        &on_loop,
        &mut peer,
        &[masked(0x81, b"late"), masked(0x88, &payload)].concat(),
    );
    let (endings, event) = ended(&on_loop, &ends);
    assert_eq!((endings, event.was_clean), (0, true));
}

/// Turns the loop until its connection has ended.
fn ended(on_loop: &Loop, ends: &Receiver<(usize, CloseEvent)>) -> (usize, CloseEvent) {
    loop {
        match ends.try_recv() {
            Ok(end) => return end,
            Err(_) => turn(on_loop, Duration::from_millis(10)),
        }
    }
}

const SHORT: Duration = Duration::from_millis(300);
/// More than the kernel's buffers between two local sockets hold.
const PLENTY: usize = 16 << 20;

#[test]
fn a_slow_peer_gets_all_that_was_sent_before_the_close_frame() {
    let mut served = served_with(settings(|it| it.close_timeout = SHORT));
    let _ = served.ws.send_binary(&vec![7; PLENTY]).unwrap();
    served.ws.close(Some(1000), "").unwrap();
    let begun = Instant::now();
    // As slow as a link would be that takes three times the timeout in all: this is the peer's pace, not a wait for us.
    served.peer.read_exactly(10);
    for _ in 0..16 {
        served.peer.read_exactly(PLENTY / 16);
        std::thread::sleep(SHORT / 5);
    }
    assert!(begun.elapsed() > 3 * SHORT);
    let (first, payload) = served.peer.read_frame();
    assert_eq!((first, payload.clone()), (0x88, close_payload(1000, "")));
    served.peer.send(&masked(0x88, &payload));
    let last = served.events.next_but_drain();
    assert!(matches!(&last, What::Close(event) if event.was_clean), "{last:?}");
}

#[test]
fn a_peer_that_takes_nothing_more_is_given_up_after_the_timeout() {
    let served = served_with(settings(|it| it.close_timeout = SHORT));
    let _ = served.ws.send_binary(&vec![7; PLENTY]).unwrap();
    served.ws.close(Some(1000), "").unwrap();
    let begun = Instant::now();
    let last = served.events.next_but_drain();
    assert!(
        matches!(&last, What::Error(error) if error.code() == ErrorCode::CloseTimeout),
        "{last:?}"
    );
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    served.events.cut();
    drop(served.peer);
}

#[test]
fn a_slow_peer_does_not_hold_a_closing_connection_for_ever() {
    const TIMEOUT: Duration = Duration::from_millis(20);
    let mut served = served_with(settings(|it| it.close_timeout = TIMEOUT));
    let _ = served.ws.send_binary(&vec![7; 2 * PLENTY]).unwrap();
    served.ws.close(Some(1000), "").unwrap();
    let reader = std::thread::spawn(move || {
        let mut some = vec![0; 64 << 10];
        // Takes a little all the time, until it is cut.
        while std::io::Read::read(&mut served.peer.stream, &mut some).is_ok_and(|count| count > 0) {
            std::thread::sleep(TIMEOUT / 4);
        }
    });
    let last = served.events.next_but_drain();
    assert!(
        matches!(&last, What::Error(error) if error.code() == ErrorCode::CloseTimeout),
        "{last:?}"
    );
    served.events.cut();
    reader.join().unwrap();
}

#[test]
fn latency_is_finer_than_milliseconds() {
    let mut served = served();
    served.ws.ping(b"now").unwrap();
    assert_eq!(served.peer.read_frame(), (0x89, b"now".to_vec()));
    served.peer.send(&masked(0x8a, b"now"));
    assert_eq!(served.events.next(), What::Pong(b"now".to_vec()));
    let exact = served.ws.metrics().unwrap().latency.unwrap();
    assert_eq!(
        served.ws.latency_micros(),
        Some(exact.as_micros() as u64),
        "exact to the microsecond"
    );
    assert!(exact > Duration::ZERO);
    assert_eq!(served.ws.latency(), Some(exact.as_millis() as u64));
}

/// Answers nothing from `on_message` and `on_message_part`, all of it when a read has ended.
#[derive(Default)]
struct Batches {
    heard: Mutex<Vec<String>>,
    reads: AtomicUsize,
}

impl Handler for Batches {
    fn on_message(&self, _: WebSocket, message: Message<'_>) {
        self.heard.lock().push(message.as_text().unwrap().to_owned());
    }

    fn on_message_part(&self, _: WebSocket, part: MessagePart<'_>) {
        self.heard.lock().push(part.as_text().unwrap().to_owned());
    }

    fn on_read_end(&self, ws: WebSocket) {
        let read = self.reads.fetch_add(1, Ordering::Relaxed);
        for text in self.heard.lock().drain(..) {
            let _ = ws.send_text(&format!("{read}: {text}")).unwrap();
        }
    }
}

#[test]
fn what_a_read_has_brought_can_be_answered_at_its_end() {
    for message_parts in [false, true] {
        let on_loop = Loop::new(LoopOptions::default()).unwrap();
        let settings = settings(|settings| settings.message_parts = message_parts);
        let options = ServerOptions { settings, ..local() };
        let server = serve(&on_loop, options, Arc::new(Batches::default()));
        let mut peer = joined(&on_loop, server);
        let messages = [masked(0x81, b"one"), masked(0x89, b"?"), masked(0x81, b"two")];
        give(&on_loop, &mut peer, &messages.concat());
        give(&on_loop, &mut peer, &masked(0x81, b"three"));
        assert_eq!(peer.read_frame(), (0x8a, b"?".to_vec()));
        for answer in ["0: one", "0: two", "1: three"] {
            assert_eq!(peer.read_frame(), (0x81, answer.as_bytes().to_vec()));
        }
    }
}
