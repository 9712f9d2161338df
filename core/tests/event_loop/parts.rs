//! Messages in parts over sockets: sent without a known length, delivered before they are whole.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use sockline::{
    ClientOptions, Compression, ErrorCode, Handler, Message, MessagePart, MessageType, SendOptions,
    ServerOptions, Settings, WebSocket, connect,
};

use crate::support::{
    Host, PATIENCE, Peer, What, barrier, frame, local, masked, pair, pair_with, port, recorder, serve,
    served, settings, started, url,
};

/// A part as it was delivered: its bytes, first, last.
type Part = (Vec<u8>, bool, bool);

struct Parts<F> {
    sender: Sender<Part>,
    react: F,
}

impl<F: Fn(WebSocket) + Send + Sync> Handler for Parts<F> {
    fn on_message(&self, _: WebSocket, message: Message<'_>) {
        panic!("a whole message: {message:?}");
    }

    fn on_message_part(&self, ws: WebSocket, part: MessagePart<'_>) {
        let text = part.as_text().map(str::as_bytes);
        assert_eq!(text.is_some(), part.kind() == MessageType::Text);
        self.sender
            .send((part.as_bytes().to_vec(), part.is_first(), part.is_last()))
            .unwrap();
        (self.react)(ws);
    }
}

fn parts(react: impl Fn(WebSocket) + Send + Sync + 'static) -> (Arc<dyn Handler>, Receiver<Part>) {
    let (sender, receiver) = unbounded();
    (Arc::new(Parts { sender, react }), receiver)
}

fn in_parts(compression: Option<Compression>) -> Settings {
    settings(|it| {
        it.message_parts = true;
        it.max_message = usize::MAX;
        it.compression = compression;
    })
}

/// The next message, put together, and the size of its largest part.
fn whole(receiver: &Receiver<Part>) -> (Vec<u8>, usize) {
    let (mut message, mut largest) = (Vec::new(), 0);
    loop {
        let (data, is_first, is_last) = receiver.recv_timeout(PATIENCE).expect("another part");
        assert_eq!(is_first, largest == 0 && message.is_empty());
        largest = largest.max(data.len());
        message.extend(data);
        if is_last {
            return (message, largest);
        }
    }
}

#[test]
fn parts_arrive_as_one_message() {
    for compression in [None, Some(Compression::server()), Some(Compression::client())] {
        let settings = settings(|it| it.compression = compression);
        let pair = pair_with(settings.clone(), settings);
        for (sender, events) in [(pair.client, &pair.peer_events), (pair.peer, &pair.client_events)] {
            for word in ["one, ", "two, ", ""] {
                let _ = sender
                    .send_part(MessageType::Text, word.as_bytes(), false)
                    .unwrap();
            }
            let _ = sender.send_part(MessageType::Binary, b"three", true).unwrap();
            events.text("one, two, three");
            let _ = sender.send_text("next").unwrap();
            events.text("next");
        }
    }
}

#[test]
fn a_part_leaves_before_the_next_is_there() {
    let mut served = served();
    let _ = served.ws.send_part(MessageType::Text, b"first", false).unwrap();
    assert_eq!(served.peer.read_frame(), (0x01, b"first".to_vec()));
    served.ws.ping(b"between").unwrap();
    assert_eq!(served.peer.read_frame(), (0x89, b"between".to_vec()));
    let _ = served.ws.send_part(MessageType::Text, b"", true).unwrap();
    assert_eq!(served.peer.read_frame(), (0x80, vec![]));
}

#[test]
fn other_messages_are_errors_meanwhile() {
    let pair = pair();
    let _ = pair.client.send_part(MessageType::Text, b"a", false).unwrap();
    for sent in [
        pair.client.send_text("b"),
        pair.client
            .send_with(MessageType::Text, b"b", &SendOptions::default()),
    ] {
        assert_eq!(sent.unwrap_err().code(), ErrorCode::MessageUnfinished);
    }
    let wrong = pair.client.send_part(MessageType::Binary, b"\xff", false);
    assert_eq!(wrong.unwrap_err().code(), ErrorCode::InvalidUtf8, "it is a text");
    let _ = pair.client.send_part(MessageType::Text, b"c", true).unwrap();
    pair.peer_events.text("ac");
}

#[test]
fn on_the_loops_thread_too() {
    struct Both;
    impl Handler for Both {
        fn on_message(&self, ws: WebSocket, message: Message<'_>) {
            let _ = ws.send_part(message.kind(), message.as_bytes(), false).unwrap();
            let code = ws.send_text("no").unwrap_err().code();
            assert_eq!(code, ErrorCode::MessageUnfinished);
            let _ = ws.send_part(message.kind(), b"!", true).unwrap();
            let _ = ws.send_text("yes").unwrap();
        }
    }
    let on_loop = started();
    let server = serve(&on_loop, local(), Arc::new(Both));
    let (handler, events) = recorder();
    connect(
        Some(&on_loop),
        &url(port(server)),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    let _ = events.open().send_text("hey").unwrap();
    events.text("hey!");
    events.text("yes");
}

#[test]
fn a_broadcast_waits_for_the_last_part() {
    for compression in [None, Some(Compression::client())] {
        let settings = settings(|it| it.compression = compression);
        let pair = pair_with(settings.clone(), settings);
        let text = "to all ".repeat(1000);
        for _ in 0..3 {
            let _ = pair
                .peer
                .send_part(MessageType::Text, b"its own, ", false)
                .unwrap();
            pair.server.broadcast(MessageType::Text, text.as_bytes()).unwrap();
            let _ = pair.peer.send_part(MessageType::Text, b"whole", true).unwrap();
            pair.client_events.text("its own, whole");
            pair.client_events.text(&text);
        }
        let _ = pair.peer.send_text(&text).unwrap();
        pair.client_events.text(&text);
    }
}

#[test]
fn an_unfinished_message_ends_with_its_connection() {
    let pair = pair();
    let _ = pair.peer.send_part(MessageType::Text, b"half", false).unwrap();
    pair.server.broadcast(MessageType::Text, b"to all").unwrap();
    pair.peer.close(Some(1000), "").unwrap();
    pair.client_events.clean(1000, "");
    pair.peer_events.answered(1000);
}

#[test]
fn a_huge_message_comes_in_small_parts() {
    const SIZE: usize = 8 << 20;
    for compression in [None, Some(Compression::server())] {
        let on_loop = started();
        let (handler, received) = parts(|_| {});
        let options = ServerOptions {
            settings: in_parts(compression),
            ..local()
        };
        let server = serve(&on_loop, options, handler);
        let (handler, events) = recorder();
        let client = settings(|it| (it.compression, it.hard_limit) = (compression, 0));
        let options = ClientOptions {
            settings: client,
            ..ClientOptions::default()
        };
        connect(Some(&on_loop), &url(port(server)), options, Some(handler)).unwrap();
        let ws = events.open();
        let line = "größer als jeder Puffer; ";
        let text = line.repeat(SIZE / line.len());
        let _ = ws.send_text(&text).unwrap();
        let (message, largest) = whole(&received);
        assert!(message == text.as_bytes());
        assert!(largest <= (72 << 10) + 4, "a part of {largest} bytes");
        let _ = ws.send_text("short").unwrap();
        assert_eq!(
            received.recv_timeout(PATIENCE),
            Ok((b"short".to_vec(), true, true))
        );
    }
}

#[test]
fn pausing_holds_between_parts() {
    for compression in [None, Some(Compression::server())] {
        let on_loop = started();
        let (paused, handles) = unbounded();
        let (handler, received) = parts(move |ws| {
            ws.pause().unwrap();
            paused.send(ws).unwrap();
        });
        let options = ServerOptions {
            settings: in_parts(compression),
            ..local()
        };
        let server = serve(&on_loop, options, handler);
        let (handler, events) = recorder();
        let client = settings(|it| it.compression = compression);
        let options = ClientOptions {
            settings: client,
            ..ClientOptions::default()
        };
        connect(Some(&on_loop), &url(port(server)), options, Some(handler)).unwrap();
        let text = "0123456789".repeat(50_000);
        let _ = events.open().send_text(&text).unwrap();
        let mut message = Vec::new();
        loop {
            let (data, _, is_last) = received.recv_timeout(PATIENCE).expect("another part");
            message.extend(data);
            let ws = handles.recv_timeout(PATIENCE).unwrap();
            barrier(server);
            assert!(received.is_empty(), "a part while it was paused");
            ws.resume().unwrap();
            if is_last {
                break;
            }
        }
        assert!(message == text.as_bytes());
    }
}

/// A server whose connection has no handler yet, and its peer.
fn without_handler() -> (sockline::Loop, sockline::Server, WebSocket, Peer) {
    struct Hook(Sender<WebSocket>);
    impl sockline::ServerHandler for Hook {
        fn on_upgrade(&self, request: &sockline::UpgradeRequest<'_>) {
            request.websocket().accept(sockline::Accept::default()).unwrap();
            self.0.send(request.websocket()).unwrap();
        }
    }
    let on_loop = started();
    let (sender, receiver) = unbounded();
    let options = ServerOptions {
        settings: in_parts(None),
        server_handler: Arc::new(Hook(sender)),
        ..local()
    };
    let server = sockline::listen(Some(&on_loop), options, None).unwrap();
    let peer = Peer::upgraded(port(server));
    (on_loop, server, receiver.recv_timeout(PATIENCE).unwrap(), peer)
}

#[test]
fn parts_wait_for_a_handler() {
    let (_loop, server, ws, mut peer) = without_handler();
    peer.send(&masked(0x01, b"one "));
    peer.send(&masked(0x80, b"two"));
    barrier(server);
    let (handler, received) = parts(|_| {});
    ws.set_handler(handler, 0).unwrap();
    assert_eq!(whole(&received).0, b"one two");
}

#[test]
fn a_message_that_finds_no_room_to_wait_is_dropped_whole() {
    let (_loop, server, ws, mut peer) = without_handler();
    peer.send(&masked(0x82, b"kept"));
    peer.send(&masked(0x02, &[1; 900_000]));
    peer.send(&masked(0x00, &[2; 900_000]));
    barrier(server);
    let (handler, received) = parts(|_| {});
    ws.set_handler(handler, 0).unwrap();
    peer.send(&masked(0x80, b"its end"));
    peer.send(&masked(0x82, b"next"));
    assert_eq!(whole(&received).0, b"kept");
    assert_eq!(whole(&received).0, b"next");
}

#[test]
fn a_message_of_another_threads_that_came_too_early_is_sent_after_the_last_part() {
    // The loop stands still in a callback while two threads' messages meet.
    let (in_callback, entered) = unbounded();
    let (leave, left) = unbounded::<()>();
    let on_loop = started();
    let (handler, events) = crate::support::reacting(move |_, what| {
        if matches!(what, What::Text(_)) {
            in_callback.send(()).unwrap();
            let _ = left.recv_timeout(PATIENCE);
        }
    });
    let server = serve(&on_loop, local(), handler);
    let mut peer = Peer::upgraded(port(server));
    let ws = events.open();
    peer.send(&masked(0x81, b"stop"));
    entered.recv_timeout(PATIENCE).unwrap();
    let _ = ws.send_text("before").unwrap();
    let _ = ws.send_part(MessageType::Text, b"one", false).unwrap();
    let waiting = ws.buffered_amount();
    assert_eq!(waiting, 9);
    let _ = ws.send_part(MessageType::Text, b"two", true).unwrap();
    let _ = ws.send_text("after").unwrap();
    leave.send(()).unwrap();
    for (first, text) in [(0x81, "before"), (0x01, "one"), (0x80, "two"), (0x81, "after")] {
        assert_eq!(peer.read_frame(), (first, text.as_bytes().to_vec()));
    }
}

#[test]
fn a_client_in_parts_hears_a_foreign_server() {
    let host = Host::new();
    let on_loop = started();
    let (handler, received) = parts(|_| {});
    let options = ClientOptions {
        settings: in_parts(None),
        ..ClientOptions::default()
    };
    connect(Some(&on_loop), &host.url(), options, Some(handler)).unwrap();
    let mut peer = host.accept_websocket(b"");
    peer.send(&frame(0x01, "grö".as_bytes()));
    assert_eq!(received.recv_timeout(PATIENCE), Ok(("grö".into(), true, false)));
    peer.send(&frame(0x00, b"\xc3"));
    peer.send(&frame(0x80, b"\x9fer"));
    assert_eq!(received.recv_timeout(PATIENCE), Ok(("ßer".into(), false, true)));
}
