//! What waits for a socket: a queue of chunks with an offset into the first, so that nothing is ever moved.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

use super::connection::NEVER;
use super::stream::Stream;
use super::tracking::Tracking;
use crate::ws::{Frame, Millis};

/// An own chunk takes further frames until it has this length; a longer frame still lies in one piece.
const CHUNK: usize = 64 << 10;
/// What a fresh chunk has room for: small messages between two flushes must not make it grow step by step.
const FIRST: usize = 4 << 10;
/// The most chunks handed to the system at once.
const BATCH: usize = 32;
/// A chunk's memory is kept for the next one if it is no more: one message may have made it as large as it was.
const KEPT: usize = 2 * CHUNK;

#[derive(Debug)]
enum Content {
    Own(Vec<u8>),
    Shared(Bytes),
}

#[derive(Debug)]
struct Chunk {
    content: Content,
    /// Where messages end whose senders want to hear when the system has taken them, and their tokens.
    tokens: Vec<(usize, u64)>,
    /// Of a chunk that is one whole message, which may be dropped while none of it has left: when it has to be.
    drop_at: Option<Millis>,
}

impl Chunk {
    fn new(content: Content) -> Chunk {
        Chunk {
            content,
            tokens: Vec::new(),
            drop_at: None,
        }
    }

    fn message(content: Content, tracking: Tracking) -> Chunk {
        let mut chunk = Chunk {
            drop_at: tracking.is_droppable().then_some(tracking.deadline),
            ..Chunk::new(content)
        };
        let end = chunk.bytes().len();
        chunk.tokens.extend(tracking.token.map(|token| (end, token)));
        chunk
    }

    fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Own(bytes) => bytes,
            Content::Shared(bytes) => bytes,
        }
    }

    /// What is told of a message whose chunk this is.
    fn dropped(&self) -> Dropped {
        Dropped {
            bytes: self.bytes().len(),
            token: self.tokens.first().map(|(_, token)| *token),
        }
    }

    fn take_on(&mut self, next: Chunk) {
        let before = self.bytes().len();
        if let Some(bytes) = self.open() {
            bytes.extend_from_slice(next.bytes());
        }
        let tokens = next.tokens.into_iter().map(|(end, token)| (before + end, token));
        self.tokens.extend(tokens);
    }

    /// The buffer, if something that must not be dropped may be appended to it.
    fn open(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.content {
            Content::Own(bytes) if self.drop_at.is_none() && bytes.len() < CHUNK => Some(bytes),
            _ => None,
        }
    }
}

/// A message that was dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) bytes: usize,
    pub(crate) token: Option<u64>,
}

/// What waits for one socket. Empty, it is nothing: most connections have nothing waiting most of the time.
#[derive(Debug)]
pub(crate) enum Outbox {
    Queue(Option<Box<Queue>>),
    /// Only this, which others hold too and nobody asks for, and none of it has left: what a message to many is until the
    /// next flush. It needs no memory of its own then.
    Shared(Frame),
}

/// The memory of an outbox that was sent, for the next that fills: where messages are sent between turns, as hosts do, each
/// turn would ask for it anew.
#[derive(Debug, Default)]
pub(crate) struct Spare(Option<Box<Queue>>);

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox::Queue(None)
    }
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Outbox::Queue(None))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Outbox::Queue(queue) => queue.as_ref().map_or(0, |queue| queue.length),
            Outbox::Shared(bytes) => bytes.len(),
        }
    }

    /// When [`Outbox::drop_expired`] may have something to do.
    pub(crate) fn earliest_deadline(&self) -> Millis {
        match self {
            Outbox::Queue(Some(queue)) => queue.earliest,
            _ => NEVER,
        }
    }

    /// Lets `write` append to the last chunk, or to a fresh one, and returns what it returned.
    pub(crate) fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.with(|queue| queue.append(write))
    }

    /// Appends a copy.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.append(|chunk| chunk.extend_from_slice(bytes));
        }
    }

    /// Lets `write` append one message.
    pub(crate) fn append_message<T>(
        &mut self,
        tracking: Tracking,
        write: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> T {
        self.with(|queue| queue.append_message(tracking, write))
    }

    /// Takes the memory that was kept, if it has none; something has to be appended next.
    pub(crate) fn take_from(&mut self, spare: &mut Spare) {
        if let Outbox::Queue(queue @ None) = self {
            *queue = spare.0.take();
        }
    }

    /// Appends a message that others hold too.
    pub(crate) fn share_message(&mut self, bytes: Frame, tracking: Tracking) {
        if self.is_empty() && !tracking.is_droppable() && tracking.token.is_none() {
            if !bytes.is_empty() {
                *self = Outbox::Shared(bytes);
            }
            return;
        }
        self.with(|queue| queue.push_message(Content::Shared(bytes.as_ref().clone()), tracking));
    }

    /// What was appended last is the end of this token's message.
    pub(crate) fn note_end(&mut self, token: Option<u64>) {
        if token.is_some() && !self.is_empty() {
            self.with(|queue| queue.note_end(token));
        }
    }

    /// Drops the oldest message that may be dropped and of which nothing has left. The first `pledged` bytes are as good
    /// as gone.
    pub(crate) fn drop_oldest(&mut self, pledged: usize) -> Option<Dropped> {
        self.with(|queue| queue.drop_oldest(pledged))
    }

    /// Drops the messages whose time is up and of which nothing has left.
    pub(crate) fn drop_expired(&mut self, now: Millis, pledged: usize, lost: impl FnMut(Dropped)) {
        if self.earliest_deadline() <= now {
            self.with(|queue| queue.drop_where(pledged, |drop_at| drop_at <= now, lost));
        }
    }

    /// Drops all messages that may be dropped and of which nothing has left.
    pub(crate) fn drop_all(&mut self, pledged: usize, lost: impl FnMut(Dropped)) {
        self.with(|queue| queue.drop_where(pledged, |_| true, lost));
    }

    /// Forgets everything; `lost` hears the tokens of the messages that have not left.
    pub(crate) fn clear(&mut self, lost: impl FnMut(u64)) {
        self.forget_tokens(lost);
        *self = Outbox::default();
    }

    /// Nobody will ask for the tokens any more: `lost` hears them a last time.
    pub(crate) fn forget_tokens(&mut self, mut lost: impl FnMut(u64)) {
        let Outbox::Queue(Some(queue)) = self else { return };
        for chunk in &mut queue.chunks {
            chunk.tokens.drain(..).for_each(|(_, token)| lost(token));
        }
    }

    /// Hands as much to the system as it takes; returns how much that was. `left` hears the tokens of the messages
    /// that have left in whole. What has emptied keeps its memory in `spare`.
    ///
    /// # Errors
    /// The socket's; that the system takes no more now is not one.
    pub(crate) fn flush(
        &mut self,
        stream: &mut Stream,
        spare: &mut Spare,
        left: impl FnMut(u64),
    ) -> io::Result<usize> {
        match self {
            Outbox::Queue(waiting) => {
                let Some(queue) = waiting else { return Ok(0) };
                let taken = queue.flush(stream, left);
                if queue.length == 0 {
                    queue.earliest = NEVER;
                    spare.0 = waiting.take();
                }
                taken
            }
            Outbox::Shared(bytes) => {
                let taken = match stream.send(bytes) {
                    Ok(taken) => taken,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                    Err(error) => return Err(error),
                };
                self.leave(taken, left);
                Ok(taken)
            }
        }
    }

    /// Whether the system takes all of what waits by one call, as far as it has room.
    pub(crate) fn has_few_pieces(&self) -> bool {
        !matches!(self, Outbox::Queue(Some(queue)) if queue.chunks.len() > BATCH)
    }

    /// Shows what waits.
    pub(crate) fn show<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>) {
        match self {
            Outbox::Queue(None) => {}
            Outbox::Queue(Some(queue)) => queue.show(slices),
            Outbox::Shared(bytes) => slices.push(IoSlice::new(bytes)),
        }
    }

    /// So much has left, of what was shown; `left` hears the tokens of the messages that have left in whole.
    pub(crate) fn leave(&mut self, taken: usize, mut left: impl FnMut(u64)) {
        match self {
            Outbox::Shared(bytes) if taken == bytes.len() => *self = Outbox::default(),
            _ => self.with(|queue| queue.advance(taken, &mut left)),
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Queue) -> T) -> T {
        if let Outbox::Shared(bytes) = self {
            let mut queue = Queue::default();
            queue.push_message(Content::Shared(bytes.as_ref().clone()), Tracking::NONE);
            *self = Outbox::Queue(Some(Box::new(queue)));
        }
        let Outbox::Queue(queue) = self else {
            unreachable!("what was shared has just become a queue")
        };
        let content = queue.get_or_insert_default();
        let result = act(content);
        if content.length == 0 {
            *queue = None;
        }
        result
    }
}

#[derive(Debug)]
pub(crate) struct Queue {
    chunks: VecDeque<Chunk>,
    /// How much of the first chunk the system has taken.
    offset: usize,
    length: usize,
    /// No deadline of a message that waits is earlier.
    earliest: Millis,
    /// Memory for the next chunk that is the first.
    spare: Vec<u8>,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue {
            chunks: VecDeque::new(),
            offset: 0,
            length: 0,
            earliest: NEVER,
            spare: Vec::new(),
        }
    }
}

impl Queue {
    fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.chunks.back_mut().is_none_or(|last| last.open().is_none()) {
            let memory = self.memory();
            self.chunks.push_back(Chunk::new(Content::Own(memory)));
        }
        let Some(bytes) = self.chunks.back_mut().and_then(Chunk::open) else {
            unreachable!("the last chunk is an open one: it was found or just pushed")
        };
        let before = bytes.len();
        let result = write(bytes);
        self.length += bytes.len() - before;
        result
    }

    /// For a chunk that takes several messages.
    fn memory(&mut self) -> Vec<u8> {
        if !self.chunks.is_empty() {
            return Vec::new(); // between messages that have chunks of their own there are only control frames
        }
        let mut memory = std::mem::take(&mut self.spare);
        memory.reserve(FIRST);
        memory
    }

    /// A chunk has left: its memory is for the next.
    fn keep(&mut self, chunk: Chunk) {
        if let Content::Own(mut memory) = chunk.content
            && (self.spare.capacity()..=KEPT).contains(&memory.capacity())
        {
            memory.clear();
            self.spare = memory;
        }
    }

    fn append_message<T>(&mut self, tracking: Tracking, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if !tracking.is_droppable() {
            let before = self.length;
            let result = self.append(write);
            if self.length > before {
                self.note_end(tracking.token);
            }
            return result;
        }
        let mut bytes = Vec::new();
        let result = write(&mut bytes);
        self.push_message(Content::Own(bytes), tracking);
        result
    }

    fn push_message(&mut self, content: Content, tracking: Tracking) {
        let chunk = Chunk::message(content, tracking);
        let length = chunk.bytes().len();
        if length > 0 {
            self.length += length;
            self.earliest = self.earliest.min(tracking.deadline);
            self.chunks.push_back(chunk);
        }
    }

    fn note_end(&mut self, token: Option<u64>) {
        if let (Some(token), Some(last)) = (token, self.chunks.back_mut()) {
            let end = last.bytes().len();
            last.tokens.push((end, token));
        }
    }

    fn drop_oldest(&mut self, pledged: usize) -> Option<Dropped> {
        let mut at = self.begun(pledged);
        while self.chunks.get(at)?.drop_at.is_none() {
            // The next search must not have to pass every control frame that lay between dropped messages.
            if !self.join(at) {
                at += 1;
            }
        }
        let chunk = self.chunks.remove(at)?;
        self.length -= chunk.bytes().len();
        Some(chunk.dropped())
    }

    fn drop_where(
        &mut self,
        pledged: usize,
        is_lost: impl Fn(Millis) -> bool,
        mut lost: impl FnMut(Dropped),
    ) {
        let mut begun = self.begun(pledged);
        self.earliest = NEVER;
        self.chunks.retain_mut(|chunk| {
            let has_begun = begun > 0;
            begun = begun.saturating_sub(1);
            match chunk.drop_at {
                Some(drop_at) if !has_begun && is_lost(drop_at) => {
                    self.length -= chunk.bytes().len();
                    lost(chunk.dropped());
                    return false;
                }
                Some(drop_at) if !has_begun => self.earliest = self.earliest.min(drop_at),
                _ => {}
            }
            true
        });
    }

    /// How many chunks at the front have begun to leave.
    fn begun(&self, pledged: usize) -> usize {
        let mut reach = self.offset + pledged;
        let has_begun = |chunk: &&Chunk| {
            let has_begun = reach > 0;
            reach = reach.saturating_sub(chunk.bytes().len());
            has_begun
        };
        self.chunks.iter().take_while(has_begun).count()
    }

    /// Joins a chunk with the one before, if both are open; says whether it did.
    fn join(&mut self, at: usize) -> bool {
        let is_open = |chunk: Option<&mut Chunk>| chunk.is_some_and(|chunk| chunk.open().is_some());
        let Some(before) = at.checked_sub(1) else {
            return false;
        };
        if !is_open(self.chunks.get_mut(at)) || !is_open(self.chunks.get_mut(before)) {
            return false;
        }
        if let Some(chunk) = self.chunks.remove(at)
            && let Some(target) = self.chunks.get_mut(before)
        {
            target.take_on(chunk);
        }
        true
    }

    fn flush(&mut self, stream: &mut Stream, mut left: impl FnMut(u64)) -> io::Result<usize> {
        let mut total = 0;
        while self.length > 0 {
            let (taken, offered) = match self.write_once(stream) {
                Ok(counts) => counts,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            self.advance(taken, &mut left);
            total += taken;
            if taken < offered {
                break;
            }
        }
        Ok(total)
    }

    fn show<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>) {
        let mut offset = self.offset;
        let pieces = self
            .chunks
            .iter()
            .map(|chunk| &chunk.bytes()[std::mem::take(&mut offset)..]);
        slices.extend(pieces.map(IoSlice::new));
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

    fn advance(&mut self, mut taken: usize, left: &mut impl FnMut(u64)) {
        self.length -= taken;
        while let Some(first) = self.chunks.front_mut() {
            let whole = first.bytes().len();
            let rest = whole - self.offset;
            let reached = if taken < rest { self.offset + taken } else { whole };
            let ended = first.tokens.iter().take_while(|(end, _)| *end <= reached).count();
            first.tokens.drain(..ended).for_each(|(_, token)| left(token));
            if taken < rest {
                self.offset = reached;
                return;
            }
            taken -= rest;
            self.offset = 0;
            if let Some(chunk) = self.chunks.pop_front() {
                self.keep(chunk);
            }
        }
    }
}

#[cfg(test)]
mod tests;
