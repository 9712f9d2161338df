//! TLS as JavaScript configures it. Certificates and keys come as bytes, PEM or DER; `lib/tls.js` has read the rest.

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use sockline::{ClientTls, ClientTlsOptions, Identity, ServerTls, ServerTlsOptions, TlsVersion};

use crate::errors::{Result, failure, invalid};

/// A certificate with its key.
#[napi(object)]
pub struct Certificate {
    pub cert: Buffer,
    pub key: Buffer,
}

/// Whom a client trusts, and who it is.
#[napi(object)]
pub struct ClientTrust {
    pub platform_roots: bool,
    pub ca: Vec<Buffer>,
    pub identity: Option<Certificate>,
    pub server_name: Option<String>,
    pub alpn: Vec<String>,
    /// SHA-256 digests of 32 bytes.
    pub pins: Vec<Buffer>,
    pub only_tls13: bool,
    pub insecure: bool,
}

/// Who a server is, and whom it lets in.
#[napi(object)]
pub struct ServerTrust {
    pub identities: Vec<Certificate>,
    pub client_ca: Vec<Buffer>,
    pub require_client_certificate: bool,
    pub alpn: Vec<String>,
    pub only_tls13: bool,
}

/// What a client's connections share.
#[napi]
pub struct ClientContext {
    pub(crate) tls: ClientTls,
}

#[napi]
impl ClientContext {
    #[napi(constructor)]
    pub fn new(trust: ClientTrust) -> Result<ClientContext> {
        let pin = |pin: Buffer| <[u8; 32]>::try_from(&pin[..]);
        let pins: std::result::Result<Vec<_>, _> = trust.pins.into_iter().map(pin).collect();
        let options = ClientTlsOptions {
            platform_roots: trust.platform_roots,
            ca: bytes(trust.ca),
            identity: trust.identity.map(Certificate::into_core),
            server_name: trust.server_name,
            alpn: trust.alpn,
            pins: pins.map_err(|_| invalid("a pin is a SHA-256 digest of 32 bytes"))?,
            min_version: version(trust.only_tls13),
            insecure: trust.insecure,
        };
        let tls = ClientTls::new(options).map_err(failure)?;
        Ok(ClientContext { tls })
    }
}

/// What a server's connections share.
#[napi]
pub struct ServerContext {
    pub(crate) tls: ServerTls,
}

#[napi]
impl ServerContext {
    #[napi(constructor)]
    pub fn new(trust: ServerTrust) -> Result<ServerContext> {
        let options = ServerTlsOptions {
            client_ca: bytes(trust.client_ca),
            require_client_certificate: trust.require_client_certificate,
            alpn: trust.alpn,
            min_version: version(trust.only_tls13),
            ..ServerTlsOptions::new(identities(trust.identities))
        };
        let tls = ServerTls::new(options).map_err(failure)?;
        Ok(ServerContext { tls })
    }

    /// Other certificates for the next handshakes.
    #[napi]
    pub fn reload(&self, certificates: Vec<Certificate>) -> Result<()> {
        self.tls.reload(identities(certificates)).map_err(failure)
    }
}

impl Certificate {
    fn into_core(self) -> Identity {
        Identity {
            certificates: self.cert.into(),
            private_key: self.key.into(),
        }
    }
}

fn identities(certificates: Vec<Certificate>) -> Vec<Identity> {
    certificates.into_iter().map(Certificate::into_core).collect()
}

fn bytes(buffers: Vec<Buffer>) -> Vec<Vec<u8>> {
    buffers.into_iter().map(Into::into).collect()
}

fn version(only_tls13: bool) -> TlsVersion {
    if only_tls13 {
        TlsVersion::Tls13
    } else {
        TlsVersion::Tls12
    }
}
