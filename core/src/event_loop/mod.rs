//! The event loop: the only code that touches sockets, threads and the clock.
//!
//! | room | what happens there |
//! |---|---|
//! | `core` | the loop's state, and one turn of it |
//! | `shared`, `slot`, `slots`, `counters` | what other threads may touch: handles, counters, the command queue |
//! | `command`, `queueing`, `calls` | what is asked of the loop, asking it, and doing it |
//! | `reading`, `messages`, `writing`, `outbox` | the path of a byte |
//! | `batching` | the output of many sockets by one system call |
//! | `parts` | messages sent in parts, and what waits for their end |
//! | `tracking` | messages with a token or a deadline, and what a slow consumer loses |
//! | `conns`, `connection`, `ending` | the table of connections, what one is at, and how it ends |
//! | `progress` | whether a silent peer takes what it is sent |
//! | `pongs` | answers to pings of a peer that doesn't read them |
//! | `memory` | what all loops keep of messages, against one budget |
//! | `connecting`, `resolver`, `returning`, `keeping` | a client's way to an open connection, and back to one |
//! | `requesting` | a client's connections for HTTP requests |
//! | `securing`, `tls_stream` | TLS, in both roles, between the socket and the rest |
//! | `binding`, `listener`, `admission`, `draining` | a server's: listening, accepting, limits, closing |
//! | `adopting`, `elsewhere` | connections that another server has accepted; requests whose answers it sends |
//! | `serving`, `sending`, `files` | HTTP, upgrades, static files |
//! | `exchange`, `usual` | a route's requests with their bodies, and the answers that are owed; a short way for both |
//! | `burst` | waking loops once for much that another thread asks for |
//! | `home`, `waiting` | jobs and timers for objects that belong to a loop |
//! | `site`, `publishing` | what a server's loops share, broadcasts and topics |
//! | `sharing` | one message to connections that are named |
//! | `asking`, `spinning`, `lone` | what the system announces: waiting for it, looking again and again before, or not asking |
//! | `timers`, `stream`, `tcp`, `thread`, `fork` | deadlines and what the system offers |
//! | `sys` | what Unix and Windows call differently, or do not both have |

mod admission;
mod adopting;
mod asking;
mod batching;
mod binding;
#[cfg(feature = "redis")]
mod burst;
mod calls;
mod command;
mod connecting;
mod connection;
mod conns;
mod core;
mod counters;
mod draining;
mod elsewhere;
mod ending;
mod exchange;
mod files;
mod fork;
mod home;
mod keeping;
mod listener;
mod lone;
mod memory;
mod messages;
mod outbox;
mod parts;
mod pongs;
mod progress;
mod publishing;
mod queueing;
mod reading;
mod requesting;
mod resolver;
mod returning;
mod securing;
mod sending;
mod serving;
mod shared;
mod sharing;
mod site;
mod slot;
mod slots;
mod spinning;
mod stream;
pub(crate) mod sys;
mod tcp;
mod thread;
mod timers;
mod tls_stream;
mod tracking;
mod turning;
mod usual;
mod waiting;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use crate::error::{ErrorCode, Result};
use crate::handle::{Id, Kind};
use crate::handler::Handler;
use crate::metrics::{ConnectionMetrics, ServerMetrics};
use crate::server::{Server, ServerOptions};
use crate::websocket::{SendOptions, Sent, WebSocket};
use crate::ws::{MessageType, ReadyState};

pub(crate) use self::adopting::{adopt, adopt_now};
#[cfg(feature = "redis")]
pub(crate) use self::burst::Burst;
pub(crate) use self::command::Call;
pub(crate) use self::connecting::{ConnectPlan, Purpose};
pub(crate) use self::draining::drain;
pub(crate) use self::elsewhere::{cut, give, handle, home_of_server, look_at, upgraded};
pub(crate) use self::exchange::{answer, pass};
#[cfg(feature = "redis")]
pub(crate) use self::fork::{check as check_fork, watch as watch_forks};
pub(crate) use self::home::Resident;
pub use self::home::{Home, Timed};
pub use self::memory::{memory_in_use, set_memory_budget};
pub(crate) use self::parts::send_part;
#[cfg(feature = "redis")]
pub(crate) use self::publishing::publish_from_others;
pub(crate) use self::publishing::{broadcast, publish, send_shared};
pub(crate) use self::requesting::{Asking, HearsReplies, Reply};
pub(crate) use self::securing::info as tls_info;
pub(crate) use self::sharing::{Sharing, send_shared_many};
use self::slot::OutboxLimits;
pub(crate) use self::slot::{Addresses, Info};
pub(crate) use self::thread::spawn;
pub use self::turning::{Loop, LoopOptions, LoopWaker, Turn};
pub(crate) use self::usual::answer_shared;
pub use self::waiting::TimerKey;

use self::command::Command;
use self::messages::Form;
use self::shared::Shared;

/// What the bytes of a handle say, without its loop: a dead handle is closed, not an error.
pub(crate) fn ready_state(id: Id) -> ReadyState {
    Shared::of(id).map_or(ReadyState::Closed, |(_, slot)| slot.ready_state())
}

pub(crate) fn buffered_amount(id: Id) -> u64 {
    let Ok((shared, slot)) = Shared::of(id) else {
        return 0;
    };
    let corked = shared.enter().map_or(0, |core| {
        if core.corked.get() == id.slot() {
            core.cork.try_borrow().map_or(0, |cork| cork.len())
        } else {
            0
        }
    });
    slot.buffered() + corked as u64
}

/// Whether something waits that the system has not taken; what this turn has written so far, and what other threads have
/// just sent, does not count.
pub(crate) fn has_unsent(id: Id) -> bool {
    Shared::of(id).is_ok_and(|(_, slot)| slot.buffered() > slot.queued())
}

/// What other threads have sent and the loop has not taken yet, in bytes; it is a part of what is buffered.
pub(crate) fn queued_amount(id: Id) -> u64 {
    Shared::of(id).map_or(0, |(_, slot)| slot.queued())
}

/// `None` for a handle whose connection has ended, also if it ends while its counters are read.
pub(crate) fn metrics(id: Id) -> Option<ConnectionMetrics> {
    let (shared, slot) = Shared::of(id).ok()?;
    let metrics = ConnectionMetrics {
        buffered: buffered_amount(id),
        ..slot.metrics()
    };
    shared.slots.get(id).map(|_| metrics)
}

pub(crate) fn server_metrics(id: Id) -> Result<ServerMetrics> {
    Ok(Shared::site(id)?.metrics())
}

pub(crate) fn info(id: Id) -> Option<Arc<Info>> {
    Shared::of(id).ok()?.1.info()
}

pub(crate) fn addresses(id: Id) -> Option<Addresses> {
    Some(Shared::of(id).ok()?.1.addresses())
}

pub(crate) fn user_data(id: Id) -> usize {
    let Ok((shared, _)) = Shared::of(id) else { return 0 };
    let now = shared
        .enter()
        .and_then(|core| core.with_conn(id, |conn| conn.user_data));
    now.unwrap_or_default()
}

pub(crate) fn latency(id: Id) -> Option<Duration> {
    Shared::of(id).ok()?.1.latency()
}

/// Sends at once on the loop's thread; queues and wakes from another.
pub(crate) fn send(id: Id, kind: MessageType, payload: &[u8]) -> Result<Sent> {
    let shared = Shared::at(id)?;
    match shared.enter() {
        Some(core) => core.send(id, kind, payload), // which finds out itself whether the handle is alive
        None => queueing::send(shared, id, Form::of(kind), payload, &SendOptions::default()),
    }
}

/// The same with options.
pub(crate) fn send_with(id: Id, kind: MessageType, payload: &[u8], options: &SendOptions) -> Result<Sent> {
    let shared = Shared::at(id)?;
    match shared.enter() {
        Some(core) => core.send_with(id, kind, payload, options),
        None => {
            let form = Form {
                compress: options.compress,
                ..Form::of(kind)
            };
            queueing::send(shared, id, form, payload, options)
        }
    }
}

pub(crate) fn call(id: Id, call: Call) -> Result<()> {
    let (shared, slot) = Shared::of(id)?;
    if slot.ready_state() == ReadyState::Closed && !matches!(call, Call::SetHandler(..)) {
        return Err(ErrorCode::Closed.into());
    }
    if matches!(call, Call::Accept(_) | Call::Refuse(_)) && !slot.take_question() {
        return Err(ErrorCode::AlreadyAnswered.into());
    }
    match shared.enter() {
        Some(core) => core.call(id, call),
        None => {
            shared.push(Command::Call(id, call));
            Ok(())
        }
    }
}

pub(crate) fn connect(on_loop: Option<&Loop>, plan: ConnectPlan) -> Result<WebSocket> {
    connect_on(Loop::shared_or_default(on_loop)?, plan)
}

/// The same on a loop that is known by its home.
pub(crate) fn connect_at(home: Home, plan: ConnectPlan) -> Result<WebSocket> {
    connect_on(home.place()?, plan)
}

fn connect_on(shared: &'static Shared, plan: ConnectPlan) -> Result<WebSocket> {
    let id = shared.slots.allocate(Kind::Connection)?;
    if let Some(slot) = shared.slots.get(id) {
        let reconnect = plan.options.reconnect.as_ref();
        slot.set_kept_limit(reconnect.map_or(0, |reconnect| reconnect.outbox));
        slot.set_info(Arc::new(Info {
            url: plan.destination.url.href.as_str().into(),
            limits: OutboxLimits::of(&plan.options.settings),
            ..Info::default()
        }));
    }
    let websocket = WebSocket::new(id, plan.options.user_data);
    match shared.enter() {
        Some(core) => core.connect(id, plan),
        None => shared.push(Command::Connect(id, Box::new(plan))),
    }
    Ok(websocket)
}

pub(crate) fn listen(
    on_loop: Option<&Loop>,
    options: ServerOptions,
    handler: Option<Arc<dyn Handler>>,
) -> Result<Server> {
    listener::listen(Loop::shared_or_default(on_loop)?, options, handler)
}

pub(crate) fn close_server(id: Id, close: Option<(u16, String)>) -> Result<()> {
    let (shared, _) = Shared::of(id)?;
    match shared.enter() {
        Some(core) => {
            core.close_server(id, close.as_ref().map(|(code, reason)| (*code, reason.as_str())));
        }
        None => shared.push(Command::CloseServer(id, close)),
    }
    Ok(())
}
