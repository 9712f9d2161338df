//! Topics: who gets what is published, from inside a turn, from other threads, over several loops.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use sockline::{Accept, ClientOptions, ErrorCode, MessageType, Server, ServerOptions, WebSocket, connect};

use crate::support::{
    Events, Peer, What, barrier, hook, local, masked, pair, port, reacting, recorder, serve, settings,
    started, url,
};

/// A server and its next connection, as both ends see it.
fn joined(server: Server, events: &Events) -> (Peer, WebSocket) {
    let peer = Peer::upgraded(port(server));
    (peer, events.open())
}

/// Fails unless each peer has got these texts since the last time, and nothing else.
#[track_caller]
fn got<const N: usize>(server: Server, expected: [(&mut Peer, &[&str]); N]) {
    server.broadcast(MessageType::Text, b"end").unwrap();
    for (peer, texts) in expected {
        for text in texts.iter().chain(&["end"]) {
            assert_eq!(peer.read_frame(), (0x81, text.as_bytes().to_vec()));
        }
    }
}

fn publish(server: Server, topic: &str) {
    server
        .publish(topic, MessageType::Text, topic.as_bytes())
        .unwrap();
}

#[test]
fn a_publication_reaches_those_whose_filters_match_and_each_of_them_once() {
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, local(), handler);
    let (mut one, one_ws) = joined(server, &events);
    let (mut two, two_ws) = joined(server, &events);
    let (mut three, _) = joined(server, &events);
    for filter in ["news/#", "news/sport", "+/sport"] {
        one_ws.subscribe(filter).unwrap();
    }
    two_ws.subscribe("weather/+").unwrap();
    for topic in ["news/sport", "weather/today", "weather", "news"] {
        publish(server, topic);
    }
    got(
        server,
        [
            (&mut one, &["news/sport", "news"]),
            (&mut two, &["weather/today"]),
            (&mut three, &[]),
        ],
    );

    one_ws.unsubscribe("news/#").unwrap();
    two_ws.unsubscribe("never/had").unwrap();
    publish(server, "news/sport");
    publish(server, "news/other");
    publish(server, "weather/now");
    got(
        server,
        [(&mut one, &["news/sport"]), (&mut two, &["weather/now"])],
    );
}

#[test]
fn a_connection_can_leave_itself_out() {
    let on_loop = started();
    let (handler, events) = reacting(|ws, what| match what {
        What::Open => ws.subscribe("room").unwrap(),
        What::Text(text) => {
            let _ = ws.send_text("before").unwrap();
            let include_self = text == "all";
            ws.publish("room", MessageType::Text, text.as_bytes(), include_self)
                .unwrap();
            let _ = ws.send_text("after").unwrap();
        }
        _ => {}
    });
    let server = serve(&on_loop, local(), handler);
    let (mut one, one_ws) = joined(server, &events);
    let (mut two, _) = joined(server, &events);
    one.send(&[masked(0x81, b"others"), masked(0x81, b"all")].concat());
    for expected in ["before", "after", "before", "all", "after"] {
        assert_eq!(one.read_frame(), (0x81, expected.as_bytes().to_vec()));
    }
    for expected in ["others", "all"] {
        assert_eq!(two.read_frame(), (0x81, expected.as_bytes().to_vec()));
    }
    // The same from another thread than the loop's.
    one_ws.publish("room", MessageType::Binary, &[1], false).unwrap();
    one_ws.publish("room", MessageType::Binary, &[2], true).unwrap();
    assert_eq!(one.read_frame(), (0x82, vec![2]));
    assert_eq!(two.read_frame(), (0x82, vec![1]));
    assert_eq!(two.read_frame(), (0x82, vec![2]));
}

#[test]
fn a_connection_can_be_subscribed_before_it_is_accepted() {
    let on_loop = started();
    let (handler, events) = recorder();
    let server_handler = hook(|request| {
        request.websocket().subscribe(request.path()).unwrap();
        request.websocket().accept(Accept::default()).unwrap();
    });
    let options = ServerOptions {
        server_handler,
        ..local()
    };
    let server = serve(&on_loop, options, handler);
    let (mut peer, _) = joined(server, &events);
    publish(server, "/");
    assert_eq!(peer.read_frame(), (0x81, b"/".to_vec()));
}

#[test]
fn what_has_ended_is_subscribed_to_nothing_and_neither_is_who_comes_after_it() {
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, local(), handler);
    let (peer, first) = joined(server, &events);
    first.subscribe("#").unwrap();
    drop(peer);
    events.cut();
    let closed = first.subscribe("#").unwrap_err();
    assert_eq!(closed.code(), ErrorCode::Closed);
    barrier(server); // its slot is free now
    let (mut peer, _) = joined(server, &events);
    publish(server, "anything");
    got(server, [(&mut peer, &[])]);
}

#[test]
fn four_loops_share_their_topics() {
    const EACH: usize = 10;
    let (on_loop, client_loop) = (started(), started());
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let seen = threads.clone();
    let (handler, server_events) = reacting(move |ws, what| match what {
        What::Open => {
            seen.lock().insert(std::thread::current().id());
            ws.subscribe("room").unwrap();
        }
        What::Text(text) => {
            for kind in ["first ", "second "] {
                let text = format!("{kind}{text}");
                ws.publish("room", MessageType::Text, text.as_bytes(), false)
                    .unwrap();
            }
        }
        _ => {}
    });
    let options = ServerOptions {
        threads: 4,
        ..local()
    };
    let server = serve(&on_loop, options, handler);
    let clients: Vec<(WebSocket, Events)> = (0..4 * EACH)
        .map(|_| {
            let (handler, events) = recorder();
            let options = ClientOptions::default();
            let ws = connect(Some(&client_loop), &url(port(server)), options, Some(handler)).unwrap();
            (ws, events)
        })
        .collect();
    clients.iter().for_each(|(_, events)| _ = events.open());
    clients.iter().for_each(|_| _ = server_events.open());
    assert!(threads.lock().len() > 1, "all connections on one loop of four");

    // From outside, then from each connection's own loop.
    server.publish("room", MessageType::Text, b"hello").unwrap();
    server.broadcast(MessageType::Text, b"to all").unwrap();
    for (_, events) in &clients {
        events.text("hello");
        events.text("to all");
    }
    for (index, (sender, own)) in clients.iter().enumerate() {
        let _ = sender.send_text(&index.to_string()).unwrap();
        for (_, events) in clients.iter().filter(|(other, _)| other != sender) {
            events.text(&format!("first {index}"));
            events.text(&format!("second {index}"));
        }
        assert!(own.so_far().is_empty(), "who publishes is left out");
    }
}

#[test]
fn a_subscriber_over_its_hard_limit_misses_it_and_the_others_do_not() {
    let on_loop = started();
    let (handler, events) = recorder();
    let settings = settings(|it| (it.high_water_mark, it.hard_limit) = (100_000, 100_000));
    let server = serve(&on_loop, ServerOptions { settings, ..local() }, handler);
    let (mut slow, slow_ws) = joined(server, &events);
    let _ = slow_ws.send_binary(&vec![0; 16 << 20]).unwrap();
    let (mut quick, quick_ws) = joined(server, &events);
    slow_ws.subscribe("news").unwrap();
    quick_ws.subscribe("news").unwrap();
    publish(server, "news");
    assert_eq!(quick.read_frame(), (0x81, b"news".to_vec()));
    assert_eq!(slow.read_frame().1.len(), 16 << 20);
    assert_eq!(events.next(), What::Drain);
    got(server, [(&mut slow, &[])]);
}

#[test]
fn what_cannot_be_done_says_why() {
    let pair = pair();
    for filter in ["", "a/#/b", "a+"] {
        assert_eq!(pair.peer.subscribe(filter).unwrap_err().code(), ErrorCode::Topic);
        assert_eq!(
            pair.peer.unsubscribe(filter).unwrap_err().code(),
            ErrorCode::Topic
        );
    }
    let text = MessageType::Text;
    for topic in ["", "a/+", "a/#"] {
        let results = [
            pair.server.publish(topic, text, b""),
            pair.peer.publish(topic, text, b"", true),
        ];
        assert!(
            results
                .iter()
                .all(|it| it.as_ref().is_err_and(|it| it.code() == ErrorCode::Topic))
        );
    }
    let invalid = pair.server.publish("a", text, &[0xff]).unwrap_err();
    assert_eq!(invalid.code(), ErrorCode::InvalidUtf8);
    pair.server.close(Some(1000), "").unwrap();
    pair.client_events.clean(1000, "");
    drop(pair.on_loop);
    assert_eq!(
        pair.server.publish("a", text, b"").unwrap_err().code(),
        ErrorCode::Closed
    );
    assert_eq!(
        pair.peer.publish("a", text, b"", true).unwrap_err().code(),
        ErrorCode::Closed
    );
}

#[test]
fn a_clients_connection_has_no_topics() {
    let (sender, heard) = crossbeam_channel::unbounded();
    let on_loop = started();
    let (handler, _events) = recorder();
    let server = serve(&on_loop, local(), handler);
    let (handler, _client) = reacting(move |ws, what| {
        if *what == What::Open {
            sender.send(ws.subscribe("a").unwrap_err()).unwrap();
            sender
                .send(ws.publish("a", MessageType::Text, b"", true).unwrap_err())
                .unwrap();
        }
    });
    connect(
        Some(&on_loop),
        &url(port(server)),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    for _ in 0..2 {
        let error = heard.recv_timeout(crate::support::PATIENCE).unwrap();
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert!(error.text().contains("client"), "{error}");
    }
}
