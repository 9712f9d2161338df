//! Socket.IO (protocol revision 5): packets, how they are encoded, and what is put in them.
//!
//! Users' JSON is handed on as text. What is received is checked to be well-formed and of the shape that its type asks
//! for; of an event the name is found, and where the arguments are. Binary data is apart, as attachments: a payload has
//! placeholders where they belong, `{"_placeholder":true,"num":0}`, in every encoding.
//!
//! Everything here is pure: messages in, packets out, and back. Depth, length and attachments are bounded. [`client`] is a
//! manager with its sockets, as pure as the rest.

#![forbid(unsafe_code)]

mod backoff;
mod build;
pub mod client;
mod decoder;
mod error;
pub mod msgpack;
mod packet;
mod parser;
mod placeholders;
mod text;

pub use crate::engineio::Data;
pub use backoff::Backoff;
pub use build::{
    RESERVED_EVENTS, ack_array, connect_error, connect_reply, error_v4, event_array, is_reserved,
    push_element,
};
pub use decoder::JsonDecoder;
pub use error::ParseError;
pub use packet::{Content, EventData, Outgoing, Packet, PacketType};
pub use parser::{Decoder, Encoded, Limits, Messages, Parser, ParserDecoder, ParserKind};
#[cfg(feature = "redis")]
pub(crate) use placeholders::replace_placeholders;
pub use placeholders::{check_placeholders, push_placeholder};
pub use text::encode;
