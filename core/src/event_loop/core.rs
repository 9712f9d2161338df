//! The loop's own state, and one turn of it.
//!
//! Everything here is reached by one thread at a time, through the lock of [`Shared`]. The cells are borrowed for
//! single steps only, never across a call into a handler: handlers call back into the loop.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Registry, Token};

use super::batching::Batching;
use super::connection::{Conn, NEVER};
use super::conns::Conns;
use super::home::{AtHome, Resident};
use super::listener::Listener;
use super::lone::Lone;
use super::outbox::Spare;
use super::shared::Shared;
use super::sys;
use super::timers::{Entry, Wheel};
use super::tracking::{Mark, Report};
use super::waiting::Waiting;
use super::{LoopOptions, Turn};
use crate::error::{Error, ErrorCode, Result};
use crate::handle::{Id, Kind};
use crate::tls::TlsInfo;
use crate::ws::{Millis, Scratch};

/// The loop's receive buffer: 64 KiB of messages and their headers, as messages often have a power of two. Without room for the
/// headers the last of several in flight ends behind the read: a second one for some bytes, and a copy. More is no faster.
pub(crate) const RECEIVE_BUFFER: usize = 72 << 10;
/// No socket has its turn.
pub(crate) const NOBODY: u32 = u32::MAX;
/// No handle has this number.
pub(super) const BELL: Token = Token(0);
const DEFAULT_EVENTS: usize = 1024;
const MAX_EVENTS: usize = 65_536;
/// How often the lists of a turn are worked through before the sockets get their next turn.
const SETTLING_ROUNDS: usize = 2;

pub(crate) struct LoopCore {
    shared: OnceCell<&'static Shared>,
    pub(super) poll: RefCell<Option<Poll>>,
    registry: RefCell<Option<Registry>>,
    pub(super) events: RefCell<Option<Events>>,
    options: RefCell<LoopOptions>,
    pub(crate) conns: RefCell<Conns>,
    pub(crate) servers: RefCell<HashMap<u32, Listener>>,
    pub(crate) wheel: RefCell<Wheel>,
    pub(crate) timed: RefCell<Waiting>,
    /// Objects that live by this loop.
    pub(crate) residents: RefCell<HashMap<u64, Arc<dyn Resident>>>,
    pub(crate) scratch: RefCell<Scratch>,
    /// What was agreed on in TLS last: connections that agree on the same share it.
    pub(crate) last_tls: RefCell<Option<Arc<TlsInfo>>>,
    /// What the socket whose turn it is wants to send; it leaves in one write.
    pub(crate) cork: RefCell<Vec<u8>>,
    pub(crate) corked: Cell<u32>,
    /// The same, but nobody's where each message has to be judged.
    pub(crate) shortcut: Cell<u32>,
    /// Whether the read that has brought the latest message holds more.
    pub(crate) followed: Cell<bool>,
    /// Where in the cork the messages are that are tracked.
    pub(crate) marks: RefCell<Vec<Mark>>,
    /// What `on_sent` is still to say.
    pub(crate) reports: RefCell<Vec<Report>>,
    pub(crate) receive_buffer: RefCell<Vec<u8>>,
    pub(crate) spare_outbox: RefCell<Spare>,
    pub(crate) batching: RefCell<Batching>,
    /// Sockets to flush, to read on, to announce as open, and to take leave of.
    pub(crate) dirty: RefCell<Vec<u32>>,
    pub(crate) unread: RefCell<Vec<Id>>,
    pub(crate) opened: RefCell<Vec<Id>>,
    pub(crate) ended: RefCell<Vec<u32>>,
    /// Servers whose `on_server_closed` is to be called.
    pub(crate) ended_servers: RefCell<Vec<Listener>>,
    pub(super) epoch: Instant,
    now: Cell<Millis>,
    /// Connections that a server had no room for and that are still on their way out.
    pub(crate) refused: Cell<usize>,
    /// Connections and servers that have not ended.
    pub(crate) alive: Cell<usize>,
    pub(crate) in_turn: Cell<bool>,
    flush_asked: Cell<bool>,
    /// The system has been asked already what the next turn is about, by [`LoopCore::wait`].
    pub(super) has_waited: Cell<bool>,
    pub(super) lone: Cell<Lone>,
    /// How much the system had to announce in the latest turn.
    pub(super) announced: Cell<usize>,
    pub(crate) stopping: Cell<bool>,
    pub(crate) cut_at: Cell<Millis>,
    pub(crate) closed: Cell<bool>,
}

pub(super) fn busy_in_turn() -> Error {
    Error::new(
        ErrorCode::LoopBusy,
        "the loop can't be turned from one of its own callbacks",
    )
}

impl LoopCore {
    pub(crate) fn new(epoch: Instant) -> LoopCore {
        LoopCore {
            shared: OnceCell::new(),
            poll: RefCell::new(None),
            registry: RefCell::new(None),
            events: RefCell::new(None),
            options: RefCell::default(),
            conns: RefCell::default(),
            servers: RefCell::default(),
            wheel: RefCell::new(Wheel::new(0)),
            timed: RefCell::default(),
            residents: RefCell::default(),
            scratch: RefCell::new(Scratch::new()),
            last_tls: RefCell::default(),
            cork: RefCell::default(),
            corked: Cell::new(NOBODY),
            shortcut: Cell::new(NOBODY),
            followed: Cell::new(false),
            marks: RefCell::default(),
            reports: RefCell::default(),
            receive_buffer: RefCell::default(),
            spare_outbox: RefCell::default(),
            batching: RefCell::default(),
            dirty: RefCell::default(),
            unread: RefCell::default(),
            opened: RefCell::default(),
            ended: RefCell::default(),
            ended_servers: RefCell::default(),
            epoch,
            now: Cell::new(0),
            refused: Cell::new(0),
            alive: Cell::new(0),
            in_turn: Cell::new(false),
            flush_asked: Cell::new(false),
            has_waited: Cell::new(false),
            lone: Cell::default(),
            announced: Cell::new(0),
            stopping: Cell::new(false),
            cut_at: Cell::new(NEVER),
            closed: Cell::new(true),
        }
    }

    /// Begins a life of the loop; returns what hosts watch.
    pub(crate) fn begin(&self, shared: &'static Shared, options: LoopOptions) -> io::Result<i32> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        shared.hang_bell(mio::Waker::new(poll.registry(), BELL)?);
        let fd = sys::descriptor_of(&poll);
        let _ = self.shared.set(shared);
        let max_events = if options.max_events == 0 {
            DEFAULT_EVENTS
        } else {
            options.max_events
        };
        *self.events.borrow_mut() = Some(Events::with_capacity(max_events.min(MAX_EVENTS)));
        shared.set_busy_poll(options.busy_poll);
        shared.send_batch.store(options.send_batch, Ordering::Relaxed);
        *self.batching.borrow_mut() = Batching::new(options.send_batch);
        *self.options.borrow_mut() = options;
        *self.registry.borrow_mut() = Some(registry);
        *self.poll.borrow_mut() = Some(poll);
        self.stopping.set(false);
        self.has_waited.set(false);
        self.lone.set(Lone::default());
        self.cut_at.set(NEVER);
        self.closed.set(false);
        Ok(fd)
    }

    /// Ends the loop's life: every connection and server hears of its end, without waiting.
    pub(crate) fn end(&self) {
        self.closed.set(true);
        self.in_turn.set(true);
        self.run_commands();
        self.cut_elsewhere();
        self.shared().end_life();
        self.cut_everything();
        self.deliver_ends();
        self.end_residents();
        self.in_turn.set(false);
        self.set_turn(NOBODY);
        for list in [&self.dirty, &self.ended] {
            list.borrow_mut().clear();
        }
        self.unread.borrow_mut().clear();
        self.opened.borrow_mut().clear();
        *self.wheel.borrow_mut() = Wheel::new(self.now.get());
        drop(self.timed.take()); // unborrowed: what objects do when they go is not ours to know
        *self.last_tls.borrow_mut() = None;
        *self.cork.borrow_mut() = Vec::new();
        *self.marks.borrow_mut() = Vec::new();
        *self.reports.borrow_mut() = Vec::new();
        *self.receive_buffer.borrow_mut() = Vec::new();
        *self.spare_outbox.borrow_mut() = Spare::default();
        *self.scratch.borrow_mut() = Scratch::new();
        *self.batching.borrow_mut() = Batching::default();
        *self.conns.borrow_mut() = Conns::default();
        *self.servers.borrow_mut() = HashMap::new();
        *self.registry.borrow_mut() = None;
        *self.poll.borrow_mut() = None;
        *self.options.borrow_mut() = LoopOptions::default();
    }

    pub(crate) fn shared(&self) -> &'static Shared {
        self.shared
            .get()
            .expect("a loop is given its place in the table before it is used")
    }

    pub(crate) fn with_registry<T>(&self, act: impl FnOnce(&Registry) -> io::Result<T>) -> io::Result<T> {
        match &*self.registry.borrow() {
            Some(registry) => act(registry),
            None => Err(io::Error::other("the loop was freed")),
        }
    }

    /// The time of this turn; between turns the clock is asked.
    pub(crate) fn now(&self) -> Millis {
        if !self.in_turn.get() {
            self.read_clock();
        }
        self.now.get()
    }

    /// A deadline of another thread's on this loop's clock, rounded up.
    pub(crate) fn millis_at(&self, deadline: Option<Instant>) -> Millis {
        deadline.map_or(NEVER, |deadline| {
            crate::settings::millis(deadline.saturating_duration_since(self.epoch))
        })
    }

    /// Makes it now; for deadlines that would come too early if the turn has lasted.
    pub(super) fn read_clock(&self) {
        self.now.set(self.epoch.elapsed().as_millis() as Millis);
    }

    /// The clock itself, in microseconds since the same time as [`LoopCore::now`].
    pub(super) fn micros(&self) -> u64 {
        self.epoch.elapsed().as_micros() as u64
    }

    /// Does `act` with a connection that has this handle.
    pub(crate) fn with_conn<T>(&self, id: Id, act: impl FnOnce(&mut Conn) -> T) -> Option<T> {
        let mut conns = self.conns.borrow_mut();
        conns.find(id).map(act)
    }

    pub(crate) fn with_slot<T>(&self, slot: u32, act: impl FnOnce(&mut Conn) -> T) -> Option<T> {
        let mut conns = self.conns.borrow_mut();
        conns.at(slot).map(act)
    }

    /// Takes a connection into the table.
    pub(crate) fn adopt(&self, conn: Conn) {
        self.conns.borrow_mut().put(conn);
        self.alive.set(self.alive.get() + 1);
    }

    /// One turn: what other threads asked, what the system announces, what is due; then all that was left to send.
    pub(crate) fn turn(&self, timeout: Option<Duration>) -> Result<Turn> {
        let (turn, has_work) = self.turn_here(timeout)?;
        if has_work {
            self.shared().ring(); // for who waits for the descriptor
        }
        Ok(turn)
    }

    /// A turn of who takes the next one at once, unless this was the last.
    pub(crate) fn turn_and_go_on(&self) -> Result<Turn> {
        let (turn, has_work) = self.turn_here(None)?;
        if has_work && turn == Turn::Stopped {
            self.shared().ring();
        }
        Ok(turn)
    }

    /// Says also whether there is work left.
    fn turn_here(&self, timeout: Option<Duration>) -> Result<(Turn, bool)> {
        if self.in_turn.replace(true) {
            return Err(busy_in_turn());
        }
        self.flush_asked.set(false);
        let _at_home = AtHome::enter(self.shared());
        let result = self.turn_once(timeout);
        self.in_turn.set(false);
        result
    }

    fn turn_once(&self, timeout: Option<Duration>) -> Result<(Turn, bool)> {
        self.shared().turns.add(1);
        let is_asked = self.shared().listen_to_bell(); // who asks from now on wakes the loop
        let mut has_work = self.has_work();
        if is_asked || has_work {
            self.read_clock();
            self.run_commands();
            has_work = self.settle();
        }
        let has_waited = self.has_waited.replace(false);
        let is_hosted = timeout == Some(Duration::ZERO) && !has_work && !has_waited && !is_asked;
        if !(is_hosted && self.read_lone()) {
            if !has_waited {
                self.await_events(timeout, has_work)?;
            }
            self.read_clock();
            // Who has paused a connection before its peer sent something gets nothing of that: both may wake the loop.
            self.run_commands_if_any();
            self.handle_events();
            if is_hosted {
                self.note_lone();
            }
        }
        self.run_commands_if_any();
        self.read_unread();
        self.fire_timers();
        let has_work = self.settle();
        self.end_shutdown_when_done();
        let turn = if self.stopping.get() {
            Turn::Stopped
        } else {
            Turn::Continue
        };
        Ok((turn, has_work))
    }

    #[inline]
    pub(super) fn run_commands_if_any(&self) {
        if self.shared().listen_to_bell() {
            self.run_commands();
        }
    }

    /// How many sockets had something for the latest turn.
    pub(crate) fn announced(&self) -> usize {
        self.announced.get()
    }

    /// Whether something waits that no descriptor announces.
    pub(super) fn has_work(&self) -> bool {
        !(self.dirty.borrow().is_empty()
            && self.unread.borrow().is_empty()
            && self.opened.borrow().is_empty()
            && self.ended.borrow().is_empty()
            && self.ended_servers.borrow().is_empty()
            && !self.has_reports())
    }

    fn handle_events(&self) {
        // The events are taken out for the time: handlers may not meet a borrowed cell.
        let Some(events) = self.events.take() else { return };
        let mut announced = 0;
        for event in events.iter() {
            if event.token() != BELL {
                announced += 1;
                self.handle_event(event);
            }
        }
        self.announced.set(announced);
        self.events.replace(Some(events));
    }

    fn handle_event(&self, event: &Event) {
        let id = match Id::from_token(event.token().0 as u64) {
            Some((Kind::Connection, id)) => id,
            Some((Kind::Server, id)) => return self.accept_all(id.slot()),
            None => return,
        };
        let Some((connecting, waiting)) = self.with_conn(id, |conn| {
            (
                conn.is_connecting(),
                !conn.outbox.is_empty() || conn.has_more_to_serve() || conn.has_tail(),
            )
        }) else {
            return;
        };
        if connecting {
            return self.connect_progressed(id, event.is_readable() || event.is_read_closed());
        }
        let closed = event.is_read_closed() || event.is_error();
        if event.is_readable() || closed {
            self.read(id, closed);
            if closed {
                self.cut_if_owed(id); // also where more has come than is read ahead
            }
        }
        if event.is_writable() && waiting {
            self.write_on(id);
        }
    }

    /// Goes on reading where a turn ended before its socket was empty.
    fn read_unread(&self) {
        let mut list = self.unread.take();
        for id in list.drain(..) {
            // Whether the peer has closed is not known any more; reading to the end finds out.
            self.read(id, true);
        }
        let mut current = self.unread.borrow_mut();
        if current.is_empty() {
            *current = list;
        }
    }

    /// Flushes and delivers what the turn has left; says whether there is more even so.
    pub(crate) fn settle(&self) -> bool {
        for _ in 0..SETTLING_ROUNDS {
            if !self.has_work() {
                return false;
            }
            self.announce_opened();
            self.flush_dirty();
            self.deliver_reports();
            self.deliver_ends();
        }
        self.has_work()
    }

    /// Does what is left from calls between turns; it may call handlers.
    pub(crate) fn flush(&self) -> Result<()> {
        if self.in_turn.replace(true) {
            return Ok(()); // the turn flushes at its end
        }
        self.flush_asked.set(false);
        let _at_home = AtHome::enter(self.shared());
        self.read_clock();
        let has_work = self.settle();
        self.in_turn.set(false);
        if has_work {
            self.shared().ring();
        }
        Ok(())
    }

    /// Makes sure that work that no descriptor announces is done soon: asks once until it is.
    #[inline]
    pub(crate) fn ask_for_flush(&self) {
        if !self.in_turn.get() {
            self.ask_host_for_flush();
        }
    }

    fn ask_host_for_flush(&self) {
        if !self.has_work() || self.flush_asked.replace(true) {
            return;
        }
        let hook: Option<Arc<dyn Fn() + Send + Sync>> = self.options.borrow().flush_hook.clone();
        match hook {
            Some(hook) => hook(),
            None => self.shared().ring(),
        }
    }

    /// Sets the connection's timer, if its deadline is earlier than what is set.
    pub(crate) fn arm(&self, id: Id) {
        let entry = self.with_conn(id, |conn| {
            let deadline = conn.look_at(self.now());
            if deadline >= conn.armed {
                return None;
            }
            conn.armed = deadline;
            Some(Entry {
                deadline,
                key: id.raw(),
            })
        });
        if let Some(Some(entry)) = entry {
            self.set_timer(entry);
        }
    }

    pub(crate) fn set_timer(&self, entry: Entry) {
        let mut wheel = self.wheel.borrow_mut();
        let earlier = wheel.next().is_none_or(|next| entry.deadline < next);
        wheel.insert(entry);
        // A host that sleeps until the next timeout that it knows of has to hear of an earlier one.
        if earlier && !self.in_turn.get() {
            self.shared().ring();
        }
    }

    fn fire_timers(&self) {
        let mut fired = Vec::new();
        self.wheel.borrow_mut().advance(self.now.get(), &mut fired);
        for entry in fired {
            match Id::from_token(entry.key) {
                Some((Kind::Connection, id)) => self.fire(id, entry.deadline),
                Some((Kind::Server, id)) => self.server_due(id),
                None => self.timed_due(entry.key),
            }
        }
    }

    fn fire(&self, id: Id, deadline: Millis) {
        let due = self.with_conn(id, |conn| {
            if conn.armed != deadline {
                return false; // an earlier deadline took this one's place
            }
            conn.armed = NEVER;
            conn.deadline() <= self.now.get()
        });
        match due {
            Some(true) => self.timed_out(id),
            Some(false) => self.arm(id),
            None => {}
        }
    }
}
