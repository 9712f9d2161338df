//! Connections that the application makes.

use super::race::Candidate;
use super::{Connecting, Phase};
use crate::dial::{Dialed, Dialing};
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::command::Command;
use crate::event_loop::core::LoopCore;
use crate::event_loop::resolver;
use crate::handle::Id;

impl LoopCore {
    pub(super) fn dial(&self, id: Id) {
        let shared = self.shared();
        let asked = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            let dial = connecting.options.dial.clone()?;
            let number = resolver::fresh_number();
            connecting.phase = Phase::Dialing(number);
            let destination = &connecting.destination;
            let answer = move |found| shared.push(Command::Dialed(id, number, found));
            Some((
                dial,
                Dialing::new(destination.endpoint(), destination.url.secure, answer),
            ))
        });
        self.arm(id);
        if let Some((dial, dialing)) = asked.flatten() {
            dial.call(dialing); // with nothing borrowed
        }
    }

    /// The application's answer.
    pub(crate) fn dialed(&self, id: Id, number: u64, found: Result<Dialed>) {
        let outcome = self.with_conn(id, |conn| {
            let connecting = conn.connecting()?;
            if !matches!(connecting.phase, Phase::Dialing(asked) if asked == number) {
                return None;
            }
            Some(match found {
                Ok(Dialed { socket, is_secured }) => {
                    connecting.dialed = Some(socket);
                    connecting.is_secured = is_secured;
                    Ok(())
                }
                Err(error) => Err(connecting.not_dialed(&error)),
            })
        });
        match outcome.flatten() {
            Some(Ok(())) => self.race(id, [Candidate::Given].into()),
            Some(Err(error)) => self.lost(id, Some(error), false),
            None => {}
        }
    }
}

impl Connecting {
    fn not_dialed(&self, error: &Error) -> Error {
        let text = format!("could not connect to {}: {}", self.authority(), error.text());
        Error::new(ErrorCode::ConnectFailed, text)
    }
}
