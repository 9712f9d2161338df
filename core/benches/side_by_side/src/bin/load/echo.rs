//! The closed loop: every connection keeps `pipeline` messages in flight, from the warm-up over the measured
//! part to the end, when what is still out is awaited and checked. With a topic one connection sends, and all receive.
//! With a rate it is an open loop: `pace.rs`.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::clock::Span;
use crate::connection::Connection;
use crate::frames::Frames;
use crate::measured::{Course, Measured};
use crate::options::Options;
use crate::pace::Pace;
use crate::socket::{self, Opened, Opening};
use crate::transport::Transport;

const RECEIVE_BUFFER: usize = 256 * 1024;
/// A server that answers nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let opened = Opening::new(options, options.port())?.open(options.connections)?;
    let mut load = Load::new(options, opened)?;
    load.run(options)?;
    if !options.raw {
        socket::close(&mut load.into_blocking()?)?;
    }
    Ok(())
}

struct Load {
    poll: Poll,
    connections: Vec<Connection>,
    frames: Frames,
    pipeline: usize,
    /// Only the first connection sends, and all receive it.
    topic: bool,
    /// Replies that are still to come, on all connections.
    in_flight: usize,
    receive: Vec<u8>,
    measured: Measured,
    pace: Option<Pace>,
    /// When the server last answered.
    heard: Instant,
}

impl Load {
    fn new(options: &Options, opened: Opened) -> io::Result<Self> {
        let poll = Poll::new()?;
        let frames = options.frames();
        let mut connections = Vec::with_capacity(opened.streams.len());
        for (index, stream) in opened.streams.into_iter().enumerate() {
            stream.socket().set_nonblocking(true)?;
            let interests = Interest::READABLE | Interest::WRITABLE;
            let descriptor = stream.socket().as_raw_fd();
            poll.registry()
                .register(&mut SourceFd(&descriptor), Token(index), interests)?;
            let first = if options.topic { 0 } else { index % frames.count };
            connections.push(Connection::new(stream, &frames, first, opened.takeover));
        }
        Ok(Self {
            poll,
            connections,
            frames,
            pipeline: options.pipeline,
            topic: options.topic,
            in_flight: 0,
            receive: vec![0; RECEIVE_BUFFER],
            measured: Measured::default(),
            pace: options.rate.map(Pace::new),
            heard: Instant::now(),
        })
    }

    fn run(&mut self, options: &Options) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut course = Course::begin(options)?;
        let now = Instant::now();
        for index in 0..self.connections.len() {
            self.send(index, now)?;
        }
        loop {
            if course.measured_span().is_none() {
                self.send_what_is_due()?;
            }
            self.turn(&mut events)?;
            course.advance(&mut self.measured)?;
            if let Some(span) = course.measured_span() {
                self.pipeline = 0;
                if self.connections.iter().all(Connection::is_idle) {
                    println!("{}", self.result(span));
                    return Ok(());
                }
            }
        }
    }

    fn result(&self, span: &Span) -> String {
        match &self.pace {
            Some(pace) => self.measured.paced_json(span, pace),
            None => self.measured.json(span),
        }
    }

    /// In an open loop. It never sleeps, since a timer would make messages late.
    fn send_what_is_due(&mut self) -> io::Result<()> {
        let Some(pace) = &mut self.pace else {
            return Ok(());
        };
        let now = Instant::now();
        while let Some((number, due)) = pace.next(now) {
            let index = number as usize % self.connections.len();
            self.connections[index].send_due(&self.frames, due)?;
            if self.measured.is_running() {
                pace.record(due, Instant::now());
            }
        }
        Ok(())
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        let patience = if self.pace.is_some() {
            Duration::ZERO
        } else {
            PATIENCE
        };
        self.poll.poll(events, Some(patience))?;
        if events.is_empty() {
            if self.pace.is_some() && self.heard.elapsed() < PATIENCE {
                return Ok(());
            }
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                "the server stopped answering",
            ));
        }
        self.heard = Instant::now();
        for event in &*events {
            let index = event.token().0;
            loop {
                let connection = &mut self.connections[index];
                let received = connection.receive(&self.frames, &mut self.receive, |latency| {
                    self.measured.record(latency)
                })?;
                self.measured.add_bytes(received.bytes);
                self.in_flight -= received.replies.min(self.in_flight);
                self.send(index, received.now)?;
                if !received.more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Keeps the connection's pipeline full; with a topic, publishes once all have the message before; in an open loop
    /// sends only what the kernel has not taken yet.
    fn send(&mut self, index: usize, now: Instant) -> io::Result<()> {
        if self.pace.is_some() {
            return self.connections[index].flush(&self.frames);
        }
        if !self.topic {
            return self.connections[index].send(&self.frames, self.pipeline, now);
        }
        if self.in_flight > 0 || self.pipeline == 0 {
            return Ok(());
        }
        self.in_flight = self.connections.len();
        let (publisher, others) = self.connections.split_at_mut(1);
        for connection in others {
            connection.expect(now);
        }
        publisher[0].send(&self.frames, 1, now)
    }

    fn into_blocking(self) -> io::Result<Vec<Transport>> {
        let streams = self.connections.into_iter().map(Connection::into_stream);
        streams
            .map(|stream| stream.socket().set_nonblocking(false).map(|()| stream))
            .collect()
    }
}
