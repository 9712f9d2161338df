//! Clients that come back, over networks that fail them again and again.

use std::time::Duration;

use sockline::{ClientOptions, ReadyState, Reconnect, ServerOptions, Settings};

use crate::proxy::{Cut, FAIR, Way, Weather};
use crate::scene::{LONG, SHORT, Scene, patient, scene_with, watchful};
use crate::support::{What, local, reacting};

/// A client that comes back at once, keeping what is sent meanwhile.
fn returning(weather: Weather, settings: Settings) -> Scene {
    let server = ServerOptions {
        settings: settings.clone(),
        ..local()
    };
    let client = ClientOptions {
        settings,
        handshake_timeout: SHORT,
        reconnect: Some(Reconnect {
            base_delay: Duration::from_millis(2),
            max_delay: Duration::from_millis(10),
            stable_after: LONG,
            outbox: 1 << 20,
            ..Reconnect::default()
        }),
        ..ClientOptions::default()
    };
    scene_with("ws", weather, server, client)
}

/// Waits until the client is back, whatever it hears before that.
#[track_caller]
fn is_back(scene: &Scene) {
    scene.bystander.goes_on_until(|| scene.client_events.has_heard());
    while scene.client_events.next() != What::Reconnected {}
    assert_eq!(scene.client.ready_state(), ReadyState::Open);
}

#[test]
fn after_resets_ends_and_pulled_cables_it_comes_back_under_its_handle() {
    let scene = returning(FAIR, watchful());
    let mut link = &scene.link;
    let mut later;
    for cut in [Cut::Reset, Cut::End, Cut::Stall, Cut::Swallow] {
        link.cut(Way::ToClient, 1, cut);
        let _ = scene.client.send_text("over the brink").unwrap();
        scene.client.ping(b"").unwrap(); // its pong is what is cut
        is_back(&scene);
        later = scene.proxy.link();
        link = &later;
        let text = format!("back after {cut:?}");
        let _ = scene.client.send_text(&text).unwrap();
        while scene.server_events.next() != What::Text(text.clone()) {}
    }
    scene.client.close(Some(1000), "").unwrap();
    while !matches!(scene.client_events.next(), What::Close(_)) {}
}

#[test]
fn what_is_sent_while_it_is_away_arrives_in_order_when_it_is_back() {
    let scene = returning(FAIR, patient());
    let (handler, events) = reacting(|ws, what| {
        if matches!(what, What::Reconnecting(_)) {
            assert_eq!(ws.ready_state(), ReadyState::Connecting);
            for n in 0..100 {
                let _ = ws.send_text(&n.to_string()).unwrap();
            }
        }
    });
    scene.client.set_handler(handler, 0).unwrap();
    scene.link.cut(Way::ToClient, 0, Cut::Reset);
    scene.client.ping(b"").unwrap();
    scene.bystander.goes_on_until(|| events.has_heard());
    while events.next() != What::Reconnected {}
    let mut expected = 0;
    while expected < 100 {
        // The end of the connection before it may be heard in between.
        if let What::Text(text) = scene.server_events.next() {
            assert_eq!(text, expected.to_string());
            expected += 1;
        }
    }
}
