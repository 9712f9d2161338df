//! What JavaScript says about connections and servers, as the core takes it.
//!
//! Sizes are bytes, times are milliseconds, 0 stands for none, as `lib/options.js` makes them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use napi_derive::napi;
use sockline::{
    Address, ClientOptions, Compression, Error, ErrorCode, GivenSocket, Lookup, Proxy, Reconnect,
    ServerOptions, Settings, SlowConsumer, TcpOptions,
};

use crate::dialing;
use crate::errors::{Result, failure, invalid};
use crate::host::HostPointer;
use crate::io::{IoRedis, duplicate, io_server};

/// What a connection may take, its timeouts, and its socket.
#[napi(object)]
pub struct Limits {
    pub max_payload: f64,
    /// How many fragments a message may have.
    pub max_fragments: u32,
    /// Whether pings are answered by the engine.
    pub auto_pong: bool,
    pub handshake_timeout: f64,
    pub close_timeout: f64,
    pub ping_interval: f64,
    pub ping_timeout: f64,
    pub high_water_mark: f64,
    pub hard_limit: f64,
    /// A number of `SlowConsumer`.
    pub slow_consumer: u32,
    pub message_parts: bool,
    pub tcp: Tcp,
    /// None if it isn't there.
    pub compression: Option<Deflate>,
}

/// permessage-deflate (RFC 7692).
#[napi(object)]
pub struct Deflate {
    pub threshold: f64,
    pub level: u32,
    pub memory_level: u32,
    pub server_no_context_takeover: bool,
    pub client_no_context_takeover: bool,
    pub server_max_window_bits: u8,
    pub client_max_window_bits: u8,
}

/// What the system does with a TCP socket.
#[napi(object)]
pub struct Tcp {
    pub no_delay: bool,
    pub keep_alive: f64,
    pub user_timeout: f64,
    pub send_buffer: f64,
    pub receive_buffer: f64,
}

/// How to connect.
#[napi(object)]
pub struct ConnectOptions {
    /// What JavaScript knows the connection by.
    pub key: u32,
    pub url: String,
    pub protocols: Vec<String>,
    /// Names and values in turn.
    pub headers: Vec<String>,
    /// An IP address.
    pub local_address: Option<String>,
    pub local_port: u16,
    /// A proxy's URL, or empty for what the environment says; none if it isn't there.
    pub proxy: Option<String>,
    pub max_redirects: u32,
    /// Whether the request can be asked for later.
    pub keep_request: Option<bool>,
    /// None if it isn't there.
    pub reconnect: Option<Return>,
    /// A connected socket, of which a duplicate is used in place of making a connection.
    pub descriptor: Option<i32>,
    /// Whether JavaScript makes the connections: a record asks for each.
    pub dials: Option<bool>,
    /// The host's IP addresses, the best one first, if they were looked up already.
    pub addresses: Option<Vec<String>>,
    pub limits: Limits,
}

/// When a client that has lost its connection comes back.
#[napi(object)]
pub struct Return {
    pub base_delay: f64,
    pub factor: f64,
    pub max_delay: f64,
    pub stable_after: f64,
    /// Without end if it isn't there.
    pub max_attempts: Option<u32>,
    /// The core's own if it isn't there.
    pub no_retry: Option<Vec<u16>>,
    pub outbox: f64,
}

/// How to listen.
#[napi(object)]
pub struct ListenOptions {
    /// What JavaScript knows the server by.
    pub key: u32,
    /// Empty for every address.
    pub host: String,
    /// 0 for one that the system chooses.
    pub port: u16,
    /// Whether it listens nowhere: its connections are given to it.
    pub nowhere: Option<bool>,
    /// Whether it lets the process end; its connections don't. Not with threads.
    pub unref: Option<bool>,
    /// The descriptor of the socket to listen on, which is taken over.
    pub fd: Option<i32>,
    pub reuse_port: Option<bool>,
    pub ipv6_only: Option<bool>,
    pub backlog: u32,
    /// 0 for none of its own.
    pub threads: u32,
    /// For how many milliseconds the threads look again and again before they wait.
    pub busy_poll: Option<f64>,
    pub metrics_path: Option<String>,
    pub folder: Option<String>,
    /// The only path for WebSockets; all of them if it isn't there.
    pub endpoint: Option<String>,
    pub max_connections: f64,
    pub max_connections_per_address: f64,
    pub max_requests: u32,
    pub origins: Vec<String>,
    /// Whether JavaScript is asked about requests that are no upgrades.
    pub asks_requests: Option<bool>,
    /// Socket.IO servers that answer on the same port, by their handles.
    pub io: Vec<f64>,
    /// What makes it one of a cluster; what happens to that connection is told under the key of the server.
    pub redis: Option<IoRedis>,
    pub limits: Limits,
}

impl ConnectOptions {
    /// The URL, and the rest as the core takes it.
    pub(crate) fn split(self, host: HostPointer) -> Result<(String, ClientOptions)> {
        let local_address = self
            .local_address
            .map(|address| socket_address(&address, self.local_port))
            .transpose()?;
        let options = ClientOptions {
            subprotocols: self.protocols,
            headers: pairs(self.headers),
            handshake_timeout: millis(self.limits.handshake_timeout),
            settings: self.limits.settings(),
            local_address,
            proxy: match self.proxy {
                None => Proxy::None,
                Some(url) if url.is_empty() => Proxy::Environment,
                Some(url) => Proxy::Url(url),
            },
            max_redirects: self.max_redirects,
            reconnect: self.reconnect.map(Return::into_core),
            socket: self.descriptor.map(duplicate).transpose()?.map(GivenSocket::new),
            dial: (self.dials == Some(true)).then(|| dialing::asking(host, self.key)),
            lookup: self.addresses.map(known).transpose()?,
            user_data: self.key as usize,
            keep_request: self.keep_request == Some(true),
            ..ClientOptions::default()
        };
        Ok((self.url, options))
    }
}

impl ListenOptions {
    /// The core's options; who hears the server is still to be said.
    ///
    /// # Errors
    /// `Closed` for a Socket.IO server that is closed, and what is wrong with options of Redis.
    pub(crate) fn into_core(self, host: HostPointer) -> Result<ServerOptions> {
        let address = match (self.nowhere, self.fd) {
            (Some(true), _) => Address::Nowhere,
            (_, Some(fd)) => Address::Sockets(vec![taken(fd)?]),
            _ => Address::Tcp(self.host, self.port),
        };
        let mut server = ServerOptions::new(address);
        server.reuse_port = self.reuse_port == Some(true);
        server.ipv6_only = self.ipv6_only == Some(true);
        server.static_folder = self.folder.map(Into::into);
        server.path = self.endpoint;
        server.backlog = self.backlog;
        server.threads = self.threads.max(1) as usize;
        server.metrics_path = self.metrics_path;
        server.max_connections = self.max_connections as usize;
        server.max_connections_per_address = self.max_connections_per_address as usize;
        server.max_requests = self.max_requests;
        server.origins = self.origins;
        server.handshake_timeout = millis(self.limits.handshake_timeout);
        server.settings = self.limits.settings();
        server.user_data = self.key as usize;
        for handle in self.io {
            server.routes.push(io_server(handle)?.route());
        }
        server.adapter = self.redis.map(|redis| redis.open(host, self.key)).transpose()?;
        Ok(server)
    }
}

fn taken(fd: i32) -> Result<GivenSocket> {
    // SAFETY: who names a descriptor here gives it up, which index.d.ts says.
    let taken = unsafe { GivenSocket::take(fd) };
    taken.map_err(|error| {
        let error = Error::new(
            ErrorCode::ListenFailed,
            format!("can't listen on descriptor {fd}: {error}"),
        );
        failure(error)
    })
}

impl Return {
    fn into_core(self) -> Reconnect {
        let by_default = Reconnect::default();
        Reconnect {
            base_delay: millis(self.base_delay),
            factor: self.factor,
            max_delay: millis(self.max_delay),
            stable_after: millis(self.stable_after),
            max_attempts: self.max_attempts,
            no_retry: self.no_retry.unwrap_or(by_default.no_retry),
            outbox: self.outbox as usize,
        }
    }
}

impl Limits {
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::server();
        settings.max_message = (self.max_payload as usize).max(1);
        settings.max_fragments = self.max_fragments;
        settings.answer_pings = self.auto_pong;
        settings.ping_interval = millis(self.ping_interval);
        settings.ping_timeout = millis(self.ping_timeout);
        settings.close_timeout = millis(self.close_timeout);
        settings.high_water_mark = self.high_water_mark as usize;
        settings.hard_limit = self.hard_limit as usize;
        settings.slow_consumer = match self.slow_consumer {
            0 => SlowConsumer::Error,
            1 => SlowConsumer::DropNewest,
            2 => SlowConsumer::DropOldest,
            _ => SlowConsumer::Close,
        };
        settings.message_parts = self.message_parts;
        settings.tcp = self.tcp.options();
        settings.compression = self.compression.as_ref().map(Deflate::to_core);
        settings
    }
}

impl Deflate {
    fn to_core(&self) -> Compression {
        Compression {
            threshold: self.threshold as usize,
            level: self.level,
            memory_level: self.memory_level,
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits: self.client_max_window_bits,
        }
    }
}

impl Tcp {
    fn options(&self) -> TcpOptions {
        let some = |time: f64| (time > 0.0).then(|| millis(time));
        TcpOptions {
            no_delay: self.no_delay,
            keep_alive: some(self.keep_alive),
            user_timeout: some(self.user_timeout),
            send_buffer: self.send_buffer as usize,
            receive_buffer: self.receive_buffer as usize,
        }
    }
}

pub(crate) fn millis(millis: f64) -> Duration {
    Duration::from_millis(millis as u64)
}

/// Names and values that come in turn.
pub(crate) fn pairs(flat: Vec<String>) -> Vec<(String, String)> {
    let mut flat = flat.into_iter();
    std::iter::from_fn(|| Some((flat.next()?, flat.next()?))).collect()
}

fn socket_address(address: &str, port: u16) -> Result<SocketAddr> {
    Ok(SocketAddr::new(ip_address(address)?, port))
}

fn ip_address(address: &str) -> Result<IpAddr> {
    address
        .parse()
        .map_err(|_| invalid(&format!("{address} is not an IP address")))
}

/// A lookup whose answer is known.
fn known(addresses: Vec<String>) -> Result<Lookup> {
    let addresses: Vec<IpAddr> = addresses
        .iter()
        .map(|address| ip_address(address))
        .collect::<Result<_>>()?;
    Ok(Lookup::new(move |_| Ok(addresses.clone())))
}
