//! What a namespace has to do with the other servers of its cluster.

use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use sockline::ErrorCode;
use sockline::io::{AckResponse, Answered, Namespace, ServerAck};

use super::heard::json;
use super::records;
use super::redis::IoRedis;
use super::rooms::refs;
use super::sending::without_brackets;
use super::servers::{io_server, namespace};
use crate::batch::Kind;
use crate::engine::Engine;
use crate::errors::{Result, failure};
use crate::host::HostPointer;

#[napi]
impl Engine {
    /// Makes a server that has had no client yet one of a cluster. The key is the server's.
    #[napi]
    pub fn io_set_adapter(&self, server: f64, key: u32, options: IoRedis) -> Result<()> {
        let server = io_server(server)?;
        let redis = options.open(self.host, key)?;
        let set = server.set_adapter(&redis);
        if set.is_err() {
            self.host.get().io.redis.close(self.host.get(), key, false);
        }
        set.map_err(failure)
    }

    /// Has the other servers hear an event; `args` is a JSON array. With a token that isn't negative a record follows with
    /// their answers.
    #[napi]
    pub fn io_server_side_emit(
        &self,
        handle: f64,
        name: String,
        args: String,
        attachments: Vec<Uint8Array>,
        token: f64,
    ) -> Result<()> {
        let namespace = asked(handle)?;
        let (args, attachments) = (without_brackets(&args), views(&attachments));
        if token < 0.0 {
            namespace.server_side_emit(&name, args, &attachments)
        } else {
            let host = self.host;
            let done = move |answers| tell_answers(host, handle, token as u32, answers);
            namespace.server_side_emit_with_ack(&name, args, &attachments, done)
        }
        .map_err(failure)?;
        self.host.get().deliver_soon();
        Ok(())
    }

    /// Answers what another server has emitted, by the first value of a JSON array. Who asked may not wait any more.
    #[napi]
    pub fn io_server_ack(&self, handle: f64, values: String, attachments: Vec<Uint8Array>) -> Result<()> {
        let Ok(ack) = ServerAck::from_raw(handle as u64) else {
            return Ok(());
        };
        ack.send(without_brackets(&values), &views(&attachments))
            .map_err(failure)
    }

    /// The ids of all servers' sockets in any of these rooms; a record follows.
    #[napi]
    pub fn io_all_sockets(&self, handle: f64, rooms: Option<Vec<String>>, token: u32) -> Result<()> {
        let host = self.host;
        let rooms = rooms.unwrap_or_default();
        let done = move |found| tell_found(host, handle, token, found, |ids: Vec<String>| json(&ids));
        asked(handle)?.all_sockets(&refs(&rooms), done).map_err(failure)?;
        host.get().deliver_soon();
        Ok(())
    }

    /// The names of all servers' rooms; a record follows.
    #[napi]
    pub fn io_all_rooms(&self, handle: f64, token: u32) -> Result<()> {
        let host = self.host;
        let done = move |found| tell_found(host, handle, token, found, |rooms: Vec<String>| json(&rooms));
        asked(handle)?.all_rooms(done).map_err(failure)?;
        host.get().deliver_soon();
        Ok(())
    }

    /// How many servers there are; a record follows.
    #[napi]
    pub fn io_server_count(&self, handle: f64, token: u32) -> Result<()> {
        let host = self.host;
        let done = move |count: sockline::Result<usize>| {
            let count = count.map(Answered::whole);
            tell_found(host, handle, token, count, |count: usize| count.to_string());
        };
        asked(handle)?.server_count(done).map_err(failure)?;
        host.get().deliver_soon();
        Ok(())
    }

    /// What the other servers see of a socket's `data`: a JSON object.
    #[napi]
    pub fn io_set_data(&self, slot: f64, data: String) {
        if let Ok(socket) = self.host.get().io.socket(slot) {
            socket.set_data_json(&data);
        }
    }

    /// The same, as it was when the socket was lost on another server.
    #[napi]
    pub fn io_data(&self, slot: f64) -> Option<String> {
        let socket = self.host.get().io.socket(slot).ok()?;
        Some(socket.data_json())
    }
}

/// The namespace that is asked for something.
pub(super) fn asked(handle: f64) -> Result<Namespace> {
    namespace(handle).ok_or_else(|| failure(ErrorCode::Closed.into()))
}

/// The bytes that JavaScript hands over, while it doesn't run.
pub(super) fn views(attachments: &[Uint8Array]) -> Vec<&[u8]> {
    attachments.iter().map(|view| view.as_ref()).collect()
}

/// A record's extra half word where others have been asked: how many have not answered in time, or that nobody could be
/// asked, the text being why.
const FAILED: u16 = u16::MAX;

fn missing(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(FAILED - 1).min(FAILED - 1)
}

/// What JavaScript knows a namespace by, unless it has given it up meanwhile.
fn key_of(handle: f64) -> Option<u32> {
    let key = namespace(handle)?.user_data() as u32;
    (key != 0).then_some(key)
}

/// What was found, as JSON behind the token.
pub(super) fn tell_found<T>(
    host: HostPointer,
    namespace: f64,
    token: u32,
    found: sockline::Result<Answered<T>>,
    write: impl FnOnce(T) -> String,
) {
    let (extra, text) = match found {
        Ok(found) => (missing(found.missing), write(found.value)),
        Err(error) => (FAILED, error.text().to_owned()),
    };
    let Some(key) = key_of(namespace) else { return };
    let parts = [&token.to_le_bytes()[..], text.as_bytes()];
    host.get().batch.push_parts(key, Kind::IoFetched, extra, parts);
    host.get().deliver_soon();
}

fn tell_answers(
    host: HostPointer,
    namespace: f64,
    token: u32,
    answers: sockline::Result<Answered<Vec<AckResponse>>>,
) {
    let Some(key) = key_of(namespace) else { return };
    let batch = &host.get().batch;
    match answers {
        Ok(Answered {
            value,
            missing: silent,
        }) => {
            records::push_responses(batch, key, Kind::IoServerAnswers, missing(silent), token, &value);
        }
        Err(error) => {
            let parts = [&token.to_le_bytes()[..], error.text().as_bytes()];
            batch.push_parts(key, Kind::IoServerAnswers, FAILED, parts);
        }
    }
    host.get().deliver_soon();
}
