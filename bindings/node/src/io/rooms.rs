//! Which sockets are in which rooms, and orders to some of them: those in any of `rooms` (all if there are none), without
//! those in any of `except`.

use napi_derive::napi;
use serde_json::value::RawValue;
use sockline::io::{BroadcastOperator, Namespace, SocketDetails};

use super::cluster::{asked, tell_found};
use super::heard::json;
use super::sending::millis;
use super::servers::namespace;
use crate::engine::Engine;
use crate::errors::{Result, failure};

#[napi]
impl Engine {
    #[napi]
    pub fn io_room_names(&self, handle: f64) -> Vec<String> {
        namespace(handle)
            .map(|namespace| namespace.rooms())
            .unwrap_or_default()
    }

    /// The ids of the sockets in a room.
    #[napi]
    pub fn io_room(&self, handle: f64, room: String) -> Vec<String> {
        namespace(handle)
            .map(|namespace| namespace.room(&room))
            .unwrap_or_default()
    }

    /// Looks for sockets; a record follows with what is known of them, or with a text of why they could not be looked for.
    #[napi]
    pub fn io_fetch_sockets(
        &self,
        handle: f64,
        rooms: Option<Vec<String>>,
        except: Option<Vec<String>>,
        local: bool,
        timeout: Option<f64>,
        token: u32,
    ) -> Result<()> {
        let mut operator = among(asked(handle)?, &rooms, &except, local);
        if let Some(timeout) = timeout {
            operator = operator.timeout(millis(timeout));
        }
        let host = self.host;
        let done = move |found| tell_found(host, handle, token, found, |sockets: Vec<_>| fetched(&sockets));
        operator.fetch_sockets(done).map_err(failure)?;
        host.get().deliver_soon();
        Ok(())
    }

    #[napi]
    pub fn io_sockets_join(
        &self,
        handle: f64,
        rooms: Option<Vec<String>>,
        except: Option<Vec<String>>,
        local: bool,
        joined: Vec<String>,
    ) {
        if let Some(operator) = operator(handle, &rooms, &except, local) {
            operator.sockets_join(&refs(&joined));
        }
        self.host.get().deliver_soon();
    }

    #[napi]
    pub fn io_sockets_leave(
        &self,
        handle: f64,
        rooms: Option<Vec<String>>,
        except: Option<Vec<String>>,
        local: bool,
        left: Vec<String>,
    ) {
        if let Some(operator) = operator(handle, &rooms, &except, local) {
            operator.sockets_leave(&refs(&left));
        }
        self.host.get().deliver_soon();
    }

    #[napi]
    pub fn io_disconnect_sockets(
        &self,
        handle: f64,
        rooms: Option<Vec<String>>,
        except: Option<Vec<String>>,
        local: bool,
        close: bool,
    ) {
        if let Some(operator) = operator(handle, &rooms, &except, local) {
            operator.disconnect_sockets(close);
        }
        self.host.get().deliver_soon();
    }
}

fn operator(
    handle: f64,
    rooms: &Option<Vec<String>>,
    except: &Option<Vec<String>>,
    local: bool,
) -> Option<BroadcastOperator> {
    Some(among(namespace(handle)?, rooms, except, local))
}

fn among(
    namespace: Namespace,
    rooms: &Option<Vec<String>>,
    except: &Option<Vec<String>>,
    local: bool,
) -> BroadcastOperator {
    let given = |names| Option::as_deref(names).map(refs).unwrap_or_default();
    let operator = namespace.all().to_all(&given(rooms)).except_all(&given(except));
    if local { operator.local() } else { operator }
}

pub(super) fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// What is known of a socket, as `lib/io/adapter.js` takes it.
#[derive(serde::Serialize)]
struct Found<'a> {
    id: &'a str,
    /// In this process.
    local: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    handshake: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    rooms: &'a [String],
}

fn fetched(sockets: &[SocketDetails]) -> String {
    let found: Vec<Found<'_>> = sockets
        .iter()
        .map(|details| {
            let local = details.socket.is_some();
            let raw = |text| {
                if local {
                    None
                } else {
                    serde_json::from_str(text).ok()
                }
            };
            Found {
                id: &details.id,
                local,
                handshake: raw(&details.handshake_json),
                data: raw(&details.data_json),
                rooms: &details.rooms,
            }
        })
        .collect();
    json(&found)
}
