//! Requests as they are written, and bodies in each framing and coding.

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use sockline::ErrorCode;
use sockline::requests::Call;
use std::io::Write;

use crate::scene::{scene, scene_with};

#[test]
fn a_request_has_what_belongs_to_it_and_no_more() {
    let scene = scene_with(|options| {
        options.connection.headers = vec![("X-Mine".to_owned(), "1".to_owned())];
        options.connection.cookies = vec![("a".to_owned(), "b".to_owned())];
    });
    let get = scene.get("/path?q=1");
    let mut peer = scene.host.accept();
    let expected = format!(
        "GET /path?q=1 HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAccept-Encoding: gzip, deflate\r\nX-Mine: 1\r\nCookie: a=b\r\n\r\n",
        scene.host.port()
    );
    assert_eq!(peer.read_head(), expected);
    peer.send(b"HTTP/1.1 200 OK\r\nX-Theirs: 2\r\nContent-Length: 5\r\n\r\nhello");
    let answer = get.result().unwrap();
    assert_eq!((answer.head.status, answer.body.as_slice()), (200, &b"hello"[..]));
    assert_eq!(answer.head.header("x-theirs"), Some("2"));

    let mut call = Call::post("/in", b"some text".to_vec());
    call.headers = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
    let post = scene.call(call);
    let head = peer.read_head();
    assert!(head.starts_with("POST /in HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: text/plain\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Length: 9\r\n"), "{head}");
    assert_eq!(peer.read_exactly(9), b"some text");
    peer.send(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(post.result().unwrap().head.status, 404);
}

#[test]
fn what_can_not_be_written_is_refused_at_once() {
    let scene = scene();
    for target in ["", "/a b", "/\r\n"] {
        let error = scene
            .client
            .request(Call::get(target), |_| panic!("it was refused"));
        assert_eq!(
            error.unwrap_err().code(),
            ErrorCode::InvalidArgument,
            "{target:?}"
        );
    }
    let mut call = Call::get("/");
    call.headers = vec![("X".to_owned(), "a\r\nb".to_owned())];
    let error = scene.client.request(call, |_| panic!("it was refused"));
    assert_eq!(error.unwrap_err().code(), ErrorCode::InvalidArgument);
}

#[test]
fn bodies_come_in_each_framing_and_in_pieces() {
    let scene = scene();
    let get = scene.get("/");
    let mut peer = scene.host.accept();
    peer.read_head();
    let chunked = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab\r\n\r\n1;x=y\r\nc\r\n0\r\nT: 1\r\n\r\n";
    for byte in chunked {
        peer.send(&[*byte]);
    }
    assert_eq!(get.body(), "ab\r\nc");

    let get = scene.get("/");
    peer.read_head();
    peer.send(b"HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(get.body(), "");

    let get = scene.get("/");
    peer.read_head();
    peer.send(b"HTTP/1.1 200 OK\r\n\r\nup to the end");
    drop(peer);
    assert_eq!(get.body(), "up to the end");
}

#[test]
fn codings_are_taken_off() {
    let scene = scene();
    let text = "text ".repeat(1000);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(text.as_bytes()).unwrap();
    let mut first = None;
    for (coding, body) in [
        ("gzip", gzip.finish().unwrap()),
        ("deflate", zlib.finish().unwrap()),
    ] {
        let get = scene.get("/");
        let peer = first.get_or_insert_with(|| scene.host.accept());
        peer.read_head();
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n");
        peer.send(head.as_bytes());
        peer.send(&body);
        assert_eq!(get.body(), text, "{coding}");
    }
}

#[test]
fn a_body_over_the_limit_is_refused_compressed_or_not() {
    for (coding, length) in [("identity", 1001), ("gzip", 1000)] {
        let scene = scene_with(|options| options.max_body = 1000);
        let get = scene.get("/");
        let mut peer = scene.host.accept();
        peer.read_head();
        let mut body = vec![b'x'; length];
        if coding == "gzip" {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(&vec![b'x'; 100_000]).unwrap();
            body = gzip.finish().unwrap();
            assert!(body.len() < 1000);
        }
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n");
        peer.send(&[head.as_bytes(), &body].concat());
        assert_eq!(get.result().unwrap_err().code(), ErrorCode::Protocol, "{coding}");
    }
}

#[test]
fn cookies_that_are_set_go_along() {
    let scene = scene();
    let get = scene.get("/in/a");
    let mut peer = scene.host.accept();
    peer.read_head();
    peer.send(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: one=1; Path=/\r\nSet-Cookie: two=2\r\nContent-Length: 0\r\n\r\n",
    );
    get.result().unwrap();
    let get = scene.get("/in/b");
    assert!(peer.read_head().contains("\r\nCookie: one=1; two=2\r\n"));
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    get.result().unwrap();
    let pair = ("one".to_owned(), "1".to_owned());
    assert_eq!(scene.client.cookies("/elsewhere"), [pair]);
}
