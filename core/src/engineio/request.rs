//! Which requests are served, and what the others are told (the codes of the protocol document, "Error handling").

use std::fmt;

use super::query::Query;
use super::{Sid, Version};
use crate::http::Request;
use http::Method;

/// What carries a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// A WebSocket.
    WebSocket,
}

impl Transport {
    /// The name in the query: `polling`, `websocket`.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Polling => "polling",
            Transport::WebSocket => "websocket",
        }
    }
}

/// The numbers of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DenialCode {
    /// The transport is unknown, or not allowed here.
    UnknownTransport = 0,
    /// There is no session with this id; it may have ended.
    UnknownSid = 1,
    /// A session begins with GET.
    BadHandshakeMethod = 2,
    /// Anything else that is wrong with the request.
    BadRequest = 3,
    /// The application doesn't want the client.
    Forbidden = 4,
    /// A revision of the protocol that isn't served.
    UnsupportedProtocolVersion = 5,
}

impl DenialCode {
    /// The official words.
    pub fn message(self) -> &'static str {
        match self {
            DenialCode::UnknownTransport => "Transport unknown",
            DenialCode::UnknownSid => "Session ID unknown",
            DenialCode::BadHandshakeMethod => "Bad handshake method",
            DenialCode::BadRequest => "Bad request",
            DenialCode::Forbidden => "Forbidden",
            DenialCode::UnsupportedProtocolVersion => "Unsupported protocol version",
        }
    }
}

/// A request that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Why, for the client.
    pub code: DenialCode,
    /// The application's words, for a client that it doesn't want.
    pub message: Option<String>,
    /// Why, for the application: names and values as in the official `connection_error` event.
    pub context: Vec<(&'static str, String)>,
}

impl Denial {
    /// With this context.
    pub fn new(code: DenialCode, context: Vec<(&'static str, String)>) -> Denial {
        Denial {
            code,
            message: None,
            context,
        }
    }

    /// Code 3, with the official name of what is wrong and more.
    pub fn bad_request(name: &str, mut more: Vec<(&'static str, String)>) -> Denial {
        more.insert(0, ("name", name.to_owned()));
        Denial::new(DenialCode::BadRequest, more)
    }

    /// The application's refusal.
    pub fn forbidden(message: Option<&str>) -> Denial {
        Denial {
            code: DenialCode::Forbidden,
            message: message.filter(|text| !text.is_empty()).map(str::to_owned),
            context: message
                .map(|text| ("message", text.to_owned()))
                .into_iter()
                .collect(),
        }
    }

    /// What the client is told in words.
    pub fn text(&self) -> &str {
        self.message.as_deref().unwrap_or(self.code.message())
    }

    /// The status of the answer to a plain request; upgrades are always refused with 400.
    pub fn status(&self) -> u16 {
        match self.code {
            DenialCode::Forbidden => 403,
            _ => 400,
        }
    }

    /// The body of the answer to a plain request.
    pub fn to_json(&self) -> String {
        format!(
            "{{\"code\":{},\"message\":{}}}",
            self.code as u8,
            json_string(self.text())
        )
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A text as JSON, escaped as `JSON.stringify` does.
pub(super) fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..'\u{20}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// What a server allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Clients may use long-polling.
    pub polling: bool,
    /// Clients may use WebSockets.
    pub websocket: bool,
    /// Clients of revision 3 are served.
    pub allow_eio3: bool,
}

impl Rules {
    fn transport(&self, name: Option<&str>) -> Option<Transport> {
        match name {
            Some("polling") if self.polling => Some(Transport::Polling),
            Some("websocket") if self.websocket => Some(Transport::WebSocket),
            _ => None,
        }
    }
}

/// What is known of the session that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// What carries it now.
    pub transport: Transport,
    /// The revision that it began with.
    pub version: Version,
}

/// A request that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// It begins a session.
    Handshake {
        /// With this transport.
        transport: Transport,
        /// In this revision.
        version: Version,
        /// For a client that can't read binary data.
        b64: bool,
    },
    /// It belongs to a session.
    Session {
        /// Which one.
        sid: Sid,
        /// The transport that it names.
        transport: Transport,
    },
}

/// Checks a request, in the order of the official server. `session` finds what a request names; `is_upgrade` says whether
/// it asks for a WebSocket.
///
/// # Errors
/// What the client is to be told.
pub fn verify(
    request: &Request,
    is_upgrade: bool,
    rules: &Rules,
    session: impl FnOnce(&Sid) -> Option<Known>,
) -> Result<Verified, Denial> {
    let query = Query::parse(request.query().unwrap_or_default());
    let Some(transport) = rules.transport(query.transport.as_deref()) else {
        let named = query.transport.iter().map(|name| ("transport", name.to_string()));
        return Err(Denial::new(DenialCode::UnknownTransport, named.collect()));
    };
    check_origin(request)?;
    match &query.sid {
        Some(sid) => verify_known(sid, &query, transport, is_upgrade, session),
        None => verify_new(request, &query, transport, is_upgrade, rules),
    }
}

fn verify_known(
    named: &str,
    query: &Query<'_>,
    transport: Transport,
    is_upgrade: bool,
    session: impl FnOnce(&Sid) -> Option<Known>,
) -> Result<Verified, Denial> {
    let found = Sid::parse(named).and_then(|sid| session(&sid).map(|known| (sid, known)));
    let Some((sid, known)) = found else {
        return Err(Denial::new(
            DenialCode::UnknownSid,
            vec![("sid", named.to_owned())],
        ));
    };
    if !is_upgrade && known.transport != transport {
        return Err(Denial::bad_request(
            "TRANSPORT_MISMATCH",
            vec![
                ("transport", transport.name().to_owned()),
                ("previousTransport", known.transport.name().to_owned()),
            ],
        ));
    }
    if known.version != query.version() {
        return Err(Denial::bad_request(
            "PROTOCOL_MISMATCH",
            vec![
                ("protocol", (query.version() as u8).to_string()),
                ("previousProtocol", (known.version as u8).to_string()),
            ],
        ));
    }
    Ok(Verified::Session { sid, transport })
}

fn verify_new(
    request: &Request,
    query: &Query<'_>,
    transport: Transport,
    is_upgrade: bool,
    rules: &Rules,
) -> Result<Verified, Denial> {
    if request.method != Method::GET {
        let method = ("method", request.method.to_string());
        return Err(Denial::new(DenialCode::BadHandshakeMethod, vec![method]));
    }
    if transport == Transport::WebSocket && !is_upgrade {
        return Err(Denial::bad_request("TRANSPORT_HANDSHAKE_ERROR", Vec::new()));
    }
    let version = query.version();
    if version == Version::V3 && !rules.allow_eio3 {
        // The official server looks at this last, for an upgrade even after its 101.
        let protocol = ("protocol", (version as u8).to_string());
        return Err(Denial::new(
            DenialCode::UnsupportedProtocolVersion,
            vec![protocol],
        ));
    }
    Ok(Verified::Handshake {
        transport,
        version,
        b64: query.b64 || query.jsonp().is_some(), // a script is text
    })
}

/// The characters that may stand in a field (RFC 9110 §5.5): an origin is reflected in answers.
fn check_origin(request: &Request) -> Result<(), Denial> {
    let Some(origin) = request.headers.get(http::header::ORIGIN) else {
        return Ok(());
    };
    let is_valid = |byte: &u8| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f);
    if origin.as_bytes().iter().all(is_valid) {
        return Ok(());
    }
    let shown = String::from_utf8_lossy(origin.as_bytes()).into_owned();
    Err(Denial::bad_request("INVALID_ORIGIN", vec![("origin", shown)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Limits, parse_request};

    const SID: &str = "AAAAAAAAAAAAAAAAAAAA";
    const ALL: Rules = Rules {
        polling: true,
        websocket: true,
        allow_eio3: false,
    };

    fn request(method: &str, target: &str) -> Request {
        let text = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        parse_request(text.as_bytes(), &Limits::default())
            .unwrap()
            .unwrap()
            .0
    }

    fn denied(
        method: &str,
        query: &str,
        is_upgrade: bool,
        rules: &Rules,
        known: Option<Known>,
    ) -> (u16, String) {
        let request = request(method, &format!("/engine.io/?{query}"));
        let denial = verify(&request, is_upgrade, rules, |_| known).expect_err("it is denied");
        (
            denial.status(),
            format!("{} {:?}", denial.to_json(), denial.context),
        )
    }

    #[test]
    fn the_refusals_are_the_official_ones() {
        let polling = Some(Known {
            transport: Transport::Polling,
            version: Version::V4,
        });
        let websocket = Some(Known {
            transport: Transport::WebSocket,
            version: Version::V4,
        });
        let known = format!("EIO=4&transport=polling&sid={SID}");
        let old = format!("EIO=3&transport=polling&sid={SID}");
        let upgrade = format!("EIO=3&transport=websocket&sid={SID}");
        for (method, query, is_upgrade, session, expected) in [
            (
                "GET",
                "EIO=4",
                false,
                None,
                r#"{"code":0,"message":"Transport unknown"} []"#,
            ),
            (
                "GET",
                "EIO=4&transport=webtransport",
                false,
                None,
                r#"{"code":0,"message":"Transport unknown"} [("transport", "webtransport")]"#,
            ),
            (
                "GET",
                "EIO=4&transport=polling&sid=abc",
                false,
                None,
                r#"{"code":1,"message":"Session ID unknown"} [("sid", "abc")]"#,
            ),
            (
                "POST",
                &known,
                false,
                None,
                r#"{"code":1,"message":"Session ID unknown"} [("sid", "AAAAAAAAAAAAAAAAAAAA")]"#,
            ),
            (
                "OPTIONS",
                "EIO=4&transport=polling",
                false,
                None,
                r#"{"code":2,"message":"Bad handshake method"} [("method", "OPTIONS")]"#,
            ),
            (
                "GET",
                &known,
                false,
                websocket,
                r#"{"code":3,"message":"Bad request"} [("name", "TRANSPORT_MISMATCH"), ("transport", "polling"), ("previousTransport", "websocket")]"#,
            ),
            (
                "GET",
                &old,
                false,
                polling,
                r#"{"code":3,"message":"Bad request"} [("name", "PROTOCOL_MISMATCH"), ("protocol", "3"), ("previousProtocol", "4")]"#,
            ),
            (
                "GET",
                &upgrade,
                true,
                polling,
                r#"{"code":3,"message":"Bad request"} [("name", "PROTOCOL_MISMATCH"), ("protocol", "3"), ("previousProtocol", "4")]"#,
            ),
            (
                "GET",
                "EIO=4&transport=websocket",
                false,
                None,
                r#"{"code":3,"message":"Bad request"} [("name", "TRANSPORT_HANDSHAKE_ERROR")]"#,
            ),
            (
                "GET",
                "transport=polling",
                false,
                None,
                r#"{"code":5,"message":"Unsupported protocol version"} [("protocol", "3")]"#,
            ),
            (
                "GET",
                "EIO=3&transport=websocket",
                true,
                None,
                r#"{"code":5,"message":"Unsupported protocol version"} [("protocol", "3")]"#,
            ),
        ] {
            assert_eq!(
                denied(method, query, is_upgrade, &ALL, session),
                (400, expected.to_owned()),
                "{method} {query}"
            );
        }
        let no_polling = Rules {
            polling: false,
            ..ALL
        };
        let text = denied("GET", "EIO=4&transport=polling", false, &no_polling, None).1;
        assert!(text.contains("\"code\":0"), "{text}");
        let forbidden = Denial::forbidden(Some("no \"bots\"\n\u{1}"));
        assert_eq!(forbidden.status(), 403);
        assert_eq!(
            forbidden.to_json(),
            r#"{"code":4,"message":"no \"bots\"\n\u0001"}"#
        );
        assert_eq!(
            Denial::forbidden(None).to_json(),
            r#"{"code":4,"message":"Forbidden"}"#
        );
    }

    #[test]
    fn what_is_served() {
        let rules = Rules {
            allow_eio3: true,
            ..ALL
        };
        let handshake = |transport, version, b64| {
            Ok(Verified::Handshake {
                transport,
                version,
                b64,
            })
        };
        let verify =
            |target: &str, is_upgrade, known| verify(&request("GET", target), is_upgrade, &rules, |_| known);
        assert_eq!(
            verify("/socket.io/?transport=polling&b64=1", false, None),
            handshake(Transport::Polling, Version::V3, true)
        );
        assert_eq!(
            verify("/socket.io/?EIO=4&transport=websocket&sid=", true, None),
            handshake(Transport::WebSocket, Version::V4, false)
        );
        // Asking for a WebSocket with `transport=polling` gets one, which is closed.
        let sid = Sid::parse(SID).unwrap();
        let known = Some(Known {
            transport: Transport::WebSocket,
            version: Version::V4,
        });
        assert_eq!(
            verify(&format!("/e/?EIO=4&transport=polling&sid={SID}"), true, known),
            Ok(Verified::Session {
                sid,
                transport: Transport::Polling
            })
        );
    }
}
