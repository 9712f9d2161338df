//! What builds without TLS have in its place.

use super::{ClientTlsOptions, Failure, Fed, Identity, ServerTlsOptions, TlsInfo};
use crate::error::{Error, ErrorCode, Result};

/// There is none in this build.
#[derive(Debug, Clone)]
pub struct ClientTls(Never);

/// There is none in this build.
#[derive(Debug, Clone)]
pub struct ServerTls(Never);

#[derive(Debug, Clone)]
enum Never {}

pub(crate) struct Session(Never);

fn unsupported<T>() -> Result<T> {
    let text = "this build has no TLS, so only ws:// URLs and plain servers are possible; build it with the feature tls";
    Err(Error::new(ErrorCode::Unsupported, text))
}

impl ClientTls {
    /// # Errors
    /// Always [`ErrorCode::Unsupported`].
    pub fn new(_: ClientTlsOptions) -> Result<ClientTls> {
        unsupported()
    }

    pub(crate) fn default_for_process() -> Result<ClientTls> {
        unsupported()
    }
}

impl ServerTls {
    /// # Errors
    /// Always [`ErrorCode::Unsupported`].
    pub fn new(_: ServerTlsOptions) -> Result<ServerTls> {
        unsupported()
    }

    /// Never called: there is no such thing in this build.
    pub fn reload(&self, _: Vec<Identity>) -> Result<()> {
        match self.0 {}
    }
}

impl Session {
    pub(crate) fn client(tls: &ClientTls, _: &str, _: u16) -> Result<Session> {
        match tls.0 {}
    }

    pub(crate) fn server(tls: &ServerTls) -> Result<Session> {
        match tls.0 {}
    }

    pub(crate) fn unfinished(&self) -> &[u8] {
        match self.0 {}
    }

    pub(crate) fn feed(&mut self, _: &mut [u8], _: &mut [u8], _: &mut Vec<u8>) -> Fed {
        match self.0 {}
    }

    pub(crate) fn encrypt(&mut self, _: &[u8], _: &mut Vec<u8>, _: &mut usize) -> Result<(), Failure> {
        match self.0 {}
    }

    pub(crate) fn say_goodbye(&mut self, _: &mut Vec<u8>, _: &mut usize) -> Result<(), Failure> {
        match self.0 {}
    }

    pub(crate) fn info(&self) -> TlsInfo {
        match self.0 {}
    }
}
