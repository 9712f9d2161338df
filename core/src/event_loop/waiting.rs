//! Timers of objects that are no connections. Those for the same time are together, and the wheel knows of the earliest only;
//! so a timer that is taken back leaves nothing.

use std::collections::BTreeMap;
use std::sync::Weak;

use super::home::Timed;
use crate::ws::Millis;

/// Where a timer is, among those for the same time: with that, [`Home::forget`](super::Home::forget) takes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerKey(u32);

/// Keys from here on were given out by other threads than the loop's, before the loop knew of the timers.
const FROM_ELSEWHERE: u32 = 1 << 31;

impl TimerKey {
    /// Of a timer that can't be taken back.
    pub const NONE: TimerKey = TimerKey(u32::MAX);

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    pub(crate) fn of_number(number: u32) -> TimerKey {
        TimerKey(number)
    }

    /// The key of the so-manieth timer that other threads have set.
    pub(crate) fn from_elsewhere(count: u32) -> TimerKey {
        TimerKey(FROM_ELSEWHERE | count)
    }

    pub(crate) fn is_from_elsewhere(self) -> bool {
        self.0 >= FROM_ELSEWHERE
    }
}

/// The objects that wait for a time.
#[derive(Default)]
pub(crate) struct Waiting {
    by_time: BTreeMap<Millis, Together>,
    /// Times for which the wheel has an entry, each earlier than the one before it here.
    armed: Vec<Millis>,
}

/// Those that wait for the same time; who has been taken back leaves a gap in `all`, as long as others are left.
#[derive(Default)]
pub(crate) struct Together {
    all: Vec<Option<Weak<dyn Timed>>>,
    from_elsewhere: BTreeMap<u32, Weak<dyn Timed>>,
    left: usize,
}

impl Waiting {
    /// Sets a timer; `key` is one of other threads'.
    pub(crate) fn set(
        &mut self,
        deadline: Millis,
        key: Option<TimerKey>,
        timed: Weak<dyn Timed>,
    ) -> TimerKey {
        self.by_time.entry(deadline).or_default().push(key, timed)
    }

    /// Takes a timer back; what it kept is to be dropped when nothing is borrowed.
    pub(crate) fn forget(
        &mut self,
        deadline: Millis,
        key: TimerKey,
        timed: &Weak<dyn Timed>,
    ) -> Option<Weak<dyn Timed>> {
        let together = self.by_time.get_mut(&deadline)?;
        let taken = together.take(key, timed);
        if together.left == 0 {
            self.by_time.remove(&deadline);
        }
        taken
    }

    /// Those whose time has come.
    pub(crate) fn take_due(&mut self, now: Millis) -> Vec<Together> {
        while self.armed.pop_if(|armed| *armed <= now).is_some() {}
        let mut due = Vec::new();
        while let Some(first) = self.by_time.first_entry()
            && *first.key() <= now
        {
            due.push(first.remove());
        }
        due
    }

    /// The earliest time, if the wheel has no entry for it or an earlier one; it is to get one.
    pub(crate) fn arm(&mut self) -> Option<Millis> {
        let (first, _) = self.by_time.first_key_value()?;
        if self.armed.last().is_some_and(|armed| armed <= first) {
            return None;
        }
        self.armed.push(*first);
        Some(*first)
    }
}

impl Together {
    fn push(&mut self, key: Option<TimerKey>, timed: Weak<dyn Timed>) -> TimerKey {
        self.left += 1;
        if let Some(key) = key {
            self.from_elsewhere.insert(key.0, timed);
            return key;
        }
        let place = u32::try_from(self.all.len()).ok();
        self.all.push(Some(timed));
        place
            .filter(|place| *place < FROM_ELSEWHERE)
            .map_or(TimerKey::NONE, TimerKey)
    }

    fn take(&mut self, key: TimerKey, timed: &Weak<dyn Timed>) -> Option<Weak<dyn Timed>> {
        // The key may be an older timer's, which has come. While somebody asks for it, no other object has its address.
        let is_its = |other: &Weak<dyn Timed>| other.as_ptr().cast::<()>() == timed.as_ptr().cast::<()>();
        let taken = if key.is_from_elsewhere() {
            let place = self.from_elsewhere.get(&key.0).filter(|other| is_its(other));
            place
                .is_some()
                .then(|| self.from_elsewhere.remove(&key.0))
                .flatten()
        } else {
            let place = self.all.get_mut(key.0 as usize)?;
            place.take_if(|other| is_its(other))
        }?;
        self.left -= 1;
        Some(taken)
    }

    pub(crate) fn into_timers(self) -> impl Iterator<Item = Weak<dyn Timed>> {
        let set_here = self.all.into_iter().flatten();
        set_here.chain(self.from_elsewhere.into_values())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Nobody;

    impl Timed for Nobody {
        fn due(self: Arc<Self>, _: Millis) {}
    }

    #[test]
    fn the_wheel_has_few_entries_and_what_is_taken_back_leaves_nothing() {
        let somebody: Arc<dyn Timed> = Arc::new(Nobody);
        let weak = Arc::downgrade(&somebody);
        let mut waiting = Waiting::default();
        let mut entries = 0;
        let mut keys = Vec::new();
        for deadline in 1_000..2_000 {
            let elsewhere = (deadline % 2 == 0).then(|| TimerKey::from_elsewhere(deadline as u32));
            keys.push((deadline, waiting.set(deadline, elsewhere, weak.clone())));
            entries += usize::from(waiting.arm().is_some());
        }
        assert_eq!(entries, 1);
        assert!(waiting.take_due(999).is_empty());
        assert_eq!(
            waiting
                .take_due(1_000)
                .into_iter()
                .flat_map(Together::into_timers)
                .count(),
            1
        );
        assert_eq!((waiting.arm(), waiting.arm()), (Some(1_001), None));
        for (deadline, key) in keys {
            waiting.forget(deadline, key, &weak);
            waiting.forget(deadline, key, &weak);
        }
        assert!(waiting.by_time.is_empty() && waiting.armed.len() == 1);
        assert_eq!(Arc::weak_count(&somebody), 1);
        assert!(waiting.take_due(5_000).is_empty() && waiting.arm().is_none());
        assert!(waiting.armed.is_empty());
    }
}
