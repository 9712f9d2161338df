//! Peers that speak bytes over TLS, through the library's buffered interface, which ours does not use.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};

use crate::certificates::Authority;
use crate::support::peer::{REQUEST, switching};
use crate::support::{Host, Peer};

pub type TlsClient = Peer<StreamOwned<ClientConnection, TcpStream>>;
pub type TlsServer = Peer<StreamOwned<ServerConnection, TcpStream>>;

pub fn client_config(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&authority.pem()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A client of a port, with its TLS handshake still to be done by the first read or write.
#[track_caller]
pub fn client(config: ClientConfig, port: u16) -> TlsClient {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = Peer::connect(port).stream;
    Peer {
        stream: StreamOwned::new(connection, socket),
    }
}

/// The same after the opening handshake.
#[track_caller]
pub fn upgraded(config: ClientConfig, port: u16) -> TlsClient {
    let mut peer = client(config, port);
    peer.send(REQUEST.as_bytes());
    let head = peer.read_head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    peer
}

/// Accepts a client of ours, and its upgrade.
#[track_caller]
pub fn accept_websocket(host: &Host, authority: &Authority) -> TlsServer {
    let identity = authority.identity(&["localhost"]);
    let chain = vec![CertificateDer::from_pem_slice(&identity.certificates).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(&identity.private_key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let mut peer = Peer {
        stream: StreamOwned::new(
            ServerConnection::new(Arc::new(config)).unwrap(),
            host.accept().stream,
        ),
    };
    let request = peer.read_head();
    peer.send(switching(&request).as_bytes());
    peer
}
