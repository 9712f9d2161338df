//! What is published where.

/// The names of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels {
    /// Where broadcasts go; with a room behind it, those for that room alone.
    pub broadcast: String,
    /// Where requests go.
    pub request: String,
    /// Where answers go.
    pub response: String,
}

impl Channels {
    /// The names of a namespace, for this key ("socket.io", if nobody says otherwise).
    pub fn new(key: &str, namespace: &str) -> Channels {
        Channels {
            broadcast: format!("{key}#{namespace}#"),
            request: format!("{key}-request#{namespace}#"),
            response: format!("{key}-response#{namespace}#"),
        }
    }

    /// Where a broadcast for these rooms goes, each of which is there once.
    pub fn for_rooms(&self, rooms: &[&str]) -> String {
        match rooms {
            [room] => format!("{}{room}#", self.broadcast),
            _ => self.broadcast.clone(),
        }
    }

    /// Where the answers for one node go.
    pub fn response_of(&self, uid: &str) -> String {
        format!("{}{uid}#", self.response)
    }

    /// What all broadcasts are heard with. Only the star at the end means more than itself (Redis, "PSUBSCRIBE").
    pub fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.broadcast.len() + 1);
        for c in self.broadcast.chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('*');
        pattern
    }

    /// The room of a channel that fits the pattern: `Some("")` for the channel of all the others.
    pub fn room<'a>(&self, channel: &'a str) -> Option<&'a str> {
        let room = channel.strip_prefix(&self.broadcast)?;
        Some(room.strip_suffix('#').unwrap_or(room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_official_ones() {
        let channels = Channels::new("socket.io", "/");
        assert_eq!(channels.pattern(), "socket.io#/#*");
        assert_eq!(channels.for_rooms(&[]), "socket.io#/#");
        assert_eq!(channels.for_rooms(&["a", "b"]), "socket.io#/#");
        assert_eq!(channels.for_rooms(&["a#"]), "socket.io#/#a##");
        assert_eq!(channels.room("socket.io#/#a##"), Some("a#"));
        assert_eq!(channels.room("socket.io#/#"), Some(""));
        assert_eq!(channels.room("socket.io#/admin#"), None);
        assert_eq!(channels.request, "socket.io-request#/#");
        assert_eq!(channels.response_of("abc"), "socket.io-response#/#abc#");
    }

    #[test]
    fn a_namespace_is_no_pattern() {
        assert_eq!(Channels::new("k", "/a[b]*\\?").pattern(), r"k#/a\[b\]\*\\\?#*");
    }
}
