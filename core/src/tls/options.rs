//! What an application says about TLS, and what it is told.

use std::fmt;

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsVersion::Tls12 => "TLSv1.2",
            TlsVersion::Tls13 => "TLSv1.3",
        })
    }
}

/// A certificate with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and after it those that lead towards a root: PEM, or a single one as DER.
    pub certificates: Vec<u8>,
    /// The private key of the first certificate, not encrypted: PEM or DER (PKCS #8, PKCS #1 or SEC 1).
    pub private_key: Vec<u8>,
}

/// Without the key: this may end up in logs.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// How a client secures its connections. `ClientTlsOptions::default()` has the documented defaults.
#[derive(Debug, Clone)]
pub struct ClientTlsOptions {
    /// Trust what the system trusts. Default: true.
    pub platform_roots: bool,
    /// Further certification authorities to trust, each in PEM (also several in one) or DER.
    pub ca: Vec<Vec<u8>>,
    /// Who we are, for servers that ask for a client's certificate.
    pub identity: Option<Identity>,
    /// The name to ask for (SNI, RFC 6066 §3) and to expect in the certificate; `None` for the URL's host. With an IP
    /// address no name is sent, and the certificate has to be for that address.
    pub server_name: Option<String>,
    /// The application protocols to offer (ALPN, RFC 7301), the preferred one first; empty offers none. Default:
    /// `http/1.1`, which is what WebSocket's opening handshake is.
    pub alpn: Vec<String>,
    /// SHA-256 of the public keys (SubjectPublicKeyInfo in DER) to accept. If there are any, one certificate of the
    /// verified chain must have one of them: the server's own, one that it sends and that leads to its own, or one of
    /// `ca`. A root of the system's that the server does not send can't be pinned. Default: none.
    pub pins: Vec<[u8; 32]>,
    /// The oldest version to accept. Default: [`TlsVersion::Tls12`].
    pub min_version: TlsVersion,
    /// Accept any certificate of anybody, which lets everyone in between read and change everything. For tests only;
    /// it is logged as a warning. Pins still count. Default: false.
    pub insecure: bool,
}

impl Default for ClientTlsOptions {
    fn default() -> ClientTlsOptions {
        ClientTlsOptions {
            platform_roots: true,
            ca: Vec::new(),
            identity: None,
            server_name: None,
            alpn: vec!["http/1.1".to_owned()],
            pins: Vec::new(),
            min_version: TlsVersion::Tls12,
            insecure: false,
        }
    }
}

/// How a server secures its connections. `ServerTlsOptions::new(identities)` has the documented defaults.
#[derive(Debug, Clone)]
pub struct ServerTlsOptions {
    /// Whom to be: for the name that a client asks for, the first identity whose certificate is for that name, wildcards
    /// included; the first of all where there is none, or no name is asked for.
    pub identities: Vec<Identity>,
    /// Certification authorities whose client certificates are accepted, each in PEM (also several in one) or DER. Empty:
    /// clients are not asked for a certificate.
    pub client_ca: Vec<Vec<u8>>,
    /// Refuse clients without a certificate. Default: false.
    pub require_client_certificate: bool,
    /// The application protocols to choose from (ALPN, RFC 7301), the preferred one first; empty ignores what clients
    /// offer. A client that offers only others is refused, as the RFC wants. Default: `http/1.1`.
    pub alpn: Vec<String>,
    /// The oldest version to accept. Default: [`TlsVersion::Tls12`].
    pub min_version: TlsVersion,
}

impl ServerTlsOptions {
    /// The documented defaults, with these identities.
    pub fn new(identities: Vec<Identity>) -> ServerTlsOptions {
        ServerTlsOptions {
            identities,
            client_ca: Vec::new(),
            require_client_certificate: false,
            alpn: vec!["http/1.1".to_owned()],
            min_version: TlsVersion::Tls12,
        }
    }
}

/// What was agreed on in a connection's TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// The version in use.
    pub version: TlsVersion,
    /// The cipher suite in use, by its IANA name, such as `TLS_AES_128_GCM_SHA256`.
    pub cipher_suite: String,
    /// The application protocol, if one was agreed on.
    pub alpn: Option<String>,
    /// The name that the client asked for; `None` if it asked for none.
    pub server_name: Option<String>,
    /// The peer's own certificate (DER): the server's, or the client's if it has shown one.
    pub peer_certificate: Option<Vec<u8>>,
    /// An earlier session was resumed: no certificates were exchanged again.
    pub resumed: bool,
}
