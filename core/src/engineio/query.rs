//! The query of a request's target, read as browsers' `URLSearchParams` do.

use std::borrow::Cow;

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
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
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
            ("EIO=4&j=1", None),
        ] {
            assert_eq!(Query::parse(query).jsonp().as_deref(), number, "{query}");
        }
        let all: Vec<_> = pairs("a=1+2&&b&%C3%A9=%zz&c=d=e").collect();
        let expected = [("a", "1 2"), ("b", ""), ("é", "%zz"), ("c", "d=e")];
        assert_eq!(all, expected.map(|(name, value)| (name.into(), value.into())));
    }
}
