//! How often one turn of the host's loop asks the system for more.
//!
//! A turn of asyncio's costs as much as some messages do. Where several connections are busy, those that were answered first have
//! sent the next message by the time that the last one is answered.

/// So many sockets share the price of a turn, then the host's other work has its own.
const ENOUGH: usize = 64;
/// So many turns don't ask again after one did in vain.
const PATIENCE: u8 = 8;

/// What is known of the turns so far.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Polls {
    /// How many sockets this turn has served.
    served: usize,
    /// So many turns don't ask again.
    resting: u8,
}

impl Polls {
    /// Whether to poll again, after one that `announced` so many sockets.
    pub(crate) fn goes_on(&mut self, announced: usize) -> bool {
        let is_first = self.served == 0;
        self.served += announced;
        if !is_first && announced == 0 {
            self.resting = PATIENCE;
            return false;
        }
        if is_first && self.resting > 0 {
            self.resting -= 1;
            return false;
        }
        self.served > 1 && self.served < ENOUGH
    }

    /// For the next turn.
    pub(crate) fn ended(self) -> Polls {
        Polls { served: 0, ..self }
    }
}
