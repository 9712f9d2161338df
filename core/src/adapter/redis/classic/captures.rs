//! What the official packages have published (socket.io 4.8, @socket.io/redis-adapter 8.3, @socket.io/redis-emitter 5.1,
//! Node.js): all of it is read, and what is written from that is the same, byte for byte.

use super::super::super::{Answer, SocketDetails};
use super::super::values::Value;
use super::broadcasts::EMITTER;
use super::*;

const LOG: &str = include_str!("../../../../tests/redis/tap-classic.log");

/// The channel and the message of each line that publishes something.
fn published() -> Vec<(&'static str, Vec<u8>)> {
    let lines = LOG.lines().filter_map(|line| line.strip_prefix("PUBLISH "));
    let found: Vec<_> = lines
        .map(|line| {
            let (channel, payload) = line.split_once("  |  ").unwrap();
            let message = match payload.strip_prefix("hex=") {
                Some(rest) => {
                    let hex = rest.split(' ').next().unwrap();
                    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
                }
                None => payload.as_bytes().to_vec(),
            };
            (channel, message)
        })
        .collect();
    assert_eq!(found.len(), 26);
    found
}

fn namespace(channel: &str) -> &str {
    channel.split('#').nth(1).unwrap()
}

fn sender(uid: Option<&str>) -> Sender<'_> {
    match uid {
        None | Some(EMITTER) => Sender::Emitter,
        Some(uid) => Sender::Server(uid),
    }
}

fn shown(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}

#[test]
fn broadcasts_are_read_and_written_as_captured() {
    let mut count = 0;
    for (channel, message) in published() {
        if !channel.starts_with("socket.io#") {
            continue;
        }
        count += 1;
        let name = namespace(channel);
        let first = Value::read(&message).unwrap().items().unwrap().next();
        let uid = first.unwrap().unwrap().string().unwrap().into_owned();
        assert_eq!(Broadcast::read(&message, &uid, name).unwrap(), None, "its own");
        assert_eq!(
            Broadcast::read(&message, "other", "/other").unwrap(),
            None,
            "not its namespace"
        );
        let broadcast = Broadcast::read(&message, "other", name).unwrap().unwrap();
        let again = Broadcast::write(sender(Some(&uid)), name, &broadcast.packet, &broadcast.options);
        assert_eq!(shown(&again.unwrap()), shown(&message));
        let rooms: Vec<&str> = broadcast.options.rooms.iter().map(|room| &**room).collect();
        assert_eq!(Channels::new("socket.io", name).for_rooms(&rooms), channel);
    }
    assert_eq!(count, 8);
}

#[test]
fn requests_are_read_and_written_as_captured() {
    let mut kinds = Vec::new();
    for (channel, message) in published() {
        if !channel.starts_with("socket.io-request#") {
            continue;
        }
        assert_eq!(Channels::new("socket.io", namespace(channel)).request, channel);
        let Received { uid, id, request } = Received::read(&message, "other").unwrap().unwrap();
        kinds.push(match &request {
            Request::Sockets(_) => 0,
            Request::AllRooms => 1,
            Request::Join(..) => 2,
            Request::Leave(..) => 3,
            Request::Disconnect(..) => 4,
            Request::Fetch(_) => 5,
            Request::ServerSideEmit(_) => 6,
            Request::Broadcast(..) => 7,
        });
        let again = request
            .write(sender(uid.as_deref()), id.as_deref(), namespace(channel))
            .unwrap();
        assert_eq!(shown(&again), shown(&message));
        if let Some(uid) = &uid {
            assert_eq!(Received::read(&message, uid).unwrap(), None, "its own");
        }
    }
    assert_eq!(kinds, [7, 5, 5, 2, 3, 6, 6, 1, 2, 4, 6, 4]);
}

/// What a response says.
fn content(response: &Response<'_>, message: &[u8]) -> ResponseContent {
    if let Some(count) = response.client_count() {
        return ResponseContent::ClientCount(count);
    }
    if let Some(ack) = response.client_ack() {
        let (array, attachments) = ack.unwrap();
        let value = array
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap();
        let value = value.to_owned();
        return ResponseContent::ClientAck(Some(Answer { value, attachments }));
    }
    if message.starts_with(b"{\"type\":6") {
        return ResponseContent::Emitted(response.answer().unwrap());
    }
    match response.rooms() {
        Ok(rooms) => ResponseContent::Rooms(rooms),
        Err(_) => ResponseContent::Sockets(response.sockets().unwrap()),
    }
}

#[test]
fn responses_are_read_and_written_as_captured() {
    let mut count = 0;
    for (channel, message) in published() {
        if !channel.starts_with("socket.io-response#") {
            continue;
        }
        count += 1;
        let response = Response::read(&message).unwrap();
        let content = content(&response, &message);
        if let ResponseContent::Sockets(sockets) = &content {
            let [SocketDetails { id, rooms, data, .. }] = sockets.as_slice() else {
                panic!("{sockets:?}");
            };
            assert!(rooms.contains(id) && data == "{}");
        }
        let again = content.write(&response.id().unwrap()).unwrap();
        assert_eq!(shown(&again), shown(&message));
    }
    assert_eq!(count, 6);
}

#[test]
fn what_is_subscribed_to_is_named_as_captured() {
    let (root, admin) = (
        Channels::new("socket.io", "/"),
        Channels::new("socket.io", "/admin"),
    );
    for (channels, uid) in [(&root, "teEhtD"), (&root, "vbr6Ih"), (&admin, "bDa77v")] {
        let names = format!(
            "PSUBSCRIBE {}\nSUBSCRIBE {}  |  {}  |  {}\n",
            channels.pattern(),
            channels.request,
            channels.response,
            channels.response_of(uid)
        );
        assert!(LOG.contains(&names), "{names}");
    }
}
