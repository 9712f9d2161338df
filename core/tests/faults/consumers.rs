//! Peers that stop taking what they are sent: what waits for them is bounded, by each policy, and the others get all.

use sockline::{ClientOptions, ErrorCode, ReadyState, Sent, ServerOptions, Settings, SlowConsumer};

use crate::proxy::{Cut, FAIR, Way};
use crate::scene::{SHORT, Scene, patient, scene_with};
use crate::support::{What, local};

const LIMIT: usize = 1 << 20;
const PART: usize = 256 << 10;

/// A server's connection whose client takes nothing any more.
fn stalled(slow_consumer: SlowConsumer) -> Scene {
    let settings = Settings {
        slow_consumer,
        high_water_mark: LIMIT / 2,
        hard_limit: LIMIT,
        close_timeout: SHORT,
        ..patient()
    };
    let server = ServerOptions { settings, ..local() };
    let client = ClientOptions {
        settings: patient(),
        ..ClientOptions::default()
    };
    let scene = scene_with("ws", FAIR, server, client);
    scene.link.cut(Way::ToClient, 10_000, Cut::Stall);
    scene
}

/// Sends far more than the limit and the kernel's buffers hold, until something else than success is said.
fn send_much(scene: &Scene) -> Option<sockline::Result<Sent>> {
    let mut said = None;
    for _ in 0..200 {
        let result = scene.server.send_binary(&[6; PART]);
        scene.bystander.goes_on_until(|| true);
        let waiting = scene.server.buffered_amount();
        // What waited before a message counts, so one message may be above the limit.
        assert!(waiting <= (LIMIT + 2 * PART) as u64, "{waiting} bytes wait");
        if !matches!(result, Ok(Sent::Queued | Sent::OverMark)) {
            said = Some(result);
            break;
        }
    }
    said
}

#[test]
fn error_says_so_to_the_sender() {
    let scene = stalled(SlowConsumer::Error);
    let error = send_much(&scene).unwrap().unwrap_err();
    assert_eq!(error.code(), ErrorCode::OutboxFull);
    assert_eq!(scene.server.ready_state(), ReadyState::Open);
}

#[test]
fn drop_newest_says_so_to_the_sender() {
    let scene = stalled(SlowConsumer::DropNewest);
    assert_eq!(send_much(&scene), Some(Ok(Sent::Dropped)));
    assert_eq!(scene.server.ready_state(), ReadyState::Open);
}

#[test]
fn drop_oldest_goes_on_for_ever_within_its_bounds() {
    let scene = stalled(SlowConsumer::DropOldest);
    assert_eq!(send_much(&scene), None);
    assert_eq!(scene.server.ready_state(), ReadyState::Open);
}

#[test]
fn close_ends_the_connection_though_its_peer_takes_not_even_that() {
    let scene = stalled(SlowConsumer::Close);
    send_much(&scene);
    scene
        .bystander
        .goes_on_until(|| scene.server.ready_state() == ReadyState::Closed);
    let error = match scene.server_events.next_but_drain() {
        What::Error(error) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error.code(), ErrorCode::OutboxFull, "{error}");
    scene.server_events.cut();
    assert_eq!(scene.server.buffered_amount(), 0);
}
