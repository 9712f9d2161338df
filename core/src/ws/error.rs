//! What can go wrong: in what the peer sent ([`ProtocolError`]) and in what the caller asked for ([`SendError`]).

use std::fmt;

/// Why a connection had to be failed (RFC 6455 §7.1.7). Its text fits the reason of a close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reserved bit is set that no negotiated extension gives a meaning to (§5.2); the three bits, RSV1 highest.
    ReservedBits(u8),
    /// An opcode that the RFC reserves (§5.2).
    ReservedOpcode(u8),
    /// A client sent a frame without a mask (§5.1).
    Unmasked,
    /// A server sent a frame with a mask (§5.1).
    Masked,
    /// A control frame, of this opcode, without FIN (§5.5).
    FragmentedControl(u8),
    /// A control frame that declares a payload of this many bytes, over 125 (§5.5).
    ControlTooLong(u64),
    /// A declared length with the most significant bit set (§5.2).
    InvalidLength(u64),
    /// A continuation frame while no message is in progress (§5.4).
    UnexpectedContinuation,
    /// A text or binary frame, of this opcode, while a fragmented message is in progress (§5.4).
    ExpectedContinuation(u8),
    /// A close frame with half a code: a payload of one byte (§5.5.1).
    TruncatedCloseCode,
    /// A close frame with a code that must not be on the wire (§7.4).
    InvalidCloseCode(u16),
    /// A close frame whose reason is not UTF-8 from this byte of the reason on (§5.5.1).
    InvalidCloseReason(usize),
    /// A text message that is not UTF-8 from this byte of the message on (§8.1).
    InvalidText(usize),
    /// A message that has, or declares to get, more bytes than the limit.
    MessageTooBig {
        /// Bytes received of it so far and declared by its latest frame.
        size: u64,
        /// [`Config::max_message`](super::Config::max_message).
        limit: usize,
    },
    /// A message in so many fragments that their headers alone take more bytes than a whole message may.
    TooManyFragments {
        /// [`Config::max_message`](super::Config::max_message), or 1 KiB if that is more.
        limit: usize,
    },
    /// A message in more fragments than are allowed.
    FragmentLimit {
        /// [`Config::max_fragments`](super::Config::max_fragments).
        limit: u32,
    },
    /// RSV1, which says that a message is compressed, on a frame of this opcode, which begins none (RFC 7692 §6).
    MisplacedCompression(u8),
    /// A compressed message that is not DEFLATE data (RFC 7692 §7.2.2).
    InvalidCompression,
    /// A compressed message that ends inside a block (RFC 7692 §7.2.2).
    TruncatedCompression,
    /// The operating system has no random bytes for a mask, so that the answer due could not be sent (§5.3).
    NoRandomness,
}

impl ProtocolError {
    /// The code of the close frame that tells the peer (§7.4.1): 1002, 1007, 1008, 1009 or 1011.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::InvalidText(_) | Self::InvalidCloseReason(_) => 1007,
            Self::InvalidCompression | Self::TruncatedCompression => 1007,
            Self::MessageTooBig { .. } | Self::TooManyFragments { .. } => 1009,
            Self::FragmentLimit { .. } => 1008,
            Self::NoRandomness => 1011,
            _ => 1002,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ReservedBits(bits) => write!(f, "reserved bits {bits:03b} set without an extension"),
            Self::ReservedOpcode(opcode) => write!(f, "reserved opcode {opcode:#x}"),
            Self::Unmasked => f.write_str("frame from a client without a mask"),
            Self::Masked => f.write_str("frame from a server with a mask"),
            Self::FragmentedControl(opcode) => write!(f, "fragmented control frame, opcode {opcode:#x}"),
            Self::ControlTooLong(len) => write!(f, "control frame of {len} bytes, the limit is 125"),
            Self::InvalidLength(len) => write!(f, "frame length {len:#x} has its highest bit set"),
            Self::UnexpectedContinuation => f.write_str("continuation frame without a message to continue"),
            Self::ExpectedContinuation(opcode) => {
                write!(
                    f,
                    "opcode {opcode:#x} inside a fragmented message, expected a continuation"
                )
            }
            Self::TruncatedCloseCode => f.write_str("close frame of 1 byte, a code takes 2"),
            Self::InvalidCloseCode(code) => write!(f, "close code {code} is not allowed on the wire"),
            Self::InvalidCloseReason(at) => write!(f, "close reason is not UTF-8 at byte {at}"),
            Self::InvalidText(at) => write!(f, "text message is not UTF-8 at byte {at}"),
            Self::MessageTooBig { size, limit } => {
                write!(f, "message of at least {size} bytes, the limit is {limit}")
            }
            Self::TooManyFragments { limit } => {
                write!(
                    f,
                    "message whose fragment headers alone exceed the limit of {limit} bytes"
                )
            }
            Self::FragmentLimit { limit } => write!(f, "message in more than {limit} fragments"),
            Self::MisplacedCompression(opcode) => {
                write!(
                    f,
                    "opcode {opcode:#x} marked as compressed, but it begins no message"
                )
            }
            Self::InvalidCompression => f.write_str("compressed message is not valid DEFLATE data"),
            Self::TruncatedCompression => f.write_str("compressed message ends inside a DEFLATE block"),
            Self::NoRandomness => f.write_str("no random bytes from the operating system"),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// Why nothing was sent. `out` is untouched and the connection is as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or closed: nothing may follow our close frame (RFC 6455 §5.5.1).
    NotOpen,
    /// A ping or pong payload of this many bytes, over 125; or a close reason, over 123 (§5.5).
    ControlTooLong(usize),
    /// A close code that must not be on the wire (§7.4); see [`is_sendable_close_code`](super::is_sendable_close_code).
    InvalidCloseCode(u16),
    /// A client's payload has to be masked (§5.3), so it cannot be sent as it lies in the caller's memory.
    MaskRequired,
    /// The operating system has no random bytes for a mask (§5.3).
    NoRandomness,
    /// A message is being sent in parts; its last part has to come first (§5.4).
    Unfinished,
    /// The compressor failed; no input makes it do so.
    Compression,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotOpen => f.write_str("the connection is not open"),
            Self::ControlTooLong(len) => {
                write!(
                    f,
                    "{len} bytes: a ping or pong takes at most 125, a close reason 123"
                )
            }
            Self::InvalidCloseCode(code) => {
                write!(
                    f,
                    "close code {code}: use 1000 to 1003, 1007 to 1014 or 3000 to 4999"
                )
            }
            Self::MaskRequired => f.write_str("a client must mask what it sends, use send"),
            Self::NoRandomness => f.write_str("no random bytes from the operating system"),
            Self::Unfinished => {
                f.write_str("a message is being sent in parts, its last part has to come first")
            }
            Self::Compression => f.write_str("the compressor failed"),
        }
    }
}

impl std::error::Error for SendError {}
