//! Messages that are encoded once and sent to chosen connections.

use std::sync::Arc;

use sockline::ws::SharedMessage;
use sockline::{
    ClientOptions, ErrorCode, Home, MessageType, Sent, ServerOptions, WebSocket, connect, send_shared_many,
};

use crate::support::{
    Events, Peer, What, local, masked, pair, port, reacting, recorder, serve, served_with, settings, started,
    url,
};

fn text(text: &str) -> Arc<SharedMessage> {
    Arc::new(SharedMessage::new(MessageType::Text, text.as_bytes()))
}

#[test]
fn it_keeps_its_place_among_other_messages() {
    let pair = pair();
    let message = text("shared");
    let send = move |ws: WebSocket| {
        let _ = ws.send_text("before").unwrap();
        assert_eq!(ws.send_shared(&message), Ok(Sent::Queued));
        send_shared_many(&mut [ws].into_iter(), &message);
        let _ = ws.send_text("after").unwrap();
    };
    let hear = |events: &Events| {
        for expected in ["before", "shared", "shared", "after"] {
            events.text(expected);
        }
    };
    // From this thread, then on the loop's own.
    send(pair.peer);
    hear(&pair.client_events);
    let home = Home::of(pair.peer).unwrap();
    let ws = pair.peer;
    home.run(Box::new(move || send(ws)));
    hear(&pair.client_events);
}

#[test]
fn connections_of_several_loops_and_those_that_have_ended_may_be_mixed() {
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(
        &on_loop,
        ServerOptions {
            threads: 3,
            ..local()
        },
        handler,
    );
    let clients: Vec<(WebSocket, Events)> = (0..12)
        .map(|_| {
            let (handler, events) = recorder();
            let ws = connect(
                Some(&on_loop),
                &url(port(server)),
                ClientOptions::default(),
                Some(handler),
            );
            events.open();
            (ws.unwrap(), events)
        })
        .collect();
    let peers: Vec<WebSocket> = clients.iter().map(|_| events.open()).collect();
    clients[0].0.terminate().unwrap();
    let gone = events.next_of().0;
    let message = text("to these");
    send_shared_many(&mut peers.iter().copied(), &message);
    for (client, events) in &clients {
        match *client == clients[0].0 {
            true => events.cut(),
            false => events.text("to these"),
        }
    }
    assert_eq!(gone.send_shared(&message).unwrap_err().code(), ErrorCode::Closed);
}

#[test]
fn it_counts_for_the_marks_and_meets_the_limit() {
    for on_its_thread in [false, true] {
        let it = served_with(settings(|settings| {
            settings.high_water_mark = 100_000;
            settings.hard_limit = 200_000;
        }));
        let message = Arc::new(SharedMessage::new(MessageType::Binary, &[7; 60_000]));
        let ws = it.ws;
        let (sender, results) = crossbeam_channel::unbounded();
        let send = move || {
            let mut seen = Vec::new();
            // The system takes some, but not without end of a peer that reads nothing.
            while !matches!(seen.last(), Some(Err(_))) && seen.len() < 10_000 {
                seen.push(ws.send_shared(&message));
            }
            sender.send(seen).unwrap();
        };
        match on_its_thread {
            true => _ = Home::of(ws).unwrap().run(Box::new(send)),
            false => send(),
        }
        let seen = results.recv().unwrap();
        let error = seen.last().unwrap().clone().unwrap_err();
        assert_eq!(error.code(), ErrorCode::OutboxFull);
        assert!(seen.contains(&Ok(Sent::OverMark)));
        let mut peer = it.peer;
        for _ in 1..seen.len() {
            assert_eq!(peer.read_frame(), (0x82, vec![7; 60_000]));
        }
        assert_eq!(it.events.next(), What::Drain);
        assert_eq!(ws.buffered_amount(), 0);
    }
}

#[test]
fn a_drain_follows_also_where_the_system_takes_all_at_once() {
    let on_loop = started();
    let message = Arc::new(SharedMessage::new(MessageType::Binary, &[7; 3000]));
    let (handler, events) = reacting(move |ws, what| {
        if *what == What::Text("go".to_owned()) {
            assert_eq!(ws.send_shared(&message), Ok(Sent::OverMark));
        }
    });
    let settings = settings(|settings| settings.high_water_mark = 2000);
    let server = serve(&on_loop, ServerOptions { settings, ..local() }, handler);
    let mut peer = Peer::upgraded(port(server));
    events.open();
    peer.send(&masked(0x81, b"go"));
    events.text("go");
    assert_eq!(peer.read_frame(), (0x82, vec![7; 3000]));
    assert_eq!(events.next(), What::Drain);
}

#[test]
fn a_clients_connection_has_frames_of_its_own() {
    let pair = pair();
    let (client, message) = (pair.client, text("not masked"));
    let (sender, result) = crossbeam_channel::unbounded();
    let send = move || sender.send(client.send_shared(&message)).unwrap();
    Home::of(client).unwrap().run(Box::new(send));
    assert_eq!(result.recv().unwrap().unwrap_err().code(), ErrorCode::Internal);
    let _ = client.send_text("masked").unwrap();
    pair.peer_events.text("masked");
}
