//! Cables that were pulled, and machines that live while their program hangs: nobody is told, so time has to tell.

use std::time::Instant;

use sockline::{ErrorCode, ReadyState, Sent, Settings};

use crate::proxy::{Cut, FAIR, Way, Weather};
use crate::scene::{LONG, SHORT, attempt, in_time, patient, scene, watchful};
use crate::support::What;

const SILENCES: [Cut; 2] = [Cut::Stall, Cut::Swallow];

fn broken_after(way: Way, bytes: usize, cut: Cut) -> Weather {
    Weather {
        cut: Some((way, bytes, cut)),
        ..FAIR
    }
}

#[test]
fn a_request_that_does_not_arrive_is_a_timeout_that_names_the_host() {
    for cut in SILENCES {
        let attempt = attempt(broken_after(Way::ToServer, 20, cut), SHORT);
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

#[test]
fn a_response_that_stops_in_its_middle_ends_both_sides_on_time() {
    for cut in SILENCES {
        let attempt = attempt(broken_after(Way::ToClient, 40, cut), SHORT);
        attempt
            .bystander
            .goes_on_until(|| attempt.client_events.has_heard());
        in_time(attempt.began, SHORT);
        assert_eq!(attempt.client_events.error().code(), ErrorCode::HandshakeTimeout);
        attempt.client_events.cut();
        // To the server it is open, until nothing answers its pings.
        attempt.server_events.open();
        attempt
            .bystander
            .goes_on_until(|| attempt.server_events.has_heard());
        assert_eq!(attempt.server_events.error().code(), ErrorCode::PeerDead);
        attempt.server_events.cut();
    }
}

#[test]
fn silence_in_the_middle_of_a_message_is_a_dead_peer_to_both() {
    for (cut, way) in [Way::ToServer, Way::ToClient]
        .into_iter()
        .flat_map(|way| SILENCES.map(|cut| (cut, way)))
    {
        let scene = scene(FAIR, watchful());
        scene.link.cut(way, 1000, cut);
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
            let error = events.error();
            assert_eq!(error.code(), ErrorCode::PeerDead, "{error}");
            events.cut();
        }
        // The pings may have begun right before the fault.
        in_time(began, SHORT);
    }
}

#[test]
fn an_idle_connection_whose_cable_is_pulled_is_noticed_by_both() {
    for cut in SILENCES {
        let scene = scene(FAIR, watchful());
        scene.link.cut(Way::ToServer, 0, cut);
        scene.link.has_cut(); // by a ping, or the answer to one
        scene.both_hear();
        for events in [&scene.client_events, &scene.server_events] {
            let mut heard = events.next();
            while matches!(heard, What::Ping(_) | What::Pong(_)) {
                heard = events.next();
            }
            assert!(matches!(heard, What::Error(error) if error.code() == ErrorCode::PeerDead));
            events.cut();
        }
    }
}

#[test]
fn a_sender_into_the_void_hears_that_its_peer_is_dead() {
    let scene = scene(
        FAIR,
        Settings {
            high_water_mark: 1 << 20,
            ..watchful()
        },
    );
    scene.link.cut(Way::ToServer, 100_000, Cut::Stall);
    let mut said = Sent::Queued;
    for _ in 0..64 {
        said = scene.client.send_binary(&vec![2; 1 << 20]).unwrap();
    }
    assert_eq!(said, Sent::OverMark);
    scene.both_hear();
    assert_eq!(scene.client_events.error().code(), ErrorCode::PeerDead);
    scene.client_events.cut();
    assert_eq!(scene.client.buffered_amount(), 0, "what waited has gone with it");
    assert_eq!(scene.client.ready_state(), ReadyState::Closed);
}

#[test]
fn a_close_into_the_void_is_cut_after_the_close_timeout() {
    for cut in SILENCES {
        let settings = Settings {
            close_timeout: SHORT,
            ..patient()
        };
        let scene = scene(FAIR, settings);
        scene.link.cut(Way::ToServer, 0, cut);
        let began = Instant::now();
        scene.client.close(Some(1000), "bye").unwrap();
        scene.bystander.goes_on_until(|| scene.client_events.has_heard());
        in_time(began, SHORT);
        assert_eq!(scene.client_events.error().code(), ErrorCode::CloseTimeout);
        scene.client_events.cut();
        assert_eq!(scene.server_events.so_far(), [], "nothing has come through");
    }
}

#[test]
fn an_answer_to_a_close_that_is_lost_is_no_clean_end_for_the_closer() {
    let settings = Settings {
        close_timeout: SHORT,
        ..patient()
    };
    let scene = scene(FAIR, settings);
    scene.link.cut(Way::ToServer, 0, Cut::Stall);
    scene.server.close(Some(1001), "leaving").unwrap();
    scene.both_hear();
    assert_eq!(scene.server_events.error().code(), ErrorCode::CloseTimeout);
    scene.server_events.cut();
    // The client has both close frames; that the server does not end the transport is no fault of the handshake.
    scene.client_events.clean(1001, "leaving");
}

#[test]
fn without_timeouts_silence_is_borne_and_terminate_still_works() {
    let scene = scene(
        FAIR,
        Settings {
            ping_timeout: LONG,
            ..patient()
        },
    );
    scene.link.cut(Way::ToServer, 0, Cut::Stall);
    let _ = scene.client.send_text("lost").unwrap();
    scene.link.has_cut();
    scene.client.terminate().unwrap();
    scene.bystander.goes_on_until(|| scene.client_events.has_heard());
    scene.client_events.cut();
}
