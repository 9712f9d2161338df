//! Requests that Node's http module has read: they go through the engine as its own listener's do, and the answers go back
//! as records.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use sockline::http::{Limits, Request, parse_request};
use sockline::{Exchange, HttpAnswer, HttpRequest};

use super::servers::io_server;
use crate::batch::Kind;
use crate::engine::{Engine, server};
use crate::errors::{Result, failure, invalid};
use crate::host::HostPointer;

/// Node has limited the head already.
const LIMITS: Limits = Limits {
    max_head: 1 << 20,
    max_headers: 4096,
    max_body: u64::MAX,
};

/// A request as Node's http module has read it.
#[napi(object)]
pub struct IoRequest {
    /// The number that the answer's record names.
    pub number: f64,
    /// As it was on the wire, or could have been.
    pub head: Buffer,
    pub body: Buffer,
    pub address: String,
    pub port: u16,
    pub secure: bool,
}

#[napi]
impl Engine {
    /// Hands over a request to the server that has this key; returns the number of the exchange, for `io_cut`.
    #[napi]
    pub fn io_request(&self, server: f64, key: u32, request: IoRequest) -> Result<f64> {
        let server = io_server(server)?;
        let head = parse(&request.head)?;
        let exchange = Exchange::foreign(answer_to(self.host, key, request.number));
        let id = exchange.id();
        server.handle_request(HttpRequest {
            head,
            body: request.body.into(),
            remote: remote(&request.address, request.port),
            secure: request.secure,
            exchange,
        });
        self.host.get().deliver_soon();
        Ok(id as f64)
    }

    /// Gives the connection behind a descriptor, which JavaScript closes without shutting it down, to a listener: a
    /// WebSocket is asked for on it. `rest` is what has come behind the head.
    #[napi]
    pub fn io_adopt(&self, listener: f64, descriptor: i32, head: Buffer, rest: Buffer) -> Result<()> {
        let request = parse(&head)?;
        let own = duplicate(descriptor)?;
        server(listener)?.adopt(own, request, &rest).map_err(failure)?;
        self.host.get().deliver_soon();
        Ok(())
    }

    /// Two connected descriptors: what is written to one is read from the other. They are the caller's to close.
    #[napi]
    pub fn io_stream_pair(&self) -> Result<Vec<i32>> {
        let (one, other) = UnixStream::pair().map_err(|error| invalid(&error.to_string()))?;
        Ok(vec![one.into_raw_fd(), other.into_raw_fd()])
    }

    /// Closes a descriptor of a pair.
    #[napi]
    pub fn io_close_descriptor(&self, descriptor: i32) {
        // SAFETY: it is of `io_stream_pair`, and JavaScript has done nothing else with it.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    }

    /// The client of a request has gone, before it was answered.
    #[napi]
    pub fn io_cut(&self, server: f64, exchange: f64) {
        if let Ok(server) = io_server(server) {
            server.route().on_cut(exchange as u64);
        }
        self.host.get().deliver_soon();
    }
}

/// A duplicate of a descriptor that JavaScript has open.
pub(crate) fn duplicate(descriptor: i32) -> Result<OwnedFd> {
    // SAFETY: it is borrowed for the call only.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    borrowed
        .try_clone_to_owned()
        .map_err(|error| invalid(&error.to_string()))
}

/// A request's head, as Node's http module has read it.
pub(crate) fn parse(head: &[u8]) -> Result<Request> {
    match parse_request(head, &LIMITS) {
        Ok(Some((request, _))) => Ok(request),
        Ok(None) => Err(invalid("the head of the request is not complete")),
        Err(error) => Err(invalid(&error.to_string())),
    }
}

fn remote(address: &str, port: u16) -> Option<SocketAddr> {
    let ip: IpAddr = address.parse().ok()?;
    Some(SocketAddr::new(ip, port))
}

/// The record: the number (8 bytes), the status (2), the length of the head (4), the head, the body.
fn answer_to(host: HostPointer, key: u32, number: f64) -> Box<dyn FnOnce(HttpAnswer) + Send> {
    Box::new(move |answer| {
        let lines: Vec<&str> = answer
            .headers
            .iter()
            .flat_map(|(name, value)| [name.as_str(), value])
            .collect();
        let head = lines.join("\0");
        let parts = [
            &number.to_le_bytes()[..],
            &answer.status.to_le_bytes(),
            &(head.len() as u32).to_le_bytes(),
            head.as_bytes(),
            &answer.body,
        ];
        let host = host.get();
        host.batch.push_parts(key, Kind::IoAnswer, 0, parts);
        host.deliver_soon();
    })
}
