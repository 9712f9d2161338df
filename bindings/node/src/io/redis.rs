//! Connections to Redis: what JavaScript says about them (`lib/io/redis/options.js`), and what they tell on threads of their
//! own, until a turn takes it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use napi_derive::napi;
use sockline::LoopWaker;
use sockline::adapter::AdapterError;
use sockline::adapter::redis::{Redis, RedisEvents, RedisMode, RedisOptions, RedisTls, SubscriptionMode};

use crate::batch::Kind;
use crate::errors::{Result, failure, unsupported};
use crate::host::{Host, HostPointer};

/// How many events wait for JavaScript; what would be more is dropped, but for the last one.
const MAX_EVENTS: usize = 1_000;

/// What isn't there is as the core has it by default.
#[napi(object)]
pub struct IoRedis {
    pub url: String,
    /// 0 for classic, 1 for sharded, 2 for streams, 3 for python-socketio.
    pub mode: u32,
    pub key: Option<String>,
    pub channel: Option<String>,
    pub requests_timeout: Option<f64>,
    pub publish_on_specific_response_channel: Option<bool>,
    /// 0 for dynamic, 1 for static, 2 for dynamic-private.
    pub subscription_mode: Option<u32>,
    pub stream_name: Option<String>,
    pub stream_count: Option<f64>,
    pub max_len: Option<f64>,
    pub read_count: Option<f64>,
    pub session_key_prefix: Option<String>,
    pub ca_file: Option<String>,
    pub certificate_file: Option<String>,
    pub key_file: Option<String>,
    pub insecure: Option<bool>,
    pub command_timeout: Option<f64>,
    pub ping_interval: Option<f64>,
    pub max_queued: Option<f64>,
    pub sentinel_user: Option<String>,
    pub sentinel_password: Option<String>,
    pub sentinel_tls: Option<bool>,
}

impl IoRedis {
    /// Begins to connect; what happens is told under the key, until [`Links::close`].
    pub(crate) fn open(self, host: HostPointer, key: u32) -> Result<Redis> {
        let (on_loop, _) = host.get().start().map_err(|text| unsupported(&text))?;
        let told = Arc::new(Told {
            waker: on_loop.waker(),
            events: Mutex::default(),
        });
        let redis = Redis::new(self.into_core(), Some(told.clone())).map_err(failure)?;
        host.get().io.redis.add(Link {
            key: Cell::new(key),
            redis: redis.clone(),
            told,
            flushing: Cell::new(false),
            again: Cell::new(false),
            is_closing: Cell::new(false),
        });
        Ok(redis)
    }

    fn into_core(self) -> RedisOptions {
        let mut options = RedisOptions::new(self.url);
        options.mode = match self.mode {
            0 => RedisMode::Classic,
            1 => RedisMode::Sharded,
            2 => RedisMode::Streams,
            _ => RedisMode::PythonSocketio,
        };
        options.subscription_mode = match self.subscription_mode {
            None | Some(0) => SubscriptionMode::Dynamic,
            Some(1) => SubscriptionMode::Static,
            Some(_) => SubscriptionMode::DynamicPrivate,
        };
        options.publish_on_specific_response_channel =
            self.publish_on_specific_response_channel == Some(true);
        set(&mut options.key, self.key);
        set(&mut options.channel, self.channel);
        set(&mut options.stream_name, self.stream_name);
        set(&mut options.session_key_prefix, self.session_key_prefix);
        set(
            &mut options.requests_timeout,
            self.requests_timeout.map(|ms| ms as u64),
        );
        set(
            &mut options.command_timeout,
            self.command_timeout.map(|ms| ms as u64),
        );
        set(&mut options.ping_interval, self.ping_interval.map(|ms| ms as u64));
        set(
            &mut options.stream_count,
            self.stream_count.map(|count| count as usize),
        );
        set(&mut options.max_len, self.max_len.map(|count| count as usize));
        set(
            &mut options.read_count,
            self.read_count.map(|count| count as usize),
        );
        set(
            &mut options.max_queued,
            self.max_queued.map(|bytes| bytes as usize),
        );
        options.sentinel_user = self.sentinel_user;
        options.sentinel_password = self.sentinel_password;
        options.sentinel_tls = self.sentinel_tls == Some(true);
        options.tls = RedisTls {
            ca_file: self.ca_file.map(Into::into),
            certificate_file: self.certificate_file.map(Into::into),
            key_file: self.key_file.map(Into::into),
            insecure: self.insecure == Some(true),
        };
        options
    }
}

fn set<T>(option: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *option = given;
    }
}

/// What happens to a connection; `lib/io/redis/events.js` has the same numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
enum Event {
    Error = 0,
    Connected = 1,
    Disconnected = 2,
    Closed = 3,
    /// All that was published has left. Not told.
    Flushed = 4,
}

/// What a connection's thread has to tell.
struct Told {
    waker: LoopWaker,
    events: Mutex<VecDeque<(Event, String)>>,
}

impl Told {
    fn push(&self, event: Event, text: String) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() < MAX_EVENTS || matches!(event, Event::Closed | Event::Flushed) {
            events.push_back((event, text));
        }
        drop(events);
        self.waker.wake();
    }

    fn take(&self) -> VecDeque<(Event, String)> {
        std::mem::take(&mut self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl RedisEvents for Told {
    fn on_error(&self, error: &AdapterError) {
        self.push(Event::Error, error.to_string());
    }

    fn on_connected(&self) {
        self.push(Event::Connected, String::new());
    }

    fn on_disconnected(&self, why: &AdapterError) {
        self.push(Event::Disconnected, why.to_string());
    }

    fn on_closed(&self) {
        self.push(Event::Closed, String::new());
    }
}

/// A connection, as its environment has it.
pub(super) struct Link {
    /// What JavaScript knows its owner by; 0 if that wants to hear no more.
    key: Cell<u32>,
    redis: Redis,
    told: Arc<Told>,
    /// The process stays until what was published has left; more was published since that was asked for.
    flushing: Cell<bool>,
    again: Cell<bool>,
    /// The process stays until it is closed.
    is_closing: Cell<bool>,
}

impl Link {
    /// Something was published by who does nothing else to keep the process alive.
    pub(super) fn keep_until_left(&self, host: &Host) {
        if self.flushing.replace(true) {
            self.again.set(true);
        } else if !self.is_closing.get() {
            host.retain();
            self.flush();
        }
    }

    fn flush(&self) {
        let told = self.told.clone();
        self.redis
            .flush(Box::new(move |_| told.push(Event::Flushed, String::new())));
    }

    fn has_left(&self, host: &Host) {
        if self.again.replace(false) {
            self.flush();
        } else if self.flushing.replace(false) {
            host.release();
        }
    }

    /// Ends it when what was published has left, for which the process stays.
    fn close(&self, host: &Host) {
        if !self.is_closing.replace(true) {
            host.retain();
            self.redis.close();
        }
    }
}

/// All connections of an environment.
#[derive(Default)]
pub(crate) struct Links(RefCell<Vec<Rc<Link>>>);

impl Links {
    fn add(&self, link: Link) {
        self.0.borrow_mut().push(Rc::new(link));
    }

    fn all(&self) -> Vec<Rc<Link>> {
        self.0.borrow().clone()
    }

    /// The connection that is told of under this key, the last one if there are several.
    pub(super) fn find(&self, key: u32) -> Option<Rc<Link>> {
        self.all().into_iter().rfind(|link| link.key.get() == key)
    }

    /// Ends the connection with this key, if there is one. With `tells` its owner hears the last event, otherwise no more.
    pub(crate) fn close(&self, host: &Host, key: u32, tells: bool) {
        let Some(link) = self.find(key) else { return };
        link.close(host);
        if !tells {
            link.key.set(0);
        }
    }

    /// Hands over what all connections have to tell.
    pub(crate) fn collect(&self, host: &Host) {
        if self.0.borrow().is_empty() {
            return;
        }
        for link in self.all() {
            for (event, text) in link.told.take() {
                self.happened(host, &link, event, &text);
            }
        }
    }

    fn happened(&self, host: &Host, link: &Rc<Link>, event: Event, text: &str) {
        if event == Event::Flushed {
            return link.has_left(host);
        }
        let key = link.key.get();
        if key != 0 {
            host.batch.push(key, Kind::IoRedis, event as u16, text.as_bytes());
        }
        if event == Event::Closed {
            self.0.borrow_mut().retain(|one| !Rc::ptr_eq(one, link));
            for held in [&link.flushing, &link.is_closing] {
                if held.replace(false) {
                    host.release();
                }
            }
            link.again.set(false);
        }
    }
}
