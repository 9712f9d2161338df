//! The numbers that Socket.IO's functions take and give.

use std::ffi::{CStr, c_char};

use sockline::io::{AckResult, Transport};

use crate::guard::guard_value;

/// A Socket.IO server: a number like sockline_ws, with the same rules.
pub type sockline_io_server = u64;

/// A namespace of a Socket.IO server: a number like sockline_ws, with the same rules. It lives as long as its server, or, if
/// clients have made it, as the server's options say.
pub type sockline_io_namespace = u64;

/// One client in one namespace, on the server's side: a number like sockline_ws, with the same rules. It ends with
/// on_disconnect, or with on_connect_abandoned.
pub type sockline_io_socket = u64;

/// A client's connection, which its sockets share: a number like sockline_ws, with the same rules, until
/// sockline_io_manager_free.
pub type sockline_io_manager = u64;

/// A client's socket, one namespace of a manager's connection: a number like sockline_ws, with the same rules, until
/// sockline_io_client_free. It outlives connections that are lost.
pub type sockline_io_client = u64;

/// The answer that the other side waits for: a number, to be used once by sockline_io_ack_send, sockline_io_client_ack_send or
/// sockline_io_server_ack_send. It ends by that, and with the connection that it came over; there is nothing to free.
pub type sockline_io_ack = u64;

/// A question that waits for its answer: a number, to be used once, now or later, on any thread, by the function that its
/// callback names. It ends by that, and with the client that it is about; calls then return
/// SOCKLINE_ERR_ALREADY_ANSWERED.
pub type sockline_io_question = u64;

/// How packets travel; bits, where several can be meant.
#[repr(C)]
pub enum sockline_io_transport {
    /// HTTP long-polling.
    SOCKLINE_IO_POLLING = 1,
    /// A WebSocket.
    SOCKLINE_IO_WEBSOCKET = 2,
}

/// How packets are written. Both sides have to use the same.
#[repr(C)]
pub enum sockline_io_parser {
    /// JSON, with attachments beside it: socket.io-parser, the default everywhere.
    SOCKLINE_IO_JSON = 0,
    /// One binary message a packet: socket.io-msgpack-parser.
    SOCKLINE_IO_MSGPACK = 1,
}

/// What has become of an event that asks for an answer.
#[repr(C)]
pub enum sockline_io_outcome {
    /// The answer is here.
    SOCKLINE_IO_ANSWERED = 0,
    /// It did not come in time.
    SOCKLINE_IO_TIMEOUT = 1,
    /// The socket was disconnected before.
    SOCKLINE_IO_DISCONNECTED = 2,
}

/// Why a server's socket was disconnected. sockline_io_reason_text has the official words.
#[repr(C)]
pub enum sockline_io_reason {
    /// "transport error": the connection failed, or a request of the session broke the protocol.
    SOCKLINE_IO_TRANSPORT_ERROR = 0,
    /// "transport close": the client closed the connection.
    SOCKLINE_IO_TRANSPORT_CLOSE = 1,
    /// "ping timeout": the client did not answer a ping in time.
    SOCKLINE_IO_PING_TIMEOUT = 2,
    /// "parse error": the client sent what can't be read.
    SOCKLINE_IO_PARSE_ERROR = 3,
    /// "server namespace disconnect": sockline_io_socket_disconnect or sockline_io_broadcast_disconnect.
    SOCKLINE_IO_SERVER_NAMESPACE_DISCONNECT = 4,
    /// "client namespace disconnect": the client left the namespace.
    SOCKLINE_IO_CLIENT_NAMESPACE_DISCONNECT = 5,
    /// "server shutting down": sockline_io_server_close.
    SOCKLINE_IO_SERVER_SHUTTING_DOWN = 6,
    /// "forced close": the session was closed by this side, for a reason of its own.
    SOCKLINE_IO_FORCED_CLOSE = 7,
    /// "forced server close": the client broke the protocol, or had joined no namespace in time.
    SOCKLINE_IO_FORCED_SERVER_CLOSE = 8,
}

/// Why a client's socket, or a manager's connection, has ended. sockline_io_client_reason_text has the official words.
#[repr(C)]
pub enum sockline_io_client_reason {
    /// "io server disconnect": the server has disconnected the socket; it does not come back by itself.
    SOCKLINE_IO_SERVER_DISCONNECT = 0,
    /// "io client disconnect": sockline_io_client_disconnect was called.
    SOCKLINE_IO_CLIENT_DISCONNECT = 1,
    /// "ping timeout": no ping of the server's came in time.
    SOCKLINE_IO_CLIENT_PING_TIMEOUT = 2,
    /// "transport close": the connection was closed, by the server or on the way.
    SOCKLINE_IO_CLIENT_TRANSPORT_CLOSE = 3,
    /// "transport error": the connection has failed.
    SOCKLINE_IO_CLIENT_TRANSPORT_ERROR = 4,
    /// "parse error": the server sent what is not a packet.
    SOCKLINE_IO_CLIENT_PARSE_ERROR = 5,
    /// "forced close": sockline_io_manager_close was called, or the last active socket was disconnected.
    SOCKLINE_IO_CLIENT_FORCED_CLOSE = 6,
}

/// What happened to a room.
#[repr(C)]
pub enum sockline_io_room_event {
    /// "create-room": the first socket is about to join.
    SOCKLINE_IO_ROOM_CREATED = 0,
    /// "join-room"
    SOCKLINE_IO_ROOM_JOINED = 1,
    /// "leave-room"
    SOCKLINE_IO_ROOM_LEFT = 2,
    /// "delete-room": the last socket has left.
    SOCKLINE_IO_ROOM_DELETED = 3,
}

/// By their numbers.
const REASONS: [&CStr; 9] = [
    c"transport error",
    c"transport close",
    c"ping timeout",
    c"parse error",
    c"server namespace disconnect",
    c"client namespace disconnect",
    c"server shutting down",
    c"forced close",
    c"forced server close",
];
const CLIENT_REASONS: [&CStr; 7] = [
    c"io server disconnect",
    c"io client disconnect",
    c"ping timeout",
    c"transport close",
    c"transport error",
    c"parse error",
    c"forced close",
];

/// The official server's words for one of enum sockline_io_reason, ended by a NUL; "" for another number. Static. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_reason_text(reason: i32) -> *const c_char {
    words(&REASONS, reason)
}

/// The official client's words for one of enum sockline_io_client_reason, ended by a NUL; "" for another number. Static.
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_client_reason_text(reason: i32) -> *const c_char {
    words(&CLIENT_REASONS, reason)
}

fn words(known: &[&'static CStr], number: i32) -> *const c_char {
    guard_value(c"".as_ptr(), || {
        let found = usize::try_from(number).ok().and_then(|number| known.get(number));
        found.copied().unwrap_or(c"").as_ptr()
    })
}

pub(crate) fn outcome_number(result: &AckResult<'_>) -> i32 {
    let number = match result {
        AckResult::Answered { .. } => sockline_io_outcome::SOCKLINE_IO_ANSWERED,
        AckResult::Timeout => sockline_io_outcome::SOCKLINE_IO_TIMEOUT,
        AckResult::Disconnected => sockline_io_outcome::SOCKLINE_IO_DISCONNECTED,
    };
    number as i32
}

pub(crate) fn transport_number(transport: Transport) -> i32 {
    let number = match transport {
        Transport::Polling => sockline_io_transport::SOCKLINE_IO_POLLING,
        Transport::WebSocket => sockline_io_transport::SOCKLINE_IO_WEBSOCKET,
    };
    number as i32
}

#[cfg(test)]
mod tests {
    use sockline::io::{ClientReason, DisconnectReason};

    use super::*;

    #[test]
    fn each_reason_has_the_core_s_number_and_words() {
        use DisconnectReason as Reason;
        let reasons = [
            Reason::TransportError,
            Reason::TransportClose,
            Reason::PingTimeout,
            Reason::ParseError,
            Reason::ServerNamespaceDisconnect,
            Reason::ClientNamespaceDisconnect,
            Reason::ServerShuttingDown,
            Reason::ForcedClose,
            Reason::ForcedServerClose,
        ];
        assert_eq!(
            reasons.map(|reason| REASONS[reason as usize].to_str()),
            reasons.map(|reason| Ok(reason.as_str()))
        );
        use ClientReason as Client;
        let reasons = [
            Client::IoServerDisconnect,
            Client::IoClientDisconnect,
            Client::PingTimeout,
            Client::TransportClose,
            Client::TransportError,
            Client::ParseError,
            Client::ForcedClose,
        ];
        let said = reasons.map(|reason| CLIENT_REASONS[reason as usize].to_str());
        assert_eq!(said, reasons.map(|reason| Ok(reason.as_str())));
    }

    #[test]
    fn other_numbers_have_no_words() {
        for number in [-1, i32::MAX, REASONS.len() as i32] {
            // SAFETY: a static text, ended by a NUL.
            assert!(unsafe { CStr::from_ptr(sockline_io_reason_text(number)) }.is_empty());
        }
    }
}
