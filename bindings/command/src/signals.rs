//! SIGINT, SIGTERM and SIGHUP as events.
//!
//! The hosts have handlers of their own: Python's only sets a flag that nobody looks at while the command runs, and Node's
//! ends the process. So the command's replace them while it runs, and are not chained with them.

use std::io::{PipeWriter, Read as _, pipe};
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::Sender;
use std::thread::Builder;

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::events::Event;
use crate::failure::{Failure, exit};

/// The end that the handler writes to; -1 while no command runs.
static PIPE: AtomicI32 = AtomicI32::new(-1);

const WATCHED: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Signals are watched as long as this lives.
pub(crate) struct Signals {
    before: Vec<(Signal, SigAction)>,
    _writer: PipeWriter,
}

impl Signals {
    pub(crate) fn watch(events: Sender<Event>) -> Result<Signals, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(exit::NOT_CONNECTED, format!("can't watch signals: {error}"))
        };
        let (mut reader, writer) = pipe().map_err(failed)?;
        let thread = Builder::new().name("sockline-signals".to_owned());
        let pass_on = move || {
            let mut number = [0];
            while reader.read_exact(&mut number).is_ok() {
                if events.send(Event::Signal(i32::from(number[0]))).is_err() {
                    return;
                }
            }
        };
        thread.spawn(pass_on).map_err(failed)?;
        PIPE.store(writer.as_raw_fd(), Ordering::SeqCst);
        let mut signals = Signals {
            before: Vec::new(),
            _writer: writer,
        };
        for signal in WATCHED {
            let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::empty());
            // SAFETY: `note` only loads an atomic and writes to a pipe, which a handler may do (signal-safety(7)).
            let before = unsafe { sigaction(signal, &action) };
            signals
                .before
                .push((signal, before.map_err(|error| failed(error.into()))?));
        }
        Ok(signals)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (signal, action) in self.before.drain(..) {
            // SAFETY: it is the action that was there before.
            let _ = unsafe { sigaction(signal, &action) };
        }
        PIPE.store(-1, Ordering::SeqCst);
    }
}

extern "C" fn note(signal: i32) {
    let pipe = PIPE.load(Ordering::SeqCst);
    if pipe >= 0 {
        let errno = Errno::last_raw(); // of whatever was interrupted
        // SAFETY: the pipe is closed only after the handlers are gone.
        let pipe = unsafe { BorrowedFd::borrow_raw(pipe) };
        let _ = nix::unistd::write(pipe, &[signal as u8]); // the numbers are below 32
        Errno::set_raw(errno);
    }
}
