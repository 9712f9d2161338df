//! Sessions as they are kept in Redis: base64 of MessagePack, `{sid, pid, rooms, data}` and what only this library
//! knows, in a member that the official adapter doesn't look at.

use std::sync::Arc;

use data_encoding::BASE64;

use super::super::super::{Progress, Session};
use super::super::cluster::to_msgpack;
use super::super::values::{Value, push_names};
use super::id;
use crate::json::push_string;
use crate::socketio::ParseError;

/// The name of our member.
const OWN: &str = "sockline";

/// What a node knew of a session's events, as ids of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// As [`Progress`] has them.
    pub(super) progress: Progress,
    /// All entries up to this one had been sent, as far as they were for it.
    pub(super) at: u128,
    /// The client was connected then, and may have got more.
    pub(super) is_live: bool,
}

/// Says so in our member.
const LIVE: &str = "live";

/// Writes a session.
///
/// # Errors
/// Its data is not well-formed.
pub(super) fn write(session: &Session, marks: Option<Marks>) -> Result<Vec<u8>, ParseError> {
    let mut text = String::from("{\"sid\":");
    push_string(&session.sid, &mut text);
    text.push_str(",\"pid\":");
    push_string(&session.pid, &mut text);
    text.push_str(",\"rooms\":");
    push_names(&session.rooms, &mut text);
    text.push_str(",\"data\":");
    text.push_str(&session.data);
    if let Some(Marks {
        progress,
        at,
        is_live,
    }) = marks
    {
        text.push_str(",\"");
        text.push_str(OWN);
        let [since, sent, at] = [progress.since, progress.sent, at].map(id::text);
        text.push_str(&format!("\":[\"{since}\",\"{sent}\",\"{at}\""));
        text.push_str(if is_live { ",\"live\"]" } else { "]" });
    }
    text.push('}');
    Ok(BASE64.encode(&to_msgpack(&text, &[])?).into_bytes())
}

/// Reads a session. One that an official node has kept has no marks.
pub(super) fn read(value: &[u8]) -> Option<(Session, Option<Marks>)> {
    let data = BASE64.decode(value).ok()?;
    let names = ["sid", "pid", "rooms", "data", OWN];
    let [sid, pid, rooms, data, marks] = Value::Msgpack(&data).members(names).ok()?;
    let text = |value: Option<Value<'_>>| Some(value?.string()?.into_owned());
    let mut session = Session {
        sid: text(sid)?,
        pid: text(pid)?,
        rooms: rooms?.names().ok()?,
        data: data.map_or_else(|| Ok("{}".to_owned()), Value::text).ok()?,
        progress: Progress::default(),
    };
    let marks = marks.and_then(read_marks);
    if let Some(marks) = marks {
        session.progress = marks.progress;
    }
    Some((session, marks))
}

fn read_marks(marks: Value<'_>) -> Option<Marks> {
    let ids: Vec<Arc<str>> = marks.names().ok()?;
    match ids.as_slice() {
        [since, sent, at, rest @ ..] => Some(Marks {
            progress: Progress {
                since: id::parse(since)?,
                sent: id::parse(sent)?,
            },
            at: id::parse(at)?,
            is_live: rest.first().is_some_and(|word| &**word == LIVE),
        }),
        _ => None,
    }
}
