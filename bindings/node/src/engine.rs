//! The functions that `lib/engine.js` calls. Calls on connections that have ended do nothing, as in npm `ws`.

use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::{ArrayBuffer, Function, JsValue, Unknown};
use napi::{Env, sys};
use napi_derive::napi;
use sockline::{
    Accept, Address, ClientOptions, ErrorCode, MessageType, Proxy, Refusal, Sent, Server, ServerOptions,
    Settings, WebSocket,
};

use crate::batch::Batch;
use crate::errors;
use crate::host::{Host, HostPointer};
use crate::js;
use crate::listener::Listener;

/// A failure whose `code` JavaScript sees.
type Error = napi::Error<&'static str>;
type Result<T> = std::result::Result<T, Error>;

/// What `send` answers: the message is on its way, or more than the high-water mark waits now.
const QUEUED: i32 = 0;
const OVER_MARK: i32 = 1;
/// The bits of `send`'s type: binary, and given as a string.
const BINARY: u32 = 1;
const STRING: u32 = 2;
/// A scratch buffer that grew larger than this for one long string is given back.
const KEPT_SCRATCH: usize = 1 << 20;

/// What a connection may take, and its timeouts; in bytes and milliseconds, 0 for none.
#[napi(object)]
pub struct Limits {
    pub max_payload: f64,
    pub handshake_timeout: f64,
    pub close_timeout: f64,
    pub ping_interval: f64,
    pub ping_timeout: f64,
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
    pub limits: Limits,
}

/// How to listen.
#[napi(object)]
pub struct ListenOptions {
    /// What JavaScript knows the server by.
    pub key: u32,
    /// Empty for every address.
    pub host: String,
    /// A port, or with `path` unset 0 for one that the system chooses.
    pub port: u16,
    pub backlog: u32,
    pub folder: Option<String>,
    pub limits: Limits,
}

/// One loop for the module that made it; it lives as long as its environment.
#[napi]
pub struct Engine {
    host: HostPointer,
}

#[napi]
impl Engine {
    /// `table` is the memory of the records; `deliver(count)` takes them, `allocate(size)` gives ArrayBuffers.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        table: ArrayBuffer<'_>,
        deliver: Function<'_, u32, ()>,
        allocate: Function<'_, u32, ArrayBuffer<'_>>,
    ) -> Result<Engine> {
        let batch = Batch::new(env.raw(), table.raw(), deliver.raw(), allocate.raw());
        let host = batch
            .and_then(|batch| Host::create(env.raw(), batch))
            .ok_or_else(|| internal("no engine"))?;
        Ok(Engine { host })
    }

    /// `send(handle, type, data)` as a plain function, which costs less than a method.
    #[napi]
    pub fn sender<'a>(&self, env: &'a Env) -> Result<Unknown<'a>> {
        let value = js::function(env.raw(), Some(send), self.host.into_raw())
            .ok_or_else(|| internal("no function"))?;
        // SAFETY: the function was just made in the scope that calls this.
        Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), value) })
    }

    /// Starts to connect; returns the handle.
    #[napi]
    pub fn connect(&self, options: ConnectOptions) -> Result<f64> {
        let host = self.host.get();
        let (on_loop, handler) = host.start().map_err(|text| unsupported(&text))?;
        let client = ClientOptions {
            subprotocols: options.protocols,
            headers: pairs(options.headers),
            handshake_timeout: millis(options.limits.handshake_timeout),
            settings: options.limits.settings(),
            user_data: options.key as usize,
            proxy: Proxy::None, // npm ws knows none but what an agent brings
            ..ClientOptions::default()
        };
        let websocket =
            sockline::connect(Some(on_loop), &options.url, client, Some(handler)).map_err(failure)?;
        host.retain();
        Ok(websocket.raw() as f64)
    }

    /// Listens; returns the handle.
    #[napi]
    pub fn listen(&self, options: ListenOptions) -> Result<f64> {
        let host = self.host.get();
        let (on_loop, handler) = host.start().map_err(|text| unsupported(&text))?;
        let mut server = ServerOptions::new(Address::Tcp(options.host, options.port));
        server.static_folder = options.folder.map(Into::into);
        server.backlog = options.backlog;
        server.handshake_timeout = millis(options.limits.handshake_timeout);
        server.settings = options.limits.settings();
        server.user_data = options.key as usize;
        server.server_handler = Arc::new(Listener {
            host: self.host,
            key: options.key,
        });
        let server = sockline::listen(Some(on_loop), server, Some(handler)).map_err(failure)?;
        host.retain();
        Ok(server.raw() as f64)
    }

    /// Accepts an upgrade; `headers` are names and values in turn. From here on the connection has this key.
    #[napi]
    pub fn accept(
        &self,
        handle: f64,
        key: u32,
        protocol: Option<String>,
        headers: Vec<String>,
    ) -> Result<()> {
        let accept = Accept {
            subprotocol: protocol,
            headers: pairs(headers),
            user_data: Some(key as usize),
            handler: None,
        };
        connection(handle)?.accept(accept).map_err(failure)?;
        self.host.get().retain();
        Ok(())
    }

    /// Refuses an upgrade; `headers` are names and values in turn.
    #[napi]
    pub fn refuse(&self, handle: f64, status: u16, headers: Vec<String>, body: String) -> Result<()> {
        let refusal = Refusal {
            status,
            headers: pairs(headers),
            body: body.into(),
        };
        connection(handle)?.refuse(refusal).map_err(failure)
    }

    /// Starts the closing handshake.
    #[napi]
    pub fn close(&self, handle: f64, code: Option<u16>, reason: String) -> Result<()> {
        harmless_when_closed(connection(handle)?.close(code, &reason))
    }

    /// Cuts the connection.
    #[napi]
    pub fn terminate(&self, handle: f64) -> Result<()> {
        harmless_when_closed(connection(handle)?.terminate())
    }

    /// Stops or goes on reading.
    #[napi]
    pub fn set_paused(&self, handle: f64, paused: bool) -> Result<()> {
        let websocket = connection(handle)?;
        harmless_when_closed(if paused {
            websocket.pause()
        } else {
            websocket.resume()
        })
    }

    /// Sends a ping, or a pong if `pong` is set.
    #[napi]
    pub fn send_control(&self, handle: f64, pong: bool, payload: &[u8]) -> Result<()> {
        let websocket = connection(handle)?;
        if pong {
            websocket.pong(payload)
        } else {
            websocket.ping(payload)
        }
        .map_err(failure)
    }

    /// 0 to 3, as in WHATWG.
    #[napi]
    pub fn ready_state(&self, handle: f64) -> Result<u32> {
        Ok(connection(handle)?.ready_state() as u32)
    }

    #[napi]
    pub fn buffered_amount(&self, handle: f64) -> Result<f64> {
        Ok(connection(handle)?.buffered_amount() as f64)
    }

    #[napi]
    pub fn protocol(&self, handle: f64) -> Result<String> {
        Ok(connection(handle)?.protocol())
    }

    /// The peer's address and port; empty if there is none.
    #[napi]
    pub fn remote_address(&self, handle: f64) -> Result<Vec<String>> {
        let address = connection(handle)?.remote_address();
        Ok(address
            .map(|address| vec![address.ip().to_string(), address.port().to_string()])
            .unwrap_or_default())
    }

    /// A server's own address and port; empty if there is none any more.
    #[napi]
    pub fn local_address(&self, handle: f64) -> Result<Vec<String>> {
        let address = server(handle)?.local_address();
        Ok(address
            .map(|address| vec![address.ip().to_string(), address.port().to_string()])
            .unwrap_or_default())
    }

    /// Stops listening; connections live on.
    #[napi]
    pub fn close_server(&self, handle: f64) -> Result<()> {
        harmless_when_closed(server(handle)?.close(None, ""))
    }

    /// Makes an error that a handler threw an uncaught exception, as if its callback were the only one.
    #[napi]
    pub fn report_exception(&self, env: Env, error: Unknown<'_>) {
        js::report(env.raw(), error.raw());
    }

    /// Has `deliver(0)` called after each flush, for those who wait until something was sent.
    #[napi]
    pub fn watch_flushes(&self, on: bool) {
        self.host.get().watch_flushes(on);
    }
}

/// `send(handle, type, data)`: data is a string where the type says so, else a view of an ArrayBuffer. Returns 0, 1
/// over the high-water mark, or a negative number of an error.
unsafe extern "C" fn send(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let Some(([handle, kind, data], host)) = js::arguments::<3>(env, info) else {
        return std::ptr::null_mut();
    };
    let kind = js::number(env, kind) as u32;
    let message = if kind & BINARY != 0 {
        MessageType::Binary
    } else {
        MessageType::Text
    };
    let Ok(websocket) = WebSocket::from_raw(js::number(env, handle) as u64) else {
        return js::integer(env, ErrorCode::WrongHandle as i32);
    };
    let sent = if kind & STRING != 0 {
        // No JavaScript runs in there, so nobody else borrows the scratch.
        let host = HostPointer::from_raw(host);
        send_string(
            env,
            websocket,
            message,
            data,
            &mut host.get().scratch.borrow_mut(),
        )
    } else {
        // SAFETY: `lib/websocket.js` hands over views only; no JavaScript runs while the core copies.
        unsafe { js::view(env, data) }.map_or(Err(ErrorCode::InvalidArgument.into()), |bytes| {
            websocket.send(message, bytes)
        })
    };
    js::integer(
        env,
        match sent {
            Ok(Sent::Queued) => QUEUED,
            Ok(Sent::OverMark) => OVER_MARK,
            Err(error) => error.code() as i32,
        },
    )
}

fn send_string(
    env: sys::napi_env,
    websocket: WebSocket,
    message: MessageType,
    data: sys::napi_value,
    scratch: &mut Vec<u8>,
) -> sockline::Result<Sent> {
    scratch.clear();
    js::append_string(env, data, scratch).ok_or(ErrorCode::InvalidArgument)?;
    let sent = websocket.send_checked(message, scratch); // Node-API makes valid UTF-8 of every string
    if scratch.capacity() > KEPT_SCRATCH {
        *scratch = Vec::new();
    }
    sent
}

impl Limits {
    fn settings(&self) -> Settings {
        Settings {
            max_message: (self.max_payload as usize).max(1),
            ping_interval: millis(self.ping_interval),
            ping_timeout: millis(self.ping_timeout),
            close_timeout: millis(self.close_timeout),
            hard_limit: 0, // npm ws has none: bufferedAmount is the application's to watch
            ..Settings::server()
        }
    }
}

fn millis(millis: f64) -> Duration {
    Duration::from_millis(millis as u64)
}

fn pairs(flat: Vec<String>) -> Vec<(String, String)> {
    let mut flat = flat.into_iter();
    std::iter::from_fn(|| Some((flat.next()?, flat.next()?))).collect()
}

fn connection(handle: f64) -> Result<WebSocket> {
    WebSocket::from_raw(handle as u64).map_err(failure)
}

fn server(handle: f64) -> Result<Server> {
    Server::from_raw(handle as u64).map_err(failure)
}

/// A connection may have ended without JavaScript having heard of it yet.
fn harmless_when_closed(result: sockline::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.code() == ErrorCode::Closed => Ok(()),
        result => result.map_err(failure),
    }
}

/// The message is a record of `errors`, which `lib/errors.js` takes apart.
fn failure(error: sockline::Error) -> Error {
    Error::new(error.code().name(), errors::record(&error))
}

fn unsupported(text: &str) -> Error {
    failure(sockline::Error::new(ErrorCode::Unsupported, text.to_owned()))
}

fn internal(text: &'static str) -> Error {
    failure(sockline::Error::new(ErrorCode::Internal, text))
}
