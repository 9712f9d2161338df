use std::collections::BTreeMap;
use std::sync::Weak;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::super::{Directory, RecoveryLimits};
use super::*;
use crate::ws::Millis;

/// Sockets that are their ids, and what they got.
#[derive(Default)]
struct People {
    sockets: Mutex<BTreeMap<Arc<str>, Progress>>,
    log: Mutex<Vec<String>>,
    adapter: Mutex<Weak<LocalAdapter<Arc<People>>>>,
}

impl Directory<Arc<str>> for Arc<People> {
    fn find(&self, id: &str) -> Option<Arc<str>> {
        self.sockets
            .lock()
            .get_key_value(id)
            .map(|(id, _)| Arc::clone(id))
    }

    fn for_each(&self, visit: &mut dyn FnMut(&Arc<str>)) {
        let all: Vec<_> = self.sockets.lock().keys().cloned().collect();
        all.iter().for_each(visit);
    }
}

impl Host for Arc<People> {
    type Member = Arc<str>;

    fn id<'a>(&self, member: &'a Arc<str>) -> &'a str {
        member
    }

    fn send(
        &self,
        packet: &BroadcastPacket,
        number: Option<u128>,
        recipients: &Recipients<'_, Self>,
        acks: Option<&Arc<dyn BroadcastAcks>>,
    ) -> usize {
        let mut count = 0;
        recipients.for_each(|id| {
            count += 1;
            self.log.lock().push(format!("{id} {}", packet.array));
            if let (Some(number), Some(progress)) = (number, self.sockets.lock().get_mut(id)) {
                progress.sent = number;
            }
            if let Some(acks) = acks {
                acks.on_ack("[]", &[]);
            }
        });
        count
    }

    fn details(&self, member: &Arc<str>) -> SocketDetails {
        SocketDetails {
            id: member.to_string(),
            handshake: "{}".into(),
            rooms: Vec::new(),
            data: "null".into(),
        }
    }

    fn progress(&self, member: &Arc<str>) -> Progress {
        self.sockets.lock().get(member).copied().unwrap_or_default()
    }

    fn disconnect(&self, member: &Arc<str>, close: bool) {
        self.log.lock().push(format!("{member} disconnects {close}"));
    }

    /// As an application might: says it to all.
    fn on_room_events(&self, events: Vec<RoomEvent>) {
        self.log.lock().push(format!("{events:?}"));
        if let Some(adapter) = self.adapter.lock().upgrade() {
            adapter.broadcast(&packet("rooms"), &BroadcastOptions::default());
        }
    }

    fn now(&self) -> Millis {
        1
    }
}

fn packet(name: &str) -> BroadcastPacket {
    BroadcastPacket {
        array: format!("[\"{name}\"]").into(),
        attachments: Arc::default(),
    }
}

fn to(rooms: &[&str]) -> BroadcastOptions {
    BroadcastOptions {
        rooms: rooms.iter().map(|room| Arc::from(*room)).collect(),
        ..BroadcastOptions::default()
    }
}

fn adapter(ids: &[&str], recovers: bool) -> Arc<LocalAdapter<Arc<People>>> {
    let people = Arc::new(People::default());
    let recovery = recovers.then(|| Recovery::new(RecoveryLimits::default(), "-"));
    let adapter = Arc::new(LocalAdapter::new(people, recovery));
    for id in ids {
        let progress = adapter.progress();
        adapter.host().sockets.lock().insert(Arc::from(*id), progress);
    }
    adapter
}

fn log(adapter: &LocalAdapter<Arc<People>>) -> Vec<String> {
    std::mem::take(&mut *adapter.host().log.lock())
}

#[test]
fn many_sockets_are_reached_and_moved_at_once() {
    let adapter = adapter(&["x", "y", "z"], false);
    adapter.add_all("x", &["a", "b"]);
    adapter.add_sockets(&to(&["y", "z"]), &["b"]);
    assert_eq!(adapter.socket_rooms("x"), ["x", "a", "b"].map(Arc::from));
    adapter.broadcast(&packet("hi"), &to(&["b"]));
    let mut heard = log(&adapter);
    heard.sort();
    assert_eq!(heard, [r#"x ["hi"]"#, r#"y ["hi"]"#, r#"z ["hi"]"#]);
    adapter.del_sockets(&to(&["x", "y"]), &["b", "none"]);
    assert!(!adapter.is_in("x", "b") && adapter.is_in("z", "b") && adapter.is_in("x", "x"));
    adapter.disconnect_sockets(&to(&["a"]), true);
    assert_eq!(log(&adapter), ["x disconnects true"]);
    adapter.del_all("x");
    adapter.del("z", "b");
    assert!(adapter.rooms().is_empty());
    adapter.add_all("unknown", &["a"]);
    assert!(adapter.rooms().is_empty());
}

#[test]
fn questions_are_answered() {
    let adapter = adapter(&["x", "y"], false);
    adapter.add_all("y", &["a"]);
    let (told, asked) = (Arc::new(Mutex::new(Vec::new())), 5);
    let tell = || {
        let told = Arc::clone(&told);
        move |answer: String| told.lock().push(answer)
    };
    let say = tell();
    adapter.sockets(
        &[Arc::from("a")],
        Box::new(move |ids| say(format!("{:?}", ids.unwrap().value))),
    );
    let say = tell();
    adapter.all_rooms(Box::new(move |names| say(format!("{:?}", names.unwrap().value))));
    let say = tell();
    let rooms = |sockets: Vec<SocketDetails>| format!("{:?}", sockets.first().map(|one| one.rooms.clone()));
    adapter.fetch_sockets(
        &to(&["a"]),
        Box::new(move |found| say(rooms(found.unwrap().value))),
    );
    let say = tell();
    adapter.server_count(Box::new(move |count| say(format!("{count:?}"))));
    let say = tell();
    adapter.server_side_emit(
        &packet("x"),
        Some(Box::new(move |answers| say(format!("{:?}", answers.unwrap())))),
    );
    let told = told.lock();
    assert_eq!(told.len(), asked);
    assert_eq!(
        *told,
        [
            r#"["y"]"#,
            r#"["a", "x", "y"]"#,
            r#"Some(["y", "a"])"#,
            "Ok(1)",
            "Answered { value: [], missing: 0 }"
        ]
    );
    assert!(adapter.has_room("a") && adapter.has_room("x") && !adapter.has_room("b"));
}

#[derive(Default)]
struct Acks(AtomicUsize, AtomicUsize);

impl BroadcastAcks for Acks {
    fn on_clients(&self, count: usize) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn on_ack(&self, array: &str, _: &[bytes::Bytes]) {
        assert_eq!(array, "[]");
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn acknowledgements_are_counted_and_such_packets_not_kept() {
    let adapter = adapter(&["x", "y"], true);
    let acks = Arc::new(Acks::default());
    let sink: Arc<dyn BroadcastAcks> = Arc::<Acks>::clone(&acks);
    adapter.broadcast_with_ack(&packet("hi"), &BroadcastOptions::default(), sink);
    assert_eq!(
        (acks.0.load(Ordering::Relaxed), acks.1.load(Ordering::Relaxed)),
        (2, 2)
    );
    assert_eq!(log(&adapter), [r#"x ["hi"]"#, r#"y ["hi"]"#], "without an offset");
}

fn saved(sid: &str) -> Session {
    Session {
        sid: sid.into(),
        pid: "pid".into(),
        rooms: vec![sid.into()],
        data: String::new(),
        progress: Progress::default(),
    }
}

#[test]
fn a_session_is_saved_with_what_was_sent_until_then() {
    let adapter = adapter(&["x"], true);
    let mut volatile = BroadcastOptions::default();
    adapter.broadcast(&packet("one"), &volatile);
    volatile.flags.volatile = true;
    adapter.broadcast(&packet("now"), &volatile);
    adapter.persist_session(saved("x"));
    adapter.host().sockets.lock().clear();
    adapter.broadcast(&packet("two"), &to(&["x"]));
    assert_eq!(log(&adapter), [r#"x ["one","-1"]"#, r#"x ["now"]"#]);
    let found = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&found);
    adapter.restore_session(
        "pid",
        Some("-1"),
        Box::new(move |restored| *keep.lock() = restored),
    );
    let restored = found.lock().take().unwrap();
    assert_eq!(restored.session.progress, Progress { since: 2, sent: 2 });
    let missed: Vec<&str> = restored.missed.iter().map(|packet| &*packet.array).collect();
    assert_eq!(missed, [r#"["two","-2"]"#]);
}

#[test]
fn who_hears_of_rooms_may_broadcast() {
    let people = Arc::new(People::default());
    let recovery = Recovery::new(RecoveryLimits::default(), "-");
    let adapter = Arc::new(LocalAdapter::new(people, Some(recovery)));
    adapter.tell_of_rooms();
    *adapter.host().adapter.lock() = Arc::downgrade(&adapter);
    adapter
        .host()
        .sockets
        .lock()
        .insert("x".into(), Progress::default());
    adapter.on_connected("x");
    adapter.persist_session(saved("x"));
    let again = Arc::clone(&adapter);
    adapter.restore_session("pid", None, Box::new(move |_| again.add_all("x", &["a"])));
    adapter.del_all("x");
    assert_eq!(
        log(&adapter),
        [
            r#"[Create("x"), Join("x", "x")]"#,
            r#"x ["rooms","-1"]"#,
            r#"[Create("a"), Join("a", "x")]"#,
            r#"x ["rooms","-2"]"#,
            r#"[Leave("a", "x"), Delete("a"), Leave("x", "x"), Delete("x")]"#,
            r#"x ["rooms","-3"]"#,
        ]
    );
}
