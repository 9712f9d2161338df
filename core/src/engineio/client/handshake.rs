//! The OPEN packet (Engine.IO protocol, "Handshake").

use super::super::{Body, Packet, Transport};
use crate::json::{Token, Tokens, member, string};
use crate::ws::Millis;

/// Longer ids are nobody's, and would be repeated in each request.
const MAX_SID: usize = 1024;
/// A day: what is longer is as good as never, and can be added to any time.
const MAX_DURATION: Millis = 86_400_000;

/// What the server says at the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The session's id.
    pub sid: String,
    /// The transports that the server offers to go over to, as far as they are known here.
    pub upgrades: Vec<Transport>,
    /// How often the server pings.
    pub ping_interval: Millis,
    /// How much later than that a ping may come.
    pub ping_timeout: Millis,
    /// How long a payload may be, in bytes; `None` if the server has not said it.
    pub max_payload: Option<usize>,
}

impl Handshake {
    /// `None` if that is no handshake.
    pub(super) fn read(packet: &Packet<'_>) -> Option<Handshake> {
        let Body::Text(text) = packet.body else {
            return None;
        };
        let sid = string(member(text, "sid")?)?.into_owned();
        if sid.is_empty() || sid.len() > MAX_SID {
            return None;
        }
        Some(Handshake {
            sid,
            upgrades: member(text, "upgrades").map_or(Vec::new(), transports),
            ping_interval: number(member(text, "pingInterval")?)?.min(MAX_DURATION),
            ping_timeout: number(member(text, "pingTimeout")?)?.min(MAX_DURATION),
            max_payload: member(text, "maxPayload")
                .and_then(number)
                .and_then(|bytes| usize::try_from(bytes).ok())
                .filter(|bytes| *bytes > 0),
        })
    }
}

/// Those of a JSON array of names that are known.
fn transports(array: &str) -> Vec<Transport> {
    let mut tokens = Tokens::new(array);
    let mut found = Vec::new();
    while let Ok(Some(token)) = tokens.next() {
        if let Token::String(name) = token {
            let known = [Transport::Polling, Transport::WebSocket];
            let transport = known.into_iter().find(|known| name.is(known.name()));
            found.extend(transport.filter(|transport| !found.contains(transport)));
        }
    }
    found
}

/// Whole and not negative, whether or not it is written as a fraction.
fn number(text: &str) -> Option<u64> {
    let number: f64 = text.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::super::super::PacketType;
    use super::*;

    fn read(text: &str) -> Option<Handshake> {
        Handshake::read(&Packet::text(PacketType::Open, text))
    }

    #[test]
    fn what_the_protocol_shows_is_read() {
        let text = r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket","webtransport"],"pingInterval":25000,"pingTimeout":20000.0,"maxPayload":1000000}"#;
        let handshake = read(text).expect("it is one");
        assert_eq!(handshake.sid, "lv_VI97HAXpY6yYWAAAC");
        assert_eq!(handshake.upgrades, [Transport::WebSocket]);
        assert_eq!(
            (handshake.ping_interval, handshake.ping_timeout),
            (25_000, 20_000)
        );
        assert_eq!(handshake.max_payload, Some(1_000_000));
        let short = read(r#"{"sid":"a","pingInterval":1,"pingTimeout":1e300}"#).expect("it is one");
        assert_eq!((short.upgrades, short.max_payload), (Vec::new(), None));
        assert_eq!(short.ping_timeout, MAX_DURATION);
    }

    #[test]
    fn what_is_no_handshake_is_told() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"sid":"a"}"#,
            r#"{"sid":1,"pingInterval":1,"pingTimeout":1}"#,
            r#"{"sid":"","pingInterval":1,"pingTimeout":1}"#,
            r#"{"sid":"a","pingInterval":-1,"pingTimeout":1}"#,
            r#"{"sid":"a","pingInterval":"1","pingTimeout":1}"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
