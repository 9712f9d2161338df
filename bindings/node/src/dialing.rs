//! Connections that JavaScript makes for the engine, where a program's own agent or function has to.

use std::os::fd::OwnedFd;

use napi_derive::napi;
use sockline::{Dial, Dialing, GivenSocket};

use crate::batch::Kind;
use crate::engine::Engine;
use crate::errors::Result;
use crate::host::HostPointer;
use crate::io::duplicate;

/// Asks by a record under the key: the number of the question, 8 bytes.
pub(crate) fn asking(host: HostPointer, key: u32) -> Dial {
    Dial::new(move |dialing| {
        let number = dialing.into_raw() as f64;
        let host = host.get();
        host.batch.push(key, Kind::Dial, 0, &number.to_le_bytes());
        host.deliver_soon();
    })
}

#[napi]
impl Engine {
    /// Here is the connection, with TLS done already where the URL asks for that: a descriptor that the engine duplicates.
    #[napi]
    pub fn dialed(&self, number: f64, descriptor: i32) -> Result<()> {
        let own: OwnedFd = duplicate(descriptor)?;
        if let Ok(dialing) = Dialing::from_raw(number as u64) {
            dialing.secured(GivenSocket::new(own));
        }
        self.host.get().deliver_soon();
        Ok(())
    }

    /// There is none, and why.
    #[napi]
    pub fn not_dialed(&self, number: f64, why: String) {
        if let Ok(dialing) = Dialing::from_raw(number as u64) {
            dialing.failed(&why);
        }
        self.host.get().deliver_soon();
    }
}
