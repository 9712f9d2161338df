//! The floor of a broadcast: a bare TCP server on mio that sends what one connection says to all, with one send for each.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use side_by_side::port_argument;
use slab::Slab;

const RECEIVE_BUFFER: usize = 64 * 1024;
const EVENTS_PER_TURN: usize = 1024;
const LISTENER: Token = Token(usize::MAX);

fn main() -> io::Result<()> {
    let port = port_argument()?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on 127.0.0.1:{port}");

    let mut events = Events::with_capacity(EVENTS_PER_TURN);
    let mut streams = Slab::new();
    let mut receive = vec![0; RECEIVE_BUFFER];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => accept(&poll, &listener, &mut streams)?,
                Token(key) => turn(&mut streams, key, &mut receive),
            }
        }
    }
}

fn accept(poll: &Poll, listener: &TcpListener, streams: &mut Slab<TcpStream>) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        let entry = streams.vacant_entry();
        poll.registry()
            .register(&mut stream, Token(entry.key()), Interest::READABLE)?;
        entry.insert(stream);
    }
}

/// Reads until there is no more, since no further edge tells of what is left. A connection that has ended or failed goes.
fn turn(streams: &mut Slab<TcpStream>, key: usize, receive: &mut [u8]) {
    while let Some(stream) = streams.get_mut(key) {
        match stream.read(receive) {
            Ok(0) => drop(streams.remove(key)),
            Ok(length) => send_to_all(streams, &receive[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => drop(streams.remove(key)),
        }
    }
}

/// A receiver whose buffers are full is given up: nobody is that slow here, and a floor keeps nothing for later.
fn send_to_all(streams: &mut Slab<TcpStream>, message: &[u8]) {
    streams.retain(|_, stream| matches!(stream.write(message), Ok(length) if length == message.len()));
}
