//! How a Socket.IO session begins (Engine.IO protocol 4, Socket.IO protocol 5): the server opens it, the client connects
//! to the namespace `/`, and the server says that it has.

use std::io::{self, ErrorKind, Read, Write};

use crate::frames::{TEXT, masked};
use crate::replies::frame;
use crate::transport::Transport;

pub const WEBSOCKET_PATH: &str = "/socket.io/?EIO=4&transport=websocket";
pub const OPENED: &str = "0{";
pub const CONNECT: &str = "40";
pub const CONNECTED: &str = "40{";
pub const PING: &str = "2";
pub const PING_FRAME: &[u8] = &[TEXT, 1, b'2'];
pub const PONG: &str = "3";

/// Awaits that the session is open, and connects. `early` came behind the response to the upgrade.
pub fn connect(stream: &mut Transport, early: Vec<u8>) -> io::Result<()> {
    await_text(stream, early, OPENED)?;
    stream.write_all(&masked(TEXT, CONNECT.as_bytes(), [0; 4]))?;
    stream.flush()
}

/// Awaits that the namespace is connected.
pub fn await_connected(stream: &mut Transport) -> io::Result<()> {
    await_text(stream, Vec::new(), CONNECTED)
}

/// Answers what pings stand at the start of `received`, and gives the rest.
pub fn answer_pings<'a>(stream: &mut Transport, mut received: &'a [u8]) -> io::Result<&'a [u8]> {
    while let Some(rest) = received.strip_prefix(PING_FRAME) {
        stream.write_all(&masked(TEXT, PONG.as_bytes(), [0; 4]))?;
        stream.flush()?;
        received = rest;
    }
    Ok(received)
}

/// Awaits one text that begins so. Around it there can be pings: some servers send the first at once.
fn await_text(stream: &mut Transport, mut received: Vec<u8>, start: &str) -> io::Result<()> {
    let mut buffer = [0; 1024];
    let text = loop {
        received = answer_pings(stream, &received)?.to_vec();
        if let Some((header, end)) = frame(&received) {
            break header..end;
        }
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server hung up"));
        }
        received.extend_from_slice(&buffer[..length]);
    };
    let rest = answer_pings(stream, &received[text.end..])?;
    if received[0] == TEXT && received[text].starts_with(start.as_bytes()) && rest.is_empty() {
        return Ok(());
    }
    let text = format!("not {start:?} but {:?}", String::from_utf8_lossy(&received));
    Err(io::Error::new(ErrorKind::InvalidData, text))
}
