//! The functions that `lib/engine.js` calls. Calls on connections that have ended do nothing, as in npm `ws`.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{ArrayBuffer, Function, JsValue, Unknown};
use napi_derive::napi;
use sockline::{Accept, ErrorCode, LogLevel, Refusal, Server, WebSocket};

use crate::batch::Batch;
use crate::errors::{Result, failure, internal, unsupported};
use crate::favourite::Favourite;
use crate::host::{Host, HostPointer};
use crate::js;
use crate::listener::Listener;
use crate::options::{ConnectOptions, ListenOptions, pairs};
use crate::requests::{Hook, Requests};
use crate::sending::{send, send_with};
use crate::threads::Crew;
use crate::tls::{ClientContext, ServerContext};

/// One loop for the module that made it; it lives as long as its environment.
#[napi]
pub struct Engine {
    pub(crate) host: HostPointer,
}

#[napi]
impl Engine {
    /// `table` is the memory of the records; `deliver(count)` takes them, `allocate(size)` gives ArrayBuffers. Whether the
    /// runtime has libuv can't be told from in here.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        table: ArrayBuffer<'_>,
        deliver: Function<'_, u32, ()>,
        allocate: Function<'_, u32, ArrayBuffer<'_>>,
        has_libuv: bool,
    ) -> Result<Engine> {
        let batch = Batch::new(env.raw(), table.raw(), deliver.raw(), allocate.raw());
        let host = batch
            .map(|batch| Host::create(env.raw(), has_libuv, batch))
            .ok_or_else(|| internal("no engine"))?;
        Ok(Engine { host })
    }

    /// `send(handle, type, data)` as a plain function, which costs less than a method; or, with options,
    /// `sendWith(handle, type, data, token, deadline)`.
    #[napi]
    pub fn sender<'a>(&self, env: &'a Env, with_options: bool) -> Result<Unknown<'a>> {
        let callback = if with_options { send_with } else { send };
        let value = js::function(env.raw(), Some(callback), self.host.into_raw())
            .ok_or_else(|| internal("no function"))?;
        // SAFETY: the function was just made in the scope that calls this.
        Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), value) })
    }

    /// Starts to connect; returns the handle. Without a context TLS is as the core has it by default.
    #[napi]
    pub fn connect(&self, options: ConnectOptions, context: Option<&ClientContext>) -> Result<f64> {
        let host = self.host.get();
        let (on_loop, handler) = host.start().map_err(|text| unsupported(&text))?;
        let (url, mut client) = options.split(self.host)?;
        client.tls = context.map(|context| context.tls.clone());
        let websocket = sockline::connect(Some(on_loop), &url, client, Some(handler)).map_err(failure)?;
        host.retain();
        Ok(websocket.raw() as f64)
    }

    /// Listens, with TLS if there is a context for it; returns the handle.
    #[napi]
    pub fn listen(&self, options: ListenOptions, context: Option<&ServerContext>) -> Result<f64> {
        let host = self.host.get();
        let (on_loop, handler) = host.start().map_err(|text| unsupported(&text))?;
        let (key, has_threads) = (options.key, options.threads > 0);
        let asks = options.asks_requests == Some(true);
        let retains = options.unref != Some(true);
        let busy_poll = options.busy_poll.map_or(0.0, |millis| millis * 1000.0);
        let mut options = options.into_core(self.host)?;
        options.tls = context.map(|context| context.tls.clone());
        let listening = if has_threads {
            let busy_poll = Duration::from_micros(busy_poll as u64);
            Crew::listen(key, options, on_loop.waker(), asks, busy_poll).map(|(crew, server)| {
                host.crews.borrow_mut().push(Rc::new(crew));
                server
            })
        } else {
            options.server_handler = Arc::new(Listener {
                host: self.host,
                key,
                retains,
            });
            if asks {
                let hook = Hook { host: self.host, key };
                options.routes.push(Arc::new(Requests(Arc::new(hook))));
            }
            sockline::listen(Some(on_loop), options, Some(handler)).map_err(failure)
        };
        let server = listening.inspect_err(|_| host.io.redis.close(host, key, false))?;
        if retains {
            host.retain();
        }
        Ok(server.raw() as f64)
    }

    /// Forgets a server of a cluster that has closed: its connection to Redis ends when all has left.
    #[napi]
    pub fn leave_cluster(&self, key: u32) {
        let host = self.host.get();
        host.io.redis.close(host, key, false);
    }

    /// Accepts an upgrade that came to the server with the key `server`; `headers` are names and values in turn. From here
    /// on the connection has the key `key`.
    #[napi]
    pub fn accept(
        &self,
        handle: f64,
        server: u32,
        key: u32,
        protocol: Option<String>,
        headers: Vec<String>,
    ) -> Result<()> {
        let host = self.host.get();
        let accept = Accept {
            subprotocol: protocol,
            headers: pairs(headers),
            user_data: Some(key as usize),
            handler: host.crew_of(server).map(|crew| crew.queue.clone() as _),
        };
        connection(handle)?.accept(accept).map_err(failure)?;
        host.retain();
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

    /// What the attempt that was just told of is to be; `headers` are names and values in turn.
    #[napi]
    pub fn answer_attempt(&self, url: String, headers: Vec<String>) {
        self.host.get().answer.set(Some((url, pairs(headers))));
    }

    /// Error codes by the numbers that `send` returns: name and text.
    #[napi]
    pub fn describe_status(&self, number: i32) -> Vec<&'static str> {
        let code = ErrorCode::from_number(number).unwrap_or(ErrorCode::Internal);
        vec![code.name(), code.text()]
    }

    /// Makes an error that a handler threw an uncaught exception, as if its callback were the only one.
    #[napi]
    pub fn report_exception(&self, env: Env, error: Unknown<'_>) {
        js::report(env.raw(), error.raw());
    }

    /// Has `deliver` called in the async context of a target where all records are the target's; `resource` is what its events
    /// run in, and runs this. It takes the place of another target. Returns whether it does.
    #[napi]
    pub fn favour(&self, env: Env, key: u32, resource: Unknown<'_>) -> bool {
        let favourite = Favourite::new(env.raw(), key, resource.raw());
        let is_favoured = favourite.is_some();
        self.host.get().batch.favour(favourite);
        is_favoured
    }

    /// Takes that back.
    #[napi]
    pub fn favour_nobody(&self) {
        self.host.get().batch.favour(None);
    }

    /// Has log lines up to a level, 1 for errors to 5 for all, delivered under this key; 0 for none.
    #[napi]
    pub fn watch_log(&self, key: u32, level: u32) -> Result<()> {
        let level = LogLevel::iter().find(|candidate| *candidate as u32 == level);
        self.host.get().watch_log(key, level)
    }

    /// Limits what the process keeps of messages, in bytes; 0 for no limit.
    #[napi]
    pub fn set_memory_budget(&self, bytes: f64) {
        sockline::set_memory_budget(bytes as usize);
    }

    /// What that limits, as it is now.
    #[napi]
    pub fn memory_in_use(&self) -> f64 {
        sockline::memory_in_use() as f64
    }

    /// Has `deliver(0)` called after each flush, for those who wait until something was sent.
    #[napi]
    pub fn watch_flushes(&self, on: bool) {
        self.host.get().watch_flushes(on);
    }
}

pub(crate) fn connection(handle: f64) -> Result<WebSocket> {
    WebSocket::from_raw(handle as u64).map_err(failure)
}

pub(crate) fn server(handle: f64) -> Result<Server> {
    Server::from_raw(handle as u64).map_err(failure)
}

/// A connection may have ended without JavaScript having heard of it yet.
pub(crate) fn harmless_when_closed(result: sockline::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.code() == ErrorCode::Closed => Ok(()),
        result => result.map_err(failure),
    }
}
