//! What both ends agree on (RFC 7692 §7.1).

use std::fmt;

use ::http::{HeaderMap, header};

use super::super::extensions::{self, Extension};
use super::super::{Compression, Role};

/// The name of the extension (RFC 7692 §7).
const NAME: &str = "permessage-deflate";

/// The largest window, and the one of who says nothing (§7.1.2).
const MOST_BITS: u8 = 15;

/// The smallest window that zlib can compress for: with 8 bits it writes streams that need 9.
const LEAST_OWN_BITS: u8 = 9;

/// What was agreed on. It displays as the value of the header of the response (RFC 7692 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Agreement {
    /// The server begins each message with an empty window.
    pub server_no_context_takeover: bool,
    /// The client begins each message with an empty window.
    pub client_no_context_takeover: bool,
    /// The base-2 logarithm of the server's window; `None` if nothing was said, and then it is 15.
    pub server_max_window_bits: Option<u8>,
    /// The same of the client's window.
    pub client_max_window_bits: Option<u8>,
}

impl Agreement {
    /// Whether this end may not refer to earlier messages.
    pub(super) fn resets(&self, role: Role) -> bool {
        match role {
            Role::Client => self.client_no_context_takeover,
            Role::Server => self.server_no_context_takeover,
        }
    }

    /// The window of this end.
    pub(super) fn window_bits(&self, role: Role) -> u8 {
        let bits = match role {
            Role::Client => self.client_max_window_bits,
            Role::Server => self.server_max_window_bits,
        };
        bits.unwrap_or(MOST_BITS)
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        if let Some(bits) = self.client_max_window_bits {
            write!(f, "; client_max_window_bits={bits}")?;
        }
        Ok(())
    }
}

/// The value of Sec-WebSocket-Extensions in a client's request. That it can limit its own window is always said, so
/// that a server that is short of memory can ask for it.
pub(in super::super) fn offer(wanted: &Compression) -> String {
    let limit = |bits: u8| (bits < MOST_BITS).then_some(bits);
    let agreement = Agreement {
        server_no_context_takeover: wanted.server_no_context_takeover,
        client_no_context_takeover: wanted.client_no_context_takeover,
        server_max_window_bits: limit(wanted.server_max_window_bits),
        client_max_window_bits: limit(wanted.client_max_window_bits),
    };
    let value_less = match agreement.client_max_window_bits {
        Some(_) => "",
        None => "; client_max_window_bits",
    };
    format!("{agreement}{value_less}")
}

/// A server's choice: the first offer that it can take; `None` if there is none, and then nothing is compressed.
///
/// The error says what breaks the grammar of the header (RFC 6455 §9.1: the handshake fails then).
pub(in super::super) fn choose(
    headers: &HeaderMap,
    own: &Compression,
) -> Result<Option<Agreement>, &'static str> {
    let offers = parse(headers)?;
    Ok(offers.iter().find_map(|offer| accept(offer, own)))
}

/// §7.1: an offer with a parameter that is unknown, occurs twice or has a wrong value is declined.
fn accept(offer: &Extension<'_>, own: &Compression) -> Option<Agreement> {
    let offered = Parameters::read(offer).ok()?;
    let server_bits = match offered.server_max_window_bits {
        Some(bits) => Some(bits?.min(own.server_max_window_bits)),
        None => Some(own.server_max_window_bits).filter(|bits| *bits < MOST_BITS),
    };
    if server_bits.is_some_and(|bits| bits < LEAST_OWN_BITS) {
        return None;
    }
    // §7.1.2.2: the parameter may be in the response only if the client has offered it.
    let client_bits = offered
        .client_max_window_bits
        .map(|bits| bits.unwrap_or(MOST_BITS).min(own.client_max_window_bits))
        .filter(|bits| *bits < MOST_BITS);
    Some(Agreement {
        server_no_context_takeover: offered.server_no_context_takeover || own.server_no_context_takeover,
        client_no_context_takeover: offered.client_no_context_takeover || own.client_no_context_takeover,
        server_max_window_bits: server_bits,
        client_max_window_bits: client_bits,
    })
}

/// A client's judgement of what the server chose: nothing, or permessage-deflate within its offer (§7.1).
pub(in super::super) fn judge(
    headers: &HeaderMap,
    offered: Option<&Compression>,
) -> Result<Option<Agreement>, String> {
    let fail = |why: &str| {
        let chosen = display(headers);
        Err(format!("the server chose the extension {chosen:?}: {why}"))
    };
    let chosen = match parse(headers) {
        Ok(chosen) => chosen,
        Err(why) => return fail(why),
    };
    let Some((first, others)) = chosen.split_first() else {
        return Ok(None);
    };
    let Some(offered) = offered.filter(|_| first.name == NAME && others.is_empty()) else {
        return fail("it was not offered");
    };
    match Parameters::read(first).and_then(|answer| check(&answer, offered)) {
        Ok(agreement) => Ok(Some(agreement)),
        Err(why) => fail(why),
    }
}

/// §7.1.1 and §7.1.2: what was asked of the server has to be in its answer, and what it asks has to be possible.
fn check(answer: &Parameters, offered: &Compression) -> Result<Agreement, &'static str> {
    if offered.server_no_context_takeover && !answer.server_no_context_takeover {
        return Err("server_no_context_takeover was asked for and is missing");
    }
    let server_bits = answer.server_max_window_bits.flatten();
    if server_bits.unwrap_or(MOST_BITS) > offered.server_max_window_bits {
        return Err("server_max_window_bits is larger than was asked for");
    }
    let client_bits = match answer.client_max_window_bits {
        Some(None) => return Err("client_max_window_bits has no value"),
        // What was offered limits us whatever the answer says.
        bits => bits
            .flatten()
            .unwrap_or(MOST_BITS)
            .min(offered.client_max_window_bits),
    };
    Ok(Agreement {
        server_no_context_takeover: answer.server_no_context_takeover,
        client_no_context_takeover: answer.client_no_context_takeover || offered.client_no_context_takeover,
        server_max_window_bits: server_bits,
        client_max_window_bits: Some(client_bits).filter(|bits| *bits < MOST_BITS),
    })
}

/// All lines of the header as one value.
pub(in super::super) fn display(headers: &HeaderMap) -> String {
    let lines: Vec<_> = lines(headers).map(String::from_utf8_lossy).collect();
    lines.join(", ")
}

fn parse(headers: &HeaderMap) -> Result<Vec<Extension<'_>>, &'static str> {
    extensions::parse(lines(headers))
}

fn lines(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS);
    lines.into_iter().map(|line| line.as_bytes())
}

/// The parameters of an offer or an answer, as they were written.
#[derive(Default)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    /// The outer `None`: not there; the inner one: there without a value.
    server_max_window_bits: Option<Option<u8>>,
    client_max_window_bits: Option<Option<u8>>,
}

impl Parameters {
    fn read(extension: &Extension<'_>) -> Result<Parameters, &'static str> {
        if extension.name != NAME {
            return Err("it is not known");
        }
        let mut parameters = Parameters::default();
        for (position, (name, value)) in extension.parameters.iter().enumerate() {
            if extension
                .parameters
                .iter()
                .take(position)
                .any(|(earlier, _)| earlier == name)
            {
                return Err("a parameter occurs twice");
            }
            parameters.take(name, value.as_deref())?;
        }
        if parameters.server_max_window_bits == Some(None) {
            return Err("server_max_window_bits has no value");
        }
        Ok(parameters)
    }

    fn take(&mut self, name: &str, value: Option<&str>) -> Result<(), &'static str> {
        match (name, value) {
            ("server_no_context_takeover", None) => self.server_no_context_takeover = true,
            ("client_no_context_takeover", None) => self.client_no_context_takeover = true,
            ("server_max_window_bits", value) => self.server_max_window_bits = Some(window_bits(value)?),
            ("client_max_window_bits", value) => self.client_max_window_bits = Some(window_bits(value)?),
            ("server_no_context_takeover" | "client_no_context_takeover", _) => {
                return Err("a context takeover parameter has a value");
            }
            _ => return Err("a parameter is not known"),
        }
        Ok(())
    }
}

/// §7.1.2: "a decimal integer value without leading zeroes between 8 to 15 inclusive".
fn window_bits(value: Option<&str>) -> Result<Option<u8>, &'static str> {
    match value {
        None => Ok(None),
        Some("8") => Ok(Some(8)),
        Some("9") => Ok(Some(9)),
        Some("10") => Ok(Some(10)),
        Some("11") => Ok(Some(11)),
        Some("12") => Ok(Some(12)),
        Some("13") => Ok(Some(13)),
        Some("14") => Ok(Some(14)),
        Some("15") => Ok(Some(15)),
        Some(_) => Err("window bits are not 8 to 15"),
    }
}
