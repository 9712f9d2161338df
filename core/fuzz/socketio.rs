//! Any messages as Socket.IO's packets in the default encoding: what is taken is well-formed, is written and read back
//! as the same, and can be said in MessagePack. Included by the fuzz target and by the tests.

use sockline::engineio::Data;
use sockline::json;
use sockline::socketio::{
    Content, Encoded, Limits, Outgoing, Packet, PacketType, ParseError, ParserKind, check_placeholders,
};

/// A byte for the number of attachments allowed, then messages: a byte that says text or binary, one for the length, and
/// the data; the last one may go on to the end.
pub fn decode_input(input: &[u8]) {
    let [max_attachments, messages @ ..] = input else {
        return;
    };
    let limits = Limits {
        max_attachments: usize::from(max_attachments % 16),
        max_bytes: 3000,
    };
    let mut decoder = ParserKind::Json.decoder();
    let mut rest = messages;
    while let [kind, len, behind @ ..] = rest {
        let len = if *len == 255 {
            behind.len()
        } else {
            usize::from(*len).min(behind.len())
        };
        let (data, behind) = behind.split_at(len);
        rest = behind;
        let message = match std::str::from_utf8(data) {
            Ok(text) if kind % 2 == 0 => Data::Text(text),
            _ => Data::Binary(data),
        };
        match decoder.decode(message, &limits) {
            Ok(Some(packet)) => judge(&packet, &limits),
            Ok(None) => {
                assert!(matches!(message, Data::Binary(_)) || matches!(data.first(), Some(b'5' | b'6')))
            }
            Err(_) => assert_eq!(
                decoder.decode(Data::Binary(b""), &limits),
                Err(ParseError::UnexpectedBinary),
                "as new after an error"
            ),
        }
    }
}

/// The payload's text, for packets that have one.
fn payload<'a>(packet: &'a Packet<'_>) -> Option<&'a str> {
    match &packet.content {
        Content::Disconnect => None,
        Content::Connect(payload) => payload.as_deref(),
        Content::Ack(payload) | Content::ConnectError(payload) => Some(payload),
        Content::Event(event) => Some(event.array()),
    }
}

/// The same packet, to be sent.
fn outgoing<'a>(packet: &'a Packet<'_>, attachments: &'a [&'a [u8]]) -> Outgoing<'a> {
    let payload = payload(packet);
    let text = payload.unwrap_or_default();
    let namespace = &packet.namespace;
    let out = match packet.packet_type() {
        PacketType::Connect => Outgoing::connect(namespace, payload),
        PacketType::Disconnect => Outgoing::disconnect(namespace),
        PacketType::Event => Outgoing::event(namespace, text),
        PacketType::Ack => Outgoing::ack(namespace, 0, text),
        PacketType::ConnectError => Outgoing::connect_error(namespace, text),
    };
    out.with_id(packet.id).with_attachments(attachments)
}

fn judge(packet: &Packet<'_>, limits: &Limits) {
    assert!(packet.attachments.len() <= limits.max_attachments);
    if let Some(payload) = payload(packet) {
        assert!(json::is_valid(payload));
        if !packet.attachments.is_empty() {
            assert_eq!(check_placeholders(payload, packet.attachments.len()), Ok(()));
        }
    }
    if let Content::Event(event) = &packet.content {
        assert!(json::are_valid_args(event.args()), "{:?}", event.args());
    }
    let attachments: Vec<&[u8]> = packet.attachments.iter().map(|data| &data[..]).collect();
    let outgoing = outgoing(packet, &attachments);
    let mut encoded = Encoded::default();
    let (mut decoder, mut again) = (ParserKind::Json.decoder(), None);
    let messages = ParserKind::Json
        .encode(&outgoing, &mut encoded)
        .expect("text takes all");
    for message in messages {
        assert!(again.is_none());
        let limits = Limits {
            max_bytes: usize::MAX,
            ..*limits
        };
        again = decoder.decode(message, &limits).expect("what we write");
    }
    assert_eq!(again.as_ref(), Some(packet));
    in_msgpack(packet, &outgoing);
}

fn in_msgpack(packet: &Packet<'_>, outgoing: &Outgoing<'_>) {
    let mut encoded = Encoded::default();
    let mut messages = ParserKind::Msgpack
        .encode(outgoing, &mut encoded)
        .expect("well-formed");
    let message = messages.next().expect("one message");
    match ParserKind::Msgpack.decoder().decode(message, &Limits::default()) {
        Ok(Some(again)) => assert_eq!(
            (again.packet_type(), &again.namespace, again.id),
            (packet.packet_type(), &packet.namespace, packet.id)
        ),
        // A map that looks like a placeholder and isn't one.
        Err(error) => assert_eq!(error, ParseError::Placeholder),
        Ok(None) => panic!("a message is a packet"),
    }
}
