//! What ends a command early, in words for people, and the codes to exit with.

use std::io::Write as _;
use std::path::Path;

use sockline::{Error, ErrorCode, TlsError};

use crate::paint::Paint;

/// The codes that the command exits with; `--help` of each command lists them.
pub(crate) mod exit {
    /// It did what it was asked to.
    pub(crate) const DONE: i32 = 0;
    /// No connection could be made, or no server started.
    pub(crate) const NOT_CONNECTED: i32 = 1;
    /// The command line is wrong.
    pub(crate) const USAGE: i32 = 2;
    /// The connection was lost, or closed by the peer for an error.
    pub(crate) const LOST: i32 = 3;
    /// What came back is not what was sent.
    pub(crate) const NO_ECHO: i32 = 4;
    /// What shells say of a program that a signal has ended.
    pub(crate) const SIGNAL: i32 = 128;
}

/// Why a command ends early: what failed and why, and what may help.
#[derive(Debug)]
pub(crate) struct Failure {
    code: i32,
    text: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: i32, text: impl Into<String>) -> Failure {
        Failure {
            code,
            text: text.into(),
            hint: None,
        }
    }

    /// The command line asks for what can't be.
    pub(crate) fn usage(text: impl Into<String>) -> Failure {
        Failure::new(exit::USAGE, text)
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// A file that was named can't be read.
    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
        Failure::usage(format!("can't read {}: {error}", path.display()))
    }

    /// The core's failure to begin, or to get as far as an open connection.
    pub(crate) fn beginning(error: &Error) -> Failure {
        let code = match error.code() {
            ErrorCode::InvalidArgument | ErrorCode::InvalidUrl => exit::USAGE,
            _ => exit::NOT_CONNECTED,
        };
        let mut failure = Failure::new(code, error.text());
        failure.hint = hint(error);
        if let Some(response) = error.response() {
            failure.hint = said(&response.body);
        }
        failure
    }

    /// The core's failure of a connection that was open.
    pub(crate) fn losing(error: &Error) -> Failure {
        Failure::new(exit::LOST, error.text())
    }

    /// Prints it, and gives the code to exit with.
    pub(crate) fn report(self) -> i32 {
        let paint = Paint::stderr();
        let mut text = format!("{} {}\n", paint.error("error:"), self.text);
        if let Some(hint) = self.hint {
            text.push_str(&format!("{} {hint}\n", paint.dim("hint:")));
        }
        let _ = std::io::stderr().write_all(text.as_bytes()); // nobody reads it, then
        self.code
    }
}

/// What may help with an error of the core's.
fn hint(error: &Error) -> Option<String> {
    let text = match error.code() {
        ErrorCode::InvalidUrl => "a URL looks like ws://host:port/path, or wss:// for TLS",
        ErrorCode::ConnectFailed => "is the server running, and is this its port?",
        ErrorCode::NameNotResolved => "is the host's name right?",
        ErrorCode::HandshakeTimeout => "--connect-timeout gives it more time",
        ErrorCode::HandshakeFailed => "is it a WebSocket server, and ws:// or wss:// what it speaks?",
        ErrorCode::Redirect => "-L follows redirects",
        ErrorCode::Proxy => "--proxy none connects without a proxy",
        ErrorCode::ListenFailed => match error.os_error() {
            Some(number) if number == nix::errno::Errno::EADDRINUSE as i32 => {
                "another program listens there; take another port, or 0 for any"
            }
            Some(number) if number == nix::errno::Errno::EACCES as i32 => {
                "ports below 1024 are for root; take a higher one"
            }
            _ => return None,
        },
        ErrorCode::Tls => match error.tls_error() {
            Some(
                TlsError::SelfSigned
                | TlsError::UntrustedRoot
                | TlsError::IncompleteChain
                | TlsError::UnknownIssuer,
            ) => "--ca FILE trusts the authority in that file, -k (--no-check) trusts anybody",
            Some(TlsError::NotTls) => "does it speak TLS there? ws:// is without",
            Some(TlsError::Expired | TlsError::NotYetValid | TlsError::WrongName) => {
                "-k (--no-check) accepts any certificate; for tests only"
            }
            _ => return None,
        },
        ErrorCode::Unsupported => "this build has no TLS",
        _ => return None,
    };
    Some(text.to_owned())
}

/// What a server that refuses says, if it is short and text.
fn said(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let first = text.lines().next()?;
    let is_page = first.starts_with('<');
    (!is_page && !first.is_empty()).then(|| {
        let short: String = first.chars().take(200).collect();
        format!("the server says: {}", crate::show::text(&short))
    })
}
