//! Handles as numbers: which kind, on which loop, in which slot, of which generation.
//!
//! 53 bits in all, so that a JavaScript number holds one exactly:
//!
//! ```text
//! 52..51 kind | 50..41 loop | 40..19 slot | 18..0 generation
//! ```
//!
//! A slot's generation grows each time that it is freed, and a slot whose generations are spent is never used again:
//! a number is never given out twice, so a stale handle can't reach somebody else's connection.

use std::num::NonZeroU64;

use crate::error::{Error, ErrorCode, Result};

const GENERATION_BITS: u32 = 19;
const SLOT_BITS: u32 = 22;
const LOOP_BITS: u32 = 10;

/// How many loops can live at once.
pub(crate) const MAX_LOOPS: usize = 1 << LOOP_BITS;
/// How many connections and servers one loop can hold at once.
pub(crate) const MAX_SLOTS: u32 = 1 << SLOT_BITS;
/// The last generation of a slot.
pub(crate) const LAST_GENERATION: u32 = (1 << GENERATION_BITS) - 1;

/// What a handle stands for. The numbers are part of the handle; 0 is no kind, so 0 is no handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connection = 1,
    Server = 2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Id(NonZeroU64);

impl Id {
    pub(crate) fn new(kind: Kind, loop_index: usize, slot: u32, generation: u32) -> Id {
        debug_assert!(loop_index < MAX_LOOPS && slot < MAX_SLOTS && generation <= LAST_GENERATION);
        let place = (loop_index as u64) << SLOT_BITS | u64::from(slot);
        let kind = (kind as u64) << (LOOP_BITS + SLOT_BITS);
        let number = (kind | place) << GENERATION_BITS | u64::from(generation);
        Id(NonZeroU64::new(number).unwrap_or(NonZeroU64::MAX)) // a kind is not 0, so this isn't either
    }

    /// Reads a number that came from outside.
    pub(crate) fn from_raw(raw: u64, kind: Kind) -> Result<Id> {
        if raw >> (GENERATION_BITS + SLOT_BITS + LOOP_BITS) == kind as u64
            && let Some(raw) = NonZeroU64::new(raw)
        {
            return Ok(Id(raw));
        }
        let wanted = match kind {
            Kind::Connection => "a connection",
            Kind::Server => "a server",
        };
        Err(Error::new(
            ErrorCode::WrongHandle,
            format!("{raw} is not the handle of {wanted}"),
        ))
    }

    /// Reads a number that the library gave to the system itself: the token of an event, the key of a timer.
    pub(crate) fn from_token(raw: u64) -> Option<(Kind, Id)> {
        match raw >> (GENERATION_BITS + SLOT_BITS + LOOP_BITS) {
            1 => Some((Kind::Connection, Id(NonZeroU64::new(raw)?))),
            2 => Some((Kind::Server, Id(NonZeroU64::new(raw)?))),
            _ => None,
        }
    }

    /// A number of no kind, below 2^51: of something that no loop has.
    pub(crate) fn of_no_kind(number: u64) -> Id {
        debug_assert!(number < 1 << (GENERATION_BITS + SLOT_BITS + LOOP_BITS));
        Id(NonZeroU64::new(number).unwrap_or(NonZeroU64::MAX))
    }

    pub(crate) fn raw(self) -> u64 {
        self.0.get()
    }

    pub(crate) fn loop_index(self) -> usize {
        (self.raw() >> (GENERATION_BITS + SLOT_BITS)) as usize & (MAX_LOOPS - 1)
    }

    pub(crate) fn slot(self) -> u32 {
        (self.raw() >> GENERATION_BITS) as u32 & (MAX_SLOTS - 1)
    }

    pub(crate) fn generation(self) -> u32 {
        self.raw() as u32 & LAST_GENERATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_come_back_and_the_number_fits_a_double() {
        let corners = [
            (0, 0, 0),
            (MAX_LOOPS - 1, MAX_SLOTS - 1, LAST_GENERATION),
            (5, 77, 1234),
        ];
        for (loop_index, slot, generation) in corners {
            for kind in [Kind::Connection, Kind::Server] {
                let id = Id::new(kind, loop_index, slot, generation);
                assert_eq!(
                    (id.loop_index(), id.slot(), id.generation()),
                    (loop_index, slot, generation)
                );
                assert!(id.raw() > 0 && id.raw() < 1 << 53);
                assert_eq!(id.raw() as f64 as u64, id.raw());
                assert_eq!(Id::from_raw(id.raw(), kind), Ok(id));
            }
        }
    }

    #[test]
    fn the_wrong_kind_is_refused() {
        let server = Id::new(Kind::Server, 1, 2, 3).raw();
        for raw in [0, 1, server, u64::MAX] {
            let error = Id::from_raw(raw, Kind::Connection).unwrap_err();
            assert_eq!(error.code(), ErrorCode::WrongHandle);
        }
    }
}
