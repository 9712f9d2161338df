//! Options as the Python side hands them over, already checked there for what Python programs get wrong.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use crate::asking;
use crate::hub::Hub;
use crate::tls::ClientTls;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sockline::{
    ClientOptions, Compression, GivenSocket, Proxy, Reconnect, Settings, SlowConsumer, TcpOptions,
};

/// `sockline._options.Limits`. Seconds, where `None` means no timeout; bytes, where `None` means no limit.
#[derive(FromPyObject)]
pub(crate) struct Limits {
    max_size: Option<usize>,
    ping_interval: Option<f64>,
    ping_timeout: Option<f64>,
    close_timeout: Option<f64>,
    high_water_mark: usize,
    hard_limit: Option<usize>,
    slow_consumer: String,
    message_parts: bool,
    tcp: Option<Tcp>,
    compression: Option<Deflate>,
}

/// `sockline.options.Compression`
#[derive(FromPyObject)]
struct Deflate {
    threshold: usize,
    level: u32,
    memory_level: u32,
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: u8,
    client_max_window_bits: u8,
}

/// `sockline.options.TcpOptions`
#[derive(FromPyObject)]
struct Tcp {
    no_delay: bool,
    keep_alive: Option<f64>,
    user_timeout: Option<f64>,
    send_buffer: usize,
    receive_buffer: usize,
}

/// `sockline._options.Opening`.
#[derive(FromPyObject)]
pub(crate) struct Opening {
    subprotocols: Vec<String>,
    headers: Vec<(String, String)>,
    open_timeout: Option<f64>,
    local_address: Option<(String, u16)>,
    connect_to: Option<(String, u16)>,
    socket: Option<RawFd>,
    proxy: ProxyChoice,
    tls: Option<Py<ClientTls>>,
    proxy_tls: Option<Py<ClientTls>>,
    cookies: Vec<(String, String)>,
    max_redirects: u32,
    reconnect: Option<ComeBack>,
    keep_request: bool,
    asking: Option<Py<PyAny>>,
    limits: Limits,
}

impl Opening {
    /// `hub`: where the application hears what it is asked.
    pub(crate) fn options(self, py: Python<'_>, hub: &Arc<Hub>) -> PyResult<ClientOptions> {
        // First, so that it is closed also where something else is wrong.
        let socket = self.socket.map(|socket| given_one(&socket)).transpose()?;
        let mut options = ClientOptions {
            handshake_timeout: duration("open_timeout", self.open_timeout)?,
            local_address: self.local_address.map(local_address).transpose()?,
            proxy: self.proxy.proxy(),
            tls: self.tls.map(|tls| tls.get().0.clone()),
            proxy_tls: self.proxy_tls.map(|tls| tls.get().0.clone()),
            connect_to: self.connect_to,
            socket,
            cookies: self.cookies,
            max_redirects: self.max_redirects,
            reconnect: self.reconnect.map(ComeBack::reconnect).transpose()?,
            settings: self.limits.settings()?,
            subprotocols: self.subprotocols,
            headers: self.headers,
            keep_request: self.keep_request,
            ..ClientOptions::default()
        };
        if let Some(asking) = &self.asking {
            asking::ask(&mut options, asking.bind(py), hub)?;
        }
        Ok(options)
    }
}

impl Limits {
    pub(crate) fn settings(&self) -> PyResult<Settings> {
        Ok(Settings {
            max_message: self.max_size.unwrap_or(usize::MAX),
            max_fragments: 0,
            answer_pings: true,
            ping_interval: duration("ping_interval", self.ping_interval)?,
            ping_timeout: duration("ping_timeout", self.ping_timeout)?,
            close_timeout: duration("close_timeout", self.close_timeout)?,
            high_water_mark: self.high_water_mark,
            hard_limit: self.hard_limit.unwrap_or(0),
            message_parts: self.message_parts,
            slow_consumer: slow_consumer(&self.slow_consumer)?,
            tcp: self
                .tcp
                .as_ref()
                .map_or_else(|| Ok(TcpOptions::default()), Tcp::options)?,
            compression: self.compression.as_ref().map(Deflate::compression),
        })
    }
}

/// `sockline.options.Reconnect`
#[derive(FromPyObject)]
struct ComeBack {
    base_delay: f64,
    factor: f64,
    max_delay: f64,
    stable_after: f64,
    max_attempts: Option<u32>,
    no_retry: Vec<u16>,
    outbox: usize,
}

impl ComeBack {
    fn reconnect(self) -> PyResult<Reconnect> {
        Ok(Reconnect {
            base_delay: wait("base_delay", self.base_delay)?,
            factor: self.factor,
            max_delay: wait("max_delay", self.max_delay)?,
            stable_after: wait("stable_after", self.stable_after)?,
            max_attempts: self.max_attempts,
            no_retry: self.no_retry,
            outbox: self.outbox,
        })
    }
}

fn slow_consumer(name: &str) -> PyResult<SlowConsumer> {
    match name {
        "error" => Ok(SlowConsumer::Error),
        "drop_newest" => Ok(SlowConsumer::DropNewest),
        "drop_oldest" => Ok(SlowConsumer::DropOldest),
        "close" => Ok(SlowConsumer::Close),
        _ => Err(PyValueError::new_err(format!(
            "slow_consumer must be \"error\", \"drop_newest\", \"drop_oldest\" or \"close\", not {name:?}"
        ))),
    }
}

/// Descriptors that the Python side has duplicated for this.
pub(crate) fn given(descriptors: &[RawFd]) -> PyResult<Vec<GivenSocket>> {
    descriptors.iter().map(given_one).collect()
}

/// The same of one.
pub(crate) fn given_one(descriptor: &RawFd) -> PyResult<GivenSocket> {
    // SAFETY: nobody else knows the duplicate.
    unsafe { GivenSocket::take(*descriptor) }.map_err(PyErr::from)
}

/// `None` becomes zero, the core's word for "no limit".
///
/// # Errors
/// `ValueError` for zero, which would silently mean the opposite of what it says.
pub(crate) fn limit<T: Default + PartialEq>(name: &str, limit: Option<T>) -> PyResult<T> {
    match limit {
        Some(zero) if zero == T::default() => Err(PyValueError::new_err(format!(
            "{name} must be None or at least 1, not 0"
        ))),
        Some(limit) => Ok(limit),
        None => Ok(T::default()),
    }
}

/// A time that may be zero.
pub(crate) fn wait(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("{name} must be 0 or more seconds, not {seconds}")))
}

impl Deflate {
    fn compression(&self) -> Compression {
        Compression {
            threshold: self.threshold,
            level: self.level,
            memory_level: self.memory_level,
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits: self.client_max_window_bits,
        }
    }
}

/// `True` is what the environment says.
#[derive(FromPyObject)]
enum ProxyChoice {
    Flag(bool),
    Url(String),
}

impl ProxyChoice {
    fn proxy(self) -> Proxy {
        match self {
            ProxyChoice::Flag(true) => Proxy::Environment,
            ProxyChoice::Flag(false) => Proxy::None,
            ProxyChoice::Url(url) => Proxy::Url(url),
        }
    }
}

impl Tcp {
    fn options(&self) -> PyResult<TcpOptions> {
        let optional = |name: &str, seconds: Option<f64>| match seconds {
            Some(_) => duration(name, seconds).map(Some),
            None => Ok(None),
        };
        Ok(TcpOptions {
            no_delay: self.no_delay,
            keep_alive: optional("keep_alive", self.keep_alive)?,
            user_timeout: optional("user_timeout", self.user_timeout)?,
            send_buffer: self.send_buffer,
            receive_buffer: self.receive_buffer,
        })
    }
}

/// Names are not looked up: that could take a while, and this is called from the host's loop.
fn local_address((host, port): (String, u16)) -> PyResult<SocketAddr> {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    address
        .map(|address| SocketAddr::new(address, port))
        .map_err(|_| {
            PyValueError::new_err(format!("the local address must have an IP address, not {host:?}"))
        })
}

/// `None` becomes zero, the core's word for "no timeout".
///
/// # Errors
/// `ValueError` for what is no positive number of seconds: zero would silently mean the opposite of what it says.
pub(crate) fn duration(name: &str, seconds: Option<f64>) -> PyResult<Duration> {
    let Some(seconds) = seconds else {
        return Ok(Duration::ZERO);
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ if seconds == f64::INFINITY => Ok(Duration::ZERO),
        _ => Err(PyValueError::new_err(format!(
            "{name} must be None or more than 0 seconds, not {seconds}"
        ))),
    }
}
