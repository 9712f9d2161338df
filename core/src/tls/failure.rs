//! What went wrong with a TLS session, in words that name the peer and the reason.

use std::fmt;

/// What was wrong, for programs to tell apart; an [`Error`](crate::Error)'s text says it for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate is not valid any more.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is for other names.
    WrongName,
    /// The certificate was issued by nobody but its owner, and is not trusted by itself.
    SelfSigned,
    /// What issued the certificate came along, up to a root that is not trusted.
    UntrustedRoot,
    /// Certificates that lead on came along, but they lead to no root that is trusted.
    IncompleteChain,
    /// Who issued the certificate is not known, and nothing else came along.
    UnknownIssuer,
    /// The certificate was revoked.
    Revoked,
    /// The certificate is malformed, wrongly signed, or for another purpose.
    BadCertificate,
    /// None of the chain's keys is among [`ClientTlsOptions::pins`](crate::ClientTlsOptions::pins).
    NotPinned,
    /// The peer has ended TLS with this alert (RFC 8446 §6).
    Alert(u8),
    /// What came is not TLS.
    NotTls,
    /// Something else; the text says what.
    Other,
}

/// Why a session can't go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) what: TlsError,
    text: String,
}

impl Failure {
    /// A failure that the TLS library has not found.
    pub(crate) fn own(what: TlsError, text: &str) -> Failure {
        let text = text.to_owned();
        Failure { what, text }
    }

    /// As an application hears of it.
    pub(crate) fn into_error(self) -> crate::Error {
        crate::Error::tls(self.what, self.text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// What our own verification has found, on its way through the TLS library.
#[derive(Debug)]
#[cfg_attr(not(feature = "tls"), allow(dead_code))]
pub(super) struct Found(pub(super) TlsError);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            TlsError::NotPinned => "none of its keys is among the pins",
            TlsError::SelfSigned => "it is signed with its own key, which is not trusted",
            TlsError::UntrustedRoot => "it leads to a root that is not trusted",
            _ => "its issuer is not known",
        })
    }
}

impl std::error::Error for Found {}

#[cfg(feature = "tls")]
impl Failure {
    /// What the TLS library says; `host` is whom a client has asked for, and `None` on a server.
    pub(super) fn new(error: &rustls::Error, host: Option<&str>, secured: bool) -> Failure {
        use rustls::Error;
        let peer = host.unwrap_or("the client");
        let text = match error {
            Error::InvalidCertificate(error) => certificate(error, host),
            Error::AlertReceived(alert) => format!("{peer} has ended TLS: {}", alert_text(*alert)),
            Error::InvalidMessage(_) if !secured => {
                format!("{peer} does not speak TLS on this port ({error})")
            }
            Error::PeerIncompatible(why) => {
                format!("{peer} and this side have no way of TLS in common ({why:?})")
            }
            Error::NoApplicationProtocol => {
                format!("{peer} offers none of the application protocols (ALPN) of this side")
            }
            Error::NoCertificatesPresented => format!("{peer} has shown no certificate, and one is required"),
            Error::DecryptError => format!("a TLS record of {peer} was damaged or forged on its way"),
            Error::PeerMisbehaved(why) => format!("{peer} breaks the TLS protocol ({why:?})"),
            other => format!("TLS with {peer} failed: {other}"),
        };
        let what = match error {
            Error::InvalidCertificate(error) => kind_of(error),
            Error::AlertReceived(alert) => TlsError::Alert(u8::from(*alert)),
            Error::InvalidMessage(_) if !secured => TlsError::NotTls,
            _ => TlsError::Other,
        };
        Failure { what, text }
    }
}

#[cfg(feature = "tls")]
fn kind_of(error: &rustls::CertificateError) -> TlsError {
    use rustls::CertificateError as Why;
    match error {
        Why::Expired | Why::ExpiredContext { .. } => TlsError::Expired,
        Why::NotValidYet | Why::NotValidYetContext { .. } => TlsError::NotYetValid,
        Why::NotValidForName | Why::NotValidForNameContext { .. } => TlsError::WrongName,
        Why::UnknownIssuer => TlsError::UnknownIssuer,
        Why::Revoked => TlsError::Revoked,
        Why::Other(other) => match other.0.downcast_ref() {
            Some(Found(what)) => *what,
            None => TlsError::BadCertificate,
        },
        _ => TlsError::BadCertificate,
    }
}

#[cfg(feature = "tls")]
fn certificate(error: &rustls::CertificateError, host: Option<&str>) -> String {
    use rustls::CertificateError as Why;
    let whose = match host {
        Some(host) => format!("the certificate of {host}"),
        None => "the client's certificate".to_owned(),
    };
    match error {
        Why::Expired => format!("{whose} has expired"),
        Why::ExpiredContext { not_after, .. } => {
            format!("{whose} has expired (on {})", date(not_after.as_secs()))
        }
        Why::NotValidYet => format!("{whose} is not valid yet"),
        Why::NotValidYetContext { not_before, .. } => {
            format!("{whose} is not valid yet (before {})", date(not_before.as_secs()))
        }
        Why::NotValidForName => format!("{whose} is for another name"),
        Why::NotValidForNameContext { expected, presented } => {
            format!("{whose} is for {}, not {}", names(presented), expected.to_str())
        }
        Why::UnknownIssuer => format!("{whose} was issued by an unknown authority"),
        Why::Revoked => format!("{whose} was revoked"),
        Why::BadEncoding => format!("{whose} is malformed"),
        Why::BadSignature => format!("{whose} has a wrong signature"),
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => format!("{whose} is for another purpose"),
        Why::Other(other) => match other.0.downcast_ref() {
            Some(Found(TlsError::NotPinned)) | None => format!("{whose} can't be trusted: {other}"),
            Some(found) => format!("{whose} was issued by an unknown authority: {found}"),
        },
        other => format!("{whose} can't be trusted: {other}"),
    }
}

/// `DnsName("other.test")` or `IpAddress(127.0.0.1)`, as the verifier writes them.
#[cfg(feature = "tls")]
fn names(presented: &[String]) -> String {
    const SHOWN: usize = 3;
    let plain = |name: &String| {
        let inner = name
            .split_once('(')
            .and_then(|(_, inner)| inner.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"').to_owned()
    };
    match presented.len() {
        0 => "no name at all (its common name doesn't count)".to_owned(),
        count => {
            let shown: Vec<String> = presented.iter().take(SHOWN).map(plain).collect();
            let more = if count > SHOWN { " and others" } else { "" };
            format!("{}{more}", shown.join(", "))
        }
    }
}

#[cfg(feature = "tls")]
fn alert_text(alert: rustls::AlertDescription) -> String {
    use rustls::AlertDescription as Alert;
    let text = match alert {
        Alert::CertificateRequired => "it wants a certificate of this side",
        Alert::UnknownCA => "it does not know who has issued this side's certificate",
        Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnsupportedCertificate => {
            "it does not accept this side's certificate"
        }
        Alert::CertificateExpired => "this side's certificate has expired",
        Alert::CertificateRevoked => "this side's certificate was revoked",
        Alert::AccessDenied => "it denies access to this side's certificate",
        Alert::UnrecognisedName => "it has no certificate for this name",
        Alert::ProtocolVersion => "no version of TLS is accepted by both sides",
        Alert::HandshakeFailure => "no cipher, or no certificate, is accepted by both sides",
        Alert::NoApplicationProtocol => "no application protocol (ALPN) is accepted by both sides",
        other => return format!("alert {other:?}"),
    };
    text.to_owned()
}

/// A day of the Gregorian calendar, `2020-01-01`, from seconds since 1970 (Howard Hinnant's `civil_from_days`).
#[cfg(feature = "tls")]
fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
#[cfg(feature = "tls")]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_577_836_800, "2020-01-01"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn names_are_told_plainly() {
        assert_eq!(names(&["DnsName(\"other.test\")".to_owned()]), "other.test");
        assert_eq!(names(&["IpAddress(127.0.0.1)".to_owned()]), "127.0.0.1");
        assert_eq!(names(&[]), "no name at all (its common name doesn't count)");
        let many: Vec<String> = (0..5).map(|n| format!("h{n}.test")).collect();
        assert_eq!(names(&many), "h0.test, h1.test, h2.test and others");
    }
}
