//! The client's machine of Socket.IO against a scripted connection, on a virtual clock.

mod chance;
mod connecting;
mod recovering;
mod retrying;
mod scene;
mod sending;
