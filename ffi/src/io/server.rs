//! Socket.IO servers.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sockline::io::{AdminAuth, AdminOptions, Server, ServerOptions};
use sockline::{ErrorCode, Result, Route};

use super::handlers::{Hearing, sockline_io_handlers};
use super::options::{read_options, sockline_io_server_options};
use super::packets::read_message;
use super::types::sockline_io_server;
use crate::abi::{Versioned, fill_struct, optional_string, read_struct, string, write_out};
use crate::event_loop::{share, sockline_loop};
use crate::guard::guard;
use crate::settings::optional_switch;
use crate::status::{OK, sockline_status};
use crate::types::sockline_string;
use crate::websocket::sent_status;

/// Makes a Socket.IO server, and writes its handle to *server. It hears of clients when it is among those of a listener:
/// sockline_server_options.io of sockline_listen. So one port can have raw WebSockets, files and Socket.IO.
///
/// loop: for its timers; NULL for the default loop. options: NULL for the defaults. handlers: not NULL. user_data: yours, given to
/// every callback. All is copied but user_data. It lives until sockline_io_server_close is done.
///
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT for options that can't be, such as a folder that is not there,
/// SOCKLINE_ERR_OUT_OF_RESOURCES, SOCKLINE_ERR_FORKED. After an error no callback ever comes, and *server is 0. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_server_new(
    r#loop: *mut sockline_loop,
    options: *const sockline_io_server_options,
    handlers: *const sockline_io_handlers,
    user_data: *mut c_void,
    server: *mut sockline_io_server,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a writable pointer, and for structs as long as their sizes say, with what they
        // point to.
        unsafe {
            write_out(server, 0);
            let handlers =
                read_struct(handlers)?.ok_or_else(|| crate::abi::invalid("handlers is NULL".to_owned()))?;
            let (options, taken) = read_options(options)?;
            let options = asking(options, &handlers);
            let asks_namespaces = handlers.on_namespace.is_some();
            let hears_packets = handlers.on_packet.is_some();
            let on_loop = share(r#loop);
            let hearing = Arc::new(Hearing {
                handlers,
                user_data: user_data as usize,
            });
            let made = Server::new(on_loop.as_ref().map(|on_loop| on_loop.inner()), options, hearing)?;
            taken.taken();
            made.set_dynamic_namespaces(asks_namespaces);
            made.set_packet_events(hears_packets);
            write_out(server, made.raw());
            kept().push(made);
        }
        Ok(OK)
    })
}

/// The servers that C has made and that are not closed: a number keeps nothing.
static KEPT: Mutex<Vec<Server>> = Mutex::new(Vec::new());

fn kept() -> MutexGuard<'static, Vec<Server>> {
    // The list is whole whatever happened: nothing that can panic is done with it.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The server is closed.
pub(super) fn let_go(server: &Server) {
    let mut kept = kept();
    let found = kept.iter().position(|one| one == server);
    let gone = found.map(|index| kept.swap_remove(index));
    drop(kept);
    drop(gone); // without the lock
}

/// What nobody would hear is not asked.
fn asking(options: ServerOptions, handlers: &sockline_io_handlers) -> ServerOptions {
    ServerOptions {
        ask_request: handlers.on_request.is_some(),
        ask_headers: handlers.on_headers.is_some(),
        ask_connecting: handlers.on_connecting.is_some(),
        room_events: handlers.on_room.is_some(),
        ..options
    }
}

/// Disconnects all sockets with "server shutting down" and ends all sessions; new ones end at once. on_server_closed follows. The
/// listeners stay open, and the handle ends with the last of them. Doing it again is harmless. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_server_close(server: sockline_io_server) -> sockline_status {
    guard(|| {
        Server::from_raw(server)?.close();
        Ok(OK)
    })
}

/// Closes one client's session, whatever it has joined or is asked about, by the id that sockline_io_socket_session_id writes: its
/// sockets are disconnected with SOCKLINE_IO_FORCED_CLOSE, the client isn't told so, and one of the official kind comes back. What
/// was sent before goes out first, over polling if the client asks for it within 30 seconds; not if discard is 1.
/// Errors: SOCKLINE_ERR_CLOSED also if there is no such session, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_server_close_session(
    server: sockline_io_server,
    session_id: sockline_string,
    discard: i32,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text.
        let id = unsafe { string(session_id) }?;
        match Server::from_raw(server)?.close_session(id, discard != 0) {
            true => Ok(OK),
            false => Err(ErrorCode::Closed.into()),
        }
    })
}

/// Sends a message of Engine.IO to a client as it is (conn.send), by the id that sockline_io_socket_session_id writes: between
/// the packets of Socket.IO, and a client of that takes it for one. message_type: one of enum sockline_message_type. data: len
/// bytes, copied. compress: 1, or -1 for not, or 0 for by its length.
///
/// Returns SOCKLINE_OK, SOCKLINE_OVER_MARK or SOCKLINE_DROPPED. Errors: SOCKLINE_ERR_CLOSED also if there is no such session,
/// SOCKLINE_ERR_OUTBOX_FULL, SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_server_send_to_session(
    server: sockline_io_server,
    session_id: sockline_string,
    message_type: i32,
    data: *const c_void,
    len: usize,
    compress: i32,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text and data.
        let (id, message) = unsafe { (string(session_id)?, read_message(message_type, data, len)?) };
        let compress = optional_switch("compress", compress.into())?;
        let sent = Server::from_raw(server)?.send_to_session(id, message, compress)?;
        Ok(sent_status(sent))
    })
}

/// What a Socket.IO server has done. Start from SOCKLINE_IO_METRICS_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_metrics {
    /// sizeof(sockline_io_metrics), as the INIT macro sets it.
    pub size: usize,
    /// Clients that have a session now (engine.clientsCount).
    pub clients: u64,
    /// Those of them that poll.
    pub polling_clients: u64,
    /// Sessions since the server was made.
    pub sessions: u64,
    /// Sockets that are connected now, over all namespaces.
    pub sockets: u64,
    /// Namespaces that there are now.
    pub namespaces: u64,
    /// Events that came.
    pub events_in: u64,
    /// Events that were sent, a broadcast once for each socket.
    pub events_out: u64,
    /// Answers that came.
    pub acks_in: u64,
    /// Answers that were sent.
    pub acks_out: u64,
    /// Events that were dropped: volatile ones, and those over a client's hard limit.
    pub dropped: u64,
    /// Sockets that connection state recovery has brought back.
    pub recovered: u64,
}

// SAFETY: `repr(C)`, `size` first, numbers only.
unsafe impl Versioned for sockline_io_metrics {
    const NAME: &'static str = "sockline_io_metrics";
}

/// Writes what the server has done to *metrics, not NULL, from its INIT macro.
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_server_get_metrics(
    server: sockline_io_server,
    metrics: *mut sockline_io_metrics,
) -> sockline_status {
    guard(|| {
        let found = Server::from_raw(server)?.metrics();
        let shown = sockline_io_metrics {
            size: size_of::<sockline_io_metrics>(),
            clients: found.clients,
            polling_clients: found.polling_clients,
            sessions: found.sessions,
            sockets: found.sockets,
            namespaces: found.namespaces,
            events_in: found.events_in,
            events_out: found.events_out,
            acks_in: found.acks_in,
            acks_out: found.acks_out,
            dropped: found.dropped,
            recovered: found.recovered,
        };
        // SAFETY: the header asks for NULL or a struct as long as its size says.
        unsafe { fill_struct(metrics, shown) }.map(|()| OK)
    })
}

/// A namespace for the official admin UI (npm @socket.io/admin-ui). Start from SOCKLINE_IO_ADMIN_OPTIONS_INIT; a field of 0 means
/// its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_admin_options {
    /// sizeof(sockline_io_admin_options), as the INIT macro sets it.
    pub size: usize,
    /// The namespace. Default: /admin.
    pub nsp: sockline_string,
    /// The name to log in with; empty only with no_auth.
    pub username: sockline_string,
    /// The password's bcrypt hash, such as "$2b$10$…".
    pub password_hash: sockline_string,
    /// 1 lets in whoever can connect. Default: user name and password are needed.
    pub no_auth: i64,
    /// 1 shows all and changes nothing. Default: administrators can emit, join, leave and disconnect.
    pub read_only: i64,
    /// How the server is called. Default: the host's name.
    pub server_id: sockline_string,
    /// 1 shows sums only (mode "production"), which costs less. Default: every socket, room and event.
    pub is_production: i64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_io_admin_options {
    const NAME: &'static str = "sockline_io_admin_options";
}

/// Adds a namespace that the official admin UI connects to; options not NULL, copied. In a cluster whose servers all have one it
/// shows all of them.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT without user and password unless no_auth is 1, SOCKLINE_ERR_CLOSED,
/// SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_enable_admin(
    server: sockline_io_server,
    options: *const sockline_io_admin_options,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for a struct as long as its size says, with what it points to.
        let options = unsafe { read_admin(options) }?;
        Server::from_raw(server)?.enable_admin(options).map(|()| OK)
    })
}

/// # Safety
/// `given` is NULL or a struct as long as its size says, and what it points to is readable.
unsafe fn read_admin(given: *const sockline_io_admin_options) -> Result<AdminOptions> {
    // SAFETY: the caller's promise covers the struct and all that it points to.
    unsafe {
        let given = read_struct(given)?.ok_or_else(|| crate::abi::invalid("options is NULL".to_owned()))?;
        let auth = match (given.no_auth, optional_string(given.username)?) {
            (0, Some(username)) => AdminAuth::Basic {
                username,
                password_hash: string(given.password_hash)?.to_owned(),
            },
            (0, None) => {
                let text = "an admin namespace needs username and password_hash, or no_auth";
                return Err(sockline::Error::new(ErrorCode::InvalidArgument, text));
            }
            _ => AdminAuth::None,
        };
        let defaults = AdminOptions::new(auth);
        Ok(AdminOptions {
            namespace: optional_string(given.nsp)?.unwrap_or(defaults.namespace),
            read_only: given.read_only != 0,
            server_id: string(given.server_id)?.to_owned(),
            development: given.is_production == 0,
            ..AdminOptions::new(defaults.auth)
        })
    }
}

/// The routes of a listener that these servers are.
///
/// # Safety
/// `servers` points to `count` readable handles.
pub(crate) unsafe fn routes(servers: *const sockline_io_server, count: usize) -> Result<Vec<Arc<dyn Route>>> {
    // SAFETY: the caller's promise.
    let servers = unsafe { crate::abi::array(servers, count) }?;
    servers
        .iter()
        .map(|server| Ok(Server::from_raw(*server)?.route()))
        .collect()
}
