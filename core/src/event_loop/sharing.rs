//! One message to connections that are named, on whichever loops they are.

use std::sync::Arc;

use parking_lot::ReentrantMutexGuard;

use super::buffered_amount;
use super::command::Command;
use super::core::LoopCore;
use super::publishing::Missed;
use super::shared::Shared;
use crate::handle::Id;
use crate::ws::SharedMessage;

/// Sends a message to many connections: to those of this thread's loop at once, to the others by one command for each
/// loop.
pub(crate) fn send_shared_many(ids: &mut dyn Iterator<Item = Id>, message: &Arc<SharedMessage>) {
    let mut sharing = Sharing::new(message);
    for id in ids {
        sharing.give(id, u64::MAX);
    }
    sharing.finish();
}

/// A message on its way to many connections. Those of this thread's loop get it as they are named, so that each is looked at
/// once; those of other loops by one command for each loop, at the end.
pub(crate) struct Sharing<'a> {
    message: &'a Arc<SharedMessage>,
    /// There are few.
    loops: Vec<OfLoop>,
}

/// Of one loop.
struct OfLoop {
    shared: &'static Shared,
    /// If this is the thread that turns it.
    core: Option<ReentrantMutexGuard<'static, LoopCore>>,
    missed: Missed,
    /// If it is not.
    named: Vec<Id>,
}

impl<'a> Sharing<'a> {
    pub(crate) fn new(message: &'a Arc<SharedMessage>) -> Sharing<'a> {
        Sharing {
            message,
            loops: Vec::new(),
        }
    }

    /// Sends it to this connection, if that is open; `false`, and it misses it, if more than `limit` bytes wait for it.
    #[inline]
    pub(crate) fn give(&mut self, id: Id, limit: u64) -> bool {
        let message = self.message;
        let Some(of_loop) = self.of_loop(id) else {
            return true;
        };
        if let Some(core) = &of_loop.core {
            return core.share_below(id, message, limit, &mut of_loop.missed);
        }
        let has_room = buffered_amount(id) <= limit;
        if has_room {
            of_loop.named.push(id);
        }
        has_room
    }

    pub(crate) fn finish(self) {
        for of_loop in self.loops {
            match of_loop.core {
                Some(core) => core.shared_out(of_loop.missed),
                None if of_loop.named.is_empty() => {}
                None => {
                    let command = Command::ShareWith(of_loop.named.into(), self.message.clone());
                    of_loop.shared.push(command);
                }
            }
        }
    }

    fn of_loop(&mut self, id: Id) -> Option<&mut OfLoop> {
        let index = id.loop_index();
        let known = self
            .loops
            .iter()
            .position(|of_loop| of_loop.shared.index == index);
        let place = match known {
            Some(place) => place,
            None => {
                let shared = Shared::at(id).ok()?;
                self.loops.push(OfLoop {
                    shared,
                    core: shared.enter(),
                    missed: Missed::default(),
                    named: Vec::new(),
                });
                self.loops.len() - 1
            }
        };
        self.loops.get_mut(place)
    }
}

impl LoopCore {
    /// Sends a message that others get too, if the connection is open; `false`, and it misses it, if more than `limit` bytes
    /// wait for it.
    fn share_below(&self, id: Id, message: &Arc<SharedMessage>, limit: u64, missed: &mut Missed) -> bool {
        let mut conns = self.conns.borrow_mut();
        let Some(conn) = conns.find(id) else {
            return true;
        };
        let corked = match self.corked.get() == id.slot() {
            true => self.cork.borrow().len() as u64,
            false => 0,
        };
        let has_room = conn.slot.buffered() + corked <= limit;
        if has_room {
            self.share(conn, message, missed);
        }
        has_room
    }
}
