//! The HTTP client against raw servers: connections that stay, bodies in each framing, what goes wrong on the way.

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod connections;
mod endings;
mod scene;
