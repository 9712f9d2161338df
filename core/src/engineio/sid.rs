//! Session ids: as the official server makes them, 20 characters that load balancers and adapters know by their length; the
//! same with the name of the node in front; or an application's own.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use data_encoding::BASE64URL;

const LENGTH: usize = 20;
/// The longest that an application's may be.
const MAX_LENGTH: usize = 255;

/// A session's id. One of the usual length needs no memory of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sid(Form);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Form {
    Usual([u8; LENGTH]),
    Other(Box<str>),
}

impl Sid {
    /// A new one that can't be guessed and occurs once: 12 random bytes and the low three of a counter, in URL-safe base64.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn generate() -> Result<Sid, getrandom::Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut random = [0; 12];
        getrandom::fill(&mut random)?;
        Ok(Sid::from_parts(random, COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// The same with the name of a node in front: 36 bits, which are the same for all its sessions, and 84 random ones.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn generate_at(node: Tag) -> Result<Sid, getrandom::Error> {
        let mut random = [0; 15];
        getrandom::fill(&mut random)?;
        let mut id = [0; LENGTH];
        BASE64URL.encode_mut(&random, &mut id);
        id[..TAG_LENGTH].copy_from_slice(&node.0); // a character is six bits, so the others are as random as before
        Ok(Sid(Form::Usual(id)))
    }

    /// The node that its maker has named in it, if this is how it was made: any 20 characters of URL-safe base64 may be.
    pub fn node(&self) -> Option<Tag> {
        match &self.0 {
            Form::Usual(id) if id.iter().all(is_base64url) => Tag::of(id.get(..TAG_LENGTH)?),
            _ => None,
        }
    }

    /// The id that a client names; `None` if it can't be one.
    pub fn parse(text: &str) -> Option<Sid> {
        match text.as_bytes().try_into() {
            Ok(usual) => Some(Sid(Form::Usual(usual))),
            Err(_) if text.len() <= MAX_LENGTH => Some(Sid(Form::Other(text.into()))),
            Err(_) => None,
        }
    }

    /// An application's own: 1 to 255 visible ASCII characters, none of which JSON would escape; `None` for others.
    pub fn own(text: &str) -> Option<Sid> {
        let is_fine = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        let all_fine = !text.is_empty() && text.bytes().all(is_fine);
        all_fine.then(|| Sid::parse(text)).flatten()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // All ways to make one start from text.
            Form::Usual(id) => std::str::from_utf8(id).unwrap_or_default(),
            Form::Other(id) => id,
        }
    }

    fn from_parts(random: [u8; 12], count: u32) -> Sid {
        let mut bytes = [0; 15];
        let (head, tail) = bytes.split_at_mut(12);
        head.copy_from_slice(&random);
        tail.copy_from_slice(&count.to_be_bytes()[1..]);
        let mut id = [0; LENGTH];
        BASE64URL.encode_mut(&bytes, &mut id);
        Sid(Form::Usual(id))
    }
}

/// How many characters of a session's id name its node.
const TAG_LENGTH: usize = 6;

/// The name of a node in the ids of its sessions: 6 characters of URL-safe base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag([u8; TAG_LENGTH]);

impl Tag {
    /// One that no other node has, as far as 36 random bits go: among 1,000 nodes two are the same once in 140,000 times.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn generate() -> Result<Tag, getrandom::Error> {
        let mut random = [0; 6];
        getrandom::fill(&mut random)?;
        let mut text = [0; 8];
        BASE64URL.encode_mut(&random, &mut text);
        let mut tag = [0; TAG_LENGTH];
        tag.copy_from_slice(&text[..TAG_LENGTH]);
        Ok(Tag(tag))
    }

    /// The tag that this text is; `None` if it isn't one.
    pub fn parse(text: &str) -> Option<Tag> {
        Tag::of(text.as_bytes())
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default() // it was looked at
    }

    fn of(bytes: &[u8]) -> Option<Tag> {
        let tag: [u8; TAG_LENGTH] = bytes.try_into().ok()?;
        tag.iter().all(is_base64url).then_some(Tag(tag))
    }
}

fn is_base64url(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(byte)
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_the_official_ones() {
        // What `base64id` makes of these bytes.
        assert_eq!(
            Sid::from_parts([0xff; 12], 0x0001_0203).as_str(),
            "________________AQID"
        );
        let ids: std::collections::HashSet<String> = (0..100)
            .map(|_| Sid::generate().unwrap().as_str().to_owned())
            .collect();
        assert_eq!(ids.len(), 100);
        for id in ids {
            assert_eq!(id.len(), 20);
            assert!(
                id.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
                "{id}"
            );
            assert_eq!(Sid::parse(&id).unwrap().as_str(), id);
        }
        assert_eq!(size_of::<Sid>(), 24);
    }

    #[test]
    fn ids_may_name_their_node() {
        let node = Tag::generate().unwrap();
        let ids: std::collections::HashSet<String> = (0..100)
            .map(|_| Sid::generate_at(node).unwrap().as_str().to_owned())
            .collect();
        assert_eq!(ids.len(), 100);
        for id in &ids {
            assert!(id.len() == 20 && id.starts_with(node.as_str()), "{id}");
            assert_eq!(Sid::parse(id).unwrap().node(), Some(node));
        }
        for place in 6..20 {
            let distinct: std::collections::HashSet<u8> = ids.iter().map(|id| id.as_bytes()[place]).collect();
            assert!(distinct.len() > 20, "of 64, by 100 ids");
        }
        assert_ne!(node, Tag::generate().unwrap());
        assert_eq!(Tag::parse(node.as_str()), Some(node));
        for text in ["", "abcde", "abcdefg", "abcde+", "abcdeä", "abcd*f"] {
            assert_eq!(Tag::parse(text), None, "{text}");
        }
        for text in [
            "abcdefghijklmnopqrs",
            "abcdefghijklmnopqrs#",
            "äbcdefghijklmnopqrs",
            "abcdef",
        ] {
            assert_eq!(Sid::parse(text).unwrap().node(), None, "{text}");
        }
    }

    #[test]
    fn an_application_may_have_its_own() {
        for text in ["1", "user-7:a/b=", "abcdefghijklmnopqrst", &"x".repeat(255)] {
            assert_eq!(Sid::own(text).unwrap().as_str(), text);
            assert_eq!(
                Sid::own(text),
                Sid::parse(text),
                "a client that names it means it"
            );
        }
        for text in ["", "a b", "a\"b", "a\\b", "ä", "a\nb", &"x".repeat(256)] {
            assert_eq!(Sid::own(text), None, "{text}");
        }
        assert_eq!(Sid::parse(&"x".repeat(256)), None);
    }
}
