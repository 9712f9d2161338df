//! The way through a proxy, byte by byte, for both kinds; and the HTTP one, which is short.

use core::net::IpAddr;

use data_encoding::BASE64;

use super::socks5::Socks5;
use super::{Credentials, Kind, ProxyUrl};
use crate::http::{Framing, Limits, encode_request, parse_response};

/// Where the proxy is to lead.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// A name or an address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The address, where the name was looked up here.
    pub(crate) address: Option<IpAddr>,
}

/// Why a proxy did not let us through.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What it did, as a sentence whose subject is the proxy.
    pub(crate) text: String,
    /// The status that it answered.
    pub(crate) status: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// How much of the input was the proxy's.
    pub(crate) consumed: usize,
    /// The way is free; what follows in the input is the host's.
    pub(crate) done: bool,
}

/// What has been said to a proxy, and what is awaited.
#[derive(Debug)]
pub(crate) enum Tunnel {
    Http(HttpConnect),
    Socks5(Socks5),
}

impl Tunnel {
    /// Appends what is said first to `out`.
    pub(crate) fn begin(proxy: &ProxyUrl, target: Target, out: &mut Vec<u8>) -> Result<Tunnel, Failure> {
        let credentials = proxy.credentials.clone();
        match proxy.kind {
            Kind::Http { .. } => HttpConnect::begin(credentials.as_ref(), &target, out).map(Tunnel::Http),
            Kind::Socks5 { .. } => Socks5::begin(credentials, target, out).map(Tunnel::Socks5),
        }
    }

    /// Takes what the proxy sends; appends what it is answered to `out`. Call again with what is not consumed.
    pub(crate) fn receive(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Progress, Failure> {
        match self {
            Tunnel::Http(http) => http.receive(input),
            Tunnel::Socks5(socks) => socks.receive(input, out),
        }
    }
}

impl Failure {
    pub(super) fn new(text: impl Into<String>) -> Failure {
        Failure {
            text: text.into(),
            status: None,
        }
    }
}

/// RFC 9110 §9.3.6.
#[derive(Debug)]
pub(crate) struct HttpConnect {
    /// The response's head, as far as it has come.
    head: Vec<u8>,
}

impl HttpConnect {
    fn begin(
        credentials: Option<&Credentials>,
        target: &Target,
        out: &mut Vec<u8>,
    ) -> Result<HttpConnect, Failure> {
        let host = match target.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => target.host.clone(),
        };
        let authority = format!("{host}:{}", target.port);
        let mut headers = vec![("Host", authority.clone())];
        if let Some(Credentials { user, password }) = credentials {
            let pair = [user.as_slice(), b":", password].concat();
            headers.push(("Proxy-Authorization", format!("Basic {}", BASE64.encode(&pair))));
        }
        encode_request("CONNECT", &authority, &headers, Framing::None, out)
            .map_err(|error| Failure::new(format!("can't be asked: {error}")))?;
        Ok(HttpConnect { head: Vec::new() })
    }

    fn receive(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        let before = self.head.len();
        self.head.extend_from_slice(input);
        let mut start = 0;
        loop {
            let rest = self.head.get(start..).unwrap_or_default();
            let parsed = parse_response(rest, &Limits::default())
                .map_err(|error| Failure::new(format!("sent no valid HTTP answer: {error}")))?;
            let Some((response, length)) = parsed else {
                self.head.drain(..start);
                return Ok(Progress {
                    consumed: input.len(),
                    done: false,
                });
            };
            start += length;
            match response.status {
                // RFC 9110 §9.3.6: after any 2xx the tunnel begins right behind the head, whatever its fields say.
                200..300 => {
                    return Ok(Progress {
                        consumed: start - before,
                        done: true,
                    });
                }
                100..200 => {}
                status => {
                    let hint = match status {
                        407 => "; give user and password in the proxy's URL",
                        _ => "",
                    };
                    return Err(Failure {
                        text: format!("answered {status} {}{hint}", response.reason),
                        status: Some(status),
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(proxy: &str, host: &str) -> (Tunnel, String) {
        let proxy = ProxyUrl::parse(proxy, "the test").unwrap();
        let target = Target {
            host: host.to_owned(),
            port: 80,
            address: None,
        };
        let mut out = Vec::new();
        let tunnel = Tunnel::begin(&proxy, target, &mut out).unwrap();
        (tunnel, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_request_names_the_host_with_its_port_and_the_credentials() {
        let (_, request) = begin("http://p", "example.test");
        assert_eq!(
            request,
            "CONNECT example.test:80 HTTP/1.1\r\nHost: example.test:80\r\n\r\n"
        );
        let (_, request) = begin("http://me:pass@p", "::1");
        assert_eq!(
            request,
            "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\nProxy-Authorization: Basic bWU6cGFzcw==\r\n\r\n"
        );
    }

    #[test]
    fn the_answer_may_come_in_pieces_and_with_the_hosts_first_bytes() {
        let interim = "HTTP/1.1 100 Continue\r\n\r\n";
        let answer = format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        for cut in 0..=answer.len() {
            let (mut tunnel, _) = begin("http://p", "h");
            let all = format!("{answer}host");
            let (first, second) = all.split_at(cut);
            let progress = tunnel.receive(first.as_bytes(), &mut Vec::new()).unwrap();
            if cut == answer.len() {
                assert_eq!(
                    progress,
                    Progress {
                        consumed: cut,
                        done: true
                    }
                );
                continue;
            }
            assert_eq!(
                progress,
                Progress {
                    consumed: cut,
                    done: false
                }
            );
            let progress = tunnel.receive(second.as_bytes(), &mut Vec::new()).unwrap();
            assert_eq!(
                progress,
                Progress {
                    consumed: answer.len() - cut,
                    done: true
                },
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_refusal_has_its_status_and_says_what_to_do() {
        let (mut tunnel, _) = begin("http://p", "h");
        let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
        let failure = tunnel.receive(answer, &mut Vec::new()).unwrap_err();
        assert_eq!(failure.status, Some(407));
        assert!(
            failure
                .text
                .contains("answered 407 Proxy Authentication Required; give user"),
            "{failure:?}"
        );
        let (mut tunnel, _) = begin("http://p", "h");
        assert!(tunnel.receive(b"\x05\x00\r\n\r\n", &mut Vec::new()).is_err());
        let (mut tunnel, _) = begin("http://p", "h");
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'x'; 17 << 10]].concat();
        assert!(tunnel.receive(&endless, &mut Vec::new()).is_err());
    }
}
