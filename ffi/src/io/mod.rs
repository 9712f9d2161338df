//! Socket.IO: servers and clients.

pub mod acks;
mod attachments;
pub mod broadcast;
pub mod handlers;
pub mod namespace;
pub mod options;
pub mod questions;
pub mod request;
pub mod server;
pub mod socket;
pub mod types;
