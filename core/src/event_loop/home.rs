//! A loop as a value: running jobs on its thread, its clock, and timers for objects that are no connections.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as BTreeEntry;
use std::fmt;
use std::sync::{Arc, Weak};

use super::Loop;
use super::command::Command;
use super::core::LoopCore;
use super::fork;
use super::shared::Shared;
use super::timers::Entry;
use crate::error::{ErrorCode, Result};
use crate::websocket::WebSocket;
use crate::ws::Millis;

/// One loop, as long as it lives: for objects that belong to a loop's thread without owning the loop. Copy it freely, use
/// it on any thread; once the loop is freed, it does nothing.
#[derive(Clone, Copy)]
pub struct Home {
    /// In the table of loops.
    place: u32,
    /// Places are used again.
    life: u32,
}

/// Work for a loop's thread.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// An object with a deadline of its own.
pub trait Timed: Send + Sync {
    /// A time that was set with [`Home::at`] has come; called on the loop's thread. Each time that was set and not taken
    /// back is announced once, also when it is of no more use: the object compares `now` with the deadline that it has by
    /// now.
    fn due(self: Arc<Self>, now: Millis);
}

/// The key of these timers: of a kind that no handle has.
const TIMED: u64 = 3 << 51;

/// Where a timer is, among those for the same time: with that, [`Home::forget`] takes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerKey(u32);

impl TimerKey {
    /// Of a timer that can't be taken back.
    pub const NONE: TimerKey = TimerKey(u32::MAX);

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    pub(crate) fn of_number(number: u32) -> TimerKey {
        TimerKey(number)
    }
}

/// The objects that wait for a time. Those that wait for the same one share an entry in the wheel.
pub(crate) type Waiting = BTreeMap<Millis, Together>;

/// Those that wait for the same time; who has been taken back leaves a gap.
#[derive(Default)]
pub(crate) struct Together {
    all: Vec<Option<Weak<dyn Timed>>>,
    left: usize,
}

impl Together {
    fn push(&mut self, timed: Weak<dyn Timed>) -> TimerKey {
        let key = u32::try_from(self.all.len()).map_or(TimerKey::NONE, TimerKey);
        self.all.push(Some(timed));
        self.left += 1;
        key
    }

    /// To be dropped when nothing is borrowed.
    fn take(&mut self, key: TimerKey, timed: &Weak<dyn Timed>) -> Option<Weak<dyn Timed>> {
        let place = self.all.get_mut(key.0 as usize)?;
        // The key may be an older timer's, which has come. While somebody asks for it, no other object has its address.
        let taken = place.take_if(|other| other.as_ptr().cast::<()>() == timed.as_ptr().cast::<()>())?;
        self.left -= 1;
        if self.left == 0 {
            self.all = Vec::new();
        }
        Some(taken)
    }
}

/// An object that lives by a loop: kept while it has something to wait for, and told when the loop ends.
pub(crate) trait Resident: Send + Sync {
    /// The loop is about to end in good order: its connections close, and nothing new should begin.
    fn loop_shuts_down(&self);

    /// The loop ends: nothing that was waited for will come. Called by the thread that ends it, after all connections have
    /// had their last events.
    fn loop_ended(self: Arc<Self>);
}

impl Home {
    /// The loop whose handler, job or timer this thread is in; between turns, the loop that it turned last.
    pub fn current() -> Option<Home> {
        let home = CURRENT.get()?;
        home.is_here().then_some(home)
    }

    /// The loop of a connection; `None` once that has ended.
    pub fn of(ws: WebSocket) -> Option<Home> {
        Shared::of(ws.id()).ok().map(|(shared, _)| Home::at_place(shared))
    }

    /// This loop.
    pub fn of_loop(on_loop: &Loop) -> Home {
        Home::at_place(on_loop.shared())
    }

    /// This loop, or the library's own, which is started at first use.
    ///
    /// # Errors
    /// As for [`Loop::new`] and [`Loop::start`].
    pub fn of_loop_or_default(on_loop: Option<&Loop>) -> Result<Home> {
        Loop::shared_or_default(on_loop).map(Home::at_place)
    }

    /// Whether this is the thread that turns the loop, where calls on its connections act at once.
    pub fn is_here(self) -> bool {
        self.alive().is_some_and(|shared| shared.enter().is_some())
    }

    /// Has the loop's thread do this in its next turn, never at once, in the order in which things are asked of the loop
    /// on this thread. Says whether the loop lives; a job that comes too late all the same is dropped.
    pub fn run(self, job: Box<dyn FnOnce() + Send>) -> bool {
        let Some(shared) = self.alive() else { return false };
        shared.push(Command::Run(self.life, job));
        true
    }

    /// Has [`Timed::due`] called at this time of the loop's clock, or soon if it is over. Each timer costs a little memory
    /// until its time, the object's own among it: so an object keeps the earliest time that it has set, sets another only
    /// for an earlier one or when that one has come, and takes its timer back when it ends. Objects whose times are the
    /// same share the most of it. Set by other threads than the loop's, a timer has no key and can't be taken back.
    pub fn at(self, deadline: Millis, timed: Weak<dyn Timed>) -> TimerKey {
        let Some(shared) = self.alive() else {
            return TimerKey::NONE;
        };
        match shared.enter() {
            Some(core) => core.set_timed(deadline, timed),
            None => {
                shared.push(Command::Timed(self.life, deadline, timed));
                TimerKey::NONE
            }
        }
    }

    /// Takes back what was set for this object, this time and with this key; without effect if that time has come. Any
    /// thread.
    pub fn forget(self, deadline: Millis, key: TimerKey, timed: &Weak<dyn Timed>) {
        let Some(shared) = self.alive().filter(|_| key != TimerKey::NONE) else {
            return;
        };
        match shared.enter() {
            Some(core) => core.forget_timed(deadline, key, timed),
            None => shared.push(Command::Forget(self.life, deadline, key, timed.clone())),
        }
    }

    /// The loop's clock, in milliseconds, which never goes back. In a turn it stands still on the loop's thread.
    pub fn now(self) -> Millis {
        let Some(shared) = Shared::of_index(self.place) else {
            return 0; // there is no home without a place
        };
        match shared.enter() {
            Some(core) => core.now(),
            None => shared.now(),
        }
    }

    /// The loop's place, as long as it lives.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`] when it lives no more, [`ErrorCode::Forked`] in a forked child.
    pub(crate) fn place(self) -> Result<&'static Shared> {
        fork::check()?;
        self.alive().ok_or_else(|| ErrorCode::Closed.into())
    }

    /// Keeps an object until [`Home::move_out`] with the same number, or the loop's end; only on the loop's thread.
    pub(crate) fn move_in(self, number: u64, resident: Arc<dyn Resident>) {
        if let Some(core) = self.alive().and_then(Shared::enter) {
            core.residents.borrow_mut().insert(number, resident);
        }
    }

    /// Gives the object back, to be dropped when the caller likes.
    pub(crate) fn move_out(self, number: u64) -> Option<Arc<dyn Resident>> {
        self.alive()?.enter()?.residents.borrow_mut().remove(&number)
    }

    pub(crate) fn at_place(shared: &'static Shared) -> Home {
        Home {
            place: shared.index as u32,
            life: shared.life(),
        }
    }

    pub(crate) fn is_alive(self) -> bool {
        self.alive().is_some()
    }

    fn alive(self) -> Option<&'static Shared> {
        let shared = Shared::of_index(self.place)?;
        (fork::check().is_ok() && shared.life() == self.life).then_some(shared)
    }
}

impl PartialEq for Home {
    fn eq(&self, other: &Home) -> bool {
        (self.place, self.life) == (other.place, other.life)
    }
}

impl Eq for Home {}

impl std::hash::Hash for Home {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.place, self.life).hash(state);
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("index", &self.place).finish()
    }
}

thread_local!(static CURRENT: Cell<Option<Home>> = const { Cell::new(None) });

/// Until this is dropped, a loop is the current one of this thread; afterwards it stays that, unless it was turned from
/// inside another.
pub(crate) struct AtHome {
    outer: Option<Home>,
}

impl AtHome {
    pub(crate) fn enter(shared: &'static Shared) -> AtHome {
        let outer = CURRENT.replace(Some(Home::at_place(shared)));
        let is_in_turn = |home: &Home| {
            let core = Shared::of_index(home.place).and_then(Shared::enter);
            core.is_some_and(|core| core.in_turn.get())
        };
        let is_other = |home: &Home| home.place as usize != shared.index;
        AtHome {
            outer: outer.filter(|outer| is_other(outer) && is_in_turn(outer)),
        }
    }
}

impl Drop for AtHome {
    fn drop(&mut self) {
        if self.outer.is_some() {
            CURRENT.set(self.outer);
        }
    }
}

impl LoopCore {
    /// Does a job that was meant for this life of the loop.
    pub(crate) fn run_job(&self, life: u32, job: Job) {
        if life == self.shared().life() {
            job();
        }
    }

    /// Tells those who live here that the loop is about to end.
    pub(crate) fn warn_residents(&self) {
        let residents: Vec<Arc<dyn Resident>> = self.residents.borrow().values().cloned().collect();
        for resident in residents {
            resident.loop_shuts_down();
        }
    }

    /// Tells those who live here that the loop ends.
    pub(crate) fn end_residents(&self) {
        let residents = self.residents.take(); // unborrowed, for they may call anything
        for resident in residents.into_values() {
            resident.loop_ended();
        }
    }

    /// Sets a timer that was meant for this life of the loop.
    pub(crate) fn set_queued_timed(&self, life: u32, deadline: Millis, timed: Weak<dyn Timed>) {
        if life == self.shared().life() {
            self.set_timed(deadline, timed);
        }
    }

    pub(crate) fn forget_queued(&self, life: u32, deadline: Millis, key: TimerKey, timed: &Weak<dyn Timed>) {
        if life == self.shared().life() {
            self.forget_timed(deadline, key, timed);
        }
    }

    fn set_timed(&self, deadline: Millis, timed: Weak<dyn Timed>) -> TimerKey {
        let key = match self.timed.borrow_mut().entry(deadline) {
            BTreeEntry::Occupied(mut others) => return others.get_mut().push(timed),
            BTreeEntry::Vacant(first) => first.insert(Together::default()).push(timed),
        };
        self.set_timer(Entry { deadline, key: TIMED });
        key
    }

    /// The wheel's entry stays, and with it the place of those that wait for this time, which may be empty now.
    fn forget_timed(&self, deadline: Millis, key: TimerKey, timed: &Weak<dyn Timed>) {
        let taken = match self.timed.borrow_mut().get_mut(&deadline) {
            Some(together) => together.take(key, timed),
            None => None,
        };
        drop(taken); // unborrowed
    }

    /// A timer that is no handle's has fired.
    pub(crate) fn timed_due(&self, key: u64) {
        if key != TIMED {
            return self.cut_when_late();
        }
        // All at once: who is told may set the next timer, for now, which is for the next turn.
        for timed in self.take_due().into_iter().flat_map(|together| together.all) {
            if let Some(timed) = timed.and_then(|timed| timed.upgrade()) {
                timed.due(self.now());
            }
        }
    }

    fn take_due(&self) -> Vec<Together> {
        let (mut waiting, mut due) = (self.timed.borrow_mut(), Vec::new());
        while let Some(first) = waiting.first_entry()
            && *first.key() <= self.now()
        {
            due.push(first.remove());
        }
        due
    }
}
