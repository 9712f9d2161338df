//! `sockline bench`: measures a WebSocket echo server.
//!
//! | file | what is there |
//! |---|---|
//! | `mod` | the course of a measurement |
//! | `load` | one connection: it sends, checks what comes back, and times it |
//! | `payload` | messages that can be told from each other |
//! | `report` | the result for people and for programs |
//!
//! Each connection has a fixed number of messages under way, so a server that is slow is sent less: latencies are those of
//! that load, not of clients that send whatever the server does.

mod load;
mod payload;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use sockline::{Error, Loop, LoopOptions, WebSocket};

use self::load::{Course, Lane, Peer, Trouble};
use self::report::Result as Measured;
use crate::arguments::Bench;
use crate::events::{Desk, Event};
use crate::failure::{Failure, exit};
use crate::options;
use crate::show;

const DEFAULT_TIME: Duration = Duration::from_secs(5);
/// How many connections are on their way at once: a server's backlog is short.
const CONNECTING: usize = 128;
const TICK: Duration = Duration::from_millis(100);

pub(crate) fn run(arguments: &Bench) -> Result<i32, Failure> {
    let url = options::url(&arguments.url, "ws");
    let mut client = options::client(&arguments.client, arguments.compress)?;
    client.subprotocols = arguments.subprotocols.clone();
    client.settings.max_message = arguments.size.max(1) + (1 << 20);
    client.settings.hard_limit = 0; // no more than the pipeline can wait
    let desk = Desk::new(false)?;
    allow_many_descriptors();
    let course = Arc::new(Course::new(arguments, Box::new(desk.bell())));
    let mut measurement = Measurement {
        arguments,
        url,
        client,
        desk,
        course,
        lanes: Vec::new(),
        peers: Vec::new(),
        signal: None,
    };
    let done = measurement.run();
    measurement.close();
    let measured = done?;
    let paint = crate::paint::Paint::stdout();
    measurement.desk.screen.message(&match arguments.json {
        true => measured.json(),
        false => measured.text(paint),
    });
    Ok(measurement
        .signal
        .map_or(exit::DONE, |signal| exit::SIGNAL + signal))
}

struct Measurement<'a> {
    arguments: &'a Bench,
    url: String,
    client: sockline::ClientOptions,
    desk: Desk,
    course: Arc<Course>,
    lanes: Vec<(Loop, Arc<Lane>)>,
    peers: Vec<(WebSocket, Arc<Peer>)>,
    signal: Option<i32>,
}

impl Measurement<'_> {
    fn run(&mut self) -> Result<Measured, Failure> {
        let beginning = |error: Error| Failure::beginning(&error);
        for _ in 0..self.arguments.threads {
            let lane = Loop::new(LoopOptions::default()).map_err(beginning)?;
            lane.start().map_err(beginning)?;
            self.lanes.push((lane, Arc::new(Lane::new())));
        }
        let before = Instant::now();
        self.connect()?;
        let connected_in = before.elapsed();
        let cpu_before = cpu();
        let begin = Instant::now();
        if self.signal.is_none() {
            for (ws, peer) in &self.peers {
                peer.start(*ws);
            }
            self.measure(begin)?;
        }
        let time = self.course.ended_after(begin);
        let cpu = cpu().saturating_sub(cpu_before);
        Ok(Measured {
            url: self.url.clone(),
            connections: self.arguments.connections,
            size: self.arguments.size,
            pipeline: self.arguments.pipeline,
            threads: self.arguments.threads,
            is_binary: self.arguments.binary,
            extensions: self
                .peers
                .first()
                .map_or(String::new(), |(ws, _)| ws.extensions()),
            connected_in,
            time,
            messages: self.course.messages(),
            cpu,
            latencies: Lane::together(self.lanes.iter().map(|(_, lane)| lane.as_ref())),
            is_complete: self.signal.is_none(),
        })
    }

    /// Opens all connections, some at a time.
    fn connect(&mut self) -> Result<(), Failure> {
        let wanted = self.arguments.connections as usize;
        let bar = self.bar(wanted as u64, "connecting {bar:30} {pos}/{len}");
        while self.course.open() < wanted && self.signal.is_none() {
            let room = CONNECTING.saturating_sub(self.peers.len() - self.course.open());
            for _ in 0..room.min(wanted - self.peers.len()) {
                let (on_loop, lane) = &self.lanes[self.peers.len() % self.lanes.len()];
                let peer = Arc::new(Peer::new(self.course.clone(), lane.clone(), self.arguments));
                let connected =
                    sockline::connect(Some(on_loop), &self.url, self.client.clone(), Some(peer.clone()));
                let ws = connected.map_err(|error| Failure::beginning(&error))?;
                self.peers.push((ws, peer));
            }
            self.pause(None);
            bar.set_position(self.course.open() as u64);
            self.check()?;
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Until the time is over or all messages are back.
    fn measure(&mut self, begin: Instant) -> Result<(), Failure> {
        let end = match self.arguments.count {
            Some(_) => None,
            None => Some(begin + self.arguments.seconds.unwrap_or(DEFAULT_TIME)),
        };
        let bar = match (self.arguments.count, end) {
            (Some(count), _) => self.bar(count, "{bar:30} {percent:>3} %  {msg}"),
            (None, end) => {
                let time = end.map_or(0, |end| (end - begin).as_millis() as u64);
                self.bar(time, "{bar:30} {percent:>3} %  {msg}")
            }
        };
        let mut moved = (0, Instant::now());
        loop {
            self.pause(end);
            self.check()?;
            let now = Instant::now();
            if self.signal.is_some() || end.is_some_and(|end| now >= end) {
                self.course.stop();
            }
            if self.course.is_done() {
                break;
            }
            let messages = self.course.messages();
            if messages != moved.0 {
                moved = (messages, now);
            } else if now - moved.1 >= self.arguments.timeout {
                return Err(self.stalled(messages));
            }
            bar.set_position(match self.arguments.count {
                Some(_) => messages,
                None => (now - begin).as_millis() as u64,
            });
            let rate = show::rate(messages, now - begin) as u64;
            bar.set_message(format!("{} messages/s", show::number(rate)));
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// A moment, or until something happens.
    fn pause(&mut self, end: Option<Instant>) {
        let tick = Instant::now() + TICK;
        match self.desk.next(Some(end.map_or(tick, |end| end.min(tick)))) {
            Event::Signal(signal) => self.signal = Some(signal),
            // The result can't be shown, but somebody may still look at the bar.
            Event::Bell | Event::Due | Event::Typed | Event::Broken => {}
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let Some(trouble) = self.course.trouble() else {
            return Ok(());
        };
        Err(match trouble {
            Trouble::NotConnected(error) => Failure::beginning(&error),
            Trouble::Lost(error) => Failure::losing(&error),
            Trouble::Closed(event) => {
                let ending = show::ending(event.code, &event.reason);
                Failure::new(exit::LOST, format!("the server closed a connection: {ending}"))
            }
            Trouble::NoEcho(text) => Failure::new(exit::NO_ECHO, format!("not an echo server: {text}"))
                .with_hint(
                    "bench needs a server that sends each message back, such as sockline listen --echo",
                ),
        })
    }

    fn stalled(&self, messages: u64) -> Failure {
        let time = show::duration(self.arguments.timeout);
        match messages {
            0 => Failure::new(exit::NO_ECHO, format!("nothing came back within {time}")).with_hint(
                "bench needs a server that sends each message back, such as sockline listen --echo",
            ),
            _ => Failure::new(
                exit::LOST,
                format!(
                    "no echo came for {time}, after {}",
                    show::count(messages, "message")
                ),
            ),
        }
    }

    fn bar(&self, length: u64, template: &str) -> ProgressBar {
        // It is drawn on a terminal only.
        let target = match self.arguments.json {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style.progress_chars("█▌ ")),
            Err(_) => bar,
        }
    }

    /// Closes all connections in good order.
    fn close(&mut self) {
        self.course.close();
        for (ws, _) in &self.peers {
            let _ = ws.close(Some(1000), ""); // it may have ended
        }
        for (lane, _) in &self.lanes {
            lane.shutdown(options::CLOSE_TIMEOUT);
        }
    }
}

/// What this process has used of processors.
fn cpu() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let time = [usage.user_time(), usage.system_time()];
    time.iter()
        .map(|time| {
            let micros = time.tv_sec().max(0) as u64 * 1_000_000 + time.tv_usec().max(0) as u64;
            Duration::from_micros(micros)
        })
        .sum()
}

/// As many open files as the system lets us have: each connection is one.
fn allow_many_descriptors() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most); // else there is room for fewer connections
    }
}
