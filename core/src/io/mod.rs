//! Socket.IO.

pub(crate) mod engine;
