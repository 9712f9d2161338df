//! TLS in both roles, between our own ends and against foreign ones. All certificates are made as the tests run.

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/mod.rs"]
mod support;

mod foreign;
mod given;
mod io;
mod pair;
mod peer;
mod routes;
mod sessions;
mod transport;
mod trust;
mod ways;

use sockline::{
    ClientOptions, ClientTls, Loop, Server, ServerOptions, ServerTls, Settings, WebSocket, connect,
};

use support::{Events, local, port, recorder, serve, started};

/// Our client and our server over TLS, open, on one loop.
#[allow(dead_code)] // they live as long as this
struct Secured {
    client: WebSocket,
    client_events: Events,
    peer: WebSocket,
    peer_events: Events,
    server: Server,
    on_loop: Loop,
}

fn secured(server_tls: ServerTls, client_tls: ClientTls) -> Secured {
    secured_with(server_tls, client_tls, Settings::server(), Settings::client())
}

fn secured_with(
    server_tls: ServerTls,
    client_tls: ClientTls,
    server_settings: Settings,
    client_settings: Settings,
) -> Secured {
    let on_loop = started();
    let (handler, peer_events) = recorder();
    let options = ServerOptions {
        settings: server_settings,
        ..with_tls(server_tls)
    };
    let server = serve(&on_loop, options, handler);
    let client_events = attempt(&on_loop, &wss(server), client_tls, client_settings);
    let (client, peer) = (client_events.open(), peer_events.open());
    Secured {
        client,
        client_events,
        peer,
        peer_events,
        server,
        on_loop,
    }
}

fn with_tls(tls: ServerTls) -> ServerOptions {
    ServerOptions {
        tls: Some(tls),
        ..local()
    }
}

fn wss(server: Server) -> String {
    format!("wss://localhost:{}/", port(server))
}

/// Connects; what comes of it is in the events.
fn attempt(on_loop: &Loop, url: &str, tls: ClientTls, settings: Settings) -> Events {
    let (handler, events) = recorder();
    let options = ClientOptions {
        tls: Some(tls),
        settings,
        ..ClientOptions::default()
    };
    connect(Some(on_loop), url, options, Some(handler)).unwrap();
    events
}
