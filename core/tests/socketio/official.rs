//! What the official parsers say: socket.io-parser 4.2.7 and socket.io-msgpack-parser 3.0.2, by `generate.cjs`.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde_json::Value;
use sockline::engineio::Data;
use sockline::socketio::{
    Content, Encoded, Limits, Outgoing, Packet, PacketType, ParseError, ParserKind, event_array,
};

const WRITTEN: &str = include_str!("written.json");
const READ: &str = include_str!("read.json");
const MSGPACK: &str = include_str!("msgpack.json");

fn fixtures(json: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(json).unwrap();
    assert!(all.len() >= 250);
    all
}

fn attachments(fixture: &Value) -> Vec<Bytes> {
    let decode = |hex: &Value| HEXLOWER.decode(hex.as_str().unwrap().as_bytes()).unwrap().into();
    fixture["attachments"]
        .as_array()
        .unwrap()
        .iter()
        .map(decode)
        .collect()
}

/// Compares what has been read with what the official parser has read.
fn assert_same(packet: &Packet<'_>, fixture: &Value) {
    assert_eq!(packet.packet_type() as u64, fixture["type"], "{fixture}");
    assert_eq!(packet.namespace, fixture["nsp"].as_str().unwrap(), "{fixture}");
    assert_eq!(packet.id, fixture["id"].as_u64(), "{fixture}");
    let payload = match &packet.content {
        Content::Disconnect => None,
        Content::Connect(payload) => payload.as_deref(),
        Content::Ack(payload) | Content::ConnectError(payload) => Some(&**payload),
        Content::Event(event) => Some(event.array()),
    };
    let parsed = payload.map(|text| serde_json::from_str::<Value>(text).unwrap());
    let expected = fixture["payload"].as_str();
    assert_eq!(
        parsed,
        expected.map(|text| serde_json::from_str(text).unwrap()),
        "{fixture}"
    );
    let Content::Event(event) = &packet.content else {
        return;
    };
    // The name and the arguments are those of the array.
    let mut again = String::new();
    event_array(&event.name, event.args(), &mut again);
    let (mut again, whole): (Value, _) = (serde_json::from_str(&again).unwrap(), parsed.unwrap());
    if whole[0].is_number() {
        again[0] = serde_json::from_str(&event.name).unwrap();
    }
    assert_eq!(again, whole, "{fixture}");
}

fn outgoing<'a>(fixture: &'a Value, attachments: &'a [&'a [u8]]) -> Outgoing<'a> {
    let (namespace, payload) = (fixture["nsp"].as_str().unwrap(), fixture["payload"].as_str());
    let packet = match fixture["type"].as_u64().unwrap() {
        0 => Outgoing::connect(namespace, payload),
        1 => Outgoing::disconnect(namespace),
        2 => Outgoing::event(namespace, payload.unwrap()),
        3 => Outgoing::ack(namespace, fixture["id"].as_u64().unwrap(), payload.unwrap()),
        4 => Outgoing::connect_error(namespace, payload.unwrap()),
        other => panic!("type {other}"),
    };
    let id = fixture["id"].as_u64();
    packet.with_id(id).with_attachments(attachments)
}

#[test]
fn packets_are_written_as_the_official_parser_writes_them() {
    let mut encoded = Encoded::default();
    let mut binary = 0;
    for fixture in fixtures(WRITTEN) {
        let attachments = attachments(&fixture);
        let slices: Vec<&[u8]> = attachments.iter().map(|data| &data[..]).collect();
        let packet = outgoing(&fixture, &slices);
        let mut messages = ParserKind::Json.encode(&packet, &mut encoded).unwrap();
        let mut decoder = ParserKind::Json.decoder();
        let text = messages.next().unwrap();
        assert_eq!(text, Data::Text(fixture["wire"].as_str().unwrap()));
        let mut read = decoder.decode(text, &Limits::default()).unwrap();
        for (message, data) in messages.by_ref().zip(&slices) {
            assert_eq!((message, &read), (Data::Binary(data), &None));
            read = decoder.decode(message, &Limits::default()).unwrap();
            binary += 1;
        }
        let read = read.unwrap();
        assert_eq!((messages.next(), &read.attachments), (None, &attachments));
        assert_same(&read, &fixture);
    }
    assert!(binary > 30, "{binary}");
}

#[test]
fn packets_are_judged_as_the_official_parser_judges_them() {
    let (mut good, mut stricter) = (0, 0);
    for fixture in fixtures(READ) {
        let wire = fixture["wire"].as_str().unwrap();
        match read_with_attachments(wire) {
            Ok(packet) => {
                assert_eq!(fixture["ok"], true, "{wire}");
                assert_same(&packet, &fixture);
                good += 1;
            }
            Err(error) => assert_eq!(fixture["ok"], false, "{wire} {error}"),
        }
        stricter += usize::from(fixture["official"] == true);
    }
    // Some the official parser takes, with white space for digits or with no payload where there has to be one.
    assert!(good > 150 && stricter > 20, "{good} {stricter}");
}

fn read_with_attachments(wire: &str) -> Result<Packet<'_>, ParseError> {
    let mut decoder = ParserKind::Json.decoder();
    let mut found = decoder.decode(Data::Text(wire), &Limits::default())?;
    const DATA: &[u8] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    for data in DATA.chunks(1) {
        match found {
            Some(packet) => return Ok(packet),
            None => found = decoder.decode(Data::Binary(data), &Limits::default())?,
        }
    }
    Ok(found.expect("there are ten attachments at most"))
}

#[test]
fn msgpack_is_read_and_written_as_by_the_official_parser() {
    let mut encoded = Encoded::default();
    let (mut exact, mut events) = (0, 0);
    for fixture in fixtures(MSGPACK) {
        let wire = HEXLOWER
            .decode(fixture["wire"].as_str().unwrap().as_bytes())
            .unwrap();
        let packet = ParserKind::Msgpack.decoder();
        let packet = { packet }
            .decode(Data::Binary(&wire), &Limits::default())
            .unwrap()
            .unwrap();
        assert_eq!(packet.attachments, attachments(&fixture), "{fixture}");
        assert_same(&packet, &fixture);
        events += usize::from(packet.packet_type() == PacketType::Event);
        if fixture["exact"] != true {
            continue;
        }
        // Nothing in it is for JavaScript only: it comes out the same.
        let slices: Vec<&[u8]> = packet.attachments.iter().map(|data| &data[..]).collect();
        let outgoing = outgoing(&fixture, &slices);
        let messages: Vec<_> = ParserKind::Msgpack
            .encode(&outgoing, &mut encoded)
            .unwrap()
            .collect();
        let [Data::Binary(written)] = messages[..] else {
            panic!("one message")
        };
        assert_eq!(
            HEXLOWER.encode(written),
            fixture["wire"].as_str().unwrap(),
            "{fixture}"
        );
        exact += 1;
    }
    assert!(exact > 100 && events > 100, "{exact} {events}");
}
