//! A namespace to which the front end of `@socket.io/admin-ui` connects; events and commands as in its version 0.5.

mod login;
mod shown;
mod sums;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use self::login::Login;
pub(super) use self::shown::marked_data;
use self::sums::{Sum, Sums};
use super::core::Core;
use super::counters::Counted;
use super::details::iso_string;
use super::{
    AdminAuth, AdminOptions, BroadcastOperator, ConnectQuestion, DisconnectReason, EmitOptions, Event,
    Handler, Namespace, Socket,
};
use crate::adapter::RoomEvent;
use crate::engineio::server::Reason;
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::Timed;
use crate::json::{self, Tokens, push_string};
use crate::ws::Millis;

/// How often the sums are shown, as in the official one.
const STATS_INTERVAL: Millis = 2000;

/// What the admin namespace knows and shows. It hears its own namespace as a handler.
pub(super) struct Admin {
    me: Weak<Admin>,
    core: Weak<Core>,
    namespace: OnceLock<Namespace>,
    login: Option<Login>,
    read_only: bool,
    /// Every socket, room and event is shown.
    development: bool,
    /// The beginning of the sums: who this server is.
    identity: String,
    /// On the clock of the server's loop.
    started: Millis,
    sums: Mutex<Sums>,
    /// How many look, here.
    viewers: AtomicUsize,
    /// Others may look on other servers, of which nothing is heard here.
    is_clustered: bool,
    is_timed: AtomicBool,
    /// What was counted when the sums were last shown.
    packets_out: AtomicU64,
    bytes_out: AtomicU64,
}

impl Admin {
    pub(super) fn enable(core: &Arc<Core>, options: AdminOptions) -> Result<()> {
        let login = match options.auth {
            AdminAuth::None => None,
            AdminAuth::Basic {
                username,
                password_hash,
            } => Some(Login::new(username, password_hash)?),
        };
        let admin = Arc::new_cyclic(|me| Admin {
            me: me.clone(),
            core: core.me.clone(),
            namespace: OnceLock::new(),
            login,
            read_only: options.read_only,
            development: options.development,
            identity: identity(&options.server_id),
            started: core.home.now(),
            sums: Mutex::default(),
            viewers: AtomicUsize::new(0),
            is_clustered: core.common.has_cluster(),
            is_timed: AtomicBool::new(false),
            packets_out: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        });
        let handler = Arc::new(Face(Arc::downgrade(&admin)));
        let namespace = core.of_own(&options.namespace, handler);
        if namespace.own_handler().is_none() {
            let text = format!("the namespace {} is the application's already", options.namespace);
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        let _ = admin.namespace.set(namespace);
        if !core.set_admin(admin.clone()) {
            return Err(Error::new(
                ErrorCode::InvalidArgument,
                "there is an admin namespace already",
            ));
        }
        if admin.is_clustered {
            admin.watch();
            admin.set_timer();
        }
        Ok(())
    }

    /// Whether every socket, room and event is shown.
    pub(super) fn is_detailed(&self) -> bool {
        self.development
    }

    // ---- what happens elsewhere

    pub(super) fn session_began(&self) {
        self.count(Sum::RawConnection, 1);
    }

    pub(super) fn session_closed(&self, reason: Reason) {
        self.count(Sum::RawDisconnection(reason.as_str()), 1);
    }

    pub(super) fn message_came(&self, bytes: usize) {
        self.count(Sum::PacketsIn, 1);
        self.count(Sum::BytesIn, bytes as u64);
    }

    pub(super) fn connected(&self, socket: &Socket) {
        self.show("socket_connected", || {
            format!("{},{}", shown::own(socket), now_json())
        });
    }

    pub(super) fn upgraded(&self, socket: &Socket) {
        self.show("socket_updated", || {
            let (id, nsp) = (quoted(socket.id()), quoted(socket.namespace().name()));
            format!("{{\"id\":{id},\"nsp\":{nsp},\"transport\":\"websocket\"}}")
        });
    }

    pub(super) fn data_changed(&self, socket: &Socket) {
        self.show("socket_updated", || {
            let (id, nsp) = (quoted(socket.id()), quoted(socket.namespace().name()));
            format!("{{\"id\":{id},\"nsp\":{nsp},\"data\":{}}}", socket.data_json())
        });
    }

    pub(super) fn disconnected(&self, socket: &Socket, reason: DisconnectReason) {
        self.show("socket_disconnected", || {
            format!("{},{},{}", place(socket), quoted(reason.as_str()), now_json())
        });
    }

    pub(super) fn received(&self, socket: &Socket, array: &str) {
        self.show_event("event_received", socket, array);
    }

    pub(super) fn sent(&self, socket: &Socket, array: &str) {
        self.show_event("event_sent", socket, array);
    }

    pub(super) fn rooms_changed(&self, namespace: &Namespace, events: &[RoomEvent]) {
        for event in events {
            let (event, room, id) = match event {
                RoomEvent::Join(room, id) => ("room_joined", room, id),
                RoomEvent::Leave(room, id) => ("room_left", room, id),
                RoomEvent::Create(_) | RoomEvent::Delete(_) => continue,
            };
            self.show(event, || {
                let nsp = quoted(namespace.name());
                format!("{nsp},{},{},{}", quoted(room), quoted(id), now_json())
            });
        }
    }

    /// Whether events of this namespace are shown to somebody.
    pub(super) fn shows_events(&self, namespace: &Namespace) -> bool {
        self.development && self.has_viewers() && namespace.own_handler().is_none()
    }

    fn show_event(&self, event: &str, socket: &Socket, array: &str) {
        if self.shows_events(socket.namespace()) {
            self.show(event, || format!("{},{array},{}", place(socket), now_json()));
        }
    }

    /// Emits to all who look, if what happens is to be shown one by one.
    fn show(&self, event: &str, args: impl FnOnce() -> String) {
        if self.development && self.has_viewers() {
            self.emit(event, &args());
        }
    }

    fn emit(&self, event: &str, args: &str) {
        let Some(namespace) = self.namespace.get() else {
            return;
        };
        if let Err(error) = namespace.emit(event, args, &[]) {
            log::debug!("the admin namespace could not show {event}: {error}");
        }
    }

    fn has_viewers(&self) -> bool {
        self.is_clustered || self.viewers.load(Ordering::Relaxed) > 0
    }

    fn count(&self, sum: Sum, count: u64) {
        if self.has_viewers() {
            self.sums.lock().add(now() / 1000, sum, count);
        }
    }

    // ---- the admin namespace itself

    fn came(&self, socket: &Socket) {
        self.viewers.fetch_add(1, Ordering::Relaxed);
        self.watch();
        if let Some(login) = &self.login
            && let Some(session) = login.session_to_tell(socket)
        {
            tell(socket, "session", &quoted(&session));
        }
        tell(
            socket,
            "config",
            &format!("{{\"supportedFeatures\":[{}]}}", self.features()),
        );
        if self.development
            && let Some(core) = self.core.upgrade()
        {
            let (me, socket) = (self.me.clone(), socket.clone());
            shown::all(&core.namespaces(), move |sockets| {
                tell(&socket, "all_sockets", &sockets);
                if let Some(admin) = me.upgrade() {
                    admin.show_sums();
                }
            });
        } else {
            self.show_sums();
        }
        self.set_timer();
    }

    fn went(&self) {
        if self.viewers.fetch_sub(1, Ordering::Relaxed) == 1 && !self.has_viewers() {
            *self.sums.lock() = Sums::default();
        }
        self.watch();
    }

    /// Tells the rest of the server what has to be told here.
    fn watch(&self) {
        if let Some(core) = self.core.upgrade() {
            core.common
                .set_watched(self.development && self.has_viewers(), self.has_viewers());
            self.packets_out.store(packets_out(&core), Ordering::Relaxed);
            self.bytes_out
                .store(core.common.counters.sum(Counted::BytesOut), Ordering::Relaxed);
        }
    }

    fn features(&self) -> String {
        let mut features = Vec::new();
        if !self.read_only {
            features.extend([
                "EMIT",
                "JOIN",
                "LEAVE",
                "DISCONNECT",
                "MJOIN",
                "MLEAVE",
                "MDISCONNECT",
            ]);
        }
        features.push("AGGREGATED_EVENTS");
        if self.development {
            features.push("ALL_EVENTS");
        }
        let quoted: Vec<String> = features.into_iter().map(quoted).collect();
        quoted.join(",")
    }

    fn set_timer(&self) {
        if !self.is_timed.swap(true, Ordering::AcqRel)
            && let Some(core) = self.core.upgrade()
        {
            let timed: Weak<Admin> = self.me.clone();
            core.home
                .at(core.home.now().saturating_add(STATS_INTERVAL), timed);
        }
    }

    fn show_sums(&self) {
        let Some(core) = self.core.upgrade() else { return };
        let uptime = core.home.now().saturating_sub(self.started);
        let packets = packets_out(&core);
        let bytes = core.common.counters.sum(Counted::BytesOut);
        self.count(
            Sum::PacketsOut,
            packets.wrapping_sub(self.packets_out.swap(packets, Ordering::Relaxed)),
        );
        self.count(
            Sum::BytesOut,
            bytes.wrapping_sub(self.bytes_out.swap(bytes, Ordering::Relaxed)),
        );
        let namespaces: Vec<String> = core
            .namespaces()
            .iter()
            .map(|namespace| {
                let (name, count) = (quoted(namespace.name()), namespace.socket_count());
                format!("{{\"name\":{name},\"socketsCount\":{count}}}")
            })
            .collect();
        let stats = format!(
            "{{{},\"uptime\":{}.{:03},\"clientsCount\":{},\"pollingClientsCount\":{},\"aggregatedEvents\":[{}],\"namespaces\":[{}]}}",
            self.identity,
            uptime / 1000,
            uptime % 1000,
            core.gauges.clients.load(Ordering::Relaxed),
            core.gauges.polling.load(Ordering::Relaxed),
            self.sums.lock().take(),
            namespaces.join(",")
        );
        self.emit("server_stats", &stats);
    }

    /// What the front end asks for. What it must not, or can't be read, is ignored.
    fn command(&self, name: &str, args: &str) {
        if self.read_only {
            return;
        }
        let args = split(args);
        let Some(core) = self.core.upgrade() else { return };
        let selected = |nsp: Option<&&str>, filter: Option<&&str>| -> Option<BroadcastOperator> {
            let all = core.known(&json::string(nsp?)?)?.all();
            let filter = filter.and_then(|filter| json::string(filter));
            Some(match filter.filter(|filter| !filter.is_empty()) {
                Some(filter) => all.to(&filter),
                None => all,
            })
        };
        let string = |place: usize| args.get(place).and_then(|text| json::string(text));
        match name {
            "emit" => {
                let (Some(to), Some(event)) = (selected(args.first(), args.get(1)), string(2)) else {
                    return;
                };
                let rest = args.get(3..).unwrap_or_default().join(",");
                if let Err(error) = to.emit(&event, &rest, &[]) {
                    log::debug!("the admin namespace could not emit {event}: {error}");
                }
            }
            "join" | "leave" => {
                let (Some(whom), Some(room)) = (selected(args.first(), args.get(2)), string(1)) else {
                    return;
                };
                match name {
                    "join" => whom.sockets_join(&[&room]),
                    _ => whom.sockets_leave(&[&room]),
                }
            }
            "_disconnect" => {
                if let Some(whom) = selected(args.first(), args.get(2)) {
                    whom.disconnect_sockets(args.get(1) == Some(&"true"));
                }
            }
            _ => {}
        }
    }
}

impl Timed for Admin {
    fn due(self: Arc<Self>, _now: Millis) {
        self.is_timed.store(false, Ordering::Release);
        if self.has_viewers() {
            self.show_sums();
            self.set_timer();
        }
    }
}

/// What hears the admin namespace; the namespace keeps it.
struct Face(Weak<Admin>);

impl Handler for Face {
    fn on_connecting(&self, question: ConnectQuestion) {
        let Some(admin) = self.0.upgrade() else { return };
        match &admin.login {
            Some(login) => login.ask(question),
            None => question.allow(),
        }
    }

    fn on_connection(&self, socket: &Socket) {
        if let Some(admin) = self.0.upgrade() {
            admin.came(socket);
        }
    }

    fn on_connect_abandoned(&self, socket: &Socket) {
        if let Some(admin) = self.0.upgrade()
            && let Some(login) = &admin.login
        {
            drop(login.session_to_tell(socket));
        }
    }

    fn on_event(&self, _socket: &Socket, event: Event<'_>) {
        if let Some(admin) = self.0.upgrade() {
            admin.command(&event.name, event.args);
        }
    }

    fn on_disconnect(&self, _socket: &Socket, _reason: DisconnectReason, _detail: &str) {
        if let Some(admin) = self.0.upgrade() {
            admin.went();
        }
    }
}

fn packets_out(core: &Core) -> u64 {
    let counters = &core.common.counters;
    counters
        .sum(Counted::EventsOut)
        .wrapping_add(counters.sum(Counted::AcksOut))
}

fn tell(socket: &Socket, event: &str, args: &str) {
    if let Err(error) = socket.emit(event, args, &[], &EmitOptions::default()) {
        log::debug!("an admin was not told {event}: {error}");
    }
}

/// The first members of the sums.
fn identity(server_id: &str) -> String {
    let host = host_name();
    let id = if server_id.is_empty() { &host } else { server_id };
    format!(
        "\"serverId\":{},\"hostname\":{},\"pid\":{}",
        quoted(id),
        quoted(&host),
        std::process::id()
    )
}

fn host_name() -> String {
    let from_kernel = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = from_kernel.ok().or_else(|| std::env::var("HOSTNAME").ok());
    let name = name
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

/// A socket's namespace and id, as arguments.
fn place(socket: &Socket) -> String {
    format!("{},{}", quoted(socket.namespace().name()), quoted(socket.id()))
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_string(text, &mut out);
    out
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// JavaScript's `new Date()`, as JSON.
fn now_json() -> String {
    format!("\"{}\"", iso_string(now()))
}

/// The values of a list without brackets, which is well-formed.
fn split(args: &str) -> Vec<&str> {
    let array = format!("[{args}]");
    let mut tokens = Tokens::new(&array);
    let mut values = Vec::new();
    if tokens.next().is_err() {
        return values;
    }
    loop {
        let start = tokens.position();
        if tokens.skip_value().is_err() {
            return values;
        }
        // One byte earlier than in the array: there is no bracket in front.
        let text = args.get(start.saturating_sub(1)..tokens.position().saturating_sub(1));
        let text = text
            .unwrap_or_default()
            .trim_start_matches([',', ' ', '\t', '\r', '\n']);
        if text.is_empty() || text == "]" {
            return values;
        }
        values.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn arguments_are_split_at_the_outermost_commas() {
        assert_eq!(
            split(r#""/","a,b",[1,{"x":2}], null ,true"#),
            ["\"/\"", "\"a,b\"", "[1,{\"x\":2}]", "null", "true"]
        );
        assert!(split("").is_empty());
        assert_eq!(split("1"), ["1"]);
    }
}
