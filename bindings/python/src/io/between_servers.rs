//! What a server asks of the others of its cluster, and hears of them.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use sockline::io::{AckResponse, Answered, BroadcastAcks, Namespace, ServerEvent, SocketDetails};
use sockline::{Error, ErrorCode, Result};

use super::ack::{IoAck, Owed};
use super::server_events::ServerEvents;
use super::values::Reader;

/// What is told of a client: its sid, its rooms, the handshake, and data.
type Details<'py> = (String, Vec<String>, Bound<'py, PyAny>, Bound<'py, PyAny>);

fn details<'py>(py: Python<'py>, reader: &Reader, found: SocketDetails) -> PyResult<Details<'py>> {
    let handshake = reader.value(py, &found.handshake_json)?;
    let data = reader.value(py, &found.data_json)?;
    Ok((found.id, found.rooms, handshake, data))
}

/// The first value of an answer; `None` if it has none.
fn answer<'py>(
    py: Python<'py>,
    reader: &Reader,
    response: &AckResponse,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let values = reader.arguments(py, &response.args, &response.attachments)?;
    (!values.is_empty()).then(|| values.get_item(0)).transpose()
}

impl ServerEvents {
    /// Tells `target._answered` of an answer: what it is, and how many servers are missing.
    fn tell_answer<'py, T>(&self, py: Python<'py>, token: u64, answer: PyResult<T>, missing: usize)
    where
        T: IntoPyObject<'py>,
    {
        match answer {
            Ok(value) => self.tell(py, intern!(py, "_answered"), (token, value, missing)),
            Err(error) => self.tell(py, intern!(py, "_not_answered"), (token, error.to_string())),
        };
    }

    /// Tells `target._not_answered` why there is no answer; nothing, if the server has ended.
    fn tell_failure(&self, token: u64, error: &Error) {
        let why = (error.code() != ErrorCode::Closed).then(|| error.text());
        Python::attach(|py| {
            self.tell(py, intern!(py, "_not_answered"), (token, why));
        });
    }

    pub(super) fn on_sockets(&self, token: u64, found: Result<Answered<Vec<SocketDetails>>>) {
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.tell_failure(token, &error),
        };
        Python::attach(|py| {
            let sockets = found.value.into_iter();
            let sockets: PyResult<Vec<_>> = sockets.map(|one| details(py, &self.reader, one)).collect();
            self.tell_answer(py, token, sockets, found.missing);
        });
    }

    pub(super) fn on_answers(&self, token: u64, answers: Result<Answered<Vec<AckResponse>>>) {
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => return self.tell_failure(token, &error),
        };
        Python::attach(|py| {
            let values = answers.value.iter();
            let values: PyResult<Vec<_>> = values.map(|one| answer(py, &self.reader, one)).collect();
            self.tell_answer(py, token, values, answers.missing);
        });
    }

    pub(super) fn on_count(&self, token: u64, count: Result<usize>) {
        match count {
            Ok(count) => Python::attach(|py| self.tell_answer(py, token, Ok(count), 0)),
            Err(error) => self.tell_failure(token, &error),
        }
    }

    /// The answers to a broadcast: those that can be read.
    pub(super) fn broadcast_acked(&self, py: Python<'_>, token: u64, acks: BroadcastAcks<'_>) {
        let responses = acks.responses.iter();
        let responses: Vec<_> = responses
            .filter_map(|one| self.reader.arguments(py, &one.args, &one.attachments).ok())
            .collect();
        self.tell(
            py,
            intern!(py, "_broadcast_acked"),
            (token, responses, acks.timed_out),
        );
    }

    /// Another server's application says something.
    pub(super) fn server_event(
        self: &Arc<Self>,
        py: Python<'_>,
        namespace: &Namespace,
        event: ServerEvent<'_>,
    ) {
        let data = match self.reader.array(py, event.array, event.attachments) {
            Ok(data) => data,
            Err(error) => return self.hub.report(py, error, None),
        };
        let ack = event.ack.map(|ack| IoAck::new(&self.hub, Owed::Peer(ack)));
        self.tell(py, intern!(py, "_server_event"), (namespace.name(), data, ack));
    }
}
