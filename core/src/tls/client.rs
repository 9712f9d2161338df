//! What a client's connections share: trust, identity, and the sessions that can be resumed.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;

use super::identity::{certified_key, invalid, protocols};
use super::verification::server_verifier;
use super::{ClientTlsOptions, provider, versions};
use crate::error::{Error, ErrorCode, Result};

/// How many servers' sessions are remembered, and how many of each: rustls counts in eights.
const SERVERS: usize = 64;
const SESSIONS: usize = 8;

/// How clients secure `wss://` connections, ready for use. Cloning is cheap, and clones share the sessions that can be
/// resumed, of up to 64 servers: make one and use it for all connections that have the same options.
#[derive(Clone)]
pub struct ClientTls {
    inner: Arc<Inner>,
}

struct Inner {
    config: ClientConfig,
    /// With the sessions of one server each, those used last at the end. rustls keeps them by name alone; but another
    /// port is another server, and the ticket of the one can make the other fail (RFC 8446 §4.1.4: after a
    /// HelloRetryRequest for another hash the ticket has to be taken back, and not all servers bear that).
    servers: Mutex<Vec<(Authority, Arc<ClientConfig>)>>,
    server_name: Option<ServerName<'static>>,
    insecure: bool,
    warned: AtomicBool,
}

/// Host and port.
type Authority = (Box<str>, u16);

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ClientTls");
        out.field("insecure", &self.inner.insecure)
            .finish_non_exhaustive()
    }
}

impl ClientTls {
    /// Reads certificates and keys, and the system's certification authorities if they are wanted, which takes some
    /// milliseconds.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] says which option can't be used, and why.
    pub fn new(options: ClientTlsOptions) -> Result<ClientTls> {
        let provider = provider();
        let verifier = server_verifier(&options, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions(options.min_version))
            .map_err(|error| invalid(format!("min_version can't be used: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &options.identity {
            Some(identity) => {
                let key = certified_key(identity)?;
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols(&options.alpn)?;
        let server_name = options.server_name.map(|name| parse_name(&name)).transpose()?;
        Ok(ClientTls {
            inner: Arc::new(Inner {
                config,
                servers: Mutex::default(),
                server_name,
                insecure: options.insecure,
                warned: AtomicBool::new(false),
            }),
        })
    }

    /// The one for connections that name none: the documented defaults.
    pub(crate) fn default_for_process() -> Result<ClientTls> {
        static DEFAULT: OnceLock<ClientTls> = OnceLock::new();
        if let Some(made) = DEFAULT.get() {
            return Ok(made.clone());
        }
        let made = ClientTls::new(ClientTlsOptions::default())?;
        Ok(DEFAULT.get_or_init(|| made).clone())
    }

    /// The configuration with the sessions of this server.
    pub(super) fn config_for(&self, host: &str, port: u16) -> Arc<ClientConfig> {
        // Nothing in here can panic half way, so what a poisoned lock guards is whole.
        let mut servers = self.inner.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = servers
            .iter()
            .position(|((name, at), _)| **name == *host && *at == port);
        let entry = match known {
            Some(at) => servers.remove(at),
            None => ((host.into(), port), Arc::new(self.fresh_config())),
        };
        let config = entry.1.clone();
        if servers.len() == SERVERS {
            servers.remove(0);
        }
        servers.push(entry);
        config
    }

    fn fresh_config(&self) -> ClientConfig {
        let mut fresh = self.inner.config.clone();
        fresh.resumption = Resumption::in_memory_sessions(SESSIONS);
        fresh
    }

    /// The name to ask for and to expect.
    pub(super) fn name_for(&self, host: &str) -> Result<ServerName<'static>> {
        self.warn_once(host);
        match &self.inner.server_name {
            Some(name) => Ok(name.clone()),
            None => parse_name(host),
        }
    }

    fn warn_once(&self, host: &str) {
        if self.inner.insecure && !self.inner.warned.swap(true, Ordering::Relaxed) {
            log::warn!("insecure TLS: certificates are not checked, anybody in between could be {host}");
        }
    }
}

fn parse_name(name: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        let text = format!("{name:?} can't be a server's name: it must be a DNS name or an IP address");
        Error::new(ErrorCode::InvalidArgument, text)
    })
}
