//! The client's machine of Engine.IO against a scripted server, on a virtual clock.

mod chance;

use sockline::engineio::client::{Client, Output, OwnedData, Settings, State};
use sockline::engineio::{Body, Transport};

const HANDSHAKE: &str =
    r#"0{"sid":"abc","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":20}"#;
const NO_UPGRADES: &str =
    r#"0{"sid":"abc","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":20}"#;

fn settings() -> Settings {
    Settings {
        transports: vec![Transport::Polling, Transport::WebSocket],
        upgrade: true,
        websocket_first: false,
        try_all_transports: false,
        force_base64: false,
    }
}

/// Everything that the machine says, as short words.
fn said(client: &mut Client) -> Vec<String> {
    let word = |output| match output {
        Output::Get(number) => format!("get {number}"),
        Output::Post(number, payload) => format!("post {number} {}", payload.replace('\x1e', "|")),
        Output::Leave(None) => "leave".to_owned(),
        Output::Leave(Some(payload)) => format!("leave {payload}"),
        Output::Connect(number) => format!("connect {number}"),
        Output::SendText(number, text, _) => format!("text {number} {text}"),
        Output::SendBinary(number, data, _) => format!("binary {number} {data:?}"),
        Output::Disconnect(number) => format!("disconnect {number}"),
        Output::Opened => "opened".to_owned(),
        Output::Message(OwnedData::Text(text)) => format!("message {text}"),
        Output::Message(OwnedData::Binary(data)) => format!("message {data:?}"),
        Output::Ping => "ping".to_owned(),
        Output::Upgraded => "upgraded".to_owned(),
        Output::UpgradeFailed(why) => format!("upgrade failed: {why}"),
        Output::Drained => "drained".to_owned(),
        Output::WebSocketWorks(works) => format!("works {works}"),
        Output::Failed(what, detail) => format!("failed: {what}: {detail}"),
        Output::Closed(reason, detail) => format!("closed {reason:?}: {detail}"),
    };
    std::iter::from_fn(|| client.output()).map(word).collect()
}

fn text(text: &str) -> OwnedData {
    OwnedData::Text(text.to_owned())
}

/// A client that polls, without an upgrade to come.
fn polling() -> Client {
    let mut client = Client::open(settings());
    assert_eq!(said(&mut client), ["get 1"]);
    client.polled(1, Ok(NO_UPGRADES), 0);
    assert_eq!(said(&mut client), ["works false", "opened", "get 1"]);
    client
}

/// A client on a WebSocket from the beginning.
fn on_websocket() -> Client {
    let mut client = Client::open(Settings {
        transports: vec![Transport::WebSocket],
        ..settings()
    });
    assert_eq!(said(&mut client), ["connect 1"]);
    client.websocket_opened(1);
    assert_eq!(client.websocket_text(1, HANDSHAKE, 0), None);
    assert_eq!(said(&mut client), ["works true", "opened"]);
    client
}

/// A client whose probe was answered, with `posting` under way.
fn pausing(posting: bool) -> Client {
    let mut client = Client::open(settings());
    client.polled(1, Ok(HANDSHAKE), 0);
    assert_eq!(
        said(&mut client),
        [
            "get 1",
            "works false",
            "opened",
            "works false",
            "connect 2",
            "get 1"
        ]
    );
    client.websocket_opened(2);
    assert_eq!(said(&mut client), ["text 2 2probe"]);
    if posting {
        client.send(text("a"), None);
        assert_eq!(said(&mut client), ["post 1 4a"]);
    }
    assert_eq!(client.websocket_text(2, "3probe", 0), None);
    assert_eq!(said(&mut client), ["works true"]);
    client
}

#[test]
fn polling_begins_with_a_get_and_goes_on() {
    let mut client = polling();
    assert_eq!(client.state(), State::Open);
    assert_eq!(client.transport(), Some(Transport::Polling));
    assert_eq!(client.handshake().unwrap().sid, "abc");
    client.polled(1, Ok("4hello\x1ebAQID\x1e6"), 10);
    assert_eq!(said(&mut client), ["message hello", "message [1, 2, 3]", "get 1"]);
    client.polled(1, Ok("2"), 20);
    assert_eq!(said(&mut client), ["ping", "post 1 3", "get 1"]);
    client.posted(1, Ok(()));
    assert_eq!(said(&mut client), ["drained"]);
}

#[test]
fn one_pong_waits_however_often_a_server_pings() {
    let mut client = polling();
    client.send(text("a"), None);
    assert_eq!(said(&mut client), ["post 1 4a"]);
    for _ in 0..100 {
        client.polled(1, Ok("2\x1e2"), 10);
        assert_eq!(said(&mut client), ["ping", "ping", "get 1"]);
    }
    client.send(text("b"), None);
    client.posted(1, Ok(()));
    assert_eq!(said(&mut client), ["post 1 3|4b"]);
    client.polled(1, Ok("2"), 20);
    client.posted(1, Ok(()));
    assert_eq!(said(&mut client), ["ping", "get 1", "post 1 3"]);
}

#[test]
fn the_query_says_what_the_protocol_asks_for() {
    let query = |client: &Client, transport| {
        let pairs = client.query(transport).into_iter();
        pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("&")
    };
    let client = Client::open(settings());
    assert_eq!(query(&client, Transport::Polling), "EIO=4&transport=polling");
    let client = polling();
    assert_eq!(
        query(&client, Transport::Polling),
        "EIO=4&transport=polling&sid=abc"
    );
    assert_eq!(
        query(&client, Transport::WebSocket),
        "EIO=4&transport=websocket&sid=abc"
    );
    let mut client = Client::open(Settings {
        force_base64: true,
        ..settings()
    });
    assert_eq!(
        query(&client, Transport::Polling),
        "EIO=4&transport=polling&b64=1"
    );
    client.polled(1, Ok(NO_UPGRADES), 0);
    assert_eq!(
        query(&client, Transport::Polling),
        "EIO=4&transport=polling&sid=abc"
    );
    assert_eq!(
        query(&client, Transport::WebSocket),
        "EIO=4&transport=websocket&sid=abc&b64=1"
    );
}

#[test]
fn one_post_at_a_time_takes_what_the_server_allows() {
    let mut client = polling();
    assert!(client.is_writable());
    client.send(text("first"), None);
    assert!(!client.is_writable());
    for message in ["0123456789", "abcdef", "x"] {
        client.send(text(message), None);
    }
    client.send(OwnedData::Binary(vec![0; 3]), None);
    assert_eq!(client.waiting(), 20);
    assert_eq!(said(&mut client), ["post 1 4first"]);
    client.posted(1, Ok(()));
    assert_eq!(said(&mut client), ["post 1 40123456789|4abcdef"]);
    client.posted(1, Ok(()));
    assert_eq!(said(&mut client), ["post 1 4x|bAAAA"]);
    client.posted(1, Ok(()));
    assert_eq!(said(&mut client), ["drained"]);
    assert!(client.is_writable());
}

#[test]
fn corked_messages_leave_together() {
    let mut client = polling();
    client.cork();
    client.send(text("a"), None);
    client.send(text("b"), None);
    assert_eq!(said(&mut client), [""; 0]);
    client.uncork();
    assert_eq!(said(&mut client), ["post 1 4a|4b"]);
    client.cork();
    client.send(text("c"), None);
    client.posted(1, Ok(()));
    assert_eq!(said(&mut client), [""; 0]);
    client.close();
    assert_eq!(said(&mut client), ["post 1 4c"], "who closes has said all");
    let mut client = on_websocket();
    client.cork();
    client.send(text("a"), None);
    assert_eq!(
        said(&mut client),
        ["text 1 4a"],
        "a WebSocket has a cork of its own"
    );
}

#[test]
fn a_websocket_carries_packets_both_ways() {
    let mut client = on_websocket();
    assert_eq!(client.websocket_text(1, "4hello", 10), Some(Body::Text("hello")));
    let body = client.websocket_binary(1, &[1, 2], 10);
    assert_eq!(OwnedData::from(body.unwrap()), OwnedData::Binary(vec![1, 2]));
    assert_eq!(client.websocket_text(1, "2", 10), None);
    assert_eq!(said(&mut client), ["ping", "text 1 3"]);
    assert_eq!(client.direct(), Some(1));
    client.send(text("hi"), None);
    client.send(OwnedData::Binary(vec![7]), None);
    assert_eq!(said(&mut client), ["text 1 4hi", "binary 1 [7]"]);
    assert_eq!(client.websocket_text(1, "6", 10), None);
    assert_eq!(said(&mut client), [""; 0]);
}

#[test]
fn base64_can_be_forced_on_a_websocket() {
    let mut client = Client::open(Settings {
        transports: vec![Transport::WebSocket],
        force_base64: true,
        ..settings()
    });
    client.websocket_text(1, HANDSHAKE, 0);
    said(&mut client);
    client.send(OwnedData::Binary(vec![1, 2, 3]), None);
    assert_eq!(said(&mut client), ["text 1 bAQID"]);
}

#[test]
fn the_upgrade_waits_for_the_get_and_the_post() {
    let mut client = pausing(true);
    client.send(text("while pausing"), None);
    client.polled(1, Ok("4late\x1e6"), 0);
    assert_eq!(said(&mut client), ["message late"]);
    client.posted(1, Ok(()));
    assert_eq!(
        said(&mut client),
        ["text 2 5", "leave", "upgraded", "text 2 4while pausing"]
    );
    assert_eq!(client.transport(), Some(Transport::WebSocket));
    assert_eq!(client.direct(), Some(2));

    let mut client = pausing(true);
    client.posted(1, Ok(()));
    assert_eq!(said(&mut client), [""; 0]);
    client.polled(1, Ok("2"), 0);
    // The ping came before the upgrade; its answer goes the new way.
    assert_eq!(
        said(&mut client),
        ["ping", "text 2 5", "leave", "upgraded", "text 2 3"]
    );
}

#[test]
fn before_the_probe_is_answered_polling_goes_on() {
    let mut client = Client::open(settings());
    client.polled(1, Ok(HANDSHAKE), 0);
    said(&mut client);
    client.polled(1, Ok("4a"), 0);
    client.send(text("b"), None);
    assert_eq!(said(&mut client), ["message a", "get 1", "post 1 4b"]);
    assert_eq!(client.direct(), None);
}

#[test]
fn a_probe_that_fails_leaves_the_connection_as_it_is() {
    for answer in ["3", "4probe", "2probe", "x", "3other"] {
        let mut client = Client::open(settings());
        client.polled(1, Ok(HANDSHAKE), 0);
        client.websocket_opened(2);
        said(&mut client);
        assert_eq!(client.websocket_text(2, answer, 0), None);
        let words = said(&mut client);
        assert_eq!(words[..2], ["works false", "disconnect 2"], "{answer}");
        assert!(words[2].starts_with("upgrade failed: probe error"), "{answer}");
        client.polled(1, Ok("4a"), 0);
        assert_eq!(said(&mut client), ["message a", "get 1"]);
    }
    let mut client = Client::open(settings());
    client.polled(1, Ok(HANDSHAKE), 0);
    said(&mut client);
    client.websocket_closed(2, Some("refused"));
    assert_eq!(
        said(&mut client),
        [
            "works false",
            "disconnect 2",
            "upgrade failed: probe error: refused"
        ]
    );
}

#[test]
fn a_probe_lost_while_pausing_has_polling_go_on() {
    let mut client = pausing(false);
    client.send(text("a"), None);
    client.websocket_closed(2, None);
    let words = said(&mut client);
    assert_eq!(words.last().unwrap(), "post 1 4a");
    client.polled(1, Ok("6"), 0);
    assert_eq!(said(&mut client), ["get 1"]);

    // Its GET had been answered, and no other was sent.
    let mut client = pausing(true);
    client.polled(1, Ok("6"), 0);
    assert_eq!(said(&mut client), [""; 0]);
    client.websocket_closed(2, None);
    assert_eq!(said(&mut client).last().unwrap(), "get 1");
}

#[test]
fn no_upgrade_where_none_is_offered_or_wanted() {
    let mut client = Client::open(Settings {
        upgrade: false,
        ..settings()
    });
    client.polled(1, Ok(HANDSHAKE), 0);
    assert_eq!(said(&mut client), ["get 1", "works false", "opened", "get 1"]);
    let mut client = Client::open(Settings {
        transports: vec![Transport::Polling],
        ..settings()
    });
    client.polled(1, Ok(HANDSHAKE), 0);
    assert_eq!(said(&mut client), ["get 1", "works false", "opened", "get 1"]);
    assert_eq!(said(&mut on_websocket()), [""; 0]);
}

#[test]
fn silence_ends_the_connection_after_interval_and_timeout() {
    let mut client = polling();
    assert_eq!(client.deadline(), Some(500));
    client.handle_timeout(499);
    assert!(!client.has_expired(499));
    client.polled(1, Ok("2"), 499);
    client.posted(1, Ok(()));
    said(&mut client);
    assert_eq!(client.deadline(), Some(999));
    client.polled(1, Ok("4message"), 900);
    said(&mut client);
    assert_eq!(client.deadline(), Some(999), "only a ping counts");
    assert!(client.has_expired(999));
    client.handle_timeout(999);
    assert_eq!(said(&mut client), ["leave 1", "closed PingTimeout: "]);
    assert_eq!(client.deadline(), None);
    assert_eq!(client.state(), State::Closed);
}

#[test]
fn failures_of_requests_are_told() {
    let mut client = Client::open(settings());
    said(&mut client);
    client.polled(1, Err("refused"), 0);
    let failed = ["works false", "failed: xhr poll error: refused", "leave"];
    let closed = "closed TransportError: refused";
    assert_eq!(said(&mut client), [&failed[..], &[closed]].concat());

    let mut client = polling();
    client.send(text("a"), None);
    client.posted(1, Err("status 400"));
    let words = said(&mut client);
    assert!(
        words.contains(&"failed: xhr post error: status 400".to_owned()),
        "{words:?}"
    );
    client.polled(1, Ok("4late"), 0);
    client.posted(1, Ok(()));
    assert_eq!(said(&mut client), [""; 0], "nothing comes after the end");
}

#[test]
fn what_is_no_packet_is_an_error() {
    for payload in ["", "x", "4a\x1e", "4a\x1eb*"] {
        let mut client = polling();
        client.polled(1, Ok(payload), 0);
        let words = said(&mut client);
        assert!(
            words.contains(&"failed: server error: parser error".to_owned()),
            "{payload:?}: {words:?}"
        );
        assert_eq!(client.state(), State::Closed);
    }
    let mut client = on_websocket();
    assert_eq!(client.websocket_text(1, "x", 0), None);
    assert_eq!(client.state(), State::Closed);
    for beginning in ["4a", "0{}", "2", "6"] {
        let mut client = Client::open(settings());
        client.polled(1, Ok(beginning), 0);
        assert_eq!(client.state(), State::Closed, "{beginning}");
    }
}

#[test]
fn the_server_closes() {
    let mut client = polling();
    client.polled(1, Ok("4last\x1e1\x1e4never"), 0);
    assert_eq!(
        said(&mut client),
        [
            "message last",
            "leave",
            "closed TransportClose: transport closed by the server"
        ]
    );
    let mut client = on_websocket();
    client.websocket_text(1, "1", 0);
    assert_eq!(
        said(&mut client),
        [
            "disconnect 1",
            "closed TransportClose: transport closed by the server"
        ]
    );
    let mut client = on_websocket();
    client.websocket_closed(1, None);
    assert_eq!(
        said(&mut client),
        ["closed TransportClose: websocket connection closed"]
    );
    let mut client = on_websocket();
    client.websocket_closed(1, Some("reset"));
    assert_eq!(
        said(&mut client),
        [
            "works false",
            "failed: websocket error: reset",
            "closed TransportError: reset"
        ]
    );
}

#[test]
fn closing_sends_what_waits_first() {
    let mut client = polling();
    client.send(text("a"), None);
    client.send(text("b"), None);
    said(&mut client);
    client.close();
    assert_eq!(client.state(), State::Closing);
    client.send(text("too late"), None);
    client.posted(1, Ok(()));
    assert_eq!(said(&mut client), ["post 1 4b"]);
    client.posted(1, Ok(()));
    assert_eq!(said(&mut client), ["drained", "leave 1", "closed ForcedClose: "]);

    let mut client = on_websocket();
    client.close();
    assert_eq!(said(&mut client), ["disconnect 1", "closed ForcedClose: "]);

    let mut client = Client::open(settings());
    client.close();
    assert_eq!(said(&mut client), ["get 1", "leave", "closed ForcedClose: "]);
}

#[test]
fn closing_waits_for_an_upgrade_that_has_begun() {
    let mut client = pausing(false);
    client.send(text("a"), None);
    client.close();
    assert_eq!(said(&mut client), [""; 0]);
    client.polled(1, Ok("6"), 0);
    assert_eq!(
        said(&mut client),
        [
            "text 2 5",
            "leave",
            "upgraded",
            "text 2 4a",
            "disconnect 2",
            "closed ForcedClose: "
        ]
    );
    let mut client = Client::open(settings());
    client.polled(1, Ok(HANDSHAKE), 0);
    said(&mut client);
    client.close();
    assert_eq!(
        said(&mut client),
        [
            "disconnect 2",
            "upgrade failed: socket closed",
            "leave 1",
            "closed ForcedClose: "
        ]
    );
}

#[test]
fn the_next_transport_is_tried_where_that_is_asked_for() {
    let mut client = Client::open(Settings {
        transports: vec![Transport::WebSocket, Transport::Polling],
        try_all_transports: true,
        ..settings()
    });
    assert_eq!(said(&mut client), ["connect 1"]);
    client.websocket_closed(1, Some("refused"));
    assert_eq!(said(&mut client), ["works false", "get 2"]);
    client.polled(2, Err("refused too"), 0);
    let words = said(&mut client);
    assert_eq!(words.last().unwrap(), "closed TransportError: refused too");

    let mut client = Client::open(Settings {
        transports: vec![Transport::WebSocket, Transport::Polling],
        ..settings()
    });
    client.websocket_closed(1, Some("refused"));
    assert_eq!(client.state(), State::Closed);
}

#[test]
fn a_websocket_that_worked_can_come_first() {
    let mut client = Client::open(Settings {
        websocket_first: true,
        ..settings()
    });
    assert_eq!(said(&mut client), ["connect 1"]);
    client.websocket_text(1, HANDSHAKE, 0);
    assert_eq!(said(&mut client), ["works true", "opened"]);
    let mut client = Client::open(Settings {
        websocket_first: true,
        transports: vec![Transport::Polling],
        ..settings()
    });
    assert_eq!(said(&mut client), ["get 1"]);
}

#[test]
fn without_a_transport_it_fails() {
    let mut client = Client::open(Settings {
        transports: Vec::new(),
        ..settings()
    });
    let words = said(&mut client);
    assert!(
        words.contains(&"failed: No transports available: ".to_owned()),
        "{words:?}"
    );
    assert!(matches!(client.state(), State::Closed));
}
