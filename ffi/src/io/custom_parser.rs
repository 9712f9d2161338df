//! Parsers that are written in C.

use std::borrow::Cow;
use std::ffi::c_void;
use std::sync::Arc;

use sockline::Result;
use sockline::io::{Parser, ParserKind};
use sockline::socketio::{
    Content, Data, Encoded, Limits, Outgoing, Packet, PacketType, ParseError, ParserDecoder,
    check_placeholders,
};

use super::attachments;
use super::packets::read_message;
use crate::abi::{Versioned, invalid, read_struct, string};
use crate::guard::guard;
use crate::kept::{Given, UserData};
use crate::status::{OK, sockline_status};
use crate::types::{sockline_bytes, sockline_message_type, sockline_string};

const NOT_ENCODED: ParseError = ParseError::Custom("the application's parser can't encode it");
const NO_MESSAGE: ParseError = ParseError::Custom("the application's parser made no message of it");
const NOT_DECODED: ParseError = ParseError::Custom("the application's parser can't read it");
const UNREADABLE: ParseError = ParseError::Custom("the application's parser gave a packet that can't be");

/// What a packet is for.
#[repr(C)]
pub enum sockline_io_packet_type {
    /// To join a namespace: the payload is an object or absent. Also the answer that it has been joined.
    SOCKLINE_IO_PACKET_CONNECT = 0,
    /// To leave a namespace: no payload.
    SOCKLINE_IO_PACKET_DISCONNECT = 1,
    /// An event: an array that begins with its name.
    SOCKLINE_IO_PACKET_EVENT = 2,
    /// The answer to an event with an id: an array.
    SOCKLINE_IO_PACKET_ACK = 3,
    /// A namespace can't be joined: an object or a string.
    SOCKLINE_IO_PACKET_CONNECT_ERROR = 4,
}

/// A packet, which a parser makes messages of, and of messages.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_packet {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// One of enum sockline_io_packet_type.
    pub packet_type: i32,
    /// 1 if it has an id.
    pub has_id: i32,
    /// The acknowledgement id: of an event that asks for an answer, or of an answer.
    pub id: u64,
    /// The namespace, with its "/".
    pub nsp: sockline_string,
    /// The payload as JSON; its data is NULL if there is none. A binary value is {"_placeholder":true,"num":0} with the number
    /// of its attachment.
    pub payload: sockline_string,
    /// The binary values, attachment_count of them.
    pub attachments: *const sockline_bytes,
    /// How many those are.
    pub attachment_count: usize,
}

/// What one packet may cost whoever receives it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_limits {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// The most attachments: max_attachments of the options.
    pub max_attachments: usize,
    /// The most bytes, those of the attachments included.
    pub max_bytes: usize,
}

/// The messages of one packet, for sockline_io_add_message; borrowed until encode returns.
pub struct sockline_io_messages(Encoded);

/// A parser of your own, in place of enum sockline_io_parser's; both sides have to use the same. Start from
/// SOCKLINE_IO_CUSTOM_PARSER_INIT and set at least encode and decode. It is copied by the call that takes it.
///
/// Its functions run within other calls, and on the threads that turn loops, encode on several at once. They must not block, and may
/// call nothing of this library but sockline_io_add_message. What they get is borrowed until they return. No C++ exception and no
/// longjmp may leave them.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_custom_parser {
    /// sizeof(sockline_io_custom_parser), as the INIT macro sets it.
    pub size: usize,
    /// Makes messages of a packet, with sockline_io_add_message, at least one; they are sent with nothing in between. Returns 0, or
    /// below 0 if it can't be encoded: the call that sends it returns SOCKLINE_ERR_INVALID_ARGUMENT then.
    pub encode: Option<
        unsafe extern "C" fn(
            packet: *const sockline_io_packet,
            messages: *mut sockline_io_messages,
            user_data: *mut c_void,
        ) -> i32,
    >,
    /// Makes what decode keeps between the messages of one connection. Default: decode is given NULL.
    pub new_decoder: Option<unsafe extern "C" fn(user_data: *mut c_void) -> *mut c_void>,
    /// Takes the next message of a connection: message_type is one of enum sockline_message_type. Returns 1 and fills in packet if
    /// that was the last of one, 0 if more have to come, and below 0 if it can't be part of a packet: the connection is closed,
    /// by a server with "forced close", by a client with "parse error".
    ///
    /// packet: all but size is 0; an empty nsp stands for "/". What it is made to point to has to be there until this decoder's
    /// next call, and may be in data. It is checked as far as the library relies on it. limits: what packet may be, and what a
    /// decoder may keep. For one decoder this is never called by two threads at once.
    pub decode: Option<
        unsafe extern "C" fn(
            decoder: *mut c_void,
            message_type: i32,
            data: *const c_void,
            len: usize,
            limits: *const sockline_io_limits,
            packet: *mut sockline_io_packet,
            user_data: *mut c_void,
        ) -> i32,
    >,
    /// Frees what new_decoder has made: the connection has ended.
    pub free_decoder: Option<unsafe extern "C" fn(decoder: *mut c_void, user_data: *mut c_void)>,
    /// The server or manager that was given the parser is gone, and all decoders are freed: none of these functions is called any
    /// more, and user_data may be freed. Exactly once for each call that took it, unless that returned an error. On any thread.
    pub on_freed: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Yours, given to all of these.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, `size` first; zeroes are a number, no functions and NULL.
unsafe impl Versioned for sockline_io_custom_parser {
    const NAME: &'static str = "sockline_io_custom_parser";
}

/// Adds a message to those of a packet: text or binary, by enum sockline_message_type. Copied.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Only within encode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_add_message(
    messages: *mut sockline_io_messages,
    message_type: i32,
    data: *const c_void,
    len: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for what encode was given, which nobody else uses until it returns.
        let messages = unsafe { messages.as_mut() }.ok_or_else(|| invalid("messages is NULL".to_owned()))?;
        // SAFETY: the header asks for readable data.
        match unsafe { read_message(message_type, data, len) }? {
            Data::Text(text) => messages.0.push_text(text),
            Data::Binary(data) => messages.0.push_binary(data),
        }
        Ok(OK)
    })
}

/// The parser of a server or manager, or `otherwise` if C has none of its own.
///
/// # Safety
/// `given` is NULL or a struct as long as its size says.
pub(super) unsafe fn read_parser(
    given: *const sockline_io_custom_parser,
    otherwise: ParserKind,
    keeps: &mut Given,
) -> Result<ParserKind> {
    // SAFETY: the caller's promise is the same.
    let Some(given) = (unsafe { read_struct(given) })? else {
        return Ok(otherwise);
    };
    let (Some(encode), Some(decode)) = (given.encode, given.decode) else {
        return Err(invalid("a custom parser needs encode and decode".to_owned()));
    };
    let user_data = UserData::new(given.user_data, given.on_freed);
    keeps.add(&user_data);
    Ok(ParserKind::Custom(Arc::new(Shared(Arc::new(Written {
        encode,
        decode,
        new_decoder: given.new_decoder,
        free_decoder: given.free_decoder,
        user_data,
    })))))
}

type Encode = unsafe extern "C" fn(*const sockline_io_packet, *mut sockline_io_messages, *mut c_void) -> i32;
type Decode = unsafe extern "C" fn(
    *mut c_void,
    i32,
    *const c_void,
    usize,
    *const sockline_io_limits,
    *mut sockline_io_packet,
    *mut c_void,
) -> i32;

/// A parser, kept by its server or manager and by each decoder.
struct Written {
    encode: Encode,
    decode: Decode,
    new_decoder: Option<unsafe extern "C" fn(*mut c_void) -> *mut c_void>,
    free_decoder: Option<unsafe extern "C" fn(*mut c_void, *mut c_void)>,
    user_data: Arc<UserData>,
}

struct Shared(Arc<Written>);

// The SAFETY of every call below: the header asks for functions of these types, which take their arguments as
// described; pointers that they get are good until they return.
impl Parser for Shared {
    fn encode(&self, packet: &Outgoing<'_>, out: &mut Encoded) -> std::result::Result<(), ParseError> {
        let binary = attachments::borrow(packet.attachments);
        let payload = packet
            .payload
            .map(|payload| sockline_string::borrow(payload.as_bytes()));
        let shown = sockline_io_packet {
            packet_type: packet.packet_type as i32,
            has_id: i32::from(packet.id.is_some()),
            id: packet.id.unwrap_or(0),
            nsp: sockline_string::borrow(packet.namespace.as_bytes()),
            payload: payload.unwrap_or(sockline_string::ABSENT),
            attachments: binary.as_ptr(),
            attachment_count: binary.len(),
            ..sockline_io_packet::EMPTY
        };
        let mut messages = sockline_io_messages(std::mem::take(out));
        // SAFETY: as said above.
        let status = unsafe { (self.0.encode)(&raw const shown, &raw mut messages, self.0.user_data.get()) };
        *out = messages.0;
        match status {
            ..0 => Err(NOT_ENCODED),
            _ if out.is_empty() => Err(NO_MESSAGE),
            _ => Ok(()),
        }
    }

    fn decoder(&self) -> Box<dyn ParserDecoder> {
        // SAFETY: as said above.
        let state = self
            .0
            .new_decoder
            .map(|make| unsafe { make(self.0.user_data.get()) });
        Box::new(Decoding {
            parser: self.0.clone(),
            state: state.unwrap_or(std::ptr::null_mut()) as usize,
        })
    }
}

struct Decoding {
    parser: Arc<Written>,
    /// What C has made for it.
    state: usize,
}

impl Drop for Decoding {
    fn drop(&mut self) {
        if let (Some(free), Some(_)) = (self.parser.free_decoder, self.parser.new_decoder) {
            // SAFETY: as said above.
            unsafe { free(self.state as *mut c_void, self.parser.user_data.get()) }
        }
    }
}

impl ParserDecoder for Decoding {
    fn decode<'a>(
        &mut self,
        message: Data<'a>,
        limits: &Limits,
    ) -> std::result::Result<Option<Packet<'a>>, ParseError> {
        let (message_type, data) = match message {
            Data::Text(text) => (sockline_message_type::SOCKLINE_TEXT, text.as_bytes()),
            Data::Binary(data) => (sockline_message_type::SOCKLINE_BINARY, data),
        };
        let shown = sockline_io_limits {
            size: size_of::<sockline_io_limits>(),
            max_attachments: limits.max_attachments,
            max_bytes: limits.max_bytes,
        };
        let mut packet = sockline_io_packet::EMPTY;
        // SAFETY: as said above.
        let status = unsafe {
            (self.parser.decode)(
                self.state as *mut c_void,
                message_type as i32,
                data.as_ptr().cast(),
                data.len(),
                &raw const shown,
                &raw mut packet,
                self.parser.user_data.get(),
            )
        };
        match status {
            ..0 => Err(NOT_DECODED),
            0 => Ok(None),
            // SAFETY: the header asks for what is readable until the next call.
            _ => unsafe { read_packet(&packet, limits) }.map(Some),
        }
    }
}

impl sockline_io_packet {
    const EMPTY: sockline_io_packet = sockline_io_packet {
        size: size_of::<sockline_io_packet>(),
        packet_type: 0,
        has_id: 0,
        id: 0,
        nsp: sockline_string::ABSENT,
        payload: sockline_string::ABSENT,
        attachments: std::ptr::null(),
        attachment_count: 0,
    };
}

/// Copies what C has read.
///
/// # Safety
/// What the packet points to is readable.
unsafe fn read_packet(
    given: &sockline_io_packet,
    limits: &Limits,
) -> std::result::Result<Packet<'static>, ParseError> {
    let packet_type = match given.packet_type {
        0 => PacketType::Connect,
        1 => PacketType::Disconnect,
        2 => PacketType::Event,
        3 => PacketType::Ack,
        4 => PacketType::ConnectError,
        _ => return Err(ParseError::UnknownType),
    };
    if given.attachment_count > limits.max_attachments {
        return Err(ParseError::TooManyAttachments);
    }
    // SAFETY: the caller's promise covers all of it.
    let (namespace, payload, binary) = unsafe {
        (
            string(given.nsp).map_err(|_| ParseError::Namespace)?,
            string(given.payload).map_err(|_| ParseError::Payload)?,
            attachments::read(given.attachments, given.attachment_count).map_err(|_| UNREADABLE)?,
        )
    };
    let len = binary
        .iter()
        .fold(payload.len(), |sum, one| sum.saturating_add(one.len()));
    if len > limits.max_bytes {
        return Err(ParseError::TooLarge);
    }
    let payload = (!given.payload.data.is_null()).then_some(payload);
    if let (false, Some(payload)) = (binary.is_empty(), payload) {
        check_placeholders(payload, binary.len())?;
    }
    Ok(Packet {
        namespace: Cow::Owned(if namespace.is_empty() { "/" } else { namespace }.to_owned()),
        id: (given.has_id != 0).then_some(given.id),
        content: Content::parse(packet_type, payload.map(|payload| Cow::Owned(payload.to_owned())))?,
        attachments: binary.into_iter().map(|one| one.to_vec().into()).collect(),
    })
}
