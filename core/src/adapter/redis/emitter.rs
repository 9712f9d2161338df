//! For processes without a server.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::classic::{Broadcast, Channels, Request, Sender, Whom};
use super::python::{Message, Order, fresh_host_id, no_events_of_servers, orders};
use super::values::distinct;
use super::{Redis, RedisMode};
use crate::adapter::{BroadcastOptions, BroadcastPacket};
use crate::error::{Error, ErrorCode, Result};
use crate::json;
use crate::socketio::{ParseError, event_array, is_reserved};
use crate::ws::MessageType;

/// Sends events to clients of a cluster, from a process that has no server.
///
/// If the options say [`RedisMode::PythonSocketio`] it does so as a manager of python-socketio that is `write_only`, and only
/// the channel matters beside: then how an event is sent (volatile, compressed) is not told, and what
/// [that format](super::python) has no words for is an error. Otherwise as `@socket.io/redis-emitter` 5.1: the nodes have to be in
/// mode [`Classic`](super::classic), with the same key. It also publishes to topics of plain servers.
///
/// Nothing is answered, and nobody tells whether any node was there. A copy costs little.
#[derive(Clone)]
pub struct Emitter {
    redis: Redis,
    namespace: Arc<str>,
    /// What it calls itself, if it has to.
    host_id: Option<Arc<str>>,
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("redis", &self.redis)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Emitter {
    /// An emitter for the namespace "/". It keeps the handle.
    pub fn new(redis: &Redis) -> Emitter {
        let is_pythons = redis.options().mode == RedisMode::PythonSocketio;
        Emitter {
            redis: redis.clone(),
            namespace: "/".into(),
            host_id: is_pythons.then(|| fresh_host_id().into()),
        }
    }

    /// An emitter for this namespace. A missing "/" in front is added.
    pub fn of(&self, namespace: &str) -> Emitter {
        Emitter {
            namespace: match namespace.starts_with('/') {
                true => namespace.into(),
                false => format!("/{namespace}").into(),
            },
            ..self.clone()
        }
    }

    /// The namespace, whose name begins with "/".
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// All sockets of the namespace.
    pub fn all(&self) -> EmitterOperator {
        EmitterOperator {
            emitter: self.clone(),
            options: BroadcastOptions::default(),
        }
    }

    /// The sockets in this room.
    pub fn to(&self, room: &str) -> EmitterOperator {
        self.all().to(room)
    }

    /// All sockets but those in this room.
    pub fn except(&self, room: &str) -> EmitterOperator {
        self.all().except(room)
    }

    /// Sends an event to all sockets; as [`EmitterOperator::emit`].
    ///
    /// # Errors
    /// As there.
    pub fn emit(&self, name: &str, args: &str, attachments: &[&[u8]]) -> Result<()> {
        self.all().emit(name, args, attachments)
    }

    /// Has the applications of all nodes hear an event (`serverSideEmit`); arguments as for [`EmitterOperator::emit`]. On
    /// the way binary data becomes `{"type":"Buffer","data":[…]}`, as in the official package.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for arguments that are no JSON, [`ErrorCode::Unsupported`] in python-socketio's format.
    pub fn server_side_emit(&self, name: &str, args: &str, attachments: &[&[u8]]) -> Result<()> {
        if self.host_id.is_some() {
            return Err(Error::new(ErrorCode::Unsupported, no_events_of_servers().0));
        }
        self.request(&Request::ServerSideEmit(packet(name, args, attachments)?))
    }

    /// Publishes a message to the subscribers of a topic, at all plain servers that have the same key
    /// ([`ServerOptions::adapter`](crate::ServerOptions::adapter)). The namespace doesn't matter. Unlike for events, the servers may
    /// be in any mode: the handle has to be in mode [`Sharded`](super::RedisMode::Sharded) if they are.
    ///
    /// # Errors
    /// [`ErrorCode::Topic`] and [`ErrorCode::InvalidUtf8`], as for [`Server::publish`](crate::Server::publish).
    pub fn publish(&self, topic: &str, kind: MessageType, data: &[u8]) -> Result<()> {
        self.redis.publish_as_emitter(topic, kind, data)
    }

    fn request(&self, request: &Request) -> Result<()> {
        let message = request
            .write(Sender::Emitter, None, &self.namespace)
            .map_err(not_json)?;
        let bus = self.redis.bus();
        bus.publish(&self.channels().request, message, false);
        Ok(())
    }

    /// In python-socketio's format.
    fn say(&self, host_id: &str, message: &Message) -> Result<()> {
        let message = message.write(host_id, &self.namespace).map_err(not_json)?;
        let channel = &self.redis.options().channel;
        self.redis.bus().publish(channel, message, false);
        Ok(())
    }

    fn channels(&self) -> Channels {
        Channels::new(&self.redis.options().key, &self.namespace)
    }
}

/// Which sockets of the cluster a call is for: those in any of its rooms, or all if it has none, but not those in any of
/// the rooms that are excepted. It is built step by step; each step takes the operator and gives it back.
#[derive(Debug, Clone)]
pub struct EmitterOperator {
    emitter: Emitter,
    options: BroadcastOptions,
}

impl EmitterOperator {
    /// Adds a room, to be reached. A socket in several of them is reached once.
    pub fn to(self, room: &str) -> EmitterOperator {
        self.to_all(&[room])
    }

    /// Adds several rooms.
    pub fn to_all(mut self, rooms: &[&str]) -> EmitterOperator {
        self.options.rooms.extend(shared(rooms));
        self
    }

    /// The same as [`EmitterOperator::to`], where that reads better.
    pub fn within(self, room: &str) -> EmitterOperator {
        self.to(room)
    }

    /// Adds a room, to be left out.
    pub fn except(self, room: &str) -> EmitterOperator {
        self.except_all(&[room])
    }

    /// Adds several rooms, to be left out.
    pub fn except_all(mut self, rooms: &[&str]) -> EmitterOperator {
        self.options.except.extend(shared(rooms));
        self
    }

    /// Clients that can't be written to right now miss the event.
    pub fn volatile(mut self, volatile: bool) -> EmitterOperator {
        self.options.flags.volatile = volatile;
        self
    }

    /// Whether the event may be compressed on its way to the clients. Default: yes.
    pub fn compress(mut self, compress: bool) -> EmitterOperator {
        self.options.flags.compress = compress;
        self
    }

    /// Sends an event with these arguments (JSON values with commas between them) and the attachments to which their
    /// placeholders point.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a reserved name, and for arguments that are no JSON.
    pub fn emit(&self, name: &str, args: &str, attachments: &[&[u8]]) -> Result<()> {
        if is_reserved(name) {
            let text = format!("{name:?} is a reserved event name");
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        let packet = packet(name, args, attachments)?;
        let Emitter {
            redis,
            namespace,
            host_id,
        } = &self.emitter;
        if let Some(host_id) = host_id {
            let message = Message::Emit(packet, self.options.clone(), None);
            return self.emitter.say(host_id, &message);
        }
        let message =
            Broadcast::write(Sender::Emitter, namespace, &packet, &self.options).map_err(not_json)?;
        let rooms = distinct(&self.options.rooms);
        let channel = self.emitter.channels().for_rooms(&rooms);
        redis.bus().publish(&channel, message, false);
        Ok(())
    }

    /// Has the sockets join rooms.
    pub fn sockets_join(&self, rooms: &[&str]) {
        self.order(Order::Join(rooms), |whom| {
            Request::Join(whom, shared(rooms).collect())
        });
    }

    /// Has the sockets leave rooms.
    pub fn sockets_leave(&self, rooms: &[&str]) {
        self.order(Order::Leave(rooms), |whom| {
            Request::Leave(whom, shared(rooms).collect())
        });
    }

    /// Disconnects the sockets; with `close` their connections, too.
    pub fn disconnect_sockets(&self, close: bool) {
        self.order(Order::Disconnect, |whom| Request::Disconnect(whom, close));
    }

    fn order(&self, order: Order<'_>, request: impl FnOnce(Whom) -> Request) {
        let Some(host_id) = &self.emitter.host_id else {
            let sent = self.emitter.request(&request(Whom::All(self.options.clone())));
            return sent.unwrap_or_else(|error| log::error!("an order to the servers was not sent: {error}")); // it has no users' data
        };
        match orders(&self.options, order) {
            Ok(messages) => messages.iter().for_each(|message| {
                if let Err(error) = self.emitter.say(host_id, message) {
                    log::error!("an order to the servers was not sent: {error}");
                }
            }),
            Err(error) => self.emitter.redis.bus().report(error),
        }
    }
}

fn shared<'a>(names: &'a [&str]) -> impl Iterator<Item = Arc<str>> + 'a {
    names.iter().map(|name| Arc::from(*name))
}

fn packet(name: &str, args: &str, attachments: &[&[u8]]) -> Result<BroadcastPacket> {
    if !json::are_valid_args(args) {
        return Err(not_json(ParseError::Json));
    }
    let mut array = String::new();
    event_array(name, args, &mut array);
    let attachments = attachments.iter().map(|data| Bytes::copy_from_slice(data));
    Ok(BroadcastPacket {
        array: array.into(),
        attachments: attachments.collect(),
    })
}

fn not_json(error: ParseError) -> Error {
    Error::new(
        ErrorCode::InvalidArgument,
        format!("an event's arguments: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::RedisOptions;
    use super::super::memory::MemoryServer;
    use super::*;

    /// The lines of the captured log that the official emitter has published.
    fn captured() -> Vec<(&'static str, Vec<u8>)> {
        let log = include_str!("../../../tests/redis/tap-classic.log");
        let lines = log
            .lines()
            .filter_map(|line| line.strip_prefix("PUBLISH ")?.split_once("  |  "));
        let message = |payload: &str| match payload.strip_prefix("hex=") {
            Some(rest) => {
                let hex = rest.split(' ').next().unwrap();
                data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
            }
            None => payload.as_bytes().to_vec(),
        };
        let is_emitters = |message: &[u8]| {
            message.starts_with(b"{\"type\":2")
                || message.starts_with(b"{\"type\":4")
                || String::from_utf8_lossy(message).contains("emitter")
        };
        lines
            .map(|(channel, payload)| (channel, message(payload)))
            .filter(|(_, message)| is_emitters(message))
            .collect()
    }

    fn emitter(server: &MemoryServer, key: &str) -> Emitter {
        let options = RedisOptions {
            key: key.to_owned(),
            ..RedisOptions::default()
        };
        Redis::over(server.node(), options).emitter()
    }

    #[test]
    fn what_is_published_is_what_the_official_emitter_publishes() {
        let server = MemoryServer::new();
        let emitter = emitter(&server, "socket.io");
        emitter.emit("hello", "\"e\"", &[]).unwrap();
        emitter.to("room1").emit("hello", "\"e\"", &[]).unwrap();
        emitter.to("room1").sockets_join(&["x"]);
        emitter.to("nobody").disconnect_sockets(true);
        emitter.server_side_emit("srv", "\"z\"", &[]).unwrap();
        let published = server.published();
        let published: Vec<_> = published
            .iter()
            .map(|(channel, message, _)| (channel.as_str(), message.clone()))
            .collect();
        assert_eq!(published, captured());
    }

    #[test]
    fn options_and_namespaces_go_where_they_belong() {
        let server = MemoryServer::new();
        let emitter = emitter(&server, "key").of("admin");
        assert_eq!(emitter.namespace(), "/admin");
        let whom = emitter.to("a").within("b").to("a").except("c");
        whom.clone()
            .volatile(true)
            .compress(false)
            .emit("e", "", &[])
            .unwrap();
        whom.sockets_leave(&["d"]);
        emitter
            .except("c")
            .emit("bin", r#"{"_placeholder":true,"num":0}"#, &[b"x"])
            .unwrap();
        let published = server.published();
        let [emitted, left, binary] = published.as_slice() else {
            panic!("{published:?}");
        };
        assert_eq!(emitted.0, "key#/admin#");
        let broadcast = Broadcast::read(&emitted.1, "", "/admin").unwrap().unwrap();
        assert_eq!(broadcast.options.rooms, ["a", "b"].map(Arc::from));
        assert_eq!(broadcast.options.except, ["c"].map(Arc::from));
        assert!(broadcast.options.flags.volatile && !broadcast.options.flags.compress);
        assert_eq!(&*broadcast.packet.array, r#"["e"]"#);
        assert_eq!(left.0, "key-request#/admin#");
        let text = br#"{"type":3,"opts":{"rooms":["a","b"],"except":["c"]},"rooms":["d"]}"#;
        assert_eq!(left.1, text);
        let broadcast = Broadcast::read(&binary.1, "", "/admin").unwrap().unwrap();
        assert_eq!(*broadcast.packet.attachments, [Bytes::from_static(b"x")]);
    }

    #[test]
    fn what_no_event_may_be_is_refused() {
        let server = MemoryServer::new();
        let emitter = emitter(&server, "socket.io");
        assert!(emitter.emit("connect", "", &[]).is_err());
        assert!(emitter.emit("a", "1],[2", &[]).is_err());
        assert!(emitter.server_side_emit("a", "{", &[]).is_err());
        let missing = r#"{"_placeholder":true,"num":0}"#;
        assert!(emitter.server_side_emit("a", missing, &[]).is_err());
        assert!(server.published().is_empty());
    }
}
