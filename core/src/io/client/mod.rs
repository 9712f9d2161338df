//! The client: managers, which are connections made again and again, and their sockets, which are namespaces.
//!
//! | file | what is there |
//! |---|---|
//! | `manager`, `socket`, `answers` | the public objects |
//! | `options`, `handler` | what they are given |
//! | `core` | a manager's state, behind one lock; calls, and what becomes of them |
//! | `link` | one connection: its machine, its requests, its WebSockets |
//! | `carrying` | the link's requests and WebSockets, made and heard |
//! | `telling` | what handlers are told, outside of the lock |
//! | `translating` | what a parser of the application's own does, outside of the lock, too |

mod answers;
mod carrying;
mod core;
mod handler;
mod link;
mod manager;
mod options;
mod socket;
mod telling;
mod translating;

pub use answers::{AuthQuestion, ClientAck};
pub use handler::{ClientEvent, ClientHandler, ConnectError, ManagerHandler};
pub use manager::{Manager, connect};
pub use options::{Auth, ManagerOptions, Reconnection, SocketOptions};
pub use socket::ClientSocket;

pub use crate::socketio::client::{Reason as ClientReason, State as ManagerState};
