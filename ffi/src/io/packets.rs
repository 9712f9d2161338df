//! Packets and messages of Engine.IO, which carry those of Socket.IO.

use std::ffi::c_void;

use sockline::Result;
use sockline::engineio::Data;
use sockline::io::EnginePacket;

use crate::abi::{bytes, invalid, text};
use crate::types::{sockline_bytes, sockline_message_type};

/// What a packet of Engine.IO is. The numbers are the digits that it has on its way.
#[repr(C)]
pub enum sockline_io_engine_packet_type {
    /// The session's id and timings, as JSON.
    SOCKLINE_IO_ENGINE_OPEN = 0,
    /// The session ends.
    SOCKLINE_IO_ENGINE_CLOSE = 1,
    /// Asks for a pong.
    SOCKLINE_IO_ENGINE_PING = 2,
    /// Answers a ping.
    SOCKLINE_IO_ENGINE_PONG = 3,
    /// A packet of Socket.IO, or an attachment of it, or a message of the application's own.
    SOCKLINE_IO_ENGINE_MESSAGE = 4,
    /// The client has gone over to a WebSocket.
    SOCKLINE_IO_ENGINE_UPGRADE = 5,
    /// Nothing; ends a poll.
    SOCKLINE_IO_ENGINE_NOOP = 6,
}

/// A packet of Engine.IO; borrowed until the callback returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_engine_packet {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// 1 if it is on its way out, 0 if it came.
    pub is_outgoing: i32,
    /// One of enum sockline_io_engine_packet_type.
    pub packet_type: i32,
    /// Whether the data is text or binary: one of enum sockline_message_type.
    pub message_type: i32,
    /// Whether it may be compressed on its way out; 1 for one that came.
    pub compress: i32,
    /// Its data, without base64; empty if it has none.
    pub data: sockline_bytes,
}

/// Shows C a packet.
pub(super) fn with_packet(packet: &EnginePacket<'_>, show: impl FnOnce(*const sockline_io_engine_packet)) {
    let (message_type, data) = match packet.data {
        Data::Text(text) => (sockline_message_type::SOCKLINE_TEXT, text.as_bytes()),
        Data::Binary(data) => (sockline_message_type::SOCKLINE_BINARY, data),
    };
    let shown = sockline_io_engine_packet {
        size: size_of::<sockline_io_engine_packet>(),
        is_outgoing: packet.outgoing.into(),
        packet_type: packet.kind as i32,
        message_type: message_type as i32,
        compress: packet.compress.into(),
        data: sockline_bytes::borrow(data),
    };
    show(&raw const shown);
}

/// A message of C's.
///
/// # Safety
/// `data` points to `len` readable bytes that don't change while the result is in use.
pub(super) unsafe fn read_message<'a>(
    message_type: i32,
    data: *const c_void,
    len: usize,
) -> Result<Data<'a>> {
    const TEXT: i32 = sockline_message_type::SOCKLINE_TEXT as i32;
    const BINARY: i32 = sockline_message_type::SOCKLINE_BINARY as i32;
    match message_type {
        // SAFETY: the caller's promise is the same.
        TEXT => unsafe { text(data, len) }.map(Data::Text),
        // SAFETY: as above.
        BINARY => unsafe { bytes(data, len) }.map(Data::Binary),
        other => Err(invalid(format!(
            "{other} is not one of enum sockline_message_type"
        ))),
    }
}
