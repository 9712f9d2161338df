//! Which connections a server takes: its limits, and the answer to those who are over them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::connection::Flag;
use super::core::LoopCore;
use crate::handle::Id;
use crate::server::{Refusal, ServerOptions};

/// So many connections of a loop may be on their way out after a refusal. It is kind to say 503, but what a flood can
/// make of kindness has to have an end: the next ones are closed without a word.
const MAX_REFUSED: usize = 64;
/// RFC 9110 §10.2.3, in seconds.
const RETRY_AFTER: &str = "5";

/// The connections of a server, over all its loops.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    connections: AtomicUsize,
    /// Filled only where there is a limit for each address.
    by_address: Mutex<HashMap<IpAddr, usize>>,
    /// How many were taken in, and how many were not, since the server listens.
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// Where a connection counts, besides the total.
pub(crate) type Place = Option<IpAddr>;

impl Admission {
    /// Counts a connection, or says which limit it is over.
    pub(super) fn admit(
        &self,
        options: &ServerOptions,
        remote: Option<IpAddr>,
    ) -> Result<Place, &'static str> {
        let limit = options.max_connections;
        if self.connections.fetch_add(1, Ordering::Relaxed) >= limit && limit != 0 {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return Err("max_connections");
        }
        let place = match options.max_connections_per_address {
            0 => None,
            _ => remote.map(network),
        };
        if let Some(address) = place {
            let mut counts = self.by_address.lock();
            let count = counts.entry(address).or_default();
            if *count >= options.max_connections_per_address {
                self.connections.fetch_sub(1, Ordering::Relaxed);
                return Err("max_connections_per_address");
            }
            *count += 1;
        }
        Ok(place)
    }

    pub(super) fn release(&self, place: Place) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        let Some(address) = place else { return };
        let mut counts = self.by_address.lock();
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

/// What a connection is told that there is no room for.
pub(super) fn no_room() -> Refusal {
    let mut refusal = Refusal::new(503, "the server has no room for another connection");
    let after = ("Retry-After".to_owned(), RETRY_AFTER.to_owned());
    refusal.headers.push(after);
    refusal
}

/// What counts as one address. A host has a whole /64 of IPv6 addresses to choose from (RFC 4291 §2.5.1, RFC 8981); and
/// a dual-stack socket shows IPv4 addresses in the form of IPv6 ones (RFC 4291 §2.5.5.2).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

impl LoopCore {
    /// Whether another refused connection, besides `more`, may take its time to go.
    pub(super) fn may_refuse_kindly(&self, more: usize) -> bool {
        self.refused.get() + more < MAX_REFUSED
    }

    /// Answers connections that a server has no room for.
    pub(super) fn refuse_excess(&self, connections: &[Id]) {
        for id in connections {
            self.refused.set(self.refused.get() + 1);
            self.with_conn(*id, |conn| conn.flags.set(Flag::Excess, true));
            self.answer_and_close(*id, &no_room());
        }
    }
}

#[cfg(test)]
mod tests {

    #[test]
    fn a_network_is_one_address() {
        let network = |text: &str| super::network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2::5"));
        assert_ne!(network("2001:db8:1:2::4"), network("2001:db8:1:3::4"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
