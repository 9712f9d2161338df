//! A socket: one namespace of a manager's connection.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;

use super::answers::{check_args, check_object};
use super::core::Core;
use super::{Auth, ClientHandler, Manager};
use crate::error::{Error, ErrorCode, Result};
use crate::io::EmitOptions;
use crate::io::registry::{self, Registry};
use crate::settings::millis;
use crate::socketio::client::{Emitted, NewEvent, SocketKey};
use crate::socketio::{EventData, Outgoing, event_array, is_reserved};
use crate::websocket::Sent;

/// Sockets by their numbers.
static SOCKETS: LazyLock<Registry<(Weak<Core>, Weak<SocketInner>)>> = LazyLock::new(Registry::new);
/// Those that are kept for who has only the number, and how often.
static KEPT: LazyLock<Mutex<HashMap<u64, (ClientSocket, usize)>>> = LazyLock::new(Mutex::default);

/// What a socket is that does not change, or that the machine need not know.
pub(super) struct SocketInner {
    pub(super) key: SocketKey,
    pub(super) namespace: Box<str>,
    pub(super) handler: Arc<dyn ClientHandler>,
    raw: u64,
    user_data: AtomicUsize,
    auth: Mutex<Auth>,
}

impl SocketInner {
    pub(super) fn new(
        core: &Arc<Core>,
        key: SocketKey,
        namespace: &str,
        options: super::SocketOptions,
        handler: Arc<dyn ClientHandler>,
    ) -> Arc<SocketInner> {
        let inner = Arc::new(SocketInner {
            key,
            namespace: namespace.into(),
            handler,
            raw: registry::fresh(),
            user_data: AtomicUsize::new(options.user_data),
            auth: Mutex::new(options.auth),
        });
        SOCKETS.insert(inner.raw, (Arc::downgrade(core), Arc::downgrade(&inner)));
        inner
    }

    /// What it says of itself, unless the application is to be asked.
    pub(super) fn fixed_auth(&self) -> Option<Option<String>> {
        match &*self.auth.lock() {
            Auth::None => Some(None),
            Auth::Json(json) => Some(Some(json.clone())),
            Auth::Ask => None,
        }
    }
}

impl Drop for SocketInner {
    fn drop(&mut self) {
        SOCKETS.take(self.raw);
    }
}

/// A client's socket: one namespace of a [`Manager`]'s connection, which outlives the connections that are lost. Clone it
/// freely, use it on any thread. What is not sent yet because there is no connection waits, and leaves when there is one.
///
/// The manager keeps it as long as there is one of its sockets or managers, or a connection. A handler that keeps a socket of its own keeps
/// it for ever; each event brings it.
#[derive(Clone)]
pub struct ClientSocket {
    pub(super) core: Arc<Core>,
    pub(super) inner: Arc<SocketInner>,
}

impl fmt::Debug for ClientSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSocket")
            .field("namespace", &self.inner.namespace)
            .field("raw", &self.inner.raw)
            .finish()
    }
}

impl PartialEq for ClientSocket {
    fn eq(&self, other: &ClientSocket) -> bool {
        self.inner.raw == other.inner.raw
    }
}

impl Eq for ClientSocket {}

impl ClientSocket {
    /// The handle as a number below 2^53, never 0 and never given out again.
    pub fn raw(&self) -> u64 {
        self.inner.raw
    }

    /// The socket with this number, as [`ClientSocket::raw`] gave it.
    ///
    /// # Errors
    /// `WrongHandle` if the number was never a socket's, `Closed` if nobody keeps it any more.
    pub fn from_raw(raw: u64) -> Result<ClientSocket> {
        let found = SOCKETS.with(raw, |(core, inner)| (core.clone(), inner.clone()));
        let found = found.and_then(|(core, inner)| Some((core.upgrade()?, inner.upgrade()?)));
        match found {
            Some((core, inner)) => Ok(ClientSocket { core, inner }),
            None => Err(registry::stale(raw, ErrorCode::Closed)),
        }
    }

    /// Keeps the socket, and with it its manager, for who has only its number, until [`ClientSocket::release`].
    pub fn keep(&self) {
        let mut kept = KEPT.lock();
        let (_, count) = kept.entry(self.inner.raw).or_insert_with(|| (self.clone(), 0));
        *count += 1;
    }

    /// Takes one [`ClientSocket::keep`] back.
    pub fn release(&self) {
        let mut kept = KEPT.lock();
        let Some((_, count)) = kept.get_mut(&self.inner.raw) else {
            return;
        };
        *count -= 1;
        let last = (*count == 0).then(|| kept.remove(&self.inner.raw));
        drop(kept);
        drop(last); // unlocked, as handlers may go with it
    }

    /// Connects, and connects again when the connection is lost. Without effect if it is connected or on its way.
    ///
    /// # Errors
    /// `Closed` if the manager's loop has ended.
    pub fn connect(&self) -> Result<()> {
        self.core.check_alive()?;
        self.core
            .call(|state, now| state.machine.connect(self.inner.key, now));
        Ok(())
    }

    /// Leaves the namespace, and does not come back until [`ClientSocket::connect`]. If it was connected, `on_disconnect`
    /// follows. When no socket of the manager is active any more, the connection is closed.
    pub fn disconnect(&self) {
        self.core
            .call(|state, now| state.machine.disconnect(self.inner.key, now));
    }

    /// Sends an event: `args` are JSON values with commas between them, or nothing; where they have
    /// `{"_placeholder":true,"num":0}`, the attachment with that number stands. All is copied.
    ///
    /// Without a connection the event waits for the next one, unless it is volatile, in which case it is dropped
    /// ([`Sent::Dropped`]); it is also dropped when what was sent before waits to be taken by the system. An event with a
    /// token has its `on_ack`, exactly once, also one that is dropped by its timeout or its end.
    ///
    /// # Errors
    /// `InvalidArgument` for a reserved name (`connect`, `connect_error`, `disconnect`, `disconnecting`, `newListener`,
    /// `removeListener`) and for what is not JSON, `OutboxFull` if too much waits already, `Closed` if the manager's loop has
    /// ended.
    pub fn emit(&self, name: &str, args: &str, attachments: &[&[u8]], options: &EmitOptions) -> Result<Sent> {
        if is_reserved(name) {
            return Err(reserved(name));
        }
        check_args(args)?;
        let mut array = String::new();
        event_array(name, args, &mut array);
        self.emit_checked(&array, attachments, options)
    }

    /// The same with the whole event as a JSON array that begins with the name.
    pub fn emit_array(&self, array: &str, attachments: &[&[u8]], options: &EmitOptions) -> Result<Sent> {
        EventData::parse(array.into()).map_err(|error| {
            Error::new(
                ErrorCode::InvalidArgument,
                format!("the event is not valid: {error}"),
            )
        })?;
        self.emit_checked(array, attachments, options)
    }

    /// The id that the server gave it, while it is connected.
    pub fn id(&self) -> Option<String> {
        self.core
            .look(|state| state.machine.id(self.inner.key).map(str::to_owned))
    }

    /// Whether the server has taken it in.
    pub fn connected(&self) -> bool {
        self.core.look(|state| state.machine.is_connected(self.inner.key))
    }

    /// Whether it is connected, or will be: `connect` was called, and neither has it been disconnected since by one side's
    /// will, nor has the server refused it.
    pub fn active(&self) -> bool {
        self.core
            .look(|state| state.machine.is_socket_active(self.inner.key))
    }

    /// Whether the server has kept the session through the latest loss: events were not missed.
    pub fn recovered(&self) -> bool {
        self.core
            .look(|state| state.machine.has_recovered(self.inner.key))
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// Its manager (`socket.io` of the official client).
    pub fn io(&self) -> Manager {
        Manager(self.core.clone())
    }

    /// The application's word for it.
    pub fn user_data(&self) -> usize {
        self.inner.user_data.load(Ordering::Relaxed)
    }

    /// Changes it.
    pub fn set_user_data(&self, user_data: usize) {
        self.inner.user_data.store(user_data, Ordering::Relaxed);
    }

    /// Changes what it says of itself when it connects next.
    ///
    /// # Errors
    /// `InvalidArgument` if that is not a JSON object.
    pub fn set_auth(&self, auth: super::Auth) -> Result<()> {
        if let Auth::Json(json) = &auth {
            check_object(json)?;
        }
        *self.inner.auth.lock() = auth;
        Ok(())
    }

    /// How many events wait for a connection (`sendBuffer`).
    pub fn send_buffer_len(&self) -> usize {
        self.core.look(|state| state.machine.buffered(self.inner.key))
    }

    /// Drops the events that wait for a connection; acknowledgements of them are settled as disconnected.
    pub fn clear_send_buffer(&self) {
        self.core
            .call(|state, _| state.machine.clear_buffer(self.inner.key));
    }

    fn emit_checked(&self, array: &str, attachments: &[&[u8]], options: &EmitOptions) -> Result<Sent> {
        let event = NewEvent {
            array,
            attachments,
            volatile: options.volatile,
            compress: options.compress,
            token: options.ack,
            timeout: options.timeout.map(millis),
        };
        let (core, inner) = (&self.core, &self.inner);
        core.call_sending(|state, now| {
            if !core.is_alive(state) {
                return Err(ErrorCode::Closed.into());
            }
            core.check_room(state)?;
            let carrier = state.carrier(now);
            match state.machine.emit(inner.key, &event, carrier, now) {
                Ok(Emitted::Send(id)) => {
                    let packet = Outgoing::event(&inner.namespace, array)
                        .with_id(id)
                        .with_attachments(attachments);
                    core.send(state, &packet, options.compress)
                }
                Ok(Emitted::Kept) => Ok(Sent::Queued),
                Ok(Emitted::Dropped) => Ok(Sent::Dropped),
                Err(_) => {
                    let text = format!(
                        "{} bytes already wait for a connection, and the limit is {}",
                        state.machine.waiting(),
                        core.options.send_buffer
                    );
                    Err(Error::new(ErrorCode::OutboxFull, text))
                }
            }
        })
    }
}

fn reserved(name: &str) -> Error {
    let text = format!("{name:?} is a reserved event name");
    Error::new(ErrorCode::InvalidArgument, text)
}
