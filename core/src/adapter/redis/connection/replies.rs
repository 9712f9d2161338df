//! Answers of Redis, as what they mean.

use redis::Value;

use crate::adapter::redis::{Entry, Fields};

/// `PUBSUB NUMSUB` of one channel, or those of several nodes.
pub(super) fn subscribers(answer: Value) -> Option<usize> {
    match answer {
        Value::Map(nodes) => nodes.into_iter().map(|(_, answer)| subscribers(answer)).sum(),
        Value::Array(pair) => match pair.get(1)? {
            Value::Int(count) => usize::try_from(*count).ok(),
            _ => None,
        },
        _ => None,
    }
}

/// `PUBLISH`.
pub(super) fn count(answer: Value) -> Option<usize> {
    match answer {
        Value::Int(count) => usize::try_from(count).ok(),
        _ => None,
    }
}

pub(super) fn id(answer: Value) -> Option<String> {
    match answer {
        Value::BulkString(id) => String::from_utf8(id).ok(),
        Value::SimpleString(id) => Some(id),
        _ => None,
    }
}

/// `XRANGE`.
pub(super) fn entries(answer: Value) -> Option<Vec<Entry>> {
    match answer {
        Value::Array(entries) => entries.into_iter().map(entry).collect(),
        _ => None,
    }
}

fn entry(answer: Value) -> Option<Entry> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let [name, fields] = parts.try_into().ok()?;
    Some((id(name)?, self::fields(fields)?))
}

/// Names and values by turns; nothing for an entry that was deleted.
fn fields(answer: Value) -> Option<Fields> {
    let values = match answer {
        Value::Array(values) => values,
        Value::Nil => Vec::new(),
        _ => return None,
    };
    let mut values = values.into_iter();
    let mut fields = Vec::with_capacity(values.len() / 2);
    while let (Some(name), Some(value)) = (values.next(), values.next()) {
        let (Value::BulkString(name), Value::BulkString(value)) = (name, value) else {
            return None;
        };
        fields.push((name, value));
    }
    Some(fields)
}

/// `XREAD` of one stream; nothing if nothing came in time.
pub(super) fn news(answer: Value) -> Option<Vec<Entry>> {
    match answer {
        Value::Nil => Some(Vec::new()),
        Value::Array(streams) => match streams.into_iter().next()? {
            Value::Array(stream) => entries(stream.into_iter().nth(1)?),
            _ => None,
        },
        _ => None,
    }
}
