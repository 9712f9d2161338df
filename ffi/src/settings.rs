//! What connections may take and keep.

use std::time::Duration;

use sockline::{Result, Settings};

use crate::abi::{Versioned, read_struct};

/// In sockline_settings and in options: no such limit, or no such timeout.
pub const SOCKLINE_UNLIMITED: u64 = 0xffff_ffff_ffff_ffff;

/// What one connection may take and keep, and how long it may be silent. Start from SOCKLINE_SETTINGS_INIT; a field
/// of 0 means its default, and SOCKLINE_UNLIMITED turns it off.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_settings {
    /// sizeof(sockline_settings), as the INIT macro sets it.
    pub size: usize,
    /// The longest message to accept, in bytes; a longer one fails the connection with 1009. Default: 16 MiB for
    /// clients, 1 MiB for servers.
    pub max_message: u64,
    /// A ping goes out when nothing has come for so many milliseconds. Default: 20,000.
    pub ping_interval_ms: u64,
    /// The peer is given up when nothing has come for so many milliseconds after that ping. Default: 20,000.
    pub ping_timeout_ms: u64,
    /// The connection is cut when the closing handshake takes longer, in milliseconds. Default: 5,000.
    pub close_timeout_ms: u64,
    /// When more than this many bytes wait, sockline_send says SOCKLINE_OVER_MARK, and on_drain follows at half of it.
    /// Default: 1 MiB.
    pub high_water_mark: u64,
    /// When more than this many bytes wait already, sockline_send fails with SOCKLINE_ERR_OUTBOX_FULL. Not below
    /// high_water_mark. Default: 16 MiB.
    pub hard_limit: u64,
}

// SAFETY: `repr(C)`, `size` first, numbers only.
unsafe impl Versioned for sockline_settings {
    const NAME: &'static str = "sockline_settings";
}

/// # Safety
/// `given` is NULL or a struct as long as its size says.
pub(crate) unsafe fn read_settings(given: *const sockline_settings, defaults: Settings) -> Result<Settings> {
    // SAFETY: the caller's promise is the same.
    let Some(given) = (unsafe { read_struct(given) })? else {
        return Ok(defaults);
    };
    Ok(Settings {
        max_message: limit(given.max_message, defaults.max_message, usize::MAX),
        ping_interval: timeout(given.ping_interval_ms, defaults.ping_interval, Duration::ZERO),
        ping_timeout: timeout(given.ping_timeout_ms, defaults.ping_timeout, Duration::ZERO),
        close_timeout: timeout(given.close_timeout_ms, defaults.close_timeout, Duration::ZERO),
        high_water_mark: limit(given.high_water_mark, defaults.high_water_mark, usize::MAX),
        hard_limit: limit(given.hard_limit, defaults.hard_limit, 0),
        ..defaults
    })
}

/// A limit: 0 is the default, SOCKLINE_UNLIMITED is what the core takes for none.
pub(crate) fn limit(given: u64, default: usize, none: usize) -> usize {
    match given {
        0 => default,
        SOCKLINE_UNLIMITED => none,
        bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
    }
}

/// A timeout, with the same rules.
pub(crate) fn timeout(given: u64, default: Duration, none: Duration) -> Duration {
    match given {
        0 => default,
        SOCKLINE_UNLIMITED => none,
        millis => Duration::from_millis(millis),
    }
}
