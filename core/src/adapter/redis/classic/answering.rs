//! What other nodes ask of this one.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::super::super::{
    Adapter, AdapterError, Answer, Answered, BroadcastAcks, ClusterReply, Host, Reply,
};
use super::super::values::Value;
use super::adapter::Node;
use super::requests::{Received, Request, Whom};
use super::responses::ResponseContent;
use crate::socketio::ParseError;

/// Who is to be answered.
struct Asker<H: Host + 'static> {
    node: Weak<Node<H>>,
    channel: String,
    id: String,
}

impl<H: Host + 'static> Asker<H> {
    fn tell(&self, content: &ResponseContent) {
        if let Some(node) = self.node.upgrade().filter(|node| !node.is_closed()) {
            node.publish(&self.channel, content.write(&self.id));
        }
    }

    /// What is known here, told.
    fn telling<T: 'static>(self, content: fn(T) -> ResponseContent) -> ClusterReply<T> {
        Box::new(move |known: Result<Answered<T>, AdapterError>| {
            if let Ok(known) = known {
                self.tell(&content(known.value));
            }
        })
    }
}

impl<H: Host + 'static> Node<H> {
    pub(super) fn on_request(&self, payload: &[u8]) -> Result<(), ParseError> {
        let Some(Received { uid, id, request }) = Received::read(payload, &self.uid)? else {
            return Ok(());
        };
        let channel = match uid {
            Some(uid) if self.options.publish_on_specific_response_channel => self.channels.response_of(&uid),
            _ => self.channels.response.clone(),
        };
        let asker = id.map(|id| Asker {
            node: self.me.clone(),
            channel,
            id,
        });
        match request {
            Request::Join(whom, rooms) => {
                let rooms: Vec<&str> = rooms.iter().map(|room| &**room).collect();
                match whom {
                    Whom::All(options) => self.local.add_sockets(&options, &rooms),
                    Whom::One(id) => self.with_one(&id, asker, |_| self.local.add_all(&id, &rooms)),
                }
            }
            Request::Leave(whom, rooms) => {
                let rooms: Vec<&str> = rooms.iter().map(|room| &**room).collect();
                match whom {
                    Whom::All(options) => self.local.del_sockets(&options, &rooms),
                    Whom::One(id) => self.with_one(&id, asker, |_| {
                        rooms.iter().for_each(|room| self.local.del(&id, room));
                    }),
                }
            }
            Request::Disconnect(Whom::All(options), close) => self.local.disconnect_sockets(&options, close),
            Request::Disconnect(Whom::One(id), close) => {
                self.with_one(&id, asker, |member| self.local.host().disconnect(member, close));
            }
            Request::ServerSideEmit(packet) => {
                let reply = asker.map(|asker| self.answer_of_application(asker));
                self.local.host().on_server_side_emit(packet, reply);
            }
            _ => {
                let asker = asker.ok_or(ParseError::Payload)?;
                self.answer(request, asker);
            }
        }
        Ok(())
    }

    /// What makes no sense without an answer.
    fn answer(&self, request: Request, asker: Asker<H>) {
        match request {
            Request::Sockets(rooms) => self.local.sockets(&rooms, asker.telling(ResponseContent::Ids)),
            Request::AllRooms => self.local.all_rooms(asker.telling(ResponseContent::Rooms)),
            Request::Fetch(options) => {
                self.local
                    .fetch_sockets(&options, asker.telling(ResponseContent::Sockets));
            }
            Request::Broadcast(packet, options) => {
                self.local
                    .receive_with_ack(&packet, &options, Arc::new(Passing(asker)));
            }
            _ => {}
        }
    }

    /// An order for one socket: who has it carries it out and says so.
    fn with_one(&self, id: &str, asker: Option<Asker<H>>, act: impl FnOnce(&H::Member)) {
        if let Some(member) = self.local.host().find(id) {
            act(&member);
            if let Some(asker) = asker {
                asker.tell(&ResponseContent::Done);
            }
        }
    }

    /// The official adapter answers these to all nodes, whatever its options say.
    fn answer_of_application(&self, mut asker: Asker<H>) -> Reply<Answer> {
        asker.channel.clone_from(&self.channels.response);
        Box::new(move |answer| asker.tell(&ResponseContent::Emitted(answer)))
    }
}

/// Passes clients' answers on to the node that has asked them.
struct Passing<H: Host + 'static>(Asker<H>);

impl<H: Host + 'static> BroadcastAcks for Passing<H> {
    fn on_clients(&self, count: usize) {
        self.0.tell(&ResponseContent::ClientCount(count));
    }

    fn on_ack(&self, array: &str, attachments: &[Bytes]) {
        match first(array) {
            Ok(value) => {
                let answer = value.map(|value| Answer {
                    value,
                    attachments: attachments.to_vec(),
                });
                self.0.tell(&ResponseContent::ClientAck(answer));
            }
            Err(error) => log::debug!("a client's answer is not passed on: {error}"),
        }
    }
}

/// The first of the arguments, which is all that the official adapter passes on.
fn first(array: &str) -> Result<Option<String>, ParseError> {
    let mut items = Value::from_json(array)?.items()?;
    let Some(item) = items.next().transpose()? else {
        return Ok(None);
    };
    match item {
        Value::Json(text) => Ok(Some(text.to_owned())),
        Value::Msgpack(_) => Err(ParseError::Json),
    }
}
