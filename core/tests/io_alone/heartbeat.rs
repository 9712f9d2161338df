//! When clients that no longer answer are given up, on the wall clock.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};
use parking_lot::Mutex;
use sockline::io::{DisconnectReason, Handler, Server, ServerOptions, SessionInfo};

use crate::ONE_AT_A_TIME;
use crate::support::routes::{get, response};
use crate::support::{PATIENCE, Peer, local, port, started};

const SESSIONS: usize = 50;
const PING_INTERVAL: Duration = Duration::from_millis(300);
const PING_TIMEOUT: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_millis(5);

/// Beside each session a thread sleeps for as long as the session may: how much later than it the session ends is the
/// server's doing, and not that of whoever else uses the processor.
struct Clock {
    running: Mutex<HashMap<String, JoinHandle<Instant>>>,
    /// The end of a session, and that of its thread.
    ended: Sender<(Instant, JoinHandle<Instant>)>,
}

impl Handler for Clock {
    fn on_session(&self, session: &SessionInfo<'_>) {
        let sleeps = thread::spawn(|| {
            thread::sleep(PING_INTERVAL);
            thread::sleep(PING_TIMEOUT);
            Instant::now()
        });
        self.running.lock().insert(session.id.to_owned(), sleeps);
    }

    fn on_session_closed(&self, session_id: &str, reason: DisconnectReason, _detail: &str) {
        let now = Instant::now();
        assert_eq!(reason, DisconnectReason::PingTimeout);
        let sleeps = self.running.lock().remove(session_id).expect("it has begun");
        let _ = self.ended.send((now, sleeps));
    }
}

#[test]
fn whoever_does_not_answer_pings_is_given_up_in_time() {
    let _turn = ONE_AT_A_TIME.lock();
    let on_loop = started();
    let (ended_in, ended) = unbounded();
    let clock = Arc::new(Clock {
        running: Mutex::default(),
        ended: ended_in,
    });
    let io_options = ServerOptions {
        ping_interval: PING_INTERVAL,
        ping_timeout: PING_TIMEOUT,
        ..ServerOptions::default()
    };
    let io = Server::new(Some(&on_loop), io_options, clock).unwrap();
    let options = sockline::ServerOptions {
        routes: vec![io.route()],
        ..local()
    };
    let server = sockline::listen(Some(&on_loop), options, None).unwrap();
    let silent: Vec<Peer> = (0..SESSIONS)
        .map(|_| {
            let mut peer = Peer::connect(port(server));
            peer.send(&get("/socket.io/?EIO=4&transport=polling"));
            response(&mut peer);
            thread::sleep(Duration::from_millis(7)); // each of them has a time of its own
            peer
        })
        .collect();
    let mut late: Vec<f64> = (0..SESSIONS)
        .map(|_| {
            let (session, sleeps) = ended.recv_timeout(PATIENCE).expect("another session ends");
            let thread = sleeps.join().unwrap();
            let late = session.saturating_duration_since(thread).as_secs_f64();
            late - thread.saturating_duration_since(session).as_secs_f64()
        })
        .collect();
    late.sort_by(f64::total_cmp);
    let median = late[SESSIONS / 2];
    println!("{:.3} ms in the median, of {late:?} s", median * 1e3);
    assert!(
        median.abs() < MOST.as_secs_f64(),
        "{:.3} ms from when it was due, in the median of {late:?} s",
        median * 1e3
    );
    drop(silent);
}
