//! Socket.IO. What is public is written in Python on top; here are the engine's objects as Python sees them, and its
//! events on their way there.
//!
//! | room | what happens there |
//! |---|---|
//! | `server`, `server_events`, `question` | the server, what it tells, and what it asks |
//! | `client`, `client_events` | a client's connection, and what it tells and asks |
//! | `parser` | packets of the application's own class |
//! | `ack` | answers to events, in both roles |
//! | `packets` | single packets of Engine.IO, in both roles |
//! | `direct`, `steps` | a server's usual events: their handlers are called from here, coroutines stepped for the first time |
//! | `foreign` | requests and WebSockets that ASGI's, WSGI's or another server has read |
//! | `redis`, `between_servers` | the servers of a cluster |
//! | `whom` | rooms and clients that something is for |
//! | `options`, `values` | options and events on their way between the languages |
//! | `decode`, `encode`, `names` | JSON of the usual kind, and strings that come again |
//!
//! Everything is called by, and calls, attached code, on the thread that turns the driver; only what Python calls may
//! come from other threads.

mod ack;
mod between_servers;
mod client;
mod client_events;
mod decode;
mod direct;
mod encode;
mod foreign;
mod names;
mod options;
mod packets;
mod parser;
mod question;
mod redis;
mod server;
mod server_events;
mod steps;
mod values;
mod whom;

pub(crate) use ack::IoAck;
pub(crate) use client::{IoAuth, IoClient};
pub(crate) use foreign::IoForeign;
pub(crate) use question::{IoQuestion, IoRequest};
pub(crate) use redis::{Adapter, IoEmitter};
pub(crate) use server::IoServer;
