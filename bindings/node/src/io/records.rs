//! What is told to JavaScript of Socket.IO; `lib/io/packets.js` and its neighbours read it.
//!
//! A record with JSON has in its extra half word: how many attachments belong to it, each a record of its own before it
//! (bits 0 to 9), the result of an acknowledgement (10 and 11), whether a handle to answer by comes first (14), and
//! whether the JSON is ASCII (15).

use sockline::http::Request;
use sockline::io::{AckResponse, AckResult, Data, EnginePacket, Handshake, SessionInfo};

use super::clients::transport_name;
use crate::batch::{Batch, Kind};
use crate::info::latin1;

pub(super) const MOST_ATTACHMENTS: usize = 0x3ff;
const RESULT_SHIFT: u16 = 10;
const HAS_ACK: u16 = 0x4000;
const ASCII: u16 = 0x8000;

const BINARY: u16 = 2;
const TYPE_SHIFT: u16 = 2;
const PLAIN: u16 = 1 << 5;

/// How an event with a token has ended.
const ANSWERED: u16 = 0;
const TIMED_OUT: u16 = 1;
const DISCONNECTED: u16 = 2;

/// Attachments, each as a record of its own.
pub(super) fn push_attachments<'a>(batch: &Batch, key: u32, attachments: impl Iterator<Item = &'a [u8]>) {
    for attachment in attachments {
        batch.push(key, Kind::IoAttachment, 0, attachment);
    }
}

/// The extra half word of a record with JSON. There are never more attachments than it can hold: `lib/io` limits them.
fn extra(text: &str, attachments: usize) -> u16 {
    let ascii = if text.is_ascii() { ASCII } else { 0 };
    attachments.min(MOST_ATTACHMENTS) as u16 | ascii
}

/// An event: the number to answer by (8 bytes), if the peer waits for that, and the array.
pub(super) fn push_event<B: AsRef<[u8]>>(
    batch: &Batch,
    key: u32,
    array: &str,
    attachments: &[B],
    ack: Option<u64>,
) {
    push_attachments(batch, key, attachments.iter().map(AsRef::as_ref));
    let extra = extra(array, attachments.len());
    match ack {
        None => batch.push(key, Kind::IoEvent, extra, array.as_bytes()),
        Some(handle) => {
            let handle = (handle as f64).to_le_bytes();
            batch.push_parts(key, Kind::IoEvent, extra | HAS_ACK, [&handle, array.as_bytes()]);
        }
    }
}

/// A packet of Engine.IO, behind `head`; the extra half word says whether it is on its way out (bit 0), whether its data is
/// binary (1), and its type (from 2 on).
pub(super) fn push_packet(batch: &Batch, key: u32, head: &[u8], packet: &EnginePacket<'_>) {
    let (binary, data) = match packet.data {
        Data::Text(text) => (0, text.as_bytes()),
        Data::Binary(data) => (BINARY, data),
    };
    let plain = if packet.compress { 0 } else { PLAIN };
    let extra = u16::from(packet.outgoing) | binary | plain | (packet.kind as u16) << TYPE_SHIFT;
    batch.push_parts(key, Kind::IoPacket, extra, [head, data]);
}

/// An event that was sent.
pub(super) fn push_outgoing<B: AsRef<[u8]>>(batch: &Batch, key: u32, array: &str, attachments: &[B]) {
    push_attachments(batch, key, attachments.iter().map(AsRef::as_ref));
    let extra = extra(array, attachments.len());
    batch.push(key, Kind::IoOutgoing, extra, array.as_bytes());
}

/// What became of an event: the token (4 bytes), and the answer's arguments as an array.
pub(super) fn push_result(batch: &Batch, key: u32, token: u64, result: AckResult<'_>) {
    let (outcome, args, attachments) = match result {
        AckResult::Answered { args, attachments } => (ANSWERED, args, attachments),
        AckResult::Timeout => (TIMED_OUT, "", &[][..]),
        AckResult::Disconnected => (DISCONNECTED, "", &[][..]),
    };
    push_attachments(batch, key, attachments.iter().map(AsRef::as_ref));
    let extra = extra(args, attachments.len()) | outcome << RESULT_SHIFT;
    let token = (token as u32).to_le_bytes();
    batch.push_parts(key, Kind::IoAck, extra, [&token, b"[", args.as_bytes(), b"]"]);
}

/// Answers of several: the token, how many there are, for each how many attachments it has (4 bytes each), and a list of
/// lists of their arguments.
pub(super) fn push_responses(
    batch: &Batch,
    key: u32,
    kind: Kind,
    extra: u16,
    token: u32,
    responses: &[AckResponse],
) {
    let attachments = responses.iter().flat_map(|response| &response.attachments);
    push_attachments(batch, key, attachments.map(AsRef::as_ref));
    let mut head = token.to_le_bytes().to_vec();
    head.extend((responses.len() as u32).to_le_bytes());
    for response in responses {
        head.extend((response.attachments.len() as u32).to_le_bytes());
    }
    let lists: Vec<String> = responses
        .iter()
        .map(|response| format!("[{}]", response.args))
        .collect();
    let text = format!("[{}]", lists.join(","));
    batch.push_parts(key, kind, extra, [head.as_slice(), text.as_bytes()]);
}

/// A session: its id, protocol, transport, when it began, what a socket of it has said of itself (JSON), and the request.
pub(super) fn session(session: &SessionInfo<'_>, auth: &str) -> String {
    let SessionInfo {
        id,
        request: handshake,
        transport,
        protocol,
    } = session;
    let (transport, issued) = (transport_name(*transport), handshake.issued());
    let mut record = format!("{id}\0{protocol}\0{transport}\0{issued}\0{auth}\0");
    request(handshake, &mut record);
    record
}

/// A request: what tells it from others, the URL, address, port, whether there is TLS, then names and values of headers.
/// None of them can hold NUL (RFC 9110 §5.5), so it can separate them.
pub(super) fn request(handshake: &Handshake, out: &mut String) {
    let (address, port) = match handshake.address() {
        Some(remote) => (remote.ip().to_string(), remote.port().to_string()),
        None => Default::default(),
    };
    let secure = if handshake.secure() { "1" } else { "0" };
    // A client's port has one request at a time: with the time, that tells it from others, but for one that is the same in all.
    let identity = format!("{}-{address}-{port}", handshake.issued());
    out.push_str(&[identity.as_str(), handshake.url(), &address, &port, secure].join("\0"));
    for (name, value) in handshake.headers() {
        out.extend(["\0", name, "\0", value]);
    }
}

/// The same for a request that no session is known of, nor whose it is: it is told from others by the question that let it in.
pub(super) fn unknown_request(request: &Request, out: &mut String) {
    let question = match request.note {
        0 => String::new(),
        number => number.to_string(),
    };
    out.push_str(&[question.as_str(), request.target.as_str(), "", "", "0"].join("\0"));
    for (name, value) in &request.headers {
        out.extend(["\0", name.as_str(), "\0"]);
        out.push_str(&latin1(value.as_bytes()));
    }
}
