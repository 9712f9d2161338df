//! Networks that deliver everything, but late, in crumbs, or a little at a time: nothing is an error then.

use std::time::{Duration, Instant};

use sockline::{ReadyState, Sent, Settings, WebSocket};

use crate::proxy::{FAIR, Weather};
use crate::scene::{Scene, patient, scene};
use crate::support::{Events, What};

const LATENCY: Duration = Duration::from_millis(200);

fn far_away(settings: Settings) -> Scene {
    let weather = Weather {
        latency: LATENCY,
        ..FAIR
    };
    scene(weather, settings)
}

/// A text of at least so many bytes, with characters of every length.
fn text(length: usize) -> String {
    "aß€😀"
        .chars()
        .cycle()
        .take(length.div_ceil(3).next_multiple_of(4))
        .collect()
}

#[test]
fn two_hundred_milliseconds_away_all_is_as_always_only_later() {
    let scene = far_away(patient());
    let began = Instant::now();
    let _ = scene.client.send_text("there").unwrap();
    scene.bystander.goes_on_until(|| scene.server_events.has_heard());
    scene.server_events.text("there");
    let _ = scene.server.send_text("and back").unwrap();
    scene.client_events.text("and back");
    assert!(began.elapsed() >= 2 * LATENCY, "{:?}", began.elapsed());
    scene.client.close(Some(1000), "done").unwrap();
    scene.both_hear();
    scene.server_events.clean(1000, "done");
    scene.client_events.clean(1000, "done");
}

#[test]
fn far_away_messages_do_not_wait_for_each_other() {
    let scene = far_away(patient());
    let began = Instant::now();
    for n in 0..100 {
        let _ = scene.client.send_text(&n.to_string()).unwrap();
    }
    (0..100).for_each(|n| scene.server_events.text(&n.to_string()));
    assert!(began.elapsed() < 20 * LATENCY, "{:?}", began.elapsed());
}

#[test]
fn far_away_is_not_dead_and_the_latency_says_how_far() {
    let scene = far_away(Settings {
        ping_interval: 3 * LATENCY, // longer than the way there and back: only the latest ping waits for its pong
        ping_timeout: 3 * LATENCY,
        ..patient()
    });
    for events in [&scene.client_events, &scene.server_events] {
        scene.bystander.goes_on_until(|| events.has_heard());
        while !matches!(events.next(), What::Pong(_)) {}
    }
    for end in [scene.client, scene.server] {
        assert_eq!(end.ready_state(), ReadyState::Open);
        let latency = end.latency().unwrap();
        assert!((399..2000).contains(&latency), "{latency} ms");
    }
}

#[test]
fn in_single_bytes_everything_arrives_whole() {
    let weather = Weather { piece: 1, ..FAIR };
    let scene = scene(weather, patient());
    for size in [0, 1, 125, 126, 127, 5000, 70_000] {
        let text = text(size);
        for (from, to) in [
            (scene.client, &scene.server_events),
            (scene.server, &scene.client_events),
        ] {
            let _ = from.send_text(&text).unwrap();
            let _ = from.send_binary(text.as_bytes()).unwrap();
            scene.bystander.goes_on_until(|| to.has_heard());
            to.text(&text);
            assert_eq!(to.next(), What::Binary(text.clone().into_bytes()));
        }
    }
    scene.client.ping(b"in crumbs").unwrap();
    assert_eq!(scene.server_events.next(), What::Ping(b"in crumbs".to_vec()));
    assert_eq!(scene.client_events.next(), What::Pong(b"in crumbs".to_vec()));
    scene.server.close(Some(4000), "späte Grüße").unwrap();
    scene.both_hear();
    scene.client_events.clean(4000, "späte Grüße");
    scene.server_events.clean(4000, "späte Grüße");
}

#[test]
fn through_a_narrow_pipe_a_sender_is_told_to_wait_and_when_to_go_on() {
    const SIZE: usize = 12 << 20; // more than the kernel's buffers hold on the way
    let weather = Weather {
        rate: Some(16 << 20),
        ..FAIR
    };
    let scene = scene(
        weather,
        Settings {
            high_water_mark: 64 << 10,
            ..patient()
        },
    );
    for (from, own, to) in [
        (scene.client, &scene.client_events, &scene.server_events),
        (scene.server, &scene.server_events, &scene.client_events),
    ] {
        assert_eq!(from.send_binary(&vec![9; SIZE]), Ok(Sent::OverMark));
        scene.bystander.goes_on_until(|| true);
        let waiting = from.buffered_amount();
        assert!((64 << 10..SIZE as u64).contains(&waiting), "{waiting} bytes wait");
        scene.bystander.goes_on_until(|| own.has_heard());
        assert_eq!(own.next(), What::Drain);
        assert!(from.buffered_amount() <= 32 << 10, "half of the mark");
        assert_eq!(from.send_text("on"), Ok(Sent::Queued));
        assert_eq!(to.next(), What::Binary(vec![9; SIZE]));
        to.text("on");
        assert_eq!(own.so_far(), [], "once per crossing");
    }
}

/// A message that takes seconds, during which nothing comes from its receiver, and the pings wait behind it.
fn outlasts_the_timeouts(choose: impl Fn(&Scene) -> (WebSocket, &Events)) {
    const SIZE: usize = 12 << 20;
    const PATIENCE: Duration = Duration::from_millis(400);
    let weather = Weather {
        rate: Some(5 << 20),
        ..FAIR
    };
    let settings = Settings {
        ping_interval: PATIENCE,
        ping_timeout: PATIENCE,
        ..patient()
    };
    let scene = scene(weather, settings);
    let (from, to) = choose(&scene);
    let began = Instant::now();
    let _ = from.send_binary(&vec![5; SIZE]).unwrap();
    let mut heard = to.next();
    while matches!(heard, What::Ping(_) | What::Pong(_)) {
        heard = to.next();
    }
    assert_eq!(heard, What::Binary(vec![5; SIZE]));
    assert!(
        began.elapsed() > 3 * PATIENCE,
        "it was not slow: {:?}",
        began.elapsed()
    );
    let _ = from.send_text("still here").unwrap();
    while to.next() != What::Text("still here".to_owned()) {}
    assert_eq!(from.ready_state(), ReadyState::Open);
}

#[test]
fn a_message_that_outlasts_all_timeouts_does_not_make_the_server_dead() {
    outlasts_the_timeouts(|scene| (scene.client, &scene.server_events));
}

#[test]
fn a_message_that_outlasts_all_timeouts_does_not_make_the_client_dead() {
    outlasts_the_timeouts(|scene| (scene.server, &scene.client_events));
}
