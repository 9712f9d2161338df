//! What a client asks the application while it connects: for a connection, or for the addresses of a name.
//!
//! The engine asks on threads of its own, or in the middle of something. So a question waits for the driver's next turn, where Python
//! hears it, and gives the answer on whatever thread it has it.

use std::io;
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use sockline::{ClientOptions, Dial, Dialing as Question, Lookup};

use crate::guarded::Guarded;
use crate::hub::Hub;
use crate::options::given_one;

/// `sockline._asking.Asking`: who is asked.
struct Application {
    hub: Arc<Hub>,
    /// The connection, or the client, has it where the garbage collector sees it.
    asking: Py<PyWeakrefReference>,
}

impl Application {
    /// Has it hear a question. One that nobody hears is let go of, which answers it.
    fn ask(
        self: &Arc<Self>,
        ask: impl for<'py> FnOnce(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> + Send + 'static,
    ) {
        let application = self.clone();
        self.hub.post(move |py| {
            let Some(asking) = application.asking.bind(py).upgrade() else {
                return;
            };
            if let Err(error) = ask(&asking) {
                application.hub.report(py, error, None);
            }
        });
    }
}

/// Has the application asked for what it wants to be asked for.
pub(crate) fn ask(options: &mut ClientOptions, asking: &Bound<'_, PyAny>, hub: &Arc<Hub>) -> PyResult<()> {
    let py = asking.py();
    let application = Arc::new(Application {
        hub: hub.clone(),
        asking: PyWeakrefReference::new(asking)?.unbind(),
    });
    if asking.getattr(intern!(py, "dials"))?.extract()? {
        let application = application.clone();
        options.dial = Some(Dial::new(move |question| {
            let dialing = Dialing::new(question);
            application.ask(|asking| asking.call_method1(intern!(asking.py(), "_dial"), (dialing,)));
        }));
    }
    if asking.getattr(intern!(py, "looks_up"))?.extract()? {
        options.lookup = Some(Lookup::new(move |host| {
            let (answer, found) = channel();
            let lookup = LookingUp::new(host, answer);
            application.ask(|asking| asking.call_method1(intern!(asking.py(), "_look_up"), (lookup,)));
            // On a thread of the resolver's, which is made to wait.
            let nobody = || Err(io::Error::other("nobody has said what its addresses are"));
            found.recv().unwrap_or_else(|_| nobody())
        }));
    }
    Ok(())
}

/// A connection that is wanted. Let go of, there is none.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct Dialing {
    host: String,
    port: u16,
    question: Guarded<Option<Question>>,
}

impl Dialing {
    fn new(question: Question) -> Dialing {
        Dialing {
            host: question.host().to_owned(),
            port: question.port(),
            question: Guarded::new(Some(question)),
        }
    }
}

#[pymethods]
impl Dialing {
    /// The host, without an IPv6 address's brackets.
    #[getter]
    fn host(&self) -> &str {
        &self.host
    }

    #[getter]
    fn port(&self) -> u16 {
        self.port
    }

    /// Here it is: a descriptor, which is the engine's from here on.
    fn connected(&self, py: Python<'_>, descriptor: RawFd) -> PyResult<()> {
        let socket = given_one(&descriptor)?;
        if let Some(question) = self.question.take(py) {
            question.connected(socket);
        }
        Ok(())
    }

    /// There is none, and why.
    fn failed(&self, py: Python<'_>, why: &str) {
        if let Some(question) = self.question.take(py) {
            question.failed(why);
        }
    }
}

type Addresses = io::Result<Vec<IpAddr>>;

/// A name whose addresses are wanted. Let go of, it has none.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct LookingUp {
    host: String,
    answer: Guarded<Option<Sender<Addresses>>>,
}

impl LookingUp {
    fn new(host: &str, answer: Sender<Addresses>) -> LookingUp {
        LookingUp {
            host: host.to_owned(),
            answer: Guarded::new(Some(answer)),
        }
    }

    fn give(&self, py: Python<'_>, addresses: Addresses) {
        if let Some(answer) = self.answer.take(py) {
            let _ = answer.send(addresses); // nobody wants it any more
        }
    }
}

#[pymethods]
impl LookingUp {
    #[getter]
    fn host(&self) -> &str {
        &self.host
    }

    /// The addresses, the best one first. It can be tried again after an error.
    fn found(&self, py: Python<'_>, addresses: Vec<String>) -> PyResult<()> {
        let parse = |address: &String| address.parse::<IpAddr>().map_err(|_| no_address(address));
        let addresses = addresses.iter().map(parse).collect::<PyResult<_>>()?;
        self.give(py, Ok(addresses));
        Ok(())
    }

    /// There are none, and why.
    fn failed(&self, py: Python<'_>, why: &str) {
        self.give(py, Err(io::Error::other(why.to_owned())));
    }
}

fn no_address(text: &str) -> PyErr {
    PyValueError::new_err(format!("lookup must return IP addresses, not {text:?}"))
}
