//! In which order addresses are tried (RFC 8305 §4).

use std::collections::VecDeque;
use std::net::SocketAddr;

/// Alternates between the families, beginning with that of the first address: the resolver has put the best first
/// (RFC 6724), and one family that doesn't work must not hold up the other.
pub(super) fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let mut seen = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !seen.contains(&address) {
            seen.push(address);
        }
    }
    let first_is_v6 = seen.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, others): (VecDeque<_>, VecDeque<_>) = seen
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut preferred, mut others) = (preferred.into_iter(), others.into_iter());
    let mut ordered = VecDeque::with_capacity(preferred.len() + others.len());
    loop {
        let (one, other) = (preferred.next(), others.next());
        if one.is_none() && other.is_none() {
            return ordered;
        }
        ordered.extend(one.into_iter().chain(other));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(hosts: &[&str]) -> Vec<String> {
        let addresses = hosts
            .iter()
            .map(|host| SocketAddr::new(host.parse().unwrap(), 80));
        let ordered = interleave(addresses.collect());
        ordered.iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn families_alternate_and_keep_their_own_order() {
        assert_eq!(
            order(&["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"]),
            ["::1", "1.1.1.1", "::2", "2.2.2.2", "::3"]
        );
        assert_eq!(
            order(&["1.1.1.1", "2.2.2.2", "::1"]),
            ["1.1.1.1", "::1", "2.2.2.2"]
        );
        assert_eq!(order(&["1.1.1.1"]), ["1.1.1.1"]);
        assert_eq!(order(&[]), [""; 0]);
    }

    #[test]
    fn an_address_that_comes_twice_is_tried_once() {
        assert_eq!(order(&["1.1.1.1", "1.1.1.1", "::1", "::1"]), ["1.1.1.1", "::1"]);
    }
}
