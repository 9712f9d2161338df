//! The native module of the Python package `sockline`: private, everything public is written in Python on top.
//!
//! | room | what happens there |
//! |---|---|
//! | `driver`, `hub` | one core loop, turned by asyncio or by a Python thread; what its connections share |
//! | `connection`, `receive`, `waiter` | the coroutine face: a queue of messages, and the awaitables over it |
//! | `stepped` | handlers' coroutines, stepped where their messages are |
//! | `handle` | what both faces of a connection have in common |
//! | `socket`, `coming_back` | the callback face, and its clients that connect again |
//! | `asking` | what clients ask the application while they connect: for connections, for addresses |
//! | `server`, `threads` | listening, answering upgrade requests, and I/O on the core's own threads |
//! | `io` | Socket.IO |
//! | `command` | the command `sockline`; feature `command` |
//! | `tls` | configurations of TLS |
//! | `message`, `view`, `options`, `errors`, `guarded`, `calls` | values on their way between the languages |
//! | `polls` | how often a turn asks the system for more |
//! | `posts`, `outlets` | what other threads have to say, on its way to a driver's; what is noted under locks of the core's |
//! | `log_lines` | the core's log lines on their way to `logging` |
//!
//! Only code that is attached to the interpreter turns a loop, so handlers run attached, one after the other.

mod asking;
mod calls;
mod coming_back;
#[cfg(feature = "command")]
mod command;
mod connection;
mod driver;
mod errors;
mod guarded;
mod handle;
mod hub;
mod interpreter;
mod io;
mod log_lines;
mod memory;
mod message;
mod options;
mod outlets;
mod polls;
mod posts;
mod receive;
mod requests;
mod server;
mod socket;
mod stepped;
mod threads;
mod tls;
mod view;
mod waiter;

/// `sockline._native`.
#[pyo3::pymodule(gil_used = true)]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::asking::{Dialing, LookingUp};
    #[cfg(feature = "command")]
    #[pymodule_export]
    use crate::command::command;
    #[pymodule_export]
    use crate::connection::Connection;
    #[pymodule_export]
    use crate::driver::Driver;
    #[pymodule_export]
    use crate::handle::{Handle, broadcast};
    #[pymodule_export]
    use crate::io::{IoAck, IoAuth, IoClient, IoEmitter, IoForeign, IoQuestion, IoRequest, IoServer};
    #[pymodule_export]
    use crate::log_lines::{set_log_level, take_log_lines_to};
    #[pymodule_export]
    use crate::memory::{memory_in_use, set_memory_budget};
    #[pymodule_export]
    use crate::receive::{Done, Receive};
    #[pymodule_export]
    use crate::requests::HttpExchange;
    #[pymodule_export]
    use crate::server::Server;
    #[pymodule_export]
    use crate::socket::Socket;
    #[pymodule_export]
    use crate::stepped::Stepped;
    #[pymodule_export]
    use crate::tls::{ClientTls, ServerTls};
    #[pymodule_export]
    use crate::waiter::Waiter;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::interpreter::claim(module.py())
    }
}
