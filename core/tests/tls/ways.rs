//! TLS on ways that are not straight: through proxies, after redirects, and again after a loss.

use std::time::Duration;

use crossbeam_channel::unbounded;
use sockline::{ClientOptions, ErrorCode, Loop, Proxy, Reconnect, ServerOptions, connect};

use crate::certificates::Authority;
use crate::support::proxies::{danted, stunnel, tinyproxy};
use crate::support::{Events, Host, Peer, What, port, reacting, recorder, serve, started};
use crate::{with_tls, wss};

fn attempt(on_loop: &Loop, url: &str, options: ClientOptions) -> Events {
    let (handler, events) = recorder();
    connect(Some(on_loop), url, options, Some(handler)).unwrap();
    events
}

fn echoing(authority: &Authority) -> (Loop, sockline::Server) {
    let on_loop = started();
    let (handler, _) = reacting(|ws, what| {
        if let What::Binary(data) = what {
            let _ = ws.send_binary(data).unwrap();
        }
    });
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    (on_loop, server)
}

/// Connects to a server of ours over TLS through this proxy, and sends a big message there and back.
#[track_caller]
fn works(authority: &Authority, proxy: String, proxy_port: u16) {
    let (on_loop, server) = echoing(authority);
    let options = ClientOptions {
        tls: Some(authority.client()),
        proxy_tls: Some(authority.client()),
        proxy: Proxy::Url(proxy),
        ..ClientOptions::default()
    };
    let events = attempt(&on_loop, &wss(server), options);
    let ws = events.open();
    assert_eq!(ws.remote_address().unwrap().port(), proxy_port);
    let timings = ws.timings();
    assert!(timings.proxy.is_some() && timings.tls.is_some(), "{timings:?}");
    assert_eq!(ws.tls().unwrap().server_name.as_deref(), Some("localhost"));
    let _ = ws.send_binary(&vec![7; 1 << 20]).unwrap();
    assert_eq!(events.next_but_drain(), What::Binary(vec![7; 1 << 20]));
    ws.close(Some(1000), "").unwrap();
    events.answered(1000);
}

#[test]
fn wss_goes_through_real_proxies() {
    let authority = Authority::new("ways");
    let http = tinyproxy();
    works(
        &authority,
        format!("http://me:pass@127.0.0.1:{}", http.port),
        http.port,
    );
    let socks = danted();
    works(
        &authority,
        format!("socks5h://127.0.0.1:{}", socks.port),
        socks.port,
    );
}

#[test]
fn a_proxy_can_have_tls_of_its_own() {
    let authority = Authority::new("ways");
    let http = tinyproxy();
    let secure = stunnel(http.port, &authority.identity(&["127.0.0.1"]));
    works(
        &authority,
        format!("https://me:pass@127.0.0.1:{}", secure.port),
        secure.port,
    );
    // Without TLS behind it, nothing is said of the proxy's.
    let on_loop = started();
    let (handler, _events) = recorder();
    let plain = serve(
        &on_loop,
        ServerOptions {
            tls: None,
            ..with_tls(authority.server())
        },
        handler,
    );
    let options = ClientOptions {
        proxy_tls: Some(authority.client()),
        proxy: Proxy::Url(format!("https://me:pass@127.0.0.1:{}", secure.port)),
        ..ClientOptions::default()
    };
    let events = attempt(
        &on_loop,
        &format!("ws://127.0.0.1:{}/", port(plain)),
        options.clone(),
    );
    assert!(events.open().tls().is_none());
    // A proxy that isn't trusted is named.
    let untrusting = ClientOptions {
        proxy_tls: Some(Authority::new("other").client()),
        ..options
    };
    let events = attempt(&on_loop, "ws://example.test/", untrusting);
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Tls);
    assert!(error.text().contains("127.0.0.1"), "{error}");
}

#[test]
fn a_proxy_that_ends_during_its_tls_handshake_is_named() {
    let host = Host::new();
    let on_loop = started();
    let options = ClientOptions {
        proxy: Proxy::Url(format!("https://127.0.0.1:{}", host.port())),
        ..ClientOptions::default()
    };
    let events = attempt(&on_loop, "ws://example.test/", options);
    let mut peer = host.accept();
    peer.read_exactly(5);
    peer.end_writing();
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Proxy);
    assert!(error.text().contains("during the TLS handshake"), "{error}");
}

#[test]
fn a_redirect_leads_into_tls_and_not_out_of_it() {
    let authority = Authority::new("ways");
    let (on_loop, server) = echoing(&authority);
    let options = ClientOptions {
        tls: Some(authority.client()),
        max_redirects: 2,
        ..ClientOptions::default()
    };
    let host = Host::new();
    let events = attempt(&on_loop, &host.url(), options.clone());
    let to =
        |location: &str| format!("HTTP/1.1 301 There\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let location = wss(server).replace("wss:", "https:");
    let _peer = host.answer(&to(&location));
    let ws = events.open();
    assert_eq!(ws.url(), wss(server));
    assert!(ws.tls().is_some());

    let redirecting = sockline::Refusal {
        status: 302,
        headers: vec![("Location".to_owned(), host.url())],
        body: Vec::new(),
    };
    let (handler, _) = recorder();
    let hook = crate::support::hook(move |request| request.websocket().refuse(redirecting.clone()).unwrap());
    let outward = serve(
        &on_loop,
        ServerOptions {
            server_handler: hook,
            ..with_tls(authority.server())
        },
        handler,
    );
    let events = attempt(&on_loop, &wss(outward), options);
    let error = events.error();
    assert_eq!(error.code(), ErrorCode::Redirect);
    assert!(error.text().contains("not encrypted"), "{error}");
}

#[test]
fn a_lost_tls_connection_comes_back() {
    let authority = Authority::new("ways");
    let on_loop = started();
    let (handler, server_events) = recorder();
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    let options = ClientOptions {
        tls: Some(authority.client()),
        reconnect: Some(Reconnect {
            base_delay: Duration::from_millis(1),
            ..Reconnect::default()
        }),
        ..ClientOptions::default()
    };
    // Asked on the loop's thread, before the next attempt has begun.
    let (sender, secured_meanwhile) = unbounded();
    let (handler, events) = reacting(move |ws, what| {
        if let What::Reconnecting(_) = what {
            sender.send(ws.tls().is_some()).unwrap();
        }
    });
    connect(Some(&on_loop), &wss(server), options, Some(handler)).unwrap();
    let ws = events.open();
    for _ in 0..3 {
        server_events.open().terminate().unwrap();
        server_events.cut();
        events.reconnecting();
        assert_eq!(secured_meanwhile.recv(), Ok(false));
        assert_eq!(events.next(), What::Reconnected);
        assert!(ws.tls().is_some());
    }
    let _ = ws.send_text("hello").unwrap();
    server_events.open();
    server_events.text("hello");
}

#[test]
fn who_answers_in_plain_text_is_no_tls_host_and_not_asked_for_ever() {
    let host = Host::new();
    let on_loop = started();
    let options = ClientOptions {
        tls: Some(Authority::new("ways").client()),
        reconnect: Some(Reconnect {
            base_delay: Duration::from_millis(1),
            max_attempts: Some(1),
            ..Reconnect::default()
        }),
        ..ClientOptions::default()
    };
    let events = attempt(&on_loop, &format!("wss://127.0.0.1:{}/", host.port()), options);
    let answer = |host: &Host| -> Peer {
        let mut peer = host.accept();
        peer.read_exactly(5);
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        peer
    };
    let _first = answer(&host);
    assert_eq!(events.reconnecting().error.unwrap().code(), ErrorCode::Tls);
    let _second = answer(&host);
    assert_eq!(events.error().code(), ErrorCode::Tls);
    events.cut();
}
