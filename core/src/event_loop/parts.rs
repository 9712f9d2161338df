//! Messages that are sent in parts, and what waits for their end.

use std::sync::Arc;

use super::command::Outgoing;
use super::connection::Stage;
use super::core::LoopCore;
use super::messages::Form;
use super::queueing;
use super::shared::Shared;
use super::tracking::Tracking;
use crate::error::{ErrorCode, Result};
use crate::handle::Id;
use crate::handler::Edges;
use crate::websocket::{SendOptions, SendOutcome, Sent};
use crate::ws::{MessageType, SharedMessage};

/// A message that may not come between the parts of another.
pub(crate) enum Deferred {
    /// Another thread queued it before it could know.
    Queued(Outgoing),
    /// To many connections.
    Shared(Arc<SharedMessage>),
}

/// Messages for later; boxed, since few connections have any.
#[derive(Default)]
pub(crate) struct Waiting(pub(crate) Vec<Deferred>);

impl Deferred {
    pub(crate) fn len(&self) -> usize {
        match self {
            Deferred::Queued(outgoing) => outgoing.payload.len(),
            Deferred::Shared(message) => message.frame().len(),
        }
    }
}

/// Sends a part of a message; the first of them says of which kind it is.
pub(crate) fn send_part(id: Id, kind: MessageType, payload: &[u8], is_last: bool) -> Result<Sent> {
    let (shared, slot) = Shared::of(id)?;
    let begun = slot.part_kind();
    let kind = begun.unwrap_or(kind);
    if kind == MessageType::Text && simdutf8::basic::from_utf8(payload).is_err() {
        return Err(ErrorCode::InvalidUtf8.into());
    }
    let form = Form {
        part: Some(Edges {
            is_first: begun.is_none(),
            is_last,
        }),
        ..Form::of(kind)
    };
    let sent = match shared.enter() {
        Some(core) => core.send_part(id, form, payload),
        None => queueing::send(shared, id, form, payload, &SendOptions::default()),
    }?;
    slot.set_part_kind((!is_last).then_some(kind));
    Ok(sent)
}

impl LoopCore {
    fn send_part(&self, id: Id, form: Form, payload: &[u8]) -> Result<Sent> {
        let sent = self.send_within(id, form, payload, Tracking::NONE, false)?;
        if form.ends_parts() {
            self.send_deferred(id);
        }
        Ok(sent)
    }

    /// Whether the connection is in the middle of a message that it sends.
    pub(super) fn is_unfinished(&self, id: Id) -> bool {
        let unfinished = self.with_conn(id, |conn| match &conn.stage {
            Stage::Open(machine) => machine.is_unfinished(),
            _ => false,
        });
        unfinished == Some(true)
    }

    /// Keeps a message until the last part of another was sent.
    pub(super) fn defer(&self, id: Id, deferred: Deferred) {
        self.with_conn(id, |conn| {
            conn.rare_mut().deferred.get_or_insert_default().0.push(deferred)
        });
    }

    /// Sends what waited for the end of a message.
    pub(super) fn send_deferred(&self, id: Id) {
        let waiting = self.with_conn(id, |conn| conn.take_deferred()).flatten();
        let (Some(waiting), Some(slot)) = (waiting, self.shared().slots.get(id)) else {
            return;
        };
        for deferred in waiting.0 {
            slot.sub_buffered(deferred.len());
            match deferred {
                Deferred::Queued(outgoing) => self.send_queued(id, slot, &outgoing),
                Deferred::Shared(message) => self.share_with(id, &message),
            }
        }
    }

    /// What waits for the end of a message that will never end is lost.
    pub(super) fn drop_deferred(&self, id: Id) {
        let waiting = self.with_conn(id, |conn| conn.take_deferred()).flatten();
        let (Some(waiting), Some(slot)) = (waiting, self.shared().slots.get(id)) else {
            return;
        };
        for deferred in waiting.0 {
            slot.sub_buffered(deferred.len());
            if let Deferred::Queued(outgoing) = deferred {
                self.report(id, outgoing.token, SendOutcome::Failed);
            }
        }
    }
}
