//! Through a proxy: which host is connected to first, and what is said to it.

use std::net::{IpAddr, SocketAddr};

use super::{Connecting, Phase, Step};
use crate::error::{Error, ErrorCode};
use crate::event_loop::connection::Stage;
use crate::event_loop::core::LoopCore;
use crate::handle::Id;
use crate::proxy::{Failure, Kind, Progress, ProxyUrl, Target, Tunnel};

impl Connecting {
    pub(super) fn proxy(&self) -> Option<&ProxyUrl> {
        self.destination.proxy.as_ref()
    }

    /// `socks5://` has names looked up here, before anybody is connected to; `socks5h://` by the proxy.
    pub(super) fn look_up_for_proxy(&self) -> Option<Step> {
        let Kind::Socks5 { looks_up: false } = self.proxy()?.kind else {
            return None;
        };
        let (host, port) = self.destination.endpoint();
        let is_name = self.behind_proxy.is_none() && host.parse::<IpAddr>().is_err();
        is_name.then(|| Step::LookUp(host.to_owned(), port))
    }

    fn target(&self) -> Target {
        let (host, port) = self.destination.endpoint();
        Target {
            host: host.to_owned(),
            port,
            address: self.behind_proxy.map(|address: SocketAddr| address.ip()),
        }
    }

    /// `did` is a sentence whose subject is the proxy.
    pub(super) fn proxy_failed(&self, did: &str) -> Error {
        let proxy = self.proxy().map(ToString::to_string).unwrap_or_default();
        let text = format!("the proxy {proxy}, asked for {}, {did}", self.authority());
        Error::new(ErrorCode::Proxy, text)
    }
}

impl LoopCore {
    /// There is a connection to the proxy.
    pub(super) fn secure_or_ask_proxy(&self, id: Id) {
        let tls = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            let proxy = connecting.proxy()?;
            let tls = connecting.destination.proxy_tls.clone()?;
            let secured_by = (tls, proxy.host.clone(), proxy.port);
            connecting.phase = Phase::SecuringProxy;
            Some(secured_by)
        });
        match tls.flatten() {
            Some((tls, host, port)) => self.secure(id, &tls, &host, port),
            None => self.begin_tunnel(id),
        }
    }

    pub(super) fn begin_tunnel(&self, id: Id) {
        let begun = self.with_conn(id, |conn| {
            let Stage::Connecting(connecting) = &mut conn.stage else {
                return None;
            };
            let mut out = Vec::new();
            match Tunnel::begin(connecting.proxy()?, connecting.target(), &mut out) {
                Ok(tunnel) => connecting.phase = Phase::Tunneling(tunnel),
                Err(failure) => return Some(Err(connecting.proxy_failed(&failure.text))),
            }
            conn.slot.add_buffered(out.len());
            conn.outbox.push(&out);
            Some(Ok(()))
        });
        match begun.flatten() {
            Some(Ok(())) => self.write_on(id),
            Some(Err(error)) => self.lost(id, Some(error), false),
            None => {}
        }
    }

    /// Takes what the proxy answers; returns how much of the input was its.
    pub(super) fn tunnel_bytes(&self, id: Id, data: &[u8]) -> usize {
        let progress = self.with_conn(id, |conn| {
            let Stage::Connecting(connecting) = &mut conn.stage else {
                return None;
            };
            let Phase::Tunneling(tunnel) = &mut connecting.phase else {
                return None;
            };
            let mut out = Vec::new();
            let progress = tunnel.receive(data, &mut out);
            conn.slot.add_buffered(out.len());
            conn.outbox.push(&out);
            Some(connecting.judge_tunnel(progress, data.len()))
        });
        match progress.flatten() {
            Some(Ok(true)) => self.secure_or_shake(id),
            Some(Ok(false)) => self.write_on(id),
            Some(Err(error)) => self.lost(id, Some(error), false),
            None => {}
        }
        data.len()
    }
}

impl Connecting {
    /// Whether the way is free.
    fn judge_tunnel(&mut self, progress: Result<Progress, Failure>, length: usize) -> Result<bool, Error> {
        match progress {
            Ok(Progress { done: false, .. }) => Ok(false),
            // No host speaks before it is spoken to, neither in TLS nor in HTTP.
            Ok(Progress { consumed, .. }) if consumed < length => {
                Err(self.proxy_failed("sent bytes behind its answer that nobody has asked for"))
            }
            Ok(_) => {
                self.watch.lap(|timings| &mut timings.proxy);
                Ok(true)
            }
            Err(failure) => Err(self.proxy_failed(&failure.text).with_http_status(failure.status)),
        }
    }
}
