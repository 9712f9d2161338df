//! How far a connection is on its way to its end.

/// What has happened of that.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Our close frame is in some `out`.
    CloseSent,
    /// The peer's close frame came.
    CloseReceived,
    /// Nothing that comes counts any more (§5.5.1, §7.1.7).
    Deaf,
}

/// A bit for each, as there are many connections.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Ending(u8);

impl Ending {
    #[inline(always)]
    pub(super) fn has(self, step: Step) -> bool {
        self.0 & 1 << step as u8 != 0
    }

    pub(super) fn note(&mut self, step: Step) {
        self.0 |= 1 << step as u8;
    }
}
