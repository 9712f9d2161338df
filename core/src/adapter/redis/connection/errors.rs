//! What went wrong with Redis, in words for who runs it.

use std::io;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::adapter::AdapterError;

use super::target::Place;

/// Why there is no connection.
pub(super) struct Trouble {
    pub(super) error: AdapterError,
    /// The server is too old: another attempt would be of no use.
    pub(super) too_old: bool,
}

impl From<AdapterError> for Trouble {
    fn from(error: AdapterError) -> Trouble {
        Trouble {
            error,
            too_old: false,
        }
    }
}

impl From<Trouble> for AdapterError {
    fn from(trouble: Trouble) -> AdapterError {
        trouble.error
    }
}

pub(super) fn trouble(error: &RedisError, place: &Place) -> Trouble {
    Trouble {
        error: explain(error, place),
        too_old: error.kind() == ErrorKind::RESP3NotSupported || is_unknown(error),
    }
}

fn is_unknown(error: &RedisError) -> bool {
    let server = matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
    server && error.to_string().to_lowercase().contains("unknown command")
}

/// An error, with the place it comes from.
pub(super) fn explain(error: &RedisError, place: &Place) -> AdapterError {
    let code = error.code().unwrap_or_default();
    let said = error.to_string();
    let text = match error.kind() {
        _ if error.is_connection_refusal() => {
            format!("Redis at {place} can't be connected to: {}", cause(error))
        }
        ErrorKind::AuthenticationFailed => format!("Redis at {place} refused user and password: {said}"),
        ErrorKind::RESP3NotSupported => too_old(place),
        _ if code == "WRONGPASS" => format!("Redis at {place} refused user and password: {said}"),
        _ if code == "NOAUTH" => format!("Redis at {place} wants a password, and the URL has none"),
        _ if code == "NOPERM" => format!("Redis at {place} does not permit that to this user: {said}"),
        _ if is_unknown(error) => too_old(place) + ": " + &said,
        ErrorKind::Io if error.is_timeout() => no_answer(place).0,
        ErrorKind::Io => format!("the connection to Redis at {place} failed: {}", cause(error)),
        _ => format!("Redis at {place} answered: {said}"),
    };
    AdapterError(text)
}

/// Sharded channels came with Redis 7, the protocol they are heard over with Redis 6.
fn too_old(place: &Place) -> String {
    format!("Redis at {place} does not know sharded channels, which need Redis 7 or later")
}

pub(super) fn no_answer(place: &Place) -> AdapterError {
    AdapterError(format!("Redis at {place} does not answer"))
}

pub(super) fn closed(place: &Place) -> AdapterError {
    AdapterError(format!("Redis at {place} closed the connection"))
}

pub(super) fn unexpected(place: &Place, what: &str) -> AdapterError {
    AdapterError(format!(
        "Redis at {place} gave an answer to {what} that was not expected"
    ))
}

/// The system's or TLS's own words, if there are any.
fn cause(error: &RedisError) -> String {
    match std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

/// Whether it is the connection that can't be used any more, or its server; not only the one command.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_io_error() || is_not_ready(error)
}

/// A replica that was a master, or a server that is about to begin.
fn is_not_ready(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::ReadOnly
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
        )
    )
}
