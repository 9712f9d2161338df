//! Where one attempt to connect goes, and what it asks for there; and where a redirect leads from it.

use std::time::SystemTime;

use crate::client::ClientOptions;
use crate::cookies::Jar;
use crate::error::{Error, ErrorCode, Result};
use crate::http::Response;
use crate::proxy::{self, ProxyUrl};
use crate::tls::ClientTls;
use crate::ws::handshake;
use crate::ws::url::Url;

pub(crate) struct Destination {
    pub(crate) url: Url,
    pub(crate) request: Vec<u8>,
    pub(crate) key: String,
    pub(crate) proxy: Option<ProxyUrl>,
    connect_to: Option<(String, u16)>,
    /// Of a `wss://` URL.
    pub(crate) tls: Option<ClientTls>,
    /// Of an `https://` proxy.
    pub(crate) proxy_tls: Option<ClientTls>,
    luggage: Luggage,
}

/// What goes along of the application's; less of it to another origin.
#[derive(Clone, Default)]
struct Luggage {
    headers: Vec<(String, String)>,
    cookies: Vec<(String, String)>,
    /// What redirects have set on the way.
    jar: Jar,
}

impl Destination {
    /// # Errors
    /// What is wrong with the URL, the proxy, a subprotocol, a header or a cookie.
    pub(crate) fn first(url: Url, options: &ClientOptions) -> Result<Destination> {
        Destination::again(url, options.headers.clone(), options)
    }

    /// The same for another attempt, with these headers.
    pub(crate) fn again(
        url: Url,
        headers: Vec<(String, String)>,
        options: &ClientOptions,
    ) -> Result<Destination> {
        let luggage = Luggage {
            headers,
            cookies: options.cookies.clone(),
            jar: Jar::default(),
        };
        Destination::new(url, options, luggage)
    }

    /// Where HTTP requests go; what they ask for there is theirs.
    ///
    /// # Errors
    /// What is wrong with the proxy.
    pub(crate) fn for_requests(url: Url, options: &ClientOptions) -> Result<Destination> {
        Destination::with_request(url, options, Luggage::default(), Vec::new(), String::new())
    }

    /// The host, without an IPv6 address's brackets, and the port to connect to.
    pub(crate) fn endpoint(&self) -> (&str, u16) {
        let (host, port) = self
            .connect_to
            .as_ref()
            .map_or(("", 0), |(host, port)| (host, *port));
        let host = if host.is_empty() { &self.url.host } else { host };
        (host, if port == 0 { self.url.port } else { port })
    }

    /// Where a response leads that is a redirect; `None` if it is none, or says not where to.
    pub(crate) fn after(
        &self,
        response: &Response,
        options: &ClientOptions,
        now: SystemTime,
    ) -> Option<Result<Destination>> {
        // RFC 9110 §15.4; 300 and 304 to 306 lead nowhere.
        if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let location = response.header("location")?;
        Some(self.redirected(location, response, options, now))
    }

    fn redirected(
        &self,
        location: &str,
        response: &Response,
        options: &ClientOptions,
        now: SystemTime,
    ) -> Result<Destination> {
        let fail = |why: &str| {
            let text = format!("{} redirects: {why}", self.url.shown());
            Err(Error::new(ErrorCode::Redirect, text))
        };
        let url = match self.url.join(location) {
            Ok(url) => url,
            Err(error) => return fail(&error.to_string()),
        };
        if self.url.secure && !url.secure {
            return fail(&format!("to {}, which is not encrypted", url.shown()));
        }
        let mut luggage = self.luggage.clone();
        for field in response.headers.get_all("set-cookie") {
            luggage.jar.take(&self.url, field.as_bytes(), now);
        }
        if self.url.is_same_origin(&url) {
            let url = url.with_userinfo(self.url.userinfo.as_deref());
            return Destination::new(url, options, luggage);
        }
        if self.connect_to.is_some() {
            return fail("to another origin, and connect_to is for this one");
        }
        luggage.cookies.clear();
        luggage.headers.retain(|(name, _)| !is_for_one_origin(name));
        Destination::new(url, options, luggage)
    }

    fn new(url: Url, options: &ClientOptions, luggage: Luggage) -> Result<Destination> {
        let headers = luggage.fields(&url)?;
        let mut request = Vec::new();
        let wanted = handshake::ClientRequest {
            host: &url.authority,
            target: &url.target,
            subprotocols: &options.subprotocols,
            compression: options.settings.compression.as_ref(),
            headers: &headers,
        };
        let key = handshake::client_request(&wanted, &mut request)
            .map_err(|error| Error::new(ErrorCode::InvalidArgument, error.text))?;
        Destination::with_request(url, options, luggage, request, key)
    }

    fn with_request(
        url: Url,
        options: &ClientOptions,
        luggage: Luggage,
        request: Vec<u8>,
        key: String,
    ) -> Result<Destination> {
        let tls = secured_by(url.secure, options.tls.as_ref())?;
        let proxy = match options.dial {
            Some(_) => None,
            None => proxy::choose(&options.proxy, &url, |name| std::env::var(name).ok())?,
        };
        let to_proxy = proxy.as_ref().is_some_and(ProxyUrl::is_secure);
        let proxy_tls = secured_by(to_proxy, options.proxy_tls.as_ref())?;
        Ok(Destination {
            url,
            request,
            key,
            proxy,
            connect_to: options.connect_to.clone(),
            tls,
            proxy_tls,
            luggage,
        })
    }
}

/// The header fields that go along with a request for `url`: the application's, its cookies and those of the jar in one
/// field, and authentication from the URL.
///
/// # Errors
/// What is wrong with a cookie.
pub(crate) fn fields(url: &Url, options: &ClientOptions, jar: &Jar) -> Result<Vec<(String, String)>> {
    let luggage = Luggage {
        headers: options.headers.clone(),
        cookies: options.cookies.clone(),
        jar: jar.clone(),
    };
    luggage.fields(url)
}

fn secured_by(secure: bool, given: Option<&ClientTls>) -> Result<Option<ClientTls>> {
    match given {
        _ if !secure => Ok(None),
        Some(tls) => Ok(Some(tls.clone())),
        None => ClientTls::default_for_process().map(Some),
    }
}

/// What proves to one origin who asks, or names it.
fn is_for_one_origin(header: &str) -> bool {
    ["authorization", "cookie", "proxy-authorization", "host"]
        .iter()
        .any(|own| header.eq_ignore_ascii_case(own))
}

impl Luggage {
    fn fields(&self, url: &Url) -> Result<Vec<(String, String)>> {
        let (given, mut fields): (Vec<_>, Vec<_>) = self
            .headers
            .iter()
            .cloned()
            .partition(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        let mut cookies: Vec<String> = given.into_iter().map(|(_, value)| value).collect();
        for (name, value) in &self.cookies {
            check_cookie(name, value)?;
            // What the server has set meanwhile is newer.
            if self.jar.of(url).all(|(newer, _)| newer != name) {
                cookies.push(format!("{name}={value}"));
            }
        }
        cookies.extend(self.jar.of(url).map(|(name, value)| format!("{name}={value}")));
        if !cookies.is_empty() {
            // RFC 6265 §5.4: one field, whoever they come from.
            fields.push(("Cookie".to_owned(), cookies.join("; ")));
        }
        // A user and password in the URL become basic authentication (RFC 7617), unless a header says otherwise.
        let is_given = fields
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if !is_given && let Some(authorization) = url.authorization() {
            fields.push(("Authorization".to_owned(), authorization));
        }
        Ok(fields)
    }
}

/// What would end a cookie, or the header, early. RFC 6265 §4.1.1 forbids more, which servers have to take.
fn check_cookie(name: &str, value: &str) -> Result<()> {
    let ends = |c: char| c == ';' || c.is_control();
    if name.is_empty() || name.contains(|c: char| ends(c) || c == '=') || value.contains(ends) {
        let text = format!("the cookie {name:?} has a character that would end it early, or no name");
        return Err(Error::new(ErrorCode::InvalidArgument, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Limits, parse_response};
    use std::time::UNIX_EPOCH;

    #[test]
    fn from_tls_a_redirect_never_leads_to_without() {
        let from = Destination {
            url: Url::parse("wss://me:secret@a/").expect("it is one"),
            request: Vec::new(),
            key: String::new(),
            connect_to: None,
            proxy: None,
            tls: None,
            proxy_tls: None,
            luggage: Luggage::default(),
        };
        let to = |location: &str| {
            let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
            let (response, _) = parse_response(head.as_bytes(), &Limits::default())
                .expect("it is valid")
                .expect("it is whole");
            let next = from.after(&response, &ClientOptions::default(), UNIX_EPOCH);
            next.expect("it is a redirect").map(|next| next.url.href)
        };
        for location in ["http://a/", "ws://a:443/", "http://b/"] {
            let error = to(location).expect_err("it is not encrypted");
            assert_eq!(error.code(), ErrorCode::Redirect, "{error}");
            assert!(!error.text().contains("secret"), "{error}");
        }
    }
}
