//! Certificates that are trusted as they are: the peer's own is one of those that the application gave.
//!
//! WebPKI looks for an authority above the peer's certificate, and refuses an authority that is a server itself. But such a
//! one is what `openssl req -x509` makes, and OpenSSL, whose rules the peers of drop-in programs go by, trusts a certificate
//! that it was given whatever its basic constraints say. Everything else still counts: the days for which it is valid, what
//! it may be used for, its names, and that the peer has its key.

use std::collections::HashSet;
use std::sync::OnceLock;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, Error};

use super::extensions::{Malformed, may_be_used};

/// What a certificate is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Server,
    Client,
}

/// What is to be said of a peer's own certificate, as far as its names don't matter.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It was given, and can be used.
    Trusted,
    /// It was given, and is for something else.
    Unusable(Error),
    /// It was not given, or something is wrong with it that the usual verification finds, too.
    AsUsual,
}

/// What a certificate is, by its basic constraints (RFC 5280 §4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Authority,
    Subscriber,
}

/// Those that the application gave, and perhaps those that the system has.
#[derive(Debug)]
pub(super) struct Given {
    certificates: Vec<CertificateDer<'static>>,
    system: Option<System>,
}

impl Given {
    pub(super) fn new(certificates: Vec<CertificateDer<'static>>, with_system: bool) -> Given {
        Given {
            certificates,
            system: with_system.then(System::default),
        }
    }

    /// Whether a peer's own certificate can be used at this time without leading to an authority.
    pub(super) fn judge(&self, own: &CertificateDer<'_>, purpose: Purpose, now: UnixTime) -> Verdict {
        let Ok(parsed) = webpki::EndEntityCert::try_from(own) else {
            return Verdict::AsUsual;
        };
        let usage = match purpose {
            Purpose::Server => webpki::KeyUsage::server_auth(),
            Purpose::Client => webpki::KeyUsage::client_auth(),
        };
        // Without any anchor it gets as far as what the certificate says of itself: validity, then basic constraints, then
        // extended key usage.
        let found = parsed.verify_for_usage(&[], &[], &[], now, usage, None, None);
        let kind = match found.err() {
            Some(webpki::Error::UnknownIssuer) => Kind::Subscriber,
            Some(webpki::Error::CaUsedAsEndEntity) => Kind::Authority,
            _ => return Verdict::AsUsual,
        };
        // OpenSSL takes what the system has as it is, too, if nobody else has issued it. Without the authority's bit WebPKI
        // does so by itself.
        let may_be_system_s = kind == Kind::Authority && parsed.issuer() == parsed.subject();
        let is_given = self.certificates.contains(own)
            || (may_be_system_s && self.system.as_ref().is_some_and(|system| system.has(own)));
        match kind {
            _ if !is_given => Verdict::AsUsual,
            Kind::Subscriber => Verdict::Trusted,
            Kind::Authority => match may_be_used(own, purpose) {
                Ok(true) => Verdict::Trusted,
                Ok(false) => Verdict::Unusable(Error::InvalidCertificate(CertificateError::InvalidPurpose)),
                Err(Malformed) => Verdict::Unusable(Error::InvalidCertificate(CertificateError::BadEncoding)),
            },
        }
    }
}

/// The system's certificates, which are read, once more, only when a peer shows one that could be among them.
#[derive(Debug, Default)]
struct System {
    digests: OnceLock<HashSet<[u8; 32]>>,
}

impl System {
    fn has(&self, certificate: &CertificateDer<'_>) -> bool {
        self.digests
            .get_or_init(|| system_certificates().iter().map(|known| digest(known)).collect())
            .contains(&digest(certificate))
    }
}

/// From where the platform's verifier has them, which is a library of the system's elsewhere and knows this by itself.
fn system_certificates() -> Vec<CertificateDer<'static>> {
    #[cfg(all(unix, not(target_vendor = "apple"), not(target_os = "android")))]
    return rustls_native_certs::load_native_certs().certs;
    #[cfg(not(all(unix, not(target_vendor = "apple"), not(target_os = "android"))))]
    return Vec::new();
}

fn digest(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(super::sha256(certificate).as_ref());
    digest
}
