//! What nodes say to each other about requests: arrays in MessagePack.
//!
//! | message | elements |
//! |---|---|
//! | any | version (1), kind, … |
//! | request (1) | …, tag of the sender, number of the request, method, target, headers, body, address or nil, secure |
//! | answer (2) | …, number of the request, status, headers, body |
//! | cut (3) | …, tag of the sender, number of the request |
//!
//! Tags, methods, targets, names of headers and addresses are strings; bodies and values of headers are bytes; headers are an
//! array in which names and values take turns. Elements behind these are not looked at.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use super::super::values::{Items, Pack, Value};
use crate::engineio::Tag;
use crate::http::Request;
use crate::route::{HttpAnswer, HttpRequest};
use crate::socketio::ParseError;

const VERSION: u64 = 1;
const REQUEST: u64 = 1;
const ANSWER: u64 = 2;
const CUT: u64 = 3;

/// A message that has come.
#[derive(Debug)]
pub(super) enum Message {
    /// A client's request, for a session of the node that gets this.
    Request(Box<Forwarded>),
    /// The answer to one.
    Answer { id: u64, answer: HttpAnswer },
    /// The client of one has gone.
    Cut { from: Tag, id: u64 },
}

/// A request that another node has read.
#[derive(Debug)]
pub(super) struct Forwarded {
    pub(super) from: Tag,
    pub(super) id: u64,
    pub(super) head: Request,
    pub(super) body: Vec<u8>,
    pub(super) remote: Option<SocketAddr>,
    pub(super) secure: bool,
}

pub(super) fn request(from: Tag, request: &HttpRequest) -> Vec<u8> {
    let HttpRequest { head, body, .. } = request;
    let mut pack = begin(10, REQUEST, 512 + body.len());
    pack.str(from.as_str()).number(request.exchange.id());
    pack.str(head.method.as_str()).str(&head.target);
    pack.array(2 * head.headers.len());
    for (name, value) in &head.headers {
        pack.str(name.as_str()).bin(value.as_bytes());
    }
    pack.bin(body);
    match request.remote {
        Some(address) => pack.str(&address.to_string()),
        None => pack.nil(),
    };
    pack.bool(request.secure);
    pack.finish()
}

pub(super) fn answer(id: u64, answer: &HttpAnswer) -> Vec<u8> {
    let mut pack = begin(6, ANSWER, 256 + answer.body.len());
    pack.number(id).number(answer.status.into());
    pack.array(2 * answer.headers.len());
    for (name, value) in &answer.headers {
        pack.str(name).bin(value.as_bytes());
    }
    pack.bin(&answer.body);
    pack.finish()
}

pub(super) fn cut(from: Tag, id: u64) -> Vec<u8> {
    let mut pack = begin(4, CUT, 32);
    pack.str(from.as_str()).number(id);
    pack.finish()
}

fn begin(elements: usize, kind: u64, capacity: usize) -> Pack {
    let mut pack = Pack::with_capacity(capacity);
    pack.array(elements).number(VERSION).number(kind);
    pack
}

impl Message {
    /// Reads a message, all of it, from whomever it is.
    ///
    /// # Errors
    /// It is none, or one of a version that isn't known here.
    pub(super) fn read(payload: &[u8]) -> Result<Message, ParseError> {
        let mut elements = Elements(Value::Msgpack(payload).items()?);
        if elements.number()? != VERSION {
            return Err(ParseError::Payload);
        }
        match elements.number()? {
            REQUEST => Ok(Message::Request(Box::new(elements.request()?))),
            ANSWER => Ok(Message::Answer {
                id: elements.number()?,
                answer: elements.answer()?,
            }),
            CUT => Ok(Message::Cut {
                from: elements.tag()?,
                id: elements.number()?,
            }),
            _ => Err(ParseError::Payload),
        }
    }
}

/// What is left of a message.
struct Elements<'a>(Items<'a>);

impl<'a> Elements<'a> {
    fn next(&mut self) -> Result<Value<'a>, ParseError> {
        self.0.next().unwrap_or(Err(ParseError::Payload))
    }

    fn get<T>(&mut self, read: impl FnOnce(Value<'a>) -> Option<T>) -> Result<T, ParseError> {
        read(self.next()?).ok_or(ParseError::Payload)
    }

    fn number(&mut self) -> Result<u64, ParseError> {
        self.get(Value::number)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, ParseError> {
        self.get(|value| value.bytes().map(<[u8]>::to_vec))
    }

    fn tag(&mut self) -> Result<Tag, ParseError> {
        self.get(|value| Tag::parse(&value.string()?))
    }

    fn request(&mut self) -> Result<Forwarded, ParseError> {
        Ok(Forwarded {
            from: self.tag()?,
            id: self.number()?,
            head: Request {
                method: self.get(|value| Method::from_bytes(value.string()?.as_bytes()).ok())?,
                target: self.get(target)?,
                version: Version::HTTP_11,
                headers: self.headers()?,
                note: 0,
            },
            body: self.bytes()?,
            remote: self.get(address)?,
            secure: self.get(Value::bool)?,
        })
    }

    fn answer(&mut self) -> Result<HttpAnswer, ParseError> {
        Ok(HttpAnswer {
            status: self.get(|value| u16::try_from(value.number()?).ok())?,
            headers: self.lines()?,
            body: self.bytes()?,
        })
    }

    fn headers(&mut self) -> Result<HeaderMap, ParseError> {
        let (mut headers, mut pairs) = (HeaderMap::new(), self.pairs()?);
        while let Some((name, value)) = pairs.next_pair()? {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| ParseError::Payload)?;
            let value = HeaderValue::from_bytes(value).map_err(|_| ParseError::Payload)?;
            headers.try_append(name, value).map_err(|_| ParseError::Payload)?;
        }
        Ok(headers)
    }

    /// Headers of an answer. Who writes them looks at what is in them.
    fn lines(&mut self) -> Result<Vec<(String, String)>, ParseError> {
        let (mut lines, mut pairs) = (Vec::new(), self.pairs()?);
        while let Some((name, value)) = pairs.next_pair()? {
            let value = std::str::from_utf8(value).map_err(|_| ParseError::Payload)?;
            lines.push((name, value.to_owned()));
        }
        Ok(lines)
    }

    fn pairs(&mut self) -> Result<Elements<'a>, ParseError> {
        Ok(Elements(self.next()?.items()?))
    }

    fn next_pair(&mut self) -> Result<Option<(String, &'a [u8])>, ParseError> {
        let Some(name) = self.0.next() else {
            return Ok(None);
        };
        let name = name?.string().ok_or(ParseError::Payload)?.into_owned();
        Ok(Some((name, self.get(Value::bytes)?)))
    }
}

/// As the reader of requests takes it: without spaces, line ends and the like.
fn target(value: Value<'_>) -> Option<String> {
    let text = value.string()?;
    let is_fine = !text.is_empty() && text.bytes().all(|byte| byte > b' ' && byte != 0x7f);
    is_fine.then(|| text.into_owned())
}

/// An address, or none.
fn address(value: Value<'_>) -> Option<Option<SocketAddr>> {
    match value.string() {
        Some(text) => text.parse().ok().map(Some),
        None => value.is_nil().then_some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Limits, parse_request};
    use crate::route::Exchange;

    fn tag() -> Tag {
        Tag::parse("ab-_09").unwrap()
    }

    fn sample(remote: &str) -> HttpRequest {
        let text =
            b"POST /socket.io/?EIO=4&sid=x HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-A: \xe9\r\nEmpty:\r\n\r\n";
        let (head, _) = parse_request(text, &Limits::default()).unwrap().unwrap();
        HttpRequest {
            head,
            body: b"4\0\xff".to_vec(),
            remote: remote.parse().ok(),
            secure: true,
            exchange: Exchange::foreign(Box::new(drop)),
        }
    }

    #[test]
    fn requests_read_back() {
        for remote in ["1.2.3.4:5", "[fe80::1%7]:8", ""] {
            let sent = sample(remote);
            let Ok(Message::Request(read)) = Message::read(&request(tag(), &sent)) else {
                panic!("it is a request");
            };
            assert_eq!((read.from, read.id), (tag(), sent.exchange.id()));
            assert_eq!((&read.head, &read.body), (&sent.head, &sent.body));
            assert_eq!((read.remote, read.secure), (sent.remote, true));
            assert_eq!(read.remote.is_some(), !remote.is_empty());
        }
    }

    #[test]
    fn answers_and_cuts_read_back() {
        let sent = HttpAnswer {
            status: 200,
            headers: vec![("A".into(), "é".into()), ("A".into(), "".into())],
            body: vec![0, 255],
        };
        let Ok(Message::Answer { id, answer }) = Message::read(&answer(1 << 52, &sent)) else {
            panic!("it is an answer");
        };
        assert_eq!((id, answer), (1 << 52, sent));
        let Ok(Message::Cut { from, id }) = Message::read(&cut(tag(), 7)) else {
            panic!("it is a cut");
        };
        assert_eq!((from, id), (tag(), 7));
    }

    #[test]
    fn what_is_cut_off_or_changed_is_no_message_and_never_a_panic() {
        let messages = [
            request(tag(), &sample("1.2.3.4:5")),
            answer(3, &HttpAnswer::new(200)),
            cut(tag(), 7),
        ];
        for message in messages {
            for length in 0..message.len() {
                assert!(Message::read(&message[..length]).is_err(), "{length}");
            }
            for place in 0..message.len() {
                for bit in 0..8 {
                    let mut changed = message.clone();
                    changed[place] ^= 1 << bit;
                    let _ = Message::read(&changed);
                }
            }
            let mut newer = message;
            newer[1] = 2;
            assert!(Message::read(&newer).is_err());
        }
    }

    #[test]
    fn what_a_client_could_not_have_sent_is_refused() {
        let with = |change: &dyn Fn(&mut HttpRequest)| {
            let mut sent = sample("");
            change(&mut sent);
            Message::read(&request(tag(), &sent))
        };
        assert!(with(&|_| ()).is_ok());
        for target in ["", "/a b", "/a\nb", "/\u{7f}"] {
            assert!(
                with(&|sent| sent.head.target = target.to_owned()).is_err(),
                "{target}"
            );
        }
        let mut pack = begin(10, REQUEST, 0);
        pack.str(tag().as_str()).number(1).str("GET").str("/");
        pack.array(2)
            .str("a")
            .bin(b"b\r\nc: d")
            .bin(b"")
            .nil()
            .bool(false);
        assert!(Message::read(&pack.finish()).is_err());
    }
}
