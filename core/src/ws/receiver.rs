//! From bytes to messages: frames, fragments, and control frames between them (RFC 6455 §5).

use std::mem;
use std::ops::Range;

use super::deflate::{Deflate, Inflater};
use super::frame::{Header, MAX_CONTROL, MAX_HEADER, Opcode};
use super::spares::Loan;
use super::{Gathered, MessageType, ProtocolError, Role, Scratch, mask, utf8};

/// The most memory that a declared length gets before its data is there.
pub(super) const MAX_AHEAD: usize = 64 << 10;

/// From this length on a payload that is not compressed is read to its place.
pub(super) const LONG: usize = 2 * MAX_AHEAD;

/// However low the limit of a message is, this much of fragments' headers is always free.
const FREE_HEADERS: usize = 1 << 10;

/// What the bytes amount to: a message or a control frame, whole and unmasked.
#[derive(Debug)]
pub(super) enum Unit {
    /// If text, valid UTF-8.
    Message(MessageType, Body),
    /// If text, valid UTF-8, cut between characters.
    Part {
        kind: MessageType,
        body: Body,
        is_first: bool,
        is_last: bool,
    },
    Close(Body),
    Ping(Body),
    Pong(Body),
}

/// Where the payload is.
#[derive(Debug)]
pub(super) enum Body {
    /// In the input, there.
    Input(Range<usize>),
    /// It spanned inputs or frames.
    Owned(Gathered),
}

impl Body {
    pub(super) fn len(&self) -> usize {
        match self {
            Body::Input(range) => range.len(),
            Body::Owned(bytes) => bytes.len(),
        }
    }
}

/// What the connection that is read allows.
#[derive(Debug)]
pub(super) struct Rules<'a> {
    pub(super) role: Role,
    pub(super) max_message: usize,
    /// 0 for no limit of its own.
    pub(super) max_fragments: u32,
    /// If permessage-deflate was negotiated.
    pub(super) deflate: Option<&'a mut Deflate>,
}

/// The usual case, and nothing else: an unfragmented message below 64 KiB that lies whole at the beginning of
/// `input`, while nothing else is arriving. It is unmasked there and stays there. `None` if it is anything else or breaks a rule, and then
/// nothing has happened: [`Receiver::receive`] finds out what it is. Here everything stays in registers, which
/// halves what a small message costs.
#[inline(always)]
pub(super) fn whole_message(
    input: &mut [u8],
    role: Role,
    max_message: usize,
) -> Option<(MessageType, Range<usize>)> {
    let (&[first, second], rest) = input.split_first_chunk()?;
    let kind = match first {
        0x81 => MessageType::Text,
        0x82 => MessageType::Binary,
        _ => return None,
    };
    let (len, start) = match second & 0x7f {
        127 => return None,
        126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        len => (usize::from(len), 2),
    };
    let is_masked = second & 0x80 != 0;
    if is_masked != (role == Role::Server) || len > max_message {
        return None;
    }
    let mask = if is_masked {
        *input.get(start..)?.first_chunk()?
    } else {
        [0; 4]
    };
    let start = if is_masked { start + 4 } else { start };
    let payload = input.get_mut(start..start + len)?;
    if is_masked {
        mask::apply(payload, mask);
    }
    if kind == MessageType::Text && utf8::check(payload).is_err() {
        mask::apply(payload, mask);
        return None;
    }
    Some((kind, start..start + len))
}

/// Reads the frames of one connection. Between messages it owns no memory, and is itself no more than a fresh one.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    /// What has come, inflated, of a message that spans inputs or frames or is compressed; behind it, what has come of a
    /// control frame that spans inputs.
    pub(super) buffer: Gathered,
    /// That the loop has lent it.
    loan: Option<Loan>,
    /// The frame whose payload is arriving: `len` counts what is missing, `mask` is turned to the next byte.
    pub(super) frame: Option<Header>,
    /// Text or binary, while a message is in `buffer`.
    pub(super) message: Option<Opcode>,
    /// Whether that message is compressed.
    pub(super) is_compressed: bool,
    /// What that is inflated by, once something has come of it.
    pub(super) inflater: Option<Box<Inflater>>,
    /// How much of it was handed out in parts, and whether any was.
    pub(super) passed: usize,
    pub(super) is_begun: bool,
    /// How many frames the message has had, before it is complete.
    fragments: u32,
    /// How many bytes at the end of `buffer` belong to a control frame.
    control: u8,
    /// How many bytes at the end of the text in `buffer` begin a character.
    pub(super) incomplete: u8,
    /// What is wrong with what was read to its place.
    pub(super) flaw: Option<ProtocolError>,
    /// The beginning of a header that spans inputs.
    carry: [u8; MAX_HEADER],
    carried: u8,
}

impl Receiver {
    /// Whether nothing has come of a message or frame that is not complete.
    pub(super) fn is_idle(&self) -> bool {
        self.frame.is_none() && self.message.is_none() && self.carried == 0
    }

    /// What it keeps between two inputs.
    pub(super) fn arriving(&self) -> usize {
        self.buffer.capacity()
    }

    /// Reads `input` up to and including the next unit, and says how far that is. A payload that lies whole in
    /// `input` is unmasked there and stays there, anything else is copied or inflated. After an error the receiver is of
    /// no use.
    #[inline(never)]
    pub(super) fn receive(
        &mut self,
        input: &mut [u8],
        mut rules: Rules<'_>,
        scratch: &mut Scratch,
    ) -> Result<(usize, Option<Unit>), ProtocolError> {
        if let Some(flaw) = self.flaw.take() {
            return Err(flaw);
        }
        let mut at = 0;
        loop {
            if self.frame.is_none() {
                let Some(header) = self.read_header(input, &mut at)? else {
                    return Ok((at, None));
                };
                scratch.frames += 1;
                self.check(&header, &rules)?;
                if let Some(unit) = take_whole(&header, input, &mut at)? {
                    return Ok((at, Some(unit)));
                }
                if self.buffer.capacity() == 0 && !header.opcode.is_control() && header.len > 0 {
                    let (memory, loan) = scratch.spares.take_for(header.len);
                    (self.buffer, self.loan) = (memory.into(), loan);
                }
                self.begin(header);
            }
            at += self.take_part(input.get_mut(at..).unwrap_or_default(), &mut rules, scratch)?;
            let Some(frame) = self.frame.take_if(|frame| frame.len == 0) else {
                return Ok((at, None));
            };
            if let Some(unit) = self.finish(&frame, &mut rules, scratch)? {
                return Ok((at, Some(unit)));
            }
        }
    }

    /// Reads the header at `at` and steps over it. What there is of an incomplete one is put aside.
    pub(super) fn read_header(
        &mut self,
        input: &[u8],
        at: &mut usize,
    ) -> Result<Option<Header>, ProtocolError> {
        let rest = input.get(*at..).unwrap_or_default();
        if self.carried == 0
            && let Some((header, size)) = Header::parse(rest)?
        {
            *at += size;
            return Ok(Some(header));
        }
        self.carry_header(rest, at)
    }

    #[cold]
    fn carry_header(&mut self, rest: &[u8], at: &mut usize) -> Result<Option<Header>, ProtocolError> {
        let before = usize::from(self.carried);
        let mut now = before;
        for (free, byte) in self.carry.iter_mut().skip(before).zip(rest) {
            *free = *byte;
            now += 1;
        }
        if let Some((header, size)) = Header::parse(self.carry.get(..now).unwrap_or_default())? {
            // Without its last byte the header was incomplete, so `size` is over `before`.
            *at += size - before;
            self.carried = 0;
            return Ok(Some(header));
        }
        *at += now - before;
        // At most `MAX_HEADER`.
        self.carried = now as u8;
        Ok(None)
    }

    /// Judges a header by itself and by what came before it. The declared length is judged here, before any memory
    /// is reserved for it.
    #[inline]
    pub(super) fn check(&self, header: &Header, rules: &Rules<'_>) -> Result<(), ProtocolError> {
        let opcode = header.opcode as u8;
        if header.reserved != 0 {
            check_reserved(header, rules)?;
        }
        // §5.1: "a client MUST mask all frames that it sends", "a server MUST NOT mask any".
        match (rules.role, header.mask) {
            (Role::Server, None) => return Err(ProtocolError::Unmasked),
            (Role::Client, Some(_)) => return Err(ProtocolError::Masked),
            _ => {}
        }
        // §5.2: of a 64-bit length, "the most significant bit MUST be 0".
        if header.len > i64::MAX as u64 {
            return Err(ProtocolError::InvalidLength(header.len));
        }
        match (header.opcode.is_control(), header.opcode, self.message) {
            // §5.5: control frames "MUST have a payload length of 125 bytes or less and MUST NOT be fragmented".
            (true, ..) if !header.fin => Err(ProtocolError::FragmentedControl(opcode)),
            (true, ..) if header.len > MAX_CONTROL as u64 => Err(ProtocolError::ControlTooLong(header.len)),
            (true, ..) => Ok(()),
            // §5.4: the fragments of one message come in order, and no other message between them.
            (_, Opcode::Continue, None) => Err(ProtocolError::UnexpectedContinuation),
            (_, Opcode::Text | Opcode::Binary, Some(_)) => Err(ProtocolError::ExpectedContinuation(opcode)),
            _ => self.check_size(header, rules),
        }
    }

    /// Fragments are charged their headers, so that a message of empty ones ends somewhere. They have an account of
    /// their own: a message of exactly the limit is welcome in several fragments, too.
    #[inline]
    fn check_size(&self, header: &Header, rules: &Rules<'_>) -> Result<(), ProtocolError> {
        let limit = rules.max_message;
        // Between two frames of a message, `buffer` holds nothing else.
        let size = (self.passed as u64 + self.buffer.len() as u64).saturating_add(header.len);
        // What compressed bytes amount to is found out by inflating them.
        if size > limit as u64 && !self.is_compressed && !header.is_compressed() {
            return Err(ProtocolError::MessageTooBig { size, limit });
        }
        let limit = limit.max(FREE_HEADERS);
        let continued = self.fragments.saturating_sub(1) as usize;
        if continued.saturating_mul(least_header(rules.role)) > limit {
            return Err(ProtocolError::TooManyFragments { limit });
        }
        if self.fragments >= rules.max_fragments && rules.max_fragments > 0 {
            let limit = rules.max_fragments;
            return Err(ProtocolError::FragmentLimit { limit });
        }
        Ok(())
    }

    /// Gets ready for a payload that comes in pieces.
    pub(super) fn begin(&mut self, header: Header) {
        match header.opcode {
            Opcode::Continue => {
                self.fragments = self.fragments.saturating_add(1);
            }
            Opcode::Text | Opcode::Binary => {
                self.message = Some(header.opcode);
                self.fragments = 1;
                self.is_compressed = header.is_compressed();
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        self.frame = Some(header);
    }

    /// Takes what there is of the frame's payload and says how much that was.
    pub(super) fn take_part(
        &mut self,
        input: &mut [u8],
        rules: &mut Rules<'_>,
        scratch: &mut Scratch,
    ) -> Result<usize, ProtocolError> {
        let Some(frame) = &mut self.frame else {
            return Ok(0);
        };
        let missing = usize::try_from(frame.len).unwrap_or(usize::MAX);
        let part_len = missing.min(input.len());
        let part = input.get_mut(..part_len).unwrap_or_default();
        if let Some(mask) = &mut frame.mask {
            *mask = mask::apply(part, *mask);
        }
        frame.len -= part_len as u64;
        let (is_control, is_last) = (frame.opcode.is_control(), frame.fin);
        if self.is_compressed && !is_control {
            self.inflate(part, rules, scratch)?;
            return Ok(part_len);
        }
        reserve(&mut self.buffer, part_len, missing, is_last && !is_control);
        self.buffer.extend_from_slice(part);
        if is_control {
            // At most `MAX_CONTROL` in all.
            self.control += part_len as u8;
        } else if self.message == Some(Opcode::Text) {
            check_text(&self.buffer, part_len, &mut self.incomplete)?;
        }
        Ok(part_len)
    }

    /// Inflates a part of the message straight to the end of the buffer.
    fn inflate(
        &mut self,
        part: &[u8],
        rules: &mut Rules<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), ProtocolError> {
        let (Some(deflate), false) = (&mut rules.deflate, part.is_empty()) else {
            return Ok(());
        };
        let is_text = self.message == Some(Opcode::Text);
        let incomplete = &mut self.incomplete;
        let check = |message: &[u8], new| {
            if is_text {
                check_text(message, new, incomplete)
            } else {
                Ok(())
            }
        };
        deflate.inflate(
            &mut self.inflater,
            part,
            &mut self.buffer,
            rules.max_message,
            &mut scratch.codecs,
            check,
        )
    }

    /// The frame's payload is complete; if the unit is too, hands it out.
    pub(super) fn finish(
        &mut self,
        frame: &Header,
        rules: &mut Rules<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<Unit>, ProtocolError> {
        if !frame.fin {
            return Ok(None);
        }
        if frame.opcode.is_control() {
            return Ok(unit(frame.opcode, Body::Owned(self.take_control())));
        }
        let opcode = self.message;
        self.end_message(rules, scratch)?;
        let payload = mem::take(&mut self.buffer);
        self.loan = None;
        Ok(opcode.and_then(|opcode| unit(opcode, Body::Owned(payload))))
    }

    /// The message is complete, and its bytes are with it.
    pub(super) fn end_message(
        &mut self,
        rules: &mut Rules<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), ProtocolError> {
        if mem::take(&mut self.is_compressed)
            && let Some(deflate) = &mut rules.deflate
        {
            deflate.finish(&mut self.inflater, &mut scratch.codecs)?;
        }
        if self.incomplete > 0 {
            let whole = self.buffer.len() - usize::from(self.incomplete);
            return Err(ProtocolError::InvalidText(self.passed + whole));
        }
        self.fragments = 0;
        self.passed = 0;
        self.is_begun = false;
        self.message = None;
        Ok(())
    }

    /// Takes the control frame off the end of the buffer, and the whole buffer if there is nothing before it.
    fn take_control(&mut self) -> Gathered {
        let message = self.buffer.len() - usize::from(mem::take(&mut self.control));
        if message == 0 {
            mem::take(&mut self.buffer)
        } else {
            self.buffer.split_off(message)
        }
    }
}

/// The shortest header that the peer can send: a client's has a mask.
fn least_header(reader: Role) -> usize {
    match reader {
        Role::Server => 6,
        Role::Client => 2,
    }
}

/// §5.2: the reserved bits "MUST be 0 unless an extension is negotiated that defines meanings". permessage-deflate does
/// that for RSV1, on the first frame of a message and on no other (RFC 7692 §6).
#[cold]
fn check_reserved(header: &Header, rules: &Rules<'_>) -> Result<(), ProtocolError> {
    match header.opcode {
        _ if !header.is_compressed() || rules.deflate.is_none() => {
            Err(ProtocolError::ReservedBits(header.reserved))
        }
        Opcode::Text | Opcode::Binary => Ok(()),
        misplaced => Err(ProtocolError::MisplacedCompression(misplaced as u8)),
    }
}

/// Validates the `new` bytes at the end of the text while they are in the cache. §8.1 lets us fail as soon as
/// nothing that follows could make the text valid; we do, also inside a frame. `incomplete` is how many bytes before
/// these begin a character, and then how many at the end do.
pub(super) fn check_text(text: &[u8], new: usize, incomplete: &mut u8) -> Result<(), ProtocolError> {
    let from = text.len() - new - usize::from(*incomplete);
    let unchecked = text.get(from..).unwrap_or_default();
    *incomplete = utf8::check_prefix(unchecked).map_err(|at| ProtocolError::InvalidText(from + at))?;
    Ok(())
}

/// An unfragmented message or a control frame whose payload is all in the input, from `at`, and not compressed: steps
/// over it if it is one.
pub(super) fn take_whole(
    header: &Header,
    input: &mut [u8],
    at: &mut usize,
) -> Result<Option<Unit>, ProtocolError> {
    if header.is_compressed() {
        return Ok(None);
    }
    // The length was found to be below the limit of a message, which is a usize.
    let range = *at..at.saturating_add(header.len as usize);
    let Some(payload) = input.get_mut(range.clone()).filter(|_| header.fin) else {
        return Ok(None);
    };
    let end = range.end;
    let Some(unit) = unit(header.opcode, Body::Input(range)) else {
        return Ok(None);
    };
    if let Some(mask) = header.mask {
        mask::apply(payload, mask);
    }
    if header.opcode == Opcode::Text {
        utf8::check(payload).map_err(ProtocolError::InvalidText)?;
    }
    *at = end;
    Ok(Some(unit))
}

/// `None` for a continuation, which is no unit by itself.
fn unit(opcode: Opcode, body: Body) -> Option<Unit> {
    Some(match opcode {
        Opcode::Text => Unit::Message(MessageType::Text, body),
        Opcode::Binary => Unit::Message(MessageType::Binary, body),
        Opcode::Close => Unit::Close(body),
        Opcode::Ping => Unit::Ping(body),
        Opcode::Pong => Unit::Pong(body),
        Opcode::Continue => return None,
    })
}

/// Makes room for `part` bytes of the `missing` ones. Nobody gets memory by declaring a length: at most 64 KiB, or as
/// much again as has really come, is reserved ahead of the data. The last frame's need is known, so that no more than
/// that is reserved; before other frames the buffer grows as a `Vec` does, or tiny fragments would copy it each time.
pub(super) fn reserve(buffer: &mut Gathered, part: usize, missing: usize, is_last: bool) {
    if buffer.memory().is_empty() && missing >= LONG && part > 0 {
        buffer.begin_within_a_page();
    }
    let buffer = buffer.memory();
    if buffer.capacity() - buffer.len() >= part {
        return;
    }
    let ahead = missing.min(buffer.len().max(MAX_AHEAD)).max(part);
    if is_last {
        buffer.reserve_exact(ahead)
    } else {
        buffer.reserve(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;
    /// Of a long message in new memory, where a page begins.
    const IN_FRONT: usize = 2 << 10;

    fn rules(max_message: usize) -> Rules<'static> {
        Rules {
            role: Role::Client,
            max_message,
            max_fragments: 0,
            deflate: None,
        }
    }

    /// The capacity of the buffer after `data` bytes of an unmasked frame that declares `len`.
    fn capacity(first: u8, len: u64, data: usize) -> usize {
        let (mut receiver, mut scratch) = (Receiver::default(), Scratch::new());
        let mut input = [&[first, 127], len.to_be_bytes().as_slice(), &vec![0; data]].concat();
        let read = receiver.receive(&mut input, rules(usize::MAX), &mut scratch);
        assert!(matches!(read, Ok((at, None)) if at == input.len()));
        assert_eq!(receiver.buffer.len(), data);
        receiver.buffer.capacity()
    }

    #[test]
    fn a_declared_length_reserves_at_most_64_kib() {
        for first in [0x02, 0x82] {
            for len in [MIB as u64, 1 << 40, i64::MAX as u64] {
                assert_eq!(capacity(first, len, 0), 0);
                assert_eq!(capacity(first, len, 1), MAX_AHEAD + IN_FRONT);
                assert!(capacity(first, len, MIB - 1) < MIB + MAX_AHEAD + IN_FRONT);
            }
        }
        assert_eq!(capacity(0x82, 1000, 1), 1000, "nor more than it needs");
    }

    /// Who declares much may begin with a buffer that was used before, if it is as long as that.
    #[test]
    fn a_long_message_begins_in_the_buffer_of_one_before() {
        let (mut receiver, mut scratch) = (Receiver::default(), Scratch::new());
        let frame = [&[0x82, 127], (MIB as u64).to_be_bytes().as_slice(), &[7; MIB]].concat();
        let mut address = None;
        for _ in 0..3 {
            let (start, end) = frame.split_at(100);
            let read = receiver.receive(&mut start.to_vec(), rules(MIB), &mut scratch);
            assert!(matches!(read, Ok((100, None))));
            let begun = receiver.buffer.memory().as_ptr();
            assert_eq!(*address.get_or_insert(begun), begun);
            let Ok((_, Some(Unit::Message(_, Body::Owned(mut payload))))) =
                receiver.receive(&mut end.to_vec(), rules(MIB), &mut scratch)
            else {
                panic!("a message")
            };
            assert_eq!(payload.len(), MIB);
            address = Some(payload.memory().as_ptr());
            scratch.recycle(payload);
        }
    }

    #[test]
    fn owns_nothing_between_messages() {
        let (mut receiver, mut scratch) = (Receiver::default(), Scratch::new());
        let stream = b"\x01\x01a\x89\x02pp\x80\x01b\x8a\x01q\x81\x02cd";
        let mut units = 0;
        for byte in stream {
            let (at, unit) = receiver.receive(&mut [*byte], rules(10), &mut scratch).unwrap();
            assert_eq!(at, 1);
            units += usize::from(unit.is_some());
            if unit.is_some() && receiver.message.is_none() {
                assert_eq!(receiver.buffer.capacity(), 0);
            }
        }
        assert_eq!(units, 4);
    }

    #[test]
    fn control_frames_between_tiny_fragments_do_not_copy_the_message_each_time() {
        let count = if cfg!(miri) { 1000 } else { 100_000 };
        let (mut receiver, mut scratch) = (Receiver::default(), Scratch::new());
        let mut moves = 0;
        let mut address = receiver.buffer.as_ptr();
        for nth in 0..count {
            let frames: [&[u8]; 3] = [&[if nth == 0 { 2 } else { 0 }, 1, b'a'], &[0x89, 2, b'p'], b"p"];
            for frame in frames {
                receiver
                    .receive(&mut frame.to_vec(), rules(MIB), &mut scratch)
                    .unwrap();
                moves += u32::from(address != receiver.buffer.as_ptr());
                address = receiver.buffer.as_ptr();
            }
        }
        assert_eq!(receiver.buffer.len(), count);
        assert!(moves < 20, "moved {moves} times");
    }
}
