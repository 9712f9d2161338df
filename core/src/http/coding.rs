//! Content codings (RFC 9110 §8.4.1), taken off a whole body.

use std::io::Read;

use ::http::HeaderMap;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::{Error, tokens};

/// What a client that decodes bodies by [`decode_content`] writes as Accept-Encoding.
pub const ACCEPT_ENCODING: &str = "gzip, deflate";

/// The body without the codings that its Content-Encoding names; it may have `max` bytes then.
///
/// # Errors
/// With status 502 for a coding that isn't gzip or deflate, a body that isn't what its coding says, and one that is too long.
pub fn decode_content(headers: &HeaderMap, body: Vec<u8>, max: u64) -> Result<Vec<u8>, Error> {
    let codings: Vec<&[u8]> = tokens(headers, "content-encoding").collect();
    // They were applied in the order in which they are named.
    codings
        .into_iter()
        .rev()
        .try_fold(body, |body, coding| decode_one(coding, body, max))
}

fn decode_one(coding: &[u8], body: Vec<u8>, max: u64) -> Result<Vec<u8>, Error> {
    let is = |name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
    if is("identity") || body.is_empty() {
        return Ok(body);
    }
    let decoded = if is("gzip") || is("x-gzip") {
        read(MultiGzDecoder::new(body.as_slice()), max)
    } else if is("deflate") {
        // RFC 9110 §8.4.1.2: it should be zlib's format, but some leave that out.
        match read(ZlibDecoder::new(body.as_slice()), max) {
            Err(error) if error.status != TOO_LONG => read(DeflateDecoder::new(body.as_slice()), max),
            decoded => decoded,
        }
    } else {
        let text = format!(
            "the content coding {:?} is not known",
            String::from_utf8_lossy(coding)
        );
        return Err(Error::new(502, text));
    };
    decoded.map_err(|error| Error::new(502, error.text))
}

/// Tells what is too long from what is malformed.
const TOO_LONG: u16 = 413;

fn read(decoder: impl Read, max: u64) -> Result<Vec<u8>, Error> {
    let mut decoded = Vec::new();
    decoder
        .take(max.saturating_add(1))
        .read_to_end(&mut decoded)
        .map_err(|error| Error::new(502, format!("the body is not what its coding says: {error}")))?;
    if decoded.len() as u64 > max {
        return Err(Error::new(
            TOO_LONG,
            format!("the decoded body is longer than {max} bytes"),
        ));
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};

    fn decode(coding: &str, body: &[u8], max: u64) -> Result<Vec<u8>, Error> {
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", coding.parse().expect("it is a value"));
        decode_content(&headers, body.to_vec(), max)
    }

    fn encoded(mut encoder: impl Read) -> Vec<u8> {
        let mut bytes = Vec::new();
        encoder.read_to_end(&mut bytes).expect("memory can be read");
        bytes
    }

    #[test]
    fn each_coding_is_taken_off() {
        let text: &[u8] = b"hello, hello, hello";
        let level = Compression::default();
        let gzip = encoded(GzEncoder::new(text, level));
        let twice = encoded(GzEncoder::new(&encoded(ZlibEncoder::new(text, level))[..], level));
        for (coding, body) in [
            ("identity", text),
            ("gzip", &gzip),
            ("X-GZip", &gzip),
            ("deflate", &encoded(ZlibEncoder::new(text, level))),
            ("deflate", &encoded(DeflateEncoder::new(text, level))),
            ("deflate, gzip", &twice),
        ] {
            assert_eq!(decode(coding, body, 19).as_deref(), Ok(text), "{coding}");
        }
        assert_eq!(
            decode_content(&HeaderMap::new(), text.to_vec(), 0).as_deref(),
            Ok(text)
        );
    }

    #[test]
    fn what_is_not_what_it_says_is_refused() {
        let gzip = encoded(GzEncoder::new(&b"hello"[..], Compression::default()));
        for (coding, body) in [
            ("br", &b"x"[..]),
            ("gzip", b"hello"),
            ("deflate", b"hello"),
            ("gzip", &gzip[..gzip.len() - 1]),
        ] {
            assert_eq!(
                decode(coding, body, 100).map_err(|error| error.status),
                Err(502),
                "{coding}"
            );
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let zeros = vec![0; 1 << 20];
        let level = Compression::best();
        for (coding, bomb) in [
            ("gzip", encoded(GzEncoder::new(&zeros[..], level))),
            ("deflate", encoded(ZlibEncoder::new(&zeros[..], level))),
        ] {
            let error = decode(coding, &bomb, 1000).expect_err("it is too long");
            assert!(error.text.contains("longer than 1000"), "{error}");
        }
    }
}
