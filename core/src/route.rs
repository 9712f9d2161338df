//! Parts of a server's URL space that answer for themselves: HTTP requests with bodies, answered now or later, and
//! WebSockets with settings of their own.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

use crate::error::{ErrorCode, Result};
use crate::event_loop::{self, sys::OwnedSocket};
use crate::handle::Id;
use crate::http::{Request, UsualRequest};
use crate::server::{Refusal, UpgradeRequest};
use crate::settings::Settings;
use crate::shared_head::SharedHead;

/// A part of a server's URL space with a mind of its own
/// ([`ServerOptions::routes`](crate::ServerOptions::routes)).
///
/// It is called by the threads that turn the server's loops, for one connection never by two at once, and for one
/// connection in order. No lock of the library's is held meanwhile, and nothing calls back: what a call of the route's
/// brings about is delivered after it has returned.
#[allow(unused_variables)]
pub trait Route: Send + Sync {
    /// Whether requests for this path, still percent-encoded and without its query, are this route's. The routes are asked
    /// in their order, before the server's `path`, its metrics and its files; the first that says yes has the request.
    fn matches(&self, path: &str) -> bool;

    /// Whether upgrades to WebSocket for its paths are this route's, too. Where they are not, they are answered as if it was
    /// not there, and [`Route::on_upgrade`] is never called.
    fn takes_upgrades(&self) -> bool {
        true
    }

    /// How many bytes the body of a request may have; counted while it arrives, whether or not its length was
    /// declared.
    fn max_body(&self) -> u64;

    /// The answer to a request whose body is longer than that. Nothing of the body is kept, and the connection closes
    /// after it. The default is an empty 413.
    fn too_large(&self, head: &Request) -> HttpAnswer {
        HttpAnswer::new(413)
    }

    /// Of WebSockets that this route accepts; `None` for the server's own. Asked once, when the server begins to listen;
    /// what [`Settings::tcp`] says is left to the listener's.
    fn settings(&self) -> Option<Settings> {
        None
    }

    /// A request that is no WebSocket upgrade is there, with all of its body. Answer it through [`HttpRequest::exchange`],
    /// now or whenever you like, on any thread: as long as the answer is owed, no timeout runs. The connection's next
    /// request is read when this one has been answered.
    fn on_request(&self, request: HttpRequest);

    /// Who takes requests for this target as they lie in the input, so that nothing of them has to be copied: a short way for
    /// routes of the library's own, which may be left out for any request.
    #[doc(hidden)]
    fn regular(&self, target: &[u8]) -> Option<Arc<dyn Regular>> {
        None
    }

    /// Whether [`Route::regular`] ever finds somebody. Asked once, when the server begins to listen.
    #[doc(hidden)]
    fn has_regulars(&self) -> bool {
        false
    }

    /// The client went away while the answer to this exchange ([`Exchange::id`]) was owed, or the server has closed, or
    /// its time to drain was over. Also a client that ends only its own direction counts as gone. Answering is harmless
    /// from now on, and so was an answer that another thread has given at this moment, which nobody has got. At most once
    /// for each exchange.
    fn on_cut(&self, exchange: u64) {}

    /// A client asks for a WebSocket at this route: answer as in
    /// [`ServerHandler::on_upgrade`](crate::ServerHandler::on_upgrade), with the same timeout. The server's `origins` were
    /// looked at before. An [`Accept`](crate::Accept) without a handler gets the server's. Such connections don't
    /// hear [`Server::broadcast`](crate::Server::broadcast).
    fn on_upgrade(&self, request: &UpgradeRequest<'_>);

    /// The server is closed and the last of its connections has ended; before `ServerHandler::on_server_closed`. Once for
    /// each server that has the route.
    fn on_server_closed(&self) {}
}

/// One for whom the same kind of request comes again and again. Called as a [`Route`] is.
pub trait Regular: Send + Sync {
    /// Whether this one can be taken so. If not, the route gets it in the usual form.
    fn takes(&self, request: &UsualRequest<'_>) -> bool;

    /// Such a request, and the answer that is owed.
    fn on_usual(&self, request: UsualRequest<'_>, exchange: Exchange);
}

/// A request with all of its body, and the answer that is owed.
#[derive(Debug)]
pub struct HttpRequest {
    /// Method, target and headers.
    pub head: Request,
    /// The body, without the chunked coding; empty if there was none.
    pub body: Vec<u8>,
    /// The client's address; `None` on a Unix socket.
    pub remote: Option<SocketAddr>,
    /// Whether it came over TLS.
    pub secure: bool,
    /// To be answered.
    pub exchange: Exchange,
}

/// An answer to an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// 200 to 999.
    pub status: u16,
    /// All header fields but Content-Length and Transfer-Encoding, which are written by the library, and Connection, which
    /// it writes too: a given one with `close` has the connection closed after the answer.
    pub headers: Vec<(String, String)>,
    /// The body. To HEAD only its length is said; statuses 204 and 304 have none (RFC 9110 §6.4.1). A long one is handed
    /// to the system as it lies here, without a copy.
    pub body: Vec<u8>,
}

impl From<Refusal> for HttpAnswer {
    fn from(refusal: Refusal) -> HttpAnswer {
        let Refusal {
            status,
            headers,
            body,
        } = refusal;
        HttpAnswer {
            status,
            headers,
            body,
        }
    }
}

impl HttpAnswer {
    /// An answer with this status, no headers and no body.
    pub fn new(status: u16) -> HttpAnswer {
        HttpAnswer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

/// The answer that is owed to a client; whoever has this gives it, once, on any thread. Dropped unanswered, it answers
/// an empty 500.
#[must_use = "a client waits for the answer; dropping this answers 500"]
pub struct Exchange {
    id: u64,
    owed_to: Option<Client>,
    /// What the request has come with, for [`Exchange::pass_kept`].
    head: Option<Arc<Request>>,
}

/// Those that have become numbers.
static OWED: LazyLock<Mutex<HashMap<u64, Exchange>>> = LazyLock::new(Mutex::default);

enum Client {
    Ours(Id),
    Foreign(Box<dyn FnOnce(HttpAnswer) + Send>),
}

impl Exchange {
    /// A number that no other exchange of the process has or had; below 2^53, never 0.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Answers. On the thread that turns the connection's loop this acts at once, on others it is queued; either way
    /// nothing calls back, and it is ignored if the client has gone. An answer that can't be written (a status below 200,
    /// a header with a line end, a length given by hand) is logged, and the client gets 500.
    pub fn respond(mut self, answer: HttpAnswer) {
        self.settle(answer);
    }

    /// Answers with a head that others get too.
    pub(crate) fn respond_shared(mut self, head: &Arc<SharedHead>, body: Cow<'_, [u8]>) {
        match self.owed_to.take() {
            Some(Client::Ours(connection)) => event_loop::answer_shared(connection, self.id, head, body),
            Some(Client::Foreign(give)) => give(head.with(body.into_owned())),
            None => {}
        }
    }

    /// Leaves the request to the server, which answers as if it had no routes: with its metrics, a file, or a refusal. `head`
    /// is what the request has come with; its body is over. Any thread, as for [`Exchange::respond`]. A request that
    /// another HTTP server has read gets status 404.
    pub fn pass(mut self, head: Request) {
        match self.owed_to.take() {
            Some(Client::Ours(connection)) => event_loop::pass(connection, self.id, head),
            Some(Client::Foreign(give)) => give(HttpAnswer::new(404)),
            None => {}
        }
    }

    /// Keeps what the request has come with, for hosts that turn the exchange into a number and pass it on by that.
    pub fn keep(&mut self, head: Arc<Request>) {
        self.head = Some(head);
    }

    /// [`Exchange::pass`], with what was given to [`Exchange::keep`]; without that, it answers 404.
    pub fn pass_kept(mut self) {
        match self.head.take() {
            Some(head) => self.pass(Arc::unwrap_or_clone(head)),
            None => self.respond(HttpAnswer::new(404)),
        }
    }

    /// The answer to a request that another HTTP server has read: `answer` is called with it once, on the thread that
    /// responds, also if this is dropped unanswered.
    pub fn foreign(answer: Box<dyn FnOnce(HttpAnswer) + Send>) -> Exchange {
        Exchange::new(Client::Foreign(answer))
    }

    /// The client has gone that waits for the answer to a request which another HTTP server has read and
    /// [`Server::handle_request`](crate::Server::handle_request) has taken, or for its WebSocket. The answer is not given any
    /// more: what was to be called with it is dropped. Any thread.
    ///
    /// # Errors
    /// [`ErrorCode::AlreadyAnswered`] if it was answered, or has got its WebSocket, or there was no such exchange.
    pub fn cut(id: u64) -> Result<()> {
        event_loop::cut(id)
    }

    /// Hands over the connection of a client that has got the 101 with which such a request was answered. `rest` is what was read
    /// from it behind the request. From here on nobody else may read from the socket or write to it. It is closed at its end; who
    /// can't give theirs away passes a duplicate, and closes theirs without shutting the connection down. Any thread.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`] if the WebSocket has gone meanwhile; [`ErrorCode::InvalidArgument`] if the request was not answered
    /// with 101, and for a descriptor that is no connected TCP or Unix stream. The descriptor is closed then.
    pub fn upgraded(id: u64, socket: OwnedSocket, rest: &[u8]) -> Result<()> {
        event_loop::upgraded(id, socket, rest)
    }

    /// Turns it into its number ([`Exchange::id`]), for hosts that have no objects. [`Exchange::from_raw`] takes it back; what is
    /// never taken back is forgotten when its client goes.
    pub fn into_raw(self) -> u64 {
        let id = self.id;
        OWED.lock().insert(id, self);
        id
    }

    /// Takes an exchange back that has become a number.
    ///
    /// # Errors
    /// [`ErrorCode::AlreadyAnswered`] if it was taken before, or its client has gone.
    pub fn from_raw(raw: u64) -> Result<Exchange> {
        let owed = OWED.lock().remove(&raw);
        owed.ok_or_else(|| ErrorCode::AlreadyAnswered.into())
    }

    /// The client has gone: nobody answers by the number any more.
    pub(crate) fn forget(id: u64) {
        // Dropped without the lock: dropping answers, which nobody hears.
        let owed = OWED.lock().remove(&id);
        if let Some(mut owed) = owed {
            owed.owed_to = None;
        }
    }

    /// One that has another's number, and whose answer goes to that.
    pub(crate) fn standing_for(id: u64, give: Box<dyn FnOnce(HttpAnswer) + Send>) -> Exchange {
        Exchange {
            id,
            owed_to: Some(Client::Foreign(give)),
            head: None,
        }
    }

    /// The client has gone, and nobody is told of an answer.
    pub(crate) fn abandon(mut self) {
        self.owed_to = None;
    }

    pub(crate) fn ours(connection: Id) -> Exchange {
        Exchange::new(Client::Ours(connection))
    }

    fn new(client: Client) -> Exchange {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Exchange {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            owed_to: Some(client),
            head: None,
        }
    }

    fn settle(&mut self, answer: HttpAnswer) {
        match self.owed_to.take() {
            Some(Client::Ours(connection)) => event_loop::answer(connection, self.id, answer),
            Some(Client::Foreign(give)) => event_loop::give(self.id, move || give(answer)),
            None => {}
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.owed_to.is_some() {
            // Mostly the client has gone; where it has not, it is told.
            log::debug!("a request was dropped unanswered; if its client is still there, it gets status 500");
            self.settle(HttpAnswer::new(500));
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("id", &self.id).finish()
    }
}
