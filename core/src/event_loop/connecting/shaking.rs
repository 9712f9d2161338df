//! The opening handshake over a connection that is there (RFC 6455 §4.1).

use std::sync::Arc;

use super::{Phase, Purpose};
use crate::error::{Error, ErrorCode};
use crate::event_loop::connection::{Flag, Stage};
use crate::event_loop::core::LoopCore;
use crate::event_loop::slot::{Answered, Info, Slot};
use crate::handle::Id;
use crate::http::{Limits, Response, parse_response};
use crate::ws::{ReadyState, Role, handshake};

impl LoopCore {
    /// The way to the host is free: a connection, or a tunnel through a proxy. What is said next is for the host.
    pub(super) fn secure_or_shake(&self, id: Id) {
        let tls = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            let destination = &connecting.destination;
            let url = &destination.url;
            let tls = destination.tls.clone().filter(|_| !connecting.is_secured)?;
            let secured_by = (tls, url.host.clone(), url.port);
            connecting.phase = Phase::Securing;
            Some(secured_by)
        });
        match tls.flatten() {
            Some((tls, host, port)) => self.secure(id, &tls, &host, port),
            None => self.way_free(id),
        }
    }

    /// The TLS handshake with the proxy, or with the host, is done.
    pub(crate) fn way_secured(&self, id: Id) {
        let with_host = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            let with_host = matches!(connecting.phase, Phase::Securing);
            if with_host {
                connecting.watch.lap(|timings| &mut timings.tls);
            } else {
                conn.slot.set_tls(None); // it says nothing about who the connection is with
            }
            Some(with_host)
        });
        match with_host.flatten() {
            Some(true) => self.way_free(id),
            Some(false) => self.begin_tunnel(id),
            None => {}
        }
    }

    /// What is said next is heard by nobody but the host.
    fn way_free(&self, id: Id) {
        let hearer = self.with_conn(id, |conn| match &conn.connecting()?.purpose {
            Purpose::Requests(hearer) => Some(hearer.clone()),
            Purpose::WebSocket => None,
        });
        match hearer.flatten() {
            Some(hearer) => self.begin_requests(id, hearer),
            None => self.shake(id),
        }
    }

    /// Asks for the upgrade.
    fn shake(&self, id: Id) {
        self.with_conn(id, |conn| {
            let Stage::Connecting(connecting) = &mut conn.stage else {
                return;
            };
            connecting.phase = Phase::Shaking;
            let request = &connecting.destination.request;
            if connecting.options.keep_request {
                keep_request(conn.slot, request);
            }
            conn.slot.add_buffered(request.len());
            conn.outbox.push(request);
        });
        self.write_on(id);
    }

    /// Takes bytes of the server's response; returns how many belong to it.
    pub(super) fn response_bytes(&self, id: Id, data: &[u8]) -> usize {
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
                self.lost(id, Some(Error::new(ErrorCode::HandshakeFailed, text)), false);
                data.len()
            }
        }
    }

    fn judge_response(&self, id: Id, response: &Response) {
        let verdict = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            let verdict = handshake::check_response(
                response,
                &connecting.destination.key,
                &connecting.options.subprotocols,
                connecting.options.settings.compression.as_ref(),
            );
            connecting.watch.lap(|timings| &mut timings.upgrade);
            Some(verdict)
        });
        match verdict.flatten() {
            Some(Ok(chosen)) => self.open_client(id, response, chosen),
            Some(Err(error)) => {
                if error.status.is_some() {
                    return self.not_upgraded(id, response, error.text);
                }
                let error = Error::new(ErrorCode::HandshakeFailed, error.text);
                self.lost(id, Some(error), false);
            }
            None => {}
        }
    }

    fn open_client(&self, id: Id, response: &Response, chosen: handshake::Chosen) {
        let now = self.now();
        self.with_conn(id, |conn| {
            let limits = conn.profile.limits;
            let Some(connecting) = conn.connecting() else {
                return;
            };
            let info = Info {
                url: connecting.destination.url.href.as_str().into(),
                protocol: chosen.subprotocol.unwrap_or_default().into(),
                extensions: chosen.extensions.into(),
                limits,
                answered: Some(Box::new(Answered {
                    timings: connecting.watch.timings,
                    request: match connecting.options.keep_request {
                        true => connecting.destination.request.as_slice().into(),
                        false => Box::default(),
                    },
                    headers: response.fields(),
                })),
            };
            conn.slot.set_info(Arc::new(info));
            conn.slot.set_ready_state(ReadyState::Open);
            conn.open(Role::Client, now, chosen.compression.as_ref());
            conn.stay_paused();
            let returning = conn.returning_mut();
            let reopened = returning.is_some_and(|returning| returning.opened(now));
            conn.flags.set(Flag::Reopened, reopened);
            self.mark_dirty(conn); // who was told to wait, before the connection was lost, need not any more
        });
        self.send_kept(id);
        self.arm(id);
    }
}

/// From now on it can be asked for, also if there won't be a connection.
fn keep_request(slot: &Slot, request: &[u8]) {
    let before = slot.info();
    let mut info = before.map_or_else(Info::default, |info| Info::clone(&info));
    info.answered.get_or_insert_default().request = request.into();
    slot.set_info(Arc::new(info));
}
