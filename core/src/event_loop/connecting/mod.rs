//! A client's way to an open connection.
//!
//! | file | step |
//! |---|---|
//! | `mod` | what is wished for, name lookup, and when a step takes too long |
//! | `addresses`, `race` | from addresses to a connected socket (RFC 8305) |
//! | `dialing` | from the application's own function to one |
//! | `tunnel` | through a proxy, where there is one |
//! | `shaking` | the opening handshake over it |
//! | `refused` | answers that are no upgrade: redirects and refusals |
//! | `timing` | how long each took |

mod addresses;
mod dialing;
mod race;
mod refused;
mod shaking;
mod timing;
mod tunnel;

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use self::addresses::interleave;
use self::race::{Candidate, Race};
use self::refused::Refused;
use self::timing::Stopwatch;
use super::command::Command;
use super::connection::{Conn, Flag, NEVER, NO_SERVER, Profile, Stage};
use super::core::LoopCore;
use super::requesting::HearsReplies;
use super::resolver::{self, Pending};
use super::returning::Returning;
use super::stream::Stream;
use crate::client::ClientOptions;
use crate::destination::Destination;
use crate::error::{Error, ErrorCode};
use crate::given::GivenSocket;
use crate::handle::Id;
use crate::handler::Handler;
use crate::proxy::Tunnel;
use crate::settings::millis;
use crate::websocket::SendOutcome;
use crate::ws::Millis;

/// How often a lookup that takes long is looked after.
const NUDGE: Millis = resolver::HANGING.as_millis() as Millis;
/// Where there is no handshake timeout, a lookup is given up all the same: the system's resolver has, by then.
const LOOKUP_TIMEOUT: Millis = 60_000;

/// All that is needed to connect, checked by the caller's thread.
pub(crate) struct ConnectPlan {
    pub(crate) options: Arc<ClientOptions>,
    pub(crate) destination: Destination,
    pub(crate) handler: Option<Arc<dyn Handler>>,
    pub(crate) purpose: Purpose,
}

/// What a connection is for.
pub(crate) enum Purpose {
    WebSocket,
    Requests(Arc<dyn HearsReplies>),
}

pub(crate) struct Connecting {
    options: Arc<ClientOptions>,
    destination: Destination,
    purpose: Purpose,
    /// The URLs that have redirected us.
    hops: Vec<String>,
    /// For all steps together.
    deadline: Millis,
    phase: Phase,
    /// The host's address, where it is looked up here and connected to by a proxy.
    behind_proxy: Option<SocketAddr>,
    /// What the application has connected.
    dialed: Option<GivenSocket>,
    /// TLS with the host is somebody else's.
    is_secured: bool,
    watch: Stopwatch,
    /// The response, as far as it has come.
    head: Vec<u8>,
}

enum Phase {
    Starting,
    Resolving(Resolving),
    /// The application connects. An answer with another number is of no use.
    Dialing(u64),
    Racing(Race),
    /// TLS with the proxy.
    SecuringProxy,
    Tunneling(Tunnel),
    Securing,
    Shaking,
    Refused(Box<Refused>),
}

struct Resolving {
    /// An answer to an earlier lookup is of no use.
    number: u64,
    nudge_at: Millis,
    give_up_at: Millis,
    /// To be dropped when the answer is not wanted any more.
    _pending: Pending,
}

impl Connecting {
    pub(super) fn new(options: Arc<ClientOptions>, destination: Destination, purpose: Purpose) -> Connecting {
        Connecting {
            options,
            destination,
            purpose,
            hops: Vec::new(),
            deadline: NEVER,
            phase: Phase::Starting,
            behind_proxy: None,
            dialed: None,
            is_secured: false,
            watch: Stopwatch::start(),
            head: Vec::new(),
        }
    }

    pub(crate) fn deadline(&self) -> Millis {
        let of_step = match &self.phase {
            Phase::Resolving(resolving) => resolving.nudge_at.min(resolving.give_up_at),
            Phase::Racing(race) => race.deadline(),
            _ => NEVER,
        };
        self.deadline.min(of_step)
    }

    /// Where the next step leads, without the URL's user and password.
    fn authority(&self) -> &str {
        &self.destination.url.authority
    }

    fn timed_out(&mut self) -> Error {
        let doing = match &mut self.phase {
            Phase::Refused(refused) => return refused.error(),
            Phase::Starting | Phase::Resolving(_) => "looking up",
            Phase::Racing(_) | Phase::Dialing(_) => "connecting to",
            Phase::SecuringProxy => "waiting for the proxy's TLS handshake, on the way to",
            Phase::Tunneling(_) => "waiting for the proxy to connect to",
            Phase::Securing => "waiting for the TLS handshake of",
            Phase::Shaking => "waiting for the opening handshake of",
        };
        let limit = self.options.handshake_timeout;
        let by = match self.proxy() {
            Some(proxy) => format!(" (through the proxy {proxy})"),
            None => String::new(),
        };
        let text = format!("{doing} {}{by} took longer than {limit:?}", self.authority());
        Error::new(ErrorCode::HandshakeTimeout, text)
    }

    pub(crate) fn stream_ended(&mut self) -> Error {
        match &mut self.phase {
            Phase::Tunneling(_) => return self.proxy_failed("closed the connection instead of answering"),
            Phase::Refused(refused) => return refused.error(),
            Phase::SecuringProxy => {
                return self.proxy_failed("closed the connection during the TLS handshake");
            }
            Phase::Securing => {
                let text = format!(
                    "{} closed the connection during the TLS handshake",
                    self.authority()
                );
                return Error::new(ErrorCode::Tls, text);
            }
            _ => {}
        }
        let text = format!(
            "{} closed the connection before the opening handshake was done",
            self.authority()
        );
        Error::new(ErrorCode::HandshakeFailed, text)
    }

    /// Reading or writing failed.
    pub(crate) fn transport_failed(&mut self, error: &io::Error) -> Error {
        match &mut self.phase {
            Phase::SecuringProxy | Phase::Tunneling(_) => {
                return self.proxy_failed(&format!("was lost: {error}"));
            }
            Phase::Refused(refused) => return refused.error(),
            _ => {}
        }
        let text = format!("the connection to {} was lost: {error}", self.authority());
        Error::new(ErrorCode::Io, text)
    }

    fn race_lost(&self, race: &Race) -> Error {
        match self.proxy() {
            Some(proxy) => {
                let who = format!("the proxy {proxy} on the way to {}", self.authority());
                race.error(&who, ErrorCode::Proxy)
            }
            None => race.error(self.authority(), ErrorCode::ConnectFailed),
        }
    }

    fn not_resolved(&self, why: &str) -> Error {
        let (code, who) = match (self.proxy(), self.look_up_for_proxy()) {
            (Some(proxy), None) => (ErrorCode::Proxy, format!("the proxy {}", proxy.host)),
            _ => (
                ErrorCode::NameNotResolved,
                self.destination.endpoint().0.to_owned(),
            ),
        };
        Error::new(code, format!("could not look up {who}: {why}"))
    }
}

impl Conn {
    /// Whether the next event says how connecting went.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(&self.stage, Stage::Connecting(connecting) if matches!(connecting.phase, Phase::Racing(_)))
    }

    fn connecting(&mut self) -> Option<&mut Connecting> {
        match &mut self.stage {
            Stage::Connecting(connecting) => Some(connecting),
            _ => None,
        }
    }

    /// The sockets of a race, which nobody needs any more.
    pub(crate) fn take_runners(&mut self) -> Vec<Stream> {
        self.connecting().map(Connecting::end_race).unwrap_or_default()
    }
}

/// The first step towards a host.
enum Step {
    Race(VecDeque<Candidate>),
    LookUp(String, u16),
    Dial,
}

impl LoopCore {
    pub(crate) fn connect(&self, id: Id, plan: ConnectPlan) {
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        let ConnectPlan {
            options,
            destination,
            handler,
            purpose,
        } = plan;
        let profile = Arc::new(Profile::new(&options.settings));
        let user_data = options.user_data;
        let returning = Returning::new(&options, &destination.url);
        let stage = Stage::Connecting(Box::new(Connecting::new(options, destination, purpose)));
        let mut conn = Conn::new(id, slot, NO_SERVER, stage, profile);
        conn.handler = handler;
        conn.user_data = user_data;
        if returning.is_some() {
            conn.rare_mut().returning = returning;
        }
        self.adopt(conn);
        self.start_attempt(id);
    }

    pub(super) fn start_attempt(&self, id: Id) {
        self.read_clock();
        let now = self.now();
        self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            connecting.deadline = match millis(connecting.options.handshake_timeout) {
                0 => NEVER,
                limit => now.saturating_add(limit),
            };
            connecting.watch = Stopwatch::start();
            Some(())
        });
        self.take_step(id);
    }

    fn take_step(&self, id: Id) {
        let step = self.with_conn(id, |conn| Some(conn.connecting()?.next_step()));
        match step.flatten() {
            Some(Step::Race(candidates)) => self.race(id, candidates),
            Some(Step::LookUp(host, port)) => self.look_up(id, host, port),
            Some(Step::Dial) => self.dial(id),
            None => {}
        }
    }

    fn look_up(&self, id: Id, host: String, port: u16) {
        let (shared, now) = (self.shared(), self.now());
        self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            let number = resolver::fresh_number();
            let lookup = connecting.options.lookup.clone();
            let pending = resolver::resolve(host, port, lookup, move |found| {
                shared.push(Command::Resolved(id, number, found))
            });
            connecting.phase = Phase::Resolving(Resolving {
                number,
                nudge_at: now + NUDGE,
                give_up_at: now + LOOKUP_TIMEOUT,
                _pending: pending,
            });
            Some(())
        });
        self.arm(id);
    }

    /// The answer to a lookup.
    pub(crate) fn resolved(&self, id: Id, number: u64, found: io::Result<Vec<SocketAddr>>) {
        let outcome = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            match &connecting.phase {
                Phase::Resolving(resolving) if resolving.number == number => {}
                _ => return None,
            }
            connecting.watch.lap(|timings| &mut timings.dns);
            Some(match found {
                Ok(addresses) if !addresses.is_empty() => Ok(addresses),
                Ok(_) => Err(connecting.not_resolved("the name has no address")),
                Err(error) => Err(connecting.not_resolved(&error.to_string())),
            })
        });
        match outcome.flatten() {
            Some(Ok(addresses)) => self.found(id, addresses),
            Some(Err(error)) => self.lost(id, Some(error), false),
            None => {}
        }
    }

    fn found(&self, id: Id, addresses: Vec<SocketAddr>) {
        let was_host_behind_proxy = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            connecting.look_up_for_proxy()?;
            connecting.behind_proxy = addresses.first().copied();
            Some(())
        });
        if was_host_behind_proxy.flatten().is_some() {
            return self.take_step(id);
        }
        self.race(
            id,
            interleave(addresses).into_iter().map(Candidate::Tcp).collect(),
        );
    }

    /// There is a connection to the host, or to the proxy.
    fn connected(&self, id: Id, stream: Stream) {
        let has_proxy = self.with_conn(id, |conn| {
            conn.slot.set_socket(stream.raw());
            conn.stream = Some(stream);
            let connecting = conn.connecting()?;
            connecting.watch.lap(|timings| &mut timings.tcp);
            Some(connecting.proxy().is_some())
        });
        match has_proxy.flatten() {
            Some(true) => self.secure_or_ask_proxy(id),
            Some(false) => self.secure_or_shake(id),
            None => {}
        }
    }

    /// Takes what has come on the way; returns how much of it was meant for that.
    pub(crate) fn connecting_bytes(&self, id: Id, data: &[u8]) -> usize {
        type Take = fn(&LoopCore, Id, &[u8]) -> usize;
        let take = self.with_conn(id, |conn| match &conn.connecting()?.phase {
            Phase::Tunneling(_) => Some(LoopCore::tunnel_bytes as Take),
            Phase::Shaking => Some(LoopCore::response_bytes as Take),
            Phase::Refused(_) => Some(LoopCore::refused_bytes as Take),
            // They came from a connection that is no more.
            Phase::Starting
            | Phase::Resolving(_)
            | Phase::Dialing(_)
            | Phase::Racing(_)
            | Phase::SecuringProxy
            | Phase::Securing => None,
        });
        take.flatten().map_or(data.len(), |take| take(self, id, data))
    }

    /// Gives up the connection, not the handle: another one follows.
    fn drop_transport(&self, id: Id) {
        self.leave_transport(id);
        self.with_conn(id, |conn| {
            if let Some(connecting) = conn.connecting() {
                connecting.phase = Phase::Starting;
                connecting.head = Vec::new();
                connecting.behind_proxy = None;
                connecting.dialed = None;
                connecting.is_secured = false;
                connecting.watch = Stopwatch::start();
            }
        });
    }

    /// Closes the sockets, and forgets what was to be done with them.
    pub(super) fn leave_transport(&self, id: Id) {
        let left = self.with_conn(id, |conn| {
            conn.slot.clear_socket();
            conn.slot.set_tls(None);
            conn.slot.sub_buffered(conn.outbox.len());
            conn.outbox
                .clear(|token| self.report(id, [token], SendOutcome::Failed));
            conn.flags.set(Flag::Broken, false);
            conn.flags.set(Flag::Blocked, false);
            conn.flags.set(Flag::ReadingOnly, false);
            conn.flags.set(Flag::Unread, false);
            conn.take_stash();
            conn.take_ending();
            (conn.stream.take(), conn.take_runners())
        });
        let Some((stream, runners)) = left else { return };
        runners.into_iter().for_each(|stream| self.close_stream(stream));
        if let Some(mut stream) = stream {
            stream.answer_goodbye();
            self.close_stream(stream);
        }
    }

    /// A deadline has come: that of a step, or of all.
    pub(crate) fn connecting_due(&self, id: Id) {
        enum Due {
            GiveUp(Error),
            Nudge,
            StartNext,
        }
        let now = self.now();
        let due = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            if connecting.deadline <= now {
                return Some(Due::GiveUp(connecting.timed_out()));
            }
            match &mut connecting.phase {
                Phase::Resolving(resolving) if resolving.give_up_at <= now => {
                    let text = "the resolver has not answered within a minute";
                    Some(Due::GiveUp(connecting.not_resolved(text)))
                }
                Phase::Resolving(resolving) if resolving.nudge_at <= now => {
                    resolving.nudge_at = now + NUDGE;
                    Some(Due::Nudge)
                }
                Phase::Racing(race) if race.deadline() <= now => Some(Due::StartNext),
                _ => None,
            }
        });
        match due.flatten() {
            Some(Due::GiveUp(error)) => self.lost(id, Some(error), false),
            Some(Due::Nudge) => resolver::nudge(),
            Some(Due::StartNext) => self.start_next(id),
            None => {}
        }
        self.arm(id);
    }
}

impl Connecting {
    fn next_step(&self) -> Step {
        let url = &self.destination.url;
        if self.options.socket.is_some() {
            return Step::Race([Candidate::Given].into());
        }
        if self.options.dial.is_some() {
            return Step::Dial;
        }
        if let Some(path) = &url.unix_path {
            return Step::Race([Candidate::Unix(path.clone())].into());
        }
        if let Some(step) = self.look_up_for_proxy() {
            return step;
        }
        let (host, port) = match self.proxy() {
            Some(proxy) => (proxy.host.as_str(), proxy.port),
            None => self.destination.endpoint(),
        };
        match host.parse::<IpAddr>() {
            Ok(address) => Step::Race([Candidate::Tcp(SocketAddr::new(address, port))].into()),
            Err(_) => Step::LookUp(host.to_owned(), port),
        }
    }
}
