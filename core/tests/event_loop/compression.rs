//! permessage-deflate over sockets: agreed on by both roles, and per message.

use sockline::{
    ClientOptions, Compression, ErrorCode, MessageType, SendOptions, ServerOptions, Settings, connect,
};

use crate::support::{
    Pair, Peer, What, connected_with, local, masked, pair_with, port, reacting, recorder, serve, served_with,
    settings, started, url,
};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// "Hello" as RFC 7692 §7.2.3.1 compresses it.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// 30,000 zeros as zlib compresses them.
const ZEROS: [u8; 46] = [
    0xec, 0xc1, 0x31, 0x01, 0x00, 0x00, 0x00, 0xc2, 0xa0, 0xf5, 0x4f, 0x6d, 0x09, 0x4f, 0xa0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3e, 0x06, 0, 0,
];

fn compressing(compression: Compression) -> Settings {
    settings(|it| it.compression = Some(compression))
}

fn eager() -> Compression {
    Compression {
        threshold: 0,
        ..Compression::server()
    }
}

fn text(size: usize) -> String {
    "{\"a\":1},".chars().cycle().take(size).collect()
}

#[test]
fn both_ends_say_what_was_agreed_on() {
    let Pair { client, peer, .. } = &pair_with(
        compressing(Compression::server()),
        compressing(Compression::client()),
    );
    let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(client.extensions(), agreed);
    assert_eq!(peer.extensions(), agreed);
}

#[test]
fn it_takes_two() {
    for (server, client) in [(None, Some(eager())), (Some(eager()), None), (None, None)] {
        let pair = pair_with(
            settings(|it| it.compression = server),
            settings(|it| it.compression = client),
        );
        assert_eq!(
            (pair.client.extensions(), pair.peer.extensions()),
            (String::new(), String::new())
        );
        let _ = pair.client.send_text(&text(5000)).unwrap();
        pair.peer_events.text(&text(5000));
    }
}

#[test]
fn messages_of_all_sizes_go_both_ways() {
    let kept = Compression::client();
    for (server, client) in [(Compression::server(), kept), (kept, kept), (eager(), eager())] {
        let pair = pair_with(compressing(server), compressing(client));
        for size in [0, 1, 1023, 1024, 16 << 10, 70_000, 1 << 20] {
            let _ = pair.client.send_text(&text(size)).unwrap();
            let _ = pair.peer.send_binary(text(size).as_bytes()).unwrap();
            pair.peer_events.text(&text(size));
            assert_eq!(
                pair.client_events.next_but_drain(),
                What::Binary(text(size).into())
            );
        }
    }
}

#[test]
fn a_foreign_client_sees_rsv1_and_the_response_header() {
    let on_loop = started();
    let (handler, events) = reacting(|ws, what| {
        if let What::Text(text) = what {
            let _ = ws.send_text(text).unwrap();
        }
    });
    let options = ServerOptions {
        settings: compressing(eager()),
        ..local()
    };
    let server = serve(&on_loop, options, handler);
    let (mut peer, head) = Peer::upgraded_with(port(server), OFFER);
    let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert!(
        head.contains(&format!("Sec-WebSocket-Extensions: {agreed}\r\n")),
        "{head}"
    );
    assert_eq!(events.open().extensions(), agreed);
    peer.send(&masked(0xc1, &HELLO));
    // Not shorter, and nothing is kept: it goes as it is.
    assert_eq!(peer.read_frame(), (0x81, b"Hello".to_vec()));
    events.text("Hello");
    let hellos = "Hello".repeat(100);
    peer.send(&masked(0x81, hellos.as_bytes()));
    let (first, payload) = peer.read_frame();
    assert!(first == 0xc1 && payload.len() < 30, "{first:x}, {payload:?}");
}

#[test]
fn a_client_refuses_what_it_did_not_offer() {
    let host = crate::support::Host::new();
    let on_loop = started();
    let (handler, events) = recorder();
    connect(
        Some(&on_loop),
        &host.url(),
        ClientOptions::default(),
        Some(handler),
    )
    .unwrap();
    let mut peer = host.accept();
    let request = peer.read_head();
    assert!(!request.contains("Extensions"), "{request}");
    let response = crate::support::peer::switching(&request);
    let response = response.strip_suffix("\r\n").unwrap().to_owned()
        + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    peer.send(response.as_bytes());
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::HandshakeFailed);
    assert!(error.to_string().contains("permessage-deflate"), "{error}");
    events.cut();
}

#[test]
fn a_bomb_ends_with_1009_and_the_others_go_on() {
    let on_loop = started();
    let (handler, events) = recorder();
    let options = ServerOptions {
        settings: Settings {
            max_message: 10_000,
            ..compressing(eager())
        },
        ..local()
    };
    let server = serve(&on_loop, options, handler);
    let (mut peer, _) = Peer::upgraded_with(port(server), OFFER);
    let (mut other, _) = Peer::upgraded_with(port(server), OFFER);
    events.open();
    events.open();
    peer.send(&masked(0xc2, &ZEROS));
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Protocol);
    assert!(error.to_string().contains("limit is 10000"), "{error}");
    events.cut();
    let (first, payload) = peer.read_frame();
    assert_eq!((first, &payload[..2]), (0x88, &1009_u16.to_be_bytes()[..]));
    other.send(&masked(0xc1, &HELLO));
    events.text("Hello");
}

#[test]
fn rsv1_without_an_agreement_ends_with_1002() {
    let mut served = served_with(compressing(eager()));
    served.peer.send(&masked(0xc1, &HELLO));
    assert_eq!(served.events.error().code(), ErrorCode::Protocol);
    let (first, payload) = served.peer.read_frame();
    assert_eq!((first, &payload[..2]), (0x88, &1002_u16.to_be_bytes()[..]));
}

#[test]
fn a_client_offers_only_when_asked_to() {
    let mut connected = connected_with(compressing(Compression::client()));
    // The peer has answered without an extension.
    assert_eq!(connected.ws.extensions(), "");
    let _ = connected.ws.send_text(&text(5000)).unwrap();
    assert_eq!(connected.peer.read_frame(), (0x81, text(5000).into()));
}

#[test]
fn wrong_settings_are_said_at_once() {
    for (wrong, word) in [
        (Compression { level: 10, ..eager() }, "level"),
        (
            Compression {
                memory_level: 0,
                ..eager()
            },
            "memory_level",
        ),
        (
            Compression {
                server_max_window_bits: 8,
                ..eager()
            },
            "max_window_bits",
        ),
        (
            Compression {
                client_max_window_bits: 16,
                ..eager()
            },
            "max_window_bits",
        ),
    ] {
        let options = ClientOptions {
            settings: compressing(wrong),
            ..ClientOptions::default()
        };
        let error = connect(None, &url(1), options, None).expect_err(word);
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn each_message_may_choose() {
    let on_loop = started();
    let (handler, events) = recorder();
    let options = ServerOptions {
        settings: compressing(Compression::server()),
        ..local()
    };
    let server = serve(&on_loop, options, handler);
    let (mut peer, _) = Peer::upgraded_with(port(server), OFFER);
    let ws = events.open();
    for (size, compress, first) in [
        (100, None, 0x81),
        (100, Some(true), 0xc1),
        (5000, None, 0xc1),
        (5000, Some(false), 0x81),
        (50_000, Some(false), 0x81),
        (50_000, Some(true), 0xc1),
    ] {
        let options = SendOptions {
            compress,
            ..SendOptions::default()
        };
        let _ = ws
            .send_with(MessageType::Text, text(size).as_bytes(), &options)
            .unwrap();
        assert_eq!(peer.read_frame().0, first, "{size} bytes, {compress:?}");
    }
}

#[test]
fn a_broadcast_is_compressed_for_those_who_can_read_it() {
    let on_loop = started();
    let (handler, events) = recorder();
    let options = ServerOptions {
        settings: compressing(Compression::client()),
        ..local()
    };
    let server = serve(&on_loop, options, handler);
    let lines = [
        "",
        "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n",
    ];
    let mut peers = lines.map(|lines| {
        let (peer, _) = Peer::upgraded_with(port(server), lines);
        events.open();
        peer
    });
    server
        .broadcast(MessageType::Text, text(5000).as_bytes())
        .unwrap();
    server.broadcast(MessageType::Text, b"short").unwrap();
    let [plain, kept, forgets, small] = peers.each_mut().map(|peer| {
        let frame = peer.read_frame();
        assert_eq!(peer.read_frame(), (0x81, b"short".to_vec()));
        frame
    });
    assert_eq!(plain, (0x81, text(5000).into()));
    assert!(kept.0 == 0xc1 && kept.1.len() < 100, "{kept:?}");
    assert_eq!(kept, forgets, "the same frame");
    assert_eq!(small.0, 0xc1);
}

#[test]
fn a_broadcast_fits_between_messages_that_refer_to_each_other() {
    // Ours compresses with its context, the broadcast without: the client inflates both with one window.
    let kept = compressing(Compression::client());
    let pair = pair_with(kept.clone(), kept);
    for nth in 0..5 {
        let own = format!("{nth}{}", text(3000));
        let _ = pair.peer.send_text(&own).unwrap();
        pair.client_events.text(&own);
        let all = format!("{}{nth}", text(2000));
        pair.server.broadcast(MessageType::Text, all.as_bytes()).unwrap();
        pair.client_events.text(&all);
    }
}

#[test]
fn what_compression_makes_of_messages_is_counted_at_both_ends() {
    let pair = pair_with(compressing(eager()), compressing(eager()));
    let long = text(10_000);
    let plain = SendOptions {
        compress: Some(false),
        ..SendOptions::default()
    };
    let _ = pair.client.send_text(&long).unwrap();
    let _ = pair
        .client
        .send_with(MessageType::Text, long.as_bytes(), &plain)
        .unwrap();
    pair.peer_events.text(&long);
    pair.peer_events.text(&long);
    let (sent, got) = (pair.client.metrics().unwrap(), pair.peer.metrics().unwrap());
    assert_eq!(
        (sent.compressed_from, got.inflated_to),
        (10_000, 10_000),
        "not the one that was sent as it is"
    );
    assert!((1..1000).contains(&sent.compressed_to), "{sent:?}");
    assert_eq!(got.inflated_from, sent.compressed_to);
    assert_eq!((sent.inflated_from, got.compressed_from), (0, 0));
    assert_eq!(pair.on_loop.metrics().totals.compressed_from, 10_000);
}
