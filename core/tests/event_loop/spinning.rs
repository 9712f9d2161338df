//! Loops that look again and again before they wait.

use std::sync::Arc;
use std::time::Duration;

use sockline::{ClientOptions, Loop, LoopOptions, Settings, Turn, WebSocket, connect};

use crate::support::{Events, PATIENCE, local, port, recorder, serve, url};

/// Longer than any test: what happens while it lasts, happens while the loop spins.
const FOR_EVER: Duration = Duration::from_hours(1);
const A_MOMENT: Duration = Duration::from_millis(5);

fn spinning(busy_poll: Duration) -> Loop {
    let options = LoopOptions {
        busy_poll,
        ..LoopOptions::default()
    };
    Loop::new(options).unwrap()
}

/// A client and a server of ours on a loop that the test turns.
fn open(on_loop: &Loop, options: ClientOptions) -> (WebSocket, Events, Events) {
    let (server_handler, server_events) = recorder();
    let (handler, events) = recorder();
    let server = serve(on_loop, local(), server_handler);
    let ws = connect(Some(on_loop), &url(port(server)), options, Some(handler)).unwrap();
    let mut so_far = (Vec::new(), Vec::new());
    while so_far.0.is_empty() || so_far.1.is_empty() {
        on_loop.poll(Some(PATIENCE)).unwrap();
        so_far.0.extend(events.so_far());
        so_far.1.extend(server_events.so_far());
    }
    (ws, events, server_events)
}

/// Turns until there is nothing to do, and once more; returns how often it has looked in vain meanwhile.
fn idle_polls(on_loop: &Loop) -> u64 {
    while on_loop.metrics().turns < u64::MAX {
        let before = on_loop.metrics().totals;
        on_loop.poll(Some(Duration::ZERO)).unwrap();
        if on_loop.metrics().totals == before {
            break;
        }
    }
    let before = on_loop.metrics().empty_polls;
    on_loop.poll(Some(A_MOMENT)).unwrap();
    on_loop.metrics().empty_polls - before
}

#[test]
fn a_loop_spins_only_where_it_is_to_and_has_connections() {
    let usual = spinning(Duration::ZERO);
    let _open = open(&usual, ClientOptions::default());
    assert_eq!(idle_polls(&usual), 0, "it was not asked to");
    assert_eq!(usual.metrics().empty_polls, 0);
    assert!(!usual.spin(None));

    let busy = spinning(A_MOMENT);
    let (handler, _events) = recorder();
    serve(&busy, local(), handler);
    busy.poll(Some(A_MOMENT)).unwrap();
    assert!(!busy.spin(None));
    assert_eq!(busy.metrics().empty_polls, 0, "a server alone is not waited for");

    let (ws, _events, _server_events) = open(&busy, ClientOptions::default());
    assert!(idle_polls(&busy) > 0);
    let before = busy.metrics().empty_polls;
    busy.poll(Some(Duration::ZERO)).unwrap();
    assert_eq!(
        busy.metrics().empty_polls,
        before,
        "a turn that does not wait does not spin"
    );

    ws.terminate().unwrap();
    while busy.metrics().connections > 0 {
        busy.poll(Some(A_MOMENT)).unwrap();
    }
    assert_eq!(idle_polls(&busy), 0, "nobody is left");
}

#[test]
fn a_timeout_and_a_timer_end_the_spinning() {
    let on_loop = spinning(FOR_EVER);
    let options = ClientOptions {
        settings: Settings {
            ping_interval: Duration::from_millis(20),
            ..Settings::client()
        },
        ..ClientOptions::default()
    };
    let _open = open(&on_loop, options);
    assert_eq!(on_loop.poll(Some(A_MOMENT)).unwrap(), Turn::Continue);
    let before = on_loop.metrics().totals.frames_out;
    while on_loop.metrics().totals.frames_out < before + 2 {
        on_loop.poll(None).unwrap(); // the next ping is due long before the spinning ends
    }
}

#[test]
fn a_spinning_loop_hears_of_other_threads() {
    let on_loop = Arc::new(spinning(FOR_EVER));
    let (ws, events, server_events) = open(&on_loop, ClientOptions::default());
    on_loop.start().unwrap();
    for n in 0..3 {
        let _ = ws.send_text(&n.to_string()).unwrap();
        server_events.text(&n.to_string());
    }
    ws.close(Some(1000), "").unwrap();
    events.close();
    on_loop.stop();
}

#[test]
fn a_host_spins_before_it_waits() {
    let on_loop = spinning(A_MOMENT);
    let (ws, _events, server_events) = open(&on_loop, ClientOptions::default());
    idle_polls(&on_loop);
    let before = on_loop.metrics().empty_polls;
    assert!(!on_loop.spin(None), "there is nothing");
    assert!(on_loop.metrics().empty_polls > before);
    assert!(!on_loop.spin(Some(Duration::ZERO)), "it looks once");
    let _ = ws.send_text("hello").unwrap();
    assert!(on_loop.spin(None));
    while server_events.so_far().is_empty() {
        on_loop.poll(Some(PATIENCE)).unwrap();
    }
}
