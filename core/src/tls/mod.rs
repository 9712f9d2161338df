//! TLS (RFC 8446, RFC 5246) for both roles: who we are, whom we trust, and the session as a machine without I/O.
//!
//! | file | what is there |
//! |---|---|
//! | `options` | what an application says and what it is told; needs no TLS library |
//! | `client`, `server` | [`ClientTls`] and [`ServerTls`]: configurations that connections share |
//! | `identity` | certificates and keys in PEM or DER, and the choice among them by name |
//! | `verification` | whose certificates are good: roots, pins, or anybody's on request |
//! | `given` | certificates that are trusted as they are, because the application gave them |
//! | `extensions` | what such a certificate may be used for |
//! | `session` | one connection's records in and out |
//! | `failure` | what went wrong, in words that name the host and the reason |
//! | `absent` | the same surface for builds without TLS: everything says that it is unsupported |
#![forbid(unsafe_code)]

mod failure;
mod options;

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod extensions;
#[cfg(feature = "tls")]
mod given;
#[cfg(feature = "tls")]
mod identity;
#[cfg(feature = "tls")]
mod server;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod verification;

pub(crate) use self::failure::Failure;
pub use self::failure::TlsError;
pub use self::options::{ClientTlsOptions, Identity, ServerTlsOptions, TlsInfo, TlsVersion};

#[cfg(not(feature = "tls"))]
pub(crate) use self::absent::Session;
#[cfg(not(feature = "tls"))]
pub use self::absent::{ClientTls, ServerTls};
#[cfg(feature = "tls")]
pub(crate) use self::session::Session;
#[cfg(feature = "tls")]
pub use self::{client::ClientTls, server::ServerTls};

/// The longest content of a record (RFC 8446 §5.1).
pub(crate) const MAX_RECORD: usize = 16 << 10;

/// What a session says about the input that it was given.
#[derive(Debug)]
pub(crate) struct Fed {
    /// How much plaintext was written.
    pub(crate) produced: usize,
    /// The handshake is done as of now.
    pub(crate) secured: bool,
    pub(crate) end: Option<End>,
}

/// Nothing more comes out of a session.
#[derive(Debug)]
#[cfg_attr(not(feature = "tls"), allow(dead_code))]
pub(crate) enum End {
    /// The peer has said so (close_notify, RFC 8446 §6.1).
    Closed,
    Failed(Failure),
}

/// The cryptography of this build, with AES-128-GCM first: where the processor has AES, and nearly all have, it is the
/// cheapest of the suites, and all of them are strong.
#[cfg(feature = "tls")]
fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    use std::sync::{Arc, LazyLock};

    use rustls::CipherSuite::TLS13_AES_128_GCM_SHA256;
    use rustls::CipherSuite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    };
    #[cfg(feature = "aws-lc-rs")]
    use rustls::crypto::aws_lc_rs as cryptography;
    #[cfg(not(feature = "aws-lc-rs"))]
    use rustls::crypto::ring as cryptography;

    static PROVIDER: LazyLock<Arc<rustls::crypto::CryptoProvider>> = LazyLock::new(|| {
        let mut provider = cryptography::default_provider();
        provider.cipher_suites.sort_by_key(|suite| {
            let first = [
                TLS13_AES_128_GCM_SHA256,
                TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            ];
            let tls13 = matches!(suite, rustls::SupportedCipherSuite::Tls13(_));
            (!tls13, !first.contains(&suite.suite()))
        });
        Arc::new(provider)
    });
    PROVIDER.clone()
}

/// Makes the cryptography of this build the process' own, unless there is one: for crates that take that.
#[cfg(all(feature = "tls", feature = "redis"))]
pub(crate) fn install_provider() {
    use rustls::crypto::CryptoProvider;

    if CryptoProvider::get_default().is_none() {
        // Another thread may be faster, with the same.
        let _ = CryptoProvider::clone(&provider()).install_default();
    }
}

#[cfg(feature = "tls")]
fn sha256(data: &[u8]) -> rustls::crypto::hash::Output {
    #[cfg(feature = "aws-lc-rs")]
    use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256 as SUITE;
    #[cfg(not(feature = "aws-lc-rs"))]
    use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256 as SUITE;
    let rustls::SupportedCipherSuite::Tls13(suite) = SUITE else {
        unreachable!("the suite is one of TLS 1.3, as its name says")
    };
    suite.common.hash_provider.hash(data)
}

/// What makes session tickets; its keys change every six hours.
#[cfg(feature = "tls")]
fn ticketer() -> Result<std::sync::Arc<dyn rustls::server::ProducesTickets>, rustls::Error> {
    #[cfg(feature = "aws-lc-rs")]
    return rustls::crypto::aws_lc_rs::Ticketer::new();
    #[cfg(not(feature = "aws-lc-rs"))]
    return rustls::crypto::ring::Ticketer::new();
}

#[cfg(feature = "tls")]
fn versions(min: TlsVersion) -> &'static [&'static rustls::SupportedProtocolVersion] {
    static TLS13_ONLY: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    match min {
        TlsVersion::Tls12 => rustls::ALL_VERSIONS,
        TlsVersion::Tls13 => TLS13_ONLY,
    }
}

#[cfg(all(feature = "tls", not(any(feature = "aws-lc-rs", feature = "ring"))))]
compile_error!("the feature tls needs one of the features aws-lc-rs and ring");

#[cfg(test)]
#[cfg(feature = "tls")]
#[path = "../../tests/support/certificates.rs"]
#[allow(dead_code, clippy::unwrap_used)] // other tests use the rest, and an error fails all of them
pub(crate) mod certificates;
