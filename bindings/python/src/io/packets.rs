//! Single packets of Engine.IO: those that are told of, and messages of the application's own.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use sockline::engineio::{Data, PacketType};
use sockline::io::EnginePacket;
use sockline::{ErrorCode, MessageType, Sent};

use super::server::refuse;
use crate::message;

/// The fields of `sockline.socketio.EnginePacket`.
pub(super) fn told<'py>(
    py: Python<'py>,
    packet: &EnginePacket<'_>,
) -> (bool, &'static str, Bound<'py, PyAny>, bool) {
    let data = match packet.data {
        Data::Text(text) => PyString::new(py, text).into_any(),
        Data::Binary(data) => PyBytes::new(py, data).into_any(),
    };
    (packet.outgoing, name(packet.kind), data, packet.compress)
}

/// Its name in the protocol.
fn name(kind: PacketType) -> &'static str {
    match kind {
        PacketType::Open => "open",
        PacketType::Close => "close",
        PacketType::Ping => "ping",
        PacketType::Pong => "pong",
        PacketType::Message => "message",
        PacketType::Upgrade => "upgrade",
        PacketType::Noop => "noop",
    }
}

/// Gives a message of the application's to `act`.
///
/// # Errors
/// `TypeError` for what is no message, `UnicodeError` for a `str` with surrogates.
pub(super) fn with_data<T>(message: &Bound<'_, PyAny>, act: impl FnOnce(Data<'_>) -> T) -> PyResult<T> {
    message::with_payload(message, None, |kind, bytes| {
        act(match (kind, std::str::from_utf8(bytes)) {
            (MessageType::Text, Ok(text)) => Data::Text(text),
            _ => Data::Binary(bytes),
        })
    })
}

/// Whether there is room for more; `None` if there is nobody to send it to.
///
/// # Errors
/// `SocklineError` over the hard limit.
pub(super) fn outcome(py: Python<'_>, sent: sockline::Result<Sent>) -> PyResult<Option<bool>> {
    match sent {
        Ok(sent) => Ok(Some(sent != Sent::OverMark)),
        Err(error) if matches!(error.code(), ErrorCode::Closed | ErrorCode::NotOpen) => Ok(None),
        Err(error) => Err(refuse(py, &error)),
    }
}
