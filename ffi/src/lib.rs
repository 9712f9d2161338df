//! The C face of sockline: what `include/sockline.h` declares, as casts and guards around the crate `sockline`.
//!
//! One file for each object of the header; their doc comments are the header's text, which `tests/header.rs` generates.
//! No behaviour lives here.

// C names, because the types and functions are C's.
#![allow(non_camel_case_types)]
// What a caller has to keep to is said once, at the top of the header, and where a function differs, in its own text.
#![allow(clippy::missing_safety_doc)]

mod abi;
mod guard;
mod kept;
#[cfg(target_pointer_width = "64")]
mod layout;
mod pulled;

pub mod client;
pub mod dial;
pub mod elsewhere;
pub mod event_loop;
pub mod handlers;
pub mod io;
pub mod log;
pub mod lookup;
pub mod metrics;
pub mod queue;
pub mod reconnect;
pub mod routes;
pub mod server;
pub mod settings;
pub mod status;
pub mod tls;
pub mod topics;
pub mod types;
pub mod upgrade;
pub mod websocket;
