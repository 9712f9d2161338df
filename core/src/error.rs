//! Every failure that a caller can see: a stable code, and a text that says what failed, with what value.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::tls::TlsError;
use crate::ws::ProtocolError;

/// What went wrong, as a number that never changes its meaning.
///
/// The numbers are those of `sockline_status` in the C header; Python and Node show [`ErrorCode::name`].
/// A number is never reused and never removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum ErrorCode {
    /// An argument is out of range, malformed, or contradicts another one.
    InvalidArgument = -1,
    /// The URL can't be parsed, or asks for what WebSocket URLs don't have (RFC 6455 §3).
    InvalidUrl = -2,
    /// The connection is not open (it is still connecting, or closing), so the call can't be done now.
    NotOpen = -3,
    /// The handle's connection or server has ended.
    Closed = -4,
    /// The handle is of another kind: a server's where a connection's is needed, or none at all.
    WrongHandle = -5,
    /// A text message or a close reason is not valid UTF-8.
    InvalidUtf8 = -6,
    /// The close code may not be sent (RFC 6455 §7.4).
    InvalidCloseCode = -7,
    /// A ping, a pong or a close reason is longer than a control frame can be (RFC 6455 §5.5).
    ControlTooLong = -8,
    /// More than the hard limit already waits to be sent; the message was not queued.
    OutboxFull = -9,
    /// The loop is being turned by another thread, or by this call's own caller.
    LoopBusy = -10,
    /// The system or the handle table has no room for another loop, connection or server.
    OutOfResources = -11,
    /// The address can't be listened on.
    ListenFailed = -12,
    /// The system refused an operation on a socket or a file.
    Io = -13,
    /// The host name has no address.
    NameNotResolved = -14,
    /// No connection could be made to any of the host's addresses.
    ConnectFailed = -15,
    /// Connecting, or the opening handshake, took longer than its timeout.
    HandshakeTimeout = -16,
    /// The peer's part of the opening handshake breaks RFC 6455 §4.
    HandshakeFailed = -17,
    /// The server answered the opening handshake with another status than 101.
    Refused = -18,
    /// The peer broke the protocol after the opening handshake (RFC 6455 §7.1.7).
    Protocol = -19,
    /// Nothing came from the peer within the ping timeout.
    PeerDead = -20,
    /// The closing handshake took longer than its timeout.
    CloseTimeout = -21,
    /// The process was forked after a loop had been made; loops don't survive a fork.
    Forked = -22,
    /// This build or platform doesn't have the feature.
    Unsupported = -23,
    /// The upgrade request was already answered.
    AlreadyAnswered = -24,
    /// The TLS handshake failed, or the peer's certificate could not be trusted.
    Tls = -25,
    /// The proxy could not be reached, or refused to connect to the host.
    Proxy = -26,
    /// A redirect was not followed: there were too many, or it led where it must not.
    Redirect = -27,
    /// A message is being sent in parts: its last part has to come before another message.
    MessageUnfinished = -28,
    /// The process's memory budget for waiting messages is used up; the message was not queued.
    MemoryBudget = -29,
    /// A topic or topic filter is not valid (MQTT 3.1.1 section 4.7).
    Topic = -30,
    /// A bug of the library was caught at its border; the connection or call that met it is lost, nothing else.
    Internal = -99,
}

impl ErrorCode {
    /// All codes, in the order of their numbers.
    pub const ALL: &'static [ErrorCode] = &[
        ErrorCode::InvalidArgument,
        ErrorCode::InvalidUrl,
        ErrorCode::NotOpen,
        ErrorCode::Closed,
        ErrorCode::WrongHandle,
        ErrorCode::InvalidUtf8,
        ErrorCode::InvalidCloseCode,
        ErrorCode::ControlTooLong,
        ErrorCode::OutboxFull,
        ErrorCode::LoopBusy,
        ErrorCode::OutOfResources,
        ErrorCode::ListenFailed,
        ErrorCode::Io,
        ErrorCode::NameNotResolved,
        ErrorCode::ConnectFailed,
        ErrorCode::HandshakeTimeout,
        ErrorCode::HandshakeFailed,
        ErrorCode::Refused,
        ErrorCode::Protocol,
        ErrorCode::PeerDead,
        ErrorCode::CloseTimeout,
        ErrorCode::Forked,
        ErrorCode::Unsupported,
        ErrorCode::AlreadyAnswered,
        ErrorCode::Tls,
        ErrorCode::Proxy,
        ErrorCode::Redirect,
        ErrorCode::MessageUnfinished,
        ErrorCode::MemoryBudget,
        ErrorCode::Topic,
        ErrorCode::Internal,
    ];

    /// The code as a stable word, the same in every language: `SOCKLINE_ERR_…`.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorCode::InvalidArgument => "SOCKLINE_ERR_INVALID_ARGUMENT",
            ErrorCode::InvalidUrl => "SOCKLINE_ERR_INVALID_URL",
            ErrorCode::NotOpen => "SOCKLINE_ERR_NOT_OPEN",
            ErrorCode::Closed => "SOCKLINE_ERR_CLOSED",
            ErrorCode::WrongHandle => "SOCKLINE_ERR_WRONG_HANDLE",
            ErrorCode::InvalidUtf8 => "SOCKLINE_ERR_INVALID_UTF8",
            ErrorCode::InvalidCloseCode => "SOCKLINE_ERR_INVALID_CLOSE_CODE",
            ErrorCode::ControlTooLong => "SOCKLINE_ERR_CONTROL_TOO_LONG",
            ErrorCode::OutboxFull => "SOCKLINE_ERR_OUTBOX_FULL",
            ErrorCode::LoopBusy => "SOCKLINE_ERR_LOOP_BUSY",
            ErrorCode::OutOfResources => "SOCKLINE_ERR_OUT_OF_RESOURCES",
            ErrorCode::ListenFailed => "SOCKLINE_ERR_LISTEN_FAILED",
            ErrorCode::Io => "SOCKLINE_ERR_IO",
            ErrorCode::NameNotResolved => "SOCKLINE_ERR_NAME_NOT_RESOLVED",
            ErrorCode::ConnectFailed => "SOCKLINE_ERR_CONNECT_FAILED",
            ErrorCode::HandshakeTimeout => "SOCKLINE_ERR_HANDSHAKE_TIMEOUT",
            ErrorCode::HandshakeFailed => "SOCKLINE_ERR_HANDSHAKE_FAILED",
            ErrorCode::Refused => "SOCKLINE_ERR_REFUSED",
            ErrorCode::Protocol => "SOCKLINE_ERR_PROTOCOL",
            ErrorCode::PeerDead => "SOCKLINE_ERR_PEER_DEAD",
            ErrorCode::CloseTimeout => "SOCKLINE_ERR_CLOSE_TIMEOUT",
            ErrorCode::Forked => "SOCKLINE_ERR_FORKED",
            ErrorCode::Unsupported => "SOCKLINE_ERR_UNSUPPORTED",
            ErrorCode::AlreadyAnswered => "SOCKLINE_ERR_ALREADY_ANSWERED",
            ErrorCode::Tls => "SOCKLINE_ERR_TLS",
            ErrorCode::Proxy => "SOCKLINE_ERR_PROXY",
            ErrorCode::Redirect => "SOCKLINE_ERR_REDIRECT",
            ErrorCode::MessageUnfinished => "SOCKLINE_ERR_MESSAGE_UNFINISHED",
            ErrorCode::MemoryBudget => "SOCKLINE_ERR_MEMORY_BUDGET",
            ErrorCode::Topic => "SOCKLINE_ERR_TOPIC",
            ErrorCode::Internal => "SOCKLINE_ERR_INTERNAL",
        }
    }

    /// One sentence for people, without the values of the case at hand.
    pub const fn text(self) -> &'static str {
        match self {
            ErrorCode::InvalidArgument => "an argument is not valid",
            ErrorCode::InvalidUrl => "the URL is not a valid WebSocket URL",
            ErrorCode::NotOpen => "the connection is not open",
            ErrorCode::Closed => "the connection or server has ended",
            ErrorCode::WrongHandle => "the handle is of another kind",
            ErrorCode::InvalidUtf8 => "the text is not valid UTF-8",
            ErrorCode::InvalidCloseCode => "this close code may not be sent",
            ErrorCode::ControlTooLong => "a control frame holds at most 125 bytes",
            ErrorCode::OutboxFull => "too much already waits to be sent",
            ErrorCode::LoopBusy => "the loop is already being turned",
            ErrorCode::OutOfResources => "no room for another loop, connection or server",
            ErrorCode::ListenFailed => "the address can't be listened on",
            ErrorCode::Io => "the system refused an operation",
            ErrorCode::NameNotResolved => "the host name has no address",
            ErrorCode::ConnectFailed => "no connection could be made",
            ErrorCode::HandshakeTimeout => "the opening handshake took too long",
            ErrorCode::HandshakeFailed => "the peer's opening handshake is not valid",
            ErrorCode::Refused => "the server refused the upgrade",
            ErrorCode::Protocol => "the peer broke the protocol",
            ErrorCode::PeerDead => "nothing came from the peer in time",
            ErrorCode::CloseTimeout => "the closing handshake took too long",
            ErrorCode::Forked => "loops don't survive a fork",
            ErrorCode::Unsupported => "not supported here",
            ErrorCode::AlreadyAnswered => "the upgrade request was already answered",
            ErrorCode::Tls => "the TLS handshake failed",
            ErrorCode::Proxy => "the proxy made no connection",
            ErrorCode::Redirect => "a redirect was not followed",
            ErrorCode::MessageUnfinished => "a message is being sent in parts",
            ErrorCode::MemoryBudget => "the memory budget is used up",
            ErrorCode::Topic => "the topic is not valid",
            ErrorCode::Internal => "a bug of the library was caught",
        }
    }

    /// The code with this number, if there is one.
    pub fn from_number(number: i32) -> Option<ErrorCode> {
        Self::ALL.iter().copied().find(|code| *code as i32 == number)
    }
}

/// A failure: its code, and a text with the values of the case at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    code: ErrorCode,
    text: Cow<'static, str>,
    cause: Option<Cause>,
}

/// What a program may want to know of the failure, besides its code.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    Response(Arc<HttpResponse>),
    HttpStatus(u16),
    System(i32),
    Protocol(ProtocolError),
    Tls(TlsError),
}

/// What a server answered instead of upgrading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// 100 to 999.
    pub status: u16,
    /// The words behind the status; may be empty.
    pub reason: String,
    /// All fields in their order, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its first 64 KiB, as far as they came within the handshake timeout, without the chunked coding.
    pub body: Vec<u8>,
}

/// What the library's fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure with a text of its own.
    pub fn new(code: ErrorCode, text: impl Into<Cow<'static, str>>) -> Error {
        Error {
            code,
            text: text.into(),
            cause: None,
        }
    }

    /// The same failure, with the HTTP status that the peer answered.
    pub(crate) fn with_http_status(mut self, status: Option<u16>) -> Error {
        self.cause = status.map(Cause::HttpStatus);
        self
    }

    /// The same failure, with the response that brought it.
    pub(crate) fn with_response(mut self, response: HttpResponse) -> Error {
        self.cause = Some(Cause::Response(Arc::new(response)));
        self
    }

    /// The same failure, with the number that the system gave it, if it did.
    pub(crate) fn with_os_error(mut self, number: Option<i32>) -> Error {
        self.cause = number.map(Cause::System);
        self
    }

    /// What the peer did wrong.
    pub(crate) fn protocol(error: ProtocolError) -> Error {
        let cause = Some(Cause::Protocol(error));
        Error {
            cause,
            ..Error::new(ErrorCode::Protocol, error.to_string())
        }
    }

    /// What is wrong with a TLS session.
    pub(crate) fn tls(error: TlsError, text: String) -> Error {
        let cause = Some(Cause::Tls(error));
        Error {
            cause,
            ..Error::new(ErrorCode::Tls, text)
        }
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What failed, with what value, and what to do; the same as `to_string()`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The HTTP status that a server answered instead of 101, for [`ErrorCode::Refused`]; that of a proxy for
    /// [`ErrorCode::Proxy`], if it is an HTTP proxy that answered.
    pub fn http_status(&self) -> Option<u16> {
        match &self.cause {
            Some(Cause::HttpStatus(status)) => Some(*status),
            Some(Cause::Response(response)) => Some(response.status),
            _ => None,
        }
    }

    /// What a server answered instead of upgrading, for [`ErrorCode::Refused`].
    pub fn response(&self) -> Option<&HttpResponse> {
        match &self.cause {
            Some(Cause::Response(response)) => Some(response),
            _ => None,
        }
    }

    /// The system's number for the failure (`errno`), for [`ErrorCode::ListenFailed`], [`ErrorCode::ConnectFailed`]
    /// (that of the last address tried) and [`ErrorCode::Io`], where the system gave one.
    pub fn os_error(&self) -> Option<i32> {
        match &self.cause {
            Some(Cause::System(number)) => Some(*number),
            _ => None,
        }
    }

    /// What was wrong with TLS, for [`ErrorCode::Tls`].
    pub fn tls_error(&self) -> Option<TlsError> {
        match self.cause {
            Some(Cause::Tls(error)) => Some(error),
            _ => None,
        }
    }

    /// What the peer did wrong, for [`ErrorCode::Protocol`].
    pub fn protocol_error(&self) -> Option<ProtocolError> {
        match &self.cause {
            Some(Cause::Protocol(error)) => Some(*error),
            _ => None,
        }
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Error {
        Error::new(code, code.text())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        for (index, code) in ErrorCode::ALL.iter().enumerate() {
            assert_eq!(ErrorCode::from_number(*code as i32), Some(*code));
            for other in &ErrorCode::ALL[index + 1..] {
                assert_ne!(code.name(), other.name());
                assert_ne!(*code as i32, *other as i32);
            }
        }
    }
}
