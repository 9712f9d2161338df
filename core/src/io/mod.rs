//! Socket.IO, both ends: a [`Server`] on the same port as raw WebSockets and static files, and clients.
//!
//! ```no_run
//! use std::sync::Arc;
//! use sockline::{Address, Loop, LoopOptions, ServerOptions, io, listen};
//!
//! struct Echo;
//! impl io::Handler for Echo {
//!     fn on_event(&self, _socket: &io::Socket, event: io::Event<'_>) {
//!         if let Some(ack) = event.ack {
//!             let _ = ack.send(event.args, &[]);
//!         }
//!     }
//! }
//!
//! # fn main() -> sockline::Result<()> {
//! let on_loop = Loop::new(LoopOptions::default())?;
//! let io = io::Server::new(Some(&on_loop), io::ServerOptions::default(), Arc::new(Echo))?;
//! let mut options = ServerOptions::new(Address::Tcp(String::new(), 3000));
//! options.routes.push(io.route());
//! listen(Some(&on_loop), options, None)?;
//! on_loop.run()
//! # }
//! ```
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
//! The words are those of Socket.IO's documentation: a *session* is one client's Engine.IO connection, whatever carries it
//! (HTTP requests, then a WebSocket); a *socket* is that client in one *namespace*; a *room* is a set of sockets of a namespace.
//!
//! JSON is handed through as text, both ways. `args` is always what stands between the brackets of an array, so `1,"two"`
//! are two arguments and the empty text is none. Binary values are in the text as `{"_placeholder":true,"num":0}`, the number
//! being the place in the list of *attachments* beside it. Text that is given to be sent has to be valid JSON: the default
//! parser passes it on as it is, and a client that can't read it closes its connection.
//!
//! All objects here are cheap to clone and may be used on any thread, from inside handlers too. No call blocks, and none calls
//! back: what a call brings about is heard after the handler that called has returned. No lock is held while a handler runs.

// The rooms of this house; `engine` knows nothing of Socket.IO, and the server's rooms nothing of `client`.
//
// | room | what happens there |
// |---|---|
// | `server`, `namespace`, `socket`, `operator`, `options`, `handler` | what applications hold and hear |
// | `core`, `connection`, `few` | what a server is inside: its namespaces, its clients' sessions, their sockets |
// | `connecting`, `questions`, `leaving` | a socket's way in, what is asked on it, and its way out |
// | `events`, `acks`, `broadcast_acks`, `waiting`, `sending` | packets in, answers owed both ways, packets out |
// | `host`, `details`, `recovery` | a namespace as the adapter sees it: who is there, and who comes back |
// | `between_servers`, `inquiries` | what applications of a cluster say to each other; questions, until they are answered |
// | `admin` | the admin UI's namespace |
// | `registry`, `ids`, `counters`, `shared` | numbers for hosts, public names, counts; what both ends have in common |
// | `engine`, `foreign` | the Engine.IO server on the event loop, and WebSockets that another server feeds it with |
// | `client` | managers and their sockets |

mod acks;
mod admin;
mod between_servers;
mod broadcast_acks;
mod client;
mod common;
mod connecting;
mod connection;
mod core;
mod counters;
mod details;
pub(crate) mod engine;
mod events;
mod few;
mod foreign;
mod handler;
mod host;
mod ids;
mod inquiries;
mod leaving;
mod lending;
mod namespace;
mod operator;
mod options;
mod questions;
mod recovery;
mod registry;
mod sending;
mod server;
mod shared;
mod socket;
mod waiting;

pub use acks::{Ack, AckResponse, BroadcastAcks};
pub use between_servers::{ServerAck, ServerEvent};
pub use client::{
    Auth, AuthQuestion, ClientAck, ClientEvent, ClientHandler, ClientReason, ClientSocket, ConnectError,
    Manager, ManagerHandler, ManagerOptions, ManagerState, Reconnection, SocketOptions, connect,
};
pub use foreign::{ForeignOutlet, ForeignWebSocket};
pub use handler::{DisconnectReason, EnginePacket, Event, Handler, Outgoing, RoomEvent, SessionInfo};
pub use namespace::Namespace;
pub use operator::{BroadcastOperator, SocketDetails};
pub use options::{AdminAuth, AdminOptions, Recovery, ServerOptions};
pub use questions::{ConnectQuestion, NamespaceQuestion, RequestQuestion};
pub use server::{Metrics, Server};
pub use shared::{AckResult, EmitOptions};
pub use socket::Socket;

pub use self::engine::{ConnectionError, Handshake};
pub use crate::adapter::Answered;
pub use crate::engineio::{
    Cookie, CookiePriority, Cors, CorsOrigin, Data, OriginCheck, PacketType, SameSite, Transport,
};
pub use crate::socketio::{Parser, ParserKind};
