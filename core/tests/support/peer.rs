//! Foreign peers: plain blocking sockets that send and read the bytes that a test asks for.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tungstenite::handshake::derive_accept_key;

use super::PATIENCE;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// What the system keeps for a peer that does not read. Left to itself it lets that grow to tens of MiB while a peer
/// reads, and then nothing is left to wait at the sender.
const RECEIVE_BUFFER: usize = 128 << 10;

pub const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// One frame as a server sends it; `first` is its first byte, such as 0x81 for a whole text.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    build(first, payload, None)
}

/// One frame as a client sends it.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    build(first, payload, Some(MASK))
}

/// The payload of a close frame.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

fn build(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(bit | length as u8),
        length @ 126..=0xffff => {
            bytes.push(bit | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(bit | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    match mask {
        Some(mask) => {
            bytes.extend_from_slice(&mask);
            bytes.extend(
                payload
                    .iter()
                    .zip(mask.iter().cycle())
                    .map(|(byte, mask)| byte ^ mask),
            );
        }
        None => bytes.extend_from_slice(payload),
    }
    bytes
}

/// One end of a connection that says only what it is told to.
pub struct Peer<S = TcpStream> {
    pub stream: S,
}

impl<S: Read + Write> Peer<S> {
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    #[track_caller]
    pub fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Up to the empty line; what follows stays in the socket.
    #[track_caller]
    pub fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read_exactly(1));
        }
        String::from_utf8(head).unwrap()
    }

    /// First byte and payload of the next frame, without its mask.
    #[track_caller]
    pub fn read_frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.read_exactly(2);
        let length = match head[1] & 0x7f {
            126 => u16::from_be_bytes(self.read_exactly(2).try_into().unwrap()) as usize,
            127 => u64::from_be_bytes(self.read_exactly(8).try_into().unwrap()) as usize,
            length => length as usize,
        };
        if head[1] & 0x80 == 0 {
            return (head[0], self.read_exactly(length));
        }
        let mask = self.read_exactly(4);
        let mut payload = self.read_exactly(length);
        payload
            .iter_mut()
            .zip(mask.iter().cycle())
            .for_each(|(byte, mask)| *byte ^= mask);
        (head[0], payload)
    }

    /// What comes until the other side has ended its direction.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).unwrap();
        bytes
    }
}

impl Peer {
    pub fn new(stream: TcpStream) -> Peer {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        SockRef::from(&stream)
            .set_recv_buffer_size(RECEIVE_BUFFER)
            .unwrap();
        Peer { stream }
    }

    #[track_caller]
    pub fn connect(port: u16) -> Peer {
        Peer::new(TcpStream::connect(("127.0.0.1", port)).unwrap())
    }

    /// A client of this port, after the opening handshake.
    #[track_caller]
    pub fn upgraded(port: u16) -> Peer {
        Peer::upgraded_with(port, "").0
    }

    /// The same with further lines in the request, each with its end; gives the response's head, too.
    #[track_caller]
    pub fn upgraded_with(port: u16, lines: &str) -> (Peer, String) {
        let mut peer = Peer::connect(port);
        let request = REQUEST
            .strip_suffix("\r\n")
            .expect("the request ends with an empty line");
        peer.send(format!("{request}{lines}\r\n").as_bytes());
        let head = peer.read_head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        (peer, head)
    }

    pub fn end_writing(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection with a reset, as a killed process with unread input does.
    pub fn reset(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}

/// A listening socket for clients of ours.
pub struct Host {
    pub listener: TcpListener,
}

impl Host {
    pub fn new() -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // On Linux also for how long it waits for a connection, so that a test fails to which nobody comes.
        SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).unwrap();
        Host { listener }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub fn url(&self) -> String {
        super::url(self.port())
    }

    pub fn accept(&self) -> Peer {
        Peer::new(self.listener.accept().unwrap().0)
    }

    /// Reads the request and answers something else than a server should.
    pub fn answer(&self, response: &str) -> Peer {
        let mut peer = self.accept();
        peer.read_head();
        peer.send(response.as_bytes());
        peer
    }

    /// Accepts the upgrade, and sends `more` in the same segment.
    pub fn accept_websocket(&self, more: &[u8]) -> Peer {
        let mut peer = self.accept();
        let request = peer.read_head();
        peer.send(&[switching(&request).as_bytes(), more].concat());
        peer
    }
}

/// A port of 127.0.0.1 that refuses, and that nobody else is given meanwhile: it is bound, and does not listen.
pub struct Nobody(Socket);

impl Nobody {
    pub fn new() -> Nobody {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any.into()).unwrap();
        Nobody(socket)
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().unwrap().as_socket().unwrap().port()
    }
}

/// The right response to a client's request.
pub fn switching(request: &str) -> String {
    let key = request
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .expect("the request has a key");
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}
