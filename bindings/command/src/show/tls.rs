//! What was agreed on in a TLS handshake.

use sockline::TlsInfo;

/// Lines of a name and a value each.
pub(crate) fn tls(info: &TlsInfo) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("version", info.version.to_string()),
        ("cipher", info.cipher_suite.clone()),
    ];
    if let Some(alpn) = &info.alpn {
        lines.push(("ALPN", super::text(alpn).into_owned()));
    }
    if let Some(name) = &info.server_name {
        lines.push(("name asked for", super::text(name).into_owned()));
    }
    lines.push(("session", if info.resumed { "resumed" } else { "new" }.to_owned()));
    #[cfg(feature = "tls")]
    if let Some(der) = &info.peer_certificate {
        lines.extend(super::certificate::lines(der));
    }
    lines
}
