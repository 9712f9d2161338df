use std::sync::Arc;

use parking_lot::Mutex;

use super::{MemoryBus, MemoryServer};
use crate::adapter::redis::{Bus, Follower, Listener, Subscription};

/// Writes down all that it hears.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Listener for Log {
    fn on_message(&self, channel: &str, payload: &[u8]) {
        self.add(format!("{channel}: {}", String::from_utf8_lossy(payload)));
    }
}

impl Follower for Log {
    fn on_begin(&self, id: &str) {
        self.add(format!("behind {id}"));
    }

    fn on_entry(&self, id: &str, fields: &[(Vec<u8>, Vec<u8>)]) {
        let value = String::from_utf8_lossy(&fields[0].1);
        self.add(format!("{id} {value}"));
    }
}

fn scene() -> (MemoryServer, Arc<MemoryBus>, Arc<MemoryBus>, Arc<Log>) {
    let server = MemoryServer::new();
    let (one, two) = (server.node(), server.node());
    (server, one, two, Arc::default())
}

/// A reply that writes down what it gets.
fn to<T: std::fmt::Debug>(log: &Arc<Log>) -> Box<dyn FnOnce(T) + Send> {
    let log = Arc::clone(log);
    Box::new(move |value| log.add(format!("{value:?}")))
}

fn listener(log: &Arc<Log>) -> Arc<dyn Listener> {
    Arc::<Log>::clone(log)
}

fn follower(log: &Arc<Log>) -> Arc<dyn Follower> {
    Arc::<Log>::clone(log)
}

#[test]
fn messages_wait_until_they_are_asked_for() {
    let (server, one, two, log) = scene();
    one.subscribe(Subscription::Channel("a".into()), listener(&log), Some(to(&log)));
    two.subscribe(Subscription::Pattern("a*".into()), listener(&log), None);
    two.subscribe(Subscription::Sharded("a".into()), listener(&log), None);
    two.publish("a", b"1".to_vec(), false);
    two.publish("a", b"2".to_vec(), true);
    two.publish("ab", b"3".to_vec(), false);
    assert!(log.take().is_empty());
    assert!(server.deliver_one());
    assert_eq!(log.take(), ["Ok(())"]);
    assert_eq!((server.waiting(), server.deliver()), (4, 4));
    assert_eq!(log.take(), ["a: 1", "a: 1", "a: 2", "ab: 3"]);
    assert_eq!(
        (server.subscribers("a", false), server.subscribers("a", true)),
        (1, 1)
    );
    two.publish("a", b"4".to_vec(), false);
    one.unsubscribe(&Subscription::Channel("a".into()));
    two.unsubscribe(&Subscription::Pattern("a*".into()));
    server.deliver();
    assert!(log.take().is_empty(), "nothing is told after unsubscribing");
    assert_eq!(two.subscriptions(), [Subscription::Sharded("a".into())]);
}

#[test]
fn a_node_that_is_cut_off_hears_nothing_and_is_told_so() {
    let (server, one, two, log) = scene();
    one.subscribe(Subscription::Channel("a".into()), listener(&log), None);
    one.cut();
    two.publish("a", b"1".to_vec(), false);
    one.publish("a", b"2".to_vec(), false);
    one.subscribers("a", false, to(&log));
    two.subscribers("a", false, to(&log));
    server.deliver();
    let unreachable = "Err(AdapterError(\"the server in memory can't be reached\"))";
    assert_eq!(log.take(), [unreachable, "Ok(0)"]);
    one.restore();
    two.publish("a", b"3".to_vec(), false);
    server.deliver();
    assert_eq!(log.take(), ["a: 3"]);
}

#[test]
fn streams_go_on_behind_the_last_entry() {
    let (server, one, two, log) = scene();
    let ignore = || to(&Arc::default());
    two.append("s", 10, vec![("k", b"before".to_vec())], ignore());
    one.follow("s", follower(&log));
    server.advance(5);
    two.append("s", 10, vec![("k", b"a".to_vec())], to(&log));
    server.deliver();
    assert_eq!(log.take(), ["behind 0-1", "5-0 a", "Ok(\"5-0\")"]);
    one.cut();
    two.append("s", 10, vec![("k", b"b".to_vec())], ignore());
    server.deliver();
    one.restore();
    two.append("s", 10, vec![("k", b"c".to_vec())], ignore());
    server.deliver();
    assert_eq!(log.take(), ["5-1 b", "5-2 c"]);
    one.range("s", "(5-0", "+", 1, to(&log));
    one.range("s", "1", "5", 1, to(&log));
    one.range("none", "-", "+", 10, to(&log));
    server.deliver();
    let entry = |id: &str, byte: u8| format!("Ok([(\"{id}\", [([107], [{byte}])])])");
    assert_eq!(
        log.take(),
        [entry("5-1", b'b'), entry("5-0", b'a'), "Ok([])".into()]
    );
    two.append("s", 2, vec![("k", b"d".to_vec())], ignore());
    one.unfollow("s");
    one.range(
        "s",
        "-",
        "+",
        10,
        Box::new(|entries| assert_eq!(entries.unwrap().len(), 2)),
    );
    server.deliver();
    assert!(log.take().is_empty());
}

#[test]
fn values_are_taken_once_and_in_time() {
    let (server, one, two, log) = scene();
    one.set("k", b"v".to_vec(), 10);
    two.take("k", to(&log));
    two.take("k", to(&log));
    one.set("k", b"v".to_vec(), 10);
    server.advance(10);
    two.take("k", to(&log));
    server.deliver();
    assert_eq!(log.take(), ["Ok(Some([118]))", "Ok(None)", "Ok(None)"]);
}

#[test]
fn timers_run_in_their_order() {
    let (server, one, _, log) = scene();
    let later = |after, name: &'static str| {
        let log = Arc::clone(&log);
        one.run_at(after, Box::new(move || log.add(name)));
    };
    later(20, "late");
    later(10, "first");
    later(10, "second");
    server.advance(9);
    assert!(log.take().is_empty());
    server.advance(1);
    assert_eq!(log.take(), ["first", "second"]);
    server.advance(100);
    assert_eq!(log.take(), ["late"]);
}
