//! What the two hand-made servers of the benchmark share: one mio loop, one receive buffer of
//! 64 KiB, no second read after a short one, one send per connection and readiness.
//!
//! `raw_tcp` (the floor) and `raw_ws` differ only in their [`Protocol`].

pub mod client;
pub mod websocket;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

const RECEIVE_BUFFER: usize = 64 * 1024;
const EVENTS_PER_TURN: usize = 1024;
const LISTENER: Token = Token(usize::MAX);

/// Turns the bytes that one read brought into the bytes to send for them.
pub trait Protocol: Default {
    /// `received` may be changed in place; `cork` is a scratch buffer of the loop, with contents left
    /// from other connections. The reply borrows from either. An error closes the connection.
    fn reply<'a>(&mut self, received: &'a mut [u8], cork: &'a mut Vec<u8>) -> io::Result<&'a [u8]>;
}

/// Runs an echo server with the port in the first argument, for ever.
pub fn main<P: Protocol>() -> io::Result<()> {
    let port = port_argument()?;
    let server = Server::<P>::listen(port)?;
    println!("listening on 127.0.0.1:{port}");
    server.run()
}

/// The port in the program's first argument.
pub fn port_argument() -> io::Result<u16> {
    let port = std::env::args().nth(1).and_then(|argument| argument.parse().ok());
    port.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the first argument must be a port"))
}

struct Server<P> {
    poll: Poll,
    listener: TcpListener,
    connections: Slab<Connection<P>>,
    receive: Vec<u8>,
    cork: Vec<u8>,
}

impl<P: Protocol> Server<P> {
    fn listen(port: u16) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            connections: Slab::new(),
            receive: vec![0; RECEIVE_BUFFER],
            cork: Vec::new(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(key) => self.turn(key, event),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let entry = self.connections.vacant_entry();
            // Both interests at once: edge-triggered, so writability costs no epoll_ctl later.
            let interests = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut stream, Token(entry.key()), interests)?;
            entry.insert(Connection {
                stream,
                outbox: Vec::new(),
                protocol: P::default(),
            });
        }
    }

    fn turn(&mut self, key: usize, event: &Event) {
        // A connection that was closed earlier in this turn may still have an event.
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection
            .turn(&mut self.receive, &mut self.cork, event.is_read_closed())
            .is_err()
        {
            self.connections.remove(key);
        }
    }
}

struct Connection<P> {
    stream: TcpStream,
    /// What the kernel did not take yet. While it is not empty nothing is read.
    outbox: Vec<u8>,
    protocol: P,
}

impl<P: Protocol> Connection<P> {
    fn turn(&mut self, receive: &mut [u8], cork: &mut Vec<u8>, read_closed: bool) -> io::Result<()> {
        if !self.outbox.is_empty() && !self.send_outbox()? {
            return Ok(());
        }
        loop {
            let length = match self.stream.read(receive) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let reply = self.protocol.reply(&mut receive[..length], cork)?;
            let sent = send(&mut self.stream, reply)?;
            if sent < reply.len() {
                self.outbox.extend_from_slice(&reply[sent..]);
                return Ok(());
            }
            // A short read has emptied the socket, but no further edge announces an end that is there already.
            if length < receive.len() && !read_closed {
                return Ok(());
            }
        }
    }

    /// Whether the outbox is empty now.
    fn send_outbox(&mut self) -> io::Result<bool> {
        let sent = send(&mut self.stream, &self.outbox)?;
        if sent < self.outbox.len() {
            self.outbox.drain(..sent);
            return Ok(false);
        }
        self.outbox = Vec::new();
        Ok(true)
    }
}

/// Sends what the kernel takes at once and says how much that was.
fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return Ok(0);
    }
    match stream.write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
