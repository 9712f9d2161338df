//! What can be wrong with a packet.

use std::fmt;

use crate::json;

/// Why a packet can't be read or must not be written. A connection that sent one is closed, with the reason
/// "parse error" (Socket.IO protocol, "Packet encoding").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// The first character is no packet type.
    UnknownType,
    /// The number of attachments is missing, zero or no number.
    Attachments,
    /// More attachments than are allowed.
    TooManyAttachments,
    /// The acknowledgement id doesn't fit in 64 bits, or is not an integer.
    AckId,
    /// The namespace is no string.
    Namespace,
    /// The payload is no well-formed JSON, or no well-formed msgpack.
    Json,
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`](crate::json::MAX_DEPTH).
    TooDeep,
    /// The payload is not what packets of this type have.
    Payload,
    /// The event's name has a meaning of its own: [`is_reserved`](super::is_reserved).
    ReservedName,
    /// Text came where an attachment had to.
    TextWhileReconstructing,
    /// Text came where packets are binary.
    UnexpectedText,
    /// Binary data came where no attachment had to.
    UnexpectedBinary,
    /// A placeholder names no attachment.
    Placeholder,
    /// The packet with its attachments is longer than allowed.
    TooLarge,
    /// A custom parser's reason.
    Custom(&'static str),
}

impl From<json::Error> for ParseError {
    fn from(error: json::Error) -> ParseError {
        match error {
            json::Error::Malformed => ParseError::Json,
            json::Error::TooDeep => ParseError::TooDeep,
            json::Error::NoEvent => ParseError::Payload,
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParseError::UnknownType => "unknown packet type",
            ParseError::Attachments => "illegal attachments",
            ParseError::TooManyAttachments => "too many attachments",
            ParseError::AckId => "invalid acknowledgement id",
            ParseError::Namespace => "invalid namespace",
            ParseError::Json => "the payload is not well-formed",
            ParseError::TooDeep => "the payload is nested too deep",
            ParseError::Payload => "invalid payload",
            ParseError::ReservedName => "the event's name is reserved",
            ParseError::TextWhileReconstructing => "got plaintext data when reconstructing a packet",
            ParseError::UnexpectedText => "got plaintext data where packets are binary",
            ParseError::UnexpectedBinary => "got binary data when not reconstructing a packet",
            ParseError::Placeholder => "a placeholder names no attachment",
            ParseError::TooLarge => "the packet with its attachments is too large",
            ParseError::Custom(text) => text,
        })
    }
}

impl std::error::Error for ParseError {}
