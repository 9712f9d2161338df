//! What a command waits for, in one place: what its connections say, what is typed, signals, and time.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use sockline::{EventQueue, Queued};

use crate::arguments::Wait;
use crate::failure::{Failure, exit};
use crate::input::Input;
use crate::screen::Screen;
use crate::signals::Signals;
use crate::typed::{Order, order};

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The connections have something to say.
    Bell,
    /// There is a line.
    Typed,
    /// The system has sent this signal.
    Signal(i32),
    /// The deadline has passed.
    Due,
    /// Nobody reads what is printed.
    Broken,
}

/// When a command leaves that has no more to send.
pub(crate) struct Patience {
    wait: Option<Wait>,
    due: Option<Instant>,
}

/// Without a time that was asked for, nothing has to come for so long: a server may answer the close frame before it has
/// answered all messages.
const QUIET: Duration = Duration::from_millis(500);

impl Patience {
    pub(crate) fn new(wait: Option<Wait>) -> Patience {
        Patience { wait, due: None }
    }

    /// There is no more to send: the time begins.
    pub(crate) fn begin(&mut self) {
        let time = match self.wait {
            None => QUIET,
            Some(Wait::For(time)) => time,
            Some(Wait::Forever) => return,
        };
        self.due.get_or_insert(Instant::now() + time);
    }

    /// Something has come, or is still on its way.
    pub(crate) fn stir(&mut self) {
        if self.wait.is_none() && self.due.is_some() {
            self.due = Some(Instant::now() + QUIET);
        }
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether the time that was asked for is over, or it was quiet for long enough; `is_busy`: something waits to leave.
    pub(crate) fn ends(&mut self, is_busy: bool) -> bool {
        if is_busy {
            self.stir();
        }
        self.due.is_some_and(|due| due <= Instant::now())
    }
}

/// Where a command sits: it hears, it prints.
pub(crate) struct Desk {
    pub(crate) screen: Screen,
    pub(crate) input: Input,
    /// A line that nobody typed could not be obeyed.
    has_failed: bool,
    sender: Sender<Event>,
    events: Receiver<Event>,
    _signals: Signals,
}

impl Desk {
    pub(crate) fn new(is_quiet: bool) -> Result<Desk, Failure> {
        let (sender, events) = mpsc::channel();
        let signals = Signals::watch(sender.clone())?;
        Ok(Desk {
            screen: Screen::new(is_quiet),
            input: Input::none(),
            has_failed: false,
            sender,
            events,
            _signals: signals,
        })
    }

    /// What a line orders. Where nobody types, as in a pipe, lines are sent as they are unless `slash` says otherwise.
    pub(crate) fn order<'a>(&self, line: &'a str, slash: bool) -> Result<Order<'a>, String> {
        if self.input.is_prompt() || slash {
            order(line)
        } else {
            Ok(Order::Send(line))
        }
    }

    /// Complains of a line of the input that was no text.
    pub(crate) fn not_sent(&mut self, number: usize) {
        let text = format!("line {number} of the input is not UTF-8 and was not sent");
        self.not_obeyed(&text);
    }

    /// Complains of a line, and remembers it where only the exit code will tell.
    pub(crate) fn not_obeyed(&mut self, why: &str) {
        self.screen.complaint(why);
        self.has_failed |= self.input.is_script();
    }

    /// What to exit with, if all else went so.
    pub(crate) fn exit_code(&self, code: i32) -> i32 {
        match code {
            exit::DONE if self.has_failed => exit::USAGE,
            code => code,
        }
    }

    /// What tells the command to look at its connections.
    pub(crate) fn bell(&self) -> impl Fn() + Send + Sync + Clone + 'static {
        let sender = self.sender.clone();
        move || {
            let _ = sender.send(Event::Bell); // the command has ended, then
        }
    }

    /// Starts to read lines: these, if there are any, else those of standard input.
    pub(crate) fn read_lines(&mut self, lines: &[String]) {
        self.input = if lines.is_empty() {
            Input::standard(&mut self.screen, self.sender.clone())
        } else {
            Input::given(lines, &self.sender)
        };
    }

    /// The next thing that connections say. The bell rings again, as there may be more: whatever else has happened comes
    /// before that, also while messages come faster than they are shown.
    pub(crate) fn take(&self, queue: &EventQueue) -> Option<Queued> {
        let queued = queue.pop()?;
        let _ = self.sender.send(Event::Bell); // the receiver is beside it
        Some(queued)
    }

    /// Passes over what connections say until the last of it, or this moment.
    pub(crate) fn wait_for(&self, queue: &EventQueue, until: Instant, is_last: impl Fn(&Queued) -> bool) {
        while Instant::now() < until {
            match queue.pop() {
                Some(queued) if is_last(&queued) => return,
                Some(_) => {}
                None => {
                    let left = until.saturating_duration_since(Instant::now());
                    let _ = self.events.recv_timeout(left); // either is a reason to look again
                }
            }
        }
    }

    /// The next event.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Event {
        if self.screen.is_broken() {
            return Event::Broken;
        }
        let event = match deadline {
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                self.events.recv_timeout(left)
            }
            None => self.events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        // It can't be disconnected, as there is a sender beside it.
        event.unwrap_or(Event::Due)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if self.input.is_editing() {
            self.screen.settle();
            self.input.stop();
            self.screen.editor_has_gone();
        }
    }
}
