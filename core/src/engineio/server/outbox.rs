//! What waits for a client on polling to ask for it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{PollAnswer, Prepared};
use crate::engineio::payload::{SEPARATOR, encode_packet};
use crate::engineio::{Data, PacketType, Version, encode_payload};

/// What an entry takes beside its data, so that empty messages are not free.
const OVERHEAD: usize = 32;
/// How many entries find room that is kept.
const MAX_KEPT: usize = 4;

/// What is sent together, and dropped together if it must be.
#[derive(Debug)]
pub enum Unit {
    /// One text message.
    Text(Box<str>),
    /// One binary message.
    Binary(Box<[u8]>),
    /// Several messages, with nothing between them.
    Many(Box<[Unit]>),
    /// Messages that others get too.
    Shared(Arc<Prepared>),
}

impl Unit {
    /// A copy.
    pub fn copy(data: &Data<'_>) -> Unit {
        match data {
            Data::Text(text) => Unit::Text((*text).into()),
            Data::Binary(bytes) => Unit::Binary((*bytes).into()),
        }
    }

    /// A copy of several.
    pub fn copy_many(messages: &[Data<'_>]) -> Unit {
        match messages {
            [one] => Unit::copy(one),
            many => Unit::Many(many.iter().map(Unit::copy).collect()),
        }
    }

    /// Its messages, in their order.
    pub fn messages<'a>(&'a self, each: &mut dyn FnMut(Data<'a>)) {
        match self {
            Unit::Text(text) => each(Data::Text(text)),
            Unit::Binary(bytes) => each(Data::Binary(bytes)),
            Unit::Many(units) => units.iter().for_each(|unit| unit.messages(each)),
            Unit::Shared(prepared) => prepared.messages().for_each(each),
        }
    }

    fn len(&self) -> usize {
        match self {
            Unit::Text(text) => text.len(),
            Unit::Binary(bytes) => bytes.len(),
            Unit::Many(units) => units.iter().map(Unit::len).sum(),
            Unit::Shared(prepared) => prepared.len(),
        }
    }
}

/// A packet that waits.
#[derive(Debug)]
pub enum Entry {
    /// One of the protocol's own, with text.
    Control(PacketType, Box<str>),
    /// The application's; `compress` false: it asks not to compress.
    Message {
        /// What it sends.
        unit: Unit,
        /// Whether it may be compressed.
        compress: bool,
    },
}

impl Entry {
    /// Its packets, in their order.
    pub fn packets<'a>(&'a self, each: &mut dyn FnMut(PacketType, Data<'a>)) {
        match self {
            Entry::Control(kind, text) => each(*kind, Data::Text(text)),
            Entry::Message { unit, .. } => unit.messages(&mut |data| each(PacketType::Message, data)),
        }
    }

    fn may_be_compressed(&self) -> bool {
        match self {
            Entry::Control(..) => true,
            Entry::Message { unit, compress } => {
                *compress && !matches!(unit, Unit::Shared(prepared) if !prepared.compress())
            }
        }
    }

    fn len(&self) -> usize {
        OVERHEAD
            + match self {
                Entry::Control(_, text) => text.len(),
                Entry::Message { unit, .. } => unit.len(),
            }
    }
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: VecDeque<Entry>,
    bytes: usize,
    has_ping: bool,
    has_pong: bool,
}

impl Outbox {
    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += entry.len();
        self.entries.push_back(entry);
    }

    /// A packet of the protocol's own without data. One ping asks for all, and one pong answers all pings that came before
    /// it has left: nothing piles up for a client that never polls, but pings, or sends pongs.
    pub(super) fn push_control(&mut self, kind: PacketType) {
        let has_one = match kind {
            PacketType::Ping => std::mem::replace(&mut self.has_ping, true),
            PacketType::Pong => std::mem::replace(&mut self.has_pong, true),
            _ => false,
        };
        if !has_one {
            self.push(Entry::Control(kind, "".into()));
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops messages, the oldest first, until no more than `limit` waits.
    pub(super) fn drop_oldest(&mut self, limit: usize) {
        let mut bytes = self.bytes;
        self.entries.retain(|entry| {
            let goes = bytes > limit && matches!(entry, Entry::Message { .. });
            if goes {
                bytes -= entry.len();
            }
            !goes
        });
        self.bytes = bytes;
    }

    pub(super) fn take(&mut self) -> VecDeque<Entry> {
        std::mem::take(self).entries
    }

    /// So many packets from the front, or all that belong to the first message, if those are more.
    pub(super) fn take_packets(&mut self, most: usize) -> VecDeque<Entry> {
        let mut packets = 0;
        let fits = |entry: &&Entry| {
            let is_first = packets == 0;
            entry.packets(&mut |_, _| packets += 1);
            is_first || packets <= most
        };
        let count = self.entries.iter().take_while(fits).count();
        if count == self.entries.len() {
            return self.take();
        }
        let rest = self.entries.split_off(count);
        let taken = std::mem::replace(&mut self.entries, rest);
        for entry in &taken {
            self.bytes -= entry.len();
            match entry {
                Entry::Control(PacketType::Ping, _) => self.has_ping = false,
                Entry::Control(PacketType::Pong, _) => self.has_pong = false,
                _ => {}
            }
        }
        taken
    }

    /// Moves all that waits to `out`, as a payload of revision 4; says whether that may be compressed. What memory a few
    /// entries take is kept for the next ones.
    pub(super) fn write_all(&mut self, out: &mut Vec<u8>) -> bool {
        let compress = self.entries.iter().any(Entry::may_be_compressed);
        let begin = out.len();
        for entry in self.entries.drain(..) {
            entry.packets(&mut |kind, data| {
                if out.len() > begin {
                    out.push(SEPARATOR);
                }
                encode_packet(kind, data, out);
            });
        }
        let mut entries = std::mem::take(self).entries;
        entries.shrink_to(MAX_KEPT);
        self.entries = entries;
        compress
    }
}

/// Entries as one payload, and a packet without data behind them.
pub(super) fn answer(
    entries: &VecDeque<Entry>,
    version: Version,
    takes_binary: bool,
    last: Option<PacketType>,
) -> PollAnswer {
    let mut packets = Vec::with_capacity(entries.len() + 1);
    for entry in entries {
        entry.packets(&mut |kind, data| packets.push((kind, data)));
    }
    packets.extend(last.map(|kind| (kind, Data::Text(""))));
    let mut body = Vec::new();
    let kind = encode_payload(version, takes_binary, packets.into_iter(), &mut body);
    PollAnswer {
        body,
        kind,
        // The official server compresses its own packets too.
        compress: entries.iter().any(Entry::may_be_compressed),
    }
}
