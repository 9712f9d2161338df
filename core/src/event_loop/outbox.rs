//! What waits for a socket: a queue of chunks with an offset into the first, so that nothing is ever moved.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

use super::stream::Stream;

/// An own chunk takes further frames until it has this length; a longer frame still lies in one piece.
const CHUNK: usize = 64 << 10;
/// What a fresh chunk has room for: small messages between two flushes must not make it grow step by step.
const FIRST: usize = 4 << 10;
/// The most chunks handed to the system at once.
const BATCH: usize = 32;

#[derive(Debug)]
enum Chunk {
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Chunk::Own(bytes) => bytes,
            Chunk::Shared(bytes) => bytes,
        }
    }
}

/// Empty, it owns no heap.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    chunks: VecDeque<Chunk>,
    /// How much of the first chunk the system has taken.
    offset: usize,
    length: usize,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Lets `write` append to the last chunk, or to a fresh one, and returns what it returned.
    pub(crate) fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let open = matches!(self.chunks.back(), Some(Chunk::Own(bytes)) if bytes.len() < CHUNK);
        if !open {
            self.chunks.push_back(Chunk::Own(Vec::with_capacity(FIRST)));
        }
        let Some(Chunk::Own(bytes)) = self.chunks.back_mut() else {
            unreachable!("the last chunk is an own one: it was found or just pushed")
        };
        let before = bytes.len();
        let result = write(bytes);
        self.length += bytes.len() - before;
        self.release_if_empty();
        result
    }

    /// Appends a copy.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.append(|chunk| chunk.extend_from_slice(bytes));
        }
    }

    /// Appends bytes that others hold too.
    pub(crate) fn push_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.length += bytes.len();
            self.chunks.push_back(Chunk::Shared(bytes));
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Outbox::default();
    }

    /// Hands as much to the system as it takes; returns how much that was.
    ///
    /// # Errors
    /// The socket's; that the system takes no more now is not one.
    pub(crate) fn flush(&mut self, stream: &mut Stream) -> io::Result<usize> {
        let mut total = 0;
        while !self.is_empty() {
            let (taken, offered) = match self.write_once(stream) {
                Ok(counts) => counts,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            self.advance(taken);
            total += taken;
            if taken < offered {
                break;
            }
        }
        Ok(total)
    }

    fn write_once(&self, stream: &mut Stream) -> io::Result<(usize, usize)> {
        let first = &self.chunks[0].bytes()[self.offset..];
        if self.chunks.len() == 1 {
            return Ok((stream.send(first)?, first.len()));
        }
        let mut slices = [IoSlice::new(&[]); BATCH];
        slices[0] = IoSlice::new(first);
        let mut count = 1;
        for (slice, chunk) in slices[1..].iter_mut().zip(self.chunks.iter().skip(1)) {
            *slice = IoSlice::new(chunk.bytes());
            count += 1;
        }
        let slices = &slices[..count];
        let offered = slices.iter().map(|slice| slice.len()).sum();
        Ok((stream.send_vectored(slices)?, offered))
    }

    fn advance(&mut self, mut taken: usize) {
        self.length -= taken;
        while let Some(first) = self.chunks.front() {
            let left = first.bytes().len() - self.offset;
            if taken < left {
                self.offset += taken;
                return;
            }
            taken -= left;
            self.offset = 0;
            self.chunks.pop_front();
        }
        self.release_if_empty();
    }

    /// An idle connection owns no buffer.
    fn release_if_empty(&mut self) {
        if self.length == 0 {
            *self = Outbox::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(outbox: &Outbox) -> Vec<u8> {
        let all: Vec<u8> = outbox
            .chunks
            .iter()
            .flat_map(|chunk| chunk.bytes().to_vec())
            .collect();
        all[outbox.offset..].to_vec()
    }

    #[test]
    fn keeps_order_over_own_and_shared_chunks() {
        let mut outbox = Outbox::default();
        outbox.push(b"one ");
        outbox.push_shared(Bytes::from_static(b"two "));
        outbox.push(b"three");
        assert_eq!(outbox.len(), 13);
        outbox.advance(5);
        assert_eq!(pending(&outbox), b"wo three");
        outbox.advance(8);
        assert!(outbox.is_empty());
        assert_eq!(outbox.chunks.capacity(), 0);
    }

    #[test]
    fn appending_nothing_leaves_nothing() {
        let mut outbox = Outbox::default();
        outbox.append(|_| ());
        outbox.push(b"");
        outbox.push_shared(Bytes::new());
        assert!(outbox.is_empty());
        assert_eq!(outbox.chunks.len(), 0);
    }
}
