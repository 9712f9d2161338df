//! What a certificate says that it may be used for (RFC 5280 §4.2.1.3 and §4.2.1.12), where WebPKI doesn't look: in one of an
//! authority that is shown as a server's or client's own.
//!
//! WebPKI has parsed it before, so this meets well-formed DER (X.690) only; it gives up on anything else.

use super::given::Purpose;

/// Not a certificate after all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// `[3]` of TBSCertificate.
const EXTENSIONS: u8 = 0xa3;

const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// `id-kp`, which serverAuth and clientAuth are below.
const KEY_PURPOSE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03];

const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_ENCIPHERMENT: u8 = 0x20;
const KEY_AGREEMENT: u8 = 0x08;

/// Whether it may be used so: both extensions are silent about it, or allow it. As OpenSSL sees it, for which one of the uses
/// that a server's key can have is enough.
pub(super) fn may_be_used(certificate: &[u8], purpose: Purpose) -> Result<bool, Malformed> {
    let (allowing, last) = match purpose {
        Purpose::Server => (DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT, 1),
        Purpose::Client => (DIGITAL_SIGNATURE | KEY_AGREEMENT, 2),
    };
    if let Some(value) = extension(certificate, KEY_USAGE)? {
        // The first octet counts the bits of the last one that are none.
        let bits = only(value, BIT_STRING)?.get(1).copied().unwrap_or(0);
        if bits & allowing == 0 {
            return Ok(false);
        }
    }
    let Some(value) = extension(certificate, EXTENDED_KEY_USAGE)? else {
        return Ok(true);
    };
    let wanted = [KEY_PURPOSE, &[last]].concat();
    let purposes = elements(only(value, SEQUENCE)?)?;
    Ok(purposes.contains(&(OBJECT_IDENTIFIER, &wanted)))
}

/// The value of an extension: what its octet string holds.
fn extension<'a>(certificate: &'a [u8], id: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let whole = elements(only(certificate, SEQUENCE)?)?;
    let (_, content) = whole.first().ok_or(Malformed)?;
    let fields = elements(content)?;
    let Some((_, all)) = fields.iter().find(|(tag, _)| *tag == EXTENSIONS) else {
        return Ok(None);
    };
    for (_, one) in elements(only(all, SEQUENCE)?)? {
        let parts = elements(one)?;
        if parts.first() == Some(&(OBJECT_IDENTIFIER, id)) {
            return match parts.last() {
                Some((OCTET_STRING, value)) => Ok(Some(value)),
                _ => Err(Malformed),
            };
        }
    }
    Ok(None)
}

/// The content of the one element that there is.
fn only(der: &[u8], wanted: u8) -> Result<&[u8], Malformed> {
    match elements(der)?.as_slice() {
        [(tag, content)] if *tag == wanted => Ok(content),
        _ => Err(Malformed),
    }
}

/// Tags and contents of the elements that lie one behind the other.
fn elements(mut der: &[u8]) -> Result<Vec<(u8, &[u8])>, Malformed> {
    let mut found = Vec::new();
    while let Some((tag, rest)) = der.split_first() {
        let (length, rest) = length(rest).ok_or(Malformed)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        found.push((*tag, content));
        der = rest;
    }
    Ok(found)
}

/// X.690 §8.1.3: one octet, or as many as it says.
fn length(der: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = der.split_first()?;
    let count = usize::from(first & 0x7f);
    if first & 0x80 == 0 {
        return Some((count, rest));
    }
    let (bytes, rest) = rest.split_at_checked(count)?;
    // No certificate is longer than what three octets can say.
    (1..=3)
        .contains(&count)
        .then(|| {
            bytes
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte))
        })
        .map(|length| (length, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::certificates::authority_for;
    use rcgen::{ExtendedKeyUsagePurpose as Extended, KeyUsagePurpose as Usage};

    fn may(usages: &[Usage], extended: &[Extended], purpose: Purpose) -> bool {
        let made = authority_for("test", |params| {
            params.key_usages = usages.to_vec();
            params.extended_key_usages = extended.to_vec();
        });
        may_be_used(made.0.der(), purpose).unwrap()
    }

    #[test]
    fn what_is_silent_may_be_used_for_all() {
        for purpose in [Purpose::Server, Purpose::Client] {
            assert!(may(&[], &[], purpose));
        }
    }

    #[test]
    fn key_usage_has_to_allow_it() {
        let signing = [Usage::KeyCertSign, Usage::CrlSign];
        for purpose in [Purpose::Server, Purpose::Client] {
            assert!(!may(&signing, &[], purpose));
            assert!(may(&[Usage::KeyCertSign, Usage::DigitalSignature], &[], purpose));
            assert!(may(&[Usage::KeyAgreement], &[], purpose));
        }
        assert!(may(&[Usage::KeyEncipherment], &[], Purpose::Server));
        assert!(!may(&[Usage::KeyEncipherment], &[], Purpose::Client));
    }

    #[test]
    fn extended_key_usage_has_to_name_it() {
        let (server, client) = (Extended::ServerAuth, Extended::ClientAuth);
        assert!(may(
            &[],
            &[Extended::CodeSigning, server.clone()],
            Purpose::Server
        ));
        for (used, shown, is_good) in [
            (&client, Purpose::Server, false),
            (&server, Purpose::Client, false),
            (&client, Purpose::Client, true),
        ] {
            assert_eq!(may(&[], std::slice::from_ref(used), shown), is_good, "{used:?}");
        }
        assert!(!may(&[], &[Extended::Any], Purpose::Server)); // as for OpenSSL and WebPKI
    }

    #[test]
    fn what_was_cut_or_changed_is_no_certificate_or_says_something() {
        let made = authority_for("test", |params| params.key_usages = vec![Usage::DigitalSignature]);
        let der = made.0.der();
        for end in 0..der.len() {
            assert_eq!(may_be_used(&der[..end], Purpose::Server), Err(Malformed), "{end}");
        }
        for at in 0..der.len() {
            let mut changed = der.to_vec();
            for value in [0, 1, 0x7f, 0x80, 0x83, 0x84, 0xff] {
                changed[at] = value;
                let _ = may_be_used(&changed, Purpose::Server); // whatever it says: it says something
            }
        }
    }
}
