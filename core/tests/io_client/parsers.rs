//! Parsers of the application's own are called without a lock.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use sockline::ErrorCode;
use sockline::io::{EmitOptions, Manager, Parser, ParserKind, Transport};
use sockline::socketio::{
    Content, Data, Encoded, Limits, Outgoing, Packet, PacketType, ParseError, ParserDecoder,
};

use crate::scene::{HANDSHAKE, Scene, hear, say};
use crate::support::Peer;

/// A packet is its type and its payload. Each time it asks the manager, which takes the manager's lock.
struct Asking {
    manager: Mutex<Option<Manager>>,
    began: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
}

impl Asking {
    fn ask(&self) {
        let manager = self.manager.lock().unwrap().clone();
        let _ = manager.map(|manager| (manager.state(), manager.buffered_amount()));
    }
}

struct Handle(Arc<Asking>);

impl Parser for Handle {
    fn encode(&self, packet: &Outgoing<'_>, out: &mut Encoded) -> Result<(), ParseError> {
        self.0.ask();
        let payload = packet.payload.unwrap_or_default();
        if payload.contains("unspeakable") {
            return Err(ParseError::Custom("unspeakable"));
        }
        if payload.contains("slow") {
            self.0.began.lock().unwrap().send(()).unwrap();
            self.0.go_on.lock().unwrap().recv().unwrap();
        }
        out.push_text(&format!("{} {payload}", packet.packet_type as u8));
        Ok(())
    }

    fn decoder(&self) -> Box<dyn ParserDecoder> {
        Box::new(Handle(self.0.clone()))
    }
}

impl ParserDecoder for Handle {
    fn decode<'a>(&mut self, message: Data<'a>, _: &Limits) -> Result<Option<Packet<'a>>, ParseError> {
        self.0.ask();
        let Data::Text(text) = message else {
            return Err(ParseError::UnexpectedBinary);
        };
        let (packet_type, payload) = match text.split_once(' ') {
            Some(("0", payload)) => (PacketType::Connect, payload),
            Some(("2", payload)) => (PacketType::Event, payload),
            _ => return Err(ParseError::Custom("neither connect nor event")),
        };
        Ok(Some(Packet {
            namespace: "/".into(),
            id: None,
            content: Content::parse(packet_type, Some(payload.into()))?,
            attachments: Vec::new(),
        }))
    }
}

/// A scene whose manager has such a parser; what says that something slow has begun, and what lets it go on.
fn scene(transport: Transport) -> (Scene, Receiver<()>, Sender<()>) {
    let ((began, has_begun), (lets_go_on, go_on)) = (channel(), channel());
    let parser = Arc::new(Asking {
        manager: Mutex::new(None),
        began: Mutex::new(began),
        go_on: Mutex::new(go_on),
    });
    let kind = ParserKind::Custom(Arc::new(Handle(parser.clone())));
    let scene = Scene::with(
        |options| {
            options.transports = vec![transport];
            options.parser = kind;
        },
        |_, _| {},
    );
    *parser.manager.lock().unwrap() = Some(scene.manager.clone());
    (scene, has_begun, lets_go_on)
}

fn accept(scene: &Scene) -> Peer {
    let (_, mut peer) = scene.server.websocket();
    say(&mut peer, HANDSHAKE);
    assert_eq!(hear(&mut peer), "40 ");
    say(&mut peer, r#"40 {"sid":"id"}"#);
    scene.hears(&["open", "connect id"]);
    peer
}

#[test]
fn it_may_look_at_its_own_manager() {
    let (scene, ..) = scene(Transport::WebSocket);
    let socket = scene.socket("/");
    let mut peer = accept(&scene);
    let options = EmitOptions::default();
    let _ = socket.emit("a", "1", &[], &options).unwrap();
    assert_eq!(hear(&mut peer), r#"42 ["a",1]"#);
    let refused = socket.emit("a", "\"unspeakable\"", &[], &options).unwrap_err();
    assert_eq!(
        (refused.code(), refused.text()),
        (ErrorCode::InvalidArgument, "unspeakable")
    );
    for word in ["b", "c"] {
        say(&mut peer, &format!("42 [\"{word}\",2]"));
    }
    scene.hears(&["b 2", "c 2"]);
    socket.disconnect();
    assert_eq!(hear(&mut peer), "41 ", "said before the connection is closed");
    scene.hears(&["close forced close", "disconnect io client disconnect"]);
}

#[test]
fn polled_messages_are_read_in_their_order_too() {
    let (scene, ..) = scene(Transport::Polling);
    let _socket = scene.socket("/");
    scene.server.get().answer(HANDSHAKE);
    let (get, post) = scene.server.get_and_post();
    assert_eq!(post.body, "40 ");
    post.answer("ok");
    get.answer("40 {\"sid\":\"id\"}\u{1e}42 [\"a\",1]\u{1e}42 [\"b\",2]");
    scene.hears(&["open", "connect id", "a 1", "b 2"]);
    scene
        .server
        .get()
        .answer("42 [\"c\",3]\u{1e}4x\u{1e}42 [\"d\",4]");
    scene.hears(&["c 3", "close parse error", "disconnect parse error"]);
}

#[test]
fn who_is_quicker_does_not_overtake() {
    let (scene, has_begun, lets_go_on) = scene(Transport::WebSocket);
    let socket = scene.socket("/");
    let mut peer = accept(&scene);
    let slow = {
        let socket = socket.clone();
        thread::spawn(move || socket.emit("slow", "", &[], &EmitOptions::default()))
    };
    has_begun.recv().unwrap();
    let _ = socket.emit("quick", "", &[], &EmitOptions::default()).unwrap();
    lets_go_on.send(()).unwrap();
    assert_eq!(hear(&mut peer), r#"42 ["slow"]"#);
    assert_eq!(hear(&mut peer), r#"42 ["quick"]"#);
    let _ = slow.join().unwrap().unwrap();
}
