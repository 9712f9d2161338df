//! Colours, where there is a terminal that wants them.

use std::fmt;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Effects, Style};

/// Whether, and how, a stream is coloured. `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and a dumb `TERM` are respected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    is_on: bool,
}

/// A text with its colour.
pub(crate) struct Painted<T> {
    text: T,
    style: Style,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}{}",
            self.style.render(),
            self.text,
            self.style.render_reset()
        )
    }
}

impl Paint {
    /// None at all.
    #[cfg(test)]
    pub(crate) const OFF: Paint = Paint { is_on: false };

    pub(crate) fn stdout() -> Paint {
        let choice = AutoStream::choice(&std::io::stdout());
        Paint {
            is_on: choice != ColorChoice::Never,
        }
    }

    pub(crate) fn stderr() -> Paint {
        let choice = AutoStream::choice(&std::io::stderr());
        Paint {
            is_on: choice != ColorChoice::Never,
        }
    }

    /// What failed.
    pub(crate) fn error<T>(self, text: T) -> Painted<T> {
        self.with(text, AnsiColor::Red.on_default().bold())
    }

    /// What is beside the point.
    pub(crate) fn dim<T>(self, text: T) -> Painted<T> {
        self.with(text, Style::new().effects(Effects::DIMMED))
    }

    /// What has come from the peer.
    pub(crate) fn received<T>(self, text: T) -> Painted<T> {
        self.with(text, AnsiColor::Cyan.on_default().bold())
    }

    /// The name of something: a key, an event.
    pub(crate) fn name<T>(self, text: T) -> Painted<T> {
        self.with(text, AnsiColor::Blue.on_default())
    }

    /// A value.
    pub(crate) fn value<T>(self, text: T) -> Painted<T> {
        self.with(text, AnsiColor::Green.on_default())
    }

    /// What a reader looks for.
    pub(crate) fn strong<T>(self, text: T) -> Painted<T> {
        self.with(text, Style::new().bold())
    }

    fn with<T>(self, text: T, style: Style) -> Painted<T> {
        let style = if self.is_on { style } else { Style::new() };
        Painted { text, style }
    }
}
