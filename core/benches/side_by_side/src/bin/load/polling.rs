//! The closed loop over Socket.IO's long polling: every connection is a client with HTTP's keep-alive. It posts an event,
//! reads the `ok`, gets what is there for it, which is the acknowledgement, and begins again. Counted are such pairs of
//! requests. No request ever waits at the server, so this is what requests cost, not what waiting does.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::frames::events;
use crate::http::response;
use crate::measured::{Course, Measured};
use crate::options::Options;
use crate::random::Random;
use crate::session::{CONNECT, CONNECTED, OPENED, PING, PONG};
use crate::socket;

const PATH: &str = "/socket.io/?EIO=4&transport=polling";
/// Stands between the packets in a body.
const SEPARATOR: char = '\x1e';
const RECEIVE_BUFFER: usize = 64 * 1024;
/// A server that answers nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let events = events(&mut Random::new(), options.size);
    let clients = (0..options.connections).map(|index| Client::open(options.port(), index, &events));
    let mut load = Load {
        poll: Poll::new()?,
        clients: clients.collect::<io::Result<_>>()?,
        acknowledgements: events.into_iter().map(|(_, reply)| reply).collect(),
        receive: vec![0; RECEIVE_BUFFER],
        measured: Measured::default(),
    };
    load.run(options)?;
    Ok(())
}

struct Load {
    poll: Poll,
    clients: Vec<Client>,
    acknowledgements: Vec<String>,
    receive: Vec<u8>,
    measured: Measured,
}

struct Client {
    stream: TcpStream,
    /// Requests with the events, one after the other.
    posts: Vec<Vec<u8>>,
    get: Vec<u8>,
    /// The event under way.
    event: usize,
    state: State,
    /// The beginning of a response.
    received: Vec<u8>,
    began: Instant,
}

#[derive(PartialEq)]
enum State {
    Idle,
    Posting,
    Getting,
}

impl Load {
    fn run(&mut self, options: &Options) -> io::Result<()> {
        for (index, client) in self.clients.iter_mut().enumerate() {
            client.stream.set_nonblocking(true)?;
            let descriptor = client.stream.as_raw_fd();
            let mut source = SourceFd(&descriptor);
            self.poll
                .registry()
                .register(&mut source, Token(index), Interest::READABLE)?;
        }
        let mut course = Course::begin(options)?;
        for client in &mut self.clients {
            client.post()?;
        }
        let mut polled = Events::with_capacity(1024);
        loop {
            self.turn(&mut polled, course.measured_span().is_some())?;
            course.advance(&mut self.measured)?;
            let idle = self.clients.iter().all(|client| client.state == State::Idle);
            if let (true, Some(span)) = (idle, course.measured_span()) {
                println!("{}", self.measured.json(span));
                return Ok(());
            }
        }
    }

    fn turn(&mut self, polled: &mut Events, last: bool) -> io::Result<()> {
        self.poll.poll(polled, Some(PATIENCE))?;
        if polled.is_empty() {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                "the server stopped answering",
            ));
        }
        for event in &*polled {
            let client = &mut self.clients[event.token().0];
            // Edge-triggered: what has come since is read before the loop waits again.
            loop {
                let length = match client.stream.read(&mut self.receive) {
                    Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server hung up")),
                    Ok(length) => length,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                };
                self.measured.add_bytes(length);
                client.received.extend_from_slice(&self.receive[..length]);
                if let Some(latency) = client.advance(&self.acknowledgements)? {
                    self.measured.record(latency);
                    if !last {
                        client.post()?;
                    }
                }
                if length < self.receive.len() {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Client {
    /// Opens a session and connects to the namespace `/`.
    fn open(port: u16, index: usize, events: &[(String, String)]) -> io::Result<Self> {
        let host = format!("HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n");
        let mut stream = socket::connect(port, index)?;
        let open = format!("GET {PATH} {host}\r\n");
        let opened = exchange(&mut stream, open.as_bytes())?;
        let sid = opened
            .strip_prefix(OPENED)
            .and_then(|rest| rest.split('"').nth(3));
        let sid = sid.ok_or_else(|| invalid(format!("no session was opened: {opened}")))?;

        let post = |body: &str| {
            let length = body.len();
            let head = format!("POST {PATH}&sid={sid} {host}Content-Type: text/plain;charset=UTF-8\r\n");
            format!("{head}Content-Length: {length}\r\n\r\n{body}").into_bytes()
        };
        let get = format!("GET {PATH}&sid={sid} {host}\r\n").into_bytes();
        exchange(&mut stream, &post(CONNECT))?;
        let mut connected = exchange(&mut stream, &get)?;
        if without_ping(&connected) != connected {
            connected = without_ping(&connected).into();
            exchange(&mut stream, &post(PONG))?;
            if connected.is_empty() {
                connected = exchange(&mut stream, &get)?;
            }
        }
        if !connected.starts_with(CONNECTED) {
            return Err(invalid(format!("the namespace was not connected: {connected}")));
        }
        Ok(Self {
            stream,
            posts: events.iter().map(|(event, _)| post(event)).collect(),
            get,
            event: index % events.len(),
            state: State::Idle,
            received: Vec::new(),
            began: Instant::now(),
        })
    }

    fn post(&mut self) -> io::Result<()> {
        self.began = Instant::now();
        self.state = State::Posting;
        // A request is far smaller than the socket's empty buffer.
        self.stream.write_all(&self.posts[self.event])
    }

    /// Takes a response that is complete now; gives the latency where it is the acknowledgement.
    fn advance(&mut self, acknowledgements: &[String]) -> io::Result<Option<Duration>> {
        let Some(response) = response(&self.received)? else {
            return Ok(None);
        };
        let wanted = match self.state {
            State::Posting => "ok",
            State::Getting => &acknowledgements[self.event],
            State::Idle => return Err(invalid("a response to no request".into())),
        };
        let body = String::from_utf8_lossy(&response.body);
        let body = without_ping(&body);
        let whole = response.length == self.received.len();
        if whole && body.is_empty() && self.state == State::Getting {
            self.received.clear();
            self.stream.write_all(&self.get)?;
            return Ok(None);
        }
        if !whole || !body.eq_ignore_ascii_case(wanted) {
            return Err(invalid(format!(
                "not {wanted:?} but {}",
                String::from_utf8_lossy(&self.received)
            )));
        }
        self.received.clear();
        if self.state == State::Posting {
            self.state = State::Getting;
            self.stream.write_all(&self.get)?;
            return Ok(None);
        }
        self.state = State::Idle;
        self.event = (self.event + 1) % acknowledgements.len();
        Ok(Some(self.began.elapsed()))
    }
}

/// The body without a ping before or behind the packet in it: some servers send the first at once.
fn without_ping(body: &str) -> &str {
    let body = body
        .strip_prefix(PING)
        .filter(|rest| rest.is_empty() || rest.starts_with(SEPARATOR))
        .unwrap_or(body);
    let body = body.trim_start_matches(SEPARATOR);
    body.strip_suffix(PING)
        .and_then(|rest| rest.strip_suffix(SEPARATOR))
        .unwrap_or(body)
}

/// A request and the body of the response to it, blocking.
fn exchange(stream: &mut TcpStream, request: &[u8]) -> io::Result<String> {
    stream.write_all(request)?;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server hung up"));
        }
        received.extend_from_slice(&buffer[..length]);
        if let Some(response) = response(&received)? {
            return Ok(String::from_utf8_lossy(&response.body).into_owned());
        }
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}
