//! Ids of sockets: public names of clients, as many characters as the official server's.

use data_encoding::BASE64URL;

/// 15 bytes are 20 characters. Adapters of the official server and `@socket.io/sticky` tell ids from rooms by that length.
const BYTES: usize = 15;

const LENGTH: usize = 20;

/// A socket's id. One of the usual length needs no memory of its own.
#[derive(Clone)]
pub(super) enum SocketId {
    Usual([u8; LENGTH]),
    /// Of old clients, in which the namespace's name is part of it.
    Long(Box<str>),
}

impl SocketId {
    pub(super) fn as_str(&self) -> &str {
        match self {
            // It was text.
            SocketId::Usual(id) => std::str::from_utf8(id).unwrap_or_default(),
            SocketId::Long(id) => id,
        }
    }
}

impl From<&str> for SocketId {
    fn from(id: &str) -> SocketId {
        match id.as_bytes().try_into() {
            Ok(id) => SocketId::Usual(id),
            Err(_) => SocketId::Long(id.into()),
        }
    }
}

/// 20 characters of `A`–`Z`, `a`–`z`, `0`–`9`, `-` and `_`: 120 random bits.
pub(super) fn fresh() -> Box<str> {
    let mut bytes = [0; BYTES];
    if let Err(error) = getrandom::fill(&mut bytes) {
        // Only where the system has no source of randomness at all; then at least no two are the same.
        log::error!("the system gives no random bytes: {error}");
        let number = super::registry::fresh().to_be_bytes();
        bytes[..8].copy_from_slice(&number);
    }
    BASE64URL.encode(&bytes).into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_kept_whatever_its_length() {
        for text in [
            "",
            "abcdefghijklmnopqrst",
            "ähijklmnopqrstuvwxy",
            "/chat#abcdefghijklmnopqrst",
        ] {
            assert_eq!(SocketId::from(text).as_str(), text);
        }
        assert_eq!(size_of::<SocketId>(), 24);
    }

    #[test]
    fn ids_have_the_official_form() {
        let ids: std::collections::HashSet<Box<str>> = (0..1000).map(|_| fresh()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            assert_eq!(id.len(), 20);
            assert!(
                id.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
                "{id}"
            );
        }
    }
}
