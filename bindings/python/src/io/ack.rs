//! Answers to events.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sockline::io::{Ack, ClientAck, ServerAck};
use sockline::{ErrorCode, Result, Sent};

use super::parser;
use super::values::{inner_text, slices};
use crate::errors::raise;
use crate::guarded::Guarded;
use crate::hub::Hub;
use std::sync::Arc;

/// The answer that a peer waits for. Let go of, it is never given.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct IoAck {
    owed: Guarded<Option<Owed>>,
    hub: Arc<Hub>,
}

pub(crate) enum Owed {
    Client(Ack),
    Server(ClientAck),
    /// One value.
    Peer(ServerAck),
}

impl Owed {
    fn send(self, args: &str, attachments: &[&[u8]]) -> Result<Sent> {
        match self {
            Owed::Client(ack) => ack.send(args, attachments),
            Owed::Server(ack) => ack.send(args, attachments),
            Owed::Peer(ack) => ack.send(args, attachments).map(|()| Sent::Queued),
        }
    }
}

impl IoAck {
    pub(crate) fn new(hub: &Arc<Hub>, owed: Owed) -> IoAck {
        IoAck {
            owed: Guarded::new(Some(owed)),
            hub: hub.clone(),
        }
    }
}

#[pymethods]
impl IoAck {
    /// Answers, once; without effect if the peer has gone.
    fn send(&self, py: Python<'_>, array: &[u8], attachments: Vec<Bound<'_, PyBytes>>) -> PyResult<()> {
        let args = inner_text(array)?;
        let Some(owed) = self.owed.take(py) else {
            return Ok(());
        };
        let sent = parser::sending(py, &self.hub, || owed.send(args, &slices(&attachments)))?;
        match sent {
            Err(error) if error.code() != ErrorCode::Closed => Err(raise(py, &error)),
            _ => Ok(()),
        }
    }
}
