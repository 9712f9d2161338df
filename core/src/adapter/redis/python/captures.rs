//! What python-socketio 5.18 has published (two `AsyncServer`s with an `AsyncRedisManager`, and one that is `write_only`): all
//! of it is read, and what is written from that is the same, byte for byte.

use super::*;

const LOG: &str = include_str!("../../../../tests/redis/python-socketio.log");

/// Read, with the namespace.
fn read(line: &str) -> (String, Message) {
    let envelope = Envelope::read(line.as_bytes()).unwrap();
    (envelope.namespace().to_owned(), envelope.open().unwrap())
}

fn emitted(line: &str) -> String {
    let (namespace, Message::Emit(packet, options, asker)) = read(line) else {
        panic!("{line}");
    };
    let asker = asker.map(|asker| (asker.room, asker.namespace, asker.id));
    let (rooms, except) = (options.rooms, options.except);
    let attachments = packet.attachments;
    format!(
        "{namespace} {} {attachments:?} {rooms:?} {except:?} {asker:?}",
        packet.array
    )
}

#[test]
fn events_are_what_the_application_has_emitted() {
    let client = LOG
        .lines()
        .find_map(|line| line.split_once("\"disconnect\", \"sid\": \""))
        .unwrap();
    let (client, _) = client.1.split_once('"').unwrap();
    let found: Vec<String> = LOG
        .lines()
        .filter(|line| line.contains("\"emit\""))
        .map(emitted)
        .collect();
    let expected = [
        r#"/ ["hello","x"] [] [] [] None"#,
        r#"/ ["hello","x", {"a": [1, 2.5, null, true]}] [] ["room"] [] None"#,
        r#"/ ["hello"] [] [] [] None"#,
        r#"/ ["hello",[1, 2]] [] ["a", "b"] ["CLIENT"] None"#,
        r#"/chat ["hello",{"a": 1}] [] [] ["CLIENT", "another"] None"#,
        r#"/ ["bin",{"_placeholder": true, "num": 0}] [b"\0\x01\xff"] [] [] None"#,
        r#"/ ["bin",{"a": [{"_placeholder": true, "num": 0}, "t"]}, {"_placeholder": true, "num": 1}] [b"\0", b""] ["room"] [] None"#,
        r#"/ ["quote\"d \u00e9","\u00fc"] [] [] [] None"#,
        r#"/ ["hello"] [] [] [] None"#,
        r#"/ ["ask",1] [] ["CLIENT"] [] Some(("\"CLIENT\"", "\"/\"", "1"))"#,
        r#"/ ["hello",{"from": "outside"}] [] ["room"] [] None"#,
    ];
    assert_eq!(found, expected.map(|line| line.replace("CLIENT", client)));
}

#[test]
fn what_is_written_is_what_was_read() {
    for line in LOG.lines() {
        let (namespace, message) = read(line);
        let (_, host_id) = line.split_once("\"host_id\": \"").unwrap();
        let (host_id, _) = host_id.split_once('"').unwrap();
        let written = message.write(host_id, &namespace).unwrap();
        // `None` is no argument for it, as an empty tuple.
        let line = line.replace("[null]", "[]");
        assert_eq!(String::from_utf8(written).unwrap(), line);
        let envelope = Envelope::read(line.as_bytes()).unwrap();
        assert_eq!(envelope.is_from(host_id), !envelope.is_answer());
        assert!(!envelope.is_from("another"));
    }
}

#[test]
fn answers_are_for_who_has_asked() {
    let line = LOG.lines().find(|line| line.contains("\"callback\",")).unwrap();
    let (_, Message::Answer(asker, array)) = read(line) else {
        panic!("{line}");
    };
    assert_eq!(array, r#"["answer", {"a": [1, null]}]"#);
    let host_id = asker.host_id.trim_matches('"');
    assert_eq!(asker.number(host_id), Some(1));
    assert_eq!(asker.number("another"), None);
}
