//! Lines that are typed, or come from a file or a pipe.
//!
//! They are read on a thread of their own, at most some of them ahead.

use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

use crate::events::Event;
use crate::screen::Screen;

/// How many lines are read ahead.
const AHEAD: usize = 64;
const PROMPT: &str = "> ";
/// How many lines can be called back.
const HISTORY: usize = 1000;

/// What was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    Line(String),
    /// The line of this number, counted from 1, is no text.
    NoText(usize),
    /// There are no more lines.
    End,
    /// Ctrl-C, or Ctrl-D on an empty line.
    Leave,
}

pub(crate) struct Input {
    lines: Receiver<Typed>,
    /// Lines that are typed at a prompt may be commands.
    is_prompt: bool,
    /// Nobody types: lines were written before.
    is_script: bool,
    editor: Option<RunningEditor>,
}

/// The thread that has the terminal.
struct RunningEditor {
    thread: JoinHandle<()>,
    stopping: Arc<AtomicBool>,
}

impl Input {
    /// Nothing, ever.
    pub(crate) fn none() -> Input {
        Input {
            lines: mpsc::channel().1,
            is_prompt: false,
            is_script: false,
            editor: None,
        }
    }

    /// These lines.
    pub(crate) fn given(lines: &[String], events: &Sender<Event>) -> Input {
        let (sender, receiver) = mpsc::sync_channel(lines.len() + 1);
        let lines = lines.iter().cloned().map(Typed::Line);
        for typed in lines.chain([Typed::End]) {
            let _ = sender.try_send(typed); // there is room for all
        }
        let _ = events.send(Event::Typed); // it reads all that there is
        Input {
            lines: receiver,
            is_prompt: true,
            is_script: true,
            editor: None,
        }
    }

    /// Standard input: with a prompt and editing where both ends are a terminal.
    pub(crate) fn standard(screen: &mut Screen, events: Sender<Event>) -> Input {
        let (sender, lines) = mpsc::sync_channel(AHEAD);
        let port = Port { sender, events };
        let is_typed = std::io::stdin().is_terminal();
        let is_prompt = is_typed && screen.is_terminal();
        let editor = if is_prompt { edit(screen, &port) } else { None };
        if editor.is_none() {
            let reader = Builder::new().name("sockline-input".to_owned());
            // Without a thread there are no lines, and the command goes on without.
            let _ = reader.spawn(move || read(&port));
        }
        Input {
            lines,
            is_prompt: is_typed,
            is_script: !is_typed,
            editor,
        }
    }

    /// The next line that was read.
    pub(crate) fn next(&mut self) -> Option<Typed> {
        let typed = self.lines.try_recv().ok()?;
        if typed == Typed::Leave
            && let Some(editor) = self.editor.take()
        {
            let _ = editor.thread.join(); // it was its last word
        }
        Some(typed)
    }

    /// Whether a line is being typed.
    pub(crate) fn is_editing(&self) -> bool {
        self.editor.is_some()
    }

    /// Whether somebody types, or has written the lines for this command.
    pub(crate) fn is_prompt(&self) -> bool {
        self.is_prompt
    }

    /// Whether the lines come from a pipe, a file, or the command line, so that nobody sees what is wrong with one and types another.
    pub(crate) fn is_script(&self) -> bool {
        self.is_script
    }

    /// Gives the terminal back. What else reads is left behind: nothing ends a read of a pipe.
    pub(crate) fn stop(&mut self) {
        let Some(editor) = self.editor.take() else { return };
        editor.stopping.store(true, Ordering::SeqCst);
        while !editor.thread.is_finished() {
            // A signal makes the editor return. It may come just before it begins to wait, so it comes again.
            let _ = self.lines.try_recv();
            let _ = raise(Signal::SIGINT);
            std::thread::park_timeout(Duration::from_millis(2));
        }
        let _ = editor.thread.join();
    }
}

/// Where lines go to.
struct Port {
    sender: SyncSender<Typed>,
    events: Sender<Event>,
}

impl Port {
    /// False when nobody wants lines any more.
    fn put(&self, typed: Typed) -> bool {
        self.sender.send(typed).is_ok() && self.events.send(Event::Typed).is_ok()
    }
}

/// The line editor on the terminal; `None` where it can't work.
fn edit(screen: &mut Screen, port: &Port) -> Option<RunningEditor> {
    let config = Config::builder()
        .max_history_size(HISTORY)
        .ok()?
        .auto_add_history(true)
        .bracketed_paste(true)
        .build();
    let history = MemHistory::with_config(&config);
    let mut editor: Editor<(), MemHistory> = Editor::with_history(config, history).ok()?;
    let printer = editor.create_external_printer().ok()?;
    let stopping = Arc::new(AtomicBool::new(false));
    let is_stopping = stopping.clone();
    let port = Port {
        sender: port.sender.clone(),
        events: port.events.clone(),
    };
    let thread = Builder::new().name("sockline-editor".to_owned());
    let thread = thread.spawn(move || {
        while !is_stopping.load(Ordering::SeqCst) {
            let typed = match editor.readline(PROMPT) {
                Ok(line) => Typed::Line(line),
                // What waits for a line gets none, if it is this command that has interrupted it.
                Err(ReadlineError::Signal(_)) if is_stopping.load(Ordering::SeqCst) => return,
                Err(_) => Typed::Leave,
            };
            let is_last = typed == Typed::Leave;
            if !port.put(typed) || is_last {
                return;
            }
        }
    });
    screen.print_by(Box::new(printer));
    Some(RunningEditor {
        thread: thread.ok()?,
        stopping,
    })
}

/// Lines of a file, a pipe, or a terminal whose output is read by a program.
fn read(port: &Port) {
    let mut stdin = std::io::stdin().lock();
    for number in 1.. {
        let mut line = Vec::new();
        let typed = match stdin.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => match String::from_utf8(line) {
                Ok(line) => Typed::Line(without_end(&line).to_owned()),
                Err(_) => Typed::NoText(number),
            },
        };
        if !port.put(typed) {
            return;
        }
    }
    port.put(Typed::End);
}

fn without_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_loses_its_end_and_nothing_else() {
        assert_eq!(without_end("a b \r\n"), "a b ");
        assert_eq!(without_end("a\r\r\n"), "a\r");
        assert_eq!(without_end("last"), "last");
    }

    #[test]
    fn given_lines_come_in_their_order_and_end() {
        let (events, heard) = mpsc::channel();
        let mut input = Input::given(&["a".to_owned(), "b".to_owned()], &events);
        assert_eq!(heard.try_recv(), Ok(Event::Typed));
        let lines: Vec<Typed> = std::iter::from_fn(|| input.next()).collect();
        let expected = [
            Typed::Line("a".to_owned()),
            Typed::Line("b".to_owned()),
            Typed::End,
        ];
        assert_eq!(lines, expected);
    }
}
