//! Which pages may connect: the allow-list of a server, and the Origin header (RFC 6454 §7, RFC 6455 §10.2).

#![forbid(unsafe_code)]

use ::http::{HeaderMap, header};

use crate::error::{Error, ErrorCode, Result};

/// Checks an entry of the list: `null`, or a scheme, a host and maybe a port, and nothing else. Anything else would
/// never match, and nobody would see why.
pub(crate) fn check(entry: &str) -> Result<()> {
    let fits = entry.split_once("://").is_some_and(|(scheme, host)| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        !scheme.is_empty()
            && scheme.bytes().all(is_letter)
            && !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"/?#@*,".contains(&byte))
    });
    if fits || entry.eq_ignore_ascii_case("null") {
        return Ok(());
    }
    let text = format!("origins: {entry:?} is no origin; write null or scheme://host[:port], without a path");
    Err(Error::new(ErrorCode::InvalidArgument, text))
}

/// Whether a request may be upgraded. Only browsers send an Origin, so without one there is no page to keep out.
pub(crate) fn allows(list: &[String], headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(header::ORIGIN).into_iter();
    match (sent.next(), sent.next()) {
        (None, _) => true,
        (Some(origin), None) => {
            list.is_empty()
                || list
                    .iter()
                    .any(|entry| entry.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
        }
        // RFC 6454 §7.3: there is at most one.
        (Some(_), Some(_)) => list.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;

    fn allowed(list: &[&str], sent: &[&'static str]) -> bool {
        let list: Vec<String> = list.iter().map(|entry| (*entry).to_owned()).collect();
        let mut headers = HeaderMap::new();
        for origin in sent {
            headers.append(header::ORIGIN, HeaderValue::from_static(origin));
        }
        allows(&list, &headers)
    }

    #[test]
    fn only_listed_origins_pass_and_an_empty_list_lets_all_pass() {
        let list = ["https://example.com", "http://Localhost:8080", "null"];
        for origin in [
            "https://example.com",
            "HTTPS://EXAMPLE.COM",
            "http://localhost:8080",
            "null",
        ] {
            assert!(allowed(&list, &[origin]), "{origin}");
        }
        for origin in [
            "http://example.com",
            "https://example.com:8443",
            "https://example.com.evil.test",
            "https://sub.example.com",
            "https://example.co",
            "",
        ] {
            assert!(!allowed(&list, &[origin]), "{origin}");
            assert!(allowed(&[], &[origin]), "{origin}");
        }
        assert!(!allowed(&["https://example.com"], &["null"]));
        assert!(allowed(&list, &[]), "who is no browser sends none");
        assert!(!allowed(&list, &["https://example.com", "https://evil.test"]));
    }

    #[test]
    fn an_entry_that_could_never_match_is_refused() {
        for entry in [
            "null",
            "https://example.com",
            "http://[::1]:80",
            "chrome-extension://abc",
        ] {
            check(entry).unwrap();
        }
        for entry in [
            "",
            "*",
            "example.com",
            "https://",
            "https://a/",
            "https://*.a",
            "://a",
            "https://a, https://b",
        ] {
            let error = check(entry).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidArgument, "{entry}");
            assert!(error.text().contains(&format!("{entry:?}")), "{error}");
        }
    }
}
