//! Requests that another server of the process has read, and whose answers it sends itself. A WebSocket is a connection
//! without a socket at first: that server hands it over when the client has its 101.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use mio::Token;
use parking_lot::Mutex;

use super::adopting::given_stream;
use super::command::{Call, Command};
use super::connection::{Conn, Stage};
use super::core::LoopCore;
use super::exchange::Cut;
use super::home::Home;
use super::shared::Shared;
use super::site::Site;
use super::stream::Stream;
use super::sys::OwnedSocket;
use crate::error::{Error, ErrorCode, Result};
use crate::handle::Id;
use crate::http::Request;
use crate::route::{Exchange, HttpAnswer, HttpRequest, Route};
use crate::server::Refusal;
use crate::ws::handshake;

/// How far the requests are, by the numbers of their exchanges: until they are answered, or have their sockets.
static UNDER_WAY: LazyLock<Mutex<HashMap<u64, Progress>>> = LazyLock::new(Mutex::default);

enum Progress {
    /// On its way to the loop.
    Coming,
    /// A route of this loop's owes the answer to this exchange; what it has itself stands for it.
    Owed(Home, Arc<dyn Route>, Exchange),
    /// A server is asked for a WebSocket.
    Asked(Id),
    /// The client gets one, on this connection of this server.
    Promised { server: Id, connection: Id },
}

/// That a request is under way, until this is dropped.
struct UnderWay(u64);

impl UnderWay {
    fn begin(exchange: u64) -> UnderWay {
        UNDER_WAY.lock().insert(exchange, Progress::Coming);
        UnderWay(exchange)
    }

    /// Says whether it is still under way: its client may have gone, and then an exchange is abandoned.
    fn goes_on(&self, progress: Progress) -> bool {
        let too_late = match UNDER_WAY.lock().get_mut(&self.0) {
            Some(before) => {
                *before = progress;
                return true;
            }
            None => progress,
        };
        if let Progress::Owed(_, _, exchange) = too_late {
            exchange.abandon();
        }
        false
    }

    /// Says whether it was under way.
    fn end(&self) -> bool {
        let ended = UNDER_WAY.lock().remove(&self.0); // dropped without the lock
        let was_there = ended.is_some();
        if let Some(Progress::Owed(_, _, exchange)) = ended {
            exchange.abandon();
        }
        was_there
    }

    /// The route's answer.
    fn answer(&self, answer: HttpAnswer) {
        let owed = UNDER_WAY.lock().remove(&self.0);
        if let Some(Progress::Owed(_, _, exchange)) = owed {
            exchange.respond(answer);
        }
    }
}

/// While a request is looked at: its exchange, and the answers to others that are brought about meanwhile.
type Looking = (u64, Vec<Box<dyn FnOnce()>>);

thread_local!(static LOOKING: RefCell<Option<Looking>> = const { RefCell::new(None) });

/// Has somebody look at a request, on a loop's thread. What is answered to it at once is given first, then what it brings about for
/// others whose connections are another server's, as where they are our own: a client of python-socketio that has the event before
/// its POST is answered forgets to say goodbye, and waits for the next ping.
pub(crate) fn look_at(exchange: u64, look: impl FnOnce()) {
    LOOKING.set(Some((exchange, Vec::new())));
    look();
    let held = LOOKING.take().map_or(Vec::new(), |(_, held)| held);
    for answer in held {
        answer();
    }
}

/// Gives an answer to another server, now or when the request that is looked at has its own.
pub(crate) fn give(exchange: u64, answer: impl FnOnce() + 'static) {
    let mut answer = Some(answer);
    // A thread that ends looks at nothing any more.
    let _ = LOOKING.try_with(|looking| {
        if let Some((own, held)) = &mut *looking.borrow_mut()
            && *own != exchange
            && let Some(answer) = answer.take()
        {
            held.push(Box::new(answer));
        }
    });
    if let Some(answer) = answer {
        answer();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.end();
    }
}

/// A request on its way to a server's loop.
pub(crate) struct Coming {
    request: HttpRequest,
    under_way: UnderWay,
}

/// A socket on its way to the connection that it was promised to.
pub(crate) struct HandedOver {
    stream: Stream,
    /// What the other server has read of it behind the request.
    rest: Vec<u8>,
}

/// What a connection has of another server until it has its socket.
pub(super) struct Elsewhere {
    server: Id,
    /// Until the upgrade is answered.
    exchange: Option<Exchange>,
    pub(super) secure: bool,
    under_way: UnderWay,
}

impl Elsewhere {
    /// The answer that is owed.
    pub(super) fn take_exchange(&mut self) -> Option<Exchange> {
        self.exchange.take()
    }

    /// There is no room for a WebSocket.
    fn refuse(mut self, refusal: Refusal) {
        if let Some(exchange) = self.take_exchange() {
            exchange.respond(refusal.into());
        }
    }

    /// The same when it is that the client gets its WebSocket; `None` if that has gone.
    pub(super) fn promise(&mut self, connection: Id) -> Option<Exchange> {
        let server = self.server;
        let promised = Progress::Promised { server, connection };
        self.under_way.goes_on(promised).then(|| self.exchange.take())?
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let Some(exchange) = self.exchange.take() else {
            return;
        };
        match self.under_way.end() {
            true => exchange.respond(gone()),
            false => exchange.abandon(), // the client has gone, and nobody waits for it
        }
    }
}

/// Serves a request that another server has read.
pub(crate) fn handle(server: Id, request: HttpRequest) {
    let part = Shared::site(server).ok().and_then(|site| site.nearest_part());
    let Some(part) = part else {
        return request.exchange.respond(gone());
    };
    let under_way = UnderWay::begin(request.exchange.id());
    let coming = Coming { request, under_way };
    // Also on this thread not at once: nothing calls back from inside a call.
    part.shared.push(Command::Handle(part.id, Box::new(coming)));
}

/// The loop that [`handle`] would have a request served on.
pub(crate) fn home_of_server(server: Id) -> Option<Home> {
    let part = Shared::site(server).ok()?.nearest_part()?;
    Some(Home::at_place(part.shared))
}

/// The client that waits for the answer to such a request, or for its WebSocket, has gone.
pub(crate) fn cut(exchange: u64) -> Result<()> {
    let progress = UNDER_WAY.lock().remove(&exchange);
    match progress {
        None => return Err(ErrorCode::AlreadyAnswered.into()),
        Some(Progress::Coming) => {}
        Some(Progress::Owed(home, route, owed)) => {
            let cut = Cut::new(route, exchange);
            owed.abandon();
            home.run(Box::new(move || cut.tell()));
        }
        Some(Progress::Asked(id) | Progress::Promised { connection: id, .. }) => {
            let _ = super::call(id, Call::Terminate); // it may have ended by itself
        }
    }
    Ok(())
}

/// The client has its 101: here is the connection.
pub(crate) fn upgraded(exchange: u64, socket: OwnedSocket, rest: &[u8]) -> Result<()> {
    let (server, connection) = match UNDER_WAY.lock().get(&exchange) {
        Some(Progress::Promised { server, connection }) => (*server, *connection),
        Some(_) => return Err(not_promised()),
        None => return Err(ErrorCode::Closed.into()),
    };
    let site = Shared::site(server)?;
    let stream = given_stream(socket, &site.options.settings.tcp)?;
    let rest = rest.to_vec();
    let (shared, _) = Shared::of(connection)?;
    if UNDER_WAY.lock().remove(&exchange).is_none() {
        return Err(ErrorCode::Closed.into()); // it has gone meanwhile, or another thread was faster
    }
    let handed = HandedOver { stream, rest };
    shared.push(Command::HandOver(connection, Box::new(handed)));
    Ok(())
}

fn not_promised() -> Error {
    let text = "this exchange has not been answered with status 101";
    Error::new(ErrorCode::InvalidArgument, text)
}

fn gone() -> HttpAnswer {
    Refusal::new(503, "the server is going away").into()
}

impl LoopCore {
    /// A request has come that another server has read.
    pub(crate) fn handle(&self, server: Id, coming: Coming) {
        let Coming { request, under_way } = coming;
        let site = match self.servers.borrow().get(&server.slot()) {
            Some(listener) if listener.id == server && !listener.closing => Some(listener.site.clone()),
            _ => None,
        };
        if !under_way.goes_on(Progress::Coming) {
            return request.exchange.abandon();
        }
        let Some(site) = site else {
            return request.exchange.respond(gone());
        };
        let is_upgrade = handshake::is_upgrade(&request.head);
        match site.branch_of(request.head.path(), is_upgrade) {
            branch if is_upgrade => self.upgrade_elsewhere(server, &site, branch, request, under_way),
            Some(branch) => self.route_elsewhere(&site, branch, request, under_way),
            None => request.exchange.respond(unknown(&site, &request.head)),
        }
    }

    fn route_elsewhere(&self, site: &Site, branch: usize, request: HttpRequest, under_way: UnderWay) {
        let Some(route) = site.branches.get(branch).map(|branch| branch.route.clone()) else {
            return;
        };
        if request.body.len() as u64 > route.max_body() {
            let answer = route.too_large(&request.head);
            return request.exchange.respond(answer);
        }
        let home = Home::at_place(self.shared());
        let number = request.exchange.id();
        let owed = Progress::Owed(home, route.clone(), request.exchange);
        if !under_way.goes_on(owed) {
            return; // and so it is abandoned
        }
        let exchange = Exchange::standing_for(number, Box::new(move |answer| under_way.answer(answer)));
        let request = HttpRequest {
            head: request.head,
            body: request.body,
            remote: request.remote,
            secure: request.secure,
            exchange,
        };
        look_at(number, || route.on_request(request));
    }

    /// The loop ends, and with it all requests that its routes have.
    pub(crate) fn cut_elsewhere(&self) {
        let here = Home::at_place(self.shared());
        let is_here =
            |_: &u64, progress: &mut Progress| matches!(progress, Progress::Owed(home, ..) if *home == here);
        let ended: Vec<(u64, Progress)> = UNDER_WAY.lock().extract_if(is_here).collect();
        for (number, progress) in ended {
            if let Progress::Owed(_, route, owed) = progress {
                owed.abandon();
                Cut::new(route, number).tell();
            }
        }
    }

    /// A connection for the WebSocket, which goes the usual way but for its answer.
    fn upgrade_elsewhere(
        &self,
        server: Id,
        site: &Site,
        branch: Option<usize>,
        request: HttpRequest,
        under_way: UnderWay,
    ) {
        let HttpRequest {
            head,
            remote,
            secure,
            exchange,
            ..
        } = request;
        let elsewhere = Elsewhere {
            server,
            exchange: Some(exchange),
            secure,
            under_way,
        };
        let id = match self.take_in_elsewhere(server, remote) {
            Ok(id) => id,
            Err(refusal) => return elsewhere.refuse(refusal),
        };
        self.with_conn(id, |conn| {
            if let Some(serving) = conn.serving() {
                serving.elsewhere = Some(Box::new(elsewhere));
            }
        });
        let is_asked = |conn: &mut Conn| {
            let elsewhere = conn.elsewhere()?;
            Some(elsewhere.under_way.goes_on(Progress::Asked(id)))
        };
        match (self.with_conn(id, is_asked).flatten(), branch) {
            (Some(true), Some(branch)) => self.upgrade(id, site, &head, Some(branch)),
            (Some(true), None) => self.own_request(id, site, &head),
            _ => self.finish(id, None, false),
        }
    }

    /// The socket of a connection that was promised one.
    pub(crate) fn handed_over(&self, id: Id, handed: HandedOver) {
        let HandedOver { mut stream, rest } = handed;
        if self.with_conn(id, |conn| conn.is_promised()) != Some(true) {
            return; // it has ended meanwhile, and so does the socket
        }
        let registered = self.with_registry(|registry| stream.register(registry, Token(id.raw() as usize)));
        if let Err(error) = registered {
            let error = Error::new(ErrorCode::OutOfResources, error.to_string());
            return self.finish(id, Some(error), false);
        }
        self.with_conn(id, |conn| {
            self.open_promised(conn, stream);
            if !rest.is_empty() {
                conn.stash(&rest);
            }
        });
        self.arm(id);
        self.reconsider(id);
    }
}

impl Conn {
    /// What is still another server's of this connection.
    pub(super) fn elsewhere(&mut self) -> Option<&mut Elsewhere> {
        match &mut self.stage {
            Stage::Serving(serving) => serving.elsewhere.as_deref_mut(),
            _ => None,
        }
    }

    /// The same at its end, to be dropped when nothing is borrowed.
    pub(super) fn take_elsewhere(&mut self) -> Option<Box<Elsewhere>> {
        self.serving()?.elsewhere.take()
    }
}

/// The answer to a request that is no WebSocket's and no route's.
fn unknown(site: &Site, head: &Request) -> HttpAnswer {
    let endpoint = site.options.path.as_deref();
    if endpoint.is_some_and(|path| path != head.path()) {
        return Refusal::new(404, &format!("there is nothing at {}", head.path())).into();
    }
    match handshake::check_request(head) {
        Err(refusal) => HttpAnswer {
            status: refusal.status,
            headers: refusal.headers,
            body: refusal.text.into(),
        },
        Ok(_) => Refusal::new(400, "not a WebSocket handshake").into(),
    }
}
