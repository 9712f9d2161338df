//! When messages wait: for a handler, for `resume`, for the response that they came with.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::bounded;
use sockline::{ClientOptions, ErrorCode, Loop, ReadyState, Settings, connect, listen};

use crate::support::peer::close_payload;
use crate::support::{
    Events, Host, Nobody, PATIENCE, Peer, What, barrier, connected_with, frame, local, masked, port,
    reacting, recorder, serve, served, served_with, settings, started,
};

const SHORT: Duration = Duration::from_millis(40);

/// A client of ours without a handler, connected to a host that sent `early` together with its response.
fn without_handler(early: &[u8]) -> (sockline::Loop, sockline::WebSocket, Peer) {
    let (on_loop, host) = (started(), Host::new());
    let ws = connect(Some(&on_loop), &host.url(), ClientOptions::default(), None).unwrap();
    let peer = host.accept_websocket(early);
    (on_loop, ws, peer)
}

/// Waits for the loop to have read all that the peer has sent: the answer to a ping comes after it.
fn read_through(peer: &mut Peer) {
    peer.send(&frame(0x89, b"read?"));
    assert_eq!(peer.read_frame(), (0x8a, b"read?".to_vec()));
}

/// Does `act` in a callback of another connection, in the same turn in which what `send` sends becomes readable.
fn in_one_turn(on_loop: &Loop, act: impl Fn() + Send + Sync + 'static, send: impl FnOnce()) {
    let (release, gate) = bounded::<()>(0);
    let (handler, events) = reacting(move |_, what| match what {
        What::Text(text) if text == "wait" => gate.recv().unwrap(),
        What::Text(_) => act(),
        _ => {}
    });
    let mut other = Peer::upgraded(port(serve(on_loop, local(), handler)));
    events.open();
    other.send(&masked(0x81, b"wait"));
    events.text("wait"); // the loop stands still
    other.send(&masked(0x81, b"act"));
    send();
    release.send(()).unwrap();
    events.text("act");
}

#[test]
fn bytes_that_came_with_the_101_are_frames() {
    let (on_loop, host) = (started(), Host::new());
    let (handler, events) = recorder();
    connect(
        Some(&on_loop),
        &host.url(),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    let early = [
        frame(0x81, b"one"),
        frame(0x89, b"?"),
        frame(0x81, b"two"),
        frame(0x88, &close_payload(1000, "")),
    ];
    let _peer = host.accept_websocket(&early.concat());
    events.open();
    events.text("one");
    assert_eq!(events.next(), What::Ping(b"?".to_vec()));
    events.text("two");
    drop(_peer);
    events.clean(1000, "");
}

#[test]
fn a_response_in_single_bytes_is_a_response() {
    let (on_loop, host) = (started(), Host::new());
    let (handler, events) = recorder();
    connect(
        Some(&on_loop),
        &host.url(),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    let mut peer = host.accept();
    let request = peer.read_head();
    let all = [
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        crate::support::peer::switching(&request).as_bytes(),
    ]
    .concat();
    all.iter()
        .chain(&frame(0x81, b"then"))
        .for_each(|byte| peer.send(&[*byte]));
    events.open();
    events.text("then");
}

#[test]
fn open_and_messages_wait_for_a_handler() {
    let (_loop, ws, mut peer) = without_handler(&frame(0x81, b"with the response"));
    peer.send(&frame(0x81, b"early"));
    read_through(&mut peer);
    let (handler, events) = recorder();
    ws.set_handler(handler, 7).unwrap();
    assert_eq!(events.open().user_data(), 7);
    events.text("with the response");
    events.text("early");
    peer.send(&frame(0x81, b"now"));
    events.text("now");
}

#[test]
fn the_end_waits_for_a_handler_too_and_comes_once() {
    let (on_loop, ws, mut peer) = without_handler(&frame(0x81, b"last words"));
    peer.send(&frame(0x88, &close_payload(4001, "bye")));
    assert_eq!(peer.read_frame().0, 0x88);
    drop(peer);
    barrier(serve(&on_loop, local(), recorder().0)); // the end has been met without a handler
    let (handler, events) = recorder();
    ws.set_handler(handler, 0).unwrap();
    events.open();
    events.text("last words");
    events.clean(4001, "bye");
    drop(on_loop);
    assert_eq!(events.so_far(), []);
}

#[test]
fn a_failure_waits_for_a_handler_too() {
    let (on_loop, nobody) = (started(), Nobody::new());
    let ws = connect(
        Some(&on_loop),
        &crate::support::url(nobody.port()),
        ClientOptions::default(),
        None,
    )
    .unwrap();
    let (handler, events) = recorder();
    ws.set_handler(handler, 0).unwrap();
    assert_eq!(events.error().code(), ErrorCode::ConnectFailed);
    events.cut();
}

#[test]
fn what_waits_for_a_handler_is_bounded_and_the_end_still_comes() {
    let (_loop, ws, mut peer) = without_handler(b"");
    for n in 0..40_u8 {
        peer.send(&frame(0x82, &[n; 60_000])); // 2.4 MB in all
    }
    read_through(&mut peer); // reading goes on, so the peer is not held up
    drop(peer);
    let (handler, events) = recorder();
    ws.set_handler(handler, 0).unwrap();
    events.open();
    let mut kept = 0_u8;
    let end = loop {
        match events.next() {
            What::Binary(message) => {
                assert_eq!(message, vec![kept; 60_000], "the first ones are kept, in order");
                kept += 1;
            }
            end => break end,
        }
    };
    assert!(matches!(end, What::Close(_)), "{end:?}");
    assert_eq!(
        kept,
        ((1 << 20) / (60_000 + 64)) as u8,
        "1 MiB waits, with 64 bytes for each message"
    );
}

#[test]
fn a_message_set_free_by_set_handler_can_be_answered() {
    let (_loop, ws, mut peer) = without_handler(&frame(0x81, b"question"));
    let (handler, _events) = reacting(|ws, what| {
        if let What::Text(text) = what {
            let _ = ws.send_text(&format!("{text}: answer")).unwrap();
        }
    });
    ws.set_handler(handler, 0).unwrap();
    assert_eq!(peer.read_frame(), (0x81, b"question: answer".to_vec()));
}

#[test]
fn a_server_without_a_handler_holds_messages_too() {
    let on_loop = started();
    let (sender, asked) = bounded(1);
    let server_handler = crate::support::hook(move |request| {
        request.websocket().accept(Default::default()).unwrap();
        sender.send(request.websocket()).unwrap();
    });
    let options = sockline::ServerOptions {
        server_handler,
        ..local()
    };
    let server = listen(Some(&on_loop), options, None).unwrap();
    let mut peer = Peer::upgraded(port(server));
    peer.send(&masked(0x81, b"early"));
    let ws = asked.recv_timeout(PATIENCE).unwrap();
    barrier(server);
    let (handler, events) = recorder();
    ws.set_handler(handler, 0).unwrap();
    assert_eq!(events.open(), ws);
    events.text("early");
}

/// A server whose handler pauses at the message "pause".
fn pausing(
    settings: Settings,
) -> (
    sockline::Loop,
    sockline::Server,
    Events,
    Peer,
    sockline::WebSocket,
) {
    let on_loop = started();
    let (handler, events) = reacting(|ws, what| {
        if *what == What::Text("pause".into()) {
            ws.pause().unwrap();
        }
    });
    let server = serve(&on_loop, sockline::ServerOptions { settings, ..local() }, handler);
    let peer = Peer::upgraded(port(server));
    let ws = events.open();
    (on_loop, server, events, peer, ws)
}

#[test]
fn pause_stops_in_the_middle_of_a_segment_and_resume_goes_on() {
    let (_loop, server, events, mut peer, ws) = pausing(Settings::server());
    peer.send(
        &[
            masked(0x81, b"pause"),
            masked(0x81, b"same segment"),
            masked(0x81, b"pause"),
        ]
        .concat(),
    );
    events.text("pause");
    peer.send(
        &[
            masked(0x81, b"next segment"),
            masked(0x88, &close_payload(1000, "")),
        ]
        .concat(),
    );
    barrier(server);
    assert_eq!(events.so_far(), []);
    ws.resume().unwrap();
    events.text("same segment");
    events.text("pause");
    barrier(server);
    assert_eq!(events.so_far(), []);
    ws.resume().unwrap();
    events.text("next segment");
    events.clean(1000, "");
}

#[test]
fn pausing_twice_and_resuming_what_runs_do_nothing() {
    let mut served = served();
    served.ws.resume().unwrap();
    served.ws.pause().unwrap();
    served.ws.pause().unwrap();
    served.ws.resume().unwrap();
    served.peer.send(&masked(0x81, b"here"));
    served.events.text("here");
}

#[test]
fn what_the_kernel_holds_while_paused_comes_after_resume() {
    let (_loop, server, events, mut peer, ws) = pausing(Settings::server());
    peer.send(&masked(0x81, b"pause"));
    events.text("pause");
    let payload = Arc::new(vec![5; 500_000]);
    let sent = payload.clone();
    let writer = std::thread::spawn(move || {
        (0..20).for_each(|_| peer.send(&masked(0x82, &sent)));
        peer
    });
    barrier(server);
    assert_eq!(events.so_far(), []);
    ws.resume().unwrap();
    for _ in 0..20 {
        assert_eq!(events.next(), What::Binary(payload.to_vec()));
    }
    drop(writer.join().unwrap());
    events.cut();
}

#[test]
fn the_end_of_the_stream_is_seen_after_resume() {
    let (_loop, server, events, mut peer, ws) = pausing(Settings::server());
    peer.send(&[masked(0x81, b"pause"), masked(0x81, b"rest")].concat());
    peer.end_writing();
    events.text("pause");
    barrier(server);
    assert_eq!(events.so_far(), []);
    ws.resume().unwrap();
    events.text("rest");
    events.cut();
}

#[test]
fn while_paused_pings_go_out_and_nobody_is_dead() {
    let short = settings(|it| (it.ping_interval, it.ping_timeout) = (SHORT, SHORT));
    let (_loop, _server, events, mut peer, ws) = pausing(short);
    peer.send(&masked(0x81, b"pause"));
    events.text("pause");
    for _ in 0..5 {
        assert_eq!(peer.read_frame().0, 0x89); // and no answer: five times as long as the dead-peer timer
    }
    assert_eq!(ws.ready_state(), ReadyState::Open);
    assert_eq!(events.so_far(), []);
    ws.resume().unwrap();
    assert_eq!(
        events.error().code(),
        ErrorCode::PeerDead,
        "the timer runs again after resume"
    );
    events.cut();
}

#[test]
fn pongs_are_handled_though_there_is_no_handler_that_reads() {
    let (on_loop, host) = (started(), Host::new());
    let settings = Settings {
        ping_interval: SHORT,
        ping_timeout: Duration::from_secs(3600),
        ..Settings::client()
    };
    let options = ClientOptions {
        settings,
        ..ClientOptions::default()
    };
    let ws = connect(Some(&on_loop), &host.url(), options, None).unwrap();
    let mut peer = host.accept_websocket(b"");
    for _ in 0..3 {
        let (first, payload) = peer.read_frame();
        assert_eq!(first, 0x89);
        peer.send(&frame(0x8a, &payload));
    }
    read_through(&mut peer);
    assert!(ws.latency().is_some());
}

#[test]
fn closing_works_while_paused() {
    let mut connected = connected_with(Settings::client());
    connected.ws.pause().unwrap();
    connected.ws.close(Some(1000), "enough").unwrap();
    let (first, payload) = connected.peer.read_frame();
    assert_eq!(first, 0x88);
    connected.peer.send(&frame(0x88, &payload));
    drop(connected.peer);
    connected.ws.resume().unwrap();
    connected.events.clean(1000, "enough");
}

#[test]
fn a_paused_connection_that_is_closed_does_not_hang() {
    let served = served_with(settings(|it| it.close_timeout = SHORT));
    served.ws.pause().unwrap();
    served.ws.close(Some(1000), "").unwrap();
    assert_eq!(served.events.error().code(), ErrorCode::CloseTimeout);
    served.events.cut();
}

#[test]
fn what_waited_for_resume_comes_before_what_the_socket_has() {
    let on_loop = started();
    let (handler, events) = reacting(|ws, what| {
        if *what == What::Text("one".to_owned()) {
            ws.pause().unwrap();
        }
    });
    let mut peer = Peer::upgraded(port(serve(&on_loop, local(), handler)));
    let ws = events.open();
    peer.send(&[masked(0x81, b"one"), masked(0x81, b"two")].concat());
    events.text("one");
    in_one_turn(
        &on_loop,
        move || ws.resume().unwrap(),
        || peer.send(&masked(0x81, b"three")),
    );
    events.text("two");
    events.text("three");
}

#[test]
fn what_waited_for_a_handler_comes_before_what_the_socket_has() {
    let (on_loop, ws, mut peer) = without_handler(b"");
    peer.send(&frame(0x81, b"one"));
    read_through(&mut peer);
    let (handler, events) = recorder();
    in_one_turn(
        &on_loop,
        move || ws.set_handler(handler.clone(), 0).unwrap(),
        || peer.send(&frame(0x81, b"two")),
    );
    events.open();
    events.text("one");
    events.text("two");
}

/// Answers "act" with a message that is reported, and gives `orphan` its handler during that report.
struct Late {
    orphan: sockline::WebSocket,
    handler: Arc<dyn sockline::Handler>,
    gate: crossbeam_channel::Receiver<()>,
}

impl sockline::Handler for Late {
    fn on_message(&self, ws: sockline::WebSocket, message: sockline::Message<'_>) {
        if message.as_text() == Some("wait") {
            return self.gate.recv().unwrap();
        }
        let reported = sockline::SendOptions {
            token: Some(1),
            ..Default::default()
        };
        let _ = ws.send_with(message.kind(), b"acting", &reported).unwrap();
    }

    fn on_sent(&self, _: sockline::WebSocket, _: u64, _: sockline::SendOutcome) {
        let (orphan, handler) = (self.orphan, self.handler.clone());
        let elsewhere = std::thread::spawn(move || orphan.set_handler(handler, 0).unwrap());
        elsewhere.join().unwrap();
    }
}

#[test]
fn a_handler_that_comes_right_before_the_end_hears_what_was_before_it() {
    let (on_loop, orphan, mut peer) = without_handler(&frame(0x81, b"early"));
    read_through(&mut peer);
    let (handler, events) = recorder();
    let (release, gate) = bounded(0);
    let late = Late {
        orphan,
        handler,
        gate,
    };
    let mut other = Peer::upgraded(port(serve(&on_loop, local(), Arc::new(late))));
    other.send(&masked(0x81, b"wait"));
    other.send(&masked(0x81, b"act"));
    drop(peer);
    release.send(()).unwrap(); // both are read in one turn, and the end is delivered in it
    assert_eq!(other.read_frame(), (0x81, b"acting".to_vec()));
    events.open();
    events.text("early");
    events.cut();
}
