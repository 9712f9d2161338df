//! Packets of the application's own class: `sockline.socketio._packets.Packets`.
//!
//! The engine calls it with no lock held, so that Python code may run, and give the interpreter to other threads.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use sockline::io::Parser;
use sockline::socketio::{
    Content, Data, Encoded, Limits, Outgoing, Packet, PacketType, ParseError, ParserDecoder,
};

use crate::hub::Hub;

const NOT_ENCODED: ParseError = ParseError::Custom("the application's serializer can't encode it");
const NOT_DECODED: ParseError = ParseError::Custom("the application's serializer can't read it");

thread_local! {
    /// For a call that sends: what its packet's class raises.
    static RAISED: Cell<Option<Option<PyErr>>> = const { Cell::new(None) };
}

/// A call that sends, as [`Hub::quietly`].
///
/// # Errors
/// What the packet's class has raised.
pub(super) fn sending<T>(py: Python<'_>, hub: &Hub, call: impl FnOnce() -> T) -> PyResult<T> {
    let before = RAISED.replace(Some(None));
    let result = hub.quietly(py, call);
    match RAISED.replace(before).flatten() {
        Some(error) => Err(error),
        None => Ok(result),
    }
}

/// Keeps the error for whoever sends; says whether there is somebody.
fn raise_to_sender(error: PyErr) -> Result<(), PyErr> {
    match RAISED.take() {
        None => Err(error),
        Some(kept) => {
            RAISED.set(Some(Some(kept.unwrap_or(error))));
            Ok(())
        }
    }
}

/// A parser that is written in Python.
pub(super) struct Written(Arc<Shared>);

struct Shared {
    packets: Py<PyAny>,
    /// What is needed no more, for Python to drop.
    gone: Py<PyList>,
    hub: Arc<Hub>,
}

impl Written {
    /// # Errors
    /// They are none.
    pub(super) fn new(packets: Bound<'_, PyAny>, hub: &Arc<Hub>) -> PyResult<Written> {
        let gone = packets.getattr(intern!(packets.py(), "gone"))?;
        Ok(Written(Arc::new(Shared {
            packets: packets.unbind(),
            gone: gone.cast_into::<PyList>()?.unbind(),
            hub: hub.clone(),
        })))
    }
}

impl Shared {
    fn report(&self, py: Python<'_>, what: &Bound<'_, PyString>, error: PyErr) {
        if error.is_instance_of::<PyKeyboardInterrupt>(py) || error.is_instance_of::<PySystemExit>(py) {
            return self.hub.report(py, error, None);
        }
        let report = intern!(py, "report");
        if let Err(error) = self.packets.call_method1(py, report, (what, error.value(py))) {
            self.hub.report(py, error, None);
        }
    }

    /// Locks may be held where the engine drops something, so nothing is dropped here that may have a word to say.
    fn let_go(&self, gone: impl FnOnce(Python<'_>) -> Bound<'_, PyAny>) {
        Python::try_attach(|py| {
            let _ = self.gone.bind(py).append(gone(py));
        });
    }

    fn encode(&self, py: Python<'_>, packet: &Outgoing<'_>, out: &mut Encoded) -> PyResult<()> {
        let arguments = (
            packet.packet_type as u8,
            packet.namespace,
            packet.id,
            packet.payload.map(|payload| PyBytes::new(py, payload.as_bytes())),
            packet.attachments.first().map(|token| PyBytes::new(py, token)),
        );
        let messages = self
            .packets
            .bind(py)
            .call_method1(intern!(py, "encode"), arguments)?;
        for message in messages.try_iter()? {
            match message?.extract()? {
                Message::Text(text) => out.push_text(&text),
                Message::Binary(data) => out.push_binary(data.as_bytes()),
            }
        }
        Ok(())
    }
}

#[derive(FromPyObject)]
enum Message<'py> {
    Text(String),
    Binary(Bound<'py, PyBytes>),
}

impl Parser for Written {
    fn encode(&self, packet: &Outgoing<'_>, out: &mut Encoded) -> Result<(), ParseError> {
        Python::attach(|py| {
            let shared = &self.0;
            if shared.hub.is_over(py) {
                return Err(NOT_ENCODED);
            }
            let encoded = shared.hub.aloud(py, || shared.encode(py, packet, out));
            encoded.map_err(|error| {
                if let Err(error) = raise_to_sender(error) {
                    shared
                        .hub
                        .aloud(py, || shared.report(py, intern!(py, "encode"), error));
                }
                NOT_ENCODED
            })
        })
    }

    fn decoder(&self) -> Box<dyn ParserDecoder> {
        Box::new(Decoding {
            shared: self.0.clone(),
            state: None,
        })
    }
}

struct Decoding {
    shared: Arc<Shared>,
    /// `sockline.socketio._packets.Decoding`, from the first message on.
    state: Option<Py<PyAny>>,
}

/// Type, namespace, id, payload, and what stands for the values that it would carry.
type Whole<'py> = (
    u8,
    String,
    Option<u64>,
    Option<Bound<'py, PyBytes>>,
    Option<Bound<'py, PyBytes>>,
);

impl Decoding {
    fn read(
        &mut self,
        py: Python<'_>,
        message: Data<'_>,
        limits: &Limits,
    ) -> PyResult<Option<Result<Packet<'static>, ParseError>>> {
        let packets = self.shared.packets.bind(py);
        let state = match &self.state {
            Some(state) => state.bind(py),
            None => {
                let made = packets.call_method0(intern!(py, "decoder"))?;
                self.state.insert(made.unbind()).bind(py)
            }
        };
        let decode = intern!(py, "decode");
        let whole = match message {
            Data::Text(text) => state.call_method1(decode, (text, limits.max_attachments)),
            Data::Binary(data) => {
                state.call_method1(decode, (PyBytes::new(py, data), limits.max_attachments))
            }
        }?;
        let Some((kind, namespace, id, payload, token)) = whole.extract::<Option<Whole<'_>>>()? else {
            return Ok(None);
        };
        let attachments = match token {
            Some(token) => vec![Bytes::from_owner(Kept {
                token: token.as_bytes().to_vec(),
                shared: self.shared.clone(),
            })],
            None => Vec::new(),
        };
        let payload = match payload {
            Some(payload) => Some(Cow::Owned(super::values::text(payload.as_bytes())?.to_owned())),
            None => None,
        };
        let content = packet_type(kind).and_then(|kind| Content::parse(kind, payload));
        Ok(Some(content.map(|content| Packet {
            namespace: Cow::Owned(namespace),
            id,
            content,
            attachments,
        })))
    }
}

impl ParserDecoder for Decoding {
    fn decode<'a>(&mut self, message: Data<'a>, limits: &Limits) -> Result<Option<Packet<'a>>, ParseError> {
        Python::attach(|py| {
            let shared = self.shared.clone();
            if shared.hub.is_over(py) {
                return Err(NOT_DECODED);
            }
            match shared.hub.aloud(py, || self.read(py, message, limits)) {
                Ok(packet) => packet.transpose(),
                Err(error) => {
                    shared
                        .hub
                        .aloud(py, || shared.report(py, intern!(py, "decode"), error));
                    Err(NOT_DECODED)
                }
            }
        })
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            self.shared.let_go(|py| state.into_bound(py));
        }
    }
}

fn packet_type(kind: u8) -> Result<PacketType, ParseError> {
    match kind {
        0 => Ok(PacketType::Connect),
        1 => Ok(PacketType::Disconnect),
        2 => Ok(PacketType::Event),
        3 => Ok(PacketType::Ack),
        4 => Ok(PacketType::ConnectError),
        _ => Err(ParseError::UnknownType),
    }
}

/// Values that Python keeps while the engine has what stands for them.
struct Kept {
    token: Vec<u8>,
    shared: Arc<Shared>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.token
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.shared.let_go(|py| PyBytes::new(py, &self.token).into_any());
    }
}
