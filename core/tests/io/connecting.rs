use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sockline::ErrorCode;
use sockline::io::{ConnectQuestion, EmitOptions};

use crate::fixture::{Poller, serve, serve_with, set};

#[test]
fn a_client_joins_the_main_namespace_and_gets_an_id_of_its_own() {
    let fixture = serve();
    let mut client = fixture.client();
    client.join("/");
    fixture.hears(&["connecting / {}", "connection /"]);
    let socket = fixture.socket();
    assert_eq!(socket.id(), client.id);
    assert_eq!(socket.id().len(), 20);
    assert!(!client.opened.contains(socket.id()), "the session's id is secret");
    assert!(client.opened.contains(socket.session_id()));
    assert!(socket.connected() && !socket.recovered());
    assert_eq!(socket.rooms(), [socket.id()]);
}

#[test]
fn auth_and_handshake_are_there() {
    let fixture = serve();
    let query = "EIO=4&transport=websocket&a=1&b=x%20y";
    let mut client =
        crate::fixture::Client::open_with(fixture.port, query, "X-One: 1\r\nOrigin: http://o\r\n");
    client.join_with("/", "{\"token\":\"abc\"}");
    fixture.hears(&["connecting / {\"token\":\"abc\"}", "connection /"]);
    let socket = fixture.socket();
    assert_eq!(socket.auth(), "{\"token\":\"abc\"}");
    let handshake = socket.handshake();
    assert_eq!(handshake.header("x-one"), Some("1"));
    assert!(handshake.xdomain() && !handshake.secure());
    assert!(handshake.query().contains(&("b".to_owned(), "x y".to_owned())));
    assert_eq!(handshake.url(), format!("/socket.io/?{query}"));
    assert!(handshake.address().unwrap().ip().is_loopback());
}

#[test]
fn polling_does_as_well() {
    let fixture = serve();
    let poller = Poller::open(fixture.port, "EIO=4");
    poller.post("40");
    assert!(poller.get().starts_with("40{\"sid\":\""));
    fixture.hears(&["connecting / {}", "connection /"]);
    poller.post("42[\"a\",1]\u{1e}420[\"b\"]");
    fixture.hears(&["event a [1]", "event b [] ack"]);
    assert_eq!(fixture.io.metrics().polling_clients, 1);
}

#[test]
fn an_unknown_namespace_is_refused_and_the_connection_goes_on() {
    let fixture = serve();
    let mut client = fixture.client();
    client.say("40/random");
    client.gets(&["44/random,{\"message\":\"Invalid namespace\"}"]);
    client.join("/");
    fixture.hears(&["connecting / {}", "connection /"]);
}

#[test]
fn breaches_of_the_protocol_close_the_connection() {
    for packet in [
        "40",
        "44{\"message\":\"x\"}",
        "42/other,[\"a\"]",
        "41/other,",
        "43/other,0[]",
    ] {
        let fixture = serve();
        let (mut client, _) = fixture.joined();
        client.say(packet);
        client.is_closed();
        fixture.hears(&["connecting / {}", "connection /"]);
        fixture.hears(&[
            "disconnecting forced server close 1",
            "disconnect / forced server close",
        ]);
    }
    for packet in ["42[\"a\"]", "41", "430[]", "44{}"] {
        let fixture = serve();
        let mut client = fixture.client();
        client.say(packet);
        client.is_closed();
        fixture.hears_nothing_more();
    }
}

#[test]
fn what_is_no_packet_closes_the_connection() {
    for packet in [
        "4",
        "4x",
        "42",
        "42{}",
        "42[]",
        "42[\"a\"",
        "42[\"connect\"]",
        "450-[\"a\"]",
        "451-[\"a\",{\"_placeholder\":true,\"num\":1}]",
    ] {
        let fixture = serve();
        let (mut client, _) = fixture.joined();
        client.say(packet);
        client.is_closed();
        fixture.hears(&["connecting / {}", "connection /"]);
        fixture.hears(&["disconnecting forced close 1", "disconnect / forced close"]);
    }
}

#[test]
fn who_joins_nothing_in_time_is_sent_away() {
    let fixture = serve_with(|options| options.connect_timeout = Duration::from_millis(50));
    let mut client = fixture.client();
    client.is_closed();
    let mut refused = fixture.client();
    refused.say("40/nope");
    refused.gets(&["44/nope,{\"message\":\"Invalid namespace\"}"]);
    refused.is_closed();
    let (mut joined, socket) = fixture.joined();
    joined.say("41");
    fixture.hears(&["connecting / {}", "connection /"]);
    fixture.hears(&[
        "disconnecting client namespace disconnect 1",
        "disconnect / client namespace disconnect",
    ]);
    assert!(!socket.connected());
    // Joined once is enough.
    std::thread::sleep(Duration::from_millis(100));
    joined.join("/");
}

#[test]
fn a_denied_client_hears_why_and_may_try_again() {
    let fixture = serve();
    set(
        &fixture.handler.on_connecting,
        Box::new(|question: ConnectQuestion| match question.socket().auth() {
            "{\"token\":1}" => question.allow(),
            "{\"token\":2}" => question.deny("no \"way\"", Some("{\"code\":5}")),
            "{\"token\":3}" => drop(question),
            _ => question.deny("nobody", None),
        }),
    );
    let mut client = fixture.client();
    for (auth, answer) in [
        ("", "44{\"message\":\"nobody\"}"),
        (
            "{\"token\":2}",
            "44{\"message\":\"no \\\"way\\\"\",\"data\":{\"code\":5}}",
        ),
        ("{\"token\":3}", "44{\"message\":\"Not answered\"}"),
    ] {
        client.say(&format!("40{auth}"));
        client.gets(&[answer]);
        fixture.next();
        fixture.hears(&["abandoned /"]);
    }
    client.join_with("/", "{\"token\":1}");
    fixture.hears(&["connecting / {\"token\":1}", "connection /"]);
    assert_eq!(fixture.io.of("/").socket_count(), 1);
}

#[test]
fn a_question_can_be_answered_later_from_any_thread() {
    let fixture = serve();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let questions = asked.clone();
    set(
        &fixture.handler.on_connecting,
        Box::new(move |question| questions.lock().push(question)),
    );
    let mut client = fixture.client();
    client.say("40");
    fixture.hears(&["connecting / {}"]);
    fixture.settle();
    let question = asked.lock().pop().unwrap();
    let socket = question.socket().clone();
    socket.set_user_data(7);
    socket.join(&["early"]);
    let refused = socket.emit("a", "", &[], &EmitOptions::default()).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::NotOpen);
    assert_eq!(
        (
            fixture.io.of("/").socket_count(),
            fixture.io.of("/").sockets().len()
        ),
        (0, 0)
    );
    // Broadcasts don't reach it yet.
    fixture.io.of("/").to("early").emit("too early", "", &[]).unwrap();
    question.allow();
    client.joined("/");
    fixture.hears(&["connection /"]);
    let mut rooms = socket.rooms();
    rooms.retain(|room| room != socket.id());
    assert_eq!((socket.user_data(), rooms), (7, vec!["early".to_owned()]));
    client.gets_nothing_more(&fixture, &socket);
}

#[test]
fn meanwhile_the_client_must_wait() {
    for packet in ["42[\"a\"]", "44{}", "41"] {
        let fixture = serve();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let questions = asked.clone();
        set(
            &fixture.handler.on_connecting,
            Box::new(move |question| questions.lock().push(question)),
        );
        let mut client = fixture.client();
        client.say("40");
        fixture.hears(&["connecting / {}"]);
        client.say(packet);
        client.is_closed();
        fixture.hears(&["abandoned /"]);
        let question = asked.lock().pop().unwrap();
        question.allow(); // too late, and harmless
        fixture.hears_nothing_more();
        assert_eq!(fixture.io.metrics().sockets, 0);
    }
}

#[test]
fn a_question_can_become_a_number() {
    let fixture = serve();
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let asked = numbers.clone();
    set(
        &fixture.handler.on_connecting,
        Box::new(move |question: ConnectQuestion| {
            asked.lock().push(question.into_raw());
        }),
    );
    let mut client = fixture.client();
    client.say("40");
    fixture.hears(&["connecting / {}"]);
    fixture.settle();
    let number = numbers.lock().pop().unwrap();
    assert!(number > 0 && number < 1 << 53);
    ConnectQuestion::from_raw(number).unwrap().allow();
    client.joined("/");
    assert_eq!(
        ConnectQuestion::from_raw(number).unwrap_err().code(),
        ErrorCode::AlreadyAnswered
    );
    assert_eq!(
        ConnectQuestion::from_raw(0).unwrap_err().code(),
        ErrorCode::WrongHandle
    );
    // The number of a client that has gone ends, too.
    let mut other = fixture.client();
    other.say("40");
    fixture.hears(&["connection /", "connecting / {}"]);
    drop(other);
    fixture.hears(&["abandoned /"]);
    let number = numbers.lock().pop().unwrap();
    assert_eq!(
        ConnectQuestion::from_raw(number).unwrap_err().code(),
        ErrorCode::AlreadyAnswered
    );
}

#[test]
fn a_session_can_be_refused_before_it_begins() {
    let fixture = serve_with(|options| options.ask_request = true);
    set(
        &fixture.handler.on_request,
        Box::new(
            |question: sockline::io::RequestQuestion| match question.request().header("x-key") {
                Some("1") => question.allow(),
                Some("number") => sockline::io::RequestQuestion::from_raw(question.into_raw())
                    .unwrap()
                    .allow(),
                _ => question.deny(Some("no key")),
            },
        ),
    );
    let mut peer = crate::support::Peer::connect(fixture.port);
    peer.send(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let answer = String::from_utf8(peer.read_to_end()).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("{\"code\":4,\"message\":\"no key\"}"),
        "{answer}"
    );
    fixture.hears(&["connection error 4 Forbidden"]);
    for key in ["1", "number"] {
        let lines = format!("X-Key: {key}\r\n");
        crate::fixture::Client::open_with(fixture.port, "EIO=4&transport=websocket", &lines);
    }
}

#[test]
fn the_application_can_answer_in_place_of_the_engine() {
    let fixture = serve_with(|options| options.ask_request = true);
    set(
        &fixture.handler.on_request,
        Box::new(|question: sockline::io::RequestQuestion| {
            question.respond(sockline::HttpAnswer {
                status: 503,
                headers: vec![("Retry-After".to_owned(), "7".to_owned())],
                body: b"later".to_vec(),
            });
        }),
    );
    let upgrade =
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    for (transport, lines) in [
        ("polling", "Connection: close\r\n"),
        ("websocket", &format!("Connection: Upgrade\r\n{upgrade}")),
    ] {
        let mut peer = crate::support::Peer::connect(fixture.port);
        let head = format!("GET /socket.io/?EIO=4&transport={transport} HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        peer.send(head.as_bytes());
        let answer = String::from_utf8(peer.read_to_end()).unwrap().to_lowercase();
        let is_it = answer.starts_with("http/1.1 503 ") && answer.contains("\r\nretry-after: 7\r\n");
        assert!(is_it && answer.ends_with("later"), "{answer}");
    }
    fixture.hears_nothing_more(); // it is no error
    assert_eq!(fixture.io.engine_clients(), 0);
}

#[test]
fn a_session_can_have_an_id_of_the_applications() {
    let fixture = serve_with(|options| options.ask_request = true);
    set(
        &fixture.handler.on_request,
        Box::new(|question: sockline::io::RequestQuestion| {
            let id = question.request().header("x-id").unwrap_or_default().to_owned();
            question.allow_as(&id);
        }),
    );
    let open = |id: &str| {
        let lines = format!("X-Id: {id}\r\n");
        crate::fixture::Client::open_with(fixture.port, "EIO=4&transport=websocket", &lines)
    };
    let mut client = open("user-7");
    assert!(
        client.opened.starts_with("0{\"sid\":\"user-7\","),
        "{}",
        client.opened
    );
    client.say("40");
    client.joined("/");
    assert_eq!(fixture.socket().session_id(), "user-7");
    fixture.skip();
    // Another one's, and none.
    for id in ["user-7", "a\"b", ""] {
        let mut peer = crate::support::Peer::connect(fixture.port);
        let lines = format!("X-Id: {id}\r\nConnection: close\r\n");
        let head = format!("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        peer.send(head.as_bytes());
        let answer = String::from_utf8(peer.read_to_end()).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400 ")
                && answer.ends_with("{\"code\":3,\"message\":\"Bad request\"}"),
            "{answer}"
        );
        fixture.hears(&["connection error 3 Bad request"]);
    }
    drop(client);
    fixture.hears(&["disconnecting transport close 1", "disconnect / transport close"]);
    open("user-7"); // it is free again
}

#[test]
fn a_session_on_polling_is_found_by_the_applications_id() {
    let fixture = serve_with(|options| options.ask_request = true);
    set(
        &fixture.handler.on_request,
        Box::new(|question: sockline::io::RequestQuestion| question.allow_as("7")),
    );
    fixture.io.of("/");
    let poller = crate::fixture::Poller::open(fixture.port, "EIO=4");
    assert_eq!(poller.sid, "7");
    poller.post("40");
    assert_eq!(fixture.socket().session_id(), "7");
}

#[test]
fn asking_again_while_it_waits_is_ignored() {
    let fixture = serve();
    let (sender, questions) = crossbeam_channel::unbounded();
    set(
        &fixture.handler.on_connecting,
        Box::new(move |question| drop(sender.send(question))),
    );
    let mut client = fixture.client();
    client.say("40");
    client.say("40{\"again\":1}");
    let question: ConnectQuestion = questions.recv().unwrap();
    fixture.hears(&["connecting / {}"]);
    fixture.hears_nothing_more();
    question.allow();
    client.joined("/");
    let socket = fixture.socket();
    client.gets_nothing_more(&fixture, &socket);
}

#[test]
fn a_session_is_closed_whatever_its_client_has_joined() {
    let fixture = serve_with(|options| options.ask_connecting = true);
    let io = fixture.io.clone();
    set(
        &fixture.handler.on_connecting,
        Box::new(move |question| {
            if question.socket().auth() == "{\"bad\":1}" {
                let id = question.socket().session_id().to_owned();
                assert!(io.close_session(&id, false));
            }
            question.allow();
        }),
    );
    let mut client = fixture.client();
    client.say("40{\"bad\":1}");
    client.is_closed();
    fixture.hears(&["connecting / {\"bad\":1}", "abandoned /"]);
    let (mut client, socket) = fixture.joined();
    assert!(fixture.io.close_session(socket.session_id(), true));
    client.is_closed();
    fixture.hears(&[
        "connecting / {}",
        "connection /",
        "disconnecting forced close 1",
        "disconnect / forced close",
    ]);
    assert!(!fixture.io.close_session(socket.session_id(), true));
    assert!(!fixture.io.close_session("nobody", false));
    fixture.hears_nothing_more();
    assert_eq!(fixture.io.engine_clients(), 0);
}
