//! What JavaScript says about servers, as `lib/io/server-options.js` makes it: sizes in bytes, times in milliseconds.

use std::sync::Arc;
use std::time::Duration;

use napi_derive::napi;
use sockline::io::{
    AdminAuth, AdminOptions, Cookie, CookiePriority, Cors, CorsOrigin, OriginCheck, ParserKind, Recovery,
    SameSite, ServerOptions, Transport,
};

use super::codec::Codec;
use super::redis::IoRedis;
use crate::batch::Kind;
use crate::errors::Result;
use crate::host::HostPointer;
use crate::options::{Limits, millis};

#[napi(object)]
pub struct IoOptions {
    pub path: String,
    pub add_trailing_slash: bool,
    pub ping_interval: f64,
    pub ping_timeout: f64,
    pub upgrade_timeout: f64,
    pub connect_timeout: f64,
    pub max_http_buffer_size: f64,
    /// 0 for polling, 1 for WebSocket.
    pub transports: Vec<u32>,
    pub allow_upgrades: bool,
    pub allow_eio3: bool,
    pub cors: Option<IoCors>,
    pub cookie: Option<IoCookie>,
    /// From so many bytes on; never if it isn't there.
    pub http_compression: Option<f64>,
    pub client_folder: Option<String>,
    pub limits: Limits,
    pub recovery: Option<IoRecovery>,
    pub cleanup_empty_child_namespaces: bool,
    /// 0 for JSON, 1 for msgpack, 2 for one of JavaScript's.
    pub parser: u32,
    /// What JavaScript knows its parser by.
    pub parser_key: u32,
    pub max_attachments: u32,
    /// The cluster that it is of.
    pub redis: Option<IoRedis>,
    pub forward_requests: bool,
}

#[napi(object)]
pub struct IoCors {
    /// Whether any origin is allowed, and named in answers.
    pub reflect: bool,
    /// Whether JavaScript is asked which are allowed.
    pub ask: bool,
    pub origins: Vec<String>,
    /// Whether the origins are a list, even one of one.
    pub several: Option<bool>,
    pub methods: String,
    pub allowed_headers: Option<String>,
    pub exposed_headers: Option<String>,
    pub credentials: bool,
    pub max_age: Option<f64>,
    pub preflight_continue: bool,
    pub options_success_status: u16,
}

#[napi(object)]
pub struct IoCookie {
    pub name: String,
    pub path: Option<String>,
    pub http_only: bool,
    /// 0 for strict, 1 for lax, 2 for none.
    pub same_site: Option<u32>,
    pub domain: Option<String>,
    /// Seconds.
    pub max_age: Option<f64>,
    pub expires: Option<f64>,
    pub secure: bool,
    pub partitioned: bool,
    /// 0 for low, 1 for medium, 2 for high.
    pub priority: Option<u32>,
}

#[napi(object)]
pub struct IoRecovery {
    pub max_disconnection: f64,
    pub skip_middlewares: bool,
    /// The core's own if it isn't there.
    pub max_bytes: Option<f64>,
}

#[napi(object)]
pub struct IoAdmin {
    pub namespace: String,
    /// None: whoever can connect.
    pub login: Option<IoLogin>,
    pub read_only: bool,
    /// Empty: the host's name.
    pub server_id: String,
    pub development: bool,
}

#[napi(object)]
pub struct IoLogin {
    pub username: String,
    /// By bcrypt.
    pub password_hash: String,
}

impl IoOptions {
    pub(super) fn into_core(self, host: HostPointer, key: u32) -> Result<ServerOptions> {
        Ok(ServerOptions {
            path: self.path,
            add_trailing_slash: self.add_trailing_slash,
            ping_interval: millis(self.ping_interval),
            ping_timeout: millis(self.ping_timeout),
            upgrade_timeout: millis(self.upgrade_timeout),
            connect_timeout: millis(self.connect_timeout),
            max_http_buffer_size: self.max_http_buffer_size as u64,
            transports: self.transports.into_iter().map(transport).collect(),
            allow_upgrades: self.allow_upgrades,
            allow_eio3: self.allow_eio3,
            cors: self.cors.map(|cors| cors.into_core(host, key)),
            cookie: self.cookie.map(IoCookie::into_core),
            http_compression: self.http_compression.map(|threshold| threshold as usize),
            client_folder: self.client_folder.map(Into::into),
            settings: self.limits.settings(),
            connection_state_recovery: self.recovery.map(IoRecovery::into_core),
            cleanup_empty_child_namespaces: self.cleanup_empty_child_namespaces,
            parser: parser(self.parser, self.parser_key, host),
            max_attachments: self.max_attachments as usize,
            adapter: self.redis.map(|redis| redis.open(host, key)).transpose()?,
            forward_requests: self.forward_requests,
            ask_request: true,
            ask_upgrades: true,
            ask_headers: true,
            ask_connecting: false,
            room_events: false,
        })
    }
}

pub(super) fn transport(number: u32) -> Transport {
    match number {
        0 => Transport::Polling,
        _ => Transport::WebSocket,
    }
}

pub(super) fn parser(number: u32, key: u32, host: HostPointer) -> ParserKind {
    match number {
        0 => ParserKind::Json,
        1 => ParserKind::Msgpack,
        _ => ParserKind::Custom(Arc::new(Codec { host, key })),
    }
}

impl IoCors {
    fn into_core(self, host: HostPointer, key: u32) -> Cors {
        let accepts = move |origin: &str| {
            let answer = host.get().ask(key, Kind::IoOrigin, origin);
            answer.is_some_and(|answer| !answer.is_empty())
        };
        Cors {
            origin: match (self.reflect, self.origins.as_slice()) {
                _ if self.ask => CorsOrigin::Asked(OriginCheck::new(accepts)),
                (true, _) => CorsOrigin::Reflect,
                (false, [one]) if self.several != Some(true) && one == "*" => CorsOrigin::Any,
                (false, [one]) if self.several != Some(true) => CorsOrigin::One(one.clone()),
                _ => CorsOrigin::List(self.origins),
            },
            methods: self.methods,
            allowed_headers: self.allowed_headers,
            exposed_headers: self.exposed_headers,
            credentials: self.credentials,
            max_age: self.max_age.map(|seconds| seconds as u64),
            preflight_continue: self.preflight_continue,
            options_success_status: self.options_success_status,
        }
    }
}

impl IoCookie {
    fn into_core(self) -> Cookie {
        Cookie {
            name: self.name,
            path: self.path,
            http_only: self.http_only,
            same_site: self.same_site.map(|number| match number {
                0 => SameSite::Strict,
                1 => SameSite::Lax,
                _ => SameSite::None,
            }),
            domain: self.domain,
            max_age: self.max_age.map(|seconds| seconds as i64),
            expires: self.expires.map(|time| Duration::from_millis(time as u64)),
            secure: self.secure,
            partitioned: self.partitioned,
            priority: self.priority.map(|number| match number {
                0 => CookiePriority::Low,
                1 => CookiePriority::Medium,
                _ => CookiePriority::High,
            }),
        }
    }
}

impl IoRecovery {
    fn into_core(self) -> Recovery {
        let by_default = Recovery::default();
        Recovery {
            max_disconnection: millis(self.max_disconnection),
            skip_middlewares: self.skip_middlewares,
            max_bytes: self
                .max_bytes
                .map_or(by_default.max_bytes, |bytes| bytes as usize),
        }
    }
}

impl IoAdmin {
    pub(super) fn into_core(self) -> AdminOptions {
        let auth = match self.login {
            Some(login) => AdminAuth::Basic {
                username: login.username,
                password_hash: login.password_hash,
            },
            None => AdminAuth::None,
        };
        AdminOptions {
            namespace: self.namespace,
            read_only: self.read_only,
            server_id: self.server_id,
            development: self.development,
            ..AdminOptions::new(auth)
        }
    }
}
