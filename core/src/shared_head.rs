//! Answers whose heads are the same for many requests.

use crate::http;
use crate::route::HttpAnswer;

/// The head of an answer that many requests get: made once, and written as it is.
#[derive(Debug)]
pub(crate) struct SharedHead {
    /// The same for those who want it as fields.
    headers: Vec<(String, String)>,
    /// Status line and fields, but for what depends on the body and the connection.
    encoded: Box<[u8]>,
}

impl SharedHead {
    /// Of status 200.
    ///
    /// # Errors
    /// For what can't be written in a header.
    pub(crate) fn ok(headers: Vec<(String, String)>) -> Result<SharedHead, http::Error> {
        let mut encoded = Vec::new();
        http::encode_response(200, &headers, http::Framing::None, &mut encoded)?;
        encoded.truncate(encoded.len() - 2); // the empty line comes later
        Ok(SharedHead {
            headers,
            encoded: encoded.into(),
        })
    }

    /// The answer with this body, as others are given.
    pub(crate) fn with(&self, body: Vec<u8>) -> HttpAnswer {
        HttpAnswer {
            status: 200,
            headers: self.headers.clone(),
            body,
        }
    }

    /// Appends the answer with this body.
    pub(crate) fn write(&self, keep_alive: bool, body: &[u8], out: &mut Vec<u8>) {
        let connection: &[u8] = match keep_alive {
            true => b"Connection: keep-alive\r\nContent-Length: ",
            false => b"Connection: close\r\nContent-Length: ",
        };
        let mut digits = itoa::Buffer::new();
        let length = digits.format(body.len()).as_bytes();
        let parts = [&self.encoded, connection, length, b"\r\n\r\n", body];
        out.reserve(parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| out.extend_from_slice(part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_fields_would_become() {
        let headers = vec![("X".to_owned(), "y".to_owned())];
        let head = SharedHead::ok(headers.clone()).unwrap();
        for (keep_alive, connection) in [(true, "keep-alive"), (false, "close")] {
            let fields = [("X", "y"), ("Connection", connection)];
            let (mut written, mut expected) = (b"before".to_vec(), b"before".to_vec());
            head.write(keep_alive, b"body", &mut written);
            http::encode_response(200, &fields, http::Framing::Length(4), &mut expected).unwrap();
            expected.extend_from_slice(b"body");
            assert_eq!(written, expected);
        }
        let answer = head.with(b"body".to_vec());
        assert_eq!(
            (answer.status, answer.headers, answer.body),
            (200, headers, b"body".to_vec())
        );
        assert!(SharedHead::ok(vec![("X".to_owned(), "a\r\nb".to_owned())]).is_err());
    }
}
