//! Connections of which one direction ends, or only one end knows of the end.

use crate::proxy::{Cut, FAIR, Way, Weather};
use crate::scene::{LONG, attempt, patient, scene};
use sockline::ErrorCode;

#[test]
fn a_fin_in_the_middle_of_a_message_is_an_end_without_any_part_of_it() {
    for way in [Way::ToServer, Way::ToClient] {
        for after in [1, 5, 1000] {
            let scene = scene(FAIR, patient());
            scene.link.cut(way, after, Cut::End);
            let sender = if way == Way::ToServer {
                scene.client
            } else {
                scene.server
            };
            let _ = sender.send_binary(&[7; 20_000]).unwrap();
            scene.both_hear();
            let ended = if way == Way::ToServer {
                &scene.server_events
            } else {
                &scene.client_events
            };
            ended.cut();
        }
    }
}

#[test]
fn a_fin_in_the_opening_handshake() {
    for (way, after) in [(Way::ToServer, 30), (Way::ToClient, 0), (Way::ToClient, 60)] {
        let weather = Weather {
            cut: Some((way, after, Cut::End)),
            ..FAIR
        };
        let attempt = attempt(weather, LONG);
        attempt
            .bystander
            .goes_on_until(|| attempt.client_events.has_heard());
        let error = attempt.client_events.error();
        assert_eq!(
            error.code(),
            ErrorCode::HandshakeFailed,
            "{way:?} {after}: {error}"
        );
        attempt.client_events.cut();
    }
}

#[test]
fn a_fin_between_close_and_answer_is_no_clean_end() {
    let scene = scene(FAIR, patient());
    scene.link.cut(Way::ToClient, 1, Cut::End);
    scene.client.close(Some(1000), "").unwrap();
    scene.both_hear();
    scene.client_events.cut();
    scene.server_events.clean(1000, "");
}
