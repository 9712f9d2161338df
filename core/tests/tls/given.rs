//! Certificates that are trusted as they are, because they were given: what OpenSSL's users make in one command.

use std::process::Command;
use std::sync::Arc;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};
use sockline::{ClientTls, ClientTlsOptions, Identity, ServerTls, Settings, TlsError};

use crate::certificates::{Authority, authority_for};
use crate::support::child::in_child;
use crate::support::{Host, TempDir, port, recorder, serve, started};
use crate::trust::{failure, pin, refused, server_of};
use crate::{attempt, secured, with_tls};

/// What the manuals say to do for a try: one command, without a word about authorities.
fn by_openssl(name: &str) -> Identity {
    let folder = TempDir::new();
    let names = format!("subjectAltName=DNS:{name},IP:127.0.0.1");
    let (key, certificate) = (folder.0.join("key"), folder.0.join("certificate"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args(["-subj", "/CN=localhost", "-addext", &names, "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let shown = Command::new("openssl")
        .args(["x509", "-noout", "-ext", "basicConstraints", "-in"])
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("CA:TRUE"));
    Identity {
        certificates: std::fs::read(certificate).unwrap(),
        private_key: std::fs::read(key).unwrap(),
    }
}

fn client_of(ca: &[u8], change: impl FnOnce(&mut ClientTlsOptions)) -> ClientTls {
    let mut options = ClientTlsOptions {
        platform_roots: false,
        ca: vec![ca.to_vec()],
        ..ClientTlsOptions::default()
    };
    change(&mut options);
    ClientTls::new(options).unwrap()
}

fn trusting(ca: &[u8]) -> ClientTls {
    client_of(ca, |_| {})
}

#[test]
fn what_openssl_makes_is_trusted_where_it_was_given() {
    let own = by_openssl("localhost");
    let ends = secured(server_of(own.clone()), trusting(&own.certificates));
    let shown = ends.client.tls().unwrap().peer_certificate;
    assert_eq!(
        shown,
        Some(pem::parse(&own.certificates).unwrap().into_contents())
    );
    secured(
        server_of(own.clone()),
        client_of(&own.certificates, |options| options.platform_roots = true),
    );
    // Among others, and by its address.
    let both = [Authority::new("another").pem(), own.certificates.clone()].concat();
    let on_loop = started();
    let (handler, _events) = recorder();
    let server = serve(&on_loop, with_tls(server_of(own)), handler);
    let url = format!("wss://127.0.0.1:{}/", port(server));
    attempt(&on_loop, &url, trusting(&both), Settings::client()).open();
}

#[test]
fn its_name_still_counts() {
    let own = by_openssl("other.test");
    assert_eq!(
        refused(server_of(own.clone()), trusting(&own.certificates)),
        "the certificate of localhost is for other.test, 127.0.0.1, not localhost"
    );
}

#[test]
fn its_days_still_count() {
    let (own, known) = own_with(|params| params.not_after = date_time_ymd(2020, 1, 1));
    assert_eq!(
        refused(own, known),
        "the certificate of localhost has expired (on 2020-01-01)"
    );
    let (own, known) = own_with(|params| params.not_before = date_time_ymd(3020, 2, 29));
    assert_eq!(
        refused(own, known),
        "the certificate of localhost is not valid yet (before 3020-02-29)"
    );
}

/// A server with a certificate that is an authority's, and a client that was given it.
fn own_with(change: impl FnOnce(&mut CertificateParams)) -> (ServerTls, ClientTls) {
    let authority = authority_for("localhost", change);
    (server_of(authority.itself()), trusting(&authority.pem()))
}

#[test]
fn what_it_is_for_still_counts() {
    let (own, known) = own_with(|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    let error = failure(own, known);
    assert_eq!(
        error.to_string(),
        "the certificate of localhost is for another purpose"
    );
    assert_eq!(error.tls_error(), Some(TlsError::BadCertificate));
    let (own, known) = own_with(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    assert_eq!(
        refused(own, known),
        "the certificate of localhost is for another purpose"
    );
    let (own, known) = own_with(|params| {
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    secured(own, known);
}

#[test]
fn another_one_with_the_same_names_is_not_it() {
    let (own, other) = (by_openssl("localhost"), by_openssl("localhost"));
    let error = failure(server_of(other), trusting(&own.certificates));
    assert_eq!(error.tls_error(), Some(TlsError::SelfSigned), "{error}");
}

#[test]
fn one_that_somebody_else_has_issued_is_trusted_where_it_was_given_itself() {
    let authority = Authority::new("an authority that is not known");
    let own = authority.identity(&["localhost"]);
    secured(server_of(own.clone()), trusting(&own.certificates));
    let middle = authority.intermediate("middle").identity(&["localhost"]);
    let error = failure(server_of(middle), trusting(&own.certificates));
    assert_eq!(error.tls_error(), Some(TlsError::UnknownIssuer), "{error}");
}

#[test]
fn pins_still_count() {
    let own = by_openssl("localhost");
    let pinned = |pin| client_of(&own.certificates, |options| options.pins = vec![pin]);
    secured(server_of(own.clone()), pinned(pin(&own.certificates)));
    assert_eq!(
        refused(server_of(own.clone()), pinned([7; 32])),
        "the certificate of localhost can't be trusted: none of its keys is among the pins"
    );
}

/// Shows a certificate without having its key.
#[derive(Debug)]
struct Thief(Arc<CertifiedKey>);

impl ResolvesServerCert for Thief {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

#[test]
fn who_shows_it_must_have_its_key() {
    let own = by_openssl("localhost");
    let another = PrivateKeyDer::from_pem_slice(KeyPair::generate().unwrap().serialize_pem().as_bytes());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = provider.key_provider.load_private_key(another.unwrap()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(&own.certificates).unwrap()];
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Thief(Arc::new(CertifiedKey::new(chain, key)))));
    let on_loop = started();
    let host = Host::new();
    let url = format!("wss://localhost:{}/", host.port());
    let events = attempt(&on_loop, &url, trusting(&own.certificates), Settings::client());
    let mut socket = host.accept().stream;
    let mut server = ServerConnection::new(Arc::new(config)).unwrap();
    server.complete_io(&mut socket).unwrap_err();
    let error = events.error();
    assert_eq!(
        error.to_string(),
        "the certificate of localhost has a wrong signature"
    );
}

#[test]
fn clients_are_let_in_by_their_own_certificates() {
    let authority = Authority::new("the server's");
    let asking = |ca: &[u8]| {
        authority.server_with(|options| {
            options.client_ca = vec![ca.to_vec()];
            options.require_client_certificate = true;
        })
    };
    let showing = |own: &Identity| authority.client_with(|options| options.identity = Some(own.clone()));
    let own = by_openssl("client.test");
    let ends = secured(asking(&own.certificates), showing(&own));
    assert!(ends.peer.tls().unwrap().peer_certificate.is_some());
    let issued = authority.identity(&["client.test"]);
    secured(asking(&issued.certificates), showing(&issued));

    let refused = |own: &[u8], shown: &Identity| {
        let told = refused(asking(own), showing(shown));
        assert!(told.starts_with("localhost has ended TLS: "), "{told}");
        told
    };
    refused(&own.certificates, &by_openssl("client.test"));
    let expired = authority_for("client", |params| params.not_after = date_time_ymd(2020, 1, 1));
    assert_eq!(
        refused(&expired.pem(), &expired.itself()),
        "localhost has ended TLS: this side's certificate has expired"
    );
    let signing = authority_for("client", |params| {
        params.key_usages = vec![KeyUsagePurpose::CrlSign]
    });
    refused(&signing.pem(), &signing.itself());
}

/// As OpenSSL does with one that an administrator has added.
#[test]
fn what_the_system_has_is_trusted_as_if_it_was_given() {
    const TEST: &str = "given::what_the_system_has_is_trusted_as_if_it_was_given";
    let own = by_openssl("localhost");
    in_child(TEST, || {
        let folder = TempDir::new();
        let file = folder.0.join("system.pem");
        std::fs::write(&file, &own.certificates).unwrap();
        // SAFETY: this process has one test, and the library's threads haven't begun.
        unsafe { std::env::set_var("SSL_CERT_FILE", &file) };
        let system = || ClientTls::new(ClientTlsOptions::default()).unwrap();
        secured(server_of(own.clone()), system());
        let another = failure(server_of(by_openssl("localhost")), system());
        assert_eq!(another.tls_error(), Some(TlsError::SelfSigned), "{another}");
        let elsewhere = by_openssl("other.test");
        std::fs::write(&file, &elsewhere.certificates).unwrap();
        assert_eq!(
            refused(server_of(elsewhere), system()),
            "the certificate of localhost is for other.test, 127.0.0.1, not localhost"
        );
    });
}
