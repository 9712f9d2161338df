//! Socket.IO's packets in both encodings, and beside the official parsers.

mod msgpack;
mod official;
