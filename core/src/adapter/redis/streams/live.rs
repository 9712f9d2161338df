//! Sessions of clients that are connected are kept, too, from time to time: who knows whether this node will be there to do
//! it when their connections are lost. So a client comes back whose node has died, and one that is here before the node
//! that it was on has noticed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::super::super::{Host, RoomEvent, RoomWatcher};
use super::super::cluster::Cluster;
use super::stored::Stored;
use crate::ws::Millis;

/// How soon a session is kept when its rooms have changed, in milliseconds: what a handler changes, one after the other, is
/// kept at once, and a node that is killed has lost no more than the latest.
const SOON: Millis = 1;
/// How often some of those whose turn it is are kept.
const TICK: Millis = 500;
/// Each is kept so often while its client might be away.
const TIMES: Millis = 4;

/// The sessions of this node's connected clients, and whose turn it is.
#[derive(Default)]
pub(super) struct Live(Mutex<Turns>);

#[derive(Default)]
struct Turns {
    /// Ids of sockets, with a number that tells them from former ones.
    sockets: HashMap<Arc<str>, u64>,
    ring: VecDeque<(Arc<str>, u64)>,
    numbers: u64,
    changed: HashSet<Arc<str>>,
    is_ticking: bool,
}

impl Turns {
    fn add(&mut self, id: &Arc<str>) {
        self.numbers += 1;
        self.sockets.insert(Arc::clone(id), self.numbers);
        self.ring.push_back((Arc::clone(id), self.numbers));
    }

    /// So many of them all come within so many ticks.
    fn next(&mut self, ticks: usize) -> Vec<Arc<str>> {
        let count = self.ring.len().div_ceil(ticks.max(1));
        let mut found = Vec::new();
        for (id, number) in self.ring.drain(..count).collect::<Vec<_>>() {
            if self.sockets.get(&id) == Some(&number) {
                self.ring.push_back((Arc::clone(&id), number));
                found.push(id);
            }
        }
        found
    }
}

impl Live {
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.lock().sockets.contains_key(id)
    }

    /// Nothing is kept of this one any more; whether something was.
    pub(super) fn remove(&self, id: &str) -> bool {
        let mut turns = self.0.lock();
        turns.changed.remove(id);
        turns.sockets.remove(id).is_some()
    }
}

/// Hears who comes and goes.
pub(super) struct Watcher<H: Host + 'static>(pub(super) Weak<Cluster<H, Stored>>);

impl<H: Host + 'static> RoomWatcher for Watcher<H> {
    fn on_room_events(&self, events: &[RoomEvent]) {
        let Some(cluster) = self.0.upgrade() else { return };
        for event in events {
            match event {
                RoomEvent::Leave(room, id) if room == id => cluster.forget_live(id),
                RoomEvent::Join(room, id) => cluster.has_changed(id, room == id),
                RoomEvent::Leave(_, id) => cluster.has_changed(id, false),
                RoomEvent::Create(_) | RoomEvent::Delete(_) => {}
            }
        }
    }
}

impl<H: Host + 'static> Cluster<H, Stored> {
    /// Something has happened that a session has to have; `is_new`: its client is connected.
    fn has_changed(&self, id: &Arc<str>, is_new: bool) {
        let (is_first, ticks) = {
            let mut turns = self.wire.live.0.lock();
            if is_new {
                turns.add(id);
            }
            let is_first = turns.changed.is_empty();
            turns.changed.insert(Arc::clone(id));
            (is_first, !std::mem::replace(&mut turns.is_ticking, true))
        };
        if is_first {
            self.after(SOON, |cluster| {
                let changed = std::mem::take(&mut cluster.wire.live.0.lock().changed);
                changed.iter().for_each(|id| cluster.keep_live(id));
            });
        }
        if ticks {
            self.after(TICK, Self::tick);
        }
    }

    /// Keeps some, and sees to the next ones as long as there are any.
    fn tick(&self) {
        let ticks = usize::try_from(self.wire.turn() / TICK).unwrap_or(usize::MAX);
        let turn = {
            let mut turns = self.wire.live.0.lock();
            let turn = turns.next(ticks);
            turns.is_ticking = !turns.ring.is_empty();
            if !turns.is_ticking {
                turns.ring = VecDeque::new();
                turns.sockets.shrink_to_fit();
                return;
            }
            turn
        };
        turn.iter().for_each(|id| self.keep_live(id));
        self.after(TICK, Self::tick);
    }

    /// A client that is gone for good must not come back.
    fn forget_live(&self, id: &str) {
        let host = self.local.host();
        if self.wire.live.remove(id)
            && let Some(session) = host.find(id).and_then(|member| host.session(&member))
        {
            self.bus.take(&self.wire.key(&session.pid), Box::new(drop));
        }
    }
}

impl Stored {
    /// How long it takes until a session is kept again, in milliseconds.
    pub(super) fn turn(&self) -> Millis {
        self.shared.options.max_disconnection.unwrap_or(0) / TIMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_turn() {
        let mut turns = Turns::default();
        let id = |number: usize| Arc::<str>::from(format!("x{number}"));
        (0..10).for_each(|number| turns.add(&id(number)));
        turns.sockets.remove("x3");
        turns.sockets.remove("x4");
        turns.add(&id(4));
        let mut seen: Vec<Arc<str>> = (0..4).flat_map(|_| turns.next(4)).collect();
        assert!((9..13).contains(&seen.len()), "{seen:?}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 9);
        assert_eq!((turns.ring.len(), turns.sockets.len()), (9, 9));
        turns.sockets.clear();
        (0..5).for_each(|_| assert!(turns.next(3).is_empty()));
        assert!(turns.ring.is_empty());
    }
}
