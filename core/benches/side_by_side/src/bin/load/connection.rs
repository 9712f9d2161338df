//! One connection of the closed loop: sends masked frames, compares the replies.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use crate::frames::Frames;

pub struct Connection {
    stream: TcpStream,
    /// Positions in the stream of requests: up to where it is due, and up to where the kernel has taken it.
    due: u64,
    sent: u64,
    /// Position in the stream of replies.
    received: u64,
    /// When each message in flight became due.
    in_flight: VecDeque<Instant>,
}

impl Connection {
    /// `first` is the frame to begin with: where it differs, a reply to another connection is noticed.
    pub fn new(stream: TcpStream, frames: &Frames, first: usize) -> Self {
        let sent = (first * frames.requests.frame) as u64;
        let received = (first * frames.replies.frame) as u64;
        Self {
            stream,
            due: sent,
            sent,
            received,
            in_flight: VecDeque::new(),
        }
    }

    pub fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends until `pipeline` messages are in flight or the kernel takes no more.
    pub fn send(&mut self, frames: &Frames, pipeline: usize, now: Instant) -> io::Result<()> {
        let new = pipeline.saturating_sub(self.in_flight.len());
        self.in_flight.extend(std::iter::repeat_n(now, new));
        self.due += (new * frames.requests.frame) as u64;
        while self.sent < self.due {
            let piece = frames.requests.piece(self.sent, (self.due - self.sent) as usize);
            match self.stream.write(piece) {
                Ok(length) => self.sent += length as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads once and passes the latency of each reply that is complete now to `record`. Says whether there may be
    /// more to read.
    pub fn receive(
        &mut self,
        frames: &Frames,
        buffer: &mut [u8],
        mut record: impl FnMut(Duration),
    ) -> io::Result<(bool, Instant)> {
        let length = match self.stream.read(buffer) {
            Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server hung up")),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let now = Instant::now();
        if !frames.replies.matches(self.received, &buffer[..length]) {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "a reply differs from its message",
            ));
        }
        let frame = frames.replies.frame as u64;
        let complete = (self.received + length as u64) / frame - self.received / frame;
        self.received += length as u64;
        for _ in 0..complete {
            let sent = self.in_flight.pop_front();
            let sent = sent.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a reply to no message"))?;
            record(now - sent);
        }
        Ok((length == buffer.len(), now))
    }
}
