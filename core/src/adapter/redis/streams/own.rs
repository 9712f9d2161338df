//! What this node has appended and not yet done for its own sockets.
//!
//! It does so when it reads its own entry, between those of others, so that all nodes see one order. Redis may fail on
//! the way: then it does so without having read the entry, and doesn't do it again if that comes after all.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::cluster::Message;

/// So many messages that were done early, and whose entries may still come, are remembered.
const MAX_DONE: usize = 1000;

/// The messages, oldest first.
#[derive(Debug, Default)]
pub(super) struct OwnEntries {
    entries: VecDeque<Own>,
    made: u64,
    done: usize,
}

#[derive(Debug)]
struct Own {
    number: u64,
    /// Of its type and data, to know it again.
    hash: u64,
    /// `None` when it has been done.
    message: Option<Message>,
    /// It has been appended; if not, it may have been nevertheless.
    is_appended: bool,
}

/// What is known of an entry that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is to be done now.
    Waiting(Message),
    /// It has been done already.
    Done,
}

impl OwnEntries {
    /// A message is about to be appended; its number.
    pub(super) fn add(&mut self, kind: &str, data: &[u8], message: Message) -> u64 {
        self.made += 1;
        self.entries.push_back(Own {
            number: self.made,
            hash: hash(kind, data),
            message: Some(message),
            is_appended: false,
        });
        self.made
    }

    /// It has been appended. Whether it still has to be read.
    pub(super) fn appended(&mut self, number: u64) -> bool {
        let place = self.place(number);
        let Some(own) = place.and_then(|place| self.entries.get_mut(place)) else {
            return false;
        };
        own.is_appended = true;
        true
    }

    /// It is to be done without having been read; `None` if it has been.
    pub(super) fn take(&mut self, number: u64) -> Option<Message> {
        let place = self.place(number)?;
        let message = self.entries.get_mut(place)?.message.take()?;
        self.done += 1;
        while self.done > MAX_DONE {
            let oldest = self.entries.iter().position(|own| own.message.is_none())?;
            self.entries.remove(oldest);
            self.done -= 1;
        }
        Some(message)
    }

    /// An entry of this node's has been read.
    pub(super) fn read(&mut self, kind: &str, data: &[u8]) -> Found {
        let hash = hash(kind, data);
        // One that waits first: what was done early may never have been appended, and they are the same.
        let is_it = |waits: bool| move |own: &Own| own.hash == hash && own.message.is_some() == waits;
        let place = self.entries.iter().position(is_it(true));
        let place = place.or_else(|| self.entries.iter().position(is_it(false)));
        match place.and_then(|place| self.entries.remove(place)) {
            Some(Own {
                message: Some(message),
                ..
            }) => Found::Waiting(message),
            Some(_) => {
                self.done -= 1;
                Found::Done
            }
            // What was done so long ago that it is forgotten.
            None => Found::Done,
        }
    }

    /// Whether an entry has been done that will certainly be read.
    pub(super) fn is_ahead(&self) -> bool {
        self.done > 0
            && self
                .entries
                .iter()
                .any(|own| own.message.is_none() && own.is_appended)
    }

    /// All that has not been done.
    pub(super) fn take_all(&mut self) -> Vec<Message> {
        self.done = 0;
        std::mem::take(&mut self.entries)
            .into_iter()
            .filter_map(|own| own.message)
            .collect()
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&number, |own| own.number).ok()
    }
}

fn hash(kind: &str, data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind, data).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::BroadcastOptions;

    fn message(room: &str) -> Message {
        Message::Join {
            options: BroadcastOptions::default(),
            rooms: vec![room.to_owned()],
        }
    }

    #[test]
    fn what_is_read_is_done_once() {
        let mut own = OwnEntries::default();
        own.add("4", b"a", message("1"));
        let second = own.add("4", b"a", message("2"));
        let third = own.add("4", b"b", message("3"));
        assert!(own.appended(second));
        assert_eq!(own.read("4", b"b"), Found::Waiting(message("3")));
        assert!(!own.appended(third) && own.take(third).is_none());
        assert_eq!(own.read("4", b"a"), Found::Waiting(message("1")));
        assert_eq!(own.read("4", b"a"), Found::Waiting(message("2")));
        assert_eq!(own.read("4", b"a"), Found::Done);
        assert!(own.entries.is_empty());
    }

    #[test]
    fn what_was_done_early_is_not_done_again() {
        let mut own = OwnEntries::default();
        let lost = own.add("3", b"a", message("1"));
        assert_eq!(own.take(lost), Some(message("1")));
        assert_eq!(own.take(lost), None);
        assert!(!own.is_ahead());
        assert!(own.appended(lost) && own.is_ahead());
        assert_eq!(own.read("3", b"a"), Found::Done);
        assert!(!own.is_ahead() && own.entries.is_empty());
        own.add("3", b"b", message("2"));
        assert_eq!(own.take_all(), [message("2")]);
    }

    #[test]
    fn what_failed_does_not_stand_for_what_is_the_same() {
        let mut own = OwnEntries::default();
        let failed = own.add("3", b"a", message("1"));
        own.take(failed);
        own.add("3", b"a", message("2"));
        assert_eq!(own.read("3", b"a"), Found::Waiting(message("2")));
        assert_eq!(own.read("3", b"a"), Found::Done);
    }

    #[test]
    fn what_was_done_is_forgotten_some_time() {
        let mut own = OwnEntries::default();
        let kept = own.add("3", b"kept", message("kept"));
        for _ in 0..MAX_DONE * 2 {
            let number = own.add("3", b"a", message("1"));
            own.take(number);
        }
        assert_eq!((own.done, own.entries.len()), (MAX_DONE, MAX_DONE + 1));
        assert_eq!(own.take(kept), Some(message("kept")));
    }
}
