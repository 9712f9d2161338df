//! A minimal WebSocket echo by hand: unmasks in place, corks the replies to one read into one send,
//! assembles only what spans reads. It checks hardly anything: no UTF-8, no close codes, no limits but
//! one. What it costs above `raw_tcp` is what WebSocket costs at least.

use std::io;

use side_by_side::Protocol;
use side_by_side::websocket::{PING, PONG, accept, end_of_head, header_length, needed, unmask};

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
        let Some(end) = end_of_head(&self.partial)? else {
            return Ok(());
        };
        let mut bytes = std::mem::take(&mut self.partial);
        let (head, early) = bytes.split_at_mut(end);
        cork.extend_from_slice(accept(head)?.as_bytes());
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
