//! The Socket.IO client over real sockets, against a server that says only what a test tells it to.

#[path = "../support/mod.rs"]
mod support;

mod carrying;
mod lasting;
mod limits;
mod losses;
mod parsers;
mod scene;
mod server;
mod talking;
