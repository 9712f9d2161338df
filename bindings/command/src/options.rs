//! The core's options from the command line's.

use std::path::Path;
use std::time::Duration;

use data_encoding::BASE64;
use sockline::{ClientOptions, ClientTls, ClientTlsOptions, Compression, Identity, Proxy};

use crate::arguments::{Client, Reach};
use crate::failure::Failure;

/// How long the peer may take for the closing handshake.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A client's options.
pub(crate) fn client(arguments: &Client, compress: bool) -> Result<ClientOptions, Failure> {
    let mut options = reach(&arguments.reach)?;
    if let Some(origin) = &arguments.origin {
        options.headers.push(("Origin".to_owned(), origin.clone()));
    }
    if let Some(auth) = &arguments.auth {
        let basic = format!("Basic {}", BASE64.encode(auth.as_bytes()));
        options.headers.push(("Authorization".to_owned(), basic));
    }
    options.settings.compression = compress.then(Compression::client);
    Ok(options)
}

/// What is common to all clients.
pub(crate) fn reach(arguments: &Reach) -> Result<ClientOptions, Failure> {
    let mut options = ClientOptions {
        headers: arguments.headers.clone(),
        handshake_timeout: arguments.connect_timeout,
        proxy: match arguments.proxy.as_deref() {
            None => Proxy::Environment,
            Some("none") => Proxy::None,
            Some(url) => Proxy::Url(url.to_owned()),
        },
        ..ClientOptions::default()
    };
    options.settings.close_timeout = CLOSE_TIMEOUT;
    let secures = arguments.ca.is_some() || arguments.cert.is_some() || arguments.no_check;
    if secures {
        let tls = ClientTlsOptions {
            ca: arguments
                .ca
                .iter()
                .map(|path| read(path))
                .collect::<Result<_, _>>()?,
            identity: identity(arguments.cert.as_deref(), arguments.key.as_deref())?,
            insecure: arguments.no_check,
            ..ClientTlsOptions::default()
        };
        let tls = ClientTls::new(tls).map_err(|error| Failure::beginning(&error))?;
        options.proxy_tls = Some(tls.clone());
        options.tls = Some(tls);
    }
    Ok(options)
}

/// A certificate with its key, from their files.
pub(crate) fn identity(certificate: Option<&Path>, key: Option<&Path>) -> Result<Option<Identity>, Failure> {
    let (Some(certificate), Some(key)) = (certificate, key) else {
        return Ok(None);
    };
    Ok(Some(Identity {
        certificates: read(certificate)?,
        private_key: read(key)?,
    }))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::unreadable(path, &error))
}

/// The URL, with a scheme if it has none.
pub(crate) fn url(typed: &str, scheme: &str) -> String {
    let before_path = typed.split(['/', '?', '#']).next().unwrap_or_default();
    let has_scheme = typed[before_path.len()..].starts_with("//") && before_path.ends_with(':');
    match has_scheme || typed.starts_with("ws+unix:") {
        true => typed.to_owned(),
        false => format!("{scheme}://{typed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_lack_its_scheme() {
        assert_eq!(url("localhost:8080/a", "ws"), "ws://localhost:8080/a");
        assert_eq!(url("wss://h", "ws"), "wss://h");
        assert_eq!(url("h/?to=http://x", "ws"), "ws://h/?to=http://x");
    }
}
