//! SOCKS5: the greeting, the password where it is asked for, and the request to connect (RFC 1928, RFC 1929).

use core::net::IpAddr;

use super::Credentials;
use super::tunnel::{Failure, Progress, Target};

const VERSION: u8 = 5;
/// RFC 1929 §2: the version of the exchange of user and password.
const AUTH_VERSION: u8 = 1;
const NO_AUTH: u8 = 0;
const PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const DOMAIN: u8 = 3;
const IPV6: u8 = 4;
/// RFC 1928 §5 has one byte for the length of a name.
const MAX_NAME: usize = 255;

#[derive(Debug)]
pub(crate) struct Socks5 {
    credentials: Option<Credentials>,
    target: Target,
    awaited: Awaited,
    /// The proxy's answer, as far as it has come.
    answer: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Method,
    Verdict,
    Reply,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

impl Socks5 {
    pub(super) fn begin(
        credentials: Option<Credentials>,
        target: Target,
        out: &mut Vec<u8>,
    ) -> Result<Socks5, Failure> {
        if target.host.len() > MAX_NAME {
            return Err(Failure::new(format!("takes no name of over {MAX_NAME} bytes")));
        }
        // RFC 1928 §3: version, how many methods, and which.
        match credentials {
            Some(_) => out.extend([VERSION, 2, NO_AUTH, PASSWORD]),
            None => out.extend([VERSION, 1, NO_AUTH]),
        }
        Ok(Socks5 {
            credentials,
            target,
            awaited: Awaited::Method,
            answer: Vec::new(),
        })
    }

    pub(super) fn receive(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Progress, Failure> {
        let mut consumed = 0;
        for byte in input {
            consumed += 1;
            self.answer.push(*byte);
            if self.answer.len() < self.length()? {
                continue;
            }
            let answer = std::mem::take(&mut self.answer);
            if self.judge(&answer, out)? {
                return Ok(Progress { consumed, done: true });
            }
        }
        Ok(Progress {
            consumed,
            done: false,
        })
    }

    /// How long the answer is, as far as that can be told.
    fn length(&self) -> Result<usize, Failure> {
        if self.awaited != Awaited::Reply {
            return Ok(2);
        }
        // RFC 1928 §6: version, reply, reserved, type of address, address, port. Only a success has to be whole.
        match self.answer.as_slice() {
            [_, reply, ..] if *reply != 0 => Ok(2),
            [_, _, _, IPV4, ..] => Ok(4 + 4 + 2),
            [_, _, _, IPV6, ..] => Ok(4 + 16 + 2),
            [_, _, _, DOMAIN, length, ..] => Ok(4 + 1 + usize::from(*length) + 2),
            [_, _, _, kind, ..] if *kind != DOMAIN => Err(Failure::new(format!(
                "answered with an address of unknown type {kind}"
            ))),
            _ => Ok(5),
        }
    }

    /// Whether the way is free.
    fn judge(&mut self, answer: &[u8], out: &mut Vec<u8>) -> Result<bool, Failure> {
        let (version, verdict) = match answer {
            [version, verdict, ..] => (*version, *verdict),
            _ => return Ok(false), // `length` asks for two bytes at least
        };
        let expected = if self.awaited == Awaited::Verdict {
            AUTH_VERSION
        } else {
            VERSION
        };
        if version != expected {
            return Err(Failure::new("doesn't speak SOCKS5"));
        }
        match self.awaited {
            Awaited::Method => self.method_chosen(verdict, out)?,
            Awaited::Verdict if verdict != 0 => {
                return Err(Failure::new("refused the user and password of its URL"));
            }
            Awaited::Verdict => self.ask(out),
            Awaited::Reply if verdict != 0 => {
                return Err(Failure::new(format!("answered: {}", reply_text(verdict))));
            }
            Awaited::Reply => return Ok(true),
        }
        Ok(false)
    }

    fn method_chosen(&mut self, method: u8, out: &mut Vec<u8>) -> Result<(), Failure> {
        match (method, &self.credentials) {
            (NO_AUTH, _) => self.ask(out),
            (PASSWORD, Some(credentials)) => {
                // Lengths fit: the proxy's URL was checked for that.
                out.extend([AUTH_VERSION, credentials.user.len() as u8]);
                out.extend_from_slice(&credentials.user);
                out.push(credentials.password.len() as u8);
                out.extend_from_slice(&credentials.password);
                self.awaited = Awaited::Verdict;
            }
            (NONE_ACCEPTABLE, None) => {
                return Err(Failure::new(
                    "wants to know who asks; give user and password in the proxy's URL",
                ));
            }
            _ => return Err(Failure::new("takes neither a user and password nor none")),
        }
        Ok(())
    }

    /// RFC 1928 §4.
    fn ask(&mut self, out: &mut Vec<u8>) {
        out.extend([VERSION, CONNECT, 0]);
        let address = self.target.address.or_else(|| self.target.host.parse().ok());
        match address {
            Some(IpAddr::V4(address)) => {
                out.push(IPV4);
                out.extend_from_slice(&address.octets());
            }
            Some(IpAddr::V6(address)) => {
                out.push(IPV6);
                out.extend_from_slice(&address.octets());
            }
            None => {
                out.extend([DOMAIN, self.target.host.len() as u8]); // `begin` has checked the length
                out.extend_from_slice(self.target.host.as_bytes());
            }
        }
        out.extend_from_slice(&self.target.port.to_be_bytes());
        self.awaited = Awaited::Reply;
    }
}

/// RFC 1928 §6.
fn reply_text(reply: u8) -> String {
    let text = match reply {
        1 => "it failed",
        2 => "not allowed by its rules",
        3 => "the network can't be reached",
        4 => "the host can't be reached",
        5 => "the host refused the connection",
        6 => "the way was too long (TTL expired)",
        7 => "it doesn't know how to connect",
        8 => "it doesn't know addresses of this type",
        other => return format!("failure {other}"),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str) -> Target {
        Target {
            host: host.to_owned(),
            port: 0x1234,
            address: None,
        }
    }

    fn credentials() -> Option<Credentials> {
        Some(Credentials {
            user: b"me".to_vec(),
            password: b"pw".to_vec(),
        })
    }

    /// Feeds the answers byte by byte; what was said after each, and how it ended.
    fn talk(
        credentials: Option<Credentials>,
        target: Target,
        answers: &[&[u8]],
    ) -> (Vec<Vec<u8>>, Result<bool, Failure>) {
        let mut out = Vec::new();
        let mut socks = Socks5::begin(credentials, target, &mut out).unwrap();
        let mut said = vec![std::mem::take(&mut out)];
        let mut done = false;
        for byte in answers.concat() {
            assert!(!done, "more than it takes");
            match socks.receive(&[byte], &mut out) {
                Ok(progress) => done = progress.done,
                Err(failure) => return (said, Err(failure)),
            }
            if !out.is_empty() {
                said.push(std::mem::take(&mut out));
            }
        }
        (said, Ok(done))
    }

    const GRANTED: &[u8] = &[5, 0, 0, IPV4, 1, 2, 3, 4, 0, 80];

    #[test]
    fn a_name_goes_to_the_proxy_as_a_name() {
        let (said, done) = talk(None, target("host"), &[&[5, 0], GRANTED]);
        assert_eq!(
            said,
            [vec![5, 1, 0], b"\x05\x01\x00\x03\x04host\x12\x34".to_vec()]
        );
        assert_eq!(done, Ok(true));
    }

    #[test]
    fn user_and_password_are_given_when_asked_for() {
        let (said, done) = talk(credentials(), target("9.8.7.6"), &[&[5, 2], &[1, 0], GRANTED]);
        assert_eq!(
            said,
            [
                vec![5, 2, 0, 2],
                b"\x01\x02me\x02pw".to_vec(),
                vec![5, 1, 0, 1, 9, 8, 7, 6, 0x12, 0x34]
            ]
        );
        assert_eq!(done, Ok(true));
        let (said, done) = talk(credentials(), target("h"), &[&[5, 0], GRANTED]);
        assert_eq!((said.len(), done), (2, Ok(true)), "and not when not");
    }

    #[test]
    fn an_address_that_was_looked_up_here_goes_as_an_address() {
        let mut target = target("host");
        target.address = Some("::1".parse().unwrap());
        let (said, _) = talk(None, target, &[&[5, 0]]);
        assert_eq!(said[1][3], IPV6);
        assert_eq!(said[1].len(), 4 + 16 + 2);
    }

    #[test]
    fn the_reply_ends_where_its_address_does() {
        let v6 = [&[5, 0, 0, IPV6][..], &[0; 18]].concat();
        let name = [&[5, 0, 0, DOMAIN, 3][..], b"abc", &[0, 1]].concat();
        let empty = [5, 0, 0, DOMAIN, 0, 0, 1];
        for reply in [GRANTED, &v6, &name, &empty] {
            assert_eq!(
                talk(None, target("h"), &[&[5, 0], reply]).1,
                Ok(true),
                "{reply:?}"
            );
        }
        let mut out = Vec::new();
        let mut socks = Socks5::begin(None, target("h"), &mut out).unwrap();
        let all = [&[5, 0][..], GRANTED, b"more"].concat();
        let progress = socks.receive(&all, &mut out).unwrap();
        assert_eq!(
            progress,
            Progress {
                consumed: all.len() - 4,
                done: true
            }
        );
    }

    #[test]
    fn refusals_say_why() {
        let failed =
            |credentials, answers: &[&[u8]]| talk(credentials, target("h"), answers).1.unwrap_err().text;
        assert!(failed(None, &[&[5, 0], &[5, 5, 0, 1]]).contains("refused the connection"));
        assert!(failed(None, &[&[5, 0], &[5, 99]]).contains("failure 99"));
        assert!(failed(None, &[&[5, 0xff]]).contains("give user and password"));
        assert!(failed(None, &[&[5, 2]]).contains("neither"));
        assert!(failed(credentials(), &[&[5, 0xff]]).contains("neither"));
        assert!(failed(credentials(), &[&[5, 2], &[1, 1]]).contains("refused the user and password"));
        assert!(failed(None, &[b"HT"]).contains("doesn't speak SOCKS5"));
        assert!(failed(None, &[&[5, 0], &[5, 0, 0, 9]]).contains("unknown type 9"));
        assert!(Socks5::begin(None, target(&"x".repeat(256)), &mut Vec::new()).is_err());
    }
}
