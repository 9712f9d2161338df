//! The request that began a session, kept as long as the session lives: its text in one piece of memory, which sessions
//! share whose requests say the same.

use std::cell::RefCell;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::SEC_WEBSOCKET_KEY;

use crate::engineio::query;
use crate::http::Request;

/// The request that began a session. A copy is cheap.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// Method, target, scheme with the note if there is one, and then name and value of each header, with a line end behind each.
    lines: Arc<str>,
    address: Address,
    issued: u64,
}

/// A client's address in half of the room that an `Option<SocketAddr>` takes, as long as the client has IPv4.
#[derive(Debug, Clone)]
enum Address {
    Unknown,
    V4(SocketAddrV4),
    /// As a listener for IPv4 and IPv6 sees it: `::ffff:a.b.c.d`.
    Mapped(SocketAddrV4),
    V6(Box<SocketAddrV6>),
}

impl From<Option<SocketAddr>> for Address {
    fn from(address: Option<SocketAddr>) -> Address {
        match address {
            None => Address::Unknown,
            Some(SocketAddr::V4(address)) => Address::V4(address),
            Some(SocketAddr::V6(address)) => match mapped(&address) {
                Some(address) => Address::Mapped(address),
                None => Address::V6(Box::new(address)),
            },
        }
    }
}

fn mapped(address: &SocketAddrV6) -> Option<SocketAddrV4> {
    let v4 = SocketAddrV4::new(address.ip().to_ipv4_mapped()?, address.port());
    (from_mapped(v4) == *address).then_some(v4)
}

fn from_mapped(address: SocketAddrV4) -> SocketAddrV6 {
    SocketAddrV6::new(address.ip().to_ipv6_mapped(), address.port(), 0, 0)
}

const HTTPS: &str = "https";

impl Handshake {
    pub(super) fn new(head: &Request, address: Option<SocketAddr>, secure: bool) -> Handshake {
        let scheme = if secure { HTTPS } else { "http" };
        let mut lines = match head.note {
            0 => format!("{}\n{}\n{scheme}\n", head.method, head.target),
            note => format!("{}\n{}\n{scheme} {note}\n", head.method, head.target),
        };
        // The key of a WebSocket's handshake says nothing, and would make each request another one.
        let headers = head.headers.iter().filter(|(name, _)| *name != SEC_WEBSOCKET_KEY);
        for (name, value) in headers {
            lines.push_str(name.as_str());
            lines.push('\n');
            match value.to_str() {
                Ok(text) => lines.push_str(text),
                // As Node reads headers; a value holds no line end.
                Err(_) => match std::str::from_utf8(value.as_bytes()) {
                    Ok(text) => lines.push_str(text),
                    Err(_) => lines.extend(value.as_bytes().iter().map(|byte| char::from(*byte))),
                },
            }
            lines.push('\n');
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Handshake {
            lines: shared(&lines),
            address: address.into(),
            issued: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// `GET`, as a rule.
    pub fn method(&self) -> &str {
        self.line(0)
    }

    /// The target as it was sent: path and query.
    pub fn url(&self) -> &str {
        self.line(1)
    }

    /// The query, decoded, in the order in which it was sent.
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.url().split_once('?').map_or("", |(_, query)| query);
        query::pairs(query)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect()
    }

    /// Names in lower case, and values; a name occurs as often as it was sent.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut lines = self.lines.split('\n').skip(3);
        std::iter::from_fn(move || {
            let name = lines.next().filter(|name| !name.is_empty())?;
            Some((name, lines.next()?))
        })
    }

    /// The first header with this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The client's address, or its proxy's; `None` on a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.address {
            Address::Unknown => None,
            Address::V4(address) => Some(SocketAddr::V4(*address)),
            Address::Mapped(address) => Some(SocketAddr::V6(from_mapped(*address))),
            Address::V6(address) => Some(SocketAddr::V6(**address)),
        }
    }

    /// Whether it came over TLS.
    pub fn secure(&self) -> bool {
        self.line(2).split(' ').next() == Some(HTTPS)
    }

    /// What the server of the process that has read the request knows it by ([`http::Request::note`](crate::http::Request::note));
    /// 0 if that was a listener of ours.
    pub fn note(&self) -> u64 {
        let note = self.line(2).split_once(' ').map(|(_, note)| note);
        note.and_then(|note| note.parse().ok()).unwrap_or(0)
    }

    /// Whether a page of another origin may have sent it: it has an Origin header (`xdomain`).
    pub fn xdomain(&self) -> bool {
        self.header("origin").is_some()
    }

    /// When it came: milliseconds since the beginning of 1970 (UTC).
    pub fn issued(&self) -> u64 {
        self.issued
    }

    fn line(&self, place: usize) -> &str {
        self.lines.split('\n').nth(place).unwrap_or_default()
    }
}

thread_local!(static LAST: RefCell<Option<Weak<str>>> = const { RefCell::new(None) });

/// The same text as that of the last request on this thread, if there is still a session that has it: programs that open
/// many connections say the same on each.
fn shared(lines: &str) -> Arc<str> {
    LAST.with_borrow_mut(|last| {
        let known = last
            .as_ref()
            .and_then(Weak::upgrade)
            .filter(|known| **known == *lines);
        known.unwrap_or_else(|| {
            let new: Arc<str> = lines.into();
            *last = Some(Arc::downgrade(&new));
            new
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Limits, parse_request};

    #[test]
    fn a_request_reads_back() {
        let text = b"GET /socket.io/?EIO=4&a=b%20c&a=d HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nEmpty:\r\nx-one: \xe9\r\n\r\n";
        let (head, _) = parse_request(text, &Limits::default()).unwrap().unwrap();
        let noted = Request {
            note: 7,
            ..head.clone()
        };
        let noted = Handshake::new(&noted, None, true);
        assert!(noted.secure() && noted.note() == 7 && noted.header("host") == Some("h"));
        let handshake = Handshake::new(&head, None, true);
        assert_eq!((handshake.method(), handshake.note()), ("GET", 0));
        assert_eq!(handshake.url(), "/socket.io/?EIO=4&a=b%20c&a=d");
        let query = [("EIO", "4"), ("a", "b c"), ("a", "d")];
        assert_eq!(
            handshake.query(),
            query.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        let headers: Vec<_> = handshake.headers().collect();
        assert_eq!(
            headers,
            [("host", "h"), ("x-one", "1"), ("x-one", "é"), ("empty", "")]
        );
        assert_eq!(handshake.header("X-ONE"), Some("1"));
        assert!(handshake.secure() && !handshake.xdomain() && handshake.issued() > 1_600_000_000_000);
        for text in [
            "",
            "1.2.3.4:5",
            "[::ffff:1.2.3.4]:5",
            "[::ffff:1.2.3.4%6]:5",
            "[fe80::1%7]:8",
        ] {
            let address = text.parse().ok();
            assert_eq!(address.is_some(), !text.is_empty());
            let handshake = Handshake::new(&head, address, false);
            assert_eq!((handshake.address(), handshake.secure()), (address, false));
        }
    }
}
