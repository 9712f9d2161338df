//! What a host keeps for Socket.IO.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use sockline::ErrorCode;
use sockline::io::{Server, Socket};

use super::heard::Wants;
use super::redis::Links;

/// Added to a slot, it makes the key of the socket's records.
pub(crate) const SLOTS: u32 = 0x4000_0000;

/// What a host keeps for Socket.IO.
#[derive(Default)]
pub(crate) struct Io {
    sockets: RefCell<Slots>,
    /// Servers by their numbers, and what JavaScript wants to hear of each.
    pub(super) servers: RefCell<HashMap<u64, (Server, Arc<Wants>)>>,
    /// Connections to Redis.
    pub(crate) redis: Links,
    /// Keys of namespaces that are to be made for clients, by the keys of their servers and their names.
    awaited: RefCell<HashMap<(u32, Box<str>), u32>>,
}

/// Sockets by their slots; slot 0 is nobody's.
struct Slots {
    sockets: Vec<Option<Socket>>,
    free: Vec<u32>,
}

impl Default for Slots {
    fn default() -> Slots {
        Slots {
            sockets: vec![None],
            free: Vec::new(),
        }
    }
}

impl Io {
    /// Gives a socket a slot, which is its user data from now on.
    pub(super) fn add(&self, socket: &Socket) -> u32 {
        let mut slots = self.sockets.borrow_mut();
        let slot = slots.free.pop().unwrap_or_else(|| {
            slots.sockets.push(None);
            slots.sockets.len() as u32 - 1
        });
        socket.set_user_data(slot as usize);
        slots.sockets[slot as usize] = Some(socket.clone());
        slot
    }

    /// A namespace of this name will be made, for a client; JavaScript knows it by the key.
    pub(super) fn expect(&self, server: u32, name: &str, key: u32) {
        self.awaited.borrow_mut().insert((server, name.into()), key);
    }

    /// The key of a namespace that was made.
    pub(super) fn awaited(&self, server: u32, name: &str) -> Option<u32> {
        self.awaited.borrow_mut().remove(&(server, name.into()))
    }

    /// The socket in a slot.
    ///
    /// # Errors
    /// `Closed` if JavaScript has given the slot back.
    pub(super) fn socket(&self, slot: f64) -> sockline::Result<Socket> {
        let slots = self.sockets.borrow();
        let socket = slots.sockets.get(slot as usize).and_then(Option::as_ref);
        Ok(socket.ok_or(ErrorCode::Closed)?.clone())
    }

    /// Takes a slot back.
    pub(super) fn remove(&self, slot: f64) -> Option<Socket> {
        let mut slots = self.sockets.borrow_mut();
        let socket = slots.sockets.get_mut(slot as usize)?.take();
        if socket.is_some() {
            slots.free.push(slot as u32);
        }
        socket
    }
}
