//! Whom a client trusts, whom a server lets in, and what is said when that is nobody.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rcgen::date_time_ymd;
use sockline::{
    ClientTls, ClientTlsOptions, Error, ErrorCode, Identity, LogLevel, ServerTls, ServerTlsOptions, Settings,
    TlsError, TlsVersion, set_log,
};

use crate::certificates::Authority;
use crate::support::child::in_child;
use crate::support::{PATIENCE, recorder, serve, started};
use crate::{attempt, secured, with_tls, wss};

/// What a client says that does not get through.
#[track_caller]
pub fn refused(server: ServerTls, client: ClientTls) -> String {
    failure(server, client).to_string()
}

#[track_caller]
pub fn failure(server: ServerTls, client: ClientTls) -> Error {
    let on_loop = started();
    let (handler, peer_events) = recorder();
    let server = serve(&on_loop, with_tls(server), handler);
    let events = attempt(&on_loop, &wss(server), client, Settings::client());
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Tls, "{error}");
    events.cut();
    drop(on_loop);
    assert_eq!(peer_events.so_far(), []);
    error
}

pub fn server_of(identity: Identity) -> ServerTls {
    ServerTls::new(ServerTlsOptions::new(vec![identity])).unwrap()
}

#[test]
fn an_expired_certificate_is_told_with_its_last_day() {
    let authority = Authority::new("test authority");
    let identity = authority.identity_with(&["localhost"], |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    assert_eq!(
        refused(server_of(identity), authority.client()),
        "the certificate of localhost has expired (on 2020-01-01)"
    );
}

#[test]
fn a_certificate_of_the_future_is_told_with_its_first_day() {
    let authority = Authority::new("test authority");
    let identity = authority.identity_with(&["localhost"], |params| {
        params.not_before = date_time_ymd(3020, 2, 29);
    });
    assert_eq!(
        refused(server_of(identity), authority.client()),
        "the certificate of localhost is not valid yet (before 3020-02-29)"
    );
}

#[test]
fn a_certificate_for_another_host_is_told_with_both_names() {
    let authority = Authority::new("test authority");
    let identity = authority.identity(&["other.test", "*.else.test"]);
    assert_eq!(
        refused(server_of(identity), authority.client()),
        "the certificate of localhost is for other.test, *.else.test, not localhost"
    );
}

#[test]
fn a_stranger_s_certificate_is_told_as_such() {
    let (authority, stranger) = (Authority::new("test authority"), Authority::new("stranger"));
    assert_eq!(
        refused(stranger.server(), authority.client()),
        "the certificate of localhost was issued by an unknown authority"
    );
    let platform = ClientTls::new(ClientTlsOptions::default()).unwrap();
    assert_eq!(
        refused(stranger.server(), platform),
        "the certificate of localhost was issued by an unknown authority"
    );
}

#[test]
fn programs_can_tell_what_is_wrong_with_a_chain() {
    let (authority, stranger) = (Authority::new("test authority"), Authority::new("stranger"));
    let intermediate = stranger.intermediate("stranger's");
    let with = |above: &[&Authority]| {
        let mut identity = intermediate.identity(&["localhost"]);
        for issuer in above {
            identity.certificates.extend(issuer.pem());
        }
        identity
    };
    let expired = authority.identity_with(&["localhost"], |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    for (identity, expected) in [
        (stranger.itself(), TlsError::SelfSigned),
        (with(&[]), TlsError::UnknownIssuer),
        (with(&[&intermediate]), TlsError::IncompleteChain),
        (with(&[&intermediate, &stranger]), TlsError::UntrustedRoot),
        (expired, TlsError::Expired),
        (authority.identity(&["other.test"]), TlsError::WrongName),
    ] {
        let error = failure(server_of(identity), authority.client());
        assert_eq!(error.tls_error(), Some(expected), "{error}");
    }
}

#[test]
fn a_platform_s_roots_and_own_ones_are_trusted_together() {
    let authority = Authority::new("test authority");
    secured(
        authority.server(),
        authority.client_with(|options| options.platform_roots = true),
    );
}

#[test]
fn insecure_clients_trust_strangers() {
    let (authority, stranger) = (Authority::new("test authority"), Authority::new("stranger"));
    secured(
        stranger.server(),
        authority.client_with(|options| options.insecure = true),
    );
}

#[test]
fn the_name_to_expect_can_be_another_than_the_url_s() {
    let authority = Authority::new("test authority");
    let server = server_of(authority.identity(&["internal.test"]));
    let client = authority.client_with(|options| options.server_name = Some("internal.test".to_owned()));
    let ends = secured(server.clone(), client);
    assert_eq!(
        ends.peer.tls().unwrap().server_name.as_deref(),
        Some("internal.test")
    );
    let client = authority.client_with(|options| options.server_name = Some("external.test".to_owned()));
    assert_eq!(
        refused(server, client),
        "the certificate of localhost is for internal.test, not external.test"
    );
}

#[test]
fn an_address_is_expected_in_the_certificate_and_not_asked_for() {
    let authority = Authority::new("test authority");
    let on_loop = started();
    let (handler, peer_events) = recorder();
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    let url = format!("wss://127.0.0.1:{}/", crate::support::port(server));
    let events = attempt(&on_loop, &url, authority.client(), Settings::client());
    assert_eq!(events.open().tls().unwrap().server_name, None);
    assert_eq!(peer_events.open().tls().unwrap().server_name, None);
    let elsewhere = serve(
        &on_loop,
        with_tls(server_of(authority.identity(&["localhost"]))),
        recorder().0,
    );
    let url = format!("wss://127.0.0.1:{}/", crate::support::port(elsewhere));
    let events = attempt(&on_loop, &url, authority.client(), Settings::client());
    assert_eq!(
        events.error().to_string(),
        "the certificate of 127.0.0.1 is for localhost, not 127.0.0.1"
    );
}

#[test]
fn versions_can_be_too_old() {
    let authority = Authority::new("test authority");
    let modern = authority.client_with(|options| options.min_version = TlsVersion::Tls13);
    let ends = secured(
        authority.server_with(|options| options.min_version = TlsVersion::Tls13),
        modern,
    );
    assert_eq!(ends.client.tls().unwrap().version, TlsVersion::Tls13);
}

#[test]
fn client_certificates_are_asked_for_checked_and_shown() {
    let authority = Authority::new("test authority");
    let asking = |required| {
        authority.server_with(|options| {
            options.client_ca = vec![authority.pem()];
            options.require_client_certificate = required;
        })
    };
    let known =
        authority.client_with(|options| options.identity = Some(authority.identity(&["client.test"])));
    let ends = secured(asking(true), known);
    assert!(ends.peer.tls().unwrap().peer_certificate.is_some());
    let ends = secured(asking(false), authority.client());
    assert!(ends.peer.tls().unwrap().peer_certificate.is_none());
    assert_eq!(
        refused(asking(true), authority.client()),
        "localhost has ended TLS: it wants a certificate of this side"
    );
    let stranger = Authority::new("stranger");
    let unknown =
        authority.client_with(|options| options.identity = Some(stranger.identity(&["client.test"])));
    assert_eq!(
        refused(asking(true), unknown),
        "localhost has ended TLS: it does not know who has issued this side's certificate"
    );
}

/// What the manual of every HTTP server says to compute a pin with.
pub fn pin(certificate: &[u8]) -> [u8; 32] {
    let openssl = |arguments: &[&str], input: &[u8]| {
        let mut child = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap().stdout
    };
    let key = openssl(&["x509", "-noout", "-pubkey"], certificate);
    let der = openssl(&["pkey", "-pubin", "-outform", "der"], &key);
    openssl(&["dgst", "-sha256", "-binary"], &der).try_into().unwrap()
}

#[test]
fn one_key_of_the_chain_must_be_among_the_pins() {
    let root = Authority::new("root");
    let (middle, other) = (root.intermediate("middle"), root.intermediate("other"));
    let mut identity = middle.identity(&["localhost"]);
    let own = pin(&identity.certificates);
    identity.certificates.extend(middle.pem());
    let pinned = |pins: &[[u8; 32]]| root.client_with(|options| options.pins = pins.to_vec());
    for good in [own, pin(&middle.pem()), pin(&root.pem())] {
        secured(server_of(identity.clone()), pinned(&[[7; 32], good]));
    }
    let mismatch = "the certificate of localhost can't be trusted: none of its keys is among the pins";
    assert_eq!(refused(server_of(identity.clone()), pinned(&[[7; 32]])), mismatch);
    // Sent along, but it has not issued anything of the chain.
    identity.certificates.extend(other.pem());
    assert_eq!(
        refused(server_of(identity.clone()), pinned(&[pin(&other.pem())])),
        mismatch
    );
    secured(server_of(identity), pinned(&[pin(&middle.pem())]));
}

#[test]
fn insecure_clients_are_warned_of_once_and_failed_handshakes_told_quietly() {
    const TEST: &str = "trust::insecure_clients_are_warned_of_once_and_failed_handshakes_told_quietly";
    in_child(TEST, || {
        let (sender, lines) = crossbeam_channel::unbounded();
        let sink = move |level, line: &str| sender.send((level, line.to_owned())).unwrap();
        set_log(Some(LogLevel::Debug), Some(Arc::new(sink))).unwrap();
        let authority = Authority::new("test authority");
        let on_loop = started();
        let (handler, _events) = recorder();
        let server = serve(&on_loop, with_tls(authority.server()), handler);
        let insecure = authority.client_with(|options| options.insecure = true);
        for _ in 0..2 {
            attempt(&on_loop, &wss(server), insecure.clone(), Settings::client()).open();
        }
        let untrusting = Authority::new("stranger").client();
        attempt(&on_loop, &wss(server), untrusting, Settings::client()).error();
        let told = std::iter::from_fn(|| lines.recv_timeout(PATIENCE).ok());
        let mut warnings = Vec::new();
        for (level, line) in told {
            if line.starts_with("no TLS with 127.0.0.1:") {
                assert_eq!(level, LogLevel::Debug);
                assert!(
                    line.ends_with("it does not know who has issued this side's certificate"),
                    "{line}"
                );
                break;
            }
            if level == LogLevel::Warn {
                warnings.push(line);
            }
        }
        assert_eq!(
            warnings,
            ["insecure TLS: certificates are not checked, anybody in between could be localhost"]
        );
        set_log(None, None).unwrap();
    });
}
