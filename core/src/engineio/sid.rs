//! Session ids, as the official server makes them: 20 characters that load balancers and adapters know by their length.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use data_encoding::BASE64URL;

const LENGTH: usize = 20;

/// An id that can't be guessed and occurs once: 12 random bytes and the low three of a counter, in URL-safe base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid([u8; LENGTH]);

impl Sid {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn generate() -> Result<Sid, getrandom::Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut random = [0; 12];
        getrandom::fill(&mut random)?;
        Ok(Sid::from_parts(random, COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// The id that a client names; `None` if it can't be one.
    pub fn parse(text: &str) -> Option<Sid> {
        text.as_bytes().try_into().ok().map(Sid)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // Both ways to make one start from text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn from_parts(random: [u8; 12], count: u32) -> Sid {
        let mut bytes = [0; 15];
        let (head, tail) = bytes.split_at_mut(12);
        head.copy_from_slice(&random);
        tail.copy_from_slice(&count.to_be_bytes()[1..]);
        let mut id = [0; LENGTH];
        BASE64URL.encode_mut(&bytes, &mut id);
        Sid(id)
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
        assert_eq!(Sid::parse("short"), None);
    }
}
