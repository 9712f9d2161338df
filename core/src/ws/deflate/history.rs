//! What a stream may refer back to.

use std::collections::VecDeque;

/// The last bytes of a stream, up to `most` of them. It takes memory only for what there is.
#[derive(Debug, Default)]
pub(super) struct History {
    bytes: VecDeque<u8>,
    most: usize,
}

impl History {
    pub(super) fn new(most: usize) -> History {
        History {
            bytes: VecDeque::new(),
            most,
        }
    }

    pub(super) fn push(&mut self, new: &[u8]) {
        let new = new.get(new.len().saturating_sub(self.most)..).unwrap_or(new);
        let len = (self.bytes.len() + new.len()).min(self.most);
        // Before it grows, so that it never takes more than it may hold.
        self.bytes.drain(..self.bytes.len() + new.len() - len);
        if self.bytes.capacity() < len {
            let capacity = len.next_power_of_two().min(self.most);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend(new);
    }

    /// Keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The older bytes and the newer ones.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        <[&[u8]; 2]>::from(self.bytes.as_slices())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_bytes_in_no_more_memory_than_they_need() {
        let stream: Vec<u8> = (0..700_u32).map(|i| ((i * i) >> 3) as u8).collect();
        for step in [1, 7, 63, 64, 65, 300] {
            let mut history = History::new(64);
            for (done, new) in stream.chunks(step).enumerate() {
                history.push(new);
                let end = done * step + new.len();
                assert_eq!(history.parts().concat(), stream[end.saturating_sub(64)..end]);
                assert!(history.bytes.capacity() <= end.next_power_of_two().min(64));
            }
        }
    }
}
