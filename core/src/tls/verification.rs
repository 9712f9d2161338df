//! Whose certificates are good.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use super::ClientTlsOptions;
use super::failure::{Found, TlsError};
use super::given::{Given, Purpose, Verdict};
use super::identity::{certificates, invalid};
use crate::error::Result;

type Verifier = Arc<dyn ServerCertVerifier>;

/// What a client's options mean for the certificates of servers.
pub(super) fn server_verifier(
    options: &ClientTlsOptions,
    provider: &Arc<CryptoProvider>,
) -> Result<Verifier> {
    let ca = roots(&options.ca, "ca")?;
    let inner: Verifier = if options.insecure {
        Arc::new(Anybody(provider.clone()))
    } else if options.platform_roots {
        platform(ca.clone(), provider)?
    } else {
        by_roots(&ca, provider)?
    };
    let given = (!options.insecure).then(|| Given::new(ca.clone(), options.platform_roots));
    Ok(Arc::new(Checked {
        inner,
        given,
        pins: options.pins.clone(),
        ca,
        provider: provider.clone(),
    }))
}

/// All certificates of an option that takes certification authorities.
pub(super) fn roots(given: &[Vec<u8>], option: &str) -> Result<Vec<CertificateDer<'static>>> {
    let mut all = Vec::new();
    for (number, bytes) in given.iter().enumerate() {
        all.extend(certificates(bytes, &format!("{option}[{number}]"))?);
    }
    Ok(all)
}

pub(super) fn root_store(ca: &[CertificateDer<'static>]) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in ca {
        store
            .add(certificate.clone())
            .map_err(|error| invalid(format!("a certification authority can't be used: {error}")))?;
    }
    Ok(store)
}

fn platform(ca: Vec<CertificateDer<'static>>, provider: &Arc<CryptoProvider>) -> Result<Verifier> {
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(ca, provider.clone());
    let verifier = verifier.map_err(|error| {
        invalid(format!(
            "the system's certification authorities can't be used: {error}; install ca-certificates, or name some in ca \
             and turn platform_roots off"
        ))
    })?;
    Ok(Arc::new(verifier))
}

fn by_roots(ca: &[CertificateDer<'static>], provider: &Arc<CryptoProvider>) -> Result<Verifier> {
    if ca.is_empty() {
        return Err(invalid(
            "platform_roots is off and ca is empty: no server could be trusted",
        ));
    }
    let store = Arc::new(root_store(ca)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(store, provider.clone()).build();
    let verifier = verifier.map_err(|error| invalid(format!("ca can't be used: {error}")))?;
    Ok(verifier)
}

/// Says more exactly why a chain is not trusted, and whether a key of one that is trusted is pinned.
#[derive(Debug)]
struct Checked {
    inner: Verifier,
    /// `None` where anybody is trusted.
    given: Option<Given>,
    pins: Vec<[u8; 32]>,
    ca: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Checked {
    fn is_trusted(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let given = self.given.as_ref();
        match given.map(|given| given.judge(end_entity, Purpose::Server, now)) {
            Some(Verdict::Trusted) => verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)
                .map(|()| ServerCertVerified::assertion()),
            Some(Verdict::Unusable(error)) => Err(error),
            Some(Verdict::AsUsual) | None => self
                .inner
                .verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
                .map_err(|error| tell_issuer(error, end_entity, intermediates)),
        }
    }

    /// Whether one of the chain's keys is pinned; without any pins every chain is good.
    fn is_allowed(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> bool {
        self.pins.is_empty()
            || self.is_pinned(end_entity)
            || intermediates
                .iter()
                .chain(&self.ca)
                .filter(|certificate| self.is_pinned(certificate))
                .any(|certificate| self.vouches(certificate, end_entity, intermediates, name, now))
    }

    fn is_pinned(&self, certificate: &CertificateDer<'_>) -> bool {
        let Ok(parsed) = webpki::EndEntityCert::try_from(certificate) else {
            return false;
        };
        let digest = super::sha256(&parsed.subject_public_key_info());
        self.pins.iter().any(|pin| pin[..] == *digest.as_ref())
    }

    /// Whether a certificate vouches for the server's own. That it came along says nothing: anybody can append a
    /// certificate that he does not have the key of.
    fn vouches(
        &self,
        certificate: &CertificateDer<'_>,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> bool {
        let only = root_store(&[certificate.clone().into_owned()]);
        let verifier = only.ok().and_then(|store| {
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), self.provider.clone())
                .build()
                .ok()
        });
        verifier.is_some_and(|verifier| {
            verifier
                .verify_server_cert(end_entity, intermediates, name, &[], now)
                .is_ok()
        })
    }
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verified = self.is_trusted(end_entity, intermediates, name, ocsp_response, now)?;
        if self.is_allowed(end_entity, intermediates, name, now) {
            return Ok(verified);
        }
        Err(found(TlsError::NotPinned))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Where no trusted root was found: what there was instead.
fn tell_issuer(
    error: rustls::Error,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> rustls::Error {
    let rustls::Error::InvalidCertificate(reason) = &error else {
        return error;
    };
    let no_root = match reason {
        CertificateError::UnknownIssuer => true,
        // What a certification authority has issued for itself, used for its server.
        CertificateError::Other(other) => {
            matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    };
    if !no_root {
        return error;
    }
    found(if is_own_issuer(end_entity) {
        TlsError::SelfSigned
    } else if intermediates.iter().any(is_own_issuer) {
        TlsError::UntrustedRoot
    } else if intermediates.is_empty() {
        return error;
    } else {
        TlsError::IncompleteChain
    })
}

fn is_own_issuer(certificate: &CertificateDer<'_>) -> bool {
    webpki::EndEntityCert::try_from(certificate).is_ok_and(|parsed| parsed.issuer() == parsed.subject())
}

fn found(what: TlsError) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Found(what)))))
}

/// Trusts every certificate; only that the peer has its key is checked.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
