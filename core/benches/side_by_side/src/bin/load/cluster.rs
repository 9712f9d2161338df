//! Broadcasts in a cluster: one client of the first node sends, those of all nodes receive. A few messages at a time are
//! under way, and the next ones are sent when everybody has got the ones before.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::clock::{Span, micros};
use crate::frames::Frames;
use crate::histogram::Histogram;
use crate::measured::{Course, Measured};
use crate::options::Options;
use crate::replies::Check;
use crate::socket::{self, Opening};
use crate::transport::Transport;

const RECEIVE_BUFFER: usize = 256 * 1024;
/// A cluster that delivers nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Until nodes that have told Redis of their clients' rooms surely hear of them: nobody says when they do.
const SETTLE: Duration = Duration::from_millis(200);

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut clients = Vec::new();
    let frames = options.frames();
    for (node, port) in options.ports.iter().enumerate() {
        let opened = Opening::new(options, *port)?.open(options.connections)?;
        clients.extend(opened.streams.into_iter().map(|stream| Client {
            node,
            stream,
            check: Check::new(&frames, 0, false),
        }));
    }
    sleep(SETTLE);
    let mut load = Load::new(options, clients, frames)?;
    load.run(options)?;
    let mut streams: Vec<Transport> = load.clients.into_iter().map(|client| client.stream).collect();
    for stream in &streams {
        stream.socket().set_nonblocking(false)?;
    }
    socket::close(&mut streams)?;
    Ok(())
}

struct Client {
    node: usize,
    stream: Transport,
    check: Check,
}

struct Load {
    poll: Poll,
    clients: Vec<Client>,
    frames: Frames,
    /// Messages that are sent together, how many of them each client receives, and how many that makes on each node.
    run: usize,
    heard: usize,
    each: u32,
    pace: Duration,
    receive: Vec<u8>,
    measured: Measured,
    tally: Tally,
    /// Messages that have been sent.
    sent: u64,
    began: Instant,
    /// Deliveries that are still to come.
    in_flight: usize,
    /// Since then, by node: all deliveries' latencies together.
    latencies: Vec<Duration>,
}

impl Load {
    fn new(options: &Options, clients: Vec<Client>, frames: Frames) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (index, client) in clients.iter().enumerate() {
            client.stream.socket().set_nonblocking(true)?;
            let descriptor = client.stream.socket().as_raw_fd();
            poll.registry()
                .register(&mut SourceFd(&descriptor), Token(index), Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            clients,
            frames,
            run: options.pipeline,
            heard: options.pipeline - options.unheard,
            each: ((options.pipeline - options.unheard) * options.connections) as u32,
            pace: options.pace,
            receive: vec![0; RECEIVE_BUFFER],
            measured: Measured::default(),
            tally: Tally::default(),
            sent: 0,
            began: Instant::now(),
            in_flight: 0,
            latencies: vec![Duration::ZERO; options.ports.len()],
        })
    }

    fn run(&mut self, options: &Options) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut course = Course::begin(options)?;
        self.send()?;
        loop {
            self.turn(&mut events)?;
            course.advance(&mut self.measured)?;
            if self.in_flight > 0 {
                continue;
            }
            if let Some(span) = course.measured_span() {
                println!("{}", self.tally.json(&self.measured, span));
                return Ok(());
            }
            if self.began.elapsed() >= self.pace {
                self.send()?;
            }
        }
    }

    /// The next messages, which nothing of the ones before is in the way of.
    fn send(&mut self) -> io::Result<()> {
        let start = self.frames.requests.position(self.sent);
        self.sent += self.run as u64;
        let length = self.frames.requests.position(self.sent) - start;
        self.began = Instant::now();
        self.in_flight = self.clients.len() * self.heard;
        self.latencies.fill(Duration::ZERO);
        let stream = &mut self.clients[0].stream;
        stream.write_all(self.frames.requests.piece(start, length as usize))?;
        stream.flush()
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        let timeout = match self.in_flight {
            0 => self.pace.saturating_sub(self.began.elapsed()),
            _ => PATIENCE,
        };
        self.poll.poll(events, Some(timeout))?;
        if events.is_empty() && self.in_flight > 0 {
            let text = format!("{} deliveries did not come", self.in_flight);
            return Err(io::Error::new(ErrorKind::TimedOut, text));
        }
        for event in &*events {
            self.take(event.token().0)?;
        }
        Ok(())
    }

    fn take(&mut self, index: usize) -> io::Result<()> {
        let client = &mut self.clients[index];
        loop {
            let length = match client.stream.read(&mut self.receive) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "a server hung up")),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let latency = self.began.elapsed();
            let replies = client.check.take(&self.frames, &self.receive[..length])?;
            for _ in 0..replies {
                self.measured.record(latency);
                if self.measured.is_running() {
                    self.tally.record(client.node, latency);
                }
            }
            self.latencies[client.node] += latency * replies as u32;
            self.in_flight = self.in_flight.checked_sub(replies).ok_or_else(|| {
                let text = "a client received more than was sent";
                io::Error::new(ErrorKind::InvalidData, text)
            })?;
            if self.in_flight == 0 && replies > 0 && self.measured.is_running() {
                self.tally.end_run(&self.latencies, self.each);
            }
            if !client.stream.may_have_more(length, self.receive.len()) {
                return Ok(());
            }
        }
    }
}

/// What is found out in the measured part.
#[derive(Default)]
struct Tally {
    /// Runs of messages that everybody has got.
    runs: u64,
    /// On the node that has the sender.
    own: Histogram,
    others: Histogram,
    /// How much later than on the sender's node the messages of a run came on each other node, in the mean of its
    /// clients; in nanoseconds.
    added: Vec<i64>,
}

impl Tally {
    fn record(&mut self, node: usize, latency: Duration) {
        match node {
            0 => self.own.record(latency),
            _ => self.others.record(latency),
        }
    }

    /// `each` deliveries on each node have taken so long together.
    fn end_run(&mut self, latencies: &[Duration], each: u32) {
        self.runs += 1;
        let mean = |latency: &Duration| (*latency / each).as_nanos() as i64;
        let own = mean(&latencies[0]);
        self.added
            .extend(latencies[1..].iter().map(|latency| mean(latency) - own));
    }

    fn json(&mut self, measured: &Measured, span: &Span) -> String {
        self.added.sort_unstable();
        let added = |part: f64| {
            let rank = (self.added.len() as f64 * part).ceil() as usize;
            self.added
                .get(rank.saturating_sub(1))
                .map_or(0.0, |nanos| *nanos as f64 / 1e3)
        };
        let cpu: Vec<String> = span
            .servers
            .iter()
            .map(|time| format!("{:.3}", micros(*time)))
            .collect();
        let own = (self.own.quantile_us(0.50), self.own.quantile_us(0.99));
        let others = (self.others.quantile_us(0.50), self.others.quantile_us(0.99));
        format!(
            "{{{}, \"runs\": {}, \"cpu_us\": [{}], \"own_p50_us\": {:.2}, \"own_p99_us\": {:.2}, \
             \"others_p50_us\": {:.2}, \"others_p99_us\": {:.2}, \"added_p50_us\": {:.2}, \"added_p99_us\": {:.2}}}",
            span.json(measured.messages()),
            self.runs,
            cpu.join(", "),
            own.0,
            own.1,
            others.0,
            others.1,
            added(0.50),
            added(0.99),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_node_adds_is_the_difference_of_the_means() {
        let mut tally = Tally::default();
        for other in 1..=100 {
            let latencies = [20, 2 * other, 0].map(Duration::from_micros);
            tally.end_run(&latencies, 2);
        }
        let span = Span {
            wall: Duration::from_secs(1),
            servers: vec![Duration::from_micros(5), Duration::from_micros(7)],
            load: Duration::ZERO,
        };
        let json = tally.json(&Measured::default(), &span);
        // The third node is always 10 µs earlier, the second -9 to 90 µs later.
        assert!(
            json.contains(r#""added_p50_us": -10.00, "added_p99_us": 88.00"#),
            "{json}"
        );
        assert!(
            json.contains(r#""runs": 100, "cpu_us": [5.000, 7.000]"#),
            "{json}"
        );
    }
}
