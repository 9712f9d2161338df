//! What is printed: on a terminal beside the line that is being typed, else for programs.
//!
//! On a terminal everything goes to standard output, marked and coloured. Else standard output has the messages only, as
//! they came, and what is said about them goes to standard error.

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use rustyline::ExternalPrinter;

use crate::paint::Paint;

/// Goes up a line and down again: nothing is seen of it.
const NOTHING: &str = "\x1b[A\n";

pub(crate) struct Screen {
    is_terminal: bool,
    is_quiet: bool,
    paint: Paint,
    /// Prints above the line that is being typed.
    printer: Option<Box<dyn ExternalPrinter + Send>>,
    /// Nobody reads what is printed any more.
    is_broken: bool,
}

impl Screen {
    pub(crate) fn new(is_quiet: bool) -> Screen {
        Screen {
            is_terminal: std::io::stdout().is_terminal(),
            is_quiet,
            paint: Paint::stdout(),
            printer: None,
            is_broken: false,
        }
    }

    /// From now on lines are being typed.
    pub(crate) fn print_by(&mut self, printer: Box<dyn ExternalPrinter + Send>) {
        self.printer = Some(printer);
    }

    /// Waits until the line editor has printed all that it was given.
    pub(crate) fn settle(&mut self) {
        if let Some(printer) = &mut self.printer {
            // It holds one text at a time: it has taken this one when the one before is on the screen.
            let _ = printer.print(NOTHING.to_owned());
        }
    }

    /// No line is being typed any more.
    pub(crate) fn editor_has_gone(&mut self) {
        if self.printer.take().is_some() {
            // What is left is an empty prompt on the line above.
            self.out("\x1b[A\r\x1b[K");
        }
    }

    /// What the command is for: messages.
    pub(crate) fn message(&mut self, text: &str) {
        self.line(text);
    }

    /// What is said about it.
    pub(crate) fn notice(&mut self, text: &str) {
        if self.is_quiet {
            return;
        }
        if self.is_terminal {
            let text = self.paint.dim(text).to_string();
            self.line(&text);
        } else {
            let _ = writeln!(std::io::stderr(), "{text}"); // nobody reads it, then
        }
    }

    /// What has failed, and does not end the command.
    pub(crate) fn complaint(&mut self, text: &str) {
        if self.is_terminal {
            let text = format!("{} {text}", self.paint.error("error:"));
            self.line(&text);
        } else {
            let paint = Paint::stderr();
            let _ = writeln!(std::io::stderr(), "{} {text}", paint.error("error:")); // as above
        }
    }

    pub(crate) fn paint(&self) -> Paint {
        self.paint
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    fn line(&mut self, text: &str) {
        let line = format!("{text}\n");
        match &mut self.printer {
            Some(printer) => self.is_broken |= printer.print(line).is_err(),
            None => self.out(&line),
        }
    }

    fn out(&mut self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        self.is_broken |= written.is_err_and(|error| error.kind() != ErrorKind::Interrupted);
    }
}
