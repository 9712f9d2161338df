//! Messages that are handed out in parts as they arrive, for who can't or won't wait until they are whole.
//!
//! What is held of one is at most a character that has not come to its end.

use std::mem;

use super::frame::Opcode;
use super::receiver::{Body, Receiver, Rules, Unit, take_whole};
use super::{Gathered, MessageType, ProtocolError, Scratch, mask, utf8};

impl Receiver {
    /// Reads `input` up to and including the next part of a message or control frame, and says how far that is. A part
    /// that lies in `input` as it is to be handed out stays there. After an error the receiver is of no use.
    pub(super) fn receive_part(
        &mut self,
        input: &mut [u8],
        mut rules: Rules<'_>,
        scratch: &mut Scratch,
    ) -> Result<(usize, Option<Unit>), ProtocolError> {
        let mut at = 0;
        loop {
            if self.frame.is_none() {
                let Some(header) = self.read_header(input, &mut at)? else {
                    return Ok((at, None));
                };
                scratch.frames += 1;
                self.check(&header, &rules)?;
                if header.opcode.is_control()
                    && let Some(unit) = take_whole(&header, input, &mut at)?
                {
                    return Ok((at, Some(unit)));
                }
                self.begin(header);
            }
            let (taken, unit) = self.next_part(input, at, &mut rules, scratch)?;
            at += taken;
            if unit.is_some() || self.frame.is_some() {
                return Ok((at, unit));
            }
        }
    }

    /// What there is of the frame, from `at`; nothing if that is nothing to hand out.
    fn next_part(
        &mut self,
        input: &mut [u8],
        at: usize,
        rules: &mut Rules<'_>,
        scratch: &mut Scratch,
    ) -> Result<(usize, Option<Unit>), ProtocolError> {
        let is_control = self.frame.is_some_and(|frame| frame.opcode.is_control());
        let (taken, body) = if is_control {
            (
                self.take_part(input.get_mut(at..).unwrap_or_default(), rules, scratch)?,
                None,
            )
        } else if self.is_compressed {
            let (taken, data) = self.inflate_part(input.get_mut(at..).unwrap_or_default(), rules, scratch)?;
            (taken, Some(Body::Owned(data)))
        } else {
            let (taken, body) = self.plain_part(input, at)?;
            (taken, Some(body))
        };
        let ended = self.frame.take_if(|frame| frame.len == 0);
        match (body, ended) {
            (Some(body), ended) => {
                let is_last = ended.is_some_and(|frame| frame.fin);
                Ok((taken, self.hand_out(body, is_last, rules, scratch)?))
            }
            (None, Some(frame)) => Ok((taken, self.finish(&frame, rules, scratch)?)),
            (None, None) => Ok((taken, None)),
        }
    }

    fn hand_out(
        &mut self,
        body: Body,
        is_last: bool,
        rules: &mut Rules<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<Unit>, ProtocolError> {
        let len = body.len();
        if len == 0 && !is_last {
            return Ok(None);
        }
        let is_first = !mem::replace(&mut self.is_begun, true);
        self.passed = self.passed.saturating_add(len);
        let kind = match self.message {
            Some(Opcode::Text) => MessageType::Text,
            _ => MessageType::Binary,
        };
        if is_last {
            self.end_message(rules, scratch)?;
        }
        Ok(Some(Unit::Part {
            kind,
            body,
            is_first,
            is_last,
        }))
    }

    /// A part that is not compressed; it stays where it is, unless the last one has left the beginning of a character.
    fn plain_part(&mut self, input: &mut [u8], at: usize) -> Result<(usize, Body), ProtocolError> {
        let (part_len, _) = self.unmask(input.get_mut(at..).unwrap_or_default());
        let part = input.get(at..at + part_len).unwrap_or_default();
        if self.message != Some(Opcode::Text) {
            return Ok((part_len, Body::Input(at..at + part_len)));
        }
        if self.incomplete > 0 {
            let mut text = mem::take(&mut self.buffer);
            text.extend_from_slice(part);
            self.cut(&mut text)?;
            return Ok((part_len, Body::Owned(text)));
        }
        let whole = part.len() - usize::from(self.check_cut(part)?);
        self.buffer
            .extend_from_slice(part.get(whole..).unwrap_or_default());
        Ok((part_len, Body::Input(at..at + whole)))
    }

    /// A block of what the next bytes of the frame inflate to. It takes fewer than there are if they give more than that.
    fn inflate_part(
        &mut self,
        input: &mut [u8],
        rules: &mut Rules<'_>,
        scratch: &mut Scratch,
    ) -> Result<(usize, Gathered), ProtocolError> {
        let (part_len, mask) = self.unmask(input);
        let part = input.get_mut(..part_len).unwrap_or_default();
        let Some(deflate) = rules.deflate.as_mut().filter(|_| part_len > 0) else {
            return Ok((part_len, Gathered::default())); // the beginning of a character waits on
        };
        let mut data = Gathered::from(scratch.spares.take());
        data.extend_from_slice(&mem::take(&mut self.buffer));
        let before = self.passed.saturating_add(data.len());
        let (limit, codecs) = (rules.max_message, &mut scratch.codecs);
        let (taken, block) = deflate.inflate_block(&mut self.inflater, part, before, limit, codecs)?;
        data.extend_from_slice(block);
        self.put_back(part, taken, mask);
        if self.message == Some(Opcode::Text) {
            self.cut(&mut data)?;
        }
        Ok((taken, data))
    }

    /// Takes the mask off what there is of the frame; says how much that is, and what the mask was there.
    fn unmask(&mut self, input: &mut [u8]) -> (usize, Option<[u8; 4]>) {
        let Some(frame) = &mut self.frame else {
            return (0, None);
        };
        let part_len = usize::try_from(frame.len).unwrap_or(usize::MAX).min(input.len());
        let before = frame.mask;
        if let (Some(mask), Some(part)) = (&mut frame.mask, input.get_mut(..part_len)) {
            *mask = mask::apply(part, *mask);
        }
        frame.len -= part_len as u64;
        (part_len, before)
    }

    /// Has what was not taken of an unmasked part come again.
    fn put_back(&mut self, part: &mut [u8], taken: usize, mask: Option<[u8; 4]>) {
        let rest = part.get_mut(taken..).unwrap_or_default();
        let Some(frame) = self.frame.as_mut().filter(|_| !rest.is_empty()) else {
            return;
        };
        frame.len += rest.len() as u64;
        if let Some(mut mask) = mask {
            mask.rotate_left(taken % 4);
            mask::apply(rest, mask);
            frame.mask = Some(mask);
        }
    }

    /// Keeps the beginning of a character at the end of `text` for the next part.
    fn cut(&mut self, text: &mut Gathered) -> Result<(), ProtocolError> {
        let whole = text.len() - usize::from(self.check_cut(text)?);
        self.buffer
            .extend_from_slice(text.get(whole..).unwrap_or_default());
        text.truncate(whole);
        Ok(())
    }

    /// Says how many bytes at the end of `text` begin a character.
    fn check_cut(&mut self, text: &[u8]) -> Result<u8, ProtocolError> {
        let passed = self.passed;
        self.incomplete = utf8::check_prefix(text).map_err(|at| ProtocolError::InvalidText(passed + at))?;
        Ok(self.incomplete)
    }
}
