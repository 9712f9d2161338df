//! What a message is put together in.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// What the system's memory comes in.
const PAGE: usize = 4 << 10;
/// From this size on memory is the system's own, and begins where a page does.
const OF_THE_SYSTEM: usize = 128 << 10;

/// The bytes of a message that has come in pieces.
///
/// A long one begins in the middle of a page. Between two places whose distance within a page is 1 to 31 bytes some processors
/// (AMD's since Zen 3) copy at a fifth of their speed, and it is the system that copies here, from and to memory of its
/// own in which messages mostly begin where a page does, or as many bytes behind that as their headers have.
#[derive(Default, Clone)]
pub struct Gathered {
    memory: Vec<u8>,
    /// Where in `memory` it begins.
    start: usize,
}

impl Gathered {
    /// Has an empty one begin in the middle of a page of what it has, or of what it may grow to.
    pub(super) fn begin_within_a_page(&mut self) {
        let is_there_to_stay = self.memory.capacity() >= OF_THE_SYSTEM;
        let address = if is_there_to_stay {
            self.memory.as_ptr().addr()
        } else {
            0
        };
        self.start = (PAGE / 2).wrapping_sub(address) % PAGE;
        self.memory.resize(self.start, 0);
    }

    /// The memory as it was before anything was in it.
    pub(super) fn into_memory(self) -> Vec<u8> {
        let mut memory = self.memory;
        memory.clear();
        memory
    }

    /// The memory, of which what is at its beginning may belong to nothing: to append to.
    pub(crate) fn memory(&mut self) -> &mut Vec<u8> {
        &mut self.memory
    }

    pub(super) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    /// How much memory it has.
    pub fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    /// Leaves the first `length` bytes, if there are more.
    pub(super) fn truncate(&mut self, length: usize) {
        self.memory.truncate(self.start.saturating_add(length));
    }

    /// Takes what is from `at` on off the end.
    pub(super) fn split_off(&mut self, at: usize) -> Gathered {
        let at = self.start.saturating_add(at).min(self.memory.len());
        Gathered::from(self.memory.split_off(at))
    }

    /// Leaves the first `count` bytes out.
    pub(super) fn advance(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.memory.len());
    }
}

impl From<Vec<u8>> for Gathered {
    fn from(memory: Vec<u8>) -> Gathered {
        Gathered { memory, start: 0 }
    }
}

impl Deref for Gathered {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.memory.get(self.start..).unwrap_or_default()
    }
}

impl DerefMut for Gathered {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.start..).unwrap_or_default()
    }
}

impl PartialEq for Gathered {
    fn eq(&self, other: &Gathered) -> bool {
        **self == **other
    }
}

impl Eq for Gathered {}

impl fmt::Debug for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_one_begins_in_the_middle_of_a_page() {
        for extra in 0..3 {
            let mut gathered = Gathered::from(Vec::with_capacity(OF_THE_SYSTEM + 1000 * extra));
            gathered.begin_within_a_page();
            assert!(gathered.is_empty());
            gathered.extend_from_slice(b"abc");
            assert_eq!(*gathered, *b"abc");
            assert_eq!(gathered.as_ptr().addr() % PAGE, PAGE / 2);
        }
    }

    #[test]
    fn what_is_in_front_is_no_part_of_it() {
        let mut gathered = Gathered::default();
        gathered.begin_within_a_page();
        gathered.extend_from_slice(b"message, control");
        assert_eq!(gathered.len(), 16);
        assert_eq!(*gathered.split_off(7), *b", control");
        assert_eq!(gathered, Gathered::from(b"message".to_vec()));
        gathered.truncate(4);
        gathered.advance(1);
        assert_eq!(*gathered, *b"ess");
        assert_eq!(format!("{gathered:?}"), "[101, 115, 115]");
        gathered.advance(4);
        assert!(gathered.is_empty() && gathered.into_memory().is_empty());
    }
}
