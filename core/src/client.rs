//! Opening a connection to a server.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::{self, Loop};
use crate::handler::Handler;
use crate::settings::Settings;
use crate::websocket::WebSocket;
use crate::ws::handshake;
use crate::ws::url::Url;

/// How to connect. `ClientOptions::default()` has the documented defaults.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The subprotocols to offer, the preferred one first (RFC 6455 §4.1).
    pub subprotocols: Vec<String>,
    /// Further request headers, such as `Origin`, `Authorization`, `Cookie`.
    pub headers: Vec<(String, String)>,
    /// For name lookup, connecting and the opening handshake together. Default: 10 s.
    pub handshake_timeout: Duration,
    /// What this connection may take and keep, and its timeouts. Default: [`Settings::client`].
    pub settings: Settings,
    /// The application's word for this connection, given back with every event.
    pub user_data: usize,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions {
            subprotocols: Vec::new(),
            headers: Vec::new(),
            handshake_timeout: Duration::from_secs(10),
            settings: Settings::client(),
            user_data: 0,
        }
    }
}

/// Starts to connect to a `ws://` URL and returns the handle at once; `on_open` or `on_error` and `on_close` follow.
///
/// `on_loop` of `None` is the library's own loop, which is started at first use. Without a handler the events wait
/// for [`WebSocket::set_handler`]; messages beyond 1 MiB are then dropped, counted and logged. Any thread may call
/// this; a callback may run before it has returned.
///
/// # Errors
/// What is wrong with the URL, a subprotocol or a header is said here; no event ever comes then.
pub fn connect(
    on_loop: Option<&Loop>,
    url: &str,
    options: ClientOptions,
    handler: Option<Arc<dyn Handler>>,
) -> Result<WebSocket> {
    let url = Url::parse(url).map_err(|error| Error::new(ErrorCode::InvalidUrl, error.to_string()))?;
    if url.secure {
        let text = format!(
            "{}: this build has no TLS, so only ws:// URLs can be connected to",
            url.authority
        );
        return Err(Error::new(ErrorCode::Unsupported, text));
    }
    options.settings.check()?;
    let headers = with_credentials(options.headers, &url);
    let mut request = Vec::new();
    let wanted = handshake::ClientRequest {
        host: &url.authority,
        target: &url.target,
        subprotocols: &options.subprotocols,
        headers: &headers,
    };
    let key = handshake::client_request(&wanted, &mut request)
        .map_err(|error| Error::new(ErrorCode::InvalidArgument, error.text))?;
    let plan = event_loop::ConnectPlan {
        url,
        request,
        key,
        subprotocols: options.subprotocols,
        timeout: options.handshake_timeout,
        settings: options.settings,
        handler,
        user_data: options.user_data,
    };
    event_loop::connect(on_loop, plan)
}

/// A user and password in the URL become basic authentication (RFC 7617), unless a header says otherwise.
fn with_credentials(mut headers: Vec<(String, String)>, url: &Url) -> Vec<(String, String)> {
    let given = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    if !given && let Some(authorization) = url.authorization() {
        headers.push(("Authorization".to_owned(), authorization));
    }
    headers
}
