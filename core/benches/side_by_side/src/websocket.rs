//! What the hand-made WebSocket servers share: `raw_ws`, and the one of the load generator's that clients under test
//! talk to.

use std::io::{self, ErrorKind};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Of a ping.
pub const PING: u8 = 0x9;
/// Of its answer.
pub const PONG: u8 = 0xA;

const MAX_PAYLOAD: u64 = 64 << 20;
const MAX_HEAD: usize = 16 << 10;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Where the head of a request ends, if all of it is there.
pub fn end_of_head(bytes: &[u8]) -> io::Result<Option<usize>> {
    let start = bytes
        .windows(END_OF_HEAD.len())
        .position(|window| window == END_OF_HEAD);
    if start.is_none() && bytes.len() > MAX_HEAD {
        return Err(ErrorKind::InvalidData.into());
    }
    Ok(start.map(|start| start + END_OF_HEAD.len()))
}

/// The response that accepts the upgrade with this head.
pub fn accept(head: &[u8]) -> io::Result<String> {
    let key = websocket_key(head).ok_or(ErrorKind::InvalidData)?;
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key)
    ))
}

fn websocket_key(head: &[u8]) -> Option<&[u8]> {
    head.split(|&byte| byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = line.split_at(colon);
        name.eq_ignore_ascii_case(b"sec-websocket-key")
            .then(|| value[1..].trim_ascii())
    })
}

/// How many bytes the frame at the start of `bytes` has, as far as `bytes` tells: those of its fixed part, then
/// those of its header, then all. So the frame is complete exactly when `bytes` has that many.
#[inline]
pub fn needed(bytes: &[u8]) -> io::Result<usize> {
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
#[inline]
pub fn header_length(length: u8) -> usize {
    match length & 0x7F {
        126 => 8,
        127 => 14,
        _ => 6,
    }
}

/// Eight bytes at a time, which the compiler turns into vector instructions.
#[inline]
pub fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let wide = u64::from(u32::from_ne_bytes(key)) * 0x1_0000_0001;
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}
