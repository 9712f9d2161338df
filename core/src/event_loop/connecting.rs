//! A client's way to an open connection: addresses, the socket, the opening handshake.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::Token;
use mio::net::{TcpStream, UnixStream};

use super::command::Command;
use super::connection::{Conn, NO_SERVER, Profile, Stage};
use super::core::LoopCore;
use super::resolver;
use super::slots::Info;
use super::stream::Stream;
use crate::error::{Error, ErrorCode};
use crate::handle::Id;
use crate::handler::Handler;
use crate::http::{Limits, Response, parse_response};
use crate::settings::{Settings, millis};
use crate::ws::url::Url;
use crate::ws::{Connection, Millis, ReadyState, Role, handshake};

/// All that is needed to connect, checked by the caller's thread.
pub(crate) struct ConnectPlan {
    pub(crate) url: Url,
    pub(crate) request: Vec<u8>,
    pub(crate) key: String,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) timeout: Duration,
    pub(crate) settings: Settings,
    pub(crate) handler: Option<Arc<dyn Handler>>,
    pub(crate) user_data: usize,
}

pub(crate) struct Connecting {
    url: Url,
    request: Vec<u8>,
    key: String,
    subprotocols: Vec<String>,
    timeout: Duration,
    deadline: Millis,
    phase: Phase,
    /// Still to be tried, in the order in which the resolver gave them.
    addresses: VecDeque<SocketAddr>,
    /// Why the addresses tried so far did not do.
    failures: Vec<String>,
    last_os_error: Option<i32>,
    /// The response, as far as it has come.
    head: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Resolving,
    Connecting,
    Shaking,
}

impl Connecting {
    pub(crate) fn deadline(&self) -> Millis {
        self.deadline
    }

    pub(crate) fn timed_out(&self) -> Error {
        let doing = match self.phase {
            Phase::Resolving => "looking up",
            Phase::Connecting => "connecting to",
            Phase::Shaking => "waiting for the opening handshake of",
        };
        let text = format!(
            "{doing} {} took longer than {:?}",
            self.url.authority, self.timeout
        );
        Error::new(ErrorCode::HandshakeTimeout, text)
    }

    pub(crate) fn stream_ended(&self) -> Error {
        let text = format!(
            "{} closed the connection before the opening handshake was done",
            self.url.authority
        );
        Error::new(ErrorCode::HandshakeFailed, text)
    }

    fn no_address_left(&self) -> Error {
        let text = format!(
            "could not connect to {}: {}",
            self.url.authority,
            self.failures.join("; ")
        );
        Error::new(ErrorCode::ConnectFailed, text).with_os_error(self.last_os_error)
    }
}

impl Conn {
    /// Whether the next event says how connecting went.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(&self.stage, Stage::Connecting(connecting) if connecting.phase == Phase::Connecting)
    }

    fn connecting(&mut self) -> Option<&mut Connecting> {
        match &mut self.stage {
            Stage::Connecting(connecting) => Some(connecting),
            _ => None,
        }
    }
}

impl LoopCore {
    pub(crate) fn connect(&self, id: Id, plan: ConnectPlan) {
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        let ConnectPlan {
            url,
            request,
            key,
            subprotocols,
            timeout,
            settings,
            handler,
            user_data,
        } = plan;
        let timeout_at = match millis(timeout) {
            0 => Millis::MAX,
            limit => self.now().saturating_add(limit),
        };
        let host = url.host.clone();
        let port = url.port;
        let unix_path = url.unix_path.clone();
        let connecting = Connecting {
            url,
            request,
            key,
            subprotocols,
            timeout,
            deadline: timeout_at,
            phase: Phase::Resolving,
            addresses: VecDeque::new(),
            failures: Vec::new(),
            last_os_error: None,
            head: Vec::new(),
        };
        let profile = Arc::new(Profile::new(&settings));
        let mut conn = Conn::new(
            id,
            slot,
            NO_SERVER,
            Stage::Connecting(Box::new(connecting)),
            profile,
        );
        conn.handler = handler;
        conn.user_data = user_data;
        self.adopt(conn);
        self.arm(id);
        if let Some(path) = unix_path {
            self.try_socket(id, &path.display().to_string(), || {
                UnixStream::connect(path).map(Stream::Unix)
            });
        } else if let Ok(address) = host.parse::<IpAddr>() {
            self.resolved(id, Ok(vec![SocketAddr::new(address, port)]));
        } else {
            let shared = self.shared();
            resolver::resolve(host, port, move |result| {
                shared.push(Command::Resolved(id, result))
            });
        }
    }

    pub(crate) fn resolved(&self, id: Id, result: io::Result<Vec<SocketAddr>>) {
        let failure = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            let why = match result {
                Ok(addresses) if !addresses.is_empty() => {
                    connecting.addresses = addresses.into();
                    return None;
                }
                Ok(_) => "the name has no address".to_owned(),
                Err(error) => error.to_string(),
            };
            let text = format!("could not look up {}: {why}", connecting.url.host);
            Some(Error::new(ErrorCode::NameNotResolved, text))
        });
        match failure {
            Some(None) => self.try_next_address(id),
            Some(Some(error)) => self.finish(id, Some(error), false),
            None => {}
        }
    }

    fn try_next_address(&self, id: Id) {
        while let Some(address) = self
            .with_conn(id, |conn| conn.connecting()?.addresses.pop_front())
            .flatten()
        {
            if self.try_socket(id, &address.to_string(), || {
                TcpStream::connect(address).map(Stream::Tcp)
            }) {
                return;
            }
        }
        let error = self.with_conn(id, |conn| {
            conn.connecting().map(|connecting| connecting.no_address_left())
        });
        if let Some(Some(error)) = error {
            self.finish(id, Some(error), false);
        }
    }

    /// Begins to connect; says whether an event will tell how that went.
    fn try_socket(&self, id: Id, address: &str, open: impl FnOnce() -> io::Result<Stream>) -> bool {
        let opened = open().and_then(|mut stream| {
            self.with_registry(|registry| stream.register(registry, Token(id.raw() as usize)))?;
            Ok(stream)
        });
        let is_unix = matches!(opened, Ok(Stream::Unix(_)));
        let began = self.with_conn(id, |conn| match opened {
            Ok(stream) => {
                stream.set_nodelay();
                conn.stream = Some(stream);
                if let Some(connecting) = conn.connecting() {
                    connecting.phase = Phase::Connecting;
                }
                true
            }
            Err(error) => {
                if let Some(connecting) = conn.connecting() {
                    connecting.failures.push(format!("{address}: {error}"));
                    connecting.last_os_error = error.raw_os_error();
                }
                false
            }
        });
        if began == Some(false) && (is_unix || self.has_no_more_addresses(id)) {
            let error = self.with_conn(id, |conn| {
                conn.connecting().map(|connecting| connecting.no_address_left())
            });
            if let Some(Some(error)) = error {
                self.finish(id, Some(error), false);
            }
        }
        began == Some(true)
    }

    fn has_no_more_addresses(&self, id: Id) -> bool {
        self.with_conn(id, |conn| {
            conn.connecting()
                .is_none_or(|connecting| connecting.addresses.is_empty())
        }) == Some(true)
    }

    /// The socket has something to say about how connecting went.
    pub(crate) fn connect_progressed(&self, id: Id) {
        let failure = self.with_conn(id, |conn| {
            let stream = conn.stream.as_ref()?;
            match stream.take_error() {
                Ok(None) if stream.is_connected() => None,
                Ok(None) => Some(None),
                Ok(Some(error)) | Err(error) => Some(Some(error)),
            }
        });
        match failure {
            Some(None) => self.connected(id),
            Some(Some(Some(error))) => self.connect_failed(id, &error),
            Some(Some(None)) | None => {} // not yet
        }
    }

    fn connect_failed(&self, id: Id, error: &io::Error) {
        self.with_conn(id, |conn| {
            conn.stream = None;
            if let Some(connecting) = conn.connecting() {
                connecting.failures.push(error.to_string());
                connecting.last_os_error = error.raw_os_error();
            }
        });
        self.try_next_address(id);
    }

    fn connected(&self, id: Id) {
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        self.with_conn(id, |conn| {
            if let Some(stream) = &conn.stream {
                slot.set_fd(stream.fd());
            }
            let Stage::Connecting(connecting) = &mut conn.stage else {
                return;
            };
            connecting.phase = Phase::Shaking;
            let request = std::mem::take(&mut connecting.request);
            slot.add_buffered(request.len());
            conn.outbox.push(&request);
        });
        self.write_on(id);
    }

    /// Takes bytes of the server's response; returns how many belong to it.
    pub(crate) fn response_bytes(&self, id: Id, data: &[u8]) -> usize {
        let parsed = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            let before = connecting.head.len();
            connecting.head.extend_from_slice(data);
            Some(match parse_response(&connecting.head, &Limits::default()) {
                Ok(None) => Ok(None),
                Ok(Some((response, length))) => {
                    connecting.head.clear();
                    Ok(Some((response, length - before)))
                }
                Err(error) => Err(error),
            })
        });
        match parsed.flatten() {
            None | Some(Ok(None)) => data.len(),
            Some(Ok(Some((response, length)))) => {
                if !response.is_interim() {
                    self.judge_response(id, &response);
                }
                length
            }
            Some(Err(error)) => {
                let text = format!("the server's answer is not valid HTTP: {error}");
                self.finish(id, Some(Error::new(ErrorCode::HandshakeFailed, text)), false);
                data.len()
            }
        }
    }

    fn judge_response(&self, id: Id, response: &Response) {
        let verdict = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            let verdict = handshake::check_response(response, &connecting.key, &connecting.subprotocols);
            Some((verdict, connecting.url.clone()))
        });
        match verdict.flatten() {
            Some((Ok(protocol), url)) => self.open_client(id, &url, protocol),
            Some((Err(error), _)) => {
                let code = if error.status.is_some() {
                    ErrorCode::Refused
                } else {
                    ErrorCode::HandshakeFailed
                };
                self.finish(
                    id,
                    Some(Error::new(code, error.text).with_http_status(error.status)),
                    false,
                );
            }
            None => {}
        }
    }

    fn open_client(&self, id: Id, url: &Url, protocol: Option<String>) {
        let now = self.now();
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        let info = Info {
            url: url.href.as_str().into(),
            protocol: protocol.unwrap_or_default().into(),
            extensions: "".into(),
        };
        slot.set_info(Arc::new(info));
        slot.set_ready_state(ReadyState::Open);
        self.with_conn(id, |conn| {
            conn.stage = Stage::Open(Connection::new(Role::Client, now));
            conn.flags.unannounced = true;
        });
        self.arm(id);
    }
}
