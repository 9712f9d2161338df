//! One client in one namespace.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::connection::Connection;
use super::counters::Counted;
use super::engine::{SendFlags, Session};
use super::ids::SocketId;
use super::registry::{self, Registry};
use super::sending::{self, Head, Payload};
use super::waiting::{More, Place, Who};
use super::{BroadcastOperator, DisconnectReason, EmitOptions, Handshake, Namespace, Transport, host};
use crate::error::{ErrorCode, Result};
use crate::event_loop::Timed;
use crate::settings::millis;
use crate::socketio::PacketType;
use crate::websocket::Sent;
use crate::ws::Millis;

static SOCKETS: Registry<Weak<SocketInner>> = Registry::new();

/// One client in one namespace. Keep it as long as you like, use it on any thread; what it keeps of a client that has gone
/// is small.
#[derive(Clone)]
pub struct Socket(pub(super) Arc<SocketInner>);

pub(super) struct SocketInner {
    number: u64,
    id: SocketId,
    pub(super) namespace: Namespace,
    pub(super) session: Arc<Session>,
    pub(super) connection: Weak<Connection>,
    /// Twice, because few have one.
    auth: Option<Box<Box<str>>>,
    user_data: AtomicUsize,
    stage: AtomicU8,
    recovered: bool,
    hears_outgoing: AtomicBool,
    /// It can be found by its number.
    is_numbered: AtomicBool,
    more: Mutex<Place>,
}

/// Where a socket is in its life, as a number in its `stage`.
const CONNECTING: u8 = 0;
const CONNECTED: u8 = 1;
/// It was disconnected by this side; the reason is added.
const LEAVING: u8 = 16;
const GONE: u8 = 255;

/// What a socket begins with.
pub(super) struct Beginning {
    pub(super) session: Arc<Session>,
    pub(super) connection: Weak<Connection>,
    pub(super) auth: Option<Box<str>>,
    pub(super) id: SocketId,
}

impl Drop for SocketInner {
    fn drop(&mut self) {
        if *self.is_numbered.get_mut() {
            SOCKETS.take(self.number);
        }
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Socket) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Socket {}

impl Hash for Socket {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.number.hash(state);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.id())
            .field("namespace", &self.namespace().name())
            .finish_non_exhaustive()
    }
}

impl Socket {
    pub(super) fn begin(namespace: Namespace, beginning: Beginning, recovered: bool) -> Socket {
        let number = registry::fresh();
        let Beginning {
            session,
            connection,
            auth,
            id,
        } = beginning;
        Socket(Arc::new(SocketInner {
            number,
            id,
            namespace,
            session,
            connection,
            auth: auth.map(Box::new),
            user_data: AtomicUsize::new(0),
            stage: AtomicU8::new(CONNECTING),
            recovered,
            hears_outgoing: AtomicBool::new(false),
            is_numbered: AtomicBool::new(false),
            more: Mutex::default(),
        }))
    }

    /// The connected or connecting socket with this number.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`] if it has gone and nobody holds it any more; [`ErrorCode::WrongHandle`] if the number was never a
    /// handle.
    pub fn from_raw(raw: u64) -> Result<Socket> {
        let socket = SOCKETS.with(raw, Weak::upgrade).flatten();
        socket
            .map(Socket)
            .ok_or_else(|| registry::stale(raw, ErrorCode::Closed))
    }

    /// A number below 2^53, never 0 and never given out twice.
    pub fn raw(&self) -> u64 {
        // Who is never asked for its number needs no place in the table.
        if !self.0.is_numbered.load(Ordering::Acquire) {
            SOCKETS.insert(self.0.number, Arc::downgrade(&self.0));
            self.0.is_numbered.store(true, Ordering::Release);
        }
        self.0.number
    }

    /// Its id: 20 letters and digits (with `-` and `_`) that nobody can guess; another one than the session's. A socket that
    /// was recovered has the one that it had.
    pub fn id(&self) -> &str {
        self.0.id.as_str()
    }

    /// The namespace that it is in.
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    /// The request that began its session.
    pub fn handshake(&self) -> &Handshake {
        self.0.session.request()
    }

    /// What the client sent to identify itself in this namespace: a JSON object, `{}` if it sent nothing.
    pub fn auth(&self) -> &str {
        self.0.auth.as_deref().map_or("{}", |auth| auth)
    }

    /// Whether it was recovered: it has the id, rooms and data that it had before its connection was lost, and the events
    /// that it has missed are on their way.
    pub fn recovered(&self) -> bool {
        self.0.recovered
    }

    /// Whether it is connected. False in `on_connecting`, and from [`Socket::disconnect`] and `on_disconnecting` on.
    pub fn connected(&self) -> bool {
        self.0.stage.load(Ordering::Acquire) == CONNECTED
    }

    /// The application's word for it; 0 at first.
    pub fn user_data(&self) -> usize {
        self.0.user_data.load(Ordering::Acquire)
    }

    /// Gives it the application's word. When it goes, nothing is freed: do that in `on_disconnect` and
    /// `on_connect_abandoned`.
    pub fn set_user_data(&self, user_data: usize) {
        self.0.user_data.store(user_data, Ordering::Release);
    }

    /// Sends an event with these arguments (JSON values with commas between them) and the attachments to which they point.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a reserved name (`connect`, `connect_error`, `disconnect`, `disconnecting`,
    /// `newListener`, `removeListener`), [`ErrorCode::NotOpen`] before it is connected, [`ErrorCode::Closed`] when it no longer
    /// is, and [`ErrorCode::OutboxFull`] over the hard limit, if that is the policy. After an error no `on_ack` follows; after
    /// [`Sent::Dropped`] one does, by the timeout or the end.
    pub fn emit(&self, name: &str, args: &str, attachments: &[&[u8]], options: &EmitOptions) -> Result<Sent> {
        self.emit_payload(Payload::Event(name, args), attachments, options)
    }

    /// The same with the whole JSON array, which begins with the name.
    ///
    /// # Errors
    /// As for [`Socket::emit`], and [`ErrorCode::InvalidArgument`] for text that isn't an array with a string in front.
    pub fn emit_array(&self, array: &str, attachments: &[&[u8]], options: &EmitOptions) -> Result<Sent> {
        self.emit_payload(Payload::Whole(array), attachments, options)
    }

    /// Joins rooms; those that it is in already count for nothing. A socket that has gone joins none.
    pub fn join(&self, rooms: &[&str]) {
        if !self.is_gone() {
            self.namespace().adapter().add_all(self.id(), rooms);
        }
    }

    /// Leaves a room.
    pub fn leave(&self, room: &str) {
        if !self.is_gone() {
            self.namespace().adapter().del(self.id(), room);
        }
    }

    /// The rooms that it is in: first the one of its own, which has its id for a name. That one it can't leave.
    pub fn rooms(&self) -> Vec<String> {
        if self.is_gone() {
            return Vec::new();
        }
        let rooms = self.namespace().adapter().socket_rooms(self.id());
        rooms.iter().map(|room| room.to_string()).collect()
    }

    /// All other sockets in this room.
    pub fn to(&self, room: &str) -> BroadcastOperator {
        self.broadcast().to(room)
    }

    /// All other sockets but those in this room.
    pub fn except(&self, room: &str) -> BroadcastOperator {
        self.broadcast().except(room)
    }

    /// All other sockets of its namespace.
    pub fn broadcast(&self) -> BroadcastOperator {
        self.namespace().except(self.id())
    }

    /// Disconnects it from its namespace; `close`: closes the session, with the client's sockets in other namespaces.
    /// `on_disconnecting` and `on_disconnect` follow, with "server namespace disconnect". Without effect if it isn't connected.
    pub fn disconnect(&self, close: bool) {
        if !self.connected() {
            return;
        }
        let Some(connection) = self.0.connection.upgrade() else {
            return;
        };
        if close {
            connection.disconnect_all(DisconnectReason::ServerNamespaceDisconnect);
        } else {
            connection.disconnect(self, DisconnectReason::ServerNamespaceDisconnect);
        }
    }

    /// The application's data of this socket (`socket.data`), which [`BroadcastOperator::fetch_sockets`] shows and
    /// recovery keeps: a JSON object, `{}` at first.
    pub fn data_json(&self) -> String {
        self.with_more(|more| {
            let data = more.as_ref().and_then(|more| more.data.as_deref());
            data.unwrap_or("{}").to_owned()
        })
    }

    /// Sets that data.
    pub fn set_data_json(&self, data: &str) {
        self.more(|more| more.data = Some(data.into()));
        if self.namespace().common().shows_events()
            && let Some(core) = self.namespace().core()
        {
            core.admin(|admin| admin.data_changed(self));
        }
    }

    /// Whether [`Handler::on_outgoing`](super::Handler::on_outgoing) tells of broadcasts that are sent to it. Default: no.
    pub fn hear_outgoing(&self, hear: bool) {
        self.0.hears_outgoing.store(hear, Ordering::Relaxed);
        if hear {
            self.namespace().common().tell_outgoing();
        }
    }

    /// The bytes that were accepted for its session and not yet taken by the system.
    pub fn buffered_amount(&self) -> u64 {
        self.0.session.buffered()
    }

    /// What carries its session now.
    pub fn transport(&self) -> Transport {
        self.0.session.transport()
    }

    /// The session's id (Engine.IO's `sid`). Who knows it can act for the client: don't show it to others.
    pub fn session_id(&self) -> &str {
        self.0.session.sid()
    }

    /// Which revision of Engine.IO its client speaks: 4, or 3 with
    /// [`ServerOptions::allow_eio3`](super::ServerOptions::allow_eio3).
    pub fn protocol(&self) -> u8 {
        self.0.session.version()
    }

    pub(super) fn more<R>(&self, act: impl FnOnce(&mut More) -> R) -> R {
        self.with_more(|more| act(more.get_or_insert_default()))
    }

    /// What it keeps, if it keeps anything, under the lock.
    pub(super) fn with_more<R>(&self, act: impl FnOnce(&mut Option<Box<More>>) -> R) -> R {
        self.0.more.lock().with(act)
    }

    pub(super) fn hears_outgoing(&self) -> bool {
        self.0.hears_outgoing.load(Ordering::Relaxed)
    }

    /// Sends what is no event with an answer.
    pub(super) fn send(
        &self,
        packet_type: PacketType,
        id: Option<u64>,
        payload: Payload<'_>,
        attachments: &[&[u8]],
        flags: SendFlags,
    ) -> Result<Sent> {
        let head = Head {
            packet_type,
            namespace: self.namespace().name(),
            id,
        };
        sending::send(
            &self.0.session,
            self.namespace().common(),
            head,
            payload,
            attachments,
            flags,
        )
    }

    fn emit_payload(
        &self,
        payload: Payload<'_>,
        attachments: &[&[u8]],
        options: &EmitOptions,
    ) -> Result<Sent> {
        payload.check()?;
        self.check_connected()?;
        let flags = SendFlags {
            compress: options.compress,
            volatile: options.volatile,
        };
        let sent = match options.ack {
            Some(token) => self.emit_with_ack(payload, attachments, flags, token, options.timeout),
            None if self.namespace().keeps_events() && !options.volatile => {
                return self.emit_kept(payload, attachments, options);
            }
            None => self.send(PacketType::Event, None, payload, attachments, flags),
        };
        if let Ok(sent) = sent {
            self.namespace().common().count_sent(sent, Counted::EventsOut);
            if self.namespace().common().shows_events() {
                self.show_emitted(payload);
            }
        }
        sent
    }

    /// An admin sees what is emitted.
    #[cold]
    fn show_emitted(&self, payload: Payload<'_>) {
        let mut array = String::new();
        payload.write(&mut array);
        if let Some(core) = self.namespace().core() {
            core.admin(|admin| admin.sent(self, &array));
        }
    }

    /// Sends an event by way of the adapter, which keeps it.
    fn emit_kept(&self, payload: Payload<'_>, attachments: &[&[u8]], options: &EmitOptions) -> Result<Sent> {
        let mut only_me = self
            .namespace()
            .to(self.id())
            .compress(options.compress != Some(false));
        let is_told_others = self.namespace().adapter().recovers_elsewhere();
        if !is_told_others {
            only_me = only_me.local();
        }
        host::take_last();
        only_me.broadcast_checked(payload, attachments);
        match host::take_last() {
            Some(Ok(sent)) => Ok(sent),
            Some(Err(code)) => Err(code.into()),
            None if is_told_others => Ok(Sent::Queued), // it comes back from there
            None => Err(ErrorCode::Closed.into()),
        }
    }

    fn emit_with_ack(
        &self,
        payload: Payload<'_>,
        attachments: &[&[u8]],
        flags: SendFlags,
        token: u64,
        timeout: Option<Duration>,
    ) -> Result<Sent> {
        let id = self.wait(Who::Token(token), timeout)?;
        let sent = self.send(PacketType::Event, Some(id), payload, attachments, flags);
        if sent.is_err() && self.more(|more| more.take(id)).is_none() {
            return Ok(Sent::Dropped); // it has ended meanwhile, which the token's owner hears
        }
        sent
    }

    /// # Errors
    /// [`ErrorCode::Closed`] for a socket that waits for nothing any more.
    fn wait(&self, who: Who, timeout: Option<Duration>) -> Result<u64> {
        let home = self.0.session.home();
        let deadline = timeout.map(|timeout| home.now().saturating_add(millis(timeout)));
        let (id, timer) = self.with_more(|more| -> Result<_> {
            self.check_connected()?; // under the lock, so that who ends it finds this
            let more = more.get_or_insert_default();
            let id = self.namespace().next_ack_id();
            more.wait(id, who, deadline, 0);
            Ok((id, earlier(more, deadline)))
        })?;
        self.set_timer(timer);
        Ok(id)
    }

    /// A broadcast waits for this socket's answer. Whether it can.
    pub(super) fn wait_for_broadcast(&self, id: u64, who: Who, timeout: Option<Millis>) -> bool {
        let now = timeout.map_or(0, |_| self.0.session.home().now());
        let deadline = timeout.map(|timeout| now.saturating_add(timeout));
        self.with_more(|more| {
            let is_connected = self.connected();
            if is_connected {
                more.get_or_insert_default().wait(id, who, deadline, now);
            }
            is_connected
        })
    }

    pub(super) fn set_timer(&self, deadline: Option<Millis>) {
        if let Some(deadline) = deadline {
            let me: Weak<SocketInner> = Arc::downgrade(&self.0);
            let key = self.0.session.home().at(deadline, me);
            self.more(|more| more.timer_key = Some(key));
        }
    }

    /// # Errors
    /// [`ErrorCode::NotOpen`], [`ErrorCode::Closed`]
    pub(super) fn check_connected(&self) -> Result<()> {
        match self.0.stage.load(Ordering::Acquire) {
            CONNECTED => Ok(()),
            CONNECTING => Err(ErrorCode::NotOpen.into()),
            _ => Err(ErrorCode::Closed.into()),
        }
    }

    /// From connecting to connected.
    pub(super) fn move_to_connected(&self) -> bool {
        self.move_from(CONNECTING, CONNECTED)
    }

    /// From connected to leaving, for this reason; whether this call has done it.
    pub(super) fn begin_to_leave(&self, reason: DisconnectReason) -> bool {
        self.move_from(CONNECTED, LEAVING + reason as u8)
    }

    /// The reason for which it began to leave.
    pub(super) fn leaving_reason(&self) -> Option<DisconnectReason> {
        let stage = self.0.stage.load(Ordering::Acquire);
        DisconnectReason::ALL
            .iter()
            .copied()
            .find(|reason| LEAVING + *reason as u8 == stage)
    }

    /// The end of its life; what still waited for answers.
    pub(super) fn set_gone(&self) -> Vec<Who> {
        let (waiting, owed, timer) = self.with_more(|more| {
            self.0.stage.store(GONE, Ordering::Release);
            match more {
                Some(more) => {
                    let timer = more.timer.take().zip(more.timer_key.take());
                    (more.take_all(), std::mem::take(&mut more.owed), timer)
                }
                None => Default::default(),
            }
        });
        if let Some((deadline, key)) = timer {
            let me: Weak<SocketInner> = Arc::downgrade(&self.0);
            let me: Weak<dyn Timed> = me;
            self.0.session.home().forget(deadline, key, &me);
        }
        super::acks::forget(&owed);
        waiting
    }

    pub(super) fn is_connecting(&self) -> bool {
        self.0.stage.load(Ordering::Acquire) == CONNECTING
    }

    pub(super) fn is_gone(&self) -> bool {
        self.0.stage.load(Ordering::Acquire) == GONE
    }

    fn move_from(&self, from: u8, to: u8) -> bool {
        self.0
            .stage
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// The time to be set with the loop, if what was set is later.
pub(super) fn earlier(more: &mut More, deadline: Option<Millis>) -> Option<Millis> {
    let deadline = deadline?;
    if more.timer.is_some_and(|timer| timer <= deadline) {
        return None;
    }
    more.timer = Some(deadline);
    Some(deadline)
}
