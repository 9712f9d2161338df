//! Message bodies (RFC 9112 §6 and §7): how long one is, and the chunked coding.

use ::http::{HeaderMap, Method, Version, header};

use super::response::is_bodiless;
use super::{Error, Limits, Request, Response, has_token, tokens};

/// How the body of a message that we write is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No framing is stated. A request has no body then; the body of a response ends with the connection.
    None,
    /// Content-Length, in bytes.
    Length(u64),
    /// Transfer-Encoding: chunked. Write each piece with [`encode_chunk`] and end with [`encode_last_chunk`].
    Chunked,
}

/// Takes the framing off a body while it arrives; it buffers nothing.
///
/// After an error the connection has to be closed: where the next message begins is unknown.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    /// Body bytes that may still come.
    allowed: u64,
    /// Bytes of chunk extensions and trailers that may still come: they are read and dropped.
    overhead: usize,
    /// What a violation is answered with: 400 for a request, 502 for a response.
    status: u16,
}

/// What one call of [`BodyDecoder::decode`] found.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// How many bytes of the input have been used up.
    pub consumed: usize,
    /// A piece of the body, borrowed from the input; may be empty.
    pub data: &'a [u8],
    /// The body is complete. What follows in the input belongs to the next message.
    pub done: bool,
}

impl BodyDecoder {
    /// Finds out how the body of a request is delimited: 413 for a length over the limit. What
    /// [`parse_request`](super::parse_request) has read cannot fail in another way: a framing in doubt, which is
    /// how requests are smuggled past proxies, it has refused already.
    pub fn for_request(request: &Request, limits: &Limits) -> Result<BodyDecoder, Error> {
        let state = framing(&request.headers, request.version, 400)?.unwrap_or(State::Done);
        BodyDecoder::new(state, 400, limits)
    }

    /// Finds out how the body of a response to a `method` request is delimited (RFC 9112 §6.3).
    pub fn for_response(response: &Response, method: &Method, limits: &Limits) -> Result<BodyDecoder, Error> {
        if method == Method::HEAD || is_bodiless(response.status) {
            return BodyDecoder::new(State::Done, 502, limits);
        }
        let state = framing(&response.headers, response.version, 502)?.unwrap_or(State::UntilEof);
        BodyDecoder::new(state, 502, limits)
    }

    fn new(state: State, status: u16, limits: &Limits) -> Result<BodyDecoder, Error> {
        match state {
            State::Length(length) if length > limits.max_body => Err(too_large(status)),
            _ => Ok(BodyDecoder {
                state,
                allowed: limits.max_body,
                overhead: limits.max_head,
                status,
            }),
        }
    }

    /// Looks for the next piece of the body at the front of `input`. Call again with the rest of the input until
    /// `done`, or until all of the input is consumed.
    pub fn decode<'a>(&mut self, input: &'a [u8]) -> Result<Decoded<'a>, Error> {
        let mut consumed = 0;
        while !self.is_done() {
            let rest = input.get(consumed..).unwrap_or_default();
            let Some(byte) = rest.first() else { break };
            if let Some(length) = self.data_length(rest.len()) {
                let data = rest.get(..length).unwrap_or(rest);
                self.take_data(length)?;
                return Ok(Decoded {
                    consumed: consumed + length,
                    data,
                    done: self.is_done(),
                });
            }
            self.state = self.step(*byte)?;
            consumed += 1;
        }
        Ok(Decoded {
            consumed,
            data: &[],
            done: self.is_done(),
        })
    }

    /// The transport has ended: an error if the body is not complete with that.
    pub fn finish(&mut self) -> Result<(), Error> {
        match self.state {
            State::Done | State::UntilEof => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(self.malformed("the connection ended within the body")),
        }
    }

    /// Whether the body is complete; true from the beginning when there is none.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The declared length in bytes of what is still to come, where one was declared.
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Done => Some(0),
            State::Length(left) => Some(left),
            _ => None,
        }
    }

    /// How many of `available` bytes are data; `None` where the framing comes next.
    fn data_length(&self, available: usize) -> Option<usize> {
        match self.state {
            State::Length(left) | State::ChunkData(left) => {
                Some(usize::try_from(left).map_or(available, |left| left.min(available)))
            }
            State::UntilEof => Some(available),
            _ => None,
        }
    }

    fn take_data(&mut self, length: usize) -> Result<(), Error> {
        let length = length as u64;
        self.state = match self.state {
            State::Length(left) if left <= length => State::Done,
            State::Length(left) => State::Length(left - length),
            State::ChunkData(left) if left <= length => State::ChunkDataEnd { cr: false },
            State::ChunkData(left) => State::ChunkData(left - length),
            // Only here nobody has announced how much will come.
            _ => {
                self.allowed = self.allowed.checked_sub(length).ok_or_else(|| self.too_large())?;
                State::UntilEof
            }
        };
        Ok(())
    }

    /// One byte of the chunked framing (RFC 9112 §7.1). Every line ends with CR LF and nothing else: a lone LF that
    /// one reader takes as a line end and another does not hides a request in a chunk extension.
    fn step(&mut self, byte: u8) -> Result<State, Error> {
        match (self.state, byte) {
            (State::ChunkSize { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.size_digit(size, digits, byte)
            }
            (State::ChunkSize { size, digits: 1.. } | State::AfterSize { size }, b';') => {
                Ok(State::Extension { size })
            }
            // Some servers pad the size. Only the end or an extension may follow: "5 5" is not 5.
            (State::ChunkSize { size, digits: 1.. } | State::AfterSize { size }, b' ' | b'\t') => {
                self.spend(State::AfterSize { size })
            }
            (
                State::ChunkSize { size, digits: 1.. }
                | State::AfterSize { size }
                | State::Extension { size },
                b'\r',
            ) => Ok(State::ChunkSizeEnd { size }),
            (State::ChunkSizeEnd { size: 0 }, b'\n') => Ok(State::Trailer { empty: true }),
            (State::ChunkSizeEnd { size }, b'\n') => self.begin_chunk(size),
            (State::ChunkDataEnd { cr: false }, b'\r') => Ok(State::ChunkDataEnd { cr: true }),
            (State::ChunkDataEnd { cr: true }, b'\n') => Ok(State::ChunkSize { size: 0, digits: 0 }),
            (State::Trailer { empty }, b'\r') => Ok(State::TrailerEnd { empty }),
            (State::TrailerEnd { empty: true }, b'\n') => Ok(State::Done),
            (State::TrailerEnd { empty: false }, b'\n') => Ok(State::Trailer { empty: true }),
            (State::Extension { .. }, b'\n' | 0) | (State::Trailer { .. }, b'\n' | 0) => {
                Err(self.malformed("invalid byte in a chunk extension or trailer"))
            }
            (State::Extension { .. }, _) => self.spend(self.state),
            (State::Trailer { .. }, _) => self.spend(State::Trailer { empty: false }),
            _ => Err(self.malformed(&format!("invalid chunk framing at byte {byte:#04x}"))),
        }
    }

    fn size_digit(&self, size: u64, digits: u8, byte: u8) -> Result<State, Error> {
        let digit = (byte as char).to_digit(16).map_or(0, u64::from);
        // 16 digits fill a u64; leading zeros count, so that a size cannot be spelled without end.
        if digits >= 16 {
            return Err(self.malformed("a chunk size has more than 16 digits"));
        }
        Ok(State::ChunkSize {
            size: size << 4 | digit,
            digits: digits + 1,
        })
    }

    fn begin_chunk(&mut self, size: u64) -> Result<State, Error> {
        self.allowed = self.allowed.checked_sub(size).ok_or_else(|| self.too_large())?;
        Ok(State::ChunkData(size))
    }

    fn spend(&mut self, next: State) -> Result<State, Error> {
        let text = "the chunk extensions and trailers are too long";
        self.overhead = self.overhead.checked_sub(1).ok_or_else(|| self.malformed(text))?;
        Ok(next)
    }

    fn too_large(&self) -> Error {
        too_large(self.status)
    }

    fn malformed(&self, text: &str) -> Error {
        Error::new(self.status, text)
    }
}

/// Refuses a request whose end two readers could see in two places: 400, or 501 for an unknown coding.
pub(super) fn check_framing(headers: &HeaderMap, version: Version) -> Result<(), Error> {
    framing(headers, version, 400).map(drop)
}

/// Appends one chunk. Nothing is written for empty data: that would be the last chunk.
pub fn encode_chunk(data: &[u8], out: &mut Vec<u8>) {
    if !data.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the end of a chunked body, without trailers.
pub fn encode_last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Length(u64),
    UntilEof,
    ChunkSize { size: u64, digits: u8 },
    AfterSize { size: u64 },
    Extension { size: u64 },
    ChunkSizeEnd { size: u64 },
    ChunkData(u64),
    ChunkDataEnd { cr: bool },
    Trailer { empty: bool },
    TrailerEnd { empty: bool },
    Done,
}

/// RFC 9112 §6.3, the part that is the same for requests and responses; `None` when the head states no framing.
fn framing(headers: &HeaderMap, version: Version, status: u16) -> Result<Option<State>, Error> {
    let length = content_length(headers, status)?;
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return chunked(headers, version, status, length.is_some()).map(Some);
    }
    Ok(length.map(|length| {
        if length == 0 {
            State::Done
        } else {
            State::Length(length)
        }
    }))
}

fn chunked(headers: &HeaderMap, version: Version, status: u16, has_length: bool) -> Result<State, Error> {
    if has_length {
        // RFC 9112 §6.1: this "ought to be handled as an error".
        return Err(Error::new(
            status,
            "both Transfer-Encoding and Content-Length are stated",
        ));
    }
    if version != Version::HTTP_11 {
        // RFC 9112 §6.1: in an HTTP/1.0 message the framing is faulty.
        return Err(Error::new(status, "Transfer-Encoding in an HTTP/1.0 message"));
    }
    let mut codings = tokens(headers, header::TRANSFER_ENCODING);
    match (codings.next(), codings.next()) {
        (Some(only), None) if only.eq_ignore_ascii_case(b"chunked") => {
            Ok(State::ChunkSize { size: 0, digits: 0 })
        }
        (Some(_), _) if status == 400 && has_token(headers, header::TRANSFER_ENCODING, "chunked") => {
            Err(Error::new(501, "no transfer coding but chunked is known here"))
        }
        // RFC 9112 §6.3: without chunked as the last coding a request has no end.
        _ => Err(Error::new(status, "Transfer-Encoding must be chunked")),
    }
}

/// RFC 9112 §6.3 rule 5: several values are an error unless they are all the same valid number.
fn content_length(headers: &HeaderMap, status: u16) -> Result<Option<u64>, Error> {
    let mut length = None;
    for line in headers.get_all(header::CONTENT_LENGTH) {
        for element in line.as_bytes().split(|byte| *byte == b',') {
            let value = parse_length(element.trim_ascii(), status)?;
            if length.replace(value).is_some_and(|before| before != value) {
                return Err(Error::new(status, "two different Content-Length values"));
            }
        }
    }
    Ok(length)
}

fn parse_length(digits: &[u8], status: u16) -> Result<u64, Error> {
    // Digits only: `parse` would take a sign too.
    let text = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        Error::new(
            status,
            format!("invalid Content-Length {:?}", digits.escape_ascii().to_string()),
        )
    })
}

fn too_large(status: u16) -> Error {
    let status = if status == 400 { 413 } else { status };
    Error::new(status, "the body is longer than allowed")
}
