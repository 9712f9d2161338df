//! One native engine for live connections: WebSocket client and server over one event loop.
//!
//! [`connect`] opens a connection, [`listen`] accepts them; both return a handle at once and tell what happens
//! through a [`Handler`]. A [`Loop`] is turned by the caller ([`Loop::run`]), by a thread of the library
//! ([`Loop::start`]), or by a host's own loop ([`Loop::fd`], [`Loop::next_timeout`], [`Loop::poll`]).
//!
//! The protocol machines in [`ws`], [`http`], [`engineio`] and [`socketio`] do no I/O and can be used alone.

#![warn(clippy::unwrap_used)]

// The tests in here share helpers with those outside, which call the crate by its name.
#[cfg(test)]
extern crate self as sockline;

pub mod adapter;
pub mod engineio;
pub mod http;
pub mod io;
pub mod json;
pub mod requests;
pub mod socketio;
pub mod ws;

mod client;
mod cookies;
mod destination;
mod dial;
mod error;
mod event_loop;
mod event_queue;
mod given;
mod handle;
mod handler;
mod kept;
mod logging;
mod metrics;
mod origins;
mod proxy;
mod reconnect;
mod route;
mod server;
mod settings;
mod shared_head;
mod tls;
mod topics;
mod websocket;

pub use client::{ClientOptions, Lookup, Timings, connect};
pub use dial::{Dial, Dialing};
pub use error::{Error, ErrorCode, HttpResponse, Result};
pub use event_loop::{
    Home, Loop, LoopOptions, LoopWaker, Timed, TimerKey, Turn, memory_in_use, set_memory_budget,
};
pub use event_queue::{EventQueue, Queued, QueuedEvent, QueuedPart, QueuedUpgrade};
pub use given::GivenSocket;
pub use handler::{AcceptAll, CloseEvent, Handler, Message, MessagePart, ServerHandler};
pub use kept::Kept;
pub use logging::{LogLevel, LogSink, set_log, write_log};
pub use metrics::{ConnectionMetrics, LoopMetrics, ServerMetrics, Totals};
pub use proxy::Proxy;
pub use reconnect::{Attempt, Reconnect, Reconnecting};
pub use route::{Exchange, HttpAnswer, HttpRequest, Route};
pub use server::{Accept, Address, Refusal, Server, ServerOptions, UpgradeRequest, listen};
pub use settings::{Settings, SlowConsumer, TcpOptions};
pub use tls::{
    ClientTls, ClientTlsOptions, Identity, ServerTls, ServerTlsOptions, TlsError, TlsInfo, TlsVersion,
};
pub use websocket::{SendOptions, SendOutcome, Sent, WebSocket, send_shared_many};
pub use ws::{Compression, MessageType, ReadyState};

/// The guide's programs run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/start/rust.md")]
pub struct Guide;
