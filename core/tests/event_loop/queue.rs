//! Events that are pulled instead of called back.

use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, unbounded};
use sockline::{
    Accept, ClientOptions, EventQueue, Handler, Kept, Message, MessagePart, MessageType, Queued, QueuedEvent,
    QueuedPart, QueuedUpgrade, SendOptions, SendOutcome, Server, ServerOptions, WebSocket, connect,
};

use crate::support::peer::REQUEST;
use crate::support::{Events, PATIENCE, Peer, What, local, masked, port, recorder, serve, started, url};

const MAX_EVENTS: usize = 64;

fn queue(max_events: usize, max_bytes: usize) -> (Arc<EventQueue>, Receiver<()>) {
    let (ring, bell) = unbounded();
    let queue = EventQueue::new(max_events, max_bytes, move || {
        let _ = ring.send(());
    });
    (queue, bell)
}

/// The next event of a connection.
#[track_caller]
fn pull(queue: &EventQueue, bell: &Receiver<()>) -> (WebSocket, QueuedEvent) {
    match pull_any(queue, bell) {
        Queued::Connection(ws, event) => (ws, event),
        other => panic!("an event of a connection was expected, not {other:?}"),
    }
}

/// The next event; the bell says when there is one.
#[track_caller]
fn pull_any(queue: &EventQueue, bell: &Receiver<()>) -> Queued {
    loop {
        if let Some(event) = queue.pop() {
            return event;
        }
        bell.recv_timeout(PATIENCE)
            .expect("the bell rings when an event comes");
    }
}

#[test]
fn events_come_in_order_and_the_bell_rings_once_for_a_burst() {
    let on_loop = started();
    let (queue, bell) = queue(MAX_EVENTS, 1 << 20);
    let server = serve(&on_loop, local(), queue.clone());
    let mut peer = Peer::upgraded(port(server));
    let (ws, event) = pull(&queue, &bell);
    assert_eq!(event, QueuedEvent::Open);
    assert!(queue.pop().is_none());
    while bell.try_recv().is_ok() {}

    let burst: Vec<u8> = (0..10_u8).flat_map(|number| masked(0x82, &[number])).collect();
    peer.send(&burst);
    bell.recv_timeout(PATIENCE).unwrap();
    for number in 0..10 {
        let expected = QueuedEvent::Message(MessageType::Binary, [number].into());
        assert_eq!(pull(&queue, &bell), (ws, expected));
    }
    assert!(
        bell.len() < 10,
        "one ring for what is read at once, not one for each"
    );

    peer.send(&masked(0x88, &[0x03, 0xe8]));
    let (_, event) = pull(&queue, &bell);
    assert!(matches!(event, QueuedEvent::Close(close) if close.code == 1000 && close.was_clean));
}

#[test]
fn a_full_queue_stops_reading_and_loses_nothing() {
    let on_loop = started();
    let (queue, bell) = queue(MAX_EVENTS, usize::MAX);
    let server = serve(&on_loop, local(), queue.clone());
    let mut peer = Peer::upgraded(port(server));
    assert_eq!(pull(&queue, &bell).1, QueuedEvent::Open);

    let many = 100 * MAX_EVENTS as u32;
    let burst: Vec<u8> = (0..many)
        .flat_map(|number| masked(0x82, &number.to_be_bytes()))
        .collect();
    peer.send(&burst);
    for number in 0..many {
        let (_, event) = pull(&queue, &bell);
        assert_eq!(
            event,
            QueuedEvent::Message(MessageType::Binary, number.to_be_bytes().into())
        );
        assert!(queue.len() <= MAX_EVENTS, "the queue is bounded");
    }
}

#[test]
fn bytes_are_bounded_too() {
    let on_loop = started();
    let (queue, bell) = queue(usize::MAX, 100_000);
    let server = serve(&on_loop, local(), queue.clone());
    let mut peer = Peer::upgraded(port(server));
    assert_eq!(pull(&queue, &bell).1, QueuedEvent::Open);
    let burst: Vec<u8> = (0..40).flat_map(|_| masked(0x82, &[7; 30_000])).collect();
    let sender = std::thread::spawn(move || {
        peer.send(&burst);
        peer
    });
    for _ in 0..40 {
        let (_, event) = pull(&queue, &bell);
        assert!(matches!(event, QueuedEvent::Message(_, payload) if payload.len() == 30_000));
        assert!(
            queue.len() <= 4,
            "100,000 bytes are at most four messages of 30,000"
        );
    }
    drop(sender.join());
}

#[test]
fn a_closed_queue_is_silent_and_lets_its_connections_read_on() {
    let on_loop = started();
    let (queue, bell) = queue(1, usize::MAX);
    let server = serve(&on_loop, local(), queue.clone());
    let mut peer = Peer::upgraded(port(server));
    bell.recv_timeout(PATIENCE).unwrap(); // for the opening, which fills the queue: the connection is paused
    queue.close();
    assert!(queue.pop().is_none());
    peer.send(&masked(0x89, b"still there?"));
    assert_eq!(peer.read_frame(), (0x8a, b"still there?".to_vec()));
    assert!(queue.is_empty() && bell.is_empty());
}

#[test]
fn one_thread_pulls_all_of_a_server_with_four_upgrades_and_its_end_included() {
    const COUNT: usize = 40;
    let (on_loop, client_loop) = (started(), started());
    let (queue, bell) = queue(MAX_EVENTS, 1 << 20);
    let options = ServerOptions {
        threads: 4,
        server_handler: queue.clone(),
        ..local()
    };
    let server = serve(&on_loop, options, queue.clone());
    let clients: Vec<Events> = (0..COUNT)
        .map(|number| {
            let (handler, events) = recorder();
            let subprotocols = vec!["other".to_owned(), "chat".to_owned()];
            let options = ClientOptions {
                subprotocols,
                ..ClientOptions::default()
            };
            let url = format!("{}{number}?a=b", url(port(server)));
            connect(Some(&client_loop), &url, options, Some(handler)).unwrap();
            events
        })
        .collect();
    let (mut opened, mut messages) = (0, 0);
    while messages < COUNT {
        match pull(&queue, &bell) {
            (ws, QueuedEvent::Upgrade(upgrade)) => answer(server, ws, &upgrade),
            (ws, QueuedEvent::Open) => {
                assert_eq!(ws.protocol(), "chat");
                opened += 1;
                let options = SendOptions {
                    token: Some(ws.raw()),
                    ..SendOptions::default()
                };
                let _ = ws.send_with(MessageType::Text, b"welcome", &options).unwrap();
            }
            (ws, QueuedEvent::Sent(token, outcome)) => {
                assert_eq!((token, outcome), (ws.raw(), SendOutcome::Taken));
                messages += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(opened, COUNT);
    for client in &clients {
        client.open();
        client.text("welcome");
    }
    server.close(Some(1001), "").unwrap();
    let mut closed = 0;
    let last = loop {
        match pull_any(&queue, &bell) {
            Queued::Connection(_, QueuedEvent::Close(_)) => closed += 1,
            other => break other,
        }
    };
    assert_eq!((last, closed), (Queued::ServerClosed(server), COUNT));
    assert!(queue.is_empty());
}

fn answer(server: Server, ws: WebSocket, upgrade: &QueuedUpgrade) {
    assert_eq!(upgrade.server(), server);
    assert_eq!(upgrade.query(), Some("a=b"));
    assert_eq!(upgrade.target(), format!("{}?a=b", upgrade.path()));
    assert_eq!(upgrade.subprotocols(), ["other", "chat"]);
    assert!(upgrade.header("sec-websocket-key").is_some());
    assert!(
        upgrade
            .headers()
            .any(|(name, value)| name == "upgrade" && value == b"websocket")
    );
    assert!(upgrade.remote_address().is_some());
    let accept = Accept {
        subprotocol: Some("chat".to_owned()),
        ..Accept::default()
    };
    ws.accept(accept).unwrap();
}

#[test]
fn a_closed_queue_refuses_whom_nobody_would_answer() {
    let on_loop = started();
    let (queue, _bell) = queue(MAX_EVENTS, 1 << 20);
    queue.close();
    let options = ServerOptions {
        server_handler: queue.clone(),
        ..local()
    };
    let server = serve(&on_loop, options, queue);
    let mut peer = Peer::connect(port(server));
    peer.send(REQUEST.as_bytes());
    assert!(peer.read_head().starts_with("HTTP/1.1 503 "));
}

#[test]
fn many_connections_go_beyond_the_limit_by_a_message_each_at_most() {
    const PEERS: usize = 20;
    let on_loop = started();
    let (queue, bell) = queue(MAX_EVENTS, usize::MAX);
    let server = serve(&on_loop, local(), queue.clone());
    let mut peers: Vec<Peer> = (0..PEERS).map(|_| Peer::upgraded(port(server))).collect();
    for _ in 0..PEERS {
        assert_eq!(pull(&queue, &bell).1, QueuedEvent::Open);
    }
    let burst = masked(0x82, &[1]).repeat(1000);
    peers.iter_mut().for_each(|peer| peer.send(&burst));
    for _ in 0..1000 * PEERS {
        let (_, event) = pull(&queue, &bell);
        assert!(matches!(event, QueuedEvent::Message(..)));
        assert!(queue.len() <= MAX_EVENTS + PEERS, "{} events wait", queue.len());
    }
}

#[test]
fn an_event_can_be_handed_on_to_a_handler() {
    let on_loop = started();
    let (queue, bell) = queue(MAX_EVENTS, 1 << 20);
    let server = serve(&on_loop, local(), queue.clone());
    let mut peer = Peer::upgraded(port(server));
    let frames = [
        masked(0x81, b"text"),
        masked(0x82, b"\xff"),
        masked(0x89, b"ping"),
        masked(0x88, b""),
    ];
    peer.send(&frames.concat());
    let (handler, events) = recorder();
    let ws = loop {
        let (ws, event) = pull(&queue, &bell);
        event.deliver(ws, &*handler);
        if matches!(event, QueuedEvent::Close(_)) {
            break ws;
        }
    };
    let expected = [
        What::Open,
        What::Text("text".to_owned()),
        What::Binary(b"\xff".to_vec()),
        What::Ping(b"ping".to_vec()),
    ];
    let heard = events.so_far();
    assert_eq!(heard[..expected.len()], expected);
    assert!(matches!(&heard[expected.len()..], [What::Close(close)] if close.code == 1005));
    let forged = QueuedEvent::Message(MessageType::Text, [0xff].into());
    forged.deliver(ws, &*handler);
    assert_eq!(events.next(), What::Binary(vec![0xff]), "no text that isn't one");
}

#[test]
fn a_handler_can_keep_what_is_handed_over() {
    let keeper = Arc::new(Keeper::default());
    let (on_loop, (handler, events)) = (started(), recorder());
    let peer = Peer::upgraded(port(serve(&on_loop, local(), handler)));
    let ws = events.open();
    let long: Box<[u8]> = vec![7; 16 << 10].into();
    let address = long.as_ptr();
    QueuedEvent::Message(MessageType::Binary, long).hand_over(ws, &*keeper);
    QueuedEvent::Message(MessageType::Binary, [7; 10].into()).hand_over(ws, &*keeper);
    QueuedEvent::Message(MessageType::Binary, vec![7; 16 << 10].into()).deliver(ws, &*keeper);
    let kept = keeper.0.lock().unwrap();
    assert_eq!(kept[0].as_ref().map(|kept| kept.as_ptr()), Some(address));
    assert_eq!(
        kept[1..],
        [None, None],
        "what is short or only lent is not to be had"
    );
    drop(peer);
}

/// Keeps of each message what it can.
#[derive(Default)]
struct Keeper(Mutex<Vec<Option<Kept>>>);

impl Handler for Keeper {
    fn on_message(&self, _: WebSocket, message: Message<'_>) {
        self.0.lock().unwrap().push(message.keep());
    }
}

#[test]
fn what_is_put_together_can_be_kept_and_what_is_read_at_once_can_not() {
    let keeper = Arc::new(Keeper::default());
    let on_loop = started();
    let mut peer = Peer::upgraded(port(serve(&on_loop, local(), keeper.clone())));
    let long = |number: u8| masked(0x82, &[number; 100_000]);
    peer.send(&long(1));
    peer.send(&masked(0x82, b"short"));
    for number in 2..20 {
        peer.send(&long(number));
    }
    peer.send(&masked(0x89, b"read?"));
    assert_eq!(peer.read_frame(), (0x8a, b"read?".to_vec()));
    let kept = keeper.0.lock().unwrap();
    let numbers: Vec<_> = kept.iter().flatten().map(|kept| (kept[0], kept.len())).collect();
    let expected: Vec<_> = (1..20).map(|number| (number, 100_000)).collect();
    assert_eq!((numbers, &kept[1]), (expected, &None));
    assert!(
        kept.iter()
            .flatten()
            .all(|kept| kept.iter().all(|byte| *byte == kept[0]))
    );
}

#[test]
fn a_part_that_is_no_text_is_not_called_one() {
    /// What it hears as text.
    #[derive(Default)]
    struct Texts(Mutex<Vec<Option<String>>>);

    impl Handler for Texts {
        fn on_message_part(&self, _: WebSocket, part: MessagePart<'_>) {
            self.0.lock().unwrap().push(part.as_text().map(str::to_owned));
        }
    }

    let (on_loop, (handler, events)) = (started(), recorder());
    let peer = Peer::upgraded(port(serve(&on_loop, local(), handler)));
    let (ws, texts) = (events.open(), Texts::default());
    for data in [&b"text"[..], b"\xff"] {
        let part = QueuedPart {
            kind: MessageType::Text,
            data: data.into(),
            is_first: true,
            is_last: true,
        };
        QueuedEvent::MessagePart(part).deliver(ws, &texts);
    }
    assert_eq!(*texts.0.lock().unwrap(), [Some("text".to_owned()), None]);
    drop(peer);
}
