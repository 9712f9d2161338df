//! The closed loop: every connection keeps `pipeline` messages in flight, from the warm-up over the measured
//! part to the end, when what is still out is awaited and checked.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::clock::{Clocks, Mark, Span};
use crate::connection::Connection;
use crate::frames::Frames;
use crate::histogram::Histogram;
use crate::options::Options;
use crate::socket;

const RECEIVE_BUFFER: usize = 256 * 1024;
/// A server that answers nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let streams = socket::open(options.port, options.connections, options.raw)?;
    let mut load = Load::new(options, streams)?;
    let span = load.run(options)?;
    println!(
        "{{{}, \"p50_us\": {:.2}, \"p99_us\": {:.2}}}",
        span.json(load.measured.messages),
        load.measured.latencies.quantile_us(0.50),
        load.measured.latencies.quantile_us(0.99),
    );
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
    receive: Vec<u8>,
    measured: Measured,
}

/// What is counted between the two marks.
#[derive(Default)]
struct Measured {
    running: bool,
    messages: u64,
    latencies: Histogram,
}

enum Phase {
    WarmUp,
    Measured(Mark),
    Draining(Span),
}

impl Load {
    fn new(options: &Options, streams: Vec<std::net::TcpStream>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let frames = Frames::new(options.size, options.pipeline, options.raw);
        let mut connections = Vec::with_capacity(streams.len());
        for (index, stream) in streams.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let interests = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(index), interests)?;
            connections.push(Connection::new(stream, &frames, index % frames.count));
        }
        let receive = vec![0; RECEIVE_BUFFER];
        Ok(Self {
            poll,
            connections,
            frames,
            pipeline: options.pipeline,
            receive,
            measured: Measured::default(),
        })
    }

    fn run(&mut self, options: &Options) -> io::Result<Span> {
        let clocks = Clocks::of_server(options.server)?;
        let mut events = Events::with_capacity(1024);
        let mut phase = Phase::WarmUp;
        let mut began = Instant::now();
        for connection in &mut self.connections {
            connection.send(&self.frames, self.pipeline, began)?;
        }
        loop {
            self.turn(&mut events)?;
            phase = match phase {
                Phase::WarmUp if began.elapsed() >= options.warmup => {
                    self.measured.running = true;
                    began = Instant::now();
                    Phase::Measured(clocks.mark()?)
                }
                Phase::Measured(start) if self.is_enough(options, began) => {
                    self.measured.running = false;
                    self.pipeline = 0;
                    Phase::Draining(clocks.since(&start)?)
                }
                Phase::Draining(span) if self.connections.iter().all(Connection::is_idle) => return Ok(span),
                unchanged => unchanged,
            };
        }
    }

    fn is_enough(&self, options: &Options, began: Instant) -> bool {
        match options.count {
            Some(count) => self.measured.messages >= count,
            None => began.elapsed() >= options.duration,
        }
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        self.poll.poll(events, Some(PATIENCE))?;
        if events.is_empty() {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                "the server stopped answering",
            ));
        }
        for event in &*events {
            let connection = &mut self.connections[event.token().0];
            loop {
                let (more, now) = connection.receive(&self.frames, &mut self.receive, |latency| {
                    self.measured.record(latency)
                })?;
                connection.send(&self.frames, self.pipeline, now)?;
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }

    fn into_blocking(self) -> io::Result<Vec<std::net::TcpStream>> {
        let streams = self
            .connections
            .into_iter()
            .map(|connection| connection.into_stream().into());
        streams
            .map(|stream: std::net::TcpStream| stream.set_nonblocking(false).map(|()| stream))
            .collect()
    }
}

impl Measured {
    fn record(&mut self, latency: Duration) {
        if self.running {
            self.messages += 1;
            self.latencies.record(latency);
        }
    }
}
