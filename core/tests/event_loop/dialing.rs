//! Connections that the application makes whenever one is needed.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sockline::requests::{Call, HttpClient, HttpClientOptions};
use sockline::{ClientOptions, Dial, Dialing, ErrorCode, GivenSocket, Lookup, Reconnect, connect};

use crate::support::{PATIENCE, Peer, local, port, recorder, serve, started};

/// Connects to this port of this host, whatever is asked for; counts.
fn to(port: u16) -> (Dial, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let dial = Dial::new(move |dialing: Dialing| {
        assert_eq!(
            (dialing.host(), dialing.is_secure()),
            ("no.such.host.invalid", false)
        );
        counted.fetch_add(1, Ordering::Relaxed);
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        dialing.connected(GivenSocket::new(socket));
    });
    (dial, count)
}

fn by(dial: Dial) -> ClientOptions {
    ClientOptions {
        dial: Some(dial),
        ..ClientOptions::default()
    }
}

#[test]
fn a_client_connects_and_comes_back_over_what_the_application_connects() {
    let (server_loop, client_loop) = (started(), started());
    let (handler, events) = recorder();
    let server = serve(&server_loop, local(), handler);
    let (dial, count) = to(port(server));
    let options = ClientOptions {
        reconnect: Some(Reconnect {
            base_delay: Duration::from_millis(1),
            ..Reconnect::default()
        }),
        ..by(dial)
    };
    let (handler, client_events) = recorder();
    let url = "ws://no.such.host.invalid/";
    let client = connect(Some(&client_loop), url, options, Some(handler)).unwrap();
    client_events.open();
    events.open().terminate().unwrap();
    events.cut();
    // It is there again, under the same handle.
    let again = events.open();
    assert_eq!(count.load(Ordering::Relaxed), 2);
    again.close(Some(1000), "").unwrap();
    let _ = client.terminate();
}

#[test]
fn an_answer_may_come_later_from_any_thread_and_be_a_number_meanwhile() {
    let (server_loop, client_loop) = (started(), started());
    let (handler, events) = recorder();
    let server = serve(&server_loop, local(), handler);
    let (sender, asked) = crossbeam_channel::unbounded();
    let dial = Dial::new(move |dialing: Dialing| sender.send(dialing.into_raw()).unwrap());
    let (handler, client_events) = recorder();
    let url = format!("wss://no.such.host.invalid:{}/", port(server));
    connect(Some(&client_loop), &url, by(dial), Some(handler)).unwrap();
    let number = asked.recv_timeout(PATIENCE).unwrap();
    let dialing = Dialing::from_raw(number).unwrap();
    assert_eq!(
        Dialing::from_raw(number).unwrap_err().code(),
        ErrorCode::AlreadyAnswered
    );
    assert_eq!((dialing.port(), dialing.is_secure()), (port(server), true));
    // Somebody else would do TLS.
    let socket = TcpStream::connect(("127.0.0.1", port(server))).unwrap();
    dialing.secured(GivenSocket::new(socket));
    client_events.open();
    events.open();
}

#[test]
fn requests_go_over_what_the_application_connects() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (dial, count) = to(listener.local_addr().unwrap().port());
    let options = HttpClientOptions {
        connection: by(dial),
        ..HttpClientOptions::default()
    };
    let on_loop = started();
    let client = HttpClient::new(Some(&on_loop), "http://no.such.host.invalid/", options).unwrap();
    let (sender, answers) = crossbeam_channel::unbounded();
    for _ in 0..2 {
        let sender = sender.clone();
        client
            .request(Call::get("/"), move |answer| sender.send(answer).unwrap())
            .unwrap();
        let mut peer = Peer::new(listener.accept().unwrap().0);
        assert!(peer.read_head().contains("no.such.host.invalid"));
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
        assert_eq!(answers.recv_timeout(PATIENCE).unwrap().unwrap().body, b"hi");
    }
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[test]
fn a_connection_that_could_not_be_made_is_an_error() {
    let failing = || Dial::new(|dialing: Dialing| dialing.failed("not today"));
    for (dial, words) in [(failing(), "not today"), (Dial::new(drop), "has not done so")] {
        let (handler, events) = recorder();
        connect(Some(&started()), "ws://h/", by(dial), Some(handler)).unwrap();
        let error = events.error();
        assert_eq!(error.code(), ErrorCode::ConnectFailed);
        assert!(error.text().contains(words), "{error}");
    }
}

#[test]
fn nobody_waits_longer_than_the_handshake_may_take() {
    let (sender, asked) = crossbeam_channel::unbounded();
    let dial = Dial::new(move |dialing| sender.send(dialing).unwrap());
    let options = ClientOptions {
        handshake_timeout: Duration::from_millis(20),
        ..by(dial)
    };
    let (handler, events) = recorder();
    let on_loop = started();
    connect(Some(&on_loop), "ws://h/", options, Some(handler)).unwrap();
    assert_eq!(events.error().code(), ErrorCode::HandshakeTimeout);
    // An answer that comes too late is closed.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let late = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut peer = Peer::new(listener.accept().unwrap().0);
    let dialing: Dialing = asked.recv_timeout(PATIENCE).unwrap();
    dialing.connected(GivenSocket::new(late));
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn who_connects_says_where_to() {
    let dial = || Dial::new(drop);
    for options in [
        ClientOptions {
            connect_to: Some(("localhost".to_owned(), 1)),
            ..by(dial())
        },
        ClientOptions {
            lookup: Some(Lookup::new(|_| Ok(Vec::new()))),
            ..by(dial())
        },
    ] {
        let error = connect(Some(&started()), "ws://h/", options, None).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
    }
}
