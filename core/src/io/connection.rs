//! One client's session, as Socket.IO sees it: packets are read and given to the sockets.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::connecting::Asked;
use super::core::Core;
use super::engine::{Session, SessionHandler};
use super::few::FewSockets;
use super::{DisconnectReason, EnginePacket, Namespace, Socket, Transport};
use crate::engineio::server::Reason;
use crate::engineio::{Data, PacketType};
use crate::socketio::{Content, Decoder, Packet, ParseError, ParserKind};

/// The sockets of one session. The session owns it, so it points to the session weakly; the sockets do likewise to this.
pub(super) struct Connection {
    pub(super) me: Weak<Connection>,
    pub(super) core: Arc<Core>,
    pub(super) session: Weak<Session>,
    pub(super) state: Mutex<State>,
}

/// Held for a look only, never while anything else is called that could come back.
pub(super) struct State {
    decoder: Decoder,
    /// Connected ones, and those that are about to go; and namespaces that the client waits to be connected to.
    pub(super) sockets: FewSockets,
    /// Its place among those who have to join a namespace in time.
    pub(super) place: u32,
    /// It has been connected to a namespace in time.
    pub(super) has_joined: bool,
    /// Nothing that comes is looked at any more.
    pub(super) is_closed: bool,
    is_polling: bool,
}

impl State {
    pub(super) fn asked(&mut self, number: u64) -> Option<&mut Asked> {
        let mut asked = self.sockets.asked_mut().iter_mut();
        asked.find(|asked| asked.number == number)
    }

    pub(super) fn take_asked(&mut self, number: u64) -> Option<Asked> {
        let place = self
            .sockets
            .asked()
            .iter()
            .position(|asked| asked.number == number)?;
        self.sockets.take_asked(place)
    }

    pub(super) fn socket(&self, namespace: &str) -> Option<&Socket> {
        self.sockets
            .iter()
            .find(|socket| socket.namespace().name() == namespace)
    }
}

impl Connection {
    pub(super) fn new(core: &Arc<Core>, session: &Arc<Session>) -> Arc<Connection> {
        let connection = Arc::new_cyclic(|me| Connection {
            me: me.clone(),
            core: core.clone(),
            session: Arc::downgrade(session),
            state: Mutex::new(State {
                decoder: core.common.parser.decoder(),
                sockets: FewSockets::default(),
                place: core.next_place(),
                has_joined: false,
                is_closed: false,
                is_polling: session.transport() == Transport::Polling,
            }),
        });
        core.expects_to_join(&connection);
        if connection.is_old() {
            // Revision 4 of the protocol: the server connects everybody to "/" without being asked.
            connection.run(|connection| connection.connect("/", None));
        }
        connection
    }

    /// Has the home thread do this, once the handler that runs there has returned.
    pub(super) fn run(&self, job: impl FnOnce(&Connection) + Send + 'static) {
        let (Some(me), Some(session)) = (self.me.upgrade(), self.session.upgrade()) else {
            return;
        };
        let home = session.home();
        home.run(Box::new(move || match session.home() == home {
            true => job(&me),
            false => me.run(job), // the session has moved to another loop meanwhile
        }));
    }

    /// Whether this is the thread where the session is heard.
    pub(super) fn is_at_home(&self) -> bool {
        self.session
            .upgrade()
            .is_some_and(|session| session.home().is_here())
    }

    /// Ends all sockets for this reason, and the session. On the home thread.
    pub(super) fn break_off(&self, reason: DisconnectReason, detail: &str) {
        self.end(reason, detail);
        if let Some(session) = self.session.upgrade() {
            session.close(false);
        }
    }

    /// The session has ended, or is about to. On the home thread.
    fn end(&self, reason: DisconnectReason, detail: &str) {
        let ((sockets, asked), decoder) = {
            let mut state = self.state.lock();
            state.is_closed = true;
            let decoder = std::mem::take(&mut state.decoder);
            (std::mem::take(&mut state.sockets).into_lists(), decoder)
        };
        drop(decoder); // unlocked, as it may be the application's
        for asked in asked {
            self.abandon(asked);
        }
        for socket in sockets {
            self.finish(&socket, reason, detail);
        }
    }

    fn packet(&self, packet: Packet<'_>, socket: Option<Socket>) {
        let Packet {
            namespace,
            id,
            content,
            attachments,
        } = packet;
        match (content, socket) {
            (Content::Event(event), Some(socket)) => self.event(&socket, &event, id, &attachments),
            (Content::Ack(array), Some(socket)) => self.ack(&socket, &array, id, &attachments),
            (Content::Disconnect, Some(socket)) => {
                self.leave(&socket, DisconnectReason::ClientNamespaceDisconnect, "");
            }
            (Content::Connect(auth), None) => self.connect(&namespace, auth.as_deref()),
            (Content::Connect(_), Some(_)) => self.violated("connected to a namespace twice"),
            (Content::ConnectError(_), _) => self.violated("sent CONNECT_ERROR"),
            (_, None) => self.violated("used a namespace that it is not connected to"),
        }
    }

    /// The client has done what the protocol doesn't allow at this point (Socket.IO protocol, "Connection to a
    /// namespace"): its connection is closed.
    pub(super) fn violated(&self, what: &str) {
        log::debug!("a Socket.IO client is disconnected: it {what}");
        self.break_off(DisconnectReason::ForcedServerClose, what);
    }

    /// A message for a parser of the application's own. It is called without the lock: it may wait for one of its language's,
    /// whose holder waits for ours.
    #[cold]
    fn take_foreign(&self, data: Data<'_>) {
        let mut decoder = {
            let mut state = self.state.lock();
            if state.is_closed {
                return;
            }
            std::mem::take(&mut state.decoder)
        };
        let packet = decoder.decode(data, &self.core.limits);
        let is_closed = {
            let mut state = self.state.lock();
            if !state.is_closed {
                std::mem::swap(&mut state.decoder, &mut decoder);
            }
            state.is_closed
        };
        match packet {
            _ if is_closed => {}
            Ok(Some(packet)) => {
                let name = self.namespace_of(&packet.namespace).0;
                let socket = self.state.lock().socket(name).cloned();
                self.packet(packet, socket);
            }
            Ok(None) => {}
            Err(error) => self.not_read(error),
        }
    }

    fn not_read(&self, error: ParseError) {
        log::debug!("a Socket.IO client is disconnected, it sent no packet: {error}");
        self.break_off(DisconnectReason::ForcedClose, &error.to_string());
    }

    /// Clients of Socket.IO 1 and 2 speak revision 4 of the protocol over Engine.IO 3. Asked seldom, so it isn't kept here.
    pub(super) fn is_old(&self) -> bool {
        let session = self.session.upgrade();
        session.is_some_and(|session| session.version() == 3)
    }

    pub(super) fn namespace_of<'a>(&self, name: &'a str) -> (&'a str, Option<&'a str>) {
        if name == "/" {
            return (name, None);
        }
        match name.split_once('?') {
            Some((name, query)) if self.is_old() => (name, Some(query)),
            _ => (name, None),
        }
    }

    /// Whoever has joined no namespace by now is sent away. On the home thread.
    pub(super) fn joined_in_time(&self) {
        let (has_joined, is_closed) = {
            let state = self.state.lock();
            (state.has_joined, state.is_closed)
        };
        if !has_joined && !is_closed {
            self.violated("joined no namespace in time");
        }
    }

    fn stopped_polling(&self) {
        let was_polling = std::mem::take(&mut self.state.lock().is_polling);
        if was_polling {
            self.core.stopped_polling();
        }
    }

    pub(super) fn place(&self) -> u32 {
        self.state.lock().place
    }

    /// Whether this question is still open.
    pub(super) fn asks(&self, number: u64) -> bool {
        self.state.lock().asked(number).is_some()
    }

    /// All connected or leaving sockets.
    pub(super) fn sockets(&self) -> Vec<Socket> {
        self.state.lock().sockets.iter().cloned().collect()
    }

    /// Whether events of this namespace are the application's to hear.
    pub(super) fn handler<'a>(&'a self, namespace: &'a Namespace) -> &'a dyn super::Handler {
        self.core.handler(namespace)
    }
}

impl SessionHandler for Connection {
    fn on_message(&self, data: Data<'_>) {
        self.core.admin(|admin| admin.message_came(data.len()));
        if matches!(self.core.common.parser, ParserKind::Custom(_)) {
            return self.take_foreign(data);
        }
        let decoded = {
            let mut state = self.state.lock();
            if state.is_closed {
                return;
            }
            state.decoder.decode(data, &self.core.limits).map(|packet| {
                let packet = packet?;
                let socket = state.socket(self.namespace_of(&packet.namespace).0).cloned();
                Some((packet, socket))
            })
        };
        match decoded {
            Ok(Some((packet, socket))) => self.packet(packet, socket),
            Ok(None) => {} // its attachments follow
            Err(error) => self.not_read(error),
        }
    }

    fn on_packet(&self, created: bool, kind: PacketType, data: Data<'_>, compress: bool) {
        if let (Some(session), Some(handler)) = (self.session.upgrade(), self.core.hearer()) {
            let packet = EnginePacket {
                outgoing: created,
                kind,
                data,
                compress,
            };
            handler.on_packet(session.sid(), &packet);
        }
    }

    fn on_drain(&self) {
        for socket in self.sockets() {
            if socket.connected() {
                self.handler(socket.namespace()).on_drain(&socket);
            }
        }
    }

    fn on_upgrade(&self) {
        self.stopped_polling();
        if let (Some(session), Some(handler)) = (self.session.upgrade(), self.core.hearer()) {
            handler.on_session_upgraded(session.sid());
        }
        for socket in self.sockets() {
            if socket.connected() {
                self.core.admin(|admin| admin.upgraded(&socket));
                self.handler(socket.namespace()).on_upgrade(&socket);
            }
        }
    }

    fn on_close(&self, reason: Reason, detail: &str) {
        let why = match self.core.is_closing() && reason == Reason::ForcedClose {
            true => DisconnectReason::ServerShuttingDown,
            false => in_socket_io(reason),
        };
        self.end(why, detail);
        self.stopped_polling();
        if let (Some(session), Some(handler)) = (self.session.upgrade(), self.core.hearer()) {
            handler.on_session_closed(session.sid(), why, detail);
        }
        self.core.session_closed(self, reason);
    }
}

fn in_socket_io(reason: Reason) -> DisconnectReason {
    match reason {
        Reason::TransportError => DisconnectReason::TransportError,
        Reason::TransportClose => DisconnectReason::TransportClose,
        Reason::PingTimeout => DisconnectReason::PingTimeout,
        Reason::ParseError => DisconnectReason::ParseError,
        Reason::ForcedClose => DisconnectReason::ForcedClose,
    }
}
