//! Resets, wherever they come: both sides hear a clear error, and no part of a message.

use sockline::ErrorCode;

use crate::proxy::{Cut, FAIR, Way, Weather};
use crate::scene::{LONG, attempt, patient, scene};
use crate::support::What;

#[test]
fn in_the_middle_of_a_message_both_hear_that_the_connection_was_lost() {
    for way in [Way::ToServer, Way::ToClient] {
        for after in [0, 1, 3, 9, 10_000] {
            let scene = scene(FAIR, patient());
            scene.link.cut(way, after, Cut::Reset);
            let sender = if way == Way::ToServer {
                scene.client
            } else {
                scene.server
            };
            let _ = sender.send_binary(&[7; 20_000]).unwrap();
            scene.both_hear();
            for events in [&scene.client_events, &scene.server_events] {
                let error = events.error();
                assert_eq!(error.code(), ErrorCode::Io, "{way:?} {after}: {error}");
                assert!(error.text().contains("reset"), "{error}");
                events.cut();
            }
        }
    }
}

#[test]
fn what_came_whole_before_the_reset_is_delivered() {
    let scene = scene(FAIR, patient());
    let _ = scene.client.send_text("whole").unwrap();
    scene.server_events.text("whole");
    scene.link.cut(Way::ToServer, 8, Cut::Reset);
    let _ = scene.client.send_text("never whole").unwrap();
    scene.both_hear();
    assert!(matches!(scene.server_events.next(), What::Error(error) if error.code() == ErrorCode::Io));
    scene.server_events.cut();
}

#[test]
fn in_the_opening_handshake() {
    for (way, after) in [
        (Way::ToServer, 0),
        (Way::ToServer, 50),
        (Way::ToClient, 0),
        (Way::ToClient, 50),
    ] {
        let weather = Weather {
            cut: Some((way, after, Cut::Reset)),
            ..FAIR
        };
        let attempt = attempt(weather, LONG);
        attempt
            .bystander
            .goes_on_until(|| attempt.client_events.has_heard());
        let error = attempt.client_events.error();
        assert!(
            matches!(error.code(), ErrorCode::Io | ErrorCode::HandshakeFailed),
            "{way:?} {after}: {error}"
        );
        assert!(error.text().contains("127.0.0.1"), "{way:?} {after}: {error}");
        attempt.client_events.cut();
    }
}

#[test]
fn in_the_closing_handshake_the_end_is_not_clean() {
    let scene = scene(FAIR, patient());
    scene.link.cut(Way::ToServer, 1, Cut::Reset);
    scene.client.close(Some(1000), "bye").unwrap();
    scene.both_hear();
    for events in [&scene.client_events, &scene.server_events] {
        assert_eq!(events.error().code(), ErrorCode::Io);
        events.cut();
    }
}
