//! How many connections there are, and which of them a request takes.

use sockline::ErrorCode;
use sockline::requests::{Call, HttpClient, HttpClientOptions};
use sockline::{ClientOptions, ClientTls, ClientTlsOptions, Proxy};

use crate::scene::{scene, scene_with};
use crate::support::Host;

const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn two_requests_are_under_way_at_once_and_a_third_waits() {
    let scene = scene();
    let parked = scene.get("/parked");
    let mut first = scene.host.accept();
    first.read_head();
    let post = scene.call(Call::post("/post", b"x".to_vec()));
    let waiting = scene.get("/waiting");
    let mut second = scene.host.accept();
    assert!(second.read_head().starts_with("POST"));
    second.read_exactly(1);
    second.send(EMPTY);
    post.result().unwrap();
    assert!(second.read_head().starts_with("GET /waiting"));
    first.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nA");
    assert_eq!(parked.body(), "A");
    second.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nB");
    assert_eq!(waiting.body(), "B");
}

#[test]
fn done_can_ask_again_and_the_connection_is_used_again() {
    let scene = scene();
    let client = scene.client.clone();
    let (told, hears) = std::sync::mpsc::channel();
    let asked = scene.client.request(Call::get("/1"), move |answer| {
        answer.unwrap();
        let asked = client.request(Call::get("/2"), move |answer| {
            told.send(answer.unwrap().body).unwrap()
        });
        asked.unwrap();
    });
    asked.unwrap();
    let mut peer = scene.host.accept();
    assert!(peer.read_head().starts_with("GET /1"));
    peer.send(EMPTY);
    assert!(peer.read_head().starts_with("GET /2"));
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(hears.recv().unwrap(), b"ok");
}

#[test]
fn where_the_server_closes_another_connection_is_made() {
    let scene = scene();
    for closing in ["Connection: close\r\n", ""] {
        let get = scene.get("/");
        let version = if closing.is_empty() { "1.0" } else { "1.1" };
        let mut peer = scene.host.accept();
        peer.read_head();
        let head = format!("HTTP/{version} 200 OK\r\n{closing}Content-Length: 2\r\n\r\nok");
        peer.send(head.as_bytes());
        assert_eq!(get.body(), "ok");
        assert_eq!(peer.read_to_end(), b"");
    }
}

#[test]
fn an_idle_connection_ends_before_the_server_would_end_it() {
    let scene = scene();
    let get = scene.get("/");
    let mut peer = scene.host.accept();
    peer.read_head();
    peer.send(b"HTTP/1.1 200 OK\r\nKeep-Alive: max=3, timeout=1\r\nContent-Length: 0\r\n\r\n");
    get.result().unwrap();
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn a_get_that_is_lost_on_a_used_connection_is_sent_again() {
    let scene = scene();
    let get = scene.get("/1");
    let mut peer = scene.host.accept();
    peer.read_head();
    peer.send(EMPTY);
    get.result().unwrap();
    let again = scene.get("/2");
    peer.read_head();
    drop(peer);
    let mut other = scene.host.accept();
    assert!(other.read_head().starts_with("GET /2"));
    drop(other); // on its first connection it is not the server's haste
    assert_eq!(again.result().unwrap_err().code(), ErrorCode::Closed);
}

#[test]
fn a_post_is_never_sent_twice() {
    let scene = scene();
    let get = scene.get("/1");
    let mut peer = scene.host.accept();
    peer.read_head();
    peer.send(EMPTY);
    get.result().unwrap();
    let post = scene.call(Call::post("/2", b"x".to_vec()));
    peer.read_head();
    drop(peer);
    assert_eq!(post.result().unwrap_err().code(), ErrorCode::Io); // its body was not read: a reset
}

#[test]
fn it_goes_through_a_proxy() {
    let proxy = Host::new();
    let scene = scene_with(|options| {
        options.connection.proxy = Proxy::Url(format!("http://127.0.0.1:{}", proxy.port()));
    });
    let get = scene.get("/");
    let mut peer = proxy.accept();
    let wanted = format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n", scene.host.port());
    assert!(peer.read_head().starts_with(&wanted));
    peer.send(b"HTTP/1.1 200 Connected\r\n\r\n");
    assert!(peer.read_head().starts_with("GET / HTTP/1.1\r\n"));
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(get.body(), "ok");
}

#[test]
fn a_tls_url_is_not_asked_in_the_clear() {
    let scene = scene_with(|_| {});
    let url = scene.host.url().replace("ws:", "https:");
    let options = HttpClientOptions {
        connection: ClientOptions {
            tls: Some(ClientTls::new(ClientTlsOptions::default()).unwrap()),
            ..ClientOptions::default()
        },
        ..HttpClientOptions::default()
    };
    let client = HttpClient::new(Some(&scene.on_loop), &url, options).unwrap();
    let (told, hears) = std::sync::mpsc::channel();
    client
        .request(Call::get("/"), move |answer| {
            told.send(answer.unwrap_err().code()).unwrap()
        })
        .unwrap();
    let mut peer = scene.host.accept();
    assert_eq!(peer.read_exactly(2), [0x16, 3]); // a TLS record with a handshake message
    drop(peer);
    let code = hears.recv().unwrap();
    assert!(matches!(code, ErrorCode::Tls | ErrorCode::Io), "{code:?}");
}
