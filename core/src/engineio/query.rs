//! The query of a request's target, read as browsers' `URLSearchParams` do.

use std::borrow::Cow;
use std::iter;

use percent_encoding::percent_decode_str;

use super::Version;

/// What Engine.IO reads of a query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query<'a> {
    /// `transport`
    pub transport: Option<Cow<'a, str>>,
    /// `sid`; an empty one counts as none.
    pub sid: Option<Cow<'a, str>>,
    /// `EIO`, as it was sent.
    pub eio: Option<Cow<'a, str>>,
    /// `b64` with any value but an empty one: the client can't read binary data.
    pub b64: bool,
    /// `j`, as it was sent.
    pub j: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    /// Reads what stands behind the `?` of a target.
    pub fn parse(query: &'a str) -> Query<'a> {
        let mut found = Query::default();
        for (name, value) in pairs(query) {
            match &*name {
                "transport" => found.transport = Some(value),
                "sid" => found.sid = Some(value).filter(|sid| !sid.is_empty()),
                "EIO" => found.eio = Some(value),
                "b64" => found.b64 = !value.is_empty(),
                "j" => found.j = Some(value),
                _ => {}
            }
        }
        found
    }

    /// The session that a request of polling in revision 4 names, where nothing has to be decoded for it; `None` for what
    /// has to be read as a whole.
    pub fn polling_sid(query: &'a [u8]) -> Option<&'a [u8]> {
        if memchr::memchr2(b'%', b'+', query).is_some() {
            return None;
        }
        // How the official clients' begin.
        let (begins_so, mut rest) = match query.strip_prefix(b"EIO=4&transport=polling&") {
            Some(rest) => (true, Some(rest)),
            None => (false, Some(query)),
        };
        let (mut sid, mut is_v4, mut is_polling) = (&b""[..], begins_so, begins_so);
        while let Some(pairs) = rest {
            let end = pairs.iter().position(|byte| *byte == b'&');
            let (pair, others) = pairs.split_at(end.unwrap_or(pairs.len()));
            rest = others.get(1..);
            match pair {
                [b's', b'i', b'd', b'=', id @ ..] => sid = id,
                [b'E', b'I', b'O', b'=', version @ ..] => is_v4 = version == b"4",
                [
                    b't',
                    b'r',
                    b'a',
                    b'n',
                    b's',
                    b'p',
                    b'o',
                    b'r',
                    b't',
                    b'=',
                    name @ ..,
                ] => {
                    is_polling = name == b"polling";
                }
                b"sid" | b"EIO" | b"transport" => return None,
                _ => {}
            }
        }
        (is_v4 && is_polling && !sid.is_empty()).then_some(sid)
    }

    /// Whether there may be a `j`: without, nobody has to read the query for one.
    pub fn may_have_jsonp(query: &str) -> bool {
        let mut begins = true;
        query.bytes().any(|byte| {
            let found = begins && matches!(byte, b'j' | b'%');
            begins = byte == b'&';
            found
        })
    }

    /// The number of a page's function, if the answer is to be a script that calls it: see [`jsonp`](super::jsonp). Digits
    /// only, perhaps none.
    pub fn jsonp(&self) -> Option<String> {
        let j = self.j.as_deref().filter(|_| self.version() == Version::V3)?;
        Some(j.chars().filter(char::is_ascii_digit).collect())
    }

    /// All but "4" is revision 3, also nothing at all.
    pub fn version(&self) -> Version {
        match self.eio.as_deref() {
            Some("4") => Version::V4,
            _ => Version::V3,
        }
    }
}

/// All names and values, decoded, in their order.
pub fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let mut rest = Some(query);
    let pairs = iter::from_fn(move || {
        let (pair, others) = cut(rest?, b'&');
        rest = others;
        Some(pair)
    });
    pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = cut(pair, b'=');
        (decode(name), decode(value.unwrap_or_default()))
    })
}

/// What stands before and behind an ASCII character: by bytes, as names and values are too short for a search that has to
/// get ready.
fn cut(text: &str, at: u8) -> (&str, Option<&str>) {
    let found = text.bytes().position(|byte| byte == at);
    let parts = found.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?)));
    parts.map_or((text, None), |(before, behind)| (before, Some(behind)))
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_read_as_in_a_browser() {
        let query = Query::parse("EIO=4&transport=polling&t=x&sid=a%62c&b64=1&sid");
        assert_eq!(query.version(), Version::V4);
        assert_eq!(query.transport.as_deref(), Some("polling"));
        assert_eq!(query.sid, None, "the last one counts");
        assert!(query.b64);
        assert_eq!(Query::parse("sid=a%62c").sid.as_deref(), Some("abc"));
        for old in ["", "EIO=3", "EIO=44", "eio=4", "EIO", "EIO=4&EIO=3"] {
            assert_eq!(Query::parse(old).version(), Version::V3, "{old}");
        }
        for (query, number) in [
            ("j=7", Some("7")),
            ("j=0);alert(1", Some("01")),
            ("EIO=3&j", Some("")),
            ("EIO=3&%6a=1", Some("1")),
            ("EIO=4&j=1", None),
        ] {
            assert_eq!(Query::parse(query).jsonp().as_deref(), number, "{query}");
            assert!(number.is_none() || Query::may_have_jsonp(query), "{query}");
        }
        for (query, sid) in [
            ("EIO=4&transport=polling&t=x&sid=abc", Some("abc")),
            ("sid=abc&&transport=polling&EIO=4&sid=", None),
            ("sid&transport=polling&EIO=4", None),
            ("EIO=4&transport=polling&sid=a&sid=b", Some("b")),
            ("EIO=4&transport=polling&sid=a&EIO=3", None),
            ("EIO=4&transport=polling&sid=a&transport", None),
            ("transport=polling&EIO=4&sid=a&", Some("a")),
            ("EIO=3&transport=polling&sid=a", None),
            ("transport=polling&sid=a", None),
            ("EIO=4&transport=websocket&sid=a", None),
            ("EIO=4&transport=polling&sid=a%62", None),
            ("EIO=4&transport=polling&sid=a&t=+", None),
            ("EIO=4&transport=polling", None),
            ("", None),
        ] {
            assert_eq!(
                Query::polling_sid(query.as_bytes()),
                sid.map(str::as_bytes),
                "{query}"
            );
            let read = Query::parse(query);
            assert!(sid.is_none() || read.sid.as_deref() == sid && read.version() == Version::V4);
        }
        assert!(!Query::may_have_jsonp("EIO=4&transport=polling&t=j&sid=j%"));
        let all: Vec<_> = pairs("a=1+2&&b&%C3%A9=%zz&c=d=e").collect();
        let expected = [("a", "1 2"), ("b", ""), ("é", "%zz"), ("c", "d=e")];
        assert_eq!(all, expected.map(|(name, value)| (name.into(), value.into())));
    }
}
