//! Socket.IO: what `lib/io/*.js` calls, and what is told to it.
//!
//! A socket of a server has a slot from its first event to its last: JavaScript's word for it, and the place where the
//! socket itself is kept meanwhile, so that sending needs no look-up by number. Slots are taken back by JavaScript, which
//! may have events of the socket still before it when the engine has none left.
//!
//! | room | what happens there |
//! |---|---|
//! | `servers` | servers and namespaces: made, asked, closed |
//! | `sockets` | one client in one namespace |
//! | `rooms` | which sockets are in which rooms, and orders to some of them |
//! | `cluster` | what namespaces have to do with the other servers of a cluster |
//! | `sending` | the functions that send, which are called most |
//! | `heard` | the core's events of servers, as records |
//! | `records` | what such records look like |
//! | `options` | what JavaScript says about servers |
//! | `codec` | parsers that are written in JavaScript |
//! | `exchanges` | requests that Node's http module has read |
//! | `clients` | managers and their sockets |
//! | `client_heard` | their events |
//! | `client_options` | what JavaScript says about them |
//! | `redis` | connections to Redis: options, and what they tell |
//! | `emitter` | processes without a server |

mod client_heard;
mod client_options;
mod clients;
mod cluster;
mod codec;
mod emitter;
mod exchanges;
mod heard;
mod options;
mod records;
mod redis;
mod rooms;
mod sending;
mod servers;
mod slots;
mod sockets;

pub(crate) use exchanges::{duplicate, parse as parse_head};
pub(crate) use redis::IoRedis;
pub(crate) use servers::io_server;
pub(crate) use slots::Io;
