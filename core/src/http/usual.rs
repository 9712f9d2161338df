//! Requests of the usual kind, looked at where they lie: nothing of them is copied, and no list of their fields is made.
//!
//! Clients that poll send the same few lines again and again, and of those a server looks at a handful. What is read here is
//! read by [`parse_request`](super::parse_request) in the same way; whatever is out of the ordinary, wrong or incomplete is
//! left to it.

use super::Limits;
use super::head::TCHAR;
use super::request::AUTHORITY;

/// The first line of a request that may be one of these.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// The input, as far as a head may reach.
    window: &'a [u8],
    is_post: bool,
    target: &'a [u8],
    /// Where the fields begin.
    end: usize,
}

/// A GET, or a POST whose body's length is stated and which is there as a whole, over a connection that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsualRequest<'a> {
    /// POST; else GET.
    pub is_post: bool,
    /// Origin, if it was sent.
    pub origin: Option<&'a [u8]>,
    /// User-Agent; empty without.
    pub user_agent: &'a [u8],
    /// Content-Type; empty without.
    pub content_type: &'a [u8],
    /// Accept-Encoding; empty without.
    pub accept_encoding: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

/// What stands in a field that decides on how the request is read, once each.
#[derive(Default)]
struct Framing {
    has_host: bool,
    length: Option<usize>,
}

impl<'a> Line<'a> {
    /// The first line at the front of `input`, if it is a whole one, of GET or POST, in HTTP/1.1, with a path.
    pub(crate) fn of(input: &'a [u8], limits: &Limits) -> Option<Line<'a>> {
        let window = input.get(..limits.max_head).unwrap_or(input);
        let (is_post, begin) = match window {
            [b'G', b'E', b'T', b' ', b'/', ..] => (false, 4),
            [b'P', b'O', b'S', b'T', b' ', b'/', ..] => (true, 5),
            _ => return None,
        };
        let rest = window.get(begin..)?;
        let length = memchr::memchr(b' ', rest)?;
        let (target, behind) = rest.split_at(length);
        let is_plain = |byte: &u8| (*byte > b' ') & (*byte <= b'~') & (*byte != b'#');
        if !behind.starts_with(VERSION) || !each(target, is_plain) {
            return None;
        }
        Some(Line {
            window,
            is_post,
            target,
            end: begin + length + VERSION.len(),
        })
    }

    /// Path and query, still percent-encoded: visible ASCII.
    pub(crate) fn target(&self) -> &'a [u8] {
        self.target
    }

    /// The path alone.
    pub(crate) fn path(&self) -> &'a str {
        let end = memchr::memchr(b'?', self.target).unwrap_or(self.target.len());
        let path = self.target.get(..end).unwrap_or_default();
        std::str::from_utf8(path).unwrap_or_default() // it is ASCII
    }

    /// The request, and its length with its body. `input` is what the line was read from.
    pub(crate) fn read(self, input: &'a [u8], limits: &Limits) -> Option<(UsualRequest<'a>, usize)> {
        let mut request = UsualRequest {
            is_post: self.is_post,
            ..UsualRequest::default()
        };
        let mut framing = Framing::default();
        let mut at = self.end;
        for count in 0.. {
            let rest = self.window.get(at..)?;
            let length = memchr::memchr(b'\n', rest)?;
            let line = rest.get(..length)?.strip_suffix(b"\r")?;
            at += length + 1;
            if line.is_empty() {
                break;
            }
            if count == limits.max_headers {
                return None;
            }
            let (name, value) = field(line)?;
            request.note(name, value, &mut framing)?;
        }
        let length = framing.length.unwrap_or_default();
        if !framing.has_host || (length > 0 && !self.is_post) || length as u64 > limits.max_body {
            return None;
        }
        request.body = input.get(at..)?.get(..length)?;
        Some((request, at + length))
    }
}

const VERSION: &[u8] = b" HTTP/1.1\r\n";

/// Name and value of a field's line.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| !TCHAR[usize::from(*byte)])?;
    let (name, behind) = line.split_at(colon);
    let value = behind.strip_prefix(b":")?;
    let is_plain = |byte: &u8| (*byte >= b' ') & (*byte <= b'~');
    (!name.is_empty() && each(value, is_plain)).then(|| (name, value.trim_ascii()))
}

/// Whether all bytes are so: without an early end, so that many are looked at together.
fn each(bytes: &[u8], is_so: impl Fn(&u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, byte| all & is_so(byte))
}

impl<'a> UsualRequest<'a> {
    /// Takes what is of interest; `None` for what needs the longer way.
    fn note(&mut self, name: &[u8], value: &'a [u8], framing: &mut Framing) -> Option<()> {
        // Most fields are of no interest, which their length tells.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                let is_fine = each(value, |byte| AUTHORITY[usize::from(*byte)]);
                (is_fine && !std::mem::replace(&mut framing.has_host, true)).then_some(())
            }
            6 if name.eq_ignore_ascii_case(b"origin") => match self.origin.replace(value) {
                None => Some(()),
                Some(_) => None,
            },
            6 if name.eq_ignore_ascii_case(b"expect") => None,
            7 if name.eq_ignore_ascii_case(b"upgrade") => None,
            10 if name.eq_ignore_ascii_case(b"connection") => {
                value.eq_ignore_ascii_case(b"keep-alive").then_some(())
            }
            10 if name.eq_ignore_ascii_case(b"user-agent") => first(&mut self.user_agent, value),
            12 if name.eq_ignore_ascii_case(b"content-type") => first(&mut self.content_type, value),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                match framing.length.replace(number(value)?) {
                    None => Some(()),
                    Some(_) => None,
                }
            }
            15 if name.eq_ignore_ascii_case(b"accept-encoding") => first(&mut self.accept_encoding, value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => None,
            _ => Some(()),
        }
    }
}

fn first<'a>(place: &mut &'a [u8], value: &'a [u8]) -> Option<()> {
    (place.is_empty() && !value.is_empty()).then(|| *place = value)
}

/// Digits only, and so few that they always fit.
fn number(digits: &[u8]) -> Option<usize> {
    let is_fine = (1..10).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_fine.then(|| {
        digits
            .iter()
            .fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{BodyDecoder, Request, parse_request};

    fn limits() -> Limits {
        Limits {
            max_head: 400,
            max_headers: 6,
            max_body: 20,
        }
    }

    fn usual(input: &[u8]) -> Option<(UsualRequest<'_>, usize)> {
        Line::of(input, &limits())?.read(input, &limits())
    }

    const POST: &str = "POST /socket.io/?EIO=4&sid=a HTTP/1.1\r\nHost: h:1\r\nContent-Type: text/plain;charset=UTF-8\r\n\
                        Origin: http://a\r\nuser-agent: x\r\nContent-Length: 3\r\n\r\n4ab";

    #[test]
    fn what_clients_that_poll_send() {
        let post = POST.replace(": x\r", ":  Mozilla/5.0 (x) \r");
        let (request, length) = usual(post.as_bytes()).unwrap();
        let expected = UsualRequest {
            is_post: true,
            origin: Some(b"http://a"),
            user_agent: b"Mozilla/5.0 (x)",
            content_type: b"text/plain;charset=UTF-8",
            accept_encoding: b"",
            body: b"4ab",
        };
        assert_eq!((request, length), (expected, post.len()));
        let get =
            "GET /a HTTP/1.1\r\nHOST: \r\nConnection: Keep-Alive\r\naccept-encoding: gzip, br\r\n\r\nGET /b";
        let (request, length) = usual(get.as_bytes()).unwrap();
        assert_eq!((request.is_post, request.body), (false, &b""[..]));
        assert_eq!(request.accept_encoding, b"gzip, br");
        assert_eq!(length, get.len() - "GET /b".len());
        assert_eq!(Line::of(get.as_bytes(), &limits()).unwrap().path(), "/a");
        assert_eq!(
            Line::of(post.as_bytes(), &limits()).unwrap().path(),
            "/socket.io/"
        );
    }

    #[test]
    fn what_is_left_to_others() {
        let with = |lines: &str| format!("POST /a HTTP/1.1\r\nHost: h\r\n{lines}\r\n4ab and more");
        for lines in [
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length:\r\n",
            "Content-Length: :\r\n", // behind the 9
            "Content-Length: 13\r\n",
            "Content-Length: 21\r\n",
            "Content-Length: 0000000003\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Expect: 100-continue\r\n",
            "Upgrade: websocket\r\n",
            "Connection: close\r\n",
            "Connection: keep-alive, x\r\n",
            "Host: h\r\n",
            "Origin: a\r\nOrigin: b\r\n",
            "User-Agent: a\r\nUser-Agent: b\r\n",
            "User-Agent:\r\nUser-Agent: b\r\n",
            "X: a\tb\r\n",
            "X: \u{e9}\r\n",
            "X: \x7f\r\n",
            "X : a\r\n",
            ": a\r\n",
            "X\r\n",
            "X: a\n",
            " X: a\r\n",
            "A: a\r\nB: b\r\nC: c\r\nD: d\r\nE: e\r\nF: f\r\n",
        ] {
            assert_eq!(usual(with(lines).as_bytes()), None, "{lines:?}");
        }
        for head in [
            "",
            "GET",
            "GET /a HTTP/1.1\r\n",
            "GET /a HTTP/1.1\r\nHost: h\r\n",
            "GET /a HTTP/1.1\r\n\r\n",
            "GET /a HTTP/1.0\r\nHost: h\r\n\r\n",
            "GET /a  HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /a HTTP/1.1\nHost: h\r\n\r\n",
            "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: h/\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na",
            "PUT /a HTTP/1.1\r\nHost: h\r\n\r\n",
            "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n",
        ] {
            assert_eq!(usual(head.as_bytes()), None, "{head:?}");
        }
        let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(390));
        assert_eq!(usual(long.as_bytes()), None);
    }

    /// What the general reader says of a request that was taken.
    #[track_caller]
    fn check(input: &[u8]) -> bool {
        let Some((usual, length)) = usual(input) else {
            return false;
        };
        let read = parse_request(input, &limits());
        let Ok(Some((request, head))) = read else {
            panic!("{read:?} of {}", input.escape_ascii())
        };
        let text = |name: &str| request.headers.get(name).map(|value| value.as_bytes());
        assert_eq!(
            request.method.as_str(),
            if usual.is_post { "POST" } else { "GET" }
        );
        assert_eq!(
            request.target.as_bytes(),
            Line::of(input, &limits()).unwrap().target()
        );
        assert_eq!(text("origin"), usual.origin);
        for (name, value) in [
            ("user-agent", usual.user_agent),
            ("content-type", usual.content_type),
            ("accept-encoding", usual.accept_encoding),
        ] {
            assert_eq!(text(name).unwrap_or_default(), value, "{name}");
        }
        assert!(request.keep_alive() && !request.expects_continue());
        assert!(!crate::ws::handshake::is_upgrade(&request));
        assert_eq!(body(&request, &input[head..]), (usual.body, length - head));
        true
    }

    fn body<'a>(request: &Request, input: &'a [u8]) -> (&'a [u8], usize) {
        let mut decoder = BodyDecoder::for_request(request, &limits()).unwrap();
        let decoded = decoder.decode(input).unwrap();
        assert!(decoded.done);
        (decoded.data, decoded.consumed)
    }

    /// Each byte of a few requests is exchanged for each of all bytes, left out, and doubled.
    #[test]
    fn both_readers_say_the_same() {
        let mut taken = 0;
        for request in [
            POST.to_owned(),
            POST.replace("Origin: http://a", "Connection: keep-alive"),
            "GET /a?b HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nX-Y: z\r\n\r\n".to_owned(),
        ] {
            let bytes = request.as_bytes();
            for at in 0..bytes.len() {
                let mut other = bytes.to_vec();
                for byte in 0..=u8::MAX {
                    other[at] = byte;
                    taken += usize::from(check(&other));
                }
                let (before, behind) = bytes.split_at(at);
                let without = [before, &behind[1..]].concat();
                let doubled = [before, &behind[..1], behind].concat();
                taken += usize::from(check(&without)) + usize::from(check(&doubled));
                assert!(!check(before), "it was incomplete");
            }
        }
        assert!(taken > 10_000, "{taken}");
    }
}
