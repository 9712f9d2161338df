//! WebSocket URLs: taken apart right, normalised, and refused where two parsers could see two hosts.

use std::path::Path;

use sockline::ws::url::Url;

fn parse(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(text: &str, words: &str) {
    let error = Url::parse(text).expect_err(text).to_string();
    assert!(error.contains(words), "{error}");
}

/// host, port, authority and target
fn parts(url: &Url) -> (&str, u16, &str, &str) {
    (&url.host, url.port, &url.authority, &url.target)
}

#[test]
fn default_ports_are_left_out_of_the_authority() {
    for (text, secure, expected) in [
        ("ws://a", false, ("a", 80, "a", "/")),
        ("wss://a", true, ("a", 443, "a", "/")),
        ("ws://a:80/", false, ("a", 80, "a", "/")),
        ("wss://a:443/", true, ("a", 443, "a", "/")),
        ("ws://a:443/x", false, ("a", 443, "a:443", "/x")),
        ("wss://a:80/x", true, ("a", 80, "a:80", "/x")),
        ("ws://a:/", false, ("a", 80, "a", "/")),
        (
            "ws://127.0.0.1:8080/x?y",
            false,
            ("127.0.0.1", 8080, "127.0.0.1:8080", "/x?y"),
        ),
        ("ws://a:0080/", false, ("a", 80, "a", "/")),
    ] {
        let url = parse(text);
        assert_eq!((url.secure, parts(&url)), (secure, expected), "{text}");
        assert_eq!((url.userinfo, url.unix_path), (None, None));
    }
}

#[test]
fn http_schemes_are_aliases() {
    assert_eq!(parse("http://a/x"), parse("ws://a/x"));
    assert_eq!(parse("https://a/x"), parse("wss://a/x"));
    assert_eq!(parse("HtTp://a").href, "ws://a/");
}

#[test]
fn the_whole_url_is_normalised() {
    assert_eq!(parse("  WS://Example.COM:80?q \n").href, "ws://example.com/?q");
    assert_eq!(parse("wss://u:p@a:444/x").href, "wss://u:p@a:444/x");
    let again = parse("ws://[0:0::1]:9/ä b").href;
    assert_eq!(parse(&again).href, again);
}

#[test]
fn ipv6_literals_keep_their_brackets_in_the_authority_only() {
    assert_eq!(parts(&parse("ws://[::1]")), ("::1", 80, "[::1]", "/"));
    assert_eq!(
        parts(&parse("ws://[::1]:8080/x")),
        ("::1", 8080, "[::1]:8080", "/x")
    );
    assert_eq!(parse("ws://[2001:DB8:0:0::1]/").host, "2001:db8::1");
    refused("ws://[::1/", "bracket");
    refused("ws://[::1]x/", "follows the IPv6 address");
    refused("ws://[::g]/", "not an IPv6 address");
    refused("ws://[fe80::1%25eth0]/", "not an IPv6 address");
    refused("ws://::1/", "port");
    refused("ws://[127.0.0.1]/", "not an IPv6 address");
}

#[test]
fn the_target_is_percent_encoded_once() {
    assert_eq!(parse("ws://a?x=1").target, "/?x=1");
    assert_eq!(parse("ws://a/b/../c//d?e?f/g").target, "/b/../c//d?e?f/g");
    assert_eq!(
        parse("ws://a/ä b%20c?d=\"ö\"").target,
        "/%C3%A4%20b%20c?d=%22%C3%B6%22"
    );
    assert_eq!(parse("ws://a/@b:c").target, "/@b:c");
}

#[test]
fn user_information_becomes_authorization() {
    let url = parse("ws://Aladdin:open%20sesame@a:81/x");
    assert_eq!(url.userinfo.as_deref(), Some("Aladdin:open%20sesame"));
    assert_eq!(parts(&url), ("a", 81, "a:81", "/x"));
    assert_eq!(
        url.authorization().as_deref(),
        Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    );
    assert_eq!(
        parse("ws://user@a").authorization().as_deref(),
        Some("Basic dXNlcjo=")
    );
    assert_eq!(parse("ws://@a").authorization(), None);
    // The host is what follows the last @.
    assert_eq!(parse("ws://good.example@evil.example/").host, "evil.example");
    assert_eq!(parse("ws://a@b@c/").host, "c");
}

#[test]
fn user_information_stays_out_of_logs() {
    let url = parse("ws://user:secret@a/x");
    assert!(!format!("{url:?}").contains("secret"));
    let error = Url::parse("ws://user:secret@a/x#y").unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn fragments_are_refused() {
    refused("ws://a/#", "fragment");
    refused("ws://a/x?y#z", "fragment");
    refused("ws://a#z", "fragment");
    assert_eq!(parse("ws://a/x%23y").target, "/x%23y");
}

#[test]
fn other_hosts_than_ascii_are_refused_with_a_way_out() {
    refused("ws://bücher.example/", "xn--");
    refused("ws://ⓔxample.com/", "xn--");
    assert_eq!(parse("ws://xn--bcher-kva.example/").host, "xn--bcher-kva.example");
}

#[test]
fn bad_hosts_are_refused() {
    refused("ws://", "host is missing");
    refused("ws:///x", "host is missing");
    refused("ws://:80/", "host is missing");
    refused("ws://user@/", "host is missing");
    for host in ["a b", "a%41", "a,b", "a;b", "a'b", "a*", "a|b", "a^b", "a]"] {
        refused(&format!("ws://{host}/"), "the host");
    }
}

#[test]
fn what_parsers_disagree_about_is_refused() {
    refused("ws://good.example\\@evil.example/", "backslash");
    refused("ws:\\\\a\\x", "backslash");
    refused("ws://a/x\ny", "control character");
    refused("ws://a\tb/", "control character");
    refused("ws://a/\0x", "control character");
}

#[test]
fn ports_are_numbers_in_range() {
    for port in ["0", "65536", "99999999999", "-1", "+80", "8o", " 80", "80 "] {
        refused(&format!("ws://a:{port}/"), "port");
    }
    assert_eq!(parse("ws://a:65535").port, 65535);
}

#[test]
fn other_schemes_are_refused() {
    refused("", "scheme");
    refused("example.com/x", "scheme");
    refused("ftp://a/", "scheme must be");
    refused("localhost:3000", "scheme must be");
    refused("ws:a", "//");
    refused("ws:/a", "//");
}

#[test]
fn unix_sockets_have_a_path_and_a_target() {
    let url = parse("ws+unix:/run/app.sock:/chat?x=1");
    assert_eq!(url.unix_path.as_deref(), Some(Path::new("/run/app.sock")));
    assert_eq!(parts(&url), ("localhost", 80, "localhost", "/chat?x=1"));
    assert!(!url.secure);
    assert_eq!(url.href, "ws+unix:/run/app.sock:/chat?x=1");
    assert_eq!(parse("ws+unix:///run/a.sock").target, "/");
    assert_eq!(
        parse("ws+unix:///run/a.sock").unix_path.as_deref(),
        Some(Path::new("/run/a.sock"))
    );
    assert_eq!(
        parse("ws+unix:/a%20b%3ac:/x:y").unix_path.as_deref(),
        Some(Path::new("/a b:c"))
    );
    assert_eq!(parse("ws+unix:/a%20b%3ac:/x:y").target, "/x:y");
    let doubled = parse("ws+unix:////run/a.sock");
    assert_eq!(doubled.unix_path.as_deref(), Some(Path::new("//run/a.sock")));
    assert_eq!(parse(&doubled.href).unix_path, doubled.unix_path);
}

#[test]
fn bad_unix_urls_are_refused() {
    refused("ws+unix:", "absolute path");
    refused("ws+unix:run/a.sock", "absolute path");
    refused("ws+unix:/a?x:/b", "absolute path");
    refused("ws+unix:/a:b", "must begin with /");
    refused("ws+unix:/a%00:/b", "NUL");
    refused("ws+unix:/%ff:/b", "UTF-8");
}

#[track_caller]
fn joined(base: &str, location: &str, expected: &str) {
    let url = parse(base)
        .join(location)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(url.href, expected, "{location} from {base}");
    assert_eq!(url, parse(expected));
}

#[test]
fn a_location_is_joined_to_the_url_it_came_from() {
    let base = "wss://u:p@a:444/x/y?q";
    for (location, expected) in [
        ("https://b/z#part", "wss://b/z"),
        ("ws://b", "ws://b/"),
        ("//b:1/z", "wss://b:1/z"),
        ("/z/./w/../v", "wss://u:p@a:444/z/v"),
        ("z", "wss://u:p@a:444/x/z"),
        ("../../../z/..", "wss://u:p@a:444/"),
        ("z/..", "wss://u:p@a:444/x/"),
        ("?r=:/", "wss://u:p@a:444/x/y?r=:/"),
        ("/z:w?r/../s", "wss://u:p@a:444/z:w?r/../s"),
        ("", base),
        (" #part ", base),
        ("ä b", "wss://u:p@a:444/x/%C3%A4%20b"),
    ] {
        joined(base, location, expected);
    }
    joined("ws+unix:/s:/x/y", "z?q", "ws+unix:/s:/x/z?q");
    joined("ws+unix:/s:/x", "ws://b/", "ws://b/");
}

#[test]
fn a_location_can_not_lead_to_a_unix_socket_or_elsewhere_in_disguise() {
    for (base, location) in [
        ("ws://a/", "ws+unix:/s:/"),
        ("ws://a/", "file:///etc/passwd"),
        ("ws://a/", "z:80/w"),
        ("ws://a/", "ws://a\\@b/"),
        ("ws://a/", "/z\r\nX: y"),
        ("ws://a/", "\\\\b/"),
        ("ws+unix:/s:/", "//b/"),
    ] {
        assert!(parse(base).join(location).is_err(), "{location} from {base}");
    }
}

#[test]
fn what_is_shown_has_no_password() {
    assert_eq!(parse("ws://u:p@a/x").shown(), "ws://***@a/x");
    assert!(
        !parse("ws://a/")
            .join("gopher://u:pass@b/")
            .unwrap_err()
            .to_string()
            .contains("pass")
    );
}

#[test]
fn an_origin_is_scheme_host_and_port_or_a_socket() {
    let same = |one: &str, other: &str| parse(one).is_same_origin(&parse(other));
    assert!(same("ws://a/x", "http://u@A:80/y"));
    for (one, other) in [
        ("ws://a/", "ws://b/"),
        ("ws://a/", "ws://a:81/"),
        ("ws://a:443/", "wss://a/"),
        ("ws+unix:/s:/", "ws+unix:/t:/"),
        ("ws+unix:/s:/", "ws://localhost/"),
    ] {
        assert!(!same(one, other), "{one} and {other}");
    }
}
