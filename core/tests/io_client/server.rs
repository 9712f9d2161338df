//! A raw HTTP server: requests arrive at the test, which answers them in any order; WebSockets are handed over.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::support::peer::switching;
use crate::support::{PATIENCE, Peer};

pub struct Server {
    port: u16,
    arrivals: Receiver<Arrival>,
}

enum Arrival {
    Request(Request),
    WebSocket(String, Peer),
}

/// A request that waits for its answer; dropped, its connection is closed.
pub struct Request {
    pub head: String,
    pub body: String,
    answer: Sender<Vec<u8>>,
}

impl Request {
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut fields = fields.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        fields.next().map(|(_, value)| value)
    }

    /// The value of the query's parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target().split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    pub fn answer(self, body: &str) {
        self.answer_with("200 OK", "", body);
    }

    pub fn answer_with(self, status: &str, lines: &str, body: &str) {
        let length = body.len();
        let response = format!("HTTP/1.1 {status}\r\n{lines}Content-Length: {length}\r\n\r\n{body}");
        self.answer.send(response.into_bytes()).unwrap();
    }
}

impl Server {
    pub fn new() -> Server {
        Server::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn on(listener: TcpListener) -> Server {
        let (arrived, arrivals) = channel();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let arrived = arrived.clone();
                thread::spawn(move || serve(stream, &arrived));
            }
        });
        Server { port, arrivals }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    #[track_caller]
    fn next(&self) -> Arrival {
        self.arrivals
            .recv_timeout(PATIENCE)
            .expect("the client has to ask")
    }

    #[track_caller]
    pub fn request(&self) -> Request {
        match self.next() {
            Arrival::Request(request) => request,
            Arrival::WebSocket(head, _) => panic!("a WebSocket instead of a request: {head}"),
        }
    }

    #[track_caller]
    pub fn get(&self) -> Request {
        let request = self.request();
        assert!(
            request.head.starts_with("GET "),
            "{} {}",
            request.head,
            request.body
        );
        request
    }

    #[track_caller]
    pub fn post(&self) -> Request {
        let request = self.request();
        assert!(request.head.starts_with("POST "), "{}", request.head);
        request
    }

    /// A GET and a POST, whichever comes first.
    #[track_caller]
    pub fn get_and_post(&self) -> (Request, Request) {
        let (one, other) = (self.request(), self.request());
        if one.head.starts_with("GET ") {
            (one, other)
        } else {
            (other, one)
        }
    }

    /// A WebSocket, accepted, and its request.
    #[track_caller]
    pub fn websocket(&self) -> (String, Peer) {
        match self.next() {
            Arrival::WebSocket(head, peer) => (head, peer),
            Arrival::Request(request) => panic!("a request instead of a WebSocket: {}", request.head),
        }
    }

    /// Whatever comes next.
    #[track_caller]
    pub fn either(&self) -> Result<Request, (String, Peer)> {
        match self.next() {
            Arrival::Request(request) => Ok(request),
            Arrival::WebSocket(head, peer) => Err((head, peer)),
        }
    }

    /// Nothing has arrived that a test has not taken.
    pub fn is_quiet(&self) -> bool {
        self.arrivals.try_recv().is_err()
    }
}

/// Reads requests and writes answers, until the other side has enough.
fn serve(stream: TcpStream, arrived: &Sender<Arrival>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        if head.to_lowercase().contains("\r\nupgrade: websocket\r\n") {
            let mut peer = Peer::new(stream);
            peer.stream.write_all(switching(&head).as_bytes()).ok()?;
            return arrived.send(Arrival::WebSocket(head, peer)).ok();
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).ok()?;
        let (answer, answers) = channel();
        let body = String::from_utf8(body).unwrap();
        arrived
            .send(Arrival::Request(Request { head, body, answer }))
            .ok()?;
        let answer = answers.recv().ok()?;
        (&stream).write_all(&answer).ok()?;
    }
}
