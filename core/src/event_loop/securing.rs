//! TLS between the transport and what is spoken over it: beginning it, being done with it, and its failures.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::connection::{Conn, Stage};
use super::core::LoopCore;
use super::site::Site;
use super::stream::Stream;
use crate::error::Result;
use crate::handle::Id;
use crate::tls::{ClientTls, Failure, Session, TlsInfo};

impl LoopCore {
    /// Begins a client's handshake with a host, over the connection's stream as it is.
    pub(super) fn secure(&self, id: Id, tls: &ClientTls, host: &str, port: u16) {
        let session = match Session::client(tls, host, port) {
            Ok(session) => session,
            Err(error) => return self.finish(id, Some(error), false),
        };
        let began = self.with_conn(id, |conn| {
            let stream = conn.stream.take()?;
            Some(
                stream
                    .secure_client(session)
                    .map(|stream| conn.stream = Some(stream)),
            )
        });
        match began.flatten() {
            Some(Err(error)) => self.transport_failed(id, &error),
            Some(Ok(())) | None => self.arm(id),
        }
    }

    /// The TLS handshake is done.
    pub(crate) fn secured(&self, id: Id) {
        let is_client = self.with_conn(id, |conn| {
            let info = conn.stream.as_ref().and_then(Stream::tls_info);
            conn.slot.set_tls(info.map(|info| self.shared_tls_info(info)));
            matches!(conn.stage, Stage::Connecting(_))
        });
        if is_client == Some(true) {
            self.way_secured(id);
        }
    }

    /// Each has the peer's certificate in it, which for a client's connections is mostly the same.
    fn shared_tls_info(&self, info: TlsInfo) -> Arc<TlsInfo> {
        let mut last = self.last_tls.borrow_mut();
        match &*last {
            Some(shared) if **shared == info => shared.clone(),
            _ => last.insert(Arc::new(info)).clone(),
        }
    }

    /// What became of a read or a write is the session's failure, not the system's. Before an upgrade nobody hears of a
    /// server's: a log of every scanner would be of no use, so they are counted.
    pub(super) fn tls_failed(&self, id: Id, failure: &Failure) {
        let error = self.with_conn(id, |conn| match &conn.stage {
            Stage::Serving(serving) => {
                serving.site.clone().handshake_failed(conn, &failure.to_string());
                Some(None)
            }
            Stage::Connecting(_) | Stage::Open(_) | Stage::Requesting(_) => {
                Some(Some(failure.clone().into_error()))
            }
            Stage::Away(_) | Stage::Lingering(_) | Stage::Over => None,
        });
        if let Some(Some(error)) = error {
            // The socket lingers: what was sent last is the alert that tells the peer why.
            self.lost(id, error, true);
        }
    }
}

impl Conn {
    /// Whether its TLS has something to send that is not in the outbox.
    pub(crate) fn has_tail(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::has_tail)
    }

    /// Whether it is over TLS.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.stream, Some(Stream::Tls(_)))
    }

    /// Whether its TLS handshake is still under way.
    pub(crate) fn is_securing(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_securing)
    }
}

impl Site {
    /// What a server does to a fresh connection.
    pub(super) fn secure(&self, stream: Stream) -> Result<Stream> {
        match &self.options.tls {
            Some(tls) => Ok(stream.secure_server(Session::server(tls)?)),
            None => Ok(stream),
        }
    }

    /// Counts and logs a TLS handshake that came to nothing.
    pub(super) fn handshake_failed(&self, conn: &Conn, why: &str) {
        self.failed_handshakes.fetch_add(1, Ordering::Relaxed);
        match conn.slot.addresses().remote {
            Some(remote) => log::debug!("no TLS with {remote}: {why}"),
            None => log::debug!("no TLS with a client: {why}"),
        }
    }
}

/// The session's failure, where an error is one.
pub(super) fn failure_in(error: &io::Error) -> Option<&Failure> {
    error.get_ref()?.downcast_ref()
}

/// What a handle says about its TLS.
pub(crate) fn info(id: Id) -> Option<TlsInfo> {
    let (_, slot) = super::shared::Shared::of(id).ok()?;
    slot.tls().map(|info| (*info).clone())
}
