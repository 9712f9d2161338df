//! One frame's header (RFC 6455 §5.2), read and written, and whole frames written.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::OpCode;

use super::{MessageType, ProtocolError, mask};

/// The longest header: 2 bytes, 8 of length, 4 of mask.
pub(super) const MAX_HEADER: usize = 14;

/// The longest payload of a control frame (§5.5).
pub(super) const MAX_CONTROL: usize = 125;

/// The highest of the reserved bits (§5.2).
const RSV1: u8 = 4;

/// How much is copied before it is masked, so that the masking finds it in the nearest cache.
const MASK_BLOCK: usize = 8 << 10;

/// The opcodes that have a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Opcode {
    Continue = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    fn from_number(number: u8) -> Option<Opcode> {
        Some(match number {
            0 => Opcode::Continue,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }

    /// Control frames have the highest bit of the opcode set (§5.5).
    pub(super) fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }
}

impl From<MessageType> for Opcode {
    fn from(kind: MessageType) -> Opcode {
        match kind {
            MessageType::Text => Opcode::Text,
            MessageType::Binary => Opcode::Binary,
        }
    }
}

/// A frame's header as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) fin: bool,
    /// The reserved bits, RSV1 highest.
    pub(super) reserved: u8,
    pub(super) opcode: Opcode,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) len: u64,
}

impl Header {
    /// Reads the header that `bytes` begin with and says how long it is; `None` if there is only a part of it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, ProtocolError> {
        let mut cursor = Cursor::new(bytes);
        // Read from memory, a header has one way to be wrong: a reserved opcode.
        let invalid = ProtocolError::ReservedOpcode(bytes.first().map_or(0, |first| first & 15));
        let Some((header, len)) = FrameHeader::parse(&mut cursor).map_err(|_| invalid)? else {
            return Ok(None);
        };
        let opcode = Opcode::from_number(header.opcode.into()).ok_or(invalid)?;
        let reserved = u8::from(header.rsv1) << 2 | u8::from(header.rsv2) << 1 | u8::from(header.rsv3);
        let header = Header {
            fin: header.is_final,
            reserved,
            opcode,
            mask: header.mask,
            len,
        };
        Ok(Some((header, cursor.position() as usize)))
    }

    /// Whether RSV1 is set and no other reserved bit, which is how a compressed message begins (RFC 7692 §6).
    pub(super) fn is_compressed(&self) -> bool {
        self.reserved == RSV1
    }
}

/// Appends the header of an unfragmented frame.
pub(super) fn write_header(opcode: Opcode, len: usize, mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let opcode = OpCode::from(opcode as u8);
    let header = FrameHeader {
        opcode,
        mask,
        ..FrameHeader::default()
    };
    // Writing to memory does not fail.
    let _ = header.format(len as u64, out);
}

/// Appends an unfragmented frame, masked if there is a mask.
#[inline(always)]
pub(super) fn write(opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    out.reserve(MAX_HEADER + payload.len());
    let Some(mask) = mask else {
        write_short_header(opcode, payload.len(), out);
        return out.extend_from_slice(payload);
    };
    let header = FrameHeader {
        opcode: OpCode::from(opcode as u8),
        ..FrameHeader::default()
    };
    write_masked(header, payload, mask, out);
}

/// Appends a frame that is a fragment, or the whole or the first fragment of a compressed message.
pub(super) fn write_fragment(
    opcode: Opcode,
    is_final: bool,
    rsv1: bool,
    payload: &[u8],
    mask: Option<[u8; 4]>,
    out: &mut Vec<u8>,
) {
    let header = FrameHeader {
        is_final,
        rsv1,
        opcode: OpCode::from(opcode as u8),
        ..FrameHeader::default()
    };
    out.reserve(MAX_HEADER + payload.len());
    match mask {
        Some(mask) => write_masked(header, payload, mask, out),
        None => {
            // Writing to memory does not fail.
            let _ = header.format(payload.len() as u64, out);
            out.extend_from_slice(payload);
        }
    }
}

/// Of an unmasked frame: what a server writes before nearly every message, so it doesn't go through tungstenite's
/// generic writer, which would cost more than the rest.
#[inline(always)]
fn write_short_header(opcode: Opcode, len: usize, out: &mut Vec<u8>) {
    let first = 0x80 | opcode as u8;
    match len {
        // Byte by byte: room is reserved, and a copy of two bytes would be a call.
        0..=125 => {
            out.push(first);
            out.push(len as u8);
        }
        126..=0xffff => out.extend_from_slice(&[first, 126, (len >> 8) as u8, len as u8]),
        _ => write_header(opcode, len, None, out),
    }
}

#[inline(never)]
fn write_masked(mut header: FrameHeader, payload: &[u8], mut mask: [u8; 4], out: &mut Vec<u8>) {
    header.mask = Some(mask);
    // Writing to memory does not fail.
    let _ = header.format(payload.len() as u64, out);
    for block in payload.chunks(MASK_BLOCK) {
        let start = out.len();
        out.extend_from_slice(block);
        mask = mask::apply(out.get_mut(start..).unwrap_or_default(), mask);
    }
}
