//! What is in a certificate (RFC 5280).

use data_encoding::HEXUPPER;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

type Line = (&'static str, String);

/// Whose it is, for how long, and by whom.
pub(super) fn lines(der: &[u8]) -> Vec<Line> {
    let fingerprint = ("SHA-256", colons(&Sha256::digest(der)));
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return vec![("certificate", "can't be read".to_owned()), fingerprint];
    };
    let shown = |text: String| super::text(&text).into_owned();
    let validity = certificate.validity();
    let mut lines = vec![
        ("subject", shown(certificate.subject().to_string())),
        ("issuer", shown(certificate.issuer().to_string())),
        ("valid from", validity.not_before.to_string()),
        ("valid until", validity.not_after.to_string()),
    ];
    let names = names(&certificate);
    if !names.is_empty() {
        lines.push(("names", shown(names.join(", "))));
    }
    lines.push(("key", key(&certificate)));
    lines.push(("serial", certificate.raw_serial_as_string()));
    lines.push(fingerprint);
    lines
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    match bytes.len() {
        4 => Some(std::net::IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?).to_string()),
        16 => Some(std::net::IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string()),
        _ => None,
    }
}

fn key(certificate: &X509Certificate<'_>) -> String {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA, {} bits", key.key_size()),
        Ok(PublicKey::EC(point)) => format!("elliptic curve, {} bits", point.key_size()),
        Ok(PublicKey::Unknown(bytes)) if bytes.len() == 32 => "Ed25519 or X25519".to_owned(),
        _ => "of another kind".to_owned(),
    }
}

fn colons(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| HEXUPPER.encode(&[*byte])).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_has_a_fingerprint() {
        let lines = lines(b"no certificate");
        assert_eq!(lines[0], ("certificate", "can't be read".to_owned()));
        assert_eq!(lines[1].1.len(), 32 * 3 - 1);
    }
}
