//! Proxies: which one is taken, and what is said to it until the way to the host is free.
//!
//! | file | what is there |
//! |---|---|
//! | `mod` | the URL of a proxy, and the choice |
//! | `environment` | `http_proxy`, `no_proxy` and their like, as curl reads them |
//! | `tunnel` | what both kinds have in common, and HTTP's CONNECT (RFC 9110 §9.3.6) |
//! | `socks5` | SOCKS5 (RFC 1928) with user and password (RFC 1929) |
//!
//! Nothing here knows a socket, a thread or a clock: bytes in, bytes out.

#![forbid(unsafe_code)]

mod environment;
mod socks5;
mod tunnel;

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::error::{Error, ErrorCode, Result};
use crate::ws::url::{Url, parse_host, parse_port, split_port};

pub(crate) use self::tunnel::{Failure, Progress, Target, Tunnel};

/// curl's defaults.
const DEFAULT_PORT: u16 = 1080;
const DEFAULT_TLS_PORT: u16 = 443;
/// RFC 1929 §2 has one byte for the length of a name or password.
const MAX_CREDENTIAL: usize = 255;

/// Through which proxy a client connects. A Unix socket is never behind one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Proxy {
    /// What the environment says, as curl reads it: `http_proxy` for `ws:` (in lower case only), `https_proxy` for
    /// `wss:`, else `all_proxy`, unless `no_proxy` lists the host. Loopback addresses and `localhost` are never behind
    /// such a proxy.
    #[default]
    Environment,
    /// None, whatever the environment says.
    None,
    /// `http://`, `https://` (TLS as far as the proxy), `socks5://` (names are looked up here) or `socks5h://` (names are
    /// looked up by the proxy), host and port, with `user:password@` before them where the proxy wants that. Without a
    /// scheme it is `http`, without a port 1080, or 443 for `https`, as in curl.
    Url(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With TLS as far as the proxy, or without.
    Http {
        secure: bool,
    },
    Socks5 {
        looks_up: bool,
    },
}

/// A proxy's URL, read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ProxyUrl {
    pub(crate) kind: Kind,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) credentials: Option<Credentials>,
    /// Scheme, host and port: what may be shown.
    name: String,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The proxy on the way to `url`; `variable` reads the environment.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`] for what is no proxy's URL, [`ErrorCode::Unsupported`] for a kind that isn't spoken.
pub(crate) fn choose(
    proxy: &Proxy,
    url: &Url,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<ProxyUrl>> {
    if url.unix_path.is_some() {
        return Ok(None);
    }
    match proxy {
        Proxy::None => Ok(None),
        Proxy::Url(text) => ProxyUrl::parse(text, "the option proxy").map(Some),
        Proxy::Environment => environment::choose(url, variable)
            .map(|(name, value)| ProxyUrl::parse(&value, &format!("the environment's {name}")))
            .transpose(),
    }
}

impl ProxyUrl {
    pub(crate) fn is_secure(&self) -> bool {
        self.kind == Kind::Http { secure: true }
    }

    /// `source` says where the text comes from. It may hold a password, so no error shows it.
    fn parse(text: &str, source: &str) -> Result<ProxyUrl> {
        let fail = |code, what: &str| Err(Error::new(code, format!("{source}: {what}")));
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = scheme.to_ascii_lowercase();
        let kind = match scheme.as_str() {
            "http" => Kind::Http { secure: false },
            "https" => Kind::Http { secure: true },
            "socks5" => Kind::Socks5 { looks_up: false },
            "socks5h" => Kind::Socks5 { looks_up: true },
            "socks" | "socks4" | "socks4a" => {
                let what =
                    format!("{scheme}:// proxies are not supported; use http://, socks5:// or socks5h://");
                return fail(ErrorCode::Unsupported, &what);
            }
            _ => {
                let what = "the scheme must be http, https, socks5 or socks5h";
                return fail(ErrorCode::InvalidArgument, what);
            }
        };
        let default_port = match kind {
            Kind::Http { secure: true } => DEFAULT_TLS_PORT,
            _ => DEFAULT_PORT,
        };
        match address(rest, default_port) {
            Ok((credentials, host, shown, port)) => Ok(ProxyUrl {
                kind,
                host,
                port,
                credentials,
                name: format!("{scheme}://{shown}:{port}"),
            }),
            Err(what) => fail(ErrorCode::InvalidArgument, &what),
        }
    }
}

/// Credentials, host, host as it is shown, port.
type Parts = (Option<Credentials>, String, String, u16);

fn address(rest: &str, default_port: u16) -> Result<Parts, String> {
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (userinfo, address) = match rest.rsplit_once('@') {
        Some((userinfo, address)) => (Some(userinfo), address),
        None => (None, rest),
    };
    let (host, port) = split_port(address)?;
    let port = parse_port(port)?.unwrap_or(default_port);
    let (host, shown) = parse_host(host)?;
    let credentials = userinfo.map(credentials).transpose()?;
    Ok((credentials, host, shown, port))
}

fn credentials(userinfo: &str) -> Result<Credentials, String> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let user: Vec<u8> = percent_decode_str(user).collect();
    let password: Vec<u8> = percent_decode_str(password).collect();
    if user.is_empty() || user.len() > MAX_CREDENTIAL || password.len() > MAX_CREDENTIAL {
        return Err("a user has 1 to 255 bytes, a password at most 255".to_owned());
    }
    Ok(Credentials { user, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ProxyUrl> {
        ProxyUrl::parse(text, "the test")
    }

    #[test]
    fn urls_are_read_as_curl_reads_them() {
        let proxy = parse("socks5h://me:p%40ss@Proxy.Example:3128/ignored").unwrap();
        assert_eq!(proxy.kind, Kind::Socks5 { looks_up: true });
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.example", 3128));
        let credentials = proxy.credentials.as_ref().unwrap();
        assert_eq!(
            (&*credentials.user, &*credentials.password),
            (&b"me"[..], &b"p@ss"[..])
        );
        assert_eq!(
            proxy.to_string(),
            "socks5h://proxy.example:3128",
            "no password is shown"
        );
        let bare = parse(" proxy ").unwrap();
        assert_eq!(
            (bare.kind, bare.port, bare.credentials),
            (Kind::Http { secure: false }, 1080, None)
        );
        let secure = parse("HTTPS://p").unwrap();
        assert_eq!((secure.kind, secure.port), (Kind::Http { secure: true }, 443));
        let v6 = parse("http://[::1]:8080").unwrap();
        assert_eq!(
            (v6.host.as_str(), v6.to_string().as_str()),
            ("::1", "http://[::1]:8080")
        );
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_showing_its_password() {
        for (text, code) in [
            ("socks4://secret@p", ErrorCode::Unsupported),
            ("ftp://secret@p", ErrorCode::InvalidArgument),
            ("http://secret@", ErrorCode::InvalidArgument),
            ("http://secret@p:0", ErrorCode::InvalidArgument),
            ("http://:secret@p", ErrorCode::InvalidArgument),
        ] {
            let Err(error) = parse(text) else {
                panic!("{text} is taken")
            };
            assert_eq!(error.code(), code, "{text}");
            assert!(error.text().starts_with("the test: "), "{error}");
            assert!(!error.text().contains("secret"), "{error}");
        }
        assert!(parse(&format!("http://{}@p", "u".repeat(256))).is_err());
    }

    #[test]
    fn the_option_is_taken_at_its_word_and_a_unix_socket_has_none() {
        let none = |_: &str| -> Option<String> { panic!("nobody asks the environment") };
        let local = Url::parse("ws://localhost/").unwrap();
        let option = Proxy::Url("http://p".to_owned());
        assert!(choose(&option, &local, none).unwrap().is_some());
        assert!(choose(&Proxy::None, &local, none).unwrap().is_none());
        let unix = Url::parse("ws+unix:/s:/").unwrap();
        assert!(choose(&option, &unix, none).unwrap().is_none());
        assert!(choose(&Proxy::Environment, &unix, none).unwrap().is_none());
    }

    #[test]
    fn an_error_names_the_variable() {
        let url = Url::parse("ws://example.test/").unwrap();
        let Err(error) = choose(&Proxy::Environment, &url, |name| {
            (name == "http_proxy").then(|| "socks4://p".to_owned())
        }) else {
            panic!("socks4 is taken")
        };
        assert!(error.text().contains("http_proxy"), "{error}");
    }
}
