//! A loop as a value: running jobs on its thread, its clock, and timers for objects that are no connections.

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Weak};

use super::Loop;
use super::command::Command;
use super::core::LoopCore;
use super::fork;
use super::shared::Shared;
use super::timers::Entry;
use super::waiting::{TimerKey, Together};
use crate::error::{ErrorCode, Result};
use crate::server::Server;
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

    /// The loop that a request is served on which this thread gives to the server: this thread's own if it has one of the server's,
    /// or else the server's first. `None` if the server is closed.
    pub fn of_server(server: Server) -> Option<Home> {
        super::home_of_server(server.id())
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
    /// for an earlier one or when that one has come, and takes its timer back when it ends. Any thread.
    pub fn at(self, deadline: Millis, timed: Weak<dyn Timed>) -> TimerKey {
        let Some(shared) = self.alive() else {
            return TimerKey::NONE;
        };
        match shared.enter() {
            Some(core) => core.set_timed(deadline, None, timed),
            None => {
                let key = shared.next_timer_key();
                shared.push(Command::Timed(self.life, deadline, key, timed));
                key
            }
        }
    }

    /// Takes back what was set for this object, this time and with this key; without effect if that time has come. Any
    /// thread.
    pub fn forget(self, deadline: Millis, key: TimerKey, timed: &Weak<dyn Timed>) {
        let Some(shared) = self.alive().filter(|_| key != TimerKey::NONE) else {
            return;
        };
        // One that another thread has set may be behind other commands still.
        match shared.enter().filter(|_| !key.is_from_elsewhere()) {
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
    pub(crate) fn set_queued_timed(
        &self,
        life: u32,
        deadline: Millis,
        key: TimerKey,
        timed: Weak<dyn Timed>,
    ) {
        if life == self.shared().life() {
            self.set_timed(deadline, Some(key), timed);
        }
    }

    pub(crate) fn forget_queued(&self, life: u32, deadline: Millis, key: TimerKey, timed: &Weak<dyn Timed>) {
        if life == self.shared().life() {
            self.forget_timed(deadline, key, timed);
        }
    }

    fn set_timed(&self, deadline: Millis, key: Option<TimerKey>, timed: Weak<dyn Timed>) -> TimerKey {
        let key = self.timed.borrow_mut().set(deadline, key, timed);
        self.arm_timed();
        key
    }

    fn arm_timed(&self) {
        let earliest = self.timed.borrow_mut().arm();
        if let Some(deadline) = earliest {
            self.set_timer(Entry { deadline, key: TIMED });
        }
    }

    fn forget_timed(&self, deadline: Millis, key: TimerKey, timed: &Weak<dyn Timed>) {
        let taken = self.timed.borrow_mut().forget(deadline, key, timed);
        drop(taken); // unborrowed
    }

    /// A timer that is no handle's has fired.
    pub(crate) fn timed_due(&self, key: u64) {
        if key != TIMED {
            return self.cut_when_late();
        }
        // All at once: who is told may set the next timer, for now, which is for the next turn.
        let due = self.timed.borrow_mut().take_due(self.now());
        self.arm_timed();
        for timed in due.into_iter().flat_map(Together::into_timers) {
            if let Some(timed) = timed.upgrade() {
                timed.due(self.now());
            }
        }
    }
}
