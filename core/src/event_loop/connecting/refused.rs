//! Answers that are no upgrade: redirects, which are followed, and refusals, whose body is waited for.

use std::time::SystemTime;

use ::http::Method;

use super::{Connecting, Phase};
use crate::error::{Error, ErrorCode, HttpResponse};
use crate::event_loop::core::LoopCore;
use crate::handle::Id;
use crate::http::{BodyDecoder, Limits, Response};

/// So much of a body is kept.
const MAX_BODY: usize = 64 << 10;

/// A refusal whose body is still coming.
pub(super) struct Refused {
    text: String,
    response: HttpResponse,
    /// `None` once the rest of the body doesn't count.
    decoder: Option<BodyDecoder>,
}

impl Refused {
    fn new(text: String, response: &Response) -> Refused {
        let limits = Limits {
            max_body: u64::MAX,
            ..Limits::default()
        };
        let decoder = BodyDecoder::for_response(response, &Method::GET, &limits);
        Refused {
            text,
            // A body whose end is in doubt is none.
            decoder: decoder.ok().filter(|decoder| !decoder.is_done()),
            response: HttpResponse {
                status: response.status,
                reason: response.reason.clone(),
                headers: response.fields(),
                body: Vec::new(),
            },
        }
    }

    fn take(&mut self, mut data: &[u8]) {
        while let Some(decoder) = &mut self.decoder
            && !data.is_empty()
        {
            let Ok(decoded) = decoder.decode(data) else {
                self.decoder = None;
                return;
            };
            let room = MAX_BODY - self.response.body.len();
            let taken = decoded.data.get(..room).unwrap_or(decoded.data);
            self.response.body.extend_from_slice(taken);
            data = data.get(decoded.consumed..).unwrap_or_default();
            if decoded.done || self.response.body.len() == MAX_BODY {
                self.decoder = None;
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.decoder.is_none()
    }

    pub(super) fn error(&mut self) -> Error {
        let nothing = HttpResponse {
            status: self.response.status,
            reason: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let response = std::mem::replace(&mut self.response, nothing);
        Error::new(ErrorCode::Refused, std::mem::take(&mut self.text)).with_response(response)
    }
}

impl Connecting {
    /// Goes where a redirect leads; `None` if the response is none to follow.
    fn follow(&mut self, response: &Response) -> Option<Result<(), Error>> {
        let options = &self.options;
        if options.max_redirects == 0 {
            return None;
        }
        let next = match self.destination.after(response, options, SystemTime::now())? {
            Ok(next) => next,
            Err(error) => return Some(Err(error)),
        };
        self.hops.push(self.destination.url.shown());
        if self.hops.len() > options.max_redirects as usize {
            let chain = [self.hops.as_slice(), &[next.url.shown()]].concat().join(" → ");
            let text = format!("more than {} redirects: {chain}", options.max_redirects);
            return Some(Err(Error::new(ErrorCode::Redirect, text)));
        }
        log::debug!(
            "{} redirects to {}",
            self.destination.url.shown(),
            next.url.shown()
        );
        self.destination = next;
        Some(Ok(()))
    }
}

impl LoopCore {
    /// The server has not upgraded; `text` says what it did.
    pub(super) fn not_upgraded(&self, id: Id, response: &Response, text: String) {
        let followed = self.with_conn(id, |conn| conn.connecting()?.follow(response));
        match followed.flatten() {
            Some(Ok(())) => {
                self.drop_transport(id);
                self.take_step(id);
            }
            Some(Err(error)) => self.lost(id, Some(error), false),
            None => {
                self.with_conn(id, |conn| {
                    let connecting = conn.connecting()?;
                    connecting.phase = Phase::Refused(Box::new(Refused::new(text, response)));
                    Some(())
                });
                self.refused_bytes(id, b"");
            }
        }
    }

    /// Takes bytes of a refusal's body; all of them, for nothing else follows.
    pub(super) fn refused_bytes(&self, id: Id, data: &[u8]) -> usize {
        let error = self.with_conn(id, |conn| {
            let Phase::Refused(refused) = &mut conn.connecting()?.phase else {
                return None;
            };
            refused.take(data);
            refused.is_whole().then(|| refused.error())
        });
        if let Some(Some(error)) = error {
            self.lost(id, Some(error), false);
        }
        data.len()
    }
}
