//! A server that records what it hears, and clients that speak packets.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;
use sockline::io::{
    self, AckResult, BroadcastAcks, ConnectQuestion, DisconnectReason, EnginePacket, Event, Handler,
    Namespace, NamespaceQuestion, Outgoing, RequestQuestion, RoomEvent, ServerEvent, SessionInfo, Socket,
};
use sockline::{Loop, ServerOptions};

use crate::support::{PATIENCE, Peer, local, masked, port, started};

#[path = "poller.rs"]
pub mod poller;

pub use self::poller::Poller;

type Hook<Q> = Mutex<Option<Box<dyn Fn(Q) + Send + Sync>>>;
type EventHook = Mutex<Option<Box<dyn Fn(&Socket, Event<'_>) + Send + Sync>>>;
type ServerEventHook = Mutex<Option<Box<dyn Fn(&Namespace, ServerEvent<'_>) + Send + Sync>>>;
type SocketHook = Mutex<Option<Box<dyn Fn(&Socket) + Send + Sync>>>;

/// Says what it hears in a line each, and does what it was told to.
pub struct Recorder {
    lines: Sender<String>,
    sockets: Sender<Socket>,
    /// What it has heard of sessions; most tests don't look.
    sessions: Sender<String>,
    pub on_request: Hook<RequestQuestion>,
    pub on_namespace: Hook<NamespaceQuestion>,
    pub on_connecting: Hook<ConnectQuestion>,
    pub on_connection: SocketHook,
    pub on_disconnecting: SocketHook,
    pub on_event: EventHook,
    pub on_server_side_emit: ServerEventHook,
}

impl Recorder {
    pub fn say(&self, line: String) {
        let _ = self.lines.send(line); // a test that has ended listens no more
    }
}

/// A hook that a test sets.
pub fn set<T: ?Sized>(hook: &Mutex<Option<Box<T>>>, act: Box<T>) {
    *hook.lock() = Some(act);
}

impl Handler for Recorder {
    fn on_request(&self, question: RequestQuestion) {
        match &*self.on_request.lock() {
            Some(hook) => hook(question),
            None => question.allow(),
        }
    }

    fn on_session(&self, session: &SessionInfo<'_>) {
        let SessionInfo {
            id,
            request,
            transport,
            protocol,
        } = session;
        let line = format!("{id} begins: {} {protocol} {}", transport.name(), request.url());
        let _ = self.sessions.send(line);
    }

    fn on_session_upgraded(&self, session_id: &str) {
        let _ = self.sessions.send(format!("{session_id} upgraded"));
    }

    fn on_packet(&self, session_id: &str, packet: &EnginePacket<'_>) {
        let way = if packet.outgoing { "to" } else { "from" };
        let _ = self
            .sessions
            .send(format!("{way} {session_id}: {:?} {:?}", packet.kind, packet.data));
    }

    fn on_session_closed(&self, session_id: &str, reason: DisconnectReason, _detail: &str) {
        let line = format!("{session_id} closed: {}", reason.as_str());
        let _ = self.sessions.send(line);
    }

    fn on_connection_error(&self, error: &io::ConnectionError) {
        self.say(format!("connection error {} {}", error.code, error.message));
    }

    fn on_namespace(&self, question: NamespaceQuestion) {
        self.say(format!("namespace {} {}", question.name(), question.auth()));
        match &*self.on_namespace.lock() {
            Some(hook) => hook(question),
            None => question.deny(),
        }
    }

    fn on_new_namespace(&self, namespace: &Namespace) {
        self.say(format!("new namespace {}", namespace.name()));
    }

    fn on_connecting(&self, question: ConnectQuestion) {
        let socket = question.socket();
        self.say(format!(
            "connecting {} {}",
            question.namespace().name(),
            socket.auth()
        ));
        match &*self.on_connecting.lock() {
            Some(hook) => hook(question),
            None => question.allow(),
        }
    }

    fn on_connect_abandoned(&self, socket: &Socket) {
        self.say(format!("abandoned {}", socket.namespace().name()));
    }

    fn on_connection(&self, socket: &Socket) {
        let again = if socket.recovered() { " again" } else { "" };
        self.say(format!("connection {}{again}", socket.namespace().name()));
        if let Some(hook) = &*self.on_connection.lock() {
            hook(socket);
        }
        let _ = self.sockets.send(socket.clone());
    }

    fn on_event(&self, socket: &Socket, event: Event<'_>) {
        let ack = if event.ack.is_some() { " ack" } else { "" };
        let attached: Vec<_> = event.attachments.iter().map(|data| data.to_vec()).collect();
        let attached = if attached.is_empty() {
            String::new()
        } else {
            format!(" {attached:?}")
        };
        self.say(format!("event {} [{}]{attached}{ack}", event.name, event.args));
        if let Some(hook) = &*self.on_event.lock() {
            hook(socket, event);
        }
    }

    fn on_ack(&self, _socket: &Socket, token: u64, result: AckResult<'_>) {
        let result = match result {
            AckResult::Answered {
                args,
                attachments: [],
            } => format!("[{args}]"),
            AckResult::Answered { args, attachments } => format!("[{args}] {attachments:?}"),
            AckResult::Timeout => "timeout".to_owned(),
            AckResult::Disconnected => "disconnected".to_owned(),
        };
        self.say(format!("ack {token} {result}"));
    }

    fn on_broadcast_ack(&self, namespace: &Namespace, token: u64, acks: BroadcastAcks<'_>) {
        let mut args: Vec<_> = acks
            .responses
            .iter()
            .map(|response| response.args.to_string())
            .collect();
        args.sort();
        let late = if acks.timed_out { " late" } else { "" };
        self.say(format!(
            "acks {} {token} {}/{}{late} {args:?}",
            namespace.name(),
            args.len(),
            acks.expected
        ));
    }

    fn on_outgoing(&self, _socket: &Socket, event: Outgoing<'_>) {
        self.say(format!("outgoing {}", event.array));
    }

    fn on_drain(&self, _socket: &Socket) {
        self.say("drain".to_owned());
    }

    fn on_upgrade(&self, socket: &Socket) {
        self.say(format!("upgrade {}", socket.transport().name()));
    }

    fn on_disconnecting(&self, socket: &Socket, reason: DisconnectReason) {
        self.say(format!(
            "disconnecting {} {}",
            reason.as_str(),
            socket.rooms().len()
        ));
        if let Some(hook) = &*self.on_disconnecting.lock() {
            hook(socket);
        }
    }

    fn on_disconnect(&self, socket: &Socket, reason: DisconnectReason, _detail: &str) {
        assert!(!socket.connected() && socket.rooms().is_empty());
        self.say(format!(
            "disconnect {} {}",
            socket.namespace().name(),
            reason.as_str()
        ));
    }

    fn on_room(&self, namespace: &Namespace, event: RoomEvent<'_>) {
        // Rooms that sockets have to themselves are named differently each time.
        let own = |room: &str, id: &str| {
            if room == id {
                "own".to_owned()
            } else {
                room.to_owned()
            }
        };
        let name = namespace.name();
        match event {
            RoomEvent::Created { room } if room.len() < 20 => self.say(format!("create {name} {room}")),
            RoomEvent::Joined { room, id } => self.say(format!("join {name} {}", own(room, id))),
            RoomEvent::Left { room, id } => self.say(format!("leave {name} {}", own(room, id))),
            RoomEvent::Deleted { room } if room.len() < 20 => self.say(format!("delete {name} {room}")),
            _ => {}
        }
    }

    fn on_server_side_emit(&self, namespace: &Namespace, event: ServerEvent<'_>) {
        let ack = if event.ack.is_some() { " ack" } else { "" };
        let (name, args, count) = (&event.name, event.args, event.attachments.len());
        self.say(format!(
            "server {} {name} [{args}] {count}{ack}",
            namespace.name()
        ));
        if let Some(hook) = &*self.on_server_side_emit.lock() {
            hook(namespace, event);
        }
    }

    fn on_server_closed(&self, _server: &io::Server) {
        self.say("server closed".to_owned());
    }
}

/// A server, its handler and what that says.
pub struct Fixture {
    pub io: io::Server,
    pub handler: Arc<Recorder>,
    lines: Receiver<String>,
    sockets: Receiver<Socket>,
    sessions: Receiver<String>,
    pub port: u16,
    pub on_loop: Loop,
}

pub fn serve() -> Fixture {
    serve_with(|_| {})
}

pub fn serve_with(change: impl FnOnce(&mut io::ServerOptions)) -> Fixture {
    serve_on(1, change)
}

/// With so many loops.
pub fn serve_on(threads: usize, change: impl FnOnce(&mut io::ServerOptions)) -> Fixture {
    let mut io_options = io::ServerOptions::default();
    change(&mut io_options);
    let on_loop = started();
    let (lines_in, lines) = unbounded();
    let (sockets_in, sockets) = unbounded();
    let (sessions_in, sessions) = unbounded();
    let handler = Arc::new(Recorder {
        lines: lines_in,
        sockets: sockets_in,
        sessions: sessions_in,
        on_request: Mutex::default(),
        on_namespace: Mutex::default(),
        on_connecting: Mutex::default(),
        on_connection: Mutex::default(),
        on_disconnecting: Mutex::default(),
        on_event: Mutex::default(),
        on_server_side_emit: Mutex::default(),
    });
    let io = io::Server::new(Some(&on_loop), io_options, handler.clone()).unwrap();
    let options = ServerOptions {
        routes: vec![io.route()],
        threads,
        ..local()
    };
    let server = sockline::listen(Some(&on_loop), options, None).unwrap();
    Fixture {
        io,
        handler,
        lines,
        sockets,
        sessions,
        port: port(server),
        on_loop,
    }
}

impl Fixture {
    /// What the handler heard next.
    #[track_caller]
    pub fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("another line")
    }

    /// All that the handler has heard next, in this order.
    #[track_caller]
    pub fn hears(&self, expected: &[&str]) {
        for line in expected {
            assert_eq!(self.next(), *line);
        }
    }

    /// What it heard next of sessions.
    #[track_caller]
    pub fn next_of_session(&self) -> String {
        self.sessions.recv_timeout(PATIENCE).expect("another line")
    }

    #[track_caller]
    pub fn hears_of_session(&self, expected: &str) {
        assert_eq!(self.next_of_session(), expected);
    }

    /// What it has heard so far.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.lines.try_iter()
    }

    /// It has heard nothing else so far.
    #[track_caller]
    pub fn hears_nothing_more(&self) {
        self.settle();
        assert_eq!(self.lines.try_recv().ok(), None);
    }

    /// Returns when the loop has done what it was asked to do so far.
    pub fn settle(&self) {
        let home = sockline::Home::of_loop(&self.on_loop);
        for _ in 0..3 {
            let (done, is_done) = unbounded();
            assert!(home.run(Box::new(move || done.send(()).unwrap_or_default())));
            is_done.recv_timeout(PATIENCE).expect("the loop turns");
        }
    }

    /// Returns when this is so, after however many turns of the loop.
    #[track_caller]
    pub fn settles(&self, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "it never came to that");
            self.settle();
        }
    }

    /// A client over a WebSocket that has not joined any namespace.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::open(self.port, "EIO=4&transport=websocket")
    }

    /// A client that is connected to the main namespace, and its socket.
    #[track_caller]
    pub fn joined(&self) -> (Client, Socket) {
        self.joined_to("/")
    }

    #[track_caller]
    pub fn joined_to(&self, namespace: &str) -> (Client, Socket) {
        self.io.of(namespace);
        let mut client = self.client();
        client.join(namespace);
        (client, self.sockets.recv_timeout(PATIENCE).expect("a socket"))
    }

    /// The next socket that was connected.
    #[track_caller]
    pub fn socket(&self) -> Socket {
        self.sockets.recv_timeout(PATIENCE).expect("a socket")
    }

    /// Forgets what the handler has heard so far.
    pub fn skip(&self) {
        self.settle();
        self.lines.try_iter().for_each(drop);
    }
}

/// What a client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    Text(String),
    Binary(Vec<u8>),
    Closed,
}

/// A client over a WebSocket.
pub struct Client {
    pub peer: Peer,
    /// The first packet.
    pub opened: String,
    /// The id and private id of the namespace joined last.
    pub id: String,
    pub pid: Option<String>,
}

/// The request for a WebSocket at this path.
pub fn upgrade_request(query: &str, lines: &str) -> String {
    format!(
        "GET /socket.io/?{query} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
    )
}

impl Client {
    #[track_caller]
    pub fn open(port: u16, query: &str) -> Client {
        Client::open_with(port, query, "")
    }

    /// With further lines in the request, each with its end.
    #[track_caller]
    pub fn open_with(port: u16, query: &str, lines: &str) -> Client {
        let mut peer = Peer::connect(port);
        peer.send(upgrade_request(query, lines).as_bytes());
        let head = peer.read_head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let mut client = Client {
            peer,
            opened: String::new(),
            id: String::new(),
            pid: None,
        };
        client.opened = client.text();
        assert!(client.opened.starts_with("0{\"sid\":"), "{}", client.opened);
        client
    }

    /// Joins a namespace; its reply is kept.
    #[track_caller]
    pub fn join(&mut self, namespace: &str) {
        self.join_with(namespace, "");
    }

    #[track_caller]
    pub fn join_with(&mut self, namespace: &str, auth: &str) {
        let place = if namespace == "/" {
            String::new()
        } else {
            format!("{namespace},")
        };
        self.say(&format!("40{place}{auth}"));
        self.joined(namespace);
    }

    /// The reply to CONNECT.
    #[track_caller]
    pub fn joined(&mut self, namespace: &str) {
        let place = if namespace == "/" {
            String::new()
        } else {
            format!("{namespace},")
        };
        let reply = self.text();
        let payload = reply
            .strip_prefix(&format!("40{place}"))
            .unwrap_or_else(|| panic!("{reply}"));
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
        self.id = payload["sid"].as_str().unwrap().to_owned();
        self.pid = payload["pid"].as_str().map(str::to_owned);
        let keys = payload.as_object().unwrap().len();
        assert_eq!(keys, 1 + usize::from(self.pid.is_some()), "{reply}");
    }

    #[track_caller]
    pub fn say(&mut self, packet: &str) {
        self.peer.send(&masked(0x81, packet.as_bytes()));
    }

    #[track_caller]
    pub fn say_binary(&mut self, data: &[u8]) {
        self.peer.send(&masked(0x82, data));
    }

    /// The next message; pings are answered.
    #[track_caller]
    pub fn got(&mut self) -> Got {
        loop {
            match self.peer.read_frame() {
                (0x81, text) if text == b"2" => self.say("3"),
                (0x81, text) => return Got::Text(String::from_utf8(text).unwrap()),
                (0x82, data) => return Got::Binary(data),
                (0x88, _) => return Got::Closed,
                frame => panic!("unexpected: {frame:?}"),
            }
        }
    }

    #[track_caller]
    pub fn text(&mut self) -> String {
        match self.got() {
            Got::Text(text) => text,
            other => panic!("no text: {other:?}"),
        }
    }

    #[track_caller]
    pub fn gets(&mut self, expected: &[&str]) {
        for packet in expected {
            assert_eq!(self.text(), *packet);
        }
    }

    #[track_caller]
    pub fn is_closed(&mut self) {
        assert_eq!(self.got(), Got::Closed);
    }

    /// What was sent to it so far, it has got: the server answers an event of its own with nothing in between.
    #[track_caller]
    pub fn gets_nothing_more(&mut self, fixture: &Fixture, socket: &Socket) {
        fixture.settle();
        sent(socket.emit("last", "", &[], &Default::default()));
        assert_eq!(self.text(), last(socket.namespace()));
    }
}

fn last(namespace: &Namespace) -> String {
    match namespace.name() {
        "/" => "42[\"last\"]".to_owned(),
        name => format!("42{name},[\"last\"]"),
    }
}

/// It was accepted.
#[track_caller]
pub fn sent(sent: sockline::Result<sockline::Sent>) {
    assert_eq!(sent, Ok(sockline::Sent::Queued));
}
