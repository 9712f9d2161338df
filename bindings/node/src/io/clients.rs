//! Managers and their sockets, as objects that JavaScript holds; the core keeps what is connected.

use std::sync::Arc;

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use sockline::io::{Auth, AuthQuestion, ClientSocket, Manager, SocketOptions, Transport};

use super::client_heard::Heard;
use super::client_options::IoManagerOptions;
use super::servers::message;
use crate::engine::Engine;
use crate::errors::{Result, failure, unsupported};
use crate::host::HostPointer;
use crate::options::millis;
use crate::sending::status;
use crate::tls::ClientContext;

/// A connection to a server, made again and again.
#[napi]
pub struct IoManager {
    manager: Manager,
    host: HostPointer,
    /// The first of its transports.
    first: Transport,
}

/// A socket of a manager.
#[napi]
pub struct IoClientSocket {
    socket: ClientSocket,
    host: HostPointer,
}

#[napi]
impl Engine {
    /// Makes a manager, which connects only when it is told to. Its events come under the key, those of its sockets under
    /// their own.
    #[napi]
    pub fn io_manager(
        &self,
        key: u32,
        options: IoManagerOptions,
        context: Option<&ClientContext>,
    ) -> Result<IoManager> {
        let (on_loop, _) = self.host.get().start().map_err(|text| unsupported(&text))?;
        let (url, mut options) = options.split(self.host)?;
        options.client.tls = context.map(|context| context.tls.clone());
        let first = options.transports.first().copied().unwrap_or(Transport::Polling);
        let heard = Arc::new(Heard { host: self.host, key });
        let manager = Manager::new(Some(on_loop), &url, options, Some(heard)).map_err(failure)?;
        Ok(IoManager {
            manager,
            host: self.host,
            first,
        })
    }

    /// Answers what a socket says of itself: a JSON object, or empty for nothing.
    #[napi]
    pub fn io_answer_auth(&self, question: f64, json: String) -> Result<()> {
        if let Ok(question) = AuthQuestion::from_raw(question as u64) {
            question.answer(&json).map_err(failure)?;
        }
        self.host.get().deliver_soon();
        Ok(())
    }

    /// Keeps the process alive, until `io_let_go`.
    #[napi]
    pub fn io_hold(&self) {
        self.host.get().retain();
    }

    #[napi]
    pub fn io_let_go(&self) {
        self.host.get().release();
    }
}

#[napi]
impl IoManager {
    #[napi]
    pub fn open(&self) -> Result<()> {
        self.manager.open().map_err(failure)?;
        self.host.get().deliver_soon();
        Ok(())
    }

    #[napi]
    pub fn close(&self) {
        self.manager.close();
        self.host.get().deliver_soon();
    }

    /// Closes the connection as if it had been lost.
    #[napi]
    pub fn close_connection(&self) {
        self.manager.close_connection();
        self.host.get().deliver_soon();
    }

    /// Sends a message of Engine.IO over the present connection, text or binary; returns a status as `send` of WebSockets.
    #[napi]
    pub fn send_message(&self, is_binary: bool, data: Buffer, compress: Option<bool>) -> Result<i32> {
        let sent = self.manager.send_message(message(is_binary, &data)?, compress);
        self.host.get().deliver_soon();
        Ok(status(sent))
    }

    #[napi]
    pub fn set_reconnection(&self, enabled: bool) {
        self.manager.set_reconnection(enabled);
    }

    /// Whether each packet of Engine.IO is told.
    #[napi]
    pub fn set_packet_events(&self, tell: bool) {
        self.manager.set_packet_events(tell);
    }

    /// With which transport it begins.
    #[napi]
    pub fn first_transport(&self) -> &'static str {
        transport_name(self.first)
    }

    #[napi]
    pub fn buffered_amount(&self) -> f64 {
        self.manager.buffered_amount() as f64
    }

    /// The socket of a namespace; a negative timeout is none.
    #[napi]
    pub fn socket(
        &self,
        namespace: String,
        key: u32,
        retries: u32,
        ack_timeout: f64,
    ) -> Result<IoClientSocket> {
        let options = SocketOptions {
            auth: Auth::Ask,
            retries,
            ack_timeout: (ack_timeout >= 0.0).then(|| millis(ack_timeout)),
            user_data: key as usize,
        };
        let heard = Arc::new(Heard { host: self.host, key });
        let socket = self.manager.socket(&namespace, options, heard).map_err(failure)?;
        Ok(IoClientSocket {
            socket,
            host: self.host,
        })
    }
}

#[napi]
impl IoClientSocket {
    /// The number that the functions that send take.
    #[napi]
    pub fn raw(&self) -> f64 {
        self.socket.raw() as f64
    }

    #[napi]
    pub fn connect(&self) -> Result<()> {
        self.socket.connect().map_err(failure)?;
        self.host.get().deliver_soon();
        Ok(())
    }

    #[napi]
    pub fn disconnect(&self) {
        self.socket.disconnect();
        self.host.get().deliver_soon();
    }

    #[napi]
    pub fn clear_send_buffer(&self) {
        self.socket.clear_send_buffer();
        self.host.get().deliver_soon();
    }
}

pub(super) fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Polling => "polling",
        Transport::WebSocket => "websocket",
    }
}
