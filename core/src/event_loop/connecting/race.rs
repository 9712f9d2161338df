//! Happy Eyeballs (RFC 8305 §5): each address gets a head start over the next, and the first that connects wins.
//!
//! All sockets of a race are watched under the connection's one token. An event doesn't say which of them it is about,
//! so all are looked at; they are few.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use mio::Token;

use super::{Connecting, Phase};
use crate::error::{Error, ErrorCode};
use crate::event_loop::adopting::given_stream;
use crate::event_loop::connection::{Conn, NEVER};
use crate::event_loop::core::LoopCore;
use crate::event_loop::stream::Stream;
use crate::event_loop::sys::UnixStream;
use crate::event_loop::tcp;
use crate::handle::Id;
use crate::ws::Millis;

/// The recommended Connection Attempt Delay (RFC 8305 §8).
const HEAD_START: Millis = 250;

/// An address that may do.
#[derive(Debug, Clone)]
pub(super) enum Candidate {
    Tcp(SocketAddr),
    Unix(PathBuf),
    /// The socket that the application has connected.
    Given,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Candidate::Tcp(address) => address.fmt(f),
            Candidate::Unix(path) => path.display().fmt(f),
            Candidate::Given => f.write_str("the socket that was given"),
        }
    }
}

pub(super) struct Race {
    /// Still to be tried, in this order.
    waiting: VecDeque<Candidate>,
    running: Vec<Runner>,
    /// When the next one starts though none before it has failed.
    next_at: Millis,
    /// Why those that were tried did not do.
    failures: Vec<String>,
    last_os_error: Option<i32>,
}

struct Runner {
    candidate: Candidate,
    stream: Stream,
}

/// What has become of a race.
#[derive(Default)]
struct Standing {
    winner: Option<Stream>,
    losers: Vec<Stream>,
}

impl Race {
    pub(super) fn deadline(&self) -> Millis {
        self.next_at
    }

    pub(super) fn error(&self, who: &str, code: ErrorCode) -> Error {
        let text = format!("could not connect to {who}: {}", self.failures.join("; "));
        Error::new(code, text).with_os_error(self.last_os_error)
    }

    fn note(&mut self, candidate: &Candidate, error: &io::Error) {
        self.failures.push(format!("{candidate}: {error}"));
        self.last_os_error = error.raw_os_error().or(self.last_os_error);
    }

    fn look(&mut self) -> Standing {
        let mut standing = Standing::default();
        for runner in std::mem::take(&mut self.running) {
            match runner.outcome() {
                None => self.running.push(runner),
                Some(Ok(())) if standing.winner.is_none() => standing.winner = Some(runner.stream),
                Some(Ok(())) => standing.losers.push(runner.stream),
                Some(Err(error)) => {
                    self.note(&runner.candidate, &error);
                    standing.losers.push(runner.stream);
                }
            }
        }
        if standing.winner.is_some() {
            let running = self.running.drain(..).map(|runner| runner.stream);
            standing.losers.extend(running);
        }
        standing
    }
}

impl Runner {
    /// `None` while it is still connecting.
    fn outcome(&self) -> Option<io::Result<()>> {
        match self.stream.take_error() {
            Ok(None) if self.stream.is_connected() => Some(Ok(())),
            Ok(None) => None,
            Ok(Some(error)) | Err(error) => Some(Err(error)),
        }
    }
}

impl Conn {
    fn race(&mut self) -> Option<&mut Race> {
        match &mut self.connecting()?.phase {
            Phase::Racing(race) => Some(race),
            _ => None,
        }
    }
}

impl Connecting {
    pub(super) fn end_race(&mut self) -> Vec<Stream> {
        match &mut self.phase {
            Phase::Racing(race) => race.running.drain(..).map(|runner| runner.stream).collect(),
            _ => Vec::new(),
        }
    }
}

/// The socket that is connected already: the application's for this attempt, or for all.
fn given(connecting: &mut Connecting) -> io::Result<Stream> {
    let options = &connecting.options;
    let socket = match (connecting.dialed.take(), &options.socket) {
        (Some(socket), _) => socket.into_socket().map_err(in_words)?,
        (None, Some(socket)) => socket.duplicate()?,
        (None, None) => return Err(io::ErrorKind::NotConnected.into()),
    };
    given_stream(socket, &options.settings.tcp).map_err(in_words)
}

fn in_words(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}

impl LoopCore {
    pub(super) fn race(&self, id: Id, candidates: VecDeque<Candidate>) {
        self.with_conn(id, |conn| {
            if let Some(connecting) = conn.connecting() {
                connecting.phase = Phase::Racing(Race {
                    waiting: candidates,
                    running: Vec::new(),
                    next_at: NEVER,
                    failures: Vec::new(),
                    last_os_error: None,
                });
            }
        });
        self.start_next(id);
    }

    /// Lets the next candidate run. Without one, and when nobody runs any more, the race is lost.
    pub(super) fn start_next(&self, id: Id) {
        while let Some(candidate) = self
            .with_conn(id, |conn| conn.race()?.waiting.pop_front())
            .flatten()
        {
            if self.start(id, candidate) {
                break;
            }
        }
        let lost = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            match &connecting.phase {
                Phase::Racing(race) if race.running.is_empty() => Some(connecting.race_lost(race)),
                _ => None,
            }
        });
        match lost.flatten() {
            Some(error) => self.lost(id, Some(error), false),
            None => self.arm(id),
        }
    }

    /// Says whether it runs.
    fn start(&self, id: Id, candidate: Candidate) -> bool {
        let now = self.now();
        let opened = self.open(id, &candidate);
        self.with_conn(id, |conn| {
            let Some(race) = conn.race() else { return false };
            match opened {
                Ok(stream) => {
                    race.next_at = if race.waiting.is_empty() {
                        NEVER
                    } else {
                        now + HEAD_START
                    };
                    race.running.push(Runner { candidate, stream });
                    true
                }
                Err(error) => {
                    race.note(&candidate, &error);
                    false
                }
            }
        }) == Some(true)
    }

    fn open(&self, id: Id, candidate: &Candidate) -> io::Result<Stream> {
        let opened = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            let options = &connecting.options;
            Some(match candidate {
                Candidate::Tcp(address) => {
                    tcp::connect(*address, options.local_address, &options.settings.tcp).map(Stream::Tcp)
                }
                Candidate::Unix(path) => UnixStream::connect(path).map(Stream::Unix),
                Candidate::Given => given(connecting),
            })
        });
        let gone = || Err(io::Error::other("the connection has ended"));
        let mut stream = opened.flatten().unwrap_or_else(gone)?;
        self.with_registry(|registry| stream.register(registry, Token(id.raw() as usize)))?;
        Ok(stream)
    }

    /// One of the sockets has something to say about how connecting went. `announced` says that the same event has
    /// announced something to read, which no other will.
    pub(crate) fn connect_progressed(&self, id: Id, announced: bool) {
        let standing = self.with_conn(id, |conn| Some(conn.race()?.look())).flatten();
        let Some(Standing { winner, losers }) = standing else {
            return;
        };
        let failed = !losers.is_empty();
        losers.into_iter().for_each(|stream| self.close_stream(stream));
        match winner {
            Some(stream) => {
                self.connected(id, stream);
                if announced {
                    self.unread.borrow_mut().push(id);
                }
            }
            None if failed => self.start_next(id),
            None => {}
        }
    }

    /// Closes a socket that is of no more use. Closing takes a descriptor out of the poll by itself, unless the host has
    /// duplicated it: be explicit.
    pub(crate) fn close_stream(&self, mut stream: Stream) {
        let _ = self.with_registry(|registry| stream.deregister(registry));
    }
}
