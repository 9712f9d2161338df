//! Questions to a cluster whose answers never come, because the server or its loop ends before.

use std::sync::Arc;

use sockline::adapter::redis::memory::MemoryServer;
use sockline::adapter::redis::{Redis, RedisMode, RedisOptions};
use sockline::io::Namespace;
use sockline::{ErrorCode, Loop, LoopOptions, Result};

use crate::fixture::{Client, Fixture, Recorder, serve_with};

const MODES: [RedisMode; 3] = [RedisMode::Classic, RedisMode::Sharded, RedisMode::Streams];
const QUESTIONS: [&str; 5] = ["sockets", "ids", "rooms", "count", "answers"];

/// A server of a cluster in which nothing is delivered, and a client that answers nothing.
fn node(server: &MemoryServer, mode: RedisMode) -> (Fixture, Client) {
    let options = RedisOptions {
        mode,
        ..RedisOptions::default()
    };
    let redis = Redis::over(server.node(), options);
    let fixture = serve_with(|options| options.adapter = Some(redis));
    let (client, _) = fixture.joined();
    fixture.skip();
    (fixture, client)
}

/// Asks all that can be asked; the recorder has a line for each that is told. How many were taken.
fn ask(fixture: &Fixture) -> usize {
    fn told<T>(handler: &Arc<Recorder>, what: &'static str) -> impl FnOnce(Result<T>) + Send + use<T> {
        let handler = handler.clone();
        move |answer| {
            let answer = answer.map_or_else(|error| format!("{:?}", error.code()), |_| "answered".to_owned());
            handler.say(format!("told of {what}: {answer}"));
        }
    }
    let (namespace, handler): (Namespace, _) = (fixture.io.of("/"), &fixture.handler);
    let [sockets, ids, rooms, count, answers] = QUESTIONS;
    let asked = [
        namespace.all().fetch_sockets(told(handler, sockets)),
        namespace.all_sockets(&[], told(handler, ids)),
        namespace.all_rooms(told(handler, rooms)),
        namespace.server_count(told(handler, count)),
        namespace.server_side_emit_with_ack("q", "", &[], told(handler, answers)),
        namespace.all().emit_with_ack("q", "", &[], 7),
    ];
    for error in asked.iter().filter_map(|asked| asked.as_ref().err()) {
        assert_eq!(error.code(), ErrorCode::Closed);
    }
    asked.iter().filter(|asked| asked.is_ok()).count()
}

/// Each question's end, once and in whatever order; other lines are left out.
#[track_caller]
fn hears_the_ends(fixture: &Fixture) {
    let (mut told, mut acks) = (Vec::new(), 0);
    while told.len() < QUESTIONS.len() || acks < 1 {
        let line = fixture.next();
        assert_ne!(line, "server closed", "{told:?}");
        acks += usize::from(line.starts_with("acks / 7 0/") && line.contains(" late"));
        told.extend(line.strip_prefix("told of ").map(str::to_owned));
    }
    told.sort();
    let mut expected = QUESTIONS.map(|question| format!("{question}: Closed"));
    expected.sort();
    assert_eq!((told.as_slice(), acks), (&expected[..], 1));
}

#[test]
fn a_server_that_closes_ends_them_before_its_last_event() {
    for mode in MODES {
        let server = MemoryServer::new();
        let (fixture, _client) = node(&server, mode);
        assert_eq!(ask(&fixture), 6);
        fixture.io.close();
        hears_the_ends(&fixture);
        fixture.hears(&["server closed"]);
        assert_eq!(ask(&fixture), 0);
        server.deliver(); // whatever comes now comes too late
        fixture.hears_nothing_more();
    }
}

#[test]
fn a_loop_that_ends_ends_them() {
    for mode in MODES {
        let server = MemoryServer::new();
        let (mut fixture, _client) = node(&server, mode);
        assert_eq!(ask(&fixture), 6);
        fixture.on_loop = Loop::new(LoopOptions::default()).unwrap(); // the other ends
        hears_the_ends(&fixture);
        assert_eq!(ask(&fixture), 0);
        server.deliver();
        fixture.io.close();
        fixture.hears(&["server closed"]);
        assert_eq!(fixture.lines().count(), 0);
    }
}
