//! What waits to be sent, and how much of it goes into one payload.

use std::collections::VecDeque;

use super::super::{Data, PacketType, encode_payload};
use super::{OwnedData, VERSION};

/// The most packets of a payload: python-engineio refuses one with more.
const MAX_PACKETS: usize = 16;

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) kind: PacketType,
    pub(super) data: OwnedData,
    pub(super) compress: Option<bool>,
}

#[derive(Debug, Default)]
pub(super) struct Buffer {
    packets: VecDeque<Waiting>,
    bytes: usize,
    has_pong: bool,
}

impl OwnedData {
    pub(super) fn borrow(&self) -> Data<'_> {
        match self {
            OwnedData::Text(text) => Data::Text(text),
            OwnedData::Binary(bytes) => Data::Binary(bytes),
        }
    }

    /// Its length in a payload, where binary data is base64.
    fn encoded_len(&self) -> usize {
        match self {
            OwnedData::Text(text) => text.len(),
            OwnedData::Binary(bytes) => bytes.len().div_ceil(3) * 4,
        }
    }
}

impl Buffer {
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, kind: PacketType, data: OwnedData, compress: Option<bool>) {
        self.bytes += data.borrow().len();
        self.packets.push_back(Waiting { kind, data, compress });
    }

    /// One pong answers all pings that came before it has left, however often a server pings.
    pub(super) fn push_pong(&mut self) {
        if !std::mem::replace(&mut self.has_pong, true) {
            self.push(PacketType::Pong, OwnedData::Text(String::new()), None);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let packet = self.packets.pop_front()?;
        self.has_pong &= packet.kind != PacketType::Pong;
        self.bytes -= packet.data.borrow().len();
        Some(packet)
    }

    /// Takes the next payload: as many packets as `max` bytes and [`MAX_PACKETS`] allow, and one in any case.
    pub(super) fn pop_payload(&mut self, max: Option<usize>) -> Option<String> {
        let count = self.fitting(max.unwrap_or(usize::MAX));
        if count == 0 {
            return None;
        }
        let taken: Vec<Waiting> = (0..count).map_while(|_| self.pop()).collect();
        let packets = taken.iter().map(|packet| (packet.kind, packet.data.borrow()));
        let mut payload = Vec::new();
        encode_payload(VERSION, false, packets, &mut payload);
        String::from_utf8(payload).ok() // texts and base64 are UTF-8
    }

    fn fitting(&self, max: usize) -> usize {
        let mut length = 0usize;
        let fits = |packet: &&Waiting| {
            // Its type, and what separates it from the one before.
            let more = packet.data.encoded_len() + 1 + usize::from(length > 0);
            let is_first = length == 0;
            length = length.saturating_add(more);
            is_first || length <= max
        };
        self.packets.iter().take(MAX_PACKETS).take_while(fits).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(texts: &[&str]) -> Buffer {
        let mut buffer = Buffer::default();
        for text in texts {
            let data = OwnedData::Text((*text).to_owned());
            buffer.push(PacketType::Message, data, None);
        }
        buffer
    }

    #[test]
    fn a_payload_is_as_long_as_the_server_takes_it() {
        let mut waiting = buffer(&["aaa", "bbb", "ccc"]);
        assert_eq!(waiting.bytes(), 9);
        assert_eq!(waiting.pop_payload(Some(9)).as_deref(), Some("4aaa\x1e4bbb"));
        assert_eq!(waiting.bytes(), 3);
        assert_eq!(waiting.pop_payload(Some(9)).as_deref(), Some("4ccc"));
        assert_eq!(waiting.pop_payload(Some(9)), None);
        assert_eq!(
            buffer(&["aaa", "bbb"]).pop_payload(Some(8)).as_deref(),
            Some("4aaa")
        );
        assert_eq!(
            buffer(&["aaa", "b"]).pop_payload(Some(2)).as_deref(),
            Some("4aaa")
        );
        let all = buffer(&["aaa", "bbb", "ccc"]).pop_payload(None);
        assert_eq!(all.as_deref(), Some("4aaa\x1e4bbb\x1e4ccc"));
    }

    #[test]
    fn binary_data_counts_as_base64() {
        let with_binary = || {
            let mut waiting = buffer(&["a"]);
            waiting.push(PacketType::Message, OwnedData::Binary(vec![0; 3]), None);
            waiting
        };
        assert_eq!(with_binary().pop_payload(Some(8)).as_deref(), Some("4a\x1ebAAAA"));
        assert_eq!(with_binary().pop_payload(Some(7)).as_deref(), Some("4a"));
    }

    #[test]
    fn a_payload_has_no_more_packets_than_every_server_takes() {
        let mut waiting = buffer(&["a"; 40]);
        let counts =
            std::iter::from_fn(|| waiting.pop_payload(None)).map(|payload| payload.split('\x1e').count());
        assert_eq!(counts.collect::<Vec<_>>(), [16, 16, 8]);
    }
}
