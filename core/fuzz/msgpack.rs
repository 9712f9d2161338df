//! Any bytes as Socket.IO's packets in MessagePack: what is taken becomes well-formed JSON within the bounds, and said
//! again it stays as it is. Included by the fuzz target and by the tests.

use sockline::json;
use sockline::socketio::msgpack::{decode, encode};
use sockline::socketio::{Content, Limits, Outgoing, Packet, PacketType, check_placeholders};

const LIMITS: Limits = Limits {
    max_attachments: 10,
    max_bytes: 20_000,
};

/// A message.
pub fn decode_input(input: &[u8]) {
    let Ok(packet) = decode(input, &LIMITS) else {
        return;
    };
    let payload = payload(&packet);
    if let Some(payload) = payload {
        assert!(json::is_valid(payload), "{payload}");
        assert_eq!(
            check_placeholders(payload, packet.attachments.len()),
            Ok(()),
            "{payload}"
        );
    }
    let bytes: usize = packet.attachments.iter().map(|data| data.len()).sum();
    assert!(payload.map_or(0, str::len) + bytes <= LIMITS.max_bytes);
    // 1.0 becomes 1, once.
    let second = said_again(&packet);
    assert_eq!(second.attachments, packet.attachments);
    assert_eq!(said_again(&second), second);
}

fn said_again(packet: &Packet<'_>) -> Packet<'static> {
    let attachments: Vec<&[u8]> = packet.attachments.iter().map(|data| &data[..]).collect();
    let (namespace, payload) = (&packet.namespace, payload(packet));
    let text = payload.unwrap_or_default();
    let out = match packet.packet_type() {
        PacketType::Connect => Outgoing::connect(namespace, payload),
        PacketType::Disconnect => Outgoing::disconnect(namespace),
        PacketType::Event => Outgoing::event(namespace, text),
        PacketType::Ack => Outgoing::ack(namespace, 0, text),
        PacketType::ConnectError => Outgoing::connect_error(namespace, text),
    };
    let mut written = Vec::new();
    encode(
        &out.with_id(packet.id).with_attachments(&attachments),
        &mut written,
    )
    .expect("well-formed");
    decode(&written, &Limits::default())
        .expect("what we write")
        .into_owned()
}

fn payload<'a>(packet: &'a Packet<'_>) -> Option<&'a str> {
    match &packet.content {
        Content::Disconnect => None,
        Content::Connect(payload) => payload.as_deref(),
        Content::Ack(payload) | Content::ConnectError(payload) => Some(payload),
        Content::Event(event) => Some(event.array()),
    }
}
