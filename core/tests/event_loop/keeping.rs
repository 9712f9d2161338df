//! Messages that are sent while a client has no connection.

use std::time::Duration;

use sockline::{
    ClientOptions, ErrorCode, Loop, MessageType, Reconnect, SendOptions, SendOutcome, Sent, Settings,
    WebSocket, connect,
};

use crate::support::{Events, Host, Nobody, What, frame, reacting, recorder, started, url};

const LONG: Duration = Duration::from_secs(3600);

fn keeping(outbox: usize, base_delay: Duration) -> ClientOptions {
    ClientOptions {
        reconnect: Some(Reconnect {
            base_delay,
            max_delay: LONG * 1_000_000,
            outbox,
            ..Reconnect::default()
        }),
        ..ClientOptions::default()
    }
}

fn quick(outbox: usize) -> ClientOptions {
    keeping(outbox, Duration::from_millis(2))
}

fn slow(outbox: usize) -> ClientOptions {
    keeping(outbox, LONG * 1_000_000)
}

/// A client whose connection is lost; it waits as long as its options say.
fn lost(host: &Host, options: ClientOptions) -> (Loop, WebSocket, Events) {
    let on_loop = started();
    let (handler, events) = recorder();
    let ws = connect(Some(&on_loop), &host.url(), options, Some(handler)).unwrap();
    drop(host.accept_websocket(b""));
    events.open();
    events.reconnecting();
    (on_loop, ws, events)
}

fn send_with(ws: WebSocket, text: &str, token: u64, deadline: Option<Duration>) -> sockline::Result<Sent> {
    let options = SendOptions {
        token: Some(token),
        deadline,
        ..SendOptions::default()
    };
    ws.send_with(MessageType::Text, text.as_bytes(), &options)
}

#[test]
fn they_are_sent_before_all_others_and_in_order() {
    let host = Host::new();
    let on_loop = started();
    let (handler, events) = reacting(|ws, what| match what {
        // Inside the callbacks, and from the test's thread below.
        What::Open => _ = ws.send_text("open").unwrap(),
        What::Reconnecting(_) => {
            assert_eq!(ws.send_text("lost").unwrap(), Sent::Queued);
            assert_eq!(ws.buffered_amount(), 4);
        }
        What::Reconnected => _ = ws.send_text("back").unwrap(),
        _ => {}
    });
    let ws = connect(Some(&on_loop), &host.url(), quick(1000), Some(handler)).unwrap();
    assert_eq!(
        ws.send_text("early").unwrap(),
        Sent::Queued,
        "before the first connection, too"
    );
    let mut peer = host.accept_websocket(b"");
    assert_eq!(peer.read_frame().1, b"early");
    assert_eq!(peer.read_frame().1, b"open");
    events.open();
    drop(peer);
    events.reconnecting();
    let mut peer = host.accept();
    let request = peer.read_head();
    // The client can't be open yet.
    assert_eq!(ws.send_text("meanwhile").unwrap(), Sent::Queued);
    peer.send(crate::support::peer::switching(&request).as_bytes());
    for expected in ["lost", "meanwhile", "back"] {
        assert_eq!(peer.read_frame(), (0x81, expected.as_bytes().to_vec()));
    }
    assert_eq!(events.next(), What::Reconnected);
    peer.send(&frame(0x81, b"all of it"));
    events.text("all of it");
    assert_eq!(ws.buffered_amount(), 0);
}

#[test]
fn no_more_is_kept_than_was_asked_for() {
    let host = Host::new();
    let (_loop, ws, _events) = lost(&host, slow(10));
    assert_eq!(ws.send_text("123456").unwrap(), Sent::Queued);
    assert_eq!(ws.send_text("12345").unwrap_err().code(), ErrorCode::OutboxFull);
    assert_eq!(ws.send_text("1234").unwrap(), Sent::Queued);
    assert_eq!(ws.send_text("1").unwrap_err().code(), ErrorCode::OutboxFull);
    assert_eq!(ws.buffered_amount(), 10);
    // On the loop's own thread the same holds.
    let (sender, results) = crossbeam_channel::unbounded();
    let (handler, events) = reacting(move |ws, what| {
        if let What::Reconnecting(_) = what {
            let codes =
                ["123456", "12345", "1234", "1"].map(|text| ws.send_text(text).map_err(|error| error.code()));
            let _ = sender.send(codes);
        }
    });
    let on_loop = started();
    connect(Some(&on_loop), &host.url(), slow(10), Some(handler)).unwrap();
    drop(host.accept_websocket(b""));
    events.open();
    let full = Err(ErrorCode::OutboxFull);
    assert_eq!(
        results.recv().unwrap(),
        [Ok(Sent::Queued), full, Ok(Sent::Queued), full]
    );
}

#[test]
fn threads_together_have_no_more_kept_than_was_asked_for() {
    const LIMIT: usize = 2000;
    let host = Host::new();
    let (_loop, ws, _events) = lost(&host, slow(LIMIT));
    let fill = move || (0..).find(|_| ws.send_text("x").is_err()).unwrap();
    let senders: Vec<_> = (0..4).map(|_| std::thread::spawn(fill)).collect();
    let taken: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
    assert_eq!((taken, ws.buffered_amount()), (LIMIT, LIMIT as u64));
}

#[test]
fn each_is_reported_once_when_it_leaves_or_the_handle_ends() {
    let host = Host::new();
    let (_loop, ws, events) = lost(&host, quick(1000));
    // It may be back already; what becomes of the messages is the same.
    for token in 1..=3 {
        assert_eq!(send_with(ws, "hello", token, None).unwrap(), Sent::Queued);
    }
    let mut peer = host.accept_websocket(b"");
    for _ in 1..=3 {
        assert_eq!(peer.read_frame().1, b"hello");
    }
    assert_eq!(events.next(), What::Reconnected);
    for token in 1..=3 {
        assert_eq!(events.next(), What::Sent(token, SendOutcome::Taken));
    }
    let (_loop, ws, events) = lost(&host, slow(1000));
    for token in 4..=5 {
        assert_eq!(send_with(ws, "hello", token, None).unwrap(), Sent::Queued);
    }
    ws.close(None, "").unwrap();
    for token in 4..=5 {
        assert_eq!(events.next(), What::Sent(token, SendOutcome::Failed));
    }
    events.cut();
}

#[test]
fn one_whose_deadline_passes_is_dropped_meanwhile() {
    let host = Host::new();
    let (_loop, ws, events) = lost(&host, slow(1000));
    for (token, deadline) in [(1, None), (2, Some(Duration::from_millis(5))), (3, Some(LONG))] {
        assert_eq!(send_with(ws, "hello", token, deadline).unwrap(), Sent::Queued);
    }
    assert_eq!(events.next(), What::Sent(2, SendOutcome::Expired));
    assert_eq!(ws.buffered_amount(), 10);
    assert_eq!(
        ws.ready_state(),
        sockline::ReadyState::Connecting,
        "the wait goes on"
    );
    ws.terminate().unwrap();
    assert_eq!(events.next(), What::Sent(1, SendOutcome::Failed));
    assert_eq!(events.next(), What::Sent(3, SendOutcome::Failed));
    events.cut();
}

#[test]
fn a_deadline_neither_hurries_nor_delays_the_attempt() {
    let nobody = Nobody::new();
    let on_loop = started();
    let (handler, events) = recorder();
    let options = keeping(1000, Duration::from_millis(200));
    let ws = connect(Some(&on_loop), &url(nobody.port()), options, Some(handler)).unwrap();
    for token in 0..20 {
        let _ = send_with(ws, "x", token, Some(Duration::from_millis(token + 1))).unwrap();
    }
    let mut attempts = 0;
    let mut expired = 0;
    while expired < 20 || attempts < 2 {
        match events.next() {
            What::Sent(_, SendOutcome::Expired) => expired += 1,
            What::Reconnecting(event) => {
                attempts += 1;
                assert_eq!(event.attempt, attempts);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ws.buffered_amount(), 0);
}

#[test]
fn who_keeps_much_is_told_to_wait_and_when_there_is_room() {
    let host = Host::new();
    let options = ClientOptions {
        settings: Settings {
            high_water_mark: 1000,
            ..Settings::client()
        },
        ..quick(2000)
    };
    let on_loop = started();
    let (handler, events) = recorder();
    let ws = connect(Some(&on_loop), &host.url(), options, Some(handler)).unwrap();
    let mut peer = host.accept();
    let request = peer.read_head();
    assert_eq!(ws.send_binary(&[1; 500]).unwrap(), Sent::Queued);
    assert_eq!(ws.send_binary(&[2; 600]).unwrap(), Sent::OverMark);
    peer.send(crate::support::peer::switching(&request).as_bytes());
    events.open();
    assert_eq!(events.next(), What::Drain);
    assert_eq!(peer.read_frame().1, [1; 500]);
    assert_eq!(peer.read_frame().1, [2; 600]);
}
