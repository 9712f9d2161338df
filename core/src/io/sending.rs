//! Packets on their way out: encoded in a buffer of the thread, handed to the session.

use std::cell::Cell;
use std::sync::Arc;

use crate::engineio::Data;
use crate::error::{Error, ErrorCode, Result};
use crate::json::{Token, Tokens};
use crate::socketio::{self, Encoded, Outgoing, PacketType, ParseError, ParserKind, is_reserved};
use crate::websocket::Sent;

use super::common::Common;
use super::counters::Counted;
use super::engine::{SendFlags, Session};
use crate::engineio::server::Prepared;

/// A longer buffer is not kept for the next packet.
const MAX_KEPT: usize = 64 << 10;

/// Buffers that a thread uses again and again.
#[derive(Default)]
struct Scratch {
    text: String,
    payload: String,
    encoded: Encoded,
}

thread_local!(static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) });

/// They are taken away while in use: a parser of the application's own may send, too.
fn with_scratch<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    let mut scratch = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default();
    scratch.text.clear();
    scratch.payload.clear();
    let result = work(&mut scratch);
    if scratch.text.capacity().max(scratch.payload.capacity()) <= MAX_KEPT {
        let _ = SCRATCH.try_with(|kept| kept.set(Some(scratch)));
    }
    result
}

/// What is put between the brackets of a payload.
#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    /// An event's name and its arguments.
    Event(&'a str, &'a str),
    /// The arguments of an answer.
    Args(&'a str),
    /// The whole text.
    Whole(&'a str),
    /// None at all.
    Nothing,
}

impl Payload<'_> {
    pub(super) fn write(self, out: &mut String) {
        match self {
            Payload::Event(name, args) => socketio::event_array(name, args, out),
            Payload::Args(args) => socketio::ack_array(args, out),
            Payload::Whole(text) => out.push_str(text),
            Payload::Nothing => {}
        }
    }

    /// Refuses events with reserved names.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`]
    pub(super) fn check(self) -> Result<()> {
        match self {
            Payload::Event(name, _) if is_reserved(name) => Err(reserved(name)),
            Payload::Whole(array) => {
                let mut tokens = Tokens::new(array);
                match (tokens.next(), tokens.next()) {
                    (Ok(Some(Token::ArrayStart)), Ok(Some(Token::String(name)))) => {
                        let name = name.decode();
                        if is_reserved(&name) {
                            Err(reserved(&name))
                        } else {
                            Ok(())
                        }
                    }
                    _ => Err(Error::new(
                        ErrorCode::InvalidArgument,
                        "an event's array begins with its name",
                    )),
                }
            }
            _ => Ok(()),
        }
    }
}

fn reserved(name: &str) -> Error {
    Error::new(
        ErrorCode::InvalidArgument,
        format!("{name:?} is a reserved event name"),
    )
}

/// A packet without its payload.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) packet_type: PacketType,
    pub(super) namespace: &'a str,
    pub(super) id: Option<u64>,
}

impl<'a> Head<'a> {
    fn with<'b>(self, payload: Option<&'b str>, attachments: &'b [&'b [u8]]) -> Outgoing<'b>
    where
        'a: 'b,
    {
        Outgoing {
            packet_type: self.packet_type,
            namespace: self.namespace,
            id: self.id,
            payload,
            attachments,
        }
    }
}

/// Sends a packet to one session.
///
/// # Errors
/// Those of [`Session::send`], and [`ErrorCode::InvalidArgument`] where the parser can't encode it.
pub(super) fn send(
    session: &Session,
    common: &Common,
    head: Head<'_>,
    payload: Payload<'_>,
    attachments: &[&[u8]],
    flags: SendFlags,
) -> Result<Sent> {
    with_scratch(|scratch| {
        if matches!(common.parser, ParserKind::Json) {
            // The payload is written where it is sent from, not copied there.
            socketio::encode(&head.with(None, attachments), &mut scratch.text);
            payload.write(&mut scratch.text);
            let text = Data::Text(&scratch.text);
            if common.counts_bytes() {
                count_bytes(common, scratch.text.len(), attachments);
            }
            if attachments.is_empty() {
                return session.send(text, flags);
            }
            let attached = attachments.iter().map(|data| Data::Binary(data));
            let all: Vec<Data<'_>> = std::iter::once(text).chain(attached).collect();
            return session.send_batch(&all, flags);
        }
        encode_other(scratch, &common.parser, head, payload, attachments, |all| {
            common
                .counters
                .add(Counted::BytesOut, all.iter().map(|data| data.len() as u64).sum());
            match all {
                [one] => session.send(*one, flags),
                all => session.send_batch(all, flags),
            }
        })
    })
}

#[cold]
fn count_bytes(common: &Common, text: usize, attachments: &[&[u8]]) {
    let attached: usize = attachments.iter().map(|data| data.len()).sum();
    common.counters.add(Counted::BytesOut, (text + attached) as u64);
}

/// Encodes a packet once, for many sessions. Errors as for [`send`].
pub(super) fn prepare(
    common: &Common,
    head: Head<'_>,
    payload: Payload<'_>,
    attachments: &[&[u8]],
    compress: bool,
) -> Result<Arc<Prepared>> {
    with_scratch(|scratch| {
        encode_other(scratch, &common.parser, head, payload, attachments, |all| {
            Ok(Arc::new(Prepared::new(all, compress)))
        })
    })
}

fn encode_other<R>(
    scratch: &mut Scratch,
    parser: &ParserKind,
    head: Head<'_>,
    payload: Payload<'_>,
    attachments: &[&[u8]],
    give: impl FnOnce(&[Data<'_>]) -> Result<R>,
) -> Result<R> {
    payload.write(&mut scratch.payload);
    let text = (!scratch.payload.is_empty()).then_some(scratch.payload.as_str());
    let packet = head.with(text, attachments);
    let messages = parser
        .encode(&packet, &mut scratch.encoded)
        .map_err(|error| not_encoded(&error))?;
    give(&messages.collect::<Vec<Data<'_>>>())
}

fn not_encoded(error: &ParseError) -> Error {
    Error::new(
        ErrorCode::InvalidArgument,
        format!("the packet can't be encoded: {error}"),
    )
}
