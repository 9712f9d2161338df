//! The cookie that names a session, for load balancers (RFC 6265), written as npm's `cookie` package does.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

/// What the Set-Cookie header of the answer that begins a session says. The value is the session's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Default: `io`.
    pub name: String,
    /// Default: `/`.
    pub path: Option<String>,
    /// Scripts can't read it. Default: true.
    pub http_only: bool,
    /// Default: `Lax`.
    pub same_site: Option<SameSite>,
    /// Default: `None`, the server's own host.
    pub domain: Option<String>,
    /// Seconds. Default: `None`, until the browser ends.
    pub max_age: Option<i64>,
    /// The time it ends, since the beginning of 1970 (UTC). Default: `None`.
    pub expires: Option<Duration>,
    /// Only over TLS. Default: false.
    pub secure: bool,
    /// One for each top-level site. Default: false.
    pub partitioned: bool,
    /// Default: `None`.
    pub priority: Option<CookiePriority>,
}

/// Whether a cookie goes along with requests that other sites cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// With links only.
    Lax,
    /// Always; needs `secure`.
    None,
}

/// Which cookies a browser drops first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookiePriority {
    /// First.
    Low,
    /// Then.
    Medium,
    /// Last.
    High,
}

impl Default for Cookie {
    fn default() -> Cookie {
        Cookie {
            name: "io".to_owned(),
            path: Some("/".to_owned()),
            http_only: true,
            same_site: Some(SameSite::Lax),
            domain: None,
            max_age: None,
            expires: None,
            secure: false,
            partitioned: false,
            priority: None,
        }
    }
}

impl Cookie {
    /// Whether it can be written.
    ///
    /// # Errors
    /// Which part can't, and what it is.
    pub fn check(&self) -> Result<(), String> {
        if !crate::http::is_token(self.name.as_bytes()) {
            return Err(format!("the cookie's name {:?} is not a token", self.name));
        }
        let is_value = |text: &str| {
            text.bytes()
                .all(|byte| matches!(byte, 0x20..=0x7e) && byte != b';')
        };
        for (name, value) in [("path", &self.path), ("domain", &self.domain)] {
            if let Some(value) = value.as_deref().filter(|value| !is_value(value)) {
                return Err(format!("the cookie's {name} {value:?} can't be written"));
            }
        }
        Ok(())
    }

    /// The header's value.
    pub fn serialize(&self, value: &str) -> String {
        let mut text = format!("{}={value}", self.name);
        let mut add = |part: std::fmt::Arguments<'_>| {
            let _ = text.write_fmt(part); // a String takes everything
        };
        if let Some(max_age) = self.max_age {
            add(format_args!("; Max-Age={max_age}"));
        }
        if let Some(domain) = self.domain.as_deref().filter(|domain| !domain.is_empty()) {
            add(format_args!("; Domain={domain}"));
        }
        if let Some(path) = self.path.as_deref().filter(|path| !path.is_empty()) {
            add(format_args!("; Path={path}"));
        }
        if let Some(expires) = self.expires {
            add(format_args!(
                "; Expires={}",
                httpdate::fmt_http_date(UNIX_EPOCH + expires)
            ));
        }
        if self.http_only {
            add(format_args!("; HttpOnly"));
        }
        if self.secure {
            add(format_args!("; Secure"));
        }
        if self.partitioned {
            add(format_args!("; Partitioned"));
        }
        if let Some(priority) = self.priority {
            add(format_args!("; Priority={priority:?}"));
        }
        if let Some(same_site) = self.same_site {
            add(format_args!("; SameSite={same_site:?}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_written_as_by_the_official_server() {
        assert_eq!(
            Cookie::default().serialize("abc"),
            "io=abc; Path=/; HttpOnly; SameSite=Lax"
        );
        let full = Cookie {
            name: "sid".to_owned(),
            path: Some("/chat".to_owned()),
            http_only: false,
            same_site: Some(SameSite::None),
            domain: Some("a.example".to_owned()),
            max_age: Some(-1),
            expires: Some(Duration::from_secs(1_445_412_480)),
            secure: true,
            partitioned: true,
            priority: Some(CookiePriority::High),
        };
        assert_eq!(
            full.serialize("abc"),
            "sid=abc; Max-Age=-1; Domain=a.example; Path=/chat; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Secure; \
             Partitioned; Priority=High; SameSite=None"
        );
        assert_eq!(full.check(), Ok(()));
        for bad in [
            Cookie {
                name: "a b".to_owned(),
                ..Cookie::default()
            },
            Cookie {
                path: Some("/;Domain=x".to_owned()),
                ..Cookie::default()
            },
            Cookie {
                domain: Some("a\r\nb".to_owned()),
                ..Cookie::default()
            },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
