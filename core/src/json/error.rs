//! What can be wrong with a text.

use std::fmt;

/// Why a text can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// It is not well-formed JSON (RFC 8259).
    Malformed,
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
    /// It is JSON, but no array that begins with a name.
    NoEvent,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Malformed => "not well-formed JSON",
            Error::TooDeep => "JSON that is nested too deep",
            Error::NoEvent => "no array that begins with a name",
        })
    }
}

impl std::error::Error for Error {}
