//! What other threads ask of a loop.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::adopting::Adopted;
use super::connecting::ConnectPlan;
use super::elsewhere::{Coming, HandedOver};
use super::home::{Job, Timed};
use super::listener::Listening;
use super::messages::Form;
use super::requesting::Asking;
use super::waiting::TimerKey;
use crate::dial::Dialed;
use crate::error::Result;
use crate::handle::Id;
use crate::handler::Handler;
use crate::http::Request;
use crate::route::HttpAnswer;
use crate::server::{Accept, Publication, Refusal};
use crate::shared_head::SharedHead;
use crate::ws::{Millis, SharedMessage};

/// A call on a connection.
pub(crate) enum Call {
    Ping(Box<[u8]>),
    Pong(Box<[u8]>),
    Close(Option<u16>, Box<str>),
    Terminate,
    Pause,
    Resume,
    SetHandler(Arc<dyn Handler>, usize),
    Accept(Box<Accept>),
    Refuse(Box<Refusal>),
    Subscribe(Box<str>),
    Unsubscribe(Box<str>),
    Publish(Box<Publication>),
    /// On a client's connection for HTTP requests.
    Request(Box<Asking>),
}

/// A message, copied.
pub(crate) struct Outgoing {
    pub(crate) form: Form,
    pub(crate) payload: Box<[u8]>,
    pub(crate) token: Option<u64>,
    pub(crate) deadline: Option<Instant>,
}

pub(crate) enum Command {
    Send(Id, Outgoing),
    /// A message that the policy for slow consumers dropped: its token.
    Overflow(Id, Option<u64>),
    Call(Id, Call),
    Connect(Id, Box<ConnectPlan>),
    /// The answer to one of a client's lookups, with its number.
    Resolved(Id, u64, io::Result<Vec<SocketAddr>>),
    /// The connection that one of a client's has asked the application for, with its number.
    Dialed(Id, u64, Result<Dialed>),
    Listen(Id, Box<Listening>),
    /// A message that others get too.
    SendShared(Id, Arc<SharedMessage>),
    /// The same for several connections.
    ShareWith(Box<[Id]>, Arc<SharedMessage>),
    Adopt(Id, Box<Adopted>),
    /// A request that another server has read.
    Handle(Id, Box<Coming>),
    /// The socket of a connection that was promised one.
    HandOver(Id, Box<HandedOver>),
    Broadcast(Id, Arc<SharedMessage>),
    Publish(Id, Arc<Publication>),
    Drain(Id, Millis),
    CloseServer(Id, Option<(u16, String)>),
    /// All loops of a server have closed their listeners and lost their connections.
    WorkerClosed(Id),
    /// The answer to a request: to which exchange of a connection's.
    Answer(Id, u64, Box<HttpAnswer>),
    /// The same, with a head that others get too.
    AnswerShared(Id, u64, Arc<SharedHead>, Vec<u8>),
    /// A request that its route leaves to the server.
    Pass(Id, u64, Box<Request>),
    /// A job, and which life of the loop it is for.
    Run(u32, Job),
    /// A timer, and the key that its thread has got.
    Timed(u32, Millis, TimerKey, Weak<dyn Timed>),
    /// The timer of this object that was set for this time under this key is of no use any more.
    Forget(u32, Millis, TimerKey, Weak<dyn Timed>),
    Stop,
    Shutdown(Duration),
}
