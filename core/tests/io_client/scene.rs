//! A client and its raw server, with what the client's handlers hear as short words.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sockline::io::{
    AckResult, Auth, AuthQuestion, ClientAck, ClientEvent, ClientHandler, ClientReason, ClientSocket,
    ConnectError, EmitOptions, EnginePacket, Manager, ManagerHandler, ManagerOptions, SocketOptions,
    Transport,
};
use sockline::{Error, Loop};

use crate::server::{Request, Server};
use crate::support::{PATIENCE, Peer, started};

pub const HANDSHAKE: &str =
    r#"0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
pub const UPGRADABLE: &str = r#"0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

type Reaction = dyn Fn(&ClientSocket, &str) + Send + Sync;

/// Says what it hears, and does what the test wants it to.
pub struct Ear {
    told: Mutex<Sender<String>>,
    reaction: Box<Reaction>,
    pub acks: Mutex<Vec<ClientAck>>,
    pub questions: Mutex<Vec<AuthQuestion>>,
    pub errors: Mutex<Vec<Error>>,
}

impl Ear {
    fn say(&self, word: String) {
        let _ = self.told.lock().unwrap().send(word);
    }

    fn of(&self, socket: &ClientSocket, word: String) {
        (self.reaction)(socket, &word);
        self.say(word);
    }
}

impl ClientHandler for Ear {
    fn on_auth(&self, socket: &ClientSocket, question: AuthQuestion) {
        self.questions.lock().unwrap().push(question);
        self.of(socket, "who".to_owned());
    }

    fn on_connect(&self, socket: &ClientSocket) {
        self.of(socket, format!("connect {}", socket.id().unwrap()));
    }

    fn on_connect_error(&self, socket: &ClientSocket, error: ConnectError<'_>) {
        self.errors.lock().unwrap().extend(error.error.cloned());
        let data = error.data.map(|data| format!(" {data}")).unwrap_or_default();
        self.of(socket, format!("connect_error {}{data}", error.message));
    }

    fn on_event(&self, socket: &ClientSocket, event: ClientEvent<'_>) {
        assert!(event.array.contains(event.args));
        let attached = match event.attachments {
            [] => String::new(),
            attachments => format!(" {attachments:?}"),
        };
        let wants = if event.ack.is_some() { " ?" } else { "" };
        let word = format!("{} {}{attached}{wants}", event.name, event.args);
        self.acks.lock().unwrap().extend(event.ack);
        self.of(socket, word);
    }

    fn on_ack(&self, socket: &ClientSocket, token: u64, result: AckResult<'_>) {
        self.of(
            socket,
            match result {
                AckResult::Answered { args, .. } => format!("ack {token} {args}"),
                AckResult::Timeout => format!("ack {token} timeout"),
                AckResult::Disconnected => format!("ack {token} disconnected"),
            },
        );
    }

    fn on_disconnect(&self, socket: &ClientSocket, reason: ClientReason, _: &str) {
        self.of(socket, format!("disconnect {}", reason.as_str()));
    }
}

impl ManagerHandler for Ear {
    fn on_open(&self, _: &Manager) {
        self.say("open".to_owned());
    }

    fn on_error(&self, _: &Manager, error: &Error) {
        self.say(format!("error {:?}", error.code()));
    }

    fn on_close(&self, _: &Manager, reason: ClientReason, _: &str) {
        self.say(format!("close {}", reason.as_str()));
    }

    fn on_ping(&self, _: &Manager) {
        self.say("ping".to_owned());
    }

    fn on_packet(&self, _: &Manager, packet: &EnginePacket<'_>) {
        let way = if packet.outgoing { "sends" } else { "gets" };
        self.say(format!("{way} {:?} {:?}", packet.kind, packet.data));
    }

    fn on_upgrade(&self, _: &Manager) {
        self.say("upgrade".to_owned());
    }

    fn on_upgrade_error(&self, _: &Manager, _: &Error) {
        self.say("no upgrade".to_owned());
    }

    fn on_reconnect_attempt(&self, _: &Manager, attempt: u32) {
        self.say(format!("attempt {attempt}"));
    }

    fn on_reconnect(&self, _: &Manager, attempt: u32) {
        self.say(format!("reconnect {attempt}"));
    }

    fn on_reconnect_error(&self, _: &Manager, _: &Error) {
        self.say("reconnect_error".to_owned());
    }

    fn on_reconnect_failed(&self, _: &Manager) {
        self.say("reconnect_failed".to_owned());
    }

    fn on_drain(&self, _: &Manager) {
        self.say("drain".to_owned());
    }
}

pub struct Scene {
    pub server: Server,
    pub manager: Manager,
    pub ear: Arc<Ear>,
    heard: Receiver<String>,
    pub on_loop: Loop,
}

impl Scene {
    pub fn new() -> Scene {
        Scene::with(|_| {}, |_, _| {})
    }

    /// With WebSocket only.
    pub fn websocket() -> Scene {
        Scene::with(
            |options| options.transports = vec![Transport::WebSocket],
            |_, _| {},
        )
    }

    pub fn with(
        change: impl FnOnce(&mut ManagerOptions),
        reaction: impl Fn(&ClientSocket, &str) + Send + Sync + 'static,
    ) -> Scene {
        let (server, on_loop) = (Server::new(), started());
        let (told, heard) = channel();
        let ear = Arc::new(Ear {
            told: Mutex::new(told),
            reaction: Box::new(reaction),
            acks: Mutex::default(),
            questions: Mutex::default(),
            errors: Mutex::default(),
        });
        let mut options = ManagerOptions::default();
        options.reconnection.delay = Duration::from_millis(1);
        options.reconnection.delay_max = Duration::from_millis(1);
        options.auto_connect = false;
        change(&mut options);
        let manager = Manager::new(Some(&on_loop), &server.url(), options, Some(ear.clone())).unwrap();
        Scene {
            server,
            manager,
            ear,
            heard,
            on_loop,
        }
    }

    /// A socket that is told to connect.
    pub fn socket(&self, namespace: &str) -> ClientSocket {
        self.socket_with(namespace, SocketOptions::default())
    }

    pub fn socket_with(&self, namespace: &str, options: SocketOptions) -> ClientSocket {
        let socket = self.manager.socket(namespace, options, self.ear.clone()).unwrap();
        socket.connect().unwrap();
        socket
    }

    pub fn asking() -> SocketOptions {
        SocketOptions {
            auth: Auth::Ask,
            ..SocketOptions::default()
        }
    }

    #[track_caller]
    pub fn next(&self) -> String {
        self.heard
            .recv_timeout(PATIENCE)
            .expect("something has to be heard")
    }

    #[track_caller]
    pub fn hears(&self, words: &[&str]) {
        for word in words {
            assert_eq!(self.next(), *word);
        }
    }

    /// A client whose socket `/` is connected, by polling, and the GET that is parked.
    pub fn polling(&self) -> (ClientSocket, Request) {
        let socket = self.socket("/");
        self.server.get().answer(HANDSHAKE);
        let (get, post) = self.server.get_and_post();
        assert_eq!(post.body, "40");
        post.answer("ok");
        get.answer(r#"40{"sid":"id"}"#);
        self.hears(&["open", "connect id"]);
        (socket, self.server.get())
    }

    /// The same on a WebSocket.
    pub fn on_websocket(&self) -> (ClientSocket, Peer) {
        let socket = self.socket("/");
        let peer = self.accept();
        self.hears(&["open", "connect id"]);
        (socket, peer)
    }

    /// Accepts the WebSocket of a socket `/` without auth.
    #[track_caller]
    pub fn accept(&self) -> Peer {
        let (_, mut peer) = self.server.websocket();
        say(&mut peer, HANDSHAKE);
        assert_eq!(hear(&mut peer), "40");
        say(&mut peer, r#"40{"sid":"id"}"#);
        peer
    }
}

/// Sends a text message.
pub fn say(peer: &mut Peer, text: &str) {
    peer.send(&crate::support::frame(0x81, text.as_bytes()));
}

/// The next message, which is text.
#[track_caller]
pub fn hear(peer: &mut Peer) -> String {
    let (first, payload) = peer.read_frame();
    assert_eq!(first, 0x81, "{payload:?}");
    String::from_utf8(payload).unwrap()
}

pub fn token(token: u64) -> EmitOptions {
    EmitOptions {
        ack: Some(token),
        ..EmitOptions::default()
    }
}

/// What is left of a scene.
pub struct Rest {
    heard: Receiver<String>,
    ear: Option<Arc<Ear>>,
    manager: Option<Manager>,
    on_loop: Option<Loop>,
    _server: Server,
}

impl Scene {
    fn taken_apart(self) -> Rest {
        Rest {
            heard: self.heard,
            ear: Some(self.ear),
            manager: Some(self.manager),
            on_loop: Some(self.on_loop),
            _server: self.server,
        }
    }

    pub fn without_manager(self) -> Rest {
        self.taken_apart().without_manager()
    }

    pub fn without_loop(self) -> Rest {
        self.taken_apart().without_loop()
    }

    pub fn give_loop(self, to: &Mutex<Option<Loop>>) -> Rest {
        let mut rest = self.taken_apart();
        *to.lock().unwrap() = rest.on_loop.take();
        rest
    }
}

impl Rest {
    pub fn without_manager(mut self) -> Rest {
        self.manager = None;
        self
    }

    pub fn without_loop(mut self) -> Rest {
        self.on_loop = None;
        self
    }

    #[track_caller]
    pub fn hears(&self, words: &[&str]) {
        for word in words {
            let heard = self
                .heard
                .recv_timeout(PATIENCE)
                .expect("something has to be heard");
            assert_eq!(heard, *word);
        }
    }

    /// All that was heard.
    pub fn all_words(&self) -> Vec<String> {
        self.heard.try_iter().collect()
    }

    /// Waits until nothing keeps the handler any more: its end of the channel goes with it.
    #[track_caller]
    pub fn forgets(mut self, ear: &std::sync::Weak<Ear>) {
        self.ear = None;
        while self.heard.recv_timeout(PATIENCE).map_err(|error| {
            assert_eq!(
                error,
                std::sync::mpsc::RecvTimeoutError::Disconnected,
                "something keeps it"
            );
        }) != Err(())
        {}
        assert_eq!(ear.strong_count(), 0);
    }
}
