//! What a server's connections share: its identities, and whom it lets in.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use super::given::{Given, Purpose, Verdict};
use super::identity::{Identities, Resolver, invalid, protocols};
use super::verification::{root_store, roots};
use super::{Identity, ServerTlsOptions, provider, ticketer, versions};
use crate::error::{Error, ErrorCode, Result};

/// Each ticket is sent, and remembered by the client; one is enough to come back once, and it gets another then.
const TICKETS: usize = 1;

/// How a server secures its connections, ready for use. Cloning is cheap, and clones are the same: what
/// [`ServerTls::reload`] changes, it changes for all servers that were given one of them.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    resolver: Arc<Resolver>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

impl ServerTls {
    /// Reads certificates and keys.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] says which option can't be used, and why.
    pub fn new(options: ServerTlsOptions) -> Result<ServerTls> {
        let identities = Identities::new(&options.identities)?;
        let resolver = Arc::new(Resolver {
            identities: RwLock::new(Arc::new(identities)),
        });
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(options.min_version))
            .map_err(|error| invalid(format!("min_version can't be used: {error}")))?;
        let builder = match client_verifier(&options)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(resolver.clone());
        config.alpn_protocols = protocols(&options.alpn)?;
        // Tickets hold the session at the client, encrypted: nothing is kept here, and all threads understand them.
        config.ticketer = ticketer().map_err(|error| {
            let text = format!("session tickets can't be made: {error}");
            Error::new(ErrorCode::Io, text)
        })?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = TICKETS;
        Ok(ServerTls {
            config: Arc::new(config),
            resolver,
        })
    }

    /// Takes other certificates and keys from the next handshake on; connections that are there stay as they are, and
    /// clients that resume an earlier session are shown none. Any thread.
    ///
    /// # Errors
    /// As for [`ServerTls::new`]; the identities that are there stay in use then.
    pub fn reload(&self, identities: Vec<Identity>) -> Result<()> {
        let fresh = Identities::new(&identities)?;
        *self.resolver.identities.write() = Arc::new(fresh);
        Ok(())
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }
}

fn client_verifier(options: &ServerTlsOptions) -> Result<Option<Arc<dyn ClientCertVerifier>>> {
    if options.client_ca.is_empty() {
        return match options.require_client_certificate {
            true => Err(invalid(
                "require_client_certificate needs client_ca: whose certificates are good?",
            )),
            false => Ok(None),
        };
    }
    let ca = roots(&options.client_ca, "client_ca")?;
    let store = root_store(&ca)?;
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider());
    if !options.require_client_certificate {
        builder = builder.allow_unauthenticated();
    }
    let inner = builder
        .build()
        .map_err(|error| invalid(format!("client_ca can't be used: {error}")))?;
    let given = Given::new(ca, false);
    Ok(Some(Arc::new(Clients { inner, given })))
}

/// Lets in whom an authority has issued a certificate, and whose own was given.
#[derive(Debug)]
struct Clients {
    inner: Arc<dyn ClientCertVerifier>,
    given: Given,
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> std::result::Result<ClientCertVerified, rustls::Error> {
        match self.given.judge(end_entity, Purpose::Client, now) {
            Verdict::Trusted => Ok(ClientCertVerified::assertion()),
            Verdict::Unusable(error) => Err(error),
            Verdict::AsUsual => self.inner.verify_client_cert(end_entity, intermediates, now),
        }
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
