//! `@socket.io/redis-adapter` 8: broadcasts over `PUBLISH`, and requests which all nodes answer.
//!
//! For each namespace a node is subscribed to four names, here those of "/" with the key "socket.io":
//!
//! | name | what comes there |
//! |---|---|
//! | pattern `socket.io#/#*` | broadcasts: on `socket.io#/#room#` those for one room, all others on `socket.io#/#` |
//! | `socket.io-request#/#` | requests; who is subscribed is a node, and owes an answer |
//! | `socket.io-response#/#` | answers |
//! | `socket.io-response#/#uid#` | answers for this node alone |
//!
//! The formats ([`Request`], [`Response`], [`Broadcast`]) know no Redis. Whoever can publish is trusted with the clients,
//! but not with this process: what can't be read is ignored, and nothing grows beyond what was sent.

mod adapter;
mod answering;
mod asking;
mod broadcasts;
mod channels;
mod requests;
mod responses;

#[cfg(test)]
mod captures;
#[cfg(test)]
mod tests;

pub use adapter::{ClassicAdapter, ClassicOptions};
pub use broadcasts::{Broadcast, Sender};
pub use channels::Channels;
pub use requests::{Received, Request, Whom};
pub use responses::{Response, ResponseContent};
