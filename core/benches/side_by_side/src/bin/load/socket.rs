//! Opening and closing connections, many at a time, with blocking sockets: nothing here is measured for latency.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use socket2::{Domain, Socket, Type};

use crate::options::Options;
use crate::session;
use crate::transport::{self, Transport};

/// Key and answer are those of RFC 6455 section 1.3: a server that computes the answer cannot tell, and the
/// load generator needs no SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// What browsers offer (RFC 7692 section 7.1).
const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
const DEFLATE: &str = "permessage-deflate";
const NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLOSE: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8]; // code 1000, masked with zeros
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const MAX_HEAD: usize = 16 << 10;
const TIMEOUT: Duration = Duration::from_secs(20);
/// Connections whose handshakes are under way together.
const BATCH: usize = 64;
/// Source addresses 127.0.0.1 to 127.0.0.64, so that ports which linger in TIME-WAIT do not run out.
const SOURCES: usize = 64;

/// How connections are opened.
pub struct Opening {
    port: u16,
    raw: bool,
    io: bool,
    deflate: bool,
    tls: Option<Arc<ClientConfig>>,
}

pub struct Opened {
    pub streams: Vec<Transport>,
    /// Whether the server's compressor keeps its context between messages.
    pub takeover: bool,
}

impl Opening {
    pub fn new(options: &Options, port: u16) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            port,
            raw: options.raw,
            io: options.io,
            deflate: options.deflate,
            tls: options.tls.as_deref().map(transport::tls).transpose()?,
        })
    }

    /// Opens `count` connections, upgraded to WebSocket unless `raw`, with a session of Socket.IO if `io`.
    pub fn open(&self, count: usize) -> io::Result<Opened> {
        let mut streams = Vec::with_capacity(count);
        let mut takeover = false;
        while streams.len() < count {
            let opened = streams.len();
            for index in opened..count.min(opened + BATCH) {
                streams.push(Transport::new(connect(self.port, index)?, self.tls.as_ref())?);
            }
            streams[opened..].iter_mut().try_for_each(Transport::handshake)?;
            if !self.raw {
                takeover = self.upgrade(&mut streams[opened..])?;
            }
        }
        Ok(Opened { streams, takeover })
    }

    /// Says whether the server keeps its context; all answer alike.
    fn upgrade(&self, streams: &mut [Transport]) -> io::Result<bool> {
        let port = self.port;
        let path = if self.io { session::WEBSOCKET_PATH } else { "/" };
        let offer = if self.deflate { OFFER } else { "" };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
        );
        for stream in &mut *streams {
            stream.write_all(request.as_bytes())?;
            stream.flush()?;
        }
        let mut takeover = false;
        for stream in &mut *streams {
            let (head, early) = response(stream)?;
            takeover = self.check_response(&head)?;
            if self.io {
                session::connect(stream, early)?;
            } else if !early.is_empty() {
                return Err(invalid("something came behind the handshake response"));
            }
        }
        if self.io {
            streams.iter_mut().try_for_each(session::await_connected)?;
        }
        Ok(takeover)
    }

    fn check_response(&self, head: &[u8]) -> io::Result<bool> {
        let head = String::from_utf8_lossy(head);
        if !head.starts_with("HTTP/1.1 101 ") || !head.contains(ACCEPT) {
            return Err(invalid("the upgrade was refused"));
        }
        if head.contains(DEFLATE) != self.deflate {
            return Err(invalid("compression was not agreed on as asked for"));
        }
        Ok(self.deflate && !head.contains(NO_CONTEXT_TAKEOVER))
    }
}

/// Sends a close frame on each and waits for the answer. A server may also just hang up.
pub fn close(streams: &mut [Transport]) -> io::Result<()> {
    for stream in &mut *streams {
        stream.write_all(CLOSE)?;
        stream.flush()?;
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

pub fn connect(port: u16, index: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let source = Ipv4Addr::new(127, 0, 0, 1 + (index % SOURCES) as u8);
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// The head of the response to an upgrade, and what came behind it.
fn response(stream: &mut Transport) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let end = head
            .windows(END_OF_HEAD.len())
            .position(|window| window == END_OF_HEAD);
        if let Some(end) = end {
            let early = head.split_off(end + END_OF_HEAD.len());
            return Ok((head, early));
        }
        let length = stream.read(&mut buffer)?;
        head.extend_from_slice(&buffer[..length]);
        if length == 0 || head.len() > MAX_HEAD {
            return Err(invalid("the handshake response has no end"));
        }
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}
