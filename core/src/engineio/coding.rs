//! Compressing answers: which content coding a client takes (RFC 9110 §12.5.3, as npm's `negotiator` reads it), and
//! applying it.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::HeaderMap;

/// A content coding (RFC 9110 §8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Brotli, for files that were compressed before.
    Br,
    /// `gzip`
    Gzip,
    /// `deflate`, which is zlib's format.
    Deflate,
}

impl Coding {
    /// The name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Coding::Br => "br",
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
        }
    }
}

/// One element of Accept-Encoding.
struct Accepted<'a> {
    name: &'a str,
    quality: f32,
}

/// Which of these codings the client likes best, and the first of them where it likes several alike; `None`: the body as it
/// is.
pub fn negotiate(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let lines = headers.get_all(http::header::ACCEPT_ENCODING).iter();
    negotiate_lines(lines.filter_map(|line| line.to_str().ok()), offered)
}

/// The same of the values of Accept-Encoding.
pub fn negotiate_lines<'a>(lines: impl Iterator<Item = &'a str>, offered: &[Coding]) -> Option<Coding> {
    let elements = lines.flat_map(|line| line.split(','));
    let accepted: Vec<Accepted<'_>> = elements.filter_map(read_element).collect();
    let mut best: Option<(Coding, Rank)> = None;
    for coding in offered {
        let rank = rank(*coding, &accepted);
        if rank.quality > 0.0 && best.as_ref().is_none_or(|(_, before)| rank.is_before(before)) {
            best = Some((*coding, rank));
        }
    }
    best.map(|(coding, _)| coding)
}

/// How much a client likes a coding: its quality, whether it was named or meant by `*`, and where.
#[derive(Clone, Copy)]
struct Rank {
    quality: f32,
    is_named: bool,
    place: usize,
}

impl Rank {
    fn is_before(&self, other: &Rank) -> bool {
        let key = |rank: &Rank| (rank.is_named, std::cmp::Reverse(rank.place));
        self.quality > other.quality || (self.quality == other.quality && key(self) > key(other))
    }
}

fn rank(coding: Coding, accepted: &[Accepted<'_>]) -> Rank {
    let mut rank = Rank {
        quality: 0.0,
        is_named: false,
        place: usize::MAX,
    };
    for (place, element) in accepted.iter().enumerate() {
        let is_named = element.name.eq_ignore_ascii_case(coding.name());
        if is_named || (element.name == "*" && !rank.is_named) {
            rank = Rank {
                quality: element.quality,
                is_named,
                place,
            };
        }
    }
    rank
}

fn read_element(element: &str) -> Option<Accepted<'_>> {
    let mut parts = element.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let quality = parts.find_map(|part| part.strip_prefix("q="));
    Some(Accepted {
        name,
        quality: quality
            .map_or(Some(1.0), |text| text.trim().parse().ok())
            .unwrap_or(0.0),
    })
}

/// The body in this coding; `None` for one that can't be applied here.
pub fn compress(body: &[u8], coding: Coding) -> Option<Vec<u8>> {
    let out = Vec::with_capacity(64 + body.len() / 4);
    let level = Compression::default();
    match coding {
        Coding::Br => None,
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(out, level);
            encoder.write_all(body).and_then(|()| encoder.finish()).ok()
        }
        Coding::Deflate => {
            let mut encoder = ZlibEncoder::new(out, level);
            encoder.write_all(body).and_then(|()| encoder.finish()).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &str, offered: &[Coding]) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::ACCEPT_ENCODING, accept.parse().unwrap());
        negotiate(&headers, offered)
    }

    /// Checked against npm's `negotiator`.
    #[test]
    fn the_client_chooses() {
        let polling = [Coding::Gzip, Coding::Deflate];
        for (accept, expected) in [
            ("gzip, deflate, br", Some(Coding::Gzip)),
            ("deflate, gzip", Some(Coding::Deflate)),
            ("deflate;q=0.5, gzip;q=0.8", Some(Coding::Gzip)),
            ("gzip;q=0, deflate", Some(Coding::Deflate)),
            ("*", Some(Coding::Gzip)),
            ("*, deflate", Some(Coding::Deflate)),
            ("*;q=0", None),
            ("*;q=0.1, gzip;q=0", Some(Coding::Deflate)),
            ("GZIP", Some(Coding::Gzip)),
            ("br, identity", None),
            ("", None),
            ("gzip;q=x", None),
        ] {
            assert_eq!(chosen(accept, &polling), expected, "{accept}");
        }
        let files = [Coding::Br, Coding::Gzip, Coding::Deflate];
        assert_eq!(chosen("gzip, deflate, br", &files), Some(Coding::Gzip));
        assert_eq!(chosen("*", &files), Some(Coding::Br));
        assert_eq!(negotiate(&HeaderMap::new(), &files), None);
    }

    fn read(mut decoder: impl std::io::Read) -> Vec<u8> {
        let mut body = Vec::new();
        decoder.read_to_end(&mut body).unwrap();
        body
    }

    #[test]
    fn what_was_compressed_reads_back() {
        let mut noise = 1_u32;
        let random: Vec<u8> = (0..10_000)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        for body in [&b""[..], b"hello", &[7; 100_000], &random] {
            let gzip = compress(body, Coding::Gzip).unwrap();
            assert_eq!(read(flate2::read::GzDecoder::new(&gzip[..])), body);
            let deflate = compress(body, Coding::Deflate).unwrap();
            assert_eq!(read(flate2::read::ZlibDecoder::new(&deflate[..])), body);
        }
        assert_eq!(compress(b"a", Coding::Br), None);
    }
}
