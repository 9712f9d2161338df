//! Certificates and keys as applications hand them in, and the choice among several by name.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Identity, provider};
use crate::error::{Error, ErrorCode, Result};

/// What a wildcard stands for is the first label (RFC 9525 §6.3).
const WILDCARD: &str = "*.";

/// A server's identities, found by name.
#[derive(Debug)]
pub(super) struct Identities {
    default: Arc<CertifiedKey>,
    by_name: HashMap<Box<str>, Arc<CertifiedKey>>,
}

impl Identities {
    pub(super) fn new(identities: &[Identity]) -> Result<Identities> {
        let keys = identities.iter().map(certified_key).collect::<Result<Vec<_>>>()?;
        let Some(default) = keys.first().cloned() else {
            return Err(invalid(
                "a TLS server needs at least one identity: a certificate and its key",
            ));
        };
        let mut by_name = HashMap::new();
        for key in keys {
            for name in names(&key)? {
                by_name.entry(name).or_insert_with(|| key.clone());
            }
        }
        Ok(Identities { default, by_name })
    }

    /// The identity for the name that a client asks for.
    pub(super) fn find(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let Some(name) = name.map(|name| name.trim_end_matches('.').to_ascii_lowercase()) else {
            return self.default.clone();
        };
        let wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(format!("{WILDCARD}{parent}").as_str())
        };
        let found = self.by_name.get(name.as_str()).or_else(wildcard);
        found.unwrap_or(&self.default).clone()
    }
}

/// Chooses among identities that can be exchanged while connections come in.
#[derive(Debug)]
pub(super) struct Resolver {
    pub(super) identities: parking_lot::RwLock<Arc<Identities>>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name();
        super::session::note_server_name(name);
        let identities = self.identities.read().clone();
        Some(identities.find(name))
    }
}

pub(super) fn certified_key(identity: &Identity) -> Result<Arc<CertifiedKey>> {
    let chain = certificates(&identity.certificates, "the identity's certificates")?;
    let key = private_key(&identity.private_key)?;
    let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => invalid("the private key is not that of the first certificate"),
        error => invalid(format!("the identity can't be used: {error}")),
    });
    certified.map(Arc::new)
}

/// The certificates in a PEM text, or the one that is there as DER.
pub(super) fn certificates(bytes: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let found = if is_der(bytes) {
        vec![CertificateDer::from(bytes.to_vec())]
    } else {
        CertificateDer::pem_slice_iter(bytes)
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|error| invalid(format!("{what} can't be read as PEM: {error}")))?
    };
    if found.is_empty() {
        return Err(invalid(format!(
            "{what}: there is no certificate in it; it must be PEM (-----BEGIN CERTIFICATE-----) or DER"
        )));
    }
    for certificate in &found {
        webpki::EndEntityCert::try_from(certificate)
            .map_err(|error| invalid(format!("{what}: not a valid certificate ({error})")))?;
    }
    Ok(found)
}

fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>> {
    if is_der(bytes) {
        return PrivateKeyDer::try_from(bytes.to_vec())
            .map_err(|error| invalid(format!("the private key can't be read: {error}")));
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| {
        let encrypted = bytes.windows(9).any(|word| word == b"ENCRYPTED");
        let hint = if encrypted {
            "it is encrypted; decrypt it first (openssl pkey)".to_owned()
        } else {
            error.to_string()
        };
        invalid(format!("the private key can't be read: {hint}"))
    })
}

/// DER begins with the tag of a sequence, which no PEM text does.
fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30)
}

fn names(key: &CertifiedKey) -> Result<Vec<Box<str>>> {
    let unusable = |error: &dyn std::fmt::Display| invalid(format!("the certificate can't be used: {error}"));
    let own = key.end_entity_cert().map_err(|error| unusable(&error))?;
    let parsed = webpki::EndEntityCert::try_from(own).map_err(|error| unusable(&error))?;
    let names = parsed.valid_dns_names();
    Ok(names
        .map(|name| name.to_ascii_lowercase().into_boxed_str())
        .collect())
}

pub(super) fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorCode::InvalidArgument, text)
}

pub(super) fn protocols(names: &[String]) -> Result<Vec<Vec<u8>>> {
    // RFC 7301 §3.1: a name has 1 to 255 bytes.
    match names.iter().find(|name| !(1..=255).contains(&name.len())) {
        Some(name) => Err(invalid(format!(
            "an ALPN protocol has 1 to 255 bytes, {name:?} has not"
        ))),
        None => Ok(names.iter().map(|name| name.clone().into_bytes()).collect()),
    }
}
