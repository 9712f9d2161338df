//! What clients can be made to do.

use std::sync::Arc;

use super::super::super::{AdapterError, BroadcastOptions};
use super::message::Message;

/// What sockets are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order<'a> {
    /// Join these rooms.
    Join(&'a [&'a str]),
    /// Leave these rooms.
    Leave(&'a [&'a str]),
    /// Disconnect.
    Disconnect,
}

/// What has to be said for that, one message after the other.
///
/// # Errors
/// The format has no orders to all of a namespace, nor any that leave somebody out.
pub fn orders(whom: &BroadcastOptions, order: Order<'_>) -> Result<Vec<Message>, AdapterError> {
    if whom.rooms.is_empty() || !whom.except.is_empty() {
        let text = "python-socketio's format has orders for single clients and rooms only: the clients of other servers were told nothing";
        return Err(AdapterError(text.to_owned()));
    }
    let each = whom.rooms.iter().flat_map(|id| order.messages(id));
    Ok(each.collect())
}

impl Order<'_> {
    fn messages(self, id: &Arc<str>) -> Vec<Message> {
        match self {
            Order::Join(rooms) => {
                let enter = |room: &&str| Message::Enter(Arc::clone(id), Arc::from(*room));
                rooms.iter().map(enter).collect()
            }
            Order::Leave(rooms) => {
                let others = rooms.iter().filter(|room| **room != &**id);
                let leave = |room: &&str| Message::Leave(Arc::clone(id), Arc::from(*room));
                let mut messages: Vec<Message> = others.map(leave).collect();
                // The last one: who has left the room that is meant would not be found any more.
                if rooms.contains(&&**id) {
                    messages.push(Message::CloseRoom(Arc::clone(id)));
                }
                messages
            }
            Order::Disconnect => vec![Message::Disconnect(Arc::clone(id))],
        }
    }
}
