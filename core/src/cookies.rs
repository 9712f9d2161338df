//! Cookies that a redirect sets go along to where it leads (RFC 6265), and no further: a jar lives as long as one
//! attempt to connect.

use std::time::SystemTime;

use crate::ws::url::Url;

/// More than any login needs.
const MAX_COOKIES: usize = 50;

#[derive(Debug, Clone, Default)]
pub(crate) struct Jar(Vec<Cookie>);

#[derive(Debug, Clone)]
struct Cookie {
    /// Only this host gets it: a Domain attribute, which would widen that, is ignored.
    host: String,
    path: String,
    secure: bool,
    name: String,
    value: String,
}

impl Jar {
    /// Takes a Set-Cookie field of a response to a request for `url` (RFC 6265 §5.2 and §5.3).
    pub(crate) fn take(&mut self, url: &Url, field: &[u8], now: SystemTime) {
        let Ok(text) = std::str::from_utf8(field) else {
            return;
        };
        let mut parts = text.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let mut cookie = Cookie {
            host: url.host.clone(),
            path: default_path(&url.target).to_owned(),
            secure: false,
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
        };
        let (mut max_age, mut expires) = (None, None);
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match (key.trim().to_ascii_lowercase().as_str(), value.trim()) {
                ("secure", _) => cookie.secure = true,
                ("path", path) if path.starts_with('/') => cookie.path = path.to_owned(),
                ("max-age", seconds) => max_age = seconds.parse::<i64>().ok().or(max_age),
                ("expires", date) => expires = httpdate::parse_http_date(date).ok().or(expires),
                _ => {}
            }
        }
        // §5.3 item 3: Max-Age comes before Expires.
        let is_over = match max_age {
            Some(seconds) => seconds <= 0,
            None => expires.is_some_and(|date| date <= now),
        };
        self.0.retain(|other| {
            (&other.host, &other.path, &other.name) != (&cookie.host, &cookie.path, &cookie.name)
        });
        if !is_over && !cookie.name.is_empty() && self.0.len() < MAX_COOKIES {
            self.0.push(cookie);
        }
    }

    /// Names and values that go along with a request for `url` (RFC 6265 §5.4).
    pub(crate) fn of(&self, url: &Url) -> impl Iterator<Item = (&str, &str)> {
        let fits = |cookie: &&Cookie| {
            cookie.host == url.host
                && (url.secure || !cookie.secure)
                && covers(&cookie.path, path(&url.target))
        };
        self.0
            .iter()
            .filter(fits)
            .map(|cookie| (cookie.name.as_str(), cookie.value.as_str()))
    }
}

fn path(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// RFC 6265 §5.1.4: up to the last slash, without it.
fn default_path(target: &str) -> &str {
    match path(target).rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder,
        _ => "/",
    }
}

/// RFC 6265 §5.1.4: the path itself, and what is below it.
fn covers(cookie: &str, request: &str) -> bool {
    match request.strip_prefix(cookie) {
        Some(rest) => rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// What a request for `to` gets after a response from `from` has set these.
    fn sent(from: &str, fields: &[&str], to: &str) -> Vec<String> {
        let mut jar = Jar::default();
        for field in fields {
            jar.take(
                &url(from),
                field.as_bytes(),
                UNIX_EPOCH + Duration::from_secs(1_000_000_000),
            );
        }
        let to = url(to);
        jar.of(&to)
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn a_cookie_goes_to_its_host_and_below_its_path() {
        let set = ["a=1; Path=/; HttpOnly", "b=2", "c=3; path=/deep"];
        assert_eq!(sent("ws://h/x/y", &set, "ws://h:81/"), ["a=1"]);
        assert_eq!(sent("ws://h/x/y", &set, "ws://h/x/z?q"), ["a=1", "b=2"]);
        assert_eq!(sent("ws://h/x/y", &set, "ws://h/deep"), ["a=1", "c=3"]);
        assert_eq!(sent("ws://h/x/y", &set, "ws://h/deeper"), ["a=1"]);
        assert_eq!(
            sent("ws://h/", &["a=1; Domain=test"], "ws://other.test/"),
            [""; 0]
        );
    }

    #[test]
    fn a_secure_one_goes_over_tls_only() {
        assert_eq!(sent("wss://h/", &["a=1; Secure"], "ws://h/"), [""; 0]);
        assert_eq!(sent("wss://h/", &["a=1; Secure"], "wss://h/"), ["a=1"]);
    }

    #[test]
    fn the_last_of_a_name_counts_and_an_expired_one_takes_it_away() {
        assert_eq!(sent("ws://h/", &["a=1", "a=2"], "ws://h/"), ["a=2"]);
        let gone = [
            "a=; Max-Age=0",
            "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "a=; Max-Age=-5; Expires=Thu, 01 Jan 2970 00:00:00 GMT",
        ];
        for field in gone {
            assert_eq!(sent("ws://h/", &["a=1", field], "ws://h/"), [""; 0], "{field}");
        }
        let kept = "a=2; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(sent("ws://h/", &[kept], "ws://h/"), ["a=2"]);
    }

    #[test]
    fn what_is_no_cookie_is_ignored() {
        let many: Vec<String> = (0..100).map(|n| format!("n{n}=1")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(sent("ws://h/", &many, "ws://h/").len(), MAX_COOKIES);
        assert_eq!(sent("ws://h/", &["no pair", "=x", ""], "ws://h/"), [""; 0]);
        let mut jar = Jar::default();
        jar.take(&url("ws://h/"), b"a=\xff", UNIX_EPOCH);
        assert_eq!(jar.of(&url("ws://h/")).count(), 0);
    }
}
