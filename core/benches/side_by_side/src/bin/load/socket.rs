//! Opening and closing connections, many at a time, with blocking sockets: nothing here is measured for latency.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// Key and answer are those of RFC 6455 section 1.3: a server that computes the answer cannot tell, and the
/// load generator needs no SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const CLOSE: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8]; // code 1000, masked with zeros
const MAX_HEAD: usize = 16 << 10;
const TIMEOUT: Duration = Duration::from_secs(20);
/// Connections whose handshakes are under way together.
const BATCH: usize = 64;
/// Source addresses 127.0.0.1 to 127.0.0.8, so that ports which linger in TIME-WAIT do not run out.
const SOURCES: usize = 8;

/// Opens `count` connections, upgraded to WebSocket unless `raw`.
pub fn open(port: u16, count: usize, raw: bool) -> io::Result<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(count);
    while streams.len() < count {
        let opened = streams.len();
        for index in opened..count.min(opened + BATCH) {
            streams.push(connect(port, index)?);
        }
        if !raw {
            upgrade(&mut streams[opened..], port)?;
        }
    }
    Ok(streams)
}

/// Sends a close frame on each and waits for the answer. A server may also just hang up.
pub fn close(streams: &mut [TcpStream]) -> io::Result<()> {
    for stream in &mut *streams {
        stream.write_all(CLOSE)?;
    }
    for stream in streams {
        let mut answer = [0; 4];
        match stream.read_exact(&mut answer) {
            Ok(()) if answer[0] != CLOSE[0] => {
                return Err(invalid("something else than a close frame came last"));
            }
            Err(error)
                if !matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
            {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}

fn connect(port: u16, index: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let source = Ipv4Addr::new(127, 0, 0, 1 + (index % SOURCES) as u8);
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn upgrade(streams: &mut [TcpStream], port: u16) -> io::Result<()> {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    for stream in &mut *streams {
        stream.write_all(request.as_bytes())?;
    }
    streams.iter_mut().try_for_each(check_response)
}

fn check_response(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        let length = stream.read(&mut buffer)?;
        head.extend_from_slice(&buffer[..length]);
        if length == 0 || head.len() > MAX_HEAD {
            return Err(invalid("the handshake response has no end"));
        }
    }
    let accepted = head.windows(ACCEPT.len()).any(|window| window == ACCEPT);
    if head.starts_with(b"HTTP/1.1 101 ") && accepted {
        Ok(())
    } else {
        Err(invalid("the upgrade was refused"))
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}
