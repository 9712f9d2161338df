//! Messages for many sessions.

use std::sync::Arc;

use crate::engineio::{Data, packet};
use crate::ws::{MessageType, SharedMessage};

/// Messages that go to many sessions together, encoded once for all whose WebSocket takes them as they are.
#[derive(Debug)]
pub struct Prepared {
    pieces: Box<[Arc<SharedMessage>]>,
    compress: bool,
}

impl Prepared {
    /// These messages, in this order and with nothing between them: a packet and its attachments. `compress` false: on no
    /// transport.
    pub fn new(messages: &[Data<'_>], compress: bool) -> Prepared {
        let mut text = Vec::new();
        let mut piece = |message: &Data<'_>| {
            Arc::new(match message {
                Data::Text(message) => {
                    text.clear();
                    packet::encode_text(crate::engineio::PacketType::Message, message, &mut text);
                    SharedMessage::new(MessageType::Text, &text)
                }
                Data::Binary(bytes) => SharedMessage::new(MessageType::Binary, bytes),
            })
        };
        Prepared {
            pieces: messages.iter().map(&mut piece).collect(),
            compress,
        }
    }

    /// The WebSocket messages of revision 4, for clients that read binary ones.
    pub fn frames(&self) -> &[Arc<SharedMessage>] {
        &self.pieces
    }

    /// Whether they may be compressed.
    pub fn compress(&self) -> bool {
        self.compress
    }

    /// The messages.
    pub fn messages(&self) -> impl Iterator<Item = Data<'_>> + Clone {
        self.pieces.iter().map(|piece| match piece.kind() {
            MessageType::Binary => Data::Binary(piece.payload()),
            // It was made from a digit and a text.
            MessageType::Text => Data::Text(
                piece
                    .payload()
                    .get(1..)
                    .and_then(|text| std::str::from_utf8(text).ok())
                    .unwrap_or_default(),
            ),
        })
    }

    /// Bytes of all messages.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.payload().len()).sum()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}
