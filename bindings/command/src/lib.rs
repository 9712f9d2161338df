//! The command `sockline`: talks to WebSocket and Socket.IO servers, is one, and measures them.
//!
//! The same command is in the Python package (`python -m sockline`), in the Node package (`npx sockline`) and a program of
//! its own (`src/main.rs`). Each of them hands its arguments to [`run`] and exits with what that returns.
//!
//! | room | what happens there |
//! |---|---|
//! | `arguments` | the command line: its flags, their values, help |
//! | `failure` | what ends a command early, in words for people, and the exit codes |
//! | `events`, `input`, `signals` | what a command waits for: its connection, lines that are typed, signals |
//! | `screen`, `paint` | what is printed, beside the line that is being typed; colours |
//! | `show` | messages, JSON, certificates and quantities as people read them |
//! | `typed` | lines that are typed: messages, or commands that begin with a slash |
//! | `options` | the core's options from the command line's |
//! | `connect`, `listen`, `io`, `bench` | the commands |
//!
//! A command runs on the calling thread, which waits for events; the core's loop has a thread of its own.

#![warn(clippy::unwrap_used)]

mod arguments;
mod bench;
mod connect;
mod events;
mod failure;
mod input;
mod io;
mod listen;
mod options;
mod paint;
mod screen;
mod show;
mod signals;
mod typed;

use std::ffi::OsString;

use crate::arguments::Command;
use crate::failure::Failure;

/// Runs the command with these arguments, the program's name not among them, and returns the code to exit with.
///
/// It takes the process over while it runs: standard input and output, SIGINT, SIGTERM and SIGHUP, whose dispositions it
/// gives back. It may be called on any thread, one call at a time. A thread that waits for standard input may be left
/// behind, so the process should exit soon.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let command = match arguments::parse(arguments) {
        Ok(command) => command,
        Err(code) => return code,
    };
    let done = match command {
        Command::Connect(arguments) => connect::run(&arguments),
        Command::Listen(arguments) => listen::run(&arguments),
        Command::Io(arguments) => io::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    done.unwrap_or_else(Failure::report)
}
