//! Messages to many connections: encoded once, and compressed once for all who can read that.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::connection::Connection;
use super::frame::{self, MAX_HEADER};
use super::{MessageType, Role, Scratch, SendError};

/// A window has 9 to 15 bits.
const WINDOWS: usize = 7;
const LEAST_WINDOW_BITS: u8 = 9;

/// A frame that many connections hold at once, each with one pointer.
pub type Frame = Arc<Bytes>;

/// A message that any number of connections of servers send, on any thread. Its frames are made by the first that need
/// them and shared.
#[derive(Debug)]
pub struct SharedMessage {
    kind: MessageType,
    plain: Frame,
    /// How long the payload is, at the end of `plain`.
    len: usize,
    /// The compressed frame for each size of window; `None` within where it would be no shorter.
    packed: [OnceLock<Option<Frame>>; WINDOWS],
}

impl SharedMessage {
    /// A message with a copy of this payload. Text has to be UTF-8.
    pub fn new(kind: MessageType, payload: &[u8]) -> SharedMessage {
        let mut plain = Vec::with_capacity(payload.len() + MAX_HEADER);
        frame::write(kind.into(), payload, None, &mut plain);
        SharedMessage {
            kind,
            plain: Frame::new(plain.into()),
            len: payload.len(),
            packed: [const { OnceLock::new() }; WINDOWS],
        }
    }

    /// The message as a frame that is not compressed.
    pub fn frame(&self) -> &Frame {
        &self.plain
    }

    /// Text or binary.
    pub fn kind(&self) -> MessageType {
        self.kind
    }

    /// The message itself.
    pub fn payload(&self) -> &[u8] {
        self.plain.get(self.plain.len() - self.len..).unwrap_or_default()
    }
}

impl Connection {
    /// The same as [`share`](Self::share) where it needs no other question: the message goes as it is. `None` for any other, and
    /// then nothing has happened.
    #[inline]
    pub fn share_plain(&self, message: &SharedMessage) -> Option<Frame> {
        let is_plain = message.len < self.plain_below as usize && self.role == Role::Server;
        is_plain.then(|| message.plain.clone())
    }

    /// The frame of a shared message, to be sent next. It is compressed where that was agreed on, the message is long
    /// enough, and it gets shorter: without a context, so that it suits all connections with a window of that size. Where
    /// a context is kept, our end begins a new one after it, since the peer's has the message and ours has not.
    ///
    /// # Errors
    /// [`SendError::MaskRequired`] from a client, else as for [`send`](Self::send).
    pub fn share(&mut self, message: &SharedMessage, scratch: &mut Scratch) -> Result<Frame, SendError> {
        if self.role == Role::Client {
            return Err(SendError::MaskRequired);
        }
        self.check_idle()?;
        let Some(deflate) = self
            .deflate
            .as_mut()
            .filter(|deflate| message.len >= deflate.threshold() as usize)
        else {
            return Ok(message.plain.clone());
        };
        let window = usize::from(deflate.window_bits().saturating_sub(LEAST_WINDOW_BITS));
        let Some(place) = message.packed.get(window) else {
            return Ok(message.plain.clone());
        };
        let packed = place.get_or_init(|| {
            let packed = deflate.pack_alone(message.payload(), &mut scratch.codecs).ok()?;
            let mut out = Vec::new();
            frame::write_fragment(message.kind.into(), true, true, packed, None, &mut out);
            (packed.len() < message.len).then(|| Frame::new(out.into()))
        });
        let Some(frame) = packed else {
            return Ok(message.plain.clone());
        };
        deflate.forget();
        Ok(frame.clone())
    }
}
