//! How messages are sent besides the usual way: compressed or not by choice, in parts, and beside their header.

use super::connection::{Connection, mask_for};
use super::frame::{self, Opcode};
use super::{MessageType, Role, Scratch, SendError};

/// How a message goes that is being sent in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    Plain,
    Compressed,
}

impl Connection {
    /// The same, with a word on whether to compress: `None` leaves it to the threshold. Where permessage-deflate was not
    /// agreed on, nothing is ever compressed.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    #[inline(never)]
    pub fn send_with(
        &mut self,
        kind: MessageType,
        payload: &[u8],
        compress: Option<bool>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.check_idle()?;
        let Some(deflate) = self.deflate.as_mut().filter(|deflate| {
            let is_long = payload.len() >= deflate.threshold() as usize;
            deflate.can_compress() && compress.unwrap_or(is_long)
        }) else {
            return self.write(kind.into(), payload, scratch, out);
        };
        let mask = mask_for(self.role, scratch)?;
        let packed = deflate.pack(payload, true, &mut scratch.codecs)?;
        // What doesn't get shorter is better sent as it is, if no later message can refer to it.
        if packed.len() >= payload.len() && compress.is_none() && !deflate.keeps_own() {
            frame::write(kind.into(), payload, mask, out);
        } else {
            frame::write_fragment(kind.into(), true, true, packed, mask, out);
        }
        Ok(())
    }

    /// Appends a part of a message whose length need not be known (§5.4: a fragment): the first one begins it and says by
    /// `kind` what it is and by `compress` how it goes, the one with `is_last` ends it. `compress` of `None` compresses
    /// if that was agreed on, unless the first part is the last and below the threshold. The peer can read each part
    /// when it comes. Only control frames may be sent between parts.
    ///
    /// # Errors
    /// [`SendError::NotOpen`] unless the state is open.
    pub fn send_part(
        &mut self,
        kind: MessageType,
        payload: &[u8],
        is_last: bool,
        compress: Option<bool>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.check_open()?;
        let is_first = self.sending.is_none();
        let sending = self
            .sending
            .unwrap_or_else(|| self.how_to_send(payload, is_last, compress));
        let mask = mask_for(self.role, scratch)?;
        let data = match (&mut self.deflate, sending) {
            (Some(deflate), Sending::Compressed) => deflate.pack(payload, is_last, &mut scratch.codecs)?,
            _ => payload,
        };
        let opcode = if is_first { kind.into() } else { Opcode::Continue };
        let rsv1 = is_first && sending == Sending::Compressed;
        frame::write_fragment(opcode, is_last, rsv1, data, mask, out);
        self.sending = Some(sending).filter(|_| !is_last);
        self.plain_below = match (is_last, &self.deflate) {
            (false, _) => 0,
            (true, None) => u32::MAX,
            (true, Some(deflate)) => deflate.threshold(),
        };
        Ok(())
    }

    /// Whether the latest part that was sent was not a message's last.
    pub fn is_unfinished(&self) -> bool {
        self.sending.is_some()
    }

    /// Whether [`send`](Self::send) writes a message of `len` bytes as it is, so that
    /// [`send_header`](Self::send_header) and the payload are the same.
    pub fn sends_plain(&self, len: usize) -> bool {
        len < self.plain_below as usize || self.deflate.is_none()
    }

    /// Appends only the header of a message of `len` bytes, which the caller then writes from its own memory. Servers
    /// only.
    ///
    /// # Errors
    /// [`SendError::MaskRequired`] from a client, else as for [`send`](Self::send).
    pub fn send_header(&mut self, kind: MessageType, len: usize, out: &mut Vec<u8>) -> Result<(), SendError> {
        if self.role == Role::Client {
            return Err(SendError::MaskRequired);
        }
        self.check_idle()?;
        frame::write_header(kind.into(), len, None, out);
        Ok(())
    }

    /// Open, and between two messages.
    pub(super) fn check_idle(&self) -> Result<(), SendError> {
        self.check_open()?;
        match self.sending {
            None => Ok(()),
            Some(_) => Err(SendError::Unfinished),
        }
    }

    fn how_to_send(&self, payload: &[u8], is_last: bool, compress: Option<bool>) -> Sending {
        match &self.deflate {
            Some(deflate) if deflate.can_compress() => {
                let is_long = !is_last || payload.len() >= deflate.threshold() as usize;
                match compress.unwrap_or(is_long) {
                    true => Sending::Compressed,
                    false => Sending::Plain,
                }
            }
            _ => Sending::Plain,
        }
    }
}
