use std::sync::Arc;

use sockline::ErrorCode;
use sockline::io::{EmitOptions, ParserKind};
use sockline::socketio::{
    Content, Data, Encoded, Limits, Outgoing, Packet, PacketType, ParseError, Parser, ParserDecoder,
};

use crate::fixture::{Got, sent, serve_with, set};

fn msgpack(map: &[(&str, rmpv::Value)]) -> Vec<u8> {
    let map = map
        .iter()
        .map(|(key, value)| ((*key).into(), value.clone()))
        .collect();
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &rmpv::Value::Map(map)).unwrap();
    bytes
}

fn read(got: Got) -> serde_json::Value {
    let Got::Binary(bytes) = got else {
        panic!("{got:?}")
    };
    let value = rmpv::decode::read_value(&mut &*bytes).unwrap();
    rmpv::ext::from_value(value).unwrap()
}

#[test]
fn msgpack_clients_see_the_same() {
    let fixture = serve_with(|options| options.parser = ParserKind::Msgpack);
    set(
        &fixture.handler.on_event,
        Box::new(|_, event| {
            let attachments: Vec<&[u8]> = event.attachments.iter().map(|data| &**data).collect();
            sent(event.ack.unwrap().send(event.args, &attachments));
        }),
    );
    let mut client = fixture.client();
    client.say_binary(&msgpack(&[("type", 0.into()), ("nsp", "/".into())]));
    let connected = read(client.got());
    assert_eq!((&connected["type"], &connected["nsp"]), (&0.into(), &"/".into()));
    let socket = fixture.socket();
    assert_eq!(connected["data"]["sid"], socket.id());
    let data = rmpv::Value::Array(vec!["e".into(), rmpv::Value::Binary(b"x".to_vec()), 1.into()]);
    client.say_binary(&msgpack(&[
        ("type", 2.into()),
        ("nsp", "/".into()),
        ("data", data),
        ("id", 5.into()),
    ]));
    fixture.hears(&["connecting / {}", "connection /"]);
    fixture.hears(&["event e [{\"_placeholder\":true,\"num\":0},1] [[120]] ack"]);
    let Got::Binary(bytes) = client.got() else {
        panic!("no answer")
    };
    let answer = rmpv::decode::read_value(&mut &*bytes).unwrap();
    assert_eq!(answer["data"][0], rmpv::Value::Binary(b"x".to_vec()));
    assert_eq!(
        (answer["type"].as_u64(), answer["id"].as_u64()),
        (Some(3), Some(5))
    );
    fixture.io.of("/").emit("all", "1.5,null", &[]).unwrap();
    let event = read(client.got());
    assert_eq!(event["data"], serde_json::json!(["all", 1.5, null]));
    let wrong = socket
        .emit("e", "no JSON", &[], &EmitOptions::default())
        .unwrap_err();
    assert_eq!(wrong.code(), ErrorCode::InvalidArgument);
    client.say("42[\"text\"]");
    client.is_closed();
}

/// Packets are their payloads, backwards.
struct Backwards;

impl Parser for Backwards {
    fn encode(&self, packet: &Outgoing<'_>, out: &mut Encoded) -> Result<(), ParseError> {
        let payload: String = packet.payload.unwrap_or("{}").chars().rev().collect();
        out.push_text(&format!("{}{payload}", packet.packet_type as u8));
        Ok(())
    }

    fn decoder(&self) -> Box<dyn ParserDecoder> {
        Box::new(Backwards)
    }
}

impl ParserDecoder for Backwards {
    fn decode<'a>(&mut self, message: Data<'a>, _: &Limits) -> Result<Option<Packet<'a>>, ParseError> {
        let Data::Text(text) = message else {
            return Err(ParseError::UnexpectedBinary);
        };
        let (packet_type, payload) = match text.split_at_checked(1) {
            Some(("0", _)) => (PacketType::Connect, None),
            Some(("2", payload)) => (PacketType::Event, Some(payload)),
            _ => return Err(ParseError::Custom("neither connect nor event")),
        };
        let payload: Option<String> = payload.map(|payload| payload.chars().rev().collect());
        Ok(Some(Packet {
            namespace: "/".into(),
            id: None,
            content: Content::parse(packet_type, payload.map(Into::into))?,
            attachments: Vec::new(),
        }))
    }
}

#[test]
fn an_application_brings_its_own_parser() {
    let fixture = serve_with(|options| options.parser = ParserKind::Custom(Arc::new(Backwards)));
    let mut client = fixture.client();
    client.say("40");
    let connected = client.text();
    assert!(
        connected.starts_with("40}\"") && connected.ends_with(":\"dis\"{"),
        "{connected}"
    );
    client.say("42]1,\"e\"[");
    fixture.hears(&["connecting / {}", "connection /", "event e [1]"]);
    fixture.io.of("/").emit("f", "", &[]).unwrap();
    client.gets(&["42]\"f\"["]);
    client.say("4x");
    client.is_closed();
    fixture.hears(&["disconnecting forced close 1"]);
}
