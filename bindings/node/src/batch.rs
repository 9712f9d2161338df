//! The events of a turn on their way to JavaScript: one call for many.
//!
//! An event is a record of four words in a table that both sides see, [key, kind, offset, length], and its payload
//! lies in the slab: memory that JavaScript has allocated, that is filled once from its beginning to its end and never
//! written again, so that what a handler keeps of it stays as it is. A fresh slab follows when one is full.
//! A large payload gets memory of its own. What comes between turns, or while JavaScript reads the table, waits in a spill.

use std::cell::{Cell, RefCell};
use std::ptr::null_mut;
use std::rc::Rc;

use napi::sys;

use crate::favourite::Favourite;
use crate::js::{self, Kept, Scope};

/// How many records the table holds; JavaScript is called when it is full, and at the end of the turn.
pub(crate) const RECORDS: usize = 1024;
/// Words of one record.
pub(crate) const WORDS: usize = 4;
/// The size of a slab.
const SLAB: usize = 64 << 10;
/// From here on a payload gets memory of its own. A view on a slab keeps all of the slab alive, and what is left of
/// a slab when the next payload doesn't fit is lost: with 4 KiB that is a sixteenth at most.
const LARGE: usize = 4 << 10;
/// Marks a kind whose payload has memory of its own, the next in order.
const OWN_MEMORY: u32 = 0x100;
/// Where the word of a record's kind holds what else there is to say.
const EXTRA_SHIFT: u32 = 16;
/// The key of no connection and no server.
const NOBODY: u32 = 0;

/// What a record says; `lib/engine.js` has the same table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// The records that follow lie in the next slab.
    NextSlab = 0,
    Text = 1,
    Binary = 2,
    Open = 3,
    Ping = 4,
    Pong = 5,
    Drain = 6,
    /// The payload: name, text, the system's number and the HTTP status, separated by NUL.
    Error = 7,
    /// The extra half word: the code. The payload: "1" if clean else "0", then the reason.
    Close = 8,
    /// The payload: handle, method, target, address and port of the peer, then names and values of headers,
    /// separated by NUL.
    Upgrade = 9,
    ServerClosed = 10,
    /// What a server answered instead of upgrading; the error follows. The extra half word: the status. The payload:
    /// the length of what is before the body (4 bytes, little-endian), the reason, then names and values of headers,
    /// separated by NUL, and the body.
    Response = 11,
    /// The extra half word: the outcome. The payload: the token, 4 bytes, little-endian.
    Sent = 12,
    /// The extra half word: the close code. The payload: the number of the attempt, the wait in milliseconds and the
    /// reason, separated by NUL, then the error as for `Error`, if there is one.
    Reconnecting = 13,
    /// To be answered before `deliver` returns. The payload: the number, the URL, then names and values of headers,
    /// separated by NUL.
    Attempt = 14,
    Reconnected = 15,
    /// The extra half word: the level, 1 for errors to 5 for traces. The payload: the text.
    Log = 16,
    /// A part of a message. The extra half word: 1 for binary, 2 for the first part, 4 for the last.
    Part = 17,
    // From here on for Socket.IO; what their payloads are says `io/records.rs`.
    IoAttachment = 18,
    IoEvent = 19,
    IoAck = 20,
    IoConnected = 21,
    IoDisconnecting = 22,
    IoDisconnect = 23,
    IoAbandoned = 24,
    IoUpgraded = 25,
    IoOutgoing = 26,
    IoConnecting = 27,
    IoConnection = 28,
    IoRoom = 29,
    IoBroadcastAck = 30,
    IoFetched = 31,
    IoRequest = 32,
    IoNamespace = 33,
    IoRefused = 34,
    IoHeaders = 35,
    IoClosed = 36,
    IoAnswer = 37,
    IoAuth = 38,
    IoConnect = 39,
    IoConnectError = 40,
    IoClientDisconnect = 41,
    IoOpen = 42,
    IoError = 43,
    IoClose = 44,
    IoPing = 45,
    IoUpgradeError = 46,
    IoScheduled = 47,
    IoAttempt = 48,
    IoReconnect = 49,
    IoReconnectError = 50,
    IoReconnectFailed = 51,
    IoNamespaceMade = 52,
    IoSession = 53,
    IoSessionUpgraded = 54,
    IoSessionClosed = 55,
    // Only asked, no records.
    IoInitialHeaders = 56,
    IoOrigin = 57,
    IoEncode = 58,
    IoDecode = 59,
    // A record again.
    IoDecoderGone = 60,
    /// A request that is no upgrade; what its payload is says `requests.rs`.
    Request = 61,
    IoPacket = 62,
    IoServerAnswers = 63,
    /// What happens to a connection to Redis.
    IoRedis = 64,
    /// A connection is wanted of JavaScript; what the payload is says `dialing.rs`.
    Dial = 65,
}

struct Spilled {
    key: u32,
    kind: Kind,
    extra: u16,
    payload: Box<[u8]>,
}

pub(crate) struct Batch {
    env: sys::napi_env,
    /// `deliver(count)`: JavaScript takes the records of the table.
    deliver: Kept,
    /// `allocate(size)`: an ArrayBuffer for the next slab, or the next payload with memory of its own.
    allocate: Kept,
    table: *mut u32,
    /// Keeps the table's memory.
    _table: Kept,
    count: Cell<usize>,
    /// Whose all records in the table are; [`NOBODY`] if they are not one target's.
    only: Cell<u32>,
    favourite: RefCell<Option<Rc<Favourite>>>,
    slab: Cell<*mut u8>,
    used: Cell<usize>,
    /// Whether a turn collects: events go to the table, which JavaScript doesn't read now but can be called with.
    is_collecting: Cell<bool>,
    spill: RefCell<Vec<Spilled>>,
}

impl Batch {
    /// `table` has to be a buffer of [`RECORDS`] times [`WORDS`] times 4 bytes.
    pub(crate) fn new(
        env: sys::napi_env,
        table: sys::napi_value,
        deliver: sys::napi_value,
        allocate: sys::napi_value,
    ) -> Option<Batch> {
        let (memory, length) = js::array_buffer(env, table)?;
        if length != RECORDS * WORDS * size_of::<u32>() {
            return None;
        }
        Some(Batch {
            env,
            deliver: Kept::new(env, deliver)?,
            allocate: Kept::new(env, allocate)?,
            table: memory.cast(),
            _table: Kept::new(env, table)?,
            count: Cell::new(0),
            only: Cell::new(NOBODY),
            favourite: RefCell::default(),
            slab: Cell::new(std::ptr::null_mut()),
            used: Cell::new(SLAB), // full, so that the first payload asks for a slab
            is_collecting: Cell::new(false),
            spill: RefCell::default(),
        })
    }

    /// Does `collect`, and hands over all events there are then; none, too, if `always`. Each time that JavaScript is called
    /// with events its next ticks and microtasks follow at once, as after a callback of Node's own.
    pub(crate) fn collect_and_deliver(&self, always: bool, collect: impl FnOnce()) {
        self.is_collecting.set(true);
        self.take_spilled();
        collect();
        if self.count.get() > 0 || always {
            self.deliver();
        }
        while self.count.get() > 0 {
            self.deliver(); // what the handlers have brought about
        }
        self.is_collecting.set(false);
    }

    fn take_spilled(&self) {
        for event in self.spill.take() {
            self.push(event.key, event.kind, event.extra, &event.payload);
        }
    }

    /// Whether events wait for JavaScript to be called.
    pub(crate) fn has_spilled(&self) -> bool {
        !self.spill.borrow().is_empty()
    }

    /// Takes an event over.
    pub(crate) fn push(&self, key: u32, kind: Kind, extra: u16, payload: &[u8]) {
        self.push_parts(key, kind, extra, [payload]);
    }

    /// Takes an event over whose payload is made up of parts.
    pub(crate) fn push_parts<const N: usize>(&self, key: u32, kind: Kind, extra: u16, parts: [&[u8]; N]) {
        if !self.is_collecting.get() {
            let payload = parts.concat().into();
            return self.spill.borrow_mut().push(Spilled {
                key,
                kind,
                extra,
                payload,
            });
        }
        let word = kind as u32 | u32::from(extra) << EXTRA_SHIFT;
        let length = parts.iter().map(|part| part.len()).sum();
        if length >= LARGE {
            if self.copy_to_own(length, &parts) {
                self.record([key, word | OWN_MEMORY, 0, length as u32]);
            }
            return;
        }
        if self.used.get() + length > SLAB && !self.next_slab() {
            return; // the environment is going down: nobody is there to hear of it
        }
        let offset = self.used.get();
        // SAFETY: the slab has room for `length` bytes from `offset` on, and they are written this once.
        unsafe { copy(&parts, self.slab.get().add(offset)) };
        self.used.set(offset + length);
        self.record([key, word, offset as u32, length as u32]);
    }

    /// Hands over what there is in the middle of a turn, so that it can be answered before something else happens, also by
    /// next ticks and microtasks; false if JavaScript is out of reach.
    pub(crate) fn deliver_early(&self) -> bool {
        if self.is_collecting.get() && self.count.get() > 0 {
            self.deliver();
        }
        self.is_collecting.get()
    }

    fn record(&self, words: [u32; WORDS]) {
        let at = self.count.get();
        let [key, ..] = words;
        if at == 0 {
            self.only.set(key);
        } else if self.only.get() != key {
            self.only.set(NOBODY);
        }
        // SAFETY: `at` is below RECORDS, since `deliver` sets it to 0 when it gets there. JavaScript doesn't read it now.
        unsafe { self.table.add(at * WORDS).cast::<[u32; WORDS]>().write(words) };
        self.count.set(at + 1);
        if at + 1 == RECORDS {
            self.deliver();
        }
    }

    fn deliver(&self) {
        let count = self.count.replace(0);
        let only = self.only.replace(NOBODY);
        let Some(_scope) = Scope::open(self.env) else {
            return;
        };
        // What is pushed while JavaScript reads the table has to wait until it is done with that.
        self.is_collecting.set(false);
        let favourite = self.favourite.borrow().clone(); // it may be given up meanwhile
        let context = match &favourite {
            Some(favourite) if favourite.key() == only => favourite.context(),
            _ => null_mut(),
        };
        let delivered = self
            .deliver
            .get(self.env)
            .and_then(|deliver| js::make_callback(self.env, context, deliver, count as u32));
        drop(favourite);
        if delivered.is_none() {
            js::report_exception(self.env);
        }
        self.is_collecting.set(true);
        self.take_spilled();
    }

    /// What is delivered to this target alone is delivered in this context from now on.
    pub(crate) fn favour(&self, favourite: Option<Favourite>) {
        self.favourite.replace(favourite.map(Rc::new));
    }

    fn next_slab(&self) -> bool {
        let Some(slab) = self.allocate(SLAB) else {
            return false;
        };
        self.slab.set(slab);
        self.used.set(0);
        self.record([NOBODY, Kind::NextSlab as u32, 0, 0]);
        true
    }

    fn copy_to_own(&self, length: usize, parts: &[&[u8]]) -> bool {
        let Some(memory) = self.allocate(length) else {
            return false;
        };
        // SAFETY: `allocate` has seen to it that there are so many bytes, and nobody else has them yet.
        unsafe { copy(parts, memory) };
        true
    }

    /// Memory from JavaScript, which keeps it until the record that speaks of it was delivered.
    fn allocate(&self, size: usize) -> Option<*mut u8> {
        let _scope = Scope::open(self.env)?;
        let buffer = js::call(self.env, self.allocate.get(self.env)?, u32::try_from(size).ok()?);
        let Some(buffer) = buffer else {
            js::report_exception(self.env);
            return None;
        };
        let (memory, length) = js::array_buffer(self.env, buffer)?;
        (length >= size).then_some(memory)
    }
}

/// Writes the parts one behind the other.
///
/// # Safety
/// There must be room for all of them at `to`, which nobody reads meanwhile.
unsafe fn copy(parts: &[&[u8]], mut to: *mut u8) {
    for part in parts {
        // SAFETY: by the caller's promise.
        unsafe {
            std::ptr::copy_nonoverlapping(part.as_ptr(), to, part.len());
            to = to.add(part.len());
        }
    }
}
