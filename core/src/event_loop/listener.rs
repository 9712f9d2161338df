//! Servers: what their connections share, accepting in bulk, and closing.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mio::Token;

use super::admission::{Place, no_room};
use super::binding::{Accepting, bind_all, is_of_one_connection};
use super::command::Command;
use super::connection::{Conn, Flag, Stage};
use super::core::LoopCore;
use super::draining::Drain;
use super::files::Folder;
use super::serving::Serving;
use super::shared::Shared;
use super::site::{Part, Site};
use super::stream::Stream;
use super::timers::Entry;
use super::{Loop, LoopOptions};
use crate::error::{Error, ErrorCode, Result};
use crate::handle::{Id, Kind};
use crate::handler::Handler;
use crate::server::{Address, Refusal, Server, ServerOptions};
use crate::topics::Topics;
use crate::ws::Millis;

/// Accepting is tried again so much later when the system has no room for another connection.
const NO_ROOM_PAUSE: Millis = 100;

/// Listening sockets that are bound, on their way to their loop.
pub(crate) struct Listening {
    sockets: Vec<Accepting>,
    site: Arc<Site>,
    workers: Vec<Worker>,
    /// For a worker: the loop and the handle of the server that it works for.
    works_for: Option<(&'static Shared, Id)>,
}

/// Another loop that listens on the same port.
struct Worker {
    on_loop: Loop,
    id: Id,
}

pub(crate) struct Listener {
    pub(crate) id: Id,
    sockets: Vec<Accepting>,
    pub(crate) site: Arc<Site>,
    /// What its connections on this loop subscribe to.
    pub(crate) topics: Topics,
    connections: usize,
    /// Where its connections count, where they count for an address.
    places: HashMap<u32, IpAddr>,
    pub(super) closing: bool,
    pub(super) drain: Option<Drain>,
    /// That there is no room is logged once, until there is again.
    no_room: bool,
    workers: Vec<Worker>,
    works_for: Option<(&'static Shared, Id)>,
}

/// Binds, and hands the sockets to their loops.
pub(crate) fn listen(
    on: &'static Shared,
    mut options: ServerOptions,
    handler: Option<Arc<dyn Handler>>,
) -> Result<Server> {
    let folder = options.static_folder.as_deref().map(Folder::open).transpose()?;
    let sockets = bind_all(&options, None)?;
    let bound = sockets.first().and_then(Accepting::local_address);
    let worker_sockets = (1..options.threads)
        .map(|_| bind_all(&options, bound))
        .collect::<Result<Vec<_>>>()?;
    if let Address::Sockets(given) = &mut options.address {
        given.clear(); // the loops have them now, and close them when they stop listening
    }
    let workers = worker_sockets
        .iter()
        .map(|_| Worker::new(on))
        .collect::<Result<Vec<_>>>()?;
    let id = on.slots.allocate(Kind::Server)?;
    if let (Some(slot), Some(socket)) = (on.slots.get(id), sockets.first()) {
        slot.set_socket(socket.raw());
    }
    let server = Server::new(id);
    let parts = parts(Part { shared: on, id }, &workers);
    let site = Arc::new(Site::new(server, options, handler, folder, parts));
    on.add_site(id, site.clone());
    for (worker, sockets) in workers.iter().zip(worker_sockets) {
        worker
            .start(sockets, site.clone(), (on, id))
            .inspect_err(|_| on.release_server(id))?;
    }
    let listening = Listening {
        sockets,
        site,
        workers,
        works_for: None,
    };
    match on.enter() {
        Some(core) => core.listen(id, listening),
        None => on.push(Command::Listen(id, Box::new(listening))),
    }
    Ok(server)
}

/// All loops of a server: a worker may publish as soon as it runs, so they are known before the first of them does.
fn parts(first: Part, workers: &[Worker]) -> Box<[Part]> {
    let part = |worker: &Worker| Part {
        shared: worker.on_loop.shared(),
        id: worker.id,
    };
    std::iter::once(first).chain(workers.iter().map(part)).collect()
}

impl Worker {
    /// What a loop does by its options, its server's further loops do, too.
    fn new(first: &Shared) -> Result<Worker> {
        let on_loop = Loop::new(LoopOptions {
            busy_poll: first.busy_poll(),
            send_batch: first.send_batch.load(Ordering::Relaxed),
            ..LoopOptions::default()
        })?;
        let id = on_loop.shared().slots.allocate(Kind::Server)?;
        Ok(Worker { on_loop, id })
    }

    fn start(
        &self,
        sockets: Vec<Accepting>,
        site: Arc<Site>,
        works_for: (&'static Shared, Id),
    ) -> Result<()> {
        let listening = Listening {
            sockets,
            site,
            workers: Vec::new(),
            works_for: Some(works_for),
        };
        let listen = Command::Listen(self.id, Box::new(listening));
        self.on_loop.shared().push(listen);
        self.on_loop.start()
    }
}

impl Listener {
    /// A connection is over a limit.
    fn has_no_room(&mut self, limit: &str) {
        self.site.admission.refused.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut self.no_room, true) {
            log::warn!("connections are refused for now: {limit} is reached");
        }
    }
}

impl LoopCore {
    pub(crate) fn listen(&self, id: Id, listening: Listening) {
        let Listening {
            mut sockets,
            site,
            workers,
            works_for,
        } = listening;
        for socket in &mut sockets {
            let token = Token(id.raw() as usize);
            if let Err(error) = self.with_registry(|registry| socket.register(registry, token)) {
                log::error!("a listening socket could not be watched: {error}");
            }
        }
        if let Some(slot) = self.shared().slots.get(id) {
            slot.set_ready_state(crate::ws::ReadyState::Open);
        }
        let listener = Listener {
            id,
            sockets,
            site,
            topics: Topics::default(),
            connections: 0,
            places: HashMap::new(),
            closing: false,
            drain: None,
            no_room: false,
            workers,
            works_for,
        };
        self.servers.borrow_mut().insert(id.slot(), listener);
    }

    /// Accepts until nobody waits.
    pub(crate) fn accept_all(&self, server: u32) {
        let mut excess = Vec::new();
        self.accept_each(server, &mut excess);
        self.refuse_excess(&excess);
    }

    /// Lists those that there was no room for.
    fn accept_each(&self, server: u32, excess: &mut Vec<Id>) {
        let mut servers = self.servers.borrow_mut();
        let Some(listener) = servers.get_mut(&server) else {
            return;
        };
        let mut index = 0;
        while let Some(socket) = listener.sockets.get(index) {
            match socket.accept() {
                Ok((stream, remote)) => _ = self.accepted(listener, stream, remote, true, excess),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => index += 1,
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut listener.no_room, true) {
                        log::error!("no connections are accepted for now: {error}");
                    }
                    let deadline = self.now() + NO_ROOM_PAUSE;
                    self.set_timer(Entry {
                        deadline,
                        key: listener.id.raw(),
                    });
                    return;
                }
            }
        }
    }

    /// Takes a fresh connection in, if there is room. `may_secure`: if the server speaks TLS, it is to begin here.
    pub(super) fn accepted(
        &self,
        listener: &mut Listener,
        stream: Stream,
        remote: Option<SocketAddr>,
        may_secure: bool,
        excess: &mut Vec<Id>,
    ) -> Option<Id> {
        let site = listener.site.clone();
        let place = match site
            .admission
            .admit(&site.options, remote.map(|address| address.ip()))
        {
            Ok(place) => place,
            Err(limit) => {
                self.no_place(listener, stream, limit, may_secure, excess);
                return None;
            }
        };
        listener.no_room = false;
        let taken = self.take_in(listener, stream, remote, may_secure);
        self.counted(listener, taken, place)
    }

    /// Takes a connection in whose socket another server has still, if there is room.
    pub(super) fn take_in_elsewhere(&self, server: Id, remote: Option<SocketAddr>) -> Result<Id, Refusal> {
        let mut servers = self.servers.borrow_mut();
        let gone = || Refusal::new(503, "the server is going away");
        let listener = servers.get_mut(&server.slot()).ok_or_else(gone)?;
        let site = listener.site.clone();
        let place = match site
            .admission
            .admit(&site.options, remote.map(|address| address.ip()))
        {
            Ok(place) => place,
            Err(limit) => {
                listener.has_no_room(limit);
                return Err(no_room());
            }
        };
        listener.no_room = false;
        let taken = self
            .shared()
            .slots
            .allocate(Kind::Connection)
            .and_then(|id| self.seat(listener, id, None, remote));
        self.counted(listener, taken, place).ok_or_else(no_room)
    }

    /// Counts a connection that was admitted, if it was taken in.
    fn counted(&self, listener: &mut Listener, taken: Result<Id>, place: Place) -> Option<Id> {
        let admission = &listener.site.admission;
        match taken {
            Ok(id) => {
                admission.accepted.fetch_add(1, Ordering::Relaxed);
                listener.connections += 1;
                listener.places.extend(place.map(|address| (id.slot(), address)));
                Some(id)
            }
            Err(error) => {
                admission.release(place);
                log::warn!("a connection was dropped: {error}");
                None
            }
        }
    }

    fn no_place(
        &self,
        listener: &mut Listener,
        stream: Stream,
        limit: &str,
        may_secure: bool,
        excess: &mut Vec<Id>,
    ) {
        listener.has_no_room(limit);
        // Before a TLS handshake nothing can be said, and to take part in one would be no refusal.
        let speaks_plainly = listener.site.options.tls.is_none() || !may_secure;
        if speaks_plainly
            && self.may_refuse_kindly(excess.len())
            && let Ok(id) = self.take_in(listener, stream, None, may_secure)
        {
            listener.connections += 1;
            excess.push(id);
        }
    }

    fn take_in(
        &self,
        listener: &Listener,
        stream: Stream,
        remote: Option<SocketAddr>,
        may_secure: bool,
    ) -> Result<Id> {
        let mut stream = match may_secure {
            true => listener.site.secure(stream)?,
            false => stream,
        };
        let id = self.shared().slots.allocate(Kind::Connection)?;
        let registered = self.with_registry(|registry| stream.register(registry, Token(id.raw() as usize)));
        if let Err(error) = registered {
            self.shared().slots.release(id);
            return Err(Error::new(ErrorCode::OutOfResources, error.to_string()));
        }
        self.seat(listener, id, Some(stream), remote)
    }

    /// Gives a connection its place on this loop.
    fn seat(
        &self,
        listener: &Listener,
        id: Id,
        stream: Option<Stream>,
        remote: Option<SocketAddr>,
    ) -> Result<Id> {
        let site = listener.site.clone();
        let slot = self.shared().slots.get(id).ok_or(ErrorCode::Closed)?;
        if let Some(stream) = &stream {
            slot.set_socket(stream.raw());
        }
        slot.set_server(listener.id.slot());
        let profile = site.profile.clone();
        let serving = Serving::new(site, remote, self.now());
        let stage = Stage::Serving(Box::new(serving));
        let mut conn = Conn::new(id, slot, listener.id.slot(), stage, profile);
        conn.stream = stream;
        self.adopt(conn);
        self.arm(id);
        Ok(id)
    }

    /// Stops listening; with a code, its connections begin to close.
    pub(crate) fn close_server(&self, server: Id, close: Option<(u16, &str)>) {
        let owned = close.map(|(code, reason)| (code, reason.to_owned()));
        if !self.stop_listening(server, |worker| Command::CloseServer(worker, owned.clone())) {
            return;
        }
        for conn in self.connections_of(server.slot()) {
            let upgraded = self.with_conn(conn, |conn| !matches!(conn.stage, Stage::Serving(_)));
            if self.close_exchange(conn) {
                continue;
            }
            match close {
                Some((code, reason)) => self.begin_close(conn, Some(code), reason),
                // Nobody can be upgraded any more, and an idle keep-alive connection must not hold the server.
                None if upgraded == Some(false) => self.finish(conn, None, true),
                None => {}
            }
        }
        self.server_may_be_done(server);
    }

    /// Closes a server's listening sockets and tells its workers what to do; `false` if it is not here any more.
    pub(super) fn stop_listening(&self, server: Id, tell: impl Fn(Id) -> Command) -> bool {
        let mut servers = self.servers.borrow_mut();
        let Some(listener) = servers.get_mut(&server.slot()).filter(|it| it.id == server) else {
            return false;
        };
        listener.closing = true;
        if let Some(slot) = self.shared().slots.get(listener.id) {
            slot.clear_socket();
            slot.set_ready_state(crate::ws::ReadyState::Closing);
        }
        for mut socket in listener.sockets.drain(..) {
            let _ = self.with_registry(|registry| socket.deregister(registry));
        }
        for worker in &listener.workers {
            worker.on_loop.shared().push(tell(worker.id));
        }
        true
    }

    /// `counted`: it was not refused for want of room.
    pub(crate) fn connection_of_server_ended(&self, server: u32, connection: Id, counted: bool) {
        let id = self.servers.borrow_mut().get_mut(&server).map(|listener| {
            listener.connections -= 1;
            listener.topics.forget(connection.slot());
            if counted {
                let place = listener.places.remove(&connection.slot());
                listener.site.admission.release(place);
            }
            listener.id
        });
        if let Some(id) = id {
            self.server_may_be_done(id);
        }
    }

    pub(crate) fn worker_closed(&self, id: Id) {
        let worker = self
            .servers
            .borrow_mut()
            .get_mut(&id.slot())
            .and_then(|listener| listener.workers.pop());
        if let Some(worker) = worker {
            worker.on_loop.retire();
        }
        self.server_may_be_done(id);
    }

    pub(super) fn server_may_be_done(&self, id: Id) {
        let done = {
            let mut servers = self.servers.borrow_mut();
            let done = servers.get(&id.slot()).is_some_and(|listener| {
                let workers_done = listener.workers.is_empty() || self.closed.get();
                listener.id == id && listener.closing && listener.connections == 0 && workers_done
            });
            if done { servers.remove(&id.slot()) } else { None }
        };
        if let Some(listener) = done {
            self.ended_servers.borrow_mut().push(listener);
            self.ask_for_flush();
        }
    }

    /// Calls `on_server_closed` for the servers that have ended, and frees their handles.
    pub(crate) fn deliver_server_ends(&self) {
        for listener in self.ended_servers.take() {
            self.shared().release_server(listener.id);
            match listener.works_for {
                Some((shared, server)) => shared.push(Command::WorkerClosed(server)),
                None => {
                    listener.site.leave_others();
                    let branches = listener.site.branches.iter();
                    branches.for_each(|branch| branch.route.on_server_closed());
                    listener
                        .site
                        .options
                        .server_handler
                        .on_server_closed(listener.site.server);
                }
            }
        }
    }

    pub(super) fn connections_of(&self, server: u32) -> Vec<Id> {
        let conns = self.conns.borrow();
        conns
            .iter()
            .filter(|conn| conn.server == server && !conn.flags.has(Flag::Ended))
            .map(|conn| conn.id)
            .collect()
    }
}
