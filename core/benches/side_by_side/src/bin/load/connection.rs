//! One connection of the closed loop: sends masked frames, compares the replies.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use crate::frames::Frames;
use crate::replies::Check;
use crate::transport::Transport;

pub struct Connection {
    stream: Transport,
    /// Messages that are due, counted from the beginning of the ring.
    due: u64,
    /// Position in the stream of requests up to where the kernel has taken it.
    sent: u64,
    replies: Check,
    /// When each message in flight became due.
    in_flight: VecDeque<Instant>,
}

/// What one read has brought.
pub struct Received {
    pub replies: usize,
    pub bytes: usize,
    /// Whether there may be more to read.
    pub more: bool,
    pub now: Instant,
}

impl Connection {
    /// `first` is the frame to begin with: where it differs, a reply to another connection is noticed.
    pub fn new(stream: Transport, frames: &Frames, first: usize, takeover: bool) -> Self {
        Self {
            stream,
            due: first as u64,
            sent: frames.requests.position(first as u64),
            replies: Check::new(frames, first, takeover),
            in_flight: VecDeque::new(),
        }
    }

    pub fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    pub fn into_stream(self) -> Transport {
        self.stream
    }

    /// A message that this connection has not sent itself will be received.
    pub fn expect(&mut self, now: Instant) {
        self.in_flight.push_back(now);
    }

    /// Sends until `pipeline` messages are in flight or the kernel takes no more.
    pub fn send(&mut self, frames: &Frames, pipeline: usize, now: Instant) -> io::Result<()> {
        let new = pipeline.saturating_sub(self.in_flight.len());
        self.in_flight.extend(std::iter::repeat_n(now, new));
        self.due += new as u64;
        self.flush(frames)
    }

    /// Sends one more message, which was due then.
    pub fn send_due(&mut self, frames: &Frames, due: Instant) -> io::Result<()> {
        self.in_flight.push_back(due);
        self.due += 1;
        self.flush(frames)
    }

    /// Sends what is due, or what the kernel takes of it.
    pub fn flush(&mut self, frames: &Frames) -> io::Result<()> {
        let end = frames.requests.position(self.due);
        while self.sent < end {
            let piece = frames.requests.piece(self.sent, (end - self.sent) as usize);
            match self.stream.write(piece) {
                Ok(length) => self.sent += length as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        match self.stream.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads once and passes the latency of each reply that is complete now to `record`.
    pub fn receive(
        &mut self,
        frames: &Frames,
        buffer: &mut [u8],
        mut record: impl FnMut(Duration),
    ) -> io::Result<Received> {
        let bytes = match self.stream.read(buffer) {
            Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server hung up")),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let now = Instant::now();
        let replies = self.replies.take(frames, &buffer[..bytes])?;
        for _ in 0..replies {
            let sent = self.in_flight.pop_front();
            let sent = sent.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a reply to no message"))?;
            record(now - sent);
        }
        let more = self.stream.may_have_more(bytes, buffer.len());
        Ok(Received {
            replies,
            bytes,
            more,
            now,
        })
    }
}
