//! Loops as values: jobs on their threads, their clocks, timers of objects that are no connections.

use std::sync::{Arc, Weak};
use std::thread::{self, ThreadId};

use crossbeam_channel::{Receiver, Sender, unbounded};
use sockline::{Home, Loop, LoopOptions, Timed, TimerKey};

use crate::support::{PATIENCE, pair, settle, started};

/// Tells when it is due: the time, on which thread, and at which home.
struct Bell(Sender<Rung>);

type Rung = (u64, ThreadId, Option<Home>);

impl Timed for Bell {
    fn due(self: Arc<Self>, now: u64) {
        let _ = self.0.send((now, thread::current().id(), Home::current()));
    }
}

fn bell() -> (Arc<dyn Timed>, Receiver<Rung>) {
    let (sender, rung) = unbounded();
    (Arc::new(Bell(sender)), rung)
}

#[test]
fn jobs_run_on_the_loops_thread_in_order_and_never_at_once() {
    let on_loop = started();
    let home = Home::of_loop(&on_loop);
    assert!(!home.is_here());
    assert_eq!(Home::current(), None);
    let (sender, done) = unbounded();
    for number in 0..3 {
        let sender = sender.clone();
        let job = move || sender.send((number, home.is_here(), Home::current())).unwrap();
        assert!(home.run(Box::new(job)));
    }
    for number in 0..3 {
        assert_eq!(done.recv_timeout(PATIENCE).unwrap(), (number, true, Some(home)));
    }
    let nested = sender.clone();
    home.run(Box::new(move || {
        let inner = nested.clone();
        home.run(Box::new(move || inner.send((11, true, None)).unwrap()));
        nested.send((10, true, None)).unwrap();
    }));
    let numbers = [(); 2].map(|()| done.recv_timeout(PATIENCE).unwrap().0);
    assert_eq!(numbers, [10, 11]);
}

#[test]
fn a_connection_tells_its_loop() {
    let pair = pair();
    assert_eq!(Home::of(pair.client), Some(Home::of_loop(&pair.on_loop)));
    pair.client.terminate().unwrap();
    pair.client_events.cut();
    pair.peer_events.next();
}

#[test]
fn a_freed_loop_takes_no_job_and_the_next_one_in_its_place_is_another() {
    let first = Loop::new(LoopOptions::default()).unwrap();
    let home = Home::of_loop(&first);
    let (sender, done) = unbounded::<()>();
    drop(first);
    assert!(!home.run(Box::new(move || sender.send(()).unwrap())));
    assert!(done.recv_timeout(PATIENCE).is_err(), "the job is dropped");
    let others: Vec<Loop> = (0..4)
        .map(|_| Loop::new(LoopOptions::default()).unwrap())
        .collect();
    assert!(others.iter().all(|other| Home::of_loop(other) != home));
}

#[test]
fn a_timer_is_due_at_its_time_on_the_loops_thread() {
    let on_loop = started();
    let home = Home::of_loop(&on_loop);
    let (bell, rung) = bell();
    let now = home.now();
    home.at(now + 40, Arc::downgrade(&bell));
    home.at(now + 20, Arc::downgrade(&bell));
    let (first, thread, current) = rung.recv_timeout(PATIENCE).unwrap();
    assert!(first >= now + 20);
    assert_ne!(thread, thread::current().id());
    assert_eq!(current, Some(home));
    let (second, ..) = rung.recv_timeout(PATIENCE).unwrap();
    assert!(second >= now + 40 && home.now() >= second);
}

#[test]
fn a_timer_that_is_taken_back_keeps_nothing_and_is_not_due() {
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    settle(&on_loop);
    let home = Home::of_loop(&on_loop);
    let ((first, first_rung), (second, rung)) = (bell(), bell());
    let weak = |bell: &Arc<dyn Timed>| Arc::downgrade(bell);
    let at = home.now() + 5;
    let keys = [&first, &second, &second].map(|bell| home.at(at, weak(bell)));
    home.forget(at, keys[1], &weak(&first));
    home.forget(at + 1, keys[0], &weak(&first));
    assert_eq!(
        Arc::weak_count(&first),
        1,
        "neither another's key nor another time"
    );
    home.forget(at, keys[0], &weak(&first));
    home.forget(at, keys[0], &weak(&first));
    assert_eq!(Arc::weak_count(&first), 0);
    // By another thread: the loop hears of it later.
    let (key, other) = (keys[1], weak(&second));
    thread::spawn(move || home.forget(at, key, &other))
        .join()
        .unwrap();
    let theirs = weak(&second);
    let from_elsewhere = thread::spawn(move || home.at(at, theirs)).join().unwrap();
    assert_ne!(from_elsewhere, TimerKey::NONE);
    // By the loop's thread, which has not heard of it yet.
    let theirs = weak(&first);
    let from_elsewhere = thread::spawn(move || home.at(at, theirs)).join().unwrap();
    home.forget(at, from_elsewhere, &weak(&first));
    while rung.len() < 2 {
        on_loop.poll(None).unwrap();
    }
    while on_loop.next_timeout().is_some() {
        on_loop.poll(None).unwrap();
    }
    assert_eq!((rung.len(), first_rung.len()), (2, 0));
    assert_eq!(Arc::weak_count(&second), 0);
    // That time is over, and the key nobody's: whoever has it next is left alone.
    let late = home.at(at, weak(&first));
    home.forget(at, keys[0], &weak(&second));
    assert_eq!((late, Arc::weak_count(&first)), (keys[0], 1));
}

#[test]
fn a_timer_can_be_set_from_a_timer_and_an_object_that_is_gone_hears_nothing() {
    struct Again(Sender<u64>);
    impl Timed for Again {
        fn due(self: Arc<Self>, now: u64) {
            self.0.send(now).unwrap();
            let weak: Weak<dyn Timed> = Arc::downgrade(&self) as Weak<dyn Timed>;
            Home::current().unwrap().at(now + 1, weak);
        }
    }
    let on_loop = Loop::new(LoopOptions::default()).unwrap();
    settle(&on_loop);
    let home = Home::of_loop(&on_loop);
    assert!(home.is_here() && Home::current() == Some(home));
    let (sender, rung) = unbounded();
    let again = Arc::new(Again(sender));
    let weak: Weak<dyn Timed> = Arc::downgrade(&again) as Weak<dyn Timed>;
    home.at(home.now() + 1, weak);
    while rung.len() < 3 {
        on_loop.poll(None).unwrap();
    }
    drop(again);
    while on_loop.next_timeout().is_some() {
        on_loop.poll(None).unwrap();
    }
    assert!(rung.iter().is_sorted());
}
