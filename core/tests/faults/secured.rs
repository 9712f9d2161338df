//! The same faults under TLS, where no byte of a record counts before the record is whole.

use std::time::{Duration, Instant};

use sockline::{ClientOptions, ErrorCode, ReadyState, Sent, ServerOptions, Settings};

use crate::certificates::Authority;
use crate::proxy::{Cut, FAIR, Way, Weather};
use crate::scene::{Attempt, LONG, SHORT, Scene, attempt_with, in_time, patient, scene_with, watchful};
use crate::support::{What, local};

fn secured(weather: Weather, settings: Settings) -> Scene {
    let authority = Authority::new("test authority");
    let server = ServerOptions {
        settings: settings.clone(),
        tls: Some(authority.server()),
        ..local()
    };
    let client = ClientOptions {
        settings,
        tls: Some(authority.client()),
        ..ClientOptions::default()
    };
    scene_with("wss", weather, server, client)
}

fn secured_attempt(cut: (Way, usize, Cut), timeout: Duration) -> Attempt {
    let authority = Authority::new("test authority");
    let server = ServerOptions {
        tls: Some(authority.server()),
        ..local()
    };
    let client = ClientOptions {
        tls: Some(authority.client()),
        ..ClientOptions::default()
    };
    let weather = Weather {
        cut: Some(cut),
        ..FAIR
    };
    attempt_with("wss", weather, timeout, server, client)
}

#[test]
fn silence_in_the_tls_handshake_is_a_timeout_that_names_the_host() {
    for (way, after) in [
        (Way::ToServer, 0),
        (Way::ToServer, 100),
        (Way::ToClient, 0),
        (Way::ToClient, 500),
    ] {
        for cut in [Cut::Stall, Cut::Swallow] {
            let attempt = secured_attempt((way, after, cut), SHORT);
            attempt
                .bystander
                .goes_on_until(|| attempt.client_events.has_heard());
            in_time(attempt.began, SHORT);
            let error = attempt.client_events.error();
            assert_eq!(error.code(), ErrorCode::HandshakeTimeout, "{error}");
            assert!(error.text().contains("127.0.0.1"), "{error}");
            attempt.client_events.cut();
            assert_eq!(attempt.server_events.so_far(), [], "it never became a connection");
        }
    }
}

#[test]
fn an_end_or_a_reset_in_the_tls_handshake_is_an_error_that_names_the_host() {
    for (way, after) in [
        (Way::ToServer, 0),
        (Way::ToServer, 100),
        (Way::ToClient, 0),
        (Way::ToClient, 500),
    ] {
        for cut in [Cut::End, Cut::Reset] {
            let attempt = secured_attempt((way, after, cut), LONG);
            attempt
                .bystander
                .goes_on_until(|| attempt.client_events.has_heard());
            let error = attempt.client_events.error();
            let codes = [ErrorCode::Tls, ErrorCode::HandshakeFailed, ErrorCode::Io];
            assert!(codes.contains(&error.code()), "{way:?} {after} {cut:?}: {error}");
            assert!(
                error.text().contains("127.0.0.1"),
                "{way:?} {after} {cut:?}: {error}"
            );
            attempt.client_events.cut();
        }
    }
}

#[test]
fn an_end_within_a_record_delivers_no_part_of_its_message() {
    for way in [Way::ToServer, Way::ToClient] {
        for cut in [Cut::End, Cut::Reset] {
            let scene = secured(FAIR, patient());
            let (from, to) = match way {
                Way::ToServer => (scene.client, &scene.server_events),
                Way::ToClient => (scene.server, &scene.client_events),
            };
            let _ = from.send_text("whole").unwrap();
            to.text("whole");
            scene.link.cut(way, 9000, cut);
            let _ = from.send_binary(&[7; 20_000]).unwrap();
            scene.both_hear();
            let end = match to.next() {
                What::Error(error) => {
                    assert_eq!(error.code(), ErrorCode::Io, "{way:?} {cut:?}: {error}");
                    to.next()
                }
                end => end,
            };
            assert!(
                matches!(&end, What::Close(event) if event.code == 1006 && !event.was_clean),
                "{end:?}"
            );
        }
    }
}

#[test]
fn a_cable_that_is_pulled_is_a_dead_peer_to_both() {
    for way in [Way::ToServer, Way::ToClient] {
        let scene = secured(FAIR, watchful());
        scene.link.cut(way, 1000, Cut::Stall);
        let sender = if way == Way::ToServer {
            scene.client
        } else {
            scene.server
        };
        let _ = sender.send_binary(&[1; 5000]).unwrap();
        scene.link.has_cut();
        let began = Instant::now();
        scene.both_hear();
        for events in [&scene.client_events, &scene.server_events] {
            assert_eq!(events.error().code(), ErrorCode::PeerDead);
            events.cut();
        }
        in_time(began, SHORT);
    }
}

#[test]
fn in_single_bytes_and_from_far_away_all_is_as_always() {
    let crumbs = Weather { piece: 1, ..FAIR };
    let far = Weather {
        latency: Duration::from_millis(200),
        ..FAIR
    };
    for weather in [crumbs, far] {
        let scene = secured(weather, patient());
        for size in [0, 126, 20_000] {
            let text = "ß".repeat(size / 2);
            for (from, to) in [
                (scene.client, &scene.server_events),
                (scene.server, &scene.client_events),
            ] {
                let _ = from.send_text(&text).unwrap();
                scene.bystander.goes_on_until(|| to.has_heard());
                to.text(&text);
            }
        }
        scene.client.close(Some(4000), "genug").unwrap();
        scene.both_hear();
        scene.server_events.clean(4000, "genug");
        scene.client_events.clean(4000, "genug");
    }
}

#[test]
fn through_a_narrow_pipe_a_sender_is_told_to_wait_and_loses_nothing() {
    const SIZE: usize = 12 << 20;
    let weather = Weather {
        rate: Some(16 << 20),
        ..FAIR
    };
    let settings = Settings {
        high_water_mark: 64 << 10,
        ..patient()
    };
    let scene = secured(weather, settings);
    for (from, own, to) in [
        (scene.client, &scene.client_events, &scene.server_events),
        (scene.server, &scene.server_events, &scene.client_events),
    ] {
        assert_eq!(from.send_binary(&vec![9; SIZE]), Ok(Sent::OverMark));
        scene.bystander.goes_on_until(|| own.has_heard());
        assert_eq!(own.next(), What::Drain);
        assert_eq!(to.next(), What::Binary(vec![9; SIZE]));
        assert_eq!(from.ready_state(), ReadyState::Open);
    }
}
