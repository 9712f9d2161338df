//! An event that was pulled, as C sees it and with what that points to.

use std::ffi::{c_int, c_void};

use sockline::{Error, Queued, QueuedEvent, QueuedUpgrade, Reconnecting, Server, WebSocket};

use crate::handlers::{ErrorParts, edges, outcome_number, sockline_error_event};
use crate::queue::{sockline_event_kind, sockline_queued_event};
use crate::reconnect::{self, sockline_reconnecting_event};
use crate::types::sockline_string;
use crate::upgrade::{Asked, Lists, sockline_request};

/// The event that was pulled last. It stays where it is until the next one takes its place, so what is in it can be
/// pointed to.
#[derive(Default)]
pub(crate) struct Pulled {
    shown: Option<sockline_queued_event>,
    kept: Kept,
}

/// What an event points to.
#[derive(Default)]
struct Kept {
    event: Option<QueuedEvent>,
    /// A close reason, and a NUL.
    reason: Vec<u8>,
    error: Option<(ErrorParts, sockline_error_event)>,
    request: Option<(Lists, sockline_request)>,
    reconnecting: Option<sockline_reconnecting_event>,
}

impl Pulled {
    /// Puts the next event in the place of the last one.
    pub(crate) fn replace(&mut self, next: Option<Queued>) -> *const sockline_queued_event {
        *self = Pulled::default();
        let shown = match next {
            None => return std::ptr::null(),
            Some(Queued::Connection(ws, event)) => self.kept.take_in(ws, event),
            Some(Queued::ServerClosed(server)) => server_closed(server),
        };
        self.shown.insert(shown)
    }
}

impl Kept {
    fn take_in(&mut self, ws: WebSocket, event: QueuedEvent) -> sockline_queued_event {
        use sockline_event_kind as kind;
        let Kept {
            event: place,
            reason,
            error,
            request,
            reconnecting,
        } = self;
        match &*place.insert(event) {
            QueuedEvent::Open => blank(ws, kind::SOCKLINE_EVENT_OPEN),
            QueuedEvent::Message(message_type, payload) => sockline_queued_event {
                r#type: *message_type as i32,
                ..with_payload(ws, kind::SOCKLINE_EVENT_MESSAGE, payload)
            },
            QueuedEvent::MessagePart(part) => sockline_queued_event {
                r#type: part.kind as i32,
                edges: edges(part.is_first, part.is_last),
                ..with_payload(ws, kind::SOCKLINE_EVENT_MESSAGE_PART, &part.data)
            },
            QueuedEvent::Ping(payload) => with_payload(ws, kind::SOCKLINE_EVENT_PING, payload),
            QueuedEvent::Pong(payload) => with_payload(ws, kind::SOCKLINE_EVENT_PONG, payload),
            QueuedEvent::Drain => blank(ws, kind::SOCKLINE_EVENT_DRAIN),
            QueuedEvent::Sent(token, outcome) => sockline_queued_event {
                token: *token as *mut c_void,
                outcome: outcome_number(*outcome),
                ..blank(ws, kind::SOCKLINE_EVENT_SENT)
            },
            QueuedEvent::Upgrade(upgrade) => with_request(ws, upgrade, request),
            QueuedEvent::Reconnecting(event) => with_loss(ws, event, error, reconnecting),
            QueuedEvent::Reconnected => blank(ws, kind::SOCKLINE_EVENT_RECONNECTED),
            QueuedEvent::Error(failure) => with_error(ws, failure, error),
            QueuedEvent::Close(close) => {
                *reason = [close.reason.as_bytes(), b"\0"].concat();
                sockline_queued_event {
                    code: i32::from(close.code),
                    was_clean: c_int::from(close.was_clean),
                    reason: sockline_string::borrow(&reason[..reason.len() - 1]),
                    ..blank(ws, kind::SOCKLINE_EVENT_CLOSE)
                }
            }
            // Of a core that is newer than this; the header tells programs to ignore kinds that they don't know.
            _ => sockline_queued_event {
                kind: 0,
                ..blank(ws, kind::SOCKLINE_EVENT_OPEN)
            },
        }
    }
}

fn with_payload(ws: WebSocket, kind: sockline_event_kind, payload: &[u8]) -> sockline_queued_event {
    sockline_queued_event {
        data: payload.as_ptr().cast(),
        len: payload.len(),
        ..blank(ws, kind)
    }
}

fn with_request(
    ws: WebSocket,
    upgrade: &QueuedUpgrade,
    place: &mut Option<(Lists, sockline_request)>,
) -> sockline_queued_event {
    let asked = Asked::from(upgrade);
    let lists = Lists::of(&asked);
    let request = lists.event(&asked);
    sockline_queued_event {
        server: request.server,
        request: &raw const place.insert((lists, request)).1,
        ..blank(ws, sockline_event_kind::SOCKLINE_EVENT_UPGRADE)
    }
}

fn with_loss(
    ws: WebSocket,
    event: &Reconnecting,
    error: &mut Option<(ErrorParts, sockline_error_event)>,
    place: &mut Option<sockline_reconnecting_event>,
) -> sockline_queued_event {
    let error = match &event.error {
        Some(failure) => keep_error(failure, error),
        None => std::ptr::null(),
    };
    sockline_queued_event {
        reconnecting: place.insert(reconnect::describe(event, error)),
        ..blank(ws, sockline_event_kind::SOCKLINE_EVENT_RECONNECTING)
    }
}

fn with_error(
    ws: WebSocket,
    failure: &Error,
    place: &mut Option<(ErrorParts, sockline_error_event)>,
) -> sockline_queued_event {
    let (parts, shown) = place.insert(error_event(failure));
    sockline_queued_event {
        status: shown.status,
        http_status: shown.http_status,
        text: parts.text(),
        error: shown,
        ..blank(ws, sockline_event_kind::SOCKLINE_EVENT_ERROR)
    }
}

fn keep_error(
    failure: &Error,
    place: &mut Option<(ErrorParts, sockline_error_event)>,
) -> *const sockline_error_event {
    &raw const place.insert(error_event(failure)).1
}

/// The event points to the heap of its parts, which stays when both are moved.
fn error_event(failure: &Error) -> (ErrorParts, sockline_error_event) {
    let parts = ErrorParts::of(failure);
    let event = parts.event(failure);
    (parts, event)
}

fn server_closed(server: Server) -> sockline_queued_event {
    sockline_queued_event {
        server: server.raw(),
        ..EMPTY
    }
    .of_kind(sockline_event_kind::SOCKLINE_EVENT_SERVER_CLOSED)
}

fn blank(ws: WebSocket, kind: sockline_event_kind) -> sockline_queued_event {
    sockline_queued_event {
        ws: ws.raw(),
        user_data: ws.user_data() as *mut c_void,
        ..EMPTY
    }
    .of_kind(kind)
}

const EMPTY: sockline_queued_event = sockline_queued_event {
    size: size_of::<sockline_queued_event>(),
    ws: 0,
    user_data: std::ptr::null_mut(),
    kind: 0,
    r#type: 0,
    data: std::ptr::null(),
    len: 0,
    status: 0,
    http_status: 0,
    code: 0,
    was_clean: 0,
    text: sockline_string::ABSENT,
    reason: sockline_string::ABSENT,
    server: 0,
    error: std::ptr::null(),
    request: std::ptr::null(),
    reconnecting: std::ptr::null(),
    token: std::ptr::null_mut(),
    outcome: 0,
    edges: 0,
};

impl sockline_queued_event {
    fn of_kind(self, kind: sockline_event_kind) -> sockline_queued_event {
        sockline_queued_event {
            kind: kind as i32,
            ..self
        }
    }
}
