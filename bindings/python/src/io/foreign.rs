//! Requests and WebSockets that another server of the process has read: ASGI's, WSGI's, aiohttp's.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use sockline::http::Request;
use sockline::io::{Data, ForeignOutlet, ForeignWebSocket, Server};
use sockline::{
    Address, Exchange, HttpAnswer, HttpRequest, MessageType, Refusal, Server as Listener, ServerOptions,
};

use crate::driver::Driver;
use crate::errors::raise;
use crate::guarded::Guarded;
use crate::handle::HostAndPort;
use crate::hub::Hub;
use crate::outlets::{Attended, Outlet};

/// Method, target, header fields, the client's address, whether it came over TLS, and a note for the session that it begins.
pub(crate) type Foreign = (
    String,
    String,
    Vec<(Vec<u8>, Vec<u8>)>,
    Option<HostAndPort>,
    bool,
    u64,
);

/// A request as the core has them.
///
/// # Errors
/// `ValueError` for what is no method.
pub(super) fn head(
    method: &str,
    target: &str,
    fields: &[(Vec<u8>, Vec<u8>)],
    note: u64,
) -> PyResult<Request> {
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_slice(), value.as_slice()));
    let head = Request::of(method, target, fields)
        .ok_or_else(|| PyValueError::new_err(format!("{method:?} is not a method of HTTP")))?;
    Ok(Request { note, ..head })
}

pub(super) fn remote(address: Option<HostAndPort>) -> Option<SocketAddr> {
    let (host, port) = address?;
    let ip: IpAddr = host.parse().ok()?;
    Some(SocketAddr::new(ip, port))
}

/// Serves a request; `answer(status, headers, body)` is called in a turn of the driver's. Returns what [`Server::request_cut`]
/// takes.
pub(super) fn request(
    server: &Server,
    hub: &Arc<Hub>,
    request: Foreign,
    body: Vec<u8>,
    answer: Py<PyAny>,
) -> PyResult<u64> {
    let (method, target, headers, address, secure, note) = request;
    let head = head(&method, &target, &headers, note)?;
    let hub = hub.clone();
    let exchange = Exchange::foreign(Box::new(move |answered| {
        let there = hub.clone();
        hub.post(move |py| {
            let HttpAnswer {
                status,
                headers,
                body,
            } = answered;
            if let Err(error) = answer.call1(py, (status, headers, PyBytes::new(py, &body))) {
                there.report(py, error, None);
            }
        });
    }));
    let id = exchange.id();
    server.handle_request(HttpRequest {
        head,
        body,
        remote: remote(address),
        secure,
        exchange,
    });
    Ok(id)
}

/// A listener without an address, for connections that another server has accepted.
pub(super) fn adopter(driver: &Bound<'_, Driver>, server: &Server) -> PyResult<Listener> {
    let core = driver.get().core(driver.py())?;
    let options = ServerOptions {
        routes: vec![server.route()],
        ..ServerOptions::new(Address::Nowhere)
    };
    sockline::listen(Some(&core), options, None).map_err(|error| raise(driver.py(), &error))
}

/// Gives it a duplicate of a descriptor that Python has open, on which a WebSocket is asked for.
pub(super) fn adopt(
    py: Python<'_>,
    adopter: Listener,
    descriptor: i32,
    request: Foreign,
    rest: &[u8],
) -> PyResult<()> {
    let (method, target, headers, _, _, note) = request;
    let head = head(&method, &target, &headers, note)?;
    if descriptor < 0 {
        return Err(PyValueError::new_err("the socket is closed"));
    }
    // SAFETY: the descriptor is borrowed for the call only, while whoever calls has it open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let own = borrowed
        .try_clone_to_owned()
        .map_err(|error| PyOSError::new_err(error.to_string()))?;
    adopter.adopt(own, head, rest).map_err(|error| raise(py, &error))
}

/// What there is to do for a WebSocket.
enum Item {
    Accept(Vec<(String, String)>),
    Refuse(Refusal),
    Text(String),
    Binary(Vec<u8>),
    Close(Option<u16>),
}

/// The way out: what the engine sends waits here until Python takes it.
pub(super) struct Way {
    hub: Arc<Hub>,
    me: Weak<Way>,
    /// Called when there is something to take; until the end.
    wake: Guarded<Option<Py<PyAny>>>,
    waiting: Mutex<Vec<Item>>,
    /// Bytes that wait.
    buffered: AtomicU64,
    /// Those that Python has taken and not sent yet.
    taken: AtomicU64,
    /// Whether the hub knows that there is something.
    noted: AtomicBool,
}

impl Way {
    fn push(&self, item: Item) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(item);
        if !self.noted.swap(true, Ordering::AcqRel)
            && let Some(me) = self.me.upgrade()
        {
            self.hub.outlets().add(me);
        }
    }
}

impl ForeignOutlet for Way {
    fn accept(&self, headers: Vec<(String, String)>) {
        self.push(Item::Accept(headers));
    }

    fn refuse(&self, refusal: Refusal) {
        self.push(Item::Refuse(refusal));
    }

    fn send(&self, kind: MessageType, data: &[u8]) {
        self.buffered.fetch_add(data.len() as u64, Ordering::AcqRel);
        self.push(match kind {
            MessageType::Text => Item::Text(String::from_utf8_lossy(data).into_owned()),
            MessageType::Binary => Item::Binary(data.to_vec()),
        });
    }

    fn close(&self, code: Option<u16>) {
        self.push(Item::Close(code));
    }

    fn buffered_amount(&self) -> u64 {
        self.buffered.load(Ordering::Acquire)
    }

    /// Python sends at once what it takes, unless the client does not take it.
    fn is_behind(&self) -> bool {
        self.taken.load(Ordering::Acquire) > 0
    }
}

impl Outlet for Way {
    fn look_after(&self, py: Python<'_>) {
        self.noted.store(false, Ordering::Release);
        let wake = self
            .wake
            .with(py, |wake| wake.as_ref().map(|wake| wake.clone_ref(py)));
        if let Some(wake) = wake
            && let Err(error) = wake.call0(py)
        {
            self.hub.report(py, error, None);
        }
    }
}

/// A WebSocket that another server has.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct IoForeign {
    hub: Arc<Hub>,
    way: Arc<Way>,
    ws: Guarded<Option<Arc<ForeignWebSocket>>>,
}

impl IoForeign {
    pub(super) fn new(
        server: &Server,
        hub: &Arc<Hub>,
        request: Foreign,
        wake: Py<PyAny>,
    ) -> PyResult<IoForeign> {
        let (method, target, headers, address, secure, note) = request;
        let head = head(&method, &target, &headers, note)?;
        let way = Arc::new_cyclic(|me| Way {
            hub: hub.clone(),
            me: me.clone(),
            wake: Guarded::new(Some(wake)),
            waiting: Mutex::default(),
            buffered: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            noted: AtomicBool::new(false),
        });
        let ws = server.foreign_websocket(head, remote(address), secure, way.clone());
        Ok(IoForeign {
            hub: hub.clone(),
            way,
            ws: Guarded::new(Some(Arc::new(ws))),
        })
    }

    fn ws(&self, py: Python<'_>) -> Option<Arc<ForeignWebSocket>> {
        self.ws.with(py, |ws| ws.clone())
    }
}

#[pymethods]
impl IoForeign {
    /// A message has come: handlers are called, and `wake` if they have sent something.
    fn received(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(ws) = self.ws(py) else { return Ok(()) };
        let attended = Attended::begin();
        if let Ok(text) = message.cast::<PyString>() {
            ws.received(Data::Text(&text.to_cow()?));
        } else if let Ok(bytes) = message.cast::<PyBytes>() {
            ws.received(Data::Binary(bytes.as_bytes()));
        } else {
            ws.received(Data::Binary(&message.extract::<Vec<u8>>()?));
        }
        drop(attended);
        self.hub.look_after_outlets(py);
        self.hub.take_fatal(py)
    }

    /// All that there is to do: texts and bytes to send, `("accept", headers)`, `("refuse", status, headers, body)`,
    /// `("close", code)`. `sent` says that it was done.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let way = &self.way;
        let items = std::mem::take(&mut *way.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let list = PyList::empty(py);
        let mut bytes = 0;
        for item in items {
            match item {
                Item::Text(text) => {
                    bytes += text.len();
                    list.append(PyString::new(py, &text))?;
                }
                Item::Binary(data) => {
                    bytes += data.len();
                    list.append(PyBytes::new(py, &data))?;
                }
                Item::Accept(headers) => list.append((intern!(py, "accept"), headers))?,
                Item::Refuse(refusal) => list.append((
                    intern!(py, "refuse"),
                    refusal.status,
                    refusal.headers,
                    PyBytes::new(py, &refusal.body),
                ))?,
                Item::Close(code) => list.append((intern!(py, "close"), code))?,
            }
        }
        way.taken.fetch_add(bytes as u64, Ordering::AcqRel);
        Ok(list)
    }

    /// What was taken has left.
    fn sent(&self, py: Python<'_>) {
        let taken = self.way.taken.swap(0, Ordering::AcqRel);
        if taken > 0 {
            self.way.buffered.fetch_sub(taken, Ordering::AcqRel);
            if let Some(ws) = self.ws(py) {
                ws.drained();
            }
        }
    }

    /// It has gone.
    fn closed(&self, py: Python<'_>) {
        let attended = Attended::begin();
        let (ws, wake) = (self.ws.take(py), self.way.wake.take(py));
        if let Some(ws) = ws {
            ws.closed();
        }
        drop(attended);
        drop(wake);
        self.hub.look_after_outlets(py);
    }
}
