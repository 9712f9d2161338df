//! Names that nobody else has.

use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::HEXLOWER;

/// 16 hexadecimal digits, as official nodes name themselves and their requests.
pub(crate) fn fresh() -> String {
    let mut bytes = [0; 8];
    if let Err(error) = getrandom::fill(&mut bytes) {
        // Only where the system has no source of randomness at all; then at least no two of this process are the same.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        log::error!("the system gives no random bytes: {error}");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        bytes = (u64::from(std::process::id()) << 32 | count).to_be_bytes();
    }
    HEXLOWER.encode(&bytes)
}
