//! What idle TLS connections cost, counted by the C library's allocator: the cryptography is no Rust.
//!
//! Clients and server are in two processes, so that each counts its own side alone.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::sync::Arc;

use sockline::{ClientOptions, Handler, Message, ServerOptions, WebSocket, connect};

#[allow(dead_code)] // other tests use the rest
#[path = "support/certificates.rs"]
mod certificates;
mod support;

use certificates::Authority;
use support::child::{is_child, start, wait_for_parent};
use support::{What, local, port, reacting, serve, started};

const COUNT: usize = 500;
/// Before the count, for what all connections share.
const WARM: usize = 20;
/// User memory of one idle connection, with all that is not TLS.
const SERVER_LIMIT: usize = 5 << 10;
/// A client's connection has more of its own than a server's, without TLS too, and TLS keeps its server's certificate.
const CLIENT_LIMIT: usize = 6656;

/// All that is allocated now, with the allocator's own share.
fn in_use() -> usize {
    // SAFETY: it only reads.
    let info = unsafe { nix::libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

struct Echo;

impl Handler for Echo {
    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        let _ = ws.send(message.kind(), message.as_bytes()).unwrap();
    }
}

#[test]
fn an_idle_tls_connection_costs_less_than_5_kib() {
    const TEST: &str = "an_idle_tls_connection_costs_less_than_5_kib";
    if is_child(TEST) {
        return clients();
    }
    let authority = Authority::new("test authority");
    let on_loop = started();
    let options = ServerOptions {
        tls: Some(authority.server()),
        ..local()
    };
    let server = serve(&on_loop, options, Arc::new(Echo));
    let mut child = start(TEST);
    let authority = String::from_utf8(authority.pem()).unwrap().replace('\n', "|");
    child.say(&format!("{} {authority}", port(server)));
    child.hear("warm");
    let before = in_use();
    child.say("go on");
    let client: usize = child.hear("each").parse().unwrap();
    let server = (in_use() - before) / COUNT;
    println!("{server} bytes on the server's side, {client} on the client's");
    assert!(
        (1..SERVER_LIMIT).contains(&server),
        "{server} bytes on the server's side"
    );
    assert!(
        (1..CLIENT_LIMIT).contains(&client),
        "{client} bytes on the client's side"
    );
    child.end();
}

fn clients() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let (port, authority) = line.trim().split_once(' ').unwrap();
    let options = sockline::ClientTlsOptions {
        platform_roots: false,
        ca: vec![authority.replace('|', "\n").into_bytes()],
        ..sockline::ClientTlsOptions::default()
    };
    let options = ClientOptions {
        tls: Some(sockline::ClientTls::new(options).unwrap()),
        ..ClientOptions::default()
    };
    let on_loop = started();
    // One handler for all, as a program has that opens many: what it costs is not the connections'.
    let (handler, events) = reacting(|ws, what| {
        if *what == What::Open {
            let _ = ws.send_text("hello").unwrap();
        }
    });
    let url = format!("wss://localhost:{port}/");
    let open = |count| {
        for _ in 0..count {
            connect(Some(&on_loop), &url, options.clone(), Some(handler.clone())).unwrap();
            events.open();
            events.text("hello");
        }
    };
    open(WARM);
    println!("warm ");
    line.clear();
    std::io::stdin().read_line(&mut line).unwrap();
    let before = in_use();
    open(COUNT);
    println!("each {}", (in_use() - before) / COUNT);
    wait_for_parent();
}
