//! What handlers may do inside their callbacks: everything, and nothing calls back before they have returned.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, unbounded};
use parking_lot::Mutex;
use sockline::{
    ClientOptions, CloseEvent, ErrorCode, Handler, Loop, LoopOptions, Message, ServerOptions, WebSocket,
    connect,
};

use crate::support::{
    PATIENCE, Peer, What, closed_server, local, masked, port, reacting, recorder, serve, started, url,
};

/// A server on a loop of its own whose handler does `react` inside its callbacks; a peer is connected to it.
fn reacting_server(
    react: impl Fn(WebSocket, &What) + Send + Sync + 'static,
) -> (Loop, crate::support::Events, Peer) {
    let on_loop = started();
    let (handler, events) = reacting(react);
    let peer = Peer::upgraded(port(serve(&on_loop, local(), handler)));
    events.open();
    (on_loop, events, peer)
}

fn three() -> Vec<u8> {
    [masked(0x81, b"1"), masked(0x81, b"2"), masked(0x81, b"3")].concat()
}

#[test]
fn terminate_in_on_message_stops_the_rest_of_the_segment() {
    let (on_loop, events, mut peer) = reacting_server(|ws, what| {
        if *what == What::Text("2".to_owned()) {
            ws.terminate().unwrap();
        }
    });
    peer.send(&three());
    events.text("1");
    events.text("2");
    events.cut();
    drop(on_loop);
    assert_eq!(events.so_far(), []);
}

#[test]
fn close_in_on_message_lets_the_rest_of_the_segment_in() {
    // RFC 6455 §1.4: after sending a close frame an end still receives until the other's has come.
    let (_loop, events, mut peer) = reacting_server(|ws, what| {
        if *what == What::Text("1".to_owned()) {
            ws.close(Some(1000), "enough").unwrap();
        }
    });
    peer.send(&three());
    let (first, payload) = peer.read_frame();
    assert_eq!(first, 0x88);
    peer.send(&masked(0x88, &payload));
    events.text("1");
    events.text("2");
    events.text("3");
    events.clean(1000, "enough");
}

#[test]
fn close_in_on_open_is_the_last_thing_heard() {
    let on_loop = started();
    let (handler, events) = reacting(|ws, what| {
        if *what == What::Open {
            ws.close(Some(1000), "no").unwrap();
        }
    });
    let server = serve(&on_loop, local(), handler);
    let (client, client_events) = recorder();
    connect(
        Some(&on_loop),
        &url(port(server)),
        ClientOptions::default(),
        Some(client),
    )
    .unwrap();
    events.open();
    events.answered(1000);
    client_events.open();
    client_events.clean(1000, "no");
}

#[test]
fn sends_in_on_open_and_on_message_go_out_in_order() {
    let (_loop, events, mut peer) = reacting_server(|ws, what| match what {
        What::Open => _ = ws.send_text("welcome").unwrap(),
        What::Text(text) => _ = ws.send_text(text).unwrap(),
        _ => {}
    });
    peer.send(&three());
    for expected in ["welcome", "1", "2", "3"] {
        assert_eq!(peer.read_frame(), (0x81, expected.as_bytes().to_vec()));
    }
    ["1", "2", "3"].iter().for_each(|text| events.text(text));
}

/// Short ones are corked, long ones leave beside the cork or join it, and some span reads.
#[test]
fn answers_of_all_lengths_to_one_write_go_out_in_order() {
    const LENGTHS: [usize; 14] = [
        10, 16_384, 20_000, 3, 70_000, 16_384, 16_383, 300_000, 60_000, 40_000, 1, 65_536, 30_000, 125,
    ];
    let texts: Vec<String> = (LENGTHS.iter().zip('a'..))
        .map(|(&length, letter)| letter.to_string().repeat(length))
        .collect();
    let (_loop, _events, mut peer) = reacting_server(|ws, what| {
        if let What::Text(text) = what {
            _ = ws.send_text(text).unwrap();
        }
    });
    for _ in 0..3 {
        let all: Vec<u8> = texts
            .iter()
            .flat_map(|text| masked(0x81, text.as_bytes()))
            .collect();
        peer.send(&all);
        for text in &texts {
            let (first, payload) = peer.read_frame();
            assert!(
                first == 0x81 && payload == text.as_bytes(),
                "{} letters",
                text.len()
            );
        }
    }
}

#[test]
fn in_on_close_the_handle_is_dead() {
    let (sender, results) = unbounded();
    let (_loop, events, peer) = reacting_server(move |ws, what| {
        if let What::Close(_) = what {
            let _ = sender.send((ws.send_text("x").unwrap_err(), ws.close(None, "").unwrap_err()));
        }
    });
    drop(peer);
    events.cut();
    let (send, close) = results.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (send.code(), close.code()),
        (ErrorCode::Closed, ErrorCode::Closed)
    );
}

#[test]
fn set_handler_in_on_message_is_for_the_next_message_on() {
    let (second, second_events) = recorder();
    let (_loop, events, mut peer) = reacting_server(move |ws, what| {
        if *what == What::Text("1".to_owned()) {
            ws.set_handler(second.clone(), 99).unwrap();
        }
    });
    peer.send(&three());
    events.text("1");
    let (ws, what) = second_events.next_of();
    assert_eq!((ws.user_data(), what), (99, What::Text("2".to_owned())));
    second_events.text("3");
    drop(peer);
    second_events.cut();
    assert_eq!(events.so_far(), []);
}

#[test]
fn a_handler_may_lose_its_last_owner_in_its_own_callback() {
    struct Last(crossbeam_channel::Sender<&'static str>);
    impl Handler for Last {
        fn on_message(&self, ws: WebSocket, _: Message<'_>) {
            let (other, _) = recorder();
            ws.set_handler(other, 0).unwrap();
            self.0.send("still here").unwrap();
        }
    }
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.send("gone").unwrap();
        }
    }
    let (sender, said) = unbounded();
    let handler: Mutex<Option<Arc<dyn Handler>>> = Mutex::new(Some(Arc::new(Last(sender))));
    let (_loop, events, mut peer) = reacting_server(move |ws, what| {
        if *what == What::Open
            && let Some(handler) = handler.lock().take()
        {
            ws.set_handler(handler, 0).unwrap();
        }
    });
    peer.send(&three());
    assert_eq!(said.recv_timeout(PATIENCE), Ok("still here"));
    assert_eq!(said.recv_timeout(PATIENCE), Ok("gone"));
    drop(events);
}

/// Hands the loop to a callback of a connection on it, which does `act` with it.
fn with_own_loop<T: Send + 'static>(
    act: impl Fn(Loop) -> T + Send + Sync + 'static,
) -> (Receiver<T>, Session) {
    let (loop_sender, loop_receiver) = bounded::<Loop>(1);
    let (result_sender, results) = bounded(1);
    let acted = AtomicBool::new(false);
    let on_loop = started();
    let (handler, events) = reacting(move |_, what| {
        if matches!(what, What::Text(_)) && !acted.swap(true, Ordering::SeqCst) {
            let _ = result_sender.send(act(loop_receiver.recv().unwrap()));
        }
    });
    let server_port = port(serve(&on_loop, local(), handler));
    let mut peer = Peer::upgraded(server_port);
    events.open();
    loop_sender.send(on_loop).unwrap();
    peer.send(&three());
    events.text("1");
    (results, Session { events, peer })
}

struct Session {
    events: crate::support::Events,
    peer: Peer,
}

#[test]
fn dropping_the_loop_is_deferred_to_the_end_of_the_turn() {
    let (loop_sender, loops) = bounded::<Loop>(1);
    let (sender, ended_inside) = bounded(1);
    let ended = AtomicBool::new(false);
    let on_loop = started();
    let (handler, events) = reacting(move |_, what| match what {
        What::Text(text) if text == "1" => {
            drop(loops.recv().unwrap());
            sender.send(ended.load(Ordering::SeqCst)).unwrap();
        }
        What::Close(_) => ended.store(true, Ordering::SeqCst),
        _ => {}
    });
    let mut peer = Peer::upgraded(port(serve(&on_loop, local(), handler)));
    events.open();
    loop_sender.send(on_loop).unwrap();
    peer.send(&three());
    assert_eq!(
        ended_inside.recv_timeout(PATIENCE),
        Ok(false),
        "on_close inside on_message"
    );
    for text in ["1", "2", "3"] {
        events.text(text);
    }
    events.cut();
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn poll_and_wait_and_run_and_start_are_refused() {
    let (codes, _session) = with_own_loop(|on_loop| {
        let codes = [
            on_loop.poll(Some(Duration::ZERO)).map(drop),
            on_loop.wait(Some(Duration::ZERO)),
            on_loop.run(),
            on_loop.start(),
        ];
        (codes.map(|result| result.unwrap_err().code()), on_loop)
    });
    assert_eq!(codes.recv_timeout(PATIENCE).unwrap().0, [ErrorCode::LoopBusy; 4]);
}

#[test]
fn stop_ends_the_loop_after_the_turn_and_start_goes_on() {
    let (loops, mut session) = with_own_loop(|on_loop| {
        on_loop.stop();
        on_loop
    });
    let on_loop = loops.recv_timeout(PATIENCE).unwrap();
    session.events.text("2");
    session.events.text("3");
    on_loop.shutdown(Duration::ZERO); // joins the thread that stop has ended
    session.peer.send(&masked(0x81, b"later"));
    drop(on_loop);
    let heard = session.events.so_far();
    assert!(matches!(heard.last(), Some(What::Close(_))), "{heard:?}");
}

#[test]
fn shutdown_in_a_callback_returns_at_once() {
    let (loops, mut session) = with_own_loop(|on_loop| {
        on_loop.shutdown(PATIENCE);
        on_loop
    });
    let _loop = loops.recv_timeout(PATIENCE).unwrap();
    let (first, payload) = session.peer.read_frame();
    assert_eq!((first, &payload[..2]), (0x88, &1001_u16.to_be_bytes()[..]));
}

#[test]
fn connect_listen_and_closing_the_server_work_in_a_callback() {
    let (sender, inner) = unbounded();
    let (results, _session) = with_own_loop(move |on_loop| {
        let (server_handler, closed) = closed_server();
        let (handler, events) = reacting(|ws, what| {
            if let What::Text(text) = what {
                let _ = ws.send_text(&format!("{text} back")).unwrap();
            }
        });
        let server = serve(
            &on_loop,
            ServerOptions {
                server_handler,
                ..local()
            },
            handler,
        );
        let (client, client_events) = reacting(|ws, what| match what {
            What::Open => _ = ws.send_text("there and").unwrap(),
            What::Text(_) => ws.close(Some(1000), "").unwrap(),
            _ => {}
        });
        connect(
            Some(&on_loop),
            &url(port(server)),
            ClientOptions::default(),
            Some(client),
        )
        .unwrap();
        sender.send((server, closed, events, client_events)).unwrap();
        on_loop
    });
    let _loop = results.recv_timeout(PATIENCE).unwrap();
    let (server, closed, events, client_events) = inner.recv_timeout(PATIENCE).unwrap();
    client_events.open();
    client_events.text("there and back");
    client_events.clean(1000, "");
    events.open();
    server.close(None, "").unwrap();
    assert_eq!(closed.recv_timeout(PATIENCE), Ok(server));
}

#[test]
fn no_call_calls_back_before_the_callback_has_returned() {
    static DEPTH: AtomicUsize = AtomicUsize::new(0);
    struct Nested(crossbeam_channel::Sender<()>);
    impl Nested {
        fn enter(&self, act: impl FnOnce()) {
            assert_eq!(
                DEPTH.fetch_add(1, Ordering::SeqCst),
                0,
                "a callback inside a callback"
            );
            act();
            DEPTH.fetch_sub(1, Ordering::SeqCst);
        }
    }
    impl Handler for Nested {
        fn on_open(&self, ws: WebSocket) {
            self.enter(|| {
                let _ = ws.send_binary(&[0; 3 << 20]).unwrap();
                ws.ping(b"x").unwrap();
            });
        }
        fn on_message(&self, ws: WebSocket, _: Message<'_>) {
            self.enter(|| {
                ws.pause().unwrap();
                ws.resume().unwrap();
                ws.terminate().unwrap();
            });
        }
        fn on_drain(&self, _: WebSocket) {
            self.enter(|| {});
        }
        fn on_pong(&self, _: WebSocket, _: &[u8]) {
            self.enter(|| {});
        }
        fn on_close(&self, _: WebSocket, _: &CloseEvent) {
            self.enter(|| self.0.send(()).unwrap());
        }
    }
    let (sender, closed) = unbounded();
    let handler: Arc<dyn Handler> = Arc::new(Nested(sender));
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    let options = ServerOptions {
        settings: sockline::Settings::client(),
        ..local()
    };
    let server = serve(&on_loop, options, handler.clone());
    connect(
        Some(&on_loop),
        &url(port(server)),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    on_loop.start().unwrap();
    closed.recv_timeout(PATIENCE).unwrap();
    closed.recv_timeout(PATIENCE).unwrap();
}
