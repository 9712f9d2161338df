//! What the servers of python-socketio say to each other (5.14 and newer), and Flask-SocketIO's.
//!
//! All is said on one channel, `socketio`, as JSON objects of which each has a `method` and a `namespace`:
//!
//! | method | what else there is | what it says |
//! |---|---|---|
//! | `emit` | `event`, `data`, `binary`, `room`, `skip_sid`, `callback` | send an event; with a callback, tell of the answers |
//! | `callback` | `sid`, `id`, `args` | a client has answered to an event of the server `host_id` |
//! | `enter_room`, `leave_room` | `sid`, `room` | |
//! | `close_room` | `room` | have all leave |
//! | `disconnect` | `sid` | |
//!
//! Each names the server that has sent it (`host_id`), but for `callback`, which names the one that is meant. Nobody is
//! counted, nobody is asked who is there, and the applications of servers don't speak to each other; so what can't be said
//! concerns this node's sockets alone, and its answers tell how many servers are missing. Where the format has the id of a
//! client a room may stand as well: our servers know what is meant, python-socketio's do nothing.
//!
//! Before 5.14 these objects were pickled. Reading such a message could run anything, so none is read; that there are some
//! is told as an error.

mod adapter;
mod hub;
mod message;
mod orders;
mod write;

#[cfg(test)]
mod captures;
#[cfg(test)]
mod tests;

pub use adapter::PythonAdapter;
pub use hub::{Hub, PythonOptions};
pub use message::{Asker, Envelope, Message};

pub use orders::{Order, orders};

use super::super::AdapterError;

pub(super) use hub::fresh_host_id;

pub(super) fn no_events_of_servers() -> AdapterError {
    AdapterError("python-socketio's format has no events from server to server".to_owned())
}
