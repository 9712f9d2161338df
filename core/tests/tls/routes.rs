//! Routes over TLS.

use std::os::unix::net::UnixStream;

use sockline::ServerOptions;
use sockline::http::{Limits, parse_request};

use crate::certificates::Authority;
use crate::peer;
use crate::support::routes::{get, ok, post, recorded, response};
use crate::support::{Peer, port, recorder, serve, started};
use crate::with_tls;

#[test]
fn a_connection_that_was_accepted_elsewhere_is_plain() {
    let authority = Authority::new("test authority");
    let (route, heard) = recorded(|_| {});
    let options = ServerOptions {
        routes: vec![route],
        ..with_tls(authority.server())
    };
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let (client, theirs) = UnixStream::pair().unwrap();
    let mut peer = Peer { stream: client };
    let request = parse_request(&get("/r"), &Limits::default()).unwrap().unwrap().0;
    server.adopt(theirs.into(), request, b"").unwrap();
    let request = heard.request();
    assert!(!request.secure);
    request.exchange.respond(ok(b"plain"));
    assert_eq!(response(&mut peer).1, b"plain");
}

#[test]
fn requests_are_answered_and_clients_that_go_are_told_of() {
    let authority = Authority::new("test authority");
    let (route, heard) = recorded(|_| {});
    let options = ServerOptions {
        routes: vec![route],
        ..with_tls(authority.server())
    };
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let client = || {
        peer::client(
            peer::client_config(&authority, rustls::ALL_VERSIONS),
            port(server),
        )
    };
    let big: Vec<u8> = (0..500_000).map(|at| (at % 251) as u8).collect();
    let mut peer = client();
    peer.send(&[post("/r", &big), get("/r")].concat());
    let request = heard.request();
    assert!(request.secure && request.body == big);
    request.exchange.respond(ok(&request.body));
    assert!(response(&mut peer).1 == big);
    heard.request().exchange.respond(ok(b"small"));
    assert_eq!(response(&mut peer).1, b"small");

    // A goodbye, a bare end, and a reset.
    peer.send(&get("/r"));
    let exchange = heard.request().exchange;
    peer.stream.conn.send_close_notify();
    peer.stream.conn.complete_io(&mut peer.stream.sock).unwrap();
    heard.cut(exchange.id());
    type Go = fn(peer::TlsClient);
    let ways: [Go; 2] = [drop, |peer| {
        Peer {
            stream: peer.stream.sock,
        }
        .reset();
    }];
    for go in ways {
        let mut peer = client();
        peer.send(&get("/r"));
        let exchange = heard.request().exchange;
        go(peer);
        heard.cut(exchange.id());
    }
    assert_eq!(server.metrics().unwrap().failed_handshakes, 0);
}
