//! Connection state recovery: what sessions need that come back after a short loss of their connection.
//!
//! Each packet that can be recovered gets a number; its offset, which the client repeats when it comes back, is that
//! number behind a prefix of this store's own. What counts is what the *server* knows: up to which number packets were
//! sent to a session, and at which number it lost its connection. So a session is recovered when nothing was sent to it
//! for hours, or ever; the client's offset matters only where it tells of packets that were sent and did not arrive.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::ws::Millis;

use super::{BroadcastOptions, BroadcastPacket};

/// What a packet or a session costs beside its texts, in bytes, about.
const OVERHEAD: usize = 128;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryLimits {
    /// How long a session is kept after its connection was lost, in milliseconds. 120,000, as in the official server.
    pub max_disconnection: Millis,
    /// How long a lost connection can go unnoticed, in milliseconds: packets are kept for that much longer. 45,000, the
    /// ping interval and timeout of Engine.IO.
    pub detection: Millis,
    /// Bytes of packets, and again of sessions. Where more would be kept the oldest go first, and who would have needed
    /// them is not recovered. 64 MiB.
    pub max_bytes: usize,
}

impl Default for RecoveryLimits {
    fn default() -> RecoveryLimits {
        RecoveryLimits {
            max_disconnection: 120_000,
            detection: 45_000,
            max_bytes: 64 << 20,
        }
    }
}

/// What a socket knows of the packets that were sent to it: two numbers of its adapter's. An entry of a Redis stream needs
/// 128 bits to be numbered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The first packet that was broadcast after it had connected has this number or a higher one.
    pub since: u128,
    /// The last packet that was sent to it; 0 if there was none.
    pub sent: u128,
}

/// A session whose connection was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The socket's id, which it will have again.
    pub sid: String,
    /// Its private id, by which its client proves to be the same.
    pub pid: String,
    /// The rooms it was in, that of its id included.
    pub rooms: Vec<Arc<str>>,
    /// The application's data for it, JSON.
    pub data: String,
    /// What was sent to it.
    pub progress: Progress,
}

/// What a session has missed, oldest first.
pub type Missed = Vec<BroadcastPacket>;

/// The packets of the last minutes, and the sessions that may come back.
#[derive(Debug)]
pub struct Recovery {
    limits: RecoveryLimits,
    prefix: String,
    packets: VecDeque<Stored>,
    packet_bytes: usize,
    /// The number of the first of `packets`, or of the next one if there is none.
    first: u128,
    sessions: HashMap<String, Lost>,
    /// How many of them are in each room.
    rooms: HashMap<Arc<str>, usize>,
    /// Private ids in the order in which connections were lost, some of sessions that have come back already.
    lost: VecDeque<(Millis, u64, String)>,
    session_bytes: usize,
    losses: u64,
}

#[derive(Debug)]
struct Stored {
    at: Millis,
    packet: BroadcastPacket,
    rooms: Box<[Arc<str>]>,
    except: Box<[Arc<str>]>,
    bytes: usize,
}

#[derive(Debug)]
struct Lost {
    session: Session,
    /// Tells this loss from later ones of the same session.
    loss: u64,
    /// The number that the next packet had then.
    next: u128,
    bytes: usize,
}

impl Recovery {
    /// A store with nothing in it. `prefix` tells its offsets from those of other stores, also of the same program when
    /// it ran before: some random characters, none of which need be secret or escaped in JSON.
    pub fn new(limits: RecoveryLimits, prefix: &str) -> Recovery {
        Recovery {
            limits,
            prefix: prefix.to_owned(),
            packets: VecDeque::new(),
            packet_bytes: 0,
            first: 1,
            sessions: HashMap::new(),
            rooms: HashMap::new(),
            lost: VecDeque::new(),
            session_bytes: 0,
            losses: 0,
        }
    }

    /// Keeps a packet that is being broadcast; what is to be sent, with its offset as the array's last element, and its
    /// number for [`Progress::sent`].
    pub fn record(
        &mut self,
        packet: &BroadcastPacket,
        options: &BroadcastOptions,
        now: Millis,
    ) -> (BroadcastPacket, u128) {
        self.expire(now);
        let number = self.next();
        let mut array = String::with_capacity(packet.array.len() + self.prefix.len() + 16);
        array.push_str(&packet.array);
        crate::socketio::push_element(&mut array, &format!("\"{}{number:x}\"", self.prefix));
        let packet = BroadcastPacket {
            array: array.into(),
            attachments: Arc::clone(&packet.attachments),
        };
        self.push(Stored {
            at: now,
            bytes: OVERHEAD
                + packet.array.len()
                + packet.attachments.iter().map(|data| data.len()).sum::<usize>(),
            packet: packet.clone(),
            rooms: options.rooms.as_slice().into(),
            except: options.except.as_slice().into(),
        });
        (packet, number)
    }

    /// What a socket that connects now begins with.
    pub fn progress(&self) -> Progress {
        Progress {
            since: self.next(),
            sent: 0,
        }
    }

    /// Keeps a session whose connection was lost.
    pub fn persist(&mut self, session: Session, now: Millis) {
        self.expire(now);
        self.forget(&session.pid);
        self.losses += 1;
        let texts = session.sid.len() + session.pid.len() * 2 + session.data.len();
        let lost = Lost {
            loss: self.losses,
            next: self.next(),
            bytes: OVERHEAD * 2 + texts + session.rooms.len() * size_of::<Arc<str>>() * 3,
            session,
        };
        self.session_bytes += lost.bytes;
        for room in &lost.session.rooms {
            *self.rooms.entry(Arc::clone(room)).or_default() += 1;
        }
        let pid = lost.session.pid.clone();
        self.lost.push_back((now, lost.loss, pid.clone()));
        self.sessions.insert(pid, lost);
        while self.session_bytes > self.limits.max_bytes && self.forget_oldest() {}
        // Of sessions that came back only their entries here are left; they don't pile up.
        if self.lost.len() > 64 && self.lost.len() > self.sessions.len() * 2 {
            let sessions = &self.sessions;
            self.lost
                .retain(|(_, loss, pid)| sessions.get(pid).is_some_and(|lost| lost.loss == *loss));
        }
    }

    /// Takes a session out, with what its client has missed. `offset` is the last one that the client has seen.
    ///
    /// `None` if there is no such session (any more), or packets that it may have missed are not there any more. A
    /// session can be restored once. Its progress is that of a socket to which what it has missed has been sent.
    pub fn restore(&mut self, pid: &str, offset: Option<&str>, now: Millis) -> Option<(Session, Missed)> {
        self.expire(now);
        let mut lost = self.forget(pid)?;
        let progress = lost.session.progress;
        let seen = match offset {
            Some(offset) => self.number(offset)?,
            None => 0,
        };
        let from = if seen >= progress.sent {
            lost.next // it has all that was sent to it
        } else {
            progress.since.max(seen + 1)
        };
        let skipped = from.checked_sub(self.first)?;
        let rooms: HashSet<&str> = lost.session.rooms.iter().map(AsRef::as_ref).collect();
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let mut last = 0;
        let mut missed = Vec::new();
        for (stored, number) in self.packets.iter().zip(self.first..).skip(skipped) {
            if stored.is_for(&rooms) {
                missed.push(stored.packet.clone());
                last = number;
            }
        }
        drop(rooms);
        lost.session.progress = Progress {
            since: from,
            sent: last,
        };
        Some((lost.session, missed))
    }

    /// Forgets what is too old. Every other call does so too; this one is for when there are none.
    pub fn expire(&mut self, now: Millis) {
        let age = self
            .limits
            .max_disconnection
            .saturating_add(self.limits.detection);
        while self
            .packets
            .front()
            .is_some_and(|stored| stored.at.saturating_add(age) < now)
        {
            self.drop_first();
        }
        if self.packets.is_empty() {
            self.packets.shrink_to(0);
        }
        while let Some((at, ..)) = self.lost.front()
            && at.saturating_add(self.limits.max_disconnection) < now
        {
            self.forget_oldest();
        }
    }

    /// Sessions that may come back.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Whether one that may come back is in this room.
    pub fn awaits(&self, room: &str) -> bool {
        self.rooms.contains_key(room)
    }

    /// How long they may.
    pub fn max_disconnection(&self) -> Millis {
        self.limits.max_disconnection
    }

    /// What is kept, in bytes, about.
    pub fn bytes(&self) -> usize {
        self.packet_bytes + self.session_bytes
    }

    /// The number of the next packet.
    fn next(&self) -> u128 {
        self.first + self.packets.len() as u128
    }

    /// The number of an offset that this store has given out.
    fn number(&self, offset: &str) -> Option<u128> {
        let digits = offset.strip_prefix(self.prefix.as_str())?;
        let number = u128::from_str_radix(digits, 16).ok()?;
        (number < self.next() && !digits.starts_with('+')).then_some(number)
    }

    fn push(&mut self, stored: Stored) {
        self.packet_bytes += stored.bytes;
        self.packets.push_back(stored);
        while self.packet_bytes > self.limits.max_bytes {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(stored) = self.packets.pop_front() {
            self.packet_bytes -= stored.bytes;
            self.first += 1;
        }
    }

    fn forget(&mut self, pid: &str) -> Option<Lost> {
        let lost = self.sessions.remove(pid)?;
        self.session_bytes -= lost.bytes;
        for room in &lost.session.rooms {
            if let Some(count) = self.rooms.get_mut(room) {
                *count -= 1;
                if *count == 0 {
                    self.rooms.remove(room);
                }
            }
        }
        if self.rooms.is_empty() {
            self.rooms.shrink_to(0);
        }
        Some(lost)
    }

    /// Whether there was anything to forget.
    fn forget_oldest(&mut self) -> bool {
        let Some((_, loss, pid)) = self.lost.pop_front() else {
            return false;
        };
        if self.sessions.get(&pid).is_some_and(|lost| lost.loss == loss) {
            self.forget(&pid);
        }
        true
    }
}

impl Stored {
    /// Whether a session with these rooms would have got it.
    fn is_for(&self, rooms: &HashSet<&str>) -> bool {
        let any = |names: &[Arc<str>]| names.iter().any(|name| rooms.contains(name.as_ref()));
        (self.rooms.is_empty() || any(&self.rooms)) && !any(&self.except)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;

    fn store() -> Recovery {
        Recovery::new(RecoveryLimits::default(), "p-")
    }

    fn send(store: &mut Recovery, text: &str, rooms: &[&str], now: Millis) -> u128 {
        let packet = BroadcastPacket {
            array: format!("[\"{text}\"]").into(),
            attachments: Arc::default(),
        };
        let options = BroadcastOptions {
            rooms: rooms.iter().map(|room| Arc::from(*room)).collect(),
            ..BroadcastOptions::default()
        };
        let (packet, number) = store.record(&packet, &options, now);
        assert_eq!(&*packet.array, format!("[\"{text}\",\"p-{number:x}\"]"));
        number
    }

    fn session(progress: Progress) -> Session {
        Session {
            sid: "sid".into(),
            pid: "pid".into(),
            rooms: vec!["sid".into(), "a".into()],
            data: "{}".into(),
            progress,
        }
    }

    fn missed(store: &mut Recovery, offset: Option<u128>, now: Millis) -> Option<Vec<String>> {
        let offset = offset.map(|number| format!("p-{number:x}"));
        let (session, missed) = store.restore("pid", offset.as_deref(), now)?;
        assert_eq!((session.sid.as_str(), session.data.as_str()), ("sid", "{}"));
        let name = |packet: &BroadcastPacket| packet.array.split('"').nth(1).unwrap().to_owned();
        Some(missed.iter().map(name).collect())
    }

    #[test]
    fn what_was_missed_comes_in_order() {
        let mut store = store();
        send(&mut store, "before", &[], 0);
        let mut progress = store.progress();
        progress.sent = send(&mut store, "seen", &["a"], 1);
        store.persist(session(progress), 2);
        send(&mut store, "all", &[], 3);
        send(&mut store, "others", &["b"], 4);
        send(&mut store, "own", &["b", "sid"], 5);
        let expected = ["all".to_owned(), "own".to_owned()];
        assert_eq!(
            missed(&mut store, Some(progress.sent), 6).as_deref(),
            Some(&expected[..])
        );
        assert_eq!(missed(&mut store, Some(progress.sent), 6), None, "only once");
        assert_eq!(store.sessions(), 0);
    }

    #[test]
    fn who_is_in_an_excepted_room_has_missed_nothing() {
        let mut store = store();
        store.persist(session(store.progress()), 0);
        let options = BroadcastOptions {
            except: vec!["a".into()],
            ..BroadcastOptions::default()
        };
        let packet = BroadcastPacket {
            array: "[\"x\"]".into(),
            attachments: Arc::default(),
        };
        store.record(&packet, &options, 1);
        assert_eq!(missed(&mut store, None, 2), Some(vec![]));
    }

    #[test]
    fn what_was_sent_and_did_not_arrive_comes_again() {
        let mut store = store();
        let mut progress = store.progress();
        let seen = send(&mut store, "seen", &[], 0);
        send(&mut store, "lost1", &[], 1);
        progress.sent = send(&mut store, "lost2", &["a"], 1);
        store.persist(session(progress), 20_000);
        assert_eq!(
            missed(&mut store, Some(seen), 20_001),
            Some(vec!["lost1".into(), "lost2".into()])
        );
        // A client that has seen nothing gets all since it connected, and nothing older.
        store.persist(session(progress), 20_002);
        assert_eq!(missed(&mut store, None, 20_003).unwrap().len(), 3);
        progress.since = seen + 1;
        store.persist(session(progress), 20_004);
        assert_eq!(missed(&mut store, None, 20_005).unwrap(), ["lost1", "lost2"]);
    }

    /// The official store looks the client's offset up, and it is gone by then.
    #[test]
    fn a_connection_that_was_idle_for_long_is_recovered() {
        let mut store = store();
        let mut progress = store.progress();
        progress.sent = send(&mut store, "seen", &[], 0);
        for minute in 1..60 {
            send(&mut store, "others", &["b"], minute * MINUTE);
        }
        store.persist(session(progress), 60 * MINUTE);
        send(&mut store, "new", &["a"], 60 * MINUTE + 1);
        assert_eq!(
            missed(&mut store, Some(progress.sent), 61 * MINUTE),
            Some(vec!["new".into()])
        );
    }

    /// The official store needs an offset.
    #[test]
    fn a_connection_that_never_got_anything_is_recovered() {
        let mut store = store();
        send(&mut store, "before", &[], 0);
        let progress = store.progress();
        for minute in 1..60 {
            send(&mut store, "others", &["b"], minute * MINUTE);
        }
        store.persist(session(progress), 60 * MINUTE);
        assert_eq!(missed(&mut store, None, 61 * MINUTE), Some(vec![]));
        store.persist(session(store.progress()), 61 * MINUTE);
        send(&mut store, "new", &[], 61 * MINUTE);
        assert_eq!(missed(&mut store, None, 61 * MINUTE), Some(vec!["new".into()]));
    }

    #[test]
    fn what_may_be_incomplete_is_not_recovered() {
        let mut store = store();
        let mut progress = store.progress();
        let seen = send(&mut store, "seen", &[], 0);
        progress.sent = send(&mut store, "lost", &[], 1);
        store.persist(session(progress), 3 * MINUTE);
        // The client lacks a packet that is too old by now.
        assert_eq!(missed(&mut store, Some(seen), 4 * MINUTE), None);
        store.persist(session(progress), 5 * MINUTE);
        assert_eq!(
            missed(&mut store, Some(progress.sent), 7 * MINUTE + 1),
            None,
            "too late"
        );
        store.persist(session(progress), 8 * MINUTE);
        assert_eq!(missed(&mut store, Some(99), 8 * MINUTE), None, "never given out");
        for offset in ["", "p-", "p-x", "q-1", "1", "p-+1", "p-fffffffffffffffff"] {
            store.persist(session(progress), 8 * MINUTE);
            assert_eq!(store.restore("pid", Some(offset), 8 * MINUTE), None, "{offset}");
        }
        assert_eq!(store.restore("other", None, 8 * MINUTE), None);
    }

    #[test]
    fn bytes_are_bounded_and_the_oldest_go_first() {
        let limits = RecoveryLimits {
            max_bytes: 2000,
            ..RecoveryLimits::default()
        };
        let mut store = Recovery::new(limits, "p-");
        let progress = store.progress();
        store.persist(session(progress), 0);
        send(&mut store, "one", &[], 1);
        assert_eq!(missed(&mut store, None, 1), Some(vec!["one".into()]));
        store.persist(session(progress), 2);
        for _ in 0..100 {
            send(&mut store, "more", &[], 3);
        }
        assert!(store.packet_bytes <= 2000 && store.packets.len() > 5);
        assert_eq!(missed(&mut store, None, 4), None, "some of them are gone");
        for number in 0..100 {
            let pid = format!("pid{number}");
            store.persist(
                Session {
                    pid,
                    ..session(store.progress())
                },
                5,
            );
        }
        assert!(store.session_bytes <= 2000 && store.sessions() > 3, "{store:?}");
        assert!(store.restore("pid0", None, 6).is_none());
        assert!(store.restore("pid99", None, 6).is_some());
        store.expire(10 * MINUTE);
        assert_eq!((store.bytes(), store.sessions(), store.lost.len()), (0, 0, 0));
    }

    #[test]
    fn losing_the_connection_again_and_again_piles_nothing_up() {
        let mut store = store();
        for now in 0..10_000 {
            store.persist(session(store.progress()), now);
            assert!(missed(&mut store, None, now).is_some());
        }
        assert!(store.lost.len() <= 65 && store.bytes() == 0);
        // An entry of a former loss doesn't end a later one.
        store.persist(session(store.progress()), 10 * MINUTE);
        store.restore("pid", None, 10 * MINUTE).unwrap();
        store.persist(session(store.progress()), 11 * MINUTE);
        store.expire(12 * MINUTE + 1);
        assert_eq!(store.sessions(), 1);
    }
}
