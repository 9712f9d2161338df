//! HTTP responses, as far as a client of long polling needs them.

use std::borrow::Cow;
use std::io::{self, ErrorKind};

const MAX_HEADERS: usize = 64;

/// A response with the status 200.
pub struct Response<'a> {
    pub body: Cow<'a, [u8]>,
    /// Of all of it.
    pub length: usize,
}

/// The response at the start of `bytes`, once all of it is there.
pub fn response(bytes: &[u8]) -> io::Result<Option<Response<'_>>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(bytes).map_err(invalid)? else {
        return Ok(None);
    };
    if parsed.code != Some(200) {
        return Err(invalid(String::from_utf8_lossy(bytes)));
    }
    let value = |name: &str| {
        let header = parsed
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| str::from_utf8(header.value).ok())
    };
    if let Some(length) = value("content-length") {
        let end = head + length.parse::<usize>().map_err(invalid)?;
        let body = bytes.get(head..end).map(Cow::Borrowed);
        return Ok(body.map(|body| Response { body, length: end }));
    }
    match value("transfer-encoding") {
        Some("chunked") => chunked(bytes, head),
        _ => Err(invalid("a response without a length")),
    }
}

/// The body whose first chunk begins at `position` (RFC 9112 section 7.1), without trailers.
fn chunked(bytes: &[u8], mut position: usize) -> io::Result<Option<Response<'_>>> {
    let mut body = Vec::new();
    loop {
        let parsed = httparse::parse_chunk_size(&bytes[position..]);
        let Ok(httparse::Status::Complete((header, size))) = parsed else {
            return parsed.map(|_| None).map_err(|_| invalid("no size of a chunk"));
        };
        let start = position + header;
        let end = start + size as usize;
        position = end + 2;
        if bytes.len() < position {
            return Ok(None);
        }
        if size == 0 {
            let body = Cow::Owned(body);
            return Ok(Some(Response {
                body,
                length: position,
            }));
        }
        body.extend_from_slice(&bytes[start..end]);
    }
}

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_complete_with_its_last_byte() {
        for all in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ] {
            for length in 0..all.len() {
                assert!(response(&all.as_bytes()[..length]).unwrap().is_none(), "{length}");
            }
            let whole = response(all.as_bytes()).unwrap().unwrap();
            assert_eq!((&*whole.body, whole.length), (&b"hello"[..], all.len()));
        }
        assert!(response(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").is_err());
    }
}
