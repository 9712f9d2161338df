//! A link's requests and WebSockets: making them, and hearing of them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::core::Core;
use super::link::Link;
use crate::client::{self, ClientOptions};
use crate::destination::Destination;
use crate::engineio::Transport;
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::{self, ConnectPlan, Purpose};
use crate::handler::{CloseEvent, Handler, Message};
use crate::requests::{Answer, Call, HttpClient, HttpClientOptions};
use crate::websocket::WebSocket;

/// A server that is told goodbye has so long to take it.
const FAREWELL: Duration = Duration::from_secs(10);
/// What JavaScript's `encodeURIComponent` leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
/// So much of a refusal is shown.
const SHOWN: usize = 200;

/// A WebSocket of a link.
pub(super) struct Carried {
    pub(super) number: u32,
    pub(super) ws: WebSocket,
}

impl Core {
    pub(super) fn get(&self, link: &mut Link, carrier: u32) {
        let call = self.call_to(link, None);
        self.request(link, call, move |core, number, answer| {
            core.polled(number, carrier, answer)
        });
    }

    pub(super) fn post_payload(&self, link: &mut Link, carrier: u32, payload: String) {
        let call = self.call_to(link, Some(payload));
        self.request(link, call, move |core, number, answer| {
            core.posted(number, carrier, answer)
        });
    }

    /// Requests are of no use any more, but for the last one.
    pub(super) fn leave(&self, link: &mut Link, farewell: Option<String>) {
        let (Some(http), Some(farewell)) = (link.http.take(), farewell) else {
            return; // dropped, it gives up what is under way
        };
        let mut call = self.call_to(link, Some(farewell));
        call.timeout = Some(FAREWELL);
        let keeper = http.clone();
        if let Err(error) = http.request(call, move |_| keeper.close()) {
            log::debug!("the server could not be told of the end: {error}");
        }
    }

    /// Makes a request whose answer is heard in a later turn, so never while the lock is held.
    fn request(
        &self,
        link: &mut Link,
        call: Call,
        heard: impl FnOnce(&Core, u64, Result<Answer>) + Clone + Send + 'static,
    ) {
        let (home, myself, number) = (self.home, self.myself.clone(), link.number);
        let tell = move |answer: Result<Answer>| {
            home.run(Box::new(move || {
                if let Some(core) = myself.upgrade() {
                    heard(&core, number, answer);
                }
            }));
        };
        let http = match &link.http {
            Some(http) => Ok(http.clone()),
            None => HttpClient::at(self.home, self.url.clone(), self.http_options()),
        };
        let asked = http.and_then(|http| {
            link.http = Some(http.clone());
            http.request(call, tell.clone())
        });
        if let Err(error) = asked {
            tell(Err(error));
        }
    }

    fn http_options(&self) -> HttpClientOptions {
        HttpClientOptions {
            connection: ClientOptions::clone(&self.connection),
            max_connections: 2,
            max_body: self.connection.settings.max_message as u64,
            timeout: self.options.request_timeout,
            keep_cookies: self.options.keep_cookies,
        }
    }

    fn call_to(&self, link: &Link, payload: Option<String>) -> Call {
        let target = self.target(link, Transport::Polling);
        let mut call = match payload {
            Some(payload) => {
                let mut call = Call::post(target, payload.into_bytes());
                let plain = "text/plain;charset=UTF-8".to_owned();
                call.headers.push(("Content-Type".to_owned(), plain));
                call
            }
            None => Call::get(target),
        };
        call.headers.push(("Accept".to_owned(), "*/*".to_owned()));
        call
    }

    /// Path and query of a request.
    fn target(&self, link: &Link, transport: Transport) -> String {
        let options = &self.options;
        let path = options.path.trim_end_matches('/');
        let start = if path.starts_with('/') { "" } else { "/" };
        let slash = if options.add_trailing_slash { "/" } else { "" };
        let mut target = format!("{start}{path}{slash}");
        let mut separator = '?';
        let protocol = link.engine.query(transport);
        if let Some((_, given)) = self
            .url
            .target
            .split_once('?')
            .filter(|(_, given)| !given.is_empty())
        {
            target.push(separator);
            target.push_str(given);
            separator = '&';
        }
        let mut add = |name: &str, value: &str| {
            target.push(separator);
            separator = '&';
            target.extend(utf8_percent_encode(name, COMPONENT));
            target.push('=');
            target.extend(utf8_percent_encode(value, COMPONENT));
        };
        let is_protocol = |name: &str| protocol.iter().any(|(own, _)| *own == name);
        let given = options.query.iter().filter(|(name, _)| !is_protocol(name));
        given.for_each(|(name, value)| add(name, value));
        protocol.iter().for_each(|(name, value)| add(name, value));
        let by_default = transport == Transport::Polling;
        if options.timestamp_requests.unwrap_or(by_default) {
            add(&options.timestamp_param, &timestamp());
        }
        target
    }

    pub(super) fn connect_websocket(&self, link: &mut Link, carrier: u32) {
        let ear = Arc::new(Ear {
            core: self.myself.clone(),
            link: link.number,
            carrier,
            error: Mutex::new(None),
        });
        match self.websocket(link, ear.clone()) {
            Ok(ws) => link.websockets.push(Carried { number: carrier, ws }),
            Err(error) => {
                let home = self.home;
                home.run(Box::new(move || {
                    *ear.error.lock() = Some(error);
                    ear.ended();
                }));
            }
        }
    }

    fn websocket(&self, link: &Link, ear: Arc<Ear>) -> Result<WebSocket> {
        let target = self.target(link, Transport::WebSocket);
        let origin = self.url.href.strip_suffix(&self.url.target).unwrap_or_default();
        let url = client::parse(&format!("{origin}{target}"))?;
        let mut options = ClientOptions::clone(&self.connection);
        if let Some(http) = &link.http {
            let newer = http.cookies(&target);
            options
                .cookies
                .retain(|(name, _)| newer.iter().all(|(other, _)| other != name));
            options.cookies.extend(newer);
        }
        let destination = Destination::first(url, &options)?;
        let plan = ConnectPlan {
            options: Arc::new(options),
            destination,
            handler: Some(ear),
            purpose: Purpose::WebSocket,
        };
        event_loop::connect_at(self.home, plan)
    }

    fn polled(&self, link: u64, carrier: u32, answer: Result<Answer>) {
        self.enter(|state, now| {
            let body = answer.and_then(body_of);
            let Some(link) = state.link(link) else { return };
            match body {
                Ok(body) => link.engine.polled(carrier, Ok(&body), now),
                Err(error) => {
                    link.engine.polled(carrier, Err(error.text()), now);
                    state.failure = Some(error);
                }
            }
        });
    }

    fn posted(&self, link: u64, carrier: u32, answer: Result<Answer>) {
        self.enter(|state, _| {
            let Some(link) = state.link(link) else { return };
            match answer.and_then(check_status) {
                Ok(_) => link.engine.posted(carrier, Ok(())),
                Err(error) => {
                    link.engine.posted(carrier, Err(error.text()));
                    state.failure = Some(error);
                }
            }
        });
    }
}

fn check_status(answer: Answer) -> Result<Answer> {
    if answer.head.status == 200 {
        return Ok(answer);
    }
    let shown = answer.body.get(..SHOWN).unwrap_or(&answer.body);
    let text = format!(
        "the server answered {} {}",
        answer.head.status,
        String::from_utf8_lossy(shown)
    );
    let status = Some(answer.head.status);
    Err(Error::new(ErrorCode::Refused, text.trim_end().to_owned()).with_http_status(status))
}

fn body_of(answer: Answer) -> Result<String> {
    let answer = check_status(answer)?;
    String::from_utf8(answer.body).map_err(|_| ErrorCode::InvalidUtf8.into())
}

/// A word that no other request has.
fn timestamp() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let random = getrandom::u32().unwrap_or_default();
    format!("{random:x}.{:x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Hears of a WebSocket.
struct Ear {
    core: Weak<Core>,
    link: u64,
    carrier: u32,
    error: Mutex<Option<Error>>,
}

impl Ear {
    fn ended(&self) {
        let Some(core) = self.core.upgrade() else { return };
        let error = self.error.lock().take();
        core.enter(|state, _| {
            let Some(link) = state.link(self.link) else { return };
            link.websockets.retain(|carried| carried.number != self.carrier);
            link.engine
                .websocket_closed(self.carrier, error.as_ref().map(Error::text));
            let is_current = Some(self.link) == state.current;
            if error.is_some() && is_current {
                state.failure = error;
            }
        });
    }
}

impl Handler for Ear {
    fn on_open(&self, ws: WebSocket) {
        let Some(core) = self.core.upgrade() else { return };
        core.enter(|state, _| {
            let Some(link) = state.link(self.link) else { return };
            if link.websocket(self.carrier).is_none() {
                let number = self.carrier;
                link.websockets.push(Carried { number, ws });
            }
            link.engine.websocket_opened(self.carrier);
        });
    }

    fn on_message(&self, _: WebSocket, message: Message<'_>) {
        if let Some(core) = self.core.upgrade() {
            core.take_message(self.link, self.carrier, message);
        }
    }

    fn on_drain(&self, _: WebSocket) {
        if let Some(core) = self.core.upgrade() {
            core.enter(|_, _| {}); // what waits is looked at in any case
        }
    }

    fn on_error(&self, _: WebSocket, error: &Error) {
        *self.error.lock() = Some(error.clone());
    }

    fn on_close(&self, _: WebSocket, _: &CloseEvent) {
        self.ended();
    }
}
