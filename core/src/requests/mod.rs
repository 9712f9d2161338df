//! HTTP/1.1 requests over the event loop, as long-polling needs them: to one server, over connections that stay.
//!
//! ```no_run
//! use sockline::requests::{Call, HttpClient, HttpClientOptions};
//!
//! # fn main() -> sockline::Result<()> {
//! let client = HttpClient::new(None, "http://localhost:3000/", HttpClientOptions::default())?;
//! client.request(Call::get("/status"), |answer| match answer {
//!     Ok(answer) => println!("{}: {} bytes", answer.head.status, answer.body.len()),
//!     Err(error) => println!("{error}"),
//! })?;
//! # Ok(())
//! # }
//! ```

mod pool;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::http::Method;

use self::pool::{Job, Pool};
use crate::client::{self, ClientOptions};
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::{Home, Loop};
use crate::http::Response;
use crate::ws::url::Url;

/// How an [`HttpClient`] connects, and what it takes.
#[derive(Debug, Clone)]
pub struct HttpClientOptions {
    /// Headers and cookies of every request, TLS, proxies, name lookup, this side's address. What is about WebSockets,
    /// redirects and reconnection there is not used; `handshake_timeout` is for making a connection.
    pub connection: ClientOptions,
    /// How many connections there may be at once; requests beyond them wait. Default: 2.
    pub max_connections: usize,
    /// The longest body of a response, in bytes, before and after its content coding is taken off. Default: 16 MiB.
    pub max_body: u64,
    /// How long the response to a request may take from when it is sent. Default: `None`, as long as the connection lives.
    pub timeout: Option<Duration>,
    /// Whether cookies that responses set go along with later requests (RFC 6265). Default: true.
    pub keep_cookies: bool,
}

impl Default for HttpClientOptions {
    fn default() -> HttpClientOptions {
        HttpClientOptions {
            connection: ClientOptions::default(),
            max_connections: 2,
            max_body: 16 << 20,
            timeout: None,
            keep_cookies: true,
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Call {
    /// GET, POST, …
    pub method: Method,
    /// Path and query, percent-encoded.
    pub target: String,
    /// Fields beside the client's own; not Host, Content-Length, Accept-Encoding and Cookie.
    pub headers: Vec<(String, String)>,
    /// The body; without one no Content-Length is stated.
    pub body: Option<Vec<u8>>,
    /// In place of [`HttpClientOptions::timeout`].
    pub timeout: Option<Duration>,
}

impl Call {
    /// A GET without further fields.
    pub fn get(target: impl Into<String>) -> Call {
        Call {
            method: Method::GET,
            target: target.into(),
            headers: Vec::new(),
            body: None,
            timeout: None,
        }
    }

    /// A POST of a body without further fields.
    pub fn post(target: impl Into<String>, body: Vec<u8>) -> Call {
        Call {
            method: Method::POST,
            body: Some(body),
            ..Call::get(target)
        }
    }
}

/// A response: whatever its status is.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status and headers.
    pub head: Response,
    /// The whole body, without chunked and content coding.
    pub body: Vec<u8>,
}

/// Sends requests to one server, over connections that stay for further requests. Clone it freely, use it on any thread.
/// When the last value is dropped, what is under way is given up.
#[derive(Clone)]
pub struct HttpClient(Arc<Owner>);

struct Owner(Arc<Pool>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpClient").field(&self.0.0.url).finish()
    }
}

impl HttpClient {
    /// A client for the server of this URL, whose path and query are of no meaning; it connects when there is a request.
    /// `on_loop` of `None` is the library's own loop.
    ///
    /// # Errors
    /// What is wrong with the URL, the options, the system's certificates.
    pub fn new(on_loop: Option<&Loop>, url: &str, options: HttpClientOptions) -> Result<HttpClient> {
        let url = client::parse(url)?;
        options.connection.settings.check()?;
        client::check_connecting(&options.connection, &url)?;
        if options.max_connections == 0 {
            let text = "max_connections must be at least 1";
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        let home = Home::of_loop_or_default(on_loop)?;
        HttpClient::at(home, url, options)
    }

    /// The same with what was checked, on a loop that is known by its home.
    pub(crate) fn at(home: Home, url: Url, options: HttpClientOptions) -> Result<HttpClient> {
        Pool::new(home, url, options).map(|pool| HttpClient(Arc::new(Owner(pool))))
    }

    /// Sends a request and returns its number. `done` is called once with the response or the failure, by the loop's
    /// thread, unless the request is aborted. A GET that was lost with a connection on which others had been answered
    /// before, which the server may have closed at that moment, is sent again once (RFC 9112 §9.3.1).
    ///
    /// # Errors
    /// What is wrong with the request, [`ErrorCode::Closed`] after [`HttpClient::close`]; then `done` is not called.
    pub fn request(&self, call: Call, done: impl FnOnce(Result<Answer>) + Send + 'static) -> Result<u64> {
        self.0.0.check(&call)?;
        let job = Job::new(call, Box::new(done));
        let number = job.number;
        self.0.0.submit(job)?;
        Ok(number)
    }

    /// Gives a request up: its `done` is not called any more, and its connection, if it was sent, is cut.
    pub fn abort(&self, number: u64) {
        self.0.0.abort(number);
    }

    /// The cookies that a request for this path would bring which responses have set: names and values.
    pub fn cookies(&self, target: &str) -> Vec<(String, String)> {
        self.0.0.cookies(target)
    }

    /// Gives up all requests and cuts all connections.
    pub fn close(&self) {
        self.0.0.close();
    }
}
