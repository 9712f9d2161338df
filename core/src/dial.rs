//! Connections that the application makes whenever the engine needs one.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

use crate::error::{Error, ErrorCode, Result};
use crate::given::GivenSocket;

type DialFunction = dyn Fn(Dialing) + Send + Sync;
type Answer = Box<dyn FnOnce(Result<Dialed>) + Send>;

/// A connection that was made.
pub(crate) struct Dialed {
    pub(crate) socket: GivenSocket,
    /// Whoever made it does TLS, too.
    pub(crate) is_secured: bool,
}

/// Makes connections in place of the engine ([`ClientOptions::dial`](crate::ClientOptions::dial)). It is called on the loop's
/// thread each time that one is needed, perhaps before the call that needs it has returned, and has to return at once.
#[derive(Clone)]
pub struct Dial(Arc<DialFunction>);

impl Dial {
    /// From a function that answers, or has somebody answer.
    pub fn new(function: impl Fn(Dialing) + Send + Sync + 'static) -> Dial {
        Dial(Arc::new(function))
    }

    pub(crate) fn call(&self, dialing: Dialing) {
        (self.0)(dialing);
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dial")
    }
}

/// A connection that is wanted. Answer once, now or later, on any thread; dropped, it could not be made. While nobody answers, the
/// handshake timeout runs.
#[must_use = "dropping this says that there is no connection"]
pub struct Dialing {
    host: String,
    port: u16,
    is_secure: bool,
    answer: Option<Answer>,
}

/// Those that have become numbers.
static NUMBERED: LazyLock<Mutex<HashMap<u64, Dialing>>> = LazyLock::new(Mutex::default);

impl Dialing {
    pub(crate) fn new(
        (host, port): (&str, u16),
        is_secure: bool,
        answer: impl FnOnce(Result<Dialed>) + Send + 'static,
    ) -> Dialing {
        Dialing {
            host: host.to_owned(),
            port,
            is_secure,
            answer: Some(Box::new(answer)),
        }
    }

    /// The host, without an IPv6 address's brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the URL asks for TLS.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Here it is: a connected TCP or Unix stream, on which the engine begins TLS if the URL asks for that.
    pub fn connected(mut self, socket: GivenSocket) {
        self.settle(Ok(Dialed {
            socket,
            is_secured: false,
        }));
    }

    /// Here it is, and TLS is somebody else's: what goes over it here is plain, also if the URL asks for TLS.
    pub fn secured(mut self, socket: GivenSocket) {
        self.settle(Ok(Dialed {
            socket,
            is_secured: true,
        }));
    }

    /// There is none, and why.
    pub fn failed(mut self, why: &str) {
        self.settle(Err(Error::new(ErrorCode::ConnectFailed, why.to_owned())));
    }

    fn settle(&mut self, found: Result<Dialed>) {
        if let Some(answer) = self.answer.take() {
            answer(found);
        }
    }

    /// Turns it into a number below 2^53, never 0, for hosts that have no objects. It has to be answered, else it is kept for ever.
    pub fn into_raw(self) -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        NUMBERED.lock().insert(number, self);
        number
    }

    /// Takes back what has become this number.
    ///
    /// # Errors
    /// [`ErrorCode::AlreadyAnswered`] if it was taken before, or never was.
    pub fn from_raw(raw: u64) -> Result<Dialing> {
        let found = NUMBERED.lock().remove(&raw);
        found.ok_or_else(|| ErrorCode::AlreadyAnswered.into())
    }
}

impl Drop for Dialing {
    fn drop(&mut self) {
        let why = "who was to make the connection has not done so";
        self.settle(Err(Error::new(ErrorCode::ConnectFailed, why.to_owned())));
    }
}

impl fmt::Debug for Dialing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialing")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
