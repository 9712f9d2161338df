//! WebSocket URLs (RFC 6455 §3, RFC 3986), and `ws+unix:` for Unix sockets as npm's ws writes them.

use core::net::Ipv6Addr;
use std::fmt;
use std::path::PathBuf;

use data_encoding::BASE64;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Where to connect, and what to ask for there.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// TLS: `wss:` or `https:`.
    pub secure: bool,
    /// A name or an address in lower case; an IPv6 address without its brackets; `localhost` for a Unix socket.
    pub host: String,
    /// 80 or 443 unless the URL says otherwise; of no meaning for a Unix socket.
    pub port: u16,
    /// Path and query for the request line; at least `/`.
    pub target: String,
    /// For the Host header: host and port, without the port where it is the default.
    pub authority: String,
    /// `user:password` as in the URL, still percent-encoded; not part of `authority`.
    pub userinfo: Option<String>,
    /// The socket's path, where the URL is a `ws+unix:` one.
    pub unix_path: Option<PathBuf>,
    /// The whole URL again, normalised.
    pub href: String,
}

/// Why a text is not a WebSocket URL; the text says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlError(String);

impl Url {
    /// Parses `ws://`, `wss://`, `http://` (the same as `ws://`, as in the WHATWG standard), `https://`, and
    /// `ws+unix:/path/to.sock:/target`. White space and control characters around it are dropped. A path or query
    /// that is not percent-encoded is encoded; a host has to be ASCII.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        let text = text.trim_matches(|c: char| c <= ' ');
        let fail = |what: &str| Err(UrlError(format!("invalid URL {:?}: {what}", redact(text))));
        // RFC 6455 §3: "fragment identifiers are meaningless […] and MUST NOT be used".
        if text.contains('#') {
            return fail("a WebSocket URL has no fragment; write # as %23");
        }
        // Other parsers take \ as / or drop a line feed, and would see another host.
        if text.contains(|c: char| c == '\\' || c.is_control()) {
            return fail("it contains a backslash or a control character");
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return fail("it has no scheme; begin with ws:// or wss://");
        };
        let parsed = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => parse_tcp(false, rest),
            "wss" | "https" => parse_tcp(true, rest),
            "ws+unix" => parse_unix(rest),
            _ => Err("the scheme must be ws, wss, http, https or ws+unix".to_owned()),
        };
        parsed.or_else(|what| fail(&what))
    }

    /// The value of an Authorization header for the user information, if there is any (RFC 7617).
    pub fn authorization(&self) -> Option<String> {
        let userinfo = self.userinfo.as_deref()?;
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let mut credentials: Vec<u8> = percent_decode_str(user).collect();
        credentials.push(b':');
        credentials.extend(percent_decode_str(password));
        Some(format!("Basic {}", BASE64.encode(&credentials)))
    }

    /// Where a Location header of this URL's response leads (RFC 9110 §10.2.2, RFC 3986 §5.2). Its fragment is the user
    /// agent's affair and dropped. It never leads to a Unix socket: that would be for the network to choose a file here.
    pub fn join(&self, location: &str) -> Result<Url, UrlError> {
        let location = location.split('#').next().unwrap_or_default();
        let location = location.trim_matches(|c: char| c <= ' ');
        let fail = |what: &str| {
            Err(UrlError(format!(
                "invalid location {:?}: {what}",
                redact(location)
            )))
        };
        let scheme_end = location
            .find(':')
            .filter(|end| !location[..*end].contains(['/', '?']));
        if let Some(end) = scheme_end {
            return match location[..end].to_ascii_lowercase().as_str() {
                "ws" | "wss" | "http" | "https" => Url::parse(location),
                _ => fail("the scheme must be ws, wss, http or https"),
            };
        }
        let origin = self.href.strip_suffix(&self.target).unwrap_or_default();
        if location.starts_with("//") {
            return match (&self.unix_path, self.secure) {
                (Some(_), _) => fail("the host of a Unix socket can't be left without a scheme"),
                (None, true) => Url::parse(&format!("wss:{location}")),
                (None, false) => Url::parse(&format!("ws:{location}")),
            };
        }
        Url::parse(&format!("{origin}{}", join_target(&self.target, location)))
    }

    /// Whether both go to the same place in the same way: scheme, host and port, or the same Unix socket.
    pub fn is_same_origin(&self, other: &Url) -> bool {
        (self.secure, &self.host, self.port, &self.unix_path)
            == (other.secure, &other.host, other.port, &other.unix_path)
    }

    /// The URL as it may be shown, without its user information.
    pub fn shown(&self) -> String {
        redact(&self.href)
    }

    /// The same URL with this user information, where it has none of its own.
    pub(crate) fn with_userinfo(mut self, userinfo: Option<&str>) -> Url {
        if let (None, Some(userinfo), Some((scheme, rest))) =
            (&self.userinfo, userinfo, self.href.split_once("://"))
        {
            self.href = format!("{scheme}://{userinfo}@{rest}");
            self.userinfo = Some(userinfo.to_owned());
        }
        self
    }
}

/// Without the user information: this is what ends up in logs.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Url").field(&redact(&self.href)).finish()
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UrlError {}

/// What a path or query may not contain unencoded (WHATWG's path and query percent-encode sets). `%` is left alone:
/// it is an encoding already.
const TARGET: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}');

fn parse_tcp(secure: bool, rest: &str) -> Result<Url, String> {
    let rest = rest.strip_prefix("//").ok_or("// must follow the scheme")?;
    let (address, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (userinfo, address) = match address.rsplit_once('@') {
        Some((userinfo, address)) => (Some(userinfo).filter(|userinfo| !userinfo.is_empty()), address),
        None => (None, address),
    };
    let (host, port) = split_port(address)?;
    let (default, scheme) = if secure { (443, "wss") } else { (80, "ws") };
    let port = parse_port(port)?.unwrap_or(default);
    let (host, in_authority) = parse_host(host)?;
    let authority = if port == default {
        in_authority
    } else {
        format!("{in_authority}:{port}")
    };
    let target = encode_target(target);
    let at = userinfo
        .map(|userinfo| format!("{userinfo}@"))
        .unwrap_or_default();
    let href = format!("{scheme}://{at}{authority}{target}");
    Ok(Url {
        secure,
        host,
        port,
        target,
        authority,
        userinfo: userinfo.map(str::to_owned),
        unix_path: None,
        href,
    })
}

/// `ws+unix:/path/to.sock:/target`; the path ends at the first colon, and is percent-decoded.
fn parse_unix(rest: &str) -> Result<Url, String> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, target) = rest.split_once(':').unwrap_or((rest, "/"));
    if !path.starts_with('/') || path.contains('?') {
        return Err("write ws+unix:/path/to.sock:/target with an absolute path".to_owned());
    }
    let decoded = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| "the socket's path is not UTF-8")?;
    if decoded.contains('\0') {
        return Err("the socket's path contains a NUL".to_owned());
    }
    if !target.starts_with('/') {
        return Err("the target behind the socket's path must begin with /".to_owned());
    }
    let target = encode_target(target);
    // Two slashes in front of a path are those of `ws+unix://`, unless they stand there already.
    let slashes = if path.starts_with("//") { "//" } else { "" };
    Ok(Url {
        secure: false,
        host: "localhost".to_owned(),
        port: 80,
        authority: "localhost".to_owned(),
        userinfo: None,
        href: format!("ws+unix:{slashes}{path}:{target}"),
        unix_path: Some(PathBuf::from(decoded.into_owned())),
        target,
    })
}

/// The host with its brackets, and the port's digits.
pub(crate) fn split_port(address: &str) -> Result<(&str, &str), String> {
    let host_end = if address.starts_with('[') {
        address
            .find(']')
            .map(|bracket| bracket + 1)
            .ok_or("the bracket around the IPv6 address is not closed")?
    } else {
        address.find(':').unwrap_or(address.len())
    };
    let (host, port) = address.split_at(host_end);
    match port.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if port.is_empty() => Ok((host, "")),
        None => Err(format!("{port:?} follows the IPv6 address")),
    }
}

/// `None` for an empty port, which is the default one (RFC 3986 §3.2.3).
pub(crate) fn parse_port(digits: &str) -> Result<Option<u16>, String> {
    if digits.is_empty() {
        return Ok(None);
    }
    let port = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    match port.and_then(|digits| digits.parse().ok()) {
        Some(0) | None => Err(format!("the port {digits:?} is not a number from 1 to 65535")),
        port => Ok(port),
    }
}

/// The host as a resolver takes it, and as the Host header has it.
pub(crate) fn parse_host(host: &str) -> Result<(String, String), String> {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = address
            .parse()
            .map_err(|_| format!("{address:?} is not an IPv6 address"))?;
        return Ok((address.to_string(), format!("[{address}]")));
    }
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if !host.is_ascii() {
        return Err(format!(
            "the host {host:?} is not ASCII; write it in its xn-- form (IDNA)"
        ));
    }
    if let Some(bad) = host
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !"-._~".contains(*c))
    {
        return Err(format!("the host {host:?} contains {bad:?}"));
    }
    let host = host.to_ascii_lowercase();
    Ok((host.clone(), host))
}

fn encode_target(target: &str) -> String {
    let slash = if target.starts_with('/') { "" } else { "/" };
    format!("{slash}{}", utf8_percent_encode(target, TARGET))
}

/// RFC 3986 §5.2.2, for references without scheme and authority.
fn join_target(base: &str, reference: &str) -> String {
    let base_path = base.split('?').next().unwrap_or_default();
    if reference.is_empty() {
        return base.to_owned();
    }
    if reference.starts_with('?') {
        return format!("{base_path}{reference}");
    }
    let (path, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
    let folder = base_path
        .rsplit_once('/')
        .map(|(folder, _)| folder)
        .unwrap_or_default();
    let merged = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{folder}/{path}")
    };
    format!("{}{query}", without_dots(&merged))
}

/// RFC 3986 §5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for segment in path.split('/').skip(1) {
        ends_open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => _ = kept.pop(),
            segment => kept.push(segment),
        }
    }
    let slash = if ends_open && !kept.is_empty() { "/" } else { "" };
    format!("/{}{slash}", kept.join("/"))
}

/// The URL without its user information.
fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (address, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match address.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{target}"),
        None => text.to_owned(),
    }
}
