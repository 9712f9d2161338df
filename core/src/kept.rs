//! Payloads that outlive their callbacks, without a copy.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::ws::Gathered;

/// From this length on a payload is handed over: shorter ones are copied as fast.
const WORTHWHILE: usize = 16 << 10;

/// The whole payload of a message in memory of its own, from [`Message::keep`](crate::Message::keep). It does not change any
/// more, and any thread may have it, for as long as it likes. Clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept(Arc<Gathered>);

impl Kept {
    /// Shows a payload together with what can be kept of it, if it is long and its memory not much longer. Gives the
    /// memory back unless it is kept.
    pub(crate) fn show(payload: Gathered, show: impl FnOnce(&[u8], Option<&Kept>)) -> Option<Gathered> {
        if payload.len() < WORTHWHILE || payload.len() < payload.capacity() / 2 {
            show(&payload, None);
            return Some(payload);
        }
        let kept = Kept(Arc::new(payload));
        show(&kept, Some(&kept));
        Arc::into_inner(kept.0)
    }
}

impl Deref for Kept {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps the payload if it can; returns that, and what is left.
    fn keep(payload: impl Into<Gathered>) -> (Option<Kept>, Option<Gathered>) {
        let mut kept = None;
        let left = Kept::show(payload.into(), |_, offered| kept = offered.cloned());
        (kept, left)
    }

    #[test]
    fn long_payloads_are_handed_over_where_they_are() {
        let payload = vec![7; WORTHWHILE];
        let address = payload.as_ptr();
        let (kept, left) = keep(payload);
        let kept = kept.unwrap();
        assert_eq!((kept.as_ptr(), kept.len(), left), (address, WORTHWHILE, None));
        let clone = kept.clone();
        drop(kept);
        assert!(clone.iter().all(|byte| *byte == 7));
    }

    #[test]
    fn what_nobody_keeps_comes_back() {
        let payload = vec![7; WORTHWHILE];
        let address = payload.as_ptr();
        let mut seen = 0;
        let left = Kept::show(payload.into(), |payload, kept| {
            drop(kept.cloned()); // only for a while
            seen = payload.len();
        });
        let left = left.unwrap();
        assert_eq!((left.as_ptr(), seen), (address, WORTHWHILE));
    }

    #[test]
    fn short_ones_and_large_memory_are_not_handed_over() {
        let mut roomy = Vec::with_capacity(2 * WORTHWHILE + 2);
        roomy.resize(WORTHWHILE, 7);
        for payload in [vec![7; WORTHWHILE - 1], roomy] {
            let length = payload.len();
            let (kept, left) = keep(payload);
            assert_eq!((kept, left.map(|left| left.len())), (None, Some(length)));
        }
    }
}
