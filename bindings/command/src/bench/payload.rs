//! Messages that can be told from each other: the first bytes are their number, as far as there is room for it.

/// The digits of a number.
const STAMP: usize = 16;

/// The message of a connection that is sent, or expected, next.
pub(super) struct Payload {
    bytes: Vec<u8>,
    next: u64,
}

impl Payload {
    /// Of this many bytes; text is printable.
    pub(super) fn new(size: usize, is_binary: bool) -> Payload {
        let filling = |at: usize| match is_binary {
            true => (at * 7 + 3) as u8,
            false => b'a' + (at % 26) as u8,
        };
        Payload {
            bytes: (0..size).map(filling).collect(),
            next: 0,
        }
    }

    /// The next message.
    pub(super) fn next(&mut self) -> &[u8] {
        let mut number = self.next;
        let stamp = self.bytes.len().min(STAMP);
        for byte in self.bytes[..stamp].iter_mut().rev() {
            *byte = b"0123456789abcdef"[(number & 15) as usize];
            number >>= 4;
        }
        self.next += 1;
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_differ_and_have_their_size() {
        for size in [0, 1, 15, 16, 17, 1000] {
            let mut payload = Payload::new(size, false);
            let first = payload.next().to_vec();
            assert_eq!(first.len(), size);
            assert!(size == 0 || first != payload.next(), "{size}");
            assert!(first.iter().all(u8::is_ascii_alphanumeric));
        }
    }

    #[test]
    fn the_number_is_written_in_full() {
        let mut payload = Payload::new(20, true);
        payload.next = 0xdead_beef;
        assert_eq!(&payload.next()[..16], b"00000000deadbeef");
    }
}
