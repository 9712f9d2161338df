//! One client in one namespace, by its slot. Calls on sockets that have gone do nothing.

use napi_derive::napi;
use sockline::io::{SessionInfo, Socket};

use super::records;
use crate::engine::Engine;

#[napi]
impl Engine {
    /// Session id, protocol, transport, when it began, the auth payload, then the request, between NULs. None for a socket
    /// that has gone.
    #[napi]
    pub fn io_details(&self, slot: f64) -> Option<String> {
        self.socket(slot).map(|socket| details(&socket))
    }

    /// Takes the slot back; returns the same.
    #[napi]
    pub fn io_forget_socket(&self, slot: f64) -> Option<String> {
        let socket = self.host.get().io.remove(slot)?;
        Some(details(&socket))
    }

    #[napi]
    pub fn io_join(&self, slot: f64, rooms: Vec<String>) {
        if let Some(socket) = self.socket(slot) {
            let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
            socket.join(&rooms);
        }
        self.host.get().deliver_soon();
    }

    #[napi]
    pub fn io_leave(&self, slot: f64, room: String) {
        if let Some(socket) = self.socket(slot) {
            socket.leave(&room);
        }
        self.host.get().deliver_soon();
    }

    #[napi]
    pub fn io_rooms(&self, slot: f64) -> Vec<String> {
        self.socket(slot).map(|socket| socket.rooms()).unwrap_or_default()
    }

    #[napi]
    pub fn io_disconnect(&self, slot: f64, close: bool) {
        if let Some(socket) = self.socket(slot) {
            socket.disconnect(close);
        }
        self.host.get().deliver_soon();
    }

    /// Whether broadcasts that are sent to it are told.
    #[napi]
    pub fn io_hear_outgoing(&self, slot: f64, hear: bool) {
        if let Some(socket) = self.socket(slot) {
            socket.hear_outgoing(hear);
        }
    }

    #[napi]
    pub fn io_buffered_amount(&self, slot: f64) -> f64 {
        self.socket(slot).map_or(0, |socket| socket.buffered_amount()) as f64
    }
}

impl Engine {
    fn socket(&self, slot: f64) -> Option<Socket> {
        self.host.get().io.socket(slot).ok()
    }
}

fn details(socket: &Socket) -> String {
    let session = SessionInfo {
        id: socket.session_id(),
        request: socket.handshake(),
        transport: socket.transport(),
        protocol: socket.protocol(),
    };
    records::session(&session, socket.auth())
}
