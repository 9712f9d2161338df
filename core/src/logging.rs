//! Where the library's log lines go, for languages that don't have Rust's `log` facade.
//!
//! A Rust program sets a logger of its choice as usual and leaves this alone.

use std::cell::RefCell;
use std::sync::Arc;

use log::{LevelFilter, Log, Metadata, Record};
use parking_lot::ReentrantMutex;

use crate::error::{Error, ErrorCode, Result};

pub use log::Level as LogLevel;

/// Takes log lines, one at a time.
pub type LogSink = dyn Fn(LogLevel, &str) + Send + Sync;

struct Bridge {
    /// Reentrant, so that a sink may call the library, which may log: such inner lines are not delivered.
    sink: ReentrantMutex<RefCell<Option<Arc<LogSink>>>>,
}

static BRIDGE: Bridge = Bridge {
    sink: ReentrantMutex::new(RefCell::new(None)),
};

/// Sends log lines up to this level to `sink`, instead of where they went before; `None` for nowhere. Any thread.
///
/// The sink is called on whatever thread logs, but never twice at once, and never inside itself. When this returns,
/// the sink before it is not running any more, unless it is the caller.
///
/// # Errors
/// [`ErrorCode::Unsupported`] if the program has set a logger of its own.
pub fn set_log(level: Option<LogLevel>, sink: Option<Arc<LogSink>>) -> Result<()> {
    let ours = log::set_logger(&BRIDGE).is_ok() || std::ptr::addr_eq(log::logger(), &raw const BRIDGE);
    if !ours {
        return Err(Error::new(
            ErrorCode::Unsupported,
            "the program has a logger of its own",
        ));
    }
    let level = level.filter(|_| sink.is_some());
    let guard = BRIDGE.sink.lock();
    let before = guard.replace(sink);
    log::set_max_level(level.map_or(LevelFilter::Off, |level| level.to_level_filter()));
    drop((guard, before));
    Ok(())
}

/// Writes a line where the library's own go; for wrappers that have something to report.
pub fn write_log(level: LogLevel, text: &str) {
    log::log!(level, "{text}");
}

impl Log for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sockline")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let guard = self.sink.lock();
        // Taken out while it runs: what it logs itself finds no sink.
        let Some(sink) = guard.take() else { return };
        sink(record.level(), &record.args().to_string());
        let mut current = guard.borrow_mut();
        if current.is_none() && log::max_level() != LevelFilter::Off {
            *current = Some(sink);
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn lines_go_to_the_sink_and_not_into_itself() {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = lines.clone();
        let sink = move |level: LogLevel, text: &str| {
            write_log(LogLevel::Error, "from inside");
            kept.lock().unwrap().push(format!("{level} {text}"));
        };
        set_log(Some(LogLevel::Warn), Some(Arc::new(sink))).unwrap();
        write_log(LogLevel::Warn, "one");
        write_log(LogLevel::Debug, "two");
        write_log(LogLevel::Error, "three");
        set_log(None, None).unwrap();
        write_log(LogLevel::Error, "four");
        let ours: Vec<String> = lines.lock().unwrap().clone();
        assert!(
            ours.ends_with(&["WARN one".to_owned(), "ERROR three".to_owned()]),
            "{ours:?}"
        );
    }
}
