//! What the environment says about proxies, read as curl does.

use core::net::IpAddr;

use crate::ws::url::Url;

/// The variable that names the proxy, and its value; `None` where none does, or where the host is excluded.
pub(super) fn choose(url: &Url, variable: impl Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
    if is_loopback(&url.host) {
        return None;
    }
    let first = |names: &[&'static str]| {
        let set = |name: &&'static str| Some((*name, variable(name).filter(|value| !value.is_empty())?));
        names.iter().find_map(set)
    };
    if let Some((_, list)) = first(&["no_proxy", "NO_PROXY"])
        && excludes(&list, &url.host, url.port)
    {
        return None;
    }
    // HTTP_PROXY in upper case is what a web server makes of a request's header "Proxy:" for its CGI programs.
    let (own, general): (&[&str], &[&str]) = if url.secure {
        (&["wss_proxy", "WSS_PROXY"], &["https_proxy", "HTTPS_PROXY"])
    } else {
        (&["ws_proxy", "WS_PROXY"], &["http_proxy"])
    };
    first(own)
        .or_else(|| first(general))
        .or_else(|| first(&["all_proxy", "ALL_PROXY"]))
}

fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

/// Whether the list, of entries between commas or white space, has one for this host.
fn excludes(list: &str, host: &str, port: u16) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    list.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|entry| !entry.is_empty())
        .any(|entry| match host.parse::<IpAddr>() {
            Ok(address) => covers_address(entry, address, port),
            Err(_) => covers_name(entry, host, port),
        })
}

/// An entry stands for the name itself and all below it, with or without a dot before it.
fn covers_name(entry: &str, host: &str, port: u16) -> bool {
    let (entry, its_port) = match entry.rsplit_once(':') {
        Some((name, digits)) => (name, digits.parse().ok()),
        None => (entry, Some(port)),
    };
    let entry = entry
        .trim_start_matches("*.")
        .trim_matches('.')
        .to_ascii_lowercase();
    let below = |name: &str| {
        host.strip_suffix(name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    !entry.is_empty() && its_port == Some(port) && below(&entry)
}

/// An address, with a port where the entry has one, or a network as CIDR writes it.
fn covers_address(entry: &str, address: IpAddr, port: u16) -> bool {
    if let Some((network, bits)) = entry.split_once('/') {
        return match (unbracketed(network).parse::<IpAddr>(), bits.parse::<u32>()) {
            (Ok(network), Ok(bits)) => is_in(address, network, bits),
            _ => false,
        };
    }
    if let Ok(same) = unbracketed(entry).parse::<IpAddr>() {
        return same == address;
    }
    entry
        .rsplit_once(':')
        .is_some_and(|(host, digits)| unbracketed(host).parse() == Ok(address) && digits.parse() == Ok(port))
}

fn unbracketed(text: &str) -> &str {
    text.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text)
}

fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (one, other, width) = match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (
            u128::from(one.to_bits()) << 96,
            u128::from(other.to_bits()) << 96,
            32,
        ),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    // All of a shift by 128 is gone: no bits are compared.
    bits <= width && (one ^ other).checked_shr(128 - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let url = Url::parse(url).unwrap();
        let read = |name: &str| {
            let found = variables.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        choose(&url, read).map(|(_, value)| value)
    }

    #[test]
    fn each_scheme_has_its_variables_and_all_proxy_is_the_last() {
        let all = [
            ("http_proxy", "h"),
            ("https_proxy", "s"),
            ("HTTPS_PROXY", "S"),
            ("all_proxy", "a"),
        ];
        assert_eq!(chosen("ws://example.test/", &all).as_deref(), Some("h"));
        assert_eq!(chosen("wss://example.test/", &all).as_deref(), Some("s"));
        assert_eq!(chosen("wss://example.test/", &all[2..]).as_deref(), Some("S"));
        assert_eq!(chosen("ws://example.test/", &all[1..]).as_deref(), Some("a"));
        assert_eq!(
            chosen("ws://example.test/", &[("ALL_PROXY", "A")]).as_deref(),
            Some("A")
        );
        assert_eq!(
            chosen("ws://example.test/", &[("ws_proxy", "w"), ("http_proxy", "h")]).as_deref(),
            Some("w")
        );
        assert_eq!(chosen("ws://example.test/", &[]), None);
    }

    #[test]
    fn http_proxy_counts_in_lower_case_only_and_an_empty_one_not_at_all() {
        assert_eq!(chosen("ws://example.test/", &[("HTTP_PROXY", "h")]), None);
        let empty = [("http_proxy", ""), ("ALL_PROXY", "a")];
        assert_eq!(chosen("ws://example.test/", &empty).as_deref(), Some("a"));
    }

    #[test]
    fn loopback_is_never_behind_it() {
        for host in [
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(
                chosen(&format!("ws://{host}/"), &[("http_proxy", "h")]),
                None,
                "{host}"
            );
        }
        assert!(chosen("ws://notlocalhost/", &[("http_proxy", "h")]).is_some());
    }

    #[track_caller]
    fn check(list: &str, excluded: &[&str], others: &[&str]) {
        for (hosts, expected) in [(excluded, false), (others, true)] {
            for host in hosts {
                let variables = [("http_proxy", "h"), ("NO_PROXY", list)];
                let found = chosen(&format!("ws://{host}/"), &variables).is_some();
                assert_eq!(found, expected, "{host} with {list:?}");
            }
        }
    }

    #[test]
    fn no_proxy_has_names_and_what_is_below_them() {
        check("*", &["a.test", "9.9.9.9", "[2001:db8::1]"], &[]);
        check(
            "b.test, .c.test\t*.d.test",
            &[
                "b.test", "a.b.test", "c.test", "x.c.test", "B.Test", "b.test.", "y.d.test",
            ],
            &["ab.test", "test", "b.test.other"],
        );
        check(
            "b.test:81",
            &["b.test:81", "a.b.test:81"],
            &["b.test", "b.test:82"],
        );
        check(",, .", &[], &["b.test"]);
    }

    #[test]
    fn no_proxy_has_addresses_and_networks() {
        check("9.9.9.9", &["9.9.9.9"], &["9.9.9.8", "9.9.9.9.test"]);
        check(
            "10.0.0.0/8, 192.0.2.128/25",
            &["10.1.2.3", "192.0.2.200"],
            &["11.0.0.1", "192.0.2.1"],
        );
        check(
            "2001:db8::/32",
            &["[2001:db8::1]"],
            &["[2001:db9::1]", "32.1.13.184"],
        );
        check("[2001:db8::1]", &["[2001:db8::1]"], &["[2001:db8::2]"]);
        check(
            "[2001:db8::1]:81, 9.9.9.9:81",
            &["[2001:db8::1]:81", "9.9.9.9:81"],
            &["9.9.9.9"],
        );
        check("0.0.0.0/0", &["8.8.8.8"], &["[2001:db8::1]"]);
        check("9.9.9.9/33, 9.9.9.9/x, /8", &[], &["9.9.9.9"]);
    }
}
