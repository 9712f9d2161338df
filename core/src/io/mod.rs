//! Socket.IO: the public objects.
//!
//! A client is a [`Manager`], which is a connection made again when it is lost, with a [`ClientSocket`] for each namespace:
//!
//! ```no_run
//! use std::sync::Arc;
//! use sockline::io::{ClientEvent, ClientHandler, ClientSocket, EmitOptions, connect};
//!
//! struct Hello;
//! impl ClientHandler for Hello {
//!     fn on_connect(&self, socket: &ClientSocket) {
//!         let sent = socket.emit("hello", r#""world",1"#, &[], &EmitOptions::default());
//!         println!("{sent:?}");
//!     }
//!     fn on_event(&self, _: &ClientSocket, event: ClientEvent<'_>) {
//!         println!("{}: {}", event.name, event.args);
//!     }
//! }
//!
//! # fn main() -> sockline::Result<()> {
//! let socket = connect(None, "http://localhost:3000", Default::default(), Default::default(), Arc::new(Hello))?;
//! # drop(socket);
//! # Ok(())
//! # }
//! ```
//!
//! JSON is handed through as text, both ways. `args` is always what stands between the brackets of an array, so `1,"two"`
//! are two arguments and the empty text is none. Binary values are in the text as `{"_placeholder":true,"num":0}`, the number
//! being the place in the list of *attachments* beside it.

mod client;
pub(crate) mod engine;
mod registry;
mod shared;

pub use client::{
    Auth, AuthQuestion, ClientAck, ClientEvent, ClientHandler, ClientReason, ClientSocket, ConnectError,
    Manager, ManagerHandler, ManagerOptions, ManagerState, Reconnection, SocketOptions, connect,
};
pub use shared::{AckResult, EmitOptions};

pub use crate::engineio::Transport;
pub use crate::socketio::{Parser, ParserKind};
