//! Connections that another server of the process has accepted, and whose first request it has read.

use std::sync::Arc;

use socket2::{Domain, SockRef, Type};

use super::command::Command;
use super::core::LoopCore;
use super::shared::Shared;
use super::site::Site;
use super::stream::Stream;
use super::sys::{self, OwnedSocket};
use super::tcp;
use crate::error::{Error, ErrorCode, Result};
use crate::handle::Id;
use crate::http::Request;
use crate::settings::TcpOptions;

/// A connection on its way to a server's loop.
pub(crate) struct Adopted {
    stream: Stream,
    request: Request,
    /// What has come behind the request's head.
    rest: Vec<u8>,
}

/// Gives a server a connection, on this thread's loop if the server is there, too, or else on its first.
pub(crate) fn adopt(server: Id, socket: OwnedSocket, request: Request, rest: &[u8]) -> Result<()> {
    let site = Shared::site(server)?;
    let stream = given_stream(socket, &site.options.settings.tcp)?;
    let part = site.nearest_part().ok_or(ErrorCode::Closed)?;
    let adopted = Adopted {
        stream,
        request,
        rest: rest.to_vec(),
    };
    // Also on this thread not at once: its handlers must not be called before this has returned.
    part.shared.push(Command::Adopt(part.id, Box::new(adopted)));
    Ok(())
}

/// The same, but done when this returns; only on the thread of the server's first loop.
pub(crate) fn adopt_now(server: Id, socket: OwnedSocket, request: Request, rest: &[u8]) -> Result<()> {
    let site = Shared::site(server)?;
    let stream = given_stream(socket, &site.options.settings.tcp)?;
    let part = site.nearest_part().ok_or(ErrorCode::Closed)?;
    let core = part.shared.enter().filter(|_| part.id == server);
    let core =
        core.ok_or_else(|| Error::new(ErrorCode::Unsupported, "another thread turns the server's loop"))?;
    core.take_over_now(server, stream, request, rest);
    Ok(())
}

/// A connected socket that was made elsewhere.
pub(super) fn given_stream(socket: OwnedSocket, options: &TcpOptions) -> Result<Stream> {
    let refuse = |why: &str| {
        let text = format!("this descriptor can't be taken over: {why}");
        Error::new(ErrorCode::InvalidArgument, text)
    };
    let fail = |error: std::io::Error| refuse(&error.to_string());
    let known = SockRef::from(&socket);
    if known.r#type().map_err(fail)? != Type::STREAM {
        return Err(refuse("it is not a stream socket"));
    }
    known.peer_addr().map_err(fail)?;
    known.set_nonblocking(true).map_err(fail)?;
    match known.local_addr().map_err(fail)?.domain() {
        Domain::UNIX => {
            let stream = sys::unix_stream(socket).map_err(fail)?;
            Ok(Stream::Unix(stream))
        }
        Domain::IPV4 | Domain::IPV6 => {
            tcp::apply(&SockRef::from(&socket), options).map_err(fail)?;
            let stream = std::net::TcpStream::from(socket);
            Ok(Stream::Tcp(mio::net::TcpStream::from_std(stream)))
        }
        other => Err(refuse(&format!("its address family is {other:?}"))),
    }
}

impl LoopCore {
    /// Goes on with a connection as if this loop had accepted it and read the request.
    pub(crate) fn take_over(&self, server: Id, adopted: Adopted) {
        let Adopted {
            stream,
            request,
            mut rest,
        } = adopted;
        if let Some((id, site)) = self.let_in(server, stream) {
            self.with_turn(id, || {
                self.request(id, &site, request);
                self.input(id, &mut rest);
            });
        }
    }

    /// The same outside of a turn of its socket: this may be another one's, and turns don't nest. So what came behind the
    /// head waits for the answer to an upgrade.
    fn take_over_now(&self, server: Id, stream: Stream, request: Request, rest: &[u8]) {
        if let Some((id, site)) = self.let_in(server, stream) {
            self.request(id, &site, request);
            self.with_conn(id, |conn| {
                if !rest.is_empty() {
                    conn.stash(rest);
                }
            });
            self.reconsider(id);
        }
    }

    fn let_in(&self, server: Id, stream: Stream) -> Option<(Id, Arc<Site>)> {
        let mut excess = Vec::new();
        let remote = stream.remote();
        let taken = {
            let mut servers = self.servers.borrow_mut();
            match servers.get_mut(&server.slot()) {
                Some(listener) if listener.id == server && !listener.closing => self
                    .accepted(listener, stream, remote, false, &mut excess)
                    .map(|id| (id, listener.site.clone())),
                _ => None, // it has closed meanwhile, and so does the connection
            }
        };
        self.refuse_excess(&excess);
        taken
    }
}
