//! One loop of the core in one JavaScript environment: its beginning, its turns, its end.
//!
//! A turn: the watcher says that the loop's descriptor is readable; the core is polled, its events are collected, and
//! one `napi_make_callback` hands them to JavaScript; when that has returned, with all next ticks and microtasks done,
//! what the handlers have sent leaves in one write per socket. Where nothing came JavaScript is not entered; where a
//! connection's end is next, what came before is handed over by a call of its own. What is sent between turns is flushed
//! once, before the runtime waits again.
//!
//! Everything here happens on the environment's thread. All state is in cells, none borrowed while JavaScript runs.

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use napi::sys;
use sockline::{Handler, LogLevel, Loop, LoopOptions, WebSocket};

use crate::batch::{Batch, Kind};
use crate::errors;
use crate::io::Io;
use crate::js::{self, Kept, Scope};
use crate::listener::Connections;
use crate::logging;
use crate::requests::Owed;
use crate::threads::{self, Crew};
use crate::watcher::Watcher;

/// How many events of the system one turn takes: more wait for the next one, after Node's other work.
const EVENTS: usize = 64;
/// How often a turn goes on with what its own flush has brought about, before Node's other work.
const ROUNDS: usize = 4;

pub(crate) struct Host {
    env: sys::napi_env,
    has_libuv: bool,
    pub(crate) batch: Batch,
    /// `answer(key, kind, text)`: what JavaScript says at once to a question.
    asker: OnceCell<Kept>,
    running: OnceCell<Running>,
    /// Open servers and connections: while there are any, the process doesn't end.
    alive: Cell<usize>,
    in_turn: Cell<bool>,
    /// When the timer rings, if it is set.
    due: Cell<Option<Instant>>,
    /// Strings on their way out, as UTF-8.
    pub(crate) scratch: RefCell<Vec<u8>>,
    /// What it keeps for Socket.IO.
    pub(crate) io: Io,
    /// The answers to requests that JavaScript owes.
    pub(crate) owed: Owed,
    /// Servers with threads of their own.
    pub(crate) crews: RefCell<Vec<Rc<Crew>>>,
    /// What JavaScript knows the log by, while it listens to that.
    log: Cell<Option<u32>>,
    /// What JavaScript wants the next attempt to be: its URL and headers.
    pub(crate) answer: Cell<Option<Request>>,
    /// While a connection is given to a server: who has asked for an upgrade on it.
    pub(crate) asked: Cell<Option<Option<WebSocket>>>,
    /// JavaScript wants to hear of flushes, whether they bring events or not.
    watching: Cell<bool>,
    /// The environment is going down.
    ending: Cell<bool>,
    /// Handles of the watcher that are not closed yet, then.
    handles: Cell<usize>,
    hook: Cell<sys::napi_async_cleanup_hook_handle>,
}

/// A URL, and headers.
type Request = (String, Vec<(String, String)>);

/// What there is once something was opened.
struct Running {
    on_loop: Loop,
    watcher: Watcher,
    handler: Arc<dyn Handler>,
}

/// A host as the core's handlers hold it.
#[derive(Clone, Copy)]
pub(crate) struct HostPointer(*const Host);

// SAFETY: the core calls handlers, and drops them, on the thread that turns the loop, or in `Loop::drop`; both happen
// on the environment's thread only.
unsafe impl Send for HostPointer {}
// SAFETY: as above.
unsafe impl Sync for HostPointer {}

impl HostPointer {
    pub(crate) fn from_raw(data: *mut c_void) -> HostPointer {
        HostPointer(data.cast())
    }

    pub(crate) fn into_raw(self) -> *mut c_void {
        self.0.cast_mut().cast()
    }

    pub(crate) fn get(&self) -> &Host {
        // SAFETY: a host is freed only after its loop, and the loop holds the handlers.
        unsafe { &*self.0 }
    }

    /// The watcher has let go of one of its handles.
    pub(crate) fn watcher_closed(self) {
        let left = self.get().handles.get() - 1;
        self.get().handles.set(left);
        if left == 0 {
            free(self);
        }
    }
}

impl Host {
    /// A host for the environment, which frees it when it ends.
    pub(crate) fn create(env: sys::napi_env, has_libuv: bool, batch: Batch) -> HostPointer {
        let host = Box::new(Host {
            env,
            has_libuv,
            batch,
            asker: OnceCell::new(),
            running: OnceCell::new(),
            alive: Cell::new(0),
            in_turn: Cell::new(false),
            due: Cell::new(None),
            scratch: RefCell::default(),
            io: Io::default(),
            owed: Owed::default(),
            crews: RefCell::default(),
            log: Cell::new(None),
            answer: Cell::default(),
            asked: Cell::new(None),
            watching: Cell::new(false),
            ending: Cell::new(false),
            handles: Cell::new(0),
            hook: Cell::new(null_mut()),
        });
        let host = Box::into_raw(host);
        let pointer = HostPointer(host);
        // SAFETY: the hook gets the host, which lives until the hook frees it. Nobody removes it before it has run, so it
        // runs exactly once. Without libuv there is nothing to wait for at the end.
        unsafe {
            if has_libuv {
                sys::napi_add_async_cleanup_hook(env, Some(end), host.cast(), null_mut());
            } else {
                sys::napi_add_env_cleanup_hook(env, Some(end_at_once), host.cast());
            }
        }
        pointer
    }

    /// The loop and its handler, started if this is the first time.
    ///
    /// # Errors
    /// Why there is no loop to be had in this runtime.
    pub(crate) fn start(&self) -> Result<(&Loop, Arc<dyn Handler>), String> {
        if self.ending.get() {
            return Err("the environment is ending".to_owned());
        }
        let running = match self.running.get() {
            Some(running) => running,
            None => {
                let fresh = self.begin()?;
                self.running.get_or_init(|| fresh)
            }
        };
        Ok((&running.on_loop, running.handler.clone()))
    }

    fn begin(&self) -> Result<Running, String> {
        let pointer = HostPointer(self);
        let options = LoopOptions {
            max_events: EVENTS,
            flush_hook: Some(Arc::new(move || pointer.get().flush_soon())),
            ..LoopOptions::default()
        };
        let on_loop = Loop::new(options).map_err(|error| error.to_string())?;
        let watcher = Watcher::start(self.env, self.has_libuv, on_loop.fd(), pointer)?;
        // From its first turn on the loop knows its thread, so that calls act at once.
        on_loop
            .poll(Some(Duration::ZERO))
            .map_err(|error| error.to_string())?;
        Ok(Running {
            on_loop,
            watcher,
            handler: Arc::new(Connections(pointer)),
        })
    }

    /// The threads of a server, if it has its own.
    pub(crate) fn crew_of(&self, server: u32) -> Option<Rc<Crew>> {
        let crews = self.crews.borrow();
        crews.iter().find(|crew| crew.key == server).cloned()
    }

    /// Something was opened: the process has to stay.
    pub(crate) fn retain(&self) {
        let alive = self.alive.get();
        self.alive.set(alive + 1);
        if let (0, Some(running)) = (alive, self.running.get()) {
            running.watcher.retain();
        }
    }

    /// Something that was opened has ended.
    pub(crate) fn release(&self) {
        let alive = self.alive.get().saturating_sub(1);
        self.alive.set(alive);
        if let (0, false, Some(running)) = (alive, self.ending.get(), self.running.get()) {
            running.watcher.release();
        }
    }

    /// Whether JavaScript is called after each flush.
    pub(crate) fn watch_flushes(&self, on: bool) {
        self.watching.set(on);
    }

    /// A turn of the loop, from a callback of the watcher.
    pub(crate) fn turn(&self) {
        let Some(running) = self.running.get().filter(|_| !self.ending.get()) else {
            return;
        };
        self.in_turn.set(true);
        for round in 0..ROUNDS {
            self.collect(running);
            self.flush(running);
            let told = round > 0 || !self.watching.get();
            if self.ending.get() || (told && !self.batch.has_spilled()) {
                break;
            }
        }
        self.in_turn.set(false);
        if self.ending.get() {
            return;
        }
        if self.batch.has_spilled() {
            self.flush_soon();
        }
        self.arm(running);
    }

    /// The time has come that [`Host::arm`] has asked for.
    pub(crate) fn due(&self) {
        self.due.set(None);
        self.turn();
    }

    /// Sends what JavaScript has left between turns.
    pub(crate) fn flush_now(&self) {
        let Some(running) = self.running.get().filter(|_| !self.ending.get()) else {
            return;
        };
        running.watcher.no_call_before_wait();
        self.in_turn.set(true);
        self.flush(running);
        self.in_turn.set(false);
        if self.batch.has_spilled() || self.watching.get() {
            self.turn()
        } else {
            self.arm(running)
        }
    }

    fn flush(&self, running: &Running) {
        if self.ending.get() {
            return;
        }
        if let Err(error) = running.on_loop.flush() {
            eprintln!("sockline: flushing failed: {error}");
        }
    }

    /// The core's flush hook: something was left to send. A turn flushes at its end anyway.
    fn flush_soon(&self) {
        if let (false, false, Some(running)) = (self.in_turn.get(), self.ending.get(), self.running.get()) {
            running.watcher.call_before_wait();
        }
    }

    /// Who answers questions, from now on.
    pub(crate) fn set_asker(&self, answer: sys::napi_value) {
        if let Some(answer) = Kept::new(self.env, answer) {
            let _ = self.asker.set(answer); // there is one a module
        }
    }

    /// Asks JavaScript something that has to be known at once; `None` for no answer.
    pub(crate) fn ask(&self, key: u32, kind: Kind, text: &str) -> Option<String> {
        let _scope = Scope::open(self.env).filter(|_| !self.ending.get())?;
        let answer = self.asker.get()?.get(self.env)?;
        js::ask(self.env, answer, [key, kind as u32], text)
    }

    /// Has events delivered that a call from JavaScript has brought about.
    pub(crate) fn deliver_soon(&self) {
        if self.batch.has_spilled() {
            self.flush_soon();
        }
    }

    /// Polls the core and delivers.
    fn collect(&self, running: &Running) {
        self.batch.collect_and_deliver(self.watching.get(), || {
            if let Err(error) = running.on_loop.poll(Some(Duration::ZERO)) {
                eprintln!("sockline: polling failed: {error}");
            }
            if threads::collect(HostPointer(self)) {
                running.on_loop.wake(); // to go on after Node's other work
            }
            self.io.redis.collect(self);
            self.collect_log();
        });
    }

    fn collect_log(&self) {
        let Some(key) = self.log.get() else { return };
        for (level, text) in logging::take(self.id()) {
            self.batch.push(key, Kind::Log, level as u16, text.as_bytes());
        }
    }

    /// Has log lines up to this level delivered under this key; `None` for none.
    pub(crate) fn watch_log(&self, key: u32, level: Option<LogLevel>) -> errors::Result<()> {
        let (on_loop, _) = self.start().map_err(|text| errors::unsupported(&text))?;
        logging::listen(self.id(), level, on_loop.waker())?;
        self.log.set(level.map(|_| key));
        Ok(())
    }

    /// A number that no other host in the process has.
    fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Sets the timer for what is due next, if it doesn't ring before that anyway.
    fn arm(&self, running: &Running) {
        let Some(next) = running.on_loop.next_deadline() else {
            return;
        };
        if self.due.get().is_none_or(|due| next < due) {
            self.due.set(Some(next));
            let wait = next.saturating_duration_since(Instant::now());
            // One more, since libuv counts from the beginning of its own turn, and in whole milliseconds.
            running.watcher.call_in(wait.as_millis() as u64 + 1);
        }
    }
}

/// The environment goes down: libuv has to let go of its handles before it may end. No JavaScript from here on.
unsafe extern "C" fn end(hook: sys::napi_async_cleanup_hook_handle, host: *mut c_void) {
    let host = HostPointer::from_raw(host);
    let this = host.get();
    this.ending.set(true);
    this.hook.set(hook);
    match this.running.get() {
        Some(running) => {
            if this.log.get().is_some() {
                let _ = logging::listen(this.id(), None, running.on_loop.waker()); // it worked before
            }
            this.crews.take();
            this.handles.set(running.watcher.handles());
            running.watcher.close();
            if this.handles.get() == 0 {
                free(host);
            }
        }
        None => free(host),
    }
}

/// The same where nothing has to let go.
unsafe extern "C" fn end_at_once(host: *mut c_void) {
    // SAFETY: as the hook of the environment; there is no handle to remove.
    unsafe { end(null_mut(), host) };
}

/// The end of a host, once the watcher knows nothing of it any more.
fn free(host: HostPointer) {
    let this = host.0.cast_mut();
    // SAFETY: made by `Box::into_raw` in `Host::create`. The loop goes first, while its handlers still find the host;
    // the exclusive borrow ends before that. Nobody has the pointer after this: the environment calls no more.
    let (running, hook) = unsafe { ((*this).running.take(), (*this).hook.get()) };
    drop(running);
    // SAFETY: as above; the hook's handle is the one that `end` was given.
    unsafe {
        drop(Box::from_raw(this));
        if !hook.is_null() {
            sys::napi_remove_async_cleanup_hook(hook);
        }
    }
}
