//! A minimal WebSocket echo by hand: unmasks in place, corks the replies to one read into one send,
//! assembles only what spans reads. It checks hardly anything: no UTF-8, no close codes, no limits but
//! one. What it costs above `raw_tcp` is what WebSocket costs at least.

use std::io::{self, ErrorKind};

use side_by_side::Protocol;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const MAX_PAYLOAD: u64 = 64 << 20;
const MAX_HEAD: usize = 16 << 10;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

#[derive(Default)]
struct WebSocket {
    upgraded: bool,
    /// The beginning of the request head, later of a frame. Empty, and unallocated, between messages.
    partial: Vec<u8>,
}

impl Protocol for WebSocket {
    fn reply<'a>(&mut self, received: &'a mut [u8], cork: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        cork.clear();
        if self.upgraded {
            self.frames(received, cork)?;
        } else {
            self.handshake(received, cork)?;
        }
        Ok(cork)
    }
}

fn main() -> io::Result<()> {
    side_by_side::main::<WebSocket>()
}

impl WebSocket {
    fn handshake(&mut self, received: &[u8], cork: &mut Vec<u8>) -> io::Result<()> {
        self.partial.extend_from_slice(received);
        let end = self
            .partial
            .windows(END_OF_HEAD.len())
            .position(|window| window == END_OF_HEAD);
        let Some(end) = end else {
            return if self.partial.len() > MAX_HEAD {
                Err(ErrorKind::InvalidData.into())
            } else {
                Ok(())
            };
        };
        let mut bytes = std::mem::take(&mut self.partial);
        let (head, early) = bytes.split_at_mut(end + END_OF_HEAD.len());
        let key = websocket_key(head).ok_or(ErrorKind::InvalidData)?;
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(key)
        );
        cork.extend_from_slice(head.as_bytes());
        self.upgraded = true;
        self.frames(early, cork)
    }

    fn frames(&mut self, received: &mut [u8], cork: &mut Vec<u8>) -> io::Result<()> {
        let taken = self.complete_partial(received, cork)?;
        let mut rest = &mut received[taken..];
        loop {
            let needed = needed(rest)?;
            if rest.len() < needed {
                break;
            }
            let (frame, after) = rest.split_at_mut(needed);
            echo(frame, cork)?;
            rest = after;
        }
        if !rest.is_empty() {
            self.partial.reserve_exact(needed(rest)?);
            self.partial.extend_from_slice(rest);
        }
        Ok(())
    }

    /// Feeds a frame that began in an earlier read, and says how many bytes it took.
    fn complete_partial(&mut self, received: &[u8], cork: &mut Vec<u8>) -> io::Result<usize> {
        let mut taken = 0;
        while !self.partial.is_empty() && taken < received.len() {
            // First the header, which says how long the frame is, then the frame.
            let missing = needed(&self.partial)? - self.partial.len();
            let piece = missing.min(received.len() - taken);
            self.partial.extend_from_slice(&received[taken..taken + piece]);
            taken += piece;
            if self.partial.len() >= needed(&self.partial)? {
                echo(&mut std::mem::take(&mut self.partial), cork)?;
            }
        }
        Ok(taken)
    }
}

/// How many bytes the frame at the start of `bytes` has, as far as `bytes` tells: those of its fixed part, then
/// those of its header, then all. So the frame is complete exactly when `bytes` has that many.
fn needed(bytes: &[u8]) -> io::Result<usize> {
    let [_, length, ..] = *bytes else { return Ok(2) };
    if length & 0x80 == 0 {
        return Err(ErrorKind::InvalidData.into());
    }
    let header = header_length(length);
    if bytes.len() < header {
        return Ok(header);
    }
    let payload = match length & 0x7F {
        126 => u64::from(u16::from_be_bytes([bytes[2], bytes[3]])),
        127 => u64::from_be_bytes([2, 3, 4, 5, 6, 7, 8, 9].map(|index: usize| bytes[index])),
        short => u64::from(short),
    };
    if payload > MAX_PAYLOAD {
        Err(ErrorKind::InvalidData.into())
    } else {
        Ok(header + payload as usize)
    }
}

/// The length of a masked frame's header whose second byte is `length`.
fn header_length(length: u8) -> usize {
    match length & 0x7F {
        126 => 8,
        127 => 14,
        _ => 6,
    }
}

/// Appends the reply to a complete frame.
fn echo(frame: &mut [u8], cork: &mut Vec<u8>) -> io::Result<()> {
    let (header, payload) = frame.split_at_mut(header_length(frame[1]));
    let (length, key) = header[1..].split_at(header.len() - 5);
    unmask(payload, [key[0], key[1], key[2], key[3]]);
    let first = match header[0] & 0x0F {
        PING => 0x80 | PONG,
        PONG => return Ok(()),
        _ => header[0],
    };
    cork.push(first);
    cork.push(length[0] & 0x7F);
    cork.extend_from_slice(&length[1..]);
    cork.extend_from_slice(payload);
    Ok(())
}

/// Eight bytes at a time, which the compiler turns into vector instructions.
fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let wide = u64::from(u32::from_ne_bytes(key)) * 0x1_0000_0001;
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

fn websocket_key(head: &[u8]) -> Option<&[u8]> {
    head.split(|&byte| byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = line.split_at(colon);
        name.eq_ignore_ascii_case(b"sec-websocket-key")
            .then(|| value[1..].trim_ascii())
    })
}
