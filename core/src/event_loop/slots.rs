//! The slots of a loop's connections: they never move, so that any thread may read them.

use std::collections::HashMap;
use std::sync::OnceLock;

use parking_lot::Mutex;

use super::connection::NO_SERVER;
use super::memory::Share;
use super::slot::{IS_SERVER, Slot};
use crate::error::{Error, ErrorCode, Result};
use crate::handle::{Id, Kind, LAST_GENERATION, MAX_SLOTS};
use crate::metrics::Totals;

const FIRST_SEGMENT: u32 = 8;
const SEGMENTS: usize = 129;

/// All slots of one loop number. They outlive the loops that use them: generations go on where they were.
pub(crate) struct Slots {
    loop_index: usize,
    segments: [OnceLock<Box<[Slot]>>; SEGMENTS],
    free: Mutex<Free>,
    ended: Mutex<Ended>,
}

/// What connections that have ended had counted; the lock is held while they move here, and while sums are made.
#[derive(Default)]
struct Ended {
    all: Totals,
    by_server: HashMap<u32, Totals>,
}

#[derive(Default)]
struct Free {
    slots: Vec<u32>,
    /// The first slot that was never used.
    fresh: u32,
}

impl Slots {
    pub(crate) fn new(loop_index: usize) -> Slots {
        Slots {
            loop_index,
            segments: [const { OnceLock::new() }; SEGMENTS],
            free: Mutex::default(),
            ended: Mutex::default(),
        }
    }

    /// Takes a free slot for a new handle, in the state connecting.
    pub(crate) fn allocate(&self, kind: Kind) -> Result<Id> {
        let slot_number = {
            let mut free = self.free.lock();
            match free.slots.pop() {
                Some(slot) => slot,
                None if free.fresh < MAX_SLOTS => {
                    free.fresh += 1;
                    free.fresh - 1
                }
                None => {
                    let text = format!("a loop holds at most {MAX_SLOTS} connections and servers");
                    return Err(Error::new(ErrorCode::OutOfResources, text));
                }
            }
        };
        let (segment, length, index) = place(slot_number);
        let share = Share::of(self.loop_index);
        let slots = self.segments[segment].get_or_init(|| (0..length).map(|_| Slot::new(share)).collect());
        let slot = &slots[index];
        Ok(Id::new(kind, self.loop_index, slot_number, slot.begin(kind)))
    }

    /// The slot of a handle that is still alive.
    pub(crate) fn get(&self, id: Id) -> Option<&Slot> {
        self.at(id.slot()).filter(|slot| slot.lives_as(id.generation()))
    }

    fn at(&self, slot_number: u32) -> Option<&Slot> {
        let (segment, _, index) = place(slot_number);
        self.segments.get(segment)?.get()?.get(index)
    }

    /// Has what a slot has counted count for those that have ended.
    fn fold(&self, id: Id, slot: &Slot) {
        let mut ended = self.ended.lock();
        let counted = Totals {
            buffered: 0,
            ..slot.metrics().into()
        };
        ended.all.add(&counted);
        match slot.take_server() {
            NO_SERVER => {}
            IS_SERVER => _ = ended.by_server.remove(&id.slot()),
            // One that lingered on can end after its server.
            server if self.is_server(server) => ended.by_server.entry(server).or_default().add(&counted),
            _ => {}
        }
        slot.reset();
    }

    fn is_server(&self, number: u32) -> bool {
        self.at(number).is_some_and(|slot| slot.server() == IS_SERVER)
    }

    /// How many connections live, and the sums over them and those that have ended: all, or those of one server. Any
    /// thread.
    pub(crate) fn totals(&self, of_server: Option<u32>) -> (u64, Totals) {
        let ended = self.ended.lock();
        let mut totals = match of_server {
            Some(server) => ended.by_server.get(&server).copied().unwrap_or_default(),
            None => ended.all,
        };
        let fresh = self.free.lock().fresh;
        let mut connections = 0;
        for slot in (0..fresh).filter_map(|number| self.at(number)) {
            let server = slot.server();
            let counts = of_server.is_none_or(|one| one == server) && server != IS_SERVER;
            if counts && slot.is_live() {
                connections += 1;
                totals.add(&slot.metrics().into());
            }
        }
        (connections, totals)
    }

    /// Begins all sums anew, for a new loop in this place.
    pub(crate) fn forget_ended(&self) {
        *self.ended.lock() = Ended::default();
    }

    /// Ends the life of a handle and frees its slot, unless its generations are spent.
    pub(crate) fn release(&self, id: Id) {
        let Some(slot) = self.get(id) else { return };
        slot.forget_socket();
        self.fold(id, slot);
        let spent = id.generation() == LAST_GENERATION;
        let next = if spent {
            id.generation()
        } else {
            id.generation() + 1
        };
        slot.end(next);
        if !spent {
            self.free.lock().slots.push(id.slot());
        }
    }
}

/// Where a slot is: its segment, the length of that, and the index in it. Segments grow with the number of slots, eight
/// to each doubling, so that slots never move, few pointers reach millions, and at most an eighth lies idle.
fn place(slot: u32) -> (usize, usize, usize) {
    let biased = slot + (FIRST_SEGMENT << 3);
    let octave = biased.ilog2();
    let eighth = biased >> (octave - 3);
    let segment = 8 * (octave - FIRST_SEGMENT.ilog2() - 3) + (eighth & 7);
    let index = biased - (eighth << (octave - 3));
    (segment as usize, 1 << (octave - 3), index as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_its_place() {
        let (mut segment, mut index) = (0, 0);
        for slot in 0..100_000 {
            let (_, length, _) = place(slot);
            assert_eq!(place(slot), (segment, length, index));
            index += 1;
            if index == length {
                (segment, index) = (segment + 1, 0);
            }
        }
        assert_eq!(place(0), (0, FIRST_SEGMENT as usize, 0));
        assert_eq!(place(MAX_SLOTS - 1).0, SEGMENTS - 1);
    }

    #[test]
    fn a_released_handle_reaches_nothing() {
        let slots = Slots::new(0);
        let first = slots.allocate(Kind::Connection).unwrap();
        slots.release(first);
        let second = slots.allocate(Kind::Connection).unwrap();
        assert_eq!(first.slot(), second.slot());
        assert_ne!(first, second);
        assert!(slots.get(first).is_none());
        slots.release(first);
        assert!(slots.get(second).is_some());
    }

    #[test]
    fn a_slot_with_spent_generations_is_retired() {
        let slots = Slots::new(0);
        for _ in 0..=LAST_GENERATION {
            let id = slots.allocate(Kind::Connection).unwrap();
            assert_eq!(id.slot(), 0);
            slots.release(id);
        }
        assert_eq!(slots.allocate(Kind::Connection).unwrap().slot(), 1);
    }

    #[test]
    fn drain_comes_once_per_crossing() {
        let slots = Slots::new(0);
        let id = slots.allocate(Kind::Connection).unwrap();
        let slot = slots.get(id).unwrap();
        slot.add_buffered(150);
        slot.set_over_mark();
        assert!(!slot.take_drained(100));
        slot.sub_buffered(100);
        assert!(slot.take_drained(100));
        assert!(!slot.take_drained(100));
    }
}
