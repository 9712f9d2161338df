//! A machine, a clock, and what it says as short words.

use std::borrow::Cow;

use sockline::socketio::client::{
    AckOutcome, Action, Carrier, Client, Delivery, Emitted, Event, NewEvent, Settings, SocketKey,
    SocketSettings,
};
use sockline::socketio::{JsonDecoder, Limits, PacketType};

pub struct Scene {
    pub client: Client,
    pub now: u64,
    pub carrier: Carrier,
}

pub fn settings() -> Settings {
    Settings {
        reconnection: true,
        attempts: None,
        delay: 1000,
        delay_max: 5000,
        randomization_factor: 0.0,
        timeout: Some(20_000),
        max_waiting: 1000,
    }
}

pub const EVENT: NewEvent<'static> = NewEvent {
    array: r#"["a"]"#,
    attachments: &[],
    volatile: false,
    compress: None,
    token: None,
    timeout: None,
};

pub fn event(array: &str, token: Option<u64>) -> NewEvent<'_> {
    NewEvent {
        array,
        token,
        ..EVENT
    }
}

impl Scene {
    pub fn new() -> Scene {
        Scene::with(settings())
    }

    pub fn with(settings: Settings) -> Scene {
        Scene {
            client: Client::new(settings, Box::new(|| 0.0)),
            now: 0,
            carrier: Carrier {
                is_writable: true,
                has_expired: false,
            },
        }
    }

    /// With a socket for `/` that is connected.
    pub fn connected() -> Scene {
        Scene::connected_with(SocketSettings::default())
    }

    pub fn connected_with(settings: SocketSettings) -> Scene {
        let mut scene = Scene::new();
        assert_eq!(scene.socket_with("/", settings), 0);
        scene.client.connect(0, 0);
        scene.open_and_connect();
        scene
    }

    /// Opens the connection and connects the socket `/`.
    pub fn open_and_connect(&mut self) {
        self.client.opened();
        self.authenticate(0);
        self.receive(r#"0{"sid":"id"}"#);
        self.said();
    }

    pub fn socket(&mut self, namespace: &str) -> SocketKey {
        self.socket_with(namespace, SocketSettings::default())
    }

    pub fn socket_with(&mut self, namespace: &str, settings: SocketSettings) -> SocketKey {
        let (key, is_new) = self.client.socket(namespace, settings);
        assert!(is_new);
        key
    }

    /// Answers the latest question of a socket without a payload.
    pub fn authenticate(&mut self, key: SocketKey) {
        let mut last = None;
        while let Some(event) = self.client.event() {
            if let Event::Authenticate(socket, question) = event
                && socket == key
            {
                last = Some(question);
            }
        }
        self.client.authenticate(key, last.expect("it is asked"), None);
    }

    /// A packet in the default encoding comes; what it brings at once is a word, too.
    pub fn receive(&mut self, text: &str) -> String {
        let packet = JsonDecoder::default().text(text, &Limits::default());
        let packet = packet.unwrap().expect("it has no attachments");
        match self.client.receive(packet, self.now) {
            None => String::new(),
            Some(Delivery::Event(key, data, _, ack)) => {
                let ack = ack.map(|ack| format!(" #{} of {}", ack.id, ack.connection));
                format!("event {key} {}{}", data.array(), ack.unwrap_or_default())
            }
            Some(Delivery::Answer(key, token, array, _)) => format!("answer {key} {token} {array}"),
        }
    }

    pub fn emit(&mut self, key: SocketKey, event: &NewEvent<'_>) -> Emitted {
        self.client.emit(key, event, self.carrier, self.now).unwrap()
    }

    /// Time passes, in steps of the machine's own deadlines.
    pub fn pass(&mut self, millis: u64) {
        let until = self.now + millis;
        while let Some(deadline) = self.client.deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.client.handle_timeout(self.now);
        }
        self.now = until;
    }

    /// All actions and events, actions first.
    pub fn said(&mut self) -> Vec<String> {
        let mut words: Vec<String> = std::iter::from_fn(|| self.client.action()).map(action).collect();
        words.extend(std::iter::from_fn(|| self.client.event()).map(told));
        words
    }
}

fn action(action: Action) -> String {
    match action {
        Action::Open => "open".to_owned(),
        Action::Close => "close".to_owned(),
        Action::Send(packet) => {
            let kind = match packet.packet_type {
                PacketType::Connect => "connect",
                PacketType::Disconnect => "disconnect",
                PacketType::Event => "event",
                other => panic!("{other:?} is not for clients"),
            };
            let id = packet.id.map(|id| format!(" #{id}")).unwrap_or_default();
            let payload = packet.payload.map(|payload| format!(" {payload}"));
            format!("send {} {kind}{id}{}", packet.socket, payload.unwrap_or_default())
        }
    }
}

fn told(event: Event) -> String {
    match event {
        Event::Authenticate(key, _) => format!("who is {key}"),
        Event::Connected(key) => format!("connected {key}"),
        Event::Refused(key, message, data) => {
            format!("refused {key} {message} {}", data.unwrap_or_default())
        }
        Event::Unreachable(key, why) => format!("unreachable {key} {why}"),
        Event::Event(key, event) => format!("event {key} {}", event.data.array()),
        Event::Ack(key, token, AckOutcome::Answered(array, _)) => format!("answer {key} {token} {array}"),
        Event::Ack(key, token, outcome) => format!("ack {key} {token} {outcome:?}"),
        Event::Disconnected(key, reason, _) => format!("disconnected {key} {}", reason.as_str()),
        Event::Opened => "opened".to_owned(),
        Event::Failed(why) => format!("failed {why}"),
        Event::Closed(reason, detail) => {
            let colon = if detail.is_empty() { "" } else { ": " };
            Cow::from(format!("closed {}{colon}{detail}", reason.as_str())).into_owned()
        }
        Event::ReconnectScheduled(attempt, delay) => format!("next {attempt} in {delay}"),
        Event::ReconnectAttempt(attempt) => format!("attempt {attempt}"),
        Event::Reconnected(attempt) => format!("back after {attempt}"),
        Event::ReconnectError(why) => format!("not back: {why}"),
        Event::ReconnectFailed => "given up".to_owned(),
    }
}
