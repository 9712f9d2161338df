//! Options as the Python side hands them over.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sockline::engineio::{Cookie, Cors, CorsOrigin, SameSite};
use sockline::io::{
    Auth, ManagerOptions, ParserKind, Reconnection, Recovery, ServerOptions, SocketOptions, Transport,
};

use super::parser::Written;
use crate::hub::Hub;
use crate::options::{Limits, Opening, duration, wait};

/// `sockline.socketio._options.Serving`
#[derive(FromPyObject)]
pub(crate) struct Serving {
    path: String,
    ping_interval: f64,
    ping_timeout: f64,
    upgrade_timeout: f64,
    connect_timeout: f64,
    max_http_buffer_size: u64,
    transports: Vec<String>,
    allow_upgrades: bool,
    allow_eio3: bool,
    origins: Option<Vec<String>>,
    credentials: bool,
    has_cors: bool,
    ask_request: bool,
    cookie: Option<Vec<(String, String)>>,
    http_compression: Option<usize>,
    client_folder: Option<PathBuf>,
    recovery: Option<ComeBack>,
    msgpack: bool,
    packets: Option<Py<PyAny>>,
    max_attachments: usize,
    forward_requests: bool,
    limits: Limits,
}

/// `sockline.socketio.ConnectionStateRecovery`
#[derive(FromPyObject)]
struct ComeBack {
    max_disconnection_duration: f64,
    skip_connect_handler: bool,
    max_bytes: usize,
}

impl Serving {
    pub(crate) fn options(self, hub: &Arc<Hub>) -> PyResult<ServerOptions> {
        Ok(ServerOptions {
            ping_interval: span("ping_interval", self.ping_interval)?,
            ping_timeout: span("ping_timeout", self.ping_timeout)?,
            upgrade_timeout: span("upgrade_timeout", self.upgrade_timeout)?,
            connect_timeout: span("connect_timeout", self.connect_timeout)?,
            transports: transports(&self.transports),
            cors: self.cors(),
            cookie: self.cookie.map(cookie).transpose()?,
            settings: self.limits.settings()?,
            connection_state_recovery: self.recovery.map(ComeBack::recovery).transpose()?,
            parser: parser(self.msgpack, self.packets, hub)?,
            path: self.path,
            max_http_buffer_size: self.max_http_buffer_size,
            allow_upgrades: self.allow_upgrades,
            allow_eio3: self.allow_eio3,
            http_compression: self.http_compression,
            client_folder: self.client_folder,
            cleanup_empty_child_namespaces: true,
            max_attachments: self.max_attachments,
            forward_requests: self.forward_requests,
            ask_request: self.ask_request,
            ..ServerOptions::default()
        })
    }

    fn cors(&self) -> Option<Cors> {
        if !self.has_cors {
            return None;
        }
        let origin = match &self.origins {
            Some(origins) => CorsOrigin::List(origins.clone()),
            None => CorsOrigin::Reflect,
        };
        Some(Cors {
            origin,
            credentials: self.credentials,
            ..Cors::default()
        })
    }
}

impl ComeBack {
    fn recovery(self) -> PyResult<Recovery> {
        Ok(Recovery {
            max_disconnection: wait("max_disconnection_duration", self.max_disconnection_duration)?,
            skip_middlewares: self.skip_connect_handler,
            max_bytes: self.max_bytes,
        })
    }
}

/// `sockline.socketio._options.Connecting`
#[derive(FromPyObject)]
pub(crate) struct Connecting {
    path: String,
    transports: Vec<String>,
    msgpack: bool,
    packets: Option<Py<PyAny>>,
    request_timeout: Option<f64>,
    timestamp_requests: bool,
    max_attachments: usize,
    upgrade: bool,
    remember_upgrade: bool,
    try_all_transports: bool,
    retries: u32,
    ack_timeout: Option<f64>,
    send_buffer: Option<usize>,
    opening: Opening,
}

impl Connecting {
    /// Those of each of its sockets.
    pub(crate) fn socket_options(&self) -> PyResult<SocketOptions> {
        let ack_timeout = self.ack_timeout.map(|seconds| wait("ack_timeout", seconds));
        Ok(SocketOptions {
            auth: Auth::Ask,
            retries: self.retries,
            ack_timeout: ack_timeout.transpose()?,
            ..SocketOptions::default()
        })
    }

    /// Python reconnects by itself: it asks for the URL and the headers again.
    pub(crate) fn options(self, py: Python<'_>, hub: &Arc<Hub>) -> PyResult<ManagerOptions> {
        let defaults = ManagerOptions::default();
        let timeout = self
            .request_timeout
            .map(|seconds| wait("request_timeout", seconds));
        Ok(ManagerOptions {
            client: self.opening.options(py, hub)?,
            path: self.path,
            transports: transports(&self.transports),
            timestamp_requests: (!self.timestamp_requests).then_some(false),
            reconnection: Reconnection {
                enabled: false,
                ..Reconnection::default()
            },
            timeout: timeout.transpose()?,
            auto_connect: false,
            parser: parser(self.msgpack, self.packets, hub)?,
            max_attachments: self.max_attachments,
            upgrade: self.upgrade,
            remember_upgrade: self.remember_upgrade,
            try_all_transports: self.try_all_transports,
            send_buffer: self.send_buffer.unwrap_or(defaults.send_buffer),
            ..defaults
        })
    }
}

fn span(name: &str, seconds: f64) -> PyResult<Duration> {
    duration(name, Some(seconds))
}

fn transports(names: &[String]) -> Vec<Transport> {
    let transport = |name: &String| match name.as_str() {
        "websocket" => Transport::WebSocket,
        _ => Transport::Polling,
    };
    names.iter().map(transport).collect()
}

fn parser(msgpack: bool, packets: Option<Py<PyAny>>, hub: &Arc<Hub>) -> PyResult<ParserKind> {
    match packets {
        Some(packets) => Python::attach(|py| {
            let written = Written::new(packets.into_bound(py), hub)?;
            Ok(ParserKind::Custom(Arc::new(written)))
        }),
        None if msgpack => Ok(ParserKind::Msgpack),
        None => Ok(ParserKind::Json),
    }
}

/// Its name and attributes, as Python programs write them.
fn cookie(attributes: Vec<(String, String)>) -> PyResult<Cookie> {
    let mut cookie = Cookie {
        path: None,
        http_only: false,
        same_site: None,
        ..Cookie::default()
    };
    for (name, value) in attributes {
        match name.to_ascii_lowercase().as_str() {
            "name" => cookie.name = value,
            "path" => cookie.path = Some(value),
            "domain" => cookie.domain = Some(value),
            "httponly" => cookie.http_only = true,
            "secure" => cookie.secure = true,
            "partitioned" => cookie.partitioned = true,
            "samesite" => cookie.same_site = Some(same_site(&value)?),
            "max-age" | "max_age" => {
                cookie.max_age = Some(value.parse().map_err(|_| bad_cookie(&name, &value))?);
            }
            _ => return Err(bad_cookie(&name, &value)),
        }
    }
    Ok(cookie)
}

fn same_site(value: &str) -> PyResult<SameSite> {
    match value.to_ascii_lowercase().as_str() {
        "strict" => Ok(SameSite::Strict),
        "lax" => Ok(SameSite::Lax),
        "none" => Ok(SameSite::None),
        _ => Err(bad_cookie("SameSite", value)),
    }
}

fn bad_cookie(name: &str, value: &str) -> PyErr {
    PyValueError::new_err(format!("a cookie can't have {name}={value:?}"))
}
