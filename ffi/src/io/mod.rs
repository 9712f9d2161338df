//! Socket.IO: servers and clients.

pub mod acks;
mod attachments;
pub mod broadcast;
pub mod client;
pub mod client_handlers;
pub mod client_options;
pub mod cluster;
pub mod custom_parser;
pub mod emitter;
pub mod handlers;
pub mod namespace;
pub mod options;
pub mod packets;
pub mod questions;
pub mod redis;
pub mod request;
pub mod server;
pub mod socket;
pub mod types;
