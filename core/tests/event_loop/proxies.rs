//! Through proxies: real ones from Debian, and fake ones for what real ones don't do on demand.

use std::time::Duration;

use sockline::{ClientOptions, ErrorCode, Lookup, Proxy, WebSocket, connect};

use crate::support::child::{in_child, is_child};
use crate::support::peer::switching;
use crate::support::proxies::{danted, microsocks, tinyproxy};
use crate::support::{Events, Host, Nobody, Peer, What, local, port, reacting, recorder, serve, started};

fn through(proxy: String) -> ClientOptions {
    ClientOptions {
        proxy: Proxy::Url(proxy),
        ..ClientOptions::default()
    }
}

fn attempt(url: &str, options: ClientOptions) -> (sockline::Loop, Events) {
    let on_loop = started();
    let (handler, events) = recorder();
    connect(Some(&on_loop), url, options, Some(handler)).unwrap();
    (on_loop, events)
}

fn echo(ws: WebSocket, what: &What) {
    if let What::Binary(data) = what {
        let _ = ws.send_binary(data).unwrap();
    }
}

/// Connects to a server of ours, and sends messages there and back.
#[track_caller]
fn works(host: &str, options: ClientOptions, proxy_port: u16) {
    let on_loop = started();
    let (server_handler, _server_events) = reacting(echo);
    let server = serve(&on_loop, local(), server_handler);
    let (handler, events) = recorder();
    let url = format!("ws://{host}:{}/", port(server));
    connect(Some(&on_loop), &url, options, Some(handler)).unwrap();
    let ws = events.open();
    assert_eq!(
        ws.remote_address().unwrap().port(),
        proxy_port,
        "not through the proxy"
    );
    assert!(ws.timings().proxy.is_some());
    for size in [1, 1 << 20] {
        let _ = ws.send_binary(&vec![size as u8; size]).unwrap();
        assert_eq!(events.next_but_drain(), What::Binary(vec![size as u8; size]));
    }
    ws.close(Some(1000), "").unwrap();
    assert_eq!(events.close().code, 1000);
}

#[track_caller]
fn fails(options: ClientOptions, url: &str, words: &[&str]) -> sockline::Error {
    let (_loop, events) = attempt(url, options);
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Proxy, "{error}");
    for word in words {
        assert!(error.text().contains(word), "{error} without {word:?}");
    }
    assert!(!error.text().contains("pass@"), "{error}");
    events.cut();
    error
}

#[test]
fn tinyproxy_connects_with_a_password() {
    let proxy = tinyproxy();
    works(
        "127.0.0.1",
        through(format!("http://me:pass@127.0.0.1:{}", proxy.port)),
        proxy.port,
    );
    works(
        "localhost",
        through(format!("me:pass@localhost:{}", proxy.port)),
        proxy.port,
    );
}

#[test]
fn tinyproxy_refuses_without_one() {
    let proxy = tinyproxy();
    let options = through(format!("http://127.0.0.1:{}", proxy.port));
    let name = format!(
        "the proxy http://127.0.0.1:{}, asked for example.test",
        proxy.port
    );
    let error = fails(
        options,
        "ws://example.test/",
        &[&name, "answered 407", "give user and password"],
    );
    assert_eq!(error.http_status(), Some(407));
}

#[test]
fn tinyproxy_says_that_the_host_refuses() {
    let proxy = tinyproxy();
    let options = through(format!("http://me:pass@127.0.0.1:{}", proxy.port));
    let nobody = Nobody::new();
    let refusing = format!("127.0.0.1:{}", nobody.port());
    fails(options, &format!("ws://{refusing}/"), &[&refusing, "answered 5"]);
}

#[test]
fn microsocks_connects_with_a_password() {
    let proxy = microsocks();
    works(
        "127.0.0.1",
        through(format!("socks5h://me:pass@127.0.0.1:{}", proxy.port)),
        proxy.port,
    );
}

#[test]
fn microsocks_refuses_a_wrong_password_and_none() {
    let proxy = microsocks();
    let wrong = through(format!("socks5://me:wrong@127.0.0.1:{}", proxy.port));
    fails(wrong, "ws://127.0.0.1/", &["refused the user and password"]);
    let none = through(format!("socks5://127.0.0.1:{}", proxy.port));
    fails(none, "ws://127.0.0.1/", &["wants to know who asks"]);
}

#[test]
fn danted_looks_names_up_itself() {
    let proxy = danted();
    let mut options = through(format!("socks5h://127.0.0.1:{}", proxy.port));
    options.lookup = Some(Lookup::new(|host| panic!("{host} is looked up here")));
    works("localhost", options, proxy.port);
}

#[test]
fn danted_is_given_addresses_that_were_looked_up_here() {
    let proxy = danted();
    let mut options = through(format!("socks5://127.0.0.1:{}", proxy.port));
    options.lookup = Some(Lookup::new(|host| {
        assert_eq!(host, "known.here.only.test");
        Ok(vec!["127.0.0.1".parse().unwrap()])
    }));
    works("known.here.only.test", options, proxy.port);
}

#[test]
fn danted_says_that_the_host_refuses() {
    let proxy = danted();
    let options = through(format!("socks5://127.0.0.1:{}", proxy.port));
    let nobody = Nobody::new();
    fails(
        options,
        &format!("ws://127.0.0.1:{}/", nobody.port()),
        &["the host refused the connection"],
    );
}

#[test]
fn a_proxy_that_is_not_there() {
    let nobody = Nobody::new();
    let port = nobody.port();
    let name = format!("could not connect to the proxy http://127.0.0.1:{port} on the way to example.test");
    let error = fails(
        through(format!("http://me:pass@127.0.0.1:{port}")),
        "ws://example.test/",
        &[&name],
    );
    assert_eq!(error.os_error(), Some(nix::libc::ECONNREFUSED));
}

#[test]
fn a_proxy_without_an_address_and_a_host_without_one() {
    let mut options = through("http://proxy.test:1".to_owned());
    options.lookup = Some(Lookup::new(|_| Ok(Vec::new())));
    fails(
        options.clone(),
        "ws://example.test/",
        &["look up the proxy proxy.test"],
    );
    options.proxy = Proxy::Url("socks5://127.0.0.1:1".to_owned());
    let (_loop, events) = attempt("ws://example.test/", options);
    assert_eq!(events.error().code(), ErrorCode::NameNotResolved);
}

/// What becomes of a client whose proxy answers like this and ends.
#[track_caller]
fn answered(answer: &[u8], words: &[&str]) {
    let host = Host::new();
    let (_loop, events) = attempt(
        "ws://example.test/",
        through(format!("http://127.0.0.1:{}", host.port())),
    );
    let mut peer = host.accept();
    assert!(
        peer.read_head()
            .starts_with("CONNECT example.test:80 HTTP/1.1\r\n")
    );
    peer.send(answer);
    drop(peer);
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Proxy, "{error}");
    for word in words {
        assert!(error.text().contains(word), "{error} without {word:?}");
    }
    events.cut();
}

#[test]
fn a_proxy_that_answers_something_else() {
    answered(b"", &["closed the connection instead of answering"]);
    answered(b"HTTP/1.1 200 O", &["closed the connection instead of answering"]);
    answered(b"SSH-2.0-OpenSSH\r\n\r\n", &["no valid HTTP"]);
    answered(b"HTTP/1.1 403 Forbidden\r\n\r\n", &["answered 403 Forbidden"]);
    answered(
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching\r\n",
        &["nobody has asked for"],
    );
}

#[test]
fn a_proxy_that_never_answers_is_named_when_the_time_is_over() {
    let host = Host::new();
    let mut options = through(format!("http://127.0.0.1:{}", host.port()));
    options.handshake_timeout = Duration::from_millis(50);
    let (_loop, events) = attempt("ws://example.test/", options);
    let _peer = host.accept();
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::HandshakeTimeout);
    assert!(
        error
            .text()
            .contains(&format!("http://127.0.0.1:{}", host.port())),
        "{error}"
    );
}

#[test]
fn a_proxy_that_resets_is_named() {
    let host = Host::new();
    let (_loop, events) = attempt(
        "ws://example.test/",
        through(format!("http://127.0.0.1:{}", host.port())),
    );
    let mut peer = host.accept();
    peer.read_head();
    peer.reset();
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Proxy);
    assert!(error.text().contains("was lost"), "{error}");
}

#[test]
fn the_option_is_checked_at_once() {
    let on_loop = started();
    for (proxy, code) in [
        ("socks4://p", ErrorCode::Unsupported),
        ("p:p", ErrorCode::InvalidArgument),
    ] {
        let error = connect(Some(&on_loop), "ws://h/", through(proxy.to_owned()), None).unwrap_err();
        assert_eq!(error.code(), code, "{proxy}");
    }
}

/// Accepts a tunnel and the upgrade in it; says which host was asked for.
fn play_proxy(host: &Host) -> (String, Peer) {
    let mut peer = host.accept();
    let request = peer.read_head();
    peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n");
    let upgrade = peer.read_head();
    peer.send(switching(&upgrade).as_bytes());
    (request.lines().next().unwrap().to_owned(), peer)
}

#[test]
fn the_environment_is_read_by_default_and_never_for_loopback() {
    const NAME: &str = "proxies::the_environment_is_read_by_default_and_never_for_loopback";
    in_child(NAME, || {
        assert!(
            is_child(NAME),
            "the environment is changed in a process of its own only"
        );
        let host = Host::new();
        for (name, value) in [
            ("http_proxy", format!("http://127.0.0.1:{}", host.port())),
            ("no_proxy", "excluded.test".to_owned()),
        ] {
            // SAFETY: nothing else of this process reads the environment now.
            unsafe { std::env::set_var(name, value) };
        }
        let (_loop, events) = attempt("ws://example.test:81/", ClientOptions::default());
        let (request, _peer) = play_proxy(&host);
        assert_eq!(request, "CONNECT example.test:81 HTTP/1.1");
        events.open();
        let direct = Host::new();
        let (_loop, events) = attempt(&direct.url(), ClientOptions::default());
        let _peer = direct.accept_websocket(b"");
        events.open();
        let options = || ClientOptions {
            lookup: Some(Lookup::new(|_| Ok(vec!["127.0.0.1".parse().unwrap()]))),
            ..ClientOptions::default()
        };
        let excluded = format!("ws://excluded.test:{}/", direct.port());
        let (_loop, events) = attempt(&excluded, options());
        let _peer = direct.accept_websocket(b"");
        events.open();
        let none = ClientOptions {
            proxy: Proxy::None,
            ..options()
        };
        let (_loop, events) = attempt(&format!("ws://example.test:{}/", direct.port()), none);
        let _peer = direct.accept_websocket(b"");
        events.open();
    });
}
