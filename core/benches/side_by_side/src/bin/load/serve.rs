//! The server that a client under test talks to: it sends back what comes, and reads the client's CPU clock. The
//! client lives as long as its case, and is measured now and then: in between nothing is sent back, so that it waits.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::measured::{Course, Measured};
use crate::options::{Mode, Options};
use crate::peer::Peer;

const LISTENER: Token = Token(usize::MAX);
const ORDERS: Token = Token(usize::MAX - 1);
const RECEIVE_BUFFER: usize = 256 * 1024;
/// A client that sends nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut server = Server::listen(options)?;
    println!("{{\"port\": {}}}", options.port());
    while let Some(order) = server.next_order()? {
        println!("{}", server.measure(&order)?);
    }
    Ok(())
}

struct Server {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    connections: Vec<Connection>,
    /// How many there will be.
    expected: usize,
    /// Those that are open, with a session of Socket.IO if there is to be one.
    open: usize,
    io: bool,
    receive: Vec<u8>,
    /// Whether messages are not answered now.
    holds: bool,
    measured: Measured,
}

struct Connection {
    stream: TcpStream,
    peer: Peer,
    /// What the kernel did not take yet.
    outbox: Vec<u8>,
}

impl Server {
    fn listen(options: &Options) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port())))?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        let orders = io::stdin().as_raw_fd();
        registry.register(&mut SourceFd(&orders), ORDERS, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            listener,
            connections: Vec::new(),
            expected: options.connections,
            open: 0,
            io: options.io,
            receive: vec![0; RECEIVE_BUFFER],
            holds: true,
            measured: Measured::default(),
        })
    }

    /// Says when all connections are open, and awaits what is to be measured: none at the end of the input.
    fn next_order(&mut self) -> Result<Option<Options>, Box<dyn Error>> {
        let mut all_open = self.open == self.expected;
        loop {
            if self.turn(None)? {
                let mut line = String::new();
                io::stdin().read_line(&mut line)?;
                return if line.is_empty() {
                    Ok(None)
                } else {
                    Ok(Some(Options::order(&line)?))
                };
            }
            if !all_open && self.open == self.expected {
                all_open = true;
                println!("{{\"connections\": {}}}", self.open);
            }
        }
    }

    fn measure(&mut self, order: &Options) -> io::Result<String> {
        self.measured = Measured::default();
        let mut course = Course::begin(order)?;
        self.holds = false;
        let now = Instant::now();
        for connection in &mut self.connections {
            connection.answer(now)?;
        }
        loop {
            self.turn(Some(PATIENCE))?;
            course.advance(&mut self.measured)?;
            if let Some(span) = course.measured_span() {
                self.holds = true;
                return Ok(self.measured.json(span));
            }
        }
    }

    /// Says whether there is an order, or the end of them.
    fn turn(&mut self, patience: Option<Duration>) -> io::Result<bool> {
        self.poll.poll(&mut self.events, patience)?;
        if self.events.is_empty() {
            return Err(io::Error::new(ErrorKind::TimedOut, "the client stopped sending"));
        }
        let mut is_ordered = false;
        let mut comes_one = false;
        for event in &self.events {
            match event.token() {
                LISTENER => comes_one = true,
                ORDERS => is_ordered = true,
                Token(index) => {
                    let connection = &mut self.connections[index];
                    let was_open = connection.peer.is_open();
                    connection.turn(&mut self.receive, &mut self.measured, self.holds)?;
                    self.open += usize::from(!was_open && connection.peer.is_open());
                }
            }
        }
        if comes_one {
            self.accept()?;
        }
        Ok(is_ordered)
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let interests = Interest::READABLE | Interest::WRITABLE;
            let token = Token(self.connections.len());
            self.poll.registry().register(&mut stream, token, interests)?;
            self.connections.push(Connection {
                stream,
                peer: Peer::new(self.io),
                outbox: Vec::new(),
            });
        }
    }
}

impl Connection {
    fn turn(&mut self, receive: &mut [u8], measured: &mut Measured, holds: bool) -> io::Result<()> {
        self.send()?;
        loop {
            let length = match self.stream.read(receive) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the client hung up")),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let now = Instant::now();
            self.peer
                .take(&mut receive[..length], &mut self.outbox, |latency| {
                    if let Some(latency) = latency {
                        measured.record(now - latency);
                    }
                })?;
            if holds {
                self.send()?;
            } else {
                measured.add_bytes(self.peer.held());
                self.answer(now)?;
            }
            if length < receive.len() {
                return Ok(());
            }
        }
    }

    /// Sends the answers to all messages that have come.
    fn answer(&mut self, now: Instant) -> io::Result<()> {
        self.peer.answer(&mut self.outbox, now);
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(length) if length == self.outbox.len() => self.outbox.clear(),
                Ok(length) => drop(self.outbox.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Options {
    /// From a line `measure PID WARMUP SECONDS`.
    fn order(line: &str) -> Result<Self, Box<dyn Error>> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let ["measure", pid, warmup, seconds] = words[..] else {
            return Err(format!("what is {line:?}?").into());
        };
        Ok(Self {
            servers: vec![pid.parse()?],
            warmup: Duration::try_from_secs_f64(warmup.parse()?)?,
            duration: Duration::try_from_secs_f64(seconds.parse()?)?,
            ..Self::defaults(Mode::Serve)
        })
    }
}
