//! A cluster over Redis: its options, what it tells, and processes without a server.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyWeakrefMethods, PyWeakrefReference};
use sockline::adapter::AdapterError;
use sockline::adapter::redis::{
    Emitter, EmitterOperator, Redis, RedisEvents, RedisMode, RedisOptions, RedisTls, SubscriptionMode,
};

use super::server::{IoServer, refuse};
use super::values::{inner_text, slices};
use super::whom::Names;
use crate::driver::Driver;
use crate::errors::raise;
use crate::hub::Hub;
use crate::message;
use crate::options::wait;

/// `sockline.socketio._redis_options.Cluster`
#[derive(FromPyObject)]
pub(crate) struct Cluster {
    url: String,
    mode: String,
    key: String,
    channel: String,
    requests_timeout: f64,
    publish_on_specific_response_channel: bool,
    subscription_mode: String,
    stream_name: String,
    stream_count: usize,
    max_len: usize,
    read_count: usize,
    session_key_prefix: String,
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    insecure: bool,
    command_timeout: f64,
    ping_interval: f64,
    max_queued: usize,
    sentinel_user: Option<String>,
    sentinel_password: Option<String>,
    sentinel_tls: bool,
}

impl Cluster {
    fn options(self) -> PyResult<RedisOptions> {
        Ok(RedisOptions {
            mode: mode(&self.mode)?,
            requests_timeout: millis("requests_timeout", self.requests_timeout)?,
            subscription_mode: subscription_mode(&self.subscription_mode)?,
            command_timeout: millis("command_timeout", self.command_timeout)?,
            ping_interval: millis("ping_interval", self.ping_interval)?,
            url: self.url,
            key: self.key,
            channel: self.channel,
            publish_on_specific_response_channel: self.publish_on_specific_response_channel,
            stream_name: self.stream_name,
            stream_count: self.stream_count,
            max_len: self.max_len,
            read_count: self.read_count,
            session_key_prefix: self.session_key_prefix,
            tls: RedisTls {
                ca_file: self.ca_file,
                certificate_file: self.certificate_file,
                key_file: self.key_file,
                insecure: self.insecure,
            },
            max_queued: self.max_queued,
            sentinel_user: self.sentinel_user,
            sentinel_password: self.sentinel_password,
            sentinel_tls: self.sentinel_tls,
        })
    }

    /// Begins to connect. `manager`, of which no more than a weak reference is kept, hears how that goes.
    pub(crate) fn connect(
        self,
        py: Python<'_>,
        hub: &Arc<Hub>,
        manager: &Bound<'_, PyAny>,
    ) -> PyResult<Redis> {
        let told = Told {
            hub: hub.clone(),
            manager: Arc::new(PyWeakrefReference::new(manager)?.unbind()),
        };
        Redis::new(self.options()?, Some(Arc::new(told))).map_err(|error| refuse(py, &error))
    }
}

fn millis(name: &str, seconds: f64) -> PyResult<u64> {
    let millis = wait(name, seconds)?.as_millis();
    Ok(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// The mode that a manager's `format` of this name stands for.
const PYTHON_SOCKETIO: &str = "python-socketio";

fn mode(name: &str) -> PyResult<RedisMode> {
    match name {
        "classic" => Ok(RedisMode::Classic),
        "sharded" => Ok(RedisMode::Sharded),
        "streams" => Ok(RedisMode::Streams),
        PYTHON_SOCKETIO => Ok(RedisMode::PythonSocketio),
        _ => Err(PyValueError::new_err(format!(
            "mode must be 'classic', 'sharded' or 'streams', not {name:?}"
        ))),
    }
}

fn subscription_mode(name: &str) -> PyResult<SubscriptionMode> {
    match name {
        "static" => Ok(SubscriptionMode::Static),
        "dynamic" => Ok(SubscriptionMode::Dynamic),
        "dynamic-private" => Ok(SubscriptionMode::DynamicPrivate),
        _ => Err(PyValueError::new_err(format!(
            "subscription_mode must be 'dynamic', 'static' or 'dynamic-private', not {name:?}"
        ))),
    }
}

/// Redis' way to its manager, on the driver's thread.
struct Told {
    hub: Arc<Hub>,
    manager: Arc<Py<PyWeakrefReference>>,
}

impl Told {
    fn tell(&self, call: impl FnOnce(Python<'_>, &Bound<'_, PyAny>) -> PyResult<()> + Send + 'static) {
        let (hub, manager) = (self.hub.clone(), self.manager.clone());
        self.hub.post(move |py| {
            if let Some(manager) = manager.bind(py).upgrade().filter(|_| !hub.is_over(py))
                && let Err(error) = call(py, &manager)
            {
                hub.report(py, error, None);
            }
        });
    }
}

fn call<'py>(
    target: &Bound<'py, PyAny>,
    method: &Bound<'py, PyString>,
    arguments: impl PyCallArgs<'py>,
) -> PyResult<()> {
    target.getattr(method)?.call1(arguments).map(drop)
}

impl RedisEvents for Told {
    fn on_error(&self, error: &AdapterError) {
        let text = error.to_string();
        self.tell(|py, manager| call(manager, intern!(py, "_redis_failed"), (text,)));
    }

    fn on_connected(&self) {
        self.tell(|py, manager| call(manager, intern!(py, "_redis_connected"), ()));
    }

    fn on_disconnected(&self, why: &AdapterError) {
        let text = why.to_string();
        self.tell(|py, manager| call(manager, intern!(py, "_redis_disconnected"), (text,)));
    }
}

/// How often a wait for Redis looks for signals.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a manager without a server is on.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct IoEmitter {
    hub: Arc<Hub>,
    redis: Redis,
    emitter: Emitter,
}

#[pymethods]
impl IoEmitter {
    #[new]
    fn new(driver: &Bound<'_, Driver>, manager: &Bound<'_, PyAny>, cluster: Cluster) -> PyResult<IoEmitter> {
        let hub = driver.get().hub();
        let redis = cluster.connect(driver.py(), &hub, manager)?;
        let emitter = redis.emitter();
        Ok(IoEmitter { hub, redis, emitter })
    }

    /// Whether this driver turns it, and still does.
    fn belongs_to(&self, driver: &Bound<'_, Driver>) -> bool {
        Arc::ptr_eq(&self.hub, &driver.get().hub()) && !self.hub.is_over(driver.py())
    }

    /// Sends an event to who is in one of these rooms, or to all, but not to who is in one of the others.
    #[expect(
        clippy::too_many_arguments,
        reason = "Python's, in place of an object that lives for one call"
    )]
    fn emit(
        &self,
        py: Python<'_>,
        namespace: &str,
        to: Option<Names>,
        skip: Option<Names>,
        event: &str,
        array: &[u8],
        attachments: Vec<Bound<'_, PyBytes>>,
    ) -> PyResult<()> {
        let (args, attachments) = (inner_text(array)?, slices(&attachments));
        let mut whom = self.emitter.of(namespace).all();
        if let Some(to) = &to {
            whom = whom.to_all(&to.all());
        }
        if let Some(skip) = &skip {
            whom = whom.except_all(&skip.all());
        }
        whom.emit(event, args, &attachments)
            .map_err(|error| refuse(py, &error))
    }

    fn join(&self, namespace: &str, of: &str, room: &str) {
        self.those_in(namespace, of).sockets_join(&[room]);
    }

    fn leave(&self, namespace: &str, of: &str, room: &str) {
        self.those_in(namespace, of).sockets_leave(&[room]);
    }

    fn disconnect(&self, namespace: &str, of: &str) {
        self.those_in(namespace, of).disconnect_sockets(false);
    }

    fn server_side_emit(
        &self,
        py: Python<'_>,
        namespace: &str,
        event: &str,
        array: &[u8],
        attachments: Vec<Bound<'_, PyBytes>>,
    ) -> PyResult<()> {
        let (args, attachments) = (inner_text(array)?, slices(&attachments));
        let emitter = self.emitter.of(namespace);
        emitter
            .server_side_emit(event, args, &attachments)
            .map_err(|error| refuse(py, &error))
    }

    /// Sends a message to the subscribers of a topic.
    #[pyo3(signature = (topic, message, text=None))]
    fn publish(
        &self,
        py: Python<'_>,
        topic: &str,
        message: &Bound<'_, PyAny>,
        text: Option<bool>,
    ) -> PyResult<()> {
        publish(py, &self.emitter, topic, message, text)
    }

    /// Calls back in the driver's turn when all of this has arrived at Redis: with `None`, or with why it has not.
    fn flush(&self, callback: Py<PyAny>) {
        let hub = self.hub.clone();
        self.redis.flush(Box::new(move |arrived| {
            let hub_then = hub.clone();
            hub.post(move |py| {
                if let Err(error) = callback.call1(py, (why_not(arrived),)) {
                    hub_then.report(py, error, None);
                }
            });
        }));
    }

    /// Waits until all of this has arrived at Redis; says why it has not.
    fn flush_and_wait(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let (sender, receiver) = channel();
        self.redis.flush(Box::new(move |arrived| {
            let _ = sender.send(why_not(arrived)); // unless a signal has ended the wait
        }));
        let mut receiver = receiver;
        loop {
            let heard;
            (receiver, heard) = py.detach(move || {
                let heard = receiver.recv_timeout(PATIENCE);
                (receiver, heard)
            });
            match heard {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) => py.check_signals()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(Some("the connection is closed".to_owned()));
                }
            }
        }
    }

    /// What was sent leaves, then the connection ends.
    fn close(&self) {
        self.redis.close();
    }
}

impl IoEmitter {
    fn those_in(&self, namespace: &str, room: &str) -> EmitterOperator {
        self.emitter.of(namespace).to(room)
    }
}

pub(super) fn publish(
    py: Python<'_>,
    emitter: &Emitter,
    topic: &str,
    message: &Bound<'_, PyAny>,
    text: Option<bool>,
) -> PyResult<()> {
    message::with_payload(message, text, |kind, data| emitter.publish(topic, kind, data))?
        .map_err(|error| raise(py, &error))
}

/// What makes a listener one of a cluster: a connection of its own, or that of a Socket.IO server.
#[derive(FromPyObject)]
#[expect(clippy::large_enum_variant, reason = "lives for one call")]
pub(crate) enum Adapter<'py> {
    Lent(Py<IoServer>),
    /// And the manager.
    Own(Cluster, Bound<'py, PyAny>),
}

impl Adapter<'_> {
    pub(crate) fn redis(self, py: Python<'_>, hub: &Arc<Hub>) -> PyResult<Option<Redis>> {
        match self {
            Adapter::Lent(server) => Ok(server.get().redis().cloned()),
            Adapter::Own(cluster, manager) => cluster.connect(py, hub, &manager).map(Some),
        }
    }
}

fn why_not(arrived: Result<(), AdapterError>) -> Option<String> {
    arrived.err().map(|error| error.to_string())
}
