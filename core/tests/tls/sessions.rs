//! Which certificate a server shows, and what connections remember of each other.

use sockline::{ErrorCode, ServerTls, ServerTlsOptions, Settings, TlsInfo};

use crate::certificates::Authority;
use crate::support::{Events, recorder, serve, started};
use crate::{attempt, secured, with_tls, wss};

/// The certificate in an identity, as `TlsInfo` has it.
fn der(identity: &sockline::Identity) -> Vec<u8> {
    pem::parse(&identity.certificates).unwrap().into_contents()
}

fn shown(info: &TlsInfo) -> Vec<u8> {
    info.peer_certificate.clone().unwrap()
}

#[test]
fn a_server_shows_the_certificate_for_the_name_that_is_asked_for() {
    let authority = Authority::new("test authority");
    let names: [&[&str]; 4] = [
        &["first.test", "localhost"],
        &["second.test", "third.test"],
        &["*.wild.test"],
        &["exact.wild.test"],
    ];
    let identities = names.map(|names| authority.identity(names));
    let server = ServerTls::new(ServerTlsOptions::new(identities.to_vec())).unwrap();
    for (name, index) in [
        ("first.test", 0),
        ("localhost", 0),
        ("second.test", 1),
        ("THIRD.test", 1),
        ("any.wild.test", 2),
        ("exact.wild.test", 3),
    ] {
        let client = authority.client_with(|options| options.server_name = Some(name.to_owned()));
        let ends = secured(server.clone(), client);
        assert_eq!(
            shown(&ends.client.tls().unwrap()),
            der(&identities[index]),
            "{name}"
        );
    }
    for name in ["unknown.test", "a.b.wild.test", "wild.test"] {
        let client = authority.client_with(|options| {
            options.server_name = Some(name.to_owned());
            options.insecure = true;
        });
        let ends = secured(server.clone(), client);
        assert_eq!(shown(&ends.client.tls().unwrap()), der(&identities[0]), "{name}");
    }
}

#[test]
fn certificates_are_exchanged_without_a_restart() {
    let authority = Authority::new("test authority");
    let (old, new) = (
        authority.identity(&["localhost"]),
        authority.identity(&["localhost"]),
    );
    let tls = ServerTls::new(ServerTlsOptions::new(vec![old.clone()])).unwrap();
    let on_loop = started();
    let (handler, peer_events) = recorder();
    let server = serve(&on_loop, with_tls(tls.clone()), handler);
    let connect = || attempt(&on_loop, &wss(server), authority.client(), Settings::client());
    let (before, client) = {
        let events = connect();
        let ws = events.open();
        (events, ws)
    };
    assert_eq!(shown(&client.tls().unwrap()), der(&old));
    peer_events.open();

    let wrong = sockline::Identity {
        private_key: old.private_key.clone(),
        ..new.clone()
    };
    let error = tls.reload(vec![wrong]).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    assert_eq!(
        error.text(),
        "the private key is not that of the first certificate"
    );
    assert_eq!(
        shown(&connect().open().tls().unwrap()),
        der(&old),
        "a failed reload changes nothing"
    );

    tls.reload(vec![new.clone()]).unwrap();
    assert_eq!(shown(&connect().open().tls().unwrap()), der(&new));
    let _ = client.send_text("still here").unwrap();
    peer_events.open();
    loop {
        // The two others have come in between.
        match peer_events.next() {
            crate::support::What::Open => {}
            other => break assert_eq!(other, crate::support::What::Text("still here".to_owned())),
        }
    }
    drop((before, on_loop));
}

#[test]
fn sessions_belong_to_a_port_too() {
    let authority = Authority::new("test authority");
    let on_loop = started();
    let tls = authority.server(); // both ports could read each other's tickets
    let (handler, _peer_events) = recorder();
    let servers = [(), ()].map(|()| serve(&on_loop, with_tls(tls.clone()), handler.clone()));
    let client = authority.client();
    let resumed = |server| {
        let events: Events = attempt(&on_loop, &wss(server), client.clone(), Settings::client());
        let ws = events.open();
        let info = ws.tls().unwrap();
        ws.close(None, "").unwrap(); // the ticket has come before the answer to this
        while !matches!(events.next(), crate::support::What::Close(_)) {}
        info.resumed
    };
    assert_eq!([resumed(servers[0]), resumed(servers[1])], [false, false]);
    assert_eq!([resumed(servers[0]), resumed(servers[1])], [true, true]);
}

#[test]
fn a_session_is_resumed_by_clients_that_share_their_tls() {
    let authority = Authority::new("test authority");
    let on_loop = started();
    let (handler, _peer_events) = recorder();
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    let shared = authority.client();
    let visit = |tls| {
        let events: Events = attempt(&on_loop, &wss(server), tls, Settings::client());
        let ws = events.open();
        let info = ws.tls().unwrap();
        ws.close(None, "").unwrap(); // the ticket has come before the answer to this
        while !matches!(events.next(), crate::support::What::Close(_)) {}
        info
    };
    assert!(!visit(shared.clone()).resumed);
    let second = visit(shared.clone());
    assert!(second.resumed);
    assert!(second.peer_certificate.is_some(), "it is remembered");
    assert!(visit(shared).resumed, "tickets are renewed");
    assert!(
        !visit(authority.client()).resumed,
        "another one knows nothing of it"
    );
}
