//! TLS configurations, and what was agreed on.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sockline::{ErrorCode, Identity, TlsInfo, TlsVersion};

use crate::errors::raise;

/// Certificates and key.
type Pair = (Vec<u8>, Vec<u8>);

/// `sockline.tls.TLSInfo`
pub(crate) type Info = (
    String,
    String,
    Option<String>,
    Option<String>,
    Option<Vec<u8>>,
    bool,
);

/// Base of `sockline.ClientTLS`.
#[pyclass(subclass, frozen, module = "sockline._native")]
pub(crate) struct ClientTls(pub(crate) sockline::ClientTls);

/// Base of `sockline.ServerTLS`.
#[pyclass(subclass, frozen, module = "sockline._native")]
pub(crate) struct ServerTls(pub(crate) sockline::ServerTls);

#[pymethods]
impl ClientTls {
    #[new]
    #[pyo3(signature = (platform_roots, ca, identity, server_name, alpn, pins, is_13, insecure))]
    #[allow(clippy::too_many_arguments)] // the fields of one struct, from one place in Python
    fn new(
        py: Python<'_>,
        platform_roots: bool,
        ca: Vec<Vec<u8>>,
        identity: Option<Pair>,
        server_name: Option<String>,
        alpn: Vec<String>,
        pins: Vec<[u8; 32]>,
        is_13: bool,
        insecure: bool,
    ) -> PyResult<ClientTls> {
        let options = sockline::ClientTlsOptions {
            platform_roots,
            ca,
            identity: identity.map(owned),
            server_name,
            alpn,
            pins,
            min_version: version(is_13),
            insecure,
        };
        // Reading the system's certificates takes a while.
        let made = py.detach(|| sockline::ClientTls::new(options));
        made.map(ClientTls).map_err(|error| refuse(py, &error))
    }
}

#[pymethods]
impl ServerTls {
    #[new]
    fn new(
        py: Python<'_>,
        identities: Vec<Pair>,
        client_ca: Vec<Vec<u8>>,
        require_client_certificate: bool,
        alpn: Vec<String>,
        is_13: bool,
    ) -> PyResult<ServerTls> {
        let options = sockline::ServerTlsOptions {
            client_ca,
            require_client_certificate,
            alpn,
            min_version: version(is_13),
            ..sockline::ServerTlsOptions::new(identities.into_iter().map(owned).collect())
        };
        let made = sockline::ServerTls::new(options);
        made.map(ServerTls).map_err(|error| refuse(py, &error))
    }

    fn _reload(&self, py: Python<'_>, identities: Vec<Pair>) -> PyResult<()> {
        let identities = identities.into_iter().map(owned).collect();
        self.0.reload(identities).map_err(|error| refuse(py, &error))
    }
}

fn owned((certificates, private_key): Pair) -> Identity {
    Identity {
        certificates,
        private_key,
    }
}

fn version(is_13: bool) -> TlsVersion {
    if is_13 {
        TlsVersion::Tls13
    } else {
        TlsVersion::Tls12
    }
}

fn refuse(py: Python<'_>, error: &sockline::Error) -> PyErr {
    match error.code() {
        ErrorCode::InvalidArgument => PyValueError::new_err(error.text().to_owned()),
        _ => raise(py, error),
    }
}

pub(crate) fn info(info: TlsInfo) -> Info {
    (
        info.version.to_string(),
        info.cipher_suite,
        info.alpn,
        info.server_name,
        info.peer_certificate,
        info.resumed,
    )
}
