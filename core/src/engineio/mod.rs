//! Engine.IO, revisions 4 (`EIO=4`) and 3 (`EIO=3`), without I/O: the layer below Socket.IO that carries messages over
//! HTTP long-polling and over WebSockets, and moves a session from one to the other.
//!
//! | module | what is there |
//! |---|---|
//! | [`packet`], [`payload`] | what goes over the wire: packets, and payloads of several for polling |
//! | [`query`], [`request`] | which requests are served, and what the others are told |
//! | [`jsonp`] | polling by script tags, which revision 3 has |
//! | [`cors`], [`cookie`], [`coding`] | headers of answers, and their compression |
//! | [`sid`] | the ids of sessions |
//! | [`server`] | a session at the server, on polling and on a WebSocket |
//! | [`client`] | the client's machine |
//!
//! Names and sections are those of the Engine.IO protocol document (github.com/socketio/engine.io-protocol).

#![forbid(unsafe_code)]

pub mod client;
pub mod coding;
pub mod cookie;
pub mod cors;
pub mod jsonp;
pub mod packet;
pub mod payload;
pub mod query;
pub mod request;
pub mod server;
pub mod sid;

mod base64;
mod payload_v3;

pub use cookie::{Cookie, CookiePriority, SameSite};
pub use cors::{Cors, CorsOrigin, OriginCheck};

pub use packet::{Body, Data, Packet, PacketType, ParseError, Version};
pub use payload::{PayloadType, Payloads, decode_binary_payload, decode_payload, encode_payload};
pub use request::{Denial, DenialCode, Known, Rules, Transport, Verified, verify};
pub use sid::{Sid, Tag};
