//! What systems call differently, or do not all have. The rest of the engine is written without knowing on which it runs.
//!
//! | | Unix | Windows |
//! |---|---|---|
//! | what a socket is | a descriptor | a SOCKET |
//! | Unix sockets | as mio has them | types without values; asking for them is refused |
//! | one port for several threads | SO_REUSEPORT | refused |
//! | a descriptor of the poll, for hosts | epoll's, kqueue's | none |
//! | forks, signal masks | noticed, set | there are none |

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use self::unix::*;
#[cfg(windows)]
pub(crate) use self::windows::*;

use crate::error::{Error, ErrorCode, Result};

/// # Errors
/// [`ErrorCode::Unsupported`] where there are no Unix sockets.
pub(crate) fn need_unix_sockets() -> Result<()> {
    need(HAS_UNIX_SOCKETS, "Unix sockets")
}

/// # Errors
/// [`ErrorCode::Unsupported`] where a port has one listening socket only.
pub(crate) fn need_shared_ports() -> Result<()> {
    need(HAS_SHARED_PORTS, "several threads or servers on one port")
}

fn need(has: bool, what: &str) -> Result<()> {
    if has {
        return Ok(());
    }
    let text = format!("{what}: not supported on {}", std::env::consts::OS);
    Err(Error::new(ErrorCode::Unsupported, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_system_has_not_is_refused_by_name() {
        assert_eq!(need(true, "sails"), Ok(()));
        let error = need(false, "sails").unwrap_err();
        assert_eq!(error.code(), ErrorCode::Unsupported);
        assert!(error.to_string().contains("sails: not supported on "), "{error}");
    }
}
