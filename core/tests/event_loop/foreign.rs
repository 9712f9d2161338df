//! Foreign peers on blocking sockets: tungstenite as client and as server.

use std::net::TcpStream;
use std::thread;

use sockline::{ClientOptions, ServerOptions, Settings, WebSocket, connect};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Message, accept_with_config, client::client_with_config};

use crate::support::{Host, PATIENCE, What, local, port, reacting, recorder, serve, started, url};

/// Around every boundary of the length encoding (RFC 6455 §5.2), and beyond the loop's buffers.
const SIZES: [usize; 12] = [
    0,
    1,
    2,
    125,
    126,
    127,
    65_535,
    65_536,
    65_537,
    1 << 18,
    (1 << 20) + 1,
    16 << 20,
];

fn big() -> Settings {
    Settings {
        hard_limit: 0,
        ..Settings::client()
    }
}

fn unlimited() -> Option<WebSocketConfig> {
    Some(
        WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None),
    )
}

fn text(size: usize) -> String {
    "a€".chars().cycle().take(size / 2).collect()
}

fn echo(ws: WebSocket, what: &What) {
    let _ = match what {
        What::Text(text) => ws.send_text(text).unwrap(),
        What::Binary(data) => ws.send_binary(data).unwrap(),
        _ => return,
    };
}

fn close_frame(code: u16, reason: &str) -> CloseFrame {
    CloseFrame {
        code: CloseCode::from(code),
        reason: reason.to_owned().into(),
    }
}

#[test]
fn a_foreign_client_gets_its_messages_back() {
    let on_loop = started();
    let (handler, events) = reacting(echo);
    let server = serve(
        &on_loop,
        ServerOptions {
            settings: big(),
            ..local()
        },
        handler,
    );
    let stream = TcpStream::connect(("127.0.0.1", port(server))).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut client, response) = client_with_config(url(port(server)), stream, unlimited()).unwrap();
    assert_eq!(response.status(), 101);
    for size in SIZES {
        for message in [Message::text(text(size)), Message::binary(vec![size as u8; size])] {
            client.send(message.clone()).unwrap();
            assert!(client.read().unwrap() == message, "{size} bytes");
        }
    }
    client.send(Message::Ping("?".into())).unwrap();
    assert_eq!(client.read().unwrap(), Message::Pong("?".into()));
    client.close(Some(close_frame(3456, "that was it"))).unwrap();
    while client.read().is_ok() {}
    drop(client);
    let end = loop {
        if let What::Close(event) = events.next() {
            break event;
        }
    };
    assert_eq!(
        (end.code, end.reason.as_str(), end.was_clean),
        (3456, "that was it", true)
    );
}

#[test]
fn a_foreign_server_gets_ours_and_closes() {
    let (on_loop, host) = (started(), Host::new());
    let target = host.url();
    let server = thread::spawn(move || {
        let stream = host.accept().stream;
        let mut server = accept_with_config(stream, unlimited()).unwrap();
        for _ in 0..2 * SIZES.len() {
            let message = server.read().unwrap();
            server.send(message).unwrap();
        }
        server.close(Some(close_frame(1001, "leaving"))).unwrap();
        while server.read().is_ok() {}
    });
    let (handler, events) = recorder();
    let options = ClientOptions {
        settings: big(),
        ..ClientOptions::default()
    };
    let ws = connect(Some(&on_loop), &target, options, Some(handler)).unwrap();
    events.open();
    for size in SIZES {
        let _ = ws.send_text(&text(size)).unwrap();
        assert_eq!(events.next_but_drain(), What::Text(text(size)));
        let _ = ws.send_binary(&vec![size as u8; size]).unwrap();
        assert_eq!(events.next_but_drain(), What::Binary(vec![size as u8; size]));
    }
    events.clean(1001, "leaving");
    server.join().unwrap();
}

#[test]
fn many_foreign_clients_at_once() {
    let on_loop = started();
    let (handler, _events) = reacting(echo);
    let server = serve(&on_loop, local(), handler);
    let mut clients: Vec<_> = (0..200)
        .map(|_| {
            let stream = TcpStream::connect(("127.0.0.1", port(server))).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            tungstenite::client(url(port(server)), stream).unwrap().0
        })
        .collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(Message::text(n.to_string())).unwrap();
    }
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.read().unwrap(), Message::text(n.to_string()));
    }
}
