//! WebSockets on connections that Node's http module has accepted.

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::engine::{Engine, server};
use crate::errors::{Result, failure};
use crate::io::{duplicate, parse_head};

#[napi]
impl Engine {
    /// Gives a duplicate of a descriptor to a server, with the head of the request for an upgrade and what came behind it.
    /// Returns the connection's handle, which `accept` and `refuse` take; nothing if the server has refused it itself.
    #[napi]
    pub fn adopt(&self, listener: f64, descriptor: i32, head: Buffer, rest: Buffer) -> Result<Option<f64>> {
        let host = self.host.get();
        let (own, request) = (duplicate(descriptor)?, parse_head(&head)?);
        host.asked.set(Some(None));
        let adopted = server(listener)?.adopt_now(own, request, &rest);
        let asked = host.asked.take().flatten();
        adopted.map_err(failure)?;
        host.deliver_soon();
        Ok(asked.map(|websocket| websocket.raw() as f64))
    }
}
