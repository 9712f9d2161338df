//! From CONNECT to a connected socket, with the questions that lie in between.

use super::connection::Connection;
use super::engine::SendFlags;
use super::ids::{self, SocketId};
use super::questions::{self, ConnectQuestion, NamespaceQuestion};
use super::recovery::{Entered, Found};
use super::sending::{self, Head, Payload};
use super::socket::Beginning;
use super::{DisconnectReason, Namespace, Socket, registry};
use crate::error::{Error, ErrorCode};
use crate::json::push_string;
use crate::socketio::{self, PacketType};

/// How many namespaces a client may wait for at once. Programs have a handful.
const MAX_ASKED: usize = 256;

/// A namespace that a client waits to be connected to.
pub(super) struct Asked {
    /// The question's number; if nobody is asked, that of looking for the client's state.
    pub(super) number: u64,
    name: Box<str>,
    auth: Option<Box<str>>,
    /// There is none yet while the namespace is asked for.
    socket: Option<Socket>,
    /// The handler that is asked has not returned yet; what it answers is looked at then.
    is_asking: bool,
    verdict: Option<Verdict>,
}

pub(super) enum Verdict {
    Allow,
    Deny(Box<Denial>),
}

pub(super) struct Denial {
    pub(super) message: Box<str>,
    pub(super) data: Option<Box<str>>,
}

impl Connection {
    /// The client asks for a namespace, or an old client begins. On the home thread.
    pub(super) fn connect(&self, name: &str, auth: Option<&str>) {
        let (name, query) = self.namespace_of(name);
        let from_query = query.map(query_as_json);
        let auth = from_query.as_deref().or(auth);
        let waiting = {
            let state = self.state.lock();
            if state.is_closed {
                return;
            }
            let asked = state.sockets.asked();
            (asked.iter().any(|asked| *asked.name == *name), asked.len())
        };
        match waiting {
            // The official client says CONNECT again when its `connect()` is called again meanwhile.
            (true, _) => log::debug!("a client that waits for {name} asks for it again"),
            (_, MAX_ASKED..) => self.violated("wants to be connected to too many namespaces"),
            _ => match self.core.enter(name) {
                Some(namespace) => self.begin(namespace, auth),
                None if self.core.has_dynamic_namespaces() => self.ask_for_namespace(name, auth),
                None => self.no_such_namespace(name),
            },
        }
    }

    /// The same for old clients, too: the official server gives them an object here, where other refusals are a text.
    fn no_such_namespace(&self, name: &str) {
        let mut payload = String::new();
        socketio::connect_error("Invalid namespace", None, &mut payload);
        self.send(PacketType::ConnectError, name, Payload::Whole(&payload));
    }

    /// Tells the client that it can't be connected; its other namespaces go on.
    fn refuse(&self, name: &str, message: &str, data: Option<&str>) {
        let mut payload = String::new();
        if self.is_old() {
            socketio::error_v4(message, data, &mut payload);
        } else {
            socketio::connect_error(message, data, &mut payload);
        }
        self.send(PacketType::ConnectError, name, Payload::Whole(&payload));
    }

    fn send(&self, packet_type: PacketType, namespace: &str, payload: Payload<'_>) {
        let Some(session) = self.session.upgrade() else {
            return;
        };
        let head = Head {
            packet_type,
            namespace,
            id: None,
        };
        let sent = sending::send(
            &session,
            &self.core.common,
            head,
            payload,
            &[],
            SendFlags::default(),
        );
        if let Err(error) = sent {
            log::debug!("a Socket.IO client was not told of a namespace: {error}");
            self.not_told(&error);
        }
    }

    /// What a client has to know could not be encoded: there is no use in its waiting.
    pub(super) fn not_told(&self, error: &Error) {
        if error.code() == ErrorCode::InvalidArgument {
            let detail = error.text().to_owned();
            self.run(move |connection| connection.break_off(DisconnectReason::ForcedClose, &detail));
        }
    }

    fn ask_for_namespace(&self, name: &str, auth: Option<&str>) {
        let number = self.put_asked(name, auth, None);
        let Some(session) = self.session.upgrade() else {
            return;
        };
        let question = NamespaceQuestion::new(self.me.clone(), number, name, auth, session.request().clone());
        self.core.handler.on_namespace(question);
        self.has_asked(number);
    }

    /// The namespace is there, and this client is counted among its users.
    fn begin(&self, namespace: Namespace, auth: Option<&str>) {
        let Some(beginning) = self.beginning(auth) else {
            return self.core.left(&namespace);
        };
        let number = registry::fresh();
        let again = namespace.clone();
        let begin = move |id| Socket::begin(again, beginning(id), true);
        let connection = self.me.clone();
        let later = move |entered| {
            if let Some(connection) = connection.upgrade() {
                connection.run(move |connection| connection.was_looked_for(number, entered));
            }
        };
        match namespace.restore(auth, begin, later) {
            Found::Now(entered) => self.enter(entered, auth),
            // It is heard of on this thread, so after this.
            Found::Later => self.put(number, namespace.name(), auth, None),
        }
    }

    /// It is known at last whether the client comes back to a namespace. On the home thread.
    fn was_looked_for(&self, number: u64, entered: Entered) {
        let asked = self.state.lock().take_asked(number);
        match asked {
            Some(Asked { auth, .. }) => self.enter(entered, auth.as_deref()),
            None => log::debug!("a client has gone before its state was found"),
        }
    }

    fn enter(&self, entered: Entered, auth: Option<&str>) {
        let (namespace, socket) = entered.go_on();
        let Some(socket) = socket.or_else(|| self.new_socket(&namespace, auth)) else {
            return;
        };
        if self.core.asks_connecting(&socket) {
            self.ask_connecting(socket, auth);
        } else {
            self.join(socket);
        }
    }

    /// A socket of a client that begins anew; `None` if it may not, or has gone.
    fn new_socket(&self, namespace: &Namespace, auth: Option<&str>) -> Option<Socket> {
        let Some(beginning) = self.beginning(auth) else {
            self.core.left(namespace);
            return None;
        };
        let id = self.new_id(namespace.name());
        let socket = Socket::begin(namespace.clone(), beginning(id), false);
        if namespace.local().host().insert(&socket) {
            return Some(socket);
        }
        // Only an old client can do that, whose ids are its session's: its former socket is about to go.
        self.core.left(namespace);
        self.violated("connected to a namespace that it is about to leave");
        None
    }

    /// What a socket of this client begins with; `None` if the client has gone.
    fn beginning(&self, auth: Option<&str>) -> Option<impl FnOnce(SocketId) -> Beginning + Send + use<>> {
        let session = self.session.upgrade()?;
        let connection = self.me.clone();
        let auth = auth.map(Box::from);
        Some(move |id| Beginning {
            session,
            connection,
            auth,
            id,
        })
    }

    /// An old client's sockets are named after its session; others must not know each other's session.
    fn new_id(&self, namespace: &str) -> SocketId {
        match self.session.upgrade().filter(|_| self.is_old()) {
            Some(session) if namespace == "/" => session.sid().into(),
            Some(session) => format!("{namespace}#{}", session.sid()).as_str().into(),
            None => ids::fresh().as_ref().into(),
        }
    }

    fn ask_connecting(&self, socket: Socket, auth: Option<&str>) {
        let number = self.put_asked(socket.namespace().name(), auth, Some(socket.clone()));
        let question = ConnectQuestion::new(self.me.clone(), number, socket.clone());
        self.handler(socket.namespace()).on_connecting(question);
        self.has_asked(number);
    }

    fn put_asked(&self, name: &str, auth: Option<&str>, socket: Option<Socket>) -> u64 {
        let number = registry::fresh();
        self.put(number, name, auth, socket);
        number
    }

    fn put(&self, number: u64, name: &str, auth: Option<&str>, socket: Option<Socket>) {
        let asked = Asked {
            number,
            name: name.into(),
            auth: auth.map(Into::into),
            socket,
            is_asking: true,
            verdict: None,
        };
        self.state.lock().sockets.push_asked(asked);
    }

    /// The handler that was asked has returned: what it has answered meanwhile is done now.
    fn has_asked(&self, number: u64) {
        let is_answered = {
            let mut state = self.state.lock();
            let Some(asked) = state.asked(number) else {
                return;
            };
            asked.is_asking = false;
            asked.verdict.is_some()
        };
        if is_answered {
            self.proceed(number);
        }
    }

    /// A question is answered; any thread. The first answer counts.
    pub(super) fn settle(&self, number: u64, verdict: Verdict) {
        {
            let mut state = self.state.lock();
            let Some(asked) = state.asked(number) else {
                return; // the client has gone
            };
            if asked.verdict.is_some() {
                return;
            }
            asked.verdict = Some(verdict);
            if asked.is_asking {
                return;
            }
        }
        self.run(move |connection| connection.proceed(number));
    }

    fn proceed(&self, number: u64) {
        let Some(asked) = self.state.lock().take_asked(number) else {
            return;
        };
        questions::forget(number);
        let Asked {
            name,
            auth,
            socket,
            verdict,
            ..
        } = asked;
        match (socket, verdict) {
            (Some(socket), Some(Verdict::Allow)) => self.join(socket),
            (Some(socket), denied) => {
                self.abandon_socket(&socket);
                let denial = match denied {
                    Some(Verdict::Deny(denial)) => denial,
                    _ => return,
                };
                self.refuse(&name, &denial.message, denial.data.as_deref());
            }
            (None, Some(Verdict::Allow)) => {
                let namespace = self.core.enter_child(&name);
                self.begin(namespace, auth.as_deref());
            }
            (None, _) => self.no_such_namespace(&name),
        }
    }

    /// Nobody will be connected any more.
    pub(super) fn abandon(&self, asked: Asked) {
        questions::forget(asked.number);
        if let Some(socket) = asked.socket {
            self.abandon_socket(&socket);
        }
    }

    fn abandon_socket(&self, socket: &Socket) {
        socket.namespace().remove(socket, socket.recovered());
        socket.set_gone();
        self.handler(socket.namespace()).on_connect_abandoned(socket);
        self.core.left(socket.namespace());
    }

    /// Connects the socket: it is in its namespace, the client is told, then the application.
    fn join(&self, socket: Socket) {
        let is_open = socket.0.session.is_open();
        let (is_closed, is_first) = {
            let mut state = self.state.lock();
            let (is_closed, is_first) = (state.is_closed || !is_open, !state.has_joined);
            if !is_closed {
                state.has_joined = true;
                state.sockets.push(socket.clone());
            }
            (is_closed, is_first)
        };
        if is_first {
            self.core.has_joined(self);
        }
        if is_closed {
            return self.abandon_socket(&socket);
        }
        if !socket.set_connected() {
            self.state.lock().sockets.remove(&socket);
            self.abandon_socket(&socket);
            return self.violated("missed too much while the application thought about it");
        }
        socket.namespace().has_connected(&socket);
        self.core.socket_joined(socket.recovered());
        self.core.admin(|admin| admin.connected(&socket));
        self.handler(socket.namespace()).on_connection(&socket);
    }
}

/// An old client's auth payload: the query of its namespace, as an object of strings.
fn query_as_json(query: &str) -> String {
    let mut members: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decoded(key), decoded(value));
        match members.iter_mut().find(|(known, _)| *known == key) {
            Some(member) => member.1 = value,
            None => members.push((key, value)),
        }
    }
    let mut json = String::from("{");
    for (key, value) in &members {
        if json.len() > 1 {
            json.push(',');
        }
        push_string(key, &mut json);
        json.push(':');
        push_string(value, &mut json);
    }
    json.push('}');
    json
}

/// WHATWG URL, application/x-www-form-urlencoded.
fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_becomes_an_object_of_strings() {
        assert_eq!(
            query_as_json("token=1&a=b+c%22&token=2&x"),
            r#"{"token":"2","a":"b c\"","x":""}"#
        );
        assert_eq!(query_as_json(""), "{}");
    }
}
