use sockline::io::EmitOptions;
use sockline::{ErrorCode, Sent, Settings, SlowConsumer};

use crate::fixture::{Fixture, Poller, serve_with};

fn limited(policy: SlowConsumer) -> Fixture {
    serve_with(|options| {
        options.settings = Settings {
            high_water_mark: 10_000,
            hard_limit: 20_000,
            slow_consumer: policy,
            ..Settings::server()
        };
    })
}

fn kilobyte() -> String {
    format!("\"{}\"", "x".repeat(998))
}

/// Sends until this is said; how many were accepted.
fn flood(socket: &sockline::io::Socket, wanted: &sockline::Result<Sent>) -> usize {
    for count in 0..100_000 {
        let sent = socket.emit("e", &kilobyte(), &[], &EmitOptions::default());
        if sent == *wanted {
            return count + usize::from(sent == Ok(Sent::OverMark));
        }
        assert!(sent.is_ok(), "{sent:?}");
    }
    panic!("it never said {wanted:?}");
}

#[test]
fn a_slow_client_is_noticed_and_its_end_of_slowness_too() {
    let fixture = limited(SlowConsumer::Error);
    let (mut client, socket) = fixture.joined();
    fixture.skip();
    let mut accepted = flood(&socket, &Ok(Sent::OverMark));
    // Until the system takes no more: before that, what is over the mark may leave at any time.
    fixture.settles(|| {
        accepted += flood(&socket, &Err(ErrorCode::OutboxFull.into()));
        assert!(socket.buffered_amount() < 40_000);
        fixture.skip();
        socket.buffered_amount() > 10_000
    });
    let packet = format!("42[\"e\",{}]", kilobyte());
    for _ in 0..accepted {
        client.gets(&[&packet]);
    }
    fixture.hears(&["drain"]);
    assert!(socket.connected());
}

#[test]
fn the_same_holds_for_a_client_that_polls() {
    let fixture = limited(SlowConsumer::Error);
    let poller = Poller::open(fixture.port, "EIO=4");
    poller.post("40");
    poller.get();
    let socket = fixture.socket();
    fixture.skip();
    flood(&socket, &Ok(Sent::OverMark));
    flood(&socket, &Err(ErrorCode::OutboxFull.into()));
    let full = fixture.io.metrics().dropped;
    fixture.io.of("/").emit("e", "", &[]).unwrap();
    assert_eq!(fixture.io.metrics().dropped, full + 1);
    assert!(poller.get().len() > 10_000);
    fixture.hears(&["drain"]);
}

#[test]
fn slow_clients_can_be_cut() {
    let fixture = limited(SlowConsumer::Close);
    let (_client, socket) = fixture.joined();
    fixture.skip();
    flood(&socket, &Ok(Sent::Dropped));
    let mut line = fixture.next();
    while line == "drain" {
        line = fixture.next(); // the system took what was above the mark, more than once perhaps
    }
    assert!(line.starts_with("disconnecting "), "{line}");
}

#[test]
fn messages_to_slow_clients_can_be_dropped() {
    let fixture = limited(SlowConsumer::DropNewest);
    let (_client, socket) = fixture.joined();
    flood(&socket, &Ok(Sent::Dropped));
    assert!(socket.connected());
    assert!(fixture.io.metrics().dropped > 0);
}
