//! Which request goes over which connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use ::http::Method;
use parking_lot::Mutex;

use super::wire::{Ended, Wire};
use super::{Answer, Call, HttpClientOptions};
use crate::cookies::Jar;
use crate::destination::{self, Destination};
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::{self, Asking, ConnectPlan, Home, Purpose, Reply};
use crate::http::{ACCEPT_ENCODING, Framing, decode_content, encode_request};
use crate::settings::millis;
use crate::ws::url::Url;

type Done = Box<dyn FnOnce(Result<Answer>) + Send>;

/// A request that is not answered yet.
pub(super) struct Job {
    pub(super) number: u64,
    call: Call,
    done: Done,
    was_repeated: bool,
}

pub(super) struct Pool {
    pub(super) url: Url,
    home: Home,
    options: HttpClientOptions,
    connection: Arc<crate::client::ClientOptions>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    wires: Vec<Arc<Wire>>,
    waiting: VecDeque<Job>,
    jar: Jar,
    closed: bool,
}

/// What a request has to wait for.
enum Way {
    Over(Arc<Wire>, Job),
    NewWire(Arc<Wire>, Job),
    Wait,
}

impl Job {
    pub(super) fn new(call: Call, done: Done) -> Job {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Job {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            call,
            done,
            was_repeated: false,
        }
    }

    pub(super) fn method(&self) -> &Method {
        &self.call.method
    }

    pub(super) fn done(self, result: Result<Answer>) {
        (self.done)(result);
    }
}

impl Pool {
    pub(super) fn new(home: Home, url: Url, options: HttpClientOptions) -> Result<Arc<Pool>> {
        let connection = crate::client::ClientOptions {
            reconnect: None,
            ..options.connection.clone()
        };
        // What is wrong with these is said now.
        Destination::for_requests(url.clone(), &connection)?;
        destination::fields(&url, &connection, &Jar::default())?;
        Ok(Arc::new(Pool {
            url,
            home,
            options,
            connection: Arc::new(connection),
            state: Mutex::default(),
        }))
    }

    /// Whether the request can be written.
    pub(super) fn check(&self, call: &Call) -> Result<()> {
        self.write(call, &Jar::default()).map(drop)
    }

    fn write(&self, call: &Call, jar: &Jar) -> Result<Vec<u8>> {
        let url = self.url_of(&call.target);
        let mut fields = vec![
            ("Host".to_owned(), self.url.authority.clone()),
            ("Accept-Encoding".to_owned(), ACCEPT_ENCODING.to_owned()),
        ];
        let given = destination::fields(&url, &self.connection, jar)?;
        fields.extend(call.headers.iter().cloned());
        let is_new = |fields: &[(String, String)], name: &str| {
            !fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
        };
        for (name, value) in given {
            // A Host of the application's stands in place of the URL's, as in an opening handshake.
            if name.eq_ignore_ascii_case("host") {
                fields.retain(|(other, _)| !other.eq_ignore_ascii_case("host"));
            }
            if is_new(&fields, &name) {
                fields.push((name, value));
            }
        }
        let framing = match &call.body {
            Some(body) => Framing::Length(body.len() as u64),
            None => Framing::None,
        };
        let mut bytes = Vec::new();
        encode_request(call.method.as_str(), &call.target, &fields, framing, &mut bytes)
            .map_err(|error| Error::new(ErrorCode::InvalidArgument, error.text))?;
        bytes.extend_from_slice(call.body.as_deref().unwrap_or_default());
        Ok(bytes)
    }

    fn url_of(&self, target: &str) -> Url {
        Url {
            target: target.to_owned(),
            ..self.url.clone()
        }
    }

    pub(super) fn submit(self: &Arc<Self>, job: Job) -> Result<()> {
        let way = {
            let mut state = self.state.lock();
            if state.closed {
                return Err(ErrorCode::Closed.into());
            }
            let idle = state.wires.iter().find(|wire| wire.reserve()).cloned();
            match idle {
                Some(wire) => Way::Over(wire, job),
                None if state.wires.len() < self.options.max_connections => {
                    let wire = Wire::new(self);
                    state.wires.push(wire.clone());
                    Way::NewWire(wire, job)
                }
                None => {
                    state.waiting.push_back(job);
                    Way::Wait
                }
            }
        };
        match way {
            Way::Over(wire, job) => self.send(&wire, job),
            Way::NewWire(wire, job) => {
                wire.take_on(job);
                self.connect(&wire);
            }
            Way::Wait => {}
        }
        Ok(())
    }

    fn connect(&self, wire: &Arc<Wire>) {
        let destination = Destination::for_requests(self.url.clone(), &self.connection);
        let connected = destination.and_then(|destination| {
            let plan = ConnectPlan {
                options: self.connection.clone(),
                destination,
                handler: Some(wire.clone()),
                purpose: Purpose::Requests(wire.clone()),
            };
            event_loop::connect_at(self.home, plan)
        });
        match connected {
            Ok(ws) => wire.has_connection(ws),
            Err(error) => wire.end(Some(error)),
        }
    }

    /// Sends a job over a connection that is open and reserved for it.
    pub(super) fn send(&self, wire: &Wire, job: Job) {
        let written = {
            let state = self.state.lock();
            self.write(&job.call, &state.jar)
        };
        let asking = written.map(|bytes| Asking {
            method: job.call.method.clone(),
            bytes,
            timeout: job.call.timeout.or(self.options.timeout).map_or(0, millis),
            max_body: self.options.max_body,
        });
        wire.ask(job, asking);
    }

    /// A whole response, to the request that the wire had.
    pub(super) fn answer(&self, target: &str, reply: Reply) -> Result<Answer> {
        if self.options.keep_cookies {
            let url = self.url_of(target);
            let now = SystemTime::now();
            let mut state = self.state.lock();
            for field in reply.response.headers.get_all("set-cookie") {
                state.jar.take(&url, field.as_bytes(), now);
            }
        }
        let body = decode_content(&reply.response.headers, reply.body, self.options.max_body)
            .map_err(|error| Error::new(ErrorCode::Protocol, error.text))?;
        Ok(Answer {
            head: reply.response,
            body,
        })
    }

    /// A connection has no request any more: gives it one that waits.
    pub(super) fn is_idle(&self, wire: &Wire) {
        let job = {
            let mut state = self.state.lock();
            if state.waiting.is_empty() || !wire.reserve() {
                return;
            }
            state.waiting.pop_front()
        };
        match job {
            Some(job) => self.send(wire, job),
            None => wire.let_go(),
        }
    }

    /// A connection has ended, with the request that it had.
    pub(super) fn ended(self: &Arc<Self>, wire: &Arc<Wire>, ended: Ended) {
        let (closed, waiting) = {
            let mut state = self.state.lock();
            state.wires.retain(|other| !Arc::ptr_eq(other, wire));
            (state.closed, state.waiting.pop_front())
        };
        let Ended {
            job,
            error,
            may_repeat,
        } = ended;
        if let Some(mut job) = job.filter(|_| !closed) {
            // RFC 9110 §9.2.2: only what is idempotent may be sent again without asking.
            let may_repeat = may_repeat && !job.was_repeated && job.method().is_idempotent();
            if may_repeat {
                job.was_repeated = true;
                self.submit_again(job);
            } else {
                job.done(Err(error.unwrap_or_else(|| ErrorCode::Closed.into())));
            }
        }
        if let Some(job) = waiting {
            self.submit_again(job);
        }
    }

    pub(super) fn submit_again(self: &Arc<Self>, job: Job) {
        // An error means that it was closed meanwhile, after which nobody hears anything.
        let _ = self.submit(job);
    }

    pub(super) fn abort(&self, number: u64) {
        let (job, wire) = {
            let mut state = self.state.lock();
            let at = state.waiting.iter().position(|job| job.number == number);
            let job = at.and_then(|at| state.waiting.remove(at));
            let wire = state.wires.iter().find(|wire| wire.has_job(number)).cloned();
            (job, wire)
        };
        drop(job); // unlocked, as what it holds is not ours
        if let Some(wire) = wire {
            wire.cut();
        }
    }

    pub(super) fn cookies(&self, target: &str) -> Vec<(String, String)> {
        let state = self.state.lock();
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        state.jar.of(&self.url_of(target)).map(owned).collect()
    }

    pub(super) fn close(&self) {
        let (wires, waiting) = {
            let mut state = self.state.lock();
            state.closed = true;
            (
                std::mem::take(&mut state.wires),
                std::mem::take(&mut state.waiting),
            )
        };
        drop(waiting);
        wires.iter().for_each(|wire| wire.cut());
    }
}

impl Job {
    pub(super) fn target(&self) -> &str {
        &self.call.target
    }
}
