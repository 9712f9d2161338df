//! The part of a connection that any thread may read: state and counters.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::connection::NO_SERVER;
use super::counters::Counters;
use super::memory::Share;
use super::sys::{AtomicSocket, BorrowedSocket, NO_SOCKET, RawSocket};
use crate::client::Timings;
use crate::handle::Kind;
use crate::metrics::ConnectionMetrics;
use crate::settings::{Settings, SlowConsumer};
use crate::tls::TlsInfo;
use crate::ws::{MessageType, Ratio, ReadyState};

/// How much may wait for a connection, as other threads have to know it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OutboxLimits {
    pub(crate) high_water_mark: u64,
    /// `u64::MAX` where there is none.
    pub(crate) hard_limit: u64,
    pub(crate) slow_consumer: SlowConsumer,
}

impl OutboxLimits {
    pub(crate) fn of(settings: &Settings) -> OutboxLimits {
        OutboxLimits {
            high_water_mark: settings.high_water_mark as u64,
            hard_limit: match settings.hard_limit {
                0 => u64::MAX,
                limit => limit as u64,
            },
            slow_consumer: settings.slow_consumer,
        }
    }
}

/// What was agreed on in the opening handshake, and the limits. Connections of one server for which it is the same share
/// one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) url: Box<str>,
    pub(crate) protocol: Box<str>,
    pub(crate) extensions: Box<str>,
    pub(crate) limits: OutboxLimits,
    /// Of a client that has been open, or keeps its request.
    pub(crate) answered: Option<Box<Answered>>,
}

/// What a client may ask about its opening handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) timings: Timings,
    /// As it was sent; empty if it isn't kept.
    pub(crate) request: Box<[u8]>,
    /// Of the 101 response.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

/// Both ends of a connection, or the one of a listener.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Addresses {
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
}

const NO_LATENCY: u32 = u32::MAX;

/// One connection or server as other threads see it.
///
/// The state word holds the generation above the ready state, so that one load answers for one life of the slot.
pub(crate) struct Slot {
    state: AtomicU64,
    buffered: AtomicU64,
    queued: AtomicU64,
    pub(crate) counters: Counters,
    /// Kept so that addresses need no memory: they are asked from the system. Changed under the lock of `cold`, which is
    /// smaller without it, and cleared before the socket closes.
    socket: AtomicSocket,
    /// In microseconds.
    latency: AtomicU32,
    /// The slot of the server that a connection came to, or one of the words below.
    server: AtomicU32,
    /// Of the memory budget.
    share: Share,
    over_mark: AtomicBool,
    /// What is begun and not done. Before the connection is open, [`QUESTION`], if an upgrade waits for its answer: whoever
    /// takes that gives it. Then the type of the message that is being sent in parts; 0 for nothing.
    begun: AtomicU8,
    cold: Mutex<Cold>,
}

struct Cold {
    info: Option<Arc<Info>>,
    more: Option<Box<More>>,
}

/// What few connections have: those over TLS, those that compress or inflate, that drop something, or that come back.
#[derive(Default)]
struct More {
    tls: Option<Arc<TlsInfo>>,
    ratio: Ratio,
    dropped: u64,
    /// How many bytes may wait for a client's next connection.
    kept_limit: usize,
}

/// As long as it is there, the connection isn't closed.
pub(crate) struct Held<'a>(MutexGuard<'a, Cold>);

impl Held<'_> {
    /// See [`Slot::count_dropped`].
    pub(crate) fn count_dropped(&mut self) {
        self.0.more.get_or_insert_default().dropped += 1;
    }

    /// How many bytes may wait for a client's next connection.
    pub(crate) fn kept_limit(&self) -> usize {
        self.0.more.as_ref().map_or(0, |more| more.kept_limit)
    }

    /// Of a connection that is open, or a client's.
    pub(crate) fn limits(&self) -> OutboxLimits {
        self.0.info.as_ref().map(|info| info.limits).unwrap_or_default()
    }
}

const QUESTION: u8 = 0xff;

const LIVE: u64 = 1 << 8;
/// It is a server itself.
pub(super) const IS_SERVER: u32 = NO_SERVER - 1;

impl Slot {
    pub(super) fn new(share: Share) -> Slot {
        Slot {
            share,
            state: AtomicU64::new(ReadyState::Closed as u64),
            buffered: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            counters: Counters::default(),
            socket: AtomicSocket::new(NO_SOCKET),
            latency: AtomicU32::new(NO_LATENCY),
            server: AtomicU32::new(NO_SERVER),
            over_mark: AtomicBool::new(false),
            begun: AtomicU8::new(0),
            cold: Mutex::new(Cold {
                info: None,
                more: None,
            }),
        }
    }

    /// Begins a life, in the state connecting; its generation.
    pub(super) fn begin(&self, kind: Kind) -> u32 {
        let generation = self.generation();
        self.set_server(match kind {
            Kind::Server => IS_SERVER,
            _ => NO_SERVER,
        });
        let state = u64::from(generation) << 32 | LIVE | ReadyState::Connecting as u64;
        self.state.store(state, Ordering::Release);
        generation
    }

    pub(super) fn is_live(&self) -> bool {
        self.state.load(Ordering::Acquire) & LIVE != 0
    }

    pub(super) fn lives_as(&self, generation: u32) -> bool {
        let state = self.state.load(Ordering::Acquire);
        state & LIVE != 0 && (state >> 32) as u32 == generation
    }

    fn generation(&self) -> u32 {
        (self.state.load(Ordering::Acquire) >> 32) as u32
    }

    /// The handshake is over, and the socket about to be closed.
    pub(super) fn forget_socket(&self) {
        self.cold.lock().info = None;
        self.clear_socket();
    }

    /// Begins all counts anew. Nothing is queued any more: who sends holds the slot, and finds it closed.
    pub(super) fn reset(&self) {
        let left = self.buffered() as usize;
        if left > 0 {
            self.sub_buffered(left);
        }
        self.counters.reset();
        self.cold.lock().more = None;
        for count in [&self.buffered, &self.queued] {
            count.store(0, Ordering::Relaxed);
        }
        self.over_mark.store(false, Ordering::Relaxed);
        self.begun.store(0, Ordering::Relaxed);
        self.latency.store(NO_LATENCY, Ordering::Relaxed);
    }

    /// Ends its life; the next one has this generation.
    pub(super) fn end(&self, next: u32) {
        let state = u64::from(next) << 32 | ReadyState::Closed as u64;
        self.state.store(state, Ordering::Release);
    }

    pub(crate) fn set_ready_state(&self, state: ReadyState) {
        let kept = self.state.load(Ordering::Relaxed) & !0xff;
        self.state.store(kept | state as u64, Ordering::Release);
    }

    pub(crate) fn ready_state(&self) -> ReadyState {
        match self.state.load(Ordering::Acquire) & 0xff {
            0 => ReadyState::Connecting,
            1 => ReadyState::Open,
            2 => ReadyState::Closing,
            _ => ReadyState::Closed,
        }
    }

    /// Ends what other threads may send: who holds the slot when it is open has sent before.
    pub(crate) fn close(&self) {
        let _held = self.hold();
        self.set_ready_state(ReadyState::Closed);
    }

    /// While this is held, the connection isn't closed.
    pub(crate) fn hold(&self) -> Held<'_> {
        Held(self.cold.lock())
    }

    pub(crate) fn buffered(&self) -> u64 {
        self.buffered.load(Ordering::Relaxed)
    }

    /// More waits to be sent; on the loop's thread.
    pub(crate) fn add_buffered(&self, bytes: usize) {
        self.buffered.fetch_add(bytes as u64, Ordering::Relaxed);
        self.share.add(bytes);
    }

    /// Less waits to be sent; on the loop's thread.
    pub(crate) fn sub_buffered(&self, bytes: usize) {
        self.buffered.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.share.sub(bytes);
    }

    /// What other threads have sent and the loop has not taken yet; `buffered` includes it.
    pub(crate) fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }

    /// Another thread sends this; it holds the slot.
    pub(crate) fn add_queued(&self, bytes: usize) {
        self.buffered.fetch_add(bytes as u64, Ordering::Relaxed);
        self.queued.fetch_add(bytes as u64, Ordering::Relaxed);
        self.share.queue(bytes);
    }

    /// The loop has taken what another thread has sent; it is still `buffered`.
    pub(crate) fn take_queued(&self, bytes: usize) {
        self.queued.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.share.take_queued(bytes);
    }

    /// Something else than what waits to be sent is kept, of this length instead of that; on the loop's thread.
    pub(crate) fn keeps_aside(&self, before: usize, now: usize) {
        self.share.add(now.wrapping_sub(before));
    }

    pub(crate) fn metrics(&self) -> ConnectionMetrics {
        let counters = &self.counters;
        let more = self
            .cold
            .lock()
            .more
            .as_ref()
            .map(|more| (more.ratio, more.dropped));
        let (ratio, dropped) = more.unwrap_or_default();
        ConnectionMetrics {
            compressed_from: ratio.compressed_from,
            compressed_to: ratio.compressed_to,
            inflated_from: ratio.inflated_from,
            inflated_to: ratio.inflated_to,
            bytes_in: counters.bytes_in.get(),
            bytes_out: counters.bytes_out.get(),
            frames_in: counters.frames_in(),
            frames_out: counters.frames_out(),
            messages_in: counters.messages_in.get(),
            messages_out: counters.messages_out.get(),
            dropped,
            buffered: self.buffered(),
            latency: self.latency(),
        }
    }

    /// Which server's sums it counts for, or [`IS_SERVER`], or [`NO_SERVER`].
    pub(super) fn server(&self) -> u32 {
        self.server.load(Ordering::Relaxed)
    }

    pub(super) fn take_server(&self) -> u32 {
        self.server.swap(NO_SERVER, Ordering::Relaxed)
    }

    pub(crate) fn set_server(&self, server: u32) {
        self.server.store(server, Ordering::Relaxed);
    }

    /// A lock is little beside what compressing costs.
    pub(crate) fn count_ratio(&self, more: &Ratio) {
        let mut cold = self.cold.lock();
        let ratio = &mut cold.more.get_or_insert_default().ratio;
        ratio.compressed_from += more.compressed_from;
        ratio.compressed_to += more.compressed_to;
        ratio.inflated_from += more.inflated_from;
        ratio.inflated_to += more.inflated_to;
    }

    /// A message was dropped by a policy or a deadline; any thread, but not who [holds](Slot::hold) it.
    pub(crate) fn count_dropped(&self) {
        self.hold().count_dropped();
    }

    pub(crate) fn set_kept_limit(&self, bytes: usize) {
        let mut cold = self.cold.lock();
        if bytes > 0 || cold.more.is_some() {
            cold.more.get_or_insert_default().kept_limit = bytes;
        }
    }

    /// Remembers that a sender was told to wait, so that `on_drain` will follow.
    pub(crate) fn set_over_mark(&self) {
        self.over_mark.store(true, Ordering::Release);
    }

    pub(crate) fn is_over_mark(&self) -> bool {
        self.over_mark.load(Ordering::Relaxed)
    }

    /// Whether a sender waits for `on_drain` and what is left is low enough for it; asking resets it.
    pub(crate) fn take_drained(&self, high_water_mark: usize) -> bool {
        self.is_over_mark()
            && self.buffered() <= high_water_mark as u64 / 2
            && self.over_mark.swap(false, Ordering::Acquire)
    }

    /// The type of the message of which a part was sent last that was not its last.
    pub(crate) fn part_kind(&self) -> Option<MessageType> {
        match self.begun.load(Ordering::Relaxed) {
            1 => Some(MessageType::Text),
            2 => Some(MessageType::Binary),
            _ => None,
        }
    }

    pub(crate) fn set_part_kind(&self, kind: Option<MessageType>) {
        let number = kind.map_or(0, |kind| kind as u8);
        self.begun.store(number, Ordering::Relaxed);
    }

    pub(crate) fn ask(&self) {
        self.begun.store(QUESTION, Ordering::Release);
    }

    /// Takes the question, for one answer only.
    pub(crate) fn take_question(&self) -> bool {
        self.begun
            .compare_exchange(QUESTION, 0, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    pub(crate) fn set_latency(&self, latency: Option<Duration>) {
        let longest = u128::from(NO_LATENCY - 1);
        let value = latency.map_or(NO_LATENCY, |latency| latency.as_micros().min(longest) as u32);
        self.latency.store(value, Ordering::Relaxed);
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        match self.latency.load(Ordering::Relaxed) {
            NO_LATENCY => None,
            micros => Some(Duration::from_micros(u64::from(micros))),
        }
    }

    pub(crate) fn set_info(&self, info: Arc<Info>) {
        self.cold.lock().info = Some(info);
    }

    pub(crate) fn info(&self) -> Option<Arc<Info>> {
        self.cold.lock().info.clone()
    }

    pub(crate) fn set_tls(&self, info: Option<Arc<TlsInfo>>) {
        let mut cold = self.cold.lock();
        if info.is_some() || cold.more.is_some() {
            cold.more.get_or_insert_default().tls = info;
        }
    }

    pub(crate) fn tls(&self) -> Option<Arc<TlsInfo>> {
        self.cold.lock().more.as_ref()?.tls.clone()
    }

    pub(crate) fn set_socket(&self, socket: RawSocket) {
        let _held = self.hold();
        self.socket.store(socket, Ordering::Relaxed);
    }

    /// To be called before the socket is closed, so that no reader asks one that has become another's by its number.
    pub(crate) fn clear_socket(&self) {
        self.set_socket(NO_SOCKET);
    }

    pub(crate) fn addresses(&self) -> Addresses {
        let _held = self.hold();
        let socket = self.socket.load(Ordering::Relaxed);
        if socket == NO_SOCKET {
            return Addresses::default();
        }
        // SAFETY: the owner of this socket calls `clear_socket`, which takes this lock, before it closes it.
        let socket = unsafe { BorrowedSocket::borrow_raw(socket) };
        let socket = socket2::SockRef::from(&socket);
        Addresses {
            local: socket.local_addr().ok().and_then(|address| address.as_socket()),
            remote: socket.peer_addr().ok().and_then(|address| address.as_socket()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Slot>(), 112);
    }
}
